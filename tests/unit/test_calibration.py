"""Calibration and choice of the threshold on held-out tracklets."""

import dataclasses
import json

import numpy as np
import pytest

from antrax.classification.calibration import (
    CAUTIOUS,
    ENOUGH_TRACKLETS,
    Calibration,
    HeldOutTracklet,
    LeftOutCodes,
    UnseenCodes,
    calibrate,
    calibrate_unseen,
    choose_threshold,
    fit_curve,
    fit_rule,
    rule_for,
    why_not_calibrated,
)
from antrax.classification.decision import Rule, pool
from antrax.labels import Category

CATEGORIES = (Category.ANT, Category.ANT, Category.ANT, Category.NONANT)


def made_tracklets(count: int, honesty: float, seed: int = 0) -> list[HeldOutTracklet]:
    """Tracklets of 1 to 40 images whose mean probabilities, to the power of `honesty`, are true chances."""
    rng = np.random.default_rng(seed)
    tracklets = []
    for _ in range(count):
        chances = rng.dirichlet([0.25] * 4)
        truth = int(rng.choice(4, p=chances))
        shown = (chances + 1e-4) ** (1 / honesty)
        tracklets.append(HeldOutTracklet(np.tile(shown / shown.sum(), (int(rng.integers(1, 40)), 1)), truth))
    return tracklets


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.8])
def test_the_temperature_that_made_the_probabilities_is_found(temperature):
    found = calibrate(made_tracklets(2000, 1 / temperature), CATEGORIES)
    assert found.temperature == pytest.approx(temperature, rel=0.15)


def test_repeated_images_are_found_to_be_worth_nothing():
    assert calibrate(made_tracklets(500, 1.0), CATEGORIES).exponent == 0


@pytest.mark.slow
def test_calibrated_confidences_are_true_on_other_tracklets():
    rule = calibrate(made_tracklets(3000, 0.7), CATEGORIES).rule(0.05)
    fresh = made_tracklets(6000, 0.7, seed=1)
    pooled = [pool(tracklet.probabilities, rule) for tracklet in fresh]
    assigned = [
        (p.argmax(), t.truth)
        for p, t in zip(pooled, fresh, strict=True)
        if p.argmax() < 3 and p.max() >= rule.threshold
    ]
    error = np.mean([label != truth for label, truth in assigned])
    assert 0.02 < error < 0.07


def test_only_tracklets_that_look_like_an_id_choose_the_threshold():
    tracklets = [
        HeldOutTracklet(np.array([[0.9, 0.1, 0.0, 0.0]]), 0),
        HeldOutTracklet(np.array([[0.0, 0.1, 0.0, 0.9]]), 0),
    ]
    found = calibrate(tracklets, CATEGORIES)
    assert (len(found.confidences), found.correct, found.tracklets) == (1, (True,), 2)


def test_an_id_on_an_animal_that_people_could_not_tell_counts_as_a_quarter_of_an_error():
    categories = (*CATEGORIES[:3], Category.UNKNOWN)
    found = calibrate([HeldOutTracklet(np.array([[0.9, 0.1, 0.0, 0.0]]), truth) for truth in (0, 1, 3)], categories)
    assert found.correct == (1.0, 0.0, 0.75)


def test_an_id_less_probable_than_not_is_never_assigned():
    assert choose_threshold(np.full(60, 0.3), np.ones(60), 0.5) >= 0.5


def test_a_stricter_error_never_lowers_the_threshold():
    rng = np.random.default_rng(0)
    confidences = rng.uniform(0.3, 1, 200)
    correct = rng.uniform(size=200) < confidences
    thresholds = [choose_threshold(confidences, correct, error) for error in (0.2, 0.1, 0.05, 0.02, 0.01, 0.001)]
    assert thresholds == sorted(thresholds)
    assert thresholds[-1] > thresholds[0]


def test_an_error_that_nothing_reaches_leaves_a_threshold_above_all():
    confidences = np.full(50, 0.6)
    assert choose_threshold(confidences, np.arange(50) % 2 == 0, 0.001) > 0.9


def test_the_curve_of_a_hundred_sure_errors_is_not_sure():
    confidences = np.full(100, 0.99)
    intercept, slope = fit_curve(confidences, np.zeros(100, bool))
    assert 1 / (1 + np.exp(-(intercept + slope * np.log(99)))) < 0.3


def test_too_few_tracklets_or_none_give_the_cautious_rule():
    few = Calibration(1.0, 0.0, (0.99,) * (ENOUGH_TRACKLETS - 1), (True,) * (ENOUGH_TRACKLETS - 1), 40)
    assert rule_for(few, 0.01) == rule_for(None, 0.01) == CAUTIOUS
    enough = Calibration(1.0, 0.0, (0.99,) * ENOUGH_TRACKLETS, (True,) * ENOUGH_TRACKLETS, 40)
    assert isinstance(rule_for(enough, 0.01), Rule)
    assert rule_for(enough, 0.01) != CAUTIOUS


def test_a_calibration_survives_its_file_form():
    found = calibrate(made_tracklets(100, 0.8), CATEGORIES)
    again = Calibration.from_json(found.to_json())
    assert again.rule(0.01).threshold == pytest.approx(found.rule(0.01).threshold, abs=1e-5)


