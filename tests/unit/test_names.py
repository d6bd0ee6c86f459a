"""Names of tracklets and of example images."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antrax.io.names import TrackletName, parse_example_name, parse_tracklet_name

number = st.integers(0, 10**9)


@st.composite
def tracklets(draw: st.DrawFn) -> TrackletName:
    identity, movie, first, length = draw(number), draw(number), draw(number), draw(st.integers(0, 10**6))
    name = f"trj_id{identity}_ti{movie}_{first}_tf{movie}_{first + length}"
    return TrackletName(name, identity, movie, first, first + length)


def test_a_tracklets_name_tells_movie_and_frames() -> None:
    name = parse_tracklet_name("trj_id12_ti3_101_tf3_120")
    assert name == TrackletName("trj_id12_ti3_101_tf3_120", id=12, movie=3, first=101, last=120)
    assert name is not None
    assert name.span == 20


def test_a_tracklet_of_one_frame_spans_one() -> None:
    name = parse_tracklet_name("trj_id1_ti1_7_tf1_7")
    assert name is not None
    assert name.span == 1


@given(tracklets())
def test_any_tracklets_name_is_understood(tracklet: TrackletName) -> None:
    assert parse_tracklet_name(tracklet.name) == tracklet


@pytest.mark.parametrize(
    "name",
    [
        "",
        "#refs#",
        "trj_id1_ti1_5_tf2_9",
        "trj_id1_ti1_9_tf1_5",
        "trj_id1_ti1_5_tf1_9.1",
        " trj_id1_ti1_5_tf1_9",
        "trj_id1_ti1_5_tf1_9\n",
        "trj_id-1_ti1_5_tf1_9",
        "trj_id_ti1_5_tf1_9",
        "TRJ_id1_ti1_5_tf1_9",
    ],
    ids=repr,
)
def test_other_names_are_no_tracklets(name: str) -> None:
    assert parse_tracklet_name(name) is None


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    assert parse_tracklet_name(text) is None or text.startswith("trj_id")
    assert parse_example_name(text) is None or ".trj_id" in text


def test_an_examples_name_has_experiment_tracklet_and_frame() -> None:
    assert parse_example_name("exp1.trj_id1_ti2_3_tf2_9.1003") == ("exp1", "trj_id1_ti2_3_tf2_9", "1003")


def test_the_experiment_may_contain_dots_and_even_a_tracklet() -> None:
    tracklet = "trj_id1_ti2_3_tf2_9"
    assert parse_example_name(f"A.b.2021.{tracklet}.7") == ("A.b.2021", tracklet, "7")
    assert parse_example_name(f"x.{tracklet}.1.{tracklet}.7") == (f"x.{tracklet}.1", tracklet, "7")


@given(st.text(min_size=1).filter(lambda text: "\n" not in text), tracklets(), number)
def test_any_examples_name_is_taken_apart_as_it_was_put_together(
    experiment: str, tracklet: TrackletName, frame: int
) -> None:
    assert parse_example_name(f"{experiment}.{tracklet.name}.{frame}") == (experiment, tracklet.name, str(frame))


@pytest.mark.parametrize(
    "stem",
    [
        "picture",
        "trj_id1_ti2_3_tf2_9.7",
        ".trj_id1_ti2_3_tf2_9.7",
        "exp.trj_id1_ti2_3_tf2_9",
        "exp.trj_id1_ti2_3_tf2_9.x",
        "exp.trj_id1_ti2_3_tf2_9.7.png",
        "exptrj_id1_ti2_3_tf2_9.7",
    ],
)
def test_other_names_are_no_examples(stem: str) -> None:
    assert parse_example_name(stem) is None
