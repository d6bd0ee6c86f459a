"""`antrax status`: from files alone, what is done, stale, runs, waits or failed, and why."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from antrax.classification.classifier_file import read_classifier, write_classifier
from antrax.classification.run import ClassifyOptions, classify
from antrax.cli.main import cli
from antrax.cluster.jobs import new_folder, write_job
from antrax.cluster.options import HpcOptions
from antrax.cluster.script import Script
from antrax.cluster.status import MovieState, MovieStatus, session_status, status
from antrax.errors import ClassificationError
from antrax.io.layout import ClusterLayout
from antrax.io.locks import claim
from antrax.io.processes import ProcessTag, this_process
from antrax.io.runs import LOG_VARIABLE, read_runs, start_record
from antrax.io.session import Session, open_session
from tests.fixtures.classified import classify_by_truth

HERE = ClassifyOptions(workers=1, device="cpu")
OLD = 1_600_000_000


@pytest.fixture
def session(small_demo, tmp_path: Path) -> Session:
    """Two movies, not classified."""
    shutil.copytree(small_demo.directory, tmp_path / "demo")
    made = open_session(tmp_path / "demo")
    for paths in made.stacks.values():
        for path in paths:
            os.utime(path, (OLD, OLD))
    made.labels_dir.mkdir(exist_ok=True)
    return made


def movies(session: Session, command: str = "classify") -> dict[int, MovieStatus]:
    found = session_status(session, command)
    assert found is not None
    return {movie.movie: movie for movie in found.movies}


def states(session: Session, command: str = "classify") -> list[str]:
    return [movie.state.value for movie in movies(session, command).values()]


def kill(session: Session) -> None:
    """Let the last run be one whose process has ended."""
    run = read_runs(session, "classify")[-1]
    dead = ProcessTag(this_process().machine, this_process().pid, 1)
    run.path.write_text(run.path.read_text(encoding="utf-8").replace(run.process, str(dead)), encoding="utf-8")


# --- without any record: results that others made


def test_without_results_everything_waits_and_with_results_all_is_done(session):
    assert states(session) == ["waiting", "waiting"]
    classify_by_truth(session)
    assert states(session) == ["done", "done"]
    # as the original leaves a movie that it tracked again
    session.layout.file("autoids", 2).unlink()
    assert states(session) == ["done", "stale"]
    assert movies(session)[2].reason == "its labels are gone, and confidences of an earlier tracking are there"
    for kind in ("confidence", "frameprobs"):
        session.layout.file(kind, 2).unlink()
    assert states(session) == ["done", "waiting"]


def test_a_result_whose_files_do_not_belong_together_is_stale(session):
    classify_by_truth(session)
    some = session.layout.file("autoids", 1).read_text(encoding="utf-8").splitlines(keepends=True)
    session.layout.file("autoids", 1).write_text("".join(some[:-1]), encoding="utf-8")
    first = movies(session)[1]
    assert (first.state, first.reason) == (
        MovieState.STALE,
        "the files of its result do not belong together, or are damaged",
    )
    assert movies(session)[2].state is MovieState.DONE


def test_a_result_that_is_older_than_its_images_is_stale(session):
    classify_by_truth(session)
    os.utime(session.layout.file("images", 2))
    os.utime(session.layout.file("autoids", 2), (OLD, OLD))
    found = movies(session)
    assert [movie.state for movie in found.values()] == [MovieState.DONE, MovieState.STALE]
    assert found[2].reason == "its images have changed since"
    assert session_status(session, "classify").without_result == [2]


# --- runs


def test_a_run_is_followed_from_movie_to_movie(session):
    stacks = {movie: list(paths) for movie, paths in session.stacks.items()}
    with claim(session.labels_dir, "classify", [1, 2]):
        record = start_record(session, "classify", [1, 2])
        assert states(session) == ["queued", "queued"]
        record.begun({1: stacks[1]})
        assert states(session) == ["running", "queued"]
        assert f"process {os.getpid()} on " in movies(session)[1].where
        record.failed(1, "images_1.mat is damaged")
        record.begun({2: stacks[2]})
        assert states(session) == ["failed", "running"]
        record.end()
    # who stops a run by Ctrl-C needs not be told that it failed
    assert states(session) == ["failed", "waiting"]
    assert movies(session)[1].reason == "images_1.mat is damaged"


def test_a_run_that_was_killed_is_told_with_its_log(session, tmp_path, monkeypatch):
    log = tmp_path / "my.log"
    log.write_text("classifying: 3%\nKilled\n")
    monkeypatch.setenv(LOG_VARIABLE, str(log))
    start_record(session, "classify", [1, 2]).begun({1: []})
    kill(session)
    found = movies(session)
    assert [movie.state for movie in found.values()] == [MovieState.FAILED, MovieState.FAILED]
    assert found[1].reason == "the run was ended while the movie was worked on: Killed"
    assert found[2].reason == "the run was ended before it came to the movie: Killed"
    assert found[1].log == str(log)
    classify_by_truth(session)  # by whatever means: a result is a result
    assert states(session) == ["done", "done"]


def test_a_failed_movie_keeps_its_earlier_result_and_that_is_said(session):
    classify_by_truth(session)
    os.utime(session.layout.file("autoids", 1), (OLD + 1, OLD + 1))
    start_record(session, "classify", [1]).failed(1, "a drive failed")
    assert movies(session)[1] == MovieStatus(
        1, MovieState.FAILED, "a drive failed", None, movies(session)[1].where, has_result=True
    )
    shown = CliRunner().invoke(cli, ["status", str(session.experiment)]).output
    assert "movie 1 failed: a drive failed; it has an earlier result" in shown


# --- jobs of a cluster


@pytest.fixture
def job(session) -> Path:
    """The folder of a job with a task for each movie, submitted as number 7."""
    folder = new_folder(session.layout.cluster, "classify", session.path)
    script = Script(ClusterLayout.script(folder, "classify"), "t", "n", ("true",), ("1", "2"), 1, "1:00:00")
    write_job(script, HpcOptions(), "classify", [[1], [2]])
    record = ClusterLayout.record(folder)
    record.write_text(record.read_text().replace('"number": null', '"number": "7"'))
    return folder


def test_tasks_are_queued_until_they_have_a_log(session, job):
    assert states(session) == ["queued", "queued"]
    assert movies(session)[2].where == "job 7, task 2"
    (job / "task_7_1.log").write_text("")
    assert states(session) == ["running", "queued"]
    (job / "task_7_1.log").write_text("bash: python: command not found\n")
    (job / "task_7_1.exit").write_text("127\n")
    found = movies(session)
    assert found[1].state is MovieState.FAILED
    assert found[1].reason == (
        "task 1 ended with exit status 127 before it came to the movie: bash: python: command not found"
    )
    assert found[1].log == str(job / "task_7_1.log")


def test_what_was_done_otherwise_since_the_job_was_written_counts(session, job):
    (job / "task_7_1.log").write_text("error: no licence\n")
    (job / "task_7_1.exit").write_text("1\n")
    classify_by_truth(session)
    os.utime(job / "task_7_1.log", (OLD, OLD))
    record = start_record(session, "classify", [1, 2])
    for movie in (1, 2):
        record.begun({movie: session.stacks[movie]})
        record.done(movie, [session.layout.file("autoids", movie)])
    record.end()
    assert states(session) == ["done", "done"]


def test_the_log_of_a_run_in_a_task_is_found_wherever_the_drive_is(session, job, monkeypatch):
    (job / "task_7_1.log").write_text("error: x\n")
    (job / "task_7_1.exit").write_text("1\n")
    monkeypatch.setenv(LOG_VARIABLE, f"/on/the/node/{job.name}/task_7_1.log")
    record = start_record(session, "classify", [1])
    record.failed(1, "images_1.mat is damaged")
    record.end()
    found = movies(session)[1]
    assert (found.reason, found.log) == ("images_1.mat is damaged", str(job / "task_7_1.log"))


# --- several experiments


def test_an_experiment_that_cannot_be_read_costs_only_itself(session, tmp_path):
    (tmp_path / "list.txt").write_text("demo\nmissing\n")
    answer = CliRunner().invoke(cli, ["status", str(tmp_path / "list.txt"), "--json"])
    assert answer.exit_code == 1
    first, second = json.loads(answer.stdout)
    assert first["classify"]["waiting"] == 2
    assert first["classify"]["movies"]["2"]["state"] == "waiting"
    assert second["experiment"] == str(tmp_path / "missing")
    assert "does not exist" in second["failure"]


def test_a_session_without_anything_to_do_is_told(session):
    for paths in session.stacks.values():
        for path in paths:
            path.unlink()
    assert status(session.experiment)[0].commands == ()
    assert "nothing is tracked" in CliRunner().invoke(cli, ["status", str(session.experiment)]).output


# --- real runs


def test_what_classify_leaves_tells_what_is_stale_and_why(trained, tmp_path):
    session = trained.copy(tmp_path)
    for movie in (3, 4):
        session.layout.file("images", movie).unlink()
    stack = session.layout.file("images", 2)
    whole = stack.read_bytes()
    stack.write_bytes(whole[:1000])
    with pytest.raises(ClassificationError):
        classify(session.experiment, HERE)
    assert states(session) == ["done", "failed"]
    assert "images_2.mat" in movies(session)[2].reason
    stack.write_bytes(whole)
    result = classify(session.experiment, ClassifyOptions(workers=1, device="cpu", missing=True))
    assert result.experiments[0].movies == [2]
    assert states(session) == ["done", "done"]
    # as a copy, whose times are others
    shutil.copytree(session.experiment, tmp_path / "copy" / "demo", copy_function=shutil.copy)
    assert states(open_session(tmp_path / "copy" / "demo")) == ["done", "done"]

    classifier = session.layout.classifier.classifier()
    changed = read_classifier(classifier)
    name = min(changed.weights)
    changed.weights[name] = changed.weights[name] + 1
    write_classifier(changed, classifier)
    assert {movie.reason for movie in movies(session).values()} == {"the classifier has changed since"}
    assert session_status(session, "classify").without_result == []

    os.utime(session.layout.file("images", 1))
    assert movies(session)[1].reason == "its images have changed since"


def test_a_classifier_that_was_replaced_is_refused_where_another_is_meant(trained, tmp_path):
    session = trained.copy(tmp_path)
    digest = read_classifier(session.layout.classifier.classifier()).digest()
    with pytest.raises(ClassificationError, match=f"is another classifier than the one that was meant.*{digest}"):
        classify(session.experiment, ClassifyOptions(movies=[1], workers=1, device="cpu", digest="00"))
    assert not list(session.path.glob("labels/autoids*"))
    options = ClassifyOptions(movies=[1], workers=1, device="cpu", digest=digest)
    assert classify(session.experiment, options).experiments[0].movies == [1]
