"""Schedules that rise: the sweeps of a learning-rate finder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from study.spec.schedules.base import Array, Fraction, Shape, Share, Steps, _power


@dataclass(frozen=True, kw_only=True)
class LinearRamp(Shape):
    """low + (1 - low) t / steps, then 1.

    Args:
        low: the factor at step 0, in [0, 1].
        steps: steps of the ramp.

    >>> import numpy as np
    >>> LinearRamp(low=0.5, steps=100).factor(50, np).item()
    0.75
    """

    name = "linear-ramp"
    climbs = True
    low: Share
    steps: Steps

    def shape(self, step: Array, xp: Any) -> Array:
        return self.low + (1 - self.low) * xp.divide(xp.minimum(step, self.steps), self.steps)


@dataclass(frozen=True, kw_only=True)
class GeometricRamp(Shape):
    """low^(1 - t / steps), then 1: each step by the same factor.

    Args:
        low: the factor at step 0, in (0, 1].
        steps: steps of the ramp.

    >>> import numpy as np
    >>> round(GeometricRamp(low=0.01, steps=100).factor(50, np).item(), 6)
    0.1
    """

    name = "geometric-ramp"
    climbs = True
    low: Fraction
    steps: Steps

    def shape(self, step: Array, xp: Any) -> Array:
        return _power(xp, self.low, xp.divide(xp.maximum(self.steps - step, 0), self.steps))
