"""The Learner of lanes against the same trial alone, plain Keras models, and itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from study import data
from study.engines import convolutions, forward, lanes, programs, tensorflow
from study.engines import tensorflow as tensors
from study.engines.batches import batch_order
from study.engines.convolutions import FOLD_BELOW
from study.engines.lanes import DeviceImages, Lanes
from study.engines.learner import array_size, padded
from study.engines.programs import training_program
from study.engines.rules import RULES, starts
from study.engines.tensorflow import xp
from study.errors import StudyError
from study.spec.networks import Network, network_of
from study.spec.study import StudySpec
from study.spec.trial import HYPERS, OPTIMIZERS, Trial
from support import keras_model

pytestmark = pytest.mark.kernels

Floats = NDArray[Any]

RATES = {
    "compact": {
        "sgd": 0.05,
        "momentum": 0.05,
        "adam": 0.001,
        "adagrad": 0.02,
        "adadelta": 0.5,
        "rmsprop": 0.001,
    },
    "mlp": {
        "sgd": 0.05,
        "momentum": 0.05,
        "adam": 2e-4,
        "adagrad": 0.02,
        "adadelta": 0.5,
        "rmsprop": 0.001,
    },
    "tutorial": {
        "sgd": 0.0025,
        "momentum": 0.0015,
        "adam": 1e-5,
        "adagrad": 5e-4,
        "adadelta": 0.02,
        "rmsprop": 1e-5,
    },
}
"""Rates at which each optimizer learns without chaos, so that rounding stays rounding.

The tutorial network takes small ones: at a fifth of the compact network's, plain Keras against
itself with initial weights off by 1e-7 is 1e-3 apart after 40 steps of Momentum, since in so many
units some ReLU or pooling window soon stands on its edge.
"""

SLOW_START = 3e-4
"""The tutorial network's rate of the published RMSProp, whose mean square starts at one: at 1e-5 it
would hardly have moved in 50 steps.
"""

WIDE = 1e-3
"""Tolerance of losses of networks wider than those whose rates were chosen so; some kernels round
to 3.5e-4 of each other in 20 steps.
"""

STEPS = 40

FORMS: dict[str, dict[str, Any]] = {
    "folded": {},
    "unfolded, dropout": {"network": "tutorial", "widths": (0.1875,), "scale_dense": True},
}
"""Two small networks that between them take both forms of the second convolution, with and without
dropout.
"""


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


def on_device(images: data.Images) -> DeviceImages:
    """Images where TensorFlow has them, and multiplies in float32."""
    tensorflow.prepare("float32")
    return DeviceImages.of(images, tensors)


@cache
def device() -> DeviceImages:
    """Those images on the device."""
    return on_device(images())


def trials(optimizers: Sequence[str] = OPTIMIZERS, seed: int = 0, **values: Any) -> list[Trial]:
    """A trial for each optimizer, at its rate."""
    spec = StudySpec(rates=(1.0,), batch=50, max_steps=10**6).with_(**values)
    own = RATES[spec.network] | (
        {"rmsprop": SLOW_START} if (spec.network, spec.hyper) == ("tutorial", "published") else {}
    )
    return [
        replace(spec.trials()[0], optimizer=name, learning_rate=own[name], seed=seed)
        for name in optimizers
    ]


def of(
    network: str, hyper: str = "published", optimizers: Sequence[str] = OPTIMIZERS
) -> list[Trial]:
    """The trials that stand for a network; the large one trains on small batches, and from another
    seed.
    """
    return trials(
        optimizers,
        network=network,
        hyper=hyper,
        **({"batch": 20, "seed": 3} if network == "tutorial" else {}),
    )


def learner(array: Sequence[Trial]) -> Lanes:
    """Fresh lanes for the trials."""
    return Lanes(array, device())


def rates(array: Sequence[Trial], steps: int = STEPS) -> Floats:
    """Constant rates (steps, K), the first trial's in padding lanes."""
    row = [trial.learning_rate for trial in array]
    return np.tile(padded(row, array_size(len(row))), (steps, 1))


def bytes_of(lane: Lanes, index: int) -> list[bytes]:
    """All that one lane is: its weights and slots, to be compared bit for bit (a NaN is equal to
    itself).
    """
    return [slot[index].numpy().tobytes() for slot in lane.state.slots]


