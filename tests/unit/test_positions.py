"""Positions: from placements to the files of anTraX, to tables and netCDF, and back."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from antrax.errors import AntraxError, ExperimentError, OutputError, TrdataError
from antrax.io.antdata import read_antdata, tracklets_table_file, xy_file
from antrax.io.names import parse_tracklet_name
from antrax.io.positions import Kind, MoviePositions, Placements, place
from antrax.io.positions_dataset import netcdf_file
from antrax.io.positions_table import (
    iter_positions,
    positions_file,
    read_positions,
    read_table,
    solved_movies,
)
from antrax.io.session import Session, open_session
from antrax.io.solution_writer import write_movie, writing_solution
from antrax.io.trdata import measured_movies, read_measurements

from ..conftest import MakeSession

MOVIES = "index name fps fi ff\n1 a 10 1 20\n2 b 10 21 40\n"
SCALE = 1e-4
ONE, PAIR, NEXT = "trj_id1_ti1_1_tf1_5", "trj_id2_ti1_6_tf1_12", "trj_id1_ti2_3_tf2_4"


def write_trdata(session: Path, movie: int, tracklets: dict[str, np.ndarray]) -> Path:
    path = session / "tracklets" / f"trdata_{movie}.mat"
    with h5py.File(path, "w") as file:
        for name, values in tracklets.items():
            file.create_dataset(name, data=values.astype(np.float32))
    return path


def blobs(frames: int, x: float, y: float) -> np.ndarray:
    """Measurements of a blob that walks to the right by a pixel a frame, looking down, 20 pixels long."""
    data = np.zeros((17, frames))
    data[1], data[2], data[3], data[5], data[16] = x + np.arange(frames), y, 20.0, math.pi / 2, 0.1
    return data


@pytest.fixture
def session(make_session: MakeSession) -> Session:
    path = make_session(movies=MOVIES)
    (path / "parameters" / "prmtrs.json").write_text(json.dumps({"geometry_rscale": SCALE}))
    write_trdata(path, 1, {ONE: blobs(5, 100.0, 50.0), PAIR: blobs(7, 200.0, 60.0)})
    write_trdata(path, 2, {NEXT: blobs(2, 300.0, 70.0)})
    return open_session(path.parent)


def placements(*rows: tuple[str, int, Kind, bool, float, str]) -> Placements:
    """Placements of the animals AB and CD: tracklet, animal, kind, single, confidence, alternative."""
    tracklet, animal, kind, single, confidence, alternative = zip(*rows, strict=True)
    return Placements(
        ("AB", "CD"), ("", ""), np.array(tracklet), np.array(animal), np.array(kind, np.int8), np.array(single),
        np.array(confidence, np.float32), np.array(alternative),
    )  # fmt: skip


SOLVED = placements(
    (ONE, 0, Kind.CLASSIFIED, True, 0.99, ""),
    (PAIR, 0, Kind.SEVERAL, False, 0.9, "CD"),
    (PAIR, 1, Kind.SOFT, False, float("nan"), ""),
    (NEXT, 1, Kind.SINGLE, True, 0.75, ""),
    (NEXT, 0, Kind.UNDECIDED, True, 0.25, "CD"),
)


def write_all(session: Session, solved: Placements = SOLVED) -> None:
    with writing_solution(session) as writer:
        for movie in (1, 2):
            writer.add(solved, place(session, movie, solved, read_measurements(session, movie)))


@pytest.fixture(scope="module")
def solved_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment with positions in all files, written once; `solved` is a copy of it."""
    return tmp_path_factory.mktemp("solved") / "exp"


@pytest.fixture
def solved(session: Session, solved_files: Path) -> Session:
    """The session, with its positions written."""
    if not solved_files.exists():
        write_all(session)
        shutil.copytree(session.experiment, solved_files)
    else:
        shutil.copytree(solved_files, session.experiment, dirs_exist_ok=True)
    return session


