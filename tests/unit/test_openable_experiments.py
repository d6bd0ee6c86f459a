"""Which experiments the app may open."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import antrax.app.openable_experiments
from antrax.app.openable_experiments import OpenableExperiments
from antrax.errors import ExperimentError


@pytest.fixture(autouse=True)
def look_each_time(monkeypatch):
    monkeypatch.setattr(antrax.app.openable_experiments, "_LOOK_AGAIN_S", 0.0)
    monkeypatch.setattr(antrax.app.openable_experiments, "_LOOK_AGAIN_TIMES", 0.0)


@pytest.fixture
def memory(tmp_path) -> Path:
    return tmp_path / "memory"


def names(places: OpenableExperiments) -> list[str]:
    return [place.experiment.name for place in places.all()]


def test_an_experiment_is_opened_at_its_latest_session(make_session, tmp_path, memory):
    make_session("exp/old", mtime=1000)
    make_session("exp/new", mtime=2000)
    places = OpenableExperiments([tmp_path / "exp"], None, memory)
    (place,) = places.all()
    assert place.experiment == tmp_path / "exp"
    assert place.sessions == ("new", "old")
    assert places.start == (place.id, "new")
    assert places.session(place.id, "old").path == tmp_path / "exp" / "old"


def test_the_session_to_start_with_can_be_chosen(make_session, tmp_path, memory):
    make_session("a/first")
    make_session("b/first")
    make_session("b/second")
    places = OpenableExperiments([tmp_path / "a", tmp_path / "b"], "second", memory)
    assert places.start == (places.all()[1].id, "second")
    with pytest.raises(ExperimentError, match="has no session 'third'; it has first"):
        OpenableExperiments([tmp_path / "a"], "third", memory)


def test_a_sessions_own_folder_is_opened_at_that_session(make_session, tmp_path, memory):
    old = make_session("exp/old", mtime=1000)
    make_session("exp/new", mtime=2000)
    places = OpenableExperiments([old], None, memory)
    assert places.start == (places.all()[0].id, "old")
    assert names(places) == ["exp"]


def test_a_folder_holds_experiments_at_any_depth(make_session, tmp_path, memory):
    for where in ("lab/a/s", "lab/x/b/s", "lab/x/y/c/s", "lab/x/y/z/d/s", "lab/.hidden/e/s"):
        make_session(where)
    places = OpenableExperiments([tmp_path / "lab"], None, memory)
    assert names(places) == ["a", "b", "c", "d"]
    assert places.start[0] == places.all()[0].id


def test_experiments_that_come_into_a_folder_appear_and_those_that_go_disappear(make_session, tmp_path, memory):
    make_session("lab/a/s")
    places = OpenableExperiments([tmp_path / "lab"], None, memory)
    gone = places.all()[0].id
    make_session("lab/b/s")
    assert names(places) == ["a", "b"]
    shutil.rmtree(tmp_path / "lab" / "a")
    assert names(places) == ["b"]
    with pytest.raises(ExperimentError, match="does not exist"):
        places.session(gone, "s")


def test_a_new_session_of_an_experiment_can_be_opened(make_session, tmp_path, memory):
    make_session("exp/s")
    places = OpenableExperiments([tmp_path / "exp"], None, memory)
    make_session("exp/later", mtime=5000)
    assert places.session(places.start[0], "later").name == "later"


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_link_out_of_a_folder_is_not_followed_and_a_round_trip_ends(make_session, tmp_path, memory):
    make_session("lab/a/s")
    make_session("elsewhere/secret/s")
    (tmp_path / "lab" / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "lab" / "secret").symlink_to(tmp_path / "elsewhere" / "secret")
    (tmp_path / "lab" / "up").symlink_to(tmp_path / "lab")
    assert names(OpenableExperiments([tmp_path / "lab"], None, memory)) == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_an_experiment_given_twice_or_by_a_link_is_one(make_session, tmp_path, memory):
    make_session("lab/a/s")
    (tmp_path / "link").symlink_to(tmp_path / "lab" / "a")
    places = OpenableExperiments([tmp_path / "link", tmp_path / "lab", tmp_path / "lab" / "a"], None, memory)
    assert names(places) == ["link"]


def test_a_list_stands_for_its_experiments_and_a_bad_line_is_told(make_session, tmp_path, memory):
    make_session("lab/a/s")
    listed = tmp_path / "list.txt"
    listed.write_text("# ours\nlab/nowhere\nlab/a\n")
    places = OpenableExperiments([listed], None, memory)
    assert names(places) == ["a"]
    (problem,) = places.problems
    assert "nowhere" in problem
    make_session("lab/nowhere/s")
    assert names(places) == ["nowhere", "a"]  # a disk that was mounted later


def test_arguments_that_stand_for_nothing_are_errors(make_session, tmp_path, memory):
    make_session("exp/s")
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").write_text("nowhere\n")
    for argument, message in (
        ("nowhere", "does not exist"),
        ("empty", "is no tracked experiment"),
        ("list.txt", "nowhere does not exist"),
    ):
        with pytest.raises(ExperimentError, match=message):
            OpenableExperiments([tmp_path / argument], None, memory)
    with pytest.raises(ExperimentError, match="does not exist"):
        OpenableExperiments([tmp_path / "exp", tmp_path / "nowhere"], None, memory)


@pytest.mark.parametrize("name", ["../secret/s", "..", ".", "", "s/../../secret/s", "/", "other", "s\0"])
def test_a_session_that_was_not_told_cannot_be_opened(make_session, tmp_path, memory, name):
    make_session("exp/s")
    make_session("secret/s")
    places = OpenableExperiments([tmp_path / "exp"], None, memory)
    with pytest.raises(ExperimentError, match="not one of those"):
        places.session(places.start[0], name)


@pytest.mark.parametrize("place", ["", "0" * 16, "../secret", "exp"])
def test_a_place_that_was_not_told_cannot_be_opened(make_session, tmp_path, memory, place):
    make_session("exp/s")
    places = OpenableExperiments([tmp_path / "exp"], None, memory)
    with pytest.raises(ExperimentError, match="not one of those"):
        places.session(place, "s")
    with pytest.raises(ExperimentError, match="not one of those"):
        places.opened(place, "s")


def test_recent_sessions_are_remembered_newest_first_and_once(make_session, tmp_path, memory):
    for where in ("lab/a/s", "lab/b/s"):
        make_session(where)
    places = OpenableExperiments([tmp_path / "lab"], None, memory)
    a, b = (place.id for place in places.all())
    assert places.recent() == ()
    for place in (a, b, a):
        places.opened(place, "s")
    assert OpenableExperiments([tmp_path / "lab"], None, memory).recent() == ((a, "s"), (b, "s"))


def test_of_recent_sessions_only_those_that_may_be_opened_are_shown_and_the_others_kept(make_session, tmp_path, memory):
    for where in ("a/s", "b/s"):
        make_session(where)
    both = OpenableExperiments([tmp_path / "a", tmp_path / "b"], None, memory)
    a, b = (place.id for place in both.all())
    both.opened(a, "s")
    both.opened(b, "s")
    one = OpenableExperiments([tmp_path / "a"], None, memory)
    assert one.recent() == ((a, "s"),)
    one.opened(a, "s")
    assert both.recent() == ((a, "s"), (b, "s"))


def test_of_sessions_of_the_same_time_one_must_be_named_to_start_with(make_session, tmp_path, memory):
    for name in ("a", "b"):
        make_session(f"exp/{name}", mtime=1000)
    with pytest.raises(ExperimentError, match="`session=…`"):
        OpenableExperiments([tmp_path / "exp"], None, memory)
    places = OpenableExperiments([tmp_path / "exp"], "a", memory)
    assert places.start[1] == "a"
    assert set(places.all()[0].sessions) == {"a", "b"}


def test_an_experiment_with_sessions_of_the_same_time_does_not_stop_the_others(make_session, tmp_path, memory):
    for name in ("one/a", "one/b", "two/c"):
        make_session(f"data/{name}", mtime=1000)
    places = OpenableExperiments([tmp_path / "data"], None, memory)
    assert places.start[1] == "c"
    assert [len(place.sessions) for place in places.all()] == [2, 1]


def test_twenty_recent_sessions_are_remembered(make_session, tmp_path, memory):
    for number in range(25):
        make_session(f"exp/s{number}", mtime=1000 + 10 * number)
    places = OpenableExperiments([tmp_path / "exp"], None, memory)
    for number in range(25):
        places.opened(places.start[0], f"s{number}")
    assert [session for _, session in places.recent()] == [f"s{number}" for number in range(24, 4, -1)]


@pytest.mark.parametrize("content", ["", "nonsense", "{}", "[1, 2]", '[["a"]]', "\udcff"])
def test_a_damaged_memory_is_an_empty_one(make_session, tmp_path, memory, content):
    make_session("exp/s")
    memory.mkdir()
    (memory / "recent.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    places = OpenableExperiments([tmp_path / "exp"], None, memory)
    assert places.recent() == ()
    places.opened(*places.start)
    assert places.recent() == (places.start,)
    assert json.loads((memory / "recent.json").read_text()) == [[str(tmp_path / "exp"), "s"]]


def test_a_memory_that_cannot_be_written_is_done_without(make_session, tmp_path):
    make_session("exp/s")
    (tmp_path / "file").write_text("in the way")
    places = OpenableExperiments([tmp_path / "exp"], None, tmp_path / "file" / "memory")
    places.opened(*places.start)
    assert places.recent() == ()
