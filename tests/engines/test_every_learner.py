"""What every Learner owes, held by all of them: parabolas, TensorFlow lanes, JAX lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from study.engines import jax as tensors_jax
from study.engines import tensorflow as tensors
from study.engines.lanes import DeviceImages, Lanes
from study.engines.learner import Learner, array_size, padded
from study.engines.native.lanes import NativeLanes
from study.spec.study import StudySpec
from study.spec.trial import HYPERS, OPTIMIZERS, Trial
from support.engines import keras_model
from support.engines.images import images
from support.engines.lanes import COMPACT, DROPOUT
from support.engines.lanes import RATES as SMALL_RATES
from support.engines.learners import parts, same, spoil
from support.parabola import CURVATURE, Parabola, ParabolaEngine

pytestmark = pytest.mark.slow

Floats = NDArray[Any]

RATES = {
    **SMALL_RATES,
    "tutorial": {
        "sgd": 0.02,
        "momentum": 0.01,
        "adam": 2e-4,
        "adagrad": 0.01,
        "adadelta": 0.2,
        "rmsprop": 2e-4,
    },
}
"""Rates at which each optimizer learns without chaos, so that rounding stays rounding."""


@cache
def on(framework: ModuleType) -> DeviceImages:
    """Those images on a device that multiplies in float32: TF32 would be no rounding error."""
    framework.prepare("float32")
    return DeviceImages.of(images(), framework)


@dataclass(frozen=True)
class Kind:
    """A Learner to be held to its word: what makes one, and the losses (steps,) that a trial's lane
    has to have.
    """

    make: Callable[[Sequence[Trial]], Learner]
    losses: Callable[[Trial, int], Floats]
    spec: StudySpec
    steps: int = 20
    tolerance: float = 1e-4
    """Of losses between programs that round differently."""

    def trials(self, hyper: str = "published") -> list[Trial]:
        """A trial for each optimizer, at its rate."""
        first = self.spec.with_(hyper=hyper).trials()[0]
        own = RATES[self.spec.network]
        return [replace(first, optimizer=name, learning_rate=own[name]) for name in OPTIMIZERS]


def parabola_losses(trial: Trial, steps: int) -> Floats:
    """c w^2 / 2 with w = (1 - rate c)^t."""
    c = CURVATURE[trial.optimizer]
    losses: Floats = c / 2 * (1 - trial.learning_rate * c) ** (2 * np.arange(steps))
    return losses


@cache
def keras_losses(trial: Trial, steps: int) -> Floats:
    """Those of a plain Keras model."""
    return keras_model.train(trial, images(), steps)[0]


def lanes_of(framework: ModuleType, trials: Sequence[Trial]) -> Learner:
    """Fresh lanes."""
    return Lanes(trials, on(framework))


def native_lanes(trials: Sequence[Trial]) -> Learner:
    """Fresh lanes in registers."""
    return NativeLanes(trials, images())


PERCEPTRON = COMPACT.with_(network="mlp", widths=(0.03125,))


COMPACT_ROUNDING = 1e-3
"""Programs for different processors and numbers of threads round to 4e-4 of each other in twenty
steps of that network.
"""

KINDS = {
    "parabola": Kind(ParabolaEngine().learner, parabola_losses, COMPACT, tolerance=1e-12),
    "tensorflow": Kind(
        partial(lanes_of, tensors), keras_losses, COMPACT, tolerance=COMPACT_ROUNDING
    ),
    "tensorflow-dropout": Kind(partial(lanes_of, tensors), keras_losses, DROPOUT),
    "native": Kind(native_lanes, keras_losses, COMPACT, tolerance=COMPACT_ROUNDING),
    "native-narrow": Kind(
        native_lanes, keras_losses, COMPACT.with_(widths=(1.25,)), tolerance=COMPACT_ROUNDING
    ),
    "native-perceptron": Kind(native_lanes, keras_losses, PERCEPTRON, tolerance=COMPACT_ROUNDING),
    "jax": Kind(partial(lanes_of, tensors_jax), keras_losses, COMPACT, tolerance=COMPACT_ROUNDING),
    "jax-dropout": Kind(
        partial(lanes_of, tensors_jax), keras_losses, DROPOUT.with_(widths=(0.0625,))
    ),
}

ONE_HYPER = {
    "tensorflow-dropout": "keras",
    "jax-dropout": "published",
    "native-narrow": "published",
    "native-perceptron": "keras",
}
"""The hyper-parameters of kinds whose engine is held to both on the compact network."""

EACH = [pytest.param(name, marks=[pytest.mark.kernels] * (name == "tensorflow")) for name in KINDS]


@pytest.fixture(params=EACH)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of Learner in turn."""
    return KINDS[request.param]


WITHOUT_DROPOUT = pytest.mark.parametrize(
    "kind", ["parabola", "tensorflow", "jax", "native"], indirect=True
)
"""Where what a lane owes is the same with dropout."""
WITHOUT_JAX_DROPOUT = pytest.mark.parametrize("kind", EACH[:-1], indirect=True)
"""The same batches and masks in both frameworks are the test of losses."""


def rates(array: Sequence[Trial], steps: int) -> Floats:
    """Constant rates (steps, K), the first trial's in padding lanes."""
    row = [trial.learning_rate for trial in array]
    return np.tile(padded(row, array_size(len(row))), (steps, 1))


