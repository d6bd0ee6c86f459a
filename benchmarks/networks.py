"""Networks that are measured beside our own: those of anTraX, and the example of docs/classifiers.md."""

from __future__ import annotations

from typing import Any

from antrax.networks.graph import Graph
from antrax.networks.layers import make_layer
from antrax.networks.mobilenet import NAME as MOBILENET
from antrax.networks.mobilenet import build_mobilenet

FILTERS = {"small": (64, 128, 256), "wide": (128, 256, 512), "large": (64, 64, 128, 256)}
ANTRAX = (*FILTERS, MOBILENET)


def antrax_network(name: str, outputs: int, size: int = 64) -> Graph:
    """An architecture of anTraX; it gives pixels to MobileNetV2 as they are."""
    if name == MOBILENET:
        image, _scaling, first, *rest = build_mobilenet(size, outputs).layers
        unscaled = make_layer(first.kind, first.name, (image.name,), **first.options)
        return Graph(f"anTraX-{name}", (image, unscaled, *rest))
    stack = _Stack(size)
    for filters in FILTERS[name]:
        stack.add("Conv2D", filters=filters, kernel_size=3).add("ReLU").add("MaxPooling2D")
        stack.add("BatchNormalization").add("Dropout", rate=0.25)
    stack.add("Flatten").add("BatchNormalization").add("Dropout", rate=0.25).add("Dense", units=outputs)
    return stack.graph(f"anTraX-{name}")


def example(outputs: int) -> Graph:
    """The network that docs/classifiers.md makes with Keras."""
    stack = _Stack(64).add("Rescaling", scale=1 / 255, offset=-1.0)
    for filters in (32, 64, 128):
        stack.add("Conv2D", filters=filters, kernel_size=3, padding="same", use_bias=False)
        stack.add("BatchNormalization").add("ReLU").add("MaxPooling2D")
    stack.add("Flatten").add("Dropout", rate=0.3).add("Dense", units=outputs)
    return stack.graph("custom")


def plain(outputs: int) -> Graph:
    """A network without normalisation, as users may give one of their own."""
    stack = _Stack(64).add("Rescaling", scale=1 / 255, offset=-1.0)
    for filters in (32, 64, 128):
        stack.add("Conv2D", filters=filters, kernel_size=3, padding="same").add("ReLU").add("MaxPooling2D")
    stack.add("Flatten").add("Dropout", rate=0.3).add("Dense", units=outputs)
    return stack.graph("plain")


class _Stack:
    """Layers one after the other."""

    def __init__(self, size: int) -> None:
        self._layers = [make_layer("InputLayer", "image", batch_shape=(None, size, size, 3))]

    def add(self, kind: str, **options: Any) -> _Stack:
        """Add a layer to the last one."""
        name = f"{kind.lower()}_{len(self._layers)}"
        self._layers.append(make_layer(kind, name, (self._layers[-1].name,), **options))
        return self

    def graph(self, name: str) -> Graph:
        """The network."""
        return Graph(name, tuple(self._layers))
