"""Flags on tracklets as the page shows and changes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from antrax.io.session import Session
from antrax.review.flags import Flag, Flags
from antrax.review.tracklets.catalog import Catalog


class FlagsApi:
    """The flags of an open session. Safe to use from several threads.

    Parameters
    ----------
    session : Session
    catalog : Catalog
    versions : callable
        Numbers that tell the page what changed; they go with each answer about a change.
    """

    def __init__(self, session: Session, catalog: Catalog, versions: Callable[[], dict[str, Any]]) -> None:
        self._flags = Flags(session.layout.flags_file)
        self._catalog = catalog
        self._versions = versions

    @property
    def version(self) -> int:
        """Grows whenever flags came or changed."""
        self._flags.try_refresh()  # what is wrong is told among the problems
        return self._flags.version

    @property
    def problems(self) -> list[str]:
        """Why flags cannot be read, a sentence."""
        return [problem] if (problem := self._flags.try_refresh()) else []

    def flagged(self) -> frozenset[str]:
        """Names of the tracklets that have a flag."""
        return self._flags.flagged()

    def of(self, name: str) -> dict[str, Any] | None:
        """The flag of a tracklet; None where it has none."""
        found = self._flags.of(name)
        return {"note": found.note, "who": found.who, "time": found.time} if found else None

    def flag(self, name: str, flagged: bool, note: str, who: str) -> dict[str, Any]:
        """Put a flag on a tracklet, or take it away.

        Parameters
        ----------
        name : str
            Of the tracklet.
        flagged : bool
            False: it is taken away.
        note : str
            What is to be remembered; may be empty.
        who : str
            The person.

        Raises
        ------
        ExperimentError
            There is no such tracklet, or the file of flags is damaged.
        OptionError, OutputError
        """
        tracklet, _ = self._catalog.find(name)
        time = datetime.now(UTC).isoformat(timespec="seconds")
        self._flags.add(Flag(time, who, tracklet.name, " ".join(note.split()), flagged))
        return {"flag": self.of(name), "versions": self._versions()}
