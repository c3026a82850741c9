"""A straight line through times: by least squares, and by a method that outliers bend less."""

from __future__ import annotations

import math
import warnings
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

    An outlier bends it less than the least-squares line. Huber 1981, by statsmodels.

    Args:
        n: (points,), the sizes.
        t: (points,), the times.
        sizes: (points,), equal for points of the same model; `n` if None.

    Returns:
        The line; all NaN with fewer than two sizes. The ends are NaN with fewer than three.
    """
    return _jackknifed(_huber, n, t, sizes)


def _plain(n: Floats, t: Floats) -> tuple[float, float]:
    apart = n - n.mean()
    k = float(apart @ t / (apart @ apart))  # a tenth of the time of scipy's, which tests it too
    return float(t.mean() - k * n.mean()), k


def _huber(n: Floats, t: Floats) -> tuple[float, float]:
    from statsmodels.robust.norms import HuberT  # a second to import
    from statsmodels.robust.robust_linear_model import RLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    scale_n, scale_t = float(np.max(np.abs(n))), float(np.max(np.abs(t))) or 1.0
    plain = np.polyfit(n / scale_n, t / scale_t, 1)
    # Without scatter there is no scale to weigh outliers by.
    if np.median(np.abs(t / scale_t - np.polyval(plain, n / scale_n))) < 1e-9:
        c, k = plain[1], plain[0]
    else:
        x = np.column_stack([np.ones_like(n), n / scale_n])
        with warnings.catch_warnings():
            # Where more than half of the points lie on a line, it is the fit.
            warnings.simplefilter("ignore", ConvergenceWarning)
            c, k = np.asarray(RLM(t / scale_t, x, M=HuberT()).fit().params)
    return float(c * scale_t), float(k * scale_t / scale_n)


def _jackknifed(
    fit: Callable[[Floats, Floats], tuple[Any, ...]],
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
    c, k = (float(value) for value in fit(n, t))
    labels = n if sizes is None else sizes
    groups = np.unique(labels)
    kept = [labels != one for one in groups]
    if len(groups) < intervals.FEWEST_SIZES or any(len(set(n[mask])) < 2 for mask in kept):
        return Line(c, k, *[math.nan] * 4)
    moved = np.array([fit(n[mask], t[mask]) for mask in kept]) - [c, k]
    errors = np.sqrt((len(groups) - 1) / len(groups) * (moved**2).sum(axis=0))
    wide = intervals.student((1 - intervals.CONFIDENCE) / 2, len(groups) - 2) * errors
    return Line(c, k, *map(float, (c - wide[0], c + wide[0], k - wide[1], k + wide[1])))
