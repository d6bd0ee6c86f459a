"""Everything that antrax raises on purpose, in one tree.

The command line turns any `AntraxError` into one line on standard error and exit status 1, so a message says
what is wrong, in which file, and what to do about it.
"""

from __future__ import annotations

import errno
import re
import tempfile
import traceback
from typing import TYPE_CHECKING

from antrax.escapes import printable
from antrax.messages import named_parameter

if TYPE_CHECKING:
    from antrax.classification.report import ClassifyResult
    from antrax.solving.report import SolveReport


class AntraxError(Exception):
    """Base of all errors that a user can do something about.

    Parameters
    ----------
    message : str
        It may hold names and texts out of files: what cannot be printed in them is escaped here, for every error.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class ExperimentError(AntraxError):
    """An experiment, a session or one of their tables is missing or cannot be understood."""


class LabelsError(AntraxError):
    """`labels.csv` is missing, contradicts itself, or does not fit what it is used with."""


class StackError(AntraxError):
    """An image stack (`images_<m>.mat`) cannot be read or does not hold what it should."""


class TrdataError(AntraxError):
    """Measurements of blobs (`trdata_<m>.mat`) are missing or damaged."""


class GraphError(AntraxError):
    """A graph of tracklets cannot be read, or contradicts itself."""


class SolvingError(AntraxError):
    """Some movies or experiments could not be solved; the others were.

    Attributes
    ----------
    report : antrax.SolveReport or None
        What was done all the same; None where nothing was.
    """

    def __init__(self, message: str, report: SolveReport | None = None) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[type[SolvingError], tuple[str, object]]:
        return type(self), (str(self), self.report)


class TrainsetError(AntraxError):
    """A training set is missing, empty, or cannot be trained on as it is."""


class NothingToUndoError(TrainsetError):
    """There is no change of the training set to take back."""


class ClassifierError(AntraxError):
    """A classifier file is missing, damaged, or of a kind that this version cannot use."""


class OptionError(AntraxError, ValueError):
    """An option has a value that cannot be used, or contradicts another or an existing file."""

    @property
    def parameter(self) -> str | None:
        """Name of the parameter that the message names first, as in Python; None if it names none."""
        return named_parameter(str(self))


class OutputError(AntraxError):
    """A result cannot be written (disk full, read-only folder)."""


class LockedError(OutputError):
    """Another process is at work on the same files; the message says which."""


class InputChangedError(AntraxError):
    """A file that is being read was replaced or changed meanwhile."""


class ConflictError(AntraxError):
    """Somebody else changed what this change was meant for; look again first."""


class JobError(AntraxError):
    """Training or classifying in the background cannot be started as asked, or one of them is under way."""


class ClusterError(AntraxError):
    """A job cannot be given to the cluster."""


class DeviceError(AntraxError):
    """The device that was asked for is not on this machine."""


class DownloadError(AntraxError):
    """Something that is fetched once could not be fetched."""


class ClassificationError(AntraxError):
    """Some movies or experiments could not be classified; the others were.

    Attributes
    ----------
    report : antrax.ClassifyResult
        What was done all the same.
    """

    def __init__(self, message: str, report: ClassifyResult) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[type[ClassificationError], tuple[str, ClassifyResult]]:
        return type(self), (str(self), self.report)


_DRIVE = {
    number
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


def reason_of(error: OSError) -> str:
    """Why something cannot be read or written, in words that can follow a colon.

    Parameters
    ----------
    error : OSError
    """
    why = error.strerror or str(error) or type(error).__name__
    if is_drive_failure(error) and "drive" not in why:
        return f"{why}; its drive fails or was disconnected, so check that"
    return why


def explain_mistake(error: Exception) -> str:
    """A sentence about an error that nobody raised on purpose; it names a file that holds the traceback."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="antrax-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as file:
        traceback.print_exception(error, file=file)
    what = printable(" ".join(f"{type(error).__name__}: {error}".split()))
    return f"{what}. This is a mistake in antrax; please report it with the file {file.name}"
