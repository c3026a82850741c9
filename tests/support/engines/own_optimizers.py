"""Models that train with several optimizers, kept in every way that users keep them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import keras
from keras import layers, optimizers

from study.engines.tensorflow import xp as tf


class Pair(keras.Model):  # type: ignore[misc]
    """Two layers, each trained by an optimizer of its own."""

    def __init__(self, keep: Callable[[Any, Any, Any], None], use: Callable[[Any], Any]) -> None:
        super().__init__()
        self.body, self.head = layers.Dense(4, activation="relu"), layers.Dense(3)
        self.keep, self.use = keep, use

    def call(self, inputs: Any) -> Any:
        return self.head(self.body(inputs))

    def compile(self, body: Any, head: Any, **options: Any) -> None:
        super().compile(
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), **options
        )
        self.keep(self, body, head)

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        weights = self.body.trainable_weights, self.head.trainable_weights
        slopes = tape.gradient(loss, weights)
        for optimizer, some, theirs in zip(self.use(self), slopes, weights, strict=True):
            optimizer.apply_gradients(zip(some, theirs, strict=True))
        return {"loss": loss}


class Slotted:
    """An object without a dictionary of attributes."""

    __slots__ = ("body", "head")

    def __init__(self, body: Any, head: Any) -> None:
        self.body, self.head = body, head


def in_attributes(model: Any, body: Any, head: Any) -> None:
    model.body_optimizer, model.head_optimizer = body, head


def in_a_dict(model: Any, body: Any, head: Any) -> None:
    model.trainers = {"body": body, "head": head}


def in_a_list(model: Any, body: Any, head: Any) -> None:
    model.trainers = [body, head]


def in_an_object(model: Any, body: Any, head: Any) -> None:
    model.trainers = SimpleNamespace(inner=Slotted(body, head))


def as_the_compiled_one(model: Any, body: Any, head: Any) -> None:
    model.optimizer, model.head_optimizer = body, head


GLOBAL: dict[str, Any] = {}


def by_a_global_name(model: Any, body: Any, head: Any) -> None:
    GLOBAL.update(body=body, head=head)


WAYS: dict[str, tuple[Callable[[Any, Any, Any], None], Callable[[Any], Any]]] = {
    "body_optimizer": (in_attributes, lambda m: (m.body_optimizer, m.head_optimizer)),
    "trainers['body']": (in_a_dict, lambda m: (m.trainers["body"], m.trainers["head"])),
    "trainers[0]": (in_a_list, lambda m: m.trainers),
    "trainers.inner.body": (in_an_object, lambda m: (m.trainers.inner.body, m.trainers.inner.head)),
    "GLOBAL['body']": (by_a_global_name, lambda m: (GLOBAL["body"], GLOBAL["head"])),
}
"""By the name that the first optimizer then has: how both are kept, and how a step finds them."""


def pair(name: str, body: Any = None, head: Any = None, **options: Any) -> Any:
    """A built and compiled `Pair`, whose optimizers are kept in one of the `WAYS`."""
    keras.utils.set_random_seed(5)
    model = Pair(*WAYS[name])
    model(tf.zeros((2, 6)))
    model.compile(body or optimizers.Adam(0.001), head or optimizers.Adam(0.01), **options)
    return model
