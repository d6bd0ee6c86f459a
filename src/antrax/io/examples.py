"""The files of a training set: one folder a label below `examples/`, an image a file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError, TrainsetError
from antrax.io.experiments import is_experiment
from antrax.io.layout import EXAMPLES, ClassifierLayout, is_session
from antrax.io.session import Session, open_session
from antrax.io.stamps import InputStamps
from antrax.labels import clean_label

# What anTraX writes, and what people's programs save instead.
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
# Longer file names are refused by common file systems; a temporary name has a few bytes more.
LONGEST_NAME = 230

_TRACKLET = re.compile(r"trj_id[0-9]{1,12}_ti[0-9]{1,12}_[0-9]{1,12}_tf[0-9]{1,12}_[0-9]{1,12}")
# Programs that "clean" file names change capital letters and separators.
_CHANGED = re.compile(
    _TRACKLET.pattern.replace("_", "[-_. ]{1,3}").replace("[0-9]{1,12}", "([0-9]{1,12})"), re.IGNORECASE
)
_FRAME = re.compile(r"[._-]([0-9]{1,12})(?![0-9])")
# What file managers and synchronisation programs add to the name of a copy.
_COPY_BEFORE = re.compile(r"^(?:copy (?:\(\d+\) )?of|kopie von|copie de|copia de) ", re.IGNORECASE)
_COPY_AFTER = re.compile(r"(?:[ _-]+(?:copy|kopie|copie|copia)(?: ?\(?\d+\)?)?| ?\(\d+\)| \d+)$", re.IGNORECASE)
# Files that systems leave everywhere.
_CLUTTER = frozenset({"thumbs.db", "desktop.ini", "icon\r"})


@dataclass(frozen=True)
class ExampleFile:
    """One file of a training set.

    Parameters
    ----------
    path : Path
    label : str
        Name of its folder, in Unicode's composed form (NFC).
    experiment : str
        From the file's name; empty where that tells none.
    tracklet : str
        From the file's name; of a name that tells none, the name itself without its ending.
    frame : str
        Opaque key of the frame, from the file's name; empty where that tells none.
    """

    path: Path
    label: str
    experiment: str
    tracklet: str
    frame: str = ""

    @property
    def named(self) -> bool:
        """Whether the file's name tells the tracklet."""
        return _TRACKLET.fullmatch(self.tracklet) is not None

    @property
    def named_as_written(self) -> bool:
        """Whether the file's name is `<experiment>.<tracklet>.<frame>`, as this software and anTraX write it."""
        return self.path.stem == f"{self.experiment}.{self.tracklet}.{self.frame}"


@dataclass(frozen=True)
class Listing:
    """Content of the folder `examples/`.

    Parameters
    ----------
    files : tuple of ExampleFile
        In sorted order of their paths.
    passed_over : tuple of str
        What is not used, and why: a sentence for each kind and folder.
    """

    files: tuple[ExampleFile, ...]
    passed_over: tuple[str, ...]


@dataclass(frozen=True)
class ClassDir:
    """A folder that holds `examples/` and classifiers.

    Parameters
    ----------
    path : Path
    session : Session or None
        The session that it belongs to, where it lies in one.
    """

    path: Path
    session: Session | None = None

    @property
    def layout(self) -> ClassifierLayout:
        """Names of the files in the folder."""
        return ClassifierLayout(self.path)

    @property
    def examples_dir(self) -> Path:
        """Holds one folder a label, and nothing else."""
        return self.layout.examples

    def classifier_file(self, name: str = "classifier") -> Path:
        """The file of the classifier of that name."""
        return self.layout.classifier(name)


def open_classdir(path: str | os.PathLike[str], session: str | None = None) -> ClassDir:
    """Open the training set that a command's argument refers to.

    Parameters
    ----------
    path : path
        A folder that holds `examples/`, or an experiment (then its session's `classifier` folder).
    session : str, optional
        Name of the experiment's session; the latest by default.

    Returns
    -------
    ClassDir

    Raises
    ------
    TrainsetError
        There is neither, or the folder lies in another session.
    """
    folder = Path(path).expanduser().absolute()
    if not folder.is_dir():
        raise TrainsetError(f"{folder} {'is no folder' if folder.exists() else 'does not exist'}")
    if ClassifierLayout(folder).examples.is_dir():
        around = _session_around(folder)
        if session is not None and (around is None or around.name != session):
            raise TrainsetError(
                f"{folder} does not lie in a session {session!r}; name the experiment to choose a session"
            )
        return ClassDir(folder, around)
    if folder.name == EXAMPLES:
        raise TrainsetError(f"{folder}: give the folder that holds it, {folder.parent}")
    if is_experiment(folder):
        opened = open_session(folder, session)
        if not opened.layout.classifier.examples.is_dir():
            raise TrainsetError(f"{opened.classifier_dir} has no folder `examples`; label some tracklets first")
        return ClassDir(opened.classifier_dir, opened)
    raise TrainsetError(
        f"{folder} is no training set (no folder `examples` in it) and no tracked experiment (no session in it)"
    )


def _session_around(classdir: Path) -> Session | None:
    try:
        return open_session(classdir.parent) if is_session(classdir.parent) else None
    except ExperimentError:
        return None


