"""The classifier's file: written for Keras and for us, read without executing anything."""

import dataclasses
import json
import os
import shutil
import unicodedata
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from antrax.classification.calibration import Calibration, UnseenCodes
from antrax.classification.classifier_file import Classifier, find_classifier, read_classifier, write_classifier
from antrax.errors import ClassifierError
from antrax.images import Preparation
from antrax.labels import Category, guess_category
from antrax.networks import registry
from antrax.networks.backends.torch_network import TorchPredictor
from antrax.networks.graph import FILTERS, Graph, build
from antrax.networks.heads import heads_for, sum_weights, with_sum
from antrax.networks.keras.config import from_model_json, to_keras_config
from antrax.networks.keras.weights import write_weights
from antrax.tag_codes import read_codes
from antrax.training.start import read_modelfile
from tests.fixtures.reference.check_keras2 import own_network
from tests.unit.test_network import random_images, random_weights

LABELS = ("BG", "GB", "Larve_ä", "a_label_of_many_letters", "Unknown")
CATEGORIES = dict(
    zip(LABELS, (Category.ANT, Category.ANT, Category.NONANT, Category.ANT, Category.UNKNOWN), strict=True)
)


ANTRAX_PARAMETERS = """
    name nclasses modeltype json target_size crop_size scale hsymmetry background unknown_weight multi_weight
    use_min_conf consv_factor min_conf min_conf_short loss optimizer metrics
"""


def made(name: str = "small", size: int = 24) -> Classifier:
    return made_of(build(name, size, len(LABELS), "white"))


def made_of(graph: Graph) -> Classifier:
    return Classifier(
        graph=graph,
        weights=random_weights(graph),
        labels=LABELS,
        categories=CATEGORIES,
        preparation=Preparation(graph.size, "white"),
        hsymmetry=True,
        calibration=Calibration(0.8, 0.0, (0.9, 0.5), (1.0, 0.5), 3),
        evaluation_weights=random_weights(graph, seed=1),
        seen=np.array([1, 2**64 - 1], np.uint64),
        record={"options": {"epochs": 5}},
    )


def made_with_colours() -> Classifier:
    """One that scores the colours of tags; GG has no examples."""
    labels = ("BB", "BG", "GB", "GG", "NoAnt", "Unknown")
    heads = heads_for(read_codes(labels[:4], "BG"), labels)
    trunk = build("small", 24, heads.units, "white")
    graph = with_sum(trunk, len(labels))
    fixed = sum_weights(graph, heads, labels)
    return dataclasses.replace(
        made_of(graph),
        weights=random_weights(trunk) | fixed,
        evaluation_weights=random_weights(trunk, seed=1) | fixed,
        labels=labels,
        categories={label: guess_category(label) for label in labels},
        calibration=Calibration(0.8, 0.0, (0.9, 0.5), (1.0, 0.5), 3, unseen=UnseenCodes((3,))),
        heads=heads,
    )


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "classifier.h5"
    write_classifier(made(), path)
    return path


@pytest.mark.parametrize("name", FILTERS)
def test_what_is_written_is_read_back(tmp_path, name):
    classifier = made(name)
    write_classifier(classifier, tmp_path / "x.h5")
    back = read_classifier(tmp_path / "x.h5")
    assert back.graph == classifier.graph
    assert back.labels == classifier.labels
    assert back.categories == classifier.categories
    assert (back.background, back.hsymmetry, back.calibration) == ("white", True, classifier.calibration)
    assert back.record == classifier.record
    assert back.seen.tolist() == classifier.seen.tolist()
    for mine, theirs in ((classifier.weights, back.weights), (classifier.evaluation_weights, back.evaluation_weights)):
        assert all(np.array_equal(mine[key], theirs[key]) for key in mine)
    assert back.digest() == classifier.digest()


