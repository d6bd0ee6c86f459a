"""Escape characters that cannot be printed, for texts of unknown origin in messages."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Replace invisible and control characters by escapes, as in a Python string literal.

    Bytes of file names that are not valid UTF-8 are escaped too.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        It can be encoded as UTF-8, and is one line. A text that is printable already is returned as it is.

    Examples
    --------
    >>> print(printable("conv\x1b[2J\n"), printable("M\udcfcll"))
    conv\x1b[2J\n M\xfcll
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    # surrogates, by which Python represents bytes of file names that are not UTF-8
    return f"\\x{ord(letter) - 0xDC00:02x}" if "\udc80" <= letter <= "\udcff" else ascii(letter)[1:-1]
