"""Lanes with options of their optimizers: against plain Keras models, and what is proved."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

from study.engines import jax as framework_jax
from study.engines import tensorflow as framework_tensorflow
from study.engines.lanes import DeviceImages, Lanes
from study.engines.rules import Adadelta, Adagrad, Adam, RMSProp, rule_of
from study.spec.schedules.parse import momenta as cycled
from study.spec.schedules.parse import parse
from study.storage.step_times import array_key, key_of
from support.engines import keras_model
from support.engines.images import images
from support.engines.lanes import dead, learner, put, rates, trials

pytestmark = pytest.mark.slow

TEXT = (
    "keras,adam.beta1=0.8,adam.global_clipnorm=0.5,momentum.nesterov=true,momentum.clipnorm=0.3,"
    "rmsprop.centered=true,rmsprop.momentum=0.6,rmsprop.epsilon=0.001,adagrad.weight_decay=0.1,"
    "adagrad.initial_accumulator=0.5,sgd.clipvalue=0.005,adadelta.rho=0.9"
)
"""An option of each kind, and three slots in one array."""

make = keras.optimizers

PEERS: dict[str, Callable[[float], Any]] = {
    "sgd": lambda rate: make.SGD(rate, clipvalue=0.005),
    "momentum": lambda rate: make.SGD(rate, momentum=0.5, nesterov=True, clipnorm=0.3),
    "adam": lambda rate: make.Adam(rate, beta_1=0.8, global_clipnorm=0.5),
    "adagrad": lambda rate: make.Adagrad(rate, initial_accumulator_value=0.5, weight_decay=0.1),
    "adadelta": lambda rate: make.Adadelta(rate, rho=0.9),
    "rmsprop": lambda rate: make.RMSprop(rate, momentum=0.6, centered=True, epsilon=0.001),
}

FRAMEWORKS = {"tensorflow": framework_tensorflow, "jax": framework_jax}


def lanes(framework: ModuleType, array: Any) -> Lanes:
    """Fresh lanes of a framework."""
    framework.prepare("float32")
    return Lanes(array, DeviceImages.of(images(), framework))


@pytest.mark.parametrize(("network", "engine"), [("compact", "tensorflow"), ("mlp", "jax")])
def test_a_lane_with_options_is_a_plain_keras_model(network: str, engine: str) -> None:
    """Each optimizer with its own, in one array."""
    size: dict[str, Any] = {"widths": (0.1,)} if network == "mlp" else {}
    array = trials(list(PEERS), hyper=TEXT, network=network, **size)
    losses, _ = lanes(FRAMEWORKS[engine], array).advance(rates(array, 20))
    plain, _ = learner(trials(list(PEERS), hyper="keras", network=network, **size)).advance(
        rates(array, 20)
    )
    for lane, trial in enumerate(array):
        made = PEERS[trial.optimizer](trial.learning_rate)
        wanted, _ = keras_model.train(trial, images(), 20, made=made)
        assert losses[:, lane] == pytest.approx(wanted, rel=2e-4)
        assert plain[:, lane] != pytest.approx(wanted, rel=2e-4)


def test_a_lane_alone_is_the_lane_in_an_array() -> None:
    """Though it has the slots of its own rule only."""
    array = trials(list(PEERS), hyper=TEXT, network="mlp", widths=(0.1,))
    together, _ = learner(array).advance(rates(array, 10))
    for lane, trial in enumerate(array):
        alone, _ = learner([trial]).advance(rates([trial], 10))
        assert alone[:, 0] == pytest.approx(together[:, lane], rel=1e-4)


@pytest.mark.parametrize("engine", list(FRAMEWORKS))
def test_lanes_follow_a_cycled_momentum(engine: str) -> None:
    """Where the schedule leaves the coefficient open, it is the lane's own, after a move, too."""
    array = trials(["momentum", "adam", "momentum"], hyper="momentum.momentum=0.8")
    found = lanes(FRAMEWORKS[engine], array)
    given = rates(array, 12)
    steps = cycled(parse("constant then triangular:half=3,momentum=0.9/0.5 at 4"), 4, 0, 12)
    assert steps is not None
    losses, _ = found.advance(given, steps)
    by_hand = np.where(np.isnan(steps), 0.8, steps)
    again, _ = lanes(FRAMEWORKS[engine], array).advance(given, by_hand)
    np.testing.assert_array_equal(losses, again)
    own, _ = lanes(FRAMEWORKS[engine], array).advance(given)
    np.testing.assert_array_equal(own[:4], losses[:4])
    np.testing.assert_array_equal(own[:, 1], losses[:, 1])
    assert not np.array_equal(own[:, 0], losses[:, 0])


