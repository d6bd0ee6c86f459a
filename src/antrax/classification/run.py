"""`antrax classify`: from experiments and a classifier to a label for every tracklet."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from antrax.classification.calibration import ENOUGH_TRACKLETS, rule_for
from antrax.classification.classifier_file import Classifier, find_classifier, read_classifier
from antrax.classification.decision import Rule
from antrax.classification.engine import Job, Model, Worker, make_model, start_worker, work
from antrax.errors import AntraxError, ClassificationError, ExperimentError, LabelsError, OptionError, StackError
from antrax.io.experiments import find_experiments
from antrax.io.results import Classified, autoids_file, confidence_file, frameprobs_file
from antrax.io.results_writer import MovieWriter
from antrax.io.session import Session, choose_movies, open_session
from antrax.io.sources import MoviePart, check_parts, source_of
from antrax.labels import Category, Labels, label_warnings, spelling_notice
from antrax.networks.devices import choose_device, processors
from antrax.progress import Reporter, Update

# A job is long enough to fill batches with the shortest tracklets and short enough to spread one movie over all
# workers.
_TRACKLETS_PER_JOB = 48
_MOST_GPU_WORKERS = 4


@dataclass(frozen=True)
class ClassifyOptions:
    """How to classify.

    Parameters
    ----------
    classifier : str, optional
        A file, or the name of one in the session's `classifier` folder; `classifier` by default.
    session : str, optional
        Name of the session in each experiment; the latest by default.
    movies : sequence of int, optional
        All movies with an image stack by default.
    missing : bool
        Only movies without a result.
    max_error : float
        Accepted share of wrong IDs among the assigned ones.
    workers : int, optional
        Processes that share the work; one a processor by default. 1 works in this process.
    device : str
        auto, cpu, cuda or mps.
    """

    classifier: str | None = None
    session: str | None = None
    movies: Sequence[int] | None = None
    missing: bool = False
    max_error: float = 0.01
    workers: int | None = None
    device: str = "auto"


@dataclass
class ExperimentReport:
    """Result of classifying one experiment.

    Parameters
    ----------
    path : Path
        The experiment.
    session : Session or None
        None where it could not be opened.
    tracklets, images : Counter
        By outcome: ID, multi, non-ant, unknown.
    movies : list of int
        Classified.
    skipped : list of int
        Already classified (`missing`), or without any tracklet with images.
    failures : list of str
        What went wrong, a sentence a movie.
    seconds : float
        From the first to the last of its work, some of which is done at the same time as other experiments'.
    started : float or None
        When its first work was handed out, on the monotonic clock.
    """

    path: Path
    session: Session | None = None
    tracklets: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    movies: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    started: float | None = None


@dataclass(frozen=True)
class Report:
    """Result of classifying one or more experiments.

    Parameters
    ----------
    experiments : list of ExperimentReport
        In the order in which they were found.
    seconds : float
        Time that it took, all in all.
    device : str
        cpu, cuda or mps: what computed.
    """

    experiments: list[ExperimentReport]
    seconds: float
    device: str

    @property
    def failures(self) -> list[str]:
        """Everything that went wrong, a sentence each."""
        return [failure for experiment in self.experiments for failure in experiment.failures]


OUTCOMES = {Category.ANT: "ID", Category.MULTI: "multi", Category.NONANT: "non-ant", Category.UNKNOWN: "unknown"}


def classify(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    options: ClassifyOptions | None = None,
    *,
    reporter: Reporter | None = None,
) -> Report:
    """Classify the tracklets of one or more experiments and write the results into their sessions.

    Parameters
    ----------
    path : path or sequence of paths
        Each an experiment, a folder that contains some, or a text file that lists some.
    options : ClassifyOptions, optional
        How to classify; the defaults of `ClassifyOptions` without.
    reporter : Reporter, optional
        Told of progress and warnings; silent by default.

    Returns
    -------
    Report
        Tracklets and images by outcome, of each experiment.

    Raises
    ------
    AntraxError
        Nothing could be started.
    ClassificationError
        Some movies or experiments failed; the others are done, see its `report`.

    Examples
    --------
    >>> report = antrax.classify("colony1", antrax.ClassifyOptions(max_error=0.005))  # doctest: +SKIP
    >>> report.experiments[0].tracklets  # doctest: +SKIP
    Counter({'ID': 154, 'unknown': 42, 'non-ant': 24, 'multi': 20})
    """
    options = options or ClassifyOptions()
    reporter = reporter or Reporter()
    if not 0 < options.max_error < 1:
        raise OptionError(f"--max-error {options.max_error:g}: give a share between 0 and 1, such as 0.01")
    if options.workers is not None and options.workers < 1:
        raise OptionError(f"--nw {options.workers}: at least one worker is needed")
    started = time.monotonic()
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    experiments = list(dict.fromkeys(found for given in paths for found in find_experiments(given, reporter.say)))
    device = choose_device(options.device)
    classifiers: dict[Path, Classifier] = {}
    reports, movies = [], []
    for experiment in experiments:
        report = ExperimentReport(experiment)
        reports.append(report)
        try:
            movies += _plan(report, options, classifiers, reporter)
        except AntraxError as error:
            report.failures.append(str(error))
    if movies:
        _run(movies, classifiers, options, device, reporter)
    result = Report(reports, time.monotonic() - started, device)
    if result.failures:
        raise ClassificationError(_failure_line(result), result)
    return result


def _failure_line(report: Report) -> str:
    first, *more = report.failures
    return first + (f" (and {len(more)} more failed)" if more else "")


@dataclass
class _Movie:
    """A movie to classify, and what is known of it while that goes on."""

    number: int
    report: ExperimentReport
    session: Session
    classifier: Path
    stacks: tuple[Path, ...]
    labels: tuple[str, ...]
    categories: tuple[Category | None, ...]
    rule: Rule
    attributes: dict[str, Any]
    writer: MovieWriter | None = None
    tracklets: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    failed: bool = False


def _plan(
    report: ExperimentReport, options: ClassifyOptions, classifiers: dict[Path, Classifier], reporter: Reporter
) -> list[_Movie]:
    """The movies of an experiment that are to be classified. Raises AntraxError where none can be."""
    session = report.session = open_session(report.path, options.session)
    report.path = session.experiment
    movies = _movies_to_classify(report, session, options, reporter)
    path = find_classifier(session.classifier_dir, options.classifier)
    if is_new := path not in classifiers:
        classifiers[path] = read_classifier(path)
    labels = session.labels
    classifier = classifiers[path].with_labels_of(labels.all)
    if spelt := spelling_notice(dict(zip(classifiers[path].labels, classifier.labels, strict=True))):
        reporter.say(f"{session.experiment.name}: {path.name}: {spelt}")
    for warning in label_warnings(labels):
        reporter.warn(f"{session.layout.labels_file}: {warning}")
    _compare_labels(session, labels, classifier, reporter)
    if session.inverted != (classifier.background == "black"):
        animals = "light animals on dark ground" if session.inverted else "dark animals on light ground"
        raise ExperimentError(
            f"{session.path} has {animals}, but {path} was trained on images with {classifier.background} background; "
            "choose another classifier"
        )
    calibration = classifier.calibration
    if is_new and not (calibration and calibration.sufficient):
        reporter.warn(
            f"{path.name} carries no calibration on at least {ENOUGH_TRACKLETS} held-out tracklets: a fixed cautious "
            "rule is used, and --max-error has no effect"
        )
    rule = rule_for(calibration, options.max_error)
    attributes = {
        "classifier": str(path),
        "classifier_digest": classifiers[path].digest(),
        "max_error": options.max_error if calibration and calibration.sufficient else None,
        "temperature": rule.temperature,
        "exponent": rule.exponent,
        "threshold": rule.threshold,
        "antrax": version("antrax"),
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    categories = tuple(labels.category(label) for label in classifier.labels)
    return [
        _Movie(
            number,
            report,
            session,
            path,
            stacks,
            classifier.labels,
            categories,
            rule,
            attributes,
        )
        for number, stacks in movies.items()
    ]


def _movies_to_classify(
    report: ExperimentReport, session: Session, options: ClassifyOptions, reporter: Reporter
) -> dict[int, tuple[Path, ...]]:
    """The stacks of the movies to classify."""
    stacks = source_of(session).files(session)
    if not stacks:
        raise ExperimentError(
            f"{session.layout.images} holds no image stacks (images_<m>.mat): "
            "run the tracking step, or copy the stacks there"
        )
    numbers = list(stacks)
    if options.movies is not None:
        there, (numbers, absent) = numbers, choose_movies(options.movies, stacks)
        if absent:
            report.failures.append(
                f"{session.path} has no image stack of movie {_ranges(absent)}; it has {_ranges(there)}"
            )
    elif without := session.movies_without_stack:
        reporter.say(
            f"{session.experiment.name}: {len(without)} of {len(session.movies)} movies have no image stack "
            "(not tracked, or nothing single in them)"
        )
    if options.missing:
        report.skipped += [number for number in numbers if autoids_file(session, number).exists()]
        numbers = [number for number in numbers if number not in report.skipped]
    return {number: stacks[number] for number in numbers}


def _compare_labels(session: Session, labels: Labels, classifier: Classifier, reporter: Reporter) -> None:
    """Tell which labels are not shared. Raises `LabelsError` where no ID is."""
    name = session.experiment.name
    known = set(labels.all)
    if unknown := [label for label in classifier.labels if label not in known]:
        reporter.warn(
            f"{name}: the classifier knows {', '.join(unknown)}, which labels.csv does not list: never assigned"
        )
    if absent := [label for label in labels.all if label not in classifier.labels]:
        reporter.warn(f"{name}: the classifier does not know {', '.join(absent)} of labels.csv: never assigned")
    if not set(labels.ants) & set(classifier.labels):
        raise LabelsError(
            f"{session.layout.labels_file} shares no ant label with the classifier "
            f"({', '.join(classifier.labels)}); choose the classifier that was trained for these ants"
        )


def _run(
    movies: list[_Movie],
    classifiers: dict[Path, Classifier],
    options: ClassifyOptions,
    device: str,
    reporter: Reporter,
) -> None:
    """Classify all movies, in order, spread over the workers."""
    models = {str(path): make_model(classifier, device) for path, classifier in classifiers.items()}
    most = processors() if device == "cpu" else min(_MOST_GPU_WORKERS, processors())
    workers = options.workers or most
    started = time.monotonic()
    images = 0
    done = 0.0
    with reporter.bar("classifying", sum(_size(path) for movie in movies for path in movie.stacks), "B") as update:
        with _Pool(models, workers) as pool:
            for movie, share, outcome in pool.map_ordered(_jobs(movies)):
                if isinstance(outcome, list):
                    images += sum(len(result.probabilities) for result in outcome)
                    _take(movie, outcome)
                elif isinstance(outcome, BaseException):
                    _fail(movie, outcome)
                else:
                    _finish(movie)
                done += share
                _tell(update, done, images, time.monotonic() - started)


def _tell(update: Update, done: float, images: int, seconds: float) -> None:
    update(round(done), f"{images:,} images, {images / max(seconds, 1e-9):,.0f}/s")


# One step of the plan: a job, an error met while planning it, or None at the end of a movie; and the movie's bytes
# it stands for.
_Step = tuple[_Movie, float, "Job | BaseException | None"]


def _jobs(movies: list[_Movie]) -> Iterator[_Step]:
    """The jobs of all movies, made as they are needed: a movie's tracklets are listed when its turn comes."""
    for movie in movies:
        movie.report.started = movie.report.started or time.monotonic()
        names: dict[str, Path] = {}
        source = source_of(movie.session)
        parts = [MoviePart(source, movie.session, path) for path in movie.stacks]
        for part in parts:
            path, size = part.path, _size(part.path)
            try:
                check_parts(parts)
                with part.open() as stack:
                    tracklets = [tracklet.name for tracklet in stack.tracklets()]
                if twice := names.keys() & set(tracklets):
                    raise StackError(
                        f"{path}: tracklet {min(twice)} is in another part of the movie too ({names[min(twice)].name})"
                    )
            except StackError as error:
                yield movie, float(size), error
                break
            names |= dict.fromkeys(tracklets, path)
            for start in range(0, len(tracklets), _TRACKLETS_PER_JOB):
                if movie.failed:
                    break
                chosen = tuple(tracklets[start : start + _TRACKLETS_PER_JOB])
                job = Job(part, chosen, str(movie.classifier), movie.categories, movie.rule, movie.labels)
                yield movie, size * len(chosen) / len(tracklets), job
        yield movie, 0.0, None


