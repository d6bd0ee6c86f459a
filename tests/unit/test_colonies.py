"""Colonies: the mask that a tracklet's blob lies in."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from antrax.io.session import Session, open_session
from antrax.review.tracklets.colonies import Colonies

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


def test_a_tracklet_in_two_colonies_belongs_to_none(halves):
    write_positions(halves, [[(39, 50), (62, 50), (63, 50)]])
    assert Colonies(halves).of(NAME.format(1)) is None


def test_positions_count_pixels_from_1(halves):
    write_positions(halves, [[(40, 1)], [(61, 100)]])
    colonies = Colonies(halves)
    assert [colonies.of(NAME.format(number)) for number in (1, 2)] == ["A", "B"]


def test_frames_outside_of_all_colonies_do_not_count(halves):
    write_positions(halves, [[(50, 50)], [(50, 50), (90, 50), (52, 50)]])
    colonies = Colonies(halves)
    assert [colonies.of(NAME.format(number)) for number in (1, 2)] == [None, "B"]


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


# ---- the mask of numbers


def quarters() -> np.ndarray:
    """Colonies 1 to 4: upper left, upper right, lower left, lower right; 0 between them."""
    mask = np.zeros((100, 100), np.uint8)
    mask[:45, :45], mask[:45, 55:], mask[55:, :45], mask[55:, 55:] = 1, 2, 3, 4
    return mask


MIDDLES = [[(20, 20)], [(80, 20)], [(20, 80)], [(80, 80)]]


def colonies_of(session: Session) -> list[str | None]:
    """Of tracklets in the middle of each quarter."""
    if not (session.path / "tracklets" / "trdata_1.mat").exists():
        write_positions(session, MIDDLES)
    colonies = Colonies(session)
    return [colonies.of(NAME.format(number)) for number in range(1, len(MIDDLES) + 1)]


@pytest.mark.parametrize(
    "labels",
    [
        ["A", "B", "C", "D"],
        ["N_1", "N_2", "N_10", "N_11"],
        ["map", "colony", "index_mask", "label_map"],
        ["index", "mask", "color_map", "roimask"],
        ["1", "2", "3", "4"],
    ],
)
def test_the_index_mask_tells_colonies_whatever_they_are_called(session, labels):
    set_parameters(session, geometry_colony_labels=labels, geometry_Ncolonies=4)
    write_mask(session, "colony_index_mask.png", quarters())
    # what lies beside it says something else, and does not count
    for number, label in enumerate(labels):
        write_mask(session, f"colony_{label}.png", square(LEFT if number else RIGHT), "RGB")
    write_mask(session, "colony_index_mask.png", quarters())
    write_mask(session, "colony_label_map.png", np.full((100, 100, 3), 7, np.uint8))
    write_mask(session, "colony_color_map.png", np.full((100, 100, 3), 9, np.uint8))
    write_mask(session, "roimask.png", square(LEFT))
    assert colonies_of(session) == labels


def test_the_numbers_of_the_index_mask_count_and_not_where_colonies_lie(session):
    set_parameters(session, geometry_colony_labels=["A", "B", "C", "D"])
    mask = quarters()
    mask[mask > 0] = 5 - mask[mask > 0]
    write_mask(session, "colony_index_mask.png", mask)
    assert colonies_of(session) == ["D", "C", "B", "A"]


def test_colonies_without_names_are_c1_c2_and_so_on(session):
    set_parameters(session, geometry_colony_labels=[], geometry_Ncolonies=4)
    write_mask(session, "colony_index_mask.png", quarters())
    assert Colonies(session).names == ("C1", "C2", "C3", "C4")
    set_parameters(session, geometry_colony_labels=None)
    assert colonies_of(open_session(session.experiment)) == ["C1", "C2", "C3", "C4"]


@pytest.mark.parametrize("mode", ["L", "P", "I;16", "RGB"])
def test_index_masks_of_any_kind_of_png_are_read(session, mode):
    set_parameters(session, geometry_colony_labels=["A", "B", "C", "D"])
    if mode == "P":
        image = Image.fromarray(quarters())
        image.putpalette(bytes(range(255, -1, -1)) * 3)
        image.save(session.path / "parameters" / "masks" / "colony_index_mask.png")
    elif mode == "I;16":
        write_mask(session, "colony_index_mask.png", quarters().astype(np.uint16))
    else:
        write_mask(session, "colony_index_mask.png", quarters(), mode)
    assert colonies_of(session) == ["A", "B", "C", "D"]


def index_image(kind: str) -> Image.Image:
    """The four quarters as an editor may save them."""
    index = quarters()
    opaque = np.where(index > 0, 255, 0).astype(np.uint8)
    if kind == "LA":
        return Image.merge("LA", [Image.fromarray(index), Image.fromarray(np.full_like(index, 255))])
    if kind == "LA, nothing drawn outside":
        # what lies under transparent pixels is whatever an editor left there
        return Image.merge("LA", [Image.fromarray(np.where(index > 0, index, 9)), Image.fromarray(opaque)])
    if kind == "RGBA, nothing drawn outside":
        return Image.merge("RGBA", [*[Image.fromarray(index)] * 3, Image.fromarray(opaque)])
    image = Image.fromarray(index)
    if kind == "grey palette":
        return image.convert("P")
    image.putpalette(bytes([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0]))
    if kind == "palette, transparent outside":
        image.info["transparency"] = 0
    return image


@pytest.mark.parametrize(
    "kind",
    [
        "LA",
        "LA, nothing drawn outside",
        "RGBA, nothing drawn outside",
        "grey palette",
        "coloured palette",
        "palette, transparent outside",
    ],
)
def test_index_masks_are_read_as_editors_save_them(session, kind):
    set_parameters(session, geometry_colony_labels=["A", "B", "C", "D"])
    image = index_image(kind)
    image.save(session.path / "parameters" / "masks" / "colony_index_mask.png", **image.info)
    assert colonies_of(session) == ["A", "B", "C", "D"]


def png(width: int, rows: list[bytes], bits: int, colour: int) -> bytes:
    """A PNG file of a bit depth that Pillow does not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_index_masks_of_any_bit_depth_are_read(session, bits):
    most = min(4, 2**bits - 1)
    set_parameters(session, geometry_colony_labels=["A", "B", "C", "D"])
    index = np.where(quarters() <= most, quarters(), 0)
    rows = [
        np.packbits(np.unpackbits(row[:, None], axis=1)[:, 8 - bits :].ravel()).tobytes()
        if bits <= 8
        else row.astype(">u2").tobytes()
        for row in index
    ]
    path = session.path / "parameters" / "masks" / "colony_index_mask.png"
    path.write_bytes(png(100, rows, bits, 0))
    assert colonies_of(session) == [*["A", "B", "C", "D"][:most], *[None] * (4 - most)]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda: png(100, [np.repeat(row, 3).astype(">u2").tobytes() for row in quarters()], 16, 2),
            "colours of 16 bits",
        ),
        (
            lambda: png(100, [np.repeat(row, 2).astype(">u2").tobytes() for row in quarters()], 16, 4),
            "colours of 16 bits",
        ),
    ],
    ids=["rgb", "grey and alpha"],
)
def test_index_masks_of_which_half_is_lost_in_reading_are_refused(session, spoil, told):
    set_parameters(session, geometry_colony_labels=["A", "B", "C", "D"])
    (session.path / "parameters" / "masks" / "colony_index_mask.png").write_bytes(spoil())
    assert told in (Colonies(session).problem or "")


