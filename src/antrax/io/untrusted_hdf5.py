"""Reading HDF5 files that come from anywhere: nothing is followed out of a file, nothing large is read unasked.

Every HDF5 file that this package reads is opened here. `open_hdf5` opens it and nothing more; `open_untrusted` also
turns whatever goes wrong in its block into one of the package's errors. What a file holds is then taken out with
`dataset` (and `member`, `texts`, …), which look at it before the HDF5 library does more than open it: the library
crashes on some of what a file may say, and believes sizes.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from antrax.errors import AntraxError, ClassifierError
from antrax.io.regular_files import UnexpectedFileError, open_regular

if TYPE_CHECKING:
    import h5py

_LARGEST_CLASSIFIER = 2**31
_LARGEST_DATASET = 2**29
_LARGEST_CHUNK = 2**28
_FEW_CHUNKS = 64
_LONGEST_TEXT = 16 * 2**20
_MOST_TEXTS, _LONGEST_ITEM = 10_000, 1000
_DEEPEST = 50
_FIXED_TEXT = 3  # HDF5's number of this class of types
# Of zlib: what it decompresses is at most so many times as large. Chunks up to this stored size are decompressed
# without a look at them first: 1 GB is the most that this can take.
_MOST_RATIO = 1032
_SMALL_CHUNK = 2**20
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_USER_BLOCKS = (0, 512, 1024, 2048)
_REPACK = "write the file anew with h5repack -f GZIP=3"


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
    """Open an HDF5 file to read it; whatever goes wrong in the block is told as a fault of the file.

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
        if not inside and isinstance(fault, OSError):
            raise error(f"{path} cannot be read: {fault.strerror or fault}") from None
        raise error(f"{path} cannot be used as {what}: it is damaged ({_plainly(fault)}){end}") from None


def _name_of(regular: BinaryIO, path: Path) -> str:
    """A name of an open file under which the same file is opened, whatever its path leads to by now."""
    by_descriptor = Path(f"/proc/self/fd/{regular.fileno()}")
    return str(by_descriptor if sys.platform == "linux" and by_descriptor.exists() else path)


def _why_not(regular: BinaryIO, error: Exception) -> str:
    """Why a file cannot be opened as HDF5."""
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
    """What an exception says, without what it has of other files' names."""
    text = str(fault) or type(fault).__name__
    return text if "/proc/self/fd/" not in text else type(fault).__name__


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
    most: int = _LARGEST_DATASET,
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


