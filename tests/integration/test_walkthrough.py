"""A colony from labels to positions and figures, compared with its truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from antrax.demo import ColonyOptions, generate_colony, simulate_colony
from antrax.demo.walkthrough import solve_colony
from antrax.io.session import open_session
from antrax.progress import Reporter


def test_a_labelled_colony_is_solved_plotted_and_compared_with_its_truth(tmp_path: Path) -> None:
    options = ColonyOptions(animals=6, movies=2, frames=400, density=1.0, nest=0.3, seed=2)
    made = generate_colony(tmp_path / "colony", options, images=False)
    session, colony = open_session(made.directory), simulate_colony(options)
    for movie in (1, 2):
        rows = np.flatnonzero(colony.looks_single & (colony.tracks.movie == movie))
        lines = [f"{colony.tracks.names[row]},{colony.labels[row]},5,1\n" for row in rows]
        path = session.path / "labels" / f"autoids_{movie}.csv"
        path.write_text("tracklet,label,score,best_frame\n" + "".join(sorted(lines)))
    solved = solve_colony(session, Reporter())
    assert solved.accuracy.cells == 6 * 800
    assert solved.accuracy.placed > 0.7 * solved.accuracy.cells
    assert solved.accuracy.wrong < 0.02 * solved.accuracy.placed
    assert 0 <= solved.expected_error < 0.05
    assert {path.suffix for path in solved.figures.iterdir()} == {".png", ".svg"}
