"""What the judges of claims on rates share: the grid, and ratios of its times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study import tables
from study.claims.evidence import Evidence, Known, largest, meant_by, pooled, studies_in, such_as
from study.storage.records import Outcome
from study.tables.best_rates import ONE_DRAW, Scatter
from study.tables.intervals import Floats

DECADES, PER_DECADE = 5.0, 2.0
"""A grid must span `DECADES` decades with `PER_DECADE` rates in each.

The published one spans eight. A share of rates depends on which were tried.
"""


LONG_CAP = 15.0
"""A capped trial counts as failed if the cap is at least this multiple of the fastest time.

The published one is 17 times. The multiple is more than `MAGNITUDE`, so that a cap hides no slow
rate that works.
"""


FEW_MISSING = 0.05
"""If no larger share of the trials is missing, none is taken to be faster than the fastest seen."""


@dataclass(frozen=True)
class Grid:
    """Bounds of the seconds to the target of one width's trials.

    Args:
        name: the study's name.
        optimizers: along the first axis of the arrays.
        meant: those that the claims are about.
        rates: along the second axis.
        low: (optimizers, rates, seeds), the least that it may be. It is the seconds of an
            arrival, and infinite for a trial that diverged or is stuck. A capped trial lies above
            its cap. One that is missing, failed with an error or was pruned may take any time, or,
            if few are, the time of the fastest of all. NaN if nobody asked for the trial.
        high: as `low`, the most that it may be.
        outcomes: (optimizers, rates, seeds); "" if a trial is missing.
        long: whether the cap is so long that a capped trial counts as one that does not work.
        budget: seconds after which a trial was given up.
        noise: the scatter of the seconds from seed to seed.
        assumed: how many missing trials count as failed, because those at both neighbouring rates
            did.
        fresh: the runs of its selected rates on fresh seeds whose ends are known, see `study
            confirm`.
    """

    name: str
    optimizers: tuple[str, ...]
    meant: tuple[str, ...]
    rates: Floats
    low: Floats
    high: Floats
    outcomes: NDArray[np.str_]
    long: bool
    budget: float
    noise: Scatter
    assumed: int = 0
    fresh: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False)

    @property
    def asked(self) -> NDArray[np.bool_]:
        """(optimizers, rates, seeds), which trials were asked for."""
        return ~np.isnan(self.low)

    @property
    def seeds(self) -> int:
        """The least number of seeds of a cell."""
        return int(self.asked.sum(axis=-1).min())

    @property
    def fresh_seeds(self) -> pd.Series:
        """The number of fresh seeds by the optimizer; empty without any."""
        if self.fresh.empty:
            return pd.Series(dtype=int)
        names = self.fresh["optimizer"].astype(str)
        return names.value_counts().reindex(list(self.optimizers), fill_value=0)

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """(optimizers, rates, seeds), trials of which nothing is known."""
        ended = np.isin(self.outcomes, [Outcome.REACHED, Outcome.CAPPED])
        return self.asked & ~ended & ~np.isinf(self.low)

    @property
    def missing(self) -> int:
        """The number of trials of which nothing is known."""
        return int(self.unknown.sum())

    @property
    def medians(self) -> tuple[Floats, Floats]:
        """(optimizers, rates), the least and the most that the median time may be, in seconds."""
        return _median(self.low), _median(self.high)

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
            self.asked.sum(axis=-1),
        )

    @property
    def complete(self) -> bool:
        """Whether the study has every optimizer that the claims are about."""
        return set(self.optimizers) == set(self.meant)


def _median(times: Floats) -> Floats:
    """The median over the seeds that were asked for, the last axis."""
    order = np.sort(times, axis=-1)  # NaN last
    count = (~np.isnan(times)).sum(axis=-1)
    middle = [
        np.take_along_axis(order, place[..., None], -1)[..., 0]
        for place in ((count - 1) // 2, count // 2)
    ]
    return np.asarray((middle[0] + middle[1]) / 2)


def states(
    arrived: NDArray[np.bool_], failed: NDArray[np.bool_], seeds: NDArray[np.int64] | int
) -> NDArray[np.int64]:
    """Whether cells work.

    Args:
        arrived: (..., seeds), trials that reached the target.
        failed: (..., seeds), trials that would not.
        seeds: (...), how many there are of each cell.

    Returns:
        (...): 1 if most seeds arrived, -1 if at least half failed, 0 if it is not known.
    """
    works, fails = 2 * arrived.sum(axis=-1) > seeds, 2 * failed.sum(axis=-1) >= seeds
    return np.asarray(works.astype(np.int64) - fails, np.int64)


def grid_study(studies: Known) -> Evidence | None:
    """The study of the largest grid that is wide and dense enough; None if none is.

    The spec decides, not the stored trials: a missing trial never makes another study the judge.
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
    return largest(found) if found else None


