"""The numbers of other projects' tests of schedules, table by table."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import study
from study.spec.schedules.parse import momenta, parse
from support.peers import keras, optax, torch
from support.peers.cases import CANNOT, Case
from support.schedules import factors

CASES = [*keras.CASES, *optax.CASES, *torch.CASES]
LEFT = [*keras.LEFT, *optax.LEFT, *torch.LEFT]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_schedule_gives_its_peers_numbers(case: Case) -> None:
    """The rate at each step, or the coefficient of momentum."""
    if case.momentum is not None:
        found = momenta(parse(case.text), 1, 0, len(case.steps))
        assert found is not None
        assert case.momentum * found[:, 0] == pytest.approx(case.wanted, rel=1e-6)
        return
    found = case.rate * factors(case.text, list(case.steps))
    assert found == pytest.approx(case.wanted, rel=1e-6, abs=case.atol + 1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in CASES if c.momentum is None], ids=lambda c: c.id)
def test_in_keras_it_gives_them_too(case: Case) -> None:
    """In single precision, at single steps and at whole arrays."""
    made = study.schedule(case.text, case.rate)
    wanted, least = list(case.wanted), case.atol + 2e-7 * case.rate
    assert np.asarray(made(np.array(case.steps))) == pytest.approx(wanted, rel=5e-6, abs=least)
    assert float(made(case.steps[-1])) == pytest.approx(wanted[-1], rel=5e-6, abs=least)


def test_what_is_left_out_is_little_and_named() -> None:
    """Each with its reason, and once; the cases have names of their own."""
    assert sum(one.kind == CANNOT for one in LEFT) <= 15
    assert all(one.why for one in LEFT)
    names = Counter([case.id for case in CASES] + [f"{one.suite} {one.name}" for one in LEFT])
    assert max(names.values()) == 1
    assert len(CASES) > 130
