"""Positions of animals: from pairs of an animal and a tracklet to a position for each animal and frame.

Solving ends with `Placements`; `place` looks up the blobs' positions for one movie. All files of positions
(`antrax.io.antdata`, `antrax.io.positions_table`) are made from the result and read back as it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.names import parse_tracklet_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from antrax.io.session import Session
    from antrax.io.trdata import BlobMeasurements


class Kind(IntEnum):
    """Evidence that a placement is based on; the numbers above 0 are those of anTraX's `xy_….mat`."""

    UNDECIDED = 0  # not placed: this tracklet is one of several that the animal may be in
    CLASSIFIED = 1  # the tracklet's own label, of a single animal
    SINGLE = 2  # a tracklet of a single animal, by its neighbours in the graph
    SEVERAL = 3  # a tracklet of several animals, by its neighbours in the graph
    SOFT = 4  # anTraX's weaker rule: the only tracklet at its time that can be the animal's
    INTERPOLATED = 5  # interpolated between two placements over a gap in tracking


#: Names of the kinds in tables.
KIND_NAMES = {kind: kind.name.lower() for kind in Kind}


@dataclass(frozen=True, eq=False)
class Placements:
    """Pairs of an animal and a tracklet.

    Parameters
    ----------
    ids : tuple of str
        ID of each animal; where there are several colonies, an ID stands once for each colony.
    colonies : tuple of str
        Colony of each animal; empty text where there is one colony.
    tracklet : (p,) array of str
        Names of the tracklets.
    animal : (p,) array of int64
        Number of the animal in `ids`.
    kind : (p,) array of int8
        `Kind`.
    single : (p,) array of bool
        Whether the tracklet holds a single animal; only then its orientation is the animal's.
    confidence : (p,) array of float32
        Probability that it is right, 0 to 1; NaN where the method gives none.
    alternative : (p,) array of str
        IDs that the animal in the tracklet may be instead, separated by ``|``; empty for none.
    """

    ids: tuple[str, ...]
    colonies: tuple[str, ...]
    tracklet: NDArray[np.str_]
    animal: NDArray[np.int64]
    kind: NDArray[np.int8]
    single: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    alternative: NDArray[np.str_]

    @cached_property
    def _by_movie(self) -> dict[int, NDArray[np.int64]]:
        names, which = np.unique(self.tracklet, return_inverse=True)
        parsed = [parse_tracklet_name(name) for name in names.tolist()]
        of_name = np.array([name.movie if name else -1 for name in parsed], np.int64)
        movie = of_name[which] if len(names) else np.zeros(0, np.int64)
        order = np.argsort(movie, kind="stable")
        found, starts = np.unique(movie[order], return_index=True)
        return dict(zip(found.tolist(), np.split(order, starts[1:]), strict=True))

    def of_movie(self, movie: int) -> NDArray[np.int64]:
        """Rows of the pairs whose tracklet is of a movie, in order."""
        return self._by_movie.get(movie, np.zeros(0, np.int64))

    def select(self, rows: NDArray[np.int64]) -> Placements:
        """Some of the pairs, of the same animals.

        Parameters
        ----------
        rows : array of int64
        """
        return Placements(
            self.ids, self.colonies, self.tracklet[rows], self.animal[rows], self.kind[rows], self.single[rows],
            self.confidence[rows], self.alternative[rows],
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class MoviePositions:
    """Positions in one movie. Arrays have a row for each frame of the movie and a column for each animal.

    Parameters
    ----------
    movie : int
    first_frame : int
        Absolute frame (1-based) of row 0.
    fps : float
        Frames a second; NaN where the movie table does not tell.
    ids, colonies : tuple of str
        ID and colony of each animal.
    x, y : (frames, animals) array of float32
        In pixels; NaN where the animal is not placed.
    orientation : (frames, animals) array of float32
        Direction of the head in radians, from x (to the right) to y (downwards); NaN in tracklets of several animals.
    length : (frames, animals) array of float32
        Length of the body in pixels; NaN where the orientation is not known.
    kind : (frames, animals) array of int8
        `Kind`; `UNDECIDED` (0) also where nothing is known.
    confidence : (frames, animals) array of float32
        NaN where the animal is not placed, or the method gives none.
    tracklet : (frames, animals) array of int32
        Number in `tracklets`; -1 where there is none. Where the animal is not placed, one that it may be in.
    tracklets : (t,) array of str
        Names.
    alternative : (frames, animals) array of int32
        Number in `alternatives`.
    alternatives : tuple of str
        IDs that the animal may be instead, separated by ``|``; the first is empty.
    """

    movie: int
    first_frame: int
    fps: float
    ids: tuple[str, ...]
    colonies: tuple[str, ...]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    orientation: NDArray[np.float32]
    length: NDArray[np.float32]
    kind: NDArray[np.int8]
    confidence: NDArray[np.float32]
    tracklet: NDArray[np.int32]
    tracklets: NDArray[np.str_]
    alternative: NDArray[np.int32]
    alternatives: tuple[str, ...]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.x)

    @property
    def individuals(self) -> tuple[str, ...]:
        """A name for each animal, unique in the session: its ID, after its colony where there are several."""
        return individual_names(self.ids, self.colonies)

    @property
    def placed(self) -> NDArray[np.bool_]:
        """Whether an animal is placed, (frames, animals)."""
        found: NDArray[np.bool_] = self.kind != Kind.UNDECIDED
        return found

    @classmethod
    def empty(
        cls, movie: int, first_frame: int, frames: int, fps: float, ids: tuple[str, ...], colonies: tuple[str, ...]
    ) -> MoviePositions:
        """Positions of a movie with no animal placed.

        Parameters
        ----------
        movie : int
            Index of the movie.
        first_frame : int
            Its first absolute frame.
        frames : int
            Number of its frames.
        fps : float
            Frames a second; NaN where it is not known.
        ids : tuple of str
            Animals.
        colonies : tuple of str
            Colony of each animal.
        """
        shape = (frames, len(ids))
        x, y, orientation, length, confidence = (np.full(shape, np.nan, np.float32) for _ in range(5))
        return cls(
            movie, first_frame, fps, ids, colonies, x, y, orientation, length, np.zeros(shape, np.int8), confidence,
            np.full(shape, -1, np.int32), np.zeros(0, np.str_), np.zeros(shape, np.int32), ("",),
        )  # fmt: skip


