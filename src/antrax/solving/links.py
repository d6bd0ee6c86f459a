"""Links that the tracker may have missed or drawn wrongly, and the graph without those that nobody took.

A tracker now and then links a tracklet to a neighbour instead of the one that its animals go on in, or to none. Then
animals seem to be lost in one place and made in another. Beside the tracker's links, those to other tracklets that
start near by when a tracklet ends are possible at a cost (`antrax.solving.numbers`), and a link may carry nobody.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from antrax.io.tracklet_graph import TrackletGraph
from antrax.solving.numbers import Numbers

_REACH = 1.5  # body sizes between the edges of two blobs
_RADIUS = 0.75  # of a blob, in roots of its area


def possible_links(graph: TrackletGraph, metres_per_pixel: float, body: float) -> NDArray[np.int64]:
    """Links that the tracker did not draw, but might have: to what starts near by in the next frame.

    Parameters
    ----------
    graph : TrackletGraph
    metres_per_pixel : float
    body : float
        Size of an animal in pixels (the root of its area).

    Returns
    -------
    (l, 2) array of int64
        Parents and children; none where it is not known how large things are.
    """
    none = np.zeros((0, 2), np.int64)
    if not np.isfinite(body) or not len(graph):
        return none
    low = np.searchsorted(graph.first, graph.last + 1)
    high = np.searchsorted(graph.first, graph.last + 1, side="right")
    parent = np.repeat(np.arange(len(graph)), high - low)
    child = np.arange(len(parent)) - np.repeat(np.cumsum(high - low) - high, high - low)
    size = np.sqrt(graph.area) / metres_per_pixel
    distance = np.hypot(*(graph.end[parent] - graph.start[child]).T.astype(np.float64))
    near = distance <= _REACH * body + _RADIUS * (size[parent] + size[child])
    drawn = np.isin(parent * len(graph) + child, graph.parent * len(graph) + graph.child)
    near &= ~drawn
    return np.stack([parent[near], child[near]], axis=1)


def as_taken(graph: TrackletGraph, numbers: Numbers, possible: NDArray[np.int64]) -> tuple[TrackletGraph, Numbers]:
    """The graph of the links that animals took, and the numbers on it.

    Parameters
    ----------
    graph : TrackletGraph
    numbers : Numbers
        On the edges of the graph, and then on `possible`.
    possible : (l, 2) array of int64
    """
    taken = np.flatnonzero(numbers.edge > 0)
    parent = np.concatenate([graph.parent, possible[:, 0]])[taken]
    child = np.concatenate([graph.child, possible[:, 1]])[taken]
    order = np.lexsort((child, parent))
    return (
        replace(graph, parent=parent[order], child=child[order]),
        replace(numbers, edge=numbers.edge[taken][order]),
    )
