"""Which IDs stand in for those without examples."""

import pytest

from antrax.tag_codes import are_told_apart
from antrax.training.unseen import parts_to_leave_out

SIXTEEN = {first + second: (first, second) for first in "BGOP" for second in "BGOP"}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ids", [list(SIXTEEN), ["BO", "BP", "GB", "GG", "OB", "OG", "PG", "PO"]])
def test_without_any_part_the_others_show_each_colour_at_each_place(ids, seed):
    codes = {label: SIXTEEN[label] for label in ids}
    parts = parts_to_leave_out(codes, 4, seed)
    assert parts
    assert len({label for part in parts for label in part}) == sum(map(len, parts))
    for part in parts:
        rest = [code for label, code in codes.items() if label not in part]
        assert [set(colors) for colors in zip(*rest, strict=True)] == [set("BGOP")] * 2
        assert are_told_apart(rest)


def test_all_of_sixteen_ids_are_left_out_once_in_parts_of_about_the_same_size():
    parts = parts_to_leave_out(SIXTEEN, 4, 0)
    assert sorted(label for part in parts for label in part) == sorted(SIXTEEN)
    assert sorted(map(len, parts)) == [4, 4, 4, 4]


def test_an_id_that_alone_shows_a_colour_is_never_left_out():
    codes = {"BB": ("B", "B"), "BG": ("B", "G"), "GB": ("G", "B"), "RR": ("R", "R")}
    assert parts_to_leave_out(codes, 4, 0) == []


def test_colours_that_are_always_together_are_not_told_apart():
    assert are_told_apart([("B", "B"), ("B", "G")])
    assert not are_told_apart([("B", "G"), ("G", "B")])
    assert not are_told_apart([("B", "G"), ("G", "B"), ("G", "R"), ("R", "G")])
    assert not are_told_apart([])
