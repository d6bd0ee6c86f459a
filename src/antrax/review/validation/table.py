"""Tables to which people's marks are added: CSV files whose rows are never changed.

A mark is a row, written when it is given and never changed: another word on the same thing, or taking the mark back,
is another row. People may open the file in a spreadsheet program and save it there: it is read with further
columns, whatever their order and however its lines end.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

from antrax.errors import ExperimentError, OptionError, OutputError
from antrax.io.atomic import fsync_folder, write_atomically
from antrax.io.locks import only_writer
from antrax.io.regular_files import open_regular, read_regular


@dataclass(frozen=True)
class SignedMark:
    """Base of marks.

    Parameters
    ----------
    time : str
        When, UTC, ISO 8601.
    who : str
        The person's name.
    """

    time: str
    who: str


M = TypeVar("M", bound=SignedMark)
T = TypeVar("T")

LONGEST_NAME = 40
# What a line that a power cut left unfinished is ended with. No cell may hold these characters.
CUT_OFF = "<cut off>"
# How much of what is known is compared before only the rest of the file is read.
_OVERLAP = 2048


def check_who(name: str) -> str:
    """A person's name as it is kept.

    Raises
    ------
    OptionError
        There is none, it is longer than 40 characters, or one of them cannot be printed.
    """
    name = " ".join(name.split())
    if not name:
        raise OptionError("a mark needs a name: tell who you are")
    if len(name) > LONGEST_NAME or not name.isprintable() or CUT_OFF in name:
        raise OptionError(f"a name has at most {LONGEST_NAME} characters, all of them printable")
    return name


def can_be_kept(text: str) -> bool:
    """Whether a text comes back from a cell as it is."""
    return text == text.strip() and text.isprintable() and CUT_OFF not in text


def guarded(text: str) -> str:
    """Text that a spreadsheet program does not take for a formula: it gets an apostrophe, as people would type it."""
    return "'" + text if re.match("'*[=+@-]", text) else text


def plain(cell: str) -> str:
    """The text of a cell that was `guarded`."""
    return cell[1:] if re.match("'+[=+@-]", cell) else cell


def cell(row: Mapping[str, str], column: str, read: Callable[[str], T]) -> T:
    """A cell as a value. Raises `ValueError`, which says what is wrong.

    Parameters
    ----------
    row : mapping of str to str
        Cells by column.
    column : str
        The one wanted.
    read : callable
        Makes a value of its text.
    """
    try:
        return read(row[column])
    except (ValueError, KeyError):
        raise ValueError(f"{row[column]!r} is no {column}") from None


@dataclass(frozen=True)
class Form(Generic[M]):
    """Format of a kind of marks as lines of a table.

    Parameters
    ----------
    columns : tuple of str
        The last one has no two values of which one is the start of the other: a line that a power cut cut off is known
        by it.
    to_cells : callable
        The cells of a mark by column.
    from_cells : callable
        The mark; raises `ValueError`.
    problem : callable
        What is wrong with a mark in itself, None for nothing.
    subject : callable
        What a mark is about.
    named : callable
        The same, as messages call it.
    """

    columns: tuple[str, ...]
    to_cells: Callable[[M], Mapping[str, str]]
    from_cells: Callable[[Mapping[str, str]], M]
    problem: Callable[[M], str | None]
    subject: Callable[[M], object]
    named: Callable[[M], str]

    def to_line(self, mark: M, columns: Sequence[str]) -> str:
        """A mark as a line that ends; columns of a person's own stay empty."""
        cells = self.to_cells(mark)
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow([cells.get(column, "") for column in columns])
        return line.getvalue()

    def changed_line(self, line: bytes, mark: M, columns: Sequence[str]) -> str:
        """The line of a mark that takes the place of another one, without its end; other columns keep their cells."""
        there = next(csv.reader([line.decode().rstrip("\r")], strict=True))
        cells = self.to_cells(mark)
        text = io.StringIO()
        kept = dict(zip(columns, there, strict=False))
        csv.writer(text, lineterminator="").writerow([cells.get(name, kept.get(name, "")) for name in columns])
        return text.getvalue() + ("\r" if line.endswith(b"\r") else "")

    def read_header(self, line: bytes, path: Path) -> tuple[str, ...]:
        """The names of the columns.

        Raises
        ------
        ExperimentError
            Not all of them are there, or they are not separated by commas.
        """
        advice = 'save it as "CSV UTF-8", comma separated, with the columns ' + ", ".join(self.columns)
        try:
            text = line.decode("utf-8-sig")
            columns = tuple(cell.strip() for cell in next(csv.reader([text.rstrip("\r")], strict=True)))
        except (UnicodeDecodeError, csv.Error):
            raise ExperimentError(f"{path}, line 1 is no line of a table; {advice}") from None
        if missing := [column for column in self.columns if columns.count(column) != 1]:
            for mark, name in ((";", "semicolons"), ("\t", "tabs")):
                if len(columns) == 1 and mark in text:
                    raise ExperimentError(f"{path}, line 1: the columns are separated by {name}; {advice}")
            raise ExperimentError(f"{path}, line 1: column {', '.join(missing)} is missing or there twice; {advice}")
        return columns

    def from_line(self, line: bytes, columns: Sequence[str]) -> M | None:
        """The mark in a line; None for an empty line and one that a power cut left unfinished.

        Raises
        ------
        ValueError
            It is none, and what is wrong.
        """
        if CUT_OFF.encode() in line:
            return None
        try:
            cells = next(csv.reader([line.decode("utf-8").rstrip("\r")], strict=True), [])
        except UnicodeDecodeError:
            raise ValueError('it is no UTF-8 text (in Excel, save as "CSV UTF-8")') from None
        except csv.Error as error:
            raise ValueError(str(error)) from None
        if not any(cells):
            return None
        if any(cells[len(columns) :]):
            raise ValueError(f"it has {len(cells)} cells, the table {len(columns)} columns")
        row = dict.fromkeys(columns, "") | {
            column: cell.strip() for column, cell in zip(columns, cells, strict=False) if column in self.columns
        }
        mark = self.from_cells(row)
        if fault := self.problem(mark):
            raise ValueError(fault)
        return mark

    def whole_line(self, line: bytes, columns: Sequence[str]) -> M | None:
        """The mark in a line that is not ended, if the line is whole."""
        try:
            return self.from_line(line, columns) if line and columns else None
        except ValueError:
            return None


