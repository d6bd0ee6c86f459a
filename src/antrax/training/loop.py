"""The training loop: batches in, weights out. `plan` and `phases` decide what is trained on what."""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from antrax.errors import DeviceError
from antrax.io.atomic import replacing
from antrax.networks.backends.torch_network import (
    LITTLE_MEMORY,
    NO_MEMORY,
    Network,
    free_memory,
    get_weights,
    set_weights,
)
from antrax.networks.devices import device_kind, processors
from antrax.networks.graph import Graph, Weights
from antrax.networks.initial import rate_factors
from antrax.training.batches import Batches, Material, UnitsOfLabels

BATCH = 128
# An epoch is a pass over the examples, but at least so many steps: 5 epochs on 300 examples are then as long as on
# 25,000, which is what a network needs to converge at all.
LEAST_STEPS = 200

_WEIGHT_DECAY = 0.05
_SMOOTHING = 0.05
_AVERAGING = 0.995
_WARM_UP = 0.2
_SAVE_EVERY_S = 15.0
# To be changed with what a state holds: one that another version of this module left is passed over.
_STATE_FORMAT = 2
# To ask for the loss makes the processor wait for the graphics card, which could have been given the next step.
_TOLD_EVERY = 10
# On processors, see `_most_floats`.
_MAPS_AT_ONCE = 2**28


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
        return state if isinstance(state, dict) and state.get("key") == self._key else None

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a state in place of the one before."""
        with replacing(self.path) as temporary:
            torch.save({"key": self._key, **state}, temporary)

    @property
    def _key(self) -> str:
        return f"{self.key} {_STATE_FORMAT}"


@dataclass(frozen=True)
class Callbacks:
    """Callbacks during training.

    Parameters
    ----------
    on_step : callable
        Called with the number of steps done and the loss (moving average), after each step; with CUDA, every few steps.
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
    with (
        _threads_for_training(),
        contextlib.closing(_NetworkInTraining(graph, start, material, schedule, device)) as training,
    ):
        return _train(training, schedule, device, checkpoint, callbacks)


