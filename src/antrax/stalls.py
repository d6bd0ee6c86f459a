"""Tells of work that stands still: a network drive that hangs gives no error, it lets programs wait.

Slow work is not told of: while something computes, here or in a worker, nothing stands still.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

# Told after so many seconds, in which less than this share of a processor was used.
STALLED_S = 60.0
_BUSY = 0.02
LOOKED_EVERY_S = 5.0
_STANDARD = 2  # input, output and errors are the terminal's, or a log
# What lies in memory, or belongs to the system or to Python.
_NO_DRIVE = ("/proc/", "/dev/", "/sys/", "/memfd:", "/usr/")


class StallWatch:
    """Notices when work stands still, and when it goes on.

    Parameters
    ----------
    title : str
        What is done.
    tell : callable
        Given a sentence.
    clock : callable, optional
        Seconds.
    used : callable, optional
        Processor seconds that this process and its workers have used.
    files : callable, optional
        Files that they have open.
    """

    def __init__(
        self,
        title: str,
        tell: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] | None = None,
        files: Callable[[], list[str]] | None = None,
    ) -> None:
        self._title, self._tell, self._clock = title, tell, clock
        self._used, self._files = used or processor_seconds, files or open_files
        self._steps = self._seen = 0
        self._told = False
        self._still = self._busy = 0.0
        self._looked, self._used_then = self._clock(), self._used()

    def went_on(self) -> None:
        """Note progress; called often, so it does nothing else."""
        self._steps += 1

    def look(self) -> None:
        """Tell if nothing has gone on for `STALLED_S`, or if it goes on again. To be called every few seconds."""
        if self._steps != self._seen:
            self._seen = self._steps
            self._begin()
            return
        now, used = self._clock(), self._used()
        # not the time for which this process itself was stopped; and workers that end take their seconds with them
        self._still += min(now - self._looked, 2 * LOOKED_EVERY_S)
        self._busy += max(0.0, used - self._used_then)
        self._looked, self._used_then = now, used
        if self._busy > _BUSY * STALLED_S:
            self._begin()
        elif self._still >= STALLED_S and not self._told:
            self._told = True
            self._tell(self._sentence())

    def finish(self) -> None:
        """Tell, if it was told that nothing goes on, that it went on. To be called when the work is done."""
        if self._told:
            self._tell(f"{self._title}: it goes on")
        self._told = False

    def _begin(self) -> None:
        self.finish()
        self._still = self._busy = 0.0
        self._looked, self._used_then = self._clock(), self._used()

    def _sentence(self) -> str:
        files = self._files()
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""
        where = f" (open are {', '.join(files[:3])}{more})" if files else ""
        return (
            f"{self._title}: for {self._still:.0f} s nothing was read, written or computed: a drive or the network "
            f"hangs, or another run is waited for{where}. It goes on by itself when these do; look whether the files "
            "can be opened elsewhere. To stop it leaves earlier results as they are"
        )


@contextlib.contextmanager
def watched(watch: StallWatch) -> Iterator[StallWatch]:
    """Context manager in which another thread looks every few seconds whether work stands still.

    Parameters
    ----------
    watch : StallWatch
    """
    ended = threading.Event()

    def keep_looking() -> None:
        while not ended.wait(LOOKED_EVERY_S):
            watch.look()

    thread = threading.Thread(target=keep_looking, name="stalls", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join()
    watch.finish()


def processor_seconds() -> float:
    """Processor seconds that this process and its workers have used."""
    import psutil

    total = 0.0
    for process in _processes():
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def open_files() -> list[str]:
    """Files on drives that this process and its workers have open, where the system tells; no drive is asked."""
    found = set()
    for process in _processes():
        with contextlib.suppress(OSError):
            for link in Path(f"/proc/{process.pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if int(link.name) > _STANDARD:
                        found.add(str(link.readlink()))
    own = (sys.prefix, sys.base_prefix, str(Path(__file__).parent))
    return sorted(
        path
        for path in found
        # what libraries keep for themselves lies in hidden folders
        if path.startswith("/") and "/." not in path and not path.startswith((*_NO_DRIVE, *own))
    )


def _processes() -> list[psutil.Process]:
    import psutil

    this = psutil.Process()
    with contextlib.suppress(psutil.Error):
        return [this, *this.children(recursive=True)]
    return [this]
