"""Preprocessing of blob images for networks, and reading of example images."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from antrax import resizing
from antrax.io.regular_files import read_regular

Background = Literal["white", "black"]
# Formats that examples are read in, by Pillow's names, and the usual endings of their files.
EXAMPLE_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
EXAMPLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
# A blob image has some kB; uncompressed and of the largest size that is accepted, 4 MB.
_LARGEST_EXAMPLE = 16 * 2**20
# Weights of red, green and blue in Pillow's conversion to grey, in 1/65536.
GREY = (19595, 38470, 7471)
# Pillow warns of damaged metadata; whether the image itself can be read is reported as an error anyway. The filter is
# global because examples are read in several threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
# Images that are resized at a time: few enough to stay in the processor's fastest cache.
_AT_ONCE = 8


@dataclass(frozen=True)
class Preparation:
    """Preprocessing that a network expects.

    Parameters
    ----------
    size : int
        Side length, in pixels.
    background : {"white", "black"}
        With ``white``, pixels that are 0 in all channels become 255. With ``black``, for light animals on dark
        ground, they stay.
    antrax : bool
        As anTraX did it, which is how the networks that it trained know animals: with ``black``, pixels that are 255
        in any channel become 0 in all; larger images are cut to their centre; Pillow resizes (bicubic).
    crop_size : int or None
        Side length of the centre that larger images are cut to before they are resized.
    scale : float
        Only with `antrax`: images are resized to so many times `size`, of which the centre is taken; at least 1.
    """

    size: int
    background: Background
    antrax: bool = False
    crop_size: int | None = None
    scale: float = 1


class BadImageError(Exception):
    """An example file that cannot be used; the message says why, the caller names the file."""


def prepare(images: NDArray[np.uint8], preparation: Preparation) -> NDArray[np.uint8]:
    """Preprocess images for a network: set the background and resize.

    The only preprocessing there is; training and classification both use it.

    Parameters
    ----------
    images : NDArray[np.uint8]
        Shape (N, H, W, 3), rgb. The background is 0 (from stacks) or already set (from examples).
    preparation : Preparation

    Returns
    -------
    NDArray[np.uint8]
        Shape (N, size, size, 3).
    """
    size, background = preparation.size, preparation.background
    if background == "white" and len(images):
        empty = (images[..., 0] | images[..., 1] | images[..., 2]) == 0
        # All ones where empty, zeros elsewhere. Unlike `where`, this keeps the order in which stacks hold pixels.
        images = images | -empty.view(np.uint8)[..., None]
    if (crop := preparation.crop_size) and images.shape[1] > crop:
        images = _centre(images, (images.shape[1] - crop) // 2, crop)
    if preparation.antrax:
        return _as_antrax_did(images, preparation)
    if images.shape[1:3] == (size, size):
        return images
    planes = _planes(images)
    if planes is not None and images.shape[1] > size and (images.shape[1] % size == 0 or resizing.is_fast(len(images))):
        return resizing.by_area(planes, size).transpose(0, 3, 2, 1)
    import cv2

    resized = np.empty((len(images), size, size, 3), np.uint8)
    for source, target in zip(np.ascontiguousarray(images), resized, strict=True):
        # averages over all pixels when it shrinks, so thin legs do not flicker; ten times as fast as Pillow
        cv2.resize(source, (size, size), target, interpolation=cv2.INTER_AREA)
    return resized


def _planes(images: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Images as stacks hold them (channel, column, row), where they lie so in memory."""
    planes = images.transpose(0, 3, 2, 1)
    return np.ascontiguousarray(planes) if planes.strides[-1] == 1 else None


