"""Image stacks as MATLAB writes them, and as disks leave them."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from antrax.demo import DemoExperiment
from antrax.errors import ExperimentError, OutputError, StackError
from antrax.io import untrusted_hdf5
from antrax.io.names import parse_tracklet_name
from antrax.io.session import open_session
from antrax.io.stacks import open_stack, read_frame_passed, write_stacks
from antrax.io.tracklets import iter_tracklets

NAME = "trj_id1_ti1_1_tf1_5"
OTHER = "trj_id2_ti1_4_tf1_9"
Images = NDArray[np.uint8]


def noise(count: int, size: int = 6, seed: int = 0) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images_1.mat"


def store(path: Path, name: str = NAME, data: object = None, **options: object) -> None:
    """Put a dataset into a file as it is, the axes as HDF5 shows them."""
    with h5py.File(path, "a") as file:
        file.create_dataset(name, data=data, **options)


def read(path: Path, name: str = NAME) -> Images:
    with open_stack(path) as stack:
        return stack.read(name)


def complaint(path: Path, name: str = NAME) -> str:
    """What is said of a tracklet, by all ways of asking."""
    said = set()
    with open_stack(path) as stack:
        for ask in (stack.count, stack.size, stack.read, lambda name: list(stack.pieces(name))):
            with pytest.raises(StackError) as raised:
                ask(name)
            said.add(str(raised.value))
    assert len(said) == 1
    message = said.pop()
    assert str(path) in message
    assert name in message
    return message


# --- the order of axes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row, column, channel", [(0, 3, 1), (4, 1, 0), (2, 5, 2)])
def test_a_pixel_is_found_at_its_row_column_and_channel(path: Path, row: int, column: int, channel: int) -> None:
    # MATLAB's (row, column, channel, image) has its axes in reverse order in HDF5
    matlab = np.zeros((6, 6, 3, 4), np.uint8)
    matlab[row, column, channel, 2] = 200
    store(path, data=matlab.transpose())
    images = read(path)
    assert images.shape == (4, 6, 6, 3)
    assert images[2, row, column, channel] == 200
    assert np.count_nonzero(images) == 1


def test_a_tracklet_of_one_image_has_no_axis_of_images(path: Path) -> None:
    matlab = np.zeros((6, 6, 3), np.uint8)
    matlab[1, 4, 2] = 9
    store(path, data=matlab.transpose())
    with open_stack(path) as stack:
        assert (stack.count(NAME), stack.size(NAME)) == (1, 6)
        images = stack.read(NAME)
        assert images.shape == (1, 6, 6, 3)
        assert images[0, 1, 4, 2] == 9
        assert len(stack.read(NAME, 0, 1)) == 1
        assert len(stack.read(NAME, 1, 2)) == 0
        assert [len(piece) for piece in stack.pieces(NAME)] == [1]


def test_three_images_of_three_pixels_are_not_mistaken_for_one(path: Path) -> None:
    images = noise(3, 3)
    write_stacks(path, [(NAME, images)])
    assert (read(path) == images).all()


def test_images_can_be_read_in_part(path: Path) -> None:
    images = noise(10)
    write_stacks(path, [(NAME, images)])
    with open_stack(path) as stack:
        assert (stack.read(NAME, 2, 5) == images[2:5]).all()
        assert (stack.read(NAME, 8, 99) == images[8:]).all()
        assert len(stack.read(NAME, 10, 12)) == 0


@given(
    st.dictionaries(
        st.builds("trj_id{}_ti1_{}_tf1_{}".format, st.integers(1, 99), st.just(5), st.integers(5, 99)),
        hnp.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 9)).map(lambda s: (s[0], s[1], s[1], 3))),
        max_size=4,
    )
)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, tracklets: dict[str, Images]) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.mat"
    write_stacks(path, tracklets.items())
    with open_stack(path) as stack:
        assert {name.name for name in stack.tracklets()} == set(tracklets)
        for name, images in tracklets.items():
            assert (stack.count(name), stack.size(name)) == images.shape[:2]
            assert (stack.read(name) == images).all()


def test_writing_makes_what_matlab_reads_as_rows_columns_channels_images(path: Path) -> None:
    images = noise(4)
    write_stacks(path, [(NAME, images), (OTHER, images[:1])])
    with h5py.File(path) as file:
        assert file[NAME].attrs["MATLAB_class"] == b"uint8"
        assert (file[NAME][()].transpose() == images.transpose(1, 2, 3, 0)).all()
        assert (file[OTHER][()].transpose() == images[0]).all()


def test_writing_into_no_folder_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"images_1\.mat cannot be written"):
        write_stacks(tmp_path / "gone" / "images_1.mat", [(NAME, noise(1))])


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("axis", [True, False])
def test_grey_images_have_their_channel_three_times(path: Path, count: int, axis: bool) -> None:
    grey = noise(count)[..., 0]
    stored = grey.transpose(0, 2, 1)
    store(path, "trj_id3_ti1_1_tf1_9", noise(4)[..., 0][:, None])
    store(path, data=stored[:, None] if axis else (stored[0] if count == 1 else stored))
    with open_stack(path) as stack:
        assert (stack.count(NAME), stack.size(NAME)) == (count, 6)
        assert (stack.read(NAME) == grey[..., None]).all()
        assert stack.read(NAME).shape == (count, 6, 6, 3)
        assert (np.concatenate(list(stack.pieces(NAME))) == grey[..., None]).all()


def test_one_colour_image_is_not_taken_for_three_grey_ones(path: Path) -> None:
    images = noise(4)
    write_stacks(path, [(NAME, images[:1]), (OTHER, images)])
    assert (read(path) == images[:1]).all()


# --- pieces -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (7, 3, 2, 2), "compression": "gzip"},
        {"chunks": (1, 3, 2, 2)},
        {"chunks": (3000, 1, 2, 2)},
    ],
    ids=["contiguous", "odd chunks", "a chunk an image", "huge chunks"],
)
def test_pieces_are_all_images_in_order_and_bounded(path: Path, options: dict[str, object]) -> None:
    images = noise(5000, 2)
    store(path, data=images.transpose(0, 3, 2, 1), **options)
    with open_stack(path) as stack:
        pieces = list(stack.pieces(NAME))
    assert (np.concatenate(pieces) == images).all()
    assert len(pieces) > 1
    assert max(map(len, pieces)) <= 3000


def test_pieces_end_where_chunks_end(path: Path) -> None:
    images = noise(5000, 2)
    store(path, data=images.transpose(0, 3, 2, 1), chunks=(300, 3, 2, 2))
    with open_stack(path) as stack:
        assert [len(piece) for piece in stack.pieces(NAME)] == [1800, 1800, 1400]


# --- what else lies in such files ------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [(7, 3, 6, 6), (64, 1, 6, 6), (10, 2, 4, 5), (1, 3, 6, 6), (40, 3, 6, 6)], ids=str)
@pytest.mark.parametrize("start, stop", [(0, 40), (0, 7), (5, 23), (39, 40)])
def test_compressed_chunks_of_any_shape_are_read_without_hdf5(
    path: Path, chunks: tuple[int, ...], start: int, stop: int
) -> None:
    images = noise(40)
    store(path, data=images.transpose(0, 3, 2, 1), chunks=chunks, compression="gzip", maxshape=(None, 3, 6, 6))
    with h5py.File(path) as file:
        dataset = file[NAME].id
        assert untrusted_hdf5.has_plain_chunks(dataset.get_create_plist(), 1)
        part = np.empty((stop - start, 3, 6, 6), np.uint8)
        assert untrusted_hdf5.read_chunks(dataset, chunks, start, part)
    with open_stack(path) as stack:
        assert (stack.read(NAME, start, stop) == images[start:stop]).all()
    assert (part.transpose(0, 3, 2, 1) == images[start:stop]).all()


@pytest.mark.parametrize("options", [{"shuffle": True}, {"fletcher32": True}, {"compression": None}], ids=str)
def test_chunks_that_hold_more_than_a_stream_of_zlib_are_left_to_hdf5(path: Path, options: dict[str, object]) -> None:
    images = noise(40)
    store(path, data=images.transpose(0, 3, 2, 1), chunks=(7, 3, 6, 6), **{"compression": "gzip", **options})
    with h5py.File(path) as file:
        assert not untrusted_hdf5.has_plain_chunks(file[NAME].id.get_create_plist(), 1)
    assert (read(path) == images).all()


@pytest.mark.parametrize("content", [b"x", b"nonsense", zlib.compress(bytes(100)), zlib.compress(bytes(2000))])
def test_a_chunk_that_is_not_what_it_should_be_is_left_to_hdf5(path: Path, content: bytes) -> None:
    images = noise(40)
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(NAME, (40, 3, 6, 6), np.uint8, chunks=(10, 3, 6, 6), compression="gzip")
        dataset[:] = images.transpose(0, 3, 2, 1)
        dataset.id.write_direct_chunk((10, 0, 0, 0), content)
        part = np.empty((40, 3, 6, 6), np.uint8)
        assert not untrusted_hdf5.read_chunks(dataset.id, (10, 3, 6, 6), 0, part)
        assert untrusted_hdf5.read_chunks(dataset.id, (10, 3, 6, 6), 20, part[20:])


def test_a_chunk_that_was_never_written_is_black(path: Path) -> None:
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(NAME, (40, 3, 6, 6), np.uint8, chunks=(10, 3, 6, 6), compression="gzip")
        dataset[:10] = 9
    assert (read(path)[:10] == 9).all()
    assert not read(path)[10:].any()


def test_a_chunk_that_was_left_uncompressed_is_read(path: Path) -> None:
    images = noise(20)
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(NAME, (20, 3, 6, 6), np.uint8, chunks=(10, 3, 6, 6), compression="gzip")
        dataset[:] = images.transpose(0, 3, 2, 1)
        plain = np.ascontiguousarray(images[:10].transpose(0, 3, 2, 1)).tobytes()
        dataset.id.write_direct_chunk((0, 0, 0, 0), plain, filter_mask=1)
    assert (read(path) == images).all()


def test_datasets_and_groups_that_are_no_tracklets_are_passed_over(path: Path) -> None:
    write_stacks(path, [(NAME, noise(2))])
    with h5py.File(path, "a") as file:
        file.create_group("#refs#")
        file["version"] = 3
        file[b"gr\xf6\xdfe"] = 3
        file["trj_id1_ti1_5_tf2_9"] = [1, 2]
        file["trj_id1_ti1_1_tf1_5_mean"] = [1, 2]
    with open_stack(path) as stack:
        assert stack.tracklets() == [parse_tracklet_name(NAME)]


@pytest.mark.parametrize(
    ("data", "marked"),
    [
        (np.array([0, 0], np.uint64), True),  # what MATLAB stores for an empty array: its size
        (np.array([38, 38, 3, 0], np.uint64), True),
        (np.zeros((0, 3, 38, 38), np.uint8), False),
    ],
)
def test_an_empty_tracklet_has_no_images(path: Path, data: NDArray[np.generic], marked: bool) -> None:
    store(path, data=data)
    if marked:
        with h5py.File(path, "a") as file:
            file[NAME].attrs["MATLAB_empty"] = np.uint8(1)
    with open_stack(path) as stack:
        assert stack.count(NAME) == 0
        assert stack.read(NAME).shape == (0, 0, 0, 3)
        assert list(stack.pieces(NAME)) == []


def test_an_empty_file_has_no_tracklets(path: Path) -> None:
    write_stacks(path, [])
    with open_stack(path) as stack:
        assert stack.tracklets() == []


# --- what is damaged, or something else ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((2, 3, 6, 6), np.float32),
        np.zeros((2, 3, 6, 6), np.uint16),
        np.zeros((2, 3, 6, 5), np.uint8),
        np.zeros((2, 2, 6, 6), np.uint8),
        np.zeros((2, 6, 6, 3), np.uint8),
        np.zeros((6, 5), np.uint8),
        np.zeros((1, 2, 3, 6, 6), np.uint8),
        np.uint8(1),
    ],
    ids=lambda data: f"{data.dtype}{data.shape}",
)
def test_what_is_no_stack_of_square_rgb_images_is_told(path: Path, data: NDArray[np.generic]) -> None:
    store(path, data=data)
    message = complaint(path)
    assert str(data.dtype) in message
    assert str(data.shape) in message
    assert "expected uint8 of shape (images, 3, S, S)" in message


def test_a_missing_tracklet_is_told(path: Path) -> None:
    write_stacks(path, [(NAME, noise(1))])
    assert "missing" in complaint(path, OTHER)


def test_a_group_in_a_tracklets_place_is_told(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group(NAME)
    assert "damaged" in complaint(path)


def test_a_damaged_chunk_is_told_and_other_tracklets_are_read(path: Path) -> None:
    images = noise(40)
    write_stacks(path, [(NAME, images), (OTHER, images)])
    with h5py.File(path) as file:
        chunk = file[NAME].id.get_chunk_info(0)
    with path.open("rb+") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(bytes(chunk.size))
    with pytest.raises(StackError, match=f"images_1.mat: the images of {NAME} are damaged"):
        read(path)
    assert (read(path, OTHER) == images).all()


@pytest.mark.parametrize(
    "content",
    [b"", b"MATLAB 5.0 MAT-file, Platform: GLNXA64", b"\x89HDF\r\n\x1a\n"],
    ids=["empty", "MATLAB 5", "first bytes only"],
)
def test_a_file_that_is_no_hdf5_is_told(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StackError, match=r"no complete HDF5 file.*run the tracking step") as raised:
        read(path)
    assert str(path) in str(raised.value)


def test_a_file_that_was_cut_off_is_told(path: Path) -> None:
    write_stacks(path, [(NAME, noise(40))])
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(StackError, match="no complete HDF5 file"):
        read(path)


def test_a_missing_file_is_told(path: Path) -> None:
    with pytest.raises(StackError, match=r"images_1\.mat does not exist"):
        read(path)


@settings(derandomize=True)  # the HDF5 library itself may crash on damage that nobody has met
@given(st.data())
def test_no_damage_gives_anything_but_images_or_a_stack_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.mat"
    good = path.with_name("good.mat")
    if not good.exists():
        write_stacks(good, [(f"trj_id{k}_ti1_1_tf1_3", noise(3)) for k in range(9)])
    content = bytearray(good.read_bytes())
    # most of what makes HDF5 stumble lies in its first bytes
    start = data.draw(st.one_of(st.integers(0, 2000), st.integers(0, len(content) - 1)))
    patch = data.draw(st.one_of(st.binary(min_size=1, max_size=8), st.just(bytes(64)), st.just(b"\xff" * 16)))
    content[start : start + len(patch)] = patch
    path.write_bytes(content)
    try:
        with open_stack(path) as stack:
            for name in stack.tracklets():
                assert stack.read(name.name).shape[1:] in ((6, 6, 3), (0, 0, 3))
    except StackError as error:
        assert str(path) in str(error)


# --- which frames passed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (5,)])
def test_frames_that_passed_are_read_in_any_orientation(tmp_path: Path, shape: tuple[int, ...]) -> None:
    passed = np.array([1, 0, 0, 1, 1], np.uint8)
    store(tmp_path / "frame_passed_1.mat", data=passed.reshape(shape))
    (found,) = read_frame_passed(tmp_path / "frame_passed_1.mat", [NAME]).values()
    assert found.dtype == bool
    assert found.tolist() == [True, False, False, True, True]


def test_tracklets_that_the_file_misses_are_missing_in_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "frame_passed_1.mat"
    store(path, data=np.ones((1, 5), np.uint8))
    with h5py.File(path, "a") as file:
        file.create_group("trj_id9_ti1_1_tf1_2")
        file["trj_id8_ti1_1_tf1_2"] = np.array([0, 0], np.uint64)
        file["trj_id8_ti1_1_tf1_2"].attrs["MATLAB_empty"] = np.uint8(1)
    assert set(read_frame_passed(path, [NAME, OTHER, "trj_id8_ti1_1_tf1_2"])) == {NAME}


@pytest.mark.parametrize("damage", ["a group", "texts", "a null dataspace", "a compound", "a flipped chunk"])
def test_nothing_is_known_of_a_damaged_tracklet_and_all_of_the_others(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "frame_passed_1.mat"
    store(path, data=np.ones((1, 5), np.uint8))
    with h5py.File(path, "a") as file:
        if damage == "a group":
            file.create_group(OTHER)
        elif damage == "texts":
            file.create_dataset(OTHER, data=["a", "b"], dtype=h5py.string_dtype())
        elif damage == "a null dataspace":
            file.create_dataset(OTHER, data=h5py.Empty("u1"))
        elif damage == "a compound":
            file[OTHER] = np.zeros(3, [("a", "u1"), ("b", "f4")])
        else:
            dataset = file.create_dataset(OTHER, data=np.ones((1, 500), np.uint8), chunks=(1, 500), compression="gzip")
            place = dataset.id.get_chunk_info(0)
    if damage == "a flipped chunk":
        content = bytearray(path.read_bytes())
        content[place.byte_offset : place.byte_offset + place.size] = bytes(place.size)
        path.write_bytes(content)
    found = read_frame_passed(path, [NAME, OTHER])
    assert {name: len(passed) for name, passed in found.items()} == {NAME: 5, OTHER: 0}


def test_without_a_file_nothing_is_known_of_frames(tmp_path: Path) -> None:
    assert read_frame_passed(tmp_path / "frame_passed_1.mat", [NAME]) == {}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(b"half-written"), "no HDF5 file"),
        (Path.mkdir, "a folder"),
        (os.mkfifo, "a named pipe"),
        (lambda path: path.symlink_to("elsewhere.mat"), "No such file"),
    ],
    ids=["empty", "half-written", "folder", "pipe", "broken link"],
)
def test_a_file_of_frames_that_cannot_be_read_is_an_error(tmp_path: Path, make, reason: str) -> None:
    path = tmp_path / "frame_passed_1.mat"
    make(path)
    with pytest.raises(StackError, match=f"frame_passed_1.mat cannot be read: .*{reason}"):
        read_frame_passed(path, [NAME])


# --- tracklets one by one --------------------------------------------------------------------------------------


def test_tracklets_come_movie_by_movie_part_by_part_with_absolute_frames(make_session) -> None:
    movies = "index name fi ff\n2 b 101 200\n1 a 1 100\n"
    session = make_session(movies=movies)
    images = {m: noise(m + 1, seed=m) for m in range(3)}
    write_stacks(session / "images" / "images_2_p2.mat", [("trj_id1_ti2_60_tf2_60", images[0])])
    write_stacks(session / "images" / "images_2_p1.mat", [("trj_id1_ti2_5_tf2_9", images[1])])
    write_stacks(session / "images" / "images_1.mat", [("trj_id1_ti1_1_tf1_3", images[2])])
    store(session / "images" / "images_1.mat", "trj_id7_ti1_1_tf1_3", np.zeros((0, 3, 6, 6), np.uint8))
    found = list(iter_tracklets(open_session(session)))
    assert [(t.name.name, t.count, t.first_frame, t.last_frame) for t in found] == [
        ("trj_id1_ti1_1_tf1_3", 3, 1, 3),
        ("trj_id1_ti2_5_tf2_9", 2, 105, 109),
        ("trj_id1_ti2_60_tf2_60", 1, 160, 160),
    ]
    assert (found[0].images() == images[2]).all()
    assert (found[2].images() == images[0]).all()
    assert [t.name.movie for t in iter_tracklets(open_session(session), [2])] == [2, 2]


def test_without_a_movie_table_absolute_frames_are_unknown(make_session) -> None:
    session = make_session()
    write_stacks(session / "images" / "images_1.mat", [(NAME, noise(1))])
    (tracklet,) = iter_tracklets(open_session(session))
    assert (tracklet.first_frame, tracklet.last_frame) == (None, None)


def test_asking_for_a_movie_without_stack_is_an_error(make_session) -> None:
    session = make_session()
    write_stacks(session / "images" / "images_1.mat", [(NAME, noise(1))])
    with pytest.raises(ExperimentError, match="no image stack of movie 3"):
        list(iter_tracklets(open_session(session), [1, 3]))


def test_all_tracklets_of_a_generated_experiment_are_found(small_demo: DemoExperiment) -> None:
    tracklets = list(iter_tracklets(open_session(small_demo.directory)))
    assert len(tracklets) == small_demo.tracklets
    assert sum(t.count for t in tracklets) == small_demo.images
    assert tracklets[-1].images().shape == (tracklets[-1].count, 48, 48, 3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_plain_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "images_1.mat"
    os.mkfifo(path)
    with pytest.raises(StackError, match="no plain file"), open_stack(path):
        pass
