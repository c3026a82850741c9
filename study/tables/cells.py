"""One row a rate, over its seeds."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from study.storage.records import Outcome
from study.tables import intervals
from study.tables.load import CELL, comparable


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
