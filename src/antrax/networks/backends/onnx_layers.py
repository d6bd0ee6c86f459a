"""ONNX nodes for each kind of layer, on maps (N, channels, *columns*, rows): see `onnx_network`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from antrax.networks.layers import Layer, Shape, padding_of
from antrax.networks.options import Padding

_ONE_NODE: dict[str, tuple[str, dict[str, float]]] = {
    "exponential": ("Exp", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("HardSwish", {}),
    "selu": ("Selu", {}),
    "sigmoid": ("Sigmoid", {}),
    "softmax": ("Softmax", {"axis": 1}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "tanh": ("Tanh", {}),
}
_MERGES = {"Multiply": "Mul", "Subtract": "Sub", "Add": "Sum", "Average": "Mean", "Maximum": "Max", "Minimum": "Min"}


class OnnxBuilder(Protocol):
    """Builds an ONNX model, node by node."""

    def constant(self, name: str, value: Any) -> str:
        """Add a constant; returns its name."""
        ...

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node; returns the name of its output.

        Parameters
        ----------
        kind : str
            Operator of ONNX.
        inputs : list of str
            Names of what it takes.
        output : str
            Name of what it gives.
        """
        ...

    def weight(self, layer: Layer, variable: str) -> NDArray[np.float32] | None:
        """A weight, or None where the layer has none of that name."""
        ...

    def shape(self, name: str) -> Shape:
        """Output shape of a layer, in Keras's order."""
        ...


