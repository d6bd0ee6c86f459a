"""What the page may ask, and what it is answered: the contract between the page and the server.

Every request of the page is read as the type that stands for it here, and every answer is checked against its type
before it is sent; the types of the page's own code are made of these (`tests/page/make_types.py`), so that neither side
reads a field that the other never sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from antrax.app.sheets import LARGEST_CELL
from antrax.errors import OptionError
from antrax.labels import Category
from antrax.review.tracklets.views import Order
from antrax.review.validation.verdicts import Verdict

Text = Annotated[str, msgspec.Meta(max_length=400)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


class Request(msgspec.Struct, kw_only=True):
    """The query of a question, or the body of a command. Fields that are not known are passed over."""


class Answer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is sent back; nothing more and nothing less."""


# ---- parts of answers


class Versions(Answer):
    """Others whenever what they stand for is another; of what changed, the page asks anew."""

    examples: int
    assignments: str
    labels: str
    marks: int
    catalog: str
    classifier: str


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


class Interrupted(Answer):
    """A job that was under way when the app ended. `time`: of its start, ISO 8601."""

    kind: Literal["train", "classify"]
    time: str
    options: dict[str, Any]


class Strip(Answer):
    """Probabilities by image in whole per cent, a row a label; null where no image was looked at."""

    labels: list[str]
    values: list[list[int | None]]
    looked_at: int
    """Number of images that the classifier was shown."""


class VerdictChoice(Answer):
    """A mark that can be given, and its key."""

    verdict: Verdict
    title: str
    key: str


class MarkTold(Answer):
    """A mark that was given; `verdict` is null where one was taken back."""

    verdict: Verdict | None
    title: str
    label: str
    true_label: str
    who: str
    time: str
    current: bool


class LabelCount(Answer):
    """A label of the training set."""

    label: str
    category: Category
    listed: bool
    examples: int
    tracklets: int


class Imbalance(Answer):
    """The labels with most and fewest examples."""

    largest: str
    smallest: str
    ratio: float


class GalleryItem(Answer):
    """An example. `own`: of the open experiment."""

    name: str
    experiment: str
    tracklet: str
    frame: str
    own: bool


class LabelRow(Answer):
    """A label in the editor."""

    label: str
    category: Category
    examples: int


class Counted(Answer):
    """k of n."""

    k: int
    n: int
    rate: float | None


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


class JobState(Answer):
    """See `antrax.app.jobs.manager.Jobs.state`."""

    id: int
    kind: Literal["train", "classify"]
    state: Literal["running", "done", "failed", "stopped"]
    title: str
    done: int
    total: int | None
    unit: str
    note: str
    fraction: float | None
    seconds: float
    seconds_left: float | None
    messages: list[str]
    error: str | None


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


# ---- answers


class Nothing(Answer):
    """There is nothing to say."""


class Problem(Answer):
    """Every answer that is an error. `code` tells those that the page deals with itself."""

    error: str
    code: Literal["conflict", "nothing-to-undo"] | None = None


class Places(Answer):
    """What may be opened, what was opened last, and where to begin."""

    places: list[PlaceRow]
    recent: list[SessionId]
    start: SessionId
    user: str
    version: str


class Overview(Answer):
    """Movies, labels and what else menus show."""

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
    interrupted: Interrupted | None
    inverted: bool
    warnings: list[str]
    versions: Versions


class Counts(Answer):
    """Tracklets by their label."""

    labels: dict[str, int]
    classified_movies: list[int]
    total: int


class Pulse(Answer):
    """What changed, and how far the job is."""

    versions: Versions
    job: JobState | None


class ViewInfo(Answer):
    """How many tracklets a filter lets pass, and where one is among them (0 where it is not)."""

    count: int
    at: int
    found: bool


class Tracklet(Answer):
    """All that is known of a tracklet. What follows `label` is null where there is no classification."""

    tracklet: str
    movie: int
    movie_name: str
    first: int
    last: int
    absolute_first: int | None
    absolute_last: int | None
    seconds: float | None
    colony: str | None
    examples: dict[str, int]
    frame_labels: dict[str, list[int]]
    images: int
    size: int
    stamp: str
    problem: str | None
    frames_known: bool
    label: str | None
    category: Category | None
    score: float | None
    best_frame: int | None
    confidence: float | None
    best_label: str | None
    runner_up: str | None
    runner_up_confidence: float | None
    conflicts: list[str]
    strip: Strip | None
    verdicts: list[VerdictChoice]
    mark: MarkTold | None
    history: list[MarkTold]
    versions: Versions
    i: int | None
    count: int | None


class Changed(Answer):
    """What a change of the training set did. `folder`: where examples were written."""

    message: str
    label: str
    added: int
    present: int
    moved: int
    folder: str | None
    tracklet: str | None
    versions: Versions


class Exported(Changed):
    """And which images of the tracklet are in the training set now."""

    examples: dict[str, int]
    frame_labels: dict[str, list[int]]


class TrainingSet(Answer):
    """Examples by label."""

    labels: list[LabelCount]
    without: list[str]
    imbalance: Imbalance | None
    folder: str
    examples: int
    tracklets: int
    hints: list[str]
    version: int


class Gallery(Answer):
    """The examples of a label. `cell`: side of an image on the sheets, in pixels."""

    label: str
    version: int
    cell: int
    total: int
    items: list[GalleryItem]


class LabelList(Answer):
    """The labels for editing. `digest` tells the state of the file that was read; null: there is none."""

    rows: list[LabelRow]
    digest: str | None
    exists: bool
    problem: str | None
    path: str
    colors: list[str]


class Marked(Answer):
    """What a mark did."""

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


class JobInfo(Answer):
    """The job of the session, if there was one."""

    job: JobState | None


