"""The claim that time grows as a line, where a factor of the time jumps or bends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from study.claims.verdict import CLAIMS, FAILS, HOLDS, Verdict
from support.claims.boards import study

WIDTHS = tuple(float(w) for w in range(1, 19))
RATES = (0.001, 0.002, 0.003, 0.004)


def judged(steps: Any, jump: float = 0.0, bend: float = 0.0) -> Verdict:
    """Steps by a function of the width; a step time that jumps from width 11 on, or bends."""
    drawn = study(lambda trial: 4.0, RATES, WIDTHS)
    width, runs = drawn.runs["width"].to_numpy(float), drawn.runs
    random = np.random.default_rng(0)
    noise = 1 + random.normal(0, 0.02, len(runs))
    tick = 1 + np.random.default_rng(1).normal(0, 0.004, 99)[width.astype(int)]
    step = 0.01 * tick * (1 + jump * (width > 10) + bend * (width / 18) ** 2)
    count = steps(runs["weights"].to_numpy(float)) * noise
    runs = runs.assign(steps=count, step_seconds=step, seconds=count * step)
    return CLAIMS["linear-size"].judge([replace(drawn, runs=runs)])


def test_a_jump_of_the_step_time_is_no_bend() -> None:
    """It is said, and that the steps are a line."""
    found = judged(lambda n: 100 + n / 100, jump=0.4)
    assert found.verdict == HOLDS
    assert "0.001 jump (steps: line), 0.002 jump (steps: line)" in found.reason
    assert "; the machine's step time jumps by 4" in found.reason
    assert "% between widths 10 and 11 (study sizes)" in found.reason


@pytest.mark.parametrize(("jump", "shape"), [(0.0, "jump"), (0.4, "jump")])
def test_steps_that_bend_are_a_bend(jump: float, shape: str) -> None:
    """Whether or not the step time jumps."""
    found = judged(lambda n: 100 + n / 100 + 300 * (n > 60_000), jump=jump)
    assert found.verdict == FAILS
    assert f"0.001 {shape} (steps: jump)" in found.reason
    assert ("step time" in found.reason) == bool(jump)


def test_a_step_time_that_bends_is_said() -> None:
    """It is no jump."""
    found = judged(lambda n: 100 + n / 100, bend=3.0)
    assert found.verdict == FAILS
    assert "(steps: line)" in found.reason
    assert "; the machine's step time is a " in found.reason
