"""Error rates and their intervals: what they are shares of, and how often they hold."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import bdtr, comb

from antrax.labels import Category
from antrax.review.validation.checks import Check
from antrax.review.validation.rates import (
    Interval,
    Rates,
    bootstrap_rate,
    checks_needed,
    clopper_pearson,
    counted_rate,
    error_rates,
    false_negative,
)
from antrax.review.validation.verdicts import Verdict

SHARES = [0.0005, 0.001, 0.003, 0.01, 0.02, 0.03, *np.linspace(0.05, 0.95, 13), 0.99]


def probability_of(errors, n, share):
    """The binomial distribution; written out, for `scipy.stats` takes seconds to load."""
    return comb(n, errors) * share**errors * (1 - share) ** (n - errors)


def checks(category: Category, verdict: Verdict, count: int, images: int = 10) -> list[Check]:
    return [Check(category, verdict, images, rescored=False, random=True, seen=False)] * count


def unknown(missed: int, right: int, images: int = 10) -> list[Check]:
    return checks(Category.UNKNOWN, Verdict.IDENTIFIABLE, missed, images) + checks(
        Category.UNKNOWN, Verdict.RIGHTLY_UNKNOWN, right, images
    )


def nonant(missed: int, right: int, images: int = 10) -> list[Check]:
    return checks(Category.NONANT, Verdict.ANT, missed, images) + checks(
        Category.NONANT, Verdict.NOT_ANT, right, images
    )


# ---- Clopper–Pearson


@pytest.mark.parametrize(
    ("errors", "n", "low", "high"),
    # the rule 1 - 0.025^(1/n) for no error; the others as R's binom.test gives them
    [(0, 10, 0, 0.30850), (1, 20, 0.00127, 0.24873), (3, 20, 0.03207, 0.37893), (10, 10, 0.69150, 1)],
)
def test_exact_limits_are_those_in_the_books(errors, n, low, high):
    interval = clopper_pearson(errors, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-5)


def test_without_checks_a_rate_may_be_anything():
    assert clopper_pearson(0, 0) == bootstrap_rate([], []) == Interval(0, 1)


@pytest.mark.parametrize(("errors", "n"), [(3, 2), (-1, 4)])
def test_counts_that_cannot_be_are_refused(errors, n):
    with pytest.raises(ValueError):
        clopper_pearson(errors, n)
    with pytest.raises(ValueError):
        checks_needed(errors, n)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_exact_limits_hold_at_least_as_often_as_they_say(level):
    for n, share in product((1, 2, 5, 17, 60, 300), SHARES):
        limits = [clopper_pearson(errors, n, level) for errors in range(n + 1)]
        holds = np.array([limit.low <= share <= limit.high for limit in limits])
        assert probability_of(np.arange(n + 1), n, share)[holds].sum() >= level - 1e-9, (n, share)


# ---- how many more


@pytest.mark.parametrize(("target", "needed"), [(0.01, 299), (0.005, 598), (0.001, 2995)])
def test_showing_a_small_rate_takes_as_many_checks_without_error_as_is_known(target, needed):
    assert checks_needed(0, 0, target) == needed
    assert checks_needed(0, 100, target) == needed - 100
    assert checks_needed(0, needed, target) == checks_needed(0, needed + 50, target) == 0


@given(errors=st.integers(0, 30), more=st.integers(0, 500), target=st.sampled_from([0.01, 0.05, 0.5]))
def test_so_many_more_checks_show_it_and_one_fewer_does_not(errors, more, target):
    n = errors + more
    needed = checks_needed(errors, n, target)

    def shown(total: int) -> bool:
        return bdtr(errors, total, target) <= 0.05 * (1 + 1e-9)

    assert shown(n + needed)
    assert needed == 0 or not shown(n + needed - 1)


# ---- frames: whole tracklets are resampled


@given(count=st.integers(1, 400), images=st.integers(1, 600))
def test_without_any_error_frames_have_the_exact_limits_for_the_effective_number_of_tracklets(count, images):
    interval = bootstrap_rate([False] * count, [images] * count)
    assert (interval.low, interval.high) == pytest.approx((0, clopper_pearson(0, count).high))
    assert bootstrap_rate([True] * count, [images] * count).low == pytest.approx(clopper_pearson(count, count).low)


def test_one_long_tracklet_among_short_ones_is_hardly_more_than_one_witness():
    interval = bootstrap_rate([False] * 51, [5000] + [1] * 50)
    assert 0.9 < interval.high <= clopper_pearson(0, 1).high


def test_errors_in_short_tracklets_only_do_not_prove_that_long_ones_are_right():
    wrong = [True] * 5 + [False] * 75 + [False] * 20
    images = [2] * 80 + [500] * 20
    assert bootstrap_rate(wrong, images).high > 0.9 * clopper_pearson(0, 20).high


def test_tracklets_without_images_say_nothing_of_frames():
    assert bootstrap_rate([True, False, True], [0, 7, 0]) == bootstrap_rate([False], [7])


def test_errors_in_a_few_long_tracklets_widen_the_limits_as_resampling_shows():
    wrong, images = [True] * 12 + [False] * 600, [*range(200, 800, 50)] + [30] * 600
    limits = bootstrap_rate(wrong, images)
    # resampled in another way: by how often each tracklet is drawn
    times = np.random.default_rng(5).multinomial(612, [1 / 612] * 612, 5_000)
    shares = (times * np.multiply(images, wrong)).sum(1) / (times * np.array(images)).sum(1)
    assert (limits.low, limits.high) == pytest.approx(tuple(np.quantile(shares, [0.025, 0.975])), abs=0.01)
    assert limits == bootstrap_rate(wrong, images)
    assert limits != bootstrap_rate(wrong, images, seed=1)


def test_many_checks_are_resampled_in_bounded_memory_and_time():
    rng = np.random.default_rng(2)
    wrong, images = rng.random(20_000) < 0.05, rng.integers(1, 600, 20_000)
    interval = bootstrap_rate(wrong, images)
    share = images[wrong].sum() / images.sum()
    assert interval.low < share < interval.high < interval.low + 0.01


def simulate(kind: str, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether tracklets are wrong, and their lengths: of all lengths, with a bent for short or for long ones."""
    images = np.ceil(rng.lognormal(3.5, 1.2, count)).clip(1, 3000).astype(int)
    chance = {
        "any": np.full(count, 0.06),
        "short": np.where(images < 30, 0.15, 0.01),
        "long": np.where(images > 80, 0.2, 0.02),
        "rare": np.full(count, 0.01),
    }[kind]
    return rng.random(count) < chance, images


