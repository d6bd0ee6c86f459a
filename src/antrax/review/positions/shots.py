"""Choice of tracklets and images that show an animal around a moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from antrax.errors import AntraxError
from antrax.io.names import parse_tracklet_name
from antrax.io.sources import source_of
from antrax.review.positions.solved import Cell, Solved
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.tiles import spread_images

# Images of the tracklet at the moment itself, within so many frames, and of each other tracklet.
_HERE, _WITHIN, _OTHERS = 11, 60, 6
# Tracklets with images that are shown on either side of it, and how many are looked at for them.
_EACH_SIDE, _LOOKED_AT = 2, 40


@dataclass(frozen=True)
class Shot:
    """Images of one tracklet.

    Parameters
    ----------
    tracklet : str
    relation : {"here", "before", "after", "parent", "child"}
        Of the same animal by the solution; or leading into the tracklet, and out of it, by the graph.
    placed : tuple of str
        IDs placed in it.
    first, last : int
        Absolute frames of the tracklet.
    images, frames : tuple of int
        Indices of the images, from 0, and their absolute frames.
    """

    tracklet: str
    relation: str
    placed: tuple[str, ...]
    first: int
    last: int
    images: tuple[int, ...]
    frames: tuple[int, ...]


def shots_of(solved: Solved, catalog: Catalog, cell: Cell, tracklet: str) -> list[Shot]:
    """The tracklets with images that an animal is in at a moment, before, and after.

    Parameters
    ----------
    solved : Solved
    catalog : Catalog
    cell : Cell
    tracklet : str
        The one at the moment of the cell.
    """
    found = [shot] if tracklet and (shot := _shot(solved, catalog, tracklet, "here", cell.frame)) else []
    place = solved.column(cell)
    if place is None:
        return found
    positions, row, animal = place
    inside = np.where(positions.placed[:, animal], positions.tracklet[:, animal], -1)
    own = np.flatnonzero(positions.tracklets == tracklet)
    own_number = int(own[0]) if len(own) else -2

    def nearest(numbers: Iterable[int], relation: str) -> list[Shot]:
        shots: list[Shot] = []
        names = dict.fromkeys(number for number in numbers if number not in (-1, own_number))
        for number in list(names)[:_LOOKED_AT]:
            if shot := _shot(solved, catalog, str(positions.tracklets[number]), relation):
                shots.append(shot)
            if len(shots) == _EACH_SIDE:
                break
        return shots

    before = nearest(inside[:row][::-1].tolist(), "before")[::-1]
    after = nearest(inside[row + 1 :].tolist(), "after")
    return [*before, *found, *after]


def neighbour_shots(solved: Solved, catalog: Catalog, names: Iterable[str], relation: str) -> list[Shot]:
    """Images of tracklets that the graph tells of.

    Parameters
    ----------
    solved : Solved
    catalog : Catalog
    names : iterable of str
        The tracklets; those without images are left out.
    relation : {"parent", "child"}
        What they are to the tracklet at the moment.
    """
    return [shot for name in names if (shot := _shot(solved, catalog, name, relation))]


def _shot(solved: Solved, catalog: Catalog, name: str, relation: str, at: int | None = None) -> Shot | None:
    """Some images of a tracklet; None where it has none."""
    parsed = parse_tracklet_name(name)
    if parsed is None:
        return None
    first = solved.session.absolute_frame(parsed.movie, parsed.first)
    if first is None:
        return None
    last = first + parsed.last - parsed.first
    try:
        _, path = catalog.find(name)
        with source_of(solved.session).open(path) as stack:
            count = stack.count(name)
    except AntraxError:
        return None
    if not count:
        return None
    step = (parsed.span - 1) / max(1, count - 1)  # 1 where every frame has an image
    if at is None:
        images = spread_images(count, _OTHERS)
    else:
        moment = min(max(round((at - first) / step), 0), count - 1) if step else 0
        low, high = max(0, moment - _WITHIN), min(count - 1, moment + _WITHIN)
        images = [low + image for image in spread_images(high - low + 1, _HERE, also=moment - low)]
    frames = tuple(first + round(image * step) for image in images)
    return Shot(name, relation, solved.placed_in(parsed.movie, name), first, last, tuple(images), frames)
