"""Steps to the target as the target rises, read off the checks of each trial."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from study.spec.goals import high_share
from study.spec.study import StudySpec
from study.storage.checks import Checks
from study.tables.rows import CELL, comparable
from study.tables.stored import Source, stored

BELOW, APART = 0.07, 0.01
"""How far below the study's target the lowest level is, and how far apart two are."""


def levels(spec: StudySpec) -> tuple[float, ...]:
    """The levels of an accuracy up to a study's target; none of another metric.

    >>> levels(StudySpec(target=0.97))
    (0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97)
    """
    if not high_share(spec.metric, spec.goal) or not BELOW < spec.target <= 1:
        return ()
    steps = range(round(BELOW / APART), -1, -1)
    return tuple(round(spec.target - APART * step, 6) for step in steps)


def targets(study: Source) -> pd.DataFrame:
    """Steps to the target as it rises to the study's own, one row a width, optimizer and target.

    All targets are read at the same rates: those at which the study's own is reached.

    Args:
        study: a study's folder, or a `StoredStudy`.

    Returns:
        A table with the columns

        - width, optimizer
        - target: the accuracy to reach
        - rate: the best rate for the study's own target; NaN if it was not reached
        - steps: median over the seeds at that rate
        - rates: the number of rates at which the study's own target is reached
        - median_steps: median over these rates; NaN if there are none

        It is empty where checks are not stored, or the metric is no accuracy that is to be high.

    Raises:
        StudyError: no runs, or runs that must not share a table.
    """
    found = stored(study)
    names = ["width", "optimizer", "target", "rate", "steps", "rates", "median_steps"]
    wanted, runs = levels(found.spec), comparable(found.some_runs)
    known = {id_: first_steps(row, wanted) for id_, row in found.checks.items()}
    if not wanted or not known:
        return pd.DataFrame(columns=names)
    never = [math.inf] * len(wanted)
    steps = pd.DataFrame([known.get(id_, never) for id_ in runs["id"]], columns=list(wanted))
    table = runs.rename(columns={"learning_rate": "rate"})[CELL].reset_index(drop=True)
    cells = steps.groupby([table[name] for name in CELL], observed=True).median().reset_index()
    rates: dict[Any, float] = found.best.set_index(["width", "optimizer"])["best_rate"].to_dict()
    rows: list[list[object]] = []
    for key, mine in cells.groupby(["width", "optimizer"], observed=True):
        rate, (width, optimizer) = rates[key], key
        there = mine[mine[wanted[-1]] < math.inf]
        at_best = there[there["rate"] == rate]
        for level in wanted:
            one = float(at_best[level].iloc[0]) if len(at_best) else math.nan
            rows.append([width, optimizer, level, rate, one, len(there), there[level].median()])
    names_of = runs["optimizer"].cat.categories
    made = pd.DataFrame(rows, columns=names)
    return made.assign(optimizer=pd.Categorical(made["optimizer"], names_of))


def first_steps(checks: Checks, wanted: tuple[float, ...]) -> list[float]:
    """The step of the first check that meets each target; infinity where none does."""
    if not checks.accuracy:
        return [math.inf] * len(wanted)
    met = np.searchsorted(np.maximum.accumulate(checks.accuracy), wanted)
    every = checks.steps or range(
        checks.check_every, (len(checks.accuracy) + 1) * checks.check_every, checks.check_every
    )
    return [float(every[place]) if place < len(every) else math.inf for place in met]
