"""Records of runs of `classify` and `solve`, movie by movie: a file for each run in the session's `logs/runs`.

Every run writes a file of its own, so that many of them, on whatever machines, can work on one session at the same
time. A file has a line of JSON for the run, and one for each thing that happens to a movie; it is written as that
happens, so it also tells of runs that were killed. Only `antrax status` uses these files: if they cannot be written,
the work continues.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from antrax.io.atomic import make_folder, write_atomically
from antrax.io.processes import parse_tag, this_process
from antrax.io.regular_files import read_regular
from antrax.io.session import Session
from antrax.io.stamps import FileStamp, stamp_of, stamps_of

Event = Literal["begun", "done", "empty", "failed"]

LOG_VARIABLE = "ANTRAX_LOG"
"""Environment variable with the path of the file that a run's output goes to."""
_LARGEST = 64 * 2**20
# Beyond this number of files, superseded ones are removed.
_MANY = 200


class RunRecord:
    """The record of a run that is under way.

    Parameters
    ----------
    path : Path or None
        Its file; None where it could not be made.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def begun(self, inputs: Mapping[int, Iterable[Path]]) -> None:
        """Record that work on some movies begins.

        Parameters
        ----------
        inputs : mapping of int to iterable of Path
            By movie, what its result is made from.
        """
        self._write(
            {"event": "begun", "movie": movie, "inputs": {path.name: _size_and_time(path) for path in paths}}
            for movie, paths in inputs.items()
        )

    def done(self, movie: int, results: Iterable[Path], unread: str = "") -> None:
        """Record that a movie's result is complete.

        Parameters
        ----------
        movie : int
        results : iterable of Path
        unread : str, optional
            Which parts of the movie could not be read, so that its result is not all that it should be.
        """
        files = {path.name: _size_and_time(path) for path in results}
        self._write([{"event": "done", "movie": movie, "results": files, "reason": unread}])

    def empty(self, movie: int) -> None:
        """Record that a movie has nothing to process."""
        self._write([{"event": "empty", "movie": movie}])

    def failed(self, movie: int, reason: str) -> None:
        """Record that a movie failed."""
        self._write([{"event": "failed", "movie": movie, "reason": reason}])

    def end(self) -> None:
        """Record that the run has ended by itself: it was not killed."""
        self._write([{"event": "end"}])

    def _write(self, events: Iterable[dict[str, Any]]) -> None:
        if self._path is None:
            return
        now = time.time()
        text = "".join(json.dumps({**event, "at": now}) + "\n" for event in events)
        with contextlib.suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(text)


def start_record(session: Session, command: str, movies: Collection[int], **made_with: object) -> RunRecord:
    """Begin the record of a run.

    Parameters
    ----------
    session : Session
    command : str
        `classify` or `solve`.
    movies : collection of int
        Movies that are to be worked on.
    **made_with : object
        What results are made with, as JSON takes it.

    Returns
    -------
    RunRecord
        Of which nothing is heard where the folder cannot be written.
    """
    folder = session.layout.runs
    process = this_process()
    head = {
        "command": command,
        "movies": sorted(movies),
        "host": platform.node(),
        "process": str(process),
        "at": time.time(),
        "log": os.environ.get(LOG_VARIABLE),
        "made_with": made_with,
    }
    path = folder / f"{command}_{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}_{process}-{secrets.token_hex(2)}.jsonl"
    try:
        make_folder(folder, within=session.path)
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(head) + "\n")
    except Exception:  # whatever is wrong with a drive or a folder: results are what counts
        return RunRecord(None)
    return RunRecord(path)


NO_SENSE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading JSON raises that is not of the form that was written."""


