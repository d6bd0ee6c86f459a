"""The app in a real browser: checks, the gallery, labels, other sessions, and names for all that can be pressed."""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections.abc import Callable

from playwright.sync_api import expect

from antrax.io.session import Session, open_session
from tests.browser.driver import App, Tab, exported, images_of
from tests.fixtures.classified import classify_by_truth, true_labels


def labels_file(session: Session) -> list[str]:
    """The labels in the order of the file, without the colours."""
    with (session.path / "parameters" / "labels.csv").open(newline="", encoding="utf-8") as file:
        return [row[0] for row in csv.reader(file, delimiter="\t") if row[1] != "tagcolors"]


def marks_of(session: Session) -> list[tuple[str, str, str]]:
    """Tracklet, verdict and true label of each mark, in the order in which they were written."""
    path = session.path / "validation" / "marks.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [(row["tracklet"], row["verdict"], row["true_label"]) for row in csv.DictReader(file)]


# ---- checks


def test_a_true_label_is_also_exported_where_that_is_wanted(session: Session, app: App, visit: Callable[..., Tab]):
    classify_by_truth(session)
    tab = visit(app)
    tab.shown()
    tab.filter("Any ID")
    tab.press("Shift+V")
    first = tab.shown()
    truth = next(ant for ant in session.labels.ants if ant != tab.find(".badge .name").inner_text())
    tab.press("2")
    tab.page.keyboard.type(truth)
    tab.press("Enter")
    second = tab.other_than(first)
    tab.until(lambda: marks_of(session)[-1:] == [(first, "wrong", truth)])
    assert exported(session) == {}  # only where it is wanted

    truth = next(ant for ant in session.labels.ants if ant != tab.find(".badge .name").inner_text())
    tab.press("2")
    tab.find(".truth").get_by_label("Also add it to the training set").check()
    tab.find(".truth input[type=text]").fill(truth)
    tab.press("Enter")
    third = tab.other_than(second)
    tab.until(lambda: marks_of(session)[-1:] == [(second, "wrong", truth)])
    tab.until(lambda: set(exported(session).get(second, {})) == {truth})
    tab.look()
    tab.press("2")
    expect(tab.find(".truth").get_by_label("Also add it to the training set")).to_be_checked()
    tab.press("Escape")
    tab.other_than(third)
    assert set(exported(session)) == {second}


def test_an_unknown_tracklet_can_be_told_to_be_no_single_ant(session: Session, app: App, visit: Callable[..., Tab]):
    several = next(name for name, label in true_labels(session).items() if label == "Multi")
    classify_by_truth(session, {several: "Unknown"})
    tab = visit(app)
    tab.shown()
    tab.press("Shift+V")
    tab.go_to(several)
    tab.press("3")
    tab.find(".truth input[type=text]").fill("Mul")
    tab.press("Enter")
    tab.until(lambda: marks_of(session)[-1:] == [(several, "not_ant", "Multi")])
    identifiable = tab.find(".rates .rate").filter(has_text="Identifiable")
    expect(identifiable).to_contain_text("0 of 1")


def test_marks_count_at_once_and_can_be_taken_back(session: Session, app: App, visit: Callable[..., Tab]):
    classify_by_truth(session)
    tab = visit(app)
    tab.shown()
    tab.filter("Any ID")
    tab.press("Shift+V")
    for title in ("Correct", "Wrong", "Should not have an ID"):
        expect(tab.find(".verdicts")).to_contain_text(title)
    tab.checked(0)
    wrong_ids = tab.find(".rates .rate").filter(has_text="Wrong ID")

    first = tab.shown()
    tab.press("1")
    second = tab.other_than(first)
    expect(wrong_ids).to_contain_text("0 of 1")
    label = tab.find(".badge .name").inner_text()
    truth = next(ant for ant in session.labels.ants if ant != label)
    tab.find(".verdict.wrong").click()
    expect(tab.find(".truth input[type=text]")).to_be_focused()
    tab.page.keyboard.type(truth)
    tab.press("Enter")
    third = tab.other_than(second)
    expect(wrong_ids).to_contain_text("1 of 2")
    tab.press("2", "Escape")  # wrong, and nobody knows what it is
    fourth = tab.other_than(third)
    expect(wrong_ids).to_contain_text("2 of 3")
    tab.press("3")
    tab.other_than(fourth)
    tab.checked(4)
    marks = {tracklet: (verdict, said) for tracklet, verdict, said in marks_of(session)}
    assert marks == {
        first: ("correct", ""),
        second: ("wrong", truth),
        third: ("wrong", ""),
        fourth: ("should_not_have_id", ""),
    }

    tab.press("ArrowLeft")
    expect(tab.find(".verdict[aria-pressed=true]")).to_contain_text("Should not have an ID")
    tab.look()
    tab.press("0")
    tab.checked(3)
    expect(tab.find(".verdict[aria-pressed=true]")).to_have_count(0)
    tab.page.reload()
    tab.shown()
    tab.go_to(second)
    expect(tab.find(".verdict[aria-pressed=true]")).to_contain_text("Wrong")
    expect(tab.find(".marks")).to_contain_text(truth)


