"""Tracklets by one image each, so that many can be judged at a glance.

A tracklet's best image is the one that shows the assigned ID best, where there is one; otherwise the sharpest of a few
that are spread over it. Sharpness is the variance of the image's Laplacian (Pech-Pacheco et al., 2000, Proc. ICPR 3:
314-317).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antrax.io.sources import TrackletImages

# Images of a tracklet without a classification that are compared.
_COMPARED = 7


@dataclass(frozen=True)
class Tile:
    """A tracklet, and the image that stands for it.

    Parameters
    ----------
    tracklet : str
    image : int
        Index of the image, from 0.
    images : int
        Number of images of the tracklet.
    pixels : NDArray[np.uint8]
        The image, shape (S, S, 3), rgb, background 0.
    """

    tracklet: str
    image: int
    images: int
    pixels: NDArray[np.uint8]


def make_tile(stack: TrackletImages, tracklet: str, best_frame: int | None = None) -> Tile:
    """Choose the image that stands for a tracklet.

    Parameters
    ----------
    stack : TrackletImages
        An open stack that has the tracklet.
    tracklet : str
    best_frame : int, optional
        The image that shows the assigned ID best, from 1; 0 or None where there is none.

    Raises
    ------
    StackError
        The images are damaged.
    """
    count = stack.count(tracklet)
    is_known = best_frame is not None and 0 < best_frame <= count
    candidates = [best_frame - 1] if best_frame and is_known else spread_images(count, _COMPARED)
    images = read_images(stack, tracklet, candidates)
    best = max(range(len(candidates)), key=lambda place: sharpness(images[place]))
    return Tile(tracklet, candidates[best], count, images[best])


def spread_images(count: int, most: int, also: int | None = None) -> list[int]:
    """Indices of at most `most` images, spread evenly over `count`; all of them where there are no more.

    Parameters
    ----------
    count : int
        Number of images of a tracklet.
    most : int
        How many are wanted, at least 1.
    also : int, optional
        An image that is among them in any case, in place of the nearest one.

    Examples
    --------
    >>> spread_images(100, 4)
    [12, 37, 62, 87]
    >>> spread_images(100, 4, also=40)
    [12, 40, 62, 87]
    >>> spread_images(3, 4)
    [0, 1, 2]
    """
    wanted = min(count, most)
    # the middles of as many equal parts: an animal that is just leaving a contact is seen least well
    chosen = [int((2 * part + 1) * count // (2 * wanted)) for part in range(wanted)]
    if also is not None and also not in chosen and chosen:
        nearest = min(range(len(chosen)), key=lambda place: abs(chosen[place] - also))
        chosen[nearest] = also
    return sorted(chosen)


def read_images(stack: TrackletImages, tracklet: str, images: list[int]) -> NDArray[np.uint8]:
    """Some images of a tracklet, shape (len(images), S, S, 3); no more of a long one is read than is asked for.

    Parameters
    ----------
    stack : TrackletImages
        An open stack that has the tracklet.
    tracklet : str
    images : list of int
        Their indices, from 0.

    Raises
    ------
    StackError
        The images are damaged.
    """
    if len(images) == stack.count(tracklet):
        return stack.read(tracklet)[images]
    return np.concatenate([stack.read(tracklet, image, image + 1) for image in images])


def sharpness(image: NDArray[np.uint8]) -> float:
    """Sharpness of an image: the variance of its Laplacian inside the animal.

    Parameters
    ----------
    image : NDArray[np.uint8]
        Shape (S, S, 3), background 0.
    """
    grey = image.mean(-1)
    opaque: NDArray[np.bool_] = np.max(image, axis=-1) > 0
    inside = opaque[1:-1, 1:-1].copy()
    # the outline is as sharp as the tracker cut it, whatever the animal looks like
    for shift in ((0, 1), (2, 1), (1, 0), (1, 2)):
        rows, columns = shift
        inside &= opaque[rows : rows + inside.shape[0], columns : columns + inside.shape[1]]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(laplacian[inside].var()) if inside.any() else 0.0
