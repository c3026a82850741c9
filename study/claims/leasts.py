"""The least median times of the optimizers, and ratios of them that account for chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from study import tables
from study.claims.frame import LONG_CAP, Grid, judged_study, ratio
from study.claims.verdict import miss
from study.storage.records import Outcome
from study.tables import intervals
from study.tables.best_rates import Scatter, best_margin, pair_margin
from study.tables.intervals import Floats
from study.words import counted

Ratio = tuple[float, float, float]
"""A ratio of times, and the ends of its interval."""


@dataclass(frozen=True)
class Leasts:
    """The least median time of each optimizer over its rates.

    Args:
        optimizers: along the axis of the arrays.
        low: (optimizers,), seconds: the least that it may be, whatever the trials would do of which
            nothing is known.
        high: (optimizers,), seconds: the most that it may be.
        tied: (optimizers,), how many cells arrived and may be the best.
        seeds: seeds of each cell.
        noise: the scatter of one seed.
        words: what was judged, as the end of a sentence.
    """

    optimizers: tuple[str, ...]
    low: Floats
    high: Floats
    tied: tuple[int, ...]
    seeds: int
    noise: Scatter
    words: str

    @property
    def room(self) -> str:
        """How uncertain a ratio of two of these is, in words."""
        most = self._margin(max(self.tied), 1)
        return f"{counted(self.seeds, 'seed')}, uncertain by {most:.2g} times either way"

    def fastest(self, which: Sequence[int]) -> int:
        """The one of these optimizers that takes the least time."""
        return which[int(np.argmin(self.high[list(which)]))]

    def slowest(self, which: Sequence[int]) -> int:
        """The one of these optimizers that takes the most time."""
        return which[int(np.argmax(self.high[list(which)]))]

    def over_fastest(self, one: int, rest: Sequence[int]) -> Ratio:
        """The time of one optimizer over that of the fastest of the others."""
        tied = sum(self.tied[i] for i in rest)
        return self._ratio(
            (self.low[one], self.high[one]),
            (self.low[list(rest)].min(), self.high[list(rest)].min()),
            (self._margin(tied, 1), self._margin(self.tied[one], 1)),
        )

    def over_slowest(self, one: int, rest: Sequence[int]) -> Ratio:
        """The time of one optimizer over that of the slowest of the others.

        It is the least of its ratios to each of them.
        """
        pairs = [
            self._ratio(
                (self.low[one], self.high[one]),
                (self.low[i], self.high[i]),
                (self._margin(self.tied[i], 1), self._margin(self.tied[one], len(rest))),
            )
            for i in rest
        ]
        value, low, high = (min(pair[i] for pair in pairs) for i in range(3))
        return value, low, high

    def _margin(self, tied: int, ways: int) -> float:
        """Of one end of the ratio's interval, which may be missed in so many ways."""
        return best_margin(self.noise, self.seeds, max(tied, 1), miss(self.seeds) / 2 / ways)

    def _ratio(
        self, over: tuple[float, float], under: tuple[float, float], margins: tuple[float, float]
    ) -> Ratio:
        low, high = float(ratio(over[0], under[1])), float(ratio(over[1], under[0]))
        value = high if math.isfinite(high) else low
        return value, low / margins[0], high * margins[1]


def leasts_of(grid: Grid) -> Leasts:
    """The least times of the grid, or those of its selected rates on fresh seeds.

    Args:
        grid: the trials.

    Returns:
        The times on fresh seeds, if every optimizer has `FEWEST_SEEDS` of them; else the grid's.
    """
    fresh = _confirmed(grid)
    if fresh is not None:
        return fresh
    known = np.isfinite(grid.high).any(axis=-1)
    tied = tuple(int(count) for count in known.sum(axis=1))
    seeds = int(grid.asked.sum(axis=-1)[known].min()) if known.any() else grid.seeds
    low, high = grid.medians
    return Leasts(
        grid.optimizers,
        low.min(axis=-1),
        high.min(axis=-1),
        tied,
        seeds,
        grid.noise,
        judged_study(grid),
    )


def _confirmed(grid: Grid) -> Leasts | None:
    """The times of the selected rates on fresh seeds; None if they are not there."""
    counts = grid.fresh_seeds
    if counts.empty or counts.min() < intervals.FEWEST_SEEDS:
        return None
    arrived = grid.fresh["outcome"] == Outcome.REACHED
    seconds = grid.fresh["seconds"].where(arrived, math.inf)
    medians = seconds.groupby(grid.fresh["optimizer"].astype(str)).median()
    least = medians[list(grid.optimizers)].to_numpy(float)
    return Leasts(
        grid.optimizers,
        least,
        least,
        (1,) * len(least),
        int(counts.min()),
        tables.scatter(grid.fresh),
        f" (study {grid.name}; the rates were selected on it, and the times are those of fresh "
        "seeds)",
    )


def spreads(grid: Grid) -> tuple[Floats, Floats, Floats]:
    """The slowest median time of the rates that work over the fastest, within each optimizer.

    The intervals are so wide that the medians of their ends bound the median of the true ratios:
    it is missed only where half of the m optimizers are, with a chance of C(m, h) p^h for h = half
    of m.

    Returns:
        (optimizers,), the ratios and the ends of their intervals; NaN where no rate works. The high
        end is infinite where a rate is open, or ran out of a cap that is short for the optimizer.
    """
    half = (len(grid.optimizers) + 1) // 2
    share = 2 * (miss(grid.seeds) / 2 / math.comb(len(grid.optimizers), half)) ** (1 / half)
    works = (grid.state == 1) & np.isfinite(grid.medians[1])
    found = np.full(len(grid.optimizers), math.nan)
    margin = np.ones(len(grid.optimizers))
    for i, inside in enumerate(works):
        if inside.any():
            times = grid.medians[1][i, inside]
            found[i] = times.max() / times.min()
            seeds = int(grid.asked[i, inside].sum(axis=-1).min())
            margin[i] = pair_margin(grid.noise, seeds, int(inside.sum()), share)
    least = np.where(works, grid.medians[1], math.inf).min(axis=1)
    capped = (grid.outcomes == Outcome.CAPPED).any(axis=(1, 2)) & (grid.budget < LONG_CAP * least)
    open_ = (grid.state == 0).any(axis=1) | capped
    return found, np.maximum(found / margin, 1.0), np.where(open_, math.inf, found * margin)
