"""An existing classifier whose labels are renamed or dropped, with what it has learned of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from antrax.classification.classifier_file import Classifier
from antrax.errors import OptionError
from antrax.labels import clean_label, match_labels, spelling_notice
from antrax.messages import parameter
from antrax.networks.graph import Graph, Weights, with_outputs
from antrax.progress import Reporter
from antrax.training.options import TrainOptions, check_relabelling


def with_labels_as_spelt(options: TrainOptions, labels: Sequence[str], reporter: Reporter) -> TrainOptions:
    """The options with labels that are to be dropped or renamed as a classifier spells them, where that is told.

    Parameters
    ----------
    options : TrainOptions
    labels : sequence of str
        Those of the classifier.
    reporter : Reporter
        Told which labels are taken for others.

    Returns
    -------
    TrainOptions

    Raises
    ------
    OptionError
        A label is named twice, in two ways.
    """
    matched = match_labels([*options.drop, *options.rename], labels)
    rename: dict[str, str] = {}
    for old, new in options.rename.items():
        if matched[old] in rename:
            raise OptionError(f"{parameter('rename', {old: new})}: {matched[old]} is renamed twice")
        rename[matched[old]] = clean_label(new)
    changed = replace(options, drop=tuple(dict.fromkeys(matched[label] for label in options.drop)), rename=rename)
    check_relabelling(changed)
    if notice := spelling_notice({old: label for old, label in matched.items() if clean_label(old) != label}):
        reporter.say(notice)
    return changed


def relabelled(classifier: Classifier, drop: Sequence[str], rename: Mapping[str, str]) -> Classifier:
    """The classifier without some labels, and with other names for others.

    Parameters
    ----------
    classifier : Classifier
    drop : sequence of str
    rename : mapping of str to str
        New names by the old ones.

    Returns
    -------
    Classifier
        Without calibration, which was of the old labels.

    Raises
    ------
    OptionError
        It does not know a label, knows a new name already, or fewer than two labels would be left.
    ClassifierError
        It is not clear which of its weights belong to a label.
    """
    wanted = [(label, parameter("drop", [label])) for label in drop]
    wanted += [(old, parameter("rename", {old: new})) for old, new in rename.items()]
    for label, named in wanted:
        if label not in classifier.labels:
            raise OptionError(f"{named}: the classifier knows {', '.join(classifier.labels)}")
    for old, new in rename.items():
        if new in classifier.labels and new not in rename:
            named = parameter("rename", {old: new})
            raise OptionError(f"{named}: the classifier knows {new} already; two labels cannot be joined")
    keep = [index for index, label in enumerate(classifier.labels) if label not in drop]
    if len(keep) < 2:
        raise OptionError(f"{parameter('drop', list(drop))}: a classifier tells at least two labels apart")
    if len(keep) == len(classifier.labels) and not rename:
        return classifier
    measured = classifier.evaluation_weights
    return replace(
        classifier,
        graph=with_outputs(classifier.graph, len(keep)),
        weights=_chosen(classifier.graph, classifier.weights, keep),
        evaluation_weights=_chosen(classifier.graph, measured, keep) if measured is not None else None,
        labels=tuple(rename.get(classifier.labels[index], classifier.labels[index]) for index in keep),
        categories={
            rename.get(label, label): kind for label, kind in classifier.categories.items() if label not in drop
        },
        calibration=None,
    )


def _chosen(graph: Graph, weights: Weights, keep: Sequence[int]) -> Weights:
    """Weights of which the last layer has some of its outputs."""
    layer = graph.label_layer().name
    return {
        name: np.ascontiguousarray(value[..., keep]) if name.rpartition("/")[0] == layer else value
        for name, value in weights.items()
    }
