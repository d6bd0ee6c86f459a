"""The report of the last training and what is best done next, of a session with a real classifier."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

import pytest

from antrax.app.jobs.manager import Jobs
from antrax.classification.classifier_file import read_classifier
from antrax.errors import JobError
from antrax.io.session import Session
from tests.fixtures.classified import classify_by_truth
from tests.fixtures.trained import Trained
from tests.unit.test_app_server import Page

# Of a machine that is busy with other tests.
PATIENCE_S = 900


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
    wrong = record["held_out"]["tracklets"] * (1 - record["held_out"]["tracklet_accuracy"])
    assert len(report["doubtful"]) == round(wrong)
    assert all(each["own"] and each["label"] != each["looks_like"] for each in report["doubtful"])
    assert report["used"] == report["files"] == record["examples"]["files"]


def test_after_the_training_comes_classifying_and_then_what_is_known_worst(page: Page, session: Session):
    assert page.ask("/next")["action"] == "classify"
    classify_by_truth(session)
    step = page.ask("/next")
    assert step["action"] in ("look", "check")  # whether a label is weak is for the training to say

    file = session.layout.classifier.classifier()
    later = time.time_ns() + 3_600_000_000_000
    os.utime(file, ns=(later, later))  # it was trained again since
    step = page.ask("/next")
    assert (step["action"], "older than the classifier" in step["text"]) == ("classify", True)


def test_other_classifiers_of_the_folder_are_offered_and_classify(session: Session, tmp_path: Path):
    file = session.layout.classifier.classifier()
    shutil.copy(file, file.with_name("second.h5"))
    page = Page(session, tmp_path / "memory")
    before = page.ask("/pulse")["versions"]["classifier"]
    overview = page.ask("/overview")
    assert overview["other_classifiers"] == [{"name": "second"} | overview["classifier"]]

    file.unlink()  # so that only the other one can have done it
    assert page.ask("/overview")["classifier"] is None
    assert page.ask("/pulse")["versions"]["classifier"] != before
    with contextlib.closing(Jobs()) as jobs:
        jobs.start(session, "classify", {"movies": [1], "classifier": "second"})
        ended = time.monotonic() + PATIENCE_S
        while jobs.state(session)["state"] == "running" and time.monotonic() < ended:
            time.sleep(0.05)
        assert jobs.state(session)["state"] == "done", jobs.state(session)
    assert [path.name for path in sorted(session.labels_dir.glob("autoids_*"))] == ["autoids_1.csv"]


@pytest.mark.parametrize("name", ["", "../classifier", "a/b", 7, ["second"]])
def test_a_classifier_is_named_without_a_folder(session: Session, name: object):
    with contextlib.closing(Jobs()) as jobs, pytest.raises(JobError, match="cannot be used as classifier"):
        jobs.start(session, "classify", {"classifier": name})