def test_ctrl_z_takes_back_a_mark_while_checking_and_never_an_export(
    session: Session, app: App, visit: Callable[..., Tab]
):
    classify_by_truth(session)
    tab = visit(app)
    name = tab.shown()
    tab.type_label("GG")
    tab.press("Enter")
    marked = tab.other_than(name)
    tab.saved()
    tab.press("Shift+V", "1")
    tab.other_than(marked)
    tab.told(f"{marked}, labelled")
    tab.checked(1)
    tab.press("Backspace", "Control+z")
    tab.shows(marked)
    tab.told(f"The mark of {marked} is taken back")
    tab.checked(0)
    tab.press("Control+z")
    tab.told("no mark of this tab")
    tab.press("ArrowRight")
    tab.other_than(marked)
    tab.press("Control+y")
    tab.shows(marked)
    tab.checked(1)
    expect(tab.find(".verdict[aria-pressed=true]")).to_have_count(1)
    tab.press("Control+y")
    tab.told("no mark to make again")
    tab.press("Control+z")
    tab.checked(0)
    first = next(verdict for tracklet, verdict, _ in marks_of(session) if tracklet == marked)
    assert [verdict for _, verdict, _ in marks_of(session)] == [first, "taken_back", first, "taken_back"]
    assert set(exported(session)) == {name}


def test_a_mark_with_its_true_label_is_made_again(session: Session, app: App, visit: Callable[..., Tab]):
    classify_by_truth(session)
    tab = visit(app)
    tab.shown()
    tab.filter("Any ID")
    tab.press("Shift+V")
    first = tab.shown()
    label = tab.find(".badge .name").inner_text()
    truth = next(ant for ant in session.labels.ants if ant != label)
    tab.find(".verdict.wrong").click()
    tab.page.keyboard.type(truth)
    tab.press("Enter")
    tab.other_than(first)
    tab.press("Control+z")
    tab.shows(first)
    tab.checked(0)
    tab.press("Control+y")
    tab.checked(1)
    tab.until(lambda: marks_of(session)[-1:] == [(first, "wrong", truth)])


def test_a_digit_marks_nothing_while_labelling(session: Session, app: App, visit: Callable[..., Tab]):
    classify_by_truth(session)
    tab = visit(app)
    name = tab.shown()
    tab.press("1", "2", "3", "0")
    assert tab.shown() == name
    tab.press("Shift+V")
    tab.checked(0)
    assert marks_of(session) == []


# ---- the training set


