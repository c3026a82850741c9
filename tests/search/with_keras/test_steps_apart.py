"""What a batch may hold, what a sweep may be asked, and whom it blames: without a long training."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import study
from study.errors import StudyError
from study.search.finder import ramp
from study.search.keras import step
from study.search.keras.operations import operations
from study.search.keras.restore import needs_targets, own_step
from study.search.own.course import LONGEST, SHORTEST, metric_of
from support.engines.own_models import SHORT, Breaks, X, Y, compiled

pytestmark = pytest.mark.slow


def small(**options: Any) -> Any:
    """A compiled layer."""
    keras.utils.set_random_seed(1)
    return compiled(keras.Sequential([layers.Input((6,)), layers.Dense(3)]), **options)


def own() -> Any:
    """A compiled model with a step of its own."""
    model = Breaks()
    model.compile("sgd", "mse")
    return model


ONE = np.zeros((2, 6), np.float32)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ((ONE, Y[:2]), None),
        ([ONE, Y[:2]], None),
        ((ONE, Y[:2], np.ones(2)), None),
        ((ONE, Y[:2], np.float32(1.0)), None),
        ((ONE, Y[:2], None, None), "a batch has 4 parts, and Keras's train_step takes inputs"),
        ((ONE,), "there are no targets: give y"),
        (ONE, "there are no targets: give y"),
        ((ONE, None), "there are no targets: give y"),
        ((ONE[0, 0], Y[:2]), "no batch but a single sample, a float32 of shape () and a ndarray"),
        ((ONE[0], Y[0]), "no batch but a single sample, a ndarray of shape (6,) and a int64"),
    ],
)
def test_a_batch_is_checked_for_the_step_of_keras(batch: Any, words: str | None) -> None:
    """A step of the model's own takes what it likes, and a loss may need no targets."""
    step.check(own(), batch)
    if words is None:
        step.check(small(), batch)
    else:
        with pytest.raises(StudyError) as told:
            step.check(small(), batch)
        assert words in str(told.value)
    free = keras.Sequential([layers.Input((6,)), layers.Dense(3)])
    free.compile("sgd")
    assert [needs_targets(one) for one in (small(), own(), free)] == [True, False, False]
    assert [own_step(one) for one in (small(), own(), free)] == [False, True, False]
    if words == "there are no targets: give y":
        step.check(free, batch)


@pytest.mark.parametrize(
    ("batch", "fine"),
    [
        ((ONE, Y[:2]), True),
        ((ONE, Y[:3]), False),
        ((ONE, Y[0]), False),
        ({"a": ONE, "b": [Y[:2], None]}, True),
        ((Y[0], Y[1]), True),
        ((1, 2), False),
    ],
)
def test_parts_of_other_lengths_hinder_a_step(batch: Any, fine: bool) -> None:
    """They are described."""
    found = step.hindered(batch)
    assert (found is None) == fine
    if found is not None:
        assert "whose parts differ in length, " in str(found)


def test_a_step_harms_by_its_loss_or_by_a_weight() -> None:
    """The weights that are trained are named; others may be what they are."""
    model = small()
    kernel, bias = model.layers[0].kernel, model.layers[0].bias
    assert not step.harmed(model, 1.0)
    assert all(step.harmed(model, loss) for loss in (np.nan, np.inf))
    bias.assign([0.0, np.inf, 0.0])
    assert step.harmed(model, 1.0)
    assert step.not_finite(model) == [bias.path]
    kernel.assign(np.full((6, 3), np.nan))
    assert step.not_finite(model) == [kernel.path, bias.path]
    model.trainable = False
    assert step.not_finite(model) == []


