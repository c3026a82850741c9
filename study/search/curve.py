"""What a curve of losses tells: its smooth form, its noise, and whether it moved."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


BETA = 0.98
"""Coefficient of the smoothing. The newest loss counts for 1 / 50, and for half as much 34 steps
later; the average lags by about 50 steps.
"""


MIN_POINTS = 20
"""Smallest number of points from which a rate is read."""


CERTAIN = 5.0
"""Standard errors by which a curve must have moved to count as moved."""


@dataclass(frozen=True)
class Pick:
    """What a rule reads off a curve: a learning rate or None, and the reason in words."""

    rate: float | None
    reason: str


def smooth(losses: Floats) -> Floats:
    """Debiased exponential average: v <- 0.98 v + 0.02 loss; the value is v / (1 - 0.98^n).

    Kingma and Ba 2015, section 3.

    >>> smooth(np.array([2.0, 2.0])).round(6).tolist()
    [2.0, 2.0]
    """
    average, smoothed = 0.0, np.empty(len(losses))
    for i, loss in enumerate(losses):
        average = BETA * average + (1 - BETA) * loss
        smoothed[i] = average / (1 - BETA ** (i + 1))
    return smoothed


def averaged(count: ArrayLike) -> Floats:
    """Points whose plain mean is as noisy as the smoothed loss after `count` points.

    >>> averaged(1.0).round(6).tolist(), averaged(1e6).round(6).tolist()
    (1.0, 99.0)
    """
    left = BETA ** np.asarray(count, float)
    return np.asarray((1 + BETA) / (1 - BETA) * (1 - left) / (1 + left))


def noise(jumps: Floats) -> float:
    """The standard deviation of the noise of a curve.

    It is the larger of sd(d) / sqrt(2) and 1.4826 median |d - median d| / sqrt(2) (Rousseeuw and
    Croux 1993). A trend hardly shows in the differences d.

    Args:
        jumps: the differences d between neighbouring points.
    """
    if not len(jumps):
        return 0.0
    return max(
        float(jumps.std()), 1.4826 * float(np.median(np.abs(jumps - np.median(jumps))))
    ) / math.sqrt(2)


def slope_noise(count: int, deviation: float) -> Floats:
    """The standard deviation of the slope of the smoothed loss by step, as `np.gradient` has it.

    A point moves the smoothed loss by its distance from it, times the weight of the newest point.

    Args:
        count: points of the curve.
        deviation: the standard deviation of one point.
    """
    seen = np.arange(1.0, count)
    steps = deviation * (1 - BETA) / (1 - BETA ** (seen + 1)) * np.sqrt(1 + 1 / averaged(seen))
    inside = np.hypot(steps[1:], steps[:-1]) / 2
    return np.concatenate([steps[:1], inside, steps[-1:]])


def start_points(count: int) -> int:
    """Number of first points whose mean is the start level of a curve of `count` points."""
    return max(5, count // 10)


def moved(distance: float, deviation: float, *counts: float) -> bool:
    """Whether two means differ by more than `CERTAIN` standard errors.

    Args:
        distance: how far the second is beyond the first.
        deviation: the standard deviation of one point.
        counts: the number of points of each mean.
    """
    return distance > CERTAIN * deviation * math.sqrt(sum(1 / count for count in counts))
