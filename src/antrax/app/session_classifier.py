"""The classifier of an open session: whether there is one, and whether error rates can be chosen for it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from antrax.errors import AntraxError


class SessionClassifier:
    """A classifier's file, read anew when it is another. Thread-safe.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: tuple[str, dict[str, Any]] | None = None

    def stamp(self) -> str:
        """Another whenever the file is; empty where there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return ""
        return f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"

    def state(self) -> dict[str, Any] | None:
        """Whether it is calibrated, and if not, why; None where there is no classifier."""
        stamp = self.stamp()
        if not stamp:
            return None
        with self._lock:
            if self._known is None or self._known[0] != stamp:
                why = _why_not_calibrated(self._path)
                self._known = (stamp, {"calibrated": why is None, "why": why})
            return dict(self._known[1])


def _why_not_calibrated(path: Path) -> str | None:
    from antrax.classification.calibration import ENOUGH_TRACKLETS
    from antrax.classification.classifier_file import read_classifier

    try:
        calibration = read_classifier(path).calibration
    except AntraxError as error:
        return str(error)
    if calibration is None:
        return "It was never measured on tracklets that it had not seen."
    if not calibration.sufficient:
        return (
            f"It was measured on too few tracklets that it had not seen: {len(calibration.confidences)} with an ID, "
            f"and {ENOUGH_TRACKLETS} are needed. Label more tracklets and train again."
        )
    return None
