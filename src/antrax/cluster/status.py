"""Progress of the work on experiments, determined from their files alone, on any machine that sees them.

What is there tells what is done. Records of runs (`antrax.io.runs`) tell what failed and why; claims
(`antrax.io.locks`) whether the process of a run still lives; folders of jobs (`antrax.cluster.jobs`) what waits in the
cluster, and which tasks ended before their run could begin.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from antrax.cluster.jobs import ClusterJob, Task, last_error, read_jobs
from antrax.cluster.work_files import CLASSIFIER_CHANGED, WorkFiles, classification_files, solving_files
from antrax.errors import AntraxError
from antrax.io.contents import SessionContents
from antrax.io.experiments import find_all_experiments
from antrax.io.locks import claims
from antrax.io.runs import MovieEvent, Run, read_runs, size_and_time, why_failed
from antrax.io.session import Session, open_session
from antrax.io.stamps import FileStamp
from antrax.progress import Reporter

COMMANDS = ("classify", "solve")


class MovieState(StrEnum):
    """How far a movie is."""

    DONE = "done"
    STALE = "stale"
    RUNNING = "running"
    FAILED = "failed"
    QUEUED = "queued"
    WAITING = "waiting"


@dataclass(frozen=True)
class MovieStatus:
    """Progress of a movie, and the reason.

    Parameters
    ----------
    movie : int
        Its number.
    state : MovieState
        done; stale: done, but from files that have changed since, or but for a part that could not be read;
        running; failed; queued: of a run or a job that has not come to it yet; waiting: nothing was begun.
    reason : str
        Why it failed, or is stale.
    log : str or None
        File with what the failed run printed, where it is known.
    where : str
        Who works on it, or in which job it is queued.
    has_result : bool
        Whether there is a result, of an earlier run where this one failed.
    """

    movie: int
    state: MovieState
    reason: str = ""
    log: str | None = None
    where: str = ""
    has_result: bool = False


@dataclass(frozen=True)
class CommandStatus:
    """Progress of a command on a session.

    Parameters
    ----------
    command : str
        classify or solve.
    movies : tuple of MovieStatus
        In order of the movies.
    """

    command: str
    movies: tuple[MovieStatus, ...]

    def of(self, state: MovieState) -> list[MovieStatus]:
        """The movies in a state."""
        return [movie for movie in self.movies if movie.state is state]

    @property
    def without_result(self) -> list[int]:
        """Movies that have no result, or one of an earlier tracking, or whose last run failed."""
        done = (MovieState.DONE,)
        return [
            movie.movie
            for movie in self.movies
            if movie.state not in done and not (movie.state is MovieState.STALE and movie.reason == CLASSIFIER_CHANGED)
        ]


@dataclass(frozen=True)
class SessionStatus:
    """Progress of the work on a session.

    Parameters
    ----------
    experiment : Path
        Its folder.
    session : str
        Name of the session; empty where it cannot be opened.
    commands : tuple of CommandStatus
        Those that there is something to do for.
    failure : str
        Why nothing can be said of it.
    problems : tuple of str
        What is wrong with the session's parameters, a sentence each.
    """

    experiment: Path
    session: str = ""
    commands: tuple[CommandStatus, ...] = ()
    failure: str = ""
    problems: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The same as values that JSON has.

        Returns
        -------
        dict
        """
        return {
            "experiment": str(self.experiment),
            "session": self.session or None,
            "failure": self.failure or None,
            "problems": list(self.problems),
            **{command.command: _as_json(command) for command in self.commands},
        }


def _as_json(command: CommandStatus) -> dict[str, object]:
    return {
        **{state.value: len(command.of(state)) for state in MovieState},
        "movies": {
            str(movie.movie): {
                "state": movie.state.value,
                "reason": movie.reason or None,
                "log": movie.log,
                "where": movie.where or None,
                "has_result": movie.has_result,
            }
            for movie in command.movies
        },
    }


