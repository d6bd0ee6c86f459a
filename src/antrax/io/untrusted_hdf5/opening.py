"""Opening of untrusted HDF5 files."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from antrax.errors import AntraxError, ClassifierError, is_drive_failure
from antrax.io.regular_files import UnexpectedFileError, open_regular

if TYPE_CHECKING:
    import h5py

_LARGEST_CLASSIFIER = 2**31
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_USER_BLOCKS = (0, 512, 1024, 2048)


class ContentError(Exception):
    """An HDF5 file, or something in it, cannot be used; the message says why, the caller names the file."""


@contextlib.contextmanager
def open_hdf5(path: Path, most: int | None = None) -> Iterator[h5py.File]:
    """Open a regular file as HDF5 for reading.

    Parameters
    ----------
    path : Path
    most : int, optional
        Largest size of the file, in bytes.

    Raises
    ------
    OSError
        As `antrax.io.regular_files.open_regular`.
    ContentError
        It is no HDF5 file, or an incomplete one.
    """
    import h5py

    with open_regular(path, most) as regular:
        # While HDF5 waits for a drive, no other thread of Python gets on; while Python itself does, they do.
        # Some files of the system's are said to be empty, and HDF5 would wait for them for ever.
        if not regular.read(1):
            raise ContentError("it is no HDF5 file: it is empty")
        try:
            # Other machines may have the file open on a network drive, where locks do not work or do not end.
            file = h5py.File(_name_of(regular, path), "r", locking=False)
        except Exception as error:  # of a damaged file, h5py raises almost anything
            raise ContentError(_why_not(regular, error)) from None
        try:
            # What is said of lengths is read by these sizes.
            if file.id.get_create_plist().get_sizes() != (8, 8):
                raise ContentError("it is of a kind of HDF5 that neither MATLAB nor Keras writes")
            yield file
        finally:
            with contextlib.suppress(Exception):  # nothing was written that could be lost
                file.close()


@contextlib.contextmanager
def open_untrusted(
    path: Path,
    what: str,
    error: type[AntraxError] = ClassifierError,
    *,
    most: int | None = _LARGEST_CLASSIFIER,
    advice: str = "",
) -> Iterator[h5py.File]:
    """Context manager that opens an HDF5 file; any error in the block is raised as an error about the file.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, with its article.
    error : type of AntraxError, optional
        What is raised.
    most : int, optional
        Largest size of the file, in bytes; None for any.
    advice : str, optional
        What to do about a fault.

    Raises
    ------
    AntraxError
        Of the type `error`.
    """
    end = f"; {advice}" if advice else ""
    inside = False
    try:
        with open_hdf5(path, most) as file:
            inside = True
            yield file
            inside = False
    except FileNotFoundError:
        raise error(f"{path} does not exist{end}") from None
    except (ContentError, UnexpectedFileError, error) as fault:
        refused = f"cannot be used as {what}" if inside else f"is no {what.split(maxsplit=1)[1]}"
        raise error(f"{path} {refused}: {getattr(fault, 'strerror', fault)}{end}") from None
    except AntraxError:
        raise
    except Exception as fault:
        if is_drive_failure(fault):
            raise error(f"{path} cannot be read: its drive fails or was disconnected, so check that") from None
        if not inside and isinstance(fault, OSError):
            raise error(f"{path} cannot be read: {fault.strerror or fault}") from None
        raise error(f"{path} cannot be used as {what}: it is damaged ({_plainly(fault)}){end}") from None


def _name_of(regular: BinaryIO, path: Path) -> str:
    """A name of an open file under which the same file is opened, whatever its path leads to by now."""
    by_descriptor = Path(f"/proc/self/fd/{regular.fileno()}")
    return str(by_descriptor if sys.platform == "linux" and by_descriptor.exists() else path)


def _why_not(regular: BinaryIO, error: Exception) -> str:
    """Reason why a file cannot be opened as HDF5."""
    try:
        regular.seek(0)
        start = regular.read(_USER_BLOCKS[-1] + len(_SIGNATURE))
    except OSError as failure:
        return f"it cannot be read ({failure.strerror or failure})"
    if any(start[place:].startswith(_SIGNATURE) for place in _USER_BLOCKS):
        return "it was cut short or damaged; copy it again"
    if start.startswith(b"MATLAB"):
        return "it is no HDF5 file, but of MATLAB's older formats (save with -v7.3)"
    if start.startswith(b"PK\x03\x04"):
        return "it is no HDF5 file; if it is a .keras file, save the model as .h5 (model.save('model.h5'))"
    if not start:
        return "it is no HDF5 file: it is empty"
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    return "it is no HDF5 file"


def _plainly(fault: Exception) -> str:
    """Message of an exception, without names of other files."""
    text = str(fault) or type(fault).__name__
    return text if "/proc/self/fd/" not in text else type(fault).__name__
