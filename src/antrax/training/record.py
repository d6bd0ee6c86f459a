"""The record that every training run leaves beside its classifier."""

from __future__ import annotations

import copy
import csv
import dataclasses
import io
import json
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antrax.io.atomic import make_folder, remove_dead_parts, write_atomically
from antrax.io.examples import ExampleChanges
from antrax.training.dataset import IMAGES_PER_TRACKLET, Trainset
from antrax.training.evaluation import DoubtfulExample

if TYPE_CHECKING:
    from antrax.training.held_out import Measurement
    from antrax.training.phases import TrainedWeights
    from antrax.training.plan import TrainingPlan


# Sentences on what was left out, and doubtful examples, that go into the classifier: a bad set gives thousands.
_TOLD = 50


def describe_run(
    plan: TrainingPlan,
    trained: TrainedWeights,
    measured: Measurement,
    *,
    seconds: float,
    meanwhile: ExampleChanges,
) -> dict[str, Any]:
    """Describe a run as plain values, as stored in `record.json` and in the classifier.

    Parameters
    ----------
    plan : TrainingPlan
    trained : TrainedWeights
        What the phases gave; their figures by epoch are kept.
    measured : Measurement
        What the held-out tracklets told.
    seconds : float
        From the beginning of the run.
    meanwhile : ExampleChanges
        How the training set changed while the run was at work.

    Returns
    -------
    dict
        `examples`: files found, used and not used because of the cap of images a tracklet (`capped`); images whose
        names tell no tracklet (`without_tracklet`); what was left out and why, in sentences (`left_out`, the first
        ones; all are in `left_out.txt`); files added, changed and removed during the run, which the
        classifier knows nothing of (`meanwhile`). `doubtful`: the first held-out tracklets that look like another label
        than people gave them (all are in `doubtful.csv`). `calibrated`: whether error rates of this classifier are
        known, so that `classify` can choose a threshold by them.
    """
    trainset, split, calibration = plan.trainset, plan.split, measured.calibration
    counts = dict.fromkeys(plan.labels, 0)
    for index, label in enumerate(trainset.labels):
        counts[label] = int((trainset.label_index == index).sum())
    return {
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "options": dict(plan.settings()),
        "trained_on": plan.trained_on,
        "versions": {
            "antrax": version("antrax"),
            "torch": version("torch"),
            "numpy": version("numpy"),
            "python": platform.python_version(),
        },
        "examples": {
            "digest": trainset.digest,
            "files": trainset.files,
            "used": len(trainset.images),
            "capped": trainset.capped,
            "without_tracklet": split.nameless + split.withheld,
            "tracklets": len(trainset.tracklets),
            "held_out_tracklets": int(split.measurable.sum()),
            "background": trainset.background,
            "left_out": list(trainset.problems[:_TOLD]),
            "images_by_label": counts,
            "meanwhile": dataclasses.asdict(meanwhile),
        },
        "history": trained.history,
        "held_out": measured.evaluation.to_json() if measured.evaluation else None,
        "doubtful": [dataclasses.asdict(each) for each in measured.doubtful[:_TOLD]],
        "quality": measured.signs.to_json() if measured.signs else None,
        "forgotten": list(plan.forgotten_after),
        "colours": _colours(plan),
        "calibrated": bool(calibration and calibration.sufficient),
    }


def _colours(plan: TrainingPlan) -> dict[str, Any] | None:
    """Colours that are scored at each place, and the IDs that are known by them alone; None where labels are scored."""
    heads = plan.start.heads
    if heads is None:
        return None
    return {
        "places": [list(colors) for colors in heads.places],
        "without_examples": list(plan.without_examples),
    }


