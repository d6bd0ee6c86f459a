"""Experiments, their sessions, and what lies in them."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from antrax.errors import ExperimentError
from antrax.labels import Labels, from_labels_file

_STACK = re.compile(r"images_(\d+)(?:_p(\d+))?\.mat")
_TRCK = Path("parameters") / "Trck.mat"


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
    """

    index: int
    name: str
    fi: int
    ff: int
    fps: float


@dataclass(frozen=True)
class Session:
    """One session of an experiment: a set of tracking results with its labels and classifier.

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
    def classifier_dir(self) -> Path:
        """Where the session's classifiers and training set lie."""
        return self.path / "classifier"

    @property
    def labels_dir(self) -> Path:
        """Where the results of classification go."""
        return self.path / "labels"

    @cached_property
    def labels(self) -> Labels:
        """Labels of the session; raises `LabelsError`."""
        return from_labels_file(self.path / "parameters" / "labels.csv")

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """`prmtrs.json`; empty where there is none. Raises `ExperimentError` where it is broken."""
        path = self.path / "parameters" / "prmtrs.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ExperimentError(f"{path} cannot be read: {error}") from None
        if not isinstance(values, dict):
            raise ExperimentError(f"{path} does not hold a table of parameters")
        return values

    @property
    def inverted(self) -> bool:
        """Whether animals are light on dark: the background of blob images is then black and stays black."""
        return bool(self.parameters.get("segmentation_invert", False))

    @cached_property
    def movies(self) -> dict[int, Movie]:
        """The movie table by movie index; empty where there is none. Raises `ExperimentError`."""
        return from_movies_file(self.path / "parameters" / "movies_info.txt")

    @cached_property
    def stacks(self) -> dict[int, tuple[Path, ...]]:
        """Image stacks by movie index, in order of the index; several where a movie was tracked in parts."""
        found: dict[int, list[tuple[int, Path]]] = {}
        try:
            entries = list((self.path / "images").iterdir())
        except FileNotFoundError:
            entries = []
        except OSError as error:
            raise ExperimentError(f"{self.path / 'images'} cannot be read: {error.strerror}") from None
        for path in entries:
            if match := _STACK.fullmatch(path.name):
                found.setdefault(int(match[1]), []).append((int(match[2] or 0), path))
        return {movie: tuple(path for _, path in sorted(parts)) for movie, parts in sorted(found.items())}

    @property
    def movies_without_stack(self) -> list[int]:
        """Movies of the table that have no stack: not tracked yet, or nothing single in them."""
        return [movie for movie in self.movies if movie not in self.stacks]

    def companion(self, stack: Path, kind: str) -> Path:
        """The `frame_passed` or `trdata` file that belongs to an image stack, parts kept apart likewise."""
        folder = self.path / ("tracklets" if kind == "trdata" else "images")
        return folder / stack.name.replace("images", kind, 1)

    def absolute_frame(self, movie: int, frame: int) -> int | None:
        """Absolute frame of a movie frame (both 1-based); None where the movie table does not tell."""
        entry = self.movies.get(movie)
        return entry.fi + frame - 1 if entry and entry.fi else None


def open_session(experiment: str | os.PathLike[str], session: str | None = None) -> Session:
    """Open a session of an experiment.

    Parameters
    ----------
    experiment : path
        The experiment's folder (a session's folder is understood too).
    session : str, optional
        Name of the session; by default the latest, which is the one with the newest `Trck.mat`.

    Raises
    ------
    ExperimentError
        There is no such folder, it holds no session, or no session of that name.
    """
    folder = Path(experiment).expanduser().absolute()
    if not folder.is_dir():
        raise ExperimentError(f"{folder} {'is no folder' if folder.exists() else 'does not exist'}")
    if _is_session(folder):
        if session in (None, folder.name):
            return Session(folder.parent, folder)
        folder = folder.parent
    found = session_dirs(folder)
    if not found:
        raise ExperimentError(
            f"{folder} is no tracked experiment: none of its folders holds {_TRCK.as_posix()}; "
            "run the tracking step first"
        )
    if session is None:
        return Session(folder, found[-1])
    for path in found:
        if path.name == session:
            return Session(folder, path)
    raise ExperimentError(f"{folder} has no session {session!r}; it has {', '.join(p.name for p in reversed(found))}")


def session_dirs(experiment: Path) -> list[Path]:
    """The session folders of an experiment, by age of their `Trck.mat`, the latest last."""
    try:
        ages = [((path / _TRCK).stat().st_mtime_ns, path) for path in experiment.iterdir() if _is_session(path)]
    except OSError as error:
        raise ExperimentError(f"{experiment} cannot be read: {error.strerror}") from None
    return [path for _, path in sorted(ages)]


def _is_session(path: Path) -> bool:
    # On the top folder of a drive lie folders that nobody may look into; they are no sessions.
    try:
        return (path / _TRCK).is_file()
    except PermissionError:
        return False


def is_experiment(path: Path) -> bool:
    """Whether a folder holds a session (or is one); one that cannot be looked into is none."""
    try:
        return path.is_dir() and (_is_session(path) or bool(session_dirs(path)))
    except ExperimentError:
        return False


def find_experiments(path: str | os.PathLike[str]) -> list[Path]:
    """The experiments that a command's argument stands for.

    Parameters
    ----------
    path : path
        An experiment, a folder that contains some, or a text file that lists some: one path a line, relative to the
        file, `#` comments and blank lines skipped.

    Raises
    ------
    ExperimentError
        Nothing is there, or it stands for no experiment. Paths in a list are not checked here, so that one
        bad line does not stop the others.
    """
    path = Path(path).expanduser().absolute()
    if path.is_file():
        return _from_list_file(path)
    if not path.is_dir():
        raise ExperimentError(f"{path} does not exist")
    if _is_session(path) or session_dirs(path):
        return [path]
    inside = sorted(child for child in path.iterdir() if is_experiment(child))
    if not inside:
        raise ExperimentError(
            f"{path} is no tracked experiment and contains none: no folder in it holds {_TRCK.as_posix()}"
        )
    return inside


def _from_list_file(path: Path) -> list[Path]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ExperimentError(f"{path} is neither a folder nor a text file that lists experiments") from None
    # quotes come along where a path was copied from a file manager
    wanted = [line.strip().strip('"') for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not wanted:
        raise ExperimentError(f"{path} lists no experiment; write one path a line")
    # a name may start with ~ and yet stand for nobody's home: os.path then leaves it alone, pathlib raises
    return list(dict.fromkeys(Path(os.path.normpath(path.parent / os.path.expanduser(line))) for line in wanted))  # noqa: PTH111


def from_movies_file(path: Path) -> dict[int, Movie]:
    """Read `movies_info.txt`; an absent file gives an empty table.

    Raises
    ------
    ExperimentError
        A column is missing or a number is none, naming the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError(f"{path} cannot be read: {error}") from None
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


def parse_movie_list(text: str) -> list[int]:
    """Movies of ``4``, ``3,5,6`` or ``1-5,7``, sorted.

    Raises
    ------
    ValueError
        It is none of these.
    """
    movies: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise ValueError(f"{text!r} is no list of movies; write 4, or 3,5,6, or 1-5,7")
        first, last = int(match[1]), int(match[2] or match[1])
        if last - first > 1_000_000:
            raise ValueError(f"{text!r} names more movies than any experiment has")
        movies.update(range(first, last + 1))
    return sorted(movies)
