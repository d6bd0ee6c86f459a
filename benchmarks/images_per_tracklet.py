"""What `--images-per-tracklet` changes in labels, and the time it saves, on held-out tracklets of the JS16 set.

    python benchmarks/images_per_tracklet.py [--fold 0] [--shared DIR] [--work DIR] [--rounds 3]
        [--wanted 8 16 32 64 auto]

Trains as `benchmarks/accuracy.py` does (or takes the classifier of its fold, where that was run in the same folder),
then classifies the held-out experiments with all images and with fewer, in turn. Prints, for each: labels that differ
from those by all images (of these, IDs given, taken away and changed), IDs right and wrong by people's labels, images
looked at, and time as a share of that with all images (median of the rounds; whole `antrax.classify` in this process).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import antrax
from accuracy import FOLDS, SHARED, is_ant, make_fold, read, train_fold
from antrax.io.frame_probabilities import open_frame_probabilities
from antrax.io.results import read_movie


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--work", type=Path, default=Path("out/accuracy"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wanted", nargs="+", default=["8", "16", "32", "64", "auto"])
    args = parser.parse_args()
    folder = make_fold(args, args.fold)
    classifier = folder / "classdir" / "classifier.h5"
    if not classifier.is_file():
        train_fold(folder, [])
    truth = {(row["experiment"], row["tracklet"]): row["label"] for row in read(folder / "truth.csv")}
    wanted: list[Any] = [None, *(one if one == "auto" else int(one) for one in args.wanted)]
    seconds: dict[Any, list[float]] = {one: [] for one in wanted}
    labels: dict[Any, dict[tuple[str, str], str]] = {}
    looked_at: dict[Any, int] = {}
    for _ in range(args.rounds):
        for one in wanted:
            options = antrax.ClassifyOptions(str(classifier), workers=1, images_per_tracklet=one)
            started = time.perf_counter()
            antrax.classify(folder / "experiments", options)
            seconds[one].append(time.perf_counter() - started)
            labels[one], looked_at[one] = results(folder / "experiments")
    show(args, wanted, seconds, labels, looked_at, truth)


def results(folder: Path) -> tuple[dict[tuple[str, str], str], int]:
    """Labels by experiment and tracklet, and the number of images that were looked at."""
    labels, images = {}, 0
    for path in sorted(folder.iterdir()):
        session = antrax.open_session(path)
        for tracklet, row in antrax.read_results(session).iterrows():
            labels[path.name, str(tracklet)] = str(row["label"])
        for movie in session.stacks:
            with open_frame_probabilities(session, read_movie(session, movie)) as frames:
                bounds = frames.rows().values()
                stored = frames.read(0, max((stop for _, stop in bounds), default=0))
                images += int((stored == stored).all(1).sum())  # nan where an image was not looked at
    return labels, images


def show(
    args: argparse.Namespace,
    wanted: list[Any],
    seconds: dict[Any, list[float]],
    labels: dict[Any, dict[tuple[str, str], str]],
    looked_at: dict[Any, int],
    truth: dict[tuple[str, str], str],
) -> None:
    """Print the table."""
    table = Table(title=f"{len(truth)} held-out tracklets, fold {args.fold} of {FOLDS}, {looked_at[None]:,} images")
    for column in ("images", "labels that differ", "ID given/taken/changed", "IDs right", "wrong", "looked at", "time"):
        table.add_column(column, justify="right")
    for one in wanted:
        kinds: Counter[str] = Counter()
        for key, label in labels[one].items():
            before = labels[None][key]
            if label != before:
                kinds["differ"] += 1
                kinds["changed" if is_ant(label) and is_ant(before) else "given" if is_ant(label) else "taken"] += (
                    is_ant(label) or is_ant(before)
                )
            if is_ant(label):
                kinds["right" if truth.get(key) == label else "wrong"] += 1
        ratios = [mine / whole for mine, whole in zip(seconds[one], seconds[None], strict=True)]
        table.add_row(
            "all" if one is None else str(one),
            str(kinds["differ"]),
            f"{kinds['given']}/{kinds['taken']}/{kinds['changed']}",
            str(kinds["right"]),
            str(kinds["wrong"]),
            f"{looked_at[one] / looked_at[None]:.0%}",
            f"{statistics.median(ratios):.2f}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
