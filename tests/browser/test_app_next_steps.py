"""What is best done next, and the report of the last training, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from antrax.io.session import Session
from tests.browser.driver import AXE, App, Tab
from tests.fixtures.classified import classify_by_truth
from tests.fixtures.trained import Trained


@pytest.fixture
def known(trained: Trained, tmp_path: Path) -> Session:
    """A session with a classifier and its results."""
    session = trained.copy(tmp_path / "known")
    classify_by_truth(session)
    return session


def report_of(tab: Tab) -> None:
    tab.press("Shift+Z")
    expect(tab.find("dialog .report-labels")).to_be_visible()


def test_the_bar_leads_to_what_has_no_examples(tab: Tab):
    expect(tab.find("#next-step")).to_contain_text("Label tracklets until half of them have")
    tab.press("Shift+V")
    tab.find("#next-step button").click()
    expect(tab.find("#panel-label")).to_be_visible()
    expect(tab.find("#open-tracklets")).to_contain_text("Not in the training set")
    expect(tab.find("#open-order")).to_contain_text("Longest first")


def test_the_bar_says_something_else_when_labels_are_gone(session: Session, app: App, visit: Callable[..., Tab]):
    session.layout.labels_file.unlink()
    tab = visit(app)
    expect(tab.find("#next-step")).to_contain_text("List the labels")
    tab.press("Shift+Q")
    expect(tab.find("dialog h2")).to_have_text("Labels")


def test_without_a_classifier_there_is_no_report(tab: Tab):
    tab.press("Shift+Z")
    tab.told("There is no classifier yet")
    expect(tab.find("dialog")).to_have_count(0)


def test_the_report_leads_to_tracklets_that_look_like_a_label(
    known: Session, start_app: Callable[..., App], visit: Callable[..., Tab]
):
    tab = visit(start_app(known.experiment))
    tab.shown()
    tab.press("Shift+P")
    tab.button("How well each label is recognised…").click()
    rows = tab.find("dialog .report-labels tbody tr")
    expect(rows).to_have_count(len(known.labels.all))
    tab.button("Listed", "dialog").click()
    expect(rows.first.locator("th")).to_have_text(known.labels.ants[0])
    tab.button(f"Show tracklets like {known.labels.ants[0]}").click()
    expect(tab.find("dialog")).to_have_count(0)
    expect(tab.find("#open-tracklets")).to_contain_text(f"Looks like {known.labels.ants[0]}")
    expect(tab.find("#open-order")).to_contain_text("Most useful first")
    tab.shown()


def test_the_report_leads_to_classifying(known: Session, start_app: Callable[..., App], visit: Callable[..., Tab]):
    tab = visit(start_app(known.experiment))
    tab.shown()
    report_of(tab)
    tab.button("Classify…", "dialog").click()
    expect(tab.find("dialog h2")).to_have_text("Classify")


def test_another_classifier_can_be_chosen_and_its_rule_is_told(
    known: Session, start_app: Callable[..., App], visit: Callable[..., Tab]
):
    file = known.layout.classifier.classifier()
    file.with_name("damaged.h5").write_bytes(b"no classifier")
    tab = visit(start_app(known.experiment))
    tab.shown()
    tab.press("Shift+C")
    choice = tab.find("dialog").get_by_label("Classifier", exact=True)
    expect(choice.locator("option")).to_have_text(["classifier", "damaged"])
    rule = tab.find("dialog .job-rule")
    expect(rule).to_contain_text("Accepted errors")
    choice.select_option("damaged")
    expect(rule).not_to_contain_text("Accepted errors")
    expect(rule).to_contain_text("A fixed cautious rule decides")
    choice.select_option("classifier")
    expect(rule).to_contain_text("Accepted errors")


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: run `npm ci` in tests/page")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_the_report(
    known: Session, start_app: Callable[..., App], visit: Callable[..., Tab], theme: str
):
    tab = visit(start_app(known.experiment), color_scheme=theme, bypass_csp=True)
    tab.shown()
    report_of(tab)
    tab.page.evaluate("document.querySelectorAll('dialog details').forEach((each) => { each.open = true; })")
    assert tab.violations() == []


@pytest.mark.parametrize(("width", "height"), [(853, 533), (400, 700)])
def test_in_a_small_window_all_of_it_can_be_reached(
    known: Session, start_app: Callable[..., App], visit: Callable[..., Tab], width: int, height: int
):
    tab = visit(start_app(known.experiment))
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.shown()
    report_of(tab)
    assert tab.out_of_reach() == []
