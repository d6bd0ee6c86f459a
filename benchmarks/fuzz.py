"""What readers make of files that are damaged: every file format, changed at random.

    python benchmarks/fuzz.py [--inputs 400] [--seed 0] [--work DIR] [FORMAT ...]

All formats by default. For each, a whole file of a made-up colony that is labelled, trained, classified and solved is
changed in one to sixteen places (bits turned, bytes removed, added, copied, set to what numbers and texts may become;
of HDF5 files often in their first 8 kB) and read by the function that commands use. A reader may accept what it finds
or refuse it with a stated error. Printed are, for each format, how many inputs were read and refused, and those that
should not be: other exceptions (unexpected), readers that needed more than 4 GB or a minute (memory, hang), and
processes that died (crash). The input of each of these is kept in DIR. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import antrax
from antrax.cluster.status import session_status
from antrax.demo.colony import ColonyOptions
from antrax.demo.colony_experiment import generate_colony
from antrax.errors import AntraxError
from antrax.images import BadImageError, read_example
from antrax.io.examples import list_examples
from antrax.io.experiments import find_all_experiments
from antrax.io.graph_file import graph_file
from antrax.io.graphs import read_graph
from antrax.io.result_state import result_state
from antrax.io.session import Session, open_session
from antrax.io.stacks import open_stack, read_frame_passed
from antrax.io.trdata import read_measurements
from antrax.labels import Category, label_warnings
from antrax.networks.keras.config import to_keras_config
from antrax.review.positions.marks import PositionMark, PositionMarks, PositionVerdict
from antrax.review.positions.solved import Cell
from antrax.review.tracklets.colonies import Colonies
from antrax.review.validation.marks import Marks
from antrax.review.validation.verdicts import Mark, Verdict
from antrax.solving.evidence import read_evidence
from antrax.solving.methods import Settings
from antrax.training.start import read_modelfile

AT_ONCE = 40  # inputs a process
MOST_MEMORY, MOST_SECONDS = 4 * 2**30, 60
HEAD = 8192
OUTCOMES = ("read", "refused", "unexpected", "memory", "hang", "crash")
_TEXTS = (
    b"1e999", b"nan", b"-1", b"[[[[", b'"', b"\r", b"\xe9", b"\xff\xfe", b",", b"\t", b"9" * 20, b"\0", b"null", b"{}",
)  # fmt: skip

Reader = Callable[[Path], object]


def make_colony(work: Path) -> Session:
    """A colony with everything that is read, made once."""
    folder = work / "colony"
    if not (work / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        generate_colony(folder, ColonyOptions(animals=4, movies=2, frames=200), examples=48, workers=1)
        antrax.train(folder, antrax.TrainOptions(epochs=1, device="cpu"))
        antrax.classify(folder, antrax.ClassifyOptions(workers=1, device="cpu"))
        antrax.solve(folder, antrax.SolveOptions(workers=1))
        (work / "done").touch()
    return open_session(folder)


def formats(work: Path, session: Session) -> dict[str, tuple[Path, Reader]]:
    """A whole file of each format, and what reads it."""
    layout = session.layout
    with open_stack(layout.file("images", 1)) as stack:
        names = [name.name for name in stack.tracklets()]
    graph = read_graph(session).graph

    def read_stack(path: Path) -> None:
        with open_stack(path) as stack:
            for name in stack.tracklets():
                with contextlib.suppress(AntraxError):
                    for piece in stack.pieces(name.name):
                        piece.sum()
            stack.unrecognised()

    def read_settings(path: Path) -> None:
        settings = (
            lambda: Settings.of_session(session), lambda: session.parameter_problems, lambda: Colonies(session).problem,
        )  # fmt: skip
        for look in settings:
            with contextlib.suppress(AntraxError):
                look()

    def read_states(path: Path) -> None:
        for command in ("classify", "solve"):
            session_status(session, command)
        result_state(session, 1)

    def all_of(*readers: Reader) -> Reader:
        return lambda path: [reader(path) for reader in readers]

    def results(path: Path) -> object:
        return antrax.read_results(session)

    def evidence(path: Path) -> object:
        return read_evidence(session, graph)

    def refreshed(table: type[Marks] | type[PositionMarks]) -> Reader:
        def read(path: Path) -> object:
            marks = table(path)
            marks.refresh()
            return marks.all()

        return read

    _write_texts(work, session, names)
    model = work / "model.json"
    model.write_text(to_keras_config(antrax.read_classifier(layout.classifier.classifier()).graph))
    example = work / "example.png"
    shutil.copy(list_examples(layout.classifier.examples)[0].path, example)
    mask = layout.colony_index_mask
    mask.parent.mkdir(exist_ok=True)
    Image.fromarray((np.indices((60, 80))[1] // 40 + 1).astype(np.uint8)).save(mask)
    colonies = {"geometry_multi_colony": True, "geometry_colony_labels": ["A", "B"]}
    settings = layout.parameters_file
    settings.write_text(json.dumps(json.loads(settings.read_text()) | colonies))
    return {
        "stack": (layout.file("images", 1), read_stack),
        "frame_passed": (layout.file("frame_passed", 1), lambda path: read_frame_passed(path, names)),
        "trdata": (layout.file("trdata", 1), lambda path: read_measurements(session, 1, set(names))),
        "frameprobs": (
            layout.file("frameprobs", 1),
            lambda path: (antrax.read_frame_probabilities(session, 1, names[0]), result_state(session, 1)),
        ),
        "confidence": (layout.file("confidence", 1), all_of(results, read_states)),
        "autoids": (layout.file("autoids", 1), all_of(results, evidence, read_states)),
        "prmtrs": (settings, read_settings),
        "labels": (layout.labels_file, lambda path: label_warnings(session.labels)),
        "movies": (layout.movies_file, lambda path: [session.absolute_frame(movie, 1) for movie in session.movies]),
        "list": (work / "list.txt", lambda path: find_all_experiments(path, lambda text: None)),
        "manualids": (layout.manual_ids_file, evidence),
        "prop": (layout.manual_propagation_file, evidence),
        "ids": (layout.id_changes_file, evidence),
        "classifier": (layout.classifier.classifier(), antrax.read_classifier),
        "example": (example, read_example),
        "graph": (graph_file(session, 1), lambda path: read_graph(session)),
        "positions": (layout.file("positions", 1), lambda path: antrax.read_positions(session)),
        "marks": (work / "marks.csv", refreshed(Marks)),
        "position_marks": (work / "position_marks.csv", refreshed(PositionMarks)),
        "index_mask": (mask, lambda path: Colonies(session).problem),
        "runs": (min(layout.runs.iterdir()), read_states),
        "modelfile": (model, read_modelfile),
    }


def _write_texts(work: Path, session: Session, names: list[str]) -> None:
    """Files that people write, and marks."""
    layout, ants = session.layout, session.labels.ants
    rows = (f"{name},{ants[number % len(ants)]}\n" for number, name in enumerate(names[:8]))
    layout.manual_ids_file.write_text("tracklet,label\n" + "".join(rows))
    layout.manual_propagation_file.write_text(
        f"# by hand\nsingle {names[0]} 1\nassign {names[1]} {ants[0]}\neliminate {names[2]} {ants[1]}\n"
    )
    layout.id_changes_file.write_text(f"remove all {ants[0]} m1 m2f10\nremove {ants[1]} start f100\n")
    (work / "list.txt").write_text('colony remark\n# no more\n"colony"\n')
    for name in ("marks.csv", "position_marks.csv"):
        (work / name).unlink(missing_ok=True)
    marks, position_marks = Marks(work / "marks.csv"), PositionMarks(work / "position_marks.csv")
    for number, name in enumerate(names[:12]):
        time = f"2026-11-05T12:34:{number:02}Z"
        verdict = (Verdict.CORRECT, None)[number % 2]
        marks.add(
            Mark(time, "Änne", "0123456789abcdef", 1, name, ants[0], Category.ANT, 0.98, 31, verdict, met="random")
        )
        cell = Cell(1, 10 + number, ants[0], "")
        right = PositionVerdict.CORRECT
        position_marks.add(
            PositionMark(time, "Änne", cell, name, "single", 0.9, right, "", 3, number, "0" * 16, "1" * 16, "random")
        )


def change(content: bytes, chance: random.Random) -> bytes:
    """A file's bytes, changed in some places."""
    found = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 4, 16])):
        if not found:
            break
        place, how = chance.randrange(len(found)), chance.randrange(10)
        if how < 3:
            found[place] ^= 1 << chance.randrange(8)
        elif how == 3:
            found[place] = chance.randrange(256)
        elif how == 4:
            del found[place : place + chance.choice([1, 2, 8, 64, 1000])]
        elif how == 5:
            found[place:place] = chance.randbytes(chance.choice([1, 4, 30]))
        elif how == 6:
            other, length = chance.randrange(len(found)), chance.choice([1, 4, 8, 32, 512])
            found[place : place + length] = found[other : other + length]
        elif how == 7:
            length = chance.choice([1, 2, 4, 8])
            found[place : place + length] = chance.choice([b"\xff", b"\0", b"\x7f"]) * length
        elif how == 8:
            found[place:place] = chance.choice(_TEXTS)
        elif chance.random() < 0.3:
            del found[place:]
        else:
            del found[place : place + 1]
    return bytes(found)


