"""Reading of text files of any usual encoding and line ending.

Every text file that a person may have edited is read here: an editor or a spreadsheet may have given it a byte order
mark, UTF-16 (PowerShell's ``>``, *Unicode text* of Excel), Windows-1252, and the line ends of any system.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import json
import os
import re
import warnings
from collections.abc import Callable
from typing import Any

from antrax.escapes import printable
from antrax.io.regular_files import LARGEST_TEXT, read_regular

# The longer marks first: that of UTF-16 is the start of that of UTF-32.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MULTIBYTE = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_WORD = re.compile(r"[^ \t\n,;\"]*[^\x00-\x7f][^ \t\n,;\"]*")
_WESTERN = "cp1252"
_NAMED = 5

# What text in Windows-1252 never holds, but text of another encoding that is taken for it: letters of Mac Roman, of DOS
# and of Central Europe become signs in the middle of a word, or capitals in one of small letters; Chinese, Japanese,
# Cyrillic and Greek become rows of accented letters and signs.
_LETTER = r"[^\W\d_]"
_SIGNS = "€‚ƒ„†‡ˆ‰‹“”•˜™›¡¢£¤¥¦§¨©«¬®¯¶¸»¼½¾¿÷"
_NO_NEIGHBOURS = "ƒ†‡ˆ‰˜¢£¤¥¦§¨ª¬¯²³µ¶¸¹º¼½¾"
_ACCENTED = "[À-ÖØ-öø-ÿŠšŽžŒœŸ]"
_IMPLAUSIBLE = re.compile(
    "|".join(
        [
            f"(?<={_LETTER})[{_SIGNS}]+(?={_LETTER})",
            f"(?<={_ACCENTED})[{_NO_NEIGHBOURS}]|[{_NO_NEIGHBOURS}](?={_ACCENTED})",
            f"(?<=[a-zß-öø-ÿ])[ŠŽŒŸ]|(?<={_LETTER})[ŠŽŒŸ](?=[a-zß-öø-ÿ])",
            # but for those who write down the letters of their keyboard
            "(?![äöüÄÖÜßåÅæøÆØ]+)[À-ÖØ-öø-ÿŠšŽžŒœŸ¡-¿]{5,}",
            "[ß-öø-ÿ][À-ÖØ-Þ][^\\x00-\\x7f]",
        ]
    )
)


class GuessedTextWarning(UserWarning):
    """A file is neither UTF-8 nor UTF-16, and was read as Windows-1252; the message shows the result."""


class NotTextError(OSError):
    """The content of a file is no text; `strerror` says why in words that can follow "cannot be read:"."""

    def __init__(self, why: str, path: str | os.PathLike[str] = "") -> None:
        super().__init__(errno.EILSEQ, why, os.fspath(path))


def read_text(path: str | os.PathLike[str], most: int = LARGEST_TEXT, *, only_numbers: bool = False) -> str:
    r"""The content of a text file, its lines ended by ``\n``.

    Parameters
    ----------
    path : path
    most : int, optional
        Largest size, in bytes.
    only_numbers : bool
        What counts in it are numbers: names in an encoding that is not known are told in the warning, and that is all.

    Returns
    -------
    str
        Without a byte order mark.

    Warns
    -----
    GuessedTextWarning
        As `decode_text`.

    Raises
    ------
    NotTextError
        It holds what no text does.
    OSError
        It does not exist, cannot be read, is no regular file, or is larger than `most`.
    """
    content = read_regular(path, most)
    try:
        return decode_text(content, path, only_numbers=only_numbers)
    except NotTextError as error:
        raise NotTextError(str(error.strerror), path) from None


def decode_text(content: bytes, path: str | os.PathLike[str] = "a text", *, only_numbers: bool = False) -> str:
    r"""Text from bytes in UTF-8, UTF-16, UTF-32 or Windows-1252, its lines ended by ``\n``.

    UTF-16 without a byte order mark is told by its zero bytes. What is not UTF-8 is Windows-1252, unless it holds
    characters of several bytes in UTF-8: that is a damaged file, and to guess would put other letters in their place.
    Nor is it where it would hold what no such text does: that is an encoding of another system or country.

    Parameters
    ----------
    content : bytes
    path : path, optional
        Where it comes from, for the warning.
    only_numbers : bool
        As for `read_text`.

    Raises
    ------
    NotTextError
        It is damaged, no text, or in an encoding that is not known.

    Warns
    -----
    GuessedTextWarning
        It was read as Windows-1252. The warning shows the words that hold letters which are not ASCII, for whether
        these are right only a person can see.

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
        text = body.decode(encoding, "replace" if only_numbers and encoding == _WESTERN else "strict")
    except UnicodeDecodeError as error:
        where = f"at byte {len(mark) + error.start + 1}"
        if encoding == _WESTERN:
            raise NotTextError(
                f"its encoding is not known: it is neither UTF-8 nor UTF-16, nor Windows-1252 ({where}, which "
                "that does not have); save it as UTF-8"
            ) from None
        or_else = "" if mark else ": it is damaged, or in another encoding; save it as UTF-8"
        raise NotTextError(f"it is no complete text in {encoding.upper()} ({where}){or_else}") from None
    # a program of DOS may have ended it so
    text = text.removesuffix("\x1a").replace("\r\n", "\n").replace("\r", "\n")
    if control := _CONTROL.search(text):
        raise NotTextError(f"it is no text: it holds the control character {ord(control[0]):#04x}")
    if encoding == _WESTERN and (notice := _notice(text, path, only_numbers=only_numbers)):
        warnings.warn(notice, GuessedTextWarning, stacklevel=3)
    return text


