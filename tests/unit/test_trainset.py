"""Training sets as people build them: mixed, with mistakes in them, and what is held out of them."""

from __future__ import annotations

import os
import random
import shutil
import sys
import threading
import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from antrax.demo import DemoExperiment
from antrax.errors import ExperimentError, LabelsError, TrainsetError
from antrax.images import Preparation, prepare, read_example
from antrax.io.examples import ClassDir, list_examples, open_classdir
from antrax.io.session import open_session
from antrax.labels import Category
from antrax.training.batches import Batches, Material
from antrax.training.dataset import Trainset, label_categories, load_trainset


def example(label: str, frame: int = 1, tracklet: int = 1, experiment: str = "exp") -> str:
    return f"{label}/{experiment}.trj_id{tracklet}_ti1_1_tf1_99.{frame}.png"


def load(folder: Path, size: int | None = None) -> Trainset:
    return load_trainset(ClassDir(folder), size)


# --- what is read -----------------------------------------------------------------------------------------------


def test_each_folder_is_a_label_and_each_file_an_image_of_a_tracklet(make_examples, blob_image, tmp_path: Path) -> None:
    files = {example("CD", 7, 3, "b"): 1, example("AB", 2, 1, "a.2"): 2, example("AB", 1, 1, "a.2"): 3}
    trainset = load(make_examples(tmp_path, files))
    assert trainset.labels == ("AB", "CD")
    assert trainset.tracklets == (("a.2", "trj_id1_ti1_1_tf1_99"), ("b", "trj_id3_ti1_1_tf1_99"))
    assert trainset.label_index.tolist() == [0, 0, 1]
    assert trainset.tracklet_index.tolist() == [0, 0, 1]
    for image, seed in zip(trainset.images, (3, 2, 1), strict=True):
        assert (image == blob_image(seed)).all()
    assert (trainset.background, trainset.problems, trainset.files) == ("white", (), 3)


def test_a_file_of_another_name_is_a_tracklet_of_its_own(make_examples, tmp_path: Path) -> None:
    trainset = load(make_examples(tmp_path, [example("AB"), "CD/left.png", "CD/right.PNG"]))
    assert trainset.tracklets == (("", "left"), ("", "right"), ("exp", "trj_id1_ti1_1_tf1_99"))


def test_images_of_mixed_sizes_are_brought_to_that_of_the_first_in_sorted_order(
    make_examples, blob_image, tmp_path: Path
) -> None:
    make_examples(tmp_path, {example("CD", 1): 1}, size=38)
    make_examples(tmp_path, {example("AB", 2): 2}, size=88)
    make_examples(tmp_path, {example("AB", 1): 3}, size=60)
    trainset = load(tmp_path)
    assert trainset.images.shape == (3, 60, 60, 3)
    assert (trainset.images[0] == blob_image(3, 60)).all()
    assert (trainset.images[2] == prepare(blob_image(1, 38)[None], Preparation(60, "white"))[0]).all()


def test_a_damaged_first_image_does_not_decide_the_size(make_examples, tmp_path: Path) -> None:
    make_examples(tmp_path, [example("AB", 2), example("CD")], size=30)
    (tmp_path / "examples" / example("AB", 1)).touch()
    assert load(tmp_path).images.shape[1] == 30


def test_another_size_can_be_asked_for(make_examples, tmp_path: Path) -> None:
    assert load(make_examples(tmp_path, [example("AB"), example("CD")]), 32).images.shape == (2, 32, 32, 3)


def test_a_set_on_black_ground_keeps_it(make_examples, blob_image, tmp_path: Path) -> None:
    trainset = load(make_examples(tmp_path, {example("AB"): 1, example("CD"): 2}, background=0))
    assert trainset.background == "black"
    assert (trainset.images[0] == blob_image(1, background=0)).all()


def test_what_systems_leave_beside_examples_is_passed_over(make_examples, tmp_path: Path) -> None:
    make_examples(tmp_path, [example("AB"), example("CD"), ".trash/" + example("AB").split("/")[1]])
    examples = tmp_path / "examples"
    good = (examples / example("AB")).read_bytes()
    for name in ("AB/._exp.trj_id1_ti1_1_tf1_99.1.png", "AB/.DS_Store", "AB/Thumbs.db", "AB/x.png.part", "desktop.ini"):
        (examples / name).write_bytes(good)
    (examples / "EmptyLabel").mkdir()
    (examples / "AB" / "older").mkdir()
    trainset = load(tmp_path)
    assert (trainset.labels, trainset.files, trainset.problems) == (("AB", "CD"), 2, ())


