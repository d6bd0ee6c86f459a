"""Every architecture on folds of the real data: accuracy, speed of training and of classification, size.

    python benchmarks/architectures.py [--arch NAME…] [--folds 0 1 2 3] [--only accuracy|speed|nothing]
        [--shared DIR] [--work DIR] [-- TRAIN OPTIONS, for accuracy]

Prints the table of docs/classifiers.md, a row an architecture:

small, wide, large    our own
MobileNetV2           from pre-trained weights; skipped where they are not in the cache
MobileNetV2-demo      from weights that were trained on the made-up ants of `antrax demo`: no photographs, but they show
                      what the steps of training do with features that are good for something
MobileNetV2-random    from random weights (--no-pretrained)
custom                the example of docs/classifiers.md
antrax-small          the network of anTraX's `small` at its 64 pixels, trained by us

Folds are made, trained on and judged as `accuracy.py` does; counts are over all folds that are asked for. What was
measured is kept in the folder of work, by architecture and fold, so that the table can be put together in several runs.
Speed is measured by itself, since accuracy takes hours in which a machine does other things too: of training, by
a third of a minute of `antrax train`; of classification, by the network alone on all processors, as
`classification_speed.py` does. The time of training is that of the default five epochs and of the refit, at this speed.
Of pre-trained networks, a line says how good they were with the labels alone learned, and then as a whole, on the
tracklets that `antrax train` held out. Where the real data is not at hand, nothing is done.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
import numpy as np
from rich.console import Console
from rich.table import Table

import accuracy
import antrax
from antrax.images import Preparation
from antrax.networks import registry
from antrax.networks.devices import choose_device
from antrax.networks.graph import Graph
from antrax.networks.initial import initial_weights
from antrax.networks.keras.config import to_keras_config
from antrax.networks.mobilenet import NAME as MOBILENET
from antrax.networks.mobilenet import is_head
from antrax.networks.pretrained import SIZES, weights_file
from antrax.progress import Update
from antrax.training.loop import BATCH
from antrax.training.phases import REFIT
from antrax.training.start import choose_architecture, start_new
from classification_speed import bare_rate
from networks import antrax_network, example


def main() -> None:
    """Measure what is asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", nargs="+", choices=ARCHITECTURES, default=list(ARCHITECTURES))
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(accuracy.FOLDS)))
    parser.add_argument("--only", choices=("accuracy", "speed", "nothing"), help="nothing: print what is there")
    parser.add_argument("--shared", type=Path, default=accuracy.SHARED)
    parser.add_argument("--work", type=Path, default=Path("out/accuracy"))
    parser.add_argument("--max-error", default="0.01")
    parser.add_argument("--device", default="auto")
    parser.add_argument("train_options", nargs="*", help="after --")
    args = parser.parse_args()
    if not (args.shared / "tools" / "real_experiments.py").is_file():
        sys.exit(f"no real data in {args.shared}; name the folder that has tools/ and data/ with --shared")
    for name in args.arch if args.only != "nothing" else ():
        if name == "MobileNetV2" and not weights_file(SIZES[0]).is_file():
            print(f"MobileNetV2 is skipped: no pre-trained weights at {weights_file(SIZES[0])}", flush=True)
            continue
        with weights_of_the_demo(args) if name == "MobileNetV2-demo" else contextlib.nullcontext():
            if args.only != "speed":
                for fold in args.folds:
                    keep(args, name, measure_accuracy(args, name, fold))
            if args.only != "accuracy":
                keep(args, name, measure_speed(args, name))
    show(args)


