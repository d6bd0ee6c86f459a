"""How time and memory of the joint method grow with the number of tracklets.

    python benchmarks/solving_growth.py [--animals 100] [--tracklets 3000 10000 30000 100000] [--workers 2]

A group that meets and parts at random, a third of the tracklets of single animals labelled. Prints seconds, seconds
of processors, and the largest memory of this process and of its largest worker.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from antrax.io.tracklet_graph import TrackletGraph, build_graph
from antrax.solving.evidence import Evidence, no_evidence
from antrax.solving.groups import Group
from antrax.solving.methods import Settings, solve_groups

AREA = 2e-6


def random_colony(animals: int, tracklets: int, seed: int) -> tuple[TrackletGraph, Evidence]:
    """Tracklets of groups of which two merge, or one parts, in each step; and labels of a third of the singles."""
    rng = np.random.default_rng(seed)
    groups: list[list[int]] = [[animal] for animal in range(animals)]
    born = [1] * animals
    rows: list[tuple[str, int, int, int]] = []
    names = [f"t{number}" for number in range(animals)]
    members = dict(zip(names, groups, strict=True))
    edges: list[tuple[str, str]] = []
    made, frame = animals, 1

    def end(which: int) -> tuple[str, list[int]]:
        name, group = names.pop(which), groups.pop(which)
        rows.append((name, born.pop(which), frame, len(group)))
        return name, group

    def begin(group: list[int], parents: list[str]) -> None:
        nonlocal made
        name = f"t{made}"
        made += 1
        names.append(name)
        groups.append(group)
        born.append(frame + 1)
        members[name] = group
        edges.extend((parent, name) for parent in parents)

    while made < tracklets:
        frame += int(rng.integers(2, 6))
        large = [which for which, group in enumerate(groups) if len(group) > 1]
        if large and (len(groups) == 1 or rng.random() < 0.5):
            name, group = end(int(rng.choice(large)))
            rng.shuffle(group)
            cut = int(rng.integers(1, len(group)))
            begin(group[:cut], [name])
            begin(group[cut:], [name])
        else:
            one, first = end(int(rng.integers(len(groups))))
            other, second = end(int(rng.integers(len(groups))))
            begin([*first, *second], [one, other])
    frame += 5
    while names:
        end(0)
    graph = build_graph(
        [name for name, *_ in rows],
        [first for _, first, _, _ in rows],
        [last for _, _, last, _ in rows],
        edges,
        area=[AREA * size for *_, size in rows],
    )
    evidence = no_evidence(len(graph), tuple(f"A{animal}" for animal in range(animals)))
    for row, name in enumerate(graph.names.tolist()):
        if len(members[name]) == 1 and rng.random() < 1 / 3:
            evidence.label[row] = members[name][0]
            evidence.probability[row] = np.arange(animals) == evidence.label[row]
    return graph, evidence


def main() -> None:
    """Run all sizes and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--animals", type=int, default=100)
    parser.add_argument("--tracklets", type=int, nargs="+", default=[3000, 10_000, 30_000, 100_000])
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    for tracklets in arguments.tracklets:
        graph, evidence = random_colony(arguments.animals, tracklets, 0)
        group = Group("", tuple(graph.movies.tolist()), np.arange(len(graph)))
        before = sum(
            one.ru_utime + one.ru_stime
            for one in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
        )
        began = time.perf_counter()
        (solution,) = solve_groups(graph, evidence, [group], Settings(), workers=arguments.workers)
        seconds = time.perf_counter() - began
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        memory = [one.ru_maxrss / 2**20 for one in usage]
        processor = sum(one.ru_utime + one.ru_stime for one in usage) - before
        print(
            f"{len(graph):7d} tracklets × {arguments.animals} animals: "
            f"{seconds:7.1f} s, {processor:.1f} s of processors, "
            f"{memory[0]:.2f} GB and {memory[1]:.2f} GB, placed {solution.coverage:.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
