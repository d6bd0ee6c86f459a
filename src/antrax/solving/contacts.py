"""Likelihood of identities after a contact, from positions: an animal continues near where it was.

The distance between where one animal was last seen alone and where one is next seen alone follows a bivariate Student
distribution whose scale grows with the square root of the time between. Its scale is fitted to the contacts of exactly
two animals, where either pairing may be the right one and the likelihood sums over both, so that no label is needed.
How much a distance tells falls off with time: animals that are together for seconds move about and past each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antrax.io.tracklet_graph import TrackletGraph
from antrax.solving.sampling import Contacts

_FREEDOM = 3.0  # degrees of freedom: heavy tails, for animals that run
_SURE = 0.95  # how often a short contact keeps to the model at all
_SECONDS = 1.5  # time after which that has fallen to 1/e
_REACH = 2.3  # radius of the disc over which other animals come out, in body lengths
_ENOUGH = 20  # contacts of two from which the scale can be fitted


def no_contacts(count: int) -> Contacts:
    """Contacts without information, for a graph of `count` tracklets."""
    return Contacts(
        np.zeros(0, np.int64),
        np.full((0, 1), count, np.int64),
        np.full((0, 1), count, np.int64),
        np.zeros((0, 1, 1)),
    )


def find_contacts(graph: TrackletGraph, single: NDArray[np.bool_], body: float, fps: float) -> Contacts:
    """Find the contacts of a graph, and their log-likelihood ratios.

    Parameters
    ----------
    graph : TrackletGraph
    single : (n,) array of bool
        Tracklets of a single animal.
    body : float
        Size of an animal in pixels (the root of its area); NaN where it is not known, and then contacts tell nothing.
    fps : float
        Frames per second; where it is NaN, 10 are assumed.

    Returns
    -------
    Contacts
    """
    count = len(graph)
    if not np.isfinite(body) or body <= 0:
        return no_contacts(count)
    located = single & np.isfinite(graph.start).all(1) & np.isfinite(graph.end).all(1)
    tracklets, befores, afters = [], [], []
    into = np.bincount(graph.child, weights=located[graph.parent], minlength=count)
    out = np.bincount(graph.parent, weights=located[graph.child], minlength=count)
    for row in np.flatnonzero(~single & (into > 0) & (out > 0)).tolist():
        tracklets.append(row)
        befores.append([one for one in graph.parents[row].tolist() if located[one]])
        afters.append([one for one in graph.children[row].tolist() if located[one]])
    if not tracklets:
        return no_contacts(count)
    before, after = _padded(befores, count), _padded(afters, count)
    rows = np.array(tracklets)
    end = np.vstack([graph.end, [[np.nan, np.nan]]]).astype(np.float64)
    start = np.vstack([graph.start, [[np.nan, np.nan]]]).astype(np.float64)
    distance = np.hypot(*np.moveaxis(end[before][:, :, None] - start[after][:, None], 3, 0))
    time = graph.length[rows].astype(np.float64)
    two = [
        i for i, row in enumerate(tracklets)
        if len(graph.parents[row]) == len(graph.children[row]) == len(befores[i]) == len(afters[i]) == 2
    ]  # fmt: skip
    scale = _fitted_scale(distance[two, :2, :2], time[two], _SECONDS * (fps if np.isfinite(fps) else 10.0))
    if scale is None:
        return no_contacts(count)
    sure = _SURE * np.exp(-time / (_SECONDS * (fps if np.isfinite(fps) else 10.0)))
    density = np.exp(_log_density(distance, time[:, None, None], scale)) * np.pi * (_REACH * body) ** 2
    fit = np.log(sure[:, None, None] * density + 1 - sure[:, None, None])
    return Contacts(rows, before, after, np.nan_to_num(fit, nan=0.0))


def _padded(lists: list[list[int]], fill: int) -> NDArray[np.int64]:
    table = np.full((len(lists), max(map(len, lists))), fill, np.int64)
    for row, values in enumerate(lists):
        table[row, : len(values)] = values
    return table


def _log_density(distance: NDArray[np.float64], time: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Log-density over the plane (1/px²) of the displacement of one animal after a time in frames."""
    variance = scale**2 * np.maximum(time, 1)
    value: NDArray[np.float64] = -np.log(2 * np.pi * variance) - (_FREEDOM + 2) / 2 * np.log1p(
        distance**2 / (_FREEDOM * variance)
    )
    return value


def _fitted_scale(distance: NDArray[np.float64], time: NDArray[np.float64], longest: float) -> float | None:
    """The scale in pixels after one frame that makes the contacts of two most likely; None where there are too few."""
    short = time <= 2 * longest
    distance, time = distance[short], time[short, None]
    if len(distance) < _ENOUGH:
        return None
    straight, crossed = distance[:, [0, 1], [0, 1]], distance[:, [0, 1], [1, 0]]
    scales = np.geomspace(0.1, 100, 61)
    likelihood = [
        np.logaddexp(_log_density(straight, time, scale).sum(1), _log_density(crossed, time, scale).sum(1)).sum()
        for scale in scales
    ]
    return float(scales[int(np.argmax(likelihood))])
