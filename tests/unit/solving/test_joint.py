"""The joint method: numbers of animals, sampling, decisions, on graphs small enough to be enumerated."""

import dataclasses
import itertools
import weakref

import numpy as np
import pytest

from antrax.io.positions import Kind
from antrax.io.tracklet_graph import build_graph
from antrax.solving import methods
from antrax.solving.areas import single_area
from antrax.solving.contacts import find_contacts, no_contacts
from antrax.solving.evidence import evidence_from_labels
from antrax.solving.groups import Group
from antrax.solving.joint import JointOptions, Posterior, split_windows
from antrax.solving.methods import Settings, solve_groups
from antrax.solving.numbers import count_animals
from antrax.solving.sampling import Contacts, Sampler, starting_state
from antrax.solving.solution import Contradiction, common_label, decide

ONE = 2e-6


def draw(rounds, *, animals=2, seed=0):
    """Animals that are apart, meet all together, are apart, … `rounds` times: tracklets x<round>_<animal>, m<round>."""
    names, first, last, edges, area = [], [], [], [], []
    for number in range(rounds):
        start = 100 * number + 1
        for animal in range(animals):
            names.append(f"x{number}_{animal}")
            first.append(start)
            last.append(start + 79)
            area.append(ONE)
            if number:
                edges.append((f"m{number - 1}", names[-1]))
            if number < rounds - 1:
                edges.append((names[-1], f"m{number}"))
        if number < rounds - 1:
            names.append(f"m{number}")
            first.append(start + 80)
            last.append(start + 99)
            area.append(animals * ONE)
    return build_graph(names, first, last, edges, area=area)


def solve(graph, ids, labels, change=None, **joint):
    evidence = evidence_from_labels(graph, ids, labels)
    if change:
        evidence = change(evidence)
    group = Group("", tuple(graph.movies.tolist()), np.arange(len(graph)))
    (solution,) = solve_groups(graph, evidence, [group], Settings(joint=JointOptions(**joint)))
    return solution


def placed(solution):
    """IDs placed in each tracklet, by name."""
    return {
        str(name): "".join(np.array(solution.ids)[row])
        for name, row in zip(solution.graph.names, solution.placed, strict=True)
        if row.any()
    }


def test_animals_are_neither_made_nor_lost():
    graph = draw(3, animals=3)
    single = graph.area < 3e-6
    numbers = count_animals(graph, 3, single, np.zeros(len(graph), bool), np.zeros((len(graph), 3), bool))
    assert numbers.tracklet.tolist() == np.where(single, 1, 3).tolist()
    assert not numbers.vanish[graph.last < graph.span[1]].any()


def test_the_area_tells_how_many_are_on_each_of_two_ways():
    # Five animals part into two groups that meet again.
    graph = build_graph(
        ["all", "few", "many", "again", "alone"],
        [1, 11, 11, 21, 1],
        [10, 20, 20, 30, 30],
        [("all", "few"), ("all", "many"), ("few", "again"), ("many", "again")],
        area=[5 * ONE, 2 * ONE, 3 * ONE, 5 * ONE, ONE],
    )
    single = graph.names == "alone"
    numbers = count_animals(graph, 6, single, np.zeros(5, bool), np.zeros((5, 6), bool))
    found = dict(zip(graph.names.tolist(), numbers.tracklet.tolist(), strict=True))
    assert found == {"all": 5, "few": 2, "many": 3, "again": 5, "alone": 1}


def test_animals_that_are_away_are_in_no_tracklet():
    graph = draw(2, animals=2)
    impossible = np.zeros((len(graph), 3), bool)
    impossible[:, 2] = True
    numbers = count_animals(graph, 3, graph.area < 3e-6, np.zeros(len(graph), bool), impossible)
    assert numbers.tracklet.tolist() == [1, 1, 2, 1, 1]


