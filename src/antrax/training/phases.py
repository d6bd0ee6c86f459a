"""The phases of a training run: each continues the weights of the one before, and has a checkpoint of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antrax.io.layout import checkpoint_file
from antrax.labels import Category
from antrax.networks.graph import Weights
from antrax.progress import Reporter
from antrax.training.evaluation import evaluate
from antrax.training.held_out import GLANCE, predict
from antrax.training.plan import TrainingPlan
from antrax.training.start import Start, start_anew

if TYPE_CHECKING:
    from antrax.training.batches import Material
    from antrax.training.loop import Schedule

READING = "reading examples"
# `benchmarks/fitted_constants.py training` compares these with halves and doubles of them.
# Steps on all examples after those on the training share, as a share of them.
REFIT = 0.3
# Share of the ants in a batch that are changed into what must not be given an ID.
NEGATIVES = 0.1
# Steps in which the labels of a pre-trained network are learned while the rest stays, as a share of the epochs', and
# the largest learning rate in them.
HEAD = 0.2
HEAD_RATE = 2e-3
_READING_SHARE = 0.03  # of the whole time, roughly
# Steps of a network that is trained without some IDs, to learn how sure it must be of IDs without examples, as a share
# of the epochs'; and how many such networks there are at most.
LEFT_OUT, PARTS = 0.5, 4
_TITLES = {
    "head": "training the labels of a pre-trained network",
    "measured": "training",
    "finished": "refit on all examples",
    **{f"without{part}": f"training without some IDs ({part} of {PARTS})" for part in range(1, PARTS + 1)},
}


@dataclass(frozen=True)
class Phase:
    """A phase of training.

    Parameters
    ----------
    name : {"head", "measured", "finished", "without1", …}
        The labels of a pre-trained network alone; all layers; the refit on all examples; a network that is trained
        without some IDs.
    schedule : Schedule
        How long and how fast.
    """

    name: str
    schedule: Schedule

    @property
    def title(self) -> str:
        """Title in progress reports."""
        return _TITLES[self.name]

    @property
    def on_all_examples(self) -> bool:
        """Whether held-out tracklets are learned too, so that nothing can be measured on them any more."""
        return self.name == "finished"

    @property
    def is_measured(self) -> bool:
        """Whether each epoch's weights are measured on held-out tracklets."""
        return self.name in ("head", "measured")


@dataclass(frozen=True)
class TrainedWeights:
    """Result of the phases of a run.

    Parameters
    ----------
    final : Weights
        After the last phase, for the classifier that is used.
    evaluation : Weights
        Before the refit: they have not seen what is held out.
    history : list of dict
        Loss and accuracy of each epoch before the refit; epoch 0 is that of pre-trained features of which only the
        labels were learned.
    """

    final: Weights
    evaluation: Weights
    history: list[dict[str, float]]


def run_phases(plan: TrainingPlan, reporter: Reporter) -> TrainedWeights:
    """Train through all phases; go on where an earlier run of the same plan was stopped.

    Returns
    -------
    TrainedWeights
        Weights before and after the refit, and figures by epoch.
    """
    phases = _phases(plan)
    steps = {phase.name: float(phase.schedule.steps) for phase in phases}
    if plan.without_examples:
        steps |= {f"without{part}": LEFT_OUT * steps["measured"] for part in range(1, PARTS + 1)}
    reporter.stages(stage_shares(steps))
    told: set[str] = set()

    def warn_once(text: str) -> None:
        if text not in told:
            told.add(text)
            reporter.warn(text)

    start, after, history = plan.start, {}, []
    for phase in phases:
        share = np.ones(len(plan.targets), bool) if phase.on_all_examples else _training_share(plan)
        weights, rows = _run_phase(plan, phase, start, share, _PhaseReport(plan, phase, reporter, warn_once))
        start = replace(start, weights=weights)
        after[phase.name] = weights | plan.start.fixed
        if not phase.on_all_examples:
            history += rows
    return TrainedWeights(after[phases[-1].name], after["measured"], history)


def stage_shares(steps: dict[str, float]) -> dict[str, float]:
    """Relative durations of the stages, including reading, from the steps of phases."""
    shares = {_TITLES[name]: count for name, count in steps.items()}
    return {READING: _READING_SHARE * sum(steps.values())} | shares


def remove_checkpoints(file: Path) -> None:
    """Remove the checkpoints of all phases of a classifier's training."""
    for checkpoint in _checkpoints(file):
        checkpoint.unlink(missing_ok=True)


def clear_dead_checkpoints(file: Path) -> None:
    """Remove checkpoints of trainings of this classifier that were killed after they had written their result."""
    for checkpoint in _checkpoints(file):
        with contextlib.suppress(OSError):
            if checkpoint.stat().st_mtime_ns <= file.stat().st_mtime_ns:
                checkpoint.unlink()


def _checkpoints(file: Path) -> list[Path]:
    return [checkpoint_file(file, name) for name in _TITLES]


def _phases(plan: TrainingPlan) -> list[Phase]:
    """Phases of a run, in order."""
    from antrax.training.loop import Schedule, steps_per_epoch

    start, epochs, seed = plan.start, plan.options.epochs, plan.options.seed
    an_epoch = steps_per_epoch(int(_training_share(plan).sum()))
    phases = []
    if start.head:
        steps = max(1, round(HEAD * epochs * an_epoch))
        phases.append(Phase("head", Schedule(steps, steps, HEAD_RATE, NEGATIVES, seed + 2, start.head)))
    phases.append(Phase("measured", Schedule(epochs * an_epoch, an_epoch, start.rate, NEGATIVES, seed)))
    if plan.split.held_out.any():
        all_in_one = steps_per_epoch(len(plan.trainset.images))
        steps = max(1, round(REFIT * epochs * all_in_one))
        phases.append(Phase("finished", Schedule(steps, all_in_one, start.refit_rate, NEGATIVES, seed + 1)))
    return phases


