"""Moving, blurring and relighting of training images in one pass, compiled: what `augmentation` does in a dozen passes.

On processors these passes took a quarter of a training step. Only the part of each image that shows an animal is
computed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antrax.machine_code import compiled


def is_compiled() -> bool:
    """Whether functions can be compiled here; without that, `vary` would take minutes for a batch."""
    return compiled(_vary) is not _vary


def vary(
    images: NDArray[np.float32],
    matrices: NDArray[np.float32],
    softness: NDArray[np.float32],
    light: NDArray[np.float32],
    ground: float,
) -> NDArray[np.float32]:
    """Move, blur and relight images.

    Parameters
    ----------
    images : NDArray[np.float32]
        0 to 1, shape (N, 3, S, S).
    matrices : NDArray[np.float32]
        From places in the result to places in the image, as `torch.nn.functional.affine_grid` takes them; shape
        (N, 2, 3).
    softness : NDArray[np.float32]
        How much of its blurred self is mixed into each image, from 0 to 1; shape (N,).
    light : NDArray[np.float32]
        Factors of the channels, shape (N, 3).
    ground : float
        Of the background, which stays as it is.

    Returns
    -------
    NDArray[np.float32]
        0 to 1, shape (N, S, S, 3).
    """
    count, _, size, _ = images.shape
    varied = np.empty((count, size, size, 3), np.float32)
    compiled(_vary)(images, matrices, softness, light, np.float32(ground), varied)
    return varied


def _vary(
    images: NDArray[np.float32],
    matrices: NDArray[np.float32],
    softness: NDArray[np.float32],
    light: NDArray[np.float32],
    ground: np.float32,
    varied: NDArray[np.float32],
) -> None:
    """Fill `varied`."""
    count, _, size, _ = images.shape
    # room for an image, with a pixel of ground around it
    padded = np.zeros((size + 2, size + 2, 4), np.float32)
    moved = np.zeros((size + 2, size + 2, 4), np.float32)
    half, zero, one, third = np.float32(size / 2), np.float32(0), np.float32(1), np.float32(1 / 3)
    for number in range(count):
        image, out = images[number], varied[number]
        # what differs from the ground, and between which rows and columns it lies
        top, bottom, left, right = size, -1, size, -1
        for row in range(size):
            first, last = size, -1
            for column in range(size):
                r, g, b = image[0, row, column], image[1, row, column], image[2, row, column]
                if r != ground or g != ground or b != ground:
                    first = min(first, column)
                    last = column
                padded[row + 1, column + 1, 0] = r - ground
                padded[row + 1, column + 1, 1] = g - ground
                padded[row + 1, column + 1, 2] = b - ground
            if last >= 0:
                top, bottom = min(top, row), row
                left, right = min(left, first), max(right, last)
        out[:] = ground
        if bottom < 0:
            continue
        soft = softness[number]
        if soft > zero:
            moved[:] = zero
        xx, xy, yx, yy = (
            matrices[number, 0, 0], matrices[number, 0, 1], matrices[number, 1, 0], matrices[number, 1, 1]
        )  # fmt: skip
        shift_x, shift_y = matrices[number, 0, 2] * half, matrices[number, 1, 2] * half
        middle = half - np.float32(0.5)
        bright_r, bright_g, bright_b = light[number, 0], light[number, 1], light[number, 2]
        for row in range(size):
            down = np.float32(row) - middle
            from_x, from_y = xy * down + shift_x + middle, yy * down + shift_y + middle
            for column in range(size):
                across = np.float32(column) - middle
                x, y = xx * across + from_x, yx * across + from_y
                if x <= left - 1 or x >= right + 1 or y <= top - 1 or y >= bottom + 1:
                    continue
                # from 0 on, so that whole numbers are what is cut down to
                at_x, at_y = np.int64(x + one), np.int64(y + one)
                part_x, part_y = x + one - np.float32(at_x), y + one - np.float32(at_y)
                w00, w01 = (one - part_x) * (one - part_y), part_x * (one - part_y)
                w10, w11 = (one - part_x) * part_y, part_x * part_y
                p00, p01 = padded[at_y, at_x], padded[at_y, at_x + 1]
                p10, p11 = padded[at_y + 1, at_x], padded[at_y + 1, at_x + 1]
                r = p00[0] * w00 + p01[0] * w01 + p10[0] * w10 + p11[0] * w11
                g = p00[1] * w00 + p01[1] * w01 + p10[1] * w10 + p11[1] * w11
                b = p00[2] * w00 + p01[2] * w01 + p10[2] * w10 + p11[2] * w11
                if soft > zero:
                    moved[row + 1, column + 1, 0] = r
                    moved[row + 1, column + 1, 1] = g
                    moved[row + 1, column + 1, 2] = b
                elif r != zero or g != zero or b != zero:
                    out[row, column, 0] = min(max((r + ground) * bright_r, zero), one)
                    out[row, column, 1] = min(max((g + ground) * bright_g, zero), one)
                    out[row, column, 2] = min(max((b + ground) * bright_b, zero), one)
        if soft > zero:
            for row in range(size):
                # sums of three rows, which take the place of the image's own pixels that are not needed any more
                for column in range(size + 2):
                    for channel in range(3):
                        padded[row + 1, column, channel] = (
                            moved[row, column, channel]
                            + moved[row + 1, column, channel]
                            + moved[row + 2, column, channel]
                        ) * third
                for column in range(size):
                    total = zero
                    for channel in range(3):
                        here = moved[row + 1, column + 1, channel]
                        blurred = (
                            padded[row + 1, column, channel]
                            + padded[row + 1, column + 1, channel]
                            + padded[row + 1, column + 2, channel]
                        ) * third
                        mixed = here + soft * (blurred - here)
                        total += mixed
                        out[row, column, channel] = min(max((mixed + ground) * light[number, channel], zero), one)
                    if total == zero:
                        for channel in range(3):
                            out[row, column, channel] = ground
            # the border is ground again, and the next image fills the rest
            padded[:, 0], padded[:, size + 1] = zero, zero
