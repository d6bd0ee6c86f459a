"""What classification said of tracklets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from antrax.errors import ExperimentError
from antrax.io.results import Classified, Decision
from antrax.io.results_writer import MovieWriter
from antrax.io.session import Session, open_session
from antrax.review.tracklets.assignments import Assignment, Assignments
from tests.conftest import MakeSession

A, B, C = "trj_id1_ti1_1_tf1_3", "trj_id2_ti1_2_tf1_9", "trj_id1_ti1_7_tf1_8"
LABELS = ("AB", "CD", "NoAnt")
ANTRAX = f"tracklet,label,score,best_frame\n{A},AB,2.5,3\n{B},Unknown,0.0,0\n"


@pytest.fixture
def session(make_session: MakeSession) -> Session:
    return open_session(make_session())


def classify(session: Session, movie: int, labels: Mapping[str, str], images: int = 2) -> None:
    """Write results as classification does."""
    writer = MovieWriter(session, movie, LABELS, {})
    for tracklet, label in labels.items():
        probabilities = np.full((images, 3), [0.5, 0.25, 0.25], np.float32)
        score, frame = (1.5, 2) if label in ("AB", "CD") else (0.0, 0)
        decision = Decision(
            label=label,
            confidence=0.75,
            best_label="AB",
            runner_up="CD",
            runner_up_confidence=0.125,
            score=score,
            best_frame=frame,
            votes=images,
        )
        writer.add(Classified(tracklet, decision, probabilities, -1))
    writer.commit()


def write(session: Session, content: str, movie: int = 1) -> Path:
    path = session.labels_dir / f"autoids_{movie}.csv"
    path.write_text(content, encoding="utf-8")
    return path


def test_reads_what_classification_wrote(session: Session) -> None:
    classify(session, 1, {A: "AB", B: "Unknown"}, images=4)
    assignments = Assignments(session)
    assert assignments.movies == (1,)
    assert assignments.of(A) == Assignment("AB", 1.5, 2, 0.75, "AB", "CD", 0.125, images=4, votes=4)
    assert assignments.of(B) == Assignment("Unknown", 0.0, 0, 0.75, "AB", "CD", 0.125, images=4, votes=4)
    assert list(assignments.movie(1)) == [A, B]


def test_reads_results_of_antrax_which_have_no_confidences(session: Session) -> None:
    write(session, ANTRAX)
    assert Assignments(session).movie(1) == {A: Assignment("AB", 2.5, 3), B: Assignment("Unknown", 0.0, 0)}


def test_reads_a_real_session(real_session: Path) -> None:
    assignments = Assignments(open_session(real_session))
    assert assignments.movies == (1, 2, 3, 4, 5, 6)
    counts = assignments.counts(assignments.movies)
    assert counts.total() == 616
    assert counts["Unknown"] == 37
    assert assignments.problems == ()


def test_a_spreadsheet_may_have_touched_the_file(session: Session) -> None:
    path = session.labels_dir / "autoids_1.csv"
    path.write_bytes(b"\xef\xbb\xbfbest_frame,label,tracklet,score\r\n3.0,AB," + A.encode() + b",2.5\r\n\r\n")
    assert Assignments(session).movie(1) == {A: Assignment("AB", 2.5, 3)}


def test_without_results_there_are_none(session: Session) -> None:
    session.labels_dir.rmdir()
    assignments = Assignments(session)
    assert assignments.movies == ()
    assert assignments.movie(1) == {}
    assert assignments.of(A) is None
    assert assignments.classification(1) is None
    assert assignments.counts([1, 2]) == {}
    assert assignments.probabilities(A, ["AB"]) is None


@pytest.mark.parametrize("tracklet", ["", "nothing", "trj_id1_ti1_1_tf2_3", "trj_id1_ti" + "1" * 9000 + "_1_tf1_2"])
def test_of_what_is_no_tracklet_nothing_was_said(session: Session, tracklet: str) -> None:
    classify(session, 1, {A: "AB"})
    assignments = Assignments(session)
    assert assignments.of(tracklet) is None
    assert assignments.probabilities(tracklet, LABELS) is None


def test_results_that_are_no_movies_own_are_passed_over(session: Session) -> None:
    for name in ("manualids.csv", "._autoids_1.csv", ".autoids_1.csv.1234.part", "autoids_x.csv", "autoids_1.csv~"):
        (session.labels_dir / name).write_text("nothing")
    assert Assignments(session).movies == ()


def test_results_that_come_change_and_go_are_noticed_on_refresh(session: Session) -> None:
    assignments = Assignments(session)
    versions = [assignments.version]
    for labels in ({A: "AB"}, {A: "CD"}, None):
        if labels:
            classify(session, 1, labels)
        else:
            (session.labels_dir / "autoids_1.csv").unlink()
        assignments.refresh()
        versions.append(assignments.version)
        assert assignments.movies == ((1,) if labels else ())
        assert {name: said.label for name, said in assignments.movie(1).items()} == (labels or {})
    assert len(set(versions)) == 4


def test_the_version_stays_while_nothing_changes(session: Session) -> None:
    classify(session, 1, {A: "AB"})
    assignments = Assignments(session)
    version, table = assignments.version, assignments.movie(1)
    assignments.refresh()
    assert assignments.version == version == Assignments(session).version
    assert assignments.movie(1) is table


def test_a_classification_is_told_by_its_content(session: Session) -> None:
    path = write(session, ANTRAX)
    first = Assignments(session).classification(1)
    assert first is not None and len(first) == 16 and int(first, 16) >= 0
    os.utime(path, (5, 5))
    assert Assignments(session).classification(1) == first
    write(session, ANTRAX.replace("AB", "CD"))
    assert Assignments(session).classification(1) != first


def test_counts_tracklets_by_label_over_movies(session: Session) -> None:
    classify(session, 1, {A: "AB", B: "Unknown"})
    classify(session, 2, {"trj_id1_ti2_1_tf2_3": "AB", "trj_id2_ti2_1_tf2_3": "NoAnt"})
    assignments = Assignments(session)
    assert assignments.counts([1, 2, 3]) == {"AB": 2, "Unknown": 1, "NoAnt": 1}
    assert assignments.counts([2]) == {"AB": 1, "NoAnt": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"tracklet,label\n",
        f"tracklet,label,score,best_frame\n{A},AB\n".encode(),
        f"tracklet,label,score,best_frame\n{A},AB,much,1\n".encode(),
        f"tracklet,label,score,best_frame\n{A},AB,1,inf\n".encode(),
        b"\xff\xfe\x00nothing",
    ],
)
def test_damaged_results_raise_only_for_their_own_movie(session: Session, content: bytes) -> None:
    (session.labels_dir / "autoids_1.csv").write_bytes(content)
    classify(session, 2, {"trj_id1_ti2_1_tf2_3": "AB"})
    assignments = Assignments(session)
    with pytest.raises(ExperimentError, match=r"autoids_1\.csv"):
        assignments.movie(1)
    with pytest.raises(ExperimentError, match=r"autoids_1\.csv"):
        assignments.of(A)
    assert assignments.counts([1, 2]) == {"AB": 1}
    assert len(assignments.problems) == 1
    classify(session, 1, {A: "CD"})
    assignments.refresh()
    assert assignments.counts([1, 2]) == {"AB": 1, "CD": 1}
    assert assignments.problems == ()


def test_damaged_confidences_leave_the_labels(session: Session) -> None:
    classify(session, 1, {A: "AB"})
    (session.labels_dir / "confidence_1.csv").write_text("nothing")
    assignments = Assignments(session)
    assert assignments.of(A) == Assignment("AB", 1.5, 2)
    assert "confidence_1.csv" in assignments.problems[0]


def test_confidences_of_another_classification_do_not_count(session: Session) -> None:
    classify(session, 1, {A: "CD", B: "Unknown"})
    write(session, ANTRAX)
    assignments = Assignments(session)
    assert assignments.of(A) == Assignment("AB", 2.5, 3)
    # not even where the label is the same: it may be so for another reason
    assert assignments.of(B) == Assignment("Unknown", 0.0, 0)
    assert "of another classification" in assignments.problems[0]


def test_an_empty_label_is_unknown(session: Session) -> None:
    write(session, f"tracklet,label,score,best_frame\n{A},,0,0\n{B},,0,0\n")
    assert Assignments(session).counts([1]) == {"Unknown": 2}


@pytest.mark.parametrize(("labels", "expected"), [(("CD", "AB"), [0.25, 0.5]), (("NoAnt",), [0.25]), ((), [])])
def test_gives_the_probabilities_of_a_tracklets_images(
    session: Session, labels: Sequence[str], expected: list[float]
) -> None:
    classify(session, 1, {A: "AB", B: "AB"}, images=3)
    found = Assignments(session).probabilities(B, labels)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.full((3, len(labels)), expected, np.float32))


def test_a_label_that_the_classifier_did_not_know_has_no_probability(session: Session) -> None:
    classify(session, 1, {A: "AB"})
    found = Assignments(session).probabilities(A, ["New", "AB"])
    assert found is not None
    np.testing.assert_array_equal(found, [[np.nan, 0.5]] * 2)


def test_probabilities_are_those_of_the_labels_that_are_shown(session: Session) -> None:
    classify(session, 1, {A: "AB"}, images=2)
    assignments = Assignments(session)
    assert assignments.probabilities(C, LABELS) is None
    assert assignments.probabilities(A, LABELS) is not None
    classify(session, 1, {C: "AB", A: "AB"}, images=5)
    # labels of one classification are not shown with probabilities of another
    assert assignments.probabilities(A, LABELS) is None
    assignments.refresh()
    for tracklet in (A, C):
        found = assignments.probabilities(tracklet, LABELS)
        assert found is not None and found.shape == (5, 3)


def test_damaged_probabilities_are_none(session: Session) -> None:
    classify(session, 1, {A: "AB"})
    path = session.labels_dir / "frameprobs_1.h5"
    path.write_bytes(path.read_bytes()[:100])
    assert Assignments(session).probabilities(A, LABELS) is None
