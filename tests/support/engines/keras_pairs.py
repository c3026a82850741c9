"""Pairs of Keras models that train otherwise, or the same, each as a function that builds it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, regularizers


def dense(**settings: Any) -> Any:
    """A model of one layer."""
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, **settings)])


def with_layer(make: Callable[[], Any]) -> Callable[[], Any]:
    """Builds a model whose first layer is made."""
    return lambda: keras.Sequential([keras.Input((4,)), make(), layers.Dense(3)])


def functional(wire: Callable[[Any, Any], Any], inputs: Callable[[], Any] | None = None) -> Any:
    """A model of two layers of one kind, wired by a function of both."""
    start = inputs() if inputs else keras.Input((4,))
    one, two = (layers.Dense(4, name)(start) for name in ("relu", "tanh"))
    return keras.Model(start, wire(one, two))


def wired(wire: Callable[[Any, Any], Any]) -> Callable[[], Any]:
    """Builds a model of two layers, wired by a function."""
    return lambda: functional(wire)


def nested(times: float) -> Any:
    """A functional model within a functional model."""
    inner = keras.Input((4,))
    start = keras.Input((4,))
    body = keras.Model(inner, layers.Dense(3)(inner) * times)
    return keras.Model(start, body(start) + 1.0)


def depth(skips: bool) -> Any:
    """Three layers, and a way around the middle one or not."""
    start = keras.Input((4,))
    x = layers.Dense(4)(start)
    y = layers.Dense(4)(x)
    return keras.Model(start, layers.Dense(3)(layers.Add()([x if skips else y, y])))


def joined(first: str, second: str) -> Any:
    """Two inputs, joined in an order."""
    inputs = {name: keras.Input((4,), name=name) for name in ("a", "b")}
    x = layers.Concatenate()([inputs[first], inputs[second]])
    return keras.Model(inputs, layers.Dense(3)(x))


def shared(again: bool) -> Any:
    """A layer that is used twice, or two of one kind."""
    one, two = layers.Dense(4, kernel_initializer="ones"), layers.Dense(4, "relu")
    start = keras.Input((4,))
    x = one(start)
    return keras.Model(start, two((one if again else two)(x)))


def scaled(by: float) -> Callable[[Any], Any]:
    """A function that encloses a number."""
    return lambda x: x * by


def gelu(x: Any) -> Any:
    """A name that Keras has, too."""
    return x * SCALE


def plus(x: Any, a: float) -> Any:
    """Takes an argument more."""
    return x + a


SCALE = 2.0


class Own(layers.Layer):  # type: ignore[misc]
    """A layer of the user's own whose setting is no argument."""

    def __init__(self, **fields: Any) -> None:
        super().__init__()
        self.by = fields["by"]

    def call(self, x: Any) -> Any:
        return x * self.by


class Net(keras.Model):  # type: ignore[misc]
    """A model of the user's own with a setting."""

    def __init__(self, by: Any, freeze: bool = False) -> None:
        super().__init__()
        self.by, self.body = by, layers.Dense(3)
        self.other = layers.Dense(3)
        self.other.trainable = not freeze

    def call(self, x: Any) -> Any:
        return self.other(x) + (self.by(self.body(x)) if callable(self.by) else self.body(x))


