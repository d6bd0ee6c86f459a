"""Options of `antrax train` that change labels, weights and images; trainings that meet one another; architectures."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from antrax.classification.classifier_file import Classifier, read_classifier, write_classifier
from antrax.errors import LockedError, OptionError
from antrax.io.layout import checkpoint_file
from antrax.networks import registry
from antrax.networks.graph import Graph
from antrax.networks.layers import make_layer
from antrax.training.relabelling import relabelled
from antrax.training.run import TrainOptions, train
from tests.fixtures.training_tools import Listener, StopAfter

pytestmark = pytest.mark.usefixtures("short_training")
SIZE = 24


@pytest.fixture
def classdir(make_examples, tmp_path: Path) -> Path:
    """Six tracklets of each of four labels, two images each."""
    files = [
        f"{label}/exp.trj_id{10 * place + k}_ti1_1_tf1_99.{frame}.png"
        for place, label in enumerate(("AB", "CD", "Multi", "Unknown"))
        for k in range(6)
        for frame in (1, 2)
    ]
    return make_examples(tmp_path / "set", files, size=SIZE)


def trained_on(classdir: Path, **options: object) -> Classifier:
    return train(classdir, TrainOptions(epochs=1, **options)).classifier  # type: ignore[arg-type]


# --- labels -----------------------------------------------------------------------------------------------------


def test_a_classifier_forgets_a_label_and_keeps_the_others(classdir: Path) -> None:
    before = trained_on(classdir)
    after = relabelled(before, ["CD"], {"AB": "XY"})
    assert after.labels == ("XY", "Multi", "Unknown")
    assert after.graph.outputs == 3
    images = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)
    was, now = before.predict_proba(images), after.predict_proba(images)
    kept = was[:, [0, 2, 3]]
    assert now == pytest.approx(kept / kept.sum(1, keepdims=True), abs=0.02)
    assert set(after.categories) == {"XY", "Multi", "Unknown"}
    assert after.calibration is None


def test_training_on_without_a_label_passes_its_examples_over_and_says_so(classdir: Path) -> None:
    trained_on(classdir)
    listener = Listener()
    result = train(classdir, TrainOptions(epochs=1, drop=["CD"]), reporter=listener)
    assert result.classifier.labels == ("AB", "Multi", "Unknown")
    assert any(text.startswith("12 examples of CD are passed over, as asked") for text in listener.warned)
    assert read_classifier(result.path).record["options"]["drop"] == ["CD"]


def test_a_folder_of_a_label_that_was_dropped_or_renamed_is_told_of_when_it_is_learned_again(classdir: Path) -> None:
    trained_on(classdir)
    renaming = Listener()
    train(classdir, TrainOptions(epochs=1, drop=["CD"], rename={"AB": "XY"}), reporter=renaming)
    assert any("examples in the folder of AB are learned as XY, as asked; the next" in text for text in renaming.warned)
    (classdir / "examples" / "AB").rename(classdir / "examples" / "XY")
    listener, later = Listener(), Listener()
    result = train(classdir, TrainOptions(epochs=1), reporter=listener)
    (told,) = [text for text in listener.warned if "removed from" in text and "before" in text]
    assert told.startswith("CD: removed from ")
    assert "adds it again as a new label" in told
    assert result.classifier.labels == ("XY", "Multi", "Unknown", "CD")
    train(classdir, TrainOptions(epochs=1), reporter=later)
    assert not [text for text in later.warned if "removed from" in text and "before" in text]


@pytest.mark.parametrize("folder_too", [False, True])
def test_a_renamed_label_keeps_its_place_whether_or_not_its_folder_was_renamed(
    classdir: Path, folder_too: bool
) -> None:
    trained_on(classdir)
    if folder_too:
        (classdir / "examples" / "CD").rename(classdir / "examples" / "XY")
    after = trained_on(classdir, rename={"CD": "XY"})
    assert after.labels == ("AB", "XY", "Multi", "Unknown")
    assert after.record["examples"]["images_by_label"]["XY"] == 12


@pytest.mark.parametrize("folder", ["CD", "cd"])
def test_labels_to_drop_or_rename_are_found_in_another_spelling(classdir: Path, folder: str) -> None:
    trained_on(classdir)
    (classdir / "examples" / "CD").rename(classdir / "examples" / folder)
    listener = Listener()
    result = train(classdir, TrainOptions(epochs=1, drop=["cd "], rename={"ab": " XY "}), reporter=listener)
    assert result.classifier.labels == ("XY", "Multi", "Unknown")
    assert any("'ab' as 'AB'" in text for text in listener.said)
    assert any(f"examples of {folder} are passed over, as asked" in text for text in listener.warned)


def test_a_new_name_may_be_any_that_is_listed_already_and_is_spelt_as_there(trained, tmp_path: Path) -> None:
    session = trained.copy(tmp_path)
    path = session.layout.labels_file
    path.write_text(path.read_text(encoding="utf-8").replace("BB\t", "B-G\t"), encoding="utf-8")
    listener = Listener()
    result = train(session.experiment, TrainOptions(epochs=1, rename={"BB": "b-g"}), reporter=listener)
    assert "B-G" in result.classifier.labels and "BB" not in result.classifier.labels
    assert any("'b-g' as 'B-G'" in text for text in listener.said)


def test_the_spelling_of_a_label_is_that_of_the_sessions_table(trained, tmp_path: Path) -> None:
    session = trained.copy(tmp_path)
    before = trained.classifier.read_bytes()
    with pytest.raises(
        OptionError, match=r"labels.csv spells this label BB, and classifiers follow that; change it there"
    ):
        train(session.experiment, TrainOptions(epochs=1, rename={"BB": "Bb"}))
    assert (session.classifier_dir / "classifier.h5").read_bytes() == before
    path = session.layout.labels_file
    path.write_text(path.read_text(encoding="utf-8").replace("BB\t", "Bb\t"), encoding="utf-8")
    for options in (TrainOptions(epochs=1, rename={"BB": "Bb"}), TrainOptions(epochs=1)):
        labels = train(session.experiment, options).classifier.labels
        assert "Bb" in labels and "BB" not in labels


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"rename": {"AB": "X", "ab": "Y"}}, "AB is renamed twice"),
        ({"drop": ["ab"], "rename": {"AB": "X"}}, "AB.*it is to be renamed too"),
        ({"drop": ["ZZ"]}, "ZZ.*the classifier knows AB, CD, Multi, Unknown"),
        ({"rename": {"AB": "CD"}}, "`rename=.'AB': 'CD'.`: the classifier knows CD already"),
        ({"drop": ["AB", "CD", "Multi"]}, "tells at least two labels apart"),
        ({"drop": ["AB"], "rename": {"AB": "X"}}, "AB.*it is to be renamed too"),
        ({"rename": {"AB": "X", "CD": "X"}}, "two labels cannot get the same name"),
        ({"rename": {"AB": "12"}}, r"`rename=.'AB': '12'.`: the label '12' looks like a number"),
        ({"rename": {"AB": "1e5"}}, "looks like a number"),
        ({"rename": {"Multi": "a,b"}}, "`rename=.'Multi': 'a,b'.`: the label 'a,b' holds a comma"),
        ({"rename": {"AB": "B-G"}}, "an ant label must start with a letter"),
        ({"rename": {"AB": "a/b"}}, "holds /, which no folder's name may"),
        ({"rename": {"AB": ""}}, "is empty"),
        ({"rename": {"AB": "Multi2", "CD": "MultiAnt"}}, "stand for several ants"),
        ({"rename": {"AB": "unknown"}}, "the classifier knows Unknown already"),
        ({"rename": {"Unknown": "Nobody"}}, "Unknown is the label of what nobody can tell"),
        ({"rename": {"AB": "Ab"}}, "examples spells this label AB, and classifiers follow that; change it there"),
        ({"drop": ["AB"], "scratch": True}, "changes an existing classifier"),
    ],
)
def test_changes_of_labels_that_cannot_be_are_refused_and_nothing_is_changed(
    classdir: Path, options: dict[str, object], why: str
) -> None:
    trained_on(classdir)
    before = (classdir / "classifier.h5").read_bytes()
    with pytest.raises(OptionError, match=why):
        trained_on(classdir, **options)
    assert (classdir / "classifier.h5").read_bytes() == before


def test_a_new_classifier_has_no_labels_to_drop(classdir: Path) -> None:
    with pytest.raises(OptionError, match=r"changes an existing classifier: there is no .*classifier\.h5"):
        trained_on(classdir, drop=["AB"])


# --- weights and images -----------------------------------------------------------------------------------------


def test_weights_of_kinds_change_what_is_learned(classdir: Path) -> None:
    plain = trained_on(classdir, name="plain")
    for option in ("unknown_weight", "multi_weight"):
        same = trained_on(classdir, name=f"{option}-1", **{option: 1.0})
        other = trained_on(classdir, name=f"{option}-9", **{option: 9.0})
        assert same.digest() == plain.digest() != other.digest()
        assert other.record["options"][option] == 9


def test_an_error_on_a_kind_counts_as_often_as_asked() -> None:
    import torch

    from antrax.labels import Category
    from antrax.training.batches import Material
    from antrax.training.loop import _Loss

    def loss(weights: dict[Category, float]) -> float:
        images, targets = np.full((2, 8, 8, 3), 255, np.uint8), np.array([0, 1])
        material = Material(images, targets, targets, (Category.ANT, Category.UNKNOWN), "white", weights)
        return float(_Loss(material, 0.0, "cpu")(torch.tensor([[2.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1])))

    only_ant, only_unknown = loss({Category.UNKNOWN: 0.0}), loss({Category.ANT: 0.0})
    assert loss({}) == pytest.approx((only_ant + only_unknown) / 2)
    assert loss({Category.UNKNOWN: 3.0}) == pytest.approx((only_ant + 3 * only_unknown) / 4)


def test_a_centre_is_cut_in_training_and_in_classification(classdir: Path) -> None:
    classifier = trained_on(classdir, crop_size=12, target_size=24)
    assert classifier.preparation.crop_size == 12
    read = read_classifier(classdir / "classifier.h5")
    assert read.preparation == classifier.preparation
    image = np.random.default_rng(1).integers(0, 255, (1, 24, 24, 3), np.uint8)
    around = image.copy()
    around[:, :6] = around[:, -6:] = around[:, :, :6] = around[:, :, -6:] = 77
    assert np.array_equal(read.predict_proba(image), read.predict_proba(around))
    with pytest.raises(OptionError, match=r"classifier\.h5 was made with 12"):
        trained_on(classdir, crop_size=16)


def test_images_of_a_new_classifier_are_as_large_as_the_centre(classdir: Path) -> None:
    assert trained_on(classdir, crop_size=24).size == 24


def test_a_ground_that_is_asked_for_is_that_of_the_classifier(classdir: Path) -> None:
    assert trained_on(classdir, background="black").background == "black"
    with pytest.raises(OptionError, match="was made with black"):
        trained_on(classdir, background="white")


@pytest.mark.parametrize(
    "options",
    [
        {"unknown_weight": 0.0},
        {"multi_weight": float("nan")},
        {"crop_size": 0},
        {"background": "grey"},
    ],
)
def test_values_that_cannot_be_are_refused(classdir: Path, options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        trained_on(classdir, **options)


# --- trainings that meet ----------------------------------------------------------------------------------------


class Meanwhile(Listener):
    """Does something once, in the middle of a training."""

    def __init__(self, do) -> None:
        super().__init__()
        self._do = do

    def bar(self, title, total, unit):
        if title == "training":
            self._do()
        return StopAfter(None)


def test_a_second_training_of_a_classifier_is_refused_and_told_of_the_first(classdir: Path) -> None:
    code = f"import antrax; antrax.train({os.fspath(classdir)!r}, antrax.TrainOptions(epochs=1))"
    told: list[str] = []

    def second() -> None:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        told.append(done.stderr.strip().splitlines()[-1])

    train(classdir, TrainOptions(epochs=1), reporter=Meanwhile(second))
    (error,) = told
    assert "LockedError" in error
    assert f"antrax train (process {os.getpid()}" in error
    assert sorted(path.name for path in classdir.iterdir()) == ["classifier.h5", "examples", "training"]


def test_classifiers_of_other_names_are_trained_at_the_same_time(classdir: Path) -> None:
    train(classdir, TrainOptions(epochs=1), reporter=Meanwhile(lambda: trained_on(classdir, name="other")))
    assert (classdir / "other.h5").is_file()


def test_a_classifier_that_was_replaced_meanwhile_is_not_written_over(classdir: Path) -> None:
    other = trained_on(classdir, seed=5)
    written: list[bytes] = []

    def replace_it() -> None:
        write_classifier(dataclasses.replace(other, record={}), classdir / "classifier.h5")
        written.append((classdir / "classifier.h5").read_bytes())

    listener = Meanwhile(replace_it)
    result = train(classdir, TrainOptions(epochs=1), reporter=listener)
    assert (classdir / "classifier.h5").read_bytes() == written[0]
    assert result.path != classdir / "classifier.h5"
    assert read_classifier(result.path).digest() == result.classifier.digest()
    assert any("was changed by another program" in text for text in listener.warned)


def test_what_a_training_left_that_was_killed_after_its_result_is_cleared(classdir: Path) -> None:
    trained_on(classdir)
    classifier = classdir / "classifier.h5"
    dead, living = checkpoint_file(classifier, "head"), checkpoint_file(classdir / "other.h5", "measured")
    for left in (dead, living):
        left.write_bytes(b"left")
    os.utime(dead, ns=(1, classifier.stat().st_mtime_ns - 1))
    with pytest.raises(KeyboardInterrupt):
        train(classdir, TrainOptions(epochs=1), reporter=Meanwhile(interrupt))
    assert not dead.exists()
    assert living.exists()


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_training_that_stopped_lets_go_of_its_classifier(classdir: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(classdir, TrainOptions(epochs=1), reporter=Meanwhile(interrupt))
    try:
        trained_on(classdir)
    except LockedError as error:  # pragma: no cover
        pytest.fail(str(error))


# --- poor networks ----------------------------------------------------------------------------------------------


def test_a_network_that_learned_nothing_is_said_to_be_poor(classdir: Path) -> None:
    listener = Listener()
    result = train(classdir, TrainOptions(epochs=1), reporter=listener)
    assert any(text.startswith("this network is poor (") for text in listener.warned)
    assert result.classifier.record["quality"]["poor"]
    assert not result.classifier.record["calibrated"]


# --- architectures ----------------------------------------------------------------------------------------------


def one_layer(size: int, outputs: int, background: str) -> Graph:
    return Graph(
        "one-layer",
        (
            make_layer("InputLayer", "image", batch_shape=(None, size, size, 3)),
            make_layer("Rescaling", "scale", ("image",), scale=1 / 255, offset=0.0),
            make_layer("GlobalAveragePooling2D", "mean", ("scale",)),
            make_layer("Dense", "labels", ("mean",), units=outputs),
        ),
    )


@pytest.fixture
def outside():
    registry.register(registry.Architecture("one-layer", one_layer, size=32))  # type: ignore[arg-type]
    yield
    registry.unregister("one-layer")


def test_an_architecture_from_outside_is_trained_and_trained_on(classdir: Path, outside) -> None:
    first = trained_on(classdir, arch="one-layer")
    assert (first.graph.name, first.size) == ("one-layer", 32)
    assert read_classifier(classdir / "classifier.h5").graph == first.graph
    assert trained_on(classdir).graph == first.graph
    with pytest.raises(OptionError, match=r"classifier\.h5 was made with one-layer"):
        trained_on(classdir, arch="small")


def test_the_command_line_offers_an_architecture_from_outside(classdir: Path, outside) -> None:
    from click.testing import CliRunner

    from antrax.cli.main import cli

    done = CliRunner().invoke(cli, ["train", str(classdir), "--ne", "1", "--arch", "one-layer"])
    assert done.exit_code == 0, done.output
    assert read_classifier(classdir / "classifier.h5").graph.name == "one-layer"
    refused = CliRunner().invoke(cli, ["train", str(classdir), "--arch", "two-layer"])
    assert refused.exit_code == 2
    assert "one-layer" in refused.output


def test_no_two_architectures_have_one_name(outside) -> None:
    for name in ("one-layer", "small", "custom"):
        with pytest.raises(ValueError, match=name):
            registry.register(registry.Architecture(name, one_layer))  # type: ignore[arg-type]
