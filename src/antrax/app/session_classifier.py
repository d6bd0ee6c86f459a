"""The classifiers of an open session: their names, states and warnings."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from antrax.app.training_report import LastTraining, last_training
from antrax.errors import AntraxError
from antrax.io.layout import CLASSIFIER_SUFFIX

_SETTLED_NS = 5_000_000_000


class OtherClassifiers:
    """All classifiers in a folder except the main one. Thread-safe.

    Parameters
    ----------
    main : Path
        File of the main classifier.
    """

    def __init__(self, main: Path) -> None:
        self._main = main
        self._known: dict[Path, SessionClassifier] = {}
        self._listed: int | None = None  # when the folder was changed last, where a later change cannot look the same

    def stamp(self) -> str:
        """Version of these classifiers: changes whenever one of them does."""
        return ",".join(f"{path.stem}:{classifier.stamp()}" for path, classifier in self._all().items())

    def states(self) -> list[dict[str, Any]]:
        """Name and state (`SessionClassifier.state`) of each, sorted by name."""
        found = {path.stem: classifier.state() for path, classifier in self._all().items()}
        return [{"name": name} | state for name, state in found.items() if state]

    def _all(self) -> dict[Path, SessionClassifier]:
        """Each by its file. The folder is listed only when it has changed: on a network drive that takes long."""
        try:
            changed = self._main.parent.stat().st_mtime_ns
            if changed == self._listed:
                return self._known
            # Some drives keep the time in steps of two seconds, in which a folder may change again.
            settled = time.time_ns() - changed > _SETTLED_NS
            paths = [path for path in sorted(self._main.parent.glob(f"*{CLASSIFIER_SUFFIX}")) if path != self._main]
        except OSError:
            changed, settled, paths = 0, False, []
        self._known = {path: self._known.get(path) or SessionClassifier(path) for path in paths}
        self._listed = changed if settled else None
        return self._known


class SessionClassifier:
    """A classifier's file, read anew when it is another. Thread-safe.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: tuple[str, dict[str, Any], LastTraining | None] | None = None

    def stamp(self) -> str:
        """Version of the file; empty if there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return ""
        return f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"

    def written(self) -> int | None:
        """Time of the last change of the file, in ns since 1970; None if there is no classifier."""
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return None

    def state(self) -> dict[str, Any] | None:
        """Whether it is calibrated, if not, why, and whether it is poor; None where there is no classifier."""
        known = self._read()
        return dict(known[1]) if known else None

    def training(self) -> LastTraining | None:
        """Its training, from its record; None if there is no record or no classifier."""
        known = self._read()
        return known[2] if known else None

    def _read(self) -> tuple[str, dict[str, Any], LastTraining | None] | None:
        stamp = self.stamp()
        if not stamp:
            return None
        with self._lock:
            if self._known is None or self._known[0] != stamp:
                self._known = (stamp, *_describe(self._path))
            return self._known


def _describe(path: Path) -> tuple[dict[str, Any], LastTraining | None]:
    from antrax.classification.calibration import why_not_calibrated
    from antrax.classification.classifier_file import read_classifier
    from antrax.classification.color_summary import summarize_colors

    try:
        classifier = read_classifier(path)
    except AntraxError as error:
        return {"calibrated": False, "why": str(error), "poor": False}, None
    calibration = classifier.calibration
    why = why_not_calibrated(calibration)
    advice = " Label more tracklets and train again." if calibration and calibration.independent else ""
    state = {"calibrated": why is None, "why": f"It {why}.{advice}" if why else None, "poor": classifier.is_poor}
    return state, last_training(classifier.labels, classifier.record, summarize_colors(classifier))
