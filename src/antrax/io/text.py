"""Text that people and their programs wrote: any usual encoding, any line ends.

Every text file that a person may have edited is read here: an editor or a spreadsheet may have given it a byte order
mark, UTF-16 (PowerShell's ``>``, *Unicode text* of Excel), Windows-1252, and the line ends of any system.
"""

from __future__ import annotations

import codecs
import errno
import json
import os
import re
from typing import Any

from antrax.io.regular_files import LARGEST_TEXT, read_regular

# The longer marks first: that of UTF-16 is the start of that of UTF-32.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MULTIBYTE = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


class NotTextError(OSError):
    """The content of a file is no text; `strerror` says why in words that can follow "cannot be read:"."""

    def __init__(self, why: str, path: str | os.PathLike[str] = "") -> None:
        super().__init__(errno.EILSEQ, why, os.fspath(path))


def read_text(path: str | os.PathLike[str], most: int = LARGEST_TEXT) -> str:
    r"""The content of a text file, its lines ended by ``\n``.

    Parameters
    ----------
    path : path
    most : int, optional
        Largest size, in bytes.

    Returns
    -------
    str
        Without a byte order mark.

    Raises
    ------
    NotTextError
        It holds what no text does.
    OSError
        It does not exist, cannot be read, is no regular file, or is larger than `most`.
    """
    content = read_regular(path, most)
    try:
        return decode_text(content)
    except NotTextError as error:
        raise NotTextError(str(error.strerror), path) from None


def decode_text(content: bytes) -> str:
    r"""Text from bytes in UTF-8, UTF-16, UTF-32 or Windows-1252, its lines ended by ``\n``.

    UTF-16 without a byte order mark is told by its zero bytes. What is not UTF-8 is Windows-1252, unless it holds
    characters of several bytes in UTF-8: that is a damaged file, and to guess would put other letters in their place.

    Raises
    ------
    NotTextError
        It is damaged, or no text.

    Examples
    --------
    >>> decode_text("AB\tant_labels\r\n".encode("utf-16"))
    'AB\tant_labels\n'
    """
    mark, encoding = next(((mark, name) for mark, name in _MARKS if content.startswith(mark)), (b"", ""))
    body = content[len(mark) :]
    if not encoding:
        encoding = _guessed(body)
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        where = f"at byte {len(mark) + error.start + 1}"
        raise NotTextError(f"it is no complete text in {encoding.upper()} ({where})") from None
    # a program of DOS may have ended it so
    text = text.removesuffix("\x1a").replace("\r\n", "\n").replace("\r", "\n")
    if control := _CONTROL.search(text):
        raise NotTextError(f"it is no text: it holds the control character {ord(control[0]):#04x}")
    return text


def _guessed(body: bytes) -> str:
    """The encoding of text without a byte order mark."""
    if b"\0" in body:
        # letters of western languages have a zero in the upper byte
        zeros = [body[first::2].count(0) for first in (0, 1)]
        if not zeros[0] and zeros[1] * 4 >= len(body):
            return "utf-16-le"
        if not zeros[1] and zeros[0] * 4 >= len(body):
            return "utf-16-be"
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return "utf-8" if _MULTIBYTE.search(body) else "cp1252"
    return "utf-8"


def read_json(path: str | os.PathLike[str], most: int = LARGEST_TEXT) -> Any:
    """The value in a JSON file.

    Raises
    ------
    NotTextError
        It is no text, or no JSON.
    OSError
        As `read_text`.
    """
    text = read_text(path, most)
    try:
        value = json.loads(text)
    except RecursionError:
        raise NotTextError("it is no JSON that any program wrote: it is nested too deeply", path) from None
    except ValueError as error:
        raise NotTextError(f"it is no JSON ({error})", path) from None
    return value
