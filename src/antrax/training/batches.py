"""Batches of examples for training: drawn by weights, and varied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from antrax.errors import DeviceError
from antrax.images import Background
from antrax.labels import Category
from antrax.networks.backends.torch_network import LITTLE_MEMORY, NO_MEMORY, free_memory
from antrax.networks.devices import device_kind
from antrax.training.augmentation import Augmentation, Negatives, add_brood, augment, make_negatives, margins_of
from antrax.training.recolouring import RecolouredCodes

# A class is drawn by the root of its weight, a tracklet by the root of its length (see `sampling_weights`).
_CLASS_POWER, _TRACKLET_POWER = 0.5, 0.5
_BROOD = 0.15
# Share of a graphics card's free memory that the examples may take; others stay in the computer's memory.
_EXAMPLES_SHARE = 0.5
# Batches that a graphics card makes together, and most floats of their images: it makes eight as soon as one.
_MADE_TOGETHER, _MADE_FLOATS = 8, 2**26

# Batches, and the generator's state before they were made.
_Made = tuple[Tensor, list[tuple[Tensor, Tensor]]]


@dataclass(frozen=True)
class UnitsOfLabels:
    """How labels are made of a network's outputs; see `antrax.networks.heads`.

    Parameters
    ----------
    matrix : NDArray[np.float32]
        1 where a label adds up a unit; shape (units, labels).
    places : tuple of slice
        Units of the colours at each place.
    own : slice
        Units of labels that are no codes.
    recoloured : RecolouredCodes or None
        How tags get other colours; None where they keep theirs.
    """

    matrix: NDArray[np.float32]
    places: tuple[slice, ...]
    own: slice
    recoloured: RecolouredCodes | None = None


@dataclass(frozen=True)
class Material:
    """Training data of one network.

    Parameters
    ----------
    images : NDArray[np.uint8]
        Shape (M, S, S, 3); see `rows`.
    targets : NDArray[np.int64]
        Output of the right label; shape (N,).
    tracklets : NDArray[np.int64]
        Shape (N,).
    categories : tuple of Category
        Of each output.
    background : {"white", "black"}
    weights : mapping of Category to float
        How much an error on images of a kind counts; 1 where nothing is said.
    augmentation : Augmentation
        How far images are varied.
    units : UnitsOfLabels or None
        Of a network whose outputs are scores of colours; None where each output is a label.
    rows : NDArray[np.int64] or None
        Which of the images are trained on, shape (N,); all, in their order, without.
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.int64]
    tracklets: NDArray[np.int64]
    categories: tuple[Category, ...]
    background: Background
    weights: Mapping[Category, float] = field(default_factory=dict)
    augmentation: Augmentation = field(default_factory=Augmentation)
    units: UnitsOfLabels | None = None
    rows: NDArray[np.int64] | None = None

    def negatives(self, share: float, device: str = "cpu") -> Negatives | None:
        """Which ants of a batch are changed into what must not be given an ID; None where there is no label for that.

        Parameters
        ----------
        share : float
            Of the ants.
        device : str, optional
            Where batches are made.
        """
        unknown = [i for i, category in enumerate(self.categories) if category is Category.UNKNOWN]
        if not unknown or not share:
            return None
        present = set(self.targets.tolist())
        several = [i for i, category in enumerate(self.categories) if category is Category.MULTI and i in present]
        ants = torch.tensor([category is Category.ANT for category in self.categories], device=device)
        # Pairs are `Multi` only where people use that label; many put them under `Unknown`.
        return Negatives(ants, unknown[0], (several or unknown)[0], share)


