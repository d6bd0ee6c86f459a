"""A change to a training set: planned under names that are free, then carried out whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from antrax.errors import OutputError
from antrax.escapes import printable
from antrax.io.atomic import fsync_folder
from antrax.io.examples import ExampleFile, example_file
from antrax.io.regular_files import open_regular
from antrax.labels import clean_label
from antrax.review.training_set.files import THREADS, ExampleFiles, digest_of

# Temporary files of that age, in seconds, are what a crash has left.
_LEFT_OVER = 3600.0
# Of a person's name, and of a time, so many characters are kept.
LONGEST_NAME = 40


@dataclass
class Plan:
    """Planned writes and moves of a change.

    Parameters
    ----------
    files : ExampleFiles
        The set as it is.
    trash : Path
        Holds a folder a label.
    writes : list of (Path, NDArray[np.uint8])
        File and image.
    moves : list of (Path, Path)
        From and to.
    present : int
        Images that need no change.
    moved : Counter of str
        Images that get another label, by the one that they have.
    removed : int
        Files that go into the trash.
    kept : set of Path
        Files of images that need no change.
    """

    files: ExampleFiles
    trash: Path
    writes: list[tuple[Path, NDArray[np.uint8]]] = field(default_factory=list)
    moves: list[tuple[Path, Path]] = field(default_factory=list)
    present: int = 0
    moved: Counter[str] = field(default_factory=Counter)
    removed: int = 0
    kept: set[Path] = field(default_factory=set)
    _listed: dict[Path, set[str]] = field(default_factory=dict)  # names that are taken, by folder
    _leaving: set[Path] = field(default_factory=set)

    def write(self, folder: Path, name: str, image: NDArray[np.uint8]) -> None:
        """Write an image, shape (S, S, 3).

        Parameters
        ----------
        folder : Path
            Where it goes.
        name : str
            Its file name; another one is taken where that is in use.
        image : NDArray[np.uint8]
            Shape (S, S, 3).
        """
        self.writes.append((self._free(folder, name), image))

    def settle(self, copies: Sequence[ExampleFile], label: str, folder: Path) -> None:
        """Keep an image, whose files are `copies`, under `label` only: move the first file, trash the others.

        Parameters
        ----------
        copies : sequence of ExampleFile
            All files of the image.
        label : str
            The only label that it shall have.
        folder : Path
            Folder of that label.
        """
        copies = [file for file in copies if file.path not in self._leaving]
        inside = [file for file in copies if file.label == label]
        outside = [file for file in copies if file.label != label]
        if inside:
            self.present += 1
            self.kept.add(inside[0].path)
        elif outside:
            first = outside.pop(0)
            self.moved[first.label] += 1
            self._move(first.path, folder)
        for file in outside:
            self.throw_away(file)

    def throw_away(self, file: ExampleFile) -> None:
        """Put a file into the trash, under its label."""
        self.removed += 1
        self._move(file.path, self.trash / file.label)

    def bring_back(self, path: Path, target: Path) -> None:
        """Move a file back to where it was, or beside that."""
        self.moves.append((path, self._free(target.parent, target.name)))

    def _move(self, path: Path, folder: Path) -> None:
        self._leaving.add(path)
        self.moves.append((path, self._free(folder, path.name)))

    def _free(self, folder: Path, name: str) -> Path:
        if folder not in self._listed:
            listed = self.files.names(clean_label(folder.name)) if folder.parent == self.files.folder else {}
            # not all file systems tell names apart that differ in capital letters only
            self._listed[folder] = {there.casefold() for names in listed.values() for there in names}
        taken = self._listed[folder]
        original = name
        for number in range(1, 10_000):
            if name.casefold() not in taken and not (folder / name).exists():
                taken.add(name.casefold())
                return folder / name
            name = other_name(original, number)
        raise OutputError(f"{folder / original} is taken, and so are all other names for it")

    def message(self, label: str, missing: int = 0) -> str:
        """What the plan does, in one sentence; `missing` of the files asked for are not there."""
        said = []
        if self.writes:
            said.append(f"{images_text(len(self.writes))} added")
        said += [f"{images_text(count)} moved from {source}" for source, count in self.moved.items()]
        if self.present:
            said.append(f"{images_text(self.present)} there already")
        if self.removed:
            said.append(f"{images_text(self.removed)} put into the trash")
        if missing:
            said.append(f"{images_text(missing)} not there any more")
        return f"{label}: {', '.join(said)}"


def other_name(name: str, number: int) -> str:
    """The name for a file whose own is taken, as `antrax merge-trainset` gives it: `exp.m1.trj_…`."""
    file = example_file(Path(name), "")
    stem = f"{file.experiment}.m{number}.{file.tracklet}.{file.frame}"
    return f"{stem if file.named_as_written else f'{file.path.stem}.m{number}'}{file.path.suffix}"


def images_text(count: int) -> str:
    """So many images, in words."""
    return f"{count} image{'s' * (count != 1)}"


def write_and_move(
    writes: Sequence[tuple[Path, NDArray[np.uint8]]], moves: Sequence[tuple[Path, Path]], title: Path, author: str = ""
) -> list[bytes]:
    """Write images and move files, all or none: if this raises an error, nothing has changed.

    Images are written under temporary names first and then put in place, for it is while writing that a disk is full.
    The caller sees to it that no target is taken.

    Parameters
    ----------
    writes : sequence of (Path, NDArray[np.uint8])
        File and image, shape (S, S, 3), rgb.
    moves : sequence of (Path, Path)
        From and to.
    title : Path
        What a message says cannot be written.
    author : str
        Who adds the images; empty where that is not known.

    Returns
    -------
    list of bytes
        Digest of the content of each file written.

    Raises
    ------
    OutputError
        The disk is full, or something is read-only.
    """
    targets = [target for target, _ in writes] + [target for _, target in moves]
    temporary = [target.with_name(f".{secrets.token_hex(8)}.part") for target, _ in writes]
    made: list[Path] = []
    done: list[tuple[Path, Path]] = []
    try:
        for folder in dict.fromkeys(target.parent for target in targets):
            made += _make_folders(folder)
        with ThreadPoolExecutor(THREADS) as pool:
            digests = list(pool.map(_write, temporary, [image for _, image in writes], repeat(_authorship(author))))
        places = [target for target, _ in writes]
        for source, target in [*zip(temporary, places, strict=True), *moves]:
            # a program that knows no locks may have taken the name while the images were being written
            if target.exists():
                raise FileExistsError(errno.EEXIST, f"{target.name} has appeared there just now, try again")
            _move(source, target)
            done.append((source, target))
        folders = [path.parent for move in moves for path in move] + [path.parent for path in [*places, *made]]
        for folder in dict.fromkeys(folders):
            fsync_folder(folder)
    except BaseException as error:
        for source, target in reversed(done):
            with contextlib.suppress(OSError):
                _move(target, source)
        for path in temporary:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise OutputError(
                f"{title} cannot be written: {error.strerror or error}; everything is as it was"
            ) from error
        raise
    return digests


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and its parents; those that were missing."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
    return missing[::-1]


def _authorship(author: str) -> PngInfo:
    """Who adds images, and when, in the words of the PNG standard."""
    info = PngInfo()
    if author:
        info.add_text("Author", author)
        info.add_text("Creation Time", datetime.now(UTC).isoformat(timespec="seconds"))
    return info


def read_authorship(path: Path) -> tuple[str, str]:
    """Who added an example, and when; empty where its file does not tell."""
    try:
        with open_regular(path) as file, Image.open(file) as image:
            found = getattr(image, "text", {})
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return "", ""
    author, time = str(found.get("Author", "")), str(found.get("Creation Time", ""))
    return printable(author[:LONGEST_NAME]), printable(time[:LONGEST_NAME])


def _write(path: Path, image: NDArray[np.uint8], info: PngInfo) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(content, format="PNG", compress_level=1, pnginfo=info)
    with path.open("xb") as file:
        file.write(content.getbuffer())
        file.flush()
        os.fsync(file.fileno())
    return digest_of(content.getbuffer())


def _move(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # a label's folder, or the trash, may be a link to another disk
        temporary = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            shutil.copyfile(source, temporary)
            shutil.copystat(source, temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.rename(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        try:
            source.unlink()
        except OSError:
            target.unlink()
            raise


def remove(paths: Sequence[Path]) -> None:
    """Delete files, and wait until that is on disk.

    Raises
    ------
    OutputError
        One cannot be deleted; those before it are.
    """
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{path} cannot be removed: {error.strerror or error}") from error
    with contextlib.suppress(OSError):
        for folder in {path.parent for path in paths}:
            fsync_folder(folder)


def remove_left_over(folder: Path) -> None:
    """Remove the temporary files that a crash has left in a label's folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            temporary = entry.name[0] == "." and entry.name.endswith(".part")
            if temporary and time.time() - entry.stat().st_mtime > _LEFT_OVER:
                Path(entry.path).unlink()
