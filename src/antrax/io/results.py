"""Files that classification leaves in a session's `labels/`, and reading them back as tables.

A movie has three: `autoids_<m>.csv`, which anTraX reads; `confidence_<m>.csv`, a row a tracklet with how sure the
label is and what else it might be; and `frameprobs_<m>.h5`, the probabilities of every image.
"""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.classification.engine import Classified
from antrax.errors import ExperimentError, OutputError
from antrax.io.atomic import make_folder, replacing, replacing_hdf5
from antrax.io.names import parse_tracklet_name
from antrax.io.session import Session

if TYPE_CHECKING:
    import h5py
    import pandas as pd

AUTOIDS = ("tracklet", "label", "score", "best_frame")
CONFIDENCE = (
    "tracklet",
    "label",
    "confidence",
    "best_label",
    "runner_up",
    "runner_up_confidence",
    "images",
    "passed_images",
    "votes",
    "first_frame",
    "last_frame",
)


def autoids_file(session: Session, movie: int) -> Path:
    """A movie's labels, for anTraX's later steps."""
    return session.layout.file("autoids", movie)


def confidence_file(session: Session, movie: int) -> Path:
    """A movie's confidences."""
    return session.layout.file("confidence", movie)


def frameprobs_file(session: Session, movie: int) -> Path:
    """A movie's probabilities by image."""
    return session.layout.file("frameprobs", movie)


class MovieWriter:
    """Writes one movie's results as they come; nothing is seen of them before `commit`.

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
        self._files = contextlib.ExitStack()
        self.tracklets = 0
        self._folder = make_folder(session.labels_dir)
        # The exit stack renames in reverse order: the file that counts as the movie's result comes last.
        self._autoids = self._csv(autoids_file(session, movie), AUTOIDS)
        self._confidence = self._csv(confidence_file(session, movie), CONFIDENCE)
        self._frames = self._files.enter_context(_FrameWriter.open(frameprobs_file(session, movie), labels, attributes))

    def _csv(self, path: Path, header: tuple[str, ...]) -> Any:
        file: IO[str] = self._files.enter_context(_replaced_text(path))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        return writer

    def add(self, result: Classified) -> None:
        """Append one tracklet. Raises `OutputError`."""
        try:
            self._add(result)
        except OSError as error:
            raise OutputError(f"{self._folder} cannot be written: {error.strerror or error}") from error

    def _add(self, result: Classified) -> None:
        decision = result.decision
        name = parse_tracklet_name(result.tracklet)
        assert name is not None
        self._autoids.writerow([result.tracklet, decision.label, f"{decision.score:.6g}", decision.best_frame])
        self._confidence.writerow(
            [
                result.tracklet,
                decision.label,
                f"{decision.confidence:.4f}",
                decision.best_label,
                decision.runner_up,
                f"{decision.runner_up_confidence:.4f}",
                len(result.probabilities),
                result.passed if result.passed >= 0 else "",
                decision.votes,
                name.first,
                name.last,
            ]
        )
        self._frames.add(result.tracklet, result.probabilities)
        self.tracklets += 1

    def commit(self) -> None:
        """Put the files in place; without any tracklet, write none. Raises `OutputError`."""
        if self.tracklets:
            self._files.close()
        else:
            self.discard()

    def discard(self) -> None:
        """Leave everything as it was."""
        # on a full disk even closing a file fails, and there is nothing to keep in it
        with contextlib.suppress(_DiscardedError, OutputError, OSError, RuntimeError):
            self._files.__exit__(_DiscardedError, _DiscardedError(), None)


class _DiscardedError(Exception):
    """Makes the writers drop what they have."""


@contextlib.contextmanager
def _replaced_text(path: Path) -> Iterator[IO[str]]:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        yield file


class _FrameWriter:
    """Appends probabilities to an HDF5 file.

    It holds `probabilities` (images, labels), `labels`, `tracklets`, and `offsets` (tracklets + 1) into the images.
    """

    def __init__(self, file: h5py.File, labels: tuple[str, ...]) -> None:
        self._file = file
        self._names: list[str] = []
        self._offsets = [0]
        self._waiting: list[NDArray[np.float32]] = []
        self._dataset = file.create_dataset(
            "probabilities",
            shape=(0, len(labels)),
            maxshape=(None, len(labels)),
            dtype=np.float32,
            chunks=(4096, len(labels)),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path, labels: tuple[str, ...], attributes: Mapping[str, Any]) -> Iterator[_FrameWriter]:
        import h5py

        # In memory, compressed, until the movie is done: some 40 MB for a million images of 18 labels.
        with replacing_hdf5(path) as file:
            text = h5py.string_dtype()
            file.create_dataset("labels", data=list(labels), dtype=text)
            file.attrs["made_with"] = json.dumps(dict(attributes))
            writer = cls(file, labels)
            yield writer
            writer._flush()
            file.create_dataset("tracklets", data=writer._names, dtype=text)
            file.create_dataset("offsets", data=np.array(writer._offsets, np.int64))

    def add(self, tracklet: str, probabilities: NDArray[np.float32]) -> None:
        self._names.append(tracklet)
        self._offsets.append(self._offsets[-1] + len(probabilities))
        self._waiting.append(probabilities)
        if self._offsets[-1] - len(self._dataset) >= 4096:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            start = len(self._dataset)
            self._dataset.resize(self._offsets[-1], 0)
            self._dataset[start:] = _shortened(np.concatenate(self._waiting))
            self._waiting = []


def _shortened(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same within a 32,000th of each, with zeros as the last digits, which take no room when compressed."""
    # of the 23 binary digits after the first, 14 stay
    bits = probabilities.view(np.uint32)
    return ((bits + np.uint32(1 << 8)) & ~np.uint32((1 << 9) - 1)).view(np.float32)


