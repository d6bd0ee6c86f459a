"""`antrax plot`: figures of where the animals were."""

from __future__ import annotations

from pathlib import Path

import click

from antrax.cli.params import CONTEXT, MOVIES, SESSION

# Mirrors of lists in modules that are slow to load; a test keeps them equal.
FIGURES = ("trails", "presence", "activity", "contacts")
FIGURE_FORMATS = ("png", "svg")


@click.command("plot", context_settings=CONTEXT)
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option("--figure", "figures", type=click.Choice(FIGURES), multiple=True, help="Only this; may be repeated.")
@click.option("--format", "formats", type=click.Choice(FIGURE_FORMATS), multiple=True, help="Only in this format.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where to write; by default `plots/` of the session.",
)
@MOVIES
@SESSION
def plot(
    experiment: Path,
    figures: tuple[str, ...],
    formats: tuple[str, ...],
    out: Path | None,
    movies: list[int] | None,
    session: str | None,
) -> None:
    """Draw figures of where EXPERIMENT's animals were, as PNG and SVG.

    \b
    trails      the way of each animal over the background
    presence    who is placed when, and how sure
    activity    distances walked, and where time is spent
    contacts    time alone and in groups, and who is with whom
    """  # noqa: D301
    from antrax.cli.console import ConsoleReporter
    from antrax.io.session import open_session
    from antrax.plots.run import plot_positions

    reporter = ConsoleReporter()
    written = plot_positions(
        open_session(experiment, session),
        movies,
        folder=out,
        figures=figures or FIGURES,
        formats=formats or FIGURE_FORMATS,
        reporter=reporter,
    )
    for path in written:
        reporter.say(f"written: {path}")
