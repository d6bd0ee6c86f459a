"""The app's questions and answers, spoken to in process: no browser, no network."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from antrax.app.jobs.manager import Jobs
from antrax.app.openable_experiments import OpenableExperiments
from antrax.app.server import make_app
from antrax.classification.calibration import Calibration
from antrax.classification.classifier_file import read_classifier, write_classifier
from antrax.demo import DemoExperiment
from antrax.io.examples import list_examples
from antrax.io.layout import SESSION_MARK
from antrax.io.renaming import unfinished_renaming
from antrax.io.session import Session, open_session
from antrax.io.stacks import open_stack, write_stacks
from antrax.review.renaming import rename_label
from tests.fixtures.classified import classify_by_truth, true_labels
from tests.fixtures.numpy_source import tracks


@pytest.fixture
def session(small_demo: DemoExperiment, tmp_path: Path) -> Session:
    """A demo of its own, without examples."""
    experiment = tmp_path / "data" / "some.ants"
    shutil.copytree(small_demo.directory, experiment, ignore=shutil.ignore_patterns("classifier"))
    return open_session(experiment)


class Page:
    """Asks the server what the page would."""

    def __init__(self, session: Session, memory: Path) -> None:
        jobs = Jobs()
        self.app = make_app(OpenableExperiments([session.experiment], None, memory), jobs, memory)
        self.client = TestClient(self.app)
        places = self.client.get("/api/places").json()
        self.base = f"/api/s/{places['start']['place']}/{places['start']['session']}"

    def ask(self, path: str, status: int = 200, **params):
        answer = self.client.get(self.base + path, params=params)
        assert answer.status_code == status, answer.text
        return answer.json() if "json" in answer.headers["content-type"] else answer.content

    def tell(self, path: str, status: int = 200, **body):
        answer = self.client.post(self.base + path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def names(self, **view) -> list[str]:
        count = self.ask("/view", **view)["count"]
        return [self.ask("/tracklet", i=i, **view)["tracklet"] for i in range(count)]


@pytest.fixture
def page(session: Session, tmp_path: Path) -> Iterator[Page]:
    page = Page(session, tmp_path / "memory")
    with page.client:  # one event loop for all questions of a test
        yield page


def first_with(session: Session, label: str) -> str:
    return next(name for name, true in true_labels(session).items() if true == label)


def an_id(session: Session) -> tuple[str, str]:
    """A tracklet that shows an ant, and its ID."""
    ants = session.labels.ants
    return next((name, true) for name, true in true_labels(session).items() if true in ants)


def decode(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


# ---- what is shown


def test_the_page_itself_is_served(page):
    answer = page.client.get("/")
    assert answer.status_code == 200
    assert re.search(r"<title>.*antrax", answer.text)
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)
    assert {"/static/js/main.js", "/static/js/theme.js", "/static/style.css"} <= set(files)
    assert {file: page.client.get(file).status_code for file in files} == dict.fromkeys(files, 200)


def test_the_overview_tells_movies_and_labels(page, session):
    overview = page.ask("/overview")
    assert overview["experiment"] == "some.ants"
    assert [movie["movie"] for movie in overview["movies"]] == [1, 2]
    shown = {kind["category"]: kind["labels"] for kind in overview["categories"]}
    assert tuple(shown["ant"]) == session.labels.ants
    assert "Unknown" in shown["unknown"]
    assert not overview["classified"]


def test_every_tracklet_of_a_movie_comes_up_once(page, session):
    expected = {name for name in true_labels(session) if "_ti1_" in name}
    for order in ("random", "useful", "longest", "time"):
        names = page.names(movie="1", order=order)
        assert len(names) == len(set(names))
        assert set(names) == expected


def test_another_seed_is_another_order_and_the_same_seed_the_same(page):
    assert page.names(movie="1", seed=1) == page.names(movie="1", seed=1)
    assert page.names(movie="1", seed=1) != page.names(movie="1", seed=2)


def test_a_tracklet_is_described(page, session):
    name = page.names(movie="2", order="time")[0]
    info = page.ask("/tracklet", movie="2", order="time", i=0)
    with open_stack(session.stacks[2][0]) as stack:
        assert info["images"] == stack.count(name)
        assert info["size"] == stack.size(name)
    assert (info["movie"], info["label"], info["examples"]) == (2, None, {})
    assert info["absolute_first"] == session.absolute_frame(2, info["first"])


def test_sheets_show_the_images_of_the_stack(page, session):
    name = max(true_labels(session), key=lambda name: page.ask("/tracklet", name=name)["images"])
    info = page.ask("/tracklet", name=name)
    sheet = decode(page.ask("/sheet", tracklet=name, start=0, stamp=info["stamp"]))
    size = info["size"]
    with open_stack(session.stacks[info["movie"]][0]) as stack:
        images = stack.read(name)
    for index, image in enumerate(images[:16]):
        np.testing.assert_array_equal(sheet[:size, index * size : (index + 1) * size, :3], image)


def test_a_position_beyond_the_last_is_refused_with_a_sentence(page):
    assert "no tracklet 10000" in page.ask("/tracklet", status=404, movie="1", i=9999)["error"]


def test_tracklets_that_are_labelled_already_can_be_left_out_and_come_last(page, session):
    name, label = an_id(session)
    page.tell("/export", tracklet=name, frames=[0], label=label, client="a")
    assert name not in page.names(label="=new")
    assert len(page.names(label="=new")) == len(true_labels(session)) - 1
    classify_by_truth(session)
    assert page.names(order="useful")[-1] == name


def test_an_empty_filter_has_no_tracklets(page):
    assert page.ask("/view", movie="1", label="=ids")["count"] == 0


def test_a_stack_that_is_damaged_is_told_and_the_rest_goes_on(page, session):
    name = page.names(movie="1", order="time")[0]
    session.stacks[1][0].write_bytes(b"no longer a stack")
    assert "images_1.mat" in page.ask("/view", status=400, movie="1", order="time", seed=5)["error"]
    assert page.ask("/view", movie="2")["count"] > 0
    assert "images_1.mat" in page.ask("/sheet", status=400, tracklet=name, start=0)["error"]


# ---- labelling


def test_exporting_writes_every_image_and_says_so(page, session):
    name, label = an_id(session)
    info = page.ask("/tracklet", name=name)
    told = page.tell("/export", tracklet=name, frames=None, label=label, client="a")
    assert told["added"] == info["images"]
    assert label in told["message"]
    files = list_examples(session.classifier_dir / "examples")
    assert len(files) == info["images"]
    assert {(file.label, file.tracklet, file.experiment) for file in files} == {(label, name, "some.ants")}
    again = page.ask("/tracklet", name=name)
    assert again["examples"] == {label: info["images"]}
    assert again["frame_labels"] == {label: list(range(info["images"]))}


def test_chosen_frames_are_exported_alone(page, session):
    name = max(true_labels(session), key=lambda name: page.ask("/tracklet", name=name)["images"])
    told = page.tell("/export", tracklet=name, frames=[2, 0], label="Unknown", client="a")
    assert told["added"] == 2
    assert told["frame_labels"] == {"Unknown": [0, 2]}


def test_of_a_long_tracklet_at_most_so_many_images_are_exported_and_that_is_said(page, session):
    name, label = max(
        (pair for pair in true_labels(session).items() if pair[1] in session.labels.ants),
        key=lambda pair: page.ask("/tracklet", name=pair[0])["images"],
    )
    images = page.ask("/tracklet", name=name)["images"]
    assert images > 4
    told = page.tell("/export", tracklet=name, label=label, client="a", most=3)
    assert told["added"] == 3
    assert f"(3 of {images}, spread over the tracklet)" in told["message"]
    frames = told["frame_labels"][label]
    assert len(frames) == 3 and max(np.diff(frames)) <= -(-images // 3)
    # of those that a person chose
    told = page.tell("/export", tracklet=name, frames=[0, 1, 2, 3], label="Unknown", client="a", most=2)
    assert len(told["frame_labels"]["Unknown"]) == 2
    assert page.tell("/export", 400, tracklet=name, label=label, client="a", most=0)["error"]


def test_undo_takes_the_last_export_back(page, session):
    name, label = an_id(session)
    page.tell("/export", tracklet=name, frames=[0], label=label, client="a")
    assert page.tell("/undo", client="a")["tracklet"] == name
    assert list_examples(session.classifier_dir / "examples") == []
    assert "nothing" in page.tell("/undo", status=400, client="a")["error"]


def test_one_tab_does_not_undo_what_another_did(page, session):
    name, label = an_id(session)
    page.tell("/export", tracklet=name, frames=[0], label=label, client="a")
    page.tell("/undo", status=400, client="b")
    assert len(list_examples(session.classifier_dir / "examples")) == 1


def test_another_tab_sees_an_export_at_its_next_tracklet(page, session, tmp_path):
    other = Page(session, tmp_path / "other")
    name, label = an_id(session)
    before = other.ask("/tracklet", name=name)
    page.tell("/export", tracklet=name, frames=[0], label=label, client="a")
    after = other.ask("/tracklet", name=name)
    assert after["examples"] == {label: 1}
    assert after["versions"]["examples"] != before["versions"]["examples"]


def test_tabs_that_export_at_once_lose_nothing_and_write_nothing_twice(page, session):
    name, label = an_id(session)
    images = page.ask("/tracklet", name=name)["images"]
    answers = []

    def export(client: str) -> None:
        answers.append(page.tell("/export", tracklet=name, frames=None, label=label, client=client))

    threads = [threading.Thread(target=export, args=(client,)) for client in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(answer["added"] for answer in answers) == images
    assert sum(answer["present"] for answer in answers) == 3 * images
    assert len(list_examples(session.classifier_dir / "examples")) == images


@pytest.mark.parametrize("label", ["", "..", "../../x", "/etc", "nobody", "A/B", "=trash"])
def test_a_label_that_is_none_is_refused_and_nothing_is_written(page, session, label):
    before = sorted(session.experiment.rglob("*"))
    name, _ = an_id(session)
    assert page.tell("/export", status=400, tracklet=name, frames=None, label=label, client="a")["error"]
    after = [path for path in sorted(session.experiment.rglob("*")) if path not in before and path.suffix != ".lock"]
    assert [path for path in after if path.is_file()] == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "trj_id1_ti99_1_tf99_2", "trj_id9_ti1_5_tf1_5 ", "/"])
def test_a_tracklet_that_is_none_is_refused(page, name):
    for path in ("/sheet", "/tracklet"):
        answer = page.client.get(page.base + path, params={"tracklet": name, "name": name or "x", "start": 0})
        assert answer.status_code == 400
        assert answer.json()["error"]


@pytest.mark.parametrize("frames", [[], [-1], [10**6], ["0"], [True], "all", [0.5]])
def test_frames_that_are_none_are_refused(page, session, frames):
    name, label = an_id(session)
    assert page.tell("/export", status=400, tracklet=name, frames=frames, label=label, client="a")["error"]


def test_the_gallery_shows_the_images_that_it_names(page, session):
    name, label = an_id(session)
    page.tell("/export", tracklet=name, frames=None, label=label, client="a")
    gallery = page.ask("/gallery", label=label)
    assert {item["tracklet"] for item in gallery["items"]} == {name}
    sheet = decode(page.ask("/gallery/sheet", label=label, start=0, cell=gallery["cell"], version=gallery["version"]))
    file = session.classifier_dir / "examples" / label / gallery["items"][0]["name"]
    shown, stored = sheet[: gallery["cell"], : gallery["cell"]], decode(file.read_bytes())
    visible = shown[..., 3] == 255
    np.testing.assert_array_equal(shown[visible][:, :3], stored[visible])
    assert (stored[~visible] == 255).all()


def test_a_gallery_that_is_out_of_date_is_not_shown_beside_wrong_names(page, session):
    name, label = an_id(session)
    page.tell("/export", tracklet=name, frames=[0], label=label, client="a")
    gallery = page.ask("/gallery", label=label)
    page.tell("/export", tracklet=name, frames=None, label="Unknown", client="b")
    stale = {"label": label, "start": 0, "cell": gallery["cell"], "version": gallery["version"]}
    page.ask("/gallery/sheet", status=409, **stale)


def test_examples_can_be_moved_and_trashed_and_brought_back(page, session):
    name, label = an_id(session)
    page.tell("/export", tracklet=name, frames=None, label=label, client="a")
    count = page.ask("/tracklet", name=name)["examples"][label]
    file = page.ask("/gallery", label=label)["items"][0]["name"]
    page.tell("/move", label=label, names=[file], to="Unknown", client="a")
    assert page.ask("/tracklet", name=name)["examples"] == (
        {label: count - 1, "Unknown": 1} if count > 1 else {"Unknown": 1}
    )
    page.tell("/move", label="Unknown", names=[file], to=None, client="a")
    assert "Unknown" not in page.ask("/tracklet", name=name)["examples"]
    assert (session.classifier_dir / "trash" / "Unknown" / file).is_file()
    page.tell("/undo", client="a")
    page.tell("/undo", client="a")
    assert page.ask("/tracklet", name=name)["examples"] == {label: count}


def test_the_training_set_tells_what_is_missing(page, session):
    name, label = an_id(session)
    page.tell("/export", tracklet=name, frames=None, label=label, client="a")
    told = page.ask("/trainset")
    assert told["tracklets"] == 1
    assert set(told["without"]) == set(session.labels.all) - {label, "Unknown"}


# ---- labels


def test_labels_are_written_in_their_order(page, session):
    before = session.labels.ants
    told = page.ask("/labels")
    rows = [{"label": row["label"], "category": row["category"]} for row in told["rows"]]
    rows.insert(0, {"label": "New1", "category": "ant"})
    page.tell("/labels/edit", rows=rows, digest=told["digest"])
    assert open_session(session.experiment).labels.ants == ("New1", *before)
    assert page.ask("/overview")["categories"][0]["labels"][0] == "New1"


def test_labels_that_somebody_else_changed_are_not_overwritten(page, session):
    told = page.ask("/labels")
    path = session.path / "parameters" / "labels.csv"
    path.write_text(path.read_text() + "Larva\tnoant_labels\n")
    rows = [{"label": row["label"], "category": row["category"]} for row in told["rows"]]
    page.tell("/labels/edit", status=409, rows=rows, digest=told["digest"])
    assert "Larva" in open_session(session.experiment).labels.nonants


def test_a_session_without_labels_gets_them(page, session):
    (session.path / "parameters" / "labels.csv").unlink()
    overview = page.ask("/overview")
    assert not overview["has_labels_file"]
    told = page.ask("/labels")
    assert ([row["label"] for row in told["rows"]], told["digest"]) == (["Unknown"], None)
    page.tell("/labels/edit", rows=[{"label": "AB", "category": "ant"}], digest=None)
    # labels.csv is written with at least one label that is no ant, without which anTraX fails
    assert open_session(session.experiment).labels.all == ("AB", "NoAnt", "Unknown")


def test_a_label_is_renamed_and_everything_follows(page, session):
    given = classify_by_truth(session)
    name, label = next((name, label) for name, label in given.items() if label in session.labels.ants)
    page.tell("/export", tracklet=name, label=label, client="me")
    before = page.ask("/pulse")["versions"]
    answer = page.tell("/labels/rename", label=label, new="Queen")
    assert answer["message"].startswith(f"{label} is called Queen now, in ")
    assert answer["new"] == "Queen"
    changed = {part for part, version in answer["versions"].items() if version != before[part]}
    assert changed == {"assignments", "examples", "labels"}
    info = page.ask("/tracklet", name=name)
    assert (info["label"], list(info["examples"])) == ("Queen", ["Queen"])
    assert "Queen" in page.ask("/overview")["categories"][0]["labels"]
    refused = page.tell("/labels/rename", status=400, label="Queen", new="Multi")
    assert "stand for several ants" in refused["error"]


def test_exports_from_before_a_renaming_are_undone_under_the_new_name(page, session):
    given = classify_by_truth(session)
    name = next(iter(given))
    first, second = session.labels.ants[:2]
    page.tell("/export", tracklet=name, label=first, client="me")
    page.tell("/export", tracklet=name, label=second, client="me")  # moves them
    page.tell("/labels/rename", label=first, new="Queen")
    assert "brought back" in page.tell("/undo", client="me")["message"]
    assert list(page.ask("/tracklet", name=name)["examples"]) == ["Queen"]
    assert "taken out of Queen again" in page.tell("/undo", client="me")["message"]
    examples = session.layout.classifier.examples
    assert [path.name for path in examples.iterdir()] == []


def test_a_renaming_that_was_broken_off_is_ended_when_the_session_is_opened(page, session, monkeypatch):
    given = classify_by_truth(session)
    label = next(label for label in given.values() if label in session.labels.ants)
    with monkeypatch.context() as patched:
        patched.setattr("antrax.review.renaming.rename_listed_label", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rename_label(session, label, "Queen")
    assert label in session.labels.all
    assert page.ask("/overview")["warnings"] == []
    assert "Queen" in session.labels.all
    assert unfinished_renaming(session) is None


def test_a_renaming_that_cannot_be_ended_is_told(page, session):
    session.layout.renaming.parent.mkdir(exist_ok=True)
    session.layout.renaming.write_text("{")
    assert "delete this file" in "".join(page.ask("/overview")["warnings"])


# ---- validation


@pytest.fixture
def classified(session: Session) -> dict[str, str]:
    return classify_by_truth(session)


def test_labels_and_confidences_are_shown(page, session, classified):
    for name in list(classified)[:10]:
        info = page.ask("/tracklet", name=name)
        assert info["label"] == classified[name]
        assert 0.5 < info["confidence"] <= 1
        assert info["strip"]["labels"][0] == classified[name]
        assert len(info["strip"]["values"][0]) == info["images"]


def test_images_that_were_not_looked_at_are_told(page, session):
    given = classify_by_truth(session, looked_at=3)
    for name in list(given)[:10]:
        info = page.ask("/tracklet", name=name)
        strip, images = info["strip"], info["images"]
        assert strip["looked_at"] == len(range(0, images, 3))
        for values in strip["values"]:
            assert [value is None for value in values] == [image % 3 > 0 for image in range(images)]
        assert strip["values"][0][0] == pytest.approx(100 * info["confidence"], abs=1)


def test_filters_by_label_let_only_that_label_pass(page, session, classified):
    for label in (an_id(session)[1], "Unknown"):
        names = page.names(label=label)
        assert set(names) == {name for name, given in classified.items() if given == label}
    assert page.ask("/view", label="=unclassified")["count"] == 0
    ids = set(session.labels.ants)
    assert set(page.names(label="=ids")) == {name for name, given in classified.items() if given in ids}


def test_labels_are_counted_in_all_movies_or_in_one(page, session, classified):
    assert page.ask("/counts")["total"] == len(classified)
    in_one = [label for name, label in classified.items() if "_ti1_" in name]
    assert page.ask("/counts", movie="1")["labels"] == dict(Counter(in_one))


def test_of_several_ants_it_is_asked_whether_they_are_one(page, session, classified):
    name = first_with(session, "Multi")
    titles = [verdict["title"] for verdict in page.ask("/tracklet", name=name)["verdicts"]]
    assert titles == ["Not a single ant", "Is a single ant"]


def test_a_mark_is_kept_over_a_restart_and_counted(page, session, classified, tmp_path):
    name, label = an_id(session)
    verdicts = page.ask("/tracklet", name=name)["verdicts"]
    assert [verdict["title"] for verdict in verdicts] == ["Correct", "Wrong", "Should not have an ID"]
    page.tell("/mark", tracklet=name, label=label, verdict="correct", true_label="", met="random", who="Ann")
    again = Page(session, tmp_path / "again")
    mark = again.ask("/tracklet", name=name)["mark"]
    assert (mark["verdict"], mark["who"]) == ("correct", "Ann")
    rates = again.ask("/rates")
    assert rates["checked"] == 1
    wrong = next(row for row in rates["rows"] if row["key"] == "wrong_id")
    assert (wrong["errors"], wrong["checked"], wrong["rate"]) == (0, 1, 0.0)
    assert wrong["high"] == pytest.approx(0.975)
    assert rates["more_checks"] == 298


def test_a_mark_can_be_taken_back(page, session, classified):
    name, label = an_id(session)
    page.tell("/mark", tracklet=name, label=label, verdict="wrong", true_label="", met="random", who="")
    page.tell("/mark", tracklet=name, label=label, verdict=None, true_label="", met="random", who="")
    assert page.ask("/tracklet", name=name)["mark"] is None
    assert page.ask("/rates")["checked"] == 0


def test_marks_fit_the_kind_of_label(page, session, classified):
    name = first_with(session, "Unknown")
    titles = [verdict["title"] for verdict in page.ask("/tracklet", name=name)["verdicts"]]
    assert titles == ["Rightly unknown", "Identifiable", "Not a single ant"]
    page.tell(
        "/mark", status=400, tracklet=name, label="Unknown", verdict="correct", true_label="", met="random", who=""
    )


def test_a_mark_on_a_label_that_is_another_by_now_is_refused(page, session, classified):
    name, label = an_id(session)
    other = next(ant for ant in session.labels.ants if ant != label)
    classify_by_truth(session, {name: other})
    page.tell("/mark", status=409, tracklet=name, label=label, verdict="correct", true_label="", met="", who="Ann")
    assert page.ask("/rates")["checked"] == 0


def test_marks_of_an_old_classification_are_history_and_re_scored(page, session, classified):
    name, label = an_id(session)
    page.tell("/mark", tracklet=name, label=label, verdict="correct", true_label="", met="random", who="Ann")
    other = next(ant for ant in session.labels.ants if ant != label)
    classify_by_truth(session, {name: other})
    info = page.ask("/tracklet", name=name)
    assert info["label"] == other
    assert info["mark"] is None
    assert [(old["verdict"], old["current"]) for old in info["history"]] == [("correct", False)]
    rates = page.ask("/rates")
    wrong = next(row for row in rates["rows"] if row["key"] == "wrong_id")
    assert (wrong["errors"], wrong["checked"], rates["rescored"]) == (1, 1, 1)


def test_the_assignment_rate_is_counted_over_all_tracklets(page, session, classified):
    rate = page.ask("/rates")["assignment"]["tracklets"]
    ids = sum(label in session.labels.ants for label in classified.values())
    assert (rate["k"], rate["n"]) == (ids, len(classified))


def test_an_unclassified_tracklet_cannot_be_marked(page, session):
    name, label = an_id(session)
    page.tell("/mark", status=400, tracklet=name, label=label, verdict="correct", true_label="", met="random", who="")


# ---- what changes while the page is open


def test_a_stack_that_comes_is_noticed(page, session):
    before = page.ask("/pulse")["versions"]
    assert page.ask("/pulse")["versions"] == before
    (path,) = session.stacks[1]
    shutil.copy(path, path.with_name("images_7.mat"))
    assert page.ask("/pulse")["versions"]["catalog"] != before["catalog"]
    assert [movie["movie"] for movie in page.ask("/overview")["movies"]] == [1, 2, 7]


def test_a_classifier_that_comes_is_noticed_and_what_it_knows_of_its_errors(page, session, trained):
    overview = page.ask("/overview")
    assert overview["classifier"] is None
    file = session.layout.classifier.classifier()
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"no classifier")
    spoilt = page.ask("/overview")
    assert spoilt["versions"]["classifier"] != overview["versions"]["classifier"]
    assert spoilt["classifier"]["calibrated"] is False
    assert "classifier.h5" in spoilt["classifier"]["why"]
    classifier = read_classifier(trained.classifier)
    calibration = classifier.calibration
    assert calibration is not None
    for calibrated, why in ((calibration, None), (few(calibration), "too few tracklets"), (None, "never measured")):
        write_classifier(dataclasses.replace(classifier, calibration=calibrated), file)
        told = page.ask("/overview")["classifier"]
        assert told["calibrated"] is (why is None)
        assert told["why"] is None if why is None else why in told["why"]
        assert told["poor"] is False
    write_classifier(dataclasses.replace(classifier, record={"quality": {"poor": True}}), file)
    assert page.ask("/overview")["classifier"]["poor"] is True


def few(calibration: Calibration) -> Calibration:
    """A calibration on a handful of tracklets."""
    return dataclasses.replace(calibration, confidences=calibration.confidences[:5], correct=calibration.correct[:5])


def test_a_tracklet_has_a_length_in_seconds_where_the_table_of_movies_tells(page, session):
    info = page.ask("/tracklet", i=0)
    fps = session.movies[info["movie"]].fps
    assert info["seconds"] == pytest.approx((info["last"] - info["first"] + 1) / fps)
    session.layout.movies_file.unlink()
    assert page.ask("/tracklet", i=0)["seconds"] is None


def test_nothing_to_undo_is_told_by_a_code_and_not_by_a_sentence(page):
    assert page.tell("/undo", status=400, client="a")["code"] == "nothing-to-undo"


# ---- what must not bring the app down


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(page, body):
    answer = page.client.post(page.base + "/export", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/sheet", {"tracklet": "x", "start": 7}),
        ("/view", {"order": "alphabetical"}),
        ("/view", {"seed": "1e400"}),
        ("/tracklet", {"i": "one"}),
        ("/gallery", {}),
        ("/gallery/sheet", {"label": "AB", "cell": 10**9, "version": 0}),
    ],
)
def test_unfit_parameters_are_refused_with_a_sentence(page, path, params):
    assert page.ask(path, status=400, **params)["error"]


def test_sessions_and_places_that_were_not_offered_cannot_be_opened(page):
    place, session = page.base.split("/")[-2:]
    for base in (f"/api/s/{place}/other", f"/api/s/nowhere/{session}", f"/api/s/{place}/..", "/api/s/%2Fetc/session"):
        answer = page.client.get(base + "/overview")
        assert answer.status_code in (400, 404)
        assert "error" in answer.json()


def test_a_damaged_number_in_the_results_is_told_and_the_tracklet_shown(page, session, classified):
    name = next(iter(classified))
    movie = page.ask("/tracklet", name=name)["movie"]
    for kind, column in (("autoids", 2), ("confidence", 2)):
        path = session.labels_dir / f"{kind}_{movie}.csv"
        before = path.read_text()
        for bad in ("nan", "inf"):
            rows = [line.split(",") for line in before.splitlines()]
            rows[1][column] = bad
            path.write_text("\n".join(",".join(row) for row in rows) + "\n")
            info = page.ask("/tracklet", name=name)
            assert info["images"] > 0
            assert bad in info["problem"]
        path.write_text(before)
    assert page.ask("/tracklet", name=name)["label"] == classified[name]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are always text here")
def test_names_that_are_no_text_come_back_as_they_are(page, session):
    name, label = an_id(session)
    page.tell("/export", tracklet=name, frames=[0], label=label, client="a")
    folder = session.classifier_dir / "examples" / label
    (file,) = folder.iterdir()
    odd = os.fsdecode(b"caf\xe9.") + file.name
    file.rename(folder / odd)
    (folder.parent / os.fsdecode(b"\xe9")).mkdir()
    (folder.parent / os.fsdecode(b"\xe9") / "x.png").write_bytes((folder / odd).read_bytes())
    assert os.fsdecode(b"\xe9") in [row["label"] for row in page.ask("/trainset")["labels"]]
    (item,) = page.ask("/gallery", label=label)["items"]
    assert item["name"] == odd
    body = json.dumps({"label": label, "names": [odd], "to": None, "client": "a"})
    assert page.client.post(page.base + "/move", content=body).status_code == 200
    assert (session.classifier_dir / "trash" / label / odd).is_file()


def test_a_pipe_among_the_examples_is_not_waited_for(page, session):
    name, label = an_id(session)
    page.tell("/export", tracklet=name, frames=[0], label=label, client="a")
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    os.mkfifo(session.classifier_dir / "examples" / label / "pipe.png")
    assert page.ask("/gallery", label=label)["total"] == 1


def test_cells_of_a_gallery_stay_small_whatever_lies_there(page, session):
    name, label = an_id(session)
    page.tell("/export", tracklet=name, frames=[0], label=label, client="a")
    Image.new("RGB", (1000, 1000)).save(session.classifier_dir / "examples" / label / "large.png")
    gallery = page.ask("/gallery", label=label)
    assert gallery["cell"] == 256
    page.ask("/gallery/sheet", label=label, start=0, cell=256, version=gallery["version"])
    page.ask("/gallery/sheet", 400, label=label, start=0, cell=257, version=gallery["version"])


def test_labels_that_cannot_be_read_do_not_keep_anybody_from_looking(page, session):
    path = session.path / "parameters" / "labels.csv"
    path.unlink()
    path.mkdir()
    assert page.ask("/tracklet", i=0)["images"] > 0
    assert "cannot be read" in page.ask("/overview")["labels_problem"]
    page.ask("/pulse")
    assert "cannot be read" in page.ask("/labels", 400)["error"]


def test_images_that_were_replaced_since_they_were_shown_are_not_exported(page, session):
    name, label = an_id(session)
    info = page.ask("/tracklet", name=name)
    (path,) = session.stacks[info["movie"]]
    os.utime(path, ns=(1, 10**18))
    refused = page.tell("/export", 409, tracklet=name, frames=None, label=label, client="a", stamp=info["stamp"])
    assert "replaced" in refused["error"]
    assert not (session.classifier_dir / "examples").exists()
    question = {"tracklet": name, "start": 0}
    old = page.client.get(page.base + "/sheet", params=question | {"stamp": info["stamp"]})
    assert old.headers["cache-control"] == "no-store"
    stamp = page.ask("/tracklet", name=name)["stamp"]
    new = page.client.get(page.base + "/sheet", params=question | {"stamp": stamp})
    assert "immutable" in new.headers["cache-control"]
    page.tell("/export", tracklet=name, frames=None, label=label, client="a", stamp=stamp)


def test_what_is_in_the_training_set_follows_the_stack(page, session):
    name, label = an_id(session)
    count = page.tell("/export", tracklet=name, frames=None, label=label, client="a")["examples"][label]
    assert page.ask("/tracklet", name=name)["examples"] == {label: count}
    (path,) = session.stacks[page.ask("/tracklet", name=name)["movie"]]
    with open_stack(path) as stack:
        images = stack.read(name)
    write_stacks(path, [(name, 255 - images)])
    assert page.ask("/tracklet", name=name)["examples"] == {}


def test_more_sessions_than_are_kept_open_do_not_close_those_in_use(session, tmp_path):
    experiment = session.experiment
    for number in range(6):
        copy = shutil.copytree(session.path, experiment / f"session{number}")
        os.utime(copy / SESSION_MARK, (2e9 + 10 * number,) * 2)
    page = Page(session, tmp_path / "memory")
    name, label = an_id(session)
    bases = [page.base.rpartition("/")[0] + f"/session{number}" for number in range(6)]
    for page.base in bases:
        page.tell("/export", tracklet=name, frames=[0], label=label, client="a")
    for page.base in bases:
        assert page.tell("/undo", client="a")["message"].startswith("undone: 1 image")


def test_a_drive_that_is_gone_does_not_look_like_an_empty_training_set(page, session):
    page.ask("/trainset")
    shutil.rmtree(session.path)
    for path, params in (("/trainset", {}), ("/labels", {}), ("/gallery", {"label": "x"})):
        assert "gone" in page.ask(path, 400, **params)["error"]


def test_an_experiment_that_vanishes_is_told_and_the_app_goes_on(page, session):
    page.ask("/view", movie="1")
    moved = session.experiment.rename(session.experiment.with_name("elsewhere"))
    name = next(iter(true_labels(Session(moved, moved / "session"))))
    assert page.ask("/sheet", status=400, tracklet=name, start=0)["error"]
    assert page.client.get("/api/places").status_code == 200
    moved.rename(session.experiment)
    assert page.ask("/sheet", tracklet=name, start=0)


def test_tracklets_of_another_tracker_are_shown_and_labelled(make_session, tmp_path, numpy_source, monkeypatch):
    """Their names have any form, and their source tells the colony."""
    folder = make_session()
    rng = np.random.default_rng(0)
    tracks(
        folder, 3, **{"animal 7": rng.integers(1, 255, (4, 30, 30, 3), np.uint8), "b": np.ones((2, 30, 30, 3), "u1")}
    )
    monkeypatch.setattr(numpy_source, "colony", lambda session, name: f"of {name.name}", raising=False)
    session = open_session(folder)
    page = Page(session, tmp_path / "memory")
    assert [movie["movie"] for movie in page.ask("/overview")["movies"]] == [3]
    info = page.ask("/tracklet", name="animal 7")
    assert (info["images"], info["size"], info["movie"], info["colony"]) == (4, 30, 3, "of animal 7")
    page.tell("/export", tracklet="animal 7", frames=[0, 2], label="AB", client="c", stamp=info["stamp"])
    assert len(list_examples(session.classifier_dir / "examples")) == 2


# ---- what is best done next


def test_without_a_classifier_there_is_no_report_and_labelling_comes_first(page):
    assert page.ask("/training") == {"report": None}
    step = page.ask("/next")
    assert (step["action"], step["label"]) == ("label", None)


def test_without_labels_these_come_first(page, session):
    session.layout.labels_file.unlink()
    assert page.ask("/next")["action"] == "labels"


def test_when_half_of_the_ids_have_examples_training_comes_next(page, session):
    by_label = {label: name for name, label in true_labels(session).items()}
    ants = [ant for ant in session.labels.ants if ant in by_label]
    half = len(session.labels.ants) // 2
    assert len(ants) >= half
    for ant in ants[: half - 1]:
        page.tell("/export", tracklet=by_label[ant], frames=None, label=ant, client="tab")
    assert page.ask("/next")["action"] == "label"
    page.tell("/export", tracklet=by_label[ants[half - 1]], frames=None, label=ants[half - 1], client="tab")
    assert page.ask("/next")["action"] == "train"


def test_filters_follow_marks_and_examples(page, session, classified):
    name, label = an_id(session)
    other = next(ant for ant in session.labels.ants if ant != label)
    assert page.ask("/view", label="=unchecked")["count"] == len(classified)
    page.tell("/mark", tracklet=name, label=label, verdict="wrong", true_label=other, met="random", who="Ann")
    assert page.ask("/view", label="=unchecked", seed=2)["count"] == len(classified) - 1
    assert page.names(label="=wrong") == [name]
    page.tell("/export", tracklet=name, frames=None, label=other, client="tab")
    assert page.names(label="=disagrees") == [name]


def test_a_flag_with_a_note_is_kept_and_found_and_taken_away(page: Page, session: Session):
    name, other, *_ = page.names(order="time")
    assert page.ask("/tracklet", name=name)["flag"] is None
    before = page.ask("/pulse")["versions"]["marks"]
    told = page.tell("/flag", tracklet=name, flagged=True, note="  tag  lost ", who="Ada")
    assert (told["flag"]["note"], told["flag"]["who"]) == ("tag lost", "Ada")
    assert told["versions"]["marks"] > before, "other pages ask anew"
    assert page.ask("/tracklet", name=name)["flag"] == told["flag"]
    assert page.names(label="=flagged", order="time", seed=1) == [name]
    assert page.ask("/tracklet", name=other)["flag"] is None
    assert page.tell("/flag", tracklet=name, flagged=False, who="Bea")["flag"] is None
    assert page.ask("/view", label="=flagged", seed=2)["count"] == 0
    assert "no tracklet" in page.tell("/flag", status=400, tracklet="trj_id9_ti9_1_tf9_2", flagged=True)["error"]
    session.layout.flags_file.write_text("nothing\n")
    assert any("flags.csv" in warning for warning in page.ask("/overview")["warnings"])


def test_what_was_undone_is_made_again_until_something_else_is_done(page: Page, session: Session):
    first, second, *_ = page.names(order="time")
    label, other = session.labels.ants[:2]

    def export(tracklet: str, under: str, **more: object) -> dict:
        return page.tell("/export", tracklet=tracklet, label=under, client="a", **more)

    def counts() -> dict[str, int]:
        return {row["label"]: row["examples"] for row in page.ask("/trainset")["labels"] if row["examples"]}

    assert page.tell("/redo", status=400, client="a")["code"] == "nothing-to-undo"
    export(first, label, frames=[0])
    export(second, other, frames=[0])
    files = {file.path.name: file.path.read_bytes() for file in list_examples(session.layout.classifier.examples)}
    page.tell("/undo", client="a")
    page.tell("/undo", client="a")
    assert counts() == {}
    assert page.tell("/redo", status=400, client="b")["code"] == "nothing-to-undo", "another page took nothing back"
    told = page.tell("/redo", client="a")
    assert (told["tracklet"], told["label"], told["added"]) == (first, label, 1)
    page.tell("/redo", client="a")
    assert counts() == {label: 1, other: 1}
    assert {file.path.name for file in list_examples(session.layout.classifier.examples)} == set(files)
    # it can be undone as it was before, and after another change there is nothing to make again
    page.tell("/undo", client="a")
    assert counts() == {label: 1}
    export(second, label, frames=[0])
    assert page.tell("/redo", status=400, client="a")["code"] == "nothing-to-undo"
    assert counts() == {label: 2}
    (example,) = {file.path.name for file in list_examples(session.layout.classifier.examples)} - {
        name for name in files if first not in name
    }
    page.tell("/move", label=label, names=[example], to=other, client="a")
    page.tell("/undo", client="a")
    assert page.tell("/redo", client="a")["moved"] == 1
    assert counts() == {label: 1, other: 1}


def test_examples_tell_who_added_them(page: Page, session: Session):
    first, second, *_ = page.names(order="time")
    label = session.labels.ants[0]
    page.tell("/export", tracklet=first, label=label, client="a", frames=[0], who="Zoë  Ω")
    (file,) = list_examples(session.layout.classifier.examples)
    told = page.ask("/gallery/author", label=label, name=file.path.name)
    assert told["author"] == "Zoë Ω"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", told["time"])
    with Image.open(file.path) as image:
        assert image.info["Author"] == "Zoë Ω"
    # nobody has to tell a name, and files of others have none
    page.tell("/export", tracklet=second, label=label, client="a", frames=[0])
    with Image.open(file.path) as image:
        image.save(file.path.with_name(f"another.{first}.7.png"))
    told = page.ask("/gallery/author", label=label, name=f"another.{first}.7.png")
    assert told == {"author": "", "time": ""}
    # a name never becomes a path
    assert page.ask("/gallery/author", label=label, name=f"../{label}/{file.path.name}") == told
