"""Changes of the training set: input, result, and the data for undoing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antrax.io.names import TrackletName


@dataclass(frozen=True)
class Chosen:
    """Images of a tracklet that are to become examples.

    Parameters
    ----------
    tracklet : TrackletName
    images : NDArray[np.uint8]
        These images only, as a stack gives them, shape (N, S, S, 3), background 0.
    frames : sequence of int
        Their indices among all images of the tracklet, from 0; shape (N,).
    count : int
        Number of all images of the tracklet.
    """

    tracklet: TrackletName
    images: NDArray[np.uint8]
    frames: Sequence[int]
    count: int


@dataclass(frozen=True)
class Outcome:
    """What a change did.

    Parameters
    ----------
    message : str
        That in one sentence.
    label : str
        The label that images were exported or moved to; of a trashing, the one they were taken from.
    added : int
        Images that were written.
    present : int
        Images that were under the label already.
    moved : int
        Images that were under another label and are under this one now.
    removed : int
        Files that were put into the trash; in an undo, also files that were deleted again.
    folder : Path or None
        Where the images are now.
    tracklet : str or None
        The tracklet that was exported.
    files : tuple of str
        Names of the files that were written or moved, in `folder`.
    """

    message: str
    label: str
    added: int = 0
    present: int = 0
    moved: int = 0
    removed: int = 0
    folder: Path | None = None
    tracklet: str | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """What undoing needs: files and digests of their content, by which it is seen whether they are still the same."""

    label: str
    tracklet: str | None
    written: tuple[tuple[Path, bytes | None], ...]
    moved: tuple[tuple[Path, Path, bytes | None], ...]
    # all files of these tracklets after the change: an image that lies elsewhere too was exported anew since
    known: frozenset[Path]
