"""A training that ended with the app is told, and gone on with, when the app is started the next time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
import pytest
from playwright.sync_api import expect

from antrax.io.session import Session
from tests.browser.driver import App, Tab
from tests.fixtures.trained import Trained


@pytest.fixture
def session(trained: Trained, tmp_path: Path) -> Session:
    """A session with examples."""
    return trained.copy(tmp_path / "known")


def start_training(app: App, epochs: int) -> None:
    token = app.address.partition("token=")[2]
    with httpx.Client(base_url=app.root, headers={"Authorization": f"token {token}", "X-Antrax": "1"}) as client:
        start = client.get("/api/places").json()["start"]
        answer = client.post(f"/api/s/{start['place']}/{start['session']}/train", json={"epochs": epochs})
        assert answer.status_code == 200, answer.text


def test_a_training_that_ended_with_the_app_can_be_gone_on_with(
    session: Session, start_app: Callable[..., App], visit: Callable[..., Tab]
):
    app = start_app(session.experiment)
    start_training(app, 40)
    app.end()
    tab = visit(start_app(session.experiment))
    tab.told("was interrupted when the app ended. Started again with the same examples and settings, it goes on")
    with tab.page.expect_request("**/train") as asked:
        tab.button("Go on").click()
    assert json.loads(asked.value.post_data or "")["epochs"] == 40
    expect(tab.find("#job-status")).to_contain_text("Training")