def test_what_people_left_there_and_is_not_used_is_counted_and_named(make_examples, tmp_path: Path) -> None:
    make_examples(tmp_path, [example("AB"), example("CD")])
    examples = tmp_path / "examples"
    make_examples(examples / "AB", {"AB/x.png": 5, "AB/y.png": 6})  # AB/examples/AB/x.png
    good = (examples / example("AB")).read_bytes()
    for name in ("stray.png", "AB/a.webp", "AB/b.pdf", "AB/notes.txt"):
        (examples / name).write_bytes(good)
    trainset = load(tmp_path)
    assert trainset.files == 2
    assert [problem.removeprefix(str(examples)) for problem in trainset.problems] == [
        "/AB/examples: 2 images in a folder within a label's folder, where none are looked for; left out",
        "/AB: 3 files of another kind than .png, .jpg, .jpeg, .tif, .tiff, .bmp (a.webp, b.pdf and 1 more); left out",
        ": 1 file in no label's folder (stray.png); left out",
    ]


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_links_that_lead_in_a_circle_cost_only_themselves(make_examples, tmp_path: Path) -> None:
    make_examples(tmp_path, [example("AB"), example("CD")])
    for name in ("AB/loop.png", "AB/loop", "LOOP"):
        (tmp_path / "examples" / name).symlink_to(Path(name).name)
    trainset = load(tmp_path)
    assert (len(trainset.images), trainset.labels) == (2, ("AB", "CD"))
    assert all(any(f"{name}" in problem for problem in trainset.problems) for name in ("loop.png", "(loop)", "(LOOP)"))


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="this system has no such names")
def test_a_folder_whose_name_is_no_text_is_named(make_examples, tmp_path: Path) -> None:
    make_examples(tmp_path, [example("AB"), example("CD")])
    bad = os.fsencode(tmp_path / "examples") + b"/M\xfcll"
    os.mkdir(bad)  # noqa: PTH102
    (problem,) = load(tmp_path).problems
    assert r"M\xfcll" in problem
    assert "not UTF-8" in problem


@pytest.mark.parametrize(("ending", "kind"), [("jpg", "JPEG"), ("TIF", "TIFF"), ("tiff", "TIFF"), ("bmp", "BMP")])
def test_images_that_other_programs_saved_are_read(
    make_examples, blob_image, tmp_path: Path, ending: str, kind: str
) -> None:
    make_examples(tmp_path, [example("AB"), example("CD")])
    path = tmp_path / "examples" / f"AB/exp.trj_id2_ti1_1_tf1_99.5.{ending}"
    Image.fromarray(blob_image(7)).save(path, format=kind)
    trainset = load(tmp_path)
    assert (trainset.files, trainset.problems) == (3, ())
    assert ("exp", "trj_id2_ti1_1_tf1_99") in trainset.tracklets


