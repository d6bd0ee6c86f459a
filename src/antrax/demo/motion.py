"""Movement of the animals of a simulated colony: nest, trips through the arena, rests, exits, deaths.

Every animal goes from one waypoint to the next, at its own pace, and stays there for a while; positions between are
interpolated for all frames at once. Waypoints lie in the nest, at a few sites that attract everybody, anywhere in the
arena or, in an open arena, at an exit. How long an animal stays in the nest differs widely between animals, as it does
between nurses and foragers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antrax.demo.noise import smooth_noise
from antrax.demo.rendering import Floats

#: Half the length and half the width of a body, in pixels.
HALF_LENGTH, HALF_WIDTH = 11.0, 4.5

_PACE = 3.2  # pixels a frame
_SITES = 3
_NEST, _SITE, _ANYWHERE, _EXIT = range(4)
# What a trip's waypoints are: a site, anywhere, an exit (open arenas only).
_TRIP = {False: (0.35, 0.65, 0.0), True: (0.3, 0.55, 0.15)}
# Mean number of waypoints of a trip, and mean stay at a waypoint in frames by its kind.
_TRIP_WAYPOINTS = 5.0
_STAY = np.array([500.0, 260.0, 90.0, 300.0])
_NEST_STAY_SPREAD = 1.2


@dataclass(frozen=True)
class Arena:
    """The round arena of one colony.

    Parameters
    ----------
    centre : (float, float)
        x, y in pixels.
    radius : float
        In pixels.
    nest : (float, float)
        Middle of the nest.
    nest_size : float
        Standard deviation of places in the nest around its middle.
    sites : (s, 2) array
        Places that attract animals.
    exits : (e, 2) array
        Places on the border where animals leave and come back; none in a closed arena.
    """

    centre: tuple[float, float]
    radius: float
    nest: tuple[float, float]
    nest_size: float
    sites: Floats
    exits: Floats


@dataclass(frozen=True)
class Motion:
    """Positions of animals over time.

    Parameters
    ----------
    x, y : (frames, animals) array of float32
        Middle of the body, in pixels.
    heading : (frames, animals) array of float32
        Direction of the head, in radians; x to the right, y downwards.
    present : (frames, animals) array of bool
        False where an animal is outside an open arena, or dead and taken away.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    heading: NDArray[np.float32]
    present: NDArray[np.bool_]


def make_arena(
    centre: tuple[float, float], radius: float, animals: int, is_open: bool, rng: np.random.Generator
) -> Arena:
    """An arena with a nest off its middle and sites around.

    Parameters
    ----------
    centre, radius
        In pixels.
    animals : int
        How many live there; the nest is as large as they need.
    is_open : bool
        Whether it has exits.
    rng
        Source of random numbers.
    """
    angle = rng.uniform(-math.pi, math.pi)
    nest = (centre[0] + 0.45 * radius * math.cos(angle), centre[1] + 0.45 * radius * math.sin(angle))
    sites = _polar(rng.uniform(-math.pi, math.pi, _SITES), 0.8 * radius * np.sqrt(rng.uniform(0.2, 1, _SITES)), centre)
    exits = _polar(angle + math.pi + np.array([-0.6, 0.6]), np.full(2, radius - 3), centre)
    return Arena(
        centre, radius, nest, min(0.25 * radius, 4.0 * math.sqrt(animals)), sites, exits if is_open else exits[:0]
    )


def move(arena: Arena, animals: int, frames: int, nest_share: float, rng: np.random.Generator) -> Motion:
    """Simulate the movement of animals in an arena for a number of frames.

    Parameters
    ----------
    arena : Arena
    animals, frames : int
    nest_share : float
        Share of the time that animals spend in the nest on average, 0 to under 1.
    rng
        Source of random numbers.
    """
    x, y = np.empty((2, frames, animals))
    away = np.zeros((frames, animals), np.bool_)
    time = np.arange(frames, dtype=np.float64)
    paces = _PACE * np.exp(rng.normal(0.0, 0.2, animals))
    # Nest-bound animals and foragers; the mean over animals stays what it was.
    spread = np.exp(rng.normal(0.0, _NEST_STAY_SPREAD, animals))
    for animal in range(animals):
        arrive, leave, place, kind = _waypoints(
            arena, frames, nest_share, float(spread[animal]), float(paces[animal]), rng
        )
        knots = np.stack([arrive, leave], axis=1).ravel()
        for axis, positions in enumerate((x, y)):
            positions[:, animal] = np.interp(time, knots, np.repeat(place[:, axis], 2))
        for index in np.flatnonzero(kind == _EXIT):
            away[max(0, math.ceil(arrive[index])) : max(0, math.ceil(leave[index])), animal] = True
    return _with_wobble(arena, x, y, ~away, rng)


