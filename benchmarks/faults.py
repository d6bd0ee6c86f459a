"""What is left where a command is killed, its disk fills up, its drive fails, or its inputs change.

    python benchmarks/faults.py [--kills 100] [--errors 40] [--work DIR] [--seed 0] [COMMAND ...]

COMMAND: classify, train, merge-trainset, solve, export, plot, extract-trainset; all by default. Each runs as a whole
command line, in a process of its own, on a small made-up colony; a training has few steps, and of extract-trainset it
is the export of some images that is done. It is stopped

- by SIGKILL, at a random moment, or just before one of the operations on files that it makes;
- by errors: one of these operations fails as on a failing drive (EIO) or a full disk (ENOSPC), no file may grow
  beyond a size (RLIMIT_FSIZE), or the folder lies on a small drive that fills up (tmpfs, which needs the right to
  mount one);
- by others: an input is replaced meanwhile by another whole one, or the same command runs twice at once.

After each the same command is given again, undisturbed. Printed are, for each command and kind, how many times: nothing
was disturbed, for it was done before; a result in place was neither the earlier nor a new one as a whole (half); the
second run failed (blocked); its result was another than that of an undisturbed one (differs); files were left over in
the end (left); what was said was a traceback or called our mistake (traceback). All but the first should be 0. A line
is printed for each kind when it is through, each problem at once, and the whole table again at the end.

Where files hold times and dates, these are not compared. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from rich.console import Console
from rich.table import Table

from antrax.classification.classifier_file import read_classifier
from antrax.cli.main import main as command_line
from antrax.demo.colony import ColonyOptions
from antrax.demo.colony_experiment import generate_colony
from antrax.errors import AntraxError
from antrax.io.session import open_session
from antrax.io.stacks import open_stack

# Loaded before processes are forked, so that a run takes the time of its work and not of imports.
_LOADED = """
antrax.classification.run antrax.training.run antrax.training.loop antrax.training.plots antrax.training.augmentation
antrax.training.merging antrax.solving.run antrax.io.positions_table antrax.io.antdata antrax.io.trdata
antrax.networks.backends.onnx_network onnxruntime pyarrow.parquet xarray loky antrax.io.export antrax.plots
antrax.review.training_set.editing matplotlib.pyplot
"""
# A run of a few seconds that is not through by then waits for something that does not come.
_LONGEST_S = 900.0
COLUMNS = ("undisturbed", "half", "blocked", "differs", "left", "traceback")
_WRITES = {"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate", "shutil.copyfile"}

Content = Mapping[str, str]
"""What lies in a folder: a digest of each file by its name."""


# --- running a command


@dataclass
class Run:
    """How a command ended: its status, negative for a signal; what it said; operations on files; seconds."""

    status: int
    said: str
    operations: int
    seconds: float


@dataclass
class Fault:
    """What happens to a run: at its n-th operation on files (or after some seconds) a signal, an error or an action."""

    operation: int | None = None
    seconds: float | None = None
    error: int | None = None
    action: Callable[[], None] | None = None
    largest_file: int | None = None


def start(arguments: list[str], fault: Fault, said: Path, counted: Path) -> int:
    """Start a command line in a process of its own; gives its number."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        os.setpgid(0, 0)
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        _shorten_training()
        count = 0

        def hook(event: str, values: tuple[Any, ...]) -> None:
            nonlocal count
            # the folder of temporary files and what is only read are of no account
            if event == "open":
                if not isinstance(values[0], str | bytes | os.PathLike) or not values[2] & (os.O_WRONLY | os.O_RDWR):
                    return
                if os.fsdecode(values[0]).startswith(("/dev", "/proc")) or values[0] in (str(said), str(counted)):
                    return
            elif event not in _WRITES:
                return
            count += 1
            if count == fault.operation:
                if fault.action:
                    fault.action()
                elif fault.error:
                    raise OSError(fault.error, os.strerror(fault.error), os.fspath(values[0]))
                else:
                    os.kill(os.getpid(), signal.SIGKILL)

        if fault.largest_file is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (fault.largest_file, fault.largest_file))
        sys.addaudithook(hook)
        try:
            (_export_examples if arguments[0] == "extract-trainset" else command_line)(arguments)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        fault.operation = None
        with contextlib.suppress(OSError):
            counted.write_text(str(count))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _export_examples(arguments: list[str]) -> None:
    """Put images of a few tracklets into the training set, as a press in the page of extract-trainset does."""
    from antrax.review.training_set.editing import Examples

    session = open_session(arguments[1])
    try:
        with open_stack(session.stacks[1][0]) as stack:
            for tracklet, label in zip(stack.tracklets()[:4], session.labels.ants, strict=False):
                images = stack.read(tracklet.name)
                Examples(session).export(tracklet, images, range(min(6, len(images))), label, "page")
    except AntraxError as error:
        print(f"error: {error}")
        raise SystemExit(1) from None
    raise SystemExit(0)


