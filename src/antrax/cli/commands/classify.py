"""`antrax classify`: a label for every tracklet."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from antrax.cli.batch import run_batch
from antrax.cli.cluster import cluster_options
from antrax.cli.original import ignored
from antrax.cli.params import CONTEXT, DEVICE, MOVIES, SESSION, WORKERS, EngineName, ImageCount
from antrax.defaults import MAX_ERROR


@click.command("classify", context_settings=CONTEXT)
@click.argument("experiments", type=click.Path(path_type=Path))
@click.option(
    "--classifier", metavar="FILE|NAME", help="Classifier file, or the name of one in the session's classifier folder."
)
@MOVIES
@click.option("--missing", is_flag=True, help="Only movies that have no result yet, of whichever classifier.")
@click.option(
    "--max-error",
    type=float,
    default=MAX_ERROR,
    show_default=True,
    help="How large a share of the assigned IDs may be wrong: an estimate from held-out tracklets, no guarantee.",
)
@click.option(
    "--images-per-tracklet",
    type=ImageCount(),
    metavar="N|auto",
    help="Look at N evenly spread images of longer tracklets; auto: at more only while the decision is not sure. "
    "All by default.",
)
@SESSION
@WORKERS
@DEVICE
@click.option(
    "--engine",
    type=EngineName(),
    default="auto",
    show_default=True,
    metavar="NAME",
    help="What runs the network: onnx, openvino (where it is installed) or torch. auto tries those that suit the "
    "device for a moment, and takes the fastest.",
)
@click.option("--digest", help="Digest of the classifier that is meant (see antrax info): any other is refused.")
@cluster_options
@ignored("--usepassed", "every image counts, and the best frame is taken from the passed ones where there are some")
@ignored("--dont-use-min-conf", "--max-error chooses how sure an ID has to be")
@ignored("--consv-factor", "--max-error chooses how sure an ID has to be", metavar="X")
@ignored("--report", "the table of results is always printed")
def classify(
    experiments: Path,
    classifier: str | None,
    movies: list[int] | None,
    missing: bool,
    max_error: float,
    images_per_tracklet: int | Literal["auto"] | None,
    session: str | None,
    workers: int | None,
    device: str,
    engine: str,
    digest: str | None,
) -> None:
    """Give every tracklet of EXPERIMENTS a label.

    EXPERIMENTS is an experiment, a folder that contains some, or a text file that lists some (one path per line,
    relative to the file or the working folder; lines that start with # are comments). All are worked on in parallel.
    Results go into `labels/` of each session.
    """
    from antrax.classification.run import ClassifyOptions
    from antrax.classification.run import classify as run
    from antrax.cli.console import ConsoleReporter, show_report

    options = ClassifyOptions(
        classifier, session, movies, missing, max_error, workers, device, engine, images_per_tracklet, digest
    )
    run_batch(lambda: run(experiments, options, reporter=ConsoleReporter()), show_report)