def test_progress_counts_up_to_all_files(make_examples, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("antrax.training.dataset._AT_ONCE", 4)
    make_examples(tmp_path, [example("AB", frame) for frame in range(5)] + [example("CD")])
    told: list[tuple[int, int]] = []
    load_trainset(ClassDir(tmp_path), progress=lambda done, total: told.append((done, total)))
    assert told == [(4, 6), (6, 6)]


@pytest.mark.parametrize("left_out", [False, True])
def test_images_lie_in_memory_as_training_takes_them(make_examples, tmp_path: Path, left_out: bool) -> None:
    make_examples(tmp_path, [example("AB", frame) for frame in range(5)] + [example("CD")])
    if left_out:
        next(tmp_path.glob("examples/AB/*.png")).write_bytes(b"no image")
    images = load_trainset(ClassDir(tmp_path)).images
    assert len(images) == 6 - left_out
    material = Material(images, np.zeros(len(images), int), np.arange(len(images)), (Category.ANT,), "white")
    batches = Batches(material, 2, 0.0, 0, "cpu")
    assert np.shares_memory(batches._images.numpy(), images)


@pytest.fixture
def batches_of_noise() -> Callable[[], AbstractContextManager[Batches]]:
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    material = Material(images, np.arange(40) % 2, np.arange(40), (Category.ANT, Category.UNKNOWN), "white")
    return lambda: closing(Batches(material, 8, 0.5, 3, "cpu"))


def drawn(batches: Batches, count: int) -> list[np.ndarray]:
    return [batches.draw(pytest.fail)[0].numpy() for _ in range(count)]


def test_batches_are_the_same_wherever_a_training_was_interrupted(batches_of_noise) -> None:
    with batches_of_noise() as batches:
        whole = drawn(batches, 6)
    assert not np.array_equal(whole[0], whole[1])
    for done in range(6):
        with batches_of_noise() as batches, batches_of_noise() as others:
            first = drawn(batches, done)
            drawn(others, 2)  # what another batch left is of no account
            others.restore(batches.state())
            assert np.array_equal(first + drawn(others, 6 - done), whole)


def test_batches_of_some_of_the_images_are_those_of_a_copy_of_these() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    rows = np.array([3, 5, 7, 20, 22, 39])
    about = (rows % 2, rows, (Category.ANT, Category.UNKNOWN), "white")
    by_rows, copied = Material(images, *about, rows=rows), Material(images[rows], *about)
    with closing(Batches(by_rows, 8, 0.5, 3, "cpu")) as some, closing(Batches(copied, 8, 0.5, 3, "cpu")) as others:
        assert np.array_equal(drawn(some, 2), drawn(others, 2))


def test_batches_are_made_while_the_network_learns_and_in_order(batches_of_noise, monkeypatch) -> None:
    threads: list[threading.Thread] = []
    make = Batches._varied

    def varied(self: Batches, count: int) -> object:
        threads.append(threading.current_thread())
        return make(self, count)

    monkeypatch.setattr(Batches, "_varied", varied)
    own = torch.get_num_threads()
    with batches_of_noise() as batches:
        drawn(batches, 3)
    assert len(threads) >= 3
    assert len(set(threads)) == 1
    assert threads[0] is not threading.main_thread()
    assert not threads[0].is_alive()
    assert torch.get_num_threads() == own


def test_what_goes_wrong_while_a_batch_is_made_is_told(batches_of_noise, monkeypatch) -> None:
    def fail(self: Batches, count: int) -> None:
        raise MemoryError("no room")

    with batches_of_noise() as batches:
        drawn(batches, 1)
        monkeypatch.setattr(Batches, "_varied", fail)
        with pytest.raises(MemoryError, match="no room"):
            drawn(batches, 3)


def test_a_generated_experiments_training_set_is_read(small_demo: DemoExperiment) -> None:
    trainset = load_trainset(open_classdir(small_demo.directory))
    assert trainset.files == small_demo.examples
    assert trainset.problems == ()
    assert {experiment for experiment, _ in trainset.tracklets} == {"some.ants"}


# --- what is left out, and named -------------------------------------------------------------------------------


def test_damaged_files_are_left_out_and_named(make_examples, tmp_path: Path) -> None:
    make_examples(tmp_path, [example("AB"), example("CD")])
    examples = tmp_path / "examples"
    bad = {
        example("AB", 5): b"",
        example("CD", 6): b"text",
        example("CD", 7): (examples / example("AB")).read_bytes()[:90],
    }
    for name, content in bad.items():
        (examples / name).write_bytes(content)
    trainset = load(tmp_path)
    assert len(trainset.images) == 2
    assert trainset.files == 5
    assert len(trainset.problems) == 3
    for name in bad:
        (problem,) = [problem for problem in trainset.problems if str(examples / name) in problem]
        assert problem.endswith("; left out")


def test_the_same_image_under_two_labels_is_left_out_and_both_files_are_named(make_examples, tmp_path: Path) -> None:
    files = {example("AB", 1): 1, example("AB", 2): 2, example("CD", 9, 4): 2, example("CD", 3): 3}
    trainset = load(make_examples(tmp_path, files))
    assert len(trainset.images) == 2
    (problem,) = trainset.problems
    assert str(tmp_path / "examples" / example("AB", 2)) in problem
    assert str(tmp_path / "examples" / example("CD", 9, 4)) in problem
    assert "under AB and CD" in problem


def test_exact_duplicates_are_used_once(make_examples, tmp_path: Path) -> None:
    files = {example("AB", 1): 1, example("AB", 501): 1, example("AB", 1, experiment="z"): 1, example("CD"): 2}
    trainset = load(make_examples(tmp_path, files))
    assert trainset.label_index.tolist() == [0, 1]
    assert trainset.tracklets == (("exp", "trj_id1_ti1_1_tf1_99"),)
    assert trainset.problems == ("2 exact duplicates: each image is used once",)


def test_of_copies_the_one_whose_name_tells_the_tracklet_is_used(make_examples, tmp_path: Path) -> None:
    files = {"AB/a.png": 1, example("AB", 4, 7): 1, f"{example('AB', 4, 7)[:-4]} - Copy.png": 1, example("CD"): 2}
    trainset = load(make_examples(tmp_path, files))
    assert trainset.tracklets == (("exp", "trj_id1_ti1_1_tf1_99"), ("exp", "trj_id7_ti1_1_tf1_99"))
    assert trainset.problems == ("2 exact duplicates: each image is used once",)


@pytest.mark.parametrize("copy", ["AB - Copy", "Copy of AB", "AB (1)", "AB 2"])
def test_a_folder_that_is_a_copy_of_a_labels_takes_nothing_from_it(make_examples, tmp_path: Path, copy: str) -> None:
    files = {example("AB", frame): frame for frame in range(3)} | {example("CD"): 9}
    files |= {f"{copy}/{Path(example('AB', frame)).name}": frame for frame in range(2)} | {f"{copy}/new.png": 11}
    trainset = load(make_examples(tmp_path, files))
    assert trainset.labels == ("AB", "CD")
    assert (trainset.label_index == 0).sum() == 3
    assert trainset.problems == (
        (
            f"{tmp_path / 'examples' / copy} looks like a copy of the folder of AB, which lacks 1 of its images: "
            "move them there if they belong there; left out"
        ),
        "2 exact duplicates: each image is used once",
    )


def test_a_label_that_the_session_lists_wins_over_a_folder_that_it_does_not(
    make_session, make_examples, tmp_path: Path
) -> None:
    session = make_session("exp/s")
    files = {example("AB", 1): 1, example("AB", 2): 2, "old/1.png": 1, "old/2.png": 2, "old/3.png": 3, example("CD"): 4}
    make_examples(session / "classifier", files)
    trainset = load_trainset(open_classdir(tmp_path / "exp"))
    assert dict(zip(trainset.labels, np.bincount(trainset.label_index), strict=True)) == {"AB": 2, "CD": 1, "old": 1}


def test_folders_stand_for_the_labels_of_the_session_whichever_way_they_are_spelt(
    make_examples, make_session, tmp_path: Path
) -> None:
    session = open_session(make_session(labels="BB\tant_labels\nMüll\tnoant_labels\nUnknown\tother_labels\n"))
    decomposed = unicodedata.normalize("NFD", "Müll")
    make_examples(session.classifier_dir, [example("bb"), example(decomposed), example("Unknown"), example("new")])
    trainset = load_trainset(open_classdir(session.path))
    assert trainset.labels == ("BB", "Müll", "Unknown", "new")
    assert label_categories(trainset.labels, session)["Müll"] is Category.NONANT
    assert "labels spelt in another way are taken as one: 'bb' as 'BB'" in trainset.problems


def test_folders_that_differ_in_case_stay_two_labels_where_no_session_tells(make_examples, tmp_path: Path) -> None:
    assert load(make_examples(tmp_path, [example("BB"), example("bb")])).labels == ("BB", "bb")


def test_a_copy_is_known_by_its_pixels_however_it_was_saved(make_examples, blob_image, tmp_path: Path) -> None:
    make_examples(tmp_path, {example("AB", 1): 1, example("CD"): 2})
    copy = tmp_path / "examples" / example("AB", 2)
    Image.fromarray(blob_image(1)).convert("RGBA").save(copy, compress_level=0)
    assert len(load(tmp_path).images) == 2


def test_images_of_one_colour_that_differ_in_size_are_no_duplicates(tmp_path: Path) -> None:
    for label, size in (("AB", 10), ("CD", 20)):
        (tmp_path / "examples" / label).mkdir(parents=True)
        Image.new("RGB", (size, size), "white").save(tmp_path / "examples" / example(label))
    assert load(tmp_path).problems == ()


def test_of_a_long_tracklet_400_images_spread_evenly_are_used(make_examples, blob_image, tmp_path: Path) -> None:
    make_examples(tmp_path, {example("AB", frame): frame for frame in range(1, 1001)}, size=8)
    make_examples(tmp_path, {example("AB", frame, 2): 2000 + frame for frame in range(400)}, size=8)
    make_examples(tmp_path, {example("CD"): 5000}, size=8)
    trainset = load(tmp_path)
    assert (trainset.files, trainset.capped) == (1401, 600)
    assert trainset.problems[0].startswith("600 of 1,401 images are not used: of each tracklet and label, 400")
    assert np.bincount(trainset.tracklet_index).tolist() == [401, 400]  # the one image of CD is of tracklet 1 too
    seeds = {blob_image(frame, 8).tobytes(): frame for frame in range(1, 1001)}
    used = sorted(seeds[image.tobytes()] for image in trainset.images if image.tobytes() in seeds)
    assert (used[0], used[-1], len(used)) == (1, 1000, 400)
    assert set(np.diff(used)) == {2, 3}


@pytest.mark.slow
def test_copies_of_frames_do_not_crowd_out_others_of_a_long_tracklet(make_examples, tmp_path: Path) -> None:
    files = {example("AB", frame): frame for frame in range(1, 1001)} | {example("CD"): 5000}
    alone = load(make_examples(tmp_path / "alone", files, size=8))
    copies = {f"{name[:-4]} (1).png": frame for name, frame in files.items() if "AB" in name}
    both = load(make_examples(tmp_path / "both", files | copies, size=8))
    assert both.digest == alone.digest


@pytest.mark.parametrize("background", [255, 0])
def test_grounds_that_are_mixed_are_told_and_made_one(
    make_examples, blob_image, tmp_path: Path, background: int
) -> None:
    make_examples(tmp_path, {example("AB", frame): frame for frame in range(5)}, background=background)
    make_examples(tmp_path, {example("CD"): 9}, background=255 - background)
    trainset = load(tmp_path)
    (problem,) = trainset.problems
    name, other = ("white", "black") if background else ("black", "white")
    assert problem.startswith(f"1 of 6 images have a {other} background, the others a {name} one")
    assert (trainset.images[trainset.label_index == 1][0] == blob_image(9, background=background)).all()


# --- sets that cannot be used ----------------------------------------------------------------------------------


def test_examples_of_one_label_only_are_no_training_set(make_examples, tmp_path: Path) -> None:
    make_examples(tmp_path, [example("AB", 1), example("AB", 2)])
    (tmp_path / "examples" / "CD").mkdir()
    with pytest.raises(TrainsetError, match=r"one label only \(AB\).*add examples of another"):
        load(tmp_path)


def test_a_set_without_examples_is_told(tmp_path: Path) -> None:
    (tmp_path / "examples" / "AB").mkdir(parents=True)
    with pytest.raises(TrainsetError, match="holds no examples; it needs one folder per label"):
        load(tmp_path)


def test_a_set_of_damaged_files_only_is_told_with_one_of_them(tmp_path: Path) -> None:
    path = tmp_path / "examples" / example("AB")
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(TrainsetError, match="no usable example") as raised:
        load(tmp_path)
    assert f"{path}: empty" in str(raised.value)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainsetError, match="examples cannot be read: No such file"):
        list_examples(tmp_path / "examples")


