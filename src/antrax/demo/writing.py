"""Writing of the files of a simulated experiment."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from antrax.demo.ants import IDS
from antrax.demo.measuring import (
    AREAS,
    FRAMES_PER_SECOND,
    has_plausible_area,
    measure,
    metres_per_pixel,
)
from antrax.demo.planning import NOTHING, SEVERAL, UNREADABLE
from antrax.demo.recording import Recording
from antrax.io.layout import SessionLayout
from antrax.io.names import example_name
from antrax.io.stacks import write_stacks

#: Name of the one session.
SESSION = "session"
#: Truth of each tracklet, and of each image.
TRACKLET_TRUTH, FRAME_TRUTH = "truth.csv", "truth_frames.csv"


@dataclass(frozen=True)
class SessionTables:
    """Content of the tables and settings of a session.

    Parameters
    ----------
    movies : int
        Number of movies.
    length : int
        Frames of each movie.
    size : int
        Side of the blob images, in pixels.
    ids : sequence of str
        Labels of animals, of two letters for two colours each.
    more_settings : mapping of str to object
        Entries of `prmtrs.json` beside the usual ones, which they replace.
    labels : bool
        Whether to write `labels.csv`.
    """

    movies: int
    length: int
    size: int
    ids: Sequence[str] = IDS
    more_settings: Mapping[str, object] = field(default_factory=dict)
    labels: bool = True


def write_parameters(layout: SessionLayout, experiment: str, tables: SessionTables) -> None:
    """Write the session's tables and settings.

    Parameters
    ----------
    layout : SessionLayout
        Of the session.
    experiment : str
        Name of the experiment.
    tables : SessionTables
    """
    movies, length, ids = tables.movies, tables.length, tables.ids
    layout.mark.touch()
    categories = [(name, "ant_labels") for name in ids]
    categories += [(NOTHING, "noant_labels"), (SEVERAL, "other_labels")]
    categories += [(UNREADABLE, "other_labels"), *((code, "tagcolors") for code in sorted(set("".join(ids))))]
    if tables.labels:
        text = "".join(f"{label}\t{category}\n" for label, category in categories)
        layout.labels_file.write_text(text, encoding="utf-8", newline="\n")
    # Columns of this table are separated by spaces, so a name cannot have any.
    name = "_".join(experiment.split())
    rows = ["index subdir name movfile fps nframes fi ff"]
    rows += [
        f"{movie} 1_{movies} {name}_{movie} {name}_{movie}.mp4 {FRAMES_PER_SECOND} {length} "
        f"{(movie - 1) * length + 1} {movie * length}"
        for movie in range(1, movies + 1)
    ]
    layout.movies_file.write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
    settings: dict[str, object] = {
        "tagged": True,
        "geometry_multi_colony": False,
        "geometry_colony_labels": [],
        "geometry_rscale": metres_per_pixel(tables.size),
        "segmentation_invert": False,
        "thrsh_meanareamin": AREAS[0],
        "thrsh_meanareamax": AREAS[1],
        **tables.more_settings,
    }
    layout.parameters_file.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def write_movie(layout: SessionLayout, movie: int, recordings: dict[str, Recording]) -> None:
    """Write the images of a movie's tracklets and the tracker's measurements.

    Parameters
    ----------
    layout : SessionLayout
        Of the session.
    movie : int
        Index of the movie.
    recordings : dict[str, Recording]
        Images and trajectory of each tracklet, by name.
    """
    write_stacks(
        layout.file("images", movie),
        ((name, recording.images) for name, recording in recordings.items()),
    )
    size = next(iter(recordings.values())).images.shape[1]
    measured = {name: measure(recording.images, recording.trajectory) for name, recording in recordings.items()}
    passed = {name: has_plausible_area(data[:1], size) for name, data in measured.items()}
    write_arrays(layout.file("trdata", movie), measured, "single")
    write_arrays(layout.file("frame_passed", movie), passed, "logical")


def write_arrays(path: Path, arrays: dict[str, NDArray[np.float32]] | dict[str, NDArray[np.bool_]], kind: str) -> None:
    """Write one array a tracklet, as MATLAB would store its class `kind`.

    Parameters
    ----------
    path : Path
        The file.
    arrays : dict[str, NDArray[np.float32]] | dict[str, NDArray[np.bool_]]
        By tracklet.
    kind : str
        Class of MATLAB's: single or logical.
    """
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            stored = array.astype(np.uint8) if kind == "logical" else array
            dataset = file.create_dataset(name, data=stored)
            dataset.attrs["MATLAB_class"] = np.bytes_(kind)
            if kind == "logical":
                # MATLAB reads whole numbers without this as numbers, not as true and false.
                dataset.attrs["MATLAB_int_decode"] = np.int32(1)


def write_examples(folder: Path, experiment: str, tracklet: str, first: int, recording: Recording) -> None:
    """Write a tracklet's images as PNG files with a white background, by the label of each.

    Parameters
    ----------
    folder : Path
        The training set's `examples`.
    experiment : str
        Name of the experiment.
    tracklet : str
        Name of the tracklet.
    first : int
        Movie frame of its first image.
    recording : Recording
        Its images and their labels.
    """
    white = np.where(recording.images.any(axis=-1, keepdims=True), recording.images, np.uint8(255))
    for label in set(recording.labels):
        (folder / label).mkdir(exist_ok=True)
    for frame, (image, label) in enumerate(zip(white, recording.labels, strict=True), first):
        Image.fromarray(image).save(folder / label / example_name(experiment, tracklet, frame), compress_level=1)


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV table.

    Parameters
    ----------
    path : Path
        The file.
    header : sequence of str
        Names of the columns.
    rows : Iterable[sequence of object]
        Their values.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
