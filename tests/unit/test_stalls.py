"""Work that stands still is told of once, and when it goes on; slow work is not. No test waits for a clock."""

from __future__ import annotations

import io
import json
import os
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from antrax import stalls
from antrax.app.jobs.process import _Lines
from antrax.cli.console import ConsoleReporter
from antrax.stalls import LOOKED_EVERY_S, STALLED_S, StallWatch, watched


class Machine:
    """A clock, and the processor seconds that the work has used."""

    def __init__(self) -> None:
        self.now = self.used = 0.0
        self.told: list[str] = []
        self.watch = StallWatch(
            "classifying",
            self.told.append,
            clock=lambda: self.now,
            used=lambda: self.used,
            files=lambda: ["/mnt/lab/a.mat", "/mnt/lab/b.mat", "/mnt/lab/c.mat", "/mnt/lab/d.mat"],
        )

    def wait(self, seconds: float, busy: float = 0.0) -> None:
        """Let time pass, with so much of a processor in use."""
        for _ in range(round(seconds / LOOKED_EVERY_S)):
            self.now += LOOKED_EVERY_S
            self.used += busy * LOOKED_EVERY_S
            self.watch.look()


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_work_that_stands_still_is_told_of_once_with_the_files_and_what_to_do(machine):
    machine.wait(STALLED_S - LOOKED_EVERY_S)
    assert machine.told == []
    machine.wait(5 * STALLED_S)
    (sentence,) = machine.told
    assert sentence.startswith(
        "classifying: for 60 s nothing was read, written or computed: a drive or the network hangs"
    )
    assert "(open are /mnt/lab/a.mat, /mnt/lab/b.mat, /mnt/lab/c.mat and 1 more)" in sentence
    assert "goes on by itself" in sentence


def test_that_it_goes_on_is_told_and_the_next_stall_too(machine):
    machine.wait(STALLED_S)
    machine.watch.went_on()
    machine.wait(LOOKED_EVERY_S)
    assert machine.told[1:] == ["classifying: it goes on"]
    machine.wait(STALLED_S)
    assert len(machine.told) == 3


def test_progress_or_computing_is_no_stall(machine):
    for _ in range(40):
        machine.watch.went_on()
        machine.wait(STALLED_S / 2)
    machine.wait(10 * STALLED_S, busy=0.5)
    assert machine.told == []


def test_computing_again_ends_a_stall(machine):
    machine.wait(STALLED_S)
    machine.wait(STALLED_S, busy=1.0)
    assert machine.told[1:] == ["classifying: it goes on"]


def test_that_it_went_on_is_told_at_the_end_too(machine):
    machine.watch.finish()
    assert machine.told == []
    machine.wait(STALLED_S)
    with watched(machine.watch):
        pass
    assert machine.told[1:] == ["classifying: it goes on"]


def test_workers_that_end_and_take_their_seconds_with_them_hide_no_computing(machine):
    machine.wait(STALLED_S / 2, busy=2.0)
    machine.used = 0.0
    machine.wait(STALLED_S, busy=0.5)
    assert machine.told == []


def test_a_process_that_was_stopped_itself_does_not_blame_a_drive(machine):
    machine.now += 100 * STALLED_S
    machine.watch.look()
    assert machine.told == []


def test_another_thread_looks_as_long_as_the_work_lasts_and_not_longer(monkeypatch):
    monkeypatch.setattr(stalls, "LOOKED_EVERY_S", 0.001)
    looked, threads = threading.Event(), []
    watch = StallWatch("reading", lambda text: None, used=lambda: 0.0)

    def look() -> None:
        threads.append(threading.current_thread())
        looked.set()

    monkeypatch.setattr(watch, "look", look)
    with watched(watch):
        assert looked.wait(60)
    assert threads[0] is not threading.current_thread()
    assert not threads[0].is_alive()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not tell")
def test_open_files_are_found_without_asking_their_drive(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "stat", pytest.fail)
    (tmp_path / ".cache").mkdir()
    with (tmp_path / "images_1.mat").open("w"), (tmp_path / ".cache" / "of_a_library").open("w"):
        found = stalls.open_files()
    assert str(tmp_path / "images_1.mat") in found
    assert not any("of_a_library" in path for path in found)
    assert str(tmp_path / "images_1.mat") not in stalls.open_files()


def test_processor_seconds_are_those_of_this_process_at_least():
    before = sum(os.times()[:2])
    assert stalls.processor_seconds() >= before


# --- who tells


@pytest.fixture
def seen(monkeypatch) -> list[StallWatch]:
    """Watches that bars have started."""
    found: list[StallWatch] = []

    def noted(watch: StallWatch) -> AbstractContextManager[StallWatch]:
        found.append(watch)
        return watched(watch)

    for where in ("antrax.cli.console", "antrax.app.jobs.process"):
        monkeypatch.setattr(f"{where}.watched", noted)
    return found


def test_the_command_line_warns(seen, capsys):
    reporter = ConsoleReporter()
    with reporter.bar("reading examples", 10, "images") as update:
        (watch,) = seen
        before = watch._steps
        update(3)
        assert watch._steps == before + 1
        watch._tell("reading examples: for 60 s")
    assert "warning: reading examples: for 60 s" in capsys.readouterr().err


def test_a_job_of_the_page_warns(seen):
    output = io.BytesIO()
    with _Lines(output).bar("classifying", 10, "B") as update:
        (watch,) = seen
        before = watch._steps
        update(3)
        assert watch._steps == before + 1
        watch._tell("classifying: for 60 s")
    events = [json.loads(line) for line in output.getvalue().splitlines()]
    assert {"event": "message", "text": "warning: classifying: for 60 s"} in events
