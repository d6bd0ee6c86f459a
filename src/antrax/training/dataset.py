"""Training sets: the labelled example images below `examples/`, and what is held out of them."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError, TrainsetError
from antrax.images import Background, BadImageError, Preparation, detect_background, prepare, read_example
from antrax.io.layout import EXAMPLE_SUFFIX, EXAMPLES, ClassifierLayout, is_session
from antrax.io.names import parse_example_name
from antrax.io.session import Session, is_experiment, open_session
from antrax.labels import Category, guess_category

HELD_OUT_SHARE = 0.2
# Whole experiments are held out too once there are so many that the rest still shows what experiments differ in.
EXPERIMENTS_ENOUGH = 12
HELD_OUT_EXPERIMENTS = 0.1
# Of a long tracklet, neighbouring images teach nothing new: so many, evenly spread, are kept in memory.
IMAGES_PER_TRACKLET = 400

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ExampleFile:
    """One file of a training set.

    Parameters
    ----------
    path : Path
    label : str
    experiment, tracklet : str
        From the file's name; a name of another form is a tracklet of its own in an unnamed experiment.
    """

    path: Path
    label: str
    experiment: str
    tracklet: str


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


@dataclass(frozen=True)
class Trainset:
    """Examples in memory, ready to train on.

    Parameters
    ----------
    images : NDArray[np.uint8]
        Shape (N, S, S, 3), as `antrax.images.prepare` gives them.
    label_index : NDArray[np.int64]
        Shape (N,), into `labels`.
    tracklet_index : NDArray[np.int64]
        Shape (N,), into `tracklets`.
    labels : tuple of str
        Labels that have examples, sorted.
    tracklets : tuple of (str, str)
        Experiment and tracklet.
    background : {"white", "black"}
    problems : tuple of str
        What was left out and why, a sentence each.
    digest : str
        Tells this set from any other: changes with any example used and with the size.
    files : int
        Number of example files found.
    """

    images: NDArray[np.uint8]
    label_index: NDArray[np.int64]
    tracklet_index: NDArray[np.int64]
    labels: tuple[str, ...]
    tracklets: tuple[tuple[str, str], ...]
    background: Background
    problems: tuple[str, ...] = ()
    digest: str = ""
    files: int = 0

    def held_out(self) -> NDArray[np.bool_]:
        """Which tracklets are held out by `is_held_out`; shape (tracklets,)."""
        experiments = held_out_experiments(self.tracklets)
        return np.array([is_held_out(*key) or key[0] in experiments for key in self.tracklets], bool)

    def in_held_out_experiments(self) -> NDArray[np.bool_]:
        """Which tracklets belong to experiments that are held out whole; shape (tracklets,)."""
        experiments = held_out_experiments(self.tracklets)
        return np.array([key[0] in experiments for key in self.tracklets], bool)

    def fingerprints(self) -> NDArray[np.uint64]:
        """A number for each tracklet, by which a classifier remembers what it has seen; shape (tracklets,)."""
        return np.array([_hash(*key) for key in self.tracklets], np.uint64)


def open_classdir(path: str | os.PathLike[str], session: str | None = None) -> ClassDir:
    """The training set that a command's argument stands for.

    Parameters
    ----------
    path : path
        A folder that holds `examples/`, or an experiment (then its session's `classifier` folder).
    session : str, optional
        Name of the experiment's session; the latest by default.

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


def list_examples(examples_dir: Path) -> list[ExampleFile]:
    """All example files in sorted order; folders and files that are none are passed over.

    Raises
    ------
    TrainsetError
        The folder cannot be read.
    """
    found: list[ExampleFile] = []
    try:
        folders = sorted(path for path in examples_dir.iterdir() if path.is_dir() and not path.name.startswith("."))
        for folder in folders:
            for path in sorted(folder.iterdir()):
                if path.suffix.lower() != EXAMPLE_SUFFIX or path.name.startswith("."):
                    continue
                parsed = parse_example_name(path.stem)
                experiment, tracklet = parsed[:2] if parsed else ("", path.stem)
                found.append(ExampleFile(path, folder.name, experiment, tracklet))
    except OSError as error:
        raise TrainsetError(f"{examples_dir} cannot be read: {error.strerror}") from None
    return found


def load_trainset(
    classdir: ClassDir, preparation: Preparation | int | None = None, *, progress: Progress | None = None
) -> Trainset:
    """Read a training set.

    Damaged files, exact duplicates and images that lie under two labels are left out and listed in `problems`.

    Parameters
    ----------
    classdir : ClassDir
    preparation : Preparation or int, optional
        How an existing network wants its images; or their side length in pixels, that of the first image in sorted
        order by default. The background is always the one that the examples have.
    progress : callable, optional
        Called with the number of files read and of all files.

    Raises
    ------
    TrainsetError
        No usable example, or examples of one label only.
    """
    found = list_examples(classdir.examples_dir)
    if not found:
        raise TrainsetError(
            f"{classdir.examples_dir} holds no examples; it needs one folder a label with PNG images in it"
        )
    files = _thin(found)
    background, first_size = _look_ahead(files)
    if not isinstance(preparation, Preparation):
        preparation = Preparation(preparation or first_size, background)
    preparation = replace(preparation, background=background)
    images = np.empty((len(files), preparation.size, preparation.size, 3), np.uint8)
    outcomes: list[bytes | str] = []

    def read(index: int) -> bytes | str:
        try:
            image = read_example(files[index].path, background)
        except BadImageError as error:
            return str(error)
        images[index] = prepare(image[None], preparation)[0]
        return pixel_digest(image)

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for outcome in pool.map(read, range(len(files))):
            outcomes.append(outcome)
            if progress:
                progress(len(outcomes), len(files))

    problems = [
        f"{file.path}: {outcome}; left out"
        for file, outcome in zip(files, outcomes, strict=True)
        if isinstance(outcome, str)
    ]
    digests = {index: outcome for index, outcome in enumerate(outcomes) if isinstance(outcome, bytes)}
    keep = _unambiguous(files, digests, problems)
    if not keep:
        raise TrainsetError(f"{classdir.examples_dir} holds no usable example: {problems[0]}")
    kept = [files[index] for index in keep]
    labels = tuple(sorted({file.label for file in kept}))
    if len(labels) < 2:
        raise TrainsetError(
            f"{classdir.examples_dir} has usable examples of one label only ({labels[0]}); a classifier tells at least "
            "two apart, so add examples of another"
        )
    tracklets = tuple(sorted({(file.experiment, file.tracklet) for file in kept}))
    tracklet_of = {key: index for index, key in enumerate(tracklets)}
    basis = f"{preparation.size} {background}" + (repr(preparation) if preparation.antrax else "")
    state = hashlib.blake2b(basis.encode(), digest_size=16)
    for file, index in zip(kept, keep, strict=True):
        state.update(f"{file.label}\0{file.experiment}\0{file.tracklet}\0".encode() + digests[index])
    return Trainset(
        images=images if len(keep) == len(images) else images[keep],
        label_index=np.array([labels.index(file.label) for file in kept], np.int64),
        tracklet_index=np.array([tracklet_of[file.experiment, file.tracklet] for file in kept], np.int64),
        labels=labels,
        tracklets=tracklets,
        background=background,
        problems=tuple(problems),
        digest=state.hexdigest(),
        files=len(found),
    )


def _thin(files: list[ExampleFile]) -> list[ExampleFile]:
    """At most `IMAGES_PER_TRACKLET` files of each tracklet and label, evenly spread over it."""
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for index, file in enumerate(files):
        groups[file.experiment, file.tracklet, file.label].append(index)
    chosen: list[int] = []
    for indices in groups.values():
        # by frame, for names sort 10 before 9
        indices.sort(key=lambda index: (len(files[index].path.name), files[index].path.name))
        count = min(len(indices), IMAGES_PER_TRACKLET)
        chosen += [indices[round(place)] for place in np.linspace(0, len(indices) - 1, count)]
    return [files[index] for index in sorted(chosen)]


def _look_ahead(files: list[ExampleFile]) -> tuple[Background, int]:
    """Background of the set, and the size of its first usable image in sorted order."""
    size = 0
    sample = []
    for file in files[:: max(1, len(files) // 100)]:
        try:
            sample.append(read_example(file.path))
        except BadImageError:
            continue
    for file in files:
        try:
            size = len(read_example(file.path))
            break
        except BadImageError:
            continue
    return detect_background(sample), max(size, 1)


def _unambiguous(files: list[ExampleFile], digests: dict[int, bytes], problems: list[str]) -> list[int]:
    """Indices of the files to keep: one of each exact duplicate, none that lies under two labels."""
    places: dict[bytes, list[int]] = defaultdict(list)
    for index, digest in digests.items():
        places[digest].append(index)
    keep: list[int] = []
    duplicates = 0
    ambiguous: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for same in places.values():
        labels = tuple(sorted({files[index].label for index in same}))
        if len(labels) > 1:
            ambiguous[labels] += same
        else:
            keep.append(same[0])
            duplicates += len(same) - 1
    for labels, indices in ambiguous.items():
        paths = [str(files[index].path) for index in sorted(indices)]
        more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
        problems.append(f"the same image under {' and '.join(labels)}: {' and '.join(paths[:2])}{more}; left out")
    if duplicates:
        problems.append(f"{duplicates} exact duplicates: each image is used once")
    return sorted(keep)


def pixel_digest(image: NDArray[np.uint8]) -> bytes:
    """Digest of an image's pixels and size, by which copies are found whatever their names."""
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=12, salt=str(len(image)).encode()).digest()


def is_held_out(experiment: str, tracklet: str) -> bool:
    """Whether a tracklet is held out from measured training: a fixed hash, the same in every run and on every set."""
    return _hash(experiment, tracklet) < HELD_OUT_SHARE * 2**64


def held_out_experiments(tracklets: Iterable[tuple[str, str]]) -> set[str]:
    """Experiments held out whole, by a fixed hash of their names.

    None where there are fewer than `EXPERIMENTS_ENOUGH`; nor one with more than a tenth of the tracklets, without
    which the rest would be another training set.
    """
    sizes = Counter(experiment for experiment, _ in tracklets if experiment)
    if len(sizes) < EXPERIMENTS_ENOUGH:
        return set()
    limit = sizes.total() / 10
    return {name for name, size in sizes.items() if size <= limit and _hash(name, "") < HELD_OUT_EXPERIMENTS * 2**64}


def _hash(experiment: str, tracklet: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{experiment}\0{tracklet}".encode(), digest_size=8).digest(), "big")


def label_categories(labels: Iterable[str], session: Session | None) -> dict[str, Category]:
    """Category of each label: what the session says, else what the name says.

    Raises
    ------
    LabelsError
        The session's labels.csv is missing or broken.
    """
    known = session.labels if session else None
    return {label: known.likely_category(label) if known else guess_category(label) for label in labels}
