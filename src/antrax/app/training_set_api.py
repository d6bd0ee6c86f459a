"""The training set as the page shows and changes it: exports, undo, counts, the gallery."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.app.sheets import IMAGES, LARGEST_CELL, centred, make_sheet
from antrax.errors import (
    AntraxError,
    ConflictError,
    ExperimentError,
    NothingToUndoError,
    OptionError,
    StackError,
    TrainsetError,
)
from antrax.images import BadImageError, read_example
from antrax.io.names import TrackletName
from antrax.io.session import Session
from antrax.io.sources import source_of
from antrax.labels import UNKNOWN, Category, Labels
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.tiles import spread_images
from antrax.review.training_set.editing import Examples, Outcome

_GALLERY_SAMPLE = 64
# Tracklets of which it is remembered what tells their images apart, some 50 bytes each.
_DIGESTED = 32
# Changes that can be made again, of each page, and pages whose changes are remembered.
_REDOABLE, _CLIENTS = 100, 50
# What is told of every change.
_CHANGED = ("message", "label", "added", "present", "moved", "folder", "tracklet", "versions")


class TrainingSetApi:
    """The training set of an open session. Safe to use from several threads.

    Parameters
    ----------
    session : Session
    catalog : Catalog
    labels : callable
        The session's labels as they are now.
    versions : callable
        Numbers that tell the page what changed; they go with each answer about a change.
    """

    def __init__(
        self,
        session: Session,
        catalog: Catalog,
        labels: Callable[[], Labels],
        versions: Callable[[], dict[str, Any]],
    ) -> None:
        self.examples = Examples(session)
        self._session = session
        self._catalog = catalog
        self._labels = labels
        self._versions = versions
        self._digests: OrderedDict[tuple[str, str, str], list[bytes]] = OrderedDict()
        self._lock = threading.RLock()
        self._done: dict[str, list[Callable[[], dict[str, Any]]]] = {}  # by page, in the order in which they were made
        self._undone: dict[str, list[Callable[[], dict[str, Any]]]] = {}

    def export(
        self,
        name: str,
        frames: Sequence[int] | None,
        label: str,
        client: str,
        stamp: str | None = None,
        most: int | None = None,
        author: str = "",
    ) -> dict[str, Any]:
        """Add images of a tracklet to the training set.

        Parameters
        ----------
        name : str
            Of the tracklet.
        frames : sequence of int or None
            Images, from 0; None for all of them.
        label : str
            Label that they show.
        client : str
            Page that asks; its last change can be undone.
        stamp : str, optional
            Of the stack that the person saw.
        most : int, optional
            Of more images than this, so many are added, spread evenly; all by default.
        author : str
            The person.

        Raises
        ------
        ConflictError
            The stack is no longer that of `stamp`, whose images the person saw.
        TrainsetError, OutputError, StackError
        """
        tracklet, path = self._catalog.find(name)
        with source_of(self._session).open(path) as stack:
            images = stack.read(name)
        # after reading: a stack is put in place whole, so if it is the same now, it was when it was read
        if stamp is not None and stamp != stack_stamp(path):
            raise ConflictError(f"the images of {name} have been replaced since they were shown; look at them again")
        chosen = range(len(images)) if frames is None else sorted(set(frames))
        if not len(chosen) or chosen[0] < 0 or chosen[-1] >= len(images):
            raise OptionError(f"{name} has {len(images)} images; choose some of them")
        wanted = len(chosen)
        if most is not None and wanted > most:
            chosen = [chosen[place] for place in spread_images(wanted, most)]
        outcome = self.examples.export(tracklet, images, chosen, label, client, author)
        self.note(client, outcome, lambda: self.export(name, frames, label, client, stamp, most, author))
        if len(chosen) < wanted:
            spread = f"{outcome.message} ({len(chosen):,} of {wanted:,}, spread over the tracklet)"
            outcome = replace(outcome, message=spread)
        try:
            where = self.of(tracklet, path)
        except (AntraxError, OSError):  # the drive went away just now; what was exported is there all the same
            where = {"examples": {label: len(chosen)}, "frame_labels": {label: list(chosen)}}
        return self.told(outcome) | where

    def undo(self, client: str) -> dict[str, Any]:
        """Take back the last change that this page made. Raises `TrainsetError`."""
        outcome = self.examples.undo(client)
        with self._lock:
            if done := self._done.get(client):
                self._undone.setdefault(client, []).append(done.pop())
        return self.told(outcome)

    def redo(self, client: str) -> dict[str, Any]:
        """Make the change again that this page took back last, as the training set is now.

        Raises
        ------
        NothingToUndoError
            It took none back, or has made another change since.
        ConflictError, TrainsetError, OutputError
            It cannot be made any more; it can be tried again.
        """
        with self._lock:
            undone = self._undone.pop(client, [])
        if not undone:
            raise NothingToUndoError("there is nothing to do again")
        try:
            answer = undone[-1]()
        except BaseException:
            with self._lock:
                self._undone[client] = undone
            raise
        with self._lock:
            self._undone[client] = undone[:-1]
        return {name: answer[name] for name in _CHANGED}

    def note(self, client: str, outcome: Outcome, again: Callable[[], dict[str, Any]]) -> None:
        """Keep in mind how a change is made again, should it be taken back.

        Parameters
        ----------
        client : str
            Page that made it.
        outcome : Outcome
            Its result; where nothing changed there is nothing to take back.
        again : callable
            Makes it again.
        """
        if not outcome.added + outcome.moved + outcome.removed:
            return
        with self._lock:
            done = self._done.pop(client, [])
            self._done[client] = [*done, again][-_REDOABLE:]
            self._undone.pop(client, None)
            while len(self._done) > _CLIENTS:
                longest_ago = next(iter(self._done))
                del self._done[longest_ago]
                self._undone.pop(longest_ago, None)

    def author(self, label: str, name: str) -> dict[str, Any]:
        """Who added an example, and when; empty where that is not told, or the example is not there any more."""
        author = time = ""
        with contextlib.suppress(TrainsetError):
            self.examples.refresh()
            author, time = self.examples.author(label, name)
        return {"author": author, "time": time}

    def move(self, label: str, names: Sequence[str], to: str | None, client: str) -> dict[str, Any]:
        """Move examples to another label, or to the trash. Raises `TrainsetError`, `OutputError`.

        Parameters
        ----------
        label : str
            Where they are.
        names : sequence of str
            Their file names.
        to : str or None
            The new label; None for the trash.
        client : str
            Page that asks.
        """
        outcome = (
            self.examples.trash(label, names, client) if to is None else self.examples.move(label, names, to, client)
        )
        self.note(client, outcome, lambda: self.move(label, names, to, client))
        return self.told(outcome)

    def told(self, outcome: Outcome) -> dict[str, Any]:
        """Result of a change, for the page."""
        return {
            "message": outcome.message,
            "label": outcome.label,
            "added": outcome.added,
            "present": outcome.present,
            "moved": outcome.moved,
            "folder": str(outcome.folder) if outcome.folder else None,
            "tracklet": outcome.tracklet,
            "versions": self._versions(),
        }

    def trainset(self) -> dict[str, Any]:
        """Examples and tracklets by label, labels without any, imbalance. Raises `ExperimentError`, `TrainsetError`."""
        check_there(self._session)
        self.examples.refresh()
        labels = self._labels()
        counts = self.examples.counts()
        rows: list[dict[str, Any]] = []
        for label in dict.fromkeys((*labels.all, *sorted(counts))):
            count = counts.get(label)
            rows.append(
                {
                    "label": label,
                    "category": labels.likely_category(label),
                    "listed": label in labels.all,
                    "examples": count.examples if count else 0,
                    "tracklets": count.tracklets if count else 0,
                }
            )
        without = [row["label"] for row in rows if not row["examples"] and row["label"] != UNKNOWN]
        present = sorted((row["examples"], row["label"]) for row in rows if row["examples"])
        imbalance = None
        if len(present) > 1:
            (fewest, smallest), (most, largest) = present[0], present[-1]
            imbalance = {"largest": largest, "smallest": smallest, "ratio": round(most / fewest, 1)}
        return {
            "labels": rows,
            "without": without,
            "imbalance": imbalance,
            "folder": str(self.examples.folder),
            "examples": sum(row["examples"] for row in rows),
            "tracklets": self.examples.tracklets(),
            "hints": _hints(rows, labels),
            "version": self.examples.version,
        }

    def gallery(self, label: str) -> dict[str, Any]:
        """The examples of a label. Raises `ExperimentError`, `TrainsetError`."""
        check_there(self._session)
        self.examples.refresh()
        version, files = self.examples.version, self.examples.files(label)
        own = self._session.experiment.name
        items = [
            {
                "name": file.path.name,
                "experiment": file.experiment,
                "tracklet": file.tracklet,
                "frame": file.path.stem.rpartition(".")[2],
                "own": file.experiment == own,
            }
            for file in files
        ]
        sizes = [0]
        # cells are as large as the largest of some images: a set merged from several experiments mixes sizes
        for file in files[:: max(1, len(files) // _GALLERY_SAMPLE)]:
            try:
                sizes.append(len(read_example(file.path)))
            except (BadImageError, OSError):
                continue
        return {
            "label": label,
            "version": version,
            "cell": min(max(sizes) or 48, LARGEST_CELL),
            "total": len(items),
            "items": items,
        }

    def gallery_sheet(self, label: str, start: int, cell: int, version: int) -> bytes:
        """A PNG of a label's examples from `start` on; one that cannot be read is an empty cell.

        Parameters
        ----------
        label : str
            Of the examples.
        start : int
            First example, from 0.
        cell : int
            Side of a cell, in pixels.
        version : int
            Of the training set that the page shows.

        Raises
        ------
        ConflictError
            The training set is no longer that of `version`: the page would show images beside other images' names.
        """
        self.examples.refresh()
        files = self.examples.files(label)
        if self.examples.version != version:
            raise ConflictError("the training set has changed")
        value = 0 if self._session.shown_inverted else 255
        images: list[NDArray[np.uint8]] = []
        for file in files[start : start + IMAGES]:
            try:
                images.append(read_example(file.path))
            except (BadImageError, OSError):
                images.append(np.full((1, 1, 3), value, np.uint8))
        if not images:
            raise ExperimentError(f"{label} has no example {start + 1}")
        return make_sheet(centred(images, cell, value), value)

    def of(self, tracklet: TrackletName, path: Path) -> dict[str, Any]:
        """Which images are in the training set, told by their pixels: their numbers (from 0) by label, and how many."""
        frames: dict[str, list[int]] = {}
        if self.examples.may_hold(tracklet.name):
            found = self.examples.of_digests(tracklet, self._digests_of(tracklet, path))
            for index, names in sorted(found.items()):
                for label in names:
                    frames.setdefault(label, []).append(index)
        return {"examples": {label: len(indices) for label, indices in frames.items()}, "frame_labels": frames}

    def _digests_of(self, tracklet: TrackletName, path: Path) -> list[bytes]:
        """Digests of the images of a tracklet; cached, because those of tens of thousands take seconds."""
        key = (tracklet.name, str(path), stack_stamp(path))
        with self._lock:
            if key in self._digests:
                self._digests.move_to_end(key)
                return self._digests[key]
        with source_of(self._session).open(path) as stack:
            digests = [digest for piece in stack.pieces(tracklet.name) for digest in self.examples.digests(piece)]
        if stack_stamp(path) == key[2]:
            with self._lock:
                self._digests[key] = digests
                while len(self._digests) > _DIGESTED:
                    self._digests.popitem(last=False)
        return digests


def check_there(session: Session) -> None:
    """Raise `ExperimentError` if the session's folder is gone, so that it does not look like an empty one."""
    if not session.path.is_dir():
        raise ExperimentError(f"{session.path} is gone; is its drive still connected?")


