"""What the judges of claims on model size share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from study import tables
from study.claims.evidence import Evidence, Known, pooled, studies_in, such_as
from study.claims.frame import ratio
from study.storage.records import Outcome
from study.tables import intervals
from study.tables.best_rates import ONE_DRAW, Scatter, best_margin
from study.tables.intervals import Floats

SIZE_RANGE, FEWEST_WIDTHS = 4.0, 5
"""A claim about sizes needs `FEWEST_WIDTHS` widths, the largest `SIZE_RANGE` times the smallest.

The published study has 36, and 9.75 times.
"""


GOOD = 2.0
"""A rate suits a size if it takes at most this factor of the least time."""


@dataclass(frozen=True)
class Sizes:
    """The trials of one optimizer in a study of sizes.

    Args:
        name: the study's name.
        optimizer: the optimizer.
        widths: along the first axis of the arrays.
        rates: along the second axis.
        seconds: (widths, rates, seeds), to the target; infinite if a trial did not arrive, NaN if
            it is not known whether it would.
        runs: the trials as a table.
        capped: (widths, rates, seeds), which trials ran out of time.
        seeds: how many the study asks for; those beyond are other studies'.
    """

    name: str
    optimizer: str
    widths: Floats
    rates: Floats
    seconds: Floats
    runs: pd.DataFrame
    capped: NDArray[np.bool_]
    seeds: int

    @property
    def missing(self) -> int:
        """The number of trials of which nothing is known."""
        return int(np.isnan(self.seconds[..., : self.seeds]).sum())


def size_studies(studies: Known) -> list[Evidence]:
    """The studies of sizes: that of the most widths first; of those that of the most seeds, rates.

    The spec decides. What is missing decides only between studies of one name.
    """
    found = []
    for study in studies_in(studies):
        least, most = min(study.spec.widths), max(study.spec.widths)
        if len(study.spec.widths) >= FEWEST_WIDTHS and most >= SIZE_RANGE * least:
            found.append(study)
    return sorted(
        found,
        key=lambda study: (
            len(study.spec.widths),
            study.spec.seeds,
            len(study.spec.rates),
            study.spec.name,
            len(study.runs),
        ),
        reverse=True,
    )


def sizes_of(studies: Known, others: bool = False) -> Sizes | None:
    """Adam's part of the first of `size_studies`, or its first optimizer's; None if none is wide.

    Args:
        studies: all that is known.
        others: whether the seeds of its cells that other studies hold count, too.
    """
    found = size_studies(studies)
    if not found:
        return None
    study = found[0]
    spec, widths, rates = (
        study.spec,
        np.array(sorted(study.spec.widths), float),
        np.array(sorted(study.spec.rates), float),
    )
    optimizer = "adam" if "adam" in spec.optimizers else spec.optimizers[0]
    runs = pooled(study, studies) if others else study.runs
    runs = runs[runs["optimizer"] == optimizer] if len(runs) else runs
    seeds = max(spec.seeds, int(runs["seed"].max()) + 1) if len(runs) and others else spec.seeds
    if runs.empty:
        shape = (len(widths), len(rates), seeds)
        return Sizes(
            spec.name,
            optimizer,
            widths,
            rates,
            np.full(shape, math.nan),
            runs,
            np.zeros(shape, bool),
            spec.seeds,
        )
    axes = (list(widths), [optimizer], list(rates), seeds)
    seconds = tables.cube(runs, *axes)[:, 0]
    capped = tables.on_axes(
        runs, (runs["outcome"] == Outcome.CAPPED).to_numpy(), *axes, missing=False
    )[:, 0]
    return Sizes(spec.name, optimizer, widths, rates, seconds, runs, capped, spec.seeds)


def no_sizes(studies: Known) -> str:
    """Why there is no study of sizes to judge."""
    return (
        f"no study has {FEWEST_WIDTHS} widths, the largest {SIZE_RANGE:g} times the smallest"
        f"{such_as(studies, 'run sizes', '--widths 1,1.5,2,3,4')}"
    )


def _at(sizes: Sizes, widths: NDArray[np.bool_]) -> Floats:
    """(rates, trials), the seconds at some widths; few widths have the seeds of other studies."""
    part = sizes.seconds[widths].transpose(1, 0, 2).reshape(len(sizes.rates), -1)
    return np.asarray(part[:, ~np.isnan(part).all(axis=0)])


def middles(sizes: Sizes, widths: NDArray[np.bool_]) -> Floats:
    """(rates,), the median seconds over some widths and all seeds; infinite if one is not known."""
    part = _at(sizes, widths)
    return np.nan_to_num(np.median(part, axis=1), nan=math.inf, posinf=math.inf)


def over_least(
    sizes: Sizes, widths: NDArray[np.bool_], miss: float
) -> tuple[Floats, Floats, Floats]:
    """The time of each rate over the least of all rates, at some widths.

    Widths and seeds are paired: what a width and seed take more at all rates does not count. The
    scatter is that between neighbouring widths, of the rates that are within `GOOD` times the
    least.

    Args:
        sizes: the study.
        widths: (widths,), which count.
        miss: the share of cases in which any of the intervals may miss.

    Returns:
        (rates,), the ratios and the ends of their intervals; from 1 to infinity where not known.
    """
    times = _at(sizes, widths)
    sure = np.isfinite(times).all(axis=1)
    if not sure.any():
        nothing = np.full(len(times), math.inf)
        return nothing, np.ones(len(times)), nothing
    logs = np.log(times)
    middle = np.median(logs, axis=1)
    near = sure & (middle <= middle[sure].min() + math.log(GOOD))
    centred = np.median(logs - logs[near].mean(axis=0), axis=1)
    noise = _between_widths(sizes, widths, near)
    share = miss / 2 / len(times)
    margin = best_margin(noise, times.shape[1], max(1, len(times) - 1), share)
    found = np.exp(centred - centred[sure].min())
    unknown = np.isnan(found)
    low, high = np.maximum(found / margin, 1.0), found * margin
    return (
        np.where(unknown, math.inf, found),
        np.where(unknown, 1.0, low),
        np.where(unknown, math.inf, high),
    )


def _between_widths(sizes: Sizes, end: NDArray[np.bool_], rates: NDArray[np.bool_]) -> Scatter:
    """The scatter of log times at some rates, what all of them share taken away.

    sd^2 = sum (x_i+1 - x_i)^2 / 2 (m - 1) over neighbouring widths, which differ little otherwise,
    of that half of the widths which the end is in. Von Neumann 1941.
    """
    count = len(sizes.widths)
    half = max((count + 1) // 2, int(end.sum()))
    part = slice(0, half) if end[0] else slice(count - half, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(sizes.seconds[part, rates])
        left = logs - logs.mean(axis=1, keepdims=True)
        steps = np.diff(left, axis=0)
    steps = steps[np.isfinite(steps)]
    if not len(steps) or rates.sum() < 2:
        return ONE_DRAW
    shared = 1 - 1 / int(rates.sum())  # a mean over so many rates was taken away
    sd = math.sqrt(float((steps**2).mean()) / 2 / shared)
    return Scatter(sd, max(1.0, 2 / 3 * shared * len(steps)))


def best_overall(sizes: Sizes, working: list[int]) -> int:
    """The rate, of those that work, whose time is the least over all widths in the median."""
    times = np.median(sizes.seconds[:, working], axis=-1)
    times = np.where(np.isnan(times), math.inf, times)
    times = times[np.isfinite(times).any(axis=1)]
    over = times / times.min(axis=1, keepdims=True)
    return working[int(np.argmin(np.median(over, axis=0)))]


@dataclass(frozen=True)
class Compared:
    """One rate against another over all widths.

    Args:
        slower: the geometric mean of the ratios of their times, width by width and seed by seed.
        wider: the ratio of the standard deviations about the line of time against size.
        low: the low end of an interval of the smaller of the two.
        high: its high end.
    """

    slower: float
    wider: float
    low: float
    high: float


def compared(sizes: Sizes, first: int, last: int, miss: float) -> Compared:
    """Time and scatter about the line at one rate over those at another.

    The time's interval is Student's, of the log ratios. The scatter's is by the F distribution,
    with half of the degrees of freedom: they are fewer where scatter grows with the size.

    Args:
        sizes: the study.
        first: the place of the one rate.
        last: that of the other.
        miss: the share of cases that the interval may miss.
    """
    n = sizes.runs.groupby("width")["weights"].first().reindex(sizes.widths).to_numpy(float)
    x = np.repeat(n / max(np.nanmax(n), 1.0), sizes.seconds.shape[2])
    slope = int(np.nanmax(n) > np.nanmin(n))  # a model may be as large at every width
    times = [sizes.seconds[:, place].ravel() for place in (first, last)]
    both = np.isfinite(times[0]) & np.isfinite(times[1])
    logs = intervals.mean(np.log(times[1][both] / times[0][both]), miss)
    spreads, free = [], []
    for y in times:
        fine = np.isfinite(y)
        left = y[fine] - np.polyval(np.polyfit(x[fine], y[fine], slope), x[fine])
        free.append(max(1, int(fine.sum()) - 2) / 2)
        spreads.append(math.sqrt(float((left**2).sum()) / (2 * free[-1])))
    wider = float(ratio(spreads[1], max(spreads[0], 1e-12)))
    pairs = ((free[1], free[0]), (free[0], free[1]))
    widest = [math.sqrt(float(special.fdtri(one, other, 1 - miss / 2))) for one, other in pairs]
    return Compared(
        math.exp(logs.mean),
        wider,
        min(math.exp(logs.low), wider / widest[0]),
        min(math.exp(logs.high), wider * widest[1]),
    )