# Outputs 0 and 1 have examples, 2 has none; 3 is no animal.
def left_out(count: int, sure_and_right: float, taken: float, outputs=frozenset({1})) -> LeftOutCodes:
    """Tracklets of output 1, whose examples were left out, a share of them sure and right, another taken for 0."""
    shown = {
        "right": np.array([[0.02, 0.95, 0.02, 0.01]]),
        "wrong": np.array([[0.02, 0.95, 0.02, 0.01]]),
        "taken": np.array([[0.9, 0.05, 0.03, 0.02]]),
    }
    rights, takens = round(count * sure_and_right), round(count * taken)
    tracklets = [HeldOutTracklet(shown["right"], 1)] * rights + [HeldOutTracklet(shown["taken"], 1)] * takens
    tracklets += [HeldOutTracklet(shown["wrong"], 0)] * (count - rights - takens)
    return LeftOutCodes(outputs, tracklets, 1.0)


def with_unseen(network: LeftOutCodes, share: float = 0.5) -> Calibration:
    known = calibrate(made_tracklets(300, 1.0), CATEGORIES)
    return dataclasses.replace(known, unseen=calibrate_unseen([network], CATEGORIES, known, (2,), share))


def test_ids_without_examples_have_a_threshold_of_their_own():
    rule = with_unseen(left_out(200, sure_and_right=0.9, taken=0.0)).rule(0.01)
    assert rule.unseen == (2,)
    assert rule.unseen_threshold > rule.threshold


def test_the_more_often_a_left_out_id_is_wrong_the_surer_one_without_examples_must_be():
    thresholds = [with_unseen(left_out(200, right, 0.0)).rule(0.05).unseen_threshold for right in (1.0, 0.95, 0.8, 0.5)]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] < thresholds[-1]


def test_animals_without_examples_that_are_taken_for_others_make_these_more_careful():
    none = with_unseen(left_out(200, 1.0, 0.0)).rule(0.02).threshold
    some = with_unseen(left_out(200, 0.7, 0.3)).rule(0.02).threshold
    more = with_unseen(left_out(200, 0.7, 0.3), share=2).rule(0.02).threshold
    assert none < some < more


def test_others_that_look_like_a_left_out_id_count_for_as_many_as_there_are():
    network = left_out(200, sure_and_right=0.9, taken=0.0)
    found = with_unseen(dataclasses.replace(network, weight=5.0)).unseen
    assert sum(found.weights) == pytest.approx(200)
    by_right = dict(zip(found.correct, found.weights, strict=True))
    assert by_right[0.0] == pytest.approx(5 * by_right[1.0])


def test_no_id_without_examples_is_given_where_too_little_tells_how_sure_is_sure_enough():
    assert with_unseen(left_out(ENOUGH_TRACKLETS - 1, 1.0, 0.0)).rule(0.05).unseen_threshold == 1
    few = Calibration(1.0, 0.0, (0.99,), (1.0,), 1, unseen=UnseenCodes((2,)))
    assert rule_for(few, 0.05) == dataclasses.replace(CAUTIOUS, unseen=(2,))
    assert CAUTIOUS.unseen_threshold == 1


def test_a_calibration_of_ids_without_examples_survives_its_file_form():
    found = with_unseen(left_out(200, 0.7, 0.2))
    again = Calibration.from_json(json.loads(json.dumps(found.to_json())))
    assert again.rule(0.02).unseen == found.rule(0.02).unseen
    assert again.rule(0.02).unseen_threshold == pytest.approx(found.rule(0.02).unseen_threshold, abs=1e-4)
    assert again.rule(0.02).threshold == pytest.approx(found.rule(0.02).threshold, abs=1e-4)
    for change in ({"weights": [1.0]}, {"confidences": [2.0]}, {"taken_weight": -1}, {"outputs": None}):
        with pytest.raises((ValueError, TypeError)):
            UnseenCodes.from_json(found.unseen.to_json() | change)


@pytest.mark.parametrize(
    "change", [{"temperature": 0}, {"exponent": 7}, {"confidences": [0.5]}, {"temperature": "hot"}, {"correct": None}]
)
def test_a_calibration_that_cannot_be_is_refused(change):
    values = Calibration(1.0, 0.0, (0.5, 0.9), (True, False), 2).to_json() | change
    with pytest.raises((ValueError, TypeError)):
        Calibration.from_json(values)


def test_why_a_classifier_is_not_calibrated_is_told_truly():
    enough = calibrate(made_tracklets(100, 0.8), CATEGORIES)
    assert enough.sufficient
    assert why_not_calibrated(enough) is None
    assert "was never measured" in why_not_calibrated(None)
    few = calibrate(made_tracklets(5, 0.8), CATEGORIES)
    assert f"too few tracklets that it had not seen: {len(few.confidences)} with an ID" in why_not_calibrated(few)
    nameless = why_not_calibrated(dataclasses.replace(enough, independent=False))
    assert "told no tracklet" in nameless
    assert "too few" not in nameless


def test_without_a_prior_the_fits_give_what_the_tracklets_alone_say():
    rng = np.random.default_rng(0)
    # right as often as a logistic curve of intercept -1 and slope 2.5 says, far from the prior of 1.25 and 1.4
    confidences = rng.uniform(0.05, 0.95, 20_000)
    chance = 1 / (1 + np.exp(-(-1 + 2.5 * np.log(confidences / (1 - confidences)))))
    correct = (rng.random(len(chance)) < chance).astype(np.float64)
    assert fit_curve(confidences, correct, prior_weight=0) == pytest.approx((-1, 2.5), abs=0.15)
    few = slice(0, 10)
    assert fit_curve(confidences[few], correct[few]) == pytest.approx((1.25, 1.4), abs=0.8)
    assert fit_rule([], prior_weight=0) == (0.65, 0.0)
