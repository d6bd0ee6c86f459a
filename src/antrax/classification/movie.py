"""Classification of one movie: from image stacks to a result."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antrax.batch import describe_failure
from antrax.classification.decision import DecisionRule
from antrax.classification.engine import Job, Unread, undecided
from antrax.classification.report import OUTCOMES, ExperimentReport
from antrax.classification.spread import ImagesPerTracklet
from antrax.errors import ExperimentError, InputChangedError, StackError
from antrax.io.layout import movie_file
from antrax.io.results import Classified, autoids_file, result_files
from antrax.io.results_writer import MovieWriter, set_aside
from antrax.io.session import Session
from antrax.io.sources import MoviePart, check_parts, source_of
from antrax.io.stacks import Stack
from antrax.io.stamps import InputStamps
from antrax.labels import Category
from antrax.progress import Reporter

# A job is long enough to fill batches with the shortest tracklets and short enough to spread one movie over all
# workers.
_TRACKLETS_PER_JOB = 48
# If more than this share of a movie cannot be read, an earlier result is kept instead.
_MOST_UNREAD = 0.5
_NAMED = 3


@dataclass
class MovieRun:
    """A movie that is being classified.

    Parameters
    ----------
    number : int
    report : ExperimentReport
        Gets the outcome.
    session : Session
    classifier : Path
    stacks : tuple of Path
    labels : tuple of str
        The classifier's, as the experiment calls them.
    categories : tuple of Category or None
        Kind of each in the experiment.
    rule : DecisionRule
    attributes : dict
        What the result is made with.
    shared : InputStamps
        Files that several movies are made from: classifier, labels.
    folder : tuple of int
        What tells the folder of results from a later one of the same name.
    images_per_tracklet : int, "auto" or None
        See `antrax.classification.spread`.
    """

    number: int
    report: ExperimentReport
    session: Session
    classifier: Path
    stacks: tuple[Path, ...]
    labels: tuple[str, ...]
    categories: tuple[Category | None, ...]
    rule: DecisionRule
    attributes: dict[str, Any]
    shared: InputStamps
    folder: tuple[int, int]
    images_per_tracklet: ImagesPerTracklet = None
    inputs: InputStamps = field(default_factory=InputStamps)
    writer: MovieWriter | None = None
    unread: list[Unread] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    passed_unusable: list[str] = field(default_factory=list)
    tracklets: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    failed: bool = False

    @property
    def size(self) -> int:
        """Bytes of its stacks."""
        return sum(_size(path) for path in self.stacks)

    def steps(self) -> Iterator[tuple[float, Job | BaseException | None]]:
        """Its jobs, or an error met while making them; None at the end. With each, the bytes that it stands for."""
        names: dict[str, Path] = {}
        self.report.record.begun({self.number: self.stacks})
        source = source_of(self.session)
        parts = [MoviePart(source, self.session, path) for path in self.stacks]
        for part in parts:
            path, size = part.path, _size(part.path)
            passed = self.session.layout.companion(path, "frame_passed")
            try:
                self.inputs.note(path, passed)
                check_parts(parts)
                tracklets, others = tracklets_of(part)
                self.passed_over += others
                if twice := names.keys() & set(tracklets):
                    raise StackError(
                        f"{path}: tracklet {min(twice)} is in another part of the movie too ({names[min(twice)].name})"
                    )
            except Exception as error:
                yield float(size), error
                break
            names |= dict.fromkeys(tracklets, path)
            for start in range(0, len(tracklets), _TRACKLETS_PER_JOB):
                if self.failed:
                    break
                chosen = tracklets[start : start + _TRACKLETS_PER_JOB]
                job = Job(
                    part,
                    chosen,
                    str(self.classifier),
                    self.categories,
                    self.rule,
                    self.labels,
                    self.images_per_tracklet,
                )
                yield size * len(chosen) / len(tracklets), job
        yield 0.0, None

    def take(self, results: list[Classified | Unread]) -> int:
        """Add some results. Returns the number of their images."""
        if self.failed:
            return 0
        known = dict(zip(self.labels, self.categories, strict=True))
        count = 0
        try:
            if self.writer is None:
                self.writer = MovieWriter(self.session, self.number, self.labels, self.attributes)
            for found in results:
                if isinstance(found, Unread):
                    if found.drive:
                        raise StackError(found.reason)
                    self.unread.append(found)
                    found = undecided(found.tracklet, len(self.labels))
                if found.passed_unusable:
                    self.passed_unusable.append(found.tracklet)
                self.writer.add(found)
                outcome = OUTCOMES[known.get(found.decision.label) or Category.UNKNOWN]
                self.tracklets[outcome] += 1
                self.images[outcome] += len(found.probabilities)
                count += len(found.probabilities)
        except Exception as error:
            self.fail(error)
        return count

    def fail(self, error: BaseException) -> None:
        """Record that the movie failed; its new results are discarded, and an earlier result stays."""
        if self.failed:
            return
        self.failed = True
        earlier = autoids_file(self.session, self.number)
        kept = f" ({earlier.name} of an earlier run was left as it was)" if earlier.exists() else ""
        reason = f"{describe_failure(error, self.stacks[0])}{kept}"
        self.report.failures.append(reason)
        self.report.record.failed(self.number, reason)
        if self.writer:
            self.writer.discard()

    def finish(self, reporter: Reporter) -> None:
        """Put the movie's result in place."""
        self.report.seconds = time.monotonic() - (self.report.started or 0.0)
        if self.failed:
            return
        try:
            if self.writer is None or not self.writer.tracklets:
                self._pass_over(reporter)
                return
            if len(self.unread) > _MOST_UNREAD * self.writer.tracklets:
                raise StackError(
                    f"{self.stacks[0]}: {len(self.unread)} of {self.writer.tracklets} tracklets cannot be read, so "
                    f"none is labelled: {_named(self.unread)}"
                )
            if problem := self.writer.commit(self._check):
                reporter.warn(f"movie {self.number}: its result is whole, but {problem}")
        except Exception as error:
            self.fail(error)
            return
        self.report.movies.append(self.number)
        unread = f"{len(self.unread)} of {self.writer.tracklets} tracklets could not be read" if self.unread else ""
        self.report.record.done(self.number, result_files(self.session, self.number), unread)
        self.report.tracklets += self.tracklets
        self.report.images += self.images
        if self.passed_over:
            count, first = len(self.passed_over), self.passed_over[0][:80]
            reporter.warn(
                f"{self.session.experiment.name}: movie {self.number}: {count} dataset{'s' * (count > 1)} of its image "
                f"stack {'are' if count > 1 else 'is'} passed over, for the name is no tracklet's of this movie "
                f"({first!r}{' and others' * (count > 1)})"
            )
        if self.passed_unusable:
            count, first = len(self.passed_unusable), self.passed_unusable[0]
            reporter.warn(
                f"{self.session.experiment.name}: movie {self.number}: what frame_passed tells of {count} "
                f"tracklet{'s' * (count > 1)} is damaged, or not of as many images as there are ({first}"
                f"{' and others' * (count > 1)}): the best frame is chosen without it, labels do not depend on it"
            )
        if self.unread:
            self.report.unread += [found.tracklet for found in self.unread]
            self.report.failures.append(
                f"movie {self.number}: {len(self.unread)} of {self.writer.tracklets} tracklets could not be read and "
                f"are labelled Unknown, the others are classified: {_named(self.unread)}"
            )

    def _check(self) -> None:
        """Raise an error if inputs, or the folder of results, have changed since the run began."""
        advice = f"movie {self.number} keeps its earlier result, if it had one; classify it again"
        if tuple(source_of(self.session).files(self.session).get(self.number, ())) != self.stacks:
            raise InputChangedError(
                f"{self.session.layout.images}: files of movie {self.number} came or went while it was classified; "
                f"{advice}"
            )
        self.inputs.check(advice)
        self.shared.check(advice)
        if folder_identity(self.session.labels_dir) != self.folder:
            raise ExperimentError(f"{self.session.labels_dir} was removed while movies were classified; start again")

    def _pass_over(self, reporter: Reporter) -> None:
        """Set an earlier result aside where a movie has no tracklets any more."""
        self._check()
        self.report.skipped.append(self.number)
        self.report.record.empty(self.number)
        place = set_aside(self.session, self.number)
        moved = f"; its earlier results were moved to {place}" if place else ""
        reporter.warn(f"{self.session.experiment.name}: movie {self.number} holds no tracklet, and is skipped{moved}")


