"""`antrax train`: from a training set to a classifier that knows how good it is.

How tracklets are held out without weakening what the user gets
---------------------------------------------------------------
A fifth of the tracklets, by a fixed hash, is held out. A first network is trained on the rest; all figures and the
calibration are of this one, on tracklets that it has never seen. Its weights are kept in the file
(`evaluation_weights`). The classifier that is used starts from them and is trained some more on *all* examples, so it
has seen whatever people labelled. Training on later starts from the measured weights again: they have still not
seen the held-out tracklets, so figures stay honest however often one goes round. The file remembers which tracklets
its measured weights have seen, in case the rule of what is held out gives another answer on a grown set.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.classification.calibration import ENOUGH_TRACKLETS, Calibration, calibrate
from antrax.classification.classifier_file import Classifier, read_classifier, write_classifier
from antrax.classification.engine import Batcher, batch_size
from antrax.classification.failures import describe_failure, is_gpu_failure
from antrax.classification.rotation import merge_views, views
from antrax.errors import ClassifierError, DeviceError, OptionError, TrainsetError
from antrax.images import Preparation
from antrax.io.atomic import check_writable, remove_dead_parts
from antrax.io.examples import ClassDir, ExampleChanges, open_classdir
from antrax.io.layout import checkpoint_file, classifier_claim
from antrax.io.locks import claim, claims
from antrax.io.stamps import InputStamps, names_of
from antrax.labels import UNKNOWN, Category
from antrax.messages import parameter
from antrax.networks.devices import choose_device
from antrax.networks.graph import Weights
from antrax.networks.keras.config import to_keras_config
from antrax.progress import Reporter
from antrax.training.dataset import Trainset, label_categories, load_trainset
from antrax.training.evaluation import Evaluation, Prediction, Signs, evaluate, look_for_signs
from antrax.training.options import TrainOptions, check_options, relabelling
from antrax.training.record import describe_run, write_record
from antrax.training.relabelling import relabelled
from antrax.training.split import Split, fingerprints_after, in_held_out_experiments, make_split
from antrax.training.start import START_ANEW, Start, check_unchanged, choose_architecture, start_new, start_on

__all__ = ["TrainOptions", "TrainResult", "train"]

# Steps on all examples after those on the training share, as a share of them.
REFIT = 0.3
_NEGATIVES = 0.1
# Steps in which the labels of a pre-trained network are learned while the rest stays, as a share of the epochs'.
_HEAD = 0.2
_RATE_HEAD = 2e-3
# Accuracy is shown after each epoch, on so many images a held-out tracklet.
_GLANCE = 40
# What a run writes at most, checkpoints included: bytes that must be free when it starts, in all and for each weight.
# To write more just to try it would take too long.
_ROOM, _ROOM_A_WEIGHT, _LARGEST_TRIAL = 8 * 2**20, 64, 512 * 2**20


@dataclass(frozen=True)
class TrainResult:
    """Result of a training run.

    Parameters
    ----------
    path : Path
        The classifier's file.
    classifier : Classifier
        The classifier, as it is in the file.
    evaluation : Evaluation or None
        On held-out tracklets; None where none could be held out.
    record : Path
        Folder with options, versions, figures and pictures.
    problems : tuple of str
        What was left out of the training set, and why; also what came too late for this run.
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
) -> TrainResult:
    """Train a new classifier, or continue the training of one.

    Parameters
    ----------
    path : path
        A folder that holds `examples/`, or an experiment.
    options : TrainOptions, optional
        How to train; the defaults of `TrainOptions` without.
    session : str, optional
        Session of the experiment; the latest by default.
    reporter : Reporter, optional
        Told of progress and warnings; silent by default.

    Returns
    -------
    TrainResult
        The classifier, and its figures on held-out tracklets.

    Raises
    ------
    AntraxError
        Options, training set or existing classifier do not allow it; nothing is changed then.

    Examples
    --------
    >>> result = antrax.train("colony1", antrax.TrainOptions(epochs=10, scratch=True))  # doctest: +SKIP
    >>> result.evaluation.image_accuracy  # doctest: +SKIP
    0.964
    """
    options = options or TrainOptions()
    reporter = reporter or Reporter()
    check_options(options)
    classdir = open_classdir(path, session)
    file = classdir.classifier_file(options.name)
    with claim(classdir.path, classifier_claim(file, "train"), None, task="antrax train"):
        try:
            return _train(classdir, file, options, reporter)
        except Exception as error:
            if is_gpu_failure(error):
                raise DeviceError(describe_failure(error, file)) from None
            raise


