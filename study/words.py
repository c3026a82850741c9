"""Numbers in words, as sentences of several modules have them."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def budget(cap: float | None, max_steps: float | None) -> str:
    """A trial's budget: `120 s`, `3,000 steps`, or both; what is None or not a number bounds
    nothing.
    """
    seconds = [f"{cap:g} s"] if cap is not None and cap > 0 else []
    return " and ".join(
        [
            *seconds,
            *([f"{int(max_steps):,} steps"] if max_steps is not None and max_steps > 0 else []),
        ]
    )
