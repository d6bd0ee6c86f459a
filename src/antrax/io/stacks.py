"""Image stacks: the blob images of a movie's tracklets, as MATLAB v7.3 (HDF5) files."""

from __future__ import annotations

import contextlib
import errno
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antrax.errors import StackError
from antrax.io.atomic import replacing_hdf5
from antrax.io.names import TrackletName, parse_tracklet_name

if TYPE_CHECKING:
    import h5py

# Images read at a time: 15 MB at 50 pixels, 48 MB at 88.
_READ = 2048


class Stack:
    """One open `images_<m>.mat` file. Use `open_stack`.

    Parameters
    ----------
    path : Path
    file : h5py.File
        Open for reading.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file
        self._opened: tuple[str, h5py.Dataset, int, int] | None = None

    def tracklets(self) -> list[TrackletName]:
        """The tracklets that have a dataset in this file, in the file's order."""
        try:
            # h5py gives a name that is no UTF-8 as bytes
            names = [parse_tracklet_name(name) for name in self._file if isinstance(name, str)]
        except (OSError, RuntimeError, KeyError) as error:
            raise StackError(f"{self.path} is damaged ({error}); run the tracking step of this movie again") from None
        return [name for name in names if name]

    def count(self, tracklet: str) -> int:
        """Number of images of `tracklet`."""
        return self._open(tracklet)[1]

    def size(self, tracklet: str) -> int:
        """Side length S of the images of `tracklet`, in pixels."""
        return self._open(tracklet)[2]

    def read(self, tracklet: str, start: int = 0, stop: int | None = None) -> NDArray[np.uint8]:
        """Images of `tracklet`.

        Parameters
        ----------
        tracklet : str
        start, stop : int, optional
            0-based range of images; all by default.

        Returns
        -------
        NDArray[np.uint8]
            Shape (N, S, S, 3): row, column, rgb. The background is 0. In memory, pixels lie in the file's order.

        Raises
        ------
        StackError
            The dataset is not a uint8 stack of square RGB images, or is damaged.
        """
        dataset, count, _ = self._open(tracklet)
        stop = count if stop is None else min(stop, count)
        if not count:
            return np.zeros((0, 0, 0, 3), np.uint8)
        try:
            raw = dataset[()][None][start:stop] if dataset.ndim == 3 else dataset[start:stop]
        except (OSError, RuntimeError) as error:
            raise StackError(f"{self.path}: the images of {tracklet} are damaged ({error})") from None
        return np.asarray(raw).transpose(0, 3, 2, 1)

    def pieces(self, tracklet: str) -> Iterator[NDArray[np.uint8]]:
        """The images of `tracklet` in order, in pieces small enough to hold in memory."""
        dataset, count, _ = self._open(tracklet)
        # whole chunks at a time: HDF5 decompresses a chunk anew for every read that touches it
        chunk = dataset.chunks[0] if dataset.chunks and len(dataset.chunks) == 4 else 1
        step = max(1, _READ // chunk) * chunk
        for start in range(0, count, step):
            yield self.read(tracklet, start, start + step)

    def _open(self, tracklet: str) -> tuple[h5py.Dataset, int, int]:
        """The dataset of a tracklet, checked; its number of images and their size."""
        # opening costs more than reading a short tracklet, and callers ask several things of one in turn
        if self._opened and self._opened[0] == tracklet:
            return self._opened[1:]
        try:
            dataset = self._file[tracklet]
            shape, dtype = dataset.shape, dataset.dtype
            empty = dataset.size == 0 or "MATLAB_empty" in dataset.attrs
        except KeyError:
            raise StackError(f"{self.path}: tracklet {tracklet} is missing or damaged") from None
        except (OSError, RuntimeError, AttributeError) as error:
            raise StackError(f"{self.path}: {tracklet} is damaged ({error})") from None
        if not empty and (dtype != np.uint8 or len(shape) not in (3, 4) or shape[-3] != 3 or shape[-1] != shape[-2]):
            raise StackError(
                f"{self.path}: {tracklet} is {dtype} of shape {shape}; expected uint8 of shape (images, 3, S, S). "
                "Run the tracking step of this movie again"
            )
        count, size = (0, 0) if empty else (1 if len(shape) == 3 else shape[0], shape[-1])
        self._opened = (tracklet, dataset, count, size)
        return dataset, count, size


@contextlib.contextmanager
def open_stack(path: Path) -> Iterator[Stack]:
    """Open an image stack for reading.

    Raises
    ------
    StackError
        The file is missing or is no HDF5 file (half-written, damaged, or of MATLAB's older formats).
    """
    import h5py

    try:
        # While HDF5 waits for a drive, no other thread of Python gets on; while Python itself does, they do.
        _read_start(path)
    except FileNotFoundError:
        raise StackError(f"{path} does not exist") from None
    except OSError as error:
        raise StackError(f"{path} cannot be read: {error.strerror}") from None
    try:
        # Other machines may have the file open on a network drive, where locks do not work or do not end.
        file = h5py.File(path, "r", locking=False)
    except OSError as error:
        raise StackError(
            f"{path} is no complete HDF5 file ({error}); run the tracking step of this movie again"
        ) from None
    with file:
        yield Stack(path, file)


def _read_start(path: Path) -> None:
    """Raise OSError unless there is a plain file that can be read."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no plain file")
    with path.open("rb") as file:
        file.read(1)


def read_frame_passed(path: Path, tracklets: Iterable[str]) -> dict[str, NDArray[np.bool_]]:
    """Which frames of each tracklet have a blob of plausible size and shape.

    Parameters
    ----------
    path : Path
        `frame_passed_<m>.mat`; a missing or unreadable file gives an empty table, for the decision does not need it.
    tracklets : iterable of str
        The tracklets wanted; those that the file misses are missing in the answer.
    """
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            return {
                name: np.asarray(dataset).astype(bool).ravel()
                for name in tracklets
                if isinstance(dataset := file.get(name), h5py.Dataset) and "MATLAB_empty" not in dataset.attrs
            }
    except (OSError, RuntimeError, KeyError):
        return {}


def write_stacks(path: Path, tracklets: Iterable[tuple[str, NDArray[np.uint8]]]) -> None:
    """Write an image stack as MATLAB would.

    Parameters
    ----------
    path : Path
    tracklets : iterable of (str, NDArray[np.uint8])
        Name and images, shape (N, S, S, 3): row, column, rgb; background 0.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    with replacing_hdf5(path) as file:
        for name, images in tracklets:
            stored = images.transpose(0, 3, 2, 1)
            chunks: tuple[int, ...] | None = (min(64, len(stored)), *stored.shape[1:])
            if len(stored) == 1:  # MATLAB drops a trailing dimension of one
                stored, chunks = stored[0], None
            dataset = file.create_dataset(name, data=stored, chunks=chunks, compression="gzip", compression_opts=3)
            dataset.attrs["MATLAB_class"] = np.bytes_("uint8")
