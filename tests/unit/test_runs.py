"""Records of runs: what came of each movie, written as it happens, by many runs side by side."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from antrax.io import runs
from antrax.io.processes import ProcessTag, this_process
from antrax.io.runs import read_runs, remove_superseded, start_record, unchanged_results
from antrax.io.session import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    (tmp_path / "session").mkdir()
    return Session(tmp_path, tmp_path / "session")


def test_a_record_tells_what_happened_to_each_movie(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(runs.LOG_VARIABLE, "/logs/task 1.log")
    stack, result = session.path / "images_2.mat", session.path / "autoids_2.csv"
    stack.write_bytes(b"123")
    result.write_bytes(b"12345")
    record = start_record(session, "classify", [4, 2, 3, 5], classifier="c.h5")
    record.begun({2: [stack], 3: [session.path / "missing.mat"]})
    record.done(2, [result])
    record.failed(3, "images_3.mat is damaged")
    record.begun({4: []})
    (run,) = read_runs(session, "classify")
    assert (run.movies, run.log, run.ended) == ({2, 3, 4, 5}, "/logs/task 1.log", False)
    assert run.process == str(this_process())
    assert run.made_with == {"classifier": "c.h5"}
    assert {movie: event.event for movie, event in run.events.items()} == {2: "done", 3: "failed", 4: "begun"}
    assert run.events[3].reason == "images_3.mat is damaged"
    assert run.events[2].inputs == {"images_2.mat": (3, stack.stat().st_mtime_ns)}
    assert run.events[2].results == {"autoids_2.csv": (5, result.stat().st_mtime_ns)}
    record.end()
    assert read_runs(session, "classify")[0].ended
    assert read_runs(session, "solve") == []


def test_a_line_that_a_killed_run_left_half_written_costs_only_itself(session: Session) -> None:
    record = start_record(session, "solve", [1, 2])
    record.failed(1, "no graph")
    (run,) = read_runs(session, "solve")
    text = run.path.read_text(encoding="utf-8")
    run.path.write_text(text + text.splitlines()[-1].replace('"movie": 1', '"movie": 2')[:-20], encoding="utf-8")
    assert set(read_runs(session, "solve")[0].events) == {1}


@pytest.mark.parametrize("content", [b"", b"{", b"[]\n", b'{"command": "classify"}\n', b"\xff\xfe\x00\n"])
def test_a_record_that_makes_no_sense_is_left_out(session: Session, content: bytes) -> None:
    session.layout.runs.mkdir(parents=True)
    (session.layout.runs / "classify_x.jsonl").write_bytes(content)
    assert read_runs(session, "classify") == []


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "done", "movie": 2, "at": 1, "results": {"a": [1e999, 1]}}',
        '{"event": "done", "movie": 1e999, "at": 1}',
        '{"event": "begun", "movie": 2, "at": 1, "inputs": [1]}',
        "[" * 100_000,
        "[1]",
    ],
)
def test_a_line_that_makes_no_sense_costs_only_itself(session: Session, line: str) -> None:
    record = start_record(session, "classify", [1, 2])
    record.failed(1, "why")
    (path,) = session.layout.runs.iterdir()
    path.write_text(path.read_text() + line + "\n")
    record.end()
    (run,) = read_runs(session, "classify")
    assert (set(run.events), run.ended) == ({1}, True)


def test_where_nothing_can_be_written_the_work_goes_on(session: Session) -> None:
    (session.path / "logs").write_bytes(b"a file in the way")
    record = start_record(session, "classify", [1])
    record.failed(1, "x")
    record.end()
    assert read_runs(session, "classify") == []


def test_a_result_is_unchanged_where_all_of_its_files_are_as_its_run_left_them(session: Session) -> None:
    stacks = {movie: [session.path / f"images_{movie}.mat"] for movie in (1, 2, 3, 4, 5)}
    results = {movie: [session.path / f"{kind}_{movie}" for kind in "ab"] for movie in stacks}
    for paths in (*stacks.values(), *results.values()):
        for path in paths:
            path.write_text("x")
    record = start_record(session, "classify", stacks)
    for movie in (1, 2, 3, 4):
        record.begun({movie: stacks[movie]})
        record.done(movie, results[movie])
    stacks[2][0].write_text("tracked again")
    os.utime(results[3][1], (1, 1))
    results[4][0].unlink()
    assert unchanged_results(read_runs(session, "classify"), stacks, results) == {1}
    # a second part came
    (session.path / "images_1_p2.mat").write_text("x")
    stacks[1].append(session.path / "images_1_p2.mat")
    assert unchanged_results(read_runs(session, "classify"), stacks, results) == set()


def test_of_many_records_those_that_tell_nothing_any_more_are_removed(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_MANY", 2)
    for movies, ended in (([1], True), ([1, 2], True), ([3], True), ([2], False), ([1, 2], True)):
        record = start_record(session, "classify", movies)
        for movie in movies:
            record.failed(movie, "x")
        if ended:
            record.end()
    remove_superseded(session, "classify")
    # the fourth may be at work still: its process is this one
    assert [sorted(run.movies) for run in read_runs(session, "classify")] == [[3], [2], [1, 2]]
    (_, killed, _) = read_runs(session, "classify")
    dead = ProcessTag(this_process().machine, this_process().pid, 1)
    killed.path.write_text(killed.path.read_text(encoding="utf-8").replace(killed.process, str(dead)), encoding="utf-8")
    remove_superseded(session, "classify")
    assert [sorted(run.movies) for run in read_runs(session, "classify")] == [[3], [1, 2]]
