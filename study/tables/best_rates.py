"""The rates of each optimizer that work, and the best of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.errors import StudyError
from study.spec.trial import Trial
from study.storage.records import Outcome, Run
from study.storage.store import Store
from study.tables import intervals
from study.tables.cells import cells
from study.tables.intervals import Floats
from study.tables.rows import comparable, frame


def best(runs: pd.DataFrame) -> pd.DataFrame:
    """The best rate of each optimizer at each width.

    A rate arrived if its median time over the seeds is finite. The best rate has the least median
    seconds.

    Args:
        runs: a study's runs.

    Returns:
        One row a width and optimizer, with the columns

        - optimizer, width
        - rates, arrived, share: rates tried; those that arrived; their share
        - lowest, highest: the least and the largest rate that arrived
        - best_rate: the best rate; NaN if none arrived
        - seconds, steps: medians at the best rate
        - seeds, seeds_arrived: seeds of a rate; those that arrived at the best rate
        - at_edge: whether the best rate is the lowest or highest tried: a better one may lie beyond
        - decades: width of the valley, decades of rate within twice the best time
        - best_low, best_high, seconds_low, seconds_high, decades_low, decades_high: 95 % bootstrap
            intervals over the seeds; NaN with fewer than three seeds or with trials missing

    Raises:
        StudyError: no runs, or runs that must not share a table.
    """
    rows = []
    runs = comparable(runs)
    seeds = int(runs["seed"].max()) + 1
    by_width = dict(iter(runs.groupby("width")))
    for key, group in cells(runs).groupby(["width", "optimizer"], observed=True):
        width, optimizer = float(str(key[0])), str(key[1])
        arrived = group[group["seconds"] < math.inf]
        row = {
            "optimizer": optimizer,
            "rates": len(group),
            "arrived": len(arrived),
            "lowest": arrived["rate"].min(),
            "highest": arrived["rate"].max(),
            "best_rate": math.nan,
            "seconds": math.nan,
            "steps": math.nan,
            "seeds_arrived": 0,
            "at_edge": False,
            "seeds": int(group["seeds"].max()),
            "width": width,
            "share": len(arrived) / len(group),
            "decades": math.nan,
        }
        row |= {
            f"{name}_{end}": math.nan
            for name in ("best", "seconds", "decades")
            for end in ("low", "high")
        }
        if len(arrived):
            top = arrived.iloc[int(arrived["seconds"].to_numpy().argmin())]
            edge = len(group) > 1 and top["rate"] in (group["rate"].min(), group["rate"].max())
            row |= {"best_rate": top["rate"], "seconds": top["seconds"], "steps": top["steps"]}
            row |= {"seeds_arrived": int(top["arrived"]), "at_edge": bool(edge)}
            rates = group["rate"].to_numpy(float)
            row["decades"] = float(
                intervals.valley_decades(rates, group["seconds"].to_numpy(float))
            )
            row |= _best_intervals(
                rates, cube(by_width[width], [width], [optimizer], list(rates), seeds)[0, 0]
            )
        rows.append(row)
    table = pd.DataFrame(rows)
    table["optimizer"] = pd.Categorical(table["optimizer"], runs["optimizer"].cat.categories)
    return table


def cube(
    runs: pd.DataFrame,
    widths: Sequence[float],
    optimizers: Sequence[str],
    rates: Sequence[float],
    seeds: int,
) -> Floats:
    """Seconds to the target, laid out as an array.

    Args:
        runs: the runs.
        widths: the values along the first axis.
        optimizers: the values along the second axis.
        rates: the values along the third axis.
        seeds: the number of seeds, along the last axis.

    Returns:
        (widths, optimizers, rates, seeds): infinite if a trial did not reach the target; NaN if
        this is not known, because the trial is missing, failed with an error, or was pruned.
    """
    known = ~runs["outcome"].isin([Outcome.FAILED, Outcome.PRUNED])
    times = (
        runs["seconds"].where(runs["outcome"] == Outcome.REACHED, math.inf).where(known, math.nan)
    )
    return on_axes(runs, times.to_numpy(float), widths, optimizers, rates, seeds, missing=math.nan)


def on_axes(
    runs: pd.DataFrame,
    values: NDArray[Any],
    widths: Sequence[float],
    optimizers: Sequence[str],
    rates: Sequence[float],
    seeds: int,
    missing: Any,
) -> NDArray[Any]:
    """One value a run, laid out as an array.

    Args:
        runs: the runs.
        values: (runs,), the values.
        widths: the values along the first axis.
        optimizers: the values along the second axis.
        rates: the values along the third axis.
        seeds: the number of seeds, along the last axis.
        missing: the value if there is no run.

    Returns:
        (widths, optimizers, rates, seeds).
    """
    found = np.full((len(widths), len(optimizers), len(rates), seeds), missing, dtype=values.dtype)
    axes: dict[str, list[Any]] = {
        "width": list(widths),
        "optimizer": list(optimizers),
        "learning_rate": list(rates),
        "seed": list(range(seeds)),
    }
    places = np.array(
        [pd.Index(values).get_indexer(runs[name].to_numpy()) for name, values in axes.items()]
    )
    inside = (places >= 0).all(axis=0)
    found[tuple(places[:, inside])] = values[inside]
    return found


def _best_intervals(rates: Floats, seconds: Floats) -> dict[str, float]:
    """Intervals of the best rate, its seconds and the valley's width.

    Seeds are paired, so all rates take the same resampled seeds.
    """
    seeds = seconds.shape[1]
    if seeds < intervals.FEWEST_SEEDS or np.isnan(seconds).any():
        return {}
    drawn = intervals.medians(seconds, intervals.draws(seeds))
    least = drawn.min(axis=0)
    found = {
        "best": rates[drawn.argmin(axis=0)][np.isfinite(least)],
        "seconds": least,
        "decades": intervals.valley_decades(rates, drawn),
    }
    ends = {
        name: intervals.percentile_interval(values) for name, values in found.items() if len(values)
    }
    return {
        f"{name}_{end}": float(value)
        for name, pair in ends.items()
        for end, value in zip(("low", "high"), pair, strict=True)
    }


AROUND = (0.1, 0.215, 0.464, 1.0, 1.47, 2.15)
"""Factors on the best rate: three steps of a third of a decade below it, two of a sixth above it.

