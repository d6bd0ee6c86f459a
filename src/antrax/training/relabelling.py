"""Renaming and dropping labels of an existing classifier, which keeps the weights of the others."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from antrax.classification.classifier_file import Classifier, read_classifier, rewrite_labels, write_classifier
from antrax.errors import LabelsError, OptionError
from antrax.labels import UNKNOWN, check_new_label, clean_label, guess_category, match_labels, spelling_notice
from antrax.messages import parameter
from antrax.networks.graph import Graph, Weights, with_outputs
from antrax.progress import Reporter
from antrax.training.options import TrainOptions, check_relabelling
from antrax.training.record import renamed_record


def with_labels_as_spelt(
    options: TrainOptions, classifier: Classifier, listed: Collection[str], place: Path, reporter: Reporter
) -> TrainOptions:
    """The options with labels that are to be dropped or renamed as a classifier spells them, where that is told.

    A new name is one that is listed already, whatever its spelling, or one that a new label may have. How a label is
    spelt is for the list to say: classifiers follow it, so to change the spelling here alone would not last.

    Parameters
    ----------
    options : TrainOptions
    classifier : Classifier
    listed : collection of str
        Labels of the session, or of the training set.
    place : Path
        Where these are listed.
    reporter : Reporter
        Told which labels are taken for others.

    Returns
    -------
    TrainOptions

    Raises
    ------
    OptionError
        A label is named twice, in two ways; or a new name cannot be one.
    """
    labels = classifier.labels
    matched = match_labels([*options.drop, *options.rename], labels)
    rename: dict[str, str] = {}
    for old, new in options.rename.items():
        if matched[old] in rename:
            raise OptionError(f"{parameter('rename', {old: new})}: {matched[old]} is renamed twice")
        name = _new_name(matched[old], new, classifier, listed, place)
        if name != clean_label(new):
            reporter.say(spelling_notice({clean_label(new): name}))
        rename[matched[old]] = name
    changed = replace(options, drop=tuple(dict.fromkeys(matched[label] for label in options.drop)), rename=rename)
    check_relabelling(changed)
    if notice := spelling_notice({old: label for old, label in matched.items() if clean_label(old) != label}):
        reporter.say(notice)
    return changed


def _new_name(old: str, new: str, classifier: Classifier, listed: Collection[str], place: Path) -> str:
    """The new name of a label as it is spelt, if it can have it."""
    label = match_labels([new], listed)[new]
    if label.casefold() == old.casefold() and label != clean_label(new):
        raise OptionError(
            f"{parameter('rename', {old: new})}: {place} spells this label {label}, and classifiers follow that; "
            "change it there, and this option is not needed"
        )
    if old == UNKNOWN:
        raise OptionError(
            f"{parameter('rename', {old: new})}: {UNKNOWN} is the label of what nobody can tell, and keeps its name"
        )
    if label in listed or old not in classifier.labels:
        return label
    try:
        check_new_label(label, classifier.categories.get(old) or guess_category(old))
    except LabelsError as error:
        raise OptionError(f"{parameter('rename', {old: new})}: {error}") from None
    return label


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
        heads=classifier.heads and classifier.heads.without(drop).renamed(rename),
    )


def with_other_name(path: Path, label: str, new: str, listed: Collection[str]) -> tuple[Classifier, Classifier] | None:
    """The classifier in a file, and the same with another name of a label; None where it does not know the label.

    Unlike `relabelled`, which training goes on from, this keeps calibration and figures: they are of the same animal.

    Parameters
    ----------
    path : Path
    label, new : str
        Old and new name.
    listed : collection of str
        Labels of the session, for those that anTraX cut or that are spelt otherwise.

    Raises
    ------
    ClassifierError
        The file is damaged.
    OptionError
        The classifier knows the new name already.
    """
    there = read_classifier(path)
    spelt = there.with_labels_of(tuple(listed))
    if label not in spelt.labels:
        return None
    if new in spelt.labels:
        raise OptionError(
            f"{path} knows a label {new} already, and labels are not joined: have it forget that one first "
            f"({parameter('drop', [new])} of antrax train), or choose another name"
        )
    if there.labels_cut:
        labels = (new if name == label else old for name, old in zip(spelt.labels, there.labels, strict=True))
        return there, replace(there, labels=tuple(labels))
    names = {label: new}
    return there, replace(
        spelt,
        labels=tuple(names.get(name, name) for name in spelt.labels),
        categories={names.get(name, name): kind for name, kind in spelt.categories.items()},
        heads=spelt.heads and spelt.heads.renamed(names),
        record=renamed_record(spelt.record, label, new),
    )


def rename_in_classifier(path: Path, label: str, new: str, listed: Collection[str]) -> None:
    """Give a label another name in a classifier's file, which keeps its time; nothing to do where it does not know it.

    Parameters
    ----------
    path : Path
    label, new : str
        Old and new name.
    listed : collection of str
        Labels of the session.

    Raises
    ------
    ClassifierError, OptionError
        As `with_other_name`.
    OutputError
        It cannot be written.
    """
    if not (found := with_other_name(path, label, new, listed)):
        return
    times = path.stat()
    if found[0].labels_cut:
        rewrite_labels(path, found[1].labels)
    else:
        write_classifier(found[1], path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _chosen(graph: Graph, weights: Weights, keep: Sequence[int]) -> Weights:
    """Weights of which the last layer has some of its outputs."""
    layer = graph.label_layer().name
    return {
        name: np.ascontiguousarray(value[..., keep]) if name.rpartition("/")[0] == layer else value
        for name, value in weights.items()
    }