class _Pool:
    """Worker processes; with one worker, this process."""

    def __init__(self, models: dict[str, Model], workers: int) -> None:
        self._models, self._workers = models, workers
        self._executor: Any = None
        self._here: Worker | None = None

    def __enter__(self) -> _Pool:
        if self._workers == 1:
            self._here = Worker(self._models, threads=processors())
        else:
            # unlike the standard library's, these workers do not run the user's script again, which need then not be
            # guarded by `if __name__ == "__main__"`
            from loky.process_executor import ProcessPoolExecutor

            self._executor = ProcessPoolExecutor(self._workers, initializer=start_worker, initargs=(self._models,))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._executor:
            self._executor.shutdown(wait=True, kill_workers=kind is not None)

    def map_ordered(
        self, steps: Iterator[_Step]
    ) -> Iterator[tuple[_Movie, float, list[Classified] | BaseException | None]]:
        """Answers in the order of the steps, with only so many under way that memory stays bounded."""
        waiting: deque[tuple[_Movie, float, Future[list[Classified]] | BaseException | None]] = deque()
        for movie, share, step in steps:
            waiting.append((movie, share, self._submit(step) if isinstance(step, Job) else step))
            while len(waiting) > 2 * self._workers + 1:
                yield _answer(*waiting.popleft())
        while waiting:
            yield _answer(*waiting.popleft())

    def _submit(self, job: Job) -> Future[list[Classified]]:
        if self._executor:
            future: Future[list[Classified]] = self._executor.submit(work, job)
            return future
        assert self._here is not None
        future = Future()
        try:
            future.set_result(self._here.classify(job))
        except StackError as error:
            future.set_exception(error)
        return future


