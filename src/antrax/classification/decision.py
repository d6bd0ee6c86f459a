"""The decision rule: from the probabilities of a tracklet's images to its one label. Pure: arrays in, label out.

The rule, and where it comes from
---------------------------------
1. The images' probabilities are averaged over all images and *all* classes, a linear opinion pool (Stone, 1961,
   Ann. Math. Statist. 32:1339). Neighbouring images err together, so a tracklet of n images is no product of n
   independent witnesses: the pool is what is left when they are taken as fully dependent. Averaging over all
   classes lets the images that look like `Unknown` or `Multi` speak against an ID instead of being thrown away.
2. The pooled probabilities are sharpened by ``n_eff / T`` in the log domain and normalised: ``T`` is a temperature
   (Guo et al., 2017, ICML) and ``n_eff = n ** exponent`` what n correlated images are worth. Both are fitted on
   tracklets that the network has not seen; the exponent comes out near zero on real data: length says little.
3. The tracklet is an ant where an ID has the largest result, at least the threshold that belongs to the accepted error
   (`antrax.calibration`; of IDs without examples, which are known by their colours, a threshold of their own), and is
   one of the experiment's. It is a non-ant or multi-ant where such a label has the
   largest result and its kind has more than half of the total. Otherwise it is `Unknown`. Labels that the
   experiment does not have keep their share: evidence for them is evidence against the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from antrax.classification.original_rule import original_label
from antrax.errors import OptionError
from antrax.io.results import Decision
from antrax.labels import UNKNOWN, Category

# Lower bound of probabilities, so that a single image cannot exclude a label.
FLOOR = 1e-6


class DecisionRule(Protocol):
    """Protocol of decision rules. A rule is sent to worker processes, so it must be picklable or a function."""

    def __call__(
        self,
        probabilities: NDArray[np.floating],
        labels: tuple[str, ...],
        categories: tuple[Category | None, ...],
        passed: NDArray[np.bool_] | None,
    ) -> Decision:
        """Decide on one tracklet; parameters as those of `decide`."""
        ...


def check_decision(decision: Decision, labels: tuple[str, ...], categories: tuple[Category | None, ...]) -> None:
    """Raise an error for a decision of a rule that later steps could not use.

    Parameters
    ----------
    decision : Decision
    labels, categories
        As those of `decide`.

    Raises
    ------
    OptionError
        The label is none of the experiment's, or an ID has no score, or something else than an ID has one.
    """
    kinds = dict(zip(labels, categories, strict=True))
    if decision.label != UNKNOWN and kinds.get(decision.label) is None:
        raise OptionError(f"the decision rule gave {decision.label!r}, which is no label of the experiment")
    if (decision.score > 0) != (kinds.get(decision.label) is Category.ANT):
        raise OptionError(f"the decision rule gave {decision.label!r} the score {decision.score}: IDs alone have one")


@dataclass(frozen=True)
class Rule:
    """The numbers that the rule needs.

    Parameters
    ----------
    temperature : float
    exponent : float
        0 where images are fully dependent, 1 where they are independent.
    threshold : float
        Least confidence for an ID, 0 to 1.
    guarded : bool
        Give an ID only where anTraX's own rule gives the same: for networks of which nothing is known, some of which
        are wrong and sure of themselves.
    unseen : tuple of int
        Outputs of IDs without examples, which the network knows by the colours of others.
    unseen_threshold : float
        Least confidence for these.
    """

    temperature: float
    exponent: float
    threshold: float
    guarded: bool = False
    unseen: tuple[int, ...] = ()
    unseen_threshold: float = 1.0

    def __call__(
        self,
        probabilities: NDArray[np.floating],
        labels: tuple[str, ...],
        categories: tuple[Category | None, ...],
        passed: NDArray[np.bool_] | None = None,
    ) -> Decision:
        """Decide on one tracklet; see `decide`."""
        return decide(probabilities, labels, categories, self, passed)


def pool(probabilities: NDArray[np.floating], rule: Rule) -> NDArray[np.float64]:
    """Calibrated probabilities of a tracklet's labels (steps 1 and 2).

    Parameters
    ----------
    probabilities : NDArray
        Shape (images, labels), at least one image.
    rule : Rule

    Returns
    -------
    NDArray[np.float64]
        Shape (labels,), sums to 1.
    """
    mean = probabilities.astype(np.float64).mean(0)
    logs = np.log(mean + FLOOR) * (len(probabilities) ** rule.exponent / rule.temperature)
    powers = np.exp(logs - logs.max())
    return np.asarray(powers / powers.sum(), np.float64)


def decide(
    probabilities: NDArray[np.floating],
    labels: tuple[str, ...],
    categories: tuple[Category | None, ...],
    rule: Rule,
    passed: NDArray[np.bool_] | None = None,
) -> Decision:
    """Decide on one tracklet.

    Parameters
    ----------
    probabilities : NDArray
        Shape (images, labels), at least one image.
    labels : tuple of str
        In the order of the columns.
    categories : tuple of Category or None
        Kind of each label in the experiment; None where the experiment does not have the label, which is then never
        assigned.
    rule : Rule
    passed : NDArray[np.bool_], optional
        Shape (images,): blob of plausible size and shape; the best frame is one of these where there are any.
    """
    pooled = pool(probabilities, rule)
    first, second = np.argsort(-pooled, kind="stable")[:2]
    category = categories[first]
    label = UNKNOWN
    if category is Category.ANT:
        agreed = not rule.guarded or original_label(probabilities, categories) == first
        least = rule.unseen_threshold if first in rule.unseen else rule.threshold
        if pooled[first] >= least and agreed:
            label = labels[first]
    elif category in (Category.NONANT, Category.MULTI):
        same_kind = np.array([other is category for other in categories])
        if pooled[same_kind].sum() > 0.5:
            label = labels[first]
    score, best_frame = 0.0, 0
    if label != UNKNOWN and category is Category.ANT:
        column = probabilities[:, first].astype(np.float64)
        score = float(column.sum())
        if passed is not None and len(passed) == len(column) and passed.any():
            column = np.where(passed, column, -1.0)
        best_frame = int(np.argmax(column)) + 1
    return Decision(
        label=label,
        confidence=float(pooled[first]),
        best_label=labels[first],
        runner_up=labels[second],
        runner_up_confidence=float(pooled[second]),
        score=score,
        best_frame=best_frame,
        votes=int((probabilities.argmax(1) == first).sum()),
    )
