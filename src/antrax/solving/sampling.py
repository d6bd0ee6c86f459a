"""Sampling of who was in which tracklet, by exchanges between pairs of animals.

The state gives each tracklet its animals; how many it holds is fixed (`antrax.solving.numbers`). Whenever two animals
are in the same tracklet, the ways they took before and after may be exchanged, and every state that is possible stays
so. Seen by one pair, time falls into segments from one common tracklet to the next, and an exchange in each is decided
by the evidence in it, and by how well the animals' positions before and after a contact fit. All segments of a pair are
drawn at once from their exact conditional distribution (a chain of two states: forward filtering, backward sampling;
`antrax.solving.exchanges`). That is blocked Gibbs sampling of the joint posterior of all identities.

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
from antrax.machine_code import compiled
from antrax.solving.exchanges import count, exchange, total
from antrax.solving.numbers import Numbers


@dataclass(frozen=True, eq=False)
class Contacts:
    """Contacts for which positions give evidence on identities.

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


class Sampler:
    """A Markov chain over assignments of animals to tracklets, whose equilibrium is the posterior.

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
        nodes, count = occupancy.nodes, len(single)
        self.nodes = nodes
        self._animals, self.rng = animals, rng
        self._pairs = np.stack(np.triu_indices(animals, 1), axis=1).astype(np.int64)
        self._rank = np.empty(nodes, np.int32)
        self._rank[occupancy.node] = np.arange(len(occupancy.node))
        self._way = np.zeros((animals, nodes), np.int32)
        self._length = np.zeros(animals, np.int64)
        for animal in range(animals):
            own = occupancy.node[occupancy.animal == animal]
            self._way[animal, : len(own)], self._length[animal] = own, len(own)
        held = np.bincount(occupancy.node, minlength=nodes)
        self._alone = np.zeros(nodes, np.bool_)
        self._alone[:count] = single & (held[:count] == 1)
        # The animal of each single tracklet; `animals` stands for none.
        self._holder = np.full(nodes + 1, animals, np.int64)
        here = self._alone[occupancy.node]
        self._holder[occupancy.node[here]] = occupancy.animal[here]
        self._contact = np.full(nodes, -1, np.int64)
        self._contact[contacts.tracklet] = np.arange(len(contacts.tracklet))
        self._before = np.where(contacts.before < count, contacts.before, nodes)
        self._after = np.where(contacts.after < count, contacts.after, nodes)
        self._fit = contacts.fit

    def sweep(
        self, evidence: NDArray[np.float32], informative: NDArray[np.bool_], inverse_temperature: float = 1.0
    ) -> None:
        """Every pair of animals once, in random order.

        Parameters
        ----------
        evidence : (nodes, animals) array of float32
            Log-likelihood of each animal in each node.
        informative : (nodes,) array of bool
            Nodes whose row in it is not the same for all animals.
        inverse_temperature : float
            Below 1, evidence counts less: for finding a good state from a random one.
        """
        compiled(exchange)(
            self.rng.permutation(self._pairs), self._way, self._length, self._rank, informative, evidence,
            self._alone, self._holder, self._contact, self._before, self._after, self._fit,
            float(inverse_temperature), self.rng,
        )  # fmt: skip

    def add_counts(self, counts: NDArray[np.float32]) -> None:
        """Add 1 for each animal in each node to an array (nodes, animals)."""
        compiled(count)(self._way, self._length, counts)

    def log_weight(self, evidence: NDArray[np.float32]) -> float:
        """Logarithm of the posterior of the present state, up to a constant.

        Parameters
        ----------
        evidence : (nodes, animals) array of float32
        """
        alone = self._holder[self._before][:, :, None], self._holder[self._after][:, None]
        same = (alone[0] == alone[1]) & (alone[0] < self._animals)
        return float(compiled(total)(self._way, self._length, evidence) + (self._fit * same).sum())

    def animal_of(self, tracklet: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The animal of each tracklet, and whether the tracklet holds one animal alone."""
        animal = self._holder[tracklet]
        return animal, animal < self._animals
