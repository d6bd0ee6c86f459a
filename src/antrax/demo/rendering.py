"""From a drawing to a blob image: canvas, focus, light, sensor and the mask around the blob.

Everything is drawn on a canvas `OVERSAMPLING` times finer than the blob image and averaged down,
so that a leg of one pixel width comes out as the pale, broken line that it is in real images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Floats = NDArray[np.float64]

OVERSAMPLING = 3
#: Side, in pixels, of the blob images that all lengths in this package refer to.
NOMINAL_SIZE = 48
#: The arena's floor under even light.
FLOOR: Colour = (247, 239, 233)


@dataclass(frozen=True, slots=True)
class ViewingConditions:
    """Conditions under which the camera recorded a frame.

    Attributes
    ----------
    blur
        Standard deviation of the defocus, in pixels of a 48-pixel image.
    motion
        Displacement (x, y) during the exposure, in pixels of a 48-pixel image.
    light
        Gain of red, green and blue where the blob lies; 1 is the arena's centre.
    slope
        Relative change of the light across the image (left to right, top to bottom).
    veil
        Share of the floor's colour mixed into the picture, as by condensation on the lid, 0 to 1.
    noise
        Standard deviation of the sensor noise, in grey levels.
    threshold
        Difference from the floor, in grey levels, from which a pixel belongs to the blob.
    """

    blur: float = 0.5
    motion: tuple[float, float] = (0.0, 0.0)
    light: tuple[float, float, float] = (1.0, 1.0, 1.0)
    slope: tuple[float, float] = (0.0, 0.0)
    veil: float = 0.0
    noise: float = 4.0
    threshold: float = 22.0


class Canvas:
    """A fine drawing surface; coordinates are nominal pixels from the image's centre.

    Parameters
    ----------
    size
        Side of the blob image, in pixels. Whatever is drawn scales with it.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.scale = size / NOMINAL_SIZE
        self._side = size * OVERSAMPLING
        self._zoom = self.scale * OVERSAMPLING
        self._image = Image.new("RGB", (self._side, self._side), FLOOR)
        self._draw = ImageDraw.Draw(self._image)

    def _to_canvas(self, points: Floats) -> list[float]:
        flat: list[float] = (points * self._zoom + self._side / 2).ravel().tolist()
        return flat

    def polygon(self, points: Floats, colour: Colour) -> None:
        """Fill the polygon with corners `points`, (K, 2)."""
        self._draw.polygon(self._to_canvas(points), fill=colour)

    def lines(self, points: Floats, width: float, colour: Colour) -> None:
        """Draw M lines of `width` through K points each, (M, K, 2).

        Parameters
        ----------
        points : Floats
            Shape (M, K, 2), from the centre, in pixels of a blob image of `NOMINAL_SIZE`.
        width : float
            In the same unit.
        colour : Colour
            Red, green and blue.
        """
        pixels = max(1, round(width * self._zoom))
        scaled: list[list[float]] = (points * self._zoom + self._side / 2).reshape(len(points), -1).tolist()
        for line in scaled:
            self._draw.line(line, fill=colour, width=pixels)

    def disc(self, centre: Floats, radius: float, colour: Colour) -> None:
        """Fill a circle around `centre`, (2,).

        Parameters
        ----------
        centre : Floats
            Shape (2,), from the centre of the canvas, in pixels of a blob image of `NOMINAL_SIZE`.
        radius : float
            In the same unit.
        colour : Colour
            Red, green and blue.
        """
        reach = np.array([[-radius, -radius], [radius, radius]])
        self._draw.ellipse(self._to_canvas(centre + reach), fill=colour)

    def picture(self, view: ViewingConditions) -> NDArray[np.uint8]:
        """Return the drawing as the lens projects it, shape (size, size, 3)."""
        lens = ImageFilter.GaussianBlur(view.blur * self.scale)
        small = self._image.reduce(OVERSAMPLING).filter(lens)
        return _smear(np.asarray(small), view.motion, self.scale)


