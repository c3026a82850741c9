"""Data and weights that spoil a sweep are named in its place."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, optimizers

import study
from support.engines.own_models import SHORT, Breaks, X, Y

pytestmark = pytest.mark.slow

HOLES = X.copy()
HOLES[3, 2] = np.nan
WORST = np.where(np.arange(256) == 77, np.inf, X[:, 0])


def network(optimizer: Any = "adam", loss: Any = None) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [layers.Input((6,)), layers.Dense(16, activation="relu"), layers.Dense(3)]
    )
    model.compile(optimizer, loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.mark.parametrize(
    ("x", "y", "loss", "batch"),
    [
        (HOLES, Y, None, "batch "),
        (np.tile(HOLES[3], (256, 1)), Y, None, "batch 1 "),
        (X, WORST[:, None], "mse", "batch "),
        (np.where(np.isnan(HOLES), -np.inf, X).astype(np.float64), Y, None, "batch "),
    ],
    ids=["one value", "all", "target", "infinite"],
)
def test_values_in_the_data_that_are_not_finite(x: Any, y: Any, loss: Any, batch: str) -> None:
    """No rule answers, whether the loss shows it or a layer hides it."""
    found = study.find_rate(network(loss=loss), x, y)
    for rule in ("tenth", "steepest", "fall"):
        assert found.why(rule).startswith(batch)
        assert "holds a value that is not finite" in found.why(rule)
    assert found.suggest() is None


class Masked(Breaks):
    """Takes zeros for what is missing."""

    def call(self, inputs: Any) -> Any:
        return self.dense(keras.ops.where(keras.ops.isfinite(inputs), inputs, 0.0))


def test_a_model_that_copes_with_missing_values_gets_its_rate() -> None:
    """Even where the highest rates spoil its weights later."""
    holes = np.where(np.arange(6) == 2, np.nan, X)
    model = Masked()
    model.compile(optimizers.SGD(), "mse")
    found = study.find_rate(model, holes, np.eye(3)[Y], high=1e12, stop=None)
    assert found.cause is None
    assert found.stopped == "diverged"
    assert found.suggest("valley") is not None


def test_weights_that_are_spoilt_before() -> None:
    """They are named."""
    model = network()
    kernel = model.layers[1].kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    found = study.find_rate(model, X, Y, **SHORT)
    assert "weights are not finite before the first step" in found.why()
    assert kernel.path in found.why()


@pytest.mark.parametrize("again", [False, True], ids=["frozen", "compiled again"])
def test_nothing_to_train(again: bool) -> None:
    """Neither a warning nor a request for more steps."""
    model = network()
    model.trainable = False
    if again:
        model.compile("adam", model.loss)
    found = study.find_rate(model, X, Y, steps=30)
    assert "the model has no weights to train" in found.why()


def test_targets_far_from_one() -> None:
    """Adam hardly moves towards them, and SGD blows up at once."""
    far = 1e8 * (1 + X[:, :1])
    for optimizer in ("adam", "sgd"):
        found = study.find_rate(network(optimizer, "mse"), X, far)
        assert "scale the targets" in found.why()
