"""`antrax extract-trainset`: the page in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from antrax.cli.original import ignored
from antrax.cli.params import CONTEXT, SESSION


@click.command("extract-trainset", context_settings=CONTEXT)
@click.argument("experiments", nargs=-1, required=True, metavar="EXPDIR...", type=click.Path(path_type=Path))
@SESSION
@ignored("--mcr", "no part of antrax needs MATLAB")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    help="Port to listen at; by default 8090, or the next free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen at. Others than the default can be reached from the network, unencrypted.",
)
def extract_trainset(
    experiments: tuple[Path, ...], session: str | None, no_browser: bool, port: int | None, host: str
) -> None:
    """Label tracklets and check a classification, in the browser.

    Each EXPDIR is an experiment, a folder that holds some (at any depth), or a text file that lists some; the
    first is opened, the others can be chosen in the page.

    The command prints the page's address. It works on this machine only; to sit at another one, use the SSH tunnel
    that is printed with it. Everything is saved at once; end with Ctrl-C when you like.
    """
    from antrax.app.launch import run_app
    from antrax.cli.console import ConsoleReporter

    run_app(experiments, session, port=port, host=host, browser=not no_browser, reporter=ConsoleReporter())
