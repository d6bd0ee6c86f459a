"""Graphs as ONNX models, which ONNX Runtime computes on a processor at twice PyTorch's rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from antrax.network.graph import Graph, Layer, Weights

_OPSET, _IR_VERSION = 17, 8


def build_onnx(graph: Graph, weights: Weights) -> bytes:
    """An ONNX model: uint8 images (N, S, S, 3) in, log-probabilities (N, labels) as float32 out.

    Batch normalisation is folded into the convolution before it, padding into the convolution after it.
    """
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    image, *rest = graph.layers
    by_name = {layer.name: layer for layer in graph.layers}
    users: dict[str, list[Layer]] = {layer.name: [] for layer in graph.layers}
    for layer in rest:
        for name in layer.inputs:
            users[name].append(layer)
    node("Cast", [f"{image.name}:uint8"], f"{image.name}:float", to=TensorProto.FLOAT)
    node("Transpose", [f"{image.name}:float"], image.name, perm=[0, 3, 1, 2])
    # layers that another node has taken over answer to the name of what feeds them
    folded: dict[str, str] = {}
    for layer in rest:
        name, options = layer.name, layer.options
        inputs = [folded.get(source, source) for source in layer.inputs]
        match layer.kind:
            case "Rescaling":
                node("Mul", [*inputs, constant(f"{name}/scale", np.float32(options["scale"]))], f"{name}:scaled")
                node("Add", [f"{name}:scaled", constant(f"{name}/offset", np.float32(options["offset"]))], name)
            case "ZeroPadding2D" if _only_user(users[name], "Conv2D"):
                folded[name] = inputs[0]
            case "ZeroPadding2D":
                (top, bottom), (left, right) = options["padding"]
                pads = constant(f"{name}/pads", np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
                node("Pad", [*inputs, pads], name)
            case "Conv2D":
                kernel = weights[f"{name}/kernel"].transpose(3, 2, 0, 1)
                bias = weights.get(f"{name}/bias", np.zeros(len(kernel), np.float32))
                if norm := _only_user(users[name], "BatchNormalization"):
                    gain = weights[f"{norm.name}/gamma"] / np.sqrt(
                        weights[f"{norm.name}/moving_variance"] + np.float32(norm.options["epsilon"])
                    )
                    kernel = kernel * gain[:, None, None, None]
                    bias = weights[f"{norm.name}/beta"] + (bias - weights[f"{norm.name}/moving_mean"]) * gain
                    folded[norm.name] = name
                before = by_name[layer.inputs[0]]
                ((top, bottom), (left, right)) = (
                    before.options["padding"]
                    if before.name in folded and before.kind == "ZeroPadding2D"
                    else ((0, 0),) * 2
                )
                arguments = [*inputs, constant(f"{name}/kernel", kernel), constant(f"{name}/bias", bias)]
                node("Conv", arguments, name, strides=list(options["strides"]), pads=[top, left, bottom, right])
            case "BatchNormalization":
                if name not in folded:
                    variables = ("gamma", "beta", "moving_mean", "moving_variance")
                    arguments = [constant(f"{name}/{v}", weights[f"{name}/{v}"]) for v in variables]
                    node("BatchNormalization", [*inputs, *arguments], name, epsilon=options["epsilon"])
            case "ReLU":
                node("Relu", inputs, name)
            case "MaxPooling2D" | "AveragePooling2D":
                kind = layer.kind.replace("Pooling2D", "Pool")
                node(kind, inputs, name, kernel_shape=list(options["pool_size"]), strides=list(options["strides"]))
            case "GlobalAveragePooling2D" | "GlobalMaxPooling2D":
                node(layer.kind.replace("Pooling2D", "Pool"), inputs, f"{name}:map")
                node("Flatten", [f"{name}:map"], name)
            case "Flatten":
                node("Transpose", inputs, f"{name}:last", perm=[0, 2, 3, 1])
                node("Flatten", [f"{name}:last"], name)
            case "Concatenate":
                node("Concat", inputs, name, axis=1)
            case "Dense":
                arguments = [constant(f"{name}/kernel", weights[f"{name}/kernel"])]
                arguments.append(constant(f"{name}/bias", weights[f"{name}/bias"]))
                node("Gemm", [*inputs, *arguments], name)
            case _:
                raise AssertionError(f"a layer of kind {layer.kind} has no computation")
    node("LogSoftmax", [graph.layers[-1].name], "log_probabilities", axis=1)
    model = helper.make_model(
        helper.make_graph(
            nodes,
            graph.name,
            [helper.make_tensor_value_info(f"{image.name}:uint8", TensorProto.UINT8, ["n", graph.size, graph.size, 3])],
            [helper.make_tensor_value_info("log_probabilities", TensorProto.FLOAT, ["n", graph.outputs])],
            constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="antrax",
    )
    return bytes(model.SerializeToString())


def _only_user(users: list[Layer], kind: str) -> Layer | None:
    """The one layer that uses another's output, where it is of that kind."""
    return users[0] if len(users) == 1 and users[0].kind == kind else None
