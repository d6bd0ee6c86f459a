"""Accessibility of every view by axe-core, in both themes and in forced colours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from antrax.io.session import Session
from tests.browser.driver import AXE, App, Tab
from tests.browser.test_app_checks import COVERING, VIEWS, prepare
from tests.browser.test_app_positions import cell_shown, session  # noqa: F401


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: run `npm ci` in tests/page")
@pytest.mark.parametrize("theme", ["light", "dark", "forced colours"])
def test_axe_finds_nothing_in_any_view(session: Session, app: App, visit: Callable[..., Tab], theme: str):  # noqa: F811
    colours = {"forced_colors": "active"} if theme == "forced colours" else {"color_scheme": theme}
    tab = visit(app, bypass_csp=True, **colours)
    tab.shown()
    found = {"main": tab.violations()}
    for view in VIEWS:
        tab.press(prepare(tab, view))
        if view in COVERING:
            expect(tab.find("dialog[open]"), view).to_be_visible()
        if view == "positions":
            cell_shown(tab)
            tab.press("d", "i")
            cell_shown(tab)
        tab.saved()
        found[view] = tab.violations()
        if view == "positions":
            tab.press("Escape")
        tab.press("Escape")
        expect(tab.find("dialog, .menu, .frames-bar")).to_have_count(0)
    assert {view: what for view, what in found.items() if what} == {}
