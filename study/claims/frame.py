"""What the judges of claims on rates share: the grid, and ratios of its times."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study import tables
from study.claims.evidence import Known, largest, studies_in
from study.spec.trial import OPTIMIZERS
from study.storage.records import Outcome
from study.tables import intervals
from study.tables.intervals import Floats
from study.words import counted

DECADES, PER_DECADE = 5.0, 2.0
"""A grid must span `DECADES` decades with `PER_DECADE` rates in each.

The published one spans eight. A share of rates depends on which were tried.
"""


LONG_CAP = 15.0
"""A capped trial counts as failed if the cap is at least this multiple of the fastest time.

The published one is 17 times. The multiple is more than `MAGNITUDE`, so that a cap hides no slow
rate that works.
"""


SCATTER = 1.5
"""The least factor, either way, of the interval of a ratio with fewer than `ENOUGH_SEEDS` seeds.

One seed differs from another by about this factor.
"""


@dataclass(frozen=True)
class Grid:
    """Bounds of the seconds to the target of one width's trials.

    Args:
        name: the study's name.
        optimizers: along the first axis of the arrays.
        rates: along the second axis.
        low: (optimizers, rates, seeds), the least that it may be. It is the seconds of an
            arrival, and infinite for a trial that diverged or is stuck. A capped trial lies above
            its cap. One that is missing, failed with an error or was pruned may be anything.
        high: as `low`, the most that it may be.
        outcomes: (optimizers, rates, seeds); "" if a trial is missing.
        long: whether the cap is so long that a capped trial counts as one that does not work.
    """

    name: str
    optimizers: tuple[str, ...]
    rates: Floats
    low: Floats
    high: Floats
    outcomes: NDArray[np.str_]
    long: bool

    @property
    def seeds(self) -> int:
        """Seeds of each cell."""
        return int(self.low.shape[-1])

    @property
    def missing(self) -> int:
        """The number of trials of which nothing is known."""
        return int((self.low == 0).sum())

    @property
    def short(self) -> int:
        """The number of capped trials, if the cap is too short to decide whether they work."""
        return 0 if self.long else int((self.outcomes == Outcome.CAPPED).sum())

    @property
    def state(self) -> NDArray[np.int64]:
        """(optimizers, rates): 1 if most seeds arrive, -1 if they do not, 0 if it is not known."""
        return states(
            np.isfinite(self.high),
            np.isinf(self.low) | (self.long & (self.outcomes == Outcome.CAPPED)),
        )

    @property
    def all_six(self) -> bool:
        """Whether the study has every optimizer of the published study."""
        return set(self.optimizers) == set(OPTIMIZERS)


def states(arrived: NDArray[np.bool_], failed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Whether cells work.

    Args:
        arrived: (..., seeds), trials that reached the target.
        failed: (..., seeds), trials that would not.

    Returns:
        (...): 1 if most seeds arrived, -1 if at least half failed, 0 if it is not known.
    """
    seeds = arrived.shape[-1]
    works, fails = 2 * arrived.sum(axis=-1) > seeds, 2 * failed.sum(axis=-1) >= seeds
    return np.asarray(works.astype(np.int64) - fails, np.int64)


def grid_of(studies: Known) -> Grid | None:
    """The largest grid that is wide and dense enough; None if none is.

    Of several widths it is width 1, or else the first. The spec decides, not the stored trials: a
    missing trial never makes another study the judge.
    """
    found = []
    for study in studies_in(studies):
        tried = np.array(sorted(study.spec.rates), float)
        decades = math.log10(tried[-1] / tried[0])
        if (
            decades >= DECADES - 1e-3
            and len(tried) - 1 >= PER_DECADE * decades - 1e-3
            and len(study.spec.optimizers) > 1
        ):
            found.append(study)
    if not found:
        return None
    study = largest(found)
    spec, rates = study.spec, np.array(sorted(study.spec.rates), float)
    width = 1.0 if 1.0 in spec.widths else spec.widths[0]
    runs = study.runs[study.runs["width"] == width] if len(study.runs) else study.runs
    shape = (len(spec.optimizers), len(rates), spec.seeds)
    if runs.empty:
        return Grid(
            spec.name,
            spec.optimizers,
            rates,
            np.zeros(shape),
            np.full(shape, math.inf),
            np.full(shape, ""),
            False,
        )
    axes = ([width], spec.optimizers, list(rates), spec.seeds)
    low, high = _bounds(runs, axes)
    outcomes = tables.on_axes(runs, runs["outcome"].astype(str).to_numpy(str), *axes, missing="")[0]
    arrived = runs["seconds"][runs["outcome"] == Outcome.REACHED]
    long = bool(len(arrived) and tables.budget(runs).max() >= LONG_CAP * arrived.min())
    return Grid(spec.name, spec.optimizers, rates, low, high, outcomes, long)


