"""The decision rule: probabilities in, one label out."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from antrax.classification.decision import Rule, decide, pool
from antrax.classification.rotation import merge_views, views
from antrax.labels import Category

LABELS = ("BG", "GB", "NoAnt", "Larva", "Multi", "Unknown")
ANT, NONANT, MULTI, UNKNOWN = Category.ANT, Category.NONANT, Category.MULTI, Category.UNKNOWN
CATEGORIES = (ANT, ANT, NONANT, NONANT, MULTI, UNKNOWN)
PLAIN = Rule(temperature=1.0, exponent=0.0, threshold=0.8)


def images(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32)


SURE_BG = (0.95, 0.01, 0.01, 0.01, 0.01, 0.01)
UNSURE_BG = (0.6, 0.3, 0.0, 0.0, 0.0, 0.1)
LOOKS_UNKNOWN = (0.02, 0.02, 0.02, 0.02, 0.02, 0.9)


def test_a_clear_animal_gets_its_id():
    decision = decide(images(SURE_BG, SURE_BG), LABELS, CATEGORIES, PLAIN)
    assert decision.label == "BG"
    assert decision.confidence == pytest.approx(0.95, abs=0.01)
    assert decision.votes == 2


def test_an_unclear_animal_is_unknown_and_its_best_guess_is_kept():
    decision = decide(images(UNSURE_BG), LABELS, CATEGORIES, PLAIN)
    assert (decision.label, decision.best_label, decision.runner_up) == ("Unknown", "BG", "GB")
    assert (decision.score, decision.best_frame) == (0, 0)


def test_an_id_without_examples_must_be_as_sure_as_is_asked_of_these():
    rule = Rule(temperature=1.0, exponent=0.0, threshold=0.5, unseen=(1,), unseen_threshold=0.9)
    nearly = images((0.1, 0.85, 0.02, 0.01, 0.01, 0.01))
    sure = images((0.01, 0.95, 0.01, 0.01, 0.01, 0.01))
    assert decide(nearly, LABELS, CATEGORIES, rule).label == "Unknown"
    assert decide(sure, LABELS, CATEGORIES, rule).label == "GB"
    assert decide(nearly[:, [1, 0, 2, 3, 4, 5]], LABELS, CATEGORIES, rule).label == "BG"
    never = Rule(temperature=1.0, exponent=0.0, threshold=0.5, unseen=(1,))
    assert decide(images((0.0, 0.99, 0.0, 0.0, 0.0, 0.01)), LABELS, CATEGORIES, never).label == "Unknown"


def test_images_that_look_unknown_speak_against_an_id():
    decision = decide(images(SURE_BG, SURE_BG, LOOKS_UNKNOWN, LOOKS_UNKNOWN), LABELS, CATEGORIES, PLAIN)
    assert decision.label == "Unknown"


def test_one_sure_image_among_many_of_another_animal_does_not_win():
    other = (0.1, 0.85, 0.01, 0.01, 0.01, 0.02)
    assert decide(images(SURE_BG, *[other] * 9), LABELS, CATEGORIES, PLAIN).label != "BG"


def test_length_alone_makes_nothing_surer():
    short, long = (pool(images(*[UNSURE_BG] * n), PLAIN)[0] for n in (2, 500))
    assert short == pytest.approx(long)


def test_the_score_grows_with_the_number_of_informative_images():
    few, many = (decide(images(*[SURE_BG] * n), LABELS, CATEGORIES, PLAIN).score for n in (3, 30))
    assert (few, many) == (pytest.approx(3 * 0.95), pytest.approx(30 * 0.95))


def test_the_best_frame_is_1_based_and_shows_the_id_best():
    surer = (0.99, 0.0, 0.0, 0.0, 0.0, 0.01)
    assert decide(images(SURE_BG, SURE_BG, surer, SURE_BG), LABELS, CATEGORIES, PLAIN).best_frame == 3


def test_the_best_frame_is_one_that_passed_where_there_are_any():
    surer = (0.99, 0.0, 0.0, 0.0, 0.0, 0.01)
    rows = images(SURE_BG, surer, SURE_BG)
    assert decide(rows, LABELS, CATEGORIES, PLAIN, np.array([False, False, True])).best_frame == 3
    assert decide(rows, LABELS, CATEGORIES, PLAIN, np.array([False, False, False])).best_frame == 2
    assert decide(rows, LABELS, CATEGORIES, PLAIN, np.array([True])).best_frame == 2  # not of this tracklet


def test_a_label_that_the_experiment_lacks_is_never_assigned():
    categories = (None, ANT, NONANT, NONANT, MULTI, UNKNOWN)
    decision = decide(images(SURE_BG), LABELS, categories, PLAIN)
    assert (decision.label, decision.best_label) == ("Unknown", "BG")


def test_evidence_for_a_missing_label_does_not_go_to_the_others():
    categories = (None, ANT, NONANT, NONANT, MULTI, UNKNOWN)
    rows = images((0.55, 0.44, 0.0, 0.0, 0.0, 0.01))
    assert decide(rows, LABELS, categories, PLAIN).label == "Unknown"


def test_non_ants_that_share_the_evidence_are_still_non_ants():
    rows = images((0.1, 0.05, 0.42, 0.38, 0.02, 0.03))
    assert decide(rows, LABELS, CATEGORIES, PLAIN).label == "NoAnt"


def test_an_id_is_given_from_the_threshold_on():
    rows = images(SURE_BG, UNSURE_BG)
    confidence = float(pool(rows, PLAIN)[0])
    for threshold, label in ((confidence, "BG"), (np.nextafter(confidence, 1), "Unknown")):
        assert decide(rows, LABELS, CATEGORIES, Rule(1.0, 0.0, threshold)).label == label


def test_a_multi_label_needs_more_than_half():
    assert decide(images((0.0, 0.0, 0.1, 0.0, 0.8, 0.1)), LABELS, CATEGORIES, PLAIN).label == "Multi"
    assert decide(images((0.2, 0.15, 0.1, 0.0, 0.48, 0.07)), LABELS, CATEGORIES, PLAIN).label == "Unknown"
    assert decide(images((0.2, 0.2, 0.1, 0.0, 0.4, 0.1)), LABELS, CATEGORIES, PLAIN).label == "Unknown"


probabilities = (
    st.integers(1, 30)
    .flatmap(lambda n: arrays(np.float64, (n, len(LABELS)), elements=st.floats(0.001, 1)))
    .map(lambda a: a / a.sum(1, keepdims=True))
)


@given(probabilities, st.floats(0.3, 3), st.floats(0, 1), st.floats(0, 1))
def test_whatever_comes_in_one_allowed_label_comes_out(rows, temperature, exponent, threshold):
    categories = (None, ANT, NONANT, NONANT, MULTI, UNKNOWN)
    decision = decide(rows, LABELS, categories, Rule(temperature, exponent, threshold))
    assert decision.label in LABELS[1:]
    assert 0 <= decision.runner_up_confidence <= decision.confidence <= 1 + 1e-9
    assert (decision.score > 0) == (decision.label == "GB") == (decision.best_frame > 0)
    if decision.label == "GB":
        assert decision.confidence >= threshold


@given(probabilities, st.permutations(range(len(LABELS))))
def test_the_order_of_labels_does_not_matter(rows, order):
    straight = decide(rows, LABELS, CATEGORIES, PLAIN)
    assume(straight.confidence - straight.runner_up_confidence >= 1e-9)  # of equal labels either may come first
    shuffled = decide(rows[:, order], tuple(LABELS[i] for i in order), tuple(CATEGORIES[i] for i in order), PLAIN)
    assert (shuffled.label, shuffled.best_frame) == (straight.label, straight.best_frame)


def test_short_tracklets_are_seen_both_ways_long_ones_alternately():
    index, rotated = views(2)
    assert index.tolist() == [0, 0, 1, 1]
    assert rotated.tolist() == [False, True, False, True]
    index, rotated = views(8)
    assert index.tolist() == list(range(8))
    assert rotated.tolist() == [False, True] * 4


def test_pieces_of_a_tracklet_are_seen_as_the_whole_would_be():
    _, whole = views(11)
    pieces = np.concatenate([views(5, 0, 11)[1], views(6, 5, 11)[1]])
    assert pieces.tolist() == whole.tolist()
    assert views(3, rotate=False)[0].tolist() == [0, 1, 2]
    assert not views(11, rotate=False)[1].any()
    assert len(views(3, 8, 11)[0]) == 3  # a short piece of a long tracklet is not seen twice


def test_views_of_an_image_are_averaged_as_probabilities():
    logs = np.log(np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.4, 0.6]], np.float32))
    assert merge_views(logs, 2) == pytest.approx(np.array([[0.7, 0.3], [0.3, 0.7]]))
    assert merge_views(logs, 4) == pytest.approx(np.exp(logs))
