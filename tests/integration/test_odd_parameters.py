"""Settings of a session that have no sense: what does not need them goes on, and tells of them."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import antrax
from antrax.app.jobs.manager import Jobs
from antrax.app.openable_experiments import OpenableExperiments
from antrax.app.server import make_app
from antrax.cli.describe_experiment import describe_experiment
from antrax.cli.main import main
from antrax.demo import ColonyOptions, generate_colony
from antrax.io.session import Session, open_session
from tests.fixtures.classified import classify_by_truth

SETTINGS = (
    "geometry_multi_colony", "geometry_colony_labels", "geometry_Ncolonies", "geometry_multi_colony_numbering",
    "geometry_multi_colony_circ_shift", "tagged", "segmentation_invert", "geometry_rscale", "thrsh_meanareamin",
    "thrsh_meanareamax",
)  # fmt: skip
SENSELESS = {"a": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two colonies, solved; their positions are in antdata/ alone, a folder a colony, as MATLAB's are."""
    directory = tmp_path_factory.mktemp("odd") / "two"
    options = ColonyOptions(animals=3, colonies=2, movies=1, frames=150, density=0.25, nest=0.1, things=0, seed=9)
    generate_colony(directory, options, examples=0, workers=1)
    session = open_session(directory)
    classify_by_truth(session)
    antrax.solve(directory, antrax.SolveOptions(method="antrax", workers=1))
    shutil.rmtree(session.path / "positions")
    shutil.rmtree(session.path / "positions_netcdf")
    return directory


@pytest.fixture
def session(made: Path, tmp_path: Path) -> Session:
    shutil.copytree(made, tmp_path / "two")
    return open_session(tmp_path / "two")


def change(session: Session, **values: Any) -> None:
    path = session.layout.parameters_file
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def output(*arguments: object, status: int = 0) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == status, said.getvalue()
    return " ".join(said.getvalue().split())


def overview(session: Session, memory: Path) -> dict[str, Any]:
    app = make_app(OpenableExperiments([session.experiment], None, memory), Jobs(), memory)
    with TestClient(app) as client:
        start = client.get("/api/places").json()["start"]
        answer = client.get(f"/api/s/{start['place']}/{start['session']}/overview")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("setting", SETTINGS)
def test_info_status_and_the_page_go_on(session, tmp_path, setting):
    change(session, **{setting: SENSELESS})
    expected = f"prmtrs.json: {setting} is {SENSELESS}; it must be"
    told = describe_experiment(session.experiment)
    (problem,) = told["problems"]
    assert expected in problem
    assert told["solved"] == [1]
    assert f"problem: {problem}" in output("status", session.experiment)
    (status,) = antrax.status(session.experiment)
    assert status.problems == (problem,)
    assert status.as_json()["problems"] == [problem]
    assert [(command.command, len(command.movies)) for command in status.commands] == [("classify", 1), ("solve", 1)]
    shown = overview(session, tmp_path / "memory")
    assert problem in (shown["colony_problem"], *shown["warnings"])
    assert [shown["colony_problem"], *shown["warnings"]].count(problem) == 1


@pytest.mark.parametrize("labels", [5, [1], True, ["../x"], ["A", "A"], {"a": 1}])
def test_positions_of_colonies_without_usable_names_are_those_of_the_folders(session, labels):
    exported = session.experiment / "all.csv"
    assert len(output("export", session.experiment, "--to", "csv", "--out", exported)) > 0
    before = exported.read_bytes()
    change(session, geometry_colony_labels=labels)
    told = output("export", session.experiment, "--to", "csv", "--out", exported)
    assert f"geometry_colony_labels is {labels}" in told
    assert exported.read_bytes() == before
    assert b"\nC1," in before and b"\nC2," in before
    told = output("plot", session.experiment)
    assert f"geometry_colony_labels is {labels}" in told
    assert "trails_C1.png" in told and "trails_C2.png" in told


def test_solve_needs_no_names_of_colonies(session):
    antrax.solve(session.experiment, antrax.SolveOptions(workers=1))
    before = antrax.read_positions(session)
    change(session, geometry_colony_labels=5)
    assert "geometry_colony_labels is 5" in output("solve", session.experiment, "--nw", "1")
    assert antrax.read_positions(session).equals(before)


def test_solve_is_refused_where_it_needs_a_setting_that_has_no_sense(session):
    change(session, thrsh_meanareamin="small")
    told = output("solve", session.experiment, "--nw", "1", status=1)
    assert "prmtrs.json: thrsh_meanareamin is 'small'; it must be a number. Correct it there" in told


def test_figures_are_in_pixels_where_the_scale_has_no_sense(made, tmp_path):
    # with so few labels, nothing is as sure as 0.01
    antrax.solve(shutil.copytree(made, tmp_path / "two"), antrax.SolveOptions(max_error=0.05, workers=1))
    session = open_session(tmp_path / "two")
    change(session, geometry_rscale="x")
    assert "geometry_rscale is 'x'" in output("plot", session.experiment)


@pytest.mark.parametrize("content", [b"[1]", b"[" * 100_000, b"\xff\x00\x12", b'{"a":' * 5000 + b"1" + b"}" * 5000])
def test_a_file_of_settings_that_cannot_be_read_is_told(session, tmp_path, content):
    session.layout.parameters_file.write_bytes(content)
    (problem,) = describe_experiment(session.experiment)["problems"]
    assert "prmtrs.json" in problem
    assert antrax.status(session.experiment)[0].problems == (problem,)
    assert overview(session, tmp_path / "memory")["colony_problem"] == problem
    told = output("solve", session.experiment, status=1)
    assert problem in told


def test_a_table_of_movies_that_cannot_be_read_costs_the_page_their_names(session, tmp_path):
    session.layout.movies_file.write_bytes(b"a b c\n1 2 3\n")
    (warning,) = overview(session, tmp_path / "memory")["warnings"]
    assert "movies_info.txt" in warning
