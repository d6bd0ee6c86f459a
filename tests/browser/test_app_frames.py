"""Select frames: choosing by the strip of probabilities, sizes, doubtful images as Unknown and the rest as the ID."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from playwright.sync_api import expect

from antrax.io.results import Classified, Decision
from antrax.io.results_writer import MovieWriter
from antrax.io.session import Session
from antrax.io.stacks import open_stack
from antrax.labels import UNKNOWN
from tests.browser.driver import App, Tab, counts_of, exported
from tests.fixtures.classified import true_labels


def classify_with_doubts(session: Session) -> tuple[str, str, int]:
    """Classify movie 1, every third image of each tracklet doubtful; its longest ant, the label, its images."""
    columns = session.labels.all
    given = true_labels(session)
    session.labels_dir.mkdir(exist_ok=True)
    writer = MovieWriter(session, 1, columns, {"test": True})
    (path,) = session.stacks[1]
    with open_stack(path) as stack:
        for name in stack.tracklets():
            label, images = given[name.name], stack.count(name.name)
            probabilities = np.full((images, len(columns)), 0.01, np.float32)
            probabilities[:, columns.index(label)] = 0.9
            probabilities[::3, columns.index(label)] = 0.3
            is_ant = label in session.labels.ants
            other = next(each for each in columns if each not in (label, UNKNOWN))
            decision = Decision(label, 0.9, label, other, 0.05, 5.0 if is_ant else 0.0, 2 if is_ant else 0, images)
            writer.add(Classified(name.name, decision, probabilities, images))
    writer.commit()
    counts = counts_of(session)
    longest = max((each for each in counts if given[each] in session.labels.ants), key=counts.__getitem__)
    return longest, given[longest], counts[longest]


def selection(tab: Tab) -> list[int]:
    """The chosen images."""
    found: list[int] = tab.page.evaluate("async () => (await import('/static/js/views/frames.js')).frames.selection")
    return found


def on_strip(tab: Tab, image: int, images: int) -> tuple[float, float]:
    """Where an image lies on the strip."""
    box = tab.find("#strip canvas").bounding_box()
    assert box
    return box["x"] + (image + 0.5) * box["width"] / images, box["y"] + box["height"] / 2


def test_doubtful_images_become_unknown_and_the_rest_the_id(session: Session, app: App, visit: Callable[..., Tab]):
    name, label, images = classify_with_doubts(session)
    doubted = list(range(0, images, 3))
    tab = visit(app)
    tab.shown()
    tab.go_to(name)
    tab.press("Space", "<")
    assert selection(tab) == doubted
    tab.look()
    tab.press("Control+Enter")
    tab.saved()
    tab.until(lambda: exported(session).get(name) == {UNKNOWN: len(doubted), label: images - len(doubted)})


def test_export_the_rest_leaves_alone_what_was_put_aside_as_unknown(
    session: Session, app: App, visit: Callable[..., Tab]
):
    name, label, images = classify_with_doubts(session)
    doubted = len(range(0, images, 3))
    tab = visit(app)
    tab.shown()
    tab.go_to(name)
    tab.press("Space", "<")
    tab.look()
    tab.press("Shift+U")
    tab.saved()
    tab.press("Escape")
    tab.shown()
    tab.type_label(label)
    expect(tab.find("#export-all")).to_contain_text("Export the rest as")
    tab.look()
    tab.press("Enter")
    tab.saved()
    tab.until(lambda: exported(session).get(name) == {UNKNOWN: doubted, label: images - doubted})


def test_the_strip_chooses_by_dragging_and_by_shift_and_click(session: Session, app: App, visit: Callable[..., Tab]):
    name, _, images = classify_with_doubts(session)
    tab = visit(app)
    tab.shown()
    tab.go_to(name)
    mouse = tab.page.mouse
    mouse.move(*on_strip(tab, 1, images))
    mouse.down()
    mouse.move(*on_strip(tab, 3, images), steps=4)
    mouse.up()
    expect(tab.find("#frames")).to_be_visible()
    assert selection(tab) == [1, 2, 3]
    tab.press("Shift+A")
    mouse.click(*on_strip(tab, 2, images))
    assert selection(tab) == []
    tab.page.keyboard.down("Shift")
    mouse.click(*on_strip(tab, 5, images))
    tab.page.keyboard.up("Shift")
    assert selection(tab) == [2, 3, 4, 5]


def test_images_to_choose_from_are_made_smaller_and_larger(session: Session, app: App, visit: Callable[..., Tab]):
    name, _, _ = classify_with_doubts(session)
    tab = visit(app)
    tab.shown()
    tab.go_to(name)
    tab.press("Space")
    scale = "async () => (await import('/static/js/core/prefs.js')).preference('framesScale')"
    assert tab.page.evaluate(scale) is None
    tab.press("-")
    smaller = tab.page.evaluate(scale)
    tab.press("+", "+")
    assert tab.page.evaluate(scale) == smaller + 2
    tab.button("Smaller", ".frames-bar").click()
    assert tab.page.evaluate(scale) == smaller + 1
