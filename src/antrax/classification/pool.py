"""Pool of worker processes for classification, which survives the death of workers."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from antrax.classification.engine import Job, Model, Notice, Unread, Worker
from antrax.errors import DeviceError
from antrax.io.results import Classified
from antrax.io.workers import Parcel, describe_dead_worker, make_executor, open_parcel, worker_number
from antrax.messages import parameter
from antrax.networks.devices import card_of_worker, processors
from antrax.progress import Reporter

Results = list[Classified | Unread]
_Answer = list[Classified | Unread | Notice]
Key = TypeVar("Key")

# After so many workers in a row that died without any result, the pool gives up.
_MOST_DEATHS = 6


class WorkerPool:
    """Worker processes; with one worker, this process.

    A worker that dies takes those beside it along. The jobs that were under way are then done again, one at a time and
    alone, and divided until the tracklet is found that no worker survives.

    Parameters
    ----------
    models : mapping of str to Model
    workers : int
    reporter : Reporter
        Told when a worker dies.
    """

    def __init__(self, models: Mapping[str, Model], workers: int, reporter: Reporter) -> None:
        self._models, self._workers, self._reporter = dict(models), workers, reporter
        self._here: Worker | None = None
        self._many: Any = None
        self._one: Any = None
        self._deaths = 0
        self._told: set[str] = set()
        self._parcel: Parcel | None = None
        self._hopeless: Exception | None = None

    def __enter__(self) -> WorkerPool:
        if self._workers == 1:
            self._here = Worker(self._models, threads=processors())
        else:
            self._parcel = Parcel(self._models).__enter__()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for executor in (self._many, self._one):
            if executor:
                executor.shutdown(wait=True, kill_workers=kind is not None)
        if self._parcel:
            self._parcel.__exit__()

    def map_ordered(
        self, steps: Iterator[tuple[Key, Job | BaseException | None]]
    ) -> Iterator[tuple[Key, Results | BaseException | None]]:
        """Results in the order of the steps, with only so many under way that memory stays bounded.

        Parameters
        ----------
        steps : iterator of (key, step)
            A step is a job, or something else that is handed through at its place.

        Yields
        ------
        (key, Results or BaseException or None)
            The exception where a job failed as a whole.
        """
        # with each job the executor that does it, for another one takes its place where it breaks
        waiting: deque[tuple[Key, Job | BaseException | None, Future[_Answer] | None, Any]] = deque()
        for key, step in steps:
            future = self._submit(step) if isinstance(step, Job) else None
            waiting.append((key, step, future, self._many))
            while len(waiting) > 2 * self._workers + 1:
                yield self._outcome(*waiting.popleft())
        while waiting:
            yield self._outcome(*waiting.popleft())

    def _submit(self, job: Job) -> Future[_Answer]:
        if self._here is None:
            try:
                if self._many is None:
                    self._many = self._executor(self._workers)
                return self._many.submit(work, job)  # type: ignore[no-any-return]
            except BrokenExecutor as error:  # it broke since the last job was handed in
                self._drop(self._many, error)
                future: Future[_Answer] = Future()
                future.set_exception(error)
                return future
        future = Future()
        try:
            future.set_result(self._here.classify(job))
        except Exception as error:
            future.set_exception(error)
        return future

    def _executor(self, workers: int) -> Any:
        assert self._parcel is not None and self._parcel.path is not None
        return make_executor(workers, start_worker, (self._parcel.path, os.getpid()))

    def _told_of(self, answer: _Answer) -> Results:
        """Results in a worker's answer; notices are reported, each once for all workers."""
        for notice in (found for found in answer if isinstance(found, Notice)):
            self._tell(notice.text)
        return [found for found in answer if not isinstance(found, Notice)]

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._reporter.warn(text)

    def _outcome(
        self, key: Key, step: Job | BaseException | None, future: Future[_Answer] | None, executor: Any
    ) -> tuple[Key, Results | BaseException | None]:
        if future is None:
            return key, step if isinstance(step, BaseException) else None
        assert isinstance(step, Job)
        try:
            results = self._told_of(future.result())
            self._deaths = 0
            return key, results
        except BrokenExecutor as error:
            self._drop(executor, error)
            return key, self._alone(step)
        except Exception as error:
            return key, error

    def _drop(self, executor: Any, error: BaseException) -> None:
        """Stop using a broken executor, and report why."""
        what, memory = describe_dead_worker(error)
        if executor is not None and executor is self._many:
            executor.shutdown(wait=False, kill_workers=True)
            self._many = None
            if memory:
                self._workers = max(1, self._workers // 2)
        advice = f"; should it happen again, use {parameter('workers', 1)}" if memory else ""
        self._tell(f"{what}: what it was doing is done again{advice}")

    def _alone(self, job: Job) -> Results | BaseException:
        """Run a job with no other job in its worker; divide it if the worker dies."""
        if self._hopeless:
            return self._hopeless
        try:
            if self._one is None:
                self._one = self._executor(1)
            results = self._told_of(self._one.submit(work, job).result())
            self._deaths = 0
            return results
        except BrokenExecutor as error:
            self._one.shutdown(wait=False, kill_workers=True)
            self._one = None
            self._deaths += 1
            what, memory = describe_dead_worker(error)
            if len(job.tracklets) == 1:
                self._deaths = 0
                advice = (
                    f"; use {parameter('workers', 1)}, or a machine with more memory"
                    if memory
                    else ": its data are damaged"
                )
                return [Unread(job.tracklets[0], f"{job.part.path}, {job.tracklets[0]}: {what}{advice}")]
            if self._deaths > _MOST_DEATHS + len(job.tracklets).bit_length():
                self._hopeless = DeviceError(f"{what}, one after the other; try again with {parameter('workers', 1)}")
                return self._hopeless
        except Exception as error:
            return error
        found: Results = []
        middle = len(job.tracklets) // 2
        for part in (job.tracklets[:middle], job.tracklets[middle:]):
            outcome = self._alone(job.with_tracklets(part))
            if isinstance(outcome, BaseException):
                return outcome
            found += outcome
        return found


# --- in a worker process
# -------------------------------------------------------------------------------------------------

_worker: Worker | None = None


def start_worker(models: Path, parent: int) -> None:
    """Set up this process to work; Ctrl-C is left to the process that gives the work.

    Parameters
    ----------
    models : Path
        Of the `Parcel` that holds the models by their names.
    parent : int
        Number of that process; this one ends when it does, however it ends.
    """
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    number = worker_number()
    _worker = Worker(
        {
            name: replace(model, device=card_of_worker(model.device, number))
            for name, model in open_parcel(models).items()
        }
    )


def _end_with(parent: int) -> None:
    import psutil

    try:
        if os.getppid() == parent:
            psutil.Process(parent).wait()
    except psutil.NoSuchProcess:
        pass
    os._exit(1)


def work(job: Job) -> _Answer:
    """Classify a job in a process that `start_worker` has set up."""
    assert _worker is not None
    return _worker.classify(job)
