"""What areas tell of numbers of animals."""

import numpy as np
import pytest

from antrax.io.tracklet_graph import build_graph
from antrax.solving.areas import AreaModel, area_costs, fit_areas, known_numbers, power_of_totals, single_area
from antrax.solving.numbers import count_animals

ONE = 2e-6
POWER = -0.15


def overlapping(size, power=POWER):
    """Area of a group: each animal covers some of the others."""
    return ONE * size ** (1 + power)


def merging(sizes, *, misleading=()):
    """Groups that single animals merge into and part from, one after another; `misleading` are areas by group."""
    names, first, last, edges, area = [], [], [], [], []
    for number, size in enumerate(sizes):
        start = 100 * number + 1
        group = f"g{number}"
        for animal in range(size):
            for side, begin, end in (("in", start, start + 39), ("out", start + 60, start + 99)):
                name = f"{side}{number}_{animal}"
                names.append(name)
                first.append(begin)
                last.append(end)
                area.append(ONE)
                edges.append((name, group) if side == "in" else (group, name))
        names.append(group)
        first.append(start + 40)
        last.append(start + 59)
        area.append(overlapping(dict(misleading).get(number, size)))
    return build_graph(names, first, last, edges, area=area)


def parting(sizes, animals, power):
    """All are together, part into two groups of these sizes, and are together again, time after time."""
    names, first, last, edges, area = ["all0"], [1], [10], [], [overlapping(animals, power)]
    for number, size in enumerate(sizes):
        start = 20 * number
        for name, begin, members in (
            (f"few{number}", start + 11, size),
            (f"many{number}", start + 11, animals - size),
            (f"all{number + 1}", start + 21, animals),
        ):
            names.append(name)
            first.append(begin)
            last.append(begin + 9)
            area.append(overlapping(members, power))
        for part in (f"few{number}", f"many{number}"):
            edges += [(f"all{number}", part), (part, f"all{number + 1}")]
    # A single animal on its own tells how large one is.
    return build_graph([*names, "one"], [*first, 1], [*last, last[-1]], edges, area=[*area, ONE])


def numbers_of(graph, animals, single, **more):
    nobody, impossible = np.zeros(len(graph), bool), np.zeros((len(graph), animals), bool)
    found = count_animals(graph, animals, single, nobody, impossible, **more)
    return dict(zip(graph.names.tolist(), found.tracklet.tolist(), strict=True))


def test_the_graph_alone_tells_how_many_merge():
    graph = build_graph(
        ["a", "b", "c", "ab", "abc", "other"],
        [1, 1, 1, 11, 21, 1],
        [10, 10, 20, 20, 30, 30],
        [("a", "ab"), ("b", "ab"), ("ab", "abc"), ("c", "abc")],
        area=[ONE, ONE, ONE, 2 * ONE, 3 * ONE, 5 * ONE],
    )
    single = graph.area < 1.5 * ONE
    found = known_numbers(graph, single, np.zeros(len(graph), bool))
    assert dict(zip(graph.names.tolist(), found.tolist(), strict=True)) == {
        "a": 1, "b": 1, "c": 1, "ab": 2, "abc": 3, "other": -1,
    }  # fmt: skip


def test_overlap_and_scatter_are_fitted_to_groups_of_known_size():
    rng = np.random.default_rng(0)
    numbers = rng.integers(2, 12, 500)
    ratio = numbers ** (1 + POWER) * np.exp(rng.normal(0, 0.1, 500))
    ratio[:25] *= 2  # some areas mislead
    model = fit_areas(ratio, numbers)
    assert model.power == pytest.approx(POWER, abs=0.01)
    assert model.scatter == pytest.approx(0.1, abs=0.02)


def test_in_a_closed_arena_the_groups_together_tell_how_much_animals_overlap():
    graph = parting([5] * 10, 10, -0.3)
    groups = graph.names != "one"
    times = np.unique(np.concatenate([graph.first, graph.last + 1]))
    ratio = graph.area / single_area(graph, ~groups)
    assert power_of_totals(graph, ratio, groups, np.full(len(times), 10), times) == pytest.approx(-0.3, abs=0.01)


def test_the_first_animals_in_a_group_are_told_more_surely_than_the_last():
    numbers = np.array([2, 10])
    model = AreaModel(POWER, 0.1)
    costs = area_costs(model.areas(12)[numbers], model, 12)
    assert costs.expected.tolist() == numbers.tolist()
    assert costs.up[0, 0] > costs.up[1, 0] > 0
    assert (np.diff(costs.up, axis=1) >= 0).all()
    assert (np.diff(costs.down, axis=1) >= 0).all()


@pytest.mark.parametrize("power", [-0.35, -0.05])
def test_large_groups_are_counted_though_no_group_has_a_known_size(power):
    sizes = [3, 5, 7, 4, 6, 8, 9, 2, 5, 7]
    graph = parting(sizes, 20, power)
    found = numbers_of(graph, 21, graph.names == "one")
    assert [found[f"few{number}"] for number in range(len(sizes))] == sizes
    assert [found[f"many{number}"] for number in range(len(sizes))] == [20 - size for size in sizes]


def test_a_group_of_known_size_is_not_recounted_by_a_misleading_area():
    graph = merging([2, 3, 4, 5, 6, 7, 8, 2, 3, 4, 9, 10], misleading=[(3, 3)])
    single = np.array([not name.startswith("g") for name in graph.names])
    assert numbers_of(graph, 10, single, labelled=single)["g3"] == 5


def test_dirt_that_an_animal_runs_over_is_nobody():
    """Something small appears, merges with an animal that passes, and is left behind."""
    graph = build_graph(
        ["a", "dirt", "both", "a2", "dirt2"],
        [1, 30, 41, 51, 51],
        [40, 40, 50, 100, 55],
        [("a", "both"), ("dirt", "both"), ("both", "a2"), ("both", "dirt2")],
        area=[ONE, 0.5 * ONE, 1.4 * ONE, ONE, 0.5 * ONE],
    )
    labelled = np.isin(graph.names, ["a", "a2"])
    assert numbers_of(graph, 1, graph.names != "both", labelled=labelled) == {
        "a": 1, "dirt": 0, "both": 1, "a2": 1, "dirt2": 0,
    }  # fmt: skip


def test_an_animal_that_the_tracker_loses_is_away_until_it_appears_again():
    graph = build_graph(["a", "a2", "b"], [1, 60, 1], [50, 100, 100], [], area=[ONE] * 3)
    single = np.ones(3, bool)
    numbers = count_animals(graph, 2, single, ~single, np.zeros((3, 2), bool), labelled=single)
    assert numbers.tracklet.tolist() == [1, 1, 1]
    assert numbers.vanish[graph.row["a"]] == numbers.appear[graph.row["a2"]] == 1
