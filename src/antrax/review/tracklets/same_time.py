"""Tracklets that exist at the same time: IDs assigned elsewhere, and conflicts."""

from __future__ import annotations

import heapq
import threading
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from antrax.io.names import TrackletName, parse_tracklet_name
from antrax.review.tracklets.assignments import Assignments
from antrax.review.tracklets.colonies import Colonies

# Of a tracklet in conflict with very many, so many are named.
MOST_NAMED = 10


@dataclass(frozen=True)
class _Bearers:
    """The tracklets of a movie that bear an ID, with the first and the last frame of each; arrays of shape (N,)."""

    names: list[TrackletName]
    labels: list[str]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


_bearers: WeakKeyDictionary[Assignments, dict[int, tuple[object, _Bearers]]]
_bearers = WeakKeyDictionary()


def find_elsewhere(
    assignments: Assignments, tracklet: TrackletName, ants: Collection[str], colonies: Colonies | None = None
) -> Mapping[str, tuple[str, ...]]:
    """IDs that other tracklets bear while this one is there.

    Parameters
    ----------
    assignments : Assignments
    tracklet : TrackletName
    ants : collection of str
        Labels that are IDs.
    colonies : Colonies, optional
        Where there are several, only tracklets of the same colony count.

    Returns
    -------
    mapping
        The other tracklets by ID, at most `MOST_NAMED` of each, in time.

    Raises
    ------
    ExperimentError
        The movie's results are damaged.
    """
    bearers = _bearers_of(assignments, tracklet.movie, ants)
    places = np.flatnonzero((bearers.first <= tracklet.last) & (bearers.last >= tracklet.first)).tolist()
    others = [place for place in places if bearers.names[place].name != tracklet.name]
    if colonies and colonies.names and not colonies.problem:
        names = [tracklet, *(bearers.names[place] for place in others)]
        belongs = colonies.of_movie(tracklet.movie, names)
        own = belongs[tracklet.name]
        others = [place for place in others if belongs[bearers.names[place].name] == own]
    found: dict[str, list[str]] = defaultdict(list)
    for place in sorted(others, key=lambda place: (bearers.names[place].first, bearers.names[place].name)):
        if len(found[bearers.labels[place]]) < MOST_NAMED:
            found[bearers.labels[place]].append(bearers.names[place].name)
    return {label: tuple(names) for label, names in found.items()}


def _bearers_of(assignments: Assignments, movie: int, ants: Collection[str]) -> _Bearers:
    """Remembered until the movie's results are others."""
    results = assignments.movie(movie)
    key = (assignments.classification(movie), frozenset(ants))
    with _remembering:
        known = _bearers.setdefault(assignments, {})
        if movie in known and known[movie][0] == key:
            return known[movie][1]
    found = [
        (name, assignment.label)
        for tracklet, assignment in results.items()
        if assignment.label in ants and (name := parse_tracklet_name(tracklet))
    ]
    names = [name for name, _ in found]
    bearers = _Bearers(
        names,
        [label for _, label in found],
        np.array([name.first for name in names], np.int64),
        np.array([name.last for name in names], np.int64),
    )
    with _remembering:
        known[movie] = (key, bearers)
    return bearers


_remembered: WeakKeyDictionary[Assignments, dict[int, tuple[object, Mapping[str, tuple[str, ...]]]]]
_remembered = WeakKeyDictionary()
_remembering = threading.Lock()


def find_conflicts(
    assignments: Assignments, movie: int, ants: Collection[str], colonies: Colonies | None = None
) -> Mapping[str, tuple[str, ...]]:
    """Tracklets of a movie that bear an ID that another bears at the same time.

    Remembered until the movie's results are others.

    Parameters
    ----------
    assignments : Assignments
    movie : int
    ants : collection of str
        Labels that are IDs.
    colonies : Colonies, optional
        Where there are several, each has an animal of its own of that ID, and only tracklets of one colony contradict
        one another.

    Returns
    -------
    mapping
        The others by tracklet, at most `MOST_NAMED` of them.

    Raises
    ------
    ExperimentError
        The movie's results are damaged.
    """
    results = assignments.movie(movie)
    several = colonies if colonies and colonies.names and not colonies.problem else None
    key = (assignments.classification(movie), frozenset(ants), several is not None)
    with _remembering:
        known = _remembered.setdefault(assignments, {})
        if movie in known and known[movie][0] == key:
            return known[movie][1]
    bearers = [(tracklet, assignment.label) for tracklet, assignment in results.items() if assignment.label in ants]
    groups: dict[tuple[str, str | None], list[TrackletName]] = defaultdict(list)
    belongs = several.of_movie(movie, [tracklet for tracklet, _ in bearers]) if several else {}
    for tracklet, label in bearers:
        if name := parse_tracklet_name(tracklet):
            groups[label, belongs.get(tracklet)].append(name)
    others: dict[str, list[str]] = defaultdict(list)
    for names in groups.values():
        _add_overlaps(names, others)
    conflicts = MappingProxyType({tracklet: tuple(found) for tracklet, found in others.items()})
    with _remembering:
        known[movie] = (key, conflicts)
    return conflicts


def _add_overlaps(names: list[TrackletName], others: dict[str, list[str]]) -> None:
    """Add pairs of tracklets that share a frame, going through time once.

    Those that are under way at one moment all overlap, so each of them has met another already, and it is enough to
    tell a new one of some.
    """
    under_way: list[tuple[int, str]] = []  # last frame and name; a heap, the first to end on top
    for name in sorted(names, key=lambda name: (name.first, name.last, name.name)):
        while under_way and under_way[0][0] < name.first:
            heapq.heappop(under_way)
        for _, other in under_way[:MOST_NAMED]:
            others[name.name].append(other)
            if len(others[other]) < MOST_NAMED:
                others[other].append(name.name)
        heapq.heappush(under_way, (name.last, name.name))
