"""What exporting images to a label writes, moves and refuses."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from antrax.errors import ExperimentError, LabelsError, TrainsetError
from antrax.images import read_example
from antrax.io.session import Session
from antrax.review.training_set.editing import Count, Examples
from tests.unit.training_set.helpers import Images, NewSession, by_label, everything, listing, tracklet

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


def test_a_label_whose_last_image_goes_leaves_no_empty_folder_which_antrax_would_take_for_a_class(
    session: Session, images: Images
) -> None:
    examples = Examples(session)
    examples.export(tracklet(), images(5), [0], "AB", "tab")
    folder = session.classifier_dir / "examples" / "AB"
    examples.trash("AB", [examples.files("AB")[0].path.name], "tab")
    assert not folder.exists()
    examples.undo("tab")
    assert len(list(folder.iterdir())) == 1
    examples.move("AB", [examples.files("AB")[0].path.name], "CD", "tab")
    assert not folder.exists()
    examples.undo("tab")
    examples.undo("tab")
    assert list(folder.parent.iterdir()) == []
