"""Questions and answers about positions, spoken to in process: no browser, no network."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from antrax.io.session import Session, open_session
from antrax.io.stacks import open_stack
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


def test_the_solution_is_told_as_a_whole(page: Page, session: Session):
    info = page.ask("/positions")
    assert info["why"] is None
    assert info["cells"] == COLONY.animals * COLONY.movies * COLONY.frames
    assert 0.5 * info["cells"] < info["placed"] <= info["cells"]
    name, label = wrong_label(session)
    (one,) = info["disagreements"]
    assert (one["tracklet"], one["label"], one["placed"]) == (name, label, true_labels(session)[name])
    assert info["rate"] == {
        "errors": 0, "checked": 0, "cannot_say": 0, "rate": None, "low": 0.0, "high": 1.0, "rescored": 0, "moved": 0,
        "chosen": 0,
    }  # fmt: skip


def test_a_session_that_is_not_solved_says_what_to_type(page: Page, session: Session):
    shutil.rmtree(session.path / "positions")
    shutil.rmtree(session.path / "antdata")
    info = page.ask("/positions")
    assert f"antrax solve {session.experiment}" in info["why"]
    assert "no animal is placed" in page.ask("/positions/cell", status=400, seed=1, number=0)["error"].lower()


def test_a_random_cell_is_described_and_marked(page: Page):
    cell = page.ask("/positions/cell", seed=4, number=0)
    assert cell == page.ask("/positions/cell", seed=4, number=0)
    at = {"movie": cell["movie"], "frame": cell["frame"], "id": cell["id"]}
    assert [cell["frame"], cell["x"], cell["y"]] in cell["path"]
    body = at | {"tracklet": cell["tracklet"], "seed": 4, "number": 0, "who": "Ada"}
    told = page.tell("/positions/mark", **body, verdict="wrong", true_id="BG")
    assert (told["rate"]["errors"], told["rate"]["checked"]) == (1, 1)
    assert told["mark"]["true_id"] == "BG"
    assert page.ask("/positions/cell", **at)["mark"] == told["mark"]
    told = page.tell("/positions/mark", **body, verdict=None)
    assert (told["mark"], told["rate"]["checked"]) == (None, 0)
    assert [one["verdict"] for one in told["history"]] == [None, "wrong"]


def test_a_cell_that_chance_did_not_choose_is_not_counted_as_random(page: Page):
    cell = page.ask("/positions/cell", seed=4, number=0)
    other = page.ask("/positions/cell", seed=4, number=1)
    assert (cell["id"], cell["frame"]) != (other["id"], other["frame"])
    at = {key: cell[key] for key in ("movie", "frame", "id", "tracklet")}
    told = page.tell("/positions/mark", **at, verdict="correct", seed=4, number=1, who="Ada")
    assert (told["rate"]["checked"], told["rate"]["chosen"]) == (0, 1)


def test_a_mark_on_a_placement_that_is_another_one_now_is_refused(page: Page):
    cell = page.ask("/positions/cell", seed=4, number=0)
    at = {key: cell[key] for key in ("movie", "frame", "id")}
    answer = page.tell("/positions/mark", status=409, **at, tracklet="trj_id9_ti1_1_tf1_2", verdict="correct", who="A")
    assert answer["code"] == "conflict"


def test_images_of_a_tracklet_are_those_that_were_asked_for(page: Page, session: Session):
    number = next(n for n in range(50) if page.ask("/positions/cell", seed=2, number=n)["kind"] == "classified")
    cell = page.ask("/positions/cell", seed=2, number=number)
    (here,) = [shot for shot in cell["shots"] if shot["relation"] == "here"]
    png = page.ask("/positions/images", tracklet=here["tracklet"], images=",".join(map(str, here["images"])))
    sheet = np.asarray(Image.open(io.BytesIO(png)))
    with open_stack(session.stacks[cell["movie"]][0]) as stack:
        size, images = stack.size(here["tracklet"]), stack.read(here["tracklet"])
    for place, image in enumerate(here["images"]):
        np.testing.assert_array_equal(sheet[:size, place * size : (place + 1) * size, :3], images[image])
    assert "images" in page.ask("/positions/images", status=400, tracklet=here["tracklet"], images="999999")["error"]
    assert "numbers" in page.ask("/positions/images", status=400, tracklet=here["tracklet"], images="x")["error"]


def test_the_film_shows_the_blob_outlined(page: Page):
    number = next(n for n in range(50) if page.ask("/positions/cell", seed=2, number=n)["movie"] == 1)
    cell = page.ask("/positions/cell", seed=2, number=number)
    assert cell["film"] is None
    asked = {key: cell[key] for key in ("movie", "movie_frame", "tracklet", "x", "y")}
    image = np.asarray(Image.open(io.BytesIO(page.ask("/positions/film", **asked, side=60)))).astype(int)
    assert image.shape == (60, 60, 3)
    red, green, blue = image.reshape(-1, 3).T
    assert ((red - green > 60) & (blue - green > 20)).sum() >= 10, "the outline is pink"
    assert page.ask("/positions/cell", seed=2, number=number)["film"] is None


def test_without_a_film_one_line_says_what_is_missing(page: Page, session: Session):
    shutil.rmtree(session.experiment / "videos")
    cell = page.ask("/positions/cell", seed=2, number=0)
    assert "put colony_" in cell["film"]
    asked = {key: cell[key] for key in ("movie", "movie_frame", "tracklet", "x", "y")}
    assert "There is no film" in page.ask("/positions/film", status=400, **asked)["error"]


def test_the_graph_tells_what_leads_into_a_contact(page: Page):
    number = next(n for n in range(80) if page.ask("/positions/cell", seed=2, number=n)["kind"] == "several")
    cell = page.ask("/positions/cell", seed=2, number=number)
    found = page.ask("/positions/neighbours", movie=cell["movie"], tracklet=cell["tracklet"])
    assert found["single"] is False
    assert found["problem"] is None
    names = {*found["parents"], *found["children"]}
    assert {shot["tracklet"] for shot in found["shots"]} <= names
    assert page.ask("/positions/neighbours", movie=1, tracklet="trj_id77_ti1_1_tf1_2")["problem"]


def test_a_correction_says_what_changed_and_can_be_undone(page: Page, session: Session):
    name, label = wrong_label(session)
    truth = true_labels(session)[name]
    done = page.tell("/positions/correct", movie=1, tracklet=name, id=label, is_it=True, who="Ada")
    (change,) = [one for one in done["changes"] if one["tracklet"] == name]
    assert (change["before"], change["after"]) == ([truth], [label])
    assert done["cells"] >= 2 * (change["last"] - change["first"] + 1)
    assert done["can_undo"]
    cell = page.ask("/positions/cell", movie=1, tracklet=name, id=label)
    assert (cell["tracklet"], cell["kind"]) == (name, "classified")
    assert not page.tell("/positions/undo")["can_undo"]
    assert page.ask("/positions/cell", movie=1, tracklet=name, id=truth)["kind"] is not None
    assert page.tell("/positions/undo", status=400)["code"] == "nothing-to-undo"
    assert "no ID" in page.tell("/positions/correct", status=400, movie=1, tracklet=name, id="Multi", who="A")["error"]


def test_positions_that_another_program_wrote_are_noticed(page: Page, session: Session):
    before = page.ask("/pulse")["versions"]["positions"]
    assert page.ask("/pulse")["versions"]["positions"] == before
    (session.path / "positions" / "positions_1.parquet").touch()
    assert page.ask("/pulse")["versions"]["positions"] != before
