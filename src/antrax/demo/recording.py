"""Simulated recording of a tracklet's blob images from its plan, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antrax.demo.ants import Ant, midline, rotate, upright
from antrax.demo.behaviour import (
    IMPAIRMENTS,
    Behaviour,
    Impairment,
    Lighting,
    Trajectory,
    random_walk,
    simulate_behaviour,
)
from antrax.demo.debris import Debris, draw_debris
from antrax.demo.drawing import draw_ant
from antrax.demo.noise import smooth_noise
from antrax.demo.planning import NOTHING, SEVERAL, UNREADABLE, TrackletPlan
from antrax.demo.rendering import NOMINAL_SIZE, Canvas, Floats, ViewingConditions, expose

# Pictures that the camera records at a time: what fits a processor's cache.
_BATCH = 24
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Recording:
    """Blob images and true labels of one tracklet.

    Attributes
    ----------
    images
        Blob images, shape (N, S, S, 3), rgb; background 0.
    labels
        True label of each frame.
    trajectory
        Position of the blob in each frame.
    """

    images: NDArray[np.uint8]
    labels: tuple[str, ...]
    trajectory: Trajectory


def record(
    plan: TrackletPlan,
    individuals: Sequence[Ant | Debris],
    start: tuple[float, float],
    lighting: Lighting,
    size: int,
    rng: np.random.Generator,
) -> Recording:
    """Simulate the recording of a tracklet.

    Parameters
    ----------
    plan
        The tracklet.
    individuals
        The ants and pieces of debris that `plan.members` are indices of.
    start
        Where the blob is in the first frame, in pixels of the arena.
    lighting
        The movie's light.
    size
        Side of the blob images, in pixels.
    rng
        Random generator.
    """
    pace = {NOTHING: 0.0, SEVERAL: 0.7, UNREADABLE: 1.5}.get(plan.label, 3.0)
    trajectory = random_walk(plan.frames, start, pace * size / NOMINAL_SIZE, rng)
    return record_along(plan.label, [individuals[member] for member in plan.members], trajectory, lighting, size, rng)


def record_along(
    label: str,
    members: Sequence[Ant | Debris],
    trajectory: Trajectory,
    lighting: Lighting,
    size: int,
    rng: np.random.Generator,
) -> Recording:
    """Simulate the recording of animals, or of one piece of debris, along a trajectory.

    Parameters
    ----------
    label
        Label of the tracklet: an ID, or what its images show.
    members
        The animals, or the one piece of debris, in the blob.
    trajectory
        Where the blob goes.
    lighting, size, rng
        As for `record`.
    """
    scale = size / NOMINAL_SIZE
    labels = [label] * len(trajectory.speeds)
    first = members[0]
    if isinstance(first, Debris):
        pictures = _picture_debris(first, trajectory, size, rng)
    elif label == SEVERAL:
        ants = [member for member in members if isinstance(member, Ant)]
        acts = [simulate_behaviour(trajectory, None, False, scale, rng) for _ in ants]
        pictures = _picture_group(ants, acts, size, rng)
    else:
        part = _sample_behaviour(label, trajectory, scale, rng)
        if label != UNREADABLE:
            labels = np.where(part.legible(), label, UNREADABLE).tolist()
        pictures = _picture_ant(first, part, size, rng)
    images = np.concatenate(list(_recorded(pictures, trajectory, lighting, rng)))
    return Recording(images=images, labels=tuple(labels), trajectory=trajectory)


def _sample_behaviour(label: str, trajectory: Trajectory, scale: float, rng: np.random.Generator) -> Behaviour:
    """Simulate behaviour in which most frames show the tracklet's label."""
    if label == UNREADABLE:
        impairment: Impairment = IMPAIRMENTS[rng.choice(len(IMPAIRMENTS), p=[0.45, 0.25, 0.3])]
        return simulate_behaviour(trajectory, impairment, False, scale, rng)
    for attempt in range(_TRIES):
        part = simulate_behaviour(trajectory, None, attempt == _TRIES - 1, scale, rng)
        if part.legible().mean() > 0.5:
            break
    return part


def _recorded(
    pictures: Iterator[tuple[NDArray[np.uint8], ViewingConditions]],
    trajectory: Trajectory,
    lighting: Lighting,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.uint8]]:
    """Blob images, in batches, of pictures that come one by one."""
    batch: list[NDArray[np.uint8]] = []
    views: list[ViewingConditions] = []
    for frame, (picture, view) in enumerate(pictures, 1):
        x, y = trajectory.places[frame - 1].tolist()
        batch.append(picture)
        views.append(lighting.view_of(x, y, view))
        if len(batch) == _BATCH or frame == len(trajectory.speeds):
            yield expose(batch, views, rng)
            batch, views = [], []


