"""`--hpc --dry`: the scripts that are written, for which movies, and what their tasks do; no cluster is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from antrax.classification.classifier_file import read_classifier, write_classifier
from antrax.cli.main import cli
from antrax.cluster.jobs import read_jobs
from antrax.errors import AntraxError
from antrax.io.layout import ClusterLayout
from antrax.io.session import Session, parse_movie_list
from tests.fixtures.classified import classify_by_truth


def antrax(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def script_of(session: Session, command: str = "classify") -> Path:
    (folder,) = session.layout.cluster.jobs(command)
    return ClusterLayout.script(folder, command)


def tasks_of(script: Path) -> list[list[int]]:
    """The movies of each task, as the script says."""
    lines = re.findall(r"(?m)^movies\[([0-9]+)\]=(\S+)$", script.read_text(encoding="utf-8"))
    assert [int(number) for number, _ in lines] == list(range(1, len(lines) + 1))
    return [list(parse_movie_list(text)) for _, text in lines]


def test_each_experiment_has_its_own_script_and_a_bad_one_costs_only_itself(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("antrax.cluster.chunks.TASK_SECONDS", 1.0)  # each movie would be a task
    sessions = [trained.copy(tmp_path / name) for name in "ab"]
    (tmp_path / "list.txt").write_text("a/demo\nmissing\nb/demo\n", encoding="utf-8")
    answer = antrax("classify", tmp_path / "list.txt", "--hpc", "--dry", "--hpc-options", "max-jobs=5")
    assert isinstance(answer.exception, AntraxError)
    assert f"{tmp_path / 'missing'} does not exist" in str(answer.exception)
    tasks = [tasks_of(script_of(session)) for session in sessions]
    assert sorted(map(len, tasks)) == [2, 3]
    for of_session in tasks:
        assert sorted(movie for task in of_session for movie in task) == [1, 2, 3, 4]
    for session in sessions:
        assert f"not submitted; to do so: sbatch {script_of(session)}" in answer.output
        assert [list(task.movies) for task in read_jobs(session.layout.cluster, "classify")[0].tasks] in tasks


def test_without_sbatch_the_scripts_are_written_and_how_to_submit_them_is_told(trained, tmp_path, monkeypatch):
    session = trained.copy(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = antrax("classify", session.experiment, "--hpc")
    assert isinstance(answer.exception, AntraxError)
    assert f"{script_of(session)} was written, but this machine has no sbatch" in str(answer.exception)


def test_a_task_classifies_its_movies_with_the_classifier_that_was_meant_or_not_at_all(trained, tmp_path):
    session = trained.copy(tmp_path)
    assert antrax("classify", session.experiment, "--hpc", "--dry", "--nw", "1", "--movlist", "2").exit_code == 0
    script = script_of(session)
    package = Path(__file__).parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": str(package), "SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "1"}

    def run_task() -> tuple[int, str]:
        done = subprocess.run(["bash", script], env=environment, capture_output=True, text=True)
        return done.returncode, done.stderr

    code, said = run_task()
    assert code == 0, said
    assert [path.name for path in session.labels_dir.glob("autoids*")] == ["autoids_2.csv"]

    path = session.layout.classifier.classifier()
    changed = read_classifier(path)
    name = min(changed.weights)
    changed.weights[name] = changed.weights[name] + 1
    write_classifier(changed, path)
    before = session.layout.file("autoids", 2).stat().st_mtime_ns
    code, said = run_task()
    assert code == 1
    assert "is another classifier than the one that was meant" in said
    assert session.layout.file("autoids", 2).stat().st_mtime_ns == before


def test_with_missing_only_what_is_not_done_gets_a_task(trained, tmp_path):
    session = trained.copy(tmp_path)
    classify_by_truth(session)
    answer = antrax("classify", session.experiment, "--hpc", "--dry", "--missing")
    assert (answer.exit_code, session.layout.cluster.jobs("classify")) == (0, [])
    assert "all movies have a result already" in answer.output
    session.layout.file("autoids", 3).unlink()
    assert antrax("classify", session.experiment, "--hpc", "--dry", "--missing").exit_code == 0
    assert tasks_of(script_of(session)) == [[3]]
    assert " --missing" in script_of(session).read_text(encoding="utf-8")


@pytest.mark.parametrize("broken", ["labels", "classifier", "movie", "max-error"])
def test_what_every_task_would_fail_on_is_told_at_once(trained, tmp_path, broken):
    session = trained.copy(tmp_path)
    more: tuple[str, ...] = ()
    if broken == "labels":
        session.layout.labels_file.unlink()
    elif broken == "classifier":
        session.layout.classifier.classifier().write_bytes(b"x")
    else:
        more = ("--movlist", "77") if broken == "movie" else ("--max-error", "7")
    answer = antrax("classify", session.experiment, "--hpc", "--dry", *more)
    assert isinstance(answer.exception, AntraxError)
    expected = {"labels": "labels.csv", "classifier": "classifier.h5", "movie": "movie 77", "max-error": "max_error=7"}
    assert expected[broken] in str(answer.exception)
    assert session.layout.cluster.jobs("classify") == []


def test_a_training_is_one_task_beside_the_training_set(trained, tmp_path):
    session = trained.copy(tmp_path)
    answer = antrax("train", session.experiment, "--hpc", "--dry", "--ne", "3", "--hpc-options", "gpus=1,time=30")
    assert answer.exit_code == 0, answer.output
    (folder,) = session.layout.classifier.cluster.jobs("train")
    text = ClusterLayout.script(folder, "train").read_text(encoding="utf-8")
    assert "#SBATCH --array=1\n" in text
    assert "#SBATCH --gres=gpu:1\n" in text
    assert "#SBATCH --time=30\n" in text
    command = f"-m antrax train {session.experiment} \\\n    --session {session.name} \\\n    --ne=3\n"
    assert command in text
    assert "--movlist" not in text


def test_solving_is_a_task_for_each_group_of_movies_within_the_limits(trained, tmp_path):
    session = trained.copy(tmp_path)
    graphs = session.layout.graphs
    graphs.mkdir(exist_ok=True)
    for movie in range(1, 8):
        (graphs / f"graph_{movie}_{movie}.mat").write_bytes(b"")
    parameters = session.layout.parameters_file
    values = json.loads(parameters.read_text(encoding="utf-8"))
    groups = {"graph_groupby": "custom", "graph_groups": [[1, 5], [2, 3, 4], [6]]}
    parameters.write_text(json.dumps(values | groups), encoding="utf-8")

    def tasks(*more: str) -> list[list[int]]:
        answer = antrax("solve", session.experiment, "--hpc", "--dry", *more)
        assert answer.exit_code == 0, answer.output
        return tasks_of(ClusterLayout.script(session.layout.cluster.jobs("solve")[-1], "solve"))

    assert tasks() == [[1, 5], [2, 3, 4], [6], [7]]
    assert tasks("--movlist", "1-3,6") == [[1], [2, 3], [6]]
    assert tasks("--hpc-options", "max-jobs=2") == [[1, 2, 3, 4, 5], [6, 7]]
    assert tasks("--hpc-options", "array-size=3") == [[1, 5], [2, 3, 4], [6, 7]]
    movies = [[list(task.movies) for task in job.tasks] for job in read_jobs(session.layout.cluster, "solve")]
    assert movies[-1] == [[1, 5], [2, 3, 4], [6, 7]]
    parameters.write_text(json.dumps(values | {"graph_groupby": "every", "graph_groupby_every": 0}), encoding="utf-8")
    assert "graph_groupby_every is 0" in str(antrax("solve", session.experiment, "--hpc", "--dry").exception)


def test_solving_one_group_is_one_task_for_the_movies_that_have_a_graph(trained, tmp_path):
    session = trained.copy(tmp_path)
    answer = antrax("solve", session.experiment, "--hpc", "--dry")
    graphs = session.layout.graphs
    if not graphs.is_dir() or not any(graphs.iterdir()):
        assert "holds no graph of tracklets" in str(answer.exception)
        graphs.mkdir(exist_ok=True)
    for movie in (1, 2):
        (graphs / f"graph_{movie}_{movie}.mat").write_bytes(b"")
    answer = antrax("solve", session.experiment, "--hpc", "--dry", "--movlist", "2", "--nw", "2")
    assert answer.exit_code == 0, answer.output
    text = script_of(session, "solve").read_text(encoding="utf-8")
    assert "#SBATCH --cpus-per-task=2\n" in text
    assert "    --nw 2 \\\n    --movlist" in text
    assert tasks_of(script_of(session, "solve")) == [[2]]
