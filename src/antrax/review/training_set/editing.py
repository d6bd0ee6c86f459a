"""Editing of the training set: adding, moving and deleting examples, with undo.

An image lies under one label only, the one that it was given last. Whether two images are the same is told by their
pixels, among the files of their tracklet, for older sets number frames in another way. Nothing is ever overwritten. A
change is decided on and made while nobody else makes one, in this process or another; when a method returns, what it
says is on disk, and when it raises, nothing has changed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antrax.errors import ExperimentError, NothingToUndoError, TrainsetError
from antrax.images import Background, Preparation, prepare
from antrax.io.atomic import make_folder
from antrax.io.examples import ExampleFile, pixel_digest
from antrax.io.locks import only_writer
from antrax.io.names import TrackletName, example_name, parse_tracklet_name
from antrax.io.session import Session
from antrax.labels import check_label_name
from antrax.review.training_set.changes import (
    LONGEST_NAME,
    Plan,
    images_text,
    read_authorship,
    remove,
    remove_left_over,
    write_and_move,
)
from antrax.review.training_set.files import Count, ExampleFiles, content_digest, folder_for, image_digest, parts
from antrax.review.training_set.history import History
from antrax.review.training_set.outcomes import Change, Chosen, Outcome

__all__ = ["Chosen", "Count", "Examples", "Outcome"]


class Examples:
    """The training set of a session, for several people at a time.

    Nothing is made before the first export. Threads may share an object. What others have done, other processes too, is
    seen after a `refresh`; every change begins with one.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.folder = session.layout.classifier.examples
        self._files = ExampleFiles(self.folder)
        self._changing = threading.Lock()
        self._history = History()
        self._sorted: dict[str, tuple[dict[str, frozenset[str]], tuple[ExampleFile, ...]]] = {}

    def refresh(self) -> None:
        """Detect changes by others; fast if there are none.

        Raises
        ------
        TrainsetError
            The folder cannot be read.
        """
        self._files.refresh()

    @property
    def version(self) -> int:
        """Version number, which grows when a `refresh` or a change finds the set changed."""
        return self._files.version

    def counts(self) -> dict[str, Count]:
        """Numbers of examples and tracklets of each label that has examples, in order of the labels."""
        return self._files.counts()

    def tracklets(self) -> int:
        """Number of tracklets that have examples; one with examples under several labels counts once."""
        return self._files.tracklets()

    def files(self, label: str) -> tuple[ExampleFile, ...]:
        """The examples of a label in order of experiment, tracklet (in time) and frame."""
        names = self._files.names(label)
        known = self._sorted.get(label)
        # to sort tens of thousands takes a second, and a gallery asks for them in many pieces
        if known is None or known[0] != names:
            files = [self._files.file(label, directory, name) for directory, there in names.items() for name in there]
            known = names, tuple(sorted(files, key=lambda file: _in_time(file.path.name)))
            self._sorted = {
                other: kept for other, kept in self._sorted.items() if any(self._files.names(other).values())
            }
            self._sorted[label] = known
        return known[1]

    def may_hold(self, tracklet: str) -> bool:
        """Whether there are examples of a tracklet of this name, of whatever experiment."""
        return bool(self._files.of_tracklet(tracklet))

    def tracklet_names(self) -> frozenset[str]:
        """Names of the tracklets that have examples, of whatever experiment."""
        return self._files.tracklet_names()

    def labels_of(self, experiment: str) -> dict[str, frozenset[str]]:
        """Labels under which the tracklets of an experiment have examples, by the tracklet's name."""
        return self._files.labels_of(experiment)

    def older_than(self, tracklet: str, time: float) -> bool:
        """Whether an example of a tracklet of this name was there before a time, in seconds since 1970.

        Of whatever experiment: its folder may have been renamed or copied since. That another one's tracklet of the
        same name counts too errs on the cautious side.
        """
        for file in self._files.of_tracklet(tracklet):
            # a move keeps a file's date; one that vanished is no example any more
            with contextlib.suppress(OSError):
                if file.path.stat().st_mtime < time:
                    return True
        return False

    def of_tracklet(self, tracklet: TrackletName, images: NDArray[np.uint8]) -> dict[int, tuple[str, ...]]:
        """Which images of a tracklet are in the set, told by their pixels.

        Parameters
        ----------
        tracklet : TrackletName
        images : NDArray[np.uint8]
            All its images as a stack gives them, shape (N, S, S, 3).

        Returns
        -------
        dict of int to tuple of str
            By index of the image, the labels that it lies under; images that are not in the set are missing.

        Raises
        ------
        ExperimentError
            The parameters of the session are broken.
        """
        return self.of_digests(tracklet, self.digests(images)) if len(images) else {}

    def digests(self, images: NDArray[np.uint8]) -> list[bytes]:
        """Digests of images of a stack, shape (N, S, S, 3), as those of examples."""
        return list(map(pixel_digest, self._prepared(images)))

    def _prepared(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Images of a stack as examples show them: at their own size, with the session's background."""
        return prepare(images, Preparation(images.shape[1], self._background))

    def of_digests(self, tracklet: TrackletName, digests: Sequence[bytes]) -> dict[int, tuple[str, ...]]:
        """`of_tracklet`, for images of which the `digests` are known."""
        there = self._files.by_pixels(tracklet.name, self._background)
        return {
            index: tuple(dict.fromkeys(file.label for file in there[digest]))
            for index, digest in enumerate(digests)
            if digest in there
        }

    def export(
        self,
        tracklet: TrackletName,
        images: NDArray[np.uint8],
        frames: Sequence[int],
        label: str,
        client: str,
        author: str = "",
    ) -> Outcome:
        """Add images of a tracklet to the examples of a label.

        An image that is there already is not written again; one that is there under another label is moved.

        Parameters
        ----------
        tracklet : TrackletName
        images : NDArray[np.uint8]
            All its images as a stack gives them, shape (N, S, S, 3), background 0.
        frames : sequence of int
            Indices of the images to add, from 0.
        label : str
            One of the session's `labels.csv` as it is now.
        client : str
            Who may undo it.
        author : str
            The person, whose name is written into the new images.

        Raises
        ------
        TrainsetError
            There is no such label or image.
        LabelsError
            `labels.csv` is missing or broken, or the label's name cannot be a folder's.
        OutputError
            The disk is full, the folder is read-only, or others do not end writing. Nothing has changed then.
        ExperimentError
            The session is not there any more, or its parameters are broken.
        """
        chosen = sorted(set(frames))
        if not chosen or chosen[0] < 0 or chosen[-1] >= len(images):
            raise TrainsetError(f"{tracklet.name}: choose images of its {len(images)} to export")
        # a copy of all would be as large as they are
        shown = images if len(chosen) == len(images) else images[chosen]
        return self.export_several([Chosen(tracklet, shown, chosen, len(images))], label, client, author)

    def export_several(self, tracklets: Sequence[Chosen], label: str, client: str, author: str = "") -> Outcome:
        """Add images of several tracklets to the examples of a label: one change, and one undo.

        Parameters
        ----------
        tracklets : sequence of Chosen
        label, client, author
            As for `export`.

        Raises
        ------
        TrainsetError
            There is no such label, or nothing to export.
        LabelsError, OutputError, ExperimentError
            As `export`. Nothing has changed then.
        """
        if not any(len(chosen.frames) for chosen in tracklets):
            raise TrainsetError("there are no images to export; choose some")
        prepared = [self._prepared(chosen.images) for chosen in tracklets]
        with self._change() as plan:
            folder = self._folder(label)
            for chosen, images in zip(tracklets, prepared, strict=True):
                self._plan_export(plan, chosen, images, label, folder)
            single = tracklets[0].tracklet.name if len(tracklets) == 1 else None
            return self._make(plan, label, folder, client, single, author=author)

    def _plan_export(self, plan: Plan, chosen: Chosen, prepared: NDArray[np.uint8], label: str, folder: Path) -> None:
        wanted: dict[bytes, int] = {}
        for place, image in enumerate(prepared):
            wanted.setdefault(pixel_digest(image), place)
        key = self._frame_key(chosen.tracklet, chosen.count)
        there = self._files.by_pixels(chosen.tracklet.name, self._background)
        for digest, place in wanted.items():
            if digest in there:
                plan.settle(there[digest], label, folder)
            else:
                name = example_name(self._session.experiment.name, chosen.tracklet.name, key(chosen.frames[place]))
                plan.write(folder, name, prepared[place])
        plan.present += len(chosen.frames) - len(wanted)

    def move(self, label: str, names: Sequence[str], to: str, client: str) -> Outcome:
        """Move examples to another label.

        Where the image is there already, the file goes into the trash.

        Parameters
        ----------
        label : str
            Where they are now.
        names : sequence of str
            Names of files of that label. Those that are not there any more are passed over.
        to : str
            One of the session's `labels.csv` as it is now.
        client : str
            Who may undo it.

        Raises
        ------
        TrainsetError
            None of the files is there, or there is no such label.
        LabelsError, OutputError, ExperimentError
            As `export`.
        """
        if label == to:
            raise TrainsetError(f"these examples are under {label} already; choose another label")
        background = self._background
        with self._change() as plan:
            folder = self._folder(to)
            files = self._named(label, names)
            known: dict[str, dict[Path, list[ExampleFile]]] = {}
            for file in files:
                if file.tracklet not in known:
                    same = self._files.by_pixels(file.tracklet, background).values()
                    known[file.tracklet] = {copy.path: copies for copies in same for copy in copies}
                # a damaged file has no pixels to compare
                copies = known[file.tracklet].get(file.path, [])
                plan.settle([file, *(copy for copy in copies if copy != file)], to, folder)
            return self._make(plan, to, folder, client, missing=_missing(names, files))

    def trash(self, label: str, names: Sequence[str], client: str) -> Outcome:
        """Put examples into the folder `trash` beside `examples`.

        Parameters
        ----------
        label : str
        names : sequence of str
            Names of files of that label. Those that are not there any more are passed over.
        client : str
            Who may undo it.

        Raises
        ------
        TrainsetError
            None of the files is there.
        OutputError, ExperimentError
            As `export`.
        """
        with self._change() as plan:
            files = self._named(label, names)
            for file in files:
                plan.throw_away(file)
            return self._make(plan, label, self._trash / label, client, missing=_missing(names, files))

    def undo(self, client: str) -> Outcome:
        """Undo a client's last change that is not undone yet.

        What somebody has changed since is left alone, and the message says so. What can be undone is not remembered
        beyond this object.

        Raises
        ------
        NothingToUndoError
            There is nothing to undo.
        OutputError, ExperimentError
            As `export`; it can be tried again.
        """
        nothing = NothingToUndoError("there is nothing to undo")
        if not self.can_undo(client):
            raise nothing
        with self._change() as plan:
            # a second press of the key may have come first
            change = self._history.last(client)
            if change is None:
                raise nothing
            written = [path for path, digest in change.written if digest and content_digest(path) == digest]
            back = self._still_there(change)
            for there, original in back:
                plan.bring_back(there, original)
            write_and_move([], plan.moves, self.folder)
            remove(written)
            self._history.forget_last(client)
            self._look_at(path for pair in [*plan.moves, *zip(written, written, strict=True)] for path in pair)
            left = len(change.written) + len(change.moved) - len(written) - len(back)
            done = [f"{images_text(len(written))} taken out of {change.label} again"] if written else []
            done += [f"{images_text(len(back))} brought back"] if back else []
            done += [f"{images_text(left)} left alone, for somebody has changed them since"] if left else []
            return Outcome(
                message=f"undone: {', '.join(done)}",
                label=change.label,
                moved=len(back),
                removed=len(written),
                tracklet=change.tracklet,
            )

    def author(self, label: str, name: str) -> tuple[str, str]:
        """Who added an example, and when (UTC, ISO 8601); empty where its file does not tell.

        Raises
        ------
        TrainsetError
            It is not there any more.
        """
        return read_authorship(self._named(label, [name])[0].path)

    def follow_renaming(self, label: str, new: str) -> None:
        """Have changes that can be undone follow a label that was renamed."""
        with self._changing:
            self._history.follow_renaming(label, new)
        self.refresh()

    def can_undo(self, client: str) -> bool:
        """Whether a client has a change to undo."""
        return self._history.last(client) is not None

    @property
    def _background(self) -> Background:
        return "black" if self._session.inverted else "white"

    @property
    def _trash(self) -> Path:
        return self._session.layout.classifier.trash

    @contextlib.contextmanager
    def _change(self) -> Iterator[Plan]:
        """Context manager that holds the lock of the set, after a refresh."""
        # without this, the folders of a drive that was taken away would be made anew where it was mounted
        if not self._session.layout.parameters.is_dir():
            raise ExperimentError(f"{self._session.path} is not there any more; is its drive connected?")
        if not self.folder.is_dir():
            make_folder(self._session.classifier_dir)
        with self._changing, only_writer(self._session.layout.classifier.trainset_lock):
            self._files.refresh()
            yield Plan(self._files, self._trash)

    def _folder(self, label: str) -> Path:
        """The folder of a label that one may export to."""
        check_label_name(label)
        if label not in self._session.labels.all:
            raise TrainsetError(f"{label!r} is no label of this experiment; add it to its labels first")
        folder = folder_for(self._files, label)
        remove_left_over(folder)
        return folder

    def _named(self, label: str, names: Sequence[str]) -> list[ExampleFile]:
        """The files of that name, taken from the list of those that are there: a name never becomes a path."""
        there = self._files.names(label)
        files = [
            self._files.file(label, directory, name)
            for name in dict.fromkeys(names)
            for directory, listed in there.items()
            if name in listed
        ]
        if not files:
            raise TrainsetError(f"none of these examples is under {label!r} any more")
        return files

    def _frame_key(self, tracklet: TrackletName, count: int) -> Callable[[int], int]:
        """From the index of an image to the number in its file's name."""
        # A broken movie table is no reason to refuse: any key will do that is another for each image.
        with contextlib.suppress(ExperimentError):
            first = self._session.absolute_frame(tracklet.movie, tracklet.first)
            if first is not None and count == tracklet.span:
                return lambda index: first + index
        return lambda index: index + 1

    def _make(
        self,
        plan: Plan,
        label: str,
        folder: Path,
        client: str,
        tracklet: str | None = None,
        missing: int = 0,
        author: str = "",
    ) -> Outcome:
        """Carry out a plan, and remember it."""
        tracklets = {parts(path.name)[1] for path, _ in plan.moves}
        known = {file.path for name in tracklets for file in self._files.of_tracklet(name)}
        digests = write_and_move(plan.writes, plan.moves, folder, " ".join(author.split())[:LONGEST_NAME])
        self._history.claim(plan.kept, label, client)
        if plan.writes or plan.moves:
            moved = tuple((source, target, content_digest(target)) for source, target in plan.moves)
            written = tuple((target, digest) for (target, _), digest in zip(plan.writes, digests, strict=True))
            known -= {source for source, _ in plan.moves}
            known |= {target for target, _ in plan.writes} | {target for _, target in plan.moves}
            self._history.remember(client, Change(label, tracklet, written, moved, frozenset(known)))
        self._look_at([target for target, _ in plan.writes] + [path for pair in plan.moves for path in pair])
        return Outcome(
            message=plan.message(label, missing),
            label=label,
            added=len(plan.writes),
            present=plan.present,
            moved=plan.moved.total(),
            removed=plan.removed,
            folder=folder,
            tracklet=tracklet,
            files=tuple(target.name for target, _ in plan.writes)
            + tuple(target.name for _, target in plan.moves if target.parent == folder),
        )

    def _look_at(self, paths: Iterable[Path]) -> None:
        """Notice what was done to files, and remove folders of labels that it left empty.

        anTraX counts an empty folder as a label and fails. Not all drives give a folder a new date.
        """
        paths = list(paths)
        for folder in {path.parent for path in paths if path.parent.parent == self.folder}:
            with contextlib.suppress(OSError):  # it holds something
                folder.rmdir()
        # what is done is done, whether it can be looked at or not
        with contextlib.suppress(TrainsetError):
            self._files.refresh({path.parent.name for path in paths if path.parent.parent == self.folder})

    def _still_there(self, change: Change) -> list[tuple[Path, Path]]:
        """The moved files of a change that nobody changed since: where they are, and where they were.

        One whose image was exported anew stays where it is, or the image would be in the set twice.
        """
        found = []
        there: dict[str, dict[bytes, list[ExampleFile]]] = {}
        for original, path, digest in change.moved:
            if digest is None or content_digest(path) != digest:
                continue
            tracklet = parts(path.name)[1]
            if tracklet not in there:
                there[tracklet] = self._files.by_pixels(tracklet, self._background)
            copies = there[tracklet].get(image_digest(path, self._background) or b"", [])
            if all(copy.path in change.known for copy in copies):
                found.append((path, original))
        return found


def _missing(names: Sequence[str], files: Sequence[ExampleFile]) -> int:
    return len(set(names) - {file.path.name for file in files})


def _in_time(name: str) -> tuple[str, int, int, int, str, int, str]:
    experiment, tracklet, frame = parts(name)
    parsed = parse_tracklet_name(tracklet)
    when = (parsed.movie, parsed.first, parsed.id) if parsed else (0, 0, 0)
    return experiment, *when, tracklet, int(frame or 0), name
