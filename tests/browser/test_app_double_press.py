"""Nothing acts on images that nobody can have seen: keys and clicks that come twice or too early, in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from antrax.io.session import Session
from tests.browser.driver import App, Tab, counts_of, exported
from tests.browser.test_app_checks import marks_of
from tests.browser.test_app_labelling import slow_network
from tests.fixtures.classified import classify_by_truth

TOO_EARLY = "have only just appeared"


@pytest.fixture
def seen_after() -> int:
    """Long enough for two presses on a busy machine, which takes longer between them than a person does."""
    return 1500


def classified_tab(session: Session, app: App, visit: Callable[..., Tab]) -> Tab:
    """A tab at a tracklet with an ID, where the suggested label alone would make Enter export."""
    classify_by_truth(session)
    tab = visit(app)
    tab.shown()
    tab.filter("Any ID")
    expect(tab.find("#open-tracklets")).to_contain_text("Any ID")
    tab.shown()
    return tab


def test_enter_twice_exports_one_tracklet(session: Session, app: App, visit: Callable[..., Tab]):
    tab = classified_tab(session, app, visit)
    first = tab.shown()
    tab.press("Enter", "Enter", "Enter")
    tab.told(TOO_EARLY)
    second = tab.other_than(first)
    tab.saved()
    assert set(exported(session)) == {first}
    tab.press("Enter")
    tab.other_than(second)
    tab.saved()
    assert set(exported(session)) == {first, second}


def test_a_mark_pressed_twice_marks_one_tracklet(session: Session, app: App, visit: Callable[..., Tab]):
    tab = classified_tab(session, app, visit)
    tab.press("Shift+V")
    first = tab.shown()
    tab.press("1", "1")
    tab.told(TOO_EARLY)
    second = tab.other_than(first)
    tab.checked(1)
    assert [tracklet for tracklet, *_ in marks_of(session)] == [first]
    button = tab.find(".verdict.correct")
    button.dblclick()
    tab.other_than(second)
    tab.checked(2)
    assert [tracklet for tracklet, *_ in marks_of(session)] == [first, second]


def test_enter_for_the_true_label_pressed_twice_exports_nothing(session: Session, app: App, visit: Callable[..., Tab]):
    tab = classified_tab(session, app, visit)
    tab.press("Shift+V")
    first = tab.shown()
    tab.press("2")
    expect(tab.find(".truth input[type=text]")).to_be_focused()
    tab.press("Enter", "Enter", "Enter")
    tab.other_than(first)
    tab.until(lambda: any(truth for *_, truth in marks_of(session)))
    assert {tracklet for tracklet, *_ in marks_of(session)} == {first}
    assert exported(session) == {}


def test_a_key_that_is_held_down_on_a_button_presses_it_once(session: Session, app: App, visit: Callable[..., Tab]):
    tab = classified_tab(session, app, visit)
    first = tab.shown()
    tab.find("#export-all").focus()
    for _ in range(12):
        tab.page.keyboard.down("Enter")
        tab.page.wait_for_timeout(100)
    tab.page.keyboard.up("Enter")
    tab.other_than(first)
    tab.saved()
    assert set(exported(session)) == {first}


def test_double_clicks_one_after_the_other_export_one_tracklet(session: Session, tab: Tab):
    first = tab.shown()
    label = tab.find('.label[data-label="GG"]')
    label.dblclick()
    label.dblclick()
    second = tab.other_than(first)
    tab.saved()
    assert set(exported(session)) == {first}
    assert tab.shown() == second


def test_enter_in_another_panel_shows_the_label_and_twice_is_no_consent(
    session: Session, app: App, visit: Callable[..., Tab]
):
    tab = classified_tab(session, app, visit)
    name = tab.shown()
    tab.press("Shift+V", "Enter", "Enter")
    expect(tab.find("#panel-label")).to_be_visible()
    assert tab.shown() == name
    assert exported(session) == {}
    tab.page.wait_for_timeout(tab.look_ms)
    tab.press("Enter")
    tab.other_than(name)
    tab.saved()
    assert set(exported(session)) == {name}


def test_enter_pressed_twice_in_a_dialog_exports_nothing_behind_it(
    session: Session, app: App, visit: Callable[..., Tab]
):
    tab = classified_tab(session, app, visit)
    name = tab.shown()
    tab.press("Shift+G", "Enter", "Enter")  # goes to where one is
    expect(tab.find("dialog")).to_have_count(0)
    assert tab.shown() == name
    tab.press("Shift+O", "Enter", "Enter")  # the order that holds already
    expect(tab.find(".menu")).to_have_count(0)
    assert tab.shown() == name
    assert exported(session) == {}


def test_what_is_still_on_its_way_is_not_exported(session: Session, tab: Tab):
    name = tab.shown()
    slow_network(tab, 400)
    tab.press("ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "g", "g", "Enter")
    tab.told(re.compile(f"still on their way|{TOO_EARLY}"))
    tab.other_than(name)
    assert exported(session) == {}


def test_delete_twice_in_the_gallery_deletes_one_image(session: Session, tab: Tab):
    counts = counts_of(session)
    name = next(name for name, count in counts.items() if count > 4)
    tab.go_to(name)
    tab.type_label("GG")
    tab.press("Enter")
    tab.saved()
    tab.press("Shift+P")
    tab.button(re.compile(r"^GG\b")).click()
    tab.look_at_examples()
    tab.press("Delete", "Delete", "Delete")
    expect(tab.find("dialog")).to_contain_text(f"{counts[name] - 1} examples of 1 tracklet")
    tab.page.wait_for_timeout(tab.look_ms)
    assert exported(session) == {name: {"GG": counts[name] - 1}}


def test_a_key_held_down_still_goes_through_many_tracklets(tab: Tab):
    for _ in range(30):
        tab.page.keyboard.down("ArrowRight")
    tab.page.keyboard.up("ArrowRight")
    expect(tab.find(".where b")).to_have_text("31")
