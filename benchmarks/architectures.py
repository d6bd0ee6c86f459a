"""Every architecture on folds of the real data: accuracy, time to train, rate of classification, size.

    python benchmarks/architectures.py [--arch NAME…] [--folds 0 1 2 3] [--shared DIR] [--work DIR] [-- TRAIN OPTIONS]

Prints the table of docs/classifiers.md, a row an architecture:

small, wide, large    our own
MobileNetV2           from pre-trained weights; skipped where they are not in the cache
MobileNetV2-demo      from weights that were trained on the made-up ants of `antrax demo`: no photographs, but they show
                      what the steps of training do with features that are good for something
MobileNetV2-random    from random weights (--no-pretrained)
custom                the example of docs/classifiers.md
antrax-small          the network of anTraX's `small` at its 64 pixels, trained by us

Folds are made, trained on and judged as `accuracy.py` does. Counts are over all folds; the time of training, start and
reading included, is their mean. The rate of classification is that of the network alone on all processors, as
`classification_speed.py` measures it. Of pre-trained networks, a line says how good they were with the labels alone
learned, and then as a whole, on the tracklets that `antrax train` held out. Where the real data is not at hand, nothing
is done.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import h5py
import numpy as np
from rich.console import Console
from rich.table import Table

import accuracy
import antrax
from antrax.devices import choose_device
from antrax.network.graph import Graph
from antrax.network.keras_config import to_keras_config
from antrax.network.mobilenet import is_head
from antrax.pretrained import SIZES, weights_file
from classification_speed import bare_rate
from networks import antrax_network, example


@dataclass(frozen=True)
class Row:
    """What is measured of one architecture."""

    name: str
    figures: accuracy.Figures
    rate: float
    parameters: int
    size: int
    bytes: int
    learned: list[str]


def main() -> None:
    """Train, classify, judge, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", nargs="+", choices=ARCHITECTURES, default=list(ARCHITECTURES))
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(accuracy.FOLDS)))
    parser.add_argument("--shared", type=Path, default=accuracy.SHARED)
    parser.add_argument("--work", type=Path, default=Path("out/accuracy"))
    parser.add_argument("--max-error", default="0.01")
    parser.add_argument("--device", default="auto")
    parser.add_argument("train_options", nargs="*", help="after --")
    args = parser.parse_args()
    if not (args.shared / "tools" / "real_experiments.py").is_file():
        sys.exit(f"no real data in {args.shared}; name the folder that has tools/ and data/ with --shared")
    rows = []
    for name in args.arch:
        if name == "MobileNetV2" and not weights_file(SIZES[0]).is_file():
            print(f"MobileNetV2 is skipped: no pre-trained weights at {weights_file(SIZES[0])}", flush=True)
            continue
        rows.append(measure(args, name))
        show(rows)  # each time, for some take long


def measure(args: argparse.Namespace, name: str) -> Row:
    """All about one architecture."""
    figures, learned = accuracy.Figures(), []
    for fold in args.folds:
        folder = accuracy.make_fold(args, fold)
        chosen = [*ARCHITECTURES[name](folder), "--device", args.device, *args.train_options]
        with weights_of_the_demo(args) if name == "MobileNetV2-demo" else contextlib.nullcontext():
            options = argparse.Namespace(**{**vars(args), "train_options": chosen})
            figures += accuracy.run_fold(options, fold)
        file = folder / "classdir" / "classifier.h5"
        classifier = antrax.read_classifier(file)
        first, *_, last = classifier.record["history"]
        if first["epoch"] == 0:
            learned.append(f"fold {fold}: {first['image_accuracy']:.1%}, then {last['image_accuracy']:.1%}")
    graph = classifier.graph
    return Row(
        name,
        figures,
        bare_rate(classifier, choose_device(args.device)),
        sum(math.prod(shape) for shape in graph.weight_shapes().values()),
        graph.size,
        file.stat().st_size,
        learned,
    )


