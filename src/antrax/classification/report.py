"""Result of a classification."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from antrax.batch import BatchResult
from antrax.io.runs import RunRecord
from antrax.io.session import Session
from antrax.labels import Category

OUTCOMES = {Category.ANT: "ID", Category.MULTI: "multi", Category.NONANT: "non-ant", Category.UNKNOWN: "unknown"}


@dataclass
class ExperimentReport:
    """Result of classifying one experiment.

    Parameters
    ----------
    path : Path
        The experiment.
    session : Session or None
        None where it could not be opened.
    tracklets, images : Counter
        By outcome: ID, multi, non-ant, unknown.
    movies : list of int
        Classified.
    skipped : list of int
        Already classified (`missing`), or without any tracklet.
    unread : list of str
        Tracklets of the classified movies that could not be read; they are labelled `Unknown`.
    failures : list of str
        What went wrong, a sentence a movie.
    seconds : float
        From the first to the last of its work, some of which is done at the same time as other experiments'.
    started : float or None
        When its first work was handed out, on the monotonic clock.
    record : RunRecord
        What `antrax status` learns of the run from.
    """

    path: Path
    session: Session | None = None
    tracklets: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    movies: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    started: float | None = None
    record: RunRecord = field(default_factory=lambda: RunRecord(None), repr=False)


@dataclass(frozen=True)
class ClassifyResult(BatchResult[ExperimentReport]):
    """Result of `antrax.classify`.

    Parameters
    ----------
    experiments : list of ExperimentReport
        In the order in which they were found.
    seconds : float
        Duration of the whole run.
    device : str
        As torch names it.
    engine : str
        What ran the network.
    """

    device: str
    engine: str = ""