def dataset_id(group: h5py.Group, name: str, compressed: bool = False, most: int = _LARGEST_DATASET) -> Any:
    """As `dataset`, of any shape and type, without what h5py puts around it, which costs more than all the checks.

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
    kind = _check_plain(place, name)
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


def _check_plain(place: Any, name: str) -> Any:
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


def text_dataset(group: h5py.Group, name: str) -> str:
    """The one text of a dataset."""
    place = dataset(group, name, shape=())
    _check_lengths(place, name, _LONGEST_TEXT)
    return _text(place[()], name)


def texts(group: h5py.Group, name: str, *, compressed: bool = False, most: int = _MOST_TEXTS) -> tuple[str, ...]:
    """The texts of a dataset of any shape, in order.

    Parameters
    ----------
    group : h5py.Group
    name : str
    compressed : bool, optional
        Whether it may be compressed.
    most : int, optional
        Largest number of texts.
    """
    place = dataset(group, name, compressed=compressed)
    if place.size > most:
        raise ContentError(f"{name} is too large ({place.size} texts)")
    if place.dtype.kind not in "OS":
        raise ContentError(f"{name} holds no texts")
    _check_lengths(place, name, _LONGEST_ITEM)
    values = np.ravel(place[()])
    # a letter of several bytes may have been cut in two
    return tuple(_text(v.decode(errors="ignore") if isinstance(v, bytes) else v, name) for v in values)


def values(
    group: h5py.Group,
    name: str,
    dtype: type | tuple[type, ...] = (np.number, np.bool_),
    *,
    shape: tuple[int, ...] | None = None,
    ndim: int | None = None,
    most: int = 2 * _LARGEST_DATASET,
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


def text_attribute(place: h5py.Group, name: str) -> str:
    """The one text of an attribute; empty where there is none."""
    if name not in place.attrs:
        return ""
    attribute = place.attrs.get_id(name)
    _check_plain(attribute, name)
    if attribute.shape not in ((), (1,)) or attribute.dtype.kind not in "OS":
        raise ContentError(f"its {name} is no text")
    # texts of fixed length lie where they are named
    elsewhere = attribute.dtype.kind == "O"
    if attribute.dtype.itemsize > _LONGEST_TEXT or (elsewhere and _attribute_length(place.file, name) > _LONGEST_TEXT):
        raise ContentError(f"its {name} is too long, or damaged")
    value = place.attrs[name]
    return _text(value[0] if isinstance(value, np.ndarray) else value, name)


def number_attribute(place: h5py.Group, name: str) -> int:
    """The one whole number of an attribute."""
    attribute = place.attrs.get_id(name)
    _check_plain(attribute, name)
    if attribute.shape != () or attribute.dtype.kind not in "iu":
        raise ContentError(f"its {name} is no number")
    return int(place.attrs[name])


# HDF5 keeps a text of any length elsewhere, and where it is named says how long it is: 4 bytes, which HDF5 believes. A
# damaged file would have it fill 4 GB of memory, and a text that is named often be read as often. So these are looked
# at before HDF5 reads them.


def _check_lengths(place: h5py.Dataset, name: str, most: int) -> None:
    """Raise ContentError if one of the texts of a dataset is longer than `most`."""
    longest = place.dtype.itemsize
    lengths: list[int] = []
    if place.dtype.kind == "O" and place.size:
        lengths = [length for content in _stored(place, name) for length, _, _ in struct.iter_unpack("<IQI", content)]
        longest = max(lengths, default=0)
    if longest > most:
        raise ContentError(f"{name} is too long, or damaged")
    if sum(lengths) > _LARGEST_DATASET:
        raise ContentError(f"{name} is too large, or damaged")


def _stored(place: h5py.Dataset, name: str) -> Iterator[bytes]:
    """What a dataset of texts of any length itself holds: for each, 16 bytes that say how long it is and where."""
    import h5py

    creation = place.id.get_create_plist()
    if creation.get_layout() == h5py.h5d.CONTIGUOUS and (offset := place.id.get_offset()) is not None:
        with Path(place.file.filename).open("rb") as file:
            file.seek(offset)
            yield file.read(16 * place.size)
        return
    if creation.get_layout() != h5py.h5d.CHUNKED:
        raise ContentError(f"{name} is stored in a way that this version does not read")
    size = 16 * math.prod(creation.get_chunk())
    codes = [creation.get_filter(number)[0] for number in range(creation.get_nfilters())]
    offsets: list[tuple[int, ...]] = []
    place.id.chunk_iter(lambda info: offsets.append(info.chunk_offset))
    for offset in offsets:
        mask, content = place.id.read_direct_chunk(offset)
        if mask or h5py.h5z.FILTER_FLETCHER32 in codes:
            raise ContentError(f"{name} is stored in a way that this version does not read")
        if h5py.h5z.FILTER_DEFLATE in codes:
            content = zlib.decompressobj().decompress(content, size)
        content = content[: len(content) // 16 * 16]
        if h5py.h5z.FILTER_SHUFFLE in codes:
            content = np.frombuffer(content, np.uint8).reshape(16, -1).T.tobytes()
        yield content


def _attribute_length(file: h5py.File, name: str) -> int:
    """The longest that a text of an attribute of that name, anywhere in the file, is said to be."""
    sought = name.encode()
    longest = count = 0
    with Path(file.filename).open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(sought)
        while at >= 9:
            count += 1
            if count > _MOST_TEXTS:
                raise ContentError(f"its {name} is in too many places")
            # versions 1 and 2 of what HDF5 writes before the name of an attribute, then version 3
            for header, version, padded in ((8, 1, True), (8, 2, False), (9, 3, False)):
                found, flags, *sizes = struct.unpack_from("<BBHHH", content, at - header)
                if found != version:
                    continue
                # texts of fixed length lie right here, and what follows is no length
                kind = at + (-(-sizes[0] // 8) * 8 if padded else sizes[0])
                if not flags and kind < len(content) and content[kind] & 0x0F == _FIXED_TEXT:
                    continue
                start = at + sum(-(-size // 8) * 8 if padded else size for size in sizes)
                if start + 4 <= len(content):
                    longest = max(longest, *struct.unpack_from("<I", content, start))
            at = content.find(sought, at + 1)
    return longest


def short_texts_attribute(place: h5py.Group, name: str) -> list[str]:
    """The texts of an attribute that has them side by side, also where Keras spread them over several; else none."""
    names = [name] if name in place.attrs else [f"{name}{number}" for number in range(len(place.attrs))]
    found: list[str] = []
    for part in names:
        if part not in place.attrs:
            break
        attribute = place.attrs.get_id(part)
        _check_plain(attribute, part)
        if math.prod(attribute.shape) + len(found) > _MOST_TEXTS:
            raise ContentError(f"its {name} are too many")
        # texts of any length lie elsewhere, many of them perhaps in one long place
        if attribute.dtype.kind != "S" or math.prod(attribute.shape) * attribute.dtype.itemsize > _LONGEST_TEXT:
            return []
        found += [_text(value, name) for value in np.ravel(place.attrs[part])]
    return found


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


def _text(value: Any, name: str) -> str:
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, str):
        raise ContentError(f"its {name} is no text")
    if len(value) > _LONGEST_TEXT:
        raise ContentError(f"its {name} are too long")
    return str(value)