def add_layer(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    """Add the nodes that compute a layer; the last one has its name.

    Parameters
    ----------
    builder : OnnxBuilder
        The model that is being built.
    layer : Layer
        The layer.
    inputs : list of str
        Names of what it takes.
    """
    _NODES[layer.kind](builder, layer, inputs)


def pads(padding: Padding) -> list[int]:
    """Padding in ONNX's order."""
    (top, bottom), (left, right) = padding
    return [left, top, right, bottom]


def affine(builder: OnnxBuilder, layer: Layer) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Batch normalisation as a gain and a shift of each channel."""
    mean, variance = builder.weight(layer, "moving_mean"), builder.weight(layer, "moving_variance")
    assert mean is not None and variance is not None
    gain = 1 / np.sqrt(variance + np.float32(layer.options["epsilon"]))
    if (gamma := builder.weight(layer, "gamma")) is not None:
        gain = gain * gamma
    beta = builder.weight(layer, "beta")
    return gain, (0 if beta is None else beta) - mean * gain


def _batch_norm(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    name = layer.name
    channels = builder.shape(name)[-1:]
    variables = {
        "gamma": np.ones(channels, np.float32),
        "beta": np.zeros(channels, np.float32),
        "moving_mean": None,
        "moving_variance": None,
    }
    arguments = []
    for variable, default in variables.items():
        value = builder.weight(layer, variable)
        arguments.append(builder.constant(f"{name}/{variable}", default if value is None else value))
    builder.node("BatchNormalization", [*inputs, *arguments], name, epsilon=layer.options["epsilon"])


def _layer_norm(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    name, shape = layer.name, builder.shape(layer.name)
    gamma, beta = builder.weight(layer, "gamma"), builder.weight(layer, "beta")
    arguments = [builder.constant(f"{name}/gamma", np.ones(shape[-1:], np.float32) if gamma is None else gamma)]
    if beta is not None:
        arguments.append(builder.constant(f"{name}/beta", beta))
    options = {"axis": -1, "epsilon": layer.options["epsilon"]}
    if len(shape) == 1:
        builder.node("LayerNormalization", [*inputs, *arguments], name, **options)
        return
    last = builder.node("Transpose", inputs, f"{name}:last", perm=[0, 2, 3, 1])
    builder.node("LayerNormalization", [last, *arguments], f"{name}:normal", **options)
    builder.node("Transpose", [f"{name}:normal"], name, perm=[0, 3, 1, 2])


def _rescaling(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    name = layer.name
    rank = len(builder.shape(name))

    def constant(option: str) -> str:
        value = np.asarray(layer.options[option], np.float32)
        return builder.constant(f"{name}/{option}", value[:, None, None] if value.ndim and rank == 3 else value)

    builder.node("Mul", [*inputs, constant("scale")], f"{name}:scaled")
    builder.node("Add", [f"{name}:scaled", constant("offset")], name)


def _pad(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    left, top, right, bottom = pads(layer.options["padding"])
    widths = builder.constant(f"{layer.name}/pads", np.array([0, 0, left, top, 0, 0, right, bottom], np.int64))
    builder.node("Pad", [*inputs, widths], layer.name)


def _crop(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    name = layer.name
    (top, _), (left, _) = layer.options["cropping"]
    rows, columns, _ = builder.shape(name)
    start = builder.constant(f"{name}/start", np.array([left, top], np.int64))
    end = builder.constant(f"{name}/end", np.array([left + columns, top + rows], np.int64))
    axes = builder.constant(f"{name}/axes", np.array([2, 3], np.int64))
    builder.node("Slice", [*inputs, start, end, axes], name)


def _relu(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    name, options = layer.name, layer.options
    most, slope, threshold = options["max_value"], options["negative_slope"], options["threshold"]

    def constant(suffix: str, value: float) -> str:
        return builder.constant(f"{name}/{suffix}", np.float32(value))

    if threshold:
        least = constant("threshold", threshold)
        above = builder.node("Min", [*inputs, constant("most", math.inf if most is None else most)], f"{name}:above")
        builder.node("Sub", [*inputs, least], f"{name}:under")
        below = builder.node("Mul", [f"{name}:under", constant("slope", slope)], f"{name}:below")
        builder.node("Greater", [*inputs, least], f"{name}:over")
        builder.node("Where", [f"{name}:over", above, below], name)
    elif slope:
        leaky = builder.node("LeakyRelu", inputs, name if most is None else f"{name}:leaky", alpha=float(slope))
        if most is not None:
            builder.node("Min", [leaky, constant("most", most)], name)
    elif most is not None:
        builder.node("Clip", [*inputs, constant("least", 0), constant("most", most)], name)
    else:
        builder.node("Relu", inputs, name)


def _elu(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    builder.node("Elu", inputs, layer.name, alpha=float(layer.options["alpha"]))


def _prelu(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    alpha = builder.weight(layer, "alpha")
    assert alpha is not None
    builder.node("PRelu", [*inputs, builder.constant(f"{layer.name}/alpha", alpha.transpose())], layer.name)


def _activation(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    name = layer.name
    activation = layer.options.get("activation", "softmax")
    if activation in _ONE_NODE:
        kind, attributes = _ONE_NODE[activation]
        builder.node(kind, inputs, name, **attributes)
    elif activation == "silu":
        builder.node("Mul", [*inputs, builder.node("Sigmoid", inputs, f"{name}:sigmoid")], name)
    elif activation == "mish":
        plus = builder.node("Softplus", inputs, f"{name}:softplus")
        builder.node("Mul", [*inputs, builder.node("Tanh", [plus], f"{name}:tanh")], name)
    else:  # gelu: x (1 + erf(x / √2)) / 2
        scaled = builder.node(
            "Mul", [*inputs, builder.constant(f"{name}/root", np.float32(0.5**0.5))], f"{name}:scaled"
        )
        error = builder.node("Erf", [scaled], f"{name}:erf")
        more = builder.node("Add", [error, builder.constant(f"{name}/one", np.float32(1))], f"{name}:more")
        half = builder.node("Mul", [*inputs, builder.constant(f"{name}/half", np.float32(0.5))], f"{name}:half")
        builder.node("Mul", [half, more], name)


def _pool(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    options = layer.options
    margin = pads(padding_of(options, builder.shape(layer.inputs[0])))
    # without the attribute `count_include_pad` a mean is of what lies within the map, as in Keras
    builder.node(
        layer.kind.replace("Pooling2D", "Pool"),
        inputs,
        layer.name,
        kernel_shape=list(options["pool_size"][::-1]),
        strides=list(options["strides"][::-1]),
        **({"pads": margin} if any(margin) else {}),
    )


def _global_pool(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    kind, name = layer.kind.replace("Pooling2D", "Pool"), layer.name
    if layer.options["keepdims"]:
        builder.node(kind, inputs, name)
    else:
        builder.node("Flatten", [builder.node(kind, inputs, f"{name}:map")], name)


def _reshape(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    """In Keras's order: row, column, channel."""
    name, before, after = layer.name, builder.shape(layer.inputs[0]), builder.shape(layer.name)
    if len(before) == 3:
        inputs = [builder.node("Transpose", inputs, f"{name}:last", perm=[0, 3, 2, 1])]
    if len(after) == 1:
        builder.node("Flatten", inputs, name)
        return
    target = builder.constant(f"{name}/shape", np.array([-1, *after], np.int64))
    builder.node("Transpose", [builder.node("Reshape", [*inputs, target], f"{name}:shaped")], name, perm=[0, 3, 2, 1])


def _merge(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    kind, name = _MERGES[layer.kind], layer.name
    if kind not in ("Mul", "Sub"):
        builder.node(kind, inputs, name)
        return
    first, *others = inputs
    for number, other in enumerate(others, 1):
        first = builder.node(kind, [first, other], name if number == len(others) else f"{name}:{number}")


def _concatenate(builder: OnnxBuilder, layer: Layer, inputs: list[str]) -> None:
    builder.node("Concat", inputs, layer.name, axis=1)


_NODES: dict[str, Callable[[OnnxBuilder, Layer, list[str]], None]] = {
    "Rescaling": _rescaling,
    "ZeroPadding2D": _pad,
    "Cropping2D": _crop,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "ReLU": _relu,
    "ELU": _elu,
    "PReLU": _prelu,
    "Softmax": _activation,
    "Activation": _activation,
    "MaxPooling2D": _pool,
    "AveragePooling2D": _pool,
    "GlobalAveragePooling2D": _global_pool,
    "GlobalMaxPooling2D": _global_pool,
    "Flatten": _reshape,
    "Reshape": _reshape,
    "Concatenate": _concatenate,
    **dict.fromkeys(_MERGES, _merge),
}
