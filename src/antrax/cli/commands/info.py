"""`antrax info`: description of a classifier or an experiment."""

from __future__ import annotations

from pathlib import Path

import click

from antrax.cli.params import CONTEXT, SESSION
from antrax.cli.streams import output


@click.command("info", context_settings=CONTEXT)
@click.argument("path", type=click.Path(path_type=Path))
@SESSION
@click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")
def info(path: Path, session: str | None, as_json: bool) -> None:
    """Show what the classifier or the experiment in PATH is.

    Of a classifier that antrax or anTraX wrote: its labels, its network, how it was trained and how good it is. Of an
    experiment: its movies, labels, examples, classifiers and results, and which step comes next.
    """
    from antrax.cli.describe_experiment import describe_experiment, is_experiment_or_session

    if is_experiment_or_session(path):
        from antrax.cli.console import show_experiment as show

        description = describe_experiment(path, session)
    else:
        from antrax.cli.console import show_classifier as show
        from antrax.cli.describe import describe_classifier

        if session is not None:
            raise click.UsageError("--session: only with an experiment")
        description = describe_classifier(path)
    if as_json:
        import json

        click.echo(json.dumps(description, indent=1))
        return
    show(output(), description)
