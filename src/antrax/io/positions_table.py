"""Positions in tables for pandas, R and others.

`positions/positions_<m>.parquet`
    One long table a movie; together (`pandas.read_parquet(folder)`, `arrow::open_dataset(folder)`) one of the session.
    A row for each animal and frame in which it is placed, or in which a tracklet is known that it may be in:

    ===============  ========  =================================================================================
    column           type      content
    ===============  ========  =================================================================================
    ``frame``        int32     absolute frame, from 1
    ``time``         float64   seconds from frame 1; missing where the frame rate is not known
    ``colony``       text      only in experiments with several colonies
    ``id``           text      the animal
    ``x``, ``y``     float32   centroid of the blob in pixels; missing where the animal is not placed
    ``orientation``  float32   direction of the head in radians, from x (right) to y (down); missing in groups
    ``length``       float32   length of the body in pixels, where the orientation is known
    ``kind``         text      what the placement rests on: classified, single, several, soft, interpolated;
                               undecided where the animal is not placed
    ``confidence``   float32   probability that the placement is right; missing where the method gives none
    ``tracklet``     text      the tracklet
    ``alternative``  text      IDs that the animal in the tracklet may be instead, separated by ``|``
    ===============  ========  =================================================================================

    Rows are sorted by animal, then frame. The file's metadata hold ``antrax`` (JSON: movie, first_frame, frames, fps,
    ids, colonies, metres_per_pixel).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.antdata import (
    antdata_files,
    antdata_movies,
    read_antdata,
)
from antrax.io.layout import movie_file
from antrax.io.positions import KIND_NAMES, Kind, MoviePositions, movie_frames
from antrax.io.positions_dataset import to_dataset
from antrax.io.regular_files import open_regular
from antrax.io.session import as_session, choose_movies
from antrax.io.stamps import InputStamps

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    import xarray as xr

    from antrax.io.session import Session

_METADATA = b"antrax"
# Cells (frames × animals) that a movie may have without being taken for damaged: so many, or so many for each row.
_MANY_CELLS, _MOST_CELLS_A_ROW = 2**25, 10_000


def positions_file(session: Session, movie: int) -> Path:
    """A movie's table of positions."""
    return session.layout.file("positions", movie)


def to_table(positions: MoviePositions, metres_per_pixel: float | None = None) -> pa.Table:
    """The long table of a movie's positions.

    Parameters
    ----------
    positions : MoviePositions
    metres_per_pixel : float, optional
        Kept in the table's metadata.
    """
    import pyarrow as pa

    animal, frame = np.nonzero((positions.placed | (positions.tracklet >= 0)).T)
    at = (frame, animal)
    absolute = frame + positions.first_frame

    def text(codes: NDArray[Any], values: Sequence[str]) -> pa.DictionaryArray:
        # A dictionary holds a text once; an ID stands once for each colony.
        unique = list(dict.fromkeys(values))
        places = np.array([unique.index(value) for value in values] or [0], np.int32)[codes]
        return pa.DictionaryArray.from_arrays(pa.array(places, mask=codes < 0), pa.array(unique, pa.string()))

    def number(values: NDArray[np.float32]) -> pa.Array:
        return pa.array(values[at], from_pandas=True)

    columns: dict[str, pa.Array] = {
        "frame": pa.array(absolute.astype(np.int32)),
        "time": pa.array((absolute - 1) / positions.fps, from_pandas=True),
        "id": text(animal, positions.ids),
        "x": number(positions.x),
        "y": number(positions.y),
        "orientation": number(positions.orientation),
        "length": number(positions.length),
        "kind": text(positions.kind[at], [KIND_NAMES[kind] for kind in Kind]),
        "confidence": number(positions.confidence),
        "tracklet": text(positions.tracklet[at], positions.tracklets.tolist()),
        "alternative": text(positions.alternative[at], positions.alternatives),
    }
    if any(positions.colonies):
        columns = {"colony": text(animal, positions.colonies), **columns}
    about = {
        "movie": positions.movie,
        "first_frame": positions.first_frame,
        "frames": positions.frames,
        "fps": positions.fps if np.isfinite(positions.fps) else None,
        "ids": list(positions.ids),
        "colonies": list(positions.colonies),
        "metres_per_pixel": metres_per_pixel,
    }
    return pa.table(columns).replace_schema_metadata({_METADATA: json.dumps(about)})


def broken_off(session: Session) -> str | None:
    """Error text if replacing the files of positions was interrupted; None otherwise.

    Parameters
    ----------
    session : Session
    """
    if not session.layout.unfinished_positions.exists():
        return None
    return (
        f"{session.layout.positions}: files of positions are being replaced, or that was broken off, so they may be "
        f"of two solutions; wait for a run that is under way, else type `antrax solve {session.experiment}`"
    )