# --- the digest -------------------------------------------------------------------------------------------------

FILES = {example("AB", 1): 1, example("AB", 2): 2, example("CD", 1): 3}


@pytest.mark.parametrize(
    "change",
    [
        {**FILES, example("CD", 2): 4},
        {name: seed for name, seed in FILES.items() if name != example("AB", 2)},
        {**FILES, example("CD", 1): 9},
        {example("AB", 1): 1, example("CD", 2): 2, example("CD", 1): 3},
        {example("AB", 1): 1, example("AB", 2, 8): 2, example("CD", 1): 3},
    ],
    ids=["one more", "one less", "other pixels", "other label", "other tracklet"],
)
def test_the_digest_changes_with_an_example(make_examples, tmp_path: Path, change: dict[str, int]) -> None:
    before = load(make_examples(tmp_path / "before", FILES)).digest
    assert load(make_examples(tmp_path / "after", change)).digest != before


def test_the_digest_changes_with_the_size(make_examples, tmp_path: Path) -> None:
    make_examples(tmp_path, FILES)
    assert load(tmp_path, 16).digest != load(tmp_path, 20).digest


def test_the_digest_stays_whatever_the_order_age_and_place_of_files(make_examples, tmp_path: Path) -> None:
    before = load(make_examples(tmp_path / "before", FILES)).digest
    shuffled = list(FILES.items())
    random.Random(1).shuffle(shuffled)
    after = make_examples(tmp_path / "after", dict(shuffled[::-1]))
    os.utime(after / "examples" / example("AB", 1), (1, 1))
    (after / "examples" / "AB" / "._x.png").touch()
    assert load(after).digest == before


