"""Decompressing datasets of bytes without the HDF5 library, which takes four times as long."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray


def has_plain_chunks(creation: Any, itemsize: int) -> bool:
    """Whether a dataset's chunks are streams of zlib and nothing else, which `read_chunks` reads.

    Parameters
    ----------
    creation : h5py.h5p.PropDCID
        What the dataset was created with.
    itemsize : int
        Bytes of a value.
    """
    import h5py

    if itemsize != 1 or creation.get_layout() != h5py.h5d.CHUNKED:
        return False
    codes = [creation.get_filter(number)[0] for number in range(creation.get_nfilters())]
    return codes == [h5py.h5z.FILTER_DEFLATE]


def read_chunks(dataset: Any, chunks: tuple[int, ...], start: int, values: NDArray[np.uint8]) -> bool:
    """Read part of a dataset of bytes by decompressing its chunks.

    Parameters
    ----------
    dataset : h5py.h5d.DatasetID
        Checked by `dataset_id`, with `has_plain_chunks`.
    chunks : tuple of int
        Shape of its chunks.
    start : int
        First index to read on the first axis.
    values : NDArray[np.uint8]
        Filled from there on; of the dataset's shape on all other axes.

    Returns
    -------
    bool
        False where something is not as it should be: HDF5 can tell what.
    """
    size = math.prod(chunks)
    begin, end = (start, *(0 for _ in chunks[1:])), (start + len(values), *values.shape[1:])
    grid = (range(low // step * step, high, step) for low, high, step in zip(begin, end, chunks, strict=True))
    for corner in itertools.product(*grid):
        try:
            skipped_filters, content = dataset.read_direct_chunk(corner)
            inflater = isal_zlib.decompressobj()
            chunk = inflater.decompress(content, size + 1)
        except Exception:  # of a damaged file, h5py raises almost anything
            return False
        if skipped_filters or len(chunk) != size or not inflater.eof:
            return False
        there, here = [], []
        for low, high, place, step in zip(begin, end, corner, chunks, strict=True):
            first, last = max(low, place), min(high, place + step)
            there.append(slice(first - low, last - low))
            here.append(slice(first - place, last - place))
        values[tuple(there)] = np.frombuffer(chunk, np.uint8).reshape(chunks)[tuple(here)]
    return True
