"""Marks of a validation of labels, stored in the session's `validation/marks.csv`.

A mark belongs to the classification that it was given on (a digest of the movie's results). What it tells of a later
one is worked out in `antrax.review.validation.checks`.
"""

from __future__ import annotations

from pathlib import Path

from antrax.review.validation.table import MarkTable
from antrax.review.validation.verdicts import FORM, Mark


class Marks(MarkTable[Mark]):
    """All marks of a session; safe to use from several threads and several processes.

    Parameters
    ----------
    path : Path
        The CSV file; it and its folder are created with the first mark.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, FORM)

    def history(self, tracklet: str) -> tuple[Mark, ...]:
        """Everything said of a tracklet, the latest last."""
        return self.about(tracklet)

    def current(self, tracklet: str, classification: str | None) -> Mark | None:
        """The last word on a tracklet in this classification; None where there is none or it was taken back."""
        for mark in reversed(self.history(tracklet)):
            if mark.classification == classification:
                return mark if mark.verdict else None
        return None
