"""Options of the update rules against Keras's own optimizers and TensorFlow 1's kernels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import cycle, zip_longest
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.engines import jax as framework_jax
from study.engines import tensorflow as framework_tensorflow
from study.engines.programs import piecewise
from study.engines.rules import RULES, Rule, mixed, rule_of, slots_of, starts
from study.engines.tensorflow import xp as tf
from study.spec.trial import OPTIMIZERS
from support.engines.peers import Floats, problem

pytestmark = pytest.mark.slow

TOLERANCE = 2e-5
"""Of the way that a weight has come; see `test_rules`."""

make = keras.optimizers

KERAS: dict[str, tuple[str, Callable[[], Any]]] = {
    "momentum.momentum=0.9": ("momentum", lambda: make.SGD(momentum=0.9)),
    "momentum.nesterov=true": ("momentum", lambda: make.SGD(momentum=0.5, nesterov=True)),
    "momentum.momentum=0.95,momentum.nesterov=true": (
        "momentum",
        lambda: make.SGD(momentum=0.95, nesterov=True),
    ),
    "adam.beta1=0.8,adam.beta2=0.99": ("adam", lambda: make.Adam(beta_1=0.8, beta_2=0.99)),
    "adam.epsilon=0.01": ("adam", lambda: make.Adam(epsilon=0.01)),
    "adam.weight_decay=0.1": ("adam", lambda: make.AdamW(weight_decay=0.1)),
    "adagrad.initial_accumulator=0.7,adagrad.epsilon=0.001": (
        "adagrad",
        lambda: make.Adagrad(initial_accumulator_value=0.7, epsilon=0.001),
    ),
    "adadelta.rho=0.8,adadelta.epsilon=1e-4": (
        "adadelta",
        lambda: make.Adadelta(rho=0.8, epsilon=1e-4),
    ),
    "rmsprop.rho=0.7": ("rmsprop", lambda: make.RMSprop(rho=0.7)),
    "rmsprop.momentum=0.8": ("rmsprop", lambda: make.RMSprop(momentum=0.8)),
    "rmsprop.centered=true,rmsprop.epsilon=0.001": (
        "rmsprop",
        lambda: make.RMSprop(centered=True, epsilon=0.001),
    ),
    "rmsprop.centered=true,rmsprop.momentum=0.6,rmsprop.epsilon=0.01": (
        "rmsprop",
        lambda: make.RMSprop(centered=True, momentum=0.6, epsilon=0.01),
    ),
    "sgd.clipvalue=0.02": ("sgd", lambda: make.SGD(clipvalue=0.02)),
    "sgd.clipnorm=0.05": ("sgd", lambda: make.SGD(clipnorm=0.05)),
    "sgd.global_clipnorm=0.05": ("sgd", lambda: make.SGD(global_clipnorm=0.05)),
    "clipnorm=0.03,weight_decay=0.02": (
        "rmsprop",
        lambda: make.RMSprop(clipnorm=0.03, weight_decay=0.02),
    ),
    "global_clipnorm=0.1,adagrad.weight_decay=0.3": (
        "adagrad",
        lambda: make.Adagrad(global_clipnorm=0.1, weight_decay=0.3),
    ),
    "clipvalue=0.05,weight_decay=0.01": (
        "momentum",
        lambda: make.SGD(momentum=0.5, clipvalue=0.05, weight_decay=0.01),
    ),
}
"""Options, the optimizer that they are tried on, and Keras's own with them."""

PIECES = ((5, 2), (9,))
"""Weight arrays of a lane: two small ones together, and one alone."""


