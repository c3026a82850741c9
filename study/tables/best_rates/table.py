"""One row an optimizer: the rates that work, and the best of them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from study.tables import intervals
from study.tables.best_rates.axes import cube
from study.tables.best_rates.noise import (
    Scatter,
    best_margin,
    centres,
    least_margins,
    pair_margin,
    scatter,
)
from study.tables.cells import cells
from study.tables.foreign import in_steps
from study.tables.intervals import WITHIN, Floats
from study.tables.rows import CELL, comparable, look_seconds


@in_steps
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
        - tied, tied_low, tied_high: how many rates tie, the best one among them, and the least and
            the largest of them: a time is known to one look at the accuracy, so that rates tie
            whose times may be the same
        - seeds, seeds_arrived: seeds of a rate; those that arrived at the best rate
        - at_edge: whether the best rate is the lowest or highest tried: a better one may lie beyond
        - unstable: whether a trial at the best rate died when it was trained again in another array
        - decades: width of the valley, decades of rate within twice the best time
        - best_low, best_high: the least and the largest rate that may be the best; seconds_low,
            seconds_high: interval of the least median over the rates; decades_low, decades_high:
            interval of the valley's width. 95 % intervals that take into account that the best is
            the least of many noisy cells, see `noise`; NaN with fewer than three seeds or with
            trials missing

    Raises:
        StudyError: no runs, or runs that must not share a table.
    """
    rows = []
    runs = comparable(runs)
    seeds, noise = int(runs["seed"].max()) + 1, scatter(runs)
    spaced = runs.assign(look_seconds=look_seconds(runs)).rename(columns={"learning_rate": "rate"})
    every = cells(runs).merge(
        spaced.groupby(CELL, observed=True)["look_seconds"].median().reset_index(), on=CELL
    )
    by_width = dict(iter(runs.groupby("width")))
    for key, group in every.groupby(["width", "optimizer"], observed=True):
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
            "unstable": False,
            "seeds": int(group["seeds"].max()),
            "width": width,
            "share": len(arrived) / len(group),
            "decades": math.nan,
            "tied": 0,
            "tied_low": math.nan,
            "tied_high": math.nan,
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
            row["unstable"] = bool(top["unstable"])
            looks = group["look_seconds"].fillna(0.0)
            same = group["seconds"] - looks < top["seconds"]
            ties = group["rate"][same | (group["seconds"] == top["seconds"])]
            row |= {"tied": len(ties), "tied_low": ties.min(), "tied_high": ties.max()}
            rates = group["rate"].to_numpy(float)
            row["decades"] = float(
                intervals.valley_decades(rates, group["seconds"].to_numpy(float))
            )
            times = cube(by_width[width], [width], [optimizer], list(rates), seeds)[0, 0]
            row |= _intervals(rates, times, noise)
        rows.append(row)
    table = pd.DataFrame(rows)
    table["optimizer"] = pd.Categorical(table["optimizer"], runs["optimizer"].cat.categories)
    return table


def _intervals(rates: Floats, seconds: Floats, noise: Scatter) -> dict[str, float]:
    """Intervals of the best rate, of its seconds and of the valley's width, see `noise`.

    Args:
        rates: (rates,), sorted.
        seconds: (rates, seeds), infinite if a trial did not arrive; NaN if that is not known.
        noise: the scatter of one seed.
    """
    seeds = seconds.shape[1]
    if seeds < intervals.FEWEST_SEEDS or np.isnan(seconds).any():
        return {}
    median, hopeful = centres(seconds)
    tied, least = int(np.isfinite(hopeful).sum()), float(median.min())
    low, high = least_margins(noise, seeds, tied)
    may_be_best = hopeful <= least * best_margin(noise, seeds, tied - 1)
    apart = pair_margin(noise, seeds, tied)
    span = intervals.spans(rates)
    surely, possibly = median <= least * WITHIN / apart, hopeful <= least * WITHIN * apart
    surely |= median == least  # the best rate is within any factor of itself
    return {
        "best_low": float(rates[may_be_best].min()),
        "best_high": float(rates[may_be_best].max()),
        "seconds_low": float(min(least, hopeful.min()) * low),
        "seconds_high": least * high,
        "decades_low": float(span @ surely),
        "decades_high": float(span @ possibly),
    }
