"""The classifier and its file: a Keras model with metadata of anTraX and of this package, read with h5py alone.

Files that anTraX wrote are read by `antrax_file`.
"""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.classification.antrax_classifier import check_preparation, distinct, match_cut_labels, read_parameters
from antrax.classification.calibration import Calibration
from antrax.errors import ClassifierError
from antrax.images import Background, Preparation
from antrax.io.atomic import write_atomically
from antrax.io.layout import CLASSIFIER_SUFFIX, ClassifierLayout
from antrax.io.regular_files import is_regular, open_regular, read_regular
from antrax.io.untrusted_hdf5 import (
    dataset,
    has,
    member,
    number_attribute,
    open_untrusted,
    text_attribute,
    text_dataset,
    texts,
)
from antrax.labels import Category, match_labels
from antrax.messages import parameter
from antrax.networks.graph import Graph, Weights
from antrax.networks.heads import ColorHeads, check_heads
from antrax.networks.keras.common import common_graph
from antrax.networks.keras.config import Description, describe, to_common_config, to_keras_config
from antrax.networks.keras.weights import BACKEND, KERAS_VERSION, LARGEST_ATTRIBUTE, read_weights, write_weights

if TYPE_CHECKING:
    import h5py

_FORMAT = 2
_CHECKSUM_MARK, _CHECKSUM_SIZE = b"antrax checksum\n", 32
# What anTraX looks up in a classifier and we do not need; its defaults.
_FOR_ANTRAX = {
    "json": None,
    "unknown_weight": 20,
    "multi_weight": 0.1,
    "use_min_conf": True,
    "consv_factor": 0.5,
    "min_conf": 0.9,
    "min_conf_short": 0.99,
    "loss": "categorical_crossentropy",
    "optimizer": "adam",
    "metrics": ["accuracy"],
}


