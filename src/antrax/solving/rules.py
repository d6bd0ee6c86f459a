"""anTraX's rules: identities spread from labelled tracklets along the graph, one ID after another.

The rules, checked against what MATLAB stored for a real session (in words: Gal et al., anTraX, eLife 2020):
a state "possible" and a state "assigned" for each tracklet and ID. Labelled tracklets of a single animal are assigned
in order of their scores; an assignment spreads to a parent or child where there is only one way to go; sets of animals
that merge and part again unchanged (pairs) hand over what they are assigned; components of the graph that contradict
better ones are dropped. Nothing of it is a probability, and an early wrong assignment is final but for the last rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from antrax.io.tracklet_graph import TrackletGraph
from antrax.solving.evidence import Evidence
from antrax.solving.singles import find_singles

_PRUNE_FRAMES = 100


@dataclass(frozen=True)
class RuleOptions:
    """Numbers that the rules use; the defaults are anTraX's.

    Parameters
    ----------
    min_area, max_area : float
        Mean area of a single animal in m².
    pairs_depth : int
        How many edges the tracklets of a pair lie apart at most.
    iterations : int
        How often all rules are run at most.
    long_enough : int
        Frames from which on a component without an assignment gives soft assignments.
    soft : bool
        Whether there are soft assignments at all.
    """

    min_area: float = 1e-6
    max_area: float = 3.5e-6
    pairs_depth: int = 10
    iterations: int = 10
    long_enough: int = 2000
    soft: bool = True


@dataclass(eq=False)
class RuleState:
    """State of the rules; n tracklets, k IDs.

    Parameters
    ----------
    possible, assigned : (n, k) array of bool
    source : (n, k) array of bool
        Assignments that are the tracklet's own label, or by hand.
    single : (n,) array of bool
    contradictions : list of (int, int)
        Tracklet and ID of each assignment that was impossible when it was its turn.
    soft : (n, k) array of bool
        Weaker assignments, of the last rule.
    """

    possible: NDArray[np.bool_]
    assigned: NDArray[np.bool_]
    source: NDArray[np.bool_]
    single: NDArray[np.bool_]
    contradictions: list[tuple[int, int]] = field(default_factory=list)
    soft: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), np.bool_))


def solve_by_rules(graph: TrackletGraph, given: Evidence, options: RuleOptions) -> RuleState:
    """Run anTraX's rules on the movies of one group and one colony: each movie first, then all together.

    Parameters
    ----------
    graph : TrackletGraph
    given : Evidence
    options : RuleOptions

    Returns
    -------
    RuleState
    """
    count, ids = given.impossible.shape
    state = RuleState(
        np.ones((count, ids), bool), np.zeros((count, ids), bool), np.zeros((count, ids), bool), np.zeros(count, bool)
    )
    if len(graph.movies) > 1:
        for movie in graph.movies.tolist():
            keep = graph.movie == movie
            part = _Rules(graph.select(keep, [movie]), given.select(keep), options, None)
            part.run(first=True)
            state.possible[keep], state.assigned[keep] = part.possible, part.assigned
    whole = _Rules(graph, given, options, state if len(graph.movies) > 1 else None)
    whole.run(first=False)
    found = RuleState(whole.possible, whole.assigned, whole.source, whole.single, whole.contradictions)
    found.soft = _soft(whole, options) if options.soft else np.zeros_like(whole.assigned)
    return found


class _Rules:
    """The rules on one graph. Numbers are those of the list in docs/solving.md."""

    def __init__(self, graph: TrackletGraph, given: Evidence, options: RuleOptions, before: RuleState | None) -> None:
        self.graph = graph
        self.options = options
        self.first, self.last = graph.first, graph.last
        self._longest = int(graph.length.max(initial=1))
        count, ids = given.impossible.shape
        self.possible = np.ones((count, ids), bool) if before is None else before.possible.copy()
        self.assigned = np.zeros((count, ids), bool) if before is None else before.assigned.copy()
        self.source = np.zeros((count, ids), bool)
        self.score = np.zeros((count, ids))
        self.contradictions: list[tuple[int, int]] = []
        self.single, self.present = find_singles(graph, given, options.min_area, options.max_area)
        self.possible[~self.present] = False
        self.possible[given.impossible] = False
        self.sources = self._sources(given)
        self.pairs = find_pairs(graph, options.pairs_depth)

    def _sources(self, given: Evidence) -> list[tuple[int, int]]:
        """4: single tracklets with an ID, and assignments by hand, by falling score."""
        rows = np.flatnonzero(self.single & (given.label >= 0) & self.present)
        found = {(int(row), int(given.label[row])): float(given.score[row]) for row in rows}
        for row, animal in zip(*np.nonzero(given.fixed), strict=True):
            found[int(row), int(animal)] = np.inf
        for (row, animal), score in found.items():
            self.score[row, animal] = score
            self.source[row, animal] = True
        return sorted(found, key=lambda pair: -found[pair])

    def run(self, first: bool) -> None:
        """8: all rules until nothing changes. `first` in the first round, of single movies."""
        for row, animal in self.sources:
            self.assign(row, animal)
        for _ in range(self.options.iterations):
            before = self.possible.copy(), self.assigned.copy()
            self._spread()
            self._use_pairs()
            self._spread()
            for animal in range(self.possible.shape[1]):
                for component in self._filter_components(animal, first):
                    self._prune(animal, component)
            if np.array_equal(before[0], self.possible) and np.array_equal(before[1], self.assigned):
                break

    def overlapping(self, row: int) -> NDArray[np.int64]:
        """Other tracklets that exist at some frame of this one's."""
        low = int(np.searchsorted(self.first, self.first[row] - self._longest))
        high = int(np.searchsorted(self.first, self.last[row], side="right"))
        rows = np.arange(low, high)
        found: NDArray[np.int64] = rows[(self.last[low:high] >= self.first[row]) & (rows != row)]
        return found

    def assign(self, row: int, animal: int) -> None:
        """5, and 6 at once, depth first."""
        waiting = [iter([row])]
        while waiting:
            target = next(waiting[-1], None)
            if target is None:
                waiting.pop()
                continue
            if self._mark(target, animal):
                waiting.append(self._ways(target, animal))

    def _mark(self, row: int, animal: int) -> bool:
        if self.assigned[row, animal]:
            return False
        if not self.possible[row, animal]:
            self.contradictions.append((row, animal))
            return False
        self.assigned[row, animal] = True
        if self.single[row]:
            self.possible[row, np.arange(self.possible.shape[1]) != animal] = False
        others = self.overlapping(row)
        self.possible[others[~self.assigned[others, animal]], animal] = False
        return True

    def _ways(self, row: int, animal: int) -> Iterator[int]:
        """6: the only parent, then the only child, that can have the ID; looked up when it is their turn."""
        for neighbours in (self.graph.parents[row], self.graph.children[row]):
            if len(neighbours) and not self.assigned[neighbours, animal].any():
                can = neighbours[self.possible[neighbours, animal]]
                if len(can) == 1:
                    yield int(can[0])

    def _spread(self) -> None:
        while True:
            before = int(self.assigned.sum())
            for row, animal in zip(*np.nonzero(self.assigned), strict=True):
                for target in self._ways(int(row), int(animal)):
                    self.assign(target, int(animal))
            if int(self.assigned.sum()) == before:
                return

    def _use_pairs(self) -> None:
        """7: what one of a pair is assigned the other gets; shortest pairs first."""
        while True:
            changed = False
            for one, other, _ in self.pairs:
                for animal in np.flatnonzero(self.assigned[one] != self.assigned[other]):
                    if not (self.possible[one, animal] and self.possible[other, animal]):
                        continue
                    if not self._joined(one, other, int(animal)):
                        continue
                    self.assign(other if self.assigned[one, animal] else one, int(animal))
                    changed = True
            if not changed:
                return

    def _joined(self, one: int, other: int, animal: int) -> bool:
        """Whether a path of tracklets that can have the ID leads from one to the other."""
        seen, waiting = {one}, [one]
        while waiting:
            for child in self.graph.children[waiting.pop()].tolist():
                if child == other:
                    return True
                if child not in seen and self.first[child] < self.first[other] and self.possible[child, animal]:
                    seen.add(child)
                    waiting.append(child)
        return False

    def _components(self, animal: int) -> list[NDArray[np.int64]]:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        rows = np.flatnonzero(self.possible[:, animal])
        new = np.full(len(self.graph), -1)
        new[rows] = np.arange(len(rows))
        parent, child = new[self.graph.parent], new[self.graph.child]
        inside = (parent >= 0) & (child >= 0)
        size = len(rows)
        matrix = coo_array((np.ones(inside.sum()), (parent[inside], child[inside])), shape=(size, size))
        number, component = connected_components(matrix, directed=False)
        order = np.argsort(component, kind="stable")
        return np.split(rows[order], np.cumsum(np.bincount(component, minlength=number))[:-1]) if size else []

    def _filter_components(self, animal: int, first: bool) -> list[NDArray[np.int64]]:
        """9: keep the best component of each stretch of time."""
        start, stop = self.graph.span
        found = []
        for rows in self._components(animal):
            span = int(self.first[rows].min()), int(self.last[rows].max())
            sources = rows[self.source[rows, animal] & self.assigned[rows, animal]]
            best = self.score[sources, animal].max(initial=0.0) if len(sources) else 0.1
            best = 1000.0 if np.isinf(best) else best
            worth = (span[1] - span[0] + 1) * (0.1 + self.assigned[rows, animal].mean()) * (0.1 + len(sources)) * best
            found.append((len(sources) > 0, worth, span, rows))
        found.sort(key=lambda entry: (-entry[0], -entry[1]))
        kept: list[tuple[tuple[int, int], NDArray[np.int64]]] = []
        for has_source, _, span, rows in found:
            at_end = span[0] <= start or span[1] >= stop
            crossed = [other for other, _ in kept if other[0] <= span[1] and span[0] <= other[1]]
            if not crossed or (at_end and first):
                kept.append((span, rows))
            elif len(crossed) == 1 and has_source:
                low, high = crossed[0]
                inside = (self.first[rows] <= high) & (self.last[rows] >= low)
                self._drop(animal, rows[inside])
                rest = rows[~inside]
                if len(rest):
                    kept.append(((int(self.first[rest].min()), int(self.last[rest].max())), rest))
            else:
                self._drop(animal, rows)
        return [rows for _, rows in kept]

    def _drop(self, animal: int, rows: NDArray[np.int64]) -> None:
        held = rows[self.assigned[rows, animal]]
        self.assigned[rows, animal] = False
        self.possible[rows, animal] = False
        freed = {int(row) for one in held for row in self.overlapping(int(one))}
        for row in freed:
            if not self.assigned[row].any() or not self.single[row]:
                self.possible[row, animal] = True

    def _prune(self, animal: int, rows: NDArray[np.int64]) -> None:
        """10: tracklets that neither a beginning nor an end of the component leads to."""
        inside = np.zeros(len(self.graph), bool)
        inside[rows] = True
        low, high = int(self.first[rows].min()), int(self.last[rows].max())
        for neighbours, back, near in (
            (self.graph.children, self.graph.parents, self.first[rows] <= low + _PRUNE_FRAMES),
            (self.graph.parents, self.graph.children, self.last[rows] >= high - _PRUNE_FRAMES),
        ):
            ends = [int(row) for row in rows[near] if not inside[back[row]].any()]
            reached = np.zeros(len(self.graph), bool)
            reached[ends] = True
            while ends:
                for row in neighbours[ends.pop()].tolist():
                    if inside[row] and not reached[row]:
                        reached[row] = True
                        ends.append(row)
            lost = rows[~reached[rows]]
            self.possible[lost, animal] = False
            self.assigned[lost, animal] = False


