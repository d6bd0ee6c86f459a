"""Marks of a validation of positions, stored in the session's `validation/position_marks.csv`.

A mark is about a cell, an animal and a frame, and belongs to the solution that it was given on. Pure but for the file.

Rates count the marks on cells that were drawn at random. A mark that was given on the run of `antrax solve` that the
positions come of counts as it was given, also where the cell was corrected since: what was found wrong stays an error
of that run. Of earlier runs a mark counts where it tells something of the cell as it is placed now: in the same
tracklet its verdict holds, and an animal that was rightly elsewhere at that moment is wrong here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from antrax.io.names import parse_tracklet_name
from antrax.io.positions import KIND_NAMES
from antrax.labels import clean_label
from antrax.review.positions.solved import Cell, Placement
from antrax.review.validation.rates import Interval, clopper_pearson
from antrax.review.validation.table import Form, MarkTable, SignedMark, can_be_kept, cell, guarded, plain

COLUMNS = (
    "time",
    "who",
    "movie",
    "frame",
    "colony",
    "id",
    "tracklet",
    "kind",
    "confidence",
    "verdict",
    "true_id",
    "seed",
    "number",
    "solution",
    "run",
    # last, for neither of its values is the start of the other: a line cut off by a power cut is known as such
    "met",
)
_TAKEN_BACK = "taken_back"
_MET = ("random", "chosen")


class PositionVerdict(StrEnum):
    """Verdict on a placement."""

    CORRECT = "correct"
    WRONG = "wrong"
    CANNOT_SAY = "cannot_say"


@dataclass(frozen=True)
class PositionMark(SignedMark):
    """A mark on a cell, by one person.

    Parameters
    ----------
    time : str
        When, UTC, ISO 8601.
    who : str
        The person's name.
    cell : Cell
    tracklet : str
        Where the animal was placed; empty where the solution does not tell.
    kind : str
        What the placement rested on, as in tables of positions.
    confidence : float or None
    verdict : PositionVerdict or None
        None takes back what was said before.
    true_id : str
        Who it is, where the person told; else empty.
    seed, number : int
        Of the draw; -1 for a cell that was chosen.
    solution : str
        Digest of the files of positions that the person looked at.
    run : str
        Digest of the solution as `antrax solve` made it, before corrections.
    met : {"random", "chosen"}
        Whether the cell was sampled at random.
    """

    cell: Cell
    tracklet: str
    kind: str
    confidence: float | None
    verdict: PositionVerdict | None
    true_id: str
    seed: int
    number: int
    solution: str
    run: str
    met: str


def _problem(mark: PositionMark) -> str | None:
    name = parse_tracklet_name(mark.tracklet) if mark.tracklet else None
    if mark.tracklet and name is None:
        return f"{mark.tracklet!r} is no name of a tracklet"
    if name and name.movie != mark.cell.movie:
        return f"the tracklet is of movie {name.movie}, not {mark.cell.movie}"
    if mark.kind not in KIND_NAMES.values():
        return f"{mark.kind!r} is no kind of placement"
    if mark.confidence is not None and not 0 <= mark.confidence <= 1:
        return f"{mark.confidence} is no confidence"
    if mark.met not in _MET:
        return f"{mark.met!r} is neither of {' and '.join(_MET)}"
    if not mark.cell.id or not mark.solution or not mark.run or not mark.time or mark.cell.frame < 1:
        return "id, frame, solution, run and time must be told"
    for text in (mark.time, mark.who, mark.cell.id, mark.cell.colony, mark.true_id, mark.solution, mark.run):
        if not can_be_kept(text):
            return f"{text!r} has characters that cannot be kept"
    return None


def _to_cells(mark: PositionMark) -> dict[str, str]:
    return {
        "time": mark.time,
        "who": guarded(mark.who),
        "movie": str(mark.cell.movie),
        "frame": str(mark.cell.frame),
        "colony": guarded(mark.cell.colony),
        "id": guarded(mark.cell.id),
        "tracklet": mark.tracklet,
        "kind": mark.kind,
        "confidence": "" if mark.confidence is None else f"{mark.confidence:.4f}",
        "verdict": mark.verdict.value if mark.verdict else _TAKEN_BACK,
        "true_id": guarded(mark.true_id),
        "seed": str(mark.seed) if mark.met == "random" else "",
        "number": str(mark.number) if mark.met == "random" else "",
        # a bare digest such as 12345678e9012345 would be saved as a rounded number
        "solution": f"s-{mark.solution}",
        "run": f"s-{mark.run}",
        "met": mark.met,
    }


def _from_cells(row: Mapping[str, str]) -> PositionMark:
    return PositionMark(
        time=row["time"],
        who=plain(row["who"]),
        cell=Cell(
            cell(row, "movie", int), cell(row, "frame", int), clean_label(plain(row["id"])), plain(row["colony"])
        ),
        tracklet=row["tracklet"],
        kind=row["kind"],
        confidence=cell(row, "confidence", float) if row["confidence"] else None,
        verdict=None if row["verdict"] == _TAKEN_BACK else cell(row, "verdict", PositionVerdict),
        true_id=clean_label(plain(row["true_id"])),
        seed=cell(row, "seed", int) if row["seed"] else -1,
        number=cell(row, "number", int) if row["number"] else -1,
        solution=row["solution"].removeprefix("s-"),
        run=row["run"].removeprefix("s-"),
        met=row["met"],
    )


def _named(mark: PositionMark) -> str:
    return f"{mark.cell.id} at frame {mark.cell.frame}"


FORM: Form[PositionMark] = Form(COLUMNS, _to_cells, _from_cells, _problem, lambda mark: mark.cell, _named)


class PositionMarks(MarkTable[PositionMark]):
    """All marks on positions of a session; safe to use from several threads and several processes.

    Parameters
    ----------
    path : Path
        The CSV file; it and its folder are created with the first mark.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, FORM)

    def current(self, cell: Cell, run: str) -> PositionMark | None:
        """The present mark on a cell in this run; None if there is none or it was removed."""
        for mark in reversed(self.about(cell)):
            if mark.run == run:
                return mark if mark.verdict else None
        return None