def test_an_animal_is_where_its_blob_is_and_looks_where_it_looks_only_when_alone(session: Session) -> None:
    found = place(session, 1, SOLVED, read_measurements(session, 1))
    assert (found.first_frame, found.frames, found.fps) == (1, 20, 10.0)
    np.testing.assert_array_equal(found.x[:5, 0], [100, 101, 102, 103, 104])
    np.testing.assert_allclose(found.orientation[:5, 0], math.pi / 2)
    np.testing.assert_array_equal(found.x[5:12, 0], found.x[5:12, 1])
    assert np.isnan(found.orientation[5:12]).all()
    assert np.isnan(found.x[12:]).all()
    assert found.kind[0].tolist() == [Kind.CLASSIFIED, Kind.UNDECIDED]
    assert found.alternatives[found.alternative[6, 0]] == "CD"


def test_where_the_set_is_known_but_not_who_the_cell_says_so_and_has_no_position(session: Session) -> None:
    found = place(session, 2, SOLVED, read_measurements(session, 2))
    assert np.isnan(found.x[:, 0]).all()
    assert found.tracklets[found.tracklet[2, 0]] == NEXT
    assert found.alternatives[found.alternative[2, 0]] == "CD"
    assert found.kind[2].tolist() == [Kind.UNDECIDED, Kind.SINGLE]
    np.testing.assert_allclose(found.confidence[2], [0.25, 0.75])


def test_of_two_tracklets_at_a_time_the_harder_kind_counts_then_the_higher_confidence(session: Session) -> None:
    overlapping = "trj_id3_ti1_4_tf1_7"
    write_trdata(session.path, 1, {ONE: blobs(5, 100.0, 50.0), overlapping: blobs(4, 500.0, 50.0)})
    measured = read_measurements(session, 1)
    soft = placements((overlapping, 0, Kind.SOFT, True, 0.99, ""), (ONE, 0, Kind.SINGLE, True, 0.5, ""))
    assert place(session, 1, soft, measured).x[3:6, 0].tolist() == [103, 104, 502]
    surer = placements((overlapping, 0, Kind.SINGLE, True, 0.9, ""), (ONE, 0, Kind.SINGLE, True, 0.5, ""))
    assert place(session, 1, surer, measured).x[3:6, 0].tolist() == [500, 501, 502]


def test_where_the_tracker_loses_an_animal_for_a_moment_it_is_on_the_line_between(session: Session) -> None:
    after, far = "trj_id1_ti1_9_tf1_10", "trj_id1_ti1_17_tf1_20"
    write_trdata(session.path, 1, {ONE: blobs(5, 100.0, 50.0), after: blobs(2, 112.0, 58.0), far: blobs(4, 0.0, 0.0)})
    measured = read_measurements(session, 1)
    solved = placements(
        (ONE, 0, Kind.SINGLE, True, 0.9, ""),
        (after, 0, Kind.CLASSIFIED, True, 0.99, ""),
        (far, 0, Kind.SINGLE, True, 0.9, ""),
    )
    found = place(session, 1, solved, measured, longest_gap=0.5)
    assert found.kind[5:8, 0].tolist() == [Kind.INTERPOLATED] * 3
    np.testing.assert_allclose(found.x[5:8, 0], [106, 108, 110])
    np.testing.assert_allclose(found.y[5:8, 0], [52, 54, 56])
    np.testing.assert_allclose(found.confidence[5:8, 0], 0.9)
    assert np.isnan(found.orientation[5:8, 0]).all()
    assert (found.tracklet[5:8, 0] == -1).all()
    # six frames are more than half a second, and nothing is said of the other animal
    assert (found.kind[10:16, 0] == Kind.UNDECIDED).all()
    assert np.isnan(found.x[:, 1]).all()
    assert (place(session, 1, solved, measured).kind != Kind.INTERPOLATED).all()


def test_no_line_is_drawn_to_where_an_animal_only_may_be(session: Session) -> None:
    after = "trj_id1_ti1_8_tf1_10"
    write_trdata(session.path, 1, {ONE: blobs(5, 100.0, 50.0), after: blobs(3, 112.0, 58.0)})
    solved = placements((ONE, 0, Kind.SINGLE, True, 0.9, ""), (after, 0, Kind.UNDECIDED, True, 0.4, "CD"))
    found = place(session, 1, solved, read_measurements(session, 1), longest_gap=0.5)
    assert (found.kind[5:] == Kind.UNDECIDED).all()