def expose(
    pictures: Sequence[NDArray[np.uint8]], views: Sequence[ViewingConditions], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Record pictures with a camera and cut the blobs out, as the tracker does.

    Parameters
    ----------
    pictures
        N pictures of shape (S, S, 3), from `Canvas.picture`.
    views
        The light and the sensor for each of them.
    rng
        Source of the noise.

    Returns
    -------
    ndarray of uint8, shape (N, S, S, 3)
        Row, column, rgb. Background is 0 in all channels, and no pixel of a blob is; nor is any
        white, so that turning the background white and back loses nothing.
    """
    whole = np.stack(pictures)
    blobs = np.zeros_like(whole)
    # Two thirds of the pictures are bare floor, which the mask would remove anyway.
    rows, columns = _drawn(whole)
    floor = np.asarray(FLOOR, dtype=np.float32)
    light = _light(whole.shape[1], views)[:, rows, columns]
    veil = _column([view.veil for view in views])
    scene = whole[:, rows, columns].astype(np.float32)
    scene += veil * (floor - scene)
    scene = _soften_colour(scene * light, rng)
    difference = largest(floor * light - scene)
    mask = _mask(difference, _column([view.threshold for view in views])[..., 0], rng)
    grain = rng.standard_normal(scene.shape[:3], dtype=np.float32)[..., None]
    scene += grain * _column([view.noise for view in views])
    scene = np.clip(np.rint(scene), 1, 254) * mask[..., None]
    blobs[:, rows, columns] = scene.astype(np.uint8)
    return blobs


def largest(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Largest of the three channels of each pixel: (..., 3) to (...)."""
    # NumPy's own maximum over so short an axis takes five times as long.
    pair = np.maximum(pictures[..., 0], pictures[..., 1])
    return np.maximum(pair, pictures[..., 2])


def _drawn(pictures: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Rows and columns that hold anything but floor in any of the pictures (N, S, S, 3)."""
    # Green alone tells, for nothing that is drawn is as green as the floor.
    darkest = pictures[..., 1].min(axis=0) < FLOOR[1] - 6
    slices = []
    for axis in (1, 0):
        places = np.flatnonzero(darkest.any(axis=axis))
        first, last = (places[0], places[-1]) if len(places) else (0, len(darkest) - 1)
        slices.append(slice(max(0, int(first) - 2), int(last) + 3))
    return slices[0], slices[1]


def _column(values: Sequence[float] | Sequence[tuple[float, ...]]) -> NDArray[np.float32]:
    """One number, or one colour, a frame, shaped to multiply with pictures."""
    array = np.asarray(values, dtype=np.float32)
    return array.reshape(len(values), 1, 1, -1)


def _smear(picture: NDArray[np.uint8], motion: tuple[float, float], scale: float) -> NDArray[np.uint8]:
    """Average the picture along the way moved during the exposure."""
    way = [step * scale for step in motion]
    copies = round(max(abs(step) for step in way))
    if copies < 1:
        return picture
    total = np.zeros(picture.shape, dtype=np.uint16)
    for copy in range(copies + 1):
        share = copy / copies - 0.5
        shift = (round(way[1] * share), round(way[0] * share))
        total += np.roll(picture, shift, axis=(0, 1))
    return (total // (copies + 1)).astype(np.uint8)


def _light(size: int, views: Sequence[ViewingConditions]) -> NDArray[np.float32]:
    """Gain of each pixel and channel, shape (N, size, size, 3)."""
    across = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    right = _column([view.slope[0] for view in views]) * across[None, None, :, None]
    down = _column([view.slope[1] for view in views]) * across[None, :, None, None]
    gain: NDArray[np.float32] = (1 + right + down) * _column([view.light for view in views])
    return gain


def _soften_colour(scene: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Blur and stain the colour, not the brightness, as the video's compression does.

    Video keeps one colour for each block of 2 x 2 pixels, and that one roughly; thin legs come
    out greenish or pink, and a small tag's colour runs into the body around it.
    """
    count, rows, columns = scene.shape[:3]
    grey = ((scene[..., 0] + scene[..., 1] + scene[..., 2]) / 3)[..., None]
    colour = np.zeros((count, rows + rows % 2, columns + columns % 2, 3), dtype=np.float32)
    colour[:, :rows, :columns] = scene - grey
    pairs = colour[:, ::2] + colour[:, 1::2]
    blocks = (pairs[:, :, ::2] + pairs[:, :, 1::2]) / 4
    stain = rng.standard_normal(blocks.shape, dtype=np.float32)
    # Stronger where the picture is dark: a block's error grows with what changes inside it.
    blocks += stain * (4 + 26 * (1 - grey[:, ::2, ::2] / 255))
    wide = blocks.repeat(2, axis=1).repeat(2, axis=2)
    wide[:, 1:] = (wide[:, 1:] + wide[:, :-1]) / 2
    wide[:, :, 1:] = (wide[:, :, 1:] + wide[:, :, :-1]) / 2
    softened: NDArray[np.float32] = grey + (0.3 * colour + 0.7 * wide)[:, :rows, :columns]
    return softened


def _mask(
    difference: NDArray[np.float32], threshold: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Pixels (N, S, S) that differ from the floor, without specks.

    The edge is ragged, since the floor that is subtracted is a noisy picture too.
    """
    noise = rng.standard_normal(difference.shape, dtype=np.float32)
    raw = np.pad(difference + 7 * noise > threshold, ((0, 0), (1, 1), (1, 1)))
    rows = raw[:, :-2].astype(np.int8) + raw[:, 1:-1] + raw[:, 2:]
    neighbours = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    mask: NDArray[np.bool_] = (raw[:, 1:-1, 1:-1] & (neighbours >= 4)) | (neighbours >= 7)
    # a tracked blob has at least one pixel
    for frame in np.flatnonzero(~mask.any(axis=(1, 2))):
        mask[frame].flat[int(difference[frame].argmax())] = True
    return mask
