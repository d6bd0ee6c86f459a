"""Handling of Ctrl-C where Python or a library would swallow the exception."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def heeded_interrupts() -> Iterator[Callable[[], None]]:
    """Context manager in which an interrupt is remembered even if its exception is swallowed.

    Python raises `KeyboardInterrupt` wherever the main thread happens to be. In a callback of another library, in a
    finalizer or while workers start, that is printed at best, and the work goes on. Here it is remembered.

    Yields
    ------
    callable
        Function that raises the remembered interrupt again; call it between two steps of the work. It is also called
        when the block ends without an exception.

    Examples
    --------
    >>> with heeded_interrupts() as check:
    ...     for step in range(3):
    ...         check()
    """
    raised: list[BaseException] = []
    earlier: dict[signal.Signals, Callable[[int, FrameType | None], object]] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        try:
            earlier[signal.Signals(number)](number, frame)
        except BaseException as error:
            raised.append(error)
            raise

    def check() -> None:
        if raised:
            raise raised[0].with_traceback(None)

    if threading.current_thread() is threading.main_thread():
        for which in (signal.SIGINT, signal.SIGTERM):
            known = signal.getsignal(which)
            if callable(known):  # not where it is ignored, or ends the process by itself
                earlier[which] = known
                signal.signal(which, handle)
    try:
        yield check
        check()
    finally:
        for which, known in earlier.items():
            signal.signal(which, known)
