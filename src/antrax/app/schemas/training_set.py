"""The training set: exports, undo, the gallery."""

from __future__ import annotations

from typing import Annotated

import msgspec

from antrax.app.schemas.base import Answer, NoRequest, Request, Route, Text, Versions, Whole
from antrax.app.sheets import LARGEST_CELL
from antrax.labels import Category


class LabelCount(Answer):
    """A label of the training set."""

    label: str
    category: Category
    listed: bool
    examples: int
    tracklets: int


class Imbalance(Answer):
    """The labels with most and fewest examples."""

    largest: str
    smallest: str
    ratio: float


class GalleryItem(Answer):
    """An example. `own`: of the open experiment."""

    name: str
    experiment: str
    tracklet: str
    frame: str
    own: bool


class Changed(Answer):
    """Result of a change of the training set. `folder`: where examples were written."""

    message: str
    label: str
    added: int
    present: int
    moved: int
    folder: str | None
    tracklet: str | None
    versions: Versions


class Exported(Changed):
    """Result of an export, with the images of the tracklet that are in the training set now."""

    examples: dict[str, int]
    frame_labels: dict[str, list[int]]


class TrainingSet(Answer):
    """Examples by label."""

    labels: list[LabelCount]
    without: list[str]
    imbalance: Imbalance | None
    folder: str
    examples: int
    tracklets: int
    hints: list[str]
    version: int


class Gallery(Answer):
    """The examples of a label. `cell`: side of an image on the sheets, in pixels."""

    label: str
    version: int
    cell: int
    total: int
    items: list[GalleryItem]


class Author(Answer):
    """Who added an example, and when; empty where its file does not tell."""

    author: str
    time: str


class ClientRequest(Request):
    """Request with the identity of the browser tab, on which undo depends."""

    client: Text


class LabelRequest(Request):
    """A label."""

    label: Text


class GallerySheetRequest(Request):
    """Examples from `start` on, in cells of so many pixels."""

    label: Text
    version: Whole
    cell: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_CELL)]
    start: Whole = 0
    stop: Whole = 2**31


class ExampleRequest(Request):
    """An example."""

    label: Text
    name: Text


class ExportRequest(Request):
    """Images to add to the training set; all where `frames` is null. `stamp`: of the images that the person saw.

    Of more than `most`, so many are added, spread evenly.
    """

    tracklet: Text
    label: Text
    client: Text
    frames: list[Whole] | None = None
    most: Annotated[int, msgspec.Meta(ge=1)] | None = None
    stamp: Text | None = None
    who: Text = ""


class MoveRequest(Request):
    """Examples to move to another label, or to the trash where `to` is null."""

    label: Text
    names: list[str]
    client: Text
    to: Text | None = None


ROUTES: dict[str, Route] = {
    "export": Route("POST", ExportRequest, Exported),
    "undo": Route("POST", ClientRequest, Changed),
    "redo": Route("POST", ClientRequest, Changed),
    "gallery/author": Route("GET", ExampleRequest, Author),
    "trainset": Route("GET", NoRequest, TrainingSet),
    "gallery": Route("GET", LabelRequest, Gallery),
    "gallery/sheet": Route("GET", GallerySheetRequest, None),
    "move": Route("POST", MoveRequest, Changed),
}
