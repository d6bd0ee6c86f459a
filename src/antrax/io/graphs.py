"""The graph of a session: which tracklet's animals are in which tracklet next.

A session keeps one graph a movie, in either of two formats that this reader hides:

- `graphs/graph_<m>.h5`, the package's own (`antrax.io.graph_file`);
- `graphs/[COLONY/]graph_<m>_<m>.mat` with `graphs/cross_movie_links.mat`, anTraX's (`antrax.io.antrax_graphs`).

Where a movie has both, the package's own file is read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antrax.errors import ExperimentError, GraphError
from antrax.io.antrax_graphs import antrax_graph_files, read_antrax_file, read_cross_movie_links
from antrax.io.graph_file import read_graph_file
from antrax.io.graph_parts import GraphPart, join_parts, of_movies
from antrax.io.layout import CROSS_MOVIE_LINKS, MovieFile
from antrax.io.session import Session
from antrax.io.tracklet_graph import TrackletGraph
from antrax.io.workers import Crew, Failed, crew_of


@dataclass(frozen=True)
class GraphReading:
    """A graph as read, and what could not be read.

    Parameters
    ----------
    graph : TrackletGraph
        Of the movies whose files are whole.
    failed : mapping of int to str
        Why a movie has no graph, by movie.
    problems : tuple of str
        What was left out of the movies that were read: impossible edges, and links to tracklets that are not there.
    """

    graph: TrackletGraph
    failed: Mapping[int, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


_SMALL = 2**26  # bytes of all files together
_TRACKED: tuple[MovieFile, ...] = ("images", "trdata", "autoids")


def read_graph(session: Session, movies: Iterable[int] | None = None, *, workers: int | Crew = 1) -> GraphReading:
    """Read the graph of a session.

    Parameters
    ----------
    session : Session
    movies : iterable of int, optional
        Movies to read; by default all that have a graph, images, measurements of blobs, or labels. Links to other
        movies are left out.
    workers : int or Crew
        Processes to read with.

    Returns
    -------
    GraphReading
        The graph of the movies whose files are whole, and why others have none.

    Raises
    ------
    ExperimentError
        No movie has a graph.
    """
    own = dict(_own_files(session))
    theirs = antrax_graph_files(session)
    if not own and not theirs:
        raise ExperimentError(
            f"{session.layout.graphs} holds no graph of tracklets (graph_<m>.h5, or anTraX's graph_<m>_<m>.mat); "
            "run the tracking step first"
        )
    # what was tracked, or classified, should have one
    tracked = (movie for kind in _TRACKED for movie in session.layout.files(kind))
    all_movies = sorted({*own, *(movie for covered in theirs.values() for movie in covered), *tracked})
    wanted = all_movies if movies is None else sorted(set(movies))
    failed: dict[int, str] = {}
    files: dict[Path, list[int]] = {}
    for movie in wanted:
        paths = [own[movie]] if movie in own else [path for path, covered in theirs.items() if movie in covered]
        if not paths:
            failed[movie] = f"movie {movie} has no graph in {session.layout.graphs}"
        for path in paths:
            files.setdefault(path, []).append(movie)
    spans = {movie: (entry.fi, entry.ff) for movie, entry in session.movies.items() if entry.fi and entry.ff}
    parts = []
    read = [(path, read_graph_file if path in own.values() else read_antrax_file) for path in files]
    for (path, _), outcome in zip(read, _run(read, workers), strict=True):
        if isinstance(outcome, Failed):
            failed |= dict.fromkeys(files[path], f"{path}: {outcome.error}")
        elif isinstance(outcome, GraphError):
            failed |= {movie: str(outcome) for movie in files[path]}
        else:
            parts.append(of_movies(outcome, set(files[path]), spans))
    # A movie of several files (a colony each) is whole only if all are.
    parts = [of_movies(part, set(part.movies) - set(failed), spans) for part in parts]
    parts = [part for part in parts if part.movies]
    problems: list[str] = []
    links: list[tuple[str, str]] = []
    if any(path not in own.values() for path in files):
        try:
            links = read_cross_movie_links(session)
        except GraphError as error:
            problems.append(f"{error}; animals are not followed from movie to movie")
    done = {movie for part in parts for movie in part.movies}
    graph, more = join_parts(parts, links, set(all_movies) - done)
    return GraphReading(graph, dict(sorted(failed.items())), (*problems, *more))


def movies_with_graph(session: Session) -> list[int]:
    """Movies that have a graph of tracklets, of whichever program, sorted.

    Parameters
    ----------
    session : Session
    """
    covered = (movie for movies in antrax_graph_files(session).values() for movie in movies)
    return sorted({*dict(_own_files(session)), *covered})


def graph_inputs(session: Session, movies: Iterable[int] | None = None) -> list[Path]:
    """The files that `read_graph` reads.

    Parameters
    ----------
    session, movies
        As those of `read_graph`.

    Returns
    -------
    list of Path
        Links between movies among them, whether they are there or not.
    """
    own, theirs = dict(_own_files(session)), antrax_graph_files(session)
    wanted = None if movies is None else set(movies)
    found = [path for movie, path in own.items() if wanted is None or movie in wanted]
    found += [path for path, covered in theirs.items() if wanted is None or wanted.intersection(covered)]
    folders = dict.fromkeys([session.layout.graphs, *(path.parent for path in theirs)])
    return [*found, *(folder / CROSS_MOVIE_LINKS for folder in folders)]


def are_small(paths: Iterable[Path]) -> bool:
    """Whether files are so small that no content of theirs could exhaust the memory.

    Parameters
    ----------
    paths : iterable of Path
        Those that are missing count for nothing.
    """
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total <= _SMALL


def load_graph_readers() -> None:
    """Load the library that reads anTraX's graphs, which takes half a second."""
    import matio  # noqa: F401


def _run(read: Sequence[tuple[Path, Any]], workers: int | Crew) -> Iterator[GraphPart | GraphError | Failed]:
    with crew_of(workers) as crew:
        yield from crew.outcomes(_outcome, *zip(*read, strict=True), join=are_small(path for path, _ in read))


def _outcome(path: Path, reader: Any) -> GraphPart | GraphError:
    try:
        part: GraphPart = reader(path)
    except GraphError as error:
        return error
    return part


def _own_files(session: Session) -> list[tuple[int, Path]]:
    return [(movie, path) for movie, (path,) in session.layout.files("graph").items()]
