"""Resizing of blob images that lie as stacks hold them, compiled: pixel by pixel what OpenCV and Pillow give.

These resize one image at a time, row by row. Here the images of a block lie side by side, pixel by pixel, so that each
step is done for all of them at once, which is up to ten times as fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from antrax.machine_code import compiled

# Values that are computed at once: three channels of so many images. Known to the compiler, which keeps them in
# registers.
_LANES = 96
_IMAGES = _LANES // 3
# A block of fewer images is not worth it; nor is loading numba (0.7 s), before so many have been resized one by one.
_FEWEST = 4
_NOT_WORTH_IT = 5000
# Pillow computes with whole numbers; its weights are multiples of 2^-22.
_BITS = 22

# For each place: the first pixel that counts, how many do, and their weights.
_Weights = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.generic]]


_asked_for = 0


def is_fast(count: int) -> bool:
    """Whether so many more images are resized faster here than one by one. The result is the same.

    Parameters
    ----------
    count : int
    """
    global _asked_for
    _asked_for += count
    return count >= _FEWEST and _asked_for > _NOT_WORTH_IT and compiled(_average) is not _average


def by_area(planes: NDArray[np.uint8], target: int) -> NDArray[np.uint8]:
    """Shrink images as OpenCV's ``INTER_AREA`` does.

    Parameters
    ----------
    planes : NDArray[np.uint8]
        Shape (N, 3, S, S), in this order in memory.
    target : int
        Side length, in pixels; less than S.

    Returns
    -------
    NDArray[np.uint8]
        Shape (N, 3, target, target).
    """
    size = planes.shape[2]
    if size % target == 0:  # sums of whole numbers, which OpenCV is fast at, and which are the same in any order
        import cv2

        resized = np.empty((len(planes), 3, target, target), np.uint8)
        for plane, place in zip(planes.reshape(-1, size, size), resized.reshape(-1, target, target), strict=True):
            cv2.resize(plane, (target, target), place, interpolation=cv2.INTER_AREA)
        return resized
    return _in_blocks(planes, target, _area_weights(size, target), _average)


def bicubic(planes: NDArray[np.uint8], target: int) -> NDArray[np.uint8]:
    """Resize images as Pillow's bicubic filter does.

    Parameters
    ----------
    planes : NDArray[np.uint8]
        Shape (N, 3, S, S), in this order in memory.
    target : int
        Side length, in pixels.

    Returns
    -------
    NDArray[np.uint8]
        Shape (N, 3, target, target).
    """
    return _in_blocks(planes, target, _cubic_weights(planes.shape[2], target), _convolve)


def _in_blocks(
    planes: NDArray[np.uint8], target: int, weights: _Weights, kernel: Callable[..., None]
) -> NDArray[np.uint8]:
    import cv2  # transposes ten times as fast as numpy

    count, _, size, _ = planes.shape
    resized = np.empty((count, 3, target, target), np.uint8)
    block = np.zeros((size, size, _LANES), np.uint8)
    done = np.empty((target, target, _LANES), np.uint8)
    run = compiled(kernel)
    for start in range(0, count, _IMAGES):
        flat = planes[start : start + _IMAGES].reshape(-1, size * size)
        lanes = len(flat)
        if lanes == _LANES:
            cv2.transpose(flat, block.reshape(-1, _LANES))
        else:
            block.reshape(-1, _LANES)[:, :lanes] = cv2.transpose(flat)
        run(block, done, *weights)
        resized[start : start + _IMAGES].reshape(lanes, -1)[:] = cv2.transpose(done.reshape(-1, _LANES))[:lanes]
    return resized


def _average(
    pixels: NDArray[np.uint8],
    resized: NDArray[np.uint8],
    first: NDArray[np.int64],
    number: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> None:
    """Weighted sums along the first axis and then along the second, in OpenCV's order, for sums of floats have one."""
    size, target = pixels.shape[0], resized.shape[0]
    line, total = np.empty((size, _LANES), np.float32), np.empty(_LANES, np.float32)
    for column in range(target):
        for row in range(size):
            start, weight = first[column], weights[column, 0]
            for lane in range(_LANES):
                line[row, lane] = np.float32(pixels[start, row, lane]) * weight
            for step in range(1, number[column]):
                weight = weights[column, step]
                for lane in range(_LANES):
                    line[row, lane] += np.float32(pixels[start + step, row, lane]) * weight
        for row in range(target):
            start, weight = first[row], weights[row, 0]
            for lane in range(_LANES):
                total[lane] = line[start, lane] * weight
            for step in range(1, number[row]):
                weight = weights[row, step]
                for lane in range(_LANES):
                    total[lane] += line[start + step, lane] * weight
            for lane in range(_LANES):
                resized[column, row, lane] = np.uint8(np.int32(np.rint(total[lane])))


