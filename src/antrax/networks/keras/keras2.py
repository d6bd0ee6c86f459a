"""Translation of Keras 2's model descriptions (tf.keras, TensorFlow 1.13 to 2.15) to Keras 3's."""

from __future__ import annotations

from typing import Any

# Its hard sigmoid has another slope than Keras 3's: clip(x / 5 + 1 / 2) instead of clip(x / 6 + 1 / 2).
HARD_SIGMOID = "hard_sigmoid of Keras 2"

_CLASSES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Model": "Functional",
    "LeakyReLU": "LeakyReLU",
    "ThresholdedReLU": "ReLU",
}
_OPTIONS = {
    "InputLayer": {"batch_input_shape": "batch_shape"},
    "LeakyReLU": {"alpha": "negative_slope"},
    "ThresholdedReLU": {"theta": "threshold"},
}


def is_keras2(version: str, model: Any) -> bool:
    """Whether a model was described by Keras 2.

    Parameters
    ----------
    version : str
        `keras_version` of the file, such as ``"2.2.4-tf"``; empty where that is not known.
    model : dict
        The description. Keras 2 wrote its version into JSON texts, Keras 3 names modules instead.
    """
    version = version or str(model.get("keras_version", ""))
    return not version.startswith("3") if version else "module" not in model


def translate(kind: str, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Class and options of a layer in Keras 3's words."""
    renamed = _OPTIONS.get(kind, {})
    config = {renamed.get(option, option): value for option, value in config.items()}
    if config.get("activation") == "hard_sigmoid":
        config["activation"] = HARD_SIGMOID
    return _CLASSES.get(kind, kind), config
