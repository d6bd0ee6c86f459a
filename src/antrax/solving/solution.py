"""Solutions: placements, their probabilities, and contradicting labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antrax.io.positions import Kind, Placements
from antrax.io.tracklet_graph import TrackletGraph

# An animal that is not placed is listed with the tracklets that it is in with at least this probability.
_CANDIDATE = 0.1
# Such a set is told only if the animal of the tracklet is one of it with this probability, and it has at most so many.
_SET_COVERS = 0.95
_SET_SIZE = 4
# A placement may not be less sure than so many times the accepted error, however sure the others are. One that is the
# tracklet's own label must be surer: nothing else may confirm it, and labels err in company. So must one in a group,
# and the more so the larger it is: where one of n + 1 animals is not in it, and nothing tells which, each is there with
# a probability near 1 and one of the n placements is wrong for certain.
LEAST_SURE = 13.0
LEAST_SURE_LABEL = 4.0
LEAST_SURE_GROUP = 4.0
MOST_MISSING = 40.0  # times the accepted error, over the number of animals in the group


@dataclass(frozen=True)
class Contradiction:
    """A label that contradicts the solution.

    Parameters
    ----------
    tracklet : str
    label : str
        The ID that it is labelled with.
    probability : float
        That the label is right; NaN where the method gives none.
    placed : str
        The ID that is placed there instead; empty for none.
    """

    tracklet: str
    label: str
    probability: float
    placed: str


@dataclass(frozen=True, eq=False)
class Solution:
    """Placements of one group of k animals in n tracklets.

    Parameters
    ----------
    graph : TrackletGraph
        The tracklets, n of them.
    ids : tuple of str
        The animals, k of them.
    colony : str
        Their colony; empty where there is one.
    kind : (n, k) array of int8
        `antrax.io.positions.Kind` of each placement; 0 where an animal is not placed in a tracklet.
    probability : (n, k) array of float32
        That an animal was in a tracklet; NaN where the method gives none. In a tracklet of a single animal the row adds
        up to 1, and over the tracklets of one frame the column adds up to 1 (less what is away).
    single : (n,) array of bool
        Tracklets of a single animal.
    contradictions : tuple of Contradiction
        The least probable first.
    label_error : float
        Estimated share of wrong labels; NaN where the method gives none.
    """

    graph: TrackletGraph
    ids: tuple[str, ...]
    colony: str
    kind: NDArray[np.int8]
    probability: NDArray[np.float32]
    single: NDArray[np.bool_]
    contradictions: tuple[Contradiction, ...] = ()
    label_error: float = float("nan")

    @property
    def placed(self) -> NDArray[np.bool_]:
        """Whether an animal is placed in a tracklet, (n, k)."""
        found: NDArray[np.bool_] = self.kind != Kind.UNDECIDED
        return found

    @property
    def frames(self) -> int:
        """Frames of the movies."""
        return int((self.graph.movie_last - self.graph.movie_first + 1).sum())

    @property
    def coverage(self) -> float:
        """Share of ID × frame cells in which the animal is placed."""
        cells = self.frames * len(self.ids)
        return float((self.placed * self.graph.length[:, None]).sum() / cells) if cells else float("nan")

    @property
    def expected_error(self) -> float:
        """Estimated share of the placed cells that are wrong; NaN where the method gives no probabilities."""
        weight = self.placed * self.graph.length[:, None]
        total = weight.sum()
        return float((weight * (1 - self.probability)).sum() / total) if total else float("nan")

    def candidates(self) -> NDArray[np.bool_]:
        """Pairs of a tracklet and an animal that is not placed at that time and may be there, (n, k).

        In a tracklet of a single animal these are "A or B": with at least 95 % probability the animal is one of them.
        """
        open_to = ~self.placed & (self.probability >= _CANDIDATE)
        covered = np.where(open_to, self.probability, 0).sum(1)
        told = (covered >= _SET_COVERS) & (open_to.sum(1) <= _SET_SIZE) & ~self.placed.any(1)
        open_to[self.single & ~told] = False
        return open_to

    def placements(self) -> Placements:
        """Placements and open alternatives, for the writers of positions."""
        return join_placements([self])


def join_placements(solutions: Sequence[Solution]) -> Placements:
    """Placements of several solutions; animals of the same colony and ID are one."""
    animals = {
        key: number
        for number, key in enumerate(
            dict.fromkeys((solution.colony, name) for solution in solutions for name in solution.ids)
        )
    }
    names, numbers, kinds, singles, confidences, alternatives = [], [], [], [], [], []
    for solution in solutions:
        candidates = solution.candidates()
        row, animal = np.nonzero(solution.placed | candidates)
        number = np.array([animals[solution.colony, name] for name in solution.ids], np.int64)
        names.append(solution.graph.names[row])
        numbers.append(number[animal] if len(animal) else np.zeros(0, np.int64))
        kinds.append(solution.kind[row, animal])
        singles.append(solution.single[row])
        confidences.append(solution.probability[row, animal])
        possible = (solution.probability >= _CANDIDATE) & solution.single[:, None]
        alternatives.append(_others(possible, row, animal, solution.ids))
    return Placements(
        tuple(name for _, name in animals),
        tuple(colony for colony, _ in animals),
        np.concatenate(names or [np.zeros(0, np.str_)]),
        np.concatenate(numbers or [np.zeros(0, np.int64)]),
        np.concatenate(kinds or [np.zeros(0, np.int8)]),
        np.concatenate(singles or [np.zeros(0, bool)]),
        np.concatenate(confidences or [np.zeros(0, np.float32)]).astype(np.float32),
        np.concatenate(alternatives or [np.zeros(0, np.str_)]),
    )


def _others(
    possible: NDArray[np.bool_], row: NDArray[np.int64], animal: NDArray[np.int64], ids: tuple[str, ...]
) -> NDArray[np.str_]:
    """For each pair the other IDs that the tracklet may hold, separated by ``|``."""
    texts = []
    several = possible[row].sum(1) - possible[row, animal] > 0
    for one, this, some in zip(row.tolist(), animal.tolist(), several.tolist(), strict=True):
        texts.append("|".join(ids[k] for k in np.flatnonzero(possible[one]) if k != this) if some else "")
    return np.array(texts, np.str_) if texts else np.zeros(0, np.str_)


def decide(
    probability: NDArray[np.float32],
    length: NDArray[np.int64],
    max_error: float,
    label: NDArray[np.int64] | None = None,
    single: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Which placements to make: the surest, as many as keep the expected share of wrong cells within a bound.

    Parameters
    ----------
    probability : (n, k) array of float32
    length : (n,) array of int64
        Frames of each tracklet.
    max_error : float
        Accepted share of placed ID × frame cells that are wrong. No placement may be less sure than `LEAST_SURE` times
        that (`LEAST_SURE_LABEL` times where it is the tracklet's own label; in a tracklet of n animals
        `LEAST_SURE_GROUP` times or `MOST_MISSING` / n times, whichever is less), and none less than even.
    label : (n,) array of int64, optional
        Animal that each tracklet is labelled with; -1 for none.
    single : (n,) array of bool, optional
        Tracklets of a single animal; by default all.

    Returns
    -------
    (n, k) array of bool
    """
    least = np.full(probability.shape, max(0.5, 1 - LEAST_SURE * max_error))
    if single is not None:
        groups = np.flatnonzero(~single)
        doubt = np.minimum(LEAST_SURE_GROUP, MOST_MISSING / np.maximum(probability[groups].sum(1), 1))
        least[groups] = np.maximum(0.5, 1 - doubt * max_error)[:, None]
    if label is not None:
        own = np.flatnonzero(label >= 0)
        least[own, label[own]] = max(0.5, 1 - LEAST_SURE_LABEL * max_error)
    placed: NDArray[np.bool_] = probability > least
    row, animal = np.nonzero(placed)
    sure = probability[row, animal].astype(np.float64)
    order = np.argsort(-sure, kind="stable")
    weight = length[row[order]].astype(np.float64)
    error = np.cumsum(weight * (1 - sure[order])) / np.cumsum(weight)
    # The error of the first so many grows with their number: each is less sure than the ones before.
    left_out = order[error > max_error]
    placed[row[left_out], animal[left_out]] = False
    return placed


def common_label(contradictions: Sequence[Contradiction]) -> str:
    """Most common label among contradicting ones: ``"5 of 6 are OG"``; empty if none stands out."""
    labels = Counter(contradiction.label for contradiction in contradictions)
    if not labels:
        return ""
    (label, number), total = labels.most_common(1)[0], sum(labels.values())
    if total < 2 or number <= total / 2:
        return ""
    return f"all are {label}" if number == total else f"{number} of {total} are {label}"
