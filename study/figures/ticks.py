"""What stands at a tick: the number itself, never rounded to another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib import ticker
from matplotlib.axis import Axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DIGITS = 10
"""Of a label; enough for any number at which a tick stands, too few for the noise of a double."""

NOISE = 1e-12
"""The share of an axis below which a number on it is a zero that arithmetic has missed."""


RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
"""Letters of an exponent. Text of letters is drawn far sooner than a formula."""


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


class Decades(ticker.LogFormatter):
    """A power of ten at each decade of a logarithmic axis, and numbers between them.

    >>> Decades()(1e-6), Decades()(10.0), Decades()(0.03)
    ('10⁻⁶', '10¹', '0.03')
    """

    def __call__(self, x: float, pos: int | None = None) -> str:
        """See `ticker.Formatter`."""
        exponent = math.log10(x) if x > 0 else math.nan
        if not abs(exponent - round(exponent)) < NOISE:
            return f"{x:.{DIGITS}g}"
        return f"10{str(round(exponent)).translate(RAISED)}"


def logarithmic_rates(axes: Axes) -> None:
    """A logarithmic axis of learning rates, with a power of ten at each of its decades."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(Decades())
    axes.xaxis.set_minor_locator(ticker.NullLocator())
