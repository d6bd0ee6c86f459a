"""Selection of images of a tracklet when not all are classified: `--images-per-tracklet`.

Neighbouring images of a tracklet are nearly alike, so evenly spread ones give nearly the same decision as all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from antrax.errors import OptionError
from antrax.io.results import Decision
from antrax.messages import parameter

ImagesPerTracklet = int | Literal["auto"] | None
"""Most images of a tracklet that are looked at; "auto" for as many as its decision needs; None for all."""

AUTO: Literal["auto"] = "auto"

# `auto` looks at so many at first, and at twice as many each time that the decision is not sure.
FIRST = 8
# A decision is sure where each of so many successive parts of the images gives it by itself.
_PARTS = 4


def check_images_per_tracklet(wanted: ImagesPerTracklet) -> None:
    """Raise OptionError where an option is neither None, "auto" nor a positive number."""
    if wanted is None or wanted == AUTO:
        return
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        raise OptionError(f"{parameter('images_per_tracklet', wanted)}: give a number of images, such as 32, or {AUTO}")


def rounds(count: int, wanted: ImagesPerTracklet) -> list[NDArray[np.intp]]:
    """Images to classify in successive rounds, until the decision is certain.

    Parameters
    ----------
    count : int
        Number of images of the tracklet.
    wanted : int, "auto" or None

    Returns
    -------
    list of NDArray[np.intp]
        The images of each round, 0-based and ascending; none is in two rounds. After each round the images looked at
        are spread evenly over the tracklet.

    Examples
    --------
    >>> [found.tolist() for found in rounds(20, 5)]
    [[0, 4, 8, 12, 16]]
    >>> [len(found) for found in rounds(100, "auto")]
    [8, 8, 16, 32, 36]
    """
    if wanted is None:
        return [np.arange(count)]
    if wanted != AUTO:
        return [_spread(count, wanted)]
    found: list[NDArray[np.intp]] = []
    looked_at = np.zeros(0, np.intp)
    number = FIRST
    while len(looked_at) < count:
        new = np.setdiff1d(_spread(count, number), looked_at)
        found.append(new)
        looked_at = np.union1d(looked_at, new)
        number *= 2
    return found


def _spread(count: int, number: int) -> NDArray[np.intp]:
    """`number` of `count` images at equal distances; those of twice the number hold them."""
    return np.arange(count) if number >= count else np.arange(number) * count // number


def is_sure(probabilities: NDArray[np.floating], decide: Callable[[NDArray[np.floating]], str]) -> bool:
    """Whether more images would hardly change a decision, because each part of those classified gives the same one.

    Parameters
    ----------
    probabilities : NDArray
        Of the images looked at, in their order in time; shape (images, labels).
    decide : callable
        The label for some images' probabilities.
    """
    if len(probabilities) < _PARTS:
        return False
    label = decide(probabilities)
    return all(decide(part) == label for part in np.array_split(probabilities, _PARTS))


def for_all_images(decision: Decision, looked_at: NDArray[np.intp], count: int) -> Decision:
    """Scale a decision that was made from some images to the whole tracklet.

    The score and the number of votes are scaled to all images; the best frame is numbered among all.

    Parameters
    ----------
    decision : Decision
        Made by the images looked at alone.
    looked_at : NDArray[np.intp]
        These images, 0-based.
    count : int
        Number of images of the tracklet.
    """
    if len(looked_at) == count:
        return decision
    scale = count / len(looked_at)
    best = int(looked_at[decision.best_frame - 1]) + 1 if decision.best_frame else 0
    return replace(decision, score=decision.score * scale, votes=round(decision.votes * scale), best_frame=best)