def test_a_blob_that_nothing_leads_to_may_be_nobody():
    graph = build_graph(["a", "dirt"], [1, 40], [100, 43], [], area=[ONE, ONE])
    numbers = count_animals(graph, 1, np.ones(2, bool), np.zeros(2, bool), np.zeros((2, 1), bool))
    assert numbers.tracklet.tolist() == [1, 0]


@pytest.mark.parametrize("is_open", [False, True])
def test_a_tracklet_that_is_wrongly_labelled_as_no_animal_does_not_end_a_path(is_open):
    graph = build_graph(
        ["a", "b", "c"], [1, 11, 21], [10, 20, 30], [("a", "b"), ("b", "c")], area=[2e-6] * 3, at_boundary=[is_open] * 3
    )
    numbers = count_animals(graph, 1, np.ones(3, bool), np.array([False, True, False]), np.zeros((3, 1), bool))
    assert numbers.tracklet.tolist() == [1, 1, 1]
    assert numbers.vanish.tolist() == [0, 0, 1]


def test_what_is_no_animal_holds_none_in_an_open_arena():
    graph = build_graph(
        ["a", "thing", "b"], [1, 1, 11], [10, 20, 20], [("a", "b")], area=[2e-6] * 3, at_boundary=[True, True, True]
    )
    numbers = count_animals(graph, 1, np.ones(3, bool), np.array([False, True, False]), np.zeros((3, 1), bool))
    assert numbers.tracklet.tolist() == [1, 0, 1]


def test_two_animals_are_drawn_from_their_exact_distribution_with_positions_at_contacts():
    """Two animals, five rounds: each way to match them is weighed by enumeration; contacts tie neighbouring rounds."""
    rounds = 5
    graph = draw(rounds)
    single = graph.area < 3e-6
    row = graph.row
    rng = np.random.default_rng(2)
    weight = np.zeros((len(graph), 2), np.float32)
    weight[single] = rng.normal(0, 0.7, (int(single.sum()), 2))
    fit = rng.normal(0, 1.2, (rounds - 1, 2, 2))
    fit[2] = 0  # a contact that tells nothing
    contacts = Contacts(
        np.array([row[f"m{number}"] for number in range(rounds - 1)]),
        np.array([[row[f"x{number}_0"], row[f"x{number}_1"]] for number in range(rounds - 1)]),
        np.array([[row[f"x{number + 1}_0"], row[f"x{number + 1}_1"]] for number in range(rounds - 1)]),
        fit,
    )
    ways = list(itertools.product((0, 1), repeat=rounds))  # which animal is in x<round>_0
    likelihood = []
    for way in ways:
        value = sum(weight[row[f"x{i}_0"], k] + weight[row[f"x{i}_1"], 1 - k] for i, k in enumerate(way))
        for contact, (one, other) in zip(fit, itertools.pairwise(way), strict=True):
            value += contact[0, 0] + contact[1, 1] if one == other else contact[0, 1] + contact[1, 0]
        likelihood.append(np.exp(value))
    exact = np.array(likelihood) / sum(likelihood)
    numbers = count_animals(graph, 2, single, np.zeros(len(graph), bool), np.zeros((len(graph), 2), bool))
    sampler = Sampler(starting_state(graph, numbers, 2, rng), single, contacts, 2, rng)
    first = np.array([row[f"x{i}_0"] for i in range(rounds)])
    drawn = []
    for _ in range(20_000):
        sampler.sweep(weight, single)
        drawn.append(tuple(sampler.animal_of(first)[0].tolist()))
    assert np.array([drawn.count(way) for way in ways]) / len(drawn) == pytest.approx(exact, abs=0.015)


