"""Training, classifying and grouping in the background, as the page sees it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from antrax.app.jobs.manager import Jobs
from antrax.demo import generate_experiment
from antrax.errors import JobError
from antrax.io.locks import only_writer
from antrax.io.session import Session, open_session
from antrax.networks.devices import processors

# Patience, not a measurement: a busy machine trains at a twentieth of its rate.
WAIT_S = 900


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    made = Jobs()
    yield made
    made.close()


@pytest.fixture
def session(small_demo, tmp_path) -> Session:
    shutil.copytree(small_demo.directory, tmp_path / "demo")
    return open_session(tmp_path / "demo")


def wait(jobs: Jobs, session: Session, until: Callable[[dict], bool] = lambda state: state["state"] != "running"):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        state = jobs.state(session)
        if until(state):
            return state
        assert state["state"] == "running", state
        time.sleep(0.05)
    raise AssertionError(f"nothing came of it: {state}")


_earlier: set[psutil.Process] = set()


@pytest.fixture(autouse=True)
def of_earlier_tests() -> None:
    """Processes that earlier tests left to this one, such as trackers of workers."""
    _earlier.clear()
    _earlier.update(psutil.Process().children(recursive=True))


def family() -> list[psutil.Process]:
    """What this test started and what that started."""
    return [process for process in psutil.Process().children(recursive=True) if process not in _earlier]


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=10)
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive if process.is_running())


def at_work(state: dict) -> bool:
    """Whether a job is so far that it works on images, with all its libraries and workers."""
    return state["title"] in ("training", "classifying") and state["done"] > 0


# --- what goes wrong


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("train", {"epochs": 0}),
        ("train", {"epochs": 1001}),
        ("train", {"epochs": True}),
        ("train", {"epochs": 2.5}),
        ("train", {"epochs": "5"}),
        ("train", {"scratch": 1}),
        ("train", {"movies": None}),
        ("train", {"name": "../../evil"}),
        ("classify", {"movies": []}),
        ("classify", {"movies": ["1"]}),
        ("classify", {"movies": 1}),
        ("classify", {"max_error": 0.0}),
        ("classify", {"max_error": 1.0}),
        ("classify", {"max_error": float("nan")}),
        ("classify", {"missing": None}),
        ("classify", {"classifier": "/etc/passwd"}),
        ("group", {"groups": 1}),
        ("group", {"groups": "5"}),
        ("group", {"epochs": 5}),
        ("tidy", {}),
    ],
)
def test_options_that_cannot_be_used_start_nothing(jobs, session, kind, options):
    with pytest.raises(JobError):
        jobs.start(session, kind, options)
    assert jobs.state(session) is None
    assert not jobs.running()


def test_classifying_without_a_classifier_says_so(jobs, session):
    jobs.start(session, "classify", {"movies": None, "missing": False, "max_error": 0.01})
    state = wait(jobs, session)
    assert state["state"] == "failed"
    assert "train one first" in state["error"]
    assert "\n" not in state["error"]
    assert (state["kind"], state["id"]) == ("classify", 1)


def test_training_without_examples_says_so(jobs, session):
    shutil.rmtree(session.classifier_dir / "examples")
    jobs.start(session, "train", {})
    assert "label some tracklets first" in wait(jobs, session)["error"]


def test_grouping_without_images_says_so(jobs, session):
    for paths in session.stacks.values():
        for path in paths:
            path.unlink()
    jobs.start(session, "group", {})
    state = wait(jobs, session)
    assert (state["kind"], state["state"]) == ("group", "failed")
    assert "there is nothing to group" in state["error"]


def test_an_experiment_that_is_gone_is_told(jobs, session):
    shutil.rmtree(session.experiment)
    jobs.start(session, "train", {})
    assert "does not exist" in wait(jobs, session)["error"]


def test_after_a_failure_one_can_try_again(jobs, session):
    for number in (1, 2):
        jobs.start(session, "classify", {})
        assert wait(jobs, session)["id"] == number
        assert not jobs.running()


def test_a_broken_classifier_is_told(jobs, session):
    (session.classifier_dir / "classifier.h5").write_bytes(b"nonsense")
    jobs.start(session, "classify", {})
    assert "classifier.h5" in wait(jobs, session)["error"]


def test_somebody_elses_job_in_the_same_session_is_not_disturbed(jobs, session):
    with only_writer(session.layout.classifier.job_lock, task="a training of Anna's"):
        jobs.start(session, "classify", {})
        assert "a training of Anna's" in (error := wait(jobs, session)["error"])
        assert "is at work in" in error


def started(jobs, session, command, options) -> psutil.Process:
    """The process of a job that is started; this one may have others, such as what workers of other tests left."""
    others = {process.pid for process in psutil.Process().children()}
    jobs.start(session, command, options)
    (child,) = (process for process in psutil.Process().children() if process.pid not in others)
    return child


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL to send")
def test_a_process_that_dies_is_told(jobs, session):
    child = started(jobs, session, "train", {"epochs": 1000})
    wait(jobs, session, at_work)
    child.kill()
    state = wait(jobs, session)
    assert state["state"] == "failed"
    assert "memory ran out" in state["error"]


# --- the end


@pytest.mark.skipif(os.name == "nt", reason="other signals")
def test_training_that_is_stopped_is_gone_with_all_its_processes(jobs, session):
    jobs.start(session, "train", {"epochs": 1000})
    with pytest.raises(JobError, match="already training here"):
        jobs.start(session, "classify", {})
    wait(jobs, session, at_work)
    processes = family()
    jobs.stop(session)
    state = jobs.state(session)
    assert (state["state"], state["error"]) == ("stopped", None)
    assert gone(processes)
    assert not (session.classifier_dir / "classifier.h5").exists()
    assert not list(session.path.rglob("*.part"))
    jobs.stop(session)  # again: nothing to do


def test_stopping_where_nothing_runs_does_nothing(jobs, session):
    jobs.stop(session)
    assert jobs.state(session) is None


def test_after_closing_nothing_runs_and_nothing_is_started(jobs, session):
    jobs.start(session, "train", {"epochs": 1000})
    processes = family()
    assert processes
    jobs.close()
    assert gone(processes)
    assert jobs.state(session)["state"] == "stopped"
    with pytest.raises(JobError, match="about to end"):
        jobs.start(session, "train", {})


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL to send")
def test_a_process_that_hangs_is_killed(jobs, session):
    child = started(jobs, session, "train", {"epochs": 1000})
    child.suspend()
    jobs.stop(session)
    assert jobs.state(session)["state"] == "stopped"
    assert gone([child])


_PARENT = """
import sys, time
from antrax.app.jobs.manager import Jobs
from antrax.io.session import open_session
session, jobs = open_session(sys.argv[1]), Jobs()
jobs.start(session, sys.argv[2], {})
while jobs.state(session)["title"] not in ("training", "classifying") or not jobs.state(session)["done"]:
    assert jobs.state(session)["state"] == "running", jobs.state(session)
    time.sleep(0.05)
