"""A sweep that gives no rate names its cause, and another cause gets another advice."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, optimizers

import study
from study.search.curve import smooth
from study.search.finder import Sweep, SweepRecorder, feed, ramp, sweep
from support.engines.own_models import SHORT, Breaks, X, Y
from support.parabola import Parabola

pytestmark = pytest.mark.slow

HOLES = X.copy()
HOLES[3, 2] = np.nan
WORST = np.where(np.arange(256) == 77, np.inf, X[:, 0])


def made(losses: Any, low: float = 1e-6, high: float = 10.0, stopped: str = "end") -> Sweep:
    """A sweep whose losses are given."""
    losses = np.asarray(losses, float)
    rates = ramp(low, high, max(len(losses), 200))[: len(losses)]
    return Sweep(rates, losses, smooth(losses), np.empty(0), "log", stopped, 200)


def rough(level: Any, seed: int = 0) -> Any:
    return level * (1 + 0.05 * np.random.default_rng(seed).normal(size=len(level)))


FLAT, RISE = np.full(120, 2.0), np.linspace(0, 6, 60)

CURVES: dict[str, tuple[Sweep, str]] = {
    "starts too high": (made(rough(2 + RISE), 0.3, 100), "lower the rate it starts at"),
    "starts a little too high": (
        made(rough(np.concatenate([FLAT[:40], 2 + RISE])), 0.3, 10),
        "lower the rate it starts at",
    ),
    "ends too low": (made(rough(np.full(200, 2.0)), 1e-9, 1e-6), "raise the rate it ends at"),
    "trained": (
        made(rough(np.concatenate([FLAT, 2 + RISE])), stopped="threshold"),
        "the model is trained already",
    ),
    "huge targets": (made(rough(np.full(200, 1e16))), "scale the targets"),
    "huge targets blow up": (made([1e16, 1e18, 1e23], stopped="diverged"), "scale the targets"),
    "not finite at first": (made([], stopped="diverged"), "no rate is to blame"),
    "not finite all at once": (made(rough(FLAT), stopped="diverged"), "the data may hold"),
    "not finite all at once, early": (
        made(rough(FLAT[:9]), stopped="diverged"),
        "the data may hold",
    ),
    "blows up early": (
        made(2.0 ** np.arange(15), stopped="diverged"),
        "lower the rate it starts at",
    ),
    "too short": (
        Sweep(ramp(1, 2, 9), np.ones(9), np.ones(9), np.empty(0), "log", "end", 9),
        "a sweep of 9 steps is too short",
    ),
}


@pytest.mark.parametrize("name", CURVES)
def test_each_cause_has_its_own_advice(name: str) -> None:
    """And none of the others'."""
    found, words = CURVES[name]
    assert found.suggest() is None
    others = {text for _, text in CURVES.values()} - {words}
    assert words in found.why()
    assert not [text for text in others if text in found.why() and text not in words]


def test_a_loss_that_falls_to_the_end_of_a_short_sweep_may_only_lag() -> None:
    """More steps are worth a try there, and useless in a long one."""
    for count, more in ((60, True), (200, False)):
        found = made(2 - np.linspace(0, 1, count))
        found = Sweep(**{**vars(found), "steps": count})
        assert "raise the rate it ends at" in found.why()
        assert ("take more steps" in found.why()) == more


def test_a_sweep_of_parabolas_that_starts_too_high_says_so() -> None:
    """From beyond 2 / curvature on every step is a step up."""
    (found,) = sweep(Parabola([1.0]), 3.0, 1e4, 200)
    assert "lower the rate it starts at" in found.why()


def test_noise_with_a_flat_mean_is_told_from_a_rise() -> None:
    """In 100 draws of each kind of noise no rise is seen."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        for losses in (2 + 0.5 * rng.normal(size=150), rng.exponential(size=150)):
            recorder = SweepRecorder(ramp(1e-6, 10, 150), "log", 1e9)
            feed(recorder, losses, np.zeros(150))
            assert "nor did it rise" in recorder.sweep().why(), seed


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
