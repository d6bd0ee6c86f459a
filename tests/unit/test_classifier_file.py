"""The classifier's file: written for Keras and for us, read without executing anything."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from antrax.classification.calibration import Calibration
from antrax.classification.classifier_file import Classifier, find_classifier, read_classifier, write_classifier
from antrax.errors import ClassifierError
from antrax.images import Preparation
from antrax.labels import Category
from antrax.networks.backends.torch_network import TorchPredictor
from antrax.networks.graph import FILTERS, build
from tests.unit.test_network import random_images, random_weights

LABELS = ("BG", "GB", "Larve_ä", "a_label_of_many_letters", "Unknown")
CATEGORIES = dict(
    zip(LABELS, (Category.ANT, Category.ANT, Category.NONANT, Category.ANT, Category.UNKNOWN), strict=True)
)


def made(name: str = "small", size: int = 24) -> Classifier:
    graph = build(name, size, len(LABELS), "white")
    return Classifier(
        graph=graph,
        weights=random_weights(graph),
        labels=LABELS,
        categories=CATEGORIES,
        preparation=Preparation(size, "white"),
        hsymmetry=True,
        calibration=Calibration(0.8, 0.0, (0.9, 0.5), (1.0, 0.5), 3),
        measured_weights=random_weights(graph, seed=1),
        seen=np.array([1, 2**64 - 1], np.uint64),
        record={"options": {"epochs": 5}},
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
    for mine, theirs in ((classifier.weights, back.weights), (classifier.measured_weights, back.measured_weights)):
        assert all(np.array_equal(mine[key], theirs[key]) for key in mine)
    assert back.digest() == classifier.digest()


def test_the_file_carries_what_antrax_files_carry(file):
    with h5py.File(file) as opened:
        assert opened["classes"].asstr()[()].tolist() == list(LABELS)
        parameters = json.loads(opened["prmtrs"].asstr()[()])
    assert {"name", "nclasses", "modeltype", "target_size", "scale", "hsymmetry", "background"} <= set(parameters)
    assert (parameters["nclasses"], parameters["target_size"], parameters["modeltype"]) == (5, 24, "small")


# Keras asks NumPy for `__array__` without `copy`, and warns of the format that anTraX uses.
@pytest.mark.filterwarnings("ignore")
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
        ClassifierError, match=r"there is night .*--classifier NAME.*; or train one first: antrax train .*exp"
    ):
        find_classifier(folder, "day")
