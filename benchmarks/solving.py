"""How well identities are found again where labels are hidden or wrong, by anTraX's rules and by the joint method.

    python benchmarks/solving.py EXPERIMENT [--draws 5] [--first 0] [--workers 2] [--method joint antrax]

The experiment's own labels are hidden or made wrong in part; what is placed in the tracklets of these labels is
compared with them. Prints shares in percent:

- hidden: of the hidden labels, how many are found again, and how many tracklets are given another ID;
- wrong: of the labels made wrong, how many are put right and how many left as they are; of the others, how many are
  kept and how many turned wrong.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.io.graphs import read_graph
from antrax.io.session import open_session
from antrax.io.tracklet_graph import TrackletGraph
from antrax.solving.evidence import Evidence, read_evidence
from antrax.solving.groups import Group
from antrax.solving.methods import Settings, solve_groups

CASES = (("hidden", 0.3), ("hidden", 0.6), ("hidden", 0.9), ("wrong", 0.05))


def hide(evidence: Evidence, rows: NDArray[np.int64]) -> Evidence:
    """The evidence without the labels of some tracklets."""
    label, probability = evidence.label.copy(), evidence.probability.copy()
    label[rows], probability[rows] = -1, 1 / len(evidence.ids)
    return dataclasses.replace(evidence, label=label, probability=probability)


def make_wrong(evidence: Evidence, rows: NDArray[np.int64], rng: np.random.Generator) -> Evidence:
    """The evidence with the labels of some tracklets exchanged for other IDs, each as likely."""
    label, probability = evidence.label.copy(), evidence.probability.copy()
    size = len(evidence.ids)
    label[rows] = (label[rows] + rng.integers(1, size, len(rows))) % size
    probability[rows] = np.eye(size, dtype=np.float32)[label[rows]]
    return dataclasses.replace(evidence, label=label, probability=probability)


def measure(
    graph: TrackletGraph, evidence: Evidence, kind: str, share: float, seed: int, settings: Settings, method: Any
) -> dict[str, float]:
    """One draw."""
    rng = np.random.default_rng(seed)
    labelled = np.flatnonzero(evidence.label >= 0)
    rows = rng.permutation(labelled)[: round(share * len(labelled))]
    others = np.setdiff1d(labelled, rows)
    truth = evidence.label
    changed = hide(evidence, rows) if kind == "hidden" else make_wrong(evidence, rows, rng)
    began = time.perf_counter()
    group = Group("", tuple(graph.movies.tolist()), np.arange(len(graph)))
    (solution,) = solve_groups(graph, changed, [group], settings, method)
    seconds = time.perf_counter() - began
    hard = (solution.kind > 0) & (solution.kind < 4)
    placed = np.where(hard.any(1), hard.argmax(1), -1)
    right = placed == truth
    result = {"found": right[rows].mean(), "wrong": ((placed >= 0) & ~right)[rows].mean()}
    if kind == "wrong":
        result = {
            "put right": right[rows].mean(),
            "left wrong": (placed == changed.label)[rows].mean(),
            "clean kept": right[others].mean(),
            "clean turned wrong": ((placed >= 0) & ~right)[others].mean(),
        }
    cells = hard & (truth >= 0)[:, None]
    return {**{name: 100 * float(value) for name, value in result.items()}, "placed": 100 * solution.coverage,
            "labels": float(cells.sum()), "s": seconds}  # fmt: skip


def main() -> None:
    """Run all cases and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="seed of the first draw; constants were chosen on 0 to 4")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--method", nargs="+", default=["antrax", "joint"])
    parser.add_argument("--max-error", type=float, default=0.01)
    arguments = parser.parse_args()
    session = open_session(arguments.experiment)
    graph = read_graph(session).graph
    evidence, _ = read_evidence(session, graph)
    settings = Settings.of_session(session, arguments.max_error)
    with ProcessPoolExecutor(arguments.workers) as pool:
        for method in arguments.method:
            for kind, share in CASES:
                seeds = range(arguments.first, arguments.first + arguments.draws)
                cases = [(graph, evidence, kind, share, seed, settings, method) for seed in seeds]
                draws = list(pool.map(measure, *zip(*cases, strict=True)))
                means = {name: np.mean([draw[name] for draw in draws]) for name in draws[0]}
                spread = {name: np.max([draw[name] for draw in draws]) for name in draws[0] if "wrong" in name}
                print(
                    f"{method:7s} {share:4.0%} {kind:7s}",
                    "  ".join(f"{name} {value:.2f}" for name, value in means.items()),
                    "  most:",
                    "  ".join(f"{name} {value:.2f}" for name, value in spread.items()),
                    flush=True,
                )


if __name__ == "__main__":
    main()
