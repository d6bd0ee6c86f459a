"""`antrax solve` on a session on disk: what it writes, and what it says of sessions that are not whole."""

import csv
import json
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest

import antrax
from antrax.errors import ExperimentError, OptionError, SolvingError
from antrax.io.atomic import make_folder
from antrax.io.graph_file import graph_file, write_graph
from antrax.io.locks import claim
from antrax.io.session import open_session
from antrax.io.solving_record import read_solving_record, solution_turn
from antrax.io.tracklet_graph import build_graph
from antrax.solving.evidence import read_evidence
from antrax.solving.groups import split_groups

PARAMETERS = {
    "geometry_rscale": 1e-4,
    "thrsh_meanareamin": 1e-6,
    "thrsh_meanareamax": 3e-6,
    "graph_groupby": "experiment",
}
MOVIES = "index name fi ff fps\n1 one.mp4 1 100 10\n2 two.mp4 101 200 10\n"
# Two animals: apart, together, apart; and on into movie 2.
A, B = "trj_id1_ti1_1_tf1_40", "trj_id2_ti1_1_tf1_40"
AB = "trj_id1_ti1_41_tf1_60"
C, D = "trj_id1_ti1_61_tf1_100", "trj_id2_ti1_61_tf1_100"
E, F = "trj_id1_ti2_1_tf2_100", "trj_id2_ti2_1_tf2_100"
EDGES = [(A, AB), (B, AB), (AB, C), (AB, D), (C, E), (D, F)]
LABELS = {A: "AB", F: "CD"}


@pytest.fixture
def session(make_session):
    found = open_session(make_session(movies=MOVIES))
    (found.path / "parameters" / "prmtrs.json").write_text(json.dumps(PARAMETERS))
    names = [A, B, AB, C, D, E, F]
    graph = build_graph(
        names,
        [1, 1, 41, 61, 61, 101, 101],
        [40, 40, 60, 100, 100, 200, 200],
        EDGES,
        movie=[1, 1, 1, 1, 1, 2, 2],
        area=[4e-6 if name == AB else 2e-6 for name in names],
        movies={1: (1, 100), 2: (101, 200)},
    )
    write_graph(found, graph)
    for movie in (1, 2):
        here = [name for name in names if f"_ti{movie}_" in name]
        with h5py.File(found.path / "tracklets" / f"trdata_{movie}.mat", "w") as file:
            for name in here:
                length = int(name.split("_")[-1]) - int(name.split("_")[3]) + 1
                data = np.zeros((17, length), np.float32)
                data[0], data[1], data[2], data[16] = 200, 10 * (1 + names.index(name)), 50, 0.1
                file[name] = data
        rows = "".join(f"{name},{LABELS.get(name, 'Unknown')},{5 if name in LABELS else 0},1\n" for name in here)
        (found.labels_dir / f"autoids_{movie}.csv").write_text("tracklet,label,score,best_frame\n" + rows)
    return found


def command(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "antrax", "solve", *map(str, arguments)], capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("method", ["joint", "antrax"])
def test_every_animal_is_placed_and_written_for_everybody(session, method):
    report = antrax.solve(session.experiment, antrax.SolveOptions(method=method, max_error=0.05, workers=1))
    (experiment,) = report.experiments
    assert experiment.movies == [1, 2]
    assert experiment.coverage == 1
    table = antrax.read_positions(session)
    assert len(table) == 400
    x = table.pivot(index="frame", columns="id", values="x")
    assert x.loc[1].tolist() == [10, 20]
    assert x.loc[50].tolist() == [30, 30]
    assert x.loc[80].tolist() == [40, 50]
    assert x.loc[150].tolist() == [60, 70]
    with h5py.File(session.path / "antdata" / "xy_1_1.mat") as file:
        assert file["AB"][0, :40] == pytest.approx(10e-4)
    with (session.path / "antdata" / "tracklets_table_1_1.csv").open() as file:
        rows = {(row["ant"], row["tracklet"]): (row["single"], row["source"]) for row in csv.DictReader(file)}
    assert rows["AB", A] == ("1", "1")
    assert rows["CD", B] == ("1", "0")
    assert rows["CD", AB] == ("0", "0")
    record = json.loads((session.path / "logs" / "solve.json").read_text())
    assert (record["method"], record["placed"], record["contradictions"]) == (method, 1, [])


