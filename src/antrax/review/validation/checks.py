"""Evaluation of the present classification by marks, including those on earlier classifications. Pure.

A mark says something of the tracklet itself, and that stays true when the tracklet is classified anew:

| verdict, on label L | a single ant? | identifiable? | its ID |
|---|---|---|---|
| correct | yes | yes | L |
| wrong | yes | yes | the true label; not told: not L |
| should not have an ID | not told | no | |
| not an ant | no | no | |
| is an ant | yes | if the true label is an ID: yes; if `Unknown`: no; else not told | the true label |
| rightly unknown | not told | no | |
| identifiable | yes | yes | the true label, where told |

*Not an ant* can also be said of `Unknown`: it is no single ant, and so rightly without an ID.

A true label of a non-ant or multi-ant category says besides that it is no single ant. A true label that
contradicts the verdict is not believed. And what is true says of a new label:

| new label | told by | verdict |
|---|---|---|
| an ID | not identifiable; its ID is this; is another one, or not this one | should not have an ID; correct; wrong |
| non-ant or multi-ant | a single ant; none | is an ant; not an ant |
| `Unknown` | identifiable; not | identifiable; rightly unknown |

Whatever else is not told. Where the label has stayed as it was, so has the verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from antrax.labels import Category, guess_category
from antrax.review.validation.verdicts import Mark, Verdict, verdicts_for


@dataclass(frozen=True)
class Check:
    """Whether the present label of a tracklet is right.

    Parameters
    ----------
    category : Category
        Kind of the label.
    verdict : Verdict
        Whether it is right.
    images : int
        Images of the tracklet.
    rescored : bool
        The mark was given on an earlier classification.
    random : bool
        Chance alone chose the tracklet.
    seen : bool
        Images of it were, or may have been, in the training set before the classification.
    tracklet : str
        Its name.
    """

    category: Category
    verdict: Verdict
    images: int
    rescored: bool
    random: bool
    seen: bool
    tracklet: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the label is the right one."""
        return self.verdict is verdicts_for(self.category)[0]


@dataclass(frozen=True)
class _Truth:
    """Truth about a tracklet that a mark implies; None and the empty label if nothing."""

    single_ant: bool | None = None
    identifiable: bool | None = None
    label: str = ""
    other_than: str = ""


def _truth(mark: Mark, categories: Mapping[str, Category] | None) -> _Truth:
    kind = _kind(mark.true_label, categories) if mark.true_label else None
    told_id = mark.true_label if kind is Category.ANT else ""
    no_single_ant = kind in (Category.NONANT, Category.MULTI)
    match mark.verdict:
        case Verdict.CORRECT:
            return _Truth(True, True, mark.label)
        case Verdict.WRONG if told_id and told_id != mark.label:
            return _Truth(True, True, told_id)
        case Verdict.WRONG if kind in (Category.NONANT, Category.MULTI, Category.UNKNOWN):
            # the person meant that it should not have an ID
            return _Truth(False if no_single_ant else None, False)
        case Verdict.WRONG:
            return _Truth(True, True, other_than=mark.label)
        case Verdict.NO_ID | Verdict.RIGHTLY_UNKNOWN:
            return _Truth(False if no_single_ant else None, False)
        case Verdict.NOT_ANT:
            return _Truth(False, False)
        case Verdict.ANT:
            return _Truth(True, True if told_id else False if kind is Category.UNKNOWN else None, told_id)
        case Verdict.IDENTIFIABLE:
            return _Truth(True, True, told_id)
    return _Truth()


def _kind(label: str, categories: Mapping[str, Category] | None) -> Category | None:
    return guess_category(label) if categories is None else categories.get(label)


