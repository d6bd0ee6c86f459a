"""Networks that score colours at places, and add the scores up."""

import numpy as np
import onnxruntime
import pytest

from antrax.errors import ClassifierError
from antrax.networks.backends.onnx_network import build_onnx
from antrax.networks.graph import build
from antrax.networks.heads import (
    ColorHeads,
    check_heads,
    grown_units,
    heads_for,
    known_by_colors,
    regrown_heads,
    sum_weights,
    with_sum,
    without_sum,
)
from antrax.networks.keras.config import from_keras_config, to_keras_config
from antrax.tag_codes import read_codes
from tests.unit.test_network import random_images, random_weights, run_torch

IDS = ("BB", "BG", "GB", "GG")
LABELS = ("BB", "BG", "GB", "GG", "NoAnt", "Unknown")


def heads_of(labels, tagcolors="BG") -> ColorHeads:
    ids = [label for label in labels if label not in ("NoAnt", "Unknown")]
    return heads_for(read_codes(ids, tagcolors), labels)


def test_a_label_adds_up_the_units_of_its_colours():
    heads = heads_of(LABELS)
    assert heads.units == 6
    assert heads.matrix(LABELS).T.tolist() == [
        [1, 0, 1, 0, 0, 0],  # B in front, B behind
        [1, 0, 0, 1, 0, 0],
        [0, 1, 1, 0, 0, 0],
        [0, 1, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]


def network(labels=LABELS, seed=0):
    heads = heads_of(labels)
    trunk = build("small", 48, heads.units, "white")
    graph = with_sum(trunk, len(labels))
    return heads, graph, random_weights(trunk, seed) | sum_weights(graph, heads, labels)


def test_the_scores_of_labels_are_sums_of_those_of_colours():
    heads, graph, weights = network()
    images = random_images(graph)
    scores = run_torch(without_sum(graph), {k: weights[k] for k in without_sum(graph).weight_shapes()}, images)
    labels = run_torch(graph, weights, images)
    sums = scores @ heads.matrix(LABELS)  # but for a constant an image for each unit that is added up
    assert (labels - labels[:, :1])[:, :4] == pytest.approx((sums - sums[:, :1])[:, :4], abs=1e-4)
    assert labels[:, 4] - labels[:, 5] == pytest.approx(sums[:, 4] - sums[:, 5], abs=1e-4)
    # what makes one animal more probable than another that differs at one place does not depend on the other place
    assert labels[:, 0] - labels[:, 1] == pytest.approx(labels[:, 2] - labels[:, 3], abs=1e-4)


def test_onnx_and_keras_descriptions_have_the_last_layer_too():
    _, graph, weights = network()
    images = random_images(graph)
    session = onnxruntime.InferenceSession(build_onnx(graph, weights), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"images": np.ascontiguousarray(images.transpose(0, 3, 2, 1))})
    assert answer == pytest.approx(run_torch(graph, weights, images), abs=2e-5)
    assert from_keras_config(to_keras_config(graph)) == graph


def test_a_new_label_of_known_colours_is_known_at_once_and_the_others_score_as_before():
    few = ("BB", "BG", "GB", "Unknown")
    heads, graph, weights = network(few)
    more = heads_of(("BB", "BG", "GB", "Unknown", "GG"))
    trunk = without_sum(graph)
    grown, kept = grown_units(trunk, {k: weights[k] for k in trunk.weight_shapes()}, heads, few, more)
    assert all(np.array_equal(kept[name], weights[name]) for name in kept)
    whole = with_sum(grown, 5)
    images = random_images(graph)
    before = run_torch(graph, weights, images)
    labels = (*few, "GG")
    after = run_torch(whole, kept | sum_weights(whole, more, labels), images)
    assert after[:, :4] - after[:, :1] == pytest.approx(before - before[:, :1], abs=1e-4)
    assert after[:, 4] - after[:, 2] == pytest.approx(after[:, 1] - after[:, 0], abs=1e-4)


def test_a_new_colour_and_a_new_label_start_as_improbable_as_the_least_probable():
    heads, graph, weights = network()
    trunk = without_sum(graph)
    more = heads_of((*LABELS, "OB", "Wall"), "BGO")
    grown, kept = grown_units(trunk, {k: weights[k] for k in trunk.weight_shapes()}, heads, LABELS, more)
    assert grown.outputs == more.units == heads.units + 2
    bias, old = kept["labels/bias"], weights["labels/bias"]
    assert bias[more.places[0].index("O")] == old[heads.spans[0]].min()
    wall = more.own.start + more.others.index("Wall")
    assert bias[wall] == pytest.approx((old @ heads.matrix(LABELS)).min())
    assert not kept["labels/kernel"][:, wall].any()


def test_a_label_that_was_a_code_and_is_none_any_more_scores_as_it_did():
    heads, graph, weights = network()
    renamed = heads.renamed({"BB": "Queen"})
    labels = ("Queen", *LABELS[1:])
    told = regrown_heads(renamed, read_codes(["BG", "GB", "GG"], "BG"), labels)
    assert told.codes["Queen"] == ("B", "B")  # what it was called before tells its colours still
    own = ColorHeads(told.places, ("Queen", *told.others), {k: v for k, v in told.codes.items() if k != "Queen"})
    trunk = without_sum(graph)
    grown, kept = grown_units(trunk, {k: weights[k] for k in trunk.weight_shapes()}, renamed, labels, own)
    whole = with_sum(grown, 6)
    images = random_images(graph)
    after = run_torch(whole, kept | sum_weights(whole, own, labels), images)
    assert after == pytest.approx(run_torch(graph, weights, images), abs=1e-4)


def test_labels_without_examples_are_known_where_each_of_their_colours_is_shown():
    heads = heads_of((*LABELS, "OB", "BO"), "BGO")
    labels = (*LABELS, "OB", "BO")
    assert known_by_colors(heads, ["BB", "GG", "Unknown"], labels) == ("BG", "GB")
    assert known_by_colors(heads, ["BB", "GG", "OB"], labels) == ("BG", "GB")
    assert known_by_colors(heads, ["Unknown"], labels) == ()


def test_units_survive_their_form_in_the_file_and_others_are_refused():
    heads, graph, weights = network()
    again = ColorHeads.from_json(heads.to_json())
    assert again == heads
    check_heads(graph, weights, again, LABELS)
    with pytest.raises(ClassifierError, match="does not add up"):
        check_heads(graph, weights, again.renamed({"BB": "GB", "GB": "BB"}), LABELS)
    with pytest.raises(ClassifierError, match="does not add up"):
        check_heads(graph, weights, again, (*LABELS[:-1], "Wall"))
    with pytest.raises(ValueError, match="that there are not"):
        ColorHeads.from_json({**heads.to_json(), "codes": {"BX": ["B", "X"]}})
