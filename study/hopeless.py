"""Is it hopeless? A trial's accuracy so far, extrapolated generously: a lossy way of stopping, for those who choose it by name."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

EARLIEST = 0.1
"""Share of the budget before which no trial is judged."""

TAKE_OFF = 8.0
"""A trial that is not yet half-way (accuracy below half the target) needs at least so many times its present steps to arrive."""

GENEROUS = 2.0
"""The error is taken to fall so many times as steeply, on logarithmic scales, as it did over the last doubling of the steps."""

LUCK = 3.0
"""Standard deviations of the recent checks that the accuracy may lie above its trend at the moment it is credited."""

WINDOW = 0.1
"""Share of the checks so far, at either end of the last doubling, that an accuracy is averaged over."""


def hopeless(accuracies: Sequence[float], last: float, target: float) -> bool:
    """Whether a trial with these accuracies, one a check, misses the target by its last check, under assumptions in its favour.

    error(n) = error(now) (now / n)^(GENEROUS b), with b the slope -d log error / d log n over the last doubling of n.

    Args:
        accuracies: at checks 1, 2, ... so far, in [0, 1].
        last: the number of the budget's last check.
        target: accuracy to reach.
    """
    now = len(accuracies)
    if now < 10 or now < EARLIEST * last or last == math.inf:
        return False
    width = max(3, round(WINDOW * now))
    recent, before = np.array(accuracies[-width:]), np.array(accuracies[now // 2 - width : now // 2] or accuracies[:width])
    if recent.max() < target / 2:
        return TAKE_OFF * now > last
    error, earlier = max(1 - float(recent.mean()), 1e-6), max(1 - float(before.mean()), 1e-6)
    slope = max(0.0, math.log(earlier / error) / math.log(2))
    end = error * (now / last) ** (GENEROUS * slope)
    return bool(1 - end + LUCK * float(recent.std()) < target)
