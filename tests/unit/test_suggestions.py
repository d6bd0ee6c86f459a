"""Tracklets that should be labelled next."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import antrax
from antrax.cli.main import main
from antrax.demo import DemoExperiment
from antrax.errors import OptionError
from antrax.io.names import parse_tracklet_name
from antrax.io.session import Session, open_session
from antrax.io.stacks import open_stack
from antrax.review.training_set.editing import Examples
from tests.fixtures.classified import classify_by_truth, true_labels


@pytest.fixture
def session(small_demo: DemoExperiment, tmp_path: Path) -> Session:
    """A demo of its own, without examples."""
    experiment = tmp_path / "some.ants"
    shutil.copytree(small_demo.directory, experiment, ignore=shutil.ignore_patterns("classifier"))
    return open_session(experiment)


def test_of_a_session_that_is_not_classified_the_longest_come_first(session: Session):
    table = antrax.suggest(session, 3)
    assert table.index.name == "tracklet"
    assert list(table.columns) == ["movie", "label", "looks_like", "confidence", "why"]
    assert table.label.isna().all()
    spans = [int(name.rpartition("_")[2]) - int(name.split("_")[3]) for name in table.index]
    assert spans == sorted(spans, reverse=True)


def test_what_is_unsure_or_rare_comes_with_the_reason(session: Session):
    name, label = next((name, label) for name, label in true_labels(session).items() if label in session.labels.ants)
    classify_by_truth(session, {name: "Unknown"})
    table = antrax.suggest(session.experiment, len(true_labels(session)))
    assert table.label[name] == "Unknown"
    assert table.looks_like[name] == label
    why = str(table.why[name])
    assert why.startswith(f"left Unknown, and looks like {label}")
    assert why.endswith(f"no examples of {label}")


def test_an_id_twice_at_a_time_is_told(session: Session, make_conflict: Callable[[], tuple[str, str, str]]):
    first, second, label = make_conflict()
    table = antrax.suggest(session, 1000)
    assert f"{label} is also given to {second} at the same time" in str(table.why[first])


@pytest.fixture
def make_conflict(session: Session) -> Callable[[], tuple[str, str, str]]:
    """A function that gives one ID to two tracklets that are there at the same time."""

    def make() -> tuple[str, str, str]:
        spans = {
            name: (name.split("_")[2], int(name.split("_")[3]), int(name.split("_")[5]))
            for name in true_labels(session)
        }
        first, second = next(
            (a, b)
            for a, (movie, begin, end) in spans.items()
            for b, (other, start, stop) in spans.items()
            if a != b and movie == other and begin <= stop and start <= end
        )
        label = session.labels.ants[0]
        others = dict.fromkeys(spans, "NoAnt")
        classify_by_truth(session, others | {first: label, second: label})
        return first, second, label

    return make


def test_what_has_examples_is_left_out(session: Session):
    everything = antrax.suggest(session, 1000).index
    name, label = next(iter(true_labels(session).items()))
    tracklet = parse_tracklet_name(name)
    with open_stack(session.stacks[tracklet.movie][0]) as stack:
        Examples(session).export(tracklet, stack.read(name), [0], label, "test")
    assert set(everything) - set(antrax.suggest(session, 1000).index) == {name}


@pytest.mark.parametrize("count", [0, -3])
def test_at_least_one_is_suggested(session: Session, count: int):
    with pytest.raises(OptionError, match="count"):
        antrax.suggest(session, count)


def test_the_command_prints_a_line_for_each(session: Session, capsys):
    classify_by_truth(session)
    with pytest.raises(SystemExit) as exit_:
        main(["suggest", str(session.experiment), "-n", "4"])
    assert exit_.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert [line.split()[0] for line in lines] == list(antrax.suggest(session, 4).index)


def test_the_command_prints_csv_for_scripts(session: Session, capsys):
    with pytest.raises(SystemExit):
        main(["suggest", str(session.experiment), "-n", "2", "--csv"])
    header, *rows = capsys.readouterr().out.splitlines()
    assert header == "tracklet,movie,label,looks_like,confidence,why"
    assert len(rows) == 2
