"""A demo experiment with a classifier trained on it, once for all test processes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from antrax.demo import generate_experiment
from antrax.experiment import Session, open_session
from antrax.training import TrainOptions, train

SIZE = 32


@dataclass(frozen=True)
class Trained:
    """Where it lies; copy before changing anything."""

    experiment: Path

    @property
    def session(self) -> Session:
        return open_session(self.experiment)

    @property
    def classifier(self) -> Path:
        return self.session.classifier_dir / "classifier.h5"

    def copy(self, folder: Path) -> Session:
        """A copy to change, named `demo` like the original: names of examples carry the experiment's."""
        shutil.copytree(self.experiment, folder / "demo")
        return open_session(folder / "demo")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Trained:
    """The demo at a small size, trained with two epochs, as `antrax train` would."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "trained"
    with FileLock(shared.with_suffix(".lock")):
        experiment = shared / "demo"
        if not (shared / "done").exists():
            generate_experiment(experiment, movies=4, tracklets=130, max_frames=16, image_size=SIZE)
            train(experiment, TrainOptions(epochs=2))
            (shared / "done").touch()
    return Trained(experiment)
