"""`antrax export`: positions in formats of other programs."""

from __future__ import annotations

from pathlib import Path

import click

from antrax.cli.params import CONTEXT, MOVIES, SESSION

# A mirror of a list in a module that is slow to load; a test keeps them equal.
EXPORT_FORMATS = ("csv", "parquet", "netcdf", "trackmate", "sleap", "deeplabcut", "nwb")


@click.command("export", context_settings=CONTEXT)
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option("--to", type=click.Choice(EXPORT_FORMATS), required=True, help="Format to write.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="File (folder for nwb) to write; by default in `export/` of the session. What is there is replaced.",
)
@MOVIES
@SESSION
def export(experiment: Path, to: str, out: Path | None, movies: list[int] | None, session: str | None) -> None:
    """Write the positions of EXPERIMENT's animals in a format of other programs.

    Positions are those of `antrax solve`, or of anTraX's MATLAB where there are no others.

    \b
    csv         a table for spreadsheets and R
    parquet     a table for pandas, polars, R and DuckDB
    netcdf      movement, napari, xarray
    trackmate   TrackMate (Fiji)
    sleap, deeplabcut, nwb
                these need: pip install "antrax[export]"
    """  # noqa: D301
    from antrax.cli.console import ConsoleReporter
    from antrax.io.export import export_positions
    from antrax.io.session import open_session

    opened, reporter = open_session(experiment, session), ConsoleReporter()
    for problem in opened.parameter_problems:
        reporter.warn(problem)
    reporter.say(f"written: {export_positions(opened, to, movies, path=out)}")
