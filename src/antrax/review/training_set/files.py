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

# Files read at a time, for each costs a wait on a network drive.
_THREADS = 8
# File systems date folders in steps of up to two seconds, so one that was listed may change and keep its date.
_SETTLED = 2.0


@dataclass(frozen=True, slots=True)
class Count:
    """How much there is of a label.

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
    """What a label's folder held when it was listed."""

    date: int  # mtime, ns
    dated: float  # when this date was first met, seconds of the monotonic clock
    listed: float  # when the folder was listed, likewise
    names: frozenset[str]
    tracklets: Mapping[str, Sequence[str]]  # names by tracklet, whatever the experiment
    origins: frozenset[tuple[str, str]]  # experiments and tracklets
    count: Count


class ExampleFiles:
    """Which files lie below `examples/`; several threads may ask.

    A folder is listed anew when its date changed, so that what other programs do is noticed at little cost.

    Parameters
    ----------
    folder : Path
        `examples/`; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = 0
        self._lock = threading.Lock()
        self._folders: dict[str, _Folder] = {}
        self._digests: dict[str, dict[str, tuple[int, int, bytes | None]]] = {}

    def refresh(self, touched: Iterable[str] = ()) -> None:
        """Notice what changed; look into the folders of the labels `touched` in any case.

        Raises
        ------
        TrainsetError
            The folder cannot be read.
        """
        with self._lock:
            try:
                with os.scandir(self.folder) as entries:
                    labels = [entry.name for entry in entries if entry.name[0] != "." and entry.is_dir()]
            except FileNotFoundError:
                labels = []
            except OSError as error:
                raise TrainsetError(f"{self.folder} cannot be read: {error.strerror}") from None
            found = {}
            for label in sorted(labels):
                # a folder may be taken away while we look
                with contextlib.suppress(FileNotFoundError):
                    found[label] = self._look(label, label in touched)
            if found != self._folders:
                different = found.keys() != self._folders.keys() or any(
                    folder.date != self._folders[label].date or folder.names != self._folders[label].names
                    for label, folder in found.items()
                )
                self.version += different
                self._folders = found
                self._digests = {label: known for label, known in self._digests.items() if label in found}

    def _look(self, label: str, touched: bool) -> _Folder:
        """The folder of a label as it is now."""
        known = self._folders.get(label)
        now = time.monotonic()
        path = self.folder / label
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
            return _Folder(date, dated, now, known.names, known.tracklets, known.origins, known.count)
        tracklets: dict[str, list[str]] = defaultdict(list)
        origins = set()
        for name in names:
            experiment, tracklet, _ = parts(name)
            tracklets[tracklet].append(name)
            origins.add((experiment, tracklet))
        # a list, for other threads may be adding to it
        digests = list(self._digests.get(label, {}).items())
        self._digests[label] = {name: digest for name, digest in digests if name in names}
        count = Count(len(names), len(origins))
        return _Folder(date, dated, now, names, dict(tracklets), frozenset(origins), count)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that have a folder, empty ones too, sorted."""
        return tuple(self._folders)

    def counts(self) -> dict[str, Count]:
        """How much there is of each label that has examples."""
        return {label: folder.count for label, folder in self._folders.items() if folder.names}

    def tracklets(self) -> int:
        """Number of tracklets that have examples; one with examples under several labels counts once."""
        return len(frozenset[tuple[str, str]]().union(*(folder.origins for folder in self._folders.values())))

    def tracklet_names(self) -> frozenset[str]:
        """Names of the tracklets that have examples, of whatever experiment."""
        return frozenset[str]().union(*(folder.tracklets for folder in self._folders.values()))

    def names(self, label: str) -> frozenset[str]:
        """Names of the files under a label."""
        folder = self._folders.get(label)
        return folder.names if folder else frozenset()

    def of_tracklet(self, tracklet: str) -> list[ExampleFile]:
        """The files of all tracklets of that name, whatever the experiment."""
        return [
            self.file(label, name)
            for label, folder in self._folders.items()
            for name in sorted(folder.tracklets.get(tracklet, ()))
        ]

    def file(self, label: str, name: str) -> ExampleFile:
        """A file by the label and name that it is listed with."""
        experiment, tracklet, _ = parts(name)
        return ExampleFile(self.folder / label / name, label, experiment, tracklet)

    def by_pixels(self, tracklet: str, background: Background) -> dict[bytes, list[ExampleFile]]:
        """The files of all tracklets of that name, by `pixel_digest` of their images; damaged ones are left out."""
        files = self.of_tracklet(tracklet)
        if len(files) > _THREADS:
            with ThreadPoolExecutor(_THREADS) as pool:
                digests = list(pool.map(lambda file: self._digest(file, background), files))
        else:
            digests = [self._digest(file, background) for file in files]
        found: dict[bytes, list[ExampleFile]] = defaultdict(list)
        for file, digest in zip(files, digests, strict=True):
            if digest:
                found[digest].append(file)
        return dict(found)

    def _digest(self, file: ExampleFile, background: Background) -> bytes | None:
        known = self._digests.get(file.label, {})
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
    """What tells a file's content from any other."""
    return hashlib.blake2b(content, digest_size=12).digest()


def folder_for(files: ExampleFiles, label: str) -> Path:
    """The folder of a label, whether it is there or not.

    Raises
    ------
    TrainsetError
        One is there whose name differs in capital letters only: on Windows and macOS the two would be one.
    """
    if label not in files.labels:
        for other in files.labels:
            if clean_label(other) == clean_label(label):  # macOS spells it in another way
                return files.folder / other
            if other.casefold() == label.casefold():
                raise TrainsetError(
                    f"{files.folder / other} and the label {label} differ in capital letters only; rename the folder"
                )
    return files.folder / label
