"""The kinds of layers that a network may have: their options, output shapes and weights.

`KINDS` is the list of what is allowed. `torch_layers` and `onnx_layers` compute the same kinds; names, options,
defaults and weights are Keras's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import index
from typing import Any

from antrax.errors import ClassifierError
from antrax.networks.options import (
    Padding,
    axes,
    axis,
    batch_shape,
    count,
    flag,
    margin,
    number,
    numbers,
    one_of,
    or_none,
    pair,
    positive,
    require,
    share,
    target_shape,
)

# Without the batch: (rows, columns, channels) or (features,).
Shape = tuple[int, ...]
Options = Mapping[str, Any]

# What a batch of images then takes stays in a few GB; VGG16 on 512 pixels is just allowed.
LARGEST_MAP = 2**24


@dataclass(frozen=True)
class Layer:
    """One layer; made by `make_layer`.

    Parameters
    ----------
    kind : str
        One of `KINDS`: Keras's name of the class.
    name : str
    inputs : tuple of str
        Names of the layers that feed it, earlier ones all.
    options : mapping
        Those of Keras's options that matter for the computation, none left out.
    """

    kind: str
    name: str
    inputs: tuple[str, ...] = ()
    options: Options = field(default_factory=dict)


@dataclass(frozen=True)
class LayerKind:
    """Options, output shape and weights of a kind of layer.

    Parameters
    ----------
    options : mapping of str to (callable, value)
        For each option what makes its value one of the canonical form (or raises ValueError), and its default.
    shape : callable
        Output shape from the options and the shapes of the inputs; any exception means that these do not fit.
    weights : callable
        Shapes of the weights from the options and the shape of the input, in the order in which Keras keeps them.
    """

    options: Mapping[str, tuple[Callable[[Any], Any], Any]]
    shape: Callable[[Options, list[Shape]], Shape]
    weights: Callable[[Options, Shape], dict[str, Shape]] = lambda options, shape: {}


def make_layer(kind: str, name: str, inputs: tuple[str, ...] = (), **options: Any) -> Layer:
    """A layer with all of its options, those not given at Keras's defaults.

    Parameters
    ----------
    kind : str
        Class of Keras's.
    name : str
        Of the layer.
    inputs : tuple of str, optional
        Names of the layers that it takes from.

    Raises
    ------
    ClassifierError
        An option has a value that cannot be computed with.
    """
    known = KINDS[kind].options
    values = {}
    for option, (read, default) in known.items():
        value = options.get(option, default)
        try:
            values[option] = read(value)
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise ClassifierError(
                f"layer {name!r} ({kind}): {option}={_shown(value)}, which this version does not compute"
            ) from None
    if values.get("strides", 1) is None:
        values["strides"] = values["pool_size"]
    return Layer(kind, name, inputs, values)


def output_shape(layer: Layer, inputs: list[Shape]) -> Shape:
    """Output shape of a layer; raises ClassifierError where the inputs do not fit it, or it would be too large."""
    try:
        shape = tuple(index(length) for length in KINDS[layer.kind].shape(layer.options, inputs))
    except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError):
        raise ClassifierError(f"layer {layer.name!r} ({layer.kind}) does not fit the layers before it") from None
    if not shape or min(shape) < 1 or math.prod(shape) > LARGEST_MAP:
        raise ClassifierError(f"layer {layer.name!r} ({layer.kind}) would be of shape {shape}")
    return shape


def padding_of(options: Options, shape: Shape) -> Padding:
    """Padding by `padding="same"` of a map of this shape: ((top, bottom), (left, right))."""
    if options["padding"] == "valid":
        return (0, 0), (0, 0)
    window = options.get("kernel_size") or options["pool_size"]
    dilation = options.get("dilation_rate", (1, 1))
    both = []
    for length, kernel, stride, spread in zip(shape[:2], window, options["strides"], dilation, strict=True):
        total = max(0, (-(-length // stride) - 1) * stride + (kernel - 1) * spread + 1 - length)
        both.append((total // 2, total - total // 2))
    return both[0], both[1]


def sum_of_paddings(first: Padding, second: Padding) -> Padding:
    """Both paddings at once."""
    (top, bottom), (left, right) = first
    (more_top, more_bottom), (more_left, more_right) = second
    return (top + more_top, bottom + more_bottom), (left + more_left, right + more_right)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- shapes
# -------------------------------------------------------------------------------------------------


def _same(options: Options, inputs: list[Shape]) -> Shape:
    (shape,) = inputs
    return shape


def _on_last_axis(options: Options, inputs: list[Shape]) -> Shape:
    (shape,) = inputs
    require(options["axis"] in (-1, len(shape)))
    return shape


def _rescaling(options: Options, inputs: list[Shape]) -> Shape:
    (shape,) = inputs
    for values in options.values():
        require(not isinstance(values, tuple) or len(values) == shape[-1])
    return shape


def _resized(sign: int) -> Callable[[Options, list[Shape]], Shape]:
    def shape(options: Options, inputs: list[Shape]) -> Shape:
        ((rows, columns, channels),) = inputs
        (top, bottom), (left, right) = options["padding" if sign > 0 else "cropping"]
        return rows + sign * (top + bottom), columns + sign * (left + right), channels

    return shape


def _windows(options: Options, shape: Shape) -> tuple[int, int]:
    """Rows and columns of what windows that move over a map give."""
    rows, columns, _ = shape
    window = options.get("kernel_size") or options["pool_size"]
    dilation = options.get("dilation_rate", (1, 1))
    require(max(dilation) == 1 or max(options["strides"]) == 1)  # so does Keras
    sides = zip((rows, columns), window, options["strides"], dilation, strict=True)
    if options["padding"] == "same":
        above_below, left_right = padding_of(options, shape)
        # padding is done on a copy, which may not be larger than any map
        require((rows + sum(above_below)) * (columns + sum(left_right)) * shape[2] <= LARGEST_MAP)
        first, second = (-(-length // stride) for length, _, stride, _ in sides)
    else:
        first, second = ((length - (kernel - 1) * spread - 1) // stride + 1 for length, kernel, stride, spread in sides)
    return first, second


def _convolution(options: Options, inputs: list[Shape]) -> Shape:
    (shape,) = inputs
    require(shape[2] % options["groups"] == 0 and options["filters"] % options["groups"] == 0)
    return (*_windows(options, shape), options["filters"])


def _depthwise(options: Options, inputs: list[Shape]) -> Shape:
    (shape,) = inputs
    return (*_windows(options, shape), shape[2] * options["depth_multiplier"])


def _pooling(options: Options, inputs: list[Shape]) -> Shape:
    (shape,) = inputs
    return (*_windows(options, shape), shape[2])


def _global_pooling(options: Options, inputs: list[Shape]) -> Shape:
    ((_, _, channels),) = inputs
    return (1, 1, channels) if options["keepdims"] else (channels,)


def _flatten(options: Options, inputs: list[Shape]) -> Shape:
    (shape,) = inputs
    return (math.prod(shape),)


def _reshape(options: Options, inputs: list[Shape]) -> Shape:
    (shape,) = inputs
    target: Shape = options["target_shape"]
    if -1 in target:
        rest = math.prod(length for length in target if length != -1)
        target = tuple(math.prod(shape) // rest if length == -1 else length for length in target)
    require(math.prod(target) == math.prod(shape))
    return target


def _concatenate(options: Options, inputs: list[Shape]) -> Shape:
    first = inputs[0]
    require(options["axis"] in (-1, len(first)) and all(shape[:-1] == first[:-1] for shape in inputs))
    return (*first[:-1], sum(shape[-1] for shape in inputs))


def _merged(options: Options, inputs: list[Shape]) -> Shape:
    require(len(inputs) >= 2)
    lengths = [set(side) - {1} for side in zip(*inputs, strict=True)]
    require(all(len(side) <= 1 for side in lengths))
    return tuple(side.pop() if side else 1 for side in lengths)


def _difference(options: Options, inputs: list[Shape]) -> Shape:
    require(len(inputs) == 2)
    return _merged(options, inputs)


def _dense(options: Options, inputs: list[Shape]) -> Shape:
    (shape,) = inputs
    return (*shape[:-1], options["units"])


# --- weights
# -------------------------------------------------------------------------------------------------


def _convolution_weights(options: Options, shape: Shape) -> dict[str, Shape]:
    filters = options["filters"]
    kernel = (*options["kernel_size"], shape[2] // options["groups"], filters)
    return {"kernel": kernel} | ({"bias": (filters,)} if options["use_bias"] else {})


def _depthwise_weights(options: Options, shape: Shape) -> dict[str, Shape]:
    channels, multiplier = shape[2], options["depth_multiplier"]
    kernel = (*options["kernel_size"], channels, multiplier)
    return {"kernel": kernel} | ({"bias": (channels * multiplier,)} if options["use_bias"] else {})


def _dense_weights(options: Options, shape: Shape) -> dict[str, Shape]:
    units = options["units"]
    return {"kernel": (shape[-1], units)} | ({"bias": (units,)} if options["use_bias"] else {})


def _affine_weights(options: Options, shape: Shape) -> dict[str, Shape]:
    names = [name for name, wanted in (("gamma", options["scale"]), ("beta", options["center"])) if wanted]
    return dict.fromkeys(names, shape[-1:])


def _batch_norm_weights(options: Options, shape: Shape) -> dict[str, Shape]:
    return _affine_weights(options, shape) | dict.fromkeys(("moving_mean", "moving_variance"), (shape[-1],))


def _prelu_weights(options: Options, shape: Shape) -> dict[str, Shape]:
    shared = options["shared_axes"] or ()
    return {"alpha": tuple(1 if axis in shared else length for axis, length in enumerate(shape, 1))}


# --- the list
# -------------------------------------------------------------------------------------------------

# Activations without options; relu, relu6, leaky_relu and elu are layers of their own.
ACTIVATIONS = (
    "exponential",
    "gelu",
    "hard_sigmoid",
    "hard_silu",
    "mish",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
)

# Those whose values lie between limits.
BOUNDED = ("hard_sigmoid", "sigmoid", "softmax", "softsign", "tanh")

_WINDOW = {
    "strides": (pair, (1, 1)),
    "padding": (one_of("valid", "same"), "valid"),
    "dilation_rate": (pair, (1, 1)),
    "use_bias": (flag, True),
}
_POOL = {
    "pool_size": (pair, (2, 2)),
    "strides": (or_none(pair), None),
    "padding": (one_of("valid", "same"), "valid"),
}
_AFFINE = {"center": (flag, True), "scale": (flag, True)}

KINDS: Mapping[str, LayerKind] = {
    "InputLayer": LayerKind({"batch_shape": (batch_shape, None)}, lambda options, _: options["batch_shape"][1:]),
    "Rescaling": LayerKind({"scale": (numbers, None), "offset": (numbers, 0.0)}, _rescaling),
    "ZeroPadding2D": LayerKind({"padding": (margin, 1)}, _resized(1)),
    "Cropping2D": LayerKind({"cropping": (margin, 0)}, _resized(-1)),
    "Conv2D": LayerKind(
        {"filters": (count, None), "kernel_size": (pair, None), **_WINDOW, "groups": (count, 1)},
        _convolution,
        _convolution_weights,
    ),
    "DepthwiseConv2D": LayerKind(
        {"kernel_size": (pair, None), "depth_multiplier": (count, 1), **_WINDOW}, _depthwise, _depthwise_weights
    ),
    "Dense": LayerKind({"units": (count, None), "use_bias": (flag, True)}, _dense, _dense_weights),
    "BatchNormalization": LayerKind(
        {"axis": (axis, -1), "epsilon": (positive, 1e-3), **_AFFINE}, _on_last_axis, _batch_norm_weights
    ),
    "LayerNormalization": LayerKind(
        {"axis": (axis, -1), "epsilon": (positive, 1e-3), **_AFFINE}, _on_last_axis, _affine_weights
    ),
    "ReLU": LayerKind(
        {"max_value": (or_none(positive), None), "negative_slope": (number, 0.0), "threshold": (number, 0.0)}, _same
    ),
    "ELU": LayerKind({"alpha": (number, 1.0)}, _same),
    "PReLU": LayerKind({"shared_axes": (or_none(axes), None)}, _same, _prelu_weights),
    "Softmax": LayerKind({"axis": (axis, -1)}, _on_last_axis),
    "Activation": LayerKind({"activation": (one_of(*ACTIVATIONS), None)}, _same),
    "MaxPooling2D": LayerKind(_POOL, _pooling),
    "AveragePooling2D": LayerKind(_POOL, _pooling),
    "GlobalAveragePooling2D": LayerKind({"keepdims": (flag, False)}, _global_pooling),
    "GlobalMaxPooling2D": LayerKind({"keepdims": (flag, False)}, _global_pooling),
    "Flatten": LayerKind({}, _flatten),
    "Reshape": LayerKind({"target_shape": (target_shape, None)}, _reshape),
    "Concatenate": LayerKind({"axis": (axis, -1)}, _concatenate),
    "Add": LayerKind({}, _merged),
    "Subtract": LayerKind({}, _difference),
    "Multiply": LayerKind({}, _merged),
    "Average": LayerKind({}, _merged),
    "Maximum": LayerKind({}, _merged),
    "Minimum": LayerKind({}, _merged),
    # these change nothing in prediction
    "Dropout": LayerKind({"rate": (share, None)}, _same),
    "SpatialDropout2D": LayerKind({"rate": (share, None)}, _same),
    "GaussianDropout": LayerKind({"rate": (share, None)}, _same),
    "GaussianNoise": LayerKind({"stddev": (number, None)}, _same),
}
# Kinds that take several inputs.
MERGING = ("Concatenate", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
# Kinds that have an effect in training only.
NOISE = ("Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise")


def is_softmax(layer: Layer) -> bool:
    """Whether a layer gives the softmax over the last axis of what it gets."""
    return layer.kind == "Softmax" or layer.options.get("activation") == "softmax"
