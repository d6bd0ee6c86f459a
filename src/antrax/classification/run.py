"""`antrax classify`: from experiments and a classifier to a label for every tracklet."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from antrax.batch import check_options, describe_failure, failure_line
from antrax.classification.calibration import rule_for, why_not_calibrated
from antrax.classification.classifier_file import Classifier, find_classifier, read_classifier
from antrax.classification.decision import DecisionRule, Rule
from antrax.classification.engine import Job, make_model
from antrax.classification.movie import MovieRun, folder_identity, ranges, tracklets_of
from antrax.classification.pool import WorkerPool
from antrax.classification.report import ClassifyResult, ExperimentReport
from antrax.classification.spread import ImagesPerTracklet, check_images_per_tracklet
from antrax.defaults import MAX_ERROR
from antrax.errors import AntraxError, ClassificationError, ClassifierError, ExperimentError, LabelsError
from antrax.interrupts import heeded_interrupts
from antrax.io import locks
from antrax.io.atomic import make_folder, remove_dead_parts
from antrax.io.experiments import find_all_experiments
from antrax.io.layout import classifier_claim
from antrax.io.renaming import check_not_renaming
from antrax.io.result_state import ResultState, result_state
from antrax.io.results import autoids_file, read_movie, result_files
from antrax.io.results_writer import finish_pending, keep_copy, pending_movies
from antrax.io.runs import failures, read_runs, results_left, start_record, unchanged_results
from antrax.io.session import Session, choose_movies, open_session, session_dirs
from antrax.io.sources import MoviePart, check_parts, source_of
from antrax.io.stamps import InputStamps
from antrax.labels import UNKNOWN, Labels, label_warnings, spelling_notice
from antrax.messages import parameter
from antrax.networks.devices import choose_device, graphics_cards, processors
from antrax.progress import Reporter, Update

# Processes for each graphics card, unless a number is asked for: to read and prepare its images takes several.
_GPU_WORKERS = 8


@dataclass(frozen=True)
class ClassifyOptions:
    """Options of classification.

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
    engine : str
        What runs the network: auto for the fastest, or one of `antrax.networks.backends.engines.ENGINES`.
    images_per_tracklet : int, "auto" or None
        Most images of a tracklet that are looked at, evenly spread over it; "auto" looks at more only while the
        decision is not sure. All by default.
    digest : str, optional
        What `antrax info` shows of the classifier that is meant; any other is refused.
    """

    classifier: str | None = None
    session: str | None = None
    movies: Sequence[int] | None = None
    missing: bool = False
    max_error: float = MAX_ERROR
    workers: int | None = None
    device: str = "auto"
    engine: str = "auto"
    images_per_tracklet: ImagesPerTracklet = None
    digest: str | None = None


def classify(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    options: ClassifyOptions | None = None,
    *,
    rule: DecisionRule | None = None,
    reporter: Reporter | None = None,
) -> ClassifyResult:
    """Classify the tracklets of one or more experiments and write the results into their sessions.

    Parameters
    ----------
    path : path or sequence of paths
        Each an experiment, a folder that contains some, or a text file that lists some.
    options : ClassifyOptions, optional
        How to classify; the defaults of `ClassifyOptions` without.
    rule : DecisionRule, optional
        Decides on a tracklet instead of the package's rule (`antrax.classification.decision.Rule`); `max_error` then
        has no effect.
    reporter : Reporter, optional
        Told of progress and warnings; silent by default.

    Returns
    -------
    ClassifyResult
        Tracklets and images by outcome, of each experiment.

    Raises
    ------
    AntraxError
        Nothing could be started.
    ClassificationError
        Some tracklets, movies or experiments failed; the others are done, see its `report`.

    Examples
    --------
    >>> result = antrax.classify("colony1", antrax.ClassifyOptions(movies=[1, 2]))  # doctest: +SKIP
    >>> result.experiments[0].tracklets  # doctest: +SKIP
    Counter({'ID': 151, 'unknown': 32, 'non-ant': 17})
    """
    options = options or ClassifyOptions()
    reporter = reporter or Reporter()
    check_options(options.max_error, options.workers)
    check_images_per_tracklet(options.images_per_tracklet)
    started = time.monotonic()
    experiments = find_all_experiments(path, reporter.say)
    device = choose_device(options.device, reporter.warn)
    classifiers: dict[Path, Classifier] = {}
    inputs = InputStamps()
    reports: list[ExperimentReport] = []
    movies: list[MovieRun] = []
    engine = ""
    # Claims of movies are given back when all is done. Locks come before a look at what is there.
    with heeded_interrupts() as check, contextlib.ExitStack() as claims:
        for experiment in experiments:
            report = ExperimentReport(experiment)
            reports.append(report)
            try:
                movies += _plan(report, options, rule, classifiers, inputs, claims, reporter)
            except Exception as error:
                report.failures.append(describe_failure(error, experiment))
            check()
        if movies:
            engine = _run(movies, classifiers, options, device, reporter, check)
        for report in reports:
            _conclude(report, movies, reporter)
    result = ClassifyResult(reports, time.monotonic() - started, device, engine)
    if result.failures:
        raise ClassificationError(failure_line(result.failures), result)
    return result


def _plan(
    report: ExperimentReport,
    options: ClassifyOptions,
    rule: DecisionRule | None,
    classifiers: dict[Path, Classifier],
    inputs: InputStamps,
    claims: contextlib.ExitStack,
    reporter: Reporter,
) -> list[MovieRun]:
    """Choose and claim the movies of an experiment to classify. Raises AntraxError if there is none."""
    session = report.session = open_session(report.path, options.session)
    report.path = session.experiment
    if options.session is None and (others := len(session_dirs(session.experiment)) - 1) and others > 0:
        reporter.say(f"{session.experiment.name}: session {session.name}, the latest of {others + 1} (by Trck.mat)")
    stacks = _stacks_to_classify(report, session, options, reporter)
    path = find_classifier(session.classifier_dir, options.classifier)
    inputs.note(path, session.layout.labels_file, session.layout.parameters_file, session.layout.movies_file)
    if is_new := path not in classifiers:
        _announce(path, claims, reporter)
        classifiers[path] = read_classifier(path)
    digest = classifiers[path].digest()
    if options.digest not in (None, digest):
        raise ClassifierError(
            f"{path} is another classifier than the one that was meant (digest {digest}, not {options.digest}): it was "
            "replaced. To use this one, start again; a job of a cluster has to be submitted again"
        )
    labels = session.labels
    classifier = classifiers[path].with_labels_of(labels.all)
    if spelt := spelling_notice(dict(zip(classifiers[path].labels, classifier.labels, strict=True))):
        reporter.say(f"{session.experiment.name}: {path.name}: {spelt}")
    for warning in label_warnings(labels):
        reporter.warn(f"{session.layout.labels_file}: {warning}")
    _compare_labels(session, labels, classifier, reporter)
    _compare_background(session, classifier, path, reporter)
    calibration = classifier.calibration
    if is_new:
        for warning in _classifier_warnings(path.name, classifier, has_own_rule=rule is not None):
            reporter.warn(warning)
    decides = rule or rule_for(calibration, options.max_error)
    attributes = {
        "classifier": str(path),
        "classifier_digest": digest,
        "max_error": options.max_error if rule is None and calibration and calibration.sufficient else None,
        "rule": "antrax" if rule is None else getattr(rule, "__qualname__", type(rule).__qualname__),
        **(dataclasses.asdict(decides) if isinstance(decides, Rule) else {}),
        "images_per_tracklet": options.images_per_tracklet,
        "antrax": version("antrax"),
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    _claim(session, list(stacks), claims)
    check_not_renaming(session)
    if options.missing:
        stacks = _without_result(report, session, stacks, reporter)
    if stacks:
        report.record = start_record(session, "classify", list(stacks), classifier=str(path), digest=digest)
        claims.callback(report.record.end)
    folder = folder_identity(session.labels_dir)
    categories = tuple(labels.category(label) for label in classifier.labels)
    return [
        MovieRun(
            number,
            report,
            session,
            path,
            stack,
            classifier.labels,
            categories,
            decides,
            attributes,
            inputs,
            folder,
            images_per_tracklet=options.images_per_tracklet,
        )
        for number, stack in stacks.items()
    ]


def _classifier_warnings(name: str, classifier: Classifier, *, has_own_rule: bool) -> list[str]:
    """Warnings about a classifier, a sentence each."""
    warnings = []
    if not has_own_rule and (why := why_not_calibrated(classifier.calibration)):
        warnings.append(f"{name} {why}. A fixed cautious rule is used, and {parameter('max_error')} has no effect")
    if classifier.is_poor:
        warnings.append(
            f"{name} is a poor network, as its training found: check the IDs that it gives, train it longer, and look "
            "for examples under wrong labels"
        )
    return warnings


def _stacks_to_classify(
    report: ExperimentReport, session: Session, options: ClassifyOptions, reporter: Reporter
) -> dict[int, tuple[Path, ...]]:
    """The stacks of the movies asked for."""
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
                f"{session.path} has no image stack of movie {ranges(absent)}; it has {ranges(there)}"
            )
    elif without := session.movies_without_stack:
        reporter.say(
            f"{session.experiment.name}: {len(without)} of {len(session.movies)} movies have no image stack "
            "(not tracked, or nothing single in them)"
        )
    return {number: stacks[number] for number in numbers}


def _claim(session: Session, numbers: list[int], claims: contextlib.ExitStack) -> None:
    """Claim movies against other processes, and remove left-over files of killed runs."""
    folder = session.labels_dir
    if not folder.is_dir():
        make_folder(folder, within=session.layout.parameters)
        claims.callback(_remove_if_empty, folder)
    claims.enter_context(locks.claim(folder, "classify", numbers))
    remove_dead_parts(folder)
    for number in pending_movies(session) & set(numbers):
        finish_pending(session, number)


def _announce(path: Path, claims: contextlib.ExitStack, reporter: Reporter) -> None:
    """Announce that a classifier is in use, and warn if it is being trained."""
    if trainings := locks.claims(path.parent, classifier_claim(path, "train")):
        reporter.warn(
            f"{trainings[0]} is training {path.name}: movies that are not done when it puts its result there keep "
            "their earlier results, if they had any, and are to be classified again"
        )
    claims.enter_context(locks.announce(path.parent, classifier_claim(path, "classify"), task="antrax classify"))


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _without_result(
    report: ExperimentReport, session: Session, stacks: dict[int, tuple[Path, ...]], reporter: Reporter
) -> dict[int, tuple[Path, ...]]:
    """Movies without a result, or with an outdated one."""
    chosen = {}
    name = session.experiment.name
    results = {number: result_files(session, number) for number in stacks}
    runs = read_runs(session, "classify")
    certain, left = unchanged_results(runs, stacks, results), results_left(runs)
    failed = failures(runs, {number: autoids_file(session, number) for number in stacks})
    for number, paths in stacks.items():
        if why := failed.get(number):
            reporter.say(f"{name}: movie {number} is classified again; last time: {why}")
            chosen[number] = paths
            continue
        if number in certain:  # as a run left it: nothing has to be read
            report.skipped.append(number)
            continue
        state = result_state(session, number, left.get(number))
        if state is ResultState.WHOLE and (changed := _why_changed(session, number, paths)):
            reporter.warn(f"{name}: movie {number} {changed}; it is classified again")
        elif state is ResultState.MIXED:
            kept = keep_copy(session, number)
            reporter.warn(
                f"{name}: the files of the result of movie {number} do not belong together, or are damaged; it is "
                f"classified again{f', and its labels as they were are kept in {kept}' if kept else ''}"
            )
        elif state is ResultState.INCOMPLETE:
            gone = [path.name for path in results[number] if not path.exists()]
            reporter.warn(
                f"{name}: of the result of movie {number}, {' and '.join(gone)} "
                f"{'is' if len(gone) == 1 else 'are'} gone; it is classified again"
            )
        elif state is ResultState.LEFTOVER:
            reporter.warn(
                f"{name}: of movie {number} there are confidences without labels, of an earlier tracking; it is "
                "classified again"
            )
        elif state is not ResultState.NONE:
            report.skipped.append(number)
            continue
        chosen[number] = paths
    if report.skipped:
        reporter.say(f"{name}: movies {ranges(report.skipped)} have a result already")
    return chosen


def _why_changed(session: Session, movie: int, stacks: tuple[Path, ...]) -> str:
    """Why a movie's tracklets are not those of its result, or ''. What cannot be read is not what was classified."""
    try:
        source = source_of(session)
        parts = [MoviePart(source, session, path) for path in stacks]
        check_parts(parts)
        names = sorted(name for part in parts for name in tracklets_of(part)[0])
        is_same = names == sorted(read_movie(session, movie).assignments)
    except (AntraxError, OSError):
        return "has a result, but its images cannot be read"
    return "" if is_same else "was tracked again since it was classified"