class MarkTable(Generic[M]):
    """All marks in a file; safe to use from several threads and several processes.

    Parameters
    ----------
    path : Path
        The CSV file; it and its folder are created with the first mark.
    form : Form
        How a mark is written.
    """

    def __init__(self, path: Path, form: Form[M]) -> None:
        self.path = path
        self._form = form
        self._known = _Known(form)
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

    def try_refresh(self) -> str | None:
        """Refresh; why the file cannot be read, a sentence, and None where it can. What was known stays known."""
        try:
            self.refresh()
        except ExperimentError as error:
            return str(error)
        return None

    def all(self) -> tuple[M, ...]:
        """Every mark, in the order of the file, those taken back and the taking back included."""
        with self._reading:
            return tuple(self._known.marks)

    def __iter__(self) -> Iterator[M]:
        return iter(self.all())

    def about(self, subject: object) -> tuple[M, ...]:
        """Every mark about something, the latest last."""
        with self._reading:
            return tuple(self._known.by_subject.get(subject, ()))

    def add(self, mark: M) -> None:
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
        if fault := self._form.problem(mark):
            raise OptionError(f"{self._form.named(mark)} cannot be marked: {fault}")
        try:
            with self._writing:
                # Not with its parents: where the session's folder is gone, a drive is, and what was written in its
                # place would not be found again.
                self.path.parent.mkdir(exist_ok=True)
                with only_writer(self.path.with_suffix(".lock")):
                    self.refresh()
                    if not self._known.columns:
                        write_atomically(self.path, ",".join(self._form.columns) + "\n")
                        # a new file is only safe when its name is
                        fsync_folder(self.path.parent)
                        fsync_folder(self.path.parent.parent)
                        self.refresh()
                    _append(self.path, mark, self._known.columns, self._form)
                    self.refresh()
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be written, the mark is not kept: {error.strerror or error}"
            ) from error

    def rewrite(self, change: Callable[[M], M]) -> None:
        """Write some marks anew, such as where a label got another name; all other lines stay as they are.

        Parameters
        ----------
        change : callable
            Of a mark, what it is to be; the same where it stays.

        Raises
        ------
        ExperimentError
            The file is damaged; nothing is written then.
        OutputError
            It cannot be written, or another process has been writing for ten seconds.
        """
        if not self.path.exists():
            return
        with self._writing, only_writer(self.path.with_suffix(".lock")):
            self.refresh()
            lines = read_regular(self.path).split(b"\n")
            changed = False
            columns: tuple[str, ...] = ()
            for number, line in enumerate(lines):
                if not columns:
                    columns = self._form.read_header(line, self.path) if line.strip(b"\x00\xef\xbb\xbf \r") else ()
                    continue
                is_last = number == len(lines) - 1
                mark = self._form.whole_line(line, columns) if is_last else self._form.from_line(line, columns)
                if mark is None or (new := change(mark)) == mark:
                    continue
                lines[number] = self._form.changed_line(line, new, columns).encode()
                changed = True
            if changed:
                write_atomically(self.path, b"\n".join(lines))
                self.refresh()

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
                self._known, self._version = _Known(self._form), self._version + 1
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
            fresh = _Known(self._form)
            fresh.take(file.read(), self.path)
            fresh.stamp = stamp
        self._known, self._version = fresh, self._version + 1


