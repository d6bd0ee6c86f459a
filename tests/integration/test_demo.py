"""What a generated experiment promises: the real layout, its truth, the same bytes each time."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from antrax.demo import DemoExperiment, generate_experiment
from antrax.errors import AntraxError, OptionError
from antrax.io.names import parse_example_name, parse_tracklet_name
from antrax.io.stacks import open_stack

MOVIES, TRACKLETS, MAX_FRAMES, SIZE = 2, 30, 20, 48
IDS = {front + rear for front in "BGOP" for rear in "BGOP"}
LABELS = IDS | {"NoAnt", "Multi", "Unknown"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoExperiment:
    directory = tmp_path_factory.mktemp("demo") / "some ants.v2"
    return generate_experiment(directory, seed=7, movies=MOVIES, tracklets=TRACKLETS, max_frames=MAX_FRAMES)


def small(directory: Path, seed: int = 0, **sizes: int) -> DemoExperiment:
    return generate_experiment(directory, seed=seed, **{"movies": 1, "tracklets": 8, "max_frames": 4, **sizes})


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def stacks(demo: DemoExperiment) -> dict[str, np.ndarray]:
    """Images of all tracklets, by name."""
    images = {}
    for movie in range(1, MOVIES + 1):
        with open_stack(demo.session / "images" / f"images_{movie}.mat") as stack:
            for tracklet in stack.tracklets():
                images[tracklet.name] = stack.read(tracklet.name)
    return images


def test_has_the_layout_of_a_tracked_experiment(demo: DemoExperiment) -> None:
    assert demo.session == demo.directory / "session"
    for name in ("Trck.mat", "labels.csv", "movies_info.txt", "prmtrs.json"):
        assert (demo.session / "parameters" / name).is_file()
    for movie in range(1, MOVIES + 1):
        assert (demo.session / "images" / f"images_{movie}.mat").is_file()
        assert (demo.session / "images" / f"frame_passed_{movie}.mat").is_file()
        assert (demo.session / "tracklets" / f"trdata_{movie}.mat").is_file()
    assert list((demo.session / "labels").iterdir()) == []
    assert json.loads((demo.session / "parameters/prmtrs.json").read_text())["tagged"] is True


def test_labels_are_16_ants_and_what_is_no_single_known_ant(demo: DemoExperiment) -> None:
    rows = (demo.session / "parameters/labels.csv").read_text().splitlines()
    categories = dict(row.split("\t") for row in rows)
    assert {label for label, category in categories.items() if category == "ant_labels"} == IDS
    assert categories["NoAnt"] == "noant_labels"
    assert categories["Multi"] == categories["Unknown"] == "other_labels"
    assert {label for label, kind in categories.items() if kind == "tagcolors"} == set("BGOP")


def test_movies_table_reads_as_words_whatever_the_folder_is_called(demo: DemoExperiment) -> None:
    header, *rows = (demo.session / "parameters/movies_info.txt").read_text().splitlines()
    movies = [dict(zip(header.split(" "), row.split(" "), strict=True)) for row in rows]
    assert [movie["index"] for movie in movies] == ["1", "2"]
    assert int(movies[1]["fi"]) == int(movies[0]["ff"]) + 1


def test_names_parse_and_lie_within_the_movie(demo: DemoExperiment) -> None:
    header, row, *_ = (demo.session / "parameters/movies_info.txt").read_text().splitlines()
    length = int(dict(zip(header.split(), row.split(), strict=True))["nframes"])
    for name, images in stacks(demo).items():
        tracklet = parse_tracklet_name(name)
        assert tracklet is not None
        assert 1 <= tracklet.first <= tracklet.last <= length
        assert tracklet.span == len(images)


def test_an_id_and_an_ant_are_in_one_place_at_a_time(demo: DemoExperiment) -> None:
    ends: dict[tuple[str, str, str], int] = {}
    rows = [(parse_tracklet_name(row["tracklet"]), row) for row in table(demo.directory / "truth.csv")]
    for tracklet, row in sorted(rows, key=lambda item: item[0].first):
        keys = [("id", row["movie"], str(tracklet.id))]
        if row["label"] in IDS:
            keys.append(("ant", row["movie"], row["label"]))
        for key in keys:
            assert ends.get(key, 0) < tracklet.first
            ends[key] = tracklet.last


def test_lengths_run_from_single_frames_to_the_bound(demo: DemoExperiment) -> None:
    lengths = [len(images) for images in stacks(demo).values()]
    assert len(lengths) == demo.tracklets == MOVIES * TRACKLETS
    assert sum(lengths) == demo.images
    assert min(lengths) == 1
    assert 10 <= max(lengths) <= MAX_FRAMES
    assert 0.1 < np.mean([length <= 3 for length in lengths]) < 0.4


def test_truth_agrees_with_the_stacks(demo: DemoExperiment) -> None:
    images = stacks(demo)
    truth = {row["tracklet"]: row for row in table(demo.directory / "truth.csv")}
    assert truth.keys() == images.keys()
    assert {row["label"] for row in truth.values()} == LABELS
    frames: dict[str, list[str]] = {}
    for row in table(demo.directory / "truth_frames.csv"):
        frames.setdefault(row["tracklet"], []).append(row["label"])
        assert int(row["index"]) == len(frames[row["tracklet"]])
    for name, row in truth.items():
        assert row["experiment"] == demo.directory.name
        assert int(row["frames"]) == len(images[name]) == len(frames[name])
        share = frames[name].count(row["label"]) / len(frames[name])
        assert share > 0.5
        assert float(row["contested"]) == pytest.approx(1 - share, abs=1e-3)


def test_a_blob_is_never_background(demo: DemoExperiment) -> None:
    for images in stacks(demo).values():
        assert images.shape[1:] == (SIZE, SIZE, 3)
        assert images.dtype == np.uint8
        blob = images.any(axis=-1)
        assert blob.any(axis=(1, 2)).all()
        assert images[blob].min() > 0
        assert images[blob].max() < 255
        assert 0.4 < np.mean(~blob) < 1


def test_ants_lie_upright_and_are_about_as_large_as_real_ones(demo: DemoExperiment) -> None:
    images = stacks(demo)
    heights, areas = [], []
    for row in table(demo.directory / "truth.csv"):
        if row["label"] in IDS:
            blob = images[row["tracklet"]].any(axis=-1)
            heights += blob.any(axis=2).sum(axis=1).tolist()
            areas += blob.sum(axis=(1, 2)).tolist()
    assert 28 < np.median(heights) < 38
    assert 200 < np.median(areas) < 420


def test_every_label_has_two_tracklets_of_examples(demo: DemoExperiment) -> None:
    folder = demo.session / "classifier/examples"
    assert {label.name for label in folder.iterdir()} == LABELS
    for label in folder.iterdir():
        names = [parse_example_name(path.stem) for path in label.glob("*.png")]
        assert len({name[1] for name in names if name}) >= 2
    assert sum(1 for _ in folder.rglob("*.png")) == demo.examples


def test_examples_are_the_stacks_images_on_white(demo: DemoExperiment) -> None:
    images = stacks(demo)
    labels = {(row["tracklet"], int(row["index"])): row["label"] for row in table(demo.directory / "truth_frames.csv")}
    for path in (demo.session / "classifier/examples").rglob("*.png"):
        experiment, name, frame = parse_example_name(path.stem) or ("", "", "")
        tracklet = parse_tracklet_name(name)
        assert tracklet is not None
        index = int(frame) - tracklet.first  # movie 1, where absolute and movie frames are the same
        assert experiment == demo.directory.name
        assert path.parent.name == labels[name, index + 1]
        image = images[name][index]
        expected = np.where(image.any(axis=-1, keepdims=True), image, 255)
        np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)


def test_later_movies_are_kept_from_the_examples(demo: DemoExperiment) -> None:
    for path in (demo.session / "classifier/examples").rglob("*.png"):
        assert "_ti1_" in path.name


def test_tracker_s_measurements_fit_the_images(demo: DemoExperiment) -> None:
    images = stacks(demo)
    for movie in range(1, MOVIES + 1):
        with (
            h5py.File(demo.session / "tracklets" / f"trdata_{movie}.mat") as trdata,
            h5py.File(demo.session / "images" / f"frame_passed_{movie}.mat") as passed,
        ):
            assert trdata.keys() == passed.keys()
            for name, data in trdata.items():
                count = len(images[name])
                assert data.shape == (17, count)
                assert data.dtype == np.float32
                assert data.attrs["MATLAB_class"] == b"single"
                assert np.isfinite(data[:]).all()
                np.testing.assert_array_equal(data[0], images[name].any(axis=-1).sum(axis=(1, 2)))
                assert ((data[1] > 0) & (data[1] < 960) & (data[2] > 0) & (data[2] < 720)).all()
                assert passed[name].shape == (1, count)
                assert passed[name].dtype == np.uint8
                assert passed[name].attrs["MATLAB_class"] == b"logical"


def test_neighbouring_frames_resemble_one_another(demo: DemoExperiment) -> None:
    near, far = [], []
    longest = sorted(stacks(demo).values(), key=len)[-10:]
    for images in longest:
        blobs = np.asarray(images.any(axis=-1))
        near += (blobs[1:] ^ blobs[:-1]).mean(axis=(1, 2)).tolist()
        far += (blobs[len(blobs) // 2 :] ^ blobs[: -(len(blobs) // 2)]).mean(axis=(1, 2)).tolist()
    assert np.mean(near) < 0.9 * np.mean(far)


def test_the_same_seed_gives_the_same_images(tmp_path: Path) -> None:
    first, second, other = (small(tmp_path / name / "demo", seed) for name, seed in (("a", 3), ("b", 3), ("c", 4)))

    def pixels(demo: DemoExperiment) -> dict[str, bytes]:
        with open_stack(demo.session / "images/images_1.mat") as stack:
            return {item.name: stack.read(item.name).tobytes() for item in stack.tracklets()}

    assert pixels(first) == pixels(second)
    assert pixels(first) != pixels(other)
    for name in ("truth.csv", "truth_frames.csv"):
        assert (first.directory / name).read_bytes() == (second.directory / name).read_bytes()


@pytest.mark.parametrize("size", [38, 87])
def test_animals_grow_with_the_image(tmp_path: Path, size: int) -> None:
    demo = small(tmp_path / "demo", tracklets=4, image_size=size)
    with open_stack(demo.session / "images/images_1.mat") as stack:
        for tracklet in stack.tracklets():
            assert stack.read(tracklet.name).shape[1:] == (size, size, 3)


def test_examples_can_be_limited_to_whole_tracklets(tmp_path: Path) -> None:
    assert small(tmp_path / "none", examples=0).examples == 0
    few = small(tmp_path / "few", examples=7)
    assert 0 < few.examples <= 7


def test_tells_how_far_it_got(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    generate_experiment(
        tmp_path / "demo",
        movies=1,
        tracklets=3,
        max_frames=1,
        progress=lambda *at: steps.append(at),
    )
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(AntraxError, match="not empty; choose another"):
        small(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_fills_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    assert small(tmp_path / "demo", tracklets=1).session.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_a_broken_run_leaves_nothing(tmp_path: Path) -> None:
    def pull_the_plug(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_experiment(tmp_path / "demo", movies=1, tracklets=2, progress=pull_the_plug)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"movies": 0}, {"tracklets": 0}, {"image_size": 8}, {"seed": -1}])
def test_refuses_impossible_sizes(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(OptionError, match=next(iter(wrong))):
        generate_experiment(tmp_path / "demo", **wrong)
