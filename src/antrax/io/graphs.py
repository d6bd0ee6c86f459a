"""Tracklet graphs: which tracklet's animals are in which tracklet next.

A session keeps one graph a movie, in either of two formats that one reader hides:

``graphs/graph_<m>.h5``
    The package's own format, for any tracker to write (`write_graph`). HDF5, one file a movie, tables by column:

    ==========================  =============  ================================================================
    dataset                     type, shape    content
    ==========================  =============  ================================================================
    ``tracklets/name``          text (n,)      name, unique in the session
    ``tracklets/first``         int64 (n,)     first absolute frame (1-based)
    ``tracklets/last``          int64 (n,)     last absolute frame (inclusive)
    ``tracklets/area``          float64 (n,)   mean area of the blob in m²; NaN where it is not known
    ``tracklets/colony``        text (n,)      colony; empty where there is one colony, or it is not known
    ``tracklets/start``         float32 (n,2)  centroid x, y in pixels at the first frame; NaN where not known
    ``tracklets/end``           float32 (n,2)  the same at the last frame
    ``tracklets/at_boundary``   bool (n,)      whether the blob touched an open boundary of the arena
    ``edges/parent``            int64 (e,)     row of the tracklet in this file whose animals go on
    ``edges/child``             int64 (e,)     row of the tracklet in this file where they go on
    ``links/parent``            text (l,)      name of a tracklet of this movie whose animals go on in another movie
    ``links/child``             text (l,)      name of the tracklet of the other movie
    ==========================  =============  ================================================================

    Root attributes: ``format`` = ``"antrax tracklet graph"``, ``version`` = 1, ``movie``, and ``first`` and ``last``
    (absolute frames of the movie). ``name``, ``first``, ``last`` and ``edges`` are required; what else is missing
    counts as not known, and links as none.

``graphs/[COLONY/]graph_<m>_<m>.mat`` with ``graphs/cross_movie_links.mat``
    anTraX's own (see `antrax.io.antrax_graphs`).

Where a movie has both, the package's own file is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError, GraphError
from antrax.io import untrusted_hdf5
from antrax.io.atomic import make_folder, replacing_hdf5
from antrax.io.session import Session

if TYPE_CHECKING:
    import h5py

FORMAT = "antrax tracklet graph"
VERSION = 1


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
            **{name: getattr(self, name)[keep] for name in _COLUMNS},
            parent=new[self.parent[edge]],
            child=new[self.child[edge]],
            movies=self.movies[of],
            movie_first=self.movie_first[of],
            movie_last=self.movie_last[of],
        )


_COLUMNS = ("names", "movie", "first", "last", "area", "colony", "start", "end", "at_boundary")


def _grouped(by: NDArray[np.int64], values: NDArray[np.int64], groups: int) -> tuple[NDArray[np.int64], ...]:
    order = np.lexsort((values, by))
    return tuple(np.split(values[order], np.cumsum(np.bincount(by, minlength=groups))[:-1])) if groups else ()


@dataclass(frozen=True)
class GraphPart:
    """What one file says of one or several movies; tracklets in the file's order, links by name.

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


def graph_file(session: Session, movie: int) -> Path:
    """A movie's graph in the package's own format."""
    return session.layout.file("graph", movie)


