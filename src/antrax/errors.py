"""Exceptions that antrax raises, derived from `AntraxError`.

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
        Messages may contain names and texts from files; characters that cannot be printed are escaped here.
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
    """Some movies or experiments could not be solved; all others are done.

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
    """There is no change of the training set to undo."""


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
    """Another process is working on the same files; the message names it."""


class InputChangedError(AntraxError):
    """A file that is being read was replaced or changed meanwhile."""


class ConflictError(AntraxError):
    """A change refers to a state that somebody else has changed meanwhile; reload and try again."""


class JobError(AntraxError):
    """A background job (training, classification, grouping) cannot be started, or another one is running."""


class ClusterError(AntraxError):
    """A job cannot be submitted to the cluster."""


class DeviceError(AntraxError):
    """The requested device is not available on this machine."""


class DownloadError(AntraxError):
    """A file (pretrained weights) could not be downloaded."""


class ClassificationError(AntraxError):
    """Some movies or experiments could not be classified; all others are done.

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
# HDF5 quotes the error of the operating system in its own message.
_ERRNO = re.compile(r"errno = (\d+)")


def is_drive_failure(error: BaseException) -> bool:
    """Whether an error was caused by a drive that fails or was disconnected, and not by the content of a file.

    Parameters
    ----------
    error : BaseException
        An error of the operating system, of HDF5, or of this package that quotes one of these.
    """
    if isinstance(error, OSError) and error.errno in _DRIVE:
        return True
    return any(int(number) in _DRIVE for number in _ERRNO.findall(str(error)))


def reason_of(error: OSError) -> str:
    """Reason why something cannot be read or written, worded so that it can follow a colon.

    Parameters
    ----------
    error : OSError
    """
    why = error.strerror or str(error) or type(error).__name__
    if is_drive_failure(error) and "drive" not in why:
        return f"{why}; its drive fails or was disconnected, so check that"
    return why


def explain_mistake(error: Exception) -> str:
    """Describe an unexpected error in one sentence, which names a file that holds the traceback."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="antrax-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as file:
        traceback.print_exception(error, file=file)
    what = printable(" ".join(f"{type(error).__name__}: {error}".split()))
    return f"{what}. This is a mistake in antrax; please report it with the file {file.name}"