def test_samples_have_the_exact_posterior_of_all_permutations():
    """Three animals, three rounds: every way to match them is weighed by enumeration."""
    graph = draw(3, animals=3)
    single = graph.area < 3e-6
    rng = np.random.default_rng(1)
    weight = np.zeros((len(graph), 3), np.float32)
    weight[single] = rng.normal(0, 1.5, (int(single.sum()), 3))
    rows = [np.flatnonzero([name.startswith(f"x{number}_") for name in graph.names]) for number in range(3)]
    exact = np.zeros((len(graph), 3))
    for tracklets in rows:
        ways = list(itertools.permutations(range(3)))
        likelihood = np.array([np.exp(sum(weight[t, k] for t, k in zip(tracklets, way, strict=True))) for way in ways])
        for way, value in zip(ways, likelihood / likelihood.sum(), strict=True):
            exact[tracklets, way] += value
    numbers = count_animals(graph, 3, single, np.zeros(len(graph), bool), np.zeros((len(graph), 3), bool))
    sampler = Sampler(starting_state(graph, numbers, 3, rng), single, no_contacts(len(graph)), 3, rng)
    counts = np.zeros((len(graph), 3), np.float32)
    for _ in range(8000):
        sampler.sweep(weight, single)
        sampler.add_counts(counts)
    assert counts[single] / 8000 == pytest.approx(exact[single], abs=0.02)
    assert (counts[~single] == 8000).all()


def test_who_is_not_labelled_is_found_by_elimination():
    solution = solve(draw(3), ("A", "B"), {"x0_0": "A", "x1_1": "A", "x2_0": "B"}, max_error=0.05)
    assert placed(solution) == {
        "x0_0": "A", "x0_1": "B", "m0": "AB", "x1_0": "B", "x1_1": "A", "m1": "AB", "x2_0": "B", "x2_1": "A",
    }  # fmt: skip
    row = solution.graph.row
    assert solution.kind[row["x0_0"], 0] == Kind.CLASSIFIED
    assert solution.kind[row["x0_1"], 1] == Kind.SINGLE
    assert solution.kind[row["m0"], 0] == Kind.SEVERAL


def test_of_interchangeable_animals_only_the_set_is_told():
    solution = solve(draw(3), ("A", "B"), {"x0_0": "A", "x2_0": "B"}, max_error=0.05)
    assert "x1_0" not in placed(solution)
    row = solution.graph.row["x1_0"]
    assert solution.probability[row] == pytest.approx([0.5, 0.5], abs=0.05)
    assert solution.candidates()[row].all()
    placements = solution.placements()
    told = {
        (str(tracklet), int(animal)): str(other)
        for tracklet, animal, other, kind in zip(
            placements.tracklet, placements.animal, placements.alternative, placements.kind, strict=True
        )
        if kind == Kind.UNDECIDED
    }
    assert told == {("x1_0", 0): "B", ("x1_0", 1): "A", ("x1_1", 0): "B", ("x1_1", 1): "A"}


def test_a_label_that_contradicts_the_others_is_found_and_listed():
    # Between rounds 1 and 2 nobody can change places: x1_0 and x2_0 are joined by a way of their own.
    names = ["a", "b", *(f"a{i}" for i in range(6)), *(f"b{i}" for i in range(6))]
    first = [1, 1, *(11 + 10 * i for i in range(6)), *(11 + 10 * i for i in range(6))]
    edges = [("a", "a0"), ("b", "b0"), *((f"{k}{i}", f"{k}{i + 1}") for k in "ab" for i in range(5))]
    graph = build_graph(names, first, [value + 9 for value in first], edges, area=[ONE] * len(names))
    labels = {name: name[0].upper() for name in names} | {"a3": "B"}
    solution = solve(graph, ("A", "B"), labels)
    assert placed(solution)["a3"] == "A"
    (contradiction,) = solution.contradictions
    assert (contradiction.tracklet, contradiction.label, contradiction.placed) == ("a3", "B", "A")
    assert contradiction.probability < 0.01
    assert 0 < solution.label_error < 0.3


def test_what_contradictions_have_in_common_is_said():
    def of(*labels):
        return [Contradiction("t", label, 0.1, "") for label in labels]

    assert common_label(of("A", "A", "A")) == "all are A"
    assert common_label(of("A", "A", "B")) == "2 of 3 are A"
    assert common_label(of("A", "B")) == common_label(of("A")) == common_label([]) == ""


