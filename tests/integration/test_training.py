"""`antrax train`, as far as it can be told without the command line."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageChops

from antrax.classification.classifier_file import read_classifier
from antrax.cli.main import cli
from antrax.errors import ClassifierError, OptionError, TrainsetError
from antrax.io.examples import open_classdir
from antrax.io.labels_file import to_labels_file
from antrax.io.session import Session
from antrax.progress import Reporter
from antrax.training.augmentation import Augmentation, parse_augmentation
from antrax.training.batches import sampling_weights
from antrax.training.dataset import IMAGES_PER_TRACKLET, load_trainset
from antrax.training.loop import steps_per_epoch
from antrax.training.run import TrainOptions, train
from antrax.training.split import fingerprints_after, held_out_by_name
from tests.fixtures.training_tools import Counting, Listener, StopAfter


def examples_of(session: Session, label: str) -> list[Path]:
    return sorted((session.classifier_dir / "examples" / label).iterdir())


def test_a_demo_is_learned(trained):
    classifier = read_classifier(trained.classifier)
    held_out = classifier.record["held_out"]
    assert held_out["tracklets"] >= 20
    assert held_out["image_accuracy"] > 0.7
    assert held_out["tracklet_accuracy"] > 0.7


def test_the_classifier_carries_what_is_needed_to_go_on(trained):
    classifier = read_classifier(trained.classifier)
    session = trained.session
    assert sorted(classifier.labels) == sorted(session.labels.all)
    assert classifier.categories == {label: session.labels.category(label) for label in classifier.labels}
    assert classifier.size == 32
    assert classifier.background == "white"
    assert classifier.calibration.sufficient
    assert classifier.evaluation_weights is not None


def test_the_evaluation_weights_have_seen_no_held_out_tracklet(trained):
    classifier = read_classifier(trained.classifier)
    trainset = load_trainset(open_classdir(trained.experiment))
    held_out = held_out_by_name(trainset.origins)
    assert held_out.any()
    assert np.array_equal(fingerprints_after(trainset.origins, held_out), classifier.seen)
    assert len(fingerprints_after(trainset.origins, ~held_out, classifier.seen)) > len(classifier.seen)
    assert any(not np.array_equal(classifier.weights[k], classifier.evaluation_weights[k]) for k in classifier.weights)


def test_a_record_lies_beside_the_classifier(trained):
    (folder,) = (trained.session.classifier_dir / "training").iterdir()
    record = json.loads((folder / "record.json").read_text())
    assert record["options"]["epochs"] == 2
    assert record["options"]["augmentation"]["rotation_range"] == 15
    assert set(record["versions"]) == {"antrax", "torch", "numpy", "python"}
    assert record["examples"]["used"] == len(load_trainset(open_classdir(trained.experiment)).images)
    assert (record["examples"]["capped"], record["examples"]["without_tracklet"]) == (0, 0)
    assert record["calibrated"]
    assert [row["epoch"] for row in record["history"]] == [1, 2]
    with (folder / "examples.csv").open(newline="") as file:
        used = list(csv.DictReader(file))
    assert sum(int(row["images"]) for row in used) == record["examples"]["used"]
    assert {row["held_out"] for row in used} == {"yes", "no"}
    with (folder / "doubtful.csv").open(newline="") as file:
        assert [row["tracklet"] for row in csv.DictReader(file)] == [each["tracklet"] for each in record["doubtful"]]
    for picture in ("confusion.png", "learning_curve.png"):
        with Image.open(folder / picture) as image:
            assert min(image.size) > 300


def test_nothing_but_classifier_examples_and_record_is_left(trained):
    assert sorted(path.name for path in trained.session.classifier_dir.iterdir()) == [
        "classifier.h5",
        "examples",
        "training",
    ]


@pytest.fixture
def all_images(short_training, monkeypatch):
    """Short training on the images that the trained demo had: which tracklets look alike depends on them."""
    monkeypatch.setattr("antrax.training.dataset.IMAGES_PER_TRACKLET", IMAGES_PER_TRACKLET)


def test_training_goes_on_from_the_evaluation_weights_and_measures_on_the_same_tracklets(trained, tmp_path, all_images):
    session = trained.copy(tmp_path)
    before = read_classifier(trained.classifier)
    after = train(session.experiment, TrainOptions(epochs=1)).classifier
    assert after.record["trained_on"] == before.digest()
    assert after.record["held_out"]["tracklets"] == before.record["held_out"]["tracklets"]
    # a few short steps do not make a trained network forget: it did go on from there
    assert after.record["held_out"]["image_accuracy"] > before.record["held_out"]["image_accuracy"] - 0.2


def test_tracklets_that_the_evaluation_weights_have_seen_are_never_measured_on(
    trained, tmp_path, all_images, monkeypatch
):
    session = trained.copy(tmp_path)
    trainset = load_trainset(open_classdir(session.experiment))
    before = held_out_by_name(trainset.origins)
    monkeypatch.setattr("antrax.training.split.is_held_out", lambda name: name.startswith("trj_id1"))
    unseen = held_out_by_name(trainset.origins) & before
    assert held_out_by_name(trainset.origins).sum() > unseen.sum() > 0
    result = train(session.experiment, TrainOptions(epochs=1))
    counted = int(result.evaluation.tracklets.sum()) if result.evaluation else 0
    assert counted == unseen.sum()


def test_the_same_seed_gives_the_same_classifier(make_labelled, short_training):
    first = train(make_labelled("one"), TrainOptions(epochs=1, seed=3)).classifier
    second = train(make_labelled("two"), TrainOptions(epochs=1, seed=3)).classifier
    other = train(make_labelled("three"), TrainOptions(epochs=1, seed=4)).classifier
    assert first.digest() == second.digest()
    assert first.digest() != other.digest()


def test_images_that_lie_in_a_file_give_the_same_classifier(make_labelled, short_training, monkeypatch):
    folder = make_labelled("set")
    shutil.copy(next((folder / "examples" / "BB").iterdir()), folder / "examples" / "BB" / "copy.png")  # left out
    expected = train(folder, TrainOptions(epochs=1, seed=3)).classifier.digest()
    monkeypatch.setattr("antrax.training.image_store.SHARE", 0.0)
    assert train(folder, TrainOptions(epochs=1, seed=3, scratch=True)).classifier.digest() == expected


@pytest.fixture
def make_labelled(trained, tmp_path):
    """A function that makes a folder with a few examples of four labels, outside of any session."""

    def make(name: str = "set", labels: tuple[str, ...] = ("BB", "GO", "NoAnt", "Unknown")) -> Path:
        folder = tmp_path / name
        for label in labels:
            (folder / "examples" / label).mkdir(parents=True)
            for path in examples_of(trained.session, label)[:12]:
                shutil.copy(path, folder / "examples" / label)
        return folder

    return make


def test_a_folder_outside_of_any_session_is_learned_and_kinds_are_told_by_name(make_labelled, short_training):
    classifier = train(make_labelled(), TrainOptions(epochs=1)).classifier
    assert classifier.labels == ("BB", "GO", "NoAnt", "Unknown")
    assert [str(classifier.categories[label]) for label in classifier.labels] == ["ant", "ant", "nonant", "unknown"]


def test_a_new_label_grows_the_classifier_without_forgetting(trained, tmp_path, short_training):
    session = trained.copy(tmp_path)
    labels = session.labels
    to_labels_file(
        type(labels)((*labels.ants, "XX"), labels.nonants, labels.others), session.path / "parameters" / "labels.csv"
    )
    new = session.classifier_dir / "examples" / "XX"
    new.mkdir()
    for number, path in enumerate(examples_of(session, "NoAnt")[:12]):
        image = 255 - np.asarray(Image.open(path))
        image[image == 0] = 255
        Image.fromarray(image).save(new / f"demo.trj_id9{number}_ti1_1_tf1_2.1.png")
    before = read_classifier(trained.classifier)
    result = train(session.experiment, TrainOptions(epochs=1))
    assert result.classifier.labels == (*before.labels, "XX")
    accuracy = result.classifier.record["held_out"]["image_accuracy"]
    assert accuracy > before.record["held_out"]["image_accuracy"] - 0.2


def test_a_listed_label_without_examples_has_an_output_from_the_start(trained, tmp_path, short_training):
    session = trained.copy(tmp_path)
    shutil.rmtree(session.classifier_dir / "examples" / "BB")
    classifier = train(session.experiment, TrainOptions(epochs=1)).classifier
    assert "BB" in classifier.labels


def test_a_label_whose_examples_are_gone_is_an_error_that_names_it(make_labelled, short_training):
    folder = make_labelled()
    train(folder, TrainOptions(epochs=1))
    shutil.rmtree(folder / "examples" / "GO")
    with pytest.raises(TrainsetError, match=r"GO.*`scratch=True`"):
        train(folder, TrainOptions(epochs=1))
    assert train(folder, TrainOptions(epochs=1, scratch=True)).classifier.labels == ("BB", "NoAnt", "Unknown")


@pytest.mark.parametrize(
    ("options", "has"),
    [({"arch": "wide"}, "small"), ({"target_size": 64}, "32"), ({"hsymmetry": True}, "without it")],
)
def test_an_option_for_new_classifiers_that_asks_for_something_else_is_an_error(trained, options, has):
    with pytest.raises(OptionError, match=f"{has}.*`scratch=True`"):
        train(trained.experiment, TrainOptions(**options))


def test_an_option_for_new_classifiers_that_asks_for_the_same_is_fine(trained, tmp_path, short_training):
    session = trained.copy(tmp_path)
    train(session.experiment, TrainOptions(epochs=1, arch="small", target_size=32, hsymmetry=False))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "`epochs=0`"),
        ({"name": "a/b"}, "`name="),
        ({"name": "../x"}, "`name="),
        ({"name": "x.h5"}, "`name="),
        ({"arch": "huge"}, "small, wide, large"),
        ({"arch": "custom"}, "`modelfile='MODEL.json'`"),
        ({"modelfile": "m.json"}, "`modelfile='m.json'` goes with `arch='custom'`"),
        ({"arch": "small", "modelfile": "m.json"}, "goes with `arch='custom'`"),
        ({"arch": "MobileNetV2", "target_size": 31}, "32 to 512"),
        ({"pretrained": False}, "`pretrained=False` goes with `arch='MobileNetV2'`"),
        ({"arch": "wide", "pretrained": False}, "goes with `arch='MobileNetV2'`"),
        ({"target_size": 5}, "`target_size=5`"),
        ({"aug_options": "hue=3"}, "no 'hue'"),
        ({"aug_options": "zoom_range"}, "zoom_range"),
        ({"aug_options": "zoom_range=much"}, "much"),
        ({"aug_options": "rotation_range=-5"}, "-5"),
        ({"aug_options": "zoom_range=nan"}, "nan"),
    ],
)
def test_impossible_options_are_refused_before_anything_is_read(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        train(tmp_path / "absent", TrainOptions(**options))


def test_augmentation_options_are_read_as_keras_means_them():
    options = parse_augmentation("width_shift_range=0.2, rotation_range=30,zoom_range=0", hsymmetry=True)
    assert options == Augmentation(width_shift_range=0.2, rotation_range=30, zoom_range=0, hsymmetry=True)
    assert parse_augmentation("") == Augmentation(10, 10, 5, 15, 0.1)


def test_a_classifier_file_that_is_none_is_not_overwritten(make_labelled):
    folder = make_labelled()
    (folder / "classifier.h5").write_text("my notes")
    with pytest.raises(ClassifierError, match="`scratch=True`"):
        train(folder, TrainOptions(epochs=1))
    assert (folder / "classifier.h5").read_text() == "my notes"


def test_training_that_is_interrupted_leaves_the_old_classifier_and_goes_on_when_started_again(
    make_labelled, short_training, monkeypatch
):
    monkeypatch.setattr("antrax.training.loop._SAVE_EVERY_S", 0.0)
    folder, straight = make_labelled("broken"), make_labelled("straight")
    old = train(folder, TrainOptions(epochs=1, seed=1)).path.read_bytes()
    train(straight, TrainOptions(epochs=1, seed=1))
    expected = train(straight, TrainOptions(epochs=2, scratch=True)).classifier

    class Interrupting(Listener):
        def bar(self, title, total, unit):
            return StopAfter(3 if title == "training" else None)

    with pytest.raises(KeyboardInterrupt):
        train(folder, TrainOptions(epochs=2, scratch=True), reporter=Interrupting())
    assert (folder / "classifier.h5").read_bytes() == old
    counted = Counting()
    resumed = train(folder, TrainOptions(epochs=2, scratch=True), reporter=counted).classifier
    assert counted.steps["training"] < 8
    assert resumed.digest() == expected.digest()
    assert not list(folder.glob(".*"))


def test_another_command_does_not_take_up_an_interrupted_one(make_labelled, short_training, monkeypatch):
    monkeypatch.setattr("antrax.training.loop._SAVE_EVERY_S", 0.0)
    folder = make_labelled()

    class Interrupting(Reporter):
        def bar(self, title, total, unit):
            return StopAfter(3 if title == "training" else None)

    with pytest.raises(KeyboardInterrupt):
        train(folder, TrainOptions(epochs=2), reporter=Interrupting())
    counted = Counting()
    train(folder, TrainOptions(epochs=2, seed=9), reporter=counted)
    assert counted.steps["training"] == 8


def test_a_checkpoint_that_is_damaged_is_passed_over(make_labelled, short_training):
    folder = make_labelled()
    (folder / ".classifier.h5.measured.checkpoint").write_bytes(b"\x80\x04 no checkpoint")
    assert train(folder, TrainOptions(epochs=1)).path.exists()


def test_the_name_chooses_the_file(make_labelled, short_training):
    folder = make_labelled()
    train(folder, TrainOptions(epochs=1, name="night"))
    assert (folder / "night.h5").exists()
    assert not (folder / "classifier.h5").exists()


@pytest.mark.parametrize("arch", ["wide", "large"])
def test_the_architecture_is_the_one_asked_for(make_labelled, short_training, arch):
    assert train(make_labelled(), TrainOptions(epochs=1, arch=arch)).classifier.graph.name == arch


def test_the_target_size_is_the_one_asked_for(make_labelled, short_training):
    assert train(make_labelled(), TrainOptions(epochs=1, target_size=40)).classifier.size == 40


def test_labels_that_the_session_does_not_list_are_told(trained, tmp_path, short_training):
    session = trained.copy(tmp_path)
    (session.classifier_dir / "examples" / "GO").rename(session.classifier_dir / "examples" / "Gone")
    listener = Listener()
    train(session.experiment, TrainOptions(epochs=1, scratch=True), reporter=listener)
    assert any("Gone" in warning for warning in listener.warned)


def test_too_few_held_out_tracklets_are_told(make_labelled, short_training):
    listener = Listener()
    train(make_labelled(), TrainOptions(epochs=1), reporter=listener)
    assert any("too few held-out tracklets" in warning for warning in listener.warned)


def test_images_whose_names_tell_no_tracklet_calibrate_nothing(trained, tmp_path, short_training):
    folder = tmp_path / "set" / "examples"
    for label in ("BB", "GO", "BG", "NoAnt"):
        (folder / label).mkdir(parents=True)
        for number, path in enumerate(examples_of(trained.session, label)[:80]):
            shutil.copy(path, folder / label / f"img_{number:05}.png")
    listener = Listener()
    result = train(folder.parent, TrainOptions(epochs=1), reporter=listener)
    (warning,) = [text for text in listener.warned if "tell no tracklet" in text]
    assert f"the names of {result.classifier.record['examples']['used']} of" in warning
    assert "far too good" in warning
    assert result.classifier.calibration.tracklets > 0
    assert not result.classifier.calibration.sufficient
    record = result.classifier.record
    assert record["examples"]["without_tracklet"] == record["examples"]["used"]
    assert not record["calibrated"]


def test_changed_copies_under_foreign_names_make_figures_too_good_and_that_is_told_everywhere(
    trained, tmp_path, short_training
):
    folder = tmp_path / "set" / "examples"
    count = 0
    for label in ("BB", "GO", "BG", "NoAnt"):
        (folder / label).mkdir(parents=True)
        for number, path in enumerate(examples_of(trained.session, label)[:60]):
            shutil.copy(path, folder / label)
            if number % 3 == 0:  # recompressed, shifted, darker: pixels tell no longer what it is a copy of
                with Image.open(path) as image:
                    changed = ImageChops.offset(image.convert("RGB").point(lambda value: value * 9 // 10), 2, 1)
                buffer = io.BytesIO()
                changed.save(buffer, "JPEG", quality=85)
                count += 1
                Image.open(buffer).save(folder / label / f"img_{count:05}.png")
    listener = Listener()
    result = train(folder.parent, TrainOptions(epochs=1), reporter=listener)
    (warning,) = [text for text in listener.warned if "tell no tracklet" in text]
    assert f"the names of {count} of" in warning and "far too good" in warning
    assert result.classifier.record["examples"]["without_tracklet"] == count
    assert not result.classifier.calibration.sufficient
    shown = " ".join(CliRunner().invoke(cli, ["info", str(result.path)]).output.split())
    assert f"names of {count} images tell no tracklet, so these figures may be far too good" in shown
    assert "calibration none (it may have seen the held-out tracklets" in shown


def test_experiments_held_out_whole_are_reported_by_themselves(make_labelled, short_training, monkeypatch):
    monkeypatch.setattr("antrax.training.split.EXPERIMENTS_ENOUGH", 2)
    monkeypatch.setattr("antrax.training.split.held_out_experiments", lambda _: {"elsewhere"})
    folder = make_labelled()
    for path in sorted((folder / "examples" / "BB").iterdir())[:4]:
        path.rename(path.with_name(path.name.replace("demo.", "elsewhere.")))
    listener = Listener()
    train(folder, TrainOptions(epochs=1), reporter=listener)
    assert any("experiments that the network never saw" in line for line in listener.said)


def test_small_sets_get_as_many_steps_as_large_ones_need():
    assert steps_per_epoch(10) == steps_per_epoch(20_000) == 200
    assert steps_per_epoch(128_000) == 1000


def test_rare_labels_and_short_tracklets_are_drawn_more_often_than_their_share():
    targets = np.array([0] * 900 + [1] * 100)
    tracklets = np.array([0] * 890 + [1] * 10 + [2] * 100)
    weights = sampling_weights(targets, tracklets)
    assert weights.sum() == pytest.approx(1)
    assert 0.1 < weights[targets == 1].sum() < 0.5
    assert weights[tracklets == 1].sum() > 10 / 900 * weights[targets == 0].sum()
