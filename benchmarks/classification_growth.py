"""How time and memory of `antrax classify` grow with tracklets, their length, the size of images, labels and workers.

    python benchmarks/classification_growth.py [--work DIR] [--quick] [--only tracklets length size labels workers]

Each row is one whole `antrax classify` in a process of its own, on made-up stacks with a network of random weights.
Prints seconds of the clock, seconds of processors (which other work on the machine hardly changes), images a second of
a processor, and the largest memory of the command with its workers.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

import antrax
from antrax.classification.classifier_file import Classifier, write_classifier
from antrax.demo import generate_experiment
from antrax.images import Preparation
from antrax.io.session import Session
from antrax.io.stacks import open_stack, write_stacks
from antrax.labels import Category
from antrax.networks.graph import build
from antrax.networks.initial import initial_weights

MOVIES = 4


@dataclass(frozen=True)
class Case:
    """What one row measures; what is not varied is usual."""

    varied: str
    tracklets: int = 2_000
    length: int = 20
    size: int = 48
    labels: int = 18
    workers: int = 1

    @property
    def images(self) -> int:
        """Number of blob images."""
        return self.tracklets * self.length


def cases(quick: bool) -> list[Case]:
    """All rows."""
    few = 10 if quick else 1
    return [
        *(Case("tracklets", tracklets=number // few, length=8, size=32) for number in (1_000, 10_000, 100_000)),
        *(Case("length", tracklets=40_000 // few // length, length=length) for length in (5, 50, 500)),
        Case("length", tracklets=MOVIES, length=200_000 // few),
        *(Case("size", size=size, tracklets=2_000 // few) for size in (32, 48, 64, 96)),
        *(Case("labels", labels=labels, tracklets=2_000 // few) for labels in (16, 64, 256)),
        *(Case("workers", workers=workers, tracklets=4_000 // few) for workers in (1, 2)),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("out/growth"))
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--only", nargs="+", help="which kinds of rows")
    args = parser.parse_args()
    table = Table(title="antrax classify")
    for column in (
        "varied",
        "tracklets",
        "images of each",
        "pixels",
        "labels",
        "workers",
        "s",
        "CPU s",
        "images/CPU s",
        "MB",
    ):
        table.add_column(column, justify="right")
    for case in cases(args.quick):
        if args.only and case.varied not in args.only:
            continue
        folder = args.work / "experiment"
        shutil.rmtree(folder, ignore_errors=True)
        session = make_experiment(folder, case)
        seconds, processor, memory = measure(session, case.workers)
        table.add_row(
            case.varied,
            f"{case.tracklets:,}",
            f"{case.length:,}",
            str(case.size),
            str(case.labels),
            str(case.workers),
            f"{seconds:.1f}",
            f"{processor:.1f}",
            f"{case.images / processor:,.0f}",
            f"{memory / 1e6:,.0f}",
        )
        shutil.rmtree(folder)
    Console(width=120).print(table)


def make_experiment(folder: Path, case: Case) -> Session:
    """An experiment of four movies with stacks as the case wants them, and a classifier of random weights."""
    generate_experiment(folder, movies=MOVIES, tracklets=6, max_frames=20, image_size=case.size)
    session = antrax.open_session(folder)
    ids = [f"A{number:03}" for number in range(case.labels - 2)]
    rows = [*(f"{name}\tant_labels" for name in ids), "NoAnt\tnoant_labels", "Unknown\tother_labels"]
    session.layout.labels_file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    for movie, (path,) in session.stacks.items():
        with open_stack(path) as stack:
            pool = np.concatenate([stack.read(tracklet.name) for tracklet in stack.tracklets()])
        write_stacks(path, made_up(pool, movie, case))
    graph = build("small", case.size, case.labels, "white")
    labels = session.labels
    kinds = {label: labels.category(label) or Category.UNKNOWN for label in labels.all}
    classifier = Classifier(
        graph, initial_weights(graph, "white", 0), labels.all, kinds, Preparation(case.size, "white")
    )
    write_classifier(classifier, session.classifier_dir / "classifier.h5")
    return session


def made_up(pool: np.ndarray, movie: int, case: Case) -> Iterator[tuple[str, np.ndarray]]:
    """Tracklets of a movie, of images drawn at random."""
    rng = np.random.default_rng(movie)
    for number in range(max(1, case.tracklets // MOVIES)):
        name = f"trj_id{number + 1}_ti{movie}_1_tf{movie}_{case.length}"
        yield name, pool[rng.integers(0, len(pool), case.length)]


def measure(session: Session, workers: int) -> tuple[float, float, int]:
    """Seconds of the clock and of processors, and bytes of memory, of one command."""
    command = [
        sys.executable,
        "-m",
        "antrax",
        "classify",
        str(session.experiment),
        "--nw",
        str(workers),
        "--device",
        "cpu",
    ]
    started = time.monotonic()
    running = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    largest, processor = 0, {}
    while running.poll() is None:
        try:
            tree = [running, *running.children(recursive=True)]
            used = 0
            for process in tree:
                with process.oneshot():
                    used += process.memory_info().rss
                    times = process.cpu_times()
                    processor[process.pid] = times.user + times.system
            largest = max(largest, used)
        except psutil.Error:
            pass
        time.sleep(0.02)
    if running.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {running.returncode}")
    return time.monotonic() - started, sum(processor.values()), largest


if __name__ == "__main__":
    main()
