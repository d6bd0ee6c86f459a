"""`antrax solve`: from labels and the tracklet graph to where every animal was."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TypeVar, get_args

import numpy as np

from antrax.batch import BatchResult, check_options, failure_line
from antrax.defaults import MAX_ERROR
from antrax.errors import AntraxError, OptionError, SolvingError
from antrax.io.atomic import make_folder, remove_dead_parts, write_atomically
from antrax.io.experiments import find_all_experiments
from antrax.io.graphs import graph_inputs, movies_with_graph, read_graph
from antrax.io.locks import claim
from antrax.io.positions import Kind, Placements, place
from antrax.io.positions_table import positions_file
from antrax.io.results import autoids_file, confidence_file
from antrax.io.runs import RunRecord, start_record
from antrax.io.session import Session, open_session
from antrax.io.stamps import InputStamps
from antrax.io.tracklet_graph import TrackletGraph
from antrax.io.trdata import trdata_files
from antrax.io.workers import map_in_workers
from antrax.messages import parameter
from antrax.progress import Reporter, Update
from antrax.solving.evidence import Evidence, read_evidence
from antrax.solving.groups import Group, split_groups
from antrax.solving.joint import (
    JointOptions,
    Posterior,
    Window,
    rows_of,
    sample_window,
    split_windows,
    to_solution,
)
from antrax.solving.rules import RuleOptions, RuleState, solve_by_rules
from antrax.solving.singles import find_singles
from antrax.solving.solution import Contradiction, Solution, join_placements

Method = Literal["joint", "antrax"]
METHODS: tuple[Method, ...] = get_args(Method)
T = TypeVar("T")

_MOST = 10**9  # of anything that settings count
_LONGEST_GAP = 0.5  # seconds over which positions are interpolated (joint)


@dataclass(frozen=True)
class SolveOptions:
    """How to solve.

    Parameters
    ----------
    method : {"joint", "antrax"}
        All identities at once with a probability for each placement, or anTraX's rules.
    max_error : float
        Accepted share of the placed ID × frame cells that are wrong (joint).
    movies : sequence of int, optional
        All movies that have a graph by default.
    session : str, optional
        Name of the session in each experiment; the latest by default.
    workers : int, optional
        Processes that share the work; one a processor by default. 1 works in this process.
    """

    method: Method = "joint"
    max_error: float = MAX_ERROR
    movies: Sequence[int] | None = None
    session: str | None = None
    workers: int | None = None


@dataclass(frozen=True)
class Settings:
    """What the methods need to know of a session.

    Parameters
    ----------
    rules : RuleOptions
        Bounds of a single animal's area, which both methods use, and the numbers of anTraX's rules.
    joint : JointOptions
    """

    rules: RuleOptions = field(default_factory=RuleOptions)
    joint: JointOptions = field(default_factory=JointOptions)

    @classmethod
    def of_session(cls, session: Session, max_error: float = MAX_ERROR) -> Settings:
        """The session's own values, from `prmtrs.json` and the movie table."""
        parameters = session.parameters

        def positive(name: str, default: float) -> float:
            value = parameters.positive(name)
            return default if value is None else value

        def whole(name: str, default: int) -> int:
            value = parameters.whole(name, 0, _MOST)
            return default if value is None else value

        rates = [movie.fps for movie in session.movies.values() if np.isfinite(movie.fps)]
        return cls(
            RuleOptions(
                min_area=positive("thrsh_meanareamin", RuleOptions.min_area),
                max_area=positive("thrsh_meanareamax", RuleOptions.max_area),
                pairs_depth=whole("graph_pairs_maxdepth", RuleOptions.pairs_depth),
                iterations=whole("graph_max_iterations", RuleOptions.iterations),
                long_enough=whole("export_too_long_to_be_wrong", RuleOptions.long_enough),
                soft=parameters.flag("export_use_soft", True),
            ),
            JointOptions(
                max_error=max_error,
                fps=float(np.median(rates)) if rates else float("nan"),
                metres_per_pixel=positive("geometry_rscale", float("nan")),
            ),
        )


