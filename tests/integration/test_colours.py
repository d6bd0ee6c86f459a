"""Classifiers that score the colours of tags: IDs without examples are known by their code."""

import csv
import dataclasses
import json
from collections import Counter

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import antrax
from antrax.cli.main import cli
from antrax.errors import OptionError
from antrax.networks.heads import without_sum
from tests.fixtures.tagged import COLOURS, draw
from tests.fixtures.training_tools import Listener

IDS = [front + behind for front in COLOURS for behind in COLOURS]
WITH_EXAMPLES = ["BB", "BG", "GB", "GR", "RR", "RG"]


@pytest.fixture
def experiment(tmp_path, make_session):
    """An experiment with examples of six of nine IDs, and a movie with tracklets of all nine."""
    labels = "".join(f"{label}\tant_labels\n" for label in IDS)
    labels += "NoAnt\tnoant_labels\nUnknown\tother_labels\n" + "".join(f"{c}\ttagcolors\n" for c in COLOURS)
    movies = "index subdir name movfile fps nframes fi ff\n1 1_1 exp_1 exp_1.mp4 10 1000 1 1000\n"
    session = make_session("exp/session", labels=labels, movies=movies)
    rng = np.random.default_rng(0)
    number = 0
    for label in [*WITH_EXAMPLES, "Unknown"]:
        folder = session / "classifier" / "examples" / label
        folder.mkdir(parents=True)
        for _ in range(40):
            number += 1
            for frame in range(2):
                name = f"exp.trj_id{number}_ti1_{2 * number}_tf1_{2 * number + 1}.{2 * number + frame}.png"
                Image.fromarray(draw(label, rng)).save(folder / name)
    truth = {}
    with h5py.File(session / "images" / "images_1.mat", "w") as file:
        for number in range(90):
            label = IDS[number % 9]
            name = f"trj_id{number}_ti1_{3 * number + 1}_tf1_{3 * number + 3}"
            truth[name] = label
            images = np.stack([draw(label, rng) for _ in range(3)])
            stack = np.where((images == 255).all(-1, keepdims=True), 0, images).transpose(0, 3, 2, 1)
            file.create_dataset(name, data=stack).attrs["MATLAB_class"] = np.bytes_("uint8")
    with (tmp_path / "exp" / "truth.csv").open("w", newline="") as file:
        csv.writer(file).writerows(truth.items())
    return tmp_path / "exp"


def truth_of(experiment) -> dict[str, str]:
    with (experiment / "truth.csv").open(newline="") as file:
        return dict(csv.reader(file))


@pytest.fixture
def brief_training(monkeypatch):
    """An epoch of 200 steps, enough for animals as simple as these, and three networks without some IDs."""
    monkeypatch.setattr("antrax.training.loop.LEAST_STEPS", 200)
    monkeypatch.setattr("antrax.training.loop.BATCH", 48)
    monkeypatch.setattr("antrax.training.unseen.PARTS", 3)


def test_ids_without_examples_are_known_by_their_colours(experiment, brief_training):
    listener = Listener()
    trained = antrax.train(experiment, antrax.TrainOptions(epochs=1), reporter=listener)
    assert any("9 IDs tell the colours of 2 tags (B G R; B G R)" in said for said in listener.said)
    assert any("no examples of BR, GG, RB: these are known by the colours" in said for said in listener.said)
    assert any("no usable examples of NoAnt:" in warned for warned in listener.warned)

    antrax.classify(experiment)
    truth, session = truth_of(experiment), antrax.open_session(experiment)
    results = antrax.read_results(session)
    right, given, wrong = Counter(), Counter(), Counter()
    for tracklet, row in results.iterrows():
        label = truth[str(tracklet)]
        group = "with examples" if label in WITH_EXAMPLES else "without"
        right[group] += row["best_label"] == label
        given[group] += row["label"] == label
        wrong[group] += row["label"] not in (label, "Unknown")
    assert right["with examples"] >= 55  # of 60
    assert right["without"] >= 24  # of 30; hardly any where tags keep their colours
    assert given["with examples"] >= 40
    assert given["without"] >= 10
    assert wrong.total() <= 2

    classifier = antrax.read_classifier(trained.path)
    rule = classifier.calibration.rule(0.01)
    assert [classifier.labels[output] for output in rule.unseen] == ["BR", "GG", "RB"]
    assert rule.threshold <= rule.unseen_threshold < 1
    assert trained.classifier.record["colours"] == {
        "places": [["B", "G", "R"]] * 2,
        "without_examples": ["BR", "GG", "RB"],
    }
    told = CliRunner().invoke(cli, ["info", str(trained.path)]).output
    assert "of 2 tags are scored, which 9 IDs share: B G R; B G R" in " ".join(told.split())
    assert "without examples, known by their colours: BR, GG, RB; these need a confidence of" in " ".join(told.split())
    colours = json.loads(CliRunner().invoke(cli, ["info", "--json", str(trained.path)]).output)["colours"]
    assert colours["without_examples"] == ["BR", "GG", "RB"]
    assert colours["threshold"] == pytest.approx(rule.unseen_threshold)