def sampling_weights(targets: NDArray[np.int64], tracklets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probability of each example to be drawn; shape (N,), sums to 1.

    Within a label, a tracklet is drawn by the root of its length: a thousand images of one tracklet say little more
    than a hundred. Labels are drawn by the root of what that gives them, which lies between equal shares and
    leaving the imbalance as it is.
    """
    lengths = np.bincount(tracklets)[tracklets]
    weights = lengths.astype(np.float64) ** -_TRACKLET_POWER
    totals = np.bincount(targets, weights)[targets]
    weights *= totals ** -(1 - _CLASS_POWER)
    return np.asarray(weights / weights.sum())


class Batches:
    """Draws batches of examples, and varies them.

    With CUDA, batches are made on the graphics card, from examples that it holds if there is room for them; two
    processors would make them at a tenth of the rate at which it learns. On processors, the next batch is made in a
    thread of its own while the network learns the one before. All random numbers are drawn in the order of the batches,
    so a seed gives the same ones however far ahead of the network they are made.
    """

    def __init__(self, material: Material, size: int, negatives: float, seed: int, device: str) -> None:
        self._material, self._size, self._device = material, size, device
        self._maker = device if device_kind(device) == "cuda" else "cpu"  # where batches are made
        self._generator = torch.Generator(self._maker).manual_seed(seed)
        self._before = self._generator.get_state()  # before the batches that were made last
        self._made: list[tuple[Tensor, Tensor]] = []
        self._used = 0  # of these
        # torch's own threads are for the network; how many there are is told for each thread that uses them
        self._thread = None
        if self._maker == "cpu":
            self._thread = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))
        self._ahead: Future[_Made] | None = None
        images = torch.from_numpy(np.ascontiguousarray(material.images.transpose(0, 3, 1, 2)))
        rows = torch.arange(len(images)) if material.rows is None else torch.from_numpy(material.rows)
        # a few at a time, for the intermediate results are as large as the images
        margins = torch.cat([margins_of(images[some], material.background) for some in torch.split(rows, 4096)])
        self._images, self._margins = _on_device(images, self._maker), margins.to(self._maker)
        self._rows = rows.to(self._images.device)
        self._targets = torch.from_numpy(material.targets).to(self._maker)
        # their sums: `torch.multinomial` would add up the weights of all examples for each batch
        weights = torch.from_numpy(sampling_weights(material.targets, material.tracklets))
        self._weight_sums = weights.cumsum(0).to(self._maker)
        self._negatives = material.negatives(negatives, self._maker)
        units = material.units
        self._units = torch.from_numpy(units.matrix.T.copy()).to(self._maker) if units else None  # of each label
        self._recoloured = units.recoloured.on(self._maker) if units and units.recoloured else None

    def close(self) -> None:
        """End the thread that makes batches. None can be drawn afterwards."""
        if self._thread:
            self._thread.shutdown(cancel_futures=True)

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on with the next batch."""
        return {"generator": self._before, "used": self._used}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken, or from a seed."""
        if self._ahead:  # it uses the generator
            self._ahead.result()
            self._ahead = None
        self._made, self._used = [], state.get("used", 0)
        if "seed" in state:
            self._generator.manual_seed(state["seed"])
        else:
            self._generator.set_state(state["generator"])
        self._before = self._generator.get_state()

    def draw(self, on_notice: Callable[[str], None]) -> tuple[Tensor, Tensor]:
        """A batch: float images 0–255 of shape (size, 3, S, S), and its targets.

        Targets are labels, or which units each image's label adds up, shape (size, units).

        Parameters
        ----------
        on_notice : callable
            Told where another program has taken the graphics card's memory.

        Raises
        ------
        DeviceError
            There is no room for a batch.
        """
        if not self._made:  # the first ones, or those of the state that was restored
            self._before, self._made = self._next(on_notice)
        if self._used == len(self._made):
            self._before, self._made = self._next(on_notice)
            self._used = 0
        images, targets = self._made[self._used]
        self._used += 1
        return images.to(self._device), targets.to(self._device)

    def _next(self, on_notice: Callable[[str], None]) -> _Made:
        """The next batches, and the generator's state before them."""
        if not self._thread:
            return self._make(on_notice)
        made = (self._ahead or self._thread.submit(self._make, on_notice)).result()
        self._ahead = self._thread.submit(self._make, on_notice)
        return made

    def _make(self, on_notice: Callable[[str], None]) -> _Made:
        before = self._generator.get_state()
        count = 1
        if self._maker != "cpu":
            count = max(1, min(_MADE_TOGETHER, _MADE_FLOATS // (self._size * self._images[0].numel())))
        try:
            images, targets = self._varied(count * self._size)
        except torch.OutOfMemoryError:  # another program has begun to use the card
            if self._images.device.type == "cpu":
                raise DeviceError(NO_MEMORY.format(device=self._device)) from None
            self._images, self._rows = self._images.cpu(), self._rows.cpu()
            free_memory(self._device)
            on_notice(LITTLE_MEMORY.format(device=self._device))
            self._generator.set_state(before)
            return self._make(on_notice)
        return before, list(zip(torch.split(images, self._size), torch.split(targets, self._size), strict=True))

    def _varied(self, count: int) -> tuple[Tensor, Tensor]:
        """Images drawn by their weights and varied, and their targets."""
        parts = torch.rand(count, dtype=torch.float64, generator=self._generator, device=self._maker)
        sums = self._weight_sums
        chosen = torch.searchsorted(sums, parts * sums[-1], right=True).clamp_max(len(sums) - 1)
        rows = self._rows[chosen.to(self._rows.device)]
        images = self._images.index_select(0, rows).to(self._maker).float().div_(255)
        labels = targets = self._targets[chosen]
        units = None if self._units is None else self._units[labels]
        background = self._material.background
        if self._recoloured and units is not None:
            images, units = self._recoloured(images, labels, units, self._generator)
        if self._negatives:
            images, targets = make_negatives(images, labels.clone(), self._negatives, background, self._generator)
        images = add_brood(images, _BROOD, background, self._generator)
        images = augment(images, self._margins[chosen], self._material.augmentation, background, self._generator)
        if self._units is not None and units is not None:  # those of negatives are of another label
            targets = torch.where((targets == labels)[:, None], units, self._units[targets])
        return images.mul_(255), targets


def _on_device(images: Tensor, device: str) -> Tensor:
    """The examples on a device, if they fit; else as they are."""
    if device == "cpu":
        return images
    try:
        free, _ = torch.cuda.mem_get_info(device)
        return images.to(device) if images.nbytes <= _EXAMPLES_SHARE * free else images
    except torch.OutOfMemoryError:
        return images
