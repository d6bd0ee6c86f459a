"""Graphs of tracklets: the package's own files, anTraX's, and what is wrong with them."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from antrax.errors import ExperimentError, GraphError
from antrax.io.graph_file import graph_file, write_graph
from antrax.io.graphs import read_graph
from antrax.io.session import Session, open_session
from antrax.io.tracklet_graph import TrackletGraph, build_graph

MOVIES = "index name fi ff fps\n1 one.mp4 1 100 10\n2 two.mp4 101 200 10\n"
A, B = "trj_id1_ti1_1_tf1_50", "trj_id2_ti1_1_tf1_50"
AB = "trj_id1_ti1_51_tf1_100"
NEXT = "trj_id1_ti2_1_tf2_100"


@pytest.fixture
def session(make_session) -> Session:
    return open_session(make_session(movies=MOVIES))


@pytest.fixture
def graph() -> TrackletGraph:
    """Two animals that meet in movie 1 and go on together in movie 2."""
    return build_graph(
        [NEXT, A, B, AB],
        [101, 1, 1, 51],
        [200, 50, 50, 100],
        [(A, AB), (B, AB), (AB, NEXT)],
        movie=[2, 1, 1, 1],
        area=[4e-6, 2e-6, 2.5e-6, np.nan],
        colony=["C1"] * 4,
        start=np.arange(8, dtype=np.float32).reshape(4, 2),
        at_boundary=[False, True, False, False],
        movies={1: (1, 100), 2: (101, 200)},
    )


def same(one: TrackletGraph, other: TrackletGraph) -> bool:
    return all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in ((getattr(one, name), getattr(other, name)) for name in one.__dataclass_fields__)
    )


def test_rows_come_in_order_of_time_and_edges_follow_them(graph):
    assert graph.names.tolist() == [A, B, AB, NEXT]
    assert [rows.tolist() for rows in graph.parents] == [[], [], [0, 1], [2]]
    assert [rows.tolist() for rows in graph.children] == [[2], [2], [3], []]
    assert graph.at_boundary.tolist() == [True, False, False, False]
    assert graph.span == (1, 200)


def test_a_graph_written_is_the_graph_read(session, graph):
    assert write_graph(session, graph) == [graph_file(session, 1), graph_file(session, 2)]
    reading = read_graph(session)
    assert same(reading.graph, graph)
    assert not reading.failed
    assert not reading.problems


def test_graphs_are_read_alike_by_several_processes(session, graph):
    write_graph(session, graph)
    assert same(read_graph(session, workers=2).graph, graph)


def test_links_to_movies_that_are_not_asked_for_are_left_out(session, graph):
    write_graph(session, graph)
    reading = read_graph(session, [1])
    assert reading.graph.names.tolist() == [A, B, AB]
    assert reading.graph.movies.tolist() == [1]
    assert not reading.problems


def test_part_of_a_graph_keeps_the_edges_inside_it(graph):
    part = graph.select(graph.movie == 1, movies=[1])
    assert part.names.tolist() == [A, B, AB]
    assert list(zip(part.parent.tolist(), part.child.tolist(), strict=True)) == [(0, 2), (1, 2)]
    assert part.span == (1, 100)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([(A, "absent")], "not there: absent"),
        ([(A, B)], f"{B} does not start after its parent {A}"),
        ([(AB, A), (A, AB)], f"{A} does not start after its parent {AB}"),
        ([(A, AB), (A, AB)], "given twice"),
    ],
)
def test_impossible_edges_are_refused(edges, message):
    with pytest.raises(GraphError, match=message):
        build_graph([A, B, AB], [1, 1, 51], [50, 50, 100], edges)


def test_a_name_is_refused_the_second_time():
    with pytest.raises(GraphError, match=f"name {A}"):
        build_graph([A, A], [1, 1], [50, 50], [])


def edit(path: Path, **datasets) -> None:
    with h5py.File(path, "r+") as file:
        for name, value in datasets.items():
            key = name.replace("__", "/")
            del file[key]
            file[key] = value


def test_an_edge_that_closes_a_cycle_is_left_out_and_named(session, graph):
    write_graph(session, graph)
    edit(graph_file(session, 1), edges__parent=[0, 1, 2], edges__child=[2, 2, 0])
    reading = read_graph(session)
    assert reading.problems == (f"{graph_file(session, 1)}: the edge {AB} to {A} is left out: it closes a cycle",)
    assert same(reading.graph, graph)


def test_an_edge_to_a_child_that_overlaps_its_parent_is_left_out_and_named(session, graph):
    write_graph(session, graph)
    edit(graph_file(session, 1), edges__parent=[0, 1, 0], edges__child=[2, 2, 1])
    (problem,) = read_graph(session).problems
    assert f"the edge {A} to {B} is left out: the tracklets overlap in time" in problem


def test_a_child_that_starts_with_the_last_frame_of_its_parent_overlaps_it(session, graph):
    write_graph(session, graph)
    edit(graph_file(session, 1), tracklets__last=[51, 50, 100])
    reading = read_graph(session)
    (problem,) = reading.problems
    assert f"the edge {A} to {AB} is left out: the tracklets overlap in time" in problem
    assert [reading.graph.names[row] for row in reading.graph.parents[reading.graph.row[AB]]] == [B]


def test_a_movie_of_several_colonies_is_whole_only_if_all_of_their_files_are(make_session, real_session: Path):
    session = open_session(make_session())
    for colony in ("C1", "C2"):
        (session.layout.graphs / colony).mkdir(parents=True)
        for movie in (3, 4):
            source = real_session / "antrax_demo" / "graphs" / f"graph_{movie}_{movie}.mat"
            content = source.read_bytes()
            damaged = (movie, colony) == (3, "C2")
            target = session.layout.antrax_file("graph", movie, colony)
            if (movie, colony) != (4, "C2"):  # whose tracklets would have the names of the other colony's
                target.write_bytes(content[:100_000] if damaged else content)
    reading = read_graph(session)
    assert list(reading.failed) == [3]
    assert reading.graph.movies.tolist() == [4]


def test_a_link_to_a_tracklet_that_is_not_there_is_left_out_and_named(session, graph):
    write_graph(session, graph)
    edit(graph_file(session, 1), links__child=["trj_id9_ti2_1_tf2_100"])
    reading = read_graph(session)
    (problem,) = reading.problems
    assert "there is no tracklet trj_id9_ti2_1_tf2_100" in problem
    assert len(reading.graph.parent) == 2


def damage_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_edge(path: Path) -> None:
    edit(path, edges__parent=[0, 1], edges__child=[2, 7])


def damage_column(path: Path) -> None:
    edit(path, tracklets__first=[1, 1])


def damage_name(path: Path) -> None:
    edit(path, tracklets__name=[A, A, AB])


def damage_other(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = 1


def damage_version(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 99


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_truncate, "damaged or half-written"),
        (damage_edge, "an edge is to a tracklet that is not there (row 7 of 3)"),
        (damage_column, "tracklets/first has 2 values for 3 tracklets"),
        (damage_name, f"the tracklet {A} is there twice"),
        (damage_other, "is no tracklet graph"),
        (damage_version, "later version"),
    ],
)
def test_a_damaged_graph_costs_only_its_own_movie(session, graph, damage, message):
    write_graph(session, graph)
    damage(graph_file(session, 1))
    reading = read_graph(session)
    assert reading.graph.names.tolist() == [NEXT]
    assert list(reading.failed) == [1]
    assert message in reading.failed[1]
    assert str(graph_file(session, 1)) in reading.failed[1]
    assert not reading.problems


@pytest.mark.parametrize("kind", ["images", "trdata", "autoids"])
def test_movies_without_a_graph_are_named(session, graph, kind):
    write_graph(session, graph, [1])
    tracked = session.layout.file(kind, 2)
    tracked.parent.mkdir(exist_ok=True)
    tracked.touch()
    reading = read_graph(session)
    assert list(reading.failed) == [2]
    assert "movie 2 has no graph" in reading.failed[2]


def test_a_session_without_any_graph_says_what_to_do(session):
    with pytest.raises(ExperimentError, match="run the tracking step first"):
        read_graph(session)


def test_a_half_written_graph_of_antrax_is_named(session, graph):
    write_graph(session, graph, [2])
    path = session.path / "graphs" / "graph_1_1.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    reading = read_graph(session)
    assert str(path) in reading.failed[1]
    assert reading.graph.movies.tolist() == [2]


def test_graphs_of_antrax_are_read_with_their_links_across_movies(real_session: Path):
    reading = read_graph(open_session(real_session))
    graph = reading.graph
    assert len(graph) == 1462
    assert len(graph.parent) == 1904 + 27
    assert int((graph.movie[graph.parent] != graph.movie[graph.child]).sum()) == 27
    assert not reading.failed
    assert not reading.problems
    row = graph.row["trj_id1_ti1_1_tf1_272"]
    assert (graph.first[row], graph.last[row]) == (1, 272)
    assert graph.area[row] == pytest.approx(2.42862452e-06)
    assert graph.start[row] == pytest.approx([165.584375, 367.953125])
    assert np.all(graph.first[graph.child] == graph.last[graph.parent] + 1)
    assert graph.movie_first.tolist() == [1, 3001, 6001, 9001, 12001, 15001]


def test_what_is_read_of_antrax_can_be_written_in_our_format(make_session, real_session: Path):
    session = open_session(make_session())
    graph = read_graph(open_session(real_session)).graph
    write_graph(session, graph)
    assert same(read_graph(session).graph, graph)


def test_a_graph_of_antrax_cut_short_costs_only_its_own_movie(session, real_session: Path):
    folder = session.path / "graphs"
    folder.mkdir()
    for source in (real_session / "antrax_demo" / "graphs").glob("*.mat"):
        (folder / source.name).write_bytes(source.read_bytes())
    path = folder / "graph_3_3.mat"
    path.write_bytes(path.read_bytes()[:100_000])
    reading = read_graph(session)
    assert list(reading.failed) == [3]
    assert re.search(r"graph_3_3.mat is damaged or half-written", reading.failed[3])
    assert reading.graph.movies.tolist() == [1, 2, 4, 5, 6]
    assert not reading.problems