def _waypoints(
    arena: Arena, frames: int, nest_share: float, spread: float, pace: float, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats, NDArray[np.intp]]:
    """Times of arriving and leaving, places and kinds of an animal's waypoints, until after the last frame."""
    is_open = len(arena.exits) > 0
    shares = _TRIP[is_open]
    trip = _TRIP_WAYPOINTS * (float(np.dot(shares, _STAY[1:])) + 0.9 * arena.radius / pace)
    # Frames in the nest for each trip; waypoints there are left and reached anew all the time.
    nest = nest_share / (1 - nest_share) * trip * spread
    nest_waypoints = max(1.0, nest / _STAY[_NEST])
    kinds: list[NDArray[np.intp]] = []
    expected = 0.0
    in_nest = rng.random() < nest / (nest + trip)
    while expected < 1.5 * frames + 3 * (nest + trip):
        if in_nest:
            count = int(rng.geometric(1 / nest_waypoints)) if nest_share else 0
            kinds.append(np.full(count, _NEST))
            expected += count * _STAY[_NEST]
        else:
            count = int(rng.geometric(1 / _TRIP_WAYPOINTS))
            kinds.append(1 + rng.choice(3, count, p=shares))
            expected += count * trip / _TRIP_WAYPOINTS
        in_nest = not in_nest
    kind = np.concatenate(kinds)
    count = len(kind)
    place = _polar(
        rng.uniform(-math.pi, math.pi, count), (arena.radius - 16) * np.sqrt(rng.random(count)), arena.centre
    )
    for which, centres, size in ((_NEST, np.array([arena.nest]), arena.nest_size), (_SITE, arena.sites, 14.0)):
        mine = np.flatnonzero(kind == which)
        place[mine] = centres[rng.integers(len(centres), size=len(mine))] + rng.normal(0.0, size, (len(mine), 2))
    if is_open:
        mine = np.flatnonzero(kind == _EXIT)
        place[mine] = arena.exits[rng.integers(len(arena.exits), size=len(mine))]
    stay = rng.exponential(_STAY[kind])
    travel = np.hypot(*np.diff(place, axis=0).T) / pace
    leave = np.cumsum(stay) + np.concatenate([[0.0], np.cumsum(travel)])
    # The film starts in the middle of the first stay.
    return leave - stay, leave, place, kind


def _with_wobble(arena: Arena, x: Floats, y: Floats, present: NDArray[np.bool_], rng: np.random.Generator) -> Motion:
    """Turn straight lines into trajectories, and compute the headings."""
    from scipy.ndimage import uniform_filter1d

    straight = np.hypot(np.diff(x, axis=0, prepend=x[:1]), np.diff(y, axis=0, prepend=y[:1]))
    # Detours grow and end slowly, or an animal would jump where it sets off.
    walking = uniform_filter1d(np.minimum(straight, 2.0) / 2.0, 41, axis=0, mode="nearest")
    for positions in (x, y):
        detour = uniform_filter1d(smooth_noise(x.shape, 40.0, 0.985, rng), 25, axis=0, mode="nearest")
        positions += walking * detour + smooth_noise(x.shape, 0.5, 0.995, rng)
    # positions beyond the wall are moved onto it
    off_x, off_y = x - arena.centre[0], y - arena.centre[1]
    scale = np.minimum(1.0, (arena.radius - 2) / np.maximum(np.hypot(off_x, off_y), 1e-9))
    x, y = arena.centre[0] + off_x * scale, arena.centre[1] + off_y * scale
    step_x, step_y = (np.gradient(uniform_filter1d(p, 5, axis=0, mode="nearest"), axis=0) for p in (x, y))
    heading = np.arctan2(step_y, step_x)
    # An animal that rests looks where it went before.
    moving = np.hypot(step_x, step_y) > 0.8
    moving[0] = True
    frame = np.maximum.accumulate(np.where(moving, np.arange(len(x))[:, None], 0), axis=0)
    heading = np.take_along_axis(heading, frame, axis=0) + smooth_noise(x.shape, 0.1, 0.995, rng)
    return Motion(x.astype(np.float32), y.astype(np.float32), _wrapped(heading).astype(np.float32), present)


def spells(shape: tuple[int, int], rate: float, length: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Runs of frames that start `rate` times a frame on average and are `length` long on average, (frames, columns).

    Parameters
    ----------
    shape : tuple[int, int]
        Frames and columns.
    rate : float
        Mean number of starts a frame.
    length : float
        Mean length in frames.
    rng : np.random.Generator
        Source of random numbers.
    """
    frames, columns = shape
    found = np.zeros(shape, np.bool_)
    for column, count in enumerate(rng.poisson(rate * frames, columns)):
        for start, span in zip(rng.integers(frames, size=count), rng.geometric(1 / length, count), strict=True):
            found[start : start + span, column] = True
    return found


def _polar(angle: Floats, radius: Floats, centre: tuple[float, float]) -> Floats:
    return np.stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)], axis=-1)


def _wrapped(angle: Floats) -> Floats:
    wrapped: Floats = (angle + math.pi) % (2 * math.pi) - math.pi
    return wrapped
