"""How long it takes to find out what is to be done in a session of thousands of movies, also on a slow drive.

    python benchmarks/planning.py [--movies 5000] [--latency 2]

Movies are tiny: only their number matters here. With `--latency`, every look at a file, opening of one and listing of a
folder from Python waits for that many milliseconds, as on a network drive; what HDF5 reads within a file does not.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import tempfile
import time
import unittest.mock
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from rich.console import Console
from rich.table import Table

import antrax
from antrax.classification.classifier_file import Classifier, read_classifier, write_classifier
from antrax.cluster.options import HpcOptions
from antrax.cluster.requests import Request, give_to_cluster
from antrax.images import Preparation
from antrax.io.results import Classified, Decision, result_files
from antrax.io.results_writer import MovieWriter
from antrax.io.runs import start_record
from antrax.io.session import Session
from antrax.io.stacks import write_stacks
from antrax.labels import Category
from antrax.networks.graph import build
from antrax.networks.initial import initial_weights
from antrax.progress import Reporter

SIZE = 32
TRACKLETS = 3


def main() -> None:
    """Print a table: what is asked, and how long the answer takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--movies", type=int, default=5000)
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="of every look at the drive")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        session = make_session(Path(folder) / "colony", args.movies)
        table = Table(title=f"{args.movies:,} movies, {args.latency:g} ms for every look at the drive")
        for column in ("asked", "records of runs", "seconds"):
            table.add_column(column, justify="right" if column == "seconds" else "left")
        for records in ("all", "none"):
            if records == "none":
                shutil.rmtree(session.layout.runs)
            for name, ask in questions(session).items():
                with slow_drive(args.latency / 1000):
                    started = time.perf_counter()
                    ask()
                    seconds = time.perf_counter() - started
                table.add_row(name, records, f"{seconds:.1f}")
        Console(width=100).print(table)


def questions(session: Session) -> dict[str, Callable[[], Any]]:
    """What is measured, by name; nothing is left to do in any of it."""
    options = antrax.ClassifyOptions(missing=True, workers=1, device="cpu")

    def status() -> None:
        (found,) = antrax.status(session.experiment)
        assert {movie.state.value for movie in found.commands[0].movies} == {"done"}

    def missing() -> None:
        assert antrax.classify(session.experiment, options).experiments[0].movies == []

    def submit(request: Request) -> None:
        _, failures = give_to_cluster(request, HpcOptions(), dry=True, reporter=Reporter())
        assert not failures

    request = Request("classify", session.experiment)
    return {
        "status": status,
        "classify --missing": missing,
        "classify --hpc --dry": lambda: submit(request),
        "classify --hpc --missing --dry": lambda: submit(Request("classify", session.experiment, missing=True)),
    }


def make_session(experiment: Path, movies: int) -> Session:
    """A session of many tiny movies, all classified."""
    antrax.generate_experiment(experiment, movies=1, tracklets=12, max_frames=20, image_size=SIZE)
    session = antrax.open_session(experiment)
    for folder in (session.layout.images, session.layout.tracklets, session.layout.graphs):
        shutil.rmtree(folder, ignore_errors=True)
    session.layout.images.mkdir()
    session.labels_dir.mkdir(exist_ok=True)
    header, row = session.layout.movies_file.read_text(encoding="utf-8").splitlines()[:2]
    place = header.split().index("index")
    rows = [[*row.split()[:place], str(movie), *row.split()[place + 1 :]] for movie in range(1, movies + 1)]
    text = "\n".join([header, *(" ".join(values) for values in rows)]) + "\n"
    session.layout.movies_file.write_text(text, encoding="utf-8")
    labels = session.labels.all
    graph = build("small", SIZE, len(labels), "white")
    kinds = {label: session.labels.category(label) or Category.UNKNOWN for label in labels}
    path = session.layout.classifier.classifier()
    write_classifier(
        Classifier(graph, initial_weights(graph, "white", 0), labels, kinds, Preparation(SIZE, "white")), path
    )
    old = time.time() - 3600
    made_with = {"classifier": str(path), "classifier_digest": read_classifier(path).digest()}
    record = start_record(
        session, "classify", range(1, movies + 1), classifier=str(path), digest=made_with["classifier_digest"]
    )
    decision = Decision("Unknown", 0.5, labels[0], labels[1], 0.2, 0.0, 0, 1)
    images = np.full((2, SIZE, SIZE, 3), 9, np.uint8)
    probabilities = np.full((2, len(labels)), 1 / len(labels), np.float32)
    with without_waiting_for_the_disk():
        for movie in range(1, movies + 1):
            names = [f"trj_id{number}_ti{movie}_1_tf{movie}_2" for number in range(1, TRACKLETS + 1)]
            stack = session.layout.file("images", movie)
            write_stacks(stack, ((name, images) for name in names))
            os.utime(stack, (old, old))
            writer = MovieWriter(session, movie, labels, made_with)
            for name in names:
                writer.add(Classified(name, decision, probabilities, 2))
            writer.commit()
            record.begun({movie: [stack]})
            record.done(movie, result_files(session, movie))
    record.end()
    return session


@contextlib.contextmanager
def without_waiting_for_the_disk() -> Iterator[None]:
    """Making the session is not what is measured."""
    with unittest.mock.patch("os.fsync"):
        yield


@contextlib.contextmanager
def slow_drive(latency: float) -> Iterator[None]:
    """Let whatever asks the drive wait."""
    if not latency:
        yield
        return

    def slowly(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            time.sleep(latency)
            return function(*args, **more)

        return call

    names = ("stat", "lstat", "open", "scandir", "listdir", "replace", "unlink")
    kept = {name: getattr(os, name) for name in names}
    opened = h5py.h5f.open
    for name, function in kept.items():
        setattr(os, name, slowly(function))
    h5py.h5f.open = slowly(opened)
    try:
        yield
    finally:
        h5py.h5f.open = opened
        for name, function in kept.items():
            setattr(os, name, function)


if __name__ == "__main__":
    main()