@dataclass(frozen=True)
class Classifier:
    """A classifier: network, labels, preprocessing and calibration; the start of further training.

    Parameters
    ----------
    graph : Graph
        Architecture.
    weights : Weights
        What classifies; trained on all examples.
    labels : tuple of str
        In the order of the outputs.
    categories : mapping of str to Category
        Kind of each label in the training set; empty where that is not known.
    preparation : Preparation
        How the network wants its images.
    hsymmetry : bool
        Whether it was trained on images mirrored left to right too.
    calibration : Calibration or None
        None where nothing was held out.
    evaluation_weights : Weights or None
        Weights that have not seen the held-out tracklets: those that figures and calibration are of, and that
        training on starts from.
    seen : NDArray[np.uint64]
        Fingerprints of the tracklets that `evaluation_weights` have seen.
    record : mapping
        How it was trained: options, versions, figures. For people; nothing depends on it.
    labels_cut : bool
        Whether labels may lack all after their tenth byte, as in files that anTraX wrote; see
        `antrax_classifier.match_cut_labels`.
    rotation : bool
        Whether the network was trained on images rotated by 180°, as ours are and anTraX's are not, so that
        test-time rotation applies; see `antrax.classification.rotation.views`.
    heads : ColorHeads or None
        Of a network that scores the colours of tags: what its units are; None where each output is a label.
    """

    graph: Graph
    weights: Weights
    labels: tuple[str, ...]
    categories: Mapping[str, Category]
    preparation: Preparation
    hsymmetry: bool = False
    calibration: Calibration | None = None
    evaluation_weights: Weights | None = None
    seen: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    record: Mapping[str, Any] = field(default_factory=dict)
    labels_cut: bool = False
    rotation: bool = True
    heads: ColorHeads | None = None

    @property
    def size(self) -> int:
        """Side length of the images that the network takes, in pixels."""
        return self.graph.size

    @property
    def background(self) -> Background:
        """Background of the images, white or black."""
        return self.preparation.background

    @property
    def is_poor(self) -> bool:
        """Whether its evaluation after training found it poor."""
        quality = self.record.get("quality")
        return isinstance(quality, Mapping) and quality.get("poor") is True

    def with_labels_of(self, labels: Sequence[str]) -> Classifier:
        """The same classifier with its labels spelt as in `labels`, where these leave no doubt.

        Labels that were cut are made whole; for the rest see `antrax.labels.match_labels`. Where two labels of the
        classifier would become one, both stay as they are.
        """
        whole = match_cut_labels(self.labels, labels) if self.labels_cut else self.labels
        matched = match_labels(whole, labels)
        uses = Counter(matched.values())
        new = tuple(matched[label] if uses[matched[label]] == 1 else label for label in whole)
        if new == self.labels:
            return self
        old_of = dict(zip(new, self.labels, strict=True))
        categories = {label: self.categories[old] for label, old in old_of.items() if old in self.categories}
        heads = self.heads and self.heads.renamed(dict(zip(self.labels, new, strict=True)))
        return replace(self, labels=new, categories=categories, heads=heads)

    def predict_proba(self, images: NDArray[np.uint8], *, device: str = "auto") -> NDArray[np.float32]:
        """Probability of each label for each image.

        Parameters
        ----------
        images : NDArray[np.uint8]
            Shape (N, S, S, 3), rgb, of any size, with background 0 as stacks have it or as examples have it.
        device : {"auto", "cpu", "cuda", "mps"}

        Returns
        -------
        NDArray[np.float32]
            Shape (N, labels), in the order of `labels`; not calibrated.

        Raises
        ------
        ValueError
            The images are of another shape or type.

        Examples
        --------
        >>> classifier = antrax.read_classifier("colony1/session/classifier/classifier.h5")  # doctest: +SKIP
        >>> classifier.predict_proba(tracklet.images()).argmax(1)  # doctest: +SKIP
        """
        from antrax.classification.prediction import predict_proba

        return predict_proba(self, images, device=device)

    def digest(self) -> str:
        """Digest of everything that determines this classifier's results."""
        state = blake2b(json.dumps([self.labels, to_keras_config(self.graph)]).encode(), digest_size=16)
        for name in sorted(self.weights):
            state.update(np.ascontiguousarray(self.weights[name]).tobytes())
        return state.hexdigest()


def write_classifier(classifier: Classifier, path: Path) -> None:
    """Write a classifier; an interrupted write leaves the earlier file.

    Keras of TensorFlow 1.15, Keras 2 and Keras 3 open the file and predict alike, and so does anTraX.

    Raises
    ------
    OutputError
    """
    import h5py

    text = h5py.string_dtype()
    parameters = {
        **_FOR_ANTRAX,
        "name": path.stem,
        "nclasses": len(classifier.labels),
        "modeltype": classifier.graph.name,
        "target_size": classifier.size,
        "crop_size": classifier.preparation.crop_size,
        "scale": classifier.preparation.scale,
        "prepared": "as anTraX does" if classifier.preparation.antrax else "as antrax does",
        "hsymmetry": classifier.hsymmetry,
        "background": classifier.background,
        "categories": {label: str(category) for label, category in classifier.categories.items()},
        "calibration": classifier.calibration.to_json() if classifier.calibration else None,
        "colours": classifier.heads.to_json() if classifier.heads else None,
        "record": dict(classifier.record),
    }
    labels = [label.encode() for label in classifier.labels]
    graph, weights = common_graph(classifier.graph, classifier.weights)
    config = to_common_config(graph).encode()
    # A description longer than attributes could be before HDF5 1.8 is kept in its later form; all others in the first.
    versions = ("v108", "v108") if len(config) > LARGEST_ATTRIBUTE else None
    # in memory, as in `replacing_hdf5`, for the checksum comes behind
    with h5py.File(path.name, "w", driver="core", backing_store=False, block_size=2**20, libver=versions) as file:
        file.attrs["keras_version"] = np.bytes_(KERAS_VERSION)
        file.attrs["backend"] = np.bytes_(BACKEND)
        file.attrs["model_config"] = np.bytes_(config)  # TensorFlow 1.15 decodes it, and takes no text
        write_weights(file.create_group("model_weights"), graph, weights)
        file.create_dataset("prmtrs", data=json.dumps(parameters), dtype=text)
        wide = h5py.string_dtype(length=max(map(len, labels)))
        file.create_dataset("classes", data=np.array(labels, dtype=wide)[:, None])
        own = file.create_group("antrax")
        own.attrs["format"] = _FORMAT
        own.create_dataset("graph", data=to_keras_config(classifier.graph), dtype=text)
        own.create_dataset("seen", data=classifier.seen)
        if classifier.evaluation_weights is not None:
            write_weights(own.create_group("measured_weights"), classifier.graph, classifier.evaluation_weights)
        file.flush()
        content: bytes = file.id.get_file_image()
    write_atomically(path, content + _checksum(content))


