"""Local solving after a correction, within seconds: a window around one tracklet.

A person says that a tracklet holds a certain animal, or that it does not. By the joint method, the tracklets around it
are solved again while everything outside of the window stays as it was: what crosses the window's edges counts as
known. The window reaches on either side until each of the animals concerned has been seen alone and labelled, for there
an exchange of identities ends; where that is far away it is cut off, and that is told. By anTraX's rules, which take a
second, the whole group is solved again.

Placements that the new solution does not contradict stay as they are, so that what is told as changed follows from the
correction and not from chance in sampling.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from antrax.io.positions import Kind
from antrax.io.tracklet_graph import TrackletGraph
from antrax.solving.evidence import Evidence
from antrax.solving.groups import Group
from antrax.solving.joint import Effort, Window, rows_of, sample_window, to_solution
from antrax.solving.methods import Method, Settings, solve_groups
from antrax.solving.singles import find_singles
from antrax.solving.solution import Solution

# Tracklets that a window has at least and at most, for each animal of the group.
_LEAST, _MOST = 4, 24
# And at most in all: two seconds' work.
_MOST_ROWS = 500
# Tracklets with a label of its own that each animal concerned is followed to, on either side.
_SEEN_ALONE = 2
_EFFORT = Effort(runs=2, heated=60, sampled=90)
# A placement stays where the new solution gives it at least this probability,
_STAYS = 0.9
# an animal is placed anew where that has risen by so much,
_RISEN = 0.3
# and a placement counts as known outside of the window where the old one gave it this.
_KNOWN = 0.9


@dataclass(frozen=True, eq=False)
class Placed:
    """Present placements of k animals in n tracklets.

    Parameters
    ----------
    kind : (n, k) array of int8
        `antrax.io.positions.Kind`; 0 where an animal is not placed.
    probability : (n, k) array of float32
        NaN where it is not known.
    """

    kind: NDArray[np.int8]
    probability: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Correction:
    """A correction of one tracklet, and the present solution.

    Parameters
    ----------
    graph : TrackletGraph
        Of the session, or of the movies around the tracklet.
    evidence : Evidence
        Of all its tracklets, the correction among it.
    group : Group
        Colony and movies that the tracklet is solved with.
    placed : Placed
        The solution as it is, for all tracklets of `graph`.
    row : int
        The tracklet.
    animals : array of int64
        Animals that the correction is about: the one that it names and those that were placed there.
    borders : (int, int), optional
        First and last frame of what was solved together, where `graph` is a part of it only.
    """

    graph: TrackletGraph
    evidence: Evidence
    group: Group
    placed: Placed
    row: int
    animals: NDArray[np.int64]
    borders: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class LocalSolution:
    """Result of solving a window anew.

    Parameters
    ----------
    solution : Solution
        Of the tracklets of `rows`, as they shall be now.
    rows : (m,) array of int64
        Rows of the graph whose placements or alternatives are others than before.
    cut : bool
        The window ends before an animal concerned was seen alone again: the exchange may go on beyond it.
    tracklets : int
        Number of tracklets that were solved.
    """

    solution: Solution
    rows: NDArray[np.int64]
    cut: bool
    tracklets: int


def solve_around(correction: Correction, settings: Settings, method: Method = "joint") -> LocalSolution:
    """Solve a window around a corrected tracklet again.

    Parameters
    ----------
    correction : Correction
    settings : Settings
    method : {"joint", "antrax"}
        How the session was solved.

    Returns
    -------
    LocalSolution

    Raises
    ------
    SolvingError
        The numbers of animals have no solution.
    """
    graph, evidence, group = correction.graph, correction.evidence, correction.group
    placed, row = correction.placed, correction.row
    if method == "antrax":
        (solution,) = solve_groups(graph, evidence, [group], settings, "antrax")
        rows, cut = group.rows, False
    else:
        borders = correction.borders or graph.span
        window, cut = _window(correction)
        cut |= (window.first <= graph.span[0] > borders[0]) or (window.last >= graph.span[1] < borders[1])
        inside = np.zeros(len(graph), bool)
        inside[group.rows] = True
        inside &= rows_of(graph, window)
        rows = np.flatnonzero(inside)
        solution = _sampled(correction, rows, window, settings)
    tracklets = len(rows)
    kept = _kept(solution, placed.kind[rows], placed.probability[rows], method)
    kept[rows == row] = False
    changed = ~kept & (solution.kind != placed.kind[rows]).any(1)
    changed |= rows == row
    return LocalSolution(_select(solution, changed), rows[changed], cut, tracklets)


def _window(correction: Correction) -> tuple[Window, bool]:
    """Frames to solve anew, and whether they are fewer than would be wanted."""
    graph, row, rows = correction.graph, correction.row, correction.group.rows
    size = len(correction.evidence.ids)
    own = correction.placed.kind[rows] == Kind.CLASSIFIED
    at = int(np.searchsorted(rows, row))
    least = _LEAST * size
    most = min(_MOST * size, _MOST_ROWS) // 2
    low, high = at - least, at + least
    first, last = graph.first[rows], graph.last[rows]
    for animal in correction.animals.tolist():
        seen = np.flatnonzero(own[:, animal])
        before = seen[last[seen] < graph.first[row]]
        after = seen[first[seen] > graph.last[row]]
        low = min(low, int(before[-_SEEN_ALONE]) if len(before) >= _SEEN_ALONE else 0)
        high = max(high, int(after[_SEEN_ALONE - 1]) if len(after) >= _SEEN_ALONE else len(rows) - 1)
    cut = low < at - most or high > at + most
    low, high = max(low, at - most, 0), min(high, at + most, len(rows) - 1)
    begin = int(first[low])
    end = max(int(first[high]), int(graph.last[row]))
    span = graph.span
    return Window(max(begin, span[0]), min(end, span[1]), begin, end), cut


def _sampled(correction: Correction, rows: NDArray[np.int64], window: Window, settings: Settings) -> Solution:
    graph, group, placed = correction.graph, correction.group, correction.placed
    borders = correction.borders or graph.span
    keep = np.zeros(len(graph), bool)
    keep[rows] = True
    part = graph.select(keep, group.movies)
    known = correction.evidence.select(rows)
    # What reaches over the edges of the window is as it was, for it depends on more than the window shows.
    crossing = ((part.first <= window.first) & (window.first > borders[0])) | (
        (part.last >= window.last) & (window.last < borders[1])
    )
    crossing &= rows != correction.row
    sure = (placed.kind[rows] != Kind.UNDECIDED) & (np.nan_to_num(placed.probability[rows], nan=1.0) >= _KNOWN)
    known = replace(known, fixed=known.fixed | (crossing[:, None] & sure & ~known.impossible))
    single, present = find_singles(part, known, settings.rules.min_area, settings.rules.max_area)
    posterior = sample_window(part, known, single, ~present, window, settings.joint, _EFFORT)
    solution = to_solution(part, known, group.colony, single, posterior, settings.joint.max_error)
    # Nothing is decided anew about what reaches out of the window.
    kind = np.where(crossing[:, None], placed.kind[rows], solution.kind)
    return replace(solution, kind=kind.astype(np.int8))


def _kept(
    solution: Solution, kind: NDArray[np.int8], probability: NDArray[np.float32], method: Method
) -> NDArray[np.bool_]:
    """Tracklets whose placements, as they are, the new solution does not contradict."""
    were = kind != Kind.UNDECIDED
    if method == "antrax":
        same: NDArray[np.bool_] = (solution.kind == kind).all(1)
        return same
    agrees = (~were | (solution.probability >= _STAYS)).all(1)
    risen = solution.probability - np.nan_to_num(probability) >= _RISEN
    more = (solution.placed & ~were & risen).any(1)
    kept: NDArray[np.bool_] = agrees & ~more
    return kept


def _select(solution: Solution, keep: NDArray[np.bool_]) -> Solution:
    names = set(solution.graph.names[keep].tolist())
    return Solution(
        solution.graph.select(keep),
        solution.ids,
        solution.colony,
        solution.kind[keep],
        solution.probability[keep],
        solution.single[keep],
        tuple(one for one in solution.contradictions if one.tracklet in names),
        solution.label_error,
    )
