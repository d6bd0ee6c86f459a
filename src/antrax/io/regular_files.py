"""Safe opening of files from other programs and people: regular files only, and of limited size.

A named pipe, a socket or a device under the name of a file would make a program wait for ever, and some files have no
end. Every file that is read, other than those that this process has just made, is opened here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from antrax.errors import is_drive_failure, reason_of

# Of text and small tables that a program or a person wrote: a movie table of 100,000 movies has 10 MB.
LARGEST_TEXT = 64 * 2**20
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_OF_THE_SYSTEM = "it is no plain file but one of the operating system's own, such as those in /proc"
# Without O_NONBLOCK, opening a pipe waits for its other end; without O_NOCTTY, a terminal may take this process over.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


# A program that writes a file anew in place is through with a small one in a moment: so often it is looked at again.
_TRIES, _BETWEEN_S = 5, 0.05


class UnexpectedFileError(OSError):
    """A path is not a regular file, too large, or being written; `strerror` says which."""


def open_regular(path: str | os.PathLike[str], most: int | None = None) -> BinaryIO:
    """Open a regular file (or a link to one) for reading in binary mode.

    What is opened is what was checked: the check is made of the open file, so replacing the file in between changes
    nothing.

    Parameters
    ----------
    path : path
    most : int, optional
        Largest size, in bytes; any by default.

    Returns
    -------
    BinaryIO
        Buffered, at its start.

    Raises
    ------
    UnexpectedFileError
        It is no regular file, or larger than `most`; `strerror` says so in words that can follow "cannot be read:".
    OSError
        There is no such file, or it cannot be read.

    Examples
    --------
    >>> with open_regular("labels.csv", most=2**20) as file:  # doctest: +SKIP
    ...     content = file.read()
    """
    with _drive_named():
        # Opening some devices has effects (a tape is wound back), so the name is looked at first.
        _check(Path(path).stat(), path, most)
        descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        _check(status, path, most)
        if not status.st_size:
            _check_empty(descriptor, path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | os.PathLike[str], most: int = LARGEST_TEXT) -> bytes:
    """Read a regular file as one consistent version.

    A file that is replaced meanwhile is read as it was. One that is written in place meanwhile is read again, and
    refused where that does not end: half of it is worth less than nothing.

    Parameters
    ----------
    path : path
    most : int, optional
        Largest size, in bytes. Files that tell no size or grow while they are read are read no further.

    Returns
    -------
    bytes

    Raises
    ------
    OSError
        As `open_regular`.
    """
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_BETWEEN_S)
        with open_regular(path, most) as file, _drive_named():
            before = os.fstat(file.fileno())
            content = file.read(most + 1)
            after = os.fstat(file.fileno())
        if content is None:  # a special file (such as in /proc) that has no data yet
            raise UnexpectedFileError(errno.EINVAL, _OF_THE_SYSTEM, os.fspath(path))
        if len(content) > most:
            raise _too_large(path, most)
        # files of the system's are said to be empty, and some of them to have changed just now
        if not before.st_size or (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            return content
    raise UnexpectedFileError(errno.EBUSY, "it is being written by another program; try again", os.fspath(path))


@contextlib.contextmanager
def _drive_named() -> Iterator[None]:
    """Context manager that adds to the `strerror` of a failing drive that the drive has failed."""
    try:
        yield
    except OSError as error:
        if is_drive_failure(error):
            error.strerror = reason_of(error)
        raise


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Whether there is a regular file (or a link to one) at `path`; False where that cannot be told.

    Unlike `Path.is_file` it does not raise for a name that is too long or a folder that nobody may look into.
    """
    try:
        return stat.S_ISREG(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def _check(status: os.stat_result, path: str | os.PathLike[str], most: int | None) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((words for test, words in _KINDS if test(status.st_mode)), "something else")
        number = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        words = f"it is {kind}" if number == errno.EISDIR else f"it is no plain file but {kind}"
        raise UnexpectedFileError(number, words, os.fspath(path))
    if most is not None and status.st_size > most:
        raise _too_large(path, most)


def _check_empty(descriptor: int, path: str | os.PathLike[str]) -> None:
    """Refuse a file of the system's that is said to be empty and regular, and waits like a pipe."""
    try:
        if os.read(descriptor, 1):
            os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError as error:
        # A plain file that is empty has nothing to read that could fail: /proc/self/mem fails as a broken drive does.
        if isinstance(error, BlockingIOError) or error.errno in (errno.EIO, errno.EINVAL):
            raise UnexpectedFileError(errno.EINVAL, _OF_THE_SYSTEM, os.fspath(path)) from None
        raise


def _too_large(path: str | os.PathLike[str], most: int) -> UnexpectedFileError:
    return UnexpectedFileError(errno.EFBIG, f"it is too large ({most:,} bytes is the most)", os.fspath(path))
