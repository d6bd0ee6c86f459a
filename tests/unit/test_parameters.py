"""prmtrs.json: each setting is checked when it is asked for, and a wrong one costs only what needs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antrax.errors import ExperimentError
from antrax.io.parameters import Parameters, from_parameters_file
from antrax.io.session import open_session
from antrax.review.tracklets.colonies import Colonies

SETTINGS = {
    "tagged": "tagged",
    "inverted": "segmentation_invert",
    "multi_colony": "geometry_multi_colony",
    "colony_count": "geometry_Ncolonies",
    "colony_labels": "geometry_colony_labels",
    "colony_order": "geometry_multi_colony_numbering",
    "colony_shift": "geometry_multi_colony_circ_shift",
    "metres_per_pixel": "geometry_rscale",
    "smallest_animal": "thrsh_meanareamin",
    "largest_animal": "thrsh_meanareamax",
}


def parameters(**values: Any) -> Parameters:
    return Parameters(Path("prmtrs.json"), values)


def test_settings_that_the_file_does_not_have_are_those_of_the_tracker() -> None:
    assert {name: getattr(parameters(), name) for name in SETTINGS} == {
        "tagged": True,
        "inverted": False,
        "multi_colony": False,
        "colony_count": None,
        "colony_labels": (),
        "colony_order": "Vertical",
        "colony_shift": 0,
        "metres_per_pixel": None,
        "smallest_animal": None,
        "largest_animal": None,
    }


def test_settings_are_as_the_file_has_them() -> None:
    given_values = parameters(
        geometry_multi_colony=1,
        geometry_colony_labels=["N_1", "B 2"],
        geometry_multi_colony_numbering="Clockwise",
        geometry_multi_colony_circ_shift=-1.0,
        geometry_rscale=9.2e-5,
        segmentation_invert=True,
        anything_else=[1, 2],
    )
    assert given_values.colony_labels == ("N_1", "B 2")
    assert (given_values.colony_order, given_values.colony_shift) == ("Clockwise", -1)
    assert given_values.metres_per_pixel == 9.2e-5
    assert given_values.inverted is True
    assert given_values["anything_else"] == [1, 2]


def test_a_whole_number_may_be_the_least_or_the_most() -> None:
    for number in (2, 5):
        assert parameters(n=number).whole("n", 2, 5) == number
    for number in (1, 6):
        with pytest.raises(ExperimentError, match="a whole number from 2 to 5"):
            parameters(n=number).whole("n", 2, 5)


@pytest.mark.parametrize("empty", [None, [], ""])
def test_colonies_without_names_are_numbered(empty: object) -> None:
    assert parameters(geometry_multi_colony=True, geometry_Ncolonies=3, geometry_colony_labels=empty).colony_labels == (
        "C1",
        "C2",
        "C3",
    )


def test_one_colony_has_no_name() -> None:
    assert parameters(geometry_multi_colony=False, geometry_colony_labels=["A"]).colony_labels == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("colony_labels", value) for value in (5, True, {"a": 1}, [5], [["A"]], ["A", "A"], ["../x"], ["a/b"], [""])),
        *(("colony_labels", value) for value in (["\ud800"], ["a\x1b"], [str(n) for n in range(256)])),
        *(("colony_order", value) for value in ("vertical", 1, None, ["Vertical"])),
        *(("colony_shift", value) for value in (0.5, "1", True, 1e300, 10**400, float("inf"))),
        *(("metres_per_pixel", value) for value in (0, -1, "1", True, float("inf"), 10**400, [1], {})),
        *(("colony_count", value) for value in (0, 256, 1.5, "2", [2])),
        *((flag, value) for flag in ("tagged", "inverted", "multi_colony") for value in (2, "yes", "true", [1], {})),
    ],
)
def test_a_setting_without_sense_is_told_with_file_and_name(name: str, value: object) -> None:
    values = {"geometry_multi_colony": True} | {SETTINGS[name]: value}
    with pytest.raises(ExperimentError, match=f"prmtrs.json: {SETTINGS[name]} is .* it must be") as raised:
        getattr(parameters(**values), name)
    assert len(str(raised.value)) < 300


def test_a_setting_without_sense_costs_only_what_needs_it() -> None:
    broken = parameters(geometry_rscale="x", geometry_colony_labels=5, segmentation_invert=True)
    assert broken.inverted is True
    assert broken.colony_labels == ()


def test_all_settings_without_sense_are_told_at_once() -> None:
    assert parameters(geometry_rscale=1e-5).problems == ()
    broken = parameters(geometry_multi_colony=True, geometry_rscale="x", geometry_colony_labels=5, tagged=2)
    assert [problem.split(" is ")[0] for problem in broken.problems] == [
        "prmtrs.json: tagged",
        "prmtrs.json: geometry_colony_labels",
        "prmtrs.json: geometry_rscale",
    ]


def test_a_setting_that_others_need_is_told_once() -> None:
    assert len(parameters(geometry_multi_colony="x").problems) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(SETTINGS.values())), json_values))
def test_no_value_of_any_setting_breaks_the_reader(values: dict[str, Any]) -> None:
    made = parameters(**values)
    for name, setting in SETTINGS.items():
        try:
            value = getattr(made, name)
        except ExperimentError as error:
            assert "prmtrs.json" in str(error)
            str(error).encode()
        else:
            assert type(value) in (bool, int, float, str, tuple, type(None))
            assert (
                setting not in values
                or name == "colony_labels"
                or values[setting] in (value, None, [])
                or (value is None and values[setting] != values[setting])
            )


@pytest.mark.filterwarnings("ignore::antrax.io.text.GuessedTextWarning")
@given(st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_file_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "prmtrs.json"
    path.write_bytes(content)
    try:
        assert isinstance(from_parameters_file(path), Parameters)
    except ExperimentError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("content", ["[" * 200_000, '{"tagged":' * 200_000, '{"geometry_rscale":' + "9" * 5000 + "}"])
def test_a_file_that_no_tracker_wrote_is_told(make_session, content: str) -> None:
    path: Path = make_session()
    session = open_session(path)
    session.layout.parameters_file.write_text(content)
    with pytest.raises(ExperimentError, match=r"prmtrs\.json"):
        _ = session.inverted


def test_colony_labels_that_are_a_number_are_a_problem_of_colonies_only(make_session) -> None:
    session = open_session(make_session())
    session.layout.parameters_file.write_text('{"geometry_multi_colony": true, "geometry_colony_labels": 5}')
    assert not session.inverted
    assert "geometry_colony_labels is 5" in (Colonies(session).problem or "")
