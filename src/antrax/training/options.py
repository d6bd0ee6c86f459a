"""What can be asked of `antrax train`, and what of it cannot be."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from antrax.errors import OptionError
from antrax.networks.graph import ARCHITECTURES, LARGEST, SMALLEST
from antrax.networks.mobilenet import NAME as MOBILENET
from antrax.networks.mobilenet import SMALLEST as SMALLEST_MOBILENET


@dataclass(frozen=True)
class TrainOptions:
    """How to train. None leaves the choice to an existing classifier, or to the default for a new one.

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
    """

    epochs: int = 5
    scratch: bool = False
    name: str = "classifier"
    arch: str | None = None
    target_size: int | None = None
    hsymmetry: bool | None = None
    modelfile: str | os.PathLike[str] | None = None
    aug_options: str = ""
    device: str = "auto"
    seed: int = 0
    pretrained: bool = True


def check_options(options: TrainOptions) -> None:
    """Raise OptionError for options that cannot be, or do not belong together."""
    if options.epochs < 1:
        raise OptionError(f"--ne {options.epochs}: train for at least one epoch")
    if not re.fullmatch(r"[^/\\.][^/\\]*", options.name) or options.name.endswith(".h5"):
        raise OptionError(f"--name {options.name}: give a plain name, without folder and ending")
    _check_architecture(options)
    from antrax.training.augmentation import parse_augmentation

    parse_augmentation(options.aug_options)


def _check_architecture(options: TrainOptions) -> None:
    arch, modelfile, target_size = options.arch, options.modelfile, options.target_size
    if arch is not None and arch not in ARCHITECTURES:
        raise OptionError(f"--arch {arch}: there are {', '.join(ARCHITECTURES)}")
    if modelfile is not None and arch != "custom":
        raise OptionError(f"--modelfile {os.fspath(modelfile)} goes with --arch custom")
    if arch == "custom" and modelfile is None:
        raise OptionError("--arch custom: name the file that describes the network, with --modelfile MODEL.json")
    if not options.pretrained and arch != MOBILENET:
        raise OptionError(f"--no-pretrained goes with --arch {MOBILENET}; no other is pre-trained")
    smallest = {"custom": 1, MOBILENET: SMALLEST_MOBILENET}.get(arch or "", SMALLEST)
    if target_size is not None and not smallest <= target_size <= LARGEST:
        raise OptionError(f"--target-size {target_size}: sizes from {smallest} to {LARGEST} pixels can be used")