def placements_of(positions: MoviePositions, is_single: Callable[[str], bool]) -> Placements:
    """Recover the pairs of an animal and a tracklet from a movie's positions; the inverse of `place`.

    Parameters
    ----------
    positions : MoviePositions
    is_single : callable
        Whether a tracklet is of a single animal.
    """
    animals = len(positions.ids)
    frame, animal = np.nonzero(positions.tracklet >= 0)
    code = positions.tracklet[frame, animal].astype(np.int64) * animals + animal
    # where an animal is placed in another tracklet for some frames, those count as that one's
    _, at = np.unique(code, return_index=True)
    frame, animal = frame[at], animal[at]
    tracklet = positions.tracklets[positions.tracklet[frame, animal]].astype(np.str_)
    alternatives = np.array(positions.alternatives, np.str_)
    return Placements(
        positions.ids,
        positions.colonies,
        tracklet,
        animal.astype(np.int64),
        positions.kind[frame, animal],
        np.array([is_single(name) for name in tracklet.tolist()], bool),
        positions.confidence[frame, animal],
        alternatives[positions.alternative[frame, animal]],
    )


def individual_names(ids: Iterable[str], colonies: Iterable[str]) -> tuple[str, ...]:
    """A name for each animal: its ID, after its colony and ``_`` where there are several colonies."""
    return tuple(f"{colony}_{name}" if colony else name for name, colony in zip(ids, colonies, strict=True))


def movie_frames(session: Session, movie: int) -> tuple[int, int] | None:
    """Absolute number of a movie's first frame and its number of frames; None where the movie table does not tell."""
    entry = session.movies.get(movie)
    return (entry.fi, entry.ff - entry.fi + 1) if entry and entry.fi and entry.ff >= entry.fi else None


