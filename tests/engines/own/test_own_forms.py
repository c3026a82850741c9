"""Models, data and optimizers of every form train: their loss falls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from study.engines.own.code import Code
from study.engines.own.optimizers import _classes, default_rate, named
from support.engines.user_models import engine_of, keras_model, rows

pytestmark = pytest.mark.slow

X, Y = rows(300)
SUMS = X.sum(axis=1, keepdims=True)


def two_inputs() -> Any:
    """A functional model of named inputs, for regression."""
    import keras

    inputs = {name: keras.Input((6,), name=name) for name in "ab"}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    model = keras.Model(inputs, keras.layers.Dense(1)(joined))
    model.compile(loss="mse", metrics=["mae"])
    return model


def subclassed(own_step: bool = False) -> Any:
    """A model that is built at its first call, perhaps with a train_step of its own."""
    import keras
    import tensorflow as tf

    class Model(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.hidden = keras.layers.Dense(8, activation="relu")
            self.normal, self.out = keras.layers.BatchNormalization(), keras.layers.Dense(3)

        def call(self, x: Any, training: bool = False) -> Any:
            return self.out(self.normal(self.hidden(x), training=training))

    class WithStep(Model):
        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"loss": loss, "twice": 2 * loss}

    model = WithStep() if own_step else Model()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, metrics=[] if own_step else ["accuracy"])
    return model


def embedding() -> Any:
    """Words as numbers."""
    import keras
    from keras import layers

    body = [layers.Embedding(50, 8), layers.GlobalAveragePooling1D()]
    model = keras.Sequential([*body, layers.Dense(3, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def joined() -> Any:
    """A module of two arguments."""
    import torch

    class Joined(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.line = torch.nn.Linear(12, 1)

        def forward(self, a: Any, b: Any) -> Any:
            return self.line(torch.cat([a, b], 1))

    return Joined()


def linear() -> Any:
    import torch

    return torch.nn.Linear(6, 3)


def flow() -> Any:
    import tensorflow as tf

    slices = tf.data.Dataset.from_tensor_slices((X, Y))
    return slices.shuffle(300).batch(32), slices.batch(50)


def loader() -> Any:
    import torch

    tensors = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(tensors, batch_size=32, shuffle=True)


def words() -> Any:
    return np.random.default_rng(0).integers(0, 50, (300, 7)), Y


BOTH = {"a": X, "b": X}
LOSS = {"metric": "loss", "target": 0.1}
FORMS: dict[str, tuple[Callable[[], Any], Callable[[], Any], str, dict[str, Any]]] = {
    "inputs by name, a metric held out": (
        two_inputs,
        lambda: ((BOTH, SUMS), (BOTH, SUMS)),
        "",
        {"metric": "val_mae", "target": 0.1},
    ),
    "weights": (two_inputs, lambda: (BOTH, SUMS, np.ones(300)), "", LOSS),
    "subclassed": (subclassed, lambda: (X, Y), "", {}),
    "its own step": (
        lambda: subclassed(own_step=True),
        lambda: (X, Y),
        "",
        {"metric": "twice", "goal": "at-most", "target": 0.1},
    ),
    "a tf.data.Dataset": (subclassed, flow, "", {"metric": "val_accuracy"}),
    "an embedding": (embedding, words, "", {}),
    "a module of two arguments": (joined, lambda: ((X, X), SUMS), "mse_loss", LOSS),
    "a module of named arguments": (joined, lambda: (BOTH, SUMS), "mse_loss", LOSS),
    "a DataLoader": (linear, loader, "cross_entropy", {}),
}


@pytest.mark.parametrize("form", FORMS)
def test_models_and_data_of_every_form_train(form: str) -> None:
    """Through the same seam."""
    build, load, loss, fields = FORMS[form]
    spec, engine = engine_of(Code(build, load, loss), optimizers=("adam",), **fields)
    learner = engine.learner(spec.trials())
    losses, values = learner.advance(np.full((60, 1), 0.01))
    assert losses[-10:].mean() < 0.96 * losses[:10].mean()
    assert np.isfinite(values).all()
    if spec.metric.startswith("val_"):
        assert np.isfinite(learner.evaluate()).all()


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_every_optimizer_of_a_framework_is_there_by_name(framework: str) -> None:
    """With its class's own defaults, and a rate of its own."""
    names = sorted(_classes(framework))
    assert {"sgd", "adam", "adamw", "rmsprop", "adagrad"} < set(names)
    for name in names:
        one = named(framework, name)
        assert one.label == name
        assert (default_rate(one) or 0) > 0


def test_every_optimizer_of_keras_trains() -> None:
    """One model, one program an optimizer."""
    names = tuple(sorted(_classes("keras")))
    fields = {"optimizers": names, "rates": (0.003,)}
    spec, engine = engine_of(Code(keras_model, lambda: (X, Y)), **fields)
    losses, _ = engine.learner(spec.trials()).advance(np.full((3, len(names)), 0.003))
    assert np.isfinite(losses).all()
    assert len({tuple(column) for column in losses.T.round(7)}) > len(names) / 2
