"""Validation of positions: cells, marks on them, corrections."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from antrax.app.schemas.base import Answer, NoRequest, Request, Route, Text, Versions, Whole
from antrax.review.positions.marks import PositionVerdict


class Disagreement(Answer):
    """A tracklet whose label contradicts the solution. `probability`: that the label is right."""

    tracklet: str
    movie: int
    label: str
    placed: str
    colony: str
    frame: int | None
    probability: float | None


class PositionRateTold(Answer):
    """Share of placed cells that are wrong, with its 95 % limits."""

    errors: int
    checked: int
    cannot_say: int
    rate: float | None
    low: float
    high: float
    rescored: int
    moved: int
    chosen: int


class PositionsInfo(Answer):
    """The solution as a whole. `why`: why there is nothing to validate; `film`: why no film is shown."""

    why: str | None
    film: str | None
    ids: list[str]
    method: str
    cells: int
    placed: int
    expected_error: float | None
    solution: str
    width: int | None
    height: int | None
    common: str
    disagreements: list[Disagreement]
    rate: PositionRateTold
    can_undo: bool
    problem: str | None


class ShotTold(Answer):
    """Images of a tracklet around a moment."""

    tracklet: str
    relation: Literal["here", "before", "after", "parent", "child"]
    placed: list[str]
    first: int
    last: int
    images: list[int]
    frames: list[int]


class PositionMarkTold(Answer):
    """A mark on a cell; `verdict` is null where one was taken back."""

    verdict: PositionVerdict | None
    tracklet: str
    true_id: str
    who: str
    time: str
    current: bool


class PositionCell(Answer):
    """An animal and a frame. What follows `colony` is null or empty where the animal is not placed there."""

    movie: int
    movie_name: str
    frame: int
    movie_frame: int
    seconds: float | None
    id: str
    colony: str
    tracklet: str
    x: float | None
    y: float | None
    kind: str | None
    confidence: float | None
    alternatives: list[str]
    label: str | None
    others: list[str]
    path: list[list[float]]
    shots: list[ShotTold]
    film: str | None
    mark: PositionMarkTold | None
    history: list[PositionMarkTold]
    seed: int | None
    number: int | None
    solution: str


class Neighbours(Answer):
    """Tracklets that lead into one, and out of it. `problem`: why they are not known."""

    single: bool | None
    shots: list[ShotTold]
    parents: list[str]
    children: list[str]
    problem: str | None


class PositionMarked(Answer):
    """Result of marking a cell."""

    message: str
    rate: PositionRateTold
    mark: PositionMarkTold | None
    history: list[PositionMarkTold]
    versions: Versions


class TrackletChange(Answer):
    """A tracklet in which other animals are placed now. Frames are absolute."""

    tracklet: str
    movie: int
    first: int
    last: int
    before: list[str]
    after: list[str]


class Corrected(Answer):
    """Result of a correction, or of undoing one."""

    message: str
    changes: list[TrackletChange]
    cells: int
    cut: bool
    tracklets: int
    seconds: float
    can_undo: bool
    versions: Versions


class CellRequest(Request):
    """The cell `number` of a random order; or the animal `id` at a frame; or in a tracklet, at its middle."""

    seed: Whole | None = None
    number: Whole | None = None
    movie: Whole | None = None
    frame: Whole | None = None
    id: Text = ""
    colony: Text = ""
    tracklet: Text = ""


class NeighboursRequest(Request):
    """A tracklet."""

    movie: Whole
    tracklet: Text


class ImagesRequest(Request):
    """Some images of a tracklet: their numbers from 0, separated by commas."""

    tracklet: Text
    images: Text


class FilmRequest(Request):
    """A frame of a movie around a place, `side` pixels wide and high; all of it where `side` is 0."""

    movie: Whole
    movie_frame: Whole
    tracklet: Text
    x: float
    y: float
    side: Annotated[int, msgspec.Meta(ge=0, le=4096)] = 0


class PositionMarkRequest(Request):
    """A mark; `tracklet` is where the person saw the animal. Null takes a mark back."""

    movie: Whole
    frame: Whole
    id: Text
    tracklet: Text
    colony: Text = ""
    verdict: PositionVerdict | None = None
    true_id: Text = ""
    seed: Whole | None = None
    number: Whole | None = None
    who: Text = ""


class CorrectRequest(Request):
    """A correction: the tracklet is of an animal, or is not."""

    movie: Whole
    tracklet: Text
    id: Text
    colony: Text = ""
    is_it: bool = True
    who: Text = ""


ROUTES: dict[str, Route] = {
    "positions": Route("GET", NoRequest, PositionsInfo),
    "positions/cell": Route("GET", CellRequest, PositionCell),
    "positions/neighbours": Route("GET", NeighboursRequest, Neighbours),
    "positions/images": Route("GET", ImagesRequest, None),
    "positions/arena": Route("GET", NoRequest, None),
    "positions/film": Route("GET", FilmRequest, None),
    "positions/mark": Route("POST", PositionMarkRequest, PositionMarked),
    "positions/correct": Route("POST", CorrectRequest, Corrected),
    "positions/undo": Route("POST", NoRequest, Corrected),
}