def test_interpolated_positions_are_kept_by_all_files(session: Session) -> None:
    after = "trj_id1_ti1_8_tf1_10"
    write_trdata(session.path, 1, {ONE: blobs(5, 100.0, 50.0), after: blobs(3, 112.0, 58.0)})
    solved = placements((ONE, 0, Kind.SINGLE, True, 0.9, ""), (after, 0, Kind.SINGLE, True, 0.8, ""))
    found = place(session, 1, solved, read_measurements(session, 1), longest_gap=0.5)
    with writing_solution(session) as writer:
        writer.add(solved, found)
    for read in (read_table(positions_file(session, 1)), read_antdata(session, 1)):
        assert read.kind[5:7, 0].tolist() == [Kind.INTERPOLATED] * 2
        np.testing.assert_allclose(read.x[5:7, 0], [106.6667, 109.3333], rtol=1e-5)
    table = read_positions(session)
    assert table.loc[table["kind"] == "interpolated", "tracklet"].isna().all()


@pytest.mark.usefixtures("solved")
def test_positions_in_antdata_are_in_metres_with_a_variable_an_animal(session: Session) -> None:
    path = xy_file(session, 1)
    with h5py.File(path) as file:
        assert list(file) == ["AB", "CD"]
        assert file["AB"].shape == (4, 20)
        assert file["AB"].dtype == np.float64
        assert file["AB"].attrs["MATLAB_class"] == b"double"
        np.testing.assert_allclose(file["AB"][:, 0], [0.01, 0.005, math.pi / 2, 1])
        np.testing.assert_allclose(file["CD"][:, 6], [0.0201, 0.006, np.nan, 4])
        assert np.isnan(file["CD"][:, 0]).all()
    assert path.read_bytes().startswith(b"MATLAB 7.3 MAT-file, Platform: ")
    assert path.read_bytes()[124:128] == b"\x00\x02IM"
    lines = path.with_suffix(".csv").read_text().splitlines()
    assert lines[0] == "AB_X,AB_Y,AB_OR,AB_ass_type,CD_X,CD_Y,CD_OR,CD_ass_type"
    assert lines[1].split(",")[3:] == ["1", "NaN", "NaN", "NaN", "NaN"]
    assert len(lines) == 21
    assert tracklets_table_file(session, 1).read_text().splitlines() == [
        "ant,from,to,m,tracklet,assigned,single,source",
        f"AB,1,5,1,{ONE},1,1,1",
        f"AB,6,12,1,{PAIR},1,0,0",
        f"CD,6,12,1,{PAIR},0,0,0",
    ]
    # frames of the experiment, and nothing of the undecided
    assert tracklets_table_file(session, 2).read_text().splitlines()[1:] == [f"CD,23,24,2,{NEXT},1,1,0"]


@pytest.mark.usefixtures("solved")
def test_antdata_and_tables_come_back_as_they_were(session: Session) -> None:
    for movie in (1, 2):
        written = place(session, movie, SOLVED, read_measurements(session, movie))
        read = read_table(positions_file(session, movie))
        for field in dataclasses.fields(MoviePositions):
            if field.name not in ("alternative", "alternatives", "tracklet", "tracklets"):
                np.testing.assert_array_equal(getattr(read, field.name), getattr(written, field.name), field.name)
        for codes, names in (("tracklet", "tracklets"), ("alternative", "alternatives")):
            for one in (read, written):
                assert getattr(one, codes).max() < len(getattr(one, names))
            texts = [
                np.array([*getattr(one, names), None], object)[getattr(one, codes)].tolist() for one in (read, written)
            ]
            assert texts[0] == texts[1]
        theirs = read_antdata(session, movie)
        np.testing.assert_allclose(theirs.x, written.x, rtol=1e-6)
        np.testing.assert_array_equal(theirs.kind, written.kind)
        np.testing.assert_array_equal(theirs.placed & (theirs.tracklet >= 0), theirs.placed)


