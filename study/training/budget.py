"""The last check that lies within a budget of seconds or steps."""

from __future__ import annotations

import math


def last_check(
    check_every: int, cap: float | None, max_steps: int | None, step_seconds: float | None
) -> float:
    """The last step at which a check lies within the budget: the largest multiple of `check_every`
    with steps <= max_steps and steps x step_seconds <= cap; infinity where nothing bounds it.
    """
    budget = math.inf if max_steps is None else float(max_steps)
    if cap is not None and step_seconds is not None:
        budget = min(budget, cap / step_seconds)
    return budget if budget == math.inf else math.floor(budget / check_every + 1e-9) * check_every


def _last(limit: float, step: int, elapsed: float, cap: float | None) -> float:
    """The budget's last step as far as it is known: a cap by the clock gives the steps that fit at
    the present speed.
    """
    return limit if limit < math.inf or cap is None or elapsed <= 0 else step * cap / elapsed
