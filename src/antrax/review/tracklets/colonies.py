"""Colonies of tracklets, in experiments with several colonies.

`parameters/masks/colony_index_mask.png` tells: a pixel is 0 outside of all colonies, else the number of the colony,
whose name is that place of `geometry_colony_labels` (C1, C2, … where there are no names). A tracklet belongs to the
colony whose number stands at its rounded centroids, frames outside of all colonies left out; where the numbers differ,
to none.

Without that file, the colonies' own masks are taken (`colony_A.png`, `A.png`, `mask-A.png`; non-zero inside), if there
is one for each; else the separate areas of `roimask.png`, numbered from top to bottom or from left to right as the
session's parameters say.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from antrax.errors import ExperimentError, TrdataError
from antrax.io.names import TrackletName, parse_tracklet_name
from antrax.io.parameters import Parameters
from antrax.io.regular_files import open_regular
from antrax.io.session import Session
from antrax.io.sources import source_of
from antrax.io.trdata import read_centroids, trdata_files

# Pictures of all colonies that lie beside the masks: never the mask of a colony, whatever its label.
_NO_MASKS = frozenset({"colony_index_mask.png", "colony_color_map.png", "colony_label_map.png"})
# How Pillow calls grey images of 16 bits; of all others it keeps the upper 8.
_SIXTEEN_BITS = frozenset({"I", "I;16", "I;16B", "I;16L"})
_STEP_OF_DEPTH = {2: 85, 4: 17}
_NOT_KNOWN = "so colonies are not known"
_LARGEST_MASK = 2**28
# By which of x and y areas are numbered first: they are sorted by 1000 times it, plus the other one.
_ORDERS = {"Vertical": 1, "Horizontal": 0}


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
        self._index: NDArray[np.int64] | None = None  # 0 outside, 1 for the first colony, and so on
        try:
            parameters = session.parameters
            if parameters.multi_colony:
                self.names = _names(session, parameters)
                self._index = _read_masks(session, parameters, self.names)
        except ExperimentError as error:
            self.problem = str(error)

    def of(self, tracklet: str | TrackletName) -> str | None:
        """Colony of a tracklet; None where that is not known."""
        name = parse_tracklet_name(tracklet) if isinstance(tracklet, str) else tracklet
        return self.of_movie(name.movie, [name])[name.name] if name else None

    def of_movie(self, movie: int, tracklets: Sequence[str | TrackletName]) -> Mapping[str, str | None]:
        """Colony of each of some tracklets of a movie, by name.

        It is what their source tells, else what their positions tell; None where these tell none, or several.
        """
        names = [tracklet if isinstance(tracklet, str) else tracklet.name for tracklet in tracklets]
        with self._lock:
            unknown = [
                (name, tracklet) for name, tracklet in zip(names, tracklets, strict=True) if name not in self._known
            ]
            if unknown:
                self._known |= self._told(unknown)
                self._known |= self._placed(movie, [name for name, _ in unknown if self._known.get(name) is None])
            return {name: self._known[name] for name in names}

    def _told(self, tracklets: Iterable[tuple[str, str | TrackletName]]) -> dict[str, str | None]:
        """Colonies according to the source of the tracklets."""
        source = source_of(self._session)
        parsed = {name: parse_tracklet_name(one) if isinstance(one, str) else one for name, one in tracklets}
        return {name: source.colony(self._session, one) if one else None for name, one in parsed.items()}

    def _placed(self, movie: int, tracklets: Sequence[str]) -> dict[str, str | None]:
        """Colonies according to the masks at the positions of tracklets."""
        found: dict[str, str | None] = dict.fromkeys(tracklets)
        if self._index is None or not tracklets:
            return found
        try:
            paths = trdata_files(self._session, movie)
        except TrdataError:
            return found
        for path in paths:
            for name, places in read_centroids(path, tracklets).items():
                number = _at(places, self._index) if places is not None else 0
                found[name] = self.names[number - 1] if number else None
        return found


def _names(session: Session, parameters: Parameters) -> tuple[str, ...]:
    """Names of the colonies, the first that of number 1."""
    if names := parameters.colony_labels:
        return names
    number = _highest_index(session)
    if not number:
        raise ExperimentError(
            f"{parameters.path} says that there are several colonies, but geometry_colony_labels does not name each of "
            "them"
        )
    return tuple(f"C{n}" for n in range(1, number + 1))


def _highest_index(session: Session) -> int:
    path = session.layout.colony_index_mask
    return int(_read_pixels(path).max(initial=0)) if path.is_file() else 0


def _read_masks(session: Session, parameters: Parameters, names: tuple[str, ...]) -> NDArray[np.int64]:
    """Number of the colony at each pixel, 0 for none; shape (rows, columns)."""
    folder = session.layout.masks
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".png" and path.name[0] != ".")
    except OSError as error:
        raise ExperimentError(f"{folder} cannot be read, {_NOT_KNOWN}: {error.strerror}") from None
    mask = session.layout.colony_index_mask
    if mask.is_file():
        index = _read_pixels(mask)
        if (highest := int(index.max(initial=0))) > len(names):
            raise ExperimentError(
                f"{mask} has a colony number {highest}, but geometry_colony_labels in prmtrs.json names "
                f"{len(names)} only, {_NOT_KNOWN}"
            )
        return index
    found = {name: [path for path in paths if _is_mask_of(path, name)] for name in names}
    if all(len(files) == 1 for files in found.values()):
        return _combined({name: files[0] for name, files in found.items()})
    if not (session.layout.roi_mask).is_file():
        missing = ", ".join(name for name, files in found.items() if len(files) != 1)
        raise ExperimentError(
            f"{folder} has no {mask.name}, and no mask for colony {missing}: one PNG per colony is needed, named "
            "after it"
        )
    return _areas(session.layout.roi_mask, parameters, len(names))


def _is_mask_of(path: Path, name: str) -> bool:
    """Whether a file is named after a colony: `colony_A.png`, `mask-A.png`, `A.png`."""
    if path.name in _NO_MASKS:
        return False
    return re.fullmatch(rf"(?:(?:colony|mask)[^0-9A-Za-z]+)?{re.escape(name)}", path.stem) is not None


def _combined(masks: Mapping[str, Path]) -> NDArray[np.int64]:
    """One mask a colony as one of numbers."""
    index: NDArray[np.int64] | None = None
    for number, path in enumerate(masks.values(), 1):
        mask = _read_mask(path)
        index = np.zeros(mask.shape, np.int64) if index is None else index
        if mask.shape != index.shape:
            raise ExperimentError(f"{path} is not of the size of the other colonies' masks")
        if (index[mask] > 0).any():
            raise ExperimentError(f"{path} overlaps the mask of another colony, {_NOT_KNOWN}")
        index[mask] = number
    assert index is not None
    return index


def _areas(path: Path, parameters: Parameters, colonies: int) -> NDArray[np.int64]:
    """The separate areas of a mask, numbered in the order that the session's parameters give."""
    import cv2

    count, index, _, centres = cv2.connectedComponentsWithStats(_read_mask(path).astype(np.uint8), connectivity=8)
    expected = parameters.colony_count or colonies
    order, shift = parameters.colony_order, parameters.colony_shift
    if count - 1 != expected or expected > colonies or order not in _ORDERS or shift:
        raise ExperimentError(
            f"{path} has {count - 1} separate areas for {colonies} colonies, numbered {order!r}, shifted by {shift}; "
            "it is not clear which is which: put colony_index_mask.png, or one PNG per colony named after it, beside it"
        )
    numbers = np.zeros(count, np.int64)
    rank = _rank(np.asarray(centres[1:], np.float64) + 1, _ORDERS[order])
    numbers[1:] = 1 + np.argsort(np.argsort(rank, kind="stable"))
    return np.asarray(numbers[index])


