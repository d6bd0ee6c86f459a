"""Flattening of Keras's descriptions of (nested) models to one list of layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Any

from antrax.errors import ClassifierError
from antrax.networks.graph import MOST_LAYERS
from antrax.networks.keras.keras2 import translate

MODELS = ("Sequential", "Functional", "Model")
# Kinds of layers that hold code, or the name of some.
RUNNING = (
    "Lambda",
    "TFOpLambda",
    "SlicingOpLambda",
    "TensorFlowOpLayer",
    "TorchModuleWrapper",
    "JaxLayer",
    "FlaxLayer",
)
_DEEPEST = 20
# Operations on tensors, as in `x + y`, that do what the layers of these names do.
_OPERATIONS = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")


@dataclass(frozen=True)
class Node:
    """One use of a layer.

    Parameters
    ----------
    kind : str
        Keras's name of the class.
    name : str
        Unique in the list.
    inputs : tuple of str
        Names of the nodes that feed it.
    config : mapping
        Its options in Keras 3's words.
    group, layer : str
        In a file, weights lie in the group of the outermost model's layer; `layer` is what this one was called, after
        the names of the models within that layer that it is in.
    trainable : bool
        Whether all of its weights were.
    again : bool
        Whether the same layer is another node too, with the same weights.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    config: Mapping[str, Any]
    group: str
    layer: str
    trainable: bool
    again: bool


def flatten_model(model: Any, keras2: bool) -> tuple[list[Node], str]:
    """The layers of a model in an order in which they can be computed, and the name of the one that answers.

    Raises
    ------
    ClassifierError
        It is no model, or not one with one input and one output.
    KeyError, TypeError, ValueError, AttributeError, IndexError
        The description is broken.
    """
    flattener = _Flattener(keras2)
    output = flattener.add_model(model, None, _Position())
    return flattener.nodes, output


@dataclass(frozen=True)
class _Position:
    """Where in models in models a layer is; see `Node`."""

    group: str = ""
    within: str = ""
    trainable: bool = True
    again: bool = False
    depth: int = 0


class _Flattener:
    def __init__(self, keras2: bool) -> None:
        self._keras2 = keras2
        # no layer may be called what the input and output of an ONNX model are called
        self._names = {"images", "log_probabilities"}
        self.nodes: list[Node] = []

    def add_model(self, model: Mapping[str, Any], feed: str | None, place: _Position) -> str:
        """Add a model's layers, fed by a node (None: by images); returns the name of the node that answers."""
        if place.depth > _DEEPEST:
            raise ClassifierError(f"it has models in models, {_DEEPEST} deep")
        kind, config = model["class_name"], model["config"]
        if kind not in MODELS:
            raise ClassifierError(f"it is no model but a {_short(kind)}, which this version does not compute")
        if kind == "Sequential":
            return self._add_sequential(config, feed, place)
        return self._add_functional(config, feed, place)

    def _add_sequential(self, config: Any, feed: str | None, place: _Position) -> str:
        # the oldest files have the list of layers alone
        layers = config["layers"] if isinstance(config, dict) else config
        first = layers[0]
        if feed is None and first["class_name"] not in ("InputLayer", *MODELS):
            shape = first["config"].get("batch_input_shape") or first["config"].get("batch_shape")
            shape = shape or (config.get("build_input_shape") if isinstance(config, dict) else None)
            if not shape:
                raise ClassifierError("the model does not say the size of the images it takes; add an Input layer")
            feed = self._add_node("InputLayer", "image", (), {"batch_shape": shape}, "", place)
        for entry in layers:
            feed = self._add_layer(entry, () if feed is None else (feed,), place)
        assert feed is not None
        return feed

    def _add_functional(self, config: Mapping[str, Any], feed: str | None, place: _Position) -> str:
        given, wanted = _ends(config, "input_layers"), _ends(config, "output_layers")
        made: dict[tuple[str, int], str] = {}
        names: set[str] = set()
        uses: list[tuple[Any, str, int, list[tuple[str, int]]]] = []
        for entry in config["layers"]:
            name = str(entry.get("name") or entry["config"]["name"])
            if entry["class_name"] == "InputLayer":
                if (name, 0) != given:
                    raise ClassifierError("the model takes more than one image at a time")
                made[given] = feed if feed is not None else self._add_layer(entry, (), place)
                continue
            if len(uses) + len(entry["inbound_nodes"]) > MOST_LAYERS:
                raise ClassifierError(f"the model has more than {MOST_LAYERS} layers")
            if name in names:
                raise ClassifierError(f"two layers are called {_short(name)!r}")
            names.add(name)
            if entry["class_name"] in MODELS and len(entry["inbound_nodes"]) > 1:
                raise ClassifierError(f"the model {_short(name)!r} within it is used more than once")
            uses += [(entry, name, use, _sources(node)) for use, node in enumerate(entry["inbound_nodes"])]
        # the earliest that can be, for its sources are there (Kahn, 1962)
        missing = [set(sources) - set(made) for _, _, _, sources in uses]
        waiting: dict[tuple[str, int], list[int]] = {}
        for number, awaited in enumerate(missing):
            for source in awaited:
                waiting.setdefault(source, []).append(number)
        ready = [number for number, awaited in enumerate(missing) if not awaited]
        while ready:
            entry, name, use, sources = uses[heappop(ready)]
            inputs = tuple(made[source] for source in sources)
            output = self._add_layer(entry, inputs, replace(place, again=place.again or use > 0))
            # to Keras, how a model was made was its first use
            for key in ((name, use), (name, 1)) if entry["class_name"] in MODELS else ((name, use),):
                made[key] = output
                for number in waiting.pop(key, ()):
                    missing[number].remove(key)
                    if not missing[number]:
                        heappush(ready, number)
        if stuck := [name for (_, name, _, _), awaited in zip(uses, missing, strict=True) if awaited]:
            raise ClassifierError(f"layer {_short(stuck[0])!r} is not connected to the layers before it")
        if wanted not in made:
            raise ClassifierError(f"its last layer {_short(wanted[0])!r} is missing")
        return made[wanted]

    def _add_layer(self, entry: Mapping[str, Any], inputs: tuple[str, ...], place: _Position) -> str:
        kind, config = entry["class_name"], entry["config"]
        _check_origin(entry)
        name = str((config.get("name") if isinstance(config, dict) else None) or entry.get("name") or kind)
        trainable = place.trainable and bool(config.get("trainable", True) if isinstance(config, dict) else True)
        place = replace(place, group=place.group or name, trainable=trainable)
        if kind in MODELS:
            if len(inputs) > 1:
                raise ClassifierError(f"the model {_short(name)!r} within it takes more than one input")
            # the outermost gives its name to the group instead
            within = f"{place.within}{name}/" if place.depth else ""
            inner = replace(place, within=within, depth=place.depth + 1)
            return self.add_model(entry, inputs[0] if inputs else None, inner)
        if self._keras2:
            kind, config = translate(kind, config)
        if kind == "InputLayer" and inputs:
            return inputs[0]
        return self._add_node(kind, name, inputs, config, place.within + name, place)

    def _add_node(
        self, kind: str, name: str, inputs: tuple[str, ...], config: Mapping[str, Any], layer: str, place: _Position
    ) -> str:
        if len(self.nodes) >= MOST_LAYERS:
            raise ClassifierError(f"the model has more than {MOST_LAYERS} layers")
        name = unique_name(name, self._names)
        self.nodes.append(Node(kind, name, inputs, config, place.group, layer, place.trainable, place.again))
        return name