def test_examples_are_moved_trashed_and_brought_back_in_the_gallery(session: Session, tab: Tab):
    folder = session.classifier_dir / "examples"
    name = next(name for name, label in true_labels(session).items() if len(images_of(session, name)) > 4)
    count = len(images_of(session, name))
    tab.go_to(name)
    tab.type_label("GG")
    tab.press("Enter")
    tab.saved()
    tab.press("Shift+P")
    tab.button(re.compile(r"^GG\b")).click()
    gallery = tab.find("dialog")
    expect(gallery).to_contain_text(f"{count} examples of 1 tracklet")
    files = sorted(path.name for path in (folder / "GG").iterdir())

    tab.look_at_examples()
    tab.press("Space", "Shift+ArrowRight", "m")  # the first two, to another label
    tab.page.keyboard.type("op")
    tab.press("Enter")
    expect(gallery).to_contain_text(f"{count - 2} examples of 1 tracklet")
    assert exported(session) == {name: {"GG": count - 2, "OP": 2}}

    tab.look_at_examples()
    tab.button(re.compile("^Delete this image"), "dialog").click()
    expect(gallery).to_contain_text(f"{count - 3} examples of 1 tracklet")
    assert len(list((session.classifier_dir / "trash" / "GG").iterdir())) == 1

    tab.press("Control+z")
    expect(gallery).to_contain_text(f"{count - 2} examples of 1 tracklet")
    tab.button(re.compile("^Undo"), "dialog").click()
    expect(gallery).to_contain_text(f"{count} examples of 1 tracklet")
    assert sorted(path.name for path in (folder / "GG").iterdir()) == files
    assert exported(session) == {name: {"GG": count}}

    tab.press("Enter")  # opens the tracklet of the image
    expect(gallery).to_have_count(0)
    tab.shows(name)


# ---- labels


def test_labels_are_added_and_ordered(session: Session, tab: Tab):
    before = labels_file(session)
    tab.find("#open-labels").click()
    tab.find("dialog").get_by_label("Name of the new label").fill("Queen")
    tab.press("Enter")
    new = tab.find('.label-row[data-label="Queen"]')
    expect(new).to_contain_text("new")
    new.focus()
    tab.press("Alt+ArrowUp")
    expect(new).to_be_focused()
    for _ in range(len(session.labels.ants) - 1):
        tab.button("Move Queen up").click()
    tab.button("Save").click()
    expect(tab.find("dialog")).to_have_count(0)
    assert labels_file(session) == ["Queen", *before]
    first = tab.shown()
    tab.press("Q")
    assert tab.chosen_label() == "Queen"
    tab.press("Enter")
    tab.other_than(first)
    tab.saved()
    assert list(exported(session)[first]) == ["Queen"]


def test_a_label_that_cannot_be_is_refused_while_typing(tab: Tab):
    tab.press("Shift+L")
    field = tab.find("dialog").get_by_label("Name of the new label")
    for name, why in (("gg", "differ in more than case"), ("a/b", "Without /"), ("1x", "begins with a letter")):
        field.fill(name)
        expect(tab.find("dialog form .problem")).to_contain_text(why)
        expect(tab.button("Add", "dialog")).to_be_disabled()


def test_a_list_of_labels_is_pasted_and_those_of_another_session_are_taken_over(
    session: Session, start_app: Callable[..., App], visit: Callable[..., Tab]
):
    other = session.experiment.with_name("other.ants")
    shutil.copytree(session.experiment, other)
    labels = other / "session" / "parameters" / "labels.csv"
    labels.write_text(labels.read_text() + "Larva\tnoant_labels\n")
    tab = visit(start_app(session.experiment.parent))
    tab.shown()
    tab.press("Shift+E")
    tab.find(".menu").get_by_role("menuitemradio", name=re.compile("some.ants")).first.click()
    expect(tab.find(".menu")).to_have_count(0)
    expect(tab.find("#open-experiment")).to_contain_text("some.ants")
    tab.shown()
    tab.press("Shift+L")
    expect(tab.find("dialog").get_by_label("Name of the new label")).to_be_focused()
    tab.page.evaluate("""() => {
        const data = new DataTransfer();
        data.setData('text', 'AA\\nAB\\nGG\\ntwo words');
        const event = new ClipboardEvent('paste', { clipboardData: data, cancelable: true, bubbles: true });
        document.activeElement.dispatchEvent(event);
    }""")
    form = tab.find("dialog .label-side form")
    expect(form).to_contain_text("2 labels added, 1 in the list already.")
    expect(form).to_contain_text("two words: An ID begins with a letter")
    form.get_by_label("Take the labels of another session").select_option(label="other.ants / session")
    expect(form).to_contain_text("1 label added")
    tab.press("Control+s")
    tab.told("Labels saved")
    assert {"AA", "AB", "Larva"} < set(labels_file(session))


