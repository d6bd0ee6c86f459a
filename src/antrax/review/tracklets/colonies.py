"""Which colony each tracklet belongs to, in experiments with several: the one whose mask its blob lies in.

Each colony has an image in `parameters/masks`, non-zero inside, whose name holds the colony's label as a word
(`A.png`, `colony_A.png`, `mask-A.png`). Without such images, the separate areas of `roimask.png` are taken, if there is
one for each colony, numbered from top to bottom or from left to right as the session's parameters say.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from antrax.errors import ExperimentError
from antrax.io.names import parse_tracklet_name
from antrax.io.session import Session

if TYPE_CHECKING:
    import h5py

REACH = 20
"""Pixels by which a blob may lie outside of all masks and still belong to the nearest: ants walk on walls."""
_X, _Y = 1, 2  # rows of `trdata`
_ORDERS = {"Vertical": 0, "Horizontal": 1}  # along which axis of the image areas are numbered


class Colonies:
    """Colonies of a session. Thread-safe.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    names : tuple of str
        Labels of the colonies; empty where the session has but one.
    problem : str or None
        Why tracklets cannot be told by colony, a sentence; nothing is raised for it, since one can label all the same.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._known: dict[str, str | None] = {}
        self.names: tuple[str, ...] = ()
        self.problem: str | None = None
        self._index: NDArray[np.uint8] | None = None  # 0 outside, 1 for the first colony, and so on
        try:
            self.names = _names(session)
            if self.names:
                self._index = _read_masks(session, self.names)
        except ExperimentError as error:
            self.problem = str(error)

    def of(self, tracklet: str) -> str | None:
        """Colony of a tracklet; None where that is not known."""
        name = parse_tracklet_name(tracklet)
        return self.of_movie(name.movie, [tracklet])[tracklet] if name else None

    def of_movie(self, movie: int, tracklets: Sequence[str]) -> Mapping[str, str | None]:
        """Colony of each of some tracklets of a movie; None where its positions are not known or lie far off."""
        if self._index is None:
            return dict.fromkeys(tracklets)
        with self._lock:
            unknown = [tracklet for tracklet in tracklets if tracklet not in self._known]
            if unknown:
                self._known |= dict.fromkeys(unknown)
                for path in self._tables(movie):
                    self._known |= _colonies_in(path, unknown, self._index, self.names)
            return {tracklet: self._known[tracklet] for tracklet in tracklets}

    def _tables(self, movie: int) -> tuple[Path, ...]:
        """Files with positions of a movie's blobs, several where it was tracked in parts."""
        try:
            return self._session.layout.files("trdata").get(movie, ())
        except ExperimentError:
            return ()


def _names(session: Session) -> tuple[str, ...]:
    parameters = session.parameters
    if not parameters.get("geometry_multi_colony"):
        return ()
    labels = parameters.get("geometry_colony_labels") or []
    names = tuple(str(label) for label in ([labels] if isinstance(labels, str) else labels))
    if not names or len(set(names)) < len(names):
        raise ExperimentError(
            f"{session.layout.parameters_file} says that there are several colonies, but "
            "geometry_colony_labels does not name each of them"
        )
    return names


def _read_masks(session: Session, names: tuple[str, ...]) -> NDArray[np.uint8]:
    """Number of the colony at each pixel, 0 for none; shape (rows, columns)."""
    folder = session.layout.masks
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".png" and path.name[0] != ".")
    except OSError as error:
        raise ExperimentError(f"{folder} cannot be read, so colonies are not known: {error.strerror}") from None
    found = {name: [path for path in paths if name in re.split(r"[^0-9A-Za-z]+", path.stem)] for name in names}
    if all(len(files) == 1 for files in found.values()):
        index: NDArray[np.uint8] | None = None
        for number, name in enumerate(names, 1):
            mask = _read_mask(found[name][0])
            index = np.zeros(mask.shape, np.uint8) if index is None else index
            if mask.shape != index.shape:
                raise ExperimentError(f"{found[name][0]} is not of the size of the other colonies' masks")
            index[mask] = number
        assert index is not None
        return index
    if not session.layout.roi_mask.is_file():
        missing = ", ".join(name for name, files in found.items() if len(files) != 1)
        raise ExperimentError(f"{folder} has no mask for colony {missing}: one PNG a colony is needed, named after it")
    return _areas(session.layout.roi_mask, session, len(names))


