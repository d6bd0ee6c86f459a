"""`antrax info`: what a classifier is."""

from __future__ import annotations

from pathlib import Path

import click

from antrax.cli.params import CONTEXT
from antrax.cli.streams import output


@click.command("info", context_settings=CONTEXT)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")
def info(file: Path, as_json: bool) -> None:
    """Show what the classifier in FILE is: its labels, its network, how it was trained and how good it is.

    FILE is a classifier that antrax or anTraX wrote.
    """
    from antrax.cli.describe import describe_classifier

    description = describe_classifier(file)
    if as_json:
        import json

        click.echo(json.dumps(description, indent=1))
        return
    from antrax.cli.console import show_classifier

    show_classifier(output(), description)
