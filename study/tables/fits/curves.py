"""The shape that holds at each rate, as points to draw."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from study.tables.fits.shape import Fit, fitted
from study.tables.fits.table import lines, points

POINTS = 51
"""Points of a curve, and of each piece of a line that jumps."""


def curves(runs: pd.DataFrame, n: str = "weights", t: str = "seconds") -> pd.DataFrame:
    """The predicted times of the shape that holds at each rate: the line only where it holds.

    A line is the likeliest one, `tobit_c` + `tobit_k` n. The others are of the arrivals.

    Args:
        runs: of several widths.
        n: the measure of a model's size, one of `SIZES`.
        t: what grows with it, one of `MEASURES`.

    Returns:
        A table with the columns optimizer, rate, shape, `piece` (1 above a jump, else 0), n and t:
        `POINTS` rows a piece, from the least size to the largest. Rates at which too few sizes
        arrived have none.

    Raises:
        StudyError: fewer than three widths.
    """
    each, found = points(runs, n, t), []
    for row in lines(runs, n, t).itertuples():
        if not isinstance(row.shape, str):
            continue
        mine = each[each["optimizer"] == row.optimizer]
        mine = mine if t == "step_seconds" else mine[mine["rate"] == row.rate]
        here = mine[mine["arrived"]]
        fit = _fit(row, here)
        ends = [float(mine["n"].min()), float(mine["n"].max())]
        if row.shape == "jump":
            ends.insert(1, fit.place)
        for piece, (low, high) in enumerate(pairwise(ends)):
            grid = np.linspace(low, high, POINTS)
            if piece:  # at the place itself the line below holds
                grid[0] = np.nextafter(low, high)
            of = {"optimizer": row.optimizer, "rate": row.rate, "shape": row.shape, "piece": piece}
            found.append(pd.DataFrame({**of, "n": grid, "t": fit.at(grid)}))
    columns = ["optimizer", "rate", "shape", "piece", "n", "t"]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)


def _fit(row: Any, here: pd.DataFrame) -> Fit:
    """The fit of the shape that a row of `lines` names."""
    if row.shape == "line":
        return Fit(0.0, "line", (row.tobit_c, row.tobit_k))
    return fitted(here["n"].to_numpy(float), here["t"].to_numpy(float))[row.shape]
