"""PyTorch modules and functions for each kind of layer, on tensors (N, channels, rows, columns)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from antrax.networks.layers import Layer, Options, Shape, padding_of, sum_of_paddings
from antrax.networks.options import Padding

# A module, or a function without weights, that takes the tensors of a layer's inputs.
Step = Callable[..., Tensor]

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "exponential": torch.exp,
    "gelu": functional.gelu,
    "hard_sigmoid": functional.hardsigmoid,
    "hard_silu": functional.hardswish,
    "mish": functional.mish,
    "selu": functional.selu,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "softmax": lambda x: torch.softmax(x, 1),
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "tanh": torch.tanh,
}


def make_step(layer: Layer, inputs: list[Shape], output: Shape, padding: Padding) -> Step:
    """Make the function that computes a layer.

    Parameters
    ----------
    layer : Layer
    inputs, output : Shape
        As the graph gives them.
    padding : ((int, int), (int, int))
        Of a layer of padding before it that it does itself.
    """
    return _STEPS[layer.kind](layer.options, inputs, output, padding)


class _Convolution(nn.Module):
    """A convolution, depthwise or not, after padding."""

    def __init__(self, options: Options, inputs: list[Shape], output: Shape, padding: Padding) -> None:
        super().__init__()
        (shape,) = inputs
        margin = sum_of_paddings(
            padding, padding_of(options, (shape[0] + sum(padding[0]), shape[1] + sum(padding[1]), shape[2]))
        )
        (top, bottom), (left, right) = margin
        even = (top, left) == (bottom, right)
        # a convolution that pads by itself saves a copy of the map
        self._margin = None if even else (left, right, top, bottom)
        self.convolution = nn.Conv2d(
            shape[2],
            output[2],
            options["kernel_size"],
            options["strides"],
            (top, left) if even else 0,
            options["dilation_rate"],
            groups=options.get("groups", shape[2]),
            bias=options["use_bias"],
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.convolution(functional.pad(x, self._margin) if self._margin else x)
        return result


class _Dense(nn.Module):
    """A dense layer, over the channels where it gets a map."""

    def __init__(self, options: Options, inputs: list[Shape], *_: Any) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs[0][-1], options["units"], options["use_bias"])

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.dense(x) if x.ndim == 2 else self.dense(x.movedim(1, -1)).movedim(-1, 1)
        return result


class _LayerNorm(nn.Module):
    """Normalisation of each place over its channels."""

    def __init__(self, options: Options, inputs: list[Shape], *_: Any) -> None:
        super().__init__()
        channels = inputs[0][-1]
        self._epsilon = options["epsilon"]
        self.weight = nn.Parameter(torch.ones(channels), requires_grad=options["scale"])
        self.bias = nn.Parameter(torch.zeros(channels), requires_grad=options["center"])

    def forward(self, x: Tensor) -> Tensor:
        normal = functional.layer_norm(x.movedim(1, -1), (x.shape[1],), self.weight, self.bias, self._epsilon)
        return normal.movedim(-1, 1)


class _PReLU(nn.Module):
    def __init__(self, options: Options, inputs: list[Shape], *_: Any) -> None:
        super().__init__()
        shared = options["shared_axes"] or ()
        shape = tuple(1 if axis in shared else length for axis, length in enumerate(inputs[0], 1))
        self.weight = nn.Parameter(torch.zeros((shape[-1], *shape[:-1])))

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self.weight * x)


class _GaussianNoise(nn.Module):
    def __init__(self, spread: float, times: bool) -> None:
        super().__init__()
        self._spread, self._times = spread, times

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        noise = torch.randn_like(x) * self._spread
        return x * (1 + noise) if self._times else x + noise


def _batch_norm(options: Options, inputs: list[Shape], *_: Any) -> Step:
    (shape,) = inputs
    kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    module = kind(shape[-1], eps=options["epsilon"])
    module.weight.requires_grad_(options["scale"])
    module.bias.requires_grad_(options["center"])
    return module


def _rescaling(options: Options, inputs: list[Shape], *_: Any) -> Step:
    scale, offset = options["scale"], options["offset"]
    if not isinstance(scale, tuple) and not isinstance(offset, tuple):
        return lambda x: x * scale + offset
    rank = len(inputs[0])

    def rescale(x: Tensor) -> Tensor:
        factor, summand = (torch.tensor(value, device=x.device, dtype=x.dtype) for value in (scale, offset))
        if rank == 3:
            factor, summand = (v[:, None, None] if v.ndim else v for v in (factor, summand))
        return x * factor + summand

    return rescale


def _pad(options: Options, *_: Any) -> Step:
    (top, bottom), (left, right) = options["padding"]
    return lambda x: functional.pad(x, (left, right, top, bottom))


def _crop(options: Options, inputs: list[Shape], *_: Any) -> Step:
    (top, bottom), (left, right) = options["cropping"]
    ((rows, columns, _channels),) = inputs
    return lambda x: x[:, :, top : rows - bottom, left : columns - right]


def _relu(options: Options, *_: Any) -> Step:
    most, slope, threshold = options["max_value"], options["negative_slope"], options["threshold"]
    if threshold:

        def over(x: Tensor) -> Tensor:
            above = x if most is None else x.clamp(max=most)
            return torch.where(x > threshold, above, slope * (x - threshold))

        return over
    if slope:
        leaky = nn.LeakyReLU(slope)
        return leaky if most is None else lambda x: leaky(x).clamp(max=most)
    return functional.relu if most is None else lambda x: x.clamp(0, most)


def _elu(options: Options, *_: Any) -> Step:
    alpha = options["alpha"]
    return lambda x: functional.elu(x, alpha)


def _activation(options: Options, *_: Any) -> Step:
    return _ACTIVATIONS[options.get("activation", "softmax")]


def _max_pool(options: Options, inputs: list[Shape], *_: Any) -> Step:
    (top, bottom), (left, right) = padding_of(options, inputs[0])
    window, strides = options["pool_size"], options["strides"]
    if not (top or bottom or left or right):
        return lambda x: functional.max_pool2d(x, window, strides)
    return lambda x: functional.max_pool2d(
        functional.pad(x, (left, right, top, bottom), value=-math.inf), window, strides
    )


def _average_pool(options: Options, inputs: list[Shape], output: Shape, *_: Any) -> Step:
    (shape,) = inputs
    (top, bottom), (left, right) = padding_of(options, shape)
    window, strides = options["pool_size"], options["strides"]
    if top or bottom or left or right:
        # a mean is of what lies within the map

        def average(x: Tensor) -> Tensor:
            inside = functional.pad(torch.ones_like(x[:1, :1]), (left, right, top, bottom))
            total = functional.avg_pool2d(functional.pad(x, (left, right, top, bottom)), window, strides)
            return total / functional.avg_pool2d(inside, window, strides)

        return average
    cells = (output[0], output[1])
    if window == strides and (cells[0] * window[0], cells[1] * window[1]) == shape[:2]:
        return lambda x: functional.adaptive_avg_pool2d(x, cells)  # the same, and faster
    return lambda x: functional.avg_pool2d(x, window, strides)


def _global_average(options: Options, *_: Any) -> Step:
    kept = options["keepdims"]
    return lambda x: x.mean((2, 3), keepdim=kept)


def _global_max(options: Options, *_: Any) -> Step:
    kept = options["keepdims"]
    return lambda x: x.amax((2, 3), keepdim=kept)


def _reshape(options: Options, inputs: list[Shape], output: Shape, *_: Any) -> Step:
    # Keras's order is row, column, channel
    def reshape(x: Tensor) -> Tensor:
        flat = x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x
        return flat if len(output) == 1 else flat.reshape(-1, *output).permute(0, 3, 1, 2)

    return reshape


def _merge(combine: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Step]:
    return lambda *_: lambda *tensors: reduce(combine, tensors)


def _average(options: Options, inputs: list[Shape], *_: Any) -> Step:
    count = len(inputs)
    return lambda *tensors: reduce(torch.add, tensors) / count


_STEPS: dict[str, Callable[[Options, list[Shape], Shape, Padding], Step]] = {
    "Rescaling": _rescaling,
    "ZeroPadding2D": _pad,
    "Cropping2D": _crop,
    "Conv2D": _Convolution,
    "DepthwiseConv2D": _Convolution,
    "Dense": _Dense,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _LayerNorm,
    "ReLU": _relu,
    "ELU": _elu,
    "PReLU": _PReLU,
    "Softmax": _activation,
    "Activation": _activation,
    "MaxPooling2D": _max_pool,
    "AveragePooling2D": _average_pool,
    "GlobalAveragePooling2D": _global_average,
    "GlobalMaxPooling2D": _global_max,
    "Flatten": _reshape,
    "Reshape": _reshape,
    "Concatenate": lambda *_: lambda *tensors: torch.cat(tensors, 1),
    "Add": _merge(torch.add),
    "Subtract": _merge(torch.sub),
    "Multiply": _merge(torch.mul),
    "Average": _average,
    "Maximum": _merge(torch.maximum),
    "Minimum": _merge(torch.minimum),
    "Dropout": lambda options, *_: nn.Dropout(options["rate"]),
    "SpatialDropout2D": lambda options, *_: nn.Dropout2d(options["rate"]),
    "GaussianDropout": lambda options, *_: _GaussianNoise(math.sqrt(options["rate"] / (1 - options["rate"])), True),
    "GaussianNoise": lambda options, *_: _GaussianNoise(options["stddev"], False),
}
