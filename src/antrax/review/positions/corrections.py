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

import contextlib
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
from antrax.labels import clean_label

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


def rename_label(session: Session, label: str, new: str) -> int:
    """Give a label another name in all manual corrections: manual labels, rules, and times of joining and leaving.

    Parameters
    ----------
    session : Session
    label, new : str
        Old and new name; of labels that are no IDs too, which people may give to tracklets.

    Returns
    -------
    int
        Number of lines that were changed.

    Raises
    ------
    OutputError
        A file cannot be read or written.
    """
    layout = session.layout
    lock = layout.marks_lock.with_name("corrections.lock")
    changed = 0
    with only_writer(lock) if lock.parent.is_dir() else contextlib.nullcontext():
        for path, renamed_in in (
            (layout.manual_ids_file, _renamed_in_table),
            (layout.manual_propagation_file, _renamed_in_rules),
            (layout.id_changes_file, _renamed_in_rules),
        ):
            lines = _text(path).split("\n")
            renamed = renamed_in(lines, label, new)
            if renamed != lines:
                write_atomically(path, "\n".join(renamed))
                changed += sum(one != other for one, other in zip(lines, renamed, strict=True))
    return changed


def _renamed_in_table(lines: list[str], label: str, new: str) -> list[str]:
    """Lines of `manualids.csv` with another name of a label."""
    columns = _cells(lines[0])
    if "label" not in columns:
        return lines
    place = columns.index("label")
    renamed = lines[:1]
    for line in lines[1:]:
        cells = _cells(line)
        if place < len(cells) and clean_label(cells[place]) == label:
            text = io.StringIO()
            csv.writer(text, lineterminator="").writerow([*cells[:place], new, *cells[place + 1 :]])
            line = text.getvalue()
        renamed.append(line)
    return renamed


def _renamed_in_rules(lines: list[str], label: str, new: str) -> list[str]:
    """Lines of `prop.cfg` or `ids.cfg` with another name of a label; remarks in them stay."""
    renamed = []
    for line in lines:
        parts = re.split(r"([\s,]+)", line)  # words, and between them what parts them
        words = [place for place, part in enumerate(parts) if place % 2 == 0 and part]
        command = parts[words[0]] if words else ""
        # before the ID stand a tracklet, or a colony that may be left out: times follow, and no label is a time there
        for place in words[1:3] if command == "remove" else words[2:3] if command in ("assign", "eliminate") else ():
            if parts[place] == label:
                parts[place] = new
                break
        renamed.append("".join(parts))
    return renamed


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
    return [line for line in _text(path).split("\n") if line]


def _text(path: Path) -> str:
    """The content of a file; empty where there is none."""
    try:
        return read_text(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror or error}") from None


def _write(path: Path, lines: Sequence[str]) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: {path.parent} is not there")
    write_atomically(path, "".join(f"{line}\n" for line in lines))