def is_example_name(name: str) -> bool:
    """Whether a file of that name in a label's folder is an example."""
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def example_file(path: Path, label: str) -> ExampleFile:
    """Parse an example's path: experiment, tracklet and frame are searched for anywhere in its name.

    Copies keep what tells their tracklet: `exp.trj_…_99.7 - Copy.png`, `Copy of exp.trj_…_99.7.png`, `trj_…_99.7.png`,
    `EXP-TRJ-…-99-7.PNG`.
    """
    stem = path.stem
    match = None
    for match in _CHANGED.finditer(stem):  # noqa: B007  # the last one: an experiment's name may hold one too
        pass
    if not match:
        return ExampleFile(path, label, "", stem)
    frame = _FRAME.match(stem, match.end())
    experiment = _COPY_BEFORE.sub("", stem[: match.start()]).removesuffix(".")
    tracklet = "trj_id{}_ti{}_{}_tf{}_{}".format(*match.groups())
    return ExampleFile(path, label, experiment, tracklet, frame[1] if frame else "")


def original_name(name: str) -> str | None:
    """Name of the original of a copied file or folder, such as `BB` for `BB - Copy`; None if it is no copy."""
    bare = _COPY_AFTER.sub("", _COPY_BEFORE.sub("", name)).strip()
    return bare if bare and bare != name else None


def copied_folders(labels: Collection[str], listed: Collection[str]) -> dict[str, str]:
    """Folders that are no labels of their own, for they are named as copies of another's: of which label each is.

    Parameters
    ----------
    labels : collection of str
        Names of all folders that hold examples.
    listed : collection of str
        Labels of the session, which are labels whatever they look like.
    """
    likely = {label: original_name(label) for label in labels if label not in listed}
    return {label: name for label, name in likely.items() if name and (name in labels or name in listed)}


def survey_examples(examples_dir: Path) -> Listing:
    """List all example files, and everything else in `examples/`.

    Parameters
    ----------
    examples_dir : Path

    Returns
    -------
    Listing

    Raises
    ------
    TrainsetError
        The folder cannot be read.
    """
    found: list[ExampleFile] = []
    passed: list[str] = []
    try:
        loose = []
        for entry in sorted(os.scandir(examples_dir), key=lambda entry: entry.name):
            if _is_clutter(entry.name):
                continue
            if not _is_folder(entry):
                loose.append(entry.name)
            elif not _is_text(entry.name):
                passed.append(f"{os.fsencode(entry.path)!r}: the folder's name is not UTF-8, rename it; left out")
            else:
                _survey_label(Path(entry.path), found, passed)
        if loose:
            passed.append(_passed_over(examples_dir, loose, "in no label's folder"))
    except OSError as error:
        raise TrainsetError(f"{examples_dir} cannot be read: {error.strerror}") from None
    return Listing(tuple(found), tuple(passed))


def list_examples(examples_dir: Path) -> list[ExampleFile]:
    """The files of `survey_examples` alone."""
    return list(survey_examples(examples_dir).files)


@dataclass(frozen=True)
class ExampleChanges:
    """Changes of a training set during a run that reads it.

    Parameters
    ----------
    added, changed, removed : int
        Files. One that was moved to another label is removed there and added here.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        counts = {"added": self.added, "changed": self.changed, "removed": self.removed}
        return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "none changed"


class ExamplesRead:
    """Stamps of the examples of a run, by which changes during the run are found.

    People label while a training runs, so that the set changes then is no error: it is told, and the next training
    learns of it. What must not be is half of an image. A file is read at once, and again where it was being written
    (`antrax.io.regular_files.read_regular`), so every image is one that lay there at some moment; its stamp is taken
    before that, so that whatever happened to it later is counted.

    Parameters
    ----------
    examples_dir : Path
    files : iterable of Path
        All that were found.
    """

    def __init__(self, examples_dir: Path, files: Iterable[Path]) -> None:
        self._dir, self._found = examples_dir, frozenset(files)
        self._stamps = InputStamps()

    def note(self, path: Path) -> None:
        """Remember a file as it is now; call this before it is read."""
        with contextlib.suppress(OSError):  # told by whoever reads it
            self._stamps.note(path)

    def changes(self) -> ExampleChanges:
        """Files that were added, changed or removed since then."""
        try:
            now = {file.path for file in survey_examples(self._dir).files}
        except TrainsetError:  # the folder is gone
            now = set()
        try:
            changed = now.intersection(self._stamps.changed())
        except OSError:
            changed = set()
        return ExampleChanges(len(now - self._found), len(changed & self._found), len(self._found - now))


def _survey_label(folder: Path, found: list[ExampleFile], passed: list[str]) -> None:
    """Add what lies in a label's folder."""
    label = clean_label(folder.name) or folder.name
    others: dict[str, list[str]] = defaultdict(list)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if _is_clutter(entry.name):
            continue
        if _is_folder(entry):
            inside = [name for _, _, names in os.walk(entry.path) for name in names if is_example_name(name)]
            if inside:
                passed.append(
                    f"{entry.path}: {len(inside)} images in a folder within a label's folder, where none are looked "
                    "for; left out"
                )
        elif not _is_text(entry.name):
            others["of a name that is not UTF-8"].append(os.fsencode(entry.name).decode("ascii", "backslashreplace"))
        elif is_example_name(entry.name):
            found.append(example_file(Path(entry.path), label))
        else:
            others["of another kind than " + ", ".join(SUFFIXES)].append(entry.name)
    passed += [_passed_over(folder, names, why) for why, names in others.items()]


def _passed_over(folder: Path, names: list[str], why: str) -> str:
    named = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    return f"{folder}: {len(names)} file{'s' * (len(names) > 1)} {why} ({named}); left out"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; a link that leads in a circle is none, and costs only itself."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_clutter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _CLUTTER or name.endswith(".part")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def pixel_digest(image: NDArray[np.uint8]) -> bytes:
    """Digest of an image's pixels and size, by which copies are found whatever their names.

    Parameters
    ----------
    image : NDArray[np.uint8]
        Shape (S, S, 3).

    Returns
    -------
    bytes
        12 of them.
    """
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=12, salt=str(len(image)).encode()).digest()
