"""The positions of a session on disk, read again when the files change."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError
from antrax.io.antdata import antdata_colonies, read_antdata, xy_file
from antrax.io.positions import KIND_NAMES, Kind, MoviePositions
from antrax.io.positions_table import count_placed, read_table, solved_movies
from antrax.io.regular_files import open_regular
from antrax.io.session import Session
from antrax.io.solving_record import read_solving_record

_MOVIES_KEPT = 6

_State = tuple[int, int, int]


@dataclass(frozen=True)
class Cell:
    """An animal and a frame.

    Parameters
    ----------
    movie, frame : int
        The frame is absolute, from 1.
    id, colony : str
        The animal; the colony is empty where there is one.
    """

    movie: int
    frame: int
    id: str
    colony: str


@dataclass(frozen=True)
class Placement:
    """Placement of an animal at a frame in a solution.

    Parameters
    ----------
    cell : Cell
    movie_frame : int
        From 1.
    x, y : float
        In pixels.
    kind : str
        As in tables of positions.
    confidence : float or None
    tracklet : str
        Empty where the solution does not tell.
    alternative : str
        IDs that it may be instead, separated by ``|``.
    """

    cell: Cell
    movie_frame: int
    x: float
    y: float
    kind: str
    confidence: float | None
    tracklet: str
    alternative: str


class Solved:
    """Positions of a session. Thread-safe.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._lock = threading.RLock()
        self._files: dict[int, tuple[Path, ...]] = {}
        self._states: dict[Path, _State] = {}
        self._digests: dict[tuple[Path, _State], bytes] = {}
        self._counts: dict[tuple[tuple[Path, _State], ...], int] = {}
        self._movies: OrderedDict[tuple[tuple[Path, _State], ...], MoviePositions] = OrderedDict()
        self.refresh()

    def refresh(self) -> str:
        """Detect changed files; returns the version of this state, empty if nothing is solved."""
        files = {}
        states = {}
        try:
            movies = solved_movies(self.session)
        except ExperimentError:
            movies = []
        own = self.session.layout.files("positions") if movies else {}
        colonies = antdata_colonies(self.session)
        for movie in movies:
            paths = own.get(movie) or tuple(xy_file(self.session, movie, colony) for colony in colonies)
            for path in paths:
                try:
                    status = path.stat()
                except OSError:
                    continue
                states[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
            files[movie] = tuple(path for path in paths if path in states)
        with self._lock:
            self._files, self._states = files, states
        return hashlib.blake2b(repr(sorted(states.items())).encode(), digest_size=8).hexdigest() if states else ""

    @property
    def movies(self) -> tuple[int, ...]:
        """Movies that are solved, sorted."""
        with self._lock:
            return tuple(sorted(self._files))

    def _key(self, movie: int) -> tuple[tuple[Path, _State], ...]:
        with self._lock:
            return tuple((path, self._states[path]) for path in self._files.get(movie, ()))

    @property
    def digest(self) -> str:
        """Digest of the content of the solution's files. Empty if nothing is solved.

        Raises
        ------
        ExperimentError
            A file cannot be read.
        """
        if not self.movies:
            return ""
        whole = hashlib.blake2b(digest_size=8)
        for movie in self.movies:
            for path, state in self._key(movie):
                if (path, state) not in self._digests:
                    self._digests[path, state] = _content_digest(path)
                whole.update(f"{movie} {path.parent.name}".encode() + self._digests[path, state])
        return whole.hexdigest()

    @property
    def record(self) -> Mapping[str, Any]:
        """Content of `logs/solve.json`; empty if it is missing or damaged."""
        return read_solving_record(self.session)

    @property
    def run(self) -> str:
        """Identity of the run of `antrax solve` that made this solution; corrections do not change it."""
        record, digest = self.record, self.digest
        corrections = record.get("corrections")
        if isinstance(corrections, dict) and corrections.get("solution") == digest:
            return str(corrections.get("run"))
        return digest

    @property
    def method(self) -> str:
        """Method of solving: joint or antrax (also for MATLAB's solutions)."""
        return "joint" if self.record.get("method") == "joint" else "antrax"

    def count(self, movie: int) -> int:
        """Cells in which a movie's animals are placed. Raises `ExperimentError`."""
        key = self._key(movie)
        if key not in self._counts:
            self._counts[key] = count_placed(self.session, movie)
        return self._counts[key]

    def movie(self, movie: int) -> MoviePositions:
        """The positions of a movie. Raises `ExperimentError`."""
        key = self._key(movie)
        with self._lock:
            if key in self._movies:
                self._movies.move_to_end(key)
                return self._movies[key]
        own = self.session.layout.files("positions")
        found = read_table(own[movie][0]) if movie in own else read_antdata(self.session, movie)
        with self._lock:
            self._movies[key] = found
            while len(self._movies) > _MOVIES_KEPT:
                self._movies.popitem(last=False)
        return found

    def draw(self, seed: int, number: int) -> Cell:
        """A cell drawn uniformly among those in which an animal is placed.

        Parameters
        ----------
        seed : int
        number : int
            Which of the draws with this seed; each is independent of the others.

        Raises
        ------
        ExperimentError
            No animal is placed anywhere, or a file is damaged.
        """
        counts = [self.count(movie) for movie in self.movies]
        total = sum(counts)
        if not total:
            raise ExperimentError(
                f"{self.session.path}: no animal is placed in any frame, so there is nothing to validate"
            )
        ends = np.cumsum(counts)
        chosen = int(np.random.default_rng([abs(seed), abs(number)]).integers(total))
        which = int(np.searchsorted(ends, chosen, side="right"))
        movie = self.movies[which]
        chosen -= int(ends[which]) - counts[which]
        positions = self.movie(movie)
        frame, animal = divmod(int(np.flatnonzero(positions.placed)[chosen]), len(positions.ids))
        return Cell(movie, positions.first_frame + frame, positions.ids[animal], positions.colonies[animal])

    def column(self, cell: Cell) -> tuple[MoviePositions, int, int] | None:
        """The movie's positions, and the row and column of a cell; None where the solution does not have it."""
        if cell.movie not in self.movies:
            return None
        positions = self.movie(cell.movie)
        row = cell.frame - positions.first_frame
        animals = list(zip(positions.ids, positions.colonies, strict=True))
        if not 0 <= row < positions.frames or (cell.id, cell.colony) not in animals:
            return None
        return positions, row, animals.index((cell.id, cell.colony))

    def placement(self, cell: Cell) -> Placement | None:
        """Where the animal is placed; None where it is not. Raises `ExperimentError`."""
        found = self.column(cell)
        if found is None:
            return None
        positions, row, animal = found
        kind = Kind(int(positions.kind[row, animal]))
        if kind is Kind.UNDECIDED:
            return None
        tracklet = int(positions.tracklet[row, animal])
        sure = float(positions.confidence[row, animal])
        return Placement(
            cell,
            row + 1,
            float(positions.x[row, animal]),
            float(positions.y[row, animal]),
            KIND_NAMES[kind],
            sure if np.isfinite(sure) else None,
            str(positions.tracklets[tracklet]) if tracklet >= 0 else "",
            positions.alternatives[int(positions.alternative[row, animal])],
        )

    def path(self, cell: Cell, frames: int) -> NDArray[np.float32]:
        """Where the animal is in the frames around a cell, (n, 3): absolute frame, x, y; only where it is placed."""
        found = self.column(cell)
        if found is None:
            return np.zeros((0, 3), np.float32)
        positions, row, animal = found
        rows = np.arange(max(0, row - frames), min(positions.frames, row + frames + 1))
        x, y = positions.x[rows, animal], positions.y[rows, animal]
        known = np.isfinite(x) & np.isfinite(y)
        path: NDArray[np.float32] = np.stack([rows + positions.first_frame, x, y], axis=1)[known].astype(np.float32)
        return path

    def placed_in(self, movie: int, tracklet: str) -> tuple[str, ...]:
        """Animals that are placed in a tracklet, in the order of the file."""
        if movie not in self.movies:
            return ()
        positions = self.movie(movie)
        number = np.flatnonzero(positions.tracklets == tracklet)
        if not len(number):
            return ()
        here = ((positions.tracklet == number[0]) & positions.placed).any(0)
        return tuple(positions.ids[animal] for animal in np.flatnonzero(here))


def _content_digest(path: Path) -> bytes:
    try:
        digest = hashlib.blake2b(digest_size=8)
        with open_regular(path) as file:
            while piece := file.read(2**20):
                digest.update(piece)
    except OSError as error:
        raise ExperimentError(f"{path} cannot be read: {error.strerror or error}") from None
    return digest.digest()
