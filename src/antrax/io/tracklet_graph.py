"""The graph of tracklets: edges lead from a tracklet to those that its animals are in next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import GraphError

COLUMNS = ("names", "movie", "first", "last", "area", "colony", "start", "end", "at_boundary")


@dataclass(frozen=True, eq=False)
class TrackletGraph:
    """Tracklets, and the edges from each to those that its animals are in next.

    Rows are sorted by first frame, then last frame, then name, so that parents come before their children and results
    do not depend on the order of files.

    Parameters
    ----------
    names : (n,) array of str
        Names, unique.
    movie : (n,) array of int32
        Index of the movie.
    first, last : (n,) array of int64
        First and last absolute frame (1-based, inclusive).
    area : (n,) array of float64
        Mean area in m²; NaN where it is not known.
    colony : (n,) array of str
        Colony; empty where there is one colony, or it is not known.
    start, end : (n, 2) array of float32
        Centroid x, y in pixels at the first and the last frame; NaN where it is not known.
    at_boundary : (n,) array of bool
        Whether the blob touched an open boundary of the arena.
    parent, child : (e,) array of int64
        Edges as row numbers, sorted by parent, then child; links across movies among them.
    movies : (m,) array of int32
        Movies that the graph is of, sorted; a movie may have no tracklet.
    movie_first, movie_last : (m,) array of int64
        First and last absolute frame of each.

    Raises
    ------
    GraphError
        Two tracklets have the same name, a tracklet ends before it starts, or an edge is impossible: to a row that is
        not there, to a tracklet that does not start after its parent has ended (a cycle has such an edge), or given
        twice.
    """

    names: NDArray[np.str_]
    movie: NDArray[np.int32]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    area: NDArray[np.float64]
    colony: NDArray[np.str_]
    start: NDArray[np.float32]
    end: NDArray[np.float32]
    at_boundary: NDArray[np.bool_]
    parent: NDArray[np.int64]
    child: NDArray[np.int64]
    movies: NDArray[np.int32]
    movie_first: NDArray[np.int64]
    movie_last: NDArray[np.int64]

    def __post_init__(self) -> None:
        if faults := self._faults():
            raise GraphError(faults[0] + (f" ({len(faults) - 1} more faults)" if len(faults) > 1 else ""))

    def _faults(self) -> list[str]:
        names, counts = np.unique(self.names, return_counts=True)
        faults = [f"two tracklets have the name {name}" for name in names[counts > 1]]
        faults += [
            f"tracklet {self.names[row]} ends before it starts" for row in np.flatnonzero(self.last < self.first)
        ]
        inside = (self.parent >= 0) & (self.parent < len(self)) & (self.child >= 0) & (self.child < len(self))
        faults += [f"edge {edge} is to a tracklet that is not there" for edge in np.flatnonzero(~inside)]
        parent, child = self.parent[inside], self.child[inside]
        faults += [
            f"tracklet {self.names[child[edge]]} does not start after its parent {self.names[parent[edge]]} has ended"
            for edge in np.flatnonzero(self.first[child] <= self.last[parent])
        ]
        edges, counts = np.unique(np.stack([parent, child], 1), axis=0, return_counts=True)
        faults += [f"the edge {self.names[a]} to {self.names[b]} is given twice" for a, b in edges[counts > 1]]
        return faults

    def __len__(self) -> int:
        return len(self.names)

    @property
    def length(self) -> NDArray[np.int64]:
        """Number of frames from first to last of each tracklet, (n,)."""
        return self.last - self.first + 1

    @cached_property
    def row(self) -> Mapping[str, int]:
        """Row number by name."""
        return {name: row for row, name in enumerate(self.names.tolist())}

    @cached_property
    def children(self) -> tuple[NDArray[np.int64], ...]:
        """Rows of each tracklet's children."""
        return _grouped(self.parent, self.child, len(self))

    @cached_property
    def parents(self) -> tuple[NDArray[np.int64], ...]:
        """Rows of each tracklet's parents."""
        return _grouped(self.child, self.parent, len(self))

    @property
    def span(self) -> tuple[int, int]:
        """First and last absolute frame of the movies (of the tracklets where there are no movies)."""
        if len(self.movies):
            return int(self.movie_first.min()), int(self.movie_last.max())
        return (int(self.first.min()), int(self.last.max())) if len(self) else (1, 0)

    def select(self, keep: NDArray[np.bool_], movies: Iterable[int] | None = None) -> TrackletGraph:
        """The graph of some of the tracklets, with the edges among them.

        Parameters
        ----------
        keep : (n,) array of bool
        movies : iterable of int, optional
            Movies that the new graph is of; by default the same.
        """
        keep = np.asarray(keep, bool)
        new = np.cumsum(keep) - 1
        edge = keep[self.parent] & keep[self.child]
        of = np.isin(self.movies, list(self.movies if movies is None else movies))
        return TrackletGraph(
            **{name: getattr(self, name)[keep] for name in COLUMNS},
            parent=new[self.parent[edge]],
            child=new[self.child[edge]],
            movies=self.movies[of],
            movie_first=self.movie_first[of],
            movie_last=self.movie_last[of],
        )


