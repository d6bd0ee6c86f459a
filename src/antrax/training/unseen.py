"""IDs without examples: which IDs with examples stand in for them, to learn how sure a network must be of such IDs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from antrax.classification.calibration import Calibration, LeftOutCodes, UnseenCodes, calibrate_unseen
from antrax.progress import Reporter
from antrax.tag_codes import are_told_apart
from antrax.training.held_out import predict
from antrax.training.phases import PARTS, train_without
from antrax.training.plan import TrainingPlan


def with_unseen_codes(plan: TrainingPlan, calibration: Calibration | None, reporter: Reporter) -> Calibration | None:
    """Calibrate IDs without examples too: on networks that are trained without some of the IDs that have examples.

    Parameters
    ----------
    plan : TrainingPlan
    calibration : Calibration or None
        Of the IDs with examples.
    reporter : Reporter
        Told of progress, and of what becomes of IDs without examples.
    """
    heads, unseen = plan.start.heads, plan.without_examples
    if not heads or not unseen or calibration is None:
        return calibration
    with_examples = {label: heads.codes[label] for label in plan.trainset.labels if label in heads.codes}
    outputs = tuple(plan.labels.index(label) for label in unseen)
    parts = parts_to_leave_out(with_examples, PARTS, plan.options.seed) if calibration.sufficient else []
    networks = [_without(plan, number, part, reporter) for number, part in enumerate(parts, 1)]
    found = UnseenCodes(outputs)
    if networks:
        categories = [plan.categories[label] for label in plan.labels]
        found = calibrate_unseen(networks, categories, calibration, outputs, len(unseen) / len(with_examples))
    names = ", ".join(unseen)
    if found.sufficient:
        reporter.say(
            f"no examples of {names}: these are known by the colours of their tags, and must be surer than others "
            f"(calibrated on {len(found.confidences)} tracklets of networks without some IDs)"
        )
    else:
        reporter.warn(
            f"no examples of {names}: these are known by the colours of their tags, but how sure is sure enough cannot "
            "be told from so few examples, so no tracklet gets these labels yet"
        )
    return dataclasses.replace(calibration, unseen=found)


def _without(plan: TrainingPlan, number: int, part: tuple[str, ...], reporter: Reporter) -> LeftOutCodes:
    """A network without some IDs, and what it gives for their tracklets and for those of others that are held out."""
    weights = train_without(plan, number, part, reporter)
    outputs = frozenset(plan.labels.index(label) for label in part)
    trainset, split = plan.trainset, plan.split
    label_of = np.zeros(len(trainset.origins), np.int64)
    for tracklet in range(len(label_of)):
        label_of[tracklet] = np.bincount(plan.targets[trainset.tracklet_index == tracklet]).argmax()
    is_left_out = np.isin(label_of, list(outputs))
    others = ~is_left_out & split.measurable
    chosen = np.flatnonzero(is_left_out | others)
    predictions = predict(plan, weights, tracklets=chosen.tolist())
    # of the others, only the held-out ones are shown: each stands for as many as there are
    weight = float((~is_left_out).sum() / max(1, others.sum()))
    return LeftOutCodes(outputs, [prediction.as_tracklet() for prediction in predictions], weight)


def _shown(codes: Iterable[tuple[str, ...]]) -> list[set[str]]:
    return [set(colors) for colors in zip(*codes, strict=True)]


def parts_to_leave_out(codes: Mapping[str, tuple[str, ...]], parts: int, seed: int) -> list[tuple[str, ...]]:
    """Divide IDs into parts such that without any one of them, the others still show each colour at each place.

    The others must tell the colours apart, too.

    Parameters
    ----------
    codes : mapping of str to tuple of str
        Colour at each place, by ID that has examples.
    parts : int
        Number of parts at most.
    seed : int
        For the order in which IDs are tried.

    Returns
    -------
    list of tuple of str
        Of about the same size. An ID that alone shows a colour is in none; there are none where all IDs together do
        not tell the colours apart.
    """
    found: list[list[str]] = [[] for _ in range(parts)]
    for label in np.random.default_rng(seed).permutation(sorted(codes)).tolist():
        for part in sorted(found, key=len):
            rest = [code for other, code in codes.items() if other not in (*part, label)]
            if rest and _shown(rest) == _shown(codes.values()) and are_told_apart(rest):
                part.append(label)
                break
    return [tuple(sorted(part)) for part in found if part]
