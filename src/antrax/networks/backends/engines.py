"""Inference engines that run a network: a table with an entry for each.

An engine from outside is one more entry::

    ENGINES["mine"] = Engine("mine", ("cpu",), lambda: True, prepare=my_export, load=my_predictor)

`antrax.classify(…, ClassifyOptions(engine="mine"))` then uses it; without a name, the fastest of those is taken that
are installed, run on the device, and take part in the choice (`automatic`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from antrax.errors import OptionError
from antrax.networks.graph import Graph, Weights

_TRIAL_S = 0.15
# How much faster than the first of the table another engine must be: the results of two differ in the last digits.
_FASTER = 1.15


class Predictor(Protocol):
    """A network that runs in this process."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Log-probabilities of one batch.

        Parameters
        ----------
        images : NDArray[np.uint8]
            Shape (N, S, S, 3): row, column, rgb.

        Returns
        -------
        NDArray[np.float32]
            Shape (N, labels).
        """
        ...


@dataclass(frozen=True)
class Engine:
    """A library that runs networks.

    Parameters
    ----------
    name : str
    devices : tuple of str
        Those that it runs on, as torch names them.
    is_installed : callable
        Whether it can be used here; imports nothing large.
    prepare : callable
        Given graph and weights, what workers need of them; it is done once, and the answer is sent to every worker.
    load : callable
        Given that, a device and a number of processor threads, a `Predictor`; in the worker.
    automatic : bool
        Whether it is taken without being named.
    """

    name: str
    devices: tuple[str, ...]
    is_installed: Callable[[], bool]
    prepare: Callable[[Graph, Weights], Any]
    load: Callable[[Any, str, int], Predictor]
    automatic: bool = True


def _onnx_model(graph: Graph, weights: Weights) -> bytes:
    from antrax.networks.backends.onnx_network import build_onnx

    return build_onnx(graph, weights)


def _as_stored(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images in the axis order of stacks, which our ONNX models take; images from stacks are not copied."""
    return np.ascontiguousarray(images.transpose(0, 3, 2, 1))


def _onnx_predictor(model: bytes, device: str, threads: int) -> Predictor:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        (result,) = session.run(None, {"images": _as_stored(images)})
        return np.asarray(result, np.float32)

    return predict


def _openvino_predictor(model: bytes, device: str, threads: int) -> Predictor:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.compile_model(openvino.Core().read_model(model), "CPU", settings)
    return lambda images: np.array(compiled(_as_stored(images))[0], np.float32)


def _torch_predictor(network: tuple[Graph, Weights], device: str, threads: int) -> Predictor:
    import torch

    from antrax.networks.backends.torch_network import TorchPredictor

    torch.set_num_threads(threads)
    return TorchPredictor(*network, device)


ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("onnx", ("cpu",), lambda: True, _onnx_model, _onnx_predictor),
        Engine("openvino", ("cpu",), lambda: find_spec("openvino") is not None, _onnx_model, _openvino_predictor),
        # on processors it runs at two thirds of the others' rate
        Engine(
            "torch", ("cpu", "cuda", "mps"), lambda: True, lambda graph, weights: (graph, weights), _torch_predictor
        ),
    )
}
_ONLY_IF_NAMED = {("torch", "cpu")}


def choose_engine(name: str, device: str, graph: Graph, weights: Weights, batch: int) -> tuple[Engine, Any]:
    """Choose the engine to use, and let it prepare a network.

    Parameters
    ----------
    name : str
        Of an entry of `ENGINES`, or `auto` for the fastest.
    device : str
        As torch names it.
    graph : Graph
    weights : Weights
    batch : int
        Number of images in a batch, for a trial where there are several to choose from.

    Raises
    ------
    OptionError
        There is no such engine, it is not installed, or does not run on the device.
    """
    if name != "auto":
        engine = ENGINES.get(name)
        if engine is None:
            raise OptionError(f"engine {name!r}: there is {', '.join(['auto', *ENGINES])}")
        if not engine.is_installed():
            raise OptionError(f"engine {name!r} is not installed; pip install {name}, or take another one")
        if device not in engine.devices:
            raise OptionError(f"engine {name!r} does not run on {device}; it runs on {', '.join(engine.devices)}")
        return engine, engine.prepare(graph, weights)
    fitting = [
        engine
        for engine in ENGINES.values()
        if engine.automatic
        and device in engine.devices
        and (engine.name, device) not in _ONLY_IF_NAMED
        and engine.is_installed()
    ]
    first, *others = [(engine, engine.prepare(graph, weights)) for engine in fitting]
    if not others:
        return first
    images = np.random.default_rng(0).integers(0, 256, (batch, 3, graph.size, graph.size), np.uint8)
    images = images.transpose(0, 3, 2, 1)
    best, rate = first, _rate(*first, device, images) * _FASTER
    for candidate in others:
        if (found := _rate(*candidate, device, images)) > rate:
            best, rate = candidate, found
    return best


def _rate(engine: Engine, prepared: Any, device: str, images: NDArray[np.uint8]) -> float:
    """Batches a second; 0 where an engine cannot run the network."""
    try:
        predict = engine.load(prepared, device, 1)
        predict(images)
        count, started = 0, time.monotonic()
        while count < 2 or time.monotonic() - started < _TRIAL_S:
            predict(images)
            count += 1
    except Exception:
        if engine is next(iter(ENGINES.values())):
            raise
        return 0.0
    return count / (time.monotonic() - started)
