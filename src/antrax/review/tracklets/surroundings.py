"""The surroundings of a tracklet: its path, the tracklets just before and after it, and where each ID is meanwhile."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antrax.errors import AntraxError, ExperimentError
from antrax.io.graphs import graph_inputs, read_graph
from antrax.io.names import TrackletName, parse_tracklet_name
from antrax.io.session import Session
from antrax.io.stamps import FileStamp, stamps_of
from antrax.io.tracklet_graph import TrackletGraph
from antrax.io.trdata import BlobMeasurements, read_measurements
from antrax.review.tracklets.assignments import Assignments
from antrax.review.tracklets.catalog import Catalog, MovieIndex
from antrax.review.tracklets.colonies import Colonies
from antrax.review.tracklets.same_time import MOST_NAMED, find_elsewhere

# Seconds before and after a tracklet in which neighbours are looked for; without a frame rate, so many frames.
_NEAR_S, _NEAR_FRAMES = 2.0, 20
# Of those, so many are measured, the nearest in time, and so many are told.
_MEASURED, _TOLD = 60, 4
# A tracklet is near where it is no farther away than so many body lengths.
_NEAR_LENGTHS = 10.0
# Points of a path, at most.
_POINTS = 400


class AtSameTime(StrEnum):
    """Where an ID is while a tracklet is there."""

    HERE = "here"
    ELSEWHERE = "elsewhere"
    TWICE = "twice"
    FREE = "free"


@dataclass(frozen=True)
class Bearer:
    """A tracklet that bears an ID; `by_hand`: it has examples under it."""

    tracklet: TrackletName
    by_hand: bool


@dataclass(frozen=True)
class IdAtTime:
    """Where an ID is while a tracklet is there.

    Parameters
    ----------
    id : str
    where : AtSameTime
        `TWICE` if two tracklets that bear it are there at the same moment.
    bearers : tuple of Bearer
        The other tracklets that bear it, in time.
    """

    id: str
    where: AtSameTime
    bearers: tuple[Bearer, ...]


@dataclass(frozen=True)
class Neighbour:
    """A tracklet that ends just before another one begins, or begins just after it ends.

    Parameters
    ----------
    tracklet : TrackletName
    gap : int
        Frames from the last of the one to the first of the other; 1 where no frame is between them.
    distance : float or None
        Pixels between these two places; None where it is not known.
    by_graph : bool
        Whether the graph tells it.
    """

    tracklet: TrackletName
    gap: int
    distance: float | None
    by_graph: bool


@dataclass(frozen=True, eq=False)
class TrackletPlace:
    """Where a tracklet is.

    Parameters
    ----------
    path : (points, 3) array of float64
        Frame of the movie, x, y; of a long one, some.
    length : float or None
        Length of the animal, in pixels.
    before, after : tuple of Neighbour
        Tracklets with images that are near its begin or end, the nearest first.
    """

    path: NDArray[np.float64]
    length: float | None
    before: tuple[Neighbour, ...]
    after: tuple[Neighbour, ...]


# ---- place


def find_place(session: Session, catalog: Catalog, tracklet: TrackletName) -> TrackletPlace:
    """Path of a tracklet, and the tracklets that end or begin near by.

    Parameters
    ----------
    session : Session
    catalog : Catalog
    tracklet : TrackletName

    Raises
    ------
    TrdataError
        Its movie has no measurements, or damaged ones.
    ExperimentError
        They do not have the tracklet.
    """
    own = read_measurements(session, tracklet.movie, [tracklet.name])
    path = _path_of(own, tracklet)
    if not len(path):
        raise ExperimentError(f"the measurements of movie {tracklet.movie} do not have {tracklet.name}")
    length = float(np.median(own.length)) if np.isfinite(own.length).all() and len(own.length) else None
    entry = session.movies.get(tracklet.movie)
    within = max(2, round(_NEAR_S * entry.fps)) if entry and entry.fps > 0 else _NEAR_FRAMES
    before, after = _in_time(catalog.movie(tracklet.movie), tracklet, within)
    others = read_measurements(session, tracklet.movie, [name.name for name in (*before, *after)])
    largest = None if length is None else _NEAR_LENGTHS * length

    def nearest(names: Iterable[TrackletName], is_before: bool) -> tuple[Neighbour, ...]:
        found = []
        for name in names:
            there = _path_of(others, name)
            here = path[0] if is_before else path[-1]
            distance = float(np.hypot(*(there[-1 if is_before else 0] - here)[1:])) if len(there) else None
            if distance is not None and (largest is None or distance <= largest):
                gap = tracklet.first - name.last if is_before else name.first - tracklet.last
                found.append(Neighbour(name, gap, distance, by_graph=False))
        found.sort(key=lambda one: (one.distance or 0.0, one.gap, one.tracklet.name))
        return tuple(found[:_TOLD])

    kept = np.unique(np.linspace(0, len(path) - 1, min(len(path), _POINTS)).round().astype(int))
    return TrackletPlace(path[kept], length, nearest(before, True), nearest(after, False))


def _path_of(measurements: BlobMeasurements, tracklet: TrackletName) -> NDArray[np.float64]:
    """Frame, x, y of each blob of a tracklet, (blobs, 3)."""
    rows = measurements.rows(tracklet.name)
    x, y = measurements.x[rows].astype(float), measurements.y[rows].astype(float)
    frames = measurements.frame[rows].astype(float)
    if len(frames) and not frames.all():  # which frames were left out is not known
        frames = np.linspace(tracklet.first, tracklet.last, len(frames)).round()
    path: NDArray[np.float64] = np.stack([frames, x, y], 1)
    known: NDArray[np.float64] = path[np.isfinite(path).all(1)]
    return known


def _in_time(
    index: MovieIndex, tracklet: TrackletName, within: int
) -> tuple[Sequence[TrackletName], Sequence[TrackletName]]:
    """Tracklets that end at most so many frames before one, and those that begin so many after it; nearest first."""
    first, last = _spans_of(index)
    before = np.flatnonzero((last < tracklet.first) & (last >= tracklet.first - within))
    after = np.flatnonzero((first > tracklet.last) & (first <= tracklet.last + within))
    before = before[np.argsort(-last[before], kind="stable")][:_MEASURED]
    after = after[np.argsort(first[after], kind="stable")][:_MEASURED]
    return [index.names[place] for place in before.tolist()], [index.names[place] for place in after.tolist()]


_spans: OrderedDict[int, tuple[MovieIndex, NDArray[np.int64], NDArray[np.int64]]] = OrderedDict()
_spans_lock = threading.Lock()
_SPANS_KEPT = 4


def _spans_of(index: MovieIndex) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last frames of all tracklets of a movie; of the movies that were asked about last, they are kept."""
    with _spans_lock:
        known = _spans.get(id(index))
        if known is None or known[0] is not index:
            first = np.array([name.first for name in index.names], np.int64)
            last = np.array([name.last for name in index.names], np.int64)
            known = _spans[id(index)] = (index, first, last)
        _spans.move_to_end(id(index))
        while len(_spans) > _SPANS_KEPT:
            _spans.popitem(last=False)
        return known[1], known[2]


