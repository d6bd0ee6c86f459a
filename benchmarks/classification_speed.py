"""Speed of `antrax classify`, end to end, against the bare network on images that lie in memory, in every engine.

    python benchmarks/classification_speed.py [--images 120000] [--size 48] [--rounds 5] [--work DIR]
        [--arch NAME [--target-size 48] | --antrax NAME | --modelfile MODEL.json | --classifier FILE.h5]

Writes an experiment of made-up stacks (compressed as trackers do), then measures in turn, round by round: the bare
network, in as many processes with one thread each as `antrax classify` uses; bare reading (the stacks, decompressed by
HDF5, which are thrown away) in as many; and `antrax.classify` as a whole (start of the workers, reading, making images
as the network wants them, network, decision, writing). Engines that run the bare network are ONNX Runtime, PyTorch,
and OpenVINO where it is installed, with batches as we choose them and of 128; on a GPU, PyTorch alone. Prints the
rates, medians over the rounds, and the ratio to the slower of the fastest engine and bare reading. On processors both
need the same ones: `one after the other` is what they would reach if nothing else had to be done. Rates are also given
for a second of processor time, which other work on the machine changes less, but which does not show waiting.
"""

from __future__ import annotations

import argparse
import functools
import resource
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from loky.process_executor import ProcessPoolExecutor
from rich.console import Console
from rich.table import Table

import antrax
from antrax.classification.classifier_file import Classifier, read_classifier, write_classifier
from antrax.classification.engine import batch_size, make_model, make_predictor
from antrax.demo import generate_experiment
from antrax.images import Preparation
from antrax.io.stacks import open_stack, write_stacks
from antrax.labels import guess_category
from antrax.networks.backends.engines import ENGINES, Predictor
from antrax.networks.devices import choose_device, processors
from antrax.networks.graph import FILTERS, build, with_outputs
from antrax.networks.initial import initial_weights
from antrax.networks.mobilenet import NAME as MOBILENET
from antrax.networks.mobilenet import build_mobilenet
from antrax.networks.pretrained import SIZES
from antrax.training.start import read_modelfile
from networks import ANTRAX, antrax_network

READING = "bare reading"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=120_000)
    parser.add_argument("--size", type=int, default=48, help="size of the blob images")
    parser.add_argument("--arch", choices=(*FILTERS, MOBILENET), default="small", help="with random weights")
    parser.add_argument("--antrax", choices=ANTRAX, help="an architecture of anTraX, with its images of 64 pixels")
    parser.add_argument("--target-size", type=int, help="what an --arch takes; 48 pixels, 96 for MobileNetV2")
    parser.add_argument("--modelfile", type=Path, help="a network of Keras's model.to_json(), with random weights")
    parser.add_argument("--classifier", type=Path, help="a classifier of antrax or anTraX, whatever its labels")
    parser.add_argument("--frames", type=int, default=60, help="images of a tracklet")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--work", type=Path, default=Path("out/speed"))
    args = parser.parse_args()
    device = choose_device(args.device)
    session = make_experiment(args.work, args.images, args.size, args.frames)
    name, classifier = choose_classifier(args, session.labels.all)
    write_classifier(classifier, session.classifier_dir / "classifier.h5")
    engines = engines_for(device)
    rates: dict[str, list[Rate]] = {name: [] for name in (*engines, READING, "antrax classify")}
    for _ in range(args.rounds):
        for engine, make in engines.items():
            rates[engine].append(bare_rate(classifier, device, make))
        rates[READING].append(reading_rate(session))
        rates["antrax classify"].append(end_to_end_rate(session, device))
    table = Table(title=f"{args.images:,} images of {args.size} pixels in tracklets of {args.frames}, {name}, {device}")
    for column in ("", "images/s, median", "lowest", "highest", "images/processor s"):
        table.add_column(column, justify="right")
    for engine, found in rates.items():
        table.add_row(engine, *_spread([rate.images for rate in found], ",.0f"), f"{_processor(found):,.0f}")
    *bare, reading, whole = rates
    fastest = max(bare, key=lambda engine: _processor(rates[engine]))
    slower = min(fastest, reading, key=lambda row: _processor(rates[row]))
    rounds = [[rate.images for rate in some] for some in zip(rates[fastest], rates[reading], rates[whole], strict=True)]
    network, read, both = (_processor(rates[row]) for row in (fastest, reading, whole))
    table.add_row(
        f"antrax classify / {slower}",
        *_spread([w / min(n, r) for n, r, w in rounds], ".2f"),
        f"{both / min(network, read):.2f}",
    )
    if device == "cpu":
        table.add_row(
            "antrax classify / one after the other",
            *_spread([w * (1 / n + 1 / r) for n, r, w in rounds], ".2f"),
            f"{both * (1 / network + 1 / read):.2f}",
        )
    Console(width=100).print(table)


@dataclass(frozen=True)
class Rate:
    """Images a second, and images a second of processor time."""

    images: float
    processor: float


def _processor(rates: list[Rate]) -> float:
    return statistics.median(rate.processor for rate in rates)


def _spread(values: list[float], form: str) -> list[str]:
    return [format(value, form) for value in (statistics.median(values), min(values), max(values))]


