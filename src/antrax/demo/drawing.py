"""Drawing an ant: body, legs, antennae, the two dabs of paint, and what it carries."""

from __future__ import annotations

import math

import numpy as np

from antrax.demo.ants import CORNERS, HALF_WIDTH, STEPS, Ant, Paint, Pose
from antrax.demo.rendering import Canvas, Colour, Floats

# Parts of the midline; they overlap, for the parts of the body join.
_GASTER = slice(0, 10)
_THORAX = slice(8, 20)
_HEAD = slice(18, STEPS)

# Cosine and sine of the directions of the corners of a dab of paint.
_TURNS = 2 * math.pi * np.arange(CORNERS) / CORNERS
_ROUND = np.stack([np.cos(_TURNS), np.sin(_TURNS)])

# Front, middle and hind leg, left side then right: where they are rooted, the angle of the thigh
# (from sideways to forward) and of the shin from it, the length, and the tripod.
_LEG_PLACE = np.array([17, 15, 12, 17, 15, 12])
_LEG_SIDE = np.array([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0])
_LEG_ANGLE = np.array([0.45, -0.1, -0.8, 0.45, -0.1, -0.8])
_LEG_BEND = np.array([0.35, -0.55, -0.55, 0.35, -0.55, -0.55])
_LEG_REACH = np.array([5.6, 6.4, 7.6, 5.6, 6.4, 7.6])
_LEG_TRIPOD = np.array([0.0, math.pi, 0.0, math.pi, 0.0, math.pi])


def draw_ant(canvas: Canvas, ant: Ant, pose: Pose, line: Floats, shade: tuple[float, float]) -> None:
    """Draw an animal along its midline.

    Parameters
    ----------
    canvas
        Where to draw.
    ant, pose
        Whom, and how it holds itself.
    line
        Its midline on the canvas, shape (25, 2), from `midline`.
    shade
        Displacement (x, y) of its shadow, in pixels.
    """
    tangent = np.empty_like(line)
    tangent[1:-1] = line[2:] - line[:-2]
    tangent[[0, -1]] = line[1] - line[0], line[-1] - line[-2]
    tangent /= np.sqrt(tangent[:, :1] ** 2 + tangent[:, 1:] ** 2) + 1e-6
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=-1)
    half = (HALF_WIDTH * ant.girth)[:, None]
    legs = _legs(line, tangent, normal, pose)
    fall = np.array(shade)

    if pose.load:
        _load(canvas, pose.load, line[17], tangent[17], normal[17])
    pale, dim = (226, 205, 196), (205, 184, 172)
    _body(canvas, line + fall, normal, half * 1.9 + 0.3, pale)
    canvas.lines(legs + 1.2 * fall, 3.0, pale)
    _body(canvas, line + 0.5 * fall, normal, half + 0.9, dim)
    canvas.lines(legs, 1.5, (172, 150, 132))
    feelers = _antennae(line, tangent, normal, pose)
    canvas.lines(feelers + 0.5 * fall, 1.9, dim)
    canvas.lines(feelers, 1.4, (148, 134, 114))

    red, green, blue = ant.brown
    thorax = (red + 16, green + 8, blue + 6)
    head = (max(red - 12, 0), max(green - 6, 0), blue)
    for part, colour in ((_GASTER, ant.brown), (_THORAX, thorax), (_HEAD, head)):
        _body(canvas, line[part], normal[part], half[part], colour)
    shine = line[_GASTER][2:8] - normal[_GASTER][2:8] * (half[_GASTER][2:8] * 0.45)
    canvas.lines(shine[None], 0.8, (red + 36, green + 30, blue + 24))
    for paint, seen in ((ant.rear, pose.rear), (ant.front, pose.front)):
        _dab(canvas, paint, seen, pose.roll, line, normal, half)