# ---- the graph


class GraphNeighbours:
    """Neighbours by the graph of tracklets; the graph of the movie asked about last is kept. Thread-safe.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._kept: tuple[tuple[int, ...], dict[Path, FileStamp | None], TrackletGraph] | None = None

    def of(self, tracklet: TrackletName) -> tuple[tuple[Neighbour, ...], tuple[Neighbour, ...]]:
        """Tracklets that lead into one, and those that come out of it.

        Raises
        ------
        AntraxError
            There is no graph, or a damaged one, or it does not have the tracklet.
        """
        graph = self._graph(tracklet.movie)
        row = graph.row.get(tracklet.name)
        if row is None:
            raise ExperimentError(f"the graph in {self._session.layout.graphs} does not have {tracklet.name}")

        def told(other: int, parent: int, child: int) -> Neighbour | None:
            name = parse_tracklet_name(str(graph.names[other]))
            if name is None:
                return None
            distance = float(np.hypot(*(graph.start[child] - graph.end[parent]).astype(float)))
            gap = int(graph.first[child] - graph.last[parent])
            return Neighbour(name, gap, distance if np.isfinite(distance) else None, by_graph=True)

        before = (told(parent, parent, row) for parent in graph.parents[row].tolist())
        after = (told(child, row, child) for child in graph.children[row].tolist())
        return tuple(one for one in before if one), tuple(one for one in after if one)

    def _graph(self, movie: int) -> TrackletGraph:
        # edges lead to the neighbouring movies too
        movies = (movie - 1, movie, movie + 1)
        with self._lock:
            stamps = stamps_of(graph_inputs(self._session, movies))
            if self._kept is None or self._kept[:2] != (movies, stamps):
                reading = read_graph(self._session, movies)
                if movie in reading.failed:
                    raise ExperimentError(reading.failed[movie])
                self._kept = (movies, stamps, reading.graph)
            return self._kept[2]


# ---- IDs


def ids_at_same_time(
    tracklet: TrackletName,
    label: str | None,
    ants: Sequence[str],
    assignments: Assignments,
    examples: Mapping[str, Collection[str]],
    colonies: Colonies,
) -> tuple[IdAtTime, ...]:
    """Where each ID is while a tracklet is there. What a person labelled counts before what was classified.

    Parameters
    ----------
    tracklet : TrackletName
    label : str or None
        Its label.
    ants : sequence of str
        The IDs.
    assignments : Assignments
    examples : mapping of str to collection of str
        Labels under which tracklets have examples, by the tracklet's name.
    colonies : Colonies
        Where there are several, only tracklets of the same colony count.
    """
    bearers: dict[str, dict[str, Bearer]] = defaultdict(dict)
    try:
        found = find_elsewhere(assignments, tracklet, frozenset(ants), colonies)
    except AntraxError:  # damaged results are told elsewhere
        found = {}
    for id_, names in found.items():
        for name in names:
            if name not in examples and (parsed := parse_tracklet_name(name)):
                bearers[id_][name] = Bearer(parsed, by_hand=False)
    by_hand = [
        (parsed, next(iter(labels)))
        for name, labels in examples.items()
        if len(labels) == 1 and name != tracklet.name and (parsed := parse_tracklet_name(name))
        if parsed.movie == tracklet.movie and parsed.first <= tracklet.last and parsed.last >= tracklet.first
    ]
    if by_hand and colonies.names and not colonies.problem:
        belongs = colonies.of_movie(tracklet.movie, [tracklet, *(name for name, _ in by_hand)])
        by_hand = [one for one in by_hand if belongs[one[0].name] == belongs[tracklet.name]]
    for labelled, id_ in by_hand:
        bearers[id_][labelled.name] = Bearer(labelled, by_hand=True)
    told = []
    for id_ in ants:
        others = sorted(bearers[id_].values(), key=lambda one: (one.tracklet.first, one.tracklet.name))[:MOST_NAMED]
        is_here = id_ == label
        if (is_here and others) or _overlap([one.tracklet for one in others]):
            where = AtSameTime.TWICE
        elif is_here:
            where = AtSameTime.HERE
        else:
            where = AtSameTime.ELSEWHERE if others else AtSameTime.FREE
        told.append(IdAtTime(id_, where, tuple(others)))
    return tuple(told)


def _overlap(names: Sequence[TrackletName]) -> bool:
    """Whether two of some tracklets, sorted by their first frame, share a frame."""
    last = 0
    for name in names:
        if name.first <= last:
            return True
        last = max(last, name.last)
    return False
