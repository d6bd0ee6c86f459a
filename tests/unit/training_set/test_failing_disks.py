"""Changes of a training set on disks that are full, read-only or several."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from antrax.errors import AntraxError, OutputError
from antrax.io.session import Session
from antrax.review.training_set.editing import Count, Examples
from tests.unit.training_set.helpers import Images, by_label, everything, tracklet


@pytest.fixture
def small_disk(session: Session, images: Images) -> Iterator[Session]:
    """A session on a file system of its own, with two examples of AB; needs the right to mount."""
    classifier = session.classifier_dir
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", classifier], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    Examples(session).export(tracklet(), images(5), [0, 1], "AB", "tab")
    yield session
    subprocess.run(["umount", "-l", classifier], check=True)


def fill(folder: Path, leave: int) -> Path:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    os.truncate(ballast, ballast.stat().st_size - leave)
    return ballast


@pytest.mark.parametrize("leave", [0, 10 * 4096])
def test_on_a_full_disk_an_export_changes_nothing_and_can_be_repeated(
    small_disk: Session, images: Images, leave: int
) -> None:
    examples = Examples(small_disk)
    many = images(60)
    name = tracklet(first=1, last=60)
    ballast = fill(small_disk.classifier_dir, leave)
    before = everything(small_disk)
    with pytest.raises(OutputError, match=r"CD cannot be written: No space left.*everything is as it was"):
        examples.export(name, many, range(60), "CD", "tab")
    assert everything(small_disk) == before
    assert not (small_disk.classifier_dir / "examples" / "CD").exists()
    assert not examples.can_undo("tab")
    ballast.unlink()
    assert examples.export(name, many, range(60), "CD", "tab").added == 60


def test_a_full_disk_moves_nothing_of_an_export_that_would_also_write(small_disk: Session, images: Images) -> None:
    fill(small_disk.classifier_dir, 0)
    before = everything(small_disk)
    with pytest.raises(OutputError):
        Examples(small_disk).export(tracklet(), images(5), range(5), "CD", "tab")
    assert everything(small_disk) == before


def test_in_a_read_only_folder_every_change_is_an_error_and_looking_works(small_disk: Session, images: Images) -> None:
    examples = Examples(small_disk)
    examples.export(tracklet(), images(5), [2], "CD", "tab")
    name = examples.files("AB")[0].path.name
    before = everything(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", small_disk.classifier_dir], check=True)
    changes: list[Callable[[], object]] = [
        lambda: examples.export(tracklet(), images(5), [3], "AB", "tab"),
        lambda: examples.export(tracklet(), images(5), [0], "CD", "tab"),
        lambda: examples.move("AB", [name], "CD", "tab"),
        lambda: examples.trash("AB", [name], "tab"),
        lambda: examples.undo("tab"),
    ]
    for change in changes:
        with pytest.raises(OutputError, match="Read-only"):
            change()
    assert everything(small_disk) == before
    assert examples.of_tracklet(tracklet(), images(5)) == {0: ("AB",), 1: ("AB",), 2: ("CD",)}
    subprocess.run(["mount", "-o", "remount,rw", small_disk.classifier_dir], check=True)
    assert examples.undo("tab").removed == 1


def test_a_label_whose_folder_is_on_another_disk_takes_and_gives_images(small_disk: Session, images: Images) -> None:
    elsewhere = small_disk.path / "elsewhere"
    elsewhere.mkdir()
    (small_disk.classifier_dir / "examples" / "CD").symlink_to(elsewhere)
    examples = Examples(small_disk)
    before = everything(small_disk)
    assert examples.export(tracklet(), images(5), [0, 1], "CD", "tab").moved == 2
    assert len(list(elsewhere.iterdir())) == 2
    assert examples.counts() == {"CD": Count(2, 1)}
    examples.undo("tab")
    assert everything(small_disk) == before
    assert list(elsewhere.iterdir()) == []


def test_an_export_that_cannot_take_an_image_from_another_label_changes_nothing(
    small_disk: Session, images: Images
) -> None:
    examples = Examples(small_disk)
    examples.export(tracklet(), images(5), [2], "CD", "tab")
    kept = small_disk.classifier_dir / "examples" / "CD"
    elsewhere = small_disk.path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", elsewhere], check=True)
    try:
        (elsewhere / next(kept.iterdir()).name).write_bytes(next(kept.iterdir()).read_bytes())
        shutil.rmtree(kept)
        kept.symlink_to(elsewhere)
        subprocess.run(["mount", "-o", "remount,ro", elsewhere], check=True)
        before = everything(small_disk)
        # one image is moved from AB, then the one on the read-only disk cannot be, and two are new
        with pytest.raises(OutputError, match="NoAnt cannot be written: Read-only"):
            examples.export(tracklet(), images(5), range(5), "NoAnt", "tab")
        assert everything(small_disk) == before
        assert by_label(small_disk) == {"AB": 2, "CD": 1}
    finally:
        subprocess.run(["umount", "-l", elsewhere], check=True)


def test_a_file_where_a_label_s_folder_should_be_is_an_error(session: Session, images: Images) -> None:
    (session.classifier_dir / "examples").mkdir()
    (session.classifier_dir / "examples" / "AB").touch()
    with pytest.raises(AntraxError, match="AB cannot be written"):
        Examples(session).export(tracklet(), images(5), [0], "AB", "tab")
