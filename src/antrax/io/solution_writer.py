"""Writing of a solution: the files of positions of all movies, which appear together."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from antrax.io.antdata import antdata_targets, metres_per_pixel, read_placements, write_antdata
from antrax.io.atomic import make_folder, replacing, reserved, write_atomically
from antrax.io.positions import MoviePositions, Placements
from antrax.io.positions_dataset import netcdf_bytes, netcdf_file, to_dataset
from antrax.io.positions_table import positions_file, read_table, to_table
from antrax.io.processes import this_process
from antrax.io.regular_files import LARGEST_TEXT, read_regular
from antrax.io.solving_record import solution_turn

if TYPE_CHECKING:
    from antrax.io.session import Session


class SolutionWriter:
    """Writes all movies of a solution, which appear together. Use `writing_solution`."""

    def __init__(self, session: Session, files: contextlib.ExitStack) -> None:
        self._session = session
        self._files = files
        self._reserved: dict[int, contextlib.ExitStack] = {}
        metres_per_pixel(session)  # told before anything is written

    def add(self, placements: Placements, positions: MoviePositions) -> None:
        """Write a movie.

        Parameters
        ----------
        placements : Placements
            Those of other movies are passed over.
        positions : MoviePositions
            The movie's, from `antrax.io.positions.place`.

        Raises
        ------
        OutputError
            A file cannot be written.
        """
        write_movie(self._session, placements, positions, self.reserve(positions.movie, positions.colonies))

    def reserve(self, movie: int, colonies: Sequence[str]) -> dict[Path, Path]:
        """Temporary paths for the files of a movie, which `write_movie` may write in any process.

        Parameters
        ----------
        movie : int
        colonies : sequence of str
            Colony of each animal.

        Returns
        -------
        dict of Path to Path
            From each file to its temporary path.

        Raises
        ------
        OutputError
            A folder cannot be written.
        """
        files = self._reserved[movie] = self._files.enter_context(contextlib.ExitStack())
        found = {}
        for path in _targets(self._session, movie, colonies):
            make_folder(path.parent)
            found[path] = files.enter_context(replacing(path))
        return found

    @property
    def movies(self) -> tuple[int, ...]:
        """Movies whose files are reserved."""
        return tuple(self._reserved)

    def withdraw(self, movie: int) -> None:
        """Leave a movie out whose files are reserved: what it has stays as it is.

        Parameters
        ----------
        movie : int
        """

        class NotWrittenError(Exception):
            """Ends the reservation."""

        with contextlib.suppress(NotWrittenError), self._reserved.pop(movie):
            raise NotWrittenError


@contextlib.contextmanager
def writing_solution(session: Session) -> Iterator[SolutionWriter]:
    """Context manager that writes all movies of a solution, into `antdata/` and the package's own files.

    When it ends without an exception, what was there is replaced file by file. A mark lies beside them for that long:
    where a process is killed in between, `antrax.io.positions_table.broken_off` tells so until the session is solved
    again. The mark names the movies: a run on others leaves those that an earlier one broke off marked. Runs on other
    movies of the session, such as those of a cluster, wait for that long.

    Raises
    ------
    ExperimentError
        The session does not tell the size of a pixel.
    OutputError
        A file cannot be written.
    """
    mark = session.layout.unfinished_positions
    with contextlib.ExitStack() as turn:
        with contextlib.ExitStack() as files:
            writer = SolutionWriter(session, files)
            yield writer
            make_folder(mark.parent, within=session.path)
            turn.enter_context(solution_turn(session))
            # whoever left a mark did so before this turn
            earlier, movies = _broken_off_movies(mark), set(writer.movies)
            _write_mark(mark, earlier | movies)
        left = {movie for movie in earlier - movies if any(path.exists() for path in _own_files(session, movie))}
        with contextlib.suppress(OSError):
            if left:
                _write_mark(mark, left)
            else:
                mark.unlink(missing_ok=True)


def _write_mark(mark: Path, movies: set[int]) -> None:
    write_atomically(mark, json.dumps({"process": str(this_process()), "movies": sorted(movies)}) + "\n")


def _broken_off_movies(mark: Path) -> set[int]:
    """Movies that a mark names; none where there is no mark, or it cannot be understood."""
    try:
        movies = json.loads(read_regular(mark, LARGEST_TEXT))["movies"]
        return {int(movie) for movie in movies}
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return set()


def rename_in_solution(session: Session, movies: Sequence[int], animal: str, new: str) -> None:
    """Give an animal another name in the files of positions of movies; what is renamed already stays.

    Parameters
    ----------
    session : Session
    movies : sequence of int
        They have tables of positions of this package.
    animal, new : str
        Old and new name.

    Raises
    ------
    ExperimentError
        A file is damaged.
    OutputError
        A file cannot be written.
    """

    def renamed(ids: Sequence[str]) -> tuple[str, ...]:
        return tuple(new if each == animal else each for each in ids)

    times = {}
    with writing_solution(session) as writer:
        for movie in movies:
            path = positions_file(session, movie)
            times[path] = path.stat()
            there = read_table(path)
            # of a renaming that was broken off, some files of a movie may be those before, and some those after
            placements = read_placements(session, there, {animal: new})
            alternatives = tuple("|".join(renamed(text.split("|"))) for text in there.alternatives)
            positions = dataclasses.replace(there, ids=renamed(there.ids), alternatives=alternatives)
            writer.add(dataclasses.replace(placements, ids=positions.ids), positions)
    for path, before in times.items():  # they are no newer than they were
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def write_movie(
    session: Session, placements: Placements, positions: MoviePositions, temporary: Mapping[Path, Path]
) -> None:
    """Write all files of a movie to the paths that `SolutionWriter.reserve` gave.

    Parameters
    ----------
    session : Session
    placements : Placements
        Those of other movies are passed over.
    positions : MoviePositions
        The movie's, from `antrax.io.positions.place`.
    temporary : mapping of Path to Path
        From each file to the path that is written in its place.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    write_antdata(session, placements, positions, temporary)
    _write_positions(session, positions, temporary)


def _targets(session: Session, movie: int, colonies: Sequence[str]) -> list[Path]:
    return [*antdata_targets(session, movie, colonies), *_own_files(session, movie)]


def _own_files(session: Session, movie: int) -> list[Path]:
    return [positions_file(session, movie), netcdf_file(session, movie)]


def _write_positions(session: Session, positions: MoviePositions, temporary: Mapping[Path, Path]) -> None:
    import pyarrow.parquet as pq

    with reserved(positions_file(session, positions.movie), temporary) as path:
        pq.write_table(to_table(positions, session.parameters.metres_per_pixel), path, compression="zstd")
    with reserved(netcdf_file(session, positions.movie), temporary) as path:
        path.write_bytes(netcdf_bytes(to_dataset([positions])))
