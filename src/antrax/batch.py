"""Options, results and failure messages of commands that work on several experiments.

A failure message names the cause (memory, a drive, a graphics card, a mistake in this package) and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from antrax.errors import AntraxError, OptionError, explain_mistake, is_drive_failure
from antrax.messages import parameter

_GPU_ERRORS = frozenset({"OutOfMemoryError", "AcceleratorError"})
_GPU_WORDS = (
    "CUDA error",
    "CUDA out of memory",
    "cuDNN error",
    "CUBLAS_STATUS",
    "HIP error",
    "MPS backend out of memory",
)


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


class ExperimentResult(Protocol):
    """Result of one experiment, as `BatchResult` needs it."""

    @property
    def failures(self) -> list[str]:
        """Everything that went wrong, a sentence each."""


Result = TypeVar("Result", bound=ExperimentResult)


@dataclass(frozen=True)
class BatchResult(Generic[Result]):
    """Result of a command that works on several experiments.

    Parameters
    ----------
    experiments : list
        Result of each experiment, in the order in which the experiments were found.
    seconds : float
        Duration of the whole run.
    """

    experiments: list[Result]
    seconds: float

    @property
    def failures(self) -> list[str]:
        """Everything that went wrong, a sentence each."""
        return [failure for experiment in self.experiments for failure in experiment.failures]


def failure_line(failures: Sequence[str]) -> str:
    """The first failure, and how many more there are."""
    first, *more = failures
    return first + (f" (and {len(more)} more failed)" if more else "")


def is_gpu_failure(error: BaseException) -> bool:
    """Whether an error was caused by a graphics card, its memory or its driver. Does not import PyTorch.

    Parameters
    ----------
    error : BaseException
    """
    if type(error).__module__.partition(".")[0] == "torch" and type(error).__name__ in _GPU_ERRORS:
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _GPU_WORDS)


def describe_failure(error: BaseException, where: object) -> str:
    """Describe an error in one sentence: what it is, where it occurred, and what to do.

    Parameters
    ----------
    error : BaseException
    where : object
        The file that was worked on.

    Returns
    -------
    str
        For a mistake in this package, the sentence names the file that holds the traceback.
    """
    if is_drive_failure(error):
        cause = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        return f"{where} cannot be read, for its drive fails or was disconnected ({cause}); check it, and try again"
    if isinstance(error, AntraxError):
        return str(error)
    if is_gpu_failure(error):
        what = "memory ran out on" if type(error).__name__ == "OutOfMemoryError" else "there was an error of"
        why = " ".join(str(error).split("\n")[0].split())[:200]
        instead = parameter("device", "cpu")
        return f"{where}: {what} the graphics card ({why}); end other programs that use it, or take {instead}"
    if isinstance(error, MemoryError):
        return f"{where}: memory ran out; use fewer workers ({parameter('workers', 1)}), or close other programs"
    if isinstance(error, OSError):
        return f"{where} cannot be read: {error.strerror or error}"
    return f"{where}: {explain_mistake(error)}" if isinstance(error, Exception) else f"{where}: {error!r}"