def _grouped(by: NDArray[np.int64], values: NDArray[np.int64], groups: int) -> tuple[NDArray[np.int64], ...]:
    order = np.lexsort((values, by))
    return tuple(np.split(values[order], np.cumsum(np.bincount(by, minlength=groups))[:-1])) if groups else ()


def build_graph(  # noqa: PLR0913  # the columns of a graph
    names: Sequence[str],
    first: Sequence[int] | NDArray[np.int64],
    last: Sequence[int] | NDArray[np.int64],
    edges: Iterable[tuple[str, str]],
    *,
    movie: int | Sequence[int] | NDArray[np.int32] = 1,
    area: Sequence[float] | NDArray[np.float64] | None = None,
    colony: Sequence[str] | NDArray[np.str_] | None = None,
    start: NDArray[np.float32] | None = None,
    end: NDArray[np.float32] | None = None,
    at_boundary: Sequence[bool] | NDArray[np.bool_] | None = None,
    movies: Mapping[int, tuple[int, int]] | None = None,
) -> TrackletGraph:
    """A graph from tracklets in any order and edges by name.

    Parameters
    ----------
    names, first, last, area, colony, start, end, at_boundary
        Columns of `TrackletGraph`; those left out are not known.
    edges : iterable of (str, str)
        Parent and child.
    movie : int or sequence of int
        Movie of all tracklets, or of each.
    movies : mapping of int to (int, int), optional
        First and last absolute frame of each movie; by default those of its tracklets.

    Raises
    ------
    GraphError
        As `TrackletGraph`; or an edge is from or to a tracklet that is not there.

    Examples
    --------
    >>> graph = build_graph(["a", "b", "ab"], [1, 1, 11], [10, 10, 20], [("a", "ab"), ("b", "ab")])
    >>> graph.parents[2].tolist()
    [0, 1]
    """
    names_array = np.asarray(names, np.str_)
    rows = {name: row for row, name in enumerate(names)}
    pairs = []
    for parent, child in edges:
        for name in (parent, child):
            if name not in rows:
                raise GraphError(f"the edge {parent} to {child} is to a tracklet that is not there: {name}")
        pairs.append((rows[parent], rows[child]))
    columns: dict[str, Any] = {
        "names": names_array,
        "movie": np.broadcast_to(np.asarray(movie, np.int32), names_array.shape),
        "first": first,
        "last": last,
        "area": area,
        "colony": colony,
        "start": start,
        "end": end,
        "at_boundary": at_boundary,
    }
    parent_rows, child_rows = np.asarray(pairs, np.int64).reshape(-1, 2).T
    return assembled({k: v for k, v in columns.items() if v is not None}, parent_rows, child_rows, movies)


def assembled(
    columns: Mapping[str, Any],
    parent: NDArray[np.int64],
    child: NDArray[np.int64],
    movies: Mapping[int, tuple[int, int]] | None,
) -> TrackletGraph:
    """Fill in columns that are not known, and sort rows and edges.

    Parameters
    ----------
    columns : mapping of str to Any
        Columns of `TrackletGraph` by name; `names`, `movie`, `first` and `last` are needed.
    parent : NDArray[np.int64]
        Row of each edge's parent.
    child : NDArray[np.int64]
        Row of each edge's child.
    movies : Mapping[int, tuple[int, int]] or None
        First and last absolute frame of each movie; None for those of its tracklets.
    """
    count = len(columns["names"])
    full: dict[str, Any] = {
        "names": np.asarray(columns["names"], np.str_),
        "movie": np.asarray(columns["movie"], np.int32),
        "first": np.asarray(columns["first"], np.int64),
        "last": np.asarray(columns["last"], np.int64),
        "area": np.asarray(columns.get("area", np.full(count, np.nan)), np.float64),
        "colony": np.asarray(columns.get("colony", np.full(count, "")), np.str_),
        "start": np.asarray(columns.get("start", np.full((count, 2), np.nan)), np.float32),
        "end": np.asarray(columns.get("end", np.full((count, 2), np.nan)), np.float32),
        "at_boundary": np.asarray(columns.get("at_boundary", np.zeros(count)), np.bool_),
    }
    if movies is None:
        movies = {
            int(movie): (
                int(full["first"][full["movie"] == movie].min()),
                int(full["last"][full["movie"] == movie].max()),
            )
            for movie in np.unique(full["movie"])
        }
    order = np.lexsort((full["names"], full["last"], full["first"]))
    new = np.empty(count, np.int64)
    new[order] = np.arange(count)
    parent, child = new[parent], new[child]
    edge_order = np.lexsort((child, parent))
    spans = np.array([movies[movie] for movie in sorted(movies)], np.int64).reshape(-1, 2)
    return TrackletGraph(
        **{name: column[order] for name, column in full.items()},
        parent=parent[edge_order],
        child=child[edge_order],
        movies=np.array(sorted(movies), np.int32),
        movie_first=spans[:, 0],
        movie_last=spans[:, 1],
    )
