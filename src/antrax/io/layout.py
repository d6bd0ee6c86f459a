"""Names of all files and folders of an experiment; they are defined nowhere else.

::

    EXPERIMENT/
      videos/                                    raw movies; may be absent
      SESSION/
        parameters/   Trck.mat  labels.csv  labels.mat  movies_info.txt  prmtrs.json  masks/
                      ids.cfg  prop.cfg
        images/       images_<m>.mat  frame_passed_<m>.mat          (or ..._<m>_p<k>.mat: a movie tracked in parts)
        tracklets/    trdata_<m>.mat                                (likewise)
        labels/       autoids_<m>.csv  confidence_<m>.csv  frameprobs_<m>.h5  manualids.csv  set_aside/
        classifier/   examples/<label>/  trash/  classifier.h5  training/
        validation/   marks.csv  position_marks.csv  flags.csv
        groups/       groups.h5
        graphs/  antdata/  positions/  positions_netcdf/  export/
        logs/         solve.json  runs/<command>_….jsonl  cluster/<command>_…/  renaming.json
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from antrax.errors import ExperimentError

LABELS_FILE = "labels.csv"
EXAMPLES = "examples"
"""A folder of this name makes the folder around it a training set."""
CLASSIFIER_SUFFIX = ".h5"
EXAMPLE_SUFFIX = ".png"
SESSION_MARK = Path("parameters") / "Trck.mat"
"""A folder that holds this file is a session."""

CROSS_MOVIE_LINKS = "cross_movie_links.mat"
"""Beside graphs of anTraX: which tracklets go on in the next movie."""

MovieFile = Literal["images", "frame_passed", "trdata", "autoids", "confidence", "frameprobs", "graph", "positions"]
"""Files of which there is one a movie, or one a part of a movie."""
_SUFFIXES: dict[MovieFile, str] = {
    "images": ".mat",
    "frame_passed": ".mat",
    "trdata": ".mat",
    "autoids": ".csv",
    "confidence": ".csv",
    "frameprobs": ".h5",
    "graph": ".h5",
    "positions": ".parquet",
}
AntraxFile = Literal["graph", "xy", "tracklets_table"]
"""Files of anTraX that say the first and the last movie that they cover."""
_ANTRAX_SUFFIXES: dict[AntraxFile, str] = {"graph": ".mat", "xy": ".mat", "tracklets_table": ".csv"}
_ANTRAX_FILE = re.compile(r"(?P<kind>[a-z_]+)_(?P<first>[0-9]{1,9})_(?P<last>[0-9]{1,9})(?P<suffix>\.\w+)")
_MOST_MOVIES = 100_000
_IN_PARTS = ("images", "frame_passed", "trdata")
# A longer number is not taken for the number of a movie.
_MOVIE_FILE = re.compile(
    r"(?P<kind>[a-z]+(?:_[a-z]+)?)_(?P<movie>[0-9]{1,9})(?:_p(?P<part>[0-9]{1,9}))?(?P<suffix>\.\w+)"
)


def is_session(folder: Path) -> bool:
    """Whether a folder is a session; one that cannot be looked into is none."""
    # The top folder of a drive has folders without read permission.
    try:
        return (folder / SESSION_MARK).is_file()
    except PermissionError:
        return False


def movie_file(name: str, kind: MovieFile) -> tuple[int, int] | None:
    """Movie and part (0 for a movie as a whole) of a file name; None for a name of another form.

    Examples
    --------
    >>> movie_file("images_12_p2.mat", "images")
    (12, 2)
    >>> movie_file("._images_12.mat", "images") is None
    True
    """
    match = _MOVIE_FILE.fullmatch(name)
    if not match or match["kind"] != kind or match["suffix"] != _SUFFIXES[kind]:
        return None
    if match["part"] and kind not in _IN_PARTS:
        return None
    return int(match["movie"]), int(match["part"] or 0)


def checkpoint_file(classifier: Path, phase: str) -> Path:
    """Where an interrupted training run of a classifier keeps the state of one of its phases."""
    return classifier.with_name(f".{classifier.name}.{phase}.checkpoint")


def classifier_claim(classifier: Path, work: Literal["train", "classify"]) -> str:
    """Task name for claims on a classifier (`antrax.io.locks`).

    Names of classifiers may hold what a search for files takes for a pattern, so their digest stands for them.
    """
    return f"{work}-{blake2b(os.fsencode(classifier.name), digest_size=4).hexdigest()}"


def antrax_file(name: str, kind: AntraxFile) -> range | None:
    """Movies that a file of anTraX covers, by its name; None for a name of another form.

    Examples
    --------
    >>> antrax_file("graph_2_4.mat", "graph")
    range(2, 5)
    """
    match = _ANTRAX_FILE.fullmatch(name)
    if not match or match["kind"] != kind or match["suffix"] != _ANTRAX_SUFFIXES[kind]:
        return None
    first, last = int(match["first"]), int(match["last"])
    return range(first, last + 1) if first <= last < first + _MOST_MOVIES else None


def separate_tracklets_file(graph: Path) -> Path:
    """Tracklets of a graph file of anTraX, where they do not lie in the file itself."""
    return graph.with_name(f"{graph.stem}_trjs.mat")


_TASK_FILE = re.compile(r"task_(?P<job>[0-9]{1,12})_(?P<task>[0-9]{1,9})\.(?P<kind>log|exit)")


@dataclass(frozen=True)
class ClusterLayout:
    """Names in the folder of what was given to a cluster: a folder each, which a script and its tasks' logs lie in.

    Parameters
    ----------
    path : Path
    """

    path: Path

    def jobs(self, command: str) -> list[Path]:
        """The folders of a command's jobs, the latest last; those that cannot be listed are none."""
        try:
            return sorted(path for path in self.path.iterdir() if path.name.startswith(f"{command}_"))
        except OSError:
            return []

    @staticmethod
    def script(job: Path, command: str) -> Path:
        """The script that sbatch takes."""
        return job / f"{command}.sbatch"

    @staticmethod
    def record(job: Path) -> Path:
        """Which task does what, and what the cluster calls the job."""
        return job / "job.json"

    @staticmethod
    def task_file(name: str) -> tuple[str, int, str] | None:
        """Number of the job, number of the task, and `log` or `exit` of a file name; None for any other file.

        Examples
        --------
        >>> ClusterLayout.task_file("task_4711_3.log")
        ('4711', 3, 'log')
        """
        match = _TASK_FILE.fullmatch(name)
        return (match["job"], int(match["task"]), match["kind"]) if match else None


