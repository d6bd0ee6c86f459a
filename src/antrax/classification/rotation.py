"""Test-time augmentation by rotation: images are classified as they are, or rotated by 180°, or both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Each image of a tracklet shorter than this is shown both ways; of longer ones, every other image is rotated.
BOTH_WAYS_BELOW = 8


def views(
    count: int, start: int = 0, total: int | None = None, *, rotate: bool = True
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Choose the images to classify, and which of them to rotate by 180°.

    Head and tail are mixed up now and then, and a network is more certain where it is shown an image both ways;
    rotating every other image of a tracklet gives nearly all of that at no cost.

    Parameters
    ----------
    count : int
        Number of images at hand, a piece of a tracklet.
    start, total : int
        Where the piece starts in the tracklet, and how many images that has (default: the piece is all).
    rotate : bool
        False for a network that was not trained on rotated animals: each image is shown once, as it is.

    Returns
    -------
    (NDArray[np.intp], NDArray[np.bool_])
        Index of the image and whether to rotate it, for each view.
    """
    indices = np.arange(count)
    if not rotate:
        return indices, np.zeros(count, bool)
    if (count if total is None else total) < BOTH_WAYS_BELOW:
        return np.repeat(indices, 2), np.tile([False, True], count)
    return indices, (indices + start) % 2 == 1


def merge_views(log_probabilities: NDArray[np.float32], images: int) -> NDArray[np.float32]:
    """Probabilities (images, labels) from the log-probabilities (views, labels) of `views`."""
    probabilities = np.exp(log_probabilities)
    return probabilities.reshape(images, -1, probabilities.shape[-1]).mean(1) if images else probabilities
