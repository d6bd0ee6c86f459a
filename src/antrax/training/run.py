"""`antrax train`: from a training set to a classifier with its error rates on held-out tracklets.

How tracklets are held out without weakening what the user gets
---------------------------------------------------------------
A fifth of the tracklets, by a fixed hash, is held out. A first network is trained on the rest; all figures and the
calibration are of this one, on tracklets that it has never seen. Its weights are kept in the file
(`evaluation_weights`). The classifier that is used starts from them and is trained some more on *all* examples, so it
has seen whatever people labelled. Training on later starts from the evaluation weights again: they have still not
seen the held-out tracklets, so figures stay unbiased however often one trains on. The file has fingerprints of the
tracklets that the evaluation weights were trained on, in case the rule of what is held out gives another answer on a
grown set.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from antrax.batch import describe_failure, is_gpu_failure
from antrax.classification.classifier_file import Classifier, write_classifier
from antrax.errors import DeviceError
from antrax.io.atomic import remove_dead_parts
from antrax.io.examples import ClassDir, ExampleChanges, open_classdir
from antrax.io.layout import classifier_claim
from antrax.io.locks import claim, claims
from antrax.io.renaming import check_not_renaming
from antrax.io.stamps import InputStamps, names_of
from antrax.messages import parameter
from antrax.networks.devices import share_busy_processors
from antrax.progress import Reporter
from antrax.training.dataset import Trainset, load_trainset
from antrax.training.evaluation import Evaluation
from antrax.training.held_out import measure
from antrax.training.options import TrainOptions, check_options
from antrax.training.phases import (
    READING,
    REFIT,
    clear_dead_checkpoints,
    remove_checkpoints,
    run_phases,
    stage_shares,
)
from antrax.training.plan import TrainingPlan, TrainingSetup, make_plan, make_setup
from antrax.training.record import describe_run, write_record
from antrax.training.unseen import with_unseen_codes

__all__ = ["TrainOptions", "TrainResult", "train"]


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
    """Train the classifier of a file, holding its lock."""
    started = time.monotonic()
    share_busy_processors()
    clear_dead_checkpoints(file)
    remove_dead_parts(file.parent)
    inputs, tables = InputStamps(), InputStamps()
    inputs.note(file)
    if classdir.session:
        check_not_renaming(classdir.session)
        tables.note(classdir.session.layout.labels_file)
    if readers := claims(file.parent, classifier_claim(file, "classify")):
        reporter.warn(
            f"{readers[0]} classifies with {file}: the movies that it has not done when this training puts its result "
            "there keep their earlier results, if they had any, and are to be classified again"
        )
    setup = make_setup(classdir, file, options, reporter)
    trainset = _read_examples(setup, reporter)
    plan = make_plan(setup, trainset, reporter)
    _tell_of_plan(plan, reporter)
    trained = run_phases(plan, reporter)
    measured = measure(plan, trained.evaluation, reporter)
    measured = dataclasses.replace(measured, calibration=with_unseen_codes(plan, measured.calibration, reporter))
    meanwhile = trainset.read.changes() if trainset.read else ExampleChanges()
    late = list(_late(classdir, meanwhile, tables))
    for sentence in late:
        reporter.say(sentence)
    record = describe_run(plan, trained, measured, seconds=time.monotonic() - started, meanwhile=meanwhile)
    classifier = Classifier(
        graph=plan.start.graph,
        weights=trained.final,
        labels=plan.labels,
        categories=plan.categories,
        preparation=plan.preparation,
        hsymmetry=plan.hsymmetry,
        calibration=measured.calibration,
        evaluation_weights=trained.evaluation,
        seen=plan.seen,
        record=record,
        heads=plan.start.heads,
    )
    target = file
    if inputs.changed():
        # somebody put another classifier there: neither that nor the work of an hour is to be lost
        target = classdir.classifier_file(f"{options.name}_{datetime.now():%Y-%m-%d_%H-%M-%S}")
        reporter.warn(f"{file} was changed by another program while this training ran; the result is {target}")
    write_classifier(classifier, target)
    folder = write_record(
        classdir.layout.records,
        options.name,
        record,
        trainset,
        plan.split.held_out,
        measured,
        trained.history,
    )
    remove_checkpoints(file)
    return TrainResult(target, classifier, measured.evaluation, folder, (*trainset.problems, *late))


def _read_examples(setup: TrainingSetup, reporter: Reporter) -> Trainset:
    """The training set, prepared as the network takes it; says what of it cannot be used."""
    options = setup.options
    reporter.stages(stage_shares({"measured": 1, "finished": REFIT}))  # until the steps are known
    with reporter.bar(READING, None, "images") as update:
        trainset = load_trainset(
            setup.classdir,
            setup.preparation,
            relabel={**dict.fromkeys(options.drop), **options.rename},
            crop_size=options.crop_size,
            background=options.background,
            progress=lambda done, total: update(done, total=total),
        )
    for problem in trainset.problems:
        reporter.warn(problem)
    return trainset


def _tell_of_plan(plan: TrainingPlan, reporter: Reporter) -> None:
    """Report the plan."""
    trainset, graph = plan.trainset, plan.start.graph
    what = f"training on {plan.setup.file.name}" if plan.existing else f"a new classifier: {graph.name}"
    reporter.say(
        f"{len(trainset.images):,} images of {len(trainset.tracklets):,} tracklets, {len(trainset.labels)} labels, "
        f"{graph.size} pixels, {trainset.background} background; {what}, on {plan.setup.device}"
    )
    if heads := plan.start.heads:
        tags = "; ".join(" ".join(colors) for colors in heads.places)
        reporter.say(
            f"{len(heads.codes)} IDs tell the colours of {len(heads.places)} tags ({tags}): the classifier scores "
            f"these colours, which the IDs share (if they are no colours: {parameter('colours', 'off')} and "
            f"{parameter('scratch', True)})"
        )
    if plan.split.withheld:
        reporter.warn(
            f"the names of {plan.split.withheld:,} images tell no tracklet (trj_id…): they are learned in the last "
            "stage only, after accuracy was measured"
        )


def _late(classdir: ClassDir, meanwhile: ExampleChanges, tables: InputStamps) -> Iterator[str]:
    """Changes of the training set that came too late for this run, a sentence each."""
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
