"""The report of the last training, from the record in a classifier."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from antrax.app import schemas
from antrax.app.training_report import describe_training, last_training
from antrax.labels import Labels
from antrax.review.training_set.files import Count

LABELS = ("BB", "GG", "NoAnt")
LISTED = Labels(("GG", "BB"), ("NoAnt",))
RECORD: dict[str, Any] = {
    "time": "2026-11-26T22:45:43+00:00",
    "seconds": 227.7,
    "examples": {
        "files": 60,
        "used": 50,
        "capped": 10,
        "tracklets": 12,
        "held_out_tracklets": 6,
        "images_by_label": {"BB": 20, "GG": 20, "NoAnt": 10},
        "left_out": ["3 exact duplicates: each image is used once"],
        "meanwhile": {"added": 2, "changed": 1, "removed": 0},
    },
    "history": [{"epoch": 1.0, "loss": 0.9}, {"epoch": 2.0, "loss": 0.5, "image_accuracy": 0.8}],
    "doubtful": [
        {
            "experiment": "some.ants",
            "tracklet": "trj_id1_ti1_5_tf1_9",
            "label": "BB",
            "images": 5,
            "looks_like": "GG",
            "probability": 0.9,
            "share": 0.8,
        }
    ],
    "held_out": {
        "image_accuracy": 0.8,
        "tracklet_accuracy": 1.0,
        "confusion_images": [[8, 2, 0], [1, 3, 0], [0, 0, 0]],
        "confusion_tracklets": [[3, 0, 0], [0, 3, 0], [0, 0, 0]],
    },
}


def report(record: dict[str, Any] = RECORD, labels: Labels = LISTED) -> dict[str, Any]:
    training = last_training(LABELS, record)
    assert training
    told = {"report": describe_training(training, labels, {"BB": Count(25, 7), "GG": Count(20, 4)}, "some.ants")}
    answer: dict[str, Any] = schemas.plain_answer(schemas.ROUTES["training"], told)["report"]
    return answer


def test_labels_and_confusion_are_in_the_order_of_the_session():
    found = report()
    assert [row["label"] for row in found["labels"]] == ["GG", "BB", "NoAnt"]
    assert found["confusion"] == [[3, 1, 0], [2, 8, 0], [0, 0, 0]]


def test_each_label_tells_how_well_it_is_recognised_and_what_there_is_of_it_now():
    gg, bb, nothing = report()["labels"]
    assert (gg["right"], gg["confused_with"], gg["confused_share"]) == (0.75, "BB", 0.25)
    assert (bb["right"], bb["held_out_images"], bb["held_out_tracklets"]) == (0.8, 10, 3)
    assert (bb["trained"], bb["examples"], bb["tracklets"]) == (20, 25, 7)
    assert (nothing["right"], nothing["confused_with"], nothing["examples"]) == (None, None, 0)


def test_what_was_left_out_is_told():
    found = report()
    assert (found["files"], found["used"], found["capped"], found["meanwhile"]) == (60, 50, 10, 3)
    assert found["left_out"] == ["3 exact duplicates: each image is used once"]
    assert found["epochs"][1] == {"epoch": 2, "loss": 0.5, "image_accuracy": 0.8, "tracklet_accuracy": None}


def test_doubtful_examples_tell_whether_they_are_of_the_open_experiment():
    (doubtful,) = report()["doubtful"]
    assert (doubtful["label"], doubtful["looks_like"], doubtful["share"], doubtful["own"]) == ("BB", "GG", 0.8, True)
    elsewhere = copy.deepcopy(RECORD)
    elsewhere["doubtful"][0]["experiment"] = "another.ants"
    assert not report(elsewhere)["doubtful"][0]["own"]


def test_a_label_that_is_no_longer_listed_comes_last():
    assert [row["label"] for row in report(labels=Labels(("GG",)))["labels"]] == ["GG", "BB", "NoAnt"]


def test_a_training_without_held_out_tracklets_tells_so():
    found = report(RECORD | {"held_out": None})
    assert (found["image_accuracy"], found["confusion"], found["labels"][0]["right"]) == (None, [], None)


def test_a_record_of_an_earlier_version_lacks_what_was_left_out():
    older = copy.deepcopy(RECORD)
    del older["examples"]["left_out"]
    assert report(older)["left_out"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"time": 7},
        {"seconds": "long"},
        {"examples": None},
        {"history": [{"loss": 1.0}]},
        {"history": "none"},
        {"held_out": RECORD["held_out"] | {"confusion_images": [[1, 2], [3, 4]]}},
        {"held_out": RECORD["held_out"] | {"confusion_images": []}},
        {"doubtful": [{"tracklet": "trj_id1_ti1_5_tf1_9"}]},
        {"held_out": RECORD["held_out"] | {"confusion_tracklets": [[-1, 0, 0]] * 3}},
    ],
)
def test_a_record_that_is_none_of_a_training_is_no_report(change):
    assert last_training(LABELS, RECORD | change) is None


def test_a_classifier_of_antrax_by_matlab_has_no_report():
    assert last_training(LABELS, {"written_by": "anTraX"}) is None
    assert last_training(LABELS, {}) is None


def test_colours_that_are_scored_are_told_with_the_ids_known_by_them_alone():
    assert report()["colors"] is None
    colors = {
        "places": [["B", "G"], ["B", "G"]],
        "ids": 2,
        "without_examples": ["GG"],
        "calibrated_on": 40,
        "threshold": 0.93,
    }
    training = last_training(LABELS, RECORD, colors)
    told = {"report": describe_training(training, LISTED, {}, "some.ants")}
    assert schemas.plain_answer(schemas.ROUTES["training"], told)["report"]["colors"] == colors