def _body(canvas: Canvas, line: Floats, normal: Floats, half: Floats, colour: Colour) -> None:
    canvas.polygon(np.concatenate([line + normal * half, (line - normal * half)[::-1]]), colour)


def _load(canvas: Canvas, length: float, at: Floats, tangent: Floats, normal: Floats) -> None:
    """Draw a larva held across the body, between the legs."""
    middle = at + 0.35 * length * normal
    angles = np.linspace(0.0, 2 * math.pi, 12, endpoint=False)
    along = 0.5 * length * np.cos(angles)
    across = 0.3 * length * np.sin(angles) + 0.05 * length * np.cos(2 * angles)
    axis = 0.75 * normal - 0.66 * tangent
    other = np.array([-axis[1], axis[0]])
    outline = middle + along[:, None] * axis + across[:, None] * other
    canvas.polygon(outline, (214, 196, 146))
    canvas.polygon(middle + 0.7 * (outline - middle), (228, 213, 170))


def _legs(line: Floats, tangent: Floats, normal: Floats, pose: Pose) -> Floats:
    """Six legs of hip, knee and foot, shape (6, 3, 2)."""
    # Legs move in two tripods: the middle one of a side with the outer ones of the other.
    swing = _LEG_ANGLE + 0.3 * np.sin(pose.stride + _LEG_TRIPOD)
    reach = (_LEG_REACH * pose.spread)[:, None]
    outward, forward = normal[_LEG_PLACE] * _LEG_SIDE[:, None], tangent[_LEG_PLACE]
    hip = line[_LEG_PLACE]
    knee = hip + 0.55 * reach * _towards(outward, forward, swing)
    foot = knee + 0.5 * reach * _towards(outward, forward, swing + _LEG_BEND)
    return np.stack([hip, knee, foot], axis=1)


def _antennae(line: Floats, tangent: Floats, normal: Floats, pose: Pose) -> Floats:
    """Two antennae of root, elbow and tip, shape (2, 3, 2)."""
    angle = math.pi / 2 - np.array(pose.antennae)
    outward, forward = normal[[-2, -2]] * np.array([[-1], [1]]), tangent[[-1, -1]]
    root = line[-2] + outward * 0.9
    elbow = root + 3.2 * _towards(outward, forward, angle - 0.2)
    tip = elbow + 3.6 * _towards(outward, forward, angle + 0.2)
    return np.stack([root, elbow, tip], axis=1)


def _towards(outward: Floats, forward: Floats, angle: Floats) -> Floats:
    """Directions (K, 2) at `angle` (K,) from outward to forward."""
    direction: Floats = outward * np.cos(angle)[:, None] + forward * np.sin(angle)[:, None]
    return direction


def _dab(
    canvas: Canvas,
    paint: Paint,
    seen: float,
    roll: float,
    line: Floats,
    normal: Floats,
    half: Floats,
) -> None:
    """Draw the part of a tag that is in sight."""
    if seen < 0.08:
        return
    step = round(paint.place * (STEPS - 1))
    # A tag that goes out of sight slides over the body's edge and narrows on its way.
    side = paint.side + 0.5 * roll + math.copysign(0.8 * (1 - seen), roll + paint.side)
    centre = line[step] + normal[step] * half[step] * side
    radius = np.array(paint.outline) * paint.size
    across = (radius * _ROUND[0] * (0.35 + 0.65 * seen))[:, None] * normal[step]
    along = (radius * _ROUND[1] * (0.6 + 0.4 * seen))[:, None] * normal[step, ::-1] * [1.0, -1.0]
    offset = across + along
    red, green, blue = paint.colour
    rim = (int(red * 0.72), int(green * 0.72), int(blue * 0.72))
    bright = (min(red + 26, 255), min(green + 26, 255), min(blue + 26, 255))
    canvas.polygon(centre + offset, rim)
    canvas.polygon(centre + 0.72 * offset, paint.colour)
    canvas.polygon(centre + 0.3 * offset, bright)
