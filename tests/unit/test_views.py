"""Which tracklets are gone through in which order, and which contradict one another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from antrax.errors import ExperimentError, StackError
from antrax.io.names import parse_tracklet_name
from antrax.io.results import AUTOIDS, CONFIDENCE, content_digest
from antrax.io.session import Session, open_session
from antrax.io.stacks import write_stacks
from antrax.review.tracklets.assignments import Assignments
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.colonies import Colonies
from antrax.review.tracklets.same_time import MOST_NAMED, find_conflicts, find_elsewhere
from antrax.review.tracklets.views import Filter, Labelling, Order, View, make_view
from tests.conftest import MakeSession

ANTS = ("AB", "CD")
Make = Callable[..., View]


def name(number: int, first: int = 1, last: int = 20, movie: int = 1) -> str:
    return f"trj_id{number}_ti{movie}_{first}_tf{movie}_{last}"


def add_images(session: Session, *tracklets: str, movie: int = 1) -> None:
    path = session.path / "images" / f"images_{movie}.mat"
    write_stacks(path, ((tracklet, np.ones((1, 4, 4, 3), np.uint8)) for tracklet in tracklets))


def classify(session: Session, said: Mapping[str, Mapping[str, Any] | str], movie: int = 1) -> None:
    """Write results; a tracklet is given its label, or what else is to be said of it."""
    autoids, confidences = [",".join(AUTOIDS)], []
    for tracklet, given_ in said.items():
        values: dict[str, Any] = {"confidence": 0.9, "images": 20, "score": 1}
        values |= {"label": given_} if isinstance(given_, str) else given_
        values.setdefault("best_label", values["label"])
        autoids.append(f"{tracklet},{values['label']},{values['score']},1")
        row = [tracklet, values["label"], values["confidence"], values["best_label"], "CD", 0.05, values["images"]]
        confidences.append(",".join(map(str, [*row, "", 1, 1, 2])))
    content = "\n".join(autoids) + "\n"
    digest = content_digest(content.encode())
    table = "\n".join([",".join(CONFIDENCE), *(f"{row},{digest}" for row in confidences)])
    (session.labels_dir / f"autoids_{movie}.csv").write_text(content, newline="")
    (session.labels_dir / f"confidence_{movie}.csv").write_text(table + "\n")


@pytest.fixture
def session(make_session: MakeSession) -> Session:
    return open_session(make_session())


@pytest.fixture
def view(session: Session) -> Make:
    """A function that makes a view of the session as it is."""

    def make(filter_: Filter = Filter(), order: Order = Order.TIME, **more: Any) -> View:  # noqa: B008
        labelling = Labelling(
            more.pop("ants", ANTS),
            more.pop("examples", {}),
            more.pop("labelled", ()),
            more.pop("checked", {}),
            more.pop("labels", {}),
            more.pop("flagged", ()),
        )
        parts = Catalog(session), Assignments(session), Colonies(session)
        return make_view(*parts, filter_, order, labelling=labelling, **more)

    return make


def conflicts(session: Session, colonies: Colonies | None = None) -> dict[str, set[str]]:
    found = find_conflicts(Assignments(session), 1, ANTS, colonies)
    return {tracklet: set(others) for tracklet, others in found.items()}


class TestFilter:
    @pytest.fixture(autouse=True)
    def four(self, session: Session) -> None:
        self.a, self.b, self.c, self.new = (name(number, first=number) for number in range(1, 5))
        self.other = name(1, movie=2)
        add_images(session, self.a, self.b, self.c, self.new)
        add_images(session, self.other, movie=2)
        classify(session, {self.a: "AB", self.b: "NoAnt", self.c: "Unknown", name(9): "AB"})

    def test_all_movies_or_one(self, view: Make) -> None:
        assert view().tracklets == (self.a, self.b, self.c, self.new, self.other)
        assert view(Filter(movie=2)).tracklets == (self.other,)

    def test_a_label(self, view: Make) -> None:
        assert view(Filter(label="NoAnt")).tracklets == (self.b,)
        assert view(Filter(label="Unknown", movie=1)).tracklets == (self.c,)

    def test_any_id_or_none(self, view: Make) -> None:
        assert view(Filter(label="=ids")).tracklets == (self.a,)
        assert view(Filter(label="=noids")).tracklets == (self.b, self.c)

    def test_by_confidence(self, session: Session, view: Make) -> None:
        add_images(session, self.a, self.b)
        classify(session, {self.a: {"label": "AB", "confidence": 0.79}, self.b: {"label": "AB", "confidence": 0.8}})
        assert view(Filter(label="=below:80")).tracklets == (self.a,)
        assert view(Filter(label="=below:99")).tracklets == (self.a, self.b)
        assert view(Filter(label="=below:x")).tracklets == ()

    def test_by_a_part_of_the_name(self, session: Session, view: Make) -> None:
        add_images(session, name(7, 1, 30), name(8, 2, 31))
        assert view(Filter(label="=named:id7_")).tracklets == (name(7, 1, 30),)
        assert view(Filter(label="=named:tf1_3")).tracklets == (name(7, 1, 30), name(8, 2, 31))
        assert view(Filter(label="=named:none of them")).tracklets == ()

    def test_in_conflict(self, session: Session, view: Make) -> None:
        assert view(Filter(label="=conflicts")).tracklets == (self.a,)  # with one that has no images
        classify(session, {self.a: "AB", self.b: "AB", self.c: "CD", self.new: "NoAnt"})
        assert view(Filter(label="=conflicts")).tracklets == (self.a, self.b)

    def test_what_looks_like_a_label(self, session: Session, view: Make) -> None:
        almost = {"label": "Unknown", "best_label": "AB", "confidence": 0.6}
        classify(session, {self.a: "AB", self.b: "NoAnt", self.c: almost})
        assert view(Filter(label="=like:AB")).tracklets == (self.a, self.c)
        assert view(Filter(label="=like:CD")).tracklets == (self.a, self.b, self.c)  # the runner-up of all
        assert view(Filter(label="=like:NoAnt")).tracklets == (self.b,)

    def test_what_is_not_checked_or_marked_as_wrong(self, view: Make) -> None:
        checked = {self.a: True, self.b: False}
        assert view(Filter(label="=unchecked"), checked=checked).tracklets == (self.c,)  # not what is not classified
        assert view(Filter(label="=wrong"), checked=checked).tracklets == (self.b,)

    def test_what_looks_unlike_its_examples(self, session: Session, view: Make) -> None:
        classify(session, {self.a: "AB", self.b: "AB", self.c: {"label": "Unknown", "best_label": "AB"}})
        labels = {self.a: frozenset(["AB", "Unknown"]), self.b: frozenset(["CD"]), self.c: frozenset(["CD"])}
        assert view(Filter(label="=disagrees"), labels=labels).tracklets == (self.b, self.c)
        assert view(Filter(label="=disagrees")).tracklets == ()
        classify(session, {self.a: "AB", self.b: "Unknown"})  # which says nothing against CD
        assert view(Filter(label="=disagrees"), labels=labels).tracklets == ()

    def test_unclassified(self, view: Make) -> None:
        assert view(Filter(label="=unclassified")).tracklets == (self.new, self.other)

    def test_nothing_passes(self, view: Make) -> None:
        for order in Order:
            empty = view(Filter(label="CD"), order)
            assert empty.tracklets == ()
            assert empty.position(self.a) is None

    def test_tracklets_without_images_are_left_out(self, view: Make) -> None:
        assert name(9) not in view(Filter(label="AB")).tracklets

    def test_a_movie_without_images(self, view: Make) -> None:
        with pytest.raises(ExperimentError, match="movie 7"):
            view(Filter(movie=7))

    def test_a_position(self, view: Make) -> None:
        made = view()
        assert [made.position(tracklet) for tracklet in made.tracklets] == [0, 1, 2, 3, 4]
        assert made.position("nothing") is None

    @pytest.mark.parametrize("order", Order)
    def test_every_order_shows_the_same_tracklets(self, view: Make, order: Order) -> None:
        assert Counter(view(order=order).tracklets) == Counter(view().tracklets)

    @pytest.mark.parametrize("order", Order)
    def test_damaged_results(self, session: Session, view: Make, order: Order) -> None:
        (session.labels_dir / "autoids_1.csv").write_text("nothing")
        assert len(view(Filter(movie=1), order).tracklets) == 4  # one may label all the same
        assert view(Filter(label="=unclassified"), order).tracklets == (self.other,)
        with pytest.raises(ExperimentError, match="autoids_1"):
            view(Filter(movie=1, label="AB"), order)

    def test_damaged_images(self, session: Session, view: Make) -> None:
        (session.path / "images" / "images_1.mat").write_bytes(b"nothing")
        assert view().tracklets == (self.other,)
        with pytest.raises(StackError, match="images_1"):
            view(Filter(movie=1))


def paint_colonies(session: Session, places: Mapping[str, tuple[int, int]]) -> Session:
    """Two colonies, `left` and `right` of x = 50, and where tracklets were."""
    (session.path / "parameters" / "prmtrs.json").write_text(
        json.dumps({"geometry_multi_colony": True, "geometry_colony_labels": ["left", "right"]})
    )
    masks = session.path / "parameters" / "masks"
    masks.mkdir()
    mask = np.zeros((100, 100), np.uint8)
    mask[:, :50] = 255
    Image.fromarray(mask).save(masks / "colony_left.png")
    Image.fromarray(255 - mask).save(masks / "colony_right.png")
    with h5py.File(session.path / "tracklets" / "trdata_1.mat", "w") as file:
        for tracklet, place in places.items():
            file[tracklet] = np.insert(np.zeros((15, 1), np.float32), 1, np.array(place)[:, None], axis=0)
    return open_session(session.path)


def test_a_colony_filters(session: Session) -> None:
    a, b, c = name(1), name(2), name(3)
    add_images(session, a, b, c)
    session = paint_colonies(session, {a: (10, 10), b: (90, 10)})
    parts = (Catalog(session), Assignments(session), Colonies(session))
    for colony, expected in (("left", (a,)), ("right", (b,)), ("", (a, b, c)), ("none such", ())):
        assert make_view(*parts, Filter(colony=colony), Order.TIME).tracklets == expected


def test_in_time_means_by_movie_and_first_frame(session: Session, view: Make) -> None:
    early, late, second = name(5, 1, 3), name(1, 9, 12), name(1, 1, 5, movie=2)
    add_images(session, late, early)
    add_images(session, second, movie=2)
    assert view().tracklets == (early, late, second)


def test_the_longest_have_most_images_where_results_tell_else_most_frames(session: Session, view: Make) -> None:
    few_images, plain, short = name(1, 1, 500), name(2, 1, 100), name(3, 1, 10)
    add_images(session, few_images, plain, short)
    assert view(order=Order.LONGEST).tracklets == (few_images, plain, short)
    classify(session, {few_images: {"label": "AB", "images": 50}})
    assert view(order=Order.LONGEST).tracklets == (plain, few_images, short)


def test_the_surest_have_the_most_confident_labels_and_those_without_come_last(session: Session, view: Make) -> None:
    unsure, sure, none = name(1), name(2), name(3)
    add_images(session, none, unsure, sure)
    classify(session, {unsure: {"label": "AB", "confidence": 0.7}, sure: {"label": "CD", "confidence": 0.9}})
    assert view(order=Order.SUREST).tracklets == (sure, unsure, none)


class TestRandom:
    @pytest.fixture(autouse=True)
    def many(self, session: Session) -> None:
        self.tracklets = [name(number) for number in range(300)]
        add_images(session, *self.tracklets)

    def test_a_seed_gives_the_same_order_again_and_another_seed_another(self, view: Make) -> None:
        first = view(order=Order.RANDOM, seed=1)
        assert view(order=Order.RANDOM, seed=1) == first
        assert view(order=Order.RANDOM, seed=2) != first
        assert first.tracklets != tuple(self.tracklets)

    def test_new_movies_and_filters_leave_the_order_of_the_others(self, session: Session, view: Make) -> None:
        before = view(order=Order.RANDOM, seed=1).tracklets
        add_images(session, *(name(number, movie=2) for number in range(300)), movie=2)
        classify(session, dict.fromkeys(self.tracklets[::3], "AB"))
        after = view(order=Order.RANDOM, seed=1).tracklets
        assert tuple(tracklet for tracklet in after if tracklet in set(before)) == before
        labelled = view(Filter(label="AB"), Order.RANDOM, seed=1).tracklets
        assert labelled == tuple(tracklet for tracklet in before if tracklet in set(self.tracklets[::3]))

    def test_every_tracklet_is_as_likely_to_come_early(self, view: Make) -> None:
        places = np.array(
            [[view_.position(tracklet) for tracklet in self.tracklets[:5]] for view_ in
             (view(order=Order.RANDOM, seed=seed) for seed in range(40))]
        )  # fmt: skip
        # of 200 uniform places, the mean lies within 5 of its standard errors
        assert abs(places.mean() - 149.5) < 5 * 300 / np.sqrt(12 * places.size)


class TestMostUseful:
    def order(
        self, session: Session, view: Make, said: Mapping[str, Mapping[str, Any] | str], **more: Any
    ) -> list[str]:
        """Order of tracklets that do not meet, by the keys of `said`."""
        tracklets = {key: name(number, 100 * number, 100 * number + 20) for number, key in enumerate(said, 1)}
        add_images(session, *tracklets.values())
        classify(session, {tracklets[key]: value for key, value in said.items() if value})
        keys = {tracklet: key for key, tracklet in tracklets.items()}
        return [keys[tracklet] for tracklet in view(order=Order.USEFUL, **more).tracklets]

    def test_the_least_certain_come_first(self, session: Session, view: Make) -> None:
        said = {str(c): {"label": "AB", "confidence": c} for c in (0.9, 0.5, 0.99, 0.7)}
        assert self.order(session, view, said) == ["0.5", "0.7", "0.9", "0.99"]

    def test_of_the_unknown_those_come_first_that_nearly_got_an_id(self, session: Session, view: Make) -> None:
        said = {
            "surely unknown": {"label": "Unknown", "confidence": 0.95},
            "nearly AB": {"label": "Unknown", "best_label": "AB", "confidence": 0.9},
            "hardly AB": {"label": "Unknown", "best_label": "AB", "confidence": 0.3},
        }
        assert self.order(session, view, said) == ["nearly AB", "hardly AB", "surely unknown"]

    def test_rare_labels_come_first(self, session: Session, view: Make) -> None:
        said = {"many": "AB", "none": "CD", "some": "NoAnt"}
        examples = {"AB": 5000, "NoAnt": 50}
        assert self.order(session, view, said, examples=examples) == ["none", "some", "many"]

    def test_tracklets_of_one_label_do_not_come_all_at_once(self, session: Session, view: Make) -> None:
        unsure = {f"AB {i}": {"label": "AB", "confidence": 0.5 + i / 1000} for i in range(8)}
        order = self.order(session, view, unsure | {"CD": {"label": "CD", "confidence": 0.6}})
        assert [key for key in order if key != "CD"] == list(unsure)
        assert order.index("CD") == 1  # though each of the others is less certain

    def test_tiny_tracklets_come_late(self, session: Session, view: Make) -> None:
        said = {
            "one image": {"label": "AB", "confidence": 0.3, "images": 1},
            "many": {"label": "AB", "confidence": 0.5, "images": 60},
        }
        assert self.order(session, view, said) == ["many", "one image"]

    def test_unclassified_ones_come_after_the_longest_first(self, session: Session, view: Make) -> None:
        short, long, sure = name(1, 1, 3), name(2, 1, 300), name(3)
        add_images(session, short, long, sure)
        classify(session, {sure: {"label": "AB", "confidence": 0.999}})
        assert view(order=Order.USEFUL).tracklets == (sure, long, short)

    def test_of_two_in_conflict_the_less_confident_comes_first(self, session: Session, view: Make) -> None:
        sure, unsure, alone = name(1), name(2), name(3)
        add_images(session, sure, unsure, alone)
        classify(
            session,
            {
                sure: {"label": "AB", "confidence": 0.95},
                unsure: {"label": "AB", "confidence": 0.9},
                alone: {"label": "CD", "confidence": 0.3},
            },
        )
        assert view(order=Order.USEFUL).tracklets == (unsure, alone, sure)

    def test_conflicts_come_first_the_longest_one_and_those_of_one_together(self, session: Session, view: Make) -> None:
        a, alone, b, a_too, b_too, b_three = (
            name(1, 1, 20), name(2, 2, 90), name(3, 3, 60), name(4, 10, 20), name(5, 30, 60), name(6, 55, 70),
        )  # fmt: skip
        add_images(session, a, alone, b, a_too, b_too, b_three)
        classify(session, {a: "AB", a_too: "AB", alone: "Unknown", b: "CD", b_too: "CD", b_three: "CD"})
        assert view(order=Order.CONFLICTS).tracklets == (b, b_too, b_three, a, a_too, alone)
        assert view(Filter(label="AB"), Order.CONFLICTS).tracklets == (a, a_too)

    def test_results_of_antrax_go_by_the_mean_probability(self, session: Session, view: Make) -> None:
        weak, strong, unknown = name(1), name(2, 101, 120), name(3)
        add_images(session, weak, strong, unknown)
        (session.labels_dir / "autoids_1.csv").write_text(
            f"tracklet,label,score,best_frame\n{weak},AB,4,1\n{strong},AB,19.9,1\n{unknown},Unknown,0,0\n"
        )
        assert view(order=Order.USEFUL).tracklets == (weak, unknown, strong)


class TestConflicts:
    def test_are_of_the_same_id_at_the_same_time(self, session: Session) -> None:
        a, same_time, other_id, later, not_an_id = (
            name(1, 1, 10),
            name(2, 10, 20),
            name(3, 1, 10),
            name(4, 21, 30),
            name(5, 1, 10),
        )
        said = {a: "AB", same_time: "AB", other_id: "CD", later: "AB", not_an_id: "NoAnt", name(6, 1, 10): "NoAnt"}
        classify(session, said)
        assert conflicts(session) == {a: {same_time}, same_time: {a}}

    def test_are_few_in_a_real_session(self, real_session: Path) -> None:
        session = open_session(real_session)
        assignments = Assignments(session)
        pairs = {
            frozenset([tracklet, other])
            for movie in assignments.movies
            for tracklet, others in find_conflicts(assignments, movie, session.labels.ants).items()
            for other in others
        }
        assert len(pairs) == 7

    def test_are_within_one_colony(self, session: Session) -> None:
        left, right, left_too, nowhere = (name(number) for number in range(1, 5))
        classify(session, dict.fromkeys([left, right, left_too, nowhere], "AB"))
        session = paint_colonies(session, {left: (10, 10), left_too: (20, 10), right: (90, 10)})
        assert conflicts(session, Colonies(session)) == {left: {left_too}, left_too: {left}}
        assert len(conflicts(session)) == 4

    def test_follow_the_results(self, session: Session) -> None:
        a, b = name(1), name(2)
        classify(session, {a: "AB", b: "AB"})
        assignments = Assignments(session)
        first = find_conflicts(assignments, 1, ANTS)
        assert first == {a: (b,), b: (a,)}
        assert find_conflicts(assignments, 1, set(ANTS)) is first
        assert find_conflicts(assignments, 1, ()) == {}
        classify(session, {a: "AB", b: "CD"})
        assignments.refresh()
        assert find_conflicts(assignments, 1, ANTS) == {}

    def test_of_an_unclassified_movie_there_are_none(self, session: Session) -> None:
        assert find_conflicts(Assignments(session), 1, ANTS) == {}

    @given(
        spans=st.lists(
            st.tuples(st.integers(1, 40), st.integers(0, 15), st.sampled_from(["AB", "CD", "NoAnt"])), max_size=30
        )
    )
    def test_are_those_that_comparing_all_pairs_finds(
        self, spans: list[tuple[int, int, str]], tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        session = Session(folder := tmp_path_factory.mktemp("exp"), folder / "s")
        session.labels_dir.mkdir(parents=True)
        said = {name(i, first, first + more): label for i, (first, more, label) in enumerate(spans)}
        classify(session, said)
        expected: dict[str, set[str]] = {}
        for one, other in combinations(said, 2):
            a, b = parse_tracklet_name(one), parse_tracklet_name(other)
            assert a and b
            if said[one] == said[other] != "NoAnt" and a.first <= b.last and b.first <= a.last:
                expected.setdefault(one, set()).add(other)
                expected.setdefault(other, set()).add(one)
        assignments = Assignments(session)
        for tracklet, label in said.items():
            parsed = parse_tracklet_name(tracklet)
            assert parsed
            elsewhere = find_elsewhere(assignments, parsed, ANTS)
            assert set(elsewhere.get(label, ())) <= expected.get(tracklet, set())
            assert (label in elsewhere) == (tracklet in expected)
        found = conflicts(session)
        assert found.keys() == expected.keys()
        for tracklet, others in found.items():
            assert others <= expected[tracklet]
            assert len(others) == len(expected[tracklet]) or len(others) == MOST_NAMED

    def test_a_classification_gone_wrong_takes_neither_forever_nor_all_memory(self, session: Session) -> None:
        """Ten thousand tracklets that all meet make fifty million pairs."""
        classify(session, {name(number, 1, 1000): "AB" for number in range(10_000)})
        found = conflicts(session)
        assert len(found) == 10_000
        assert max(map(len, found.values())) == MOST_NAMED


class TestElsewhere:
    """IDs that other tracklets have while one is there."""

    @staticmethod
    def elsewhere(session: Session, tracklet: str, colonies: Colonies | None = None) -> dict[str, tuple[str, ...]]:
        parsed = parse_tracklet_name(tracklet)
        assert parsed
        return dict(find_elsewhere(Assignments(session), parsed, ANTS, colonies))

    def test_is_told_by_id_in_time_and_not_of_itself(self, session: Session) -> None:
        this, early, late, after = name(1, 10, 20), name(2, 1, 10), name(3, 20, 30), name(4, 21, 30)
        classify(session, {this: "AB", early: "CD", late: "CD", after: "AB", name(5, 10, 20): "NoAnt"})
        assert self.elsewhere(session, this) == {"CD": (early, late)}
        assert self.elsewhere(session, after) == {"CD": (late,)}

    def test_a_tracklet_that_is_not_classified_has_others_too(self, session: Session) -> None:
        classify(session, {name(2, 1, 10): "CD"})
        assert self.elsewhere(session, name(1, 5, 6)) == {"CD": (name(2, 1, 10),)}
        assert self.elsewhere(session, name(1, 1, 10, movie=2)) == {}

    def test_is_of_one_colony(self, session: Session) -> None:
        left, left_too, right = (name(number) for number in range(1, 4))
        classify(session, {left: "AB", left_too: "CD", right: "CD"})
        session = paint_colonies(session, {left: (10, 10), left_too: (20, 10), right: (90, 10)})
        assert self.elsewhere(session, left, Colonies(session)) == {"CD": (left_too,)}
        assert self.elsewhere(session, left) == {"CD": (left_too, right)}

    def test_of_very_many_some_are_named(self, session: Session) -> None:
        classify(session, {name(number): "CD" for number in range(2, 4 + MOST_NAMED)})
        assert len(self.elsewhere(session, name(1))["CD"]) == MOST_NAMED
