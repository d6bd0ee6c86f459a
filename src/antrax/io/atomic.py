"""Writing files so that a reader, or a second try after a crash, never meets a half-written one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from antrax.errors import OutputError

if TYPE_CHECKING:
    import h5py


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an exception.

    The temporary name starts with a dot and ends in ``.part``, so that nothing that looks for results finds it.

    Raises
    ------
    OutputError
        The folder cannot be written or the disk is full. `path` is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file, open for writing, that takes the place of `path` when the block ends without an exception.

    It grows in memory, for where a disk is full HDF5 drops data, says so on standard error only, and in the end takes
    the whole process down (seen with h5py 3.16).

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
    """Write `content` (text as UTF-8) to `path` whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def make_folder(path: Path) -> Path:
    """Create `path` and its parents where they are missing.

    Raises
    ------
    OutputError
        It cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be created: {error.strerror or error}") from error
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


@contextlib.contextmanager
def only_writer(lock: Path, patience: float = 10.0) -> Iterator[None]:
    """A block that no two processes are in at a time.

    Where the file system knows no locks, or the folder is read-only, the block is entered all the same: the first is
    no reason to refuse work, and the second shows when something is written.

    Parameters
    ----------
    lock : Path
        A file that is there for this only; it is made where it is missing, in a folder that is there, and stays.
    patience : float
        Seconds to wait for others.

    Raises
    ------
    OutputError
        Others did not end in time.
    """
    from filelock import FileLock, Timeout

    holder = FileLock(lock)
    try:
        holder.acquire(timeout=patience)
    except Timeout:
        raise OutputError(
            f"somebody else has been writing for {patience:.0f} s; try again, and if nobody is at work delete {lock}"
        ) from None
    except (OSError, NotImplementedError):
        pass
    try:
        yield
    finally:
        # Does nothing where no lock was had; a drive that was taken away has none to give back.
        with contextlib.suppress(OSError):
            holder.release()


def user_cache() -> Path:
    """Where what is kept for a user between runs lies; the variable ANTRAX_CACHE says otherwise. It may not exist."""
    if folder := os.environ.get("ANTRAX_CACHE"):
        return Path(folder)
    import platformdirs

    return Path(platformdirs.user_cache_dir("antrax", appauthor=False))


def check_writable(path: Path, room: int) -> None:
    """Find out before long work whether `room` bytes could be written to `path`; leaves nothing behind.

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
