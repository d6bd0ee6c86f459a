"""Sheets: what goes in comes out, pixel by pixel."""

import io

import numpy as np
import pytest
from PIL import Image

from antrax.app.sheets import COLUMNS, centred, make_sheet


def cells_of(png: bytes, size: int) -> list[np.ndarray]:
    sheet = np.asarray(Image.open(io.BytesIO(png)))
    assert sheet.shape[1] == COLUMNS * size and sheet.shape[2] == 4
    rows = sheet.shape[0] // size
    return [
        sheet[row * size : (row + 1) * size, column * size : (column + 1) * size]
        for row in range(rows)
        for column in range(COLUMNS)
    ]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 256])
def test_images_lie_row_by_row_at_their_own_resolution(blob_image, count):
    images = np.stack([blob_image(seed, 12, background=0) for seed in range(count)])
    cells = cells_of(make_sheet(images), 12)
    assert len(cells) == -(-count // COLUMNS) * COLUMNS
    for image, cell in zip(images, cells, strict=False):
        np.testing.assert_array_equal(cell[..., :3], image)


def test_the_background_is_transparent_and_the_animal_is_not(blob_image):
    image = blob_image(1, 20, background=0)
    cell = cells_of(make_sheet(image[None]), 20)[0]
    np.testing.assert_array_equal(cell[..., 3] == 255, image.any(-1))


def test_a_white_background_can_be_made_transparent_too(blob_image):
    image = blob_image(1, 20, background=255)
    cell = cells_of(make_sheet(image[None], 255), 20)[0]
    np.testing.assert_array_equal(cell[..., 3] == 255, (image != 255).any(-1))


def test_cells_after_the_last_image_are_empty(blob_image):
    cells = cells_of(make_sheet(blob_image(1, 8)[None]), 8)
    assert not any(cell.any() for cell in cells[1:])


@pytest.mark.parametrize("size", [7, 12, 13, 30])
def test_images_of_several_sizes_lie_in_the_middle_of_their_cells(blob_image, size):
    image = blob_image(2, size)
    (cell,) = centred([image], 13, 255)
    assert cell.shape == (13, 13, 3)
    if size <= 13:
        edge = (13 - size) // 2
        np.testing.assert_array_equal(cell[edge : edge + size, edge : edge + size], image)
        assert (cell[:edge] == 255).all()
    else:
        cut = (size - 13) // 2
        np.testing.assert_array_equal(cell, image[cut : cut + 13, cut : cut + 13])
