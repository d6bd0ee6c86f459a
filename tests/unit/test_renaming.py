"""Renaming a label: everything that names it follows, nothing else changes, and what is broken off goes on."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import antrax
from antrax.classification.classifier_file import read_classifier, write_classifier
from antrax.cluster.status import MovieState, session_status
from antrax.errors import AntraxError, ExperimentError, LabelsError, LockedError, OptionError, OutputError
from antrax.io.frame_probabilities import made_with, read_frame_probabilities
from antrax.io.labels_file import from_labels_file, to_labels_file
from antrax.io.layout import classifier_claim
from antrax.io.locks import announce, claim, only_writer
from antrax.io.renaming import check_not_renaming, unfinished_renaming
from antrax.io.results import read_movie
from antrax.io.runs import start_record
from antrax.io.session import Session, open_session
from antrax.labels import Category, guess_category
from antrax.networks.graph import build
from antrax.review.positions.corrections import correct
from antrax.review.positions.marks import PositionMark, PositionMarks, PositionVerdict
from antrax.review.positions.solved import Solved
from antrax.review.renaming import finish_renaming, rename_label
from antrax.review.validation.marks import Marks
from antrax.review.validation.verdicts import Mark, Verdict
from tests.conftest import MakeExamples
from tests.fixtures.antrax_files import write_antrax_file
from tests.fixtures.solved import wrong_label
from tests.unit.test_classifier_file import made_of

NEW = "Queen"
TIME = "2026-01-01T10:00:00+00:00"


def write_own_classifier(session: Session) -> None:
    labels = session.labels
    graph = build("small", 24, len(labels.all), "white")
    figures = {label: {"tracklets": 3, "images": 9, "accuracy": 0.5} for label in labels.all}
    record = {
        "held_out": {"labels": figures},
        "examples": {"images_by_label": {label: number for number, label in enumerate(labels.all)}},
        "doubtful": [{"label": labels.ants[1], "looks_like": labels.ants[0], "tracklet": "x"}],
        "forgotten": [NEW, "Gone"],
        "colours": {"places": [["B"]], "without_examples": [labels.ants[0]]},
    }
    made = dataclasses.replace(
        made_of(graph),
        labels=labels.all,
        categories={label: labels.likely_category(label) for label in labels.all},
        record=record,
    )
    write_classifier(made, session.layout.classifier.classifier())


@pytest.fixture
def label(shared_colony: Path) -> str:
    """An ID that is placed, and that a tracklet has by mistake: the solution disagrees with it."""
    return wrong_label(open_session(shared_colony))[1]


@pytest.fixture
def session(shared_colony: Path, tmp_path: Path, label: str, make_examples: MakeExamples) -> Session:
    """A colony in which all that can name a label names one."""
    shutil.copytree(shared_colony, tmp_path / "colony")
    session = open_session(tmp_path / "colony")
    layout, other = session.layout, next(ant for ant in session.labels.ants if ant != label)
    shutil.rmtree(layout.classifier.examples, ignore_errors=True)
    names = {label: 4, other: 2}
    make_examples(
        session.classifier_dir,
        [f"{of}/colony.trj_id{i}_ti1_{i + 1}_tf1_9.{i}.png" for of, count in names.items() for i in range(count)],
    )
    (layout.classifier.trash / label).mkdir(parents=True)
    (layout.classifier.trash / label / "thrown.png").touch()
    write_own_classifier(session)
    write_antrax_file(
        session.classifier_dir / "old.h5", "small", classes=(label, "GB", "NoAnt", "other_labe", "Unknown")
    )

    digest = read_classifier(layout.classifier.classifier()).digest()
    record = start_record(
        session, "classify", session.stacks, classifier=str(layout.classifier.classifier()), digest=digest
    )
    record.begun(session.stacks)
    for movie in session.stacks:
        with h5py.File(layout.file("frameprobs", movie), "r+") as file:
            file.attrs["made_with"] = json.dumps(
                {"classifier": str(layout.classifier.classifier()), "classifier_digest": digest}
            )
        record.done(movie, [layout.file(kind, movie) for kind in ("autoids", "confidence", "frameprobs")])
    record.end()

    marks = Marks(layout.marks_file)
    found = {movie: read_movie(session, movie) for movie in session.stacks}
    tracklets = [(movie, name) for movie, results in found.items() for name in results.assignments]
    for number, (movie, name) in enumerate(tracklets):
        given = found[movie].assignments[name].label
        true = label if number % 3 == 0 and given != label else ""
        category = session.labels.likely_category(given)
        verdict = {Category.ANT: Verdict.WRONG if true else Verdict.CORRECT, Category.UNKNOWN: Verdict.IDENTIFIABLE}
        said = verdict.get(category, Verdict.NOT_ANT)
        digest = found[movie].digest
        marks.add(Mark(TIME, "Ada", digest, movie, name, given, category, 0.5, 3, said, true, "random", False))
    solved = Solved(session)
    for number in range(20):
        cell = solved.draw(1, number)
        there = solved.placement(cell)
        PositionMarks(layout.position_marks_file).add(
            PositionMark(
                TIME, "Ada", cell, there.tracklet, there.kind, there.confidence, PositionVerdict.WRONG,
                label if cell.id != label else "", 1, number, solved.digest, solved.run, "random",
            )
        )  # fmt: skip
    given_to = [name for _, name in tracklets]
    correct(session, given_to[0], label, is_it=True, single=True)
    correct(session, given_to[1], label, is_it=False, single=True)
    with layout.manual_propagation_file.open("a", encoding="utf-8") as file:
        file.write(f"assign  {given_to[2]}, {label}  # {label} by her wings\nsingle {given_to[1]} 1\n\n")
    layout.id_changes_file.write_text(f"remove {label} m2 end\nremove all {other} m2 end\n", encoding="utf-8")
    return session


def table(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def state(session: Session) -> dict[str, Any]:
    """All that readers find in a session, but for digests of files and sizes."""
    session = open_session(session.experiment)
    layout = session.layout
    movies = [read_movie(session, movie) for movie in session.stacks]
    digests = {digest: movie.movie for movie in movies for digest in movie.digests}
    classifiers = {path.name: read_classifier(path) for path in sorted(session.classifier_dir.glob("*.h5"))}
    own = classifiers["classifier.h5"]
    solved = Solved(session)
    return {
        "labels": {label: str(kind) for label, kind in session.labels.categories.items()},
        "examples": sorted(str(path.relative_to(session.path)) for path in session.classifier_dir.rglob("*.png")),
        "results": [{name: dataclasses.astuple(it) for name, it in movie.assignments.items()} for movie in movies],
        "has confidences": [(movie.has_confidences, movie.problem) for movie in movies],
        "columns": [list(read_frame_probabilities(session, it.movie, min(it.assignments)).columns) for it in movies],
        "probabilities": [
            read_frame_probabilities(session, it.movie, name).to_numpy().tolist()
            for it in movies
            for name in it.assignments
        ],
        "same classifier": [made_with(session, it.movie)["classifier_digest"] == own.digest() for it in movies],
        "status": [movie.state for movie in session_status(session, "classify").movies],
        "classes": {name: classifier.labels for name, classifier in classifiers.items()},
        "heads": {name: {k: str(v) for k, v in it.categories.items()} for name, it in classifiers.items()},
        "calibration": own.calibration,
        "weights": float(sum(np.abs(value).sum() for value in own.weights.values())),
        "record": own.record,
        "marks": [
            dataclasses.astuple(dataclasses.replace(mark, classification=str(digests.get(mark.classification))))
            for mark in Marks(layout.marks_file).all() or _read(Marks(layout.marks_file))
        ],
        "position marks": [
            dataclasses.astuple(dataclasses.replace(mark, run=str(mark.run == solved.run)))
            for mark in _read(PositionMarks(layout.position_marks_file))
        ],
        "manual": table(layout.manual_ids_file),
        "rules": layout.manual_propagation_file.read_text(encoding="utf-8"),
        "joining": layout.id_changes_file.read_text(encoding="utf-8"),
        "positions": antrax.read_positions(session).astype(str).to_numpy().tolist(),
        "tracks": _tracks(session),
        "antdata": {path.name: table(path) for path in sorted(layout.antdata().glob("*.csv"))},
        "matlab": _matlab(session),
        "contradictions": solved.record["contradictions"],
        "corrections": (solved.record.get("corrections") or {}).get("made", []),
    }


def _read(marks: Any) -> tuple[Any, ...]:
    marks.refresh()
    return marks.all()


def _tracks(session: Session) -> dict[str, list[float]]:
    found = antrax.read_positions(session, form="xarray")
    import xarray as xr

    files = [xr.open_dataset(session.layout.netcdf(movie), engine="h5netcdf") for movie in session.stacks]
    named = [file.individual.to_numpy().tolist() for file in files]
    for file in files:
        file.close()
    assert named == [found.individual.to_numpy().tolist()] * len(files)
    sums = np.nan_to_num(found.position.sum(("time", "space", "keypoint")).to_numpy())
    return dict(zip(found.individual.to_numpy().tolist(), sums.tolist(), strict=True))


def _matlab(session: Session) -> dict[str, float]:
    found = {}
    for path in sorted(session.layout.antdata().glob("*.mat")):
        with h5py.File(path) as file:
            found |= {f"{path.name} {name}": float(np.nansum(file[name][()])) for name in file}
    return {key.replace(" ", ":"): found[key] for key in found}


def renamed(value: Any, label: str) -> Any:
    """A state in which a label has the new name."""
    if isinstance(value, dict):
        return {renamed(key, label): renamed(entry, label) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(renamed(entry, label) for entry in value)
    if not isinstance(value, str) or isinstance(value, Category | Verdict | MovieState):
        return value
    parts = value.replace("|", " | ").replace("/", " / ").replace(":", " : ").replace("\n", " \n ").split(" ")
    ends = tuple(f"{label}_{what}" for what in ("X", "Y", "OR", "ass_type"))
    parts = [NEW if part == label else part.replace(label, NEW) if part in ends else part for part in parts]
    return " ".join(parts).replace(" | ", "|").replace(" / ", "/").replace(" : ", ":").replace(" \n ", "\n")


def expected(before: dict[str, Any], label: str) -> dict[str, Any]:
    found = renamed(before, label)
    # what people wrote to themselves stays, and a label that was dropped before is there again
    found["rules"] = found["rules"].replace(f"# {NEW} by", f"# {label} by")
    found["record"]["forgotten"] = ["Gone"]
    return found


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [key for key in one if one[key] != other[key]]


def test_everything_that_names_a_label_follows_and_nothing_else_changes(session: Session, label: str):
    before = state(session)
    times = {
        path: path.stat().st_mtime_ns for path in (*session.labels_dir.iterdir(), *session.classifier_dir.glob("*.h5"))
    }
    done = rename_label(session.experiment, label, NEW)
    after, wanted = state(session), expected(before, label)
    assert differences(after, wanted) == []
    named = {(row[0], row[4]) for row in before["marks"] if label in row}
    named |= {(row[0], row[2]) for row in before["position marks"] if label in (*row, row[2][2])}
    assert done.marks == len(named) > 5
    assert label not in json.dumps({key: after[key] for key in after if key != "rules"}, default=str).split('"')
    assert after["status"] == before["status"] == [MovieState.DONE] * 2
    assert session_status(session, "solve").movies[0].state is MovieState.DONE
    results = {path: time for path, time in times.items() if path.name != "manualids.csv"}
    assert {path: path.stat().st_mtime_ns for path in results} == results
    assert unfinished_renaming(session) is None
    assert (done.examples, done.results, done.positions, done.classifiers) == (4, 2, 2, 2)
    assert done.message.startswith(f"{label} is called {NEW} now, in 4 examples, 2 results of movies, ")


def test_renaming_back_takes_it_back(session: Session, label: str):
    layout = session.layout
    texts = [*session.labels_dir.glob("*.csv"), *layout.antdata().glob("*.csv"), layout.labels_file]
    texts += [layout.marks_file, layout.manual_propagation_file, layout.id_changes_file]
    before, contents = state(session), {path: path.read_bytes() for path in texts}
    rename_label(session, label, NEW)
    assert all(path.read_bytes() != content for path, content in contents.items())
    rename_label(session, NEW, label)
    after = state(session)
    after["record"]["forgotten"] = before["record"]["forgotten"]
    assert differences(after, before) == []
    assert {path: path.read_bytes() for path in texts} == contents


class BrokenOffError(Exception):
    """The end of a process, so to say."""


def break_off(monkeypatch: pytest.MonkeyPatch, number: int, do: Callable[[], object]) -> bool:
    """Break something off before it gives a file its name for the n-th time; whether it came so far."""
    count = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal count
            if ".holder" not in str(arguments[-1]):
                count += 1
                if count == number:
                    raise BrokenOffError
            return real(*arguments)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", counted(Path.replace))
        patched.setattr(Path, "rename", counted(Path.rename))
        try:
            do()
        except BrokenOffError:
            return True
    return False


@pytest.mark.slow
def test_what_is_broken_off_at_whatever_moment_goes_on(session: Session, label: str, tmp_path: Path, monkeypatch):
    wanted = expected(state(session), label)
    original = tmp_path / "original"
    shutil.copytree(session.experiment, original)
    number = 0
    while True:
        number += 1
        shutil.rmtree(session.experiment)
        shutil.copytree(original, session.experiment)
        if not break_off(monkeypatch, number, lambda: rename_label(session, label, NEW)):
            break
        if number > 1:  # the first is what is written down
            with pytest.raises(ExperimentError, match=rf"{label} is being renamed to {NEW}.*rename-label"):
                check_not_renaming(session)
            with pytest.raises(LabelsError, match="end that first"):
                rename_label(session, label, "Other")
        if number % 2:
            rename_label(session, label, NEW)
        else:
            assert finish_renaming(session).new == NEW
        assert differences(state(session), wanted) == [], number
        assert not list(session.path.rglob("*.part"))
    assert number > 25
    assert finish_renaming(session) is None


def test_while_a_label_has_two_names_nothing_is_trained_classified_or_solved(session: Session, label: str, monkeypatch):
    assert break_off(monkeypatch, 5, lambda: rename_label(session, label, NEW))
    for work in (
        lambda: antrax.train(session.experiment),
        lambda: antrax.classify(session.experiment, antrax.ClassifyOptions(workers=1)),
        lambda: antrax.solve(session.experiment, antrax.SolveOptions(workers=1)),
    ):
        with pytest.raises(AntraxError, match=f"{label} is being renamed to {NEW}"):
            work()


@pytest.mark.parametrize(
    ("new", "fault"),
    [
        ("{other}", "labels are not joined"),
        ("noant", "NoAnt already, and labels are not joined"),
        ("2nd", "must start with a letter"),
        ("Multi", "stand for several ants"),
        ("{label}", "has this name already"),
        ("a/b", "no folder's name"),
        ("nan", "looks like a number"),
    ],
)
def test_a_name_that_no_label_may_have_is_refused(session: Session, label: str, new: str, fault: str):
    before = state(session)
    other = next(ant for ant in session.labels.ants if ant != label)
    with pytest.raises(LabelsError, match=fault):
        rename_label(session, label, new.format(other=other, label=label))
    assert differences(state(session), before) == []
    assert unfinished_renaming(session) is None


def test_what_is_no_label_and_unknown_keep_their_names(session: Session):
    with pytest.raises(LabelsError, match=r"labels\.csv lists no label Nobody; it has "):
        rename_label(session, "Nobody", NEW)
    with pytest.raises(LabelsError, match="keeps its name"):
        rename_label(session, "Unknown", "Unclear")


def test_a_classifier_that_knows_the_new_name_is_not_given_it_twice(session: Session, label: str):
    write_antrax_file(session.classifier_dir / "old.h5", "small", classes=(label, NEW, "NoAnt", "x", "Unknown"))
    with pytest.raises(OptionError, match=rf"old\.h5 knows a label {NEW} already.*drop"):
        rename_label(session, label, NEW)
    assert label in open_session(session.experiment).labels.all


def test_examples_that_lie_under_the_new_name_are_not_mixed_in(
    session: Session, label: str, make_examples: MakeExamples
):
    make_examples(session.classifier_dir, [f"{NEW}/colony.trj_id9_ti1_1_tf1_9.1.png"])
    with pytest.raises(LabelsError, match=f"{NEW} holds examples already"):
        rename_label(session, label, NEW)
    (session.layout.classifier.examples / NEW / "colony.trj_id9_ti1_1_tf1_9.1.png").unlink()
    assert rename_label(session, label, NEW).examples == 4


def test_only_the_case_of_a_name_can_change(session: Session, label: str):
    assert rename_label(session, label, label.lower()).examples == 4
    assert label.lower() in open_session(session.experiment).labels.ants


def test_other_labels_can_be_renamed_too(session: Session):
    rename_label(session, "NoAnt", "Debris")
    rename_label(session, "Multi", "MultiAnt")
    labels = open_session(session.experiment).labels
    assert labels.category("Debris") is Category.NONANT
    assert labels.category("MultiAnt") is Category.MULTI
    assert read_classifier(session.classifier_dir / "old.h5").labels[2] == "Debris"
    found = antrax.read_results(session).label
    assert {"NoAnt", "Multi"}.isdisjoint(found)


@pytest.mark.parametrize("work", ["solve", "classify", "train", "classify with it", "job", "rename"])
def test_nothing_is_renamed_while_somebody_is_at_work(session: Session, label: str, work: str):
    layout = session.layout
    held = {
        "solve": lambda: claim(layout.logs, "solve", [1], task="antrax solve"),
        "rename": lambda: claim(layout.logs, "rename", None, task="antrax solve"),
        "classify": lambda: claim(layout.labels, "classify", [2], task="antrax solve"),
        "train": lambda: claim(
            session.classifier_dir, classifier_claim(layout.classifier.classifier(), "train"), None, task="antrax solve"
        ),
        "classify with it": lambda: announce(
            session.classifier_dir, classifier_claim(session.classifier_dir / "old.h5", "classify"), task="antrax solve"
        ),
        "job": lambda: only_writer(layout.classifier.job_lock, task="antrax solve"),
    }[work]
    with held(), pytest.raises(LockedError, match="antrax solve"):
        rename_label(session, label, NEW)
    assert label in open_session(session.experiment).labels.all
    assert rename_label(session, label, NEW).new == NEW


def test_damaged_files_are_told_before_anything_changes(session: Session, label: str):
    path = session.layout.file("autoids", 2)
    path.write_text(path.read_text(encoding="utf-8").replace("trj_id", "trj_id", 1) + "trj_id1_ti2_1_tf2_3,x,y,z\n")
    with pytest.raises(ExperimentError, match=r"autoids_2\.csv"):
        rename_label(session, label, NEW)
    assert label in open_session(session.experiment).labels.all
    assert (session.layout.classifier.examples / label).is_dir()


def test_a_full_disk_is_told_and_the_rest_goes_on_later(session: Session, label: str, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"):
            rename_label(session, label, NEW)
    assert label in open_session(session.experiment).labels.all
    assert rename_label(session, label, NEW).examples == 4


def test_tables_with_columns_of_a_persons_own_keep_them(session: Session, label: str):
    marks = session.layout.marks_file
    lines = marks.read_text(encoding="utf-8").splitlines()
    marks.write_text("\r\n".join([f"{lines[0]},my note", *(f"{line},n{n}" for n, line in enumerate(lines[1:]))]))
    rename_label(session, label, NEW)
    found = marks.read_bytes().decode().split("\r\n")
    assert [line.rpartition(",")[2] for line in found[1:]] == [f"n{n}" for n in range(len(lines) - 1)]
    assert sum(f",{NEW}," in line for line in found) == sum(f",{label}," in line for line in lines) > 1


def test_a_session_with_labels_alone(make_session, tmp_path: Path):
    session = open_session(make_session().parent)
    to_labels_file(dataclasses.replace(session.labels, ants=("AB", "CD")), session.layout.labels_file)
    assert rename_label(session, "AB", NEW).message == f"AB is called {NEW} now"
    assert from_labels_file(session.layout.labels_file).ants == (NEW, "CD")
    assert guess_category(NEW) is Category.ANT
