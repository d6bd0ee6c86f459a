"""Corrections of positions, stored as lines in the files that anTraX has for manual corrections.

======================  =============================================================================
what a person says      where it is written
======================  =============================================================================
this is X               a row in `labels/manualids.csv` where the tracklet is of a single animal;
                        else a line ``assign TRACKLET X`` in `parameters/prop.cfg`
this is not X           a line ``eliminate TRACKLET X`` in `parameters/prop.cfg`
======================  =============================================================================

What was said of the same tracklet before and contradicts it is taken out; everything else in the files stays. What was
written can be taken back line by line, whatever else was written since.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from antrax.errors import OutputError
from antrax.io.atomic import write_atomically
from antrax.io.locks import only_writer
from antrax.io.names import parse_tracklet_name
from antrax.io.session import Session
from antrax.io.text import read_text

_HEADER = ("tracklet", "label", "flip", "framenum", "m", "len", "colony")


@dataclass(frozen=True)
class Edit:
    """A change of one file.

    Parameters
    ----------
    path : Path
    removed, added : tuple of str
        Lines, without their ends.
    """

    path: Path
    removed: tuple[str, ...]
    added: tuple[str, ...]


def correct(session: Session, tracklet: str, animal: str, *, is_it: bool, single: bool, colony: str = "") -> list[Edit]:
    """Record that a tracklet is, or is not, of an animal.

    Parameters
    ----------
    session : Session
    tracklet : str
    animal : str
        An ID of the session.
    is_it : bool
        False: it is not that animal.
    single : bool
        Whether the tracklet is of a single animal.
    colony : str
        Of the animal.

    Returns
    -------
    list of Edit
        What was changed, for `take_back`; empty where it was written there already.

    Raises
    ------
    OutputError
        A file cannot be read or written.
    """
    layout = session.layout
    manual, rules = layout.manual_ids_file, layout.manual_propagation_file

    def is_rule(command: str, line: str) -> bool:
        words = re.split(r"[\s,]+", line.split("#")[0].split("%")[0].strip())
        return words[:3] == [command, tracklet, animal]

    opposite = "eliminate" if is_it else "assign"
    edits = []
    with only_writer(layout.marks_lock.with_name("corrections.lock")):
        if is_it and single:
            edits.append(_edit(manual, lambda line: _named(line) == tracklet, _row(manual, tracklet, animal, colony)))
            edits.append(_edit(rules, lambda line: is_rule(opposite, line), None))
        else:
            word = "assign" if is_it else "eliminate"
            edits.append(_edit(rules, lambda line: is_rule(opposite, line), f"{word} {tracklet} {animal}"))
            if not is_it:
                edits.append(_edit(manual, lambda line: _cells(line)[:2] == [tracklet, animal], None))
    return [edit for edit in edits if edit.removed or edit.added]


def take_back(session: Session, edits: Sequence[Edit]) -> None:
    """Undo changes: remove added lines, and restore removed ones. Raises `OutputError`."""
    with only_writer(session.layout.marks_lock.with_name("corrections.lock")):
        for edit in reversed(edits):
            lines = _lines(edit.path)
            for line in edit.added:
                if line in lines:
                    lines.remove(line)
            _write(edit.path, [*lines, *edit.removed])


def _edit(path: Path, is_out: Callable[[str], bool], line: str | None) -> Edit:
    """Take lines out of a file and add one, unless that stands there already."""
    lines = _lines(path)
    if line is not None and line in lines:
        return Edit(path, (), ())
    removed = tuple(old for old in lines if is_out(old))
    header = [",".join(_HEADER)] if line is not None and not lines and path.suffix == ".csv" else []
    added = (line,) if line is not None else ()
    if removed or added:
        _write(path, [*header, *(old for old in lines if old not in removed), *added])
    return Edit(path, removed, added)


def _row(path: Path, tracklet: str, animal: str, colony: str) -> str:
    """A row of `manualids.csv` in the order of its columns."""
    lines = _lines(path)
    columns = [column.strip() for column in _cells(lines[0])] if lines else list(_HEADER)
    name = parse_tracklet_name(tracklet)
    known = {"tracklet": tracklet, "label": animal, "flip": "0", "framenum": "0", "colony": colony}
    if name is not None:
        known |= {"m": str(name.movie), "len": str(name.span)}
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([known.get(column, "") for column in columns])
    return text.getvalue()


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line]), [])]


def _named(line: str) -> str:
    return next(iter(_cells(line)), "")


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in read_text(path).split("\n") if line]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror or error}") from None


def _write(path: Path, lines: Sequence[str]) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: {path.parent} is not there")
    write_atomically(path, "".join(f"{line}\n" for line in lines))
