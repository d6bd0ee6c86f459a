"""Sampling of who was in which tracklet, by exchanges between pairs of animals.

The state gives each tracklet its animals; how many it holds is fixed (`antrax.solving.numbers`). Whenever two animals
are in the same tracklet, the ways they took before and after may be exchanged, and every state that is possible stays
so. Seen by one pair, time falls into segments from one common tracklet to the next, and an exchange in each is decided
by the evidence in it, and by how well the animals' positions before and after a contact fit. All segments of a pair are
drawn at once from their exact conditional distribution (a chain of two states: forward filtering, backward sampling),
and disjoint pairs at the same time. That is blocked Gibbs sampling of the joint posterior of all identities.

Notes
-----
Exchanges of identities as the moves of a Markov chain over data associations: Oh, Russell and Sastry, Markov chain
Monte Carlo data association for multi-target tracking, IEEE TAC 54 (2009). The state space: Kondor, Howard and Jebara,
Multi-object tracking with representations of the symmetric group, AISTATS 2007.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antrax.io.tracklet_graph import TrackletGraph
from antrax.solving.numbers import Numbers


@dataclass(frozen=True, eq=False)
class Contacts:
    """Contacts after which positions tell something about who is who.

    Parameters
    ----------
    tracklet : (c,) array of int64
        The tracklet of several animals.
    before, after : (c, p) and (c, q) array of int64
        Tracklets of single animals that lead into it and out of it; filled up with the number of tracklets.
    fit : (c, p, q) array of float64
        Log-likelihood ratio that the animal of one is that of the other; 0 where nothing is known.
    """

    tracklet: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    fit: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Occupancy:
    """Which nodes hold which animals: a row for each node and animal in it, sorted by time.

    Parameters
    ----------
    node : (r,) array of int64
        Tracklets by row of the graph; then nodes for places outside of all tracklets.
    animal : (r,) array of int64
    nodes : int
        Number of nodes.
    """

    node: NDArray[np.int64]
    animal: NDArray[np.int64]
    nodes: int


def starting_state(
    graph: TrackletGraph,
    numbers: Numbers,
    animals: int,
    rng: np.random.Generator,
    span: tuple[int, int] | None = None,
) -> Occupancy:
    """A state in which every tracklet holds the animals it should; which ones is drawn at random.

    Parameters
    ----------
    graph : TrackletGraph
    numbers : Numbers
    animals : int
        Size of the group.
    rng : numpy.random.Generator
    span : (int, int), optional
        First and last frame, as for `antrax.solving.numbers.count_animals`.
    """
    count = len(graph)
    start = (graph.span if span is None else span)[0]
    flows: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    used = np.flatnonzero(numbers.edge)
    for parent, child, flow in zip(
        graph.parent[used].tolist(), graph.child[used].tolist(), numbers.edge[used].tolist(), strict=True
    ):
        flows[parent].append((child, flow))
    crossing, crossing_key = _crossings(graph)
    keys: list[int] = []
    nodes: list[int] = []
    held: list[int] = []
    away = rng.permutation(animals).tolist()
    inside: list[list[int]] = [[] for _ in range(count)]
    by_end = np.argsort(graph.last, kind="stable").tolist()
    ended = 0
    free = count + len(crossing_key)
    begin = np.maximum(graph.first, start)
    times = np.unique(begin).tolist()
    starting = np.split(np.arange(count), np.searchsorted(begin, times)[1:])
    appear = numbers.appear.tolist()
    first, last = graph.first.tolist(), graph.last.tolist()
    for time, rows in zip(times, starting, strict=True):
        came_or_went = False
        while ended < count and last[by_end[ended]] < time:
            row = by_end[ended]
            ended += 1
            here = inside[row]
            rng.shuffle(here)
            used_up = 0
            for child, flow in flows[row]:
                part = here[used_up : used_up + flow]
                inside[child] += part
                if (node := crossing.get((row, child))) is not None:
                    keys += [crossing_key[node]] * flow
                    nodes += [count + node] * flow
                    held += part
                used_up += flow
            if used_up < len(here):
                away += here[used_up:]
                came_or_went = True
        if came_or_went and away:
            # For a moment everybody who is away is in one place, also who comes back at once.
            keys += [2 * time - 1] * len(away)
            nodes += [free] * len(away)
            held += away
            free += 1
        for row in rows.tolist():
            if appear[row]:
                came_or_went = True
                chosen = min(appear[row], len(away))
                order = rng.permutation(len(away)).tolist()
                inside[row] += [away[i] for i in order[:chosen]]
                away = [away[i] for i in order[chosen:]]
        if (came_or_went or time == start) and away:
            keys += [2 * time] * len(away)
            nodes += [free] * len(away)
            held += away
            free += 1
        for row in rows.tolist():
            keys += [2 * first[row]] * len(inside[row])
            nodes += [row] * len(inside[row])
            held += inside[row]
    order = np.lexsort((nodes, keys))
    return Occupancy(np.array(nodes, np.int64)[order], np.array(held, np.int64)[order], free)


def _crossings(graph: TrackletGraph) -> tuple[dict[tuple[int, int], int], list[int]]:
    """Events at which every parent leads to every child, as nodes in which all animals of the event are at once."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(graph)
    if not len(graph.parent):
        return {}, []
    pairs = coo_array((np.ones(len(graph.parent)), (graph.parent, graph.child + count)), shape=(2 * count, 2 * count))
    number, component = connected_components(pairs, directed=False)
    edges = np.bincount(component[graph.parent], minlength=number)
    has_child, has_parent = np.zeros(count, bool), np.zeros(count, bool)
    has_child[graph.parent], has_parent[graph.child] = True, True
    parents = np.bincount(component[:count][has_child], minlength=number)
    children = np.bincount(component[count:][has_parent], minlength=number)
    full = (parents > 1) & (children > 1) & (edges == parents * children)
    new = np.cumsum(full) - 1
    key = np.full(int(full.sum()), np.iinfo(np.int64).max)
    chosen = np.flatnonzero(full[component[graph.parent]])
    which = new[component[graph.parent[chosen]]]
    np.minimum.at(key, which, 2 * graph.first[graph.child[chosen]] - 1)
    return (
        dict(
            zip(
                zip(graph.parent[chosen].tolist(), graph.child[chosen].tolist(), strict=True),
                which.tolist(),
                strict=True,
            )
        ),
        key.tolist(),
    )


