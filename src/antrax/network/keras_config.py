"""Graphs as the JSON by which Keras 3 describes a model, and back.

Only the kinds of layers that `graph` knows are read, and nothing of a file is ever executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from antrax.errors import ClassifierError
from antrax.network.graph import LARGEST, Graph, Kind, Layer, Shape

# The options of each kind that Graph keeps; others must have the value that the computation takes for granted.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "InputLayer": ("batch_shape",),
    "Rescaling": ("scale", "offset"),
    "ZeroPadding2D": ("padding",),
    "Conv2D": ("filters", "kernel_size", "strides", "use_bias"),
    "BatchNormalization": ("epsilon",),
    "MaxPooling2D": ("pool_size", "strides"),
    "AveragePooling2D": ("pool_size", "strides"),
    "Dense": ("units", "use_bias", "activation"),
}
_TAKEN_FOR_GRANTED: dict[str, Any] = {
    "padding": "valid",
    "data_format": "channels_last",
    "dilation_rate": [1, 1],
    "groups": 1,
    "activation": "linear",
    "axis": -1,
    "center": True,
    "scale": True,
    "keepdims": False,
    "max_value": None,
    "negative_slope": 0.0,
    "threshold": 0.0,
    "quantization_config": None,
    "lora_rank": None,
}
_FLOAT32 = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
_MOST_LAYERS = 200


def to_keras_config(graph: Graph) -> str:
    """The `model_config` by which `keras.models.load_model` builds `graph`."""
    shapes = graph.shapes()

    def tensor(name: str) -> dict[str, Any]:
        shape = [None, *shapes[name]]
        return {
            "class_name": "__keras_tensor__",
            "config": {"shape": shape, "dtype": "float32", "keras_history": [name, 0, 0]},
        }

    layers = []
    for layer in graph.layers:
        config: dict[str, Any] = {"name": layer.name, "trainable": True, "dtype": _FLOAT32, **layer.options}
        if layer.kind == "InputLayer":
            config = {"name": layer.name, "dtype": "float32", "sparse": False, **layer.options}
        inbound: list[dict[str, Any]] = []
        if layer.inputs:
            tensors = [tensor(name) for name in layer.inputs]
            inbound = [{"args": [tensors] if layer.kind == "Concatenate" else tensors, "kwargs": {}}]
        layers.append({"class_name": layer.kind, "config": config, "name": layer.name, "inbound_nodes": inbound})
    return json.dumps(
        {
            "class_name": "Functional",
            "config": {
                "name": graph.name,
                "trainable": True,
                "layers": layers,
                "input_layers": [[graph.layers[0].name, 0, 0]],
                "output_layers": [[graph.layers[-1].name, 0, 0]],
            },
        }
    )


def from_keras_config(text: str) -> Graph:
    """Read a `model_config`.

    Raises
    ------
    ClassifierError
        It is no model, or one with layers or options that this version does not compute.
    """
    try:
        model = json.loads(text)
        if model["class_name"] != "Functional":
            raise ClassifierError(f"a {model['class_name']} model, which this version does not read")
        config = model["config"]
        if not 0 < len(config["layers"]) <= _MOST_LAYERS:
            raise ClassifierError(f"a model of {len(config['layers'])} layers, which this version does not read")
        layers = tuple(_layer(entry) for entry in config["layers"])
        graph = Graph(str(config["name"]), layers)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise ClassifierError(f"its model description is broken ({type(error).__name__}: {error})") from None
    _check(graph)
    return graph


def _layer(entry: Mapping[str, Any]) -> Layer:
    kind, config = entry["class_name"], entry["config"]
    if kind not in get_args(Kind):
        raise ClassifierError(f"it has a layer of kind {kind}, which this version does not compute")
    kept = _OPTIONS.get(kind, ())
    for option, expected in _TAKEN_FOR_GRANTED.items():
        if option in config and option not in kept and config[option] != expected:
            raise ClassifierError(
                f"layer {entry['name']!r}: {option}={config[option]!r}, which this version does not compute"
            )
    options = {option: _tuple(config[option]) for option in kept}
    return Layer(kind, str(entry["name"]), _inputs(entry["inbound_nodes"]), options)


def _inputs(nodes: list[dict[str, Any]]) -> tuple[str, ...]:
    if not nodes:
        return ()
    (node,) = nodes
    tensors = [item for argument in node["args"] for item in (argument if isinstance(argument, list) else [argument])]
    return tuple(str(tensor["config"]["keras_history"][0]) for tensor in tensors)


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value


def _check(graph: Graph) -> None:
    """Raise ClassifierError unless the graph can be computed: one image in, one softmax out, every shape right."""
    first, last = graph.layers[0], graph.layers[-1]
    known: set[str] = set()
    for layer in graph.layers:
        if not set(layer.inputs) <= known or bool(layer.inputs) == (layer is first) or layer.name in known:
            raise ClassifierError(f"layer {layer.name!r} is not connected to the layers before it")
        known.add(layer.name)
    if first.kind != "InputLayer" or last.kind != "Dense" or last.options["activation"] != "softmax":
        raise ClassifierError("the model does not go from images to a softmax over labels")
    shapes: dict[str, Shape] = graph.shapes()
    rows, columns, channels = shapes[first.name]
    if rows != columns or channels != 3 or rows > LARGEST:
        raise ClassifierError(f"the model takes images of shape {shapes[first.name]}; expected (S, S, 3)")