def classified_movies(session: Session) -> list[int]:
    """Movies that have a result, sorted."""
    return list(session.layout.files("autoids"))


def read_results(session: Session, movies: Iterable[int] | None = None) -> pd.DataFrame:
    """Labels and confidences of a session's tracklets.

    Parameters
    ----------
    session : Session
    movies : iterable of int, optional
        All classified movies by default.

    Returns
    -------
    pandas.DataFrame
        A row a tracklet: `movie`, the columns of `autoids_<m>.csv`, and those of `confidence_<m>.csv` where that
        exists (results of anTraX have none).

    Raises
    ------
    ExperimentError
        A movie has no result, or a file is damaged.
    """
    import pandas as pd

    tables = []
    for movie in classified_movies(session) if movies is None else movies:
        table = _read_table(autoids_file(session, movie), AUTOIDS)
        extra = confidence_file(session, movie)
        if extra.exists():
            confidences = _read_table(extra, CONFIDENCE).drop(columns="label")
            table = table.merge(confidences, on="tracklet", how="left", validate="1:1")
        table.insert(0, "movie", movie)
        tables.append(table)
    if not tables:
        return pd.DataFrame(columns=["movie", *AUTOIDS, *CONFIDENCE[2:]])
    return pd.concat(tables, ignore_index=True)


def _read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    try:
        # a label may be spelt like a missing value
        table = pd.read_csv(path, keep_default_na=False, na_values={"passed_images": [""]}, dtype={"label": str})
    except FileNotFoundError:
        raise ExperimentError(f"{path} does not exist; classify this movie first") from None
    except (OSError, ValueError) as error:
        raise ExperimentError(f"{path} cannot be read: {error}") from None
    if missing := [column for column in columns if column not in table.columns]:
        raise ExperimentError(f"{path} has no column {', '.join(missing)}")
    return table


def read_frame_probabilities(session: Session, movie: int, tracklet: str) -> pd.DataFrame:
    """Probabilities of a tracklet's images: a row an image, a column a label.

    Raises
    ------
    ExperimentError
        There is no such file or tracklet, or the file is damaged.
    """
    import h5py
    import pandas as pd

    path = frameprobs_file(session, movie)
    try:
        with h5py.File(path, "r", locking=False) as file:
            names = file["tracklets"].asstr()[()]
            (places,) = np.nonzero(names == tracklet)
            if not len(places):
                raise ExperimentError(f"{path} has no tracklet {tracklet}")
            start, stop = file["offsets"][places[0] : places[0] + 2]
            columns = file["labels"].asstr()[()]
            return pd.DataFrame(file["probabilities"][start:stop].astype(np.float32), columns=columns)
    except FileNotFoundError:
        raise ExperimentError(f"{path} does not exist; classify this movie first") from None
    except (OSError, KeyError, ValueError) as error:
        raise ExperimentError(f"{path} cannot be read: {error}") from None
