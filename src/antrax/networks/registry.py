"""The architectures that can be trained, one entry each.

The command line, the options of training and the benchmarks read this table. To offer another one, call `register` with
an entry; a test does so from outside of the package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from antrax.errors import OptionError
from antrax.images import Background
from antrax.messages import parameter
from antrax.networks import mobilenet
from antrax.networks.graph import FILTERS, LARGEST, SMALLEST, Graph, Weights, build
from antrax.networks.initial import initial_weights
from antrax.networks.layers import Layer
from antrax.progress import Reporter

#: Stands for a network that the user describes in a file, and is therefore no entry.
CUSTOM = "custom"
DEFAULT = "small"


@dataclass(frozen=True)
class LearningRates:
    """Largest learning rates.

    Parameters
    ----------
    new : float
        From new weights.
    on : float
        From those of an existing classifier.
    refit : float
        On all examples, at the end.
    """

    new: float
    on: float
    refit: float


# `benchmarks/fitted_constants.py training` compares these with halves and doubles of them.
NORMALISED = LearningRates(4e-3, 2e-3, 1.5e-3)
# Without normalisation, a deep network learned worse at twice this (demo, 3 epochs: 38 % of images right, not 50 %).
PLAIN = LearningRates(2e-3, 1e-3, 8e-4)
# What was learned from photographs is to be kept.
FINE_TUNING = LearningRates(5e-4, 3e-4, 2e-4)


@dataclass(frozen=True)
class Features:
    """Pre-trained weights that an architecture may start from.

    Parameters
    ----------
    load : callable
        Given the side length of the images in pixels and a reporter, returns the weights of all layers but the head.
    is_head : callable
        Whether a layer is no part of what is pre-trained, and is trained alone first.
    """

    load: Callable[[int, Reporter], Weights]
    is_head: Callable[[Layer], bool]


@dataclass(frozen=True)
class Architecture:
    """An architecture that can be trained.

    Parameters
    ----------
    name : str
        As given to `antrax train --arch`, and kept in the classifier.
    build : callable
        Given the side length of the images in pixels, the number of labels and the background, returns the graph.
    initial : callable or None
        Given the graph, the background and a seed, returns the first weights; None for those of PyTorch.
    rates : LearningRates
        From random weights.
    tuned : LearningRates or None
        From pre-trained weights, and in training on; None for `rates`.
    size : int or None
        Side length of the images unless another is asked for, in pixels; None for that of the first example.
    smallest : int
        Least side length of the images, in pixels.
    features : Features or None
        None where there are no pre-trained weights.
    """

    name: str
    build: Callable[[int, int, Background], Graph]
    initial: Callable[[Graph, Background, int], Weights] | None = initial_weights
    rates: LearningRates = NORMALISED
    tuned: LearningRates | None = None
    size: int | None = None
    smallest: int = SMALLEST
    features: Features | None = None


_ENTRIES: dict[str, Architecture] = {}


def register(entry: Architecture) -> None:
    """Add an architecture to the table.

    Parameters
    ----------
    entry : Architecture

    Raises
    ------
    ValueError
        There is one of that name.
    """
    if entry.name in _ENTRIES or entry.name == CUSTOM:
        raise ValueError(f"there is an architecture {entry.name!r}")
    _ENTRIES[entry.name] = entry


def unregister(name: str) -> None:
    """Remove an architecture from the table."""
    del _ENTRIES[name]


def names() -> tuple[str, ...]:
    """Names of all architectures, `custom` last."""
    return (*_ENTRIES, CUSTOM)


def pretrained_names() -> tuple[str, ...]:
    """Names of the architectures for which there are pre-trained weights."""
    return tuple(name for name, entry in _ENTRIES.items() if entry.features)


def find(name: str) -> Architecture | None:
    """The entry of that name; None where there is none."""
    return _ENTRIES.get(name)


def smallest_size(name: str | None) -> int:
    """Least side length of images in pixels, whatever the network of `custom` takes."""
    if name == CUSTOM:
        return 1
    entry = find(name or DEFAULT)
    return entry.smallest if entry else SMALLEST


def check_name(name: str) -> None:
    """Raise OptionError unless there is an architecture of that name."""
    if name not in names():
        raise OptionError(f"{parameter('arch', name)}: there are {', '.join(names())}")


def _load_mobilenet(size: int, reporter: Reporter) -> Weights:
    from antrax.networks.pretrained import load_pretrained

    return load_pretrained(size, reporter)


for _name in FILTERS:
    register(Architecture(_name, partial(build, _name), initial=None))
register(
    Architecture(
        mobilenet.NAME,
        lambda size, outputs, _background: mobilenet.build_mobilenet(size, outputs),
        tuned=FINE_TUNING,
        # there are no weights for less, and on maps of less it finds little
        size=96,
        smallest=mobilenet.SMALLEST,
        features=Features(_load_mobilenet, mobilenet.is_head),
    )
)

__all__ = [
    "CUSTOM",
    "DEFAULT",
    "FINE_TUNING",
    "LARGEST",
    "NORMALISED",
    "PLAIN",
    "Architecture",
    "Features",
    "LearningRates",
    "check_name",
    "find",
    "names",
    "pretrained_names",
    "register",
    "smallest_size",
    "unregister",
]
