"""Command lines that scripts for the original anTraX hold: they work, or say in one line what to do now."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from antrax.classification.run import ClassifyOptions
from antrax.cli import original
from antrax.cli.cluster import HPC_VARIABLE
from antrax.cli.main import cli, main
from antrax.cluster.options import HpcOptions
from antrax.cluster.requests import Request
from antrax.solving.run import SolveOptions
from antrax.training.options import TrainOptions
from tests.fixtures.trained import Trained


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ClassifyOptions | TrainOptions | SolveOptions]:
    """What the commands ask of the package; nothing is classified or trained."""
    options: list[ClassifyOptions | TrainOptions | SolveOptions] = []

    def note(path: object, given: ClassifyOptions | TrainOptions | SolveOptions, **_: object) -> None:
        options.append(given)
        raise click.Abort

    monkeypatch.setattr("antrax.classification.run.classify", note)
    monkeypatch.setattr("antrax.training.run.train", note)
    monkeypatch.setattr("antrax.solving.run.solve", note)
    monkeypatch.setattr("antrax.app.launch.run_app", lambda *a, **k: None)
    monkeypatch.delenv(HPC_VARIABLE, raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return options


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a refused command line leaves on standard error."""
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize("name", original.COMMANDS)
def test_a_command_of_the_original_says_what_to_do_now(name, capsys):
    line = refused(capsys, name, "/data/experiment", "--session", "s", "--nw", "4", "--help")
    assert f"there is no `antrax {name}`" in line
    assert original.COMMANDS[name] in line


def test_commands_that_antrax_has_are_not_among_those_that_it_has_not():
    assert not set(original.COMMANDS) & set(cli.commands)


def test_commands_of_the_original_are_not_listed_in_the_help():
    listed = run("--help").output.split("Commands:")[1]
    assert "graph-explorer" not in listed
    assert "track " not in listed


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["classify", "E", "--usepassed"], "--usepassed"),
        (["classify", "E", "--dont-use-min-conf"], "--dont-use-min-conf"),
        (["classify", "E", "--consv-factor", "0.1"], "--consv-factor"),
        (["classify", "E", "--report"], "--report"),
        (["classify", "E", "--dry"], "--dry"),
        (["classify", "E", "--hpc-options", "whatever"], "--hpc-options"),
        (["solve", "E", "--dry"], "--dry"),
        (["train", "C", "--dry"], "--dry"),
        (["train", "C", "--hpc-options", "time=10"], "--hpc-options"),
        (["solve", "E", "--glist", "1-3"], "--glist"),
        (["solve", "E", "--clist", "1"], "--clist"),
        (["solve", "E", "--mcr"], "--mcr"),
        (["extract-trainset", "E", "--mcr"], "--mcr"),
    ],
)
def test_an_option_that_has_no_effect_is_told_in_one_line_and_the_command_goes_on(asked, arguments, named):
    answer = run(*arguments)
    assert len(asked) == (arguments[0] != "extract-trainset")
    (line,) = [line for line in answer.stderr.splitlines() if line.startswith("note: ")]
    assert line.startswith(f"note: {named} has no effect: ")


def test_without_such_options_nothing_is_told(asked):
    assert "note:" not in run("classify", "E").stderr


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Request, HpcOptions, bool]]:
    """What the commands would give to a cluster."""
    requests: list[tuple[Request, HpcOptions, bool]] = []

    def note(request: Request, options: HpcOptions, *, dry: bool, reporter: object) -> tuple[list[object], list[str]]:
        requests.append((request, options, dry))
        return [], []

    monkeypatch.setattr("antrax.cluster.requests.give_to_cluster", note)
    return requests


def test_the_original_s_cluster_options_go_together(asked, given):
    answer = run(
        "classify", "E", "--hpc", "--nw", "0", "--dry", "--usepassed", "--report", "--hpc-options", "throttle=9"
    )
    assert answer.exit_code == 0
    assert given == [(Request("classify", Path("E"), workers=1), HpcOptions(throttle=9), True)]
    assert not asked
    notes = [line.split()[1] for line in answer.stderr.splitlines() if line.startswith("note: ")]
    assert sorted(notes) == ["--report", "--usepassed"]


