"""Debris: blobs that are no animals, such as brood, dirt, scraps and glare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from antrax.demo.rendering import Canvas, Colour, Floats

DebrisKind = Literal["larva", "clump", "crumb", "scrap", "glare"]
KINDS: tuple[DebrisKind, ...] = ("larva", "clump", "crumb", "scrap", "glare")

_COLOURS: dict[DebrisKind, tuple[Colour, ...]] = {
    "larva": ((222, 208, 165), (214, 198, 150), (226, 214, 186)),
    "clump": ((226, 192, 92), (218, 178, 84), (222, 204, 140)),
    # A flake of paint that fell off is dirt too.
    "crumb": ((150, 104, 78), (112, 90, 72), (206, 112, 120), (214, 130, 78), (120, 130, 190)),
    "scrap": ((196, 190, 182), (206, 190, 160), (176, 166, 160)),
    "glare": ((186, 182, 192), (192, 184, 182), (180, 188, 186)),
}


@dataclass(frozen=True, slots=True)
class Debris:
    """One object that is not an ant.

    Attributes
    ----------
    kind
        What it is.
    colour
        Its colour in even light.
    length, width
        Its extent, in pixels of a 48-pixel image.
    outline
        Relative radius in directions that are evenly spaced around the centre.
    """

    kind: DebrisKind
    colour: Colour
    length: float
    width: float
    outline: tuple[float, ...]


def random_debris(kind: DebrisKind, rng: np.random.Generator) -> Debris:
    """Make one object of a kind."""
    colours = _COLOURS[kind]
    usual = np.array(colours[int(rng.integers(len(colours)))])
    colour = usual + rng.normal(0.0, 8.0) + rng.normal(0.0, 3.0, 3)
    red, green, blue = np.clip(colour, 20, 232).astype(int).tolist()
    shortest, longest, ragged = {
        "larva": (9.0, 15.0, 0.08),
        "clump": (7.0, 12.0, 0.35),
        "crumb": (3.0, 6.0, 0.3),
        "scrap": (7.0, 18.0, 0.45),
        "glare": (22.0, 32.0, 0.3),
    }[kind]
    length = rng.uniform(shortest, longest)
    slim = {"larva": 0.5, "clump": 0.85, "crumb": 0.7, "scrap": 0.45, "glare": 0.3}[kind]
    return Debris(
        kind=kind,
        colour=(red, green, blue),
        length=length,
        width=length * slim * rng.uniform(0.85, 1.15),
        outline=tuple(rng.uniform(1 - ragged, 1 + ragged, 11).tolist()),
    )


def draw_debris(canvas: Canvas, item: Debris, bend: float, tilt: float) -> None:
    """Draw an object in the middle of the canvas.

    Parameters
    ----------
    canvas
        Where to draw.
    item
        What to draw.
    bend
        How far a larva bends, in radians; how far the rails of a glare lie askew.
    tilt
        Angle of its long axis from the vertical, in radians.
    """
    if item.kind == "glare":
        _draw_glare(canvas, item, bend, tilt)
        return
    angles = np.linspace(0.0, 2 * math.pi, len(item.outline), endpoint=False)
    radius = np.array(item.outline) / 2
    across = item.width * radius * np.cos(angles)
    along = item.length * radius * np.sin(angles)
    if item.kind == "larva":
        across = across + bend * (along**2 / item.length - item.length / 12)
    outline = _tilted(np.stack([across, along], axis=-1), tilt)
    red, green, blue = item.colour
    rim = (int(red * 0.88), int(green * 0.86), int(blue * 0.84))
    canvas.polygon(outline * 1.15 + 0.5, (228, 212, 204))
    canvas.polygon(outline, rim)
    canvas.polygon(outline * 0.72, item.colour)
    if item.kind == "larva":
        # Folds between the segments.
        rows = np.linspace(-0.32, 0.32, 5) * item.length
        ends = np.array([-0.3, 0.3]) * item.width
        folds = np.stack(np.broadcast_arrays(ends[None, :], rows[:, None]), axis=-1)
        folds[..., 0] += bend * (rows**2 / item.length - item.length / 12)[:, None]
        canvas.lines(_tilted(folds, tilt), 0.5, rim)


def _draw_glare(canvas: Canvas, item: Debris, askew: float, tilt: float) -> None:
    """Draw the reflection of a wall's edge: two thin rails and a smudge between them."""
    half, side = item.length / 2, item.width / 2
    rails = np.array(
        [
            [[-side, -half * item.outline[0]], [-side + 2 * askew, half]],
            [[side, -half], [side + 2 * askew, half * item.outline[1]]],
        ]
    )
    angles = np.linspace(0.0, 2 * math.pi, len(item.outline), endpoint=False)
    smudge = np.stack([side * np.cos(angles), 0.4 * half * np.sin(angles)], axis=-1)
    smudge = smudge * np.array(item.outline)[:, None] + [0.0, half * (item.outline[2] - 1)]
    red, green, blue = item.colour
    canvas.polygon(_tilted(1.3 * smudge, tilt), (222, 212, 210))
    canvas.polygon(_tilted(smudge, tilt), (red + 14, green + 8, blue + 10))
    canvas.polygon(_tilted(0.5 * smudge, tilt), (red - 8, green - 16, blue - 4))
    canvas.lines(_tilted(rails, tilt), 1.4, (red - 34, green - 34, blue - 26))


def _tilted(points: Floats, tilt: float) -> Floats:
    """Rotate points (..., 2) by `tilt`."""
    sine, cosine = math.sin(tilt), math.cos(tilt)
    rotated: Floats = points @ np.array([[cosine, sine], [-sine, cosine]])
    return rotated
