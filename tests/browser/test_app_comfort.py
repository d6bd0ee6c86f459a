"""Small things that cost people time: menus, ends of lists, messages, the browser's Back, statistics as a file."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Route, expect

from antrax.io.session import Session
from tests.browser.driver import App, Tab, counts_of, exported
from tests.fixtures.classified import classify_by_truth


def test_an_experiment_is_opened_by_typing_its_name_and_enter(
    session: Session, start_app: Callable[..., App], visit: Callable[..., Tab]
):
    for name in ("zebra.ants", *(f"colony{n}" for n in range(8))):
        shutil.copytree(session.experiment, session.experiment.with_name(name))
    tab = visit(start_app(session.experiment.parent))
    tab.shown()
    tab.press("Shift+E")
    expect(tab.find(".menu input")).to_be_focused()
    tab.page.keyboard.type("zeb")
    tab.press("Enter")
    expect(tab.find(".menu")).to_have_count(0)
    expect(tab.find("#open-experiment")).to_contain_text("zebra.ants")


def test_few_experiments_are_called_by_their_names(
    session: Session, start_app: Callable[..., App], visit: Callable[..., Tab]
):
    shutil.copytree(session.experiment, session.experiment.with_name("zebra"))
    tab = visit(start_app(session.experiment.parent))
    tab.shown()
    tab.press("Shift+E")
    expect(tab.find(".menu .menu-item").filter(has_text="zebra")).to_be_visible()
    tab.press("z", "e")
    expect(tab.find(".menu [role=menu][aria-label=Experiments] .menu-item:focus")).to_contain_text("zebra / session")
    tab.press("Enter")
    expect(tab.find("#open-experiment")).to_contain_text("zebra")


def test_a_choice_closes_the_menu_and_the_arrows_go_through_tracklets_again(tab: Tab):
    tab.press("Shift+T", "ArrowDown", "Enter")
    expect(tab.find(".menu")).to_have_count(0)
    first = tab.shown()
    tab.press("ArrowRight")
    tab.other_than(first)
    tab.press("Shift+T", "ArrowUp", "Space")
    expect(tab.find(".menu")).to_have_count(1)
    tab.press("Escape")


def test_the_end_of_a_movie_offers_the_next_one(session: Session, tab: Tab):
    last = len(counts_of(session, 1))
    tab.press("Shift+G")
    tab.find("dialog input").fill(str(last))
    tab.press("Enter")
    expect(tab.find(".where")).to_contain_text(f"{last} of {last}")
    tab.shown()
    tab.press("ArrowRight")
    tab.told("last tracklet")
    tab.press("Shift+Enter")
    expect(tab.find("#open-tracklets .menu-value")).to_have_text("Movie 2")
    assert "_ti2_" in tab.shown()


def test_a_part_of_names_is_found_or_said_to_be_in_none(tab: Tab):
    name = tab.shown()
    tab.press("Shift+G")
    tab.find("dialog input").fill("tf77")
    tab.press("Enter")
    tab.told(re.compile("no tracklet with “tf77” in its name"))
    tab.press("Shift+G")
    tab.find("dialog input").fill(name.removeprefix("trj_"))
    tab.press("Enter")
    expect(tab.find("#open-tracklets .menu-value")).to_contain_text(f"“{name.removeprefix('trj_')}” in the name")
    tab.shows(name)
    expect(tab.find("#bottombar .where")).to_have_text("1 of 1")


def test_select_frames_opens_when_the_tracklet_is_there(tab: Tab):
    """The key was pressed while the tracklet was on its way."""
    held: list[Route] = []
    is_slow = True

    def answer(route: Route) -> None:
        if is_slow:
            held.append(route)
        else:
            route.continue_()

    tab.page.route(re.compile(r"/tracklet\?"), answer)
    tab.press("Shift+G")
    tab.find("dialog input").fill("20")
    tab.press("Enter")
    tab.until(lambda: held)
    expect(tab.find("#montage[data-tracklet]")).to_have_count(0)
    tab.press("Space")
    expect(tab.find("#frames")).to_be_hidden()
    is_slow = False
    for route in held:
        route.continue_()
    expect(tab.find("#frames")).to_be_visible()


def test_back_goes_to_the_list_before(tab: Tab):
    tab.shown()
    before = tab.find("#open-tracklets .menu-value").inner_text()
    tab.filter("All movies")
    expect(tab.find("#open-tracklets .menu-value")).to_have_text("All movies")
    tab.shown()
    tab.page.go_back()
    expect(tab.find("#open-tracklets .menu-value")).to_have_text(before)
    tab.shown()


def test_messages_do_not_cover_the_strip(session: Session, app: App, visit: Callable[..., Tab]):
    classify_by_truth(session)
    tab = visit(app)
    tab.shown()
    tab.press("Shift+G")
    tab.find("dialog input").fill("nothing")
    tab.press("Enter")
    message, strip = tab.told("in its name").bounding_box(), tab.find("#strip").bounding_box()
    assert message
    assert strip
    assert message["y"] + message["height"] <= strip["y"]


def test_statistics_are_saved_as_a_table(session: Session, app: App, visit: Callable[..., Tab], tmp_path: Path):
    classify_by_truth(session)
    tab = visit(app)
    tab.shown()
    tab.filter("Any ID")
    tab.press("Shift+V")
    tab.checked(0)
    tab.shown()
    tab.press("1")
    tab.checked(1)
    with tab.page.expect_download() as download:
        tab.button("Save as a table (CSV)", ".rates").click()
    download.value.save_as(tmp_path / "rates.csv")
    with (tmp_path / "rates.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["what"]: row for row in csv.DictReader(file)}
    assert (rows["wrong_id"]["errors"], rows["wrong_id"]["checked"]) == ("0", "1")
    assert float(rows["wrong_id"]["high"]) == 0.975
    assert rows["only_random"]["errors"] == "no"


def test_labels_of_one_tracklet_have_different_colours(session: Session, tab: Tab):
    counts = counts_of(session)
    name = max(counts, key=counts.__getitem__)
    tab.go_to(name)
    one, other = session.labels.ants[:2]
    for image, label in ((0, one), (1, other)):
        tab.press("Space")
        tab.page.mouse.click(*tab.place(image, counts[name], 24))
        tab.type_label(label)
        tab.look()
        tab.press("Enter")
        tab.saved()
        tab.press("Escape")
    tab.until(lambda: exported(session).get(name) == {one: 1, other: 1})
    tab.shown()
    colours = tab.page.evaluate(
        """async () => {
            const { marksOf } = await import('/static/js/views/labelmarks.js');
            const { app } = await import('/static/js/core/app.js');
            return [...marksOf(app.tracklet).values()].map(({ color }) => color);
        }"""
    )
    assert len(set(colours)) == 2


def test_forced_colours_show_which_label_is_chosen(session: Session, app: App, visit: Callable[..., Tab]):
    tab = visit(app, forced_colors="active")
    tab.shown()
    tab.type_label(session.labels.ants[0])
    ground = "element => getComputedStyle(element).backgroundColor"
    chosen = tab.find("#panel-label .label[aria-pressed=true]").evaluate(ground)
    assert chosen != tab.find("#panel-label .label[aria-pressed=false]").first.evaluate(ground)
