"""Every architecture on one fold of the real data: accuracy, time to train, rate of classification, size.

    python benchmarks/architectures.py [--arch NAME…] [--fold 0] [--shared DIR] [--work DIR] [-- OPTIONS OF TRAIN]

Prints the table of docs/classifiers.md, a row an architecture:

small, wide, large    our own
MobileNetV2           from pre-trained weights; skipped where they are not in the cache
MobileNetV2-random    from random weights (--no-pretrained)
custom                the example of docs/classifiers.md
antrax-small          the network of anTraX's `small` at its 64 pixels, trained by us

Folds are made, trained on and judged as `accuracy.py` does. The rate is that of the network alone on all processors, as
`classification_speed.py` measures it. Training time includes start and reading. Where the real data is not at hand,
nothing is done.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import accuracy
import antrax
from antrax.devices import choose_device
from antrax.engine import make_model
from antrax.network.graph import Graph
from antrax.network.keras_config import to_keras_config
from antrax.network.layers import make_layer
from antrax.pretrained import SIZES, weights_file
from classification_speed import bare_rate

_FILTERS = (64, 128, 256)


@dataclass(frozen=True)
class Row:
    """What is measured of one architecture."""

    name: str
    figures: accuracy.Figures
    rate: float
    parameters: int
    size: int
    bytes: int


def main() -> None:
    """Train, classify, judge, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", nargs="+", choices=ARCHITECTURES, default=list(ARCHITECTURES))
    parser.add_argument("--fold", type=int, default=0)
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
    folder: Path = args.work / f"fold{args.fold}"
    accuracy.make_fold(args, args.fold)
    chosen = ARCHITECTURES[name](folder)
    chosen = [*chosen, "--device", args.device, *args.train_options]
    options = argparse.Namespace(**{**vars(args), "train_options": chosen})
    figures = accuracy.run_fold(options, args.fold)
    file = folder / "classdir" / "classifier.h5"
    classifier = antrax.read_classifier(file)
    graph = classifier.graph
    return Row(
        name,
        figures,
        bare_rate(make_model(classifier, choose_device(args.device))),
        sum(math.prod(shape) for shape in graph.weight_shapes().values()),
        graph.size,
        file.stat().st_size,
    )


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


class _Stack:
    """Layers one after the other."""

    def __init__(self, size: int) -> None:
        self.layers = [make_layer("InputLayer", "image", batch_shape=(None, size, size, 3))]

    def add(self, kind: str, **options: Any) -> _Stack:
        """Add a layer to the last one."""
        name = f"{kind.lower()}_{len(self.layers)}"
        self.layers.append(make_layer(kind, name, (self.layers[-1].name,), **options))
        return self

    def graph(self) -> Graph:
        """The network."""
        return Graph("custom", tuple(self.layers))


def example(outputs: int) -> Graph:
    """The network that docs/classifiers.md makes with Keras."""
    stack = _Stack(64).add("Rescaling", scale=1 / 255, offset=-1.0)
    for filters in (32, 64, 128):
        stack.add("Conv2D", filters=filters, kernel_size=3, padding="same", use_bias=False)
        stack.add("BatchNormalization").add("ReLU").add("MaxPooling2D")
    stack.add("Flatten").add("Dropout", rate=0.3).add("Dense", units=outputs)
    return stack.graph()


def antrax_small(outputs: int) -> Graph:
    """The network that anTraX calls small."""
    stack = _Stack(64)
    for filters in _FILTERS:
        stack.add("Conv2D", filters=filters, kernel_size=3).add("ReLU").add("MaxPooling2D")
        stack.add("BatchNormalization").add("Dropout", rate=0.25)
    stack.add("Flatten").add("BatchNormalization").add("Dropout", rate=0.25).add("Dense", units=outputs)
    return stack.graph()


ARCHITECTURES: dict[str, Callable[[Path], Sequence[str]]] = {
    "small": own("small"),
    "wide": own("wide"),
    "large": own("large"),
    "MobileNetV2": own("MobileNetV2"),
    "MobileNetV2-random": own("MobileNetV2", "--no-pretrained"),
    "custom": described(example),
    "antrax-small": described(antrax_small),
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
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