@contextlib.contextmanager
def weights_of_the_demo(args: argparse.Namespace) -> Iterator[None]:
    """Have `antrax train` find MobileNetV2's weights as trained on made-up ants, which is done if it was not."""
    with patch.dict(os.environ, ANTRAX_CACHE=str(args.work.absolute() / "cache_demo")):
        if not (path := weights_file(SIZES[0])).is_file():
            demo = args.work / "demo"
            if not demo.is_dir():
                antrax.generate_experiment(demo, seed=1)
            options = antrax.TrainOptions(arch="MobileNetV2", pretrained=False, scratch=True, epochs=3)
            classifier = antrax.train(demo, options).classifier
            path.parent.mkdir(parents=True, exist_ok=True)
            write_published(classifier, path)
        yield


def write_published(classifier: antrax.Classifier, path: Path) -> None:
    """Write the features of MobileNetV2 as Keras publishes them."""
    layers = [layer.name for layer in classifier.graph.layers if not is_head(layer)]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array(layers, "S")
        for layer in layers:
            names = [name for name in classifier.weights if name.startswith(f"{layer}/")]
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array(names, "S") if names else np.zeros(0)
            for name in names:
                group[name] = classifier.weights[name]


def labels_of(folder: Path) -> int:
    """Number of labels of a fold's training set."""
    folders = (path for path in (folder / "classdir" / "examples").iterdir() if path.is_dir())
    return sum(any(path.glob("*.png")) for path in folders)


def own(name: str, *options: str) -> Callable[[Path], Sequence[str]]:
    """Options for an architecture that needs no file."""
    return lambda folder: ["--arch", name, *options]


def described(make: Callable[[int], Graph]) -> Callable[[Path], Sequence[str]]:
    """Options for a network that is written into the fold's folder as Keras describes it."""

    def options(folder: Path) -> Sequence[str]:
        path = folder / "model.json"
        path.write_text(to_keras_config(make(labels_of(folder))), encoding="utf-8")
        return ["--arch", "custom", "--modelfile", str(path)]

    return options


ARCHITECTURES: dict[str, Callable[[Path], Sequence[str]]] = {
    "small": own("small"),
    "wide": own("wide"),
    "large": own("large"),
    "MobileNetV2": own("MobileNetV2"),
    "MobileNetV2-demo": own("MobileNetV2"),
    "MobileNetV2-random": own("MobileNetV2", "--no-pretrained"),
    "custom": described(example),
    "antrax-small": described(lambda outputs: antrax_network("small", outputs)),
}


def show(rows: list[Row]) -> None:
    """Print the table, and the same as CSV."""
    table = Table(title="Tracklets that the classifier has not seen, of the JS16 set")
    columns = (
        "architecture",
        "pixels",
        "ant frames right",
        "ants assigned",
        "of these wrong",
        "others given an ID",
        "training (s)",
        "classifying (images/s)",
        "parameters",
        "file (MB)",
    )
    for column in columns:
        table.add_column(column, justify="left" if column == "architecture" else "right")
    writer = csv.writer(sys.stdout)
    for row in rows:
        counts = row.figures.counts
        table.add_row(
            row.name,
            str(row.size),
            f"{counts['ant frames right'] / max(counts['ant frames'], 1):.1%}",
            f"{counts['ant assigned']}/{counts['ant']}",
            str(counts["ant wrong"]),
            f"{counts['other assigned']}/{counts['other']}",
            f"{row.figures.seconds:.0f}",
            f"{row.rate:,.0f}",
            f"{row.parameters:,}",
            f"{row.bytes / 1e6:.1f}",
        )
        figures = (f"{row.figures.seconds:.1f}", f"{row.rate:.0f}", row.parameters, row.bytes)
        writer.writerow((row.name, row.size, dict(counts), *figures))
    console = Console(width=150)
    console.print(table)
    for row in rows:
        if row.learned:
            console.print(f"{row.name}, held-out images right, labels alone learned and then all:", *row.learned)


if __name__ == "__main__":
    main()
