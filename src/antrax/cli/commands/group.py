"""`antrax group`: groups of tracklets that look alike."""

from __future__ import annotations

from pathlib import Path

import click

from antrax.cli.params import CONTEXT, DEVICE, SESSION
from antrax.defaults import SEED


@click.command("group", context_settings=CONTEXT)
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option(
    "--groups",
    type=int,
    metavar="N",
    help="Number of groups (clusters), at most; three for each ID of labels.csv by default, 48 where there is none.",
)
@SESSION
@DEVICE
@click.option("--seed", type=int, default=SEED, show_default=True, help="Random seed.")
def group(experiment: Path, groups: int | None, session: str | None, device: str, seed: int) -> None:
    """Group the tracklets of EXPERIMENT that look alike, before any has a label.

    A network learns from the tracklets themselves: images of one tracklet show one animal, tracklets at the same time
    are of different ones. The wall of `antrax extract-trainset` then shows a group at a time, and whoever labels names
    groups instead of tracklets. Groups of an earlier run are replaced. Takes a minute or two.
    """
    from antrax.cli.console import ConsoleReporter
    from antrax.grouping.options import GroupOptions
    from antrax.grouping.run import group as run

    reporter = ConsoleReporter()
    result = run(experiment, GroupOptions(groups, session, seed, device), reporter=reporter)
    for line in result.summary():
        reporter.say(line)