def test_groups_of_movies_solved_one_by_one_are_as_solved_in_one_run(session):
    parameters = session.layout.parameters_file
    parameters.write_text(json.dumps(PARAMETERS | {"graph_groupby": "movie"}))
    (session.labels_dir / "autoids_2.csv").write_text(f"tracklet,label,score,best_frame\n{E},AB,5,1\n{F},Unknown,0,1\n")

    def solve(movies=None):
        antrax.solve(session.experiment, antrax.SolveOptions(max_error=0.05, movies=movies, workers=1))
        record = read_solving_record(session)
        contradictions = sorted(record["contradictions"], key=lambda one: one["tracklet"])
        return antrax.read_positions(session), record["movies"], contradictions

    whole, movies, contradictions = solve()
    assert movies == [1, 2]
    shutil.rmtree(session.layout.antdata())
    shutil.rmtree(session.layout.positions)
    session.layout.solving_record.unlink()
    solve([1])
    parts, movies, of_parts = solve([2])
    pd.testing.assert_frame_equal(parts, whole)
    assert (movies, of_parts) == ([1, 2], contradictions)


def test_the_record_of_a_run_on_some_movies_keeps_what_is_known_of_the_others(session):
    elsewhere = {"tracklet": E, "label": "AB", "probability": 0.1, "placed": "CD"}
    here = {"tracklet": A, "label": "CD", "probability": 0.1, "placed": "AB"}
    earlier = {"method": "joint", "movies": [1, 2, 7], "contradictions": [elsewhere, here, "nonsense"]}

    def record(method: str, movies: list[int] | None) -> dict:
        session.layout.solving_record.write_text(json.dumps(earlier))
        antrax.solve(session.experiment, antrax.SolveOptions(method, max_error=0.05, movies=movies, workers=1))
        return read_solving_record(session)

    antrax.solve(session.experiment, antrax.SolveOptions(workers=1))
    found = record("joint", [1])
    assert (found["movies"], found["contradictions"]) == ([1, 2, 7], [elsewhere])
    assert record("joint", None)["contradictions"] == []
    assert record("antrax", [1])["movies"] == [1]


def test_a_solution_waits_for_its_turn_to_be_put_in_place(session, monkeypatch):
    monkeypatch.setattr("antrax.io.solving_record._PATIENCE", 0.0)
    make_folder(session.layout.logs)
    with solution_turn(session), pytest.raises(SolvingError, match=r"solve\.lock"):
        antrax.solve(session.experiment, antrax.SolveOptions(max_error=0.05, movies=[1], workers=1))
    assert not list(session.layout.positions.glob("positions_*"))
    assert antrax.solve(session.experiment, antrax.SolveOptions(max_error=0.05, workers=1)).experiments[0].movies


def test_the_command_says_how_much_is_placed(session):
    done = command(session.experiment, "--max-error", "0.05", "--nw", "1")
    assert done.returncode == 0, done.stderr
    assert "placed in 100.0% of all cells" in done.stdout


def test_movies_that_are_not_whole_cost_only_themselves(session):
    graph_file(session, 2).write_bytes(b"nonsense")
    done = command(session.experiment, "--max-error", "0.05", "--nw", "1")
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    assert str(graph_file(session, 2)) in done.stderr
    assert antrax.read_positions(session).frame.max() == 100


def test_what_was_solved_before_stays_where_solving_fails(session):
    antrax.solve(session.experiment, antrax.SolveOptions(max_error=0.05, workers=1))
    before = {path: path.read_bytes() for path in (session.path / "antdata").iterdir()}
    for movie in (1, 2):
        graph_file(session, movie).unlink()
    with pytest.raises(SolvingError, match="run the tracking step first") as error:
        antrax.solve(session.experiment)
    assert error.value.report.experiments[0].movies == []
    assert {path: path.read_bytes() for path in (session.path / "antdata").iterdir()} == before