def build_graph(
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
    return _assembled({k: v for k, v in columns.items() if v is not None}, parent_rows, child_rows, movies)


def _assembled(
    columns: Mapping[str, Any],
    parent: NDArray[np.int64],
    child: NDArray[np.int64],
    movies: Mapping[int, tuple[int, int]] | None,
) -> TrackletGraph:
    """Fill in columns that are not known, and sort rows and edges."""
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


def join_parts(
    parts: Sequence[GraphPart], links: Iterable[tuple[str, str]] = (), absent: Iterable[int] = ()
) -> tuple[TrackletGraph, tuple[str, ...]]:
    """One graph of several files, and what had to be left out of it.

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
    from antrax.io.names import parse_tracklet_name

    problems: list[str] = []
    offsets = np.cumsum([0] + [len(part.columns["names"]) for part in parts])
    count = int(offsets[-1])
    columns: dict[str, Any] = {}
    for name in _COLUMNS:
        found = [part.columns.get(name) for part in parts]
        if any(column is not None for column in found):
            columns[name] = np.concatenate(
                [
                    _unknown(name, len(part.columns["names"])) if column is None else column
                    for part, column in zip(parts, found, strict=True)
                ]
            )
    if not parts:
        columns = {name: _unknown(name, 0) for name in _COLUMNS}
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
            _add_link(link, part.path, rows, edges, problems, set(absent), parse_tracklet_name)
    folder = parts[0].path.parent if parts else Path()
    for link in links:
        _add_link(link, folder / "cross_movie_links.mat", rows, edges, problems, set(absent), parse_tracklet_name)
    first, last = np.asarray(columns["first"], np.int64), np.asarray(columns["last"], np.int64)
    pairs = np.array(list(edges), np.int64).reshape(-1, 2)
    late = first[pairs[:, 1]] > last[pairs[:, 0]]
    if not late.all():
        problems += _backward_edges(pairs, late, names, list(edges.values()), count)
    spans = {movie: span for part in parts for movie, span in part.movies.items()}
    return _assembled(columns, pairs[late, 0], pairs[late, 1], spans), tuple(problems)


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
    parse: Any,
) -> None:
    missing = [name for name in link if name not in rows]
    if not missing:
        edges[rows[link[0]], rows[link[1]]] = path
        return
    # A link to a movie that is not read (not asked for, or damaged and named already) is no fault of its own.
    parsed = parse(missing[0])
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


def read_graph(session: Session, movies: Iterable[int] | None = None, *, workers: int = 1) -> GraphReading:
    """Read the graph of a session.

    Parameters
    ----------
    session : Session
    movies : iterable of int, optional
        Movies to read; by default all that have a graph or images. Links to other movies are left out.
    workers : int
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
    from antrax.io.antrax_graphs import antrax_graph_files, read_antrax_file, read_cross_movie_links

    own = dict(_own_files(session))
    theirs = antrax_graph_files(session)
    if not own and not theirs:
        raise ExperimentError(
            f"{session.layout.graphs} holds no graph of tracklets (graph_<m>.h5, or anTraX's graph_<m>_<m>.mat); "
            "run the tracking step first"
        )
    all_movies = sorted({*own, *(movie for covered in theirs.values() for movie in covered), *session.stacks})
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
    read = [(path, read_own_file if path in own.values() else read_antrax_file) for path in files]
    for (path, _), outcome in zip(read, _run(read, workers), strict=True):
        if isinstance(outcome, GraphError):
            failed |= {movie: str(outcome) for movie in files[path]}
        else:
            parts.append(_of_movies(outcome, set(files[path]), spans))
    # A movie of several files (a colony each) is whole only if all are.
    parts = [_of_movies(part, set(part.movies) - set(failed), spans) for part in parts]
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


def _run(read: Sequence[tuple[Path, Any]], workers: int) -> Iterator[GraphPart | GraphError]:
    workers = min(workers, len(read))
    if workers <= 1:
        yield from (_outcome(path, reader) for path, reader in read)
        return
    from loky import ProcessPoolExecutor

    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_outcome, *zip(*read, strict=True))


def _outcome(path: Path, reader: Any) -> GraphPart | GraphError:
    try:
        part: GraphPart = reader(path)
    except GraphError as error:
        return error
    return part


def _of_movies(part: GraphPart, movies: set[int], spans: Mapping[int, tuple[int, int]]) -> GraphPart:
    """A part without the tracklets of other movies; frames of movies from the movie table where it tells them."""
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


def _own_files(session: Session) -> list[tuple[int, Path]]:
    return [(movie, path) for movie, (path,) in session.layout.files("graph").items()]


