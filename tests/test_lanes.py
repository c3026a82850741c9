"""The Learner of lanes against the same trial alone, plain Keras models, and itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import keras_model
import numpy as np
import pytest
from numpy.typing import NDArray

from study import data, lanes
from study.errors import StudyError
from study.lanes import FOLD_BELOW, DeviceImages, Lanes, batch_order, training
from study.learner import array_size
from study.network import network_of
from study.optimizers import RULES
from study.spec import HYPERS, OPTIMIZERS, StudySpec, Trial
from study.tensors import xp

Floats = NDArray[Any]

RATES = {"sgd": 0.05, "momentum": 0.05, "adam": 0.001, "adagrad": 0.02, "adadelta": 0.5, "rmsprop": 0.001}
"""Rates at which each optimizer learns without chaos, so that rounding stays rounding.

The tutorial network takes a twentieth: at a fifth, plain Keras against itself with initial weights off by 1e-7 is 1e-3 apart after 40 steps
of Momentum, since in so many units some ReLU or pooling window soon stands on its edge.
"""

STEPS = 50


@cache
def images() -> data.Images:
    """Real MNIST, shortened: an epoch is then 6,000 images."""
    whole = data.load()
    return replace(
        whole,
        x_train=whole.x_train[:6000],
        y_train=whole.y_train[:6000],
        x_validation=whole.x_validation[:1200],
        y_validation=whole.y_validation[:1200],
    )


@cache
def device() -> DeviceImages:
    """Those images on the device."""
    return DeviceImages.of(images())


def trials(optimizers: Sequence[str] = OPTIMIZERS, **values: Any) -> list[Trial]:
    """A trial for each optimizer, at its rate."""
    spec = StudySpec(rates=(1.0,), batch=50, max_steps=10**6).with_(**values)
    share = 0.05 if spec.network == "tutorial" else 1
    return [replace(spec.trials()[0], optimizer=name, learning_rate=share * RATES[name]) for name in optimizers]


def learner(array: Sequence[Trial]) -> Lanes:
    """Fresh lanes for the trials."""
    return Lanes(array, device())


def rates(array: Sequence[Trial], steps: int = STEPS) -> Floats:
    """Constant rates (steps, K), the first trial's in padding lanes."""
    row = [trial.learning_rate for trial in array]
    return np.tile([*row, *[row[0]] * (array_size(len(row)) - len(row))], (steps, 1))


@cache
def together(network: str, hyper: str, width: float = 1.0, scale_dense: bool = False) -> Floats:
    """Losses (STEPS, 6) of all optimizers in one array."""
    array = trials(network=network, hyper=hyper, widths=(width,), scale_dense=scale_dense)
    losses, _ = learner(array).advance(rates(array))
    return losses[:, : len(array)]