def test_momentum_of_ones_own_is_that_of_keras() -> None:
    """`momentum.momentum` is what a lane has unless it is given another."""
    array = trials(["momentum", "sgd"], hyper="keras,momentum.momentum=0.9")
    losses, _ = learner(array).advance(rates(array, 20))
    made = make.SGD(array[0].learning_rate, momentum=0.9)
    wanted, _ = keras_model.train(array[0], images(), 20, made=made)
    assert losses[:, 0] == pytest.approx(wanted, rel=2e-4)


# Proofs


@pytest.mark.parametrize(
    ("text", "optimizers"),
    [
        (
            "sgd.weight_decay=1e-9,adam.weight_decay=1e-3,adadelta.epsilon=0",
            ["sgd", "adam", "adadelta"],
        ),
        ("keras,adagrad.weight_decay=0.1,rmsprop.epsilon=0", ["adagrad", "rmsprop"]),
        ("adam.beta1=0.99,adam.beta2=0.9", ["adam"]),
        ("adam.epsilon=1e-30", ["adam"]),
    ],
)
def test_nothing_is_called_stuck_where_no_proof_holds(text: str, optimizers: list[str]) -> None:
    """Decay moves weights for ever; at some betas m / sqrt(v) grows without a gradient; without an
    epsilon nothing is divided by nothing in the end.
    """
    array, each = trials(optimizers, hyper=text), range(len(optimizers))
    lane = learner(array)
    lane.advance(rates(array, 1))
    for index in each:
        dead(lane, 2, index)
        for slot in (1, 2):  # the slots that a proof is hindered by are empty
            put(lane, slot, index, 0, lane.network.weights, 0)
    assert lane.stuck(each).tolist() == [False] * len(optimizers)


@pytest.mark.parametrize(
    ("text", "optimizers"),
    [
        (
            "sgd.clipnorm=0.1,rmsprop.centered=true,rmsprop.momentum=0.9,adadelta.rho=0.5,"
            "adadelta.global_clipnorm=1,adagrad.initial_accumulator=2",
            ["sgd", "rmsprop", "adadelta", "adagrad"],
        ),
        (
            "keras,momentum.nesterov=true,momentum.momentum=0.9,adam.beta1=0.5,adam.beta2=0.9",
            ["momentum", "adam"],
        ),
    ],
)
def test_a_proof_holds_with_options_and_nothing_moves_after_it(
    text: str, optimizers: list[str]
) -> None:
    """It is given once what is left in the slots has faded, and then no weight below changes."""
    array, each = trials(optimizers, hyper=text, batch=10), range(len(optimizers))
    lane = learner(array)
    lane.advance(rates(array, 20))
    for index in each:
        dead(lane, 2, index)
    lane.advance(rates(array, 1500))
    assert lane.stuck(each).tolist() == [True] * len(optimizers)
    frozen = int(np.cumsum(lane.network.sizes)[5])
    before = [keras_model.weights_of(lane, index)[:frozen].copy() for index in each]
    lane.advance(rates(array, 300))
    for index in each:
        assert np.array_equal(keras_model.weights_of(lane, index)[:frozen], before[index])


def test_a_proof_is_of_the_last_momentum() -> None:
    """A coefficient of nearly nothing hides what a larger one would still move."""
    array = trials(["momentum"])
    lane = learner(array)
    lane.advance(rates(array, 20))
    dead(lane, 2)
    put(lane, 1, 0, 0, lane.network.weights, 1e-6)
    state = lane.snapshot()
    for coefficient, proved in ((1e-12, True), (0.9, False)):
        lane.restore(state)
        lane.advance(np.full((1, 1), 1e-30), np.full((1, 1), coefficient))
        put(lane, 1, 0, 0, lane.network.weights, 1e-6)
        lane.state = lane.state.__class__(
            lane.state.slots, lane.state.kind, state.rates, lane.state.momenta, lane.state.step
        )
        assert lane.stuck([0]).tolist() == [proved]


def test_what_fades_is_known_of_each_rule() -> None:
    """At the sets' own values all do, Adam from its fifth step on."""
    fading = [Adagrad(0.0), Adadelta(1e-8), RMSProp(1e-10, centered=True, momentum=0.99)]
    assert all(rule.fades(1) for rule in fading)
    assert [Adam(1e-8).fades(number) for number in (1, 4, 5, 1000)] == [False, False, True, True]
    assert not Adam(1e-8, beta1=0.95, beta2=0.9).fades(10**6)
    assert not any(rule_of("weight_decay=0.1", name).fades(100) for name in ("sgd", "momentum"))


def test_step_times_are_of_the_options() -> None:
    """An option may change what a step costs, so its time is measured anew."""
    (plain,), (other,) = trials(["sgd"], hyper="keras"), trials(["sgd"], hyper="keras,clipnorm=1")
    assert key_of(plain) != key_of(other)
    assert array_key(plain, 8, 2) != array_key(other, 8, 2)