def measured(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """What was measured so far, by architecture."""
    path = args.work / "architectures.json"
    known: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return known


def keep(args: argparse.Namespace, name: str, found: dict[str, Any]) -> None:
    """Add something that was measured of an architecture, in place of what was before."""
    known = measured(args)
    known[name] = known.get(name, {}) | found
    (args.work / "architectures.json").write_text(json.dumps(known, indent=1), encoding="utf-8")


def measure_accuracy(args: argparse.Namespace, name: str, fold: int) -> dict[str, Any]:
    """Train and classify on one fold, as typed."""
    folder = accuracy.make_fold(args, fold)
    options = ARCHITECTURES[name](folder)
    typed = ["--arch", str(options.arch), "--device", args.device]
    typed += ["--modelfile", str(options.modelfile)] if options.modelfile else []
    typed += [] if options.pretrained else ["--no-pretrained"]
    run = argparse.Namespace(**{**vars(args), "train_options": [*typed, *args.train_options]})
    counts = dict(accuracy.run_fold(run, fold).counts)
    first, *_, last = antrax.read_classifier(folder / "classdir" / "classifier.h5").record["history"]
    learned = [first["image_accuracy"], last["image_accuracy"]] if first["epoch"] == 0 else None
    return {f"fold {fold}": counts, f"labels alone {fold}": learned}


def measure_speed(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """How fast an architecture is trained and classifies, and how large it is; of MobileNetV2 from random weights."""
    folder = accuracy.make_fold(args, args.folds[0])
    options = ARCHITECTURES[name](folder)
    options = dataclasses.replace(
        options, name="speed", scratch=True, device=args.device, pretrained=options.arch != MOBILENET
    )
    watch = Stopwatch()
    with contextlib.suppress(EnoughError):
        antrax.train(folder / "classdir", options, reporter=watch)
    for left in (folder / "classdir").glob(".speed.h5.*"):
        left.unlink()
    labels = tuple(f"L{number}" for number in range(labels_of(folder)))
    choice = choose_architecture(options, watch)
    start = start_new(choice, choice.size or 48, labels, "white", 0)
    weights = start.weights or initial_weights(start.graph, "white", 0)
    classifier = antrax.Classifier(start.graph, weights, labels, {}, Preparation(start.graph.size, "white"))
    return {
        "size": start.graph.size,
        "parameters": sum(math.prod(shape) for shape in start.graph.weight_shapes().values()),
        "training rate": watch.rate,
        "training time": watch.total * (1 + REFIT) / watch.rate,
        "rate": bare_rate(classifier, choose_device(args.device)).images,
    }


class EnoughError(Exception):
    """Ends a training of which enough was seen."""


class Stopwatch(antrax.Reporter):
    """Measures the rate of training, from the tenth batch for at most 20 s.

    Attributes
    ----------
    rate : float
        Images a second.
    total : int
        Images in all epochs.
    """

    rate = 0.0
    total = 0

    @contextlib.contextmanager
    def bar(self, title: str, total: int | None, unit: str) -> Iterator[Update]:
        """Watch, if it is the training itself."""
        first: tuple[float, int] | None = None

        def update(done: int, note: str = "", total: int | None = None) -> None:
            nonlocal first
            if title != "training" or done < 10 * BATCH:
                return
            now = time.monotonic()
            first = first or (now, done)
            if done > first[1]:
                self.rate = (done - first[1]) / (now - first[0])
            if now - first[0] > 20:
                raise EnoughError

        if title == "training":
            self.total = total or 0
        yield update


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


def described(make: Callable[[int], Graph]) -> Callable[[Path], antrax.TrainOptions]:
    """Options for a network that is written into the fold's folder as Keras describes it."""

    def options(folder: Path) -> antrax.TrainOptions:
        path = folder / "model.json"
        path.write_text(to_keras_config(make(labels_of(folder))), encoding="utf-8")
        return antrax.TrainOptions(arch="custom", modelfile=path)

    return options


ARCHITECTURES: dict[str, Callable[[Path], antrax.TrainOptions]] = {
    **{name: functools.partial(lambda name, _: antrax.TrainOptions(arch=name), name) for name in registry.names()[:-1]},
    "MobileNetV2-demo": lambda folder: antrax.TrainOptions(arch=MOBILENET),
    "MobileNetV2-random": lambda folder: antrax.TrainOptions(arch=MOBILENET, pretrained=False),
    "custom": described(example),
    "antrax-small": described(lambda outputs: antrax_network("small", outputs)),
}


def show(args: argparse.Namespace) -> None:
    """Print the table of the architectures that were measured on all folds that are asked for."""
    table = Table(title=f"JS16, tracklets that the classifier has not seen, fold {', '.join(map(str, args.folds))}")
    for column in (
        "architecture",
        "pixels",
        "parameters",
        "ant frames right",
        "ants assigned",
        "of these wrong",
        "others given an ID",
        "training (images/s)",
        "training (min)",
        "classifying (images/s)",
    ):
        first = column == "architecture"
        table.add_column(column, justify="left" if first else "right", no_wrap=first)
    lines = []
    known = measured(args)
    for name in args.arch:
        found = known.get(name, {})
        if any(f"fold {fold}" not in found for fold in args.folds):
            continue
        counts = sum((Counter(found[f"fold {fold}"]) for fold in args.folds), Counter[str]())
        # of pre-trained ones, speed is measured from random weights
        speed = found if "rate" in found else known.get("MobileNetV2-random", {}) if MOBILENET in name else {}
        table.add_row(
            name,
            str(speed.get("size", "")),
            f"{speed.get('parameters', 0):,}",
            f"{counts['ant frames right'] / max(counts['ant frames'], 1):.1%}",
            f"{counts['ant assigned']}/{counts['ant']}",
            str(counts["ant wrong"]),
            f"{counts['other assigned']}/{counts['other']}",
            f"{speed.get('training rate', 0):,.0f}",
            f"{speed.get('training time', 0) / 60:.1f}",
            f"{speed.get('rate', 0):,.0f}",
        )
        lines += [
            f"{name}, fold {fold}, held-out images right: {learned[0]:.1%} with the labels alone learned, "
            f"{learned[1]:.1%} in the end"
            for fold in args.folds
            if (learned := found.get(f"labels alone {fold}"))
        ]
    console = Console(width=150)
    console.print(table, *lines, sep="\n")


if __name__ == "__main__":
    main()
