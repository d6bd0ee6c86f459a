"""`antrax rename-label`: another name for a label, everywhere."""

from __future__ import annotations

from pathlib import Path

import click

from antrax.cli.params import CONTEXT, SESSION


@click.command("rename-label", context_settings=CONTEXT)
@click.argument("experiment", type=click.Path(path_type=Path))
@click.argument("label")
@click.argument("new")
@SESSION
def rename_label(experiment: Path, label: str, new: str, session: str | None) -> None:
    """Give LABEL of EXPERIMENT the name NEW.

    Examples, results, marks, corrections, positions and the classifiers of the session follow, so nothing has to be
    trained, classified or solved again. Labels are not joined: no label may have the name yet. What is broken off goes
    on when the same is typed again, and renaming back takes it back. Exported files keep the old name.
    """
    from antrax.io.session import open_session
    from antrax.review.renaming import rename_label as run

    click.echo(f"{run(open_session(experiment, session), label, new).message}.")
