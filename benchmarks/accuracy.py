"""Accuracy on real ants: train on three quarters of the tracklets, classify the others as experiments, all four folds.

    python benchmarks/accuracy.py [--shared DIR] [--work DIR] [--folds 0 1 2 3] [-- OPTIONS OF antrax train]

Prints a table with a row a fold and one for all, and every tracklet that got a wrong ID. Uses
`tools/real_experiments.py` of the shared folder, and the commands as a user would type them. Time is wall time of
`antrax train`, start and reading included.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import antrax
from antrax.labels import Category, guess_category

SHARED = Path(__file__).resolve().parents[2] / "shared"
FOLDS = 4
ANTRAX = (sys.executable, "-m", "antrax")


@dataclass
class Figures:
    """What is counted; figures of folds add up."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    mistakes: list[str] = field(default_factory=list)

    def __add__(self, other: Figures) -> Figures:
        return Figures(self.counts + other.counts, self.seconds + other.seconds, self.mistakes + other.mistakes)


def main() -> None:
    """Run the folds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--work", type=Path, default=Path("out/accuracy"))
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)))
    parser.add_argument("--max-error", default="0.01")
    parser.add_argument("train_options", nargs="*", help="after --")
    args = parser.parse_args()
    figures = {fold: run_fold(args, fold) for fold in args.folds}
    show(figures)


def run_fold(args: argparse.Namespace, fold: int) -> Figures:
    """Train on one fold's training set, classify its experiments, and compare with the truth."""
    folder = make_fold(args, fold)
    seconds = train_fold(folder, args.train_options)
    classifier = str(folder / "classdir" / "classifier.h5")
    command = [*ANTRAX, "classify", str(folder / "experiments"), "--classifier", classifier]
    subprocess.run([*command, "--max-error", args.max_error], check=True)
    return compare(folder, fold, seconds)


def train_fold(folder: Path, options: list[str]) -> float:
    """Train on a fold's training set; seconds that it took."""
    started = time.monotonic()
    subprocess.run([*ANTRAX, "train", str(folder / "classdir"), "--scratch", *options], check=True)
    return time.monotonic() - started


def make_fold(args: argparse.Namespace, fold: int) -> Path:
    """The folder of a fold, made where it is not there yet."""
    folder: Path = args.work / f"fold{fold}"
    if not folder.is_dir():
        tool = args.shared / "tools" / "real_experiments.py"
        command = [sys.executable, str(tool), str(folder), "--fold", str(fold), "--folds", str(FOLDS)]
        subprocess.run(command, check=True)
    return folder


def compare(folder: Path, fold: int, seconds: float) -> Figures:
    """Count outcomes by people's labels."""
    figures = Figures(seconds=seconds)
    counts = figures.counts
    sessions = {path.name: antrax.open_session(path) for path in (folder / "experiments").iterdir()}
    results = {name: antrax.read_results(session) for name, session in sessions.items()}
    for row in read(folder / "truth.csv"):
        result = results[row["experiment"]].loc[row["tracklet"]]
        label = str(result["label"])
        group = "ant" if is_ant(row["label"]) else "other"
        group = f"contested {group}" if float(row["contested"]) > 0 else group
        counts[group] += 1
        if is_ant(label):
            counts[f"{group} assigned"] += 1
            if label != row["label"]:
                counts[f"{group} wrong"] += 1
                figures.mistakes.append(
                    f"fold {fold}: {row['experiment']} {row['tracklet']}: {row['label']} by people, {label} by us, "
                    f"confidence {result['confidence']:.2f}, {row['frames']} images, contested {row['contested']}"
                )
    truth: dict[tuple[str, int, str], dict[int, str]] = {}
    for row in read(folder / "truth_frames.csv"):
        truth.setdefault((row["experiment"], int(row["movie"]), row["tracklet"]), {})[int(row["index"])] = row["label"]
    for (experiment, movie, tracklet), labels in truth.items():
        probabilities = antrax.read_frame_probabilities(sessions[experiment], movie, tracklet)
        best = probabilities.columns.to_numpy()[np.argmax(probabilities.to_numpy(), axis=1)]
        assigned = str(results[experiment].loc[tracklet]["label"])
        for index, label in labels.items():
            if is_ant(label):
                counts["ant frames"] += 1
                counts["ant frames right"] += int(best[index - 1] == label)
                counts["ant frames in tracklets of their label"] += assigned == label
                counts["ant frames in tracklets of another ID"] += is_ant(assigned) and assigned != label
    return figures


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def is_ant(label: str) -> bool:
    """Whether a label is an ID."""
    return guess_category(label) is Category.ANT


def show(figures: dict[int, Figures]) -> None:
    """Print the table and the mistakes."""
    table = Table(title="Held-out tracklets of the JS16 set")
    for column in (
        "fold",
        "ant frames right",
        "frames by tracklet: right / wrong",
        "uncontested ants assigned",
        "of these wrong",
        "uncontested others given an ID",
        "contested ants assigned, wrong",
        "contested others given an ID",
        "train (s)",
    ):
        table.add_column(column, justify="right")
    total = Figures()
    for fold, one in figures.items():
        total = total + one
        table.add_row(str(fold), *cells(one.counts), f"{one.seconds:.0f}")
    table.add_section()
    table.add_row("all", *cells(total.counts), f"{total.seconds / len(figures):.0f} mean")
    console = Console(width=190)
    console.print(table)
    console.print("IDs that differ from people's label:", *total.mistakes, sep="\n", highlight=False)


def cells(counts: Counter[str]) -> list[str]:
    """The columns of one row."""

    def share(part: str, whole: str) -> str:
        return f"{counts[part]}/{counts[whole]} ({counts[part] / max(counts[whole], 1):.1%})"

    frames = counts["ant frames"]
    right, wrong = (counts[f"ant frames in tracklets of {which}"] for which in ("their label", "another ID"))
    return [
        share("ant frames right", "ant frames"),
        f"{right / max(frames, 1):.1%} / {wrong / max(frames, 1):.1%}",
        share("ant assigned", "ant"),
        share("ant wrong", "ant assigned"),
        share("other assigned", "other"),
        f"{share('contested ant assigned', 'contested ant')}, {counts['contested ant wrong']}",
        share("contested other assigned", "contested other"),
    ]


if __name__ == "__main__":
    main()
