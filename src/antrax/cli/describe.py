"""`antrax info`: description of a classifier's file, as plain values."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from antrax.classification.calibration import ENOUGH_TRACKLETS
from antrax.classification.classifier_file import Classifier, read_classifier
from antrax.classification.color_summary import summarize_colors
from antrax.defaults import MAX_ERROR
from antrax.io.untrusted_hdf5 import has, open_untrusted, text_attribute
from antrax.labels import Category, guess_category

# What `antrax classify` accepts by default.


def describe_classifier(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe a classifier without running it.

    Parameters
    ----------
    path : path
        A classifier's file, of ours or anTraX's.

    Returns
    -------
    dict
        Values that JSON has; None for what the file does not say.

    Raises
    ------
    ClassifierError
        The file is missing, damaged, or no classifier.
    """
    file = Path(path).expanduser().absolute()
    classifier = read_classifier(file)
    with open_untrusted(file, "a classifier") as opened:
        keras, ours = text_attribute(opened, "keras_version"), has(opened, "antrax")
    record = classifier.record
    return {
        "file": str(file),
        "bytes": file.stat().st_size,
        "digest": classifier.digest(),
        "written_by": {
            "program": "antrax" if ours else "anTraX",
            "version": _value(record, "versions", "antrax", kind=str) if ours else None,
            "keras": None if ours else keras or None,
        },
        "labels": _labels(classifier),
        "architecture": _architecture(classifier),
        "colours": summarize_colors(classifier),
        "images": {
            "size": classifier.size,
            "channels": classifier.graph.channels,
            "background": classifier.background,
            "prepared_as": "anTraX" if classifier.preparation.antrax else "antrax",
            "crop_size": classifier.preparation.crop_size,
            "scale": classifier.preparation.scale,
            "hsymmetry": classifier.hsymmetry,
        },
        "training": _training(record) if ours else None,
        "held_out": _held_out(record),
        "poor": classifier.is_poor,
        "calibration": _calibration(classifier),
    }


def _labels(classifier: Classifier) -> dict[str, Any]:
    kinds = {label: classifier.categories.get(label) or guess_category(label) for label in classifier.labels}
    return {
        **{str(kind): [label for label in classifier.labels if kinds[label] is kind] for kind in Category},
        "guessed": not classifier.categories,
        "cut": classifier.labels_cut,
    }


def _architecture(classifier: Classifier) -> dict[str, Any]:
    graph = classifier.graph
    return {
        "name": graph.name,
        "layers": dict(Counter(layer.kind for layer in graph.layers[1:])),
        "parameters": sum(math.prod(shape) for shape in graph.weight_shapes().values()),
        "multiplications": graph.work(),
    }


def _training(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "time": _value(record, "time", kind=str),
        "seconds": _value(record, "seconds", kind=float),
        "trained_on": _value(record, "trained_on", kind=str),
        "epochs": _value(record, "options", "epochs", kind=int),
        "seed": _value(record, "options", "seed", kind=int),
        "device": _value(record, "options", "device", kind=str),
        "modelfile": _value(record, "options", "modelfile", kind=str),
        "pretrained": _value(record, "options", "pretrained", kind=bool),
        "images": _value(record, "examples", "used", kind=int),
        "images_without_tracklet": _value(record, "examples", "without_tracklet", kind=int),
        "tracklets": _value(record, "examples", "tracklets", kind=int),
        "held_out_tracklets": _value(record, "examples", "held_out_tracklets", kind=int),
        "examples_digest": _value(record, "examples", "digest", kind=str),
    }


def _held_out(record: Mapping[str, Any]) -> dict[str, Any] | None:
    found = {
        "tracklets": _value(record, "held_out", "tracklets", kind=int),
        "image_accuracy": _value(record, "held_out", "image_accuracy", kind=float),
        "tracklet_accuracy": _value(record, "held_out", "tracklet_accuracy", kind=float),
    }
    return found if any(value is not None for value in found.values()) else None


def _calibration(classifier: Classifier) -> dict[str, Any] | None:
    calibration = classifier.calibration
    if calibration is None:
        return None
    rule = calibration.rule(MAX_ERROR)
    return {
        "tracklets": calibration.tracklets,
        "with_id": len(calibration.confidences),
        "needed": ENOUGH_TRACKLETS,
        "sufficient": calibration.sufficient,
        "independent": calibration.independent,
        "temperature": calibration.temperature,
        "exponent": calibration.exponent,
        "max_error": MAX_ERROR,
        "threshold": rule.threshold if calibration.sufficient else None,
        "above_threshold": sum(c >= rule.threshold for c in calibration.confidences)
        if calibration.sufficient
        else None,
    }


def _value(record: Mapping[str, Any], *keys: str, kind: type) -> Any:
    """A value of a record, which may hold anything; None if it is missing or of another type."""
    value: Any = record
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else value
