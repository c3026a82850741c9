"""What the selected rates of a study take on fresh seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from study.storage.jsonl import Count, Number
from study.storage.records import Outcome
from study.tables.best_rates.noise import least_margins, scatter

CONFIRM = "confirm"
"""The folder of the fresh trials, in the study's folder."""


SELECTED = "confirm.json"
"""The selected rates, in that folder."""


@dataclass(frozen=True)
class Selection:
    """A rate that was selected.

    Args:
        optimizer: of which optimizer.
        width: of which width.
        rate: the learning rate.
        seconds: the median that it was selected by.
        seeds: over so many seeds.
    """

    optimizer: str
    width: Number
    rate: Number
    seconds: Number
    seeds: Count


def confirmed(runs: pd.DataFrame, fresh: pd.DataFrame) -> pd.DataFrame:
    """The time of each selected rate on fresh seeds beside that of its selection.

    Args:
        runs: a study's runs.
        fresh: the runs of `study confirm` on that study.

    Returns:
        One row a width and optimizer, with the columns

        - optimizer, width, rate: what was selected
        - seeds, arrived: numbers of fresh seeds: all, and those that reached the target
        - selected_seconds: the median that it was selected by
        - seconds: the median over the fresh seeds, infinite where half did not arrive
        - seconds_low, seconds_high: its 95 % interval, by the scatter of all fresh cells; NaN
            without a median
        - luck: seconds / selected_seconds, above 1 where the selection was lucky
    """
    columns = ["optimizer", "width", "rate", "seeds", "arrived", "selected_seconds", "seconds"]
    columns += ["seconds_low", "seconds_high", "luck"]
    if fresh.empty:
        return pd.DataFrame(columns=columns)
    noise, rows = scatter(fresh), []
    arrived = fresh["outcome"] == Outcome.REACHED
    timed = fresh.assign(arrived=arrived, seconds=fresh["seconds"].where(arrived, math.inf))
    before = runs.assign(
        seconds=runs["seconds"].where(runs["outcome"] == Outcome.REACHED, math.inf)
    )
    keys = ["width", "optimizer", "learning_rate"]
    medians = before.groupby(keys, observed=True)["seconds"].median().to_dict()
    for key, mine in timed.groupby(keys, observed=True):
        width, optimizer, rate = float(str(key[0])), str(key[1]), float(str(key[2]))
        seconds, selected = float(mine["seconds"].median()), float(medians[key])
        low, high = least_margins(noise, len(mine), 1)
        known = seconds < math.inf
        rows.append(
            {
                "optimizer": optimizer,
                "width": width,
                "rate": rate,
                "seeds": len(mine),
                "arrived": int(mine["arrived"].sum()),
                "selected_seconds": selected,
                "seconds": seconds,
                "seconds_low": seconds * low if known else math.nan,
                "seconds_high": seconds * high if known else math.nan,
                "luck": seconds / selected,
            }
        )
    return pd.DataFrame(rows)[columns]
