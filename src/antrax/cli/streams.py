"""Where the command line writes: results to standard output, errors to standard error in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from antrax.escapes import printable
from antrax.messages import with_command_line_options

if TYPE_CHECKING:
    from rich.console import Console

# A log file has no width; tables are then as wide as they need to be.
_WIDTH_OF_FILES = 160


def output() -> Console:
    """Return the console of standard output.

    Returns
    -------
    rich.console.Console
        As wide as the terminal, or 160 letters where the output goes to a file.
    """
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_OF_FILES)


def print_error(message: str) -> None:
    """Print one line on standard error that starts with `error:`, red on a terminal.

    Parameters
    ----------
    message : str
        Line breaks become blanks.
    """
    _line("error: ", "red", message)


def print_note(message: str) -> None:
    """Print one line on standard error that starts with `note:`, after which the command goes on.

    Parameters
    ----------
    message : str
        Line breaks become blanks.
    """
    _line("note: ", "yellow", message)


def print_warning(message: str) -> None:
    """Print one line on standard error that starts with `warning:`, after which the command goes on.

    Parameters
    ----------
    message : str
        Line breaks become blanks.
    """
    _line("warning: ", "yellow", message)


def _line(head: str, colour: str, message: str) -> None:
    click.secho(head, fg=colour, bold=True, nl=False, err=True)
    click.echo(printable(with_command_line_options(" ".join(message.split()))), err=True)
