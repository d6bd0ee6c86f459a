"""The constants of training, tried again: what a network learns with each, with half of it and with twice of it.

Used by `fitted_constants.py training`, which says how.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import accuracy
import antrax
from antrax.demo.planning import movies_with_examples
from antrax.networks import registry
from antrax.networks.keras.config import to_keras_config
from antrax.networks.mobilenet import NAME as MOBILENET
from antrax.networks.pretrained import SIZES, weights_file
from antrax.training import loop, phases
from networks import plain

FACTORS = (0.5, 1.0, 2.0)
SEEDS = (0, 1)


@dataclass(frozen=True)
class Constant:
    """A constant of training.

    Parameters
    ----------
    name : str
        As it is called on the command line.
    where : str
        Module and name.
    value : float
        In the package.
    arch : str
        The architecture that it is tried with.
    instead : callable
        A context in which it has another value.
    trains_on : bool
        Whether it matters only where the training of a classifier is continued.
    """

    name: str
    where: str
    value: float
    arch: str
    instead: Callable[[float], AbstractContextManager[object]]
    trains_on: bool = False


def constants() -> dict[str, Constant]:
    """All constants, by name."""
    found = [
        *_rates_of("NORMALISED", registry.NORMALISED, registry.DEFAULT),
        *_rates_of("PLAIN", registry.PLAIN, registry.CUSTOM),
        *_rates_of("FINE_TUNING", registry.FINE_TUNING, MOBILENET),
        _of_phases("REFIT", registry.DEFAULT),
        _of_phases("NEGATIVES", registry.DEFAULT),
        _of_phases("HEAD", MOBILENET),
        _of_phases("HEAD_RATE", MOBILENET),
    ]
    return {constant.name: constant for constant in found}


def _rates_of(group: str, rates: registry.LearningRates, arch: str) -> list[Constant]:
    return [
        Constant(
            f"{group}.{field.name}",
            f"networks.registry.{group}",
            getattr(rates, field.name),
            arch,
            partial(_rate, rates, field.name),
            trains_on=field.name == "on",
        )
        for field in dataclasses.fields(rates)
    ]


def _of_phases(name: str, arch: str) -> Constant:
    value = getattr(phases, name)
    return Constant(name, f"training.phases.{name}", value, arch, lambda value: patch.object(phases, name, value))


@contextlib.contextmanager
def _rate(rates: registry.LearningRates, name: str, value: float) -> Iterator[None]:
    """Change one learning rate wherever an architecture has these; the objects themselves, for all refer to them."""
    before = getattr(rates, name)
    object.__setattr__(rates, name, value)
    try:
        yield
    finally:
        object.__setattr__(rates, name, before)


def try_constants(args: argparse.Namespace) -> None:
    """Print what there is to try, or try it and print the tables."""
    known = constants()
    chosen = [known[name] for name in args.constants or known]
    if absent := [constant for constant in chosen if constant.arch == MOBILENET and not _has_weights()]:
        print(
            f"left out, for the pre-trained weights of {MOBILENET} are not in the cache "
            f"(antrax train --arch {MOBILENET} fetches them): {', '.join(constant.name for constant in absent)}"
        )
        chosen = [constant for constant in chosen if constant not in absent]
    data = Folds(args) if args.folds else Demo(args)
    if not args.run:
        show_plan(chosen, data, args.seeds)
        return
    for constant in chosen:
        show(constant, data, args.seeds)


def _has_weights() -> bool:
    return any(weights_file(size).is_file() for size in SIZES)


def show_plan(chosen: Sequence[Constant], data: Demo | Folds, seeds: Sequence[int]) -> None:
    """Print the constants, where they stand, and what trying them takes."""
    table = Table(title="Constants of training, as they are, and what --run would try")
    for column in ("constant", "where", "value", "tried", "architecture", "trainings"):
        table.add_column(column, no_wrap=True)
    for constant in chosen:
        count = len(FACTORS) * len(seeds) * len(data.names) * (2 if constant.trains_on else 1)
        tried = ", ".join(f"{factor * constant.value:g}" for factor in FACTORS)
        table.add_row(constant.name, constant.where, f"{constant.value:g}", tried, constant.arch, str(count))
    Console(width=120).print(table)
    print(f"Each training takes {data.takes}.")


def show(constant: Constant, data: Demo | Folds, seeds: Sequence[int]) -> None:
    """Try a constant, and print what came of each value."""
    table = Table(title=f"{constant.name} ({constant.where}, {constant.value:g} in the package; {constant.arch})")
    for column in ("value", "images right", "log-probability of the label, mean", "seeds"):
        table.add_column(column, justify="right")
    for factor in FACTORS:
        value = factor * constant.value
        found = [data.judge(train(constant, value, data, name, seed), name) for name in data.names for seed in seeds]
        right, log_probability = np.array(found).T
        spread = ", ".join(f"{share:.1%}" for share in right)
        table.add_row(f"{value:g}", f"{right.mean():.2%}", f"{log_probability.mean():.4f}", spread)
    Console(width=120).print(table)


def train(constant: Constant, value: float, data: Demo | Folds, name: str, seed: int) -> antrax.Classifier:
    """A classifier that was trained with a value of a constant; read where it was trained before."""
    folder: Path = data.work / "constants" / f"{name}-{constant.name}-{value:g}-{seed}"
    if not (folder / "done").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "examples").symlink_to(data.examples(name).absolute())
        options = antrax.TrainOptions(scratch=True, arch=constant.arch, seed=seed)
        if constant.arch == registry.CUSTOM:
            labels = len(list((folder / "examples").iterdir()))
            model = folder / "plain.json"
            model.write_text(to_keras_config(plain(labels)), encoding="utf-8")
            options = dataclasses.replace(options, modelfile=str(model))
        if constant.trains_on:
            antrax.train(folder, options)
            options = antrax.TrainOptions(seed=seed)
        with constant.instead(value):
            antrax.train(folder, options)
        (folder / "done").touch()
    return antrax.read_classifier(folder / "classifier.h5")


class Demo:
    """Made-up ants: examples of the first movies, judged on the tracklets of the others."""

    takes = "about five minutes on two cores, one with --steps 10"

    def __init__(self, args: argparse.Namespace) -> None:
        self.work: Path = args.work / "demo-constants"
        self.names = ("demo",)
        self._folder = self.work / "demo"
        if args.run:
            loop.LEAST_STEPS = args.steps
            if not self._folder.is_dir():
                antrax.generate_experiment(
                    self._folder, movies=4, tracklets=60, max_frames=30, image_size=64, examples=2000
                )

    def examples(self, name: str) -> Path:
        """The training set."""
        return antrax.open_session(self._folder).classifier_dir / "examples"

    def judge(self, classifier: antrax.Classifier, name: str) -> tuple[float, float]:
        """Share of images right, and mean log-probability of the true label, on tracklets without examples."""
        session = antrax.open_session(self._folder)
        with (self._folder / "truth.csv").open(newline="", encoding="utf-8") as file:
            truth = {row["tracklet"]: row["label"] for row in csv.DictReader(file)}
        unseen = range(movies_with_examples(len(session.movies)) + 1, len(session.movies) + 1)
        answers = []
        for tracklet in antrax.iter_tracklets(session, unseen):
            label = truth[tracklet.name.name]
            if label in classifier.labels:
                answers.append((classifier.predict_proba(tracklet.images()), classifier.labels.index(label)))
        return _figures(answers)


class Folds:
    """The real set: trained on three quarters of the tracklets, judged on the others."""

    takes = "a quarter of an hour on two cores"

    def __init__(self, args: argparse.Namespace) -> None:
        self.work: Path = args.work
        self.names = tuple(str(fold) for fold in args.folds)
        self._args = args

    def examples(self, name: str) -> Path:
        """The training set of a fold."""
        return accuracy.make_fold(self._args, int(name)) / "classdir" / "examples"

    def judge(self, classifier: antrax.Classifier, name: str) -> tuple[float, float]:
        """Share of images right, and mean log-probability of people's label, of tracklets with an ID."""
        folder = accuracy.make_fold(self._args, int(name))
        sessions = {path.name: antrax.open_session(path) for path in (folder / "experiments").iterdir()}
        rows = accuracy.read(folder / "truth.csv")
        wanted = {(row["experiment"], row["tracklet"]): row["label"] for row in rows if accuracy.is_ant(row["label"])}
        answers = []
        for experiment, session in sessions.items():
            for tracklet in antrax.iter_tracklets(session):
                label = wanted.get((experiment, tracklet.name.name))
                if label in classifier.labels:
                    answers.append((classifier.predict_proba(tracklet.images()), classifier.labels.index(label)))
        return _figures(answers)


def _figures(answers: Sequence[tuple[NDArray[np.float32], int]]) -> tuple[float, float]:
    right = np.concatenate([probabilities.argmax(1) == label for probabilities, label in answers])
    logs = np.concatenate([np.log(np.maximum(probabilities[:, label], 1e-6)) for probabilities, label in answers])
    return float(right.mean()), float(logs.mean())