def test_what_a_killed_run_left_half_written_is_removed_by_the_next(session):
    antrax.solve(session.experiment, antrax.SolveOptions(max_error=0.05, workers=1))
    code = "from antrax.io.processes import this_process; print(this_process())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    folders = [session.layout.antdata(), session.layout.positions, session.layout.netcdf(1).parent]
    left = [folder / f".xy_1_1.mat.{dead}-0011aabb.part" for folder in folders]
    for path in left:
        path.touch()
    antrax.solve(session.experiment, antrax.SolveOptions(max_error=0.05, workers=1))
    assert not [path for path in left if path.exists()]


def test_two_runs_on_one_session_do_not_mix(session):
    with claim(make_folder(session.layout.solving_record.parent), "solve", None, task="antrax solve of Anna's"):
        with pytest.raises(SolvingError, match=r"antrax solve of Anna's .* is at work in"):
            antrax.solve(session.experiment)
    assert antrax.solve(session.experiment).experiments[0].movies


def test_one_experiment_that_cannot_be_solved_does_not_stop_the_others(session, make_session):
    make_session("other/session")
    with pytest.raises(SolvingError) as error:
        antrax.solve(session.experiment.parent, antrax.SolveOptions(max_error=0.05, workers=1))
    movies = {one.path.name: one.movies for one in error.value.report.experiments}
    assert movies == {"exp": [1, 2], "other": []}


def test_nor_does_one_for_which_memory_runs_out(session, make_session, monkeypatch):
    shutil.copytree(session.experiment, session.experiment.parent / "other")

    def too_much(opened, graph):
        if opened.experiment.name == "other":
            raise MemoryError
        return split_groups(opened, graph)

    monkeypatch.setattr("antrax.solving.run.split_groups", too_much)
    with pytest.raises(SolvingError, match=r"other: memory ran out; use fewer workers") as raised:
        antrax.solve(session.experiment.parent, antrax.SolveOptions(workers=1))
    assert [experiment.movies for experiment in raised.value.report.experiments] == [[1, 2], []]
    assert [movie.state for movie in antrax.status(session.experiment.parent / "other")[0].commands[0].movies] == [
        "failed",
        "failed",
    ]


def test_some_movies_can_be_solved_alone(session):
    antrax.solve(session.experiment, antrax.SolveOptions(max_error=0.05, movies=[2], workers=1))
    assert antrax.read_positions(session).frame.min() == 101
    with pytest.raises(SolvingError, match="movie 9 has no graph"):
        antrax.solve(session.experiment, antrax.SolveOptions(movies=[9]))


def add_edge(session, parent, child):
    """An edge more in the file of movie 1, between rows of its tracklets."""
    with h5py.File(graph_file(session, 1), "r+") as file:
        for name, row in (("parent", parent), ("child", child)):
            rows = [*file["edges"][name][()].tolist(), row]
            del file["edges"][name]
            file["edges"][name] = rows


def write_into(*parts, text):
    def change(session):
        session.path.joinpath(*parts).write_text(text)

    return change


def without_graph(session):
    graph_file(session, 1).unlink()
    (session.path / "images" / "images_1.mat").touch()


def without_labels(session):
    for path in session.labels_dir.glob("autoids_*"):
        path.unlink()


