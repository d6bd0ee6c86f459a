"""Groups of tracklets by their features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Of so many tracklets, drawn at random, the groups are found; all are then put into them. Their distances take 64 MB.
_MOST = 4000
# A tracklet less close to the middle of its group than this is left out: it is of an animal that has no group, or it
# shows none well.
LEAST_CLOSENESS = 0.5
# A group of fewer is no faster to name than its tracklets one by one.
LEAST_TRACKLETS = 2


def find_groups(features: NDArray[np.float32], count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Put tracklets into groups by Ward's method (1963, J. Am. Stat. Assoc. 58: 236–244).

    Parameters
    ----------
    features : NDArray[np.float32]
        Of each tracklet, of length 1; shape (tracklets, features).
    count : int
        Number of groups, at most.
    seed : int
        Of the draw, where there are many tracklets.

    Returns
    -------
    groups : NDArray[np.int64]
        Number of each tracklet's group, from 1, those with many tracklets close together first; 0 for tracklets that
        belong to none. Shape (tracklets,).
    closeness : NDArray[np.float32]
        Cosine between each tracklet and the middle of the group nearest to it; shape (tracklets,).
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    chosen = np.random.default_rng(seed).permutation(len(features))[:_MOST]
    some = features[chosen].astype(np.float64)
    of_some = fcluster(linkage(some, "ward"), count, "maxclust") if len(some) > 1 else np.ones(len(some), int)
    middles = np.stack([some[of_some == number].mean(0) for number in np.unique(of_some)])
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-12)
    likeness = features @ middles.T.astype(np.float32)
    nearest, closeness = likeness.argmax(1), likeness.max(1)
    belongs = closeness >= LEAST_CLOSENESS
    sizes = np.bincount(nearest[belongs], minlength=len(middles))
    belongs &= sizes[nearest] >= LEAST_TRACKLETS
    # a sum of closeness is large for many tracklets that are close together
    worth = np.bincount(nearest[belongs], closeness[belongs], minlength=len(middles))
    order = np.argsort(-worth, kind="stable")
    numbers = np.empty(len(middles), np.int64)
    numbers[order] = np.arange(1, len(middles) + 1)
    return np.where(belongs, numbers[nearest], 0), closeness
