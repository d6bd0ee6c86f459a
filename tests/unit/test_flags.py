"""Flags that people put on tracklets: kept, read again, and refused where they cannot be kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from antrax.errors import ExperimentError, OptionError
from antrax.review.flags import COLUMNS, Flag, Flags
from antrax.review.tracklets.views import Filter
from tests.unit.test_views import Make, add_images, name, session, view  # noqa: F401

TIME = "2026-01-01T10:00:00+00:00"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "validation" / "flags.csv"


def test_the_last_word_counts_and_all_are_kept(path: Path):
    flags = Flags(path)
    flags.add(Flag(TIME, "Ada", name(1), "=the tag, came off"))
    flags.add(Flag(TIME, "Bea", name(2)))
    flags.add(Flag(TIME, "Bea", name(2), "", flagged=False))
    for known in (flags, Flags(path)):
        known.refresh()
        assert known.of(name(1)) == Flag(TIME, "Ada", name(1), "=the tag, came off")
        assert known.of(name(2)) is None
        assert known.of(name(3)) is None
        assert known.flagged() == {name(1)}
        assert len(known.all()) == 3
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    assert lines[1] == f'{TIME},Ada,{name(1)},"\'=the tag, came off",yes', "a spreadsheet takes it for no formula"


@pytest.mark.parametrize(
    ("flag", "fault"),
    [
        (Flag(TIME, "Ada", "ant 5"), "no name of a tracklet"),
        (Flag(TIME, "Ada", name(1), "x" * 301), "at most 300"),
        (Flag(TIME, "Ada", name(1), "two\nlines"), "cannot be kept"),
        (Flag(TIME, " ", name(1)), "who you are"),
    ],
)
def test_what_cannot_be_kept_is_refused(path: Path, flag: Flag, fault: str):
    with pytest.raises(OptionError, match=fault):
        Flags(path).add(flag)
    assert not path.exists()


def test_a_damaged_file_is_told_and_left_alone(path: Path):
    path.parent.mkdir()
    path.write_text("time,who\n", encoding="utf-8")
    with pytest.raises(ExperimentError, match=r"flags\.csv"):
        Flags(path).refresh()
    with pytest.raises(ExperimentError):
        Flags(path).add(Flag(TIME, "Ada", name(1)))
    assert path.read_text(encoding="utf-8") == "time,who\n"


def test_the_filter_shows_those_with_a_flag(session, view: Make):  # noqa: F811
    add_images(session, name(1), name(2), name(3))
    assert view(Filter(label="=flagged")).tracklets == ()
    assert view(Filter(label="=flagged"), flagged={name(2)}).tracklets == (name(2),)
