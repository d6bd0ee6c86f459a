"""Colours of tags, as IDs tell them."""

import pytest

from antrax.tag_codes import read_codes

SIXTEEN = [first + second for first in "BGOP" for second in "BGOP"]


def test_letters_of_ids_are_colours_at_places():
    codes = read_codes(SIXTEEN)
    assert codes.places == (("B", "G", "O", "P"), ("B", "G", "O", "P"))
    assert codes.codes["GP"] == ("G", "P")
    assert len(codes.codes) == 16


def test_colours_of_several_letters_are_told_by_their_capitals():
    ids = ["BlGr", "BlOr", "GrBl", "GrOr", "OrBl", "OrGr", "BlBl"]
    assert read_codes(ids).codes["OrGr"] == ("Or", "Gr")


@pytest.mark.parametrize(
    "ids",
    [
        ["1", "2", "3", "12"],
        ["A1", "A2", "B1", "B2", "B3"],
        ["Anna", "Bert", "Carl", "Dora"],
        ["AA", "AB", "AC", "BA", "BB", "BC", "CA"],  # A is no initial of a colour
        ["BG", "GO", "OP", "PB"],  # each colour once at each place: nothing is shared
        ["B", "G", "O"],
        ["BB"],
        [],
    ],
)
def test_ids_that_are_no_codes_tell_no_colours(ids):
    assert read_codes(ids) is None


def test_listed_colours_need_not_be_initials_of_any():
    codes = read_codes(["ab", "aa", "ba"], ["a", "b"])
    assert codes.codes["ba"] == ("b", "a")


def test_a_few_ids_that_are_no_codes_stay_labels_of_their_own():
    codes = read_codes([*SIXTEEN, "Queen"], "BGOP")
    assert "Queen" not in codes.codes
    assert len(codes.codes) == 16
    assert "Queen" not in read_codes([*SIXTEEN, "Queen"]).codes


def test_colours_of_one_listed_tag_are_shared_by_nobody():
    assert read_codes(["B", "G", "O"], "BGO") is None
    assert read_codes(["BG", "OP"], "BGOP") is None


def test_an_id_that_can_be_read_in_two_ways_tells_no_colours():
    # B + LB or BL + B
    codes = read_codes(["BLB", "GG", "GB", "BG"], ["B", "L", "BL", "LB", "G"])
    assert "BLB" not in codes.codes
    assert set(codes.codes) == {"GG", "GB", "BG"}


def test_three_places_are_read_like_two():
    ids = [a + b + c for a in "RW" for b in "RWY" for c in "RW"]
    assert read_codes(ids).places == (("R", "W"), ("R", "W", "Y"), ("R", "W"))
