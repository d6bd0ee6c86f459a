"""A file that changes under a run is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from antrax.errors import InputChangedError, OutputError
from antrax.io.atomic import make_folder
from antrax.io.stamps import InputStamps, names_of


def rewrite(path: Path) -> None:
    path.write_text("other")


def replace_keeping_size_and_time(path: Path) -> None:
    state = path.stat()
    new = path.with_name("new")
    new.write_text("b" * state.st_size)
    os.utime(new, ns=(state.st_atime_ns, state.st_mtime_ns))
    new.replace(path)


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("change", [rewrite, replace_keeping_size_and_time, touch, Path.unlink])
def test_a_change_is_noticed(tmp_path: Path, change) -> None:
    path = tmp_path / "a.mat"
    path.write_text("a")
    inputs = InputStamps()
    inputs.note(path, tmp_path / "missing")
    inputs.check("not said")
    change(path)
    inputs.note(path)  # the first look counts
    assert inputs.changed() == [path]
    with pytest.raises(InputChangedError, match=r"a\.mat changed while being read; classify it again"):
        inputs.check("classify it again")


def test_a_file_that_came_is_a_change(tmp_path: Path) -> None:
    inputs = InputStamps()
    inputs.note(tmp_path / "b")
    (tmp_path / "b").touch()
    assert inputs.changed() == [tmp_path / "b"]


def test_many_files_are_named_in_short() -> None:
    assert names_of(map(Path, "a")) == "a"
    assert names_of(map(Path, "abc")) == "a, b, c"
    assert names_of(map(Path, "abcde")) == "a, b, c and 2 more"


def test_nothing_is_created_where_a_session_was(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="not there any more"):
        make_folder(tmp_path / "gone" / "labels", within=tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []
