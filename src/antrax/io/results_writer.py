"""Writing a movie's result: three files that become one result at one moment (see `antrax.io.results`)."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import OutputError
from antrax.io.atomic import fsync_folder, make_folder, replacing, write_atomically
from antrax.io.regular_files import read_regular
from antrax.io.results import (
    CONFIDENCE,
    Assignment,
    Classified,
    autoids_file,
    confidence_file,
    content_digest,
    format_autoids,
    format_table,
    frameprobs_file,
    pending_file,
    result_file,
)
from antrax.io.results_table import absolute_frames
from antrax.io.session import Session

if TYPE_CHECKING:
    from antrax.io.frame_probabilities import FrameProbabilities

_ROWS_A_CHUNK = 4096
_ROWS_COPIED = 16 * _ROWS_A_CHUNK


class MovieWriter:
    """Collects one movie's results; `commit` writes them.

    Parameters
    ----------
    session : Session
    movie : int
    labels : tuple of str
        The classifier's, in the order of the columns of probabilities.
    attributes : mapping
        What the results were made with, kept in `frameprobs_<m>.h5`.
    """

    def __init__(self, session: Session, movie: int, labels: tuple[str, ...], attributes: Mapping[str, Any]) -> None:
        self._session, self._movie = session, movie
        self._movies = session.movies
        self._assignments: dict[str, Assignment] = {}
        self._confidences: list[list[object]] = []
        self._frames = FrameWriter(labels, attributes)

    @property
    def tracklets(self) -> int:
        """Number of tracklets added so far."""
        return len(self._assignments)

    def add(self, result: Classified) -> None:
        """Append one tracklet."""
        decision = result.decision
        frames = absolute_frames(self._movies, result.tracklet)
        self._assignments[result.tracklet] = Assignment(decision.label, decision.score, decision.best_frame)
        self._confidences.append(
            [
                result.tracklet,
                decision.label,
                f"{decision.confidence:.4f}",
                decision.best_label,
                decision.runner_up,
                f"{decision.runner_up_confidence:.4f}" if decision.runner_up else "",
                len(result.probabilities),
                result.passed if result.passed >= 0 else "",
                decision.votes,
                *("" if frame is None else frame for frame in frames),
            ]
        )
        self._frames.add(result.tracklet, result.probabilities)

    def commit(self, check: Callable[[], None] = lambda: None) -> str | None:
        """Put the files in place; without any tracklet, write none.

        Parameters
        ----------
        check : callable, optional
            Called at the last moment before the result counts; what it raises leaves the earlier result.

        Returns
        -------
        str or None
            What went wrong after the result counted: it is whole, but the drive is not well.

        Raises
        ------
        OutputError
            The files cannot be written. An earlier result is then as it was.
        """
        if not self._assignments:
            self.discard()
            return None
        autoids = autoids_file(self._session, self._movie)
        content = format_autoids(self._assignments)
        digest = content_digest(content)
        rows = ((*row, digest) for row in self._confidences)
        others = [confidence_file(self._session, self._movie), frameprobs_file(self._session, self._movie)]
        pending = [pending_file(path, digest) for path in others]
        for path in (autoids, *others):  # no file could take its name
            if path.is_dir():
                raise OutputError(f"{path} is a folder, where a result is to be written; rename it or move it away")
        finish_pending(self._session, self._movie)
        try:
            write_atomically(pending[0], format_table(CONFIDENCE, rows))
            write_atomically(pending[1], self._frames.finish(digest))
            with replacing(autoids) as temporary:
                temporary.write_bytes(content)
                check()
        except BaseException:
            # Not where the result counts already: the name was changed, and the error came after that.
            if _digest_of(autoids) != digest:
                for path in pending:
                    with contextlib.suppress(OSError):
                        path.unlink(missing_ok=True)
            raise
        finally:
            self.discard()
        return finish_pending(self._session, self._movie)

    def discard(self) -> None:
        """Discard everything; files are as they were."""
        self._frames.close()


class FrameWriter:
    """Appends probabilities to an HDF5 file in memory, compressed: some 40 MB for a million images of 18 labels.

    It holds `probabilities` (images, labels), `labels`, `tracklets`, and `offsets` (tracklets + 1) into the images.
    It is in memory because HDF5, where a disk is full, takes the whole process down; see `antrax.io.atomic`.

    Parameters
    ----------
    labels : tuple of str
        Of the columns.
    attributes : mapping
        What the results were made with.
    """

    def __init__(self, labels: tuple[str, ...], attributes: Mapping[str, Any]) -> None:
        import h5py

        # HDF5 takes two open files of one name for the same, in memory too
        name = f"frameprobs-{secrets.token_hex(8)}"
        self._file = h5py.File(name, "w", driver="core", backing_store=False, block_size=2**20)
        self._file.create_dataset("labels", data=list(labels), dtype=h5py.string_dtype())
        self._file.attrs["made_with"] = json.dumps(dict(attributes))
        self._names: list[str] = []
        self._offsets = [0]
        self._waiting: list[NDArray[np.float32]] = []
        self._dataset = self._file.create_dataset(
            "probabilities",
            shape=(0, len(labels)),
            maxshape=(None, len(labels)),
            dtype=np.float32,
            chunks=(_ROWS_A_CHUNK, len(labels)),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )

    def add(self, tracklet: str, probabilities: NDArray[np.float32]) -> None:
        """Append a tracklet's, shape (images, labels)."""
        self._names.append(tracklet)
        self._offsets.append(self._offsets[-1] + len(probabilities))
        self._waiting.append(probabilities)
        if self._offsets[-1] - len(self._dataset) >= _ROWS_A_CHUNK:
            self._flush()

    def _flush(self) -> None:
        if self._waiting and self._offsets[-1] > len(self._dataset):
            start = len(self._dataset)
            self._dataset.resize(self._offsets[-1], 0)
            self._dataset[start:] = _shortened(np.concatenate(self._waiting))
        self._waiting = []

    def copy(self, frames: FrameProbabilities) -> None:
        """Take over all that another file holds, which may name its labels otherwise."""
        rows = frames.rows()
        self._names, self._offsets = list(rows), [0, *(stop for _, stop in rows.values())]
        self._dataset.resize(self._offsets[-1], 0)
        for start in range(0, len(self._dataset), _ROWS_COPIED):
            stop = min(start + _ROWS_COPIED, len(self._dataset))
            self._dataset[start:stop] = frames.read(start, stop)

    def finish(self, digest: str) -> bytes:
        """The content of the file, which belongs to the `autoids_<m>.csv` of that digest."""
        import h5py

        self._flush()
        self._file.create_dataset("tracklets", data=self._names, dtype=h5py.string_dtype())
        self._file.create_dataset("offsets", data=np.array(self._offsets, np.int64))
        self._file.attrs["classification"] = digest
        self._file.flush()
        content: bytes = self._file.id.get_file_image()
        return content

    def close(self) -> None:
        """Give the memory back."""
        with contextlib.suppress(OSError, RuntimeError):
            self._file.close()


