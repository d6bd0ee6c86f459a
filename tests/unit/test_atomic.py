"""Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from antrax.errors import OutputError
from antrax.io.atomic import make_folder, remove_dead_parts, replacing, replacing_hdf5, write_atomically


@contextlib.contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, which looks to a writer much like a full disk."""
    resource = pytest.importorskip("resource", reason="needs POSIX limits")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "result.csv"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["result.csv"]


def test_nothing_that_looks_for_results_finds_the_temporary_file(tmp_path: Path) -> None:
    with replacing(tmp_path / "images_1.mat") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".part"


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "result.csv"
    path.write_text("old")
    with pytest.raises(type(error)):
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["result.csv"]


def test_an_exception_makes_no_file_where_there_was_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"):
        with replacing(tmp_path / "result.csv"):
            raise ValueError("x")
    assert names(tmp_path) == []


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "result.csv"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # the last to end
    assert names(tmp_path) == ["result.csv"]


def test_text_is_written_as_utf8_and_bytes_as_they_are(tmp_path: Path) -> None:
    write_atomically(tmp_path / "text", "ä\n")
    write_atomically(tmp_path / "bytes", b"\x00\r\n")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa4\n"
    assert (tmp_path / "bytes").read_bytes() == b"\x00\r\n"


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_others_may_read_what_the_users_settings_let_them_read(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        write_atomically(tmp_path / "result.csv", "x")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "result.csv").stat().st_mode) == 0o644


def test_a_missing_folder_is_an_output_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "result.csv"
    with pytest.raises(OutputError, match="cannot be written: No such file or directory") as raised:
        write_atomically(path, "x")
    assert str(path) in str(raised.value)


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a file system that lets nobody write: Linux's /sys")
def test_a_folder_that_cannot_be_written_is_an_output_error() -> None:
    with pytest.raises(OutputError, match=r"/sys/kernel/result\.csv cannot be written"):
        write_atomically(Path("/sys/kernel/result.csv"), "x")
    with pytest.raises(OutputError, match="/sys/kernel/new/folder cannot be created"):
        make_folder(Path("/sys/kernel/new/folder"))


def test_a_full_disk_is_an_output_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.csv"
    path.write_text("old")
    with disk_of(100), pytest.raises(OutputError, match=r"result\.csv cannot be written"):
        write_atomically(path, "x" * 1000)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["result.csv"]


def test_a_folder_is_made_with_its_parents_and_may_be_there(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert make_folder(folder) == make_folder(folder) == folder
    assert folder.is_dir()


def test_a_file_in_a_folders_place_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file cannot be created"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be created"):
        make_folder(tmp_path / "file" / "folder")


def test_an_hdf5_file_takes_its_place_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    path.write_text("old")
    values = np.arange(500_000).reshape(-1, 5)
    with replacing_hdf5(path) as file:
        file.create_dataset("values", data=values, chunks=True, compression="gzip")
        file.attrs["by"] = "me"
        assert path.read_text() == "old"
    with h5py.File(path) as file:
        assert (file["values"][()] == values).all()
        assert file.attrs["by"] == "me"
    assert names(tmp_path) == ["frames.h5"]


def test_an_exception_leaves_the_old_hdf5_file(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    path.write_text("old")
    with pytest.raises(ValueError, match="x"):
        with replacing_hdf5(path) as file:
            file["a"] = 1
            raise ValueError("x")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["frames.h5"]


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX limits")
def test_what_dead_processes_left_is_removed_and_what_living_ones_write_is_not(tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "from antrax.io.processes import this_process; print(this_process())"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    left, other = tmp_path / f".a.csv.{dead}-1.part", tmp_path / ".a.csv.part"
    left.touch()
    other.touch()
    with replacing(tmp_path / "a.csv") as temporary:
        temporary.write_text("new")
        assert remove_dead_parts(tmp_path) == [left]
        assert temporary.exists()
        assert other.exists()
    assert (tmp_path / "a.csv").read_text() == "new"
    assert remove_dead_parts(tmp_path / "gone") == []


def test_a_full_disk_does_not_crash_a_process_that_writes_hdf5(tmp_path: Path) -> None:
    # in a process of its own, for HDF5's own way of writing ends it with a segmentation fault
    program = f"""
import resource, numpy as np
from pathlib import Path
from antrax.errors import OutputError
from antrax.io.atomic import replacing_hdf5
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, -1))
try:
    with replacing_hdf5(Path({str(tmp_path / "frames.h5")!r})) as file:
        for number in range(100):
            data = np.random.default_rng(number).integers(0, 255, 5000, np.uint8)
            file.create_dataset(str(number), data=data, chunks=(1000,), compression="gzip")
except OutputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith(f"{tmp_path / 'frames.h5'} cannot be written: ")
    assert names(tmp_path) == []
