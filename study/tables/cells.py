"""One row a rate, over its seeds."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from study.storage.records import Outcome
from study.tables import intervals
from study.tables.rows import CELL, budget, comparable


def valley(runs: pd.DataFrame) -> pd.DataFrame:
    """Every trial of the valley figure: optimizer, rate, outcome, seconds, steps, seed, width, and
    whether the machine was quiet.
    """
    table = comparable(runs).rename(columns={"learning_rate": "rate"})
    return table[
        ["optimizer", "rate", "outcome", "seconds", "steps", "seed", "width", "quiet"]
    ].reset_index(drop=True)


def cells(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a (width, optimizer, rate), over its seeds with a censored time as infinite.

    Columns: seeds, arrived; seconds and steps, the medians; seconds_low, seconds_high, a bootstrap
    interval of the median; seconds_q25, seconds_q75, the quartiles; expected_seconds, the expected
    running time (all seconds spent / arrivals: what restarting until one arrives costs; Hansen et
    al. 2009); weights, multiply_adds, step_seconds.
    """
    runs = comparable(runs)
    arrived = runs["outcome"] == Outcome.REACHED
    timed = runs.assign(
        arrived=arrived,
        spent=runs["seconds"],
        seconds=runs["seconds"].where(arrived, math.inf),
        steps=runs["steps"].astype(float).where(arrived, math.inf),
    ).rename(columns={"learning_rate": "rate"})
    grouped = timed.groupby(CELL, observed=True)
    table = grouped.agg(
        seeds=("seed", "size"),
        arrived=("arrived", "sum"),
        seconds=("seconds", "median"),
        steps=("steps", "median"),
        spent=("spent", "sum"),
        weights=("weights", "first"),
        multiply_adds=("multiply_adds", "first"),
        step_seconds=("step_seconds", "median"),
    ).reset_index()
    table["expected_seconds"] = (table.pop("spent") / table["arrived"]).where(
        table["arrived"] > 0, math.inf
    )
    order = timed.assign(place=grouped.ngroup()).sort_values(["place", "seconds"])
    for seeds, mine in order.groupby(order["place"].map(table["seeds"])):
        values = mine["seconds"].to_numpy(float).reshape(-1, int(seeds))
        low, high = intervals.median_intervals(values)
        places = mine["place"].to_numpy()[:: int(seeds)]
        table.loc[places, "seconds_low"], table.loc[places, "seconds_high"] = low, high
        for name, share in (("seconds_q25", 0.25), ("seconds_q75", 0.75)):
            table.loc[places, name] = np.quantile(values, share, axis=1, method="inverted_cdf")
    return table


def profile(runs: pd.DataFrame) -> pd.DataFrame:
    """Performance profile: the share of an optimizer's trials that arrive within `ratio` times the
    least seconds of all.

    The least is over every optimizer and rate of the same width and seed, so that the curve says
    what a rate drawn from the grid gives.
    Columns: optimizer, ratio, share; after Dolan and More 2002.
    """
    runs = comparable(runs)
    seconds = runs["seconds"].where(runs["outcome"] == Outcome.REACHED, math.inf)
    ratio = seconds / seconds.groupby([runs["width"], runs["seed"]]).transform("min")
    table = pd.DataFrame({"optimizer": runs["optimizer"], "ratio": ratio}).sort_values(
        ["optimizer", "ratio"], ignore_index=True
    )
    grouped = table.groupby("optimizer", observed=True)
    table["share"] = (grouped.cumcount() + 1) / grouped["ratio"].transform("size")
    return table[table["ratio"] < math.inf].reset_index(drop=True)


def sizes(runs: pd.DataFrame, n: str = "weights", t: str = "seconds") -> pd.DataFrame:
    """One row a (optimizer, rate): the line of time against model size and how well it holds; see
    `fits.lines`.

    Raises:
        StudyError: fewer than three widths, or runs that must not share a table.
    """
    from study.tables import fits  # scipy takes a second to import

    return fits.lines(comparable(runs), n, t)


def envelope(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a (width, rate): fastest and slowest median seconds over the optimizers, whose they
    are, and how many arrived.

    A rate at which an optimizer did not arrive counts as the cap, as in the published figure.
    """
    table = cells(runs)
    cap = float(budget(runs).max())
    table["seconds"] = table["seconds"].clip(upper=cap)
    by_rate = table.groupby(["width", "rate"], as_index=False)
    fastest = table.loc[by_rate["seconds"].idxmin()["seconds"]].reset_index(drop=True)
    slowest = table.loc[by_rate["seconds"].idxmax()["seconds"]].reset_index(drop=True)
    counts = (
        table.assign(arrives=table["steps"] < math.inf)
        .groupby(["width", "rate"], as_index=False)
        .agg(arrived=("arrives", "sum"), optimizers=("arrives", "size"))
    )
    return pd.DataFrame(
        {
            "rate": fastest["rate"],
            "fastest_seconds": fastest["seconds"],
            "fastest_optimizer": fastest["optimizer"].astype(object).where(counts["arrived"] > 0),
            "slowest_seconds": slowest["seconds"],
            "slowest_optimizer": slowest["optimizer"]
            .astype(object)
            .where(slowest["seconds"] < cap),
            "arrived": counts["arrived"],
            "optimizers": counts["optimizers"],
            "width": fastest["width"],
        }
    )
