"""A simulated colony: positions of all animals in all frames, and their tracking. No files, no images.

>>> colony = simulate_colony(ColonyOptions(animals=4, movies=2, frames=100))
>>> colony.x.shape, len(colony.ids)
((200, 4), 4)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antrax.defaults import DEMO_MOVIES
from antrax.demo.ants import id_names
from antrax.demo.measuring import FRAMES_PER_SECOND, PIXEL
from antrax.demo.motion import Arena, make_arena, move, spells
from antrax.demo.planning import NOTHING, SEVERAL, UNREADABLE
from antrax.demo.rendering import Floats
from antrax.demo.tracker_view import Bodies, Tracks, track, with_wrong_links
from antrax.errors import OptionError

if TYPE_CHECKING:
    from antrax.io.tracklet_graph import TrackletGraph

#: Mean areas between which a tracklet is taken for a single animal, in m² (`thrsh_meanareamin` and `…max`).
SINGLE_AREA = (1e-6, 3.2e-6)
#: Area of one animal: mean over animals and its standard deviation, in m².
_ANIMAL_AREA = (2.55e-6, 0.12e-6)
# Streams of random numbers, beside those in `experiment`.
_FOR_COLONY, _FOR_LINKS = 10, 15
_MARGIN = 20.0  # pixels between an arena and the edge of the image, or the next arena
_BOUNDARY = 25.0  # pixels within which a blob is on the open boundary


@dataclass(frozen=True)
class ColonyOptions:
    """Options of a simulated colony.

    Parameters
    ----------
    animals : int
        Animals in each colony; all colonies have the same IDs. At most 100.
    colonies : int
        Colonies, each in an arena of its own, all filmed together.
    density : float
        Animals for each cm² of arena; the real session of 16 ants had 0.5.
    movies : int
        Number of movies.
    frames : int
        Frames of each movie, at 10 frames a second.
    nest : float
        Share of their time that animals spend in the nest on average, 0 to 0.95. There they touch most of the time.
    open_arena : bool
        Whether animals leave the arena and come back.
    deaths : int
        Animals in each colony that die on the way and are taken away; `ids.cfg` says when.
    unreadable : float
        Share of the single tracklets in which the tags cannot be read, 0 to 1.
    things : int
        Things in each colony that are no animals and that the tracker sees now and then.
    losses : float
        How often the tracker loses an animal for some frames, in 1,000 frames of an animal.
    wrong_links : float
        Share of the links between tracklets that the tracker draws to a neighbour, or leaves out, 0 to 1.
    seed : int
        The same options give the same colony.
    """

    animals: int = 16
    colonies: int = 1
    density: float = 0.5
    movies: int = DEMO_MOVIES
    frames: int = 1000
    nest: float = 0.75
    open_arena: bool = False
    deaths: int = 0
    unreadable: float = 0.06
    things: int = 2
    losses: float = 0.0
    wrong_links: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        limits: tuple[tuple[str, float, float], ...] = (
            ("animals", 1, 100), ("colonies", 1, 100), ("density", 0.01, 10), ("movies", 1, 100_000),
            ("frames", 2, 1_000_000), ("nest", 0, 0.95), ("deaths", 0, self.animals), ("unreadable", 0, 1),
            ("things", 0, 1000), ("losses", 0, 100), ("wrong_links", 0, 1), ("seed", 0, math.inf),
        )  # fmt: skip
        for name, least, most in limits:
            value = getattr(self, name)
            if not least <= value <= most:
                raise OptionError(f"{name} is {value}; it must be between {least} and {most}")


@dataclass(frozen=True, eq=False)
class Colony:
    """A made-up colony with its truth. Frames are numbered from 1 elsewhere; row 0 of an array is frame 1.

    Parameters
    ----------
    options : ColonyOptions
    arenas : tuple of Arena
        One for each colony.
    size : (int, int)
        Width and height of the frames, in pixels.
    ids : tuple of str
        ID of each animal; animals of several colonies have the same.
    colony : (animals,) array of int64
        Colony of each animal, from 0.
    x, y, heading : (frames, animals) array of float32
        Where each animal is (pixels), also where the tracker does not see it, and where it looks (radians); NaN where
        it is not there.
    tracks : Tracks
        The tracker's result.
    gone_from : (animals,) array of int64
        First frame (1-based) in which a dead animal has been taken away; 0 for those that live to the end.
    readable : (tracklets,) array of bool
        Whether the tags can be read, for tracklets of one animal.
    """

    options: ColonyOptions
    arenas: tuple[Arena, ...]
    size: tuple[int, int]
    ids: tuple[str, ...]
    colony: NDArray[np.int64]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    heading: NDArray[np.float32]
    tracks: Tracks
    gone_from: NDArray[np.int64]
    readable: NDArray[np.bool_]

    @property
    def cell(self) -> NDArray[np.int32]:
        """Row of the tracklet that each animal is in, (frames, animals); -1 where it is in none."""
        return self.tracks.of_body[:, : len(self.ids)]

    @cached_property
    def colony_names(self) -> tuple[str, ...]:
        """Names of the colonies; one empty name where there is one colony."""
        count = self.options.colonies
        return ("",) if count == 1 else tuple(f"C{number}" for number in range(1, count + 1))

    @cached_property
    def members(self) -> tuple[NDArray[np.int64], ...]:
        """The animals in each tracklet; none in those of things."""
        frame, animal = np.nonzero(self.cell >= 0)
        pairs = np.unique(np.stack([self.cell[frame, animal].astype(np.int64), animal], axis=1), axis=0)
        cuts = np.searchsorted(pairs[:, 0], np.arange(1, len(self.tracks.names)))
        return tuple(np.split(pairs[:, 1], cuts))

    @cached_property
    def member_counts(self) -> NDArray[np.int64]:
        """Number of animals in each tracklet."""
        return np.array([len(animals) for animals in self.members], np.int64)

    @cached_property
    def mean_area(self) -> Floats:
        """Mean area of each tracklet's blobs, in m²."""
        starts = self.tracks.offset[:-1]
        lengths = np.diff(self.tracks.offset)
        means: Floats = np.add.reduceat(self.tracks.data[:, 0].astype(np.float64), starts) / lengths * PIXEL**2
        return means

    @cached_property
    def looks_single(self) -> NDArray[np.bool_]:
        """Tracklets whose mean area is that of one animal; of these a tracker saves blob images."""
        return (self.mean_area > SINGLE_AREA[0]) & (self.mean_area < SINGLE_AREA[1])

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The true label of each tracklet: an ID, or NoAnt, Multi or Unknown."""
        found = []
        for animals, readable in zip(self.members, self.readable.tolist(), strict=True):
            if len(animals) == 1:
                found.append(self.ids[animals[0]] if readable else UNREADABLE)
            else:
                found.append(SEVERAL if len(animals) else NOTHING)
        return tuple(found)

    @cached_property
    def graph(self) -> TrackletGraph:
        """The tracklet graph; its rows are those of `tracks`."""
        from antrax.io.tracklet_graph import TrackletGraph

        tracks, options = self.tracks, self.options
        movies = np.arange(1, options.movies + 1)
        ends = tracks.offset[1:] - 1
        boundary = np.maximum.reduceat(tracks.data[:, 15], tracks.offset[:-1]) > 0
        return TrackletGraph(
            names=tracks.names,
            movie=tracks.movie,
            first=tracks.first,
            last=tracks.last,
            area=self.mean_area,
            colony=np.array(self.colony_names, np.str_)[tracks.group],
            start=tracks.data[tracks.offset[:-1], 1:3],
            end=tracks.data[ends, 1:3],
            at_boundary=boundary,
            parent=tracks.parent,
            child=tracks.child,
            movies=movies.astype(np.int32),
            movie_first=(movies - 1) * options.frames + 1,
            movie_last=movies * options.frames,
        )


def simulate_colony(options: ColonyOptions | None = None) -> Colony:
    """Simulate a colony and its tracking.

    Parameters
    ----------
    options : ColonyOptions, optional

    Returns
    -------
    Colony
    """
    options = options or ColonyOptions()
    rng = np.random.default_rng([options.seed, _FOR_COLONY])
    frames = options.movies * options.frames
    arenas, size = _arenas(options, rng)
    motions = [move(arena, options.animals, frames, options.nest, rng) for arena in arenas]
    x, y, heading, present = (
        np.concatenate([getattr(motion, name) for motion in motions], axis=1)
        for name in ("x", "y", "heading", "present")
    )
    count = x.shape[1]
    colony = np.repeat(np.arange(options.colonies), options.animals)
    gone_from = _deaths(options, frames, rng)
    present = present & ((gone_from == 0) | (np.arange(1, frames + 1)[:, None] < gone_from))
    boundary = _at_boundary(arenas, colony, x, y) if options.open_arena else None
    seen = present & ~spells((frames, count), options.losses / 1000, 4.0, rng)
    bodies = _with_things(options, arenas, Bodies(x, y, heading, seen, np.zeros(count), colony), rng)
    if boundary is not None:
        boundary = np.pad(boundary, ((0, 0), (0, bodies.x.shape[1] - count)))
    tracks = track(bodies, options.frames, FRAMES_PER_SECOND, boundary, rng)
    if options.wrong_links:
        links = np.random.default_rng([options.seed, _FOR_LINKS])
        tracks = with_wrong_links(tracks, options.wrong_links, links)
    absent = np.where(present, np.float32(0), np.float32(np.nan))
    return Colony(
        options, arenas, size, id_names(options.animals) * options.colonies, colony, x + absent, y + absent,
        heading + absent, tracks, gone_from, rng.random(len(tracks.names)) >= options.unreadable,
    )  # fmt: skip


def _arenas(options: ColonyOptions, rng: np.random.Generator) -> tuple[tuple[Arena, ...], tuple[int, int]]:
    """The arenas, in rows like a chessboard's, and the size of the frames."""
    radius = math.sqrt(options.animals / options.density / math.pi) * 0.01 / PIXEL
    columns = math.ceil(math.sqrt(options.colonies))
    side = 2 * (radius + _MARGIN)
    arenas = tuple(
        make_arena(
            ((number % columns + 0.5) * side, (number // columns + 0.5) * side),
            radius,
            options.animals,
            options.open_arena,
            rng,
        )
        for number in range(options.colonies)
    )
    return arenas, (math.ceil(columns * side), math.ceil(-(-options.colonies // columns) * side))


def _deaths(options: ColonyOptions, frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
    gone = np.zeros((options.colonies, options.animals), np.int64)
    for row in gone:
        dead = rng.choice(options.animals, options.deaths, replace=False)
        row[dead] = 1 + np.rint(rng.uniform(0.2, 0.9, options.deaths) * (frames - 1))
    return gone.ravel()


def _at_boundary(
    arenas: tuple[Arena, ...], colony: NDArray[np.int64], x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Where an animal is near the edge of an open arena."""
    centre = np.array([arena.centre for arena in arenas])[colony]
    near: NDArray[np.bool_] = np.hypot(x - centre[:, 0], y - centre[:, 1]) > arenas[0].radius - _BOUNDARY
    return near


def _with_things(
    options: ColonyOptions, arenas: tuple[Arena, ...], animals: Bodies, rng: np.random.Generator
) -> Bodies:
    """Add objects that are no animals and do not move, and assign all areas."""
    frames, count = animals.x.shape
    things = options.things * options.colonies
    where = np.concatenate(
        [np.asarray(arena.centre) + rng.uniform(-0.65, 0.65, (options.things, 2)) * arena.radius for arena in arenas]
    ).astype(np.float32)
    area = np.concatenate(
        [rng.normal(*_ANIMAL_AREA, count), np.clip(rng.lognormal(math.log(1.2e-6), 0.4, things), 0.4e-6, 3e-6)]
    )
    still = np.ones((frames, 1), np.float32)
    return Bodies(
        np.hstack([animals.x, still * where[:, 0]]),
        np.hstack([animals.y, still * where[:, 1]]),
        np.hstack([animals.heading, still * rng.uniform(-math.pi, math.pi, things).astype(np.float32)]),
        np.hstack([animals.seen, spells((frames, things), 1 / 400, 15.0, rng)]),
        area / PIXEL**2,
        np.concatenate([animals.group, np.repeat(np.arange(options.colonies), options.things)]),
    )
