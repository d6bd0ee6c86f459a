"""The command line: the group of all commands, and how errors are printed."""

from __future__ import annotations

import sys

import click

from antrax.cli import original
from antrax.cli.commands.classify import classify
from antrax.cli.commands.demo import demo
from antrax.cli.commands.export import export
from antrax.cli.commands.extract_trainset import extract_trainset
from antrax.cli.commands.group import group
from antrax.cli.commands.info import info
from antrax.cli.commands.merge_trainset import merge_trainset
from antrax.cli.commands.plot import plot
from antrax.cli.commands.rename_label import rename_label
from antrax.cli.commands.solve import solve
from antrax.cli.commands.status import status
from antrax.cli.commands.suggest import suggest
from antrax.cli.commands.train import train
from antrax.cli.params import CONTEXT
from antrax.cli.streams import print_error, print_warning
from antrax.errors import AntraxError, explain_mistake
from antrax.io.text import tell_guesses


class _Commands(click.Group):
    """Commands, and those of the original that say what has taken their place."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; the original's are found too, but not listed."""
        found = super().get_command(ctx, cmd_name)
        if found is None and cmd_name in original.COMMANDS:
            return original.command(cmd_name)
        return found


@click.group(
    cls=_Commands,
    context_settings=CONTEXT,
    invoke_without_command=True,
    epilog="Start with `antrax demo DIR`, which shows the whole workflow on made-up ants.",
)
@click.version_option(package_name="antrax", prog_name="antrax")
@click.pass_context
def cli(context: click.Context) -> None:
    """Identify individually colour-tagged insects in tracked videos.

    \b
    The workflow on an experiment that has been tracked:
      antrax extract-trainset EXPERIMENT   label images
      antrax train EXPERIMENT              learn from them
      antrax classify EXPERIMENT           label all tracklets
      antrax solve EXPERIMENT              find every animal
      antrax extract-trainset EXPERIMENT   check, add examples
    """  # noqa: D301  # click takes a backspace for "leave the next lines as they are"
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(2)


for _command in (
    extract_trainset,
    group,
    train,
    classify,
    solve,
    status,
    suggest,
    export,
    plot,
    info,
    rename_label,
    merge_trainset,
    demo,
):
    cli.add_command(_command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error is one line on standard error.

    Parameters
    ----------
    arguments : list of str, optional
        Those of the process by default.

    Raises
    ------
    SystemExit
        Always: 0 when done, 1 on an error, 2 on wrong usage, 130 on Ctrl-C.
    """
    tell_guesses(print_warning)
    try:
        code = cli.main(arguments, standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        print_error(_with_help(error))
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nstopped; nothing is lost, the same command starts again", err=True)
        sys.exit(130)
    except (AntraxError, MemoryError, OSError) as error:
        print_error(str(error) or type(error).__name__)
        sys.exit(1)
    except Exception as error:
        print_error(explain_mistake(error))
        sys.exit(1)


def _with_help(error: click.ClickException) -> str:
    """Return what is wrong with the usage, and which command explains it."""
    message = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None or context.command.get_help_option(context) is None:
        return message
    return f"{message} (see `{context.command_path} --help`)"
