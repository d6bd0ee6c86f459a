"""The workflow on real ants: labelled images of the JS16 set, three quarters to learn from, one to be identified."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

import antrax
from antrax.classification.run import ClassifyOptions
from antrax.io.examples import open_classdir
from antrax.labels import Category, guess_category
from antrax.training.dataset import load_trainset
from antrax.training.run import TrainOptions
from antrax.training.split import held_out_by_name

from ..conftest import SHARED

TOOL = SHARED / "tools" / "real_experiments.py"

pytestmark = [
    pytest.mark.skipif(not TOOL.exists(), reason=f"no real data: {TOOL} is absent; set ANTRAX_SHARED to its folder"),
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.xdist_group("real"),
]


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    """The first fold of the real data, laid out as a training set and as experiments."""
    folder = tmp_path_factory.mktemp("real")
    subprocess.run([sys.executable, TOOL, folder], check=True, capture_output=True)
    return folder


def test_the_training_set_is_read_with_its_duplicates_and_sizes(real):
    trainset = load_trainset(open_classdir(real / "classdir"))
    assert trainset.images.shape[1:] == (48, 48, 3)
    assert len(trainset.labels) == 18
    assert trainset.background == "white"
    assert trainset.files > 19_000
    assert any("exact duplicates" in problem for problem in trainset.problems)
    assert 0.15 < held_out_by_name(trainset.origins).mean() < 0.25


def test_ants_are_identified_after_a_single_epoch_on_a_few_images_of_each_tracklet(real, monkeypatch):
    monkeypatch.setattr("antrax.training.dataset.IMAGES_PER_TRACKLET", 12)
    result = antrax.train(real / "classdir", TrainOptions(epochs=1, device="cpu"))
    assert result.evaluation is not None
    assert result.evaluation.image_accuracy > 0.75
    options = ClassifyOptions(classifier=str(result.path), workers=1, device="cpu")
    report = antrax.classify(real / "experiments", options)
    assert len(report.experiments) == 10
    with (real / "truth.csv").open(newline="") as file:
        truth = list(csv.DictReader(file))
    given = {
        (experiment.path.name, row.Index): row.label
        for experiment in report.experiments
        for row in antrax.read_results(experiment.session).itertuples()
    }
    assert set(given) == {(row["experiment"], row["tracklet"]) for row in truth}
    pairs = [(row["label"], given[row["experiment"], row["tracklet"]]) for row in truth if float(row["contested"]) == 0]
    ants = [(label, mine) for label, mine in pairs if guess_category(label) is Category.ANT]
    assigned = [(label, mine) for label, mine in ants if guess_category(mine) is Category.ANT]
    assert len(assigned) > 0.5 * len(ants)
    assert sum(label != mine for label, mine in assigned) <= 0.05 * len(assigned)
