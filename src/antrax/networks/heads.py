"""Networks that score the colour at each place of an animal's body, and add the scores up to those of labels.

Of IDs that tell the colours of tags, the last trained layer has one unit for each colour at each place, and one for
each label that tells none; a last dense layer of ones and zeros, which is never trained, adds up the units of each
label. So animals share what is known of a colour, and an ID without examples is known by its colours. Scores of colours
at different places are independent: the probability of an ID is a product over places.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ClassifierError
from antrax.networks.graph import Graph, Weights, with_outputs
from antrax.networks.layers import make_layer
from antrax.tag_codes import TagCodes

_SUM = "sum_of_units"


@dataclass(frozen=True)
class ColorHeads:
    """The units of a network that scores colours.

    Parameters
    ----------
    places : tuple of tuple of str
        Colours at each place: a unit each, in this order.
    others : tuple of str
        Labels with a unit of their own, which follow.
    codes : mapping of str to tuple of str
        Colour at each place, by ID.
    """

    places: tuple[tuple[str, ...], ...]
    others: tuple[str, ...]
    codes: Mapping[str, tuple[str, ...]]

    @property
    def units(self) -> int:
        """Number of units."""
        return sum(map(len, self.places)) + len(self.others)

    @cached_property
    def spans(self) -> tuple[slice, ...]:
        """Units of each place."""
        starts = np.cumsum([0, *map(len, self.places)]).tolist()
        return tuple(slice(start, stop) for start, stop in pairwise(starts))

    @property
    def own(self) -> slice:
        """Units of labels that are no codes."""
        return slice(self.units - len(self.others), self.units)

    def units_of(self, label: str) -> tuple[int, ...]:
        """The units whose scores a label adds up."""
        if label in self.codes:
            colors = zip(self.spans, self.places, self.codes[label], strict=True)
            return tuple(span.start + known.index(color) for span, known, color in colors)
        return (self.own.start + self.others.index(label),)

    def matrix(self, labels: Iterable[str]) -> NDArray[np.float32]:
        """Kernel of the last layer: 1 where a label adds up a unit; shape (units, labels)."""
        columns = []
        for label in labels:
            column = np.zeros(self.units, np.float32)
            column[list(self.units_of(label))] = 1
            columns.append(column)
        return np.stack(columns, 1)

    def renamed(self, names: Mapping[str, str]) -> ColorHeads:
        """With other names of labels, by the old ones."""
        return ColorHeads(
            self.places,
            tuple(names.get(label, label) for label in self.others),
            {names.get(label, label): code for label, code in self.codes.items()},
        )

    def without(self, labels: Collection[str]) -> ColorHeads:
        """Without the codes of some labels; all units stay, also those of labels without a code, under no name."""
        return ColorHeads(
            self.places,
            tuple("" if label in labels else label for label in self.others),
            {label: code for label, code in self.codes.items() if label not in labels},
        )

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the classifier's file."""
        return {
            "places": [list(colors) for colors in self.places],
            "others": list(self.others),
            "codes": {label: list(code) for label, code in self.codes.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ColorHeads:
        """Read what `to_json` gave; raises ValueError, TypeError or KeyError where it is something else."""
        places = tuple(tuple(str(color) for color in colors) for colors in values["places"])
        codes = {str(label): tuple(str(color) for color in code) for label, code in values["codes"].items()}
        if any(
            len(code) != len(places) or not all(color in known for color, known in zip(code, places, strict=True))
            for code in codes.values()
        ):
            raise ValueError("codes of colours that there are not")
        return cls(places, tuple(str(label) for label in values["others"]), codes)


def heads_for(codes: TagCodes, labels: Sequence[str]) -> ColorHeads:
    """The units for labels, of which some are codes."""
    known = {label: codes.codes[label] for label in labels if label in codes.codes}
    return ColorHeads(codes.places, tuple(label for label in labels if label not in known), known)


def regrown_heads(old: ColorHeads, codes: TagCodes | None, labels: Sequence[str]) -> ColorHeads:
    """The units that a classifier which scores colours needs for labels, as these tell their colours now.

    Parameters
    ----------
    old : ColorHeads
        Those that it has.
    codes : TagCodes or None
        What the labels tell; of labels that do not tell as many colours as before, what they told stays.
    labels : sequence of str
    """
    told = codes.codes if codes and len(codes.places) == len(old.places) else {}
    found = {label: told.get(label) or old.codes.get(label) for label in labels}
    kept = {label: code for label, code in found.items() if code}
    others = tuple(label for label in labels if label not in kept)
    return ColorHeads(TagCodes(kept).places if kept else old.places, others, kept)


def known_by_colors(heads: ColorHeads, with_examples: Collection[str], labels: Iterable[str]) -> tuple[str, ...]:
    """Labels without examples of which each colour is shown at its place by a label that has some.

    Parameters
    ----------
    heads : ColorHeads
        Codes of the labels.
    with_examples : collection of str
    labels : iterable of str
        All labels.
    """
    shown = [set(colors) for colors in zip(*(heads.codes[x] for x in with_examples if x in heads.codes), strict=True)]
    return tuple(
        label
        for label in labels
        if label not in with_examples
        and label in heads.codes
        and shown
        and all(color in seen for color, seen in zip(heads.codes[label], shown, strict=True))
    )


def with_sum(trunk: Graph, outputs: int) -> Graph:
    """A network that ends in units, with the layer that adds them up."""
    name = _SUM
    while any(layer.name == name for layer in trunk.layers):
        name += "_"
    last = make_layer("Dense", name, (trunk.layers[-1].name,), units=outputs, use_bias=False)
    return Graph(trunk.name, (*trunk.layers, last))


def without_sum(graph: Graph) -> Graph:
    """What of such a network is trained: its outputs are the units."""
    return Graph(graph.name, graph.layers[:-1])


def sum_weights(graph: Graph, heads: ColorHeads, labels: Iterable[str]) -> Weights:
    """Weights of the last layer of such a network, which are never trained.

    Parameters
    ----------
    graph : Graph
    heads : ColorHeads
        Its units.
    labels : iterable of str
        Its outputs.
    """
    return {f"{graph.layers[-1].name}/kernel": heads.matrix(labels)}


def check_heads(graph: Graph, weights: Weights, heads: ColorHeads, labels: Sequence[str]) -> None:
    """Raise ClassifierError unless a network has these units, and adds them up as their codes say.

    Parameters
    ----------
    graph : Graph
    weights : Weights
    heads : ColorHeads
        What its units are said to be.
    labels : sequence of str
        Its outputs.
    """
    last = graph.layers[-1]
    try:
        fits = last.kind == "Dense" and not last.options["use_bias"]
        fits = fits and np.array_equal(weights[f"{last.name}/kernel"], heads.matrix(labels))
    except ValueError:  # a label without units
        fits = False
    if not fits:
        raise ClassifierError("its network does not add up the colours that its codes tell")


def grown_units(
    trunk: Graph, weights: Weights, old: ColorHeads, old_labels: Sequence[str], new: ColorHeads
) -> tuple[Graph, Weights]:
    """Such a network with other units: what is known of a colour or of a label stays.

    Parameters
    ----------
    trunk : Graph
        The network without the layer that adds up.
    weights : Weights
        Its weights.
    old, new : ColorHeads
        Its units, and those that are wanted.
    old_labels : sequence of str
        The labels that it knows.

    Returns
    -------
    Graph, Weights
        Of the network with the new units. A label that was a code and is none any more scores as it did; colours and
        labels that are new are as improbable as the least probable ones, so nothing is forgotten at the first step.
    """
    layer = trunk.label_layer().name
    transform = np.zeros((old.units, new.units), np.float32)
    unknown: list[tuple[int, slice | None]] = []
    for place, (span, colors) in enumerate(zip(new.spans, new.places, strict=True)):
        for unit, color in enumerate(colors, span.start):
            if place < len(old.places) and color in old.places[place]:
                transform[old.spans[place].start + old.places[place].index(color), unit] = 1
            else:
                unknown.append((unit, old.spans[place] if place < len(old.places) else None))
    for unit, label in enumerate(new.others, new.own.start):
        if label in old_labels:
            transform[list(old.units_of(label)), unit] = 1
        else:
            unknown.append((unit, None))
    grown = dict(weights)
    grown[f"{layer}/kernel"] = np.ascontiguousarray(weights[f"{layer}/kernel"] @ transform)
    if (bias := weights.get(f"{layer}/bias")) is not None:
        moved = bias @ transform
        least = float((bias @ old.matrix(old_labels)).min())
        for unit, others in unknown:
            moved[unit] = least if others is None else float(bias[others].min())
        grown[f"{layer}/bias"] = moved.astype(np.float32)
    return with_outputs(trunk, new.units), grown
