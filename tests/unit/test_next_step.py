"""What is best done next with a session."""

from __future__ import annotations

import dataclasses

import pytest

from antrax.labels import UNKNOWN, Labels
from antrax.review.next_step import Action, Situation, Trained, next_step
from antrax.review.training_set.files import Count

ANTS = ("BB", "BG", "GB", "GG")
GOOD = Trained(400, dict.fromkeys(ANTS, 100), dict.fromkeys(ANTS, (50, 0.98)))


def situation(**change) -> Situation:
    """A session in which all is done but the checks."""
    done = Situation(
        labels=Labels(ANTS),
        examples=dict.fromkeys(ANTS, Count(100, 10)),
        trained=GOOD,
        unclassified=0,
        outdated=0,
        movies=8,
        more_checks=lambda: (300, "300 more checks are needed."),
    )
    return dataclasses.replace(done, **change)


def test_first_of_all_the_labels():
    step = next_step(situation(labels=Labels(()), examples={}, trained=None))
    assert step.action is Action.LABELS


@pytest.mark.parametrize(
    ("labelled", "action", "text"),
    [
        ([], Action.LABEL, "0 of 4 IDs have examples"),
        (["BB"], Action.LABEL, "1 of 4 IDs have examples"),
        (["BB", "GG"], Action.TRAIN, "2 of 4 IDs have examples, BG, GB not yet"),
        (ANTS, Action.TRAIN, "All IDs have examples"),
    ],
)
def test_the_first_classifier_is_trained_when_half_of_the_ids_have_examples(labelled, action, text):
    step = next_step(situation(examples=dict.fromkeys(labelled, Count(10, 2)), trained=None, unclassified=8))
    assert step.action is action
    assert step.text.startswith(text)


def test_a_single_label_trains_no_classifier():
    alone = situation(labels=Labels(("BB", "GG")), examples={"BB": Count(10, 2)}, trained=None)
    assert next_step(alone).action is Action.LABEL


@pytest.mark.parametrize(
    ("movies", "text"), [(8, "Nothing is classified yet."), (3, "3 of 8 movies are not classified yet.")]
)
def test_what_is_not_classified_is_classified_next(movies, text):
    step = next_step(situation(unclassified=movies, outdated=2))
    assert (step.action, step.text) == (Action.CLASSIFY, text)


@pytest.mark.parametrize(("added", "action"), [(20, Action.TRAIN), (19, Action.CHECK)])
def test_many_new_examples_are_trained_on(added, action):
    examples = dict.fromkeys(ANTS, Count(100, 10)) | {"BB": Count(100 + added, 12)}
    assert next_step(situation(examples=examples)).action is action


def test_of_a_classifier_that_tells_nothing_no_examples_are_new():
    assert next_step(situation(trained=Trained(None, {}, {}))).action is Action.CHECK


def test_labels_that_are_older_than_the_classifier_are_made_anew():
    assert next_step(situation(outdated=8)).text == (
        "The predicted labels are older than the classifier: classify again."
    )
    assert "The predicted labels of 2 movies are older" in next_step(situation(outdated=2)).text
    assert next_step(situation(outdated=2)).action is Action.CLASSIFY


def test_an_id_with_few_tracklets_is_labelled_more_the_one_with_fewest_first():
    few = {"BB": Count(100, 10), "BG": Count(100, 4), "GB": Count(100, 2), "GG": Count(100, 10)}
    step = next_step(situation(examples=few))
    assert (step.action, step.label) == (Action.LOOK, "GB")
    assert step.text.startswith("GB has examples of 2 tracklets, fewer than 5 (so have BG)")


def test_an_id_that_is_recognised_badly_is_labelled_more_the_worst_first():
    weak = {"BB": (50, 0.98), "BG": (50, 0.8), "GB": (50, 0.7), "GG": (19, 0.1), UNKNOWN: (50, 0.2)}
    trained = dataclasses.replace(GOOD, recognised=weak)
    step = next_step(situation(trained=trained))
    assert (step.action, step.label) == (Action.LOOK, "GB")
    assert "70\u00a0%" in step.text
    # one that got examples since counts as mended until the next training
    examples = dict.fromkeys(ANTS, Count(100, 10)) | {"GB": Count(110, 11)}
    assert next_step(situation(trained=trained, examples=examples)).label == "BG"


def test_at_last_checks_until_they_are_enough():
    assert next_step(situation()).action is Action.CHECK
    assert next_step(situation()).text == "300 more checks are needed."
    enough = next_step(situation(more_checks=lambda: (0, "Shown: fewer than 1 % of the IDs are wrong.")))
    assert (enough.action, enough.text) == (None, "Shown: fewer than 1 % of the IDs are wrong.")
