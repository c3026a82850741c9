"""The rates of a sweep are those that the weights are trained at, whatever optimizers there are."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, optimizers

import study
from study.engines.tensorflow import xp as tf
from study.errors import StudyError
from support.engines.own_models import SCHEDULE, SHORT, Breaks, X, Y, compiled, same
from support.engines.own_optimizers import WAYS, Pair, as_the_compiled_one, pair

pytestmark = pytest.mark.slow

SGD = optimizers.SGD


def two_layers(optimizer: Any) -> Any:
    keras.utils.set_random_seed(5)
    inputs = layers.Input((6,))
    body = layers.Dense(8, activation="relu", name="body")(inputs)
    return compiled(keras.Model(inputs, layers.Dense(3, name="head")(body)), optimizer)


def groups(default: Any, body: Any) -> Any:
    made = optimizers.OptimizerMap(default, {"body.*": body})
    return optimizers.MultiOptimizer(made)


@pytest.mark.parametrize("rate", [0.02, SCHEDULE], ids=["rate", "schedule"])
def test_groups_are_led_by_a_common_factor(rate: Any) -> None:
    """The losses are those of one SGD whose gradients of the body are a quarter of what they are.

    The share is that of the rates when the sweep begins.
    """
    share = 0.25 * (0.02 if rate == 0.02 else 0.01)
    model = two_layers(groups(SGD(rate), SGD(share)))
    before = [v.numpy().copy() for v in (*model.variables, *model.optimizer.variables)]
    found = study.find_rate(model, X, Y, batch_size=64, seed=2, steps=12, low=0.01, high=1.0)
    assert same(before, [v.numpy() for v in (*model.variables, *model.optimizer.variables)])
    other, losses, draw = two_layers(SGD(0.01)), [], np.random.default_rng(2)
    order = np.concatenate([draw.permutation(256) for _ in range(3)])
    for place, step in enumerate(found.rates):
        x, y = X[order[64 * place :][:64]], Y[order[64 * place :][:64]]
        with tf.GradientTape() as tape:
            loss = other.compute_loss(y=y, y_pred=other(x, training=True))
        for weight, slope in zip(
            other.trainable_weights, tape.gradient(loss, other.trainable_weights), strict=True
        ):
            weight.assign_sub(step * slope * (0.25 if "body" in weight.path else 1))
        losses.append(float(loss))
    assert found.losses == pytest.approx(np.array(losses), rel=1e-5)
    assert found.rate_of == "default, body.* having 0.25 of it"


def test_groups_by_a_function_and_groups_without_weights() -> None:
    """The optimizers are known once the weights are; one that trains nothing leads nothing."""
    slow, fast = SGD(0.1), SGD(0.3)
    chosen = optimizers.MultiOptimizer(lambda weight: slow if "body" in weight.path else fast)
    assert "having 3 of it" in study.find_rate(two_layers(chosen), X, Y, **SHORT).rate_of
    unused = optimizers.OptimizerMap(SGD(0.5), {"body.*": SGD(0.1), "head.*": SGD(0.3)})
    found = study.find_rate(two_layers(optimizers.MultiOptimizer(unused)), X, Y, **SHORT)
    assert found.rate_of == "body.*, head.* having 3 of it"
    nothing = groups(SGD(0.0), SGD(0.1))
    with pytest.raises(StudyError, match="the rate of default is 0"):
        study.find_rate(two_layers(nothing), X, Y, **SHORT)


def test_one_group_at_a_time() -> None:
    """The others keep their rates: at rates of 1e-9 the sweep is one of a frozen body or head."""
    for group, still in (("default", "body"), ("body.*", "head")):
        model = two_layers(groups(SGD(1e-9), SGD(1e-9)))
        found = study.find_rate(model, X, Y, group=group, steps=12, low=0.01, high=1.0)
        other = two_layers(SGD(0.01))
        other.get_layer(still).trainable = False
        frozen = study.find_rate(compiled(other, SGD(0.01)), X, Y, steps=12, low=0.01, high=1.0)
        assert found.losses == pytest.approx(frozen.losses, rel=1e-5)
        assert found.rate_of == group
    with pytest.raises(StudyError, match=r"unknown group 'head': one of default, body\.\*"):
        study.find_rate(two_layers(groups(SGD(0.1), SGD(0.1))), X, Y, group="head")


@pytest.mark.parametrize("eager", [False, True], ids=["graph", "eager"])
@pytest.mark.parametrize("way", WAYS)
def test_optimizers_that_are_not_led_are_refused_by_name(way: str, eager: bool) -> None:
    """Wherever they are kept; the way out is named, and works; everything is put back."""
    model = pair(way, run_eagerly=eager)
    trained = [v.numpy().copy() for v in model.variables]
    with pytest.raises(StudyError, match="name the one to lead, as in group=") as refusal:
        study.find_rate(model, X, Y, **SHORT)
    assert repr(way) in str(refusal.value)
    found = study.find_rate(model, X, Y, group=way, **SHORT)
    assert found.rate_of == way
    assert same(trained, [v.numpy() for v in model.variables])
    ends = []
    for one in (model, None):
        one = one or pair(way, run_eagerly=eager)
        one.fit(X, Y, epochs=2, shuffle=False, verbose=0)
        ends.append([v.numpy() for v in one.variables])
    assert same(*ends)


def test_a_compiled_optimizer_beside_another() -> None:
    """The compiled one takes its steps, and yet it does not train alone."""
    model = Pair(as_the_compiled_one, lambda m: (m.optimizer, m.head_optimizer))
    model(X[:2])
    model.compile(SGD(0.1), SGD(0.1))
    with pytest.raises(StudyError, match="trains with head_optimizer"):
        study.find_rate(model, X, Y, **SHORT)
    assert len(study.find_rate(model, X, Y, group="optimizer", **SHORT).losses) == 8


class Around(optimizers.SGD):  # type: ignore[misc]
    """Leaves its steps to another optimizer, in a way that Keras does not know."""

    def __init__(self, base: Any) -> None:
        super().__init__(0.5)
        self.base = base

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        self.base.apply(grads, trainable_variables)
        self.iterations.assign_add(1)


def test_an_optimizer_around_another() -> None:
    """Its own rate trains nothing; that of the other can be led."""
    model = two_layers(Around(SGD(0.1)))
    with pytest.raises(StudyError, match=r"group='optimizer\.base'"):
        study.find_rate(model, X, Y, **SHORT)
    found = study.find_rate(model, X, Y, group="optimizer.base", **SHORT)
    assert found.losses == pytest.approx(
        study.find_rate(two_layers(SGD(0.1)), X, Y, **SHORT).losses
    )


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "scaled"])
def test_gathered_gradients_and_scaled_losses_are_no_strangers(wrapped: bool) -> None:
    """What works as ever: no step is missing where a step only gathers, or finds an overflow."""
    inner = SGD(0.1, gradient_accumulation_steps=4)
    optimizer = optimizers.LossScaleOptimizer(inner, initial_scale=2.0**127) if wrapped else inner
    assert len(study.find_rate(two_layers(optimizer), X, Y, steps=120).losses) > 20


@pytest.mark.parametrize("two", [False, True], ids=["one", "two"])
def test_optimizers_under_a_strategy(two: bool) -> None:
    """Their variables are those of replicas."""
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = two_layers(groups(SGD(0.1), SGD(0.2)) if two else SGD(0.1))
    assert len(study.find_rate(model, X, Y, **SHORT).losses) == 8


class WarmsUp(Breaks):
    """Sets its rate in each step."""

    def train_step(self, data: Any) -> Any:
        steps = tf.cast(self.optimizer.iterations, tf.float32)
        self.optimizer.learning_rate.assign(0.001 * (1 + steps))
        return super().train_step(data)


def test_a_step_that_sets_the_rate_itself_is_refused() -> None:
    """The rate is put back."""
    model = compiled(WarmsUp(), SGD(0.5))
    with pytest.raises(StudyError, match="sets the rate of optimizer itself"):
        study.find_rate(model, X, Y, **SHORT)
    assert float(model.optimizer.learning_rate) == 0.5


class Precompiled(Breaks):
    """Its step is compiled once, with whatever rate it has then."""

    train_step = tf.function(Breaks.train_step)


def lone(kind: type[Breaks], rate: Any) -> Any:
    """A model of one layer, with weights that are always the same."""
    model = kind()
    model(X[:2])
    model.set_weights([np.ones((6, 3)), np.zeros(3)])
    model.compile(SGD(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_a_schedule_in_a_step_that_the_user_compiles() -> None:
    """One that was compiled before is refused; one compiled in a sweep counts again after it."""
    model = lone(Precompiled, SCHEDULE)
    plain = study.find_rate(lone(Precompiled, 0.5), X, Y, **SHORT)
    assert study.find_rate(model, X, Y, **SHORT).losses.tolist() == plain.losses.tolist()
    fresh = lone(Breaks, SCHEDULE)
    for one in (model, fresh):
        one.fit(X, Y, shuffle=False, verbose=0)
    assert model.get_weights()[0] == pytest.approx(fresh.get_weights()[0], rel=1e-6)
    late = lone(Precompiled, SCHEDULE)
    late.fit(X, Y, verbose=0)
    with pytest.raises(StudyError, match="compiled before with the schedule"):
        study.find_rate(late, X, Y, **SHORT)


class ByHand(Breaks):
    """Trains without an optimizer."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        for weight, slope in zip(
            self.trainable_weights, tape.gradient(loss, self.trainable_weights), strict=True
        ):
            weight.assign_sub(0.01 * slope)
        return {"loss": loss}


@pytest.mark.parametrize("steps", [8, 60])
def test_a_step_without_an_optimizer_is_refused(steps: int) -> None:
    """However short the sweep is; the weights are put back."""
    model = compiled(ByHand())
    model(X[:2])
    before = [v.numpy().copy() for v in model.variables]
    with pytest.raises(StudyError, match="the optimizer optimizer has taken no step"):
        study.find_rate(model, X, Y, steps=steps)
    assert same(before, [v.numpy() for v in model.variables])
