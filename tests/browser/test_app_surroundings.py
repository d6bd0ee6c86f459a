"""The surroundings of the tracklet on the screen: IDs at the time, film, place, neighbours; by keys and by mouse."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from antrax.demo import ColonyOptions, generate_colony
from antrax.io.session import Session, open_session
from antrax.io.stacks import open_stack
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.surroundings import GraphNeighbours, find_place
from tests.browser.driver import AXE, App, Tab, images_of
from tests.fixtures.classified import classify_by_truth

COLONY = ColonyOptions(animals=8, movies=1, frames=400, density=0.6, nest=0.3, unreadable=0.0, things=0, seed=4)
SIZES = [(1920, 1080), (1280, 800), (1024, 700), (853, 533), (640, 480), (400, 700)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A colony of which contacts divide the tracklets, without film and background."""
    directory = tmp_path_factory.mktemp("colony") / "colony"
    generate_colony(directory, COLONY, examples=0, workers=1)
    classify_by_truth(open_session(directory))
    return directory


@pytest.fixture
def session(made: Path, tmp_path: Path) -> Session:
    shutil.copytree(made, tmp_path / "data" / "colony")
    return open_session(tmp_path / "data" / "colony")


def open_pane(tab: Tab) -> None:
    tab.press("/")
    known(tab)


def known(tab: Tab) -> None:
    """Wait until the surroundings of the tracklet on the screen are there."""
    expect(tab.find("#around[aria-busy=false]")).to_have_count(1)
    expect(tab.find("#around .around-side h3")).to_have_count(2)


def longest(session: Session) -> int:
    """Number of images of the longest tracklet."""
    (paths,) = session.stacks.values()
    with open_stack(paths[0]) as stack:
        return max(stack.count(tracklet.name) for tracklet in stack.tracklets())


def followed(session: Session) -> tuple[str, str]:
    """A tracklet, and the one that begins near by after the contact that it ended in, which has no images."""
    catalog, graph = Catalog(session), GraphNeighbours(session)
    names = {name.name for name in catalog.movie(1).names}
    for name in catalog.movie(1).names:
        _, linked = graph.of(name)
        after = find_place(session, catalog, name).after
        if linked and after and not names & {one.tracklet.name for one in linked}:
            return name.name, after[0].tracklet.name
    raise AssertionError("made so that some are in contact")


def test_ids_neighbours_and_the_way_back_by_keys(session: Session, app: App, visit: Callable[..., Tab]):
    tab = visit(app)
    tab.shown()
    expect(tab.find("#around")).to_be_hidden()
    first, second = followed(session)
    tab.go_to(first)
    open_pane(tab)
    row = tab.find(".around-side").nth(1).locator(".neighbour", has_text="linked by the tracker").first
    expect(row).to_be_visible()
    tab.press("]")
    tab.shows(second)
    known(tab)
    tab.press("Shift+Backspace")
    tab.shows(first)
    known(tab)

    # a missing ID is chosen by its button, and only chosen
    missing = tab.find("#around .at-time.free")
    if missing.count():
        label = missing.first.inner_text()
        missing.first.focus()
        tab.press("Enter")
        expect(tab.find(f".label[data-label={label}]")).to_have_attribute("aria-pressed", "true")
    # an ID elsewhere leads to the tracklet that has it
    elsewhere = tab.find("#around .at-time.elsewhere").first
    label = elsewhere.inner_text()
    elsewhere.focus()
    tab.press("Enter")
    expect(tab.find("h1.head-name")).not_to_have_text(first)
    expect(tab.find("#tracklet-head .badge .name")).to_have_text(label)
    tab.press("/")
    expect(tab.find("#around")).to_be_hidden()


def test_the_images_are_played_over_and_over_until_they_are_paused(
    session: Session, app: App, visit: Callable[..., Tab]
):
    tab = visit(app)
    tab.shown()
    tab.order("Longest first")
    # the one before it may have a single image, which cannot be played
    tab.until(lambda: len(images_of(session, tab.shown())) == longest(session))
    image = tab.find(".player-image")
    tab.press("Shift+Space")
    expect(tab.find("#around")).to_be_visible()
    play = tab.find(".player-bar button")
    expect(play).to_have_text("Pause")
    seen: set[str | None] = set()

    def is_playing() -> bool:
        seen.add(image.get_attribute("data-image"))
        return len(seen) > 3

    tab.until(is_playing)
    play.click()
    expect(play).to_have_text("Play")
    at = image.get_attribute("data-image")
    expect(tab.find(".player-bar input")).to_have_value(str(at))
    # the keys of the slider choose the image
    slider = tab.find(".player-bar input")
    slider.focus()
    tab.press("Home", "ArrowRight")
    expect(image).to_have_attribute("data-image", "1")
    expect(tab.find(".player-bar span")).to_contain_text("2 /")


