"""Background jobs of the app (training, classification, grouping), each in a process of its own.

The process is `antrax.app.jobs.process`. It holds the heavy libraries, it may crash or be killed without harm, and it
ends when this process does, because its standard input then ends.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Literal

from antrax.app.jobs.process import GRACE_S
from antrax.app.jobs.progress import JobProgress
from antrax.app.jobs.record import JobRecord
from antrax.defaults import EPOCHS, MAX_ERROR
from antrax.errors import JobError
from antrax.escapes import printable
from antrax.grouping.options import MOST_GROUPS
from antrax.io.session import Session

Kind = Literal["train", "classify", "group"]
TITLES: Mapping[str, str] = {"train": "training", "classify": "classifying", "group": "grouping"}
_MOST_EPOCHS = 1000
_MESSAGES = 50
_LAST_ERRORS = 4096  # bytes of standard error that are kept


class Jobs:
    """The jobs of this app, at most one a session at a time. For use by several threads.

    Parameters
    ----------
    memory : Path, optional
        Folder in which it is remembered what runs, so that the next start can tell what the end of the app interrupted.
    """

    def __init__(self, memory: Path | None = None) -> None:
        self._record = JobRecord(memory / "jobs.json" if memory else None)
        self._lock = threading.Lock()
        self._jobs: dict[Path, _BackgroundJob] = {}
        self._started = 0
        self._closed = False

    def start(self, session: Session, kind: Kind, options: Mapping[str, object]) -> None:
        """Start to train, to classify or to group look-alikes.

        Parameters
        ----------
        session : Session
        kind : {"train", "classify", "group"}
        options : mapping
            To train: `epochs` (int, 1 to 1000) and `scratch` (bool). To classify: `movies` (list of int, or None for
            all), `missing` (bool), `max_error` (float, a share) and `classifier` (str, the name of one in the session's
            folder, or None for the usual one). To group: `groups` (int, 2 to 1000, or None for the usual number). Those
            that are left out have the command line's defaults.

        Raises
        ------
        JobError
            An option cannot be used, or a job of this session runs.
        """
        checked = _checked(kind, options)
        with self._lock:
            if self._closed:
                raise JobError("antrax is about to end")
            running = self._jobs.get(session.path)
            if running and not running.ended.is_set():
                raise JobError(f"antrax is already {TITLES[running.kind]} here; wait until that is done, or stop it")
            self._started += 1
            self._record.add(session.path, kind, checked)
            self._jobs[session.path] = _BackgroundJob(
                self._started, kind, session, checked, lambda: self._ended(session.path)
            )

    def _ended(self, path: Path) -> None:
        """Handle the end of a job; one that the end of the app interrupted stays in the record."""
        if not self._closed:
            self._record.remove(path)

    def interrupted(self, session: Session) -> dict[str, Any] | None:
        """The job that the end of the app, this one or an earlier one, interrupted in a session.

        Returns
        -------
        dict or None
            `kind`, `options` and `time` (of its start, ISO 8601); None where there is none, or another job runs.
        """
        with self._lock:
            job = self._jobs.get(session.path)
        return None if job else self._record.interrupted(session.path)

    def forget(self, session: Session) -> None:
        """Discard the record of the interrupted job."""
        with self._lock:
            if session.path not in self._jobs:
                self._record.remove(session.path)

    def state(self, session: Session) -> dict[str, Any] | None:
        """State and progress of the last job of a session.

        Returns
        -------
        dict or None
            `id` (int, another for each job), `kind`, `state` (running, done, failed or stopped), `title`, `done`,
            `total` (None where it is not known), `unit` and `note` of the stage it is at, `fraction` (float, of the
            whole, or None), `seconds` so far, `seconds_left` (float, or None), `messages` (list of str, the last 50),
            and `error` (str, or None). None where there was no job.
        """
        with self._lock:
            job = self._jobs.get(session.path)
        return job.state() if job else None

    def stop(self, session: Session) -> None:
        """End the session's job, and wait for that, some seconds at most.

        Training goes on from its last epoch when it is started again with the same options; results of movies that
        were classified are there.
        """
        with self._lock:
            job = self._jobs.get(session.path)
        if job:
            job.ask_to_stop()
            job.make_stop()

    def running(self) -> bool:
        """Whether any job runs."""
        with self._lock:
            return any(not job.ended.is_set() for job in self._jobs.values())

    def close(self) -> None:
        """End all jobs, for good."""
        with self._lock:
            self._closed = True
            jobs = list(self._jobs.values())
        for job in jobs:
            job.ask_to_stop()
        for job in jobs:
            job.make_stop()


class _BackgroundJob:
    """A job's process, and the events that it has reported."""

    def __init__(
        self, number: int, kind: Kind, session: Session, options: Mapping[str, object], on_end: Callable[[], None]
    ) -> None:
        self.kind = kind
        self._on_end = on_end
        self.ended = threading.Event()
        self._number = number
        self._lock = threading.Lock()
        self._outcome = "running"
        self._told: str | None = None
        self._error: str | None = None
        self._progress = JobProgress()
        self._messages: deque[str] = deque(maxlen=_MESSAGES)
        self._stopping = False
        self._began, self._took = time.monotonic(), 0.0
        self._process = _start_process(kind)
        request = {"experiment": str(session.experiment), "session": session.name, "options": dict(options)}
        with contextlib.suppress(OSError):  # it ended at once; the reader will tell
            self._input.write(json.dumps(request).encode() + b"\n")
            self._input.flush()
        threading.Thread(target=self._follow, name=f"antrax {kind}", daemon=True).start()

    @property
    def _input(self) -> IO[bytes]:
        assert self._process.stdin
        return self._process.stdin

    def state(self) -> dict[str, Any]:
        """See `Jobs.state`."""
        now = time.monotonic()
        with self._lock:
            at = self._progress
            left = at.seconds_left(now) if self._outcome == "running" else None
            return {
                "id": self._number,
                "kind": self.kind,
                "state": self._outcome,
                "title": at.title,
                "done": at.done,
                "total": at.total,
                "unit": at.unit,
                "note": at.note,
                "fraction": None if at.fraction is None else round(at.fraction, 4),
                "seconds": round(self._took or now - self._began, 1),
                "seconds_left": None if left is None else round(left, 1),
                "messages": list(self._messages),
                "error": None if self._outcome == "running" else self._error,
            }

    def ask_to_stop(self) -> None:
        """Ask the process to clean up and end."""
        with self._lock:
            if self._outcome != "running":
                return
            self._stopping = True
        with contextlib.suppress(OSError):
            self._input.close()

    def make_stop(self) -> None:
        """Wait for the end; after a time, kill the process."""
        if not self.ended.wait(GRACE_S + 1):
            _kill_group(self._process)
            self.ended.wait(1)

    def _follow(self) -> None:
        """Note the events of the process until it ends."""
        errors = bytearray()
        drain = threading.Thread(target=self._drain, args=(errors,), daemon=True)
        drain.start()
        assert self._process.stdout
        for line in self._process.stdout:
            try:
                self._note(json.loads(line))
            except (ValueError, KeyError, TypeError):
                continue  # cut off in the middle of a line
        status = self._process.wait()
        if status:
            _kill_group(self._process)  # workers that a crash has left behind
        drain.join(1)
        with contextlib.suppress(OSError):
            self._input.close()
        self._process.stdout.close()
        self._on_end()
        with self._lock:
            # only now: who reads that it is over may start the next one
            self._outcome = self._told or ("stopped" if self._stopping else "failed")
            if not self._told and not self._stopping:
                self._error = _why_it_ended(self.kind, status, errors)
            self._took = time.monotonic() - self._began
            self.ended.set()

    def _drain(self, errors: bytearray) -> None:
        """Read standard error, or it would fill and block the process; the end of it is kept."""
        assert self._process.stderr
        with self._process.stderr as stream:
            while piece := os.read(stream.fileno(), _LAST_ERRORS):
                errors += piece
                del errors[:-_LAST_ERRORS]

    def _note(self, event: dict[str, Any]) -> None:
        with self._lock:
            match event.pop("event"):
                case "progress":
                    self._progress.report(time.monotonic(), **event)
                case "stages":
                    self._progress.announce(event["shares"])
                case "message":
                    self._messages.append(printable(event["text"]))
                case "failed" if self._stopping:
                    self._told = "stopped"  # work that is interrupted at an awkward place may put it in its own words
                case "failed":
                    self._told, self._error = "failed", printable(event["message"])
                case "done" | "stopped" as outcome:
                    self._told = outcome


