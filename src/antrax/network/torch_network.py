"""Graphs as PyTorch modules: the door to deep learning, imported only to train or to classify on a GPU."""

from __future__ import annotations

import itertools
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from antrax.network.graph import Graph, Layer, Weights


class Network(nn.Module):
    """A graph as a module: float images 0–255 of shape (N, 3, S, S) in, logits of shape (N, labels) out."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        shapes = graph.shapes()
        self.steps = nn.ModuleDict()
        # paddings that a convolution does itself, which saves a copy of the map
        self._folded: set[str] = set()
        for before, layer in itertools.pairwise(graph.layers):
            if layer.kind == "Conv2D":
                (top, bottom), (left, right) = before.options.get("padding", ((0, 0), (0, 0)))
                users = [other for other in graph.layers if before.name in other.inputs]
                if before.kind == "ZeroPadding2D" and users == [layer] and (top, left) == (bottom, right):
                    self._folded.add(before.name)
                self.steps[layer.name] = nn.Conv2d(
                    shapes[layer.inputs[0]][-1],
                    layer.options["filters"],
                    layer.options["kernel_size"],
                    layer.options["strides"],
                    (top, left) if before.name in self._folded else 0,
                    bias=layer.options["use_bias"],
                )
            elif layer.kind == "BatchNormalization":
                self.steps[layer.name] = nn.BatchNorm2d(shapes[layer.name][-1], eps=layer.options["epsilon"])
            elif layer.kind == "Dense":
                features = shapes[layer.inputs[0]][-1]
                self.steps[layer.name] = nn.Linear(features, layer.options["units"], bias=layer.options["use_bias"])

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch."""
        values = {self.graph.layers[0].name: images}
        for layer in self.graph.layers[1:]:
            values[layer.name] = self._run(layer, [values[name] for name in layer.inputs])
        return values[self.graph.layers[-1].name]

    def _run(self, layer: Layer, inputs: list[Tensor]) -> Tensor:
        options = layer.options
        x = inputs[0]
        if layer.name in self.steps:
            return cast(Tensor, self.steps[layer.name](x))
        match layer.kind:
            case "Rescaling":
                scaled: Tensor = x * options["scale"] + options["offset"]
                return scaled
            case "ZeroPadding2D" if layer.name in self._folded:
                return x
            case "ZeroPadding2D":
                (top, bottom), (left, right) = options["padding"]
                return functional.pad(x, (left, right, top, bottom))
            case "ReLU":
                return functional.relu(x)
            case "MaxPooling2D":
                return functional.max_pool2d(x, options["pool_size"], options["strides"])
            case "AveragePooling2D":
                window, strides = options["pool_size"], options["strides"]
                cells = (x.shape[2] // window[0], x.shape[3] // window[1])
                if window == strides and (cells[0] * window[0], cells[1] * window[1]) == tuple(x.shape[2:]):
                    return functional.adaptive_avg_pool2d(x, cells)  # the same, and faster
                return functional.avg_pool2d(x, window, strides)
            case "GlobalAveragePooling2D":
                return x.mean((2, 3))
            case "GlobalMaxPooling2D":
                return x.amax((2, 3))
            case "Flatten":  # in Keras's order: row, column, channel
                return x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x
            case "Concatenate":
                return torch.cat(inputs, 1)
        raise AssertionError(f"a layer of kind {layer.kind} has no computation")


_TORCH_NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def get_weights(network: Network) -> Weights:
    """The weights of a network in Keras's layouts."""
    state = network.state_dict()
    weights: Weights = {}
    for name in network.graph.weight_shapes():
        layer, variable = name.split("/")
        value = state[f"steps.{layer}.{_TORCH_NAMES[variable]}"].detach().float().cpu().numpy()
        if variable == "kernel":
            value = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
        weights[name] = np.array(value, np.float32, order="C")
    return weights


def set_weights(network: Network, weights: Weights) -> None:
    """Put weights in Keras's layouts into a network."""
    state = network.state_dict()
    for name in network.graph.weight_shapes():
        layer, variable = name.split("/")
        value = weights[name]
        if variable == "kernel":
            value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
        target = state[f"steps.{layer}.{_TORCH_NAMES[variable]}"]
        target.copy_(torch.from_numpy(np.ascontiguousarray(value)))


class TorchPredictor:
    """Log-probabilities from PyTorch, on any device."""

    def __init__(self, graph: Graph, weights: Weights, device: str) -> None:
        network = Network(graph)
        set_weights(network, weights)
        self._network = network.eval().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Log-probabilities (N, labels) of one batch (N, S, S, 3)."""
        # a GPU's shorter multiplication would move confidences by more than rounding
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            batch = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2).float()
            logs = functional.log_softmax(self._network(batch), 1)
        return logs.cpu().numpy()
