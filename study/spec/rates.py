"""Learning rates from a name, a range or a list."""

from __future__ import annotations

import math

import numpy as np

from study.errors import StudyError
from study.spec.trial import HIGHEST_RATE, LOWEST_RATE
from study.validation import number, sequence

# The published sweep's grid, 10^(k/6) for k = -36..12: k = 0 is missing there, so a reproduction
# leaves it out too.
PUBLISHED_RATES = tuple(float(f"{10 ** (k / 6):.6g}") for k in range(-36, 13) if k != 0)


PUBLISHED_SIZE_RATES = (0.0001, 0.0005, 0.001, 0.00146, 0.005, 0.01)


PUBLISHED_WIDTHS = tuple(k / 4 for k in range(4, 40))


def parse_rates(rates: object) -> tuple[float, ...]:
    """Learning rates from a name, a range, a list in text, or numbers.

    >>> parse_rates("0.001:0.1:3")  # LOW:HIGH:N, log-spaced, both ends included
    (0.001, 0.01, 0.1)
    >>> parse_rates("0.1, 0.2")
    (0.1, 0.2)
    >>> len(parse_rates("published"))
    48

    Raises:
        StudyError: anything else, or a rate that is not a positive finite number.
    """
    if isinstance(rates, str):
        if rates.strip() == "published":
            return PUBLISHED_RATES
        if ":" in rates:
            parts = rates.split(":")
            try:
                low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
            except (ValueError, IndexError):
                raise StudyError(
                    f"rates {rates!r} must read LOW:HIGH:N, such as 1e-4:10:16"
                ) from None
            if len(parts) != 3 or not (0 < low < high < math.inf) or not 2 <= count <= 10_000:
                raise StudyError(
                    f"rates {rates!r} must read LOW:HIGH:N with 0 < LOW < HIGH and 2 <= N <= 10000"
                )
            return tuple(float(f"{rate:.6g}") for rate in np.geomspace(low, high, count))
        rates = rates.split(",")
    return tuple(
        number("learning rate", rate, low=LOWEST_RATE, high=HIGHEST_RATE)
        for rate in sequence("rates", rates)
    )
