"""Which network is trained, from which weights it starts, and how fast it learns."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from antrax.classification.classifier_file import Classifier
from antrax.errors import ClassifierError, OptionError
from antrax.images import Background
from antrax.networks.graph import (
    FILTERS,
    Graph,
    Weights,
    build,
    grown_weights,
    with_outputs,
)
from antrax.networks.initial import initial_weights
from antrax.networks.keras.config import from_model_json
from antrax.networks.mobilenet import NAME as MOBILENET
from antrax.networks.mobilenet import build_mobilenet, is_head
from antrax.networks.pretrained import SIZES, load_pretrained
from antrax.progress import Reporter
from antrax.training.options import TrainOptions

_LONGEST_MODEL = 64 * 2**20


@dataclass(frozen=True)
class Rates:
    """Largest learning rates.

    Parameters
    ----------
    new : float
        From new weights.
    on : float
        From those of an existing classifier.
    finishing : float
        On all examples, at the end.
    """

    new: float
    on: float
    finishing: float


_NORMALISED = Rates(4e-3, 2e-3, 1.5e-3)
# Without normalisation, a deep network learned worse at twice this (demo, 3 epochs: 38 % of images right, not 50 %).
_PLAIN = Rates(2e-3, 1e-3, 8e-4)
# What was learned from photographs is to be kept.
_FINE_TUNING = Rates(5e-4, 3e-4, 2e-4)


@dataclass(frozen=True)
class Choice:
    """The architecture of a new classifier, as far as it is known before its labels are.

    Parameters
    ----------
    name : str
        One of `ARCHITECTURES`.
    size : int or None
        Side length of its images, in pixels; None for that of the first example.
    model : Graph or None
        A user's own.
    modelfile : str
        Where it comes from.
    features : Weights or None
        Pre-trained ones.
    """

    name: str
    size: int | None = None
    model: Graph | None = None
    modelfile: str = ""
    features: Weights | None = None


@dataclass(frozen=True)
class Start:
    """Where training starts.

    Parameters
    ----------
    graph : Graph
    weights : Weights or None
        None for random ones as PyTorch draws them.
    rate, finishing_rate : float
        Largest learning rates, of the epochs and on all examples at the end.
    head : tuple of str
        Layers to train alone first, as they alone are new.
    """

    graph: Graph
    weights: Weights | None
    rate: float
    finishing_rate: float
    head: tuple[str, ...] = ()


def choose_architecture(options: TrainOptions, reporter: Reporter) -> Choice:
    """The architecture of a new classifier, by options that `check_options` has let pass.

    Raises
    ------
    AntraxError
        The model file cannot be used, or pre-trained weights are not to be had.
    """
    arch, modelfile, target_size = options.arch, options.modelfile, options.target_size
    if arch == "custom":
        assert modelfile is not None
        model = read_modelfile(modelfile)
        if target_size not in (None, model.size):
            raise OptionError(
                f"--target-size {target_size}: the network of {os.fspath(modelfile)} takes images of {model.size} "
                "pixels; leave the option away"
            )
        return Choice(arch, model.size, model, os.fspath(modelfile))
    if arch == MOBILENET:
        # there are no weights for less, and on maps of less it finds little
        size = target_size or SIZES[0]
        return Choice(arch, size, features=load_pretrained(size, reporter) if options.pretrained else None)
    return Choice(arch or "small", target_size)


def read_modelfile(path: str | os.PathLike[str]) -> Graph:
    """The network that a JSON file of Keras describes; nothing in it is executed.

    Raises
    ------
    ClassifierError
        It cannot be read, is no such file, or describes what this version does not compute.
    """
    file = Path(path).expanduser()
    try:
        if file.stat().st_size > _LONGEST_MODEL:
            raise ClassifierError(f"{file} cannot be used as a model: it is far too large")
        return from_model_json(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ClassifierError(f"{file} does not exist") from None
    except OSError as error:
        raise ClassifierError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ClassifierError(
            f"{file} cannot be used as a model: it is no JSON file as model.to_json() gives"
        ) from None
    except ClassifierError as error:
        raise ClassifierError(f"{file} cannot be used as a model: {error}") from None


def start_new(choice: Choice, size: int, labels: tuple[str, ...], background: Background, seed: int) -> Start:
    """Where training of a new classifier starts.

    Parameters
    ----------
    choice : Choice
    size : int
        Side length of the prepared images, in pixels.
    labels : tuple of str
    background : {"white", "black"}
    seed : int

    Raises
    ------
    OptionError
        The network has another number of outputs, or takes no images of that size.
    """
    if choice.name in FILTERS:
        graph = build(choice.name, size, len(labels), background)
        return Start(graph, None, _NORMALISED.new, _NORMALISED.finishing)
    if choice.model:
        graph = choice.model
        if graph.outputs != len(labels):
            raise OptionError(
                f"--modelfile {choice.modelfile}: the network has {graph.outputs} outputs, but there are {len(labels)} "
                f"labels ({', '.join(labels)}); its last layer needs one output a label"
            )
        rates = _rates(graph)
        return Start(graph, initial_weights(graph, background, seed), rates.new, rates.finishing)
    graph = build_mobilenet(size, len(labels))
    weights = initial_weights(graph, background, seed)
    if choice.features is None:
        return Start(graph, weights, _NORMALISED.new, _NORMALISED.finishing)
    head = tuple(layer.name for layer in graph.layers if is_head(layer))
    return Start(graph, weights | choice.features, _FINE_TUNING.new, _FINE_TUNING.finishing, head)


def start_on(existing: Classifier, labels: tuple[str, ...], file: Path) -> Start:
    """Where training goes on from an existing classifier, grown where there are more labels.

    Raises
    ------
    ClassifierError
        Its network cannot learn more labels.
    """
    weights = existing.measured_weights or existing.weights
    try:
        graph = with_outputs(existing.graph, len(labels))
        weights = grown_weights(existing.graph, weights, len(labels))
    except ClassifierError as error:
        new = ", ".join(labels[len(existing.labels) :])
        raise ClassifierError(f"{file} cannot learn {new}: {error}; start a new one with --scratch") from None
    rates = _FINE_TUNING if graph.name == MOBILENET else _rates(graph)
    return Start(graph, weights, rates.on, rates.finishing)


def _rates(graph: Graph) -> Rates:
    normalised = any(layer.kind in ("BatchNormalization", "LayerNormalization") for layer in graph.layers)
    return _NORMALISED if normalised else _PLAIN


def check_unchanged(existing: Classifier, options: TrainOptions, file: Path) -> None:
    """Raise OptionError for an option that asks for what training on cannot change of an existing classifier."""
    for option, wanted, has in (
        ("--arch", options.arch, existing.graph.name),
        ("--target-size", options.target_size, existing.size),
        ("--hsymmetry", options.hsymmetry, existing.hsymmetry),
    ):
        if wanted is not None and wanted != has:
            shown = f"{option} {wanted}" if not isinstance(wanted, bool) else option if wanted else f"--no-{option[2:]}"
            without = has if not isinstance(has, bool) else "with it" if has else "without it"
            raise OptionError(
                f"{shown}: {file} was made {'' if isinstance(has, bool) else 'with '}{without}; "
                "start a new classifier with --scratch, or leave the option away"
            )
    if options.modelfile is not None and not _is_same_model(options.modelfile, existing.graph):
        raise OptionError(
            f"--modelfile {os.fspath(options.modelfile)}: {file} was made with another network; start a new classifier "
            "with --scratch, or leave the option away"
        )


def _is_same_model(modelfile: str | os.PathLike[str], graph: Graph) -> bool:
    """Whether a graph is what a file describes, but for the number of labels. Raises as `read_modelfile` does."""
    model = read_modelfile(modelfile)
    try:
        return with_outputs(model, graph.outputs).layers == graph.layers
    except ClassifierError:
        return False
