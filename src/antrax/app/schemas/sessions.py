"""Experiments and sessions that can be opened, and the overview of a session."""

from __future__ import annotations

from antrax.app.schemas.base import Answer, NoRequest, Nothing, Request, Route, Text, Versions, Whole
from antrax.app.schemas.jobs import Interrupted, JobState
from antrax.labels import Category


class MovieRow(Answer):
    """A movie that has images."""

    movie: int
    name: str
    classified: bool


class CategoryLabels(Answer):
    """The labels of one category, in the order of labels.csv."""

    category: Category
    labels: list[str]


class ClassifierState(Answer):
    """The classifier of a session.

    `why` says why error rates cannot be chosen for it, where they cannot; `poor`: its training found it to be so.
    """

    calibrated: bool
    why: str | None
    poor: bool


class OtherClassifier(ClassifierState):
    """A classifier that is not called `classifier`, such as `antrax train --name` makes."""

    name: str


class PlaceRow(Answer):
    """An experiment that may be opened."""

    id: str
    experiment: str
    path: str
    sessions: list[str]


class SessionId(Answer):
    """A session of it."""

    place: str
    session: str


class Places(Answer):
    """Experiments that can be opened, recently opened sessions, and the one to start with."""

    places: list[PlaceRow]
    recent: list[SessionId]
    start: SessionId
    user: str
    version: str


class Overview(Answer):
    """Overview of a session: movies, labels, classifier and jobs."""

    experiment: str
    session: str
    path: str
    movies: list[MovieRow]
    without_stack: int
    colonies: list[str]
    colony_problem: str | None
    categories: list[CategoryLabels]
    labels_problem: str | None
    has_labels_file: bool
    classified: bool
    classifier: ClassifierState | None
    other_classifiers: list[OtherClassifier]
    interrupted: Interrupted | None
    inverted: bool
    groups: list[int] | None
    """Tracklets of each group of look-alikes, first of those in none; null where there are no groups."""
    warnings: list[str]
    versions: Versions


class Counts(Answer):
    """Tracklets by their label."""

    labels: dict[str, int]
    classified_movies: list[int]
    total: int


class Pulse(Answer):
    """Answer to the page's regular poll: versions, and the state of the job."""

    versions: Versions
    job: JobState | None


class OpenedRequest(Request):
    """Report that a session was opened."""

    place: Text
    session: Text


class CountsRequest(Request):
    """Of a movie, or of all."""

    movie: Whole | None = None


ROUTES: dict[str, Route] = {
    "places": Route("GET", NoRequest, Places, in_session=False),
    "opened": Route("POST", OpenedRequest, Nothing, in_session=False),
    "overview": Route("GET", NoRequest, Overview),
    "counts": Route("GET", CountsRequest, Counts),
    "pulse": Route("GET", NoRequest, Pulse),
}
