"""Summaries of positions for figures, computed movie by movie in bounded memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.positions import Kind, MoviePositions

#: Columns of a timeline, and points of a trail, at most.
COLUMNS, POINTS = 1200, 3000
#: Side of the squares of an occupancy map, in pixels.
SQUARE = 8
#: Sizes of groups in the time budget: from this many animals on, up to the next.
GROUPS = (1, 2, 3, 6)
# Positions are averaged over this many seconds before steps are summed up, or the noise of the centroid would walk far.
_SMOOTHING = 0.5


@dataclass(frozen=True, eq=False)
class Summary:
    """Positions of a colony, summed up. Animals are columns (or rows) in the order of `names`.

    Parameters
    ----------
    colony : str
        Empty where there is one colony.
    names : tuple of str
        IDs.
    first_frame, frames : int
        First absolute frame, and number of frames to the last.
    fps : float
        NaN where it is not known.
    bin_frames : int
        Frames of a column of the timelines.
    in_bin : (bins,) array of int64
        Frames of each column that belong to a movie that was read.
    placed, by_kind : (bins, animals) and (kinds, bins, animals) arrays of int64
        Frames in which an animal is placed; the same by `Kind`.
    confidence : (bins, animals) array of float64
        Mean confidence where placed; NaN where there is none.
    alone_frames : (animals,) array of int64
        Frames for which `distance` was measured.
    distance : (bins, animals) array of float64
        Way of an animal while alone in its blob, in pixels.
    trails : tuple of (points, 3) arrays
        For each animal absolute frame, x and y at regular times; NaN where it is not placed.
    occupancy : (rows, columns) array of int64
        Animals × frames in each square of `SQUARE` pixels.
    group_frames : (len(GROUPS), animals) array of int64
        Frames in blobs of so many placed animals.
    together : (animals, animals) array of int64
        Frames in which two animals are in the same blob; on the diagonal, those in which one is placed.
    """

    colony: str
    names: tuple[str, ...]
    first_frame: int
    frames: int
    fps: float
    bin_frames: int
    in_bin: NDArray[np.int64]
    placed: NDArray[np.int64]
    by_kind: NDArray[np.int64]
    confidence: NDArray[np.float64]
    alone_frames: NDArray[np.int64]
    distance: NDArray[np.float64]
    trails: tuple[NDArray[np.float64], ...]
    occupancy: NDArray[np.int64]
    group_frames: NDArray[np.int64]
    together: NDArray[np.int64]

    @property
    def filmed(self) -> int:
        """Number of frames of the movies that were read."""
        return int(self.in_bin.sum())


class _Sums:
    """A `Summary` while movies come in."""

    def __init__(self, colony: str, names: tuple[str, ...], first: int, frames: int, fps: float, size: tuple[int, int]):
        self.colony, self.names, self.first, self.frames, self.fps = colony, names, first, frames, fps
        animals = len(names)
        self.bin_frames = math.ceil(frames / COLUMNS)
        self.stride = max(1, frames // POINTS)
        bins = math.ceil(frames / self.bin_frames)
        self.in_bin = np.zeros(bins, np.int64)
        self.by_kind = np.zeros((len(Kind), bins, animals), np.int64)
        self.confidence, self.rated, self.distance = np.zeros((3, bins, animals))
        self.alone_frames = np.zeros(animals, np.int64)
        self.trails: list[list[NDArray[np.float64]]] = [[] for _ in names]
        self.occupancy = np.zeros((-(-size[1] // SQUARE), -(-size[0] // SQUARE)), np.int64)
        self.group_frames = np.zeros((len(GROUPS), animals), np.int64)
        self.together = np.zeros((animals, animals), np.int64)

    def add(self, movie: MoviePositions) -> None:
        columns = {name: number for number, name in enumerate(movie.ids) if movie.colonies[number] == self.colony}
        mine = [(own, columns[name]) for own, name in enumerate(self.names) if name in columns]
        own, theirs = (np.array([pair[side] for pair in mine], np.int64) for side in (0, 1))
        offset = movie.first_frame - self.first
        bins = (np.arange(movie.frames) + offset) // self.bin_frames
        self.in_bin += np.bincount(bins, minlength=len(self.in_bin))
        placed, kind = movie.placed[:, theirs], movie.kind[:, theirs]
        for which in Kind:
            _add(self.by_kind[which], placed & (kind == which), bins, own)
        sure = np.nan_to_num(movie.confidence[:, theirs])
        rated = placed & np.isfinite(movie.confidence[:, theirs])
        _add(self.confidence, np.where(rated, sure, 0), bins, own)
        _add(self.rated, rated, bins, own)
        x, y = (np.where(placed, column[:, theirs], np.float32(np.nan)) for column in (movie.x, movie.y))
        self._add_places(movie, own, x, y)
        self._add_distance(movie, own, theirs, x, y, bins)
        self._add_groups(own, np.where(placed, movie.tracklet[:, theirs], -1))

    def _add_places(
        self, movie: MoviePositions, own: NDArray[np.int64], x: NDArray[np.float32], y: NDArray[np.float32]
    ) -> None:
        absolute = np.arange(movie.frames) + movie.first_frame
        chosen = (absolute - self.first) % self.stride == 0
        for column, animal in enumerate(own.tolist()):
            self.trails[animal].append(np.column_stack([absolute[chosen], x[chosen, column], y[chosen, column]]))
        known = np.isfinite(x)
        rows, columns = (
            np.clip(values[known].astype(np.int64) // SQUARE, 0, most - 1)
            for values, most in zip((y, x), self.occupancy.shape, strict=True)
        )
        np.add.at(self.occupancy, (rows, columns), 1)

    def _add_distance(
        self,
        movie: MoviePositions,
        own: NDArray[np.int64],
        theirs: NDArray[np.int64],
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        bins: NDArray[np.int64],
    ) -> None:
        from scipy.ndimage import uniform_filter1d

        # In a heap the centroid says little about the way of one of its animals.
        alone = np.isfinite(movie.orientation[:, theirs]) & np.isfinite(x)
        width = max(1, round(_SMOOTHING * movie.fps)) if np.isfinite(movie.fps) else 5
        weight = uniform_filter1d(alone.astype(np.float64), width, axis=0, mode="nearest")
        smooth = [
            uniform_filter1d(np.where(alone, values, 0).astype(np.float64), width, axis=0, mode="nearest")
            / np.maximum(weight, 1e-9)
            for values in (x, y)
        ]
        steps = np.hypot(*(np.diff(values, axis=0) for values in smooth))
        both = alone[1:] & alone[:-1]
        _add(self.distance, np.where(both, steps, 0), bins[1:], own)
        self.alone_frames[own] += both.sum(axis=0)

    def _add_groups(self, own: NDArray[np.int64], tracklet: NDArray[np.int32]) -> None:
        sizes = np.zeros(tracklet.shape, np.int64)
        for column, animal in enumerate(own.tolist()):
            same = (tracklet == tracklet[:, column, None]) & (tracklet[:, column, None] >= 0)
            sizes[:, column] = same.sum(axis=1)
            self.together[animal, own] += same.sum(axis=0)
        bounds = (*GROUPS, 10**9)
        for group, (least, most) in enumerate(itertools.pairwise(bounds)):
            self.group_frames[group, own] += ((sizes >= least) & (sizes < most)).sum(axis=0)

    def summary(self) -> Summary:
        rated = self.rated > 0
        confidence = np.where(rated, self.confidence / np.maximum(self.rated, 1), np.nan)
        trails = tuple(np.concatenate(parts) if parts else np.zeros((0, 3)) for parts in self.trails)
        return Summary(
            self.colony, self.names, self.first, self.frames, self.fps, self.bin_frames, self.in_bin,
            self.by_kind.sum(axis=0), self.by_kind, confidence, self.alone_frames, self.distance, trails,
            self.occupancy, self.group_frames, self.together,
        )  # fmt: skip


def _add(
    target: NDArray[np.int64] | NDArray[np.float64],
    values: NDArray[Any],
    bins: NDArray[np.int64],
    own: NDArray[np.int64],
) -> None:
    """Add values (frames, animals) to the bins of their frames (sorted) and the columns `own` of the target."""
    if len(bins):
        starts = np.flatnonzero(np.diff(bins, prepend=-1))
        target[np.ix_(bins[starts], own)] += np.add.reduceat(values.astype(target.dtype), starts, axis=0)


def summarize(
    movies: Iterable[MoviePositions], span: tuple[int, int], size: tuple[int, int] | None = None
) -> list[Summary]:
    """Sum up positions, a summary for each colony.

    Parameters
    ----------
    movies : iterable of MoviePositions
    span : (int, int)
        First and last absolute frame of the movies.
    size : (int, int), optional
        Width and height of the frames in pixels; by default as far as positions of the first movie reach.

    Raises
    ------
    ExperimentError
        No animal is placed anywhere.
    """
    sums: dict[str, _Sums] = {}
    for movie in movies:
        if size is None:
            reach = [np.nanmax(values, initial=SQUARE) for values in (movie.x, movie.y)]
            size = (math.ceil(reach[0]) + 1, math.ceil(reach[1]) + 1)
        for colony in dict.fromkeys(movie.colonies):
            if colony not in sums:
                names = tuple(name for name, other in zip(movie.ids, movie.colonies, strict=True) if other == colony)
                sums[colony] = _Sums(colony, names, span[0], span[1] - span[0] + 1, movie.fps, size)
            sums[colony].add(movie)
    found = [part.summary() for part in sums.values()]
    if not any(part.placed.any() for part in found):
        raise ExperimentError("no animal is placed in any frame; there is nothing to plot")
    return found