def test_a_task_gets_the_options_of_the_command_line_with_paths_that_hold_anywhere(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("train", "C", "--hpc", "--arch", "m.json", "--rename", "a=b", "--rename", "c=d", "--no-hsymmetry", "--ne", "7")
    ((request, _, dry),) = given
    arguments = ("--ne=7", f"--arch={tmp_path / 'm.json'}", "--no-hsymmetry", "--rename=a=b", "--rename=c=d")
    assert request == Request("train", Path("C"), arguments=arguments)
    assert not dry
    run("classify", "E", "--hpc", "--max-error", "0.02", "--movlist", "3,4", "--missing", "--classifier", "x")
    request, _, _ = given[1]
    assert request == Request("classify", Path("E"), None, [3, 4], True, "x", None, ("--max-error=0.02",))
    run("solve", "E", "--hpc", "--method", "antrax", "--session", "s")
    assert given[2][0] == Request("solve", Path("E"), "s", arguments=("--method=antrax",))


@pytest.mark.parametrize("command", ["classify", "train", "solve"])
def test_an_unknown_cluster_option_is_wrong_usage_and_the_known_ones_are_named(asked, given, capsys, command):
    line = refused(capsys, command, "E", "--hpc", "--hpc-options", "time=10,queue=long")
    assert "there is no 'queue'; there are throttle, partition, email, cpus, gpus, time, mem-per-cpu" in line
    assert not asked and not given


@pytest.mark.parametrize(("value", "means"), [("True", True), ("1", True), ("slurm", True), ("0", False), ("", False)])
def test_the_environment_variable_means_hpc_but_not_in_a_job_of_the_cluster(asked, given, monkeypatch, value, means):
    monkeypatch.setenv(HPC_VARIABLE, value)
    answer = run("classify", "E")
    assert (len(given), len(asked)) == ((1, 0) if means else (0, 1))
    assert ("ANTRAX_HPC is set, and means --hpc" in answer.stderr) is means
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    answer = run("classify", "E")
    assert (len(given), len(asked)) == ((1, 1) if means else (0, 2))
    assert ("ANTRAX_HPC has no effect in a job" in answer.stderr) is means
    assert "note:" not in run("classify", "--help").output


@pytest.mark.parametrize("text", ["all", "ALL"])
def test_all_movies_may_be_asked_for_by_name(asked, text):
    run("classify", "E", "--movlist", text)
    assert asked == [ClassifyOptions()]


@pytest.mark.parametrize(("given", "workers"), [("0", 1), ("1", 1), ("3", 3)])
def test_no_workers_means_this_process(asked, given, workers):
    run("classify", "E", "--nw", given)
    assert asked == [ClassifyOptions(workers=workers)]


@pytest.mark.parametrize("name", ["model.json", "Model.JSON"])
def test_an_architecture_may_be_a_file(asked, name):
    run("train", "C", "--arch", name)
    assert asked == [TrainOptions(arch="custom", modelfile=Path(name))]


def test_an_architecture_that_is_neither_known_nor_a_file_is_told(asked, capsys):
    assert "'huge' is neither one of small, " in refused(capsys, "train", "C", "--arch", "huge")


def test_the_command_of_a_cluster_s_tasks_classifies_one_movie(trained: Trained, tmp_path: Path):
    session = trained.copy(tmp_path)
    classifier = tmp_path / "shared.h5"
    (session.classifier_dir / "classifier.h5").rename(classifier)
    command = [sys.executable, "-m", "antrax", "classify", session.experiment, "--classifier", classifier]
    command += ["--session", session.name, "--movlist", "2", "--nw", "1"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in session.labels_dir.glob("autoids_*")] == ["autoids_2.csv"]


def test_a_model_file_given_as_architecture_is_read(trained: Trained, tmp_path: Path, capsys):
    (tmp_path / "model.json").write_text(json.dumps({"class_name": "Sequential", "config": {}}))
    with pytest.raises(SystemExit) as stopped:
        main(["train", str(trained.copy(tmp_path).experiment), "--scratch", "--arch", str(tmp_path / "model.json")])
    assert stopped.value.code == 1
    assert f"{tmp_path / 'model.json'} cannot be used as a model" in capsys.readouterr().err


def test_two_new_names_for_one_label_are_wrong_usage():
    answer = run("train", "E", "--rename", "A=B", "--rename", "A=C")
    assert answer.exit_code == 2
    assert "a label gets one new name" in answer.stderr
