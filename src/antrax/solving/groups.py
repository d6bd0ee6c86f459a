"""Division into parts that are solved separately: colonies, and groups of movies by `graph_groupby`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.session import Session
from antrax.io.tracklet_graph import TrackletGraph


@dataclass(frozen=True, eq=False)
class Group:
    """Tracklets that are solved together.

    Parameters
    ----------
    colony : str
        Empty where there is one colony.
    movies : tuple of int
    rows : (n,) array of int64
        Their rows in the whole graph.
    """

    colony: str
    movies: tuple[int, ...]
    rows: NDArray[np.int64]


def movie_groups(session: Session, movies: Sequence[int]) -> list[tuple[int, ...]]:
    """Groups of movies, in order.

    Parameters
    ----------
    session : Session
        Its parameters `graph_groupby` (subdirs, movie, experiment, every, custom; subdirs where it is missing),
        `graph_groupby_every` and `graph_groups`.
    movies : sequence of int

    Raises
    ------
    ExperimentError
        The parameters make no sense.
    """
    movies = sorted(movies)
    parameters, known = session.parameters, session.movies
    how = str(parameters.get("graph_groupby") or "subdirs").lower()
    keys: dict[int, object]
    if how in ("subdirs", "subdir"):
        keys = {movie: known[movie].subdir if movie in known else "" for movie in movies}
    elif how in ("movie", "movies"):
        keys = {movie: movie for movie in movies}
    elif how in ("experiment", "exp", "all"):
        keys = dict.fromkeys(movies, 0)
    elif how == "every":
        size = parameters.get("graph_groupby_every", 12)
        if isinstance(size, bool) or not isinstance(size, int | float) or not 1 <= size < math.inf:
            raise ExperimentError(f"{_where(session)}: graph_groupby_every is {size!r}; give a number of movies")
        every = sorted(known) or movies
        keys = {movie: every.index(movie) // int(size) if movie in every else -1 for movie in movies}
    elif how == "custom":
        groups = parameters.get("graph_groups")
        if not isinstance(groups, list) or not groups:
            raise ExperimentError(f"{_where(session)}: graph_groupby is custom, but graph_groups lists no groups")
        lists = [group if isinstance(group, list) else [group] for group in groups]
        if not all(isinstance(movie, int | float) and math.isfinite(movie) for group in lists for movie in group):
            raise ExperimentError(f"{_where(session)}: graph_groups must be lists of numbers of movies")
        numbers = {int(movie): number for number, group in enumerate(lists) for movie in group}
        keys = {movie: numbers.get(movie, ("alone", movie)) for movie in movies}
    else:
        raise ExperimentError(
            f"{_where(session)}: graph_groupby is {how!r}; expected subdirs, movie, experiment, every or custom"
        )
    found: dict[object, list[int]] = {}
    for movie in movies:
        found.setdefault(keys[movie], []).append(movie)
    return [tuple(group) for group in found.values()]


def _where(session: Session) -> str:
    return str(session.layout.parameters_file)


def split_groups(session: Session, graph: TrackletGraph) -> tuple[list[Group], tuple[str, ...]]:
    """Colonies and groups of movies of a graph.

    Parameters
    ----------
    session : Session
    graph : TrackletGraph

    Returns
    -------
    list of Group
    tuple of str
        What is in no group: tracklets that are of no colony where others are of one.
    """
    colonies = sorted(set(graph.colony.tolist()) - {""})
    problems = []
    if colonies and (none := int((graph.colony == "").sum())):
        problems.append(f"{none} tracklets are in no colony, or in several, and are not placed")
    groups = [
        Group(colony, movies, np.flatnonzero(np.isin(graph.movie, movies) & (graph.colony == colony)))
        for colony in colonies or [""]
        for movies in movie_groups(session, graph.movies.tolist())
    ]
    return groups, tuple(problems)
