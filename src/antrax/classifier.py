"""The classifier and its file: a Keras model with what anTraX and we add, read with h5py alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.calibration import Calibration
from antrax.errors import ClassifierError
from antrax.files import replacing_hdf5
from antrax.images import Background
from antrax.labels import Category
from antrax.network.graph import Graph, Shape, Weights
from antrax.network.keras_config import from_keras_config, to_keras_config

if TYPE_CHECKING:
    import h5py

SUFFIX = ".h5"
_KERAS_VERSION = "3.0.0"
_FORMAT = 1
_LONGEST_TEXT = 16 * 2**20
_MOST_SEEN = 2**24


@dataclass(frozen=True)
class Classifier:
    """Everything needed to classify, and to train on.

    Parameters
    ----------
    graph : Graph
        Architecture.
    weights : Weights
        What classifies; trained on all examples.
    labels : tuple of str
        In the order of the outputs.
    categories : mapping of str to Category
        Kind of each label in the training set.
    background : {"white", "black"}
    hsymmetry : bool
    calibration : Calibration or None
        None where nothing was held out.
    measured_weights : Weights or None
        Weights that have not seen the held-out tracklets: those that figures and calibration are of, and that
        training on starts from.
    seen : NDArray[np.uint64]
        Fingerprints of the tracklets that `measured_weights` have seen.
    record : mapping
        How it was trained: options, versions, figures. For people; nothing depends on it.
    """

    graph: Graph
    weights: Weights
    labels: tuple[str, ...]
    categories: Mapping[str, Category]
    background: Background = "white"
    hsymmetry: bool = False
    calibration: Calibration | None = None
    measured_weights: Weights | None = None
    seen: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Side length of the images that the network takes, in pixels."""
        return self.graph.size

    def digest(self) -> str:
        """Tells this classifier from any other, by what decides its answers."""
        state = blake2b(json.dumps([self.labels, to_keras_config(self.graph)]).encode(), digest_size=16)
        for name in sorted(self.weights):
            state.update(np.ascontiguousarray(self.weights[name]).tobytes())
        return state.hexdigest()


def write_classifier(classifier: Classifier, path: Path) -> None:
    """Write a classifier whole or not at all; raises `OutputError`."""
    import h5py

    text = h5py.string_dtype()
    parameters = {
        "name": path.stem,
        "nclasses": len(classifier.labels),
        "modeltype": classifier.graph.name,
        "target_size": classifier.size,
        "crop_size": None,
        "scale": 1,
        "hsymmetry": classifier.hsymmetry,
        "background": classifier.background,
        "categories": {label: str(category) for label, category in classifier.categories.items()},
        "calibration": classifier.calibration.to_json() if classifier.calibration else None,
        "record": dict(classifier.record),
    }
    with replacing_hdf5(path) as file:
        file.attrs["keras_version"] = _KERAS_VERSION
        file.attrs["backend"] = "torch"
        file.attrs["model_config"] = to_keras_config(classifier.graph)
        _write_weights(file.create_group("model_weights"), classifier.graph, classifier.weights)
        file.create_dataset("prmtrs", data=json.dumps(parameters), dtype=text)
        file.create_dataset("classes", data=list(classifier.labels), dtype=text)
        own = file.create_group("antrax")
        own.attrs["format"] = _FORMAT
        own.create_dataset("seen", data=classifier.seen)
        if classifier.measured_weights is not None:
            _write_weights(own.create_group("measured_weights"), classifier.graph, classifier.measured_weights)


def _write_weights(group: h5py.Group, graph: Graph, weights: Weights) -> None:
    """Write weights as Keras lays them out: a group a layer, which lists its weights by name."""
    import h5py

    text = h5py.string_dtype()
    group.attrs["layer_names"] = np.array([layer.name for layer in graph.layers], dtype=text)
    group.attrs["backend"] = "torch"
    group.attrs["keras_version"] = _KERAS_VERSION
    for layer in graph.layers:
        names = [name for name in graph.weight_shapes() if name.startswith(f"{layer.name}/")]
        folder = group.create_group(layer.name)
        folder.attrs["weight_names"] = np.array(names, dtype=text)
        for name in names:
            folder.create_dataset(name, data=weights[name])
    group.create_group("top_level_model_weights").attrs["weight_names"] = np.array([], dtype=text)


def read_classifier(path: Path) -> Classifier:
    """Read a classifier. Nothing stored in the file is executed.

    Raises
    ------
    ClassifierError
        The file is missing, cut short, damaged, of another program, or of a kind that this version does not read.
    """
    import h5py

    try:
        file = h5py.File(path, "r", locking=False)
    except FileNotFoundError:
        raise ClassifierError(f"{path} does not exist") from None
    except OSError:
        raise ClassifierError(f"{path} is no classifier: it is no HDF5 file, or was cut short; copy it again") from None
    with file:
        try:
            return _read(file)
        except ClassifierError as error:
            raise ClassifierError(f"{path} cannot be used as a classifier: {error}") from None
        except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, RecursionError) as error:
            raise ClassifierError(f"{path} cannot be used as a classifier: it is damaged ({error})") from None


