"""What stands at a tick: the number itself, never rounded to another."""

from __future__ import annotations

from matplotlib import ticker
from matplotlib.axis import Axis

DIGITS = 10
"""Of a label; enough for any number at which a tick stands, too few for the noise of a double."""

NOISE = 1e-12
"""The share of an axis below which a number on it is a zero that arithmetic has missed."""


class Exact(ticker.Formatter):
    """The number of a tick in full, its thousands apart, with its unit.

    Args:
        unit: what follows the number, such as `" %"`.
    """

    def __init__(self, unit: str = "") -> None:
        self.unit = unit

    def __call__(self, x: float, pos: int | None = None) -> str:
        """See `ticker.Formatter`."""
        missed_zero = False
        if isinstance(self.axis, Axis) and self.axis.get_scale() == "linear":
            low, high = self.axis.get_view_interval()
            missed_zero = abs(x) < NOISE * abs(high - low)
        return self.fix_minus(f"{0.0 if missed_zero else x:,.{DIGITS}g}{self.unit}")
