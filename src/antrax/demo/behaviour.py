"""Behaviour of animals over time: trajectory, poses, and the frames in which tags can be read.

Neighbouring frames resemble one another: whatever hides a tag hides it for a while. Independent
frames would make a tracklet of 100 frames 100 times as informative as a single one, which no real
tracklet is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from antrax.demo.ants import Pose
from antrax.demo.noise import smooth_noise
from antrax.demo.rendering import Floats, ViewingConditions

#: Width and height of the arena, in pixels.
ARENA = (960.0, 720.0)

Impairment = Literal["hidden", "blurred", "curled"]
IMPAIRMENTS: tuple[Impairment, ...] = ("hidden", "blurred", "curled")

_LEGIBLE_SHARE = 0.3
_LEGIBLE_BLUR = 1.9


@dataclass(frozen=True, slots=True)
class Lighting:
    """Lighting of one movie: brightest at `place` (shares of the frame's size), with a tint."""

    place: tuple[float, float]
    fall: float
    tint: tuple[float, float, float]
    size: tuple[float, float] = ARENA

    def view_of(self, x: float, y: float, view: ViewingConditions) -> ViewingConditions:
        """Light `view` as it is at a place of the arena, in pixels.

        Parameters
        ----------
        x : float
            Place in pixels, to the right.
        y : float
            Place in pixels, downwards.
        view : ViewingConditions
            Conditions in even light.
        """
        right, down = x / self.size[0] - self.place[0], y / self.size[1] - self.place[1]
        gain = 1.04 - self.fall * (right**2 + down**2)
        # The lighting is warmer on one side than on the other.
        red, green, blue = self.tint
        return ViewingConditions(
            blur=view.blur,
            motion=view.motion,
            light=(gain * (red + 0.05 * right), gain * green, gain * (blue - 0.05 * right)),
            slope=(-0.3 * self.fall * right, -0.3 * self.fall * down),
            veil=view.veil,
            noise=view.noise,
            threshold=view.threshold,
        )


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A trajectory through the arena: places (N, 2) and speeds (N,) in pixels a frame, headings (N,)."""

    places: Floats
    speeds: Floats
    headings: Floats


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Poses and viewing conditions of one animal in a tracklet of N frames.

    Attributes
    ----------
    poses, views
        A pose and a view a frame.
    flipped
        Frames in which the tracker mistook the tail for the head, shape (N,).
    """

    poses: tuple[Pose, ...]
    views: tuple[ViewingConditions, ...]
    flipped: NDArray[np.bool_]

    def legible(self) -> NDArray[np.bool_]:
        """Frames in which a person can read both tags, shape (N,)."""
        return np.array([is_legible(*both) for both in zip(self.poses, self.views, strict=True)])


def is_legible(pose: Pose, view: ViewingConditions) -> bool:
    """Whether a person can read both tags: in sight at least in part, and not blurred away."""
    return min(pose.front, pose.rear) >= _LEGIBLE_SHARE and view.blur < _LEGIBLE_BLUR


def random_lighting(rng: np.random.Generator, size: tuple[float, float] = ARENA) -> Lighting:
    """Draw the lighting of a movie with frames of `size` (width, height), in pixels."""
    tint = 1 + rng.normal(0.0, 0.02, 3)
    return Lighting(
        place=(rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)),
        fall=rng.uniform(0.15, 0.4),
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
        size=size,
    )


def random_walk(frames: int, start: tuple[float, float], pace: float, rng: np.random.Generator) -> Trajectory:
    """Simulate a random walk through the arena, with rests, reflected at its walls.

    Parameters
    ----------
    frames
        Number of frames, N.
    start
        Place in the first frame, in pixels.
    pace
        Usual speed, in pixels a frame; 0 for debris.
    rng
        Random generator.
    """
    moving = (~_spells(frames, 0.45, 25.0, rng)).astype(np.float64)
    speeds = moving * np.abs(pace * (1 + smooth_noise(frames, 0.4, 0.9, rng)))
    heading_changes = np.cumsum(smooth_noise(frames, 0.25, 0.8, rng) * moving)
    headings = rng.uniform(-math.pi, math.pi) + heading_changes
    steps = speeds[:, None] * np.stack([np.cos(headings), np.sin(headings)], axis=-1)
    steps[0] = 0.0
    way = np.asarray(start) + np.cumsum(steps, axis=0)
    room = np.asarray(ARENA) - 60.0
    # Reflection at the walls: folded back into the arena.
    folded = np.abs((way - 30.0) % (2 * room))
    places = 30.0 + np.where(folded > room, 2 * room - folded, folded)
    return Trajectory(places=places, speeds=speeds, headings=headings)


