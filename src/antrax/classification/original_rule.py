"""The decision rule of anTraX, for comparison and for the cautious rule. Pure: arrays in, label out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from antrax.labels import Category

# Least value of the largest probability of an ID, and that on tracklets with fewer images of an ID than `_SHORT`.
MIN_CONF, MIN_CONF_SHORT = 0.90, 0.99
_SHORT = 5


def original_label(probabilities: NDArray[np.floating], categories: Sequence[Category | None]) -> int | None:
    """The label that anTraX gives a tracklet.

    Each image counts with its most probable label. If all are non-ants, the most common of these; else, if some show
    several animals and none an ID, or more than a quarter show several, the most common of these; else, if none shows
    an ID, the most common of all; else the ID with the largest sum of probabilities over the images that show an ID,
    if the largest probability of any ID on these is at least `MIN_CONF` (`MIN_CONF_SHORT` on fewer than five).

    Parameters
    ----------
    probabilities : NDArray
        Shape (images, labels), at least one image.
    categories : sequence of Category or None
        Kind of each label; None where the experiment does not have it.

    Returns
    -------
    int or None
        Index of the label; None for unknown.
    """
    best = probabilities.argmax(1)
    kinds = [categories[label] for label in best]
    ants = np.array([kind is Category.ANT for kind in kinds])
    several = np.array([kind is Category.MULTI for kind in kinds])
    if all(kind is Category.NONANT for kind in kinds):
        return _most_common(best)
    if (several.any() and not ants.any()) or several.mean() > 0.25:
        return _most_common(best[several])
    if not ants.any():
        return _most_common(best)
    shown = probabilities[ants]
    columns = np.array([category is Category.ANT for category in categories])
    least = MIN_CONF if ants.sum() >= _SHORT else MIN_CONF_SHORT
    if shown[:, columns].max() < least:
        return None
    return int(np.where(columns, shown.astype(np.float64).sum(0), -1).argmax())


def _most_common(labels: NDArray[np.intp]) -> int:
    return int(np.bincount(labels).argmax())