def _rank(centres: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """By what areas are sorted, from their centroids (x, y); those in a row, or a column, need not lie exactly so."""
    if len(centres) > 1:
        distances = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1))
        step = distances[np.triu_indices(len(centres), 1)].min() / 4
        centres = np.floor(centres / step + 0.5) * step
    return 1000 * centres[:, first] + centres[:, 1 - first]


def _read_pixels(path: Path) -> NDArray[np.int64]:
    """The numbers in an image: of its one channel, of three that are alike, or of the places in a palette.

    Editors save images of one channel in other ways: in colour, with a palette, with an alpha channel. A pixel that is
    not opaque is 0: nothing was drawn there.
    """
    try:
        with open_regular(path, _LARGEST_MASK) as file, Image.open(file, formats=("PNG",)) as image:
            mode, depth = image.mode, _bit_depth(file)
            palette = np.asarray(image.getpalette("RGB") or [], np.int64).reshape(-1, 3) if mode == "P" else None
            opacity = np.asarray(image.convert("RGBA"))[..., 3] if image.has_transparency_data else None
            pixels = np.asarray(image).astype(np.int64)
    except Exception as error:  # Pillow may raise any exception for a damaged file
        raise ExperimentError(f"{path} cannot be read, {_NOT_KNOWN}: {error}") from None
    if depth == 16 and mode not in _SIXTEEN_BITS:
        raise ExperimentError(f"{path} has colours of 16 bits, {_NOT_KNOWN}; save it as a grey image")
    if mode == "L" and depth in _STEP_OF_DEPTH:  # Pillow spreads few greys from black to white
        pixels //= _STEP_OF_DEPTH[depth]
    if palette is not None:
        # the numbers are the places in the palette, unless this is a palette of greys in another order
        used = np.unique(pixels)
        greys = palette[used] if len(palette) > used.max(initial=0) else np.zeros((0, 3), np.int64)
        if len(greys) and (greys == greys[:, :1]).all() and (greys[:, 0] != used).any():
            raise ExperimentError(
                f"{path} has a palette of greys: whether colonies have the numbers of greys or of places in it is "
                f"not plain, {_NOT_KNOWN}; save it as a grey image without a palette"
            )
    elif pixels.ndim == 3:
        colours = pixels[..., : 3 if pixels.shape[-1] > 2 else 1]
        shown = colours if opacity is None else colours[opacity > 0]
        if (shown != shown[..., :1]).any():
            raise ExperimentError(f"{path} has colours, where the numbers of colonies are expected, {_NOT_KNOWN}")
        pixels = colours[..., 0]
    if opacity is not None:
        if ((opacity > 0) & (opacity < 255) & (pixels > 0)).any():
            raise ExperimentError(f"{path} is transparent in part, {_NOT_KNOWN}; save it without an alpha channel")
        pixels = np.where(opacity > 0, pixels, 0)
    return pixels


