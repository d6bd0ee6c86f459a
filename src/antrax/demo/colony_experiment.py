"""Writing of a simulated colony in the layout of a tracked experiment."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from antrax.demo.ants import Ant, paint_ant
from antrax.demo.behaviour import ARENA, Lighting, Trajectory, random_lighting, random_walk
from antrax.demo.colony import SINGLE_AREA, Colony, ColonyOptions, simulate_colony
from antrax.demo.debris import KINDS, Debris, random_debris
from antrax.demo.experiment import DemoExperiment, writing_into
from antrax.demo.measuring import FRAMES_PER_SECOND, PIXEL
from antrax.demo.planning import SEVERAL, UNREADABLE, movies_with_examples
from antrax.demo.recording import Recording, record_along
from antrax.demo.rendering import FLOOR, NOMINAL_SIZE
from antrax.demo.truth import TRUTH_FILE, truth_of, write_truth
from antrax.demo.writing import (
    FRAME_TRUTH,
    SESSION,
    TRACKLET_TRUTH,
    SessionTables,
    write_arrays,
    write_examples,
    write_parameters,
)
from antrax.io.layout import SessionLayout
from antrax.io.session import Session
from antrax.io.stacks import write_stacks

# Streams of random numbers, beside those in `experiment` and `colony`.
_FOR_ANTS, _FOR_MOVIE, _FOR_TRACKLET, _FOR_FILM_BEFORE = 11, 12, 13, 14

# Images of a movie below which it is painted in this process.
_FEW_IMAGES = 2000


def generate_colony(
    directory: str | os.PathLike[str],
    options: ColonyOptions | None = None,
    *,
    images: bool = True,
    examples: int = 500,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DemoExperiment:
    """Write a tracked experiment of a made-up colony, with the truth of every animal and frame.

    It has what a tracker leaves: measurements (`tracklets/trdata_<m>.mat`), the tracklet graph (`graphs/graph_<m>.h5`),
    blob images of the tracklets that look like single animals, masks, a background, `ids.cfg` where animals die; and
    labelled examples, from the first half of the movies and, for labels that are rare there, from a recording of each
    animal alone made before. The truth: `truth_positions.h5` (`read_truth`), the label of
    each tracklet with images in `truth.csv`, and of each image in `truth_frames.csv`.

    Parameters
    ----------
    directory : path
        Where to write; its name becomes the experiment's. Must not exist, or be empty.
    options : ColonyOptions, optional
    images : bool
        Paint blob images and examples; without, everything else is there in seconds.
    examples : int
        Labelled images of each label, about; tracklets are taken whole.
    workers : int, optional
        Processes that paint; one a processor by default. The images are the same with any number.
    progress : callable, optional
        Called with the number of painted tracklets and of all that are painted, after each.

    Raises
    ------
    OptionError
        A number is out of range.
    OutputError
        The folder is not empty or cannot be written.
    """
    directory = Path(directory).absolute()
    with writing_into(directory) as draft:
        colony = simulate_colony(options)
        counts = _write(draft, colony, images, examples, workers, progress)
    return DemoExperiment(directory, directory / SESSION, len(colony.tracks.names), *counts)


def _write(
    directory: Path,
    colony: Colony,
    images: bool,
    examples: int,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> tuple[int, int]:
    from antrax.io.graph_file import write_graph

    session, options = SessionLayout(directory / SESSION), colony.options
    for folder in (
        session.masks,
        session.backgrounds,
        session.images,
        session.tracklets,
        session.labels,
        session.classifier.examples,
    ):
        folder.mkdir(parents=True)
    names = colony.colony_names if options.colonies > 1 else ()
    ids = colony.ids[: options.animals]
    settings = {
        "geometry_multi_colony": bool(names),
        "geometry_Ncolonies": options.colonies,
        "geometry_colony_labels": list(names),
        "geometry_open_boundry": options.open_arena,
        "thrsh_meanareamin": SINGLE_AREA[0],
        "thrsh_meanareamax": SINGLE_AREA[1],
        "graph_groupby": "experiment",
    }
    tables = SessionTables(options.movies, options.frames, NOMINAL_SIZE, ids, settings)
    write_parameters(session, directory.name, tables)
    _write_removals(session.id_changes_file, colony)
    _write_masks(session, colony)
    for movie in range(1, options.movies + 1):
        here = np.flatnonzero(colony.tracks.movie == movie)
        data = {str(colony.tracks.names[row]): colony.tracks.data[colony.tracks.rows(row)].T for row in here.tolist()}
        write_arrays(session.file("trdata", movie), data, "single")
    write_graph(Session(directory, session.path), colony.graph)
    write_truth(directory / TRUTH_FILE, truth_of(colony), FRAMES_PER_SECOND)
    return _paint(directory, colony, examples, workers, progress) if images else (0, 0)


def _write_removals(path: Path, colony: Colony) -> None:
    """`ids.cfg`: from when on dead animals are gone."""
    of = np.array(colony.colony_names)[colony.colony]
    lines = [
        " ".join(
            word
            for word in ("remove", str(of[animal]), colony.ids[animal], f"f{colony.gone_from[animal]}", "end")
            if word
        )
        for animal in np.flatnonzero(colony.gone_from)
    ]
    if lines:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _write_masks(session: SessionLayout, colony: Colony) -> None:
    """Masks of the arenas, and the background without animals."""
    index = Image.new("L", colony.size, 0)
    background = Image.new("RGB", colony.size, (214, 204, 196))
    boundary = Image.new("L", colony.size, 0)
    for number, arena in enumerate(colony.arenas, 1):
        (x, y), radius = arena.centre, arena.radius
        circle = (x - radius, y - radius, x + radius, y + radius)
        ImageDraw.Draw(index).ellipse(circle, fill=number)
        draw = ImageDraw.Draw(background)
        draw.ellipse(circle, fill=FLOOR, outline=(168, 158, 150), width=3)
        nest = 2.2 * arena.nest_size
        draw.ellipse(
            (arena.nest[0] - nest, arena.nest[1] - nest, arena.nest[0] + nest, arena.nest[1] + nest),
            fill=(236, 226, 214),
        )
        if colony.options.open_arena:
            ImageDraw.Draw(boundary).ellipse(circle, outline=255, width=25)
    inside = np.asarray(index) > 0
    background.save(session.background)
    _save_mask(session.roi_mask, inside)
    _save_mask(session.masks / "openboundrymask.png", np.asarray(boundary) > 0)
    if colony.options.colonies > 1:
        index.save(session.colony_index_mask)
        for number, name in enumerate(colony.colony_names, 1):
            _save_mask(session.masks / f"colony_{name}.png", np.asarray(index) == number)


def _save_mask(path: Path, mask: NDArray[np.bool_]) -> None:
    Image.fromarray(np.repeat(np.where(mask, np.uint8(255), np.uint8(0))[..., None], 3, axis=2)).save(path)


def _paint(
    directory: Path,
    colony: Colony,
    examples: int,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> tuple[int, int]:
    """Write images, examples and their truth; return the numbers of images and of examples."""
    tracks, options, session = colony.tracks, colony.options, SessionLayout(directory / SESSION)
    rng = np.random.default_rng([options.seed, _FOR_ANTS])
    ants = [paint_ant(name, rng) for name in colony.ids]
    painted = np.flatnonzero(colony.looks_single)
    chosen = _choose_examples(colony, painted, examples)
    columns = ("experiment", "movie", "tracklet")
    images = done = 0
    written = Counter[str]()
    with (
        (directory / TRACKLET_TRUTH).open("w", newline="", encoding="utf-8") as truth_file,
        (directory / FRAME_TRUTH).open("w", newline="", encoding="utf-8") as frames_file,
    ):
        truth, frames = (csv.writer(file, lineterminator="\n") for file in (truth_file, frames_file))
        truth.writerow((*columns, "label", "frames", "contested"))
        frames.writerow((*columns, "index", "label"))
        for movie in range(1, options.movies + 1):
            movie_rng = np.random.default_rng([options.seed, _FOR_MOVIE, movie])
            lighting = random_lighting(movie_rng, (float(colony.size[0]), float(colony.size[1])))
            debris = [random_debris(kind, movie_rng) for kind in KINDS]
            recordings: dict[str, Recording] = {}
            here_painted = painted[tracks.movie[painted] == movie].tolist()
            tasks: list[_Task] = [
                (
                    colony.labels[row],
                    _members(colony, row, ants, debris),
                    _trajectory(tracks.data[tracks.rows(row)]),
                    lighting,
                    (options.seed, _FOR_TRACKLET, row),
                )
                for row in here_painted
            ]
            for row, recording in zip(here_painted, _recordings(tasks, workers), strict=True):
                name, label, count = str(tracks.names[row]), colony.labels[row], len(recording.labels)
                recordings[name] = recording
                here = (directory.name, movie, name)
                truth.writerow((*here, label, count, round(1 - recording.labels.count(label) / count, 3)))
                frames.writerows((*here, place, each) for place, each in enumerate(recording.labels, 1))
                if row in chosen:
                    write_examples(session.classifier.examples, directory.name, name, int(tracks.first[row]), recording)
                    written.update(recording.labels)
                images += count
                done += 1
                if progress:
                    progress(done, len(painted))
            if recordings:
                write_stacks(
                    session.file("images", movie), ((name, recording.images) for name, recording in recordings.items())
                )
                passed = {str(tracks.names[row]): _passed(tracks.data[tracks.rows(row), 0]) for row in here_painted}
                write_arrays(session.file("frame_passed", movie), passed, "logical")
    written += _record_rare_labels(directory, colony, ants, written, examples)
    return images, written.total()


def _recordings(tasks: list[_Task], workers: int | None) -> Iterator[Recording]:
    """Recordings of tracklets, in order; in this process where they are few."""
    from antrax.networks.devices import processors

    workers = workers or processors()
    if workers <= 1 or sum(len(task[2].speeds) for task in tasks) < _FEW_IMAGES:
        yield from map(_record, tasks)
        return
    from loky import get_reusable_executor

    # Workers stay for the next movie.
    yield from get_reusable_executor(workers).map(_record, tasks, chunksize=4)


_Task = tuple[str, list[Ant | Debris], Trajectory, Lighting, tuple[int, ...]]


def _record(task: _Task) -> Recording:
    label, members, trajectory, lighting, seed = task
    return record_along(label, members, trajectory, lighting, NOMINAL_SIZE, np.random.default_rng(seed))


def _record_rare_labels(
    directory: Path, colony: Colony, ants: list[Ant], written: Counter[str], wanted: int
) -> Counter[str]:
    """Examples from a recording made before the experiment: of each animal, and of two that touch."""
    rng = np.random.default_rng([colony.options.seed, _FOR_FILM_BEFORE])
    lighting = random_lighting(rng)
    more = Counter[str]()
    examples = SessionLayout(directory / SESSION).classifier.examples
    first = 1
    for label in (*dict.fromkeys(colony.ids), SEVERAL, UNREADABLE):
        same = [ant for ant in ants if ant.name == label] or ants
        while written[label] + more[label] < wanted:
            frames = int(rng.integers(20, 80))
            members = [same[animal] for animal in rng.choice(len(same), min(len(same), 1 + (label == SEVERAL)), False)]
            start = (float(rng.uniform(100, ARENA[0] - 100)), float(rng.uniform(100, ARENA[1] - 100)))
            trajectory = random_walk(frames, start, 0.7 if label == SEVERAL else 3.0, rng)
            recording = record_along(label, members, trajectory, lighting, NOMINAL_SIZE, rng)
            tracklet = f"trj_id1_ti1_{first}_tf1_{first + frames - 1}"
            write_examples(examples, f"{directory.name}_before", tracklet, first, recording)
            more.update(recording.labels)
            first += frames
    return more


def _members(colony: Colony, row: int, ants: list[Ant], debris: list[Debris]) -> list[Ant | Debris]:
    animals = colony.members[row]
    # The image of three animals or more holds three: more do not fit.
    return [ants[animal] for animal in animals[:3]] if len(animals) else [debris[row % len(debris)]]


def _trajectory(data: NDArray[np.float32]) -> Trajectory:
    """A tracklet's trajectory, from its measurements (frames, 17)."""
    places = data[:, 1:3].astype(np.float64)
    speeds = np.hypot(*np.diff(places, axis=0, prepend=places[:1]).T)
    return Trajectory(places=places, speeds=speeds, headings=data[:, 5].astype(np.float64))


def _passed(area: NDArray[np.float32]) -> NDArray[np.bool_]:
    square_metres = area * PIXEL**2
    passed: NDArray[np.bool_] = (square_metres >= SINGLE_AREA[0]) & (square_metres <= SINGLE_AREA[1])
    return passed[None]


def _choose_examples(colony: Colony, painted: NDArray[np.int64], wanted: int) -> set[int]:
    """Tracklets of the first movies whose images become examples: of each label until there are enough."""
    taught = painted[colony.tracks.movie[painted] <= movies_with_examples(colony.options.movies)]
    frames = colony.tracks.last - colony.tracks.first + 1
    taken = Counter[str]()
    chosen: set[int] = set()
    for row in taught.tolist():
        label = colony.labels[row]
        if taken[label] < wanted:
            taken[label] += int(frames[row])
            chosen.add(row)
    return chosen
