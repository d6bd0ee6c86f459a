"""Locks between processes on machines that share a drive; a file beside each lock describes its holder.

There are three kinds, on one mechanism (`filelock`: a lock of the operating system, which ends with its process, or,
where the file system knows no such locks, a file with the holder's number and machine):

- `only_writer`: a block that no two processes are in at a time;
- `claim`: a block in which no other process works on the same numbered parts (movies) of a folder;
- `announce`: a block that keeps nobody off; others see by `claims` that it is under way.
"""

from __future__ import annotations

import contextlib
import json
import platform
import random
import secrets
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from antrax.errors import LockedError
from antrax.io.atomic import remove_dead_parts
from antrax.io.processes import ProcessTag, parse_tag, this_process
from antrax.io.regular_files import read_regular

if TYPE_CHECKING:
    from filelock import BaseFileLock

_NO_LOCKS = (OSError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Holder:
    """Holder of a lock, as described in the file beside it.

    Parameters
    ----------
    task : str
        What it is held for, such as `antrax train`.
    host : str
        Name of the machine.
    process : ProcessTag
    since : str
        Date and time, in ISO 8601 to the minute.
    parts : tuple of int or None
        The parts of the folder that are claimed; None for a whole.
    """

    task: str
    host: str
    process: ProcessTag
    since: str
    parts: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return f"{self.task} (process {self.process.pid} on {self.host}, since {self.since.replace('T', ' ')})"


def _this_holder(task: str, parts: Collection[int] | None = None) -> Holder:
    since = datetime.now().isoformat(timespec="minutes")
    return Holder(task, platform.node(), this_process(), since, None if parts is None else tuple(sorted(parts)))


def default_task() -> str:
    """Task of this process, from its command line: `antrax train`, or `a Python program`."""
    command = Path(sys.argv[0]).stem if sys.argv else ""
    if command == "__main__":
        command = Path(sys.argv[0]).parent.name
    return f"antrax {sys.argv[1]}" if command == "antrax" and len(sys.argv) > 1 else "a Python program"


@contextlib.contextmanager
def only_writer(lock: Path, patience: float = 10.0, *, task: str | None = None) -> Iterator[None]:
    """Context manager for a block that only one process can be in at a time.

    A holder that died does not block: its lock ends with it. Where the file system knows no locks, or the folder is
    read-only, the block is entered all the same: the first is no reason to refuse work, and the second shows when
    something is written.

    Parameters
    ----------
    lock : Path
        A file that is there for this only; it is made where it is missing, in a folder that is there, and stays. Who
        holds it is written to `<lock>.holder`.
    patience : float
        Seconds to wait for others.
    task : str, optional
        What others are told that the lock is held for; from the command line by default.

    Raises
    ------
    LockedError
        Others did not end in time; the message says who.
    """
    from filelock import FileLock, Timeout

    handle = FileLock(lock)
    note = lock.with_name(f"{lock.name}.holder")
    held = False
    try:
        handle.acquire(timeout=patience)
        held = True
        _write_note(note, _this_holder(task or default_task()))
    except Timeout:
        who = _read_note(note) or "somebody else"
        raise LockedError(
            f"{who} has been writing for {patience:.0f} s; try again, and if nobody is at work delete {lock}"
            if patience
            else f"{who} is at work in {lock.parent}; wait until that is done, or stop it. If nobody is, delete {lock}"
        ) from None
    except _NO_LOCKS:
        pass
    try:
        yield
    finally:
        # a drive that was taken away has no lock to give back
        with contextlib.suppress(OSError):
            if held:
                note.unlink(missing_ok=True)
            handle.release()


@contextlib.contextmanager
def claim(folder: Path, kind: str, parts: Collection[int] | None, *, task: str | None = None) -> Iterator[None]:
    """Context manager in which no other process works on the same parts of a folder.

    Every claim is a pair of hidden files in the folder: a lock that ends with its process, and beside it who claims
    which parts. A claim is made known first and the others are looked at then, so that of two at the same moment at
    least one sees the other. What dead processes left is removed.

    Parameters
    ----------
    folder : Path
        It is there.
    kind : str
        What the parts are, such as `classify`: claims of different kinds do not meet.
    parts : collection of int or None
        None for a whole, whatever its parts.
    task : str, optional
        As for `only_writer`.

    Raises
    ------
    LockedError
        Another process has claimed some of the parts; the message says which process and which parts.
    """
    others = None
    for attempt in range(4):
        with contextlib.ExitStack() as held:
            own = held.enter_context(_published(folder, kind, parts, task or default_task()))
            others = _overlapping(folder, kind, own, None if parts is None else frozenset(parts))
            if others is None:
                yield
                return
        if attempt < 3:  # two that begin at the same moment may both step back
            time.sleep(random.uniform(0.02, 0.2))
    assert others is not None
    common = set(others.parts or parts or ()) & set(parts or others.parts or ())
    which = f", on {', '.join(map(str, sorted(common)[:20]))}," if common else ""
    raise LockedError(
        f"{others} is at work in {folder}{which} too; wait until it is done, or stop it. If nobody is at work, "
        f"delete the files {folder / f'.{kind}'}.*"
    )


@contextlib.contextmanager
def announce(folder: Path, kind: str, *, task: str | None = None) -> Iterator[None]:
    """Context manager that announces work to other processes without excluding any. Removes files of dead processes.

    Parameters
    ----------
    folder : Path
        Where nothing can be written, nobody is told.
    kind, task
        As for `claim`.
    """
    claims(folder, kind)
    with _published(folder, kind, None, task or default_task()):
        yield


def claims(folder: Path, kind: str, *, tidy: bool = True) -> list[Holder]:
    """Current claims and announcements of work in a folder.

    Parameters
    ----------
    folder : Path
        It may be missing.
    kind : str
        As for `claim`.
    tidy : bool
        Remove what dead processes left. Without, nothing is changed, so whoever may read the folder may ask.

    Returns
    -------
    list of Holder
        Those whose process lives. Where a drive knows no locks, or this user may not take one, that cannot be told of
        processes of other machines: they are left out when tidying, for nothing would ever remove them, and listed
        otherwise.
    """
    return _claims(folder, kind, tidy=tidy)


def _claims(folder: Path, kind: str, *, tidy: bool, own: Path | None = None) -> list[Holder]:
    """Holders of a folder's claims, but for one's own."""
    paths = [path for path in sorted(folder.glob(f".{kind}.*.lock")) if path != own]
    found = [holder for path in paths if (holder := _living(path, tidy=tidy))]
    if tidy:
        _remove_dead_notes(folder, kind)
    return found


def _living(path: Path, *, tidy: bool) -> Holder | None:
    """Holder of a claim; None if its process is dead, in which case the claim is removed if `tidy` is set."""
    from filelock import FileLock, Timeout

    note = path.with_suffix(".holder")
    holder = _read_note(note)
    if not tidy and (holder is None or holder.process.is_surely_dead()):
        return None
    unknown = Holder("another program", "an unknown machine", ProcessTag("00000000", 0, 0), "some time ago")
    handle = FileLock(path)
    try:
        handle.acquire(timeout=0)
    except Timeout:
        return holder or _read_note(note) or unknown
    except _NO_LOCKS:
        if holder is None or holder.process.is_surely_dead():
            return None
        return holder if not tidy or holder.process.machine == this_process().machine else None
    if tidy:
        _remove(handle, path, note)
        return None
    handle.release()
    if not note.exists():
        # it was given back in between, and taking its lock made the file again
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return None


@contextlib.contextmanager
def _published(folder: Path, kind: str, parts: Collection[int] | None, task: str) -> Iterator[Path]:
    """Write a claim's files; returns its lock file."""
    from filelock import FileLock, Timeout

    path = folder / f".{kind}.{secrets.token_hex(4)}.lock"
    note = path.with_suffix(".holder")
    handle = FileLock(path)
    _write_note(note, _this_holder(task, parts))
    try:
        with contextlib.suppress(Timeout, *_NO_LOCKS):
            handle.acquire(timeout=5)
        yield path
    finally:
        _remove(handle, path, note)


def _overlapping(folder: Path, kind: str, own: Path, parts: frozenset[int] | None) -> Holder | None:
    """Another living claim on some of the parts."""
    found = None
    for holder in _claims(folder, kind, tidy=True, own=own):
        if holder.parts is None or parts is None or parts & set(holder.parts):
            found = holder
    return found


def _remove_dead_notes(folder: Path, kind: str) -> None:
    """Remove files of processes that were killed before they held their lock, or while they described themselves."""
    remove_dead_parts(folder)
    for note in folder.glob(f".{kind}.*.holder"):
        left = _read_note(note)
        if left and left.process.is_surely_dead() and not note.with_suffix(".lock").exists():
            with contextlib.suppress(OSError):
                note.unlink(missing_ok=True)


def _remove(handle: BaseFileLock, path: Path, note: Path) -> None:
    """Take a claim's files away and its lock with them: removed while it is held, for nobody can have it then."""
    for file in (note, path):
        with contextlib.suppress(OSError):  # Windows removes no file that is open; filelock does there
            if file != path or handle.is_locked:
                file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        handle.release()


def _write_note(path: Path, holder: Holder) -> None:
    content = {
        "task": holder.task,
        "host": holder.host,
        "process": str(holder.process),
        "since": holder.since,
        "parts": holder.parts,
    }
    # as `replacing` names it, so that what a killed process leaves is found; but without waiting for the disk
    temporary = path.with_name(f"{path.name}.{this_process()}-{secrets.token_hex(4)}.part")
    try:
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(path)
    except OSError:  # on a full disk, the lock holds without a note
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _read_note(path: Path) -> Holder | None:
    """Read the description of a lock's holder; None if it cannot be read."""
    try:
        if path.stat().st_size > 2**20:
            return None
        values = json.loads(read_regular(path, 2**20).decode())
        process, parts = parse_tag(values["process"]), values["parts"]
        if process is None:
            return None
        texts = [str(values[key])[:200] for key in ("task", "host", "since")]
        return Holder(texts[0], texts[1], process, texts[2], None if parts is None else tuple(map(int, parts)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