def test_palettes_of_greys_and_pixels_that_are_half_transparent_are_not_guessed_at(session):
    set_parameters(session, geometry_colony_labels=["A", "B", "C", "D"])
    path = session.path / "parameters" / "masks" / "colony_index_mask.png"
    image = Image.fromarray(quarters())
    image.putpalette(bytes(np.repeat([0, 4, 3, 2, 1], 3).tolist()))
    image.save(path)
    assert "palette of greys" in (Colonies(session).problem or "")
    Image.merge("LA", [Image.fromarray(quarters()), Image.fromarray(np.full((100, 100), 128, np.uint8))]).save(path)
    assert "transparent in part" in (Colonies(open_session(session.experiment)).problem or "")


def test_centroids_are_rounded_as_matlab_does(session):
    set_parameters(session, geometry_colony_labels=["A", "B", "C", "D"])
    write_mask(session, "colony_index_mask.png", quarters())
    # columns 1 to 45 are colony A; 45.5 is rounded to 46, which is outside; 0.5 to 1
    write_positions(session, [[(45.49, 20)], [(45.5, 20)], [(0.5, 20)], [(0.4, 20)], [(100.49, 100.49)], [(100.5, 80)]])
    colonies = Colonies(session)
    assert [colonies.of(NAME.format(n)) for n in range(1, 7)] == ["A", None, "A", None, "D", None]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda session: write_mask(session, "colony_index_mask.png", quarters() * 60),
        lambda session: write_mask(session, "colony_index_mask.png", np.full((100, 100, 3), (1, 2, 3), np.uint8)),
        lambda session: (session.path / "parameters" / "masks" / "colony_index_mask.png").write_bytes(b"\x89PNG"),
    ],
)
def test_an_index_mask_that_cannot_be_meant_is_a_problem_and_not_a_guess(session, spoil):
    set_parameters(session, geometry_colony_labels=["A", "B", "C", "D"])
    write_mask(session, "colony_index_mask.png", quarters())
    spoil(session)
    assert "colony_index_mask.png" in problem_of(session)
    assert colonies_of(session) == [None] * 4


