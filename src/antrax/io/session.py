"""Experiments and their sessions."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from antrax.errors import ExperimentError
from antrax.io.labels_file import from_labels_file
from antrax.io.layout import SESSION_MARK, SessionLayout, is_session
from antrax.io.parameters import Parameters, from_parameters_file
from antrax.io.stamps import FileStamp, stamp_of
from antrax.io.text import read_text
from antrax.labels import Labels
from antrax.messages import parameter

# Sessions whose times are closer than this were copied: nobody tracks two within a second.
_SAME_TIME_NS = 10**9
_SETTLED_SECONDS = 2.0
_MOST_REMEMBERED = 64


@dataclass(frozen=True)
class Movie:
    """A row of `movies_info.txt`.

    Parameters
    ----------
    index : int
        The movie's number, which all file names use.
    name : str
        Name of the movie (several words where the file's name has spaces).
    fi, ff : int
        First and last absolute frame (1-based, inclusive); 0 where the table does not tell.
    fps : float
        Frames per second; nan where the table does not tell.
    subdir : str
        Subfolder of `videos` that it lies in; empty where the table does not tell.
    """

    index: int
    name: str
    fi: int
    ff: int
    fps: float
    subdir: str = field(default="", compare=False)


def absolute_frame(movies: Mapping[int, Movie], movie: int, frame: int) -> int | None:
    """Absolute frame of a movie frame (both 1-based); None where the movie table does not tell.

    Parameters
    ----------
    movies : mapping of int to Movie
        The movie table.
    movie : int
        Index of the movie.
    frame : int
        Frame in the movie, from 1.
    """
    entry = movies.get(movie)
    return entry.fi + frame - 1 if entry and entry.fi else None


@dataclass(frozen=True)
class Session:
    """One session of an experiment: a set of tracking results with its labels and classifier.

    Only the two paths are stored: `labels`, `parameters`, `movies` and `stacks` read the files at each access and are
    never outdated. Code that needs one of them often, or unchanged, stores the value.

    Parameters
    ----------
    experiment : Path
        The experiment's folder, absolute.
    path : Path
        The session's folder, absolute.
    """

    experiment: Path
    path: Path

    @property
    def name(self) -> str:
        """Name of the session."""
        return self.path.name

    @property
    def layout(self) -> SessionLayout:
        """Names of the session's files."""
        return SessionLayout(self.path)

    @property
    def classifier_dir(self) -> Path:
        """Where the session's classifiers and training set lie."""
        return self.layout.classifier.path

    @property
    def labels_dir(self) -> Path:
        """Where the results of classification go."""
        return self.layout.labels

    @property
    def labels(self) -> Labels:
        """Labels of the session. Raises `LabelsError`."""
        return from_labels_file(self.layout.labels_file)

    @property
    def parameters(self) -> Parameters:
        """`prmtrs.json`; empty where there is none. Raises `ExperimentError` where it is broken."""
        return from_parameters_file(self.layout.parameters_file)

    @property
    def parameter_problems(self) -> tuple[str, ...]:
        """Problems of `prmtrs.json`, a sentence each; nothing is raised, because the rest of the session is usable."""
        try:
            return self.parameters.problems
        except ExperimentError as error:
            return (str(error),)

    @property
    def inverted(self) -> bool:
        """Whether animals are light on dark: the background of blob images is then black and stays black."""
        return self.parameters.inverted

    @property
    def shown_inverted(self) -> bool:
        """As `inverted`, for display only: False if the parameters are invalid."""
        try:
            return self.inverted
        except ExperimentError:
            return False

    @property
    def movies(self) -> dict[int, Movie]:
        """The movie table by movie index; empty where there is none. Raises `ExperimentError`."""
        return _movies_of(self.layout.movies_file)

    @property
    def stacks(self) -> dict[int, tuple[Path, ...]]:
        """Image stacks by movie index, in order of the index; several where a movie was tracked in parts."""
        return self.layout.files("images")

    @property
    def movies_without_stack(self) -> list[int]:
        """Movies of the table that have no stack: not tracked yet, or nothing single in them."""
        stacks = self.stacks
        return [movie for movie in self.movies if movie not in stacks]

    def companion(self, stack: Path, kind: Literal["frame_passed", "trdata"]) -> Path:
        """The `frame_passed` or `trdata` file that belongs to an image stack, parts kept apart likewise."""
        return self.layout.companion(stack, kind)

    def absolute_frame(self, movie: int, frame: int) -> int | None:
        """Absolute frame of a movie frame (both 1-based); None where the movie table does not tell."""
        return absolute_frame(self.movies, movie, frame)


def open_session(experiment: str | os.PathLike[str], session: str | None = None) -> Session:
    """Open a session of an experiment.

    Parameters
    ----------
    experiment : path
        The experiment's folder (a session's folder is understood too).
    session : str, optional
        Name of the session; by default the latest, which is the one with the newest `Trck.mat`.

    Returns
    -------
    Session
        Reads its files when they are asked for.

    Raises
    ------
    ExperimentError
        There is no such folder, it holds no session, or no session of that name; or several are the latest, as they
        may be after copying.

    Examples
    --------
    >>> session = antrax.open_session("colony1")  # doctest: +SKIP
    >>> session.labels.ants  # doctest: +SKIP
    ('BB', 'BG', 'BO', 'BP')
    """
    folder = Path(experiment).expanduser().absolute()
    if not folder.is_dir():
        raise ExperimentError(f"{folder} {'is no folder' if folder.exists() else 'does not exist'}")
    if is_session(folder):
        if session in (None, folder.name):
            return Session(folder.parent, folder)
        folder = folder.parent
    found = session_dirs(folder)
    if not found:
        raise ExperimentError(
            f"{folder} is no tracked experiment: none of its folders holds {SESSION_MARK.as_posix()}; "
            "run the tracking step first"
        )
    if session is None:
        _check_latest(folder, found)
        return Session(folder, found[-1])
    for path in found:
        if path.name == session:
            return Session(folder, path)
    raise ExperimentError(f"{folder} has no session {session!r}; it has {', '.join(p.name for p in reversed(found))}")


def as_session(session: Session | str | os.PathLike[str]) -> Session:
    """The session itself, or the latest session of an experiment that is given by its folder.

    Parameters
    ----------
    session : Session or path

    Raises
    ------
    ExperimentError
        As `open_session`.
    """
    return session if isinstance(session, Session) else open_session(session)


def _check_latest(folder: Path, sessions: list[Path]) -> None:
    """Raise ExperimentError where it is not certain which session is the latest; they come in order of age."""
    if len(sessions) < 2:
        return
    latest = (sessions[-1] / SESSION_MARK).stat().st_mtime_ns
    equal = [path.name for path in sessions if latest - (path / SESSION_MARK).stat().st_mtime_ns < _SAME_TIME_NS]
    if len(equal) > 1:
        raise ExperimentError(
            f"{folder} has {len(equal)} sessions of the same time ({', '.join(sorted(equal))}), as after copying: "
            f"which is the latest cannot be told. Name one with {parameter('session')}"
        )


def session_dirs(experiment: Path) -> list[Path]:
    """The session folders of an experiment, by age of their `Trck.mat`, the latest last."""
    try:
        ages = [((path / SESSION_MARK).stat().st_mtime_ns, path) for path in experiment.iterdir() if is_session(path)]
    except OSError as error:
        raise ExperimentError(f"{experiment} cannot be read: {error.strerror}") from None
    return [path for _, path in sorted(ages)]


_remembered_movies: dict[Path, tuple[FileStamp, dict[int, Movie]]] = {}


def _movies_of(path: Path) -> dict[int, Movie]:
    """The movie table, read again only where the file is another one: it is asked for with every movie."""
    stamp = _stamp_of(path)
    remembered = _remembered_movies.get(path)
    if stamp is None or remembered is None or remembered[0] != stamp:
        movies = from_movies_file(path)
        # a file that was written a moment ago may be written again with the same stamp
        if stamp is None or time.time() - stamp.mtime_ns / 1e9 < _SETTLED_SECONDS or _stamp_of(path) != stamp:
            _remembered_movies.pop(path, None)
            return movies
        if len(_remembered_movies) >= _MOST_REMEMBERED:
            _remembered_movies.clear()
        _remembered_movies[path] = remembered = stamp, movies
    return dict(remembered[1])


def _stamp_of(path: Path) -> FileStamp | None:
    try:
        return stamp_of(path)
    except OSError:
        return None


def from_movies_file(path: Path) -> dict[int, Movie]:
    """Read `movies_info.txt`; an absent file gives an empty table.

    Raises
    ------
    ExperimentError
        A column is missing or a number is none, naming the line.
    """
    try:
        lines = read_text(path, only_numbers=True).split("\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ExperimentError(f"{path} cannot be read: {error.strerror or error}") from None
    rows = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        return {}
    header = rows[0][1].split()
    if "index" not in header or "name" not in header:
        raise ExperimentError(f"{path}: the first line must name the columns, `index` and `name` among them")
    movies: dict[int, Movie] = {}
    for number, line in rows[1:]:
        try:
            row = _named_values(header, line)
            index = int(float(row["index"]))
            entry = Movie(
                index,
                row["name"],
                fi=int(_number(row.get("fi"), 0)),
                ff=int(_number(row.get("ff"), 0)),
                fps=_number(row.get("fps"), float("nan")),
                subdir=row.get("subdir", ""),
            )
        except (KeyError, ValueError, OverflowError):
            raise ExperimentError(f"{path}, line {number}: expected the columns {' '.join(header)}") from None
        if index in movies:
            raise ExperimentError(f"{path}, line {number}: movie {index} is listed twice")
        movies[index] = entry
    return movies


def _named_values(header: list[str], line: str) -> dict[str, str]:
    """Values by column. Names with spaces make a row longer than the header: the surplus belongs to the names.

    Raises
    ------
    ValueError
        The row has fewer values than the header. Where two spaces show which are missing, these are empty.
    """
    values = line.split()
    surplus = len(values) - len(header)
    if surplus <= 0:
        return dict(zip(header, values if surplus == 0 else line.rstrip("\n").split(" "), strict=True))
    name = header.index("name")
    last_text = max(header.index(column) for column in ("name", "movfile") if column in header)
    tail = len(header) - last_text - 1
    middle = values[name : len(values) - tail]
    row = dict(zip(header[:name], values[:name], strict=True))
    row |= dict(zip(header[last_text + 1 :], values[len(values) - tail :], strict=True))
    # `name` and `movfile` are the same words but for the file's ending
    words = len(middle) if last_text == name else len(middle) // 2
    return row | {"name": " ".join(middle[:words]).strip('"')}


def _number(text: str | None, missing: float) -> float:
    return missing if text is None or text.lower() in ("", "nan") else float(text)


class MovieList(list[int]):
    """Numbers of movies, sorted; those that only a range covers need not exist.

    Parameters
    ----------
    named : iterable of int
        Movies named one by one.
    ranges : iterable of range
    """

    def __init__(self, named: Iterable[int], ranges: Iterable[range] = ()) -> None:
        self.named = frozenset(named)
        super().__init__(sorted(self.named.union(*ranges)))

    def __reduce__(self) -> tuple[Any, ...]:
        return MovieList, (tuple(self.named), (tuple(self),))


def choose_movies(wanted: Iterable[int], existing: Collection[int]) -> tuple[list[int], list[int]]:
    """Which movies of a list exist, and which are missing though they were named.

    Parameters
    ----------
    wanted : iterable of int
        A `MovieList`, whose ranges mean those of their movies that exist; of any other, all movies are named.
    existing : collection of int

    Returns
    -------
    chosen, missing : list of int
        Sorted. Where nothing of a list exists, all of it is missing.

    Examples
    --------
    >>> choose_movies(parse_movie_list("1-5,9"), {2, 3, 7})
    ([2, 3], [9])
    """
    movies = sorted(set(wanted))
    chosen = [movie for movie in movies if movie in existing]
    named = wanted.named if isinstance(wanted, MovieList) else frozenset(movies)
    missing = [movie for movie in movies if movie not in existing and (movie in named or not chosen)]
    return chosen, missing


def parse_movie_list(text: str) -> MovieList:
    """Movies of ``4``, ``3,5,6`` or ``1-5,7``, sorted.

    Raises
    ------
    ValueError
        It is none of these.
    """
    named: list[int] = []
    ranges: list[range] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,12})\s*(?:-\s*([0-9]{1,12})\s*)?", part)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise ValueError(f"{text!r} is no list of movies; write 4, or 3,5,6, or 1-5,7")
        first, last = int(match[1]), int(match[2] or match[1])
        if last - first > 1_000_000:
            raise ValueError(f"{text!r} names more movies than any experiment has")
        if match[2]:
            ranges.append(range(first, last + 1))
        else:
            named.append(first)
    return MovieList(named, ranges)
