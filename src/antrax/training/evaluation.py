"""Evaluation of a network on held-out tracklets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.classification.calibration import HeldOutTracklet


@dataclass(frozen=True)
class LabelFigures:
    """Accuracy for one label.

    Parameters
    ----------
    label : str
    tracklets, images : int
        Held out under this label.
    accuracy : float
        Share of these images that are classified right; nan where there are none.
    confused_with : str
        The label most often given instead; empty where none is.
    confused_share : float
        Share of the images that get it.
    """

    label: str
    tracklets: int
    images: int
    accuracy: float
    confused_with: str
    confused_share: float


@dataclass(frozen=True)
class Evaluation:
    """Results on the held-out tracklets.

    Parameters
    ----------
    labels : tuple of str
    confusion : NDArray[np.int64]
        Images by people's label (row) and the network's (column); shape (labels, labels).
    tracklets : NDArray[np.int64]
        The same for whole tracklets, by the label that most images have and the largest mean probability.
    """

    labels: tuple[str, ...]
    confusion: NDArray[np.int64]
    tracklets: NDArray[np.int64]

    @property
    def image_accuracy(self) -> float:
        """Share of held-out images classified right; nan without any."""
        return _share(np.trace(self.confusion), self.confusion.sum())

    @property
    def tracklet_accuracy(self) -> float:
        """Share of held-out tracklets classified right, before any abstention; nan without any."""
        return _share(np.trace(self.tracklets), self.tracklets.sum())

    def by_label(self) -> list[LabelFigures]:
        """Figures of every label, the worst first, those without held-out images last."""
        figures = []
        for index, label in enumerate(self.labels):
            row = self.confusion[index]
            others = np.where(np.arange(len(row)) == index, 0, row)
            worst = int(others.argmax())
            figures.append(
                LabelFigures(
                    label,
                    int(self.tracklets[index].sum()),
                    int(row.sum()),
                    _share(row[index], row.sum()),
                    self.labels[worst] if others[worst] else "",
                    _share(others[worst], row.sum()),
                )
            )
        return sorted(figures, key=lambda f: (f.images == 0, f.accuracy if f.images else 0.0, f.label))

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the record of a run."""
        return {
            "tracklets": int(self.tracklets.sum()),
            "images": int(self.confusion.sum()),
            "image_accuracy": _rounded(self.image_accuracy),
            "tracklet_accuracy": _rounded(self.tracklet_accuracy),
            "labels": {
                f.label: {"tracklets": f.tracklets, "images": f.images, "accuracy": _rounded(f.accuracy)}
                for f in sorted(self.by_label(), key=lambda f: self.labels.index(f.label))
            },
            "confusion_images": self.confusion.tolist(),
            "confusion_tracklets": self.tracklets.tolist(),
        }


@dataclass(frozen=True)
class Prediction:
    """A held-out tracklet and the network's predictions for its images.

    Parameters
    ----------
    probabilities : NDArray[np.floating]
        Shape (images, labels).
    truth : NDArray[np.int64]
        People's label of each image; shape (images,).
    """

    probabilities: NDArray[np.floating]
    truth: NDArray[np.int64]

    def as_tracklet(self) -> HeldOutTracklet:
        """With one label for the whole: that of most images."""
        return HeldOutTracklet(self.probabilities, int(np.bincount(self.truth).argmax()))


def evaluate(predictions: Sequence[Prediction], labels: tuple[str, ...]) -> Evaluation:
    """Compute confusion matrices of images and tracklets."""
    images = np.zeros((len(labels), len(labels)), np.int64)
    tracklets = np.zeros_like(images)
    for prediction in predictions:
        np.add.at(images, (prediction.truth, prediction.probabilities.argmax(1)), 1)
        whole = prediction.as_tracklet()
        tracklets[whole.truth, int(whole.probabilities.mean(0).argmax())] += 1
    return Evaluation(labels, images, tracklets)


@dataclass(frozen=True)
class DoubtfulExample:
    """A held-out tracklet that looks like another label than people gave it: a wrong label, or a hard tracklet.

    Parameters
    ----------
    experiment, tracklet : str
    label : str
        People's label of most of its images.
    images : int
    looks_like : str
        The label of the largest mean probability.
    probability : float
        That probability.
    share : float
        Share of the images of which it is the most probable label.
    """

    experiment: str
    tracklet: str
    label: str
    images: int
    looks_like: str
    probability: float
    share: float


