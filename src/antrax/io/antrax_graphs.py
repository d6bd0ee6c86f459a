"""anTraX's graph files: `graphs/[COLONY/]graph_<m>_<m>.mat` and `graphs/cross_movie_links.mat`.

They hold MATLAB objects of anTraX's own classes, which only mat-io reads. Each file holds the tracklets of a range of
movies (mostly one): their names, first and last frames, mean areas, and a digraph among them.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError, GraphError
from antrax.io.graph_parts import GraphPart, checked_part
from antrax.io.layout import CROSS_MOVIE_LINKS, antrax_file, separate_tracklets_file
from antrax.io.names import parse_tracklet_name
from antrax.io.session import Session


def antrax_graph_files(session: Session) -> dict[Path, range]:
    """The graph files of anTraX in a session, with the movies that each covers.

    Where there are colonies, files lie in a folder a colony; a folder is taken for a colony only if it holds such a
    file. A file of several movies (anTraX joins those of a group when it solves) is passed over where each of its
    movies has its own.
    """
    folder = session.layout.graphs
    try:
        folders = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
        found = {
            path: covered
            for place in folders
            for path in sorted(place.iterdir())
            if (covered := antrax_file(path.name, "graph"))
        }
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ExperimentError(f"{folder} cannot be read: {error.strerror}") from None
    alone = {(path.parent, covered[0]) for path, covered in found.items() if len(covered) == 1}
    return {
        path: covered
        for path, covered in found.items()
        if len(covered) == 1 or not all((path.parent, movie) in alone for movie in covered)
    }


def read_antrax_file(path: Path) -> GraphPart:
    """Read one graph file of anTraX.

    Raises
    ------
    GraphError
        It is damaged or half-written, or does not hold what such files hold.
    """
    graph = _load(path, "G")
    try:
        digraph = _properties(graph["G"])
        nodes = _table(digraph["NodeProperties"])
        underlying = _properties(digraph["Underlying"])
        names = [_text(cell) for cell in nodes["Name"].flat]
        tracklets = [_properties(cell) for cell in nodes["trj"].flat] if "trj" in nodes else []
        if not tracklets:
            tracklets = [_properties(cell) for cell in np.ravel(_load(separate_tracklets_file(path), "trjs"))]
        by_name = {_text(tracklet["name"]): tracklet for tracklet in tracklets}
        columns = _columns(names, [by_name[name] for name in names], _text(graph["colony"]))
        pointers = np.asarray(underlying["Jc"], np.int64).ravel()
        child = np.asarray(underlying["Ir"], np.int64).ravel()
        parent = np.repeat(np.arange(len(names)), np.diff(pointers))
        movies = _movies(path, by_name[names[0]] if names else None)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        what = f"it holds no {error}" if isinstance(error, KeyError) else str(error)
        raise GraphError(f"{path} is damaged, or no graph of anTraX: {what}") from None
    return checked_part(GraphPart(path, columns, parent, child, movies))


def read_cross_movie_links(session: Session) -> list[tuple[str, str]]:
    """Parent and child of each link from a movie to another; none where there is no such file.

    Raises
    ------
    GraphError
        A file is damaged.
    """
    folder = session.layout.graphs
    colonies = sorted({path.parent for path in antrax_graph_files(session)})
    links: list[tuple[str, str]] = []
    for path in (place / CROSS_MOVIE_LINKS for place in dict.fromkeys([folder, *colonies])):
        if not path.exists():
            continue
        try:
            rows = np.ravel(_load(path, "cross_movie_links"))
            links += [(_text(row["parent"]), _text(row["child"])) for row in rows]
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise GraphError(f"{path} is damaged, or holds no links: {error}") from None
    return links


def _load(path: Path, variable: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import matio  # mat-io uses deprecated options of pandas

            # Raw: mat-io else makes a pandas table of each of a tracklet's ends, which takes two thirds of the time.
            content = matio.load_from_mat(str(path), variable_names=[variable], raw_data=True)[variable]
    except FileNotFoundError:
        raise GraphError(f"{path} does not exist") from None
    except KeyError:
        raise GraphError(f"{path} is damaged or half-written: it holds no variable {variable}") from None
    # mat-io may raise any exception for a damaged file.
    except Exception as error:
        raise GraphError(f"{path} is damaged or half-written: {' '.join(str(error).split())}") from None
    return content if isinstance(content, np.ndarray) else _properties(content)


def _properties(value: Any) -> Any:
    return value.properties if hasattr(value, "properties") else value


def _table(value: Any) -> dict[str, NDArray[Any]]:
    table = _properties(value)
    names = [_text(cell) for cell in table["varnames"].flat]
    return dict(zip(names, table["data"].flat, strict=True))


def _text(value: Any) -> str:
    return str(np.ravel(value)[0]) if np.size(value) else ""


def _number(value: Any) -> float:
    return float(np.ravel(value)[0]) if np.size(value) else float("nan")


def _columns(names: list[str], tracklets: list[Any], colony: str) -> dict[str, NDArray[Any]]:
    parsed = [parse_tracklet_name(name) for name in names]
    if None in parsed:
        raise ValueError(f"{names[parsed.index(None)]!r} is no name of a tracklet")
    ends = [[_centroid(tracklet.get(end)) for tracklet in tracklets] for end in ("datai", "dataf")]
    return {
        "names": np.asarray(names, np.str_),
        "movie": np.array([name.movie for name in parsed if name], np.int32),
        "first": _frames(tracklets, "ti"),
        "last": _frames(tracklets, "tf"),
        "area": np.array([_number(tracklet["nanmeanrarea"]) for tracklet in tracklets], np.float64),
        "colony": np.full(len(names), colony, np.str_) if names else np.zeros(0, np.str_),
        "start": np.asarray(ends[0], np.float32).reshape(-1, 2),
        "end": np.asarray(ends[1], np.float32).reshape(-1, 2),
        "at_boundary": np.array([_number(tracklet.get("touching_open_boundry")) == 1 for tracklet in tracklets], bool),
    }


def _frames(tracklets: list[Any], which: str) -> NDArray[np.int64]:
    return np.array([int(_number(_properties(tracklet[which])["absframe"])) for tracklet in tracklets], np.int64)


def _centroid(table: Any) -> tuple[float, float]:
    if table is None or not np.size(_properties(table)):
        return float("nan"), float("nan")
    properties = _properties(table)
    # The columns before it alone: there are two such tables a tracklet.
    for name, column in zip(properties["varnames"].flat, properties["data"].flat, strict=True):
        if _text(name) == "CENTROID":
            x, y = np.ravel(column)[:2]
            return float(x), float(y)
    return float("nan"), float("nan")


def _movies(path: Path, tracklet: Any) -> dict[int, tuple[int, int]]:
    """First and last absolute frame of the movies of a file; (1, 0) where no tracklet tells it."""
    covered = antrax_file(path.name, "graph")
    if covered is None:
        raise ValueError("its name does not tell its movie")
    if tracklet is None:
        return dict.fromkeys(covered, (1, 0))
    time = _properties(tracklet["ti"])
    first, last = np.ravel(time["movies_fi"]), np.ravel(time["movies_ff"])
    return {movie: (int(first[movie - 1]), int(last[movie - 1])) for movie in covered if movie <= len(first)}
