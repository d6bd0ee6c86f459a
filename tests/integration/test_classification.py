"""`antrax classify`: experiments in, files in `labels/` out."""

import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import antrax
from antrax.classification.classifier_file import read_classifier, write_classifier
from antrax.classification.engine import Job, Worker, make_model, make_predictor
from antrax.classification.rotation import views
from antrax.classification.run import ClassifyOptions, classify
from antrax.demo.walkthrough import compare_with_truth
from antrax.errors import ClassificationError, ExperimentError, OptionError
from antrax.images import prepare
from antrax.io.frame_probabilities import open_frame_probabilities
from antrax.io.labels_file import to_labels_file
from antrax.io.results import Classified, read_movie
from antrax.io.session import Session, open_session
from antrax.io.sources import movie_parts
from antrax.io.stacks import open_stack, write_stacks
from tests.fixtures.antrax_files import write_antrax_file
from tests.fixtures.numpy_source import tracks
from tests.fixtures.training_tools import Listener

HERE = ClassifyOptions(workers=1, device="cpu")


@pytest.fixture
def session(trained, tmp_path) -> Session:
    return trained.copy(tmp_path)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def result_names(session: Session) -> set[str]:
    return {path.name for path in session.labels_dir.iterdir()}


def results_of(movie: int) -> set[str]:
    return {f"autoids_{movie}.csv", f"confidence_{movie}.csv", f"frameprobs_{movie}.h5"}


def stack_of(session: Session, movie: int) -> Path:
    (path,) = session.stacks[movie]
    return path


def test_every_tracklet_with_images_gets_a_row(session):
    classify(session.experiment, HERE)
    for movie in session.stacks:
        with open_stack(stack_of(session, movie)) as stack:
            expected = {name.name: stack.count(name.name) for name in stack.tracklets()}
        table = rows(session.labels_dir / f"autoids_{movie}.csv")
        assert list(table[0]) == ["tracklet", "label", "score", "best_frame"]
        assert {row["tracklet"] for row in table} == set(expected)
        for row in table:
            is_id = row["label"] in session.labels.ants
            assert row["label"] in session.labels.all
            assert (float(row["score"]) > 0) == is_id
            assert (1 <= int(row["best_frame"]) <= expected[row["tracklet"]]) == is_id
            assert float(row["score"]) <= expected[row["tracklet"]] + 1e-3


def test_a_demo_is_identified(session):
    classify(session.experiment, HERE)
    accuracy = compare_with_truth(session)
    assert accuracy.identifiable >= 60
    assert accuracy.assigned >= 0.5 * accuracy.identifiable
    assert accuracy.wrong <= 0.1 * accuracy.assigned
    assert accuracy.false_ids <= 0.2 * accuracy.others


def test_confidences_counts_and_frames_lie_beside(session):
    classify(session.experiment, HERE)
    movie = 3
    labels = {row["tracklet"]: row["label"] for row in rows(session.labels_dir / f"autoids_{movie}.csv")}
    with open_stack(stack_of(session, movie)) as stack:
        counts = {name: stack.count(name) for name in labels}
    for row in rows(session.labels_dir / f"confidence_{movie}.csv"):
        assert row["label"] == labels[row["tracklet"]]
        assert 0 <= float(row["runner_up_confidence"]) <= float(row["confidence"]) <= 1
        assert int(row["images"]) == counts[row["tracklet"]]
        assert 0 <= int(row["passed_images"]) <= counts[row["tracklet"]]
        assert 0 <= int(row["votes"]) <= counts[row["tracklet"]]
        assert row["best_label"] != row["runner_up"]
        assert row["label"] in (row["best_label"], "Unknown")


def test_the_probabilities_of_every_image_are_kept(session):
    classify(session.experiment, HERE)
    table = antrax.read_results(session, [3])
    for row in table.itertuples():
        probabilities = antrax.read_frame_probabilities(session, 3, row.Index)
        assert len(probabilities) == row.images
        assert probabilities.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-3)
        if row.label in session.labels.ants:
            assert probabilities[row.label].sum() == pytest.approx(row.score, abs=1e-4 * row.images + 1e-3)
    with h5py.File(session.labels_dir / "frameprobs_3.h5") as file:
        assert (
            json.loads(file.attrs["made_with"])["classifier_digest"]
            == read_classifier(session.classifier_dir / "classifier.h5").digest()
        )


