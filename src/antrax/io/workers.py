"""Worker processes: starting them, and describing how one died."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from antrax.errors import DeviceError
from antrax.io.atomic import remove_dead_parts
from antrax.io.processes import this_process
from antrax.messages import parameter

T = TypeVar("T")

# A worker that crashes would print its stack on standard error; the parent reports the cause in one line instead.
_WORKERS = {"PYTHONFAULTHANDLER": ""}
# After a killed run, loky's resource tracker warns of every semaphore that it removes.
_TRACKER = "ignore:resource_tracker:UserWarning"


def make_executor(
    workers: int, initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = ()
) -> Any:
    """Make an executor whose processes print nothing on standard error when they die.

    Unlike those of the standard library they do not run the user's script again, which need then not be guarded by
    `if __name__ == "__main__"`.

    Parameters
    ----------
    workers : int
    initializer : callable, optional
        Called in each of them first.
    initargs : tuple
        Its arguments. They are to be short: while a process is started, they are written into a pipe, and where that is
        full and the process dies before it has read them, the writer waits for ever. See `Parcel`.

    Returns
    -------
    loky.process_executor.ProcessPoolExecutor
    """
    from loky.process_executor import ProcessPoolExecutor

    earlier = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = f"{earlier},{_TRACKER}" if earlier else _TRACKER
    try:
        return ProcessPoolExecutor(workers, initializer=initializer, initargs=initargs, env=_WORKERS)
    finally:
        if earlier is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = earlier


class Parcel:
    """Context manager: a large object for worker processes, in a temporary file.

    Parameters
    ----------
    content : object
        Anything that `cloudpickle` takes.
    """

    def __init__(self, content: object) -> None:
        self._content = content
        self.path: Path | None = None

    def __enter__(self) -> Parcel:
        import cloudpickle

        folder = Path(tempfile.gettempdir())
        remove_dead_parts(folder)
        handle, name = tempfile.mkstemp(".part", f".antrax-workers.{this_process()}-")
        self.path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                cloudpickle.dump(self._content, file)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.path:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)


def open_parcel(path: Path) -> Any:
    """Load the object of a `Parcel`, in a worker."""
    import cloudpickle

    with path.open("rb") as file:
        return cloudpickle.load(file)


def map_in_workers(workers: int, function: Callable[..., T], *columns: Iterable[Any]) -> Iterator[T]:
    """Results of a function in order, as `map` gives them, computed by several processes.

    Parameters
    ----------
    workers : int
        With 1, this process does everything.
    function : callable
    *columns : iterable
        Its arguments.

    Raises
    ------
    DeviceError
        No process survives it.
    """
    return results_of(outcomes_in_workers(workers, function, *columns))


@dataclass(frozen=True)
class Failed:
    """Outcome of a call that raised an error or whose process died.

    Parameters
    ----------
    error : Exception
        Error that the call raised; a `DeviceError` where every process that tried it died.
    """

    error: Exception


def results_of(outcomes: Iterable[T | Failed]) -> Iterator[T]:
    """Results of calls, up to the first that failed, whose error is raised.

    Parameters
    ----------
    outcomes : iterable
        As `outcomes_in_workers` gives them.
    """
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            raise outcome.error
        yield outcome


def outcomes_in_workers(workers: int, function: Callable[..., T], *columns: Iterable[Any]) -> Iterator[T | Failed]:
    """Results of a function in order, where a call that fails does not end the others.

    If a process dies, unfinished calls are repeated by half as many processes, in the end by one: a call that ends this
    one has failed.

    Parameters
    ----------
    workers : int
        With 1, this process does everything.
    function : callable
    *columns : iterable
        Its arguments.
    """
    rows = list(zip(*columns, strict=True))
    if workers <= 1 or len(rows) < 2:
        yield from (_outcome(lambda row=row: function(*row)) for row in rows)  # type: ignore[misc]
        return
    done = 0
    while done < len(rows):
        try:
            with make_executor(workers) as executor:
                for future in [executor.submit(function, *row) for row in rows[done:]]:
                    yield _outcome(future.result)
                    done += 1
        except BrokenExecutor as error:
            what, memory = describe_dead_worker(error)
            if workers == 1:
                one = parameter("workers", 1)
                yield Failed(
                    DeviceError(
                        f"{what}; use {one}, or a machine with more memory"
                        if memory
                        else f"{what}; try again with {one}"
                    )
                )
                done += 1
            workers = max(1, workers // 2)


def _outcome(call: Callable[[], T]) -> T | Failed:
    try:
        return call()
    except BrokenExecutor:
        raise
    except Exception as error:
        return Failed(error)


def describe_dead_worker(error: BaseException) -> tuple[str, bool]:
    """Describe what ended a worker process, and whether memory had probably run out.

    Parameters
    ----------
    error : BaseException
        Of the pool.
    """
    text = str(error)
    if "SIGKILL" in text or "-9" in re.findall(r"\((-?\d+)\)", text):
        return "a worker process was killed, most likely because memory ran out", True
    if signal := re.search(r"SIG[A-Z]+", text):
        return f"a worker process crashed ({signal[0]})", False
    return "a worker process ended unexpectedly", False
