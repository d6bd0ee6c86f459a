"""Error rates of a classification from a person's checks, and how sure they are. Pure: checks in, rates out.

What is counted, and of what
----------------------------
Every rate is a share of the *checked* tracklets that got one kind of label, for such is what a person looks at:

- of those with an ID: wrong ID (another animal), false positive (nothing that should have an ID: no ant, several, or
  not recognisable), and both together;
- of those labelled `Unknown`: missed, the animal can be identified;
- of those with a non-ant or multi-ant label: missed, it is a single ant, whether or not it can be identified.

The rates of the last two kinds say together how many of *all* tracklets without an ID should have one
(`false_negative`). People check as many of one kind as they please, so each kind counts by how many tracklets it has,
not by how many of them were checked.

What the intervals hold for
---------------------------
Tracklets sampled at random, of the movies and labels that one drew from, and a number of checks that does not depend on
their outcome: stopping when the figure is good enough gives too good a figure. Tracklets in the order "most
useful first" have more errors than others, and those that the classifier was trained on have fewer; a
`Check` says which it is, so that they can be left out. The images of a tracklet err together: a tracklet, however long,
counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antrax.defaults import MAX_ERROR
from antrax.labels import Category
from antrax.review.validation.checks import Check
from antrax.review.validation.verdicts import Verdict

# What the resampling of one rate may cost: half a second. It is all of 10,000 resamples up to 2,000 checks.
_DRAWS = 20_000_000
_FEWEST_RESAMPLES = 1_000


@dataclass(frozen=True)
class Interval:
    """Limits of a rate, 0 to 1.

    Parameters
    ----------
    low, high : float
    """

    low: float
    high: float


@dataclass(frozen=True)
class Rate:
    """A rate by tracklet and by frame.

    Parameters
    ----------
    errors, checked : int
        Tracklets.
    rate : float or None
        Share of tracklets; None where nothing was checked.
    interval : Interval or None
        Its 95 % limits.
    frame_rate, frame_interval : float or None, Interval or None
        The same for frames: a tracklet counts by its number of images.
    frames : int
        Images of the checked tracklets.
    """

    errors: int
    checked: int
    rate: float | None
    interval: Interval | None
    frame_rate: float | None
    frame_interval: Interval | None
    frames: int


@dataclass(frozen=True)
class Rates:
    """All rates of a classification; see the top of the module for what each is a share of.

    Parameters
    ----------
    wrong_id, false_positive, any_id_error : Rate
        Of the checked tracklets with an ID.
    missed_unknown : Rate
        Of the checked `Unknown` ones.
    missed_nonant : Rate
        Of the checked ones with a non-ant or multi-ant label.
    more_checks : int
        How many more tracklets with an ID, all of them right, would show less than 1 % of `any_id_error`.
    """

    wrong_id: Rate
    false_positive: Rate
    any_id_error: Rate
    missed_unknown: Rate
    missed_nonant: Rate
    more_checks: int


def clopper_pearson(errors: int, n: int, level: float = 0.95) -> Interval:
    """The exact two-sided interval of a binomial share (Clopper & Pearson, 1934, Biometrika 26:404).

    It covers the true share with a probability of at least `level`, whatever that share is. Without a check it is 0 to
    1.

    Parameters
    ----------
    errors, n : int
        Errors among n independent checks.
    level : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        More errors than checks, or fewer than none.
    """
    return _exact_limits(errors, n, level)


def _exact_limits(errors: float, n: float, level: float) -> Interval:
    """Clopper and Pearson's limits as quantiles of beta distributions, which do not ask for whole numbers."""
    from scipy.special import betaincinv

    if not 0 <= errors <= n:
        raise ValueError(f"{errors} errors among {n} checks")
    tail = (1 - level) / 2
    return Interval(
        low=float(betaincinv(errors, n - errors + 1, tail)) if errors > 0 else 0.0,
        high=float(betaincinv(errors + 1, n - errors, 1 - tail)) if errors < n else 1.0,
    )