def _notice(text: str, path: str | os.PathLike[str], *, only_numbers: bool) -> str | None:
    """Warning for text that was read as Windows-1252. Raises NotTextError if it must be of another encoding."""
    words = list(dict.fromkeys(_WORD.findall(text)))
    if strange := [word for word in words if _IMPLAUSIBLE.search(word) or "\ufffd" in word]:
        if not only_numbers:
            raise NotTextError(
                f"its encoding is not known: it is neither UTF-8 nor UTF-16, and in Windows-1252 it would read "
                f"{_shown(strange)}; save it as UTF-8"
            )
        return (
            f"{os.fspath(path)}: its encoding is not known: words like {_shown(strange)} are not read as they are "
            "meant; save it as UTF-8"
        )
    if not words:
        return None
    return (
        f"{os.fspath(path)} is not in UTF-8 and was read as Windows-1252: {_shown(words)}; if these letters are not "
        "right, save it as UTF-8"
    )


def guess_notice(path: str | os.PathLike[str]) -> str | None:
    """Message of `GuessedTextWarning` for a file, for callers that do not use warnings; None if there is none.

    Parameters
    ----------
    path : path
    """
    with contextlib.suppress(OSError):
        body = read_regular(path)
        if not body.startswith(tuple(mark for mark, _ in _MARKS)) and _guessed(body) == _WESTERN:
            return _notice(body.decode(_WESTERN, "replace"), path, only_numbers=False)
    return None


def tell_guesses(tell: Callable[[str], object]) -> None:
    """Report guessed encodings through a function instead of Python's warnings, once for each file.

    Parameters
    ----------
    tell : callable
        Given what is to be said.
    """
    told: set[str] = set()
    earlier = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not issubclass(category, GuessedTextWarning):
            earlier(message, category, *where, **more)
        elif str(message) not in told:
            told.add(str(message))
            tell(str(message))

    warnings.showwarning = show


def _shown(words: list[str]) -> str:
    more = " …" if len(words) > _NAMED else ""
    return ", ".join(f"'{printable(word[:60])}'" for word in words[:_NAMED]) + more


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
        return "utf-8" if _MULTIBYTE.search(body) else _WESTERN
    return "utf-8"


def read_json(path: str | os.PathLike[str], most: int = LARGEST_TEXT, *, only_numbers: bool = False) -> Any:
    """The value in a JSON file.

    Parameters
    ----------
    path : path
    most : int, optional
    only_numbers : bool
        As for `read_text`.

    Raises
    ------
    NotTextError
        It is no text, or no JSON.
    OSError
        As `read_text`.
    """
    text = read_text(path, most, only_numbers=only_numbers)
    try:
        value = json.loads(text)
    except RecursionError:
        raise NotTextError("it is no JSON that any program wrote: it is nested too deeply", path) from None
    except ValueError as error:
        raise NotTextError(f"it is no JSON ({error})", path) from None
    return value