@pytest.mark.parametrize(
    ("change", "told", "status"),
    [
        (lambda session: add_edge(session, 2, 0), "is left out: it closes a cycle", 0),
        (lambda session: add_edge(session, 0, 1), "is left out: the tracklets overlap in time", 0),
        (lambda session: add_edge(session, 0, 9), "an edge is to a tracklet that is not there (row 9 of 5)", 1),
        (without_graph, "movie 1 has no graph", 1),
        (without_labels, "has no labels of movies 1, 2; classify them first", 0),
        (write_into("labels", "manualids.csv", text=f"tracklet,label\n{C},AB\n{D},AB\n"),
         f"puts AB into two places at frame 61: {C} and {D}", 0),
        (write_into("labels", "autoids_2.csv", text=f"tracklet,label,score,best_frame\n{F},ZZ,5,1\n"),
         "have labels that the session does not have (ZZ)", 0),
        (write_into("parameters", "prop.cfg", text="single trj_id7_ti1_1_tf1_2 1\n"),
         "prop.cfg, line 1: there is no tracklet trj_id7_ti1_1_tf1_2; passed over", 0),
        (write_into("parameters", "ids.cfg", text="remove ZZ start end\n"),
         "ids.cfg, line 1: ZZ is no ant label of the session; passed over", 0),
    ],
    ids=["cycle", "overlap", "edge", "no graph", "no labels", "two places", "other IDs", "prop.cfg", "ids.cfg"],
)  # fmt: skip
def test_bad_input_is_told_in_a_line_and_nothing_is_lost(session, capsys, change, told, status):
    """The command on what is wrong with a session: the message, the exit status, and what is there afterwards."""
    from antrax.cli.main import main

    arguments = ["solve", str(session.experiment), "--max-error", "0.05", "--nw", "1"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    before = sorted(path.name for path in (session.path / "antdata").iterdir())
    capsys.readouterr()
    change(session)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == status
    (line,) = [line for line in capsys.readouterr().err.splitlines() if told in " ".join(line.split())]
    assert str(session.path) in line or "movie 1" in line
    assert sorted(path.name for path in (session.path / "antdata").iterdir()) == before
    assert len(antrax.read_positions(session))


def test_labels_that_contradict_the_rest_are_listed(session):
    (session.labels_dir / "manualids.csv").write_text(f"tracklet,label\n{E},AB\n{C},AB\n{D},CD\n{B},CD\n")
    (session.labels_dir / "autoids_2.csv").write_text(f"tracklet,label,score,best_frame\n{E},AB,1,1\n{F},AB,1,1\n")
    done = command(session.experiment, "--max-error", "0.05", "--nw", "1")
    assert "1 label contradicts the rest" in done.stdout
    assert f"{F} is labelled AB; placed there: CD" in done.stdout


def test_a_tracklet_that_is_falsely_called_no_ant_does_not_end_the_path_of_its_animal(session):
    """It is weighed against the animal's vanishing and coming back; a tracklet without links is of nobody then."""
    alone = "trj_id9_ti1_10_tf1_30"
    path = session.labels_dir / "autoids_1.csv"
    path.write_text(path.read_text().replace(f"{C},Unknown", f"{C},NoAnt") + f"{alone},NoAnt,0,0\n")
    antrax.solve(session.experiment, antrax.SolveOptions(max_error=0.05, workers=1))
    table = antrax.read_positions(session)
    assert set(table[table.tracklet == C].id) == {"AB"}
    assert len(table[(table.id == "AB") & (table.kind != "undecided")]) == 200
    assert alone not in set(table.tracklet)


@pytest.mark.parametrize(
    "options", [{"method": "guess"}, {"max_error": 0.0}, {"max_error": 1.0}, {"workers": 0}], ids=str
)
def test_options_that_make_no_sense_are_refused(session, options):
    with pytest.raises(OptionError):
        antrax.solve(session.experiment, antrax.SolveOptions(**options))


def test_a_folder_without_experiment_is_refused(tmp_path):
    with pytest.raises(ExperimentError):
        antrax.solve(tmp_path / "absent")


def test_groups_of_movies_that_make_no_sense_are_refused(session):
    (session.path / "parameters" / "prmtrs.json").write_text(json.dumps(PARAMETERS | {"graph_groupby": "moon"}))
    with pytest.raises(SolvingError, match=r"graph_groupby is 'moon'"):
        antrax.solve(session.experiment)


def test_the_command_offers_every_method():
    from antrax.cli.commands.solve import METHODS
    from antrax.solving import methods

    assert METHODS == methods.METHODS


# --- processes that die

KILLED = """
import os, signal, sys
from antrax.solving import joint, methods

real = joint.sample_window
victims = sys.argv[1].split(",")

def sample(part, *given):
    if any(name in victims for name in part.names.tolist()):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(part, *given)

methods.sample_window = sample
from antrax.cli.main import main
main(sys.argv[2:])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("earlier", [False, True])
def test_a_group_of_movies_that_no_worker_survives_costs_only_itself(session, earlier):
    path = session.path / "parameters" / "prmtrs.json"
    path.write_text(json.dumps(PARAMETERS | {"graph_groupby": "movie"}))
    if earlier:
        antrax.solve(session.experiment, antrax.SolveOptions(workers=1))
    before = {file: file.read_bytes() for file in session.path.rglob("*_1*") if file.parent.name != "labels"}
    arguments = [sys.executable, "-c", KILLED, A, "solve", str(session.experiment), "--nw", "2"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "movies 1 could not be solved" in error
    assert ("earlier positions stay as they are" in error) == earlier
    assert "a worker process was killed, most likely because memory ran out; use --nw 1" in error
    assert "Traceback" not in done.stderr
    assert session.layout.file("positions", 2).exists()
    assert {file: file.read_bytes() for file in session.path.rglob("*_1*") if file.parent.name != "labels"} == before
    state = antrax.status(session.experiment)[0].commands[-1]
    assert [(movie.movie, str(movie.state)) for movie in state.movies] == [(1, "failed"), (2, "done")]
    assert not list(session.path.rglob("*.part"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("earlier", [False, True])
def test_a_colony_that_no_worker_survives_costs_only_itself(session, earlier):
    """Movie 1 has two colonies, and movie 2 the one that can be solved."""
    colonies = {"geometry_multi_colony": True, "geometry_colony_labels": ["left", "right"]}
    (session.path / "parameters" / "prmtrs.json").write_text(json.dumps(PARAMETERS | colonies))
    names = [A, B, E, F]
    graph = build_graph(
        names, [1, 1, 101, 101], [40, 40, 200, 200], [], movie=[1, 1, 2, 2], area=[2e-6] * 4,
        colony=["left", "right", "right", "right"], movies={1: (1, 100), 2: (101, 200)},
    )  # fmt: skip
    for old in session.layout.graphs.iterdir():
        old.unlink()
    write_graph(session, graph)
    for movie in (1, 2):
        rows = "".join(f"{name},{'AB' if name in (A, B) else 'CD'},5,1\n" for name in names if f"_ti{movie}_" in name)
        (session.labels_dir / f"autoids_{movie}.csv").write_text("tracklet,label,score,best_frame\n" + rows)
    if earlier:
        antrax.solve(session.experiment, antrax.SolveOptions(workers=1))
        before = session.layout.file("positions", 1).read_bytes()
    arguments = [sys.executable, "-c", KILLED, A, "solve", str(session.experiment), "--nw", "2"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "colony left, movies 1-2 could not be solved" in error
    assert "a worker process was killed, most likely because memory ran out; use --nw 1" in error
    assert "Traceback" not in done.stderr
    states = {movie.movie: movie for movie in antrax.status(session.experiment)[0].commands[-1].movies}
    if earlier:
        assert "earlier positions stay as they are" in error
        assert session.layout.file("positions", 1).read_bytes() == before
        assert [(number, str(state.state)) for number, state in states.items()] == [(1, "failed"), (2, "failed")]
        return
    # what there is of the other colony is better than nothing, and that it is not all is told
    positions = antrax.read_positions(session, [1])
    placed = positions[positions.kind != "undecided"]
    assert set(placed.colony) == {"right"}
    assert [(number, str(state.state)) for number, state in states.items()] == [(1, "stale"), (2, "stale")]
    assert "colony left" in states[1].reason
    assert antrax.status(session.experiment)[0].commands[-1].without_result == [1, 2]


def test_an_error_that_nobody_thought_of_costs_only_its_experiment(session, make_session, monkeypatch, tmp_path):
    def fail(which, graph):
        if which.experiment == session.experiment:
            raise ValueError("never thought of")
        return read_evidence(which, graph)

    other = session.experiment.parent / "second"
    shutil.copytree(session.experiment, other)
    monkeypatch.setattr("antrax.solving.run.read_evidence", fail)
    with pytest.raises(SolvingError, match=r"never thought of.*mistake in antrax") as raised:
        antrax.solve([session.experiment, other], antrax.SolveOptions(workers=1))
    first, second = raised.value.report.experiments
    assert (first.movies, second.movies) == ([], [1, 2])