@pytest.mark.usefixtures("solved")
def test_the_long_table_has_a_row_a_cell(session: Session) -> None:
    table = read_positions(session)
    assert list(table) == [
        "frame", "time", "id", "x", "y", "orientation", "length", "kind", "confidence", "tracklet", "alternative",
    ]  # fmt: skip
    assert len(table) == 5 + 7 + 7 + 2 + 2
    row = table[(table["id"] == "CD") & (table["frame"] == 23)].iloc[0]
    assert (row["time"], row["x"], row["kind"], row["tracklet"]) == (2.2, 300.0, "single", NEXT)
    undecided = table[table["kind"] == "undecided"]
    assert undecided["frame"].tolist() == [23, 24]
    assert undecided["x"].isna().all()
    assert set(undecided["alternative"]) == {"CD"}
    # one table for any program that reads a folder of Parquet files
    pd.testing.assert_frame_equal(
        pd.read_parquet(positions_file(session, 1).parent).astype({"id": str})[["frame", "id", "x"]],
        table.astype({"id": str})[["frame", "id", "x"]],
    )


@pytest.mark.usefixtures("solved")
def test_the_dataset_has_centroid_head_and_tail(session: Session) -> None:
    dataset = read_positions(session, form="xarray")
    assert dict(dataset.sizes) == {"time": 40, "space": 2, "keypoint": 3, "individual": 2}
    assert dataset.attrs == {"source_software": "antrax", "ds_type": "poses", "time_unit": "seconds", "fps": 10.0}
    first = dataset.isel(time=0).sel(individual="AB")
    np.testing.assert_allclose(first.position.sel(keypoint="centroid"), [100, 50])
    # looking down: the head is lower in the image, that is, has a larger y
    np.testing.assert_allclose(first.position.sel(keypoint="head"), [100, 60], atol=1e-4)
    np.testing.assert_allclose(first.position.sel(keypoint="tail"), [100, 40], atol=1e-4)
    np.testing.assert_allclose(first.confidence, 0.99)
    in_a_group = dataset.sel(time=0.6, individual="AB")
    assert np.isnan(in_a_group.position.sel(keypoint="head")).all()
    np.testing.assert_allclose(in_a_group.confidence.sel(keypoint="centroid"), 0.9)
    # the undecided are not placed
    assert np.isnan(dataset.sel(individual="AB").isel(time=22).confidence).all()


@pytest.mark.usefixtures("solved")
def test_netcdf_holds_the_dataset_of_its_movie(session: Session) -> None:
    import xarray as xr

    with xr.open_dataset(netcdf_file(session, 2), engine="h5netcdf") as read:
        xr.testing.assert_identical(read.load(), read_positions(session, [2], form="xarray"))
        assert read.time.values[0] == 2.0


@pytest.mark.usefixtures("solved")
def test_movies_solved_by_matlab_only_are_read_from_antdata(session: Session) -> None:
    shutil.rmtree(session.path / "positions")
    assert solved_movies(session) == [1, 2]
    table = read_positions(session)
    assert len(table) == 5 + 7 + 7 + 2
    assert table["confidence"].isna().all()
    assert list(read_positions(session, form="xarray").keypoint.values) == ["centroid"]


def test_colonies_have_a_folder_each_in_antdata_and_a_column_in_tables(session: Session) -> None:
    parameters = {"geometry_rscale": SCALE, "geometry_multi_colony": True, "geometry_colony_labels": ["C1", "C2"]}
    (session.path / "parameters" / "prmtrs.json").write_text(json.dumps(parameters))
    session = open_session(session.experiment)
    solved = dataclasses.replace(SOLVED, ids=("AB", "AB"), colonies=("C1", "C2"))
    write_all(session, solved)
    assert sorted(path.name for path in (session.path / "antdata").iterdir()) == ["C1", "C2"]
    with h5py.File(xy_file(session, 1, "C2")) as file:
        assert list(file) == ["AB"]
    table = read_positions(session)
    assert table.groupby("colony", observed=True).size().to_dict() == {"C1": 14, "C2": 9}
    assert list(read_positions(session, form="xarray").individual.values) == ["C1_AB", "C2_AB"]
    for movie in (1, 2):
        np.testing.assert_array_equal(
            read_antdata(session, movie).kind, read_table(positions_file(session, movie)).kind
        )


