"""Results of classification, read again when the files in `labels/` change."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.frame_probabilities import DAMAGED, FrameProbabilities, open_frame_probabilities
from antrax.io.names import LONGEST_NAME, parse_tracklet_name
from antrax.io.regular_files import read_regular
from antrax.io.results import Assignment, MovieResults, autoids_file, content_digest, read_movie, result_file
from antrax.io.session import Session

__all__ = ["Assignment", "Assignments"]

# Movies of which it is remembered where in the file of probabilities each tracklet lies.
_PROBABILITIES_KEPT = 8

_State = tuple[int, int, int]  # time of the last change in ns, size in bytes, and the file's number where there is one
_NOTHING: Mapping[str, Assignment] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _MovieAssignments:
    """Results of a movie as they were when its files were in `states`."""

    states: tuple[_State | None, ...]
    digest: str | None = None
    results: MovieResults | None = None
    counts: Counter[str] = field(default_factory=Counter)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _ProbabilityRows:
    """Where in the file of probabilities each tracklet lies, and the labels of its columns."""

    digest: str
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
        self._movies: dict[int, _MovieAssignments] = {}
        self._places: OrderedDict[int, _ProbabilityRows] = OrderedDict()
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
        """Version of the results, which differs when those of any movie change."""
        return self._version

    @property
    def movies(self) -> tuple[int, ...]:
        """The movies that are classified, sorted."""
        with self._lock:
            return tuple(sorted(movie for kind, movie in self._states if kind == "autoids"))

    @property
    def problems(self) -> tuple[str, ...]:
        """Why some of the results read so far, or their confidences, are of no use, a sentence each."""
        with self._lock:
            found = [movie.problem for _, movie in sorted(self._movies.items()) if movie.problem]
            # The original removes the labels of a movie that it tracks again, and nothing else.
            classified = {movie for kind, movie in self._states if kind == "autoids"}
            left = sorted({movie for kind, movie in self._states if kind != "autoids"} - classified)
        if left:
            found.append(
                f"{', '.join(map(str, left))}: of these movies there are confidences without labels, of an earlier "
                "tracking; classify them again"
            )
        return tuple(found)

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
        if read.results is None:
            raise ExperimentError(read.problem or "")
        return read.results.assignments

    def classification(self, movie: int) -> str | None:
        """Digest of a movie's classification: 16 hexadecimal digits, from the content of its file.

        Damaged files have one too; None for a movie that is not classified or cannot be read at all.
        """
        read = self._read(movie)
        return read.digest if read else None

    def of(self, tracklet: str) -> Assignment | None:
        """Result of a tracklet; None if it has none.

        Raises
        ------
        ExperimentError
            The file of its movie is damaged.
        """
        movie = _movie_of(tracklet)
        return None if movie is None else self.movie(movie).get(tracklet)

    def older_than(self, time_ns: int) -> int:
        """Number of classified movies of which the labels were written before a time, in ns since 1970."""
        with self._lock:
            return sum(state[0] < time_ns for (kind, _), state in self._states.items() if kind == "autoids")

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
        movie = _movie_of(tracklet)
        read = None if movie is None else self._read(movie)
        if read is None or read.results is None:
            return None
        try:
            with open_frame_probabilities(self._session, read.results) as frames:
                places = self._places_in(read.results, frames)
                if tracklet not in places.rows:
                    return None
                start, stop = places.rows[tracklet]
                stored = frames.read(start, stop)
        except (ExperimentError, *DAMAGED):
            return None
        if stored.shape != (stop - start, len(places.labels)):
            return None
        chosen = np.full((stop - start, len(labels)), np.nan, np.float32)
        for column, label in enumerate(labels):
            if label in places.labels:
                chosen[:, column] = stored[:, places.labels.index(label)]
        return chosen

    def _places_in(self, results: MovieResults, frames: FrameProbabilities) -> _ProbabilityRows:
        """Rows of each tracklet and labels of a file; cached, because reading a hundred thousand names takes long."""
        state = _state_of(frames.path.stat())
        with self._lock:
            known = self._places.get(results.movie)
            if known and (known.digest, known.state) == (results.digest, state):
                self._places.move_to_end(results.movie)
                return known
        places = _ProbabilityRows(results.digest, state, frames.labels(), frames.rows())
        with self._lock:
            self._places[results.movie] = places
            self._places.move_to_end(results.movie)
            while len(self._places) > _PROBABILITIES_KEPT:
                self._places.popitem(last=False)
        return places

    def _read(self, movie: int) -> _MovieAssignments | None:
        with self._lock:
            states = (self._states.get(("autoids", movie)), self._states.get(("confidence", movie)))
            if states[0] is None:
                return None
            known = self._movies.get(movie)
            if known is None or known.states != states:
                known = self._movies[movie] = self._parse(movie, states)
            return known

    def _parse(self, movie: int, states: tuple[_State | None, ...]) -> _MovieAssignments:
        try:
            results = read_movie(self._session, movie)
        except ExperimentError as error:
            digest = None
            with contextlib.suppress(OSError):
                digest = content_digest(read_regular(autoids_file(self._session, movie), 2**30))
            return _MovieAssignments(states, digest, problem=str(error))
        counts = Counter(assignment.label for assignment in results.assignments.values())
        return _MovieAssignments(states, results.digest, results, counts, results.problem)


def _states(folder: Path) -> Iterator[tuple[tuple[str, int], _State]]:
    """Kind, movie and state of every file of results."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                # the file is being removed
                with contextlib.suppress(OSError):
                    if found := result_file(entry.name):
                        yield found, _state_of(entry.stat())
    except FileNotFoundError:
        return
    except OSError as error:
        raise ExperimentError(f"{folder} cannot be read: {error.strerror}") from None


def _state_of(found: os.stat_result) -> _State:
    return found.st_mtime_ns, found.st_size, found.st_ino


def _movie_of(tracklet: str) -> int | None:
    name = parse_tracklet_name(tracklet) if len(tracklet) <= LONGEST_NAME else None
    return name.movie if name else None