def test_film_and_place_with_the_mouse(shared_colony: Path, tmp_path: Path, start_app, visit: Callable[..., Tab]):
    shutil.copytree(shared_colony, tmp_path / "data" / "colony")
    tab = visit(start_app(tmp_path / "data" / "colony"))
    tab.shown()
    tab.find("#toggle-around").check()
    known(tab)
    film = tab.find(".around-film img")
    expect(film).to_have_attribute("src", re.compile("side=260"))
    tab.until(lambda: film.evaluate("image => image.naturalWidth"))
    tab.button("Whole frame", "#around").click()
    expect(film).to_have_attribute("src", re.compile("side=0"))
    tab.button("Enlarge", "#around").click()
    expect(tab.find(".around-arena")).to_have_attribute("title", re.compile("whole arena"))
    expect(tab.button("Whole arena", "#around")).to_be_visible()
    # another image is of another frame of the film
    before = film.get_attribute("src")
    tab.find(".player-bar input").fill("3")
    expect(film).not_to_have_attribute("src", str(before))
    tab.find("#around .close").click()
    expect(tab.find("#around")).to_be_hidden()
    expect(tab.find("#toggle-around")).not_to_be_checked()


def test_it_stays_open_and_asks_only_for_tracklets_that_are_looked_at(
    session: Session, app: App, visit: Callable[..., Tab]
):
    tab = visit(app)
    tab.shown()
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url) if "/surroundings?" in request.url else None)
    tab.press("ArrowRight")
    tab.shown()
    assert asked == [], "closed, it asks nothing"
    open_pane(tab)
    assert len(asked) == 1
    tab.page.reload()
    tab.shown()
    expect(tab.find("#around")).to_be_visible()
    known(tab)


def test_an_example_is_news_for_the_ids(session: Session, app: App, visit: Callable[..., Tab]):
    shutil.rmtree(session.labels_dir)
    tab = visit(app)
    tab.shown()
    open_pane(tab)
    expect(tab.find(".around-ids")).to_contain_text("Nothing of this movie is labelled or classified yet")
    expect(tab.find("#next-step")).to_be_visible()
    tab.find("label.check").filter(has_text="Next after export").locator("input").uncheck()
    label = session.labels.ants[0]
    tab.find(f".label[data-label={label}]").click()
    tab.look()
    tab.find("#export-all").click()
    expect(tab.find(f"#around .at-time.here:text-is('{label}')")).to_be_visible()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_control_can_be_reached_in_any_window(
    session: Session, app: App, visit: Callable[..., Tab], width: int, height: int, tmp_path: Path
):
    tab = visit(app)
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.shown()
    if not tab.find("#toggle-around").is_checked():
        tab.press("/")
    known(tab)
    lost = tab.out_of_reach()
    tab.page.screenshot(path=tmp_path / "surroundings.png")
    assert lost == []


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: run `npm ci` in tests/page")
@pytest.mark.parametrize("colours", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"forced_colors": "active"}])
def test_axe_finds_nothing(session: Session, app: App, visit: Callable[..., Tab], colours: dict[str, str]):
    tab = visit(app, bypass_csp=True, **colours)
    tab.shown()
    open_pane(tab)
    assert tab.violations() == []


def test_in_a_wide_window_it_is_open_at_first(session: Session, app: App, visit: Callable[..., Tab]):
    tab = visit(app, viewport={"width": 1920, "height": 1080})
    tab.shown()
    expect(tab.find("#around")).to_be_visible()
    tab.press("/")
    expect(tab.find("#around")).to_be_hidden()
    tab.page.reload()
    tab.shown()
    expect(tab.find("#around")).to_be_hidden()


def test_fit_is_pressed_only_where_all_images_are_in_sight(session: Session, app: App, visit: Callable[..., Tab]):
    tab = visit(app)
    tab.shown()
    tab.order("Longest first")
    tab.until(lambda: len(images_of(session, tab.shown())) == longest(session))
    fit, montage = tab.button("Fit"), tab.find("#montage")
    overflow = "each => each.scrollHeight > each.clientHeight + 1"
    expect(fit).to_have_attribute("aria-pressed", "false")
    assert montage.evaluate(overflow), "comfortable to look at, and not all in sight"
    tab.press("=")
    expect(fit).to_have_attribute("aria-pressed", "true")
    assert not montage.evaluate(overflow)
    tab.press("=")
    expect(fit).to_have_attribute("aria-pressed", "false")
