"""The decision rule: from the probabilities of a tracklet's images to its one label. Pure: arrays in, label out.

The rule, and where it comes from
---------------------------------
1. The images' probabilities are averaged over all images and *all* classes, a linear opinion pool (Stone, 1961,
   Ann. Math. Statist. 32:1339). Neighbouring images err together, so a tracklet of n images is no product of n
   independent witnesses: the pool is what is left when they are taken as fully dependent. Averaging over all
   classes lets the images that look like `Unknown` or `Multi` speak against an ID instead of being thrown away.
2. The pooled probabilities are sharpened by ``n_eff / T`` in the log domain and normalised: ``T`` is a temperature
   (Guo et al., 2017, ICML) and ``n_eff = n ** exponent`` what n correlated images are worth. Both are fitted on
   tracklets that the network has not seen; the exponent comes out near zero on real data: length says little.
3. The tracklet is an ant where an ID has the largest result, at least the threshold that belongs to the accepted error
   (`antrax.calibration`), and is one of the experiment's. It is a non-ant or multi-ant where such a label has the
   largest result and its kind has more than half of the total. Otherwise it is `Unknown`. Labels that the
   experiment does not have keep their share: evidence for them is evidence against the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antrax.classification.original_rule import original_label
from antrax.io.results import Decision
from antrax.labels import UNKNOWN, Category

# Keeps one certain image from ruling a label out for good.
FLOOR = 1e-6
# Each image of a tracklet shorter than this is looked at both ways; of longer ones, every other image is turned.
BOTH_WAYS_BELOW = 8


@dataclass(frozen=True)
class Rule:
    """The numbers that the rule needs.

    Parameters
    ----------
    temperature : float
    exponent : float
        0 where images are fully dependent, 1 where they are independent.
    threshold : float
        Least confidence for an ID, 0 to 1.
    guarded : bool
        Give an ID only where anTraX's own rule gives the same: for networks of which nothing is known, some of which
        are wrong and sure of themselves.
    """

    temperature: float
    exponent: float
    threshold: float
    guarded: bool = False


def views(
    count: int, start: int = 0, total: int | None = None, *, turning: bool = True
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Which images to show the network, and which of them turned by half a turn.

    Head and tail are mixed up now and then, and a network is surer where it has seen an image both ways; turning
    every other image of a tracklet gives nearly all of that for nothing.

    Parameters
    ----------
    count : int
        Number of images at hand, a piece of a tracklet.
    start, total : int
        Where the piece starts in the tracklet, and how many images that has (default: the piece is all).
    turning : bool
        False for a network that has never seen animals upside down: each image is shown once, as it is.

    Returns
    -------
    (NDArray[np.intp], NDArray[np.bool_])
        Index of the image and whether to turn it, for each view.
    """
    indices = np.arange(count)
    if not turning:
        return indices, np.zeros(count, bool)
    if (count if total is None else total) < BOTH_WAYS_BELOW:
        return np.repeat(indices, 2), np.tile([False, True], count)
    return indices, (indices + start) % 2 == 1


def merge_views(log_probabilities: NDArray[np.float32], images: int) -> NDArray[np.float32]:
    """Probabilities (images, labels) from the log-probabilities (views, labels) of `views`."""
    probabilities = np.exp(log_probabilities)
    return probabilities.reshape(images, -1, probabilities.shape[-1]).mean(1) if images else probabilities


def pool(probabilities: NDArray[np.floating], rule: Rule) -> NDArray[np.float64]:
    """Calibrated probabilities of a tracklet's labels (steps 1 and 2).

    Parameters
    ----------
    probabilities : NDArray
        Shape (images, labels), at least one image.
    rule : Rule

    Returns
    -------
    NDArray[np.float64]
        Shape (labels,), sums to 1.
    """
    mean = probabilities.astype(np.float64).mean(0)
    logs = np.log(mean + FLOOR) * (len(probabilities) ** rule.exponent / rule.temperature)
    powers = np.exp(logs - logs.max())
    return np.asarray(powers / powers.sum(), np.float64)


def decide(
    probabilities: NDArray[np.floating],
    labels: tuple[str, ...],
    categories: tuple[Category | None, ...],
    rule: Rule,
    passed: NDArray[np.bool_] | None = None,
) -> Decision:
    """Decide on one tracklet.

    Parameters
    ----------
    probabilities : NDArray
        Shape (images, labels), at least one image.
    labels : tuple of str
        In the order of the columns.
    categories : tuple of Category or None
        Kind of each label in the experiment; None where the experiment does not have the label, which is then never
        assigned.
    rule : Rule
    passed : NDArray[np.bool_], optional
        Shape (images,): blob of plausible size and shape; the best frame is one of these where there are any.
    """
    pooled = pool(probabilities, rule)
    first, second = np.argsort(-pooled, kind="stable")[:2]
    category = categories[first]
    label = UNKNOWN
    if category is Category.ANT:
        agreed = not rule.guarded or original_label(probabilities, categories) == first
        if pooled[first] >= rule.threshold and agreed:
            label = labels[first]
    elif category in (Category.NONANT, Category.MULTI):
        same_kind = np.array([other is category for other in categories])
        if pooled[same_kind].sum() > 0.5:
            label = labels[first]
    score, best_frame = 0.0, 0
    if label != UNKNOWN and category is Category.ANT:
        column = probabilities[:, first].astype(np.float64)
        score = float(column.sum())
        if passed is not None and len(passed) == len(column) and passed.any():
            column = np.where(passed, column, -1.0)
        best_frame = int(np.argmax(column)) + 1
    return Decision(
        label=label,
        confidence=float(pooled[first]),
        best_label=labels[first],
        runner_up=labels[second],
        runner_up_confidence=float(pooled[second]),
        score=score,
        best_frame=best_frame,
        votes=int((probabilities.argmax(1) == first).sum()),
    )
