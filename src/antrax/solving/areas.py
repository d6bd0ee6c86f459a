"""Model of the number of animals in a blob, given its area.

Animals in a group overlap, the more the larger the group: n of them cover the area of one, times n to a power below 1.
The power, and how far areas scatter about that, are fitted to the session: first to what is known without any area
(groups that single animals merge into or part from; in a closed arena, the areas of all groups together against the
number of animals that are not alone), then to the numbers that follow from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antrax.io.tracklet_graph import TrackletGraph

#: Steps, of an animal each, up and down from what the area tells; the last is of any number.
STEPS = 3
POWER = -0.12  # prior, of simulated colonies (`benchmarks/fitted_constants.py areas`), with the weight of _PRIOR groups
_PRIOR = 4.0
_LEAST_POWER, _MOST_POWER = -0.5, 0.1
_ENOUGH = 10  # groups of known number from which scatter can be fitted
SCATTER = 0.2  # relative standard deviation of areas where it cannot be fitted
_LEAST_SCATTER, _MOST_SCATTER = 0.08, 0.4
_ROUNDS = 20  # of the fit
_OFF = 0.02  # relative deviations below this count as this
_LEAST_ADDED = 0.2  # areas of one animal that another adds at least
_MOST_COST = 2.0  # nats for one animal more or less: areas mislead now and then
_INDEPENDENT = 0.3  # part of what an area tells that the areas before and after, of mostly the same animals, do not
_SAME = 0.05  # nats by which a step costs at least


@dataclass(frozen=True)
class AreaModel:
    """Model of the area of a group of animals.

    Parameters
    ----------
    power : float
        n animals cover n to the power of 1 + `power` times the area of one alone; negative, for animals overlap.
    scatter : float
        Relative standard deviation of areas about that.
    """

    power: float
    scatter: float

    def areas(self, most: int) -> NDArray[np.float64]:
        """Areas of 0 to `most` animals, in areas of one alone, (most + 1,)."""
        grown = np.arange(1, most + 1) ** (1 + self.power)
        added = np.maximum(np.diff(grown), _LEAST_ADDED)
        return np.concatenate([[0.0], 1 + np.concatenate([[0.0], np.cumsum(added)])])


@dataclass(frozen=True, eq=False)
class AreaCosts:
    """Most likely numbers of animals by area, and costs of other numbers, for n tracklets.

    Parameters
    ----------
    expected : (n,) array of int64
        The most likely number.
    up, down : (n, STEPS) array of float64
        Cost in nats of each animal more, and less; never falling from step to step.
    """

    expected: NDArray[np.int64]
    up: NDArray[np.float64]
    down: NDArray[np.float64]


def single_area(graph: TrackletGraph, single: NDArray[np.bool_]) -> float:
    """Mean area of a single animal in m², weighted by frames; NaN where no tracklet tells it."""
    known = single & np.isfinite(graph.area)
    return float(np.average(graph.area[known], weights=graph.length[known])) if known.any() else float("nan")


def known_numbers(graph: TrackletGraph, single: NDArray[np.bool_], non_ant: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Numbers of animals that the graph alone tells, (n,); -1 where it does not.

    Parameters
    ----------
    graph : TrackletGraph
    single, non_ant : (n,) array of bool
        Tracklets of a single animal, and of none.
    """
    count = len(graph)
    found = np.where(non_ant, 0, np.where(single, 1, -1))
    one_child = np.bincount(graph.parent, minlength=count) == 1
    one_parent = np.bincount(graph.child, minlength=count) == 1
    # Rows are in order of time: one pass each way follows chains of merges, and of partings.
    for order, before, only in (
        (range(count), graph.parents, one_child),
        (range(count - 1, -1, -1), graph.children, one_parent),
    ):
        for row in order:
            if found[row] < 0 and len(before[row]) and only[before[row]].all() and (found[before[row]] >= 0).all():
                found[row] = found[before[row]].sum()
    return found


