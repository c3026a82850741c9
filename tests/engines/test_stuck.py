"""The proof that a lane is stuck."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from study.engines.lanes import Lanes
from support.engines import keras_model
from support.engines.images import images
from support.engines.lanes import dead, learner, on_device, put, rates, trials

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_dead_layer_is_proved_stuck_and_carrying_on_changes_nothing(layer: int) -> None:
    """At any depth, for every optimizer; the healthy lanes beside it are not accused."""
    array = trials()
    lane = learner(array)
    lane.advance(rates(array, 1))
    for i in (0, 3):
        dead(lane, layer, i)
    assert lane.stuck(range(8)).tolist() == [True, False, False, True, False, False, False, False]
    assert lane.stuck([2, 3, 4]).tolist() == [False, True, False]
    assert lane.stuck([3, 1, 2]).tolist() == [True, False, False]
    weights = keras_model.weights_of(lane, 0), keras_model.weights_of(lane, 3)
    _, correct = lane.advance(rates(array, 50))
    assert correct[:, [0, 3]].mean() < 0.2
    frozen = int(np.cumsum(lane.network.sizes)[2 * layer + 1])
    for i, before in zip((0, 3), weights, strict=True):
        assert np.array_equal(keras_model.weights_of(lane, i)[:frozen], before[:frozen])


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_momentum_that_still_moves_a_dead_layer_is_not_stuck(name: str) -> None:
    """It may yet revive it; once it has faded, the lane is stuck."""
    array = trials([name])
    lane = learner(array)
    lane.advance(rates(array, 20))
    dead(lane, 2)
    # A weight of a dead unit is small, so that what is left of the momentum is seen in it.
    assert lane.stuck([0]).tolist() == [False]
    lane.advance(rates(array, 400))
    assert lane.stuck([0]).tolist() == [True]


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_momentum_counts_up_to_the_dead_layer_and_not_above(layer: int) -> None:
    """One weight that still moves: the dead layer's last bias may revive it, the next layer's first
    weight cannot.
    """
    array = trials(["momentum", "momentum"])
    lane = learner(array)
    lane.advance(np.zeros((1, 2)))
    lane.advance(rates(array, 1))
    end = int(np.cumsum(lane.network.sizes)[2 * layer + 1])
    for index, place in ((0, end - 1), (1, end)):
        dead(lane, layer, index)
        put(lane, 1, index, 0, lane.network.weights, 0)
        put(lane, 1, index, place, place + 1, 1)
    before = lane.snapshot()
    assert lane.stuck([0, 1]).tolist() == [False, True]
    assert lane.snapshot() is before


@pytest.mark.parametrize("lit", [0, 499, 500, 5650])
def test_a_layer_that_a_single_image_wakes_is_not_dead(lit: int) -> None:
    """Every image is looked at, the last and incomplete batch to its end."""
    x = np.zeros((5651, 28, 28), np.uint8)
    for woken in (True, False):
        x[lit] = 255 * woken
        (trial,) = trials(["sgd"])
        dark = replace(
            images(),
            x_train=x,
            y_train=images().y_train[:5651],
            x_validation=np.zeros_like(images().x_validation),
        )
        lane = Lanes([trial], on_device(dark))
        kernel, bias = lane.network.sizes[:2]
        put(lane, 0, 0, 0, kernel, 1.0)
        put(lane, 0, 0, kernel, kernel + bias, -1.0)
        assert lane.stuck([0]).tolist() == [not woken]


def test_a_lane_that_is_no_number_is_not_called_stuck() -> None:
    """It diverged, and beside it the dead lane is still found."""
    array = trials()
    lane = learner(array)
    lane.advance(rates(array, 1))
    dead(lane, 1, 0)
    put(lane, 0, 2, 0, lane.network.weights, np.nan)
    assert lane.stuck(range(8)).tolist() == [True] + [False] * 7


def test_a_real_training_at_a_far_too_large_rate_gets_stuck_and_a_good_one_does_not() -> None:
    """Not by construction but by descent; and it is at chance ever after."""
    array = [
        replace(trial, learning_rate=rate)
        for trial, rate in zip(trials(["sgd", "sgd"]), (30.0, 0.05), strict=True)
    ]
    lane = learner(array)
    lane.advance(rates(array, 150))
    assert lane.stuck([0, 1]).tolist() == [True, False]
    lane.advance(rates(array, 150))
    assert lane.stuck([0, 1]).tolist() == [True, False]
    accuracy = lane.evaluate()
    assert accuracy[0] < 0.2 < accuracy[1]


def test_nothing_is_called_stuck_where_one_class_is_most_of_the_data() -> None:
    """There the same answer for every image is a good score, so the proof proves nothing."""
    (trial,) = trials(["sgd"])
    for share, proved in ((0.3, True), (0.6, False)):
        labels = np.where(np.arange(6000) < share * 6000, 7, np.arange(6000) % 10).astype(np.uint8)
        lane = Lanes([trial], on_device(replace(images(), y_train=labels)))
        dead(lane, 1)
        assert lane.stuck([0]).tolist() == [proved]


def test_restore_brings_back_the_rate_that_a_proof_rests_on() -> None:
    """At a rate of nothing momentum moves nothing; the proof must not remember such a rate."""
    array = trials(["momentum"])
    lane = learner(array)
    lane.advance(rates(array, 20))
    dead(lane, 2)
    state = lane.snapshot()
    lane.advance(np.full((1, 1), 1e-30))
    assert lane.stuck([0]).tolist() == [True]
    lane.restore(state)
    assert lane.stuck([0]).tolist() == [False]
