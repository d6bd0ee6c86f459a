"""Graphs as PyTorch modules; imported only to train or to classify on a GPU."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from antrax.errors import DeviceError
from antrax.images import GREY
from antrax.messages import parameter
from antrax.networks.backends.torch_layers import Step, make_step
from antrax.networks.graph import Graph, Weights
from antrax.networks.layers import Shape
from antrax.networks.options import Padding

_NO_PADDING: Padding = ((0, 0), (0, 0))
_FOLDING = (["Conv2D"], ["DepthwiseConv2D"])


class Network(nn.Module):
    """A graph as a module: float images 0–255 of shape (N, 3, S, S) in, logits of shape (N, labels) out."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        shapes, users = graph.shapes(), graph.users()
        layers = {layer.name: layer for layer in graph.layers}
        # paddings that a convolution does itself, which saves a copy of the map; by name, what they pad
        folded: dict[str, str] = {}
        # numbered, for the names of layers are not all good names of attributes
        self.steps = nn.ModuleDict()
        self._numbers: dict[str, str] = {}
        self._program: list[tuple[Step, tuple[str, ...], str, tuple[str, ...]]] = []
        for number, layer in enumerate(graph.layers[1:], 1):
            if layer.kind == "ZeroPadding2D" and [user.kind for user in users[layer.name]] in _FOLDING:
                folded[layer.name] = layer.inputs[0]
                continue
            padding = layers[layer.inputs[0]].options["padding"] if layer.inputs[0] in folded else _NO_PADDING
            inputs = tuple(folded.get(name, name) for name in layer.inputs)
            step = make_step(layer, [shapes[name] for name in inputs], shapes[layer.name], padding)
            if isinstance(step, nn.Module):
                self._numbers[layer.name] = str(number)
                self.steps[str(number)] = step
            self._program.append((step, inputs, layer.name, ()))
        self._forget()

    def _forget(self) -> None:
        """After which step each result is no longer needed, so that its memory can be freed."""
        needed = {self.graph.layers[-1].name}
        program = []
        for step, inputs, name, _ in reversed(self._program):
            done = tuple(source for source in dict.fromkeys(inputs) if source not in needed)
            needed.update(inputs)
            program.append((step, inputs, name, done))
        self._program = program[::-1]

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch."""
        if self.graph.channels == 1:
            images = to_grey(images)
        values = {self.graph.layers[0].name: images}
        for step, inputs, name, done in self._program:
            values[name] = step(*(values[source] for source in inputs))
            for source in done:
                del values[source]
        return values[self.graph.layers[-1].name]

    def variables(self) -> Iterator[tuple[str, Tensor]]:
        """Every weight of the graph by name, as PyTorch keeps it."""
        for layer, names in self.graph.layer_weights().items():
            step = self.steps[self._numbers[layer]]
            module = getattr(step, "convolution", getattr(step, "dense", step))
            for name in names:
                yield f"{layer}/{name}", getattr(module, _TORCH_NAMES[name])


def to_grey(images: Tensor) -> Tensor:
    """The grey value of images (N, 3, S, S), as Pillow gives it for whole numbers; shape (N, 1, S, S)."""
    red, green, blue = (images[:, channel : channel + 1] * factor for channel, factor in enumerate(GREY))
    return torch.floor((red + green + blue + 2.0**15) * 2.0**-16)


_TORCH_NAMES = {
    "kernel": "weight",
    "alpha": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def get_weights(network: Network) -> Weights:
    """The weights of a network in Keras's layouts."""
    shapes = network.graph.weight_shapes()
    return {
        name: np.array(_to_keras(name, tensor.detach().float().cpu().numpy(), shapes[name]), np.float32, order="C")
        for name, tensor in network.variables()
    }


def set_weights(network: Network, weights: Weights) -> None:
    """Put weights in Keras's layouts into a network."""
    with torch.no_grad():
        for name, tensor in network.variables():
            value = weights[name]
            variable = name.rpartition("/")[2]
            if variable == "kernel" and value.ndim == 4:
                # depthwise ones have (in, times) where others have (in of a group, out)
                value = value.reshape(*value.shape[:2], tensor.shape[1], -1).transpose(3, 2, 0, 1)
            elif variable == "kernel":
                value = value.T
            elif variable == "alpha":
                value = np.moveaxis(value, -1, 0)
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(value)))


def _to_keras(name: str, value: NDArray[np.float32], shape: Shape) -> NDArray[np.float32]:
    variable = name.rpartition("/")[2]
    if variable == "kernel":
        return value.transpose(2, 3, 1, 0).reshape(shape) if value.ndim == 4 else value.T
    return np.moveaxis(value, 0, -1) if variable == "alpha" else value


LITTLE_MEMORY = "{device} has too little free memory for whole batches, so they are made smaller, which takes longer"
NO_MEMORY = (
    "{device} has not enough memory for this network; end other programs that use it, or take "
    f"{parameter('device', 'cpu')}"
)


def free_memory(device: str) -> None:
    """Release the memory that PyTorch caches on a device."""
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device.startswith("mps"):
        torch.mps.empty_cache()


class TorchPredictor:
    """Predictor that computes log-probabilities by PyTorch, on any device.

    Attributes
    ----------
    notice : str or None
        What is to be told of the device; None where nothing is.
    """

    def __init__(self, graph: Graph, weights: Weights, device: str) -> None:
        self.notice: str | None = None
        network = Network(graph)
        set_weights(network, weights)
        self._network = network.eval().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device
        self._most = sys.maxsize  # images at a time

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Log-probabilities (N, labels) of one batch (N, S, S, 3).

        Raises
        ------
        DeviceError
            The graphics card has not enough memory for a single image.
        """
        parts = []
        start = 0
        while start < len(images):
            count = min(len(images) - start, self._most)
            try:
                parts.append(self._run(images[start : start + count]))
            except torch.OutOfMemoryError:
                if count == 1:
                    raise DeviceError(NO_MEMORY.format(device=self._device)) from None
                # another program may be using the card: smaller batches from now on
                self._most = count // 2
                self.notice = LITTLE_MEMORY.format(device=self._device)
                free_memory(self._device)
                continue
            start += count
        return np.concatenate(parts) if len(parts) != 1 else parts[0]

    def _run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        # a GPU's shorter multiplication would move confidences by more than rounding
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            batch = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2).float()
            logs = functional.log_softmax(self._network(batch), 1)
        return logs.cpu().numpy()
