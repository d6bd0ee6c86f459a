"""The wall: many tracklets at once, one image each."""

from __future__ import annotations

from typing import Annotated

import msgspec

from antrax.app.schemas.base import Answer, Request, Route, Text, Whole
from antrax.app.schemas.tracklets import ViewRequest
from antrax.app.schemas.training_set import Changed
from antrax.app.sheets import LARGEST_CELL
from antrax.labels import Category

_Names = Annotated[str, msgspec.Meta(max_length=40_000)]
_Most = Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class WallItem(Answer):
    """A tracklet by one image. What follows `stamp` is null where there is no classification."""

    tracklet: str
    image: int
    images: int
    stamp: str
    label: str | None
    category: Category | None
    confidence: float | None
    best_label: str | None


class WallPage(Answer):
    """Tracklets without examples; `next` is where the view goes on, `left` how many such tracklets follow there."""

    items: list[WallItem]
    cell: int
    next: int
    total: int
    left: int
    problems: list[str]


class Accepted(Changed):
    """Result of accepting: number of tracklets; `problems` names those that were left out."""

    tracklets: int
    problems: list[str]


class WallRequest(ViewRequest):
    """Request for tracklets of a view, from a position on."""

    start: Whole = 0
    tiles: Whole = 60


class WallSheetRequest(Request):
    """Images as `tracklet:index,tracklet:index`, in cells of so many pixels."""

    images: _Names
    cell: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_CELL)]


class OthersRequest(Request):
    """Images that are spread over a tracklet."""

    tracklet: Text
    most: _Most = 16


class AcceptedTile(Request):
    """A tracklet, the image that was shown of it, and the stamp of its stack."""

    tracklet: Text
    image: Whole
    stamp: Text


class AcceptRequest(Request):
    """Tracklets that get a label, with at most so many images each."""

    label: Text
    tiles: list[AcceptedTile]
    most: _Most
    client: Text
    who: Text = ""


ROUTES: dict[str, Route] = {
    "wall": Route("GET", WallRequest, WallPage),
    "wall/sheet": Route("GET", WallSheetRequest, None),
    "wall/others": Route("GET", OthersRequest, None),
    "wall/accept": Route("POST", AcceptRequest, Accepted),
}
