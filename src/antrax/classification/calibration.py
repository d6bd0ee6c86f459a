"""Confidence calibration and threshold selection on held-out tracklets. Pure: arrays in, numbers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.classification.decision import FLOOR, Rule, pool
from antrax.labels import Category

# Fewer held-out tracklets than this cannot tell one error in a hundred from five: the cautious rule is used instead.
ENOUGH_TRACKLETS = 25
_MOST_TRACKLETS = 20_000
# An ID on an animal that people called unrecognisable is not known to be wrong. Of six such tracklets of the JS16 set,
# three got the ID that people gave to other images of the same tracklet, two look right, one holds two animals: it
# counts as a quarter of an error.
UNDECIDED = 0.75
# For classifiers without calibration: anTraX's own rule, of whose IDs those are left out that all images and labels
# together speak against. By confidence alone (0.9), a network that was shown its images with red and blue exchanged
# gave 31 wrong IDs where anTraX's rule gave 15, and this one gives 14; a good one gives 108 right and 0 wrong, where
# anTraX's rule gives 111 and 3, and confidence alone 150 and 0 (260 made-up tracklets, two epochs;
# benchmarks/cautious_rule.py).
CAUTIOUS = Rule(temperature=0.65, exponent=0.0, threshold=0.8, guarded=True)

# Means and widths of the fit's prior: values fitted on the JS16 set with four networks (benchmarks/fitted_constants.py
# prints them again).
_PRIOR_TEMPERATURE, _TEMPERATURE_SPREAD = CAUTIOUS.temperature, 0.25
_PRIOR_EXPONENT, _EXPONENT_SPREAD = 0.0, 0.05
# Likewise for the chance of being right as a function of confidence: intercept and slope (see `fit_curve`).
PRIOR_CURVE, _CURVE_SPREAD = (1.25, 1.4), (0.5, 0.25)
# Confidences of tracklets that look like an ID, in equal steps of rank, and how many tracklets they count for.
REFERENCE = np.array([0.4, 0.64, 0.8, 0.89, 0.93, 0.956, 0.974, 0.983, 0.988, 0.992, 0.994, 0.996, 0.998, 0.9993])
_REFERENCE_WEIGHT = 60
_LEAST_THRESHOLD = 0.5
# Limits of what is fitted.
_TEMPERATURES, _EXPONENTS, _SLOPES = (0.4, 2.5), (0.0, 0.3), (0.2, 3.0)
_PIECES = (1, 4, 16, 64)
# How much oftener than those that are left out to calibrate, IDs without examples are taken for others, for networks
# without these have fewer pairs of colours left to learn from. Of eight IDs left out of sixteen of the JS16 set, at 1,
# 2 and 5 % accepted, 1.3, 2.7 and 5.5 % of the given IDs were wrong without this, and 1.3, 1.6 and 4.6 % are with it
# (benchmarks/colour_heads.py; some of the tracklets have two labels by people).
_TAKEN_MORE = 2.0


@dataclass(frozen=True)
class HeldOutTracklet:
    """One tracklet that the network has not seen.

    Parameters
    ----------
    probabilities : NDArray[np.floating]
        Shape (images, labels).
    truth : int
        The label that people gave most of its images.
    """

    probabilities: NDArray[np.floating]
    truth: int


@dataclass(frozen=True)
class LeftOutCodes:
    """What a network without examples of some IDs gives for tracklets that it has not seen.

    Parameters
    ----------
    outputs : frozenset of int
        Of these IDs, which it knows by the colours of others.
    tracklets : sequence of HeldOutTracklet
        Theirs, and of others those that were held out.
    weight : float
        For how many tracklets one of the others counts, where one of theirs counts for one.
    """

    outputs: frozenset[int]
    tracklets: Sequence[HeldOutTracklet]
    weight: float


@dataclass(frozen=True)
class UnseenCodes:
    """Calibration of IDs without examples, on networks that had no examples of some other IDs.

    Parameters
    ----------
    outputs : tuple of int
        Of the IDs without examples.
    confidences, correct, weights : tuple of float
        Of the tracklets whose most probable label was an ID that was left out; see those of `Calibration`.
    taken : tuple of float
        Confidences of tracklets of IDs left out for which an ID with examples was the most probable: all wrong.
    taken_weight : float
        What one of these counts, where a held-out tracklet counts for one.
    """

    outputs: tuple[int, ...]
    confidences: tuple[float, ...] = ()
    correct: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    taken: tuple[float, ...] = ()
    taken_weight: float = 0.0

    @property
    def sufficient(self) -> bool:
        """Whether there are enough tracklets to choose a threshold by."""
        return len(self.confidences) >= ENOUGH_TRACKLETS

    def threshold(self, max_error: float) -> float:
        """Least confidence for an ID without examples; 1, which none has, where too little is known."""
        if not self.sufficient:
            return 1.0
        values, correct, weights = map(np.array, (self.confidences, self.correct, self.weights))
        return choose_threshold(values, correct, max_error, weights)

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the classifier's file."""
        rounded = {
            name: [round(value, 6) for value in getattr(self, name)]
            for name in ("confidences", "correct", "weights", "taken")
        }
        return {"outputs": list(self.outputs), **rounded, "taken_weight": self.taken_weight}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> UnseenCodes:
        """Read what `to_json` gave; raises ValueError, TypeError or KeyError where it is something else."""
        columns = [
            tuple(float(value) for value in values[name]) for name in ("confidences", "correct", "weights", "taken")
        ]
        confidences, correct, weights, taken = columns
        if max(map(len, columns)) > _MOST_TRACKLETS or not len(confidences) == len(correct) == len(weights):
            raise ValueError("a calibration that cannot be")
        shares, amounts = (*confidences, *correct, *taken), (*weights, float(values["taken_weight"]))
        if not all(0 <= value <= 1 for value in shares) or not all(0 <= value < 1e6 for value in amounts):
            raise ValueError("a calibration that cannot be")
        outputs = tuple(int(output) for output in values["outputs"])
        return cls(outputs, confidences, correct, weights, taken, amounts[-1])