def bootstrap_rate(
    errors: ArrayLike, weights: ArrayLike, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Limits of the share of frames in error, when it is tracklets that are right or wrong.

    Whole tracklets are resampled with replacement, and the limits are percentiles of the shares so found (Efron, 1979,
    Ann. Statist. 7:1). Resampling cannot show what the sample does not hold: without any error its limits are 0 and
    0, and with a few errors in short tracklets it takes for granted that long ones are never wrong. (Of 80 simulated
    tracklets of very different lengths, percentiles alone held the truth in 42 to 85 of a hundred cases.) So the limits
    are never narrower than exact ones for the same share at the effective number of tracklets, ``n_eff =
    (Σw)² / Σw²`` (Kish, 1965, Survey Sampling), as is done for rare things in surveys (Korn & Graubard, 1998, Survey
    Methodology 24:193). Where all tracklets are of one length, ``n_eff`` is their number.

    Parameters
    ----------
    errors : array_like of bool
        Shape (tracklets,).
    weights : array_like of int
        Images of each tracklet, shape (tracklets,). Tracklets without any count for nothing.
    level : float
        Between 0 and 1.
    resamples : int
        Of many thousand tracklets fewer are drawn, at least 1,000.
    seed : int
        The same seed gives the same limits.

    Returns
    -------
    Interval
        0 to 1 where there are no images.
    """
    weight = np.asarray(weights, np.float64)
    wrong = np.asarray(errors, np.bool_)[weight > 0]
    weight = weight[weight > 0]
    if not len(weight):
        return Interval(0.0, 1.0)
    effective = weight.sum() ** 2 / (weight**2).sum()
    share = (weight * wrong).sum() / weight.sum()
    exact = _exact_limits(share * effective, effective, level)
    if wrong.all() or not wrong.any():
        return exact
    shares = _resampled_shares(wrong, weight, resamples, seed)
    low, high = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2])
    return Interval(min(exact.low, float(low)), max(exact.high, float(high)))


def _resampled_shares(
    wrong: NDArray[np.bool_], weight: NDArray[np.float64], resamples: int, seed: int
) -> NDArray[np.float64]:
    n = len(weight)
    resamples = min(resamples, max(_FEWEST_RESAMPLES, _DRAWS // n))
    rng = np.random.default_rng(seed)
    wrong_weight = weight * wrong
    shares = []
    at_once = max(1, 500_000 // n)
    for start in range(0, resamples, at_once):
        drawn = rng.integers(0, n, (min(at_once, resamples - start), n), np.uint32)
        shares.append(wrong_weight[drawn].sum(1) / weight[drawn].sum(1))
    return np.concatenate(shares)


def checks_needed(errors: int, n: int, target: float = MAX_ERROR, level: float = 0.95) -> int:
    """Number of further checks, all without an error, that would show a rate below `target`.

    That is when the one-sided upper limit (Clopper & Pearson, 1934) no longer exceeds it, for then so few errors are
    less than ``1 - level`` probable at any rate above it. Starting from nothing, 1 % takes 299 checks.

    Parameters
    ----------
    errors, n : int
        Errors among the checks that there are.
    target, level : float
        Between 0 and 1.

    Returns
    -------
    int
        0 where it is shown already.

    Raises
    ------
    ValueError
        More errors than checks, or a target that is no share.
    """
    from scipy.special import betainc

    if not 0 <= errors <= n or not 0 < target < 1 or not 0 < level < 1:
        raise ValueError(f"{errors} errors among {n} checks, target {target}, level {level}")

    def shown(total: int) -> bool:
        # chance of more than this many errors among `total` checks at the rate `target`
        return total > errors and bool(betainc(errors + 1, total - errors, target) >= level)

    if shown(n):
        return 0
    high = max(1, n)
    while not shown(high):
        high *= 2
    low = max(n, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high - n


def counted_rate(k: int, n: int) -> float | None:
    """A share that was counted over everything there is, so that it has no interval; None of nothing."""
    return k / n if n else None


def error_rates(checks: Sequence[Check]) -> Rates:
    """The rates that checks show, each kind of label by itself."""
    with_id = [check for check in checks if check.category is Category.ANT]
    unknown = [check for check in checks if check.category is Category.UNKNOWN]
    nonant = [check for check in checks if check.category in (Category.NONANT, Category.MULTI)]
    any_id_error = _rate(with_id, Verdict.WRONG, Verdict.NO_ID)
    return Rates(
        wrong_id=_rate(with_id, Verdict.WRONG),
        false_positive=_rate(with_id, Verdict.NO_ID),
        any_id_error=any_id_error,
        missed_unknown=_rate(unknown, Verdict.IDENTIFIABLE),
        missed_nonant=_rate(nonant, Verdict.ANT),
        more_checks=checks_needed(any_id_error.errors, any_id_error.checked),
    )


def _rate(checks: Sequence[Check], *error: Verdict) -> Rate:
    if not checks:
        return Rate(0, 0, None, None, None, None, 0)
    wrong = np.array([check.verdict in error for check in checks])
    images = np.array([check.images for check in checks], np.int64)
    errors, frames = int(wrong.sum()), int(images.sum())
    return Rate(
        errors=errors,
        checked=len(checks),
        rate=errors / len(checks),
        interval=clopper_pearson(errors, len(checks)),
        frame_rate=float(images[wrong].sum() / frames) if frames else None,
        frame_interval=bootstrap_rate(wrong, images) if frames else None,
        frames=frames,
    )


def false_negative(rates: Rates, unknown: int, nonant: int, unknown_frames: int = 0, nonant_frames: int = 0) -> Rate:
    """Of all tracklets without an ID, how many should have one.

    The mean of `missed_unknown` and `missed_nonant`, weighted by how many tracklets have such a label (a stratified
    estimate: Cochran, 1977, Sampling Techniques). Its limits are the strata's own, weighted likewise. They cover the
    true rate with a probability of at least 95 %, which narrower ways of putting them together (such as Zou, Huang &
    Zhang, 2009, Comput. Stat. Data Anal. 53:1080) do not where errors are few. A stratum of which nothing was checked
    may hold anything: there is then no rate, and the limits count that stratum as all right and as all wrong. Ants with
    non-ant labels count as missed, also those that nobody could identify; the true rate is rather lower.

    Parameters
    ----------
    rates : Rates
    unknown, nonant : int
        All tracklets labelled `Unknown`, and all with a non-ant or multi-ant label.
    unknown_frames, nonant_frames : int
        Their images.

    Returns
    -------
    Rate
        `errors`, `checked` and `frames` are sums over what was checked; their quotient is not the rate.
    """
    first, second = rates.missed_unknown, rates.missed_nonant
    checked = first.checked + second.checked
    rate, interval = _weighted_mean([(unknown, first.rate, first.interval), (nonant, second.rate, second.interval)])
    frame_rate, frame_interval = _weighted_mean(
        [
            (unknown_frames, first.frame_rate, first.frame_interval),
            (nonant_frames, second.frame_rate, second.frame_interval),
        ]
    )
    return Rate(
        first.errors + second.errors,
        checked,
        rate,
        interval,
        frame_rate,
        frame_interval,
        first.frames + second.frames,
    )


def _weighted_mean(
    strata: Sequence[tuple[int, float | None, Interval | None]],
) -> tuple[float | None, Interval | None]:
    """Mean of rates by size of stratum, with limits; None where nothing is known."""
    strata = [stratum for stratum in strata if stratum[0]]
    total = sum(size for size, _, _ in strata)
    if all(interval is None for _, _, interval in strata):
        return None, None
    low = sum(size * interval.low for size, _, interval in strata if interval) / total
    high = sum(size * (interval.high if interval else 1.0) for size, _, interval in strata) / total
    mean = sum(size * rate for size, rate, _ in strata if rate is not None) / total
    return None if any(rate is None for _, rate, _ in strata) else mean, Interval(low, min(1.0, high))
