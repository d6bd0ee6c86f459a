"""Make `keras2.json.gz`: what Keras 2 writes into its files, and what its models answer.

Run with tf_keras (pip install tensorflow tf_keras), from this folder: python make_references.py
The tests do not need it. Weights are left out: they are made anew from their number (`seeded`).
"""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import h5py
import numpy as np
import tf_keras as keras
from seeded import seeded_images, seeded_weight
from tf_keras import layers as kl

IMAGES = 6
FILTERS = {"small": (64, 128, 256), "wide": (128, 256, 512), "large": (64, 64, 128, 256)}


def antrax_model(name: str, size: int, classes: int) -> keras.Model:
    model = keras.Sequential()
    for number, filters in enumerate(FILTERS[name]):
        shape = {} if number else {"input_shape": (size, size, 3)}
        model.add(kl.Convolution2D(filters, (3, 3), activation="relu", **shape))
        model.add(kl.MaxPooling2D(pool_size=(2, 2)))
        model.add(kl.BatchNormalization())
        model.add(kl.Dropout(0.25))
    model.add(kl.Flatten())
    model.add(kl.BatchNormalization())
    model.add(kl.Dropout(0.25))
    model.add(kl.Dense(classes, activation="softmax"))
    return model


def antrax_mobilenet(size: int, classes: int, trainable: bool) -> keras.Model:
    base = keras.applications.MobileNetV2(input_shape=(size, size, 3), include_top=False, weights=None)
    base.trainable = trainable
    return keras.Sequential([base, kl.GlobalAveragePooling2D(), kl.Dense(classes, activation="softmax")])


def custom(size: int, classes: int) -> keras.Model:
    block = keras.Sequential(
        [
            kl.SeparableConv2D(12, 3, padding="same", depth_multiplier=2, activation="swish"),
            kl.BatchNormalization(scale=False),
            kl.LeakyReLU(0.2),
        ],
        name="block",
    )
    image = keras.Input((size, size, 3))
    x = kl.Rescaling(1 / 255)(image)
    x = kl.Conv2D(12, 3, strides=2, padding="same", use_bias=False)(x)
    x = kl.BatchNormalization(center=False)(x)
    x = kl.ReLU(6.0)(x)
    y = block(x)
    y = kl.DepthwiseConv2D(3, padding="same", activation="hard_sigmoid")(y)
    x = kl.Add()([x, y])
    x = kl.AveragePooling2D(2, strides=2, padding="same")(x)
    x = kl.concatenate([x, kl.Activation("elu")(x), kl.ThresholdedReLU(0.4)(x)])
    x = kl.MaxPooling2D(2, padding="same")(x)
    x = kl.Conv2D(8, 3, dilation_rate=2, padding="same", activation="hard_sigmoid")(x)
    x = kl.PReLU()(x)
    x = kl.concatenate([kl.GlobalAveragePooling2D()(x), kl.GlobalMaxPooling2D()(x), kl.Flatten()(x)])
    x = kl.Dense(10, activation="tanh")(kl.Dropout(0.5)(x))
    return keras.Model(image, kl.Dense(classes, activation="softmax")(x))


MODELS = {
    "small": (antrax_model("small", 24, 5), 24, 0.01),
    "wide": (antrax_model("wide", 26, 5), 26, 0.015),
    "large": (antrax_model("large", 48, 5), 48, 0.01),
    "MobileNetV2": (antrax_mobilenet(48, 5, True), 48, 0.5),
    "MobileNetV2 frozen": (antrax_mobilenet(48, 5, False), 48, 0.5),
    "custom": (custom(25, 5), 25, 5.0),
}


def reference(model: keras.Model, size: int, gain: float) -> dict[str, object]:
    """Everything that a test needs to write the file again and to compare."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        model.save(path)
        with h5py.File(path, "r+") as file:
            groups = {}
            count = 0
            for layer in file["model_weights"].attrs["layer_names"]:
                group = file["model_weights"][layer]
                weights = [
                    (name if isinstance(name, str) else name.decode(), list(group[name].shape))
                    for name in group.attrs["weight_names"]
                ]
                for name, shape in weights:
                    group[name][...] = seeded_weight(count, name, tuple(shape), gain)
                    count += 1
                groups[layer] = weights
            stored = {key: file.attrs[key] for key in ("model_config", "keras_version", "backend")}
        model = keras.models.load_model(path)
    answers = model.predict(seeded_images(IMAGES, size).astype(np.float32), verbose=0)
    return {
        **stored,
        "json": model.to_json(),
        "groups": groups,
        "size": size,
        "gain": gain,
        "answers": answers.tolist(),
    }


def main() -> None:
    """Write the file."""
    found = {name: reference(*model) for name, model in MODELS.items()}
    for name, values in found.items():
        print(name, np.std(values["answers"], 0), values["keras_version"])
    content = json.dumps(found).encode()
    Path(__file__).with_name("keras2.json.gz").write_bytes(gzip.compress(content, 9, mtime=0))


main()