@pytest.mark.parametrize("kind", ["any", "short", "long", "rare"])
def test_limits_by_frames_hold_where_the_images_of_a_tracklet_err_together(kind):
    rng = np.random.default_rng(3)
    wrong, images = simulate(kind, rng, 400_000)
    truth = images[wrong].sum() / images.sum()
    holds, as_if_independent = [], []
    for _ in range(100):
        wrong, images = simulate(kind, rng, 80)
        interval = bootstrap_rate(wrong, images, resamples=1000)
        holds.append(interval.low <= truth <= interval.high)
        naive = clopper_pearson(int(images[wrong].sum()), int(images.sum()))
        as_if_independent.append(naive.low <= truth <= naive.high)
    assert np.mean(holds) >= 0.95
    assert np.mean(as_if_independent) < 0.5


# ---- rates


def test_each_rate_is_a_share_of_the_checked_tracklets_with_that_kind_of_label():
    given_checks = [
        *checks(Category.ANT, Verdict.CORRECT, 16),
        *checks(Category.ANT, Verdict.WRONG, 3, images=40),
        *checks(Category.ANT, Verdict.NO_ID, 1, images=20),
        *unknown(2, 8),
        *nonant(1, 3),
        *checks(Category.MULTI, Verdict.NOT_ANT, 4),
    ]
    rates = error_rates(given_checks)
    for rate, errors, checked, share, frames, frame_share in [
        (rates.wrong_id, 3, 20, 0.15, 300, 0.4),
        (rates.false_positive, 1, 20, 0.05, 300, 20 / 300),
        (rates.any_id_error, 4, 20, 0.2, 300, 140 / 300),
        (rates.missed_unknown, 2, 10, 0.2, 100, 0.2),
        (rates.missed_nonant, 1, 8, 0.125, 80, 0.125),
    ]:
        assert (rate.errors, rate.checked, rate.frames) == (errors, checked, frames)
        assert (rate.rate, rate.frame_rate) == pytest.approx((share, frame_share))
        assert rate.interval == clopper_pearson(errors, checked)
        assert rate.frame_interval.low <= rate.frame_rate <= rate.frame_interval.high
    assert rates.more_checks == checks_needed(4, 20)


