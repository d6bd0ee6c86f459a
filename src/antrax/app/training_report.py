"""Report of a session's last training for the page: accuracy by label, confusions, and what was left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from antrax.app.schemas.base import gather_fields
from antrax.io.examples import ExampleChanges
from antrax.labels import Labels
from antrax.review.next_step import Trained
from antrax.review.training_set.files import Count
from antrax.training.evaluation import DoubtfulExample, Evaluation


class _TrainedOn(msgspec.Struct):
    """The part of a record about the training set."""

    files: int
    used: int
    tracklets: int
    held_out_tracklets: int
    capped: int = 0
    without_tracklet: int = 0
    images_by_label: dict[str, int] = {}
    left_out: list[str] = []
    meanwhile: ExampleChanges = ExampleChanges()


class _Epoch(msgspec.Struct):
    """The part of a record about an epoch."""

    epoch: float
    loss: float
    image_accuracy: float | None = None
    tracklet_accuracy: float | None = None


class _HeldOut(msgspec.Struct):
    """The part of a record about held-out tracklets; confusion matrices have true labels as rows."""

    image_accuracy: float | None
    tracklet_accuracy: float | None
    confusion_images: list[list[int]]
    confusion_tracklets: list[list[int]]


class _Record(msgspec.Struct):
    """The part of a training record that the page shows; see `antrax.training.record.describe_run`."""

    time: str
    seconds: float
    examples: _TrainedOn
    history: list[_Epoch]
    held_out: _HeldOut | None = None
    doubtful: list[DoubtfulExample] = []


gather_fields(_Record)


@dataclass(frozen=True)
class LastTraining:
    """A training, from the record in the classifier that it made.

    Parameters
    ----------
    labels : tuple of str
        Of the classifier, in the order of the matrices.
    record : _Record
    colours : mapping or None
        Of a classifier that scores colours, `antrax.classification.color_summary.summarize_colors`.
    """

    labels: tuple[str, ...]
    record: _Record
    colours: Mapping[str, Any] | None = None

    @property
    def evaluation(self) -> Evaluation | None:
        """Results on held-out tracklets; None if there were none."""
        held_out = self.record.held_out
        if held_out is None:
            return None
        return Evaluation(self.labels, np.array(held_out.confusion_images), np.array(held_out.confusion_tracklets))

    @property
    def trained(self) -> Trained:
        """What the next step depends on."""
        evaluation = self.evaluation
        figures = evaluation.by_label() if evaluation else []
        examples = self.record.examples
        return Trained(
            examples.files,
            examples.images_by_label,
            {each.label: (each.images, each.accuracy) for each in figures if each.images},
        )


def last_training(
    labels: tuple[str, ...], record: Mapping[str, Any], colours: Mapping[str, Any] | None = None
) -> LastTraining | None:
    """Read the training from a classifier's record; None if the record holds none that fits the labels.

    Parameters
    ----------
    labels : tuple of str
        Of the classifier.
    record : mapping of str to Any
        As `antrax.classification.classifier_file.Classifier.record`. It comes from a file, so it may hold anything.
    colours : mapping of str to Any, optional
        Of a classifier that scores colours, `antrax.classification.color_summary.summarize_colors`.
    """
    try:
        found = msgspec.convert(record, _Record)
    except msgspec.ValidationError:  # of anTraX, of another program, or changed by hand
        return None
    if found.held_out:
        for matrix in (found.held_out.confusion_images, found.held_out.confusion_tracklets):
            if [len(row) for row in matrix] != [len(labels)] * len(labels) or min(map(min, matrix), default=0) < 0:
                return None
    return LastTraining(labels, found, colours)


def describe_training(
    training: LastTraining, labels: Labels, examples: Mapping[str, Count], experiment: str
) -> dict[str, Any]:
    """Make the report that the page shows.

    Parameters
    ----------
    training : LastTraining
    labels : Labels
        Of the session; rows and columns of the confusion matrix are in their order.
    examples : mapping of str to Count
        Those that there are now.
    experiment : str
        Name of the session's experiment, as names of examples have it.

    Returns
    -------
    dict
        As `antrax.app.schemas.training.TrainingReport`.
    """
    record, held_out = training.record, training.record.held_out
    known = [label for label in labels.all if label in training.labels]
    order = known + [label for label in training.labels if label not in known]
    places = [training.labels.index(label) for label in order]

    evaluation = training.evaluation
    figures = {each.label: each for each in evaluation.by_label()} if evaluation else {}
    rows = []
    for label in order:
        found, count = figures.get(label), examples.get(label)
        rows.append(
            {
                "label": label,
                "category": labels.likely_category(label),
                "trained": record.examples.images_by_label.get(label, 0),
                "examples": count.examples if count else 0,
                "tracklets": count.tracklets if count else 0,
                "held_out_tracklets": found.tracklets if found else 0,
                "held_out_images": found.images if found else 0,
                "right": found.accuracy if found and found.images else None,
                "confused_with": found.confused_with or None if found else None,
                "confused_share": found.confused_share if found and found.confused_with else None,
            }
        )
    return {
        "time": record.time,
        "seconds": record.seconds,
        "files": record.examples.files,
        "used": record.examples.used,
        "capped": record.examples.capped,
        "without_tracklet": record.examples.without_tracklet,
        "tracklets": record.examples.tracklets,
        "held_out_tracklets": record.examples.held_out_tracklets,
        "left_out": record.examples.left_out,
        "meanwhile": sum(msgspec.to_builtins(record.examples.meanwhile).values()),
        "image_accuracy": held_out.image_accuracy if held_out else None,
        "tracklet_accuracy": held_out.tracklet_accuracy if held_out else None,
        "epochs": [msgspec.to_builtins(epoch) | {"epoch": round(epoch.epoch)} for epoch in record.history],
        "labels": rows,
        "confusion": evaluation.confusion[np.ix_(places, places)].tolist() if evaluation else [],
        "colors": dict(training.colours) if training.colours else None,
        "doubtful": [_described(each) | {"own": each.experiment == experiment} for each in record.doubtful],
    }


def _described(doubtful: DoubtfulExample) -> dict[str, Any]:
    """As `antrax.app.schemas.training.DoubtfulExample`, which leaves the probability out."""
    return {name: value for name, value in dataclasses.asdict(doubtful).items() if name != "probability"}
