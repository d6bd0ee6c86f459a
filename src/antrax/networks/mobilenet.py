"""MobileNetV2 (Sandler et al., 2018, CVPR) as Keras's application has it, layer for layer and name for name.

A network for photographs: its strength are weights pre-trained on ImageNet, which Keras distributes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from antrax.errors import OptionError
from antrax.messages import parameter
from antrax.networks.graph import LARGEST, Graph, Weights
from antrax.networks.keras.weights import read_weights_in_order
from antrax.networks.layers import Layer, make_layer

NAME = "MobileNetV2"
SMALLEST = 32
# Filters, stride and expansion of the blocks.
_BLOCKS = (
    (16, 1, 1),
    *((24, 2, 6), (24, 1, 6)),
    *((32, 2, 6), (32, 1, 6), (32, 1, 6)),
    *((64, 2, 6), (64, 1, 6), (64, 1, 6), (64, 1, 6)),
    *((96, 1, 6), (96, 1, 6), (96, 1, 6)),
    *((160, 2, 6), (160, 1, 6), (160, 1, 6)),
    (320, 1, 6),
)
_LABELS = "labels"


def build_mobilenet(size: int, outputs: int) -> Graph:
    """MobileNetV2 of width 1, with the scaling that it expects before it, and the mean and a dense layer after it.

    Parameters
    ----------
    size : int
        Side length of the images, in pixels; at least 32.
    outputs : int
        Number of labels.
    """
    if not SMALLEST <= size <= LARGEST:
        raise OptionError(
            f"images of {size} pixels: {NAME} takes {SMALLEST} to {LARGEST}; set {parameter('target_size')}"
        )
    layers = [make_layer("InputLayer", "image", batch_shape=(None, size, size, 3))]

    def add(kind: str, name: str, **options: Any) -> None:
        layers.append(make_layer(kind, name, (layers[-1].name,), **options))

    def normalise(name: str, active: str | None) -> None:
        add("BatchNormalization", name, epsilon=1e-3)
        if active:
            add("ReLU", active, max_value=6.0)

    add("Rescaling", "scale", scale=1 / 127.5, offset=-1.0)
    add("Conv2D", "Conv1", filters=32, kernel_size=3, strides=2, padding="same", use_bias=False)
    normalise("bn_Conv1", "Conv1_relu")
    channels = 32
    for number, (filters, stride, expansion) in enumerate(_BLOCKS):
        prefix = f"block_{number}" if number else "expanded_conv"
        before = layers[-1].name
        if number:
            add("Conv2D", f"{prefix}_expand", filters=channels * expansion, kernel_size=1, use_bias=False)
            normalise(f"{prefix}_expand_BN", f"{prefix}_expand_relu")
        if stride == 2:
            rows = Graph(NAME, tuple(layers)).shapes()[layers[-1].name][0]
            add("ZeroPadding2D", f"{prefix}_pad", padding=((rows % 2, 1), (rows % 2, 1)))
        padding = "valid" if stride == 2 else "same"
        add("DepthwiseConv2D", f"{prefix}_depthwise", kernel_size=3, strides=stride, padding=padding, use_bias=False)
        normalise(f"{prefix}_depthwise_BN", f"{prefix}_depthwise_relu")
        add("Conv2D", f"{prefix}_project", filters=filters, kernel_size=1, use_bias=False)
        normalise(f"{prefix}_project_BN", None)
        if stride == 1 and channels == filters:
            layers.append(make_layer("Add", f"{prefix}_add", (before, layers[-1].name)))
        channels = filters
    add("Conv2D", "Conv_1", filters=1280, kernel_size=1, use_bias=False)
    normalise("Conv_1_bn", "out_relu")
    add("GlobalAveragePooling2D", "mean")
    add("Dense", _LABELS, units=outputs)
    return Graph(NAME, tuple(layers))


def is_head(layer: Layer) -> bool:
    """Whether a layer is not part of what is pre-trained."""
    return layer.name == _LABELS


def read_mobilenet_weights(path: Path) -> Weights:
    """The pre-trained weights, all but those of the labels.

    Parameters
    ----------
    path : Path
        `mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_<size>_no_top.h5`, as Keras distributes it.

    Raises
    ------
    ClassifierError
        The file is missing, damaged, or of another network.
    """
    graph = build_mobilenet(96, 2)  # weights are the same for any size and number of labels
    names = [name for name in graph.weight_shapes() if name.partition("/")[0] != _LABELS]
    return read_weights_in_order(path, graph, names, "a file of MobileNetV2's weights")