def tracklets_of(part: MoviePart) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the tracklets of a file; in an image stack of anTraX in the order of their bytes, as anTraX lists them.

    Parameters
    ----------
    part : MoviePart

    Returns
    -------
    (tuple of str, tuple of str)
        Of the tracklets, and of what else a stack holds: what has no tracklet's name, and tracklets of other movies.

    Raises
    ------
    StackError
        The stack cannot be read, or holds something but no tracklet of its movie.
    """
    with part.open() as opened:
        found = opened.tracklets()
        if not isinstance(opened, Stack):
            return tuple(tracklet.name for tracklet in found), ()
        others = opened.unrecognised()
    place = movie_file(part.path.name, "images")
    movie = place[0] if place else None
    names = sorted((tracklet.name for tracklet in found if movie in (None, tracklet.movie)), key=str.encode)
    foreign = [tracklet for tracklet in found if movie not in (None, tracklet.movie)]
    if foreign and not names:
        raise StackError(
            f"{part.path}: its {len(foreign)} tracklets are of movie {foreign[0].movie} (the first is "
            f"{foreign[0].name}), so it is the image stack of that movie under another name; run the tracking step of "
            f"movie {movie} again"
        )
    if others and not names:
        raise StackError(
            f"{part.path}: none of its {len(others)} datasets has the name of a tracklet (the first is "
            f"{others[0][:80]!r}; trj_id<k>_ti<m>_<first>_tf<m>_<last> is expected); run the tracking step of this "
            "movie again"
        )
    return tuple(names), (*others, *(tracklet.name for tracklet in foreign))


def folder_identity(folder: Path) -> tuple[int, int]:
    """Identity of a folder, to detect one that replaced it under the same name; zeros if there is none."""
    try:
        found = folder.stat()
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino


def ranges(numbers: Sequence[int]) -> str:
    """Format numbers as ranges: `1-5, 7` for 1 2 3 4 5 7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _named(unread: list[Unread]) -> str:
    more = len(unread) - _NAMED
    reasons = "; ".join(found.reason for found in unread[:_NAMED])
    return reasons + (f"; and {more} more" if more > 0 else "")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