def status(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    session: str | None = None,
    *,
    reporter: Reporter | None = None,
) -> list[SessionStatus]:
    """Determine the progress of the work on one or more experiments from their files.

    Parameters
    ----------
    path : path or sequence of paths
        Each an experiment, a folder that contains some, or a text file that lists some.
    session : str, optional
        Name of the session in each experiment; the latest by default.
    reporter : Reporter, optional
        Told how a list was read; silent by default.

    Returns
    -------
    list of SessionStatus
        One for each experiment; of one that cannot be read, the failure.

    Raises
    ------
    AntraxError
        Nothing is there.

    Examples
    --------
    >>> [it.movie for it in antrax.status("colony1")[0].commands[0].movies if it.state == "failed"]  # doctest: +SKIP
    [17]
    """
    reporter = reporter or Reporter()
    return [_experiment_status(experiment, session) for experiment in find_all_experiments(path, reporter.say)]


def _experiment_status(path: Path, name: str | None) -> SessionStatus:
    try:
        session = open_session(path, name)
        found = [session_status(session, command) for command in COMMANDS]
        commands = tuple(one for one in found if one and one.movies)
        return SessionStatus(session.experiment, session.name, commands, problems=session.parameter_problems)
    except (AntraxError, OSError) as error:
        return SessionStatus(path, failure=str(error))


def session_status(session: Session, command: str) -> CommandStatus | None:
    """Determine the progress of a command on a session; None if there is nothing for it to work on.

    Parameters
    ----------
    session : Session
    command : str
        classify or solve.

    Raises
    ------
    ExperimentError
        A folder of the session cannot be read.
    """
    contents = SessionContents(session)
    work = classification_files(session, contents) if command == "classify" else solving_files(session, contents)
    if not work.inputs:
        return None
    runs = read_runs(session, command)
    living = {str(holder.process) for holder in claims(work.claims, command, tidy=False)}
    jobs = read_jobs(session.layout.cluster, command)
    view = _MovieStates(work, runs, living, jobs)
    return CommandStatus(command, tuple(view.movie(movie) for movie in sorted(work.inputs)))


@dataclass(frozen=True)
class _Last:
    """The last run that worked, or was to work, on a movie."""

    run: Run
    event: MovieEvent | None
    lives: bool


_Found = tuple[MovieState, str, str | None, str]


