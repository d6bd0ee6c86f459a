"""`antrax merge-trainset`: adding training sets to one another without losing images."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from antrax.errors import AntraxError, OutputError, TrainsetError
from antrax.images import BadImageError, decode_example, example_content, read_example
from antrax.io.atomic import make_folder, remove_dead_parts, write_atomically
from antrax.io.examples import (
    LONGEST_NAME,
    ClassDir,
    ExampleFile,
    ExamplesRead,
    Listing,
    list_examples,
    open_classdir,
    original_name,
    pixel_digest,
    survey_examples,
)
from antrax.io.experiments import is_experiment
from antrax.io.layout import EXAMPLES, ClassifierLayout
from antrax.io.locks import claim, only_writer
from antrax.io.session import open_session
from antrax.labels import match_labels, spelling_notice
from antrax.progress import Reporter
from antrax.training.dataset import ground_of

# Images looked at on each side to tell what ground they lie on.
_SAMPLE = 100


@dataclass(frozen=True)
class MergeResult:
    """Result of a merge, or of a dry run.

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
    notes : tuple of str
        Warnings: files of the sources that are no examples, light and dark backgrounds mixed.
    """

    destination: Path
    added: dict[str, int]
    present: int
    renamed: int
    corrupt: tuple[str, ...]
    only_source: tuple[str, ...] = ()
    only_destination: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def merge_trainsets(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    destination: str | os.PathLike[str],
    *,
    dry_run: bool = False,
    reporter: Reporter | None = None,
) -> MergeResult:
    """Add all examples of the sources to the destination.

    An image that the destination has already among those of its tracklet is skipped, whatever its name, for older sets
    number frames in another way, and copies have other names; one whose name tells no tracklet is compared with all of
    its label. An image whose name is taken by another one is kept under a new name. Each file appears whole or not at
    all, so a merge that was cut short can be repeated.

    Parameters
    ----------
    sources : path or sequence of paths
        Folders that hold `examples/`, or experiments.
    destination : path
        Likewise; a folder that does not exist is made.
    dry_run : bool
        Change nothing, only tell.
    reporter : Reporter, optional
        Told of progress and warnings; silent by default.

    Returns
    -------
    MergeResult
        What was added to which label, and what was left out.

    Raises
    ------
    TrainsetError
        A source is no training set, or is the destination.
    LockedError
        Another merge into the destination is under way.
    OutputError
        The destination cannot be written.

    Examples
    --------
    >>> result = antrax.merge_trainsets(["colony1", "colony2"], "all-colonies")  # doctest: +SKIP
    >>> sum(result.added.values())  # doctest: +SKIP
    1742
    """
    reporter = reporter or Reporter()
    target = _destination(Path(destination))
    given = [sources] if isinstance(sources, str | os.PathLike) else sources
    opened = [open_classdir(source) for source in given]
    for source in opened:
        if source.examples_dir.resolve() == target.examples_dir.resolve():
            raise TrainsetError(f"{source.path} is both a source and the destination")
    listings = [survey_examples(source.examples_dir) for source in opened]
    if not any(listing.files for listing in listings):
        raise TrainsetError(f"{', '.join(str(source.examples_dir) for source in opened)}: no examples to add")
    with contextlib.ExitStack() as held:
        if not dry_run:
            # of two at once, neither would find what the other adds
            held.enter_context(claim(make_folder(target.path), "merge", None, task="antrax merge-trainset"))
        return _merge(opened, listings, target, dry_run, reporter)


def _merge(
    opened: Sequence[ClassDir], listings: Sequence[Listing], target: ClassDir, dry_run: bool, reporter: Reporter
) -> MergeResult:
    """Add what the sources list to a destination that nobody else merges into meanwhile."""
    there = list_examples(target.examples_dir) if target.examples_dir.is_dir() else []
    # folders of the destination are to be filled, not doubled, whichever way a label is spelt
    listed = target.session.labels.all if target.session else ()
    names = match_labels({file.label for file in there}, listed)
    there = [replace(file, label=names[file.label]) for file in there]
    files, matched = _spelt_alike(opened, listings, (*names.values(), *listed))
    # of copies, the one whose name tells most is to be taken over
    files.sort(key=lambda file: (not file.named_as_written, not file.named))
    spelt = spelling_notice(matched)
    as_read = [
        ExamplesRead(source.examples_dir, (file.path for file in listing.files))
        for source, listing in zip(opened, listings, strict=True)
    ]
    old_labels, new_labels = {file.label for file in there}, {file.label for file in files}
    result = _copy(files, there, target.examples_dir, dry_run, reporter)
    late = sum(read.changes().added for read in as_read)
    return replace(
        result,
        only_source=tuple(sorted(new_labels - old_labels)) if old_labels else (),
        only_destination=tuple(sorted(old_labels - new_labels)),
        notes=(
            *([spelt] if spelt else ()),
            *(note for listing in listings for note in listing.passed_over),
            *_grounds_differ(files, there),
            *([f"{late} images came to the sources while they were merged; merge again to add them"] if late else ()),
        ),
    )


def _spelt_alike(
    sources: Sequence[ClassDir], listings: Sequence[Listing], known: Iterable[str]
) -> tuple[list[ExampleFile], dict[str, str]]:
    """The sources' examples with one spelling of each label, and the spelling of each folder.

    It is that of the destination (`known`), or else of the sources' tables of labels, or else of the first source that
    has the label.
    """
    labels = dict.fromkeys(known)
    for source in sources:
        with contextlib.suppress(AntraxError):  # the examples are there whatever is wrong with the table
            listed = source.session.labels.all if source.session else ()
            labels |= dict.fromkeys(match_labels(listed, labels).values())
    files: list[ExampleFile] = []
    spelling: dict[str, str] = {}
    for listing in listings:
        matched = match_labels(dict.fromkeys(file.label for file in listing.files), labels)
        files += [replace(file, label=matched[file.label]) for file in listing.files]
        labels |= dict.fromkeys(matched.values())
        spelling |= matched
    return files, spelling


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


def _grounds_differ(files: Sequence[ExampleFile], there: Sequence[ExampleFile]) -> tuple[str, ...]:
    """A sentence where the sources' images, or those of the destination, lie on white ground and on black."""
    first: dict[str, Path] = {}
    for some in (files, there):
        for file in some[:: max(1, len(some) // _SAMPLE)]:
            with contextlib.suppress(BadImageError, OSError):
                if ground := ground_of(read_example(file.path)):
                    first.setdefault(ground, file.path)
    if len(first) < 2:
        return ()
    return (
        (
            f"images on white background ({first['white']}) and on black ({first['black']}) are put together: "
            "do they show the same kind of animals?"
        ),
    )


class _Taken:
    """Index of the destination's names and images, including those added by this merge; read as needed."""

    def __init__(self, files: list[ExampleFile], examples_dir: Path, labels: Collection[str]) -> None:
        self._examples_dir = examples_dir
        # Not all file systems tell names apart that differ in case only.
        self._names = {(file.label, file.path.name.casefold()) for file in files}
        self._folders = {file.label: file.path.parent for file in files}
        self._labels = labels
        self._unread: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
        self._images: dict[tuple[str, str], set[bytes]] = defaultdict(set)
        for file in files:
            self._unread[file.label][_tracklet(file)].append(file.path)

    def folder(self, label: str) -> Path:
        """The folder of a label, which may be there under a name that Unicode writes in another way."""
        return self._folders.get(label, self._examples_dir / label)

    def has_image(self, file: ExampleFile, digest: bytes) -> bool:
        """Whether the image is there under its label, or under the one whose folder its own is a copy of."""
        original = original_name(file.label)
        labels = [file.label, original] if original in self._labels else [file.label]
        return any(self._has(label, _tracklet(file), digest) for label in labels if label)

    def _has(self, label: str, tracklet: str, digest: bytes) -> bool:
        # an image of the same tracklet may have lost its name, and one without a name may be of any
        for name in (tracklet, "") if tracklet else list(self._unread[label] | {n: [] for n in self._known(label)}):
            for path in self._unread[label].pop(name, ()):
                with contextlib.suppress(BadImageError):
                    self._images[label, name].add(pixel_digest(read_example(path)))
            if digest in self._images[label, name]:
                return True
        return False

    def _known(self, label: str) -> list[str]:
        return [name for folder, name in self._images if folder == label]

    def has_name(self, label: str, name: str) -> bool:
        """Whether a file of that name is there, damaged ones too: they are not ours to delete."""
        # the second where labels differ in case only, and their folders are one
        return (label, name.casefold()) in self._names or (self.folder(label) / name).exists()

    def came_meanwhile(self, file: ExampleFile, digest: bytes) -> bool:
        """Whether somebody has put the same image there, under the same name, since this merge began."""
        if (file.label, file.path.name.casefold()) in self._names:
            return False
        with contextlib.suppress(BadImageError, OSError):
            return pixel_digest(read_example(self.folder(file.label) / file.path.name)) == digest
        return False

    def add(self, file: ExampleFile, name: str, digest: bytes) -> None:
        """Note an image that was added."""
        self._names.add((file.label, name.casefold()))
        self._images[file.label, _tracklet(file)].add(digest)


def _tracklet(file: ExampleFile) -> str:
    """What images of one tracklet have in common in their names; empty where a name tells none.

    It is the name without its last frame: a program that took out the dot before the frame made that another number.
    """
    return file.tracklet.rpartition("_")[0] if file.named else ""


def _copy(
    files: list[ExampleFile], there: list[ExampleFile], examples_dir: Path, dry_run: bool, reporter: Reporter
) -> MergeResult:
    taken = _Taken(there, examples_dir, {file.label for file in (*there, *files)})
    if not dry_run:
        for label in {file.label for file in files}:
            remove_dead_parts(taken.folder(label))
    added: dict[str, int] = defaultdict(int)
    corrupt: list[str] = []
    present = renamed = 0
    with reporter.bar("merging", len(files), "images") as update:
        for number, file in enumerate(files, 1):
            update(number, "")
            try:
                # read once: what is copied is what was looked at, whatever happens to the file
                content = example_content(file.path)
                digest = pixel_digest(decode_example(content))
            except BadImageError as error:
                corrupt.append(f"{file.path}: {error}")
                continue
            if taken.has_image(file, digest):
                present += 1
                continue
            if dry_run:
                name = _free_name(file, taken)
            else:
                folder = make_folder(taken.folder(file.label))
                # somebody may be labelling meanwhile: a name is looked for and taken while nobody else writes
                with only_writer(ClassifierLayout(examples_dir.parent).trainset_lock):
                    name = _free_name(file, taken)
                    if name != file.path.name and taken.came_meanwhile(file, digest):
                        present += 1
                        continue
                    write_atomically(folder / name, content)
            taken.add(file, name, digest)
            added[file.label] += 1
            renamed += name != file.path.name
    return MergeResult(examples_dir, dict(added), present, renamed, tuple(corrupt))


def _free_name(file: ExampleFile, taken: _Taken) -> str:
    """A name for a file at the destination.

    Where its own is taken, the experiment's part gets a suffix (`exp.m1.trj_…`): the frame's number and the tracklet's
    name keep their places. One that is too long for a temporary name is cut.
    """
    name = original = _cut(file)
    suffix = file.path.suffix
    for attempt in range(1, 10_000):
        if not taken.has_name(file.label, name):
            return name
        if file.named_as_written and original == file.path.name:
            name = f"{file.experiment}.m{attempt}.{file.tracklet}.{file.frame}{suffix}"
        else:
            name = f"{original.removesuffix(suffix)}.m{attempt}{suffix}"
    raise OutputError(f"{file.path}: no free name at the destination")


def _cut(file: ExampleFile) -> str:
    """A file's own name, or one as long as can be written that tells the same tracklet and frame."""
    name = file.path.name
    if len(name.encode()) <= LONGEST_NAME:
        return name
    rest = f".{file.tracklet}.{file.frame}" if file.named else ""
    rest += "" if file.named and file.frame else f".{blake2b(name.encode(), digest_size=4).hexdigest()}"
    rest += file.path.suffix
    start = name.encode()[: LONGEST_NAME - len(rest.encode())].decode(errors="ignore")
    return (file.experiment[: len(start)] if file.named else start) + rest
