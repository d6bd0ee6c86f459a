"""`antrax train` with networks that are not our own: custom ones, MobileNetV2, and those of anTraX."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from antrax.classification.classifier_file import read_classifier
from antrax.errors import ClassifierError, DownloadError, OptionError, TrainsetError
from antrax.labels import Category
from antrax.networks.backends.torch_network import TorchPredictor
from antrax.networks.graph import Graph, build, with_outputs
from antrax.networks.initial import initial_weights, rate_factors
from antrax.networks.keras.config import to_keras_config
from antrax.networks.layers import make_layer
from antrax.networks.mobilenet import build_mobilenet
from antrax.networks.pretrained import weights_file
from antrax.progress import Reporter
from antrax.training.batches import Material
from antrax.training.loop import Callbacks, Checkpoint, Schedule, optimize
from antrax.training.run import TrainOptions, train
from antrax.training.start import choose_architecture, read_modelfile
from tests.fixtures.antrax_files import write_antrax_file
from tests.fixtures.training_tools import Counting, Listener, StopAfter
from tests.unit.test_mobilenet import distributed_file, seeded_weights

LABELS = ("BP", "GG", "OB", "Unknown")


def network(outputs: int = 4, *, size: int = 24, channels: int = 3, rescaled: bool = False, end: str = "") -> Graph:
    """A plain network as a user might describe it: no normalisation, some dropout."""
    layers = [make_layer("InputLayer", "image", batch_shape=(None, size, size, channels))]

    def add(kind: str, name: str, **options: object) -> None:
        layers.append(make_layer(kind, name, (layers[-1].name,), **options))

    if rescaled:
        add("Rescaling", "scale", scale=1 / 255)
    add("Conv2D", "first", filters=8, kernel_size=3, strides=2)
    add("ReLU", "first_active")
    add("MaxPooling2D", "pool")
    add("Conv2D", "second", filters=8, kernel_size=3)
    add("ReLU", "second_active")
    add("Flatten", "flat")
    add("Dropout", "dropout", rate=0.2)
    add("Dense", "answer", units=outputs)
    if end:
        add(end, "end")
    return Graph("model", tuple(layers))


@pytest.fixture
def write_model(tmp_path):
    """A function that writes a graph as Keras describes models."""

    def write(graph: Graph, name: str = "model.json") -> Path:
        (tmp_path / name).write_text(to_keras_config(graph))
        return tmp_path / name

    return write


@pytest.fixture
def classdir(small_demo, tmp_path):
    """A training set of four labels, outside of any session."""
    (source,) = Path(small_demo.directory).glob("*/classifier/examples")
    for label in LABELS:
        shutil.copytree(source / label, tmp_path / "set" / "examples" / label)
    return tmp_path / "set"


def add_label(classdir: Path, label: str) -> None:
    """Another label, with examples that are those of the first one painted otherwise."""
    from PIL import Image

    folder = classdir / "examples" / label
    folder.mkdir()
    for path in sorted((classdir / "examples" / LABELS[0]).iterdir()):
        image = np.asarray(Image.open(path).convert("RGB"))
        Image.fromarray(np.where(image == 255, image, 200 - image // 2).astype(np.uint8)).save(folder / path.name)


def custom(modelfile: Path, **options) -> TrainOptions:
    return TrainOptions(**{"epochs": 1, "arch": "custom", "modelfile": modelfile, **options})


# --- networks of a user's own
# -------------------------------------------------------------------------------------------------


def test_a_custom_network_is_the_one_in_the_file(classdir, write_model, short_training):
    result = train(classdir, custom(write_model(network())))
    classifier = read_classifier(result.path)
    assert classifier.graph.layers == network().layers
    assert classifier.graph.name == "custom"
    assert classifier.size == 24
    assert classifier.labels == LABELS
    assert classifier.evaluation_weights is not None
    assert classifier.record["options"]["modelfile"] == str(write_model(network()))


@pytest.mark.filterwarnings("ignore")
def test_the_example_of_the_documentation_works(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    pytest.importorskip("keras")
    text = (Path(__file__).parents[2] / "docs" / "classifiers.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(text.partition("```python\n")[2].partition("```")[0], {})
    graph = read_modelfile("model.json")
    assert (graph.size, graph.channels, graph.outputs) == (64, 3, 12)


def test_a_custom_network_may_take_grey_images(classdir, write_model, short_training):
    classifier = train(classdir, custom(write_model(network(channels=1)))).classifier
    assert classifier.graph.channels == 1


def test_another_number_of_outputs_than_labels_is_an_error_that_tells_both(classdir, write_model):
    with pytest.raises(OptionError, match=r"7 outputs.*4 labels \(BP, GG, OB, Unknown\)"):
        train(classdir, custom(write_model(network(7))))
    assert [path.name for path in classdir.iterdir()] == ["examples"]


def test_a_target_size_that_is_not_the_networks_is_an_error(classdir, write_model):
    with pytest.raises(OptionError, match=r"`target_size=48`.*takes images of 24 pixels"):
        train(classdir, custom(write_model(network()), target_size=48))


def test_the_networks_own_target_size_is_fine(classdir, write_model, short_training):
    assert train(classdir, custom(write_model(network()), target_size=24)).classifier.size == 24


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "broken"),
        (b"[1, 2]", "no description of a model"),
        (b'{"weights": 3}', "no description of a model"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"", "broken: it is empty"),
        (b'{"class_name": "Functional", "config": {"layers": []}}', "broken|model"),
    ],
)
def test_a_file_that_describes_no_model_is_an_error_that_names_it(classdir, tmp_path, content, complaint):
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(ClassifierError, match=complaint) as raised:
        train(classdir, custom(tmp_path / "bad.json"))
    assert str(tmp_path / "bad.json") in str(raised.value)


def test_a_missing_model_file_is_an_error(classdir, tmp_path):
    with pytest.raises(ClassifierError, match=r"absent\.json does not exist"):
        train(classdir, custom(tmp_path / "absent.json"))
    with pytest.raises(ClassifierError, match="cannot be read"):
        train(classdir, custom(tmp_path))


def test_a_layer_that_would_run_code_is_refused(classdir, write_model):
    path = write_model(network())
    described = json.loads(path.read_text())
    described["config"]["layers"][2]["class_name"] = "Lambda"
    path.write_text(json.dumps(described))
    with pytest.raises(ClassifierError, match=r"kind Lambda.*would run code of the file.*such as Rescaling"):
        read_modelfile(path)


@pytest.mark.filterwarnings("ignore")
def test_arithmetic_between_layers_is_refused_by_what_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    image = keras.layers.Input((32, 32, 3))
    answer = keras.layers.Dense(3)(keras.layers.Flatten()(image * 2.0 / 255))
    (tmp_path / "model.json").write_text(keras.Model(image, answer).to_json())
    with pytest.raises(ClassifierError, match=r"a number or an array between layers.*such as Rescaling"):
        read_modelfile(tmp_path / "model.json")


def test_a_custom_network_learns_more_labels_later(classdir, write_model, short_training):
    path = write_model(network())
    before = train(classdir, custom(path)).classifier
    add_label(classdir, "New")
    after = train(classdir, custom(path)).classifier  # the file's number of outputs is that of before
    assert after.labels == (*before.labels, "New")
    assert after.graph.layers == with_outputs(network(), 5).layers
    assert after.record["trained_on"] == before.digest()


def test_a_network_that_cannot_grow_is_an_error_before_anything_is_trained(classdir, write_model, short_training):
    train(classdir, custom(write_model(network(end="PReLU"))))
    add_label(classdir, "New")
    counted = Counting()
    with pytest.raises(ClassifierError, match=r"cannot learn New: .*`scratch=True`"):
        train(classdir, TrainOptions(epochs=1), reporter=counted)
    assert "training" not in counted.steps


def test_another_model_file_for_an_existing_classifier_is_an_error(classdir, write_model, short_training):
    train(classdir, custom(write_model(network())))
    other = write_model(network(rescaled=True), "other.json")
    with pytest.raises(OptionError, match=r"other\.json.*another network.*`scratch=True`"):
        train(classdir, custom(other))


class Interrupting(Reporter):
    """Presses Ctrl-C in the third step of one stretch of work."""

    def __init__(self, title: str = "training") -> None:
        self._title = title

    def bar(self, title, total, unit):
        return StopAfter(3 if title == self._title else None)


def test_a_network_with_dropout_goes_on_exactly_where_it_was(
    classdir, tmp_path, write_model, short_training, monkeypatch
):
    monkeypatch.setattr("antrax.training.loop._SAVE_EVERY_S", 0.0)
    path = write_model(network())
    shutil.copytree(classdir, tmp_path / "straight")
    expected = train(tmp_path / "straight", custom(path, epochs=2)).classifier
    with pytest.raises(KeyboardInterrupt):
        train(classdir, custom(path, epochs=2), reporter=Interrupting())
    counted = Counting()
    said: list[str] = []
    counted.say = said.append  # type: ignore[assignment]
    resumed = train(classdir, custom(path, epochs=2), reporter=counted).classifier
    assert counted.steps["training"] < 8
    assert any(re.fullmatch(r"training: going on where it was stopped, at \d\d%", message) for message in said)
    assert resumed.digest() == expected.digest()


def test_another_network_in_the_same_file_does_not_take_up_an_interrupted_run(
    classdir, write_model, short_training, monkeypatch
):
    monkeypatch.setattr("antrax.training.loop._SAVE_EVERY_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(classdir, custom(write_model(network()), epochs=2), reporter=Interrupting())
    counted = Counting()
    # the same weights, another computation
    train(classdir, custom(write_model(network(rescaled=True)), epochs=2), reporter=counted)
    assert counted.steps["training"] == 8


def test_a_scale_for_each_colour_is_fine(classdir, write_model, short_training):
    stack = [make_layer("InputLayer", "image", batch_shape=(None, 24, 24, 3))]
    for kind, options in (
        ("Rescaling", {"scale": (0.004, 0.003, 0.005), "offset": -0.5}),
        ("Flatten", {}),
        ("Dense", {"units": 4}),
    ):
        stack.append(make_layer(kind, kind.lower(), (stack[-1].name,), **options))
    assert train(classdir, custom(write_model(Graph("custom", tuple(stack))))).classifier.size == 24


# --- how networks that we do not know are started
# -------------------------------------------------------------------------------------------------


def material(size: int = 24, count: int = 64) -> Material:
    """Images of two labels, a red or a blue patch on white ground."""
    images = np.full((count, size, size, 3), 255, np.uint8)
    targets = np.arange(count) % 2
    middle = slice(size // 3, -(size // 3))
    images[:, middle, middle] = np.array([[200, 40, 40], [40, 40, 200]])[targets][:, None, None]
    return Material(images, targets, np.arange(count), (Category.ANT, Category.ANT), "white")


def optimized(graph: Graph, tmp_path: Path, steps: int = 12, rate: float = 1e-3, **schedule):
    """Weights after some steps, and the loss."""
    start = initial_weights(graph, "white", 0)
    losses: list[float] = []
    weights, _ = optimize(
        graph,
        start,
        material(graph.size),
        Schedule(steps, steps, rate, 0.0, 0, **schedule),
        device="cpu",
        checkpoint=Checkpoint(tmp_path / f"{len(list(tmp_path.iterdir()))}.checkpoint", "test"),
        callbacks=Callbacks(on_step=lambda step, loss: losses.append(loss), on_epoch=lambda *_: {}),
    )
    return start, weights, losses


def without_dropout(graph: Graph) -> Graph:
    return Graph(
        graph.name,
        tuple(
            make_layer("Dropout", layer.name, layer.inputs, rate=0.0) if layer.kind == "Dropout" else layer
            for layer in graph.layers
        ),
    )


def test_whole_pixels_are_learned_from_as_scaled_ones_are(tmp_path, short_training):
    """The same training, whether 0–255 is scaled in the network or not."""
    losses = [optimized(without_dropout(network(2, rescaled=way)), tmp_path)[2] for way in (False, True)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize("rescaled", [False, True])
def test_a_plain_network_learns(tmp_path, short_training, rescaled):
    graph = network(2, rescaled=rescaled)
    _, weights, losses = optimized(graph, tmp_path, 60, rate=4e-3)
    assert losses[-1] < losses[0] - 0.1
    probed = material()
    answers = TorchPredictor(graph, weights, "cpu")(probed.images).argmax(1)
    assert (answers == probed.targets).mean() > 0.9


@pytest.mark.parametrize("background", ["white", "black"])
def test_at_the_start_bare_background_says_nothing(background):
    graph = network(4)
    images = np.full((1, 24, 24, 3), 255 if background == "white" else 0, np.uint8)
    logs = TorchPredictor(graph, initial_weights(graph, background, 0), "cpu")(images)
    assert logs == pytest.approx(np.log(1 / 4), abs=1e-4)


def test_only_kernels_that_meet_whole_pixels_start_small_and_learn_slowly():
    plain, rescaled = network(), network(rescaled=True)
    first, second = (initial_weights(graph, "white", 1) for graph in (plain, rescaled))
    assert first["first/kernel"] * 255 == pytest.approx(second["first/kernel"], rel=1e-5)
    assert np.array_equal(first["second/kernel"], second["second/kernel"])
    assert rate_factors(rescaled, second) == {}
    factors = rate_factors(plain, first)
    assert list(factors) == ["first/kernel"]
    assert factors["first/kernel"] == pytest.approx(1 / 255, rel=0.2)


def test_kernels_that_were_trained_elsewhere_and_are_large_learn_at_the_full_rate():
    weights = initial_weights(network(), "white", 1)
    weights["first/kernel"] = weights["first/kernel"] * 255
    assert all(factor > 0.8 for factor in rate_factors(network(), weights).values())


def test_our_own_networks_have_no_slow_kernels():
    for name in ("small", "wide", "large"):
        graph = build(name, 48, 4, "white")
        assert rate_factors(graph, initial_weights(graph, "white", 0)) == {}
    graph = build_mobilenet(32, 4)
    assert rate_factors(graph, initial_weights(graph, "white", 0)) == {}


def test_a_batch_that_goes_through_the_network_in_pieces_teaches_the_same(tmp_path, short_training, monkeypatch):
    graph = without_dropout(network(2))
    _, whole, _ = optimized(graph, tmp_path)
    monkeypatch.setattr("antrax.training.loop._MAPS_AT_ONCE", 20_000)
    _, pieces, _ = optimized(graph, tmp_path)
    assert all(pieces[name] == pytest.approx(whole[name], abs=1e-4) for name in whole)


def test_what_is_not_trained_stays_as_it_is_statistics_included(tmp_path, short_training):
    graph = build("small", 24, 2, "white")
    start, weights, _ = optimized(graph, tmp_path, only=("labels",))
    changed = {name for name in weights if not np.array_equal(start[name], weights[name])}
    assert changed == {"labels/kernel", "labels/bias"}


# --- MobileNetV2
# -------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, with weights in it, and no network."""
    monkeypatch.setenv("ANTRAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda *a, **k: pytest.fail("went to the network"))
    weights_file(96).parent.mkdir(parents=True)
    return distributed_file(weights_file(96), seeded_weights(96, 2))


def mobilenet(**options) -> TrainOptions:
    return TrainOptions(**{"epochs": 1, "arch": "MobileNetV2", "target_size": 32, **options})


def test_mobilenet_is_trained_from_pretrained_weights_labels_first(classdir, cache, short_training, monkeypatch):
    calls = []

    def spy(graph, start, material, schedule, *args, **kwargs):
        calls.append((schedule, start))
        return optimize(graph, start, material, schedule, *args, **kwargs)

    monkeypatch.setattr("antrax.training.loop.optimize", spy)
    listener = Listener()
    classifier = train(classdir, mobilenet(), reporter=listener).classifier
    (head, first), (tuning, second), (refit, _) = calls
    assert head.only == ("labels",)
    assert tuning.only == refit.only == ()
    assert head.peak_rate > tuning.peak_rate > refit.peak_rate
    pretrained = seeded_weights(96, 2)
    assert all(np.array_equal(w[name], pretrained[name]) for w in (first, second) for name in w if "labels" not in name)
    assert not np.array_equal(first["labels/kernel"], second["labels/kernel"])
    # what the pre-trained features are worth by themselves is told, and kept
    assert [row["epoch"] for row in classifier.record["history"]] == [0, 1]
    assert [message.partition(":")[0] for message in listener.said][-2:] == ["labels alone", "epoch 1 of 1"]
    assert classifier.graph == build_mobilenet(32, 4)
    assert classifier.record["options"]["pretrained"] is True
    assert read_classifier(classdir / "classifier.h5").digest() == classifier.digest()


def test_mobilenet_takes_96_pixels_by_default(classdir, cache):
    with pytest.raises(KeyboardInterrupt):
        train(
            classdir, mobilenet(target_size=None), reporter=Interrupting("training the labels of a pre-trained network")
        )
    assert choose_architecture(mobilenet(target_size=None), Reporter()).size == 96


def test_mobilenet_without_pretrained_weights_needs_no_file(classdir, cache, short_training):
    cache.unlink()
    counted = Counting()
    classifier = train(classdir, mobilenet(pretrained=False), reporter=counted).classifier
    assert classifier.graph.name == "MobileNetV2"
    assert classifier.record["options"]["pretrained"] is False
    assert set(counted.steps) == {"reading examples", "training", "refit on all examples"}


def test_without_weights_and_network_the_error_comes_before_the_examples_are_read(classdir, tmp_path, monkeypatch):
    monkeypatch.setenv("ANTRAX_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("antrax.networks.pretrained._PATIENCE_S", 1.0)
    monkeypatch.setattr(
        "urllib.request.OpenerDirector.open", lambda *a, **k: (_ for _ in ()).throw(OSError("no route"))
    )
    counted = Counting()
    with pytest.raises(DownloadError, match=r"no route.*put it at .*no_top\.h5.*`pretrained=False`"):
        train(classdir, mobilenet(), reporter=counted)
    assert not counted.steps


def test_mobilenet_that_was_interrupted_goes_on_where_it_was(classdir, cache, short_training, monkeypatch):
    monkeypatch.setattr("antrax.training.loop._SAVE_EVERY_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(classdir, mobilenet(), reporter=Interrupting())
    counted = Counting()
    train(classdir, mobilenet(), reporter=counted)
    assert "training the labels of a pre-trained network" not in counted.steps
    assert counted.steps["training"] < 4
    assert not list(classdir.glob(".*"))


# --- classifiers of anTraX
# -------------------------------------------------------------------------------------------------


@pytest.fixture
def old(classdir):
    """A classifier of anTraX beside a training set of its labels, one of them longer than anTraX's files hold."""
    (classdir / "examples" / "GG").rename(classdir / "examples" / "a_label_of_many_letters")
    add_label(classdir, "NoAnt")
    classes = ("BP", "a_label_of", "NoAnt", "OB", "Unknown")
    write_antrax_file(classdir / "classifier.h5", "small", classes=classes, crop_size=30, scale=1.25)
    return classdir


def test_a_classifier_of_antrax_is_trained_on_and_becomes_one_of_ours(old, short_training):
    before = read_classifier(old / "classifier.h5")
    listener = Listener()
    result = train(old, TrainOptions(epochs=1), reporter=listener)
    after = read_classifier(old / "classifier.h5")
    assert after.labels == ("BP", "a_label_of_many_letters", "NoAnt", "OB", "Unknown")
    assert after.preparation == before.preparation
    assert after.preparation.antrax
    assert after.graph == before.graph
    assert after.record["trained_on"] == before.with_labels_of(after.labels).digest()
    assert not after.labels_cut
    assert result.evaluation is None
    assert any("`scratch=True` starts a classifier that is measured" in warning for warning in listener.warned)


def test_what_antrax_may_have_seen_is_never_measured_on(old, short_training):
    train(old, TrainOptions(epochs=1))
    again = train(old, TrainOptions(epochs=1))
    assert again.evaluation is None
    assert again.classifier.calibration is None or not again.classifier.calibration.confidences


def test_labels_that_antrax_cut_and_nothing_completes_are_told(old):
    (old / "examples" / "a_label_of_many_letters").rename(old / "examples" / "other")
    with pytest.raises(TrainsetError, match=r"a_label_of.*cut labels after ten bytes"):
        train(old, TrainOptions(epochs=1))
