"""The training loop: batches in, weights out. `plan` and `phases` decide what is trained on what."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from antrax.errors import DeviceError
from antrax.images import Background
from antrax.io.atomic import replacing
from antrax.labels import Category
from antrax.networks.backends.torch_network import (
    LITTLE_MEMORY,
    NO_MEMORY,
    Network,
    free_memory,
    get_weights,
    set_weights,
)
from antrax.networks.graph import Graph, Weights
from antrax.networks.initial import rate_factors
from antrax.training.augmentation import Augmentation, Negatives, add_brood, augment, make_negatives, margins_of

BATCH = 128
# An epoch is a pass over the examples, but at least so many steps: 5 epochs on 300 examples are then as long as on
# 25,000, which is what a network needs to converge at all.
LEAST_STEPS = 200

_WEIGHT_DECAY = 0.05
_SMOOTHING = 0.05
_AVERAGING = 0.995
_WARM_UP = 0.2
# A class is drawn by the root of its weight, a tracklet by the root of its length (see `sampling_weights`).
_CLASS_POWER, _TRACKLET_POWER = 0.5, 0.5
_BROOD = 0.15
_SAVE_EVERY_S = 15.0
# Floats of all maps of a batch together; one that would take more goes through the network in pieces.
_MAPS_AT_ONCE = 2**28


@dataclass(frozen=True)
class Material:
    """Training data of one network.

    Parameters
    ----------
    images : NDArray[np.uint8]
        Shape (N, S, S, 3).
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
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.int64]
    tracklets: NDArray[np.int64]
    categories: tuple[Category, ...]
    background: Background
    weights: Mapping[Category, float] = field(default_factory=dict)
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True)
class Schedule:
    """Length, learning rates and other settings of a training.

    Parameters
    ----------
    steps : int
    steps_an_epoch : int
        `on_epoch` is called after so many.
    peak_rate : float
        Largest learning rate of the one-cycle schedule.
    negatives : float
        Share of the ants in a batch that are made negatives.
    seed : int
    only : tuple of str
        Layers that are trained, the others staying as they are, batch statistics included; all layers if empty.
    """

    steps: int
    steps_an_epoch: int
    peak_rate: float
    negatives: float
    seed: int
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """File with the state of a training, from which it is resumed after an interruption.

    Parameters
    ----------
    path : Path
        Written every few seconds and at the end; who trains deletes it.
    key : str
        Identifies what is trained: a state with another key is passed over.
    """

    path: Path
    key: str

    def load(self) -> dict[str, Any] | None:
        """The state that a training with this key left, or None. Never executes anything that the file holds."""
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception:  # missing, cut short, or not ours: torch raises many kinds for these, with one answer
            return None
        return state if isinstance(state, dict) and state.get("key") == self.key else None

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a state in place of the one before."""
        with replacing(self.path) as temporary:
            torch.save({"key": self.key, **state}, temporary)


@dataclass(frozen=True)
class Callbacks:
    """Callbacks during training.

    Parameters
    ----------
    on_step : callable
        Called with the number of steps done and the loss (moving average).
    on_epoch : callable
        Called with the number of epochs done, the loss and the averaged weights; returns what is to be kept of them.
    on_resume : callable, optional
        Called before the first step with the number of those done, where training goes on from a checkpoint.
    on_notice : callable, optional
        Told, once, where the device has too little memory for whole batches.
    """

    on_step: Callable[[int, float], None]
    on_epoch: Callable[[int, float, Weights], dict[str, float]]
    on_resume: Callable[[int], None] = lambda step: None
    on_notice: Callable[[str], None] = lambda text: None


def steps_per_epoch(examples: int) -> int:
    """Steps of `BATCH` images in an epoch."""
    return max(LEAST_STEPS, math.ceil(examples / BATCH))


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


def optimize(
    graph: Graph,
    start: Weights | None,
    material: Material,
    schedule: Schedule,
    *,
    device: str,
    checkpoint: Checkpoint,
    callbacks: Callbacks,
) -> tuple[Weights, list[dict[str, float]]]:
    """Train a network; return the moving average of its weights, and what `on_epoch` returned.

    Goes on from the checkpoint where the same call (its key) left it before it was interrupted.

    Parameters
    ----------
    graph : Graph
    start : Weights or None
        Where to start; None for random weights.
    material : Material
        What to train on.
    schedule : Schedule
        How long and how fast.
    device : str
        As torch names it.
    checkpoint : Checkpoint
        Where the state is kept.
    callbacks : Callbacks
        Told of progress.

    Raises
    ------
    DeviceError
        The device has too little memory for two images.
    """
    training = _NetworkInTraining(graph, start, material, schedule, device)
    if state := checkpoint.load():
        training.restore(state)
        callbacks.on_resume(training.steps)
    saved = time.monotonic()
    while training.steps < schedule.steps:
        training.step(callbacks.on_notice)
        callbacks.on_step(training.steps, training.loss)
        ended = training.steps == schedule.steps
        if ended or training.steps % schedule.steps_an_epoch == 0:
            epoch = math.ceil(training.steps / schedule.steps_an_epoch)
            training.history.append(callbacks.on_epoch(epoch, training.loss, training.averaged_weights()))
        if ended or time.monotonic() - saved > _SAVE_EVERY_S:
            checkpoint.save(training.state())
            saved = time.monotonic()
    return training.averaged_weights(), training.history


class _NetworkInTraining:
    """A network and all other state of its training, which a checkpoint stores."""

    def __init__(
        self, graph: Graph, start: Weights | None, material: Material, schedule: Schedule, device: str
    ) -> None:
        torch.manual_seed(schedule.seed)
        network = Network(graph)
        if start is not None:
            set_weights(network, start)
        network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = AveragedModel(network, multi_avg_fn=_move_averages, use_buffers=True).eval()
        average.n_averaged.fill_(1)  # the average starts from the first weights, not from those of the first step
        network.train(not schedule.only)
        if schedule.only:
            for name, tensor in network.variables():
                if name.rpartition("/")[0] not in schedule.only:
                    tensor.requires_grad_(False)
        self._network, self._average, self._device = network, average, device
        self._optimizer, self._cycle = _optimizer(network, start, schedule)
        self._generator = torch.Generator().manual_seed(schedule.seed)
        self._batches = _Batches(material, schedule, device, self._generator)
        # batch normalisation needs two images at least
        self._pieces = min(-(-BATCH * graph.floats() // _MAPS_AT_ONCE), BATCH // 2)
        self.steps, self.loss = 0, math.nan
        self.history: list[dict[str, float]] = []

    def _parts(self) -> dict[str, Any]:
        """What has a state that PyTorch gives and takes."""
        return {
            "network": self._network,
            "average": self._average,
            "optimizer": self._optimizer,
            "cycle": self._cycle,
        }

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on exactly here."""
        states = {name: part.state_dict() for name, part in self._parts().items()}
        states |= {"step": self.steps, "loss": self.loss, "history": self.history}
        return states | {"generator": self._generator.get_state(), "chance": _random_state(self._device)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self._generator.set_state(state["generator"])
        _set_random_state(self._device, state["chance"])
        self.steps, self.loss, self.history = state["step"], state["loss"], state["history"]

    def averaged_weights(self) -> Weights:
        """The moving average of the weights."""
        return get_weights(cast(Network, self._average.module))

    def step(self, on_notice: Callable[[str], None]) -> None:
        """Train on one batch; if the device has too little memory, on smaller pieces from now on."""
        images, targets = self._batches.draw()
        while (value := self._gradients(images, targets)) is None:
            if self._pieces >= BATCH // 2:
                raise DeviceError(NO_MEMORY.format(device=self._device))
            self._pieces = min(2 * self._pieces, BATCH // 2)
            free_memory(self._device)
            on_notice(LITTLE_MEMORY.format(device=self._device))
        self._optimizer.step()
        self._cycle.step()
        self._average.update_parameters(self._network)
        self.loss = value if math.isnan(self.loss) else self.loss + 0.02 * (value - self.loss)
        self.steps += 1

    def _gradients(self, images: Tensor, targets: Tensor) -> float | None:
        """Put the gradients of a batch, computed in pieces, into the network; gives the loss.

        None where the device has too little memory for the pieces.
        """
        self._optimizer.zero_grad()
        value = 0.0
        try:
            for some, theirs in zip(images.tensor_split(self._pieces), targets.tensor_split(self._pieces), strict=True):
                if not len(some):
                    continue
                loss = self._batches.loss(self._network(some), theirs) * (len(some) / len(images))
                loss.backward()  # type: ignore[no-untyped-call]
                value += float(loss.detach())
        except torch.OutOfMemoryError:
            return None
        return value


def _optimizer(
    network: Network, start: Weights | None, schedule: Schedule
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    factors = rate_factors(network.graph, start) if start is not None else {}
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, tensor in network.variables():
        if tensor.requires_grad:
            factor = factors.get(name, 1.0)
            # AdamW multiplies both, and by what share a weight decays does not depend on how large it is
            decay = _WEIGHT_DECAY / factor if tensor.ndim > 1 else 0.0
            groups.setdefault((factor, decay), []).append(tensor)
    optimizer = torch.optim.AdamW(
        [{"params": tensors, "weight_decay": decay} for (_, decay), tensors in groups.items()]
    )
    rates = [schedule.peak_rate * factor for factor, _ in groups]
    # torch divides by the lengths of both phases, which are none where the warm-up has a single step
    warm_up = max(_WARM_UP, min(0.9, 1.5 / schedule.steps))
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rates, total_steps=schedule.steps, pct_start=warm_up
    )


def _random_state(device: str) -> Tensor:
    """State of the random generator that layers such as dropout use."""
    return torch.cuda.get_rng_state() if device.startswith("cuda") else torch.get_rng_state()


def _set_random_state(device: str, state: Tensor) -> None:
    if device.startswith("cuda"):
        torch.cuda.set_rng_state(state)
    else:
        torch.set_rng_state(state)


class _Batches:
    """Draws batches, and computes the loss."""

    def __init__(self, material: Material, schedule: Schedule, device: str, generator: torch.Generator) -> None:
        self._material = material
        self._device, self._generator = device, generator
        self._images = torch.from_numpy(np.ascontiguousarray(material.images.transpose(0, 3, 1, 2)))
        # a few at a time, for the intermediate results are as large as the images
        parts = [margins_of(part, material.background) for part in torch.split(self._images, 4096)]
        self._margins = torch.cat(parts)
        self._targets = torch.from_numpy(material.targets)
        self._weights = torch.from_numpy(sampling_weights(material.targets, material.tracklets))
        categories = material.categories
        weights = [material.weights.get(category, 1.0) for category in categories]
        self._loss_weights = None if set(weights) == {1.0} else torch.tensor(weights, device=device)
        ants = torch.tensor([category is Category.ANT for category in categories])
        present = set(material.targets.tolist())
        unknown = [i for i, category in enumerate(categories) if category is Category.UNKNOWN]
        several = [i for i, category in enumerate(categories) if category is Category.MULTI and i in present]
        # Pairs are `Multi` only where people use that label; many put them under `Unknown`.
        self._negatives = None
        if unknown and schedule.negatives:
            self._negatives = Negatives(ants, unknown[0], (several or unknown)[0], schedule.negatives)
        known = sorted(present | ({unknown[0]} if self._negatives else set()))
        self._known = torch.tensor(known, device=device)

    def draw(self) -> tuple[Tensor, Tensor]:
        """A batch: float images 0–255 of shape (BATCH, 3, S, S), and its targets."""
        chosen = torch.multinomial(self._weights, BATCH, replacement=True, generator=self._generator)
        images = self._images[chosen].float() / 255
        targets = self._targets[chosen]
        background = self._material.background
        if self._negatives:
            images, targets = make_negatives(images, targets, self._negatives, background, self._generator)
        images = add_brood(images, _BROOD, background, self._generator)
        images = augment(images, self._margins[chosen], self._material.augmentation, background, self._generator)
        return (images * 255).to(self._device), targets.to(self._device)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy, smoothed over the labels that have examples: the others are to stay improbable."""
        logs = functional.log_softmax(logits, 1)
        right, known = logs.gather(1, targets[:, None])[:, 0], logs[:, self._known].mean(1)
        if self._loss_weights is None:
            return -(1 - _SMOOTHING) * right.mean() - _SMOOTHING * known.mean()
        weights = self._loss_weights[targets]
        return -(weights * ((1 - _SMOOTHING) * right + _SMOOTHING * known)).sum() / weights.sum()


def _move_averages(averages: Sequence[Tensor], values: Sequence[Tensor], averaged: Tensor | int) -> None:
    """Move averages of weights and of batch statistics towards a network's; faster at the start."""
    count = int(averaged)
    keep = min(_AVERAGING, count / (9 + count))
    for mean, value in zip(averages, values, strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - keep)
        else:
            mean.copy_(value)
