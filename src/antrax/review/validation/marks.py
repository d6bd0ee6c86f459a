"""What a person found when checking a classification, kept in the session's `validation/marks.csv`.

A mark is a row, written when it is given and never changed: another word on the same tracklet, or taking the mark back,
is columns, whatever their order and however its lines end.

A mark belongs to the classification that it was given on (a digest of the movie's results). What it tells of a later
one is worked out in `antrax.review.validation.checks`.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from antrax.errors import ExperimentError, OptionError, OutputError
from antrax.io.atomic import fsync_folder, write_atomically
from antrax.io.locks import only_writer
from antrax.io.regular_files import open_regular
from antrax.review.validation.checks import Check, collect_checks, last_word, rescore
from antrax.review.validation.verdicts import (
    COLUMNS,
    CUT_OFF,
    Mark,
    Verdict,
    check_who,
    from_line,
    problem,
    read_header,
    to_line,
    verdicts_for,
    whole_line,
)

__all__ = [
    "Check",
    "Mark",
    "Marks",
    "Verdict",
    "check_who",
    "collect_checks",
    "last_word",
    "rescore",
    "verdicts_for",
]

# How much of what is known is compared before only the rest of the file is read.
_OVERLAP = 2048


class Marks:
    """All marks of a session; safe to use from several threads and several processes.

    Parameters
    ----------
    path : Path
        The CSV file; it and its folder are created with the first mark.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = _Known()
        self._version = 0
        # Reading never waits for somebody's slow disk to take a mark.
        self._reading, self._writing = threading.Lock(), threading.Lock()

    @property
    def version(self) -> int:
        """Grows whenever marks came or changed, also those of other processes that `refresh` found."""
        return self._version

    def refresh(self) -> None:
        """Take in what others wrote; next to nothing to do where nobody did.

        Raises
        ------
        ExperimentError
            The file cannot be read, or a line in it is damaged. What was known stays known.
        """
        try:
            with self._reading:
                self._read()
        except OSError as error:
            raise ExperimentError(f"{self.path} cannot be read: {error.strerror or error}") from None

    def all(self) -> tuple[Mark, ...]:
        """Every mark, in the order of the file, those taken back and the taking back included."""
        with self._reading:
            return tuple(self._known.marks)

    def __iter__(self) -> Iterator[Mark]:
        return iter(self.all())

    def history(self, tracklet: str) -> tuple[Mark, ...]:
        """Everything said of a tracklet, the latest last."""
        with self._reading:
            return tuple(self._known.by_tracklet.get(tracklet, ()))

    def current(self, tracklet: str, classification: str | None) -> Mark | None:
        """The last word on a tracklet in this classification; None where there is none or it was taken back."""
        for mark in reversed(self.history(tracklet)):
            if mark.classification == classification:
                return mark if mark.verdict else None
        return None

    def add(self, mark: Mark) -> None:
        """Append a mark; when this returns, it is on disk.

        Raises
        ------
        OptionError
            The mark contradicts itself, or the person's name cannot be kept.
        ExperimentError
            The file is damaged; nothing is written then.
        OutputError
            It cannot be written, or another process has been writing for ten seconds.
        """
        mark = replace(mark, who=check_who(mark.who))
        if fault := problem(mark):
            raise OptionError(f"{mark.tracklet} cannot be marked: {fault}")
        try:
            with self._writing:
                # Not with its parents: where the session's folder is gone, a drive is, and what was written in its
                # place would not be found again.
                self.path.parent.mkdir(exist_ok=True)
                with only_writer(self.path.with_suffix(".lock")):
                    self.refresh()
                    if not self._known.columns:
                        write_atomically(self.path, ",".join(COLUMNS) + "\n")
                        # a new file is only safe when its name is
                        fsync_folder(self.path.parent)
                        fsync_folder(self.path.parent.parent)
                        self.refresh()
                    _append(self.path, mark, self._known.columns)
                    self.refresh()
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be written, the mark is not kept: {error.strerror or error}"
            ) from error

    def _read(self) -> None:
        """Read what is new, or everything where what is known has changed."""
        known = self._known
        try:
            file = open_regular(self.path)
        except FileNotFoundError:
            # a session without marks; but where there is no session any more, nothing is known to be gone
            if not self.path.parent.parent.is_dir():
                raise
            if known.stamp:
                self._known, self._version = _Known(), self._version + 1
            return
        with file:
            status = os.fstat(file.fileno())
            stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if stamp == known.stamp:
                return
            if known.stamp[:2] == stamp[:2] and stamp[2] > known.stamp[2]:
                # It has merely grown if it still is what it was just before the end; a mark among ten thousand is
                # then added as fast as the first one.
                file.seek(known.offset - len(known.last_bytes))
                content = file.read()
                if content.startswith(known.last_bytes):
                    known.take(content[len(known.last_bytes) :], self.path)
                    known.stamp = stamp
                    self._version += 1
                    return
                file.seek(0)
            fresh = _Known()
            fresh.take(file.read(), self.path)
            fresh.stamp = stamp
        self._known, self._version = fresh, self._version + 1


@dataclass
class _Known:
    """What has been read of the file: device, inode, size and time when it was read, and what its lines say."""

    stamp: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    marks: list[Mark] = field(default_factory=list)
    by_tracklet: dict[str, list[Mark]] = field(default_factory=lambda: defaultdict(list))
    # How many lines and bytes are done with, and the last of these bytes.
    lines: int = 0
    offset: int = 0
    last_bytes: bytes = b""
    # The mark of a last line that is not ended: it may yet grow, and is not done with.
    open_end: Mark | None = None

    def take(self, content: bytes, path: Path) -> None:
        """Take in what follows `offset`: all of it, or nothing where a line is damaged."""
        done, newline, rest = content.rpartition(b"\n")
        lines = done.split(b"\n") if newline else []
        columns, read = self.columns, []
        for number, line in enumerate(lines, self.lines + 1):
            if not columns:
                columns = read_header(line, path) if line.strip(b"\x00\xef\xbb\xbf \r") else ()
                continue
            try:
                mark = from_line(line, columns)
            except ValueError as fault:
                raise ExperimentError(f"{path}, line {number}: {fault}; correct or remove that line") from None
            if mark:
                read.append(mark)
        if not columns and rest.strip(b"\x00\xef\xbb\xbf \r"):
            read_header(rest, path)
        if self.open_end:
            self.marks.pop()
            self.by_tracklet[self.open_end.tracklet].pop()
        self.columns = columns
        self.open_end = whole_line(rest, columns)
        for mark in [*read, self.open_end] if self.open_end else read:
            self.marks.append(mark)
            self.by_tracklet[mark.tracklet].append(mark)
        self.lines += len(lines)
        self.offset += len(done) + len(newline)
        self.last_bytes = (self.last_bytes + done + newline)[-_OVERLAP:]


def _append(path: Path, mark: Mark, columns: Sequence[str]) -> None:
    # In append mode, so that even without locks nobody's line is written over; never creating: a file needs its header.
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_APPEND)

    with open(path, "rb+", buffering=0, opener=opener) as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - _OVERLAP))
        last_line = file.read().rpartition(b"\n")[2]
        # A power cut left the last line unfinished. Or it is whole, for a person's editor did not end it.
        start = "" if not last_line else "\n" if whole_line(last_line, columns) else f"{CUT_OFF}\n"
        content = (start + to_line(mark, columns)).encode()
        try:
            rest = content
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            # Half a line would do no harm, but a whole one must not count after it was said that it does not.
            with contextlib.suppress(OSError):
                if os.fstat(file.fileno()).st_size <= end + len(content):
                    file.truncate(end)
            raise
