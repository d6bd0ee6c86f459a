"""Options of training, and their validation."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from antrax.defaults import EPOCHS, SEED, WEIGHT
from antrax.errors import OptionError
from antrax.images import Background
from antrax.messages import parameter
from antrax.networks import registry
from antrax.networks.graph import LARGEST

_LARGEST_WEIGHT = 1000.0
#: Values of `colours`.
COLOURS = ("auto", "on", "off")


@dataclass(frozen=True)
class TrainOptions:
    """Options of training. None means as in the existing classifier, or the default for a new one.

    Parameters
    ----------
    epochs : int
        Passes over the examples, of at least 200 steps of 128 images each.
    scratch : bool
        Start a new classifier where one exists.
    name : str
        Of the classifier: `NAME.h5`.
    arch : str, optional
        small (default), wide, large, MobileNetV2 or custom.
    target_size : int, optional
        Side length to which images are resized, in pixels; that of the first image by default, 96 for MobileNetV2,
        what the network takes for custom.
    hsymmetry : bool, optional
        Mirror images left to right too; False by default.
    modelfile : path, optional
        For `arch="custom"`: JSON as `model.to_json()` of Keras gives. Only the architecture is taken from it.
    aug_options : str
        `k=v,…`, see `antrax.training.augmentation.Augmentation`.
    device : str
        auto, cpu, cuda or mps.
    seed : int
        Random seed; the same seed, examples and versions give the same classifier on one machine.
    pretrained : bool
        For `arch="MobileNetV2"`: start from weights trained on ImageNet, which are fetched once.
    drop : sequence of str
        Labels of an existing classifier that it is to forget, as of animals that died; their examples are passed over.
    rename : mapping of str to str
        New names of labels of an existing classifier, by the old ones; examples under an old name are taken for ones
        under the new.
    unknown_weight, multi_weight : float
        How much an error on images of unrecognisable or of several animals counts, compared with one on others.
    crop_size : int, optional
        Larger images are cut to so many pixels around their centre before they are resized; not cut by default.
    background : {"white", "black"}, optional
        Ground that all images are put on; by default the one that most examples have.
    colours : {"auto", "on", "off"}
        Whether a new classifier scores the colour of each tag, so that animals share what is known of a colour; by
        default where the IDs tell the colours, see `antrax.tag_codes.read_codes`, and some have examples of few
        tracklets. An existing one stays as it is.
    """

    epochs: int = EPOCHS
    scratch: bool = False
    name: str = "classifier"
    arch: str | None = None
    target_size: int | None = None
    hsymmetry: bool | None = None
    modelfile: str | os.PathLike[str] | None = None
    aug_options: str = ""
    device: str = "auto"
    seed: int = SEED
    pretrained: bool = True
    drop: Sequence[str] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    unknown_weight: float = WEIGHT
    multi_weight: float = WEIGHT
    crop_size: int | None = None
    background: Background | None = None
    colours: str = "auto"


def check_options(options: TrainOptions) -> None:
    """Raise OptionError for invalid options or combinations."""
    if options.epochs < 1:
        raise OptionError(f"{parameter('epochs', options.epochs)}: train for at least one epoch")
    if not re.fullmatch(r"[^/\\.][^/\\]*", options.name) or options.name.endswith(".h5"):
        raise OptionError(f"{parameter('name', options.name)}: give a plain name, without folder and ending")
    _check_architecture(options)
    check_relabelling(options)
    for name in ("unknown_weight", "multi_weight"):
        weight = getattr(options, name)
        if not 0 < weight <= _LARGEST_WEIGHT:
            raise OptionError(f"{parameter(name, weight)}: give a number above 0, at most {_LARGEST_WEIGHT:g}")
    if options.crop_size is not None and not 8 <= options.crop_size <= LARGEST:
        raise OptionError(f"{parameter('crop_size', options.crop_size)}: sizes from 8 to {LARGEST} pixels can be used")
    if options.colours not in COLOURS:
        raise OptionError(f"{parameter('colours', options.colours)}: there are {', '.join(COLOURS)}")
    if options.background not in (None, "white", "black"):
        raise OptionError(f"{parameter('background', options.background)}: there are white and black")
    from antrax.training.augmentation import parse_augmentation

    parse_augmentation(options.aug_options)


def relabelling(options: TrainOptions) -> str:
    """How messages name the option that changes the labels of an existing classifier."""
    return parameter("drop", list(options.drop)) if options.drop else parameter("rename", dict(options.rename))


def check_relabelling(options: TrainOptions) -> None:
    """Raise OptionError for contradictory changes of labels.

    Parameters
    ----------
    options : TrainOptions

    Raises
    ------
    OptionError
        They do.
    """
    if (options.drop or options.rename) and options.scratch:
        raise OptionError(
            f"{relabelling(options)} changes an existing classifier; leave {parameter('scratch', True)} away"
        )
    if twice := set(options.drop) & {*options.rename, *options.rename.values()}:
        raise OptionError(f"{parameter('drop', [min(twice)])}: it is to be renamed too")
    if len(set(options.rename.values())) < len(options.rename):
        raise OptionError(
            f"{parameter('rename')}: two labels cannot get the same name; put their examples into one folder instead"
        )


def _check_architecture(options: TrainOptions) -> None:
    arch, modelfile, target_size = options.arch, options.modelfile, options.target_size
    if arch is not None:
        registry.check_name(arch)
    if modelfile is not None and arch != registry.CUSTOM:
        raise OptionError(f"{parameter('modelfile', modelfile)} goes with {parameter('arch', registry.CUSTOM)}")
    if arch == registry.CUSTOM and modelfile is None:
        raise OptionError(
            f"{parameter('arch', registry.CUSTOM)}: name the file that describes the network, with "
            f"{parameter('modelfile', 'MODEL.json')}"
        )
    if not options.pretrained and arch not in (pretrained := registry.pretrained_names()):
        those = " or ".join(parameter("arch", name) for name in pretrained)
        raise OptionError(f"{parameter('pretrained', False)} goes with {those}; no other is pre-trained")
    smallest = registry.smallest_size(arch)
    if target_size is not None and not smallest <= target_size <= LARGEST:
        raise OptionError(
            f"{parameter('target_size', target_size)}: sizes from {smallest} to {LARGEST} pixels can be used"
        )
