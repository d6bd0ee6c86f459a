"""Index of the tracklets of a session that have images: a listing for each movie, made when first needed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from antrax.errors import ExperimentError, StackError
from antrax.io.names import LONGEST_NAME, TrackletName, parse_tracklet_name
from antrax.io.regular_files import read_regular
from antrax.io.session import Session
from antrax.io.sources import AntraxStacks, TrackletSource, source_of

# Some file systems tell time in steps of two seconds: what changed just now may change again unseen.
_CLOCK_STEP_NS = 2_000_000_000
# Remembered listings, a file a stack, some 50 kB each for movies of 10,000 tracklets.
_MOST_REMEMBERED = 5000

_State = tuple[int, int]  # time of the last change in ns, size in bytes


@dataclass(frozen=True, slots=True)
class MovieIndex:
    """The tracklets of a movie that have images.

    Parameters
    ----------
    movie : int
    names : tuple of TrackletName
        In time: by first frame, last frame, id.
    paths : tuple of Path
        The stack that each lies in; several where the movie was tracked in parts.
    """

    movie: int
    names: tuple[TrackletName, ...]
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _MovieCatalog:
    stacks: tuple[tuple[Path, _State], ...]
    index: MovieIndex
    places: dict[str, int]


class Catalog:
    """The tracklets of a session, movie by movie; notices stacks that came, went or changed. Thread-safe.

    Parameters
    ----------
    session : Session
    memory : Path, optional
        Folder in which listings are remembered between runs: on a network drive, listing a large stack takes
        seconds. Whatever is wrong with it, listings are then made anew.
    """

    def __init__(self, session: Session, memory: Path | None = None) -> None:
        self._session = session
        self._memory = memory
        self._lock = threading.RLock()
        self._folder_state: int | None = None
        self._source: TrackletSource = source_of(session)
        self._stacks: dict[int, tuple[Path, ...]] = {}
        self._version = ""
        self._listings: dict[int, _MovieCatalog] = {}
        self._pruned = False

    @property
    def movies(self) -> tuple[int, ...]:
        """Movies that have a stack, sorted.

        Raises
        ------
        ExperimentError
            The session's folder is gone or cannot be read.
        """
        with self._lock:
            return tuple(self._look_up())

    def movie(self, movie: int) -> MovieIndex:
        """The tracklets of a movie.

        Raises
        ------
        ExperimentError
            The movie has no stack, or the session cannot be read.
        StackError
            A stack of the movie is damaged.
        """
        with self._lock:
            return self._listing(movie).index

    def find(self, tracklet: str) -> tuple[TrackletName, Path]:
        """A tracklet by its name, and the stack that it lies in.

        The name only ever is compared with those of the stacks, so it may come from anywhere.

        Raises
        ------
        ExperimentError
            There is no such tracklet.
        StackError
            A stack of its movie is damaged.
        """
        name = parse_tracklet_name(tracklet) if len(tracklet) <= LONGEST_NAME else None
        with self._lock:
            there = self._look_up()
            # names of anTraX tell the movie, those of other trackers may have any form
            movies = there if not isinstance(self._source, AntraxStacks) else [name.movie] if name else []
            for movie in (movie for movie in movies if movie in there):
                listing = self._listing(movie)
                place = listing.places.get(tracklet)
                if place is not None:
                    return listing.index.names[place], listing.index.paths[place]
        raise ExperimentError(f"{self._session.path} has no tracklet {tracklet[:LONGEST_NAME]!r} with images")

    def _look_up(self) -> dict[int, tuple[Path, ...]]:
        """Stacks by movie, looked for anew when files came or went."""
        self._source = source_of(self._session)
        if not isinstance(self._source, AntraxStacks):
            self._update(self._source.files(self._session))
            return self._stacks
        folder = self._session.layout.images
        try:
            state = folder.stat().st_mtime_ns
        except FileNotFoundError:
            if not self._session.path.is_dir():
                raise ExperimentError(f"{self._session.path} is gone; is its drive still connected?") from None
            state = 0
        except OSError as error:
            raise ExperimentError(f"{folder} cannot be read: {error.strerror}") from None
        if state != self._folder_state:
            self._update(self._source.files(self._session))
            self._folder_state = state if time.time_ns() - state > _CLOCK_STEP_NS else None
        return self._stacks

    def _update(self, stacks: Mapping[int, tuple[Path, ...]]) -> None:
        self._stacks = dict(stacks)
        for movie in self._listings.keys() - self._stacks.keys():
            del self._listings[movie]
        self._version = _version_of(self._stacks)

    @property
    def version(self) -> str:
        """Another whenever a stack came, went or was replaced; what only changes inside a file is not looked for.

        Raises
        ------
        ExperimentError
            As `movies`.
        """
        with self._lock:
            self._look_up()
            return self._version

    def _listing(self, movie: int) -> _MovieCatalog:
        stacks = self._look_up().get(movie)
        if not stacks:
            raise ExperimentError(f"movie {movie} has no images in {self._session.layout.images}")
        states = tuple((path, _state(path)) for path in stacks)
        known = self._listings.get(movie)
        if known is None or known.stacks != states:
            known = self._listings[movie] = self._list(movie, states)
        return known

    def _list(self, movie: int, stacks: tuple[tuple[Path, _State], ...]) -> _MovieCatalog:
        found: dict[str, tuple[TrackletName, Path]] = {}
        for path, state in stacks:
            for name in self._names(path, state):
                # a name that says another movie could never be found again by its name
                if name.movie == movie:
                    found.setdefault(name.name, (name, path))
        ordered = sorted(found.values(), key=lambda item: (item[0].first, item[0].last, item[0].id))
        index = MovieIndex(movie, tuple(name for name, _ in ordered), tuple(path for _, path in ordered))
        return _MovieCatalog(stacks, index, {name.name: place for place, name in enumerate(index.names)})

    def _names(self, path: Path, state: _State) -> list[TrackletName]:
        # what is remembered are names that tell all the rest
        memory = isinstance(self._source, AntraxStacks)
        remembered = self._recall(path, state) if memory else None
        if remembered is not None:
            return remembered
        with self._source.open(path) as stack:
            names = list(stack.tracklets())
        if memory:
            self._remember(path, state, names)
        return names

    def _memory_file(self, path: Path) -> Path | None:
        digest = hashlib.blake2b(str(path).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return self._memory / f"{digest}.names" if self._memory else None

    def _recall(self, path: Path, state: _State) -> list[TrackletName] | None:
        file = self._memory_file(path)
        if file is None:
            return None
        # zlib's checksum tells damage
        with contextlib.suppress(OSError, zlib.error, ValueError):
            header, *lines = zlib.decompress(read_regular(file)).decode().split("\n")
            if header == _header(path, state, len(lines)):
                names = [name for line in lines if (name := parse_tracklet_name(line))]
                if len(names) == len(lines):
                    return names
        return None

    def _remember(self, path: Path, state: _State, names: list[TrackletName]) -> None:
        file = self._memory_file(path)
        if file is None or not names or time.time_ns() - state[0] < _CLOCK_STEP_NS:
            return
        content = "\n".join([_header(path, state, len(names)), *(name.name for name in names)])
        temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
        # Not `files.replacing`: what can be made again need not be on the disk for sure, which takes long for many.
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(zlib.compress(content.encode(), 1))
            temporary.replace(file)
            self._prune(file.parent)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _prune(self, folder: Path) -> None:
        """Remove the oldest stored listings if there are very many; done once a run."""
        if self._pruned:
            return
        self._pruned = True
        files = [path for path in folder.iterdir() if path.suffix == ".names"]
        if len(files) > _MOST_REMEMBERED:
            files.sort(key=lambda path: path.stat().st_mtime_ns)
            for path in files[: len(files) - _MOST_REMEMBERED]:
                path.unlink(missing_ok=True)


def _version_of(stacks: Mapping[int, tuple[Path, ...]]) -> str:
    """Version of the present stacks."""
    states: list[tuple[str, _State | None]] = []
    for path in (path for _, paths in sorted(stacks.items()) for path in paths):
        try:
            states.append((path.name, _state(path)))
        except StackError:
            states.append((path.name, None))
    return hashlib.blake2b(repr(states).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _state(path: Path) -> _State:
    try:
        found = path.stat()
    except OSError as error:
        raise StackError(f"{path} cannot be read: {error.strerror}") from None
    return found.st_mtime_ns, found.st_size


def _header(path: Path, state: _State, count: int) -> str:
    return json.dumps([str(path), *state, count])
