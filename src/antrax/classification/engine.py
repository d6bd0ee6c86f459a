"""Running a network on blob images: readers, batches and predictors, inside a worker process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.batch import describe_failure
from antrax.classification.decision import DecisionRule, check_decision
from antrax.classification.rotation import merge_views, views
from antrax.classification.spread import ImagesPerTracklet, for_all_images, is_sure, rounds
from antrax.errors import ClassifierError, StackError, is_drive_failure
from antrax.images import Preparation, prepare
from antrax.io.results import Classified, Decision
from antrax.io.sources import MoviePart, TrackletImages
from antrax.labels import UNKNOWN, Category
from antrax.networks.backends.engines import Engine, Predictor, choose_engine
from antrax.networks.graph import Graph

if TYPE_CHECKING:
    from antrax.classification.classifier_file import Classifier

# Images of a batch at most, and floats of all maps of a batch that are needed at a time. On processors these are to
# stay in the cache (MobileNetV2 is 1.5 times as fast with batches of 4 as of 128; of our networks any batch is within
# 12 % of the best); on GPUs, which want large batches, they are 2 GB.
_MOST_IMAGES = {"cpu": 128, "gpu": 1024}
_MOST_FLOATS = {"cpu": 2**21, "gpu": 2**29}
# Where the images wanted lie further apart than this, they are read one by one: trackers store some tens to a chunk,
# and HDF5 reads whole chunks.
_FAR_APART = 64


@dataclass(frozen=True)
class Model:
    """Everything that a worker process needs of a classifier.

    Parameters
    ----------
    preparation : Preparation
        How the network wants its images.
    labels : tuple of str
    device : str
        As torch names it.
    engine : Engine
        What runs the network.
    prepared : object
        What the engine prepared of it.
    batch : int
        Number of images that it is given at a time.
    rotation : bool
        Whether it may be shown images upside down.
    """

    preparation: Preparation
    labels: tuple[str, ...]
    device: str
    engine: Engine
    prepared: Any
    batch: int
    rotation: bool = True


def batch_size(graph: Graph, device: str) -> int:
    """Batch size for a network."""
    kind = "cpu" if device == "cpu" else "gpu"
    return max(1, min(_MOST_IMAGES[kind], _MOST_FLOATS[kind] // graph.floats_at_once()))


def make_model(classifier: Classifier, device: str, engine: str = "auto") -> Model:
    """Prepare a classifier for worker processes on a device.

    Parameters
    ----------
    classifier : Classifier
    device : str
        As torch names it.
    engine : str
        As for `antrax.networks.backends.engines.choose_engine`.
    """
    batch = batch_size(classifier.graph, device)
    chosen, prepared = choose_engine(engine, device, classifier.graph, classifier.weights, batch)
    return Model(classifier.preparation, classifier.labels, device, chosen, prepared, batch, classifier.rotation)


@dataclass(frozen=True)
class Job:
    """Some tracklets of one file, to be classified together.

    Parameters
    ----------
    part : MoviePart
        The file that they lie in.
    tracklets : tuple of str
    model : str
        Which of the models that the worker was given.
    categories : tuple of Category or None
        Kind of each of the model's labels in the experiment.
    rule : DecisionRule
    labels : tuple of str, optional
        What the experiment calls the model's labels; as the model does by default.
    images_per_tracklet : int, "auto" or None
        See `antrax.classification.spread`.
    """

    part: MoviePart
    tracklets: tuple[str, ...]
    model: str
    categories: tuple[Category | None, ...]
    rule: DecisionRule
    labels: tuple[str, ...] | None = None
    images_per_tracklet: ImagesPerTracklet = None

    def with_tracklets(self, tracklets: tuple[str, ...]) -> Job:
        """The same job with some of its tracklets."""
        return replace(self, tracklets=tracklets)


def make_predictor(model: Model, threads: int = 1) -> Predictor:
    """The network of a model, in this process.

    Parameters
    ----------
    model : Model
    threads : int
        Processor threads to use.
    """
    return model.engine.load(model.prepared, model.device, threads)


class NetworkError(Exception):
    """The network could not be run (see its `__cause__`); the tracklet that was being read is not to blame."""


class Batcher:
    """Collects images of many tracklets into full batches, and keeps the network's outputs in order.

    Parameters
    ----------
    predictor : Predictor
    batch : int
        Number of images in a batch.
    size : int
        Side length of the images, in pixels.

    Attributes
    ----------
    added : int
        Number of views queued so far, those computed included.
    """

    def __init__(self, predictor: Predictor, batch: int, size: int) -> None:
        self._predictor = predictor
        self._batch = np.empty((batch, 3, size, size), np.uint8).transpose(0, 3, 2, 1)
        self._filled = 0
        self._answers: list[NDArray[np.float32]] = []
        self.added = 0

    def add(self, images: NDArray[np.uint8], index: NDArray[np.intp], rotated: NDArray[np.bool_]) -> None:
        """Queue views (see `rotation.views`) of images (N, size, size, 3); full batches are computed.

        Parameters
        ----------
        images : NDArray[np.uint8]
            Shape (N, size, size, 3).
        index : NDArray[np.intp]
            Image of each view, shape (views,).
        rotated : NDArray[np.bool_]
            Whether a view is rotated by 180°, shape (views,).
        """
        while len(index):
            count = min(len(index), len(self._batch) - self._filled)
            free = self._batch[self._filled : self._filled + count]
            # one by one, for numpy takes five times as long to choose and reorder many at once
            for place, chosen, over in zip(free, index[:count].tolist(), rotated[:count].tolist(), strict=True):
                place[:] = images[chosen][::-1, ::-1] if over else images[chosen]
            self._filled += count
            self.added += count
            if self._filled == len(self._batch):
                self._compute()
            index, rotated = index[count:], rotated[count:]

    def _compute(self) -> None:
        try:
            self._answers.append(self._predictor(self._batch[: self._filled]))
        except Exception as error:
            raise NetworkError from error
        self._filled = 0

    def finish(self) -> NDArray[np.float32]:
        """Log-probabilities of everything added so far; shape (views, labels)."""
        if self._filled:
            self._compute()
        answers, self._answers, self.added = self._answers, [], 0
        return np.concatenate(answers) if answers else np.zeros((0, 0), np.float32)


@dataclass(frozen=True)
class Unread:
    """A tracklet that could not be classified; the movie's other tracklets are classified.

    Parameters
    ----------
    tracklet : str
    reason : str
        A sentence.
    drive : bool
        Whether the drive failed: then nothing of the movie counts.
    """

    tracklet: str
    reason: str
    drive: bool = False


@dataclass(frozen=True)
class Notice:
    """A message about a job for the user.

    Parameters
    ----------
    text : str
        A sentence.
    """

    text: str


def undecided(tracklet: str, labels: int) -> Classified:
    """The row of a tracklet without images, or that could not be read; results have a row for each tracklet.

    Parameters
    ----------
    tracklet : str
    labels : int
        Number of the classifier's labels.
    """
    nothing = Decision(UNKNOWN, 0.0, UNKNOWN, "", 0.0, 0.0, 0, 0)
    return Classified(tracklet, nothing, np.zeros((0, labels), np.float32), -1)


class Worker:
    """Classifies jobs, one after the other, with the models it was given.

    Parameters
    ----------
    models : mapping of str to Model
    threads : int
        Processor threads for the network.
    """

    def __init__(self, models: Mapping[str, Model], threads: int = 1) -> None:
        self._models, self._threads = models, threads
        self._predictors: dict[str, Predictor] = {}

    def classify(self, job: Job) -> list[Classified | Unread | Notice]:
        """Classify a job's tracklets, in their order; notices may follow.

        Raises `StackError` where the stack cannot be opened.
        """
        model = self._models[job.model]
        if job.model not in self._predictors:
            self._predictors[job.model] = make_predictor(model, self._threads)
        batcher = Batcher(self._predictors[job.model], model.batch, model.preparation.size)
        found: dict[str, Classified | Unread] = {}
        notices: list[Notice] = []
        with _faults_of_network(), job.part.open() as stack:
            waiting: list[_PendingTracklet] = []
            for name in job.tracklets:
                try:
                    count = stack.count(name)
                except Exception as error:
                    found[name] = _unread(name, error, job)
                    continue
                if count:
                    waiting.append(_PendingTracklet(name, count, rounds(count, job.images_per_tracklet)))
                else:
                    found[name] = undecided(name, len(model.labels))
            passed = _passed(job, [tracklet.name for tracklet in waiting], notices) if waiting else {}
            while waiting:
                found |= _classify_round(stack, waiting, model, batcher, job)
                for tracklet in [tracklet for tracklet in waiting if tracklet.name not in found]:
                    try:
                        if tracklet.is_done(job, model.labels):
                            found[tracklet.name] = _classified(tracklet, model, job, passed.get(tracklet.name))
                    except Exception as error:
                        found[tracklet.name] = _unread(tracklet.name, error, job)
                waiting = [tracklet for tracklet in waiting if tracklet.name not in found]
        if text := getattr(self._predictors[job.model], "notice", None):
            notices.append(Notice(text))
        return [*(found[name] for name in job.tracklets), *notices]


@dataclass
class _PendingTracklet:
    """A tracklet whose images are being classified.

    Parameters
    ----------
    name : str
    count : int
        Number of its images.
    rounds : list of NDArray[np.intp]
        Images that are to be looked at in the rounds to come.
    looked_at : NDArray[np.intp]
        Images that were looked at, 0-based and ascending.
    probabilities : NDArray[np.float32]
        Of these, shape (images, labels).
    """

    name: str
    count: int
    rounds: list[NDArray[np.intp]]
    looked_at: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    probabilities: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    @property
    def total(self) -> int:
        """Largest number of images that are classified."""
        return len(self.looked_at) + sum(map(len, self.rounds))

    def add(self, probabilities: NDArray[np.float32]) -> None:
        """Add the network's outputs for the images of a round."""
        index = self.rounds.pop(0)
        order = np.argsort(np.concatenate([self.looked_at, index]), kind="stable")
        together = np.concatenate([self.probabilities, probabilities]) if len(self.looked_at) else probabilities
        self.looked_at, self.probabilities = np.concatenate([self.looked_at, index])[order], together[order]

    def is_done(self, job: Job, labels: tuple[str, ...]) -> bool:
        """Whether no further round is needed."""
        names = job.labels or labels
        return not self.rounds or is_sure(
            self.probabilities, lambda some: job.rule(some, names, job.categories, None).label
        )


