"""The first lines that somebody types in a notebook: those of docs/how-to/python.md, run as they stand there."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import antrax
from antrax.io.session import Session

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "python.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"(?ms)^##? ([^\n]+)$(?:(?!^##? ).)*?^```python\n(.*?)^```$", PAGE))


@pytest.fixture
def colony(trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session with a classifier, in an experiment `colony1` of the working directory."""
    session = trained.copy(tmp_path)
    (tmp_path / "notebook").mkdir()
    session.experiment.rename(tmp_path / "notebook" / "colony1")
    monkeypatch.chdir(tmp_path / "notebook")
    return antrax.open_session("colony1")


def run(title: str, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """The names that a block of the page leaves behind."""
    names = {"antrax": antrax} | (known or {})
    exec(compile(BLOCKS[title], title, "exec"), names)
    return names


def test_the_first_lines(colony, monkeypatch):
    trained_with = []
    monkeypatch.setattr(
        antrax, "train", lambda path, options: trained_with.append((path, options)), raising=False
    )  # long
    name = next(antrax.iter_tracklets(colony)).name.name
    monkeypatch.setitem(BLOCKS, "From Python", BLOCKS["From Python"].replace("trj_id4_ti1_12_tf1_240", name))
    names = run("From Python")
    assert trained_with == [("colony1", antrax.TrainOptions(epochs=5))]
    assert isinstance(names["table"], pd.DataFrame)
    assert set(names["table"].index) == {tracklet.name.name for tracklet in antrax.iter_tracklets(colony)}
    assert isinstance(names["table"].loc[name, "label"], str)


def test_labels_of_images(colony):
    names = run("Labels of images", {"session": colony})
    images = next(antrax.iter_tracklets(colony)).images()
    assert names["probabilities"].shape == (len(images), len(names["classifier"].labels))
    assert np.allclose(names["probabilities"].sum(1), 1, atol=1e-4)
    assert names["best"] in names["classifier"].labels


def test_images_and_their_probabilities(colony):
    antrax.classify("colony1", antrax.ClassifyOptions(movies=[1], workers=1, device="cpu"))
    names = run("Images", {"session": colony})
    assert names["images"].dtype == np.uint8
    assert names["images"].shape[3] == 3
    name = names["tracklet"].name.name
    block = BLOCKS["Probabilities of every image"].replace("trj_id4_ti1_12_tf1_240", name)
    table = eval(block, {"antrax": antrax, "session": colony})
    assert len(table) == len(names["images"])
    assert table.columns.tolist() == list(antrax.read_classifier(colony.classifier_dir / "classifier.h5").labels)


def test_progress_and_errors_are_told(colony, capsys):
    (colony.classifier_dir / "classifier.h5").unlink()
    with contextlib.suppress(antrax.AntraxError):
        run("Progress")
    run("Errors")
    assert "classifier.h5" in capsys.readouterr().out