def grid_of(studies: Known) -> Grid | None:
    """The largest grid, with the seeds of its cells that other studies hold; None if there is none.

    Of several widths it is width 1, or else the first.
    """
    return _grid_of(tuple(studies))


@lru_cache(maxsize=1)  # most judges want the same grid
def _grid_of(studies: Known) -> Grid | None:
    study = grid_study(studies)
    if study is None:
        return None
    spec, rates = study.spec, np.array(sorted(study.spec.rates), float)
    head = spec.name, tuple(spec.optimizers), meant_by(spec)
    width = 1.0 if 1.0 in spec.widths else spec.widths[0]
    runs = pooled(study, studies)
    runs = runs[runs["width"] == width] if len(runs) else runs
    seeds = max(spec.seeds, int(runs["seed"].max()) + 1) if len(runs) else spec.seeds
    shape = (len(spec.optimizers), len(rates), seeds)
    if runs.empty:
        low, high = np.zeros(shape), np.full(shape, math.inf)
        outcomes = np.full(shape, "")
        return Grid(*head, rates, low, high, outcomes, False, 0, ONE_DRAW)
    axes = ([width], spec.optimizers, list(rates), seeds)
    low, high = _bounds(runs, axes)
    outcomes = tables.on_axes(runs, runs["outcome"].astype(str).to_numpy(str), *axes, missing="")[0]
    beyond = (outcomes == "") & (np.arange(seeds) >= spec.seeds)  # seeds that few cells have
    low[beyond] = high[beyond] = math.nan
    arrived = runs["seconds"][runs["outcome"] == Outcome.REACHED]
    if len(arrived) and (low == 0).sum() <= FEW_MISSING * (low >= 0).sum():
        low[low == 0] = arrived.min()
    budget = float(tables.budget(runs).max())
    long = bool(len(arrived) and budget >= LONG_CAP * arrived.min())
    gaps = _between_failures(low, outcomes, long)
    low[:, 1:-1][gaps] = np.minimum(low[:, :-2], low[:, 2:])[gaps]
    outcomes[:, 1:-1][gaps] = outcomes[:, :-2][gaps]
    noise, count, fresh = tables.scatter(runs), int(gaps.sum()), study.confirmed
    if len(fresh):
        unknown = fresh["outcome"].isin([Outcome.FAILED, Outcome.PRUNED])
        fresh = fresh[(fresh["width"] == width) & ~unknown]
    return Grid(*head, rates, low, high, outcomes, long, budget, noise, count, fresh)


def _between_failures(low: Floats, outcomes: NDArray[np.str_], long: bool) -> NDArray[np.bool_]:
    """(optimizers, rates - 2, seeds): missing trials with a failure at both neighbouring rates."""
    failed = np.isposinf(low) | (long & (outcomes == Outcome.CAPPED))
    missing = (outcomes == "") & ~np.isnan(low)
    return np.asarray(missing[:, 1:-1] & failed[:, :-2] & failed[:, 2:])


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


def no_grid(studies: Known) -> str:
    """Why there is no grid to judge."""
    return (
        f"no study tries several optimizers at rates over {DECADES:g} decades, {PER_DECADE:g} "
        f"in each{such_as(studies, 'run article', '--rates 1e-5:1:11')}"
    )


def without(studies: Known, grid: Grid | None, optimizer: str) -> str:
    """Why an optimizer cannot be judged among all that the claims are about; empty if it can.

    Args:
        studies: all that is known.
        grid: the grid to judge, if there is one.
        optimizer: the optimizer that the claim names.
    """
    if grid is None:
        return no_grid(studies)
    if not grid.complete:
        return "not all six optimizers were tried"
    absent = optimizer not in grid.optimizers
    return f"the claim is about {optimizer}, which is none of the study's" if absent else ""


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


def times_in_words(times: float) -> str:
    """A ratio in words."""
    return f"{times:.1f} times" if math.isfinite(times) else "never there, against"


def judged_study(grid: Grid) -> str:
    """The study that was judged and what is not known of it, as the end of a sentence."""
    parts = (
        [f"{grid.missing} of {grid.low.size} trials are missing or were given up early"]
        if grid.missing
        else []
    )
    if grid.assumed:
        parts.append(f"{grid.assumed} missing between two that failed count as failed")
    parts += [f"{grid.short} ran out of a cap too short to tell"] if grid.short else []
    return f"{'; ' if parts else ''}{' and '.join(parts)} (study {grid.name})"