DIFFERENT: dict[str, tuple[Callable[[], Any], Callable[[], Any], str]] = {
    "a factor": (wired(lambda a, b: a * 2.0), wired(lambda a, b: a * 3.0), "of part 3, 2.0"),
    "a difference": (wired(lambda a, b: a - b), wired(lambda a, b: b - a), "activation=relu"),
    "a way around": (partial(depth, True), partial(depth, False), "of [part 3, part 4]"),
    "the same twice": (partial(shared, True), partial(shared, False), "part 3 again"),
    "within": (partial(nested, 2.0), partial(nested, 3.0), "of part 5, 2.0"),
    "a slice": (wired(lambda a, b: a[:, :3]), wired(lambda a, b: a[:, 1:]), "slice(None, 3"),
    "training": (
        wired(lambda a, b: layers.Dropout(0.5)(a)),
        wired(lambda a, b: layers.Dropout(0.5)(a, training=True)),
        "Dropout(rate=0.5)",
    ),
    "a lambda": (
        with_layer(lambda: layers.Lambda(lambda x: x * 2)),
        with_layer(lambda: layers.Lambda(lambda x: x * 3)),
        "lambda x: x * 2",
    ),
    "what a lambda encloses": (
        with_layer(lambda: layers.Lambda(scaled(2))),
        with_layer(lambda: layers.Lambda(scaled(3))),
        "by = 2",
    ),
    "arguments": (
        with_layer(lambda: layers.Lambda(plus, arguments={"a": 1})),
        with_layer(lambda: layers.Lambda(plus, arguments={"a": 2})),
        "a: 1",
    ),
    "a regularizer": (
        lambda: dense(kernel_regularizer=regularizers.L2(0.1)),
        lambda: dense(kernel_regularizer=regularizers.L2(0.2)),
        "kernel_regularizer=L2(l2=0.1",
    ),
    "of activity": (
        lambda: dense(activity_regularizer=regularizers.L2(0.1)),
        lambda: dense(activity_regularizer=regularizers.L2(0.2)),
        "activity_regularizer=L2(l2=0.1",
    ),
    "an initializer": (
        lambda: dense(kernel_initializer=keras.initializers.RandomNormal(stddev=0.1)),
        lambda: dense(kernel_initializer=keras.initializers.RandomNormal(stddev=0.2)),
        "kernel_initializer=RandomNormal(mean=0.0, stddev=0.1",
    ),
    "a constraint": (
        lambda: dense(kernel_constraint=keras.constraints.MaxNorm(1)),
        lambda: dense(kernel_constraint=keras.constraints.MaxNorm(2)),
        "kernel_constraint=MaxNorm(max_value=1",
    ),
    "a function of one's own": (
        lambda: dense(activation=gelu),
        lambda: dense(activation="gelu"),
        "activation=gelu@",
    ),
    "an activation in a call": (
        lambda: dense(activation=lambda x: keras.ops.relu(x)),
        lambda: dense(activation=lambda x: keras.ops.elu(x)),
        "keras.ops.relu",
    ),
    "what it is given first": (
        lambda: dense(activation=partial(keras.activations.relu, negative_slope=0.1)),
        lambda: dense(activation=partial(keras.activations.relu, negative_slope=0.2)),
        "negative_slope: 0.1",
    ),
    "a field": (
        with_layer(lambda: Own(by=np.float32(2))),
        with_layer(lambda: Own(by=np.float32(3))),
        "by=2",
    ),
    "an array": (
        with_layer(lambda: Own(by=np.ones(4, np.float32))),
        with_layer(lambda: Own(by=np.zeros(4, np.float32))),
        "by=float32(4,)@",
    ),
    "a model's own": (lambda: Net(by=2), lambda: Net(by=3), "Net(by=2)"),
    "a model's function": (
        lambda: Net(by=lambda x: x * 2),
        lambda: Net(by=lambda x: x * 3),
        "by=lambda x: x * 2",
    ),
    "a layer that does not train": (lambda: Net(1, True), lambda: Net(1), "trainable=False"),
    "a seed that was given": (
        with_layer(lambda: layers.Dropout(0.5, seed=1)),
        with_layer(lambda: layers.Dropout(0.5, seed=2)),
        "seed=1",
    ),
    "the precision": (
        with_layer(lambda: layers.Dense(3, dtype="mixed_bfloat16")),
        with_layer(lambda: layers.Dense(3)),
        "dtype=mixed_bfloat16",
    ),
}


SAME: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "names": (lambda: dense(name="one"), lambda: dense(name="two")),
    "names of a graph": (
        partial(functional, lambda a, b: a + b, lambda: keras.Input((4,), name="x")),
        partial(functional, lambda a, b: a + b, lambda: keras.Input((4,), name="y")),
    ),
    "layout": (
        with_layer(lambda: layers.Lambda(lambda x: x * 2)),
        with_layer(
            lambda: layers.Lambda(
                # A comment.
                lambda x: (
                    x  # another
                    * 2
                )
            )
        ),
    ),
    "the default by name": (
        lambda: dense(),
        lambda: dense(kernel_initializer=keras.initializers.GlorotUniform()),
    ),
    "the activation by name": (
        lambda: dense(activation="relu"),
        lambda: dense(activation=keras.activations.relu),
    ),
    "a seed that is drawn": (
        with_layer(lambda: layers.Dropout(0.5)),
        with_layer(lambda: layers.Dropout(0.5, seed=None)),
    ),
}
