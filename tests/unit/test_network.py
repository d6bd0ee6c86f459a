"""One description of a network, and everything that is made from it."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

from antrax.classification.engine import batch_size
from antrax.errors import ClassifierError, OptionError
from antrax.networks.backends.engines import ENGINES
from antrax.networks.backends.onnx_network import build_onnx
from antrax.networks.backends.torch_network import Network, get_weights, set_weights
from antrax.networks.graph import FILTERS, Graph, Weights, build, check_graph, with_outputs
from antrax.networks.keras.config import from_keras_config, to_keras_config
from antrax.networks.layers import make_layer
from antrax.networks.mobilenet import build_mobilenet


def random_weights(graph: Graph, seed: int = 0) -> Weights:
    """Weights as of a trained network: batch statistics and biases away from their defaults."""
    rng = np.random.default_rng(seed)
    weights = get_weights(Network(graph))
    for name, value in weights.items():
        if not name.endswith("kernel"):
            weights[name] = rng.uniform(0.5, 1.5, value.shape).astype(np.float32)
    return weights


def random_images(graph: Graph, count: int = 9) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, graph.size, graph.size, 3), np.uint8)


def run_torch(graph: Graph, weights: Weights, images: np.ndarray) -> np.ndarray:
    network = Network(graph).eval()
    set_weights(network, weights)
    with torch.inference_mode():
        return torch.log_softmax(network(torch.from_numpy(images).permute(0, 3, 1, 2).float()), 1).numpy()


@pytest.mark.parametrize("size", [24, 38, 48, 64, 86])
@pytest.mark.parametrize("name", FILTERS)
def test_onnx_answers_as_torch_does(name, size):
    graph = build(name, size, 7, "white")
    weights, images = random_weights(graph), random_images(graph)
    session = onnxruntime.InferenceSession(build_onnx(graph, weights), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"images": np.ascontiguousarray(images.transpose(0, 3, 2, 1))})
    assert answer == pytest.approx(run_torch(graph, weights, images), abs=2e-5)


@pytest.mark.parametrize("name", [name for name in ENGINES if name != "torch"])
def test_every_engine_answers_as_torch_does(name):
    engine, graph = ENGINES[name], build("small", 48, 7, "black")
    if not engine.is_installed():
        pytest.skip(f"{name} is not installed")
    weights, images = random_weights(graph), random_images(graph)
    predict = engine.load(engine.prepare(graph, weights), "cpu", 1)
    assert predict(images) == pytest.approx(run_torch(graph, weights, images), abs=2e-5)


def test_batches_are_small_on_processors_large_on_gpus_and_never_empty():
    ours, theirs = build("small", 48, 7, "white"), build_mobilenet(96, 7)
    assert batch_size(theirs, "cpu") < 10 < batch_size(ours, "cpu")
    assert batch_size(theirs, "cuda") == batch_size(ours, "cuda") == 1024
    assert 1 <= batch_size(build_mobilenet(512, 7), "cpu") <= batch_size(build_mobilenet(512, 7), "cuda") < 1024


@pytest.mark.parametrize("name", FILTERS)
def test_weights_go_into_torch_and_come_back(name):
    graph = build(name, 48, 5, "black")
    weights = random_weights(graph)
    network = Network(graph)
    set_weights(network, weights)
    back = get_weights(network)
    assert list(back) == list(graph.weight_shapes())
    assert all(np.array_equal(back[key], weights[key]) for key in weights)


@pytest.mark.parametrize("background", ["white", "black"])
def test_the_description_survives_its_keras_form(background):
    graph = build("large", 38, 5, background)
    assert from_keras_config(to_keras_config(graph)) == graph


def test_another_number_of_labels_changes_the_last_layer_only():
    graph = build("small", 48, 5, "white")
    grown = with_outputs(graph, 9)
    assert grown.outputs == 9
    assert grown.layers[:-1] == graph.layers[:-1]


@pytest.mark.parametrize("size", [10, 23, 600])
def test_sizes_that_no_architecture_takes_are_refused(size):
    with pytest.raises(OptionError, match="`target_size=…`"):
        build("small", size, 5, "white")


def edited(change) -> str:
    config = json.loads(to_keras_config(build("small", 48, 5, "white")))
    change(config["config"]["layers"])
    return json.dumps(config)


def set_option(index: int, option: str, value: object):
    return lambda layers: layers[index]["config"].__setitem__(option, value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda layers: layers[3].__setitem__("class_name", "Lambda"), "kind Lambda"),
        (lambda layers: layers[3].__setitem__("class_name", "TorchModuleWrapper"), "kind TorchModuleWrapper"),
        (set_option(3, "dilation_rate", [2, 2]), "does not fit"),
        (set_option(3, "kernel_size", [500, 500]), "would be of shape|does not fit"),
        (set_option(3, "filters", 10**9), "filters=1000000000"),
        (set_option(3, "filters", -3), "filters=-3"),
        (set_option(3, "filters", "many"), "filters='many'"),
        (set_option(3, "strides", [0, 0]), r"strides=\[0, 0\], which this version does not compute"),
        (set_option(0, "batch_shape", [None, 48, 48, 2]), "takes images of shape"),
        (set_option(0, "batch_shape", [None, None, None, 3]), "does not say the size"),
        (set_option(0, "batch_shape", [None, 10**6, 10**6, 3]), r"would be of shape \(1000000, 1000000, 3\)"),
        (lambda layers: layers.pop(3), "not connected"),
        (lambda layers: layers.pop(), "last layer 'labels' is missing"),
        (lambda layers: layers.extend([layers[3]] * 500), "two layers are called"),
        (lambda layers: layers.clear(), "last layer 'labels' is missing"),
    ],
)
def test_descriptions_of_other_or_impossible_networks_are_refused(change, complaint):
    with pytest.raises(ClassifierError, match=complaint):
        from_keras_config(edited(change))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "it is empty"),
        ("null", "no description of a model"),
        ("[]", "no description of a model"),
        ("{}", "no description of a model"),
        ('{"class_name": "Sequential", "config": {}}', "description is broken"),
        ("[" * 5000, "description is broken"),
        ('{"class_name": "Functional"}', "description is broken"),
    ],
)
def test_text_that_describes_no_network_is_refused(text, complaint):
    with pytest.raises(ClassifierError, match=complaint):
        from_keras_config(text)


def test_a_network_of_too_many_connections_is_refused():
    image = make_layer("InputLayer", "image", batch_shape=(None, 8, 8, 3))
    for count in (3998, 3999):  # the two layers after it have one each
        merged = make_layer("Add", "merged", ("image",) * count)
        mean = make_layer("GlobalAveragePooling2D", "mean", ("merged",))
        graph = Graph("many", (image, merged, mean, make_layer("Dense", "labels", ("mean",), units=2)))
        if count == 3998:
            check_graph(graph)
        else:
            with pytest.raises(ClassifierError, match="connects layers 4,001 times; 4,000 is the most"):
                check_graph(graph)
