"""Tables of imports: in steps where nobody knows the seconds, and of where trials ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps
from itertools import pairwise
from statistics import median

import pandas as pd

from study.errors import StudyError
from study.spec.goals import sign
from study.storage.checks import Checks
from study.storage.published.protocol import Protocol
from study.storage.records import Outcome
from study.tables.rows import CELL, comparable


def foreign_columns(
    table: pd.DataFrame,
    checks: Mapping[str, Checks],
    finals: Mapping[str, float],
    protocol: Protocol,
) -> pd.DataFrame:
    """The runs of an import, with what is known of such alone.

    Args:
        table: the runs, as `frame` gives them.
        checks: what their checks saw, by the trial's id.
        finals: the metric at the end of each trial, by its id.
        protocol: what is known of their source.

    Returns:
        The runs with the columns `unit`, what a step is called; `final`, the metric at the trial's
        own end, whatever the target; and `look_seconds`, the median between two checks.
    """
    table = table.assign(unit=protocol.unit or "step", final=table["id"].map(finals))
    times = "seconds" if timed(table) is table else "steps"
    gaps = {
        id_: float(median(after - before for before, after in pairwise(told)))
        for id_, row in checks.items()
        if len(told := getattr(row, times)) > 1
    }
    return table.assign(look_seconds=table["id"].map(gaps).astype(float))


def timed(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with their steps in place of seconds, where the seconds of some are not known.

    Tables and figures of such runs are in steps. Where neither is known of all, they stay as they
    are. A column `counted` tells that they were changed, and of which trials seconds are not told.
    """
    needed = runs[runs["outcome"].isin([Outcome.REACHED, Outcome.CAPPED])]
    if needed["seconds"].notna().all() or needed["steps"].isna().any():
        return runs
    untold = "not told of all" if needed["seconds"].notna().any() else "not told"
    return runs.assign(seconds=runs["steps"].astype(float), counted=untold)


def timeless(runs: pd.DataFrame) -> bool:
    """Whether an import tells neither seconds nor steps: of some arrival, or of all trials."""
    unknown = runs["seconds"].isna() & runs["steps"].isna()
    needed = runs["outcome"].isin([Outcome.REACHED, Outcome.CAPPED])
    arrived = runs["outcome"] == Outcome.REACHED
    lost = (unknown & arrived).any() or (needed.any() and unknown[needed].all())
    return "final" in runs and bool(lost)


def in_steps(make: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[..., pd.DataFrame]:
    """A function of runs to a table; of runs that are `timed` by steps its columns say so.

    A column `seconds` is left out then, and one such as `seconds_low` is `steps_low`.
    """

    @wraps(make)
    def made(runs: pd.DataFrame) -> pd.DataFrame:
        known = timed(runs)
        table = make(known)
        if known is runs:
            return table
        columns = [str(name) for name in table]
        of_seconds = [name for name in columns if "seconds" in name and name != "step_seconds"]
        names = {name: name.replace("seconds", "steps") for name in of_seconds}
        double = [name for name, other in names.items() if other in table]
        return table.drop(columns=double).rename(columns=names)

    return made


def final(runs: pd.DataFrame) -> pd.DataFrame:
    """The metric at the end of training, one row a width, optimizer and rate, over its seeds.

    Args:
        runs: the runs of an import.

    Returns:
        A table with the columns

        - width, optimizer, rate: what was trained
        - trials, told: numbers of trials: all, and those that tell the metric and did not diverge
        - final: the median over those; NaN if there are none
        - final_low, final_high: the least and the largest

    Raises:
        StudyError: no runs, runs that must not share a table, or none of an import.
    """
    if "final" not in runs:
        raise StudyError(
            "trials of a study end at its target: where training ends at last, an import alone "
            "tells"
        )
    table = comparable(runs).rename(columns={"learning_rate": "rate"})
    return (
        table.groupby(CELL, observed=True)
        .agg(
            trials=("final", "size"),
            told=("final", "count"),
            final=("final", "median"),
            final_low=("final", "min"),
            final_high=("final", "max"),
        )
        .reset_index()
    )


def best_final(runs: pd.DataFrame) -> pd.DataFrame:
    """The rate of each optimizer at which training ends best, one row a width and optimizer.

    Args:
        runs: the runs of an import.

    Returns:
        A table with the columns

        - optimizer, width
        - rates, told: rates tried; those at which a trial tells the metric at its end
        - best_rate: that with the best median; NaN if none tells it
        - final, final_low, final_high: the median, the least and the largest at that rate
        - trials: trials at that rate
        - at_edge: whether it is the lowest or highest tried

    Raises:
        StudyError: as `final`.
    """
    side = sign(str(runs["goal"].iloc[0])) if len(runs) else 1
    rows = []
    for key, mine in final(runs).groupby(["width", "optimizer"], observed=True):
        known = mine.dropna(subset="final")
        row = {
            "optimizer": str(key[1]),
            "width": float(str(key[0])),
            "rates": len(mine),
            "told": len(known),
            **dict.fromkeys(("best_rate", "final", "final_low", "final_high"), math.nan),
            "trials": 0,
            "at_edge": False,
        }
        if len(known):
            top = known.iloc[int((side * known["final"].to_numpy(float)).argmax())]
            row |= {name: float(top[name]) for name in ("final", "final_low", "final_high")}
            edges = (mine["rate"].min(), mine["rate"].max())
            row |= {
                "best_rate": float(top["rate"]),
                "trials": int(top["trials"]),
                "at_edge": len(mine) > 1 and bool(top["rate"] in edges),
            }
        rows.append(row)
    table = pd.DataFrame(rows)
    names = comparable(runs)["optimizer"].cat.categories
    return table.assign(optimizer=pd.Categorical(table["optimizer"], names))
