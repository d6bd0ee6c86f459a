"""Positions in the formats of other programs, read back by these where they are installed."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from antrax.errors import ExperimentError, OptionError
from antrax.io.atomic import make_folder
from antrax.io.export import FORMATS, export_positions
from antrax.io.positions_table import read_positions
from antrax.io.processes import this_process
from antrax.io.session import Session
from antrax.plots.run import plot_positions

from .test_positions import session, write_all  # noqa: F401  # a fixture


@pytest.fixture
def solved(session: Session) -> Session:  # noqa: F811
    write_all(session)
    return session


def has_movement() -> bool:
    try:
        return tuple(int(part) for part in importlib.metadata.version("movement").split(".")[:2]) >= (0, 17)
    except importlib.metadata.PackageNotFoundError:
        return False


needs_movement = pytest.mark.skipif(
    not has_movement(), reason="needs movement 0.17 (Python 3.12 or newer): pip install 'antrax[export]'"
)


@pytest.mark.parametrize(("to", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_tables_hold_what_read_positions_gives(solved: Session, to: str, read: object) -> None:
    path = export_positions(solved, to)
    assert path == solved.path / "export" / f"positions.{to}"
    table = read(path)
    expected = read_positions(solved)
    assert list(table) == list(expected)
    assert len(table) == len(expected)
    assert table["tracklet"].tolist() == expected["tracklet"].tolist()
    np.testing.assert_allclose(table["x"].to_numpy(float), expected["x"].to_numpy(float), rtol=1e-6)


def test_what_a_killed_run_left_is_removed_by_the_next(solved: Session) -> None:
    code = "from antrax.io.processes import this_process; print(this_process())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    folders = [make_folder(solved.path / name) for name in ("export", "plots")]
    left = [folder / f".positions.csv.{dead}-0011aabb.part" for folder in folders]
    own = folders[0] / f".positions.csv.{this_process()}-0011aabb.part"
    for path in (*left, own):
        path.touch()
    export_positions(solved, "csv")
    plot_positions(solved, figures=["presence"], formats=["png"])
    assert not [path for path in left if path.exists()]
    assert own.exists()


def test_netcdf_joins_movies(solved: Session) -> None:
    import xarray as xr

    with xr.open_dataset(export_positions(solved, "netcdf"), engine="h5netcdf") as read:
        xr.testing.assert_identical(read.load(), read_positions(solved, form="xarray"))
        assert read.sizes["time"] == 40


def test_trackmate_has_a_spot_a_cell_and_a_track_an_animal(solved: Session) -> None:
    root = ElementTree.parse(export_positions(solved, "trackmate")).getroot()
    spots = {spot.get("ID"): spot for spot in root.iter("Spot")}
    table = read_positions(solved).dropna(subset="x")
    assert len(spots) == len(table) == int(root.find("Model/AllSpots").get("nspots"))
    where = sorted(
        (int(spot.get("FRAME", "")) + 1, spot.get("name"), float(spot.get("POSITION_X", ""))) for spot in spots.values()
    )
    assert where == sorted(zip(table["frame"], table["id"], table["x"].astype(float), strict=True))
    tracks = {track.get("name"): track for track in root.iter("Track")}
    assert sorted(tracks) == ["AB", "CD"]
    # over the gap between its tracklets too, the animal is the same
    for name, track in tracks.items():
        ends = [(spots[edge.get("SPOT_SOURCE_ID")], spots[edge.get("SPOT_TARGET_ID")]) for edge in track]
        assert len(ends) == (table["id"] == name).sum() - 1
        assert all(one.get("name") == other.get("name") == name for one, other in ends)
        assert all(int(one.get("FRAME", "")) < int(other.get("FRAME", "")) for one, other in ends)


def test_trackmate_files_are_read_by_another_program(solved: Session) -> None:
    pytrackmate = pytest.importorskip("pytrackmate")
    table = pytrackmate.trackmate_peak_import(export_positions(solved, "trackmate"))
    assert len(table) == read_positions(solved)["x"].notna().sum()


def test_only_the_movies_asked_for_are_written(solved: Session, tmp_path: Path) -> None:
    path = export_positions(solved, "csv", [2], path=tmp_path / "new folder" / "second.csv")
    assert path == tmp_path / "new folder" / "second.csv"
    assert set(pd.read_csv(path)["frame"]) == {23, 24}


def test_an_old_file_stays_where_positions_are_damaged(solved: Session) -> None:
    path = export_positions(solved, "csv")
    before = path.read_bytes()
    (solved.path / "positions" / "positions_2.parquet").write_bytes(b"PAR1 but no more")
    for to in ("csv", "parquet", "netcdf", "trackmate"):
        with pytest.raises(ExperimentError, match=r"positions_2\.parquet is damaged"):
            export_positions(solved, to)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["positions.csv"]


def test_wrong_wishes_are_explained(solved: Session, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no format 'docx'; choose from csv, parquet"):
        export_positions(solved, "docx")
    with pytest.raises(OptionError, match=r"table\.txt does not end in \.csv"):
        export_positions(solved, "csv", path=tmp_path / "table.txt")


@pytest.mark.parametrize("to", [name for name, one in FORMATS.items() if one.movement])
def test_without_movement_the_message_says_how_to_get_it(
    solved: Session, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(OptionError, match=r"pip install 'antrax\[export\]'"):
        export_positions(solved, to)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.15.0")
    with pytest.raises(OptionError, match=r"version 0\.15\.0 is installed"):
        export_positions(solved, to)


@needs_movement
@pytest.mark.filterwarnings("ignore")
def test_movement_opens_the_netcdf_as_a_poses_dataset(solved: Session) -> None:
    import xarray as xr
    from movement.kinematics import compute_velocity
    from movement.validators.datasets import ValidPosesInputs

    with xr.open_dataset(solved.path / "positions_netcdf" / "positions_1.nc") as read:
        ValidPosesInputs.validate(read)
        speed = compute_velocity(read.position).sel(individual="AB", keypoint="centroid", space="x")
        np.testing.assert_allclose(speed[1:4], 10.0)  # a pixel a frame, at 10 frames a second


@needs_movement
@pytest.mark.filterwarnings("ignore")
def test_what_movement_saves_movement_loads(solved: Session) -> None:
    from movement.io import load_poses

    expected = read_positions(solved, form="xarray")
    for to, load in (("sleap", load_poses.from_sleap_file), ("deeplabcut", load_poses.from_dlc_file)):
        loaded = load(export_positions(solved, to), fps=10)
        np.testing.assert_allclose(
            loaded.position.sel(individual="CD", keypoint="centroid"),
            expected.position.sel(individual="CD", keypoint="centroid"),
            rtol=1e-6,
        )
    folder = export_positions(solved, "nwb")
    assert sorted(path.name for path in folder.iterdir()) == ["AB.nwb", "CD.nwb"]
    loaded = load_poses.from_nwb_file(folder / "CD.nwb")
    np.testing.assert_allclose(
        loaded.position.sel(keypoint="head").squeeze(), expected.position.sel(individual="CD", keypoint="head")
    )
