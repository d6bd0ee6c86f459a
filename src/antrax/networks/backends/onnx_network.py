"""Graphs as ONNX models, which ONNX Runtime computes on a processor at twice PyTorch's rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from antrax.images import GREY
from antrax.networks.backends.onnx_layers import add_layer, affine, pads
from antrax.networks.graph import Graph, Weights
from antrax.networks.layers import NOISE, Layer, Shape, padding_of, sum_of_paddings

_OPSET, _IR_VERSION = 17, 8
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D")


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
        self._shapes = graph.shapes()
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._layers = {layer.name: layer for layer in graph.layers}
        self._users = graph.users()
        # layers that another node has taken over answer to the name of what feeds or follows them
        self._folded: dict[str, str] = {}

    def model(self) -> onnx.ModelProto:
        image, *rest = self._graph.layers
        if self._scaled_by_convolution(image):
            self._folded[image.name] = "images"
        elif self._graph.channels == 1:
            self._grey(image.name)
        else:
            self.node("Cast", ["images"], image.name, to=TensorProto.FLOAT)
        for layer in rest:
            self._add(layer)
        last = self._folded.get(rest[-1].name, rest[-1].name)
        self.node("LogSoftmax", [last], "log_probabilities", axis=1)
        size = self._graph.size
        inputs = [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 3, size, size])]
        outputs = [helper.make_tensor_value_info("log_probabilities", TensorProto.FLOAT, ["n", self._graph.outputs])]
        return helper.make_model(
            helper.make_graph(self._nodes, self._graph.name, inputs, outputs, self._constants),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="antrax",
        )

    def constant(self, name: str, value: Any) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def weight(self, layer: Layer, variable: str) -> NDArray[np.float32] | None:
        return self._weights.get(f"{layer.name}/{variable}")

    def shape(self, name: str) -> Shape:
        return self._shapes[name]

    def _add(self, layer: Layer) -> None:
        name = layer.name
        inputs = [self._folded.get(source, source) for source in layer.inputs]
        if name in self._folded:
            return
        match layer.kind:
            case "Rescaling" if inputs == ["images"]:
                self._folded[name] = "images"
            case "ZeroPadding2D" if inputs == ["images"]:
                self._pad_images(layer)
            case "ZeroPadding2D" if _only_user(self._users[name], *_CONVOLUTIONS):
                self._folded[name] = inputs[0]
            case "Conv2D" | "DepthwiseConv2D":
                self._convolution(layer, inputs)
            case "Dense":
                self._dense(layer, inputs)
            case kind if kind in NOISE:
                self._folded[name] = inputs[0]
            case _:
                add_layer(self, layer, inputs)

    def _pad_images(self, layer: Layer) -> None:
        """Pad images before they are scaled, by what the scaling then makes zero."""
        name = layer.name
        left, top, right, bottom = pads(layer.options["padding"])
        widths = self.constant(f"{name}/pads", np.array([0, 0, left, top, 0, 0, right, bottom], np.int64))
        scaling = self._layers[layer.inputs[0]].options
        zero = np.uint8(round(-scaling["offset"] / scaling["scale"]))
        self.node("Pad", ["images", widths, self.constant(f"{name}/zero", zero)], f"{name}:uint8")
        self.node("Cast", [f"{name}:uint8"], name, to=TensorProto.FLOAT)

    def _convolution(self, layer: Layer, inputs: list[str]) -> None:
        """A convolution, with the scaling or padding before it and the normalisation after it folded in."""
        name, options = layer.name, layer.options
        kernel = self._weights[f"{name}/kernel"]
        groups = options.get("groups", kernel.shape[2])
        if layer.kind == "DepthwiseConv2D":
            kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
        kernel, bias = self._with_normalisation(layer, kernel.transpose(3, 2, 1, 0))
        before = self._layers[layer.inputs[0]]
        shape, margin = self._shapes[before.name], padding_of(options, self._shapes[before.name])
        if before.kind == "ZeroPadding2D" and before.name in self._folded:
            margin = sum_of_paddings(margin, before.options["padding"])
        image = self._graph.layers[0]
        if image.name in self._folded and before.inputs and self._folded.get(before.inputs[0]) == "images":
            scaling = self._users[image.name][0].options
            bias = bias + np.float32(scaling["offset"]) * kernel.sum((1, 2, 3))
            kernel = kernel * np.float32(scaling["scale"])
        arguments = [self.constant(f"{name}/kernel", kernel), self.constant(f"{name}/bias", bias)]
        assert len(shape) == 3
        self.node(
            "Conv",
            [*inputs, *arguments],
            name,
            strides=list(options["strides"][::-1]),
            dilations=list(options["dilation_rate"][::-1]),
            group=groups,
            pads=pads(margin),
        )

    def _dense(self, layer: Layer, inputs: list[str]) -> None:
        name = layer.name
        kernel, bias = self._with_normalisation(layer, self._weights[f"{name}/kernel"].T)
        if len(self._shapes[name]) == 3:
            arguments = [self.constant(f"{name}/kernel", kernel[:, :, None, None]), self.constant(f"{name}/bias", bias)]
            self.node("Conv", [*inputs, *arguments], name)
        else:
            arguments = [self.constant(f"{name}/kernel", kernel.T), self.constant(f"{name}/bias", bias)]
            self.node("Gemm", [*inputs, *arguments], name)

    def _with_normalisation(
        self, layer: Layer, kernel: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A kernel (out, …) and its bias, with the batch normalisation after them, where there is one, folded in."""
        bias = self.weight(layer, "bias")
        if bias is None:
            bias = np.zeros(len(kernel), np.float32)
        if norm := _only_user(self._users[layer.name], "BatchNormalization"):
            gain, shift = affine(self, norm)
            kernel, bias = kernel * gain.reshape(-1, *[1] * (kernel.ndim - 1)), bias * gain + shift
            self._folded[norm.name] = layer.name
        return kernel, bias

    def _grey(self, output: str) -> None:
        """The grey value that Pillow gives, exactly: floats hold whole numbers to 2²⁴, and no sum is larger."""
        self.node("Cast", ["images"], f"{output}:colour", to=TensorProto.FLOAT)
        kernel = self.constant(f"{output}/grey", np.array(GREY, np.float32).reshape(1, 3, 1, 1))
        bias = self.constant(f"{output}/half", np.array([2**15], np.float32))
        self.node("Conv", [f"{output}:colour", kernel, bias], f"{output}:sum")
        self.node("Mul", [f"{output}:sum", self.constant(f"{output}/unit", np.float32(2.0**-16))], f"{output}:scaled")
        self.node("Floor", [f"{output}:scaled"], output)

    def _scaled_by_convolution(self, image: Layer) -> bool:
        """Whether images are only scaled so that a colour becomes 0, padded, and convolved: then a kernel can scale."""
        scaling = _only_user(self._users[image.name], "Rescaling")
        padding = _only_user(self._users[scaling.name], "ZeroPadding2D") if scaling else None
        convolution = _only_user(self._users[padding.name], "Conv2D") if padding else None
        if not scaling or not convolution or convolution.options["padding"] != "valid" or self._graph.channels != 3:
            return False
        scale, offset = scaling.options["scale"], scaling.options["offset"]
        if isinstance(scale, tuple) or isinstance(offset, tuple) or not scale:
            return False
        return bool(0 <= -offset / scale <= 255 and abs(-offset / scale - round(-offset / scale)) < 1e-6)


def _only_user(users: list[Layer], *kinds: str) -> Layer | None:
    """The one layer that uses another's output, where it is of one of the kinds."""
    return users[0] if len(users) == 1 and users[0].kind in kinds else None
