"""Which files a training set holds while people work on it, and which of them are the same image."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from antrax.errors import TrainsetError
from antrax.images import Background, BadImageError, read_example
from antrax.io.examples import ExampleFile, example_file, is_example_name, pixel_digest
from antrax.io.regular_files import read_regular
from antrax.labels import clean_label

# Files read or written at a time: each costs a wait, for a network drive or until it is safe on a disk.
THREADS = 8
# File systems date folders in steps of up to two seconds, so one that was listed may change and keep its date.
_SETTLED = 2.0


@dataclass(frozen=True, slots=True)
class Count:
    """Numbers of images and tracklets of a label.

    Parameters
    ----------
    examples : int
        Images.
    tracklets : int
        Tracklets that they are from.
    """

    examples: int
    tracklets: int


@dataclass(frozen=True, slots=True)
class _Folder:
    """What a folder of a label held when it was listed."""

    directory: str  # its name, which may spell the label in another way
    date: int  # mtime, ns
    dated: float  # when this date was first met, seconds of the monotonic clock
    listed: float  # when the folder was listed, likewise
    names: frozenset[str]
    tracklets: Mapping[str, Sequence[str]]  # names by tracklet, whatever the experiment
    origins: frozenset[tuple[str, str]]  # experiments and tracklets


class ExampleFiles:
    """Which files lie below `examples/`; several threads may ask.

    A folder is listed anew when its date changed, so that what other programs do is noticed at little cost. It is of
    the label that `clean_label` makes of its name, for macOS spells names in decomposed Unicode; where several folders
    are of one label, their examples are taken together.

    Parameters
    ----------
    folder : Path
        `examples/`; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = 0
        self._lock = threading.Lock()
        self._folders: dict[str, tuple[_Folder, ...]] = {}  # by label
        # by name of the folder
        self._digests: dict[str, dict[str, tuple[int, int, bytes | None]]] = {}

    def refresh(self, touched: Iterable[str] = ()) -> None:
        """Notice what changed; look into the folders of the names `touched` in any case.

        Raises
        ------
        TrainsetError
            The folder cannot be read.
        """
        with self._lock:
            try:
                with os.scandir(self.folder) as entries:
                    directories = [entry.name for entry in entries if entry.name[0] != "." and entry.is_dir()]
            except FileNotFoundError:
                directories = []
            except OSError as error:
                raise TrainsetError(f"{self.folder} cannot be read: {error.strerror}") from None
            known = {folder.directory: folder for folders in self._folders.values() for folder in folders}
            found = {}
            for directory in directories:
                # a folder may be taken away while we look
                with contextlib.suppress(FileNotFoundError):
                    found[directory] = self._look(directory, known.get(directory), directory in touched)
            if found != known:
                different = found.keys() != known.keys() or any(
                    folder.date != known[directory].date or folder.names != known[directory].names
                    for directory, folder in found.items()
                )
                self.version += different
                by_label: dict[str, list[_Folder]] = defaultdict(list)
                for directory, folder in found.items():
                    by_label[clean_label(directory) or directory].append(folder)
                # the folder that spells its label as it is first
                self._folders = {
                    label: tuple(sorted(by_label[label], key=lambda it: (it.directory != label, it.directory)))
                    for label in sorted(by_label)
                }
                self._digests = {directory: of for directory, of in self._digests.items() if directory in found}

    def _look(self, directory: str, known: _Folder | None, touched: bool) -> _Folder:
        """A folder as it is now; `known` is what was found there before."""
        now = time.monotonic()
        path = self.folder / directory
        try:
            date = path.stat().st_mtime_ns
            if known and not touched and known.date == date and known.listed - known.dated >= _SETTLED:
                return known
            with os.scandir(path) as entries:
                names = frozenset(
                    entry.name for entry in entries if is_example_name(entry.name) and _may_be_image(entry)
                )
        except FileNotFoundError:
            raise
        except OSError as error:
            raise TrainsetError(f"{path} cannot be read: {error.strerror}") from None
        dated = known.dated if known and known.date == date else now
        if known and known.names == names:
            return _Folder(directory, date, dated, now, known.names, known.tracklets, known.origins)
        tracklets: dict[str, list[str]] = defaultdict(list)
        origins = set()
        for name in names:
            experiment, tracklet, _ = parts(name)
            tracklets[tracklet].append(name)
            origins.add((experiment, tracklet))
        # a list, for other threads may be adding to it
        digests = list(self._digests.get(directory, {}).items())
        self._digests[directory] = {name: digest for name, digest in digests if name in names}
        return _Folder(directory, date, dated, now, names, dict(tracklets), frozenset(origins))

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that have a folder, empty ones too, sorted."""
        return tuple(self._folders)

    def counts(self) -> dict[str, Count]:
        """Numbers of images and tracklets of each label that has examples."""
        return {
            label: Count(sum(len(folder.names) for folder in folders), len(_origins(folders)))
            for label, folders in self._folders.items()
            if any(folder.names for folder in folders)
        }

    def tracklets(self) -> int:
        """Number of tracklets that have examples; one with examples under several labels counts once."""
        return len(_origins(folder for folders in self._folders.values() for folder in folders))

    def tracklet_names(self) -> frozenset[str]:
        """Names of the tracklets that have examples, of whatever experiment."""
        return frozenset[str]().union(
            *(folder.tracklets for folders in self._folders.values() for folder in folders),
        )

    def labels_of(self, experiment: str) -> dict[str, frozenset[str]]:
        """Labels under which the tracklets of an experiment have examples, by the tracklet's name."""
        found: dict[str, set[str]] = defaultdict(set)
        for label, folders in self._folders.items():
            for origin, tracklet in _origins(folders):
                if origin == experiment:
                    found[tracklet].add(label)
        return {tracklet: frozenset(labels) for tracklet, labels in found.items()}

    def names(self, label: str) -> dict[str, frozenset[str]]:
        """Names of the files under a label, by the names of its folders."""
        return {folder.directory: folder.names for folder in self._folders.get(label, ())}

    def directories(self, label: str) -> tuple[str, ...]:
        """Names of the folders of a label; the one to write into first."""
        return tuple(folder.directory for folder in self._folders.get(label, ()))

    def of_tracklet(self, tracklet: str) -> list[ExampleFile]:
        """The files of all tracklets of that name, whatever the experiment."""
        return [
            self.file(label, folder.directory, name)
            for label, folders in self._folders.items()
            for folder in folders
            for name in sorted(folder.tracklets.get(tracklet, ()))
        ]

    def file(self, label: str, directory: str, name: str) -> ExampleFile:
        """A file by the label, folder and name that it is listed with.

        Parameters
        ----------
        label : str
            Of the example.
        directory : str
            Name of the folder in `examples`.
        name : str
            Of the file.
        """
        experiment, tracklet, _ = parts(name)
        return ExampleFile(self.folder / directory / name, label, experiment, tracklet)

    def by_pixels(self, tracklet: str, background: Background) -> dict[bytes, list[ExampleFile]]:
        """The files of all tracklets of that name, by `pixel_digest` of their images; damaged ones are left out."""
        files = self.of_tracklet(tracklet)
        if len(files) > THREADS:
            with ThreadPoolExecutor(THREADS) as pool:
                digests = list(pool.map(lambda file: self._digest(file, background), files))
        else:
            digests = [self._digest(file, background) for file in files]
        found: dict[bytes, list[ExampleFile]] = defaultdict(list)
        for file, digest in zip(files, digests, strict=True):
            if digest:
                found[digest].append(file)
        return dict(found)

    def _digest(self, file: ExampleFile, background: Background) -> bytes | None:
        known = self._digests.get(file.path.parent.name, {})
        try:
            status = file.path.stat()
            remembered = known.get(file.path.name)
            if remembered and remembered[:2] == (status.st_mtime_ns, status.st_size):
                return remembered[2]
            digest = image_digest(file.path, background)
        except OSError:
            return None
        known[file.path.name] = (status.st_mtime_ns, status.st_size, digest)
        return digest


