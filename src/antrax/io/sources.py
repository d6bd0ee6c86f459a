"""Protocol of tracklet sources: any tracker whose tracklets and blob images can be read.

anTraX's image stacks are the first source. Another tracker's files are read by a class of this protocol that is put
into `SOURCES`; classification, review and `iter_tracklets` read through it. A source is sent to worker processes, so it
has to be picklable: keep no open files in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from antrax.errors import StackError
from antrax.io.layout import movie_file
from antrax.io.names import TrackletName
from antrax.io.stacks import open_stack, read_frame_passed

if TYPE_CHECKING:
    from antrax.io.session import Session


class TrackletImages(Protocol):
    """The tracklets of one open file."""

    def tracklets(self) -> Sequence[TrackletName]:
        """The tracklets in the file's order. Their names may have any form, but are unique in a session."""
        ...

    def count(self, tracklet: str) -> int:
        """Number of images of a tracklet."""
        ...

    def size(self, tracklet: str) -> int:
        """Side length S of the images of a tracklet, in pixels."""
        ...

    def read(self, tracklet: str, start: int = 0, stop: int | None = None) -> NDArray[np.uint8]:
        """Images of a tracklet, shape (N, S, S, 3), rgb, the background 0. Raises `StackError`.

        Parameters
        ----------
        tracklet : str
            Name of the tracklet.
        start : int, optional
            First image, from 0.
        stop : int, optional
            The image after the last one; all by default.
        """
        ...

    def pieces(self, tracklet: str) -> Iterator[NDArray[np.uint8]]:
        """All images of a tracklet in order, in pieces small enough to hold in memory."""
        ...


class TrackletSource(Protocol):
    """Reads the tracklets of a session in the format of one tracker. See the module's docstring."""

    def reads(self, session: Session) -> bool:
        """Whether this source knows the session's files."""
        ...

    def files(self, session: Session) -> Mapping[int, tuple[Path, ...]]:
        """Files with images by movie, in order of the movies; several where a movie was tracked in parts."""
        ...

    def open(self, path: Path) -> AbstractContextManager[TrackletImages]:
        """Open one of these files. Raises `StackError`."""
        ...

    def passed(self, session: Session, path: Path, tracklets: Iterable[str]) -> Mapping[str, NDArray[np.bool_]]:
        """For some tracklets of a file, which images show a blob of plausible size and shape; where that is known.

        An array that is not as long as the tracklet has images, as an empty one for what is damaged, is not used, and
        that is told.

        Parameters
        ----------
        session : Session
            The session.
        path : Path
            File with images.
        tracklets : iterable of str
            Names of tracklets in that file.

        Raises
        ------
        StackError
            The file of plausible blobs cannot be read. The tracklets are classified all the same, with one warning.
        """
        return {}

    def colony(self, session: Session, tracklet: TrackletName) -> str | None:
        """The colony of a tracklet; None where the source does not tell, and masks of colonies do."""
        return None


class AntraxStacks(TrackletSource):
    """`images_<m>.mat`, the image stacks of anTraX."""

    def reads(self, session: Session) -> bool:
        """Always True: the fallback for every session."""
        return True

    def files(self, session: Session) -> Mapping[int, tuple[Path, ...]]:
        """See `TrackletSource.files`."""
        return session.stacks

    def open(self, path: Path) -> AbstractContextManager[TrackletImages]:
        """See `TrackletSource.open`."""
        return open_stack(path)

    def passed(self, session: Session, path: Path, tracklets: Iterable[str]) -> Mapping[str, NDArray[np.bool_]]:
        """From `frame_passed_<m>.mat`."""
        return read_frame_passed(session.companion(path, "frame_passed"), tracklets)


SOURCES: list[TrackletSource] = [AntraxStacks()]
"""Sources in the order in which they are asked whether they read a session; put others in front."""


def source_of(session: Session) -> TrackletSource:
    """The source that reads a session: the first of `SOURCES` that knows its files."""
    return next(source for source in SOURCES if source.reads(session))


@dataclass(frozen=True)
class MoviePart:
    """A file with images of a movie, and the source that reads it; can be sent to another process.

    Parameters
    ----------
    source : TrackletSource
    session : Session
    path : Path
    """

    source: TrackletSource
    session: Session
    path: Path

    def open(self) -> AbstractContextManager[TrackletImages]:
        """Open the file. Raises `StackError`."""
        return self.source.open(self.path)

    def passed(self, tracklets: Iterable[str]) -> Mapping[str, NDArray[np.bool_]]:
        """See `TrackletSource.passed`."""
        return self.source.passed(self.session, self.path, tracklets)


def movie_parts(session: Session) -> dict[int, tuple[MoviePart, ...]]:
    """The files with images of a session by movie."""
    source = source_of(session)
    return {
        movie: tuple(MoviePart(source, session, path) for path in paths)
        for movie, paths in source.files(session).items()
    }


def check_parts(parts: Sequence[MoviePart]) -> None:
    """Raise StackError where the files of a movie contradict one another: a whole beside parts, or one part twice.

    One of them is a left-over of an earlier tracking, and nothing tells which.
    """
    found: dict[int | None, Path] = {}
    for part in parts:
        place = movie_file(part.path.name, "images")
        if place is None:
            return
        number = place[1] if "_p" in part.path.stem else None
        other = found.get(number) or (next(iter(found.values()), None) if None in {number, *found} else None)
        if other is not None:
            raise StackError(
                f"{other} and {part.path.name} are both of movie {place[0]}; move away the one that is not of the "
                "last tracking"
            )
        found[number] = part.path