def _shorten_training() -> None:
    from antrax.training import loop

    loop.LEAST_STEPS, loop.BATCH, loop._SAVE_EVERY_S = 4, 16, 0.0


def finish(pid: int, limit: float | None = None) -> int | None:
    """Status of a process that has ended; None where it has not after so many seconds."""
    until = None if limit is None else time.monotonic() + limit
    while True:
        found, status = os.waitpid(pid, 0 if until is None else os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if until is not None and time.monotonic() > until:
            return None
        time.sleep(0.002)


def run(arguments: list[str], fault: Fault | None = None) -> Run:
    """Run a command line to its end, or to that of a fault."""
    with tempfile.TemporaryDirectory() as folder:
        said, counted = Path(folder) / "said", Path(folder) / "counted"
        began = time.monotonic()
        pid = start(arguments, fault or Fault(), said, counted)
        status = finish(pid, fault.seconds if fault and fault.seconds is not None else _LONGEST_S)
        if status is None:
            os.killpg(pid, signal.SIGKILL)
            status = finish(pid)
        assert status is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        operations = int(counted.read_text()) if counted.exists() else 0
        return Run(status, said.read_text(errors="replace"), operations, time.monotonic() - began)


# --- what lies in a folder


def digest_of(path: Path) -> str:
    """A digest of what a file says, times and dates left out."""
    content = path.read_bytes()
    if path.suffix in (".h5", ".nc", ".mat") and b"\x89HDF" in content[:1024]:
        with h5py.File(io.BytesIO(content), "r") as file:
            found: list[str] = []

            def add(name: str, place: Any) -> None:
                values = _timeless(place[()]) if isinstance(place, h5py.Dataset) else ""
                about = {key: _timeless(value) for key, value in sorted(place.attrs.items())}
                found.append(f"{name} {values} {about}")

            file.visititems(add)
            add("/", file)
            content = "\n".join(found).encode()
    elif path.suffix == ".json":
        content = _timeless(content.decode()).encode()
    return hashlib.blake2b(content, digest_size=8).hexdigest()


_TIMES = ("time", "seconds", "_NCProperties", "digest_of_record")


def _timeless(value: object) -> str:
    text = value.decode() if isinstance(value, bytes) else value
    try:
        values = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        values = None
    if not isinstance(values, dict):
        return repr(np.asarray(value).tolist())
    for inner in (values, values.get("record")):
        if isinstance(inner, dict):
            for key in _TIMES:
                inner.pop(key, None)
    return json.dumps(values, sort_keys=True)


def content_of(folder: Path, leave_out: tuple[str, ...] = ()) -> Content:
    """What lies in a folder and below, hidden files included."""
    return {
        str(path.relative_to(folder)): digest_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part in leave_out for part in path.relative_to(folder).parts)
    }


def hidden(folder: Path) -> list[str]:
    """Hidden files, which nobody should have to clear away; a lock that stays on purpose is not among them."""
    names = (str(path.relative_to(folder)) for path in folder.rglob(".*") if path.is_file())
    return sorted(name for name in names if not name.endswith(".trainset.lock"))


# --- the commands


class Problems(list[str]):
    """What was found wrong, told at once: a run of all kinds takes hours, and may be stopped before its end."""

    def append(self, problem: str) -> None:
        """Add a problem, and print it."""
        super().append(problem)
        print(" ", " ".join(problem.split())[:1200], flush=True)


