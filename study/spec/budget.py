"""Budgets of seconds and steps, and the last check that lies within one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from study.errors import StudyError
from study.validation import integer, number

BUDGETS = ("cap", "max_steps", "max_epochs")
"""What a trial may spend: seconds, steps, epochs."""


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


def budgets(given: Mapping[str, Any], check_every: int) -> dict[str, float | int | None]:
    """The budgets of a spec, checked.

    Args:
        given: the values of `BUDGETS`. A command line or a TOML file removes a preset's budget by
            the word "none".
        check_every: steps between two checks.

    Raises:
        StudyError: a budget out of its range, one in which nothing is ever looked at, or none.
    """
    cap, steps, epochs = (None if given[name] == "none" else given[name] for name in BUDGETS)
    if cap is not None:
        cap = number("cap", cap, low=0, high=1e7)
    if steps is not None:
        steps = integer("max_steps", steps, low=1, high=10**9)
        if steps < check_every:
            raise StudyError(
                f"max_steps {steps} is less than check_every {check_every}: no accuracy would "
                "ever be read"
            )
    if epochs is not None:
        epochs = number("max_epochs", epochs, low=0, high=1e6)
    if cap is None and steps is None and epochs is None:
        raise StudyError(
            "a study needs a cap (seconds), max_steps, or both: without one a trial that "
            "never learns would never end"
        )
    return {"cap": cap, "max_steps": steps, "max_epochs": epochs}
