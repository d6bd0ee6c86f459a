"""The wall in a real browser: many tracklets at once, some struck out, the others labelled with one key."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from antrax.io.session import Session
from tests.browser.driver import App, Tab, counts_of, exported
from tests.fixtures.classified import classify_by_truth, true_labels
from tests.fixtures.grouped import group_by_truth


@pytest.fixture
def common(session: Session) -> str:
    """The label that most tracklets have; the session is classified."""
    given = classify_by_truth(session)
    return Counter(given[name] for name in given if name in set(true_labels(session))).most_common(1)[0][0]


def on_the_wall(tab: Tab) -> list[str]:
    """The tracklets on the wall, in their order, once a person could see them."""
    tab.look_at_examples()
    address = tab.page.evaluate(
        "performance.getEntriesByType('resource').filter((it) => it.name.includes('/wall/sheet')).at(-1).name"
    )
    names = re.search(r"images=([^&]+)", address)
    assert names
    return [text.split("%3A")[0] for text in names[1].split("%2C")]


def of_label(session: Session, label: str) -> set[str]:
    return {name for name, true in true_labels(session).items() if true == label}


def test_one_key_labels_all_that_are_not_struck_out_and_undo_takes_them_back(
    session: Session, common: str, app: App, visit: Callable[..., Tab]
):
    tab = visit(app)
    tab.shown()
    tab.filter("All movies")
    tab.press("Shift+H")
    wall = tab.find("dialog .wall")
    wall.get_by_label("Tracklets of which label").select_option(common)
    expect(wall.get_by_role("button", name=re.compile(rf"are {common}\b"))).to_be_visible()
    shown = on_the_wall(tab)
    assert set(shown) == of_label(session, common)

    tab.press("ArrowRight", "Space")  # the second does not belong
    expect(wall.get_by_role("button", name=re.compile(rf"^{len(shown) - 1} (is|are) {common}"))).to_be_enabled()
    tab.press("Enter")
    expect(wall.locator(".gallery-status")).to_contain_text(f"of {len(shown) - 1} tracklets")
    images = counts_of(session, 1) | counts_of(session, 2)
    kept = [name for name in shown if name != shown[1]]
    assert exported(session) == {name: {common: min(20, images[name])} for name in kept}

    tab.press("Control+z")
    expect(wall.locator(".gallery-status")).to_contain_text(re.compile("^Undone"))
    assert exported(session) == {}
    assert set(on_the_wall(tab)) == set(shown)


def test_those_that_were_struck_out_can_get_another_label_on_the_wall_of_all(
    session: Session, common: str, app: App, visit: Callable[..., Tab]
):
    tab = visit(app)
    tab.shown()
    tab.press("Shift+H")
    wall = tab.find("dialog .wall")
    wall.get_by_label("Tracklets of which label").select_option("")
    expect(wall.get_by_role("button", name=re.compile("are …"))).to_be_enabled()
    wall.get_by_label("Images of each, at most").fill("3")
    shown = on_the_wall(tab)
    wall.locator(".gallery-area").focus()
    tab.press("Control+a", "Space", "ArrowRight", "Space", "Enter")  # all but the first two
    tab.page.keyboard.type("op")
    tab.press("Enter")
    expect(wall.locator(".gallery-status")).to_contain_text("of 2 tracklets")
    images = counts_of(session, 1)
    assert exported(session) == {name: {"OP": min(3, images[name])} for name in shown[:2]}


def test_the_wall_shows_what_is_not_classified_before_there_is_a_classifier(
    session: Session, app: App, visit: Callable[..., Tab]
):
    tab = visit(app)
    tab.shown()
    tab.find("#open-wall").click()
    wall = tab.find("dialog .wall")
    expect(wall.get_by_label("Tracklets of which label")).to_have_value("=unclassified")
    assert set(on_the_wall(tab)) <= set(counts_of(session, 1))
    expect(wall.locator(".wall-others img")).to_have_js_property("complete", True)
    tab.press("o")
    expect(wall).to_have_count(0)
    tab.shown()


def test_enter_on_tracklets_that_have_only_just_appeared_does_nothing(
    session: Session, common: str, app: App, visit: Callable[..., Tab]
):
    tab = visit(app)
    tab.shown()
    tab.press("Shift+H")
    wall = tab.find("dialog .wall")
    on_the_wall(tab)
    # in one go: no frame is painted between the two
    tab.page.evaluate(
        """() => {
            const press = (key) => document.querySelector('.gallery-area').dispatchEvent(
                new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
            press('n');
            press('b');
            press('Enter');
        }"""
    )
    expect(wall.locator(".gallery-status")).to_contain_text("have only just appeared")
    assert exported(session) == {}


def test_a_group_of_look_alikes_is_named_once_and_the_next_one_follows(
    session: Session, app: App, visit: Callable[..., Tab]
):
    _, first, second, *_ = group_by_truth(session)
    tab = visit(app)
    tab.shown()
    tab.filter("All movies")
    tab.press("Shift+H")
    wall = tab.find("dialog .wall")
    wall.get_by_label("Tracklets of which label").select_option("=group:1")
    expect(wall.get_by_role("button", name=re.compile(rf"^{len(first)} are …"))).to_be_enabled()
    expect(wall.get_by_label("Order")).to_be_disabled()
    assert on_the_wall(tab) == first, "those that fit best come first"
    wall.locator(".gallery-area").focus()
    tab.press("End", "Space", "Enter")  # the one that fits least does not belong
    tab.page.keyboard.type("op")
    tab.press("Enter")
    expect(wall.locator(".gallery-status")).to_contain_text(f"of {len(first) - 1} tracklets")
    images = counts_of(session, 1) | counts_of(session, 2)
    assert exported(session) == {name: {"OP": min(20, images[name])} for name in first[:-1]}
    expect(wall.get_by_label("Tracklets of which label")).to_have_value("=group:2")
    assert on_the_wall(tab) == second
    expect(wall.get_by_role("button", name=re.compile(rf"^{len(second)} are …"))).to_be_enabled()

    tab.press("Control+z")
    expect(wall.locator(".gallery-status")).to_contain_text(re.compile("^Undone"))
    expect(wall.get_by_label("Tracklets of which label")).to_have_value("=group:1")
    assert exported(session) == {}
    expect(wall.get_by_role("button", name=re.compile(rf"^{len(first)} are OP"))).to_be_enabled()


def test_look_alikes_are_grouped_from_the_wall_when_asked_for(session: Session, app: App, visit: Callable[..., Tab]):
    tab = visit(app)
    tab.shown()
    tab.press("Shift+H")
    wall = tab.find("dialog .wall")
    on_the_wall(tab)
    expect(wall.get_by_label("Tracklets of which label").locator("option", has_text="roup")).to_have_count(0)
    tab.press("g")
    expect(tab.page.get_by_role("dialog", name="Group look-alikes?")).to_be_visible()
    tab.press("Escape")
    group_by_truth(session)  # as the background work ends
    expect(wall.locator(".gallery-status")).to_contain_text("There are new groups of look-alikes")
    tab.press("]")
    expect(wall.get_by_label("Tracklets of which label")).not_to_have_value("=unclassified")
