"""The inner loops of sampling, compiled: exchanges between two animals along their ways.

A way is the nodes that an animal visits, in order of time. Nodes that two ways have in common cut time into segments;
between them, the one animal's part of the way may be exchanged for the other's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def exchange(  # noqa: PLR0913  # compiled: it takes arrays only
    pairs: NDArray[np.int64],
    way: NDArray[np.int32],
    length: NDArray[np.int64],
    rank: NDArray[np.int32],
    informative: NDArray[np.bool_],
    evidence: NDArray[np.float32],
    alone: NDArray[np.bool_],
    holder: NDArray[np.int64],
    contact: NDArray[np.int64],
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    fit: NDArray[np.float64],
    inverse_temperature: float,
    rng: np.random.Generator,
) -> None:
    """Draw all exchanges between the animals of each pair anew, one pair after another.

    The bits of a pair, whether to exchange in each segment, are a chain: each has log-odds of its own, and those of
    neighbours are coupled where positions tell something of the contact between them. They are drawn from their exact
    joint distribution by forward filtering and backward sampling.

    Parameters
    ----------
    pairs : (p, 2) array of int64
    way : (animals, nodes) array of int32
        Changed in place.
    length : (animals,) array of int64
        Nodes in each way. Changed in place.
    rank : (nodes,) array of int32
        Place of each node in order of time.
    informative : (nodes,) array of bool
        Nodes whose row in `evidence` is not the same for all animals.
    evidence : (nodes, animals) array of float32
        Log-likelihood of each animal in each node.
    alone : (nodes,) array of bool
        Nodes whose animal is noted in `holder`.
    holder : (nodes + 1,) array of int64
        The animal of each such node; the number of animals where there is none. Changed in place.
    contact : (nodes,) array of int64
        Row in `before`, `after` and `fit`; -1 for none.
    before, after : (c, p) and (c, q) array of int64
        Nodes in which an animal was alone before and after a contact; filled up with the number of nodes.
    fit : (c, p, q) array of float64
        Log-likelihood ratio that the animals of two such nodes are the same.
    inverse_temperature : float
    rng : numpy.random.Generator
    """
    nodes = way.shape[1]
    begin_one, begin_other = np.empty(nodes + 2, np.int64), np.empty(nodes + 2, np.int64)
    odds, coupling = np.empty(nodes + 2), np.empty(nodes + 2)
    bit = np.empty(nodes + 2, np.bool_)
    moved = np.empty(nodes, np.int32)
    for number in range(len(pairs)):
        one, other = pairs[number, 0], pairs[number, 1]
        many, others = length[one], length[other]
        # Segments and their log-odds.
        i, j, segment = 0, 0, 0
        begin_one[0], begin_other[0], coupling[0] = 0, 0, 0.0
        gain = 0.0
        while i < many or j < others:
            if j >= others:
                ahead = -1
            elif i >= many:
                ahead = 1
            else:
                ahead = rank[way[one, i]] - rank[way[other, j]]
            if ahead < 0:
                node = way[one, i]
                if informative[node]:
                    gain += evidence[node, other] - evidence[node, one]
                i += 1
            elif ahead > 0:
                node = way[other, j]
                if informative[node]:
                    gain += evidence[node, one] - evidence[node, other]
                j += 1
            else:
                odds[segment] = gain * inverse_temperature
                gain = 0.0
                which = contact[way[one, i]]
                i += 1
                j += 1
                segment += 1
                begin_one[segment], begin_other[segment] = i, j
                tied = 0.0
                if which >= 0:
                    for p in range(before.shape[1]):
                        came = holder[before[which, p]]
                        if came not in (one, other):
                            continue
                        for q in range(after.shape[1]):
                            went = holder[after[which, q]]
                            if went in (one, other):
                                tied += fit[which, p, q] if came == went else -fit[which, p, q]
                coupling[segment] = -tied * inverse_temperature
        odds[segment] = gain * inverse_temperature
        segments = segment + 1
        begin_one[segments], begin_other[segments] = many, others
        # Forward: log-odds given everything before.
        for s in range(1, segments):
            tie = coupling[s]
            if tie != 0.0:
                past = odds[s - 1]
                odds[s] += (
                    max(tie, past)
                    + math.log1p(math.exp(-abs(tie - past)))
                    - max(0.0, tie + past)
                    - math.log1p(math.exp(-abs(tie + past)))
                )
        # Backward: drawn given what comes after.
        changed = False
        for s in range(segments - 1, -1, -1):
            logit = odds[s]
            if s + 1 < segments and coupling[s + 1] != 0.0:
                logit += -coupling[s + 1] if bit[s + 1] else coupling[s + 1]
            if logit > 30.0:
                bit[s] = True
            elif logit < -30.0:
                bit[s] = False
            else:
                bit[s] = rng.random() * (1.0 + math.exp(-logit)) < 1.0
            changed = changed or bit[s]
        if not changed:
            continue
        # Both ways anew. The nodes at the ends of segments are common to both.
        to_one, to_other = 0, 0
        for i in range(many):
            moved[i] = way[one, i]
        kept = way[other, :others].copy()
        for s in range(segments):
            from_one, from_other = begin_one[s], begin_other[s]
            end_one, end_other = begin_one[s + 1], begin_other[s + 1]
            common = s + 1 < segments
            if common:
                end_one -= 1
                end_other -= 1
            if bit[s]:
                for i in range(from_one, end_one):
                    way[other, to_other] = moved[i]
                    to_other += 1
                    if alone[moved[i]]:
                        holder[moved[i]] = other
                for j in range(from_other, end_other):
                    way[one, to_one] = kept[j]
                    to_one += 1
                    if alone[kept[j]]:
                        holder[kept[j]] = one
            else:
                for i in range(from_one, end_one):
                    way[one, to_one] = moved[i]
                    to_one += 1
                for j in range(from_other, end_other):
                    way[other, to_other] = kept[j]
                    to_other += 1
            if common:
                way[one, to_one] = moved[end_one]
                way[other, to_other] = kept[end_other]
                to_one += 1
                to_other += 1
        length[one], length[other] = to_one, to_other


def count(way: NDArray[np.int32], length: NDArray[np.int64], counts: NDArray[np.float32]) -> None:
    """Add 1 for each animal in each node.

    Parameters
    ----------
    way, length
        As for `exchange`.
    counts : (nodes, animals) array of float32
        Changed in place.
    """
    for animal in range(len(length)):
        for i in range(length[animal]):
            counts[way[animal, i], animal] += 1.0


def total(way: NDArray[np.int32], length: NDArray[np.int64], evidence: NDArray[np.float32]) -> float:
    """Sum of the evidence of each animal in each node.

    Parameters
    ----------
    way, length, evidence
        As for `exchange`.
    """
    found = 0.0
    for animal in range(len(length)):
        for i in range(length[animal]):
            found += evidence[way[animal, i], animal]
    return found
