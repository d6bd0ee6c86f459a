"""Marks on labels, and error rates of the classification."""

from __future__ import annotations

from typing import Literal

from antrax.app.schemas.base import Answer, Counted, Request, Route, Text, Versions
from antrax.app.schemas.tracklets import MarkTold, VerdictChoice
from antrax.review.validation.verdicts import Verdict


class AssignmentRate(Answer):
    """How many tracklets, and frames, got an ID."""

    tracklets: Counted
    frames: Counted


class RateRow(Answer):
    """An error rate with its 95 % intervals; null where there are too few checks."""

    key: str
    title: str
    explain: str
    errors: int
    checked: int
    frames: int
    rate: float | None
    low: float | None
    high: float | None
    frame_rate: float | None
    frame_low: float | None
    frame_high: float | None


class Marked(Answer):
    """Result of marking a tracklet."""

    message: str
    versions: Versions
    verdicts: list[VerdictChoice]
    mark: MarkTold | None
    history: list[MarkTold]


class RatesInfo(Answer):
    """Statistics of the checks so far."""

    assignment: AssignmentRate
    rows: list[RateRow]
    more_checks: int
    more_checks_text: str
    notes: list[str]
    checked: int
    rescored: int
    seen: int
    not_random: int


class MarkRequest(Request):
    """A mark; `label` is the one that the person saw. Null takes a mark back."""

    tracklet: Text
    label: Text
    verdict: Verdict | None = None
    true_label: Text = ""
    met: Text = ""
    who: Text = ""


class RatesRequest(Request):
    """Which marks to count."""

    met: Literal["all", "random"] = "all"
    seen: Literal["all", "unseen"] = "all"


ROUTES: dict[str, Route] = {
    "mark": Route("POST", MarkRequest, Marked),
    "rates": Route("GET", RatesRequest, RatesInfo),
}