def _train(classdir: ClassDir, file: Path, options: TrainOptions, reporter: Reporter) -> TrainResult:
    """Train the classifier of a file, while nobody else does."""
    started = time.monotonic()
    clear_dead_checkpoints(file)
    remove_dead_parts(file.parent)
    inputs, tables = InputStamps(), InputStamps()
    inputs.note(file)
    if classdir.session:
        tables.note(classdir.session.layout.labels_file)
    if readers := claims(file.parent, classifier_claim(file, "classify")):
        reporter.warn(
            f"{readers[0]} classifies with {file}: the movies that it has not done when this training puts its result "
            "there keep their earlier results, if they had any, and are to be classified again"
        )
    existing = None if options.scratch or not file.exists() else _existing(file)
    if existing:
        check_unchanged(existing, options, file)
        if not existing.labels_cut:  # to be told before images are read
            relabelled(existing, options.drop, options.rename)
    elif options.drop or options.rename:
        raise OptionError(f"{relabelling(options)} changes an existing classifier: there is no {file}")
    trained_on = None
    if classdir.session:
        _ = classdir.session.labels  # a broken labels.csv is to be told before an hour's images are read
    device = choose_device(options.device, reporter.warn)
    check_writable(file, _ROOM)

    choice = None if existing else choose_architecture(options, reporter)
    preparation = existing.preparation if existing else choice.size if choice else None
    reporter.stages(_shares(1, REFIT, 0))  # until the steps are known
    with reporter.bar(_READING, None, "images") as update:
        trainset = load_trainset(
            classdir,
            preparation,
            relabel={**dict.fromkeys(options.drop), **options.rename},
            crop_size=options.crop_size,
            background=options.background,
            progress=lambda done, total: update(done, total=total),
        )
    for problem in trainset.problems:
        reporter.warn(problem)
    if existing and existing.background != trainset.background:
        raise TrainsetError(
            f"{classdir.examples_dir} has examples on {trainset.background} ground, but {file} was trained on "
            f"{existing.background} ground; {START_ANEW}"
        )
    if existing:
        existing = existing.with_labels_of(
            (*trainset.labels, *(classdir.session.labels.all if classdir.session else ()))
        )
        trained_on = existing.digest()
        existing = relabelled(existing, options.drop, options.rename)
    labels = _output_labels(trainset, classdir, existing, {*options.drop, *options.rename}, reporter)
    forgotten = set(forgotten_labels(existing)) if existing else set()
    if returned := sorted(forgotten.intersection(trainset.labels).difference(options.rename.values())):
        again = "it again as a new label" if len(returned) == 1 else "them again as new labels"
        reporter.warn(
            f"{file} was made to forget {', '.join(returned)} ({parameter('drop')} or {parameter('rename')}) and now "
            f"learns {again}, for there are examples in {classdir.examples_dir}; if that is not meant, stop, and move "
            "them away"
        )
    categories = label_categories(labels, classdir.session)
    if choice:
        start = start_new(choice, trainset.images.shape[1], labels, trainset.background, options.seed)
    else:
        assert existing is not None
        start = start_on(existing, labels, file)
    weights = sum(math.prod(shape) for shape in start.graph.weight_shapes().values())
    check_writable(file, min(max(_ROOM, _ROOM_A_WEIGHT * weights), _LARGEST_TRIAL))
    plan = _TrainingPlan(options, device, trainset, labels, categories, existing, start, file)
    reporter.say(
        f"{len(trainset.images):,} images of {len(trainset.tracklets):,} tracklets, {len(trainset.labels)} labels, "
        f"{plan.graph.size} pixels, {trainset.background} background; "
        f"{'training on ' + file.name if existing else 'a new classifier: ' + plan.graph.name}, on {device}"
    )
    if plan.split.withheld:
        reporter.warn(
            f"the names of {plan.split.withheld:,} images tell no tracklet (trj_id…): they are learned in the last "
            "stage only, after accuracy was measured"
        )
    classifier, evaluation, history = plan.run(reporter)
    meanwhile = trainset.read.changes() if trainset.read else ExampleChanges()
    late = list(_late(classdir, meanwhile, tables))
    for sentence in late:
        reporter.say(sentence)
    record = describe_run(
        trainset,
        labels,
        options=plan.settings(),
        trained_on=trained_on,
        split=plan.split,
        calibration=classifier.calibration,
        history=history,
        evaluation=evaluation,
        signs=plan.signs,
        seconds=time.monotonic() - started,
        meanwhile=meanwhile,
        forgotten=sorted((forgotten | {*options.drop, *options.rename}).difference(labels)),
    )
    classifier = dataclasses.replace(classifier, record=record)
    if inputs.changed():
        # somebody put another classifier there: neither that nor the work of an hour is to be lost
        changed, file = file, classdir.classifier_file(f"{options.name}_{datetime.now():%Y-%m-%d_%H-%M-%S}")
        reporter.warn(f"{changed} was changed by another program while this training ran; the result is {file}")
    write_classifier(classifier, file)
    folder = write_record(
        classdir.layout.records, options.name, record, trainset, plan.split.held_out, evaluation, history
    )
    for checkpoint in plan.checkpoints.values():
        checkpoint.unlink(missing_ok=True)
    return TrainResult(file, classifier, evaluation, folder, (*trainset.problems, *late))


