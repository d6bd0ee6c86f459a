"""Models that Keras wrote, read as data: computed as Keras computes them, written as Keras reads them, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from antrax.classification.classifier_file import Classifier, read_classifier, write_classifier
from antrax.classification.engine import make_model, make_predictor
from antrax.errors import ClassifierError
from antrax.images import Preparation
from antrax.networks.backends.torch_network import Network, TorchPredictor, get_weights, set_weights, to_grey
from antrax.networks.graph import Graph, Weights, grown_weights, with_outputs
from antrax.networks.keras.config import describe, from_model_json
from antrax.networks.keras.weights import read_weights

pytest.importorskip("keras")
# Keras asks NumPy for `__array__` without `copy`, and warns of the format that anTraX uses.
pytestmark = pytest.mark.filterwarnings("ignore")

NAMES = ("every_kind", "nested", "fully_convolutional", "softmax_before_flatten")
LABELS = tuple("ABCDEFGHIJ")


@pytest.fixture(scope="module")
def kl() -> Any:
    from tests.fixtures.keras_models import kl

    return kl


def made(name: str) -> Any:
    from tests.fixtures.keras_models import MODELS, with_random_weights

    return with_random_weights(MODELS[name]())


def read(model: Any, path: Path) -> tuple[Graph, Weights]:
    """What we make of a file that Keras writes."""
    model.save(path)
    with h5py.File(path) as file:
        description = describe(file.attrs["model_config"], file.attrs["keras_version"])
        return description.graph, read_weights(file["model_weights"], description.graph, description.groups)


def images_of(graph: Graph, count: int = 9) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, graph.size, graph.size, 3), np.uint8)


def predict(model: Any, images: np.ndarray) -> np.ndarray:
    """Keras's probabilities."""
    if model.input_shape[-1] == 1:
        images = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])[..., None]
    answers = model.predict(images.astype(np.float32), verbose=0)
    if np.allclose(answers.sum(1), 1, atol=1e-3):
        return answers
    answers = np.exp(answers - answers.max(1, keepdims=True))
    return answers / answers.sum(1, keepdims=True)


def classifier_of(graph: Graph, weights: Weights) -> Classifier:
    return Classifier(graph, weights, LABELS[: graph.outputs], {}, Preparation(graph.size, "white"))