def read_table(path: Path) -> MoviePositions:
    """Read a movie's table.

    Raises
    ------
    ExperimentError
        It does not exist, is damaged, or is of another program.
    """
    with _opened(path) as file:
        found = _described(path, file)
        table = file.read()
        animals = {key: number for number, key in enumerate(zip(found.colonies, found.ids, strict=True))}
        id_code, id_names = _codes(table["id"])
        if "colony" in table.column_names:
            colony_code, colony_names = _codes(table["colony"])
        else:
            colony_code, colony_names = np.zeros(len(id_code), np.int64), [""]
        lookup = np.array([[animals.get((colony, name), -1) for name in id_names] for colony in colony_names], np.int64)
        animal = lookup[colony_code, id_code] if len(id_code) else np.zeros(0, np.int64)
        if table["frame"].null_count:
            raise ValueError("a row has no frame")
        row = table["frame"].to_numpy().astype(np.int64) - found.first_frame
        kind_code, kind_names = _codes(table["kind"])
        alternative, alternatives = _codes(table["alternative"])
        tracklet, tracklets = _codes(table["tracklet"])
        # a negative number would count from the end
        for codes in (id_code, colony_code, animal, row, kind_code, alternative):
            if len(codes) and codes.min() < 0:
                raise ValueError("a row has a frame, an animal or a kind that the movie does not have")
        at = (row, animal)
        taken = np.zeros(found.kind.shape, np.bool_)
        taken[at] = True
        if np.count_nonzero(taken) < len(row):
            raise ValueError("an animal has several rows for one frame")
        for name in ("x", "y", "orientation", "length", "confidence"):
            getattr(found, name)[at] = table[name].to_numpy()
        numbers = {name: kind for kind, name in KIND_NAMES.items()}
        found.kind[at] = np.array([numbers[name] for name in kind_names], np.int8)[kind_code]
        found.tracklet[at] = tracklet
        order = ["", *(text for text in alternatives if text)]
        found.alternative[at] = np.array([order.index(text) for text in alternatives] or [0], np.int32)[alternative]
    return dataclasses.replace(found, tracklets=np.array(tracklets, np.str_), alternatives=tuple(order))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Context manager that opens a table; any error in the block is raised as `ExperimentError` about the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_regular(path) as opened, pq.ParquetFile(opened) as file:
            yield file
    except FileNotFoundError:
        raise ExperimentError(f"{path} does not exist; solve the experiment first") from None
    except (
        pa.ArrowException, OSError, KeyError, ValueError, TypeError, IndexError, AttributeError, MemoryError,
        ArithmeticError, RecursionError,
    ) as error:  # fmt: skip
        why = " ".join(str(error).split()) or type(error).__name__
        raise ExperimentError(
            f"{path} is damaged or no table of positions ({why}); solve the experiment again"
        ) from None


def _described(path: Path, file: pq.ParquetFile) -> MoviePositions:
    """The movie that a table's metadata tell of, nothing in it known yet; ValueError where they have no sense."""
    about = json.loads(file.schema_arrow.metadata[_METADATA])
    ids, colonies, fps = about["ids"], about["colonies"], about["fps"]
    whole = (about["movie"], about["first_frame"], about["frames"])
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in whole):
        raise ValueError("its metadata are of another kind")
    movie, first, frames = whole
    for texts in (ids, colonies):
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError("its metadata are of another kind")
    if len(ids) != len(colonies) or len(set(zip(colonies, ids, strict=True))) < len(ids):
        raise ValueError("its metadata name an animal twice, or no colony of it")
    if fps is not None and not (isinstance(fps, int | float) and np.isfinite(fps) and fps > 0):
        raise ValueError(f"its metadata tell a frame rate of {str(fps)[:40]!r}")
    if (place := movie_file(path.name, "positions")) and place[0] != movie:
        raise ValueError(f"it is of movie {movie}")
    rows, cells = file.metadata.num_rows, frames * len(ids)
    # before room is made for what a damaged number says
    if first < 1 or frames < 0 or not rows <= cells <= max(_MANY_CELLS, _MOST_CELLS_A_ROW * rows):
        raise ValueError(f"{rows} rows cannot be of {frames} frames of {len(ids)} animals")
    return MoviePositions.empty(
        movie, first, frames, float("nan") if fps is None else float(fps), tuple(ids), tuple(colonies)
    )


def _codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    """Numbers and texts of a text column; -1 where it is missing."""
    import pyarrow as pa

    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], column.type)
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, array.dictionary.to_pylist()


def count_placed(session: Session, movie: int) -> int:
    """Number of cells (an animal and a frame) in which a movie's animals are placed.

    Raises
    ------
    ExperimentError
        There are no positions of it, or a file is damaged.
    """
    path = positions_file(session, movie)
    if movie not in session.layout.files("positions"):
        return int(read_antdata(session, movie).placed.sum())
    with _opened(path) as file:
        codes, names = _codes(file.read(columns=["kind"])["kind"])
        placed = np.array([name != KIND_NAMES[Kind.UNDECIDED] for name in names] or [False])
        return int(placed[codes].sum())


def solved_movies(session: Session) -> list[int]:
    """Movies that have positions, of this package or in `antdata/` only, sorted."""
    return sorted({*session.layout.files("positions"), *antdata_movies(session)})