def matchings(animals: int) -> list[NDArray[np.int64]]:
    """All pairs of animals, as rounds of disjoint pairs (the circle method of tournaments).

    Returns
    -------
    list of (p, 2) array of int64
    """
    size = animals + animals % 2
    ring = list(range(1, size))
    rounds = []
    for _ in range(size - 1):
        line = [0, *ring]
        pairs = [(line[i], line[size - 1 - i]) for i in range(size // 2)]
        rounds.append(np.array([pair for pair in pairs if max(pair) < animals], np.int64).reshape(-1, 2))
        ring = ring[1:] + ring[:1]
    return rounds


class Sampler:
    """A Markov chain whose states are who is where, and whose equilibrium is the posterior.

    Parameters
    ----------
    occupancy : Occupancy
        Where it starts.
    single : (n,) array of bool
        Tracklets of a single animal.
    contacts : Contacts
    animals : int
    rng : numpy.random.Generator
    """

    def __init__(
        self,
        occupancy: Occupancy,
        single: NDArray[np.bool_],
        contacts: Contacts,
        animals: int,
        rng: np.random.Generator,
    ) -> None:
        self.node, self.owner = occupancy.node, occupancy.animal.copy()
        self._animals, self._rng = animals, rng
        count = len(single)
        held = np.bincount(self.node, minlength=occupancy.nodes)
        alone = np.zeros(occupancy.nodes, bool)
        alone[:count] = single & (held[:count] == 1)
        self._alone_rows = np.flatnonzero(alone[self.node])
        self._alone_nodes = self.node[self._alone_rows]
        self._contact = np.full(occupancy.nodes, -1)
        self._contact[contacts.tracklet] = np.arange(len(contacts.tracklet))
        # The animal of each single tracklet; `animals` stands for none.
        self._in_single = np.full(occupancy.nodes + 1, animals)
        none = occupancy.nodes
        self._before = np.where(contacts.before < count, contacts.before, none)
        self._after = np.where(contacts.after < count, contacts.after, none)
        self._fit = contacts.fit
        self._rounds = [self._round(pairs) for pairs in matchings(animals)]
        self._note_singles()

    def _round(self, pairs: NDArray[np.int64]) -> tuple[NDArray[np.int16], NDArray[np.int64], NDArray[np.float64]]:
        pair = np.full(self._animals + 1, len(pairs), np.int16)
        mate = np.arange(self._animals + 1)
        side = np.zeros(self._animals + 1)
        for number, (one, other) in enumerate(pairs.tolist()):
            pair[[one, other]] = number
            mate[[one, other]] = other, one
            side[[one, other]] = 1, -1
        return pair, mate, side

    def _note_singles(self) -> None:
        self._in_single[self._alone_nodes] = self.owner[self._alone_rows]

    def sweep(self, evidence: NDArray[np.float32], inverse_temperature: float = 1.0) -> None:
        """Every pair of animals once, in random order.

        Parameters
        ----------
        evidence : (nodes, animals) array of float32
            Log-likelihood of each animal in each node.
        inverse_temperature : float
            Below 1, evidence counts less: for finding a good state from a random one.
        """
        for number in self._rng.permutation(len(self._rounds)).tolist():
            pair, mate, side = self._rounds[number]
            self._exchange(pair, mate, side, evidence.ravel(), inverse_temperature)

    def _exchange(
        self,
        pair: NDArray[np.int16],
        mate: NDArray[np.int64],
        side: NDArray[np.float64],
        evidence: NDArray[np.float32],
        inverse_temperature: float,
    ) -> None:
        # Rows of one pair after another, each in order of time; both rows of a common node lie next to each other.
        pair_of = pair[self.owner]
        order = np.argsort(pair_of, kind="stable")
        node, owner, pair_of = self.node[order], self.owner[order], pair_of[order]
        begins = np.empty(len(order), bool)
        begins[0] = True
        same_pair = pair_of[1:] == pair_of[:-1]
        second = np.zeros(len(order), bool)
        second[1:] = same_pair & (node[1:] == node[:-1]) & (mate[owner[1:]] == owner[:-1]) & (owner[1:] != owner[:-1])
        begins[1:] = second[1:] | ~same_pair
        common = second.copy()
        common[:-1] |= second[1:]
        segment = np.cumsum(begins) - 1
        at = node * self._animals
        gain = evidence[at + mate[owner]] - evidence[at + owner]
        gain[common] = 0
        field = np.bincount(segment, gain).astype(np.float64) * inverse_temperature
        coupling = np.zeros(len(field))
        met = np.flatnonzero(second & (self._contact[node] >= 0))
        if len(met):
            which = self._contact[node[met]]
            mine = pair_of[met][:, None]
            before, after = self._in_single[self._before[which]], self._in_single[self._after[which]]
            sides = np.where(pair[before] == mine, side[before], 0), np.where(pair[after] == mine, side[after], 0)
            coupling[segment[met]] = -inverse_temperature * np.einsum("cpq,cp,cq->c", self._fit[which], *sides)
        swapped = _sample_chain(field, coupling, self._rng)[segment]
        swapped &= ~common
        rows = order[swapped]
        self.owner[rows] = mate[self.owner[rows]]
        self._note_singles()

    def add_counts(self, counts: NDArray[np.float32]) -> None:
        """Add 1 for each animal in each node to an array (nodes, animals)."""
        counts.ravel()[self.node * self._animals + self.owner] += 1

    def log_weight(self, evidence: NDArray[np.float32]) -> float:
        """Logarithm of the posterior of the present state, up to a constant.

        Parameters
        ----------
        evidence : (nodes, animals) array of float32
        """
        alone = self._in_single[self._before][:, :, None], self._in_single[self._after][:, None]
        same = (alone[0] == alone[1]) & (alone[0] < self._animals)
        of_labels = evidence.ravel()[self.node * self._animals + self.owner].sum(dtype=np.float64)
        return float(of_labels + (self._fit * same).sum())

    def animal_of(self, tracklet: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The animal of each tracklet, and whether the tracklet holds one animal alone."""
        animal = self._in_single[tracklet]
        return animal, animal < self._animals


def _sample_chain(
    field: NDArray[np.float64], coupling: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw bits of a chain exactly.

    Parameters
    ----------
    field : (s,) array of float64
        Log-odds of each bit alone.
    coupling : (s,) array of float64
        Log-weight of a bit that differs from the one before it, over one that does not; 0 cuts the chain.
    """
    # A bit is 1 where the logit of a uniform number is below its log-odds.
    chance = np.log(np.maximum(rng.random(len(field)), 1e-300))
    chance -= np.log(-np.expm1(chance))
    linked = np.flatnonzero(coupling)
    bits = np.append(chance < field, False)
    if not len(linked):
        return bits[:-1]
    # Chains are worked through from their beginnings, all at once: first, second, third bits, and back again.
    place = np.arange(len(field))
    cut = place.copy()
    cut[linked] = -1
    depth = (place - np.maximum.accumulate(cut))[linked]
    order = np.argsort(depth, kind="stable")
    rings = np.split(linked[order], np.cumsum(np.bincount(depth)[1:])[:-1])
    field = np.clip(field, -300, 300)
    for ring in rings:
        before, weight = field[ring - 1], coupling[ring]
        field[ring] += np.logaddexp(weight, before) - np.logaddexp(0, weight + before)
    padded = np.append(coupling, 0.0)
    for ring in rings[::-1]:
        # The bit after it in the chain is drawn already; where there is none, nothing is added.
        after = padded[ring + 1]
        bits[ring] = chance[ring] < field[ring] + np.where(bits[ring + 1], -after, after)
    heads = rings[0] - 1
    after = coupling[rings[0]]
    bits[heads] = chance[heads] < field[heads] + np.where(bits[heads + 1], -after, after)
    return bits[:-1]
