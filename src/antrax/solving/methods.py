"""The methods of solving: from a graph and evidence to a solution for each colony and group of movies.

Nothing is read or written here; `antrax.solving.run` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from antrax.defaults import MAX_ERROR
from antrax.io.positions import Kind
from antrax.io.session import Session
from antrax.io.tracklet_graph import TrackletGraph
from antrax.io.workers import Crew, Failed, crew_of, results_of
from antrax.machine_code import why_not_compiled
from antrax.progress import Update
from antrax.solving.evidence import Evidence
from antrax.solving.groups import Group
from antrax.solving.joint import (
    Effort,
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
from antrax.solving.solution import Contradiction, Solution

Method = Literal["joint", "antrax"]
METHODS: tuple[Method, ...] = get_args(Method)
T = TypeVar("T")

_MOST = 10**9  # of anything that settings count
_AT_ONCE = 8  # windows for each worker that are held at a time


@dataclass(frozen=True)
class Settings:
    """Settings of the methods, from a session.

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


def solve_groups(
    graph: TrackletGraph,
    evidence: Evidence,
    groups: Sequence[Group],
    settings: Settings,
    method: Method = "joint",
    *,
    workers: int | Crew = 1,
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
    workers : int or Crew
        Processes; the result is the same with any number.
    update : callable, optional
        Told of the number of tracklets that are done.

    Returns
    -------
    list of Solution
        One for each group, in order.
    """
    return list(
        results_of(outcomes_of_groups(graph, evidence, groups, settings, method, workers=workers, update=update))
    )


def outcomes_of_groups(
    graph: TrackletGraph,
    evidence: Evidence,
    groups: Sequence[Group],
    settings: Settings,
    method: Method = "joint",
    *,
    workers: int | Crew = 1,
    update: Update | None = None,
) -> list[Solution | Failed]:
    """Solve each colony and group of movies on its own, where one that fails costs only itself.

    Parameters
    ----------
    graph, evidence, groups, settings, method, workers, update
        As those of `solve_groups`.

    Returns
    -------
    list of Solution or Failed
        One for each group, in order.
    """
    parts = [(_part(graph, group), evidence.select(group.rows)) for group in groups]
    solve = _by_rules if method == "antrax" else _jointly
    with crew_of(workers) as crew:
        return solve(parts, groups, settings, crew, update)


def _by_rules(
    parts: Sequence[tuple[TrackletGraph, Evidence]],
    groups: Sequence[Group],
    settings: Settings,
    crew: Crew,
    update: Update | None,
) -> list[Solution | Failed]:
    states = _run(
        [partial(solve_by_rules, part, known, settings.rules) for part, known in parts],
        [len(part) for part, _ in parts],
        crew,
        update,
    )
    return [
        state if isinstance(state, Failed) else _from_rules(part, known, group.colony, state)
        for (part, known), group, state in zip(parts, groups, states, strict=True)
    ]


def _jointly(
    parts: Sequence[tuple[TrackletGraph, Evidence]],
    groups: Sequence[Group],
    settings: Settings,
    crew: Crew,
    update: Update | None,
) -> list[Solution | Failed]:
    singles = [find_singles(part, known, settings.rules.min_area, settings.rules.max_area) for part, known in parts]
    failed: dict[int, Failed] = {}
    windows = [
        (number, window)
        for number, (part, known) in enumerate(parts)
        for window in split_windows(part, len(known.ids), settings.joint)
    ]
    posteriors = [Posterior(np.zeros((len(part), len(known.ids)), np.float32), float("nan")) for part, known in parts]
    errors: list[list[float]] = [[] for _ in parts]
    each = sum(len(part) for part, _ in parts) / max(1, len(windows))
    # Windows are cut out as they are solved: what is held beside the whole does not grow with their number.
    step = _AT_ONCE * crew.workers
    # One window is solved in this process: then its runs share the processors.
    threads = crew.workers if len(windows) == 1 else 1
    for begin in range(0, len(windows), step):
        some = windows[begin : begin + step]
        found = _run(
            [
                _window_task(*parts[number], *singles[number], window, settings.joint, threads)
                for number, window in some
            ],
            [each] * len(some),
            crew,
            update,
            begin * each,
        )
        for (number, window), posterior in zip(some, found, strict=True):
            if isinstance(posterior, Failed):
                failed.setdefault(number, posterior)
                continue
            part = parts[number][0]
            rows = np.flatnonzero(rows_of(part, window))
            core = (part.first[rows] >= window.core_first) & (part.first[rows] <= window.core_last)
            posteriors[number].probability[rows[core]] = posterior.probability[core]
            errors[number].append(posterior.label_error)
    return [
        failed[number]
        if number in failed
        else to_solution(
            part,
            known,
            group.colony,
            single,
            Posterior(posterior.probability, float(np.nanmean(error)) if np.isfinite(error).any() else float("nan")),
            settings.joint.max_error,
        )
        for number, ((part, known), (single, _), group, posterior, error) in enumerate(
            zip(parts, singles, groups, posteriors, errors, strict=True)
        )
    ]


def load_joint_solver() -> list[str]:
    """Load the libraries of the joint method, which takes a second.

    Returns
    -------
    list of str
        What is not as it should be, a sentence each.
    """
    import scipy.optimize
    import scipy.sparse.csgraph  # noqa: F401

    return [slow] if (slow := why_not_compiled("solving takes many times as long")) else []


def _part(graph: TrackletGraph, group: Group) -> TrackletGraph:
    keep = np.zeros(len(graph), bool)
    keep[group.rows] = True
    return graph.select(keep, group.movies)


def _window_task(
    part: TrackletGraph,
    known: Evidence,
    single: NDArray[np.bool_],
    present: NDArray[np.bool_],
    window: Window,
    options: JointOptions,
    threads: int,
) -> Callable[[], Posterior]:
    inside = rows_of(part, window)
    return partial(
        sample_window, part.select(inside), known.select(inside), single[inside], ~present[inside], window, options,
        Effort(threads=threads),
    )  # fmt: skip


def _run(
    tasks: Sequence[Callable[[], T]],
    sizes: Sequence[float],
    crew: Crew,
    update: Update | None,
    done: float = 0.0,
) -> list[T | Failed]:
    """Results of tasks, in order; in this process where one is enough. `done` is the size of what was run before."""
    results = []
    for result, size in zip(crew.outcomes(_call, tasks), sizes, strict=True):
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
