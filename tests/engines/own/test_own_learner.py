"""The learner of a user's own model owes what every learner owes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from study.engines.own.blocks import Blocks
from study.engines.own.code import Code
from study.engines.own.lanes import OwnLanes
from study.engines.own.torch.arrays import ModuleArrays
from study.errors import StudyError
from support.engines.user_models import data, engine_of, keras_model, torch_module

pytestmark = pytest.mark.slow

CODES = {
    "keras": Code(keras_model, data),
    "torch": Code(torch_module, data, "cross_entropy"),
}
RATES = (0.003, 0.03, 1e6)


@pytest.fixture(scope="module", params=["keras", "torch"])
def settled(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A study of two optimizers and its engine."""
    return engine_of(CODES[request.param], optimizers=("adamw", "sgd"), rates=RATES, seeds=2)


def lanes(settled: tuple[Any, Any], optimizer: str = "adamw", seed: int = 0) -> OwnLanes:
    """A learner of one optimizer's trials."""
    spec, engine = settled
    chosen = [t for t in spec.trials() if (t.optimizer, t.seed) == (optimizer, seed)]
    learner = engine.learner(chosen)
    assert isinstance(learner, OwnLanes)
    return learner


def led(learner: Any, steps: int) -> Any:
    """Rates of the lanes, padding at the first one."""
    row = [*RATES, *[RATES[0]] * learner.lanes][: learner.lanes]
    return np.tile(row, (steps, 1))


def state(learner: Any, lane: int) -> list[Any]:
    return [np.array(one) for one in learner.program.weights(learner.state, lane)]


def same(one: list[Any], other: list[Any]) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


def test_a_snapshot_is_bit_for_bit(settled: tuple[Any, Any]) -> None:
    """With statistics, slots, random numbers and the place in the data."""
    learner = lanes(settled)
    learner.advance(led(learner, 7))
    before = learner.snapshot()
    first = learner.advance(led(learner, 13))
    ends = [state(learner, lane) for lane in range(3)]
    learner.keep([1] * learner.lanes)
    learner.advance(led(learner, 3))
    learner.restore(before)
    again = learner.advance(led(learner, 13))
    assert np.array_equal(first[0], again[0], equal_nan=True)
    assert np.array_equal(first[1], again[1], equal_nan=True)
    assert all(same(ends[lane], state(learner, lane)) for lane in range(3))


def test_steps_at_once_are_steps_one_by_one(settled: tuple[Any, Any]) -> None:
    """Whatever the length of a call, also beyond an epoch."""
    one, other = lanes(settled), lanes(settled)
    whole = one.advance(led(one, 23))[0]
    parts = [other.advance(led(other, count))[0] for count in (1, 9, 13)]
    assert np.allclose(whole[:, :2], np.concatenate(parts)[:, :2], rtol=1e-5, atol=1e-6)


def test_a_lane_that_diverges_harms_no_other(settled: tuple[Any, Any]) -> None:
    """No operation mixes lanes."""
    learner, calm = lanes(settled, "sgd"), lanes(settled, "sgd")
    rates = led(learner, 40)
    losses = learner.advance(rates)[0]
    rates[:, 2] = RATES[0]
    expected = calm.advance(rates)[0]
    assert not np.isfinite(losses[:, 2]).all() or losses[-1, 2] > 10 * losses[0, 2]
    assert np.allclose(losses[:, :2], expected[:, :2], rtol=1e-5, atol=1e-6)


def test_kept_lanes_go_on_where_they_were(settled: tuple[Any, Any]) -> None:
    """In their new order; one may come twice."""
    learner, other = lanes(settled), lanes(settled)
    for one in (learner, other):
        one.advance(led(one, 5))
    learner.keep([1, 0, 1, 1][: 4 if learner.program.together else 3])
    rates = np.tile([RATES[1], RATES[0], RATES[1], RATES[1]][: learner.lanes], (5, 1))
    kept, whole = learner.advance(rates)[0], other.advance(led(other, 5))[0]
    assert np.allclose(kept[:, 0], whole[:, 1], rtol=1e-5, atol=1e-6)
    assert np.allclose(kept[:, 1], whole[:, 0], rtol=1e-5, atol=1e-6)
    assert np.array_equal(kept[:, 0], kept[:, 2])


def test_seeds_differ_and_repeat(settled: tuple[Any, Any]) -> None:
    """In weights, in the order of the data, and in dropout."""
    first, again, other = lanes(settled), lanes(settled), lanes(settled, seed=1)
    losses = [one.advance(led(one, 5))[0][:, 0] for one in (first, again, other)]
    assert np.array_equal(losses[0], losses[1])
    assert not np.isclose(losses[0], losses[2]).any()


