"""`--hpc`: from a command and its experiments to jobs of a cluster, an array for each session."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from antrax.classification.classifier_file import find_classifier, read_classifier
from antrax.classification.movie import ranges
from antrax.cluster import chunks
from antrax.cluster.chunks import allot, seconds_of, split_movies, time_limit
from antrax.cluster.jobs import ClusterJob, new_folder, read_jobs, submit, write_job
from antrax.cluster.options import HpcOptions
from antrax.cluster.script import Script
from antrax.cluster.status import session_status
from antrax.errors import AntraxError, ClassifierError, ExperimentError
from antrax.io.examples import open_classdir
from antrax.io.experiments import find_experiments
from antrax.io.graphs import movies_with_graph
from antrax.io.layout import ClassifierLayout, ClusterLayout
from antrax.io.runs import remove_superseded
from antrax.io.session import Session, choose_movies, open_session
from antrax.io.sources import source_of
from antrax.io.stamps import stamps_of
from antrax.progress import Reporter
from antrax.solving.groups import movie_groups

_CPUS = 4
# Solving and training cannot be foreseen; a training that reaches its limit goes on when it is submitted again.
_LONG = "12:00:00"


@dataclass(frozen=True)
class Request:
    """A command and its options, to be run on a cluster.

    Parameters
    ----------
    command : str
        classify, solve or train.
    path : Path
        Experiments; of `train` the folder of the training set, or an experiment.
    session : str or None
        The latest by default.
    movies : sequence of int or None
        All by default.
    missing : bool
        Only movies without a result.
    classifier : str or None
        As for `antrax classify`.
    workers : int or None
        One a processor of the task by default.
    arguments : tuple of str
        All other options, as they stand on the command line.
    """

    command: str
    path: Path
    session: str | None = None
    movies: Sequence[int] | None = None
    missing: bool = False
    classifier: str | None = None
    workers: int | None = None
    arguments: tuple[str, ...] = ()


@dataclass
class _JobPlan:
    """A script that is planned."""

    layout: ClusterLayout
    within: Path
    title: str
    name: str
    arguments: list[str]
    seconds: dict[int, float] = field(default_factory=dict)
    # Movies that only one task can do together; each by itself where this is empty.
    groups: list[tuple[int, ...]] = field(default_factory=list)
    depends: str = ""

    def chunks(self, tasks: int) -> list[list[int]]:
        """Movies of each of some tasks."""
        if not self.groups:
            return split_movies(self.seconds, tasks)
        seconds = {number: sum(map(self.seconds.__getitem__, group)) for number, group in enumerate(self.groups)}
        return [
            sorted(movie for number in some for movie in self.groups[number]) for some in split_movies(seconds, tasks)
        ]


@dataclass(frozen=True)
class WrittenJob:
    """A job whose script is there.

    Parameters
    ----------
    script : Path
    tasks : int
    movies : int
    number : str or None
        What the cluster calls it; None where it was only written.
    """

    script: Path
    tasks: int
    movies: int
    number: str | None


def give_to_cluster(
    request: Request, options: HpcOptions, *, dry: bool, reporter: Reporter
) -> tuple[list[WrittenJob], list[str]]:
    """Write a script for each session, and submit it.

    Parameters
    ----------
    request : Request
    options : HpcOptions
    dry : bool
        Only write.
    reporter : Reporter
        Told of what is left out.

    Returns
    -------
    jobs : list of WrittenJob
    failures : list of str
        Why an experiment has no job, or a job was not submitted, a sentence each; the others are not touched by it.

    Raises
    ------
    AntraxError
        Nothing can be begun.
    """
    failures: list[str] = []
    plans = []
    paths = [request.path] if request.command == "train" else find_experiments(request.path, reporter.say)
    cpus = options.cpus or request.workers or _CPUS
    for path in paths:
        try:
            if plan := _plan(path, request, options, cpus, failures, reporter):
                plans.append(plan)
        except (AntraxError, OSError) as error:
            failures.append(str(error))
    counts = allot(
        [sum(plan.seconds.values()) for plan in plans],
        [max(1, len(plan.groups or plan.seconds)) for plan in plans],
        options.array_size,
        options.max_jobs,
    )
    jobs = []
    for plan, tasks in zip(plans, counts, strict=True):
        try:
            job = _written(plan, request, options, cpus, tasks)
            jobs.append(job)
            if not dry:
                jobs[-1] = replace(job, number=submit(job.script))
        except (AntraxError, OSError) as error:
            failures.append(str(error))
    return jobs, failures


def _plan(
    path: Path, request: Request, options: HpcOptions, cpus: int, failures: list[str], reporter: Reporter
) -> _JobPlan | None:
    if request.command == "train":
        return _plan_training(request, options)
    session = open_session(path, request.session)
    arguments = [request.command, str(session.experiment), "--session", session.name]
    named = f"{session.experiment.name}-{session.name}"
    plan = _JobPlan(session.layout.cluster, session.path, "", f"antrax-{request.command}-{named}", arguments)
    if request.command == "solve":
        return _plan_solving(plan, session, request, options, failures)
    return _plan_classification(plan, session, request, options, cpus, failures, reporter)


def _plan_classification(
    plan: _JobPlan,
    session: Session,
    request: Request,
    options: HpcOptions,
    cpus: int,
    failures: list[str],
    reporter: Reporter,
) -> _JobPlan | None:
    stacks = source_of(session).files(session)
    if not stacks:
        raise ExperimentError(
            f"{session.layout.images} holds no image stacks (images_<m>.mat): run the tracking step, or copy them there"
        )
    movies = list(stacks)
    if request.movies is not None:
        movies, absent = choose_movies(request.movies, stacks)
        if absent:
            failures.append(
                f"{session.path} has no image stack of movie {ranges(absent)}; it has {ranges(list(stacks))}"
            )
    _ = session.labels  # a broken labels.csv is to be told before anything is submitted
    waits_for, digest = _classifier(plan, session, request)
    if request.missing:
        remove_superseded(session, "classify")
        found = session_status(session, "classify")
        without = set(found.without_result) if found else set()
        movies = [movie for movie in movies if movie in without]
        plan.arguments.append("--missing")
    if not movies:
        if request.missing:
            reporter.say(f"{session.experiment.name}: all movies have a result already")
        return None
    stamps = stamps_of(path for movie in movies for path in stacks[movie])
    sizes = {movie: sum(stamp.size for path in stacks[movie] if (stamp := stamps[path])) for movie in movies}
    plan.seconds = {movie: seconds_of(size, cpus) for movie, size in sizes.items()}
    if digest:
        plan.arguments += ["--digest", digest]
    plan.title = f"antrax classify: {len(movies)} movies of {session.experiment}, session {session.name}."
    earlier = [job for job in read_jobs(session.layout.cluster, "classify") if _works_on(job, set(movies))]
    plan.depends = _dependencies(options.after, earlier, waits_for)
    return plan


def _classifier(plan: _JobPlan, session: Session, request: Request) -> tuple[list[ClusterJob], str | None]:
    """Trainings to wait for, and the digest of the classifier where there are none; adds the option to the plan."""
    try:
        path: Path | None = find_classifier(session.classifier_dir, request.classifier)
    except ClassifierError:
        # a training that waits in the cluster may write it
        path = _classifier_to_be(session, request.classifier)
        if path is None:
            raise
    assert path is not None
    trainings = [job for job in read_jobs(ClassifierLayout(path.parent).cluster, "train") if _may_come(job)]
    plan.arguments += ["--classifier", str(path)]
    return (trainings, None) if trainings else ([], read_classifier(path).digest())


def _classifier_to_be(session: Session, choice: str | None) -> Path | None:
    is_name = choice is None or Path(choice).name == choice
    folder = session.classifier_dir if choice is None or is_name else Path(choice).expanduser().absolute().parent
    layout = ClassifierLayout(folder)
    if not any(_may_come(job) for job in read_jobs(layout.cluster, "train")):
        return None
    name = Path(choice).name.removesuffix(".h5") if choice else "classifier"
    return layout.classifier(name)


def _plan_solving(
    plan: _JobPlan, session: Session, request: Request, options: HpcOptions, failures: list[str]
) -> _JobPlan | None:
    there = movies_with_graph(session)
    if not there:
        raise ExperimentError(f"{session.layout.graphs} holds no graph of tracklets; run the tracking step first")
    movies = there
    if request.movies is not None:
        movies, absent = choose_movies(request.movies, there)
        if absent:
            failures.append(f"{session.path} has no graph of movie {ranges(absent)}; it has {ranges(there)}")
        if not movies:
            return None
    # How long it takes cannot be foreseen: each group is a task, as far as there may be so many.
    plan.seconds = dict.fromkeys(movies, chunks.TASK_SECONDS)
    plan.groups = movie_groups(session, movies)
    plan.title = f"antrax solve: {len(movies)} movies of {session.experiment}, session {session.name}."
    earlier = [job for command in ("classify", "solve") for job in read_jobs(session.layout.cluster, command)]
    plan.depends = _dependencies(options.after, [job for job in earlier if _works_on(job, set(movies))], [])
    return plan


def _plan_training(request: Request, options: HpcOptions) -> _JobPlan:
    classdir = open_classdir(request.path, request.session)
    layout = ClassifierLayout(classdir.path)
    session = classdir.session
    place = session.experiment if session else classdir.path
    arguments = ["train", str(place), *(["--session", session.name] if session else [])]
    plan = _JobPlan(layout.cluster, classdir.path, f"antrax train: {place}.", f"antrax-train-{place.name}", arguments)
    earlier = [job for job in read_jobs(layout.cluster, "train") if _may_come(job)]
    plan.depends = _dependencies(options.after, earlier, [])
    return plan


def _written(plan: _JobPlan, request: Request, options: HpcOptions, cpus: int, tasks: int) -> WrittenJob:
    folder = new_folder(plan.layout, request.command, plan.within)
    # Without a list, movies that come later are done too.
    divides = request.command == "classify" or len(plan.groups) > 1 or request.movies is not None
    of_tasks = plan.chunks(tasks) if plan.seconds else [[]]
    command = [sys.executable, "-m", "antrax", *plan.arguments, *request.arguments]
    if request.command != "train":
        command += ["--nw", str(request.workers or options.cpus or cpus)]
    longest = max(sum(plan.seconds[movie] for movie in movies) for movies in of_tasks)
    script = Script(
        ClusterLayout.script(folder, request.command),
        plan.title,
        plan.name,
        tuple(command),
        tuple(ranges(movies).replace(" ", "") for movies in of_tasks) if divides else (),
        cpus,
        time_limit(longest) if request.command == "classify" else _LONG,
        plan.depends,
    )
    write_job(script, options, request.command, of_tasks)
    return WrittenJob(script.path, script.tasks, len(plan.seconds), None)


def _may_come(job: ClusterJob) -> bool:
    """Whether a job was submitted and not all of its tasks have ended.

    What the cluster has forgotten, it does not wait for.
    """
    return job.number is not None and not job.is_over


def _works_on(job: ClusterJob, movies: set[int]) -> bool:
    return _may_come(job) and any(
        (task.log is None or task.may_run()) and movies & set(task.movies) for task in job.tasks
    )


def _dependencies(after: str | None, any_end: Sequence[ClusterJob], good_end: Sequence[ClusterJob]) -> str:
    """Dependencies for sbatch: the end of some jobs, and the successful end of others."""
    anyhow = [*([after] if after else []), *(job.number for job in any_end if job.number)]
    well = [job.number for job in good_end if job.number]
    kinds = {"afterany": dict.fromkeys(anyhow), "afterok": dict.fromkeys(well)}
    return ",".join(":".join([kind, *numbers]) for kind, numbers in kinds.items() if numbers)


def how_to_submit(job: WrittenJob) -> str:
    """The command that submits a script."""
    return f"sbatch {shlex.quote(str(job.script))}"
