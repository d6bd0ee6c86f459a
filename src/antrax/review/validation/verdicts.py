"""A person's word on the label of a tracklet, and its form as a line of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from antrax.io.names import parse_tracklet_name
from antrax.labels import Category, clean_label
from antrax.review.validation.table import Form, SignedMark, can_be_kept, cell, guarded, plain

COLUMNS = (
    "time",
    "who",
    "movie",
    "tracklet",
    "label",
    "category",
    "confidence",
    "images",
    "verdict",
    "true_label",
    "met",
    "classification",
    # last, for neither of its values is the start of another: a line cut off by a power cut is known as such
    "seen",
)
_TAKEN_BACK = "taken_back"


class Verdict(StrEnum):
    """Verdict on a label."""

    CORRECT = "correct"
    WRONG = "wrong"
    """It should have another ID."""
    NO_ID = "should_not_have_id"
    """No ant, several, or one that cannot be recognised."""
    ANT = "is_ant"
    """A single ant, recognisable or not."""
    NOT_ANT = "not_ant"
    """No single ant: something else, or several."""
    RIGHTLY_UNKNOWN = "rightly_unknown"
    IDENTIFIABLE = "identifiable"


_VERDICTS = {
    Category.ANT: (Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ID),
    Category.NONANT: (Verdict.NOT_ANT, Verdict.ANT),
    Category.MULTI: (Verdict.NOT_ANT, Verdict.ANT),
    Category.UNKNOWN: (Verdict.RIGHTLY_UNKNOWN, Verdict.IDENTIFIABLE, Verdict.NOT_ANT),
}


def verdicts_for(category: Category) -> tuple[Verdict, ...]:
    """What can be said of a label of this kind, that it is right first.

    Of a multi-ant label: that it is not a single ant, or that it is one. Of `Unknown`: also that it is no single ant,
    which is no error of an ID, but tells which label it should have.
    """
    return _VERDICTS[category]


@dataclass(frozen=True)
class Judgement:
    """A verdict on a tracklet's label, with details.

    Parameters
    ----------
    verdict : Verdict or None
        None takes the present mark back.
    true_label : str
        What it is instead, or empty.
    met : str
        How the tracklet came up, see `Mark`.
    who : str
        The person's name.
    """

    verdict: Verdict | None
    true_label: str
    met: str
    who: str


@dataclass(frozen=True)
class Mark(SignedMark):
    """One word of a person on one tracklet.

    Parameters
    ----------
    time : str
        When, UTC, like ``2026-11-05T12:34:56Z``.
    who : str
        The person's name.
    classification : str
        Digest of the movie's results that the person looked at.
    movie : int
    tracklet : str
    label : str
        The label that the person looked at.
    category : Category
        Its kind.
    confidence : float or None
    images : int
        Number of images of the tracklet.
    verdict : Verdict or None
        None takes back what was said before.
    true_label : str
        What it is, where the person told; else empty.
    met : str
        How the tracklet came up: ``random`` where it was sampled at random; else the order of the view, or another way.
    seen : bool
        Whether images of it were in the training set before this classification.
    """

    classification: str
    movie: int
    tracklet: str
    label: str
    category: Category
    confidence: float | None
    images: int
    verdict: Verdict | None
    true_label: str = ""
    met: str = ""
    seen: bool = False


def problem(mark: Mark) -> str | None:
    """Error in a mark itself; None if there is none."""
    name = parse_tracklet_name(mark.tracklet)
    if name is None:
        return f"{mark.tracklet!r} is no name of a tracklet"
    if name.movie != mark.movie:
        return f"the tracklet is of movie {name.movie}, not {mark.movie}"
    if mark.verdict is not None and mark.verdict not in verdicts_for(mark.category):
        return f"{mark.verdict} cannot be said of a label of category {mark.category}"
    if mark.images < 0:
        return f"it cannot have {mark.images} images"
    if mark.confidence is not None and not 0 <= mark.confidence <= 1:
        return f"{mark.confidence} is no confidence"
    if not mark.label or not mark.classification or not mark.time:
        return "label, classification and time must be told"
    for text in (mark.time, mark.who, mark.label, mark.true_label, mark.met, mark.classification):
        if not can_be_kept(text):
            return f"{text!r} has characters that cannot be kept"
    return None


def _to_cells(mark: Mark) -> dict[str, str]:
    return {
        "time": mark.time,
        "who": guarded(mark.who),
        "movie": str(mark.movie),
        "tracklet": mark.tracklet,
        "label": guarded(mark.label),
        "category": mark.category.value,
        "confidence": "" if mark.confidence is None else f"{mark.confidence:.4f}",
        "images": str(mark.images),
        "verdict": mark.verdict.value if mark.verdict else _TAKEN_BACK,
        "true_label": guarded(mark.true_label),
        "met": guarded(mark.met),
        # a bare digest such as 12345678e9012345 would be saved as a rounded number
        "classification": f"c-{mark.classification}",
        "seen": "yes" if mark.seen else "no",
    }


def _from_cells(row: Mapping[str, str]) -> Mark:
    return Mark(
        time=row["time"],
        who=plain(row["who"]),
        classification=row["classification"].removeprefix("c-"),
        movie=cell(row, "movie", int),
        tracklet=row["tracklet"],
        label=clean_label(plain(row["label"])),
        category=cell(row, "category", Category),
        confidence=cell(row, "confidence", float) if row["confidence"] else None,
        images=cell(row, "images", int),
        verdict=None if row["verdict"] == _TAKEN_BACK else cell(row, "verdict", Verdict),
        true_label=clean_label(plain(row["true_label"])),
        met=plain(row["met"]),
        seen=cell(row, "seen", {"yes": True, "no": False}.__getitem__),
    )


FORM: Form[Mark] = Form(
    COLUMNS, _to_cells, _from_cells, problem, lambda mark: mark.tracklet, lambda mark: mark.tracklet
)
