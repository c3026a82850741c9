"""Schedules that rise: the sweeps of a learning-rate finder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from study.spec.schedules.base import Array, Fraction, Schedule, Share, Steps, _power


@dataclass(frozen=True, kw_only=True)
class LinearRamp(Schedule):
    """low + (1 - low) t / steps, then 1."""

    name = "linear-ramp"
    low: Share
    steps: Steps

    def shape(self, step: Array, xp: Any) -> Array:
        return self.low + (1 - self.low) * xp.divide(xp.minimum(step, self.steps), self.steps)

    def _climbs(self) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class GeometricRamp(Schedule):
    """low^(1 - t / steps), then 1: each step by the same factor."""

    name = "geometric-ramp"
    low: Fraction
    steps: Steps

    def shape(self, step: Array, xp: Any) -> Array:
        return _power(xp, self.low, xp.divide(xp.maximum(self.steps - step, 0), self.steps))

    def _climbs(self) -> bool:
        return True
