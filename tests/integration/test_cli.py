"""The command line as a user meets it: what is printed, and the exit status."""

import dataclasses
import inspect
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

import antrax.cli.main
import antrax.networks.devices
from antrax.cli import console as cli_console
from antrax.cli.commands import export, plot
from antrax.cli.main import cli
from antrax.demo import ColonyOptions, generate_experiment
from antrax.io.export import FORMATS
from antrax.networks import registry
from antrax.plots.run import FIGURES
from antrax.plots.run import FORMATS as FIGURE_FORMATS
from tests.fixtures.antrax_files import write_antrax_file
from tests.fixtures.processes import python


def antrax_command(*arguments: object, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "antrax", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)


def one_line_error(*arguments: object) -> str:
    """The one line that a failing command leaves on standard error."""
    done = antrax_command(*arguments)
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.mark.parametrize("command", [*cli.commands])
def test_every_command_explains_itself(command):
    answer = CliRunner().invoke(cli, [command, "--help"])
    assert answer.exit_code == 0
    assert "Options" in answer.output


def test_every_option_has_a_help_text():
    for command in cli.commands.values():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{command.name} {parameter.name}"


def test_help_says_what_an_epoch_is():
    answer = CliRunner().invoke(cli, ["train", "--help"])
    assert "An epoch is a pass over the examples, but at least 200 steps" in re.sub(r"\s+", " ", answer.output)