The valley's wall is near above.
"""


def rates_around(runs: pd.DataFrame, optimizer: str) -> tuple[float, ...]:
    """Six rates around an optimizer's best rate at the least width.

    Args:
        runs: a study's runs.
        optimizer: the optimizer.

    Returns:
        The rates, `AROUND` times the best one.

    Raises:
        StudyError: no rate of the optimizer arrived.
    """
    mine = runs[runs["optimizer"] == optimizer]
    found = (
        best(mine[mine["width"] == mine["width"].min()])["best_rate"].dropna()
        if len(mine)
        else pd.Series(dtype=float)
    )
    if found.empty:
        raise StudyError(
            f"{optimizer} reached the target at no rate of that study: there is no best rate to "
            "go around"
        )
    return tuple(float(f"{factor * found.iloc[0]:.3g}") for factor in AROUND)


MARGIN = 1.25
"""Curves cover this multiple of the slowest best time, to show what follows the target."""


@dataclass(frozen=True)
class Wanted:
    """Curves to train.

    Args:
        groups: the trials of each seed, which train as lanes of one array.
        step_seconds: the step time of each lane.
        span: seconds of training, counted in the lane's own step time.
    """

    groups: list[list[Trial]]
    step_seconds: list[float]
    span: float


def wanted(store: Store, runs: list[Run]) -> Wanted | None:
    """The curves of the best rates that are still to be trained: of the first width and all seeds.

    A lane trains its trial again on the same batches. Another array rounds otherwise, so that a
    rate at the edge of what training survives may end otherwise. All curves cover the same seconds.

    Args:
        store: the study's folder.
        runs: its runs.

    Returns:
        The curves; None if no rate reached the target, or all curves are stored.
    """
    arrived = [run for run in runs if run.outcome is Outcome.REACHED and run.step_seconds]
    if not arrived:
        return None
    table = best(frame(runs)).dropna(subset="best_rate")
    if table.empty:  # some trials arrived, but no rate in the median of its seeds
        return None
    table = table[table["width"] == table["width"].iloc[0]]
    chosen = [
        next(r for r in arrived if (r.trial.optimizer, r.trial.learning_rate, r.trial.width) == key)
        for key in zip(table["optimizer"], table["best_rate"], table["width"], strict=True)
    ]
    span = MARGIN * float(table["seconds"].max())
    cap = chosen[0].trial.cap
    span = span if cap is None else min(span, cap)
    seeds = sorted({run.trial.seed for run in runs})
    groups = [[replace(run.trial, seed=seed) for run in chosen] for seed in seeds]
    stored = {curve.id: curve.span for curve in store.curves()}
    if set(stored) == {trial.id for trials in groups for trial in trials} and all(
        math.isclose(value, span) for value in stored.values()
    ):
        return None
    return Wanted(groups, [run.step_seconds or 0.0 for run in chosen], span)
