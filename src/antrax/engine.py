"""Running a network on blob images: readers, batches and predictors, inside a worker process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from antrax.decision import Decision, Rule, decide, merge_views, views
from antrax.images import Background, prepare
from antrax.labels import Category
from antrax.network.graph import Graph, Weights
from antrax.stacks import Stack, open_stack, read_frame_passed

# Large enough that the cost of a call is nothing, small enough that the network's maps stay in the processor's cache.
BATCH = 128
_GPU_BATCH = 1024


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
    graph : Graph
    weights : Weights
    labels : tuple of str
    background : {"white", "black"}
    """

    graph: Graph
    weights: Weights
    labels: tuple[str, ...]
    background: Background


@dataclass(frozen=True)
class Job:
    """Some tracklets of one image stack, to be classified together.

    Parameters
    ----------
    stack, frame_passed : Path
    tracklets : tuple of str
    model : str
        Which of the models that the worker was given.
    categories : tuple of Category or None
        Kind of each of the model's labels in the experiment.
    rule : Rule
    """

    stack: Path
    frame_passed: Path
    tracklets: tuple[str, ...]
    model: str
    categories: tuple[Category | None, ...]
    rule: Rule


@dataclass(frozen=True)
class Classified:
    """One classified tracklet.

    Parameters
    ----------
    tracklet : str
    decision : Decision
    probabilities : NDArray[np.float16]
        Shape (images, labels).
    passed : int
        Number of its images whose blob is of plausible size and shape; -1 where that is not known.
    """

    tracklet: str
    decision: Decision
    probabilities: NDArray[np.float16]
    passed: int


def make_predictor(graph: Graph, weights: Weights, device: str, threads: int = 1) -> Predictor:
    """The fastest that there is for a device: ONNX Runtime on processors, PyTorch on GPUs.

    Parameters
    ----------
    graph : Graph
    weights : Weights
    device : str
        As torch names it.
    threads : int
        Processor threads to use.
    """
    if device == "cpu":
        return _OnnxPredictor(graph, weights, threads)
    import torch

    from antrax.optimization import TorchPredictor

    torch.set_num_threads(threads)
    return TorchPredictor(graph, weights, device)


class _OnnxPredictor:
    def __init__(self, graph: Graph, weights: Weights, threads: int) -> None:
        import onnxruntime

        from antrax.network.onnx_network import build_onnx

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            build_onnx(graph, weights), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        (result,) = self._session.run(None, {self._input: images})
        return np.asarray(result, np.float32)


class Batcher:
    """Gathers images of many tracklets into full batches, and keeps the answers in order."""

    def __init__(self, predictor: Predictor, size: int) -> None:
        self._predictor, self._size = predictor, size
        self._waiting: list[NDArray[np.uint8]] = []
        self._count = 0
        self._answers: list[NDArray[np.float32]] = []

    def add(self, images: NDArray[np.uint8]) -> None:
        """Queue some images; batches that are full are computed."""
        self._waiting.append(images)
        self._count += len(images)
        if self._count >= self._size:
            self._compute(self._count - self._count % self._size)

    def _compute(self, count: int) -> None:
        queued = np.concatenate(self._waiting) if len(self._waiting) > 1 else self._waiting[0]
        self._answers += [self._predictor(queued[start : start + self._size]) for start in range(0, count, self._size)]
        self._waiting = [queued[count:]]
        self._count -= count

    def finish(self) -> NDArray[np.float32]:
        """Log-probabilities of everything added so far; shape (images, labels)."""
        if self._count:
            self._compute(self._count)
        answers, self._answers = self._answers, []
        return np.concatenate(answers)


class Worker:
    """Classifies jobs, one after the other, with the models it was given.

    Parameters
    ----------
    models : mapping of str to Model
    device : str
    threads : int
        Processor threads for the network.
    """

    def __init__(self, models: Mapping[str, Model], device: str, threads: int = 1) -> None:
        self._models, self._device, self._threads = models, device, threads
        self._predictors: dict[str, Predictor] = {}

    def classify(self, job: Job) -> list[Classified]:
        """Classify a job's tracklets; those without images are left out. Raises `StackError`."""
        model = self._models[job.model]
        if job.model not in self._predictors:
            self._predictors[job.model] = make_predictor(model.graph, model.weights, self._device, self._threads)
        batcher = Batcher(self._predictors[job.model], BATCH if self._device == "cpu" else _GPU_BATCH)
        with open_stack(job.stack) as stack:
            counts = {name: count for name in job.tracklets if (count := stack.count(name))}
            if not counts:
                return []
            shown = [_show(stack, name, count, model, batcher) for name, count in counts.items()]
        logs = np.split(batcher.finish(), np.cumsum(shown)[:-1])
        passed = read_frame_passed(job.frame_passed, counts)
        return [
            _classified(name, merge_views(log, count), model, job, passed.get(name))
            for (name, count), log in zip(counts.items(), logs, strict=True)
        ]


def _show(stack: Stack, name: str, count: int, model: Model, batcher: Batcher) -> int:
    """Queue a tracklet's images as the network is to see them; returns how many views these are."""
    start = shown = 0
    for piece in stack.pieces(name):
        images = prepare(piece, model.graph.size, model.background)
        index, turned = views(len(images), start, count)
        start += len(images)
        shown += len(index)
        batch = images[index]
        batch[turned] = batch[turned][:, ::-1, ::-1]
        batcher.add(batch)
    return shown


def _classified(
    name: str,
    probabilities: NDArray[np.float32],
    model: Model,
    job: Job,
    passed: NDArray[np.bool_] | None,
) -> Classified:
    decision = decide(probabilities, model.labels, job.categories, job.rule, passed)
    known = passed is not None and len(passed) == len(probabilities)
    return Classified(
        name, decision, probabilities.astype(np.float16), int(passed.sum()) if known and passed is not None else -1
    )


# --- in a worker process
# -------------------------------------------------------------------------------------------------

_worker: Worker | None = None


def start_worker(models: Mapping[str, Model], device: str) -> None:
    """Set up this process to work; Ctrl-C is left to the process that gives the work."""
    import signal

    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = Worker(models, device)


def work(job: Job) -> list[Classified]:
    """Classify a job in a process that `start_worker` has set up."""
    assert _worker is not None
    return _worker.classify(job)


def images_of(results: Iterable[Classified]) -> int:
    """Number of images that were classified."""
    return sum(len(result.probabilities) for result in results)
