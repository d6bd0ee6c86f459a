"""`antrax status`: progress of the work on experiments."""

from __future__ import annotations

from pathlib import Path

import click

from antrax.cli.params import CONTEXT, SESSION
from antrax.cli.streams import output, print_error
from antrax.errors import AntraxError


@click.command("status", context_settings=CONTEXT)
@click.argument("experiments", type=click.Path(path_type=Path))
@SESSION
@click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts: every movie with its state.")
def status(experiments: Path, session: str | None, as_json: bool) -> None:
    """Show how far classify and solve are on EXPERIMENTS: what is done, runs, waits or failed, and why.

    EXPERIMENTS is as for classify. All is told from files, on any machine that sees them, also while a cluster is at
    work: results, records of runs, and logs of the cluster's tasks, which are named where something failed. A result
    is stale where its images, its labels or its classifier have changed since.
    """
    from antrax.cluster.status import status as run

    if as_json:
        import json

        found = run(experiments, session)
        click.echo(json.dumps([one.as_json() for one in found], indent=1))
    else:
        from antrax.cli.console import ConsoleReporter
        from antrax.cli.status_table import show_status

        found = run(experiments, session, reporter=ConsoleReporter())
        show_status(output(), found)
    failures = [one.failure for one in found if one.failure]
    for failure in failures[:-1]:
        print_error(failure)
    if failures:
        raise AntraxError(failures[-1])
