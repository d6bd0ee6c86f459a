"""What classification said of the tracklets, kept up with the files in `labels/` as they change."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import math
import operator
import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.layout import MovieFile, movie_file
from antrax.io.names import parse_tracklet_name
from antrax.io.results import AUTOIDS, autoids_file, confidence_file, frameprobs_file
from antrax.io.session import Session
from antrax.labels import UNKNOWN

if TYPE_CHECKING:
    import h5py

_KINDS: tuple[MovieFile, ...] = ("autoids", "confidence", "frameprobs")
_CONFIDENCE_READ = ("tracklet", "label", "confidence", "best_label", "runner_up", "runner_up_confidence", "images")
_LONGEST_NAME = 200
# Movies of which it is remembered where in the file of probabilities each tracklet lies.
_PROBABILITIES_KEPT = 8

_State = tuple[int, int, int]  # time of the last change in ns, size in bytes, and the file's number where there is one
_NOTHING: Mapping[str, Assignment] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Assignment:
    """What classification said of a tracklet.

    Parameters
    ----------
    label : str
    score : float
        Sum of the images' probabilities of the assigned ID; 0 without an ID.
    best_frame : int
        1-based index of the image that shows the ID best; 0 without an ID.
    confidence : float or None
        Probability of `best_label`. This and what follows is None in results of anTraX.
    best_label : str or None
        The most probable label, assigned or not.
    runner_up : str or None
        The second most probable one; None where there is none.
    runner_up_confidence : float or None
    images : int or None
        Number of blob images.
    """

    label: str
    score: float
    best_frame: int
    confidence: float | None = None
    best_label: str | None = None
    runner_up: str | None = None
    runner_up_confidence: float | None = None
    images: int | None = None


@dataclass(frozen=True, slots=True)
class _Movie:
    """Results of a movie as they were when its files were in `states`."""

    states: tuple[_State | None, ...]
    digest: str | None = None
    table: Mapping[str, Assignment] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Places:
    """Where in the file of probabilities each tracklet lies, and the labels of its columns."""

    state: _State
    labels: tuple[str, ...]
    rows: dict[str, tuple[int, int]]


class Assignments:
    """The results of a session's classification. Thread-safe.

    Files are looked at when this is made and on `refresh`; each is read when first asked for, and again when
    it is another.

    Parameters
    ----------
    session : Session

    Raises
    ------
    ExperimentError
        `labels/` cannot be read.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.RLock()
        self._states: dict[tuple[str, int], _State] = {}
        self._version = ""
        self._movies: dict[int, _Movie] = {}
        self._places: OrderedDict[int, _Places] = OrderedDict()
        self.refresh()

    def refresh(self) -> None:
        """Notice results that changed, came or went; reads none of them.

        Raises
        ------
        ExperimentError
            `labels/` cannot be read.
        """
        states = dict(sorted(_states(self._session.labels_dir)))
        version = hashlib.blake2b(repr(states).encode(), digest_size=8).hexdigest()
        with self._lock:
            self._states = states
            self._version = version
            for movie in [movie for movie in self._movies if ("autoids", movie) not in states]:
                del self._movies[movie]

    @property
    def version(self) -> str:
        """Another whenever the results of any movie are others."""
        return self._version

    @property
    def movies(self) -> tuple[int, ...]:
        """The movies that are classified, sorted."""
        with self._lock:
            return tuple(sorted(movie for kind, movie in self._states if kind == "autoids"))

    @property
    def problems(self) -> tuple[str, ...]:
        """Why some of the results read so far are of no use, a sentence each."""
        with self._lock:
            return tuple(movie.problem for _, movie in sorted(self._movies.items()) if movie.problem)

    def movie(self, movie: int) -> Mapping[str, Assignment]:
        """Assignments by tracklet, empty for a movie that is not classified; the same object while nothing changes.

        Raises
        ------
        ExperimentError
            Its file is damaged.
        """
        read = self._read(movie)
        if read is None:
            return _NOTHING
        if read.table is None:
            raise ExperimentError(read.problem)
        return read.table

    def classification(self, movie: int) -> str | None:
        """What tells a movie's classification from any other: 16 hexadecimal digits, of the content of its file.

        Damaged files have one too; None for a movie that is not classified or cannot be read at all.
        """
        read = self._read(movie)
        return read.digest if read else None

    def of(self, tracklet: str) -> Assignment | None:
        """What was said of a tracklet, if anything was.

        Raises
        ------
        ExperimentError
            The file of its movie is damaged.
        """
        movie = _movie_of(tracklet)
        return None if movie is None else self.movie(movie).get(tracklet)

    def counts(self, movies: Iterable[int]) -> Counter[str]:
        """Number of tracklets by label; movies with damaged results are passed over and told of in `problems`."""
        total: Counter[str] = Counter()
        for movie in movies:
            if read := self._read(movie):
                total.update(read.counts)
        return total

    def probabilities(self, tracklet: str, labels: Sequence[str]) -> NDArray[np.float32] | None:
        """Probabilities of a tracklet's images for some labels.

        Parameters
        ----------
        tracklet : str
        labels : sequence of str
            The columns wanted; one that the classifier did not know is nan.

        Returns
        -------
        NDArray[np.float32] or None
            Shape (images, labels), 0 to 1. None where there are none: results of anTraX, or a damaged file.
        """
        import h5py

        movie = _movie_of(tracklet)
        if movie is None:
            return None
        path = frameprobs_file(self._session, movie)
        try:
            state = _state_of(path.stat())
            with h5py.File(path, "r", locking=False) as file:
                # replaced at this very moment: which of the two is open nobody knows
                if state != _state_of(path.stat()):
                    return None
                places = self._places_in(movie, state, file)
                if tracklet not in places.rows:
                    return None
                start, stop = places.rows[tracklet]
                stored = file["probabilities"][start:stop].astype(np.float32)
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, IndexError):
            return None
        if stored.shape != (stop - start, len(places.labels)):
            return None
        chosen = np.full((stop - start, len(labels)), np.nan, np.float32)
        for column, label in enumerate(labels):
            if label in places.labels:
                chosen[:, column] = stored[:, places.labels.index(label)]
        return chosen

    def _places_in(self, movie: int, state: _State, file: h5py.File) -> _Places:
        """What `file` holds; to read a hundred thousand names takes far longer than a tracklet's probabilities."""
        with self._lock:
            known = self._places.get(movie)
            if known and known.state == state:
                self._places.move_to_end(movie)
                return known
        names, labels = ([_text(value) for value in file[name][()].tolist()] for name in ("tracklets", "labels"))
        offsets = file["offsets"][()].tolist()
        rows = {name: (offsets[row], offsets[row + 1]) for row, name in enumerate(names)}
        places = _Places(state, tuple(labels), rows)
        with self._lock:
            self._places[movie] = places
            self._places.move_to_end(movie)
            while len(self._places) > _PROBABILITIES_KEPT:
                self._places.popitem(last=False)
        return places

    def _read(self, movie: int) -> _Movie | None:
        with self._lock:
            states = (self._states.get(("autoids", movie)), self._states.get(("confidence", movie)))
            if states[0] is None:
                return None
            known = self._movies.get(movie)
            if known is None or known.states != states:
                known = self._movies[movie] = self._parse(movie, states)
            return known

    def _parse(self, movie: int, states: tuple[_State | None, ...]) -> _Movie:
        path = autoids_file(self._session, movie)
        digest = problem = None
        confidences: dict[str, tuple[str, ...]] = {}
        if states[1]:
            extra = confidence_file(self._session, movie)
            try:
                confidences = {row[0]: row for row in _rows(extra, _read_bytes(extra), _CONFIDENCE_READ)}
            except ExperimentError as error:  # the labels are of use without
                problem = str(error)
        try:
            content = _read_bytes(path)
            digest = hashlib.blake2b(content, digest_size=8).hexdigest()
            table = _assignments(path, content, confidences)
        except ExperimentError as error:
            return _Movie(states, digest, problem=str(error))
        counts = Counter(assignment.label for assignment in table.values())
        return _Movie(states, digest, MappingProxyType(table), counts, problem)


