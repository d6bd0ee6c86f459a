"""Groups and datasets of untrusted HDF5 files, checked before they are read."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.io.untrusted_hdf5.opening import ContentError

if TYPE_CHECKING:
    import h5py

LARGEST_DATASET = 2**29
_LARGEST_CHUNK = 2**28
_FEW_CHUNKS = 64
_DEEPEST = 50
# Of zlib: what it decompresses is at most so many times as large. Chunks up to this stored size are decompressed
# without a look at them first: 1 GB is the most that this can take.
_MOST_RATIO = 1032
_SMALL_CHUNK = 2**20
_REPACK = "write the file anew with h5repack -f GZIP=3"


def has(group: h5py.Group, name: str) -> bool:
    """Whether a group has a member of that name. Unlike `name in group`, no link is followed to find out."""
    return bool(group.id.links.exists(name.encode()))


def _is_link(group: h5py.Group, name: str) -> bool:
    """Whether a member that a group has may lie elsewhere; it is not followed to find out."""
    import h5py

    return bool(group.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD)


def member(group: h5py.Group, name: str) -> Any:
    """The group or dataset `name` (with slashes), which lies in the file itself and not behind a link."""
    import h5py

    place: Any = group
    for part in name.split("/"):
        if not isinstance(place, h5py.Group):
            raise ContentError(f"{name} is missing")
        _check_hard(place, part, name)
        place = place[part]
    return place


def _check_hard(group: h5py.Group, part: str, name: str) -> None:
    """Raise ContentError unless `part` of a group lies in the file itself."""
    import h5py

    try:
        kind = group.id.links.get_info(part.encode()).type
    except (KeyError, RuntimeError):
        if has(group, part):
            raise
        raise ContentError(f"{name} is missing") from None
    if kind != h5py.h5l.TYPE_HARD:
        raise ContentError(f"{name} is a link")


def dataset(
    group: h5py.Group,
    name: str,
    *,
    shape: tuple[int, ...] | None = None,
    dtype: type | tuple[type, ...] | None = None,
    compressed: bool = False,
    most: int = LARGEST_DATASET,
) -> h5py.Dataset:
    """A dataset that lies in the file itself and is as expected, looked at before anything of it is read.

    Parameters
    ----------
    group : h5py.Group
    name : str
        With slashes, where it lies in a group of that group.
    shape : tuple of int, optional
    dtype : type or tuple of type, optional
        Types of numpy's one of which its type must be, or be a kind of.
    compressed : bool, optional
        Whether it may be compressed, which nobody does to classifiers.
    most : int, optional
        Largest size of its values, in bytes.

    Returns
    -------
    h5py.Dataset
        Its shape is a tuple; its values are numbers, truth values or texts.

    Raises
    ------
    ContentError
    """
    import h5py

    place = h5py.Dataset(dataset_id(group, name, compressed, most))
    types = dtype if isinstance(dtype, tuple) else (dtype,)
    if (dtype is not None and not any(np.issubdtype(place.dtype, kind) for kind in types)) or (
        shape is not None and place.shape != shape
    ):
        expected = "as expected" if shape is None else "as the model describes it"
        raise ContentError(f"{name} is {place.dtype} of shape {place.shape}, not {expected}")
    return place


def dataset_id(group: h5py.Group, name: str, compressed: bool = False, most: int = LARGEST_DATASET) -> Any:
    """As `dataset`, of any shape and type, without what h5py puts around it, which costs more than all the checks.

    Parameters
    ----------
    group : h5py.Group
        Where it lies.
    name : str
        With slashes, where it lies in a group of that group.
    compressed : bool, optional
        Whether it may be compressed.
    most : int, optional
        Largest size of its values, in bytes.

    Returns
    -------
    h5py.h5d.DatasetID
    """
    import h5py

    folder, _, last = name.rpartition("/")
    if folder:
        group = member(group, folder)
    if not isinstance(group, h5py.Group):
        raise ContentError(f"{name} is missing")
    _check_hard(group, last, name)
    place = h5py.h5o.open(group.id, last.encode())
    if not isinstance(place, h5py.h5d.DatasetID):
        raise ContentError(f"{name} is no dataset")
    # HDF5 opens the sources of a virtual dataset when asked for its shape, and crashes where it is its own source
    creation = place.get_create_plist()
    layout = creation.get_layout()
    if layout not in (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED) or creation.get_external_count():
        raise ContentError(f"{name} does not lie in the file")
    kind = check_plain(place, name)
    filters = creation.get_nfilters()
    if filters:
        if not compressed:
            # what is decompressed may be of any size, whatever the file says
            raise ContentError(f"{name} is compressed, which classifiers are not (h5repack -f NONE writes it plainly)")
        _check_filters(creation, name)
    space = place.get_space()
    if space.get_simple_extent_type() == h5py.h5s.NULL:
        raise ContentError(f"{name} is a dataset without a shape")
    shape, itemsize = space.get_simple_extent_dims(), max(1, kind.get_size())
    size = math.prod(shape) * itemsize
    chunks = creation.get_chunk() if layout == h5py.h5d.CHUNKED else ()
    # a chunk is read whole, however little of it is asked for
    chunk = math.prod(chunks) * itemsize if chunks else 0
    if size > most or chunk > _LARGEST_CHUNK:
        raise ContentError(f"{name} is too large")
    if compressed and size:
        if chunks:
            # each takes a byte, and eight where it is listed; HDF5 would go through all of them to tell their size
            count = math.prod(-(-whole // part) for whole, part in zip(shape, chunks, strict=True))
            if count > _FEW_CHUNKS and count > group.file.id.get_filesize() // 8:
                raise ContentError(f"{name} is too large")
        _check_storage(place, size, chunk if filters else 0, name)
    return place


def _check_filters(creation: Any, name: str) -> None:
    """Raise ContentError unless a dataset is compressed as MATLAB does, with or without h5py's additions."""
    import h5py

    known = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32)
    codes = [creation.get_filter(number)[0] for number in range(creation.get_nfilters())]
    if any(code not in known for code in codes):
        unknown = next(code for code in codes if code not in known)
        raise ContentError(f"{name} is compressed in a way that is not read (HDF5 filter {unknown}; {_REPACK})")
    if codes != [code for code in known if code in codes]:
        raise ContentError(f"{name} is compressed several times, or in a strange order ({_REPACK})")


