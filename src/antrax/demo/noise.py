"""Random changes over time in the simulation."""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np

from antrax.demo.rendering import Floats


def smooth_noise(shape: int | tuple[int, ...], spread: float, memory: float, rng: np.random.Generator) -> Floats:
    """First-order autoregressive noise along the first axis, of standard deviation `spread`.

    Parameters
    ----------
    shape : tuple of int
        Frames first.
    spread : float
        Standard deviation.
    memory : float
        Correlation of one frame with the next, 0 to 1.
    rng : np.random.Generator
        Source of random numbers.
    """
    noise = rng.normal(0.0, spread, shape)
    noise[1:] *= math.sqrt(1 - memory**2)
    # a filter of one line; `scipy.signal` has it too, and takes seconds to load
    columns = noise.reshape(len(noise), math.prod(noise.shape[1:])).T.tolist()
    filtered = [list(accumulate(column, lambda before, new: memory * before + new)) for column in columns]
    return np.array(filtered).T.reshape(noise.shape)
