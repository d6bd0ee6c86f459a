"""How long work tells what it does: silent here; the command line has one that draws."""

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
        """Note how far it is."""
        ...


class Reporter:
    """Reports nothing but warnings; the default in Python."""

    def say(self, message: str) -> None:
        """A line about what was done; in Python, of level INFO in the log `antrax`."""
        _LOG.info("%s", printable(message))

    def warn(self, message: str) -> None:
        """Something the user should know, after which the work goes on; in Python, a warning in the log `antrax`.

        Unless logging was configured in another way, Python shows it on standard error.
        """
        _LOG.warning("%s", printable(message))

    def stages(self, shares: Mapping[str, float]) -> None:
        """Which stages the work will have, so that one bar and one time left can stand for all of it.

        Parameters
        ----------
        shares : mapping of str to float
            How long each stage takes in proportion to the others, by the title of its bar, in order. May be announced
            again as soon as more is known.
        """

    @contextlib.contextmanager
    def bar(self, title: str, total: int | None, unit: str) -> Iterator[Update]:
        """A stretch of work; the block calls what it is given as work gets done.

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
