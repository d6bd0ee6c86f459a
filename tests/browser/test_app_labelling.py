"""The app as a person uses it, in a real browser: labelling, choosing frames, going through tracklets."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import expect

from antrax.io.names import parse_tracklet_name
from antrax.io.session import Session
from tests.browser.driver import App, Tab, counts_of, exported, images_of
from tests.fixtures.classified import classify_by_truth, true_labels

# In the page: at each frame on the screen, the name in the head beside the pixels of the first image.
WITNESS = """async (counts) => {
    const { arrange } = await import('/static/js/views/grid.js');
    const canvas = document.querySelector('#montage canvas.montage-canvas');
    window.witnessed = {};
    const look = () => {
        const name = document.querySelector('.head-name').textContent;
        if (document.getElementById('montage').getAttribute('aria-busy') === 'false' && name in counts) {
            const size = 24;
            const { left, top, factor, cell } = arrange({ count: counts[name], size, scale: 'fit' }, canvas.width,
              canvas.height, devicePixelRatio);
            const { data } = canvas.getContext('2d').getImageData(left, top, cell, cell);
            const pixels = [];
            for (let y = 0; y < size; y += 1)
                for (let x = 0; x < size; x += 1) {
                    const at = 4 * ((y * factor) * cell + x * factor);
                    pixels.push(data[at], data[at + 1], data[at + 2]);
                }
            (window.witnessed[name] ??= new Set()).add(pixels.join(' '));
        }
        requestAnimationFrame(look);
    };
    look();
}"""
# In the page: at each Enter, which tracklet was on the screen and which label was chosen.
NOTE_ENTER = """() => {
    window.entered = [];
    addEventListener('keydown', (event) => {
        const label = document.querySelector('#panel-label .label[aria-pressed=true]');
        const name = document.querySelector('.head-name').textContent.trim();
        if (event.key === 'Enter') window.entered.push([name, label?.dataset.label ?? null]);
    }, true);
}"""


def slow_network(tab: Tab, milliseconds: float) -> None:
    """Delay each answer, as an SSH tunnel over a long way does."""
    network = tab.page.context.new_cdp_session(tab.page)
    network.send("Network.enable")
    conditions = {"offline": False, "latency": milliseconds, "downloadThroughput": -1, "uploadThroughput": -1}
    network.send("Network.emulateNetworkConditions", conditions)


# ---- what is on the screen


def test_ids_that_are_elsewhere_at_the_time_are_struck_through_and_the_free_ones_named(
    session: Session, app: App, visit: Callable[..., Tab]
):
    given = classify_by_truth(session)
    spans = {name: parse_tracklet_name(name) for name in given}
    ants = session.labels.ants

    def elsewhere(name: str) -> set[str]:
        own = spans[name]
        others = [one for one in given if one != name and spans[one].movie == own.movie]
        return {given[one] for one in others if spans[one].first <= own.last and spans[one].last >= own.first} & {*ants}

    name = max(given, key=lambda one: len(elsewhere(one)))
    assert elsewhere(name)
    tab = visit(app)
    tab.shown()
    tab.go_to(name)
    for label in ants:
        there = re.compile(r"\belsewhere\b")
        button = expect(tab.find(f'#panel-label .label[data-label="{label}"]'))
        (button.to_have_class if label in elsewhere(name) else button.not_to_have_class)(there)
    free = [label for label in ants if label not in elsewhere(name)]
    expect(tab.find("#panel-label .meanwhile")).to_contain_text(", ".join(free[:6]))


def test_what_an_unknown_tracklet_most_looks_like_is_one_key_away(
    session: Session, app: App, visit: Callable[..., Tab]
):
    name, label = next((name, label) for name, label in true_labels(session).items() if label in session.labels.ants)
    classify_by_truth(session, {name: "Unknown"})
    tab = visit(app)
    tab.shown()
    tab.go_to(name)
    assert tab.chosen_label() is None
    expect(tab.button(f"{label}?")).to_be_visible()
    tab.press("Shift+Y")
    assert tab.chosen_label() == label
    assert exported(session) == {}  # chosen, not exported
    tab.press("Enter")
    tab.saved()
    assert exported(session) == {name: {label: len(images_of(session, name))}}


# ---- labelling, by keys alone and by mouse alone


def test_everything_can_be_done_with_keys_alone(session: Session, tab: Tab):
    tab.press("Shift+O", "Home", "ArrowDown", "ArrowDown", "Enter")  # longest first
    expect(tab.find("#open-order")).to_contain_text("Longest first")
    tab.press("Shift+T", "ArrowUp", "Enter", "Escape")
    expect(tab.find("#open-tracklets")).to_contain_text("All movies")
    first = tab.shown()
    images = len(images_of(session, first))
    tab.press("g", "g", "Enter")
    second = tab.other_than(first)
    tab.press("Space", "Shift+ArrowRight", "ArrowRight", "Space")  # the first two, and the third
    expect(tab.find(".chosen")).to_have_text("3 chosen")
    tab.press("Space")
    expect(tab.find(".chosen")).to_have_text("2 chosen")
    tab.look()
    tab.press("o", "p", "Enter")
    tab.said("2 images")
    tab.press("End", "Space", "Shift+U", "Escape")
    tab.said("Unknown")
    tab.press("PageDown")
    third = tab.other_than(second)
    tab.press("ArrowDown", "Enter")  # the first label of the list
    tab.other_than(third)
    tab.saved()
    whole = {third: {session.labels.ants[0]: len(images_of(session, third))}}
    frames = {second: {"OP": 2, "Unknown": 1}}
    assert exported(session) == {first: {"GG": images}} | frames | whole
    tab.press("Control+z")
    tab.shows(third)
    tab.until(lambda: exported(session) == {first: {"GG": images}} | frames)
    tab.press("Shift+P")
    expect(tab.find("#panel-trainset")).to_contain_text("examples of 2 tracklets")
    tab.press("Shift+K", "Shift+G")
    tab.page.keyboard.type("1")
    tab.press("Enter")
    tab.shows(first)
    tab.press("?")
    expect(tab.find("dialog[open]")).to_contain_text("Export all, or the chosen ones")
    tab.press("Escape")
    expect(tab.find("dialog")).to_have_count(0)


def test_everything_can_be_done_with_the_mouse_alone(session: Session, tab: Tab):
    tab.order("Longest first")
    expect(tab.find("#open-order")).to_contain_text("Longest first")
    first = tab.shown()
    images = len(images_of(session, first))
    tab.find('.label[data-label="GG"]').click()
    tab.find("#export-all").click()
    second = tab.other_than(first)
    size, count = 24, len(images_of(session, second))
    tab.find("#select-frames").click()
    mouse = tab.page.mouse
    mouse.click(*tab.place(0, count, size))
    tab.page.keyboard.down("Shift")
    mouse.click(*tab.place(3, count, size))
    tab.page.keyboard.up("Shift")
    expect(tab.find(".chosen")).to_have_text("4 chosen")
    mouse.move(*tab.place(5, count, size))
    mouse.down()
    mouse.move(*tab.place(6, count, size))
    mouse.move(*tab.place(7, count, size))
    mouse.up()
    expect(tab.find(".chosen")).to_have_text("7 chosen")
    mouse.click(*tab.place(6, count, size))
    expect(tab.find(".chosen")).to_have_text("6 chosen")
    tab.find('.label[data-label="OP"]').click()
    tab.look()
    tab.find("#export-all").click()
    tab.said("6 images")
    mouse.click(*tab.place(6, count, size))
    tab.button("As Unknown").click()
    tab.said("Unknown")
    tab.button("Done").click()
    tab.button("Next →").click()
    third = tab.other_than(second)
    tab.find('.label[data-label="NoAnt"]').dblclick()  # chooses and exports
    tab.other_than(third)
    tab.saved()
    done = {first: {"GG": images}, second: {"OP": 6, "Unknown": 1}}
    assert exported(session) == done | {third: {"NoAnt": len(images_of(session, third))}}
    tab.find("#undo").click()
    tab.until(lambda: exported(session) == done)
    tab.shows(third)
    tab.button("← Back").click()
    tab.shows(second)
    expect(tab.find(".head-examples")).to_contain_text("OP6")


def test_the_first_image_alone_can_be_shown(session: Session, tab: Tab):
    name = next(name for name, count in counts_of(session).items() if count > 3)
    tab.go_to(name)
    tab.press("Shift+F")
    tab.shows(name)
    (_, alone), images = tab.painted(1, 24), images_of(session, name)
    np.testing.assert_array_equal(alone, images[:1])
    tab.press("Shift+F")
    tab.shows(name)
    _, painted = tab.painted(len(images), 24)
    np.testing.assert_array_equal(painted, images)


# ---- keys


def test_keys_do_nothing_else_while_one_types(session: Session, tab: Tab):
    classify_by_truth(session)
    name = tab.shown()
    tab.press("Shift+V")
    expect(tab.find(".verdict").first).to_be_visible()
    field = tab.find(".check-who input")
    field.fill("")
    text = "gg 12 .,?+-=RU"
    field.press_sequentially(text)
    tab.press("Enter", "ArrowLeft", "ArrowUp", "Home", "Control+a")
    expect(field).to_have_value(text)
    expect(tab.find("dialog, .menu, .frames-bar")).to_have_count(0)
    expect(tab.find("#panel-check")).to_be_visible()
    assert tab.shown() == name
    assert exported(session) == {}
    assert not (session.path / "validation").exists()


def test_a_key_on_a_button_presses_that_button_and_nothing_else(session: Session, tab: Tab):
    tab.type_label("GG")
    for place, key in enumerate(("Enter", "Space"), 2):
        before = tab.shown()
        tab.button("Next →").focus()
        tab.press(key)
        tab.other_than(before)
        expect(tab.find(".where b")).to_have_text(str(place))
        expect(tab.find(".frames-bar")).to_have_count(0)
        tab.find("#open-order").focus()
        tab.press(key)
        expect(tab.find(".menu")).to_be_visible()
        tab.press(key)  # the choice that holds already
        expect(tab.find(".menu")).to_have_count(0)
        tab.press("?")
        tab.button("Close", "dialog footer").focus()
        tab.press(key)
        expect(tab.find("dialog")).to_have_count(0)
    tab.saved()
    assert exported(session) == {}


def test_after_a_click_on_a_button_keys_are_commands_again(session: Session, tab: Tab):
    first = tab.shown()
    tab.button("Next →").click()
    second = tab.other_than(first)
    tab.find('.label[data-label="GG"]').click()
    tab.press("Enter")
    tab.other_than(second)
    tab.saved()
    assert set(exported(session)) == {second}


def test_a_label_is_chosen_by_its_first_letters(tab: Tab):
    for typed, chosen in (("p", "PB"), ("o", "PO"), ("Backspace", "PB"), ("p", "PP")):
        tab.press(typed)
        assert tab.chosen_label() == chosen
    tab.press("Escape")
    for typed, chosen in (("n", "NoAnt"), ("U", "Unknown"), ("m", "Multi")):
        tab.press(typed, "Escape")
        assert tab.chosen_label() == chosen
    for typed, chosen in (("g", "GB"), ("x", None), ("g", None), ("Backspace", None), ("Backspace", "GB")):
        tab.press(typed)  # what begins no label chooses none
        assert tab.chosen_label() == chosen
    tab.press("Escape", "ArrowDown")
    assert tab.chosen_label() == "GG"
    tab.press("ArrowUp")
    assert tab.chosen_label() == "GB"


def test_what_begins_no_label_exports_nothing(session: Session, tab: Tab):
    name = tab.shown()
    tab.press("g", "x", "Enter")
    tab.told("No label begins with “gx”")
    assert tab.shown() == name
    assert exported(session) == {}


def test_after_an_undo_the_label_is_suggested_anew(session: Session, tab: Tab):
    name = tab.shown()
    expect(tab.find("#undo")).to_be_disabled()
    tab.type_label("GG")
    tab.press("Enter")
    tab.other_than(name)
    tab.saved()
    tab.find("#undo").click()
    tab.shows(name)
    expect(tab.find("#panel-label .label[aria-pressed=true]")).to_have_count(0)
    expect(tab.find("#undo")).to_be_disabled()


def test_nothing_is_exported_without_a_label(session: Session, tab: Tab):
    name = tab.shown()
    tab.press("Enter")
    tab.told("Choose a label first")
    assert tab.shown() == name
    assert exported(session) == {}


# ---- going through tracklets fast


@pytest.mark.parametrize("delay", [0, 120])
def test_the_name_is_always_that_of_the_images(session: Session, tab: Tab, delay: float):
    slow_network(tab, delay)
    tab.page.evaluate(WITNESS, counts_of(session))
    for key, times in (("ArrowRight", 12), ("ArrowLeft", 5), ("ArrowRight", 9), ("ArrowLeft", 16)):
        tab.press(*[key] * times)
        name = tab.shown()
        named, painted = tab.painted(counts_of(session)[name], 24)
        assert named == name
        np.testing.assert_array_equal(painted, images_of(session, name))
    expect(tab.find(".where b")).to_have_text("1")
    witnessed = tab.page.evaluate("Object.fromEntries(Object.entries(witnessed).map(([k, v]) => [k, [...v]]))")
    assert len(witnessed) >= 4
    for name, seen in witnessed.items():
        assert [np.array(pixels.split(), int).reshape(24, 24, 3).tolist() for pixels in seen] == [
            images_of(session, name)[0].tolist()
        ]


@pytest.mark.parametrize("delay", [0, 120])
def test_an_export_while_going_fast_is_of_the_tracklet_on_the_screen(session: Session, tab: Tab, delay: float):
    slow_network(tab, delay)
    tab.page.evaluate(NOTE_ENTER)
    counts = counts_of(session)
    looked = []
    for place, label in enumerate(("GG", "PO", "NoAnt", "BB", "OP", "Unknown")):
        tab.press("ArrowRight", "ArrowRight")
        if place % 2:
            tab.shown()
            looked.append(label)
        tab.press(*label.lower(), "Enter")
    name = tab.shown()
    tab.type_label("GP")
    tab.press("Enter")
    tab.saved()
    entered = tab.page.evaluate("window.entered")
    wanted = {name: {label: counts[name]} for name, label in entered if label in (*looked, "GP")}
    assert wanted[name] == {"GP": counts[name]}
    # where the page is slow, a person has seen the others too by the time of the key
    allowed = {name: {label: counts[name]} for name, label in entered if name}
    assert wanted.items() <= exported(session).items() <= allowed.items()


# ---- two tabs


def test_what_one_tab_exports_the_other_sees_at_its_next_tracklet(
    session: Session, app: App, tab: Tab, visit: Callable[..., Tab]
):
    other = visit(app, tab)
    for each in (tab, other):
        before = each.shown()
        each.order("In time")
        each.other_than(before)
    first = tab.shown()
    assert other.shown() == first
    tab.press("ArrowRight")
    second = tab.other_than(first)
    tab.type_label("GG")
    tab.press("Enter")
    tab.other_than(second)
    tab.saved()
    other.press("ArrowRight")
    other.shows(second)
    expect(other.find(".head-examples")).to_contain_text("GG")
    other.press("Control+z")
    other.told("nothing")  # it takes back its own exports only
    other.expects("400 .*/undo")
    assert set(exported(session)) == {second}


def test_both_may_export_the_same_and_nothing_is_there_twice(
    session: Session, app: App, tab: Tab, visit: Callable[..., Tab]
):
    other = visit(app, tab)
    name = next(iter(counts_of(session)))
    for each in (tab, other):
        each.shown()
        each.go_to(name)
        each.type_label("GG")
        each.press("Enter")
    for each in (tab, other):
        each.saved()
    assert exported(session) == {name: {"GG": counts_of(session)[name]}}


# ---- filters and places


def test_an_empty_filter_says_so_and_changes_nothing(session: Session, app: App, visit: Callable[..., Tab]):
    given = classify_by_truth(session, {name: "GG" for name, label in true_labels(session).items() if label == "PO"})
    unused, common = "PO", "GG"
    tab = visit(app)
    before = tab.shown()
    count = tab.find(".where").inner_text()
    tab.find("#open-tracklets").click()
    tab.find(".menu").get_by_role("menuitemradio", name=re.compile(rf"^{unused}\b")).click()
    expect(tab.find(".menu [role=alert]")).to_contain_text(
        f"has no tracklet classified as {unused}; the filter stays as it was."
    )
    expect(tab.find(".menu")).not_to_contain_text("NaN")
    tab.press("Escape")
    assert tab.shown() == before
    expect(tab.find("#open-tracklets")).not_to_contain_text(unused)
    expect(tab.find(".where")).to_have_text(count)
    tab.filter(common)
    expect(tab.find(".badge .name")).to_have_text(common)
    shown = sum(label == common for name, label in given.items() if "_ti1_" in name)
    expect(tab.find(".where")).to_contain_text(f"of {shown}")


def test_after_reloading_one_is_where_one_was(tab: Tab):
    before = tab.shown()
    tab.filter("Movie 2")
    before = tab.other_than(before)
    tab.press("ArrowRight", "ArrowRight")
    expect(tab.find(".where b")).to_have_text("3")
    name = tab.shown()
    tab.page.reload()
    tab.shows(name)
    expect(tab.find(".where b")).to_have_text("3")
