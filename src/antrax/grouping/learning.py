"""Features of images, learned from tracklets without labels.

Two images of one tracklet show one animal, so their features are to be alike; those of other tracklets in the batch
are to differ, most of all where a tracklet exists at the same time and so is of another animal for sure. The loss is
that of Chen et al. (2020, ICML: 1597–1607), in which the other tracklets compete with the second image. Some of these
are of the same animal; they are few among as many as there are animals.

Images are varied as in training a classifier: hue stays, for it tells animals apart, and so does left and right, for
tags differ in that; head and tail are exchanged at random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from antrax.images import Background
from antrax.io.names import TrackletName
from antrax.networks.backends.torch_network import Network
from antrax.networks.graph import build
from antrax.networks.registry import DEFAULT
from antrax.training.augmentation import Augmentation, augment, margins_of

FEATURES = 32
"""Number of features."""
STEPS = 600
"""Steps of training."""
# Tracklets of a batch, two images each, and how many of these are of one stretch of time.
_TRACKLETS, _AT_A_TIME = 64, 8
_TEMPERATURE = 0.1
_RATE, _WEIGHT_DECAY, _WARM_UP = 4e-3, 0.05, 0.2
_TOLD_EVERY = 10
_MARGINS_AT_ONCE = 4096
# Images that go through the trained network together.
_AT_ONCE = 256


@dataclass(frozen=True)
class Pool:
    """Images to learn from.

    Parameters
    ----------
    images : NDArray[np.uint8]
        Shape (N, S, S, 3), prepared.
    tracklets : NDArray[np.int64]
        Place in `names` of each image's tracklet; shape (N,), ascending.
    names : tuple of TrackletName
        At least two.
    background : {"white", "black"}
    """

    images: NDArray[np.uint8]
    tracklets: NDArray[np.int64]
    names: tuple[TrackletName, ...]
    background: Background

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """First image of each tracklet, and their number; shape (tracklets + 1,)."""
        return np.searchsorted(self.tracklets, np.arange(len(self.names) + 1))


class FeatureNetwork:
    """A network that gives the features of images.

    Parameters
    ----------
    network : Network
    device : str
        As torch names it.
    """

    def __init__(self, network: Network, device: str) -> None:
        self._network, self._device = network.eval(), device

    def __call__(self, tracklets: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Features of tracklets: the mean over images and their half turns, of length 1; shape (tracklets, FEATURES).

        Parameters
        ----------
        tracklets : sequence of NDArray[np.uint8]
            Images of each, at least one, prepared; shape (N, S, S, 3).
        """
        owners = np.repeat(np.arange(len(tracklets)), [len(images) for images in tracklets])
        sums = torch.zeros((len(tracklets), FEATURES), device=self._device)
        images = np.concatenate(tracklets)
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            for start in range(0, len(images), _AT_ONCE):
                some = slice(start, start + _AT_ONCE)
                batch = torch.from_numpy(images[some]).to(self._device).permute(0, 3, 1, 2).float()
                both = torch.cat([batch, batch.flip(2, 3)]).contiguous(memory_format=torch.channels_last)
                found = functional.normalize(self._network(both), dim=1)
                sums.index_add_(0, torch.from_numpy(np.tile(owners[some], 2)).to(self._device), found)
        return np.asarray(functional.normalize(sums, dim=1).cpu().numpy(), np.float32)


def learn_features(pool: Pool, seed: int, device: str, progress: Callable[[int], None], steps: int) -> FeatureNetwork:
    """Train a network on pairs of images of a tracklet.

    Parameters
    ----------
    pool : Pool
    seed : int
        Of the first weights, and of what is drawn.
    device : str
        As torch names it.
    progress : callable
        Told the number of steps done.
    steps : int
        How long to train.
    """
    torch.manual_seed(seed)
    network = Network(build(DEFAULT, pool.images.shape[1], FEATURES, pool.background))
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=_WEIGHT_DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps, pct_start=_WARM_UP)
    pairs = _Pairs(pool, seed)
    for step in range(1, steps + 1):
        # the same results each time, which the fastest algorithms of CUDA do not give
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=True):
            loss = contrastive_loss(network(pairs.draw().to(device)))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        cycle.step()
        if step % _TOLD_EVERY == 0 or step == steps:
            progress(step)
    return FeatureNetwork(network, device)


def contrastive_loss(outputs: Tensor) -> Tensor:
    """How badly the second image of each tracklet is told from the images of other tracklets.

    Parameters
    ----------
    outputs : Tensor
        Features of the first images of all tracklets, then of the second ones; shape (2 tracklets, features).
    """
    features = functional.normalize(outputs, dim=1)
    count = len(features)
    likeness = features @ features.T / _TEMPERATURE
    itself = torch.eye(count, dtype=torch.bool, device=outputs.device)
    partner = torch.arange(count, device=outputs.device).roll(count // 2)
    return functional.cross_entropy(likeness.masked_fill(itself, -torch.inf), partner)


class _Pairs:
    """Draws batches: two varied images of each of some tracklets."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self._pool = pool
        self._chance = np.random.default_rng(seed)
        self._generator = torch.Generator().manual_seed(seed)
        self._images = torch.from_numpy(np.ascontiguousarray(pool.images.transpose(0, 3, 1, 2)))
        parts = torch.split(self._images, _MARGINS_AT_ONCE)
        self._margins = torch.cat([margins_of(part, pool.background) for part in parts])
        lengths = np.sqrt(np.diff(pool.starts))
        self._weights = lengths / lengths.sum()
        self._movies = np.array([name.movie for name in pool.names])
        self._first = np.array([name.first for name in pool.names])
        self._last = np.array([name.last for name in pool.names])

    def draw(self) -> Tensor:
        """A batch, float 0–255, shape (2 tracklets, 3, S, S): the first image of each, then the second."""
        chosen = self._tracklets()
        starts, stops = self._pool.starts[chosen], self._pool.starts[chosen + 1]
        first = self._chance.integers(starts, stops)
        # any other image of the tracklet; of one with a single image, the same, which is varied in another way
        second = starts + (first - starts + self._chance.integers(1, np.maximum(stops - starts, 2))) % (stops - starts)
        places = torch.from_numpy(np.concatenate([first, second]))
        images = self._images[places].float() / 255
        varied = augment(images, self._margins[places], Augmentation(), self._pool.background, self._generator)
        return varied * 255

    def _tracklets(self) -> NDArray[np.int64]:
        """Tracklets of a batch, each once: some that exist while one of them does, the others from anywhere."""
        count = min(_TRACKLETS, len(self._weights))
        anywhere = self._chance.choice(len(self._weights), count, replace=False, p=self._weights)
        one = anywhere[0]
        together = np.flatnonzero(
            (self._movies == self._movies[one]) & (self._first <= self._last[one]) & (self._last >= self._first[one])
        )
        together = self._chance.permutation(together)[:_AT_A_TIME]
        return np.array(list(dict.fromkeys([*together.tolist(), *anywhere.tolist()]))[:count])
