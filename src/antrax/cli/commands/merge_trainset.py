"""`antrax merge-trainset`: training sets put together."""

from __future__ import annotations

from pathlib import Path

import click

from antrax.cli.params import CONTEXT
from antrax.cli.streams import output


@click.command("merge-trainset", context_settings=CONTEXT)
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("dest", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Change nothing, only show what would be done.")
def merge_trainset(sources: tuple[Path, ...], dest: Path, dry_run: bool) -> None:
    """Add all examples of the SOURCES to DEST.

    Each is a folder that holds `examples/`, or an experiment. An image that is there already is skipped; another
    image of the same name is kept under a new name.
    """
    from antrax.cli.console import ConsoleReporter, show_merge
    from antrax.training.merging import merge_trainsets

    reporter = ConsoleReporter()
    result = merge_trainsets(sources, dest, dry_run=dry_run, reporter=reporter)
    for problem in result.corrupt:
        reporter.warn(f"{problem}; left out")
    for note in result.notes:
        reporter.warn(note)
    if result.only_source:
        reporter.warn(
            f"labels that only the sources had: {', '.join(result.only_source)}; check that they mean the same animals"
        )
    if result.only_destination:
        reporter.warn(f"labels that only the destination has: {', '.join(result.only_destination)}")
    show_merge(output(), result, dry_run)
