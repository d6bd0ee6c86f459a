"""Identify individually colour-tagged insects in tracked videos.

>>> import antrax
>>> antrax.train("colony1", antrax.TrainOptions(scratch=True))  # doctest: +SKIP
>>> antrax.classify("colony1")  # doctest: +SKIP
>>> antrax.solve("colony1")  # doctest: +SKIP
>>> antrax.read_results("colony1").label.value_counts()  # doctest: +SKIP
"""

from __future__ import annotations

# Nothing is imported before it is needed, not even typing: Ctrl-C during these imports would show a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from antrax.classification.classifier_file import Classifier, read_classifier
    from antrax.classification.report import ClassifyResult
    from antrax.classification.run import ClassifyOptions, classify
    from antrax.cluster.status import CommandStatus, MovieStatus, SessionStatus, status
    from antrax.demo import generate_experiment
    from antrax.errors import AntraxError
    from antrax.grouping.options import GroupOptions
    from antrax.grouping.run import GroupResult, group
    from antrax.io.experiments import find_experiments
    from antrax.io.export import export_positions
    from antrax.io.frame_probabilities import read_frame_probabilities
    from antrax.io.positions_table import read_positions
    from antrax.io.results_table import read_results
    from antrax.io.session import Session, open_session
    from antrax.io.tracklets import Tracklet, iter_tracklets
    from antrax.labels import Category, Labels
    from antrax.plots.run import plot_positions
    from antrax.progress import Reporter
    from antrax.review.renaming import Renamed, rename_label
    from antrax.review.suggestions import suggest
    from antrax.solving.report import ExperimentSolution, SolveReport
    from antrax.solving.run import SolveOptions, solve
    from antrax.solving.solution import Solution
    from antrax.training.merging import MergeResult, merge_trainsets
    from antrax.training.run import TrainOptions, TrainResult, train

# Module of each public name; imported at first use, so that `import antrax` loads no deep-learning library.
_SOURCES = {
    "AntraxError": "errors",
    "Category": "labels",
    "CommandStatus": "cluster.status",
    "Classifier": "classification.classifier_file",
    "ClassifyOptions": "classification.run",
    "ClassifyResult": "classification.report",
    "GroupOptions": "grouping.options",
    "GroupResult": "grouping.run",
    "Labels": "labels",
    "MergeResult": "training.merging",
    "MovieStatus": "cluster.status",
    "Renamed": "review.renaming",
    "Reporter": "progress",
    "ExperimentSolution": "solving.report",
    "Session": "io.session",
    "SessionStatus": "cluster.status",
    "Solution": "solving.solution",
    "SolveOptions": "solving.run",
    "SolveReport": "solving.report",
    "Tracklet": "io.tracklets",
    "TrainOptions": "training.run",
    "TrainResult": "training.run",
    "classify": "classification.run",
    "export_positions": "io.export",
    "find_experiments": "io.experiments",
    "generate_experiment": "demo",
    "merge_trainsets": "training.merging",
    "open_session": "io.session",
    "plot_positions": "plots.run",
    "read_classifier": "classification.classifier_file",
    "read_frame_probabilities": "io.frame_probabilities",
    "read_positions": "io.positions_table",
    "read_results": "io.results_table",
    "rename_label": "review.renaming",
    "solve": "solving.run",
    "status": "cluster.status",
    "suggest": "review.suggestions",
    "train": "training.run",
    "group": "grouping.run",
    "iter_tracklets": "io.tracklets",
}
__all__ = [
    "AntraxError",
    "Category",
    "Classifier",
    "ClassifyOptions",
    "ClassifyResult",
    "CommandStatus",
    "ExperimentSolution",
    "GroupOptions",
    "GroupResult",
    "Labels",
    "MergeResult",
    "MovieStatus",
    "Renamed",
    "Reporter",
    "Session",
    "SessionStatus",
    "Solution",
    "SolveOptions",
    "SolveReport",
    "Tracklet",
    "TrainOptions",
    "TrainResult",
    "classify",
    "export_positions",
    "find_experiments",
    "generate_experiment",
    "group",
    "iter_tracklets",
    "merge_trainsets",
    "open_session",
    "plot_positions",
    "read_classifier",
    "read_frame_probabilities",
    "read_positions",
    "read_results",
    "rename_label",
    "solve",
    "status",
    "suggest",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("antrax")
    if name not in _SOURCES:
        raise AttributeError(f"module 'antrax' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"antrax.{_SOURCES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
