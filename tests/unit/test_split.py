"""Which images are one tracklet whatever their files are called, and what is held out to measure a network on."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from antrax.demo import DemoExperiment
from antrax.io.examples import ClassDir, example_file, original_name
from antrax.training.dataset import Trainset, load_trainset
from antrax.training.split import (
    Split,
    fingerprints_after,
    held_out_by_name,
    held_out_experiments,
    in_held_out_experiments,
    is_held_out,
    make_split,
)
from antrax.training.tracklets import Origin

# What the fixed hashes give; these numbers must stay as they are.
HELD = [0, 2, 6, 9, 10, 14]
HELD_OF_10_000 = 2_068
FINGERPRINTS = [3043595162183452777, 7652609991220064918, 8644199756155472266]
OLD_FINGERPRINT = 2126400942995768152
OLD_HELD = [1, 15, 18]
HELD_EXPERIMENTS = [6, 10, 11, 33]


def name(tracklet: int) -> str:
    return f"trj_id{tracklet}_ti1_1_tf1_99"


def origins_of(*keys: tuple[str, str]) -> tuple[Origin, ...]:
    return tuple(Origin.of_name(*key, side) for side, key in enumerate(keys))


def split_of(trainset: Trainset, seen: NDArray[np.uint64] | None = None) -> Split:
    return make_split(trainset.origins, trainset.tracklet_index, trainset.label_index, seen)


def load(folder: Path) -> Trainset:
    return load_trainset(ClassDir(folder))


# --- what a file's name tells -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stem",
    [
        "a.b.trj_id3_ti1_7_tf1_9.41",
        "a.b.trj_id3_ti1_7_tf1_9.41 - Copy",
        "a.b.trj_id3_ti1_7_tf1_9.41 - Copy (2)",
        "a.b.trj_id3_ti1_7_tf1_9.41 (1)",
        "a.b.trj_id3_ti1_7_tf1_9.41 2",
        "a.b.trj_id3_ti1_7_tf1_9.41-LAB-PC",
        "Copy of a.b.trj_id3_ti1_7_tf1_9.41",
        "Kopie von a.b.trj_id3_ti1_7_tf1_9.41",
    ],
)
def test_a_copys_name_tells_what_that_of_the_original_told(stem: str) -> None:
    file = example_file(Path("AB") / f"{stem}.png", "AB")
    assert (file.experiment, file.tracklet, file.frame) == ("a.b", "trj_id3_ti1_7_tf1_9", "41")
    assert file.named
    assert file.named_as_written == (stem == "a.b.trj_id3_ti1_7_tf1_9.41")


@pytest.mark.parametrize(
    ("stem", "told"),
    [
        ("trj_id3_ti1_7_tf1_9.41", ("", "trj_id3_ti1_7_tf1_9", "41")),
        ("BB_trj_id3_ti1_7_tf1_9_41", ("BB_", "trj_id3_ti1_7_tf1_9", "41")),
        ("trj_id3_ti1_7_tf1_9", ("", "trj_id3_ti1_7_tf1_9", "")),
        ("A.B.TRJ_ID3_TI1_7_TF1_9.41", ("A.B", "trj_id3_ti1_7_tf1_9", "41")),
        ("ab-trj-id3-ti1-7-tf1-9-41", ("ab-", "trj_id3_ti1_7_tf1_9", "41")),
        ("ab trj id3 ti1 7 tf1 9.41", ("ab ", "trj_id3_ti1_7_tf1_9", "41")),
        ("a.b.trj_id3__ti1_7__tf1_9_41", ("a.b", "trj_id3_ti1_7_tf1_9", "41")),
        ("trj_id1_ti1_1_tf1_2.trj_id3_ti1_7_tf1_9.41", ("trj_id1_ti1_1_tf1_2", "trj_id3_ti1_7_tf1_9", "41")),
    ],
)
def test_a_tracklet_is_found_anywhere_in_a_name(stem: str, told: tuple[str, str, str]) -> None:
    file = example_file(Path(f"{stem}.jpg"), "AB")
    assert (file.experiment, file.tracklet, file.frame) == told


@pytest.mark.parametrize("stem", ["img_00001", "trj_id3", "trj_idX_ti1_7_tf1_9", "trj_id3ti1_7_tf1_9", ""])
def test_a_name_that_tells_no_tracklet_is_known_as_such(stem: str) -> None:
    file = example_file(Path("AB") / f"{stem}.png", "AB")
    assert not file.named
    assert file.experiment == file.frame == ""


def test_what_looks_like_a_copy_is_told_from_what_does_not() -> None:
    for copy in ("BB - Copy", "BB - Copy (2)", "Copy of BB", "Copy (2) of BB", "BB (1)", "BB 2", "BB copy", "BB_copy"):
        assert original_name(copy) == "BB"
    for other in ("BB", "NoAnt", "B2", "X1", "N_1", "2", "BB-PC"):
        assert original_name(other) is None


# --- which images are one tracklet -------------------------------------------------------------------------------


def test_a_name_without_the_experiment_is_the_tracklet_of_the_label(make_examples, tmp_path: Path) -> None:
    files = {f"AB/exp.{name(1)}.1.png": 1, f"AB/{name(1)}.2.png": 2, f"CD/new.{name(1)}.3.png": 3}
    trainset = load(make_examples(tmp_path, files | {"AB/x.png": 4}))
    assert trainset.tracklets == (("exp", name(1)), ("new", name(1)), ("", "x"))
    assert [origin.named for origin in trainset.origins] == [True, True, False]
    # another animal perhaps, but they are held out together in any case
    assert trainset.origins[0].side == trainset.origins[1].side != trainset.origins[2].side


def test_an_experiment_that_was_renamed_half_way_has_each_tracklet_once(make_examples, tmp_path: Path) -> None:
    files = {f"AB/{'old' if frame < 5 else 'new'}.{name(1)}.{frame}.png": frame for frame in range(9)}
    trainset = load(make_examples(tmp_path, files | {f"CD/exp.{name(2)}.1.png": 99}))
    assert trainset.tracklets == (("new", name(1)), ("exp", name(2)))
    assert trainset.origins[0].experiments == ("new", "old")


def test_names_that_lost_the_dot_before_the_frame_are_one_tracklet_each_also_under_two_labels(
    make_examples, tmp_path: Path
) -> None:
    one, two = "trj_id1_ti1_7_tf1_9", "trj_id2_ti1_7_tf1_9"
    files = {f"AB/exp.{one}{frame}.png": frame for frame in range(5)} | {f"CD/exp.{one}8.png": 8}
    trainset = load(make_examples(tmp_path, files | {f"CD/exp.{two}1.png": 99, f"CD/other.{one}7.png": 50}))
    assert [int((trainset.tracklet_index == unit).sum()) for unit in range(3)] == [6, 1, 1]
    assert len(trainset.origins) == 3


def save_like(image: NDArray[np.uint8], path: Path, kind: str) -> None:
    picture = Image.fromarray(image)
    if kind == "larger":
        picture = picture.resize((64, 64), Image.Resampling.BICUBIC)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=90) if path.suffix == ".jpg" else picture.save(path)


def smooth(seed: int) -> NDArray[np.uint8]:
    """An image of which a copy at another size, or compressed, looks the same."""
    image = np.full((48, 48, 3), 255, np.uint8)
    coarse = np.random.default_rng(seed).integers(60, 200, (4, 4, 1), np.uint8).repeat(3, 2)
    image[12:36, 12:36] = np.asarray(Image.fromarray(coarse).resize((24, 24), Image.Resampling.BICUBIC))
    return image


@pytest.mark.parametrize(("kind", "ending"), [("larger", "png"), ("same", "jpg")])
def test_an_image_without_a_name_belongs_to_the_tracklet_that_it_looks_like(
    tmp_path: Path, kind: str, ending: str
) -> None:
    for tracklet in range(6):
        path = tmp_path / "examples" / ("AB" if tracklet % 2 else "CD") / f"exp.{name(tracklet)}.1.png"
        save_like(smooth(tracklet), path, "same")
        save_like(smooth(tracklet), path.with_name(f"copy{tracklet}.{ending}"), kind)
    trainset = load(tmp_path)
    assert len(trainset.images) == 12
    assert trainset.tracklets == tuple(("exp", name(tracklet)) for tracklet in range(6))
    assert np.bincount(trainset.tracklet_index).tolist() == [2] * 6
    assert split_of(trainset).independent


def test_tracklets_that_share_an_image_are_held_out_together_and_stay_two(make_examples, tmp_path: Path) -> None:
    files = {f"AB/exp.{name(k)}.{frame}.png": 10 * k + frame for k in range(5) for frame in range(3)}
    files[f"AB/again.{name(7)}.1.png"] = 20  # the pixels of tracklet 2, frame 0
    files[f"AB/again.{name(7)}.2.png"] = 99
    trainset = load(make_examples(tmp_path, files | {f"CD/exp.{name(9)}.1.png": 200}))
    side = {origin.tracklet: origin.side for origin in trainset.origins}
    assert len(trainset.origins) == 7
    assert side[name(7)] == side[name(2)]
    assert len(set(side.values())) == 6


# --- figures do not depend on what files are called ---------------------------------------------------------------

Rename = Callable[[Path], str]
RENAMED: dict[str, Rename] = {
    "copy": lambda path: f"{path.stem} - Copy.png",
    "(1)": lambda path: f"{path.stem} (1).png",
    "2": lambda path: f"{path.stem} 2.png",
    "LAB-PC": lambda path: f"{path.stem}-LAB-PC.png",
    "Copy of": lambda path: f"Copy of {path.name}",
    "no experiment": lambda path: path.name[path.name.index("trj_") :],
    "capital letters": lambda path: path.name.upper(),
    "other separators": lambda path: path.name.replace("_", "-"),
    "half another experiment": lambda path: f"{'re' if hash_of(path) else ''}named.{path.name}",
    "some copies": lambda path: f"{path.stem}{' - Copy' if hash_of(path) else ''}.png",
}


def hash_of(path: Path) -> bool:
    return bool(sum(path.name.encode()) % 2)


@pytest.fixture(scope="module")
def demo_set(small_demo: DemoExperiment) -> Path:
    return small_demo.session / "classifier"


@pytest.fixture(scope="module")
def original(demo_set: Path) -> Trainset:
    return load(demo_set)


def renamed(source: Path, target: Path, rename: Rename) -> Path:
    for path in sorted((source / "examples").glob("*/*.png")):
        copy = target / "examples" / path.parent.name / rename(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, copy)
    return target


@pytest.mark.parametrize("rename", RENAMED.values(), ids=RENAMED)
def test_a_copy_under_other_names_is_trained_and_measured_on_as_the_original(
    demo_set: Path, original: Trainset, tmp_path: Path, rename: Rename
) -> None:
    copy = load(renamed(demo_set, tmp_path, rename))
    assert np.array_equal(copy.images, original.images)
    assert np.array_equal(copy.label_index, original.label_index)
    assert np.array_equal(copy.tracklet_index, original.tracklet_index)
    ours, theirs = split_of(copy), split_of(original)
    assert np.array_equal(ours.held_out, theirs.held_out)
    assert np.array_equal(ours.measurable, theirs.measurable)
    assert 0 < theirs.measurable.sum() < len(theirs.measurable)
    assert (ours.nameless, ours.independent) == (0, True)


@pytest.mark.parametrize("ending", [" - Copy.png", None], ids=["copies", "foreign names"])
def test_copies_beside_the_originals_change_nothing(
    demo_set: Path, original: Trainset, tmp_path: Path, ending: str | None
) -> None:
    numbers = iter(range(100_000))
    renamed(demo_set, tmp_path, lambda path: path.name)
    renamed(demo_set, tmp_path, lambda path: path.stem + ending if ending else f"img_{next(numbers):05}.png")
    copy = load(tmp_path)
    assert copy.digest == original.digest
    assert np.array_equal(copy.images, original.images)
    assert np.array_equal(split_of(copy).held_out, split_of(original).held_out)
    assert split_of(copy).independent


def test_images_whose_names_tell_no_tracklet_are_counted_and_nothing_is_concluded(
    demo_set: Path, tmp_path: Path
) -> None:
    numbers = iter(range(100_000))
    trainset = load(renamed(demo_set, tmp_path, lambda path: f"img_{next(numbers):05}.png"))
    split = split_of(trainset)
    assert split.nameless == len(trainset.images)
    assert not split.independent
    assert split.measurable.any()


def test_a_few_images_without_a_tracklet_spoil_nothing_and_are_not_measured_on(make_examples, tmp_path: Path) -> None:
    files = {
        f"{label}/exp.{name(k)}.{f}.png": 100 * k + f
        for k in range(40)
        for f in range(3)
        for label in ["AB", "CD"][k % 2 : k % 2 + 1]
    }
    trainset = load(make_examples(tmp_path, files | {"AB/odd.png": 9999}))
    split = split_of(trainset)
    odd = [not origin.named for origin in trainset.origins].index(True)
    assert (split.nameless, split.withheld, split.independent) == (0, 1, True)
    assert split.held_out[odd]
    assert not split.measurable[odd]
    assert split.measurable.sum() == split.held_out.sum() - 1 > 0


def test_a_classifier_that_saw_images_without_a_tracklet_cannot_be_measured_later(
    demo_set: Path, tmp_path: Path
) -> None:
    numbers = iter(range(100_000))
    nameless = load(renamed(demo_set, tmp_path, lambda path: f"img_{next(numbers):05}.png"))
    seen = fingerprints_after(nameless.origins, split_of(nameless).held_out)
    split = split_of(load(demo_set), seen)
    assert not split.independent
    # what it saw under a name that told nothing is known by its pixels
    assert split.held_out.sum() < split_of(load(demo_set)).held_out.sum()


# --- what is held out -------------------------------------------------------------------------------------------


def test_what_is_held_out_never_changes() -> None:
    # A classifier's accuracy was measured on these: with another hash it would have been trained on them.
    assert [k for k in range(20) if is_held_out(name(k))] == HELD
    assert sum(is_held_out(name(k)) for k in range(10_000)) == HELD_OF_10_000
    named = held_out_by_name(origins_of(*(("exp", name(k)) for k in range(20))))
    assert np.flatnonzero(named).tolist() == HELD


def test_fingerprints_never_change() -> None:
    origins = origins_of(("exp", name(1)), ("", name(2)))
    fingerprints = fingerprints_after(origins, np.zeros(2, bool))
    assert fingerprints.dtype == np.uint64
    assert fingerprints.tolist() == FINGERPRINTS
    assert fingerprints_after(origins, np.ones(2, bool)).tolist() == [FINGERPRINTS[1]]  # the mark of this form


@pytest.mark.parametrize("movies", [1, 24])
def test_about_a_fifth_of_the_tracklets_is_held_out(movies: int) -> None:
    held = sum(is_held_out(f"trj_id{k}_ti{k % movies}_{k}_tf{k % movies}_{k + 50}") for k in range(10_000))
    assert 1800 < held < 2200


@given(st.text(), st.text(), st.text())
def test_no_name_breaks_the_choice(experiment: str, tracklet: str, other: str) -> None:
    origins = origins_of((experiment, tracklet), (other, tracklet))
    assert np.array_equal(held_out_by_name(origins), held_out_by_name(origins))
    held_out_experiments([(experiment, tracklet), (other, tracklet)])


def test_tracklets_that_must_not_be_parted_are_held_out_by_the_first_of_them() -> None:
    together = tuple(Origin.of_name("exp", name(k), 0) for k in (HELD[2], 5, 12))  # "trj_id12…" is first
    assert not held_out_by_name(together).any()
    first = tuple(Origin.of_name("exp", name(k), 0) for k in (HELD[-1], 8))  # "trj_id14…" is first
    assert held_out_by_name(first).all()


# --- classifiers of the first version ---------------------------------------------------------------------------


def seen_by_the_first_version(keys: list[tuple[str, str]]) -> NDArray[np.uint64]:
    import hashlib

    digests = [hashlib.blake2b("\0".join(key).encode(), digest_size=8).digest() for key in keys]
    return np.array(sorted(int.from_bytes(digest, "big") for digest in digests), np.uint64)


def test_what_the_first_version_held_out_stays_held_out_and_nothing_else() -> None:
    keys = [("exp", name(k)) for k in range(20)]
    assert seen_by_the_first_version(keys[1:2]).tolist() == [OLD_FINGERPRINT]
    seen = seen_by_the_first_version([key for k, key in enumerate(keys) if k not in OLD_HELD])
    split = make_split(origins_of(*keys), np.arange(20), np.arange(20) % 2, seen)
    assert np.flatnonzero(split.held_out).tolist() == OLD_HELD
    assert np.array_equal(split.held_out, split.measurable)
    assert split.independent
    # and after training on, again
    later = fingerprints_after(origins_of(*keys), split.held_out, seen)
    assert (
        np.flatnonzero(make_split(origins_of(*keys), np.arange(20), np.arange(20) % 2, later).held_out).tolist()
        == OLD_HELD
    )


def test_an_experiment_that_the_first_version_knew_by_another_name_is_not_measured_on() -> None:
    keys = [("exp", name(k)) for k in range(20)]
    seen = seen_by_the_first_version([key for k, key in enumerate(keys) if k not in OLD_HELD])
    renamed_keys = origins_of(*(("other", tracklet) for _, tracklet in keys))
    assert not make_split(renamed_keys, np.arange(20), np.arange(20) % 2, seen).measurable.any()


def test_images_that_the_first_version_took_for_tracklets_are_known_again(demo_set: Path, tmp_path: Path) -> None:
    trainset = load(renamed(demo_set, tmp_path, RENAMED["copy"]))
    images = [key for origin in trainset.origins for key in origin.old_keys]
    assert len(images) == len(trainset.images)
    one_of_each = [origin.old_keys[0] for origin in trainset.origins]
    assert not split_of(trainset, seen_by_the_first_version(one_of_each)).measurable.any()


def test_a_tracklet_that_was_seen_is_known_under_any_name_by_its_pixels(demo_set: Path, tmp_path: Path) -> None:
    trainset = load(demo_set)
    seen = fingerprints_after(trainset.origins, np.zeros(len(trainset.origins), bool))
    numbers = iter(range(100_000))
    again = load(
        renamed(demo_set, tmp_path, lambda path: f"re.trj_id{next(numbers)}_ti9_1_tf9_1.1.png" if path else "")
    )
    assert len(again.origins) > len(trainset.origins)
    known = {image.tobytes() for image in trainset.images}
    split = split_of(again, seen)
    # of a tracklet, the images with the smallest digests are remembered; long ones are not known by every image
    remembered = sum(min(16, count) for count in np.bincount(trainset.tracklet_index).tolist())
    assert {image.tobytes() for image in again.images} == known
    assert split.measurable.sum() <= 0.3 * max(0, len(again.origins) - remembered) + 1


# --- whole experiments ------------------------------------------------------------------------------------------


def test_whole_experiments_are_held_out_only_where_there_are_twelve() -> None:
    def held(experiments: int) -> set[str]:
        return held_out_experiments((f"exp{number}", f"t{k}") for number in range(experiments) for k in range(5))

    assert all(held(count) == set() for count in range(12))
    assert held(12) == {f"exp{number}" for number in HELD_EXPERIMENTS if number < 12}
    assert held(40) == {f"exp{number}" for number in HELD_EXPERIMENTS}


def test_about_a_tenth_of_many_experiments_is_held_out() -> None:
    assert 60 < len(held_out_experiments((f"exp{number}", "t") for number in range(1000))) < 140


def test_an_experiment_with_over_a_tenth_of_the_tracklets_is_never_held_out() -> None:
    sizes = Counter({f"exp{number}": 5 for number in range(40)})
    held = held_out_experiments((name, f"t{k}") for name, size in sizes.items() for k in range(size))
    largest = min(held)
    sizes[largest] = 100
    now = held_out_experiments((name, f"t{k}") for name, size in sizes.items() for k in range(size))
    assert now == held - {largest}


def test_examples_without_an_experiment_are_no_experiment() -> None:
    names = ["", *(f"exp{number}" for number in range(11))]
    assert held_out_experiments((name, "t") for name in names) == set()


def test_tracklets_of_a_held_out_experiment_are_all_held_out() -> None:
    tracklets = [(f"exp{number}", name(1000 * number + k)) for number in range(40) for k in range(5)]
    whole = in_held_out_experiments(origins_of(*tracklets))
    assert {tracklets[place][0] for place in np.flatnonzero(whole)} == held_out_experiments(tracklets)
    assert whole.sum() == 5 * len(HELD_EXPERIMENTS)
    expected = [bool(in_whole) or is_held_out(key[1]) for key, in_whole in zip(tracklets, whole, strict=True)]
    assert held_out_by_name(origins_of(*tracklets)).tolist() == expected


def test_an_experiment_of_two_names_is_held_out_whole_or_not_at_all() -> None:
    keys = [(f"exp{number}", name(1000 * number + k)) for number in range(40) for k in range(5)]
    origins = list(origins_of(*keys))
    held = min(held_out_experiments(keys))
    place = [key[0] for key in keys].index(held)
    # a tracklet of it has examples under the name of another experiment too
    origins.append(Origin.of_name("exp0", keys[place][1], origins[place].side))
    whole = in_held_out_experiments(origins)
    assert not whole[place : place + 5].any()
    random.Random(1).shuffle(origins)
    assert in_held_out_experiments(origins).sum() == 5 * (len(HELD_EXPERIMENTS) - 1)
