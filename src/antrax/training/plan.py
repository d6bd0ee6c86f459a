"""Plan of a training run: from options and files to labels, split and initial network."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.classification.classifier_file import Classifier, read_classifier
from antrax.errors import ClassifierError, OptionError, TrainsetError
from antrax.images import Preparation
from antrax.io.atomic import check_writable
from antrax.io.examples import ClassDir, list_examples
from antrax.labels import UNKNOWN, Category, match_labels
from antrax.messages import parameter
from antrax.networks import registry
from antrax.networks.devices import choose_device
from antrax.networks.heads import ColorHeads, heads_for, known_by_colors, regrown_heads
from antrax.networks.keras.config import to_keras_config
from antrax.progress import Reporter
from antrax.tag_codes import TagCodes, read_codes
from antrax.training.dataset import Trainset, label_categories
from antrax.training.options import TrainOptions, relabelling
from antrax.training.relabelling import relabelled, with_labels_as_spelt
from antrax.training.split import Split, fingerprints_after, make_split
from antrax.training.start import START_ANEW, Choice, Start, check_unchanged, choose_architecture, start_new, start_on

# What a run writes at most, checkpoints included: bytes that must be free when it starts, in all and for each weight.
# To write more just to try it would take too long.
_ROOM, _ROOM_A_WEIGHT, _LARGEST_TRIAL = 8 * 2**20, 64, 512 * 2**20
# Colours of tags are scored where an ID has examples of fewer tracklets, unless it is asked for or forbidden. With four
# of each ID of the JS16 set, 96 % of the others were right instead of 86 %; with all examples there was no difference
# beyond chance (`benchmarks/colour_heads.py`), and training takes up to two thirds longer.
FEW_TRACKLETS = 5


@dataclass(frozen=True)
class TrainingSetup:
    """Inputs of a run, checked as far as possible before images are read.

    Parameters
    ----------
    classdir : ClassDir
        Where the examples are.
    file : Path
        The classifier's file, which may not exist yet.
    options : TrainOptions
    device : str
        As torch names it.
    existing : Classifier or None
        Where training goes on from, as it is in the file.
    choice : Choice or None
        The architecture of a new classifier; None where training goes on from an existing one.
    """

    classdir: ClassDir
    file: Path
    options: TrainOptions
    device: str
    existing: Classifier | None
    choice: Choice | None

    @property
    def preparation(self) -> Preparation | int | None:
        """How images are prepared: that of the existing classifier, or the size that the architecture asks for."""
        if self.existing:
            return self.existing.preparation
        return self.choice.size if self.choice else None


@dataclass(frozen=True)
class TrainingPlan:
    """Plan of a run: network, labels, examples, split and initial weights.

    Parameters
    ----------
    setup : TrainingSetup
        What the run is given.
    trainset : Trainset
    labels : tuple of str
        In output order.
    categories : mapping of str to Category
        Of each label.
    existing : Classifier or None
        Where training goes on from, after labels were dropped and renamed.
    trained_on : str or None
        Digest of that classifier before they were.
    forgotten : frozenset of str
        Labels that earlier runs dropped or renamed, and that the existing classifier has not learned again.
    start : Start
        The network, and its first weights.
    split : Split
        Which tracklets are held out.
    """

    setup: TrainingSetup
    trainset: Trainset
    labels: tuple[str, ...]
    categories: Mapping[str, Category]
    existing: Classifier | None
    trained_on: str | None
    forgotten: frozenset[str]
    start: Start
    split: Split

    @property
    def options(self) -> TrainOptions:
        """How to train."""
        return self.setup.options

    @property
    def hsymmetry(self) -> bool:
        """Whether images are mirrored left to right too."""
        return self.existing.hsymmetry if self.existing else bool(self.options.hsymmetry)

    @property
    def preparation(self) -> Preparation:
        """How the classifier prepares images."""
        if self.existing:
            return self.existing.preparation
        return Preparation(self.start.graph.size, self.trainset.background, crop_size=self.options.crop_size)

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        """Output of the right label of each image, shape (images,)."""
        output = np.array([self.labels.index(label) for label in self.trainset.labels])
        return np.asarray(output[self.trainset.label_index])

    @cached_property
    def key(self) -> str:
        """Identifies the run: the same command on the same examples, the same network and the same old classifier."""
        left_out = ("device", "scratch", "name", "modelfile")
        relevant = {k: v for k, v in dataclasses.asdict(self.options).items() if k not in left_out}
        existing = self.existing.digest() if self.existing else None
        heads = self.start.heads and self.start.heads.to_json()
        basis = [version("antrax"), self.trainset.digest, existing, to_keras_config(self.start.graph), heads]
        state = blake2b(json.dumps([relevant, self.labels, basis], default=str).encode(), digest_size=16)
        for name, value in (self.start.weights or {}).items():
            state.update(name.encode() + np.ascontiguousarray(value).tobytes())
        return state.hexdigest()

    @property
    def without_examples(self) -> tuple[str, ...]:
        """IDs without examples that the network knows by the colours of others."""
        heads = self.start.heads
        return known_by_colors(heads, self.trainset.labels, self.labels) if heads else ()

    @property
    def seen(self) -> NDArray[np.uint64]:
        """Fingerprints of what the evaluation weights have seen after this run."""
        before = self.existing.seen if self.existing else None
        return fingerprints_after(self.trainset.origins, self.split.held_out, before)

    @property
    def forgotten_after(self) -> list[str]:
        """Labels that this or earlier runs dropped or renamed, and that the new classifier has not learned again."""
        options = self.options
        return sorted((self.forgotten | {*options.drop, *options.rename}).difference(self.labels))

    def settings(self) -> dict[str, Any]:
        """The options that this run has, those that were left open filled in."""
        from antrax.training.augmentation import describe, parse_augmentation

        options, graph = self.options, self.start.graph
        return {
            "epochs": options.epochs,
            "scratch": options.scratch,
            "arch": graph.name,
            "target_size": graph.size,
            "hsymmetry": self.hsymmetry,
            "augmentation": describe(parse_augmentation(options.aug_options, hsymmetry=self.hsymmetry)),
            "device": self.setup.device,
            "seed": options.seed,
            "modelfile": None if options.modelfile is None else os.fspath(options.modelfile),
            "pretrained": bool(self.start.head),
            "drop": list(options.drop),
            "rename": dict(options.rename),
            "unknown_weight": options.unknown_weight,
            "multi_weight": options.multi_weight,
            "crop_size": self.preparation.crop_size,
            "background": self.preparation.background,
            "colours": "on" if self.start.heads else "off",
        }


def make_setup(classdir: ClassDir, file: Path, options: TrainOptions, reporter: Reporter) -> TrainingSetup:
    """Check the inputs of a run before the images are read, which may take long.

    Parameters
    ----------
    classdir : ClassDir
        Where the examples are.
    file : Path
        The classifier's file.
    options : TrainOptions
        Those that `check_options` has let pass.
    reporter : Reporter
        Told of warnings.

    Raises
    ------
    AntraxError
        The existing classifier, `labels.csv`, the device or the disk do not allow it.
    """
    existing = None if options.scratch or not file.exists() else _existing(file)
    session = classdir.session
    listed = session.labels.all if session else ()  # raises where labels.csv is broken
    if existing:
        if (options.drop or options.rename) and not session:
            listed = tuple(dict.fromkeys(file.label for file in list_examples(classdir.examples_dir)))
        place = session.layout.labels_file if session else classdir.examples_dir
        options = with_labels_as_spelt(options, existing, listed, place, reporter)
        check_unchanged(existing, options, file)
        if not existing.labels_cut:
            relabelled(existing, options.drop, options.rename)
    elif options.drop or options.rename:
        raise OptionError(f"{relabelling(options)} changes an existing classifier: there is no {file}")
    device = choose_device(options.device, reporter.warn)
    check_writable(file, _ROOM)
    choice = None if existing else choose_architecture(options, reporter)
    return TrainingSetup(classdir, file, options, device, existing, choice)


def make_plan(setup: TrainingSetup, trainset: Trainset, reporter: Reporter) -> TrainingPlan:
    """Decide labels, start network and split.

    Parameters
    ----------
    setup : TrainingSetup
        What the run is given.
    trainset : Trainset
        The examples, as they were read.
    reporter : Reporter
        Told of warnings.

    Raises
    ------
    AntraxError
        Examples and existing classifier do not belong together, or the disk is too full.
    """
    classdir, file, options, existing = setup.classdir, setup.file, setup.options, setup.existing
    if existing and existing.background != trainset.background:
        raise TrainsetError(
            f"{classdir.examples_dir} has examples on {trainset.background} background, but {file} was trained on "
            f"{existing.background} background; {START_ANEW}"
        )
    trained_on = None
    if existing:
        existing = existing.with_labels_of(
            (*trainset.labels, *(classdir.session.labels.all if classdir.session else ()))
        )
        trained_on = existing.digest()
        # which may have another spelling now
        spelt = match_labels([*options.drop, *options.rename], existing.labels)
        renamed = {spelt[old]: new for old, new in options.rename.items() if spelt[old] != new}
        existing = relabelled(existing, [spelt[label] for label in options.drop], renamed)
    labels = _output_labels(setup, trainset, existing, reporter)
    categories = label_categories(labels, classdir.session)
    heads = choose_heads(setup, trainset, labels, categories, existing)
    _tell_of_labels_without_examples(setup, trainset, categories, heads, reporter)
    forgotten = frozenset(_forgotten_labels(existing)) if existing else frozenset()
    if returned := sorted(forgotten.intersection(trainset.labels).difference(options.rename.values())):
        again = "it again as a new label" if len(returned) == 1 else "them again as new labels"
        reporter.warn(
            f"{', '.join(returned)}: removed from {file} before ({parameter('drop')} or {parameter('rename')}); this "
            f"training adds {again}, because there are examples in {classdir.examples_dir}; if that is not meant, "
            "stop, and move them away"
        )
    if setup.choice:
        start = start_new(setup.choice, trainset.images.shape[1], labels, trainset.background, options.seed, heads)
    else:
        assert existing is not None
        start = start_on(existing, labels, file, heads)
    weights = sum(math.prod(shape) for shape in start.graph.weight_shapes().values())
    check_writable(file, min(max(_ROOM, _ROOM_A_WEIGHT * weights), _LARGEST_TRIAL))
    return TrainingPlan(
        setup=setup,
        trainset=trainset,
        labels=labels,
        categories=categories,
        existing=existing,
        trained_on=trained_on,
        forgotten=forgotten,
        start=start,
        split=_split(trainset, existing),
    )


def _existing(file: Path) -> Classifier:
    try:
        return read_classifier(file)
    except ClassifierError as error:
        raise ClassifierError(f"{error} ({START_ANEW}, or choose another one with {parameter('name')})") from None


def _forgotten_labels(classifier: Classifier) -> tuple[str, ...]:
    """Labels that earlier runs dropped or renamed, and that a classifier has not learned again since."""
    noted = classifier.record.get("forgotten")
    return tuple(label for label in noted if isinstance(label, str)) if isinstance(noted, list) else ()


def _output_labels(
    setup: TrainingSetup, trainset: Trainset, existing: Classifier | None, reporter: Reporter
) -> tuple[str, ...]:
    """Labels in output order: those of the existing classifier first, so that its weights keep their places."""
    classdir = setup.classdir
    # the session may still list labels that are dropped or renamed
    gone_by = {*setup.options.drop, *setup.options.rename}
    listed = [label for label in classdir.session.labels.all if label not in gone_by] if classdir.session else []
    if classdir.session and (unlisted := sorted(set(trainset.labels) - set(listed))):
        reporter.warn(
            f"examples of {', '.join(unlisted)}, which {classdir.session.layout.labels_file} does not "
            "list: they are learned, but tracklets of this experiment never get these labels"
        )
    wanted = sorted(set(trainset.labels) | set(listed))
    if not existing:
        return tuple(wanted)
    if gone := [label for label in existing.labels if label not in wanted]:
        cut = " (anTraX cut labels after ten bytes, and these cannot be told whole)" if existing.labels_cut else ""
        raise TrainsetError(
            f"{classdir.examples_dir} has no examples of {', '.join(gone)}, which the existing classifier knows{cut}; "
            f"put them back, or {START_ANEW}"
        )
    return existing.labels + tuple(label for label in wanted if label not in existing.labels)


def choose_heads(
    setup: TrainingSetup,
    trainset: Trainset,
    labels: tuple[str, ...],
    categories: Mapping[str, Category],
    existing: Classifier | None,
) -> ColorHeads | None:
    """The units of a network that scores colours; None where each label is scored by itself.

    Parameters
    ----------
    setup : TrainingSetup
        What the run is given.
    trainset : Trainset
    labels : tuple of str
        In output order.
    categories : mapping of str to Category
        Of each label.
    existing : Classifier or None
        Where training goes on from.

    Raises
    ------
    OptionError
        Colours are asked for, and the labels tell none.
    """
    wanted, session = setup.options.colours, setup.classdir.session
    codes = _codes_of(setup, categories)
    if existing:
        return regrown_heads(existing.heads, codes, labels) if existing.heads else None
    if wanted == "off" or (wanted == "auto" and setup.options.arch == registry.CUSTOM):
        return None
    if codes is None and wanted == "on":
        ids = [label for label in labels if categories[label] is Category.ANT]
        where = session.layout.labels_file if session else "the labels.csv of an experiment, and train in that"
        raise OptionError(
            f"{parameter('colours', 'on')}: the IDs {', '.join(ids[:5])}{' …' if ids[5:] else ''} tell no colours of "
            f"tags that several animals share; list the colours (category tagcolors) in {where}, or leave the option "
            "away"
        )
    if codes is None or (wanted == "auto" and not _has_few(trainset, codes.codes)):
        return None
    return heads_for(codes, labels)


def _codes_of(setup: TrainingSetup, categories: Mapping[str, Category]) -> TagCodes | None:
    """Which colours the IDs tell; None where they tell none."""
    session = setup.classdir.session
    ids = [label for label, category in categories.items() if category is Category.ANT]
    return read_codes(ids, session.labels.tagcolors if session else ())


def _has_few(trainset: Trainset, labels: Iterable[str]) -> bool:
    """Whether any of some labels has examples of few tracklets, or none."""
    pairs = np.unique(np.stack([trainset.label_index, trainset.tracklet_index]), axis=1)
    counts = dict(zip(trainset.labels, np.bincount(pairs[0], minlength=len(trainset.labels)).tolist(), strict=True))
    return any(counts.get(label, 0) < FEW_TRACKLETS for label in labels)


def _tell_of_labels_without_examples(
    setup: TrainingSetup,
    trainset: Trainset,
    categories: Mapping[str, Category],
    heads: ColorHeads | None,
    reporter: Reporter,
) -> None:
    """Say which labels have no examples, which of these are known all the same, and which could be."""
    labels = tuple(categories)
    known = known_by_colors(heads, trainset.labels, labels) if heads else ()
    unknown = sorted(set(labels) - set(trainset.labels) - {UNKNOWN, *known})
    if not unknown or not setup.classdir.session:
        return
    codes = None if heads or setup.options.colours == "off" else _codes_of(setup, categories)
    able = known_by_colors(heads_for(codes, labels), trainset.labels, labels) if codes else ()
    reporter.warn(
        f"no usable examples of {', '.join(unknown)}: no tracklet will get these labels until there are"
        + (
            f"; a new classifier would know {', '.join(able)} by the colours of "
            f"{'its' if len(able) == 1 else 'their'} tags: {parameter('scratch', True)}"
            if able
            else ""
        )
    )


def _split(trainset: Trainset, existing: Classifier | None) -> Split:
    """Choose the held-out tracklets: none when continuing from weights that may have seen all, as those of anTraX."""
    seen = existing.seen if existing else None
    split = make_split(trainset.origins, trainset.tracklet_index, trainset.label_index, seen)
    if existing and existing.evaluation_weights is None:
        nothing = np.zeros(len(trainset.origins), bool)
        return dataclasses.replace(split, held_out=nothing, measurable=nothing)
    return split