def _answer(
    movie: _Movie, share: float, step: Future[list[Classified]] | BaseException | None
) -> tuple[_Movie, float, list[Classified] | BaseException | None]:
    if not isinstance(step, Future):
        return movie, share, step
    try:
        return movie, share, step.result()
    except StackError as error:
        return movie, share, error


def _take(movie: _Movie, results: list[Classified]) -> None:
    """Write some results of a movie and count them."""
    if movie.failed:
        return
    try:
        if movie.writer is None:
            movie.writer = MovieWriter(movie.session, movie.number, movie.labels, movie.attributes)
        for result in results:
            movie.writer.add(result)
    except AntraxError as error:
        _fail(movie, error)
        return
    known = dict(zip(movie.labels, movie.categories, strict=True))
    for result in results:
        category = known.get(result.decision.label) or Category.UNKNOWN
        movie.tracklets[OUTCOMES[category]] += 1
        movie.images[OUTCOMES[category]] += len(result.probabilities)


def _fail(movie: _Movie, error: BaseException) -> None:
    """Note that a movie failed; what it had so far is dropped, an earlier result stays."""
    if movie.failed:
        return
    movie.failed = True
    earlier = autoids_file(movie.session, movie.number)
    kept = f" ({earlier.name} of an earlier run was left as it was)" if earlier.exists() else ""
    movie.report.failures.append(f"{error}{kept}")
    if movie.writer:
        movie.writer.discard()


def _finish(movie: _Movie) -> None:
    """Put a movie's results in place."""
    movie.report.seconds = time.monotonic() - (movie.report.started or 0.0)
    if movie.failed:
        return
    if movie.writer is None or not movie.writer.tracklets:
        movie.report.skipped.append(movie.number)
        # a result of earlier tracking would be taken for this one's
        for file in (autoids_file, confidence_file, frameprobs_file):
            file(movie.session, movie.number).unlink(missing_ok=True)
        return
    try:
        movie.writer.commit()
    except AntraxError as error:
        _fail(movie, error)
        return
    movie.report.movies.append(movie.number)
    movie.report.tracklets += movie.tracklets
    movie.report.images += movie.images


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _ranges(numbers: Sequence[int]) -> str:
    """`1-5, 7` for the numbers 1 2 3 4 5 7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