@pytest.mark.parametrize("labels", [5, [1, 2], ["A", "A"], {"A": 1}, [None], ["A", ""]])
def test_names_of_colonies_that_are_none_are_a_problem(session, labels):
    set_parameters(session, geometry_colony_labels=labels)
    write_mask(session, "colony_index_mask.png", quarters())
    assert "geometry_colony_labels" in problem_of(session)


# ---- without it


def test_masks_named_after_colonies_are_told_by_the_whole_label(session):
    set_parameters(session, geometry_colony_labels=["N_1", "N_10"])
    write_mask(session, "colony_N_1.png", square(LEFT), "RGB")
    write_mask(session, "colony_N_10.png", square(RIGHT), "RGB")
    write_positions(session, [[(10, 50)], [(90, 50)]])
    colonies = Colonies(session)
    assert [colonies.of(NAME.format(number)) for number in (1, 2)] == ["N_1", "N_10"]


def test_masks_that_overlap_are_a_problem(session):
    set_parameters(session)
    write_mask(session, "colony_A.png", square(LEFT))
    write_mask(session, "colony_B.png", square((slice(None), slice(30, 100))))
    assert "overlaps" in problem_of(session)


@pytest.mark.parametrize(
    ("numbering", "expected"),
    [("Vertical", ["A", "B", "C", "D"]), ("Horizontal", ["A", "C", "B", "D"])],
)
def test_areas_are_numbered_in_rows_or_in_columns_though_they_lie_askew(session, numbering, expected):
    set_parameters(session, geometry_colony_labels=["A", "B", "C", "D"], geometry_multi_colony_numbering=numbering)
    mask = np.zeros((100, 100), np.uint8)
    mask[12:43, 13:44] = mask[9:40, 65:96] = mask[62:93, 10:41] = mask[59:90, 68:99] = 255
    write_mask(session, "roimask.png", mask)
    assert colonies_of(session) == expected


def test_as_many_areas_as_colonies_are_needed(session):
    set_parameters(session, geometry_colony_labels=["A", "B"], geometry_Ncolonies=3)
    write_mask(session, "roimask.png", square(LEFT) | square(RIGHT))
    assert "2 separate areas" in problem_of(session)


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
