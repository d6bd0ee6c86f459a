"""Positions as a poses dataset of `movement`, and its netCDF file.

`positions_netcdf/positions_<m>.nc`
    The same for `movement` 0.17 or newer and napari: a poses dataset of one movie, in pixels, with dimensions time,
    space, keypoint, individual. One keypoint, ``centroid``; ``head`` and ``tail`` too where any orientation is known.
    In a folder of its own, since programs that read a folder of tables take every file in it for one.
    `antrax export --to netcdf` joins movies.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.positions import MoviePositions, individual_names

if TYPE_CHECKING:
    import xarray as xr

    from antrax.io.session import Session

_KEYPOINTS = ("centroid", "head", "tail")


def netcdf_file(session: Session, movie: int) -> Path:
    """A movie's positions for `movement`."""
    return session.layout.netcdf(movie)


def to_dataset(movies: Sequence[MoviePositions]) -> xr.Dataset:
    """A poses dataset of `movement` from positions of movies, in order of time.

    Time runs from the first frame of the first movie to the last frame of the last; frames of movies that are left out,
    and animals that are not placed, are NaN. Without a frame rate, time is counted in frames (from 0).
    """
    import xarray as xr

    first, names, keypoints, position, confidence = _arrays(movies)
    fps = _frame_rate(movies)
    frames = np.arange(first - 1, first - 1 + len(position))
    attributes: dict[str, Any] = {
        "source_software": "antrax",
        "ds_type": "poses",
        "time_unit": "frames" if fps is None else "seconds",
    }
    if fps is not None:
        attributes["fps"] = fps
    return xr.Dataset(
        {
            "position": (("time", "space", "keypoint", "individual"), position),
            "confidence": (("time", "keypoint", "individual"), confidence),
        },
        coords={
            "time": frames if fps is None else frames / fps,
            "space": ["x", "y"],
            "keypoint": list(keypoints),
            "individual": list(names),
        },
        attrs=attributes,
    )


def netcdf_bytes(dataset: xr.Dataset) -> bytes:
    """The content of a netCDF file of a poses dataset, compressed."""
    shape = dataset.position.shape
    encoding = {
        name: {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": (min(4096, shape[0]), *rest)}
        for name, rest in (("position", shape[1:]), ("confidence", shape[2:]))
    }
    return bytes(dataset.to_netcdf(engine="h5netcdf", encoding=encoding))


def _frame_rate(movies: Sequence[MoviePositions]) -> float | None:
    # NaN does not equal NaN
    rates = {movie.fps if np.isfinite(movie.fps) and movie.fps > 0 else None for movie in movies}
    if len(rates) > 1:
        told = sorted("unknown" if rate is None else f"{rate:g}" for rate in rates)
        raise ExperimentError(
            f"movies {movies[0].movie} to {movies[-1].movie} have different frame rates "
            f"({', '.join(told)}): there is no common time; export them separately (movies can be chosen)"
        )
    return rates.pop()


def _arrays(
    movies: Sequence[MoviePositions],
) -> tuple[int, tuple[str, ...], tuple[str, ...], NDArray[np.float32], NDArray[np.float32]]:
    """First frame, animals, keypoints, positions and confidences of movies."""
    first = min(movie.first_frame for movie in movies)
    last = max(movie.first_frame + movie.frames - 1 for movie in movies)
    animals = list(dict.fromkeys(key for movie in movies for key in zip(movie.ids, movie.colonies, strict=True)))
    names = individual_names(*zip(*animals, strict=True))
    keypoints = _KEYPOINTS if any(np.isfinite(movie.length).any() for movie in movies) else _KEYPOINTS[:1]
    position = np.full((last - first + 1, 2, len(keypoints), len(animals)), np.nan, np.float32)
    confidence = np.full((last - first + 1, len(keypoints), len(animals)), np.nan, np.float32)
    for movie in movies:
        rows = slice(movie.first_frame - first, movie.first_frame - first + movie.frames)
        columns = [animals.index(key) for key in zip(movie.ids, movie.colonies, strict=True)]
        sure = np.where(movie.placed, movie.confidence, np.float32(np.nan))
        for keypoint, side in zip(range(len(keypoints)), (0.0, 0.5, -0.5), strict=False):
            x, y = movie.x, movie.y
            if side:
                reach = np.float32(side) * movie.length
                x, y = x + reach * np.cos(movie.orientation), y + reach * np.sin(movie.orientation)
            position[rows, 0, keypoint, columns] = x
            position[rows, 1, keypoint, columns] = y
            confidence[rows, keypoint, columns] = np.where(np.isfinite(x), sure, np.float32(np.nan))
    return first, names, keypoints, position, confidence