def choose_classifier(args: argparse.Namespace, labels: tuple[str, ...]) -> tuple[str, Classifier]:
    """The classifier to measure, and what to call it. The labels of a given one are renamed to the experiment's."""
    categories = {label: guess_category(label) for label in labels}
    if args.classifier:
        given = read_classifier(args.classifier)
        kept = labels[: given.graph.outputs] + tuple(f"X{i}" for i in range(given.graph.outputs - len(labels)))
        return str(args.classifier), replace(given, labels=kept, categories={}, labels_cut=False, calibration=None)
    if args.antrax:
        graph = antrax_network(args.antrax, len(labels))
        weights, preparation = initial_weights(graph, "white", 0), Preparation(graph.size, "white", antrax=True)
        return graph.name, Classifier(graph, weights, labels, categories, preparation, rotation=False)
    if args.modelfile:
        graph, name = with_outputs(read_modelfile(args.modelfile), len(labels)), str(args.modelfile)
    elif args.arch == MOBILENET:
        graph, name = build_mobilenet(args.target_size or SIZES[0], len(labels)), args.arch
    else:
        graph, name = build(args.arch, args.target_size or 48, len(labels), "white"), args.arch
    weights = initial_weights(graph, "white", 0)
    return name, Classifier(graph, weights, labels, categories, Preparation(graph.size, "white"))


def make_experiment(work: Path, images: int, size: int, frames: int) -> antrax.Session:
    """An experiment of four movies, filled with the images of a demo."""
    folder = work / f"experiment_{images}_{size}_{frames}"
    if not folder.is_dir():
        generate_experiment(folder, movies=4, tracklets=30, max_frames=60, image_size=size)
        session = antrax.open_session(folder)
        for movie, (path,) in session.stacks.items():
            with open_stack(path) as stack:
                pool = np.concatenate([stack.read(tracklet.name) for tracklet in stack.tracklets()])
            count = images // len(session.stacks) // frames
            chosen = np.random.default_rng(movie).integers(0, len(pool), (count, frames))
            write_stacks(
                path, ((f"trj_id{i}_ti{movie}_1_tf{movie}_{frames}", pool[rows]) for i, rows in enumerate(chosen))
            )
    return antrax.open_session(folder)


def end_to_end_rate(session: antrax.Session, device: str) -> Rate:
    """Of `antrax.classify`, workers' start included."""
    shutil.rmtree(session.labels_dir)
    started, before = time.monotonic(), _processor_time()
    report = antrax.classify(session.experiment, antrax.ClassifyOptions(device=device))
    images = sum(experiment.images.total() for experiment in report.experiments)
    return Rate(images / (time.monotonic() - started), images / (_processor_time() - before))


def _processor_time() -> float:
    """Of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def reading_rate(session: antrax.Session) -> Rate:
    """Of reading stacks alone, all processors busy."""
    stacks = [path for paths in session.stacks.values() for path in paths]
    with ProcessPoolExecutor(processors()) as pool:
        list(pool.map(_read, [None] * processors()))  # workers have started, libraries are loaded
        started = time.monotonic()
        images, seconds = map(sum, zip(*pool.map(_read, stacks), strict=True))
        return Rate(images / (time.monotonic() - started), images / seconds)


def _read(path: Path | None) -> tuple[int, float]:
    """Number of images read, and seconds of processor time."""
    import h5py

    if path is None:
        return 0, 0.0
    started = time.process_time()
    with h5py.File(path) as file:
        return sum(len(dataset[()]) for dataset in file.values()), time.process_time() - started


# What makes a predictor in the process that runs it, and the size of its batches where it is not ours.
MakePredictor = Callable[[Classifier, str], Predictor]


def ours(classifier: Classifier, device: str) -> Predictor:
    """What `antrax classify` runs."""
    return make_predictor(make_model(classifier, device))


def on_engine(name: str, classifier: Classifier, device: str) -> Predictor:
    """An engine by name, also where it is not what we run."""
    return make_predictor(make_model(classifier, device, name))


def engines_for(device: str) -> dict[str, tuple[MakePredictor, int | None]]:
    """By name, what makes a predictor, and the size of its batches (None: as we choose it)."""
    engines: dict[str, tuple[MakePredictor, int | None]] = {}
    for name, engine in ENGINES.items():
        if device in engine.devices and engine.is_installed():
            make = functools.partial(on_engine, name)
            engines |= {name: (make, None), f"{name}, 128": (make, 128)}
    return engines


def bare_rate(classifier: Classifier, device: str, engine: tuple[MakePredictor, int | None] = (ours, None)) -> Rate:
    """Of the network alone, all processors busy."""
    workers = processors() if device == "cpu" else 1
    with ProcessPoolExecutor(workers) as pool:
        rates = list(pool.map(_bare, [(classifier, device, *engine)] * workers))
    return Rate(sum(rate.images for rate in rates), statistics.mean(rate.processor for rate in rates))


def _bare(task: tuple[Classifier, str, MakePredictor, int | None], seconds: float = 4.0) -> Rate:
    classifier, device, make, batch = task
    predictor, size = make(classifier, device), classifier.size
    batch = batch or batch_size(classifier.graph, device)
    images = np.random.default_rng(0).integers(0, 256, (batch, 3, size, size), np.uint8)
    images = images.transpose(0, 3, 2, 1)
    for _ in range(5):
        predictor(images)
    count, started, processor = 0, time.monotonic(), time.process_time()
    while time.monotonic() - started < seconds:
        predictor(images)
        count += batch
    return Rate(count / (time.monotonic() - started), count / (time.process_time() - processor))


if __name__ == "__main__":
    main()
