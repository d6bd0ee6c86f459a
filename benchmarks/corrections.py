"""How long a correction of positions takes to be solved, and whether it agrees with solving everything anew.

    python benchmarks/corrections.py [SESSION] [--corrections 20] [--compare 3]

By default the real session of 16 ants in ../shared. Each correction says of a random tracklet that it is another
animal, or that it is not the one placed there, and is solved around the tracklet; a few are solved as a whole too.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from antrax.io.graphs import read_graph
from antrax.io.session import open_session
from antrax.solving.evidence import read_evidence
from antrax.solving.groups import split_groups
from antrax.solving.local import Correction, Placed, solve_around
from antrax.solving.methods import Settings, solve_groups

_SESSION = Path(__file__).parents[2] / "shared" / "data" / "js16-session"


def main() -> None:
    """Print one line a correction that is compared, and the times of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("session", nargs="?", type=Path, default=_SESSION)
    parser.add_argument("--corrections", type=int, default=20)
    parser.add_argument("--compare", type=int, default=3)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    session = open_session(options.session)
    graph = read_graph(session, workers=1).graph
    evidence, _ = read_evidence(session, graph)
    (group, *_), _ = split_groups(session, graph)
    settings = Settings.of_session(session)
    (before,) = solve_groups(graph, evidence, [group], settings, "joint")
    placed = Placed(before.kind, before.probability)
    rng = np.random.default_rng(options.seed)
    rows = rng.choice(np.flatnonzero(before.single & before.placed.any(1)), options.corrections)
    cpu, wall, changed, cut = [], [], [], 0
    length = graph.length[:, None]
    for number, row in enumerate(rows.tolist()):
        now, other = int(np.argmax(before.placed[row])), int(rng.integers(len(evidence.ids)))
        fixed, impossible = evidence.fixed.copy(), evidence.impossible.copy()
        (fixed if number % 2 else impossible)[row, other if number % 2 else now] = True
        known = replace(evidence, fixed=fixed, impossible=impossible)
        animals = np.unique([now, other] if number % 2 else [now])
        started, worked = time.perf_counter(), time.process_time()
        local = solve_around(Correction(graph, known, group, placed, row, animals), settings)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - worked)
        changed.append(len(local.rows))
        cut += local.cut
        if number < options.compare:
            (whole,) = solve_groups(graph, known, [group], settings, "joint")
            kind = before.kind.copy()
            kind[local.rows] = local.solution.kind
            here, there = kind > 0, whole.kind > 0
            other_animal = before.single & here.any(1) & there.any(1) & (here.argmax(1) != there.argmax(1))
            print(
                f"{number + 1}: {len(local.rows)} tracklets changed; cells placed {(here * length).sum():,}; "
                f"solved as a whole {(there * length).sum():,}, both {((here & there) * length).sum():,}; "
                f"single tracklets with another animal {other_animal.sum()}",
                flush=True,
            )
    for name, values in (("processor", cpu), ("clock", wall)):
        median, most = np.median(values), np.quantile(values, 0.95)
        print(f"{name}: median {median:.2f} s, 95 % {most:.2f} s, most {max(values):.2f} s")
    print(f"tracklets changed: median {np.median(changed):.0f}, most {max(changed)}; windows cut off: {cut}")


if __name__ == "__main__":
    main()