def test_a_label_is_renamed_by_keys_and_renamed_back(session: Session, tab: Tab):
    before = labels_file(session)
    first = tab.shown()
    tab.press("Shift+L")
    tab.find('.label-row[data-label="GG"]').focus()
    tab.press("F2")
    dialog = tab.find("dialog").last
    field = dialog.get_by_label("New name of GG")
    expect(field).to_be_focused()
    expect(tab.button("Rename", "dialog")).to_be_disabled()
    field.fill("bb")
    expect(dialog.locator(".problem")).to_contain_text("must differ in more than case")
    field.fill("Queen")
    tab.press("Enter")
    tab.told("GG is called Queen now")
    expect(tab.find('.label-row[data-label="Queen"]')).to_be_visible()
    expect(tab.find("dialog")).to_have_count(1)
    assert labels_file(session) == [label.replace("GG", "Queen") for label in before]
    tab.press("Escape")
    tab.shows(first)
    tab.press("Shift+Enter")  # what the message offers
    tab.told("Queen is called GG now")
    assert labels_file(session) == before


def test_a_label_is_not_renamed_while_other_changes_wait(session: Session, tab: Tab):
    tab.find("#open-labels").click()
    tab.find("dialog").get_by_label("Name of the new label").fill("Queen")
    tab.press("Enter")
    # it says that it is disabled, and why when it is pressed
    tab.find('.label-row[data-label="GG"] button[title^="Rename GG"]').click(force=True)
    tab.told("save the other changes first")
    expect(tab.find("dialog")).to_have_count(1)
    assert "GG" in labels_file(session)


def test_labels_that_somebody_else_changed_are_not_overwritten(session: Session, tab: Tab):
    tab.press("Shift+L")
    tab.find("dialog").get_by_label("Name of the new label").fill("Queen")
    tab.press("Enter")
    path = session.path / "parameters" / "labels.csv"
    path.write_text(path.read_text() + "Larva\tnoant_labels\n")
    tab.expects("409 .*/labels")
    tab.press("Control+s")
    expect(tab.find("dialog [role=alert]").first).to_contain_text("Somebody else changed the labels")
    expect(tab.find('.label-row[data-label="Larva"]')).to_be_visible()
    expect(tab.find('.label-row[data-label="Queen"]')).to_be_visible()
    assert "Queen" not in labels_file(session)
    tab.press("Control+s")
    expect(tab.find("dialog")).to_have_count(0)
    assert {"Queen", "Larva"} < set(labels_file(session))


def test_a_session_without_labels_gets_them(session: Session, start_app: Callable[..., App], visit: Callable[..., Tab]):
    (session.path / "parameters" / "labels.csv").unlink()
    tab = visit(start_app(session.experiment))
    name = tab.shown()
    tab.button("Add labels …").click()
    expect(tab.find("dialog")).to_contain_text("no list of labels yet")
    tab.find("dialog").get_by_label("Letters of the tag colours").fill("GP")
    tab.button("All codes").click()
    tab.button("Save").click()
    expect(tab.find("dialog")).to_have_count(0)
    assert sorted(labels_file(session)) == sorted(["GG", "GP", "PG", "PP", "NoAnt", "Multi", "Unknown"])
    tab.type_label("PG")
    tab.look()
    tab.press("Enter")
    tab.other_than(name)
    tab.saved()
    assert list(exported(session)[name]) == ["PG"]


# ---- other experiments


