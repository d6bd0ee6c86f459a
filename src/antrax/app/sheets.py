"""Sheets of images: many small images in one PNG, so that a montage of hundreds takes a few requests."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLUMNS = 16
IMAGES = 256
"""Most images on one sheet: 300 kB at 48 pixels, 20 ms to make."""
LARGEST_CELL = 256
"""Most pixels to a cell of a gallery: a sheet of such cells takes 200 MB while it is made."""


def make_sheet(images: NDArray[np.uint8], background: int = 0) -> bytes:
    """A sheet of images at their own resolution, for the page to enlarge.

    Parameters
    ----------
    images : NDArray[np.uint8]
        Shape (N, S, S, 3), rgb.
    background : int
        Pixels of this value in all channels become transparent, so that the page can choose what lies behind.

    Returns
    -------
    bytes
        A PNG, rgba, `COLUMNS` images wide, filled row by row.
    """
    count, size = images.shape[:2]
    rows = -(-count // COLUMNS)
    cells = np.zeros((rows * COLUMNS, size, size, 4), np.uint8)
    cells[:count, ..., :3] = images
    opaque = (images != background).any(-1)
    cells[:count, ..., 3] = np.where(opaque, 255, 0)
    sheet = cells.reshape(rows, COLUMNS, size, size, 4).transpose(0, 2, 1, 3, 4).reshape(rows * size, COLUMNS * size, 4)
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG", compress_level=1)
    return file.getvalue()


def centred(images: Sequence[NDArray[np.uint8]], size: int, background: int) -> NDArray[np.uint8]:
    """Square images of several sizes in the middle of cells of one size; larger ones lose their margins.

    Parameters
    ----------
    images : sequence of NDArray[np.uint8]
        Each of shape (S, S, 3), rgb.
    size : int
        Side length of the cells, in pixels.
    background : int
        Value around the images.

    Returns
    -------
    NDArray[np.uint8]
        Shape (N, size, size, 3).
    """
    cells = np.full((len(images), size, size, 3), background, np.uint8)
    for cell, image in zip(cells, images, strict=True):
        cut = max(0, len(image) - size) // 2
        inner = image[cut : cut + size, cut : cut + size]
        edge = (size - len(inner)) // 2
        cell[edge : edge + len(inner), edge : edge + len(inner)] = inner
    return cells
