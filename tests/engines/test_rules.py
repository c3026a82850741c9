"""The update rules against TensorFlow 1's own optimizers and kernels and Keras 3's, and the
independence of lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

from study.engines.rules import RULES, Rule, mixed, starts
from study.engines.tensorflow import xp as tf
from study.spec.trial import HYPERS, OPTIMIZERS
from support.engines.peers import STEPS, Floats, Problem, expected, problem

pytestmark = pytest.mark.slow

TOLERANCE = {"float32": 2e-5, "float64": 1e-11}
"""Greatest error allowed, as a share of the way that a weight has come (the sum of its steps'
sizes).

In float32, in which the study trains, a step's own rounding is some 1e-7 of it; the greatest part
is Adam's 1 - 0.999, which TensorFlow 1 rounds to float32 before it subtracts (1.3e-5 too little)
and the rules and Keras after: 7e-6 of a step. In float64 only 1e-15 is left, so that a wrong
epsilon, start or coefficient shows however little it does.
"""


@cache
def compiled(rule: Rule) -> Callable[..., Any]:
    """The rule's update as one XLA program, as training runs it."""
    return tf.function(partial(mixed([rule]), tf, None), jit_compile=True, autograph=False)  # type: ignore[no-any-return]


def tools(library: str) -> tuple[Any, Callable[[Any], Any]]:
    """A library's namespace, and what makes its arrays."""
    return (np, np.asarray) if library == "numpy" else (tf, tf.constant)


def ours(rule: Rule, task: Problem, library: str, rates: Floats | None = None) -> Floats:
    """A rule's weights after each step (T, K, n), in numpy, TensorFlow, or TensorFlow compiled by
    XLA; rates (T, K, 1).
    """
    dtype = task.weights.dtype
    xp, array = tools(library)
    update = compiled(rule) if library == "xla" else partial(mixed([rule]), xp, None)
    if rates is None:
        rates = np.broadcast_to(task.rates[:, None, None], (len(task.rates), len(task.weights), 1))
    w, a, b = (
        array(task.weights),
        *(array(np.full_like(task.weights, start)) for start in starts(rule)),
    )
    steps = []
    for t, (g, rate) in enumerate(zip(task.gradients, rates, strict=True), start=1):
        w, a, b = update(w, a, b, array(g), array(rate), array(np.array(t, dtype)))
        steps.append(np.array(w))
    return np.stack(steps)


def worst(found: Floats, wanted: Floats, start: Floats) -> float:
    """The greatest difference as a share of the way come, less a unit in the last place of the
    weight for every step's two roundings.
    """
    before = np.concatenate([start[None], wanted[:-1]])
    way = np.cumsum(np.abs(wanted - before), axis=0)
    rounding = np.cumsum(np.spacing(np.maximum(np.abs(wanted), np.abs(before))), axis=0)
    excess = np.maximum(np.abs(found - wanted) - rounding, 0)
    return float(np.max(excess / np.maximum(way, np.finfo(way.dtype).tiny)))


each_rule = pytest.mark.parametrize(
    ("hyper", "name"), [(hyper, name) for hyper in HYPERS for name in OPTIMIZERS]
)


@pytest.mark.parametrize("changing", [False, True], ids=["constant", "changing"])
@pytest.mark.parametrize("library", ["numpy", "tensorflow", "xla"])
@each_rule
def test_every_step_is_the_peers(hyper: str, name: str, library: str, changing: bool) -> None:
    """A rule takes its peer's steps, at a constant rate and at one that changes every step."""
    for seed in range(3):
        task, wanted = (
            problem(seed, changing, "float32"),
            expected(hyper, name, seed, changing, "float32"),
        )
        assert (
            worst(ours(RULES[hyper][name], task, library), wanted, task.weights)
            < TOLERANCE["float32"]
        )


