"""Flags that people put on tracklets, with a note, to come back to them: `validation/flags.csv`.

A flag is of the tracklet, whatever it is classified as; a row is never changed, and the last one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from antrax.io.names import parse_tracklet_name
from antrax.review.validation.table import Form, MarkTable, SignedMark, can_be_kept, cell, guarded, plain

# The last one has no two values of which one is the start of the other.
COLUMNS = ("time", "who", "tracklet", "note", "flagged")
LONGEST_NOTE = 300


@dataclass(frozen=True)
class Flag(SignedMark):
    """A flag on a tracklet, or that it was taken away.

    Parameters
    ----------
    time, who : str
    tracklet : str
    note : str
        What a person wants to remember; may be empty.
    flagged : bool
        False: the flag was taken away.
    """

    tracklet: str
    note: str = ""
    flagged: bool = True


def problem(flag: Flag) -> str | None:
    """Error in a flag itself; None if there is none."""
    if parse_tracklet_name(flag.tracklet) is None:
        return f"{flag.tracklet!r} is no name of a tracklet"
    if len(flag.note) > LONGEST_NOTE:
        return f"a note has at most {LONGEST_NOTE} characters"
    for text in (flag.time, flag.who, flag.note):
        if not can_be_kept(text):
            return f"{text!r} has characters that cannot be kept"
    return None


def _to_cells(flag: Flag) -> dict[str, str]:
    return {
        "time": flag.time,
        "who": guarded(flag.who),
        "tracklet": flag.tracklet,
        "note": guarded(flag.note),
        "flagged": "yes" if flag.flagged else "no",
    }


def _from_cells(row: Mapping[str, str]) -> Flag:
    return Flag(
        time=row["time"],
        who=plain(row["who"]),
        tracklet=row["tracklet"],
        note=plain(row["note"]),
        flagged=cell(row, "flagged", {"yes": True, "no": False}.__getitem__),
    )


FORM: Form[Flag] = Form(
    COLUMNS, _to_cells, _from_cells, problem, lambda flag: flag.tracklet, lambda flag: flag.tracklet
)


class Flags(MarkTable[Flag]):
    """All flags of a session; safe to use from several threads and several processes.

    Parameters
    ----------
    path : Path
        The CSV file; it and its folder are created with the first flag.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, FORM)

    def of(self, tracklet: str) -> Flag | None:
        """The flag of a tracklet; None where it has none."""
        rows = self.about(tracklet)
        return rows[-1] if rows and rows[-1].flagged else None

    def flagged(self) -> frozenset[str]:
        """Names of the tracklets that have a flag."""
        last = {flag.tracklet: flag.flagged for flag in self.all()}
        return frozenset(tracklet for tracklet, is_flagged in last.items() if is_flagged)