def test_the_digest_is_that_of_what_is_used(make_examples, tmp_path: Path) -> None:
    before = load(make_examples(tmp_path, FILES)).digest
    make_examples(tmp_path, {example("AB", 99): 1})  # a duplicate
    (tmp_path / "examples" / example("AB", 98)).touch()
    assert load(tmp_path).digest == before


# --- which folder is meant -------------------------------------------------------------------------------------


def test_a_folder_that_holds_examples_is_a_training_set(tmp_path: Path) -> None:
    (tmp_path / "set" / "examples").mkdir(parents=True)
    classdir = open_classdir(tmp_path / "set")
    assert classdir == ClassDir(tmp_path / "set", None)
    assert classdir.examples_dir == tmp_path / "set" / "examples"
    assert classdir.classifier_file() == tmp_path / "set" / "classifier.h5"
    assert classdir.classifier_file("X") == tmp_path / "set" / "X.h5"


def test_an_experiment_stands_for_the_classifier_folder_of_its_latest_session(make_session, tmp_path: Path) -> None:
    for name, age in (("old", 1), ("new", 2)):
        (make_session(f"exp/{name}", mtime=age) / "classifier" / "examples").mkdir()
    assert open_classdir(tmp_path / "exp").path == tmp_path / "exp" / "new" / "classifier"
    chosen = open_classdir(tmp_path / "exp", "old")
    assert chosen == ClassDir(tmp_path / "exp" / "old" / "classifier", open_session(tmp_path / "exp", "old"))
    with pytest.raises(ExperimentError, match="no session 'other'"):
        open_classdir(tmp_path / "exp", "other")


