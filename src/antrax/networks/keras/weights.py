"""Keras's layout of weights in HDF5: a group for each layer or nested model, with a list of their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ClassifierError
from antrax.io.untrusted_hdf5 import dataset, dataset_names, member, open_untrusted, short_texts_attribute
from antrax.networks.graph import Graph, Weights
from antrax.networks.keras.config import Stored
from antrax.networks.layers import Shape

if TYPE_CHECKING:
    import h5py

# What is written is in the words of TensorFlow 1.15's Keras, which later versions read too.
KERAS_VERSION, BACKEND = "2.2.4-tf", "tensorflow"
# Of HDF5, less what comes with it.
LARGEST_ATTRIBUTE = 64_512
# State of random numbers, which Keras 3 counts among the weights of a dropout layer.
_IDLE = "seed_generator_state"


def write_weights(group: h5py.Group, graph: Graph, weights: Weights) -> None:
    """Write the weights of a graph as Keras does, texts as bytes side by side, which all its versions read.

    Parameters
    ----------
    group : h5py.Group
        Where they are written.
    graph : Graph
        The network.
    weights : Weights
        By layer and variable.
    """
    _put_texts(group, "layer_names", [layer.name for layer in graph.layers])
    group.attrs["backend"] = np.bytes_(BACKEND)
    group.attrs["keras_version"] = np.bytes_(KERAS_VERSION)
    variables = graph.layer_weights()
    for layer in graph.layers:
        names = [f"{layer.name}/{variable}" for variable in variables.get(layer.name, ())]
        folder = group.create_group(layer.name)
        _put_texts(folder, "weight_names", names)
        for name in names:
            folder.create_dataset(name, data=weights[name])


def _put_texts(group: h5py.Group, name: str, texts: Sequence[str]) -> None:
    """Write an attribute of texts, spread over several where it would be larger than HDF5 allows, as Keras does."""
    content = np.array([text.encode() for text in texts]) if texts else np.zeros(0, "S1")
    if content.nbytes <= LARGEST_ATTRIBUTE:
        group.attrs[name] = content
        return
    count = -(-content.nbytes // LARGEST_ATTRIBUTE)
    for number, part in enumerate(np.array_split(content, count + 1)):
        group.attrs[f"{name}{number}"] = part


def read_weights(group: h5py.Group, graph: Graph, groups: Mapping[str, Sequence[Stored]]) -> Weights:
    """Read the weights of a graph from where a description says that they lie.

    Parameters
    ----------
    group : h5py.Group
        Holds one group for each of `groups`.
    graph : Graph
    groups : mapping of str to list of Stored
        See `keras_config.Description`.

    Raises
    ------
    ClassifierError
        They are not there, or not as the graph needs them.
    """
    shapes = graph.weight_shapes()
    weights: Weights = {}
    for name, wanted in groups.items():
        place = member(group, name)
        for stored, where in zip(wanted, _places(place, name, wanted), strict=True):
            weights[stored.weight] = _read(place, where, shapes[stored.weight])
    return {name: weights[name] for name in shapes}


def read_weights_in_order(path: Path, graph: Graph, names: Sequence[str], what: str) -> Weights:
    """Read some weights of a graph from a file of weights alone, whatever its layers are called.

    Parameters
    ----------
    path : Path
        As `model.save_weights("….h5")` of Keras 2 writes it.
    graph : Graph
    names : sequence of str
        All that the file holds, in its order.
    what : str
        What the file should be, with its article.

    Raises
    ------
    ClassifierError
        The file is missing, damaged, or has other weights.
    """
    shapes = graph.weight_shapes()
    with open_untrusted(path, what) as file:
        found = []
        for layer in short_texts_attribute(file, "layer_names"):
            place = member(file, layer)
            found += [(place, weight) for weight in short_texts_attribute(place, "weight_names")]
            if len(found) > len(names):
                break
        if len(found) != len(names):
            raise ClassifierError(f"it holds {len(found)} weights; {len(names)} are expected")
        pairs = zip(names, found, strict=True)
        return {name: _read(place, weight, shapes[name]) for name, (place, weight) in pairs}


def _read(place: h5py.Group, name: str, shape: Shape) -> NDArray[np.float32]:
    value = np.asarray(dataset(place, name, shape=shape, dtype=np.floating)[()], np.float32)
    if not np.isfinite(value).all():
        raise ClassifierError(f"{name} holds values that are no numbers")
    return value


def _places(place: h5py.Group, name: str, wanted: Sequence[Stored]) -> list[str]:
    """Where in a group each of its weights lies.

    By the names of layer and variable, which end the name of the dataset. TensorFlow 1 numbered names anew when a model
    was made twice; then by order, which is what Keras itself goes by.
    """
    # groups may be the same one under many names, so that a limit for all of them would not do
    found = [path for path in dataset_names(place, 4 * len(wanted) + 100) if _variable(path) != _IDLE]
    alone = len({stored.layer for stored in wanted}) == 1
    by_name: dict[tuple[str, str], list[str]] = {}
    for path in found:
        by_name.setdefault((_layer(path), _variable(path)), []).append(path)
        by_name.setdefault(("", _variable(path)), []).append(path)
    places = []
    for stored in wanted:
        layer = "" if alone else stored.layer.rpartition("/")[2]
        paths = [path for variable in stored.variables for path in by_name.get((layer, variable), ())]
        if len(paths) > 1:
            paths = [path for path in paths if path.rpartition("/")[0] == stored.layer]
        places += paths if len(paths) == 1 else []
    if len(places) == len(found) == len(wanted) == len(set(places)):
        return places
    order = sorted(range(len(wanted)), key=lambda index: not wanted[index].trainable)
    listed = [path for path in short_texts_attribute(place, "weight_names") if _variable(path) != _IDLE]
    if (
        len(listed) != len(wanted)
        or not set(listed) <= set(found)
        or any(_variable(path) not in wanted[index].variables for path, index in zip(listed, order, strict=True))
    ):
        raise ClassifierError(f"the weights of {name} are not those that the model describes, or some are missing")
    placed = dict(zip(order, listed, strict=True))
    return [placed[index] for index in range(len(wanted))]


def _layer(path: str) -> str:
    """`conv2d_1` for `block/conv2d_1/kernel:0`."""
    return path.rpartition("/")[0].rpartition("/")[2]


def _variable(path: str) -> str:
    """`kernel` for `conv2d_1/conv2d_1_1/kernel_1:0`."""
    return re.sub(r"(_\d+)?(:\d+)?$", "", path.rpartition("/")[2])