def fit_areas(ratio: NDArray[np.float64], numbers: NDArray[np.int64]) -> AreaModel:
    """Fit the model to groups of known size.

    Parameters
    ----------
    ratio : (m,) array of float64
        Area of each group over that of a single animal.
    numbers : (m,) array of int64
        Animals in each; those of fewer than two are left out.

    Examples
    --------
    >>> numbers = np.repeat([2, 3, 5, 8], 10)
    >>> round(fit_areas(numbers**0.8, numbers).power, 2)
    -0.2
    """
    usable = (numbers >= 2) & (ratio > 0)
    size, loss = np.log(numbers[usable]), np.log(ratio[usable] / numbers[usable])
    weight, power, off = np.ones(len(loss)), POWER, loss
    for _ in range(_ROUNDS):
        # Least absolute deviations, by weighted least squares: some areas are far off.
        power = ((weight * size * loss).sum() + _PRIOR * POWER) / ((weight * size**2).sum() + _PRIOR)
        off = np.abs(loss - power * size)
        weight = 1 / np.maximum(off, _OFF)
    scatter = 1.4826 * float(np.median(off)) if len(off) >= _ENOUGH else SCATTER
    return AreaModel(
        float(np.clip(power, _LEAST_POWER, _MOST_POWER)), float(np.clip(scatter, _LEAST_SCATTER, _MOST_SCATTER))
    )


def power_of_totals(
    graph: TrackletGraph,
    ratio: NDArray[np.float64],
    groups: NDArray[np.bool_],
    grouped: NDArray[np.int64],
    times: NDArray[np.int64],
) -> float | None:
    """The power by which all groups together have the area that they have; None where nothing tells it.

    Parameters
    ----------
    graph : TrackletGraph
    ratio : (n,) array of float64
        Area of each tracklet over that of a single animal.
    groups : (n,) array of bool
        Tracklets of several animals.
    grouped : (t,) array of int64
        Animals in all of them, from each time to the next.
    times : (t,) array of int64
        Frames at which tracklets start or have ended, sorted.
    """
    number = at_each_time(graph, groups.astype(np.float64), times)
    area = at_each_time(graph, np.where(groups & np.isfinite(ratio), ratio, 0.0), times)
    length = np.diff(times, append=times[-1])
    usable = (number >= 1) & (grouped >= 2 * number) & (area > 0) & (length > 0)
    if not usable.any():
        return None
    # As if all groups at a time were of the same size, which those that hold most of the animals are, about.
    power = np.log(area[usable] / grouped[usable]) / np.log(grouped[usable] / number[usable])
    order = np.argsort(power)
    half = np.searchsorted(np.cumsum(length[usable][order]), length[usable].sum() / 2)
    return float(np.clip(power[order[min(half, len(order) - 1)]], _LEAST_POWER, _MOST_POWER))


def at_each_time(graph: TrackletGraph, values: NDArray[np.float64], times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum of the values of the tracklets that exist from each time to the next, (t,).

    Parameters
    ----------
    graph : TrackletGraph
    values : (n,) array of float64
    times : (t,) array of int64
        Frames at which tracklets start or have ended, sorted.
    """
    begin = np.searchsorted(times, np.maximum(graph.first, times[0]))
    end = np.searchsorted(times, graph.last + 1)
    change = np.bincount(begin, values, len(times)) - np.bincount(end, values, len(times))
    found: NDArray[np.float64] = np.cumsum(change)
    return found


def area_costs(ratio: NDArray[np.float64], model: AreaModel, animals: int) -> AreaCosts:
    """How many animals areas tell.

    Parameters
    ----------
    ratio : (m,) array of float64
        Area of each group over that of a single animal.
    model : AreaModel
    animals : int
        Size of the whole group.
    """
    spread = model.scatter * np.maximum(ratio, 1)
    cost = ((ratio[:, None] - model.areas(animals)) / spread[:, None]) ** 2 / 2 * _INDEPENDENT
    best = cost.argmin(1)
    steps = []
    for sign in (1, -1):
        step = np.full((len(ratio), STEPS), _MOST_COST)
        for number in range(STEPS):
            at = best + sign * (number + 1)
            here = np.flatnonzero((at >= 0) & (at <= animals))
            step[here, number] = cost[here, at[here]] - cost[here, at[here] - sign]
        # Costs that do not fall from step to step are convex: then the cheapest flow is in whole animals.
        steps.append(np.maximum.accumulate(np.clip(step, _SAME, _MOST_COST), axis=1))
    return AreaCosts(best, steps[0], steps[1])
