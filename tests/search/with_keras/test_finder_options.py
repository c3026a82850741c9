"""Options of the finder: whose loss, which metric, and a bar."""

from __future__ import annotations

import sys
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, optimizers

import study
from study.engines.tensorflow import xp as tf
from study.errors import StudyError
from support.engines.own_models import SHORT, X, Y, batches, compiled, plain, same, state

pytestmark = pytest.mark.slow

HELD = X[:64] + 1, Y[:64]


def one_layer(optimizer: Any = None) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((6,)), layers.Dense(3)])
    return compiled(model, optimizer or optimizers.SGD(0.1))


@pytest.mark.parametrize("kind", ["arrays", "weights", "data set", "sequence"])
def test_rates_by_validation_loss(kind: str) -> None:
    """The losses are those on all of the data, each before its step; the sweep trains as ever."""
    given = {
        "arrays": HELD,
        "weights": (*HELD, np.full(64, 2.0)),
        "data set": tf.data.Dataset.from_tensor_slices(HELD).shuffle(64, seed=1).batch(10),
        "sequence": Held(),
    }[kind]
    found = study.find_rate(one_layer(), X, Y, validation_data=given, **SHORT)
    other, losses, rights = one_layer(), [], []
    draw = np.random.default_rng(0)
    order = draw.permutation(256)
    for step, rate in enumerate(found.rates):
        loss, right = other.evaluate(*HELD, verbose=0)
        losses.append(loss * (2 if kind == "weights" else 1))
        rights.append(right)
        other.optimizer.learning_rate = float(rate)
        chosen = order[32 * step : 32 * (step + 1)]
        other.train_on_batch(X[chosen], Y[chosen])
    assert found.losses == pytest.approx(np.array(losses), rel=1e-5)
    assert found.accuracy == pytest.approx(np.array(rights), rel=1e-5)


class Held(keras.utils.PyDataset):  # type: ignore[misc]
    """The validation data in two batches."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return HELD[0][32 * index :][:32], HELD[1][32 * index :][:32]


def test_validation_leaves_no_trace() -> None:
    """Neither in the model, nor in the order of a data set that shuffles."""
    model = plain(optimizers.Adam(0.01))
    model.fit(X, Y, epochs=1, verbose=0)
    before, held, other = state(model), batches(seed=4), batches(seed=4)
    study.find_rate(model, X, Y, validation_data=held, **SHORT)
    assert same(before, state(model))
    for one, two in zip(held, other, strict=True):
        assert np.array_equal(one[1], two[1])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (batches().repeat(), r"has no end: take a part of it, as with \.take"),
        (iter([HELD]), "validation_data is a list_iterator, which can be read only once"),
        (3, r"validation_data is a int: give arrays as \(x, y\)"),
    ],
)
def test_other_validation_data_is_refused(given: Any, words: str) -> None:
    """In one sentence."""
    with pytest.raises(StudyError, match=words):
        study.find_rate(one_layer(), X, Y, validation_data=given, **SHORT)


def two_outputs() -> Any:
    keras.utils.set_random_seed(0)
    inputs = layers.Input((6,))
    outputs = {name: layers.Dense(3, name=name)(inputs) for name in ("first", "second")}
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    names = {
        "first": ["accuracy"],
        "second": ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2, "top")],
    }
    model.compile(optimizers.Adam(), {"first": loss, "second": loss}, metrics=names)
    return model


def test_the_metric_is_named_and_chosen() -> None:
    """Of two outputs, one of which has labels drawn by lot."""
    lot = np.random.default_rng(0).integers(0, 3, 256)
    data = X, {"first": lot, "second": Y}
    found = study.find_rate(two_outputs(), *data)
    assert found.metric == "first_accuracy"
    assert "the first_accuracy" in found.why("rise")
    for metric in ("second_accuracy", "second_top"):
        found = study.find_rate(two_outputs(), *data, metric=metric)
        assert found.metric == metric
        assert found.suggest("rise") is not None
        assert f"the {metric} is above" in found.why("rise")
    with pytest.raises(StudyError, match=r"unknown metric 'second_acc' .*second_accuracy"):
        study.find_rate(two_outputs(), *data, metric="second_acc")
    assert "the accuracy" in study.find_rate(one_layer(), X, lot).why("fall")
    bare = keras.Sequential([layers.Dense(1)])
    bare.compile("sgd", "mse")
    with pytest.raises(StudyError, match="there is no metric 'mae': compile the model with one"):
        study.find_rate(bare, X, Y[:, None], metric="mae")


@pytest.mark.parametrize(
    ("terminal", "notebook", "asked", "shown"),
    [
        (False, False, None, False),
        (True, False, None, True),
        (False, True, None, True),
        (False, False, True, True),
        (True, True, False, False),
    ],
)
def test_a_bar_in_terminals_and_notebooks(
    terminal: bool,
    notebook: bool,
    asked: bool | None,
    shown: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Elsewhere only where it is asked for."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    if notebook:
        monkeypatch.setitem(sys.modules, "ipykernel", sys)
    study.find_rate(one_layer(), X, Y, progress=asked, **SHORT)
    assert ("find_rate" in capsys.readouterr().err) == shown