def _convolve(
    pixels: NDArray[np.uint8],
    resized: NDArray[np.uint8],
    first: NDArray[np.int64],
    number: NDArray[np.int64],
    weights: NDArray[np.int32],
) -> None:
    """Weighted sums along the first axis, rounded, and then along the second, in whole numbers."""
    size, target = pixels.shape[0], resized.shape[0]
    line, total = np.empty((size, _LANES), np.uint8), np.empty(_LANES, np.int32)
    half, least, most = np.int32(1 << (_BITS - 1)), np.int32(0), np.int32(255)
    for column in range(target):
        for row in range(size):
            total[:] = half
            for step in range(number[column]):
                start, weight = first[column] + step, weights[column, step]
                for lane in range(_LANES):
                    total[lane] += np.int32(pixels[start, row, lane]) * weight
            for lane in range(_LANES):
                line[row, lane] = np.uint8(min(max(total[lane] >> _BITS, least), most))
        for row in range(target):
            total[:] = half
            for step in range(number[row]):
                start, weight = first[row] + step, weights[row, step]
                for lane in range(_LANES):
                    total[lane] += np.int32(line[start, lane]) * weight
            for lane in range(_LANES):
                resized[column, row, lane] = np.uint8(min(max(total[lane] >> _BITS, least), most))


@cache
def _area_weights(size: int, target: int) -> _Weights:
    """The share of each pixel in the stretch of the line that becomes one pixel, as OpenCV computes it."""
    scale = 1 / (target / size)
    places = []
    for place in range(target):
        left, right = place * scale, place * scale + scale
        width = min(scale, size - left)
        last = min(math.floor(right), size - 1)
        first = min(math.ceil(left), last)
        weights = [1 / width] * (last - first)
        if right - last > 1e-3:
            weights.append(min(right - last, 1.0, width) / width)
        if first - left > 1e-3:
            weights.insert(0, (first - left) / width)
            first -= 1
        places.append((first, weights))
    return _table(places, np.float32)


@cache
def _cubic_weights(size: int, target: int) -> _Weights:
    """The weights of Pillow's bicubic filter, wider where images shrink."""
    scale = size / target
    wide = max(scale, 1.0)
    places = []
    for place in range(target):
        centre = (place + 0.5) * scale
        first, last = max(0, int(centre - 2 * wide + 0.5)), min(size, int(centre + 2 * wide + 0.5))
        weights = [_cubic((pixel - centre + 0.5) * (1 / wide)) for pixel in range(first, last)]
        whole = sum(weights)
        places.append((first, [math.floor(weight / whole * 2**_BITS + 0.5) for weight in weights]))
    return _table(places, np.int32)


def _cubic(distance: float) -> float:
    distance = abs(distance)
    if distance < 1:
        return (1.5 * distance - 2.5) * distance * distance + 1
    return -0.5 * (((distance - 5) * distance + 8) * distance - 4) if distance < 2 else 0.0


def _table(places: list[tuple[int, list[float]]], dtype: type[np.generic]) -> _Weights:
    table = np.zeros((len(places), max(len(weights) for _, weights in places)), dtype)
    for row, (_, weights) in zip(table, places, strict=True):
        row[: len(weights)] = weights
    return np.array([first for first, _ in places]), np.array([len(weights) for _, weights in places]), table