@dataclass(frozen=True)
class Calibration:
    """Result of a calibration on held-out tracklets.

    Parameters
    ----------
    temperature, exponent : float
        See `antrax.decision.Rule`.
    confidences : tuple of float
        Of the held-out tracklets whose most probable label is an ID.
    correct : tuple of float
        How right that ID is: 1 where people gave the same, `UNDECIDED` where they found the animal unrecognisable,
        else 0.
    tracklets : int
        Number of tracklets held out.
    independent : bool
        Whether the network has surely seen no image of them; not so where files' names tell no tracklets.
    unseen : UnseenCodes or None
        Of the IDs without examples that the network knows by the colours of others; None where there are none.
    """

    temperature: float
    exponent: float
    confidences: tuple[float, ...]
    correct: tuple[float, ...]
    tracklets: int
    independent: bool = True
    unseen: UnseenCodes | None = None

    @property
    def sufficient(self) -> bool:
        """Whether there are enough held-out tracklets to choose a threshold, and they are certainly unseen."""
        return self.independent and len(self.confidences) >= ENOUGH_TRACKLETS

    def rule(self, max_error: float) -> Rule:
        """The rule for an accepted share of wrong IDs among the assigned ones."""
        confidences, correct = np.array(self.confidences), np.array(self.correct)
        if not (unseen := self.unseen):
            return Rule(self.temperature, self.exponent, choose_threshold(confidences, correct, max_error))
        taken = np.array(unseen.taken)
        threshold = choose_threshold(
            np.concatenate([confidences, taken]),
            np.concatenate([correct, np.zeros(len(taken))]),
            max_error,
            np.concatenate([np.ones(len(confidences)), np.full(len(taken), unseen.taken_weight)]),
        )
        least = max(threshold, unseen.threshold(max_error))
        return Rule(self.temperature, self.exponent, threshold, unseen=unseen.outputs, unseen_threshold=least)

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the classifier's file."""
        return {
            "temperature": self.temperature,
            "exponent": self.exponent,
            "confidences": [round(value, 6) for value in self.confidences],
            "correct": list(self.correct),
            "tracklets": self.tracklets,
            "independent": self.independent,
            "unseen": self.unseen.to_json() if self.unseen else None,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """Read what `to_json` gave; raises ValueError, TypeError or KeyError where it is something else."""
        if len(values["confidences"]) > _MOST_TRACKLETS:
            raise ValueError("a calibration on more tracklets than can be")
        confidences = tuple(float(value) for value in values["confidences"])
        correct = tuple(float(value) for value in values["correct"])
        temperature, exponent = float(values["temperature"]), float(values["exponent"])
        if len(confidences) != len(correct) or not all(0 <= value <= 1 for value in (*confidences, *correct)):
            raise ValueError("a calibration that cannot be")
        if not 0 < temperature < 100 or not 0 <= exponent <= 1:
            raise ValueError("a calibration that cannot be")
        independent = bool(values.get("independent", True))
        unseen = UnseenCodes.from_json(values["unseen"]) if values.get("unseen") else None
        return cls(temperature, exponent, confidences, correct, int(values["tracklets"]), independent, unseen)


def rule_for(calibration: Calibration | None, max_error: float) -> Rule:
    """The rule to decide by.

    Parameters
    ----------
    calibration : Calibration or None
    max_error : float
        Accepted share of wrong IDs among the assigned ones.

    Returns
    -------
    Rule
        The calibrated one; where there is too little to calibrate on, the cautious one, which gives no ID that
        anTraX's own rule does not give, and none that has no examples.
    """
    if calibration and calibration.sufficient:
        return calibration.rule(max_error)
    unseen = calibration.unseen.outputs if calibration and calibration.unseen else ()
    return replace(CAUTIOUS, unseen=unseen)


def why_not_calibrated(calibration: Calibration | None) -> str | None:
    """Why no threshold can be chosen for a classifier, in words that can follow its name; None where one can."""
    if calibration is None:
        return "was never measured on tracklets that it had not seen"
    if calibration.sufficient:
        return None
    if not calibration.independent:
        return (
            "was trained on images whose names told no tracklet (trj_id…), so that it may have seen those that it was "
            "measured on"
        )
    return (
        f"was measured on too few tracklets that it had not seen: {len(calibration.confidences)} with an ID, and "
        f"{ENOUGH_TRACKLETS} are needed"
    )


def calibrate(tracklets: Sequence[HeldOutTracklet], categories: Sequence[Category]) -> Calibration:
    """Fit temperature and exponent, and store the confidences from which a threshold is chosen.

    Parameters
    ----------
    tracklets : sequence of HeldOutTracklet
    categories : sequence of Category
        Kind of each label.
    """
    temperature, exponent = fit_rule(tracklets)
    rule = Rule(temperature, exponent, 0.0)
    confidences, correct = [], []
    for tracklet in tracklets:
        pooled = pool(tracklet.probabilities, rule)
        best = int(pooled.argmax())
        if categories[best] is Category.ANT:
            confidences.append(float(pooled[best]))
            undecided = categories[tracklet.truth] is Category.UNKNOWN
            correct.append(UNDECIDED if undecided else float(best == tracklet.truth))
    return Calibration(temperature, exponent, tuple(confidences), tuple(correct), len(tracklets))


def calibrate_unseen(
    networks: Sequence[LeftOutCodes],
    categories: Sequence[Category],
    calibration: Calibration,
    outputs: tuple[int, ...],
    share: float,
) -> UnseenCodes:
    """Calibrate IDs without examples on networks that had no examples of some other IDs.

    Parameters
    ----------
    networks : sequence of LeftOutCodes
    categories : sequence of Category
        Kind of each label.
    calibration : Calibration
        Of the IDs with examples.
    outputs : tuple of int
        Of the IDs without examples.
    share : float
        How many tracklets of IDs without examples there are for one of an ID that has some.
    """
    rule = Rule(calibration.temperature, calibration.exponent, 0.0)
    rows: list[tuple[float, float, float]] = []
    taken: list[float] = []
    theirs = 0
    for network in networks:
        for tracklet in network.tracklets:
            left_out = tracklet.truth in network.outputs
            theirs += left_out
            pooled = pool(tracklet.probabilities, rule)
            best = int(pooled.argmax())
            if best in network.outputs:
                undecided = categories[tracklet.truth] is Category.UNKNOWN
                right = UNDECIDED if undecided else float(best == tracklet.truth)
                rows.append((float(pooled[best]), right, 1.0 if left_out else network.weight))
            elif left_out and categories[best] is Category.ANT:
                taken.append(float(pooled[best]))
    total = sum(weight for *_, weight in rows)
    weights = tuple(weight * len(rows) / total for *_, weight in rows)  # as many as there are
    return UnseenCodes(
        outputs,
        tuple(confidence for confidence, *_ in rows),
        tuple(right for _, right, _ in rows),
        weights,
        tuple(taken),
        # as often as such tracklets come among the held-out ones
        _TAKEN_MORE * share * len(calibration.confidences) / max(1, theirs),
    )


def fit_rule(tracklets: Sequence[HeldOutTracklet], *, prior_weight: float = 1.0) -> tuple[float, float]:
    """Maximum a posteriori temperature and exponent, fitted on the tracklets and on pieces of them.

    Pieces show what length does to one and the same animal; all pieces of a tracklet together weigh as much as one
    tracklet.

    Parameters
    ----------
    tracklets : sequence of HeldOutTracklet
    prior_weight : float
        0 for what the tracklets alone say.

    Returns
    -------
    float, float
        Of the prior where there are no tracklets.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    means, lengths, truths, weights = [], [], [], []
    for tracklet in tracklets:
        count = len(tracklet.probabilities)
        pieces = [(0, count)] + [
            (int(start), length)
            for length in _PIECES
            if length < count
            for start in np.linspace(0, count - length, min(3, count // length)).astype(int)
        ]
        for start, length in pieces:
            means.append(tracklet.probabilities[start : start + length].astype(np.float64).mean(0))
            lengths.append(length)
            truths.append(tracklet.truth)
            weights.append(1 / len(pieces))
    if not means:
        return _PRIOR_TEMPERATURE, _PRIOR_EXPONENT
    logs, counts, weight = np.log(np.stack(means) + FLOOR), np.array(lengths, np.float64), np.array(weights)
    places = np.arange(len(truths)), np.array(truths)

    def loss(values: NDArray[np.float64]) -> float:
        log_temperature, exponent = values
        scaled = logs * (counts**exponent / np.exp(log_temperature))[:, None]
        right = log_softmax(scaled, axis=1)[places]
        prior = ((log_temperature - np.log(_PRIOR_TEMPERATURE)) / _TEMPERATURE_SPREAD) ** 2
        prior += ((exponent - _PRIOR_EXPONENT) / _EXPONENT_SPREAD) ** 2
        return float(0.5 * prior_weight * prior - (weight * right).sum())

    prior_values = np.log(_PRIOR_TEMPERATURE), _PRIOR_EXPONENT
    bounds = (tuple(np.log(_TEMPERATURES)), _EXPONENTS)
    log_temperature, exponent = minimize(loss, prior_values, bounds=bounds, method="L-BFGS-B").x
    return float(np.exp(log_temperature)), float(exponent)


def choose_threshold(
    confidences: NDArray[np.float64],
    correct: NDArray[np.float64],
    max_error: float,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Least confidence at which the estimated share of wrong IDs stays within `max_error`.

    The chance of an error as a function of confidence is a logistic curve (Platt, 1999), fitted on the held-out
    tracklets with a prior; the share is its mean over the tracklets at or above the threshold. A raw count of errors
    would need hundreds of tracklets to show one in a hundred. How many tracklets have which confidence is taken from
    the held-out ones together with `REFERENCE`, for a few dozen say little about that either.

    Parameters
    ----------
    confidences : NDArray[np.float64]
        Shape (tracklets,).
    correct : NDArray[np.float64]
        How right each ID is, 0 to 1; shape (tracklets,).
    max_error : float
        Between 0 and 1.
    weights : NDArray[np.float64], optional
        For how many tracklets each counts; 1 by default.

    Returns
    -------
    float
        At least `_LEAST_THRESHOLD`: an ID that is less probable than not is never assigned.
    """
    weights = np.ones(len(confidences)) if weights is None else weights
    intercept, slope = fit_curve(confidences, correct, weights=weights)
    places = np.linspace(0, 1, 201)
    reference = _logistic(np.interp(places, np.linspace(0, 1, len(REFERENCE)), _logit(REFERENCE)), 0.0, 1.0)
    values = np.concatenate([confidences, reference])
    counts = np.concatenate([weights, np.full(len(reference), _REFERENCE_WEIGHT / len(reference))])
    order = np.argsort(-values)
    errors = counts[order] * (1 - _logistic(_logit(values[order]), intercept, slope))
    share = np.cumsum(errors) / np.cumsum(counts[order])
    good = np.flatnonzero(share <= max_error)
    if len(good):
        return max(_LEAST_THRESHOLD, float(values[order][good[-1]]))
    # even the surest are not sure enough: the confidence at which the curve itself reaches the accepted error
    return float(_logistic((np.log((1 - max_error) / max_error) - intercept) / slope, 0.0, 1.0))


def fit_curve(
    confidences: NDArray[np.float64],
    correct: NDArray[np.float64],
    *,
    weights: NDArray[np.float64] | float = 1.0,
    prior_weight: float = 1.0,
) -> tuple[float, float]:
    """Intercept and slope of the chance of being right, as a logistic function of the logit of the confidence.

    The slope is bounded from below: whatever a few tracklets suggest, surer is never wronger.

    Parameters
    ----------
    confidences, correct : NDArray[np.float64]
        As those of `choose_threshold`.
    weights : NDArray[np.float64] or float
        Likewise.
    prior_weight : float
        0 for what the tracklets alone say.
    """
    from scipy.optimize import minimize

    x = _logit(confidences)

    def loss(curve: NDArray[np.float64]) -> float:
        chance = np.clip(_logistic(x, *curve), 1e-12, 1 - 1e-12)
        prior = (((curve - np.array(PRIOR_CURVE)) / _CURVE_SPREAD) ** 2).sum()
        likelihood = weights * (correct * np.log(chance) + (1 - correct) * np.log(1 - chance))
        return float(0.5 * prior_weight * prior - likelihood.sum())

    intercept, slope = minimize(loss, PRIOR_CURVE, bounds=((None, None), _SLOPES), method="L-BFGS-B").x
    return float(intercept), float(slope)


def _logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _logistic(x: Any, intercept: float, slope: float) -> Any:
    return 1 / (1 + np.exp(-(intercept + slope * x)))
