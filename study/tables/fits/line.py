"""A straight line through times: by least squares, and by a method that outliers bend less."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

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
    """The least-squares line; intervals by resampling the sizes and, within each, the seeds.

    Args:
        n: (points,), the sizes.
        t: (points,), the times.
        sizes: (points,), equal for points of the same model; `n` if None.

    Returns:
        The line; all NaN with fewer than two sizes.
    """
    if len(set(n)) < 2:
        return NO_LINE
    fit = stats.linregress(n, t)
    counts = _resampled(n if sizes is None else sizes)
    total = counts.sum(axis=1)
    mean_n, mean_t = counts @ n / total, counts @ t / total
    spread = counts @ n**2 / total - mean_n**2
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = (counts @ (n * t) / total - mean_n * mean_t) / spread
    fine = spread > 1e-9 * np.var(n)
    slopes, constants = slopes[fine], (mean_t - slopes * mean_n)[fine]
    (c_low, c_high), (k_low, k_high) = (
        intervals.percentile_interval(constants),
        intervals.percentile_interval(slopes),
    )
    return Line(float(fit.intercept), float(fit.slope), *map(float, (c_low, c_high, k_low, k_high)))


def _resampled(sizes: NDArray[Any]) -> Floats:
    """How often each point is drawn: first sizes with replacement, then points of each.

    Returns:
        (resamples, points).
    """
    random = np.random.default_rng(len(sizes))
    _, place = np.unique(sizes, return_inverse=True)
    groups = int(place.max()) + 1
    chosen = random.multinomial(groups, np.full(groups, 1 / groups), size=intervals.RESAMPLES)
    counts = np.zeros((intervals.RESAMPLES, len(sizes)))
    for group in range(groups):
        mine = np.flatnonzero(place == group)
        counts[:, mine] = random.multinomial(
            chosen[:, group] * len(mine), np.full(len(mine), 1 / len(mine))
        )
    return counts


def robust(n: Floats, t: Floats) -> Line:
    """Huber's M-estimate of the line, with intervals by its asymptotic errors.

    An outlier bends it less than the least-squares line. Huber 1981, by statsmodels.

    Args:
        n: (points,), the sizes.
        t: (points,), the times.

    Returns:
        The line; all NaN with fewer than two sizes.
    """
    from statsmodels.robust.norms import HuberT  # a second to import
    from statsmodels.robust.robust_linear_model import RLM

    scale_n, scale_t = float(np.max(np.abs(n))), float(np.max(np.abs(t))) or 1.0
    if len(set(n)) < 2:
        return NO_LINE
    residuals = t - np.polyval(np.polyfit(n, t, 1), n)
    if (
        np.max(np.abs(residuals)) < 1e-9 * scale_t
    ):  # without scatter there is no scale to weigh outliers by
        return least_squares(n, t)
    fit = RLM(t / scale_t, np.column_stack([np.ones_like(n), n / scale_n]), M=HuberT()).fit()
    (c, k), ends = np.asarray(fit.params), np.asarray(fit.conf_int(1 - intervals.CONFIDENCE))
    per = scale_t / scale_n
    return Line(
        c * scale_t,
        k * per,
        *(float(x) for x in ends[0] * scale_t),
        *(float(x) for x in ends[1] * per),
    )