@pytest.mark.parametrize("changing", [False, True], ids=["constant", "changing"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_published_rules_are_the_kernels_to_the_last_digits(name: str, changing: bool) -> None:
    """In float64 a published rule and TensorFlow 1's kernel agree but for rounding. (Keras rounds
    its coefficients to float32 always.)
    """
    for seed in range(3):
        task, wanted = (
            problem(seed, changing, "float64"),
            expected("published", name, seed, changing, "float64"),
        )
        assert (
            worst(ours(RULES["published"][name], task, "numpy"), wanted, task.weights)
            < TOLERANCE["float64"]
        )


@pytest.mark.parametrize(
    ("name", "changing"), [("momentum", True), *((name, False) for name in OPTIMIZERS[2:])]
)
def test_each_set_is_its_own_peers(name: str, changing: bool) -> None:
    """Where TensorFlow 1 and Keras differ, if only by Adagrad's epsilon, a rule is ten times nearer
    to its peer than the other rule.
    """
    task = problem(0, changing, "float64")
    for hyper, other in (("published", "keras"), ("keras", "published")):
        wanted = expected(hyper, name, 0, changing, "float64")
        right, wrong = (
            worst(ours(RULES[rules][name], task, "numpy"), wanted, task.weights)
            for rules in (hyper, other)
        )
        assert 10 * right < wrong


@pytest.mark.parametrize("epsilon", [1e-7, 1e-9])
@pytest.mark.parametrize("name", ["adam", "adagrad", "adadelta", "rmsprop"])
def test_a_wrong_epsilon_is_seen(name: str, epsilon: float) -> None:
    """The comparison in float64 fails at an epsilon that is not TensorFlow 1's."""
    task, wanted = problem(0, False, "float64"), expected("published", name, 0, False, "float64")
    right: Any = RULES["published"][name]
    wrong = replace(right, epsilon=epsilon)
    assert worst(ours(wrong, task, "numpy"), wanted, task.weights) > 10 * TOLERANCE["float64"]


@pytest.mark.parametrize("library", ["numpy", "tensorflow"])
@each_rule
def test_a_rate_for_each_lane_is_a_run_for_each_rate(hyper: str, name: str, library: str) -> None:
    """Rates of shape (K, 1) give, bit for bit, what K runs give with one rate each."""
    rule, task = RULES[hyper][name], problem(0, False, "float32")
    rates = 10 ** np.random.default_rng(1).uniform(-3, 1, (STEPS, 3, 1)).astype(np.float32)
    together = ours(rule, task, library, rates)
    for lane in range(3):
        alone = Problem(
            task.weights[lane : lane + 1], task.gradients[:, lane : lane + 1], task.rates
        )
        np.testing.assert_array_equal(
            together[:, lane : lane + 1], ours(rule, alone, library, rates[:, lane : lane + 1])
        )


def start(kinds: list[int], rules: list[Rule], width: int) -> tuple[Floats, Floats]:
    """Lanes of the given optimizers: which (K, 1), and their first slot at its start (K, n)."""
    a = np.array([[starts(rules[kind])[0]] * width for kind in kinds], np.float32)
    return np.array([[kind] for kind in kinds], np.int32), a


@pytest.mark.parametrize("library", ["numpy", "tensorflow"])
@pytest.mark.parametrize("hyper", HYPERS)
def test_mixed_gives_every_lane_what_its_rule_gives_alone(hyper: str, library: str) -> None:
    """Lanes of all optimizers in one array, twice each and in mixed order, are bit for bit the
    lanes of each rule by itself.
    """
    rules = list(RULES[hyper].values())
    kinds = [3, 0, 5, 1, 4, 2, 2, 5, 0, 4, 3, 1]
    random = np.random.default_rng(0)
    xp, array = tools(library)
    weights = random.normal(size=(12, 16)).astype(np.float32)
    kind, first = start(kinds, rules, 16)
    w, a, b = array(weights), array(first), array(0 * weights)
    alone = [
        (array(weights), *(array(np.full_like(weights, start)) for start in starts(rule)))
        for rule in rules
    ]
    # Another lane's rule may well take the root of a negative momentum, or divide by a sum of
    # squares that is zero: it is not picked.
    with np.errstate(all="ignore"):
        for t in range(1, STEPS + 1):
            g = (
                random.normal(size=(12, 16))
                * 10 ** random.uniform(-8, 1, (12, 16))
                * (random.random((12, 16)) > 0.1)
            )
            rate = 10 ** random.uniform(-3, 0, (12, 1))
            arguments = (
                array(g.astype(np.float32)),
                array(rate.astype(np.float32)),
                array(np.float32(t)),
            )
            w, a, b = mixed(rules)(xp, array(kind), w, a, b, *arguments)
            alone = [
                mixed([rule])(xp, None, *slots, *arguments)
                for rule, slots in zip(rules, alone, strict=True)
            ]
            for lane, of in enumerate(kinds):
                for found, wanted in zip((w, a, b), alone[of], strict=True):
                    np.testing.assert_array_equal(np.array(found)[lane], np.array(wanted)[lane])
    assert np.isfinite(np.array(w)).all()


@pytest.mark.parametrize("library", ["numpy", "tensorflow"])
@pytest.mark.parametrize("poison", [np.nan, np.inf, 1e38])
@pytest.mark.parametrize("hyper", HYPERS)
def test_a_lane_that_breaks_changes_no_other(hyper: str, poison: float, library: str) -> None:
    """A gradient that is not a number, infinite or overflowing in one lane leaves the other lanes'
    weights and slots bit for bit.
    """
    rules = list(RULES[hyper].values())
    xp, array = tools(library)
    kind, first = start([0, 1, 2, 3, 4, 5], rules, 16)
    weights = np.random.default_rng(0).normal(size=(6, 16)).astype(np.float32)

    def run(broken: int | None) -> Floats:
        random = np.random.default_rng(1)
        slots = array(weights), array(first), array(0 * weights)
        for t in range(1, 11):
            g = random.normal(size=(6, 16)).astype(np.float32)
            if broken is not None and t >= 3:
                g[broken] = poison
            slots = mixed(rules)(
                xp,
                array(kind),
                *slots,
                array(g),
                array(np.full((6, 1), 10, np.float32)),
                array(np.float32(t)),
            )
        return np.array([np.array(slot) for slot in slots])

    with np.errstate(all="ignore"):
        whole = run(None)
        assert np.isfinite(whole).all()
        for lane in range(6):
            result = run(lane)
            assert not np.array_equal(result[0, lane], whole[0, lane])
            np.testing.assert_array_equal(
                np.delete(result, lane, axis=1), np.delete(whole, lane, axis=1)
            )


def test_every_optimizer_has_a_rule_in_every_set() -> None:
    """The names are the spec's, in the spec's order."""
    assert tuple(RULES) == HYPERS
    assert all(tuple(rules) == OPTIMIZERS for rules in RULES.values())