def _picture_ant(
    ant: Ant, part: Behaviour, size: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], ViewingConditions]]:
    """Pictures of a single ant."""
    tilt, shade = _tilt(len(part.poses), rng), _shade(len(part.poses), rng)
    for frame, (pose, view) in enumerate(zip(part.poses, part.views, strict=True)):
        (line,) = upright([midline(ant, pose)])
        canvas = Canvas(size)
        angle = float(tilt[frame]) + math.pi * bool(part.flipped[frame])
        draw_ant(canvas, ant, pose, rotate(line, angle), shade[frame])
        yield canvas.picture(view), view


def _picture_group(
    ants: Sequence[Ant], acts: Sequence[Behaviour], size: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], ViewingConditions]]:
    """Pictures of ants that touch: side by side, head to head, or one across the other."""
    frames = len(acts[0].poses)
    angles, shifts = _group(len(ants), frames, rng)
    shade = _shade(frames, rng)
    for frame in range(frames):
        poses = [part.poses[frame] for part in acts]
        lines = [
            rotate(midline(ant, pose), angles[which, frame]) + shifts[which, frame]
            for which, (ant, pose) in enumerate(zip(ants, poses, strict=True))
        ]
        canvas = Canvas(size)
        for ant, pose, line in zip(ants, poses, upright(lines), strict=True):
            draw_ant(canvas, ant, pose, line, shade[frame])
        view = acts[0].views[frame]
        yield canvas.picture(view), view


def _group(ants: int, frames: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Angles (ants, frames) and places (ants, frames, 2) of ants that touch."""
    angles = np.stack([smooth_noise(frames, 0.15, 0.95, rng) for _ in range(ants)])
    shifts = np.stack([smooth_noise((frames, 2), 0.8, 0.95, rng) for _ in range(ants)])
    for which in range(1, ants):
        side = 1 if which == 1 else -1
        manner = rng.choice(3, p=[0.5, 0.25, 0.25])
        if manner == 0:
            angles[which] += math.pi * rng.integers(2) + rng.normal(0.0, 0.3)
            shifts[which] += [side * rng.uniform(6.0, 9.5), rng.normal(0.0, 6.0)]
        elif manner == 1:
            angles[which] += math.pi * rng.integers(2) + rng.normal(0.0, 0.4)
            shifts[which] += [rng.normal(0.0, 3.0), side * rng.uniform(17.0, 25.0)]
        else:
            angles[which] += rng.uniform(0.9, 2.2)
            shifts[which] += [side * rng.uniform(4.0, 10.0), rng.normal(0.0, 6.0)]
    return angles, shifts


def _picture_debris(
    item: Debris, trajectory: Trajectory, size: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], ViewingConditions]]:
    """Pictures of a piece of debris, which lies still except for noise in the fitted axis."""
    frames = len(trajectory.speeds)
    alive = item.kind == "larva"
    bend = rng.uniform(-0.9, 0.9) + smooth_noise(frames, 0.2 if alive else 0.02, 0.97, rng)
    tilt = _tilt(frames, rng) * (1 if item.kind == "glare" else 2)
    view = ViewingConditions(
        blur=rng.uniform(0.45, 1.1),
        veil=rng.uniform(0.0, 0.2),
        noise=rng.uniform(5.0, 9.0),
        threshold=rng.uniform(16.0, 24.0),
    )
    for frame in range(frames):
        canvas = Canvas(size)
        draw_debris(canvas, item, float(bend[frame]), float(tilt[frame]))
        yield canvas.picture(view), view


def _tilt(frames: int, rng: np.random.Generator) -> Floats:
    """Error of the blob's fitted axis, in radians, shape (N,)."""
    return smooth_noise(frames, 0.07, 0.8, rng)


def _shade(frames: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Displacement of the shadow in each frame: it rotates with the animal."""
    angle = rng.uniform(-math.pi, math.pi) + np.cumsum(rng.normal(0.0, 0.04, frames))
    reach = rng.uniform(0.6, 2.0)
    right, down = reach * np.cos(angle), reach * np.sin(angle)
    return list(zip(right.tolist(), down.tolist(), strict=True))