def _checked(kind: Kind, options: Mapping[str, object]) -> dict[str, object]:
    """All options of a kind of job, those left out filled in. Raises `JobError`."""
    defaults: dict[str, object]
    if kind == "train":
        defaults = {"epochs": EPOCHS, "scratch": False}
    elif kind == "classify":
        defaults = {"movies": None, "missing": False, "max_error": MAX_ERROR, "classifier": None}
    elif kind == "group":
        defaults = {"groups": None}
    else:
        raise JobError(f"there is no job {kind!r}; there are {', '.join(TITLES)}")
    if unknown := sorted(set(options) - set(defaults)):
        raise JobError(f"{TITLES[kind]} has no option {', '.join(map(str, unknown))}")
    checked = defaults | dict(options)
    for name, value in checked.items():
        if not _usable(name, value):
            raise JobError(f"{value!r} cannot be used as {name}; {_WANTED[name]}")
    return checked


_WANTED = {
    "epochs": f"give a whole number from 1 to {_MOST_EPOCHS}",
    "scratch": "give true or false",
    "movies": "give a list of movie numbers, or null for all",
    "missing": "give true or false",
    "max_error": "give a share between 0 and 1, such as 0.01",
    "groups": f"give a number of groups from 2 to {MOST_GROUPS}, or null for the usual number",
    "classifier": "give the name of a file in the session's classifier folder, without its ending, or null",
}


