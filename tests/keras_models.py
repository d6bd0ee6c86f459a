"""Models made with Keras on the torch backend, which is the judge of how we read, compute and write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers as kl

Model = Any
SIZE = 26


def every_kind() -> Model:
    """A network with every layer that is allowed, most of them with options that are not the default."""
    image = kl.Input((SIZE, SIZE, 3), name="images")
    x = kl.Rescaling([1 / 127.5, 1 / 255, 0.01], offset=[-1, 0, 0.5])(image)
    x = kl.ZeroPadding2D(((1, 2), (0, 3)))(x)
    x = kl.Conv2D(8, (3, 5), strides=2, padding="same", activation="relu6")(x)
    x = kl.BatchNormalization(scale=False)(x)
    x = kl.Cropping2D(((1, 0), (2, 1)))(x)
    x = kl.Conv2D(12, 3, padding="same", dilation_rate=(2, 1), groups=4, use_bias=False)(x)
    x = kl.BatchNormalization(center=False, epsilon=1e-2)(x)
    x = kl.LeakyReLU(0.15)(x)
    x = kl.SpatialDropout2D(0.2)(x)
    a = kl.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="gelu")(x)
    b = kl.SeparableConv2D(24, (3, 2), strides=1, padding="same", activation="silu", depth_multiplier=3)(x)
    b = kl.GaussianNoise(0.3)(b)
    c = kl.Conv2D(24, 1, activation="hard_silu")(x)
    c = kl.PReLU(shared_axes=[1])(c)
    x = kl.Add()([a, b, c])
    x = kl.LayerNormalization()(x)
    squeezed = kl.GlobalAveragePooling2D(keepdims=True)(x)
    squeezed = kl.Dense(6, activation="tanh")(squeezed)
    squeezed = kl.Dense(24, activation="hard_sigmoid")(squeezed)
    x = kl.Multiply()([x, squeezed])
    x = kl.MaxPooling2D((3, 2), strides=(2, 1), padding="same")(x)
    y = kl.AveragePooling2D(3, strides=1, padding="same")(x)
    x = kl.Concatenate()([kl.Subtract()([x, y]), kl.Maximum()([x, y]), kl.Minimum()([x, y]), kl.Average()([x, y])])
    x = kl.ELU(0.7)(x)
    x = kl.Activation("softplus")(x)
    x = kl.ReLU(max_value=3.0, negative_slope=0.1, threshold=0.4)(x)
    x = x + kl.Activation("selu")(x) * kl.Softmax()(x)
    many = kl.Flatten()(kl.MaxPooling2D(3)(x))
    many = kl.GaussianDropout(0.1)(kl.Dropout(0.5)(many))
    shaped = kl.Reshape((3, -1, 32))(kl.Dense(3 * 32 * 2, activation="softsign")(many))
    shaped = kl.GlobalMaxPooling2D()(kl.Conv2D(9, (2, 1), activation="mish")(shaped))
    x = kl.Concatenate(axis=1)([kl.GlobalMaxPooling2D()(x), many, shaped])
    x = kl.BatchNormalization()(x)
    x = kl.Dense(20, activation="sigmoid")(x)
    x = kl.PReLU()(kl.Activation("exponential")(kl.LayerNormalization(center=False)(x)))
    return keras.Model(image, kl.Dense(5, activation="softmax")(x))


def nested() -> Model:
    """Models in models, layers of the same names in both, a layer without weights used twice."""
    inner = keras.Sequential(
        [
            kl.Input((SIZE - 2, SIZE - 2, 4)),
            kl.Conv2D(6, 3, strides=2, name="conv"),
            kl.BatchNormalization(name="norm"),
        ],
        name="block",
    )
    image = kl.Input((SIZE, SIZE, 3))
    relu = kl.ReLU()
    x = relu(kl.Conv2D(4, 3, name="conv")(kl.Rescaling(1 / 255)(image)))
    x = kl.BatchNormalization(name="norm")(x)
    x = relu(inner(x))
    features = keras.Model(image, x, name="features")
    return keras.Sequential(
        [kl.Input((SIZE, SIZE, 3)), features, kl.Flatten(), kl.Dropout(0.2), kl.Dense(4), kl.Softmax()]
    )


def fully_convolutional() -> Model:
    """Labels from a convolution, grey images, logits without softmax."""
    return keras.Sequential(
        [
            kl.Input((SIZE, SIZE, 1)),
            kl.Rescaling(1 / 60, -2.0),
            kl.Conv2D(8, 5, strides=3, activation="elu"),
            kl.AveragePooling2D(2),
            kl.Conv2D(7, 1),
            kl.GlobalAveragePooling2D(),
        ]
    )


def softmax_before_flatten() -> Model:
    """A softmax over labels of a map of one place."""
    image = kl.Input((SIZE, SIZE, 3))
    x = kl.Conv2D(8, SIZE, activation="tanh")(kl.Rescaling(1 / 20)(image))
    return keras.Model(image, kl.Flatten()(kl.Conv2D(6, 1, activation="softmax")(x)))


MODELS: dict[str, Callable[[], Model]] = {
    model.__name__: model for model in (every_kind, nested, fully_convolutional, softmax_before_flatten)
}


def with_random_weights(model: Model, seed: int = 0) -> Model:
    """The model with weights and statistics as after training: none at its default."""
    import numpy as np

    rng = np.random.default_rng(seed)
    for weight in model.weights:
        shape = weight.shape
        if weight.name in ("gamma", "moving_variance"):
            value = rng.uniform(0.5, 1.5, shape)
        elif "kernel" in weight.name:
            one_by_one = "depthwise" in weight.path and weight.name != "pointwise_kernel"
            inputs = np.prod(shape[:2] if one_by_one else shape[:-1])
            value = rng.normal(0, np.sqrt(2 / inputs), shape)
        elif "seed" in weight.name:
            continue
        else:
            value = rng.normal(0, 0.3, shape)
        weight.assign(value.astype(np.float32))
    return model
