"""Reading HDF5 files that come from anywhere: nothing is followed out of a file, nothing large is read unasked."""

from __future__ import annotations

import contextlib
import math
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from antrax.errors import ClassifierError

if TYPE_CHECKING:
    import h5py

_LARGEST_FILE = 2**31
_LARGEST_DATASET = 2**29
_LONGEST_TEXT = 16 * 2**20
_MOST_TEXTS, _LONGEST_ITEM = 10_000, 1000
_DEEPEST = 50


@contextlib.contextmanager
def open_stranger(path: Path, what: str) -> Iterator[h5py.File]:
    """Open an HDF5 file to read it; whatever goes wrong in the block is told as a fault of the file.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, with its article.

    Raises
    ------
    ClassifierError
    """
    import h5py

    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ClassifierError(f"{path} is far too large for {what}")
        file = h5py.File(path, "r", locking=False)
    except FileNotFoundError:
        raise ClassifierError(f"{path} does not exist") from None
    except OSError as error:
        raise ClassifierError(f"{path} is no {what.split(maxsplit=1)[1]}: {_why_not(path, error)}") from None
    with file:
        try:
            # what is said of lengths is read by these sizes
            if file.id.get_create_plist().get_sizes() != (8, 8):
                raise ClassifierError("it is of a kind of HDF5 that no version of Keras writes")
            yield file
        except ClassifierError as error:
            raise ClassifierError(f"{path} cannot be used as {what}: {error}") from None
        except (
            OSError,
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
            RuntimeError,
            RecursionError,
            OverflowError,
            IndexError,
        ) as error:
            raise ClassifierError(f"{path} cannot be used as {what}: it is damaged ({error})") from None


def _why_not(path: Path, error: OSError) -> str:
    """Why a file cannot be opened as HDF5."""
    if path.is_dir():
        return "it is a folder"
    try:
        with path.open("rb") as file:
            if file.read(8) == b"\x89HDF\r\n\x1a\n":
                return "it was cut short or damaged; copy it again"
        return "it is no HDF5 file"
    except OSError:
        return f"it cannot be read ({error.strerror or error})"


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
        if not isinstance(place, h5py.Group) or not has(place, part):
            raise ClassifierError(f"{name} is missing")
        if _is_link(place, part):
            raise ClassifierError(f"{name} is a link")
        place = place[part]
    return place


def dataset(
    group: h5py.Group, name: str, *, shape: tuple[int, ...] | None = None, dtype: type | None = None
) -> h5py.Dataset:
    """A dataset that lies in the file itself and is as expected, looked at before anything of it is read.

    Parameters
    ----------
    group : h5py.Group
    name : str
    shape : tuple of int, optional
    dtype : type, optional
        A type of numpy's that its type must be, or be a kind of.
    """
    import h5py

    place = member(group, name)
    if not isinstance(place, h5py.Dataset):
        raise ClassifierError(f"{name} is no dataset")
    _check_plain(place.id, name)
    if place.is_virtual or place.external:
        raise ClassifierError(f"{name} does not lie in the file")
    # what is decompressed may be of any size, whatever the file says; nobody compresses classifiers
    if place.id.get_create_plist().get_nfilters():
        raise ClassifierError(f"{name} is compressed, which classifiers are not (h5repack -f NONE writes it plainly)")
    if (dtype is not None and not np.issubdtype(place.dtype, dtype)) or (shape is not None and place.shape != shape):
        raise ClassifierError(f"{name} is {place.dtype} of shape {place.shape}, not as the model describes it")
    # a piece is decompressed whole, however little of it is asked for
    pieces = math.prod(place.chunks or ())
    if place.shape is None or max(place.size, pieces) * max(1, place.dtype.itemsize) > _LARGEST_DATASET:
        raise ClassifierError(f"{name} is too large")
    return place


