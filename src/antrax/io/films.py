"""Video files of movies: finding them, and reading single frames. The only module that uses OpenCV's decoder.

A film lies in `videos/`, in the subfolder that the movie table tells or anywhere below, and is called as the movie is.
Films are optional: whatever shows them works without, and says what is missing.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.regular_files import is_regular

if TYPE_CHECKING:
    from antrax.io.session import Session

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".wmv", ".webm", ".ts")
_OPENCV = "OpenCV, which reads films, cannot be loaded; type `pip install opencv-python-headless`"


def find_film(session: Session, movie: int) -> Path | None:
    """The film of a movie; None where there is none, or the movie table does not tell its name."""
    entry = session.movies.get(movie)
    if entry is None or not entry.name:
        return None
    videos = session.experiment / "videos"
    for folder in dict.fromkeys((videos / entry.subdir, videos)):
        if path := _in_folder(folder, entry.name):
            return path
    # one level below: a table that does not tell subfolders
    with contextlib.suppress(OSError):
        for folder in sorted(path for path in videos.iterdir() if path.is_dir()):
            if path := _in_folder(folder, entry.name):
                return path
    return None


def _in_folder(folder: Path, name: str) -> Path | None:
    try:
        files = sorted(entry.name for entry in os.scandir(folder))
    except OSError:
        return None
    for file in files:
        path = folder / file
        if path.stem == name and path.suffix.lower() in SUFFIXES and is_regular(path):
            return path
    return None


def why_no_film(session: Session, movie: int) -> str | None:
    """Reason why frames of a movie's film cannot be shown, a sentence; None if they can."""
    if find_film(session, movie) is None:
        entry = session.movies.get(movie)
        name = f"{entry.name}.mp4" if entry and entry.name else f"the film of movie {movie}"
        return f"There is no film: put {name} into {session.experiment / 'videos'} to see it here."
    try:
        _opencv()
    except ExperimentError as error:
        return str(error)
    return None


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise ExperimentError(_OPENCV) from None
    return cv2


class Film:
    """A film, open for reading frames. Safe to use from several threads.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ExperimentError
        It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        cv2 = _opencv()
        self.path = path
        self._lock = threading.Lock()
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise ExperimentError(
                f"{path} is damaged or of a kind that OpenCV does not read; convert it to MP4 (H.264)"
            )
        self.frames = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def read(self, frame: int) -> NDArray[np.uint8]:
        """A frame, (rows, columns, rgb).

        Parameters
        ----------
        frame : int
            From 1.

        Raises
        ------
        ExperimentError
            The film has no such frame, or is damaged there.
        """
        cv2 = _opencv()
        with self._lock:
            if int(self._capture.get(cv2.CAP_PROP_POS_FRAMES)) != frame - 1:
                self._capture.set(cv2.CAP_PROP_POS_FRAMES, frame - 1)
            is_read, image = self._capture.read()
        if not is_read:
            raise ExperimentError(f"{self.path} has no frame {frame} that can be read; it has {self.frames} frames")
        found: NDArray[np.uint8] = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        return found

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._capture.release()


def outline_blob(
    image: NDArray[np.uint8],
    background: NDArray[np.uint8] | None,
    box: tuple[float, float, float, float],
    threshold: float,
    *,
    light: bool = False,
) -> list[NDArray[np.int32]]:
    """Outlines of the foreground in a box, segmented as in tracking; without a background image, the box itself.

    Parameters
    ----------
    image : (rows, columns, 3) array of uint8
        A frame.
    background : (rows, columns, 3) array of uint8, optional
        The arena without animals; of another size it counts as none.
    box : (float, float, float, float)
        Left, top, width, height in pixels.
    threshold : float
        Difference of grey values of what is an animal, as a share of the full scale.
    light : bool
        Animals are lighter than the background.

    Returns
    -------
    list of (n, 2) array of int32
        x, y of corners.
    """
    cv2 = _opencv()
    rows, columns = image.shape[:2]
    left, top = max(0, int(box[0]) - 2), max(0, int(box[1]) - 2)
    right, bottom = min(columns, int(box[0] + box[2]) + 3), min(rows, int(box[1] + box[3]) + 3)
    corners = [[left, top], [right - 1, top], [right - 1, bottom - 1], [left, bottom - 1]]
    whole = [np.array(corners, np.int32)]
    if background is None or background.shape != image.shape or left >= right or top >= bottom:
        return whole
    part = (slice(top, bottom), slice(left, right))
    change = background[part].mean(2) - image[part].mean(2)
    mask = ((-change if light else change) > threshold * 255).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left, top))
    # specks of a few pixels are noise of the camera
    found = [contour[:, 0].astype(np.int32) for contour in contours if cv2.contourArea(contour) >= 4]
    return found or whole
