"""Step times that follow from seconds alone, by the steps that another machine took."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from study.tables.cells import cells as cells_table
from study.tables.compare import Side

FEWEST = 3
"""Cells of an optimizer from which on its step time is told."""


def implied(studies: Sequence[Side]) -> pd.DataFrame:
    """The step times of a study that tells seconds but no steps, by the steps of each other study.

    In a cell that arrived in both, the step time is T = s / n: s seconds of the first study, n
    steps of the other. If seconds are steps times step time, T is the same in every cell.

    Args:
        studies: the studies, as `study.tables.compare.sides` gives them.

    Returns:
        One row an optimizer and study that tells steps; empty where the first tells its own. The
        columns are

        - study, optimizer: whose steps
        - cells: cells that arrived in both
        - step_seconds: median of T over them; NaN for fewer than `FEWEST` cells
        - low, high: its quartiles
        - ratio: seconds by the step time of the other optimizers, over what was told; the median
    """
    columns = ["study", "optimizer", "cells", "step_seconds", "low", "high", "ratio"]
    keys = ["width", "optimizer", "rate"]
    told, *others = [cells_table(side.runs).astype({"optimizer": object}) for side in studies]
    rows: list[list[object]] = []
    if (told["steps"] < math.inf).any():
        return pd.DataFrame(rows, columns=columns)
    for side, found in zip(studies[1:], others, strict=True):
        both = told.merge(found[[*keys, "steps"]], on=keys, suffixes=("", "_other"))
        both = both[(both["seconds"] < math.inf) & (both["steps_other"] < math.inf)]
        step = (both["seconds"] / both["steps_other"]).dropna()
        by = step.groupby(both["optimizer"])
        medians = by.median()[by.size() >= FEWEST]
        for optimizer, mine in by:
            rest = medians.drop(optimizer, errors="ignore").median()
            enough = len(mine) >= FEWEST
            quantiles = mine.quantile([0.5, 0.25, 0.75]) if enough else [math.nan] * 3
            ratio = rest / mine.median() if enough else math.nan
            rows.append([side.name, optimizer, len(mine), *quantiles, ratio])
    return pd.DataFrame(rows, columns=columns)
