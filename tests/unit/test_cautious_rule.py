"""Classifiers without calibration: no more wrong IDs than by anTraX's own rule, and poor networks are called poor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from antrax.classification.calibration import CAUTIOUS, rule_for
from antrax.classification.decision import decide
from antrax.classification.original_rule import original_label
from antrax.labels import Category
from antrax.training.evaluation import Prediction, look_for_signs

LABELS = ("BG", "GB", "NoAnt", "Larva", "Multi", "Unknown")
ANT, NONANT, MULTI, UNKNOWN = Category.ANT, Category.NONANT, Category.MULTI, Category.UNKNOWN
CATEGORIES = (ANT, ANT, NONANT, NONANT, MULTI, UNKNOWN)
BG, GB, NOANT, LARVA, SEVERAL, NOTHING = range(6)


def one(label: int, probability: float) -> list[float]:
    """Probabilities of an image that shows a label, the rest in equal parts."""
    return [probability if index == label else (1 - probability) / 5 for index in range(6)]


@pytest.mark.parametrize(
    ("images", "label"),
    [
        ([one(NOANT, 0.6), one(LARVA, 0.9), one(NOANT, 0.6)], NOANT),  # non-ants alone: the most common
        ([one(SEVERAL, 0.6), one(NOTHING, 0.9)], SEVERAL),  # several animals and no ID
        ([one(BG, 0.99)] * 2 + [one(SEVERAL, 0.6)], SEVERAL),  # more than a quarter show several
        ([one(BG, 0.99)] * 6 + [one(SEVERAL, 0.6)] * 2, BG),  # a quarter
        ([one(NOTHING, 0.5), one(NOTHING, 0.5), one(LARVA, 0.9)], NOTHING),  # no ID: the most common
        ([one(BG, 0.9)] * 5, BG),  # five images of an ID, the largest probability at 0.90
        ([one(BG, 0.89)] * 50, None),
        ([one(BG, 0.98)] * 4, None),  # fewer than five, under 0.99
        ([one(BG, 0.99)] + [one(BG, 0.5)] * 3, BG),
        ([one(GB, 0.95), *[one(BG, 0.5)] * 4], BG),  # the larger sum, though another one was surer once
        ([one(BG, 0.95)] * 5 + [one(NOTHING, 0.99)] * 90, BG),  # images of no ID do not count
    ],
)
def test_the_rule_of_antrax_is_the_one_to_compare_with(images, label):
    assert original_label(np.array(images), CATEGORIES) == label


def sharpened(values: np.ndarray, power: float) -> np.ndarray:
    powers = (values + 1e-9) ** power
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


@given(
    st.integers(1, 40).flatmap(lambda n: arrays(np.float64, (n, 6), elements=st.floats(0, 1))),
    st.floats(0.1, 30),
)
def test_no_id_is_given_that_the_rule_of_antrax_does_not_give(values, power):
    """Whatever the network, then, there are never more wrong IDs."""
    probabilities = sharpened(values, power)
    label = decide(probabilities, LABELS, CATEGORIES, CAUTIOUS).label
    if label in ("BG", "GB"):
        assert LABELS.index(label) == original_label(probabilities, CATEGORIES)


def answers(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Probabilities of a tracklet as a network gives them, and its true label."""
    truth, count = int(rng.integers(6)), int(rng.integers(2, 60))
    shown = np.full(count, truth)
    if kind in ("wrong preprocessing", "one epoch"):
        other = rng.random(count) < (0.5 if kind == "one epoch" else 0.3)
        shown[other] = rng.integers(0, 6, int(other.sum()))
    elif kind == "shuffled labels":
        shown[:] = rng.integers(6)
    logits = rng.normal(0, 0.5, (count, 6))
    # networks that are wrong may be sure of it all the same
    logits[np.arange(count), shown] += {"good": 5.0, "one epoch": 2.0}.get(kind, 6.0)
    powers = np.exp(logits)
    return powers / powers.sum(1, keepdims=True), truth


@pytest.mark.parametrize("kind", ["good", "one epoch", "wrong preprocessing", "shuffled labels"])
def test_wrong_ids_are_at_most_those_of_antrax_and_good_networks_keep_theirs(kind):
    rng = np.random.default_rng(0)
    counts = {"ours": [0, 0], "theirs": [0, 0]}
    for _ in range(400):
        probabilities, truth = answers(kind, rng)
        found = original_label(probabilities, CATEGORIES)
        given_ = {"ours": decide(probabilities, LABELS, CATEGORIES, rule_for(None, 0.01)).label}
        given_["theirs"] = "Unknown" if found is None else LABELS[found]
        for whose, label in given_.items():
            if label in ("BG", "GB"):
                counts[whose][label != LABELS[truth]] += 1
    (right, wrong), (their_right, their_wrong) = counts["ours"], counts["theirs"]
    assert wrong <= their_wrong
    if kind == "good":
        assert right >= 0.9 * their_right > 100
    if kind == "shuffled labels":
        assert their_wrong > 20


def predictions(right: float, agreeing: float, confidence: float, tracklets: int = 40) -> list[Prediction]:
    """Tracklets of ten images, of which a share has the label of most, which is true in a share of the tracklets."""
    made = []
    for number in range(tracklets):
        truth = number % 6
        main = truth if number < right * tracklets else (truth + 1) % 6
        labels = [main if image < 10 * agreeing else (main + 2 + image % 3) % 6 for image in range(10)]
        made.append(Prediction(np.array([one(label, confidence) for label in labels]), np.full(10, truth)))
    return made


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ((1.0, 1.0, 0.95), None),
        ((0.8, 0.9, 0.8), None),
        ((0.5, 1.0, 0.95), "this network is poor (50% of held-out images right)"),
        ((1.0, 0.6, 0.95), "this network is poor (60% of a tracklet's images with the same label)"),
        ((1.0, 1.0, 0.3), "this network is poor (a mean confidence of 0.30)"),
        ((0.2, 0.5, 0.3), "this network is poor (10% of held-out images right, 50% of a tracklet's images with the "),
    ],
)
def test_a_network_that_is_evidently_poor_is_called_so_and_why(network, told):
    found = look_for_signs(predictions(*network), held_out=True)
    assert found is not None
    poor = found.what_is_poor()
    assert (poor or "").startswith(told or "")
    assert (poor is None) == (told is None)
    assert found.to_json()["poor"] == (told is not None)


def test_accuracy_on_its_own_training_images_counts_where_none_were_held_out():
    found = look_for_signs(predictions(0.5, 1.0, 0.95), held_out=False)
    assert found is not None
    assert "50% of its own training images right" in (found.what_is_poor() or "")


def test_single_images_say_nothing_of_agreement_and_no_images_nothing_at_all():
    alone = [Prediction(np.array([one(BG, 0.95)]), np.array([BG]))] * 5
    found = look_for_signs(alone, held_out=True)
    assert found is not None
    assert np.isnan(found.agreement)
    assert found.what_is_poor() is None
    assert look_for_signs([], held_out=True) is None