def renamed_record(record: Mapping[str, Any], label: str, new: str) -> dict[str, Any]:
    """The record of a classifier in which a label got another name.

    Parameters
    ----------
    record : mapping of str to Any
        As `describe_run` gives it; what is of another form stays.
    label, new : str
        Old and new name.
    """
    places = {  # where labels are: keys of a mapping, lists of labels, or fields of each entry of a list
        ("examples", "images_by_label"): None,
        ("held_out", "labels"): None,
        ("colours", "without_examples"): None,
        ("doubtful",): ("label", "looks_like"),
        ("forgotten",): None,
    }
    found: dict[str, Any] = copy.deepcopy(dict(record))
    for (*path, last), fields in places.items():
        holder: Any = found
        for name in path:
            holder = holder.get(name) if isinstance(holder, dict) else None
        values = holder.get(last) if isinstance(holder, dict) else None
        if isinstance(values, dict):
            holder[last] = {new if key == label else key: value for key, value in values.items()}
        elif isinstance(values, list) and fields is None:
            # a label that was dropped or renamed before is there again
            kept = [value for value in values if last != "forgotten" or value != new]
            holder[last] = [new if value == label else value for value in kept]
        elif isinstance(values, list):
            for entry in values:
                if isinstance(entry, dict):
                    entry.update({field: new for field in fields or () if entry.get(field) == label})
    return found


def shortcomings(record: Mapping[str, Any]) -> list[str]:
    """Warnings that a record implies for users of the classifier, a sentence each."""
    examples, quality = record["examples"], record["quality"]
    found = []
    if examples["capped"]:
        found.append(
            f"{examples['capped']:,} of {examples['files']:,} images were not used: of each tracklet and label, "
            f"{IMAGES_PER_TRACKLET} at most"
        )
    if quality and quality["poor"]:
        of = "held-out" if quality["of_held_out_images"] else "its own training"
        found.append(
            f"this network is poor ({quality['image_accuracy']:.0%} of {of} images right): train it longer, and look "
            "for examples under wrong labels"
        )
    return found


def write_record(
    parent: Path,
    name: str,
    record: Mapping[str, Any],
    trainset: Trainset,
    held_out: NDArray[np.bool_],
    measured: Measurement,
    history: list[dict[str, float]],
) -> Path:
    """Write a run's record into a folder of its own below `parent`; returns that. Raises `OutputError`.

    Parameters
    ----------
    parent : Path
        Folder of all records.
    name : str
        Of the classifier.
    record : mapping of str to Any
        Options, versions and figures.
    trainset : Trainset
        What was trained on.
    held_out : NDArray[np.bool_]
        Which tracklets were held out, shape (tracklets,).
    measured : Measurement
        What the held-out tracklets told.
    history : list[dict[str, float]]
        Loss and accuracy of each epoch.
    """
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder = make_folder(parent / f"{name}_{stamp}")
    for earlier in parent.iterdir():  # of runs that were killed while they wrote theirs
        remove_dead_parts(earlier)
    write_atomically(folder / "record.json", json.dumps(record, indent=1) + "\n")
    write_atomically(folder / "examples.csv", _examples_table(trainset, held_out))
    write_atomically(folder / "doubtful.csv", _doubtful_table(measured.doubtful))
    write_atomically(folder / "left_out.txt", "".join(f"{problem}\n" for problem in trainset.problems))
    from antrax.training.plots import draw_confusion, draw_learning_curve

    draw_learning_curve(history, folder / "learning_curve.png")
    if measured.evaluation:
        draw_confusion(measured.evaluation, folder / "confusion.png")
    return folder


def _doubtful_table(doubtful: Sequence[DoubtfulExample]) -> str:
    """Held-out tracklets that look like another label than people gave them, as CSV."""
    text = io.StringIO()
    columns = [field.name for field in dataclasses.fields(DoubtfulExample)]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(dataclasses.asdict, doubtful))
    return text.getvalue()


def _examples_table(trainset: Trainset, held_out: NDArray[np.bool_]) -> str:
    """Which tracklets were used, how many images of each label, and whether they were held out."""
    answers = np.where(held_out, "yes", "no")
    pairs, counts = np.unique(np.stack([trainset.tracklet_index, trainset.label_index]), axis=1, return_counts=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("experiment", "tracklet", "label", "images", "held_out"))
    for (tracklet, label), count in zip(pairs.T, counts, strict=True):
        writer.writerow((*trainset.tracklets[tracklet], trainset.labels[label], count, answers[tracklet]))
    return text.getvalue()
