"""Classifiers that anTraX wrote: the same answers as the original, from its own images, under whole labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import antrax
from antrax.classification.antrax_classifier import distinct, match_cut_labels
from antrax.classification.classifier_file import read_classifier, write_classifier
from antrax.classification.engine import make_model, make_predictor
from antrax.classification.run import ClassifyOptions, classify
from antrax.errors import ClassifierError
from antrax.images import Preparation, prepare
from antrax.io.stacks import open_stack
from antrax.networks.backends.torch_network import TorchPredictor
from antrax.networks.keras.config import from_keras_config, from_model_json
from tests.fixtures.antrax_files import CLASSES, REFERENCES, model_config, write_antrax_file
from tests.fixtures.reference.seeded import seeded_images

STYLES = ("2", "1.15")


@pytest.fixture
def file(tmp_path) -> Path:
    return write_antrax_file(tmp_path / "classifier.h5", "custom")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", REFERENCES)
def test_it_answers_as_it_did_in_keras_2(name, style, tmp_path):
    classifier = read_classifier(write_antrax_file(tmp_path / "old.h5", name, style))
    images = seeded_images(6, classifier.size)
    theirs = np.array(REFERENCES[name]["answers"])
    assert np.exp(make_predictor(make_model(classifier, "cpu"))(images)) == pytest.approx(theirs, abs=1e-4)
    assert np.exp(TorchPredictor(classifier.graph, classifier.weights, "cpu")(images)) == pytest.approx(
        theirs, abs=1e-4
    )


@pytest.mark.parametrize("name", REFERENCES)
def test_a_model_file_of_keras_2_is_the_same_architecture(name):
    reference = REFERENCES[name]
    custom = from_model_json(reference["json"])
    assert custom.layers == from_keras_config(reference["model_config"], reference["keras_version"]).layers
    old = from_keras_config(model_config(name, "1.15"), "2.2.4-tf")
    assert [layer.kind for layer in old.layers] == [layer.kind for layer in custom.layers]
    assert list(old.shapes().values()) == list(custom.shapes().values())


def test_what_it_does_not_have_is_not_made_up(file):
    classifier = read_classifier(file)
    assert classifier.labels == ("BG", "GB", "NoAnt", "long_label", "Unknown")
    assert classifier.labels_cut
    assert (classifier.calibration, classifier.evaluation_weights, len(classifier.seen)) == (None, None, 0)
    assert classifier.categories == {}
    assert classifier.record == {"written_by": "anTraX"}
    assert classifier.graph.name == "anTraX-custom"


def test_written_again_it_answers_the_same_and_still_knows_its_images(file, tmp_path):
    old = read_classifier(write_antrax_file(file, "custom", scale=1.25, crop_size=30))
    write_classifier(old, tmp_path / "new.h5")
    new = read_classifier(tmp_path / "new.h5")
    assert new.preparation == old.preparation == Preparation(25, "white", True, 30, 1.25)
    assert (new.graph, new.labels, new.hsymmetry) == (old.graph, old.labels, old.hsymmetry)
    assert all(np.array_equal(old.weights[key], new.weights[key]) for key in old.weights)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["small", "MobileNetV2"])
def test_written_again_plain_keras_opens_it(name, tmp_path):
    keras = pytest.importorskip("keras")
    old = read_classifier(write_antrax_file(tmp_path / "old.h5", name))
    write_classifier(old, tmp_path / "new.h5")
    images = seeded_images(6, old.size)
    theirs = keras.models.load_model(tmp_path / "new.h5").predict(images.astype(np.float32), verbose=0)
    mine = np.exp(TorchPredictor(old.graph, old.weights, "cpu")(images))
    # not "custom": where windows reach over the edge, Keras on torch averages otherwise than TensorFlow and we do
    assert theirs == pytest.approx(mine, abs=1e-5)


# --- its images --------------------------------------------------------------------------------------------------


def as_antrax(images: np.ndarray, background: str, target: int, crop: int | None, scale: float) -> np.ndarray:
    """A second reading of how anTraX makes images, one at a time."""
    made = []
    for image in images.copy():
        if background == "white":
            image[(image == 0).all(-1)] = 255
        else:
            image[(image == 255).any(-1)] = 0
        if crop is not None and len(image) > crop:
            start = (len(image) - crop) // 2
            image = image[start : start + crop, start : start + crop]
        if len(image) != target or scale != 1:
            large = int(float(target) * scale)
            image = np.asarray(Image.fromarray(image).resize((large, large)))
            first, last = int((large - target) / 2), int((large + target) / 2)
            image = image[first:last, first:last]
        made.append(image)
    return np.stack(made)


@pytest.mark.parametrize("background", ["white", "black"])
@pytest.mark.parametrize(
    ("size", "crop", "scale"), [(48, None, 1), (38, None, 1), (64, 50, 1), (64, 51, 1.5), (48, 60, 1.13), (48, 48, 2)]
)
def test_images_are_made_as_antrax_made_them(background, size, crop, scale):
    images = seeded_images(3, size)
    images[:, :5] = 0
    images[:, 5:7] = (0, 255, 255)
    made = prepare(images, Preparation(48, background, True, crop, scale))
    assert made.shape == (3, 48, 48, 3)
    assert np.array_equal(made, as_antrax(images, background, 48, crop, scale))


def test_images_from_stacks_are_made_alike(small_demo):
    with open_stack(small_demo.session / "images" / "images_1.mat") as stack:
        images = stack.read(next(iter(stack.tracklets())).name)
    preparation = Preparation(40, "white", True, 36, 1.2)
    copied = np.ascontiguousarray(images)
    assert np.array_equal(prepare(images, preparation), as_antrax(copied, "white", 40, 36, 1.2))


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"target_size": 64}, "target_size is 64, but its network takes images of 25"),
        ({"background": "grey"}, "background is 'grey'"),
        ({"crop_size": -4}, "crop_size"),
        ({"crop_size": "all"}, "crop_size"),
        ({"scale": 0.5}, "scale is '0.5'"),
        ({"scale": 1e9}, "scale"),
        ({"scale": float("nan")}, "scale"),
    ],
)
def test_parameters_that_cannot_be_are_refused(parameters, complaint, tmp_path):
    with pytest.raises(ClassifierError, match=complaint):
        read_classifier(write_antrax_file(tmp_path / "old.h5", "custom", **parameters))


@pytest.mark.parametrize("change", [lambda text: text.encode(), np.bytes_, lambda text: str(json.loads(text))])
def test_parameters_are_read_in_every_form(file, change):
    with h5py.File(file, "r+") as opened:
        text = opened["prmtrs"].asstr()[()].replace("0.99", "NaN")
        del opened["prmtrs"]
        opened["prmtrs"] = change(text)
    assert read_classifier(file).preparation == Preparation(25, "white", True)


def test_parameters_of_the_first_versions_are_enough(file):
    with h5py.File(file, "r+") as opened:
        del opened["prmtrs"]
        opened["prmtrs"] = json.dumps({"name": "x", "nclasses": 5, "modeltype": "small", "scale": 1})
    classifier = read_classifier(file)
    assert (classifier.preparation, classifier.hsymmetry) == (Preparation(25, "white", True), True)


def test_as_many_classes_as_outputs_are_needed(tmp_path):
    with pytest.raises(ClassifierError, match=r"its 5 outputs do not match its 4 labels \(A, B, C, D\)"):
        read_classifier(write_antrax_file(tmp_path / "old.h5", "custom", classes=("A", "B", "C", "D")))


def test_a_classifier_that_was_never_trained_is_refused(file):
    with h5py.File(file, "r+") as opened:
        del opened["classes"]
    with pytest.raises(ClassifierError, match="never trained"):
        read_classifier(file)


def test_a_file_of_weights_alone_is_refused(file):
    with h5py.File(file, "r+") as opened:
        del opened.attrs["model_config"]
        opened.attrs["layer_names"] = ["a"]
    with pytest.raises(ClassifierError, match="weights alone"):
        read_classifier(file)


# --- its labels --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "labels", "matched"),
    [
        (("BG", "Unknown"), ("BG", "Unknown"), ("BG", "Unknown")),
        (("long_label", "A"), ("long_label_of_mine", "A"), ("long_label_of_mine", "A")),
        (("long_label",), ("long_label", "long_label_of_mine"), ("long_label",)),
        (("long_label",), ("long_label_1", "long_label_2"), ("long_label",)),
        (("long_label",), ("other",), ("long_label",)),
        (("long",), ("long_label",), ("long",)),
        (("aaaaaaaaa",), ("aaaaaaaaaä",), ("aaaaaaaaaä",)),
    ],
)
def test_cut_labels_are_made_whole_where_there_is_no_doubt(classes, labels, matched):
    assert match_cut_labels(classes, labels) == matched


def test_labels_that_became_the_same_stand_for_none():
    classes = distinct(("long_label", "A", "long_label"))
    assert classes == ("long_label#1", "A", "long_label#2")
    assert match_cut_labels(classes, ("long_label_1", "A")) == classes


def test_an_experiment_is_classified_under_its_own_labels(small_demo, tmp_path):
    shutil.copytree(small_demo.directory, tmp_path / "demo")
    session = antrax.open_session(tmp_path / "demo")
    table = session.path / "parameters" / "labels.csv"
    ants = session.labels.ants
    table.write_text(table.read_text().replace(f"{ants[0]}\t", "a_label_of_many_letters\t"))
    session = antrax.open_session(tmp_path / "demo")
    classes = ("a_label_of_many_letters", *ants[1:3], "Unknown", "nobody")
    write_antrax_file(session.classifier_dir / "classifier.h5", "custom", classes=classes)
    classify(session.experiment, ClassifyOptions(workers=1, device="cpu"))
    name = antrax.read_results(session).index[0]
    probabilities = antrax.read_frame_probabilities(session, 1, name)
    assert list(probabilities.columns) == list(classes)
    classifier = read_classifier(session.classifier_dir / "classifier.h5")
    with open_stack(next(iter(session.stacks[1]))) as stack:
        images = prepare(stack.read(name), classifier.preparation)
    assert images.shape[1:] == (25, 25, 3)
    assert len(probabilities) == len(images)


def test_every_image_gets_the_probabilities_of_the_original(small_demo, tmp_path):
    """As anTraX made it and once, as it lies: these networks have never seen an animal upside down."""
    shutil.copytree(small_demo.directory, tmp_path / "demo")
    session = antrax.open_session(tmp_path / "demo")
    classes = (*session.labels.ants[:3], "Unknown", "nobody")
    how = {"background": "white", "crop_size": 22, "scale": 1.2}
    file = write_antrax_file(tmp_path / "old.h5", "custom", classes=classes, **how)
    classifier = read_classifier(file)
    original = TorchPredictor(classifier.graph, classifier.weights, "cpu")
    classify(session.experiment, ClassifyOptions(classifier=str(file), workers=1, device="cpu"))
    lengths = set()
    with open_stack(next(iter(session.stacks[1]))) as stack:
        for name in antrax.read_results(session, [1]).index:
            images = as_antrax(np.ascontiguousarray(stack.read(name)), "white", 25, 22, 1.2)
            found = antrax.read_frame_probabilities(session, 1, name).to_numpy()
            assert found == pytest.approx(np.exp(original(images)), abs=1e-4)
            lengths.add(len(images))
    assert min(lengths) < 8 < max(lengths)


def test_classes_are_read_as_they_were_written(file):
    assert tuple(label[:10] for label in CLASSES) == read_classifier(file).labels
