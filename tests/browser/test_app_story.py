"""The whole story in a real browser: labelling, training, classifying and checking, all from the app."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable

from playwright.sync_api import expect

from antrax.io.session import Session
from tests.browser.driver import App, Tab, counts_of, exported
from tests.fixtures.classified import true_labels

# A network is trained on a machine that may be busy with other tests.
TRAINING_S = 900


def marks_file(session: Session) -> list[dict[str, str]]:
    with (session.path / "validation" / "marks.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_from_the_first_label_to_the_check_and_a_restart(
    session: Session, app: App, tab: Tab, start_app: Callable[..., App], visit: Callable[..., Tab]
):
    labelled = label_twenty_tracklets(session, tab)
    labelled |= choose_frames_of_another(session, tab)
    take_back_an_export(session, tab, labelled)
    filter_by_movie(tab)
    train_and_go_on_labelling(session, tab, labelled)
    classify_and_see_labels(session, tab)
    marked = check_two_tracklets(session, tab)

    tab.page.close()
    app.end()
    again = visit(start_app(session.experiment))
    again.shown()
    again.press("Shift+V")
    again.checked(2)
    for tracklet, title in marked.items():
        again.go_to(tracklet)
        expect(again.find(".verdict[aria-pressed=true]")).to_contain_text(title)


def label_twenty_tracklets(session: Session, tab: Tab) -> dict[str, dict[str, int]]:
    truth, counts = true_labels(session), counts_of(session)
    before = tab.shown()
    tab.order("In time")
    tab.other_than(before)
    labelled: dict[str, dict[str, int]] = {}
    for _ in range(20):
        name = tab.shown()
        tab.type_label(truth[name])
        tab.press("Enter")
        tab.other_than(name)
        labelled[name] = {truth[name]: counts[name]}
    tab.saved()
    assert len(labelled) == 20
    assert exported(session) == labelled
    return labelled


def choose_frames_of_another(session: Session, tab: Tab) -> dict[str, dict[str, int]]:
    name = next(name for name, count in counts_of(session).items() if count > 6 and name not in exported(session))
    label = next(label for label in session.labels.ants if label != true_labels(session)[name])
    tab.go_to(name)
    tab.press("Space", "Shift+ArrowRight", "Shift+ArrowRight")
    expect(tab.find(".chosen")).to_have_text("3 chosen")
    tab.type_label(label)
    tab.look()
    tab.press("Enter")
    tab.said("3 images")
    tab.press("End", "Space", "Shift+U")
    tab.said("1 image")
    tab.press("Escape")
    expect(tab.find(".head-examples")).to_contain_text(re.compile(rf"{label}3.*Unknown1|Unknown1.*{label}3"))
    return {name: {label: 3, "Unknown": 1}}


def take_back_an_export(session: Session, tab: Tab, labelled: dict[str, dict[str, int]]) -> None:
    assert exported(session) == labelled
    name = next(name for name in counts_of(session) if name not in labelled)
    tab.go_to(name)
    tab.type_label("NoAnt")
    tab.press("Enter")
    tab.other_than(name)
    tab.saved()
    assert name in exported(session)
    tab.press("Control+z")
    tab.shows(name)  # back to what was undone
    tab.until(lambda: exported(session) == labelled)


def filter_by_movie(tab: Tab) -> None:
    before = tab.shown()
    tab.filter("Movie 2")
    assert "_ti2_" in tab.other_than(before)
    expect(tab.find("#open-tracklets")).to_contain_text("Movie 2")


def train_and_go_on_labelling(session: Session, tab: Tab, labelled: dict[str, dict[str, int]]) -> None:
    tab.press("Shift+R")
    tab.find("dialog[open]").get_by_label("Epochs", exact=True).fill("1")
    tab.press("Enter")
    expect(tab.find("#job-status")).to_contain_text("Training")
    name = tab.shown()
    tab.type_label("Unknown")
    tab.press("Enter")
    tab.other_than(name)
    tab.saved()
    assert exported(session) == labelled | {name: {"Unknown": counts_of(session, 2)[name]}}
    expect(tab.find("#job-status")).to_contain_text("Trained", timeout=TRAINING_S * 1000)
    assert (session.classifier_dir / "classifier.h5").is_file()


def classify_and_see_labels(session: Session, tab: Tab) -> None:
    expect(tab.find(".head-line .badge")).to_have_text("not classified")
    tab.press("Shift+C")
    expect(tab.find("dialog[open]")).to_contain_text("All 2 movies")
    tab.press("Enter")
    expect(tab.find("#job-status")).to_contain_text("Classified", timeout=TRAINING_S * 1000)
    expect(tab.find(".head-line .badge")).not_to_have_text("not classified")
    with (session.labels_dir / "autoids_2.csv").open(newline="", encoding="utf-8") as file:
        given = {row["tracklet"]: row["label"] for row in csv.DictReader(file)}
    assert set(given) == set(counts_of(session, 2))
    expect(tab.find(".head-line .badge .name")).to_have_text(given[tab.shown()])
    expect(tab.find("#strip")).to_be_visible()


def check_two_tracklets(session: Session, tab: Tab) -> dict[str, str]:
    """The tracklets that were marked, and how."""
    tab.press("Shift+V")
    tab.checked(0)
    first = tab.shown()
    title = tab.find(".verdict").first.inner_text().split("\n")[-1]
    tab.press("1")
    second = tab.other_than(first)
    tab.checked(1)
    # of something that is no ant nobody can say which ant it is
    while tab.find(".verdict").nth(1).inner_text().split("\n")[-1] == "Is an ant":
        tab.press("ArrowRight")
        second = tab.other_than(second)
    other = tab.find(".verdict").nth(1).inner_text().split("\n")[-1]
    tab.press("2")
    expect(tab.find(".truth input[type=text]")).to_be_focused()
    truth = next(label for label in session.labels.ants if tab.find(".badge .name").inner_text() != label)
    tab.page.keyboard.type(truth.lower())
    tab.press("Enter")
    tab.other_than(second)
    tab.checked(2)
    # the mark is kept at once, and again with the true label when that is given
    tab.until(lambda: marks_file(session)[-1]["true_label"] == truth)
    assert {row["tracklet"] for row in marks_file(session)} == {first, second}
    return {first: title, second: other}