def _late(classdir: ClassDir, meanwhile: ExampleChanges, tables: InputStamps) -> Iterator[str]:
    """What people changed too late for this training, a sentence each: they may label while it runs."""
    if meanwhile:
        yield (
            f"{classdir.examples_dir}: examples changed since this training read them ({meanwhile}); the classifier "
            "has learned them as they were then, so train again to include what changed"
        )
    try:
        changed = tables.changed()
    except OSError:
        changed = []
    if changed:
        yield f"{names_of(changed)} was changed while this training ran: the classifier has the labels of before"


def clear_dead_checkpoints(file: Path) -> None:
    """Remove checkpoints of trainings of this classifier that were killed after they had written their result."""
    for phase in PHASES:
        checkpoint = checkpoint_file(file, phase)
        with contextlib.suppress(OSError):
            if checkpoint.stat().st_mtime_ns <= file.stat().st_mtime_ns:
                checkpoint.unlink()


def _existing(file: Path) -> Classifier:
    try:
        return read_classifier(file)
    except ClassifierError as error:
        raise ClassifierError(f"{error} ({START_ANEW}, or choose another one with {parameter('name')})") from None


def forgotten_labels(classifier: Classifier) -> tuple[str, ...]:
    """Labels that earlier trainings of a classifier dropped or renamed, and that it has not learned again since."""
    noted = classifier.record.get("forgotten")
    return tuple(label for label in noted if isinstance(label, str)) if isinstance(noted, list) else ()


def _output_labels(
    trainset: Trainset, classdir: ClassDir, existing: Classifier | None, gone_by: Collection[str], reporter: Reporter
) -> tuple[str, ...]:
    """Labels in output order: those of the existing classifier first, so that its weights keep their places.

    `gone_by` are labels that the session may still list and that are dropped or renamed.
    """
    listed = [label for label in classdir.session.labels.all if label not in gone_by] if classdir.session else []
    if classdir.session and (unlisted := sorted(set(trainset.labels) - set(listed))):
        reporter.warn(
            f"examples of {', '.join(unlisted)}, which {classdir.session.layout.labels_file} does not "
            "list: they are learned, but tracklets of this experiment never get these labels"
        )
    if without := sorted(set(listed) - set(trainset.labels) - {UNKNOWN}):
        reporter.warn(f"no usable examples of {', '.join(without)}: no tracklet will get these labels until there are")
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