@pytest.mark.parametrize("name", NAMES)
def test_we_predict_what_keras_predicts(name, tmp_path):
    model = made(name)
    graph, weights = read(model, tmp_path / "model.h5")
    images = images_of(graph)
    theirs = predict(model, images)
    assert theirs.std(0).max() > 0.01
    assert np.exp(TorchPredictor(graph, weights, "cpu")(images)) == pytest.approx(theirs, abs=1e-5)
    onnx = make_predictor(make_model(classifier_of(graph, weights), "cpu"))
    assert np.exp(onnx(images)) == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_what_we_write_of_it_plain_keras_opens_and_predicts_the_same(name, tmp_path):
    from tests.fixtures.keras_models import keras

    graph, weights = read(made(name), tmp_path / "model.h5")
    write_classifier(classifier_of(graph, weights), tmp_path / "classifier.h5")
    images = images_of(graph)
    theirs = predict(keras.models.load_model(tmp_path / "classifier.h5"), images)
    assert theirs.sum(1) == pytest.approx(1, abs=1e-4)
    assert theirs == pytest.approx(np.exp(TorchPredictor(graph, weights, "cpu")(images)), abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_what_we_write_of_it_we_read_back(name, tmp_path):
    graph, weights = read(made(name), tmp_path / "model.h5")
    write_classifier(classifier_of(graph, weights), tmp_path / "classifier.h5")
    back = read_classifier(tmp_path / "classifier.h5")
    assert back.graph == graph
    assert all(np.array_equal(back.weights[key], weights[key]) for key in weights)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_file_is_the_architecture_of_the_model(name, tmp_path):
    model = made(name)
    graph, _ = read(model, tmp_path / "model.h5")
    custom = from_model_json(model.to_json())
    assert custom.name == "custom"
    assert custom.layers == graph.layers


@pytest.mark.parametrize("name", NAMES)
def test_weights_go_into_torch_and_come_back(name, tmp_path):
    graph, weights = read(made(name), tmp_path / "model.h5")
    network = Network(graph)
    set_weights(network, weights)
    back = get_weights(network)
    assert list(back) == list(graph.weight_shapes())
    assert all(np.array_equal(back[key], weights[key]) for key in weights)


@pytest.mark.parametrize("name", NAMES)
def test_it_learns(name, tmp_path):
    import torch

    graph, weights = read(made(name), tmp_path / "model.h5")
    torch.manual_seed(0)
    network = Network(graph).train()
    set_weights(network, weights)
    images = torch.from_numpy(images_of(graph)).permute(0, 3, 1, 2).float()
    targets = torch.arange(len(images)) % graph.outputs
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(network(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_dropout_is_at_work_in_training_only(tmp_path):
    import torch

    graph, _ = read(made("every_kind"), tmp_path / "model.h5")
    network = Network(graph)
    images = torch.from_numpy(images_of(graph, 2)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        assert not torch.equal(network(images), network(images))
        network.eval()
        assert torch.equal(network(images), network(images))


@pytest.mark.parametrize("name", NAMES)
def test_more_labels_leave_what_is_known_of_the_others(name, tmp_path):
    graph, weights = read(made(name), tmp_path / "model.h5")
    grown = with_outputs(graph, graph.outputs + 2)
    more = grown_weights(graph, weights, grown.outputs)
    assert {key: value.shape for key, value in more.items()} == grown.weight_shapes()
    images = images_of(graph)
    before, after = TorchPredictor(graph, weights, "cpu")(images), TorchPredictor(grown, more, "cpu")(images)
    known = after[:, : graph.outputs]
    assert known - known.max(1, keepdims=True) == pytest.approx(before - before.max(1, keepdims=True), abs=1e-4)


def test_where_labels_cannot_be_told_from_the_rest_no_label_can_be_added(kl):
    from tests.fixtures.keras_models import keras

    model = keras.Sequential([kl.Input((16, 16, 3)), kl.Flatten(), kl.Dense(4), kl.BatchNormalization()])
    graph = from_model_json(model.to_json())
    assert with_outputs(graph, 4) == graph
    with pytest.raises(ClassifierError, match="ends in BatchNormalization"):
        with_outputs(graph, 5)


def test_grey_is_what_pillow_takes_for_grey():
    import torch

    values = np.stack(np.meshgrid(*[np.arange(0, 256, 5)] * 3), -1).reshape(1, -1, 52, 3).astype(np.uint8)
    ours = to_grey(torch.from_numpy(values).permute(0, 3, 1, 2).float())[0, 0].numpy()
    assert np.array_equal(ours, np.asarray(Image.fromarray(values[0]).convert("L")))


# --- refused -----------------------------------------------------------------------------------------------------


Build = Callable[[Any], Any]


def sequential(*layers: Any, size: int | None = 16, channels: int = 3) -> Any:
    from tests.fixtures.keras_models import keras, kl

    return keras.Sequential([kl.Input((size, size, channels)), *layers])


def two_inputs(kl: Any) -> Any:
    from tests.fixtures.keras_models import keras

    first, second = kl.Input((16, 16, 3)), kl.Input((16, 16, 3))
    return keras.Model([first, second], kl.Dense(3)(kl.Flatten()(kl.Add()([first, second]))))


def two_outputs(kl: Any) -> Any:
    from tests.fixtures.keras_models import keras

    image = kl.Input((16, 16, 3))
    flat = kl.Flatten()(image)
    return keras.Model(image, [kl.Dense(3)(flat), kl.Dense(3)(flat)])


def shared(kl: Any) -> Any:
    from tests.fixtures.keras_models import keras

    image = kl.Input((16, 16, 3))
    convolution = kl.Conv2D(3, 3, padding="same")
    return keras.Model(image, kl.Dense(3)(kl.Flatten()(convolution(convolution(image)))))


def operation(kl: Any) -> Any:
    from tests.fixtures.keras_models import keras

    image = kl.Input((16, 16, 3))
    return keras.Model(image, kl.Dense(3)(kl.Flatten()(keras.ops.tanh(image))))


def constant(kl: Any) -> Any:
    from tests.fixtures.keras_models import keras

    image = kl.Input((16, 16, 3))
    return keras.Model(image, kl.Dense(3)(kl.Flatten()(image + 1.0)))


def several(kl: Any) -> Any:
    """The mean of two networks' answers, which is no input of a softmax."""
    from tests.fixtures.keras_models import keras

    image = kl.Input((16, 16, 3))
    flat = kl.Flatten()(image)
    answers = [kl.Dense(3, activation="softmax")(flat) for _ in range(2)]
    return keras.Model(image, kl.Average()(answers))


def own_layer(kl: Any) -> Any:
    from tests.fixtures.keras_models import keras

    @keras.saving.register_keras_serializable(package="lab")
    class Conv2D(kl.Conv2D):
        pass

    return sequential(Conv2D(3, 3), kl.Flatten(), kl.Dense(3))


def own_activation(kl: Any) -> Any:
    from tests.fixtures.keras_models import keras

    @keras.saving.register_keras_serializable(package="lab")
    def relu(x: Any) -> Any:
        return x

    return sequential(kl.Conv2D(3, 3, activation=relu), kl.Flatten(), kl.Dense(3))


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda kl: sequential(kl.Lambda(lambda x: x), kl.Flatten(), kl.Dense(3)), "Lambda"),
        (lambda kl: sequential(kl.Resizing(8, 8), kl.Flatten(), kl.Dense(3)), "Resizing"),
        (lambda kl: sequential(kl.UpSampling2D(), kl.Flatten(), kl.Dense(3)), "UpSampling2D"),
        (lambda kl: sequential(kl.Conv2D(3, 3, data_format="channels_first"), kl.Flatten()), "data_format"),
        (lambda kl: sequential(kl.Reshape((16, 48)), kl.Flatten(), kl.Dense(3)), "target_shape"),
        (lambda kl: sequential(kl.Conv2D(3, 3), kl.GlobalMaxPooling2D(), size=None), "does not say the size"),
        (lambda kl: sequential(kl.Flatten(), kl.Dense(3), channels=4), r"takes images of shape \(16, 16, 4\)"),
        (lambda kl: sequential(kl.Conv2D(3, 3)), "does not end in one number per label"),
        (lambda kl: sequential(kl.Flatten(), kl.Dense(3, activation="sigmoid")), "ends in sigmoid"),
        (lambda kl: sequential(kl.Flatten(), kl.Dense(3, activation="relu")), "ends in ReLU"),
        (lambda kl: sequential(kl.Softmax(axis=1), kl.Flatten(), kl.Dense(3)), "does not fit"),
        (lambda kl: sequential(kl.Conv2D(3, 3, activation="softmax"), kl.GlobalMaxPooling2D()), "not at its end"),
        (lambda kl: sequential(kl.Flatten(), kl.Dense(10**6), kl.Dense(3)), "weights; 100,000,000 is the most"),
        (several, "does not end in a softmax, but gives what went through one"),
        (lambda kl: sequential(kl.Flatten(), kl.Dense(3, activation="sigmoid"), kl.Dropout(0.1)), "went through one"),
        (lambda kl: sequential(kl.Flatten(), kl.Dense(3, activation="softmax"), kl.Rescaling(2.0)), "went through one"),
        (lambda kl: sequential(kl.Conv2D(3, 3, activation="tanh"), kl.GlobalMaxPooling2D()), "went through one"),
        (
            lambda kl: sequential(
                kl.Flatten(), kl.Dense(6, activation="softmax"), kl.Reshape((1, 2, 3)), kl.GlobalMaxPooling2D()
            ),
            "not over labels",
        ),
        (two_inputs, "takes more than one image|2 inputs"),
        (two_outputs, "2 outputs"),
        (shared, "used more than once"),
        (operation, "Tanh"),
        (constant, "a number or an array between layers"),
        (own_layer, "lab>Conv2D"),
        (own_activation, "lab>relu|not Keras's own"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(build: Build, complaint: str, kl: Any) -> None:
    text = build(kl).to_json()
    with pytest.raises(ClassifierError, match=complaint):
        from_model_json(text)


def test_a_model_that_takes_too_long_is_refused(kl):
    model = sequential(*[kl.Conv2D(256, 9, padding="same") for _ in range(4)], kl.Flatten(), kl.Dense(3), size=128)
    with pytest.raises(ClassifierError, match="multiplications per image"):
        from_model_json(model.to_json())


def test_a_layer_called_in_training_mode_is_refused(kl):
    from tests.fixtures.keras_models import keras

    image = kl.Input((16, 16, 3))
    model = keras.Model(image, kl.Dense(3)(kl.Dropout(0.5)(kl.Flatten()(image), training=True)))
    with pytest.raises(ClassifierError, match="training=True"):
        from_model_json(model.to_json())


def test_names_that_would_be_in_the_way_are_changed(kl):
    model = sequential(
        kl.Conv2D(4, 3, name="images"),
        kl.BatchNormalization(name="forward"),
        kl.ReLU(name="type"),
        kl.Flatten(name="log_probabilities"),
        kl.Dense(3, name="dots"),
    )
    graph = from_model_json(model.to_json().replace('"dots"', '"../a.b ä:0"'))
    weights = get_weights(Network(graph))
    images = images_of(graph)
    onnx = make_predictor(make_model(classifier_of(graph, weights), "cpu"))
    assert onnx(images) == pytest.approx(TorchPredictor(graph, weights, "cpu")(images), abs=1e-4)


def test_the_oldest_form_of_sequential_models_is_read(kl):
    config = json.loads(sequential(kl.Flatten(), kl.Dense(3)).to_json())
    layers = config["config"]["layers"]
    shape = layers.pop(0)["config"]["batch_shape"]
    layers[0]["config"]["batch_input_shape"] = shape
    old = {"class_name": "Sequential", "config": layers, "keras_version": "2.1.6"}
    assert from_model_json(json.dumps(old)).outputs == 3


# --- what people hand in -----------------------------------------------------------------------------------------


def test_a_description_written_as_a_text_within_json_is_unwrapped():
    """What `json.dump(model.to_json(), file)` gives."""
    from tests.fixtures.keras_models import MODELS

    text = MODELS["nested"]().to_json()
    assert from_model_json(json.dumps(text)) == from_model_json(text)


@pytest.mark.parametrize("kind", ["RandomFlip", "RandomRotation", "RandomZoom", "RandomContrast", "RandomBrightness"])
def test_layers_of_augmentation_are_identities(kind):
    layers = [
        {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 32, 32, 3]}},
        {"class_name": kind, "config": {"name": "a", "factor": 0.2, "mode": "horizontal", "fill_mode": "reflect"}},
        {"class_name": "Flatten", "config": {"name": "f"}},
        {"class_name": "Dense", "config": {"name": "d", "units": 3}},
    ]

    def read(entries):
        return from_model_json(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": entries}}))

    assert read(layers) == read([layers[0], *layers[2:]])


def test_layers_that_cut_at_random_are_refused():
    layers = [
        {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 32, 32, 3]}},
        {"class_name": "RandomCrop", "config": {"name": "a", "height": 24, "width": 24}},
        {"class_name": "Flatten", "config": {"name": "f"}},
        {"class_name": "Dense", "config": {"name": "d", "units": 3}},
    ]
    with pytest.raises(ClassifierError, match="RandomCrop"):
        from_model_json(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}))
