"""The examples of `docs/architecture.md` do what the page says; each adds something from outside of the package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import antrax
from antrax.classification.decision import check_decision
from antrax.io.session import open_session
from antrax.io.sources import SOURCES
from antrax.io.tracklets import iter_tracklets
from antrax.networks import registry
from antrax.networks.backends.engines import ENGINES, choose_engine

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"


@pytest.fixture
def examples() -> Iterator[dict[str, Any]]:
    """What the Python examples define; what they registered is taken back."""
    engines, sources = dict(ENGINES), list(SOURCES)
    names: dict[str, Any] = {"__name__": "examples"}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(code, str(PAGE), "exec"), names)
    yield names
    registry.unregister("mean-colour")
    ENGINES.clear()
    ENGINES.update(engines)
    SOURCES[:] = sources


def test_the_architecture_can_be_chosen_and_computed(examples) -> None:
    assert "mean-colour" in registry.names()
    entry = registry.find("mean-colour")
    assert entry.size == 32
    graph = entry.build(32, 5, "white")
    assert graph.weight_shapes() == {"labels/kernel": (3, 5), "labels/bias": (5,)}
    engine, prepared = choose_engine("onnx", "cpu", graph, entry.initial(graph, "white", 0), 4)
    answers = engine.load(prepared, "cpu", 1)(np.zeros((4, 32, 32, 3), np.uint8))
    np.testing.assert_allclose(np.exp(answers).sum(1), 1, rtol=1e-5)


def test_the_engine_is_used_where_it_is_named_only(examples) -> None:
    graph = registry.find("small").build(32, 4, "white")
    engine, prepared = choose_engine("uniform", "cpu", graph, {}, 4)
    answers = engine.load(prepared, "cpu", 1)(np.zeros((3, 32, 32, 3), np.uint8))
    assert (answers.shape, answers.dtype) == ((3, 4), np.float32)
    np.testing.assert_allclose(np.exp(answers), 0.25, rtol=1e-6)
    assert not ENGINES["uniform"].automatic


def test_the_source_reads_the_files_of_another_tracker(examples, make_session) -> None:
    session = make_session()
    (session / "tracks").mkdir()
    np.savez(session / "tracks" / "3.npz", worker_7=np.full((4, 6, 6, 3), 9, np.uint8))
    (tracklet,) = iter_tracklets(open_session(session))
    assert (tracklet.name.name, tracklet.name.movie, tracklet.name.first, tracklet.name.last) == ("worker_7", 3, 1, 4)
    assert (tracklet.images() == 9).all()
    done = CliRunner().invoke(examples["count"], [str(session)])
    assert (done.exit_code, done.output) == (0, "1\n")


def test_the_rule_gives_decisions_that_are_accepted(examples) -> None:
    labels, kinds = ("AA", "Dirt", "Foreign"), (antrax.Category.ANT, antrax.Category.NONANT, None)
    certain = np.eye(3)
    for images, label, score, best_frame in (
        ([0, 0, 0, 1], "AA", 3.0, 1),
        ([1, 0, 0, 0, 0], "AA", 4.0, 2),
        ([1, 1, 1], "Dirt", 0.0, 0),
        ([0, 1, 0, 1], "Unknown", 0.0, 0),
        ([2, 2, 2], "Unknown", 0.0, 0),
    ):
        decision = examples["most_votes"](certain[images], labels, kinds, None)
        check_decision(decision, labels, kinds)
        assert (decision.label, decision.score, decision.best_frame) == (label, score, best_frame), images
