"""Where the training of a network that we did not design begins: its first weights, and how fast each may change."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from antrax.network.graph import Graph, Weights
from antrax.network.layers import Layer, Shape

_WHITE = 255.0
# Inputs up to so large are as good as scaled.
_SCALED = 4.0
_BOUNDED = ("sigmoid", "hard_sigmoid", "softmax", "softsign", "tanh")
_NORMALISING = ("BatchNormalization", "LayerNormalization", "Softmax")


def initial_weights(graph: Graph, seed: int) -> Weights:
    """Random weights: kernels as Glorot and Bengio (2010, AISTATS) draw them, which is Keras's default.

    A kernel that meets pixels as they are, up to 255, gets values so much smaller: it would answer in hundreds
    otherwise, and no softmax learns from such.

    Parameters
    ----------
    graph : Graph
    seed : int
    """
    rng = np.random.default_rng(seed)
    scales = _input_scales(graph)
    weights: Weights = {}
    for name, shape in graph.weight_shapes().items():
        layer, _, variable = name.rpartition("/")
        if variable == "kernel":
            limit = _glorot_limit(shape, _layer(graph, layer)) / scales[layer]
            weights[name] = rng.uniform(-limit, limit, shape).astype(np.float32)
        else:
            ones = variable in ("gamma", "moving_variance")
            weights[name] = np.full(shape, 1.0 if ones else 0.0, np.float32)
    return weights


def rate_factors(graph: Graph, weights: Weights) -> Mapping[str, float]:
    """Share of the learning rate that is right for kernels whose values are small because they meet whole pixels.

    Steps of Adam have the size of the learning rate, whatever the gradient; in a kernel that answers to 255 instead of
    1, a step changes the answer 255 times as much. Kernels of networks that were trained elsewhere may be as large as
    any, and are then changed as fast as any.

    Parameters
    ----------
    graph : Graph
    weights : Weights
        Where training starts.

    Returns
    -------
    mapping of str to float
        By the name of the kernel; below 1. Others change at the full rate.
    """
    factors = {}
    for layer, scale in _input_scales(graph).items():
        if scale == 1:
            continue
        kernel = weights[f"{layer}/kernel"]
        usual = _glorot_limit(kernel.shape, _layer(graph, layer)) / math.sqrt(3)
        factor = float(np.clip(np.sqrt(np.mean(np.square(kernel))) / usual, 1 / scale, 1))
        if factor < 1:
            factors[f"{layer}/kernel"] = factor
    return factors


def _layer(graph: Graph, name: str) -> Layer:
    return next(layer for layer in graph.layers if layer.name == name)


def _glorot_limit(shape: Shape, layer: Layer) -> float:
    """Largest value of a kernel. Unlike Keras, this counts what one output of a depthwise convolution sees."""
    field = math.prod(shape[:-2])
    inputs, outputs = shape[-2:]
    if layer.kind == "DepthwiseConv2D":
        inputs = 1
    outputs = max(1, outputs // layer.options.get("groups", 1))
    return math.sqrt(6 / (field * (inputs + outputs)))


def _input_scales(graph: Graph) -> dict[str, float]:
    """For every layer with a kernel, how large its inputs are where pixels reach it unscaled; else 1."""
    sizes: dict[str, float] = {graph.layers[0].name: _WHITE}
    found = {}
    weighted = graph.layer_weights()
    for layer in graph.layers[1:]:
        inputs = [sizes[name] for name in layer.inputs]
        if "kernel" in weighted.get(layer.name, {}):
            found[layer.name] = inputs[0] if inputs[0] > _SCALED else 1.0
            inputs = [1.0]
        sizes[layer.name] = _size(layer, inputs)
    return found


def _size(layer: Layer, inputs: list[float]) -> float:
    """About how large the numbers are that a layer gives."""
    if layer.kind in _NORMALISING or layer.options.get("activation") in _BOUNDED:
        return 1.0
    if layer.kind == "Rescaling":
        scale, offset = (np.max(np.abs(layer.options[key])) for key in ("scale", "offset"))
        return float(max(inputs[0] * scale, offset))
    if layer.kind == "ReLU" and layer.options["max_value"] is not None:
        return min(inputs[0], float(layer.options["max_value"]))
    if layer.kind == "Multiply":
        return min(math.prod(inputs), _WHITE**2)
    return max(inputs)
