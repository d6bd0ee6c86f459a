"""Fixtures of tests in a real browser: the running app, Chromium, and tabs that show the app."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, expect, sync_playwright

from antrax.demo import generate_experiment
from antrax.io.session import Session, open_session
from tests.browser.driver import LOOK_MS, PATIENCE_S, App, Tab

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder, and run them one after the other."""
    # two browsers on two busy cores would wait for each other
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture
def start_app(tmp_path: Path) -> Iterator[Callable[..., App]]:
    """A function that starts the app on an experiment, or on a folder of some."""
    running: list[App] = []

    def start(experiments: Path, *options: object) -> App:
        running.append(App(experiments, tmp_path / "cache", *options))
        return running[-1]

    yield start
    for app in running:
        app.end()


@pytest.fixture(scope="session")
def browsed_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small experiment of short tracklets, without examples; shared, so tests copy it."""
    directory = tmp_path_factory.mktemp("browsed") / "some.ants"
    generate_experiment(directory, seed=3, movies=2, tracklets=40, max_frames=12, image_size=24)
    shutil.rmtree(directory / "session" / "classifier")
    return directory


@pytest.fixture
def session(browsed_demo: Path, tmp_path: Path) -> Session:
    """A copy of the demo for one test."""
    experiment = tmp_path / "data" / "some.ants"
    shutil.copytree(browsed_demo, experiment)
    return open_session(experiment)


@pytest.fixture
def app(session: Session, start_app: Callable[..., App]) -> App:
    """The app on that copy."""
    return start_app(session.experiment)


def _chromium() -> str | None:
    named = os.environ.get("ANTRAX_CHROMIUM", "/usr/bin/chromium")
    found = (shutil.which(name) for name in (named, "chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser. Ends with the module: Playwright's event loop would be in the way of other tests' loops."""
    path = _chromium()
    if path is None:
        reason = "there is no Chromium; install it, or name it in ANTRAX_CHROMIUM"
        if os.environ.get("ANTRAX_BROWSER_REQUIRED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=PATIENCE_S * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def seen_after() -> int | None:
    """Milliseconds that images must be on the screen before anything acts on them; None: as long as the page wants."""
    return None


def _wait_longer(context: BrowserContext, milliseconds: int) -> None:
    """Have the page want images to be on the screen for longer."""

    def change(route: Route) -> None:
        response = route.fetch()
        known = "SEEN_AFTER = 300;"
        assert known in response.text()
        route.fulfill(response=response, body=response.text().replace(known, f"SEEN_AFTER = {milliseconds};"))

    context.route("**/static/js/core/seen.js", change)


@pytest.fixture
def visit(chromium: Browser, seen_after: int | None) -> Iterator[Callable[..., Tab]]:
    """A function that opens the app in a tab: of a browser of its own, or beside another tab of it."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def open_tab(address: App | str, beside: Tab | None = None, **options: Any) -> Tab:
        if beside is None:
            contexts.append(chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options}))
            if seen_after:
                _wait_longer(contexts[-1], seen_after)
        context = beside.page.context if beside else contexts[-1]
        tab = Tab(context.new_page(), seen_after + 100 if seen_after else LOOK_MS)
        tabs.append(tab)
        tab.page.goto(address if isinstance(address, str) else address.address)
        return tab

    yield open_tab
    for context in contexts:
        context.close()
    for tab in tabs:
        tab.check()


@pytest.fixture
def tab(app: App, visit: Callable[..., Tab]) -> Tab:
    """The app in a tab, with its first tracklet on the screen."""
    opened = visit(app)
    opened.shown()
    return opened
