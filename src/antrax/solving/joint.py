"""The default method: all identities at once, with a probability for each placement.

1. A flow of the whole group through the graph tells how many animals each tracklet holds (`antrax.solving.numbers`).
2. Given the numbers, who is where is sampled from the joint posterior by exchanges between pairs of animals
   (`antrax.solving.sampling`): labels count by their calibrated probabilities, positions before and after contacts say
   who goes on where (`antrax.solving.contacts`), and animals that are often seen alone are more likely to be the one
   that leaves a group. How far labels can be trusted is sampled along with it (`antrax.solving.reliability`).
3. The share of samples in which an animal is in a tracklet is the probability of that placement. Animals that can be
   exchanged at no cost come out even, and are not placed.

Long experiments are solved in windows of tracklets that overlap, each on its own.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antrax.defaults import MAX_ERROR
from antrax.io.positions import Kind
from antrax.io.tracklet_graph import TrackletGraph
from antrax.solving.areas import single_area
from antrax.solving.contacts import find_contacts
from antrax.solving.evidence import Evidence
from antrax.solving.links import as_taken, possible_links
from antrax.solving.numbers import Numbers, count_animals
from antrax.solving.reliability import Reliability
from antrax.solving.sampling import Sampler, starting_state
from antrax.solving.solution import Contradiction, Solution, decide

_HEATED = 100  # sweeps from a random state to a likely one, evidence counting more and more
_SAMPLED = 150  # sweeps that are counted
RUNS = 4  # runs from different random states; those that end in a much less likely region are left out
_MUCH = 5.0  # nats
_UNSEEN = 0.5  # as if so many samples more had been spread over all animals
_COMPARED_AT = 0.03  # share of wrong labels at which runs are compared
_BY_HAND = 25.0  # what a person says, in nats
_SEEN_ALONE = 2.0  # as if each animal had been seen alone so many times more


@dataclass(frozen=True)
class JointOptions:
    """Options of the joint method.

    Parameters
    ----------
    max_error : float
        Accepted share of the placed ID × frame cells that are wrong.
    fps : float
        Frames per second; NaN where it is not known.
    metres_per_pixel : float
        NaN where it is not known: then positions tell nothing.
    window : int
        Tracklets solved at a time; at least 150 for each animal.
    overlap : int
        Tracklets by which windows reach into their neighbours on each side; at least 50 for each animal.
    """

    max_error: float = MAX_ERROR
    fps: float = float("nan")
    metres_per_pixel: float = float("nan")
    window: int = 3_000
    overlap: int = 1_000


@dataclass(frozen=True)
class Effort:
    """Number of runs and sweeps for a window.

    Parameters
    ----------
    runs : int
        From different random states.
    heated : int
        Sweeps of each from a random state to a likely one, evidence counting more and more.
    sampled : int
        Sweeps of each that are counted.
    threads : int
        Runs at a time; the result is the same with any number.
    """

    runs: int = RUNS
    heated: int = _HEATED
    sampled: int = _SAMPLED
    threads: int = 1


@dataclass(frozen=True)
class Window:
    """A stretch of time that is solved at once.

    Parameters
    ----------
    first, last : int
        Frames of what is looked at.
    core_first, core_last : int
        Frames in which tracklets start whose result is kept.
    """

    first: int
    last: int
    core_first: int
    core_last: int


@dataclass(frozen=True, eq=False)
class Posterior:
    """Result of sampling n tracklets and k animals.

    Parameters
    ----------
    probability : (n, k) array of float32
    label_error : float
        Mean of the sampled shares of wrong labels; NaN without labels.
    log_weight : float
        Mean logarithm of the posterior of the sampled states, up to a constant.
    """

    probability: NDArray[np.float32]
    label_error: float
    log_weight: float = 0.0


def split_windows(graph: TrackletGraph, animals: int, options: JointOptions) -> list[Window]:
    """Windows over a graph: of equal numbers of tracklets, overlapping.

    Parameters
    ----------
    graph : TrackletGraph
    animals : int
        Size of the group.
    options : JointOptions
    """
    start, stop = graph.span
    overlap = max(options.overlap, 50 * animals)
    count = max(1, round(len(graph) / max(options.window, 150 * animals)))
    cuts = [int(graph.first[len(graph) * part // count]) for part in range(1, count)]
    cuts = sorted({cut for cut in cuts if start < cut <= stop})
    begins, ends = [start, *cuts], [*(cut - 1 for cut in cuts), stop]
    windows = []
    for begin, end in zip(begins, ends, strict=True):
        low = int(np.searchsorted(graph.first, begin)) - overlap
        high = int(np.searchsorted(graph.first, end, side="right")) + overlap
        first = start if begin == start or low <= 0 else min(begin, int(graph.first[low]))
        last = stop if end == stop or high >= len(graph) else max(end, int(graph.first[high]))
        windows.append(Window(first, last, begin, end))
    return windows


def rows_of(graph: TrackletGraph, window: Window) -> NDArray[np.bool_]:
    """Tracklets that exist at some frame of a window, (n,)."""
    found: NDArray[np.bool_] = (graph.first <= window.last) & (graph.last >= window.first)
    return found


def sample_window(
    graph: TrackletGraph,
    evidence: Evidence,
    single: NDArray[np.bool_],
    non_ant: NDArray[np.bool_],
    window: Window,
    options: JointOptions,
    effort: Effort = Effort(),
) -> Posterior:
    """Sample who was where in a window, by several runs from different random states.

    Parameters
    ----------
    graph : TrackletGraph
        The window's tracklets, n of them.
    evidence : Evidence
    single : (n,) array of bool
        Tracklets of a single animal.
    non_ant : (n,) array of bool
        Tracklets of no animal.
    window : Window
    options : JointOptions
    effort : Effort

    Returns
    -------
    Posterior
        The same for the same input, whatever else is solved.

    Raises
    ------
    SolvingError
        The numbers of animals have no solution.
    """
    count, animals = evidence.probability.shape
    if not count:
        return Posterior(np.zeros((0, animals), np.float32), float("nan"))
    span = (window.first, window.last)
    body = np.sqrt(single_area(graph, single)) / options.metres_per_pixel
    possible = possible_links(graph, options.metres_per_pixel, float(body))
    labelled = evidence.label >= 0
    numbers = count_animals(graph, animals, single, non_ant, evidence.impossible, span, labelled, possible)
    graph, numbers = as_taken(graph, numbers, possible)
    contacts = find_contacts(graph, single, body, options.fps)

    stop = threading.Event()

    def run(number: int) -> Posterior:
        rng = np.random.default_rng([animals, max(0, window.core_first), number])
        occupancy = starting_state(graph, numbers, animals, rng, span)
        sampler = Sampler(occupancy, single, contacts, animals, rng)
        return _sample(graph, evidence, single, numbers, sampler, effort, stop)

    if effort.threads <= 1:
        return combine([run(number) for number in range(effort.runs)], effort.sampled)
    with ThreadPoolExecutor(effort.threads) as executor:
        try:
            return combine(list(executor.map(run, range(effort.runs))), effort.sampled)
        finally:
            stop.set()  # where this thread is interrupted, the others end too


def _sample(
    graph: TrackletGraph,
    evidence: Evidence,
    single: NDArray[np.bool_],
    numbers: Numbers,
    sampler: Sampler,
    effort: Effort,
    stop: threading.Event,
) -> Posterior:
    """One run; InterruptedError where it is told to stop."""
    count, animals = evidence.probability.shape
    labelled = np.flatnonzero(single & ~evidence.manual & (np.ptp(evidence.probability, 1) > 0))
    weight = np.zeros((sampler.nodes, animals), np.float32)
    weight[:count] = _fixed_weight(graph, evidence, single, numbers, labelled)
    informative: NDArray[np.bool_] = np.ptp(weight, 1) > 0
    informative[labelled] = True
    fixed = weight[labelled]
    labels = Reliability(evidence.probability[labelled])
    counts = np.zeros_like(weight)
    errors, log_weights = [], []
    for sweep in range(effort.heated + effort.sampled):
        if stop.is_set():
            raise InterruptedError
        weight[labelled] = fixed + labels.log_likelihood(labels.error)
        sampler.sweep(weight, informative, min(1.0, 1.2 * (sweep + 1) / effort.heated))
        if sweep < effort.heated - 1:
            continue
        animal, known = sampler.animal_of(labelled)
        labels.draw(np.flatnonzero(known), animal[known], sampler.rng)
        if sweep >= effort.heated:
            sampler.add_counts(counts)
            errors.append(labels.error)
            weight[labelled] = fixed + labels.log_likelihood(_COMPARED_AT)
            log_weights.append(sampler.log_weight(weight))
    label_error = float(np.mean(errors)) if len(labelled) else float("nan")
    return Posterior(counts[:count] / np.float32(effort.sampled), label_error, float(np.mean(log_weights)))


def combine(runs: Sequence[Posterior], sampled: int = _SAMPLED) -> Posterior:
    """The mean of runs over the same window, without those that got stuck in a much less likely region.

    Parameters
    ----------
    runs : sequence of Posterior
    sampled : int
        Sweeps that were counted in each.
    """
    best = max(run.log_weight for run in runs)
    good = [run for run in runs if run.log_weight >= best - _MUCH]
    share: NDArray[np.float32] = np.stack([run.probability for run in good]).mean(0, dtype=np.float32)
    # A share of 1 in so many samples is not certainty.
    samples = len(good) * sampled
    held = np.maximum(share.sum(1, keepdims=True), 1)
    probability = (samples * share + _UNSEEN * held / share.shape[1]) / (samples + _UNSEEN)
    return Posterior(probability.astype(np.float32), float(np.mean([run.label_error for run in good])), best)


def _fixed_weight(
    graph: TrackletGraph,
    evidence: Evidence,
    single: NDArray[np.bool_],
    numbers: Numbers,
    labelled: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Log-weights that do not depend on how many labels are wrong, (n, k)."""
    weight = np.zeros(evidence.probability.shape, np.float32)
    by_hand = np.flatnonzero(evidence.manual & (evidence.label >= 0))
    weight[by_hand, evidence.label[by_hand]] += _BY_HAND
    weight[evidence.fixed] += _BY_HAND
    weight[evidence.impossible] -= _BY_HAND
    # Who leaves a group of which at least two stay together: those more often who are seen alone more often. Where a
    # tracklet has no label it may be just the animals that are seldom identified, so there it counts for less.
    group = np.bincount(graph.parent, weights=numbers.tracklet[graph.child] > 1, minlength=len(graph)) > 0
    leaves = np.zeros(len(graph), bool)
    leaves[graph.child[group[graph.parent]]] = True
    leaves &= single
    seen = evidence.probability[labelled].sum(0, dtype=np.float64)
    informed = np.zeros(len(graph), bool)
    informed[labelled] = True
    for rows, more in ((leaves & informed, _SEEN_ALONE), (leaves & ~informed, _SEEN_ALONE + seen.mean() / 2)):
        weight[rows] += np.log((seen + more) / (seen + more).mean()).astype(np.float32)
    return weight