def positions_span(session: Session, movies: Iterable[int] | None = None) -> tuple[int, int]:
    """First and last absolute frame of movies that have positions.

    Raises
    ------
    ExperimentError
        There are none, or a file is damaged.
    """
    spans = []
    own = session.layout.files("positions")
    for movie in _wanted(session, movies):
        if movie in own:
            with _opened(positions_file(session, movie)) as file:
                described = _described(positions_file(session, movie), file)
            spans.append((described.first_frame, described.frames))
        else:
            known = movie_frames(session, movie)
            found = None if known else read_antdata(session, movie)
            spans.append(known or (found.first_frame, found.frames))  # type: ignore[union-attr]
    return min(first for first, _ in spans), max(first + frames - 1 for first, frames in spans)


def _wanted(session: Session, movies: Iterable[int] | None) -> list[int]:
    wanted = solved_movies(session)
    if movies is not None:
        chosen, missing = choose_movies(movies, wanted)
        wanted = sorted([*chosen, *missing])  # reading tells which have none
    if not wanted:
        raise ExperimentError(f"{session.path} has no positions; type `antrax solve {session.experiment}` first")
    if problem := broken_off(session):
        raise ExperimentError(problem)
    return wanted


def iter_positions(session: Session, movies: Iterable[int] | None = None) -> Iterator[MoviePositions]:
    """Positions movie by movie: from the package's own tables, or from `antdata/` where a movie has none of these.

    All are of one moment: where a file is replaced before the last movie was given, an error is raised in its place.

    Parameters
    ----------
    session : Session
        A session that was solved, by `antrax.solve` or MATLAB.
    movies : iterable of int, optional
        All that have positions by default.

    Raises
    ------
    ExperimentError
        No movie has positions, one that is asked for has none, a file is damaged, or putting them in place was broken
        off.
    InputChangedError
        The session was solved again meanwhile.
    """
    inputs = InputStamps()
    inputs.note(*positions_inputs(session, movies))
    own = session.layout.files("positions")
    for movie in _wanted(session, movies):
        yield read_table(positions_file(session, movie)) if movie in own else read_antdata(session, movie)
    inputs.check("was the session solved again? Try again when that is done")


def positions_inputs(session: Session, movies: Iterable[int] | None = None) -> list[Path]:
    """The files that `iter_positions` reads.

    Parameters
    ----------
    session, movies
        As those of `iter_positions`.

    Returns
    -------
    list of Path
    """
    own = session.layout.files("positions")
    found = [session.layout.movies_file, session.layout.parameters_file]
    for movie in _wanted(session, movies):
        found += [positions_file(session, movie)] if movie in own else antdata_files(session, movie)
    return found


@overload
def read_positions(
    session: Session | str | os.PathLike[str], movies: Iterable[int] | None = ..., *, form: Literal["pandas"] = ...
) -> pd.DataFrame: ...
@overload
def read_positions(
    session: Session | str | os.PathLike[str], movies: Iterable[int] | None = ..., *, form: Literal["xarray"]
) -> xr.Dataset: ...
def read_positions(
    session: Session | str | os.PathLike[str],
    movies: Iterable[int] | None = None,
    *,
    form: Literal["pandas", "xarray"] = "pandas",
) -> pd.DataFrame | xr.Dataset:
    """Read the positions of all animals.

    Parameters
    ----------
    session : Session or path
        A session that was solved, by `antrax.solve` or MATLAB; of an experiment's folder, the latest session.
    movies : iterable of int, optional
        All that have positions by default.
    form : {"pandas", "xarray"}
        A long table, or a poses dataset of `movement`.

    Returns
    -------
    pandas.DataFrame or xarray.Dataset
        The table has the columns of `positions/positions_<m>.parquet`: frame, time, id, x, y (pixels), orientation
        (radians), length (pixels), kind, confidence, tracklet, alternative; and colony where there are several. The
        dataset has `position` (time, space, keypoint, individual) in pixels and `confidence`, NaN where an animal is
        not placed.

    Raises
    ------
    ExperimentError
        No movie has positions, one that is asked for has none, or a file is damaged.

    Examples
    --------
    >>> positions = read_positions(session)  # doctest: +SKIP
    >>> positions.groupby("id")[["x", "y"]].mean()  # doctest: +SKIP
    >>> tracks = read_positions(session, form="xarray")  # doctest: +SKIP
    >>> tracks.position.sel(individual="BG", keypoint="centroid")  # doctest: +SKIP
    """
    session = as_session(session)
    if form == "xarray":
        return to_dataset(list(iter_positions(session, movies)))
    return _concatenated([to_table(positions).to_pandas() for positions in iter_positions(session, movies)])


def _concatenated(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """One table of several; texts stay categories, which take a hundredth of the room."""
    import pandas as pd

    for name in ("colony", "id", "kind", "tracklet", "alternative"):
        if all(name in table for table in tables):
            values = list(dict.fromkeys(value for table in tables for value in table[name].cat.categories))
            for table in tables:
                table[name] = table[name].cat.set_categories(values)
    return pd.concat(tables, ignore_index=True)
