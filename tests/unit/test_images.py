"""Blob images on their way into a network, from stacks and from example files alike."""

from __future__ import annotations

import io
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from antrax.demo import DemoExperiment
from antrax.images import BadImageError, Preparation, detect_background, prepare, read_example
from antrax.io.stacks import open_stack

Images = NDArray[np.uint8]


def noise(*shape: int, seed: int = 0) -> Images:
    return np.random.default_rng(seed).integers(1, 255, shape, np.uint8)


def blobs(count: int, size: int) -> Images:
    """Images as in a stack: the animal in the middle, around it 0."""
    images = np.zeros((count, size, size, 3), np.uint8)
    inner = slice(size // 4, size - size // 4)
    images[:, inner, inner] = noise(*images[:, inner, inner].shape)
    return images


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "exp.trj_id1_ti1_1_tf1_5.1.png"


# --- prepare ----------------------------------------------------------------------------------------------------


def test_on_white_ground_pixels_that_are_0_in_all_channels_become_white() -> None:
    images = np.array([[[[0, 0, 0], [0, 0, 1]], [[0, 9, 0], [7, 0, 0]]]], np.uint8)
    prepared = prepare(images, Preparation(2, "white"))
    assert prepared.tolist() == [[[[255, 255, 255], [0, 0, 1]], [[0, 9, 0], [7, 0, 0]]]]


def test_on_black_ground_nothing_changes() -> None:
    images = blobs(2, 12)
    images[0, 0, 0] = 255
    assert (prepare(images, Preparation(12, "black")) == images).all()


@pytest.mark.parametrize("background", ["white", "black"])
@pytest.mark.parametrize("size", [20, 12, 48])
def test_the_images_given_are_left_as_they_are(background, size: int) -> None:
    images = blobs(2, 20)
    before = images.copy()
    prepare(images, Preparation(size, background))
    assert (images == before).all()


@given(hnp.arrays(np.uint8, (2, 7, 7, 3), elements=st.integers(0, 3)), st.sampled_from(["white", "black"]))
def test_preparing_what_is_prepared_changes_nothing(images: Images, background) -> None:
    once = prepare(images, Preparation(7, background))
    assert (prepare(once, Preparation(7, background)) == once).all()


@pytest.mark.parametrize("size", [10, 20, 33])
def test_images_come_out_in_the_size_asked_for_and_the_same_each_time(size: int) -> None:
    images = blobs(3, 20)
    first, second = prepare(images, Preparation(size, "white")), prepare(images, Preparation(size, "white"))
    assert first.shape == (3, size, size, 3)
    assert first.dtype == np.uint8
    assert (first == second).all()


def test_an_image_is_prepared_alike_alone_and_among_others() -> None:
    images = blobs(5, 20)
    together = prepare(images, Preparation(15, "white"))
    assert (np.concatenate([prepare(image[None], Preparation(15, "white")) for image in images]) == together).all()


def test_resizing_keeps_rows_rows_and_channels_channels() -> None:
    images = np.zeros((1, 20, 20, 3), np.uint8)
    images[0, :10, :, 0] = 200  # the upper half is red
    resized = prepare(images, Preparation(8, "black"))[0]
    assert (resized[:3, :, 0] == 200).all()
    assert (resized[5:] == 0).all()
    assert (resized[..., 1:] == 0).all()


def test_white_ground_is_set_before_resizing_so_that_no_dark_rim_appears() -> None:
    images = np.zeros((1, 20, 20, 3), np.uint8)
    images[0, 5:15, 5:15] = 250
    assert prepare(images, Preparation(13, "white")).min() >= 250


@pytest.mark.parametrize("column", [8, 9, 10, 11])
def test_a_leg_one_pixel_wide_does_not_vanish_when_images_shrink(column: int) -> None:
    images = np.zeros((1, 20, 20, 3), np.uint8)
    images[0, :, column] = 200
    shrunk = prepare(images, Preparation(7, "black"))[0, 3, :, 0]
    assert shrunk.sum() == pytest.approx(200 * 7 / 20, rel=0.15)


def test_no_images_stay_none() -> None:
    assert prepare(np.zeros((0, 20, 20, 3), np.uint8), Preparation(20, "white")).shape == (0, 20, 20, 3)
    assert prepare(np.zeros((0, 20, 20, 3), np.uint8), Preparation(10, "white")).shape == (0, 10, 10, 3)


@pytest.mark.parametrize("size", [20, 14, 31])
def test_an_example_and_the_image_it_was_made_from_give_the_network_the_same(path: Path, size: int) -> None:
    images = blobs(1, 20)
    exported = np.where(images[0].any(-1, keepdims=True), images[0], np.uint8(255))
    Image.fromarray(exported).save(path)
    assert (
        prepare(read_example(path)[None], Preparation(size, "white")) == prepare(images, Preparation(size, "white"))
    ).all()


def test_a_generated_experiments_examples_are_the_images_of_its_stacks(small_demo: DemoExperiment) -> None:
    paths = sorted((small_demo.session / "classifier" / "examples").glob("*/*.png"))[::20]
    assert paths
    for path in paths:
        _, _, tracklet, frame = path.stem.split(".")
        movie, first = int(tracklet.split("_")[2][2:]), int(tracklet.split("_")[3])
        assert movie == 1  # so that absolute frames are the movie's
        with open_stack(small_demo.session / "images" / f"images_{movie}.mat") as stack:
            image = stack.read(tracklet, int(frame) - first, int(frame) - first + 1)
        assert (
            prepare(read_example(path)[None], Preparation(40, "white")) == prepare(image, Preparation(40, "white"))
        ).all()


# --- reading examples -------------------------------------------------------------------------------------------


def test_an_rgb_image_is_read_as_it_is(path: Path) -> None:
    image = noise(9, 9, 3)
    Image.fromarray(image).save(path)
    assert (read_example(path) == image).all()


def test_a_grey_image_has_three_equal_channels(path: Path) -> None:
    grey = noise(9, 9)
    Image.fromarray(grey).save(path)
    assert (read_example(path) == grey[..., None]).all()
    assert read_example(path).shape == (9, 9, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGBA"])
def test_images_of_every_8_bit_mode_are_read_as_pillow_shows_them(path: Path, mode: str) -> None:
    image = Image.fromarray(noise(9, 9, 3)).convert(mode)
    image.save(path)
    assert (read_example(path) == np.asarray(image.convert("RGB"))).all()


@pytest.mark.parametrize(("background", "shown"), [("white", 255), ("black", 0), (None, 255)])
def test_the_background_shows_through_transparent_pixels(path: Path, background, shown: int) -> None:
    image = np.dstack([noise(9, 9, 3), np.full((9, 9), 255, np.uint8)])
    image[:3, :, 3] = 0
    Image.fromarray(image).save(path)
    read = read_example(path, background)
    assert (read[:3] == shown).all()
    assert (read[3:] == image[3:, :, :3]).all()


@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_a_colour_that_stands_for_transparent_shows_the_background(path: Path, mode: str) -> None:
    pixels = np.full((8, 8, 3), 40, np.uint8)
    pixels[:4] = 90
    image = Image.fromarray(pixels)
    if mode == "P":
        image = image.quantize(2)
    image.save(path, transparency=image.getpixel((0, 0)))
    read = read_example(path, "white")
    assert (read[:4] == 255).all()
    assert (read[4:] == 40).all()


def test_an_image_of_16_bits_is_refused(path: Path) -> None:
    Image.fromarray(noise(9, 9).astype(np.uint16) * 200).save(path)
    with pytest.raises(BadImageError, match="8 bits"):
        read_example(path)


def png(image: Images) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds next to nothing."""
    chunks = b""
    for kind, data in (
        (b"IHDR", width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\0\0\0"),
        (b"IDAT", zlib.compress(b"\0" * 100)),
        (b"IEND", b""),
    ):
        chunks += len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"this is a text\n", "no image"),
        (png(noise(9, 9, 3))[:150], "damaged"),
        (png(noise(9, 9, 3))[:20], "damaged|no image"),
        (png(noise(9, 12, 3)), "not square (12 x 9 pixels)"),
        (png(np.zeros((2000, 2000, 3), np.uint8)), "too large"),
        (png_header(11_000, 11_000), "too large"),
        (png_header(60_000, 60_000), "too large"),
    ],
    ids=["empty", "text", "truncated", "header cut", "not square", "huge", "giant", "bomb"],
)
def test_what_cannot_be_used_is_told_why(path: Path, content: bytes, said: str) -> None:
    path.write_bytes(content)
    with pytest.raises(BadImageError) as raised:
        read_example(path)
    assert any(part in str(raised.value) for part in said.split("|"))


def test_a_missing_file_is_told(path: Path) -> None:
    with pytest.raises(BadImageError, match="No such file"):
        read_example(path)


@given(st.data())
def test_no_damage_gives_anything_but_pixels_or_the_reason(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    content = bytearray(png(noise(9, 9, 3)))
    start = data.draw(st.integers(0, len(content) - 1))
    patch = data.draw(st.binary(max_size=8))
    path.write_bytes(content[:start] + patch + content[start + len(patch) :] if patch else content[:start])
    try:
        image = read_example(path)
    except BadImageError as error:
        assert str(error)
    else:
        assert image.ndim == 3
        assert image.shape[0] == image.shape[1]
        assert image.shape[2] == 3


# --- the background of a training set ---------------------------------------------------------------------------


def test_the_background_is_told_by_the_outermost_pixels() -> None:
    on_black = list(blobs(3, 20))
    on_white = list(prepare(blobs(3, 20), Preparation(20, "white")))
    assert detect_background(on_black) == "black"
    assert detect_background(on_white) == "white"
    assert detect_background([*on_white, on_black[0]]) == "white"
    assert detect_background([*on_black, on_white[0]]) == "black"


def test_animals_that_touch_the_edge_do_not_confuse_it() -> None:
    dark = np.full((20, 20, 3), 255, np.uint8)
    dark[4:17] = 3
    assert detect_background([dark]) == "white"


def test_where_nothing_tells_the_background_it_is_white() -> None:
    assert detect_background([]) == "white"
    assert detect_background([np.full((9, 9, 3), 128, np.uint8)]) == "white"


def test_an_example_may_have_1024_pixels_a_side(path: Path) -> None:
    for side in (1024, 1025):
        path.write_bytes(png(np.zeros((side, side, 3), np.uint8)))
        if side == 1024:
            assert read_example(path).shape == (1024, 1024, 3)
        else:
            with pytest.raises(BadImageError, match=r"too large for a blob image \(1025 x 1025 pixels\)"):
                read_example(path)


@pytest.mark.parametrize(
    ("kind", "mode", "tolerance"),
    [("JPEG", "RGB", 40), ("TIFF", "RGB", 0), ("BMP", "RGB", 0), ("TIFF", "CMYK", 3), ("PNG", "L", 0)],
)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_jpeg_tiff_and_bmp_are_read_whatever_their_names_end_in(
    tmp_path: Path, kind: str, mode: str, tolerance: int, suffix: str
) -> None:
    pixels = np.repeat(noise(9, 9, 1), 3, axis=2) if mode == "L" else np.full((9, 9, 3), (200, 60, 30), np.uint8)
    Image.fromarray(pixels).convert(mode).save(tmp_path / f"x{suffix}", kind)
    read = read_example(tmp_path / f"x{suffix}")
    assert read.shape == (9, 9, 3)
    assert np.abs(read.astype(int) - pixels).max() <= tolerance


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PPM", "DDS", "TGA", "ICO", "PDF", "PCX"])
def test_an_image_of_another_format_is_named_as_such(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.png"
    try:
        Image.fromarray(noise(9, 9, 3)).save(path, kind)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow does not write {kind}")
    with pytest.raises(BadImageError, match=r"no image of the formats that are read \(PNG, JPEG, TIFF, BMP\)"):
        read_example(path)


def test_a_picture_of_a_kind_that_pillow_itself_stumbles_over_is_told(path: Path) -> None:
    """A DDS of zeros with the ending of a PNG, over which Pillow raises what nobody expects."""
    path.write_bytes(b"DDS |\0\0\0" + b"\x0f\x10\0\0" + b"0\0\0\0" + bytes(112))
    with pytest.raises(BadImageError, match="no image of the formats"):
        read_example(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "endless.png").symlink_to("/dev/zero")
    for name, said in (("x.png", "a named pipe"), ("folder.png", "a folder"), ("endless.png", "a device")):
        with pytest.raises(BadImageError, match=said):
            read_example(tmp_path / name)


def test_a_file_too_large_for_an_example_is_not_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(BadImageError, match="too large"):
        read_example(path)


def test_in_antrax_s_way_pixels_with_255_in_any_channel_become_black_on_black_ground() -> None:
    images = np.array([[[[255, 3, 4], [255, 255, 255]], [[254, 254, 254], [0, 255, 0]]]], np.uint8)
    prepared = prepare(images, Preparation(2, "black", antrax=True))
    assert prepared.tolist() == [[[[0, 0, 0], [0, 0, 0]], [[254, 254, 254], [0, 0, 0]]]]


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
def test_a_file_of_several_images_is_told_and_not_read_as_its_first(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.tif"
    first, *rest = (Image.fromarray(np.full((9, 9, 3), value, np.uint8)) for value in (10, 90, 200))
    first.save(path, kind, save_all=True, append_images=rest)
    with pytest.raises(BadImageError, match="holds 3 images; save each in a file of its own"):
        read_example(path)
