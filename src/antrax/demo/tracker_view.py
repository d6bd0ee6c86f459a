"""Simulated tracking of a colony: blobs, tracklets, the graph between them, and measurements.

Animals whose bodies touch are one blob. A blob that holds the same animals from one frame to the next is one tracklet;
where blobs merge or split, tracklets end and new ones start, with an edge for each animal that goes on. Tracklets also
end after `MAX_LENGTH` frames and with the movie, as anTraX's do. All of it is computed for all frames at once.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from antrax.demo.motion import HALF_LENGTH, HALF_WIDTH
from antrax.demo.noise import smooth_noise
from antrax.demo.rendering import Floats

#: Frames after which a tracklet is ended (anTraX's `tracking_max_tracklet_length`).
MAX_LENGTH = 600

# Frames without contact that do not part two bodies.
_BRIDGE = 3
_CHUNK = 2_000_000
# Pixels within which a tracker may link a blob to another that is not its own (its radius is twice the greatest speed).
_LINKING_REACH = 3 * HALF_LENGTH
# Parts of the body between which distances are measured: gaster, thorax, head.
_PARTS = np.array([-0.75, 0.0, 0.75]) * HALF_LENGTH


@dataclass(frozen=True)
class Bodies:
    """All objects that may be visible: animals first, then other things.

    Parameters
    ----------
    x, y, heading : (frames, bodies) array of float32
        In pixels and radians.
    seen : (frames, bodies) array of bool
        Whether the tracker detects it.
    area : (bodies,) array
        Its own area, in pixels.
    group : (bodies,) array of int
        Colony; only bodies of one colony can touch.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    heading: NDArray[np.float32]
    seen: NDArray[np.bool_]
    area: Floats
    group: NDArray[np.int64]


@dataclass(frozen=True)
class Tracks:
    """The tracker's result; tracklets are sorted by first frame, last frame and name.

    Parameters
    ----------
    names : (n,) array of str
    movie : (n,) array of int32
    first, last : (n,) array of int64
        Absolute frames (1-based, inclusive).
    group : (n,) array of int64
        Colony of each.
    parent, child : (e,) array of int64
        Edges as rows of tracklets, sorted.
    of_body : (frames, bodies) array of int32
        The tracklet that each body is in; -1 where it is not seen.
    data : (blobs, 17) array of float32
        Measurements, tracklet by tracklet, frame by frame: the columns of `trdata_<m>.mat`.
    offset : (n + 1,) array of int64
        Where each tracklet's rows in `data` start.
    """

    names: NDArray[np.str_]
    movie: NDArray[np.int32]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    group: NDArray[np.int64]
    parent: NDArray[np.int64]
    child: NDArray[np.int64]
    of_body: NDArray[np.int32]
    data: NDArray[np.float32]
    offset: NDArray[np.int64]

    def rows(self, tracklet: int) -> slice:
        """Rows of `data` of a tracklet."""
        return slice(int(self.offset[tracklet]), int(self.offset[tracklet + 1]))


