"""What is read of labels, people and configuration files, and what is said of those that cannot be used."""

import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from antrax.io.session import open_session
from antrax.io.tracklet_graph import build_graph
from antrax.solving.evidence import read_evidence

MOVIES = "index name fi ff fps\n1 one.mp4 1 100 10\n2 two.mp4 101 200 10\n"
A, B, NEXT = "trj_id1_ti1_1_tf1_50", "trj_id2_ti1_1_tf1_50", "trj_id1_ti2_1_tf2_100"
GRAPH = build_graph(
    [A, B, NEXT], [1, 1, 101], [50, 50, 200], [(A, NEXT)], movie=[1, 1, 2], movies={1: (1, 100), 2: (101, 200)}
)
AUTOIDS = "tracklet,label,score,best_frame\n"
CONFIDENCE = (
    "tracklet,label,confidence,best_label,runner_up,runner_up_confidence,"
    "images,passed_images,votes,first_frame,last_frame\n"
)


@pytest.fixture
def session(make_session):
    """Labels of two movies: A is AB, the others Unknown; the session's IDs are AB and CD."""
    found = open_session(make_session(movies=MOVIES))
    (found.labels_dir / "autoids_1.csv").write_text(f"{AUTOIDS}{A},AB,12.5,3\n{B},Unknown,0,0\n")
    (found.labels_dir / "autoids_2.csv").write_text(f"{AUTOIDS}{NEXT},Unknown,0,0\n")
    return found


def read(session):
    return read_evidence(session, GRAPH)


def test_labels_of_the_original_are_certain(session):
    evidence, problems = read(session)
    assert not problems
    assert evidence.ids == ("AB", "CD")
    assert evidence.label.tolist() == [0, -1, -1]
    assert evidence.score.tolist() == [12.5, 0, 0]
    assert evidence.probability.tolist() == [[1, 0], [0.5, 0.5], [0.5, 0.5]]


def test_probabilities_are_used_also_of_tracklets_without_an_id(session):
    (session.labels_dir / "confidence_1.csv").write_text(
        f"{CONFIDENCE}{A},AB,0.9,AB,CD,0.06,5,5,5,1,50\n{B},Unknown,0.5,Unknown,CD,0.4,5,5,5,1,50\n"
    )
    evidence, _ = read(session)
    # what the two most probable labels leave belongs to nobody in particular
    assert evidence.probability[0] == pytest.approx([0.92, 0.08])
    assert evidence.probability[1] == pytest.approx([0.3, 0.7])


def test_people_win_over_the_classifier(session):
    (session.labels_dir / "manualids.csv").write_text(
        f"tracklet,label,flip,framenum,m,len,colony\n{A},CD,0,1,1,50,\n{B},NoAnt,0,1,1,50,\n"
    )
    evidence, problems = read(session)
    assert not problems
    assert evidence.label.tolist() == [1, -1, -1]
    assert evidence.manual.tolist() == [True, True, False]
    assert evidence.non_ant.tolist() == [False, True, False]
    assert np.isinf(evidence.score[0])


def test_configuration_files_say_who_is_where(session):
    parameters = session.path / "parameters"
    (parameters / "prop.cfg").write_text(f"single {A} 0\nassign {B} CD\neliminate {NEXT} AB\n")
    (parameters / "ids.cfg").write_text("remove CD m2 end\nremove all AB f1 f40\n")
    evidence, problems = read(session)
    assert not problems
    assert evidence.single.tolist() == [0, -1, -1]
    assert evidence.fixed.tolist() == [[False, False], [False, True], [False, False]]
    assert evidence.impossible.tolist() == [[True, False], [True, False], [True, True]]


@pytest.mark.parametrize(
    ("times", "removed"),
    [
        ("start end", [True, True, True]),
        ("m1 m1", [True, True, False]),
        ("m2f1 m2f5", [False, False, True]),
        ("f50 f101", [True, True, True]),
        ("f51 f100", [False, False, False]),
    ],
)
def test_times_of_removal(session, times, removed):
    (session.path / "parameters" / "ids.cfg").write_text(f"remove AB {times}\n")
    evidence, _ = read(session)
    assert evidence.impossible[:, 0].tolist() == removed


def test_no_labels_at_all_are_told(session):
    for path in session.labels_dir.glob("autoids_*"):
        path.unlink()
    evidence, problems = read(session)
    assert (evidence.label == -1).all()
    assert "no labels of movies 1, 2" in problems[0]
    assert "gives no tracklet an ID" in problems[1]


def test_labels_of_a_classifier_with_other_ids_are_told_and_passed_over(session):
    (session.labels_dir / "autoids_2.csv").write_text(f"{AUTOIDS}{NEXT},ZZ,3,1\n")
    evidence, (problem,) = read(session)
    assert evidence.label[2] == -1
    assert "1 tracklets have labels that the session does not have (ZZ)" in problem


def test_a_damaged_file_of_labels_costs_only_its_movie(session):
    (session.labels_dir / "autoids_2.csv").write_text("nonsense\n")
    evidence, (problem,) = read(session)
    assert evidence.label[0] == 0
    assert "autoids_2.csv" in problem
    assert "movie 2 is solved without its labels" in problem


