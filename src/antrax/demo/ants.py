"""Simulated ants: appearance of an animal, and its pose in a frame.

Lengths are pixels of a 48-pixel image, in which an ant is about 30 long. Places along the body
run from 0, the tip of the gaster, to 1, the mouth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from antrax.demo.rendering import Colour, Floats

COLOURS = "BGOP"
#: The 16 IDs: the colour of the thorax, then that of the gaster.
IDS = tuple(front + rear for front in COLOURS for rear in COLOURS)

_PAINTS: dict[str, Colour] = {
    "B": (66, 84, 215),
    "G": (150, 216, 146),
    "O": (240, 108, 54),
    "P": (236, 62, 166),
    "Y": (246, 214, 52),
    "C": (64, 200, 226),
    "R": (196, 24, 40),
    "V": (128, 66, 176),
    "L": (186, 232, 40),
    "T": (16, 136, 122),
}


def id_names(animals: int) -> tuple[str, ...]:
    """IDs of a number of animals, at most 100: pairs of the fewest colours that suffice, four at least.

    >>> id_names(3), id_names(16) == IDS
    (('BB', 'BG', 'BO'), True)
    """
    colours = tuple(_PAINTS)[: max(len(COLOURS), math.isqrt(animals - 1) + 1)]
    return tuple(front + rear for front in colours for rear in colours)[:animals]


_FRONT_PLACE = 0.62
_REAR_PLACE = 0.14

#: Points along a midline.
STEPS = 25
_ALONG = np.linspace(0.0, 1.0, STEPS)
#: Corners of a dab of paint.
CORNERS = 9
#: Half the body's width along it: gaster, two waist nodes, thorax, neck, head.
HALF_WIDTH = np.interp(
    _ALONG,
    [0.0, 0.04, 0.12, 0.24, 0.34, 0.40, 0.46, 0.52, 0.62, 0.72, 0.77, 0.83, 0.92, 1.0],
    [0.5, 1.80, 2.55, 2.45, 1.70, 1.55, 1.25, 1.65, 2.00, 1.70, 1.55, 2.35, 2.20, 0.9],
)
_WEIGHTS = HALF_WIDTH / HALF_WIDTH.sum()


@dataclass(frozen=True, slots=True)
class Paint:
    """One colour tag. Painted by hand, so that no two tags are alike.

    Attributes
    ----------
    colour
        Its colour in good light.
    size
        Radius, in pixels.
    place
        Place along the body, 0 to 1.
    side
        Distance from the midline, as a share of half the body's width.
    outline
        Relative radius in directions that are evenly spaced around the centre.
    """

    colour: Colour
    size: float
    place: float
    side: float
    outline: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Ant:
    """An individual: build, colour and its two tags."""

    name: str
    front: Paint
    rear: Paint
    length: float
    girth: float
    brown: Colour


@dataclass(frozen=True, slots=True)
class Pose:
    """Pose of an ant in one frame.

    Attributes
    ----------
    bend
        Angle between the two ends of the body, in radians; 0 is straight, 3 a horseshoe.
    sway
        Strength of an S-shaped bend on top of it, in radians.
    roll
        Rotation of the back to a side, -1 to 1; the tags move with it.
    front, rear
        Share of each tag that is in sight, 0 to 1.
    stride
        Phase of the walk, in radians.
    spread
        How far the legs stand out: 1 is usual.
    load
        Length of the larva that it carries under the body, in pixels; 0 for none.
    antennae
        Angles of the left and the right antenna from the body's axis, in radians.
    """

    bend: float = 0.0
    sway: float = 0.0
    roll: float = 0.0
    front: float = 1.0
    rear: float = 1.0
    stride: float = 0.0
    spread: float = 1.0
    load: float = 0.0
    antennae: tuple[float, float] = (0.5, 0.5)


def paint_ant(name: str, rng: np.random.Generator) -> Ant:
    """Generate the individual that carries the tags `name`."""
    brown = np.array([70, 46, 28]) + rng.normal(0.0, 5.0, 3) + rng.normal(0.0, 5.0)

    def dab(code: str, size: float, place: float) -> Paint:
        tint = rng.normal(0.0, 8.0, 3) + rng.normal(0.0, 8.0)
        worn = np.array(_PAINTS[code]) + rng.uniform(0.0, 0.3) * (brown - _PAINTS[code])
        red, green, blue = np.clip(worn + tint, 5, 250).astype(int).tolist()
        return Paint(
            colour=(red, green, blue),
            size=size * rng.uniform(0.85, 1.2),
            place=place + rng.normal(0.0, 0.015),
            side=rng.normal(0.0, 0.2),
            outline=tuple(rng.uniform(0.75, 1.2, CORNERS).tolist()),
        )

    red, green, blue = np.clip(brown, 10, 120).astype(int).tolist()
    return Ant(
        name=name,
        front=dab(name[0], 2.35, _FRONT_PLACE),
        rear=dab(name[1], 2.75, _REAR_PLACE),
        length=27.0 * rng.uniform(0.94, 1.06),
        girth=rng.uniform(0.94, 1.08),
        brown=(red, green, blue),
    )


def midline(ant: Ant, pose: Pose) -> Floats:
    """Points from the tip of the gaster to the mouth, shape (25, 2), centre of mass at 0."""
    heading = pose.bend * (_ALONG - 0.5) + pose.sway * np.sin(2 * math.pi * _ALONG)
    # A curled ant pulls its segments into one another.
    length = ant.length * (1 - 0.09 * min(abs(pose.bend), 4.0))
    steps = np.stack([np.sin(heading), np.cos(heading)], axis=-1) * (length / (STEPS - 1))
    points = np.cumsum(steps, axis=0)
    centred: Floats = points - _WEIGHTS @ points
    return centred


def upright(lines: list[Floats]) -> list[Floats]:
    """Turn midlines, together, so that their long axis is vertical, and centre them.

    The first animal's head ends up at the bottom, where it is in most real images.
    """
    points = np.concatenate(lines)
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    x, y = (points - points.mean(axis=0)).T
    angle = 0.5 * math.atan2(2 * float(x @ y), float(y @ y - x @ x))
    flipped = [rotate(line - centre, angle) for line in lines]
    if flipped[0][-1, 1] < flipped[0][0, 1]:
        flipped = [-line for line in flipped]
    return flipped


def rotate(points: Floats, angle: float) -> Floats:
    """Rotate points (K, 2) around 0 by `angle`, in radians."""
    sine, cosine = math.sin(angle), math.cos(angle)
    rotated: Floats = points @ np.array([[cosine, sine], [-sine, cosine]])
    return rotated
