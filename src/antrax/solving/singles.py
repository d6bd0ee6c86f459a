"""Classification of tracklets as of a single animal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antrax.io.tracklet_graph import TrackletGraph
from antrax.solving.evidence import Evidence

_TINY_FRAMES = 3


def find_singles(
    graph: TrackletGraph, evidence: Evidence, min_area: float, max_area: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tracklets of a single animal, and tracklets of any animal.

    A tracklet is of a single animal if its mean area is that of one, it has at most one parent and one child, and it is
    not labelled as several animals. Where its area is not known, an ID stands for it.
    Tracklets that are labelled as no animal are of none, and so are those without links that are short, small and
    without an ID. What `prop.cfg` says of a tracklet goes before.

    Parameters
    ----------
    graph : TrackletGraph
    evidence : Evidence
    min_area, max_area : float
        Bounds of a single animal's mean area in m².

    Returns
    -------
    single : (n,) array of bool
    present : (n,) array of bool
    """
    count = len(graph)
    links = np.bincount(graph.parent, minlength=count) + np.bincount(graph.child, minlength=count)
    large = graph.area > min_area
    tiny = (links == 0) & (graph.length <= _TINY_FRAMES) & (graph.area <= min_area) & (evidence.label < 0)
    present = ~evidence.non_ant & ~tiny
    inside = present[graph.parent] & present[graph.child]
    parents = np.bincount(graph.child[inside], minlength=count)
    children = np.bincount(graph.parent[inside], minlength=count)
    by_size = np.where(np.isnan(graph.area), evidence.label >= 0, large & (graph.area < max_area))
    single = by_size & ~evidence.multi & (parents <= 1) & (children <= 1)
    return np.where(evidence.single >= 0, evidence.single == 1, single), present
