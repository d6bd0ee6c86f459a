"""Worker processes: starting them, and describing how one died."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
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


def worker_number() -> int:
    """Number of this process among those that executors have started, from 0; 0 in any other process."""
    import multiprocessing

    # loky counts the processes that it starts in their names
    number = re.fullmatch(r"LokyProcess-(\d+)", multiprocessing.current_process().name)
    return int(number[1]) - 1 if number else 0


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
    with Crew(workers) as crew:
        yield from results_of(crew.outcomes(function, *columns))


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
        As `Crew.outcomes` gives them.
    """
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            raise outcome.error
        yield outcome


class Crew:
    """Context manager: worker processes that are kept from one round of calls to the next.

    What they load, they load once. Nothing is started before it is needed, and with one worker nothing at all.

    Parameters
    ----------
    workers : int
        Processes that work at a time. With 1, this process does everything.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._executor: Any = None
        self._size = 0

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def start(self, function: Callable[[], object], *, join: bool) -> None:
        """Start the workers, and let them call a function while this process does other things.

        Parameters
        ----------
        function : callable
            Loads what later calls will need. Errors of it do not count: those calls meet them again.
        join : bool
            As for the calls that come.
        """
        size = self.workers - join
        for _ in range(size if self.workers > 1 else 0):
            with contextlib.suppress(BrokenExecutor):
                self._processes(size).submit(function)

    def outcomes(self, function: Callable[..., T], *columns: Iterable[Any], join: bool = False) -> Iterator[T | Failed]:
        """Results of a function in order, where a call that fails does not end the others.

        If a process dies, unfinished calls are repeated by half as many processes, in the end by one: a call that ends
        this one has failed.

        Parameters
        ----------
        function : callable
        *columns : iterable
            Its arguments.
        join : bool
            This process makes calls too, and one worker fewer is started. Only for calls that are too small to
            exhaust the memory: what ends this process ends everything.
        """
        rows = list(zip(*columns, strict=True))
        if self.workers <= 1 or len(rows) < 2:
            yield from (_outcome(lambda row=row: function(*row)) for row in rows)  # type: ignore[misc]
        elif join:
            yield from self._joined(function, rows)
        else:
            yield from self._apart(function, rows, min(self.workers, len(rows)))

    def _apart(self, function: Callable[..., T], rows: Sequence[Any], workers: int) -> Iterator[T | Failed]:
        done = 0
        while done < len(rows):
            try:
                executor = self._processes(workers)
                for future in [executor.submit(function, *row) for row in rows[done:]]:
                    yield _outcome(future.result)
                    done += 1
            except BrokenExecutor as error:
                self._end()
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

    def _joined(self, function: Callable[..., T], rows: Sequence[Any]) -> Iterator[T | Failed]:
        executor = self._processes(min(self.workers, len(rows)) - 1)
        waiting = deque(enumerate(rows))
        found: dict[int, T | Failed] = {}

        def hand_out() -> None:
            """Give one worker after the other the next call, until none is left or the workers are dead."""
            with contextlib.suppress(IndexError, BrokenExecutor, RuntimeError):  # dead, or shut down
                while True:
                    number, row = waiting.popleft()
                    found[number] = _outcome(executor.submit(function, *row).result)

        threads = [threading.Thread(target=hand_out, daemon=True) for _ in range(self._size)]
        for thread in threads:
            thread.start()
        told = 0
        with contextlib.suppress(IndexError):
            while True:
                number, row = waiting.popleft()
                found[number] = _outcome(lambda row=row: function(*row))  # type: ignore[misc]
                while told in found:
                    yield found[told]
                    told += 1
        for thread in threads:
            thread.join()
        lost = [number for number in range(len(rows)) if number not in found]
        if lost:
            self._end()
            again = self._apart(function, [rows[number] for number in lost], 1)
            found.update(zip(lost, again, strict=True))
        yield from (found[number] for number in range(told, len(rows)))

    def _processes(self, size: int) -> Any:
        """The executor, of at least so many processes."""
        if self._executor is None or self._size < size:
            self._end()
            self._executor, self._size = make_executor(size), size
            with _interrupts_ignored():
                self._executor.submit(os.getpid)
        return self._executor

    def _end(self) -> None:
        """End the processes. None is asked to finish: where something is under way, nobody waits for it any more."""
        executor, self._executor, self._size = self._executor, None, 0
        if executor is not None:
            executor.shutdown(kill_workers=True)


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Context manager: processes that are started in it ignore Ctrl-C, for which each would print a traceback.

    This process ends them where it is interrupted. (A mask of signals would be undone by loky.)
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)


@contextlib.contextmanager
def crew_of(workers: int | Crew) -> Iterator[Crew]:
    """Context manager: a crew for so many workers, which ends with the block; a crew stays as it is.

    Parameters
    ----------
    workers : int or Crew
    """
    if isinstance(workers, Crew):
        yield workers
    else:
        with Crew(workers) as crew:
            yield crew


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
