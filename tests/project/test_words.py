"""Numbers in words."""

from __future__ import annotations

import math

from study.words import budget, counted


def test_one_is_singular() -> None:
    """And thousands are set apart."""
    assert [counted(n, "seed") for n in (0, 1, 2, 1200)] == [
        "0 seeds",
        "1 seed",
        "2 seeds",
        "1,200 seeds",
    ]


def test_a_budget_is_seconds_steps_or_both() -> None:
    """What a table has no value of bounds nothing."""
    assert budget(120.0, None) == "120 s"
    assert budget(math.nan, 3000.0) == "3,000 steps"
    assert budget(0.5, 200) == "0.5 s and 200 steps"