def to_solution(
    graph: TrackletGraph,
    evidence: Evidence,
    colony: str,
    single: NDArray[np.bool_],
    posterior: Posterior,
    max_error: float,
) -> Solution:
    """Decide on placements.

    Parameters
    ----------
    graph : TrackletGraph
    evidence : Evidence
    colony : str
    single : (n,) array of bool
    posterior : Posterior
        Of the whole graph.
    max_error : float
    """
    probability = posterior.probability
    by_classifier = np.where(evidence.manual, -1, evidence.label)
    placed = decide(probability, graph.length, max_error, by_classifier, single)
    kind = np.where(placed, np.where(single[:, None], Kind.SINGLE, Kind.SEVERAL), Kind.UNDECIDED).astype(np.int8)
    rows = np.flatnonzero(single & (evidence.label >= 0))
    own = rows[placed[rows, evidence.label[rows]]]
    kind[own, evidence.label[own]] = Kind.CLASSIFIED
    contradictions = [
        Contradiction(
            str(graph.names[row]),
            evidence.ids[evidence.label[row]],
            float(probability[row, evidence.label[row]]),
            evidence.ids[int(np.argmax(placed[row]))] if placed[row].any() else "",
        )
        for row in rows[probability[rows, evidence.label[rows]] < 0.5].tolist()
    ]
    contradictions.sort(key=lambda one: one.probability)
    return Solution(
        graph, evidence.ids, colony, kind, probability, single, tuple(contradictions), posterior.label_error
    )
