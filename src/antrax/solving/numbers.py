"""Number of animals in each tracklet, by a minimum-cost flow of the group through the graph.

Animals are neither made nor lost where tracklets merge and part, a tracklet of a single animal holds one, any other at
least one, and the area of a blob tells roughly how many (`antrax.solving.areas`). Of all ways to send the known number
of animals through the graph the cheapest is taken. The linear programme is a network whose costs are convex, so its
optimum is in whole animals.

Notes
-----
Tracking by network flow: Zhang, Li and Nevatia, Global data association for multi-object tracking using network flows,
CVPR 2008.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import SolvingError
from antrax.io.tracklet_graph import TrackletGraph
from antrax.solving.areas import (
    STEPS,
    AreaCosts,
    area_costs,
    at_each_time,
    fit_areas,
    known_numbers,
    power_of_totals,
    single_area,
)

# Costs, in nats for each animal. `benchmarks/fitted_constants.py solving` compares them with halves and doubles.
_GAP = 8.0  # to vanish at the end of a tracklet that leads nowhere, or appear at the start of one from nowhere
_GAP_IN_PASSING = 20.0  # to vanish or appear where others go on
_GAP_FROM_START = 60.0  # to be away from the beginning
_GAP_AT_BOUNDARY = 0.5  # any of these where animals come and go
_EMPTY = 30.0  # a tracklet without an animal
# Without a label, one that comes from nothing or goes to nothing may be no animal at all, and the more so one that does
# both: this, and so much for each of its frames.
_EMPTY_DOUBTFUL = 4.0
_EMPTY_ISOLATED = 1.0
_EMPTY_FRAME = 0.1
_CROWDED = 30.0  # each animal more than one in a tracklet of a single animal that is labelled with an ID
_CROWDED_UNLABELLED = 6.0  # the same without such a label: one may sit on another
_UNUSED = 3.0  # a link of the tracker that nobody takes
_UNDRAWN = 6.0  # a link that the tracker did not draw, shared by the animals that it is likely to carry
_NON_ANT = 3.0  # each animal in a tracklet that is labelled as none
# The same in an arena that animals leave and enter: less than to leave it and come back, so that a wrong label does not
# end the path of an animal that is there before and after.
_NON_ANT_OPEN = 0.9

_ROUNDS = 3  # of fitting areas to numbers and numbers to areas, at most
_SETTLED = 0.002  # change of the areas' power below which another round changes no number


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


@dataclass(frozen=True, eq=False)
class _Told:
    """What is known of n tracklets beside the graph, each (n,) or (n, animals); as for `count_animals`."""

    single: NDArray[np.bool_]
    non_ant: NDArray[np.bool_]
    impossible: NDArray[np.bool_]
    labelled: NDArray[np.bool_]


def count_animals(  # noqa: PLR0913  # all of it is known apart
    graph: TrackletGraph,
    animals: int,
    single: NDArray[np.bool_],
    non_ant: NDArray[np.bool_],
    impossible: NDArray[np.bool_],
    span: tuple[int, int] | None = None,
    labelled: NDArray[np.bool_] | None = None,
    possible: NDArray[np.int64] | None = None,
) -> Numbers:
    """Compute the number of animals in each tracklet and along each edge.

    What areas tell is fitted to the session on the way, in turn with the numbers.

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
    labelled : (n,) array of bool, optional
        Tracklets whose label is an ID: there is an animal. By default none.
    possible : (l, 2) array of int64, optional
        Parents and children of links that the tracker did not draw; the numbers on them follow those on the graph's.

    Raises
    ------
    SolvingError
        The linear programme has no solution.
    """
    labelled = np.zeros(len(graph), np.bool_) if labelled is None else labelled
    possible = np.zeros((0, 2), np.int64) if possible is None else possible
    flow = _Flow(graph, animals, _Told(single, non_ant, impossible, labelled), span or graph.span, possible)
    alone = single_area(graph, single & ~non_ant)
    by_area = ~single & ~non_ant & np.isfinite(graph.area) & np.isfinite(alone)
    if not by_area.any():
        return flow.cheapest(by_area, None)
    ratio = graph.area / alone
    model = fit_areas(ratio[by_area], known_numbers(graph, single, non_ant)[by_area])
    if not graph.at_boundary.any():
        grouped = animals - flow.absent - np.rint(at_each_time(graph, (single & ~non_ant).astype(float), flow.times))
        power = power_of_totals(graph, ratio, by_area, grouped.astype(np.int64), flow.times)
        model = model if power is None else replace(model, power=power)
    for _ in range(_ROUNDS):
        numbers = flow.cheapest(by_area, area_costs(ratio[by_area], model, animals))
        before, model = model, fit_areas(ratio[by_area], numbers.tracklet[by_area])
        if abs(model.power - before.power) < _SETTLED:
            break
    return numbers


class _Flow:
    """The linear programme of a group's ways through a graph; only what areas tell changes from round to round."""

    def __init__(
        self,
        graph: TrackletGraph,
        animals: int,
        known: _Told,
        span: tuple[int, int],
        possible: NDArray[np.int64],
    ) -> None:
        count, drawn = len(graph), len(graph.parent)
        parent = np.concatenate([graph.parent, possible[:, 0]])
        child = np.concatenate([graph.child, possible[:, 1]])
        edges = len(parent)
        start, stop = span
        single, non_ant, labelled = known.single, known.non_ant, known.labelled
        self._graph, self._non_ant = graph, non_ant
        times = np.unique(np.concatenate([np.maximum(graph.first, start), graph.last + 1, [start]]))
        self.times, self.absent = times, _absent(graph, known.impossible, times)
        at_start = np.searchsorted(times, np.maximum(graph.first, start))
        at_end = np.searchsorted(times, graph.last + 1)
        rows, moments = np.arange(count), np.arange(len(times))
        at_once, at_last = graph.first <= start, graph.last >= stop
        # Variables by block: in tracklets, along edges, appearing, vanishing, away from time to time; how many less
        # than one; away from the beginning; steps up and down from the number that is expected; and links not taken.
        sizes = [count, edges, count, count, len(times), count, 1, STEPS * count, STEPS * count, drawn]
        self._blocks = np.cumsum([0, *sizes]).tolist()
        inside, along, appear, vanish, away, none, missing, more, fewer, unused, end = self._blocks
        steps, stepped = np.arange(STEPS * count), 2 * count + len(times) + 1 + np.tile(rows, STEPS)
        self._balance = _matrix(
            (3 * count + len(times) + 1, end),
            (rows, inside + rows, 1),
            (child, along + np.arange(edges), -1),
            (rows, appear + rows, -1),
            (count + rows, inside + rows, 1),
            (count + parent, along + np.arange(edges), -1),
            (count + rows, vanish + rows, -1),
            (2 * count + moments, away + moments, 1),
            (2 * count + moments[1:], away + moments[:-1], -1),
            (2 * count + at_start[~at_once], appear + rows[~at_once], 1),
            (2 * count + at_end, vanish + rows, -1),
            (np.array([2 * count]), np.array([missing]), -1),
            (np.full(at_once.sum(), 2 * count + len(times)), appear + rows[at_once], 1),
            (np.array([2 * count + len(times)]), np.array([missing]), 1),
            (stepped[:count], inside + rows, 1),
            (stepped, more + steps, -1),
            (stepped, fewer + steps, 1),
        )
        self._supply = np.concatenate([np.zeros(2 * count + len(times)), [animals]])
        links = np.arange(drawn)
        self._limits = _matrix(
            (count + drawn, end),
            (rows, inside + rows, -1),
            (rows, none + rows, -1),
            (count + links, along + links, -1),
            (count + links, unused + links, -1),
        )
        from_nothing = (np.bincount(graph.child, minlength=count) == 0) & ~at_once
        to_nothing = (np.bincount(graph.parent, minlength=count) == 0) & ~at_last
        empty = np.full(count, _EMPTY)
        for which, least in (
            (from_nothing | to_nothing, _EMPTY_DOUBTFUL),
            (_leads_nowhere(graph, start, stop), _EMPTY_ISOLATED),
        ):
            doubtful = which & ~labelled
            empty[doubtful] = np.minimum(_EMPTY, least + _EMPTY_FRAME * graph.length[doubtful])
        cost = np.zeros(end)
        for part, free, links in (
            (slice(appear, vanish), at_once, graph.child),
            (slice(vanish, away), at_last, graph.parent),
        ):
            gap = np.where(np.bincount(links, minlength=count) > 0, _GAP_IN_PASSING, _GAP)
            cost[part] = np.where(free, 0, np.where(graph.at_boundary, _GAP_AT_BOUNDARY, gap))
        cost[none:missing] = np.where(non_ant, 0, empty)
        cost[missing] = _GAP_AT_BOUNDARY if graph.at_boundary.any() else _GAP_FROM_START
        # A cost for each link, whatever it carries, would not be convex. It is likely to carry as many as the smaller
        # of both tracklets holds.
        areas = np.maximum(1, np.nan_to_num(graph.area / single_area(graph, single & ~non_ant), nan=1.0))
        carried = np.minimum(areas[parent[drawn:]], areas[child[drawn:]])
        cost[along + drawn : appear], cost[unused:end] = _UNDRAWN / carried, _UNUSED
        self._cost = cost
        crowded = np.where(single, np.where(labelled, _CROWDED, _CROWDED_UNLABELLED), 0)
        self._crowded = np.where(non_ant, _NON_ANT_OPEN if graph.at_boundary.any() else _NON_ANT, crowded)
        self._least = np.zeros(end)
        self._least[away:none] = self.absent

    def cheapest(self, by_area: NDArray[np.bool_], told: AreaCosts | None) -> Numbers:
        """The cheapest flow.

        Parameters
        ----------
        by_area : (n,) array of bool
            Tracklets of which the area tells something.
        told : AreaCosts or None
            What it tells of them; None where there are none.
        """
        from scipy.optimize import linprog

        count = len(self._graph)
        inside, along, appear, vanish, away, none, missing, more, fewer, unused, _ = self._blocks
        expected = np.where(self._non_ant, 0, 1)
        up, down = np.repeat(self._crowded[:, None], STEPS, axis=1), np.zeros((count, STEPS))
        cost, most = self._cost.copy(), np.full(self._blocks[-1], np.inf)
        if told is not None:
            expected[by_area], up[by_area], down[by_area] = told.expected, told.up, told.down
            # the area is too small for an animal
            cost[none:missing][by_area & (expected == 0)] = 0
        cost[more:fewer], cost[fewer:unused] = up.T.ravel(), down.T.ravel()
        for first in (more, fewer):
            most[first : first + (STEPS - 1) * count] = 1
        outcome = linprog(
            cost,
            A_ub=self._limits,
            b_ub=-np.ones(self._limits.shape[0]),
            A_eq=self._balance,
            b_eq=np.concatenate([self._supply, expected]),
            bounds=np.column_stack([self._least, most]),
            method="highs-ds",
        )
        if outcome.x is None:
            movies = self._graph.movies.tolist()
            raise SolvingError(f"the numbers of animals in the graph of movies {movies} have no solution")
        flow = np.round(outcome.x).astype(np.int64)
        return Numbers(flow[inside:along], flow[along:appear], flow[appear:vanish], flow[vanish:away])


def _leads_nowhere(graph: TrackletGraph, start: int, stop: int) -> NDArray[np.bool_]:
    """Tracklets, alone or in a row, that come from nothing and go to nothing, (n,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(graph)
    links = coo_array((np.ones(len(graph.parent)), (graph.parent, graph.child)), shape=(count, count))
    number, component = connected_components(links, directed=False)
    into, out = np.bincount(graph.child, minlength=count), np.bincount(graph.parent, minlength=count)
    at_end = (graph.first <= start) | (graph.last >= stop)
    other: NDArray[np.bool_] = np.zeros(number, np.bool_)
    other[component[(into > 1) | (out > 1) | (at_end & (into + out > 0))]] = True
    found: NDArray[np.bool_] = ~other[component]
    return found


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