class _MovieStates:
    """Puts together what is known of each movie.

    Parameters
    ----------
    work : WorkFiles
    runs : sequence of Run
        In order of their beginning.
    living : set of str
        Processes that live.
    jobs : sequence of ClusterJob
        The latest last.
    """

    def __init__(self, work: WorkFiles, runs: Sequence[Run], living: set[str], jobs: Sequence[ClusterJob]) -> None:
        self._work = work
        self._last: dict[int, _Last] = {}
        for run in runs:
            lives = not run.ended and run.process in living
            for movie in run.movies:
                earlier = self._last.get(movie)
                if lives or not (earlier and earlier.lives):
                    self._last[movie] = _Last(run, run.events.get(movie), lives)
        self._tasks = {movie: (job, task) for job in jobs for task in job.tasks for movie in task.movies}
        # A drive may be called otherwise on the machine that wrote a log.
        self._logs = {_log_key(task.log): task.log for job in jobs for task in job.tasks if task.log}
        self._errors: dict[Path, str] = {}
        self._heard = {_log_key(Path(run.log)) for run in runs if run.log}

    def movie(self, movie: int) -> MovieStatus:
        """How far a movie is."""
        result = self._work.result(movie)
        if found := self._at_work(movie) or self._failed_task(movie, result) or self._failed_run(movie, result):
            state, reason, log, where = found
            return MovieStatus(movie, state, reason, log, where, result is not None)
        last = self._last.get(movie)
        if result is None:
            is_empty = last is not None and last.event is not None and last.event.event == "empty"
            done = last is not None and is_empty and self._same_inputs(movie, last)
            why = "" if done else self._work.left_over(movie)
            waiting = MovieState.STALE if why else MovieState.WAITING
            return MovieStatus(movie, MovieState.DONE if done else waiting, why)
        why = (why_failed(last.run, movie, result) if last else "") or self._why_stale(movie, result)
        return MovieStatus(movie, MovieState.STALE if why else MovieState.DONE, why, has_result=True)

    def _at_work(self, movie: int) -> _Found | None:
        """Running or queued."""
        last = self._last.get(movie)
        if last and last.lives:
            host = f"process {last.run.process.split('-')[1]} on {last.run.host}"
            if last.event is None:
                return MovieState.QUEUED, "", self._log(last.run), host
            return (MovieState.RUNNING, "", self._log(last.run), host) if last.event.event == "begun" else None
        if movie not in self._tasks:
            return None
        job, task = self._tasks[movie]
        if self._is_heard(task) or (last and last.run.at > job.at):
            return None  # somebody has worked on it since the job was written
        where = f"job {job.number or job.folder.name}, task {task.number}"
        if task.log is None:
            return (MovieState.QUEUED, "", None, where) if job.number else None
        return (MovieState.RUNNING, "", str(task.log), where) if task.may_run() else None

    def _failed_task(self, movie: int, result: FileStamp | None) -> _Found | None:
        """Failed, in a task of a cluster that ended before its run could begin."""
        if movie not in self._tasks:
            return None
        job, task = self._tasks[movie]
        last = self._last.get(movie)
        since = max(_seconds(result), last.run.at if last else 0.0)
        if task.log is None or self._is_heard(task) or task.exit == 0 or task.changed <= since:
            return None
        how = "was ended" if task.exit is None else f"ended with exit status {task.exit}"
        reason = f"task {task.number} {how} before it came to the movie: {self._last_error(task.log)}"
        return MovieState.FAILED, reason, str(task.log), f"job {job.number or job.folder.name}"

    def _failed_run(self, movie: int, result: FileStamp | None) -> _Found | None:
        """Failed, after the last result was made."""
        last = self._last.get(movie)
        if last is None:
            return None
        log, where = self._log(last.run), f"on {last.run.host}"
        is_told = last.event is not None and last.event.event in ("failed", "done")
        if last.lives and not is_told:
            return None  # under way
        why = why_failed(last.run, movie, result)
        if not why or (last.event and last.event.event == "done"):
            return None
        more = f": {self._last_error(Path(log))}" if log and not is_told else ""
        return MovieState.FAILED, f"{why}{more}", log, where

    def _log(self, run: Run) -> str | None:
        return str(self._logs.get(_log_key(Path(run.log)), run.log)) if run.log else None

    def _last_error(self, log: Path) -> str:
        if log not in self._errors:
            self._errors[log] = last_error(log)
        return self._errors[log]

    def _is_heard(self, task: Task) -> bool:
        """Whether a run began in a task, so that its record tells of it."""
        return task.log is not None and _log_key(task.log) in self._heard

    def _why_stale(self, movie: int, result: FileStamp) -> str:
        last = self._last.get(movie)
        # of a result that no record tells of, or that was copied, only the time is known
        if last and last.event and last.event.results.get(self._work.results[movie].name) == size_and_time(result):
            changed = not self._same_inputs(movie, last)
            return self._work.input_changed if changed else self._work.changed(movie, last.run)
        return self._work.input_changed if self._work.is_older(movie) else self._work.changed(movie, None)

    def _same_inputs(self, movie: int, last: _Last) -> bool:
        return last.event is not None and dict(last.event.inputs) == self._work.sizes_and_times(movie)


def _seconds(result: FileStamp | None) -> float:
    return result.mtime_ns / 1e9 if result else 0.0


def _log_key(log: Path) -> tuple[str, ...]:
    return log.parts[-2:]


def problems_of(command: CommandStatus, state: MovieState) -> Iterator[tuple[list[int], MovieStatus]]:
    """Movies of a state by what is said of them: those of which the same is said come together.

    Parameters
    ----------
    command : CommandStatus
    state : MovieState

    Yields
    ------
    list of int
        The movies.
    MovieStatus
        Of the first of them.
    """
    found: dict[tuple[str, str | None], list[MovieStatus]] = {}
    for movie in command.of(state):
        found.setdefault((movie.reason, movie.log), []).append(movie)
    for same in found.values():
        yield [movie.movie for movie in same], same[0]
