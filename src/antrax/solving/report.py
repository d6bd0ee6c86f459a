"""Result of solving."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from antrax.batch import BatchResult
from antrax.io.positions import Placements
from antrax.io.session import Session
from antrax.solving.solution import Contradiction, Solution, join_placements


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
        """Labels that contradict the solution, the least probable first."""
        found = [one for solution in self.solutions for one in solution.contradictions]
        return sorted(found, key=lambda one: np.nan_to_num(one.probability))

    def placements(self) -> Placements:
        """Placements and open alternatives of all colonies and groups."""
        return join_placements(self.solutions)


@dataclass(frozen=True)
class SolveReport(BatchResult[ExperimentSolution]):
    """Result of `antrax.solve`.

    Parameters
    ----------
    experiments : list of ExperimentSolution
        In the order in which they were found.
    seconds : float
        Duration of the whole run.
    """
