"""What is trained next at the best rates: rates around one, and validation curves."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd

from study.errors import StudyError
from study.spec.trial import Trial
from study.storage.records import Outcome, Run
from study.storage.store import Store
from study.tables.best_rates.table import best
from study.tables.rows import frame

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
