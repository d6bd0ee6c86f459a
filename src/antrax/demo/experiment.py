"""Writing of a simulated experiment in the layout of a tracked one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from antrax.defaults import DEMO_MOVIES
from antrax.demo.ants import IDS, Ant, paint_ant
from antrax.demo.behaviour import ARENA, random_lighting
from antrax.demo.debris import KINDS, Debris, random_debris
from antrax.demo.planning import DEBRIS_ITEMS, TrackletPlan, movies_with_examples, plan_experiment
from antrax.demo.recording import Recording, record
from antrax.demo.writing import (
    FRAME_TRUTH,
    SESSION,
    TRACKLET_TRUTH,
    SessionTables,
    write_examples,
    write_movie,
    write_parameters,
    write_table,
)
from antrax.errors import OptionError, OutputError
from antrax.io.layout import SessionLayout

_SMALLEST_IMAGE = 24
# Streams of random numbers: seeded by the seed, the stream, and movie and tracklet if there are several, so that draws
# do not depend on how much is drawn elsewhere.
_FOR_PLAN, _FOR_ANTS, _FOR_MOVIE, _FOR_TRACKLET = range(4)


@dataclass(frozen=True, slots=True)
class DemoExperiment:
    """A generated experiment.

    Attributes
    ----------
    directory
        The experiment.
    session
        Its session.
    tracklets
        Number of tracklets.
    images
        Number of blob images in them.
    examples
        Number of labelled examples.
    """

    directory: Path
    session: Path
    tracklets: int
    images: int
    examples: int


@dataclass(frozen=True)
class _Options:
    """Size of an experiment; as the parameters of `generate_experiment`."""

    seed: int
    movies: int
    tracklets: int
    max_frames: int
    image_size: int
    examples: int
    labelled: bool

    def check(self) -> None:
        """Raise OptionError where a number is out of range."""
        for name, least in (
            ("seed", 0),
            ("movies", 1),
            ("tracklets", 1),
            ("max_frames", 1),
            ("image_size", _SMALLEST_IMAGE),
            ("examples", 0),
        ):
            if (value := getattr(self, name)) < least:
                raise OptionError(f"{name} is {value}; it must be {least} or more")


def generate_experiment(  # noqa: PLR0913  # people call it, with keywords
    directory: str | os.PathLike[str],
    *,
    seed: int = 0,
    movies: int = DEMO_MOVIES,
    tracklets: int = 100,
    max_frames: int = 600,
    image_size: int = 48,
    examples: int = 15_000,
    labelled: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> DemoExperiment:
    """Generate a tracked experiment of painted ants, with its truth.

    The experiment has one session, `session`, with 16 ants that carry two of four colours each,
    and labelled examples from the first half of the movies. `truth.csv` has the label of each
    tracklet, `truth_frames.csv` that of each image.

    Parameters
    ----------
    directory : path
        Where to write; its name becomes the experiment's. Must not exist, or be empty.
    seed : int
        The same seed and sizes give the same experiment.
    movies : int
        Number of movies. The first half, at least one, give the examples.
    tracklets : int
        Tracklets a movie, on average.
    max_frames : int
        Most frames of a tracklet.
    image_size : int
        Side of the blob images, in pixels; the animals grow with it.
    examples : int
        Most labelled images to write. Tracklets are taken whole, one of each label in turn.
    labelled : bool
        False for a session as it is right after tracking: without examples and `labels.csv`.
    progress : callable, optional
        Called with the number of tracklets done and of all, after each.

    Returns
    -------
    DemoExperiment
        Where it lies, and how large it is.

    Raises
    ------
    OptionError
        A number is out of range.
    OutputError
        The folder is not empty or cannot be written.

    Examples
    --------
    >>> made = antrax.generate_experiment("colony1", movies=2, tracklets=40)  # doctest: +SKIP
    >>> antrax.open_session(made.directory).labels.ants[:3]  # doctest: +SKIP
    ('BB', 'BG', 'BO')
    """
    directory = Path(directory).absolute()
    options = _Options(seed, movies, tracklets, max_frames, image_size, examples, labelled)
    options.check()
    plans = plan_experiment(movies, tracklets, max_frames, np.random.default_rng([seed, _FOR_PLAN]))
    with writing_into(directory) as draft:
        counts = _write(draft, plans, options, progress)
    return DemoExperiment(directory, directory / SESSION, len(plans), *counts)


@contextlib.contextmanager
def writing_into(directory: Path) -> Iterator[Path]:
    """Context manager: a new folder of the same name, whose content moves into `directory` at the end.

    Raises
    ------
    OutputError
        `directory` is not empty, is a file, or cannot be written.
    """
    directory = directory.absolute()
    _require_empty(directory)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own beside the target: what a killed run leaves is not taken for a demo.
        with tempfile.TemporaryDirectory(
            prefix=f".{directory.name}.", suffix=".part", dir=directory.parent
        ) as temporary:
            draft = Path(temporary) / directory.name
            yield draft
            _move(draft, directory)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{directory} cannot be written: {reason}") from error


def _require_empty(directory: Path) -> None:
    if directory.is_dir():
        if any(directory.iterdir()):
            raise OutputError(f"{directory} is not empty; choose another folder for the demo")
    elif directory.exists():
        raise OutputError(f"{directory} is a file; choose a folder for the demo")


def _move(draft: Path, directory: Path) -> None:
    """Put a finished experiment in its place."""
    if not directory.exists():
        draft.rename(directory)
        return
    # Into the empty folder rather than over it, for it may be somebody's current folder. The
    # session comes last: with it, the experiment is there.
    for item in sorted(draft.iterdir(), key=lambda item: item.is_dir()):
        item.rename(directory / item.name)


def _write(
    directory: Path,
    plans: Sequence[TrackletPlan],
    options: _Options,
    progress: Callable[[int, int], None] | None,
) -> tuple[int, int]:
    """Write everything into a new folder; return the numbers of images and of examples."""
    session = SessionLayout(directory / SESSION)
    for folder in (session.parameters, session.images, session.tracklets, session.labels, session.classifier.examples):
        folder.mkdir(parents=True)
    length = -(-max(plan.last for plan in plans) // 100) * 100
    tables = SessionTables(options.movies, length, options.image_size, labels=options.labelled)
    write_parameters(session, directory.name, tables)
    chosen = _choose_examples(plans, options.movies, options.examples if options.labelled else 0)
    rng = np.random.default_rng([options.seed, _FOR_ANTS])
    ants = [paint_ant(name, rng) for name in IDS]
    truth: list[tuple[object, ...]] = []
    frame_truth: list[tuple[object, ...]] = []
    images = written = done = 0
    for movie in range(1, options.movies + 1):
        recordings: dict[str, Recording] = {}
        mine = [plan for plan in plans if plan.movie == movie]
        for plan, recording in zip(mine, _record_movie(mine, ants, options.image_size, options.seed), strict=True):
            recordings[plan.name] = recording
            images += plan.frames
            contested = 1 - recording.labels.count(plan.label) / plan.frames
            row = (directory.name, movie, plan.name)
            truth.append((*row, plan.label, plan.frames, round(contested, 3)))
            frame_truth += [(*row, place, label) for place, label in enumerate(recording.labels, 1)]
            if plan.name in chosen:
                first = (movie - 1) * length + plan.first
                write_examples(session.classifier.examples, directory.name, plan.name, first, recording)
                written += plan.frames
            done += 1
            if progress:
                progress(done, len(plans))
        if recordings:
            write_movie(session, movie, recordings)
    columns = ("experiment", "movie", "tracklet")
    write_table(directory / TRACKLET_TRUTH, (*columns, "label", "frames", "contested"), truth)
    write_table(directory / FRAME_TRUTH, (*columns, "index", "label"), frame_truth)
    return images, written


def _record_movie(plans: Sequence[TrackletPlan], ants: Sequence[Ant], size: int, seed: int) -> Iterator[Recording]:
    """Simulate the recordings of a movie's tracklets, in order of time."""
    if not plans:
        return
    movie = plans[0].movie
    rng = np.random.default_rng([seed, _FOR_MOVIE, movie])
    lighting = random_lighting(rng)
    kinds = [KINDS[place % len(KINDS)] for place in range(DEBRIS_ITEMS)]
    individuals: list[Ant | Debris] = [*ants, *(random_debris(kind, rng) for kind in kinds)]
    places = rng.uniform(40.0, np.array(ARENA) - 40.0, (len(individuals), 2))
    for number, plan in enumerate(plans):
        start = places[plan.members[0]]
        recording = record(
            plan,
            individuals,
            (float(start[0]), float(start[1])),
            lighting,
            size,
            np.random.default_rng([seed, _FOR_TRACKLET, movie, number]),
        )
        for member in plan.members:
            places[member] = recording.trajectory.places[-1]
        yield recording


def _choose_examples(plans: Sequence[TrackletPlan], movies: int, limit: int) -> set[str]:
    """Names of the tracklets whose images become examples, at most `limit` images."""
    taught = [plan for plan in plans if plan.movie <= movies_with_examples(movies)]
    by_label = [[plan for plan in taught if plan.label == label] for label in
                sorted({plan.label for plan in taught})]  # fmt: skip
    chosen: set[str] = set()
    for group in zip_longest(*by_label):
        for plan in group:
            if plan and plan.frames <= limit:
                chosen.add(plan.name)
                limit -= plan.frames
    return chosen
