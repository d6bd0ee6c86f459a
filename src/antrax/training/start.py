"""Architecture, initial weights and learning rates of a training."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from antrax.classification.classifier_file import Classifier
from antrax.errors import ClassifierError, OptionError
from antrax.images import Background
from antrax.io.regular_files import read_regular
from antrax.io.text import NotTextError, decode_text
from antrax.messages import parameter
from antrax.networks import registry
from antrax.networks.graph import Graph, Weights, grown_weights, with_outputs
from antrax.networks.heads import ColorHeads, grown_units, sum_weights, with_sum, without_sum
from antrax.networks.initial import initial_weights
from antrax.networks.keras.config import from_model_json
from antrax.progress import Reporter
from antrax.training.options import TrainOptions

_LONGEST_MODEL = 64 * 2**20
#: Advice where an existing classifier cannot be trained on.
START_ANEW = f"start a new classifier with {parameter('scratch', True)}"


@dataclass(frozen=True)
class Choice:
    """The architecture of a new classifier, as far as it is known before its labels are.

    Parameters
    ----------
    name : str
        One of `antrax.networks.registry.names`.
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
    """Initial network and weights.

    Parameters
    ----------
    graph : Graph
    weights : Weights or None
        Of what is trained; None for random ones as PyTorch draws them.
    rate, refit_rate : float
        Largest learning rates, of the epochs and on all examples at the end.
    head : tuple of str
        Layers to train alone first, as they alone are new.
    heads : ColorHeads or None
        Of a network that scores colours: its units.
    fixed : Weights
        Weights of the last layer of such a network, which are not trained.
    """

    graph: Graph
    weights: Weights | None
    rate: float
    refit_rate: float
    head: tuple[str, ...] = ()
    heads: ColorHeads | None = None
    fixed: Weights = field(default_factory=dict)

    @property
    def trained(self) -> Graph:
        """What of the network is trained."""
        return without_sum(self.graph) if self.heads else self.graph


def choose_architecture(options: TrainOptions, reporter: Reporter) -> Choice:
    """The architecture of a new classifier, by options that `check_options` has let pass.

    Raises
    ------
    AntraxError
        The model file cannot be used, or pre-trained weights are not to be had.
    """
    arch, modelfile, target_size = options.arch, options.modelfile, options.target_size
    if arch == registry.CUSTOM:
        assert modelfile is not None
        model = read_modelfile(modelfile)
        if target_size not in (None, model.size):
            raise OptionError(
                f"{parameter('target_size', target_size)}: the network of {os.fspath(modelfile)} takes images of "
                f"{model.size} pixels; leave the option away"
            )
        return Choice(arch, model.size, model, os.fspath(modelfile))
    entry = registry.find(arch or registry.DEFAULT)
    assert entry is not None
    size = target_size or entry.size
    if entry.features and options.pretrained:
        if size is None:
            raise OptionError(
                f"{parameter('target_size')}: say which size of images the pre-trained weights of {entry.name} are for"
            )
        return Choice(entry.name, size, features=entry.features.load(size, reporter))
    return Choice(entry.name, size)


# First bytes of files that people give for a description of a model: `.keras` and `.h5`.
_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF"


def read_modelfile(path: str | os.PathLike[str]) -> Graph:
    """The network that a JSON file of Keras describes; nothing in it is executed.

    Raises
    ------
    ClassifierError
        It cannot be read, is no such file, or describes what this version does not compute.
    """
    file = Path(path).expanduser()
    try:
        content = read_regular(file, _LONGEST_MODEL)
        if content.startswith((_ZIP, _HDF5)):
            raise ClassifierError(
                "it is a saved model, not its description; in Python, write "
                "open('model.json', 'w').write(keras.models.load_model(…).to_json())"
            )
        return from_model_json(decode_text(content, file))
    except FileNotFoundError:
        raise ClassifierError(f"{file} does not exist") from None
    except NotTextError:
        raise ClassifierError(
            f"{file} cannot be used as a model: it is no JSON file as model.to_json() gives"
        ) from None
    except OSError as error:
        raise ClassifierError(f"{file} cannot be read: {error.strerror or error}") from None
    except ClassifierError as error:
        raise ClassifierError(f"{file} cannot be used as a model: {error}") from None


def start_new(
    choice: Choice,
    size: int,
    labels: tuple[str, ...],
    background: Background,
    seed: int,
    heads: ColorHeads | None = None,
) -> Start:
    """Where training of a new classifier starts.

    Parameters
    ----------
    choice : Choice
    size : int
        Side length of the prepared images, in pixels.
    labels : tuple of str
    background : {"white", "black"}
    seed : int
    heads : ColorHeads, optional
        Units of a network that scores colours; without, each label is an output.

    Raises
    ------
    OptionError
        The network has another number of outputs, or takes no images of that size.
    ClassifierError
        It is not clear which layer of the network gives the labels, and should give colours.
    """
    outputs = heads.units if heads else len(labels)
    start = _start_from_model(choice, labels, outputs, background, seed) if choice.model else None
    if start is None:
        start = _start_from_table(choice, size, outputs, background, seed)
    return _with_colors(start, heads, labels)


def _with_colors(start: Start, heads: ColorHeads | None, labels: tuple[str, ...]) -> Start:
    """A network whose outputs are units, with the layer that adds them up to labels."""
    if heads is None:
        return start
    graph = with_sum(start.graph, len(labels))
    return replace(start, graph=graph, heads=heads, fixed=sum_weights(graph, heads, labels))


