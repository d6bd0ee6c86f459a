"""Classifier files in the layouts that anTraX wrote, with TensorFlow 2 and 1.15, from committed layouts and seeds."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .reference.seeded import seeded_weight

REFERENCES: dict[str, Any] = json.loads(
    gzip.decompress((Path(__file__).parent / "reference" / "keras2.json.gz").read_bytes())
)
CLASSES = ("BG", "GB", "NoAnt", "long_label_", "Unknown")


def model_config(name: str, style: str) -> str:
    """The description of a reference model as TensorFlow `2` or `1.15` writes it."""
    text: str = REFERENCES[name]["model_config"]
    return text if style == "2" else json.dumps(_as_tensorflow_1(json.loads(text), outermost=True))


def _as_tensorflow_1(model: dict[str, Any], outermost: bool) -> dict[str, Any]:
    model = copy.deepcopy(model)
    layers = []
    for entry in model["config"]["layers"]:
        for key in ("module", "registered_name", "build_config"):
            entry.pop(key, None)
        config = entry["config"]
        if entry["class_name"] in ("Functional", "Sequential"):
            kept = {key: entry[key] for key in ("name", "inbound_nodes") if key in entry}
            entry = _as_tensorflow_1(entry, outermost=False) | kept
        elif entry["class_name"] == "InputLayer" and model["class_name"] == "Sequential":
            first = config["batch_input_shape"]
            continue
        elif entry["class_name"] == "BatchNormalization":
            entry["class_name"] = "BatchNormalizationV1"
        if "kernel_initializer" in config:
            config["kernel_initializer"] = {
                "class_name": "GlorotUniform",
                "config": {"seed": None, "dtype": "float32"},
            }
            config.pop("groups", None)
        if outermost and not layers and model["class_name"] == "Sequential" and "layers" not in config:
            config["batch_input_shape"] = first
        layers.append(entry)
    model["class_name"] = "Model" if model["class_name"] == "Functional" else "Sequential"
    model["config"] = {
        key: value for key, value in model["config"].items() if key in ("name", "input_layers", "output_layers")
    } | {"layers": layers}
    return {key: model[key] for key in ("class_name", "config")}


def write_antrax_file(
    path: Path, name: str, style: str = "2", *, classes: tuple[str, ...] = CLASSES, **parameters: Any
) -> Path:
    """A file as anTraX wrote it."""
    reference = REFERENCES[name]
    prmtrs = {
        "name": path.stem,
        "nclasses": len(classes),
        "modeltype": name.split()[0] if name != "custom" else "/home/lab/my_model.json",
        "json": None,
        "use_min_conf": True,
        "consv_factor": 0.5,
        "min_conf": 0.9,
        "min_conf_short": 0.99,
        "background": "white",
        "target_size": reference["size"],
        "crop_size": None,
        "unknown_weight": 20,
        "multi_weight": 0.1,
        "scale": 1,
        "loss": "categorical_crossentropy",
        "optimizer": "adam",
        "metrics": ["accuracy"],
        "hsymmetry": False,
        **parameters,
    }
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = reference["keras_version"] if style == "2" else b"2.2.4-tf"
        file.attrs["backend"] = "tensorflow" if style == "2" else b"tensorflow"
        file.attrs["model_config"] = model_config(name, style) if style == "2" else model_config(name, style).encode()
        weights = file.create_group("model_weights")
        _put_names(weights, "layer_names", list(reference["groups"]), style)
        count = 0
        for layer, stored in reference["groups"].items():
            group = weights.create_group(layer)
            # TensorFlow 1 numbered the names of a model that was made, or loaded, twice in one session
            names = [weight if style == "2" else weight.replace("/", "_1/") for weight, _ in stored]
            _put_names(group, "weight_names", names, style)
            for new, (weight, shape) in zip(names, stored, strict=True):
                group[new] = seeded_weight(count, weight, tuple(shape), reference["gain"])
                count += 1
        file.create_dataset("prmtrs", data=json.dumps(prmtrs))
        file.create_dataset("classes", (len(classes), 1), "S10", [np.bytes_(label) for label in classes])
    return path


def _put_names(group: h5py.Group, attribute: str, names: list[str], style: str) -> None:
    """TensorFlow 1 came with an h5py that stored texts side by side."""
    if style == "2":
        group.attrs[attribute] = names
    else:
        group.attrs[attribute] = np.array([name.encode() for name in names] or np.zeros(0))
