"""The finder leaves the model, its optimizer, its data and every random state as they were."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, optimizers

import study
from study.engines.tensorflow import xp as tf
from support.engines.own_models import (
    OPTIMIZERS,
    SCHEDULE,
    SHORT,
    Breaks,
    X,
    Y,
    batches,
    compiled,
    plain,
    same,
    state,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_everything_is_put_back_bit_for_bit(name: str) -> None:
    """For a model in the middle of its training: weights, statistics, slots, iterations, seeds,
    metrics, rate.
    """
    model = plain(OPTIMIZERS[name](0.01), run_eagerly=True)
    model.fit(X, Y, batch_size=64, epochs=1, verbose=0)
    before, function, variables = state(model), model.train_function, len(model.optimizer.variables)
    outside = random.getstate(), np.random.get_state()[1].copy()  # type: ignore[index] # noqa: NPY002
    found = study.find_rate(model, X, Y, **SHORT)
    assert len(found.losses) == 8
    assert np.ptp(found.losses) > 0
    assert same(before, state(model))
    assert model.train_function is function
    assert len(model.optimizer.variables) == variables
    assert random.getstate() == outside[0]
    assert np.array_equal(np.random.get_state()[1], outside[1])  # type: ignore[index] # noqa: NPY002
    assert float(model.optimizer.learning_rate.numpy()) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("name", "rate"),
    [("momentum", SCHEDULE), ("adam", lambda: 0.01), ("scaled", SCHEDULE)],
    ids=["schedule", "function", "wrapped"],
)
def test_a_schedule_stands_aside_and_comes_back(name: str, rate: Any) -> None:
    """The ramp's losses are those of the same optimizer with a plain rate."""
    eager = {"run_eagerly": True}
    model, other = plain(OPTIMIZERS[name](rate), **eager), plain(OPTIMIZERS[name](0.5), **eager)
    before = [v.numpy().copy() for v in model.variables]
    found = study.find_rate(model, X, Y, **SHORT)
    assert found.losses.tolist() == study.find_rate(other, X, Y, **SHORT).losses.tolist()
    assert same(before, [v.numpy().copy() for v in model.variables])
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    assert inner._learning_rate is rate
    fresh = plain(OPTIMIZERS[name](rate), **eager)
    fresh.optimizer.build(fresh.trainable_variables)
    assert len(model.optimizer.variables) == len(fresh.optimizer.variables)
    assert same(
        [v.numpy() for v in model.optimizer.variables],
        [v.numpy() for v in fresh.optimizer.variables],
    )


@pytest.mark.parametrize(
    ("name", "source"), [("momentum", "arrays"), ("adam", "dataset"), ("schedule", "dataset")]
)
def test_training_goes_on_as_if_nothing_had_been(name: str, source: str) -> None:
    """Two fits, one with the finder before each epoch: the same weights, whatever shuffles the
    data.
    """
    ends = []
    for finds in (False, True):
        model = plain(
            OPTIMIZERS["adam"](SCHEDULE) if name == "schedule" else OPTIMIZERS[name](0.01)
        )
        data: tuple[Any, ...] = (X, Y) if source == "arrays" else (batches(),)
        for _ in range(2):
            if finds:
                study.find_rate(model, *data, **SHORT)
            model.fit(*data, epochs=1, verbose=0, shuffle=source == "arrays")
        ends.append(state(model))
    assert same(*ends)


def test_random_numbers_go_on_as_if_nothing_had_been() -> None:
    """TensorFlow's, Keras's global ones, Python's and NumPy's."""

    def draw(finds: bool) -> list[float]:
        model, data = plain(), batches()  # a data set draws seeds when it is made
        keras.utils.set_random_seed(1)
        if finds:
            study.find_rate(model, data, **SHORT)
        drawn = [
            tf.random.uniform(()),
            keras.random.uniform(()),
            random.random(),
            np.random.random(),  # noqa: NPY002
        ]
        return [float(value) for value in drawn]

    assert draw(True) == draw(False)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("rate", [0.01, SCHEDULE], ids=["rate", "schedule"])
def test_an_error_in_mid_sweep_undoes_the_sweep(error: type[BaseException], rate: Any) -> None:
    """Ctrl-C too; and the error goes on."""
    model = Breaks()
    model.compile(
        optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,
    )
    model.fit(X, Y, epochs=1, verbose=0)
    model.steps, model.error = 0, error
    before = state(model)
    with pytest.raises(error, match="the fifth step"):
        study.find_rate(model, X, Y, **SHORT)
    assert same(before, state(model))
    assert model.optimizer._learning_rate is rate or rate == 0.01
    assert "train_step" not in vars(model)


def test_an_unbuilt_model_trains_afterwards_as_it_would_have() -> None:
    """It is built as `fit` would build it."""
    ends = []
    for finds in (False, True):
        keras.utils.set_random_seed(3)
        model = compiled(
            keras.Sequential(
                [layers.Dense(8), layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(3)]
            ),
            "adam",
        )
        if finds:
            assert len(study.find_rate(model, batches(), **SHORT).losses) == 8
        model.fit(batches(), epochs=1, verbose=0, shuffle=False)
        ends.append(state(model))
    assert same(*ends)


def test_wrong_targets_leave_no_trace_in_the_metrics() -> None:
    """Keras settles the kind of accuracy by the first targets, and after an error anew."""

    def fresh() -> Any:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([layers.Input((6,)), layers.Dense(3)])
        model.compile(
            "adam",
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            run_eagerly=True,
        )
        return model

    misled, other = fresh(), fresh()
    with pytest.raises(ValueError, match="rank"):
        study.find_rate(misled, X, np.zeros((len(X), 3)), steps=30)
    histories = [model.fit(X, Y, shuffle=False, verbose=0).history for model in (misled, other)]
    assert histories[0] == histories[1]
