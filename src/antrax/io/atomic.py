"""Atomic writing of files: a file is written beside its target and then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from antrax.errors import OutputError, reason_of
from antrax.io.processes import parse_tag, this_process

if TYPE_CHECKING:
    import h5py


# Bytes of the file's name that its temporary name begins with.
_LONGEST_START = 180


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Context manager: a temporary path beside `path`, renamed to `path` when the block ends without an exception.

    The temporary name starts with a dot and ends in ``.part``, so that nothing that looks for results finds it, and
    names the process, so that `remove_dead_parts` knows what a killed one left.

    Raises
    ------
    OutputError
        The folder cannot be written or the disk is full. `path` is then as it was.
    """
    # a name may be as long as names can be
    start = os.fsencode(path.name)[:_LONGEST_START].decode(errors="ignore")
    temporary = path.with_name(f".{start}.{this_process()}-{secrets.token_hex(4)}.part")
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {reason_of(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def reserved(path: Path, temporary: Mapping[Path, Path]) -> Iterator[Path]:
    """Context manager: the temporary path of a file that `replacing` opened before, maybe in another process.

    Parameters
    ----------
    path : Path
        The file.
    temporary : mapping of Path to Path
        From each file to the path that `replacing` gave for it.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    try:
        yield temporary[path]
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {reason_of(error)}") from error


@contextlib.contextmanager
def replacing_hdf5(path: Path) -> Iterator[h5py.File]:
    """Context manager: an HDF5 file to write, which replaces `path` when the block ends without an exception.

    It is built in memory, because on a full disk HDF5 loses data, reports that on standard error only, and finally
    crashes the process (seen with h5py 3.16).

    Raises
    ------
    OutputError
        The folder cannot be written or the disk is full. `path` is then as it was.
    """
    import h5py

    with h5py.File(path.name, "w", driver="core", backing_store=False, block_size=2**20) as file:
        yield file
        file.flush()
        content: bytes = file.id.get_file_image()
    write_atomically(path, content)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write `content` (text as UTF-8) to `path` atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def make_folder(path: Path, *, within: Path | None = None) -> Path:
    """Create `path` and its parents where they are missing.

    Parameters
    ----------
    path : Path
    within : Path, optional
        A folder above it that must be there (a session, say): where that was deleted or its drive taken away, nothing
        is created in its place.

    Raises
    ------
    OutputError
        It cannot be created.
    """
    if within is not None and not within.is_dir():
        raise OutputError(f"{path} cannot be created: {within} is not there any more; was it removed, or its drive?")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be created: {reason_of(error)}") from error
    return path


def fsync_folder(path: Path) -> None:
    """Wait until the names in a folder are on disk: after a power cut, a file put in place before this is there.

    Windows does this by itself, and some network drives cannot be asked; both are passed over.

    Raises
    ------
    OSError
        The disk failed.
    """
    if os.name == "nt":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(folder)


def remove_dead_parts(folder: Path) -> list[Path]:
    """Remove what `replacing` left in a folder when its process was killed.

    Parameters
    ----------
    folder : Path
        It may be missing.

    Returns
    -------
    list of Path
        The files removed: those whose process ran on this machine and has certainly ended.
    """
    removed = []
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(".") and entry.name.endswith(".part")]
    except OSError:
        return []
    for name in names:
        process = parse_tag(name.removesuffix(".part").rpartition(".")[2].rpartition("-")[0])
        if process and process.is_surely_dead():
            with contextlib.suppress(OSError):
                (folder / name).unlink()
                removed.append(folder / name)
    return removed


def user_cache() -> Path:
    """Folder of the user's cache; the environment variable ANTRAX_CACHE changes it. It may not exist."""
    if folder := os.environ.get("ANTRAX_CACHE"):
        return Path(folder)
    import platformdirs

    return Path(platformdirs.user_cache_dir("antrax", appauthor=False))


def check_writable(path: Path, room: int) -> None:
    """Check before long work that `room` bytes can be written to `path`; leaves no file.

    Raises
    ------
    OutputError
        They could not.
    """

    class NotNeededError(Exception):
        """Ends the trial."""

    with contextlib.suppress(NotNeededError), replacing(path) as temporary:
        with temporary.open("wb", buffering=0) as file:
            written = 0
            while written < room:
                written += file.write(bytes(2**20)) or 0
        raise NotNeededError
