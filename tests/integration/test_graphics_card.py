"""A graphics card gives what the processor gives, sooner; where its memory is in use, that is said and work goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
import torch

import antrax
from antrax.classification.classifier_file import read_classifier
from antrax.classification.run import ClassifyOptions
from antrax.training.run import TrainOptions, train
from tests.fixtures.processes import python
from tests.fixtures.training_tools import Listener, StopAfter

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no graphics card with CUDA")

# Leaves so many MB of a card's memory, and keeps the rest until it is ended.
TAKE_MEMORY = """
import sys, torch
torch.empty(1, device="cuda")
kept = []
piece = 256 * 2**20
while piece >= 2**20:
    free, _ = torch.cuda.mem_get_info()
    if free - piece < int(sys.argv[1]) * 2**20:
        piece //= 2
        continue
    try:
        kept.append(torch.empty(piece, dtype=torch.uint8, device="cuda"))
    except torch.OutOfMemoryError:
        piece //= 2
print("taken", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def memory_left(megabytes: int) -> Iterator[None]:
    torch.cuda.empty_cache()
    with python("-c", TAKE_MEMORY, megabytes) as process:
        assert process.stdout.readline().strip() == "taken"
        yield


@pytest.mark.parametrize("workers", [1, 2])
def test_labels_are_those_of_the_processor(trained, tmp_path, workers):
    found = {}
    for device in ("cpu", "cuda"):
        session = trained.copy(tmp_path / device)
        result = antrax.classify(session.path.parent, ClassifyOptions(device=device, workers=workers))
        assert not result.failures and result.device == device
        found[device] = antrax.read_results(session)
    assert len(found["cpu"]) > 100
    assert found["cuda"]["label"].tolist() == found["cpu"]["label"].tolist()
    assert np.allclose(found["cuda"]["score"], found["cpu"]["score"], atol=1e-3)


def test_images_get_the_processors_probabilities(trained):
    classifier = read_classifier(trained.classifier)
    images = np.random.default_rng(0).integers(0, 256, (300, 40, 40, 3), np.uint8)
    cpu, cuda = (classifier.predict_proba(images, device=device) for device in ("cpu", "cuda"))
    assert np.abs(cpu - cuda).max() < 1e-4


def test_a_seed_gives_one_classifier_and_it_is_as_good_as_the_processors(trained, tmp_path):
    results = []
    for name in ("first", "second"):
        session = trained.copy(tmp_path / name)
        results.append(train(session.path.parent, TrainOptions(epochs=2, device="cuda", scratch=True)))
    first, second = (result.classifier for result in results)
    assert first.digest() == second.digest()
    assert results[0].evaluation.image_accuracy > 0.8


class Stopping(Listener):
    """Presses Ctrl-C after the first steps."""

    def bar(self, title, total, unit):
        return StopAfter(1 if title == "training" else None)


def examples_for_a_short_training(make_examples, folder):
    names = [f"{label}/e.trj_id{n}_ti1_1_tf1_9.{f}.png" for label in ("BB", "NoAnt") for n in range(6) for f in (1, 2)]
    return make_examples(folder, names, size=24)


@pytest.mark.parametrize("arch", ["small", "large"])
def test_a_training_goes_on_where_it_was_stopped(make_examples, tmp_path, short_training, monkeypatch, arch):
    monkeypatch.setattr("antrax.training.loop._SAVE_EVERY_S", 0.0)
    digests = {}
    for way in ("whole", "stopped"):
        folder = examples_for_a_short_training(make_examples, tmp_path / way)
        options = TrainOptions(epochs=8, device="cuda", arch=arch)
        if way == "stopped":
            with pytest.raises(KeyboardInterrupt):
                train(folder, options, reporter=Stopping())
        digests[way] = train(folder, options).classifier.digest()
    assert digests["whole"] == digests["stopped"]


def test_a_training_that_the_card_began_is_ended_by_the_processor(make_examples, tmp_path, short_training, monkeypatch):
    monkeypatch.setattr("antrax.training.loop._SAVE_EVERY_S", 0.0)
    folder = examples_for_a_short_training(make_examples, tmp_path / "set")
    with pytest.raises(KeyboardInterrupt):
        train(folder, TrainOptions(epochs=8, device="cuda"), reporter=Stopping())
    listener = Listener()
    result = train(folder, TrainOptions(epochs=8, device="cpu"), reporter=listener)
    assert any("going on where it was stopped" in text for text in listener.said)
    assert all(np.isfinite(value).all() for value in result.classifier.weights.values())


def test_classify_goes_on_where_another_program_has_most_of_the_memory(trained, tmp_path):
    session = trained.copy(tmp_path)
    expected = antrax.read_results(classified(session, "cpu"))["label"].tolist()
    with memory_left(1000):
        result = antrax.classify(session.path.parent, ClassifyOptions(workers=1), reporter=Listener())
    assert not result.failures
    assert antrax.read_results(session)["label"].tolist() == expected


def test_a_card_without_any_memory_left_is_passed_over_with_a_warning(trained, tmp_path):
    session = trained.copy(tmp_path)
    with memory_left(1), python("-m", "antrax", "classify", session.path.parent, stderr=-1) as process:
        said, warned = process.communicate()
    assert process.returncode == 0
    assert "torch sees a GPU (cuda) and cannot use it (CUDA error: out of memory)" in " ".join((said + warned).split())


def test_a_training_goes_on_with_little_memory(trained, tmp_path):
    session = trained.copy(tmp_path)
    command = ("-m", "antrax", "train", session.path.parent, "--device", "cuda", "--ne", "1", "--scratch")
    with memory_left(1500), python(*command, stderr=-1) as process:
        process.communicate()
    assert process.returncode == 0


def test_a_training_on_a_card_without_memory_is_refused_in_a_line(trained, tmp_path):
    session = trained.copy(tmp_path)
    before = read_classifier(trained.classifier).digest()
    command = ("-m", "antrax", "train", session.path.parent, "--device", "cuda", "--ne", "1", "--scratch")
    with memory_left(1), python(*command, stderr=-1) as process:
        _, warned = process.communicate()
    assert process.returncode == 1
    assert "cannot use it (CUDA error: out of memory); take --device cpu" in " ".join(warned.split())
    assert "Traceback" not in warned
    assert read_classifier(session.classifier_dir / "classifier.h5").digest() == before


def classified(session, device):
    """The session, classified on a device."""
    antrax.classify(session.path.parent, ClassifyOptions(device=device))
    return session
