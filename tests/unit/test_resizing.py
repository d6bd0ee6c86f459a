"""Compiled resizing: pixel by pixel what OpenCV and Pillow give."""

import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from antrax import resizing
from antrax.images import Preparation, prepare
from antrax.machine_code import compiled

SIZES = [3, 7, 12, 24, 31, 48, 57, 64, 71, 86, 96, 120, 127]


@pytest.fixture(autouse=True)
def from_the_first_image_on(monkeypatch):
    monkeypatch.setattr(resizing, "_NOT_WORTH_IT", 0)


def stack(count: int, size: int) -> np.ndarray:
    """Images in the order of stacks in memory; the first are of extreme values only."""
    planes = np.random.default_rng(size).integers(0, 256, (count, 3, size, size), np.uint8)
    planes[: count // 2] = np.where(planes[: count // 2] > 127, 255, 0)
    return planes.transpose(0, 3, 2, 1)


@pytest.mark.parametrize(
    ("size", "target"), [(size, target) for size in SIZES for target in (5, 24, 32, 48, 64) if target < size]
)
def test_images_shrink_as_opencv_shrinks_them(size: int, target: int) -> None:
    images = stack(37, size)
    expected = [
        cv2.resize(np.ascontiguousarray(image), (target, target), interpolation=cv2.INTER_AREA) for image in images
    ]
    assert (prepare(images, Preparation(target, "black")) == np.stack(expected)).all()


@pytest.mark.parametrize("target", [5, 24, 32, 48, 64, 96])
@pytest.mark.parametrize("size", SIZES)
def test_images_are_resized_as_pillow_does(size: int, target: int) -> None:
    images = stack(37, size)
    expected = [
        np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((target, target), Image.Resampling.BICUBIC))
        for image in images
    ]
    resized = resizing.bicubic(np.ascontiguousarray(images.transpose(0, 3, 2, 1)), target)
    assert (resized.transpose(0, 3, 2, 1) == np.stack(expected)).all()


@pytest.mark.parametrize("preparation", [Preparation(48, "white"), Preparation(48, "black", antrax=True, scale=1.3)])
@pytest.mark.parametrize("count", [1, 3, 4, 31, 32, 33, 64, 70])
def test_any_number_of_images_is_resized_as_one_by_one(preparation: Preparation, count: int) -> None:
    images = stack(count, 86)
    alone = np.concatenate([prepare(image[None], preparation) for image in images])
    assert (prepare(images, preparation) == alone).all()


def test_few_images_are_resized_without_loading_numba(monkeypatch) -> None:
    monkeypatch.setattr(resizing, "_NOT_WORTH_IT", 5000)
    monkeypatch.setattr(resizing, "_asked_for", 0)
    monkeypatch.setattr(resizing, "compiled", lambda function: pytest.fail("numba is loaded"))
    assert not resizing.is_fast(5000)


def test_without_numba_images_are_the_same(monkeypatch) -> None:
    images, preparations = stack(40, 86), (Preparation(48, "white"), Preparation(64, "white", antrax=True))
    fast = [prepare(images, preparation) for preparation in preparations]
    monkeypatch.setitem(sys.modules, "numba", None)
    compiled.cache_clear()
    try:
        assert not resizing.is_fast(len(images))
        slow = [prepare(images, preparation) for preparation in preparations]
    finally:
        monkeypatch.undo()
        compiled.cache_clear()
    for one, other in zip(fast, slow, strict=True):
        assert (one == other).all()


def test_the_centre_of_larger_images_is_resized_alike_however_they_lie_in_memory() -> None:
    images = stack(40, 90)
    preparation = Preparation(48, "white", crop_size=71)
    assert (prepare(images, preparation) == prepare(np.ascontiguousarray(images), preparation)).all()
