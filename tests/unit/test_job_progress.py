"""One bar and one time left for a job of several stages."""

from __future__ import annotations

import pytest

from antrax.app.jobs.progress import JobProgress

SHARES = {"training": 10.0, "finishing": 3.0}


def work(progress: JobProgress, title: str, start: float, seconds: float, total: int, first: int = 0) -> list[float]:
    """A stage that does `total` units at an even pace, a report each second; the fractions on the way."""
    told = []
    progress.report(start, title=title, done=0, total=total, unit="images", note="")
    steps = int(seconds)
    for second in range(1, steps + 1):
        done = first + round((total - first) * second / steps)
        progress.report(start + second, title=title, done=done, total=total, unit="images", note="")
        told.append(progress.fraction or 0.0)
    return told


def test_the_time_left_is_right_in_every_stage():
    progress = JobProgress()
    progress.announce(SHARES)
    for at in range(1, 100):
        progress.report(float(at), title="training", done=at * 10, total=1000, unit="images", note="")
        if at >= 20:
            assert progress.seconds_left(at) == pytest.approx(130 - at, rel=0.03)
    for at in range(1, 30):
        progress.report(100.0 + at, title="finishing", done=at * 10, total=300, unit="images", note="")
        assert progress.seconds_left(100 + at) == pytest.approx(30 - at, abs=2)


def test_the_bar_runs_once():
    progress = JobProgress()
    progress.announce(SHARES)
    told = work(progress, "training", 0, 100, 1000) + work(progress, "finishing", 100, 30, 300)
    assert told == sorted(told)
    assert told[99] == pytest.approx(10 / 13)
    assert told[-1] == 1


def test_a_stage_that_is_slower_than_announced_corrects_the_time_left():
    progress = JobProgress()
    progress.announce(SHARES)
    work(progress, "training", 0, 100, 1000)
    for at in range(1, 51):  # announced to take 30 s, takes 100
        progress.report(100.0 + at, title="finishing", done=at * 3, total=300, unit="images", note="")
    assert progress.seconds_left(150) == pytest.approx(50, rel=0.05)


def test_what_an_earlier_run_had_done_was_not_done_in_no_time():
    progress = JobProgress()
    progress.announce(SHARES)
    progress.report(0.0, title="training", done=0, total=1000, unit="images", note="")
    for at in range(1, 21):  # goes on at 600 of 1000
        progress.report(float(at), title="training", done=600 + at * 10, total=1000, unit="images", note="")
    assert progress.seconds_left(20) == pytest.approx(20 + 30, rel=0.05)


def test_nothing_is_promised_at_the_beginning_nor_where_the_total_is_unknown():
    progress = JobProgress()
    assert (progress.fraction, progress.seconds_left(0)) == (None, None)
    progress.report(0.0, title="reading", done=0, total=None, unit="images", note="")
    progress.report(60.0, title="reading", done=500, total=None, unit="images", note="")
    assert (progress.fraction, progress.seconds_left(60)) == (None, None)
    progress = JobProgress()
    work(progress, "classifying", 0, 4, 100)
    assert progress.seconds_left(4) is None


def test_the_time_left_goes_down_while_nothing_is_reported():
    progress = JobProgress()
    for at in range(1, 21):
        progress.report(float(at), title="classifying", done=at, total=100, unit="B", note="")
    assert progress.seconds_left(20) == pytest.approx(80)
    assert progress.seconds_left(30) == pytest.approx(70)


def test_a_job_of_one_stage_needs_no_announcement():
    progress = JobProgress()
    assert work(progress, "classifying", 0, 10, 100)[-1] == 1


def test_stages_that_were_not_announced_leave_the_bar_where_it_is():
    progress = JobProgress()
    progress.announce(SHARES)
    work(progress, "training", 0, 100, 1000)
    progress.report(101.0, title="fetching", done=1, total=10, unit="B", note="")
    assert progress.fraction == pytest.approx(10 / 13)
