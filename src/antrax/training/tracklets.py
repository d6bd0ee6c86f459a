"""Grouping of examples by tracklet, whatever their files are called.

A network is measured on tracklets that it has not seen, so the images of one tracklet must not lie on both sides. File
names tell tracklets, but people copy, rename and collect files. Two things are told apart:

- a *unit* is what counts as one tracklet: images whose names tell the same one and that have a label in common or share
  pixels, and images that tell none and look like one that is told;
- a *side group* is what must be held out together: units that share pixels, hold images that look the same, or have the
  same name in different experiments. To join too many units costs next to nothing, to join too few makes figures lie.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antrax.io.examples import ExampleFile
from antrax.io.names import parse_example_name

# Images whose means of 8 x 8 pieces differ by less than this (root mean square, in grey levels) look the same. On the
# JS16 set (fold 0), 99 % of copies of another size differ by less than 0.5, of JPEG copies of quality 90 by less than
# 1.2 and of quality 75 by less than 1.9; the most alike images of other tracklets differ by more than 2.8 and those of
# other labels by more than 3.5 (99 %). `benchmarks/fitted_constants.py copies` prints these again.
SAME_LOOK = 1.5
_CELLS = 8
# Comparing is quadratic: of more images, so many, evenly spread, are compared. Exact copies are always found.
_MOST_COMPARED = 40_000
_ROWS = 256
# By so many of its images, those with the smallest digests, a tracklet is known again under any name.
REMEMBERED_IMAGES = 16


@dataclass(frozen=True)
class Origin:
    """Origin of a unit.

    Parameters
    ----------
    experiment, tracklet : str
        As the best of its files' names tells them; a unit that has no such name is called like its first file.
    named : bool
        Whether any name tells the tracklet.
    tracklets : tuple of str
        All tracklets that names tell, sorted; one unless experiments are mixed up.
    experiments : tuple of str
        All experiments that names tell, sorted.
    old_keys : tuple of (str, str)
        Experiment and tracklet of each file as the first version of this software told them.
    pixels : tuple of bytes
        The smallest digests of its images.
    side : int
        Units with the same number are held out together.
    """

    experiment: str
    tracklet: str
    named: bool = True
    tracklets: tuple[str, ...] = ()
    experiments: tuple[str, ...] = ()
    old_keys: tuple[tuple[str, str], ...] = ()
    pixels: tuple[bytes, ...] = ()
    side: int = 0

    @classmethod
    def of_name(cls, experiment: str, tracklet: str, side: int) -> Origin:
        """A unit of which nothing but one name is known.

        Parameters
        ----------
        experiment : str
            Name of the experiment; may be empty.
        tracklet : str
            Name of the tracklet.
        side : int
            Number that is the same for all that must be held out together.
        """
        experiments = (experiment,) if experiment else ()
        return cls(experiment, tracklet, True, (tracklet,), experiments, ((experiment, tracklet),), (), side)


def find_units(
    kept: Sequence[ExampleFile],
    copies: Sequence[Sequence[ExampleFile]],
    others: Iterable[ExampleFile],
    digests: Sequence[bytes],
    images: NDArray[np.uint8],
) -> tuple[tuple[Origin, ...], NDArray[np.int64]]:
    """Which unit each image belongs to.

    Parameters
    ----------
    kept : sequence of ExampleFile
        Of each image, the file that is used.
    copies : sequence of sequence of ExampleFile
        Of each image, all files with its pixels.
    others : iterable of ExampleFile
        Files that were not read.
    digests : sequence of bytes
        Of each image.
    images : NDArray[np.uint8]
        Shape (N, S, S, 3).

    Returns
    -------
    (tuple of Origin, NDArray[np.int64])
        The units, sorted by tracklet and experiment, and for each image its place among them, shape (N,).
    """
    node_of, tracklet_of, links = _nodes(kept, copies)
    pairs = similar_pairs(images, node_of, np.array([not file.named for file in kept], bool))
    unit_of_node = _units(pairs, node_of, tracklet_of, links)
    _, unit_of = np.unique(unit_of_node[node_of], return_inverse=True)
    # which units must be held out together: those with links, with images alike, and of the same name
    first = dict(zip(reversed(tracklet_of), range(len(tracklet_of) - 1, -1, -1), strict=True))
    names = [(node, first[name]) for node, name in enumerate(tracklet_of) if name]
    alike = np.unique(node_of[pairs], axis=0)
    _, head, inverse = np.unique(unit_of_node, return_index=True, return_inverse=True)
    within = np.stack([np.arange(len(unit_of_node)), head[inverse]], 1)
    side_of_node = _components(len(tracklet_of), _edges(links), _edges(names), alike, within)

    files_of: dict[int, list[ExampleFile]] = defaultdict(list)
    pixels_of: dict[int, list[bytes]] = defaultdict(list)
    side_of: dict[int, int] = {}
    unit_of_key: dict[tuple[str, str], int] = {}
    for unit, node, same, digest in zip(unit_of.tolist(), node_of.tolist(), copies, digests, strict=True):
        files_of[unit] += same
        pixels_of[unit].append(digest)
        side_of[unit] = int(side_of_node[node])
        unit_of_key |= {(file.experiment, file.tracklet): unit for file in same}
    old_keys = {unit: {_old_key(file) for file in files} for unit, files in files_of.items()}
    for file in others:
        if (unit := unit_of_key.get((file.experiment, file.tracklet), -1)) >= 0:
            old_keys[unit].add(_old_key(file))
    origins = [
        _origin(files_of[unit], pixels_of[unit], tuple(sorted(old_keys[unit])), side_of[unit])
        for unit in range(len(files_of))
    ]
    order = sorted(range(len(origins)), key=lambda unit: (origins[unit].tracklet, origins[unit].experiment, unit))
    return tuple(origins[unit] for unit in order), np.argsort(order)[unit_of].astype(np.int64)


def _nodes(
    kept: Sequence[ExampleFile], copies: Sequence[Sequence[ExampleFile]]
) -> tuple[NDArray[np.int64], list[str], list[tuple[int, int]]]:
    """A node for each experiment and tracklet that a name tells, and for each image whose names tell none.

    Returns
    -------
    (NDArray[np.int64], list of str, list of (int, int))
        The node of each image; the tracklet of each node, empty where no name tells it; nodes that share pixels.
    """
    number: dict[tuple[str, str], int] = {}
    tracklet_of: list[str] = []
    links: list[tuple[int, int]] = []

    def node(file: ExampleFile) -> int:
        key = (file.experiment, file.tracklet)
        if not file.named or key not in number:
            number[key] = len(tracklet_of)
            tracklet_of.append(file.tracklet if file.named else "")
        return number[key]

    node_of = [node(file) for file in kept]
    for here, same in zip(node_of, copies, strict=True):
        links += [(here, node(file)) for file in same if file.named]
    # Tracklets of one name in different experiments are rare, and of one label even rarer; an experiment's folder that
    # was renamed between two exports is not.
    first: dict[tuple[str, ...], int] = {}
    for here, file in zip(node_of, kept, strict=True):
        if file.named:
            links.append((here, first.setdefault((file.tracklet, file.label), here)))
            # where a program took out the dot before the frame, the name's last number is another for each image
            links.append((here, first.setdefault((_start(file.tracklet), "", file.experiment), here)))
    return np.array(node_of, np.int64), tracklet_of, links


def _units(
    pairs: NDArray[np.int64], node_of: NDArray[np.int64], tracklet_of: Sequence[str], links: list[tuple[int, int]]
) -> NDArray[np.int64]:
    """The unit of each node."""
    code = {name: index for index, name in enumerate(dict.fromkeys(tracklet_of))}
    names = np.array([code[name] if name else -1 for name in tracklet_of], np.int64)
    ends = node_of[pairs]
    told = names[ends] >= 0
    same = ends[told.all(1) & (names[ends[:, 0]] == names[ends[:, 1]])]
    # an image without a name belongs to the tracklet of the most alike image that has one, and joins no two of them
    half = ends[told[:, 0] ^ told[:, 1]]
    nameless = np.where(names[half[:, 0]] < 0, half[:, 0], half[:, 1])
    _, nearest = np.unique(nameless, return_index=True)
    at_home = np.isin(ends, nameless)
    among = ends[~told.any(1) & ~at_home.any(1)]
    starts = [_start(name) for name in tracklet_of]
    named_links = [(one, other) for one, other in links if starts[one] == starts[other]]
    return _components(len(tracklet_of), _edges(named_links), same, half[nearest], among)


def _start(tracklet: str) -> str:
    """A tracklet's name without its last frame: no other one of the experiment has the same id and first frame."""
    return tracklet.rpartition("_")[0]