def test_help_loads_no_heavy_library():
    script = (
        "import sys, antrax.cli.main; from click.testing import CliRunner; "
        "CliRunner().invoke(antrax.cli.main.cli, ['--help']); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"torch", "numpy", "h5py", "onnx", "onnxruntime", "pandas", "matplotlib", "rich", "starlette", "uvicorn"}
    assert not heavy & set(loaded)


def test_help_shows_the_workflow_from_the_first_label_to_the_check():
    text = CliRunner().invoke(cli, ["--help"]).output
    steps = re.findall(r"^    antrax (\S+) EXPERIMENT", text, re.MULTILINE)
    assert steps == ["extract-trainset", "train", "classify", "solve", "extract-trainset"]


def test_choices_on_the_command_line_are_those_of_the_package():
    assert tuple(FORMATS) == export.EXPORT_FORMATS
    assert plot.FIGURES == FIGURES
    assert plot.FIGURE_FORMATS == FIGURE_FORMATS


def test_defaults_of_the_demo_in_its_help_are_those_of_the_package():
    text = re.sub(r"\s+", " ", CliRunner().invoke(cli, ["demo", "--help"]).output)
    for field in dataclasses.fields(ColonyOptions):
        option = field.name.replace("_", "-")
        if field.name not in ("movies", "open_arena", "things", "seed"):
            shown = re.search(rf"--{option} [A-Z]+ With --colony: [^\[]*\[default: ([0-9.]+)\]", text)
            assert shown, field.name
            assert float(shown[1]) == field.default
    parameters = inspect.signature(generate_experiment).parameters
    for name in ("movies", "tracklets", "max_frames", "image_size"):
        shown = re.search(rf"--{name.replace('_', '-')} [A-Z]+ [^\[]*\[default: (\d+)", text)
        assert shown, name
        assert int(shown[1]) == parameters[name].default


def test_help_names_every_architecture_and_device():
    text = CliRunner().invoke(cli, ["train", "--help"]).output
    for name in (*registry.names(), *antrax.networks.devices.DEVICES):
        assert re.search(rf"\b{name}\b", text), name


@pytest.mark.parametrize(
    "arguments",
    [
        ["train"],
        ["train", "x", "--arch", "huge"],
        ["classify", "x", "--movlist", "3-"],
        ["classify", "x", "--engine", "steam"],
        ["nothing"],
        ["train", "x", "--ne", "many"],
        ["extract-trainset"],
        ["extract-trainset", "x", "--port", "0"],
        ["extract-trainset", "x", "--port", "70000"],
        ["export", "x"],
        ["export", "x", "--to", "docx"],
        ["plot", "x", "--figure", "pie"],
        ["demo", "x", "--animals", "3"],
        ["demo", "x", "--no-images"],
        ["demo", "x", "--colony", "--tracklets", "3"],
        ["demo", "x", "--colony", "--no-images", "--run"],
        ["demo", "x", "--movies", "1"],
        ["train", "x", "--arch", "one.json", "--modelfile", "two.json"],
        ["--nothing"],
    ],
)
def test_wrong_usage_is_one_line_and_exits_with_2(arguments):
    done = antrax_command(*arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "--help" in line
    assert not done.stdout


def test_without_a_command_the_help_is_shown():
    done = antrax_command()
    assert done.returncode == 2
    assert "classify" in done.stdout


def test_errors_are_one_line_and_exit_with_1(tmp_path):
    assert "does not exist" in one_line_error("train", tmp_path / "nowhere")
    assert "no training set" in one_line_error("train", tmp_path)
    assert "does not exist" in one_line_error("classify", tmp_path / "nowhere")
    assert "does not exist" in one_line_error("extract-trainset", tmp_path / "nowhere")
    assert "is no tracked experiment" in one_line_error("extract-trainset", tmp_path)
    (tmp_path / "examples").mkdir()
    assert "holds no examples" in one_line_error("train", tmp_path)
    assert "--aug-options" in one_line_error("train", tmp_path, "--aug-options", "hue=1")
    assert "--device mps" in one_line_error("train", tmp_path, "--device", "mps")


def test_an_error_does_not_pass_on_what_moves_a_cursor(tmp_path):
    """Names in files of other people may hold it."""
    (tmp_path / "model.json").write_text(
        '{"class_name": "Sequential", "config": {"layers": [{"class_name": "\\u001b]0;x\\u0007", "config": {'
        '"batch_input_shape": [null, 32, 32, 3]}}]}}'
    )
    (tmp_path / "examples").mkdir()
    message = one_line_error("train", tmp_path, "--arch", "custom", "--modelfile", tmp_path / "model.json")
    assert r"kind \x1b]0;x\x07, which" in message


def test_a_model_file_that_is_none_is_one_line_and_exit_status_1(small_demo, tmp_path):
    (tmp_path / "model.json").write_text("{")
    message = one_line_error("train", small_demo.directory, "--arch", "custom", "--modelfile", tmp_path / "model.json")
    assert f"{tmp_path / 'model.json'} cannot be used as a model" in message
    assert "--modelfile MODEL.json" in one_line_error("train", small_demo.directory, "--arch", "custom")


def test_a_classifier_is_described_and_a_file_that_is_none_is_one_line_and_exit_status_1(tmp_path):
    done = antrax_command("info", write_antrax_file(tmp_path / "old.h5", "small"))
    assert done.returncode == 0, done.stderr
    assert "anTraX, with Keras 2" in done.stdout
    (tmp_path / "old.h5").write_bytes((tmp_path / "old.h5").read_bytes()[:5000])
    assert f"{tmp_path / 'old.h5'} is no classifier" in one_line_error("info", tmp_path / "old.h5")
    assert "does not exist" in one_line_error("info", tmp_path / "nothing.h5")


def test_an_experiment_without_classifier_says_how_to_train_one(trained, tmp_path):
    session = trained.copy(tmp_path)
    (session.classifier_dir / "classifier.h5").unlink()
    assert f"train one first: antrax train {session.experiment}" in one_line_error("classify", session.experiment)


def test_classifying_prints_a_table_and_where_the_results_are(trained, tmp_path):
    session = trained.copy(tmp_path)
    done = antrax_command("classify", session.experiment, "--movlist", "3-4", "--nw", 1, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    for text in ("demo / session", "unknown", "images/s", str(session.labels_dir)):
        assert text in done.stdout
    assert "\x1b" not in done.stdout + done.stderr  # no colours in a log file


def test_a_movie_that_is_not_there_is_listed_and_the_others_are_classified(trained, tmp_path):
    session = trained.copy(tmp_path)
    done = antrax_command("classify", session.experiment, "--movlist", "1,99", "--nw", 1, "--device", "cpu")
    assert done.returncode == 1
    assert "no image stack of movie 99" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in session.labels_dir.glob("autoids_*.csv")] == ["autoids_1.csv"]


def test_one_bad_movie_makes_the_exit_status_1_and_the_table_is_printed(trained, tmp_path):
    session = trained.copy(tmp_path)
    session.stacks[2][0].write_text("no images")
    done = antrax_command("classify", session.experiment, "--nw", 1)
    assert done.returncode == 1
    assert "1 failed" in done.stdout
    assert "images_2.mat" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unforeseen_error_is_one_line_too_and_leaves_a_report(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(antrax.cli.main.cli, "main", lambda *a, **k: 1 / 0)
    with pytest.raises(SystemExit) as stopped:
        antrax.cli.main.main(["train", "x"])
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    (report,) = tmp_path.glob("antrax-*.log")
    assert str(report) in error
    assert "ZeroDivisionError" in report.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
def test_ctrl_c_during_classification_leaves_earlier_results_and_no_traceback(trained, tmp_path):
    session = trained.copy(tmp_path)
    for movie in session.stacks:
        (session.labels_dir / f"autoids_{movie}.csv").write_text("earlier")
    # the first movie is held back until the signal came, however fast or slow the machine is
    slowly = """
import sys, time
import antrax.classification.pool, antrax.cli.main

def work(job):
    time.sleep(600)

antrax.classification.pool.work = work
antrax.cli.main.main(sys.argv[1:])
"""
    command = ["-c", slowly, "classify", session.experiment, "--nw", "2", "--device", "cpu"]
    with python(*command, stderr=subprocess.PIPE, start_new_session=True) as process:
        while "classifying" not in process.stderr.readline():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert not list(session.labels_dir.glob(".*.part"))
    for movie in session.stacks:
        text = (session.labels_dir / f"autoids_{movie}.csv").read_text()
        assert text == "earlier" or text.startswith("tracklet,label")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
@pytest.mark.parametrize("module", ["antrax.cli", "click", "antrax.cli.params", "antrax.io.text", "antrax.cli.main"])
@pytest.mark.parametrize("swallowed", [False, True])
def test_ctrl_c_while_the_program_is_loaded_is_no_traceback(module, swallowed):
    code = f"""
import importlib.abc, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored

class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            try:
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(10**6):  # a signal comes between two steps of Python
                    pass
            except KeyboardInterrupt:
                if not {swallowed}:
                    raise

sys.meta_path.insert(0, Interrupt())
sys.argv = ["antrax", "--help"]
from antrax.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nstopped\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_little_is_loaded_before_ctrl_c_is_heeded():
    source = str(Path(antrax.__file__).parent.parent)
    code = f"import sys; sys.path.insert(0, {source!r}); before = set(sys.modules); import antrax.__main__"
    code += "; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"__future__", "antrax", "antrax.__main__"}


def test_a_command_that_nobody_interrupts_ends_as_before():
    done = subprocess.run([sys.executable, "-m", "antrax", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("antrax")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL to send")
def test_a_killed_training_is_simply_started_again(trained, tmp_path):
    session = trained.copy(tmp_path)
    old = (session.classifier_dir / "classifier.h5").read_bytes()
    with python("-m", "antrax", "train", session.experiment, "--ne", "1", stderr=subprocess.PIPE) as process:
        while "training" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(1)
        process.kill()
    assert (session.classifier_dir / "classifier.h5").read_bytes() == old
    done = antrax_command("classify", session.experiment, "--nw", 1)
    assert done.returncode == 0, done.stderr


def test_results_that_cannot_be_written_are_an_error_and_the_old_ones_stay(trained, tmp_path, small_disk):
    place, spoil = small_disk("12m")
    session = trained.copy(tmp_path)
    labels = place / "labels"
    labels.mkdir()
    (labels / "autoids_1.csv").write_text("earlier")
    session.labels_dir.rmdir()
    session.labels_dir.symlink_to(labels)
    spoil()
    done = antrax_command("classify", session.experiment, "--movlist", "1", "--nw", 1)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert (labels / "autoids_1.csv").read_text() == "earlier"


def test_a_classifier_that_cannot_be_written_is_an_error_and_the_old_one_stays(trained, tmp_path, small_disk):
    place, spoil = small_disk("12m")
    for label in ("BB", "GO", "Unknown"):
        target = place / "examples" / label
        target.mkdir(parents=True)
        for path in sorted((trained.session.classifier_dir / "examples" / label).iterdir())[:5]:
            (target / path.name).write_bytes(path.read_bytes())
    (place / "classifier.h5").write_bytes(trained.classifier.read_bytes())
    spoil()
    done = antrax_command("train", place, "--scratch", "--ne", 1, "--target-size", 24)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "epoch" not in done.stderr  # that is found out before training, not after
    assert "Traceback" not in done.stderr
    assert (place / "classifier.h5").read_bytes() == trained.classifier.read_bytes()


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_help_fits_a_terminal_of_sixty_columns(command):
    answer = CliRunner().invoke(cli, [*filter(None, [command]), "--help"], terminal_width=60, max_content_width=60)
    assert [line for line in answer.output.splitlines() if len(line) > 60] == []


def test_facts_fit_a_narrow_terminal_and_paths_stay_whole():
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=60, color_system=None)
    where = "/data/" + "a_long_name/" * 6
    cli_console._print_facts(console, [("IDs (40)", ", ".join(f"A{number}" for number in range(40))), ("file", where)])
    lines = text.getvalue().splitlines()
    assert all(len(line) <= 60 for line in lines if where not in line)
    assert sum(where in line for line in lines) == 1
    assert len(lines) > 4