@pytest.mark.parametrize("hyper", HYPERS)
@pytest.mark.parametrize("network", ["compact", "tutorial"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_lane_of_a_mixed_array_is_a_plain_keras_model(name: str, network: str, hyper: str) -> None:
    """Loss by loss over 50 steps, with Keras's optimizers and with TensorFlow 1's, dropout included."""
    (trial,) = trials([name], network=network, hyper=hyper)
    expected, _ = keras_model.train(trial, images(), STEPS)
    assert together(network, hyper)[:, OPTIMIZERS.index(name)] == pytest.approx(expected, abs=1e-4)
    assert expected.std() > 0.01


@pytest.mark.parametrize(("width", "scale_dense", "folded"), [(2.0, False, True), (3.5, True, False)])
def test_wider_networks_folded_or_not_are_plain_keras_models(width: float, scale_dense: bool, folded: bool) -> None:
    """Both forms of the second convolution."""
    array = trials(["sgd", "adam"], widths=(width,), scale_dense=scale_dense)
    assert (network_of(array[0]).filters[0] < FOLD_BELOW) is folded
    losses, _ = learner(array).advance(rates(array, 20))
    for lane, trial in enumerate(array):
        assert losses[:, lane] == pytest.approx(keras_model.train(trial, images(), 20)[0], abs=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_lane_in_an_array_is_the_same_trial_alone(name: str) -> None:
    """A mixed array picks for each lane what its optimizer does alone."""
    (trial,) = trials([name])
    alone, _ = learner([trial]).advance(rates([trial]))
    assert together("compact", "published")[:, OPTIMIZERS.index(name)] == pytest.approx(alone[:, 0], abs=1e-4)


def test_correct_counts_and_evaluation_are_those_of_the_keras_model() -> None:
    """The same weights classify the same images right; the last validation batch is not a whole one."""
    (trial,) = trials(["adam"])
    lane = learner([trial])
    _, correct = lane.advance(rates([trial]))
    _, model = keras_model.train(trial, images(), STEPS)
    network = network_of(trial)
    model.set_weights(network.unflatten(lane.weights(0)))
    assert len(images().y_validation) % lanes.EVALUATION_BATCH != 0
    expected = keras_model.accuracy(model, network, images().x_validation, images().y_validation)
    assert lane.evaluate()[0] == pytest.approx(expected, abs=1e-9)
    before = lane.snapshot()
    (chosen,) = batch_order(trial.seed, before.step, 1, trial.batch, 6000)
    _, correct = lane.advance(rates([trial], 1))
    assert correct[0, 0] == pytest.approx(
        keras_model.accuracy(model, network, images().x_train[chosen], images().y_train[chosen]), abs=1e-6
    )


@pytest.mark.parametrize("kind", ["zero", "white", "plateaus", "noise"])
def test_gradients_agree_where_pooling_ties(kind: str) -> None:
    """One step of plain descent moves every weight by its gradient, on images full of equal pixels too."""
    random = np.random.default_rng(0)
    shape = images().x_train.shape
    x = {
        "zero": np.zeros(shape, np.uint8),
        "white": np.full(shape, 255, np.uint8),
        "plateaus": np.kron(random.integers(0, 2, (shape[0], 4, 4)), np.ones((7, 7))).astype(np.uint8) * 255,
        "noise": random.integers(0, 256, shape).astype(np.uint8),
    }[kind]
    odd = replace(images(), x_train=x)
    (trial,) = trials(["sgd"])
    trial = replace(trial, learning_rate=1.0)
    lane = Lanes([trial], DeviceImages.of(odd))
    lane.advance(np.ones((1, 1)))
    _, model = keras_model.train(trial, odd, 1)
    moved = np.concatenate([part.ravel() for part in model.get_weights()])
    assert lane.weights(0) == pytest.approx(moved, abs=2e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("rate", [float("nan"), 1e38])
def test_a_lane_that_is_no_number_changes_no_other(name: str, rate: float) -> None:
    """Bit for bit, in an array of the same size."""
    array = trials()
    sound, spoilt = learner(array), learner(array)
    schedule = rates(array, 10)
    sound.advance(schedule)
    schedule[:, OPTIMIZERS.index(name)] = rate
    spoilt.advance(schedule)
    finite, _ = sound.advance(rates(array, 10))
    losses, _ = spoilt.advance(schedule)
    others = [i for i in range(len(array)) if i != OPTIMIZERS.index(name)]
    assert np.array_equal(losses[:, others], finite[:, others])
    assert np.isfinite(finite).all()
    if np.isnan(rate):
        assert np.isnan(losses[:, OPTIMIZERS.index(name)]).all()


def test_two_runs_in_a_row_are_the_same_bit_for_bit() -> None:
    """Losses, counts, weights and slots."""
    array = trials()
    first, second = learner(array), learner(array)
    for a, b in zip(first.advance(rates(array)), second.advance(rates(array)), strict=True):
        assert np.array_equal(a, b)
    for one, other in zip(first.state.slots, second.state.slots, strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


def test_snapshot_and_restore_are_bit_exact() -> None:
    """Also after lanes have left."""
    array = trials()
    lane = learner(array)
    lane.advance(rates(array, 7))
    state = lane.snapshot()
    expected = lane.advance(rates(array, 9))
    lane.take([0, 3])
    lane.advance(rates(array, 3)[:, :2])
    lane.restore(state)
    assert lane.stuck(range(8)).tolist() == [False] * 8
    for a, b in zip(lane.advance(rates(array, 9)), expected, strict=True):
        assert np.array_equal(a, b)


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


def test_take_copies_weights_and_slots() -> None:
    """The copies go on as the originals do, at any place of the array."""
    array = trials()
    lane = learner(array)
    lane.advance(rates(array, 10))
    before = [slot.numpy() for slot in lane.state.slots]
    state = lane.snapshot()
    on, _ = lane.advance(rates(array, 10))
    lane.restore(state)
    taken = [5, 2, 2, 4]
    lane.take(taken)
    assert lane.lanes == 4
    for slot, old in zip(lane.state.slots, before, strict=True):
        assert np.array_equal(slot.numpy(), old[taken])
    losses, _ = lane.advance(rates([array[i] for i in taken], 10))
    assert losses == pytest.approx(on[:, taken], abs=1e-5)
    assert np.array_equal(losses[:, 1], losses[:, 2])


def test_rates_may_change_within_a_call_and_calls_may_be_cut_anywhere() -> None:
    """T steps in one call are T calls of one step, at rates of each step and lane."""
    array = trials()
    schedule = rates(array, 12) * np.random.default_rng(0).uniform(0.1, 2, (12, 8))
    whole, pieces = learner(array), learner(array)
    expected, _ = whole.advance(schedule)
    losses = np.concatenate([pieces.advance(part)[0] for part in (schedule[:1], schedule[1:7], schedule[7:])])
    assert np.array_equal(losses, expected)


def test_nothing_is_traced_twice() -> None:
    """One trace a program: other lengths, rates, seeds and data find it ready; and `prepare` comes before the clock."""
    array = trials(batch=30)
    first = learner(array)
    before = first.snapshot()
    first.prepare()
    assert first.snapshot() is before
    program = training(network_of(array[0]), 8, 30, "published", OPTIMIZERS)
    assert program.experimental_get_tracing_count() == 1
    first.advance(rates(array, 5))
    first.advance(rates(array, 50))
    second = Lanes([replace(trial, seed=3) for trial in array], DeviceImages.of(data.load()))
    second.prepare()
    second.advance(rates(array, 5))
    assert program.experimental_get_tracing_count() == 1


def test_an_epoch_shows_every_image_once_in_a_seeded_order() -> None:
    """Whole batches alone; a new shuffle every epoch and seed, the same on every call, wherever it is cut."""
    order = batch_order(0, 0, 24, 500, 6100)
    first, second = order[:12].ravel(), order[12:].ravel()
    assert len(set(first)) == len(set(second)) == 6000
    assert set(first) | set(second) <= set(range(6100))
    assert not np.array_equal(first, second)
    assert np.array_equal(batch_order(0, 5, 10, 500, 6100), order[5:15])
    assert not np.array_equal(batch_order(1, 0, 24, 500, 6100), order)


def dead(lane: Lanes, layer: int, index: int = 0) -> None:
    """Give one lane's hidden layer biases so low that its ReLU is zero for every image."""
    slots = [slot.numpy().copy() for slot in lane.state.slots]
    ends = np.cumsum(lane.network.sizes)
    slots[0][index, ends[2 * layer] : ends[2 * layer + 1]] = -1e4
    lane.state = replace(lane.state, slots=tuple(xp.constant(slot) for slot in slots))


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
    weights = lane.weights(0), lane.weights(3)
    _, correct = lane.advance(rates(array, 200))
    assert correct[:, [0, 3]].mean() < 0.2
    frozen = int(np.cumsum(lane.network.sizes)[2 * layer + 1])
    for i, before in zip((0, 3), weights, strict=True):
        assert np.array_equal(lane.weights(i)[:frozen], before[:frozen])


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


def test_a_real_training_at_a_far_too_large_rate_gets_stuck_and_a_good_one_does_not() -> None:
    """Not by construction but by descent; and it is at chance ever after."""
    array = [replace(trial, learning_rate=rate) for trial, rate in zip(trials(["sgd", "sgd"]), (30.0, 0.05), strict=True)]
    lane = learner(array)
    lane.advance(rates(array, 300))
    assert lane.stuck([0, 1]).tolist() == [True, False]
    lane.advance(rates(array, 300))
    assert lane.stuck([0, 1]).tolist() == [True, False]
    accuracy = lane.evaluate()
    assert accuracy[0] < 0.2 < accuracy[1]


def test_nothing_is_called_stuck_where_one_class_is_most_of_the_data() -> None:
    """There the same answer for every image is a good score, so the proof proves nothing."""
    (trial,) = trials(["sgd"])
    for share, proved in ((0.3, True), (0.6, False)):
        labels = np.where(np.arange(6000) < share * 6000, 7, np.arange(6000) % 10).astype(np.uint8)
        lane = Lanes([trial], DeviceImages.of(replace(images(), y_train=labels)))
        dead(lane, 1)
        assert lane.stuck([0]).tolist() == [proved]


def test_every_lane_of_a_seed_starts_from_the_same_weights() -> None:
    """And each optimizer from its slot's start."""
    array = trials()
    lane = learner(array)
    w, a, b = (slot.numpy() for slot in lane.state.slots)
    assert (w == lane.network.initial_weights(0)).all()
    for i, trial in enumerate(array):
        assert (a[i] == np.float32(RULES["published"][trial.optimizer].start)).all()
    assert (b == 0).all()


def test_a_batch_larger_than_the_training_set_is_refused() -> None:
    """With both numbers in the sentence."""
    with pytest.raises(StudyError, match="batch 7000 is more than the 6000 training images"):
        learner(trials(batch=7000))
