"""Texts and attributes of untrusted HDF5 files, checked before HDF5 reads them."""

from __future__ import annotations

import math
import mmap
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from antrax.io.untrusted_hdf5.datasets import LARGEST_DATASET, check_plain, dataset
from antrax.io.untrusted_hdf5.opening import ContentError

if TYPE_CHECKING:
    import h5py

_LONGEST_TEXT = 16 * 2**20
_MOST_TEXTS, _LONGEST_ITEM = 10_000, 1000
_HEAP = b"GCOL\x01\0\0\0"
_FIXED_TEXT = 3  # HDF5's number of this class of types


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


def text_attribute(place: h5py.Group, name: str) -> str:
    """The one text of an attribute; empty where there is none."""
    if name not in place.attrs:
        return ""
    attribute = place.attrs.get_id(name)
    check_plain(attribute, name)
    if attribute.shape not in ((), (1,)) or attribute.dtype.kind not in "OS":
        raise ContentError(f"its {name} is no text")
    # texts of fixed length lie where they are named
    elsewhere = attribute.dtype.kind == "O"
    if elsewhere:
        _check_heaps(place.file)
    if attribute.dtype.itemsize > _LONGEST_TEXT or (elsewhere and _attribute_length(place.file, name) > _LONGEST_TEXT):
        raise ContentError(f"its {name} is too long, or damaged")
    value = place.attrs[name]
    return _text(value[0] if isinstance(value, np.ndarray) else value, name)


def number_attribute(place: h5py.Group, name: str) -> int:
    """The one whole number of an attribute."""
    attribute = place.attrs.get_id(name)
    check_plain(attribute, name)
    if attribute.shape != () or attribute.dtype.kind not in "iu":
        raise ContentError(f"its {name} is no number")
    return int(place.attrs[name])


def short_texts_attribute(place: h5py.Group, name: str) -> list[str]:
    """The texts of an attribute that has them side by side, also where Keras spread them over several; else none."""
    names = [name] if name in place.attrs else [f"{name}{number}" for number in range(len(place.attrs))]
    found: list[str] = []
    for part in names:
        if part not in place.attrs:
            break
        attribute = place.attrs.get_id(part)
        check_plain(attribute, part)
        if math.prod(attribute.shape) + len(found) > _MOST_TEXTS:
            raise ContentError(f"its {name} are too many")
        # variable-length texts lie in a global heap, perhaps many in a large one
        if attribute.dtype.kind != "S" or math.prod(attribute.shape) * attribute.dtype.itemsize > _LONGEST_TEXT:
            return []
        found += [_text(value, name) for value in np.ravel(place.attrs[part])]
    return found


# HDF5 stores a variable-length text in a global heap, and its length (4 bytes) in the dataset, which HDF5 does not
# verify: a damaged file could make it allocate 4 GB, or read one text many times. So lengths are checked first.


def _check_lengths(place: h5py.Dataset, name: str, most: int) -> None:
    """Raise ContentError if one of the texts of a dataset is longer than `most`."""
    longest = place.dtype.itemsize
    lengths: list[int] = []
    if place.dtype.kind == "O" and place.size:
        _check_heaps(place.file)
        lengths = [length for content in _stored(place, name) for length, _, _ in struct.iter_unpack("<IQI", content)]
        longest = max(lengths, default=0)
    if longest > most:
        raise ContentError(f"{name} is too long, or damaged")
    if sum(lengths) > LARGEST_DATASET:
        raise ContentError(f"{name} is too large, or damaged")


def _check_heaps(file: h5py.File) -> None:
    """Raise ContentError if a global heap (storage of variable-length texts) would make HDF5 loop endlessly.

    A heap is a sequence of objects, each with its size; at object 0, which is free space, HDF5 advances by the stated
    size even if that is 0 (seen with HDF5 1.14.6).
    """
    with Path(file.filename).open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(_HEAP)
        while at >= 0:
            end = at + struct.unpack_from("<Q", content, at + 8)[0] if at + 16 <= len(content) else 0
            place = at + 16
            while end <= len(content) and place + 16 <= end:
                number, _, _, size = struct.unpack_from("<HHIQ", content, place)
                room = size if number == 0 else 16 + -(-size // 8) * 8
                if room < 16 or room > end - place:
                    raise ContentError("its texts are damaged")
                place += room
            at = content.find(_HEAP, at + 4)


def _stored(place: h5py.Dataset, name: str) -> Iterator[bytes]:
    """Raw content of a dataset of variable-length texts: for each, 16 bytes with its length and place."""
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


def _text(value: Any, name: str) -> str:
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, str):
        raise ContentError(f"its {name} is no text")
    if len(value) > _LONGEST_TEXT:
        raise ContentError(f"its {name} are too long")
    return str(value)
