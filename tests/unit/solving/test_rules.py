"""anTraX's rules: each on a graph drawn by hand, and all of them against what MATLAB stored."""

import numpy as np
import pytest

from antrax.io.tracklet_graph import build_graph
from antrax.solving.evidence import evidence_from_labels
from antrax.solving.rules import RuleOptions, find_pairs, solve_by_rules

SINGLE, GROUP = 2e-6, 9e-6
# Two animals that meet and part again.
MET = {
    "a": (1, 10, SINGLE), "b": (1, 10, SINGLE), "m": (11, 20, GROUP), "c": (21, 30, SINGLE), "d": (21, 30, SINGLE)
}  # fmt: skip


def draw(tracklets, edges, labels, ids=("A", "B", "C"), scores=None, movies=None, change=None, **options):
    """Tracklets as name: (first, last, area), edges as "a>b"; who is assigned, possible and soft, by name."""
    names = list(tracklets)
    graph = build_graph(
        names,
        [tracklets[name][0] for name in names],
        [tracklets[name][1] for name in names],
        [tuple(edge.split(">")) for edge in edges.split()],
        area=[tracklets[name][2] for name in names],
        movie=[1 if movies is None else movies[name] for name in names],
    )
    evidence = evidence_from_labels(graph, ids, labels)
    for name, score in (scores or {}).items():
        evidence.score[graph.row[name]] = score
    if change:
        change(graph, evidence)
    state = solve_by_rules(graph, evidence, RuleOptions(**options))

    def named(table):
        return {name: "".join(np.array(ids)[table[graph.row[name]]]) for name in names if table[graph.row[name]].any()}

    return graph, state, named


def test_a_label_spreads_where_there_is_one_way_to_go():
    _, state, named = draw({"a": (1, 10, SINGLE), "b": (11, 20, GROUP), "c": (21, 30, SINGLE)}, "a>b b>c", {"a": "A"})
    assert named(state.assigned) == {"a": "A", "b": "A", "c": "A"}
    assert named(state.source) == {"a": "A"}


def test_a_label_stops_where_there_are_two_ways_to_go():
    _, state, named = draw(
        {"a": (1, 10, SINGLE), "b": (11, 20, GROUP), "c": (21, 30, SINGLE), "d": (21, 30, SINGLE)},
        "a>b b>c b>d",
        {"a": "A"},
    )
    assert named(state.assigned) == {"a": "A", "b": "A"}


def test_what_another_animal_has_is_no_way_to_go():
    _, state, named = draw(
        MET,
        "a>m b>m m>c m>d",
        {"a": "A", "b": "B", "c": "A"},
    )
    assert named(state.assigned) == {"a": "A", "b": "B", "m": "AB", "c": "A", "d": "B"}


def test_of_two_labels_for_one_animal_the_higher_score_counts():
    _, state, named = draw(
        {"a": (1, 10, SINGLE), "b": (1, 10, SINGLE)}, "", {"a": "A", "b": "A"}, scores={"a": 5, "b": 9}
    )
    assert named(state.assigned) == {"b": "A"}
    assert len(state.contradictions) == 1


def test_a_large_blob_is_no_source():
    _, state, named = draw({"a": (1, 10, GROUP)}, "", {"a": "A"})
    assert not state.single.any()
    assert named(state.assigned) == {}


def test_prop_cfg_says_what_is_single():
    def change(graph, evidence):
        evidence.single[0] = 1

    _, state, named = draw({"a": (1, 10, GROUP)}, "", {"a": "A"}, change=change)
    assert named(state.assigned) == {"a": "A"}


def test_a_tracklet_that_is_no_animal_loses_every_id():
    def change(graph, evidence):
        evidence.non_ant[graph.row["b"]] = True

    _, state, named = draw({"a": (1, 10, SINGLE), "b": (11, 20, SINGLE)}, "a>b", {"a": "A"}, change=change)
    assert named(state.assigned) == {"a": "A"}
    assert "b" not in named(state.possible)


def test_small_short_tracklets_without_links_are_no_animals():
    _, state, named = draw({"a": (1, 3, 5e-7), "b": (11, 14, 5e-7)}, "", {})
    assert list(named(state.possible)) == ["b"]


def test_excluded_and_assigned_by_hand():
    def change(graph, evidence):
        evidence.impossible[graph.row["c"], 0] = True
        evidence.fixed[graph.row["d"], 2] = True

    _, state, named = draw(
        {"a": (1, 10, SINGLE), "b": (11, 20, GROUP), "c": (21, 30, SINGLE), "d": (41, 50, SINGLE)},
        "a>b b>c",
        {"a": "A"},
        change=change,
    )
    assert named(state.assigned) == {"a": "A", "b": "A", "d": "C"}
    assert named(state.possible)["c"] == "BC"


PAIRED = {**MET, "k": (31, 40, GROUP), "e": (41, 50, SINGLE), "f": (41, 50, SINGLE)}


