"""Results of a movie are three files and one result: readers get the old one or the new one, whole."""

from __future__ import annotations

import errno
import os
import shutil
import unicodedata
import warnings
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest

import antrax
from antrax.errors import ExperimentError, OutputError
from antrax.io.result_state import ResultState, result_state
from antrax.io.results import (
    Classified,
    Decision,
    autoids_file,
    confidence_file,
    frameprobs_file,
    read_movie,
    result_files,
)
from antrax.io.results_writer import MovieWriter, finish_pending, pending_movies, set_aside
from antrax.io.session import Session, open_session
from antrax.review.tracklets.assignments import Assignments
from tests.conftest import MakeSession

A, B = "trj_id1_ti1_1_tf1_3", "trj_id2_ti1_2_tf1_9"
MOVIES = "index subdir name movfile fps nframes fi ff\n1 1 a a.mp4 10 100 1001 1100\n2 1 b b.mp4 10 100 1101 1200\n"


@pytest.fixture
def session(make_session: MakeSession) -> Session:
    return open_session(make_session(movies=MOVIES))


def write(
    session: Session,
    labels: Mapping[str, str],
    confidence: float = 0.5,
    movie: int = 1,
    columns: tuple[str, str] = ("001", "NA"),
) -> None:
    """A result in which every number tells which result it is of."""
    writer = MovieWriter(session, movie, columns, {"by": confidence})
    for tracklet, label in labels.items():
        decision = Decision(label, confidence, label, "NA", confidence / 2, confidence, 1, 2)
        writer.add(Classified(tracklet, decision, np.full((2, 2), confidence, np.float32), -1))
    assert writer.commit() is None


OLD, NEW = {A: "001", B: "001"}, {A: "NA", B: "NA"}


def seen(session: Session) -> str:
    """Which result all readers see, if they see one alone."""
    table = antrax.read_results(session)
    app = Assignments(session)
    found = {table.loc[A, "label"], table.loc[B, "label"]}
    found |= {{0.5: "001", 0.25: "NA"}[value] for value in table["confidence"]}
    for tracklet in (A, B):
        said, values = app.of(tracklet), app.probabilities(tracklet, ["001"])
        assert said is not None and values is not None
        frames = antrax.read_frame_probabilities(session, 1, tracklet)
        found |= {{0.5: "001", 0.25: "NA"}[float(v)] for v in (said.confidence or 0, values[0, 0], frames.iloc[0, 0])}
    assert result_state(session, 1) is ResultState.WHOLE
    (only,) = found
    assert isinstance(only, str)
    return only


class KilledError(BaseException):
    """Ends a process at once, as seen from inside it."""


def end_at_rename(monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException) -> list[str]:
    """Let the n-th rename from now on fail, and nothing be done after it if the process is killed there."""
    done: list[str] = []
    rename, unlink = os.replace, os.unlink

    def failing(source, target, *more, **named):
        done.append(Path(target).name)
        if len(done) == number or (len(done) > number and isinstance(error, KilledError)):
            raise error
        return rename(source, target, *more, **named)

    def unlink_unless_dead(path, *more, **named):
        if len(done) >= number and isinstance(error, KilledError):
            raise error
        return unlink(path, *more, **named)

    monkeypatch.setattr(os, "replace", failing)
    monkeypatch.setattr(os, "unlink", unlink_unless_dead)
    return done