def simulate_behaviour(
    trajectory: Trajectory, impairment: Impairment | None, calm: bool, scale: float, rng: np.random.Generator
) -> Behaviour:
    """Simulate the poses of an ant along its trajectory.

    Parameters
    ----------
    trajectory
        Of N frames.
    impairment
        Reason why no frame is legible; None for an ant that is mostly legible.
    calm
        Without spells in which tags cannot be read.
    scale
        Size of the blob image relative to one of 48 pixels.
    rng
        Random generator.
    """
    frames = len(trajectory.speeds)
    states = _states(frames, impairment, calm, rng)
    hidden, blurred, curled = states["hidden"], states["blurred"], states["curled"]
    bend = np.where(curled, _random_sign(rng) * rng.uniform(2.3, 4.0), 0.0)
    bend = _smoothed(bend) + smooth_noise(frames, 0.45, 0.93, rng)
    front, rear = _visible_shares(hidden | (curled & states["tucked"]), rng)
    focus = np.where(blurred, rng.uniform(2.3, 3.1), _soft_spells(frames, rng))
    stride = np.cumsum(0.25 * trajectory.speeds / scale) + rng.uniform(0, 2 * math.pi)
    feelers = np.clip(0.55 + smooth_noise((frames, 2), 0.3, 0.9, rng), 0.1, 1.3)
    sway, roll = smooth_noise(frames, 0.22, 0.93, rng), smooth_noise(frames, 0.35, 0.95, rng)
    spread = rng.uniform(0.75, 1.1) + smooth_noise(frames, 0.08, 0.9, rng)
    carries = rng.random() < 0.15
    load = np.where(_spells(frames, 0.6, 60.0, rng) & carries, rng.uniform(7, 12), 0.0)
    veil = rng.uniform(0.0, 0.16) + np.where(blurred, 0.2, 0.0)
    flipped = _spells(frames, 0.04, 5.0, rng) ^ (rng.random() < 0.12)
    noise, threshold = rng.uniform(5.0, 9.0), rng.uniform(15.0, 24.0)
    columns = (bend, sway, roll, front, rear, stride, spread, load, feelers)
    poses = tuple(
        Pose(b, s, r, seen, seen_too, walked, wide, held, (left, right))
        for b, s, r, seen, seen_too, walked, wide, held, left, right in np.column_stack(columns).tolist()
    )
    # The shutter is open for half of the frame's time; the body lies along the image's columns.
    views = tuple(
        ViewingConditions(blur=blur, motion=(0.0, 0.5 * speed / scale), veil=cover, noise=noise,
             threshold=threshold)
        for blur, speed, cover in zip(
            focus.tolist(), trajectory.speeds.tolist(), veil.tolist(), strict=True
        )
    )  # fmt: skip
    return Behaviour(poses=poses, views=views, flipped=flipped)


def _states(
    frames: int, impairment: Impairment | None, calm: bool, rng: np.random.Generator
) -> dict[str, NDArray[np.bool_]]:
    """Frames in which tags are hidden, the picture is blurred, the body curled, a tag tucked in."""
    if impairment:
        always = {name: np.full(frames, name == impairment) for name in IMPAIRMENTS}
        return always | {"tucked": np.ones(frames, dtype=np.bool_)}
    # Some stretches are bad and many are good.
    burden = 0.0 if calm else float(rng.choice([0.0, 0.4, 1.3], p=[0.4, 0.4, 0.2]))
    return {
        "hidden": _spells(frames, 0.12 * burden, 10.0, rng),
        "blurred": _spells(frames, 0.06 * burden, 4.0, rng),
        "curled": _spells(frames, 0.12 * burden, 14.0, rng),
        "tucked": np.full(frames, rng.random() < 0.6),
    }


def _visible_shares(hidden: NDArray[np.bool_], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Share of the front and of the rear tag in sight, each of shape (N,)."""
    frames = len(hidden)
    which = rng.choice(3, p=[0.35, 0.3, 0.35])
    shares = []
    for tag in (0, 1):
        # Partly in sight for a while: harder, and still legible.
        part = np.where(_spells(frames, 0.15, 12.0, rng), rng.uniform(0.45, 0.8), 1.0)
        shares.append(np.where(hidden & (which != tag), 0.0, part))
    return shares[0], shares[1]


def _soft_spells(frames: int, rng: np.random.Generator) -> Floats:
    """Blur that leaves the tags legible: slow changes of focus, shape (N,)."""
    usual = rng.uniform(0.35, 0.65)
    soft = np.where(_spells(frames, 0.12, 15.0, rng), rng.uniform(0.3, 0.75), 0.0)
    return np.clip(usual + soft + smooth_noise(frames, 0.08, 0.9, rng), 0.3, 1.5)


def _spells(frames: int, share: float, length: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw runs of frames, `length` on average, that take up a `share` of all, shape (N,)."""
    state = rng.random() < share
    spell = np.zeros(frames, dtype=np.bool_)
    leave, enter = 1 / length, share / (1 - share) / length
    for frame, number in enumerate(rng.random(frames).tolist()):
        state = number >= leave if state else number < enter
        spell[frame] = state
    return spell


def _smoothed(values: Floats) -> Floats:
    """Average over five frames: bodies take time to curl."""
    padded = np.pad(values, 2, mode="edge")
    smoothed: Floats = np.convolve(padded, np.full(5, 0.2), mode="valid")
    return smoothed


def _random_sign(rng: np.random.Generator) -> float:
    return 1.0 if rng.random() < 0.5 else -1.0
