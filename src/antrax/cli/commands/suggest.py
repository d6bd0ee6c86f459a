"""`antrax suggest`: tracklets to label next."""

from __future__ import annotations

from pathlib import Path

import click

from antrax.cli.params import CONTEXT, SESSION
from antrax.cli.streams import output


@click.command("suggest", context_settings=CONTEXT)
@click.argument("experiment", type=click.Path(path_type=Path))
@SESSION
@click.option("-n", "--count", type=click.IntRange(min=1), default=20, show_default=True, help="Number of tracklets.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV, for scripts.")
def suggest(experiment: Path, session: str | None, count: int, as_csv: bool) -> None:
    """List the tracklets of EXPERIMENT whose labels would teach the classifier most.

    Uncertain tracklets, conflicts and rare labels come first, and tracklets of one label not all at once; the page has
    this order as *Most useful first*. Tracklets that are in the training set are left out.
    """
    from antrax.io.session import open_session
    from antrax.review.suggestions import suggest as run

    table = run(open_session(experiment, session), count)
    if as_csv:
        click.echo(table.to_csv(), nl=False)
        return
    from antrax.cli.suggestion_table import show_suggestions

    show_suggestions(output(), table)
