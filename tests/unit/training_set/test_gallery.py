"""The examples of a label: listing, moving and deleting them, and which tracklets they are of."""

from __future__ import annotations

import os
import unicodedata

import pytest

from antrax.errors import TrainsetError
from antrax.io.session import Session
from antrax.review.training_set.editing import Count, Examples
from tests.unit.training_set.helpers import Images, NewSession, by_label, everything, listing, tracklet

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


def test_folders_that_spell_a_label_in_another_way_are_of_that_label(
    new_session: NewSession, images: Images, make_examples
) -> None:
    session = new_session(labels="AB\tant_labels\nMüll\tnoant_labels\n")
    name = "some.ants.trj_id7_ti1_11_tf1_15"
    decomposed = unicodedata.normalize("NFD", "Müll")
    make_examples(
        session.classifier_dir,
        {f"{decomposed}/{name}.1.png": 0, f"{decomposed}/{name}.2.png": 1, f"AB /{name}.3.png": 2, "AB/x.png": 3},
    )
    if not (session.classifier_dir / "examples" / "AB ").is_dir():
        pytest.skip("this disk has no names that end with a blank")
    examples = Examples(session)
    examples.refresh()
    assert examples.counts() == {"AB": Count(2, 2), "Müll": Count(2, 1)}
    assert [file.path.parent.name for file in examples.files("AB")] == ["AB", "AB "]
    assert {file.label for file in examples.files("Müll")} == {"Müll"}

    outcome = examples.export(tracklet(), images(5), [4], "Müll", "tab")
    assert outcome.folder
    assert outcome.folder.name == decomposed
    assert examples.counts()["Müll"] == Count(3, 1)

    outcome = examples.move("AB", [f"{name}.3.png", "x.png", "gone.png"], "Müll", "tab")
    assert outcome.message == "Müll: 2 images moved from AB, 1 image not there any more"
    assert examples.counts() == {"Müll": Count(5, 2)}
    assert {path.name for path in (session.classifier_dir / "examples").iterdir()} == {decomposed}
    examples.undo("tab")
    assert examples.counts() == {"AB": Count(2, 2), "Müll": Count(3, 1)}


def test_an_image_in_any_folder_of_a_label_is_there_already(session: Session, images: Images) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), range(5), "AB", "tab")
    folder = session.classifier_dir / "examples" / "AB"
    try:
        folder.rename(folder.with_name("AB "))
        folder.mkdir()
    except OSError:
        pytest.skip("this disk has no names that end with a blank")
    outcome = examples.export(tracklet(), images(5), range(5), "AB", "tab")
    assert (outcome.present, outcome.added, outcome.moved) == (5, 0, 0)


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