def _bounds(
    runs: pd.DataFrame, axes: tuple[Sequence[float], Sequence[str], Sequence[float], int]
) -> tuple[Floats, Floats]:
    """The least and the most seconds to the target, (optimizers, rates, seeds); see `Grid`."""
    capped = runs["outcome"] == Outcome.CAPPED
    at_cap = runs.assign(
        outcome=runs["outcome"].mask(capped, Outcome.REACHED),
        seconds=runs["seconds"].mask(capped, tables.budget(runs)),
    )
    low, high = tables.cube(at_cap, *axes)[0], tables.cube(runs, *axes)[0]
    return (
        np.nan_to_num(low, nan=0.0, posinf=math.inf),
        np.nan_to_num(high, nan=math.inf, posinf=math.inf),
    )


NO_GRID = (
    f"no study tries several optimizers at rates over {DECADES:g} decades, {PER_DECADE:g} "
    "in each: such as `run article`"
)


def no_grid(grid: Grid | None) -> str:
    """Why there is no grid of all six optimizers to judge."""
    return NO_GRID if grid is None else "not all six optimizers were tried"


def ratio_over_seeds(
    grid: Grid, low: Callable[[Floats, Floats], Floats], high: Callable[[Floats, Floats], Floats]
) -> tuple[float, float, float]:
    """A ratio of times with its interval, by resampling the seeds.

    With fewer than `ENOUGH_SEEDS` seeds the interval is at least `SCATTER` wide either way.

    Args:
        grid: the trials.
        low: the least value of the ratio, (...), from the medians (..., optimizers, rates) of the
            grid's `low` and `high`.
        high: the largest value of the ratio, from the same.

    Returns:
        The ratio, and the ends of its interval.
    """
    middle = np.median(grid.low, axis=-1), np.median(grid.high, axis=-1)
    least, most = float(low(*middle)), float(high(*middle))
    value = most if math.isfinite(most) else least
    if grid.seeds >= intervals.FEWEST_SEEDS:
        chosen = intervals.draws(grid.seeds, 400)
        drawn = [
            np.moveaxis(intervals.medians(part, chosen), -1, 0) for part in (grid.low, grid.high)
        ]
        least = min(least, float(intervals.percentile_interval(low(*drawn))[0]))
        most = max(most, float(intervals.percentile_interval(high(*drawn))[1]))
    if grid.seeds < intervals.ENOUGH_SEEDS:
        least, most = min(least, value / SCATTER), max(most, value * SCATTER)
    return value, least, most


def ratio(a: Any, b: Any) -> Floats:
    """a / b of times, numbers or arrays, that may be zero or infinite.

    Infinite if b is zero or only a is infinite; 0 if only b is infinite; 1 if both are.

    >>> ratio([3.0, 3.0, math.inf, math.inf], [2.0, math.inf, 3.0, math.inf]).tolist()
    [1.5, 0.0, inf, 1.0]
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(b == 0, math.inf, a / b)
    return np.where(np.isinf(a) & np.isinf(b), 1.0, found)


def seeds_in_words(grid: Grid) -> str:
    """The number of seeds, and what follows from it, in words."""
    seeds = counted(grid.seeds, "seed")
    return (
        seeds
        if grid.seeds >= intervals.ENOUGH_SEEDS
        else f"{seeds}, so a ratio is taken to be uncertain by {SCATTER:g} either way"
    )


def judged_study(grid: Grid) -> str:
    """The study that was judged and what is not known of it, as the end of a sentence."""
    parts = (
        [f"{grid.missing} of {grid.low.size} trials are missing or were given up early"]
        if grid.missing
        else []
    )
    parts += [f"{grid.short} ran out of a cap too short to tell"] if grid.short else []
    return f"{'; ' if parts else ''}{' and '.join(parts)} (study {grid.name})"


def best_seconds(median: Floats) -> Floats:
    """The least seconds of each optimizer over the rates: the last axis."""
    return np.asarray(median.min(axis=-1), float)


def times_in_words(times: float) -> str:
    """A ratio in words."""
    return f"{times:.1f} times" if math.isfinite(times) else "never there, against"
