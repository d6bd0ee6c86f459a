"""How ONNX computes each kind of layer, on maps (N, channels, *columns*, rows): see `onnx_network`."""

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


class Model(Protocol):
    """A model that is being built."""

    def constant(self, name: str, value: Any) -> str:
        """Add a constant; returns its name."""
        ...

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        ...

    def weight(self, layer: Layer, variable: str) -> NDArray[np.float32] | None:
        """A weight, or None where the layer has none of that name."""
        ...

    def shape(self, name: str) -> Shape:
        """Output shape of a layer, in Keras's order."""
        ...


def add_layer(model: Model, layer: Layer, inputs: list[str]) -> None:
    """Add the nodes that compute a layer; the last one has its name."""
    _NODES[layer.kind](model, layer, inputs)


def pads(padding: Padding) -> list[int]:
    """Padding in ONNX's order."""
    (top, bottom), (left, right) = padding
    return [left, top, right, bottom]


def affine(model: Model, layer: Layer) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Batch normalisation as a gain and a shift of each channel."""
    mean, variance = model.weight(layer, "moving_mean"), model.weight(layer, "moving_variance")
    assert mean is not None and variance is not None
    gain = 1 / np.sqrt(variance + np.float32(layer.options["epsilon"]))
    if (gamma := model.weight(layer, "gamma")) is not None:
        gain = gain * gamma
    beta = model.weight(layer, "beta")
    return gain, (0 if beta is None else beta) - mean * gain


def _batch_norm(model: Model, layer: Layer, inputs: list[str]) -> None:
    name = layer.name
    channels = model.shape(name)[-1:]
    variables = {
        "gamma": np.ones(channels, np.float32),
        "beta": np.zeros(channels, np.float32),
        "moving_mean": None,
        "moving_variance": None,
    }
    arguments = []
    for variable, default in variables.items():
        value = model.weight(layer, variable)
        arguments.append(model.constant(f"{name}/{variable}", default if value is None else value))
    model.node("BatchNormalization", [*inputs, *arguments], name, epsilon=layer.options["epsilon"])


def _layer_norm(model: Model, layer: Layer, inputs: list[str]) -> None:
    name, shape = layer.name, model.shape(layer.name)
    gamma, beta = model.weight(layer, "gamma"), model.weight(layer, "beta")
    arguments = [model.constant(f"{name}/gamma", np.ones(shape[-1:], np.float32) if gamma is None else gamma)]
    if beta is not None:
        arguments.append(model.constant(f"{name}/beta", beta))
    options = {"axis": -1, "epsilon": layer.options["epsilon"]}
    if len(shape) == 1:
        model.node("LayerNormalization", [*inputs, *arguments], name, **options)
        return
    last = model.node("Transpose", inputs, f"{name}:last", perm=[0, 2, 3, 1])
    model.node("LayerNormalization", [last, *arguments], f"{name}:normal", **options)
    model.node("Transpose", [f"{name}:normal"], name, perm=[0, 3, 1, 2])


def _rescaling(model: Model, layer: Layer, inputs: list[str]) -> None:
    name = layer.name
    rank = len(model.shape(name))

    def constant(option: str) -> str:
        value = np.asarray(layer.options[option], np.float32)
        return model.constant(f"{name}/{option}", value[:, None, None] if value.ndim and rank == 3 else value)

    model.node("Mul", [*inputs, constant("scale")], f"{name}:scaled")
    model.node("Add", [f"{name}:scaled", constant("offset")], name)


def _pad(model: Model, layer: Layer, inputs: list[str]) -> None:
    left, top, right, bottom = pads(layer.options["padding"])
    widths = model.constant(f"{layer.name}/pads", np.array([0, 0, left, top, 0, 0, right, bottom], np.int64))
    model.node("Pad", [*inputs, widths], layer.name)


def _crop(model: Model, layer: Layer, inputs: list[str]) -> None:
    name = layer.name
    (top, _), (left, _) = layer.options["cropping"]
    rows, columns, _ = model.shape(name)
    start = model.constant(f"{name}/start", np.array([left, top], np.int64))
    end = model.constant(f"{name}/end", np.array([left + columns, top + rows], np.int64))
    axes = model.constant(f"{name}/axes", np.array([2, 3], np.int64))
    model.node("Slice", [*inputs, start, end, axes], name)


def _relu(model: Model, layer: Layer, inputs: list[str]) -> None:
    name, options = layer.name, layer.options
    most, slope, threshold = options["max_value"], options["negative_slope"], options["threshold"]

    def constant(suffix: str, value: float) -> str:
        return model.constant(f"{name}/{suffix}", np.float32(value))

    if threshold:
        least = constant("threshold", threshold)
        above = model.node("Min", [*inputs, constant("most", math.inf if most is None else most)], f"{name}:above")
        model.node("Sub", [*inputs, least], f"{name}:under")
        below = model.node("Mul", [f"{name}:under", constant("slope", slope)], f"{name}:below")
        model.node("Greater", [*inputs, least], f"{name}:over")
        model.node("Where", [f"{name}:over", above, below], name)
    elif slope:
        leaky = model.node("LeakyRelu", inputs, name if most is None else f"{name}:leaky", alpha=float(slope))
        if most is not None:
            model.node("Min", [leaky, constant("most", most)], name)
    elif most is not None:
        model.node("Clip", [*inputs, constant("least", 0), constant("most", most)], name)
    else:
        model.node("Relu", inputs, name)


def _elu(model: Model, layer: Layer, inputs: list[str]) -> None:
    model.node("Elu", inputs, layer.name, alpha=float(layer.options["alpha"]))


def _prelu(model: Model, layer: Layer, inputs: list[str]) -> None:
    alpha = model.weight(layer, "alpha")
    assert alpha is not None
    model.node("PRelu", [*inputs, model.constant(f"{layer.name}/alpha", alpha.transpose())], layer.name)


def _activation(model: Model, layer: Layer, inputs: list[str]) -> None:
    name = layer.name
    activation = layer.options.get("activation", "softmax")
    if activation in _ONE_NODE:
        kind, attributes = _ONE_NODE[activation]
        model.node(kind, inputs, name, **attributes)
    elif activation == "silu":
        model.node("Mul", [*inputs, model.node("Sigmoid", inputs, f"{name}:sigmoid")], name)
    elif activation == "mish":
        plus = model.node("Softplus", inputs, f"{name}:softplus")
        model.node("Mul", [*inputs, model.node("Tanh", [plus], f"{name}:tanh")], name)
    else:  # gelu: x (1 + erf(x / √2)) / 2
        scaled = model.node("Mul", [*inputs, model.constant(f"{name}/root", np.float32(0.5**0.5))], f"{name}:scaled")
        error = model.node("Erf", [scaled], f"{name}:erf")
        more = model.node("Add", [error, model.constant(f"{name}/one", np.float32(1))], f"{name}:more")
        half = model.node("Mul", [*inputs, model.constant(f"{name}/half", np.float32(0.5))], f"{name}:half")
        model.node("Mul", [half, more], name)


def _pool(model: Model, layer: Layer, inputs: list[str]) -> None:
    options = layer.options
    margin = pads(padding_of(options, model.shape(layer.inputs[0])))
    # without the attribute `count_include_pad` a mean is of what lies within the map, as in Keras
    model.node(
        layer.kind.replace("Pooling2D", "Pool"),
        inputs,
        layer.name,
        kernel_shape=list(options["pool_size"][::-1]),
        strides=list(options["strides"][::-1]),
        **({"pads": margin} if any(margin) else {}),
    )


def _global_pool(model: Model, layer: Layer, inputs: list[str]) -> None:
    kind, name = layer.kind.replace("Pooling2D", "Pool"), layer.name
    if layer.options["keepdims"]:
        model.node(kind, inputs, name)
    else:
        model.node("Flatten", [model.node(kind, inputs, f"{name}:map")], name)


def _reshape(model: Model, layer: Layer, inputs: list[str]) -> None:
    """In Keras's order: row, column, channel."""
    name, before, after = layer.name, model.shape(layer.inputs[0]), model.shape(layer.name)
    if len(before) == 3:
        inputs = [model.node("Transpose", inputs, f"{name}:last", perm=[0, 3, 2, 1])]
    if len(after) == 1:
        model.node("Flatten", inputs, name)
        return
    target = model.constant(f"{name}/shape", np.array([-1, *after], np.int64))
    model.node("Transpose", [model.node("Reshape", [*inputs, target], f"{name}:shaped")], name, perm=[0, 3, 2, 1])


def _merge(model: Model, layer: Layer, inputs: list[str]) -> None:
    kind, name = _MERGES[layer.kind], layer.name
    if kind not in ("Mul", "Sub"):
        model.node(kind, inputs, name)
        return
    first, *others = inputs
    for number, other in enumerate(others, 1):
        first = model.node(kind, [first, other], name if number == len(others) else f"{name}:{number}")


def _concatenate(model: Model, layer: Layer, inputs: list[str]) -> None:
    model.node("Concat", inputs, layer.name, axis=1)


_NODES: dict[str, Callable[[Model, Layer, list[str]], None]] = {
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
