"""Filters and orders of tracklets."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError, StackError
from antrax.io.groups_file import TrackletGroups
from antrax.io.names import TrackletName
from antrax.labels import UNKNOWN, Labels
from antrax.review.tracklets.assignments import Assignment, Assignments
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.colonies import Colonies
from antrax.review.tracklets.lookalikes import by_likeness, group_number
from antrax.review.tracklets.same_time import find_conflicts
from antrax.review.tracklets.usefulness import by_usefulness, certainties, lengths_of, looks_like

if TYPE_CHECKING:
    from antrax.review.training_set.editing import Examples

UNCLASSIFIED = "=unclassified"
ANY_ID = "=ids"
NO_ID = "=noids"
NEW = "=new"
IN_CONFLICT = "=conflicts"
UNCHECKED = "=unchecked"
WRONG = "=wrong"
DISAGREES = "=disagrees"
FLAGGED = "=flagged"
LIKE = "=like:"
BELOW = "=below:"
NAMED = "=named:"


class Order(StrEnum):
    """Order in which tracklets are shown."""

    RANDOM = "random"
    USEFUL = "useful"
    LONGEST = "longest"
    TIME = "time"
    SUREST = "surest"
    CONFLICTS = "conflicts"
    LIKENESS = "likeness"


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
        look like another label than those under which they have examples; ``=flagged`` for those with a person's flag;
        ``=like:LABEL`` for those of which LABEL is the label, the most probable or the second most probable one;
        ``=below:P`` for those with a confidence below P per cent; ``=named:TEXT`` for those with this text in their
        names; ``=group:N`` for those of a group of look-alikes, ``=group:0`` for those that are in none; all by
        default.
    colony : str
        All colonies by default.
    like : str
        Of `Order.LIKENESS`: the tracklet that others are compared with; the middle of each group by default.
    """

    movie: int | None = None
    label: str = ""
    colony: str = ""
    like: str = ""


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
    flagged : container of str
        Tracklets with a flag.
    groups : TrackletGroups or None
        Groups of look-alikes.
    """

    ants: Collection[str] = ()
    examples: Mapping[str, int] = field(default_factory=dict)
    tracklets: Container[str] = ()
    checked: Mapping[str, bool] = field(default_factory=dict)
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    flagged: Container[str] = ()
    groups: TrackletGroups | None = None


NO_LABELLING = Labelling()


def labelling_of(labels: Labels, examples: Examples, /, **asked: Any) -> Labelling:
    """The labelling of a session as it is now.

    Parameters
    ----------
    labels : Labels
    examples : Examples
        Refreshed.
    **asked : object
        Fields of `Labelling` that only some filters need.
    """
    counts = {label: count.examples for label, count in examples.counts().items()}
    return Labelling(frozenset(labels.ants), counts, examples.tracklet_names(), **asked)


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
        if order in (Order.USEFUL, Order.CONFLICTS) and results:
            conflicts |= find_conflicts(assignments, movie, labelling.ants, colonies)
    if order is Order.RANDOM:
        places = np.argsort(_hashes(names, seed), kind="stable")
    elif order is Order.LONGEST:
        places = np.argsort(-lengths_of(names, said), kind="stable")
    elif order is Order.SUREST:
        places = np.argsort(-certainties(names, said), kind="stable")
    elif order is Order.USEFUL:
        places = by_usefulness(names, said, conflicts, labelling.examples, labelling.tracklets)
    elif order is Order.LIKENESS:
        places = by_likeness(names, said, labelling.groups, (filter.like, _result_of(assignments, filter.like)))
    elif order is Order.CONFLICTS:
        places = _by_conflicts(names, conflicts)
    else:
        places = np.arange(len(names))
    return View(tuple([names[place].name for place in places.tolist()]))


def _results(assignments: Assignments, movie: int) -> Mapping[str, Assignment]:
    """Results of a movie; none if they are damaged, because labelling is possible without them."""
    try:
        return assignments.movie(movie)
    except ExperimentError:
        return {}


def _result_of(assignments: Assignments, tracklet: str) -> Assignment | None:
    """Result of a tracklet; None where there is none that can be read."""
    try:
        return assignments.of(tracklet) if tracklet else None
    except ExperimentError:
        return None


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
    elif filter.label == FLAGGED:
        names = [name for name in names if name.name in labelling.flagged]
    elif (number := group_number(filter.label)) is not None:
        groups = labelling.groups
        names = [name for name in names if groups is not None and groups.group_of(name.name) == number]
    elif filter.label == IN_CONFLICT:
        contradicted = find_conflicts(assignments, movie, labelling.ants, colonies)
        names = [name for name in names if name.name in contradicted]
    elif filter.label.startswith(NAMED):
        text = filter.label.removeprefix(NAMED)
        names = [name for name in names if text in name.name]
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
        looks = looks_like(assignment)
        return looks != UNKNOWN and name in labelling.labels and looks not in labelling.labels[name]
    if wanted.startswith(BELOW):
        limit = wanted.removeprefix(BELOW)
        sure = assignment.confidence
        return limit.isdecimal() and sure is not None and sure < int(limit) / 100
    if wanted.startswith(LIKE):
        return wanted.removeprefix(LIKE) in (assignment.label, assignment.best_label, assignment.runner_up)
    return assignment.label == wanted


def _by_conflicts(names: Sequence[TrackletName], conflicts: Mapping[str, Sequence[str]]) -> NDArray[np.int64]:
    """Order in which tracklets of one conflict follow each other, the conflict of most frames first.

    Parameters
    ----------
    names : sequence of TrackletName
        In time.
    conflicts : mapping of str to sequence of str
        By tracklet, others with the same ID at the same time.
    """
    places = {name.name: place for place, name in enumerate(names)}
    group = np.full(len(names), -1)
    frames: list[int] = []  # that tracklets of a group share, in all
    for place, name in enumerate(names):
        if group[place] >= 0 or name.name not in conflicts:
            continue
        waiting, shared = [place], 0
        group[place] = len(frames)
        while waiting:
            one = names[waiting.pop()]
            for other in conflicts.get(one.name, ()):
                there = places.get(other)
                if there is None:
                    continue
                shared += min(one.last, names[there].last) - max(one.first, names[there].first) + 1
                if group[there] < 0:
                    group[there] = len(frames)
                    waiting.append(there)
        frames.append(shared)
    weights = np.array([frames[number] if number >= 0 else -1 for number in group.tolist()], np.int64)
    return np.lexsort((np.arange(len(names)), group, -weights))


def _hashes(names: Iterable[TrackletName], seed: int) -> NDArray[np.uint64]:
    start = hashlib.blake2b(str(seed).encode(), digest_size=8)
    digests = []
    for name in names:
        state = start.copy()
        state.update(name.name.encode())
        digests.append(state.digest())
    return np.frombuffer(b"".join(digests), np.uint64)