def test_probabilities_are_those_of_the_network_on_prepared_images(session):
    classify(session.experiment, HERE)
    classifier = read_classifier(session.classifier_dir / "classifier.h5")
    predictor = make_predictor(make_model(classifier, "cpu"))
    with open_stack(stack_of(session, 2)) as stack:
        name = max((n.name for n in stack.tracklets()), key=stack.count)
        images = prepare(stack.read(name), classifier.preparation)
    index, rotated = views(len(images))
    shown = images[index]
    shown[rotated] = shown[rotated][:, ::-1, ::-1]
    stored = antrax.read_frame_probabilities(session, 2, name)
    assert stored[list(classifier.labels)].to_numpy() == pytest.approx(np.exp(predictor(shown)), abs=1e-4)


def tracklet_rows(session: Session) -> dict[str, tuple[int, dict[str, str]]]:
    """Movie and row of `confidence_<m>.csv` of each tracklet."""
    return {
        row["tracklet"]: (movie, row)
        for movie in session.stacks
        for row in rows(session.labels_dir / f"confidence_{movie}.csv")
    }


def test_of_longer_tracklets_only_some_images_are_looked_at_where_that_is_asked_for(session):
    classify(session.experiment, HERE)
    of_all = tracklet_rows(session)
    classify(session.experiment, ClassifyOptions(workers=1, device="cpu", images_per_tracklet=9))
    differ = 0
    for name, (movie, row) in tracklet_rows(session).items():
        count = int(row["images"])
        assert count == int(of_all[name][1]["images"])
        looked_at = np.flatnonzero(antrax.read_frame_probabilities(session, movie, name).notna().all(axis=1))
        assert looked_at.tolist() == (
            list(range(count)) if count <= 9 else [number * count // 9 for number in range(9)]
        )
        if count <= 9:
            assert row == of_all[name][1] | {"classification": row["classification"]}
        differ += row["label"] != of_all[name][1]["label"]
    scores = {
        row["tracklet"]: row for movie in session.stacks for row in rows(session.labels_dir / f"autoids_{movie}.csv")
    }
    for name, row in scores.items():
        if row["label"] in session.labels.ants:
            movie, _ = of_all[name]
            probabilities = antrax.read_frame_probabilities(session, movie, name)[row["label"]]
            assert probabilities.notna().iloc[int(row["best_frame"]) - 1]
            assert float(row["score"]) == pytest.approx(probabilities.mean() * len(probabilities), rel=1e-3)
    assert differ <= 0.05 * len(of_all)


def test_auto_looks_at_all_images_only_where_the_decision_is_not_sure(session):
    classify(session.experiment, HERE)
    of_all = tracklet_rows(session)
    classify(session.experiment, ClassifyOptions(workers=1, device="cpu", images_per_tracklet="auto"))
    longer = saved = differ = 0
    for name, (movie, row) in tracklet_rows(session).items():
        probabilities = antrax.read_frame_probabilities(session, movie, name)
        looked_at = int(probabilities.notna().all(axis=1).sum())
        assert looked_at in (8, 16, len(probabilities))
        longer += len(probabilities) > 8
        saved += looked_at < len(probabilities)
        differ += row["label"] != of_all[name][1]["label"]
    assert longer > 100
    assert saved > 0.4 * longer
    assert differ <= 0.05 * len(of_all)


def test_several_workers_give_the_same_files_as_one(session):
    classify(session.experiment, HERE)
    one = {name: (session.labels_dir / name).read_bytes() for name in result_names(session) if name.endswith(".csv")}
    classify(session.experiment, ClassifyOptions(workers=2, device="cpu"))
    assert one == {name: (session.labels_dir / name).read_bytes() for name in one}


@pytest.mark.parametrize(("tracklets", "batch"), [(1, 128), (7, 3), (1000, 50)])
def test_labels_are_the_same_however_tracklets_and_images_are_put_together(session, monkeypatch, tracklets, batch):
    classify(session.experiment, HERE)
    labels, probabilities = _results(session)
    monkeypatch.setattr("antrax.classification.movie._TRACKLETS_PER_JOB", tracklets)
    monkeypatch.setattr("antrax.classification.engine._MOST_IMAGES", {"cpu": batch, "gpu": batch})
    for movie in sorted(session.stacks, reverse=True):  # movie by movie, as tasks of a cluster do
        classify(session.experiment, dataclasses.replace(HERE, movies=[movie]))
    found, theirs = _results(session)
    assert found == labels
    assert theirs.keys() == probabilities.keys()
    for name, mine in probabilities.items():
        np.testing.assert_allclose(theirs[name], mine, atol=2e-5)


def _results(session: Session) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Label of each tracklet, and the probabilities of its images."""
    labels, probabilities = {}, {}
    for movie in session.stacks:
        results = read_movie(session, movie)
        labels |= {name: one.label for name, one in results.assignments.items()}
        with open_frame_probabilities(session, results) as frames:
            probabilities |= {name: frames.read(*place) for name, place in frames.rows().items()}
    return labels, probabilities


def test_torch_and_onnx_classify_alike(trained):
    classifier = read_classifier(trained.classifier)
    onnx = make_model(classifier, "cpu", "onnx")
    on_torch = make_model(classifier, "cpu", "torch")
    session = trained.session
    (stack,) = session.stacks[1]
    with open_stack(stack) as opened:
        names = tuple(name.name for name in opened.tracklets())[:20]
    categories = tuple(session.labels.category(label) for label in classifier.labels)
    (part,) = movie_parts(session)[1]
    job = Job(part, names, "m", categories, classifier.calibration.rule(0.01))

    pairs = zip(Worker({"m": onnx}).classify(job), Worker({"m": on_torch}).classify(job), strict=True)
    for mine, theirs in pairs:
        assert isinstance(mine, Classified) and isinstance(theirs, Classified)
        assert mine.decision.label == theirs.decision.label
        assert mine.probabilities == pytest.approx(theirs.probabilities, abs=1e-4)


def test_parts_of_a_movie_go_into_one_result(session):
    path = stack_of(session, 2)
    with open_stack(path) as stack:
        content = [(name.name, stack.read(name.name)) for name in stack.tracklets()]
    path.unlink()
    write_stacks(path.with_name("images_2_p1.mat"), content[:10])
    write_stacks(path.with_name("images_2_p2.mat"), content[10:])
    passed = session.path / "images" / "frame_passed_2.mat"
    passed.rename(passed.with_name("frame_passed_2_p1.mat"))
    classify(session.experiment, ClassifyOptions(workers=1, device="cpu", movies=[2]))
    table = rows(session.labels_dir / "autoids_2.csv")
    assert [row["tracklet"] for row in table] == [name for name, _ in content]


def test_a_tracklet_in_two_parts_of_a_movie_is_an_error(session):
    path = stack_of(session, 2)
    path = path.rename(path.with_name("images_2_p1.mat"))
    with open_stack(path) as stack:
        name = stack.tracklets()[0].name
        write_stacks(path.with_name("images_2_p2.mat"), [(name, stack.read(name))])
    with pytest.raises(ClassificationError, match=f"{name} is in another part.*images_2_p1.mat"):
        classify(session.experiment, HERE)
    assert result_names(session) == results_of(1) | results_of(3) | results_of(4)


def test_a_whole_movie_beside_a_part_of_it_is_an_error_that_names_both(session):
    """One of them is of an earlier tracking; nothing tells which."""
    path = stack_of(session, 2)
    write_stacks(path.with_name("images_2_p1.mat"), [("trj_id999_ti2_1_tf2_1", np.ones((1, 48, 48, 3), np.uint8))])
    with pytest.raises(ClassificationError, match=r"images_2\.mat and images_2_p1\.mat are both of movie 2"):
        classify(session.experiment, HERE)
    assert result_names(session) == results_of(1) | results_of(3) | results_of(4)


@pytest.mark.parametrize("workers", [1, 2])
def test_tracklets_of_another_tracker_are_classified_under_their_own_names(session, numpy_source, workers):
    classify(session.experiment, HERE)
    expected = {row["tracklet"]: row["label"] for row in rows(session.labels_dir / "autoids_1.csv")}
    with open_stack(stack_of(session, 1)) as stack:
        images = {name: stack.read(name) for name in expected}
    shutil.rmtree(session.path / "images")
    tracks(session.path, 1, **{name.replace("trj_", "worker/"): pixels for name, pixels in images.items()})
    classify(session.experiment, ClassifyOptions(workers=workers, device="cpu"))
    found = {row["tracklet"]: row["label"] for row in rows(session.labels_dir / "autoids_1.csv")}
    assert found == {name.replace("trj_", "worker/"): label for name, label in expected.items()}


def test_images_of_another_size_are_resized(session):
    path = stack_of(session, 2)
    images = np.zeros((3, 41, 41, 3), np.uint8)
    images[:, 10:30, 15:25] = 90
    write_stacks(path, [("trj_id1_ti2_1_tf2_3", images)])
    classify(session.experiment, ClassifyOptions(workers=1, device="cpu", movies=[2]))
    assert len(rows(session.labels_dir / "autoids_2.csv")) == 1


def test_only_the_movies_asked_for_are_classified(session):
    report = classify(session.experiment, ClassifyOptions(workers=1, device="cpu", movies=[3, 1]))
    assert report.experiments[0].movies == [1, 3]
    assert result_names(session) == results_of(1) | results_of(3)


def test_missing_leaves_movies_with_a_result_alone(session):
    (session.labels_dir / "autoids_1.csv").write_text("by hand")
    report = classify(session.experiment, ClassifyOptions(workers=1, device="cpu", missing=True))
    assert (report.experiments[0].movies, report.experiments[0].skipped) == ([2, 3, 4], [1])
    assert (session.labels_dir / "autoids_1.csv").read_text() == "by hand"


def test_a_movie_that_does_not_exist_is_an_error_that_says_which_do(session):
    with pytest.raises(ClassificationError, match=r"movie 7, 9; it has 1-4"):
        classify(session.experiment, ClassifyOptions(workers=1, device="cpu", movies=[2, 7, 9]))
    assert result_names(session) == results_of(2)  # those that exist are done


def test_movies_of_the_table_without_stack_are_counted_in_one_line(session):
    stack_of(session, 2).unlink()
    stack_of(session, 3).unlink()
    listener = Listener()
    report = classify(session.experiment, HERE, reporter=listener)
    assert report.experiments[0].movies == [1, 4]
    assert sum("2 of 4 movies have no image stack" in line for line in listener.said) == 1


def test_an_experiment_without_any_stack_is_an_error(session):
    for movie in session.stacks:
        stack_of(session, movie).unlink()
    with pytest.raises(ClassificationError, match="no image stacks"):
        classify(session.experiment, HERE)


def test_a_movie_without_tracklets_gets_no_file_and_loses_a_stale_one(session):
    write_stacks(stack_of(session, 2), [])
    (session.labels_dir / "autoids_2.csv").write_text("of an earlier tracking")
    report = classify(session.experiment, HERE)
    assert report.experiments[0].skipped == [2]
    assert not results_of(2) & result_names(session)


@pytest.mark.parametrize("damage", ["truncated", "not HDF5"])
def test_one_bad_movie_is_reported_and_the_others_finish(session, damage):
    path = stack_of(session, 2)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-2000])
    else:
        path.write_text("images")
    (session.labels_dir / "autoids_2.csv").write_text("an earlier result")
    with pytest.raises(ClassificationError, match=r"images_2\.mat") as raised:
        classify(session.experiment, HERE)
    assert raised.value.report.experiments[0].movies == [1, 3, 4]
    assert result_names(session) == results_of(1) | results_of(3) | results_of(4) | {"autoids_2.csv"}
    assert (session.labels_dir / "autoids_2.csv").read_text() == "an earlier result"
    counted = raised.value.report.experiments[0].tracklets.total()
    assert counted == sum(len(rows(session.labels_dir / f"autoids_{movie}.csv")) for movie in (1, 3, 4))


@pytest.mark.parametrize("damage", ["wrong dtype", "wrong shape"])
def test_one_bad_tracklet_is_reported_and_the_others_of_its_movie_are_classified(session, damage):
    path = stack_of(session, 2)
    with open_stack(path) as stack:
        names = [name.name for name in stack.tracklets()]
    with h5py.File(path, "r+") as file:
        del file[names[3]]
        file[names[3]] = np.zeros((4, 3, 32, 32), np.float32 if damage == "wrong dtype" else np.uint8)[
            :, : 2 if damage == "wrong shape" else 3
        ]
    with pytest.raises(
        ClassificationError, match=f"1 of {len(names)} tracklets could not be read.*{names[3]}"
    ) as raised:
        classify(session.experiment, HERE)
    (report,) = raised.value.report.experiments
    assert (report.movies, report.unread) == ([1, 2, 3, 4], [names[3]])
    table = rows(session.labels_dir / "autoids_2.csv")
    assert [row["tracklet"] for row in table] == names  # by position too, as the original reads them
    assert table[3] == {"tracklet": names[3], "label": "Unknown", "score": "0", "best_frame": "0"}
    assert sum(row["label"] != "Unknown" for row in table) > 30
    found = antrax.read_results(session, [2]).loc[names[3]]
    assert (found["images"], found["confidence"], found["best_label"]) == (0, 0, "Unknown")


def test_one_bad_experiment_is_reported_and_the_others_finish(session, tmp_path):
    (tmp_path / "broken" / "s" / "parameters").mkdir(parents=True)
    (tmp_path / "broken" / "s" / "parameters" / "Trck.mat").touch()
    classifier = str(session.classifier_dir / "classifier.h5")
    with pytest.raises(ClassificationError, match="broken") as raised:
        classify(tmp_path, ClassifyOptions(workers=1, device="cpu", classifier=classifier))
    assert [len(experiment.movies) for experiment in raised.value.report.experiments] == [0, 4]
    assert results_of(4) <= result_names(session)


def test_a_list_file_names_experiments(session, tmp_path):
    (tmp_path / "list.txt").write_text("# mine\n\ndemo\n")
    report = classify(tmp_path / "list.txt", HERE)
    assert [experiment.path for experiment in report.experiments] == [session.experiment]


def test_an_id_that_the_experiment_does_not_have_is_never_assigned(session):
    labels = session.path / "parameters" / "labels.csv"
    kept = [line for line in labels.read_text().splitlines() if not line.startswith(("B", "G"))]
    labels.write_text("\n".join([*kept, "ZZ\tant_labels"]) + "\n")
    listener = Listener()
    classify(session.experiment, HERE, reporter=listener)
    found = set(antrax.read_results(open_session(session.experiment)).label)
    assert found <= {"OO", "OP", "OB", "OG", "PO", "PP", "PB", "PG", "NoAnt", "Multi", "Unknown"}
    assert any("BB" in line and "never assigned" in line for line in listener.warned)
    assert any("ZZ" in line and "never assigned" in line for line in listener.warned)


def test_an_experiment_of_other_animals_is_an_error(session):
    (session.path / "parameters" / "labels.csv").write_text("XX\tant_labels\nYY\tant_labels\n")
    with pytest.raises(ClassificationError, match="shares no ant label"):
        classify(session.experiment, HERE)


def inverted(session, value):
    parameters = session.path / "parameters" / "prmtrs.json"
    parameters.write_text(json.dumps(json.loads(parameters.read_text()) | {"segmentation_invert": value}))


def test_a_classifier_of_white_ground_is_used_on_light_animals_and_that_is_said(session):
    classify(session.experiment, HERE)
    before = antrax.read_results(session)
    inverted(session, True)
    listener = Listener()
    classify(session.experiment, HERE, reporter=listener)
    assert any("light animals on dark background" in line for line in listener.warned)
    # the images are the same ones, on the ground that the network knows
    assert antrax.read_results(session).label.equals(before.label)


def test_dark_animals_need_a_classifier_of_dark_animals(session):
    path = session.classifier_dir / "classifier.h5"
    trained = read_classifier(path)
    black = dataclasses.replace(trained.preparation, background="black")
    write_classifier(dataclasses.replace(trained, preparation=black), path)
    with pytest.raises(ClassificationError, match="dark animals on light"):
        classify(session.experiment, HERE)


def test_a_classifier_without_calibration_is_used_cautiously_and_that_is_said(session):
    path = session.classifier_dir / "classifier.h5"
    poor = {"quality": {"poor": True}}
    write_classifier(dataclasses.replace(read_classifier(path), calibration=None, record=poor), path)
    listener = Listener()
    classify(session.experiment, HERE, reporter=listener)
    assert any("never measured" in line and "cautious" in line for line in listener.warned)
    assert any("is a poor network" in line for line in listener.warned)
    table = antrax.read_results(session)
    assert (table[table.label.isin(session.labels.ants)].confidence >= 0.8).all()


def test_a_larger_accepted_error_assigns_no_fewer_ids(session):
    assigned = []
    for error in (0.0005, 0.2):
        classify(session.experiment, ClassifyOptions(workers=1, device="cpu", max_error=error))
        assigned.append(int(antrax.read_results(session).label.isin(session.labels.ants).sum()))
    assert assigned[0] < assigned[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"max_error": 0}, "`max_error=0`"), ({"max_error": 1.5}, "`max_error=1.5`"), ({"workers": 0}, "`workers=0`")],
)
def test_impossible_options_are_refused(session, options, message):
    with pytest.raises(OptionError, match=message):
        classify(session.experiment, ClassifyOptions(**options))


def test_nothing_to_classify_is_an_error(tmp_path):
    with pytest.raises(ExperimentError, match="no tracked experiment"):
        classify(tmp_path, HERE)


def test_other_files_of_the_session_are_not_touched(session):
    def times() -> dict[Path, int]:
        ours = (session.labels_dir, session.layout.runs)
        return {p: p.stat().st_mtime_ns for p in session.path.rglob("*") if p.is_file() and p.parent not in ours}

    (session.labels_dir / "manualids.csv").write_text("mine")
    before = times()
    classify(session.experiment, HERE)
    assert before == times()
    assert (session.labels_dir / "manualids.csv").read_text() == "mine"


def test_results_of_antrax_itself_are_read(session):
    (session.labels_dir / "autoids_9.csv").write_text("tracklet,label,score,best_frame\ntrj_id1_ti9_1_tf9_5,NA,3.5,2\n")
    table = antrax.read_results(session)
    assert table[["movie", "label", "score"]].to_numpy().tolist() == [[9, "NA", 3.5]]


def test_memory_stays_bounded_however_long_a_tracklet_is(session, tmp_path):
    """Four times the images, a movie of one tracklet each time: the peak does not grow with them."""
    script = """
import sys, resource
import antrax
antrax.classify(sys.argv[1], antrax.ClassifyOptions(workers=1, device="cpu", movies=[int(sys.argv[2])]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    pytest.importorskip("resource")
    peaks = []
    for movie, count in ((1, 3_000), (2, 12_000)):
        path = stack_of(session, movie)
        with h5py.File(path, "w") as file:
            dataset = file.create_dataset(
                f"trj_id1_ti{movie}_1_tf{movie}_{count}", (count, 3, 64, 64), np.uint8, chunks=(100, 3, 64, 64)
            )
            dataset[:, :, 20:40, 20:40] = 77
        run = [sys.executable, "-c", script, str(session.experiment), str(movie)]
        peaks.append(int(subprocess.run(run, check=True, capture_output=True, text=True, env=os.environ).stdout))
    in_memory = 9_000 * 64 * 64 * 3 / 1024
    assert peaks[1] - peaks[0] < 0.3 * in_memory


@pytest.mark.parametrize("style", ["2", "1.15"])
def test_a_classifier_of_antrax_classifies_an_experiment(small_demo, tmp_path, style):
    """The whole command: labels matched that were cut, a cautious rule for want of a calibration, results as usual."""
    shutil.copytree(small_demo.directory, tmp_path / "some.ants")
    session = open_session(tmp_path / "some.ants")
    ants = [*session.labels.ants, "a_label_of_many_letters"]
    labels = type(session.labels)(tuple(ants), session.labels.nonants, session.labels.others)
    to_labels_file(labels, session.path / "parameters" / "labels.csv")
    classes = ("BP", "a_label_of", "NoAnt", "GG", "Unknown")
    file = write_antrax_file(tmp_path / "old.h5", "small", style, classes=classes)
    listener = Listener()
    options = ClassifyOptions(classifier=str(file), workers=1, device="cpu")
    report = classify(session.experiment, options, reporter=listener)
    assert not report.failures
    assert any("A fixed cautious rule is used" in warning for warning in listener.warned)
    assert not any("a_label_of" in warning.partition("the classifier knows")[2] for warning in listener.warned)
    table = antrax.read_results(open_session(session.experiment))
    assert len(table) == sum(1 for _ in antrax.iter_tracklets(session))
    assert set(table.label) <= set(labels.all)
    name = table.index[0]
    probabilities = antrax.read_frame_probabilities(session, sorted(session.stacks)[0], name)
    assert list(probabilities.columns) == ["BP", "a_label_of_many_letters", "NoAnt", "GG", "Unknown"]