def _as_antrax_did(images: NDArray[np.uint8], preparation: Preparation) -> NDArray[np.uint8]:
    """Preprocess images as anTraX did, apart from the white background, which is set already."""
    size, scale = preparation.size, preparation.scale
    if preparation.background == "black" and len(images):
        images = np.where((images == 255).any(-1, keepdims=True), np.uint8(0), images)
    if images.shape[1:3] == (size, size) and scale == 1:
        return images
    large = int(size * scale)
    planes = _planes(images)
    if planes is not None and resizing.is_fast(len(images)):
        return _centre(resizing.bicubic(planes, large).transpose(0, 3, 2, 1), int((large - size) / 2), size)
    centres = np.empty((len(images), size, size, 3), np.uint8)
    for start in range(0, len(images), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        centres[some] = _centre(_resize_as_pillow(images[some], large), int((large - size) / 2), size)
    return centres


def _resize_as_pillow(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize images with Pillow's bicubic filter, all in one call, which is faster.

    Pillow resizes lines and then columns, each by itself: so first the lines of all images, which lie on one another,
    and then all columns, side by side.
    """
    count, rows, columns, _ = images.shape
    stacked = np.empty(images.shape, np.uint8)
    for place, image in zip(stacked, images, strict=True):  # one by one, which is faster where axes are reordered
        place[:] = image
    tall = Image.fromarray(stacked.reshape(-1, columns, 3))
    lines = np.asarray(tall.resize((side, tall.height), Image.Resampling.BICUBIC)).reshape(count, rows, side, 3)
    wide = Image.fromarray(np.ascontiguousarray(lines.transpose(1, 0, 2, 3)).reshape(rows, -1, 3))
    resized = np.asarray(wide.resize((wide.width, side), Image.Resampling.BICUBIC))
    return resized.reshape(side, count, side, 3).transpose(1, 0, 2, 3)


def _centre(images: NDArray[np.uint8], start: int, size: int) -> NDArray[np.uint8]:
    return images[:, start : start + size, start : start + size]


def read_example(path: Path, background: Background | None = None) -> NDArray[np.uint8]:
    """Read one example image; see `decode_example`.

    Raises
    ------
    BadImageError
        The file cannot be read, or holds no usable image.
    """
    return decode_example(example_content(path), background)


def example_content(path: Path) -> bytes:
    """Content of an example's file, read as one consistent version.

    Raises
    ------
    BadImageError
        It is empty, too large, no regular file, or cannot be read.
    """
    try:
        # read at once: Pillow reads in bits, each of which costs as much on a network drive
        content = read_regular(path, _LARGEST_EXAMPLE)
    except OSError as error:
        raise BadImageError(f"cannot be read: {error.strerror or error}") from None
    if not content:
        raise BadImageError("empty")
    return content


def decode_example(content: bytes, background: Background | None = None) -> NDArray[np.uint8]:
    """Decode the image in the content of an example's file.

    Parameters
    ----------
    content : bytes
        Of a PNG, JPEG, TIFF or BMP: RGB, grey, palette, with or without transparency.
    background : {"white", "black"}, optional
        What shows through transparent pixels; white by default.

    Returns
    -------
    NDArray[np.uint8]
        Shape (S, S, 3), rgb.

    Raises
    ------
    BadImageError
        It is damaged, no such image, or not square.
    """
    try:
        # only common formats: Pillow has about eighty decoders, each of which could be attacked by a crafted file
        with Image.open(io.BytesIO(content), formats=EXAMPLE_FORMATS) as image:
            if image.width != image.height:
                raise BadImageError(f"not square ({image.width} x {image.height} pixels)")
            if image.width > 1024:
                raise BadImageError(f"far too large for a blob image ({image.width} x {image.height} pixels)")
            if (count := getattr(image, "n_frames", 1)) > 1:
                raise BadImageError(f"holds {count} images; save each in a file of its own")
            if image.mode == "RGB" and "transparency" not in image.info:
                return np.asarray(image)
            if image.mode.startswith(("I", "F")):
                raise BadImageError(f"{image.mode}: only images of 8 bits a channel can be used")
            layer = (image.convert("RGB") if image.mode in ("CMYK", "YCbCr", "LAB", "HSV") else image).convert("RGBA")
            ground = Image.new("RGBA", layer.size, background or "white")
            return np.asarray(Image.alpha_composite(ground, layer).convert("RGB"))
    except BadImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImageError("far too large for a blob image") from None
    except UnidentifiedImageError:
        raise BadImageError(f"no image of the formats that are read ({', '.join(EXAMPLE_FORMATS)})") from None
    except Exception as error:  # Pillow's decoders may raise any exception for a damaged file
        raise BadImageError(f"damaged ({str(error) or type(error).__name__})") from None


def detect_background(images: list[NDArray[np.uint8]]) -> Background:
    """Detect whether examples have a white or a black background, from their outermost pixels.

    Parameters
    ----------
    images : list of NDArray[np.uint8]
        Some examples, each of shape (S, S, 3).
    """
    edges = [np.concatenate([image[[0, -1]].reshape(-1, 3), image[:, [0, -1]].reshape(-1, 3)]) for image in images]
    pixels = np.concatenate(edges) if edges else np.full((1, 3), 255, np.uint8)
    return "black" if (pixels == 0).all(-1).sum() > (pixels == 255).all(-1).sum() else "white"