def _edges(pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array(pairs, np.int64).reshape(-1, 2)


def _components(nodes: int, *edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of the connected component of each node."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    one, other = np.concatenate(edges).T
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(nodes, nodes))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _old_key(file: ExampleFile) -> tuple[str, str]:
    parsed = parse_example_name(file.path.stem) if file.path.suffix.lower() == ".png" else None
    return (parsed[0], parsed[1]) if parsed else ("", file.path.stem)


def _origin(
    files: Sequence[ExampleFile], pixels: Sequence[bytes], old_keys: tuple[tuple[str, str], ...], side: int
) -> Origin:
    named = [file for file in files if file.named]
    best = min(
        named or files,
        key=lambda file: (not file.named_as_written, not file.experiment, file.experiment, file.tracklet),
    )
    return Origin(
        best.experiment if named else "",
        best.tracklet,
        bool(named),
        tuple(sorted({file.tracklet for file in named})),
        tuple(sorted({file.experiment for file in named if file.experiment})),
        old_keys,
        tuple(sorted(pixels)[:REMEMBERED_IMAGES]),
        side,
    )


def similar_pairs(
    images: NDArray[np.uint8], group_of: NDArray[np.int64], always: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Pairs of images that look the same and are of different groups.

    Parameters
    ----------
    images : NDArray[np.uint8]
        Shape (N, S, S, 3), prepared alike.
    group_of : NDArray[np.int64]
        Shape (N,); images of one group are known to belong together.
    always : NDArray[np.bool_]
        Images to compare in any case where there are too many to compare all, shape (N,).

    Returns
    -------
    NDArray[np.int64]
        Shape (pairs, 2), the more alike first.
    """
    chosen = _compared(len(images), always)
    cells = thumbnails(images[chosen] if len(chosen) < len(images) else images)
    # Means of larger pieces differ by less: what differs in these by more need not be looked at closely.
    coarse = cells.reshape(len(cells), 4, 2, 4, 2, 3).mean((2, 4)).reshape(len(cells), -1)
    fine = cells.reshape(len(cells), -1)
    group = group_of[chosen]
    # |a - b|² = |a|² + |b|² - 2ab, as one product; half a unit more for what rounding loses
    squares, ones = np.square(coarse).sum(1, keepdims=True), np.ones((len(coarse), 1), np.float32)
    left, right = np.hstack([-2 * coarse, squares, ones]), np.hstack([coarse, ones, squares]).T
    limit = SAME_LOOK**2 * coarse.shape[1] + 0.5
    found, distances = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.float32)]
    for start in range(0, len(coarse), _ROWS):
        one, other = np.nonzero(left[start : start + _ROWS] @ right[:, start:] < limit)
        # each pair once
        new = (one < other) & (group[one + start] != group[other + start])
        one, other = one[new] + start, other[new] + start
        difference = np.sqrt(np.square(fine[one] - fine[other]).mean(1))
        same = difference < SAME_LOOK
        found.append(np.stack([chosen[one[same]], chosen[other[same]]], 1))
        distances.append(difference[same])
    order = np.argsort(np.concatenate(distances), kind="stable")
    return np.concatenate(found)[order]


def _compared(count: int, always: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The images to compare, sorted."""
    if count <= _MOST_COMPARED:
        return np.arange(count)
    first, rest = np.flatnonzero(always), np.flatnonzero(~always)
    first = first[np.linspace(0, len(first) - 1, min(len(first), _MOST_COMPARED // 2)).astype(int)]
    rest = rest[np.linspace(0, len(rest) - 1, min(len(rest), _MOST_COMPARED - len(first))).astype(int)]
    return np.sort(np.concatenate([first, rest]))


def thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Means of 8 x 8 pieces of each image, shape (N, 8, 8, 3), about their common mean."""
    import cv2

    cells = np.empty((len(images), _CELLS, _CELLS, 3), np.float32)
    for image, target in zip(images, cells, strict=True):
        target[:] = cv2.resize(np.ascontiguousarray(image), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    # squares of small numbers lose less to rounding
    return cells - cells.mean((0, 1, 2), keepdims=True) if len(cells) else cells