def keras_steps(made: Any, weights: Floats, gradients: Floats, rates: Floats) -> Floats:
    """The weights of each lane after each step (T, K, n) by Keras's optimizer, a variable for each
    weight array. The step is compiled once, and begins anew for each lane.
    """
    ends = np.cumsum([size for piece in PIECES for size in piece])[:-1]
    variables = [keras.Variable(part) for part in np.split(weights[0], ends)]
    made.build(variables)
    step = tf.function(lambda *parts: made.apply(list(parts)), autograph=False)
    begin = [variable.numpy() for variable in made.variables]
    lanes = []
    for lane in range(len(weights)):
        own = np.split(weights[lane], ends)
        for variable, value in zip([*variables, *made.variables], [*own, *begin], strict=True):
            variable.assign(value)
        steps = []
        for gradient, rate in zip(gradients[:, lane], rates, strict=True):
            made.learning_rate = float(rate)
            step(*(tf.constant(part) for part in np.split(gradient, ends)))
            steps.append(np.concatenate([variable.numpy() for variable in variables]))
        lanes.append(np.stack(steps))
    return np.stack(lanes, axis=1)


@cache
def program(framework: Any, rules: tuple[Rule, ...]) -> Any:
    """What steps lanes of some rules, compiled once."""
    return framework.fused(partial(piecewise, rules, PIECES, framework.xp))


def lanes_steps(
    framework: Any,
    rules: list[Rule],
    kinds: list[int],
    gradients: Floats,
    rates: Floats,
    weights: Floats,
    momenta: Floats | None = None,
) -> Floats:
    """The weights of all lanes (T, K, n) as a program steps them."""
    xp, count = framework.xp, slots_of(rules)
    cut = np.cumsum([sum(piece) for piece in PIECES])[:-1]

    def parts(array: Floats) -> list[Any]:
        return [xp.constant(part) for part in np.split(array.astype(np.float32), cut, axis=1)]

    begin = np.array([starts(rules[kind], count) for kind in kinds]).T[:, :, None]
    slots = [parts(weights), *(parts(np.broadcast_to(x, weights.shape)) for x in begin)]
    kind = xp.constant(np.array(kinds)[:, None], xp.int32)
    own = np.array([[getattr(rules[kind], "momentum", 0.5)] for kind in kinds])
    update, steps = program(framework, tuple(rules)), []
    for t, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = own if momenta is None else momenta[t - 1]
        taken = (xp.constant(rate, xp.float32), xp.constant(float(t)), xp.constant(m, xp.float32))
        slots = update(kind, *taken, *(x for slot in slots for x in slot), *parts(gradient))
        steps.append(np.concatenate([np.asarray(part) for part in slots[0]], axis=1))
    return np.stack(steps)


def worst(found: Floats, wanted: Floats, start: Floats) -> float:
    """The greatest difference as a share of the way come, less the rounding of the weight."""
    before = np.concatenate([start[None], wanted[:-1]])
    way = np.cumsum(np.abs(wanted - before), axis=0)
    rounding = 2 * np.cumsum(np.spacing(np.maximum(np.abs(wanted), np.abs(before))), axis=0)
    excess = np.maximum(np.abs(found - wanted) - rounding, 0)
    return float(np.max(excess / np.maximum(way, 1e-30)))


FRAMEWORKS = {"tensorflow": framework_tensorflow, "jax": framework_jax}


OF_EACH = [[text for text, (name, _) in KERAS.items() if name == own] for own in OPTIMIZERS]
ARRAYS = [[text or "" for text in texts] for texts in zip_longest(*OF_EACH)]
"""Options of all optimizers at once, as many as there are; the empty text is none."""


