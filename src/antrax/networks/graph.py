"""A network's architecture as plain data, and this package's own architectures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ClassifierError, OptionError
from antrax.images import Background
from antrax.messages import parameter
from antrax.networks.layers import KINDS, NOISE, Layer, Shape, make_layer, output_shape

# Weights by `layer/variable`, float32, in Keras's layouts: kernels (row, column, in, out) and (in, out).
Weights = dict[str, NDArray[np.float32]]

FILTERS = {"small": (32, 64, 128), "wide": (64, 128, 192), "large": (32, 64, 128, 128)}
SMALLEST, LARGEST = 24, 512

# Limits of a network: more than Keras's applications need on such images, far less than a machine can do.
MOST_LAYERS = 2000
_MOST_CONNECTIONS = 2 * MOST_LAYERS
_MOST_WEIGHTS = 100_000_000
_MOST_WORK = 20_000_000_000
# Of the maps of one image: 1 GB, all of which training keeps (of two images at least), and 256 MB at a time, in every
# worker.
_MOST_FLOATS, _MOST_FLOATS_AT_ONCE = 2**28, 2**26


@dataclass(frozen=True)
class Graph:
    """A network's layers in topological order; the softmax of the last one's output are the probabilities.

    Images go in as floats 0–255, shape (N, S, S, channels), with the background set. With one channel, this is the
    grey value that Pillow gives.
    """

    name: str
    layers: tuple[Layer, ...]

    @property
    def size(self) -> int:
        """Side length S of the images, in pixels."""
        return int(self.layers[0].options["batch_shape"][1])

    @property
    def channels(self) -> int:
        """3 for colour, 1 for grey images."""
        return int(self.layers[0].options["batch_shape"][3])

    @property
    def outputs(self) -> int:
        """Number of labels."""
        return self._shapes[self.layers[-1].name][-1]

    @cached_property
    def _shapes(self) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {}
        for layer in self.layers:
            shapes[layer.name] = output_shape(layer, [shapes[name] for name in layer.inputs])
        return shapes

    def shapes(self) -> dict[str, Shape]:
        """Output shape of every layer, without the batch: (rows, columns, channels) or (features,)."""
        return dict(self._shapes)

    def layer_weights(self) -> dict[str, dict[str, Shape]]:
        """Shapes of the weights of every layer that has any, in the order in which Keras stores them."""
        found = {}
        for layer in self.layers:
            if layer.inputs and (shapes := KINDS[layer.kind].weights(layer.options, self._shapes[layer.inputs[0]])):
                found[layer.name] = shapes
        return found

    def weight_shapes(self) -> dict[str, Shape]:
        """Shape of every weight, by `layer/variable`, in the order in which Keras stores them."""
        layers = self.layer_weights().items()
        return {f"{layer}/{name}": shape for layer, shapes in layers for name, shape in shapes.items()}

    def work(self) -> int:
        """Approximate number of multiplications for one image."""
        total = 0
        weights = self.layer_weights()
        for layer in self.layers:
            shape = self._shapes[layer.name]
            kernel = weights.get(layer.name, {}).get("kernel")
            total += math.prod(shape[:-1]) * math.prod(kernel) if kernel else math.prod(shape)
            total += math.prod(shape) * max(math.prod(layer.options.get("pool_size", ())), len(layer.inputs) - 1)
        return total

    def floats(self) -> int:
        """Floats of all that the layers give for one image; merging is done one by one."""
        return sum(math.prod(self._shapes[layer.name]) * max(1, len(layer.inputs) - 1) for layer in self.layers)

    def floats_at_once(self) -> int:
        """Largest number of floats in memory for one image, where results no longer needed are freed."""
        last = {name: layer.name for layer in self.layers for name in layer.inputs}
        held = most = 0
        for layer in self.layers:
            held += math.prod(self._shapes[layer.name])
            most = max(most, held)
            held -= sum(math.prod(self._shapes[name]) for name in set(layer.inputs) if last[name] == layer.name)
        return most

    def users(self) -> dict[str, list[Layer]]:
        """For every layer those that it feeds."""
        users: dict[str, list[Layer]] = {layer.name: [] for layer in self.layers}
        for layer in self.layers:
            for name in layer.inputs:
                users[name].append(layer)
        return users

    def label_layer(self) -> Layer:
        """The layer whose units are the labels.

        Raises
        ------
        ClassifierError
            Other layers depend on the number of labels too.
        """
        layers = {layer.name: layer for layer in self.layers}
        layer = self.layers[-1]
        while layer.kind not in ("Dense", "Conv2D"):
            before = self._shapes[layer.inputs[0]] if len(layer.inputs) == 1 else ()
            if layer.kind not in (*NOISE, "GlobalAveragePooling2D", "GlobalMaxPooling2D") and not (
                layer.kind == "Flatten" and math.prod(before[:-1]) == 1
            ):
                raise ClassifierError(
                    f"the labels of this model cannot be told from the rest of it (it ends in {layer.kind}), so it "
                    "cannot learn more labels than it was made for"
                )
            layer = layers[layer.inputs[0]]
        if layer.options.get("groups", 1) != 1:
            raise ClassifierError("the labels of this model come from a convolution in groups, which cannot grow")
        return layer


def build(name: str, size: int, outputs: int, background: Background) -> Graph:
    """Build one of this package's own architectures.

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
        raise OptionError(
            f"images of {size} pixels: the architectures take {SMALLEST} to {LARGEST}; set {parameter('target_size')}"
        )
    layers = [
        make_layer("InputLayer", "image", batch_shape=(None, size, size, 3)),
        make_layer("Rescaling", "scale", ("image",), scale=1 / 255, offset=-1.0 if background == "white" else 0.0),
    ]

    def add(kind: str, name: str, **options: Any) -> None:
        layers.append(make_layer(kind, name, (layers[-1].name,), **options))

    for number, filters in enumerate(FILTERS[name], 1):
        kernel, stride = (5, 2) if number == 1 else (3, 1)
        add("ZeroPadding2D", f"pad_{number}", padding=kernel // 2)
        add("Conv2D", f"conv_{number}", filters=filters, kernel_size=kernel, strides=stride, use_bias=False)
        if number < 3:  # before normalisation, which then has a quarter of the work
            add("MaxPooling2D", f"pool_{number}")
        add("BatchNormalization", f"norm_{number}", epsilon=1e-5)
        add("ReLU", f"relu_{number}")
    last = layers[-1].name
    rows = Graph(name, tuple(layers)).shapes()[last][0]
    # windows as tall as the rest allows, so that three rows and two columns of them cover any map
    strides = (rows // 3, rows // 2)
    window = (rows - 2 * strides[0], rows - strides[1])
    layers += [
        make_layer("GlobalAveragePooling2D", "mean", (last,)),
        make_layer("GlobalMaxPooling2D", "maximum", (last,)),
        make_layer("AveragePooling2D", "grid", (last,), pool_size=window, strides=strides),
        make_layer("Flatten", "cells", ("grid",)),
        make_layer("Concatenate", "features", ("mean", "maximum", "cells")),
        make_layer("Dense", "labels", ("features",), units=outputs),
    ]
    return Graph(name, tuple(layers))


def with_outputs(graph: Graph, outputs: int) -> Graph:
    """The same graph with another number of labels; raises ClassifierError where it is not clear what that means."""
    if outputs == graph.outputs:
        return graph
    label_layer = graph.label_layer()
    option = "units" if label_layer.kind == "Dense" else "filters"
    grown = Layer(label_layer.kind, label_layer.name, label_layer.inputs, {**label_layer.options, option: outputs})
    return Graph(graph.name, tuple(grown if layer is label_layer else layer for layer in graph.layers))


def grown_weights(graph: Graph, weights: Weights, outputs: int) -> Weights:
    """Weights of `with_outputs(graph, outputs)`, where this is not fewer: what is known of the old labels stays.

    Parameters
    ----------
    graph : Graph
        The network with the old labels.
    weights : Weights
        Its weights.
    outputs : int
        Number of labels, old and new.
    """
    new = outputs - graph.outputs
    if not new:
        return dict(weights)
    name = graph.label_layer().name
    kernel, bias = weights[f"{name}/kernel"], weights.get(f"{name}/bias")
    grown = weights | {f"{name}/kernel": np.pad(kernel, (*[(0, 0)] * (kernel.ndim - 1), (0, new)))}
    if bias is not None:
        # a new label starts as improbable as the least probable one, so nothing is forgotten at the first step
        grown[f"{name}/bias"] = np.pad(bias, (0, new), constant_values=float(bias.min()))
    return grown


def check_graph(graph: Graph) -> None:
    """Raise ClassifierError unless a graph can be computed, by any machine: images in, labels out, not too large."""
    known: set[str] = set()
    for layer in graph.layers:
        if not set(layer.inputs) <= known or bool(layer.inputs) == (layer is graph.layers[0]) or layer.name in known:
            raise ClassifierError(f"layer {layer.name!r} is not connected to the layers before it")
        known.add(layer.name)
    if (connections := sum(len(layer.inputs) for layer in graph.layers)) > _MOST_CONNECTIONS:
        raise ClassifierError(f"the model connects layers {connections:,} times; {_MOST_CONNECTIONS:,} is the most")
    first = graph.layers[0]
    image = first.options["batch_shape"][1:]
    if len(image) != 3 or image[0] != image[1] or image[2] not in (1, 3) or not 8 <= image[0] <= LARGEST:
        raise ClassifierError(
            f"the model takes images of shape {image}; expected (S, S, 3) or (S, S, 1) with S from 8 to {LARGEST}"
        )
    shapes = graph.shapes()
    if len(shape := shapes[graph.layers[-1].name]) != 1:
        raise ClassifierError(f"the model does not end in one number per label, but in shape {shape}")
    if shape[0] < 2:
        raise ClassifierError("the model has one output; it needs one per label, and at least two")
    if not graph.weight_shapes():
        raise ClassifierError("the model has no weights, so it cannot learn")
    if (weights := sum(math.prod(shape) for shape in graph.weight_shapes().values())) > _MOST_WEIGHTS:
        raise ClassifierError(f"the model has {weights:,} weights; {_MOST_WEIGHTS:,} is the most")
    if (work := graph.work()) > _MOST_WORK:
        raise ClassifierError(
            f"the model takes {work:,} multiplications per image; at most {_MOST_WORK:,} are accepted"
        )
    if (floats := graph.floats()) > _MOST_FLOATS:
        raise ClassifierError(f"the model's layers give {floats:,} numbers per image; {_MOST_FLOATS:,} is the most")
    if (floats := graph.floats_at_once()) > _MOST_FLOATS_AT_ONCE:
        raise ClassifierError(
            f"the model needs {floats:,} numbers per image at a time; {_MOST_FLOATS_AT_ONCE:,} is the most"
        )