@dataclass(frozen=True)
class ClassifierLayout:
    """Names in a folder that holds a training set and classifiers, inside of a session or outside of any.

    Parameters
    ----------
    path : Path
    """

    path: Path

    @property
    def examples(self) -> Path:
        """One folder a label, and nothing else."""
        return self.path / EXAMPLES

    @property
    def trash(self) -> Path:
        """Examples that users deleted, by label."""
        return self.path / "trash"

    @property
    def records(self) -> Path:
        """Records of training runs, a folder each."""
        return self.path / "training"

    def classifier(self, name: str = "classifier") -> Path:
        """The classifier of that name."""
        return self.path / f"{name}{CLASSIFIER_SUFFIX}"

    @property
    def cluster(self) -> ClusterLayout:
        """Trainings that were given to a cluster."""
        return ClusterLayout(self.path / "cluster")

    @property
    def trainset_lock(self) -> Path:
        """Lock for changes of the training set and of the labels of its session.

        A training set that several sessions share is a link, and so its lock lies beside what the link points to.
        """
        return self.examples.resolve().parent / ".trainset.lock"

    @property
    def job_lock(self) -> Path:
        """Lock of the page's background job."""
        return self.path / ".job.lock"


@dataclass(frozen=True)
class SessionLayout:
    """Names in a session's folder.

    Parameters
    ----------
    path : Path
        The session's folder.
    """

    path: Path

    @property
    def parameters(self) -> Path:
        """Tables and settings of the session."""
        return self.path / "parameters"

    @property
    def mark(self) -> Path:
        """Parameters of the tracker: the file that makes the folder a session."""
        return self.path / SESSION_MARK

    @property
    def labels_file(self) -> Path:
        """Labels and their categories."""
        return self.parameters / LABELS_FILE

    @property
    def matlab_labels_file(self) -> Path:
        """Labels as MATLAB keeps them; where it exists, `labels_file` may be of the old form."""
        return self.parameters / "labels.mat"

    @property
    def movies_file(self) -> Path:
        """Table of the movies."""
        return self.parameters / "movies_info.txt"

    @property
    def parameters_file(self) -> Path:
        """Settings of the tracking."""
        return self.parameters / "prmtrs.json"

    @property
    def id_changes_file(self) -> Path:
        """Times at which animals join or leave (`ids.cfg`)."""
        return self.parameters / "ids.cfg"

    @property
    def manual_propagation_file(self) -> Path:
        """Manual corrections of single tracklets: which animals they hold, and whether only one (`prop.cfg`)."""
        return self.parameters / "prop.cfg"

    @property
    def manual_ids_file(self) -> Path:
        """Manual labels of tracklets."""
        return self.labels / "manualids.csv"

    @property
    def logs(self) -> Path:
        """Records of runs."""
        return self.path / "logs"

    @property
    def solving_record(self) -> Path:
        """Record of solving: inputs, options, and labels that contradict the solution."""
        return self.logs / "solve.json"

    @property
    def solving_lock(self) -> Path:
        """Lock file held while solutions are put in place, and the record is written."""
        return self.logs / "solve.lock"

    @property
    def renaming(self) -> Path:
        """What a label is renamed to, while that is under way or was broken off."""
        return self.logs / "renaming.json"

    @property
    def runs(self) -> Path:
        """A file for each run of a command on the session's movies: the outcome of each."""
        return self.logs / "runs"

    @property
    def cluster(self) -> ClusterLayout:
        """Jobs submitted to a cluster."""
        return ClusterLayout(self.logs / "cluster")

    @property
    def backgrounds(self) -> Path:
        """Images of the arena without animals."""
        return self.parameters / "backgrounds"

    @property
    def masks(self) -> Path:
        """Images of the regions of interest and the colonies."""
        return self.parameters / "masks"

    @property
    def colony_index_mask(self) -> Path:
        """Number of the colony at each pixel, 0 outside."""
        return self.masks / "colony_index_mask.png"

    @property
    def roi_mask(self) -> Path:
        """Region of interest."""
        return self.masks / "roimask.png"

    @property
    def background(self) -> Path:
        """Image of the arena without animals that is shown first."""
        return self.backgrounds / "background.png"

    @property
    def images(self) -> Path:
        """Image stacks."""
        return self.path / "images"

    @property
    def tracklets(self) -> Path:
        """Measurements of blobs."""
        return self.path / "tracklets"

    @property
    def labels(self) -> Path:
        """Results of classification."""
        return self.path / "labels"

    @property
    def set_aside(self) -> Path:
        """Outdated results of classification, a folder each."""
        return self.labels / "set_aside"

    @property
    def classifier(self) -> ClassifierLayout:
        """The session's training set and classifiers."""
        return ClassifierLayout(self.path / "classifier")

    @property
    def marks_file(self) -> Path:
        """Marks of a validation."""
        return self.path / "validation" / "marks.csv"

    @property
    def position_marks_file(self) -> Path:
        """Marks of a validation of positions."""
        return self.path / "validation" / "position_marks.csv"

    @property
    def flags_file(self) -> Path:
        """Flags that people put on tracklets."""
        return self.path / "validation" / "flags.csv"

    @property
    def groups_file(self) -> Path:
        """Groups of tracklets that look alike, and features of each."""
        return self.path / "groups" / "groups.h5"

    @property
    def marks_lock(self) -> Path:
        """Lock for writing marks."""
        return self.marks_file.with_suffix(".lock")

    @property
    def graphs(self) -> Path:
        """Graphs of tracklets."""
        return self.path / "graphs"

    @property
    def positions(self) -> Path:
        """Tables of positions of animals."""
        return self.path / "positions"

    @property
    def unfinished_positions(self) -> Path:
        """Marker that exists while files of positions are being replaced; it remains if that is interrupted."""
        return self.positions / ".unfinished"

    def netcdf(self, movie: int) -> Path:
        """A movie's positions for `movement`."""
        return self.path / "positions_netcdf" / f"positions_{movie}.nc"

    def export(self, name: str) -> Path:
        """An exported file of that name."""
        return self.path / "export" / name

    def antdata(self, colony: str = "") -> Path:
        """Positions of animals; a folder a colony where there are several."""
        return self.path / "antdata" / colony if colony else self.path / "antdata"

    def folder(self, kind: MovieFile) -> Path:
        """Where the files of a kind lie."""
        match kind:
            case "images" | "frame_passed":
                return self.images
            case "trdata":
                return self.tracklets
            case "graph":
                return self.graphs
            case "positions":
                return self.positions
            case _:
                return self.labels

    def file(self, kind: MovieFile, movie: int) -> Path:
        """The file of a kind of a movie that was tracked as a whole."""
        return self.folder(kind) / f"{kind}_{movie}{_SUFFIXES[kind]}"

    def antrax_file(self, kind: AntraxFile, movie: int, colony: str = "") -> Path:
        """A movie's file of anTraX, in a folder a colony where there are several.

        Parameters
        ----------
        kind : AntraxFile
            What it holds.
        movie : int
            Index of the movie.
        colony : str, optional
            Name of the colony where there are several.
        """
        folder = self.graphs / colony if kind == "graph" else self.antdata(colony)
        return folder / f"{kind}_{movie}_{movie}{_ANTRAX_SUFFIXES[kind]}"

    def companion(self, stack: Path, kind: Literal["frame_passed", "trdata"]) -> Path:
        """The file that belongs to an image stack, parts kept apart likewise."""
        return self.folder(kind) / stack.name.replace("images", kind, 1)

    def files(self, kind: MovieFile) -> dict[int, tuple[Path, ...]]:
        """The files of a kind that are there now, by movie in order; several where a movie was tracked in parts.

        Raises
        ------
        ExperimentError
            The folder cannot be read. One that does not exist holds no file.
        """
        folder = self.folder(kind)
        try:
            entries = list(folder.iterdir())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ExperimentError(f"{folder} cannot be read: {error.strerror or error}") from None
        found: dict[int, list[tuple[int, Path]]] = {}
        for path in entries:
            if place := movie_file(path.name, kind):
                found.setdefault(place[0], []).append((place[1], path))
        return {movie: tuple(path for _, path in sorted(parts)) for movie, parts in sorted(found.items())}