def test_colours_that_are_scored_are_read_back(tmp_path):
    classifier = made_with_colours()
    write_classifier(classifier, tmp_path / "x.h5")
    back = read_classifier(tmp_path / "x.h5")
    assert (back.heads, back.calibration) == (classifier.heads, classifier.calibration)
    assert back.digest() == classifier.digest()
    assert back.with_labels_of(["bb", "BG"]).heads.codes["bb"] == ("B", "B")


def test_colours_that_the_network_does_not_add_up_are_refused(tmp_path):
    classifier = made_with_colours()
    swapped = classifier.heads.renamed({"BB": "GB", "GB": "BB"})
    write_classifier(dataclasses.replace(classifier, heads=swapped), tmp_path / "x.h5")
    with pytest.raises(ClassifierError, match=r"x\.h5.*does not add up the colours"):
        read_classifier(tmp_path / "x.h5")


# see above
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_plain_keras_gives_the_labels_of_a_network_that_scores_colours(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    classifier = made_with_colours()
    write_classifier(classifier, tmp_path / "x.h5")
    model = keras.models.load_model(tmp_path / "x.h5")
    images = random_images(classifier.graph)
    theirs = model.predict(images.astype(np.float32), verbose=0)
    assert theirs.shape[1] == len(classifier.labels)
    assert theirs == pytest.approx(
        np.exp(TorchPredictor(classifier.graph, classifier.weights, "cpu")(images)), abs=1e-5
    )


def test_the_file_carries_what_antrax_files_carry(file):
    with h5py.File(file) as opened:
        # as anTraX reads them: a column of bytes
        assert opened["classes"].shape == (5, 1)
        assert [row[0].decode() for row in opened["classes"][()]] == list(LABELS)
        parameters = json.loads(opened["prmtrs"][()])
    assert set(ANTRAX_PARAMETERS.split()) <= set(parameters)
    assert (parameters["nclasses"], parameters["target_size"], parameters["modeltype"]) == (5, 24, "small")


# Keras asks NumPy for `__array__` without `copy`, and warns of the format that anTraX uses.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
@pytest.mark.parametrize("size", [24, 38, 48])
@pytest.mark.parametrize("name", FILTERS)
def test_plain_keras_opens_it_and_predicts_the_same(tmp_path, monkeypatch, name, size):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    classifier = made(name, size)
    write_classifier(classifier, tmp_path / "classifier.h5")
    model = keras.models.load_model(tmp_path / "classifier.h5")
    images = random_images(classifier.graph)
    theirs = model.predict(images.astype(np.float32), verbose=0)
    assert theirs == pytest.approx(
        np.exp(TorchPredictor(classifier.graph, classifier.weights, "cpu")(images)), abs=1e-5
    )


def test_the_file_alone_is_enough(file, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(file, tmp_path / "elsewhere" / "copy.h5")
    assert read_classifier(tmp_path / "elsewhere" / "copy.h5").calibration is not None


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ClassifierError, match=r"nothing\.h5 does not exist"):
        read_classifier(tmp_path / "nothing.h5")


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "x.h5").write_text("a, b, c")
    with pytest.raises(ClassifierError, match=r"x\.h5 is no classifier"):
        read_classifier(tmp_path / "x.h5")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "x.h5").touch()
    with pytest.raises(ClassifierError, match="is no classifier"):
        read_classifier(tmp_path / "x.h5")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(file, share):
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ClassifierError, match=r"cut short|damaged"):
        read_classifier(file)


def change(file: Path, edit) -> Path:
    with h5py.File(file, "r+") as opened:
        edit(opened)
    return file


def replace(name: str, value):
    def edit(opened: h5py.File) -> None:
        del opened[name]
        opened[name] = value

    return edit


def external_link(opened: h5py.File) -> None:
    del opened["classes"]
    opened["classes"] = h5py.ExternalLink("/etc/other.h5", "x")


def soft_link(opened: h5py.File) -> None:
    del opened["classes"]
    opened["classes"] = h5py.SoftLink("/prmtrs")