# ---- requests


class NoRequest(Request):
    """Nothing needs to be said."""


class OpenedRequest(Request):
    """A session was opened."""

    place: Text
    session: Text


class CountsRequest(Request):
    """Of a movie, or of all."""

    movie: Whole | None = None


class ViewRequest(Request):
    """A filter and an order."""

    movie: Whole | None = None
    label: Text = ""
    colony: Text = ""
    order: Order = Order.RANDOM
    seed: Whole = 0
    near: Text = ""


class TrackletRequest(ViewRequest):
    """A tracklet by its name, or by its place among those of a view."""

    name: Text = ""
    i: Whole | None = None


class SheetRequest(Request):
    """Images `start` to `stop` of a tracklet; `stamp` as the page knows it."""

    tracklet: Text
    start: Whole = 0
    stop: Whole = 2**31
    stamp: Text = ""


class GallerySheetRequest(Request):
    """Examples from `start` on, in cells of so many pixels."""

    label: Text
    version: Whole
    cell: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_CELL)]
    start: Whole = 0
    stop: Whole = 2**31


class ExportRequest(Request):
    """Images to add to the training set; all where `frames` is null. `stamp`: of the images that the person saw."""

    tracklet: Text
    label: Text
    client: Text
    frames: list[Whole] | None = None
    stamp: Text | None = None


class ClientRequest(Request):
    """Which tab asks."""

    client: Text


class LabelRequest(Request):
    """A label."""

    label: Text


class MoveRequest(Request):
    """Examples to move to another label, or to the trash where `to` is null."""

    label: Text
    names: list[str]
    client: Text
    to: Text | None = None


class LabelEntry(Request):
    """A label as it shall be."""

    label: Text
    category: Category


class EditLabelsRequest(Request):
    """The whole list as it shall be, and the digest of the file that it was made from."""

    rows: list[LabelEntry]
    digest: Text | None = None


class MarkRequest(Request):
    """A mark; `label` is the one that the person saw. Null takes a mark back."""

    tracklet: Text
    label: Text
    verdict: Verdict | None = None
    true_label: Text = ""
    met: Text = ""
    who: Text = ""


class RatesRequest(Request):
    """Which checks count."""

    met: Literal["all", "random"] = "all"
    seen: Literal["all", "unseen"] = "all"


class TrainRequest(Request):
    """How to train; what is left out is as on the command line."""

    epochs: int | msgspec.UnsetType = msgspec.UNSET
    scratch: bool | msgspec.UnsetType = msgspec.UNSET


class ClassifyRequest(Request):
    """What to classify; what is left out is as on the command line."""

    movies: list[int] | msgspec.UnsetType | None = msgspec.UNSET
    missing: bool | msgspec.UnsetType = msgspec.UNSET
    max_error: float | msgspec.UnsetType = msgspec.UNSET


# ---- which request has which answer


@dataclass(frozen=True)
class Route:
    """One thing that can be asked.

    Parameters
    ----------
    method : {"GET", "POST"}
    request, answer : type
        `answer` is None where it is an image.
    in_session : bool
        Whether it is about the open session.
    """

    method: Literal["GET", "POST"]
    request: type[Request]
    answer: type[Answer] | None
    in_session: bool = True


ROUTES: dict[str, Route] = {
    "places": Route("GET", NoRequest, Places, in_session=False),
    "opened": Route("POST", OpenedRequest, Nothing, in_session=False),
    "overview": Route("GET", NoRequest, Overview),
    "counts": Route("GET", CountsRequest, Counts),
    "pulse": Route("GET", NoRequest, Pulse),
    "view": Route("GET", ViewRequest, ViewInfo),
    "tracklet": Route("GET", TrackletRequest, Tracklet),
    "sheet": Route("GET", SheetRequest, None),
    "export": Route("POST", ExportRequest, Exported),
    "undo": Route("POST", ClientRequest, Changed),
    "trainset": Route("GET", NoRequest, TrainingSet),
    "gallery": Route("GET", LabelRequest, Gallery),
    "gallery/sheet": Route("GET", GallerySheetRequest, None),
    "move": Route("POST", MoveRequest, Changed),
    "labels": Route("GET", NoRequest, LabelList),
    "labels/edit": Route("POST", EditLabelsRequest, LabelList),
    "mark": Route("POST", MarkRequest, Marked),
    "rates": Route("GET", RatesRequest, RatesInfo),
    "train": Route("POST", TrainRequest, JobInfo),
    "classify": Route("POST", ClassifyRequest, JobInfo),
    "job/stop": Route("POST", NoRequest, JobInfo),
    "job/forget": Route("POST", NoRequest, Nothing),
}


def read_request(route: Route, values: Any) -> Request:
    """A request as its type. Texts of a query stand for numbers where these are wanted.

    Raises
    ------
    OptionError
        It is not what the route wants; the sentence says which value.
    """
    try:
        return msgspec.convert(values, route.request, strict=route.method == "POST")
    except msgspec.ValidationError as error:
        raise OptionError(f"what was asked cannot be used: {error}") from None


def plain_answer(route: Route, answer: Any) -> Any:
    """An answer as plain values, checked against its type. Raises `msgspec.ValidationError`: that is our mistake."""
    assert route.answer is not None
    return msgspec.to_builtins(msgspec.convert(answer, route.answer))


def plain_problem(error: str, code: Literal["conflict", "nothing-to-undo"] | None) -> Any:
    """An answer that is an error, as plain values."""
    return msgspec.to_builtins(Problem(error=error, code=code))


def given(request: Request) -> dict[str, Any]:
    """The values of a request that were given."""
    values = {name: getattr(request, name) for name in request.__struct_fields__}
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}
