"""The training loop: batches in, weights out. What to train on is decided in `training`."""

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
from antrax.training.augmentation import Augmentation, add_brood, augment, make_negatives, margins_of

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
    """What one network is trained on.

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
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.int64]
    tracklets: NDArray[np.int64]
    categories: tuple[Category, ...]
    background: Background
    weights: Mapping[Category, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """How long and how to train.

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
    augmentation: Augmentation,
    device: str,
    *,
    checkpoint: Path,
    key: str,
    on_step: Callable[[int, float], None],
    on_epoch: Callable[[int, float, Weights], dict[str, float]],
    on_resume: Callable[[int], None] = lambda step: None,
    on_notice: Callable[[str], None] = lambda text: None,
) -> tuple[Weights, list[dict[str, float]]]:
    """Train a network; return the moving average of its weights, and what `on_epoch` returned.

    Goes on from `checkpoint` where the same call (`key`) left it before it was interrupted.

    Parameters
    ----------
    graph : Graph
    start : Weights or None
        Where to start; None for random weights.
    material, schedule, augmentation
    device : str
        As torch names it.
    checkpoint : Path
        Written every few seconds and at the end. The caller deletes it.
    key : str
        Identifies the call.
    on_step : callable
        Called with the number of steps done and the loss (moving average).
    on_epoch : callable
        Called with the number of epochs done, the loss and the averaged weights.
    on_resume : callable, optional
        Called before the first step with the number of those done, where training goes on from a checkpoint.
    on_notice : callable, optional
        Told, once, where the device has too little memory for whole batches.

    Raises
    ------
    DeviceError
        The device has too little memory for two images.
    """
    torch.manual_seed(schedule.seed)
    network = Network(graph)
    if start is not None:
        set_weights(network, start)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(network, multi_avg_fn=_move_averages, use_buffers=True).eval()
    averaged = cast(Network, average.module)
    average.n_averaged.fill_(1)  # the average starts from the first weights, not from those of the first step
    network.train(not schedule.only)
    if schedule.only:
        for name, tensor in network.variables():
            if name.rpartition("/")[0] not in schedule.only:
                tensor.requires_grad_(False)
    optimizer, cycle = _optimizer(network, start, schedule)
    generator = torch.Generator().manual_seed(schedule.seed)
    parts: dict[str, Any] = {"network": network, "average": average, "optimizer": optimizer, "cycle": cycle}
    first, loss_average, history = 0, math.nan, []
    if state := load_checkpoint(checkpoint, key):
        for name, part in parts.items():
            part.load_state_dict(state[name])
        generator.set_state(state["generator"])
        _set_chance(device, state["chance"])
        first, loss_average, history = state["step"], state["loss"], state["history"]
        on_resume(first)

    def save(step: int) -> None:
        states = {name: part.state_dict() for name, part in parts.items()}
        states |= {"step": step, "loss": loss_average, "history": history, "generator": generator.get_state()}
        states["chance"] = _chance(device)
        with replacing(checkpoint) as temporary:
            torch.save({"key": key, **states}, temporary)

    batches = _Batches(material, schedule, augmentation, device, generator)
    saved = time.monotonic()
    # batch normalisation needs two images at least
    pieces = min(-(-BATCH * graph.floats() // _MAPS_AT_ONCE), BATCH // 2)
    for step in range(first, schedule.steps):
        images, targets = batches.draw()
        while (value := _gradients(network, optimizer, batches, images, targets, pieces)) is None:
            if pieces >= BATCH // 2:
                raise DeviceError(NO_MEMORY.format(device=device))
            pieces = min(2 * pieces, BATCH // 2)
            free_memory(device)
            on_notice(LITTLE_MEMORY.format(device=device))
        optimizer.step()
        cycle.step()
        average.update_parameters(network)
        loss_average = value if math.isnan(loss_average) else loss_average + 0.02 * (value - loss_average)
        done = step + 1
        on_step(done, loss_average)
        if done % schedule.steps_an_epoch == 0 or done == schedule.steps:
            epoch = math.ceil(done / schedule.steps_an_epoch)
            history.append(on_epoch(epoch, loss_average, get_weights(averaged)))
        if done == schedule.steps or time.monotonic() - saved > _SAVE_EVERY_S:
            save(done)
            saved = time.monotonic()
    return get_weights(averaged), history


def _gradients(
    network: Network,
    optimizer: torch.optim.Optimizer,
    batches: _Batches,
    images: Tensor,
    targets: Tensor,
    pieces: int,
) -> float | None:
    """Put the gradients of a batch, computed in so many pieces, into the network; gives the loss.

    None where the device has too little memory for the pieces.
    """
    optimizer.zero_grad()
    value = 0.0
    try:
        for some, theirs in zip(images.tensor_split(pieces), targets.tensor_split(pieces), strict=True):
            if not len(some):
                continue
            loss = batches.loss(network(some), theirs) * (len(some) / len(images))
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


def _chance(device: str) -> Tensor:
    """The state of chance that layers such as dropout draw from."""
    return torch.cuda.get_rng_state() if device.startswith("cuda") else torch.get_rng_state()


def _set_chance(device: str, state: Tensor) -> None:
    if device.startswith("cuda"):
        torch.cuda.set_rng_state(state)
    else:
        torch.set_rng_state(state)


def load_checkpoint(path: Path, key: str) -> dict[str, Any] | None:
    """What a call with this key left behind, or None. Never executes anything that the file holds."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # missing, cut short, or not ours: torch raises many kinds for these, and the answer is the same
        return None
    return state if isinstance(state, dict) and state.get("key") == key else None


class _Batches:
    """Draws batches, and weighs the answers to them."""

    def __init__(
        self,
        material: Material,
        schedule: Schedule,
        augmentation: Augmentation,
        device: str,
        generator: torch.Generator,
    ) -> None:
        self._material, self._augmentation = material, augmentation
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
        self._ants = torch.tensor([category is Category.ANT for category in categories])
        present = set(material.targets.tolist())
        unknown = [i for i, category in enumerate(categories) if category is Category.UNKNOWN]
        several = [i for i, category in enumerate(categories) if category is Category.MULTI and i in present]
        # Pairs are `Multi` only where people use that label; many put them under `Unknown`.
        self._unknown = unknown[0] if unknown else -1
        self._several = several[0] if several else self._unknown
        self._negatives = schedule.negatives if unknown else 0.0
        known = sorted(present | ({self._unknown} if self._negatives else set()))
        self._known = torch.tensor(known, device=device)

    def draw(self) -> tuple[Tensor, Tensor]:
        """A batch: float images 0–255 of shape (BATCH, 3, S, S), and its targets."""
        chosen = torch.multinomial(self._weights, BATCH, replacement=True, generator=self._generator)
        images = self._images[chosen].float() / 255
        targets = self._targets[chosen]
        background = self._material.background
        if self._negatives:
            images, targets = make_negatives(
                images, targets, self._ants, self._unknown, self._several, self._negatives, background, self._generator
            )
        images = add_brood(images, _BROOD, background, self._generator)
        images = augment(images, self._margins[chosen], self._augmentation, background, self._generator)
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
