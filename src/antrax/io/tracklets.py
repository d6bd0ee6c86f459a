"""Tracklets and their blob images, one by one, for use from Python."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.names import TrackletName
from antrax.io.session import Session, absolute_frame, as_session
from antrax.io.sources import MoviePart, movie_parts


@dataclass(frozen=True)
class Tracklet:
    """A tracklet that has images.

    Parameters
    ----------
    name : TrackletName
        Its name, taken apart: movie and frames.
    part : MoviePart
        The file that its images lie in, and what reads it.
    count : int
        Number of images.
    first_frame, last_frame : int or None
        Absolute frames (1-based); None where the movie table does not tell.
    """

    name: TrackletName
    part: MoviePart
    count: int
    first_frame: int | None
    last_frame: int | None

    def images(self) -> NDArray[np.uint8]:
        """All its images, shape (count, S, S, 3), rgb, the background 0. Raises `StackError`."""
        with self.part.open() as stack:
            return np.ascontiguousarray(stack.read(self.name.name))

    @property
    def stack(self) -> Path:
        """The file that its images lie in."""
        return self.part.path


def iter_tracklets(
    session: Session | str | os.PathLike[str], movies: Iterable[int] | None = None
) -> Iterator[Tracklet]:
    """The tracklets of a session that have images, movie by movie.

    Parameters
    ----------
    session : Session or path
        The session; of an experiment's folder, the latest session.
    movies : iterable of int, optional
        All movies with an image stack by default.

    Yields
    ------
    Tracklet
        In the order of the movies' stacks; images are read when they are asked for.

    Raises
    ------
    ExperimentError
        A movie has no image stack.
    StackError
        A stack is damaged.

    Examples
    --------
    >>> session = antrax.open_session("colony1")  # doctest: +SKIP
    >>> next(antrax.iter_tracklets(session)).images().shape  # images, rows, columns, rgb  # doctest: +SKIP
    (31, 48, 48, 3)
    """
    session = as_session(session)
    parts, table = movie_parts(session), session.movies
    for movie in parts if movies is None else movies:
        if movie not in parts:
            raise ExperimentError(f"{session.path} has no image stack of movie {movie}")
        for part in parts[movie]:
            with part.open() as stack:
                for name in stack.tracklets():
                    if count := stack.count(name.name):
                        first, last = (absolute_frame(table, movie, frame) for frame in (name.first, name.last))
                        yield Tracklet(name, part, count, first, last)
