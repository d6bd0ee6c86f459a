"""`antrax info EXPERIMENT`: content of an experiment and next step, as plain values."""

from __future__ import annotations

import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from antrax.errors import AntraxError, LabelsError
from antrax.io.contents import SessionContents
from antrax.io.examples import copied_folders, survey_examples
from antrax.io.experiments import is_experiment
from antrax.io.layout import CLASSIFIER_SUFFIX
from antrax.io.session import Session, open_session, session_dirs
from antrax.labels import Category, match_labels, spelling_notice


def is_experiment_or_session(path: Path) -> bool:
    """Whether `describe_experiment` can describe a path."""
    return path.is_dir() and (is_experiment(path) or is_experiment(path.parent))


def describe_experiment(path: str | os.PathLike[str], session: str | None = None) -> dict[str, Any]:
    """Describe an experiment: movies, labels, examples, classifiers, results.

    Parameters
    ----------
    path : path
        An experiment or a session of one.
    session : str, optional
        Name of the session; the latest by default.

    Returns
    -------
    dict
        Values that JSON has. What cannot be read is None, and why is in ``problems``.

    Raises
    ------
    ExperimentError
        It is no experiment, or there is no such session.
    """
    opened = open_session(path, session)
    problems = list(opened.parameter_problems)
    contents = SessionContents(opened)
    images = [file for files in contents.images.values() for file in files]
    found: dict[str, Any] = {
        "experiment": str(opened.experiment),
        "session": opened.name,
        "sessions": [folder.name for folder in session_dirs(opened.experiment)],
        "movies": _movies(opened, problems),
        "tracked": list(contents.images),
        "stack_bytes": sum(file.stat().st_size for file in images if file.is_file()),
        "labels": _labels(opened, problems),
        "examples": _examples(opened, problems),
        "classifiers": _classifiers(opened),
        "classified": list(contents.labels),
        "with_graph": contents.graphs,
        "solved": list(contents.positions),
        "problems": problems,
    }
    return found | {"next": _next_step(opened, found)}


def _movies(session: Session, problems: list[str]) -> list[int] | None:
    try:
        return list(session.movies)
    except AntraxError as error:
        problems.append(str(error))
        return None


def _labels(session: Session, problems: list[str]) -> dict[str, list[str]] | None:
    try:
        labels = session.labels
    except LabelsError as error:
        if session.layout.labels_file.exists():
            problems.append(str(error))
        return None
    return {str(kind): [label for label in labels.all if labels.category(label) is kind] for kind in Category}


def _examples(session: Session, problems: list[str]) -> dict[str, int]:
    """Number of examples by label."""
    if not session.layout.classifier.examples.is_dir():
        return {}
    try:
        listing = survey_examples(session.layout.classifier.examples)
    except AntraxError as error:
        problems.append(str(error))
        return {}
    problems += listing.passed_over
    counts = Counter(example.label for example in listing.files)
    try:
        listed = session.labels.all
    except LabelsError:
        listed = ()  # told with the labels
    # folders are taken as training takes them
    spelt = match_labels(counts, listed)
    found: Counter[str] = Counter()
    for label, count in counts.items():
        found[spelt[label]] += count
    if notice := spelling_notice(spelt):
        problems.append(notice)
    if listed:
        for label, original in sorted(copied_folders(found, listed).items()):
            problems.append(
                f"{session.layout.classifier.examples / label} looks like a copy of the folder of {original}: its "
                f"{found.pop(label)} images are not counted, and training uses those that {original} has too once"
            )
    return dict(sorted(found.items()))


def _classifiers(session: Session) -> list[dict[str, str]]:
    files = sorted(session.classifier_dir.glob(f"*{CLASSIFIER_SUFFIX}"))
    times = [datetime.fromtimestamp(file.stat().st_mtime).astimezone() for file in files]
    return [
        {"name": file.name, "time": time.isoformat(timespec="seconds")} for file, time in zip(files, times, strict=True)
    ]


def _next_step(session: Session, found: dict[str, Any]) -> str:
    """The next command to type, and why."""
    there = session.experiment
    tracked, classified = set(found["tracked"]), set(found["classified"])
    if not tracked and not classified:
        return "there is no image stack: run the tracking step first"
    if tracked - classified:
        if found["labels"] is None:
            return f"antrax extract-trainset {there}: list the labels, and give examples"
        if not found["classifiers"]:
            return f"antrax train {there}" if found["examples"] else f"antrax extract-trainset {there}: give examples"
        return f"antrax classify {there}{' --missing' if classified else ''}"
    if set(found["with_graph"]) - set(found["solved"]):
        return f"antrax solve {there}, or antrax extract-trainset {there} to validate labels first"
    return f"antrax extract-trainset {there}: validate, and add examples"
