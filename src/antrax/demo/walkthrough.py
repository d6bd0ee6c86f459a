"""The whole workflow on a made-up experiment, and its result against the truth."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from antrax.classification.report import ClassifyResult
from antrax.classification.run import ClassifyOptions, classify
from antrax.defaults import EPOCHS
from antrax.demo.experiment import DemoExperiment
from antrax.demo.planning import movies_with_examples
from antrax.demo.truth import TRUTH_FILE, PositionAccuracy, read_truth, score_positions
from antrax.demo.writing import TRACKLET_TRUTH
from antrax.io.positions_table import read_positions
from antrax.io.results_table import read_results
from antrax.io.session import Session, open_session
from antrax.labels import Category
from antrax.progress import Reporter
from antrax.training.run import TrainOptions, TrainResult, train


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Labels against the truth, on tracklets of movies that gave no example.

    Attributes
    ----------
    tracklets
        Number of tracklets compared.
    identifiable
        Of these, animals whose tags can be recognised in most images.
    assigned, wrong
        Of the identifiable ones: got an ID; got the ID of another.
    others
        Everything else: dirt, several animals, hidden tags.
    false_ids
        Of the others: got an ID.
    """

    tracklets: int
    identifiable: int
    assigned: int
    wrong: int
    others: int
    false_ids: int


@dataclass(frozen=True, slots=True)
class SolvedColony:
    """Result of solving a colony.

    Attributes
    ----------
    accuracy
        Placements against the truth.
    expected_error
        Share of the placements that are wrong as solving itself estimates it.
    figures
        Folder of the figures.
    """

    accuracy: PositionAccuracy
    expected_error: float
    figures: Path


@dataclass(frozen=True, slots=True)
class Walkthrough:
    """Result of each step; `solved` only of a colony."""

    training: TrainResult
    report: ClassifyResult
    accuracy: Accuracy
    solved: SolvedColony | None = None


def walk_through(made: DemoExperiment, reporter: Reporter, epochs: int = EPOCHS) -> Walkthrough:
    """Train on the demo's examples, classify, of a colony also solve and plot, and compare with the truth.

    Parameters
    ----------
    made : DemoExperiment
        The experiment.
    reporter : Reporter
        Told of progress.
    epochs : int, optional
        To train for.
    """
    training = train(made.directory, TrainOptions(epochs=epochs, scratch=True), reporter=reporter)
    report = classify(made.directory, ClassifyOptions(), reporter=reporter)
    session = open_session(made.directory)
    solved = solve_colony(session, reporter) if (made.directory / TRUTH_FILE).exists() else None
    return Walkthrough(training, report, compare_with_truth(session), solved)


def solve_colony(session: Session, reporter: Reporter) -> SolvedColony:
    """Solve a colony that is classified, draw its figures, and compare its positions with the truth."""
    from antrax.plots.run import plot_positions
    from antrax.solving.run import solve

    (experiment,) = solve(session.experiment, reporter=reporter).experiments
    table = read_positions(session)
    accuracy = score_positions(read_truth(session.experiment), table[table["kind"] != "undecided"])
    figures = plot_positions(session, reporter=reporter)
    return SolvedColony(accuracy, experiment.expected_error, figures[0].parent)


def compare_with_truth(session: Session) -> Accuracy:
    """Compare a classified demo's labels with its `truth.csv`."""
    labels = read_results(session)["label"]
    first_unseen = movies_with_examples(len(session.movies)) + 1
    with (session.experiment / TRACKLET_TRUTH).open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if int(row["movie"]) >= first_unseen]
    pairs = [(row["label"], str(labels[row["tracklet"]])) for row in rows]
    is_ant = {label: session.labels.category(label) is Category.ANT for label in session.labels.all}
    ants = [(truth, label) for truth, label in pairs if is_ant[truth]]
    others = [label for truth, label in pairs if not is_ant[truth]]
    assigned = [(truth, label) for truth, label in ants if is_ant[label]]
    return Accuracy(
        tracklets=len(pairs),
        identifiable=len(ants),
        assigned=len(assigned),
        wrong=sum(truth != label for truth, label in assigned),
        others=len(others),
        false_ids=sum(is_ant[label] for label in others),
    )
