"""Record of running jobs on disk, so that the next start of the app can report interrupted ones."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from antrax.errors import AntraxError
from antrax.io.atomic import make_folder, write_atomically
from antrax.io.processes import parse_tag, this_process
from antrax.io.regular_files import read_regular

_MOST = 100
_KINDS = ("train", "classify", "group")


class JobRecord:
    """The jobs of all apps of this user, by session. Where it cannot be read or written, nothing is remembered.

    Parameters
    ----------
    path : Path, optional
        The file.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()

    def add(self, session: Path, kind: str, options: Mapping[str, object]) -> None:
        """Add a job that begins.

        Parameters
        ----------
        session : Path
            Folder of the session that it works on.
        kind : str
            train or classify.
        options : mapping of str to object
            What it was started with.
        """
        time = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"kind": kind, "options": dict(options), "time": time, "process": str(this_process())}
        with self._lock:
            entries = self._read()
            entries.pop(str(session), None)
            entries[str(session)] = entry
            self._write(entries)

    def remove(self, session: Path) -> None:
        """Remove a job that is over or was dismissed."""
        with self._lock:
            entries = self._read()
            if entries.pop(str(session), None) is not None:
                self._write(entries)

    def interrupted(self, session: Path) -> dict[str, Any] | None:
        """The job of a session whose app has ended without it; see `Jobs.interrupted`."""
        with self._lock:
            entry = self._read().get(str(session))
        if entry is None:
            return None
        try:
            process = parse_tag(entry["process"])
            kind, options, time = entry["kind"], entry["options"], entry["time"]
        except (KeyError, TypeError):
            return None
        if process is None or not (process == this_process() or process.is_surely_dead()):
            return None  # another app may be at it
        if kind not in _KINDS or not isinstance(options, dict) or not isinstance(time, str):
            return None
        return {"kind": kind, "options": options, "time": time}

    def _read(self) -> dict[str, Any]:
        if self._path is None:
            return {}
        try:
            entries = json.loads(read_regular(self._path))
        except (OSError, ValueError, RecursionError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def _write(self, entries: dict[str, Any]) -> None:
        if self._path is None:
            return
        kept = dict(list(entries.items())[-_MOST:])
        with contextlib.suppress(AntraxError):
            make_folder(self._path.parent)
            write_atomically(self._path, json.dumps(kept, indent=1))
