"""Running of commands on several experiments, and output of partial results after failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from antrax.cli.streams import output, print_error
from antrax.errors import AntraxError, ClassificationError, SolvingError

if TYPE_CHECKING:
    from rich.console import Console


def run_batch(run: Callable[[], Any], show: Callable[[Console, Any], None]) -> None:
    """Run a command, and show its result; of one that failed in parts, what was done, then all failures.

    Parameters
    ----------
    run : callable
        Returns the result, or raises an error with it.
    show : callable
        Prints a result.
    """
    try:
        report = run()
    except (ClassificationError, SolvingError) as error:
        report = error.report
        if report is None:
            raise
        if any(experiment.movies for experiment in report.experiments):
            show(output(), report)
        for failure in report.failures[:-1]:
            print_error(failure)
        raise AntraxError(report.failures[-1]) from None
    show(output(), report)
