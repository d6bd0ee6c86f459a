"""Evaluation and calibration of a network on the held-out tracklets."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from antrax.classification.calibration import ENOUGH_TRACKLETS, Calibration, calibrate
from antrax.classification.engine import Batcher, batch_size
from antrax.classification.rotation import merge_views, views
from antrax.messages import parameter
from antrax.networks.graph import Weights
from antrax.progress import Reporter
from antrax.training.evaluation import (
    DoubtfulExample,
    Evaluation,
    Prediction,
    Signs,
    doubtful_examples,
    evaluate,
    look_for_signs,
)
from antrax.training.plan import TrainingPlan
from antrax.training.split import in_held_out_experiments

#: Accuracy is shown after each epoch, on so many images a held-out tracklet.
GLANCE = 40


@dataclass(frozen=True)
class Measurement:
    """Evaluation and calibration of a network on held-out tracklets.

    Parameters
    ----------
    evaluation : Evaluation or None
        None where none could be held out.
    calibration : Calibration or None
        Likewise.
    signs : Signs or None
        How sure and how consistent the network is, on images that it was trained on where none were held out.
    doubtful : tuple of DoubtfulExample
        Held-out tracklets that look like another label than people gave them.
    """

    evaluation: Evaluation | None
    calibration: Calibration | None
    signs: Signs | None
    doubtful: tuple[DoubtfulExample, ...] = ()


def measure(plan: TrainingPlan, weights: Weights, reporter: Reporter) -> Measurement:
    """Measure and calibrate a network on the tracklets that it was not trained on.

    Parameters
    ----------
    plan : TrainingPlan
        What is held out.
    weights : Weights
        Those before the refit.
    reporter : Reporter
        Told of what is to be known of the figures.
    """
    evaluation = calibration = None
    predictions = predict(plan, weights)
    if predictions:
        evaluation = evaluate(predictions, plan.labels)
        _tell_of_new_experiments(plan, predictions, reporter)
        categories = [plan.categories[label] for label in plan.labels]
        calibration = calibrate([prediction.as_tracklet() for prediction in predictions], categories)
        calibration = dataclasses.replace(calibration, independent=plan.split.independent)
    signs = look_for_signs(predictions or predict(plan, weights, GLANCE, seen=True), bool(predictions))
    if signs and (poor := signs.what_is_poor()):
        reporter.warn(poor)
    if reason := _why_not_calibrated(plan, calibration):
        reporter.warn(f"{reason}: classify will use a fixed cautious rule")
    held_out = [plan.trainset.origins[place] for place in np.flatnonzero(plan.split.measurable)] if predictions else []
    origins = [(origin.experiment, origin.tracklet) for origin in held_out]
    return Measurement(evaluation, calibration, signs, tuple(doubtful_examples(predictions, origins, plan.labels)))


def predict(
    plan: TrainingPlan,
    weights: Weights,
    most: int | None = None,
    *,
    seen: bool = False,
    tracklets: Sequence[int] | None = None,
) -> list[Prediction]:
    """Predict the held-out tracklets, with test-time rotation as in classification.

    Parameters
    ----------
    plan : TrainingPlan
    weights : Weights
    most : int, optional
        Images of each tracklet at most; all by default.
    seen : bool
        Take those that it was trained on instead.
    tracklets : sequence of int, optional
        Take these instead.
    """
    from antrax.networks.backends.torch_network import TorchPredictor

    graph, device, trainset, split = plan.start.graph, plan.setup.device, plan.trainset, plan.split
    batcher = Batcher(TorchPredictor(graph, weights, device), batch_size(graph, device), graph.size)
    places = []
    if tracklets is None:
        tracklets = np.flatnonzero(~split.held_out if seen else split.measurable).tolist()
    for tracklet in tracklets:
        chosen = np.flatnonzero(trainset.tracklet_index == tracklet)
        if most and len(chosen) > most:
            chosen = chosen[np.linspace(0, len(chosen) - 1, most).astype(int)]
        places.append(chosen)
        batcher.add(trainset.images[chosen], *views(len(chosen)))
    if not places:
        return []
    shown = np.cumsum([len(views(len(chosen))[0]) for chosen in places])[:-1]
    return [
        Prediction(merge_views(logs, len(chosen)), plan.targets[chosen])
        for chosen, logs in zip(places, np.split(batcher.finish(), shown), strict=True)
    ]


def _tell_of_new_experiments(plan: TrainingPlan, predictions: list[Prediction], reporter: Reporter) -> None:
    """Report the accuracy on experiments of which no tracklet was trained on, the hardest test."""
    new = in_held_out_experiments(plan.trainset.origins)[np.flatnonzero(plan.split.measurable)]
    chosen = [prediction for prediction, is_new in zip(predictions, new, strict=True) if is_new]
    if chosen:
        figures = evaluate(chosen, plan.labels)
        reporter.say(
            f"of these, {len(chosen)} tracklets of experiments that the network never saw anything of: "
            f"{figures.image_accuracy:.1%} of images, {figures.tracklet_accuracy:.1%} of tracklets right"
        )


def _why_not_calibrated(plan: TrainingPlan, calibration: Calibration | None) -> str | None:
    """Why no threshold can be chosen by what the held-out tracklets show; None if one can."""
    if calibration and calibration.sufficient:
        return None
    file, split = plan.setup.file, plan.split
    if plan.existing and plan.existing.evaluation_weights is None:
        return (
            f"{file.name} may have seen any of these tracklets, so that none can show how good it is "
            f"({parameter('scratch', True)} starts a classifier that is measured)"
        )
    if split.nameless:
        return (
            f"the names of {split.nameless:,} of {len(plan.trainset.images):,} images tell no tracklet "
            "(trj_id…): images of one animal may be among those trained on and those held out, and figures on "
            "held-out images may be far too good"
        )
    if not split.independent:
        return (
            f"{file.name} was trained on images whose names told no tracklet: they may be those held out now, "
            "and figures on held-out images may be far too good "
            f"({parameter('scratch', True)} starts a classifier that is measured)"
        )
    count = len(calibration.confidences) if calibration else 0
    return f"too few held-out tracklets to calibrate on ({count} with an ID; {ENOUGH_TRACKLETS} are needed)"
