"""Worker processes: their numbers, and those that are kept from one round of calls to the next."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from antrax.errors import DeviceError, GraphError
from antrax.io.workers import Crew, Failed, crew_of, make_executor, worker_number


def process(number: int) -> tuple[int, int]:
    return number, os.getpid()


def refuse_even(number: int) -> int:
    if number % 2 == 0:
        raise GraphError(f"{number} is even")
    return number


def die_elsewhere(number: int, parent: int, mark: Path) -> int:
    """Ends every process but one, which waits until another has begun."""
    if os.getpid() != parent:
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    for _ in range(12_000):
        if mark.exists():
            return number
        time.sleep(0.01)
    raise TimeoutError


def meet(folder: Path) -> int:
    """The number of this process, once another one has come here too."""
    number = worker_number()
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.01)
    return number


def test_each_process_of_an_executor_has_a_number_of_its_own(tmp_path: Path) -> None:
    assert worker_number() == 0
    with make_executor(2) as executor:
        first, second = [executor.submit(meet, tmp_path) for _ in range(2)]
        assert abs(first.result() - second.result()) == 1


def test_one_worker_is_this_process() -> None:
    with Crew(1) as crew:
        crew.start(os.getpid, join=False)
        assert list(crew.outcomes(process, range(3))) == [(number, os.getpid()) for number in range(3)]


def test_processes_are_kept_from_one_round_to_the_next() -> None:
    with Crew(2) as crew:
        with crew_of(crew) as same:  # does not end it
            first = list(same.outcomes(process, range(4)))
        second = list(crew.outcomes(process, range(4)))
    assert [number for number, _ in (*first, *second)] == [0, 1, 2, 3] * 2  # type: ignore[misc]
    found = {pid for _, pid in (*first, *second)}  # type: ignore[misc]
    assert os.getpid() not in found
    assert len(found) <= 2


def test_where_this_process_joins_one_fewer_is_started() -> None:
    with Crew(2) as crew:
        crew.start(os.getpid, join=True)
        found = list(crew.outcomes(process, range(8), join=True))
    assert [number for number, _ in found] == list(range(8))  # type: ignore[misc]
    assert len({pid for _, pid in found} - {os.getpid()}) <= 1  # type: ignore[misc]


@pytest.mark.parametrize("join", [False, True])
def test_a_call_that_fails_does_not_end_the_others(join: bool) -> None:
    with Crew(2) as crew:
        found = list(crew.outcomes(refuse_even, range(5), join=join))
    assert [one for one in found if not isinstance(one, Failed)] == [1, 3]
    assert [str(one.error) for one in found if isinstance(one, Failed)] == ["0 is even", "2 is even", "4 is even"]
    assert all(isinstance(one.error, GraphError) for one in found if isinstance(one, Failed))


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_where_this_process_joins_a_call_that_kills_its_worker_fails_alone(tmp_path: Path) -> None:
    with Crew(2) as crew:
        found = list(crew.outcomes(die_elsewhere, range(3), [os.getpid()] * 3, [tmp_path / "mark"] * 3, join=True))
    (failed,) = [one for one in found if isinstance(one, Failed)]
    assert isinstance(failed.error, DeviceError)
    assert "a worker process was killed, most likely because memory ran out" in str(failed.error)
    assert [one for one in found if not isinstance(one, Failed)] == [
        number for number in range(3) if found[number] is not failed
    ]


def test_a_number_of_workers_is_a_crew_for_the_block() -> None:
    with crew_of(3) as crew:
        assert crew.workers == 3
