"""The Learner of lanes against the same trial alone, plain Keras models, and itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from study import data
from study.engines import lanes, programs
from study.engines import tensorflow as tensors
from study.engines.batches import batch_order
from study.engines.convolutions import FOLD_BELOW
from study.engines.lanes import Lanes
from study.engines.learner import array_size
from study.engines.programs import training_program
from study.engines.rules import RULES, starts
from study.errors import StudyError
from study.spec.networks import network_of
from study.spec.trial import HYPERS, OPTIMIZERS, Trial
from support.engines import keras_model
from support.engines.images import images
from support.engines.lanes import STEPS, learner, on_device, rates, trials

pytestmark = pytest.mark.slow

Floats = NDArray[Any]

WIDE = 1e-3
"""Tolerance of losses of networks wider than those whose rates were chosen so; some kernels round
to 3.5e-4 of each other in 20 steps.
"""

FORMS: dict[str, dict[str, Any]] = {
    "folded": {},
    "unfolded, dropout": {"network": "tutorial", "widths": (0.1875,), "scale_dense": True},
}
"""Two small networks that between them take both forms of the second convolution, with and without
dropout.
"""


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
        **({"batch": 10, "seed": 3} if network == "tutorial" else {}),
    )


def bytes_of(lane: Lanes, index: int) -> list[bytes]:
    """All that one lane is: its weights and slots, to be compared bit for bit (a NaN is equal to
    itself).
    """
    return [slot[index].numpy().tobytes() for slot in lane.state.slots]


@cache
def together(network: str, share: float = 1.0) -> Floats:
    """Losses (STEPS, 6) of all optimizers in one array, at a share of their rates."""
    array = of(network)
    losses, _ = learner(array).advance(share * rates(array))
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


@pytest.mark.kernels
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


def test_a_lane_in_an_array_is_the_same_trial_alone() -> None:
    """With dropout; a network without is the next test's."""
    (trial,) = of("tutorial", optimizers=["adam"])
    alone, _ = learner([trial]).advance(rates([trial]))
    assert together("tutorial")[:, OPTIMIZERS.index("adam")] == pytest.approx(alone[:, 0], abs=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_array_of_one_optimizer_is_its_lanes_of_a_mixed_one(name: str) -> None:
    """A mixed array picks for each lane what its optimizer does alone, at the lane's own rate."""
    (trial,) = of("compact", optimizers=[name])
    half = replace(trial, learning_rate=trial.learning_rate / 2)
    losses, _ = learner([trial, half]).advance(rates([trial, half]))
    for lane, share in enumerate((1.0, 0.5)):
        mixed = together("compact", share)[:, OPTIMIZERS.index(name)]
        assert losses[:, lane] == pytest.approx(mixed, abs=1e-4)
    assert np.abs(losses[:, 0] - losses[:, 1]).max() > 0.01


def test_two_trials_of_one_optimizer_stand_anywhere_in_a_mixed_array() -> None:
    """Each lane by its own optimizer and rate, whatever the order."""
    array = trials(["rmsprop", "sgd", "adam", "sgd"])
    array[3] = replace(array[3], learning_rate=0.01)
    losses, _ = learner(array).advance(rates(array, 20))
    for i, trial in enumerate(array):
        alone, _ = learner([trial]).advance(rates([trial], 20))
        assert losses[:, i] == pytest.approx(alone[:, 0], abs=1e-4)


@pytest.mark.kernels
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


@pytest.mark.kernels
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
