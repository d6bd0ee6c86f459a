"""How much of a made-up colony is placed, and how much wrongly: anTraX's rules and the joint method on the same labels.

    python benchmarks/solving_colonies.py [--animals 16 36 100] [--density 0.25 0.5 1] [--wrong 0.003 0.05]
    python benchmarks/solving_colonies.py --painted DIR [--epochs 5] [--wrong 0 0.05] ...

The truth of every cell (an animal and a frame) is known. Labels are those that a classifier of a given quality gives:
of the tracklets of one readable animal a share is left without label, and a share of the others gets a wrong one; what
cannot be read has none. With --painted, colonies are painted into DIR (what is there already is used), a network is
trained on the examples of the first density and classifies all of them, and --wrong is the share of its labels that is
made wrong besides.

Prints, for each colony, method and share of wrong labels: cells placed and placed wrong in percent of those in which
the tracker sees the animal, and seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antrax.classification.run import ClassifyOptions, classify
from antrax.demo.colony import SINGLE_AREA, Colony, ColonyOptions, simulate_colony
from antrax.demo.colony_experiment import generate_colony
from antrax.demo.measuring import FRAMES_PER_SECOND, PIXEL
from antrax.io.results import classified_movies
from antrax.io.session import open_session
from antrax.solving.evidence import Evidence, no_evidence, read_evidence
from antrax.solving.groups import Group
from antrax.solving.joint import JointOptions
from antrax.solving.methods import Method, Settings, solve_groups
from antrax.solving.rules import RuleOptions
from antrax.training.run import TrainOptions, train


def label(colony: Colony, missed: float, wrong: float, rng: np.random.Generator) -> Evidence:
    """Labels of the tracklets that look like single animals."""
    ids = colony.ids[: colony.options.animals]
    evidence = no_evidence(len(colony.graph), ids)
    for row, name in enumerate(colony.labels):
        if not colony.looks_single[row] or rng.random() < missed or name not in ids:
            continue
        which = ids.index(name)
        if rng.random() < wrong:
            which = (which + int(rng.integers(1, len(ids)))) % len(ids)
        evidence.label[row] = which
        evidence.score[row] = float(colony.graph.length[row])
        evidence.probability[row] = np.arange(len(ids)) == which
    return evidence


def classified(directory: Path, colony: Colony, classifier: Path | None, epochs: int) -> tuple[Evidence, Path]:
    """Labels of a network of the package on the painted colony, and the network; trained here where there is none."""
    if not directory.exists():
        generate_colony(directory, colony.options, workers=1)
    session = open_session(directory)
    if classifier is None:
        classifier = session.path / "classifier" / "classifier.h5"
        if not classifier.exists():
            train(directory, TrainOptions(epochs=epochs, scratch=True))
    if not classified_movies(session):
        classify(directory, ClassifyOptions(classifier=str(classifier), workers=1))
    evidence, problems = read_evidence(session, colony.graph)
    print(*problems, sep="\n", end="\n" if problems else "")
    return evidence, classifier


def make_wrong(evidence: Evidence, share: float, rng: np.random.Generator) -> Evidence:
    """The evidence with a share of the labels exchanged for other IDs, each as likely."""
    label, probability = evidence.label.copy(), evidence.probability.copy()
    labelled = np.flatnonzero(label >= 0)
    rows, size = labelled[rng.random(len(labelled)) < share], len(evidence.ids)
    other = (label[rows] + rng.integers(1, size, len(rows))) % size
    # The other ID gets the probability of the label, and the label that of the other.
    probability[rows, label[rows]], probability[rows, other] = probability[rows, other], probability[rows, label[rows]]
    label[rows] = other
    return dataclasses.replace(evidence, label=label, probability=probability)


def score(colony: Colony, placed: NDArray[np.bool_]) -> tuple[float, float]:
    """Cells placed and placed wrong, in percent of those in which the tracker sees the animal."""
    cell = colony.cell
    length = colony.graph.length
    seen = int((cell >= 0).sum())
    total = int((placed * length[:, None]).sum())
    frame, animal = np.nonzero(cell >= 0)
    right = int(placed[cell[frame, animal], animal].sum())
    return 100 * total / seen, 100 * (total - right) / seen


def main() -> None:
    """Run all colonies and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--animals", type=int, nargs="+", default=[16, 36, 100])
    parser.add_argument("--density", type=float, nargs="+", default=[0.25, 0.5, 1.0])
    parser.add_argument("--wrong", type=float, nargs="+", default=[0.003, 0.05])
    parser.add_argument("--missed", type=float, default=0.05, help="share of readable tracklets without a label")
    parser.add_argument("--unreadable", type=float, default=0.06)
    parser.add_argument("--movies", type=int, default=4)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--painted", type=Path, help="folder for painted colonies, to be classified by a network")
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    for animals in arguments.animals:
        classifier = None
        for density in arguments.density:
            options = ColonyOptions(
                animals=animals, density=density, movies=arguments.movies, frames=arguments.frames,
                unreadable=arguments.unreadable, seed=arguments.seed,
            )  # fmt: skip
            colony = simulate_colony(options)
            graph = colony.graph
            group = Group("", tuple(graph.movies.tolist()), np.arange(len(graph)))
            settings = Settings(RuleOptions(*SINGLE_AREA), JointOptions(fps=FRAMES_PER_SECOND, metres_per_pixel=PIXEL))
            if arguments.painted:
                made = arguments.painted / f"{animals}_{density:g}_{arguments.seed}"
                given, classifier = classified(made, colony, classifier, arguments.epochs)
            for wrong in arguments.wrong:
                rng = np.random.default_rng(arguments.seed)
                if arguments.painted:
                    evidence = make_wrong(given, wrong, rng)
                else:
                    evidence = label(colony, arguments.missed, wrong, rng)
                methods: tuple[Method, ...] = ("antrax", "joint")
                for method in methods:
                    began = time.perf_counter()
                    (solution,) = solve_groups(graph, evidence, [group], settings, method, workers=arguments.workers)
                    seconds = time.perf_counter() - began
                    hard = score(colony, (solution.kind > 0) & (solution.kind < 4))
                    line = f"{animals:4d} animals, {density:4.2f}/cm²: {len(graph):6d} tracklets"
                    line += f", {wrong:4.1%} of labels wrong"
                    line += f"  {method:7s} placed {hard[0]:6.2f} wrong {hard[1]:5.2f}"
                    if method == "antrax":
                        every = score(colony, solution.placed)
                        line += f"  with soft {every[0]:6.2f} wrong {every[1]:5.2f}"
                    else:
                        line += f"  expected {100 * solution.expected_error:5.2f}"
                    print(f"{line}  {seconds:5.1f} s", flush=True)


if __name__ == "__main__":
    main()
