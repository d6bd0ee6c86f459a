"""The files of a command's work on a session: what it reads and makes, and why a result is stale.

Nothing here knows of runs that are under way or wait; `antrax.cluster.status` puts both together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from antrax.classification.classifier_file import read_classifier
from antrax.errors import AntraxError
from antrax.io.contents import SessionContents
from antrax.io.frame_probabilities import made_with
from antrax.io.positions_table import broken_off
from antrax.io.result_state import ResultState, result_state
from antrax.io.results import autoids_file
from antrax.io.runs import Run, size_and_time
from antrax.io.session import Session
from antrax.io.stamps import FileStamp, stamps_of

_INCOMPLETE = "not all files of its result are there"
_UNFINISHED = "putting positions in place was broken off, so they may be of two solutions"
_MIXED = "the files of its result do not belong together, or are damaged"
_LEFT_OVER = "its labels are gone, and confidences of an earlier tracking are there"
CLASSIFIER_CHANGED = "the classifier has changed since"


@dataclass(frozen=True)
class WorkFiles:
    """The files of a command's work on a session.

    Parameters
    ----------
    inputs, results : mapping
        By movie.
    claims : Path
        Folder with the claims of processes.
    stamps : mapping
        Of all these files.
    changed : callable
        Why a result is stale for another reason than its inputs, or ''.
    input_changed : str
        What is said where the inputs changed.
    left_over : callable
        Why what there is of a movie without a result is stale, or ''.
    """

    inputs: Mapping[int, tuple[Path, ...]]
    results: Mapping[int, Path]
    claims: Path
    stamps: Mapping[Path, FileStamp | None]
    changed: Callable[[int, Run | None], str]
    input_changed: str
    left_over: Callable[[int], str] = lambda movie: ""

    def sizes_and_times(self, movie: int) -> dict[str, tuple[int, int]]:
        """Of the inputs that are there, by name."""
        stamps = {path.name: self.stamps[path] for path in self.inputs[movie]}
        return {name: size_and_time(stamp) for name, stamp in stamps.items() if stamp}

    def result(self, movie: int) -> FileStamp | None:
        """Of the result."""
        path = self.results.get(movie)
        return self.stamps[path] if path else None

    def is_older(self, movie: int) -> bool:
        """Whether the result is older than what it is made from."""
        result = self.result(movie)
        inputs = [stamp for path in self.inputs[movie] if (stamp := self.stamps[path])]
        return result is not None and any(stamp.mtime_ns > result.mtime_ns for stamp in inputs)


def classification_files(session: Session, contents: SessionContents) -> WorkFiles:
    """Images, and the labels made from them.

    Parameters
    ----------
    session : Session
    contents : SessionContents
    """
    inputs = contents.images
    results = {movie: path for movie, path in contents.labels.items() if movie in inputs}
    stamps = stamps_of([*(path for paths in inputs.values() for path in paths), *results.values()])
    classifiers = _Classifiers(session)
    said = "its images have changed since"
    return WorkFiles(inputs, results, session.labels_dir, stamps, classifiers.changed, said, classifiers.left_over)


def solving_files(session: Session, contents: SessionContents) -> WorkFiles:
    """Labels of movies that have a graph, and the positions made from them.

    Parameters
    ----------
    session : Session
    contents : SessionContents
    """
    results = contents.positions
    inputs = {movie: (autoids_file(session, movie),) for movie in contents.graphs}
    stamps = stamps_of([*(path for paths in inputs.values() for path in paths), *results.values()])
    folder = session.layout.logs
    unfinished = _UNFINISHED if broken_off(session) else ""
    return WorkFiles(inputs, results, folder, stamps, lambda movie, run: unfinished, "its labels have changed since")


class _Classifiers:
    """Whether results were made with classifiers that are others now."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._digests: dict[str, str | None] = {}

    @cached_property
    def _names(self) -> frozenset[str]:
        """Names of files beside the results, listed once because single look-ups are slow on a network drive."""
        try:
            return frozenset(path.name for path in self._session.labels_dir.iterdir())
        except OSError:
            return frozenset()

    def left_over(self, movie: int) -> str:
        """Of which earlier tracking there are files but no result, or ''."""
        return _LEFT_OVER if result_state(self._session, movie) is ResultState.LEFTOVER else ""

    def changed(self, movie: int, run: Run | None) -> str:
        """Why a movie's result is stale, or ''; `run` made it, where there is a record of that."""
        if run is not None:
            if run.events[movie].results.keys() - self._names:
                return _INCOMPLETE
            path, digest = str(run.made_with.get("classifier")), run.made_with.get("digest")
        else:
            # nothing tells that the files are those that a run left
            state = result_state(self._session, movie)
            if state in (ResultState.MIXED, ResultState.INCOMPLETE):
                return _MIXED if state is ResultState.MIXED else _INCOMPLETE
            values = made_with(self._session, movie)
            path, digest = str(values.get("classifier")), values.get("classifier_digest")
        now = self._digest(path) if digest else None
        return CLASSIFIER_CHANGED if now is not None and now != digest else ""

    def _digest(self, path: str) -> str | None:
        if path not in self._digests:
            self._digests[path] = None
            with contextlib.suppress(AntraxError, OSError, ValueError):
                self._digests[path] = read_classifier(path).digest()
        return self._digests[path]