def test_a_batch_goes_to_the_step_as_it_is() -> None:
    """The step that was put on the model by hand comes back, and none where there was none."""
    seen = []

    class Seeing(keras.Model):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            seen.append(data)
            return {"loss": keras.ops.convert_to_tensor(0.5)}

    model = Seeing()
    model.compile("sgd", run_eagerly=True)
    batch = {"a": ONE, "b": (Y[:3], 7)}
    with step.whole_batches(model) as train:
        assert float(train(batch)["loss"]) == 0.5
    assert "train_step" not in vars(model)
    assert set(seen[0]) == {"a", "b"}
    by_hand = model.train_step
    setattr(model, "train_step", by_hand)  # noqa: B010
    with pytest.raises(KeyError), step.whole_batches(model):
        raise KeyError
    assert vars(model)["train_step"] is by_hand


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 0}, "batch_size 0"),
        ({"batch_size": 10**9 + 1}, "batch_size 1000000001"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 2**63 + 1}, "seed 9223372036854775809"),
        ({"stop": 1}, "stop 1"),
        ({"steps": 0}, "steps 0"),
        ({"metric": "lucky"}, "unknown metric 'lucky'"),
        ({"y": None}, "there are no targets"),
    ],
)
def test_what_a_sweep_cannot_be_asked(change: dict[str, Any], words: str) -> None:
    """In one sentence."""
    with pytest.raises(StudyError, match=words):
        study.find_rate(small(), **{"x": X, "y": Y, **SHORT, **change})


def test_what_a_sweep_can_be_asked_at_most() -> None:
    """All of the data in one batch, the highest seed; as many steps as an epoch, within bounds."""
    assert (SHORTEST, LONGEST) == (200, 500)
    found = study.find_rate(small(), X, Y, batch_size=10**9, seed=2**63, **SHORT)
    assert (found.steps, len(found.losses), found.metric) == (8, 8, "accuracy")
    order = np.random.default_rng(2**63).permutation(len(X))
    right = small().test_on_batch(X[order], Y[order], return_dict=True)
    assert found.losses[0] == pytest.approx(float(right["loss"]), rel=1e-5)
    assert found.accuracy[0] == pytest.approx(float(right["accuracy"]))


def test_a_sweep_that_is_asked_nothing_has_its_defaults() -> None:
    """Two hundred steps from 1e-6 up to 10, batches of 32 in the order of seed 0, a stop at 4."""
    found, named = (
        study.find_rate(small(), 30 * X, Y, **options)
        for options in ({}, {"batch_size": 32, "seed": 0, "steps": 200, "stop": 4.0})
    )
    count = len(found.losses)
    assert found.rates.tolist() == ramp(1e-6, 10.0, 200)[:count].tolist()
    assert (found.steps, found.scale, found.stopped) == (200, "log", "threshold")
    multiple = found.smoothed / np.minimum.accumulate(found.smoothed)
    assert 5 > multiple[-1] > 4 >= multiple[:-1].max()
    assert found.losses.tolist() == named.losses.tolist()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (None, "the model is a NoneType: give a Keras model"),
        (keras.Sequential(), "the model is not compiled with an optimizer and a loss"),
    ],
)
def test_what_is_no_compiled_model_is_refused(model: Any, words: str) -> None:
    """Before its data are looked at."""
    with pytest.raises(StudyError, match=words):
        study.find_rate(model, None)


LOGS = {"loss": 1.0, "top": 2.0, "acc": 3.0, "top_accuracy": 4.0}


@pytest.mark.parametrize(
    ("logs", "asked", "name"),
    [
        (LOGS, None, "acc"),
        (LOGS, "top", "top"),
        ({"loss": 1.0, "accurate": 2.0, "my_accuracy": 3.0}, None, "my_accuracy"),
        ({"loss": 1.0, "top": 2.0}, None, "accuracy"),
    ],
)
def test_the_metric_is_the_first_that_is_an_accuracy(
    logs: dict[str, Any], asked: str | None, name: str
) -> None:
    """Or the one that is asked for; the loss is none."""
    assert metric_of(logs, asked, "add one") == name
    for words, other in (("unknown metric 'loss'", logs), ("there is no metric", {"loss": 1.0})):
        with pytest.raises(StudyError, match=words):
            metric_of(other, "loss", "add one")


class Deaf(Breaks):
    """Ctrl-C comes in its second step, and is lost there."""

    def train_step(self, data: Any) -> Any:
        if self.steps == 1:
            with suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        return super().train_step(data)


def test_a_stop_that_the_model_loses_ends_the_sweep() -> None:
    """After the step in which it came."""
    model = Deaf()
    model.compile(keras.optimizers.SGD(), "mse", run_eagerly=True)
    with pytest.raises(KeyboardInterrupt):
        study.find_rate(model, X, np.eye(3)[Y], **SHORT)
    assert model.steps == 2


def test_the_functions_of_a_backend_are_made_once() -> None:
    """A schedule asks for them in every step; its steps are whole numbers of 64 bits."""
    assert operations(keras) is operations(keras)
    assert operations(keras).last_step == 2**63 - 1