@dataclass(frozen=True)
class MovieEvent:
    """Last event of a movie in a run.

    Parameters
    ----------
    event : str
        begun, done, empty or failed.
    at : float
        When, in seconds since 1970 by the clock of the machine.
    reason : str
        Of a failure; of a movie that is done, what of it could not be read.
    inputs : mapping of str to (int, int)
        Size and time of what it is made from, by name of the file.
    results : mapping of str to (int, int)
        Likewise of the files of its result.
    """

    event: Event
    at: float
    reason: str = ""
    inputs: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    results: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run, read from its record.

    Parameters
    ----------
    path : Path
        The record.
    process : str
        As `ProcessTag` writes it.
    host : str
    at : float
        When it began.
    log : str or None
        File that its output went to.
    movies : frozenset of int
        That it was to work on.
    made_with : mapping of str to object
    events : mapping of int to MovieEvent
    ended : bool
        By itself.
    """

    path: Path
    process: str
    host: str
    at: float
    log: str | None
    movies: frozenset[int]
    made_with: Mapping[str, Any]
    events: Mapping[int, MovieEvent]
    ended: bool


def read_runs(session: Session, command: str) -> list[Run]:
    """The runs of a command on a session, in order of their beginning; records that make no sense are left out.

    Parameters
    ----------
    session : Session
    command : str
    """
    try:
        paths = list(session.layout.runs.iterdir())
    except OSError:
        return []
    records = [path for path in paths if path.name.startswith(f"{command}_") and path.suffix == ".jsonl"]
    runs = [run for path in records if (run := _read_run(path))]
    return sorted(runs, key=lambda run: run.at)


def unchanged_results(
    runs: Iterable[Run], inputs: Mapping[int, Sequence[Path]], results: Mapping[int, Sequence[Path]]
) -> set[int]:
    """Movies whose result is as the last run left it, made from files that are as they were; no file is opened.

    Parameters
    ----------
    runs : iterable of Run
        Of one command on one session, in order of their beginning.
    inputs, results : mapping of int to sequence of Path
        By movie, what a result is made from and what it consists of.

    Returns
    -------
    set of int
        Of a movie that is not among them nothing is said.
    """
    events = {movie: event for run in runs for movie, event in run.events.items() if event.event == "done"}
    chosen = {movie: [*inputs[movie], *results[movie]] for movie in inputs if movie in events}
    stamps = stamps_of(path for paths in chosen.values() for path in paths)
    unchanged = set()
    for movie, paths in chosen.items():
        there = {path.name: size_and_time(stamp) for path in paths if (stamp := stamps[path])}
        if len(there) == len(paths) and there == {**events[movie].inputs, **events[movie].results}:
            unchanged.add(movie)
    return unchanged


def results_left(runs: Iterable[Run]) -> dict[int, Mapping[str, tuple[int, int]]]:
    """Size and time of the files of each movie's result, by name, as the last run that made one left them.

    Parameters
    ----------
    runs : iterable of Run
        Of one command on one session, in order of their beginning.
    """
    return {movie: event.results for run in runs for movie, event in run.events.items() if event.event == "done"}


def why_failed(run: Run, movie: int, result: FileStamp | None) -> str:
    """Why a movie has no result of the last run that was to work on it, or one of a part of it; '' where it has one.

    Parameters
    ----------
    run : Run
        It does not run any more.
    movie : int
    result : FileStamp or None
        Of the result that is there: one that was made since counts.
    """
    event = run.events.get(movie)
    since = result.mtime_ns / 1e9 if result else 0.0
    if event and event.event == "failed":
        return event.reason if event.at > since else ""
    if event and event.event == "done":
        as_left = result is not None and size_and_time(result) in event.results.values()
        return event.reason if as_left else ""
    if run.ended or (event and event.event != "begun"):
        return ""  # stopped by somebody, or there was nothing to do
    if (event.at if event else run.at) <= since:
        return ""
    return f"the run was ended {'while the movie was worked on' if event else 'before it came to the movie'}"


def failures(runs: Iterable[Run], results: Mapping[int, Path]) -> dict[int, str]:
    """Movies whose last run failed after the result that they have, and why.

    Parameters
    ----------
    runs : iterable of Run
        Of one command on one session, in order of their beginning; none runs any more.
    results : mapping of int to Path
        By movie, the file that its result consists of, or the first of them.
    """
    last = {movie: run for run in runs for movie in run.movies}
    stamps = stamps_of(results[movie] for movie in last if movie in results)
    found = {movie: why_failed(run, movie, stamps[results[movie]]) for movie, run in last.items() if movie in results}
    return {movie: why for movie, why in found.items() if why}


def follow_renaming(
    session: Session, digests: Mapping[str, str], files: Mapping[str, tuple[tuple[int, int], tuple[int, int]]]
) -> None:
    """Have records tell of files and classifiers in which only a name was changed as they are now.

    Parameters
    ----------
    session : Session
    digests : mapping of str to str
        Of classifiers: before and after.
    files : mapping of str to pair
        By name, size and time of the file before and after.

    Raises
    ------
    OutputError
        A record cannot be written.
    """
    try:
        paths = [path for path in session.layout.runs.iterdir() if path.suffix == ".jsonl"]
    except OSError:
        return
    for path in paths:
        try:
            lines = read_regular(path, _LARGEST).decode(errors="replace").split("\n")
        except OSError:
            continue
        changed = [_renamed_line(line, digests, files) for line in lines]
        if changed != lines:
            write_atomically(path, "\n".join(changed))


def _renamed_line(
    line: str, digests: Mapping[str, str], files: Mapping[str, tuple[tuple[int, int], tuple[int, int]]]
) -> str:
    try:
        before = json.loads(line)
        after = json.loads(line)
        if after.get("made_with", {}).get("digest") in digests:
            after["made_with"]["digest"] = digests[after["made_with"]["digest"]]
        for kind in ("inputs", "results"):
            for name, stamp in after.get(kind, {}).items():
                if name in files and stamp is not None and tuple(stamp) == files[name][0]:
                    after[kind][name] = files[name][1]
    except NO_SENSE:
        return line
    return line if after == before else json.dumps(after)


def remove_superseded(session: Session, command: str) -> None:
    """If there are many records, remove those of ended runs whose movies later records cover.

    Parameters
    ----------
    session : Session
    command : str
    """
    runs = read_runs(session, command)
    if len(runs) <= _MANY:
        return
    told: set[int] = set()
    for run in reversed(runs):
        process = parse_tag(run.process)
        is_over = run.ended or (process is not None and process.is_surely_dead())
        if is_over and run.movies <= told:
            with contextlib.suppress(OSError):
                run.path.unlink()
        told |= {movie for movie, event in run.events.items() if event.event != "begun"}


def _read_run(path: Path) -> Run | None:
    try:
        first, *lines = read_regular(path, _LARGEST).decode(errors="replace").splitlines()
        head = json.loads(first)
        events: dict[int, MovieEvent] = {}
        ended = False
        for line in lines:
            try:
                ended = _take(json.loads(line), events) or ended
            except NO_SENSE:
                continue  # a run was killed while it wrote the line
        return Run(
            path,
            str(head["process"]),
            str(head["host"]),
            float(head["at"]),
            None if head["log"] is None else str(head["log"]),
            frozenset(map(int, head["movies"])),
            dict(head["made_with"]),
            events,
            ended,
        )
    except (OSError, *NO_SENSE):
        return None


def _take(values: dict[str, Any], events: dict[int, MovieEvent]) -> bool:
    """Add an event; whether it is the end of the run."""
    if values["event"] == "end":
        return True
    movie, at = int(values["movie"]), float(values["at"])
    begun = events.get(movie)
    inputs = begun.inputs if begun else {}
    if values["event"] == "begun":
        inputs = _pairs(values["inputs"])
    events[movie] = MovieEvent(
        values["event"], at, str(values.get("reason", "")), inputs, _pairs(values.get("results", {}))
    )
    return False


def _pairs(values: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Sizes and times by name, of files that were there."""
    found = {}
    for name, pair in values.items():
        if pair is not None:
            size, time_ns = pair
            found[str(name)] = int(size), int(time_ns)
    return found


def _size_and_time(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        if stamp := stamp_of(path):
            return size_and_time(stamp)
    return None


def size_and_time(stamp: FileStamp) -> tuple[int, int]:
    """Size and time of a stamp, which are the same on every machine that sees the file.

    Parameters
    ----------
    stamp : FileStamp
    """
    return stamp.size, stamp.mtime_ns
