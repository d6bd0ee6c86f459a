"""Names of tracklets and of the example images made from them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from antrax.io.layout import EXAMPLE_SUFFIX

#: Largest length of a tracklet's name.
LONGEST_NAME = 200
# A longer number is not taken for a frame; Python refuses to convert thousands of digits.
_TRACKLET = re.compile(r"trj_id([0-9]{1,12})_ti([0-9]{1,12})_([0-9]{1,12})_tf([0-9]{1,12})_([0-9]{1,12})")
_EXAMPLE = re.compile(r"(?P<experiment>.+)\.(?P<tracklet>trj_id\d+_ti\d+_\d+_tf\d+_\d+)\.(?P<frame>\d+)")


@dataclass(frozen=True, slots=True)
class TrackletName:
    """The parts of a tracklet's name.

    Parameters
    ----------
    name : str
        The whole name; only this is unique, `id` is reused.
    id : int
    movie : int
        Index of the movie.
    first, last : int
        First and last movie frame (1-based, inclusive).
    """

    name: str
    id: int
    movie: int
    first: int
    last: int

    @property
    def span(self) -> int:
        """Number of movie frames from first to last; the stack may hold fewer images."""
        return self.last - self.first + 1


def parse_tracklet_name(name: str) -> TrackletName | None:
    """The parts of ``trj_id<k>_ti<m>_<f1>_tf<m>_<f2>``, or None for any other name."""
    match = _TRACKLET.fullmatch(name)
    if not match:
        return None
    id_, movie, first, last_movie, last = map(int, match.groups())
    if movie != last_movie or last < first:
        return None
    return TrackletName(name, id_, movie, first, last)


def example_name(experiment: str, tracklet: str, frame: int) -> str:
    """Name of the file that an image is kept in as an example.

    Parameters
    ----------
    experiment : str
        Name of the experiment.
    tracklet : str
        Name of the tracklet.
    frame : int
        Movie frame of the image.
    """
    return f"{experiment}.{tracklet}.{frame}{EXAMPLE_SUFFIX}"


def parse_example_name(stem: str) -> tuple[str, str, str] | None:
    """Experiment, tracklet and frame key of ``<expname>.<tracklet>.<frame>`` (no suffix); None for any other name.

    The experiment's name may contain dots. The frame is an opaque key: older sets number within the tracklet.
    """
    match = _EXAMPLE.fullmatch(stem)
    return (match["experiment"], match["tracklet"], match["frame"]) if match else None
