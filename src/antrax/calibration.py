"""How sure is sure: what the held-out tracklets tell about a classifier's confidences. Pure numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.decision import Rule, pool, sharpen

# Fewer held-out tracklets than this cannot tell one error in a hundred from five: the cautious rule is used instead.
ENOUGH_TRACKLETS = 30
CAUTIOUS = Rule(temperature=1.0, exponent=0.0, threshold=0.9)

# Where the fit starts from and what few tracklets cannot move it far from: values found on the JS16 set, of four
# networks.
_PRIOR_TEMPERATURE, _TEMPERATURE_SPREAD = 0.7, 0.25
_PRIOR_EXPONENT, _EXPONENT_SPREAD = 0.0, 0.05
_TEMPERATURES = np.geomspace(0.4, 2.5, 24)
_EXPONENTS = np.linspace(0.0, 0.3, 7)
_PIECES = (1, 4, 16, 64)


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
class Calibration:
    """What was found on held-out tracklets.

    Parameters
    ----------
    temperature, exponent : float
        See `antrax.decision.Rule`.
    confidences : tuple of float
        Of the held-out tracklets whose most probable label is an ID.
    correct : tuple of bool
        Whether people gave them that ID. An animal that people could not identify counts as wrong.
    tracklets : int
        Number of tracklets held out.
    """

    temperature: float
    exponent: float
    confidences: tuple[float, ...]
    correct: tuple[bool, ...]
    tracklets: int

    @property
    def sufficient(self) -> bool:
        """Whether there are enough tracklets to choose a threshold by."""
        return len(self.confidences) >= ENOUGH_TRACKLETS

    def rule(self, max_error: float) -> Rule:
        """The rule for an accepted share of wrong IDs among the assigned ones."""
        threshold = choose_threshold(np.array(self.confidences), np.array(self.correct), max_error)
        return Rule(self.temperature, self.exponent, threshold)

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the classifier's file."""
        return {
            "temperature": self.temperature,
            "exponent": self.exponent,
            "confidences": [round(value, 6) for value in self.confidences],
            "correct": [int(value) for value in self.correct],
            "tracklets": self.tracklets,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """Read what `to_json` gave; raises ValueError, TypeError or KeyError where it is something else."""
        confidences = tuple(float(value) for value in values["confidences"])
        correct = tuple(bool(value) for value in values["correct"])
        temperature, exponent = float(values["temperature"]), float(values["exponent"])
        if len(confidences) != len(correct) or not 0 < temperature < 100 or not 0 <= exponent <= 1:
            raise ValueError("a calibration that cannot be")
        return cls(temperature, exponent, confidences, correct, int(values["tracklets"]))


def rule_for(calibration: Calibration | None, max_error: float) -> Rule:
    """The calibrated rule, or the cautious one where there is too little to calibrate on."""
    return calibration.rule(max_error) if calibration and calibration.sufficient else CAUTIOUS


def calibrate(tracklets: Sequence[HeldOutTracklet], ants: NDArray[np.bool_]) -> Calibration:
    """Fit temperature and exponent, and keep what a threshold is chosen by.

    Parameters
    ----------
    tracklets : sequence of HeldOutTracklet
    ants : NDArray[np.bool_]
        Which labels are IDs; shape (labels,).
    """
    temperature, exponent = _fit(tracklets)
    rule = Rule(temperature, exponent, 0.0)
    confidences, correct = [], []
    for tracklet in tracklets:
        pooled = pool(tracklet.probabilities, rule)
        best = int(pooled.argmax())
        if ants[best]:
            confidences.append(float(pooled[best]))
            correct.append(best == tracklet.truth)
    return Calibration(temperature, exponent, tuple(confidences), tuple(correct), len(tracklets))


def _fit(tracklets: Sequence[HeldOutTracklet]) -> tuple[float, float]:
    """Temperature and exponent of largest posterior, on the tracklets and on pieces of them.

    Pieces show what length does to one and the same animal; all pieces of a tracklet together weigh as much as one
    tracklet.
    """
    samples: list[tuple[NDArray[np.float64], int, int, float]] = []
    for tracklet in tracklets:
        count = len(tracklet.probabilities)
        starts = [(0, count)] + [
            (int(start), length)
            for length in _PIECES
            if length < count
            for start in np.linspace(0, count - length, min(3, count // length)).astype(int)
        ]
        for start, length in starts:
            mean = tracklet.probabilities[start : start + length].astype(np.float64).mean(0)
            samples.append((mean, length, tracklet.truth, 1 / len(starts)))
    best = (np.inf, _PRIOR_TEMPERATURE, _PRIOR_EXPONENT)
    for temperature in _TEMPERATURES:
        for exponent in _EXPONENTS:
            rule = Rule(float(temperature), float(exponent), 0.0)
            loss = sum(w * -np.log(sharpen(mean, n, rule)[truth] + 1e-12) for mean, n, truth, w in samples)
            loss += 0.5 * (np.log(temperature / _PRIOR_TEMPERATURE) / _TEMPERATURE_SPREAD) ** 2
            loss += 0.5 * ((exponent - _PRIOR_EXPONENT) / _EXPONENT_SPREAD) ** 2
            best = min(best, (float(loss), float(temperature), float(exponent)))
    return best[1], best[2]


def choose_threshold(confidences: NDArray[np.float64], correct: NDArray[np.bool_], max_error: float) -> float:
    """Least confidence at which the estimated share of wrong IDs stays within `max_error`.

    The chance of an error as a function of confidence is a logistic curve (Platt, 1999) with a prior around "the
    confidence is what it says", fitted on the held-out tracklets; the share is its mean over those at or above the
    threshold. A raw count of errors would need hundreds of tracklets to show one in a hundred.

    Parameters
    ----------
    confidences : NDArray[np.float64]
        Shape (tracklets,).
    correct : NDArray[np.bool_]
        Shape (tracklets,).
    max_error : float
        Between 0 and 1.
    """
    order = np.argsort(-confidences)
    sorted_confidences = confidences[order]
    errors = 1 - _logistic(_logit(sorted_confidences), *fit_curve(confidences, correct))
    share = np.cumsum(errors) / np.arange(1, len(errors) + 1)
    good = np.flatnonzero(share <= max_error)
    if len(good):
        return float(sorted_confidences[good[-1]])
    # even the surest are not sure enough: the confidence at which the curve itself reaches the accepted error
    intercept, slope = fit_curve(confidences, correct)
    return float(_logistic((np.log((1 - max_error) / max(max_error, 1e-12)) - intercept) / slope, 0.0, 1.0))


def fit_curve(confidences: NDArray[np.float64], correct: NDArray[np.bool_]) -> tuple[float, float]:
    """Intercept and slope of the chance of being right, as a logistic function of the logit of the confidence."""
    x = _logit(confidences)
    design = np.stack([np.ones_like(x), x], 1)
    prior_mean, prior_precision = np.array([0.0, 1.0]), np.diag([1.0, 1 / 0.5**2])
    parameters = prior_mean.copy()
    for _ in range(50):
        chance = _logistic(x, *parameters)
        gradient = design.T @ (correct - chance) - prior_precision @ (parameters - prior_mean)
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + prior_precision
        step = np.linalg.solve(curvature, gradient)
        parameters = parameters + step
        parameters[1] = max(parameters[1], 0.2)  # surer is never wronger
        if np.abs(step).max() < 1e-8:
            break
    return float(parameters[0]), float(parameters[1])


def _logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _logistic(x: Any, intercept: float, slope: float) -> Any:
    return 1 / (1 + np.exp(-(intercept + slope * x)))
