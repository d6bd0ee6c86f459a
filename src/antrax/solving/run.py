"""`antrax solve`: from labels and the tracklet graph to positions of all animals."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from antrax.batch import check_options, describe_failure, failure_line
from antrax.classification.movie import ranges
from antrax.defaults import MAX_ERROR
from antrax.errors import AntraxError, OptionError, OutputError, SolvingError
from antrax.interrupts import heeded_interrupts
from antrax.io.atomic import make_folder, remove_dead_parts, write_atomically
from antrax.io.experiments import find_all_experiments
from antrax.io.graphs import are_small, graph_inputs, load_graph_readers, movies_with_graph, read_graph
from antrax.io.layout import CROSS_MOVIE_LINKS
from antrax.io.locks import claim
from antrax.io.positions import Placements, place
from antrax.io.positions_table import positions_file
from antrax.io.renaming import check_not_renaming
from antrax.io.results import autoids_file, confidence_file
from antrax.io.runs import RunRecord, start_record
from antrax.io.session import Session, open_session
from antrax.io.solving_record import read_solving_record, solution_turn
from antrax.io.stamps import InputStamps
from antrax.io.tracklet_graph import TrackletGraph
from antrax.io.trdata import trdata_files
from antrax.io.workers import Crew, Failed, crew_of
from antrax.messages import parameter
from antrax.progress import Reporter
from antrax.solving.evidence import read_evidence
from antrax.solving.groups import Group, split_groups
from antrax.solving.methods import METHODS, Method, Settings, load_joint_solver, outcomes_of_groups
from antrax.solving.report import ExperimentSolution, SolveReport
from antrax.solving.solution import Solution

_LONGEST_GAP = 0.5  # seconds over which positions are interpolated (joint)
# ID × frame cells of a movie up to which several movies are written at a time: each takes some 100 bytes a cell.
_FEW_CELLS = 2**21


@dataclass(frozen=True)
class SolveOptions:
    """Options of solving.

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


