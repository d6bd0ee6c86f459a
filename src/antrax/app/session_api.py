"""API of an open session for the page, in plain values."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from antrax.app.flags_api import FlagsApi
from antrax.app.labels_api import LabelsApi
from antrax.app.positions_api import PositionsApi
from antrax.app.session_classifier import OtherClassifiers, SessionClassifier
from antrax.app.sheets import IMAGES, make_sheet
from antrax.app.surroundings_api import SurroundingsApi
from antrax.app.training_report import describe_training
from antrax.app.training_set_api import TrainingSetApi, stack_stamp
from antrax.app.validation_api import ValidationApi
from antrax.app.wall_api import WallApi
from antrax.errors import ConflictError, ExperimentError, OptionError, StackError
from antrax.escapes import printable
from antrax.io.names import TrackletName
from antrax.io.session import Movie, Session
from antrax.io.sources import source_of
from antrax.io.text import guess_notice
from antrax.labels import Category, Labels
from antrax.review.next_step import Situation, Trained, next_step
from antrax.review.tracklets.assignments import Assignment, Assignments
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.colonies import Colonies
from antrax.review.tracklets.lookalikes import Lookalikes
from antrax.review.tracklets.same_time import find_conflicts, find_elsewhere
from antrax.review.tracklets.views import (
    DISAGREES,
    FLAGGED,
    UNCHECKED,
    WRONG,
    Filter,
    Order,
    View,
    labelling_of,
    make_view,
)
from antrax.review.validation.verdicts import Judgement

# Positions in a view stay valid while the page walks through it: so many views are kept.
_VIEWS = 32
# The strip of probabilities is a few hundred pixels wide.
_STRIP_POINTS = 1500
# And together of so many tracklets: 100 MB.
_VIEWED = 1_000_000


_NOT_CLASSIFIED: Mapping[str, Any] = {
    "label": None,
    "category": None,
    "score": None,
    "best_frame": None,
    "confidence": None,
    "best_label": None,
    "runner_up": None,
    "runner_up_confidence": None,
    "conflicts": [],
    "strip": None,
}


class SessionApi:
    """An open session, for the page. Safe to use from several threads.

    Parameters
    ----------
    session : Session
    memory : Path
        Folder in which listings are remembered between runs.
    """

    def __init__(self, session: Session, memory: Path) -> None:
        self.session = session
        self.catalog = Catalog(session, memory)
        self.assignments = Assignments(session)
        self.training_set = TrainingSetApi(session, self.catalog, lambda: self.labels.known(), self.versions)
        self.examples = self.training_set.examples
        self.labels = LabelsApi(session, self.examples, self.versions)
        self.wall = WallApi(session, self.catalog, self.assignments, self.training_set, self.labels.known)
        self.flags = FlagsApi(session, self.catalog, self.versions)
        self.validation = ValidationApi(session, self.assignments, self.examples)
        self.positions = PositionsApi(session, self.catalog, self.assignments, self.labels.known, self.versions)
        self.classifier = SessionClassifier(session.layout.classifier.classifier())
        self.other_classifiers = OtherClassifiers(session.layout.classifier.classifier())
        self.surroundings = SurroundingsApi(
            session, self.catalog, self.assignments, self.examples, self.labels.known, lambda: self.colonies
        )
        self.lookalikes = Lookalikes(session)
        self._colonies: Colonies | None = None
        self._views: OrderedDict[tuple[object, ...], View] = OrderedDict()
        self._lock = threading.RLock()

    # ---- overview

    def overview(self) -> dict[str, Any]:
        """Overview of the session: movies, labels, classifier and jobs."""
        self.assignments.refresh()
        labels, problem = self.labels.current()
        classified = set(self.assignments.movies)
        colonies, problems = self.colonies, self.session.parameter_problems
        table, problem_of_table = self._movies()
        return {
            "experiment": printable(self.session.experiment.name),
            "session": printable(self.session.name),
            "path": printable(str(self.session.path)),
            "movies": [
                {"movie": movie, "name": table[movie].name if movie in table else "", "classified": movie in classified}
                for movie in self.catalog.movies
            ],
            "without_stack": len(table.keys() - set(self.session.stacks)),
            "colonies": list(colonies.names),
            "colony_problem": colonies.problem,
            "categories": [
                {"category": category, "labels": [name for name, kind in labels.categories.items() if kind is category]}
                for category in Category
            ],
            "labels_problem": problem,
            "has_labels_file": self.labels.version() != "",
            "classified": bool(classified),
            "classifier": self.classifier.state(),
            "other_classifiers": self.other_classifiers.states(),
            "inverted": self.session.shown_inverted,
            "groups": list(groups.sizes) if (groups := self.lookalikes.groups) else None,
            "warnings": [
                *(known for known in problems if known != colonies.problem),
                *filter(None, [problem_of_table, guess_notice(self.session.layout.labels_file)]),
                *self.assignments.problems,
                *self.validation.problems,
                *filter(None, [self.lookalikes.problem]),
                *self.flags.problems,
                *self.labels.end_renaming(),
            ],
            "versions": self.versions(),
        }

    def versions(self) -> dict[str, Any]:
        """Versions of the parts of the session; the page requests a part again when its version differs.

        Changes by other processes are noticed too.
        """
        self.assignments.refresh()
        self.examples.refresh()
        return {
            "examples": self.examples.version,
            "assignments": self.assignments.version,
            "labels": self.labels.version(),
            "marks": self.validation.version + self.flags.version,
            "catalog": self._catalog_version(),
            "classifier": f"{self.classifier.stamp()} {self.other_classifiers.stamp()}".strip(),
            "positions": self.positions.version,
            "groups": self.lookalikes.version,
        }

    def _catalog_version(self) -> str:
        """Another whenever stacks are; a session that cannot be read is told where it matters."""
        try:
            return self.catalog.version
        except ExperimentError:
            return "unreadable"

    def counts(self, movie: int | None) -> dict[str, Any]:
        """Tracklets by their current label, of a movie or of all classified ones."""
        self.assignments.refresh()
        movies = [known for known in self.assignments.movies if movie in (None, known)]
        counts = self.assignments.counts(movies)
        return {"labels": dict(counts), "classified_movies": movies, "total": counts.total()}

    def training(self) -> dict[str, Any]:
        """The report of the training that made the session's classifier."""
        training = self.classifier.training()
        if training is None:
            return {"report": None}
        self.examples.refresh()
        return {
            "report": describe_training(
                training, self.labels.known(), self.examples.counts(), self.session.experiment.name
            )
        }

    def next_step(self) -> dict[str, Any]:
        """The recommended next step."""
        self.assignments.refresh()
        self.examples.refresh()
        labels = self.labels.known()
        written, movies = self.classifier.written(), self.catalog.movies

        def more_checks() -> tuple[int, str]:
            rates = self.validation.rates(labels, only_random=False, only_unseen=False)
            return rates["more_checks"], rates["more_checks_text"]

        step = next_step(
            Situation(
                labels,
                self.examples.counts(),
                None if written is None else self._trained(),
                len(set(movies) - set(self.assignments.movies)),
                0 if written is None else self.assignments.older_than(written),
                len(movies),
                more_checks,
            )
        )
        return {"text": step.text, "action": step.action, "label": step.label}

    def _trained(self) -> Trained:
        training = self.classifier.training()
        return Trained(None, {}, {}) if training is None else training.trained

    @property
    def colonies(self) -> Colonies:
        """Colonies of the session; read when first asked for."""
        with self._lock:
            if self._colonies is None:
                self._colonies = Colonies(self.session)
            return self._colonies

    def _movies(self) -> tuple[dict[int, Movie], str | None]:
        """The movie table, and what is wrong with it: without it one can look at tracklets all the same."""
        try:
            return self.session.movies, None
        except ExperimentError as error:
            return {}, str(error)

    def _movie_name(self, movie: int) -> str:
        entry = self._movies()[0].get(movie)
        return entry.name if entry else ""

    # ---- going through tracklets

    def view(self, filter_: Filter, order: Order, seed: int) -> View:
        """The tracklets that a filter lets pass, in order; the same list as long as results do not change.

        Parameters
        ----------
        filter_ : Filter
            Which tracklets pass.
        order : Order
            How they are sorted.
        seed : int
            Of random orders.
        """
        self.assignments.refresh()
        key = (filter_, order, seed, self.assignments.version, self.catalog.movies, self.lookalikes.version)
        with self._lock:
            if key in self._views:
                self._views.move_to_end(key)
                return self._views[key]
        labels = self.labels.known()
        by_marks = filter_.label in (UNCHECKED, WRONG)
        made = make_view(
            self.catalog,
            self.assignments,
            self.colonies,
            filter_,
            order,
            seed=seed,
            labelling=labelling_of(
                labels,
                self.examples,
                checked={check.tracklet: check.is_right for check in self.validation.checks(labels)}
                if by_marks
                else {},
                labels=self.examples.labels_of(self.session.experiment.name) if filter_.label == DISAGREES else {},
                flagged=self.flags.flagged() if filter_.label == FLAGGED else (),
                groups=self.lookalikes.groups,
            ),
        )
        with self._lock:
            self._views[key] = made
            while len(self._views) > _VIEWS or (
                len(self._views) > 1 and sum(len(view.tracklets) for view in self._views.values()) > _VIEWED
            ):
                self._views.popitem(last=False)
        return made

    def tracklet(self, name: str) -> dict[str, Any]:
        """Details of a tracklet, without its images. Raises `ExperimentError`."""
        versions = self.versions()
        tracklet, path = self.catalog.find(name)
        labels = self.labels.known()
        info: dict[str, Any] = {
            "tracklet": tracklet.name,
            "movie": tracklet.movie,
            "movie_name": self._movie_name(tracklet.movie),
            "first": tracklet.first,
            "last": tracklet.last,
            "absolute_first": self.session.absolute_frame(tracklet.movie, tracklet.first),
            "absolute_last": self.session.absolute_frame(tracklet.movie, tracklet.last),
            "seconds": self._seconds(tracklet),
            "colony": self.colonies.of(tracklet),
            "examples": {},
            "frame_labels": {},
            "images": 0,
            "size": 0,
            "stamp": "",
            "problem": None,
            "versions": versions,
        }
        try:
            with source_of(self.session).open(path) as stack:
                images, size = stack.count(name), stack.size(name)
            info |= {"images": images, "size": size, "stamp": stack_stamp(path)}
            info |= self.training_set.of(tracklet, path)
        except (StackError, OSError) as error:
            info["problem"] = str(error)
        info["frames_known"] = info["images"] == tracklet.span
        info |= self._assignment(tracklet, labels)
        info["elsewhere"] = self._elsewhere(tracklet, labels)
        info["flag"] = self.flags.of(tracklet.name)
        return info | self.validation.of(tracklet, info["label"], info["category"])

    def _seconds(self, tracklet: TrackletName) -> float | None:
        """Duration of a tracklet; None if the movie table has no frame rate."""
        entry = self._movies()[0].get(tracklet.movie)
        return tracklet.span / entry.fps if entry and entry.fps > 0 else None

    def _assignment(self, tracklet: TrackletName, labels: Labels) -> dict[str, Any]:
        """Result of classification of a tracklet."""
        try:
            found = self.assignments.of(tracklet.name)
        except ExperimentError as error:
            return {**_NOT_CLASSIFIED, "problem": str(error)}
        if found is None:
            return dict(_NOT_CLASSIFIED)
        ants = frozenset(labels.ants)
        conflicts = find_conflicts(self.assignments, tracklet.movie, ants, self.colonies).get(tracklet.name, ())
        return {
            "label": found.label,
            "category": labels.likely_category(found.label),
            "score": found.score,
            "best_frame": found.best_frame,
            "confidence": found.confidence,
            "best_label": found.best_label,
            "runner_up": found.runner_up,
            "runner_up_confidence": found.runner_up_confidence,
            "conflicts": list(conflicts),
            "strip": self._strip(tracklet.name, found),
        }

    def _elsewhere(self, tracklet: TrackletName, labels: Labels) -> dict[str, list[str]] | None:
        """IDs of other tracklets at the same time; None where the movie is not classified."""
        if tracklet.movie not in self.assignments.movies:
            return None
        try:
            found = find_elsewhere(self.assignments, tracklet, frozenset(labels.ants), self.colonies)
        except ExperimentError:  # damaged results are told elsewhere
            return None
        return {label: list(names) for label, names in found.items()}

    def _strip(self, name: str, found: Assignment) -> dict[str, Any] | None:
        """Probability by image of the assigned label and the strongest other one, in whole per cent."""
        other = found.runner_up if found.best_label in (None, found.label) else found.best_label
        wanted = [label for label in (found.label, other) if label]
        values = self.assignments.probabilities(name, wanted)
        if values is None or not len(values):
            return None
        looked_at = ~np.isnan(values)
        # a label that a person wrote may be missing from the classifier
        known = np.flatnonzero(looked_at.any(0)).tolist()
        wanted, values, looked_at = [wanted[column] for column in known], values[:, known], looked_at[:, known]
        bins = min(len(values), _STRIP_POINTS)
        edges = np.linspace(0, len(values), bins + 1).astype(int)[:-1]
        counts = np.add.reduceat(looked_at.astype(int), edges)
        sums = np.add.reduceat(np.where(looked_at, values, 0), edges)
        means = np.rint(100 * sums / np.maximum(counts, 1)).astype(int)
        number = int(looked_at.any(1).sum())
        shown = means.astype(object)
        shown[counts == 0] = None
        return {"labels": wanted, "values": shown.T.tolist(), "looked_at": number}

    def sheet(self, name: str, start: int, stop: int) -> tuple[bytes, str]:
        """A PNG of the images from `start` on, as many as a sheet holds, but not from `stop` on, and their stamp.

        Raises `StackError`, `ExperimentError`.

        Parameters
        ----------
        name : str
            Of the tracklet.
        start : int
            First image, from 0.
        stop : int
            The image after the last one.
        """
        _, path = self.catalog.find(name)
        stamp = stack_stamp(path)
        with source_of(self.session).open(path) as stack:
            images = stack.read(name, start, min(stop, start + IMAGES))
        if not len(images):
            raise StackError(f"{name} has no image {start + 1}")
        return make_sheet(images), stamp

    # ---- validation

    def mark(self, name: str, label: str, judgement: Judgement) -> dict[str, Any]:
        """Write a mark on a tracklet's label.

        Parameters
        ----------
        name : str
            Of the tracklet.
        label : str
            The label that was shown.
        judgement : Judgement
            The verdict.

        Raises
        ------
        ConflictError
            The tracklet's label is no longer `label`, which the person saw.
        OptionError, OutputError
        """
        self.assignments.refresh()
        tracklet, path = self.catalog.find(name)
        found = self.assignments.of(name)
        if found is None:
            raise OptionError(f"{name} is not classified, so there is nothing to check")
        if found.label != label:
            raise ConflictError(f"{name} has been classified anew: it is labelled {found.label} now; look again")
        labels = self.labels.known()
        with source_of(self.session).open(path) as stack:
            images = stack.count(name)
        category = labels.likely_category(found.label)
        message = self.validation.mark(tracklet, found, category, images, judgement)
        return {
            "message": message,
            "versions": self.versions(),
            **self.validation.of(tracklet, found.label, category),
        }

    def rates(self, only_random: bool, only_unseen: bool) -> dict[str, Any]:
        """Live statistics of the classification."""
        self.assignments.refresh()
        labels = self.labels.known()
        return self.validation.rates(labels, only_random, only_unseen)
