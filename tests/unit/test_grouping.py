"""Groups of look-alikes: what is learned, how tracklets are put together, the file, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from antrax.demo import DemoExperiment
from antrax.errors import ExperimentError, OptionError
from antrax.grouping import learning
from antrax.grouping.groups import find_groups
from antrax.grouping.learning import FEATURES, Pool, contrastive_loss
from antrax.grouping.options import GroupOptions
from antrax.grouping.run import GROUPS_AN_ID, GROUPS_WITHOUT_LABELS, group
from antrax.io.groups_file import TrackletGroups, read_groups, write_groups
from antrax.io.names import TrackletName
from antrax.io.session import Session, open_session


@pytest.fixture
def session(small_demo: DemoExperiment, tmp_path: Path) -> Session:
    """A demo of its own, without examples."""
    experiment = tmp_path / "some.ants"
    shutil.copytree(small_demo.directory, experiment, ignore=shutil.ignore_patterns("classifier"))
    return open_session(experiment)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn for a moment only: enough for everything but good groups."""
    monkeypatch.setattr(learning, "STEPS", 2)


def directions(*angles: float) -> np.ndarray:
    """Features of tracklets: directions in a plane, in degrees."""
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)


# ---- putting together


def test_the_group_of_most_tracklets_is_the_first_and_strays_are_in_none():
    features = directions(*[0, 1, 2], *[100, 101, 102, 103, 104], 200)
    groups, closeness = find_groups(features, 3, seed=0)
    assert groups.tolist() == [2, 2, 2, 1, 1, 1, 1, 1, 0]
    assert closeness[8] == pytest.approx(1), "a group of one is no group, however close it is to itself"


def test_of_two_groups_as_large_the_closer_one_is_first():
    groups, _ = find_groups(directions(*[0, 20, 40], *[180, 181, 182]), 2, seed=0)
    assert groups.tolist() == [2, 2, 2, 1, 1, 1]


def test_a_tracklet_far_from_the_middle_of_its_group_is_left_out():
    groups, closeness = find_groups(directions(*[0] * 9, 75), 1, seed=0)
    assert groups.tolist() == [1] * 9 + [0]
    assert closeness[9] < 0.5 < closeness[0]


def test_of_many_tracklets_groups_are_found_on_a_draw_and_all_are_put_into_them(monkeypatch):
    monkeypatch.setattr("antrax.grouping.groups._MOST", 40)
    angles = np.repeat([0.0, 90.0, 180.0], 100) + np.tile(np.linspace(-3, 3, 100), 3)
    groups, _ = find_groups(directions(*angles), 3, seed=1)
    assert [len(set(part)) for part in np.split(groups, 3)] == [1, 1, 1]
    assert set(groups.tolist()) == {1, 2, 3}


# ---- learning


def test_the_loss_is_small_where_each_second_image_is_most_like_its_first():
    first = torch.eye(4)
    good, mixed = (contrastive_loss(torch.cat([first, first[order]])) for order in ([0, 1, 2, 3], [1, 0, 3, 2]))
    assert good < 0.01 < 5 < mixed


def colored(hue: int, count: int) -> np.ndarray:
    """Blobs of one colour, here and there on white."""
    images = np.full((count, 24, 24, 3), 255, np.uint8)
    for place, image in enumerate(images):
        image[6 + place % 4 : 18, 8:16] = 40
        image[8 + place % 4 : 12 + place % 4, 9:15] = np.eye(3)[hue] * 200 + 30
    return images


@pytest.mark.slow
def test_tracklets_of_one_colour_are_more_alike_than_those_of_others():
    hues = [0, 1, 2] * 4
    names = tuple(TrackletName(f"trj_id{i}_ti1_1_tf1_9", i, 1, 1, 9) for i in range(len(hues)))
    images = [colored(hue, 6) for hue in hues]
    pool = Pool(np.concatenate(images), np.repeat(np.arange(len(hues)), 6), names, "white")
    steps: list[int] = []
    features = learning.learn_features(pool, 0, "cpu", steps.append, 60)(images)
    assert features.shape == (12, FEATURES)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    assert steps[-1] == 60
    likeness = features @ features.T
    same = np.equal.outer(hues, hues) & ~np.eye(12, dtype=bool)
    assert likeness[same].min() > likeness[~np.equal.outer(hues, hues)].max()