def solve(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    options: SolveOptions | None = None,
    *,
    reporter: Reporter | None = None,
) -> SolveReport:
    """Compute the positions of all animals in one or more experiments, and write them into their sessions.

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
    with Crew(options.workers or _processors()) as crew:
        for place_ in find_all_experiments(path, reporter.say):
            experiment = ExperimentSolution(place_, method=options.method)
            experiments.append(experiment)
            began = time.monotonic()
            try:
                _solve_experiment(experiment, options, crew, reporter)
            except Exception as error:
                experiment.failures.append(describe_failure(error, experiment.path))
            experiment.seconds = time.monotonic() - began
    report = SolveReport(experiments, time.monotonic() - started)
    if report.failures:
        raise SolvingError(failure_line(report.failures), report)
    return report


def _solve_experiment(experiment: ExperimentSolution, options: SolveOptions, crew: Crew, reporter: Reporter) -> None:
    session = experiment.session = open_session(experiment.path, options.session)
    experiment.path = session.experiment
    # A lock among the logs: MATLAB lists the files of antdata/.
    with claim(make_folder(session.layout.logs, within=session.path), "solve", options.movies):
        check_not_renaming(session)
        movies = movies_with_graph(session) if options.movies is None else sorted(options.movies)
        record = start_record(session, "solve", movies, method=options.method)
        try:
            _solve_session(experiment, session, options, crew, reporter, record)
        except Exception as error:
            # a mistake of the package is explained once, where the experiment ends
            reason = str(error) if isinstance(error, AntraxError) else f"{type(error).__name__}: {error}"
            for movie in movies:
                record.failed(movie, reason)
            raise
        finally:
            record.end()


def _solve_session(
    experiment: ExperimentSolution,
    session: Session,
    options: SolveOptions,
    crew: Crew,
    reporter: Reporter,
    record: RunRecord,
) -> None:
    layout = session.layout
    inputs = InputStamps()
    inputs.note(layout.labels_file, layout.parameters_file, layout.movies_file, layout.manual_ids_file)
    graphs = graph_inputs(session, options.movies)
    inputs.note(layout.manual_propagation_file, layout.id_changes_file, *graphs)
    # Workers load what reads graphs while this process loads what solves.
    if sum(path.name != CROSS_MOVIE_LINKS for path in graphs) > 1:
        crew.start(load_graph_readers, join=are_small(graphs))
    settings = Settings.of_session(session, options.max_error)
    _tell(experiment, session.parameter_problems, reporter)
    if options.method == "joint":
        with heeded_interrupts():
            missing = load_joint_solver()
        _tell(experiment, missing, reporter)
    with reporter.bar(f"reading graphs of {session.experiment.name}", None, "movies"):
        reading = read_graph(session, options.movies, workers=crew)
    if len(reading.graph.movies) > 1:
        crew.start(_load_writers, join=True)
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
        outcomes = outcomes_of_groups(
            reading.graph, evidence, groups, settings, options.method, workers=crew, update=update
        )
    experiment.solutions = [outcome for outcome in outcomes if isinstance(outcome, Solution)]
    spared, reasons = _tell_of_failed_groups(experiment, session, groups, outcomes, record)
    if not experiment.solutions:
        return
    movies = [movie for movie in reading.graph.movies.tolist() if movie not in spared]
    written = _write(experiment, session, reading.graph, movies, inputs, crew, reporter)
    _write_record(experiment, session, options, set(reading.graph.names.tolist()))
    for movie, reason in written.items():
        record.failed(movie, reason)
    for movie in experiment.movies:
        record.done(movie, [positions_file(session, movie)], reasons.get(movie, ""))


def _tell_of_failed_groups(
    experiment: ExperimentSolution,
    session: Session,
    groups: Sequence[Group],
    outcomes: Sequence[Solution | Failed],
    record: RunRecord,
) -> tuple[set[int], dict[int, str]]:
    """Note what could not be solved.

    Returns
    -------
    set of int
        Movies that are not to be written, so that they keep what they have. A movie of several colonies is written
        without the one that failed where it has no positions yet.
    dict of int to str
        Why movies failed, in whole or in part.
    """
    pairs = list(zip(groups, outcomes, strict=True))
    solved = {movie for group, outcome in pairs if isinstance(outcome, Solution) for movie in group.movies}
    spared: set[int] = set()
    reasons: dict[int, str] = {}
    for group, outcome in pairs:
        if not isinstance(outcome, Failed):
            continue
        there = {movie for movie in group.movies if positions_file(session, movie).exists()}
        spared |= there | (set(group.movies) - solved)
        colony = f"colony {group.colony}, " if group.colony else ""
        kept = "; earlier positions stay as they are" if there else ""
        reason = (
            f"{session.path}: {colony}movies {ranges(group.movies)} could not be solved{kept}: "
            f"{describe_failure(outcome.error, session.path)}"
        )
        experiment.failures.append(reason)
        reasons |= dict.fromkeys(group.movies, reason)
    for movie, reason in reasons.items():
        record.failed(movie, reason)
    return spared, reasons


def _tell(experiment: ExperimentSolution, problems: Sequence[str], reporter: Reporter) -> None:
    experiment.problems += problems
    for problem in problems:
        reporter.warn(problem)


def _processors() -> int:
    from antrax.networks.devices import processors

    return processors()


def _write(
    experiment: ExperimentSolution,
    session: Session,
    graph: TrackletGraph,
    movies: list[int],
    inputs: InputStamps,
    crew: Crew,
    reporter: Reporter,
) -> dict[int, str]:
    """Positions of every movie; what was there stays until all of them are whole, and what they come from the same.

    All movies are solved together, so a file that changed meanwhile costs all of them their new positions.
    Returns why some have none.
    """
    from antrax.io.solution_writer import writing_solution

    placements = experiment.placements()
    gap = _LONGEST_GAP if experiment.method == "joint" else 0.0
    folders = {session.layout.antdata(colony) for colony in ("", *placements.colonies)}
    for folder in (*folders, session.layout.positions, session.layout.netcdf(1).parent):
        remove_dead_parts(folder)
    cells = max((_cells(graph, movie, len(placements.ids)) for movie in movies), default=0)
    written: list[int] = []
    failed: dict[int, str] = {}
    with (
        writing_solution(session) as writer,
        crew_of(crew if cells <= _FEW_CELLS else 1) as writers,
        reporter.bar(f"writing positions of {session.experiment.name}", len(movies), "movies") as update,
    ):
        given = (
            [session] * len(movies),
            movies,
            [graph.names[graph.movie == movie].tolist() for movie in movies],
            [placements.select(placements.of_movie(movie)) for movie in movies],
            [gap] * len(movies),
            [writer.reserve(movie, placements.colonies) for movie in movies],
        )
        for movie, outcome in zip(movies, writers.outcomes(_write_movie, *given, join=True), strict=True):
            if outcome is None:
                written.append(movie)
                update(len(written) + len(failed))
                continue
            if not isinstance(outcome.error, AntraxError) or isinstance(outcome.error, OutputError):
                raise outcome.error
            writer.withdraw(movie)
            failed[movie] = str(outcome.error)
            experiment.failures.append(failed[movie])
        inputs.check("earlier positions stay as they are; solve again")
    experiment.movies += written
    return failed


def _load_writers() -> None:
    import pyarrow.parquet  # noqa: F401
    import xarray  # noqa: F401

    import antrax.io.solution_writer
    import antrax.io.trdata  # noqa: F401


def _cells(graph: TrackletGraph, movie: int, animals: int) -> int:
    at = np.flatnonzero(graph.movies == movie)
    return int((graph.movie_last[at] - graph.movie_first[at] + 1).sum()) * animals


def _write_movie(
    session: Session,
    movie: int,
    tracklets: list[str],
    placements: Placements,
    gap: float,
    temporary: dict[Path, Path],
) -> None:
    from antrax.io.solution_writer import write_movie
    from antrax.io.trdata import read_measurements

    measurements = read_measurements(session, movie, tracklets)
    write_movie(session, placements, place(session, movie, placements, measurements, gap), temporary)


def _write_record(experiment: ExperimentSolution, session: Session, options: SolveOptions, tracklets: set[str]) -> None:
    """Write `logs/solve.json`: inputs, options and contradictions of the solution.

    Where only some movies were solved, what the record tells of the others is kept: each task of a cluster solves some.
    """
    record: dict[str, Any] = {
        "method": experiment.method,
        "max_error": options.max_error,
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
    with solution_turn(session):
        if options.movies is not None:
            earlier = read_solving_record(session)
            if earlier.get("method") == experiment.method:
                movies = [movie for movie in earlier.get("movies") or () if isinstance(movie, int)]
                record["movies"] = sorted({*movies, *experiment.movies})
                others = earlier.get("contradictions")
                record["contradictions"] += [
                    one
                    for one in (others if isinstance(others, list) else ())
                    if isinstance(one, dict) and one.get("tracklet") not in tracklets
                ]
        write_atomically(session.layout.solving_record, json.dumps(record, indent=1) + "\n")


def _finite(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
