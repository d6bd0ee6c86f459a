"""The report of the last training, and the recommended next step."""

from __future__ import annotations

from typing import Literal

from antrax.app.schemas.base import Answer, NoRequest, Route
from antrax.labels import Category


class EpochFigures(Answer):
    """Mean training loss of an epoch, and shares of held-out images and tracklets classified right."""

    epoch: int
    loss: float
    image_accuracy: float | None
    tracklet_accuracy: float | None


class LabelFigures(Answer):
    """Accuracy for a label.

    `trained`: images that were trained on; `examples`, `tracklets`: of the training set as it is now; `right`: share of
    the held-out images classified right, null where there are none; `confused_with`: the label that most others get.
    """

    label: str
    category: Category
    trained: int
    examples: int
    tracklets: int
    held_out_tracklets: int
    held_out_images: int
    right: float | None
    confused_with: str | None
    confused_share: float | None


class DoubtfulExample(Answer):
    """A tracklet of the training set that looks like another label to a network that was not trained on it.

    `share`: of its images that look so; `own`: it is of the open experiment.
    """

    experiment: str
    tracklet: str
    label: str
    images: int
    looks_like: str
    share: float
    own: bool


class ScoredColors(Answer):
    """Colours of tags that a classifier scores in place of IDs.

    `places`: colours at each place; `ids`: number of IDs that tell colours; `without_examples`: IDs that are known by
    their colours alone; `threshold`: least confidence for these, from `calibrated_on` tracklets of IDs that were left
    out of training; null: they are never given.
    """

    places: list[list[str]]
    ids: int
    without_examples: list[str]
    calibrated_on: int | None
    threshold: float | None


class TrainingReport(Answer):
    """A training. `confusion`: held-out images by people's label (row) and the network's (column), as in `labels`.

    `meanwhile`: example files that changed during the training; `left_out`: what was not used and why, in sentences;
    `colors`: null where IDs are scored.
    """

    time: str
    seconds: float
    files: int
    used: int
    capped: int
    without_tracklet: int
    tracklets: int
    held_out_tracklets: int
    meanwhile: int
    left_out: list[str]
    image_accuracy: float | None
    tracklet_accuracy: float | None
    epochs: list[EpochFigures]
    labels: list[LabelFigures]
    confusion: list[list[int]]
    colors: ScoredColors | None
    doubtful: list[DoubtfulExample]


class TrainingInfo(Answer):
    """Report of the last training; null if the classifier has no record of one."""

    report: TrainingReport | None


class NextStep(Answer):
    """The recommended next step.

    `action` says which command does it: edit labels, label tracklets, train, classify, look at tracklets like `label`,
    check; null where nothing more is needed.
    """

    text: str
    action: Literal["labels", "label", "train", "classify", "look", "check"] | None
    label: str | None


ROUTES: dict[str, Route] = {
    "training": Route("GET", NoRequest, TrainingInfo),
    "next": Route("GET", NoRequest, NextStep),
}
