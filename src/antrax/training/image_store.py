"""Room for the decoded images of a training set: in memory, or of large sets in a file that is mapped into it.

Of the file, the system holds in memory what is used and what there is room for, so a training set may be larger than
the memory of the machine or container.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from antrax.errors import OutputError, reason_of

# Share of the memory that images may take before they go into a file. The network, its gradients and the names of the
# examples are to have room beside them.
SHARE = 0.25
_IN_MEMORY = ("tmpfs", "ramfs")  # file systems that lie in memory themselves
_ZEROS = bytes(2**20)


def empty_images(count: int, size: int, folder: Path) -> NDArray[np.uint8]:
    """Room for images, in memory as training takes them: the channels come first.

    Parameters
    ----------
    count : int
    size : int
        Side length, in pixels.
    folder : Path
        Where the file lies if the system's folder of temporary files has no room. The file has no name there, or is
        removed by the system when this process ends, however that is.

    Returns
    -------
    NDArray[np.uint8]
        Shape (count, size, size, 3).

    Raises
    ------
    OutputError
        No folder has room.
    """
    shape, needed = (count, 3, size, size), count * 3 * size**2
    if needed <= SHARE * memory_limit():
        return np.empty(shape, np.uint8).transpose(0, 2, 3, 1)
    mapped = _mapped(needed, folder)
    return np.frombuffer(mapped, np.uint8).reshape(shape).transpose(0, 2, 3, 1)


def selected(images: NDArray[np.uint8], rows: NDArray[np.int64], folder: Path) -> NDArray[np.uint8]:
    """Copy some images, into room made as by `empty_images`.

    Parameters
    ----------
    images : NDArray[np.uint8]
        Shape (N, S, S, 3).
    rows : NDArray[np.int64]
        Which, in this order.
    folder : Path
        As for `empty_images`.
    """
    chosen = empty_images(len(rows), images.shape[1], folder)
    for start in range(0, len(rows), 4096):
        chosen[start : start + 4096] = images[rows[start : start + 4096]]
    return chosen


def memory_limit(groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes of memory of this machine, or of the container or the cluster's job that this process runs in.

    Parameters
    ----------
    groups : Path, optional
        Where Linux tells the limits of groups of processes.
    """
    import psutil

    found = [int(psutil.virtual_memory().total)]
    for path in _limits(groups):
        with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
            found.append(int(path.read_text()))
    return min(found)


def _limits(groups: Path) -> Iterator[Path]:
    """Files that may hold a limit: of the first and second version of control groups, those above this one included."""
    yield groups / "memory.max"
    yield groups / "memory" / "memory.limit_in_bytes"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, name = line.split(":", 2)
            base, file = groups, "memory.max"
            if controllers:
                if "memory" not in controllers.split(","):
                    continue
                base, file = groups / "memory", "memory.limit_in_bytes"
            own = base / name.lstrip("/")
            while own != base and base in own.parents:
                yield own / file
                own = own.parent


def _mapped(needed: int, folder: Path) -> mmap.mmap:
    """A file without a name, of so many bytes, as memory."""
    problems = []
    temporary = Path(tempfile.gettempdir())
    for place in ([] if _lies_in_memory(temporary) else [temporary]) + [folder]:
        try:
            with tempfile.TemporaryFile(dir=place) as file:
                _reserve(file, needed)
                return mmap.mmap(file.fileno(), needed)
        except OSError as error:
            problems.append(f"{place}: {reason_of(error)}")
    raise OutputError(
        f"the images of this training set take {needed / 1e9:.1f} GB, for which there is no room ({'; '.join(problems)}"
        "): set TMPDIR to a folder on a drive with more room, or train with smaller images"
    )


def _reserve(file: BinaryIO, needed: int) -> None:
    """Take the room now: memory that is mapped to a full drive would end this process when it is written."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, needed)
        return
    for start in range(0, needed, len(_ZEROS)):
        if file.write(_ZEROS[: needed - start]) < min(len(_ZEROS), needed - start):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    file.flush()


def _lies_in_memory(folder: Path) -> bool:
    import psutil

    place = folder.resolve()
    mounts = [part for part in psutil.disk_partitions(all=True) if place.is_relative_to(part.mountpoint)]
    return bool(mounts) and max(mounts, key=lambda part: len(part.mountpoint)).fstype in _IN_MEMORY