_READING = "reading examples"
_READING_SHARE = 0.03  # of the whole time, roughly
PHASES = ("head", "measured", "finished")
_TITLES = {
    "head": "training the labels of a pre-trained network",
    "measured": "training",
    "finished": "refit on all examples",
}


def _shares(measured: float, finished: float, head: float) -> dict[str, float]:
    """How long each stage takes in proportion to the others, from their steps."""
    steps = {_TITLES["head"]: head, _TITLES["measured"]: measured, _TITLES["finished"]: finished}
    return {_READING: _READING_SHARE * sum(steps.values())} | {title: share for title, share in steps.items() if share}


class _TrainingPlan:
    """One training run: what is trained on what, from where, in which steps."""

    def __init__(
        self,
        options: TrainOptions,
        device: str,
        trainset: Trainset,
        labels: tuple[str, ...],
        categories: Mapping[str, Category],
        existing: Classifier | None,
        start: Start,
        file: Path,
    ) -> None:
        self.options, self.device, self.trainset = options, device, trainset
        self.labels, self.categories, self.existing = labels, categories, existing
        self.graph, self.start, self.file = start.graph, start, file
        self.hsymmetry = existing.hsymmetry if existing else bool(options.hsymmetry)
        self.preparation = (
            existing.preparation
            if existing
            else Preparation(self.graph.size, trainset.background, crop_size=options.crop_size)
        )
        self.signs: Signs | None = None
        self._told: set[str] = set()
        output = np.array([labels.index(label) for label in trainset.labels])
        self.targets = output[trainset.label_index]
        self.split = _split(trainset, existing)
        self.key = _key(options, trainset, labels, existing, start)
        self.checkpoints = {phase: checkpoint_file(file, phase) for phase in PHASES}

    def settings(self) -> dict[str, Any]:
        """The options that this run has, those that were left open filled in."""
        from antrax.training.augmentation import describe, parse_augmentation

        return {
            "epochs": self.options.epochs,
            "scratch": self.options.scratch,
            "arch": self.graph.name,
            "target_size": self.graph.size,
            "hsymmetry": self.hsymmetry,
            "augmentation": describe(parse_augmentation(self.options.aug_options, hsymmetry=self.hsymmetry)),
            "device": self.device,
            "seed": self.options.seed,
            "modelfile": None if self.options.modelfile is None else os.fspath(self.options.modelfile),
            "pretrained": bool(self.start.head),
            "drop": list(self.options.drop),
            "rename": dict(self.options.rename),
            "unknown_weight": self.options.unknown_weight,
            "multi_weight": self.options.multi_weight,
            "crop_size": self.preparation.crop_size,
            "background": self.preparation.background,
        }

    @property
    def seen(self) -> NDArray[np.uint64]:
        """Fingerprints of what the measured weights have seen after this run."""
        before = self.existing.seen if self.existing else None
        return fingerprints_after(self.trainset.origins, self.split.held_out, before)

    def run(self, reporter: Reporter) -> tuple[Classifier, Evaluation | None, list[dict[str, float]]]:
        """Train, measure, calibrate, and train to the end on everything."""
        from antrax.training.loop import Schedule, steps_per_epoch

        training = ~self.split.held_out[self.trainset.tracklet_index]
        an_epoch, all_in_one = steps_per_epoch(int(training.sum())), steps_per_epoch(len(training))
        epochs, seed = self.options.epochs, self.options.seed
        start = self.start.weights
        history: list[dict[str, float]] = []
        head_steps = max(1, round(_HEAD * epochs * an_epoch)) if self.start.head else 0
        refit_steps = max(1, round(REFIT * epochs * all_in_one)) if self.split.held_out.any() else 0
        reporter.stages(_shares(epochs * an_epoch, refit_steps, head_steps))
        if self.start.head:
            schedule = Schedule(head_steps, head_steps, _RATE_HEAD, _NEGATIVES, seed + 2, self.start.head)
            start, learned = self._optimize("head", start, training, schedule, reporter)
            history += learned
        schedule = Schedule(epochs * an_epoch, an_epoch, self.start.rate, _NEGATIVES, seed)
        measured, learned = self._optimize("measured", start, training, schedule, reporter)
        history += learned
        weights = measured
        if self.split.held_out.any():
            schedule = Schedule(refit_steps, all_in_one, self.start.refit_rate, _NEGATIVES, seed + 1)
            weights, _ = self._optimize("finished", measured, training | True, schedule, reporter)
        evaluation = calibration = None
        predictions = self._predictions(measured)
        if predictions:
            evaluation = evaluate(predictions, self.labels)
            self._tell_of_new_experiments(predictions, reporter)
            categories = [self.categories[label] for label in self.labels]
            calibration = calibrate([prediction.as_tracklet() for prediction in predictions], categories)
            calibration = dataclasses.replace(calibration, independent=self.split.independent)
        self.signs = look_for_signs(predictions or self._predictions(measured, _GLANCE, seen=True), bool(predictions))
        if self.signs and (poor := self.signs.what_is_poor()):
            reporter.warn(poor)
        if reason := self._why_not_calibrated(calibration):
            reporter.warn(f"{reason}: classify will use a fixed cautious rule")
        classifier = Classifier(
            graph=self.graph,
            weights=weights,
            labels=self.labels,
            categories=self.categories,
            preparation=self.preparation,
            hsymmetry=self.hsymmetry,
            calibration=calibration,
            evaluation_weights=measured,
            seen=self.seen,
        )
        return classifier, evaluation, history

    def _why_not_calibrated(self, calibration: Calibration | None) -> str | None:
        """Why no threshold can be chosen by what the held-out tracklets show; None if one can."""
        if calibration and calibration.sufficient:
            return None
        if self.existing and self.existing.evaluation_weights is None:
            return (
                f"{self.file.name} may have seen any of these tracklets, so that none can show how good it is "
                f"({parameter('scratch', True)} starts a classifier that is measured)"
            )
        if self.split.nameless:
            return (
                f"the names of {self.split.nameless:,} of {len(self.trainset.images):,} images tell no tracklet "
                "(trj_id…): images of one animal may be among those trained on and those held out, and figures on "
                "held-out images may be far too good"
            )
        if not self.split.independent:
            return (
                f"{self.file.name} was trained on images whose names told no tracklet: they may be those held out now, "
                "and figures on held-out images may be far too good "
                f"({parameter('scratch', True)} starts a classifier that is measured)"
            )
        count = len(calibration.confidences) if calibration else 0
        return f"too few held-out tracklets to calibrate on ({count} with an ID; {ENOUGH_TRACKLETS} are needed)"

    def _tell_of_new_experiments(self, predictions: list[Prediction], reporter: Reporter) -> None:
        """Say how well experiments are identified of which not one tracklet was seen: the hardest figure."""
        new = in_held_out_experiments(self.trainset.origins)[np.flatnonzero(self.split.measurable)]
        chosen = [prediction for prediction, is_new in zip(predictions, new, strict=True) if is_new]
        if chosen:
            figures = evaluate(chosen, self.labels)
            reporter.say(
                f"of these, {len(chosen)} tracklets of experiments that the network never saw anything of: "
                f"{figures.image_accuracy:.1%} of images, {figures.tracklet_accuracy:.1%} of tracklets right"
            )

    def _optimize(
        self,
        phase: str,
        start: Weights | None,
        chosen: NDArray[np.bool_],
        schedule: Any,
        reporter: Reporter,
    ) -> tuple[Weights, list[dict[str, float]]]:
        from antrax.training.augmentation import parse_augmentation
        from antrax.training.loop import BATCH, Material, optimize

        whole = bool(chosen.all())
        material = Material(
            # a selection copies, and the set may fill half the memory
            self.trainset.images if whole else self.trainset.images[chosen],
            self.targets if whole else self.targets[chosen],
            self.trainset.tracklet_index if whole else self.trainset.tracklet_index[chosen],
            tuple(self.categories[label] for label in self.labels),
            self.trainset.background,
            {Category.UNKNOWN: self.options.unknown_weight, Category.MULTI: self.options.multi_weight},
        )
        epochs = -(-schedule.steps // schedule.steps_an_epoch)
        with reporter.bar(_TITLES[phase], schedule.steps * BATCH, "images") as update:

            def on_step(step: int, loss: float) -> None:
                update(step * BATCH, f"loss {loss:.3f}")

            def on_notice(text: str) -> None:
                if text not in self._told:
                    self._told.add(text)
                    reporter.warn(text)

            def on_resume(step: int) -> None:
                reporter.say(f"{_TITLES[phase]}: going on where it was stopped, at {step / schedule.steps:.0%}")

            def on_epoch(epoch: int, loss: float, weights: Weights) -> dict[str, float]:
                # what pre-trained features are worth by themselves is shown before they are changed
                row = {"epoch": 0.0 if phase == "head" else float(epoch), "loss": loss}
                if phase != "finished":
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
                    title = "labels alone" if phase == "head" else f"epoch {epoch} of {epochs}"
                    reporter.say(f"{title}: loss {loss:.3f}{text}")
                return row

            return optimize(
                self.graph,
                start,
                material,
                schedule,
                parse_augmentation(self.options.aug_options, hsymmetry=self.hsymmetry),
                self.device,
                checkpoint=self.checkpoints[phase],
                key=f"{self.key} {phase}",
                on_step=on_step,
                on_epoch=on_epoch,
                on_resume=on_resume,
                on_notice=on_notice,
            )

    def _predictions(self, weights: Weights, most: int | None = None, *, seen: bool = False) -> list[Prediction]:
        """What a network says of the held-out tracklets, at most so many images of each, seen as in classification.

        With `seen`, of those that it was trained on.
        """
        from antrax.networks.backends.torch_network import TorchPredictor

        predictor = TorchPredictor(self.graph, weights, self.device)
        batcher = Batcher(predictor, batch_size(self.graph, self.device), self.graph.size)
        places = []
        for tracklet in np.flatnonzero(~self.split.held_out if seen else self.split.measurable):
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


def _split(trainset: Trainset, existing: Classifier | None) -> Split:
    """What is held out: nothing where training goes on from weights that may have seen all, as those of anTraX."""
    seen = existing.seen if existing else None
    split = make_split(trainset.origins, trainset.tracklet_index, trainset.label_index, seen)
    if existing and existing.evaluation_weights is None:
        nothing = np.zeros(len(trainset.origins), bool)
        return dataclasses.replace(split, held_out=nothing, measurable=nothing)
    return split


def _key(
    options: TrainOptions, trainset: Trainset, labels: tuple[str, ...], existing: Classifier | None, start: Start
) -> str:
    """Identifies a run: the same command on the same examples, the same network and the same old classifier."""
    left_out = ("device", "scratch", "name", "modelfile")
    relevant = {k: v for k, v in dataclasses.asdict(options).items() if k not in left_out}
    basis = [version("antrax"), trainset.digest, existing.digest() if existing else None, to_keras_config(start.graph)]
    state = blake2b(json.dumps([relevant, labels, basis], default=str).encode(), digest_size=16)
    for name, value in (start.weights or {}).items():
        state.update(name.encode() + np.ascontiguousarray(value).tobytes())
    return state.hexdigest()
