"""Initial weights and learning-rate factors of networks that get pixels of 0 to 255 unscaled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from antrax.images import Background
from antrax.networks.graph import Graph, Weights
from antrax.networks.layers import BOUNDED, NOISE, Layer, Shape

_WHITE = 255.0
# Inputs up to so large are as good as scaled.
_SCALED = 4.0
_UNCHANGING = ("ZeroPadding2D", "Cropping2D", "MaxPooling2D", "AveragePooling2D", "Flatten", "Reshape", *NOISE)
_NORMALISING = ("BatchNormalization", "LayerNormalization", "Softmax")


@dataclass(frozen=True)
class _PixelRange:
    """Values of pixels at the input of a layer: about the largest one, and that of the background."""

    largest: float
    background: float


_SCALED_PIXELS = _PixelRange(1.0, 0.0)


def initial_weights(graph: Graph, background: Background, seed: int) -> Weights:
    """Draw random weights: kernels as Glorot and Bengio (2010, AISTATS) do, which is Keras's default.

    Kernels whose input is unscaled pixels, up to 255, get values that are smaller by as much: their outputs would be in
    the hundreds otherwise, and a softmax of such logits does not learn. Biases make the output for bare background 0,
    which is most of an image and would dominate the animal.

    Parameters
    ----------
    graph : Graph
    background : {"white", "black"}
    seed : int
    """
    rng = np.random.default_rng(seed)
    pixels = _pixel_ranges(graph, background)
    weights: Weights = {}
    for name, shape in graph.weight_shapes().items():
        layer, _, variable = name.rpartition("/")
        if variable == "kernel":
            limit = _glorot_limit(shape, _layer(graph, layer)) / pixels[layer].largest
            weights[name] = rng.uniform(-limit, limit, shape).astype(np.float32)
        else:
            ones = variable in ("gamma", "moving_variance")
            weights[name] = np.full(shape, 1.0 if ones else 0.0, np.float32)
            if variable == "bias" and layer in pixels and pixels[layer].background:
                kernel = weights[f"{layer}/kernel"]
                depthwise = _layer(graph, layer).kind == "DepthwiseConv2D"
                sums = kernel.sum((0, 1) if depthwise else tuple(range(kernel.ndim - 1)))
                weights[name] = (-pixels[layer].background * sums).reshape(shape).astype(np.float32)
    return weights


def rate_factors(graph: Graph, weights: Weights) -> Mapping[str, float]:
    """Factors of the learning rate for kernels whose values are small because their input is unscaled pixels.

    Steps of Adam have the size of the learning rate, whatever the gradient; in a kernel with inputs of 255 instead of
    1, a step changes the output 255 times as much. Kernels of networks that were trained elsewhere may be as large as
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
    for layer, pixels in _pixel_ranges(graph, "white").items():
        if (scale := pixels.largest) == 1:
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


def _pixel_ranges(graph: Graph, background: Background) -> dict[str, _PixelRange]:
    """Range of pixels at the input of each layer with a kernel; largest 1, background 0 if it does not get pixels."""
    sizes = {graph.layers[0].name: _PixelRange(_WHITE, _WHITE if background == "white" else 0.0)}
    found = {}
    weighted = graph.layer_weights()
    for layer in graph.layers[1:]:
        inputs = [sizes[name] for name in layer.inputs]
        if "kernel" in weighted.get(layer.name, {}):
            pixels = inputs[0]
            found[layer.name] = pixels if pixels.largest > _SCALED else replace(pixels, largest=1.0)
            inputs = [_SCALED_PIXELS]
        sizes[layer.name] = _passed_on(layer, inputs)
    return found


def _passed_on(layer: Layer, inputs: list[_PixelRange]) -> _PixelRange:
    """Approximate values of pixels after a layer."""
    first = inputs[0]
    if layer.kind == "Rescaling":
        scale, offset = (np.array(layer.options[key], float) for key in ("scale", "offset"))
        largest = max(np.abs(offset).max(), np.abs(first.largest * scale + offset).max())
        return _PixelRange(float(largest), float(np.mean(first.background * scale + offset)))
    if layer.kind in _UNCHANGING:
        return first
    if layer.kind in _NORMALISING or layer.options.get("activation") in BOUNDED:
        return _SCALED_PIXELS
    if layer.kind == "Multiply":
        return _PixelRange(min(math.prod(pixels.largest for pixels in inputs), _WHITE**2), 0.0)
    most = layer.options.get("max_value") or math.inf
    return _PixelRange(min(most, max(pixels.largest for pixels in inputs)), 0.0)
