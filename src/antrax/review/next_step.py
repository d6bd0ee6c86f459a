"""The recommended next step in the work on a session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from antrax.labels import Labels
from antrax.review.training_set.files import Count

# With examples from fewer tracklets, a label's images are too much alike.
ENOUGH_TRACKLETS = 5
# An ID of which fewer held-out images are classified right is weak.
GOOD_ACCURACY = 0.9
# With fewer held-out images the share says little.
ENOUGH_IMAGES = 20
# So many new examples, in all and as a share of those that were trained on, make another training worth its time.
MANY_NEW, MANY_NEW_SHARE = 20, 0.05
_NAMED = 5


class Action(StrEnum):
    """Command of the page that carries out a step."""

    LABELS = "labels"
    LABEL = "label"
    TRAIN = "train"
    CLASSIFY = "classify"
    LOOK = "look"
    CHECK = "check"


@dataclass(frozen=True)
class Trained:
    """Training of the session's classifier.

    Parameters
    ----------
    files : int or None
        Example files that there were; None where it does not tell.
    images : mapping of str to int
        Images of each label that were trained on.
    recognised : mapping of str to (int, float)
        By label: number of held-out images, and the share of them classified right.
    """

    files: int | None
    images: Mapping[str, int]
    recognised: Mapping[str, tuple[int, float]]


@dataclass(frozen=True)
class Situation:
    """State of a session.

    Parameters
    ----------
    labels : Labels
    examples : mapping of str to Count
        By label.
    trained : Trained or None
        None where there is no classifier.
    unclassified : int
        Movies with images and without labels.
    outdated : int
        Movies whose labels are older than the classifier.
    movies : int
        Movies with images.
    more_checks : callable
        Returns the number of checks that are still needed to show that fewer than 1 % of the IDs are wrong, and a
        sentence about it. Called only if nothing else is to be done, because counting reads all results.
    """

    labels: Labels
    examples: Mapping[str, Count]
    trained: Trained | None
    unclassified: int
    outdated: int
    movies: int
    more_checks: Callable[[], tuple[int, str]]


@dataclass(frozen=True)
class NextStep:
    """A recommended step.

    Parameters
    ----------
    text : str
        What to do and why, in one or two sentences.
    action : Action or None
        None where nothing more is needed.
    label : str, optional
        Of `Action.LOOK`: the label whose tracklets to look at.
    """

    text: str
    action: Action | None
    label: str | None = None


def next_step(situation: Situation) -> NextStep:
    """Choose the recommended next step.

    In this order: list the labels; label until half of the IDs have examples; train; classify; train again after many
    new examples; classify again; label more of what has few tracklets; of what is recognised worst; check.

    Parameters
    ----------
    situation : Situation

    Returns
    -------
    NextStep
    """
    if not situation.labels.ants:
        return NextStep(
            "List the labels of this experiment: an ID for each animal, and what else is seen.", Action.LABELS
        )
    if situation.trained is None:
        return _first_classifier(situation)
    if situation.unclassified:
        which = (
            "Nothing is classified yet."
            if situation.unclassified == situation.movies
            else f"{situation.unclassified:,} of {situation.movies:,} movies are not classified yet."
        )
        return NextStep(which, Action.CLASSIFY)
    if new := _new_examples(situation):
        return NextStep(f"{new:,} examples were added since the last training: train again.", Action.TRAIN)
    if situation.outdated:
        which = "" if situation.outdated == situation.movies else f" of {situation.outdated:,} movies"
        return NextStep(f"The predicted labels{which} are older than the classifier: classify again.", Action.CLASSIFY)
    return _few_tracklets(situation) or _weakest(situation) or _checks(situation)


def _first_classifier(situation: Situation) -> NextStep:
    ants = situation.labels.ants
    without = [label for label in ants if label not in situation.examples]
    done = len(ants) - len(without)
    if not without:
        return NextStep("All IDs have examples: train the first classifier.", Action.TRAIN)
    if 2 * done < len(ants) or len(situation.examples) < 2:
        return NextStep(
            f"{done} of {len(ants)} IDs have examples. Label tracklets until half of them have, many at once on the "
            "wall (Shift+H; there, G groups look-alikes); then train a first classifier.",
            Action.LABEL,
        )
    return NextStep(
        f"{done} of {len(ants)} IDs have examples, {_named(without)} not yet. A first classifier makes it easier to "
        "find them: train.",
        Action.TRAIN,
    )


def _new_examples(situation: Situation) -> int:
    """Number of examples added since the last training if they are many, else 0."""
    assert situation.trained
    if situation.trained.files is None:
        return 0
    new = sum(count.examples for count in situation.examples.values()) - situation.trained.files
    return new if new >= max(MANY_NEW, MANY_NEW_SHARE * situation.trained.files) else 0


def _few_tracklets(situation: Situation) -> NextStep | None:
    counts = {label: situation.examples.get(label, Count(0, 0)).tracklets for label in situation.labels.ants}
    few = [label for label, count in counts.items() if count < ENOUGH_TRACKLETS]
    if not few:
        return None
    label = min(few, key=lambda label: counts[label])
    others = _named([other for other in few if other != label])
    return NextStep(
        f"{label} has examples of {counts[label]} tracklets, fewer than {ENOUGH_TRACKLETS}"
        f"{f' (so have {others})' if others else ''}: label some that look like it.",
        Action.LOOK,
        label,
    )


def _weakest(situation: Situation) -> NextStep | None:
    """Recommend more examples of the ID with the lowest accuracy; IDs with new examples wait for the next training."""
    assert situation.trained
    weak = {
        label: right
        for label, (images, right) in situation.trained.recognised.items()
        if label in situation.labels.ants
        and images >= ENOUGH_IMAGES
        and right < GOOD_ACCURACY
        and _examples_of(situation, label) <= situation.trained.images.get(label, 0)
    }
    if not weak:
        return None
    label = min(weak, key=lambda label: weak[label])
    return NextStep(
        f"{label} is recognised worst ({100 * weak[label]:.0f}\u00a0% of its held-out images right): label some "
        "tracklets that look like it.",
        Action.LOOK,
        label,
    )


def _checks(situation: Situation) -> NextStep:
    number, sentence = situation.more_checks()
    return NextStep(sentence, Action.CHECK if number else None)


def _examples_of(situation: Situation, label: str) -> int:
    return situation.examples[label].examples if label in situation.examples else 0


def _named(labels: Collection[str]) -> str:
    """List the first labels by name."""
    some = list(labels)[:_NAMED]
    return ", ".join(some) + (" …" if len(labels) > _NAMED else "")