def virtual(opened: h5py.File) -> None:
    name = "model_weights/labels/labels/bias"
    layout = h5py.VirtualLayout((5,), np.float32)
    layout[:] = h5py.VirtualSource("other.h5", "x", (5,))
    del opened[name]
    opened.create_virtual_dataset(name, layout)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda f: f.attrs.pop("model_config"), "no Keras model"),
        (lambda f: f.pop("classes"), "another program"),
        (lambda f: f["antrax"].attrs.modify("format", 99), "newer version"),
        (lambda f: f.attrs.modify("model_config", "{"), "description is broken"),
        (replace("prmtrs", "not json"), "damaged"),
        (replace("prmtrs", "[]"), "damaged"),
        (replace("prmtrs", 3), "prmtrs is no text"),
        (replace("classes", ["a", "b"]), "do not match"),
        (replace("classes", ["a", "a", "b", "c", "d"]), "do not match"),
        (replace("model_weights/labels/labels/bias", np.zeros(7, np.float32)), "not as the model describes"),
        (replace("model_weights/labels/labels/bias", np.zeros(5, int)), "not as the model describes"),
        (replace("model_weights/labels/labels/bias", np.full(5, np.nan)), "no numbers"),
        (lambda f: f["model_weights"].pop("conv_2"), "missing"),
        (lambda f: f["model_weights/labels/labels"].pop("bias"), "are missing"),
        (external_link, "link"),
        (soft_link, "link"),
        (virtual, "does not lie in the file"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused_and_named(file, edit, complaint):
    with pytest.raises(ClassifierError, match=complaint) as raised:
        read_classifier(change(file, edit))
    assert str(file) in str(raised.value)


def test_labels_as_antrax_stores_them_are_understood(file):
    names = np.array([[name[:10].encode()] for name in ("BG", "GB", "L", "long_label_x", "Unknown")], "S10")
    edited = json.loads(json.dumps({"background": "white", "hsymmetry": False}))
    edited["categories"] = dict.fromkeys(("BG", "GB", "L", "long_label", "Unknown"), "ant")
    change(file, replace("classes", names))
    change(file, replace("prmtrs", json.dumps(edited)))
    assert read_classifier(file).labels == ("BG", "GB", "L", "long_label", "Unknown")


def test_a_bare_name_means_a_file_of_the_session(tmp_path, monkeypatch):
    folder = tmp_path / "exp" / "session" / "classifier"
    folder.mkdir(parents=True)
    for name in ("classifier.h5", "night.h5"):
        (folder / name).touch()
    assert find_classifier(folder, None) == folder / "classifier.h5"
    assert find_classifier(folder, "night") == folder / "night.h5"
    if hasattr(os, "mkfifo"):  # told by whoever opens it, and not as if it were not there
        os.mkfifo(folder / "pipe.h5")
        with pytest.raises(ClassifierError, match=r"pipe\.h5 is no classifier: .* a named pipe"):
            read_classifier(find_classifier(folder, "pipe"))
    assert find_classifier(folder, "night.h5") == folder / "night.h5"
    assert find_classifier(folder, str(folder / "night.h5")) == folder / "night.h5"
    monkeypatch.chdir(folder)
    (folder / "model.json").touch()
    with pytest.raises(ClassifierError, match=r"model\.json is no classifier: these end in \.h5"):
        find_classifier(folder, "model.json")


def test_a_missing_classifier_names_those_that_are_there(tmp_path):
    folder = tmp_path / "exp" / "session" / "classifier"
    folder.mkdir(parents=True)
    with pytest.raises(ClassifierError, match=r"antrax train .*exp"):
        find_classifier(folder, None)
    (folder / "night.h5").touch()
    with pytest.raises(
        ClassifierError, match=r"there is night .*`classifier='NAME'`.*; or train one first: antrax train .*exp"
    ):
        find_classifier(folder, "day")


# --- one file for everybody --------------------------------------------------------------------------------------


def check_description_for_tensorflow_1_15(file: Path) -> None:
    """As `check_keras2` found that it opens: `load_model` of TensorFlow 1.15 decodes bytes and knows no later words."""
    with h5py.File(file) as opened:
        stored = opened.attrs["model_config"]
        assert isinstance(stored, np.bytes_)
        assert opened.attrs["keras_version"].decode() == "2.2.4-tf"
        weights = opened["model_weights"]
        assert weights.attrs["backend"].decode() == "tensorflow"
        assert weights.attrs["keras_version"].decode() == "2.2.4-tf"
        names = [name.decode() for name in weights.attrs["layer_names"]]
        listed = {name: [n.decode() for n in weights[name].attrs["weight_names"]] for name in names}
        for name, places in listed.items():
            assert all(isinstance(weights[name][place], h5py.Dataset) for place in places)
    model = json.loads(stored.decode("utf-8"))
    assert model["class_name"] == "Model"
    layers = model["config"]["layers"]
    assert [layer["name"] for layer in layers] == names
    assert layers[0]["config"]["batch_input_shape"][1:] == [*[layers[0]["config"]["batch_input_shape"][1]] * 2, 3]
    kinds = {layer["class_name"] for layer in layers}
    assert kinds <= {
        *("InputLayer", "BatchNormalization", "ZeroPadding2D", "Conv2D", "DepthwiseConv2D", "MaxPooling2D", "ReLU"),
        *("GlobalAveragePooling2D", "GlobalMaxPooling2D", "AveragePooling2D", "Flatten", "Concatenate", "Dense"),
        *("Add", "Multiply", "Dropout"),
    }
    for layer in layers:
        config = layer["config"]
        assert config["dtype"] == "float32"
        assert isinstance(config.get("axis", -1), int)
        assert not {"groups", "keepdims", "batch_shape", "registered_name", "module"} & {*config, *layer}
        assert not any(key.endswith(("_initializer", "_regularizer", "_constraint")) for key in config)
        for node in layer["inbound_nodes"]:
            assert all(source[1:] == [0, 0, {}] for source in node)


@pytest.mark.parametrize("name", [name for name in registry.names() if name != registry.CUSTOM])
def test_the_description_is_one_that_tensorflow_1_15_takes(tmp_path, name):
    entry = registry.find(name)
    write_classifier(made_of(entry.build(entry.size or 24, len(LABELS), "white")), tmp_path / "x.h5")
    check_description_for_tensorflow_1_15(tmp_path / "x.h5")


@pytest.mark.slow
def test_a_description_longer_than_64_kb_is_one_that_tensorflow_1_15_takes(tmp_path):
    classifier = made_of(own_network(70, len(LABELS)))
    write_classifier(classifier, tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as opened:
        assert len(opened.attrs["model_config"]) > 2**16
    check_description_for_tensorflow_1_15(tmp_path / "x.h5")
    back = read_classifier(tmp_path / "x.h5")
    assert back.graph == classifier.graph
    assert back.digest() == classifier.digest()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["every_kind", "nested", "fully_convolutional", "softmax_before_flatten"])
def test_networks_of_every_kind_predict_alike_in_keras_when_written(tmp_path, monkeypatch, name):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    from tests.fixtures.keras_models import MODELS

    graph = from_model_json(MODELS[name]().to_json())
    weights = random_weights(graph)
    labels = tuple(f"L{number}" for number in range(graph.outputs))
    preparation = Preparation(graph.size, "white")
    write_classifier(Classifier(graph, weights, labels, {}, preparation), tmp_path / "x.h5")
    back = read_classifier(tmp_path / "x.h5")
    assert back.graph == graph
    assert all(np.array_equal(back.weights[key], weights[key]) for key in weights)
    model = keras.models.load_model(tmp_path / "x.h5")
    images = random_images(graph)
    shown = images if graph.channels == 3 else np.asarray([Image.fromarray(i).convert("L") for i in images])[..., None]
    theirs = model.predict(shown.astype(np.float32), verbose=0)
    assert theirs == pytest.approx(np.exp(TorchPredictor(graph, weights, "cpu")(images)), abs=2e-4)


def test_a_file_as_earlier_versions_wrote_it_still_loads(tmp_path):
    """With a Rescaling, in the words of Keras 3, texts of any length, no checksum."""
    classifier = made()
    path = tmp_path / "old.h5"
    text = h5py.string_dtype()
    with h5py.File(path, "w") as opened:
        opened.attrs["keras_version"] = "3.0.0"
        opened.attrs["model_config"] = to_keras_config(classifier.graph)
        write_weights(opened.create_group("model_weights"), classifier.graph, classifier.weights)
        parameters = {"hsymmetry": True, "background": "white", "categories": {}, "calibration": None, "record": {}}
        opened.create_dataset("prmtrs", data=json.dumps(parameters), dtype=text)
        opened.create_dataset("classes", data=list(LABELS), dtype=text)
        own = opened.create_group("antrax")
        own.attrs["format"] = 1
        own.create_dataset("seen", data=np.zeros(0, np.uint64))
    back = read_classifier(path)
    assert (back.graph, back.labels) == (classifier.graph, LABELS)
    assert back.digest() == classifier.digest()


# --- damage ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_any_changed_byte_is_noticed(file):
    """Either it is told, or it was the mark of the checksum itself and all else is as it was."""
    content, digest = file.read_bytes(), read_classifier(file).digest()
    chance = np.random.default_rng(0)
    places = [*chance.integers(0, len(content), 400).tolist(), *range(600), *range(len(content) - 60, len(content))]
    loaded = 0
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= int(chance.integers(1, 256))
        file.write_bytes(damaged)
        try:
            assert read_classifier(file).digest() == digest
            loaded += 1
        except ClassifierError as error:
            assert "damaged" in str(error)
            assert "copy it again" in str(error)
    assert loaded < 40


def test_a_classifier_that_somebody_changed_on_purpose_is_not_called_damaged(file):
    """HDF5 cuts off what lies behind its end when it writes, and the checksum with it."""
    with h5py.File(file, "r+") as opened:
        opened["note"] = "of nest 7"
    assert read_classifier(file).labels == LABELS


def test_labels_are_spelt_as_the_session_spells_them_where_that_leaves_no_doubt() -> None:
    decomposed = unicodedata.normalize("NFD", "Müll")
    classifier = dataclasses.replace(
        made(),
        labels=("bb", decomposed, "Unknown"),
        categories={"bb": Category.ANT, decomposed: Category.NONANT, "Unknown": Category.UNKNOWN},
    )
    spelt = classifier.with_labels_of(("BB", "Müll", "Unknown"))
    assert spelt.labels == ("BB", "Müll", "Unknown")
    assert spelt.categories == {"BB": Category.ANT, "Müll": Category.NONANT, "Unknown": Category.UNKNOWN}
    twice = dataclasses.replace(classifier, labels=("bb", "bB", "Unknown"))
    assert twice.with_labels_of(("BB",)).labels == twice.labels


def test_a_file_in_keras_s_own_format_is_told_how_to_be_saved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.keras").write_bytes(b"PK\x03\x04" + bytes(100))
    for attempt in (lambda: read_classifier(tmp_path / "x.keras"), lambda: find_classifier(tmp_path, "x.keras")):
        with pytest.raises(ClassifierError, match=r"model.save\('model.h5'\)"):
            attempt()
    with pytest.raises(ClassifierError, match=r"to_json\(\)"):
        read_modelfile(tmp_path / "x.keras")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_description_of_a_network_is_read_in_any_encoding(tmp_path, encoding):
    graph = made().graph
    path = tmp_path / "model.json"
    path.write_text(to_keras_config(graph), encoding=encoding)
    assert read_modelfile(path).weight_shapes() == graph.weight_shapes()
    path.write_bytes(b"\xff\xfe\0")
    with pytest.raises(ClassifierError, match="it is no JSON file"):
        read_modelfile(path)
