"""Stamps of files, to detect changes during a run that reads them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from antrax.errors import InputChangedError

_LOOKS_AT_A_TIME = 16


@dataclass(frozen=True, slots=True)
class FileStamp:
    """Identifies one version of a file: size, time and number.

    Parameters
    ----------
    size : int
        Bytes.
    mtime_ns : int
        Time of the last change, in nanoseconds since 1970.
    inode : int
        Number of the file on its drive.
    """

    size: int
    mtime_ns: int
    inode: int


def stamp_of(path: Path) -> FileStamp | None:
    """The stamp of a file as it is now; None where it is missing.

    Raises
    ------
    OSError
        The drive failed, or the file may not be looked at.
    """
    try:
        found = os.stat(path)  # noqa: PTH116  # three times as fast, and called for every image of a training set
    except (FileNotFoundError, NotADirectoryError):
        return None
    return FileStamp(found.st_size, found.st_mtime_ns, found.st_ino)


def stamps_of(paths: Iterable[Path]) -> dict[Path, FileStamp | None]:
    """The stamps of many files; None for one that is missing, or cannot be looked at.

    Several are looked at at a time: on a network drive, each look is mostly waiting.

    Parameters
    ----------
    paths : iterable of Path

    Returns
    -------
    dict
    """

    def look(path: Path) -> FileStamp | None:
        with contextlib.suppress(OSError):
            return stamp_of(path)
        return None

    every = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(_LOOKS_AT_A_TIME) as pool:
        return dict(zip(every, pool.map(look, every), strict=True))


class InputStamps:
    """Stamps of the files that a run reads, taken before it first opened them.

    Examples
    --------
    >>> inputs = InputStamps()
    >>> inputs.note(Path("no such file"))
    >>> inputs.changed()
    []
    """

    def __init__(self) -> None:
        self._stamps: dict[Path, FileStamp | None] = {}

    def note(self, *paths: Path) -> None:
        """Remember files as they are now; call this before opening them. Those noted before keep their stamp.

        Parameters
        ----------
        *paths : Path
            A missing file is remembered as missing.

        Raises
        ------
        OSError
            As `stamp_of`.
        """
        for path in paths:
            if path not in self._stamps:
                self._stamps[path] = stamp_of(path)

    def changed(self) -> list[Path]:
        """Files that were changed, added or removed since they were noted.

        Returns
        -------
        list of Path

        Raises
        ------
        OSError
            As `stamp_of`.
        """
        return [path for path, stamp in self._stamps.items() if stamp_of(path) != stamp]

    def check(self, consequence: str) -> None:
        """Raise `InputChangedError` where a file changed; call this before putting a result in place.

        Parameters
        ----------
        consequence : str
            What that means, and what to do: `nothing was written; train again`.

        Raises
        ------
        InputChangedError
        """
        try:
            changed = self.changed()
        except OSError as error:
            raise InputChangedError(
                f"{error.filename} cannot be looked at any more ({error.strerror or error}); {consequence}"
            ) from None
        if changed:
            raise InputChangedError(f"{names_of(changed)} changed while being read; {consequence}")


def names_of(paths: Iterable[Path], most: int = 3) -> str:
    """Some paths in a sentence, the rest counted."""
    first, *more = [str(path) for path in paths]
    rest = len(more) + 1 - most
    return ", ".join([first, *more[: most - 1]]) + (f" and {rest} more" if rest > 0 else "")