def _bit_depth(file: BinaryIO) -> int:
    """Bits of a channel of a PNG file, as its header says."""
    file.seek(24)
    return file.read(1)[0]


def _read_mask(path: Path) -> NDArray[np.bool_]:
    try:
        with open_regular(path, _LARGEST_MASK) as file, Image.open(file, formats=("PNG",)) as image:
            pixels = np.asarray(image.convert("RGB") if image.mode in ("P", "RGBA", "LA") else image)
    except Exception as error:
        raise ExperimentError(f"{path} cannot be read, {_NOT_KNOWN}: {error}") from None
    return (pixels if pixels.ndim == 2 else pixels.max(-1)) > 0


def _at(places: NDArray[np.float64], index: NDArray[np.int64]) -> int:
    """Number of the one colony that a blob is in whenever it is in any; 0 for none."""
    # as MATLAB rounds: halves away from zero
    columns, rows = np.floor(np.clip(places, -1, 2**30) + 0.5).astype(np.int64) - 1
    inside = (rows >= 0) & (rows < index.shape[0]) & (columns >= 0) & (columns < index.shape[1])
    numbers = np.unique(index[rows[inside], columns[inside]])
    numbers = numbers[numbers > 0]
    return int(numbers[0]) if len(numbers) == 1 else 0