@pytest.mark.usefixtures("solved")
def test_old_files_stay_until_all_new_ones_are_whole(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in session.path.rglob("*") if path.is_file()}
    other = placements((ONE, 1, Kind.SINGLE, True, 0.6, ""))
    found = place(session, 1, other, read_measurements(session, 1))
    with (
        pytest.raises(OutputError, match="disk full"),
        writing_solution(session) as writer,
    ):
        writer.add(other, found)
        raise OutputError("disk full")
    assert {path: path.read_bytes() for path in session.path.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("solved")
def test_a_movie_that_is_withdrawn_keeps_its_files_and_the_others_get_new_ones(session: Session) -> None:
    def contents(movie: int) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in session.path.rglob(f"*_{movie}.*") if "tracklets" not in path.parts}

    before = contents(1), contents(2)
    other = placements((ONE, 1, Kind.SINGLE, True, 0.6, ""), (NEXT, 0, Kind.SINGLE, True, 0.6, ""))
    with writing_solution(session) as writer:
        for movie in (1, 2):
            found = place(session, movie, other, read_measurements(session, movie))
            write_movie(session, other, found, writer.reserve(movie, other.colonies))
        writer.withdraw(1)
    assert contents(1) == before[0]
    after = contents(2)
    assert set(after) == set(before[1])
    assert all(after[path] != before[1][path] for path in after if path.suffix in (".csv", ".parquet", ".nc"))
    assert not list(session.path.rglob("*.part"))


def test_a_file_that_another_process_cannot_write_is_named(session: Session) -> None:
    found = place(session, 1, SOLVED, read_measurements(session, 1))
    with (
        pytest.raises(OutputError, match=r"xy_1_1\.csv cannot be written: No such file or directory"),
        writing_solution(session) as writer,
    ):
        temporary = writer.reserve(1, SOLVED.colonies)
        temporary[xy_file(session, 1).with_suffix(".csv")] = session.path / "nowhere" / "file"
        write_movie(session, SOLVED, found, temporary)
    assert not list(session.path.rglob("*.part"))
    assert solved_movies(session) == []


def test_blobs_that_the_tracker_left_out_leave_their_frames_empty(session: Session) -> None:
    data = blobs(5, 100.0, 50.0)[:, [0, 1, 4]]
    data[16] = [0.1, 0.1, 0.3]
    write_trdata(session.path, 1, {ONE: data})
    found = place(session, 1, placements((ONE, 0, Kind.SINGLE, True, 1.0, "")), read_measurements(session, 1))
    np.testing.assert_array_equal(found.x[:5, 0], [100, 101, np.nan, np.nan, 104])
    # where the times do not tell which frames they are, or of two blobs the same, none has a position
    for times in ([0.1, 0.1, 0.1], [0.1, 0.0, 0.4], [0.1, -0.1, 0.5]):
        data[16] = times
        write_trdata(session.path, 1, {ONE: data})
        found = place(session, 1, placements((ONE, 0, Kind.SINGLE, True, 1.0, "")), read_measurements(session, 1))
        assert np.isnan(found.x).all()


def test_only_the_tracklets_asked_for_are_read(session: Session) -> None:
    measured = read_measurements(session, 1, [PAIR, "trj_id8_ti1_1_tf1_2"])
    assert measured.names.tolist() == [PAIR]
    np.testing.assert_array_equal(measured.x, 200 + np.arange(7))


def test_a_movie_tracked_in_parts_and_a_tracklet_of_one_frame_are_read(session: Session) -> None:
    single = "trj_id9_ti1_7_tf1_7"
    (session.path / "tracklets" / "trdata_1.mat").rename(session.path / "tracklets" / "trdata_1_p1.mat")
    with h5py.File(session.path / "tracklets" / "trdata_1_p2.mat", "w") as file:
        file.create_dataset(single, data=blobs(1, 5.0, 6.0).astype(np.float32)[:, 0])
        file.create_dataset("something else", data=1)
    (session.path / "tracklets" / "._trdata_1.mat").write_bytes(b"junk")
    assert measured_movies(session) == [1, 2]
    measured = read_measurements(session, 1)
    assert sorted(measured.names.tolist()) == sorted([ONE, PAIR, single])
    assert measured.x[measured.rows(single)].tolist() == [5.0]


