"""The numbers of other projects' tests of optimizers, table by table."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from study.engines.rules import clipped, mixed, rule_of, slots_of, starts
from study.engines.tensorflow import xp as tf
from study.errors import StudyError
from study.spec.hyper import parse_hyper
from study.spec.trial import OPTIMIZERS
from support.peers import keras, optax, optimizers, torch
from support.peers.cases import CANNOT
from support.peers.optimizers import CLIPPED, WRITTEN, Steps

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("case", optimizers.CASES, ids=lambda case: case.name)
def test_a_rule_takes_its_peers_steps(case: Steps, kind: Any) -> None:
    """The weights after each step that the peer's test looks at."""
    rule = rule_of(case.hyper, case.optimizer)
    weights = np.array([case.weights], kind)
    slots = [weights, *(np.full_like(weights, x) for x in starts(rule, slots_of([rule])))]
    found = []
    for t, gradient in enumerate(case.gradients, start=1):
        slots = list(
            mixed([rule])(np, None, *slots, np.array([gradient], kind), kind(case.rate), kind(t))
        )
        found.append(slots[0][0].tolist())
    for row, wanted in zip(found[-len(case.wanted) :], case.wanted, strict=True):
        assert row == pytest.approx(list(wanted), rel=case.tolerance, abs=case.tolerance)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("text", list(CLIPPED))
def test_a_gradient_is_clipped_as_by_its_peer(text: str, name: str) -> None:
    """Of each optimizer."""
    rules, gradient = [rule_of(f"keras,{text}", name)], tf.constant([[100.0, 100.0]])
    (found,) = clipped(rules, [(2,)], tf, tf.constant([[0]]), [gradient])
    assert found.numpy()[0] == pytest.approx(CLIPPED[text])


@pytest.mark.parametrize("name", list(WRITTEN))
def test_a_configuration_is_written_down_and_read_again(name: str) -> None:
    """As one text, of every option."""
    text = WRITTEN[name]
    assert str(parse_hyper(text)) == text
    assert rule_of(text, name) != rule_of("keras", name)


@pytest.mark.parametrize("value", ["-1", "-0.1", "1.1", "2"])
@pytest.mark.parametrize("option", ["momentum.momentum", "rmsprop.momentum", "rmsprop.rho"])
def test_a_coefficient_out_of_its_range_is_refused(option: str, value: str) -> None:
    """As by its peer."""
    with pytest.raises(StudyError, match=option):
        parse_hyper(f"keras,{option}={value}")


def test_what_is_left_out_of_all_suites_is_little_and_named() -> None:
    """Schedules and optimizers together, each with its reason, and once."""
    left = [*keras.LEFT, *optax.LEFT, *torch.LEFT, *optimizers.LEFT]
    assert sum(one.kind == CANNOT for one in left) <= 19
    assert all(one.why for one in left)
    assert max(Counter(case.name for case in optimizers.CASES).values()) == 1
