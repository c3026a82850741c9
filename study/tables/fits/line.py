"""A straight line through times: by least squares, and by a method that outliers bend less."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.tables import intervals
from study.tables.intervals import Floats


@dataclass(frozen=True)
class Line:
    """t = c + k n with 95 % intervals; c in the unit of t, k in that unit per unit of n."""

    c: float
    k: float
    c_low: float
    c_high: float
    k_low: float
    k_high: float


NO_LINE = Line(*[math.nan] * 6)


def least_squares(n: Floats, t: Floats, sizes: NDArray[Any] | None = None) -> Line:
    """The least-squares line, with intervals by leaving out one size at a time.

    Args:
        n: (points,), the sizes.
        t: (points,), the times.
        sizes: (points,), equal for points of the same model; `n` if None.

    Returns:
        The line; all NaN with fewer than two sizes. The ends are NaN with fewer than three.
    """
    return _jackknifed(_plain, n, t, sizes)


def robust(n: Floats, t: Floats, sizes: NDArray[Any] | None = None) -> Line:
    """Huber's M-estimate of the line, with intervals by leaving out one size at a time.

    An outlier bends it less than the least-squares line: a point further from it than `HUBER`
    standard deviations counts by their ratio. The standard deviation is the median distance /
    0.6745. Huber 1981.

    Args:
        n: (points,), the sizes.
        t: (points,), the times.
        sizes: (points,), equal for points of the same model; `n` if None.

    Returns:
        The line; all NaN with fewer than two sizes. The ends are NaN with fewer than three.
    """
    return _jackknifed(_huber, n, t, sizes)


Kept = NDArray[np.bool_]
"""(fits, points), which points each of many fits of the same points is of."""


HUBER = 1.345
"""Standard deviations from the line beyond which a point counts less. Where the scatter is normal,
95 % of the precision of least squares are left.
"""


ROUNDS = 50
"""Rounds of reweighting at most, as in statsmodels."""


def _plain(n: Floats, t: Floats, kept: Kept) -> Floats:
    return _weighted(n, t, kept.astype(float))


def _weighted(n: Floats, t: Floats, weights: Floats) -> Floats:
    """The least-squares lines (c, k), (fits, 2), with a weight for each fit and point."""
    each = weights / weights.sum(axis=1, keepdims=True)
    apart = n - (each @ n)[:, None]
    k = (each * apart) @ t / (each * apart**2).sum(axis=1)
    return np.column_stack([each @ t - k * (each @ n), k])


def _huber(n: Floats, t: Floats, kept: Kept) -> Floats:
    """Huber's lines by reweighting; statsmodels gives the same in ten times the time."""
    least = 1e-9 * float(np.abs(t).max())
    line = _plain(n, t, kept)
    for _ in range(ROUNDS):
        left = np.abs(t - line[:, :1] - line[:, 1:] * n)
        middle = _medians(left, kept)
        # Without scatter there is no scale to weigh outliers by.
        scattered = middle > least
        far = np.maximum(left / np.where(scattered, HUBER * middle / 0.67449, math.inf), 1.0)
        moved = np.where(scattered, _weighted(n, t, kept / far), line)
        step = moved - line
        line = moved
        if np.abs(step[:, :1] + step[:, 1:] * n).max() <= least:
            break
    return line


def _medians(values: Floats, kept: Kept) -> Floats:
    """The median of each row's kept values, (fits, 1); `nanmedian` takes seven times as long."""
    count = kept.sum(axis=1, keepdims=True)
    ordered = np.sort(np.where(kept, values, math.inf), axis=1)
    pair = [np.take_along_axis(ordered, (count - low) // 2, axis=1) for low in (1, 0)]
    return np.asarray((pair[0] + pair[1]) / 2)


def _jackknifed(
    fit: Callable[[Floats, Floats, Kept], Floats],
    n: Floats,
    t: Floats,
    sizes: NDArray[Any] | None,
) -> Line:
    """A line (c, k) with the jackknife's intervals, which need no equal scatter.

    Variance = (g - 1) / g sum((without size i - all)^2), g sizes, with t quantiles of g - 2
    degrees of freedom. MacKinnon and White 1985; for clusters Bell and McCaffrey 2002.
    """
    if len(set(n)) < 2:
        return NO_LINE
    labels = n if sizes is None else sizes
    groups = np.unique(labels)
    kept = labels != groups[:, None]
    if len(groups) < intervals.FEWEST_SIZES or any(len(set(n[mask])) < 2 for mask in kept):
        c, k = fit(n, t, np.ones((1, len(n)), bool))[0]
        return Line(float(c), float(k), *[math.nan] * 4)
    (c, k), *others = fit(n, t, np.vstack([np.ones(len(n), bool), kept]))
    moved = np.array(others) - [c, k]
    errors = np.sqrt((len(groups) - 1) / len(groups) * (moved**2).sum(axis=0))
    wide = intervals.student((1 - intervals.CONFIDENCE) / 2, len(groups) - 2) * errors
    return Line(c, k, *map(float, (c - wide[0], c + wide[0], k - wide[1], k + wide[1])))
