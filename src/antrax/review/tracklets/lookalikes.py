"""Tracklets in groups of look-alikes, and in order of likeness to one of them."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.groups_file import TrackletGroups, groups_stamp, read_groups
from antrax.io.names import TrackletName
from antrax.io.session import Session
from antrax.io.stamps import FileStamp
from antrax.review.tracklets.assignments import Assignment

GROUP = "=group:"
"""Filter for the tracklets of a group: with its number, 0 for those that were grouped and are in none."""


def group_number(label: str) -> int | None:
    """Number of the group that a filter is for; None for any other filter."""
    number = label.removeprefix(GROUP)
    return int(number) if number != label and number.isdecimal() and len(number) < 10 else None


class Lookalikes:
    """The groups of a session, read again when their file is another. Thread-safe.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._stamp: FileStamp | None = None
        self._found: TrackletGroups | None = None
        self._problem: str | None = None

    @property
    def version(self) -> str:
        """Another whenever the file is; empty where there is none."""
        stamp = groups_stamp(self._session)
        return f"{stamp.mtime_ns}-{stamp.size}-{stamp.inode}" if stamp else ""

    @property
    def groups(self) -> TrackletGroups | None:
        """The groups; None where there are none, or their file is damaged."""
        return self._read()[0]

    @property
    def problem(self) -> str | None:
        """What is wrong with the file; None where nothing is."""
        return self._read()[1]

    def _read(self) -> tuple[TrackletGroups | None, str | None]:
        with self._lock:
            stamp = groups_stamp(self._session)
            if stamp != self._stamp:
                self._stamp, self._found, self._problem = stamp, None, None
                try:
                    self._found = read_groups(self._session)
                except ExperimentError as error:
                    self._problem = str(error)
            return self._found, self._problem


def by_likeness(
    names: Sequence[TrackletName],
    said: Sequence[Assignment | None],
    groups: TrackletGroups | None,
    like: tuple[str, Assignment | None],
) -> NDArray[np.intp]:
    """Order of likeness to a tracklet: by learned features where it has any, else by what the classifier says.

    Parameters
    ----------
    names : sequence of TrackletName
    said : sequence of Assignment or None
        Their results.
    groups : TrackletGroups or None
        Features.
    like : (str, Assignment or None)
        The tracklet that they are compared with, and its result. Of no tracklet, those come first that are closest to
        the middle of their groups.

    Returns
    -------
    NDArray[np.intp]
        Places in `names`, the most alike first; shape (tracklets,).
    """
    tracklet, its_result = like
    likeness = np.full(len(names), -np.inf, np.float32)  # those of which nothing is known come last
    if groups is not None and (not tracklet or tracklet in groups.places):
        every = groups.features @ groups.features[groups.places[tracklet]] if tracklet else groups.closeness
        for place, name in enumerate(names):
            if (at := groups.places.get(name.name)) is not None:
                likeness[place] = every[at]
    elif its_result is not None:
        for place, (name, result) in enumerate(zip(names, said, strict=True)):
            if result is not None:
                likeness[place] = np.inf if name.name == tracklet else _alike(result, its_result)
    return np.argsort(-likeness, kind="stable")


def _alike(one: Assignment, other: Assignment) -> float:
    """Cosine between the probabilities of the two most probable labels of each."""
    first, second = _probabilities(one), _probabilities(other)
    both = sum(first[label] * second[label] for label in first.keys() & second.keys())
    return both / max(1e-9, _length(first) * _length(second))


def _probabilities(result: Assignment) -> dict[str, float]:
    best = result.best_label or result.label
    found = {best: 1.0 if result.confidence is None else result.confidence}
    if result.runner_up and result.runner_up_confidence:
        found[result.runner_up] = result.runner_up_confidence
    return found


def _length(values: dict[str, float]) -> float:
    return math.hypot(*values.values())
