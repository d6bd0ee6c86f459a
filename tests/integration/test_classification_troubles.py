"""`antrax classify` when inputs change, processes die, drives fail, and others work beside it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import weakref
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

import antrax
from antrax.classification.run import ClassifyOptions, classify
from antrax.cluster.status import MovieState, session_status
from antrax.errors import ClassificationError, OptionError
from antrax.io.locks import claim
from antrax.io.result_state import ResultState, result_state
from antrax.io.results import Decision
from antrax.io.runs import start_record
from antrax.io.session import Session
from antrax.io.stacks import open_stack, write_stacks
from antrax.labels import UNKNOWN
from antrax.networks.backends.engines import ENGINES, Engine
from antrax.progress import Reporter
from tests.fixtures.processes import python
from tests.fixtures.training_tools import Listener

HERE = ClassifyOptions(workers=1, device="cpu")
MISSING = ClassifyOptions(workers=1, device="cpu", missing=True)


@pytest.fixture
def session(trained, tmp_path) -> Session:
    """Two movies of the demo: enough to see that one does not cost the other."""
    made = trained.copy(tmp_path)
    for movie in (3, 4):
        stack_of(made, movie).unlink()
    return made


def stack_of(session: Session, movie: int) -> Path:
    (path,) = session.stacks[movie]
    return path


def names_in(path: Path) -> list[str]:
    with open_stack(path) as stack:
        return [name.name for name in stack.tracklets()]


def read_images(session: Session, name: str) -> np.ndarray:
    with open_stack(stack_of(session, 2)) as stack:
        return stack.read(name)


def contents(session: Session) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in session.labels_dir.iterdir() if path.is_file()}


class Meanwhile(Reporter):
    """Does something while movies are classified, after the n-th step."""

    def __init__(self, action, after=1):
        self.action, self.left = action, after

    def bar(self, title, total, unit):
        class Bar:
            def __enter__(bar):  # noqa: N805
                return self.update

            def __exit__(bar, *_):  # noqa: N805
                return False

        return Bar()

    def update(self, done, note="", total=None):
        self.left -= 1
        if self.left == 0:
            self.action()


# --- inputs that change


@pytest.mark.parametrize("kind", ["images", "frame_passed"])
def test_a_movie_whose_input_is_replaced_meanwhile_fails_and_keeps_its_earlier_result(session, kind):
    classify(session.experiment, HERE)
    before = contents(session)
    path = stack_of(session, 1) if kind == "images" else session.layout.companion(stack_of(session, 1), "frame_passed")

    def replace():
        copy = path.with_name("new.mat")
        shutil.copy2(path, copy)
        copy.replace(path)

    with pytest.raises(ClassificationError, match=rf"{kind}_1\.mat changed while being read; movie 1 keeps") as raised:
        classify(session.experiment, ClassifyOptions(workers=1, max_error=0.3), reporter=Meanwhile(replace))
    assert raised.value.report.experiments[0].movies == [2]
    after = contents(session)
    same = {name for name in before if before[name] == after[name]}
    assert {name for name in before if "_1." in name} <= same
    assert "frameprobs_2.h5" not in same


@pytest.mark.parametrize("which", ["labels.csv", "classifier.h5"])
def test_what_all_movies_are_made_from_must_not_change_either(session, which):
    path = session.layout.labels_file if which == "labels.csv" else session.layout.classifier.classifier()
    with pytest.raises(ClassificationError, match=f"{which} changed while being read") as raised:
        classify(session.experiment, HERE, reporter=Meanwhile(lambda: os.utime(path, (1, 1))))
    assert raised.value.report.experiments[0].movies == []
    assert contents(session) == {}


# --- others beside it


def test_a_second_run_on_the_same_movies_is_refused_and_says_who_is_at_work(session):
    session.labels_dir.mkdir(exist_ok=True)
    with claim(session.labels_dir, "classify", [2], task="antrax classify"):
        with pytest.raises(ClassificationError, match=rf"antrax classify \(process {os.getpid()} on .*, on 2, too"):
            classify(session.experiment, HERE)
        result = classify(session.experiment, ClassifyOptions(workers=1, device="cpu", movies=[1]))
    assert result.experiments[0].movies == [1]
    assert not [path for path in session.labels_dir.iterdir() if path.name.startswith(".")]


def test_runs_on_different_movies_do_not_disturb_one_another(session):
    """As tasks of a cluster are."""
    reports = []
    other = ClassifyOptions(workers=1, device="cpu", movies=[2])
    meanwhile = Meanwhile(lambda: reports.append(classify(session.experiment, other)))
    reports.append(classify(session.experiment, ClassifyOptions(workers=1, movies=[1]), reporter=meanwhile))
    assert [report.experiments[0].movies for report in reports] == [[2], [1]]


# --- results are not lost without a word


def test_results_of_a_movie_that_holds_no_tracklet_any_more_are_moved_aside_and_named(session):
    classify(session.experiment, HERE)
    before = {name: content for name, content in contents(session).items() if "_2." in name}
    write_stacks(stack_of(session, 2), [])
    listener = Listener()
    result = classify(session.experiment, HERE, reporter=listener)
    assert (result.experiments[0].movies, result.experiments[0].skipped) == ([1], [2])
    (folder,) = (session.labels_dir / "set_aside").iterdir()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert any("movie 2 holds no tracklet" in text and str(folder) in text for text in listener.warned)


def test_datasets_none_of_which_is_a_tracklet_are_an_error_and_nothing_is_removed(session):
    classify(session.experiment, HERE)
    before = contents(session)
    with h5py.File(stack_of(session, 2), "w") as file:
        file["blob_17"] = np.zeros((2, 3, 32, 32), np.uint8)
    with pytest.raises(ClassificationError, match=r"none of its 1 datasets has the name of a tracklet.*blob_17"):
        classify(session.experiment, HERE)
    after = contents(session)
    assert {name for name in before if "_2." in name} <= {name for name in after if after[name] == before[name]}


@pytest.mark.parametrize("workers", [1, 2])
def test_frames_that_passed_which_cannot_be_read_are_told_once_a_movie_and_are_no_failure(session, workers):
    for movie, make in ((1, os.mkfifo), (2, Path.mkdir)):
        path = session.layout.companion(stack_of(session, movie), "frame_passed")
        path.unlink()
        make(path)
    listener = Listener()
    report = classify(session.experiment, ClassifyOptions(workers=workers, device="cpu"), reporter=listener)
    assert report.experiments[0].movies == [1, 2]
    told = sorted(warning for warning in listener.warned if "frame_passed" in warning)
    assert len(told) == 2
    assert "frame_passed_1.mat cannot be read: it is no plain file but a named pipe" in told[0]
    assert "frame_passed_2.mat cannot be read: it is a folder" in told[1]


@pytest.mark.parametrize("workers", [1, 2])
def test_tracklets_of_which_frame_passed_tells_nothing_usable_are_counted_and_classified(session, workers):
    classify(session.experiment, HERE)
    labels = antrax.read_results(session)["label"]
    path = session.layout.companion(stack_of(session, 2), "frame_passed")
    first, second, third, *_ = names_in(stack_of(session, 2))
    with h5py.File(path, "r+") as file:
        for name in (first, second, third):
            del file[name]
        file[first] = np.ones((1, 1 + len(read_images(session, first))), np.uint8)  # of another length
        file.create_group(third)  # the second is missing: that is allowed
    listener = Listener()
    result = classify(session.experiment, ClassifyOptions(workers=workers, device="cpu"), reporter=listener)
    assert result.experiments[0].movies == [1, 2]
    (told,) = [warning for warning in listener.warned if "frame_passed" in warning]
    assert "movie 2: what frame_passed tells of 2 tracklets is damaged" in told
    assert f"({first} and others)" in told or f"({third} and others)" in told
    after = antrax.read_results(session)
    assert after["label"].equals(labels)
    assert after.loc[[first, second, third], "passed_images"].isna().all()
    assert after["passed_images"].notna().sum() == len(after) - 3


def test_datasets_that_are_no_tracklets_of_the_movie_are_counted_and_the_others_are_classified(session):
    with h5py.File(stack_of(session, 2), "r+") as file:
        file["trj_id1_ti1_7_tf1_9"] = file["blob_17"] = np.zeros((2, 3, 32, 32), np.uint8)
    listener = Listener()
    classify(session.experiment, HERE, reporter=listener)
    (told,) = [text for text in listener.warned if "passed over" in text]
    assert "movie 2: 2 datasets of its image stack are passed over" in told
    assert "'blob_17' and others" in told
    assert "trj_id1_ti1_7_tf1_9" not in (session.labels_dir / "autoids_2.csv").read_text()


def test_the_image_stack_of_another_movie_is_an_error(session):
    shutil.copy(stack_of(session, 1), stack_of(session, 2))
    with pytest.raises(ClassificationError, match=r"images_2\.mat: its \d+ tracklets are of movie 1 ") as raised:
        classify(session.experiment, HERE)
    assert raised.value.report.experiments[0].movies == [1]
    assert not (session.labels_dir / "autoids_2.csv").exists()


@pytest.mark.parametrize("name", ["autoids_2.csv", "confidence_2.csv", "frameprobs_2.h5"])
def test_a_folder_that_has_the_name_of_a_result_is_told_and_no_half_result_is_left(session, name):
    (session.labels_dir / name / "mine").mkdir(parents=True)
    with pytest.raises(ClassificationError, match=rf"{name} is a folder") as raised:
        classify(session.experiment, HERE)
    assert raised.value.report.experiments[0].movies == [1]
    assert {path.name for path in session.labels_dir.glob("*_2.*")} == {name}
    assert not list(session.labels_dir.glob(".*_2.*"))


def test_missing_does_again_what_does_not_belong_together_and_keeps_the_labels(session):
    classify(session.experiment, HERE)
    path = session.labels_dir / "autoids_2.csv"
    edited = path.read_text().replace("Unknown,0,0", "NoAnt,0,0", 1)
    path.write_text(edited)
    listener = Listener()
    result = classify(session.experiment, MISSING, reporter=listener)
    assert (result.experiments[0].movies, result.experiments[0].skipped) == ([2], [1])
    assert result_state(session, 2) is ResultState.WHOLE
    (kept,) = (session.labels_dir / "set_aside").rglob("autoids_2.csv")
    assert kept.read_text() == edited
    assert any("do not belong together" in text and str(kept.parent) in text for text in listener.warned)


@pytest.mark.parametrize("gone", [["frameprobs_2.h5"], ["confidence_2.csv"], ["confidence_2.csv", "frameprobs_2.h5"]])
def test_missing_does_a_movie_again_of_whose_result_a_file_is_gone(session, gone):
    classify(session.experiment, HERE)
    before = (session.labels_dir / "autoids_2.csv").read_bytes()
    for name in gone:
        (session.labels_dir / name).unlink()
    found = session_status(session, "classify")
    assert [(movie.movie, movie.reason) for movie in found.of(MovieState.STALE)] == [
        (2, "not all files of its result are there")
    ]
    assert found.without_result == [2]
    listener = Listener()
    result = classify(session.experiment, MISSING, reporter=listener)
    assert (result.experiments[0].movies, result.experiments[0].skipped) == ([2], [1])
    assert any("movie 2" in text and " and ".join(gone) in text and "gone" in text for text in listener.warned)
    assert (session.labels_dir / "autoids_2.csv").read_bytes() == before
    assert result_state(session, 2) is ResultState.WHOLE
    assert not (session.labels_dir / "set_aside").exists()  # nobody has edited the labels


def test_missing_leaves_labels_alone_that_antrax_or_a_person_wrote(session):
    classify(session.experiment, HERE)
    for name in ("confidence_2.csv", "frameprobs_2.h5"):
        (session.labels_dir / name).unlink()
    path = session.labels_dir / "autoids_2.csv"
    path.write_text(path.read_text().replace("Unknown,0,0", "NoAnt,0,0", 1))
    assert classify(session.experiment, MISSING).experiments[0].skipped == [1, 2]


@pytest.mark.parametrize("left", ["nothing of autoids", "other tracklets"])
def test_missing_notices_a_movie_that_was_tracked_again(session, left):
    classify(session.experiment, HERE)
    if left == "nothing of autoids":
        (session.labels_dir / "autoids_2.csv").unlink()
    else:
        with open_stack(stack_of(session, 2)) as stack:
            content = [(name.name, stack.read(name.name)) for name in stack.tracklets()]
        write_stacks(stack_of(session, 2), content[:-1])
    listener = Listener()
    result = classify(session.experiment, MISSING, reporter=listener)
    assert result.experiments[0].movies == [2]
    assert any("movie 2" in text for text in listener.warned)
    assert list(antrax.read_results(session, [2]).index) == names_in(stack_of(session, 2))


def no_tracklet(session: Session) -> None:
    with h5py.File(stack_of(session, 2), "w") as file:
        file["blob_17"] = np.zeros((2, 3, 32, 32), np.uint8)


def no_hdf5(session: Session) -> None:
    stack_of(session, 2).write_bytes(b"not there yet")


def other_movie(session: Session) -> None:
    shutil.copy(stack_of(session, 1), stack_of(session, 2))


def many_bad(session: Session) -> None:
    with h5py.File(stack_of(session, 2), "r+") as file:
        for name in list(file)[:-3]:
            del file[name]
            file[name] = np.zeros((2, 2, 32, 32), np.uint8)


def one_bad(session: Session) -> None:
    with h5py.File(stack_of(session, 2), "r+") as file:
        name = list(file)[3]
        del file[name]
        file[name] = np.zeros((2, 2, 32, 32), np.uint8)


def part_beside(session: Session) -> None:
    shutil.copy(stack_of(session, 2), stack_of(session, 2).with_name("images_2_p1.mat"))


# Of a movie some tracklets of which could not be read nothing but the record tells: its result is whole.
@pytest.mark.parametrize(
    ("damage", "has_result", "has_record"),
    [
        (no_tracklet, True, True), (no_tracklet, True, False), (no_tracklet, False, True), (no_hdf5, True, False),
        (other_movie, True, True), (many_bad, True, True), (one_bad, True, True), (one_bad, False, True),
        (part_beside, True, False),
    ],
)  # fmt: skip
def test_missing_after_a_failure_says_the_fault_again(session, damage, has_result, has_record):
    if has_result:
        classify(session.experiment, HERE)
    whole = stack_of(session, 2).read_bytes()
    damage(session)
    with pytest.raises(ClassificationError) as first:
        classify(session.experiment, HERE)
    if not has_record:
        shutil.rmtree(session.layout.runs)
    found = session_status(session, "classify")
    assert 2 in found.without_result or not has_record
    with pytest.raises(ClassificationError) as second:
        classify(session.experiment, MISSING)
    assert str(second.value) == str(first.value)
    assert second.value.report.experiments[0].skipped == [1]
    (session.layout.images / "images_2_p1.mat").unlink(missing_ok=True)
    (session.layout.images / "images_2.mat").write_bytes(whole)
    assert classify(session.experiment, MISSING).experiments[0].movies == [2]
    assert session_status(session, "classify").without_result == []
    assert classify(session.experiment, MISSING).experiments[0].skipped == [1, 2]


def test_missing_does_a_movie_again_whose_run_was_killed(session):
    classify(session.experiment, HERE)
    record = start_record(session, "classify", [1, 2])
    record.begun({1: [stack_of(session, 1)]})  # and that is the end of its process
    found = session_status(session, "classify")
    assert [(movie.movie, movie.reason) for movie in found.of(MovieState.FAILED)] == [
        (1, "the run was ended while the movie was worked on"),
        (2, "the run was ended before it came to the movie"),
    ]
    assert classify(session.experiment, MISSING).experiments[0].movies == [1, 2]


def test_missing_leaves_movies_of_a_run_alone_that_somebody_stopped(session):
    classify(session.experiment, HERE)
    record = start_record(session, "classify", [1, 2])
    record.begun({1: [stack_of(session, 1)]})
    record.end()
    assert classify(session.experiment, MISSING).experiments[0].skipped == [1, 2]


def test_a_folder_of_results_that_is_removed_meanwhile_is_an_error_and_not_made_anew(session):
    with pytest.raises(ClassificationError, match="labels"):
        classify(session.experiment, HERE, reporter=Meanwhile(lambda: shutil.rmtree(session.labels_dir)))
    assert not session.labels_dir.exists()


def test_results_that_are_removed_meanwhile_are_an_error(session):
    def remove():
        (session.labels_dir / "autoids_1.csv").unlink()

    steps = len(names_in(stack_of(session, 1))) // 48 + 2
    with pytest.raises(ClassificationError, match="results of movies 1 were removed"):
        classify(session.experiment, HERE, reporter=Meanwhile(remove, steps))


def test_a_session_that_is_removed_meanwhile_is_not_created_anew(session):
    with pytest.raises(ClassificationError):
        classify(session.experiment, HERE, reporter=Meanwhile(lambda: shutil.rmtree(session.path)))
    assert not session.path.exists()


# --- several sessions


def test_which_of_several_sessions_is_taken_is_said_and_equal_times_ask(session):
    other = session.experiment / "older"
    shutil.copytree(session.path, other)
    os.utime(other / "parameters" / "Trck.mat", (1000, 1000))
    listener = Listener()
    result = classify(session.experiment, ClassifyOptions(workers=1, movies=[1]), reporter=listener)
    assert result.experiments[0].session == session
    assert any(f"session {session.name}, the latest of 2" in text for text in listener.said)
    shutil.copystat(session.path / "parameters" / "Trck.mat", other / "parameters" / "Trck.mat")
    with pytest.raises(ClassificationError, match=f"2 sessions of the same time .older, {session.name}.*`session=…`"):
        classify(session.experiment, HERE)
    named = ClassifyOptions(workers=1, movies=[1], session="older")
    assert classify(session.experiment, named).experiments[0].session.path == other


# --- tracklets, workers, drives, memory


def failing_at(monkeypatch, error, *, tracklet=None):
    """Let reading one tracklet fail, wherever it is read in this process."""
    from antrax.io.stacks import Stack

    read = Stack.pieces

    def pieces(self, name):
        if name == tracklet:
            raise error
        return read(self, name)

    monkeypatch.setattr(Stack, "pieces", pieces)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "memory ran out; use fewer workers (`workers=1`)"),
        (TypeError("no such thing"), "This is a mistake in antrax"),
        (RuntimeError("Unable to read"), "This is a mistake in antrax"),
    ],
)
def test_whatever_is_raised_for_a_tracklet_costs_that_tracklet(session, monkeypatch, tmp_path, error, said):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = names_in(stack_of(session, 2))
    failing_at(monkeypatch, error, tracklet=names[5])
    with pytest.raises(ClassificationError) as raised:
        classify(session.experiment, HERE)
    (report,) = raised.value.report.experiments
    assert (report.movies, report.unread) == ([1, 2], [names[5]])
    assert names[5] in report.failures[0] and said in report.failures[0]
    table = antrax.read_results(session, [2])
    assert list(table.index) == names
    assert table.loc[names[5], ["label", "score", "best_frame"]].tolist() == [UNKNOWN, 0, 0]


def test_the_images_of_a_bad_tracklet_are_not_taken_for_those_of_another(session, monkeypatch):
    """Also where it fails in the middle, when some of its images were shown to the network already."""
    from antrax.io.stacks import Stack

    classify(session.experiment, HERE)
    whole = antrax.read_results(session, [2])
    with open_stack(stack_of(session, 2)) as stack:
        bad = max((name.name for name in stack.tracklets()), key=stack.count)
    read = Stack.pieces

    def pieces(self, name):
        for piece in read(self, name):
            yield piece[:3] if name == bad else piece
            if name == bad:
                raise ValueError("the rest is damaged")

    monkeypatch.setattr(Stack, "pieces", pieces)
    with pytest.raises(ClassificationError, match="the rest is damaged"):
        classify(session.experiment, HERE)
    others = antrax.read_results(session, [2]).drop(bad)
    assert others.equals(whole.drop(bad))


def test_a_drive_that_fails_costs_the_movie_and_is_called_that(session, monkeypatch):
    classify(session.experiment, HERE)
    before = contents(session)
    failing_at(monkeypatch, OSError(errno.EIO, "Input/output error"), tracklet=names_in(stack_of(session, 2))[5])
    with pytest.raises(ClassificationError, match="its drive fails or was disconnected") as raised:
        classify(session.experiment, HERE)
    assert raised.value.report.experiments[0].movies == [1]
    assert "tracking step" not in str(raised.value)
    assert contents(session)["autoids_2.csv"] == before["autoids_2.csv"]


def test_a_movie_most_of_which_cannot_be_read_keeps_its_earlier_result(session):
    classify(session.experiment, HERE)
    before = contents(session)
    with h5py.File(stack_of(session, 2), "r+") as file:
        for name in list(file)[:-3]:
            del file[name]
            file[name] = np.zeros((2, 2, 32, 32), np.uint8)
    with pytest.raises(ClassificationError, match="cannot be read, so none is labelled"):
        classify(session.experiment, HERE)
    assert contents(session)["autoids_2.csv"] == before["autoids_2.csv"]


def test_every_dataset_has_a_row_in_the_order_of_its_bytes(session):
    with h5py.File(stack_of(session, 2), "r+") as file:
        file["trj_id0_ti2_1_tf2_3"] = np.zeros((0, 3, 32, 32), np.uint8)
        expected = sorted(file, key=str.encode)
    classify(session.experiment, HERE)
    assert list(antrax.read_results(session, [2]).index) == expected
    assert antrax.read_results(session, [2]).loc["trj_id0_ti2_1_tf2_3", "label"] == UNKNOWN


def dying_rule(probabilities, labels, categories, passed):
    """Ends its process with a tracklet of exactly so many images."""
    if len(probabilities) == int(os.environ["DYING"]):
        os.kill(os.getpid(), getattr(signal, os.environ["DYING_OF"]))
    return Decision(UNKNOWN, 0.5, UNKNOWN, UNKNOWN, 0.1, 0.0, 0, len(probabilities))


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize(("signal_name", "said"), [("SIGKILL", "memory ran out"), ("SIGSEGV", "crashed (SIGSEGV)")])
def test_a_tracklet_that_no_worker_survives_costs_that_tracklet(session, monkeypatch, signal_name, said):
    images = np.full((77, 32, 32, 3), 90, np.uint8)
    with open_stack(stack_of(session, 2)) as stack:
        content = [(name.name, stack.read(name.name)) for name in stack.tracklets()][:5]
    bad = "trj_id99_ti2_1_tf2_77"
    write_stacks(stack_of(session, 2), [*content, (bad, images)])
    monkeypatch.setenv("DYING", "77")
    monkeypatch.setenv("DYING_OF", signal_name)
    with pytest.raises(ClassificationError) as raised:
        classify(session.experiment, ClassifyOptions(workers=2, device="cpu"), rule=dying_rule)
    (report,) = raised.value.report.experiments
    assert (report.movies, report.unread) == ([1, 2], [bad])
    assert said in report.failures[0]
    assert len(antrax.read_results(session, [2])) == 6


def test_a_worker_that_is_killed_once_costs_nothing_and_is_told(session, tmp_path):
    killed = tmp_path / "killed"

    def rule(probabilities, labels, categories, passed, mark=killed):
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Decision(UNKNOWN, 0.5, UNKNOWN, UNKNOWN, 0.1, 0.0, 0, len(probabilities))

    listener = Listener()
    result = classify(session.experiment, ClassifyOptions(workers=2, device="cpu"), rule=rule, reporter=listener)
    assert result.experiments[0].movies == [1, 2]
    assert any("a worker process was killed" in text and "`workers=1`" in text for text in listener.warned)


# --- ends


SCRIPT = """
import os, sys, time
import antrax
from antrax.io.results import Decision