def test_features_do_not_depend_on_which_end_of_the_animal_is_up_nor_on_its_neighbours():
    names = tuple(TrackletName(f"trj_id{i}_ti1_1_tf1_9", i, 1, 1, 9) for i in range(2))
    images = [colored(hue, 3) for hue in (0, 1)]
    pool = Pool(np.concatenate(images), np.repeat([0, 1], 3), names, "white")
    features = learning.learn_features(pool, 0, "cpu", lambda step: None, 1)
    both = features(images)
    np.testing.assert_allclose(features([images[1][:, ::-1, ::-1]]), both[1:], atol=1e-5)


# ---- a session


@pytest.mark.slow
def test_a_session_is_grouped_and_the_same_seed_gives_the_same_groups(session, short):
    result = group(session)
    found = read_groups(session)
    assert found is not None and result.path == session.layout.groups_file
    assert sorted(found.tracklets) == sorted(name for movie in (1, 2) for name in _names(session, movie))
    np.testing.assert_array_equal(found.groups, result.groups.groups)
    np.testing.assert_allclose(found.features, result.groups.features, atol=1e-3)
    assert (found.made_with["groups"], found.made_with["seed"]) == (GROUPS_AN_ID * len(session.labels.ants), 0)
    assert sum(found.sizes) == len(found.tracklets)
    again = group(session.experiment)
    np.testing.assert_array_equal(again.groups.groups, found.groups)
    other = group(session, GroupOptions(seed=1))
    assert not np.allclose(other.groups.features, result.groups.features)


def _names(session: Session, movie: int) -> list[str]:
    from antrax.io.stacks import open_stack

    (path,) = session.stacks[movie]
    with open_stack(path) as stack:
        return [name.name for name in stack.tracklets()]


@pytest.mark.slow
def test_without_labels_and_with_a_damaged_movie_the_others_are_grouped(session, short):
    session.layout.labels_file.unlink()
    session.stacks[1][0].write_bytes(b"no stack")
    result = group(session, GroupOptions(device="cpu"))
    assert set(result.groups.tracklets) == set(_names(session, 2))
    assert result.groups.made_with["groups"] == GROUPS_WITHOUT_LABELS
    assert len(result.problems) == 1 and "images_1.mat" in result.problems[0]


def test_a_session_without_images_is_refused(session):
    for paths in session.stacks.values():
        paths[0].unlink()
    with pytest.raises(ExperimentError, match="no tracklets with images: there is nothing to group"):
        group(session)
    assert read_groups(session) is None


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (GroupOptions(groups=1), "2 to 1000"),
        (GroupOptions(groups=True), "2 to 1000"),
        (GroupOptions(seed=-1), "seed"),
        (GroupOptions(device="abacus"), "auto, cpu"),
    ],
    ids=["one group", "no number", "seed", "device"],
)
def test_options_that_cannot_be_are_refused(session, options, fault):
    with pytest.raises(OptionError, match=fault):
        group(session, options)


# ---- the file


def made(names: list[str], groups: list[int]) -> TrackletGroups:
    features = directions(*range(len(names)))
    return TrackletGroups(tuple(names), features, np.array(groups), np.ones(len(names), np.float32), {"seed": 4})


def test_what_was_written_is_read_again(session):
    write_groups(session, made(["a", "b", "c"], [2, 0, 1]))
    found = read_groups(session)
    assert found is not None
    assert (found.group_of("a"), found.group_of("b"), found.group_of("?")) == (2, 0, None)
    assert (found.sizes, found.made_with) == ((1, 1, 1), {"seed": 4})


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.__delitem__("groups"),
        lambda file: file["groups"].__setitem__(0, 9),
        lambda file: file["groups"].__setitem__(0, -1),
        lambda file: file["closeness"].__setitem__(0, np.nan),
        lambda file: file["tracklets"].__setitem__(0, "b"),
        lambda file: (file.__delitem__("features"), file.create_dataset("features", data=np.ones((2, 2)))),
        lambda file: file.attrs.__setitem__("made_with", "[]"),
        lambda file: file.attrs.__setitem__("made_with", "{"),
    ],
    ids=["part missing", "number too high", "below 0", "nan", "twice", "too few", "no options", "no json"],
)
def test_a_damaged_file_is_refused_with_a_sentence(session, damage):
    import h5py

    write_groups(session, made(["a", "b", "c"], [1, 1, 2]))
    with h5py.File(session.layout.groups_file, "r+") as file:
        damage(file)
    with pytest.raises(
        ExperimentError, match=r"groups.h5 cannot be used as a file of groups: .*group the tracklets again"
    ):
        read_groups(session)


def test_something_else_in_its_place_is_refused(session):
    session.layout.groups_file.parent.mkdir()
    session.layout.groups_file.write_bytes(b"something else")
    with pytest.raises(ExperimentError, match="group the tracklets again"):
        read_groups(session)
