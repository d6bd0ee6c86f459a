"""`logs/solve.json`: the record of solving a session, and whose turn it is to put a solution in place."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any

from antrax.io.atomic import make_folder
from antrax.io.locks import only_writer
from antrax.io.regular_files import read_regular
from antrax.io.session import Session

_LARGEST = 2**26
# Files of a solution are renamed in seconds, also where there are thousands on a network drive.
_PATIENCE = 600.0


def read_solving_record(session: Session) -> dict[str, Any]:
    """Content of the record; empty if it is missing or damaged."""
    try:
        found = json.loads(read_regular(session.layout.solving_record, _LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def solution_turn(session: Session) -> AbstractContextManager[None]:
    """Context manager for putting a solution, or its record, in place: one process at a time.

    Runs on different movies of a session work side by side, but they share the record.
    """
    lock = session.layout.solving_lock
    make_folder(lock.parent, within=session.path)
    return only_writer(lock, _PATIENCE)