def stack_stamp(path: Path) -> str:
    """Version of a stack's file, which differs when it is replaced. Raises `StackError`."""
    try:
        found = path.stat()
    except OSError as error:
        raise StackError(f"{path} cannot be read: {error.strerror}") from None
    return f"{found.st_mtime_ns:x}"


def _hints(rows: Sequence[Mapping[str, Any]], labels: Labels) -> list[str]:
    """Hints for improving the training set, a sentence each."""
    hints = []
    unlisted = [row["label"] for row in rows if not row["listed"]]
    if unlisted and labels.ants:
        hints.append(f"Not in labels.csv: {', '.join(unlisted)}. They are trained on all the same; add them in Labels.")
    few = [row["label"] for row in rows if row["category"] is Category.ANT and 0 < row["tracklets"] < 5]
    if few:
        named = ", ".join(few[:6]) + (" …" if len(few) > 6 else "")
        hints.append(f"Fewer than 5 tracklets: {named}. Images of one tracklet are much alike: add other tracklets.")
    by_category: Counter[Category] = Counter()
    for row in rows:
        by_category[row["category"]] += row["tracklets"]
    if by_category[Category.ANT] and not by_category[Category.UNKNOWN]:
        hints.append("No Unknown examples: label some blurred or half-hidden animals Unknown, or IDs will be guessed.")
    return hints
