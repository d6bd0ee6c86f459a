"""The report of the last training and what is best done next, of a session with a real classifier."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from antrax.classification.classifier_file import read_classifier
from antrax.io.session import Session
from tests.fixtures.classified import classify_by_truth
from tests.fixtures.trained import Trained
from tests.unit.test_app_server import Page


@pytest.fixture
def session(trained: Trained, tmp_path: Path) -> Session:
    return trained.copy(tmp_path)


@pytest.fixture
def page(session: Session, tmp_path: Path) -> Page:
    return Page(session, tmp_path / "memory")


def test_the_report_gives_the_figures_of_the_classifier(page: Page, session: Session, trained: Trained):
    classifier = read_classifier(trained.classifier)
    record, report = classifier.record, page.ask("/training")["report"]
    assert report["image_accuracy"] == record["held_out"]["image_accuracy"]
    assert report["tracklet_accuracy"] == record["held_out"]["tracklet_accuracy"]
    assert [row["label"] for row in report["labels"]] == list(session.labels.all)
    for row in report["labels"]:
        of_label = record["held_out"]["labels"][row["label"]]
        assert row["held_out_images"] == of_label["images"]
        assert row["held_out_tracklets"] == of_label["tracklets"]
        if of_label["images"]:
            assert row["right"] == pytest.approx(of_label["accuracy"], abs=1e-4)
        assert row["trained"] == row["examples"] == record["examples"]["images_by_label"][row["label"]]
    assert sum(map(sum, report["confusion"])) == record["held_out"]["images"]
    assert [epoch["epoch"] for epoch in report["epochs"]] == [1, 2]
    assert report["used"] == report["files"] == record["examples"]["files"]


def test_after_the_training_comes_classifying_and_then_what_is_known_worst(page: Page, session: Session):
    assert page.ask("/next")["action"] == "classify"
    classify_by_truth(session)
    step = page.ask("/next")
    assert step["action"] in ("look", "check")  # whether a label is weak is for the training to say

    file = session.layout.classifier.classifier()
    os.utime(file, ns=(2**62, 2**62))  # it was trained again since
    step = page.ask("/next")
    assert (step["action"], "older than the classifier" in step["text"]) == ("classify", True)
