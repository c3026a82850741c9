"""The scatter of a trial's time from seed to seed, and what the least of many times can tell.

The least of several noisy medians lies below the least true median, the more so the more cells
come near to it. A bootstrap over the seeds repeats that fault, and its intervals cover far less
than they say. The margins here hold whatever number of cells is tied.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from study.storage.records import Outcome
from study.tables import intervals
from study.tables.intervals import Floats

CELL = ["width", "optimizer", "learning_rate"]


FEWEST_REPEATS = 10
"""Degrees of freedom of a scatter that counts; with fewer, `ONE_DRAW` does."""


@dataclass(frozen=True)
class Scatter:
    """The scatter of a trial's time about the median of its cell.

    Args:
        sd: the standard deviation of the natural logarithm of the seconds.
        freedom: the degrees of freedom that it was estimated with.
    """

    sd: float
    freedom: float

    @property
    def factor(self) -> float:
        """Two seeds of one cell differ by less than this factor in 95 % of cases.

        exp(1.96 sqrt(2) sd).

        >>> round(Scatter(0.32, 87).factor, 1)
        2.4
        """
        return math.exp(1.96 * math.sqrt(2) * self.sd)

    def of_median(self, seeds: int) -> float:
        """The standard deviation of the logarithm of a median over seeds.

        sd x sqrt(pi / (2 n)), which is that of a large sample, and sd for one seed.
        """
        return self.sd * min(1.0, math.sqrt(math.pi / (2 * seeds)))


ONE_DRAW = Scatter(0.32, 87)
"""The scatter of the project's own repeated cells, for studies without repeats of their own.

Sixteen cells at and near the best rates of six optimizers, over five and ten seeds, of the compact
network. A test derives it from the stored rows of results/amd-epyc-2-cores: seeds, seeds-adaptive
and article/confirm.
"""


NEAR = 4.0
"""Cells within this factor of their optimizer's least time compete to be the best. Slower ones
scatter less, and do not count.
"""


LATEST = 3.0
"""Standard deviations beyond which a difference of two seeds counts as if it were so large."""


def scatter(runs: pd.DataFrame) -> Scatter:
    """The scatter of the trials that arrived about their cells, pooled over cells near the best.

    2 sd^2 = the mean of (log t_i - log t_j)^2 over all pairs of seeds of one cell, where no
    difference counts for more than `LATEST` times sqrt(2) s: a few trials that nearly die and
    arrive very late decide nothing. s is Shamos's estimate (1976), the median of the differences
    over sqrt(2) 0.6745.

    Args:
        runs: a study's runs.

    Returns:
        The scatter; `ONE_DRAW` if the repeats leave fewer than `FEWEST_REPEATS` degrees of freedom.
    """
    arrived = runs[(runs["outcome"] == Outcome.REACHED) & (runs["seconds"] > 0)]
    times = arrived["seconds"].astype(float)
    cells = [arrived[name] for name in CELL]
    middle = times.groupby(cells, observed=True).transform("median")
    least = middle.groupby(cells[:2], observed=True).transform("min")
    near = middle <= NEAR * least
    logs = times[near].map(math.log)
    by_cell = logs.groupby([cell[near] for cell in cells], observed=True)
    return pooled([mine.to_numpy(float) for _, mine in by_cell])


def pooled(cells: Iterable[Floats]) -> Scatter:
    """The scatter of log times about their cells, see `scatter`.

    Args:
        cells: the logarithms of the seconds of each cell.
    """
    apart, freedom = [np.empty(0)], 0
    for values in cells:
        first, second = np.triu_indices(len(values), k=1)
        apart.append(np.abs(values[first] - values[second]))
        freedom += len(values) - 1
    if freedom < FEWEST_REPEATS:
        return ONE_DRAW
    every = np.concatenate(apart)
    most = LATEST * float(np.median(every)) / 0.67449
    square = float((np.minimum(every, most) ** 2).mean())
    return Scatter(math.sqrt(square / 2), freedom)


NORMAL = np.linspace(-8.0, 8.0, 161)
"""Normal deviates to take means over."""


DENSITY = np.exp(-(NORMAL**2) / 2) / np.exp(-(NORMAL**2) / 2).sum()
"""The weight of each: by the trapezoid rule, which is exact to rounding for smooth functions."""


APART = np.linspace(0.0, 30.0, 2001)
"""Distances between two deviates, in standard deviations, to look a quantile up in."""


def least_margins(
    noise: Scatter, seeds: int, tied: int, miss: float = 1 - intervals.CONFIDENCE
) -> tuple[float, float]:
    """How far the least of some medians may lie from the least true median.

    With s the scatter of a median and m cells that may be tied, the least true median is, in
    1 - `miss` of cases at least, between exp(-s q(1)) and exp(s q(m)) times the least median, where
    q(m) is the 1 - miss / 2 quantile of the largest of m normal deviates. Only the best cell can
    make the least too large, but any of the m can make it too small.

    Args:
        noise: the scatter of one seed.
        seeds: seeds of each cell.
        tied: the number m of cells.
        miss: the share of cases that may be missed.

    Returns:
        The factors on the least median that give the low and the high end.
    """
    s = noise.of_median(seeds)
    low, high = _largest(1, miss / 2, noise.freedom), _largest(tied, miss / 2, noise.freedom)
    return math.exp(-s * low), math.exp(s * high)


def best_margin(
    noise: Scatter, seeds: int, tied: int, miss: float = 1 - intervals.CONFIDENCE
) -> float:
    """The factor on the least median within which the median of the true best cell lies.

    exp(s q) with E[Phi(q - Z)^m] = 1 - miss over a normal Z: the chance that one deviate exceeds
    the least of m others by less than q. Gupta 1965, subset selection. The same factor bounds the
    ratio of two least medians, where m cells of the one below may be tied.

    Args:
        noise: the scatter of one seed.
        seeds: seeds of each cell.
        tied: the number m of the other cells.
        miss: the share of cases that may be missed.
    """
    return math.exp(noise.of_median(seeds) * _above_least(tied, miss, noise.freedom))


def pair_margin(
    noise: Scatter, seeds: int, cells: int, miss: float = 1 - intervals.CONFIDENCE
) -> float:
    """The factor within which the ratio of any two of the medians is that of the true ones.

    exp(s q), q the studentized range of Tukey 1949 over all cells.
    """
    return math.exp(noise.of_median(seeds) * _range(max(cells, 2), miss, noise.freedom))


def _student(tail: float, freedom: float) -> float:
    """By how much Student's quantile exceeds the normal one, as a factor."""
    return intervals.student(tail, freedom) / _normal(tail)


