"""What validation curves tell of best rates: which of them did not last."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from study.spec.goals import GOALS
from study.storage.checks import floor_of
from study.storage.records import Outcome


def collapsed(
    curves: pd.DataFrame, target: float, metric: str = "validation", goal: str = GOALS[0]
) -> pd.Series:
    """Whether each validation curve collapsed.

    Args:
        curves: validation curves, as `tables.curves` gives them.
        target: the value to reach.
        metric: the study's metric, see `storage.curves.floor_of`.
        goal: whether it was to be at least the target, or at most.

    Returns:
        A truth value for each optimizer, learning_rate and seed. A rate that is not known is NaN.
    """
    ends = (
        curves.sort_values(["step", "seconds"])
        .groupby(["optimizer", "learning_rate", "seed"], observed=True, dropna=False)
        .tail(1)
        .set_index(["optimizer", "learning_rate", "seed"])
        .sort_index()
    )
    floor = floor_of(metric, target, goal)
    return (ends["accuracy"] < floor) | (ends["outcome"] == Outcome.DIVERGED)


def of_the_curves(runs: pd.DataFrame, trained: pd.DataFrame) -> Iterator[str]:
    """Sentences on curves that collapsed.

    Args:
        runs: a study's runs.
        trained: its validation curves.
    """
    first = runs.iloc[0]
    target, floor = float(first.target), floor_of(first.metric, first.target, first.goal)
    lost = collapsed(trained, target, first.metric, first.goal)
    for optimizer, rate, seed in lost[lost].index:
        key = {"optimizer": optimizer, "seed": seed}
        mine = _rows(trained, **key)
        if rate != rate:  # of an import, and not of a rate of its runs
            last = mine.sort_values("seconds").iloc[-1]
            yield (
                f"the validation curve of {optimizer} ends at {100 * last['accuracy']:.0f} % after "
                f"{last['seconds']:,.0f} s, far below the target of {100 * target:g} %"
            )
            continue
        key["learning_rate"] = rate
        yield (
            f"{optimizer} at its best rate, {rate:.3g}, was trained again for the curves and "
            f"collapsed {_when(_rows(trained, **key), _rows(runs, **key), floor)} (seed "
            f"{seed}): the rate is at the edge of what training survives, and another array "
            "rounds otherwise"
        )


def _rows(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows that have these values."""
    for name, value in values.items():
        table = table[table[name] == value]
    return table


def _when(curve: pd.DataFrame, runs: pd.DataFrame, floor: float) -> str:
    """From which step on a curve stays far below the target, and when its trial arrived."""
    curve = curve.sort_values("step")
    fine = curve[curve["accuracy"] >= floor]["step"]
    after = curve[curve["step"] > (fine.max() if len(fine) else -1)]["step"]
    since = int(after.min()) if len(after) else int(curve["step"].max())
    arrived = runs.loc[runs["outcome"] == Outcome.REACHED, "steps"].dropna()
    if arrived.empty:
        return f"from step {since:,} on"
    step = int(arrived.iloc[0])
    where = "before" if since <= step else "past"
    return f"from step {since:,} on, {where} its arrival at step {step:,}"