@pytest.mark.parametrize(("texts", "engine"), [*zip(ARRAYS, cycle(FRAMEWORKS), strict=False)])
def test_an_option_is_that_of_keras(texts: list[str], engine: str) -> None:
    """In three lanes of each optimizer in one array, at rates that change."""
    task = problem(4, True, "float32")
    pairs = zip(OPTIMIZERS, texts, strict=True)
    rules = [rule_of(f"keras,{text}".rstrip(","), name) for name, text in pairs]
    kinds = [kind for kind in range(len(OPTIMIZERS)) for _ in range(3)]
    rates = np.broadcast_to(task.rates[:, None, None], (len(task.rates), len(kinds), 1))
    gradients, weights = (np.concatenate([x] * 6, axis=-2) for x in (task.gradients, task.weights))
    found, plain = (
        lanes_steps(FRAMEWORKS[engine], given, kinds, gradients, rates, weights)
        for given in (rules, list(RULES["keras"].values()))
    )
    for kind, text in enumerate(texts):
        if not text:
            continue
        _, peer = KERAS[text]
        wanted = keras_steps(peer(), task.weights, task.gradients, task.rates)
        # A mean that is subtracted from another takes the digits with it.
        limit = 2e-3 if "centered" in text else 10 * TOLERANCE if "0.8" in text else TOLERANCE
        for lane, start in enumerate(task.weights):
            own = 3 * kind + lane
            assert worst(found[:, own], wanted[:, lane], start) < limit, text
            assert worst(plain[:, own], wanted[:, lane], start) > 10 * limit, text


