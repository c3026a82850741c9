"""Intervals over seeds. A censored time counts as infinite."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


CONFIDENCE = 0.95


FEWEST_SEEDS = 3
"""With fewer seeds no interval is given.

Over three seeds the interval of a median reaches from the least to the largest value, and covers in
75 % of cases; over four in 88 %, over five in 94 %, over six and more in 95 % at least.
"""


ENOUGH_SEEDS = 5
"""With this many seeds or more an interval covers at its nominal rate."""


FEWEST_SIZES = 3
"""The least number of model sizes for a line. A study with this many is a study of sizes."""


WITHIN = 2.0
"""A rate is in the valley if its time is within this factor of the best rate's."""


def median_intervals(values: Floats) -> tuple[Floats, Floats]:
    """Intervals of the medians of many cells over their seeds, from one seed to another.

    From the k-th least of n values to the k-th largest, k as large as a chance of at most 2.5 % to
    miss on either side allows, sum C(n, i) / 2^n over i < k, and 1 at least. It holds whatever the
    distribution. Thompson 1936.

    Args:
        values: (cells, seeds), infinite where a trial did not arrive.

    Returns:
        low and high, (cells,); NaN where there are fewer than `FEWEST_SEEDS` seeds.
    """
    cells, seeds = values.shape
    if seeds < FEWEST_SEEDS:
        return np.full(cells, math.nan), np.full(cells, math.nan)
    tail, k = (1 - CONFIDENCE) / 2, 1
    while sum(math.comb(seeds, i) for i in range(k + 1)) <= tail * 2**seeds:
        k += 1
    order = np.sort(values, axis=1)
    return order[:, k - 1], order[:, seeds - k]


def spans(rates: Floats) -> Floats:
    """Decades of learning rate that each of the sorted rates stands for; 0 for a single rate.

    >>> spans(np.array([0.01, 0.1, 1.0])).tolist()
    [1.0, 1.0, 1.0]
    """
    return np.round(np.diff(edges(rates)), 5)


def edges(rates: Floats) -> Floats:
    """Ends of the intervals that the sorted rates stand for, as decimal logarithms, (rates + 1,).

    They lie half-way between neighbours, and as far beyond the outermost rates. A single rate
    stands for itself.

    >>> edges(np.array([0.01, 0.1, 1.0])).tolist()
    [-2.5, -1.5, -0.5, 0.5]
    """
    logs = np.log10(rates)
    half = np.diff(logs) / 2 if len(logs) > 1 else np.zeros(1)
    return np.append(logs[0] - half[0], logs + np.append(half, half[-1])[: len(logs)])


def valley_decades(rates: Floats, seconds: Floats) -> Floats:
    """Width of the valley: decades of rate whose time is within `WITHIN` times the least.

    Args:
        rates: (rates,), sorted.
        seconds: (rates, ...), infinite if none arrived.

    Returns:
        Decades, (...).
    """
    least = seconds.min(axis=0)
    inside = (seconds <= WITHIN * least) & np.isfinite(seconds)
    found: Floats = np.asarray(np.tensordot(spans(rates), inside.astype(float), axes=1))
    return found


def share_interval(
    successes: int, total: int, miss: float = 1 - CONFIDENCE, exact: bool = False
) -> tuple[float, float]:
    """Wilson's interval of a share, or the exact one.

    With s of n and the normal quantile z, Wilson's 1927 is (s + z^2 / 2 -+ z sqrt(s (n - s) / n +
    z^2 / 4)) / (n + z^2). That of Clopper and Pearson 1934 ends at quantiles of Beta(s, n - s + 1)
    and Beta(s + 1, n - s), and misses in no more cases than it says.

    >>> [round(end, 3) for end in share_interval(8, 10)]
    [0.49, 0.943]

    Args:
        successes: how many succeeded.
        total: of how many.
        miss: the share of cases that may be missed.
        exact: whether to take the exact one.

    Returns:
        Low and high; 0 and 1 if the total is 0.
    """
    from scipy import special  # scipy.stats takes a second to import

    if total == 0:
        return 0.0, 1.0
    failures = total - successes
    if exact:
        low = special.betaincinv(successes, failures + 1, miss / 2) if successes else 0.0
        high = special.betaincinv(successes + 1, failures, 1 - miss / 2) if failures else 1.0
        return float(low), float(high)
    z = -float(special.ndtri(miss / 2))
    half = z * math.sqrt(successes * failures / total + z**2 / 4)
    low, high = ((successes + z**2 / 2 + side * half) / (total + z**2) for side in (-1, 1))
    return max(0.0, low) if successes else 0.0, min(1.0, high) if failures else 1.0


def student(tail: float, freedom: float) -> float:
    """What Student's deviate exceeds with the chance `tail`."""
    from scipy import special

    return -float(special.stdtrit(freedom, tail))


@dataclass(frozen=True)
class Mean:
    """A mean with its interval, and the number of values."""

    mean: float
    low: float
    high: float
    count: int


def mean(values: Floats, miss: float = 1 - CONFIDENCE) -> Mean:
    """The mean with Student's interval; the interval is unbounded with fewer than two values.

    Args:
        values: (values,).
        miss: the share of cases that the interval may miss.
    """
    if len(values) < 2:
        return Mean(
            float(values.mean()) if len(values) else math.nan, -math.inf, math.inf, len(values)
        )
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = error * student(miss / 2, len(values) - 1)
    middle = float(values.mean())
    return Mean(middle, middle - half, middle + half, len(values))
