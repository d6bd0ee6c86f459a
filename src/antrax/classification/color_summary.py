"""Which colours of tags a classifier scores, and which IDs it knows by them alone: for `antrax info` and the page."""

from __future__ import annotations

from typing import Any

from antrax.classification.classifier_file import Classifier
from antrax.defaults import MAX_ERROR


def summarize_colors(classifier: Classifier) -> dict[str, Any] | None:
    """Colours of tags that are scored, and IDs that are known by them alone; None where labels are scored.

    Parameters
    ----------
    classifier : Classifier

    Returns
    -------
    dict or None
        `places`: colours at each place; `ids`: number of IDs that tell colours; `without_examples`: those known by
        their colours alone; `calibrated_on`: number of tracklets that their threshold comes from; `threshold`: least
        confidence for them at the default error, None where too little is known, so that they are never given.
    """
    if not classifier.heads:
        return None
    calibration = classifier.calibration
    unseen = calibration.unseen if calibration else None
    told = bool(calibration and calibration.sufficient and unseen and unseen.sufficient)
    return {
        "places": [list(colors) for colors in classifier.heads.places],
        "ids": len(classifier.heads.codes),
        "without_examples": [classifier.labels[output] for output in unseen.outputs] if unseen else [],
        "calibrated_on": len(unseen.confidences) if unseen else None,
        "threshold": calibration.rule(MAX_ERROR).unseen_threshold if calibration and told else None,
    }
