"""Measurements of blobs: `tracklets/trdata_<m>.mat`, an array of 17 columns a tracklet (16 in older files).

Read are the area, the centroid, the length and the orientation, of all tracklets of a movie at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError, TrdataError
from antrax.io.names import TrackletName, parse_tracklet_name
from antrax.io.untrusted_hdf5 import ContentError, dataset, has, names, open_hdf5, open_untrusted

if TYPE_CHECKING:
    import h5py

    from antrax.io.session import Session

# Rows of the file's arrays: area, x, y, major axis, orientation; the bounding box; the time since the frame before.
_AREA, _X, _Y, _LENGTH, _ORIENTATION, _DT = 0, 1, 2, 3, 5, 16
_BOX = slice(7, 11)
_COLUMNS = (16, 17)


@dataclass(frozen=True, eq=False)
class BlobMeasurements:
    """Measurements of the blobs of a movie's tracklets; a row for each blob, tracklet by tracklet, frame by frame.

    Parameters
    ----------
    names : (n,) array of str
        Tracklets, sorted by name as the file is.
    offset : (n + 1,) array of int64
        Where each tracklet's rows start.
    frame : (rows,) array of int32
        Movie frame (1-based); 0 where the file has another number of blobs than the name has frames and does not tell
        which are missing.
    area : (rows,) array of float32
        In pixels.
    x, y : (rows,) array of float32
        Centroid, in pixels.
    length : (rows,) array of float32
        Major axis, in pixels.
    orientation : (rows,) array of float32
        Direction of the head in radians, from x (to the right) to y (downwards).
    """

    names: NDArray[np.str_]
    offset: NDArray[np.int64]
    frame: NDArray[np.int32]
    area: NDArray[np.float32]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    length: NDArray[np.float32]
    orientation: NDArray[np.float32]

    @cached_property
    def row(self) -> dict[str, int]:
        """Number of each tracklet by its name."""
        return {name: row for row, name in enumerate(self.names.tolist())}

    def rows(self, tracklet: str) -> slice:
        """Rows of a tracklet; none where the movie does not have it."""
        row = self.row.get(tracklet)
        return slice(0, 0) if row is None else slice(int(self.offset[row]), int(self.offset[row + 1]))


def measured_movies(session: Session) -> list[int]:
    """Movies that have measurements, sorted."""
    return sorted(_files(session))


def read_centroids(path: Path, tracklets: Iterable[str]) -> dict[str, NDArray[np.float64] | None]:
    """Read the centroids of the blobs of some tracklets; a damaged tracklet affects only itself.

    Parameters
    ----------
    path : Path
        `trdata_<m>.mat`; where it cannot be read, nothing is known.
    tracklets : iterable of str
        Those that the file does not have are left out.

    Returns
    -------
    dict of str to (NDArray[np.float64] or None)
        Columns and rows in pixels (1-based), shape (2, frames); None where they are damaged or there are none.
    """
    found: dict[str, NDArray[np.float64] | None] = {}
    try:
        with open_hdf5(path) as file:
            for name in tracklets:
                if has(file, name):
                    found[name] = _centroids(file, name)
    except Exception:  # of a damaged file, h5py raises almost anything
        return found
    return found


def _centroids(file: h5py.File, name: str) -> NDArray[np.float64] | None:
    try:
        table = dataset(file, name, dtype=(np.integer, np.floating), compressed=True)
    except ContentError:  # only this tracklet is affected
        return None
    if "MATLAB_empty" in table.attrs or table.ndim != 2:
        return None
    # a frame is a column of 16 or 17 values; MATLAB's files show it either way round
    both = table[_X : _Y + 1] if table.shape[0] in _COLUMNS else table[:, _X : _Y + 1].T
    places = np.asarray(both, np.float64)
    if len(places) != 2:
        return None
    places = places[:, np.isfinite(places).all(0)]
    return places if places.size else None


def trdata_files(session: Session, movie: int) -> tuple[Path, ...]:
    """Files with measurements of a movie, several where it was tracked in parts."""
    return _files(session).get(movie, ())


def read_measurements(session: Session, movie: int, tracklets: Iterable[str] | None = None) -> BlobMeasurements:
    """Read the measurements of a movie, of all its parts where it was tracked in parts.

    Parameters
    ----------
    session : Session
    movie : int
    tracklets : iterable of str, optional
        Those wanted; all by default. Those that no file has are left out.

    Raises
    ------
    TrdataError
        There is no such file, it is damaged, or a tracklet has other columns than it should.
    """
    paths = _files(session).get(movie)
    if not paths:
        raise TrdataError(
            f"{session.layout.file('trdata', movie)} does not exist; run the tracking step of movie {movie}"
        )
    entry = session.movies.get(movie)
    fps = entry.fps if entry else float("nan")
    wanted = None if tracklets is None else set(tracklets)
    found: dict[str, tuple[TrackletName, NDArray[np.float32]]] = {}
    for path in paths:
        advice = f"run the tracking step of movie {movie} again"
        with open_untrusted(path, "a table of blobs", TrdataError, most=None, advice=advice) as file:
            # listing a movie of 100,000 tracklets takes longer than reading some of them
            for name in names(file) if wanted is None else [name for name in wanted if has(file, name)]:
                if parsed := parse_tracklet_name(name):
                    found[name] = parsed, _read(file, name)
    tracklets = sorted(found)
    parts = [found[name][1] for name in tracklets]
    counts = [part.shape[1] for part in parts]
    data = np.concatenate(
        [part[[_AREA, _X, _Y, _LENGTH, _ORIENTATION]] for part in parts] or [np.zeros((5, 0), np.float32)], axis=1
    )
    frames = [_frames(*found[name], fps) for name in tracklets]
    return BlobMeasurements(
        np.array(tracklets, np.str_),
        np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
        np.concatenate([np.zeros(0, np.int32), *frames]).astype(np.int32),
        *np.asarray(data, np.float32),
    )


def read_box(session: Session, movie: int, tracklet: str, frame: int) -> tuple[float, float, float, float] | None:
    """Bounding box of a blob: left, top, width, height in pixels; None where it is not known.

    Parameters
    ----------
    session : Session
    movie : int
    tracklet : str
    frame : int
        Of the movie, from 1.

    Raises
    ------
    TrdataError
        A file is damaged.
    """
    parsed = parse_tracklet_name(tracklet)
    entry = session.movies.get(movie)
    for path in _files(session).get(movie, ()) if parsed else ():
        advice = f"run the tracking step of movie {movie} again"
        with open_untrusted(path, "a table of blobs", TrdataError, most=None, advice=advice) as file:
            if not has(file, tracklet):
                continue
            values = _read(file, tracklet)
            assert parsed is not None
            at = np.flatnonzero(_frames(parsed, values, entry.fps if entry else float("nan")) == frame)
            box = values[_BOX, at[0]] if len(at) else np.zeros(4, np.float32)
            if np.isfinite(box).all() and box[2] > 0 and box[3] > 0:
                return float(box[0]), float(box[1]), float(box[2]), float(box[3])
    return None


def _files(session: Session) -> dict[int, tuple[Path, ...]]:
    try:
        return session.layout.files("trdata")
    except ExperimentError as error:
        raise TrdataError(str(error)) from None


def _read(file: h5py.File, name: str) -> NDArray[np.float32]:
    """The array of one tracklet, (columns, blobs)."""
    place = dataset(file, name, dtype=np.number, compressed=True)
    shape: tuple[int, ...] = place.shape
    if shape and "MATLAB_empty" in place.attrs:
        return np.zeros((_COLUMNS[-1], 0), np.float32)
    if len(shape) not in (1, 2) or shape[0] not in _COLUMNS or place.dtype.kind not in "fiu":
        raise ContentError(f"{name} has shape {shape}; expected 17 columns")
    values: NDArray[np.float32] = np.asarray(place[()], np.float32)
    return values[:, None] if values.ndim == 1 else values


def _frames(name: TrackletName, values: NDArray[np.float32], fps: float) -> NDArray[np.int32]:
    """Movie frame of each blob; zeros where it cannot be told."""
    count = values.shape[1]
    if count == name.span:
        return np.arange(name.first, name.last + 1, dtype=np.int32)
    # Where frames were left out, the times between blobs tell which.
    if count and len(values) > _DT and np.isfinite(fps) and np.isfinite(values[_DT, 1:]).all():
        after = np.rint(np.cumsum(values[_DT, 1:].astype(np.float64)) * fps).astype(np.int64)
        steps = np.diff(after, prepend=0)
        if (steps > 0).all() and (after[-1] if count > 1 else 0) == name.span - 1:
            return (name.first + np.concatenate([[0], after])).astype(np.int32)
    return np.zeros(count, np.int32)
