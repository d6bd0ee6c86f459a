"""Which images of a tracklet are looked at, where not all are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antrax.classification.spread import check_images_per_tracklet, for_all_images, is_sure, rounds
from antrax.errors import OptionError
from antrax.io.results import Decision


@given(st.integers(1, 5000))
def test_without_a_number_all_images_are_looked_at_once(count):
    (only,) = rounds(count, None)
    assert only.tolist() == list(range(count))


@given(st.integers(1, 5000), st.integers(1, 300))
def test_a_number_of_images_is_spread_evenly(count, number):
    (chosen,) = rounds(count, number)
    assert len(chosen) == min(count, number)
    gaps = np.diff([*chosen, count])
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1


@given(st.integers(1, 5000))
def test_auto_doubles_the_images_until_all_are_looked_at(count):
    found = rounds(count, "auto")
    together = np.concatenate(found)
    assert sorted(together.tolist()) == list(range(count))
    numbers = np.cumsum([len(new) for new in found]).tolist()
    assert numbers == [8 * 2**i for i in range(len(found) - 1)] + [count]
    assert count <= 8 * 2 ** (len(found) - 1)
    for last, number in enumerate(numbers[:-1]):
        gaps = np.diff([*np.sort(np.concatenate(found[: last + 1])), count])
        assert gaps.max() - gaps.min() <= 1, number


def most(probabilities) -> str:
    return "AB"[int(probabilities.mean(0).argmax())]


def test_a_decision_is_sure_where_each_part_gives_it():
    a, b = [0.9, 0.1], [0.2, 0.8]
    assert is_sure(np.array([a] * 8), most)
    assert is_sure(np.array([a, b, a, a, a, a, a, a]), most)
    assert not is_sure(np.array([a, a, a, a, a, a, b, b]), most)


def test_of_fewer_images_than_parts_nothing_is_sure():
    assert not is_sure(np.array([[0.9, 0.1]] * 3), most)


def test_figures_of_some_images_are_scaled_to_all():
    made = Decision("A", 0.9, "A", "B", 0.1, score=3.0, best_frame=2, votes=4)
    scaled = for_all_images(made, np.array([0, 5, 10, 15]), 20)
    assert (scaled.score, scaled.best_frame, scaled.votes) == (15.0, 6, 20)
    assert (scaled.label, scaled.confidence) == ("A", 0.9)
    assert for_all_images(made, np.arange(4), 4) is made


def test_no_best_frame_stays_none():
    made = Decision("Unknown", 0.5, "A", "B", 0.4, score=0.0, best_frame=0, votes=1)
    assert for_all_images(made, np.array([3, 7]), 10).best_frame == 0


@pytest.mark.parametrize("wanted", [0, -3, True, 1.5, "some", ""])
def test_what_is_no_number_of_images_is_refused(wanted):
    with pytest.raises(OptionError, match="give a number of images, such as 32, or auto"):
        check_images_per_tracklet(wanted)


@pytest.mark.parametrize("wanted", [None, "auto", 1, 400])
def test_what_can_be_asked_for(wanted):
    check_images_per_tracklet(wanted)
