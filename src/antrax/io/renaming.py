"""`logs/renaming.json`: what a label is renamed to, while that is under way; it stays where that is broken off.

It holds what cannot be told any more once files have changed: which classification became which, what positions were
of, and the sizes and times that records of runs tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from antrax.errors import ExperimentError
from antrax.io.atomic import make_folder, write_atomically
from antrax.io.regular_files import read_regular
from antrax.io.session import Session

_LARGEST = 2**28


@dataclass(frozen=True)
class LabelRenaming:
    """A label that is being renamed.

    Parameters
    ----------
    label, new : str
        Old and new name.
    classifications : mapping of str to str
        Digests of results of movies: before and after.
    classifiers : mapping of str to str
        Digests of classifiers: before and after.
    stamps : mapping of str to (int, int)
        Size and time of files of results and positions before, by path in the session.
    movies : tuple of int
        Movies whose positions are renamed.
    solution, run : str
        Digest of the positions before, and of the run of `antrax solve` that they come from; empty where none are
        renamed.
    """

    label: str
    new: str
    classifications: Mapping[str, str]
    classifiers: Mapping[str, str]
    stamps: Mapping[str, tuple[int, int]]
    movies: tuple[int, ...]
    solution: str
    run: str

    def write(self, path: Path) -> None:
        """Write it. Raises `OutputError`."""
        write_atomically(path, json.dumps(asdict(self), indent=1) + "\n")


def begin_renaming(session: Session, renaming: LabelRenaming) -> None:
    """Write down what is to be renamed, before anything is. Raises `OutputError`."""
    make_folder(session.layout.logs, within=session.path)
    renaming.write(session.layout.renaming)


def unfinished_renaming(session: Session) -> LabelRenaming | None:
    """The renaming that is under way, or was broken off; None where there is none.

    Raises
    ------
    ExperimentError
        Its file is damaged.
    """
    path = session.layout.renaming
    try:
        values = json.loads(read_regular(path, _LARGEST))
        stamps = {str(name): (int(size), int(time)) for name, (size, time) in values["stamps"].items()}
        texts = [str(values[name]) for name in ("label", "new", "solution", "run")]
        digests = [
            {str(before): str(after) for before, after in values[name].items()}
            for name in ("classifications", "classifiers")
        ]
        movies = tuple(map(int, values["movies"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ExperimentError(
            f"{path} cannot be read ({error}): a label was being renamed; look which name it has in {session.path}, "
            "and delete this file"
        ) from None
    label, new, solution, run = texts
    return LabelRenaming(label, new, digests[0], digests[1], stamps, movies, solution, run)


def check_not_renaming(session: Session) -> None:
    """Raise `ExperimentError` while a label of the session has two names."""
    if (found := unfinished_renaming(session)) is not None:
        raise ExperimentError(
            f"{session.path}: the label {found.label} is being renamed to {found.new}, or that was broken off; wait, "
            f'or end it: antrax rename-label "{session.experiment}" {found.label} {found.new}'
        )
