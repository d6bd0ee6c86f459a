"""The classifiers beside the main one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from antrax.app.session_classifier import OtherClassifiers


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders as they are listed."""
    found: list[Path] = []
    real = Path.glob

    def glob(folder: Path, pattern: str):
        found.append(folder)
        return real(folder, pattern)

    monkeypatch.setattr(Path, "glob", glob)
    return found


def make(folder: Path, name: str, ago: float) -> None:
    """A file, and the folder as if that had been so many seconds ago."""
    (folder / name).write_bytes(b"no classifier")
    os.utime(folder, ns=(0, time.time_ns() - round(ago * 1e9)))


def test_the_folder_is_listed_again_only_where_it_changed(tmp_path: Path, listed: list[Path]) -> None:
    make(tmp_path, "classifier.h5", 1000)
    make(tmp_path, "second.h5", 1000)
    others = OtherClassifiers(tmp_path / "classifier.h5")
    before = others.stamp()
    assert before.startswith("second:")
    assert others.stamp() == before
    assert listed == [tmp_path]
    make(tmp_path, "third.h5", 500)
    assert others.stamp().partition(",")[2].startswith("third:")
    assert listed == [tmp_path] * 2
    (tmp_path / "second.h5").write_bytes(b"another file")  # in place: the folder does not change
    assert not others.stamp().startswith(before)
    assert listed == [tmp_path] * 2


def test_a_folder_that_changed_just_now_may_have_changed_again(tmp_path: Path, listed: list[Path]) -> None:
    make(tmp_path, "second.h5", -3600)  # as a clock that is ahead has it, however slow this test is
    others = OtherClassifiers(tmp_path / "classifier.h5")
    others.stamp()
    changed = tmp_path.stat().st_mtime_ns
    make(tmp_path, "third.h5", -3600)
    os.utime(tmp_path, ns=(0, changed))  # within one step of the drive's clock
    assert "third:" in others.stamp()
    assert len(listed) == 2


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    others = OtherClassifiers(tmp_path / "nowhere" / "classifier.h5")
    assert others.stamp() == ""
    assert others.states() == []
