"""Colonies: the mask that a tracklet's blob lies in."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from antrax.io.session import Session, open_session
from antrax.review.tracklets.colonies import REACH, Colonies

LEFT, RIGHT = (slice(None), slice(0, 40)), (slice(None), slice(60, 100))
NAME = "trj_id{}_ti1_1_tf1_3"


def square(where) -> np.ndarray:
    mask = np.zeros((100, 100), np.uint8)
    mask[where] = 255
    return mask


@pytest.fixture
def session(make_session) -> Session:
    path = make_session()
    (path / "parameters" / "masks").mkdir()
    return open_session(path.parent)


def set_parameters(session: Session, **values) -> None:
    defaults = {"geometry_multi_colony": True, "geometry_colony_labels": ["A", "B"]}
    (session.path / "parameters" / "prmtrs.json").write_text(json.dumps(defaults | values))


def write_mask(session: Session, name: str, pixels: np.ndarray, mode: str | None = None) -> None:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(session.path / "parameters" / "masks" / name)


def write_positions(
    session: Session, places, *, file: str = "trdata_1.mat", rows: int = 17, turned: bool = False
) -> None:
    """Tracklets number 1, 2, … at a list of (x, y), 1-based pixels, one a frame."""
    with h5py.File(session.path / "tracklets" / file, "a") as out:
        for number, frames in enumerate(places, 1):
            table = np.zeros((rows, len(frames)), np.float32)
            table[1:3] = np.array(frames).T
            out.create_dataset(NAME.format(number), data=table.T if turned else table)


@pytest.fixture
def halves(session: Session) -> Session:
    """Colony A on the left, B on the right."""
    set_parameters(session)
    write_mask(session, "colony_A.png", square(LEFT))
    write_mask(session, "colony_B.png", square(RIGHT))
    return session


def test_a_session_of_one_colony_has_no_names(session):
    (session.path / "parameters" / "prmtrs.json").write_text('{"geometry_multi_colony": false}')
    colonies = Colonies(session)
    assert (colonies.names, colonies.problem, colonies.of(NAME.format(1))) == ((), None, None)


def test_a_tracklet_belongs_to_the_mask_that_its_blob_lies_in(halves):
    write_positions(halves, [[(10, 50)] * 3, [(90, 5)] * 3])
    colonies = Colonies(halves)
    assert colonies.names == ("A", "B")
    assert colonies.of_movie(1, [NAME.format(1), NAME.format(2)]) == {NAME.format(1): "A", NAME.format(2): "B"}


def test_most_frames_decide(halves):
    write_positions(halves, [[(39, 50), (62, 50), (63, 50)]])
    assert Colonies(halves).of(NAME.format(1)) == "B"


def test_positions_count_pixels_from_1(halves):
    write_positions(halves, [[(40, 1)], [(61, 100)]])
    colonies = Colonies(halves)
    assert [colonies.of(NAME.format(number)) for number in (1, 2)] == ["A", "B"]


def test_a_blob_just_outside_belongs_to_the_nearest_mask(session):
    set_parameters(session)
    write_mask(session, "A.png", square((slice(0, 10), slice(0, 10))))
    write_mask(session, "B.png", square((slice(90, 100), slice(90, 100))))
    write_positions(session, [[(10 + REACH - 2, 5)], [(50, 50)], [(95, 90 - REACH + 5)]])
    colonies = Colonies(session)
    assert [colonies.of(NAME.format(number)) for number in (1, 2, 3)] == ["A", None, "B"]


@pytest.mark.parametrize(("rows", "turned"), [(16, False), (17, False), (16, True), (17, True)])
def test_tables_of_older_and_newer_files_are_read(halves, rows, turned):
    frames = [(90, 50)] * 40
    write_positions(halves, [frames], rows=rows, turned=turned)
    assert Colonies(halves).of(NAME.format(1)) == "B"


def test_movies_tracked_in_parts_have_tables_in_parts(halves):
    write_positions(halves, [[(10, 50)]], file="trdata_1_p1.mat")
    write_positions(halves, [[(10, 50)], [(90, 50)]], file="trdata_1_p2.mat")
    assert Colonies(halves).of(NAME.format(2)) == "B"


def test_frames_without_a_position_are_passed_over(halves):
    write_positions(halves, [[(np.nan, np.nan), (90, 50)], [(np.nan, np.nan)], [(-1e6, 1e6)]])
    colonies = Colonies(halves)
    assert [colonies.of(NAME.format(number)) for number in (1, 2, 3)] == ["B", None, None]


def test_a_tracklet_without_positions_belongs_to_none(halves):
    assert Colonies(halves).of(NAME.format(1)) is None
    assert Colonies(halves).of("nothing") is None


def test_a_damaged_table_leaves_tracklets_without_a_colony(halves):
    (halves.path / "tracklets" / "trdata_1.mat").write_bytes(b"half a file")
    assert Colonies(halves).of(NAME.format(1)) is None


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P"])
def test_masks_may_be_of_any_kind_of_png(session, mode):
    set_parameters(session)
    write_mask(session, "mask-A.png", square(LEFT), mode)
    write_mask(session, "mask-B.png", square(RIGHT), mode)
    write_positions(session, [[(90, 50)]])
    assert Colonies(session).of(NAME.format(1)) == "B"


def test_a_label_is_a_word_of_the_name_and_not_any_letter(session):
    set_parameters(session)
    write_mask(session, "A.png", square(LEFT))
    write_mask(session, "B.png", square(RIGHT))
    write_mask(session, "BACKGROUND.png", square(LEFT))
    assert Colonies(session).problem is None


@pytest.mark.parametrize(
    ("numbering", "first", "second"),
    [
        ("Vertical", (slice(0, 40), slice(50, 90)), (slice(60, 100), slice(0, 40))),
        ("Horizontal", (slice(60, 100), slice(0, 40)), (slice(0, 40), slice(50, 90))),
    ],
)
def test_without_masks_of_their_own_colonies_are_the_areas_of_the_arena(session, numbering, first, second):
    set_parameters(session, geometry_multi_colony_numbering=numbering)
    write_mask(session, "roimask.png", square(first) | square(second))
    middles = [
        [((place[1].start + place[1].stop) / 2, (place[0].start + place[0].stop) / 2)] for place in (first, second)
    ]
    write_positions(session, middles)
    colonies = Colonies(session)
    assert [colonies.of(NAME.format(number)) for number in (1, 2)] == ["A", "B"]


@pytest.mark.parametrize(
    "values",
    [
        {"geometry_colony_labels": ["A", "B", "C"]},
        {"geometry_multi_colony_numbering": "Clockwise"},
        {"geometry_multi_colony_circ_shift": 1},
    ],
)
def test_areas_that_cannot_be_told_apart_are_a_problem_and_not_a_guess(session, values):
    set_parameters(session, **values)
    write_mask(session, "roimask.png", square(LEFT) | square(RIGHT))
    write_positions(session, [[(90, 50)]])
    colonies = Colonies(session)
    assert "roimask.png" in colonies.problem
    assert colonies.of(NAME.format(1)) is None


def problem_of(session: Session) -> str:
    problem = Colonies(open_session(session.experiment)).problem
    assert problem
    return problem


def test_what_is_missing_is_said(session):
    set_parameters(session)
    assert "no mask for colony A, B" in problem_of(session)
    write_mask(session, "A.png", square(LEFT))
    assert "no mask for colony B" in problem_of(session)
    (session.path / "parameters" / "masks" / "B.png").write_bytes(b"no picture")
    assert "B.png cannot be read" in problem_of(session)
    write_mask(session, "B.png", np.ones((5, 5), np.uint8))
    assert "not of the size" in problem_of(session)
    set_parameters(session, geometry_colony_labels=[])
    assert "does not name" in problem_of(session)
    (session.path / "parameters" / "prmtrs.json").write_text("{")
    assert "prmtrs.json" in problem_of(session)


def test_a_session_without_masks_at_all_says_so(make_session):
    path: Path = make_session()
    session = open_session(path.parent)
    set_parameters(session)
    assert "masks cannot be read" in problem_of(session)
