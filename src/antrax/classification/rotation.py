"""Test-time rotation: which images a network is shown, rotated by 180° or not, and what its answers are together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Each image of a tracklet shorter than this is looked at both ways; of longer ones, every other image is turned.
BOTH_WAYS_BELOW = 8


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