def _read(file: h5py.File) -> Classifier:
    if "model_config" not in file.attrs:
        raise ClassifierError("it holds no Keras model")
    if "classes" not in file or "prmtrs" not in file:
        raise ClassifierError("it is a Keras model of another program (no labels in it)")
    if "antrax" not in file:
        raise ClassifierError(
            "it was written by anTraX, whose classifiers this version does not read yet; "
            "train a new one on its examples"
        )
    if int(file["antrax"].attrs["format"]) > _FORMAT:
        raise ClassifierError("it was written by a newer version of antrax; update this one")
    config = file.attrs["model_config"]
    graph = from_keras_config(config if isinstance(config, str) else bytes(config).decode())
    parameters = json.loads(_text(file, "prmtrs"))
    labels = _labels(file)
    if len(labels) != graph.outputs or len(set(labels)) != len(labels):
        raise ClassifierError(f"its {graph.outputs} outputs do not match its {len(labels)} labels")
    background = parameters["background"]
    if background not in ("white", "black"):
        raise ClassifierError(f"its background is {background!r}")
    calibration = parameters.get("calibration")
    own = file["antrax"]
    measured = _read_weights(own, "measured_weights", graph) if "measured_weights" in own else None
    return Classifier(
        graph=graph,
        weights=_read_weights(file, "model_weights", graph),
        labels=labels,
        categories={label: Category(parameters["categories"][label]) for label in labels},
        background=background,
        hsymmetry=bool(parameters["hsymmetry"]),
        calibration=Calibration.from_json(calibration) if calibration else None,
        measured_weights=measured,
        seen=np.asarray(_dataset(own, "seen", np.dtype(np.uint64), None)[()]),
        record=dict(parameters.get("record") or {}),
    )


def _labels(file: h5py.File) -> tuple[str, ...]:
    dataset = _dataset(file, "classes", None, None)
    if dataset.size > 10_000:
        raise ClassifierError(f"it has {dataset.size} labels")
    return tuple(value.decode() if isinstance(value, bytes) else str(value) for value in np.ravel(dataset[()]))


def _text(file: h5py.File, name: str) -> str:
    dataset = _dataset(file, name, None, ())
    value = dataset[()]
    if len(value) > _LONGEST_TEXT:
        raise ClassifierError(f"its {name} are too long")
    return value.decode() if isinstance(value, bytes) else str(value)


def _read_weights(group: h5py.Group, name: str, graph: Graph) -> Weights:
    return {
        weight: np.asarray(
            _dataset(group, f"{name}/{weight.partition('/')[0]}/{weight}", np.dtype(np.float32), shape)[()], np.float32
        )
        for weight, shape in graph.weight_shapes().items()
    }


def _dataset(group: h5py.Group, name: str, dtype: np.dtype[Any] | None, shape: Shape | None) -> h5py.Dataset:
    """A dataset that lies in the file itself and has the shape expected of it, looked at before anything is read."""
    import h5py

    place: Any = group
    for part in name.split("/"):
        if not isinstance(place, h5py.Group) or part not in place:
            raise ClassifierError(f"{name} is missing")
        if not isinstance(place.get(part, getlink=True), h5py.HardLink):
            raise ClassifierError(f"{name} is a link")
        place = place[part]
    if not isinstance(place, h5py.Dataset) or place.is_virtual or place.external:
        raise ClassifierError(f"{name} does not lie in the file")
    if (dtype is not None and place.dtype != dtype) or (shape is not None and place.shape != shape):
        raise ClassifierError(f"{name} is {place.dtype} of shape {place.shape}, not as the model describes it")
    if place.size > _MOST_SEEN:
        raise ClassifierError(f"{name} is too large")
    return place


def find_classifier(classifier_dir: Path, choice: str | None) -> Path:
    """The classifier file that `--classifier` stands for.

    Parameters
    ----------
    classifier_dir : Path
        The session's `classifier` folder.
    choice : str or None
        A file, or a bare name for `NAME.h5` in the folder; None for `classifier.h5` there.

    Raises
    ------
    ClassifierError
        It does not exist; the message names those that do, or says how to train one.
    """
    if choice is None or (Path(choice).name == choice and not choice.endswith(SUFFIX)):
        path = classifier_dir / f"{choice or 'classifier'}{SUFFIX}"
    else:
        path = Path(choice).expanduser().absolute()
        if not path.is_file() and (classifier_dir / choice).is_file():
            path = classifier_dir / choice
    if path.is_file():
        return path
    there = sorted(p.stem for p in classifier_dir.glob(f"*{SUFFIX}")) if classifier_dir.is_dir() else []
    use = f"there is {', '.join(there)} (choose with --classifier NAME); or " if there else ""
    train = f"train one first: antrax train {_quoted(classifier_dir.parent.parent)}"
    raise ClassifierError(f"{path} does not exist; {use}{train}")


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
