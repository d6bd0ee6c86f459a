"""What commands share that work on several experiments: their options, and what they tell of failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antrax.errors import OptionError
from antrax.messages import parameter


def check_options(max_error: float, workers: int | None) -> None:
    """Raise OptionError unless these options can be used.

    Parameters
    ----------
    max_error : float
        Accepted share of errors.
    workers : int or None
        Processes that share the work; None for the default.
    """
    if not 0 < max_error < 1:
        raise OptionError(f"{parameter('max_error', max_error)}: give a share between 0 and 1, such as 0.01")
    if workers is not None and workers < 1:
        raise OptionError(f"{parameter('workers', workers)}: at least one worker is needed")


class BatchResult:
    """Base of results of commands that work on several experiments.

    Attributes
    ----------
    experiments : list
        Result of each experiment, with its `failures`.
    """

    experiments: Any

    @property
    def failures(self) -> list[str]:
        """Everything that went wrong, a sentence each."""
        return [failure for experiment in self.experiments for failure in experiment.failures]


def failure_line(failures: Sequence[str]) -> str:
    """The first failure, and how many more there are."""
    first, *more = failures
    return first + (f" (and {len(more)} more failed)" if more else "")