def test_labels_of_tracklets_that_are_in_no_graph_are_told(session):
    (session.labels_dir / "autoids_2.csv").write_text(f"{AUTOIDS}{NEXT},CD,3,1\ntrj_id9_ti2_1_tf2_9,AB,3,1\n")
    evidence, (problem,) = read(session)
    assert evidence.label[2] == 1
    assert "1 labelled tracklets are in no graph (trj_id9_ti2_1_tf2_9)" in problem


def test_an_id_in_two_places_by_manual_ids_is_told(session):
    (session.labels_dir / "manualids.csv").write_text(f"tracklet,label\n{A},AB\n{B},AB\n")
    _, (problem,) = read(session)
    assert f"puts AB into two places at frame 1: {A} and {B}" in problem


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"tracklet,label\n{A},ZZ\n", "labels that the session does not have are passed over (ZZ)"),
        ("tracklet,label\nabsent,AB\n", "1 tracklets are in no graph (absent)"),
        ("name,id\nx,y\n", "has no columns tracklet and label"),
        (b"\xff\xfe\xff", "cannot be read"),
    ],
)
def test_manual_ids_that_cannot_be_used_are_told(session, content, message):
    path = session.labels_dir / "manualids.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    evidence, (problem,) = read(session)
    assert message in problem
    assert str(path) in problem
    assert evidence.label[0] == 0


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("prop.cfg", "assign absent AB", "line 2: there is no tracklet absent"),
        ("prop.cfg", f"assign {A} ZZ", "line 2: ZZ is no ant label"),
        ("prop.cfg", f"single {A} maybe", "line 2: single takes 0 or 1"),
        ("prop.cfg", f"forget {A} AB", "line 2: expected single, assign or eliminate"),
        ("ids.cfg", "remove ZZ start end", "line 2: ZZ is no ant label"),
        ("ids.cfg", "remove AB start never", "line 2: never is no time"),
        ("ids.cfg", "remove AB m1 m9", "line 2: m9 is no time"),
        ("ids.cfg", "remove C7 AB start end", "line 2: no tracklet is of the colony C7"),
        ("ids.cfg", "add AB start end", "line 2: expected remove"),
    ],
)
def test_a_line_of_a_configuration_file_that_makes_no_sense_is_named(session, file, line, message):
    path = session.path / "parameters" / file
    path.write_text(f"# a comment\n{line}\n")
    evidence, (problem,) = read(session)
    assert str(path) in problem
    assert message in problem
    assert not evidence.fixed.any()
    assert not evidence.impossible.any()


def test_ids_in_configuration_files_may_be_spelt_in_another_way(make_session):
    session = open_session(make_session(labels="AB\tant_labels\nMüll\tant_labels\n", movies=MOVIES))
    other = unicodedata.normalize("NFD", "müll")
    session.layout.manual_propagation_file.write_text(f"assign {A} {other}\n", encoding="utf-16")
    session.layout.id_changes_file.write_text(f"remove {other} m2 end\n", encoding="utf-8-sig")
    evidence, problems = read(session)
    assert not [problem for problem in problems if ".cfg" in problem]
    place = evidence.ids.index("Müll")
    assert evidence.fixed[:, place].tolist() == [True, False, False]
    assert evidence.impossible[:, place].tolist() == [False, False, True]


MANY_DIGITS = 40 * "9"
words = st.sampled_from(
    ["single", "assign", "eliminate", "remove", "all", A, NEXT, "AB", "CD", "0", "1", "start", "end", "m1", "m9", "f5"]
) | st.sampled_from(["m2f9", f"f{MANY_DIGITS}", f"m{MANY_DIGITS}", "#", "%", ",", " ", "\t", "\n", "\r\n"])


@pytest.mark.filterwarnings("ignore::antrax.io.text.GuessedTextWarning")
@pytest.mark.parametrize("file", ["prop.cfg", "ids.cfg"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    content=st.binary(max_size=200)
    | st.tuples(st.text(max_size=100), st.sampled_from(["utf-8", "utf-16", "cp1252"])).map(
        lambda pair: pair[0].encode(pair[1], "ignore")
    )
)
def test_no_bytes_break_the_readers_of_configuration_files(session, file, content):
    path = session.path / "parameters" / file
    path.write_bytes(content)
    evidence, problems = read(session)
    assert all(problem.startswith(str(path)) and problem.endswith(("passed over", "not used")) for problem in problems)
    assert not evidence.fixed.any()
    assert not evidence.impossible.any()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lines=st.lists(words, max_size=40).map(" ".join))
@example(f"remove CD f{MANY_DIGITS} f{MANY_DIGITS}\nremove CD start f{MANY_DIGITS}\nremove CD m{MANY_DIGITS} end")
@example(f"remove CD m1f{MANY_DIGITS} end")
@example(f"remove CD m1f{5000 * '9'} end\nremove CD f{5000 * '9'} end")
def test_a_line_of_a_configuration_file_costs_only_itself(session, lines):
    session.layout.manual_propagation_file.write_text(f"{lines}\nassign {B} CD\n", newline="")
    session.layout.id_changes_file.write_text(f"{lines}\nremove AB m2 end\n", newline="")
    evidence, problems = read(session)
    assert all(problem.endswith("passed over") for problem in problems)
    assert evidence.fixed[1, evidence.ids.index("CD")]
    assert evidence.impossible[2, evidence.ids.index("AB")]