def _states(folder: Path) -> Iterator[tuple[tuple[str, int], _State]]:
    """Kind, movie and state of every file of results."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                # one that goes at this very moment is as good as gone
                with contextlib.suppress(OSError):
                    for kind in _KINDS:
                        if place := movie_file(entry.name, kind):
                            yield (kind, place[0]), _state_of(entry.stat())
    except FileNotFoundError:
        return
    except OSError as error:
        raise ExperimentError(f"{folder} cannot be read: {error.strerror}") from None


def _state_of(found: os.stat_result) -> _State:
    return found.st_mtime_ns, found.st_size, found.st_ino


def _movie_of(tracklet: str) -> int | None:
    name = parse_tracklet_name(tracklet) if len(tracklet) <= _LONGEST_NAME else None
    return name.movie if name else None


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExperimentError(f"{path} cannot be read: {error.strerror}") from None


def _rows(path: Path, content: bytes, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The values of `columns` of every row of a CSV file."""
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        header = next(reader, [])
        if missing := [column for column in columns if column not in header]:
            raise ExperimentError(f"{path} has no column {', '.join(missing)}; classify this movie again")
        values = operator.itemgetter(*(header.index(column) for column in columns))
        yield from map(values, filter(None, reader))
    except (UnicodeDecodeError, csv.Error, IndexError) as error:
        raise ExperimentError(f"{path} is damaged ({error}); classify this movie again") from None


def _assignments(path: Path, content: bytes, confidences: Mapping[str, tuple[str, ...]]) -> dict[str, Assignment]:
    table: dict[str, Assignment] = {}
    labels: dict[str, str] = {}  # one string a label, whatever the number of tracklets
    try:
        for tracklet, label, score, best_frame in _rows(path, content, AUTOIDS):
            # no label is what nobody can tell
            label = labels.setdefault(label, label or UNKNOWN)
            extra = confidences.get(tracklet)
            number = float(score)
            if not math.isfinite(number):
                raise ValueError(f"{score!r} is no score")
            # of another classification, where anTraX or a person wrote the labels since
            if extra is None or extra[1] != label:
                table[tracklet] = Assignment(label, number, int(float(best_frame)))
                continue
            _, _, confidence, best_label, runner_up, runner_up_confidence, images = extra
            table[tracklet] = Assignment(
                label,
                number,
                int(float(best_frame)),
                _share(confidence),
                labels.setdefault(best_label, best_label),
                labels.setdefault(runner_up, runner_up) or None,
                _share(runner_up_confidence) if runner_up else None,
                _count(images),
            )
    except (ValueError, OverflowError) as error:
        raise ExperimentError(f"{path}, {tracklet}: {error}; classify this movie again") from None
    return table


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(f"{text!r} is no probability")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(f"{text!r} is no number of images")
    return value