@dataclass
class ExperimentSolution:
    """Result of solving one experiment.

    Parameters
    ----------
    path : Path
        The experiment.
    session : Session or None
        None where it could not be opened.
    method : str
        joint or antrax.
    solutions : list of Solution
        One for each colony and group of movies.
    movies : list of int
        Movies whose positions are written.
    problems : list of str
        What was passed over, a sentence each; the rest is solved.
    failures : list of str
        What could not be solved or written, a sentence a movie.
    seconds : float
        Time that it took.
    """

    path: Path
    session: Session | None = None
    method: str = "joint"
    solutions: list[Solution] = field(default_factory=list)
    movies: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def coverage(self) -> float:
        """Share of ID × frame cells in which the animal is placed; NaN without any."""
        cells = sum(solution.frames * len(solution.ids) for solution in self.solutions)
        placed = sum(solution.coverage * solution.frames * len(solution.ids) for solution in self.solutions)
        return placed / cells if cells else float("nan")

    @property
    def expected_error(self) -> float:
        """Estimated share of the placed cells that are wrong; NaN by anTraX's rules."""
        wrong = total = 0.0
        for solution in self.solutions:
            weight = float((solution.placed * solution.graph.length[:, None]).sum())
            wrong += solution.expected_error * weight if weight else 0.0
            total += weight
        return wrong / total if total else float("nan")

    @property
    def contradictions(self) -> list[Contradiction]:
        """Labels that the rest speaks against, the least probable first."""
        found = [one for solution in self.solutions for one in solution.contradictions]
        return sorted(found, key=lambda one: np.nan_to_num(one.probability))

    def placements(self) -> Placements:
        """Placements and open alternatives of all colonies and groups."""
        return join_placements(self.solutions)


@dataclass(frozen=True)
class SolveReport(BatchResult):
    """Result of solving one or more experiments.

    Parameters
    ----------
    experiments : list of ExperimentSolution
        In the order in which they were found.
    seconds : float
        Time that it took, all in all.
    """

    experiments: list[ExperimentSolution]
    seconds: float


def solve(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    options: SolveOptions | None = None,
    *,
    reporter: Reporter | None = None,
) -> SolveReport:
    """Find out who was where in one or more experiments, and write it into their sessions.

    Parameters
    ----------
    path : path or sequence of paths
        Each an experiment, a folder that contains some, or a text file that lists some.
    options : SolveOptions, optional
        How to solve; the defaults of `SolveOptions` without.
    reporter : Reporter, optional
        Told of progress and warnings; silent by default.

    Returns
    -------
    SolveReport
        What was solved, by experiment.

    Raises
    ------
    AntraxError
        Nothing could be started.
    SolvingError
        Some movies or experiments failed; the others are done, see its `report`.

    Examples
    --------
    >>> report = solve("colony1", SolveOptions(max_error=0.005))  # doctest: +SKIP
    >>> report.experiments[0].coverage  # doctest: +SKIP
    0.94
    """
    options = options or SolveOptions()
    reporter = reporter or Reporter()
    if options.method not in METHODS:
        raise OptionError(f"{parameter('method', options.method)}: choose {' or '.join(METHODS)}")
    check_options(options.max_error, options.workers)
    started = time.monotonic()
    experiments = []
    for place_ in find_all_experiments(path, reporter.say):
        experiment = ExperimentSolution(place_, method=options.method)
        experiments.append(experiment)
        began = time.monotonic()
        try:
            _solve_experiment(experiment, options, reporter)
        except AntraxError as error:
            experiment.failures.append(str(error))
        experiment.seconds = time.monotonic() - began
    report = SolveReport(experiments, time.monotonic() - started)
    if report.failures:
        raise SolvingError(failure_line(report.failures), report)
    return report


def _solve_experiment(experiment: ExperimentSolution, options: SolveOptions, reporter: Reporter) -> None:
    session = experiment.session = open_session(experiment.path, options.session)
    experiment.path = session.experiment
    # A lock among the logs: MATLAB lists the files of antdata/.
    with claim(make_folder(session.layout.logs, within=session.path), "solve", options.movies):
        movies = movies_with_graph(session) if options.movies is None else sorted(options.movies)
        record = start_record(session, "solve", movies, method=options.method)
        try:
            _solve_session(experiment, session, options, reporter, record)
        except AntraxError as error:
            for movie in movies:
                record.failed(movie, str(error))
            raise
        finally:
            record.end()


