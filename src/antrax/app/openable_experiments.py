"""Experiments that the app may open: those named on the command line, and those in folders named there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from antrax.errors import AntraxError, ExperimentError
from antrax.io.atomic import make_folder, write_atomically
from antrax.io.experiments import experiments_below, find_experiments
from antrax.io.layout import SESSION_MARK, is_session
from antrax.io.regular_files import read_regular
from antrax.io.session import Session, open_session, session_dirs

# Folders are searched again after so many seconds, or so many times the duration of a search.
_LOOK_AGAIN_S, _LOOK_AGAIN_TIMES = 3.0, 10.0
_MOST_RECENT = 20


@dataclass(frozen=True)
class Place:
    """An experiment that may be opened.

    Parameters
    ----------
    id : str
        By which the page names it; a path never comes from there.
    experiment : Path
        The experiment's folder, absolute.
    sessions : tuple of str
        Names of its sessions, the latest first.
    """

    id: str
    experiment: Path
    sessions: tuple[str, ...]


class OpenableExperiments:
    """The experiments that may be opened, looked for anew now and then. For use by several threads.

    Parameters
    ----------
    arguments : sequence of Path
        Each an experiment (or a session of one), a folder that holds some at any depth, or a text file
        that lists experiments.
    session : str, optional
        Session to start with; the latest by default.
    memory : Path
        Folder in which recently opened sessions are remembered; where that cannot be done, it is not.

    Raises
    ------
    ExperimentError
        An argument stands for no experiment, or no experiment has that session.
    """

    def __init__(self, arguments: Sequence[Path], session: str | None, memory: Path) -> None:
        self._memory = memory / "recent.json"
        self._lock = threading.Lock()
        self._experiments: list[Path] = []
        self._folders: list[Path] = []
        self._issued: dict[str, Path] = {}
        self._known: dict[str, set[str]] = {}
        self._places: tuple[Place, ...] = ()
        self._look_again = 0.0
        problems: list[str] = []
        first: list[tuple[Path, str | None]] = []
        for argument in arguments:
            first += self._take(_absolute(argument), problems)
        self._problems = tuple(problems)
        if not first:
            raise ExperimentError(problems[0] if problems else "no experiment is given")
        self.all()
        self._start = self._choose_start(first, session)

    @property
    def problems(self) -> tuple[str, ...]:
        """Problems in lists of experiments, a sentence each."""
        return self._problems

    @property
    def start(self) -> tuple[str, str]:
        """Id and session of what is opened at first."""
        return self._start

    def all(self) -> tuple[Place, ...]:
        """Experiments that can be opened now: named ones in the order given, then those found in folders, by path."""
        started = time.monotonic()
        with self._lock:
            if started < self._look_again:
                return self._places
            self._look_again = math.inf  # other threads use the known experiments while this one searches
        places = self._places
        try:
            places = self._look()
        finally:
            with self._lock:
                self._places = places
                for place in places:
                    self._issued.setdefault(place.id, place.experiment)
                    self._known.setdefault(place.id, set()).update(place.sessions)
                took = time.monotonic() - started
                self._look_again = time.monotonic() + max(_LOOK_AGAIN_S, _LOOK_AGAIN_TIMES * took)
        return places

    def session(self, place: str, name: str) -> Session:
        """Open a session.

        Parameters
        ----------
        place : str
            Id of a `Place`.
        name : str
            Of a session of it.

        Raises
        ------
        ExperimentError
            No such id or session was told to anybody, or it is not there any more.
        """
        if name not in self._known.get(place, ()):
            self.all()
        if name not in self._known.get(place, ()):
            raise ExperimentError("this experiment or session is not one of those that antrax was started with")
        return open_session(self._issued[place], name)

    def opened(self, place: str, session: str) -> None:
        """Remember that a session was opened. Raises `ExperimentError` as `session` does."""
        path = os.path.realpath(self.session(place, session).experiment)
        with self._lock:
            entries = [entry for entry in self._remembered() if entry != (path, session)]
            text = json.dumps([[path, session], *entries[: _MOST_RECENT - 1]], indent=1)
            with contextlib.suppress(AntraxError):  # only a convenience: no error
                make_folder(self._memory.parent)
                write_atomically(self._memory, text)

    def recent(self) -> tuple[tuple[str, str], ...]:
        """Id and session of those opened before that may be opened now, newest first."""
        now = {place.id: place.sessions for place in self.all()}
        entries = [(_id(path), session) for path, session in self._remembered()]
        return tuple(entry for entry in entries if entry[1] in now.get(entry[0], ()))

    def _take(self, path: Path, problems: list[str]) -> list[tuple[Path, str | None]]:
        """Resolve an argument: its experiments, with the session if one was named."""
        if path.is_file():
            found = []
            for line in find_experiments(path):
                try:
                    found.append(_opened(line))
                except ExperimentError as error:
                    problems.append(f"{path}: {error}; passed over")
                self._experiments.append(line)  # it may be mounted later
            return found
        try:
            found = [_opened(path)]
            self._experiments.append(path)
            return found
        except ExperimentError:
            if not path.is_dir():
                raise
        inside = experiments_below(path, links_out=False).paths
        if not inside:
            raise ExperimentError(
                f"{path} is no tracked experiment and holds none: no folder in it has a session with "
                f"{SESSION_MARK.as_posix()}; run the tracking step first"
            )
        self._folders.append(path)
        return [(experiment, None) for experiment in inside]

    def _choose_start(self, found: list[tuple[Path, str | None]], session: str | None) -> tuple[str, str]:
        for experiment, named in found:
            names = [path.name for path in session_dirs(experiment)]
            try:
                wanted = session or named or open_session(experiment).name
            except ExperimentError:
                continue  # several of its sessions are the latest
            if wanted in names:
                return _id(experiment), wanted
        return _id(found[0][0]), open_session(found[0][0], session).name  # tells which sessions there are

    def _look(self) -> tuple[Place, ...]:
        places: dict[str, Place] = {}
        inside = (
            experiment for folder in self._folders for experiment in experiments_below(folder, links_out=False).paths
        )
        for path in [*self._experiments, *inside]:
            try:
                experiment, _ = _opened(path)
                names = tuple(session.name for session in reversed(session_dirs(experiment)))
            except ExperimentError:
                continue  # a line of a list, or gone since
            if names:
                places.setdefault(_id(experiment), Place(_id(experiment), experiment, names))
        return tuple(places.values())

    def _remembered(self) -> list[tuple[str, str]]:
        try:
            entries = json.loads(read_regular(self._memory).decode())
            return [(str(path), str(session)) for path, session in entries]
        except (OSError, ValueError, TypeError, RecursionError):
            return []


def _absolute(path: Path) -> Path:
    # unlike Path.resolve, this leaves links as they are: people know their experiments by these names
    return Path(os.path.normpath(Path(os.path.expanduser(path)).absolute()))  # noqa: PTH111


def _id(experiment: str | Path) -> str:
    return hashlib.blake2b(os.fsencode(os.path.realpath(experiment)), digest_size=8).hexdigest()


def _opened(path: Path) -> tuple[Path, str | None]:
    """The experiment at a path, and the session where the path is that of a session. Raises `ExperimentError`."""
    if is_session(path):
        return path.parent, path.name
    if path.is_dir() and session_dirs(path):
        return path, None
    return open_session(path).experiment, None  # raises, and says why
