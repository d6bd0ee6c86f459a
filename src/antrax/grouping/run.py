"""`antrax group`: groups of tracklets that look alike, before any of them has a label.

A network learns what tells tracklets apart (`antrax.grouping.learning`), every tracklet gets the mean features of its
images, and these are put into groups (`antrax.grouping.groups`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antrax.batch import describe_failure, is_gpu_failure
from antrax.errors import DeviceError, ExperimentError, StackError
from antrax.grouping.groups import find_groups
from antrax.grouping.options import GroupOptions, check_options
from antrax.images import Background, Preparation, prepare
from antrax.io.atomic import remove_dead_parts
from antrax.io.groups_file import TrackletGroups, write_groups
from antrax.io.names import TrackletName
from antrax.io.session import Session, open_session
from antrax.io.sources import MoviePart, TrackletImages, movie_parts
from antrax.io.stamps import InputStamps
from antrax.networks.devices import choose_device
from antrax.networks.graph import SMALLEST
from antrax.progress import Reporter
from antrax.review.tracklets.tiles import read_images, spread_images

# Groups for each ID: animals look different from tracklet to tracklet, and a group of two animals helps nobody.
GROUPS_AN_ID = 3
GROUPS_WITHOUT_LABELS = 48
# What is learned from: so many images of a tracklet at most, and so many in all (200 MB).
_MOST_TO_LEARN, _LEAST_TO_LEARN, _IMAGES_TO_LEARN, _TRACKLETS_TO_LEARN = 64, 4, 30_000, 5000
# What the features of a tracklet are the mean of.
_IMAGES_OF_FEATURES = 16
_LARGEST_IMAGE = 48
# Tracklets of so many images are read whole, which is faster than one by one where they are compressed together.
_READ_WHOLE = 1000
# Tracklets that go through the network together.
_AT_ONCE = 64
_READING, _LEARNING, _GROUPING = "reading images", "learning what tells tracklets apart", "grouping tracklets"


@dataclass(frozen=True)
class GroupResult:
    """Result of grouping.

    Parameters
    ----------
    path : Path
        The file.
    groups : TrackletGroups
        The groups, as they are in the file.
    problems : tuple of str
        What was left out, and why.
    seconds : float
        Duration.
    """

    path: Path
    groups: TrackletGroups
    problems: tuple[str, ...]
    seconds: float

    def summary(self) -> list[str]:
        """What was found, a sentence each."""
        rest, *sizes = self.groups.sizes
        number = sum(size > 0 for size in sizes)
        counted = (
            f"{sum(sizes):,} of {len(self.groups.tracklets):,} tracklets are in {number} group{'s' * (number != 1)}, "
            f"{rest:,} in none ({self.seconds:.0f} s)"
        )
        return [counted, f"groups: {self.path}"]


@dataclass(frozen=True)
class _Found:
    """A tracklet, and where its images lie."""

    name: TrackletName
    part: MoviePart
    count: int


def group(
    experiment: str | os.PathLike[str] | Session,
    options: GroupOptions | None = None,
    *,
    reporter: Reporter | None = None,
) -> GroupResult:
    """Put the tracklets of a session into groups that look alike, without any label.

    Parameters
    ----------
    experiment : path or Session
        Of an experiment's folder, the session that `options` names.
    options : GroupOptions, optional
        The defaults of `GroupOptions` without.
    reporter : Reporter, optional
        Told of progress and warnings; silent by default.

    Returns
    -------
    GroupResult
        The groups; they are also in the session, for the page.

    Raises
    ------
    AntraxError
        Options or images do not allow it, or the result cannot be written; earlier groups are then as they were.

    Examples
    --------
    >>> result = antrax.group("colony1")  # doctest: +SKIP
    >>> result.groups.sizes[1:]  # tracklets of each group  # doctest: +SKIP
    (43, 41, 40, 36, 35)
    """
    options = options or GroupOptions()
    check_options(options)
    session = experiment if isinstance(experiment, Session) else open_session(experiment, options.session)
    try:
        return _group(session, options, reporter or Reporter())
    except Exception as error:
        if is_gpu_failure(error):
            raise DeviceError(describe_failure(error, session.path)) from None
        raise


def _group(session: Session, options: GroupOptions, reporter: Reporter) -> GroupResult:
    from antrax.grouping.learning import STEPS, Pool, learn_features

    started = time.monotonic()
    device = choose_device(options.device, reporter.warn)
    background: Background = "black" if session.inverted else "white"
    wanted = options.groups or _usual_number(session)
    inputs = InputStamps()
    problems: list[str] = []
    tracklets = _list_tracklets(session, inputs, problems)
    if len(tracklets) < 2:
        why = f" ({problems[0]})" if problems else ""
        raise ExperimentError(
            f"{session.path}: {len(tracklets) or 'no'} tracklet{'s' * (not tracklets)} with images{why}: there is "
            "nothing to group"
        )
    reporter.stages({_READING: 1, _LEARNING: 6, _GROUPING: max(1.0, len(tracklets) / 1000)})
    with tracklets[0].part.open() as stack:
        size = min(max(stack.size(tracklets[0].name.name), SMALLEST), _LARGEST_IMAGE)
    preparation = Preparation(size, background)
    chosen = _to_learn_from(tracklets, options.seed)
    most = max(_LEAST_TO_LEARN, min(_MOST_TO_LEARN, _IMAGES_TO_LEARN // len(chosen)))
    with reporter.bar(_READING, len(chosen), "tracklets") as update:
        read = dict(_read([tracklets[place] for place in chosen], most, preparation, problems, update))
    if len(read) < 2:
        raise StackError(problems[0])
    names = tuple(name for place in chosen if (name := tracklets[place].name).name in read)
    images = [read[name.name] for name in names]
    owners = np.repeat(np.arange(len(names)), [len(of_one) for of_one in images])
    pool = Pool(np.concatenate(images), owners, names, background)
    del read, images
    reporter.say(
        f"learning from {len(pool.images):,} images of {len(names):,} of {len(tracklets):,} tracklets, {size} pixels, "
        f"on {device}"
    )
    with reporter.bar(_LEARNING, STEPS, "steps") as update:
        features_of = learn_features(pool, options.seed, device, update, STEPS)
    del pool
    kept: list[str] = []
    features: list[NDArray[np.float32]] = []
    with reporter.bar(_GROUPING, len(tracklets), "tracklets") as update:
        for some in _in_parts(_read(tracklets, _IMAGES_OF_FEATURES, preparation, problems, update), _AT_ONCE):
            kept += [name for name, _ in some]
            features.append(features_of([of_one for _, of_one in some]))
    every = np.concatenate(features)
    groups, closeness = find_groups(every, min(wanted, max(1, len(kept) // 2)), options.seed)
    inputs.check(f"nothing was written; type antrax group {session.experiment} again")
    made_with = {
        "antrax": version("antrax"),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "groups": wanted,
        "seed": options.seed,
        "device": device,
        "steps": STEPS,
        "size": size,
    }
    found = TrackletGroups(tuple(kept), every, groups, closeness, made_with)
    remove_dead_parts(session.layout.groups_file.parent)
    write_groups(session, found)
    problems = list(dict.fromkeys(problems))
    for problem in problems:
        reporter.warn(problem)
    return GroupResult(session.layout.groups_file, found, tuple(problems), time.monotonic() - started)


def _usual_number(session: Session) -> int:
    """Number of groups where none is asked for."""
    ants = session.labels.ants if session.layout.labels_file.is_file() else ()
    return GROUPS_AN_ID * len(ants) if ants else GROUPS_WITHOUT_LABELS


def _list_tracklets(session: Session, inputs: InputStamps, problems: list[str]) -> list[_Found]:
    """The tracklets with images of all movies that can be read."""
    found: list[_Found] = []
    for parts in movie_parts(session).values():
        for part in parts:
            inputs.note(part.path)
            try:
                with part.open() as stack:
                    every = [_Found(name, part, stack.count(name.name)) for name in stack.tracklets()]
                found += [one for one in every if one.count]
            except StackError as error:
                problems.append(str(error))
    return found


def _to_learn_from(tracklets: Sequence[_Found], seed: int) -> list[int]:
    """Places of tracklets to learn from: all, or where there are very many a draw in which long ones are likelier."""
    if len(tracklets) <= _TRACKLETS_TO_LEARN:
        return list(range(len(tracklets)))
    weights = np.sqrt([found.count for found in tracklets])
    drawn = np.random.default_rng(seed).choice(
        len(tracklets), _TRACKLETS_TO_LEARN, replace=False, p=weights / weights.sum()
    )
    return sorted(drawn.tolist())


def _read(
    tracklets: Sequence[_Found],
    most: int,
    preparation: Preparation,
    problems: list[str],
    update: Callable[[int], None],
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Name and some prepared images of each tracklet that can be read; those of a file one after the other."""
    done = 0
    while done < len(tracklets):
        part = tracklets[done].part
        last = done
        while last < len(tracklets) and tracklets[last].part == part:
            last += 1
        try:
            with part.open() as stack:
                for place in range(done, last):
                    if (images := _images_of(stack, tracklets[place], most, problems)) is not None:
                        yield tracklets[place].name.name, np.ascontiguousarray(prepare(images, preparation))
                    update(place + 1)
        except StackError as error:
            problems.append(str(error))
        done = last


def _images_of(stack: TrackletImages, found: _Found, most: int, problems: list[str]) -> NDArray[np.uint8] | None:
    """Spread images of a tracklet; None where they are damaged."""
    try:
        images = spread_images(found.count, most)
        if found.count <= _READ_WHOLE:
            return stack.read(found.name.name)[images]
        return read_images(stack, found.name.name, images)
    except StackError as error:
        problems.append(str(error))
        return None


def _in_parts(
    pairs: Iterator[tuple[str, NDArray[np.uint8]]], size: int
) -> Iterator[list[tuple[str, NDArray[np.uint8]]]]:
    """The pairs, so many at a time."""
    part: list[tuple[str, NDArray[np.uint8]]] = []
    for pair in pairs:
        part.append(pair)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


__all__ = ["GROUPS_AN_ID", "GROUPS_WITHOUT_LABELS", "GroupOptions", "GroupResult", "group"]
