"""How much of a made-up colony is placed, and how much wrongly: anTraX's rules and the joint method on the same labels.

    python benchmarks/solving_colonies.py [--animals 16 36 100] [--density 0.25 0.5 1] [--wrong 0.003 0.05]
    python benchmarks/solving_colonies.py --painted DIR [--epochs 5] [--examples 250] [--wrong 0 0.05] ...

The truth of every cell (an animal and a frame) is known. Labels are those that a classifier of a given quality gives:
of the tracklets of one readable animal a share is left without label, and a share of the others gets a wrong one; what
cannot be read has none. With --painted, colonies are painted into DIR (what is there already is used), a network is
trained on the examples of the first density and classifies all of them, and --wrong is the share of its labels that is
made wrong besides.

Prints, for each colony and share of wrong labels: cells placed and placed wrong, in percent of those in which the
tracker sees the animal, by anTraX's rules (hard, and with soft ones) and by the joint method, the joint method's own
estimate, and seconds. A colony of 16 animals has so few labels that which of them are wrong matters much: with --draws,
means over several draws. With --results FILE (by default rows.jsonl in the folder of painted colonies) each row is kept
as soon as it is known, and what is in the file is not computed again: a run that was cut off goes on. Delete the file
to measure another state of the package.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
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
from antrax.solving.methods import Settings, solve_groups
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


def classified(
    directory: Path, colony: Colony, classifier: Path | None, arguments: argparse.Namespace
) -> tuple[Evidence, Path]:
    """Labels of a network of the package on the painted colony, and the network; trained where there is none."""
    if not directory.exists():
        generate_colony(directory, colony.options, examples=arguments.examples, workers=arguments.workers)
    session = open_session(directory)
    if classifier is None:
        first = arguments.painted / f"{colony.options.animals}_{arguments.density[0]:g}_{colony.options.seed}"
        classifier = open_session(first).path / "classifier" / "classifier.h5"
        if not classifier.exists():
            train(first, TrainOptions(epochs=arguments.epochs, scratch=True))
    if len(classified_movies(session)) < colony.options.movies:
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


def measure(colony: Colony, evidence: Evidence, workers: int) -> dict[str, float]:
    """Both methods on the same labels."""
    graph = colony.graph
    group = Group("", tuple(graph.movies.tolist()), np.arange(len(graph)))
    settings = Settings(RuleOptions(*SINGLE_AREA), JointOptions(fps=FRAMES_PER_SECOND, metres_per_pixel=PIXEL))
    (rules,) = solve_groups(graph, evidence, [group], settings, "antrax", workers=workers)
    began = time.perf_counter()
    (joint,) = solve_groups(graph, evidence, [group], settings, "joint", workers=workers)
    seconds = time.perf_counter() - began
    hard, soft = score(colony, (rules.kind > 0) & (rules.kind < 4)), score(colony, rules.placed)
    placed = score(colony, joint.placed)
    return {
        "tracklets": len(graph), "labelled": int((evidence.label >= 0).sum()),
        "hard": hard[0], "hard_wrong": hard[1], "soft": soft[0], "soft_wrong": soft[1],
        "joint": placed[0], "joint_wrong": placed[1], "expected": 100 * joint.expected_error, "seconds": seconds,
    }  # fmt: skip


def tell(row: dict[str, float]) -> None:
    """Print a row."""
    print(
        f"{row['animals']:4.0f} animals, {row['density']:4.2f}/cm², {row['wrong']:4.1%} wrong, seed {row['seed']:.0f}: "
        f"{row['tracklets']:6.0f} tracklets, {row['labelled']:6.0f} labelled  "
        f"hard {row['hard']:6.2f} wrong {row['hard_wrong']:5.2f}  "
        f"with soft {row['soft']:6.2f} wrong {row['soft_wrong']:5.2f}  "
        f"joint {row['joint']:6.2f} wrong {row['joint_wrong']:5.2f} expected {row['expected']:5.2f}  "
        f"{row['seconds']:5.1f} s",
        flush=True,
    )


def rows_in(path: Path | None) -> list[dict[str, float]]:
    """Rows of an earlier run; a last line that was cut off is left out."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def main() -> None:
    """Run all colonies and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--animals", type=int, nargs="+", default=[16, 36, 100])
    parser.add_argument("--density", type=float, nargs="+", default=[0.25, 0.5, 1.0])
    parser.add_argument("--wrong", type=float, nargs="+", default=[0.003, 0.05])
    parser.add_argument("--missed", type=float, default=0.05, help="share of readable tracklets without a label")
    parser.add_argument("--unreadable", type=float, default=0.06)
    parser.add_argument("--losses", type=float, default=0.0, help="losses in 1,000 frames of an animal")
    parser.add_argument("--wrong-links", type=float, default=0.0, help="share of the tracker's links that are wrong")
    parser.add_argument("--movies", type=int, default=4)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--draws", type=int, default=1, help="draws of which labels are wrong, for shares above 1 %%")
    parser.add_argument("--results", type=Path, help="file of rows that are known")
    parser.add_argument("--painted", type=Path, help="folder for painted colonies, to be classified by a network")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--examples", type=int, default=250, help="images of each label to train on")
    arguments = parser.parse_args()
    if arguments.painted:
        arguments.painted.mkdir(parents=True, exist_ok=True)
    results = arguments.results or (arguments.painted / "rows.jsonl" if arguments.painted else None)
    known = rows_in(results)
    for animals, seed in itertools.product(arguments.animals, arguments.seeds):
        classifier = None
        for density in arguments.density:
            options = ColonyOptions(
                animals=animals, density=density, movies=arguments.movies, frames=arguments.frames,
                unreadable=arguments.unreadable, losses=arguments.losses, wrong_links=arguments.wrong_links, seed=seed,
            )  # fmt: skip
            colony = given = None
            for wrong in arguments.wrong:
                key = {
                    **dataclasses.asdict(options), "wrong": wrong, "missed": arguments.missed,
                    "painted": bool(arguments.painted),
                }  # fmt: skip
                draws = key["draws"] = arguments.draws if wrong > 0.01 else 1
                found = next((row for row in known if key.items() <= row.items()), None)
                if found is None:
                    colony = colony or simulate_colony(options)
                    if arguments.painted and given is None:
                        made = arguments.painted / f"{animals}_{density:g}_{seed}"
                        given, classifier = classified(made, colony, classifier, arguments)
                    measured = []
                    for draw in range(draws):
                        rng = np.random.default_rng([seed, draw] if draw else seed)
                        if given is not None:
                            evidence = make_wrong(given, wrong, rng)
                        else:
                            evidence = label(colony, arguments.missed, wrong, rng)
                        measured.append(measure(colony, evidence, arguments.workers))
                    found = key | {name: float(np.mean([row[name] for row in measured])) for name in measured[0]}
                    if results:
                        with results.open("a") as file:
                            file.write(json.dumps(found) + "\n")
                tell(found)


if __name__ == "__main__":
    main()
