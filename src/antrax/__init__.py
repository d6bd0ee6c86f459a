"""Identify individually colour-tagged insects in tracked videos.

>>> import antrax
>>> antrax.train("colony1", antrax.TrainOptions(scratch=True))  # doctest: +SKIP
>>> antrax.classify("colony1")  # doctest: +SKIP
>>> session = antrax.open_session("colony1")  # doctest: +SKIP
>>> antrax.read_results(session).label.value_counts()  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from antrax.blobs import Tracklet, iter_tracklets
    from antrax.classification import ClassifyOptions, Report, classify
    from antrax.classifier import Classifier, read_classifier
    from antrax.demo import generate_experiment
    from antrax.errors import AntraxError
    from antrax.experiment import Session, find_experiments, open_session
    from antrax.labels import Category, Labels
    from antrax.merging import MergeResult, merge_trainsets
    from antrax.reporting import Reporter
    from antrax.results import read_frame_probabilities, read_results
    from antrax.training import TrainingResult, TrainOptions, train

# Where each public name comes from; loaded when first used, so that importing antrax loads no deep-learning library.
_SOURCES = {
    "AntraxError": "errors",
    "Category": "labels",
    "Classifier": "classifier",
    "ClassifyOptions": "classification",
    "Labels": "labels",
    "MergeResult": "merging",
    "Report": "classification",
    "Reporter": "reporting",
    "Session": "experiment",
    "Tracklet": "blobs",
    "TrainOptions": "training",
    "TrainingResult": "training",
    "classify": "classification",
    "find_experiments": "experiment",
    "generate_experiment": "demo",
    "merge_trainsets": "merging",
    "open_session": "experiment",
    "read_classifier": "classifier",
    "read_frame_probabilities": "results",
    "read_results": "results",
    "train": "training",
    "iter_tracklets": "blobs",
}
__all__ = [
    "AntraxError",
    "Category",
    "Classifier",
    "ClassifyOptions",
    "Labels",
    "MergeResult",
    "Report",
    "Reporter",
    "Session",
    "Tracklet",
    "TrainOptions",
    "TrainingResult",
    "classify",
    "find_experiments",
    "generate_experiment",
    "iter_tracklets",
    "merge_trainsets",
    "open_session",
    "read_classifier",
    "read_frame_probabilities",
    "read_results",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("antrax")
    if name not in _SOURCES:
        raise AttributeError(f"module 'antrax' has no attribute {name!r}")
    return getattr(import_module(f"antrax.{_SOURCES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
