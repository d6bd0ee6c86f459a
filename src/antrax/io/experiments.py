"""Search for experiments: a single one, all in a folder, or those in a list."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from antrax.errors import ExperimentError
from antrax.io.layout import SESSION_MARK, is_session
from antrax.io.session import session_dirs
from antrax.io.text import NotTextError, read_text

MOST_FOLDERS = 20_000
"""A home folder, or a whole drive, is not searched to its end."""
_LONGEST_LIST = 16 * 2**20
_MOST_WORDS = 64


@dataclass(frozen=True)
class FoundExperiments:
    """The experiments below a folder.

    Parameters
    ----------
    paths : tuple of Path
        Sorted.
    complete : bool
        Whether all folders were looked into, and not only the first `MOST_FOLDERS`.
    """

    paths: tuple[Path, ...]
    complete: bool = True


def is_experiment(path: Path) -> bool:
    """Whether a folder holds a session (or is one); one that cannot be looked into is none."""
    try:
        return path.is_dir() and (is_session(path) or bool(session_dirs(path)))
    except (ExperimentError, OSError):
        return False


def find_experiments(path: str | os.PathLike[str], notice: Callable[[str], object] | None = None) -> list[Path]:
    """Find the experiments that a command's argument refers to.

    Parameters
    ----------
    path : path
        An experiment, a folder that contains some at any depth, or a text file that lists some.
    notice : callable, optional
        Told, in a sentence each, what was decided in a list, and that a search ended early.

    Returns
    -------
    list of Path
        Folders of experiments, each once.

    Raises
    ------
    ExperimentError
        Nothing is there, or it stands for no experiment. Paths in a list are not checked here, so that one
        bad line does not stop the others.

    Notes
    -----
    A list has one path per line, relative to the list's own folder or else to the working directory. Blank lines and
    those that start with ``#`` are passed over. A path may have spaces. Where no path of the whole line exists, its
    first words are tried, from the longest: what follows is a remark.

    Examples
    --------
    >>> antrax.find_experiments("/data/2026")  # doctest: +SKIP
    [PosixPath('/data/2026/colony1'), PosixPath('/data/2026/colony2')]
    """
    notice = notice or (lambda _: None)
    path = Path(path).expanduser().absolute()
    if path.is_file():
        return list(dict.fromkeys(_from_list_file(path, notice)))
    if not path.is_dir():
        if path.exists():
            raise ExperimentError(f"{path} is neither a folder nor a text file that lists experiments")
        raise ExperimentError(f"{path} does not exist")
    if is_session(path) or session_dirs(path):
        return [path]
    found = experiments_below(path)
    if not found.complete:
        notice(f"{path} holds more than {MOST_FOLDERS:,} folders; only these were searched for experiments")
    if not found.paths:
        raise ExperimentError(
            f"{path} is no tracked experiment and contains none: no folder in it holds {SESSION_MARK.as_posix()}"
        )
    return list(found.paths)


def find_all_experiments(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], notice: Callable[[str], object] | None = None
) -> list[Path]:
    """Find the experiments that one or several arguments refer to, each once.

    Parameters
    ----------
    paths : path or sequence of paths
        Each as `find_experiments` takes it.
    notice : callable, optional
        As for `find_experiments`.

    Returns
    -------
    list of Path
        Folders of experiments, in the order in which they were found.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    return list(dict.fromkeys(found for path in given for found in find_experiments(path, notice)))


def experiments_below(folder: Path, *, links_out: bool = True) -> FoundExperiments:
    """Experiments below a folder at any depth; those nearest to it are found first.

    Hidden folders and those that cannot be read are passed over, and nothing is looked for inside an experiment.

    Parameters
    ----------
    folder : Path
    links_out : bool, optional
        Whether links are followed to what lies elsewhere.
    """
    found: list[Path] = []
    root = os.path.realpath(folder)
    looked_at: set[str] = set()
    level = [folder]
    while level:
        below: list[Path] = []
        for path in level:
            real = os.path.realpath(path)
            inside = real == root or real.startswith(root.rstrip(os.sep) + os.sep)
            if real in looked_at or not (inside or links_out):
                continue
            looked_at.add(real)
            if len(looked_at) > MOST_FOLDERS:
                return FoundExperiments(tuple(sorted(found)), complete=False)
            children = list(_folders(path))
            if any(_has_mark(child) for child in children):
                found.append(path)
            else:
                below += children
        level = sorted(below)
    return FoundExperiments(tuple(sorted(found)))


def _folders(path: Path) -> Iterator[Path]:
    """Folders in a folder, but for hidden ones; none where it cannot be read."""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and _is_folder(entry):
                    yield Path(entry.path)
    except OSError:
        return


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _has_mark(session: Path) -> bool:
    try:
        return is_session(session)
    except OSError:
        return False


def _from_list_file(path: Path, notice: Callable[[str], object]) -> Iterator[Path]:
    try:
        lines = read_text(path, _LONGEST_LIST).split("\n")
    except NotTextError:
        raise ExperimentError(f"{path} is neither a folder nor a text file that lists experiments") from None
    except OSError as error:
        raise ExperimentError(f"{path} cannot be read: {error.strerror or error}") from None
    wanted = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    wanted = [(number, line) for number, line in wanted if line and not line.startswith("#")]
    if not wanted:
        raise ExperimentError(f"{path} lists no experiment; write one path per line")
    for number, line in wanted:
        yield _listed(path, number, line, notice)


def _listed(list_file: Path, number: int, line: str, notice: Callable[[str], object]) -> Path:
    """Experiment named in a line of a list: the first candidate that exists, or the whole line as a path."""
    places = (list_file.parent, Path.cwd())
    for candidate in _candidates(line):
        for place in places:
            found = _below(place, candidate)
            if _is_there(found):
                if candidate != _unquoted(line):
                    notice(
                        f"{list_file}, line {number}: {line!r} is taken for the experiment {candidate!r} and a remark"
                    )
                return found
    return _below(places[0], _unquoted(line))


def _candidates(line: str) -> Iterator[str]:
    """Candidates for the path in a line of a list, the likeliest first."""
    yield _unquoted(line)
    if line[0] == '"' and '"' in line[1:]:
        yield line[1 : line.index('"', 1)]
    words = line.split()[:_MOST_WORDS]
    end, ends = 0, []
    for word in words:
        end = line.index(word, end) + len(word)
        ends.append(end)
    for end in reversed(ends):
        if end < len(line):
            yield line[:end].rstrip("#").rstrip()


def _unquoted(line: str) -> str:
    # quotes come along where a path was copied from a file manager
    return line.strip('"')


def _below(folder: Path, name: str) -> Path:
    # a name may start with ~ and yet stand for nobody's home: os.path then leaves it alone, pathlib raises
    return Path(os.path.normpath(folder / os.path.expanduser(name)))  # noqa: PTH111


def _is_there(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long a name
        return False