def rescore(
    mark: Mark, label: str, category: Category, categories: Mapping[str, Category] | None = None
) -> Verdict | None:
    """Verdict that a mark implies for another label of the same tracklet; see the tables at the top of the module.

    Parameters
    ----------
    mark : Mark
    label : str
        The label that the tracklet has now.
    category : Category
        Its kind.
    categories : mapping of str to Category, optional
        All labels of the experiment. An ID that is not among them any more (renamed, removed) says nothing of the
        others. By default kinds are guessed from names.

    Returns
    -------
    Verdict or None
        None where it does not tell.
    """
    if label == mark.label:
        return mark.verdict if mark.verdict in verdicts_for(category) else None
    truth = _truth(mark, categories)
    match category:
        case Category.ANT:
            if truth.identifiable is False:
                return Verdict.NO_ID
            if truth.label == label:
                return Verdict.CORRECT
            known = truth.label and _kind(truth.label, categories) is Category.ANT
            return Verdict.WRONG if known or truth.other_than == label else None
        case Category.UNKNOWN:
            told, yes, no = truth.identifiable, Verdict.IDENTIFIABLE, Verdict.RIGHTLY_UNKNOWN
        case _:
            told, yes, no = truth.single_ant, Verdict.ANT, Verdict.NOT_ANT
    return None if told is None else yes if told else no


def last_word(
    history: Sequence[Mark],
    classification: str | None,
    label: str,
    category: Category,
    categories: Mapping[str, Category] | None = None,
) -> tuple[Mark, Verdict] | None:
    """The mark to believe of a tracklet, and what it says of the label as it is now.

    That is the last one of this classification. Where there is none, it is the newest of the others that tells anything
    and does not contradict a newer one. Who takes a mark back takes back what was said in the same classification; who
    has said nothing in it takes back everything before.

    Parameters
    ----------
    history : sequence of Mark
        Of one tracklet, the latest last.
    classification : str or None
        Digest of the movie's results as they are now.
    label, category : str, Category
        The label that the tracklet has now.
    categories : mapping of str to Category, optional
        See `rescore`.
    """
    newer: list[Mark] = []
    newest_first = _standing(history)[::-1]
    newest_first.sort(key=lambda mark: mark.classification != classification)
    for mark in newest_first:
        verdict = rescore(mark, label, category, categories)
        contradicted = any(
            rescore(mark, other.label, other.category, categories) not in (None, other.verdict) for other in newer
        )
        if verdict and not contradicted:
            return mark, verdict
        newer.append(mark)
    return None


def _standing(history: Sequence[Mark]) -> list[Mark]:
    """The last mark of each classification that was not taken back, in the order in which they were given."""
    standing: list[Mark] = []
    for mark in history:
        others = [other for other in standing if other.classification != mark.classification]
        something_to_take_back = len(others) < len(standing)
        if mark.verdict:
            others.append(mark)
        elif not something_to_take_back:
            others = []
        standing = others
    return standing


def collect_checks(
    marks: Iterable[Mark],
    assignment_of: Callable[[str], tuple[str, Category] | None],
    classification_of: Callable[[int], str | None],
    categories: Mapping[str, Category] | None = None,
    seen_of: Callable[[str], bool] | None = None,
) -> list[Check]:
    """What is known of the labels as they are now: one check a tracklet, from the `last_word` on it.

    Parameters
    ----------
    marks : iterable of Mark
        In the order in which they were given.
    assignment_of : callable
        Label and kind that a tracklet has now; None where it is not classified.
    classification_of : callable
        Digest of a movie's results as they are now; None where it is not classified.
    categories : mapping of str to Category, optional
        See `rescore`.
    seen_of : callable, optional
        Whether images of a tracklet were in the training set before the classification as it is now; asked for
        earlier marks only, for much may have been labelled since. Without it they all count as seen.
    """
    histories: dict[str, list[Mark]] = {}
    for mark in marks:
        histories.setdefault(mark.tracklet, []).append(mark)
    checks = []
    for tracklet, history in histories.items():
        assignment = assignment_of(tracklet)
        if assignment is None:
            continue
        classification = classification_of(history[-1].movie)
        word = last_word(history, classification, *assignment, categories)
        if word is None:
            continue
        mark, verdict = word
        rescored = mark.classification != classification
        seen = mark.seen or (rescored and (seen_of is None or seen_of(tracklet)))
        checks.append(Check(assignment[1], verdict, mark.images, rescored, mark.met == "random", seen, tracklet))
    return checks
