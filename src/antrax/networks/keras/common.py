"""Graphs in layers that all versions of Keras compute alike, from TensorFlow 1.15's to Keras 3."""

from __future__ import annotations

import numpy as np

from antrax.networks.graph import Graph, Weights
from antrax.networks.layers import Layer, Shape, make_layer

# Keras's default. A variance of one less this makes a batch normalisation that only scales and shifts.
_EPSILON = 1e-3


def common_graph(graph: Graph, weights: Weights) -> tuple[Graph, Weights]:
    """The same function in layers that every version of Keras has and computes alike.

    A `Rescaling`, which TensorFlow 1.15 lacks, becomes a batch normalisation; the hard sigmoid, of which Keras 2 has
    another, becomes a ReLU between two of these.

    Parameters
    ----------
    graph : Graph
    weights : Weights

    Returns
    -------
    Graph, Weights
        The layers that others use keep their names, and their weights.
    """
    shapes = graph.shapes()
    names = {layer.name for layer in graph.layers}
    layers: list[Layer] = []
    made = dict(weights)

    def add_scaling(name: str, source: str, scale: object, offset: object, shape: Shape) -> None:
        layers.append(make_layer("BatchNormalization", name, (source,), epsilon=_EPSILON))
        ones = np.ones(shape[-1:], np.float32)
        made[f"{name}/gamma"] = ones * np.asarray(scale, np.float32)
        made[f"{name}/beta"] = ones * np.asarray(offset, np.float32)
        made[f"{name}/moving_mean"] = 0 * ones
        made[f"{name}/moving_variance"] = np.float32(1 - _EPSILON) * ones

    def new_name(name: str) -> str:
        while name in names:
            name += "_"
        names.add(name)
        return name

    for layer in graph.layers:
        options = layer.options
        if layer.kind == "Rescaling":
            add_scaling(layer.name, layer.inputs[0], options["scale"], options["offset"], shapes[layer.name])
        elif options.get("activation") == "hard_sigmoid":
            shifted, cut = new_name(f"{layer.name}_shifted"), new_name(f"{layer.name}_cut")
            add_scaling(shifted, layer.inputs[0], 1.0, 3.0, shapes[layer.name])
            layers.append(make_layer("ReLU", cut, (shifted,), max_value=6.0))
            add_scaling(layer.name, cut, 1 / 6, 0.0, shapes[layer.name])
        else:
            layers.append(layer)
    common = Graph(graph.name, tuple(layers))
    return common, {name: made[name] for name in common.weight_shapes()}
