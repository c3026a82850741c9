"""State that hangs at a model in other ways than as its weights is put back, too."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, optimizers

import study
from study.engines.tensorflow import xp as tf
from study.search.keras.reach import is_variable, reachable
from support.engines.own_models import SHORT, Breaks, X, Y, compiled

pytestmark = pytest.mark.slow

SERIES = np.random.default_rng(1).normal(size=(64, 4, 6)).astype(np.float32)
IMAGES = np.random.default_rng(2).normal(size=(64, 3, 6, 6, 1)).astype(np.float32)

RECURRENT: dict[str, tuple[Any, Callable[[], Any]]] = {
    "lstm": (SERIES, lambda: layers.LSTM(3, stateful=True)),
    "simple": (SERIES, lambda: layers.SimpleRNN(3, stateful=True, recurrent_dropout=0.2)),
    "both ways": (SERIES, lambda: layers.Bidirectional(layers.GRU(2, stateful=True))),
    "cells": (
        SERIES,
        lambda: layers.RNN([layers.GRUCell(2), layers.LSTMCell(3)], stateful=True),
    ),
    "images": (IMAGES, lambda: layers.ConvLSTM2D(2, 3, stateful=True)),
}


def recurrent(data: Any, layer: Any) -> Any:
    keras.utils.set_random_seed(0)
    inputs = layers.Input(batch_shape=(32, *data.shape[1:]))
    model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(layer()(inputs))))
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    ("kind", "trained"),
    [(kind, kind in ("lstm", "both ways")) for kind in RECURRENT],
)
def test_the_states_of_recurrent_layers(kind: str, trained: bool) -> None:
    """The next outputs are the same numbers, with the finder and without."""
    data, layer = RECURRENT[kind]
    targets, said = data.reshape(64, -1).sum(axis=1), []
    for finds in (False, True):
        model = recurrent(data, layer)
        if trained:
            model.fit(data, targets, batch_size=32, shuffle=False, verbose=0)
        if finds:
            found = study.find_rate(model, data, targets, **SHORT)
            assert np.ptp(found.losses) > 0
        said.append(model(data[:32]).numpy())
    assert np.array_equal(*said)


OUTSIDE = keras.metrics.Mean()


class Counts(Breaks):
    """Counts its steps in variables that Keras does not know of."""

    def __init__(self) -> None:
        super().__init__()
        held = keras.Variable(0.0, trainable=False), tf.Variable(0.0)
        self.nested = SimpleNamespace(deep=[{"one": held[0]}, (held[1],)])
        self.counted = lambda: [*held, *OUTSIDE.variables]

    def train_step(self, data: Any) -> Any:
        for variable in self.nested.deep[0]["one"], self.nested.deep[1][0]:
            variable.assign_add(1.0)
        OUTSIDE.update_state(1.0)
        return super().train_step(data)


@pytest.mark.parametrize("eager", [False, True], ids=["graph", "eager"])
def test_variables_in_objects_containers_and_functions(eager: bool) -> None:
    """Three that no list of the model names."""
    model = compiled(Counts(), run_eagerly=eager)
    model(X[:2])
    OUTSIDE.update_state(3.0)
    before = [np.array(variable.numpy()) for variable in model.counted()]
    study.find_rate(model, X, Y, **SHORT)
    assert [np.array(variable.numpy()) for variable in model.counted()] == before
    assert not any(variable is one for one in model.variables for variable in model.counted())


class Taught(keras.Model):  # type: ignore[misc]
    """Follows a teacher, which is trained as well, by an optimizer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.student, self.teacher = layers.Dense(3), keras.Sequential([layers.Dense(3)])
        self.teacher.compile(optimizers.Adam(0.01), "mse")

    def call(self, inputs: Any) -> Any:
        return self.student(inputs)

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape(persistent=True) as tape:
            taught = self.teacher(x)
            second = tf.reduce_mean((taught - tf.one_hot(y, 3)) ** 2)
            loss = tf.reduce_mean((self(x) - tf.stop_gradient(taught)) ** 2)
        for one, value, optimizer in (
            (self.teacher, second, self.teacher.optimizer),
            (self.student, loss, self.optimizer),
        ):
            optimizer.apply(tape.gradient(value, one.trainable_weights), one.trainable_weights)
        return {"loss": loss}


def test_a_model_in_a_model_with_its_own_optimizer() -> None:
    """Its slots, which were made before or are made in the sweep, are as they would have been."""
    for steps_before in (0, 1):
        ends = []
        for finds in (False, True):
            keras.utils.set_random_seed(0)
            model = Taught()
            model.teacher(X[:2])
            model(X[:2])
            model.compile("adam")
            if steps_before:
                model.fit(X, Y, shuffle=False, verbose=0)
            if finds:
                study.find_rate(model, X, Y, group="optimizer", **SHORT)
            model.fit(X, Y, shuffle=False, verbose=0)
            owners = (model, model.optimizer, model.teacher.optimizer)
            ends.append([v.numpy() for owner in owners for v in owner.variables])
        assert all(np.array_equal(*pair) for pair in zip(*ends, strict=True))


def test_the_way_to_a_thing_is_its_shortest_name() -> None:
    """Rings end; what leads nowhere is no error."""
    ring: list[Any] = [1, "two", None, np.zeros(2)]
    ring.append({"again": ring, "variable": tf.Variable(1.0)})
    holder = SimpleNamespace(far=SimpleNamespace(ring=ring), near=ring, ours=len)
    ways = [way for way, thing in reachable(holder) if is_variable(thing)]
    assert ways == ["near[4]['variable']"]