def _training_share(plan: TrainingPlan) -> NDArray[np.bool_]:
    """Which images are of tracklets that are not held out, shape (images,)."""
    return np.asarray(~plan.split.held_out[plan.trainset.tracklet_index])


def _material(plan: TrainingPlan, chosen: NDArray[np.bool_], seed: int) -> Material:
    """Training data: some of the images, shape (images,)."""
    from antrax.training.augmentation import parse_augmentation
    from antrax.training.batches import Material, UnitsOfLabels
    from antrax.training.recolouring import recoloured_codes

    trainset, options, heads = plan.trainset, plan.options, plan.start.heads
    # images are not copied for that: they may fill half the memory, or lie in a file
    rows = np.flatnonzero(chosen)
    targets = plan.targets[rows]
    units = None
    if heads:
        other = recoloured_codes(trainset.images, targets, plan.labels, heads, trainset.background, seed, rows)
        units = UnitsOfLabels(heads.matrix(plan.labels), heads.spans, heads.own, other)
    return Material(
        trainset.images,
        targets,
        trainset.tracklet_index[rows],
        tuple(plan.categories[label] for label in plan.labels),
        trainset.background,
        {Category.UNKNOWN: options.unknown_weight, Category.MULTI: options.multi_weight},
        parse_augmentation(options.aug_options, hsymmetry=plan.hsymmetry),
        units,
        rows,
    )


def train_without(plan: TrainingPlan, part: int, labels: Collection[str], reporter: Reporter) -> Weights:
    """Train the same network anew without the examples of some IDs, and without what is held out.

    Parameters
    ----------
    plan : TrainingPlan
    part : int
        Number of this network, from 1.
    labels : collection of str
        What is left out.
    reporter : Reporter
        Told of progress.
    """
    from antrax.training.loop import LEAST_STEPS, Schedule, steps_per_epoch

    seed = plan.options.seed + 2 + part
    start = start_anew(plan.start, plan.labels, plan.trainset.background, seed)
    share = _training_share(plan)
    steps = max(LEAST_STEPS, round(LEFT_OUT * plan.options.epochs * steps_per_epoch(int(share.sum()))))
    share &= ~np.isin(plan.targets, [plan.labels.index(label) for label in labels])
    phase = Phase(f"without{part}", Schedule(steps, steps, start.rate, NEGATIVES, seed))
    report = _PhaseReport(plan, phase, reporter, reporter.warn)
    weights, _ = _run_phase(plan, phase, start, share, report, f" {sorted(labels)}")
    return weights | plan.start.fixed


def _run_phase(
    plan: TrainingPlan, phase: Phase, start: Start, share: NDArray[np.bool_], report: _PhaseReport, of: str = ""
) -> tuple[Weights, list[dict[str, float]]]:
    """Train one phase.

    Parameters
    ----------
    plan : TrainingPlan
    phase : Phase
    start : Start
        Network and first weights.
    share : NDArray[np.bool_]
        Which images are trained on, shape (images,).
    report : _PhaseReport
    of : str
        By what its checkpoint is told from another of the same name.

    Returns
    -------
    tuple of Weights and list of dict
        Its weights, and figures by epoch.
    """
    from antrax.training.loop import BATCH, Callbacks, Checkpoint, optimize

    with report.reporter.bar(phase.title, phase.schedule.steps * BATCH, "images") as update:
        return optimize(
            start.trained,
            start.weights,
            _material(plan, share, phase.schedule.seed),
            phase.schedule,
            device=plan.setup.device,
            checkpoint=Checkpoint(checkpoint_file(plan.setup.file, phase.name), f"{plan.key} {phase.name}{of}"),
            callbacks=Callbacks(
                on_step=lambda step, loss: update(step * BATCH, f"loss {loss:.3f}"),
                on_epoch=report.epoch,
                on_resume=report.resumed,
                on_notice=report.warn_once,
            ),
        )


@dataclass(frozen=True)
class _PhaseReport:
    """Progress reports of a phase."""

    plan: TrainingPlan
    phase: Phase
    reporter: Reporter
    warn_once: Callable[[str], None]

    def resumed(self, step: int) -> None:
        """Report that training continues from a checkpoint."""
        done = step / self.phase.schedule.steps
        self.reporter.say(f"{self.phase.title}: going on where it was stopped, at {done:.0%}")

    def epoch(self, epoch: int, loss: float, weights: Weights) -> dict[str, float]:
        """Loss and accuracy after an epoch, which are also reported."""
        only_labels = self.phase.name == "head"
        # what pre-trained features are worth by themselves is shown before they are changed
        row = {"epoch": 0.0 if only_labels else float(epoch), "loss": loss}
        if not self.phase.is_measured:
            return row
        text = ""
        if predictions := predict(self.plan, weights | self.plan.start.fixed, GLANCE):
            figures = evaluate(predictions, self.plan.labels)
            row |= {"image_accuracy": figures.image_accuracy, "tracklet_accuracy": figures.tracklet_accuracy}
            text = (
                f"; held out: {figures.image_accuracy:.1%} of images, "
                f"{figures.tracklet_accuracy:.1%} of tracklets right"
            )
        epochs = -(-self.phase.schedule.steps // self.phase.schedule.steps_an_epoch)
        title = "labels alone" if only_labels else f"epoch {epoch} of {epochs}"
        self.reporter.say(f"{title}: loss {loss:.3f}{text}")
        return row