@dataclass
class _Known(Generic[M]):
    """What has been read of the file: device, inode, size and time when it was read, and what its lines say."""

    form: Form[M]
    stamp: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    marks: list[M] = field(default_factory=list)
    by_subject: dict[object, list[M]] = field(default_factory=lambda: defaultdict(list))
    # How many lines and bytes are done with, and the last of these bytes.
    lines: int = 0
    offset: int = 0
    last_bytes: bytes = b""
    # The mark of a last line that is not ended: it may yet grow, and is not done with.
    open_end: M | None = None

    def take(self, content: bytes, path: Path) -> None:
        """Take in what follows `offset`: all of it, or nothing where a line is damaged."""
        done, newline, rest = content.rpartition(b"\n")
        lines = done.split(b"\n") if newline else []
        columns = self.columns
        read: list[M] = []
        for number, line in enumerate(lines, self.lines + 1):
            if not columns:
                columns = self.form.read_header(line, path) if line.strip(b"\x00\xef\xbb\xbf \r") else ()
                continue
            try:
                mark = self.form.from_line(line, columns)
            except ValueError as fault:
                raise ExperimentError(f"{path}, line {number}: {fault}; correct or remove that line") from None
            if mark:
                read.append(mark)
        if not columns and rest.strip(b"\x00\xef\xbb\xbf \r"):
            self.form.read_header(rest, path)
        if self.open_end:
            self.marks.pop()
            self.by_subject[self.form.subject(self.open_end)].pop()
        self.columns = columns
        self.open_end = self.form.whole_line(rest, columns)
        for mark in [*read, self.open_end] if self.open_end else read:
            self.marks.append(mark)
            self.by_subject[self.form.subject(mark)].append(mark)
        self.lines += len(lines)
        self.offset += len(done) + len(newline)
        self.last_bytes = (self.last_bytes + done + newline)[-_OVERLAP:]


def _append(path: Path, mark: M, columns: Sequence[str], form: Form[M]) -> None:
    # In append mode, so that even without locks nobody's line is written over; never creating: a file needs its header.
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_APPEND)

    with open(path, "rb+", buffering=0, opener=opener) as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - _OVERLAP))
        last_line = file.read().rpartition(b"\n")[2]
        # A power cut left the last line unfinished. Or it is whole, for a person's editor did not end it.
        start = "" if not last_line else "\n" if form.whole_line(last_line, columns) else f"{CUT_OFF}\n"
        content = (start + form.to_line(mark, columns)).encode()
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