def _check_storage(place: Any, size: int, chunk: int, name: str) -> None:
    """Raise ContentError where a dataset says that it holds more than lies in the file.

    HDF5 makes up what is not there, and decompresses without a limit.

    Parameters
    ----------
    place : h5py.h5d.DatasetID
    size : int
        Of all its values, in bytes.
    chunk : int
        Size of its chunks, in bytes, where they are compressed; else 0.
    name : str
    """
    stored = place.get_storage_size()
    if size > stored * (_MOST_RATIO if chunk else 1):
        raise ContentError(f"{name} holds less than it says (writing it was not completed)")
    if chunk and stored > _SMALL_CHUNK:
        large: list[tuple[int, ...]] = []
        place.chunk_iter(lambda info: large.append(info.chunk_offset) if info.size > _SMALL_CHUNK else None)
        for offset in large:
            _, content = place.read_direct_chunk(offset)
            if len(zlib.decompressobj().decompress(content, chunk + 1)) > chunk:
                raise ContentError(f"{name} is damaged: it holds more than it says")


def check_plain(place: Any, name: str) -> Any:
    """The HDF5 type of a dataset or attribute; raises ContentError unless it is of numbers or texts.

    Types that are made of others may be so deep that it takes gigabytes to look at them as numpy does.
    """
    import h5py

    kind = place.get_type()
    # truth values, as h5py writes them, are named numbers of one byte
    if kind.get_class() == h5py.h5t.ENUM and kind.get_size() == 1:
        return kind
    if kind.get_class() not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING):
        raise ContentError(f"{name} holds neither numbers nor texts")
    return kind


def values(
    group: h5py.Group,
    name: str,
    dtype: type | tuple[type, ...] = (np.number, np.bool_),
    *,
    shape: tuple[int, ...] | None = None,
    ndim: int | None = None,
    most: int = 2 * LARGEST_DATASET,
) -> NDArray[Any]:
    """All numbers of a dataset of measurements or results, which may be compressed.

    Parameters
    ----------
    group : h5py.Group
    name : str
    dtype : type or tuple of type, optional
        Types of numpy's one of which its type must be, or be a kind of.
    shape : tuple of int, optional
    ndim : int, optional
    most : int, optional
        Largest size, in bytes.
    """
    place = dataset(group, name, shape=shape, dtype=dtype, compressed=True, most=most)
    if ndim is not None and place.ndim != ndim:
        raise ContentError(f"{name} has {place.ndim} dimensions; {ndim} are expected")
    return np.asarray(place[()])


def names(group: h5py.Group, most: int = 10**6) -> list[str]:
    """Names of the members of a group, in its order; one that is no UTF-8 is passed over."""
    if len(group) > most:
        raise ContentError(f"{group.name} has {len(group):,} members; {most:,} is the most")
    return [name for name in group if isinstance(name, str)]


def dataset_names(group: h5py.Group, most: int) -> list[str]:
    """Names, with slashes, of all datasets below a group of at most so many members; links are passed over.

    HDF5's own way of visiting all goes as deep as groups do, and crashes or hangs in a file made for that.
    """
    import h5py

    found: list[str] = []
    waiting = [(group, "", 0)]
    members = 0
    while waiting:
        place, prefix, depth = waiting.pop()
        members += len(place)
        if members > most:
            raise ContentError(f"{group.name} has too many members")
        if depth > _DEEPEST:
            raise ContentError(f"{group.name} has groups in groups, {depth} deep")
        for name in place:
            if _is_link(place, name):
                continue
            inner = place[name]
            if isinstance(inner, h5py.Dataset):
                found.append(prefix + name)
            elif isinstance(inner, h5py.Group):
                waiting.append((inner, f"{prefix}{name}/", depth + 1))
    return found
