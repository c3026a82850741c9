"""Budgets of seconds and steps, and the last check that lies within one."""

from __future__ import annotations

import math


def last_check(
    check_every: int, cap: float | None, max_steps: int | None, step_seconds: float | None
) -> float:
    """The last step at which a check lies within a budget of steps, of seconds, or of both.

    Args:
        check_every: steps between checks.
        cap: the budget in seconds, or None.
        max_steps: the budget in steps, or None.
        step_seconds: seconds of one step, or None where they are not known before.

    Returns:
        The largest multiple of `check_every` with steps <= max_steps and steps x step_seconds
        <= cap; infinity where neither bounds it.
    """
    budget = math.inf if max_steps is None else float(max_steps)
    if cap is not None and step_seconds is not None:
        budget = min(budget, cap / step_seconds)
    return budget if budget == math.inf else math.floor(budget / check_every + 1e-9) * check_every


def last_step(limit: float, step: int, elapsed: float, cap: float | None) -> float:
    """The last step of a budget, as far as it is known.

    Args:
        limit: the last check that lies within the budget, or infinity.
        step: steps taken so far.
        elapsed: the seconds that they took.
        cap: the budget in seconds of the clock, or None.

    Returns:
        The limit where there is one; else the steps that fit into the cap at the present speed.
    """
    return limit if limit < math.inf or cap is None or elapsed <= 0 else step * cap / elapsed
