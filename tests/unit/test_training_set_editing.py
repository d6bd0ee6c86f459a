"""The training set as several people edit it: what an export writes and moves, and that nothing is lost."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from antrax.errors import AntraxError, ExperimentError, LabelsError, OutputError, TrainsetError
from antrax.images import read_example
from antrax.io.atomic import only_writer
from antrax.io.names import TrackletName, parse_tracklet_name
from antrax.io.session import Session
from antrax.review.training_set import changes
from antrax.review.training_set.editing import Count, Examples
from antrax.training.dataset import list_examples
from antrax.training.merging import merge_trainsets

LABELS = "AB\tant_labels\nCD\tant_labels\nNoAnt\tnoant_labels\nMulti\tother_labels\n"
MOVIES = "index name fi ff\n1 m1 1 1000\n2 m2 1001 2000\n"

NewSession = Callable[..., Session]
Images = Callable[..., NDArray[np.uint8]]


@pytest.fixture
def new_session(make_session) -> NewSession:
    def new(experiment: str = "some.ants", labels: str = LABELS, movies: str | None = MOVIES, **settings) -> Session:
        path = make_session(f"{experiment}/session", labels=labels, movies=movies)
        if "inverted" in settings:
            (path / "parameters" / "prmtrs.json").write_text(f'{{"segmentation_invert": {settings["inverted"]}}}')
        return Session(path.parent, path)

    return new


@pytest.fixture
def session(new_session: NewSession) -> Session:
    return new_session()


@pytest.fixture
def images(blob_image) -> Images:
    """A function that makes images as a stack gives them: background 0."""
    return lambda count, seed=0: np.stack([blob_image(1000 * seed + k, 20, 0) for k in range(count)])


def tracklet(movie: int = 1, first: int = 11, last: int = 15, id_: int = 7) -> TrackletName:
    name = parse_tracklet_name(f"trj_id{id_}_ti{movie}_{first}_tf{movie}_{last}")
    assert name
    return name


def listing(session: Session) -> set[str]:
    """Files of the training set as training finds them: `label/name`."""
    folder = session.classifier_dir / "examples"
    return {file.path.relative_to(folder).as_posix() for file in list_examples(folder)} if folder.is_dir() else set()


def by_label(session: Session) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in listing(session):
        counts[name.split("/")[0]] = counts.get(name.split("/")[0], 0) + 1
    return counts


def everything(session: Session) -> dict[str, bytes]:
    """Content of all files below `classifier/`, temporary ones too; the lock is none of them."""
    found = {
        path.relative_to(session.path).as_posix(): path.read_bytes()
        for path in session.classifier_dir.rglob("*")
        if path.is_file()
    }
    found.pop("classifier/.trainset.lock", None)
    return found


# What an export writes


def test_nothing_is_made_before_the_first_export(session: Session) -> None:
    examples = Examples(session)
    examples.refresh()
    assert examples.counts() == {}
    assert examples.files("AB") == ()
    with pytest.raises(TrainsetError, match="nothing to undo"):
        examples.undo("tab")
    assert list(session.classifier_dir.iterdir()) == []


def test_an_exported_image_is_an_rgb_png_with_a_white_background_named_by_its_absolute_frame(
    session: Session, images: Images
) -> None:
    outcome = Examples(session).export(tracklet(movie=2), images(5), [0, 3], "AB", "tab")
    names = ["some.ants.trj_id7_ti2_11_tf2_15.1011.png", "some.ants.trj_id7_ti2_11_tf2_15.1014.png"]
    assert listing(session) == {f"AB/{name}" for name in names}
    folder = session.classifier_dir / "examples" / "AB"
    with Image.open(folder / names[1]) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        pixels = np.asarray(image)
    raw = images(5)[3]
    assert (pixels[raw.any(-1)] == raw[raw.any(-1)]).all()
    assert (pixels[~raw.any(-1)] == 255).all()
    assert outcome.message == "AB: 2 images added"
    assert (outcome.added, outcome.folder, outcome.files) == (2, folder, tuple(names))


def test_light_animals_on_dark_ground_keep_their_black_background(new_session: NewSession, images: Images) -> None:
    session = new_session(inverted="true")
    examples = Examples(session)
    examples.export(tracklet(), images(5), [2], "AB", "tab")
    (file,) = examples.files("AB")
    assert (read_example(file.path) == images(5)[2]).all()
    assert examples.of_tracklet(tracklet(), images(5)) == {2: ("AB",)}


def test_images_are_written_right_whatever_the_order_of_their_pixels_in_memory(
    session: Session, images: Images
) -> None:
    as_stored = np.ascontiguousarray(images(5).transpose(0, 3, 2, 1)).transpose(0, 3, 2, 1)
    examples = Examples(session)
    examples.export(tracklet(), as_stored, [1], "AB", "tab")
    assert examples.of_tracklet(tracklet(), images(5)) == {1: ("AB",)}


@pytest.mark.parametrize("movies", [None, "index name fi ff\n2 m2 1 5\n", "a broken table\n"])
def test_frames_are_numbered_within_the_tracklet_where_the_movie_table_does_not_tell(
    new_session: NewSession, images: Images, movies: str | None
) -> None:
    session = new_session(movies=movies)
    Examples(session).export(tracklet(), images(5), [0, 4], "AB", "tab")
    assert {name.split(".")[-2] for name in listing(session)} == {"1", "5"}


def test_frames_are_numbered_within_the_tracklet_where_the_stack_holds_fewer_images(
    session: Session, images: Images
) -> None:
    Examples(session).export(tracklet(), images(4), [3], "AB", "tab")
    assert listing(session) == {"AB/some.ants.trj_id7_ti1_11_tf1_15.4.png"}


def test_images_with_the_same_pixels_are_written_once(session: Session, images: Images) -> None:
    twice = images(5)[[0, 1, 0, 1, 2]]
    outcome = Examples(session).export(tracklet(), twice, range(5), "AB", "tab")
    assert (outcome.added, outcome.present) == (3, 2)
    assert {name.split(".")[-2] for name in listing(session)} == {"11", "12", "15"}


# What is there already


def test_an_image_that_is_there_is_not_written_again(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0, 1], "AB", "tab")
    outcome = examples.export(tracklet(), images(5), [0, 1, 2], "AB", "tab")
    assert (outcome.added, outcome.present, outcome.moved) == (1, 2, 0)
    assert outcome.message == "AB: 1 image added, 2 images there already"
    assert by_label(session) == {"AB": 3}


def test_an_image_of_an_older_set_that_numbers_within_the_tracklet_is_not_written_again(
    session: Session, images: Images, blob_image
) -> None:
    folder = session.classifier_dir / "examples" / "AB"
    folder.mkdir(parents=True)
    Image.fromarray(blob_image(0)).save(folder / "some.ants.trj_id7_ti1_11_tf1_15.1.png")
    # the name that the second image would get is taken by the third
    Image.fromarray(blob_image(2)).save(folder / "some.ants.trj_id7_ti1_11_tf1_15.12.png")
    examples = Examples(session)
    outcome = examples.export(tracklet(), images(5), range(5), "AB", "tab")
    assert (outcome.added, outcome.present) == (3, 2)
    assert examples.of_tracklet(tracklet(), images(5)) == dict.fromkeys(range(5), ("AB",))
    assert (read_example(folder / "some.ants.trj_id7_ti1_11_tf1_15.12.png") == blob_image(2)).all()
    assert "AB/some.ants.m1.trj_id7_ti1_11_tf1_15.12.png" in listing(session)


def test_a_name_that_a_damaged_file_has_is_not_overwritten(session: Session, images: Images) -> None:
    damaged = session.classifier_dir / "examples" / "AB" / "some.ants.trj_id7_ti1_11_tf1_15.11.PNG"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"\x89PNG no more")
    examples = Examples(session)
    assert examples.export(tracklet(), images(5), [0], "AB", "tab").added == 1
    assert damaged.read_bytes() == b"\x89PNG no more"
    # on some disks the two names would be one
    assert "AB/some.ants.m1.trj_id7_ti1_11_tf1_15.11.png" in listing(session)
    assert examples.of_tracklet(tracklet(), images(5)) == {0: ("AB",)}
    assert examples.counts() == {"AB": Count(2, 2)}


def test_the_last_word_counts_an_image_under_another_label_is_moved(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0, 1, 2], "AB", "tab")
    outcome = examples.export(tracklet(), images(5), [1, 2, 3], "CD", "tab")
    assert (outcome.added, outcome.moved, outcome.present) == (1, 2, 0)
    assert outcome.message == "CD: 1 image added, 2 images moved from AB"
    assert examples.of_tracklet(tracklet(), images(5)) == {0: ("AB",), 1: ("CD",), 2: ("CD",), 3: ("CD",)}
    assert by_label(session) == {"AB": 1, "CD": 3}


def test_an_image_that_lay_under_two_labels_lies_under_one_after_its_export_and_the_copy_in_the_trash(
    session: Session, images: Images, make_examples
) -> None:
    name = "some.ants.trj_id7_ti1_11_tf1_15.1.png"
    make_examples(session.classifier_dir, {f"AB/{name}": 0, f"CD/{name}": 0, f"NoAnt/{name}": 0})
    examples = Examples(session)
    examples.refresh()
    assert examples.of_tracklet(tracklet(), images(5)) == {0: ("AB", "CD", "NoAnt")}
    outcome = examples.export(tracklet(), images(5), [0], "CD", "tab")
    assert (outcome.present, outcome.removed) == (1, 2)
    assert listing(session) == {f"CD/{name}"}
    assert (session.classifier_dir / "trash" / "AB" / name).is_file()
    assert examples.undo("tab").moved == 2
    assert listing(session) == {f"AB/{name}", f"CD/{name}", f"NoAnt/{name}"}


def test_the_same_pixels_in_another_tracklet_are_another_example(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    assert examples.export(tracklet(id_=8), images(5), [0], "CD", "tab").added == 1
    assert by_label(session) == {"AB": 1, "CD": 1}


# What is refused


@pytest.mark.parametrize("frames", [[], [5], [-1], [0, 99]])
def test_images_that_a_tracklet_does_not_have_are_refused(session: Session, images: Images, frames: list[int]) -> None:
    with pytest.raises(TrainsetError, match="trj_id7_ti1_11_tf1_15: choose images of its 5"):
        Examples(session).export(tracklet(), images(5), frames, "AB", "tab")
    assert listing(session) == set()


@pytest.mark.parametrize("label", ["EF", "ab", "B", "../AB", "", ".", "..", "/tmp", "a\\b"])
def test_only_labels_of_the_experiment_can_be_exported_to(session: Session, images: Images, label: str) -> None:
    before = everything(session)
    with pytest.raises((TrainsetError, LabelsError)):
        Examples(session).export(tracklet(), images(5), [0], label, "tab")
    assert everything(session) == before
    assert not (session.classifier_dir / "examples").exists()


def test_a_label_that_was_added_since_can_be_exported_to(session: Session, images: Images) -> None:
    assert "EF" not in session.labels.all
    examples = Examples(session)
    with pytest.raises(TrainsetError, match="'EF' is no label of this experiment; add it to its labels"):
        examples.export(tracklet(), images(5), [0], "EF", "tab")
    with (session.path / "parameters" / "labels.csv").open("a") as file:
        file.write("EF\tant_labels\n")
    assert examples.export(tracklet(), images(5), [0], "EF", "tab").added == 1


@pytest.mark.parametrize("broken", ["", "AB\tno_such_category\n", None])
def test_a_damaged_labels_file_refuses_exports_and_says_so(
    session: Session, images: Images, broken: str | None
) -> None:
    path = session.path / "parameters" / "labels.csv"
    if broken is None:
        path.unlink()
    else:
        path.write_text(broken)
    with pytest.raises(LabelsError, match=r"labels\.csv"):
        Examples(session).export(tracklet(), images(5), [0], "AB", "tab")


def test_a_label_whose_folder_differs_in_capital_letters_is_refused(session: Session, images: Images) -> None:
    (session.classifier_dir / "examples" / "ab").mkdir(parents=True)
    with pytest.raises(TrainsetError, match="differ in capital letters only; rename the folder"):
        Examples(session).export(tracklet(), images(5), [0], "AB", "tab")


def test_folders_that_differ_in_capital_letters_only_are_two_labels_where_the_disk_holds_both(
    session: Session, images: Images, make_examples
) -> None:
    name = "some.ants.trj_id7_ti1_11_tf1_15"
    make_examples(session.classifier_dir, {f"AB/{name}.1.png": 0, f"ab/{name}.2.png": 1})
    if len(listing(session)) < 2 or len(by_label(session)) < 2:
        pytest.skip("this disk does not tell AB from ab")
    examples = Examples(session)
    assert examples.export(tracklet(), images(5), [0, 1], "AB", "tab").message == (
        "AB: 1 image moved from ab, 1 image there already"
    )
    assert by_label(session) == {"AB": 2}


def test_an_experiment_whose_drive_was_taken_away_is_not_made_anew(session: Session, images: Images) -> None:
    examples = Examples(session)
    session.path.rename(session.path.with_name("away"))
    with pytest.raises(ExperimentError, match="is not there any more; is its drive connected"):
        examples.export(tracklet(), images(5), [0], "AB", "tab")
    assert not session.path.exists()
    examples.refresh()
    assert examples.counts() == {}


# Undo


def test_undo_takes_the_last_export_back_and_then_the_one_before(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0, 1], "AB", "tab")
    first = everything(session)
    examples.export(tracklet(), images(5), [1, 2], "CD", "tab")
    outcome = examples.undo("tab")
    assert (outcome.removed, outcome.moved, outcome.tracklet) == (1, 1, tracklet().name)
    assert outcome.message == "undone: 1 image taken out of CD again, 1 image brought back"
    assert everything(session) == first
    examples.undo("tab")
    assert everything(session) == {}
    with pytest.raises(TrainsetError, match="nothing to undo"):
        examples.undo("tab")


def test_an_export_that_changed_nothing_is_not_one_to_undo(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    examples.undo("tab")
    assert listing(session) == set()
    assert not examples.can_undo("tab")


def test_a_client_undoes_only_its_own_exports(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "mine")
    examples.export(tracklet(id_=8), images(5, seed=1), [0], "CD", "yours")
    examples.undo("mine")
    assert by_label(session) == {"CD": 1}
    with pytest.raises(TrainsetError, match="nothing to undo"):
        examples.undo("mine")


def test_undo_leaves_alone_what_somebody_else_has_moved_or_replaced_since(
    session: Session, images: Images, blob_image
) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0, 1, 2], "AB", "mine")
    Examples(session).export(tracklet(), images(5), [0], "CD", "yours")
    replaced = session.classifier_dir / "examples" / "AB" / "some.ants.trj_id7_ti1_11_tf1_15.12.png"
    Image.fromarray(blob_image(77)).save(replaced)
    outcome = examples.undo("mine")
    assert outcome.removed == 1
    assert "2 images left alone, for somebody has changed them since" in outcome.message
    assert by_label(session) == {"AB": 1, "CD": 1}
    assert (read_example(replaced) == blob_image(77)).all()


def test_a_file_that_appears_while_images_are_written_is_not_overwritten(
    session: Session, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = session.classifier_dir / "examples" / "AB"
    (there,) = Examples(session).export(tracklet(), images(5), [2], "AB", "tab").files
    (folder / there).unlink()
    write = changes._write

    def write_slowly(path: Path, image: NDArray[np.uint8]) -> bytes:
        (folder / there).write_bytes(b"of somebody else")
        return write(path, image)

    monkeypatch.setattr(changes, "_write", write_slowly)
    examples = Examples(session)
    with pytest.raises(OutputError, match="just now"):
        examples.export(tracklet(), images(5), [1, 2, 3], "AB", "tab")
    assert everything(session) == {f"classifier/examples/AB/{there}": b"of somebody else"}
    monkeypatch.undo()
    assert examples.export(tracklet(), images(5), [1, 2, 3], "AB", "tab").added == 3
    assert (folder / there).read_bytes() == b"of somebody else"


def test_undo_does_not_take_away_what_somebody_else_exported_too(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0, 1, 2], "AB", "one")
    assert examples.export(tracklet(), images(5), [1, 2, 3], "AB", "two").present == 2
    assert examples.undo("one").message == (
        "undone: 1 image taken out of AB again, 2 images left alone, for somebody has changed them since"
    )
    assert set(examples.of_tracklet(tracklet(), images(5))) == {1, 2, 3}
    # and what was moved stays where somebody else said that it belongs
    examples.export(tracklet(), images(5), [1, 2], "CD", "one")
    examples.export(tracklet(), images(5), [2], "CD", "two")
    examples.undo("one")
    assert examples.of_tracklet(tracklet(), images(5)) == {1: ("AB",), 2: ("CD",), 3: ("AB",)}


def test_undoing_a_trashing_does_not_bring_an_image_back_that_was_exported_anew(
    session: Session, images: Images
) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0, 1], "AB", "tab")
    examples.trash("AB", [file.path.name for file in examples.files("AB")], "mine")
    examples.export(tracklet(), images(5), [0], "CD", "yours")
    assert examples.undo("mine").moved == 1
    assert examples.of_tracklet(tracklet(), images(5)) == {0: ("CD",), 1: ("AB",)}


def test_undoing_a_trashing_does_not_double_an_image_that_was_exported_under_the_same_label_again(
    session: Session, images: Images
) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    examples.trash("AB", [examples.files("AB")[0].path.name], "mine")
    examples.export(tracklet(), images(5), [0], "AB", "yours")
    assert "1 image left alone" in examples.undo("mine").message
    assert by_label(session) == {"AB": 1}


def test_undoing_a_trashing_brings_an_image_back_that_lay_under_another_label_too(
    session: Session, make_examples
) -> None:
    name = f"some.ants.{tracklet().name}.1.png"
    make_examples(session.classifier_dir, {f"AB/{name}": 0, f"CD/{name}": 0})
    examples = Examples(session)
    examples.refresh()
    examples.trash("AB", [name], "tab")
    assert examples.undo("tab").moved == 1
    assert by_label(session) == {"AB": 1, "CD": 1}


def test_what_comes_back_finds_another_name_where_its_own_is_taken(
    session: Session, images: Images, blob_image
) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    (file,) = examples.files("AB")
    examples.trash("AB", [file.path.name], "tab")
    Image.fromarray(blob_image(77)).save(file.path)
    examples.undo("tab")
    assert (read_example(file.path) == blob_image(77)).all()
    assert examples.of_tracklet(tracklet(), images(5)) == {0: ("AB",)}


# The gallery


def test_files_of_a_label_come_in_order_of_experiment_tracklet_and_frame(session: Session, make_examples) -> None:
    names = [
        "AB/a.trj_id2_ti1_5_tf1_9.2.png",
        "AB/a.trj_id2_ti1_5_tf1_9.10.png",
        "AB/a.trj_id1_ti1_10_tf1_20.1.png",
        "AB/a.trj_id1_ti2_1_tf2_3.1.png",
        "AB/a.trj_id1_ti10_1_tf10_3.1.png",
        "AB/b.c.trj_id1_ti1_1_tf1_3.1.png",
    ]
    make_examples(session.classifier_dir, names[::-1])
    examples = Examples(session)
    examples.refresh()
    assert [f"AB/{file.path.name}" for file in examples.files("AB")] == names
    assert [file.experiment for file in examples.files("AB")] == ["a"] * 5 + ["b.c"]


def test_counts_are_of_images_and_tracklets_by_label_without_empty_folders(session: Session, make_examples) -> None:
    names = ["AB/a.trj_id2_ti1_5_tf1_9.2.png", "AB/a.trj_id2_ti1_5_tf1_9.3.png", "AB/b.trj_id2_ti1_5_tf1_9.3.png"]
    make_examples(session.classifier_dir, [*names, "NoAnt/dirt.png", "NoAnt/.hidden.png", "NoAnt/notes.txt.png"])
    examples_dir = session.classifier_dir / "examples"
    (examples_dir / "CD").mkdir()
    (examples_dir / ".git").mkdir()
    (examples_dir / "readme.txt").touch()
    (examples_dir / "AB" / "thumbs.db").touch()
    examples = Examples(session)
    examples.refresh()
    assert examples.counts() == {"AB": Count(3, 2), "NoAnt": Count(2, 2)}
    assert sum(count.examples for count in examples.counts().values()) == len(listing(session))


def test_examples_are_moved_to_another_label_and_back(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), range(5), "AB", "tab")
    before = everything(session)
    names = [file.path.name for file in examples.files("AB")]
    outcome = examples.move("AB", names[:2], "NoAnt", "tab")
    assert (outcome.moved, outcome.message) == (2, "NoAnt: 2 images moved from AB")
    assert by_label(session) == {"AB": 3, "NoAnt": 2}
    examples.undo("tab")
    assert everything(session) == before


def test_examples_of_a_label_that_is_none_any_more_can_be_moved_away(session: Session, make_examples) -> None:
    make_examples(session.classifier_dir, ["old/x.png"])
    examples = Examples(session)
    examples.refresh()
    examples.move("old", ["x.png"], "AB", "tab")
    assert listing(session) == {"AB/x.png"}


def test_moving_an_image_to_where_it_is_already_puts_the_file_into_the_trash(session: Session, make_examples) -> None:
    name = "some.ants.trj_id7_ti1_11_tf1_15"
    make_examples(session.classifier_dir, {f"AB/{name}.1.png": 0, f"AB/{name}.2.png": 0, f"CD/{name}.3.png": 0})
    examples = Examples(session)
    examples.refresh()
    outcome = examples.move("AB", [f"{name}.1.png", f"{name}.2.png"], "CD", "tab")
    assert (outcome.moved, outcome.removed) == (0, 2)
    assert listing(session) == {f"CD/{name}.3.png"}


def test_of_exact_duplicates_one_is_moved_and_the_others_go_into_the_trash(session: Session, make_examples) -> None:
    name = "some.ants.trj_id7_ti1_11_tf1_15"
    make_examples(session.classifier_dir, {f"AB/{name}.{k}.png": 0 for k in range(4)})
    examples = Examples(session)
    examples.refresh()
    outcome = examples.move("AB", [f"{name}.1.png", f"{name}.2.png"], "CD", "tab")
    assert (outcome.moved, outcome.removed) == (1, 3)
    assert listing(session) == {f"CD/{name}.1.png"}
    examples.undo("tab")
    assert by_label(session) == {"AB": 4}


def test_trashed_examples_lie_beside_the_examples_and_never_overwrite_one_another(
    session: Session, images: Images
) -> None:
    examples = Examples(session)
    for _ in range(3):
        examples.export(tracklet(), images(5), [0], "AB", "tab")
        outcome = examples.trash("AB", [examples.files("AB")[0].path.name], "tab")
        assert (outcome.removed, outcome.folder) == (1, session.classifier_dir / "trash" / "AB")
    assert listing(session) == set()
    assert len(list((session.classifier_dir / "trash" / "AB").iterdir())) == 3
    for _ in range(5):
        examples.undo("tab")
    assert by_label(session) == {"AB": 1}


def test_damaged_files_are_counted_and_can_be_moved_trashed_and_brought_back(session: Session, make_examples) -> None:
    make_examples(session.classifier_dir, ["AB/x.png"])
    (session.classifier_dir / "examples" / "AB" / "x.png").write_bytes(b"no image")
    examples = Examples(session)
    examples.refresh()
    assert examples.counts() == {"AB": Count(1, 1)}
    examples.move("AB", ["x.png"], "CD", "tab")
    examples.trash("CD", ["x.png"], "tab")
    assert listing(session) == set()
    examples.undo("tab")
    examples.undo("tab")
    assert listing(session) == {"AB/x.png"}


@pytest.mark.parametrize("name", ["../../parameters/labels.csv", "/etc/passwd", "", ".", "no.png", ".hidden.png"])
def test_a_name_that_is_not_listed_is_never_looked_for(session: Session, make_examples, name: str) -> None:
    make_examples(session.classifier_dir, ["AB/x.png", "AB/.hidden.png"])
    examples = Examples(session)
    examples.refresh()
    before = everything(session)
    for change in (lambda: examples.trash("AB", [name], "t"), lambda: examples.move("AB", [name], "CD", "t")):
        with pytest.raises(TrainsetError, match="none of these examples is under 'AB' any more"):
            change()
    with pytest.raises(TrainsetError):
        examples.trash("../examples/AB", ["x.png"], "t")
    assert everything(session) == before
    assert (session.path / "parameters" / "labels.csv").is_file()


def test_examples_that_somebody_took_away_are_passed_over(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0, 1], "AB", "tab")
    names = [file.path.name for file in examples.files("AB")]
    Examples(session).move("AB", names[:1], "CD", "other")
    outcome = examples.trash("AB", names, "tab")
    assert (outcome.removed, outcome.message) == (1, "AB: 1 image put into the trash, 1 image not there any more")
    assert by_label(session) == {"CD": 1}


def test_moving_to_the_label_itself_or_to_none_is_refused(session: Session, make_examples) -> None:
    make_examples(session.classifier_dir, ["AB/x.png"])
    examples = Examples(session)
    examples.refresh()
    with pytest.raises(TrainsetError, match="under AB already"):
        examples.move("AB", ["x.png"], "AB", "tab")
    with pytest.raises(TrainsetError, match="no label"):
        examples.move("AB", ["x.png"], "EF", "tab")
    assert listing(session) == {"AB/x.png"}


# What is known of a tracklet


def test_whether_a_tracklet_may_have_examples_is_told_by_names_of_any_experiment(
    session: Session, make_examples
) -> None:
    name = tracklet().name
    make_examples(session.classifier_dir, [f"NoAnt/other.ants.{name}.1.png"])
    examples = Examples(session)
    examples.refresh()
    assert examples.may_hold(name)
    assert not examples.may_hold("nobody")


def test_a_renamed_experiment_does_not_make_tracklets_look_unseen(session: Session, make_examples) -> None:
    name = tracklet().name
    make_examples(session.classifier_dir, [f"AB/old.name.{name}.1.png"])
    examples = Examples(session)
    examples.refresh()
    assert examples.older_than(name, 1e12)
    assert examples.tracklet_names() == {name}


def test_whether_examples_are_older_than_a_time_survives_their_move(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    (file,) = examples.files("AB")
    os.utime(file.path, (1000, 1000))
    examples.export(tracklet(), images(5), [0, 1], "CD", "tab")
    assert examples.older_than(tracklet().name, 1001)
    assert not examples.older_than(tracklet().name, 1000)
    assert not examples.older_than(tracklet(id_=8).name, 1001)


# What others do


def test_what_another_program_adds_and_removes_is_seen_after_a_refresh(session: Session, make_examples) -> None:
    examples = Examples(session)
    examples.refresh()
    versions = [examples.version]
    for change in (
        lambda: make_examples(session.classifier_dir, ["AB/x.png"]),
        lambda: make_examples(session.classifier_dir, ["AB/y.png"]),
        lambda: make_examples(session.classifier_dir, ["CD/z.png"]),
        lambda: (session.classifier_dir / "examples" / "AB" / "x.png").unlink(),
        lambda: (session.classifier_dir / "examples" / "CD").rename(session.classifier_dir / "examples" / "EF"),
    ):
        change()
        examples.refresh()
        versions.append(examples.version)
    assert sorted(set(versions)) == versions
    assert examples.counts() == {"AB": Count(1, 1), "EF": Count(1, 1)}
    examples.refresh()
    assert examples.version == versions[-1]


def test_a_file_that_was_added_without_the_folder_getting_a_new_date_is_seen(session: Session, make_examples) -> None:
    make_examples(session.classifier_dir, ["AB/x.png"])
    folder = session.classifier_dir / "examples" / "AB"
    date = folder.stat().st_mtime_ns
    examples = Examples(session)
    examples.refresh()
    version = examples.version
    make_examples(session.classifier_dir, ["AB/y.png"])
    os.utime(folder, ns=(date, date))
    examples.refresh()
    assert examples.counts() == {"AB": Count(2, 2)}
    assert examples.version > version


def test_an_image_that_was_painted_over_in_place_is_told_by_its_new_pixels(
    session: Session, images: Images, blob_image
) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    assert examples.of_tracklet(tracklet(), images(5)) == {0: ("AB",)}
    (file,) = examples.files("AB")
    Image.fromarray(blob_image(4)).save(file.path)
    assert examples.of_tracklet(tracklet(), images(5)) == {4: ("AB",)}


def test_two_tabs_that_export_the_same_images_write_them_once(session: Session, images: Images) -> None:
    one, two = Examples(session), Examples(session)
    one.export(tracklet(), images(5), range(5), "AB", "one")
    outcome = two.export(tracklet(), images(5), range(5), "AB", "two")
    assert (outcome.added, outcome.present) == (0, 5)
    two.refresh()
    assert two.counts() == {"AB": Count(5, 1)}


def test_a_set_that_was_merged_in_is_known_by_its_pixels(
    new_session: NewSession, session: Session, images: Images
) -> None:
    copied = new_session("renamed")
    Examples(copied).export(tracklet(), images(5), [0, 1], "AB", "tab")
    examples = Examples(session)
    examples.export(tracklet(), images(5, seed=1), [2], "AB", "tab")
    merge_trainsets([copied.classifier_dir], session.classifier_dir)
    assert examples.export(tracklet(), images(5), [0, 1, 2], "AB", "tab").present == 2


def test_sessions_that_share_a_training_set_by_a_link_wait_for_one_another(
    new_session: NewSession, session: Session, images: Images
) -> None:
    shared = session.classifier_dir / "examples"
    shared.mkdir()
    other = new_session("other")
    (other.classifier_dir / "examples").symlink_to(shared)
    Examples(other).export(tracklet(), images(5), [0], "AB", "tab")
    Examples(session).export(tracklet(), images(5), [1], "AB", "tab")
    assert len(listing(session)) == 2
    assert (session.classifier_dir / ".trainset.lock").exists()
    assert not (other.classifier_dir / ".trainset.lock").exists()


def test_threads_that_share_the_set_lose_nothing_and_write_nothing_twice(session: Session, images: Images) -> None:
    examples = Examples(session)

    def work(number: int) -> int:
        # every tracklet is exported by two threads
        which = tracklet(id_=number // 2)
        added = examples.export(which, images(5, seed=number // 2), range(5), "AB", f"tab{number}").added
        examples.refresh()
        assert len(examples.of_tracklet(which, images(5, seed=number // 2))) == 5
        return added

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(work, range(12))) == [0] * 6 + [5] * 6
    assert by_label(session) == {"AB": 30}
    assert examples.counts() == {"AB": Count(30, 6)}


# Processes of their own

WORKER = """
import sys, pathlib, numpy as np
from antrax.io.session import Session
from antrax.io.names import parse_tracklet_name
from antrax.review.training_set.editing import Examples
path, label, seeds, rounds = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3].split(","), int(sys.argv[4])
examples = Examples(Session(path.parent, path))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(rounds):
    for seed in map(int, seeds):
        images = np.zeros((40, 20, 20, 3), np.uint8)
        images[:, 5:15, 5:15] = np.random.default_rng(seed).integers(1, 255, (40, 10, 10, 3), np.uint8)
        name = parse_tracklet_name(f"trj_id{seed}_ti1_1_tf1_40")
        outcome = examples.export(name, images, range(40), label, "tab")
        print(seed, outcome.added, outcome.present, outcome.moved, flush=True)