@dataclass
class Case:
    """A command on a copy of its inputs.

    Parameters
    ----------
    name : str
    folder : Path
        Everything that it reads and writes; copied anew for each fault.
    arguments : callable
        The command line, for a copy of that folder.
    results : callable
        What it writes, of a copy: groups of files that change as a whole.
    other_input : callable
        Replaces an input of a copy by another whole one.
    """

    name: str
    folder: Path
    arguments: Callable[[Path], list[str]]
    results: Callable[[Path], list[Content]]
    other_input: Callable[[Path], None]
    reference: list[Content] = field(default_factory=list)
    earlier: list[Content] = field(default_factory=list)
    changed: list[Content] = field(default_factory=list)
    operations: int = 0
    seconds: float = 0.0


def session_of(copy: Path) -> Path:
    """The session in a copy."""
    return open_session(copy / "colony").path


def by_movie(folder: Path) -> list[Content]:
    """Groups of files of a movie each."""
    content = content_of(folder, ("set_aside",))
    return [
        {
            name: value
            for name, value in content.items()
            if f"_{movie}." in name and not name.rpartition("/")[2].startswith(".")
        }
        for movie in (1, 2)
    ]


def positions_of(copy: Path) -> list[Content]:
    """All files of positions, which change together; none where it is told that this was broken off."""
    if open_session(copy / "colony").layout.unfinished_positions.exists():
        return [{}]
    session = session_of(copy)
    found: dict[str, str] = {}
    for folder in ("antdata", "positions", "positions_netcdf"):
        found |= {
            f"{folder}/{name}": value
            for name, value in content_of(session / folder).items()
            if not name.startswith(".")
        }
    return [found]


def swap_stacks(copy: Path) -> None:
    """The first movie gets a stack of half of its tracklets."""
    path = next(iter(open_session(copy / "colony").stacks.values()))[0]
    new = path.with_name("other")
    shutil.copy(path, new)
    with h5py.File(new, "r+") as file:
        for name in list(file)[::2]:
            del file[name]
    new.replace(path)


def swap_labels(copy: Path) -> None:
    """Labels of the first movie are exchanged."""
    path = session_of(copy) / "labels" / "autoids_1.csv"
    lines = path.read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    labels = [row[1:] for row in rows][::-1]
    new = path.with_name("other")
    new.write_text(
        "\n".join([lines[0], *(",".join([row[0], *given]) for row, given in zip(rows, labels, strict=True))]) + "\n"
    )
    new.replace(path)


def drop_examples(folder: Path) -> Callable[[Path], None]:
    """Some examples go, as when people move them to the trash."""

    def drop(copy: Path) -> None:
        for path in sorted((copy / folder).rglob("*.png"))[::3]:
            path.unlink(missing_ok=True)

    return drop


def drop_positions(copy: Path) -> None:
    """The second movie is not solved any more."""
    for folder in ("antdata", "positions", "positions_netcdf"):
        for path in (session_of(copy) / folder).glob("*_2*"):
            path.unlink()