@pytest.mark.parametrize("number", range(1, 6))
def test_a_kill_between_any_two_renames_leaves_the_old_result_or_the_new(
    session: Session, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write(session, OLD, 0.5)
    with monkeypatch.context() as patched:
        done = end_at_rename(patched, number, KilledError())
        with pytest.raises(KilledError):
            write(session, NEW, 0.25)
    assert len(done) >= number
    # the labels are the third file that is renamed; with them the result changes
    assert seen(session) == ("001" if number <= 3 else "NA")
    # what the next run looks for, without asking for every movie
    assert pending_movies(session) == ({1} if list(session.labels_dir.glob(".*.new")) else set())
    finish_pending(session, 1)
    assert pending_movies(session) == set()
    assert seen(session) == ("001" if number <= 3 else "NA")
    assert not list(session.labels_dir.glob(".*.new"))


@pytest.mark.parametrize("number", range(1, 4))
def test_a_drive_that_fails_before_the_result_counts_leaves_the_old_one(
    session: Session, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write(session, OLD, 0.5)
    with monkeypatch.context() as patched:
        end_at_rename(patched, number, OSError(errno.EIO, "Input/output error"))
        with pytest.raises(OutputError, match="Input/output error"):
            write(session, NEW, 0.25)
    assert seen(session) == "001"
    assert not [path.name for path in session.labels_dir.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("number", [4, 5])
def test_a_drive_that_fails_after_the_result_counts_leaves_the_new_one_and_that_is_said(
    session: Session, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write(session, OLD, 0.5)
    writer = MovieWriter(session, 1, ("001", "NA"), {})
    for tracklet in (A, B):
        writer.add(
            Classified(tracklet, Decision("NA", 0.25, "NA", "001", 0, 0.25, 1, 2), np.full((2, 2), 0.25, np.float32), 2)
        )
    with monkeypatch.context() as patched:
        end_at_rename(patched, number, OSError(errno.EIO, "Input/output error"))
        assert "is the drive failing" in (writer.commit() or "")
    assert seen(session) == "NA"


def test_two_runs_at_once_give_the_result_of_one_of_them(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins and ends between two renames of the first, at each place."""
    for number in range(1, 6):
        rename = os.replace
        done = 0

        def replace(source, target, *more, at=number, rename=rename):
            nonlocal done
            done += 1
            if done == at:
                write(session, NEW, 0.25)
            return rename(source, target, *more)

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", replace)
            try:
                write(session, OLD, 0.5)
            except (OutputError, AssertionError) as error:
                print(number, repr(error))
                # its files were taken for those of a dead run, and it says so
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # in the worst case there are labels alone, and that is said
            table = antrax.read_results(session)
        labels = set(table["label"])
        assert len(labels) == 1
        # never a confidence of the other run
        assert set(table.get("confidence", np.array([]))) <= {{"001": 0.5, "NA": 0.25}[label] for label in labels}


def test_files_that_do_not_belong_together_are_not_mixed(session: Session) -> None:
    write(session, NEW, 0.25)
    others = {path: path.read_bytes() for path in (confidence_file(session, 1), frameprobs_file(session, 1))}
    write(session, OLD, 0.5)
    for path, content in others.items():
        path.write_bytes(content)
    assert result_state(session, 1) is ResultState.MIXED
    with pytest.warns(UserWarning, match="of another classification"):
        table = antrax.read_results(session)
    assert list(table.columns) == ["movie", "label", "score", "best_frame"]
    assert set(table["label"]) == {"001"}
    app = Assignments(session)
    said = app.of(A)
    assert said is not None and (said.label, said.confidence) == ("001", None)
    assert app.probabilities(A, ["001"]) is None
    assert "of another classification" in app.problems[0]
    with pytest.raises(ExperimentError, match="of another classification"):
        antrax.read_frame_probabilities(session, 1, A)


def test_confidences_of_another_classification_alone_make_a_mixed_result(session: Session) -> None:
    write(session, NEW, 0.25)
    other = confidence_file(session, 1).read_bytes()
    write(session, OLD, 0.5)
    confidence_file(session, 1).write_bytes(other)
    frameprobs_file(session, 1).unlink()
    assert result_state(session, 1) is ResultState.MIXED


def test_confidences_of_some_of_the_tracklets_are_not_used(session: Session) -> None:
    write(session, OLD, 0.5)
    path = confidence_file(session, 1)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    results = read_movie(session, 1)
    assert "confidences of this movie are not used" in (results.problem or "")
    assert [it.confidence for it in results.assignments.values()] == [None, None]


def test_a_tracklet_that_is_listed_twice_is_named(session: Session) -> None:
    write(session, OLD, 0.5)
    path = autoids_file(session, 1)
    path.write_text(path.read_text() + f"{A},NA,0.5,1\n")
    with pytest.raises(ExperimentError, match=rf"autoids_1\.csv, {A}: it is listed twice"):
        read_movie(session, 1)


def test_the_result_of_another_movie_under_a_wrong_name_is_refused_and_made_again(session: Session) -> None:
    write(session, OLD)
    for name in ("autoids", "confidence"):
        shutil.copy(session.labels_dir / f"{name}_1.csv", session.labels_dir / f"{name}_2.csv")
    with pytest.raises(ExperimentError, match=rf"autoids_2\.csv: {A} is of another movie.*classify movie 2 again"):
        antrax.read_results(session, [2])
    assert len(antrax.read_results(session, [1])) == 2
    assert result_state(session, 2) is ResultState.MIXED


def test_a_spreadsheet_may_have_saved_the_labels(session: Session) -> None:
    write(session, OLD, 0.5)
    path = autoids_file(session, 1)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n").replace(b",0.5,", b",0.50,"))
    assert seen(session) == "001"


def test_results_of_earlier_versions_count_where_all_labels_agree(session: Session) -> None:
    write(session, OLD, 0.5)
    path = confidence_file(session, 1)
    lines = [line.rpartition(",")[0] for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")
    assert read_movie(session, 1).has_confidences
    path.write_text("\n".join(lines).replace(f"{B},001", f"{B},NA") + "\n")
    assert not read_movie(session, 1).has_confidences


def test_labels_that_look_like_numbers_or_missing_values_are_text(session: Session) -> None:
    write(session, {A: "001", B: "NA"})
    table = antrax.read_results(session)
    assert table[["label", "best_label", "runner_up"]].to_numpy().tolist() == [["001", "001", "NA"], ["NA", "NA", "NA"]]
    assert list(antrax.read_frame_probabilities(session, 1, A).columns) == ["001", "NA"]
    said = Assignments(session).of(A)
    assert said is not None and (said.label, said.best_label, said.runner_up) == ("001", "001", "NA")


def test_labels_are_read_in_one_spelling_wherever_they_stand(session: Session) -> None:
    decomposed = unicodedata.normalize("NFD", "Müll")
    write(session, {A: decomposed, B: "CD "}, columns=(decomposed, "CD "))
    assert antrax.read_results(session)[["label", "best_label"]].to_numpy().tolist() == [["Müll"] * 2, ["CD"] * 2]
    assert list(antrax.read_frame_probabilities(session, 1, A).columns) == ["Müll", "CD"]
    values = Assignments(session).probabilities(A, ["Müll", "CD"])
    assert values is not None
    assert values.tolist() == [[0.5, 0.5]] * 2


def test_the_table_is_by_tracklet_and_its_frames_are_absolute(session: Session) -> None:
    write(session, OLD)
    write(session, {"trj_id1_ti2_5_tf2_7": "001"}, movie=2)
    table = antrax.read_results(session)
    assert table.index.name == "tracklet"
    assert table.loc[A, ["movie", "first_frame", "last_frame", "best_frame", "images"]].tolist() == [
        1,
        1001,
        1003,
        1,
        2,
    ]
    assert table.loc["trj_id1_ti2_5_tf2_7", ["movie", "first_frame", "last_frame"]].tolist() == [2, 1105, 1107]
    assert table["passed_images"].isna().all()
    assert antrax.read_frame_probabilities(session, 1, A).index.tolist() == [1, 2]
    header, row = confidence_file(session, 2).read_text().splitlines()
    written = dict(zip(header.split(","), row.split(","), strict=True))
    assert (written["first_frame"], written["last_frame"]) == ("1105", "1107")


def test_frames_are_missing_where_the_movie_table_does_not_tell(make_session: MakeSession) -> None:
    session = open_session(make_session())
    write(session, OLD)
    assert antrax.read_results(session)["first_frame"].isna().all()


def test_without_results_the_table_is_empty(session: Session) -> None:
    table = antrax.read_results(session)
    assert len(table) == 0
    assert table.index.name == "tracklet"
    assert "runner_up" in table.columns
    with pytest.raises(ExperimentError, match=r"autoids_1\.csv does not exist"):
        antrax.read_results(session, [1])


def test_the_file_for_antrax_has_its_form_to_the_byte(session: Session) -> None:
    write(session, OLD, 0.5)
    assert (
        autoids_file(session, 1).read_bytes()
        == f"tracklet,label,score,best_frame\n{A},001,0.5,1\n{B},001,0.5,1\n".encode()
    )


def test_the_state_of_a_result_tells_what_to_do(session: Session) -> None:
    assert result_state(session, 1) is ResultState.NONE
    autoids_file(session, 1).write_text("by hand")
    assert result_state(session, 1) is ResultState.FOREIGN
    write(session, OLD)
    assert result_state(session, 1) is ResultState.WHOLE
    whole = {path.name: path.read_bytes() for path in result_files(session, 1)}
    for gone in (confidence_file(session, 1), frameprobs_file(session, 1)):
        gone.unlink()
        assert result_state(session, 1) is ResultState.INCOMPLETE
        gone.write_bytes(whole[gone.name])
    left = {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in result_files(session, 1)}
    for gone in (confidence_file(session, 1), frameprobs_file(session, 1)):
        gone.unlink()
    # labels alone: of anTraX or a person, unless a run is known to have left them with the rest
    assert result_state(session, 1) is ResultState.FOREIGN
    assert result_state(session, 1, left) is ResultState.INCOMPLETE
    autoids_file(session, 1).write_bytes(whole["autoids_1.csv"].replace(b"001", b"NA"))
    assert result_state(session, 1, left) is ResultState.FOREIGN
    write(session, OLD)
    autoids_file(session, 1).unlink()  # as the original does when it tracks a movie again
    assert result_state(session, 1) is ResultState.LEFTOVER
    assert "without labels" in Assignments(session).problems[0]


def test_results_set_aside_are_whole_and_found_by_nobody(session: Session) -> None:
    write(session, OLD)
    before = {path.name: path.read_bytes() for path in session.labels_dir.iterdir()}
    folders = [set_aside(session, 1)]
    assert set_aside(session, 1) is None
    write(session, OLD)
    folders.append(set_aside(session, 1))
    assert folders[0] != folders[1]
    for folder in folders:
        assert folder is not None and folder.parent.parent == session.labels_dir
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert result_state(session, 1) is ResultState.NONE
    assert Assignments(session).movies == ()
    assert [path.name for path in session.labels_dir.iterdir()] == ["set_aside"]


def test_no_folder_is_made_for_results_of_a_session_that_is_gone(session: Session) -> None:
    session.labels_dir.rmdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write(session, OLD)
    assert not session.labels_dir.exists()


def test_a_confidence_that_cannot_be_is_an_error(session: Session) -> None:
    write(session, OLD)
    path = confidence_file(session, 1)
    path.write_text(path.read_text().replace("0.5000", "1.5000", 1))
    with pytest.raises(ExperimentError, match=r"'1\.5000' is no probability"):
        antrax.read_results(session)


@pytest.mark.parametrize("count", ["inf", "1e999", "-1", "1.5", "nan", "1e30"])
def test_a_count_that_cannot_be_is_an_error(session: Session, count: str) -> None:
    write(session, {A: "001"})
    path = confidence_file(session, 1)
    header, row = path.read_text().splitlines()
    cells = row.split(",")
    cells[header.split(",").index("images")] = count
    path.write_text(f"{header}\n{','.join(cells)}\n")
    with pytest.raises(ExperimentError, match=r"confidence_1\.csv"):
        antrax.read_results(session)


@pytest.mark.parametrize(
    "offsets",
    [[0, 0], [0, 1], [1, 2], [0, 3], [-2, 2], [0], [0, 2, 2]],
    ids=str,
)
def test_probabilities_whose_rows_do_not_fit_their_tracklets_are_refused(session: Session, offsets: list[int]) -> None:
    write(session, {A: "001"})
    with h5py.File(frameprobs_file(session, 1), "a") as file:
        assert file["offsets"][()].tolist() == [0, 2]
        del file["offsets"]
        file["offsets"] = offsets
    with pytest.raises(ExperimentError, match=r"frameprobs_1\.h5 cannot be read: offsets do not fit"):
        antrax.read_frame_probabilities(session, 1, A)


def test_a_text_of_any_length_among_probabilities_is_not_read(session: Session) -> None:
    write(session, {A: "001"})
    with h5py.File(frameprobs_file(session, 1), "a") as file:
        del file["labels"]
        file.create_dataset("labels", (4,), dtype=h5py.string_dtype(length=2**26))
    with pytest.raises(ExperimentError, match=r"frameprobs_1\.h5 cannot be read"):
        antrax.read_frame_probabilities(session, 1, A)