def _check_plain(place: Any, name: str) -> None:
    """Raise ClassifierError unless a dataset or attribute holds numbers or texts.

    Types that are made of others may be so deep that it takes gigabytes to look at them as numpy does.
    """
    import h5py

    if place.get_type().get_class() not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING):
        raise ClassifierError(f"{name} holds neither numbers nor texts")


def text_dataset(group: h5py.Group, name: str) -> str:
    """The one text of a dataset."""
    place = dataset(group, name, shape=())
    _check_lengths(place, name, _LONGEST_TEXT)
    return _text(place[()], name)


def texts(group: h5py.Group, name: str) -> tuple[str, ...]:
    """The texts of a dataset of any shape, in order."""
    place = dataset(group, name)
    if place.size > _MOST_TEXTS:
        raise ClassifierError(f"{name} is too large ({place.size} texts)")
    _check_lengths(place, name, _LONGEST_ITEM)
    values = np.ravel(place[()])
    # a letter of several bytes may have been cut in two
    return tuple(_text(v.decode(errors="ignore") if isinstance(v, bytes) else v, name) for v in values)


def text_attribute(place: h5py.Group, name: str) -> str:
    """The one text of an attribute; empty where there is none."""
    if name not in place.attrs:
        return ""
    attribute = place.attrs.get_id(name)
    _check_plain(attribute, name)
    if attribute.shape not in ((), (1,)) or attribute.dtype.kind not in "OS":
        raise ClassifierError(f"its {name} is no text")
    if attribute.dtype.itemsize > _LONGEST_TEXT or _attribute_length(place.file, name) > _LONGEST_TEXT:
        raise ClassifierError(f"its {name} is too long, or damaged")
    value = place.attrs[name]
    return _text(value[0] if isinstance(value, np.ndarray) else value, name)


def number_attribute(place: h5py.Group, name: str) -> int:
    """The one whole number of an attribute."""
    attribute = place.attrs.get_id(name)
    _check_plain(attribute, name)
    if attribute.shape != () or attribute.dtype.kind not in "iu":
        raise ClassifierError(f"its {name} is no number")
    return int(place.attrs[name])


# HDF5 keeps a text of any length elsewhere, and where it is named says how long it is: 4 bytes, which HDF5 believes. A
# damaged file would have it fill 4 GB of memory, and a text that is named often be read as often. So these are looked
# at before HDF5 reads them.


def _check_lengths(place: h5py.Dataset, name: str, most: int) -> None:
    """Raise ClassifierError if one of the texts of a dataset is longer than `most`."""
    longest = place.dtype.itemsize
    if place.dtype.kind == "O" and place.size:
        offset = place.id.get_offset()
        if offset is None:
            raise ClassifierError(f"{name} is stored in a way that this version does not read")
        with Path(place.file.filename).open("rb") as file:
            file.seek(offset)
            longest = max(length for length, _, _ in struct.iter_unpack("<IQI", file.read(16 * place.size)))
    if longest > most:
        raise ClassifierError(f"{name} is too long, or damaged")


def _attribute_length(file: h5py.File, name: str) -> int:
    """The longest that a text of an attribute of that name, anywhere in the file, is said to be."""
    sought = name.encode()
    longest = count = 0
    with Path(file.filename).open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(sought)
        while at >= 9:
            count += 1
            if count > _MOST_TEXTS:
                raise ClassifierError(f"its {name} is in too many places")
            # versions 1 and 2 of what HDF5 writes before the name of an attribute, then version 3
            for header, version, padded in ((8, 1, True), (8, 2, False), (9, 3, False)):
                found, _, *sizes = struct.unpack_from("<BBHHH", content, at - header)
                if found != version:
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
            raise ClassifierError(f"its {name} are too many")
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
            raise ClassifierError(f"{group.name} has too many members")
        if depth > _DEEPEST:
            raise ClassifierError(f"{group.name} has groups in groups, {depth} deep")
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
        raise ClassifierError(f"its {name} is no text")
    if len(value) > _LONGEST_TEXT:
        raise ClassifierError(f"its {name} are too long")
    return str(value)