def change_head(content: bytes, chance: random.Random) -> bytes:
    """The same in the beginning alone, where HDF5 says what is where; the rest stays in its place."""
    head = change(content[:HEAD], chance)[:HEAD]
    return head.ljust(min(len(content), HEAD), b"\0") + content[HEAD:]


def run(path: Path, read: Reader, kept: Path, inputs: int, seed: int) -> Counter[str]:
    """Read changed versions of a file, some in each of several processes."""
    good, counts = path.read_bytes(), Counter[str]()
    read(path)  # as it is, it is no error
    told = kept.with_suffix(".told")
    for batch in range(0, inputs, AT_ONCE):
        told.write_text("")
        pid = os.fork()
        if not pid:
            try:
                _read_batch(path, read, good, range(batch, min(inputs, batch + AT_ONCE)), seed, kept, told)
            finally:
                os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        counts.update(told.read_text().split())
        if status:
            kind = "hang" if status in (-signal.SIGXCPU, -signal.SIGKILL) else "crash"
            counts[kind] += 1
            shutil.copy(path, kept.with_name(f"{kept.name}.{kind}{batch}"))
    path.write_bytes(good)
    return counts


def _read_batch(path: Path, read: Reader, good: bytes, numbers: range, seed: int, kept: Path, told: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    with told.open("a") as outcomes:
        for number in numbers:
            chance = random.Random(f"{seed} {path.name} {number}")
            soft = int(sum(os.times()[:2])) + MOST_SECONDS
            resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
            is_head = good[:4] == b"\x89HDF" and chance.random() < 0.4
            path.write_bytes((change_head if is_head else change)(good, chance))
            try:
                read(path)
                outcome = "read"
            except (AntraxError, BadImageError, OSError):
                outcome = "refused"
            except MemoryError:
                outcome = "memory"
            except Exception:
                outcome = "unexpected"
                print(f"{kept.name}, input {number}:\n{traceback.format_exc(limit=-4)}", flush=True)
            if outcome in ("memory", "unexpected"):
                shutil.copy(path, kept.with_name(f"{kept.name}.{outcome}{number}"))
            outcomes.write(outcome + "\n")
            outcomes.flush()


def main() -> None:
    """Change and read all formats that were named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("formats", nargs="*", metavar="FORMAT")
    parser.add_argument("--inputs", type=int, default=400, help="Of each format.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    work = options.work or Path(tempfile.mkdtemp(prefix="antrax-fuzz-"))
    (work / "kept").mkdir(parents=True, exist_ok=True)
    known = formats(work, make_colony(work))
    total: Counter[str] = Counter()
    for name in options.formats or known:
        path, read = known[name]
        counts = run(path, read, work / "kept" / name, options.inputs, options.seed)
        total += counts
        print(f"{name}: {sum(counts.values())} inputs, {_told(counts)}", flush=True)
    print(f"all: {sum(total.values())} inputs, {_told(total)}; kept in {work / 'kept'}")


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{outcome} {counts[outcome]}" for outcome in OUTCOMES)


if __name__ == "__main__":
    main()