@pytest.mark.parametrize(
    ("kind", "hyper"),
    [
        pytest.param(kind, hyper, marks=[pytest.mark.kernels] * (kind == "tensorflow"))
        for hyper in HYPERS
        for kind in KINDS
        if ONE_HYPER.get(kind, hyper) == hyper
    ],
    indirect=["kind"],
)
def test_losses_are_those_of_the_trials_trained_by_other_means(kind: Kind, hyper: str) -> None:
    """Step by step, for all six optimizers in one array: a closed form, or a plain Keras model with
    Keras's and TensorFlow 1's optimizers from the same initial weights, on the same batches and
    with the same units dropped.
    """
    array = kind.trials(hyper)
    losses, correct = kind.make(array).advance(rates(array, kind.steps))
    assert losses.shape == correct.shape == (kind.steps, 8)
    for lane, trial in enumerate(array):
        assert losses[:, lane] == pytest.approx(
            kind.losses(trial, kind.steps), abs=kind.tolerance
        ), trial.optimizer
        still = replace(trial, optimizer="sgd", learning_rate=0.0, hyper="published")
        untrained = kind.losses(still, kind.steps)
        if (trial.optimizer, hyper) != (
            "rmsprop",
            "published",
        ):  # whose mean square starts at one: it has hardly moved yet
            assert np.abs(losses[:, lane] - untrained).max() > 30 * kind.tolerance, trial.optimizer


@WITHOUT_DROPOUT
def test_two_runs_in_a_row_are_the_same_bit_for_bit(kind: Kind) -> None:
    """Losses, counts and all that a step changes."""
    array = kind.trials()
    first, second = kind.make(array), kind.make(array)
    a, b = (learner.advance(rates(array, 10)) for learner in (first, second))
    assert same(a, b)
    assert same(parts(first), parts(second))


@WITHOUT_JAX_DROPOUT
def test_snapshot_and_restore_are_bit_exact(kind: Kind) -> None:
    """Batches, dropout, weights, slots and the rate that a proof rests on; also after lanes have
    left.
    """
    array = kind.trials()
    learner = kind.make(array)
    learner.advance(rates(array, 7))
    state = learner.snapshot()
    expected = learner.advance(rates(array, 9))
    after = parts(learner)
    learner.keep([0, 3, 2, 5])
    learner.advance(np.full((3, 4), 1e9))
    learner.restore(state)
    assert learner.lanes == 8
    assert learner.stuck(range(8)).tolist() == [False] * 8
    assert same(learner.advance(rates(array, 9)), expected)
    assert same(parts(learner), after)


@WITHOUT_DROPOUT
def test_lanes_that_are_taken_go_on_as_their_originals(kind: Kind) -> None:
    """Slots included, at any place of the array, an index twice; and again from what was taken."""
    array = kind.trials()
    learner = kind.make(array)
    learner.advance(rates(array, 10))
    before, state = parts(learner), learner.snapshot()
    on_, _ = learner.advance(rates(array, 10))
    learner.restore(state)
    for taken in ([5, 2, 2, 4, 1, 0, 3, 3], [4, 1, 2, 2]):
        learner.keep(taken)
        origin = taken if learner.lanes == 8 else [[5, 2, 2, 4, 1, 0, 3, 3][i] for i in taken]
        assert learner.lanes == len(taken)
        assert all(
            np.array_equal(part, old[origin])
            for part, old in zip(parts(learner), before, strict=True)
        )
    losses, _ = learner.advance(rates(array, 10)[:, origin])
    assert losses == pytest.approx(on_[:, origin], abs=kind.tolerance)


@WITHOUT_DROPOUT
@pytest.mark.parametrize("turn", range(2))
def test_lanes_that_are_no_numbers_change_no_other(kind: Kind, turn: int) -> None:
    """Bit for bit, in an array of the same size: losses, weights, slots and accuracy. Three lanes
    are spoilt, each in its own way.
    """
    array = kind.trials()
    ways = {
        (turn + 2 * i) % 6: way for i, way in enumerate(("rate nan", "rate 1e30", "weights nan"))
    }
    others = [i for i in range(8) if i not in ways]
    sound, broken = kind.make(array), kind.make(array)
    schedule = rates(array, 8)
    spoiling = schedule.copy()
    for learner in (sound, broken):
        learner.advance(schedule)
    for lane, way in ways.items():
        if way == "weights nan":
            spoil(broken, lane)
        else:
            spoiling[:, lane] = float(way.split()[1])
    expected, _ = sound.advance(schedule)
    losses, _ = broken.advance(spoiling)
    assert np.isfinite(expected).all()
    if not isinstance(broken, Parabola):  # which a huge rate leaves where it is
        assert not np.isfinite(losses[-1, list(ways)]).any()
    assert same([losses[:, others]], [expected[:, others]])
    assert same(parts(broken), parts(sound), others)
    assert same([broken.evaluate()], [sound.evaluate()], others)


@WITHOUT_JAX_DROPOUT
def test_rates_may_change_within_a_call_and_calls_may_be_cut_anywhere(kind: Kind) -> None:
    """T steps in one call are T calls of one step, at rates of each step and lane, bit for bit,
    evaluation or proof in between or not.
    """
    array = kind.trials()
    schedule = rates(array, 12) * np.random.default_rng(0).uniform(0.1, 2, (12, 8))
    whole, pieces, single = (kind.make(array) for _ in range(3))
    expected, _ = whole.advance(schedule)
    for learner, cuts in ((pieces, [1, 7]), (single, list(range(1, 12)))):
        losses = []
        for part in np.split(schedule, cuts):
            losses.append(learner.advance(part)[0])
            if len(part) > 1:
                learner.evaluate()
                learner.stuck([2, 0])
        assert same([np.concatenate(losses)], [expected])
        assert same(parts(learner), parts(whole))