def unique_name(name: str, taken: set[str]) -> str:
    """A name that HDF5 and Keras take, and that is not taken yet; it is then."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name[:100]) or "layer"
    found, number = plain, 1
    while found in taken:
        found, number = f"{plain}_{number}", number + 1
    taken.add(found)
    return found


def _check_origin(entry: Mapping[str, Any]) -> None:
    """Raise ClassifierError for what is not Keras's own."""
    kind, module, registered = entry["class_name"], entry.get("module"), entry.get("registered_name")
    if not isinstance(kind, str):
        raise TypeError(f"a class of type {type(kind).__name__}")
    if registered not in (None, kind) or str(module or "keras").split(".")[0] not in ("keras", "tf_keras"):
        raise ClassifierError(
            f"it has a layer of kind {_short(registered or kind)}, which is not Keras's own, and this version does not "
            "compute"
        )
    if ".ops" in str(module) and kind not in _OPERATIONS:
        raise ClassifierError(f"it has an operation {_short(kind)} of keras.ops, which this version does not compute")


def _ends(config: Mapping[str, Any], key: str) -> tuple[str, int]:
    """The one input or output of a model: its layer, and which use of it."""
    ends = config[key]
    if isinstance(ends, dict) or not ends:
        raise ClassifierError(f"its {key} are given in a form that this version does not read")
    if not isinstance(ends[0], str):
        if len(ends) != 1:
            raise ClassifierError(f"the model has {len(ends)} {key.replace('_layers', 's')}; one is expected")
        (ends,) = ends
    name, use, tensor = ends
    if tensor != 0:
        raise ClassifierError(f"the model takes output {_short(tensor)} of layer {_short(name)!r}")
    return str(name), int(use)


def _sources(node: Any) -> list[tuple[str, int]]:
    """Which uses of which layers feed one use of a layer, as Keras 3 or Keras 2 tells."""
    if isinstance(node, dict):
        options = dict(node["kwargs"])
        tensors = [
            item for argument in node["args"] for item in (argument if isinstance(argument, list) else [argument])
        ]
        if not all(isinstance(tensor, dict) for tensor in tensors):
            raise ClassifierError(
                "it computes with a number or an array between layers (as in x / 255), which this version does not "
                "compute; say it with a layer, such as Rescaling"
            )
        histories = [tensor["config"]["keras_history"] for tensor in tensors]
    else:
        histories = [node] if isinstance(node[0], str) else list(node)
        options = {key: value for history in histories for key, value in (history[3] if history[3:] else {}).items()}
    for option, value in options.items():
        if value is not None and not (option == "training" and value is False):
            raise ClassifierError(f"a layer is called with {_short(option)}={_short(value)}, which is not computed")
    sources = []
    for name, use, tensor in (history[:3] for history in histories):
        if tensor != 0:
            raise ClassifierError(f"output {_short(tensor)} of layer {_short(name)!r} is used; layers have one")
        sources.append((str(name), int(use)))
    if not sources:
        raise ValueError("a layer without inputs")
    return sources


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
