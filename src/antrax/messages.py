"""How messages name parameters: as Python writes them; the command line shows its options instead.

A message that is made in the package may be read in Python, on the command line and in the page. It names a parameter
by `parameter`, and whatever shows messages on a terminal or in the page passes them through
`with_command_line_options`.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping

_ANY = "…"
_REFERENCE = re.compile(r"`([a-z_]+)=([^`]*)`")
# Options that are not called as the parameter is, with dashes; those of the original.
_OPTIONS = {"epochs": "--ne", "workers": "--nw", "movies": "--movlist", "figures": "--figure", "formats": "--format"}


def parameter(name: str, value: object = _ANY) -> str:
    """A parameter as messages name it.

    Parameters
    ----------
    name : str
        As in Python.
    value : object, optional
        A text, number, path, list or dictionary of texts; left open without.

    Returns
    -------
    str
        Such as "`epochs=5`", or "`epochs=…`".
    """
    shown = os.fspath(value) if isinstance(value, os.PathLike) else value
    text = _ANY if shown is _ANY else f"{shown:g}" if isinstance(shown, float) else repr(shown)
    return f"`{name}={text.replace('`', '?')}`"


def named_parameter(message: str) -> str | None:
    """Name of the first parameter in a message; None if there is none."""
    found = _REFERENCE.search(message)
    return found[1] if found else None


def with_command_line_options(message: str) -> str:
    """Replace parameters in a message by the options of the command line.

    Parameters
    ----------
    message : str
        Parameters in it are of `parameter`'s form.

    Returns
    -------
    str
        With ``--ne 5`` for "`epochs=5`", ``--no-pretrained`` for "`pretrained=False`", ``--drop A --drop B`` for
        "`drop=['A', 'B']`".
    """
    return _REFERENCE.sub(lambda found: _option(found[1], found[2]), message)


def option_of(name: str) -> str:
    """Option of the command line for a parameter: ``--ne`` for ``epochs``."""
    return _OPTIONS.get(name) or f"--{name.replace('_', '-')}"


def _option(name: str, text: str) -> str:
    option = option_of(name)
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = None if text == _ANY else text
    if value is None or value is True:
        return option
    if value is False:
        return f"--no-{option.removeprefix('--')}"
    if isinstance(value, Mapping):
        value = [f"{old}={new}" for old, new in value.items()]
    values = value if isinstance(value, list | tuple) else [value]
    return " ".join(f"{option} {one}" for one in values)
