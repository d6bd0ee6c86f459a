"""`antrax info`: what a classifier says of itself."""

import json

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from antrax.classification.calibration import Calibration
from antrax.classification.classifier_file import read_classifier, write_classifier
from antrax.cli.describe import describe_classifier
from antrax.cli.main import cli
from antrax.errors import ClassifierError
from tests.fixtures.antrax_files import write_antrax_file
from tests.unit.test_classifier_file import LABELS, made

RECORD = {
    "time": "2026-11-23T07:48:05+00:00",
    "seconds": 31.2,
    "options": {"epochs": 5, "seed": 0, "device": "cpu", "modelfile": None, "pretrained": False},
    "versions": {"antrax": "0.1.0"},
    "examples": {"used": 1589, "tracklets": 260, "held_out_tracklets": 53, "digest": "ab12"},
    "held_out": {"tracklets": 53, "image_accuracy": 0.912, "tracklet_accuracy": 0.981},
}


def write(path, **changes):
    import dataclasses

    calibration = Calibration(0.7, 0.0, tuple(np.linspace(0.5, 0.999, 40).tolist()), (1.0,) * 40, 53)
    changes = {"record": RECORD, "calibration": calibration, **changes}
    write_classifier(dataclasses.replace(made(), **changes), path)
    return path


def shown(*arguments) -> str:
    answer = CliRunner().invoke(cli, ["info", *map(str, arguments)])
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_everything_about_a_classifier_is_told(tmp_path):
    text = shown(write(tmp_path / "classifier.h5"))
    for part in (
        "written by    antrax 0.1.0",
        "IDs (3)       BG, GB, a_label_of_many_letters",
        "non-ant (1)   Larve_ä",
        "unknown (1)   Unknown",
        "parameters",
        "3×Conv2D",
        "24 x 24 pixels, colour, white background",
        "2026-11-23T07:48:05+00:00, 5 epoch(s), 31 s, on cpu",
        "1,589 images of 260 tracklets, 53 of these held out",
        "53 tracklets: 91.2% of images right, 98.1% of tracklets right",
        "--max-error 0.01",
    ):
        assert part in text
    assert read_classifier(tmp_path / "classifier.h5").digest() in text


def test_a_network_that_its_training_found_poor_is_told(tmp_path):
    poor = {**RECORD, "quality": {"image_accuracy": 0.05, "poor": True}}
    text = shown(write(tmp_path / "poor.h5", record=poor))
    assert "Poor, as its training found: check the IDs that it gives" in text
    assert max(map(len, text.splitlines()[1:])) <= 80
    assert describe_classifier(tmp_path / "poor.h5")["poor"] is True
    for quality in ({"poor": False}, {}, "poor"):
        path = write(tmp_path / "good.h5", record={**RECORD, "quality": quality})
        assert "Poor" not in shown(path)
        assert describe_classifier(path)["poor"] is False


def test_it_fits_eighty_columns(tmp_path):
    first, *lines = shown(write(tmp_path / "classifier.h5")).splitlines()
    assert first == str(tmp_path / "classifier.h5")
    assert max(map(len, lines)) <= 80


def test_scripts_get_json(tmp_path):
    path = write(tmp_path / "classifier.h5")
    told = json.loads(shown(path, "--json"))
    assert told == describe_classifier(path)
    assert told["labels"]["ant"] == ["BG", "GB", "a_label_of_many_letters"]
    assert told["architecture"]["name"] == "small"
    assert told["architecture"]["layers"]["Conv2D"] == 3
    assert told["images"] == {
        "size": 24,
        "channels": 3,
        "background": "white",
        "prepared_as": "antrax",
        "crop_size": None,
        "scale": 1,
        "hsymmetry": True,
    }
    assert told["training"]["images"] == 1589
    assert told["held_out"]["image_accuracy"] == 0.912
    assert 0.5 <= told["calibration"]["threshold"] < 1
    assert told["bytes"] == path.stat().st_size


def test_a_classifier_of_antrax_tells_what_wrote_it_and_how_it_wants_images(tmp_path):
    path = write_antrax_file(tmp_path / "old.h5", "small", "1.15", crop_size=40)
    text = shown(path)
    assert "anTraX, with Keras 2.2.4-tf" in text
    assert "anTraX-small" in text
    assert "cut to the 40 pixels in the middle, resized as anTraX does" in " ".join(text.split())
    assert "Labels of ten letters" in text
    assert "a fixed cautious rule decides" in " ".join(text.split())
    told = describe_classifier(path)
    assert told["training"] is None
    assert told["held_out"] is None
    assert told["calibration"] is None
    assert told["labels"]["guessed"]


def test_too_little_to_calibrate_on_is_told(tmp_path):
    text = " ".join(shown(write(tmp_path / "x.h5", calibration=Calibration(0.7, 0.0, (0.9,), (1.0,), 3))).split())
    assert "none (1 held-out tracklets with an ID; 25 are needed)" in text


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"held_out": None, "options": None},
        {"held_out": {"image_accuracy": "good"}, "versions": ["0.1"], "examples": 3, "time": 5},
        {"held_out": {"tracklets": True, "image_accuracy": float("nan")}, "seconds": "long"},
    ],
)
def test_a_record_that_says_little_or_nonsense_is_passed_over(tmp_path, record):
    path = write(tmp_path / "x.h5", record=record)
    assert "nothing was measured" in shown(path)
    json.dumps(describe_classifier(path), allow_nan=False)


def test_what_is_no_classifier_is_told_from_a_damaged_one(tmp_path):
    with pytest.raises(ClassifierError, match="it is a folder"):
        describe_classifier(tmp_path)
    (tmp_path / "x.h5").write_text("{}")
    with pytest.raises(ClassifierError, match=r"it is no HDF5 file$"):
        describe_classifier(tmp_path / "x.h5")
    write_antrax_file(tmp_path / "old.h5", "small")
    (tmp_path / "old.h5").write_bytes((tmp_path / "old.h5").read_bytes()[:5000])
    with pytest.raises(ClassifierError, match="cut short or damaged; copy it again"):
        describe_classifier(tmp_path / "old.h5")


def test_what_moves_a_cursor_is_not_printed(tmp_path):
    labels = ("B\x1b[2JG", *LABELS[1:])
    path = write(tmp_path / "x.h5", labels=labels, categories={}, record={"time": "\x1b]0;x\x07"})
    assert "\x1b" not in shown(path)


def test_a_file_that_is_no_classifier_is_an_error(tmp_path):
    (tmp_path / "notes.h5").write_text("a, b, c")
    with pytest.raises(ClassifierError, match=r"notes\.h5 is no classifier"):
        describe_classifier(tmp_path / "notes.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(ClassifierError, match="holds no Keras model"):
        describe_classifier(tmp_path / "other.h5")
    with pytest.raises(ClassifierError, match="does not exist"):
        describe_classifier(tmp_path / "nothing.h5")