def _compare_background(session: Session, classifier: Classifier, path: Path, reporter: Reporter) -> None:
    """Warn of a classifier for another background than the session's. Raises `ExperimentError` if it is unusable.

    In sessions of light animals, anTraX's page wrote selected frames on white ground and whole tracklets on black, so
    classifiers of such sessions may have learned either. Where it is white, blob images are shown on white ground.
    """
    if session.inverted == (classifier.background == "black"):
        return
    if not session.inverted:
        raise ExperimentError(
            f"{session.path} has dark animals on light background, but {path} was trained on images with black "
            "background; choose another classifier"
        )
    reporter.warn(
        f"{session.experiment.name}: light animals on dark background, but {path.name} was trained on images with "
        "white background: blob images are shown to it on white. Make sure that it was trained on these animals"
    )


def _compare_labels(session: Session, labels: Labels, classifier: Classifier, reporter: Reporter) -> None:
    """Warn of labels that only the classifier or only the session has. Raises `LabelsError` if no ID is shared."""
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
    movies: list[MovieRun],
    classifiers: dict[Path, Classifier],
    options: ClassifyOptions,
    device: str,
    reporter: Reporter,
    check: Callable[[], None],
) -> str:
    """Classify all movies, in order, spread over the workers. Returns what ran the network."""
    models = {str(path): make_model(classifier, device, options.engine) for path, classifier in classifiers.items()}
    most = processors() if device == "cpu" else min(_GPU_WORKERS * graphics_cards(device), processors())
    workers = options.workers or most
    started = time.monotonic()
    images = 0
    done = 0.0
    with reporter.bar("classifying", sum(movie.size for movie in movies), "B") as update:
        with WorkerPool(models, workers, reporter) as pool:
            for (movie, share), outcome in pool.map_ordered(_steps(movies)):
                check()
                if isinstance(outcome, list):
                    images += movie.take(outcome)
                elif isinstance(outcome, BaseException):
                    movie.fail(outcome)
                else:
                    movie.finish(reporter)
                done += share
                _tell(update, done, images, time.monotonic() - started)
                check()
    return ", ".join(sorted({model.engine.name for model in models.values()}))


def _tell(update: Update, done: float, images: int, seconds: float) -> None:
    update(round(done), f"{images:,} images, {images / max(seconds, 1e-9):,.0f}/s")


def _steps(movies: list[MovieRun]) -> Iterator[tuple[tuple[MovieRun, float], Job | BaseException | None]]:
    """The jobs of all movies, made as they are needed: a movie's tracklets are listed when its turn comes."""
    for movie in movies:
        movie.report.started = movie.report.started or time.monotonic()
        for share, step in movie.steps():
            yield (movie, share), step


def _conclude(report: ExperimentReport, movies: list[MovieRun], reporter: Reporter) -> None:
    """Verify that the results are still in place, and report what was passed over."""
    name = report.path.name
    if gone := [
        movie.number
        for movie in movies
        if movie.report is report
        and movie.number in report.movies
        and not autoids_file(movie.session, movie.number).exists()
    ]:
        report.movies = [number for number in report.movies if number not in gone]
        folder = report.session.labels_dir if report.session else report.path
        report.failures.append(f"{folder}: results of movies {ranges(gone)} were removed while others were classified")
    if report.unread:
        reporter.warn(f"{name}: {len(report.unread)} tracklets could not be read and are labelled {UNKNOWN}")
