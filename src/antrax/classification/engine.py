"""Running a network on blob images: readers, batches and predictors, inside a worker process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from antrax.classification.classifier_file import Classifier
from antrax.classification.decision import Rule, decide, merge_views, views
from antrax.images import Preparation, prepare
from antrax.io.results import Classified
from antrax.io.sources import MoviePart, TrackletImages
from antrax.labels import Category
from antrax.networks.graph import Graph, Weights

# Images of a batch at most, and floats of all maps of a batch that are needed at a time. On processors these are to
# stay in the cache (MobileNetV2 is 1.5 times as fast with batches of 4 as of 128; of our networks any batch is within
# 12 % of the best); on GPUs, which want large batches, they are 2 GB.
_MOST_IMAGES = {"cpu": 128, "gpu": 1024}
_MOST_FLOATS = {"cpu": 2**21, "gpu": 2**29}


class Predictor(Protocol):
    """Anything that gives log-probabilities (N, labels) for uint8 images (N, S, S, 3)."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Log-probabilities of one batch."""
        ...


@dataclass(frozen=True)
class Model:
    """What a worker needs of a classifier.

    Parameters
    ----------
    preparation : Preparation
        How the network wants its images.
    labels : tuple of str
    device : str
        As torch names it.
    network : bytes or (Graph, Weights)
        For processors, an ONNX model; it is built once, not in every worker.
    batch : int
        Number of images that it is given at a time.
    turning : bool
        Whether it may be shown images upside down.
    """

    preparation: Preparation
    labels: tuple[str, ...]
    device: str
    network: bytes | tuple[Graph, Weights]
    batch: int
    turning: bool = True


def batch_size(graph: Graph, device: str) -> int:
    """How many images a network is given at a time."""
    kind = "cpu" if device == "cpu" else "gpu"
    return max(1, min(_MOST_IMAGES[kind], _MOST_FLOATS[kind] // graph.floats_at_once()))


def make_model(classifier: Classifier, device: str) -> Model:
    """What workers on a device need of a classifier."""
    network: bytes | tuple[Graph, Weights] = (classifier.graph, classifier.weights)
    if device == "cpu":
        from antrax.networks.backends.onnx_network import build_onnx

        network = build_onnx(classifier.graph, classifier.weights)
    batch = batch_size(classifier.graph, device)
    return Model(classifier.preparation, classifier.labels, device, network, batch, classifier.turning)


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
    rule : Rule
    labels : tuple of str, optional
        What the experiment calls the model's labels; as the model does by default.
    """

    part: MoviePart
    tracklets: tuple[str, ...]
    model: str
    categories: tuple[Category | None, ...]
    rule: Rule
    labels: tuple[str, ...] | None = None


def make_predictor(model: Model, threads: int = 1) -> Predictor:
    """The fastest that there is for the model's device: ONNX Runtime on processors, PyTorch on GPUs.

    Parameters
    ----------
    model : Model
    threads : int
        Processor threads to use.
    """
    if isinstance(model.network, bytes):
        return _OnnxPredictor(model.network, threads)
    import torch

    from antrax.networks.backends.torch_network import TorchPredictor

    torch.set_num_threads(threads)
    return TorchPredictor(*model.network, model.device)


class _OnnxPredictor:
    def __init__(self, network: bytes, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        # the model takes images as stacks hold them; those that come from there are not copied here
        stored = np.ascontiguousarray(images.transpose(0, 3, 2, 1))
        (result,) = self._session.run(None, {"images": stored})
        return np.asarray(result, np.float32)


class Batcher:
    """Gathers images of many tracklets into full batches, and keeps the answers in order.

    Parameters
    ----------
    predictor : Predictor
    batch : int
        Number of images in a batch.
    size : int
        Side length of the images, in pixels.
    """

    def __init__(self, predictor: Predictor, batch: int, size: int) -> None:
        self._predictor = predictor
        self._batch = np.empty((batch, 3, size, size), np.uint8).transpose(0, 3, 2, 1)
        self._filled = 0
        self._answers: list[NDArray[np.float32]] = []

    def add(self, images: NDArray[np.uint8], index: NDArray[np.intp], turned: NDArray[np.bool_]) -> None:
        """Queue views (see `antrax.decision.views`) of images (N, size, size, 3); full batches are computed."""
        while len(index):
            count = min(len(index), len(self._batch) - self._filled)
            free = self._batch[self._filled : self._filled + count]
            # one by one, for numpy takes five times as long to choose and reorder many at once
            for place, chosen, over in zip(free, index[:count].tolist(), turned[:count].tolist(), strict=True):
                place[:] = images[chosen][::-1, ::-1] if over else images[chosen]
            self._filled += count
            if self._filled == len(self._batch):
                self._compute()
            index, turned = index[count:], turned[count:]

    def _compute(self) -> None:
        self._answers.append(self._predictor(self._batch[: self._filled]))
        self._filled = 0

    def finish(self) -> NDArray[np.float32]:
        """Log-probabilities of everything added so far; shape (views, labels)."""
        if self._filled:
            self._compute()
        answers, self._answers = self._answers, []
        return np.concatenate(answers)


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

    def classify(self, job: Job) -> list[Classified]:
        """Classify a job's tracklets; those without images are left out. Raises `StackError`."""
        model = self._models[job.model]
        if job.model not in self._predictors:
            self._predictors[job.model] = make_predictor(model, self._threads)
        batcher = Batcher(self._predictors[job.model], model.batch, model.preparation.size)
        with job.part.open() as stack:
            counts = {name: count for name in job.tracklets if (count := stack.count(name))}
            if not counts:
                return []
            shown = [_show(stack, name, count, model, batcher) for name, count in counts.items()]
        logs = np.split(batcher.finish(), np.cumsum(shown)[:-1])
        passed = job.part.passed(counts)
        return [
            _classified(name, merge_views(log, count), model, job, passed.get(name))
            for (name, count), log in zip(counts.items(), logs, strict=True)
        ]


def _show(stack: TrackletImages, name: str, count: int, model: Model, batcher: Batcher) -> int:
    """Queue a tracklet's images as the network is to see them; returns how many views these are."""
    start = shown = 0
    for piece in stack.pieces(name):
        images = prepare(piece, model.preparation)
        index, turned = views(len(images), start, count, turning=model.turning)
        start += len(images)
        shown += len(index)
        batcher.add(images, index, turned)
    return shown


def _classified(
    name: str,
    probabilities: NDArray[np.float32],
    model: Model,
    job: Job,
    passed: NDArray[np.bool_] | None,
) -> Classified:
    decision = decide(probabilities, job.labels or model.labels, job.categories, job.rule, passed)
    known = passed is not None and len(passed) == len(probabilities)
    return Classified(name, decision, probabilities, int(passed.sum()) if known and passed is not None else -1)


# --- in a worker process
# -------------------------------------------------------------------------------------------------

_worker: Worker | None = None


def start_worker(models: Mapping[str, Model]) -> None:
    """Set up this process to work; Ctrl-C is left to the process that gives the work."""
    import signal

    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = Worker(models)


def work(job: Job) -> list[Classified]:
    """Classify a job in a process that `start_worker` has set up."""
    assert _worker is not None
    return _worker.classify(job)