def _solve_session(
    experiment: ExperimentSolution, session: Session, options: SolveOptions, reporter: Reporter, record: RunRecord
) -> None:
    layout = session.layout
    inputs = InputStamps()
    inputs.note(layout.labels_file, layout.parameters_file, layout.movies_file, layout.manual_ids_file)
    inputs.note(layout.manual_propagation_file, layout.id_changes_file, *graph_inputs(session, options.movies))
    settings = Settings.of_session(session, options.max_error)
    workers = options.workers or _processors()
    with reporter.bar(f"reading graphs of {session.experiment.name}", None, "movies"):
        reading = read_graph(session, options.movies, workers=workers)
    experiment.failures += reading.failed.values()
    for movie, reason in reading.failed.items():
        record.failed(movie, reason)
    _tell(experiment, reading.problems, reporter)
    if not len(reading.graph):
        return
    for movie in reading.graph.movies.tolist():
        inputs.note(autoids_file(session, movie), confidence_file(session, movie), *trdata_files(session, movie))
    record.begun({movie: [autoids_file(session, movie)] for movie in reading.graph.movies.tolist()})
    evidence, problems = read_evidence(session, reading.graph)
    _tell(experiment, problems, reporter)
    groups, problems = split_groups(session, reading.graph)
    _tell(experiment, problems, reporter)
    with reporter.bar(f"solving {session.experiment.name}", len(reading.graph), "tracklets") as update:
        experiment.solutions = solve_groups(
            reading.graph, evidence, groups, settings, options.method, workers=workers, update=update
        )
    for movie, reason in _write(experiment, session, reading.graph, inputs, options.max_error, reporter).items():
        record.failed(movie, reason)
    for movie in experiment.movies:
        record.done(movie, [positions_file(session, movie)])


def _tell(experiment: ExperimentSolution, problems: Sequence[str], reporter: Reporter) -> None:
    experiment.problems += problems
    for problem in problems:
        reporter.warn(problem)


def _processors() -> int:
    from antrax.networks.devices import processors

    return processors()


def solve_groups(
    graph: TrackletGraph,
    evidence: Evidence,
    groups: Sequence[Group],
    settings: Settings,
    method: Method = "joint",
    *,
    workers: int = 1,
    update: Update | None = None,
) -> list[Solution]:
    """Solve each colony and group of movies on its own.

    Parameters
    ----------
    graph : TrackletGraph
    evidence : Evidence
    groups : sequence of Group
    settings : Settings
    method : {"joint", "antrax"}
    workers : int
        Processes; the result is the same with any number.
    update : callable, optional
        Told of the number of tracklets that are done.

    Returns
    -------
    list of Solution
        One for each group, in order.
    """
    parts = [(_part(graph, group), evidence.select(group.rows)) for group in groups]
    if method == "antrax":
        states = _run(
            [partial(solve_by_rules, part, known, settings.rules) for part, known in parts],
            [len(part) for part, _ in parts],
            workers,
            update,
        )
        return [
            _from_rules(part, known, group.colony, state)
            for (part, known), group, state in zip(parts, groups, states, strict=True)
        ]
    singles = [find_singles(part, known, settings.rules.min_area, settings.rules.max_area) for part, known in parts]
    tasks: list[Callable[[], Posterior]] = []
    windows: list[tuple[int, Window]] = []
    for number, ((part, known), (single, present)) in enumerate(zip(parts, singles, strict=True)):
        for window in split_windows(part, len(known.ids), settings.joint):
            inside = rows_of(part, window)
            windows.append((number, window))
            given = part.select(inside), known.select(inside), single[inside], ~present[inside], window, settings.joint
            tasks.append(partial(sample_window, *given))
    total = sum(len(part) for part, _ in parts)
    found = _run(tasks, [total / len(tasks)] * len(tasks), workers, update)
    posteriors = [Posterior(np.zeros((len(part), len(known.ids)), np.float32), float("nan")) for part, known in parts]
    errors: list[list[float]] = [[] for _ in parts]
    for (number, window), posterior in zip(windows, found, strict=True):
        part = parts[number][0]
        rows = np.flatnonzero(rows_of(part, window))
        core = (part.first[rows] >= window.core_first) & (part.first[rows] <= window.core_last)
        posteriors[number].probability[rows[core]] = posterior.probability[core]
        errors[number].append(posterior.label_error)
    return [
        to_solution(
            part,
            known,
            group.colony,
            single,
            Posterior(posterior.probability, float(np.nanmean(error)) if np.isfinite(error).any() else float("nan")),
            settings.joint.max_error,
        )
        for (part, known), (single, _), group, posterior, error in zip(
            parts, singles, groups, posteriors, errors, strict=True
        )
    ]


