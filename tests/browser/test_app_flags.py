"""Flags with a note, redo, and who added an example: by keys and by mouse."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from antrax.io.session import Session
from antrax.review.flags import Flags
from tests.browser.driver import App, Tab, exported


def test_a_tracklet_is_flagged_found_and_not_flagged_any_more(session: Session, app: App, visit: Callable[..., Tab]):
    tab = visit(app)
    name = tab.shown()
    flag = tab.find("#tracklet-head .flag")
    expect(flag).to_have_attribute("aria-pressed", "false")
    tab.press("!")
    tab.find("dialog input").fill("tag lost?")
    tab.press("Enter")
    expect(flag).to_have_attribute("aria-pressed", "true")
    expect(flag).to_contain_text("tag lost?")
    tab.press("ArrowRight")
    tab.other_than(name)
    expect(flag).to_have_attribute("aria-pressed", "false")
    tab.filter("Flagged")
    tab.shows(name)
    expect(tab.find("#bottombar .where")).to_have_text("1 of 1")
    # the mouse takes it away, and back
    flag.click()
    expect(flag).to_have_attribute("aria-pressed", "false")
    tab.told("The flag is taken away.").get_by_role("button", name="Undo").click()
    expect(flag).to_contain_text("tag lost?")
    flags = Flags(session.layout.flags_file)
    flags.refresh()
    assert [(one.tracklet, one.note, one.flagged) for one in flags.all()] == [
        (name, "tag lost?", True),
        (name, "", False),
        (name, "tag lost?", True),
    ]


def test_an_undone_export_is_made_again(session: Session, app: App, visit: Callable[..., Tab]):
    tab = visit(app)
    name = tab.shown()
    redo = tab.find("#redo")
    expect(redo).to_be_disabled()
    tab.type_label("GG")
    tab.press("Enter")
    tab.saved()
    before = exported(session)
    assert list(before[name]) == ["GG"]
    tab.press("Control+z")
    tab.shows(name)
    tab.saved()
    assert exported(session) == {}
    expect(redo).to_be_enabled()
    tab.press("Control+y")
    tab.said("added")
    assert exported(session) == before
    expect(redo).to_be_disabled()
    # by mouse
    tab.find("#undo").click()
    tab.said(re.compile("undone", re.IGNORECASE))
    redo.click()
    tab.said("added")
    assert exported(session) == before


def test_the_gallery_tells_who_added_an_example(session: Session, app: App, visit: Callable[..., Tab]):
    tab = visit(app)
    tab.page.evaluate("localStorage.setItem('antrax.who', 'Ada')")
    tab.shown()
    tab.type_label("GG")
    tab.press("Enter")
    tab.saved()
    tab.look()
    tab.type_label("GG")
    tab.press("Shift+X")
    tab.look_at_examples()
    expect(tab.find(".gallery-author")).to_contain_text("added by Ada")
