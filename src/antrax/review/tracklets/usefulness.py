"""Ranking of tracklets by what their labels would teach the classifier.

The usefulness of a classified tracklet is a sum of

- **uncertainty**, 0 to 1: one minus the confidence of the assigned label (uncertainty sampling; Lewis and Gale, 1994,
  Proc. SIGIR: 3–12). For a tracklet left `Unknown` that most looks like something else, that confidence itself: the
  nearer it came to being assigned, the more a label helps. Results of anTraX have no confidences; there, the mean
  probability of an ID stands for it, and a half where there is none.
- **conflict**: 1 for the less confident one of two tracklets that bear one ID at the same time, 1/2 for the other; one
  of them is wrong for sure.
- **rarity**, 0 to 1/2: of the label that it has or most looks like, among the examples that there are; 1/2 without
  any, 1/4 with `RARE` of them.

It is multiplied by n / (n + 5) for n images, for short tracklets are uncertain because there is little to see, and
give few examples; and by `FADE` to the power of k for the tracklet in place k (from 0) among those that look like the
same label, so that the first ones are of different labels. Tracklets without a result come after, the longest first:
nothing else is known of them. Those that have examples already come last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from antrax.io.names import TrackletName
from antrax.labels import UNKNOWN
from antrax.review.tracklets.assignments import Assignment

# Examples of a label at which it is half as rare as one without any.
RARE = 100
# Tracklets of one label teach less after each other: after seven of them, half.
FADE = 0.9


def by_usefulness(
    names: Sequence[TrackletName],
    said: Sequence[Assignment | None],
    conflicts: Mapping[str, tuple[str, ...]],
    examples: Mapping[str, int],
    labelled: Container[str],
) -> NDArray[np.intp]:
    """Order tracklets, the most useful first; see the top of this module.

    Parameters
    ----------
    names : sequence of TrackletName
    said : sequence of Assignment or None
        Their results; None for those without.
    conflicts : mapping of str to tuple of str
        By tracklet, others that bear its ID at the same time.
    examples : mapping of str to int
        Number of examples by label.
    labelled : container of str
        Tracklets that have examples.

    Returns
    -------
    NDArray[np.intp]
        Places in `names`, shape (tracklets,).
    """
    pairs = list(zip(names, said, strict=True))
    certainties_ = {name.name: certainty(name, assignment) for name, assignment in pairs if assignment}
    usefulness = np.zeros(len(names))
    looks = [""] * len(names)
    for place, (name, assignment) in enumerate(pairs):
        if assignment is None:
            continue
        certain = certainties_[name.name]
        looks[place] = looks_like(assignment)
        almost = is_almost_assigned(assignment)
        conflict = 0.0
        if others := conflicts.get(name.name):
            conflict = 1.0 if any(certainties_.get(other, 1.0) >= certain for other in others) else 0.5
        rarity = 0.5 / (1 + examples.get(looks[place] if almost else assignment.label, 0) / RARE)
        usefulness[place] = (certain if almost else 1 - certain) + conflict + rarity
    lengths = lengths_of(names, said)
    usefulness *= lengths / (lengths + 5)
    has_examples = np.array([name.name in labelled for name in names], bool)
    _fade(usefulness, looks, np.lexsort((-lengths, -usefulness, has_examples)))
    # those without a result are at 0, the others above
    return np.lexsort((-lengths, -usefulness, has_examples))


def _fade(usefulness: NDArray[np.float64], looks: Sequence[str], order: NDArray[np.intp]) -> None:
    """Make tracklets less useful after others of their label, in place."""
    before: Counter[str] = Counter()
    for place in order.tolist():
        usefulness[place] *= FADE ** before[looks[place]]
        before[looks[place]] += 1


def looks_like(assignment: Assignment) -> str:
    """The most probable label of a tracklet."""
    return assignment.best_label or assignment.label


def is_almost_assigned(assignment: Assignment) -> bool:
    """Whether a tracklet was left `Unknown` although it most looks like something else."""
    return assignment.label == UNKNOWN != looks_like(assignment)


def certainty(name: TrackletName, assignment: Assignment) -> float:
    """Confidence of the best label, 0 to 1."""
    if assignment.confidence is not None:
        return assignment.confidence
    # anTraX's score is a sum of probabilities; at most one image a frame
    return min(1.0, assignment.score / name.span) if assignment.score > 0 else 0.5


def certainties(names: Sequence[TrackletName], said: Sequence[Assignment | None]) -> NDArray[np.float64]:
    """Confidence of the best label of each, 0 without a result; shape (tracklets,)."""
    pairs = zip(names, said, strict=True)
    return np.array([certainty(name, assignment) if assignment else 0.0 for name, assignment in pairs], np.float64)


def lengths_of(names: Sequence[TrackletName], said: Sequence[Assignment | None]) -> NDArray[np.float64]:
    """Number of images where the results tell, else of frames; shape (tracklets,)."""
    return np.array(
        [
            name.span if assignment is None or assignment.images is None else assignment.images
            for name, assignment in zip(names, said, strict=True)
        ],
        np.float64,
    )
