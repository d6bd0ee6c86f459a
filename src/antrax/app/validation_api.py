"""Validation as the page shows it: marks on tracklets, and the error rates that follow from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from antrax.errors import ExperimentError, OptionError
from antrax.io.names import TrackletName, parse_tracklet_name
from antrax.io.results import autoids_file
from antrax.io.session import Session
from antrax.labels import Category, Labels
from antrax.review.tracklets.assignments import Assignment, Assignments
from antrax.review.training_set.editing import Examples
from antrax.review.validation.checks import Check, collect_checks
from antrax.review.validation.marks import Marks
from antrax.review.validation.rates import Rate, Rates, counted_rate, error_rates, false_negative
from antrax.review.validation.verdicts import Judgement, Mark, Verdict, verdicts_for

TITLES = {
    Verdict.CORRECT: "Correct",
    Verdict.WRONG: "Wrong",
    Verdict.NO_ID: "Should not have an ID",
    Verdict.NOT_ANT: "Not an ant",
    Verdict.ANT: "Is an ant",
    Verdict.RIGHTLY_UNKNOWN: "Rightly unknown",
    Verdict.IDENTIFIABLE: "Identifiable",
}
_NO_ANT = (Category.NONANT, Category.MULTI)
_NOTHING: dict[str, Any] = {"verdicts": [], "mark": None, "history": []}


class ValidationApi:
    """Marks and statistics of one session.

    Parameters
    ----------
    session : Session
    assignments : Assignments
    examples : Examples
    """

    def __init__(self, session: Session, assignments: Assignments, examples: Examples) -> None:
        self._session = session
        self._assignments = assignments
        self._examples = examples
        self._marks = Marks(session.layout.marks_file)
        self._counts: tuple[tuple[str, Labels], tuple[Counter[Category], Counter[Category]]] | None = None

    @property
    def version(self) -> int:
        """Version of the marks, which differs after each mark of any user."""
        self._marks.try_refresh()  # what is wrong is told in `problems`
        return self._marks.version

    @property
    def problems(self) -> list[str]:
        """Why marks cannot be read, a sentence."""
        problem = self._marks.try_refresh()
        return [problem] if problem else []

    def of(self, tracklet: TrackletName, label: str | None, category: Category | None) -> dict[str, Any]:
        """Possible verdicts on a tracklet's label, the present mark, and earlier ones.

        Parameters
        ----------
        tracklet : TrackletName
            The tracklet.
        label : str or None
            Its label; None where it has none.
        category : Category or None
            Category of the label.
        """
        if label is None or category is None:
            return dict(_NOTHING)
        now = self._assignments.classification(tracklet.movie)
        mark = self._marks.current(tracklet.name, now)
        return {
            "verdicts": [
                {"verdict": verdict, "title": _title(verdict, category), "key": str(number)}
                for number, verdict in enumerate(verdicts_for(category), 1)
            ],
            "mark": _told(mark, now) if mark else None,
            "history": [_told(old, now) for old in reversed(self._marks.history(tracklet.name))],
        }

    def mark(
        self,
        tracklet: TrackletName,
        found: Assignment,
        category: Category,
        images: int,
        judgement: Judgement,
    ) -> str:
        """Write a mark, or remove the present one; returns a message.

        Parameters
        ----------
        tracklet : TrackletName
            The tracklet.
        found : Assignment
            Its classification.
        category : Category
            Category of its label.
        images : int
            Number of its images.
        judgement : Judgement
            What the person says.

        Raises
        ------
        OptionError
            The verdict does not fit the label.
        OutputError
            The mark cannot be written.
        """
        verdict, true_label = judgement.verdict, judgement.true_label
        if verdict is not None and verdict not in verdicts_for(category):
            raise OptionError(f"{tracklet.name} is labelled {found.label}: {TITLES[verdict]!r} does not fit that")
        classification = self._assignments.classification(tracklet.movie)
        if classification is None:
            raise OptionError(f"movie {tracklet.movie} is not classified, so there is nothing to check")
        self._marks.add(
            Mark(
                time=datetime.now(UTC).isoformat(timespec="seconds"),
                who=judgement.who,
                classification=classification,
                movie=tracklet.movie,
                tracklet=tracklet.name,
                label=found.label,
                category=category,
                confidence=found.confidence,
                images=images,
                verdict=verdict,
                true_label=true_label,
                met=judgement.met,
                seen=self._seen(tracklet.name),
            )
        )
        if verdict is None:
            return f"{tracklet.name}: mark taken back"
        truth = f", it is {true_label}" if true_label else ""
        return f"{tracklet.name}, labelled {found.label}: {_title(verdict, category)}{truth}"

    def rates(self, labels: Labels, only_random: bool, only_unseen: bool) -> dict[str, Any]:
        """Assignment and error rates, per tracklet and per frame.

        Parameters
        ----------
        labels : Labels
            Of the session.
        only_random : bool
            Count only tracklets that were sampled at random.
        only_unseen : bool
            Count only tracklets that were not in the training set when they were classified.
        """
        tracklets, frames = self._counted(labels)
        every = self.checks(labels)
        checks = [check for check in every if (check.random or not only_random) and not (check.seen and only_unseen)]
        rates = error_rates(checks)
        missed = false_negative(
            rates,
            tracklets[Category.UNKNOWN],
            sum(tracklets[kind] for kind in _NO_ANT),
            frames[Category.UNKNOWN],
            sum(frames[kind] for kind in _NO_ANT),
        )
        by_tracklets = counted_rate(tracklets[Category.ANT], tracklets.total())
        by_frames = counted_rate(frames[Category.ANT], frames.total())
        return {
            "assignment": {
                "tracklets": {"k": tracklets[Category.ANT], "n": tracklets.total(), "rate": by_tracklets},
                "frames": {"k": frames[Category.ANT], "n": frames.total(), "rate": by_frames},
            },
            "rows": [
                _row("wrong_id", "Wrong ID", "of the checked tracklets with an ID", rates.wrong_id),
                _row("false_positive", "Should not have an ID", "of the same tracklets", rates.false_positive),
                _row("any", "Either of these", "of the same tracklets", rates.any_id_error),
                _row("missed_unknown", "Identifiable", "of the checked Unknown tracklets", rates.missed_unknown),
                _row("missed_nonant", "Is an ant", "of the checked non-ant and multi-ant ones", rates.missed_nonant),
                _row("missed", "False negatives", "of all tracklets without an ID, estimated from these two", missed),
            ],
            "more_checks": rates.more_checks,
            "more_checks_text": _more_checks(rates, tracklets[Category.ANT]),
            "notes": _notes(checks),
            "checked": len(checks),
            "rescored": sum(check.rescored for check in checks),
            "seen": sum(check.seen for check in checks),
            "not_random": sum(not check.random for check in checks),
        }

    def checks(self, labels: Labels) -> list[Check]:
        """Checks of the present labels from all marks, one for each marked tracklet.

        Parameters
        ----------
        labels : Labels
            Of the session.
        """
        self._marks.refresh()

        def assigned(name: str) -> tuple[str, Category] | None:
            found = self._readable(_movie_of(name)).get(name)
            return (found.label, labels.likely_category(found.label)) if found else None

        return collect_checks(self._marks, assigned, self._assignments.classification, labels.categories, self._seen)

    def _seen(self, name: str) -> bool:
        """Whether images of a tracklet were in the training set when it was classified."""
        tracklet = parse_tracklet_name(name)
        assert tracklet is not None
        try:
            classified = autoids_file(self._session, tracklet.movie).stat().st_mtime
        except OSError as error:
            raise ExperimentError(f"{error.filename} cannot be read: {error.strerror}") from None
        return self._examples.older_than(name, classified)

    def _counted(self, labels: Labels) -> tuple[Counter[Category], Counter[Category]]:
        """Tracklets and frames by kind of label; remembered, for it is asked after each mark."""
        key = (self._assignments.version, labels)
        known = self._counts
        if known and known[0] == key:
            return known[1]
        tracklets: Counter[Category] = Counter()
        frames: Counter[Category] = Counter()
        for movie in self._assignments.movies:
            for name, found in self._readable(movie).items():
                category = labels.likely_category(found.label)
                tracklets[category] += 1
                frames[category] += found.images if found.images is not None else _span(name)
        self._counts = (key, (tracklets, frames))
        return tracklets, frames

    def _readable(self, movie: int) -> Mapping[str, Assignment]:
        try:
            return self._assignments.movie(movie)
        except ExperimentError:  # told in the overview; the other movies count
            return {}


def _more_checks(rates: Rates, with_id: int) -> str:
    """Number of further checks needed to show that fewer than 1 % of the IDs are wrong."""
    shown = rates.any_id_error
    if not rates.more_checks:
        return "Shown: fewer than 1 % of the IDs are wrong or should not be there (95 %, one-sided)."
    unchecked = with_id - shown.checked
    if rates.more_checks > unchecked:
        return (
            f"{rates.more_checks:,} more checks without an error would show less than 1 % of errors, but only "
            f"{unchecked:,} tracklets with an ID are unchecked; add movies."
        )
    return f"{rates.more_checks:,} more checks without an error would show that fewer than 1 % of the IDs are wrong."


def _notes(checks: Sequence[Check]) -> list[str]:
    """Notes on the interpretation of these checks."""
    notes = []
    if picked := sum(not check.random for check in checks):
        were = "was" if picked == 1 else "were"
        notes.append(f"{picked} of the checked {were} not sampled at random, which says little of the others.")
    if seen := sum(check.seen for check in checks):
        notes.append(
            f"{seen} had images in the training set when they were classified, so the error rate is underestimated."
        )
    if rescored := sum(check.rescored for check in checks):
        notes.append(
            f"{rescored} were checked in an earlier classification and scored again; IDs that are new now are not "
            "among them, so rates are rather too good."
        )
    if checks:
        notes.append("Decide beforehand how many to check: stopping when it is good enough gives too good a figure.")
    return notes


def _title(verdict: Verdict, category: Category) -> str:
    """Title of a verdict for a category of labels."""
    if category is Category.MULTI and verdict is Verdict.ANT:
        return "Is a single ant"
    if category is not Category.NONANT and verdict is Verdict.NOT_ANT:
        return "Not a single ant"
    return TITLES[verdict]


def _movie_of(name: str) -> int:
    parsed = parse_tracklet_name(name)
    return parsed.movie if parsed else 0


def _span(name: str) -> int:
    parsed = parse_tracklet_name(name)
    return parsed.span if parsed else 1


def _told(mark: Mark, now: str | None) -> dict[str, Any]:
    return {
        "verdict": mark.verdict,
        "title": _title(mark.verdict, mark.category) if mark.verdict else "taken back",
        "label": mark.label,
        "true_label": mark.true_label,
        "who": mark.who,
        "time": mark.time,
        "current": mark.classification == now,
    }


def _row(key: str, title: str, explain: str, rate: Rate) -> dict[str, Any]:
    return {
        "key": key,
        "title": title,
        "explain": explain,
        "errors": rate.errors,
        "checked": rate.checked,
        "frames": rate.frames,
        "rate": rate.rate,
        "low": rate.interval.low if rate.interval else None,
        "high": rate.interval.high if rate.interval else None,
        "frame_rate": rate.frame_rate,
        "frame_low": rate.frame_interval.low if rate.frame_interval else None,
        "frame_high": rate.frame_interval.high if rate.frame_interval else None,
    }
