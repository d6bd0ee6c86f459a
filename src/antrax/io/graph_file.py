"""Graphs in the package's own format, `graphs/graph_<m>.h5`, for any tracker to write.

HDF5, one file a movie, tables by column:

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
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import GraphError
from antrax.io import untrusted_hdf5
from antrax.io.atomic import make_folder, replacing_hdf5
from antrax.io.graph_parts import GraphPart, checked_part
from antrax.io.session import Session
from antrax.io.tracklet_graph import TrackletGraph

if TYPE_CHECKING:
    import h5py

FORMAT = "antrax tracklet graph"
VERSION = 1


def graph_file(session: Session, movie: int) -> Path:
    """A movie's graph in the package's own format."""
    return session.layout.file("graph", movie)


def read_graph_file(path: Path) -> GraphPart:
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
