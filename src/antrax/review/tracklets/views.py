"""Filters and orders of tracklets.

The most useful first
---------------------
What a person labels should teach the classifier most. That is a sum, for each classified tracklet, of

- **uncertainty**, 0 to 1: one minus the confidence of the assigned label (uncertainty sampling; Lewis and Gale, 1994,
  Proc. SIGIR: 3–12). For a tracklet left `Unknown` that most looks like something else, that confidence itself: the
  nearer it came to being assigned, the more a label helps. Results of anTraX have no confidences; there, the mean
  probability of an ID stands for it, and a half where there is none.
- **conflict**: 1 for the less confident one of two tracklets that bear one ID at the same time, 1/2 for the other; one
  of them is wrong for sure.
- **rarity**, 0 to 1/2: of the label that it has or most looks like, among the examples that there are; 1/2 without
  any, 1/4 with `RARE` of them.

This is multiplied by n / (n + 5) for n images, for short tracklets are uncertain because there is little to see, and
give few examples. Tracklets without a result come after, the longest first: nothing else is known of them. Those that
have examples already come last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError, StackError
from antrax.io.names import TrackletName
from antrax.labels import UNKNOWN
from antrax.review.tracklets.assignments import Assignment, Assignments
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.colonies import Colonies
from antrax.review.tracklets.same_time import find_conflicts

UNCLASSIFIED = "=unclassified"
ANY_ID = "=ids"
NO_ID = "=noids"
NEW = "=new"
IN_CONFLICT = "=conflicts"
UNCHECKED = "=unchecked"
WRONG = "=wrong"
DISAGREES = "=disagrees"
LIKE = "=like:"
# Examples of a label at which it is half as rare as one without any.
RARE = 100


class Order(StrEnum):
    """Order in which tracklets are shown."""

    RANDOM = "random"
    USEFUL = "useful"
    LONGEST = "longest"
    TIME = "time"
    SUREST = "surest"


@dataclass(frozen=True)
class Filter:
    """Filter of tracklets.

    Parameters
    ----------
    movie : int, optional
        All movies by default.
    label : str
        A label; ``=unclassified``; ``=ids`` for any ID; ``=noids`` for the classified ones without; ``=new`` for those
        without examples; ``=conflicts`` for those with an ID that another has at the same time; ``=unchecked``
        for the classified ones without a mark; ``=wrong`` for those marked as wrong; ``=disagrees`` for those that most
        look like another label than those under which they have examples; ``=like:LABEL`` for
        those of which LABEL is the label, the most probable or the second most probable one; all by default.
    colony : str
        All colonies by default.
    """

    movie: int | None = None
    label: str = ""
    colony: str = ""


@dataclass(frozen=True)
class View:
    """Tracklets that pass a filter, in order."""

    tracklets: tuple[str, ...]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {tracklet: position for position, tracklet in enumerate(self.tracklets)}

    def position(self, tracklet: str) -> int | None:
        """0-based position of a tracklet; None where it is not in this view."""
        return self._positions.get(tracklet)


@dataclass(frozen=True, eq=False)
class Labelling:
    """Which labels are IDs, and what has examples.

    Parameters
    ----------
    ants : collection of str
        Labels that are IDs.
    examples : mapping of str to int
        Number of examples by label, for `Order.USEFUL`.
    tracklets : container of str
        Those that have examples.
    checked : mapping of str to bool
        By tracklet with a mark: whether its label is right.
    labels : mapping of str to frozenset of str
        Labels under which tracklets of this experiment have examples.
    """

    ants: Collection[str] = ()
    examples: Mapping[str, int] = field(default_factory=dict)
    tracklets: Container[str] = ()
    checked: Mapping[str, bool] = field(default_factory=dict)
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)


NO_LABELLING = Labelling()


def make_view(
    catalog: Catalog,
    assignments: Assignments,
    colonies: Colonies,
    filter: Filter,  # noqa: A002  # it is one
    order: Order,
    *,
    seed: int = 0,
    labelling: Labelling = NO_LABELLING,
) -> View:
    """The tracklets that pass a filter, in an order.

    Among all movies, one with damaged images, or with damaged results where these matter, is passed over. Tracklets
    in results of which there are no images are left out.

    Parameters
    ----------
    catalog, assignments, colonies
        Of the same session.
    filter : Filter
    order : Order
    seed : int
        For a random order. Which of two tracklets comes first depends on the seed and their names only: it stays
        when the filter changes or movies are added.
    labelling : Labelling
        Which labels are IDs, and what has examples.

    Returns
    -------
    View
        Maybe of no tracklet.

    Raises
    ------
    ExperimentError, StackError
        The session cannot be read; or a single movie was asked for, which has no images, damaged ones, or damaged
        results.
    """
    single = filter.movie is not None
    movies = catalog.movies if filter.movie is None else (filter.movie,)
    names: list[TrackletName] = []
    said: list[Assignment | None] = []
    conflicts: dict[str, tuple[str, ...]] = {}
    for movie in movies:
        try:
            found = _filtered(catalog, assignments, colonies, filter, movie, labelling)
        except (ExperimentError, StackError):
            if single:
                raise
            continue
        names += found
        results = _results(assignments, movie)
        said += [results.get(name.name) for name in found]
        if order is Order.USEFUL and results:
            conflicts |= find_conflicts(assignments, movie, labelling.ants, colonies)
    if order is Order.RANDOM:
        places = np.argsort(_hashes(names, seed), kind="stable")
    elif order is Order.LONGEST:
        places = np.argsort(-_lengths(names, said), kind="stable")
    elif order is Order.SUREST:
        places = np.argsort(-_certainties(names, said), kind="stable")
    elif order is Order.USEFUL:
        places = _by_usefulness(names, said, conflicts, labelling)
    else:
        places = np.arange(len(names))
    return View(tuple([names[place].name for place in places.tolist()]))


def _results(assignments: Assignments, movie: int) -> Mapping[str, Assignment]:
    """Results of a movie; none if they are damaged, because labelling is possible without them."""
    try:
        return assignments.movie(movie)
    except ExperimentError:
        return {}


def _filtered(
    catalog: Catalog,
    assignments: Assignments,
    colonies: Colonies,
    filter: Filter,  # noqa: A002
    movie: int,
    labelling: Labelling,
) -> Sequence[TrackletName]:
    """The tracklets of a movie that pass the filter, in time."""
    names: Sequence[TrackletName] = catalog.movie(movie).names
    if filter.label == NEW:
        names = [name for name in names if name.name not in labelling.tracklets]
    elif filter.label == IN_CONFLICT:
        contradicted = find_conflicts(assignments, movie, labelling.ants, colonies)
        names = [name for name in names if name.name in contradicted]
    elif filter.label:
        results = assignments.movie(movie)
        names = [name for name in names if _passes(name.name, results.get(name.name), filter.label, labelling)]
    if filter.colony:
        belongs = colonies.of_movie(movie, names)
        names = [name for name in names if belongs[name.name] == filter.colony]
    return names


def _passes(name: str, assignment: Assignment | None, wanted: str, labelling: Labelling) -> bool:
    """Whether a tracklet passes a filter by its label."""
    if assignment is None:
        return wanted == UNCLASSIFIED
    if wanted in (ANY_ID, NO_ID):
        return (assignment.label in labelling.ants) == (wanted == ANY_ID)
    if wanted == UNCHECKED:
        return name not in labelling.checked
    if wanted == WRONG:
        return labelling.checked.get(name) is False
    if wanted == DISAGREES:
        looks_like = assignment.best_label or assignment.label
        return looks_like != UNKNOWN and name in labelling.labels and looks_like not in labelling.labels[name]
    if wanted.startswith(LIKE):
        return wanted.removeprefix(LIKE) in (assignment.label, assignment.best_label, assignment.runner_up)
    return assignment.label == wanted


def _hashes(names: Iterable[TrackletName], seed: int) -> NDArray[np.uint64]:
    start = hashlib.blake2b(str(seed).encode(), digest_size=8)
    digests = []
    for name in names:
        state = start.copy()
        state.update(name.name.encode())
        digests.append(state.digest())
    return np.frombuffer(b"".join(digests), np.uint64)


def _lengths(names: Sequence[TrackletName], said: Sequence[Assignment | None]) -> NDArray[np.float64]:
    """Number of images where the results tell, else of frames; shape (tracklets,)."""
    return np.array(
        [
            name.span if assignment is None or assignment.images is None else assignment.images
            for name, assignment in zip(names, said, strict=True)
        ],
        np.float64,
    )


def _by_usefulness(
    names: Sequence[TrackletName],
    said: Sequence[Assignment | None],
    conflicts: Mapping[str, tuple[str, ...]],
    labelling: Labelling,
) -> NDArray[np.intp]:
    """Places of the tracklets, the most useful first; see the top of this module."""
    pairs = list(zip(names, said, strict=True))
    certainty = {name.name: _certainty(name, assignment) for name, assignment in pairs if assignment}
    usefulness = np.zeros(len(names))
    for place, (name, assignment) in enumerate(pairs):
        if assignment is None:
            continue
        certain = certainty[name.name]
        looks_like = assignment.best_label or assignment.label
        almost = assignment.label == UNKNOWN != looks_like
        conflict = 0.0
        if others := conflicts.get(name.name):
            conflict = 1.0 if any(certainty.get(other, 1.0) >= certain for other in others) else 0.5
        rarity = 0.5 / (1 + labelling.examples.get(looks_like if almost else assignment.label, 0) / RARE)
        usefulness[place] = (certain if almost else 1 - certain) + conflict + rarity
    lengths = _lengths(names, said)
    usefulness *= lengths / (lengths + 5)
    has_examples = np.array([name.name in labelling.tracklets for name in names], bool)
    # those without a result are at 0, the others above
    return np.lexsort((-lengths, -usefulness, has_examples))


def _certainty(name: TrackletName, assignment: Assignment) -> float:
    """Confidence of the best label, 0 to 1."""
    if assignment.confidence is not None:
        return assignment.confidence
    # anTraX's score is a sum of probabilities; at most one image a frame
    return min(1.0, assignment.score / name.span) if assignment.score > 0 else 0.5


def _certainties(names: Sequence[TrackletName], said: Sequence[Assignment | None]) -> NDArray[np.float64]:
    """How sure the assigned label of each is, 0 without a result; shape (tracklets,)."""
    pairs = zip(names, said, strict=True)
    return np.array([_certainty(name, assignment) if assignment else 0.0 for name, assignment in pairs], np.float64)