def test_people_count_more_than_the_classifier():
    def by_hand(evidence):
        manual = evidence.manual.copy()
        manual[graph.row["x0_1"]] = True
        return dataclasses.replace(evidence, manual=manual)

    graph = draw(1)
    solution = solve(graph, ("A", "B"), {"x0_0": "A", "x0_1": "A"}, by_hand, max_error=0.05)
    assert placed(solution) == {"x0_0": "B", "x0_1": "A"}


def test_an_animal_that_is_excluded_is_not_placed():
    def exclude(evidence):
        impossible = evidence.impossible.copy()
        impossible[graph.row["x0_0"], 0] = True
        return dataclasses.replace(evidence, impossible=impossible)

    graph = draw(1)
    solution = solve(graph, ("A", "B"), {}, exclude, max_error=0.05)
    assert placed(solution) == {"x0_0": "B", "x0_1": "A"}


def test_without_labels_nobody_is_placed_but_where_all_are_together():
    solution = solve(draw(3), ("A", "B"), {})
    assert placed(solution) == {"m0": "AB", "m1": "AB"}


def test_positions_tell_who_is_who_after_a_short_contact():
    """Thirty contacts of two; each goes on 2 px from where it was, the other 40 px away."""
    names, first, last, edges, start, end = [], [], [], [], [], []
    for number in range(31):
        for animal in (0, 1):
            names.append(f"x{number}_{animal}")
            first.append(50 * number + 1)
            last.append(50 * number + 47)
            # who is called 0 changes from contact to contact; who stays on its side does not
            side = 40.0 * ((animal + number) % 2)
            start.append((side, 100.0))
            end.append((side + 2, 100.0))
            if number:
                edges.append((f"m{number - 1}", names[-1]))
            if number < 30:
                edges.append((names[-1], f"m{number}"))
        if number < 30:
            names.append(f"m{number}")
            first.append(50 * number + 48)
            last.append(50 * number + 50)
            start.append((20.0, 100.0))
            end.append((20.0, 100.0))
    area = [2 * ONE if name.startswith("m") else ONE for name in names]
    graph = build_graph(names, first, last, edges, area=area, start=np.array(start), end=np.array(end))
    single = graph.area < 3e-6
    assert single_area(graph, single) == pytest.approx(ONE)
    contacts = find_contacts(graph, single, body=15.0, fps=10.0)
    assert len(contacts.tracklet) == 30
    solution = solve(graph, ("A", "B"), {"x0_0": "A"}, metres_per_pixel=1e-4, fps=10.0, max_error=0.05)
    found = placed(solution)
    assert found["x1_1"] == "A"
    assert found["x2_0"] == "A"
    assert found["x2_1"] == "B"
    without = solve(graph, ("A", "B"), {"x0_0": "A"}, max_error=0.05)
    assert "x1_1" not in placed(without)


def test_the_surest_placements_are_made_until_the_accepted_error_is_reached():
    probability = np.array([[0.999, 0.001], [0.96, 0.04], [0.5, 0.5]], np.float32)
    length = np.array([10, 10, 10])
    assert decide(probability, length, 0.025).tolist() == [[True, False], [True, False], [False, False]]
    assert decide(probability, length, 0.01).sum() == 1
    # However sure the others are, no placement may be much less sure than the accepted error.
    assert decide(np.array([[0.9999], [0.8]], np.float32), np.array([10_000, 1]), 0.01).sum() == 1


def test_a_label_that_nothing_confirms_must_be_surer_than_what_follows_from_others():
    probability, length = np.array([[0.9999], [0.92]], np.float32), np.array([10_000, 1])
    assert decide(probability, length, 0.01, np.array([-1, -1])).sum() == 2
    assert decide(probability, length, 0.01, np.array([-1, 0])).sum() == 1


def test_in_a_group_of_all_but_one_of_whom_any_may_be_missing_nobody_is_placed():
    probability, length = np.array([[0.9999, 0.0], [0.93, 0.94]], np.float32), np.array([10_000, 1])
    single = np.array([True, False])
    assert decide(probability, length, 0.01, single=single)[1].sum() == 0
    assert decide(probability, length, 0.01, single=np.array([True, True]))[1].sum() == 2


