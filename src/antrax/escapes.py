"""Text of unknown origin in messages: what cannot be shown as text is written as an escape."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""A text with everything that cannot be seen, or would move a terminal's cursor, as Python writes it in a literal.

    Names of files need not be text at all: bytes that are none appear as such.

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
    # in names of files, Python keeps a byte that is no UTF-8 as such a letter
    return f"\\x{ord(letter) - 0xDC00:02x}" if "\udc80" <= letter <= "\udcff" else ascii(letter)[1:-1]