def put(lane: Lanes, slot: int, index: int, start: int, stop: int, value: Any) -> None:
    """Overwrite a stretch of one lane's weights (slot 0) or of its optimizer's slots (1, 2)."""
    slots = [old.numpy().copy() for old in lane.state.slots]
    slots[slot][index, start:stop] = value
    lane.state = replace(lane.state, slots=tuple(xp.constant(new) for new in slots))


@cache
def together(network: str) -> Floats:
    """Losses (STEPS, 6) of all optimizers in one array."""
    array = of(network)
    losses, _ = learner(array).advance(rates(array))
    return losses[:, : len(array)]


@cache
def untrained(network: str) -> Floats:
    """Losses (STEPS,) of the initial weights on the same batches: what no optimizer could be told
    by.
    """
    (trial,) = of(network, optimizers=["sgd"])
    return keras_model.train(replace(trial, learning_rate=0.0), images(), STEPS)[0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_lane_of_the_whole_tutorial_network_is_a_plain_keras_model(name: str) -> None:
    """Loss by loss over 50 steps, dropout included; small networks and the other hyper-parameters
    are every Learner's test.
    """
    (trial,) = of("tutorial", optimizers=[name])
    expected, _ = keras_model.train(trial, images(), STEPS)
    assert together("tutorial")[:, OPTIMIZERS.index(name)] == pytest.approx(expected, abs=1e-4)
    assert (untrained("tutorial") - expected).max() > 50 * 1e-4, (
        "it has learnt far more than the tolerance"
    )


@pytest.mark.parametrize(
    ("width", "scale_dense", "folded"), [(2.0, False, True), (3.5, True, False)]
)
def test_wider_networks_folded_or_not_are_plain_keras_models(
    width: float, scale_dense: bool, folded: bool
) -> None:
    """Both forms of the second convolution, another seed."""
    array = trials(["sgd", "adam"], seed=5, widths=(width,), scale_dense=scale_dense)
    network = network_of(array[0])
    assert (network.filters[0] < FOLD_BELOW) is folded
    assert (network.dense > network_of(trials()[0]).dense) is scale_dense
    losses, _ = learner(array).advance(rates(array, 20))
    for lane, trial in enumerate(array):
        expected, _ = keras_model.train(trial, images(), 20)
        assert losses[:, lane] == pytest.approx(expected, abs=WIDE)
        assert expected[0] - expected.min() > 50 * WIDE, "it has learnt far more than the tolerance"


@pytest.mark.parametrize("hyper", HYPERS)
def test_perceptrons_are_plain_keras_models(hyper: str) -> None:
    """Every optimizer, and a Momentum of each lane's own coefficient."""
    array = trials(network="mlp", widths=(0.1,), hyper=hyper)
    array.append(array[1])
    momenta = np.full((20, array_size(len(array))), 0.5)
    momenta[:, 6] = 0.9
    losses, _ = learner(array).advance(rates(array, 20), momenta)
    for lane, trial in enumerate(array):
        expected, _ = keras_model.train(trial, images(), 20, momentum=0.9 if lane == 6 else 0.5)
        assert losses[:, lane] == pytest.approx(expected, abs=1e-4)
    assert np.abs(losses[:, 1] - losses[:, 6]).max() > 0.01


@pytest.mark.parametrize("network", ["compact", "tutorial"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_lane_in_an_array_is_the_same_trial_alone(name: str, network: str) -> None:
    """A mixed array picks for each lane what its optimizer does alone."""
    (trial,) = of(network, optimizers=[name])
    alone, _ = learner([trial]).advance(rates([trial]))
    assert together(network)[:, OPTIMIZERS.index(name)] == pytest.approx(alone[:, 0], abs=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_array_of_one_optimizer_is_its_lanes_of_a_mixed_one(name: str) -> None:
    """And each of its lanes takes its own rate."""
    (trial,) = of("compact", optimizers=[name])
    half = replace(trial, learning_rate=trial.learning_rate / 2)
    losses, _ = learner([trial, half]).advance(rates([trial, half]))
    alone, _ = learner([half]).advance(rates([half]))
    assert losses[:, 0] == pytest.approx(together("compact")[:, OPTIMIZERS.index(name)], abs=1e-4)
    assert losses[:, 1] == pytest.approx(alone[:, 0], abs=1e-4)
    assert np.abs(losses[:, 0] - losses[:, 1]).max() > 0.01


def test_two_trials_of_one_optimizer_stand_anywhere_in_a_mixed_array() -> None:
    """Each lane by its own optimizer and rate, whatever the order."""
    array = trials(["rmsprop", "sgd", "adam", "sgd"])
    array[3] = replace(array[3], learning_rate=0.01)
    losses, _ = learner(array).advance(rates(array, 20))
    for i, trial in enumerate(array):
        alone, _ = learner([trial]).advance(rates([trial], 20))
        assert losses[:, i] == pytest.approx(alone[:, 0], abs=1e-4)


def test_correct_counts_and_evaluation_are_those_of_the_keras_model() -> None:
    """The same weights classify the same images right; the last validation batch is not a whole
    one.
    """
    (trial,) = trials(["adam"])
    lane = learner([trial])
    _, correct = lane.advance(rates([trial]))
    _, model = keras_model.train(trial, images(), STEPS)
    network = network_of(trial)
    model.set_weights(keras_model.unflatten(network, keras_model.weights_of(lane, 0)))
    assert len(images().y_validation) % lanes.EVALUATION_BATCH != 0
    expected = keras_model.accuracy(model, network, images().x_validation, images().y_validation)
    assert lane.evaluate()[0] == pytest.approx(expected, abs=1e-9)
    before = lane.snapshot()
    (chosen,) = batch_order(trial.seed, before.step, 1, trial.batch, 6000)
    _, correct = lane.advance(rates([trial], 1))
    assert correct[0, 0] == pytest.approx(
        keras_model.accuracy(model, network, images().x_train[chosen], images().y_train[chosen]),
        abs=1e-6,
    )


def test_every_lane_is_evaluated_by_its_own_weights() -> None:
    """In the lanes' order, and without a trace in what they learn."""
    array = trials()
    lane = learner(array)
    lane.advance(rates(array))
    before = lane.snapshot()
    found = lane.evaluate()
    assert lane.snapshot() is before
    assert found.shape == (8,)
    network = network_of(array[0])
    model = keras_model.build(network)
    for i in range(len(array)):
        model.set_weights(keras_model.unflatten(network, keras_model.weights_of(lane, i)))
        expected = keras_model.accuracy(
            model, network, images().x_validation, images().y_validation
        )
        assert found[i] == pytest.approx(expected, abs=1e-9)
    assert len(set(found[: len(array)])) == len(array)


def strange(kind: str) -> data.Images:
    """Training images on which max-pooling ties, or as unlike digits as can be."""
    random = np.random.default_rng(0)
    shape = images().x_train.shape
    x = {
        "zero": np.zeros(shape, np.uint8),
        "white": np.full(shape, 255, np.uint8),
        "plateaus": np.kron(random.integers(0, 2, (shape[0], 4, 4)), np.ones((7, 7))).astype(
            np.uint8
        )
        * 255,
        "noise": random.integers(0, 256, shape).astype(np.uint8),
    }[kind]
    return replace(images(), x_train=x)


def random_weights(network: Network) -> Floats:
    """Weights unlike any seed's, biases among them."""
    weights = network.initial_weights(11)
    return weights + np.random.default_rng(12).uniform(-0.1, 0.1, weights.shape).astype(np.float32)


def by_hand(network: Network, weights: Floats, x: NDArray[np.uint8]) -> Floats:
    """Logits (B, 10) in numpy and double precision, in the textbook's order: convolution, bias,
    ReLU, pooling.
    """
    w1, b1, w2, b2, w3, b3, w4, b4 = (
        part.astype(np.float64) for part in keras_model.unflatten(network, weights)
    )
    h = x[..., None] / 255.0
    for w, b in ((w1, b1), (w2, b2)):
        windows = sliding_window_view(
            np.pad(h, ((0, 0), (2, 2), (2, 2), (0, 0))), (5, 5), axis=(1, 2)
        )
        h = np.maximum(np.tensordot(windows, w.transpose(2, 0, 1, 3), axes=3) + b, 0)
        h = h.reshape(len(h), h.shape[1] // 2, 2, h.shape[2] // 2, 2, -1).max(axis=(2, 4))
    logits: Floats = np.maximum(h.reshape(len(h), -1) @ w3 + b3, 0) @ w4 + b4
    return logits


@pytest.mark.parametrize("width", [1.0, 3.5])
@pytest.mark.parametrize("kind", ["zero", "white", "plateaus", "noise"])
def test_logits_are_those_of_the_textbook(kind: str, width: float) -> None:
    """Two lanes of different weights, folded and not."""
    network = network_of(trials(["sgd"], widths=(width,))[0])
    weights = np.stack([network.initial_weights(0), random_weights(network)])
    x = strange(kind).x_train[:20]
    found, _ = forward.forward(tensors, network, 2, 20, convolutions.usual_form(tensors, network))(
        xp.constant(weights), xp.constant(x), None
    )
    for i in range(2):
        expected = by_hand(network, weights[i], x)
        assert found[i].numpy() == pytest.approx(
            expected, abs=1e-5 * max(1.0, float(np.abs(expected).max()))
        )


@pytest.mark.parametrize("width", [1.0, 3.5])
@pytest.mark.parametrize("kind", ["zero", "white", "plateaus", "noise"])
def test_gradients_agree_where_pooling_ties(kind: str, width: float) -> None:
    """One step of plain descent moves every weight by its gradient, on images full of equal pixels
    too; zero biases and others.
    """
    odd = strange(kind)
    (trial,) = trials(["sgd"], widths=(width,))
    trial = replace(trial, learning_rate=1.0)
    lane = Lanes([trial, trial], on_device(odd))
    network = lane.network
    weights = [network.initial_weights(0), random_weights(network)]
    put(lane, 0, 1, 0, network.weights, weights[1])
    losses, _ = lane.advance(np.ones((1, 2)))
    for i, start in enumerate(weights):
        expected, model = keras_model.train(trial, odd, 1, start)
        gradient = start - np.concatenate([part.ravel() for part in model.get_weights()])
        assert losses[:, i] == pytest.approx(expected, rel=1e-5)
        assert start - keras_model.weights_of(lane, i) == pytest.approx(
            gradient, abs=2e-6 + 1e-5 * float(np.abs(gradient).max())
        )
        assert np.abs(gradient).max() > 0.01


@pytest.mark.parametrize("form", FORMS)
def test_two_runs_in_a_row_are_the_same_bit_for_bit(form: str) -> None:
    """Losses, counts, weights and slots; another seed is another run."""
    array = trials(**FORMS[form])
    first, second, other = (
        learner(array),
        learner(array),
        learner([replace(trial, seed=1) for trial in array]),
    )
    a, b, c = (lane.advance(rates(array)) for lane in (first, second, other))
    assert np.array_equal(a[0], b[0])
    assert np.array_equal(a[1], b[1])
    assert [bytes_of(first, i) for i in range(8)] == [bytes_of(second, i) for i in range(8)]
    assert (a[0] != c[0]).all()


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


@pytest.mark.parametrize(
    "taken", [[2, 0, 2, 1, 5, 4, 3, 3], [7, 6, 5, 4, 3, 2, 1, 0], list(range(8))]
)
def test_lanes_taken_within_an_array_go_on_as_their_originals(taken: list[int]) -> None:
    """Each with its own optimizer, slots and rate; bit for bit where it keeps its place (another
    place rounds otherwise, by an ulp).
    """
    array = trials()
    lane = learner(array)
    lane.advance(rates(array, 10))
    state = lane.snapshot()
    schedule = rates(array, 10)
    on, _ = lane.advance(schedule)
    weights, after = (
        [keras_model.weights_of(lane, i) for i in range(8)],
        [bytes_of(lane, i) for i in range(8)],
    )
    lane.restore(state)
    lane.keep(taken)
    losses, _ = lane.advance(schedule[:, taken])
    assert losses == pytest.approx(on[:, taken], abs=1e-5)
    for place, origin in enumerate(taken):
        assert keras_model.weights_of(lane, place) == pytest.approx(weights[origin], abs=1e-6)
        if place == origin:
            assert np.array_equal(losses[:, place], on[:, place])
            assert bytes_of(lane, place) == after[place]


def test_nothing_is_traced_twice() -> None:
    """One trace a program: other lengths, rates, seeds and data find it ready; and `prepare` comes
    before the clock.
    """
    array = trials(batch=30)
    first = learner(array)
    before = first.snapshot()
    first.prepare()
    assert first.snapshot() is before
    program = training_program(
        tensors, network_of(array[0]), 8, 30, "published", OPTIMIZERS, first.form
    )
    assert program.experimental_get_tracing_count() == 1
    first.advance(rates(array, 5))
    first.advance(rates(array, 50))
    second = Lanes([replace(trial, seed=3) for trial in array], on_device(data.load()))
    second.prepare()
    second.advance(rates(array, 5))
    for lane in (first, second):
        lane.evaluate()
        lane.stuck([7, 0, 1, 2, 3, 4])
    assert program.experimental_get_tracing_count() == 1
    assert (
        programs.evaluation_program(
            tensors, network_of(array[0]), 8, lanes.EVALUATION_BATCH, first.form
        ).experimental_get_tracing_count()
        == 1
    )


def test_an_epoch_shows_every_image_once_in_a_seeded_order() -> None:
    """Whole batches alone; a new shuffle every epoch and seed, the same on every call, wherever it
    is cut.
    """
    order = batch_order(0, 0, 24, 500, 6100)
    first, second = order[:12].ravel(), order[12:].ravel()
    assert len(set(first)) == len(set(second)) == 6000
    assert set(first) | set(second) <= set(range(6100))
    assert not np.array_equal(first, second)
    assert np.array_equal(batch_order(0, 5, 10, 500, 6100), order[5:15])
    assert not np.array_equal(batch_order(1, 0, 24, 500, 6100), order)


def dead(lane: Lanes, layer: int, index: int = 0) -> None:
    """Give one lane's hidden layer biases so low that its ReLU is zero for every image."""
    ends = np.cumsum(lane.network.sizes)
    put(lane, 0, index, ends[2 * layer], ends[2 * layer + 1], -1e4)


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
    _, correct = lane.advance(rates(array, 200))
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
        lane = Lanes([trial], on_device(replace(images(), y_train=labels)))
        dead(lane, 1)
        assert lane.stuck([0]).tolist() == [proved]


def test_every_lane_of_a_seed_starts_from_the_same_weights() -> None:
    """And each optimizer from its slot's start."""
    array = trials()
    lane = learner(array)
    w, *slots = (slot.numpy() for slot in lane.state.slots)
    assert (w == lane.network.initial_weights(0)).all()
    for i, trial in enumerate(array):
        for slot, start in zip(slots, starts(RULES["published"][trial.optimizer]), strict=True):
            assert (slot[i] == np.float32(start)).all()


def test_a_batch_larger_than_the_training_set_is_refused() -> None:
    """With both numbers in the sentence."""
    with pytest.raises(StudyError, match="batch 7000 is more than the 6000 training images"):
        learner(trials(batch=7000))


def test_groups_convolved_one_by_one_are_the_grouped_convolution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Values and both gradients, held against a loop over windows in numpy; where TensorFlow has a
    grouped gradient, against that too.
    """
    tf = tensorflow.xp
    random = np.random.default_rng(0)
    batch, side, groups, inputs, outputs, kernel = 2, 6, 3, 2, 4, 3
    x = random.normal(size=(batch, side, side, groups * inputs)).astype(np.float32)
    w = random.normal(size=(kernel, kernel, inputs, groups * outputs)).astype(np.float32)
    upstream = random.normal(size=(batch, side, side, groups * outputs)).astype(np.float32)

    def all_of_it() -> list[Floats]:
        given = [tf.constant(x), tf.constant(w)]
        with tf.GradientTape() as tape:
            tape.watch(given)
            z = tensorflow.convolve(*given)
        return [np.asarray(part) for part in (z, *tape.gradient(z, given, tf.constant(upstream)))]

    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = sliding_window_view(padded, (kernel, kernel), axis=(1, 2)).reshape(
        batch, side, side, groups, inputs, kernel, kernel
    )
    filters = w.reshape(kernel, kernel, inputs, groups, outputs)
    z = np.einsum("byxgikl,kligo->byxgo", windows, filters).reshape(upstream.shape)
    of_w = np.einsum(
        "byxgikl,byxgo->kligo", windows, upstream.reshape(batch, side, side, groups, outputs)
    ).reshape(w.shape)
    (mine, of_x, mine_of_w), known = all_of_it(), tensorflow.differentiates_groups()
    assert mine == pytest.approx(z, abs=1e-4)
    assert mine_of_w == pytest.approx(of_w, abs=1e-4)
    assert (of_x * x).sum() == pytest.approx((upstream * z).sum(), rel=1e-4), (
        "the convolution is linear in x"
    )
    monkeypatch.setattr(tensors, "differentiates_groups", lambda: not known)
    if known:
        for other, this in zip(all_of_it(), (mine, of_x, mine_of_w), strict=True):
            assert other == pytest.approx(this, abs=1e-4)