def test_in_a_large_group_one_of_whom_is_missing_nobody_is_placed_either():
    # 49 of 50 animals, each of whom is as likely to be the one that is not there; or three of whom nearly surely are.
    probability = np.vstack([np.eye(50)[0], np.full(50, 0.98), np.where(np.arange(50) < 3, 0.999, 0.978)])
    placed = decide(
        probability.astype(np.float32), np.array([10_000, 1, 1]), 0.01, single=np.array([True, False, False])
    )
    assert placed.sum(1).tolist() == [1, 0, 3]


def test_windows_cover_every_tracklet_once_and_overlap():
    graph = draw(200, animals=3)
    options = JointOptions(window=100, overlap=20)
    windows = split_windows(graph, 1, options)
    assert len(windows) == round(len(graph) / 150)
    starts = [((graph.first >= w.core_first) & (graph.first <= w.core_last)) for w in windows]
    assert (np.sum(starts, axis=0) == 1).all()
    for one, other in itertools.pairwise(windows):
        assert one.last > other.core_first
        assert other.first < one.core_last
    assert len(split_windows(graph, 16, options)) == 1


@pytest.mark.slow
def test_the_result_does_not_depend_on_windows_or_workers():
    graph = draw(250, animals=2)
    rng = np.random.default_rng(0)
    labels = {}
    for number in range(250):
        swap = int(rng.integers(2))
        if number % 2 == 0:
            labels[f"x{number}_{swap}"] = "A"
    whole = solve(graph, ("A", "B"), labels, max_error=0.03)
    parts = solve(graph, ("A", "B"), labels, window=150, overlap=50, max_error=0.03)
    assert len(split_windows(graph, 2, JointOptions(window=150, overlap=50))) == 2
    assert np.array_equal(whole.kind, parts.kind)
    evidence = evidence_from_labels(graph, ("A", "B"), labels)
    group = Group("", tuple(graph.movies.tolist()), np.arange(len(graph)))
    settings = Settings(joint=JointOptions(window=150, overlap=50))
    (again,) = solve_groups(graph, evidence, [group], settings, workers=2)
    assert np.array_equal(parts.probability, again.probability)
    # one window alone: its runs are in threads
    (again,) = solve_groups(graph, evidence, [group], Settings(joint=JointOptions(max_error=0.03)), workers=2)
    assert np.array_equal(whole.probability, again.probability)


def test_memory_does_not_grow_with_the_number_of_windows(monkeypatch):
    """Of what is cut out of the graph for windows, only some is held at any time, however many there are."""
    held: list[weakref.ref] = []
    most = []

    def sample(graph, evidence, *_):
        held.append(weakref.ref(evidence))
        most.append(sum(one() is not None for one in held))
        return Posterior(np.zeros(evidence.probability.shape, np.float32), 0.0)

    monkeypatch.setattr(methods, "sample_window", sample)
    for rounds in (1000, 4000):
        held.clear()
        solve(draw(rounds), ("A", "B"), {}, window=150, overlap=50)
    windows = len(held)
    assert windows > 4 * methods._AT_ONCE
    assert max(most) <= methods._AT_ONCE


def test_the_five_labels_of_the_real_session_that_contradict_the_rest_are_found(js16):
    group = Group("", tuple(js16.graph.movies.tolist()), np.arange(len(js16.graph)))
    (solution,) = solve_groups(js16.graph, js16.evidence, [group], Settings.of_session(js16.session))
    assert len(solution.contradictions) == 5
    assert common_label(solution.contradictions) == "all are OG"
    assert solution.coverage > 0.98
    assert solution.expected_error < 0.01
    labelled = js16.evidence.label >= 0
    kept = solution.placed[np.flatnonzero(labelled), js16.evidence.label[labelled]]
    # One more is not sure enough, and nobody is placed there.
    assert kept.sum() >= labelled.sum() - 6
    assert solution.placed[labelled][~kept].sum() <= 5
