"""Tracklets: lists, details and images."""

from __future__ import annotations

from antrax.app.schemas.base import Answer, Request, Route, Text, Versions, Whole
from antrax.labels import Category
from antrax.review.tracklets.views import Order
from antrax.review.validation.verdicts import Verdict


class Strip(Answer):
    """Probabilities by image in whole per cent, a row a label; null where no image was looked at."""

    labels: list[str]
    values: list[list[int | None]]
    looked_at: int
    """Number of images that the classifier was shown."""


class VerdictChoice(Answer):
    """A mark that can be given, and its key."""

    verdict: Verdict
    title: str
    key: str


class MarkTold(Answer):
    """A mark that was given; `verdict` is null where one was taken back."""

    verdict: Verdict | None
    title: str
    label: str
    true_label: str
    who: str
    time: str
    current: bool


class FlagTold(Answer):
    """A flag that a person put on a tracklet."""

    note: str
    who: str
    time: str


class ViewInfo(Answer):
    """How many tracklets a filter lets pass, and where one is among them (0 where it is not)."""

    count: int
    at: int
    found: bool


class Tracklet(Answer):
    """Details of a tracklet. The fields after `label` are null if it is not classified."""

    tracklet: str
    movie: int
    movie_name: str
    first: int
    last: int
    absolute_first: int | None
    absolute_last: int | None
    seconds: float | None
    colony: str | None
    examples: dict[str, int]
    frame_labels: dict[str, list[int]]
    images: int
    size: int
    stamp: str
    problem: str | None
    frames_known: bool
    label: str | None
    category: Category | None
    score: float | None
    best_frame: int | None
    confidence: float | None
    best_label: str | None
    runner_up: str | None
    runner_up_confidence: float | None
    conflicts: list[str]
    elsewhere: dict[str, list[str]] | None
    """Other tracklets at the same time, by their ID; null where the movie is not classified."""
    strip: Strip | None
    verdicts: list[VerdictChoice]
    mark: MarkTold | None
    history: list[MarkTold]
    flag: FlagTold | None
    versions: Versions
    i: int | None
    count: int | None


class ViewRequest(Request):
    """A filter and an order; `like` is the tracklet that the order of likeness is about."""

    movie: Whole | None = None
    label: Text = ""
    colony: Text = ""
    order: Order = Order.RANDOM
    seed: Whole = 0
    like: Text = ""
    near: Text = ""


class TrackletRequest(ViewRequest):
    """A tracklet by its name, or by its place among those of a view."""

    name: Text = ""
    i: Whole | None = None


class Flagged(Answer):
    """The flag of a tracklet after a change of it."""

    flag: FlagTold | None
    versions: Versions


class FlagRequest(Request):
    """A flag with a note, or that it is to be taken away."""

    tracklet: Text
    flagged: bool
    note: Text = ""
    who: Text = ""


class SheetRequest(Request):
    """Images `start` to `stop` of a tracklet; `stamp` as the page knows it."""

    tracklet: Text
    start: Whole = 0
    stop: Whole = 2**31
    stamp: Text = ""


ROUTES: dict[str, Route] = {
    "view": Route("GET", ViewRequest, ViewInfo),
    "tracklet": Route("GET", TrackletRequest, Tracklet),
    "flag": Route("POST", FlagRequest, Flagged),
    "sheet": Route("GET", SheetRequest, None),
}
