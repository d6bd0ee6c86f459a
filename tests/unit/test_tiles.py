"""Which image stands for a tracklet, and which others are spread over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from antrax.io.stacks import open_stack, write_stacks
from antrax.review.tracklets.tiles import make_tile, read_images, sharpness, spread_images

NAME = "trj_id1_ti1_1_tf1_9"


@given(st.integers(1, 300), st.integers(1, 40), st.data())
def test_spread_images_are_distinct_sorted_and_no_more_than_asked_for(
    count: int, most: int, data: st.DataObject
) -> None:
    also = data.draw(st.none() | st.integers(0, count - 1))
    found = spread_images(count, most, also)
    assert len(found) == min(count, most)
    assert found == sorted(set(found))
    assert found[0] >= 0 and found[-1] < count
    assert also is None or also in found
    if also is None and len(found) > 1:
        steps = np.diff(found)
        assert steps.max() - steps.min() <= 1


def blob(rng: np.random.Generator, contrast: int) -> NDArray[np.uint8]:
    image = np.zeros((16, 16, 3), np.uint8)
    image[3:13, 3:13] = 120 + rng.integers(-contrast, contrast + 1, (10, 10, 1))
    return image


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Nine images, of which the fifth shows most detail."""
    rng = np.random.default_rng(1)
    images = np.stack([blob(rng, 60 if place == 4 else 5) for place in range(9)])
    path = tmp_path / "images_1.mat"
    write_stacks(path, [(NAME, images)])
    return path


def test_the_image_that_shows_the_id_best_stands_for_a_tracklet_or_else_the_sharpest(stack: Path) -> None:
    with open_stack(stack) as images:
        assert make_tile(images, NAME, best_frame=2).image == 1
        for none in (None, 0, 10):  # no ID; results of another stack
            tile = make_tile(images, NAME, none)
            assert (tile.tracklet, tile.image, tile.images) == (NAME, 4, 9)
            assert np.array_equal(tile.pixels, images.read(NAME)[4])


def test_some_images_are_read_in_the_order_asked_for(stack: Path) -> None:
    with open_stack(stack) as images:
        every = images.read(NAME)
        assert np.array_equal(read_images(images, NAME, [7, 2]), every[[7, 2]])
        assert np.array_equal(read_images(images, NAME, list(range(9))), every)


def test_sharpness_is_of_the_animal_and_not_of_its_outline() -> None:
    rng = np.random.default_rng(2)
    flat, detailed = blob(rng, 0), blob(rng, 60)
    assert sharpness(flat) == 0 < sharpness(detailed)
    assert sharpness(np.zeros((8, 8, 3), np.uint8)) == 0
