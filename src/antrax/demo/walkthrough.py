"""The whole workflow on a made-up experiment, and its result against the truth."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from antrax.classification.run import ClassifyOptions, Report, classify
from antrax.demo.experiment import DemoExperiment
from antrax.demo.planning import movies_with_examples
from antrax.io.results import read_results
from antrax.io.session import Session, open_session
from antrax.labels import Category
from antrax.progress import Reporter
from antrax.training.run import TrainingResult, TrainOptions, train


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
class Walk:
    """Result of each step."""

    training: TrainingResult
    report: Report
    accuracy: Accuracy


def walk_through(made: DemoExperiment, reporter: Reporter, epochs: int = 5) -> Walk:
    """Train on the demo's examples, classify all its movies, and compare with the truth."""
    training = train(made.directory, TrainOptions(epochs=epochs, scratch=True), reporter=reporter)
    report = classify(made.directory, ClassifyOptions(), reporter=reporter)
    session = open_session(made.directory)
    return Walk(training, report, compare_with_truth(session))


def compare_with_truth(session: Session) -> Accuracy:
    """Compare a classified demo's labels with its `truth.csv`."""
    labels = read_results(session)["label"]
    first_unseen = movies_with_examples(len(session.movies)) + 1
    with (session.experiment / "truth.csv").open(newline="", encoding="utf-8") as file:
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
