"""Commands and options of the original anTraX that scripts still use, and what to do instead.

Options that the original itself ignored, or that need no counterpart here, are accepted with one line on standard
error. Commands that do not exist here end with exit status 2 and one line that says what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from antrax.cli.streams import print_note

_BESIDE = "antrax reads and writes the original's files, so go on with the original's command for this step"

COMMANDS = {
    "configure": "the settings of an experiment are files in SESSION/parameters: configure tracking with the original; "
    "list the labels with `antrax extract-trainset EXPERIMENT`, menu Labels",
    "track": "antrax starts from tracked experiments: track with the original, then label with "
    "`antrax extract-trainset EXPERIMENT`",
    "validate": "validation is a panel of the page: `antrax extract-trainset EXPERIMENT`, panel Check",
    "validate-classifications": "validation is a panel of the page: `antrax extract-trainset EXPERIMENT`, panel Check",
    "graph-explorer": _BESIDE,
    "pair-search": _BESIDE,
    "export-jaaba": _BESIDE,
    "run-jaaba": _BESIDE,
    "run-jaaba-detect": _BESIDE,
    "export-dlc": _BESIDE,
    "export-dlc-trainset": _BESIDE,
    "dlc": _BESIDE,
    "run-dlc": _BESIDE,
    "compile": "antrax is installed with `pip install`; there is no MATLAB part to compile",
}

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def command(name: str) -> click.Command:
    """Return a command that only reports what replaces a command of the original.

    Parameters
    ----------
    name : str
        A key of `COMMANDS`.

    Returns
    -------
    click.Command
        Takes whatever arguments it is given and raises `click.UsageError`.
    """

    def refuse(arguments: tuple[str, ...]) -> None:
        raise click.UsageError(f"there is no `antrax {name}`: {COMMANDS[name]}")

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        add_help_option=False,
        hidden=True,
        context_settings={"ignore_unknown_options": True},
    )


def ignored(name: str, reason: str, *, metavar: str | None = None) -> Decorator:
    """Return a decorator that accepts an option of the original, prints why it has no effect, and goes on.

    Parameters
    ----------
    name : str
        The option, with its dashes.
    reason : str
        What antrax does instead.
    metavar : str, optional
        Name of the option's value, for options that have one.

    Returns
    -------
    callable
        A decorator of a command.
    """

    def tell(context: click.Context, parameter: click.Parameter, value: object) -> None:
        if value not in (None, False):
            print_note(f"{name} has no effect: {reason}")

    more: dict[str, Any] = {"is_flag": True} if metavar is None else {"metavar": metavar}
    return click.option(
        name, expose_value=False, hidden=True, callback=tell, help=f"Accepted and ignored: {reason}.", **more
    )