def find_pairs(graph: TrackletGraph, depth: int) -> list[tuple[int, int, int]]:
    """7: tracklets that hold the same set of animals, before and after something happened in between.

    Returns
    -------
    list of (int, int, int)
        Rows of the two, and the number of edges between them; by falling nearness, then in order of rows.
    """
    pairs = []
    for one in np.flatnonzero(np.bincount(graph.child, minlength=len(graph)) > 1).tolist():
        pairs += [(one, other, distance) for other, distance in _partners(graph, one, depth)]
    return sorted(pairs, key=lambda pair: (pair[2], pair[0], pair[1]))


def _partners(graph: TrackletGraph, one: int, depth: int) -> Iterable[tuple[int, int]]:
    distance = {one: 0}
    ring = [one]
    for step in range(1, depth + 1):
        ring = sorted({child for row in ring for child in graph.children[row].tolist()} - set(distance))
        distance.update(dict.fromkeys(ring, step))
    candidates = [row for row in distance if row != one]
    if not candidates:
        return
    horizon = graph.last[candidates].max()
    descendants = _reach(graph.children, one, graph.first, horizon)
    rows = np.array(sorted(descendants))
    first, last = graph.first[rows], graph.last[rows]
    for other in candidates:
        if distance[other] == 1:
            if len(graph.children[one]) == 1 and len(graph.parents[other]) == 1:
                yield other, 1
            continue
        meets = (first <= graph.last[other]) & (last >= graph.first[other]) & (rows != other)
        if meets.any():
            continue
        ancestors = _reach(graph.parents, other, -graph.last, -graph.first[one])
        if any(
            graph.last[row] >= graph.first[one] and graph.first[row] <= graph.last[one] for row in ancestors - {one}
        ):
            continue
        between = {row for row in descendants if graph.last[row] < graph.first[other]}
        leading = {row for row in ancestors if graph.first[row] > graph.last[one]}
        if between == leading:
            yield other, distance[other]


def _reach(neighbours: tuple[NDArray[np.int64], ...], start: int, key: NDArray[np.int64], limit: int) -> set[int]:
    """Rows that can be reached from a row, without it, through rows whose key is at most the limit."""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        for row in neighbours[waiting.pop()].tolist():
            if row not in seen and key[row] <= limit:
                seen.add(row)
                waiting.append(row)
    return seen


def _soft(rules: _Rules, options: RuleOptions) -> NDArray[np.bool_]:
    """12: tracklets that are the only possible one of an ID at each of their frames."""
    graph = rules.graph
    soft = np.zeros_like(rules.assigned)
    for animal in range(soft.shape[1]):
        for rows in rules._components(animal):
            duration = int(rules.last[rows].max() - rules.first[rows].min() + 1)
            if not rules.assigned[rows, animal].any() and duration < options.long_enough:
                continue
            can = np.zeros(len(graph), bool)
            can[rows] = True
            for row in rows[~rules.assigned[rows, animal]].tolist():
                if not rules.possible[rules.overlapping(row), animal].any():
                    soft[row, animal] = True
    return soft
