"""Several rates that are led by one factor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from study.errors import StudyError


def shares_of(led: Mapping[str, Any], rate: Callable[[Any], float]) -> dict[str, float]:
    """The rate of each over that of the first.

    Args:
        led: those that have a rate, by name.
        rate: reads the rate of one; a lone one is not read.

    Raises:
        StudyError: there are several, and the rate of the first is not above 0.

    >>> shares_of({"body": 0.1, "head": 0.4}, float)
    {'body': 1.0, 'head': 4.0}
    """
    if len(led) == 1:
        return dict.fromkeys(led, 1.0)
    rates = {name: rate(one) for name, one in led.items()}
    first = next(iter(rates))
    if not rates[first] > 0:
        raise StudyError(
            f"the rate of {first} is {rates[first]:g}, and the others are led by their share of "
            "it: give it a rate above 0, or name one group to lead"
        )
    return {name: one / rates[first] if name != first else 1.0 for name, one in rates.items()}


def whose(shares: Mapping[str, float]) -> str:
    """Whose rate the rate of a sweep is, in words.

    Args:
        shares: what `shares_of` returned.

    >>> whose({"body": 1.0, "head": 4.0})
    'body, head having 4 of it'
    """
    first, *others = shares
    return ", ".join([first, *(f"{name} having {shares[name]:.3g} of it" for name in others)])
