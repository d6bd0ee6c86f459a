"""Plan of an experiment's tracklets: label, animals, movie and time of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from antrax.demo.ants import IDS

NOTHING, SEVERAL, UNREADABLE = "NoAnt", "Multi", "Unknown"
LABELS = (*IDS, NOTHING, SEVERAL, UNREADABLE)
#: Pieces of debris in each movie.
DEBRIS_ITEMS = 10

_SHARE_OF_OTHERS = 0.1
_SHARE_OF_SHORT = 0.25
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class TrackletPlan:
    """One tracklet.

    Attributes
    ----------
    movie
        Index of the movie, from 1.
    identity
        The k of its name; free again when the tracklet has ended.
    first, last
        First and last frame in the movie, from 1, inclusive.
    label
        Its label.
    members
        Indices of those in the blob: in `IDS`, or, above those, pieces of debris.
    """

    movie: int
    identity: int
    first: int
    last: int
    label: str
    members: tuple[int, ...]

    @property
    def name(self) -> str:
        """The tracklet's name, unique in the experiment."""
        return f"trj_id{self.identity}_ti{self.movie}_{self.first}_tf{self.movie}_{self.last}"

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.last - self.first + 1


def movies_with_examples(movies: int) -> int:
    """Number of movies, from the first, that give examples: half, so that the others can be tested on."""
    return max(1, movies // 2)


def plan_experiment(movies: int, tracklets: int, max_frames: int, rng: np.random.Generator) -> list[TrackletPlan]:
    """Plan all tracklets, ordered by movie and time.

    Parameters
    ----------
    movies
        Number of movies.
    tracklets
        Tracklets a movie, on average.
    max_frames
        Length of the longest tracklet.
    rng
        Random generator.

    Returns
    -------
    list of TrackletPlan
        The movies that give examples have, together, two tracklets or more of each label
        wherever the total allows it.
    """
    taught = movies_with_examples(movies)
    total = movies * tracklets
    rest = movies - taught
    # With few tracklets the movies with examples get more than their part, for each label is to
    # be there twice: one tracklet to learn from and another to check on.
    first_part = max(taught * tracklets, min(2 * len(LABELS), total - rest))
    plans: list[TrackletPlan] = []
    for movie_numbers, count in (
        (range(1, taught + 1), first_part),
        (range(taught + 1, movies + 1), total - first_part),
    ):
        items = _label_tracklets(count, max_frames, rng)
        for place, movie in enumerate(movie_numbers):
            share = slice(place * count // len(movie_numbers), (place + 1) * count // len(movie_numbers))
            plans += _schedule(movie, items[share], rng)
    return plans


def _label_tracklets(count: int, max_frames: int, rng: np.random.Generator) -> list[tuple[str, int]]:
    """Label and number of frames of `count` tracklets, the labels spread evenly over the list."""
    others = min(round(_SHARE_OF_OTHERS * count), max(0, count - 2 * len(IDS)) // 3)
    others = max(others, count // len(LABELS), min(1, count // 4))
    ids = [IDS[place] for place in rng.permutation(len(IDS))]
    numbers = Counter(ids[place % len(ids)] for place in range(count - 3 * others))
    numbers.update({NOTHING: others, SEVERAL: others, UNREADABLE: others})
    items = []
    for place, (label, number) in enumerate(numbers.items()):
        # Steps of the golden ratio keep a label's tracklets from being all short or all long.
        lengths = (rng.random() + _GOLDEN * np.arange(number)) % 1.0
        for rank, quantile in enumerate(lengths.tolist()):
            when = (rank + (place + 1) / (len(numbers) + 1)) / number
            items.append((when, label, _frames(quantile, max_frames)))
    return [(label, frames) for _, label, frames in sorted(items)]


def _frames(quantile: float, max_frames: int) -> int:
    """Length at a quantile: a quarter are of 1 to 3 frames, the others about log-uniform."""
    if quantile < _SHARE_OF_SHORT:
        return min(max_frames, 1 + int(3 * quantile / _SHARE_OF_SHORT))
    if max_frames < 4:
        return max_frames
    part = (quantile - _SHARE_OF_SHORT) / (1 - _SHARE_OF_SHORT)
    frames = 4 * math.exp(part**1.8 * math.log((max_frames + 1) / 4))
    return min(max_frames, round(frames))


def _schedule(movie: int, items: Sequence[tuple[str, int]], rng: np.random.Generator) -> list[TrackletPlan]:
    """Give tracklets their members and times, so that nobody is in two places at once."""
    free = [1] * (len(IDS) + DEBRIS_ITEMS)
    spans = []
    for place in rng.permutation(len(items)).tolist():
        label, frames = items[place]
        members = _choose_members(label, rng)
        first = max(free[member] for member in members) + int(rng.exponential(25.0))
        for member in members:
            # Two frames in between: the tracker lost it, or it was part of another blob.
            free[member] = first + frames + 2
        spans.append((first, first + frames - 1, label, members))
    plans: list[TrackletPlan] = []
    busy_until: list[int] = []
    for first, last, label, members in sorted(spans):
        identity = next((k for k, end in enumerate(busy_until) if end < first), len(busy_until))
        busy_until[identity : identity + 1] = [last]
        plans.append(TrackletPlan(movie, identity + 1, first, last, label, members))
    return plans


def _choose_members(label: str, rng: np.random.Generator) -> tuple[int, ...]:
    """Choose the members of a tracklet of `label`."""
    if label == NOTHING:
        return (len(IDS) + int(rng.integers(DEBRIS_ITEMS)),)
    if label == UNREADABLE:
        return (int(rng.integers(len(IDS))),)
    if label == SEVERAL:
        crowd = 3 if rng.random() < 0.2 else 2
        return tuple(rng.choice(len(IDS), crowd, replace=False).tolist())
    return (IDS.index(label),)