@pytest.mark.parametrize("nesterov", [False, True])
def test_nesterov_is_tensorflow_1s_kernel(nesterov: bool) -> None:
    """In float64, at rates that change, where Keras's form differs."""
    task = problem(2, True, "float64")
    w, v = tf.Variable(task.weights), tf.Variable(0 * task.weights)
    text = f"momentum.momentum=0.8,momentum.nesterov={str(nesterov).lower()}"
    rule, found = rule_of(text, "momentum"), [task.weights, 0 * task.weights, 0 * task.weights]
    for t, (g, rate) in enumerate(zip(task.gradients, task.rates, strict=True), start=1):
        tf.raw_ops.ResourceApplyMomentum(
            var=w.handle,
            accum=v.handle,
            lr=tf.constant(rate),
            grad=tf.constant(g),
            momentum=tf.constant(0.8, tf.float64),
            use_nesterov=nesterov,
        )
        found = list(mixed([rule])(np, None, *found, g, rate, t))
        np.testing.assert_allclose(found[0], w.numpy(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("centered", [False, True])
def test_rmsprop_with_options_is_tensorflow_1s_kernel(centered: bool, momentum: float) -> None:
    """In float64, from its mean square of one."""
    task = problem(3, True, "float64")
    w, ms, mg, mom = (
        tf.Variable(task.weights),
        tf.Variable(0 * task.weights + 1),
        tf.Variable(0 * task.weights),
        tf.Variable(0 * task.weights),
    )
    text = (
        f"rmsprop.momentum={momentum},rmsprop.centered={str(centered).lower()},"
        "rmsprop.rho=0.8,rmsprop.epsilon=0.001"
    )
    rule = rule_of(text, "rmsprop")
    found = [task.weights, *(0 * task.weights + x for x in starts(rule, slots_of([rule])))]
    for t, (g, rate) in enumerate(zip(task.gradients, task.rates, strict=True), start=1):
        numbers = {"rho": 0.8, "momentum": momentum, "epsilon": 0.001}
        given_ = {key: tf.constant(value, tf.float64) for key, value in numbers.items()}
        given_ |= {"lr": tf.constant(rate), "grad": tf.constant(g)}
        if centered:
            tf.raw_ops.ResourceApplyCenteredRMSProp(
                var=w.handle, mg=mg.handle, ms=ms.handle, mom=mom.handle, **given_
            )
        else:
            tf.raw_ops.ResourceApplyRMSProp(var=w.handle, ms=ms.handle, mom=mom.handle, **given_)
        found = list(mixed([rule])(np, None, *found, g, rate, t))
        np.testing.assert_allclose(found[0], w.numpy(), rtol=1e-9, atol=1e-13)


PLAIN: dict[str, Callable[[], Any]] = {
    "sgd": lambda: make.SGD(0.01),
    "momentum": lambda: make.SGD(0.01, momentum=0.5),
    "adam": lambda: make.Adam(0.01),
    "adagrad": lambda: make.Adagrad(0.01),
    "adadelta": lambda: make.Adadelta(0.01),
    "rmsprop": lambda: make.RMSprop(0.01),
}


@pytest.mark.parametrize("name", list(PLAIN))
@pytest.mark.parametrize("huge", [2e19, 3e25, -1e38, np.inf])
def test_a_square_that_overflows_does_what_it_does_in_keras(name: str, huge: float) -> None:
    """One such gradient among others: the same weights are numbers, and those are equal."""
    gradients = np.tile(np.array([0.1, -0.2, 0.3], np.float32), (6, 1))
    gradients[2, 1] = huge
    peer = PLAIN[name]()
    weight = keras.Variable(np.ones(3, np.float32))
    peer.build([weight])
    rule = RULES["keras"][name]
    found = [np.ones((1, 3), np.float32), *(np.full((1, 3), x, np.float32) for x in starts(rule))]
    slots = [tf.constant(x) for x in found]
    for t, g in enumerate(gradients, start=1):
        peer.apply([tf.constant(g)])
        slots = list(
            mixed([rule])(tf, None, *slots, tf.constant(g[None]), tf.constant([[0.01]]), float(t))
        )
    ours, wanted = np.asarray(slots[0])[0], weight.numpy()
    assert np.isfinite(ours).tolist() == np.isfinite(wanted).tolist()
    fine = np.isfinite(wanted)
    assert ours[fine] == pytest.approx(wanted[fine], rel=1e-4)


@given(st.integers(0, 5), st.sampled_from(["clipvalue", "clipnorm", "global_clipnorm"]))
def test_a_bound_of_one_optimizer_leaves_the_lanes_of_others_bit_for_bit(
    kind: int, how: str
) -> None:
    """Whatever is in their gradients."""
    rules = [rule_of(f"keras,{OPTIMIZERS[kind]}.{how}=0.001", each) for each in OPTIMIZERS]
    random = np.random.default_rng(kind)
    gradients = random.normal(size=(2, 6, 16)).astype(np.float32)
    gradients[1, (kind + 1) % 6, 3] = np.nan
    rates, weights = np.full((2, 6, 1), 0.1), random.normal(size=(6, 16)).astype(np.float32)
    arguments = (list(range(6)), gradients, rates, weights)
    bounded = lanes_steps(framework_jax, rules, *arguments)
    free = lanes_steps(framework_jax, list(RULES["keras"].values()), *arguments)
    others = [lane for lane in range(6) if lane != kind]
    np.testing.assert_array_equal(bounded[:, others], free[:, others])
    assert not np.array_equal(bounded[:, kind], free[:, kind])


@pytest.mark.parametrize("engine", list(FRAMEWORKS))
def test_a_coefficient_that_changes_is_that_of_its_step(engine: str) -> None:
    """v <- m_t v + g for Momentum, by hand; rules without momentum do not see it."""
    random = np.random.default_rng(0)
    gradients = random.normal(size=(8, 3, 16)).astype(np.float32)
    momenta = random.uniform(0, 0.99, (8, 3, 1))
    rules, weights = list(RULES["published"].values()), np.zeros((3, 16), np.float32)
    rates = np.full((8, 3, 1), 0.1)
    kinds = [OPTIMIZERS.index(name) for name in ("momentum", "adam", "rmsprop")]
    found = lanes_steps(FRAMEWORKS[engine], rules, kinds, gradients, rates, weights, momenta)
    plain = lanes_steps(FRAMEWORKS[engine], rules, kinds, gradients, rates, weights)
    np.testing.assert_array_equal(found[:, 1:], plain[:, 1:])
    w = v = np.zeros(16)
    for t in range(8):
        v = momenta[t, 0, 0] * v + gradients[t, 0]
        w = w - 0.1 * v
        assert found[t, 0] == pytest.approx(w, abs=1e-6)