def _normal(tail: float) -> float:
    """What a normal deviate exceeds with the chance `tail`."""
    from scipy import special  # scipy.stats takes a second to import

    return -float(special.ndtri(tail))


@cache
def _largest(count: int, tail: float, freedom: float) -> float:
    """What the largest of some normal deviates exceeds with the chance `tail`."""
    each = -math.expm1(math.log1p(-tail) / count)
    return _normal(each) * _student(each, freedom)


@cache
def _above_least(count: int, tail: float, freedom: float) -> float:
    """What a normal deviate exceeds the least of some others by, with the chance `tail`."""
    from scipy import special

    if count < 1:
        return 0.0
    chances = DENSITY @ special.ndtr(APART - NORMAL[:, None]) ** count
    return float(np.interp(1 - tail, chances, APART)) * _student(tail / count, freedom)


@cache
def _range(cells: int, tail: float, freedom: float) -> float:
    """What the studentized range exceeds with the chance `tail`.

    The chance that a range is less than q is m times the mean of (Phi(z) - Phi(z - q))^(m - 1) over
    a normal z. That of the studentized range is the mean of this at q s over the scatter s, where
    s^2 is chi-square over its degrees of freedom.
    """
    from scipy import special  # scipy.stats has it, and takes half a second to import

    inside = special.ndtr(NORMAL[:, None]) - special.ndtr(NORMAL[:, None] - APART)
    chances = cells * DENSITY @ inside ** (cells - 1)
    if math.isfinite(freedom):
        squares = 2 * special.gammaincinv(freedom / 2, special.ndtr(NORMAL)) / freedom
        chances = DENSITY @ np.interp(np.sqrt(squares)[:, None] * APART, APART, chances)
    return float(np.interp(1 - tail, chances, APART))


def centres(seconds: Floats) -> tuple[Floats, Floats]:
    """Medians of the cells, as such and as they would be without the trials that did not arrive.

    Args:
        seconds: (cells, seeds), infinite where a trial did not arrive.

    Returns:
        The median over all seeds, infinite where half did not arrive; and that of the arrivals,
        infinite where none arrived. A cell that may work after all could be as fast as the second.
    """
    finite = np.where(np.isfinite(seconds), seconds, np.nan)
    there = np.isfinite(seconds).any(axis=1)
    hopeful = np.full(len(seconds), math.inf)
    if there.any():
        hopeful[there] = np.nanmedian(finite[there], axis=1)
    with np.errstate(invalid="ignore"):
        return np.median(seconds, axis=1), hopeful
