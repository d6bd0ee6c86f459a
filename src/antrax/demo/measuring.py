"""Measurements of a tracklet's blobs, as the tracker writes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antrax.demo.behaviour import ARENA, Trajectory
from antrax.demo.rendering import FLOOR, NOMINAL_SIZE, largest

#: Metres a pixel at the nominal image size, and areas that a single ant may have, in square metres.
PIXEL = 9.25e-5
AREAS = (1e-6, 3.3e-6)
FRAMES_PER_SECOND = 10


def measure(images: NDArray[np.uint8], trajectory: Trajectory) -> NDArray[np.float32]:
    """Measure blobs.

    Parameters
    ----------
    images
        Blob images, shape (N, S, S, 3); background 0.
    trajectory
        Where the blobs were.

    Returns
    -------
    ndarray of float32, shape (17, N)
        Area, x, y, major axis (all in pixels), eccentricity, orientation (radians), largest
        difference from the background (0 to 1), bounding box x, y, width, height, perimeter
        (pixels), mean difference, largest and mean darkness (0 to 1), on the arena's boundary
        (0 or 1), time from the frame before (seconds).
    """
    bright = images.astype(np.float32)
    mask = largest(bright) > 0
    area = mask.sum(axis=(1, 2))
    grid = np.arange(images.shape[1], dtype=np.float64)
    across, down = mask.sum(axis=1), mask.sum(axis=2)
    middle = np.stack([across @ grid, down @ grid]) / area
    spread_x = across @ grid**2 / area - middle[0] ** 2 + 1 / 12
    spread_y = down @ grid**2 / area - middle[1] ** 2 + 1 / 12
    both = np.einsum("nyx,y,x->n", mask, grid, grid) / area - middle[0] * middle[1]
    root = np.sqrt((spread_x - spread_y) ** 2 + 4 * both**2)
    large, small = (spread_x + spread_y + root) / 2, (spread_x + spread_y - root) / 2
    ring = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    inner = ring[:, :-2, 1:-1] & ring[:, 2:, 1:-1] & ring[:, 1:-1, :-2] & ring[:, 1:-1, 2:]
    deepest = np.where(mask, largest(np.array(FLOOR, dtype=np.float32) - bright), 0.0) / 255
    darkness = np.where(mask, 255 - largest(bright), 0.0) / 255
    # Images are rotated upright; in the arena the long axis lies along the way.
    width = np.abs(np.cos(trajectory.headings)) * 4 * np.sqrt(large)
    height = np.abs(np.sin(trajectory.headings)) * 4 * np.sqrt(large)
    width, height = (np.ceil(np.maximum(side, 4 * np.sqrt(small))) for side in (width, height))
    x, y = trajectory.places.T
    near_wall = np.minimum(trajectory.places, np.array(ARENA) - trajectory.places).min(axis=1) < 20
    columns = (
        area, x, y, 4 * np.sqrt(large), np.sqrt(1 - small / large),
        np.angle(np.exp(1j * trajectory.headings)), deepest.max(axis=(1, 2)),
        np.floor(x - width / 2), np.floor(y - height / 2), width, height,
        (mask & ~inner).sum(axis=(1, 2)), deepest.sum(axis=(1, 2)) / area,
        darkness.max(axis=(1, 2)), darkness.sum(axis=(1, 2)) / area, near_wall,
        np.full(len(area), 1 / FRAMES_PER_SECOND),
    )  # fmt: skip
    return np.stack([np.asarray(column, dtype=np.float32) for column in columns])


def metres_per_pixel(size: int) -> float:
    """Scale of an experiment with blob images of `size` pixels."""
    return PIXEL * NOMINAL_SIZE / size


def has_plausible_area(area: NDArray[np.float32], size: int) -> NDArray[np.bool_]:
    """Frames whose blob is about as large as one ant, shape (N,)."""
    square_metres = area * metres_per_pixel(size) ** 2
    return (square_metres >= AREAS[0]) & (square_metres <= AREAS[1])