@pytest.mark.parametrize("damage", ["cut", "missing", "shape", "link"])
def test_damaged_measurements_are_named(session: Session, damage: str) -> None:
    path = session.path / "tracklets" / "trdata_1.mat"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:700])
    elif damage == "missing":
        path.unlink()
    elif damage == "shape":
        write_trdata(session.path, 1, {ONE: np.zeros((3, 5))})
    else:
        with h5py.File(path, "w") as file:
            file[ONE] = h5py.ExternalLink("trdata_2.mat", NEXT)
    with pytest.raises(TrdataError, match=r"trdata_1\.mat .*run the tracking step of movie 1"):
        read_measurements(session, 1)


@pytest.mark.parametrize("which", ["positions", "antdata"])
@pytest.mark.usefixtures("solved")
def test_damaged_positions_are_named(session: Session, which: str) -> None:
    path = positions_file(session, 1) if which == "positions" else xy_file(session, 1)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(ExperimentError, match=path.name):
        read_table(path) if which == "positions" else read_antdata(session, 1)


def rewrite(path: Path, about: dict | None = None, column: str | None = None, values: pa.Array | None = None) -> None:
    """Change what a table's metadata say, or a column."""
    table = pq.read_table(path)
    if column is not None:
        table = table.set_column(table.column_names.index(column), column, values)
    said = json.loads(table.schema.metadata[b"antrax"]) | (about or {})
    pq.write_table(table.replace_schema_metadata({b"antrax": json.dumps(said)}), path)


@pytest.mark.parametrize(
    "about",
    [
        {"frames": 10**12},
        {"frames": 3},
        {"frames": "20"},
        {"first_frame": 10**400},
        {"first_frame": 2},
        {"movie": 2},
        {"ids": ["AB", "AB"]},
        {"ids": ["AB", "XY"]},
        {"ids": None},
        {"colonies": [""]},
        {"fps": -1},
        {"fps": "10"},
        {"fps": "\x1b[31m"},
    ],
    ids=str,
)
@pytest.mark.usefixtures("solved")
def test_a_table_whose_metadata_do_not_fit_its_rows_is_refused(session: Session, about: dict) -> None:
    rewrite(positions_file(session, 1), about)
    with pytest.raises(ExperimentError, match=r"positions_1\.parquet is damaged") as caught:
        read_positions(session)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("column", "value"),
    [("frame", 0), ("frame", 21), ("frame", None), ("frame", 1), ("id", "XY"), ("id", None), ("kind", None),
     ("kind", "?"), ("alternative", None)],
)  # fmt: skip
@pytest.mark.usefixtures("solved")
def test_rows_that_are_of_no_cell_of_the_movie_are_not_put_into_another(
    session: Session, column: str, value: object
) -> None:
    path = positions_file(session, 1)
    count = pq.read_metadata(path).num_rows
    rewrite(path, None, column, pa.array([value] * count, pa.int32() if column == "frame" else pa.string()))
    with pytest.raises(ExperimentError, match=r"positions_1\.parquet is damaged"):
        read_table(path)


@pytest.mark.usefixtures("solved")
def test_bytes_of_another_kind_in_a_table_cost_one_line(session: Session) -> None:
    path = positions_file(session, 1)
    content = path.read_bytes()
    path.write_bytes(content[:-40] + b"\xff" * 32 + content[-8:])
    with pytest.raises(ExperimentError) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_movies_without_a_frame_rate_are_counted_in_frames_together(make_session: MakeSession) -> None:
    path = make_session(movies="index name fi ff\n1 a 1 20\n2 b 21 40\n")
    (path / "parameters" / "prmtrs.json").write_text(json.dumps({"geometry_rscale": SCALE}))
    for movie, name in ((1, ONE), (2, NEXT)):
        write_trdata(path, movie, {name: blobs(parse_tracklet_name(name).span, 100.0, 50.0)})
    session = open_session(path.parent)
    write_all(session)
    dataset = read_positions(session, form="xarray")
    assert dataset.attrs["time_unit"] == "frames"
    assert dataset.time.values.tolist() == list(range(40))


@pytest.mark.usefixtures("solved")
def test_kinds_that_are_none_are_refused_in_antdata(session: Session) -> None:
    shutil.rmtree(session.path / "positions")
    with h5py.File(xy_file(session, 1), "a") as file:
        values = file["AB"][()]
        values[3] = 300
        file["AB"][...] = values
    with pytest.raises(ExperimentError, match="kinds that are none"):
        read_positions(session)


