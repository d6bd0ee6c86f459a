"""The dialog *Classify*: an error rate can be chosen where the classifier is calibrated, and nowhere else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from antrax.classification.calibration import Calibration
from antrax.classification.classifier_file import read_classifier, write_classifier
from antrax.io.session import Session
from tests.browser.driver import App, Tab
from tests.fixtures.trained import Trained

OFFER = "dialog [aria-label='Accepted errors']"
SUFFICIENT = Calibration(0.7, 0.0, tuple(np.linspace(0.5, 0.999, 40).tolist()), (1.0,) * 40, 53)
TOO_FEW = Calibration(0.7, 0.0, (0.9, 0.99), (1.0, 1.0), 3)


@pytest.fixture
def session(trained: Trained, tmp_path: Path) -> Session:
    """A session with a classifier, which tests replace."""
    return trained.copy(tmp_path / "known")


def give(session: Session, calibration: Calibration | None, quality: Mapping[str, Any] | None = None) -> None:
    path = session.layout.classifier.classifier()
    classifier = read_classifier(path)
    record = {**classifier.record, "quality": quality or {}}
    write_classifier(dataclasses.replace(classifier, calibration=calibration, record=record), path)


def open_dialog(tab: Tab) -> None:
    tab.shown()
    tab.press("Shift+P")
    tab.button("Classify…").click()
    expect(tab.find("dialog h2")).to_have_text("Classify")


def test_a_calibrated_classifier_offers_error_rates_and_the_chosen_one_is_sent(
    session: Session, start_app: Callable[..., App], visit: Callable[..., Tab]
):
    give(session, SUFFICIENT)
    tab = visit(start_app(session.experiment))
    open_dialog(tab)
    expect(tab.find(f"{OFFER} button")).to_have_text(["0.5 %", "1 %", "2 %", "5 %"])
    expect(tab.find(f"{OFFER} [aria-pressed=true]")).to_have_text("1 %")
    expect(tab.find("dialog")).not_to_contain_text("A fixed cautious rule decides")
    tab.find(f"{OFFER} button").last.click()
    expect(tab.find("dialog")).to_contain_text("About one in twenty of the assigned IDs may be wrong")
    with tab.page.expect_request("**/classify") as asked:
        tab.button("Classify", "dialog footer").click()
    assert json.loads(asked.value.post_data or "")["max_error"] == 0.05


@pytest.mark.parametrize(("calibration", "why"), [(None, "It was never measured"), (TOO_FEW, "too few tracklets")])
def test_without_calibration_none_is_offered_and_why_is_told(
    session: Session,
    start_app: Callable[..., App],
    visit: Callable[..., Tab],
    calibration: Calibration | None,
    why: str,
):
    give(session, calibration)
    tab = visit(start_app(session.experiment))
    open_dialog(tab)
    expect(tab.find("dialog .callout")).to_contain_text("A fixed cautious rule decides")
    expect(tab.find("dialog .callout")).to_contain_text(why)
    expect(tab.find(OFFER)).to_have_count(0)
    with tab.page.expect_request("**/classify") as asked:
        tab.button("Classify", "dialog footer").click()
    assert "max_error" not in json.loads(asked.value.post_data or "")


def test_a_poor_network_is_told(session: Session, start_app: Callable[..., App], visit: Callable[..., Tab]):
    give(session, SUFFICIENT, {"poor": True, "image_accuracy": 0.05})
    tab = visit(start_app(session.experiment))
    open_dialog(tab)
    expect(tab.find("dialog .callout")).to_contain_text("This classifier is a poor network")
    expect(tab.find(OFFER)).to_be_visible()


def test_a_classifier_that_changes_while_the_page_is_open_changes_the_offer(
    session: Session, start_app: Callable[..., App], visit: Callable[..., Tab]
):
    give(session, None)
    tab = visit(start_app(session.experiment))
    open_dialog(tab)
    expect(tab.find(OFFER)).to_have_count(0)
    tab.press("Escape")
    give(session, SUFFICIENT)

    def is_offered() -> bool:
        open_dialog(tab)
        found = tab.find(OFFER).count() == 1
        tab.press("Escape")
        return found

    tab.until(is_offered)
