"""`antrax info EXPERIMENT`: what there is, and which step comes next."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from antrax.cli.describe_experiment import describe_experiment
from antrax.cli.main import cli
from antrax.demo import generate_experiment
from antrax.io.examples import open_classdir
from antrax.io.session import Session, open_session
from antrax.training.dataset import load_trainset
from tests.fixtures.classified import classify_by_truth
from tests.fixtures.numpy_source import tracks


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("info") / "colony1"
    generate_experiment(folder, movies=3, tracklets=12, max_frames=10, image_size=24)
    return folder


@pytest.fixture
def session(made: Path, tmp_path: Path) -> Session:
    shutil.copytree(made, tmp_path / "colony1")
    return open_session(tmp_path / "colony1")


def shown(*arguments: object) -> str:
    answer = CliRunner().invoke(cli, ["info", *map(str, arguments)])
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_what_there_is(session):
    told = json.loads(shown(session.experiment, "--json"))
    assert told == describe_experiment(session.experiment)
    assert (told["session"], told["sessions"], told["movies"], told["tracked"]) == (
        "session",
        ["session"],
        [1, 2, 3],
        [1, 2, 3],
    )
    assert told["labels"]["ant"] == list(session.labels.ants)
    examples = session.layout.classifier.examples
    assert told["examples"] == {
        folder.name: len(list(folder.glob("*.png"))) for folder in sorted(examples.iterdir()) if any(folder.iterdir())
    }
    assert (told["classifiers"], told["classified"], told["solved"], told["problems"]) == ([], [], [], [])


def test_images_of_another_tracker_count_too(make_session, numpy_source):
    folder = make_session()
    tracks(folder, 4, ant_one=np.zeros((3, 8, 8, 3), np.uint8))
    told = describe_experiment(folder.parent)
    assert told["tracked"] == [4]
    assert told["stack_bytes"] == (folder / "tracks" / "4.npz").stat().st_size


def test_lines_for_people(session):
    text = shown(session.experiment)
    assert f"IDs ({len(session.labels.ants)})" in text
    assert "movies 1-3" in text
    # a path is never broken, so that it can be copied
    lines = [line for line in text.splitlines() if str(session.experiment) not in line]
    assert max(map(len, lines)) <= 80


def test_the_next_step(session):
    def next_step() -> str:
        return describe_experiment(session.experiment)["next"]

    there = session.experiment
    assert next_step() == f"antrax train {there}"
    (session.classifier_dir / "classifier.h5").touch()
    assert next_step() == f"antrax classify {there}"
    classify_by_truth(session)
    for file in session.labels_dir.glob("*_2.*"):
        file.unlink()
    assert next_step() == f"antrax classify {there} --missing"
    classify_by_truth(session)
    assert next_step() == f"antrax extract-trainset {there}: validate, and add examples"
    (session.layout.graphs).mkdir()
    (session.layout.graphs / "graph_1_3.mat").touch()
    assert next_step().startswith(f"antrax solve {there}")


def test_a_session_without_labels_or_examples_is_begun_in_the_app(session):
    shutil.rmtree(session.layout.classifier.examples)
    assert describe_experiment(session.experiment)["next"].endswith(": give examples")
    session.layout.labels_file.unlink()
    assert describe_experiment(session.experiment)["next"].endswith(": list the labels, and give examples")
    assert "labels        none" in shown(session.experiment)


def test_what_cannot_be_read_is_told_and_costs_only_itself(session):
    session.layout.labels_file.write_bytes(b"BB\tant_labels\nBB\tnoant_labels\n")
    session.layout.movies_file.write_bytes(b"\0\0\0")
    told = describe_experiment(session.experiment)
    assert (told["labels"], told["movies"]) == (None, None)
    assert [any(name in problem for problem in told["problems"]) for name in ("labels.csv", "movies_info.txt")] == [
        True,
        True,
    ]
    assert told["tracked"] == [1, 2, 3]


def test_examples_are_counted_as_training_counts_them(session):
    examples = session.layout.classifier.examples
    before = describe_experiment(session.experiment)["examples"]
    shutil.copytree(examples / "BB", examples / "BB - Copy")  # by a file manager
    shutil.copytree(examples / "BB - Copy", examples / "BB" / "BB")  # a folder within itself
    shutil.copytree(examples / "BO", examples / "bp")
    told = describe_experiment(session.experiment)
    assert told["examples"] == {**before, "BP": before["BP"] + before["BO"]}
    read = load_trainset(open_classdir(session.experiment))
    assert set(read.labels) <= set(told["examples"])
    assert sorted(problem.split(":")[0].split(" looks")[0] for problem in told["problems"])[:2] == [
        str(examples / "BB - Copy"),
        str(examples / "BB" / "BB"),
    ]
    assert any("bp" in problem and "BP" in problem for problem in told["problems"])


def test_a_session_can_be_named(session):
    shutil.copytree(session.path, session.experiment / "earlier")
    told = describe_experiment(session.experiment, "earlier")
    assert told["session"] == "earlier"
    assert sorted(told["sessions"]) == ["earlier", "session"]
    assert describe_experiment(session.path)["session"] == "session"


def test_a_session_means_an_experiment(tmp_path):
    answer = CliRunner().invoke(cli, ["info", str(tmp_path / "classifier.h5"), "--session", "a"])
    assert answer.exit_code == 2
    assert "--session: only with an experiment" in answer.output


def test_an_unlabelled_demo_is_as_after_tracking(tmp_path):
    folder = tmp_path / "colony2"
    answer = CliRunner().invoke(
        cli,
        [
            "demo",
            str(folder),
            "--unlabelled",
            "--movies",
            "2",
            "--tracklets",
            "3",
            "--max-frames",
            "4",
            "--image-size",
            "24",
        ],
    )
    assert answer.exit_code == 0, answer.output
    assert f"now type: antrax extract-trainset {folder}" in answer.output
    told = describe_experiment(folder)
    assert (told["labels"], told["examples"], told["tracked"]) == (None, {}, [1, 2])
    assert (folder / "truth.csv").is_file()


@pytest.mark.parametrize("more", [["--run"], ["--colony"]])
def test_an_unlabelled_demo_cannot_be_run_and_is_no_colony(tmp_path, more):
    answer = CliRunner().invoke(cli, ["demo", str(tmp_path / "colony3"), "--unlabelled", *more])
    assert answer.exit_code == 2
    assert "--unlabelled" in answer.output
    assert not (tmp_path / "colony3").exists()
