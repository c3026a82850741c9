"""Ways of giving a trial up early, which lose some that would have arrived: chosen by name.

`hopeless` extrapolates the accuracy so far, generously. `plateau` sees no more progress.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

EARLIEST = 0.1
"""Share of the budget before which no trial is judged."""


TAKE_OFF = 8.0
"""A trial that is not yet half-way (accuracy below half the target) needs at least so many times
its present steps to arrive.
"""


GENEROUS = 2.0
"""The error is taken to fall so many times as steeply, on logarithmic scales, as it did over the
last doubling of the steps.
"""


CLOSE = 1.5
"""A trial whose least error so far is within so many times the target's is never given up: one
lucky check more and it arrives.
"""


WINDOW = 0.1
"""Share of the checks so far, at either end of the last doubling, that an accuracy is averaged
over.
"""


def hopeless(accuracies: Sequence[float] | NDArray[np.float64], last: float, target: float) -> bool:
    """Whether a trial with these accuracies, one a check, misses the target by its last check,
    under assumptions in its favour.

    error(n) = error(now) (now / n)^(GENEROUS b), with b the slope -d log error / d log n over the
    last doubling of n; less sqrt(2 ln m) standard deviations of the recent checks, what the best of
    the m checks to come may gain by luck.

    Args:
        accuracies: at checks 1, 2, ... so far, in [0, 1].
        last: the number of the budget's last check; nothing is hopeless where it is infinite.
        target: accuracy to reach.
    """
    now = len(accuracies)
    if now < 10 or now < EARLIEST * last:
        return False
    width = max(3, round(WINDOW * now))
    seen = np.asarray(accuracies)
    recent, before = seen[-width:], seen[now // 2 - width : now // 2]
    if recent.max() < target / 2:
        return TAKE_OFF * now > last
    if 1 - seen.max() < CLOSE * (1 - target):
        return False
    error, earlier = (max(1 - float(part.sum()) / width, 1e-6) for part in (recent, before))
    slope = max(0.0, math.log(earlier / error) / math.log(2))
    end = error * (now / last) ** (GENEROUS * slope)
    if 1 - end >= target:
        return False
    luck = math.sqrt(2 * math.log(max(2, last - now))) * float(recent.std())
    return bool(1 - end + luck < target)


PATIENCE = 20
"""The checks that a plateau has at least."""


def plateau(values: Sequence[float]) -> bool:
    """Whether nothing has got better for long: not in the later half of the checks so far, nor in
    the last `PATIENCE` of them.

    Args:
        values: of the metric, one a check so far; the larger the better.

    >>> plateau([0.1, 0.5] + [0.4] * 19), plateau([0.1, 0.5] + [0.4] * 20)
    (False, True)
    """
    waited = max(PATIENCE, len(values) // 2)
    if len(values) <= waited:
        return False
    return max(values[-waited:]) <= max(values[:-waited])
