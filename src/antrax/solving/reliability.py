"""How far the labels of a session can be trusted, sampled along with who is where.

A share of the labels is wrong, whatever their probabilities: where labels contradict one another, all count for less.
And the probabilities are raised to a power: a classifier that is more careful than it need be is found out by labels
that the rest confirms, one that is too sure of itself by labels that the rest speaks against. A label that nothing else
tells anything about says nothing of either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Share of wrong labels before any is seen: a beta distribution, as if of so many wrong and right ones.
_WRONG, _RIGHT = 1.0, 30.0
_FIRST_GUESS = 0.05
# The powers that are tried, and how far from 1 the power is before any label is seen: the standard deviation of its
# binary logarithm.
_POWERS = 2.0 ** np.arange(-2, 3.1, 0.5)
_SPREAD = 1.0
_LEAST = 1e-30  # probability; keeps 0 from becoming minus infinity


class Reliability:
    """The share of wrong labels and the power of their probabilities, as they are at present.

    Parameters
    ----------
    probability : (m, k) array of float32
        Of each of k animals in each of m labelled tracklets, by the classifier.

    Attributes
    ----------
    error : float
        The share of wrong labels.
    power : float
        The power.

    Examples
    --------
    >>> labels = Reliability(np.array([[0.9, 0.1], [0.2, 0.8]], np.float32))
    >>> labels.log_likelihood(0.02).argmax(1).tolist()
    [0, 1]
    """

    def __init__(self, probability: NDArray[np.float32]) -> None:
        self._logs = np.log(np.maximum(probability.astype(np.float64), _LEAST))
        self._mean = np.stack([np.exp(power * self._logs).mean(1) for power in _POWERS])
        self._prior = -((np.log2(_POWERS) / _SPREAD) ** 2) / 2
        self._at = int(np.argmax(self._prior))
        self._scaled: dict[int, NDArray[np.float32]] = {}
        self.error = _FIRST_GUESS

    @property
    def power(self) -> float:
        """The power that the probabilities are raised to."""
        return float(_POWERS[self._at])

    def log_likelihood(self, error: float) -> NDArray[np.float32]:
        """Of each animal in each tracklet, against that of any animal alike, (m, k).

        Parameters
        ----------
        error : float
            The share of wrong labels to compute it for.
        """
        scaled = self._scaled.get(self._at)
        if scaled is None:
            scaled = (np.exp(self.power * self._logs) / self._mean[self._at][:, None]).astype(np.float32)
            self._scaled[self._at] = scaled
        found: NDArray[np.float32] = np.log(np.float32(1 - error) * scaled + np.float32(error))
        return found

    def draw(self, tracklet: NDArray[np.int64], animal: NDArray[np.int64], rng: np.random.Generator) -> None:
        """Draw both anew, given who is where.

        Parameters
        ----------
        tracklet : (r,) array of int64
            Rows, of the m, of tracklets that hold one animal alone.
        animal : (r,) array of int64
            The animal that is in each.
        rng : numpy.random.Generator
        """
        scaled = np.exp(_POWERS[:, None] * self._logs[tracklet, animal]) / self._mean[:, tracklet]
        log_posterior = self._prior + np.log((1 - self.error) * scaled + self.error).sum(1)
        chance = np.exp(log_posterior - log_posterior.max())
        self._at = int(rng.choice(len(chance), p=chance / chance.sum()))
        agrees = (1 - self.error) * scaled[self._at]
        wrong = int((rng.random(len(tracklet)) < self.error / (agrees + self.error)).sum())
        self.error = float(rng.beta(_WRONG + wrong, _RIGHT + len(tracklet) - wrong))
