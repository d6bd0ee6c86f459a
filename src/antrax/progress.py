"""Progress reporting: logging only here; the command line draws progress bars."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Protocol

from antrax.escapes import printable

_LOG = logging.getLogger("antrax")


class Update(Protocol):
    """Called with the amount done, a short note, and the total where that was not known before."""

    def __call__(self, done: int, note: str = "", total: int | None = None) -> None:
        """Report the progress."""
        ...


class Reporter:
    """Reports nothing but warnings; the default in Python."""

    def say(self, message: str) -> None:
        """Report what was done; in Python, a record of level INFO of the logger `antrax`."""
        _LOG.info("%s", printable(message))

    def warn(self, message: str) -> None:
        """Warn the user; the work goes on. In Python, a record of level WARNING of the logger `antrax`.

        Unless logging was configured in another way, Python shows it on standard error.
        """
        _LOG.warning("%s", printable(message))

    def stages(self, shares: Mapping[str, float]) -> None:
        """Announce the stages of the work, so that one bar and one remaining time cover all of them.

        Parameters
        ----------
        shares : mapping of str to float
            How long each stage takes in proportion to the others, by the title of its bar, in order. May be announced
            again as soon as more is known.
        """

    @contextlib.contextmanager
    def bar(self, title: str, total: int | None, unit: str) -> Iterator[Update]:
        """Context manager for a stage of work; gives a function to call with the amount done.

        Parameters
        ----------
        title : str
            What is done.
        total : int or None
            Amount of work; None where it is not known.
        unit : str
            What the work is counted in; B for bytes.
        """

        def update(done: int, note: str = "", total: int | None = None) -> None:
            """Say nothing."""

        yield update
