"""`antrax train`: from a training set to a classifier that knows how good it is.

How tracklets are held out without weakening what the user gets
---------------------------------------------------------------
A fifth of the tracklets, by a fixed hash, is held out. A first network is trained on the rest; all figures and the
calibration are of this one, on tracklets that it has never seen. Its weights are kept in the file
(`measured_weights`). The classifier that is used starts from them and is trained some more on *all* examples, so it
has seen whatever people labelled. Training on later starts from the measured weights again: they have still not
seen the held-out tracklets, so figures stay honest however often one goes round. The file remembers which tracklets
its measured weights have seen, in case the rule of what is held out gives another answer on a grown set.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.calibration import ENOUGH_TRACKLETS, calibrate
from antrax.classifier import Classifier, read_classifier, write_classifier
from antrax.decision import merge_views, views
from antrax.devices import choose_device
from antrax.engine import Batcher
from antrax.errors import ClassifierError, OptionError, TrainsetError
from antrax.evaluation import Evaluation, Prediction, evaluate
from antrax.files import check_writable
from antrax.images import Preparation
from antrax.labels import UNKNOWN, Category
from antrax.network.graph import (
    ARCHITECTURES,
    LARGEST,
    NOT_YET,
    SMALLEST,
    Graph,
    Weights,
    build,
    grown_weights,
    with_outputs,
)
from antrax.records import describe_run, write_record
from antrax.reporting import Reporter
from antrax.trainset import ClassDir, Trainset, label_categories, load_trainset, open_classdir

# Steps on all examples after those on the training share, as a share of them.
_FINISHING = 0.3
_NEGATIVES = 0.1
_RATE_NEW, _RATE_ON, _RATE_FINISHING = 4e-3, 2e-3, 1.5e-3
# Accuracy is shown after each epoch, on so many images a held-out tracklet.
_GLANCE = 40
_AT_ONCE = 512
# What a run writes at most, checkpoints included, for the small architecture: bytes that must be free when it starts.
_ROOM = 8 * 2**20


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
        small (default), wide, large.
    target_size : int, optional
        Side length to which images are resized, in pixels; that of the first image by default.
    hsymmetry : bool, optional
        Mirror images left to right too; False by default.
    modelfile : path, optional
        For `arch="custom"`, which is not there yet.
    aug_options : str
        `k=v,…`, see `antrax.augmentation.Augmentation`.
    device : str
        auto, cpu, cuda or mps.
    seed : int
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


@dataclass(frozen=True)
class TrainingResult:
    """What came of it.

    Parameters
    ----------
    path : Path
        The classifier's file.
    classifier : Classifier
    evaluation : Evaluation or None
        On held-out tracklets; None where none could be held out.
    record : Path
        Folder with options, versions, figures and pictures.
    problems : tuple of str
        What was left out of the training set, and why.
    """

    path: Path
    classifier: Classifier
    evaluation: Evaluation | None
    record: Path
    problems: tuple[str, ...]


def train(
    path: str | os.PathLike[str],
    options: TrainOptions | None = None,
    *,
    session: str | None = None,
    reporter: Reporter | None = None,
) -> TrainingResult:
    """Train a classifier, new or further.

    Parameters
    ----------
    path : path
        A folder that holds `examples/`, or an experiment.
    options : TrainOptions, optional
    session : str, optional
        Session of the experiment; the latest by default.
    reporter : Reporter, optional
        Hears of progress.

    Raises
    ------
    AntraxError
        Options, training set or existing classifier do not allow it; nothing is changed then.
    """
    options = options or TrainOptions()
    reporter = reporter or Reporter()
    started = time.monotonic()
    _check_options(options)
    classdir = open_classdir(path, session)
    file = classdir.classifier_file(options.name)
    existing = None if options.scratch or not file.exists() else _existing(file)
    if existing:
        _check_unchanged(existing, options, file)
    if classdir.session:
        _ = classdir.session.labels  # a broken labels.csv is to be told before an hour's images are read
    device = choose_device(options.device)
    check_writable(file, _ROOM)

    preparation = existing.preparation if existing else options.target_size
    with reporter.bar("reading examples", None, "images") as update:
        trainset = load_trainset(classdir, preparation, progress=lambda done, total: update(done, total=total))
    for problem in trainset.problems:
        reporter.warn(problem)
    if existing and existing.background != trainset.background:
        raise TrainsetError(
            f"{classdir.examples_dir} has examples on {trainset.background} ground, but {file} was trained on "
            f"{existing.background} ground; start a new classifier with --scratch"
        )
    if existing:
        existing = existing.with_labels_of(
            (*trainset.labels, *(classdir.session.labels.all if classdir.session else ()))
        )
    labels = _output_labels(trainset, classdir, existing, reporter)
    categories = label_categories(labels, classdir.session)
    plan = _Plan(options, device, trainset, labels, categories, existing, file)
    reporter.say(
        f"{len(trainset.images):,} images of {len(trainset.tracklets):,} tracklets, {len(trainset.labels)} labels, "
        f"{plan.graph.size} pixels, {trainset.background} background; "
        f"{'training on ' + file.name if existing else 'a new classifier: ' + plan.graph.name}, on {device}"
    )
    classifier, evaluation, history = plan.run(reporter)
    record = describe_run(
        trainset,
        labels,
        options=plan.settings(),
        trained_on=existing.digest() if existing else None,
        held_out=int(plan.measurable.sum()),
        history=history,
        evaluation=evaluation,
        seconds=time.monotonic() - started,
    )
    classifier = dataclasses.replace(classifier, record=record)
    write_classifier(classifier, file)
    folder = write_record(classdir.path / "training", options.name, record, trainset, evaluation, history)
    for checkpoint in plan.checkpoints:
        checkpoint.unlink(missing_ok=True)
    return TrainingResult(file, classifier, evaluation, folder, trainset.problems)


def _check_options(options: TrainOptions) -> None:
    if options.epochs < 1:
        raise OptionError(f"--ne {options.epochs}: train for at least one epoch")
    if not re.fullmatch(r"[^/\\.][^/\\]*", options.name) or options.name.endswith(".h5"):
        raise OptionError(f"--name {options.name}: give a plain name, without folder and ending")
    if options.arch is not None and options.arch not in ARCHITECTURES:
        raise OptionError(f"--arch {options.arch}: there are {', '.join(ARCHITECTURES)}")
    if options.arch in NOT_YET:
        raise OptionError(f"--arch {options.arch} is not there yet; use small, wide or large")
    if options.modelfile is not None:
        raise OptionError(
            "--modelfile goes with --arch custom, which is not there yet; use --arch small, wide or large"
        )
    if options.target_size is not None and not SMALLEST <= options.target_size <= LARGEST:
        raise OptionError(f"--target-size {options.target_size}: sizes from {SMALLEST} to {LARGEST} pixels can be used")
    from antrax.augmentation import parse_augmentation

    parse_augmentation(options.aug_options)


def _existing(file: Path) -> Classifier:
    try:
        return read_classifier(file)
    except ClassifierError as error:
        raise ClassifierError(f"{error} (start a new one with --scratch, or choose another with --name)") from None


def _check_unchanged(existing: Classifier, options: TrainOptions, file: Path) -> None:
    """What an existing classifier is cannot be changed by training on; an option that asks for it is an error."""
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


def _output_labels(
    trainset: Trainset, classdir: ClassDir, existing: Classifier | None, reporter: Reporter
) -> tuple[str, ...]:
    """Labels in output order: those of the existing classifier first, so that its weights keep their places."""
    listed = classdir.session.labels.all if classdir.session else ()
    if classdir.session and (unlisted := sorted(set(trainset.labels) - set(listed))):
        reporter.warn(
            f"examples of {', '.join(unlisted)}, which {classdir.session.path / 'parameters' / 'labels.csv'} does not "
            "list: they are learned, but tracklets of this experiment never get these labels"
        )
    if without := sorted(set(listed) - set(trainset.labels) - {UNKNOWN}):
        reporter.warn(f"no usable examples of {', '.join(without)}: no tracklet will get these labels until there are")
    wanted = sorted(set(trainset.labels) | set(listed))
    if not existing:
        return tuple(wanted)
    if gone := [label for label in existing.labels if label not in wanted]:
        raise TrainsetError(
            f"{classdir.examples_dir} has no examples of {', '.join(gone)}, which the existing classifier knows; "
            "put them back, or start a new classifier with --scratch"
        )
    return existing.labels + tuple(label for label in wanted if label not in existing.labels)


class _Plan:
    """One training run: what is trained on what, from where, in which steps."""

    def __init__(
        self,
        options: TrainOptions,
        device: str,
        trainset: Trainset,
        labels: tuple[str, ...],
        categories: Mapping[str, Category],
        existing: Classifier | None,
        file: Path,
    ) -> None:
        self.options, self.device, self.trainset = options, device, trainset
        self.labels, self.categories, self.existing = labels, categories, existing
        self.graph, self.start = _starting_point(options, trainset, labels, existing)
        self.hsymmetry = existing.hsymmetry if existing else bool(options.hsymmetry)
        self.preparation = existing.preparation if existing else Preparation(self.graph.size, trainset.background)
        output = np.array([labels.index(label) for label in trainset.labels])
        self.targets = output[trainset.label_index]
        self.held_out, self.measurable = _split(trainset, existing)
        self.key = _key(options, trainset, labels, existing)
        self.checkpoints = [file.with_name(f".{file.name}.{phase}.checkpoint") for phase in ("measured", "finished")]

    def settings(self) -> dict[str, Any]:
        """The options that this run has, those that were left open filled in."""
        from antrax.augmentation import describe, parse_augmentation

        return {
            "epochs": self.options.epochs,
            "scratch": self.options.scratch,
            "arch": self.graph.name,
            "target_size": self.graph.size,
            "hsymmetry": self.hsymmetry,
            "augmentation": describe(parse_augmentation(self.options.aug_options, hsymmetry=self.hsymmetry)),
            "device": self.device,
            "seed": self.options.seed,
        }

    @property
    def seen(self) -> NDArray[np.uint64]:
        """Fingerprints of what the measured weights have seen after this run."""
        before = self.existing.seen if self.existing else np.zeros(0, np.uint64)
        return np.union1d(before, self.trainset.fingerprints()[~self.held_out])

    def run(self, reporter: Reporter) -> tuple[Classifier, Evaluation | None, list[dict[str, float]]]:
        """Train, measure, calibrate, and train to the end on everything."""
        from antrax.optimization import Schedule, steps_per_epoch

        training = ~self.held_out[self.trainset.tracklet_index]
        an_epoch, all_in_one = steps_per_epoch(int(training.sum())), steps_per_epoch(len(training))
        epochs, seed = self.options.epochs, self.options.seed
        schedule = Schedule(epochs * an_epoch, an_epoch, _RATE_ON if self.existing else _RATE_NEW, _NEGATIVES, seed)
        measured, history = self._optimize("training", self.start, training, schedule, reporter, show=True)
        weights = measured
        if self.held_out.any():
            steps = max(1, round(_FINISHING * epochs * all_in_one))
            schedule = Schedule(steps, all_in_one, _RATE_FINISHING, _NEGATIVES, seed + 1)
            weights, _ = self._optimize("finishing on all examples", measured, training | True, schedule, reporter)
        evaluation = calibration = None
        predictions = self._predictions(measured)
        if predictions:
            evaluation = evaluate(predictions, self.labels)
            self._tell_of_new_experiments(predictions, reporter)
            categories = [self.categories[label] for label in self.labels]
            calibration = calibrate([prediction.as_tracklet() for prediction in predictions], categories)
        if not calibration or not calibration.sufficient:
            count = len(calibration.confidences) if calibration else 0
            reporter.warn(
                f"too few held-out tracklets to calibrate on ({count} with an ID; {ENOUGH_TRACKLETS} are needed): "
                "classify will use a fixed cautious rule"
            )
        classifier = Classifier(
            graph=self.graph,
            weights=weights,
            labels=self.labels,
            categories=self.categories,
            preparation=self.preparation,
            hsymmetry=self.hsymmetry,
            calibration=calibration,
            measured_weights=measured,
            seen=self.seen,
        )
        return classifier, evaluation, history

    def _tell_of_new_experiments(self, predictions: list[Prediction], reporter: Reporter) -> None:
        """Say how well experiments are identified of which not one tracklet was seen: the hardest figure."""
        new = self.trainset.in_held_out_experiments()[np.flatnonzero(self.measurable)]
        chosen = [prediction for prediction, is_new in zip(predictions, new, strict=True) if is_new]
        if chosen:
            figures = evaluate(chosen, self.labels)
            reporter.say(
                f"of these, {len(chosen)} tracklets of experiments that the network never saw anything of: "
                f"{figures.image_accuracy:.1%} of images, {figures.tracklet_accuracy:.1%} of tracklets right"
            )

    def _optimize(
        self,
        title: str,
        start: Weights | None,
        chosen: NDArray[np.bool_],
        schedule: Any,
        reporter: Reporter,
        show: bool = False,
    ) -> tuple[Weights, list[dict[str, float]]]:
        from antrax.augmentation import parse_augmentation
        from antrax.optimization import BATCH, Material, optimize

        whole = bool(chosen.all())
        material = Material(
            # a selection copies, and the set may fill half the memory
            self.trainset.images if whole else self.trainset.images[chosen],
            self.targets if whole else self.targets[chosen],
            self.trainset.tracklet_index if whole else self.trainset.tracklet_index[chosen],
            tuple(self.categories[label] for label in self.labels),
            self.trainset.background,
        )
        phase = "measured" if show else "finished"
        epochs = -(-schedule.steps // schedule.steps_an_epoch)
        with reporter.bar(title, schedule.steps * BATCH, "images") as update:

            def on_step(step: int, loss: float) -> None:
                update(step * BATCH, f"loss {loss:.3f}")

            def on_epoch(epoch: int, loss: float, weights: Weights) -> dict[str, float]:
                row = {"epoch": float(epoch), "loss": loss}
                if show:
                    predictions = self._predictions(weights, _GLANCE)
                    text = ""
                    if predictions:
                        figures = evaluate(predictions, self.labels)
                        row |= {
                            "image_accuracy": figures.image_accuracy,
                            "tracklet_accuracy": figures.tracklet_accuracy,
                        }
                        text = (
                            f"; held out: {figures.image_accuracy:.1%} of images, "
                            f"{figures.tracklet_accuracy:.1%} of tracklets right"
                        )
                    reporter.say(f"epoch {epoch} of {epochs}: loss {loss:.3f}{text}")
                return row

            return optimize(
                self.graph,
                start,
                material,
                schedule,
                parse_augmentation(self.options.aug_options, hsymmetry=self.hsymmetry),
                self.device,
                checkpoint=self.checkpoints[0 if show else 1],
                key=f"{self.key} {phase}",
                on_step=on_step,
                on_epoch=on_epoch,
            )

    def _predictions(self, weights: Weights, most: int | None = None) -> list[Prediction]:
        """What a network says of the held-out tracklets, at most so many images of each, seen as in classification."""
        from antrax.network.torch_network import TorchPredictor

        batcher = Batcher(TorchPredictor(self.graph, weights, self.device), _AT_ONCE, self.graph.size)
        places = []
        for tracklet in np.flatnonzero(self.measurable):
            chosen = np.flatnonzero(self.trainset.tracklet_index == tracklet)
            if most and len(chosen) > most:
                chosen = chosen[np.linspace(0, len(chosen) - 1, most).astype(int)]
            places.append(chosen)
            batcher.add(self.trainset.images[chosen], *views(len(chosen)))
        if not places:
            return []
        shown = np.cumsum([len(views(len(chosen))[0]) for chosen in places])[:-1]
        return [
            Prediction(merge_views(logs, len(chosen)), self.targets[chosen])
            for chosen, logs in zip(places, np.split(batcher.finish(), shown), strict=True)
        ]


def _starting_point(
    options: TrainOptions, trainset: Trainset, labels: tuple[str, ...], existing: Classifier | None
) -> tuple[Graph, Weights | None]:
    """The architecture, and the weights to start from: grown where there are new labels, None for new ones."""
    if not existing:
        size = trainset.images.shape[1]
        return build(options.arch or "small", size, len(labels), trainset.background), None
    weights = existing.measured_weights or existing.weights
    return with_outputs(existing.graph, len(labels)), grown_weights(existing.graph, weights, len(labels))


def _split(trainset: Trainset, existing: Classifier | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which tracklets are held out, and which of these can be measured on; each of shape (tracklets,).

    Nothing is held out of a set so small that the rest would lack all but one label.
    """
    held_out = trainset.held_out()
    rest = trainset.label_index[~held_out[trainset.tracklet_index]]
    if len(np.unique(rest)) < 2:
        held_out[:] = False
    measurable = held_out.copy()
    if existing:
        measurable &= ~np.isin(trainset.fingerprints(), existing.seen)
        if existing.measured_weights is None:
            measurable[:] = False
    return held_out, measurable


def _key(options: TrainOptions, trainset: Trainset, labels: tuple[str, ...], existing: Classifier | None) -> str:
    """Identifies a run: the same command on the same examples and the same old classifier."""
    relevant = {k: v for k, v in dataclasses.asdict(options).items() if k not in ("device", "scratch", "name")}
    basis = [version("antrax"), trainset.digest, existing.digest() if existing else None]
    text = json.dumps([relevant, labels, basis], default=str)
    return blake2b(text.encode(), digest_size=16).hexdigest()