"""


def start(session: Session, label: str, seeds: str, rounds: int = 1) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(session.path), label, seeds, str(rounds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def go(*processes: subprocess.Popen[str]) -> list[list[list[int]]]:
    """Let processes that are ready begin, and what each said of its exports."""
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    said = []
    for process in processes:
        output, _ = process.communicate()
        assert process.returncode == 0
        said.append([[int(number) for number in line.split()] for line in output.splitlines()])
    return said


def test_processes_that_export_at_once_lose_nothing_and_write_nothing_twice(session: Session) -> None:
    said = go(start(session, "AB", "1,2,3,4,5"), start(session, "AB", "3,4,5,6,7"))
    assert by_label(session) == {"AB": 7 * 40}
    added = [line[1] for line in itertools.chain(*said)]
    assert sorted(added) == [0] * 3 + [40] * 7
    assert len({path.read_bytes() for path in (session.classifier_dir / "examples" / "AB").iterdir()}) == 7 * 40


def test_of_processes_that_disagree_on_a_label_one_has_the_last_word_on_every_tracklet(session: Session) -> None:
    go(start(session, "AB", "1,2,3"), start(session, "CD", "1,2,3"))
    counts = by_label(session)
    assert sum(counts.values()) == 3 * 40
    assert set(counts.values()) <= {40, 80, 120}


def test_whatever_moment_a_process_is_killed_at_confirmed_exports_are_whole_and_nothing_half_written_counts(
    session: Session,
) -> None:
    confirmed: set[int] = set()
    for attempt in range(4):
        seeds = [10 * attempt + k for k in range(1, 10)]
        process = start(session, "AB", ",".join(map(str, seeds)))
        assert process.stdin
        assert process.stdout
        process.stdin.write("\n")
        process.stdin.flush()
        for _ in range(attempt + 1):
            confirmed.add(int(process.stdout.readline().split()[0]))
        time.sleep(0.003 * attempt)
        process.send_signal(signal.SIGKILL)
        confirmed.update(int(line.split()[0]) for line in process.communicate()[0].splitlines())
    files = list_examples(session.classifier_dir / "examples")
    for file in files:
        assert read_example(file.path).shape == (20, 20, 3)
    for seed in confirmed:
        assert sum(file.tracklet == f"trj_id{seed}_ti1_1_tf1_40" for file in files) == 40
    # the killed ones keep nobody out, and what they began can be finished
    (said,) = go(start(session, "AB", "1,2,3,4,5,6,7,8,9"))
    assert all(sum(line[1:]) == 40 for line in said)


def test_what_a_killed_process_has_left_is_removed_once_it_is_old(session: Session, images: Images) -> None:
    folder = session.classifier_dir / "examples" / "AB"
    folder.mkdir(parents=True)
    (folder / ".0123.part").write_bytes(b"half")
    (folder / ".4567.part").write_bytes(b"somebody is writing this")
    os.utime(folder / ".0123.part", (1000, 1000))
    Examples(session).export(tracklet(), images(5), [0], "AB", "tab")
    assert {path.name for path in folder.iterdir() if path.suffix == ".part"} == {".4567.part"}


def test_somebody_who_does_not_end_writing_is_an_error_that_says_so(session: Session, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    held = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import filelock\nwith filelock.FileLock({str(lock)!r}): print('held', flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdout
    held.stdout.readline()
    with pytest.raises(OutputError, match="somebody else has been writing"), only_writer(lock, 0.1):
        pytest.fail("entered")
    held.communicate("\n")
    with only_writer(lock, 0.1):
        pass


# Disks that fail


@pytest.fixture
def small_disk(session: Session, images: Images) -> Iterator[Session]:
    """A session on a file system of its own, with two examples of AB; needs the right to mount."""
    classifier = session.classifier_dir
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", classifier], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    Examples(session).export(tracklet(), images(5), [0, 1], "AB", "tab")
    yield session
    subprocess.run(["umount", "-l", classifier], check=True)


def fill(folder: Path, leave: int) -> Path:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    os.truncate(ballast, ballast.stat().st_size - leave)
    return ballast


@pytest.mark.parametrize("leave", [0, 10 * 4096])
def test_on_a_full_disk_an_export_changes_nothing_and_can_be_repeated(
    small_disk: Session, images: Images, leave: int
) -> None:
    examples = Examples(small_disk)
    many = images(60)
    name = tracklet(first=1, last=60)
    ballast = fill(small_disk.classifier_dir, leave)
    before = everything(small_disk)
    with pytest.raises(OutputError, match=r"CD cannot be written: No space left.*everything is as it was"):
        examples.export(name, many, range(60), "CD", "tab")
    assert everything(small_disk) == before
    assert not (small_disk.classifier_dir / "examples" / "CD").exists()
    assert not examples.can_undo("tab")
    ballast.unlink()
    assert examples.export(name, many, range(60), "CD", "tab").added == 60


def test_a_full_disk_moves_nothing_of_an_export_that_would_also_write(small_disk: Session, images: Images) -> None:
    fill(small_disk.classifier_dir, 0)
    before = everything(small_disk)
    with pytest.raises(OutputError):
        Examples(small_disk).export(tracklet(), images(5), range(5), "CD", "tab")
    assert everything(small_disk) == before


def test_in_a_read_only_folder_every_change_is_an_error_and_looking_works(small_disk: Session, images: Images) -> None:
    examples = Examples(small_disk)
    examples.export(tracklet(), images(5), [2], "CD", "tab")
    name = examples.files("AB")[0].path.name
    before = everything(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", small_disk.classifier_dir], check=True)
    changes: list[Callable[[], object]] = [
        lambda: examples.export(tracklet(), images(5), [3], "AB", "tab"),
        lambda: examples.export(tracklet(), images(5), [0], "CD", "tab"),
        lambda: examples.move("AB", [name], "CD", "tab"),
        lambda: examples.trash("AB", [name], "tab"),
        lambda: examples.undo("tab"),
    ]
    for change in changes:
        with pytest.raises(OutputError, match="Read-only"):
            change()
    assert everything(small_disk) == before
    assert examples.of_tracklet(tracklet(), images(5)) == {0: ("AB",), 1: ("AB",), 2: ("CD",)}
    subprocess.run(["mount", "-o", "remount,rw", small_disk.classifier_dir], check=True)
    assert examples.undo("tab").removed == 1


def test_a_label_whose_folder_is_on_another_disk_takes_and_gives_images(small_disk: Session, images: Images) -> None:
    elsewhere = small_disk.path / "elsewhere"
    elsewhere.mkdir()
    (small_disk.classifier_dir / "examples" / "CD").symlink_to(elsewhere)
    examples = Examples(small_disk)
    before = everything(small_disk)
    assert examples.export(tracklet(), images(5), [0, 1], "CD", "tab").moved == 2
    assert len(list(elsewhere.iterdir())) == 2
    assert examples.counts() == {"CD": Count(2, 1)}
    examples.undo("tab")
    assert everything(small_disk) == before
    assert list(elsewhere.iterdir()) == []


def test_an_export_that_cannot_take_an_image_from_another_label_changes_nothing(
    small_disk: Session, images: Images
) -> None:
    examples = Examples(small_disk)
    examples.export(tracklet(), images(5), [2], "CD", "tab")
    kept = small_disk.classifier_dir / "examples" / "CD"
    elsewhere = small_disk.path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", elsewhere], check=True)
    try:
        (elsewhere / next(kept.iterdir()).name).write_bytes(next(kept.iterdir()).read_bytes())
        shutil.rmtree(kept)
        kept.symlink_to(elsewhere)
        subprocess.run(["mount", "-o", "remount,ro", elsewhere], check=True)
        before = everything(small_disk)
        # one image is moved from AB, then the one on the read-only disk cannot be, and two are new
        with pytest.raises(OutputError, match="NoAnt cannot be written: Read-only"):
            examples.export(tracklet(), images(5), range(5), "NoAnt", "tab")
        assert everything(small_disk) == before
        assert by_label(small_disk) == {"AB": 2, "CD": 1}
    finally:
        subprocess.run(["umount", "-l", elsewhere], check=True)


def test_a_file_where_a_label_s_folder_should_be_is_an_error(session: Session, images: Images) -> None:
    (session.classifier_dir / "examples").mkdir()
    (session.classifier_dir / "examples" / "AB").touch()
    with pytest.raises(AntraxError, match="AB cannot be written"):
        Examples(session).export(tracklet(), images(5), [0], "AB", "tab")
