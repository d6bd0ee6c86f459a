"""What went wrong, as what it is and with what to do about it: memory, a drive, a graphics card, or a mistake."""

from __future__ import annotations

import errno
import re

from antrax.errors import AntraxError, explain_mistake

_DRIVE = {
    number: name
    for name in ("EIO", "ENODEV", "ENXIO", "ESTALE", "ETIMEDOUT", "EHOSTDOWN", "ENOTCONN", "EREMOTEIO")
    if (number := getattr(errno, name, None)) is not None
}
# HDF5 tells of the error of the system in its own message.
_ERRNO = re.compile(r"errno = (\d+)")


def is_drive_failure(error: BaseException) -> bool:
    """Whether an error comes of a drive that fails or was taken away, and not of what is on it.

    Parameters
    ----------
    error : BaseException
        One of the system, of HDF5, or of this package with the text of one of these.
    """
    if isinstance(error, OSError) and error.errno in _DRIVE:
        return True
    return any(int(number) in _DRIVE for number in _ERRNO.findall(str(error)))


def describe_failure(error: BaseException, where: object) -> str:
    """A sentence about an error: what it is, where, and what to do.

    Parameters
    ----------
    error : BaseException
    where : object
        The file that was worked on.

    Returns
    -------
    str
        Of a mistake in this package it names the file with the traceback.
    """
    if is_drive_failure(error):
        cause = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        return (
            f"{where} cannot be read, for its drive fails or was disconnected ({cause}); check it, and classify again"
        )
    if isinstance(error, AntraxError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"{where}: memory ran out; use fewer workers (--nw 1), or close other programs"
    if isinstance(error, OSError):
        return f"{where} cannot be read: {error.strerror or error}"
    return f"{where}: {explain_mistake(error)}" if isinstance(error, Exception) else f"{where}: {error!r}"


def describe_dead_worker(error: BaseException) -> tuple[str, bool]:
    """What ended a worker process, and whether that was most likely a want of memory.

    Parameters
    ----------
    error : BaseException
        Of the pool.
    """
    text = str(error)
    if "SIGKILL" in text or "-9" in re.findall(r"\((-?\d+)\)", text):
        return "a worker process was killed, most likely because memory ran out", True
    if signal := re.search(r"SIG[A-Z]+", text):
        return f"a worker process crashed ({signal[0]})", False
    return "a worker process ended unexpectedly", False
