"""MobileNetV2: that of Keras, and the file of its weights that Keras distributes."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from antrax.classification.classifier_file import Classifier, read_classifier, write_classifier
from antrax.classification.engine import make_model, make_predictor
from antrax.errors import ClassifierError, OptionError
from antrax.images import Preparation
from antrax.networks.backends.torch_network import TorchPredictor
from antrax.networks.graph import Weights
from antrax.networks.mobilenet import build_mobilenet, is_head, read_mobilenet_weights
from tests.fixtures.antrax_files import REFERENCES
from tests.fixtures.reference.seeded import seeded_images, seeded_weight

pytestmark = pytest.mark.slow


def seeded_weights(size: int = 48, outputs: int = 5) -> Weights:
    graph = build_mobilenet(size, outputs)
    names = {"kernel": "kernel", "gamma": "gamma", "moving_variance": "variance"}
    return {
        name: seeded_weight(
            index,
            "depthwise_kernel" if "depthwise/" in name else names.get(name.partition("/")[2], "bias"),
            shape,
        )
        for index, (name, shape) in enumerate(graph.weight_shapes().items())
    }


def distributed_file(path: Path, weights: Weights, size: int = 96) -> Path:
    """Weights in the layout of `mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5`."""
    graph = build_mobilenet(size, 2)
    with h5py.File(path, "w") as file:
        file.attrs["backend"] = np.bytes_(b"tensorflow")
        file.attrs["keras_version"] = np.bytes_(b"2.2.0")
        file.attrs["layer_names"] = np.array([layer.name.encode() for layer in graph.layers if not is_head(layer)])
        for layer in graph.layers:
            if is_head(layer):
                continue
            group = file.create_group(layer.name)
            names = [name for name in weights if name.startswith(f"{layer.name}/")]
            stored = [name.replace("depthwise/kernel", "depthwise/depthwise_kernel").encode() + b":0" for name in names]
            group.attrs["weight_names"] = np.array(stored or np.zeros(0))
            for name, where in zip(names, stored, strict=True):
                group[where.decode()] = weights[name]
    return path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("size", [32, 49, 64])
def test_it_is_the_application_of_keras_layer_for_layer(size, tmp_path):
    keras = pytest.importorskip("keras")
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(size, size, 3))
    graph, weights = build_mobilenet(size, 6), seeded_weights(size, 6)
    body = [layer for layer in graph.layers if layer.kind not in ("InputLayer", "Rescaling")][:-2]
    assert [layer.name for layer in body] == [layer.name for layer in base.layers[1:]]
    for layer in base.layers:
        layer.set_weights([weights[f"{layer.name}/{weight.name}"] for weight in layer.weights])
    head = keras.layers.Dense(6, activation="softmax")
    model = keras.Sequential(
        [
            keras.layers.Input((size, size, 3)),
            keras.layers.Rescaling(1 / 127.5, -1),
            base,
            keras.layers.GlobalAveragePooling2D(),
            head,
        ]
    )
    head.set_weights([weights["labels/kernel"], weights["labels/bias"]])
    images = seeded_images(5, size)
    theirs = model.predict(images.astype(np.float32), verbose=0)
    assert theirs.std(0).max() > 0.01
    assert np.exp(TorchPredictor(graph, weights, "cpu")(images)) == pytest.approx(theirs, abs=1e-5)
    classifier = Classifier(graph, weights, tuple("ABCDEF"), {}, Preparation(size, "white"))
    assert np.exp(make_predictor(make_model(classifier, "cpu"))(images)) == pytest.approx(theirs, abs=1e-5)
    # its description is longer than the 64 kB that HDF5 keeps beside a group
    write_classifier(classifier, tmp_path / "classifier.h5")
    assert read_classifier(tmp_path / "classifier.h5").graph == graph
    opened = keras.models.load_model(tmp_path / "classifier.h5")
    assert opened.predict(images.astype(np.float32), verbose=0) == pytest.approx(theirs, abs=1e-5)


def test_the_distributed_weights_are_read(tmp_path):
    weights = seeded_weights()
    read = read_mobilenet_weights(distributed_file(tmp_path / "weights.h5", weights))
    assert set(weights) - set(read) == {"labels/kernel", "labels/bias"}
    assert all(np.array_equal(read[name], weights[name]) for name in read)


def test_layers_of_other_names_are_read_in_their_order(tmp_path):
    path = tmp_path / "weights.h5"
    weights = seeded_weights()
    distributed_file(path, weights)
    with h5py.File(path, "r+") as file:
        names = list(file.attrs["layer_names"])
        for index, name in enumerate(names):
            file.move(name.decode(), f"layer_{index}")
        file.attrs["layer_names"] = np.array([f"layer_{index}".encode() for index in range(len(names))])
    assert np.array_equal(read_mobilenet_weights(path)["Conv_1/kernel"], weights["Conv_1/kernel"])


def test_its_order_of_weights_is_that_of_keras_2():
    """The names in the model within anTraX's classifiers, which Keras 2 listed."""
    listed = REFERENCES["MobileNetV2"]["groups"]["mobilenetv2_1.00_48"]
    ours = [name for name in build_mobilenet(48, 2).weight_shapes() if not name.startswith("labels/")]
    assert {name.replace("depthwise_kernel", "kernel").removesuffix(":0") for name, _ in listed} == set(ours)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda file: file.attrs.__setitem__("layer_names", np.array([b"Conv1"])), "holds 1 weights; 260 are expected"),
        (lambda file: file.pop("Conv_1"), "missing"),
        (lambda file: file["Conv_1/Conv_1"].pop("kernel:0"), "missing"),
    ],
)
def test_another_file_is_refused(change, complaint, tmp_path):
    path = distributed_file(tmp_path / "weights.h5", seeded_weights())
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ClassifierError, match=complaint):
        read_mobilenet_weights(path)


def test_a_missing_file_of_weights_is_an_error(tmp_path):
    with pytest.raises(ClassifierError, match="does not exist"):
        read_mobilenet_weights(tmp_path / "weights.h5")


@pytest.mark.parametrize("size", [31, 513])
def test_sizes_that_it_does_not_take_are_refused(size):
    with pytest.raises(OptionError, match="`target_size=…`"):
        build_mobilenet(size, 5)