def make_cases(work: Path) -> dict[str, Case]:
    """Inputs of all commands."""
    base = work / "base"
    if not (base / "done").exists():
        shutil.rmtree(base, ignore_errors=True)
        base.mkdir(parents=True)
        options = ColonyOptions(animals=4, movies=2, frames=300)
        generate_colony(base / "colony", options, examples=8, workers=1)
        done = run(["train", str(base / "colony"), "--ne", "1", "--device", "cpu"])
        assert done.status == 0, done.said
        (base / "done").touch()
    session = session_of(base)
    classified, labelled = work / "solve", work / "merge-trainset"
    if not classified.exists():
        shutil.copytree(base, classified)
        done = run(["classify", str(classified / "colony"), "--nw", "1", "--device", "cpu"])
        assert done.status == 0, done.said
    if not labelled.exists():
        for name in ("one", "two"):
            shutil.copytree(session / "classifier" / "examples", labelled / name / "examples")
        for number, path in enumerate(sorted((labelled / "two").rglob("*.png"))):
            if number % 2:
                path.unlink()
        for path in sorted((labelled / "one").rglob("*.png"))[::2]:
            path.unlink()
    solved, unlabelled = work / "export", work / "extract-trainset"
    if not solved.exists():
        shutil.copytree(classified, solved)
        done = run(["solve", str(solved / "colony"), "--nw", "1", "--max-error", "0.5"])
        assert done.status == 0, done.said
    if not unlabelled.exists():
        shutil.copytree(base, unlabelled)
        shutil.rmtree(session_of(unlabelled) / "classifier" / "examples")
    trained = work / "train"
    if not trained.exists():
        shutil.copytree(session / "classifier" / "examples", trained / "set" / "examples")
    return {
        "classify": Case(
            "classify", base,
            lambda copy: ["classify", str(copy / "colony"), "--nw", "1", "--device", "cpu"],
            lambda copy: by_movie(session_of(copy) / "labels"), swap_stacks,
        ),
        "train": Case(
            "train", trained,
            lambda copy: ["train", str(copy / "set"), "--ne", "1", "--device", "cpu", "--scratch"],
            lambda copy: [content_of(copy / "set", ("examples", "training", ".classifier.h5.head.checkpoint"))],
            drop_examples(Path("set")),
        ),
        "merge-trainset": Case(
            "merge-trainset", labelled,
            lambda copy: ["merge-trainset", str(copy / "one"), str(copy / "two")],
            lambda copy: [{name: value} for name, value in content_of(copy / "two").items()],
            drop_examples(Path("one")),
        ),
        "solve": Case(
            "solve", classified,
            lambda copy: ["solve", str(copy / "colony"), "--nw", "1"],
            positions_of, swap_labels,
        ),
        "export": Case(
            "export", solved,
            lambda copy: ["export", str(copy / "colony"), "--to", "csv"],
            lambda copy: [content_of(session_of(copy) / "export")], drop_positions,
        ),
        "plot": Case(
            "plot", solved,
            lambda copy: ["plot", str(copy / "colony"), "--format", "png", "--figure", "presence"],
            lambda copy: [{name: value} for name, value in content_of(session_of(copy) / "plots").items()],
            drop_positions,
        ),
        "extract-trainset": Case(
            "extract-trainset", unlabelled,
            lambda copy: ["extract-trainset", str(copy / "colony")],
            lambda copy: [
                {name: value} for name, value in content_of(session_of(copy) / "classifier" / "examples").items()
            ],
            swap_stacks,
        ),
    }  # fmt: skip


# --- faults


