"""What commands share that work on several experiments."""

from __future__ import annotations

from pathlib import Path

import pytest

from antrax.batch import BatchResult, check_options, failure_line
from antrax.errors import OptionError
from antrax.io.experiments import find_all_experiments

from ..conftest import MakeSession


@pytest.mark.parametrize("max_error", [0, 1, -0.01, 1.5, float("nan")])
def test_a_share_of_errors_lies_between_0_and_1(max_error: float) -> None:
    with pytest.raises(OptionError, match="a share between 0 and 1"):
        check_options(max_error, None)


def test_at_least_one_worker_is_needed() -> None:
    check_options(0.01, 1)
    check_options(0.99, None)
    with pytest.raises(OptionError, match="at least one worker"):
        check_options(0.01, 0)


def test_the_first_failure_is_told_and_the_others_are_counted() -> None:
    assert failure_line(["movie 1 is damaged"]) == "movie 1 is damaged"
    assert failure_line(["movie 1 is damaged", "b", "c"]) == "movie 1 is damaged (and 2 more failed)"


def test_failures_of_a_result_are_those_of_its_experiments() -> None:
    class Experiment:
        def __init__(self, *failures: str) -> None:
            self.failures = list(failures)

    result = BatchResult([Experiment("a"), Experiment(), Experiment("b", "c")], seconds=1.5)
    assert result.failures == ["a", "b", "c"]


def test_an_experiment_that_is_given_twice_is_found_once(make_session: MakeSession, tmp_path: Path) -> None:
    one, two = make_session("set/one/session").parent, make_session("set/two/session").parent
    assert find_all_experiments([two, tmp_path / "set"]) == [two, one]
    assert find_all_experiments(str(one)) == [one]
