"""Questions and answers about the surroundings of tracklets, spoken to in process: no browser, no network."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from antrax.io.graphs import read_graph
from antrax.io.names import parse_tracklet_name
from antrax.io.session import Session, open_session
from antrax.io.trdata import read_measurements
from tests.fixtures.classified import true_labels
from tests.fixtures.solved import COLONY, wrong_label
from tests.unit.test_app_server import Page


@pytest.fixture
def session(shared_colony: Path, tmp_path: Path) -> Session:
    shutil.copytree(shared_colony, tmp_path / "colony")
    return open_session(tmp_path / "colony")


@pytest.fixture
def page(session: Session, tmp_path: Path) -> Page:
    return Page(session, tmp_path / "memory")


def test_place_film_and_ids_of_a_tracklet(page: Page, session: Session):
    name, label = wrong_label(session)
    found = page.ask("/surroundings", tracklet=name)
    blobs = read_measurements(session, 1, [name])
    assert [point[0] for point in found["path"]] == blobs.frame.tolist()
    np.testing.assert_allclose([point[1:] for point in found["path"]], np.stack([blobs.x, blobs.y], 1), atol=0.051)
    assert found["place_problem"] is None
    assert (found["movie"], found["fps"], found["film"]) == (1, 10, None)
    assert (found["width"], found["height"]) == (page.ask("/positions")["width"], page.ask("/positions")["height"])
    ids = {one["id"]: one for one in found["ids"]}
    assert list(ids) == list(session.labels.ants)
    truth = true_labels(session)
    span = parse_tracklet_name(name)
    others = [
        other
        for other, given in truth.items()
        if given == label and (there := parse_tracklet_name(other)) and span
        if there.movie == 1 and there.first <= span.last and there.last >= span.first
    ]
    assert ids[label]["where"] == ("twice" if others else "here")
    assert ids[truth[name]]["where"] == "free"  # nobody else is it


def test_the_graph_tells_what_leads_here_and_from_here(page: Page, session: Session):
    graph = read_graph(session).graph
    name = max(
        page.names(movie=1), key=lambda name: len(graph.parents[graph.row[name]]) + len(graph.children[graph.row[name]])
    )
    found = page.ask("/surroundings/graph", tracklet=name)
    assert found["problem"] is None
    row = graph.row[name]
    assert len(graph.parents[row]) + len(graph.children[row]) > 0
    for told, rows in ((found["before"], graph.parents[row]), (found["after"], graph.children[row])):
        assert [one["tracklet"] for one in told] == [str(graph.names[each]) for each in rows]
        assert all(one["by_graph"] and one["gap"] >= 1 for one in told)
    images = {*page.names(movie=1), *page.names(movie=2)}
    for one in (*found["before"], *found["after"]):
        assert (one["image"] is not None) == (one["tracklet"] in images)


def test_examples_count_at_once(page: Page, session: Session):
    shutil.rmtree(session.labels_dir)
    name, *others = page.names(movie=1, order="time")
    assert page.ask("/surroundings", tracklet=name)["ids"] is None, "nothing is known of any tracklet"
    first = parse_tracklet_name(name)
    other = next(
        each for each in others if (there := parse_tracklet_name(each)) and first and there.first <= first.last
    )
    stamp = page.ask("/tracklet", name=other)["stamp"]
    label = session.labels.ants[0]
    page.tell("/export", tracklet=other, frames=None, label=label, client="a", stamp=stamp, most=3)
    (told, *rest) = page.ask("/surroundings", tracklet=name)["ids"]
    assert (told["id"], told["where"]) == (label, "elsewhere")
    assert [(one["tracklet"], one["by_hand"]) for one in told["bearers"]] == [(other, True)]
    assert {one["where"] for one in rest} == {"free"}


def test_what_is_missing_is_told_and_the_rest_is_there(page: Page, session: Session):
    name, _ = wrong_label(session)
    shutil.rmtree(session.experiment / "videos")
    shutil.rmtree(session.layout.graphs)
    shutil.rmtree(session.layout.backgrounds)
    (session.path / "tracklets" / "trdata_1.mat").write_bytes(b"half a file")
    found = page.ask("/surroundings", tracklet=name)
    assert "put colony_" in found["film"]
    assert "trdata_1.mat" in found["place_problem"]
    assert (found["path"], found["before"], found["after"], found["width"]) == ([], [], [], None)
    assert len(found["ids"]) == COLONY.animals
    told = page.ask("/surroundings/graph", tracklet=name)
    assert (told["before"], told["after"]) == ([], [])
    assert "no graph" in told["problem"]
    unknown = page.ask("/surroundings", status=400, tracklet="trj_id9_ti1_1_tf1_2")
    assert "no tracklet" in unknown["error"]