def read_own_file(path: Path) -> GraphPart:
    """Read one file of the package's own format.

    Raises
    ------
    GraphError
        It is damaged, of a later version, or misses what is required.
    """
    try:
        with untrusted_hdf5.open_hdf5(path) as file:
            if untrusted_hdf5.text_attribute(file, "format") != FORMAT:
                raise GraphError(f"{path} is no tracklet graph: its attribute `format` is not {FORMAT!r}")
            if untrusted_hdf5.number_attribute(file, "version") > VERSION:
                raise GraphError(f"{path} was written by a later version of antrax; update antrax to read it")
            movie = untrusted_hdf5.number_attribute(file, "movie")
            columns = _read_columns(file, path)
            count = len(columns["names"])
            columns["movie"] = np.full(count, movie, np.int32)
            parent, child = (
                untrusted_hdf5.values(file, f"edges/{end}", np.integer).astype(np.int64).ravel()
                for end in ("parent", "child")
            )
            links: list[tuple[str, str]] = []
            if untrusted_hdf5.has(file, "links"):
                links = list(zip(*(_texts(file, f"links/{end}") for end in ("parent", "child")), strict=True))
            first, last = (
                untrusted_hdf5.number_attribute(file, end) if end in file.attrs else int(otherwise)
                for end, otherwise in (
                    ("first", columns["first"].min(initial=1)),
                    ("last", columns["last"].max(initial=0)),
                )
            )
    except FileNotFoundError:
        raise GraphError(f"{path} does not exist") from None
    except GraphError:
        raise
    except Exception as error:  # of a damaged file, h5py raises almost anything
        raise GraphError(f"{path} is damaged or half-written: {error}") from None
    return checked_part(GraphPart(path, columns, parent, child, {movie: (first, last)}, links))


def _read_columns(file: h5py.File, path: Path) -> dict[str, NDArray[Any]]:
    group = untrusted_hdf5.member(file, "tracklets")
    columns: dict[str, NDArray[Any]] = {"names": np.asarray(_texts(group, "name"), np.str_)}
    if untrusted_hdf5.has(group, "colony"):
        columns["colony"] = np.asarray(_texts(group, "colony"), np.str_)
    for name, dtype in (("first", np.int64), ("last", np.int64), ("area", np.float64), ("at_boundary", np.bool_)):
        if untrusted_hdf5.has(group, name) or name in ("first", "last"):
            columns[name] = untrusted_hdf5.values(group, name).astype(dtype)
    for name in ("start", "end"):
        if untrusted_hdf5.has(group, name):
            columns[name] = untrusted_hdf5.values(group, name).astype(np.float32).reshape(-1, 2)
    for name, column in columns.items():
        if len(column) != len(columns["names"]):
            raise GraphError(
                f"{path} is damaged: tracklets/{name} has {len(column)} values for {len(columns['names'])} tracklets"
            )
    return columns


def _texts(group: h5py.Group, name: str) -> tuple[str, ...]:
    return untrusted_hdf5.texts(group, name, compressed=True, most=10**7)


def checked_part(part: GraphPart) -> GraphPart:
    """The part itself, when it can be: names once, frames in order, edges between rows that are there.

    Raises
    ------
    GraphError
        It cannot be.
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


def write_graph(session: Session, graph: TrackletGraph, movies: Iterable[int] | None = None) -> list[Path]:
    """Write a graph in the package's own format, one file a movie; links across movies go with the parent's movie.

    Parameters
    ----------
    session : Session
    graph : TrackletGraph
    movies : iterable of int, optional
        Movies to write; by default all of the graph.

    Returns
    -------
    list of Path
        The files, in order of the movies.

    Raises
    ------
    OutputError
        A file cannot be written; it is then as it was.
    """
    make_folder(session.layout.graphs)
    written = []
    wanted = set(graph.movies.tolist() if movies is None else movies)
    for movie, first, last in zip(
        graph.movies.tolist(), graph.movie_first.tolist(), graph.movie_last.tolist(), strict=True
    ):
        if movie in wanted:
            path = graph_file(session, movie)
            with replacing_hdf5(path) as file:
                file.attrs.update(format=FORMAT, version=VERSION, movie=movie, first=first, last=last)
                _fill(file, graph, movie)
            written.append(path)
    return written


def _fill(file: h5py.File, graph: TrackletGraph, movie: int) -> None:
    import h5py

    text = h5py.string_dtype()
    here = graph.movie == movie
    row = np.cumsum(here) - 1
    file.create_dataset("tracklets/name", data=graph.names[here].tolist(), dtype=text)
    file.create_dataset("tracklets/colony", data=graph.colony[here].tolist(), dtype=text)
    for name in ("first", "last", "area", "start", "end", "at_boundary"):
        file.create_dataset(f"tracklets/{name}", data=getattr(graph, name)[here])
    inside = here[graph.parent] & here[graph.child]
    across = here[graph.parent] & ~here[graph.child]
    for end, column in (("parent", graph.parent), ("child", graph.child)):
        file.create_dataset(f"edges/{end}", data=row[column[inside]])
        file.create_dataset(f"links/{end}", data=graph.names[column[across]].tolist(), dtype=text)