def test_without_checks_there_are_no_rates_only_checks_to_make():
    rates = error_rates([])
    assert rates.wrong_id.rate is rates.wrong_id.interval is rates.missed_unknown.frame_interval is None
    assert rates.more_checks == 299


def test_checks_of_tracklets_whose_images_are_not_counted_have_no_rate_by_frames():
    rate = error_rates(unknown(1, 3, images=0)).missed_unknown
    assert (rate.rate, rate.frame_rate, rate.frame_interval) == (0.25, None, None)


def test_a_share_of_everything_is_just_counted():
    assert counted_rate(3, 4) == 0.75
    assert counted_rate(0, 0) is None


# ---- false negatives: two strata


def test_each_kind_without_an_id_counts_by_how_many_there_are_not_by_how_many_were_checked():
    rates = error_rates([*unknown(5, 5), *nonant(0, 90)])
    missed = false_negative(rates, unknown=900, nonant=100, unknown_frames=100, nonant_frames=900)
    assert missed.rate == pytest.approx(0.45)
    assert missed.frame_rate == pytest.approx(0.05)
    assert (missed.errors, missed.checked, missed.frames) == (5, 100, 1000)
    assert missed.interval.low == pytest.approx(0.9 * clopper_pearson(5, 10).low)
    assert missed.interval.high == pytest.approx(0.9 * clopper_pearson(5, 10).high + 0.1 * clopper_pearson(0, 90).high)


def test_a_single_stratum_keeps_its_own_limits():
    rates = error_rates([*unknown(2, 8), *nonant(3, 4)])
    missed = false_negative(rates, unknown=50, nonant=0, unknown_frames=500)
    assert missed.rate == 0.2
    for limits, own in [
        (missed.interval, rates.missed_unknown.interval),
        (missed.frame_interval, rates.missed_unknown.frame_interval),
    ]:
        assert (limits.low, limits.high) == pytest.approx((own.low, own.high))


def test_what_was_not_checked_may_be_all_right_or_all_wrong():
    rates = error_rates(unknown(2, 8))
    missed = false_negative(rates, unknown=95, nonant=5)
    assert missed.rate is None
    assert missed.interval.low == pytest.approx(0.95 * clopper_pearson(2, 10).low)
    assert missed.interval.high == pytest.approx(0.95 * clopper_pearson(2, 10).high + 0.05)
    assert missed.frame_rate is missed.frame_interval is None


def test_where_every_tracklet_has_an_id_or_nothing_was_checked_nothing_is_said_of_missed_ones():
    for rates, counts in [(error_rates(unknown(1, 1)), (0, 0)), (error_rates([]), (5, 5))]:
        missed = false_negative(rates, *counts)
        assert missed.rate is missed.interval is None


@pytest.mark.parametrize(("first", "second"), [(5, 5), (30, 30), (10, 40), (40, 10)])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_limits_from_two_strata_hold_at_least_as_often_as_they_say(first, second, share):
    total = 1000
    by_first = [error_rates(unknown(k, first - k, images=0)) for k in range(first + 1)]
    by_second = [error_rates(nonant(k, second - k, images=0)) for k in range(second + 1)]
    limits = np.empty((first + 1, second + 1, 2))
    for j, k in product(range(first + 1), range(second + 1)):
        a, b = by_first[j], by_second[k]
        both = Rates(a.wrong_id, a.false_positive, a.any_id_error, a.missed_unknown, b.missed_nonant, 0)
        interval = false_negative(both, round(share * total), total - round(share * total)).interval
        limits[j, k] = interval.low, interval.high
    for p, q in product(SHARES, SHARES):
        truth = share * p + (1 - share) * q
        holds = (limits[..., 0] <= truth + 1e-12) & (truth <= limits[..., 1] + 1e-12)
        chance = np.outer(
            probability_of(np.arange(first + 1), first, p), probability_of(np.arange(second + 1), second, q)
        )
        assert chance[holds].sum() >= 0.95, (p, q)