def test_a_classifier_that_scores_colours_grows_by_labels_and_colours(experiment, short_training):
    options = antrax.TrainOptions(epochs=1)
    first = antrax.train(experiment, options).classifier
    assert first.heads.places == (("B", "G", "R"),) * 2
    session = antrax.open_session(experiment)
    examples = session.classifier_dir / "examples"
    rng = np.random.default_rng(1)
    for label, count in (("GG", 4), ("Wall", 4)):
        (examples / label).mkdir()
        for number in range(count):
            name = f"exp.trj_id{900 + number}_ti1_{number}{len(label)}_tf1_{number}{len(label)}.{number}.png"
            Image.fromarray(draw("GG" if label == "GG" else "Unknown", rng)).save(examples / label / name)
    file = session.layout.labels_file
    file.write_text("BY\tant_labels\nWall\tnoant_labels\nY\ttagcolors\n" + file.read_text())

    grown = antrax.train(experiment, options).classifier
    assert grown.labels == (*first.labels, "BY", "Wall")
    assert grown.heads.places == (("B", "G", "R"), ("B", "G", "R", "Y"))
    assert "Wall" in grown.heads.others
    assert grown.graph.outputs == len(grown.labels)
    assert without_sum(grown.graph).outputs == grown.heads.units == first.heads.units + 2
    # no colour Y was ever shown, so BY cannot be known
    assert grown.record["colours"]["without_examples"] == ["BR", "RB"]
    again = antrax.read_classifier(session.classifier_dir / "classifier.h5")
    assert again.heads == grown.heads

    renamed = antrax.train(experiment, dataclasses.replace(options, drop=["Wall"], rename={"RR": "Queen"})).classifier
    assert renamed.labels == tuple("Queen" if x == "RR" else x for x in grown.labels if x != "Wall")
    assert renamed.heads.codes["Queen"] == ("R", "R")
    assert "Wall" not in renamed.heads.others


def test_where_all_ids_have_examples_of_five_tracklets_each_is_scored_by_itself(experiment, short_training):
    labels = experiment / "session" / "parameters" / "labels.csv"
    lines = labels.read_text().splitlines(keepends=True)
    labels.write_text("".join(line for line in lines if line.split()[0] in [*WITH_EXAMPLES, "Unknown", *COLOURS]))

    def scores_colours() -> bool:
        return bool(antrax.train(experiment, antrax.TrainOptions(epochs=1, scratch=True)).classifier.heads)

    assert not scores_colours()
    examples = experiment / "session" / "classifier" / "examples" / "GR"
    tracklets = sorted({path.name.split(".")[1] for path in examples.glob("*.png")})
    for left, expected in ((5, False), (4, True)):
        for path in examples.glob("*.png"):
            if path.name.split(".")[1] in tracklets[left:]:
                path.unlink()
        assert scores_colours() == expected


def test_a_classifier_that_scores_labels_tells_which_new_ids_another_one_would_know(experiment, short_training):
    antrax.train(experiment, antrax.TrainOptions(epochs=1, colours="off"))

    def warnings(**options) -> str:
        listener = Listener()
        antrax.train(experiment, antrax.TrainOptions(epochs=1, **options), reporter=listener)
        return "\n".join(listener.warned)

    without = "no usable examples of BR, GG, NoAnt, RB: no tracklet will get these labels until there are"
    would_know = "; a new classifier would know BR, GG, RB by the colours of their tags: `scratch=True`"
    assert f"{without}{would_know}" in warnings()
    assert without in warnings(colours="off")
    assert would_know not in warnings(colours="off")
    assert "no usable examples of NoAnt: no tracklet" in warnings(scratch=True)


def test_colours_are_off_and_on_as_is_asked_for(experiment, short_training):
    off = antrax.train(experiment, antrax.TrainOptions(epochs=1, colours="off")).classifier
    assert off.heads is None
    assert off.record["options"]["colours"] == "off"
    assert off.record["colours"] is None
    file = antrax.open_session(experiment).classifier_dir / "classifier.h5"
    assert "IDs share" not in CliRunner().invoke(cli, ["info", str(file)]).output
    with pytest.raises(OptionError, match="scores each label by itself"):
        antrax.train(experiment, antrax.TrainOptions(epochs=1, colours="on"))
    # it stays as it is
    assert antrax.train(experiment, antrax.TrainOptions(epochs=1)).classifier.heads is None
    on = antrax.train(experiment, antrax.TrainOptions(epochs=1, colours="on", scratch=True)).classifier
    assert on.heads
    with pytest.raises(OptionError, match="scores the colours of tags"):
        antrax.train(experiment, antrax.TrainOptions(epochs=1, colours="off"))
    with pytest.raises(OptionError, match="there are auto, on, off"):
        antrax.train(experiment, antrax.TrainOptions(colours="yes"))


def test_names_that_are_no_codes_are_scored_one_by_one(tmp_path, make_examples, short_training):
    names = [f"{label}/e.trj_id{n}_ti1_{n}_tf1_{n}.{n}.png" for n, label in enumerate(["Ann", "Bob", "Eve", "Unknown"])]
    folder = make_examples(tmp_path, names, size=24)
    assert antrax.train(folder, antrax.TrainOptions(epochs=1)).classifier.heads is None
    with pytest.raises(OptionError, match=r"the IDs Ann, Bob, Eve tell no colours of tags"):
        antrax.train(folder, antrax.TrainOptions(epochs=1, scratch=True, colours="on"))


@pytest.mark.parametrize("arch", ["wide", "large"])
def test_every_architecture_can_score_colours(experiment, short_training, arch):
    classifier = antrax.train(experiment, antrax.TrainOptions(epochs=1, arch=arch)).classifier
    assert classifier.graph.name == arch
    assert classifier.heads


def test_the_same_training_gives_the_same_classifier_and_calibration(experiment, short_training):
    options = antrax.TrainOptions(epochs=1)
    whole = antrax.train(experiment, options)
    digest = whole.classifier.digest()
    again = antrax.train(experiment, dataclasses.replace(options, scratch=True))
    assert again.classifier.digest() == digest
    assert again.classifier.calibration == whole.classifier.calibration