print("at work", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL to send")
def test_a_job_does_not_outlive_an_app_that_was_killed(session):
    command = [sys.executable, "-c", _PARENT, str(session.experiment), "train"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "at work\n"
        processes = psutil.Process(parent.pid).children(recursive=True)
        assert processes
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert gone(processes)


# --- what goes right


@pytest.fixture(scope="module")
def taught(tmp_path_factory) -> tuple[Session, list[dict], dict]:
    """A small experiment that was trained on by a job; states of that job on its way, and its last."""
    made = generate_experiment(
        tmp_path_factory.mktemp("jobs") / "demo", seed=1, movies=2, tracklets=60, max_frames=8, image_size=24
    )
    # an experiment may hold anything; this is not its training set
    (made.directory / "examples").mkdir()
    session, jobs = open_session(made.directory), Jobs()
    jobs.start(session, "train", {"epochs": 1, "scratch": True})
    on_the_way: list[dict] = []

    def note(state: dict) -> bool:
        on_the_way.append(state)
        return state["state"] != "running"

    state = wait(jobs, session, note)
    jobs.close()
    return session, on_the_way, state


@pytest.fixture
def taught_session(taught, tmp_path) -> Session:
    """A copy of it, to classify."""
    shutil.copytree(taught[0].experiment, tmp_path / "taught")
    return open_session(tmp_path / "taught")


@pytest.mark.xdist_group("jobs")
def test_training_tells_how_far_it_is_and_what_came_of_it(taught):
    session, on_the_way, state = taught
    midway = next(state for state in on_the_way if state["title"] == "training")
    assert (midway["state"], midway["unit"]) == ("running", "images")
    assert midway["total"] > 0
    assert (state["state"], state["error"]) == ("done", None)
    assert state["done"] == state["total"]
    assert any(re.match(r"held out: \d+ tracklets .* of tracklets right", line) for line in state["messages"])
    assert f"classifier: {session.classifier_dir / 'classifier.h5'}" in state["messages"]
    assert (session.classifier_dir / "classifier.h5").exists()


@pytest.mark.xdist_group("jobs")
def test_one_bar_stands_for_all_stages_of_a_training(taught):
    _, on_the_way, state = taught
    assert {"training", "refit on all examples"} <= {each["title"] for each in on_the_way}
    fractions = [each["fraction"] for each in on_the_way if each["fraction"] is not None]
    assert fractions == sorted(fractions)
    assert state["fraction"] == 1


@pytest.mark.xdist_group("jobs")
def test_classifying_tells_what_came_of_it_and_the_next_job_can_start_at_once(jobs, taught_session):
    jobs.start(taught_session, "classify", {"movies": [2], "missing": False, "max_error": 0.05})
    state = wait(jobs, taught_session)
    assert (state["state"], state["id"]) == ("done", 1)
    assert any(line.startswith("1 movie classified: 60 tracklets, of which ") for line in state["messages"])
    assert any("images/s" in line for line in state["messages"])
    assert (taught_session.labels_dir / "autoids_2.csv").exists()
    assert not (taught_session.labels_dir / "autoids_1.csv").exists()
    jobs.start(taught_session, "classify", {"movies": [2], "missing": True})
    assert "nothing was left to classify" in wait(jobs, taught_session)["messages"]
    jobs.start(taught_session, "classify", {"movies": [7]})
    assert "no image stack of movie 7" in wait(jobs, taught_session)["error"]


@pytest.mark.xdist_group("jobs")
def test_where_a_movie_cannot_be_classified_the_others_are(jobs, taught_session):
    taught_session.stacks[1][0].write_text("no images")
    jobs.start(taught_session, "classify", {})
    state = wait(jobs, taught_session)
    assert state["state"] == "failed"
    assert "images_1.mat" in state["error"]
    assert any(line.startswith("1 movie classified") for line in state["messages"])


@pytest.mark.skipif(processors() == 1, reason="one processor has no workers")
@pytest.mark.xdist_group("jobs")
def test_classifying_that_is_stopped_leaves_no_worker(jobs, taught_session):
    jobs.start(taught_session, "classify", {})
    while len(family()) < 3:
        assert jobs.state(taught_session)["state"] == "running"
    processes = family()
    jobs.stop(taught_session)
    assert gone(processes)
    assert jobs.state(taught_session)["state"] == "stopped"
    assert not list(taught_session.path.rglob("*.part"))


def test_two_sessions_have_a_job_each_and_one_cannot_be_started_twice_at_once(jobs, session, make_session):
    other = open_session(make_session("other/s").parent)
    outcomes: list[str] = []

    def start() -> None:
        try:
            jobs.start(session, "train", {"epochs": 1000})
            outcomes.append("started")
        except JobError:
            outcomes.append("refused")

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 7 + ["started"]
    jobs.start(other, "classify", {})
    assert wait(jobs, other)["state"] == "failed"
    assert jobs.state(session)["state"] == "running"