def _start_from_model(
    choice: Choice, labels: tuple[str, ...], outputs: int, background: Background, seed: int
) -> Start:
    assert choice.model
    graph = choice.model
    if graph.outputs != len(labels):
        raise OptionError(
            f"{parameter('modelfile', choice.modelfile)}: the network has {graph.outputs} outputs, but there are "
            f"{len(labels)} labels ({', '.join(labels)}); its last layer needs one output per label"
        )
    graph = with_outputs(graph, outputs)
    rates = _rates(graph)
    return Start(graph, initial_weights(graph, background, seed), rates.new, rates.refit)


def _start_from_table(choice: Choice, size: int, outputs: int, background: Background, seed: int) -> Start:
    entry = registry.find(choice.name)
    assert entry is not None
    graph = entry.build(size, outputs, background)
    weights = entry.initial(graph, background, seed) if entry.initial else None
    if choice.features is None or entry.features is None:
        return Start(graph, weights, entry.rates.new, entry.rates.refit)
    is_head, rates = entry.features.is_head, entry.tuned or entry.rates
    head = tuple(layer.name for layer in graph.layers if is_head(layer))
    return Start(graph, (weights or {}) | choice.features, rates.new, rates.refit, head)


def start_on(existing: Classifier, labels: tuple[str, ...], file: Path, heads: ColorHeads | None = None) -> Start:
    """Where training goes on from an existing classifier, grown where there are more labels.

    Parameters
    ----------
    existing : Classifier
        The classifier.
    labels : tuple of str
        Its labels, then new ones.
    file : Path
        Its file, for messages.
    heads : ColorHeads, optional
        Of a classifier that scores colours: the units that it needs for these labels.

    Raises
    ------
    ClassifierError
        Its network cannot learn more labels.
    """
    weights = existing.evaluation_weights or existing.weights
    try:
        if heads and existing.heads:
            trunk = without_sum(existing.graph)
            kept = {name: weights[name] for name in trunk.weight_shapes()}
            trunk, kept = grown_units(trunk, kept, existing.heads, existing.labels, heads)
            graph, weights = trunk, kept
        else:
            graph = with_outputs(existing.graph, len(labels))
            weights = grown_weights(existing.graph, weights, len(labels))
    except ClassifierError as error:
        new = ", ".join(labels[len(existing.labels) :])
        raise ClassifierError(f"{file} cannot learn {new}: {error}; {START_ANEW}") from None
    entry = registry.find(graph.name)
    rates = (entry and (entry.tuned or entry.rates)) or _rates(graph)
    return _with_colors(Start(graph, weights, rates.on, rates.refit), heads, labels)


def start_anew(start: Start, labels: tuple[str, ...], background: Background, seed: int) -> Start:
    """The same network from new weights, as if nothing had been learned.

    Parameters
    ----------
    start : Start
    labels : tuple of str
    background : {"white", "black"}
    seed : int
    """
    entry = registry.find(start.graph.name)
    graph, rates = start.trained, entry.rates if entry else _rates(start.graph)
    initial = entry.initial if entry else initial_weights
    weights = initial(graph, background, seed) if initial else None
    return _with_colors(Start(graph, weights, rates.new, rates.refit), start.heads, labels)


def _rates(graph: Graph) -> registry.LearningRates:
    normalised = any(layer.kind in ("BatchNormalization", "LayerNormalization") for layer in graph.layers)
    return registry.NORMALISED if normalised else registry.PLAIN


def check_unchanged(existing: Classifier, options: TrainOptions, file: Path) -> None:
    """Raise OptionError for an option that asks for what training on cannot change of an existing classifier.

    Parameters
    ----------
    existing : Classifier
        The classifier.
    options : TrainOptions
        What was asked for.
    file : Path
        Its file, for messages.
    """
    for option, wanted, has in (
        ("arch", options.arch, existing.graph.name),
        ("target_size", options.target_size, existing.size),
        ("hsymmetry", options.hsymmetry, existing.hsymmetry),
        ("crop_size", options.crop_size, existing.preparation.crop_size),
        ("background", options.background, existing.background),
    ):
        if wanted is not None and wanted != has:
            plain = has is None or isinstance(has, bool)
            without = has if not plain else "with it" if has else "without it"
            raise OptionError(
                f"{parameter(option, wanted)}: {file} was made {'' if plain else 'with '}{without}; "
                f"{START_ANEW}, or leave the option away"
            )
    if options.colours != "auto" and (options.colours == "on") != (existing.heads is not None):
        has = "scores the colours of tags" if existing.heads else "scores each label by itself"
        raise OptionError(
            f"{parameter('colours', options.colours)}: {file} {has}; {START_ANEW}, or leave the option away"
        )
    if options.modelfile is not None and not _is_same_model(options.modelfile, existing):
        raise OptionError(
            f"{parameter('modelfile', options.modelfile)}: {file} was made with another network; {START_ANEW}, or "
            "leave the option away"
        )


def _is_same_model(modelfile: str | os.PathLike[str], existing: Classifier) -> bool:
    """Whether a network is what a file describes, but for the number of outputs. Raises as `read_modelfile` does."""
    model = read_modelfile(modelfile)
    graph = without_sum(existing.graph) if existing.heads else existing.graph
    try:
        return with_outputs(model, graph.outputs).layers == graph.layers
    except ClassifierError:
        return False
