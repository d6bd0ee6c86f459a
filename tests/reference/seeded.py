"""Weights and images made from a seed, alike wherever they are made."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def seeded_weight(index: int, name: str, shape: tuple[int, ...], gain: float = 1.0) -> NDArray[np.float32]:
    """Weight number `index` of a model, as after training: no statistic at its default, no layer dead.

    `gain` is of dense layers: large values would make one label certain.
    """
    uniform = np.random.default_rng(index).random(shape)
    if "depthwise_kernel" in name:
        value = (uniform - 0.5) * math.sqrt(24 / (shape[0] * shape[1]))
    elif "kernel" in name:
        value = (uniform - 0.5) * math.sqrt(24 / math.prod(shape[:-1]))
        value *= gain if "dense" in name else 1
    elif "gamma" in name or "variance" in name:
        value = uniform + 0.5
    else:
        value = (uniform - 0.5) * 0.6
    return value.astype(np.float32)


def seeded_images(count: int, size: int) -> NDArray[np.uint8]:
    """Coloured blobs on white ground; shape (count, size, size, 3)."""
    rng = np.random.default_rng(0)
    images = np.full((count, size, size, 3), 255, np.uint8)
    inner = slice(size // 5, size - size // 5)
    images[:, inner, inner] = rng.integers(1, 255, images[:, inner, inner].shape, np.uint8)
    images[:, :, : size // 2] //= rng.integers(1, 9, (count, 1, 1, 3), np.uint8)
    return images
