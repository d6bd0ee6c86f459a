"""In a small window every control can be reached: scrolled to, whole, and with nothing over it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from antrax.io.session import Session
from tests.browser.driver import App, Tab
from tests.browser.test_app_checks import COVERING, VIEWS, prepare
from tests.fixtures.classified import classify_by_truth


@pytest.mark.parametrize(("width", "height"), [(853, 533), (640, 480), (400, 700)])
def test_every_control_can_be_reached(
    session: Session, app: App, visit: Callable[..., Tab], width: int, height: int, tmp_path
):
    classify_by_truth(session)
    tab = visit(app)
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.shown()
    for view in VIEWS:
        tab.press(prepare(tab, view))
        if view in COVERING:
            expect(tab.find("dialog[open]"), view).to_be_visible()
        if view == "gallery":
            tab.look_at_examples()
        tab.saved()
        lost = tab.out_of_reach()
        tab.page.screenshot(path=tmp_path / f"{view}.png")
        assert lost == [], view
        tab.press("Escape")
        expect(tab.find("dialog, .menu, .frames-bar")).to_have_count(0)
