"""`antrax merge-trainset`: adding training sets to one another without losing anything."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from antrax.errors import OutputError, TrainsetError
from antrax.images import BadImageError, read_example
from antrax.io.atomic import make_folder, replacing
from antrax.io.layout import EXAMPLE_SUFFIX, EXAMPLES, ClassifierLayout
from antrax.io.locks import only_writer
from antrax.io.session import is_experiment, open_session
from antrax.progress import Reporter
from antrax.training.dataset import ClassDir, ExampleFile, list_examples, open_classdir, pixel_digest


@dataclass(frozen=True)
class MergeResult:
    """What a merge did, or would do.

    Parameters
    ----------
    destination : Path
        Its `examples` folder.
    added : dict of str to int
        Number of images added, by label.
    present : int
        Images that were there already, under whatever name.
    renamed : int
        Of the added ones, those whose name was taken by another image and that got a new one.
    corrupt : tuple of str
        Files left out, and why.
    only_source, only_destination : tuple of str
        Labels that only one side had before the merge.
    """

    destination: Path
    added: dict[str, int]
    present: int
    renamed: int
    corrupt: tuple[str, ...]
    only_source: tuple[str, ...] = ()
    only_destination: tuple[str, ...] = ()


def merge_trainsets(
    sources: Sequence[str | os.PathLike[str]],
    destination: str | os.PathLike[str],
    *,
    dry_run: bool = False,
    reporter: Reporter | None = None,
) -> MergeResult:
    """Add all examples of the sources to the destination.

    An image that the destination has already among those of its tracklet is skipped, whatever its name, for older sets
    number frames in another way; one whose name is taken by another image is kept under a new name. Each file appears
    whole or not at all, so a merge that was cut short can be repeated.

    Parameters
    ----------
    sources : sequence of paths
        Folders that hold `examples/`, or experiments.
    destination : path
        Likewise; a folder that does not exist is made.
    dry_run : bool
        Change nothing, only tell.
    reporter : Reporter, optional

    Raises
    ------
    TrainsetError
        A source is no training set, or is the destination.
    OutputError
        The destination cannot be written.
    """
    reporter = reporter or Reporter()
    target = _destination(Path(destination))
    opened = [open_classdir(source) for source in sources]
    for source in opened:
        if source.examples_dir.resolve() == target.examples_dir.resolve():
            raise TrainsetError(f"{source.path} is both a source and the destination")
    there = list_examples(target.examples_dir) if target.examples_dir.is_dir() else []
    files = [file for source in opened for file in list_examples(source.examples_dir)]
    if not files:
        raise TrainsetError(f"{', '.join(str(source.examples_dir) for source in opened)}: no examples to add")
    old_labels, new_labels = {file.label for file in there}, {file.label for file in files}
    return replace(
        _copy(files, there, target.examples_dir, dry_run, reporter),
        only_source=tuple(sorted(new_labels - old_labels)) if old_labels else (),
        only_destination=tuple(sorted(old_labels - new_labels)),
    )


def _destination(path: Path) -> ClassDir:
    path = path.expanduser().absolute()
    if path.name == EXAMPLES:
        raise TrainsetError(f"{path}: name the folder that holds `examples`, {path.parent}")
    if path.is_dir() and not ClassifierLayout(path).examples.is_dir() and is_experiment(path):
        session = open_session(path)
        return ClassDir(session.classifier_dir, session)
    if path.exists() and not path.is_dir():
        raise TrainsetError(f"{path} is no folder")
    return ClassDir(path)


class _Taken:
    """Which names and images the destination has, including what this merge adds; reads only what it must."""

    def __init__(self, files: list[ExampleFile], examples_dir: Path) -> None:
        self._examples_dir = examples_dir
        # Not all file systems tell names apart that differ in case only.
        self._names = {(file.label, file.path.name.casefold()) for file in files}
        self._unread: dict[tuple[str, str], list[Path]] = defaultdict(list)
        self._images: dict[tuple[str, str], set[bytes]] = defaultdict(set)
        for file in files:
            self._unread[_tracklet(file)].append(file.path)

    def has_image(self, file: ExampleFile, digest: bytes) -> bool:
        """Whether the image is there among those of its label and tracklet."""
        key = _tracklet(file)
        for path in self._unread.pop(key, ()):
            with contextlib.suppress(BadImageError):
                self._images[key].add(pixel_digest(read_example(path)))
        return digest in self._images[key]

    def has_name(self, label: str, name: str) -> bool:
        """Whether a file of that name is there, damaged ones too: they are not ours to delete."""
        # the second where labels differ in case only, and their folders are one
        return (label, name.casefold()) in self._names or (self._examples_dir / label / name).exists()

    def add(self, file: ExampleFile, name: str, digest: bytes) -> None:
        self._names.add((file.label, name.casefold()))
        self._images[_tracklet(file)].add(digest)


def _tracklet(file: ExampleFile) -> tuple[str, str]:
    """Label and tracklet; one for all files of a label whose names tell no tracklet."""
    return file.label, file.tracklet if file.experiment else ""


def _copy(
    files: list[ExampleFile], there: list[ExampleFile], examples_dir: Path, dry_run: bool, reporter: Reporter
) -> MergeResult:
    taken = _Taken(there, examples_dir)
    added: dict[str, int] = defaultdict(int)
    corrupt: list[str] = []
    present = renamed = 0
    with reporter.bar("merging", len(files), "images") as update:
        for number, file in enumerate(files, 1):
            update(number, "")
            try:
                digest = pixel_digest(read_example(file.path))
            except BadImageError as error:
                corrupt.append(f"{file.path}: {error}")
                continue
            if taken.has_image(file, digest):
                present += 1
                continue
            if dry_run:
                name = _free_name(file, taken)
            else:
                make_folder(examples_dir / file.label)
                # somebody may be labelling meanwhile: a name is looked for and taken while nobody else writes
                with only_writer(ClassifierLayout(examples_dir.parent).trainset_lock):
                    name = _free_name(file, taken)
                    with replacing(examples_dir / file.label / name) as temporary:
                        shutil.copyfile(file.path, temporary)
            taken.add(file, name, digest)
            added[file.label] += 1
            renamed += name != file.path.name
    return MergeResult(examples_dir, dict(added), present, renamed, tuple(corrupt))


def _free_name(file: ExampleFile, taken: _Taken) -> str:
    """A name for a file at the destination.

    Where its own is taken, the experiment's part gets a suffix (`exp.m1.trj_…`): the frame's number and the tracklet's
    name keep their places.
    """
    name = file.path.name
    for attempt in range(1, 10_000):
        if not taken.has_name(file.label, name):
            return name
        if file.experiment:
            rest = file.path.name[len(file.experiment) + 1 :]
            name = f"{file.experiment}.m{attempt}.{rest}"
        else:
            name = f"{file.path.stem}.m{attempt}{EXAMPLE_SUFFIX}"
    raise OutputError(f"{file.path}: no free name at the destination")
