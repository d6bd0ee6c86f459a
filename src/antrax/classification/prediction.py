"""Predictions of a classifier for single images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antrax.classification.engine import Batcher, batch_size, make_model, make_predictor
from antrax.classification.rotation import merge_views, views
from antrax.images import prepare
from antrax.networks.devices import choose_device, processors
from antrax.progress import Reporter

if TYPE_CHECKING:
    from antrax.classification.classifier_file import Classifier

_AT_ONCE = 4096


def predict_proba(classifier: Classifier, images: NDArray[np.uint8], *, device: str = "auto") -> NDArray[np.float32]:
    """Probability of each label for each image; see `Classifier.predict_proba`.

    Parameters
    ----------
    classifier : Classifier
        The classifier.
    images : NDArray[np.uint8]
        Shape (N, S, S, 3), rgb.
    device : str, optional
        auto, cpu, cuda or mps.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] != 3 or images.dtype != np.uint8:
        raise ValueError(f"images of shape (N, S, S, 3) and type uint8 are needed, not {images.shape} {images.dtype}")
    chosen = choose_device(device, Reporter().warn)
    predictor = make_predictor(make_model(classifier, chosen), processors())
    batcher = Batcher(predictor, batch_size(classifier.graph, chosen), classifier.size)
    for start in range(0, len(images), _AT_ONCE):
        some = prepare(images[start : start + _AT_ONCE], classifier.preparation)
        # each image independently of the others
        batcher.add(some, *views(len(some), total=1, rotate=classifier.rotation))
    return merge_views(batcher.finish(), len(images)) if len(images) else np.zeros((0, len(classifier.labels)), "f4")
