"""How many animals each tracklet holds, without asking which: a minimum-cost flow of the group through the graph.

Animals are neither made nor lost where tracklets merge and part, a tracklet of a single animal holds one, any other at
least one, and the area of a blob tells roughly how many. Of all ways to send the known number of animals through the
graph the cheapest is taken. The linear programme is a network, so its optimum is in whole animals.

Notes
-----
Tracking by network flow: Zhang, Li and Nevatia, Global data association for multi-object tracking using network flows,
CVPR 2008.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import SolvingError
from antrax.io.tracklet_graph import TrackletGraph

# Costs, in nats for each animal.
_GAP = 8.0  # to vanish at the end of a tracklet, to appear at the start of one, or to be away from the beginning
_GAP_AT_BOUNDARY = 0.5  # the same for a tracklet that touched an open boundary
_EMPTY = 30.0  # a tracklet without an animal
_EMPTY_ISOLATED = 1.0  # a tracklet without any link, which may be no animal at all: this, and
_EMPTY_ISOLATED_FRAME = 0.1  # this for each of its frames
_CROWDED = 30.0  # each animal more than one in a tracklet of a single animal
_NON_ANT = 3.0  # each animal in a tracklet that is labelled as none
_AREA = 0.3  # each animal more or less than the area tells


@dataclass(frozen=True, eq=False)
class Numbers:
    """A flow of animals through a graph of n tracklets and e edges.

    Parameters
    ----------
    tracklet : (n,) array of int64
        Animals in each tracklet.
    edge : (e,) array of int64
        Animals along each edge.
    appear, vanish : (n,) array of int64
        Animals that come into a tracklet from none, and go from it into none.
    """

    tracklet: NDArray[np.int64]
    edge: NDArray[np.int64]
    appear: NDArray[np.int64]
    vanish: NDArray[np.int64]


def single_area(graph: TrackletGraph, single: NDArray[np.bool_]) -> float:
    """Mean area of a single animal in m², weighted by frames; NaN where no tracklet tells it."""
    known = single & np.isfinite(graph.area)
    return float(np.average(graph.area[known], weights=graph.length[known])) if known.any() else float("nan")


def group_area(graph: TrackletGraph, animals: int, single: NDArray[np.bool_], impossible: NDArray[np.bool_]) -> float:
    """Area of an animal in a group over that of one alone: less than 1, for animals in groups overlap.

    In a closed arena everybody who is not alone is in a group, so the areas of all groups at a time tell it. Where
    animals come and go, it is taken from contacts of exactly two.

    Parameters
    ----------
    graph, animals, single, impossible
        As for `count_animals`.
    """
    alone = single_area(graph, single)
    known = ~single & np.isfinite(graph.area)
    if not np.isfinite(alone) or not known.any():
        return 1.0
    if graph.at_boundary.any():
        of_two = np.bincount(graph.child, weights=single[graph.parent], minlength=len(graph)) == 2
        of_two &= known & (np.bincount(graph.child, minlength=len(graph)) == 2)
        ratio = graph.area[of_two] / alone / 2
        return float(np.clip(np.median(ratio), 0.5, 1.2)) if of_two.any() else 1.0
    times = np.unique(np.concatenate([graph.first, graph.last + 1]))
    begin, end = np.searchsorted(times, graph.first), np.searchsorted(times, graph.last + 1)

    def at_each_time(values: NDArray[np.float64]) -> NDArray[np.float64]:
        change = np.bincount(begin, values, len(times)) - np.bincount(end, values, len(times))
        return np.cumsum(change)

    grouped = animals - _absent(graph, impossible, times) - at_each_time(single.astype(np.float64))
    areas = at_each_time(np.where(known, graph.area / alone, 0.0))
    length = np.diff(times, append=times[-1])
    usable = (grouped >= 2) & (areas > 0) & (length > 0)
    if not usable.any():
        return 1.0
    ratio = areas[usable] / grouped[usable]
    order = np.argsort(ratio)
    half = np.searchsorted(np.cumsum(length[usable][order]), length[usable].sum() / 2)
    return float(np.clip(ratio[order[min(half, len(order) - 1)]], 0.5, 1.2))


def count_animals(
    graph: TrackletGraph,
    animals: int,
    single: NDArray[np.bool_],
    non_ant: NDArray[np.bool_],
    impossible: NDArray[np.bool_],
    span: tuple[int, int] | None = None,
) -> Numbers:
    """How many animals are in each tracklet and along each edge.

    Parameters
    ----------
    graph : TrackletGraph
    animals : int
        Size of the group.
    single : (n,) array of bool
        Tracklets of a single animal.
    non_ant : (n,) array of bool
        Tracklets that are labelled as no animal.
    impossible : (n, animals) array of bool
        Which animals cannot be there; where one can be nowhere, it is away.
    span : (int, int), optional
        First and last frame; animals come in and go out there at no cost. By default those of the graph's movies.

    Raises
    ------
    SolvingError
        The linear programme has no solution.
    """
    from scipy.optimize import linprog

    count, edges = len(graph), len(graph.parent)
    start, stop = graph.span if span is None else span
    times = np.unique(np.concatenate([np.maximum(graph.first, start), graph.last + 1, [start]]))
    at_start = np.searchsorted(times, np.maximum(graph.first, start))
    at_end = np.searchsorted(times, graph.last + 1)
    rows, steps = np.arange(count), np.arange(len(times))
    at_once = graph.first <= start
    # Variables by block: in tracklets, along edges, appearing, vanishing, away from time to time; then how many less
    # than one, less than the area tells, and more than it tells; and away from the beginning.
    sizes = [count, edges, count, count, len(times), count, count, count, 1]
    inside, along, appear, vanish, away, none, fewer, more, missing, end = np.cumsum([0, *sizes]).tolist()
    balance = _matrix(
        (2 * count + len(times) + 1, end),
        (rows, inside + rows, 1),
        (graph.child, along + np.arange(edges), -1),
        (rows, appear + rows, -1),
        (count + rows, inside + rows, 1),
        (count + graph.parent, along + np.arange(edges), -1),
        (count + rows, vanish + rows, -1),
        (2 * count + steps, away + steps, 1),
        (2 * count + steps[1:], away + steps[:-1], -1),
        (2 * count + at_start[~at_once], appear + rows[~at_once], 1),
        (2 * count + at_end, vanish + rows, -1),
        (np.array([2 * count]), np.array([missing]), -1),
        (np.full(at_once.sum(), 2 * count + len(times)), appear + rows[at_once], 1),
        (np.array([2 * count + len(times)]), np.array([missing]), 1),
    )
    supply = np.zeros(2 * count + len(times) + 1)
    supply[-1] = animals
    limits = _matrix(
        (3 * count, end),
        (rows, inside + rows, -1),
        (rows, none + rows, -1),
        (count + rows, inside + rows, -1),
        (count + rows, fewer + rows, -1),
        (2 * count + rows, inside + rows, 1),
        (2 * count + rows, more + rows, -1),
    )
    area = single_area(graph, single)
    by_area = ~single & np.isfinite(graph.area) & np.isfinite(area)
    expected = np.ones(count)
    if by_area.any():
        area *= group_area(graph, animals, single, impossible)
        expected[by_area] = np.maximum(1, np.round(graph.area[by_area] / area))
    expected[non_ant] = 0
    links = np.bincount(graph.parent, minlength=count) + np.bincount(graph.child, minlength=count)
    empty = np.where(links == 0, np.minimum(_EMPTY, _EMPTY_ISOLATED + _EMPTY_ISOLATED_FRAME * graph.length), _EMPTY)
    gap = np.where(graph.at_boundary, _GAP_AT_BOUNDARY, _GAP)
    cost = np.zeros(end)
    cost[appear:vanish] = np.where(at_once, 0, gap)
    cost[vanish:away] = np.where(graph.last >= stop, 0, gap)
    cost[none:fewer] = np.where(non_ant, 0, empty)
    cost[fewer:more] = np.where(by_area & ~non_ant, _AREA, 0)
    cost[more:missing] = np.where(non_ant, _NON_ANT, np.where(single, _CROWDED, np.where(by_area, _AREA, 0)))
    cost[missing] = _GAP_AT_BOUNDARY if graph.at_boundary.any() else _GAP
    least = np.zeros(end)
    least[away:none] = _absent(graph, impossible, times)
    outcome = linprog(
        cost,
        A_ub=limits,
        b_ub=np.concatenate([-np.ones(count), -expected, expected]),
        A_eq=balance,
        b_eq=supply,
        bounds=np.column_stack([least, np.full(end, np.inf)]),
        method="highs-ds",
    )
    if outcome.x is None:
        raise SolvingError(f"the numbers of animals in the graph of movies {graph.movies.tolist()} have no solution")
    flow = np.round(outcome.x).astype(np.int64)
    return Numbers(flow[inside:along], flow[along:appear], flow[appear:vanish], flow[vanish:away])


def _matrix(shape: tuple[int, int], *entries: tuple[NDArray[np.int64], NDArray[np.int64], int]) -> Any:
    """A sparse matrix of rows, columns and a value each."""
    from scipy.sparse import coo_array

    values = np.concatenate([np.full(len(row), float(value)) for row, _, value in entries])
    rows, columns = (np.concatenate([entry[axis] for entry in entries]) for axis in (0, 1))
    return coo_array((values, (rows, columns)), shape=shape).tocsr()


def _absent(graph: TrackletGraph, impossible: NDArray[np.bool_], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many animals can be in no tracklet, from each time to the next."""
    away = np.zeros(len(times), np.int64)
    begin, end = np.searchsorted(times, np.maximum(graph.first, times[0])), np.searchsorted(times, graph.last + 1)
    for animal in np.flatnonzero(impossible.any(0)):
        can = ~impossible[:, animal]
        change = np.bincount(begin[can], minlength=len(times)) - np.bincount(end[can], minlength=len(times))
        away += np.cumsum(change) == 0
    # After the last tracklet has ended everybody is.
    return away
