"""The view of positions in a real browser: random cells, disagreements, marks, corrections."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from antrax.io.session import Session, open_session
from antrax.review.positions.solved import Solved
from tests.browser.driver import App, Tab
from tests.fixtures.classified import true_labels
from tests.fixtures.solved import wrong_label


@pytest.fixture
def session(shared_colony: Path, tmp_path: Path) -> Session:
    """A solved colony for one test."""
    shutil.copytree(shared_colony, tmp_path / "data" / "colony")
    return open_session(tmp_path / "data" / "colony")


def marks_of(session: Session) -> list[tuple[str, str, str]]:
    """Verdict, true ID and how the cell was met, in the order in which they were written."""
    path = session.path / "validation" / "position_marks.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [(row["verdict"], row["true_id"], row["met"]) for row in csv.DictReader(file)]


def cell_shown(tab: Tab) -> str:
    """The cell on the screen, once it could be seen."""
    view = tab.find(".positions[data-cell]")
    expect(view).to_have_count(1)
    expect(tab.find(".positions[aria-busy]")).to_have_count(0)
    tab.page.wait_for_timeout(tab.look_ms)
    return str(view.get_attribute("data-cell"))


def other_cell(tab: Tab, before: str) -> str:
    """The cell on the screen, once it is another one."""
    expect(tab.find(".positions")).not_to_have_attribute("data-cell", before)
    return cell_shown(tab)


def test_random_cells_are_marked_by_keys_and_the_rate_follows(session: Session, app: App, visit: Callable[..., Tab]):
    tab = visit(app)
    tab.shown()
    tab.press("Shift+I")
    first = cell_shown(tab)
    rate = tab.find(".positions-rate")
    expect(rate).to_contain_text("Nothing checked yet")
    tab.press("1")
    second = other_cell(tab, first)
    expect(rate).to_contain_text("0 of 1 wrong")
    tab.press("3")
    third = other_cell(tab, second)
    expect(rate).to_contain_text("1 of which nobody could say")
    tab.press("2")
    expect(tab.find(".positions-who input")).to_be_focused()
    tab.press("Escape")
    other_cell(tab, third)
    # 1 of 2: Clopper and Pearson's limits are 1.3 % and 98.7 %
    expect(rate).to_contain_text("1 of 2 wrong: 50.0 % (95 %: 1.3 to 98.7 %)")
    assert marks_of(session) == [("correct", "", "random"), ("cannot_say", "", "random"), ("wrong", "", "random")]
    tab.press("Control+z")
    expect(tab.find(".positions")).to_have_attribute("data-cell", third)
    expect(rate).to_contain_text("0 of 1 wrong")
    assert marks_of(session)[-1] == ("taken_back", "", "random")
    tab.press("Control+y")
    expect(rate).to_contain_text("1 of 2 wrong")
    assert marks_of(session)[-1] == ("wrong", "", "random")
    tab.press("Control+z")
    expect(rate).to_contain_text("0 of 1 wrong")
    expect(tab.find(".positions")).to_have_attribute("data-cell", third)

    # where one was is kept in the tab
    tab.press("Escape")
    expect(tab.find("dialog")).to_have_count(0)
    tab.press("Shift+I")
    assert cell_shown(tab) == third
    tab.press("ArrowLeft", "ArrowLeft")
    assert other_cell(tab, third) in (first, second)


def test_a_wrong_placement_is_corrected_by_keys_and_undone(session: Session, app: App, visit: Callable[..., Tab]):
    name, label = wrong_label(session)
    truth = true_labels(session)[name]
    tab = visit(app)
    tab.shown()
    tab.press("Shift+I")
    cell_shown(tab)
    tab.press("d")
    expect(tab.find(".positions-row[aria-current=true]")).to_contain_text(label)
    expect(tab.find(".positions-facts")).to_contain_text(f"Its own label is {label}")
    cell_shown(tab)
    tab.press("2")
    field = tab.find(".positions-who input")
    expect(field).to_be_focused()
    tab.page.keyboard.type(label)
    tab.press("Enter")
    changes = tab.find(".positions-changes")
    expect(changes).to_contain_text(f"{truth} → {label}")
    expect(tab.find(".positions .gallery-status")).to_contain_text(f"{name} is {label}")
    assert Solved(session).placed_in(1, name) == (label,)
    assert marks_of(session) == [("wrong", "", "chosen"), ("wrong", label, "chosen")]

    tab.press("Control+z")
    expect(tab.find(".positions .gallery-status")).to_contain_text(re.compile("taken back", re.IGNORECASE))
    assert Solved(session).placed_in(1, name) == (truth,)
    cell_shown(tab)
    tab.press("n")
    expect(tab.find(".positions .gallery-status")).to_contain_text(f"{name} is not {truth}")
    assert truth not in Solved(session).placed_in(1, name)


def test_everything_is_done_with_the_mouse_too(session: Session, app: App, visit: Callable[..., Tab]):
    name, label = wrong_label(session)
    tab = visit(app)
    tab.shown()
    tab.find("#open-positions").click()
    first = cell_shown(tab)
    tab.find(".positions .verdict.correct").click()
    second = other_cell(tab, first)
    tab.button("← Back", ".positions").click()
    assert other_cell(tab, second) == first
    expect(tab.find(".positions .verdict.correct")).to_have_attribute("aria-pressed", "true")
    tab.find(".positions-arena").click()
    expect(tab.find(".positions-arena")).to_have_attribute("title", re.compile("whole arena"))
    tab.button(re.compile("Disagreements"), ".positions").click()
    cell_shown(tab)
    image = tab.find(".positions-film img")
    expect(image).to_have_attribute("src", re.compile("side=260"))
    tab.until(lambda: image.evaluate("image => image.naturalWidth"))
    image.click()
    expect(tab.find(".positions-film img")).to_have_attribute("src", re.compile("side=0"))
    tab.find(".positions-correct button").first.click()
    tab.find(".positions-who .label-option").filter(has_text=label).click()
    expect(tab.find(".positions-changes h3")).to_contain_text("changed")
    assert Solved(session).placed_in(1, name) == (label,)
    tab.find(".positions-changes .positions-row").first.click()
    cell_shown(tab)
    tab.button(re.compile("^Undo"), ".positions").click()
    expect(tab.find(".positions .gallery-status")).to_contain_text(re.compile("taken back", re.IGNORECASE))
    cell_shown(tab)
    tab.button(re.compile("^Open the tracklet"), ".positions").click()
    expect(tab.find("dialog")).to_have_count(0)
    tab.shows(name)


@pytest.mark.parametrize("seen_after", [5000])  # on a busy machine more than 300 ms pass between two presses
def test_a_key_pressed_twice_marks_no_cell_that_nobody_saw(
    session: Session, app: App, visit: Callable[..., Tab], seen_after: int
):
    tab = visit(app)
    tab.shown()
    tab.press("Shift+I")
    first = cell_shown(tab)
    tab.press("1")
    expect(tab.find(".positions")).not_to_have_attribute("data-cell", first)
    tab.press("1")
    cell_shown(tab)
    assert len(marks_of(session)) == 1


def test_a_session_that_is_not_solved_says_what_to_do(session: Session, app: App, visit: Callable[..., Tab]):
    shutil.rmtree(session.path / "positions")
    shutil.rmtree(session.path / "antdata")
    tab = visit(app)
    tab.shown()
    tab.press("Shift+I")
    expect(tab.find(".positions-empty")).to_contain_text(f"antrax solve {session.experiment}")
    expect(tab.find(".positions-main")).to_be_hidden()


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 800), (1024, 700), (853, 533), (400, 700)])
def test_every_control_can_be_reached_in_any_window(
    session: Session, app: App, visit: Callable[..., Tab], width: int, height: int, tmp_path: Path
):
    tab = visit(app)
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.shown()
    tab.press("Shift+I")
    for key in ("d", "i"):
        cell_shown(tab)
        tab.press(key)
        expect(tab.find(".positions-list")).to_be_visible()
    expect(tab.find(".positions-who input")).to_be_focused()
    lost = tab.out_of_reach()
    tab.page.screenshot(path=tmp_path / "positions.png")
    assert lost == []
