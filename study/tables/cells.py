"""Tables over the seeds of each rate, and over all rates."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from study.storage.records import Outcome
from study.tables import intervals
from study.tables.foreign import in_steps
from study.tables.rows import CELL, budget, comparable


@in_steps
def valley(runs: pd.DataFrame) -> pd.DataFrame:
    """The trials of the valley figure, one row a trial.

    Args:
        runs: a study's runs.

    Returns:
        A table with the columns

        - optimizer, rate, seed, width: what was trained
        - outcome: how the trial ended
        - seconds, steps: of training
        - quiet: whether the machine was nearly free; None if not known
        - unstable: whether the trial arrived, and died when it was trained again in another array

    Raises:
        StudyError: no runs, or runs that must not share a table.
    """
    table = comparable(runs).rename(columns={"learning_rate": "rate"})
    return table[
        ["optimizer", "rate", "outcome", "seconds", "steps", "seed", "width", "quiet", "unstable"]
    ].reset_index(drop=True)


@in_steps
def cells(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a width, optimizer and rate, over its seeds.

    The time of a trial that did not reach the target counts as infinite.

    Args:
        runs: a study's runs.

    Returns:
        A table with the columns

        - width, optimizer, rate: what was trained
        - seeds, arrived: numbers of trials: all, and those that reached the target
        - seconds, steps: medians of the time to the target; steps are NaN if an arrival does not
            tell its own
        - weights, multiply_adds: of the network
        - step_seconds: the median step time
        - expected_seconds: all seconds spent / arrivals, the expected time of restarts until one
            arrives (Hansen et al. 2009)
        - seconds_low, seconds_high: a 95 % interval of the median; NaN with fewer than
            three seeds
        - seconds_q25, seconds_q75: quartiles
        - unstable: whether a trial of it arrived, and died when it was trained again in another
            array

    Raises:
        StudyError: no runs, or runs that must not share a table.
    """
    runs = comparable(runs)
    arrived = runs["outcome"] == Outcome.REACHED
    timed = runs.assign(
        arrived=arrived,
        spent=runs["seconds"],
        seconds=runs["seconds"].where(arrived, math.inf),
        steps=runs["steps"].astype(float).where(arrived, math.inf),
        told=runs["steps"].notna() | ~arrived,
    ).rename(columns={"learning_rate": "rate"})
    grouped = timed.groupby(CELL, observed=True)
    table = grouped.agg(
        seeds=("seed", "size"),
        arrived=("arrived", "sum"),
        seconds=("seconds", "median"),
        steps=("steps", "median"),
        told=("told", "all"),
        spent=("spent", "sum"),
        weights=("weights", "first"),
        multiply_adds=("multiply_adds", "first"),
        step_seconds=("step_seconds", "median"),
        unstable=("unstable", "any"),
    ).reset_index()
    table["steps"] = table["steps"].where(table.pop("told"))
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


@in_steps
def profile(runs: pd.DataFrame) -> pd.DataFrame:
    """Performance profile of each optimizer: what a rate drawn from the grid gives.

    Dolan and More 2002.

    Args:
        runs: a study's runs.

    Returns:
        A table with the columns

        - optimizer
        - ratio: seconds over the least seconds of all optimizers and rates with the same width and
            seed
        - share: share of the optimizer's trials that arrive within that ratio

    Raises:
        StudyError: no runs, or runs that must not share a table.
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
    """The line of time against model size at each rate, and how well it holds.

    Args:
        runs: of several widths.
        n: the measure of a model's size, one of `fits.SIZES`.
        t: what grows with it, one of `fits.MEASURES`.

    Returns:
        The table of `fits.lines`, one row an optimizer and rate.

    Raises:
        StudyError: fewer than three widths, or runs that must not share a table.
    """
    from study.tables import fits  # scipy takes a second to import

    return fits.lines(comparable(runs), n, t)


@in_steps
def envelope(runs: pd.DataFrame) -> pd.DataFrame:
    """The fastest and the slowest optimizer at each rate.

    An optimizer that did not arrive at a rate counts with the cap, as in the published figure.

    Args:
        runs: a study's runs.

    Returns:
        One row a width and rate, with the columns

        - rate, width
        - fastest_seconds, fastest_optimizer: of the least median seconds; None if none arrived
        - slowest_seconds, slowest_optimizer: of the most; None if one did not arrive
        - arrived, optimizers: numbers of optimizers: those that arrived, and all

    Raises:
        StudyError: no runs, or runs that must not share a table.
    """
    table = cells(runs)
    cap = float(budget(runs).max())
    by_rate = table.assign(arrives=table["seconds"] < math.inf).groupby(
        ["width", "rate"], as_index=False
    )
    fastest = table.loc[by_rate["seconds"].idxmin()["seconds"]].reset_index(drop=True)
    slowest = table.loc[by_rate["seconds"].idxmax()["seconds"]].reset_index(drop=True)
    counts = by_rate.agg(arrived=("arrives", "sum"), optimizers=("arrives", "size"))
    return pd.DataFrame(
        {
            "rate": fastest["rate"],
            "fastest_seconds": fastest["seconds"].clip(upper=cap),
            "fastest_optimizer": fastest["optimizer"].astype(object).where(counts["arrived"] > 0),
            "slowest_seconds": slowest["seconds"].clip(upper=cap),
            "slowest_optimizer": slowest["optimizer"]
            .astype(object)
            .where(slowest["seconds"] < math.inf),
            "arrived": counts["arrived"],
            "optimizers": counts["optimizers"],
            "width": fastest["width"],
        }
    )
