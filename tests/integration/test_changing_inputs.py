"""Commands whose inputs change while they run: what they write is of one moment, and what came too late is told."""

from __future__ import annotations

import os
import shutil

import pytest
from PIL import Image

import antrax
from antrax.errors import ClassificationError, InputChangedError, SolvingError
from antrax.images import decode_example
from antrax.io.layout import classifier_claim
from antrax.io.locks import announce, claim, claims
from antrax.io.trdata import trdata_files
from antrax.training.merging import merge_trainsets
from antrax.training.run import TrainOptions, train
from tests.fixtures.training_tools import Listener
from tests.integration.test_solving import session as solvable  # noqa: F401  # a fixture


class Meanwhile(Listener):
    """Does something once, when a bar of that title starts."""

    def __init__(self, title, action):
        super().__init__()
        self.title, self.action = title, action

    def bar(self, title, total, unit):
        if self.action and title.startswith(self.title):
            action, self.action = self.action, None
            action()
        return super().bar(title, total, unit)


def replace(path):
    """Put a file with the same content in its place, as a synchronisation program would."""
    copy = path.with_name(f"{path.name}.new")
    shutil.copy2(path, copy)
    copy.replace(path)


# --- train


@pytest.fixture
def labelled(make_examples, tmp_path):
    names = [f"{label}/e.trj_id{n}_ti1_1_tf1_9.{f}.png" for label in ("BB", "NoAnt") for n in range(6) for f in (1, 2)]
    return make_examples(tmp_path / "set", names, size=24)


QUICK = TrainOptions(epochs=1, device="cpu")


def test_what_people_label_while_a_training_runs_is_counted_and_kept_in_the_record(
    labelled, make_examples, short_training, monkeypatch
):
    monkeypatch.setattr("antrax.training.dataset.IMAGES_PER_TRACKLET", 400)
    folder = labelled / "examples" / "BB"

    def label():
        make_examples(labelled, {"BB/e.trj_id90_ti1_1_tf1_9.1.png": 90, "NoAnt/new.png": 91, "GG/new.png": 92}, size=24)
        replace(folder / "e.trj_id1_ti1_1_tf1_9.1.png")
        (folder / "e.trj_id2_ti1_1_tf1_9.1.png").unlink()

    listener = Meanwhile("training", label)
    result = train(labelled, QUICK, reporter=listener)
    (said,) = [text for text in listener.said if "examples changed" in text]
    assert "(3 added, 1 changed, 1 removed)" in said and "train again" in said
    assert said in result.problems
    assert result.classifier.labels == ("BB", "NoAnt")
    assert result.classifier.record["examples"]["meanwhile"] == {"added": 3, "changed": 1, "removed": 1}


def test_a_training_during_which_nothing_changes_says_nothing_of_it(labelled, short_training):
    listener = Listener()
    result = train(labelled, QUICK, reporter=listener)
    assert result.classifier.record["examples"]["meanwhile"] == {"added": 0, "changed": 0, "removed": 0}
    assert not [text for text in (*listener.said, *listener.warned, *result.problems) if "changed" in text]


def test_an_example_is_never_read_half(labelled, short_training, monkeypatch):
    """One that is written in place is read again until it is whole."""
    from antrax.io import regular_files

    path = labelled / "examples" / "BB" / "e.trj_id1_ti1_1_tf1_9.1.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    opened, sleep = regular_files.open_regular, []

    def finish(seconds):
        sleep.append(seconds)
        path.write_bytes(whole)

    class Written:
        """As a file that another program writes to just now."""

        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def fileno(self):
            return self.file.fileno()

        def read(self, count):
            content = self.file.read(count)
            os.utime(path, ns=(1, len(sleep) + 1))
            return content

    monkeypatch.setattr("time.sleep", finish)
    monkeypatch.setattr(
        regular_files, "open_regular", lambda name, most=None: (
            Written(opened(name, most)) if name == path and len(sleep) < 2 else opened(name, most)
        ),
    )  # fmt: skip
    content = regular_files.read_regular(path)
    assert (content, len(sleep)) == (whole, 2)


def test_a_file_that_is_written_without_end_is_refused(tmp_path, monkeypatch):
    from antrax.io import regular_files

    path = tmp_path / "a.csv"
    path.write_bytes(b"a")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    states = iter(range(100))
    real = os.fstat

    def fstat(number):
        os.utime(path, ns=(1, next(states)))
        return real(number)

    monkeypatch.setattr("os.fstat", fstat)
    with pytest.raises(OSError, match="being written by another program"):
        regular_files.read_regular(path)


def test_training_and_classification_with_one_classifier_tell_of_one_another(trained, tmp_path, short_training):
    session = trained.copy(tmp_path)
    file = session.layout.classifier.classifier()
    listener = Listener()
    with announce(file.parent, classifier_claim(file, "classify"), task="antrax classify of Anna's"):
        train(session.experiment, QUICK, reporter=listener)
    assert any("antrax classify of Anna's (process" in text and str(file) in text for text in listener.warned)
    listener = Listener()
    options = antrax.ClassifyOptions(movies=[1], workers=1, device="cpu")
    with claim(file.parent, classifier_claim(file, "train"), None, task="antrax train of Ben's"):
        antrax.classify(session.experiment, options, reporter=listener)
    assert any(
        "antrax train of Ben's (process" in text and "is training classifier.h5" in text for text in listener.warned
    )
    listener = Listener()
    antrax.classify(session.experiment, options, reporter=listener)
    assert not [text for text in listener.warned if "training classifier" in text]
    assert claims(file.parent, classifier_claim(file, "classify")) == []
    assert not list(file.parent.glob(".*.lock"))


