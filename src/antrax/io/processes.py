"""Tags that identify the process that made a file, to find out whether it has ended."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

_HAS_PROC = Path("/proc/self/stat").exists()
_TAG = re.compile(r"([0-9a-f]{8})-([0-9]{1,10})-([0-9]{1,20})")


@dataclass(frozen=True, slots=True)
class ProcessTag:
    """Identifies a process among all on this and other machines.

    Parameters
    ----------
    machine : str
        8 hexadecimal digits of the machine and, in a container, of the container's process numbers.
    pid : int
        Process number.
    started : int
        When the process started, in units that only compare on the same machine; tells it from a later process with
        the same number.
    """

    machine: str
    pid: int
    started: int

    def __str__(self) -> str:
        return f"{self.machine}-{self.pid}-{self.started}"

    def is_surely_dead(self) -> bool:
        """Whether the process ran on this machine and has ended; False where that is not known.

        Returns
        -------
        bool
        """
        return self.machine == _machine() and start_time(self.pid) != self.started


def this_process() -> ProcessTag:
    """The tag of the running process (of the child, after a fork).

    Returns
    -------
    ProcessTag
    """
    return ProcessTag(_machine(), os.getpid(), start_time(os.getpid()) or 0)


def parse_tag(text: str) -> ProcessTag | None:
    """The tag that `str` of one wrote, or None for any other text.

    Parameters
    ----------
    text : str

    Returns
    -------
    ProcessTag or None
    """
    match = _TAG.fullmatch(text)
    return ProcessTag(match[1], int(match[2]), int(match[3])) if match else None


def start_time(pid: int) -> int | None:
    """When a process started, None where there is none of that number (a zombie has ended).

    Parameters
    ----------
    pid : int

    Returns
    -------
    int or None
        Clock ticks since the machine started on Linux, which a change of the clock does not move; milliseconds since
        1970 elsewhere.
    """
    if _HAS_PROC:
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return None
        return None if fields[0] in (b"Z", b"X") else int(fields[19])
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else round(process.create_time() * 1000)
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:  # of another user, so it runs; never equal to a start that was written down
        return -1


@functools.cache
def _machine() -> str:
    """8 hexadecimal digits that are the same for all processes whose numbers can be compared."""
    import platform

    parts = [platform.node()]
    for path in ("/etc/machine-id", "/proc/self/ns/pid"):
        try:
            # a container has process numbers of its own, and perhaps the name of the machine that it runs on
            parts.append(os.readlink(path) if path.startswith("/proc") else Path(path).read_text(encoding="ascii"))  # noqa: PTH115  # the target is no path
        except (OSError, ValueError):
            parts.append("")
    return blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=4).hexdigest()