def test_what_is_missing_is_said(session: Session) -> None:
    with pytest.raises(ExperimentError, match="has no positions; type `antrax solve"):
        read_positions(session)
    write_all(session)
    with pytest.raises(ExperimentError, match=r"xy_7_7\.mat does not exist"):
        read_positions(session, [7])
    (session.path / "parameters" / "prmtrs.json").write_text("{}")
    with (
        pytest.raises(ExperimentError, match="geometry_rscale is None"),
        writing_solution(open_session(session.experiment)),
    ):
        pass


def test_the_real_session_is_written_as_matlab_wrote_it(real_session: Path, tmp_path: Path) -> None:
    real = open_session(real_session)
    shutil.copytree(real.path / "parameters", tmp_path / "e" / "s" / "parameters")
    (tmp_path / "e" / "s" / "tracklets").symlink_to(real.path / "tracklets")
    session = open_session(tmp_path / "e")
    for movie in (1, 3):
        stored = pd.read_csv(tracklets_table_file(real, movie))
        ids = tuple(real.labels.ants)
        kind = np.select(
            [stored["assigned"] == 0, stored["source"] == 1, stored["single"] == 1],
            [Kind.SOFT, Kind.CLASSIFIED, Kind.SINGLE],
            Kind.SEVERAL,
        )
        solved = Placements(
            ids, ("",) * len(ids), stored["tracklet"].to_numpy(str), stored["ant"].map(ids.index).to_numpy(),
            kind.astype(np.int8), stored["single"].to_numpy(bool), np.full(len(stored), np.nan, np.float32),
            np.full(len(stored), ""),
        )  # fmt: skip
        with writing_solution(session) as writer:
            writer.add(solved, place(session, movie, solved, read_measurements(session, movie)))
        theirs, ours = xy_file(real, movie), xy_file(session, movie)
        with h5py.File(theirs) as a, h5py.File(ours) as b:
            assert list(a) == list(b)
            for name in a:
                assert (a[name].shape, a[name].dtype, a[name].chunks) == (b[name].shape, b[name].dtype, b[name].chunks)
                assert dict(a[name].attrs) == dict(b[name].attrs)
                # x, y and kind are equal to the last digit; MATLAB turns angles once more
                np.testing.assert_array_equal(a[name][[0, 1, 3]], b[name][[0, 1, 3]])
                np.testing.assert_allclose(a[name][2], b[name][2], atol=5e-7)
        with theirs.with_suffix(".csv").open() as a, ours.with_suffix(".csv").open() as b:
            for row, (one, other) in enumerate(zip(csv.reader(a), csv.reader(b), strict=True)):
                places = [place for place in range(len(one)) if place % 4 != 2 or row == 0]
                assert [one[place] for place in places] == [other[place] for place in places]
        table = tracklets_table_file(real, movie)
        assert table.read_bytes() == tracklets_table_file(session, movie).read_bytes()


def test_the_real_sessions_positions_are_read_from_antdata(real_session: Path) -> None:
    movies = list(iter_positions(open_session(real_session)))
    assert [movie.first_frame for movie in movies] == [1, 3001, 6001, 9001, 12001, 15001]
    placed = np.mean([movie.placed.mean() for movie in movies])
    hard = np.mean([(movie.placed & (movie.kind != Kind.SOFT)).mean() for movie in movies])
    assert round(100 * float(hard), 2) == 56.03
    assert round(100 * float(placed - hard), 2) == 43.16
    names = {str(name) for movie in movies for name in movie.tracklets}
    assert all(parse_tracklet_name(name) for name in names)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.usefixtures("solved")
def test_named_pipes_under_the_names_of_files_are_refused_and_not_waited_for(session: Session) -> None:
    for path, read in (
        (session.path / "tracklets" / "trdata_1.mat", lambda: read_measurements(session, 1)),
        (positions_file(session, 1), lambda: read_table(positions_file(session, 1))),
        (xy_file(session, 1), lambda: read_antdata(session, 1)),
    ):
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(AntraxError, match=rf"{path.name} .*named pipe"):
            read()
