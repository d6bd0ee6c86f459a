"""How far labels can be trusted, estimated from those that the rest confirms or contradicts."""

import dataclasses

import numpy as np
import pytest

from antrax.solving.reliability import Reliability
from tests.unit.solving.test_joint import draw, solve

IDS = ("A", "B", "C", "D")


def labels_of(count, confidence, ids=4):
    """Labels of the animals 0, 1, 2, 3, 0, …, of this confidence each."""
    probability = np.full((count, ids), (1 - confidence) / (ids - 1), np.float32)
    probability[np.arange(count), np.arange(count) % ids] = confidence
    return Reliability(probability), np.arange(count) % ids


def mean_of_draws(labels, animal, draws=400):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        labels.draw(np.arange(len(animal)), animal, rng)
        found.append((labels.error, np.log2(labels.power)))
    return np.mean(found[draws // 4 :], axis=0)


def test_a_careful_classifier_whose_labels_are_all_right_is_trusted_more():
    error, power = mean_of_draws(*labels_of(100, 0.8))
    assert power > 0.7
    assert error < 0.03


def test_a_classifier_that_is_as_sure_as_it_should_be_stays_as_it_is():
    labels, animal = labels_of(200, 0.8)
    animal = np.where(np.arange(200) % 5 == 0, (animal + 1 + np.arange(200) // 5 % 3) % 4, animal)
    _, power = mean_of_draws(labels, animal)
    assert abs(power) < 0.5


def test_labels_that_are_certain_and_wrong_make_all_labels_count_less():
    labels, animal = labels_of(100, 1.0)
    animal[:10] = (animal[:10] + 1) % 4
    error, _ = mean_of_draws(labels, animal)
    # A wrong label gives an animal at random, which is the right one now and then.
    assert error == pytest.approx(10 / 100 * 4 / 3 * 100 / 131, abs=0.03)
    labels.error = error
    right, other = labels.log_likelihood(labels.error)[0, [0, 1]]
    assert right - other == pytest.approx(np.log(4 * (1 - error) / error + 1), abs=1e-3)


def test_labels_of_which_nothing_is_known_tell_nothing():
    labels, animal = labels_of(100, 0.8)
    _, power = mean_of_draws(labels, animal[:0])
    assert abs(power) < 0.3


def confidence_of(value):
    def change(evidence):
        probability = np.full_like(evidence.probability, 1 / len(IDS))
        labelled = np.flatnonzero(evidence.label >= 0)
        probability[labelled] = (1 - value) / (len(IDS) - 1)
        probability[labelled, evidence.label[labelled]] = value
        return dataclasses.replace(evidence, probability=probability)

    return change


@pytest.mark.parametrize(("agreeing", "sure"), [(20, True), (0, False)])
def test_one_label_that_nothing_confirms_is_trusted_where_others_confirm_one_another(agreeing, sure):
    graph = draw(agreeing + 1, animals=4)
    labels = {f"x{number}_{animal}": IDS[animal] for number in range(agreeing) for animal in range(4)}
    solution = solve(graph, IDS, labels | {f"x{agreeing}_0": "A"}, confidence_of(0.8))
    row = graph.row[f"x{agreeing}_0"]
    assert (solution.probability[row, 0] > 0.93) == sure
