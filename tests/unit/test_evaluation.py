"""What held-out tracklets show of a network."""

from __future__ import annotations

import numpy as np

from antrax.training.evaluation import Prediction, doubtful_examples

LABELS = ("BB", "GG", "Unknown")


def prediction(truth: list[int], *rows: tuple[float, float, float]) -> Prediction:
    return Prediction(np.array(rows), np.array(truth))


def test_a_tracklet_that_looks_like_another_label_is_doubtful():
    right = prediction([0, 0], (0.9, 0.1, 0.0), (0.6, 0.4, 0.0))
    wrong = prediction([0, 0, 0], (0.1, 0.9, 0.0), (0.2, 0.8, 0.0), (0.6, 0.4, 0.0))
    origins = [("demo", "trj_id1_ti1_1_tf1_2"), ("other", "trj_id2_ti1_1_tf1_3")]
    (found,) = doubtful_examples([right, wrong], origins, LABELS)
    assert (found.experiment, found.tracklet, found.label, found.looks_like) == ("other", origins[1][1], "BB", "GG")
    assert (found.images, found.probability, found.share) == (3, 0.7, 0.6667)


def test_the_surest_come_first():
    hardly = prediction([0], (0.4, 0.6, 0.0))
    surely = prediction([2], (0.0, 0.95, 0.05))
    origins = [("demo", "first"), ("demo", "second")]
    assert [each.tracklet for each in doubtful_examples([hardly, surely], origins, LABELS)] == ["second", "first"]


def test_a_tracklet_with_two_labels_is_judged_by_that_of_most_images():
    mixed = prediction([0, 0, 2], (0.9, 0.0, 0.1), (0.8, 0.0, 0.2), (0.1, 0.0, 0.9))
    assert doubtful_examples([mixed], [("demo", "mixed")], LABELS) == []
