"""What old marks say of a new classification, and which of several marks is believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antrax.labels import Category
from antrax.review.validation.checks import Check, collect_checks, last_word, rescore
from antrax.review.validation.verdicts import Mark, Verdict, verdicts_for

CORRECT, WRONG, NO_ID = Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ID
ANT, NOT_ANT = Verdict.ANT, Verdict.NOT_ANT
UNKNOWN, IDENTIFIABLE = Verdict.RIGHTLY_UNKNOWN, Verdict.IDENTIFIABLE
KINDS = {
    "AB": Category.ANT,
    "CD": Category.ANT,
    "EF": Category.ANT,
    "NoAnt": Category.NONANT,
    "Larva": Category.NONANT,
    "Multi": Category.MULTI,
    "Unknown": Category.UNKNOWN,
}
TRACKLET, OTHER = "trj_id3_ti1_10_tf1_40", "trj_id4_ti2_10_tf2_40"


def mark(
    label: str, verdict: Verdict | None, true_label: str = "", classification: str = "old", **more: object
) -> Mark:
    values = {
        "time": "2026-11-05T12:34:56Z",
        "who": "Anna",
        "movie": 1,
        "tracklet": TRACKLET,
        "confidence": 0.9,
        "images": 31,
        "met": "random",
        "seen": False,
        **more,
    }
    return Mark(
        classification=classification,
        label=label,
        category=KINDS[label],
        verdict=verdict,
        true_label=true_label,
        **values,
    )


@pytest.mark.parametrize(
    ("label", "verdict", "true_label", "told"),
    # what is told of the new labels AB, CD, EF, NoAnt, Multi, Unknown
    [
        ("AB", CORRECT, "", [CORRECT, WRONG, WRONG, ANT, ANT, IDENTIFIABLE]),
        ("AB", WRONG, "", [WRONG, None, None, ANT, ANT, IDENTIFIABLE]),
        ("AB", WRONG, "CD", [WRONG, CORRECT, WRONG, ANT, ANT, IDENTIFIABLE]),
        ("AB", WRONG, "NoAnt", [WRONG, NO_ID, NO_ID, NOT_ANT, NOT_ANT, UNKNOWN]),
        ("AB", WRONG, "Unknown", [WRONG, NO_ID, NO_ID, None, None, UNKNOWN]),
        ("AB", WRONG, "AB", [WRONG, None, None, ANT, ANT, IDENTIFIABLE]),
        ("AB", NO_ID, "", [NO_ID, NO_ID, NO_ID, None, None, UNKNOWN]),
        ("AB", NO_ID, "Multi", [NO_ID, NO_ID, NO_ID, NOT_ANT, NOT_ANT, UNKNOWN]),
        ("AB", NO_ID, "Unknown", [NO_ID, NO_ID, NO_ID, None, None, UNKNOWN]),
        ("Larva", NOT_ANT, "", [NO_ID, NO_ID, NO_ID, NOT_ANT, NOT_ANT, UNKNOWN]),
        ("Larva", ANT, "", [None, None, None, ANT, ANT, None]),
        ("Larva", ANT, "CD", [WRONG, CORRECT, WRONG, ANT, ANT, IDENTIFIABLE]),
        ("Larva", ANT, "Unknown", [NO_ID, NO_ID, NO_ID, ANT, ANT, UNKNOWN]),
        ("Multi", NOT_ANT, "", [NO_ID, NO_ID, NO_ID, NOT_ANT, NOT_ANT, UNKNOWN]),
        ("Unknown", UNKNOWN, "", [NO_ID, NO_ID, NO_ID, None, None, UNKNOWN]),
        ("Unknown", UNKNOWN, "NoAnt", [NO_ID, NO_ID, NO_ID, NOT_ANT, NOT_ANT, UNKNOWN]),
        ("Unknown", IDENTIFIABLE, "", [None, None, None, ANT, ANT, IDENTIFIABLE]),
        ("Unknown", IDENTIFIABLE, "CD", [WRONG, CORRECT, WRONG, ANT, ANT, IDENTIFIABLE]),
        ("Unknown", NOT_ANT, "", [NO_ID, NO_ID, NO_ID, NOT_ANT, NOT_ANT, NOT_ANT]),
        ("Unknown", NOT_ANT, "Multi", [NO_ID, NO_ID, NO_ID, NOT_ANT, NOT_ANT, NOT_ANT]),
        ("AB", None, "", [None] * 6),
    ],
)
@pytest.mark.parametrize("categories", [KINDS, None])
def test_a_mark_says_of_a_new_label_what_it_tells_and_no_more(label, verdict, true_label, told, categories):
    new = ["AB", "CD", "EF", "NoAnt", "Multi", "Unknown"]
    assert [rescore(mark(label, verdict, true_label), name, KINDS[name], categories) for name in new] == told


@pytest.mark.parametrize("label", KINDS)
def test_where_the_label_has_stayed_the_verdict_stays(label):
    for verdict in verdicts_for(KINDS[label]):
        for true_label in ("", *KINDS):
            assert rescore(mark(label, verdict, true_label), label, KINDS[label]) == verdict


def test_whatever_a_mark_says_can_be_said_of_the_new_label():
    for old, category in KINDS.items():
        for verdict in verdicts_for(category):
            for true_label in ("", *KINDS):
                for new, kind in KINDS.items():
                    told = rescore(mark(old, verdict, true_label), new, kind, KINDS)
                    assert told is None or told in verdicts_for(kind)


def test_an_id_that_the_experiment_has_no_more_does_not_make_others_wrong():
    renamed = {name: kind for name, kind in KINDS.items() if name != "AB"}
    assert rescore(mark("AB", CORRECT), "CD", Category.ANT, renamed) is None
    assert rescore(mark("AB", CORRECT), "Unknown", Category.UNKNOWN, renamed) == IDENTIFIABLE


def test_a_label_that_changed_its_kind_is_judged_by_nothing_said_before():
    assert rescore(mark("AB", CORRECT), "AB", Category.NONANT) is None


# ---- which mark is believed


def believed(history: list[Mark], label: str = "AB", classification: str | None = "now"):
    return last_word(history, classification, label, KINDS[label], KINDS)


def test_the_last_mark_of_this_classification_is_believed_before_any_other():
    now = mark("AB", WRONG, "CD", "now")
    assert believed([mark("AB", CORRECT), mark("AB", CORRECT, "", "now"), now]) == (now, WRONG)
    later = mark("AB", CORRECT, "", "another")
    assert believed([now, later]) == (now, WRONG)


def test_an_earlier_mark_is_rescored_and_one_that_tells_nothing_is_passed_over():
    telling, silent = mark("CD", WRONG, "AB", "first"), mark("EF", WRONG, "", "second")
    assert believed([telling, silent]) == (telling, CORRECT)
    assert believed([silent]) is None
    assert believed([]) is None


def test_an_earlier_mark_that_a_newer_one_contradicts_is_not_believed():
    assert believed([mark("CD", CORRECT, "", "first"), mark("CD", WRONG, "", "second")]) is None


def test_taking_back_takes_back_what_was_said_in_the_same_classification():
    old = mark("AB", CORRECT)
    slip, back = mark("AB", WRONG, "", "now"), mark("AB", None, "", "now")
    assert believed([old, slip, back]) == (old, CORRECT)
    assert believed([slip, slip, back]) is None
    assert believed([old, slip, back, slip]) == (slip, WRONG)


def test_taking_back_where_nothing_was_said_yet_takes_back_everything_before():
    old, back = mark("AB", CORRECT), mark("AB", None, "", "now")
    assert believed([old, back]) is None
    assert believed([old, mark("AB", WRONG, "", "now"), back, back]) is None
    again = mark("AB", CORRECT, "", "later")
    assert believed([old, back, again]) == (again, CORRECT)


# ---- checks


def collect(marks: list[Mark], labels: dict[str, str], **more: object) -> list[Check]:
    def assignment(tracklet: str) -> tuple[str, Category] | None:
        return (labels[tracklet], KINDS[labels[tracklet]]) if tracklet in labels else None

    return collect_checks(marks, assignment, {1: "now", 2: "now"}.get, KINDS, **more)


def test_each_tracklet_is_checked_once_with_what_was_last_said_of_it():
    marks = [
        mark("AB", WRONG, "", "now"),
        mark("AB", CORRECT, "", "now", met="useful"),
        mark("Unknown", IDENTIFIABLE, "CD", "old", tracklet=OTHER, movie=2, images=5),
    ]
    assert collect(marks, {TRACKLET: "AB", OTHER: "AB"}, seen_of=lambda tracklet: False) == [
        Check(Category.ANT, CORRECT, 31, rescored=False, random=False, seen=False, tracklet=TRACKLET),
        Check(Category.ANT, WRONG, 5, rescored=True, random=True, seen=False, tracklet=OTHER),
    ]


def test_tracklets_that_are_not_classified_or_of_which_nothing_is_told_are_no_checks():
    marks = [mark("AB", WRONG), replace(mark("AB", CORRECT), tracklet=OTHER)]
    assert collect(marks, {TRACKLET: "CD"}) == []


def test_an_earlier_mark_counts_as_seen_where_the_images_may_since_have_been_trained_on():
    old = [mark("AB", CORRECT)]
    assert [check.seen for check in collect(old, {TRACKLET: "AB"})] == [True]
    assert [check.seen for check in collect(old, {TRACKLET: "AB"}, seen_of=lambda name: name == OTHER)] == [False]
    assert [check.seen for check in collect(old, {TRACKLET: "AB"}, seen_of=lambda name: True)] == [True]
    now = [mark("AB", CORRECT, "", "now")]
    assert [check.seen for check in collect(now, {TRACKLET: "AB"}, seen_of=lambda name: True)] == [False]
    assert [check.seen for check in collect([replace(now[0], seen=True)], {TRACKLET: "AB"})] == [True]
