"""A person's word on the label of a tracklet, and its form as a line of a table."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from antrax.errors import ExperimentError, OptionError
from antrax.io.names import parse_tracklet_name
from antrax.labels import Category, clean_label

COLUMNS = (
    "time",
    "who",
    "movie",
    "tracklet",
    "label",
    "category",
    "confidence",
    "images",
    "verdict",
    "true_label",
    "met",
    "classification",
    # last, for neither of its values is the start of another: a line cut off by a power cut is known as such
    "seen",
)
LONGEST_NAME = 40
# What a line that a power cut left unfinished is ended with. No label may hold these characters.
CUT_OFF = "<cut off>"
_TAKEN_BACK = "taken_back"
_T = TypeVar("_T")


class Verdict(StrEnum):
    """What a person says of a label."""

    CORRECT = "correct"
    WRONG = "wrong"
    """It should have another ID."""
    NO_ID = "should_not_have_id"
    """No ant, several, or one that cannot be recognised."""
    ANT = "is_ant"
    """A single ant, recognisable or not."""
    NOT_ANT = "not_ant"
    RIGHTLY_UNKNOWN = "rightly_unknown"
    IDENTIFIABLE = "identifiable"


_VERDICTS = {
    Category.ANT: (Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ID),
    Category.NONANT: (Verdict.NOT_ANT, Verdict.ANT),
    Category.MULTI: (Verdict.NOT_ANT, Verdict.ANT),
    Category.UNKNOWN: (Verdict.RIGHTLY_UNKNOWN, Verdict.IDENTIFIABLE),
}


def verdicts_for(category: Category) -> tuple[Verdict, ...]:
    """What can be said of a label of this kind, that it is right first.

    Of a multi-ant label: that it is not a single ant, or that it is one.
    """
    return _VERDICTS[category]


@dataclass(frozen=True)
class Mark:
    """One word of a person on one tracklet.

    Parameters
    ----------
    time : str
        When, UTC, like ``2026-11-05T12:34:56Z``.
    who : str
        The person's name.
    classification : str
        Digest of the movie's results that the person looked at.
    movie : int
    tracklet : str
    label : str
        The label that the person looked at.
    category : Category
        Its kind.
    confidence : float or None
    images : int
        Number of images of the tracklet.
    verdict : Verdict or None
        None takes back what was said before.
    true_label : str
        What it is, where the person told; else empty.
    met : str
        How the tracklet was come upon: ``random`` where chance alone chose it; else the order, or whatever it was.
    seen : bool
        Whether images of it were in the training set before this classification.
    """

    time: str
    who: str
    classification: str
    movie: int
    tracklet: str
    label: str
    category: Category
    confidence: float | None
    images: int
    verdict: Verdict | None
    true_label: str = ""
    met: str = ""
    seen: bool = False


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


def problem(mark: Mark) -> str | None:
    """What is wrong with a mark in itself."""
    name = parse_tracklet_name(mark.tracklet)
    if name is None:
        return f"{mark.tracklet!r} is no name of a tracklet"
    if name.movie != mark.movie:
        return f"the tracklet is of movie {name.movie}, not {mark.movie}"
    if mark.verdict is not None and mark.verdict not in verdicts_for(mark.category):
        return f"{mark.verdict} cannot be said of a label of category {mark.category}"
    if mark.images < 0:
        return f"it cannot have {mark.images} images"
    if mark.confidence is not None and not 0 <= mark.confidence <= 1:
        return f"{mark.confidence} is no confidence"
    if not mark.label or not mark.classification or not mark.time:
        return "label, classification and time must be told"
    for text in (mark.time, mark.who, mark.label, mark.true_label, mark.met, mark.classification):
        if text != text.strip() or not text.isprintable() or CUT_OFF in text:
            return f"{text!r} has characters that cannot be kept"
    return None


def _guarded(text: str) -> str:
    """Text that a spreadsheet program does not take for a formula: it gets an apostrophe, as people would type it."""
    return "'" + text if re.match("'*[=+@-]", text) else text


def _plain(cell: str) -> str:
    return cell[1:] if re.match("'+[=+@-]", cell) else cell


def to_line(mark: Mark, columns: Sequence[str]) -> str:
    """A mark as a line that ends; columns of a person's own stay empty."""
    cells = {
        "time": mark.time,
        "who": _guarded(mark.who),
        "movie": str(mark.movie),
        "tracklet": mark.tracklet,
        "label": _guarded(mark.label),
        "category": mark.category.value,
        "confidence": "" if mark.confidence is None else f"{mark.confidence:.4f}",
        "images": str(mark.images),
        "verdict": mark.verdict.value if mark.verdict else _TAKEN_BACK,
        "true_label": _guarded(mark.true_label),
        "met": _guarded(mark.met),
        # a bare digest such as 12345678e9012345 would be saved as a rounded number
        "classification": f"c-{mark.classification}",
        "seen": "yes" if mark.seen else "no",
    }
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([cells.get(column, "") for column in columns])
    return line.getvalue()


def read_header(line: bytes, path: Path) -> tuple[str, ...]:
    """The names of the columns.

    Raises
    ------
    ExperimentError
        Not all of them are there, or they are not separated by commas.
    """
    advice = 'save it as "CSV UTF-8", comma separated, with the columns ' + ", ".join(COLUMNS)
    try:
        text = line.decode("utf-8-sig")
        columns = tuple(cell.strip() for cell in next(csv.reader([text.rstrip("\r")], strict=True)))
    except (UnicodeDecodeError, csv.Error):
        raise ExperimentError(f"{path}, line 1 is no line of a table; {advice}") from None
    if missing := [column for column in COLUMNS if columns.count(column) != 1]:
        for mark, name in ((";", "semicolons"), ("\t", "tabs")):
            if len(columns) == 1 and mark in text:
                raise ExperimentError(f"{path}, line 1: the columns are separated by {name}; {advice}")
        raise ExperimentError(f"{path}, line 1: column {', '.join(missing)} is missing or there twice; {advice}")
    return columns


def from_line(line: bytes, columns: Sequence[str]) -> Mark | None:
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
        column: cell.strip() for column, cell in zip(columns, cells, strict=False) if column in COLUMNS
    }
    mark = Mark(
        time=row["time"],
        who=_plain(row["who"]),
        classification=row["classification"].removeprefix("c-"),
        movie=_cell(row, "movie", int),
        tracklet=row["tracklet"],
        label=clean_label(_plain(row["label"])),
        category=_cell(row, "category", Category),
        confidence=_cell(row, "confidence", float) if row["confidence"] else None,
        images=_cell(row, "images", int),
        verdict=None if row["verdict"] == _TAKEN_BACK else _cell(row, "verdict", Verdict),
        true_label=clean_label(_plain(row["true_label"])),
        met=_plain(row["met"]),
        seen=_cell(row, "seen", {"yes": True, "no": False}.__getitem__),
    )
    if fault := problem(mark):
        raise ValueError(fault)
    return mark


def _cell(row: Mapping[str, str], column: str, read: Callable[[str], _T]) -> _T:
    try:
        return read(row[column])
    except (ValueError, KeyError):
        raise ValueError(f"{row[column]!r} is no {column}") from None


def whole_line(line: bytes, columns: Sequence[str]) -> Mark | None:
    """The mark in a line that is not ended, if the line is whole."""
    try:
        return from_line(line, columns) if line and columns else None
    except ValueError:
        return None