def track(
    bodies: Bodies, movie_frames: int, fps: float, boundary: NDArray[np.bool_] | None, rng: np.random.Generator
) -> Tracks:
    """Track bodies.

    Parameters
    ----------
    bodies : Bodies
    movie_frames : int
        Frames of each movie.
    fps : float
        Frames a second.
    boundary : (frames, bodies) array of bool, optional
        Where a body touches an open boundary.
    rng
        Source of random numbers.
    """
    blob = _blobs(bodies)
    tracklet_of_blob, blob_frame = _tracklets(blob, movie_frames)
    seen = blob >= 0
    count = int(tracklet_of_blob.max(initial=-1)) + 1
    first = np.full(count, len(blob), np.int64)
    last = np.full(count, -1, np.int64)
    np.minimum.at(first, tracklet_of_blob, blob_frame)
    np.maximum.at(last, tracklet_of_blob, blob_frame)
    names = _names(first, last, movie_frames)
    order = np.lexsort((names, last, first))
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    tracklet_of_blob = rank[tracklet_of_blob]
    of_body = np.full(blob.shape, -1, np.int32)
    of_body[seen] = tracklet_of_blob[blob[seen]]
    group = np.zeros(count, np.int64)
    group[of_body[seen]] = np.broadcast_to(bodies.group, blob.shape)[seen]
    parent, child = _edges(of_body)
    # Blobs of a tracklet one after the other.
    by_tracklet = np.lexsort((blob_frame, tracklet_of_blob))
    data = _measure(bodies, blob, tracklet_of_blob, blob_frame, fps, boundary, rng)[by_tracklet]
    offset = np.concatenate([[0], np.cumsum(np.bincount(tracklet_of_blob, minlength=count))]).astype(np.int64)
    first, last = first[order], last[order]
    movie = (first // movie_frames + 1).astype(np.int32)
    return Tracks(names[order], movie, first + 1, last + 1, group, parent, child, of_body, data, offset)


def _blobs(bodies: Bodies) -> NDArray[np.int64]:
    """Number of the blob that each body is in, by frame, from 0 in order of frames; -1 where it is not seen."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    frames, count = bodies.x.shape
    blob = np.full((frames, count), -1, np.int64)
    one, other = np.triu_indices(count, 1)
    together = bodies.group[one] == bodies.group[other]
    one, other = one[together], other[together]
    step = max(1, _CHUNK // max(1, len(one)))
    blobs = 0
    for start in range(0, frames, step):
        part = slice(start, min(start + step, frames))
        seen = bodies.seen[part]
        frame, a, b = _contacts(bodies, part, one, other)
        nodes = len(seen) * count
        graph = coo_array((np.ones(len(a), np.bool_), (frame * count + a, frame * count + b)), shape=(nodes, nodes))
        _, component = connected_components(graph.tocsr(), directed=False)
        # Numbers without gaps, in order of frames: every unseen body is a component of its own.
        used, number = np.unique(component[seen.ravel()], return_inverse=True)
        first_node = np.full(len(used), nodes)
        np.minimum.at(first_node, number, np.flatnonzero(seen.ravel()))
        rank = np.empty(len(used), np.int64)
        rank[np.argsort(first_node)] = np.arange(len(used))
        blob[part][seen] = blobs + rank[number]
        blobs += len(used)
    return blob


def _contacts(
    bodies: Bodies, part: slice, one: NDArray[np.intp], other: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Frame (within the part) and the two bodies of every contact."""
    x, y, seen = bodies.x[part], bodies.y[part], bodies.seen[part]
    reach = 2 * (HALF_LENGTH + HALF_WIDTH)
    near = (x[:, one] - x[:, other]) ** 2 + (y[:, one] - y[:, other]) ** 2 < reach**2
    near &= seen[:, one] & seen[:, other]
    frame, pair = np.nonzero(near)
    a, b = one[pair], other[pair]
    heading = bodies.heading[part]
    points = [
        (
            x[frame, body, None] + _PARTS * np.cos(heading[frame, body, None]),
            y[frame, body, None] + _PARTS * np.sin(heading[frame, body, None]),
        )
        for body in (a, b)
    ]
    (ax, ay), (bx, by) = points
    distance = (ax[:, :, None] - bx[:, None, :]) ** 2 + (ay[:, :, None] - by[:, None, :]) ** 2
    touch = distance.min(axis=(1, 2)) < (2 * HALF_WIDTH + 2) ** 2
    return _bridged(frame[touch], pair[touch], one, other, seen)


def _bridged(
    frame: NDArray[np.intp],
    pair: NDArray[np.intp],
    one: NDArray[np.intp],
    other: NDArray[np.intp],
    seen: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Contacts with short gaps filled: a blob does not fall apart for a frame between two contacts."""
    order = np.lexsort((frame, pair))
    frame, pair = frame[order], pair[order]
    gap = np.where(pair[1:] == pair[:-1], frame[1:] - frame[:-1], 0)
    more_frames, more_pairs = [frame], [pair]
    for missing in range(1, _BRIDGE + 1):
        at = np.flatnonzero((gap > missing) & (gap <= _BRIDGE + 1))
        more_frames.append(frame[at] + missing)
        more_pairs.append(pair[at])
    frame, pair = np.concatenate(more_frames), np.concatenate(more_pairs)
    a, b = one[pair], other[pair]
    both = seen[frame, a] & seen[frame, b]
    return frame[both], a[both], b[both]


def _tracklets(blob: NDArray[np.int64], movie_frames: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of the tracklet of each blob, and the frame (from 0) of each blob."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    frames, bodies = blob.shape
    blobs = int(blob.max(initial=-1)) + 1
    seen = blob >= 0
    frame = np.zeros(blobs, np.int64)
    frame[blob[seen]] = np.nonzero(seen)[0]
    # Two blobs hold the same bodies exactly if the sums of their bodies' random keys agree.
    keys = np.random.default_rng(0).integers(1, 2**62, bodies, dtype=np.uint64)
    content = np.zeros(blobs, np.uint64)
    np.add.at(content, blob[seen], np.broadcast_to(keys, blob.shape)[seen])
    before, after = blob[:-1], blob[1:]
    both = (before >= 0) & (after >= 0)
    both[movie_frames - 1 :: movie_frames] = False
    before, after = before[both], after[both]
    same = content[before] == content[after]
    before, after = before[same], after[same]
    graph = coo_array((np.ones(len(before), np.bool_), (before, after)), shape=(blobs, blobs)).tocsr()
    _, chain = connected_components(graph, directed=False)
    start = np.full(int(chain.max(initial=-1)) + 1, frames, np.int64)
    np.minimum.at(start, chain, frame)
    piece = (frame - start[chain]) // MAX_LENGTH
    _, tracklet = np.unique(chain.astype(np.int64) * (frames + 1) + piece, return_inverse=True)
    return tracklet.astype(np.int64), frame


def _names(first: NDArray[np.int64], last: NDArray[np.int64], movie_frames: int) -> NDArray[np.str_]:
    """Names in anTraX's form; a number is free again when its tracklet has ended."""
    names = [""] * len(first)
    busy: list[tuple[int, int]] = []
    free: list[int] = []
    movie, used = -1, 0
    for row in np.lexsort((np.arange(len(first)), first)).tolist():
        start, end = int(first[row]), int(last[row])
        if start // movie_frames != movie:
            movie, used, busy, free = start // movie_frames, 0, [], []
        while busy and busy[0][0] < start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            number = heapq.heappop(free)
        else:
            used += 1
            number = used
        heapq.heappush(busy, (end, number))
        offset = movie * movie_frames - 1
        names[row] = f"trj_id{number}_ti{movie + 1}_{start - offset}_tf{movie + 1}_{end - offset}"
    return np.array(names, np.str_)


def _edges(of_body: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Edges between tracklets of consecutive frames that have a body in common, sorted."""
    before, after = of_body[:-1].astype(np.int64), of_body[1:].astype(np.int64)
    on = (before >= 0) & (after >= 0) & (before != after)
    pairs = np.unique(np.stack([before[on], after[on]], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def with_wrong_links(tracks: Tracks, share: float, rng: np.random.Generator) -> Tracks:
    """The same with some of the links between tracklets wrong.

    Where a tracker errs, a tracklet is linked to the nearest other one that starts in the same frame instead of the one
    that its animals are in; where none starts near, it is linked to none. The other one keeps its own links, so animals
    seem to be lost here and made there.

    Parameters
    ----------
    tracks : Tracks
    share : float
        Of all links.
    rng
        Source of random numbers.
    """
    wrong = np.flatnonzero(rng.random(len(tracks.parent)) < share)
    begin = tracks.data[tracks.offset[:-1], 1:3].astype(np.float64)
    end = tracks.data[tracks.offset[1:] - 1, 1:3].astype(np.float64)
    edges = set(zip(tracks.parent.tolist(), tracks.child.tolist(), strict=True))
    linked = edges.copy()
    for parent, child in zip(tracks.parent[wrong].tolist(), tracks.child[wrong].tolist(), strict=True):
        linked.discard((parent, child))
        low, high = np.searchsorted(tracks.first, tracks.first[child] + np.arange(2))
        near = [
            other for other in range(int(low), int(high))
            if other != child and tracks.group[other] == tracks.group[parent] and (parent, other) not in edges
        ]  # fmt: skip
        distance = np.hypot(*(begin[near] - end[parent]).T) if near else np.array([np.inf])
        if distance.min() < _LINKING_REACH:
            linked.add((parent, near[int(distance.argmin())]))
    pairs = np.array(sorted(linked), np.int64).reshape(-1, 2)
    return replace(tracks, parent=pairs[:, 0], child=pairs[:, 1])


def _measure(
    bodies: Bodies,
    blob: NDArray[np.int64],
    tracklet: NDArray[np.int64],
    frame: NDArray[np.int64],
    fps: float,
    boundary: NDArray[np.bool_] | None,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """The 17 measurements of each blob, (blobs, 17)."""
    blobs, tracklets = len(frame), int(tracklet.max(initial=-1)) + 1
    cell = np.flatnonzero(blob.ravel() >= 0)
    cell = cell[np.argsort(blob.ravel()[cell], kind="stable")]
    of = blob.ravel()[cell]
    start = np.flatnonzero(np.diff(of, prepend=-1))
    count = np.diff(start, append=len(of)).astype(np.float64)

    def total(values: Floats) -> Floats:
        summed: Floats = np.add.reduceat(values, start) if len(start) else values[:0]
        return summed

    # A body looks larger or smaller as it bends and spreads its legs; bodies in a heap cover one another.
    own = bodies.area * np.exp(smooth_noise(blob.shape, 0.06, 0.95, rng))
    own = own.ravel()[cell]
    heap = np.exp(rng.normal(0.0, 0.06, tracklets))
    # Now and then one sits on another, and one alone carries brood or casts a shadow: areas that mislead.
    heap[rng.random(tracklets) < 0.02] *= 0.6
    burden = np.where(rng.random(tracklets) < 0.01, 1.35, 1.0)
    covered = np.where(count > 1, (0.7 + 0.3 * np.exp((1 - count) / 3.5)) * heap[tracklet], burden[tracklet])
    area = np.maximum(1.0, np.rint(total(own) * covered * np.exp(rng.normal(0.0, 0.02, blobs))))

    x, y = bodies.x.ravel()[cell].astype(np.float64), bodies.y.ravel()[cell].astype(np.float64)
    heading = bodies.heading.ravel()[cell].astype(np.float64)
    weight = own / total(own)[of]
    centre_x, centre_y = total(weight * x), total(weight * y)
    off_x, off_y = x - centre_x[of], y - centre_y[of]
    cos, sin = np.cos(heading), np.sin(heading)
    along, across = HALF_LENGTH**2 / 2.2, HALF_WIDTH**2 / 2.6
    var_x = total(weight * (off_x**2 + along * cos**2 + across * sin**2))
    var_y = total(weight * (off_y**2 + along * sin**2 + across * cos**2))
    cov = total(weight * (off_x * off_y + (along - across) * cos * sin))
    root = np.sqrt((var_x - var_y) ** 2 + 4 * cov**2)
    large, small = (var_x + var_y + root) / 2, np.maximum((var_x + var_y - root) / 2, 1.0)
    axis = 0.5 * np.arctan2(2 * cov, var_x - var_y)
    single = np.zeros(blobs)
    single[of] = heading
    # The head is told from the tail by the way the blob moves, now and then wrongly.
    turned = math.pi * (rng.random(tracklets) < 0.02)[tracklet]
    orientation = np.where(count == 1, single + turned + rng.normal(0.0, 0.03, blobs), axis)
    reach_x = HALF_WIDTH + HALF_LENGTH * np.abs(cos)
    reach_y = HALF_WIDTH + HALF_LENGTH * np.abs(sin)
    left, top = np.minimum.reduceat(x - reach_x, start), np.minimum.reduceat(y - reach_y, start)
    right, bottom = np.maximum.reduceat(x + reach_x, start), np.maximum.reduceat(y + reach_y, start)
    shading = rng.normal(0.0, 1.0, (4, blobs))
    touches = np.zeros(blobs) if boundary is None else np.minimum(1, total(boundary.ravel()[cell].astype(np.float64)))
    columns = (
        area,
        centre_x + rng.normal(0.0, 0.25, blobs),
        centre_y + rng.normal(0.0, 0.25, blobs),
        4 * np.sqrt(large),
        np.sqrt(1 - np.minimum(small / large, 1.0)),
        (orientation + math.pi) % (2 * math.pi) - math.pi,
        np.clip(0.76 + 0.03 * shading[0], 0, 1),
        np.floor(left),
        np.floor(top),
        np.ceil(right - left),
        np.ceil(bottom - top),
        3.6 * np.sqrt(large) + 3.6 * np.sqrt(small),
        np.clip(0.32 + 0.02 * shading[1], 0, 1),
        np.clip(0.92 + 0.02 * shading[2], 0, 1),
        np.clip(0.5 + 0.02 * shading[3], 0, 1),
        touches,
        np.full(blobs, 1 / fps),
    )
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=1)