def _origins(folders: Iterable[_Folder]) -> frozenset[tuple[str, str]]:
    return frozenset[tuple[str, str]]().union(*(folder.origins for folder in folders))


def _may_be_image(entry: os.DirEntry[str]) -> bool:
    """Not so a folder, nor a pipe, which would be waited for without end."""
    return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())


def parts(name: str) -> tuple[str, str, str]:
    """Experiment, tracklet and frame key of a file's name; a name that tells no tracklet is one of its own."""
    file = example_file(Path(name), "")
    return file.experiment, file.tracklet, file.frame


def image_digest(path: Path, background: Background) -> bytes | None:
    """Digest of an image's pixels; None where the file is damaged or not there."""
    try:
        return pixel_digest(read_example(path, background))
    except (BadImageError, OSError):
        return None


def content_digest(path: Path) -> bytes | None:
    """Digest of a file's bytes; None where it cannot be read."""
    try:
        return digest_of(read_regular(path))
    except OSError:
        return None


def digest_of(content: bytes | memoryview) -> bytes:
    """Digest of a file's content."""
    return hashlib.blake2b(content, digest_size=12).digest()


def folder_for(files: ExampleFiles, label: str) -> Path:
    """The folder of a label, whether it is there or not.

    Raises
    ------
    TrainsetError
        One is there whose name differs in capital letters only: on Windows and macOS the two would be one.
    """
    if there := files.directories(label):
        return files.folder / there[0]
    for other in files.labels:
        if other.casefold() == label.casefold():
            raise TrainsetError(
                f"{files.folder / other} and the label {label} differ in capital letters only; rename the folder"
            )
    return files.folder / label
