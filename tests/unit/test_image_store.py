"""Training sets that are larger than the memory: where their images lie, and what is told where there is no room."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from antrax.errors import OutputError
from antrax.training import image_store
from antrax.training.image_store import empty_images, memory_limit, selected


def owner(array: np.ndarray) -> object:
    """What holds an array's values."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array.obj if isinstance(array, memoryview) else array


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch) -> Path:
    """The folder of temporary files, on a drive; a training set of any size goes into a file."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(image_store, "SHARE", 0.0)
    monkeypatch.setattr(psutil, "disk_partitions", lambda **kinds: [SimpleNamespace(mountpoint="/", fstype="ext4")])
    return folder


@pytest.fixture
def other(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    return folder


@pytest.fixture
def folders_used(monkeypatch) -> list[Path]:
    """Folders in which files were made."""
    used: list[Path] = []
    make = tempfile.TemporaryFile

    def make_noted(**options: Path) -> object:
        used.append(options["dir"])
        return make(**options)

    monkeypatch.setattr(tempfile, "TemporaryFile", make_noted)
    return used


@pytest.mark.parametrize(("size", "in_file"), [(16, False), (17, True)])
def test_images_that_take_more_than_a_share_of_the_memory_lie_in_a_file(tmp_path, monkeypatch, size, in_file):
    monkeypatch.setattr(image_store, "memory_limit", lambda: 4 * 10 * 3 * 16**2)
    images = empty_images(10, size, tmp_path)
    assert isinstance(owner(images), mmap.mmap) == in_file
    assert images.shape == (10, size, size, 3)
    assert images.transpose(0, 3, 1, 2).flags.c_contiguous
    assert images.flags.writeable


def test_what_is_put_into_the_file_is_read_from_it(temporary, other):
    values = np.random.default_rng(0).integers(0, 256, (9000, 4, 4, 3), np.uint8)
    images = empty_images(9000, 4, other)
    images[:] = values
    assert isinstance(owner(images), mmap.mmap)
    assert np.array_equal(images, values)
    rows = np.arange(8999, -1, -2)
    some = selected(images, rows, other)
    assert isinstance(owner(some), mmap.mmap)
    assert np.array_equal(some, values[rows])


@pytest.mark.skipif(os.name != "posix", reason="elsewhere the system removes the file when it is closed")
def test_the_file_has_no_name_so_that_a_kill_leaves_nothing(temporary, other, folders_used):
    images = empty_images(10, 8, other)
    images[:] = 1
    assert folders_used == [temporary]
    assert list(temporary.iterdir()) == list(other.iterdir()) == []


def test_where_temporary_files_lie_in_memory_the_set_s_folder_is_used(temporary, other, folders_used, monkeypatch):
    mounts = [("/", "ext4"), (str(temporary), "tmpfs")]
    monkeypatch.setattr(
        psutil, "disk_partitions", lambda **kinds: [SimpleNamespace(mountpoint=m, fstype=t) for m, t in mounts]
    )
    empty_images(10, 8, other)
    assert folders_used == [other]


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room is taken otherwise here")
def test_where_one_drive_is_full_the_other_is_used(temporary, other, folders_used, monkeypatch):
    reserve = os.posix_fallocate

    def full_at_first(number: int, start: int, length: int) -> None:
        if len(folders_used) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        reserve(number, start, length)

    monkeypatch.setattr(os, "posix_fallocate", full_at_first)
    empty_images(10, 8, other)[:] = 7
    assert folders_used == [temporary, other]


def test_no_room_anywhere_is_an_error_that_says_where_and_what_to_do(temporary, other, monkeypatch):
    def full(file: object, needed: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(image_store, "_reserve", full)
    with pytest.raises(OutputError) as told:
        empty_images(10**6, 48, other)
    assert "6.9 GB" in str(told.value)
    assert f"{temporary}: No space left on device; {other}: No space left on device" in str(told.value)
    assert "TMPDIR" in str(told.value)


@pytest.mark.parametrize("length", [1, 3 * 2**20 + 5])
def test_room_is_taken_where_the_system_has_no_call_for_that(tmp_path, monkeypatch, length):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    with (tmp_path / "file").open("w+b") as file:
        image_store._reserve(file, length)
        assert os.fstat(file.fileno()).st_size == length


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("memory.max", "1000000\n", 1_000_000),
        ("memory.max", "max\n", None),
        ("memory/memory.limit_in_bytes", "2000000\n", 2_000_000),
        ("memory/memory.limit_in_bytes", f"{2**63 - 4096}\n", None),  # no limit
        ("other", "", None),
    ],
)
def test_the_limit_of_a_container_counts(tmp_path, monkeypatch, file, content, expected):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=5_000_000))
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    assert memory_limit(tmp_path) == (expected or 5_000_000)