def _classify_round(
    stack: TrackletImages, waiting: list[_PendingTracklet], model: Model, batcher: Batcher, job: Job
) -> dict[str, Classified | Unread]:
    """Run the network on a round of images of some tracklets. Returns the tracklets that cannot be read."""
    unread: dict[str, Classified | Unread] = {}
    shown: list[tuple[_PendingTracklet, int]] = []
    for tracklet in waiting:
        before = batcher.added
        try:
            _show(stack, tracklet, model, batcher)
        except NetworkError:
            raise
        except Exception as error:
            unread[tracklet.name] = _unread(tracklet.name, error, job)
        shown.append((tracklet, batcher.added - before))
    logs = batcher.finish()
    start = 0
    for tracklet, number in shown:
        if tracklet.name not in unread:
            tracklet.add(merge_views(logs[start : start + number], len(tracklet.rounds[0])))
        start += number
    return unread


@contextlib.contextmanager
def _faults_of_network() -> Iterator[None]:
    """Raise the network's errors as `NetworkError`."""
    try:
        yield
    except NetworkError as error:
        raise error.__cause__ or error from None


def _unread(name: str, error: Exception, job: Job) -> Unread:
    return Unread(name, describe_failure(error, f"{job.part.path}, {name}"), is_drive_failure(error))


