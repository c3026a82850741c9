"""Numbers in words, for the sentences of several modules."""

from __future__ import annotations


def counted(number: int, what: str, several: str | None = None) -> str:
    """A number and its noun, in the plural where the number is not 1.

    >>> counted(1, "seed"), counted(3, "seed"), counted(2, "try", "tries")
    ('1 seed', '3 seeds', '2 tries')
    """
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def budget(cap: float | None, max_steps: float | None) -> str:
    """The budget of a trial in words.

    Args:
        cap: the budget in seconds; None or not a number where seconds are not bounded.
        max_steps: the budget in steps; None or not a number where steps are not bounded.

    >>> budget(120.0, 3000)
    '120 s and 3,000 steps'
    """
    parts = []
    if cap is not None and cap > 0:
        parts.append(f"{cap:g} s")
    if max_steps is not None and max_steps > 0:
        parts.append(f"{int(max_steps):,} steps")
    return " and ".join(parts)


def per_weights(k: float) -> tuple[float, str]:
    """What a quantity for each weight is multiplied by to read well, and for how many that is.

    >>> per_weights(2e-5), per_weights(1.8e-3)
    ((1000000.0, 'per million weights'), (1000.0, 'per thousand weights'))
    """
    if abs(k) < 1e-3:
        return 1e6, "per million weights"
    return 1e3, "per thousand weights"
