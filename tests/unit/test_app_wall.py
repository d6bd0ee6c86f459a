"""Questions and answers about the wall, spoken to in process: no browser, no network."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest

from antrax.io.session import Session
from antrax.io.stacks import open_stack
from tests.fixtures.classified import classify_by_truth, true_labels
from tests.fixtures.grouped import group_by_truth
from tests.unit.test_app_server import decode, page, session

__all__ = ["page", "session"]


@pytest.fixture
def label(session: Session) -> str:
    """The label that most tracklets have; the session is classified by its truth."""
    return Counter(classify_by_truth(session).values()).most_common(1)[0][0]


def labelled(session: Session, label: str) -> list[str]:
    return [name for name, true in true_labels(session).items() if true == label]


def tiles_of(answer: dict) -> list[dict]:
    return [{key: item[key] for key in ("tracklet", "image", "stamp")} for item in answer["items"]]


def test_pages_go_through_all_tracklets_of_a_label_once(page, session, label):
    names, start = [], 0
    while True:
        answer = page.ask("/wall", label=label, start=start, tiles=2)
        if not answer["items"]:
            break
        assert len(answer["items"]) <= 2
        names += [item["tracklet"] for item in answer["items"]]
        assert answer["left"] == len(labelled(session, label)) - len(names)
        start = answer["next"]
    assert sorted(names) == sorted(labelled(session, label))


def test_the_sheet_shows_the_image_that_stands_for_each_tracklet(page, session, label):
    answer = page.ask("/wall", label=label, order="surest")
    confidences = [item["confidence"] for item in answer["items"]]
    assert confidences == sorted(confidences, reverse=True)
    images = ",".join(f"{item['tracklet']}:{item['image']}" for item in answer["items"])
    cell = answer["cell"]
    sheet = decode(page.ask("/wall/sheet", images=images, cell=cell))
    for place, item in enumerate(answer["items"]):
        (path,) = session.stacks[page.ask("/tracklet", name=item["tracklet"])["movie"]]
        with open_stack(path) as stack:
            expected = stack.read(item["tracklet"])[item["image"]]
        x, y = place % 16 * cell, place // 16 * cell
        np.testing.assert_array_equal(sheet[y : y + cell, x : x + cell, :3], expected)


def test_accepting_exports_spread_images_of_each_and_one_undo_takes_all_back(page, session, label):
    answer = page.ask("/wall", label=label)
    told = page.tell("/wall/accept", label=label, tiles=tiles_of(answer), most=2, client="a")
    wanted = {item["tracklet"]: min(2, item["images"]) for item in answer["items"]}
    assert (told["tracklets"], told["added"], told["problems"]) == (len(wanted), sum(wanted.values()), [])
    for item in answer["items"]:
        frames = page.ask("/tracklet", name=item["tracklet"])["frame_labels"][label]
        assert len(frames) == wanted[item["tracklet"]]
        assert item["image"] in frames  # the one that the person saw
    assert page.ask("/wall", label=label)["items"] == []
    assert page.tell("/undo", client="a")["versions"]["examples"] > told["versions"]["examples"]
    assert page.ask("/trainset")["examples"] == 0
    assert len(page.ask("/wall", label=label)["items"]) == len(wanted)


def test_tracklets_that_cannot_be_read_or_were_replaced_are_named_and_the_others_are_accepted(page, session, label):
    tiles = tiles_of(page.ask("/wall", label=label))
    of_movie = {tile["tracklet"]: page.ask("/tracklet", name=tile["tracklet"])["movie"] for tile in tiles}
    assert set(of_movie.values()) == {1, 2}, "the demo has this label in both movies"
    (second,) = session.stacks[2]
    os.utime(second, ns=(1, 1))
    told = page.tell("/wall/accept", label=label, tiles=tiles, most=5, client="a")
    assert told["tracklets"] == list(of_movie.values()).count(1)
    assert "have been replaced since they were shown" in told["problems"][0]
    nothing = page.tell("/wall/accept", 400, label=label, tiles=[tiles[0] | {"stamp": "?"}], most=5, client="a")
    assert "nothing was added" in nothing["error"]

    second.write_bytes(b"no longer a stack")
    answer = page.ask("/wall", label=label)
    assert answer["items"] == [] and "images_2.mat" in answer["problems"][0]


@pytest.mark.parametrize(
    "asked", [{"tiles": 0}, {"tiles": 61}, {"start": -1}, {"tiles": "many"}], ids=["none", "too many", "before", "text"]
)
def test_a_page_that_cannot_be_is_refused_with_a_sentence(page, asked):
    assert page.ask("/wall", status=400, **asked)["error"]


@pytest.mark.parametrize("images", ["", "trj_id1_ti1_1_tf1_9", "trj_id1_ti1_1_tf1_9:-1", "a:²"])
def test_images_that_are_none_are_refused(page, images):
    assert "image" in page.ask("/wall/sheet", status=400, images=images, cell=24)["error"]


def test_other_images_are_spread_over_the_tracklet(page, session, label):
    (item, *_) = page.ask("/wall", label=label, order="longest")["items"]
    few, every = (decode(page.ask("/wall/others", tracklet=item["tracklet"], most=most)) for most in (2, 16))
    size = few.shape[0]
    assert np.count_nonzero(few[:, ::size, 3].any(0)) <= 2 < item["images"]
    assert (every[:, : size * min(16, item["images"]), 3] > 0).any()


def test_the_wall_shows_a_group_of_look_alikes_those_that_fit_best_first(page, session):
    assert page.ask("/overview")["groups"] is None
    before = page.ask("/pulse")["versions"]["groups"]
    expected = group_by_truth(session)
    overview = page.ask("/overview")
    assert overview["groups"] == [len(names) for names in expected]
    assert overview["versions"]["groups"] != before
    for number, names in enumerate(expected):
        shown = page.ask("/wall", label=f"=group:{number}", order="likeness")
        assert [item["tracklet"] for item in shown["items"]] == names
    assert page.ask("/wall", label="=group:99", order="likeness")["items"] == []


def test_groups_made_anew_are_noticed_and_damaged_ones_told(page, session):
    group_by_truth(session)
    first = page.ask("/view", label="=group:1")["count"]
    group_by_truth(session, groups=1)
    assert page.ask("/view", label="=group:2")["count"] == 0
    assert page.ask("/view", label="=group:1")["count"] == first
    session.layout.groups_file.write_bytes(b"something else")
    overview = page.ask("/overview")
    assert overview["groups"] is None
    assert any("groups.h5" in warning for warning in overview["warnings"])
    assert page.ask("/view", label="=group:1")["count"] == 0


def names_in(page, **view) -> list[str]:
    count = page.ask("/view", **view)["count"]
    return [page.ask("/tracklet", i=i, **view)["tracklet"] for i in range(count)]


def test_those_most_like_a_tracklet_come_first_by_learned_features(page, session):
    group_by_truth(session)
    true = true_labels(session)
    alike = Counter(true.values()).most_common(1)[0][0]
    one = next(name for name in sorted(true) if true[name] == alike)
    ordered = names_in(page, order="likeness", like=one)
    assert ordered[0] == one
    same = [true[name] == alike for name in ordered]
    assert same == sorted(same, reverse=True)


def test_without_groups_likeness_is_by_what_the_classifier_says(page, session, label):
    one = labelled(session, label)[0]
    ordered = names_in(page, order="likeness", like=one)
    assert ordered[0] == one
    assert set(ordered[: len(labelled(session, label))]) == set(labelled(session, label))


def test_without_anything_known_of_a_tracklet_the_order_is_that_of_time(page, session):
    assert names_in(page, order="likeness", like="trj_id9_ti9_1_tf9_2") == names_in(page, order="time")
