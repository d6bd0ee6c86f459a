"""A network's architecture as plain data, and the architectures that we offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import index
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ClassifierError, OptionError
from antrax.images import Background

Kind = Literal[
    "InputLayer",
    "Rescaling",
    "ZeroPadding2D",
    "Conv2D",
    "BatchNormalization",
    "ReLU",
    "MaxPooling2D",
    "AveragePooling2D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Flatten",
    "Concatenate",
    "Dense",
]
# Weights by `layer/variable`, float32, in Keras's layouts: kernels (row, column, in, out) and (in, out).
Weights = dict[str, NDArray[np.float32]]
Shape = tuple[int, ...]

FILTERS = {"small": (32, 64, 128), "wide": (64, 128, 192), "large": (32, 64, 128, 128)}
NOT_YET = ("MobileNetV2", "custom")
ARCHITECTURES = (*FILTERS, *NOT_YET)
SMALLEST, LARGEST = 24, 512


@dataclass(frozen=True)
class Layer:
    """One layer.

    Parameters
    ----------
    kind : str
        Keras's name of the class.
    name : str
    inputs : tuple of str
        Names of the layers that feed it, earlier ones all.
    options : mapping
        Those of Keras's options that matter for the computation.
    """

    kind: Kind
    name: str
    inputs: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """Layers in an order in which they can be computed; the last is a dense one, whose softmax is the answer.

    Images go in as floats 0–255, shape (N, S, S, 3), with the background set.
    """

    name: str
    layers: tuple[Layer, ...]

    @property
    def size(self) -> int:
        """Side length S of the images, in pixels."""
        return int(self.layers[0].options["batch_shape"][1])

    @property
    def outputs(self) -> int:
        """Number of labels."""
        return int(self.layers[-1].options["units"])

    def shapes(self) -> dict[str, Shape]:
        """Output shape of every layer, without the batch: (rows, columns, channels) or (features,)."""
        shapes: dict[str, Shape] = {}
        for layer in self.layers:
            shapes[layer.name] = _shape(layer, [shapes[name] for name in layer.inputs])
        return shapes

    def weight_shapes(self) -> dict[str, Shape]:
        """Shape of every weight, in the order in which Keras stores them."""
        shapes = self.shapes()
        weights: dict[str, Shape] = {}
        for layer in self.layers:
            if layer.kind == "Conv2D":
                inputs = shapes[layer.inputs[0]][-1]
                weights[f"{layer.name}/kernel"] = (*layer.options["kernel_size"], inputs, layer.options["filters"])
            elif layer.kind == "Dense":
                weights[f"{layer.name}/kernel"] = (shapes[layer.inputs[0]][-1], layer.options["units"])
            elif layer.kind == "BatchNormalization":
                for variable in ("gamma", "beta", "moving_mean", "moving_variance"):
                    weights[f"{layer.name}/{variable}"] = (shapes[layer.name][-1],)
            if layer.options.get("use_bias"):
                weights[f"{layer.name}/bias"] = (shapes[layer.name][-1],)
        return weights


def build(name: str, size: int, outputs: int, background: Background) -> Graph:
    """One of the architectures that we offer.

    A stem of stride 2 and two (small, wide) or three (large) further convolutions, each with batch normalisation;
    then what they found is read out as its mean, its maximum and its mean in each cell of a 3 × 2 grid: where along the
    body a colour lies is what an ID is.

    Parameters
    ----------
    name : {"small", "wide", "large"}
    size : int
        Side length of the images, in pixels.
    outputs : int
        Number of labels.
    background : {"white", "black"}
        The scaling makes it 0, so that the padding of the convolutions continues it.
    """
    if not SMALLEST <= size <= LARGEST:
        raise OptionError(f"images of {size} pixels: the architectures take {SMALLEST} to {LARGEST}; set --target-size")
    layers = [
        Layer("InputLayer", "image", (), {"batch_shape": (None, size, size, 3)}),
        Layer("Rescaling", "scale", ("image",), {"scale": 1 / 255, "offset": -1.0 if background == "white" else 0.0}),
    ]

    def add(kind: Kind, name: str, **options: Any) -> None:
        layers.append(Layer(kind, name, (layers[-1].name,), options))

    for number, filters in enumerate(FILTERS[name], 1):
        kernel, stride = (5, 2) if number == 1 else (3, 1)
        add("ZeroPadding2D", f"pad_{number}", padding=((kernel // 2,) * 2,) * 2)
        add(
            "Conv2D",
            f"conv_{number}",
            filters=filters,
            kernel_size=(kernel, kernel),
            strides=(stride, stride),
            use_bias=False,
        )
        if number < 3:  # before normalisation, which then has a quarter of the work
            add("MaxPooling2D", f"pool_{number}", pool_size=(2, 2), strides=(2, 2))
        add("BatchNormalization", f"norm_{number}", epsilon=1e-5)
        add("ReLU", f"relu_{number}")
    last = layers[-1].name
    rows = Graph(name, tuple(layers)).shapes()[last][0]
    # windows as tall as the rest allows, so that three rows and two columns of them cover any map
    strides = (rows // 3, rows // 2)
    window = (rows - 2 * strides[0], rows - strides[1])
    layers += [
        Layer("GlobalAveragePooling2D", "mean", (last,)),
        Layer("GlobalMaxPooling2D", "maximum", (last,)),
        Layer("AveragePooling2D", "grid", (last,), {"pool_size": window, "strides": strides}),
        Layer("Flatten", "cells", ("grid",)),
        Layer("Concatenate", "features", ("mean", "maximum", "cells")),
        Layer("Dense", "labels", ("features",), {"units": outputs, "use_bias": True, "activation": "softmax"}),
    ]
    return Graph(name, tuple(layers))


def with_outputs(graph: Graph, outputs: int) -> Graph:
    """The same graph with another number of labels."""
    last = graph.layers[-1]
    grown = Layer(last.kind, last.name, last.inputs, {**last.options, "units": outputs})
    return Graph(graph.name, (*graph.layers[:-1], grown))


def _shape(layer: Layer, inputs: list[Shape]) -> Shape:
    """Output shape of a layer; raises ClassifierError where the inputs do not fit it."""
    options = layer.options
    try:
        match layer.kind:
            case "InputLayer":
                shape: Shape = tuple(options["batch_shape"][1:])
            case "ZeroPadding2D":
                (top, bottom), (left, right) = options["padding"]
                rows, columns, channels = inputs[0]
                shape = (rows + top + bottom, columns + left + right, channels)
            case "Conv2D":
                shape = (*_windows(inputs[0], options["kernel_size"], options["strides"]), options["filters"])
            case "MaxPooling2D" | "AveragePooling2D":
                shape = (*_windows(inputs[0], options["pool_size"], options["strides"]), inputs[0][2])
            case "GlobalAveragePooling2D" | "GlobalMaxPooling2D":
                _, _, channels = inputs[0]
                shape = (channels,)
            case "Flatten":
                shape = (int(np.prod(inputs[0])),)
            case "Concatenate":
                shape = (sum(features for (features,) in inputs),)
            case "Dense":
                (_,) = inputs[0]
                shape = (options["units"],)
            case _:
                shape = inputs[0]
        shape = tuple(index(length) for length in shape)
    except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError):
        raise ClassifierError(f"layer {layer.name!r} ({layer.kind}) does not fit the layers before it") from None
    if min(shape) < 1 or max(shape) > 2**20:
        raise ClassifierError(f"layer {layer.name!r} ({layer.kind}) would be of shape {shape}")
    return shape


def _windows(shape: Shape, window: tuple[int, int], strides: tuple[int, int]) -> tuple[int, int]:
    rows, columns, _ = shape
    return (rows - window[0]) // strides[0] + 1, (columns - window[1]) // strides[1] + 1