def test_a_pair_hands_over_what_it_is_assigned():
    graph, state, named = draw(PAIRED, "a>m b>m m>c m>d c>k d>k k>e k>f", {"a": "A"})
    assert [(graph.names[s], graph.names[t], distance) for s, t, distance in find_pairs(graph, 10)] == [("m", "k", 2)]
    assert named(state.assigned) == {"a": "A", "m": "A", "k": "A"}


def test_it_is_no_pair_where_somebody_else_comes_in():
    tracklets = {**PAIRED, "x": (15, 30, SINGLE)}
    graph, _, _ = draw(tracklets, "a>m b>m m>c m>d c>k d>k x>k k>e k>f", {})
    assert find_pairs(graph, 10) == []


def test_it_is_no_pair_beyond_the_largest_distance():
    graph, _, _ = draw(PAIRED, "a>m b>m m>c m>d c>k d>k k>e k>f", {})
    assert find_pairs(graph, 1) == []


def test_of_two_components_at_a_time_the_better_is_kept():
    _, state, named = draw(
        {"a": (1, 100, SINGLE), "b": (50, 150, SINGLE), "z": (1, 150, GROUP)}, "", {"a": "A", "b": "B"}, scores={"a": 9}
    )
    assert "A" in named(state.possible)["a"]
    assert "A" not in named(state.possible).get("b", "")


def test_tracklets_that_nothing_leads_to_are_pruned():
    # b branches off the animal's way and ends in nothing, long before the component ends.
    _, state, named = draw(
        {"a": (1, 10, SINGLE), "m": (11, 20, GROUP), "b": (21, 30, GROUP), "c": (21, 400, GROUP)},
        "a>m m>b m>c",
        {"a": "A"},
    )
    assert named(state.possible)["a"] == "A"
    assert "A" not in named(state.possible).get("b", "")
    assert named(state.assigned) == {"a": "A", "m": "A", "c": "A"}


def test_the_only_possible_tracklet_at_its_time_is_soft():
    _, state, named = draw(
        {"a": (1, 10, SINGLE), "m": (11, 20, GROUP), "c": (21, 40, GROUP), "d": (21, 30, GROUP), "e": (31, 40, GROUP),
         "f": (41, 50, GROUP)},
        "a>m m>c m>d d>e c>f e>f",
        {"a": "A"},
    )  # fmt: skip
    assert named(state.soft).get("f", "") in ("A", "")
    assert not (state.soft & state.assigned).any()
    assert not draw({"a": (1, 10, GROUP)}, "", {}, long_enough=11)[1].soft.any()
    assert draw({"a": (1, 10, GROUP)}, "", {}, long_enough=10)[1].soft.all()


def test_movies_are_stitched():
    _, state, named = draw(
        {"a": (1, 10, SINGLE), "b": (11, 20, GROUP), "c": (21, 30, SINGLE)},
        "a>b b>c",
        {"c": "B"},
        movies={"a": 1, "b": 1, "c": 2},
    )
    assert named(state.assigned) == {"a": "B", "b": "B", "c": "B"}


@pytest.fixture(scope="module")
def stored(js16):
    """What MATLAB left in the graph files: assigned and possible IDs, and pairs."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import matio
    graph = js16.graph
    assigned, possible = np.zeros((2, len(graph), 16), bool)
    for movie in range(1, 7):
        path = js16.session.path / "graphs" / f"graph_{movie}_{movie}.mat"
        content = matio.load_from_mat(str(path), raw_data=True)["G"].properties
        nodes = content["G"].properties["NodeProperties"].properties
        names = [str(cell.flat[0]) for cell in nodes["data"].flat[0].flat]
        rows = [graph.row[name] for name in names]
        assigned[rows], possible[rows] = content["assigned_ids"], content["possible_ids"]
        columns = content["named_pairs"].properties["data"].flat
    pairs = {
        (str(s.flat[0]), str(t.flat[0]), int(d))
        for s, t, d in zip(columns[0].flat, columns[1].flat, columns[2].flat, strict=True)
    }
    return assigned, possible, pairs


def test_the_rules_give_what_matlab_stored(js16, stored):
    assigned, possible, pairs = stored
    graph = js16.graph
    found = {(graph.names[s], graph.names[t], distance) for s, t, distance in find_pairs(graph, 10)}
    assert len(pairs) == 228
    assert found == pairs
    state = solve_by_rules(graph, js16.evidence, RuleOptions(max_area=3.2e-6))
    assert assigned.sum() == 2897
    assert possible.sum() == 5679
    assert np.array_equal(state.assigned, assigned)
    assert np.array_equal(state.possible, possible)
    cells = 18000 * 16
    assert (state.assigned * graph.length[:, None]).sum() / cells == pytest.approx(0.5603, abs=5e-5)
    assert (state.soft * graph.length[:, None]).sum() / cells == pytest.approx(0.4316, abs=5e-5)
    assert len(state.contradictions) == 5
    assert {js16.evidence.ids[animal] for _, animal in state.contradictions} == {"OG"}
