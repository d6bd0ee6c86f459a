"""The rules for classifiers without calibration against anTraX's own rule, on good and on bad networks.

    python benchmarks/cautious_rule.py [--work DIR] [--tracklets N] [--steps N] [--networks NAME…]

Trains networks on the made-up ants of `antrax demo` and decides on tracklets of movies without any example, by each
rule on the same probabilities. Takes some minutes.

good            five epochs
one epoch       one epoch, of which the first fifth warms up
half shuffled   five epochs, the examples of half the tracklets under a label drawn by chance
shuffled        five epochs, the examples of all tracklets under a label drawn by chance
no background   the good one, shown images whose background is left black
swapped colours the good one, shown images whose red and blue are exchanged
half size       the good one, shown images of half their size in the middle of a white one
sharper …       the same, with probabilities to the third power: as sure of itself as networks without label smoothing

IDs right and wrong are counted against the truth; an ID on what has none is wrong.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import antrax
from antrax.classification.calibration import CAUTIOUS
from antrax.classification.decision import Rule, decide
from antrax.classification.original_rule import original_label
from antrax.demo.planning import movies_with_examples
from antrax.io.examples import list_examples
from antrax.labels import Category, Labels
from antrax.training import loop

Images = NDArray[np.uint8]
Probabilities = list[NDArray[np.float32]]
# What the cautious rule was before: confidence alone.
UNGUARDED = Rule(temperature=0.65, exponent=0.0, threshold=0.9)


def main() -> None:
    """Train what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("out/cautious"))
    parser.add_argument("--tracklets", type=int, default=200, help="in each of six movies")
    parser.add_argument(
        "--steps", type=int, help="steps of an epoch, instead of those of `antrax train`, to be done sooner"
    )
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    args = parser.parse_args()
    if args.steps:
        loop.LEAST_STEPS = args.steps
    demo = args.work / "demo"
    if not demo.is_dir():
        antrax.generate_experiment(demo, movies=6, tracklets=args.tracklets, max_frames=60, image_size=32)
    session = antrax.open_session(demo)
    with (demo / "truth.csv").open(newline="", encoding="utf-8") as file:
        truth = {row["tracklet"]: row["label"] for row in csv.DictReader(file)}
    unseen = range(movies_with_examples(len(session.movies)) + 1, len(session.movies) + 1)
    tracklets = [(tracklet.images(), truth[tracklet.name.name]) for tracklet in antrax.iter_tracklets(session, unseen)]
    table = Table(title=f"IDs right / wrong, of {len(tracklets)} tracklets of movies without examples")
    for column in ("network", "images right", "said to be poor", "anTraX's rule", "cautious rule", "unguarded"):
        table.add_column(column, justify="left" if column == "network" else "right", no_wrap=True)
    for name in args.networks:
        make, show = NETWORKS[name]
        classifier = make(args.work)
        answers = [classifier.predict_proba(show(images)) for images, _ in tracklets]
        for power, title in ((1, name), (3, f"sharper {name}")):
            table.add_row(
                title,
                *cells([sharpened(p, power) for p in answers], [t for _, t in tracklets], classifier, session.labels),
            )
    Console(width=140).print(table)


def cells(answers: Probabilities, truth: list[str], classifier: antrax.Classifier, labels: Labels) -> list[str]:
    """The figures of one network: images right, and right and wrong IDs by each rule."""
    categories = tuple(labels.category(label) for label in classifier.labels)
    right = np.concatenate([p.argmax(1) == classifier.labels.index(t) for p, t in zip(answers, truth, strict=True)])

    def count(given: list[str]) -> str:
        ids = [(label, t) for label, t in zip(given, truth, strict=True) if labels.category(label) is Category.ANT]
        good = sum(label == t for label, t in ids)
        return f"{good} / {len(ids) - good}"

    def by(rule: Rule) -> list[str]:
        return [decide(p, classifier.labels, categories, rule).label for p in answers]

    original = [original_label(p, categories) for p in answers]
    return [
        f"{right.mean():.1%}",
        "yes" if classifier.is_poor else "no",
        count(["Unknown" if index is None else classifier.labels[index] for index in original]),
        count(by(CAUTIOUS)),
        count(by(UNGUARDED)),
    ]


def sharpened(probabilities: NDArray[np.float32], power: int) -> NDArray[np.float32]:
    """Probabilities to a power, with a sum of 1 again."""
    powers = probabilities.astype(np.float64) ** power
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


def trained(name: str, epochs: int, shuffled: float = 0.0) -> Callable[[Path], antrax.Classifier]:
    """A function that trains a network, or reads it where it was trained before."""

    def make(work: Path) -> antrax.Classifier:
        folder = work / name
        if not (folder / "classifier.h5").is_file():
            source = antrax.open_session(work / "demo").classifier_dir / "examples"
            copy_examples(source, folder / "examples", shuffled)
            antrax.train(folder, antrax.TrainOptions(epochs=epochs, scratch=True))
        return antrax.read_classifier(folder / "classifier.h5")

    return make


def copy_examples(source: Path, target: Path, shuffled: float) -> None:
    """Copy examples, those of a share of the tracklets under a label that is drawn by chance."""
    shutil.rmtree(target, ignore_errors=True)
    files = list_examples(source)
    labels = sorted({file.label for file in files})
    rng = np.random.default_rng(0)
    others = {
        key: str(rng.choice(labels)) if rng.random() < shuffled else None
        for key in sorted({(file.experiment, file.tracklet) for file in files})
    }
    for file in files:
        folder = target / (others[file.experiment, file.tracklet] or file.label)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.path, folder)


def as_it_is(images: Images) -> Images:
    """Images as the stack gives them."""
    return images


def without_background(images: Images) -> Images:
    """Images whose background is nearly black, and not taken for background."""
    return np.where(images == 0, np.uint8(1), images)


def swapped_colours(images: Images) -> Images:
    """Images with red and blue exchanged, as by a program that reads blue first."""
    return np.ascontiguousarray(images[..., ::-1])


def half_size(images: Images) -> Images:
    """Images in the middle of empty ones of twice their size."""
    count, size = images.shape[:2]
    large = np.zeros((count, 2 * size, 2 * size, 3), np.uint8)
    large[:, size // 2 : size // 2 + size, size // 2 : size // 2 + size] = images
    return large


NETWORKS: dict[str, tuple[Callable[[Path], antrax.Classifier], Callable[[Images], Images]]] = {
    "good": (trained("good", 5), as_it_is),
    "one epoch": (trained("one_epoch", 1), as_it_is),
    "half shuffled": (trained("half_shuffled", 5, 0.5), as_it_is),
    "shuffled": (trained("shuffled", 5, 1.0), as_it_is),
    "no background": (trained("good", 5), without_background),
    "swapped colours": (trained("good", 5), swapped_colours),
    "half size": (trained("good", 5), half_size),
}


if __name__ == "__main__":
    main()
