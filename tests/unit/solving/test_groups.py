"""Which movies are solved together."""

import json

import pytest

from antrax.errors import ExperimentError
from antrax.io.session import open_session
from antrax.io.tracklet_graph import build_graph
from antrax.solving.groups import movie_groups, split_groups

MOVIES = "index subdir name fi ff\n1 day1 a 1 9\n2 day1 b 10 19\n3 day2 c 20 29\n4 day2 d 30 39\n"


@pytest.fixture
def session_of(make_session):
    def make(**parameters):
        session = open_session(make_session(movies=MOVIES))
        (session.path / "parameters" / "prmtrs.json").write_text(json.dumps(parameters))
        return session

    return make


@pytest.mark.parametrize(
    ("parameters", "groups"),
    [
        ({}, [(1, 2), (3, 4)]),
        ({"graph_groupby": "subdirs"}, [(1, 2), (3, 4)]),
        ({"graph_groupby": "movie"}, [(1,), (2,), (3,), (4,)]),
        ({"graph_groupby": "experiment"}, [(1, 2, 3, 4)]),
        ({"graph_groupby": "every", "graph_groupby_every": 3}, [(1, 2, 3), (4,)]),
        ({"graph_groupby": "every"}, [(1, 2, 3, 4)]),
        ({"graph_groupby": "custom", "graph_groups": [[1, 4], [2]]}, [(1, 4), (2,), (3,)]),
    ],
    ids=str,
)
def test_groups_of_movies(session_of, parameters, groups):
    assert movie_groups(session_of(**parameters), [1, 2, 3, 4]) == groups


@pytest.mark.parametrize(
    "parameters",
    [
        {"graph_groupby": "moon"},
        {"graph_groupby": "every", "graph_groupby_every": 0},
        {"graph_groupby": "every", "graph_groupby_every": float("inf")},
        {"graph_groupby": "custom"},
        *({"graph_groupby": "custom", "graph_groups": [odd]} for odd in ("1", [["1"]], [{}], [None], [float("nan")])),
    ],
    ids=str,
)
def test_groups_that_make_no_sense_are_refused(session_of, parameters):
    with pytest.raises(ExperimentError, match=r"prmtrs\.json"):
        movie_groups(session_of(**parameters), [1])


def test_colonies_are_apart_and_tracklets_of_none_are_told(session_of):
    graph = build_graph(["a", "b", "c"], [1, 1, 20], [9, 9, 29], [], movie=[1, 1, 3], colony=["C1", "", "C2"])
    groups, (problem,) = split_groups(session_of(graph_groupby="experiment"), graph)
    assert [(group.colony, group.movies, group.rows.tolist()) for group in groups] == [
        ("C1", (1, 3), [0]),
        ("C2", (1, 3), [2]),
    ]
    assert "1 tracklets are in no colony" in problem