def _shortened(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same within a 32,000th of each, with zeros as the last digits, which take no room when compressed."""
    # of the 23 binary digits after the first, 14 stay
    bits = np.ascontiguousarray(probabilities, np.float32).view(np.uint32)
    return ((bits + np.uint32(1 << 8)) & ~np.uint32((1 << 9) - 1)).view(np.float32)


def finish_pending(session: Session, movie: int) -> str | None:
    """Give confidence and frameprobs files of the result that counts their own names; remove those of any other.

    Parameters
    ----------
    session : Session
    movie : int

    Returns
    -------
    str or None
        What went wrong. Readers find the files all the same, and the next run tries again.
    """
    problem = None
    own = {path.name: path for path in (confidence_file(session, movie), frameprobs_file(session, movie))}
    try:
        waiting = [(name, pending) for name, pending in _pending_files(session) if name in own]
        if not waiting:
            return None
        digest = _digest_of(autoids_file(session, movie))
        for name, pending in waiting:
            if digest and pending == pending_file(own[name], digest):
                pending.replace(own[name])
            else:
                pending.unlink(missing_ok=True)
        fsync_folder(session.labels_dir)
    except OSError as error:
        problem = f"{error.filename or session.labels_dir}: {error.strerror or error}; is the drive failing?"
    return problem


def pending_movies(session: Session) -> set[int]:
    """Movies for which `finish_pending` has something to do.

    Parameters
    ----------
    session : Session
    """
    try:
        found = [result_file(name) for name, _ in _pending_files(session)]
    except OSError:
        return set()
    return {place[1] for place in found if place}


def _pending_files(session: Session) -> list[tuple[str, Path]]:
    """Files that have not got their own name yet, each with that name."""
    with os.scandir(session.labels_dir) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(".") and entry.name.endswith(".new")]
    return [(name[1:].rsplit(".", 2)[0], session.labels_dir / name) for name in names]


def _digest_of(path: Path) -> str | None:
    try:
        return content_digest(read_regular(path, 2**30))
    except OSError:
        return None


def keep_copy(session: Session, movie: int) -> Path | None:
    """Copy a movie's labels to where `set_aside` would move them, because a person may have edited them.

    Parameters
    ----------
    session : Session
    movie : int

    Returns
    -------
    Path or None
        The folder; None where there are no labels.

    Raises
    ------
    OutputError
    """
    path = autoids_file(session, movie)
    if not path.is_file():
        return None
    return _aside(session, movie, [path], shutil.copy2, "copied")


def set_aside(session: Session, movie: int) -> Path | None:
    """Move the files of a movie's result to a folder where neither anTraX nor this package reads them.

    Parameters
    ----------
    session : Session
    movie : int

    Returns
    -------
    Path or None
        The folder in `labels/` that they lie in now; None where there were none.

    Raises
    ------
    OutputError
        They cannot be moved.
    """
    finish_pending(session, movie)
    files = [file(session, movie) for file in (autoids_file, confidence_file, frameprobs_file)]
    there = [path for path in files if os.path.lexists(path)]
    if not there:
        return None
    # the labels first: without them, nobody takes the rest for a result
    return _aside(session, movie, there, Path.rename, "moved")


def _aside(session: Session, movie: int, files: list[Path], put: Callable[[Path, Path], object], done: str) -> Path:
    """Copy or move files of a movie, in order, into a new folder for results that do not count any more."""
    folder = session.layout.set_aside / f"{datetime.now():%Y-%m-%d_%H%M%S}_movie_{movie}"
    number = 1
    while folder.exists():
        number += 1
        folder = folder.with_name(f"{folder.name.partition('~')[0]}~{number}")
    make_folder(folder, within=session.labels_dir)
    for path in files:
        try:
            put(path, folder / path.name)
        except OSError as error:
            raise OutputError(f"{path} cannot be {done} to {folder}: {error.strerror or error}") from error
    return folder