def rule(probabilities, labels, categories, passed):
    os.write(1, b"deciding\\n")  # in one go: two workers say it
    time.sleep(60)

antrax.classify(sys.argv[1], antrax.ClassifyOptions(workers=2, device="cpu"), rule=rule)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_run_that_is_killed_leaves_no_process_and_the_next_clears_its_files(session):
    with python("-c", SCRIPT, session.experiment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "deciding\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []
    assert list(session.labels_dir.glob(".classify.*"))
    classify(session.experiment, HERE)
    assert not [path for path in session.labels_dir.iterdir() if path.name.startswith(".")]


class Swallowing:
    """An object whose finalizer is interrupted: Python prints that, and goes on."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("where", ["callback", "finalizer", "start"])
def test_an_interrupt_counts_wherever_it_arrives(session, where, capsys):
    def interrupt(*_):
        signal.raise_signal(signal.SIGINT)

    def in_callback():
        with contextlib.suppress(KeyboardInterrupt):  # as another library might
            interrupt()

    def in_finalizer():
        thing = Swallowing()
        alive = weakref.ref(thing, interrupt)
        del thing
        assert alive() is None

    class AtStart(Listener):
        def say(self, message):
            in_callback()

    reporter = AtStart() if where == "start" else Meanwhile(in_callback if where == "callback" else in_finalizer)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        classify(session.experiment, HERE, reporter=reporter)
    assert signal.getsignal(signal.SIGINT) is before
    assert contents(session) == {}


# --- what can be replaced


def test_another_rule_decides(session):
    def everything_is_the_first_ant(probabilities, labels, categories, passed):
        label = session_ants[0]
        return Decision(label, 1.0, label, labels[0], 0.0, float(len(probabilities)), 1, len(probabilities))

    session_ants = session.labels.ants
    classify(session.experiment, HERE, rule=everything_is_the_first_ant)
    assert set(antrax.read_results(session)["label"]) == {session_ants[0]}


def test_a_rule_that_gives_labels_that_are_none_is_refused(session):
    def rule(probabilities, labels, categories, passed):
        return Decision("nobody", 1.0, "nobody", labels[0], 0.0, 1.0, 1, 1)

    with pytest.raises(ClassificationError, match="'nobody', which is no label"):
        classify(session.experiment, HERE, rule=rule)
    assert contents(session) == {}


class Uniform:
    """A network that knows nothing."""

    def __init__(self, outputs):
        self.outputs = outputs

    def __call__(self, images):
        return np.full((len(images), self.outputs), -np.log(self.outputs), np.float32)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_engine_from_outside_is_one_entry(session, monkeypatch, workers):
    engine = Engine(
        "uniform", ("cpu",), lambda: True, lambda graph, weights: graph.outputs, lambda n, device, threads: Uniform(n)
    )
    monkeypatch.setitem(ENGINES, "uniform", engine)
    result = classify(session.experiment, ClassifyOptions(workers=workers, device="cpu", engine="uniform"))
    assert result.engine == "uniform"
    table = antrax.read_results(session)
    assert set(table["label"]) == {UNKNOWN}
    assert antrax.read_frame_probabilities(session, 1, table.index[0]).to_numpy().std() == pytest.approx(0, abs=1e-6)


def test_an_engine_that_is_not_there_is_refused_with_those_that_are(session):
    with pytest.raises(OptionError, match=r"'nothing': there is auto, onnx, openvino, torch"):
        classify(session.experiment, ClassifyOptions(engine="nothing"))


def test_a_network_that_fails_is_no_fault_of_a_tracklet(session, monkeypatch):
    def broken(images):
        raise RuntimeError("the card is gone")

    engine = Engine("broken", ("cpu",), lambda: True, lambda *_: None, lambda *_: broken)
    monkeypatch.setitem(ENGINES, "broken", engine)
    with pytest.raises(ClassificationError, match="the card is gone") as raised:
        classify(session.experiment, ClassifyOptions(workers=1, device="cpu", engine="broken"))
    assert raised.value.report.experiments[0].unread == []
    assert contents(session) == {}