def rewrite_labels(path: Path, labels: Sequence[str]) -> None:
    """Put other names of labels into a classifier that anTraX wrote; nothing else in it changes.

    Parameters
    ----------
    path : Path
        A file that `read_classifier` has read.
    labels : sequence of str
        In the order of the outputs.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    import h5py

    content = io.BytesIO(read_regular(path))
    names = [label.encode() for label in labels]
    with h5py.File(content, "r+") as file:
        del file["classes"]
        wide = h5py.string_dtype(length=max(map(len, names)))
        file.create_dataset("classes", data=np.array(names, dtype=wide)[:, None])
    write_atomically(path, content.getvalue())


def read_classifier(path: str | os.PathLike[str]) -> Classifier:
    """Read a classifier. Nothing stored in the file is executed.

    Parameters
    ----------
    path : path
        A file that antrax or anTraX wrote.

    Returns
    -------
    Classifier
        The classifier, with its calibration and record.

    Raises
    ------
    ClassifierError
        The file is missing, cut short, damaged, of another program, or of a kind that this version does not read.

    Examples
    --------
    >>> classifier = antrax.read_classifier("colony1/session/classifier/classifier.h5")  # doctest: +SKIP
    >>> classifier.labels[:3]  # doctest: +SKIP
    ('BB', 'BG', 'BO')
    """
    path = Path(path).expanduser()
    _check_checksum(path)
    with open_untrusted(path, "a classifier") as file:
        return _read(file)


def _checksum(content: bytes) -> bytes:
    """Checksum that is appended to a classifier's file, by which damage is detected.

    HDF5 does not look behind its own end, and cuts it off when somebody changes the file on purpose.
    """
    return _CHECKSUM_MARK + blake2b(content, digest_size=_CHECKSUM_SIZE).digest()


def _check_checksum(path: Path) -> None:
    """Raise ClassifierError if a file does not match its checksum; a file without one passes."""
    length = len(_CHECKSUM_MARK) + _CHECKSUM_SIZE
    try:
        with open_regular(path) as file:
            size = file.seek(0, os.SEEK_END) - length
            if size <= 0:
                return
            file.seek(size)
            written = file.read(length)
            if not written.startswith(_CHECKSUM_MARK):
                return
            file.seek(0)
            state = blake2b(digest_size=_CHECKSUM_SIZE)
            while size > 0 and (block := file.read(min(size, 2**20))):
                state.update(block)
                size -= len(block)
    except OSError:  # told when it is opened
        return
    if written != _CHECKSUM_MARK + state.digest():
        raise ClassifierError(f"{path} is damaged (its checksum does not fit): copy it again")


def _read(file: h5py.File) -> Classifier:
    if "model_config" not in file.attrs:
        weights = "layer_names" in file.attrs
        raise ClassifierError("it holds weights alone, and no Keras model" if weights else "it holds no Keras model")
    if not has(file, "prmtrs"):
        raise ClassifierError("it is a Keras model of another program (no labels in it)")
    if not has(file, "classes"):
        raise ClassifierError("it holds no labels: it was never trained, or is of another program")
    parameters, labels = text_dataset(file, "prmtrs"), texts(file, "classes")
    description = describe(text_attribute(file, "model_config"), text_attribute(file, "keras_version"))
    if not has(file, "antrax"):
        labels = distinct(labels)
    if len(labels) != description.graph.outputs or len(set(labels)) != len(labels):
        raise ClassifierError(
            f"its {description.graph.outputs} outputs do not match its {len(labels)} labels ({', '.join(labels)[:200]})"
        )
    if has(file, "antrax"):
        return _from_own_file(file, description, parameters, labels)
    preparation, hsymmetry, name = read_parameters(parameters, description.graph)
    graph = Graph(name, description.graph.layers)
    return Classifier(
        graph=graph,
        weights=read_weights(member(file, "model_weights"), graph, description.groups),
        labels=labels,
        categories={},
        preparation=preparation,
        hsymmetry=hsymmetry,
        record={"written_by": "anTraX"},
        labels_cut=True,
        rotation=False,
    )


def _from_own_file(file: h5py.File, description: Description, text: str, labels: tuple[str, ...]) -> Classifier:
    own = member(file, "antrax")
    if has(own, "graph"):
        # as it was made; what others read is the same function in other layers
        written = describe(text_dataset(own, "graph"), "3")
        if written.graph.outputs != description.graph.outputs or written.graph.size != description.graph.size:
            raise ClassifierError("its two descriptions of the network contradict one another")
        description = written
    if number_attribute(own, "format") > _FORMAT:
        raise ClassifierError("it was written by a newer version of antrax; update this one")
    parameters = json.loads(text)
    graph, groups = description.graph, description.groups
    preparation = Preparation(
        graph.size,
        parameters["background"],
        parameters.get("prepared") == "as anTraX does",
        parameters.get("crop_size"),
        parameters.get("scale", 1),
    )
    check_preparation(preparation)
    categories = parameters["categories"]
    calibration = parameters.get("calibration")
    measured = read_weights(member(own, "measured_weights"), graph, groups) if has(own, "measured_weights") else None
    weights = read_weights(member(file, "model_weights"), graph, groups)
    heads = ColorHeads.from_json(parameters["colours"]) if parameters.get("colours") else None
    if heads:
        check_heads(graph, weights, heads, labels)
    return Classifier(
        graph=graph,
        weights=weights,
        labels=labels,
        categories={label: Category(categories[label]) for label in labels} if categories else {},
        preparation=preparation,
        hsymmetry=bool(parameters["hsymmetry"]),
        calibration=Calibration.from_json(calibration) if calibration else None,
        evaluation_weights=measured,
        seen=np.asarray(dataset(own, "seen", dtype=np.uint64)[()]),
        record=dict(parameters.get("record") or {}),
        heads=heads,
    )


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
    if choice is None or (Path(choice).name == choice and not choice.endswith(CLASSIFIER_SUFFIX)):
        layout = ClassifierLayout(classifier_dir)
        path = layout.classifier(choice) if choice else layout.classifier()
        if choice and not path.is_file() and Path(choice).is_file():
            keras = " (save it in Keras with model.save('model.h5'))" if choice.endswith(".keras") else ""
            raise ClassifierError(
                f"{Path(choice).absolute()} is no classifier: these end in {CLASSIFIER_SUFFIX}{keras}"
            )
    else:
        path = Path(choice).expanduser().absolute()
        if not path.is_file() and (classifier_dir / choice).is_file():
            path = classifier_dir / choice
    if path.exists():  # who opens it tells where it is no file
        return path
    found = classifier_dir.glob(f"*{CLASSIFIER_SUFFIX}") if classifier_dir.is_dir() else ()
    there = sorted(p.stem for p in found if is_regular(p))
    use = f"there is {', '.join(there)} (choose with {parameter('classifier', 'NAME')}); or " if there else ""
    train = f"train one first: antrax train {_quoted(classifier_dir.parent.parent)}"
    raise ClassifierError(f"{path} does not exist; {use}{train}")


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