def test_optimizers_of_one_array_are_blocks(settled: tuple[Any, Any]) -> None:
    """Each lane trains as in a learner of its own optimizer."""
    spec, engine = settled
    chosen = [trial for trial in spec.trials() if trial.seed == 0 and trial.learning_rate < 1]
    mixed = engine.learner([chosen[0], chosen[2], chosen[1], chosen[3]])
    assert isinstance(mixed, Blocks)
    rates = np.tile([RATES[0], RATES[0], RATES[1], RATES[1]], (6, 1))
    losses = mixed.advance(rates)[0]
    mixed.keep([3, 0])
    after = mixed.advance(np.tile([RATES[1], RATES[0]], (4, 1)))[0]
    for place, (optimizer, lane) in enumerate([("adamw", 0), ("sgd", 0), ("adamw", 1), ("sgd", 1)]):
        alone = lanes(settled, optimizer)
        own = alone.advance(led(alone, 6))[0][:, lane]
        assert np.allclose(losses[:, place], own, rtol=1e-5, atol=1e-6)
        if place in (0, 3):
            went_on = alone.advance(led(alone, 4))[0][:, lane]
            assert np.allclose(after[:, 1 if place == 0 else 0], went_on, rtol=1e-5, atol=1e-6)
    assert mixed.evaluate().shape == (2,)


def test_the_validation_data_are_evaluated_as_the_framework_does(settled: tuple[Any, Any]) -> None:
    """The share classified right, by hand."""
    spec, _engine = settled
    learner = lanes(settled)
    learner.advance(led(learner, 30))
    (_, (x, y)) = data()
    model = CODES["keras" if spec.own.framework == "keras" else "torch"].build(1, 0)
    if spec.own.framework == "keras":
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        for variable, value in zip(variables, state(learner, 0), strict=True):
            variable.assign(value)
        right = np.asarray(model(x)).argmax(1) == y
    else:
        import torch

        names = list(model.state_dict())
        values = zip(names, state(learner, 0), strict=True)
        model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in values})
        right = model.eval()(torch.from_numpy(x)).argmax(1).numpy() == y
    assert learner.evaluate()[0] == pytest.approx(right.mean(), abs=1e-6)


def test_an_array_of_modules_trains_as_each_alone() -> None:
    """Every optimizer that may be in an array, with its own settings."""
    labels = (
        *("sgd(momentum=0.9,weight_decay=0.1)", "adam(weight_decay=0.1)", "adamw", "rmsprop"),
        *("adagrad(lr_decay=0.1)", "adadelta", "adamax", "nadam", "radam"),
    )
    spec, engine = engine_of(CODES["torch"], optimizers=labels, rates=(0.003, 0.01))
    assert spec.own is not None
    assert spec.own.together
    for label in labels:
        pair = [trial for trial in spec.trials() if trial.optimizer == label]
        array = engine.learner(pair)
        assert isinstance(array.program, ModuleArrays)
        losses = array.advance(np.tile([0.003, 0.01], (12, 1)))[0]
        for lane, trial in enumerate(pair):
            alone = engine.learner([trial]).advance(np.full((12, 1), trial.learning_rate))[0]
            assert np.allclose(losses[:, lane], alone[:, 0], rtol=1e-4, atol=1e-5), label


def test_groups_keep_their_ratio() -> None:
    """The grid's rate is the first group's."""
    import torch

    def mine(module: Any) -> Any:
        groups = [{"params": module[0].parameters()}, {"params": module[4].parameters(), "lr": 0.5}]
        return torch.optim.SGD(groups, lr=1.0)

    spec, engine = engine_of(CODES["torch"], optimizers=(mine,), rates=(0.1,))
    (trial,) = spec.trials()
    learner = engine.learner([trial])
    learner.advance(np.full((1, 1), 0.1))
    assert [group["lr"] for group in learner.program.optimizer.param_groups] == [0.1, 0.05]
    assert spec.optimizers == ("mine",)
    assert '"share": 0.5' in trial.config


def test_the_user_s_own_objects_are_never_touched() -> None:
    """The grid builds its own model."""
    import keras

    mine = keras_model()
    template = keras.optimizers.Lion(learning_rate=0.5, weight_decay=0.01)
    before = [np.array(one) for one in mine.get_weights()]
    spec, engine = engine_of(CODES["keras"], optimizers=(template, "sgd"))
    engine.learner(spec.trials()[:1]).advance(np.full((3, 1), 0.01))
    assert spec.optimizers == ("lion(weight_decay=0.01)", "sgd")
    assert same(before, mine.get_weights())
    assert float(template.learning_rate.numpy()) == 0.5
    assert not template.built


def test_a_trial_of_another_model_is_refused(settled: tuple[Any, Any]) -> None:
    """A worker's file may be another than the driver's."""
    spec, engine = settled
    from dataclasses import replace

    with pytest.raises(StudyError, match="another than the study's"):
        engine.learner([replace(spec.trials()[0], start="0" * 16)])