def _part(graph: TrackletGraph, group: Group) -> TrackletGraph:
    keep = np.zeros(len(graph), bool)
    keep[group.rows] = True
    return graph.select(keep, group.movies)


def _run(tasks: Sequence[Callable[[], T]], sizes: Sequence[float], workers: int, update: Update | None) -> list[T]:
    """Results of tasks, in order; in this process where one is enough."""
    done = 0.0
    results = []
    for result, size in zip(map_in_workers(min(workers, len(tasks)), _call, tasks), sizes, strict=True):
        results.append(result)
        done += size
        if update is not None:
            update(round(done))
    return results


def _call(task: Callable[[], T]) -> T:
    return task()


def _from_rules(graph: TrackletGraph, evidence: Evidence, colony: str, state: RuleState) -> Solution:
    kind = np.where(state.soft, Kind.SOFT, Kind.UNDECIDED)
    hard = np.where(state.source, Kind.CLASSIFIED, np.where(state.single[:, None], Kind.SINGLE, Kind.SEVERAL))
    kind = np.where(state.assigned, hard, kind).astype(np.int8)
    contradictions = [
        Contradiction(
            str(graph.names[row]),
            evidence.ids[animal],
            float("nan"),
            evidence.ids[int(np.argmax(state.assigned[row]))] if state.assigned[row].any() else "",
        )
        for row, animal in dict.fromkeys(state.contradictions)
        if state.source[row, animal] and not state.assigned[row, animal]
    ]
    probability = np.full(kind.shape, np.nan, np.float32)
    return Solution(graph, evidence.ids, colony, kind, probability, state.single, tuple(contradictions))


def _write(
    experiment: ExperimentSolution,
    session: Session,
    graph: TrackletGraph,
    inputs: InputStamps,
    max_error: float,
    reporter: Reporter,
) -> dict[int, str]:
    """Positions of every movie; what was there stays until all of them are whole, and what they come from the same.

    All movies are solved together, so a file that changed meanwhile costs all of them their new positions.
    Returns why some have none.
    """
    from antrax.io.antdata import writing_antdata
    from antrax.io.positions_table import writing_positions
    from antrax.io.trdata import read_measurements

    placements = experiment.placements()
    gap = _LONGEST_GAP if experiment.method == "joint" else 0.0
    movies = graph.movies.tolist()
    folders = {session.layout.antdata(colony) for colony in ("", *placements.colonies)}
    for folder in (*folders, session.layout.positions, session.layout.netcdf(1).parent):
        remove_dead_parts(folder)
    written: list[int] = []
    failed: dict[int, str] = {}
    with (
        writing_antdata(session) as antdata,
        writing_positions(session) as positions,
        reporter.bar(f"writing positions of {session.experiment.name}", len(movies), "movies") as update,
    ):
        for done, movie in enumerate(movies, 1):
            try:
                measurements = read_measurements(session, movie, set(graph.names[graph.movie == movie].tolist()))
                placed = place(session, movie, placements, measurements, gap)
            except AntraxError as error:
                failed[movie] = str(error)
                experiment.failures.append(failed[movie])
                continue
            antdata.add(placements, placed)
            positions(placed)
            written.append(movie)
            update(done)
        inputs.check("earlier positions stay as they are; solve again")
    experiment.movies += written
    _write_record(experiment, session, max_error)
    return failed


def _write_record(experiment: ExperimentSolution, session: Session, max_error: float) -> None:
    """`logs/solve.json`: what the positions were made with, and what contradicts them."""
    record = {
        "method": experiment.method,
        "max_error": max_error,
        "antrax": version("antrax"),
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "movies": experiment.movies,
        "placed": _finite(experiment.coverage),
        "expected_error": _finite(experiment.expected_error),
        "label_error": [_finite(solution.label_error) for solution in experiment.solutions],
        "contradictions": [
            {
                "tracklet": one.tracklet,
                "label": one.label,
                "probability": _finite(one.probability),
                "placed": one.placed,
            }
            for one in experiment.contradictions
        ],
        "problems": experiment.problems,
    }
    write_atomically(session.layout.solving_record, json.dumps(record, indent=1) + "\n")


def _finite(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
