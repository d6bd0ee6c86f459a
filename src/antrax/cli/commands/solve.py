"""`antrax solve`: positions of all animals."""

from __future__ import annotations

from pathlib import Path

import click

from antrax.cli.batch import run_batch
from antrax.cli.cluster import cluster_options
from antrax.cli.original import ignored
from antrax.cli.params import CONTEXT, MOVIES, SESSION, WORKERS
from antrax.defaults import MAX_ERROR

# A mirror of a list in a module that is slow to load; a test keeps them equal.
METHODS = ("joint", "antrax")


@click.command("solve", context_settings=CONTEXT)
@click.argument("experiments", type=click.Path(path_type=Path))
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="joint",
    show_default=True,
    help="joint: all animals at once, with a probability for each placement. antrax: the original's rules.",
)
@click.option(
    "--max-error",
    type=float,
    default=MAX_ERROR,
    show_default=True,
    help="With the joint method: how large a share of the placements (ID × frame) may be wrong, by its own estimate. "
    "What is less certain is not placed.",
)
@MOVIES
@SESSION
@cluster_options
@ignored("--glist", "all groups of movies are solved; --movlist chooses movies", metavar="LIST")
@ignored("--clist", "all colonies are solved", metavar="LIST")
@ignored("--mcr", "no part of antrax needs MATLAB")
@WORKERS
def solve(
    experiments: Path, method: str, max_error: float, movies: list[int] | None, session: str | None, workers: int | None
) -> None:
    """Find out where every animal of EXPERIMENTS was in every frame.

    EXPERIMENTS is as for classify, which comes before. From the labels of single animals and the graph of tracklets it
    follows who was in which tracklet, also in those of several animals. Results go into `antdata/` (for MATLAB),
    `positions/` (tables) and `positions_netcdf/` (for movement and napari) of each session; labels that contradict the
    rest are listed, and kept in `logs/solve.json`.
    """
    from antrax.cli.console import ConsoleReporter, show_solutions
    from antrax.solving.run import SolveOptions
    from antrax.solving.run import solve as run

    options = SolveOptions(method, max_error, movies, session, workers)  # type: ignore[arg-type]
    run_batch(lambda: run(experiments, options, reporter=ConsoleReporter()), show_solutions)
