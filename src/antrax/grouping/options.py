"""Options of grouping."""

from __future__ import annotations

from dataclasses import dataclass

from antrax.defaults import SEED
from antrax.errors import OptionError
from antrax.messages import parameter
from antrax.networks.devices import DEVICES

MOST_GROUPS = 1000
"""Largest number of groups."""


@dataclass(frozen=True)
class GroupOptions:
    """Options of `antrax.group`.

    Parameters
    ----------
    groups : int or None
        Number of groups, at most. Animals that look nearly alike are in one where there are few, and one animal is in
        several where there are many. None for three for each ID of labels.csv, or 48 where it lists none.
    session : str or None
        Session of the experiment; the latest by default.
    seed : int
        Of all that is drawn at random.
    device : str
        What computes: auto, cpu, cuda or mps.
    """

    groups: int | None = None
    session: str | None = None
    seed: int = SEED
    device: str = "auto"


def check_options(options: GroupOptions) -> None:
    """Raise OptionError where an option cannot be used."""
    groups, seed = options.groups, options.seed
    if groups is not None and (
        isinstance(groups, bool) or not isinstance(groups, int) or not 2 <= groups <= MOST_GROUPS
    ):
        raise OptionError(f"{parameter('groups', groups)}: give a number of groups from 2 to {MOST_GROUPS}")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise OptionError(f"{parameter('seed', seed)}: give a whole number from 0 to {2**32 - 1}")
    if options.device not in DEVICES:
        raise OptionError(f"{parameter('device', options.device)}: there are {', '.join(DEVICES)}")