def _areas(path: Path, session: Session, colonies: int) -> NDArray[np.uint8]:
    """The separate areas of a mask, numbered in the order that the session's parameters give."""
    import cv2

    count, index, _, centres = cv2.connectedComponentsWithStats(_read_mask(path).astype(np.uint8), connectivity=8)
    parameters = session.parameters
    order = parameters.get("geometry_multi_colony_numbering", "Vertical")
    shift = parameters.get("geometry_multi_colony_circ_shift", 0)
    if count - 1 != colonies or order not in _ORDERS or shift:
        raise ExperimentError(
            f"{path} has {count - 1} separate areas for {colonies} colonies, numbered {order!r}, shifted by {shift}; "
            "it is not clear which is which: put one PNG a colony beside it, named after the colony"
        )
    along = centres[1:, 1 - _ORDERS[order]]  # OpenCV gives x, y
    numbers = np.zeros(count, np.uint8)
    numbers[1:] = np.argsort(np.argsort(along)) + 1
    return np.asarray(numbers[index])


def _read_mask(path: Path) -> NDArray[np.bool_]:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB") if image.mode in ("P", "RGBA", "LA") else image)
    except (OSError, SyntaxError, ValueError) as error:
        raise ExperimentError(f"{path} cannot be read, so colonies are not known: {error}") from None
    return (pixels if pixels.ndim == 2 else pixels.max(-1)) > 0


def _colonies_in(
    path: Path, tracklets: Iterable[str], index: NDArray[np.uint8], names: tuple[str, ...]
) -> dict[str, str | None]:
    """Colony of those of the tracklets that a table of positions has; nothing where it is damaged."""
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            places = {name: _positions(file, name) for name in tracklets if name in file}
    except (OSError, RuntimeError, KeyError):
        return {}
    return {
        name: names[number - 1] for name, where in places.items() if where is not None and (number := _at(where, index))
    }


def _positions(file: h5py.File, tracklet: str) -> NDArray[np.float64] | None:
    """Column and row of a blob in each frame, 0-based pixels; shape (2, frames)."""
    import h5py

    dataset = file[tracklet]
    if not isinstance(dataset, h5py.Dataset) or "MATLAB_empty" in dataset.attrs or dataset.ndim != 2:
        return None
    # a frame is a column of 16 or 17 values; MATLAB's files show it either way round
    table = dataset[_X : _Y + 1] if dataset.shape[0] in (16, 17) else dataset[:, _X : _Y + 1].T
    places = np.asarray(table, np.float64) - 1
    places = places[:, np.isfinite(places).all(0)]
    return places if places.size else None


def _at(places: NDArray[np.float64], index: NDArray[np.uint8]) -> int:
    """Number of the colony that a blob is in most of the time, or is nearest to; 0 for none."""
    last = np.array(index.shape)[::-1, None] - 1
    inside = ((places >= -0.5) & (places <= last + 0.5)).all(0)
    columns, rows = np.clip(np.rint(places[:, inside]), 0, last).astype(int)
    counts = np.bincount(index[rows, columns], minlength=1)
    counts[0] = 0
    if counts.any():
        return int(counts.argmax())
    column, row = np.median(places, axis=1)
    top, left = max(0, int(row) - REACH), max(0, int(column) - REACH)
    near = index[top : max(0, int(row) + REACH + 2), left : max(0, int(column) + REACH + 2)]
    found = np.argwhere(near)
    if not len(found):
        return 0
    distances = np.hypot(*(found + np.array([top - row, left - column])).T)
    nearest = distances.argmin()
    return int(near[tuple(found[nearest])]) if distances[nearest] < REACH else 0