@dataclass(frozen=True)
class PositionRate:
    """Share of placed cells that are wrong, by the marks on cells drawn at random.

    Parameters
    ----------
    errors, checked : int
        Cells of which a person could say.
    cannot_say : int
        Cells of which nobody could.
    interval : Interval
        95 % limits (Clopper–Pearson).
    rescored : int
        Of the checked ones: marks of an earlier run.
    moved : int
        Of the wrong ones: the animal is not placed there any more.
    chosen : int
        Marks on cells that were not drawn at random; they are not counted.
    """

    errors: int
    checked: int
    cannot_say: int
    interval: Interval
    rescored: int
    moved: int
    chosen: int


def position_rate(
    marks: Iterable[PositionMark], run: str, placement_of: Callable[[Cell], Placement | None]
) -> PositionRate:
    """Error rate of a solution.

    Parameters
    ----------
    marks : iterable of PositionMark
        In the order in which they were given.
    run : str
        The run that the positions come of.
    placement_of : callable
        Where a cell's animal is placed now; None where it is not.
    """
    last: dict[Cell, PositionMark] = {}
    for mark in marks:
        standing = last.get(mark.cell)
        if mark.verdict is None and (standing is None or standing.run == mark.run):
            last.pop(mark.cell, None)
        elif mark.verdict is not None:
            last.pop(mark.cell, None)
            last[mark.cell] = mark
    errors = checked = cannot_say = rescored = moved = chosen = 0
    for mark in last.values():
        if mark.met != "random":
            chosen += 1
            continue
        is_old = mark.run != run
        verdict = rescore(mark, placement_of(mark.cell)) if is_old else mark.verdict
        if verdict is None:
            continue
        if verdict is PositionVerdict.CANNOT_SAY:
            cannot_say += 1
            continue
        checked += 1
        rescored += is_old
        if verdict is PositionVerdict.WRONG:
            errors += 1
            now = placement_of(mark.cell)
            moved += not is_old and (now is None or now.tracklet != mark.tracklet)
    return PositionRate(errors, checked, cannot_say, clopper_pearson(errors, checked), rescored, moved, chosen)


def rescore(mark: PositionMark, now: Placement | None) -> PositionVerdict | None:
    """Verdict that a mark of an earlier run implies for the present placement; None if unknown."""
    if now is None or not mark.tracklet or not now.tracklet:
        return None
    if now.tracklet == mark.tracklet:
        return mark.verdict
    return PositionVerdict.WRONG if mark.verdict is PositionVerdict.CORRECT else None
