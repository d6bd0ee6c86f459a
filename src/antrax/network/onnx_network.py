"""Graphs as ONNX models, which ONNX Runtime computes on a processor at twice PyTorch's rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from antrax.network.graph import Graph, Layer, Weights

_OPSET, _IR_VERSION = 17, 8


def build_onnx(graph: Graph, weights: Weights) -> bytes:
    """An ONNX model: uint8 images (N, 3, S, S) in, log-probabilities (N, labels) as float32 out.

    The images' axes are channel, *column*, row, as stacks hold them: transposing every kernel and window once is
    cheaper than transposing every image. Scaling, padding and batch normalisation are folded into the convolutions.
    """
    return _Builder(graph, weights).model().SerializeToString()  # type: ignore[no-any-return]


class _Builder:
    """Turns a graph's layers into ONNX nodes, one after the other."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self._graph, self._weights = graph, weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._layers = {layer.name: layer for layer in graph.layers}
        self._users: dict[str, list[Layer]] = {layer.name: [] for layer in graph.layers}
        for layer in graph.layers:
            for name in layer.inputs:
                self._users[name].append(layer)
        # layers that another node has taken over answer to the name of what feeds or follows them
        self._folded: dict[str, str] = {}

    def model(self) -> onnx.ModelProto:
        image, *rest = self._graph.layers
        if self._scaled_by_convolution(image):
            self._folded[image.name] = "images"
        else:
            self._node("Cast", ["images"], image.name, to=TensorProto.FLOAT)
        for layer in rest:
            self._add(layer)
        self._node("LogSoftmax", [rest[-1].name], "log_probabilities", axis=1)
        size = self._graph.size
        inputs = [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 3, size, size])]
        outputs = [helper.make_tensor_value_info("log_probabilities", TensorProto.FLOAT, ["n", self._graph.outputs])]
        return helper.make_model(
            helper.make_graph(self._nodes, self._graph.name, inputs, outputs, self._constants),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="antrax",
        )

    def _constant(self, name: str, value: Any) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def _add(self, layer: Layer) -> None:
        name, options = layer.name, layer.options
        inputs = [self._folded.get(source, source) for source in layer.inputs]
        match layer.kind:
            case "Rescaling" if inputs == ["images"]:
                self._folded[name] = "images"
            case "Rescaling":
                scale = self._constant(f"{name}/scale", np.float32(options["scale"]))
                offset = self._constant(f"{name}/offset", np.float32(options["offset"]))
                self._node("Mul", [*inputs, scale], f"{name}:scaled")
                self._node("Add", [f"{name}:scaled", offset], name)
            case "ZeroPadding2D" if inputs != ["images"] and _only_user(self._users[name], "Conv2D"):
                self._folded[name] = inputs[0]
            case "ZeroPadding2D":
                (top, bottom), (left, right) = options["padding"]
                pads = self._constant(f"{name}/pads", np.array([0, 0, left, top, 0, 0, right, bottom], np.int64))
                if inputs == ["images"]:  # zero after scaling is this before
                    scaling = self._layers[layer.inputs[0]].options
                    zero = np.uint8(round(-scaling["offset"] / scaling["scale"]))
                    self._node("Pad", [*inputs, pads, self._constant(f"{name}/zero", zero)], f"{name}:uint8")
                    self._node("Cast", [f"{name}:uint8"], name, to=TensorProto.FLOAT)
                else:
                    self._node("Pad", [*inputs, pads], name)
            case "Conv2D":
                self._convolution(layer, inputs)
            case "BatchNormalization":
                if name not in self._folded:
                    variables = ("gamma", "beta", "moving_mean", "moving_variance")
                    arguments = [self._constant(f"{name}/{v}", self._weights[f"{name}/{v}"]) for v in variables]
                    self._node("BatchNormalization", [*inputs, *arguments], name, epsilon=options["epsilon"])
            case "ReLU":
                self._node("Relu", inputs, name)
            case "MaxPooling2D" | "AveragePooling2D":
                kind = layer.kind.replace("Pooling2D", "Pool")
                window, strides = list(options["pool_size"][::-1]), list(options["strides"][::-1])
                self._node(kind, inputs, name, kernel_shape=window, strides=strides)
            case "GlobalAveragePooling2D" | "GlobalMaxPooling2D":
                self._node(layer.kind.replace("Pooling2D", "Pool"), inputs, f"{name}:map")
                self._node("Flatten", [f"{name}:map"], name)
            case "Flatten":  # in Keras's order: row, column, channel
                self._node("Transpose", inputs, f"{name}:last", perm=[0, 3, 2, 1])
                self._node("Flatten", [f"{name}:last"], name)
            case "Concatenate":
                self._node("Concat", inputs, name, axis=1)
            case "Dense":
                arguments = [self._constant(f"{name}/{v}", self._weights[f"{name}/{v}"]) for v in ("kernel", "bias")]
                self._node("Gemm", [*inputs, *arguments], name)
            case _:
                raise AssertionError(f"a layer of kind {layer.kind} has no computation")

    def _convolution(self, layer: Layer, inputs: list[str]) -> None:
        """A convolution, with the scaling or padding before it and the normalisation after it folded in."""
        name = layer.name
        kernel = self._weights[f"{name}/kernel"].transpose(3, 2, 1, 0)
        bias = self._weights.get(f"{name}/bias", np.zeros(len(kernel), np.float32))
        if norm := _only_user(self._users[name], "BatchNormalization"):
            gamma, beta, mean, variance = (
                self._weights[f"{norm.name}/{v}"] for v in ("gamma", "beta", "moving_mean", "moving_variance")
            )
            gain = gamma / np.sqrt(variance + np.float32(norm.options["epsilon"]))
            kernel, bias = kernel * gain[:, None, None, None], beta + (bias - mean) * gain
            self._folded[norm.name] = name
        before = self._layers[layer.inputs[0]]
        pads = [0, 0, 0, 0]
        if before.kind == "ZeroPadding2D" and before.name in self._folded:
            (top, bottom), (left, right) = before.options["padding"]
            pads = [left, top, right, bottom]
        image = self._graph.layers[0]
        if image.name in self._folded and before.inputs and self._folded.get(before.inputs[0]) == "images":
            scaling = self._users[image.name][0].options
            bias = bias + np.float32(scaling["offset"]) * kernel.sum((1, 2, 3))
            kernel = kernel * np.float32(scaling["scale"])
        arguments = [self._constant(f"{name}/kernel", kernel), self._constant(f"{name}/bias", bias)]
        self._node("Conv", [*inputs, *arguments], name, strides=list(layer.options["strides"][::-1]), pads=pads)

    def _scaled_by_convolution(self, image: Layer) -> bool:
        """Whether images are only scaled so that a colour becomes 0, padded, and convolved: then a kernel can scale."""
        scaling = _only_user(self._users[image.name], "Rescaling")
        padding = _only_user(self._users[scaling.name], "ZeroPadding2D") if scaling else None
        if not scaling or not padding or not _only_user(self._users[padding.name], "Conv2D"):
            return False
        zero = -scaling.options["offset"] / scaling.options["scale"]
        return bool(0 <= zero <= 255 and abs(zero - round(zero)) < 1e-6)


def _only_user(users: list[Layer], kind: str) -> Layer | None:
    """The one layer that uses another's output, where it is of that kind."""
    return users[0] if len(users) == 1 and users[0].kind == kind else None