def test_another_experiment_and_another_session_are_opened_from_the_menu(
    session: Session, start_app: Callable[..., App], visit: Callable[..., Tab]
):
    folder = session.experiment.parent
    shutil.copytree(session.experiment, folder / "other.ants")
    shutil.copytree(session.path, session.experiment / "second")
    mark = session.experiment / "second" / "parameters" / "Trck.mat"
    os.utime(mark, (1, 1))
    first = start_app(folder)
    tab = visit(first)
    tab.shown()
    shown = tab.find("#open-experiment")
    items = tab.find(".menu").get_by_role("menuitemradio")
    expect(shown).to_contain_text("other.ants / session")
    tab.press("Shift+E")
    tab.find(".menu-column").filter(has_text="some.ants").last.get_by_role("menuitemradio", name="second").click()
    expect(shown).to_contain_text("some.ants / second")
    name = tab.shown()
    tab.type_label("GG")
    tab.press("Enter")
    tab.other_than(name)
    tab.saved()
    assert exported(open_session(session.experiment, "second")) == {name: {"GG": len(images_of(session, name))}}
    assert exported(session) == {}
    tab.press("Shift+E")
    expect(items.filter(has_text="some.ants / second")).to_have_attribute("aria-checked", "true")
    tab.press("Escape")
    tab.page.close()
    first.end()

    again = visit(start_app(folder))
    again.shown()
    expect(again.find("#open-experiment")).to_contain_text("other.ants / session")
    again.find("#open-experiment").click()
    again.find(".menu").get_by_role("menuitemradio", name="some.ants / second").click()  # a recent one
    expect(again.find("#open-experiment")).to_contain_text("some.ants / second")
    again.shown()


# ---- for everybody


VIEWS = {
    "label": ("Shift+K",),
    "training set": ("Shift+P",),
    "check": ("Shift+V",),
    "select frames": ("Space",),
    "menu of tracklets": ("Shift+T",),
    "menu of orders": ("Shift+O",),
    "menu of experiments": ("Shift+E",),
    "labels": ("Shift+L",),
    "train": ("Shift+R",),
    "classify": ("Shift+C",),
    "keys": ("?",),
    "go to": ("Shift+G",),
    "positions": ("Shift+I",),
    "wall": ("Shift+H",),
    "gallery": ("g", "g", "Enter", "ArrowLeft", "Shift+X"),
}
COVERING = ("labels", "train", "classify", "keys", "go to", "positions", "wall", "gallery")


def prepare(tab: Tab, view: str) -> str:
    """Press all keys of a view but the last, which is given back, and wait for what they do."""
    *before, last = VIEWS[view]
    tab.look()
    tab.press(*before)
    tab.saved()
    if view == "gallery":  # the tracklet that was gone back to may have come before the answer about its export
        tab.look()
        tab.type_label("GG")
    return last


_NAMELESS = re.compile(
    r"- (button|checkbox|radio|textbox|searchbox|combobox|spinbutton|tab|link|menuitem\w*|option|dialog|menu"
    r"|progressbar)\b(?! \")"
)


def test_everything_that_can_be_pressed_has_a_name(session: Session, app: App, visit: Callable[..., Tab]):
    classify_by_truth(session)
    tab = visit(app)
    tab.shown()
    for view in VIEWS:
        tab.press(prepare(tab, view))
        if view in COVERING:
            expect(tab.find("dialog[open]"), view).to_be_visible()
        tab.saved()
        spoken = tab.find("body").aria_snapshot()
        assert [line for line in spoken.splitlines() if _NAMELESS.search(line)] == [], view
        assert tab.find("img:not([alt]), input[tabindex='-1']:focus").count() == 0
        tab.press("Escape")
        expect(tab.find("dialog, .menu, .frames-bar")).to_have_count(0)


def test_dialogs_keep_the_focus_and_esc_gives_it_back(session: Session, app: App, visit: Callable[..., Tab]):
    classify_by_truth(session)
    tab = visit(app)
    tab.shown()
    inside = "[document.body, ...document.querySelectorAll('dialog, dialog *')].includes(document.activeElement)"
    for view in COVERING:
        last = prepare(tab, view)
        tab.button("Next →").focus()
        tab.press("Tab", "Shift+Tab", last)
        expect(tab.find("dialog[open]"), view).to_be_visible()
        for _ in range(12):
            tab.press("Tab")
            assert tab.page.evaluate(inside), view
        tab.press("Escape")
        expect(tab.find("dialog")).to_have_count(0)
        expect(tab.button("Next →")).to_be_focused()


def test_menus_are_menus(tab: Tab):
    button = tab.find("#open-order")
    expect(button).to_have_attribute("aria-expanded", "false")
    tab.press("Shift+O")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(tab.find(".menu").get_by_role("menuitemradio", checked=True)).to_be_focused()
    tab.press("End", "Home", "Escape")
    expect(button).to_have_attribute("aria-expanded", "false")