def _show(stack: TrackletImages, tracklet: _PendingTracklet, model: Model, batcher: Batcher) -> None:
    """Queue the images of a tracklet's next round as the network is to see them."""
    start, total = 0, tracklet.total
    for piece in _read(stack, tracklet.name, tracklet.count, tracklet.rounds[0]):
        images = prepare(piece, model.preparation)
        index, rotated = views(len(images), start, total, rotate=model.rotation)
        start += len(images)
        batcher.add(images, index, rotated)


def _read(stack: TrackletImages, name: str, count: int, wanted: NDArray[np.intp]) -> Iterator[NDArray[np.uint8]]:
    """Some images of a tracklet in order, in pieces."""
    if len(wanted) == count:
        yield from stack.pieces(name)
    elif count > _FAR_APART * len(wanted):
        for image in wanted.tolist():
            yield stack.read(name, image, image + 1)
    else:
        start = 0
        for piece in stack.pieces(name):
            first, last = np.searchsorted(wanted, (start, start + len(piece)))
            if first < last:
                yield piece[wanted[first:last] - start]
            start += len(piece)


def _passed(job: Job, tracklets: list[str], notices: list[Notice]) -> Mapping[str, NDArray[np.bool_]]:
    """Which images show a blob of plausible size and shape; where that cannot be read, a notice says so."""
    try:
        return job.part.passed(tracklets)
    except StackError as error:
        notices.append(Notice(f"{error}; the best frames of tracklets are chosen without it"))
        return {}


def _classified(tracklet: _PendingTracklet, model: Model, job: Job, passed: NDArray[np.bool_] | None) -> Classified:
    """Decide on a tracklet. Images that were not looked at have no probabilities: nan."""
    name, looked_at, probabilities = tracklet.name, tracklet.looked_at, tracklet.probabilities
    if not np.isfinite(probabilities).all():
        raise ClassifierError(f"{job.model} gives no probabilities for {name}; train it anew")
    known = passed if passed is not None and len(passed) == tracklet.count else None
    labels = job.labels or model.labels
    decision = job.rule(probabilities, labels, job.categories, None if known is None else known[looked_at])
    check_decision(decision, labels, job.categories)
    if len(looked_at) < tracklet.count:
        decision = for_all_images(decision, looked_at, tracklet.count)
        every = np.full((tracklet.count, probabilities.shape[1]), np.nan, np.float32)
        every[looked_at] = probabilities
        probabilities = every
    passes = -1 if known is None else int(known.sum())
    return Classified(name, decision, probabilities, passes, passed_unusable=passed is not None and known is None)
