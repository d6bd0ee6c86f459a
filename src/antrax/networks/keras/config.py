"""Conversion between graphs and Keras's JSON description of a model.

Only the kinds of layers that `layers.KINDS` lists are read, and nothing of a file is ever executed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from antrax.errors import ClassifierError
from antrax.networks.graph import Graph, check_graph
from antrax.networks.keras.keras2 import HARD_SIGMOID, is_keras2
from antrax.networks.keras.nodes import RUNNING, Node, flatten_model, unique_name
from antrax.networks.layers import BOUNDED, KINDS, MERGING, NOISE, Layer, is_softmax, make_layer

_LONGEST_TEXT = 16 * 2**20
_FLOAT32 = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}

# Options without effect in prediction.
_IDLE = frozenset(
    (
        *("name", "trainable", "dtype", "input_dtype", "batch_input_shape", "input_shape", "build_config", "autocast"),
        *("sparse", "ragged", "optional", "implementation", "fused", "momentum", "seed", "noise_shape"),
        *("virtual_batch_size", "renorm_momentum", "renorm_clipping"),
    )
)
_IDLE_ENDINGS = ("_initializer", "_regularizer", "_constraint")
# Options that a graph does not store, with the only value that is accepted.
_TAKEN_FOR_GRANTED: dict[str, tuple[Any, ...]] = {
    "data_format": (None, "channels_last"),
    "activation": (None, "linear"),
    "dilation_rate": (1, [1, 1]),
    "groups": (None, 1),
    "renorm": (None, False),
}

# Layers that change images in training and hand them on as they are in prediction (unlike RandomCrop).
_AUGMENTING = frozenset(
    f"Random{what}"
    for what in (
        *("Flip", "Rotation", "Zoom", "Translation", "Height", "Width", "Shear", "Perspective", "ElasticTransform"),
        *("Contrast", "Brightness", "Hue", "Saturation", "Sharpness", "ColorJitter", "ColorDegeneration", "Grayscale"),
        *("Posterization", "Invert", "GaussianBlur", "Erasing"),
    )
)
# Options that some kinds of layers do not have in TensorFlow 1.15.
_LATE = frozenset(("groups", "keepdims", "dilation_rate"))

_RELUS: dict[str, tuple[str, dict[str, float]]] = {
    "relu": ("ReLU", {}),
    "relu6": ("ReLU", {"max_value": 6.0}),
    "leaky_relu": ("ReLU", {"negative_slope": 0.2}),
    "elu": ("ELU", {}),
}
_SYNONYMS = {"swish": "silu", "hard_swish": "hard_silu"}


@dataclass(frozen=True)
class Stored:
    """Where a Keras file keeps one weight of a graph.

    Parameters
    ----------
    weight : str
        Its name in the graph, `layer/variable`.
    layer : str
        What the layer was called when the file was written, after the models within the group that it is in.
    variables : tuple of str
        What the weight may be called.
    trainable : bool
        Keras lists what is trained first.
    """

    weight: str
    layer: str
    variables: tuple[str, ...]
    trainable: bool


@dataclass(frozen=True)
class Description:
    """A model as a file describes it.

    Parameters
    ----------
    graph : Graph
    groups : mapping of str to list of Stored
        By the group of the file, the weights that lie there, in the order of the layers.
    """

    graph: Graph
    groups: Mapping[str, list[Stored]]


def to_keras_config(graph: Graph) -> str:
    """The `model_config` by which `keras.models.load_model` builds `graph`, with the softmax at its end."""
    shapes = graph.shapes()

    def tensor(name: str) -> dict[str, Any]:
        shape = [None, *shapes[name]]
        return {
            "class_name": "__keras_tensor__",
            "config": {"shape": shape, "dtype": "float32", "keras_history": [name, 0, 0]},
        }

    softmax = {"activation": "softmax"}
    last = graph.layers[-1]
    layers = list(graph.layers)
    if last.kind != "Dense":
        name = unique_name("probabilities", {layer.name for layer in layers})
        layers.append(Layer("Activation", name, (last.name,), softmax))
    entries = []
    for layer in layers:
        config: dict[str, Any] = {"name": layer.name, "dtype": _FLOAT32, **layer.options}
        if layer is last and layer.kind == "Dense":
            config |= softmax
        if layer.kind == "InputLayer":
            config = {"name": layer.name, "dtype": "float32", "sparse": False, **layer.options}
        inbound: list[dict[str, Any]] = []
        if layer.inputs:
            tensors = [tensor(name) for name in layer.inputs]
            inbound = [{"args": [tensors] if layer.kind in MERGING else tensors, "kwargs": {}}]
        entries.append({"class_name": layer.kind, "config": config, "name": layer.name, "inbound_nodes": inbound})
    return json.dumps(
        {
            "class_name": "Functional",
            "config": {
                "name": graph.name,
                "trainable": True,
                "layers": entries,
                "input_layers": [[layers[0].name, 0, 0]],
                "output_layers": [[layers[-1].name, 0, 0]],
            },
        }
    )


def to_common_config(graph: Graph) -> str:
    """The `model_config` by which TensorFlow 1.15, Keras 2 and Keras 3 all build `common_graph(graph)`.

    In the words of TensorFlow 1.15's Keras, with a softmax at the end. Options that later versions brought, and earlier
    ones refuse, are left out where they have Keras's default.
    """
    last = graph.layers[-1]
    layers = list(graph.layers)
    if last.kind != "Dense":
        name = unique_name("probabilities", {layer.name for layer in layers})
        layers.append(Layer("Activation", name, (last.name,), {"activation": "softmax"}))
    entries = []
    for layer in layers:
        known = KINDS[layer.kind].options
        kept = {name: value for name, value in layer.options.items() if name not in _LATE or value != known[name][1]}
        config: dict[str, Any] = {"name": layer.name, "dtype": "float32", **kept}
        if layer.kind == "InputLayer":
            shape = config.pop("batch_shape")
            config = {"name": layer.name, "dtype": "float32", "sparse": False, "batch_input_shape": shape}
        elif layer is last and layer.kind == "Dense":
            config["activation"] = "softmax"
        inbound = [[[source, 0, 0, {}] for source in layer.inputs]] if layer.inputs else []
        entries.append({"class_name": layer.kind, "config": config, "name": layer.name, "inbound_nodes": inbound})
    ends = {"input_layers": [[layers[0].name, 0, 0]], "output_layers": [[layers[-1].name, 0, 0]]}
    return json.dumps({"class_name": "Model", "config": {"name": graph.name, "layers": entries, **ends}})


def from_keras_config(text: str, keras_version: str = "") -> Graph:
    """Read a `model_config`; see `describe`."""
    return describe(text, keras_version).graph


def from_model_json(text: str) -> Graph:
    """Read what `model.to_json()` of Keras 2 or 3 wrote: an architecture of a user's own.

    Raises
    ------
    ClassifierError
        It is no model, or one with layers or options that this version does not compute.
    """
    graph = describe(text).graph
    return Graph("custom", graph.layers)


def describe(text: str, keras_version: str = "") -> Description:
    """Read a description of a model, of Keras 2 or 3.

    Models in models become one flat graph, activations layers of their own, separable convolutions two layers. A
    softmax at the end is left out, for a graph gives what the softmax is of.

    Parameters
    ----------
    text : str
        JSON.
    keras_version : str
        Version that the file says; empty where it says none.

    Raises
    ------
    ClassifierError
        It is no model, or one with layers or options that this version does not compute, or one far too large.
    """
    if len(text) > _LONGEST_TEXT:
        raise ClassifierError("its model description is too long")
    try:
        model = _parse(text)
        if not isinstance(model, dict) or "class_name" not in model:
            raise ClassifierError("it is no description of a model by Keras (model.to_json())")
        config = model.get("config")
        name = str(config.get("name", "model")) if isinstance(config, dict) else "model"
        nodes, output = flatten_model(model, is_keras2(keras_version, model))
        described = _Reader(nodes).read(name, output)
        check_graph(described.graph)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        problem = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ClassifierError(f"its model description is broken ({problem})") from None
    return described


def _parse(text: str) -> Any:
    if not text.strip():
        raise ClassifierError("its model description is broken: it is empty")
    try:
        value = json.loads(text)
        # `json.dump(model.to_json(), file)` encodes the description twice
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ClassifierError(f"its model description is broken: it is no JSON ({where})") from None


def _check_precision(node: Node) -> None:
    """Raise ClassifierError for whole numbers and quantised ones; floats of any kind are computed as single ones."""
    precision = node.config.get("dtype")
    if isinstance(precision, dict) and precision.get("class_name") in ("DTypePolicy", "Policy"):
        precision = precision["config"]["name"]
    if precision is not None and not re.fullmatch(r"(mixed_)?(float16|bfloat16|float32|float64)", str(precision)):
        raise ClassifierError(f"layer {node.name!r}: dtype={str(precision)[:60]}, which this version does not compute")


class _Reader:
    """Turns Keras's layers into the graph's."""

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes
        self._taken = {node.name for node in nodes}
        self._layers: dict[str, Layer] = {}
        # what a node's output is called in the graph
        self._output: dict[str, str] = {}
        # where the weights of a layer come from, and what they are called there if not as in the graph
        self._origin: dict[str, tuple[Node, Mapping[str, str]]] = {}

    def read(self, name: str, output: str) -> Description:
        """The graph of the layers that `output` needs."""
        for node in self._nodes:
            self._output[node.name] = self._add(node, tuple(self._output[source] for source in node.inputs))
        last = self._without_softmax(self._output[output])
        needed = {last}
        for layer in reversed(self._layers.values()):
            if layer.name in needed:
                needed.update(layer.inputs)
        graph = Graph(unique_name(name, set()), tuple(x for x in self._layers.values() if x.name in needed))
        check_graph(graph)
        return Description(graph, self._groups(graph))

    def _put(self, kind: str, name: str, inputs: tuple[str, ...], **options: Any) -> str:
        self._layers[name] = make_layer(kind, name, inputs, **options)
        return name

    def _add(self, node: Node, inputs: tuple[str, ...]) -> str:
        """Add the layers that a node stands for; returns the name of the one that gives its output."""
        kind, name, config = node.kind, node.name, node.config
        _check_precision(node)
        if kind == "ActivityRegularization" or kind in _AUGMENTING:
            return inputs[0]
        if kind == "Activation":
            return self._activate(name, config["activation"], inputs, node, name)
        if kind == "LeakyReLU":
            return self._put("ReLU", name, inputs, negative_slope=config.get("negative_slope", 0.3))
        separable = kind == "SeparableConv2D"
        if kind in RUNNING:
            raise ClassifierError(
                f"it has a layer of kind {kind} ({name}), which would run code of the file; say what it computes in "
                "other layers, such as Rescaling"
            )
        if kind not in KINDS and not separable:
            raise ClassifierError(f"it has a layer of kind {kind[:60]}, which this version does not compute")
        options = self._options(node, ("Conv2D", "DepthwiseConv2D") if separable else (kind,))
        if separable:
            depthwise = unique_name(f"{name}_depthwise", self._taken)
            first = {key: value for key, value in options.items() if key in KINDS["DepthwiseConv2D"].options}
            self._put("DepthwiseConv2D", depthwise, inputs, **{**first, "use_bias": False})
            self._origin[depthwise] = node, {"kernel": "depthwise_kernel"}
            second = {key: options[key] for key in ("filters", "use_bias") if key in options}
            self._put("Conv2D", name, (depthwise,), kernel_size=1, **second)
            self._origin[name] = node, {"kernel": "pointwise_kernel"}
        else:
            self._put(kind, name, inputs, **options)
            self._origin[name] = node, {"kernel": "depthwise_kernel"} if kind == "DepthwiseConv2D" else {}
        if (activation := config.get("activation", "linear")) in ("linear", None):
            return name
        return self._activate(unique_name(f"{name}_activation", self._taken), activation, (name,), node, name)

    def _activate(self, name: str, activation: Any, inputs: tuple[str, ...], node: Node, feed: str) -> str:
        if activation == "linear" or activation is None:
            return inputs[0]
        if activation == HARD_SIGMOID:
            scaled = unique_name(f"{name}_scaled", self._taken)
            inputs, activation = (self._put("Rescaling", scaled, inputs, scale=1.2),), "hard_sigmoid"
        if not isinstance(activation, str):
            what = activation.get("registered_name") or activation.get("config") if isinstance(activation, dict) else ""
            raise ClassifierError(f"layer {node.name!r}: an activation {str(what)[:60]!r} that is not Keras's own")
        kind, options = _RELUS.get(activation, ("Activation", {"activation": _SYNONYMS.get(activation, activation)}))
        return self._put(kind, name, inputs, **options)

    def _options(self, node: Node, kinds: tuple[str, ...]) -> dict[str, Any]:
        """The options of a layer that its kind has; raises ClassifierError for others that would matter."""
        kept = {option for kind in kinds for option in KINDS[kind].options}
        for option, value in node.config.items():
            if option in kept or option in _IDLE or option.endswith(_IDLE_ENDINGS):
                continue
            # what we do not know is harmless where it is not switched on
            known = _TAKEN_FOR_GRANTED.get(option)
            if option != "activation" and not (value in known if known else value is None or value is False):
                raise ClassifierError(
                    f"layer {node.name!r}: {option[:60]}={str(value)[:60]}, which this version does not compute"
                )
        return {option: value for option, value in node.config.items() if option in kept}

    def _without_softmax(self, output: str) -> str:
        """Take the softmax off the end; returns the name of what is then the last layer."""
        passed: list[Layer] = []
        layer = self._layers[output]
        while len(layer.inputs) == 1 and layer.kind in (
            *NOISE,
            "Flatten",
            "Reshape",
            "GlobalAveragePooling2D",
            "GlobalMaxPooling2D",
        ):
            passed.append(layer)
            layer = self._layers[layer.inputs[0]]
        if not is_softmax(layer):
            if not passed and layer.kind in ("Activation", "ReLU", "ELU", "PReLU"):
                raise ClassifierError(
                    f"the model ends in {layer.options.get('activation', layer.kind)}; it must end in a softmax over "
                    "labels, or in what a softmax is of"
                )
            self._check_unbounded(output)
            return output
        graph = Graph("", tuple(self._layers.values()))
        shapes = graph.shapes()
        shape = shapes[layer.name]
        moved = bool(passed) and (math.prod(shape[:-1]) != 1 or shapes[output] != shape[-1:])
        if layer.options.get("axis", -1) not in (-1, len(shape)) or moved:
            raise ClassifierError("the model has a softmax that is not over labels, or not at its end")
        del self._layers[layer.name]
        if not passed:
            return layer.inputs[0]
        after = passed[-1]
        self._layers[after.name] = Layer(after.kind, after.name, layer.inputs, after.options)
        return output

    def _check_unbounded(self, output: str) -> None:
        """Raise ClassifierError where what should be the input of a softmax has been through one, or through its like.

        As in the mean of the answers of several networks: these are probabilities already.
        """
        waiting, seen = [output], set[str]()
        while waiting:
            layer = self._layers[waiting.pop()]
            if is_softmax(layer) or layer.options.get("activation") in BOUNDED:
                raise ClassifierError(
                    f"the model does not end in a softmax, but gives what went through one, or through a like "
                    f"activation, before (layer {layer.name!r}); it must end in a softmax over labels, or in what a "
                    "softmax is of"
                )
            if layer.kind not in ("Conv2D", "DepthwiseConv2D", "Dense"):
                waiting += set(layer.inputs) - seen
                seen.update(layer.inputs)

    def _groups(self, graph: Graph) -> dict[str, list[Stored]]:
        """Where the weights of a graph lie in the file."""
        groups: dict[str, list[Stored]] = {}
        for layer, variables in graph.layer_weights().items():
            node, renamed = self._origin[layer]
            if node.again:
                raise ClassifierError(
                    f"layer {node.layer[:60]!r} is used more than once with the same weights, which this version does "
                    "not compute"
                )
            for variable in variables:
                # Keras 3 calls the kernel of a depthwise convolution just that
                names = tuple(dict.fromkeys([renamed.get(variable, variable), variable]))
                trained = node.trainable and not variable.startswith("moving_")
                groups.setdefault(node.group, []).append(Stored(f"{layer}/{variable}", node.layer, names, trained))
        return groups