def _usable(name: str, value: object) -> bool:
    if name in ("scratch", "missing"):
        return isinstance(value, bool)
    if name == "classifier":
        return value is None or (isinstance(value, str) and value == Path(value).name != "")
    if name == "epochs":
        return _is_whole(value) and 1 <= value <= _MOST_EPOCHS  # type: ignore[operator]
    if name == "groups":
        return value is None or (_is_whole(value) and 2 <= value <= MOST_GROUPS)  # type: ignore[operator]
    if name == "max_error":
        return isinstance(value, float) and math.isfinite(value) and 0 < value < 1
    return value is None or (isinstance(value, list) and bool(value) and all(map(_is_whole, value)))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _start_process(kind: Kind) -> subprocess.Popen[bytes]:
    # without this, a folder that the app happens to be started in could bring its own `json.py` to be run
    environment = os.environ | {"PYTHONSAFEPATH": "1"}
    group: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        group = {
            "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP
            | subprocess.CREATE_NO_WINDOW
            | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        }
    command = [sys.executable, "-m", "antrax.app.jobs.process", kind]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            **group,
        )
    except OSError as error:
        raise JobError(f"{TITLES[kind]} cannot be started: {error.strerror or error}") from error


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and its workers. Where it is gone, workers of it still hold its group's number, or nobody does."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _why_it_ended(kind: Kind, status: int, errors: bytearray) -> str:
    """Describe why a process ended without a final event, from its exit status and standard error."""
    if status == -9:
        return f"{TITLES[kind]} was ended by the system, most often because memory ran out; close other programs"
    lines = errors.decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"{TITLES[kind]} ended unexpectedly (status {status}){': ' + last if last else ''}"