@contextlib.contextmanager
def _threads_for_training() -> Iterator[None]:
    """Give torch all processors that this process may use but the one that makes batches.

    Of one or two none is kept free: to make a batch takes a tenth of the time that the network needs for it.
    """
    before, there = torch.get_num_threads(), processors()
    torch.set_num_threads(there if there <= 2 else there - 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(
    training: _NetworkInTraining, schedule: Schedule, device: str, checkpoint: Checkpoint, callbacks: Callbacks
) -> tuple[Weights, list[dict[str, float]]]:
    if state := checkpoint.load():
        training.restore(state)
        callbacks.on_resume(training.steps)
    saved = time.monotonic()
    told_every = _TOLD_EVERY if device_kind(device) == "cuda" else 1
    while training.steps < schedule.steps:
        training.step(callbacks.on_notice)
        ended = training.steps == schedule.steps
        if ended or training.steps % told_every == 0:
            callbacks.on_step(training.steps, training.loss)
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
        self._seed = schedule.seed
        torch.manual_seed(schedule.seed)
        network = Network(graph)
        if start is not None:
            set_weights(network, start)
        network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = AveragedModel(network, multi_avg_fn=self._move_averages, use_buffers=True).eval()
        average.n_averaged.fill_(1)  # the average starts from the first weights, not from those of the first step
        network.train(not schedule.only)
        if schedule.only:
            for name, tensor in network.variables():
                if name.rpartition("/")[0] not in schedule.only:
                    tensor.requires_grad_(False)
        self._network, self._average, self._device = network, average, device
        self._optimizer, self._cycle = _optimizer(network, start, schedule)
        self._batches = Batches(material, BATCH, schedule.negatives, schedule.seed, device)
        self._loss_of = _Loss(material, schedule.negatives, device)
        # batch normalisation needs two images at least
        self._pieces = min(-(-BATCH * graph.floats() // _most_floats(device)), BATCH // 2)
        if device_kind(device) == "cuda" and self._pieces == 1 and not schedule.only:
            _record(network, device)
        self.steps, self._loss = 0, torch.tensor(math.nan, device=device)
        self.history: list[dict[str, float]] = []

    def close(self) -> None:
        """End the thread that makes batches."""
        self._batches.close()

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
        chance = {"batches": self._batches.state(), "layers": _random_state(self._device)}
        return states | {"chance": chance, "device": device_kind(self._device)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.steps, self.history = state["step"], state["history"]
        self._loss = torch.tensor(state["loss"], device=self._device)
        if state["device"] == device_kind(self._device):
            self._batches.restore(state["chance"]["batches"])
            _set_random_state(self._device, state["chance"]["layers"])
        else:  # a processor goes on where a graphics card failed, whose random numbers it cannot continue
            self._batches.restore({"seed": self._seed + self.steps})
            torch.manual_seed(self._seed + self.steps)

    @property
    def loss(self) -> float:
        """Moving average of the loss; NaN before the first step."""
        return float(self._loss)

    def averaged_weights(self) -> Weights:
        """The moving average of the weights."""
        return get_weights(cast(Network, self._average.module))

    def step(self, on_notice: Callable[[str], None]) -> None:
        """Train on one batch; if the device has too little memory, on smaller pieces from now on."""
        images, targets = self._batches.draw(on_notice)
        while (value := self._gradients(images, targets)) is None:
            if self._pieces >= BATCH // 2:
                raise DeviceError(NO_MEMORY.format(device=self._device))
            self._pieces = min(2 * self._pieces, BATCH // 2)
            _forget_record(self._network)
            free_memory(self._device)
            on_notice(LITTLE_MEMORY.format(device=self._device))
        self._optimizer.step()
        self._cycle.step()
        self._average.update_parameters(self._network)
        self._loss = value if self.steps == 0 else self._loss + 0.02 * (value - self._loss)
        self.steps += 1

    def _gradients(self, images: Tensor, targets: Tensor) -> Tensor | None:
        """Put the gradients of a batch, computed in pieces, into the network; gives the loss.

        None where the device has too little memory for the pieces.
        """
        self._optimizer.zero_grad()
        value = torch.zeros((), device=self._device)
        pieces = zip(images.tensor_split(self._pieces), targets.tensor_split(self._pieces), strict=True)
        try:
            with _deterministic():
                for some, theirs in pieces:
                    if not len(some):
                        continue
                    loss = self._loss_of(self._network(some), theirs) * (len(some) / len(images))
                    loss.backward()  # type: ignore[no-untyped-call]
                    value += loss.detach()
        except torch.OutOfMemoryError:
            return None
        return value

    def _move_averages(self, averages: Sequence[Tensor], values: Sequence[Tensor], averaged: Tensor | int) -> None:
        """Move averages of weights and of batch statistics towards the network's; faster at the start."""
        # `averaged` is this number too, on the graphics card, which would have to be waited for
        count = self.steps + 1
        keep = min(_AVERAGING, count / (9 + count))
        if averages[0].dtype.is_floating_point:  # they come by their types
            torch._foreach_lerp_(list(averages), list(values), 1 - keep)
        else:
            torch._foreach_copy_(list(averages), list(values))


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


class _Loss:
    """Cross-entropy, smoothed over the labels that have examples: the others are to stay improbable.

    Of targets as `Batches.draw` gives them: labels, or the units that they add up.
    """

    def __init__(self, material: Material, negatives: float, device: str) -> None:
        weights = [material.weights.get(category, 1.0) for category in material.categories]
        self._weights = None if set(weights) == {1.0} else torch.tensor(weights, device=device)
        changed = material.negatives(negatives)
        known = set(material.targets.tolist()) | ({changed.unknown} if changed else set())
        self._known = torch.tensor(sorted(known), device=device)
        self._of_units = _UnitLoss(material.units, sorted(known), weights, device) if material.units else None

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self._of_units:
            right, known = self._of_units(outputs, targets)
        else:
            logs = functional.log_softmax(outputs, 1)
            right, known = logs.gather(1, targets[:, None])[:, 0], logs[:, self._known].mean(1)
        if self._weights is None:
            return -(1 - _SMOOTHING) * right.mean() - _SMOOTHING * known.mean()
        weights = self._of_units.weights(targets) if self._of_units else self._weights[targets]
        return -(weights * ((1 - _SMOOTHING) * right + _SMOOTHING * known)).sum() / weights.sum()


class _UnitLoss:
    """Log-probabilities of labels where the outputs are scores of colours.

    They are those among all codes that could be made of the colours, not among the IDs that there are: so no code is
    made improbable because it has no examples.
    """

    def __init__(self, units: UnitsOfLabels, known: Sequence[int], weights: Sequence[float], device: str) -> None:
        self._places, self._own = units.places, units.own
        seen = units.matrix[:, known]
        of_codes = seen[: units.own.start].sum(0) > 0
        # each colour that has examples counts alike at its place, each label without a code as one, all IDs as so many
        smooth = np.zeros(len(seen), np.float32)
        for place in units.places:
            colors = seen[place].any(1)
            smooth[place] = of_codes.sum() * colors / max(1, colors.sum())
        smooth[units.own] = seen[units.own].any(1)
        self._smooth = torch.from_numpy(smooth / len(known)).to(device)
        # no label but its own adds up such a unit
        own_weights = units.matrix[units.own] @ np.array(weights, np.float32)
        self._weights = torch.from_numpy(own_weights).to(device)

    def __call__(self, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Of the label that adds up `targets` (N, units), and the mean over those with examples; both of shape (N,)."""
        codes = torch.stack([scores[:, place].logsumexp(1) for place in self._places], 1).sum(1, keepdim=True)
        all_labels = torch.cat([codes, scores[:, self._own]], 1).logsumexp(1)
        return (scores * targets).sum(1) - all_labels, scores @ self._smooth - all_labels

    def weights(self, targets: Tensor) -> Tensor:
        """How much an error counts on each image: 1 on codes, which are IDs; shape (N,)."""
        own = targets[:, self._own]
        return torch.where(own.any(1), own @ self._weights, 1.0)


def _most_floats(device: str) -> int:
    """Floats of all maps of a batch together; one that would take more goes through the network in pieces."""
    if device_kind(device) != "cuda":
        return _MAPS_AT_ONCE
    # Of the whole memory, not of what is free: a seed is to give the same classifier again. The gradients of the maps
    # take as much as they, and what convolutions need while they compute is not known.
    _, total = torch.cuda.mem_get_info(device)
    return max(_MAPS_AT_ONCE, int(total) // (4 * 4))


def _record(network: Network, device: str) -> None:
    """Let CUDA record what the network does with a batch, and from now on replay that.

    A graphics card computes a small network in less time than the processor takes to start its kernels one by one.
    """
    state = {name: value.clone() for name, value in network.state_dict().items()}
    chance = _random_state(device)
    images = torch.zeros((BATCH, 3, network.graph.size, network.graph.size), device=device)
    # the nodes that add up gradients are made in another stream than they are used in, which costs nothing here
    if quieten := getattr(torch.autograd.graph, "set_warn_on_accumulate_grad_stream_mismatch", None):
        quieten(False)
    try:
        with _deterministic(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries that torch starts at their first use
            torch.cuda.make_graphed_callables(network, (images.contiguous(memory_format=torch.channels_last),))
    except (RuntimeError, AssertionError):  # too little memory, or a layer that cannot be recorded
        _forget_record(network)
        free_memory(device)
    network.load_state_dict(state)  # trial runs moved the statistics of batches
    _set_random_state(device, chance)


def _forget_record(network: Network) -> None:
    """Compute the network step by step again, for batches of any length."""
    network.__dict__.pop("forward", None)


def _deterministic() -> contextlib.AbstractContextManager[None]:
    """The same results each time; CUDA's fastest algorithms do not give these."""
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=True)
