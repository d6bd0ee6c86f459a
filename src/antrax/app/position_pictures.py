"""Pictures of positions: images of tracklets, the arena, and frames of films with the blob outlined."""

from __future__ import annotations

import contextlib
import io
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from antrax.app.sheets import make_sheet
from antrax.errors import AntraxError, ExperimentError, OptionError, StackError
from antrax.io.films import Film, find_film, outline_blob, why_no_film
from antrax.io.session import Session
from antrax.io.sources import source_of
from antrax.io.trdata import read_box
from antrax.plots.run import read_background
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.tiles import read_images

_FILMS_OPEN = 2
_LARGEST_ARENA, _LARGEST_FILM = 1600, 1280
_MOST_IMAGES = 64


class PositionPictures:
    """Pictures of one session's positions. Safe to use from several threads.

    Parameters
    ----------
    session : Session
    catalog : Catalog
    """

    def __init__(self, session: Session, catalog: Catalog) -> None:
        self._session = session
        self._catalog = catalog
        self._films: OrderedDict[Path, Film] = OrderedDict()
        self._lock = threading.Lock()

    def images(self, tracklet: str, images: str) -> bytes:
        """A PNG of some images of a tracklet, in the order in which they are named. Raises `AntraxError`."""
        try:
            wanted = [int(text) for text in images.split(",")]
        except ValueError:
            raise OptionError(f"{images[:40]!r} are no numbers of images") from None
        if len(wanted) > _MOST_IMAGES:
            raise OptionError(f"{len(wanted)} images are more than {_MOST_IMAGES}")
        _, path = self._catalog.find(tracklet)
        with source_of(self._session).open(path) as stack:
            count = stack.count(tracklet)
            if min(wanted) < 0 or max(wanted) >= count:
                raise StackError(f"{tracklet} has {count} images")
            found = read_images(stack, tracklet, wanted)
        return make_sheet(found)

    def arena(self) -> bytes:
        """The background image as a JPEG. Raises `ExperimentError` where there is none."""
        background = read_background(self._session)
        if background is None:
            raise ExperimentError(f"{self._session.layout.backgrounds} has no image of the arena")
        return _jpeg(background, _LARGEST_ARENA)

    def film(self, movie: int, movie_frame: int, tracklet: str, x: float, y: float, side: int) -> bytes:
        """A frame of the film with the blob outlined, as a JPEG. Raises `AntraxError`.

        Parameters
        ----------
        movie, movie_frame : int
            The frame counts from 1 in the movie.
        tracklet : str
            The blob; empty for none.
        x, y : float
            The middle of the part that is wanted, in pixels.
        side : int
            Its side in pixels; 0 for the whole frame.
        """
        path = find_film(self._session, movie)
        if path is None:
            raise ExperimentError(why_no_film(self._session, movie) or "")
        image = self._open_film(path).read(movie_frame)
        rows, columns = image.shape[:2]
        if tracklet and (box := self._box(movie, tracklet, movie_frame)):
            self._outline(image, box)
        if side:
            left = int(min(max(0, x - side / 2), max(0, columns - side)))
            top = int(min(max(0, y - side / 2), max(0, rows - side)))
            image = image[top : top + side, left : left + side]
        return _jpeg(image, _LARGEST_FILM)

    def _box(self, movie: int, tracklet: str, movie_frame: int) -> tuple[float, float, float, float] | None:
        with contextlib.suppress(AntraxError):  # a frame without an outline is better than none
            return read_box(self._session, movie, tracklet, movie_frame)
        return None

    def _outline(self, image: NDArray[np.uint8], box: tuple[float, float, float, float]) -> None:
        import cv2

        threshold = 0.14
        with contextlib.suppress(ExperimentError):
            threshold = self._session.parameters.positive("segmentation_threshold") or threshold
        background = read_background(self._session)
        lines = outline_blob(image, background, box, threshold, light=self._session.shown_inverted)
        cv2.polylines(image, lines, isClosed=True, color=(255, 64, 160), thickness=1)

    def _open_film(self, path: Path) -> Film:
        with self._lock:
            if path not in self._films:
                self._films[path] = Film(path)
            self._films.move_to_end(path)
            while len(self._films) > _FILMS_OPEN:
                self._films.popitem(last=False)[1].close()
            return self._films[path]


def _jpeg(image: NDArray[np.uint8], largest: int) -> bytes:
    made = Image.fromarray(np.ascontiguousarray(image))
    made.thumbnail((largest, largest))
    file = io.BytesIO()
    made.save(file, "JPEG", quality=88)
    return file.getvalue()
