"""`--hpc` and `antrax status` with a real SLURM: a movie that fails holds up no other, and is done by a second try."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from antrax.cli.main import cli
from antrax.cluster.jobs import read_jobs, submit
from antrax.io.layout import ClusterLayout
from antrax.io.session import Session, open_session
from tests.fixtures.slurm import Slurm
from tests.fixtures.trained import Trained

pytestmark = pytest.mark.slow
OPTIONS = "cpus=1,mem-per-cpu=500M,time=20,throttle=2"


@pytest.fixture
def session(trained: Trained, tmp_path: Path) -> Session:
    """The trained demo in a folder whose name no shell would like."""
    folder = tmp_path / 'it\'s "odd" [%a] $HOME'
    folder.mkdir()
    trained.copy_to(folder / "demo")
    return open_session(folder / "demo")


@pytest.fixture(autouse=True)
def nothing_left(slurm: Slurm) -> Iterator[None]:
    """A test that failed leaves no job, which would hold up the others."""
    yield
    slurm.cancel_all()


def antrax(*arguments: object) -> str:
    answer = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


def states(session: Session, command: str = "classify") -> dict[int, str]:
    return {int(movie): values["state"] for movie, values in movies(session, command).items()}


def movies(session: Session, command: str = "classify") -> dict[str, dict[str, str]]:
    answer = CliRunner().invoke(cli, ["status", str(session.experiment), "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    (found,) = json.loads(answer.stdout)
    return found[command]["movies"]


def job_of(session: Session, command: str = "classify") -> str:
    job = read_jobs(session.layout.cluster, command)[-1]
    assert job.number is not None
    return job.number


def test_a_bad_movie_fails_alone_is_told_and_done_by_a_second_try(slurm: Slurm, session: Session, monkeypatch) -> None:
    # each movie a task, for there is little work in one
    monkeypatch.setattr("antrax.cluster.chunks.TASK_SECONDS", 1.0)
    stack = session.layout.file("images", 2)
    whole = stack.read_bytes()
    stack.write_bytes(whole[:1000])
    said = antrax("classify", session.experiment, "--hpc", "--hpc-options", OPTIONS, "--nw", "1")
    assert f"4 tasks for 4 movies: {session.path / 'logs' / 'cluster'}" in said
    slurm.wait(job_of(session))
    assert states(session) == {1: "done", 2: "failed", 3: "done", 4: "done"}, slurm.logs()
    shown = antrax("status", session.experiment)
    assert "4 movies: 3 done, 1 failed" in shown
    assert f"movie 2 failed: {stack}" in shown
    (job,) = read_jobs(session.layout.cluster, "classify")
    log = job.folder / f"task_{job.number}_2.log"
    assert f"log: {log}" in shown
    assert f"error: {stack}" in log.read_text()
    assert [task.exit for task in job.tasks] == [0, 1, 0, 0]

    stack.write_bytes(whole)
    said = antrax("classify", session.experiment, "--hpc", "--hpc-options", OPTIONS, "--missing")
    assert "1 task for 1 movie: " in said
    slurm.wait(job_of(session))
    assert set(states(session).values()) == {"done"}
    assert "all movies have a result already" in antrax("classify", session.experiment, "--hpc", "--missing")


def test_a_task_that_is_killed_is_told_with_what_the_cluster_says(slurm: Slurm, session: Session, monkeypatch) -> None:
    antrax("classify", session.experiment, "--hpc", "--dry", "--movlist", "1,2")
    # people may change a script: here the task waits, so that it can be cancelled
    script, number = submit_changed(session, "\nunset ANTRAX_HPC\n", "\nsleep 600\n")
    slurm.wait_for("RUNNING", number)
    log = script.parent / f"task_{number}_1.log"
    slurm.wait_until(log.exists, number)
    assert states(session) == {1: "running", 2: "running", 3: "waiting", 4: "waiting"}
    slurm.cancel(number)
    monkeypatch.setattr("antrax.cluster.jobs._QUIET_SECONDS", 0.0)
    first = movies(session)["1"]
    assert first["state"] == "failed"
    assert "task 1 was ended before it came to the movie: " in first["reason"]
    assert "CANCELLED" in first["reason"]
    assert first["log"] == str(log)


def test_solving_waits_for_the_classification_however_that_ends(slurm: Slurm, session: Session) -> None:
    antrax("classify", session.experiment, "--hpc", "--hpc-options", f"{OPTIONS},after=1", "--dry")
    _, first = submit_changed(session, "#SBATCH --dependency=afterany:1\n", "#SBATCH --hold\n")
    (session.path / "graphs").mkdir(exist_ok=True)
    (session.path / "graphs" / "graph_1_1.mat").write_bytes(b"no graph")
    antrax("solve", session.experiment, "--hpc", "--hpc-options", OPTIONS)
    solving = job_of(session, "solve")
    slurm.wait_for("PENDING (Dependency)", solving)
    assert states(session, "solve") == {1: "queued"}
    slurm.cancel(first)  # it never does anything, and the next begins all the same
    slurm.wait(solving)
    assert states(session, "solve") == {1: "failed"}
    assert "graph_1_1.mat" in antrax("status", session.experiment)


def test_a_classification_does_not_begin_after_a_training_that_failed(slurm: Slurm, session: Session) -> None:
    classifier = session.layout.classifier.classifier()
    classifier.unlink()
    shutil.rmtree(session.layout.classifier.examples)
    session.layout.classifier.examples.mkdir()
    antrax("train", session.experiment, "--hpc", "--hpc-options", OPTIONS)
    (training,) = read_jobs(session.layout.classifier.cluster, "train")
    antrax("classify", session.experiment, "--hpc", "--hpc-options", OPTIONS)
    waiting = job_of(session)
    assert training.number
    slurm.wait(training.number)
    slurm.wait(waiting)
    assert read_jobs(session.layout.classifier.cluster, "train")[0].tasks[0].exit == 1
    assert [task.log for task in read_jobs(session.layout.cluster, "classify")[0].tasks] == [None]


def submit_changed(session: Session, old: str, new: str) -> tuple[Path, str]:
    """Change the one script for classification and submit it; returns it and the number of the job."""
    (folder,) = session.layout.cluster.jobs("classify")
    script = ClusterLayout.script(folder, "classify")
    text = script.read_text(encoding="utf-8")
    assert text.count(old) == 1
    script.write_text(text.replace(old, new), encoding="utf-8")
    return script, submit(script)
