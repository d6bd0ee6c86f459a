"""In a small window every control can be reached: scrolled to, whole, and with nothing over it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from antrax.io.session import Session
from tests.browser.driver import App, Tab
from tests.browser.test_app_checks import COVERING, VIEWS
from tests.fixtures.classified import classify_by_truth

# Controls that cannot be brought into sight as a person would, by scrolling: their name and where they are.
_OUT_OF_REACH = """() => {
    const over = [...document.querySelectorAll('dialog[open], .menu')].at(-1);
    const selector = 'button, input, select, summary, [role=tab]';
    const controls = [...(over ?? document).querySelectorAll(selector)].filter((each) => each.checkVisibility());
    const lost = [];
    for (const control of controls) {
        if (control.closest('.toast')) continue;
        control.scrollIntoView({ block: 'center', inline: 'nearest', behavior: 'instant' });
        const { left, right, top, bottom } = control.getBoundingClientRect();
        const x = (left + right) / 2, y = (top + bottom) / 2;
        const isInside = left >= -1 && top >= -1 && right <= innerWidth + 1 && bottom <= innerHeight + 1;
        const hit = isInside ? document.elementFromPoint(x, y) : null;
        const isPart = (one, other) => one.contains(other) || other.contains(one);
        const isFree = hit && (isPart(control, hit) || hit.closest('label')?.contains(control));
        const name = control.getAttribute('aria-label') || control.textContent || control.id;
        if (!isFree) lost.push(`${name.trim()} at ${[left, top, right, bottom].map(Math.round)}`);
    }
    return [controls.length, lost];
}"""


@pytest.mark.parametrize(("width", "height"), [(853, 533), (640, 480), (400, 700)])
def test_every_control_can_be_reached(
    session: Session, app: App, visit: Callable[..., Tab], width: int, height: int, tmp_path
):
    classify_by_truth(session)
    tab = visit(app)
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.shown()
    for view, keys in VIEWS.items():
        tab.look()
        *before, last = keys
        tab.press(*before)
        tab.saved()
        if view == "gallery":
            tab.type_label("GG")
        tab.press(last)
        if view in COVERING:
            expect(tab.find("dialog[open]"), view).to_be_visible()
        if view == "gallery":
            tab.look_at_examples()
        tab.saved()
        tab.until(lambda: tab.page.evaluate(_OUT_OF_REACH)[0])
        _, lost = tab.page.evaluate(_OUT_OF_REACH)
        tab.page.screenshot(path=tmp_path / f"{view}.png")
        assert lost == [], view
        tab.press("Escape")
        expect(tab.find("dialog, .menu, .frames-bar")).to_have_count(0)