def place(
    session: Session,
    movie: int,
    placements: Placements,
    measurements: BlobMeasurements,
    longest_gap: float = 0.0,
) -> MoviePositions:
    """Compute positions of the animals of a movie from placements.

    Where an animal is placed in two tracklets at a time, the harder kind counts, then the higher confidence.
    Where it is in none for a moment, between two in which it is placed, its position is interpolated.

    Parameters
    ----------
    session : Session
    movie : int
    placements : Placements
        Those of other movies are passed over.
    measurements : BlobMeasurements
        The movie's.
    longest_gap : float
        Seconds over which positions are interpolated; 0 for never, which is also so where the frame rate is not known.

    Raises
    ------
    ExperimentError
        The movie table does not tell the movie's frames.
    """
    span = movie_frames(session, movie)
    if span is None:
        raise ExperimentError(
            f"{session.layout.movies_file} does not tell the first and last frame (fi, ff) of "
            f"movie {movie}; without them its positions have no time"
        )
    first, count = span
    found = MoviePositions.empty(movie, first, count, session.movies[movie].fps, placements.ids, placements.colonies)
    here = placements.of_movie(movie)
    # The best comes last and stays.
    rank = np.where(placements.kind[here] == Kind.UNDECIDED, 99, placements.kind[here])
    pair = here[np.lexsort((np.nan_to_num(placements.confidence[here], nan=-1), -rank))]
    names, name_of_pair = np.unique(placements.tracklet[pair], return_inverse=True)
    texts, text_of_pair = np.unique(np.concatenate([[""], placements.alternative[pair]]), return_inverse=True)
    # One entry for each blob of each pair: the number of the pair, and the blob's row in the measurements.
    spans = [measurements.rows(name) for name in names.tolist()]
    starts, lengths = (np.array(values, np.int64)[name_of_pair] for values in zip(*_ends(spans), strict=True))
    entry = np.repeat(np.arange(len(pair)), lengths)
    row = np.arange(len(entry)) - np.repeat(np.cumsum(lengths) - lengths - starts, lengths)
    frame = measurements.frame[row] - 1
    known = (frame >= 0) & (frame < count)
    entry, row = entry[known], row[known]
    at = frame[known], placements.animal[pair][entry]
    placed = (placements.kind[pair] != Kind.UNDECIDED)[entry]
    oriented = placed & placements.single[pair][entry]
    found.tracklet[at] = name_of_pair[entry]
    found.alternative[at] = text_of_pair[1:][entry]
    found.confidence[at] = placements.confidence[pair][entry]
    found.kind[at] = placements.kind[pair][entry]
    for column, values, shown in (
        (found.x, measurements.x, placed),
        (found.y, measurements.y, placed),
        (found.orientation, measurements.orientation, oriented),
        (found.length, measurements.length, oriented),
    ):
        column[at] = np.where(shown, values[row], np.float32(np.nan))
    if np.isfinite(found.fps) and (most := int(longest_gap * found.fps)) > 0:
        _interpolate(found, most)
    return MoviePositions(
        movie, first, found.fps, found.ids, found.colonies, found.x, found.y, found.orientation, found.length,
        found.kind, found.confidence, found.tracklet, names, found.alternative, tuple(texts.tolist()),
    )  # fmt: skip


def _interpolate(found: MoviePositions, most: int) -> None:
    """Interpolate gaps of at most so many frames; the confidence is that of the less certain end."""
    animal, frame = np.nonzero((found.placed | (found.tracklet >= 0)).T)
    before = np.flatnonzero(
        (animal[1:] == animal[:-1]) & (frame[1:] > frame[:-1] + 1) & (frame[1:] <= frame[:-1] + most + 1)
    )
    before = before[found.placed[frame[before], animal[before]] & found.placed[frame[before + 1], animal[before + 1]]]
    size = frame[before + 1] - frame[before] - 1
    gap = np.repeat(before, size)
    step = np.arange(len(gap)) - np.repeat(np.cumsum(size) - size, size) + 1
    ends = tuple((frame[gap + side], animal[gap + side]) for side in (0, 1))
    at = (frame[gap] + step, animal[gap])
    part = (step / (np.repeat(size, size) + 1)).astype(np.float32)
    for column in (found.x, found.y):
        column[at] = (1 - part) * column[ends[0]] + part * column[ends[1]]
    found.confidence[at] = np.minimum(found.confidence[ends[0]], found.confidence[ends[1]])
    found.kind[at] = Kind.INTERPOLATED


def _ends(spans: list[slice]) -> list[tuple[int, int]]:
    """Start and length of slices; one of nothing where there are none."""
    return [(span.start, span.stop - span.start) for span in spans] or [(0, 0)]