@contextlib.contextmanager
def copied(case: Case) -> Iterator[Path]:
    """A copy of a case's folder, removed afterwards."""
    copy = case.folder.with_name(f"{case.name}.copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(case.folder, copy)
    try:
        yield copy
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def visible(groups: list[Content]) -> list[Content]:
    """The files of groups that are no hidden ones."""
    return [
        {name: value for name, value in group.items() if not name.rpartition("/")[2].startswith(".")}
        for group in groups
    ]


def measure(case: Case) -> None:
    """Results of undisturbed runs: on the inputs as they are, and on the others."""
    with copied(case) as copy:
        case.earlier = visible(case.results(copy))
        done = run(case.arguments(copy))
        assert done.status == 0, done.said
        case.reference, case.operations, case.seconds = visible(case.results(copy)), done.operations, done.seconds
    with copied(case) as copy:
        case.other_input(copy)
        done = run(case.arguments(copy))
        assert done.status == 0, done.said
        case.changed = visible(case.results(copy))


def is_whole(case: Case, groups: list[Content]) -> bool:
    """Whether each group of results is one of those before or of those after as a whole."""
    known = [group for some in (case.earlier, case.reference, case.changed) for group in some]
    if case.name in ("merge-trainset", "extract-trainset", "plot"):  # each file counts by itself
        return all(group in known for group in groups)
    if case.name == "classify":
        # labels that are there count; the other files may still have the names that they have until then
        return all(
            not any("autoids" in name for name in group) or _labels_in(group) in map(_labels_in, known)
            for group in groups
        )
    return all(not group or group in known for group in groups)


def _labels_in(group: Content) -> list[str]:
    return [value for name, value in group.items() if "autoids" in name]


def is_of_a_set_in_between(case: Case, copy: Path) -> bool:
    """Whether a training whose set changed under it left a whole classifier: it is one of what lay there meanwhile.

    People label while a training runs, so it reads each image when it comes to it, and says what came or went later.
    """
    path = copy / "set" / "classifier.h5"
    if case.name != "train" or not path.exists():
        return False
    try:
        read_classifier(path)
    except AntraxError:
        return False
    return True


def told_badly(said: str) -> bool:
    """Whether something was said that only a programmer understands."""
    return "Traceback" in said or "mistake in antrax" in said or "Error:" in said.replace("error:", "")


def check(
    case: Case,
    copy: Path,
    counts: Counter[str],
    expected: list[Content],
    problems: Problems,
    what: str,
    *,
    inputs_change: bool = False,
) -> None:
    """Give the command again, and look at what there is then."""
    found: dict[str, object] = {}
    groups = visible(case.results(copy))
    if not is_whole(case, groups) and not (inputs_change and is_of_a_set_in_between(case, copy)):
        found["half"] = [name for group in groups for name in group][:4]
    second = run(case.arguments(copy))
    if second.status != 0:
        found["blocked"] = second.said[-400:]
    if told_badly(second.said):
        found["traceback"] = second.said[-800:]
    after = visible(case.results(copy))
    if second.status == 0 and after != expected:
        known = {name: value for group in expected for name, value in group.items()}
        now = {name: value for group in after for name, value in group.items()}
        found["differs"] = sorted(name for name in known.keys() | now.keys() if known.get(name) != now.get(name))[:5]
    if left := hidden(copy):
        found["left"] = left
    for key, value in found.items():
        counts[key] += 1
        problems.append(f"{case.name}, {what}: {key}: {value}")


def kill(case: Case, kills: int, chance: random.Random, problems: Problems) -> Counter[str]:
    """Kill the command: half of the times before an operation on files, half at a random moment."""
    counts: Counter[str] = Counter()
    for number in range(kills):
        with copied(case) as copy:
            fault = (
                Fault(operation=1 + number // 2 % max(1, case.operations))
                if number % 2
                else Fault(seconds=chance.uniform(0.05, 1.05) * case.seconds)
            )
            first = run(case.arguments(copy), fault)
            counts["runs"] += 1
            counts["undisturbed"] += first.status == 0
            check(case, copy, counts, case.reference, problems, f"killed at {fault}")
        if number % 10 == 9:
            print(f"{case.name}: killed {number + 1} of {kills}", flush=True)
    return counts


def fail(case: Case, errors: int, chance: random.Random, problems: Problems, kind: str) -> Counter[str]:
    """Let an operation fail, or files not grow."""
    counts: Counter[str] = Counter()
    sizes = [200, 1000, 5000, 20_000, 60_000, 200_000]
    for number in range(errors):
        with copied(case) as copy:
            if kind == "no room":
                fault = Fault(largest_file=sizes[number % len(sizes)] + chance.randrange(200))
            else:
                step = 1 + (number if errors >= case.operations else chance.randrange(case.operations))
                fault = Fault(operation=step, error=errno.EIO if kind == "EIO" else errno.ENOSPC)
            first = run(case.arguments(copy), fault)
            counts["runs"] += 1
            counts["undisturbed"] += first.status == 0
            if told_badly(first.said):
                counts["traceback"] += 1
                problems.append(f"{case.name}, {kind} {fault}: traceback: {first.said[-800:]}")
            check(case, copy, counts, case.reference, problems, f"{kind} {fault}")
    return counts


def fill(case: Case, times: int, chance: random.Random, problems: Problems) -> Counter[str]:
    """Let the drive fill up: a small one, with less room than the command takes; then it gets more."""
    counts: Counter[str] = Counter()
    place = case.folder.with_name(f"{case.name}.drive")
    with copied(case) as copy:
        before = _size(copy)
        run(case.arguments(copy))
        needed = max(4096, _size(copy) - before)
    for _ in range(times):
        place.mkdir(exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={before + needed + 2**24}", "tmpfs", str(place)])
        if mounted.returncode:
            print(f"{case.name}: no drive can be mounted here", flush=True)
            return counts
        try:
            copy = place / "copy"
            shutil.copytree(case.folder, copy)
            room = shutil.disk_usage(place).used + int(chance.uniform(0.0, 0.9) * needed) + 4096
            subprocess.run(["mount", "-o", f"remount,size={room}", str(place)], check=True)
            first = run(case.arguments(copy))
            counts["runs"] += 1
            counts["undisturbed"] += first.status == 0
            if told_badly(first.said):
                counts["traceback"] += 1
                problems.append(f"{case.name}, full drive: traceback: {first.said[-800:]}")
            subprocess.run(["mount", "-o", f"remount,size={before + needed + 2**26}", str(place)], check=True)
            check(case, copy, counts, case.reference, problems, "full drive")
        finally:
            subprocess.run(["umount", str(place)], check=True)
            place.rmdir()
    return counts


def _size(folder: Path) -> int:
    """Bytes that the files of a folder take, in pages."""
    return sum(-(-path.lstat().st_size // 4096) * 4096 for path in folder.rglob("*"))


def change(case: Case, changes: int, chance: random.Random, problems: Problems) -> Counter[str]:
    """Replace an input while the command runs, from another process."""
    counts: Counter[str] = Counter()
    for _ in range(changes):
        with copied(case) as copy, tempfile.TemporaryDirectory() as folder:
            said = Path(folder) / "said"
            pid = start(case.arguments(copy), Fault(), said, Path(folder) / "counted")
            status = finish(pid, chance.uniform(0, 1) * case.seconds)
            case.other_input(copy)
            status = finish(pid) if status is None else status
            counts["runs"] += 1
            counts["undisturbed"] += status == 0
            text = said.read_text(errors="replace")
            if told_badly(text):
                counts["traceback"] += 1
                problems.append(f"{case.name}, input replaced: traceback: {text[-800:]}")
            if case.name in ("merge-trainset", "extract-trainset"):  # what was copied before it went stays
                groups = visible(case.results(copy))
                if not is_whole(case, groups):
                    counts["half"] += 1
                continue
            check(case, copy, counts, case.changed, problems, "input replaced", inputs_change=True)
    return counts


def twice(case: Case, times: int, chance: random.Random, problems: Problems) -> Counter[str]:
    """Give the command twice at once."""
    counts: Counter[str] = Counter()
    for _ in range(times):
        with copied(case) as copy, tempfile.TemporaryDirectory() as folder:
            texts = [Path(folder) / f"said{n}" for n in (1, 2)]
            pids = []
            for said in texts:
                pids.append(start(case.arguments(copy), Fault(), said, said.with_suffix(".count")))
                time.sleep(chance.uniform(0, 0.3) * case.seconds)
            statuses = [finish(pid) for pid in pids]
            counts["runs"] += 1
            counts["undisturbed"] += statuses == [0, 0]
            said_all = "".join(path.read_text(errors="replace") for path in texts)
            if told_badly(said_all) or not any(status == 0 for status in statuses):
                counts["traceback"] += 1
                problems.append(f"{case.name}, twice: {statuses} {said_all[-800:]}")
            check(case, copy, counts, case.reference, problems, "twice at once")
    return counts


def main() -> None:
    """Run all commands that were named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("commands", nargs="*", metavar="COMMAND")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--errors", type=int, default=40)
    parser.add_argument(
        "--others", type=int, default=20, help="Inputs replaced, and two runs at once: so many of each."
    )
    parser.add_argument("--work", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with contextlib.ExitStack() as folders:
        work = options.work or Path(folders.enter_context(tempfile.TemporaryDirectory()))
        for module in _LOADED.split():
            import_module(module)
        cases = make_cases(work)
        table = Table("command", "fault", "runs", *COLUMNS)
        for name in options.commands or cases:
            case = cases[name]
            measure(case)
            print(f"{name}: {case.seconds:.1f} s, {case.operations} operations on files", flush=True)
            for kind, count, disturb in (
                ("killed", options.kills, kill),
                ("EIO", options.errors, partial(fail, kind="EIO")),
                ("ENOSPC", options.errors, partial(fail, kind="ENOSPC")),
                ("no room", options.errors // 2, partial(fail, kind="no room")),
                ("full drive", options.errors // 2, fill),
                ("input replaced", options.others, change),
                ("twice at once", options.others, twice),
            ):
                if not count:
                    continue
                counts = disturb(case, count, chance, Problems())
                row = [str(counts[column]) for column in ("runs", *COLUMNS)]
                table.add_row(name, kind, *row)
                told = (f"{column} {value}" for column, value in zip(("runs", *COLUMNS), row, strict=True))
                print(f"{name}, {kind}: {', '.join(told)}", flush=True)
        Console(width=120).print(table)


if __name__ == "__main__":
    main()
