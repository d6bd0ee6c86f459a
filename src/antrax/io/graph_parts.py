"""Parts of a graph, each from one file, and joining them to one graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import GraphError
from antrax.io.layout import CROSS_MOVIE_LINKS
from antrax.io.names import parse_tracklet_name
from antrax.io.tracklet_graph import COLUMNS, TrackletGraph, assembled


@dataclass(frozen=True)
class GraphPart:
    """Part of a graph that one file holds, of one or several movies; tracklets in the file's order, links by name.

    Parameters
    ----------
    path : Path
        The file.
    columns : mapping
        The columns of `TrackletGraph` that the file has, by name.
    parent, child : array of int64
        Edges as rows of this part.
    links : sequence of (str, str)
        Parent and child of each edge to another part.
    movies : mapping of int to (int, int)
        First and last absolute frame of each movie of the file.
    """

    path: Path
    columns: Mapping[str, NDArray[Any]]
    parent: NDArray[np.int64]
    child: NDArray[np.int64]
    movies: Mapping[int, tuple[int, int]]
    links: Sequence[tuple[str, str]] = ()


def checked_part(part: GraphPart) -> GraphPart:
    """Validate a part: unique names, ordered frames, edges between existing rows.

    Raises
    ------
    GraphError
        The part is invalid.
    """
    names = part.columns["names"]
    if len(set(names.tolist())) < len(names):
        unique, counts = np.unique(names, return_counts=True)
        raise GraphError(f"{part.path}: the tracklet {unique[counts > 1][0]} is there twice")
    if (turned := part.columns["last"] < part.columns["first"]).any():
        raise GraphError(f"{part.path}: the tracklet {names[turned][0]} ends before it starts")
    if len(part.parent) != len(part.child):
        raise GraphError(f"{part.path} is damaged: {len(part.parent)} parents for {len(part.child)} children of edges")
    ends = np.concatenate([part.parent, part.child])
    if (outside := (ends < 0) | (ends >= len(names))).any():
        raise GraphError(
            f"{part.path}: an edge is to a tracklet that is not there (row {ends[outside][0]} of {len(names)})"
        )
    return part


def join_parts(
    parts: Sequence[GraphPart], links: Iterable[tuple[str, str]] = (), absent: Iterable[int] = ()
) -> tuple[TrackletGraph, tuple[str, ...]]:
    """Join parts to one graph; invalid edges are left out.

    Edges that cannot be are left out and named, so that one costs no more than itself: those that lead back in time
    (among them one of every cycle) and those to tracklets that no file has.

    Parameters
    ----------
    parts : sequence of GraphPart
    links : iterable of (str, str)
        More edges across parts: parent and child.
    absent : iterable of int
        Movies that are not read; links to their tracklets are no problem.
    """
    problems: list[str] = []
    offsets = np.cumsum([0] + [len(part.columns["names"]) for part in parts])
    count = int(offsets[-1])
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        found = [part.columns.get(name) for part in parts]
        if any(column is not None for column in found):
            columns[name] = np.concatenate(
                [
                    _unknown(name, len(part.columns["names"])) if column is None else column
                    for part, column in zip(parts, found, strict=True)
                ]
            )
    if not parts:
        columns = {name: _unknown(name, 0) for name in COLUMNS}
    names = columns["names"].tolist()
    rows: dict[str, int] = {}
    for part, offset in zip(parts, offsets, strict=False):
        for row, name in enumerate(part.columns["names"].tolist(), int(offset)):
            if name in rows:
                raise GraphError(f"{part.path}: the tracklet {name} is there twice")
            rows[name] = row
    edges: dict[tuple[int, int], Path] = {}
    for part, offset in zip(parts, offsets, strict=False):
        for parent, child in zip((part.parent + offset).tolist(), (part.child + offset).tolist(), strict=True):
            edges[parent, child] = part.path
        for link in part.links:
            _add_link(link, part.path, rows, edges, problems, set(absent))
    folder = parts[0].path.parent if parts else Path()
    for link in links:
        _add_link(link, folder / CROSS_MOVIE_LINKS, rows, edges, problems, set(absent))
    first, last = np.asarray(columns["first"], np.int64), np.asarray(columns["last"], np.int64)
    pairs = np.array(list(edges), np.int64).reshape(-1, 2)
    late = first[pairs[:, 1]] > last[pairs[:, 0]]
    if not late.all():
        problems += _backward_edges(pairs, late, names, list(edges.values()), count)
    spans = {movie: span for part in parts for movie, span in part.movies.items()}
    return assembled(columns, pairs[late, 0], pairs[late, 1], spans), tuple(problems)


def _unknown(name: str, count: int) -> NDArray[Any]:
    if name in ("start", "end"):
        return np.full((count, 2), np.nan, np.float32)
    if name in ("names", "colony"):
        return np.full(count, "", np.str_)
    return np.full(count, np.nan) if name == "area" else np.zeros(count, np.bool_ if name == "at_boundary" else int)


def _add_link(
    link: tuple[str, str],
    path: Path,
    rows: Mapping[str, int],
    edges: dict[tuple[int, int], Path],
    problems: list[str],
    absent: set[int],
) -> None:
    missing = [name for name in link if name not in rows]
    if not missing:
        edges[rows[link[0]], rows[link[1]]] = path
        return
    # A link to a movie that is not read (not asked for, or damaged and named already) is no fault of its own.
    parsed = parse_tracklet_name(missing[0])
    if parsed is None or parsed.movie not in absent:
        problems.append(
            f"{path}: the edge {link[0]} to {link[1]} is left out: there is no tracklet {' and no '.join(missing)}"
        )


def _backward_edges(
    pairs: NDArray[np.int64], late: NDArray[np.bool_], names: list[str], paths: list[Path], count: int
) -> list[str]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count)).tocsr()
    _, component = connected_components(graph, directed=True, connection="strong")
    problems = []
    for edge in np.flatnonzero(~late):
        parent, child = pairs[edge]
        cycle = component[parent] == component[child]
        why = "it closes a cycle" if cycle else "the tracklets overlap in time, and a child starts after its parent"
        problems.append(f"{paths[edge]}: the edge {names[parent]} to {names[child]} is left out: {why}")
    return problems


def of_movies(part: GraphPart, movies: set[int], spans: Mapping[int, tuple[int, int]]) -> GraphPart:
    """Select the tracklets of some movies; spans of movies come from the movie table where it has them.

    Parameters
    ----------
    part : GraphPart
        What a file holds.
    movies : set of int
        Indices of the movies that stay.
    spans : mapping of int to tuple[int, int]
        First and last absolute frame of movies, from the movie table.
    """
    keep = np.isin(part.columns["movie"], list(movies))
    new = np.cumsum(keep) - 1
    edge = keep[part.parent] & keep[part.child] if len(part.parent) else np.zeros(0, bool)
    return GraphPart(
        part.path,
        {name: column[keep] for name, column in part.columns.items()},
        new[part.parent[edge]],
        new[part.child[edge]],
        {movie: spans.get(movie, span) for movie, span in part.movies.items() if movie in movies},
        part.links,
    )
