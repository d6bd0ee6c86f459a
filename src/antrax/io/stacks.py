"""Image stacks: the blob images of a movie's tracklets, as MATLAB v7.3 (HDF5) files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import StackError
from antrax.io import untrusted_hdf5
from antrax.io.atomic import replacing_hdf5
from antrax.io.names import TrackletName, parse_tracklet_name
from antrax.io.untrusted_hdf5 import ContentError

if TYPE_CHECKING:
    import h5py

# Images read at a time: 15 MB at 50 pixels, 48 MB at 88, no more at any size.
_READ, _READ_BYTES = 2048, 48 * 2**20
# Of the values of one dataset; they are read in pieces.
_LARGEST_TRACKLET = 2**40
_LARGEST_LOGICAL = 2**24


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
        self._opened: tuple[str, _Images] | None = None
        self._grey: bool | None = None

    def tracklets(self) -> list[TrackletName]:
        """The tracklets that have a dataset in this file, in the file's order."""
        try:
            # h5py gives a name that is no UTF-8 as bytes
            names = [parse_tracklet_name(name) for name in self._file if isinstance(name, str)]
        except Exception as error:  # of a damaged file, h5py raises almost anything
            raise StackError(f"{self.path} is damaged ({error}); run the tracking step of this movie again") from None
        return [name for name in names if name]

    def unrecognised(self) -> list[str]:
        """Names in this file that are no tracklets' (those of MATLAB's own begin with #)."""
        try:
            names = [name if isinstance(name, str) else repr(name) for name in self._file]
        except Exception as error:  # of a damaged file, h5py raises almost anything
            raise StackError(f"{self.path} is damaged ({error}); run the tracking step of this movie again") from None
        return [name for name in names if not name.startswith("#") and not parse_tracklet_name(name)]

    def _is_grey(self) -> bool:
        """Whether the images of this file are grey, told by the first dataset whose shape leaves no doubt."""
        if self._grey is None:
            self._grey = False
            for name in self.tracklets():
                with contextlib.suppress(Exception):  # told where this tracklet is read
                    shape = untrusted_hdf5.dataset_id(self._file, name.name, compressed=True).shape
                    if len(shape) == 4 or (len(shape) == 3 and shape[0] != 3 and shape[1] == shape[2]):
                        self._grey = len(shape) == 3 or shape[1] == 1
                        break
        return self._grey

    def count(self, tracklet: str) -> int:
        """Number of images of `tracklet`."""
        return self._open(tracklet).count

    def size(self, tracklet: str) -> int:
        """Side length S of the images of `tracklet`, in pixels."""
        return self._open(tracklet).size

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
        images = self._open(tracklet)
        stop = images.count if stop is None else min(stop, images.count)
        if not images.count:
            return np.zeros((0, 0, 0, 3), np.uint8)
        try:
            raw = images.read(start, max(start, stop))
        except MemoryError:
            raise StackError(f"{self.path}: not enough memory for the images of {tracklet}") from None
        except Exception as error:
            raise StackError(f"{self.path}: the images of {tracklet} are damaged ({error})") from None
        return raw.transpose(0, 3, 2, 1)

    def pieces(self, tracklet: str) -> Iterator[NDArray[np.uint8]]:
        """The images of `tracklet` in order, in pieces small enough to hold in memory."""
        images = self._open(tracklet)
        # whole chunks at a time: HDF5 decompresses a chunk anew for every read that touches it
        step = max(1, min(_READ, _READ_BYTES // max(1, 3 * images.size**2)) // images.chunk) * images.chunk
        for start in range(0, images.count, step):
            yield self.read(tracklet, start, start + step)

    def _open(self, tracklet: str) -> _Images:
        """The dataset of a tracklet, checked."""
        # opening costs more than reading a short tracklet, and callers ask several things of one in turn
        if self._opened and self._opened[0] == tracklet:
            return self._opened[1]
        try:
            dataset = untrusted_hdf5.dataset_id(self._file, tracklet, compressed=True, most=_LARGEST_TRACKLET)
            images = _Images.of(dataset)
            if images and len(images.shape) == 3 and images.shape[0] == 3 and self._is_grey():
                images = _Images.of(dataset, grey_file=True)
        except Exception as error:
            raise StackError(
                f"{self.path}: tracklet {tracklet} is missing or damaged ({error}). "
                "Run the tracking step of this movie again"
            ) from None
        if images is None:
            raise StackError(
                f"{self.path}: {tracklet} is {dataset.dtype} of shape {dataset.shape}; expected uint8 of shape "
                "(images, 3, S, S), or (images, 1, S, S) for grey ones. Run the tracking step of this movie again"
            )
        self._opened = (tracklet, images)
        return images


@dataclass(frozen=True)
class _Images:
    """The dataset of a tracklet.

    Parameters
    ----------
    dataset : h5py.h5d.DatasetID
    shape : tuple of int
    count, size : int
        Number of images and their side length, in pixels; both 0 where there are none.
    chunk : int
        Images of a chunk, 1 where there are no chunks.
    grey : bool
        Whether there is one channel, with or without an axis of its own.
    plain_chunks : tuple of int
        Shape of the chunks where they can be decompressed without HDF5, else empty.
    """

    dataset: Any
    shape: tuple[int, ...]
    count: int
    size: int
    chunk: int
    grey: bool = False
    plain_chunks: tuple[int, ...] = ()

    @classmethod
    def of(cls, dataset: Any, grey_file: bool = False) -> _Images | None:
        """None where a dataset holds no images.

        Parameters
        ----------
        dataset : h5py.h5d.DatasetID
        grey_file : bool
            Whether the other datasets of the file are of grey images.
        """
        import h5py

        shape: tuple[int, ...] = dataset.shape
        if 0 in shape or h5py.h5a.exists(dataset, b"MATLAB_empty"):
            return cls(dataset, shape, 0, 0, 1)
        if dataset.dtype != np.uint8 or len(shape) not in (2, 3, 4) or shape[-1] != shape[-2]:
            return None
        if len(shape) == 4:
            count, grey = shape[0], shape[1] == 1
            if not grey and shape[1] != 3:
                return None
        elif len(shape) == 3:
            # one image of three channels, or grey ones; three of these look like the former
            grey = shape[0] != 3 or grey_file
            count = shape[0] if grey else 1
        else:
            count, grey = 1, True
        creation = dataset.get_create_plist()
        chunked = len(shape) == 4 and creation.get_layout() == h5py.h5d.CHUNKED
        chunks = creation.get_chunk() if chunked else (1,)
        plain = chunks if chunked and untrusted_hdf5.has_plain_chunks(creation, 1) else ()
        return cls(dataset, shape, count, shape[-1], chunks[0], grey, plain)

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Some images as they are stored, shape (images, 3, S, S); the one channel of grey ones three times."""
        import h5py

        if len(self.shape) < 4:
            whole = np.empty(self.shape, np.uint8)
            self.dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, whole)
            if self.grey:
                return np.repeat(whole.reshape(self.count, 1, self.size, self.size)[start:stop], 3, axis=1)
            return whole[None][start:stop]
        part = np.empty((stop - start, *self.shape[1:]), np.uint8)
        if self.plain_chunks and untrusted_hdf5.read_chunks(self.dataset, self.plain_chunks, start, part):
            pass
        elif part.shape == self.shape:
            self.dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, part)
        elif len(part):
            space = self.dataset.get_space()
            space.select_hyperslab((start, 0, 0, 0), part.shape)
            self.dataset.read(h5py.h5s.create_simple(part.shape), space, part)
        return np.repeat(part, 3, axis=1) if self.grey else part


@contextlib.contextmanager
def open_stack(path: Path) -> Iterator[Stack]:
    """Open an image stack for reading.

    Raises
    ------
    StackError
        The file is missing or is no HDF5 file (half-written, damaged, or of MATLAB's older formats).
    """
    with contextlib.ExitStack() as opened:
        try:
            file = opened.enter_context(untrusted_hdf5.open_hdf5(path))
        except FileNotFoundError:
            raise StackError(f"{path} does not exist") from None
        except OSError as error:
            raise StackError(f"{path} cannot be read: {error.strerror or error}") from None
        except ContentError as error:
            raise StackError(
                f"{path} is no complete HDF5 file ({error}); run the tracking step of this movie again"
            ) from None
        yield Stack(path, file)


def read_frame_passed(path: Path, tracklets: Iterable[str]) -> dict[str, NDArray[np.bool_]]:
    """Which frames of each tracklet have a blob of plausible size and shape.

    Parameters
    ----------
    path : Path
        `frame_passed_<m>.mat`; a missing file gives an empty table, for the decision does not need it.
    tracklets : iterable of str
        The tracklets wanted; those that the file misses are missing in the answer.

    Returns
    -------
    dict of str to NDArray[np.bool_]
        Nothing for a tracklet that is damaged there: an empty array.

    Raises
    ------
    StackError
        The file is there, but cannot be read.
    """
    found = {}
    try:
        with untrusted_hdf5.open_hdf5(path) as file:
            for name in tracklets:
                try:
                    if untrusted_hdf5.has(file, name):
                        dataset = untrusted_hdf5.dataset(
                            file, name, dtype=(np.number, np.bool_), compressed=True, most=_LARGEST_LOGICAL
                        )
                        if "MATLAB_empty" not in dataset.attrs:
                            found[name] = np.asarray(dataset).astype(bool).ravel()
                except Exception:  # of a damaged dataset, h5py raises almost anything
                    found[name] = np.zeros(0, bool)
    except (OSError, ContentError) as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            return {}
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise StackError(f"{path} cannot be read: {reason}") from None
    return found


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