def test_a_sessions_classifier_folder_knows_its_session(make_session, tmp_path: Path) -> None:
    session = make_session("exp/old", mtime=1)
    make_session("exp/new", mtime=2)
    (session / "classifier" / "examples").mkdir()
    assert open_classdir(session / "classifier").session == open_session(session)
    assert open_classdir(session).path == session / "classifier"


def test_a_session_named_beside_a_folder_outside_of_it_is_refused(make_session, tmp_path: Path) -> None:
    session = make_session("exp/s")
    for folder in (session / "classifier", tmp_path / "set"):
        (folder / "examples").mkdir(parents=True)
    assert open_classdir(session / "classifier", "s").session == open_session(session)
    for folder in (session / "classifier", tmp_path / "set"):
        with pytest.raises(TrainsetError, match="does not lie in a session 'other'"):
            open_classdir(folder, "other")


def test_a_session_without_examples_is_told(make_session, tmp_path: Path) -> None:
    make_session("exp/s")
    with pytest.raises(TrainsetError, match="has no folder `examples`; label some tracklets first"):
        open_classdir(tmp_path / "exp")


def test_what_is_neither_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainsetError, match=r"no training set.*and no tracked experiment"):
        open_classdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(TrainsetError, match="file is no folder"):
        open_classdir(tmp_path / "file")
    with pytest.raises(TrainsetError, match="gone does not exist"):
        open_classdir(tmp_path / "gone")


# --- categories -------------------------------------------------------------------------------------------------


def test_categories_are_the_sessions(make_session, tmp_path: Path) -> None:
    make_session("exp/s", labels="larva\tant_labels\nBG\tnoant_labels\nblurred\tother_labels\n")
    categories = label_categories(["larva", "BG", "blurred", "NoAnt", "XY"], open_session(tmp_path / "exp"))
    assert categories == {
        "larva": Category.ANT,
        "BG": Category.NONANT,
        "blurred": Category.UNKNOWN,
        "NoAnt": Category.NONANT,  # not in labels.csv: guessed from here on
        "XY": Category.ANT,
    }


def test_categories_without_a_session_are_guessed_from_the_names() -> None:
    assert label_categories(["larva", "BG", "Multi", "Unknown"], None) == {
        "larva": Category.NONANT,
        "BG": Category.ANT,
        "Multi": Category.MULTI,
        "Unknown": Category.UNKNOWN,
    }


def test_a_session_without_labels_is_told(make_session, tmp_path: Path) -> None:
    (make_session("exp/s") / "parameters" / "labels.csv").unlink()
    with pytest.raises(LabelsError):
        label_categories(["AB"], open_session(tmp_path / "exp"))


def test_the_demos_examples_read_the_same_when_copied_elsewhere(small_demo: DemoExperiment, tmp_path: Path) -> None:
    source = small_demo.session / "classifier" / "examples"
    shutil.copytree(source, tmp_path / "set" / "examples")
    copied, original = load(tmp_path / "set"), load_trainset(open_classdir(small_demo.directory))
    assert copied.digest == original.digest
    assert (copied.images[0] == read_example(list_examples(source)[0].path)).all()
