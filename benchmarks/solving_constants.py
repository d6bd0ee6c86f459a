"""The constants of solving, each tried with half and with twice its value on made-up colonies of known truth."""

from __future__ import annotations

import argparse
import itertools

import numpy as np

from antrax.demo.colony import ColonyOptions, simulate_colony
from antrax.solving import joint, links, numbers, solution
from solving_colonies import label, measure

# Costs of the flow in nats, what a link may reach over, the bounds on sureness, the prior of the sampler.
CONSTANTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": (module, name)
    for module, names in (
        (
            numbers,
            (
                "_GAP", "_GAP_IN_PASSING", "_GAP_FROM_START", "_EMPTY", "_EMPTY_DOUBTFUL", "_EMPTY_ISOLATED",
                "_EMPTY_FRAME", "_CROWDED", "_CROWDED_UNLABELLED", "_UNUSED", "_UNDRAWN", "_NON_ANT",
            ),
        ),
        (links, ("_REACH", "_RADIUS")),
        (joint, ("_SEEN_ALONE",)),
        (solution, ("LEAST_SURE", "LEAST_SURE_LABEL", "LEAST_SURE_GROUP", "MOST_MISSING")),
    )
    for name in names
}  # fmt: skip


def try_constants(args: argparse.Namespace) -> None:
    """Print what is placed, and wrongly, with each constant halved, as it is, and doubled.

    Parameters
    ----------
    args : argparse.Namespace
        `constants`: names; all without. `seeds`: of the colonies.
    """
    colonies = []
    for seed, (wrong_links, losses) in itertools.product(args.seeds, ((0.0, 0.0), (0.05, 5.0))):
        options = ColonyOptions(
            animals=16, density=0.5, movies=4, frames=500, unreadable=0.06, wrong_links=wrong_links, losses=losses,
            seed=seed,
        )  # fmt: skip
        colony = simulate_colony(options)
        colonies.append((colony, label(colony, 0.05, 0.05, np.random.default_rng(seed))))
    print(f"{len(colonies)} colonies of 16 animals; 5 % of labels wrong, in every other 5 % of links and losses too")
    for name in args.constants or CONSTANTS:
        module, attribute = CONSTANTS[name]
        value = getattr(module, attribute)
        for tried in (value / 2, value, 2 * value):
            setattr(module, attribute, tried)
            rows = [measure(colony, evidence, 1) for colony, evidence in colonies]
            setattr(module, attribute, value)
            found = {key: float(np.mean([row[key] for row in rows])) for key in ("joint", "joint_wrong", "expected")}
            print(
                f"{name:28} {tried:8g}{' *' if tried == value else '  '} placed {found['joint']:6.2f} "
                f"wrong {found['joint_wrong']:5.2f} expected {found['expected']:5.2f}",
                flush=True,
            )