def doubtful_examples(
    predictions: Sequence[Prediction], origins: Sequence[tuple[str, str]], labels: Sequence[str]
) -> list[DoubtfulExample]:
    """Find held-out tracklets for which the network gives another label than people, the surest first.

    Parameters
    ----------
    predictions : sequence of Prediction
        Of tracklets that the network was not trained on.
    origins : sequence of (str, str)
        Experiment and tracklet of each.
    labels : sequence of str
        Of the network.

    Returns
    -------
    list of DoubtfulExample
    """
    found = []
    for prediction, (experiment, tracklet) in zip(predictions, origins, strict=True):
        whole = prediction.as_tracklet()
        mean = whole.probabilities.mean(0)
        best = int(mean.argmax())
        if best != whole.truth:
            share = float((whole.probabilities.argmax(1) == best).mean())
            found.append(
                DoubtfulExample(
                    experiment,
                    tracklet,
                    labels[whole.truth],
                    len(whole.probabilities),
                    labels[best],
                    round(float(mean[best]), 4),
                    round(share, 4),
                )
            )
    return sorted(found, key=lambda each: -each.probability)


# Thresholds below which a network is called poor. The default network has 0.86, 0.94 and 0.83 on held-out tracklets of
# the JS16 set (fold 0; benchmarks/fitted_constants.py prints them again).
LEAST_ACCURACY, LEAST_AGREEMENT, LEAST_CONFIDENCE = 0.6, 0.7, 0.5


@dataclass(frozen=True)
class Signs:
    """Indicators of a network's quality.

    Parameters
    ----------
    held_out : bool
        Whether they are of tracklets that were not trained on.
    accuracy : float
        Share of images classified right.
    agreement : float
        Share of a tracklet's images with the same most probable label as most of them, mean over tracklets of several
        images; nan without any.
    confidence : float
        Largest probability of an image, mean over images.
    """

    held_out: bool
    accuracy: float
    agreement: float
    confidence: float

    def what_is_poor(self) -> str | None:
        """Warning about an evidently poor network; None for others."""
        found = []
        if self.accuracy < LEAST_ACCURACY:
            found.append(f"{self.accuracy:.0%} of {'held-out' if self.held_out else 'its own training'} images right")
        if self.agreement < LEAST_AGREEMENT:
            found.append(f"{self.agreement:.0%} of a tracklet's images with the same label")
        if self.confidence < LEAST_CONFIDENCE:
            found.append(f"a mean confidence of {self.confidence:.2f}")
        if not found:
            return None
        return (
            f"this network is poor ({', '.join(found)}): train it longer, and look for examples under wrong labels; "
            "IDs that it gives should be checked"
        )

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the record of a run."""
        return {
            "of_held_out_images": self.held_out,
            "image_accuracy": _rounded(self.accuracy),
            "agreement_within_tracklets": _rounded(self.agreement),
            "mean_confidence": _rounded(self.confidence),
            "poor": self.what_is_poor() is not None,
        }


def look_for_signs(predictions: Sequence[Prediction], held_out: bool) -> Signs | None:
    """Compute the indicators of quality from some tracklets; None without any.

    Parameters
    ----------
    predictions : sequence of Prediction
    held_out : bool
        Whether it was not trained on them.

    Returns
    -------
    Signs or None
    """
    if not predictions:
        return None
    best = [prediction.probabilities.argmax(1) for prediction in predictions]
    several = [labels for labels in best if len(labels) > 1]
    agreement = [np.bincount(labels).max() / len(labels) for labels in several]
    right = np.concatenate([labels == one.truth for labels, one in zip(best, predictions, strict=True)])
    surest = np.concatenate([prediction.probabilities.max(1) for prediction in predictions])
    return Signs(
        held_out, float(right.mean()), float(np.mean(agreement)) if several else float("nan"), float(surest.mean())
    )


def _share(part: float | np.integer[Any], whole: float | np.integer[Any]) -> float:
    return float(part) / float(whole) if whole else float("nan")


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)