def test_a_classification_shows_a_training_which_classifier_it_uses(trained, tmp_path):
    session = trained.copy(tmp_path)
    file = session.layout.classifier.classifier()
    seen = []
    look = Meanwhile("classifying", lambda: seen.extend(claims(file.parent, classifier_claim(file, "classify"))))
    antrax.classify(session.experiment, antrax.ClassifyOptions(movies=[1], workers=1, device="cpu"), reporter=look)
    assert [holder.task for holder in seen] == ["antrax classify"]


# --- merge-trainset


def test_images_that_come_to_a_source_during_a_merge_are_told(labelled, make_examples, tmp_path):
    listener = Meanwhile("merging", lambda: make_examples(labelled, {"BB/late.png": 77}, size=24))
    result = merge_trainsets([labelled], tmp_path / "all", reporter=listener)
    assert not (tmp_path / "all" / "examples" / "BB" / "late.png").exists()
    assert any("1 images came to the sources while they were merged" in note for note in result.notes)


def test_what_is_merged_is_what_was_looked_at(labelled, tmp_path, monkeypatch):
    """Also where another image takes the place of one between the look and the copy."""
    other = Image.new("RGB", (9, 9), "red")
    look = decode_example

    def decode(content):
        found = look(content)
        for path in (labelled / "examples" / "BB").iterdir():
            other.save(path)
        return found

    monkeypatch.setattr("antrax.training.merging.decode_example", decode)
    first = sorted((labelled / "examples" / "BB").iterdir())[0]
    content = first.read_bytes()
    merge_trainsets([labelled], tmp_path / "all")
    assert (tmp_path / "all" / "examples" / "BB" / first.name).read_bytes() == content


# --- classify


def test_a_part_of_a_movie_that_comes_while_it_is_classified_costs_the_result(trained, tmp_path):
    session = trained.copy(tmp_path)
    (stack,) = session.stacks[1]
    meanwhile = Meanwhile("classifying", lambda: shutil.copy(stack, stack.with_name("images_1_p2.mat")))
    options = antrax.ClassifyOptions(movies=[1], workers=1, device="cpu")
    with pytest.raises(ClassificationError, match="files of movie 1 came or went while it was classified"):
        antrax.classify(session.experiment, options, reporter=meanwhile)
    assert not (session.labels_dir / "autoids_1.csv").exists()


# --- solve, export, plot


def inputs_of(session, kind):
    match kind:
        case "graph":
            return session.layout.file("graph", 2)
        case "labels of the classifier":
            return session.layout.file("autoids", 1)
        case "measurements":
            return trdata_files(session, 2)[0]
        case "labels.csv":
            return session.layout.labels_file
        case "a person's labels":
            path = session.layout.manual_ids_file
            path.write_text("tracklet,label\n")
            return path
        case _:
            return session.layout.parameters_file


@pytest.mark.parametrize(
    "kind", ["graph", "labels of the classifier", "measurements", "labels.csv", "a person's labels", "parameters"]
)
def test_an_input_of_solve_that_changes_leaves_earlier_positions(solvable, kind):  # noqa: F811
    path = inputs_of(solvable, kind)
    antrax.solve(solvable.experiment, antrax.SolveOptions(max_error=0.05, workers=1))
    folders = [solvable.path / "antdata", solvable.path / "positions", solvable.path / "positions_netcdf"]
    before = {file: file.read_bytes() for folder in folders for file in folder.iterdir()}
    listener = Meanwhile("solving", lambda: replace(path))
    with pytest.raises(SolvingError, match=rf"{path.name} changed while being read; earlier positions stay") as raised:
        antrax.solve(solvable.experiment, antrax.SolveOptions(max_error=0.5, workers=1), reporter=listener)
    assert raised.value.report.experiments[0].movies == []
    assert {file: file.read_bytes() for folder in folders for file in folder.iterdir()} == before


def test_files_of_movies_that_are_not_solved_may_change(solvable):  # noqa: F811
    listener = Meanwhile("solving", lambda: replace(solvable.layout.file("graph", 1)))
    options = antrax.SolveOptions(max_error=0.05, workers=1, movies=[2])
    assert antrax.solve(solvable.experiment, options, reporter=listener).experiments[0].movies == [2]


@pytest.mark.parametrize("to", ["csv", "parquet", "netcdf", "trackmate"])
def test_positions_that_are_solved_again_during_an_export_are_not_mixed(solvable, to, monkeypatch):  # noqa: F811
    from antrax.io import positions_table
    from antrax.io.export import FORMATS, export_positions

    antrax.solve(solvable.experiment, antrax.SolveOptions(max_error=0.05, workers=1))
    path = solvable.path / "export" / f"positions{FORMATS[to].suffix}"
    export_positions(solvable, to)
    before = path.read_bytes()
    read = positions_table.read_table

    def read_table(file):
        found = read(file)
        if "_1." in file.name:
            replace(file)
        return found

    monkeypatch.setattr(positions_table, "read_table", read_table)
    with pytest.raises(InputChangedError, match=r"positions_1\.parquet changed while being read; was the ses"):
        export_positions(solvable, to)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_positions_that_are_solved_again_while_figures_are_made_are_not_drawn(solvable):  # noqa: F811
    from antrax.plots.run import plot_positions

    antrax.solve(solvable.experiment, antrax.SolveOptions(max_error=0.05, workers=1))
    listener = Meanwhile("reading positions", lambda: replace(solvable.layout.file("positions", 2)))
    with pytest.raises(InputChangedError, match=r"positions_2\.parquet changed while being read"):
        plot_positions(solvable, formats=("svg",), reporter=listener)
    assert not (solvable.path / "plots").exists()
