"""Models of a user's own, their data, and all of their state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, optimizers

from study.engines.tensorflow import xp as tf

RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 6)).astype(np.float32)
Y = (X @ RNG.normal(size=(6, 3))).argmax(axis=1)

OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": optimizers.SGD,
    "momentum": lambda rate: optimizers.SGD(rate, momentum=0.9),
    "nesterov": lambda rate: optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "adam": optimizers.Adam,
    "adagrad": optimizers.Adagrad,
    "adadelta": optimizers.Adadelta,
    "rmsprop": optimizers.RMSprop,
    "adamw": lambda rate: optimizers.AdamW(rate, weight_decay=0.01),
    "averaged": lambda rate: optimizers.Adam(rate, use_ema=True),
    "scaled": lambda rate: optimizers.LossScaleOptimizer(optimizers.Adam(rate)),
}

SCHEDULE = optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
SHORT: dict[str, Any] = dict(steps=8, low=1e-4, high=0.1)


def plain(optimizer: Any = "sgd", **options: Any) -> Any:
    """A compiled model with normalisation and dropout."""
    keras.utils.set_random_seed(7)
    inputs = layers.Input((6,))
    h = layers.Dropout(0.3)(layers.BatchNormalization()(layers.Dense(8, activation="relu")(inputs)))
    model = keras.Model(inputs, layers.Dense(3)(h))
    return compiled(model, optimizer, **options)


def compiled(model: Any, optimizer: Any = "sgd", **options: Any) -> Any:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], **options)
    return model


def batches(seed: int | None = 3) -> Any:
    """A data set whose order changes every epoch."""
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(256, seed=seed).batch(32)


def state(model: Any) -> list[Any]:
    """Everything that a step changes, as it stands."""
    return [v.numpy().copy() for owner in (model, model.optimizer) for v in owner.variables] + [
        v.numpy().copy() for v in model.metrics_variables
    ]


def same(before: list[Any], after: list[Any]) -> bool:
    return len(before) == len(after) and all(
        np.array_equal(a, b) for a, b in zip(before, after, strict=True)
    )


class Breaks(keras.Model):  # type: ignore[misc]
    """Raises in its fifth step; written as the guides write a train_step."""

    def __init__(self, error: type[BaseException] | None = None) -> None:
        super().__init__()
        self.dense, self.steps, self.error = layers.Dense(3), 0, error

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)

    def train_step(self, data: Any) -> Any:
        x, y = data
        self.steps += 1
        if self.error is not None and self.steps == 5:
            raise self.error("the fifth step")
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        return {"loss": loss}
