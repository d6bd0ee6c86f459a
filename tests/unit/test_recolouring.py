"""Other colours for the tags of training images."""

import numpy as np
import pytest
import torch

from antrax.labels import UNKNOWN
from antrax.networks.heads import heads_for
from antrax.tag_codes import read_codes
from antrax.training.recolouring import Recolouring, fit_palette, recoloured_codes
from tests.fixtures.tagged import COLOURS, draw

KEPT = ("BB", "BG", "GB", "GR", "RR", "RG")
NAMES = tuple(sorted(COLOURS))


def images_of(labels, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([draw(label, rng) for label in labels])


def inverted(images: np.ndarray) -> np.ndarray:
    """The same on black ground."""
    return np.where((images == 255).all(-1, keepdims=True), np.uint8(0), images)


@pytest.fixture(scope="module", params=["white", "black"])
def learned(request):
    labels = [label for label in KEPT for _ in range(30)]
    images = images_of(labels)
    if request.param == "black":
        images = inverted(images)
    return fit_palette(images, [tuple(label) for label in labels], request.param, 0), request.param


def tag_colours(image: np.ndarray) -> list[str]:
    """Which colour lies at each of the places, by rows: the nearest to the mean there."""
    found = []
    for rows in (slice(5, 10), slice(14, 19)):
        mean = image[rows, 9:15].reshape(-1, 3).mean(0)
        found.append(min(COLOURS, key=lambda name: np.abs(mean - np.array(COLOURS[name])).sum()))
    return found


def test_colours_are_learned_from_codes_alone(learned):
    palette, _ = learned
    assert palette.colours == NAMES
    for name, mean in zip(palette.colours, palette.means, strict=False):
        assert mean * 255 == pytest.approx(np.array(COLOURS[name]), abs=35)


@pytest.mark.parametrize("kept", [("BB", "GR", "RR", "RG"), ("BB", "BG", "GB", "RR")])
def test_few_codes_are_enough_where_they_tell_the_colours_apart(kept):
    labels = [label for label in kept for _ in range(40)]
    palette = fit_palette(images_of(labels), [tuple(label) for label in labels], "white", 0)
    for name, mean in zip(palette.colours, palette.means, strict=False):
        assert mean * 255 == pytest.approx(np.array(COLOURS[name]), abs=35)


def test_colours_of_some_of_the_images_are_those_of_a_copy_of_these():
    labels = [label for label in KEPT for _ in range(30)]
    images, rows = images_of(labels), np.flatnonzero(np.arange(len(labels)) % 3)
    codes = [tuple(labels[row]) for row in rows]
    by_rows, copied = fit_palette(images, codes, "white", 0, rows), fit_palette(images[rows], codes, "white", 0)
    assert np.array_equal(by_rows.means, copied.means)
    assert not np.array_equal(by_rows.means, fit_palette(images[: len(rows)], codes, "white", 0).means)


def test_a_colour_that_all_codes_have_is_not_told_from_the_body():
    labels = [label for label in ("BG", "GB", "GR", "RG") for _ in range(10)]
    assert fit_palette(images_of(labels), [tuple(label) for label in labels], "white", 0) is None
    assert fit_palette(images_of(["Unknown"]), [None], "white", 0) is None


@pytest.mark.parametrize(
    ("label", "changes", "expected"),
    [
        ("BG", {"B": "R"}, "RG"),
        ("BG", {"B": "G", "G": "B"}, "GB"),
        ("GR", {"G": "B", "R": "B"}, "BB"),
        ("RR", {"R": "G"}, "GG"),
    ],
)
def test_tags_get_other_colours_and_nothing_else_changes(learned, label, changes, expected):
    palette, ground = learned
    images = images_of([label] * 6, seed=5)
    if ground == "black":
        images = inverted(images)
    batch = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    old = torch.tensor([[name in label for name in NAMES]] * 6)
    new = torch.tensor([[NAMES.index(changes.get(name, name)) for name in NAMES]] * 6)
    turned = (Recolouring(palette, ground)(batch, old, new).permute(0, 2, 3, 1).numpy() * 255).round()
    for before, after in zip(images, turned, strict=True):
        assert sorted(tag_colours(after)) == sorted(expected)
        if len(set(expected)) == 2:  # and in the same order along the body
            order = [changes.get(name, name) for name in tag_colours(before)]
            assert tag_colours(after) == order
        is_ground = (before == (255 if ground == "white" else 0)).all(-1)
        assert np.array_equal(after[is_ground], before[is_ground])
        body = ~is_ground
        body[5:10, 9:15] = body[14:19, 9:15] = False
        assert np.abs(after[body] - before[body].astype(float)).mean() < 6


def test_recoloured_animals_add_up_the_units_of_what_they_show():
    labels = (*KEPT, "BR", UNKNOWN)
    heads = heads_for(read_codes(labels[:-1], "BGR"), labels)
    shown = [label for label in (*KEPT, UNKNOWN) for _ in range(40)]
    targets = np.array([labels.index(label) for label in shown])
    images = images_of(shown)
    codes = recoloured_codes(images, targets, labels, heads, "white", 0)
    batch = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    of_label = torch.from_numpy(heads.matrix(labels).T.copy())[torch.from_numpy(targets)]
    turned, units = codes(batch.clone(), torch.from_numpy(targets), of_label, torch.Generator().manual_seed(0))

    changed = (turned != batch).flatten(1).any(1).numpy()
    assert 0.3 < changed.mean() < 0.7
    added = units.numpy()
    is_ant = targets < len(labels) - 1
    # an animal of two tags is one of two tags still, one at each place; what is none stays none
    for span in heads.spans:
        assert np.array_equal(added[:, span].sum(1), is_ant.astype(float))
    assert np.array_equal(added[~is_ant], of_label.numpy()[~is_ant])
    right = wrong = 0
    made = set()
    for image, row in zip((turned.permute(0, 2, 3, 1).numpy() * 255)[is_ant], added[is_ant], strict=True):
        told = [heads.places[place][int(row[span].argmax())] for place, span in enumerate(heads.spans)]
        made.add("".join(told))
        same = sorted(tag_colours(image)) == sorted(told)
        right, wrong = right + same, wrong + (not same)
    assert wrong <= 0.05 * right
    assert {"BR", "GG", "RB"} <= made  # codes of which there are no examples
