"""Commands that are killed just before an operation on files: what counted stays whole, and the next run clears up.

Where they are killed is told by the operation and not by the clock; `benchmarks/faults.py` does the latter too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import antrax
from antrax.cluster.status import MovieState, session_status
from antrax.errors import ExperimentError
from antrax.io.session import Session
from tests.fixtures.solved import SOLVED_WITH, solved_colony

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("kills"),
    pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL"),
]

# Ends the process before the n-th operation of a kind on a file whose name holds a text: `rename` as it takes its name,
# `open` where something has been made and nothing is in it yet.
PROGRAM = """
import os, sys
operation, name, number = sys.argv[1], sys.argv[2], int(sys.argv[3])

def hook(event, values):
    global number
    if event == "os.rename" and operation == "rename":
        found = os.path.basename(os.fsdecode(values[1]))
    elif event == "open" and operation == "open" and values[2] & (os.O_WRONLY | os.O_RDWR):
        if not isinstance(values[0], (str, bytes, os.PathLike)) or not os.path.exists(values[0]):
            return
        found = os.path.basename(os.fsdecode(values[0]))
    else:
        return
    if name in found:
        number -= 1
        if number == 0:
            os.kill(os.getpid(), 9)

sys.addaudithook(hook)
from antrax.training import loop
loop.LEAST_STEPS, loop.BATCH, loop._SAVE_EVERY_S = 4, 16, 0.0
from antrax.cli.main import main
main(sys.argv[4:])
"""


def kill(operation: str, name: str, number: int, *command: object) -> None:
    """Run a command that is killed at an operation, which must come to pass."""
    arguments = [sys.executable, "-c", PROGRAM, operation, name, str(number), *map(str, command)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr[-1000:]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def left_over(folder: Path) -> list[str]:
    """Hidden files, but for a lock that stays on purpose."""
    return sorted(path.name for path in folder.rglob(".*") if path.is_file() and path.name != ".trainset.lock")


# --- train


@pytest.mark.parametrize(
    ("operation", "name", "has_new"),
    [
        ("rename", ".holder", False),  # it has not said who it is
        ("rename", "classifier.h5", False),
        ("open", "learning_curve.png", True),
    ],
)
@pytest.mark.usefixtures("short_training")
def test_a_killed_training_leaves_a_whole_classifier_and_the_next_one_clears_up(
    make_examples, tmp_path, operation, name, has_new
):
    names = [f"{label}/e.trj_id{n}_ti1_1_tf1_9.{f}.png" for label in ("BB", "NoAnt") for n in range(6) for f in (1, 2)]
    classdir = make_examples(tmp_path / "set", names, size=24)
    options = antrax.TrainOptions(epochs=1, device="cpu", scratch=True)
    first = antrax.train(classdir, options)
    file = first.path
    assert left_over(classdir) == []
    old = file.read_bytes()
    kill(operation, name, 1, "train", classdir, "--ne", 1, "--scratch", "--device", "cpu", "--seed", 5)
    assert (file.read_bytes() != old) == has_new
    antrax.read_classifier(file)  # which checks that it is whole
    assert left_over(classdir) != []
    antrax.train(classdir, options)
    assert left_over(classdir) == []
    assert antrax.read_classifier(file).digest() == first.classifier.digest()


# --- merge-trainset


@pytest.mark.parametrize(("operation", "number"), [("open", 1), ("rename", 8)])
def test_a_killed_merge_has_added_whole_files_and_the_next_one_adds_the_rest(
    make_examples, tmp_path, operation, number
):
    names = [f"BB/e.trj_id{n}_ti1_1_tf1_9.{f}.png" for n in range(4) for f in (1, 2)]
    source = make_examples(tmp_path / "source", names, size=24)
    dest = make_examples(tmp_path / "dest", {"GG/e.trj_id9_ti1_1_tf1_9.1.png": 1}, size=24)
    wanted = contents(source) | contents(dest)
    kill(operation, ".png", number, "merge-trainset", source, dest)
    there = {name: content for name, content in contents(dest).items() if not Path(name).name.startswith(".")}
    assert there.items() <= wanted.items()
    assert len(left_over(dest)) >= 1
    antrax.merge_trainsets(source, dest)
    assert left_over(dest) == []
    assert {name: content for name, content in contents(dest).items() if "lock" not in name} == wanted


# --- solve


@pytest.fixture(scope="module")
def solved(tmp_path_factory) -> Session:
    return solved_colony(tmp_path_factory.mktemp("kills") / "colony", film=False)


def positions_of(session: Session) -> list[tuple[object, ...]]:
    table = antrax.read_positions(session)
    return list(table.itertuples(index=False, name=None))


def test_a_solve_that_is_killed_before_its_files_take_their_names_leaves_what_was_there(solved):
    table = positions_of(solved)
    kill("rename", ".unfinished", 1, "solve", solved.experiment, "--nw", 1)
    assert str(positions_of(solved)) == str(table)
    antrax.solve(solved.experiment, SOLVED_WITH)
    assert left_over(solved.path) == []
    assert str(positions_of(solved)) == str(table)


@pytest.mark.parametrize(("operation", "name"), [("rename", "positions_1.parquet"), ("rename", "xy_2")])
def test_positions_of_two_solutions_are_not_read_where_a_solve_was_killed_while_they_took_their_names(
    solved, operation, name
):
    folders = [solved.path / folder for folder in ("antdata", "positions", "positions_netcdf")]
    before, table = [contents(folder) for folder in folders], positions_of(solved)
    kill(operation, name, 1, "solve", solved.experiment, "--nw", 1)
    with pytest.raises(ExperimentError, match=r"may be of two solutions; .* type `antrax solve .*colony`"):
        antrax.read_positions(solved)
    command = session_status(solved, "solve")
    assert command is not None
    assert {movie.state for movie in command.movies} <= {MovieState.STALE, MovieState.FAILED}
    assert ".unfinished" in left_over(solved.path)
    antrax.solve(solved.experiment, SOLVED_WITH)
    assert left_over(solved.path) == []
    assert [sorted(contents(folder)) for folder in folders] == [sorted(files) for files in before]
    assert str(positions_of(solved)) == str(table)


def test_a_solve_of_other_movies_does_not_make_good_one_that_was_killed_while_files_took_their_names(solved):
    movies = sorted(int(path.stem.split("_")[1]) for path in (solved.path / "positions").glob("positions_*.parquet"))
    first, *others = movies
    kill("rename", f"positions_{first}.parquet", 1, "solve", solved.experiment, "--nw", 1, "--movlist", first)
    antrax.solve(solved.experiment, replace(SOLVED_WITH, movies=others))
    with pytest.raises(ExperimentError, match="may be of two solutions"):
        antrax.read_positions(solved)
    antrax.solve(solved.experiment, replace(SOLVED_WITH, movies=[first]))
    assert left_over(solved.path) == []
    assert len(positions_of(solved)) > 0
