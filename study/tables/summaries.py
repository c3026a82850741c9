"""Tables over all rates: performance profile, envelope, sizes."""

from __future__ import annotations

import math

import pandas as pd

from study.storage.records import Outcome
from study.tables.cells import cells
from study.tables.load import budget, comparable


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
