"""Reading `frameprobs_<m>.h5`: the probabilities of every image of a movie (see `antrax.io.results`)."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io import untrusted_hdf5
from antrax.io.results import MovieResults, autoids_file, frameprobs_file, pending_file, read_movie
from antrax.io.session import Session, as_session
from antrax.labels import UNKNOWN, clean_label

if TYPE_CHECKING:
    import h5py
    import pandas as pd

_LARGEST_PROBABILITIES = 2**40
_MOST_TRACKLETS = 10_000_000
# Exceptions that reading a damaged HDF5 file may raise.
DAMAGED = (
    untrusted_hdf5.ContentError,
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
)


class FrameProbabilities:
    """An open `frameprobs_<m>.h5`. Use `open_frame_probabilities`.

    Parameters
    ----------
    path : Path
    file : h5py.File
        Open for reading.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file

    @property
    def classification(self) -> str | None:
        """The digest of the `autoids_<m>.csv` that it belongs to; None in files of earlier versions."""
        return untrusted_hdf5.text_attribute(self._file, "classification") or None

    def labels(self) -> tuple[str, ...]:
        """The labels of the columns."""
        return tuple(clean_label(label) or UNKNOWN for label in self._texts("labels"))

    def rows(self) -> dict[str, tuple[int, int]]:
        """First and last row (exclusive) of every tracklet."""
        offsets = np.asarray(untrusted_hdf5.dataset(self._file, "offsets", dtype=np.integer)[()])
        tracklets, (count, _) = self._texts("tracklets"), self._stored().shape
        # rows beyond the last would be left out without a word, and others be another tracklet's
        if offsets.shape != (len(tracklets) + 1,) or offsets[0] != 0 or offsets[-1] != count:
            raise untrusted_hdf5.ContentError("offsets do not fit the tracklets and their probabilities")
        if (offsets[1:] < offsets[:-1]).any() or len(set(tracklets)) < len(tracklets):
            raise untrusted_hdf5.ContentError("offsets do not rise, or a tracklet is listed twice")
        bounds = offsets.tolist()
        return dict(zip(tracklets, itertools.pairwise(bounds), strict=True))

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Some rows, shape (stop - start, labels)."""
        return np.asarray(self._stored()[start:stop], np.float32)

    def _stored(self) -> h5py.Dataset:
        stored = untrusted_hdf5.dataset(
            self._file, "probabilities", dtype=np.floating, compressed=True, most=_LARGEST_PROBABILITIES
        )
        if stored.ndim != 2:
            raise untrusted_hdf5.ContentError("probabilities are no table")
        return stored

    def _texts(self, name: str) -> tuple[str, ...]:
        return untrusted_hdf5.texts(self._file, name, most=_MOST_TRACKLETS)


@contextlib.contextmanager
def open_frame_probabilities(session: Session, results: MovieResults) -> Iterator[FrameProbabilities]:
    """Open the probabilities of a movie's images.

    Parameters
    ----------
    session : Session
    results : MovieResults
        The result that they must belong to.

    Raises
    ------
    ExperimentError
        There are none of this result, or the file is damaged.
    """
    path = frameprobs_file(session, results.movie)
    problem = f"{path} does not exist; classify this movie first"
    for place in (path, *(pending_file(path, digest) for digest in sorted(results.digests)), path):
        with contextlib.ExitStack() as opened:
            try:
                found = FrameProbabilities(place, opened.enter_context(untrusted_hdf5.open_hdf5(place)))
                carried = found.classification
                belongs = carried in results.digests or (
                    carried is None and set(found.rows()) == set(results.assignments)
                )
            except FileNotFoundError:
                continue
            except DAMAGED as error:
                problem = f"{place} cannot be read: {error}"
                continue
            if belongs:
                yield found
                return
            problem = (
                f"{place} is of another classification than {autoids_file(session, results.movie).name}: "
                "classify this movie again"
            )
    raise ExperimentError(problem)


def made_with(session: Session, movie: int) -> dict[str, Any]:
    """Options and versions that a movie's result was made with, from its frameprobs file; empty if it has none.

    Parameters
    ----------
    session : Session
    movie : int
    """
    try:
        with untrusted_hdf5.open_hdf5(frameprobs_file(session, movie)) as file:
            values = json.loads(untrusted_hdf5.text_attribute(file, "made_with") or "{}")
    except DAMAGED:
        return {}
    return values if isinstance(values, dict) else {}


def read_frame_probabilities(session: Session | str | os.PathLike[str], movie: int, tracklet: str) -> pd.DataFrame:
    """Probabilities of a tracklet's images.

    Parameters
    ----------
    session : Session or path
        A classified session; of an experiment's folder, the latest session.
    movie : int
        Number of the movie.
    tracklet : str
        Name of the tracklet.

    Returns
    -------
    pandas.DataFrame
        A row an image, indexed from 1 as `best_frame` is; a column a label. Images that were not looked at (see
        `--images-per-tracklet`) are nan.

    Raises
    ------
    ExperimentError
        There is no such file or tracklet, the file is damaged, or it is of another classification than the labels.

    Examples
    --------
    >>> session = antrax.open_session("colony1")  # doctest: +SKIP
    >>> antrax.read_frame_probabilities(session, 1, "trj_id3_ti1_20_tf1_31").mean()  # doctest: +SKIP
    """
    import pandas as pd

    session = as_session(session)
    results = read_movie(session, movie)
    with open_frame_probabilities(session, results) as frames:
        try:
            rows = frames.rows()
            if tracklet not in rows:
                raise ExperimentError(f"{frames.path} has no tracklet {tracklet}")
            values = frames.read(*rows[tracklet])
            index = pd.RangeIndex(1, len(values) + 1, name="image")
            return pd.DataFrame(values, index=index, columns=list(frames.labels()))
        except DAMAGED as error:
            raise ExperimentError(f"{frames.path} cannot be read: {error}") from None
