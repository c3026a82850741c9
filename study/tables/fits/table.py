"""The fits of a study as a table and as sentences."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.errors import StudyError
from study.storage.records import Outcome
from study.tables.fits.censored import tobit
from study.tables.fits.line import NO_LINE, least_squares, robust
from study.tables.fits.shape import shape_of, shapes
from study.tables.intervals import FEWEST_SIZES, Floats
from study.tables.rows import SIZES
from study.validation import choice

MEASURES = ("seconds", "steps", "step_seconds")
"""What may grow with n. Seconds are the product of the other two."""


CENSORED = (Outcome.CAPPED, Outcome.PRUNED)
"""Outcomes of trials that might have reached the target later. A diverged or stuck trial would not.
"""


METHODS = ("", "robust_", "tobit_")
"""Prefixes of the columns of a line: by least squares, by Huber's method, with censored times."""


NO_FIT: dict[str, Any] = {
    **{f"{method}{name}": value for method in METHODS for name, value in asdict(NO_LINE).items()},
    **dict.fromkeys(("r2", "spread", "tobit_spread", "quadratic", "power"), math.nan),
    "shape": None,
}
"""The columns of `lines` if too few sizes arrived."""


def points(runs: pd.DataFrame, n: str = "weights", t: str = "seconds") -> pd.DataFrame:
    """The points to fit, one row a trial; for step times one row a network, without a rate.

    Args:
        runs: of one or several widths.
        n: the measure of a model's size, one of `SIZES`.
        t: what grows with it, one of `MEASURES`.

    Returns:
        A table with the columns

        - optimizer, rate, width, seed: what was trained
        - n, t: the size, and what grows with it
        - arrived: whether the trial reached the target
        - censored: whether it might have reached it later

    Raises:
        StudyError: `n` or `t` is not one of `SIZES` or `MEASURES`.
    """
    choice("size", n, SIZES)
    choice("measure", t, MEASURES)
    table = runs[["optimizer", "width", "seed"]].assign(
        rate=runs["learning_rate"], n=runs[n].astype(float), t=runs[t].astype(float)
    )
    order = [
        "optimizer",
        "rate",
        "n",
        "seed",
    ]  # a resample draws by place, so the order of the rows must not matter
    if t == "step_seconds":
        known = table.dropna(subset="t").assign(arrived=True, censored=False, rate=math.nan)
        return known.sort_values(order).drop_duplicates(["optimizer", "width", "t"])
    table = table.assign(
        arrived=(runs["outcome"] == Outcome.REACHED) & table["t"].notna(),
        censored=runs["outcome"].isin(CENSORED),
    )
    return table.sort_values(order)


def lines(runs: pd.DataFrame, n: str = "weights", t: str = "seconds") -> pd.DataFrame:
    """The line of time against size, t = c + k n, one row an optimizer and rate.

    Step times do not depend on the rate: one row an optimizer.

    Args:
        runs: of several widths.
        n: the measure of a model's size, one of `SIZES`.
        t: what grows with it, one of `MEASURES`; step times need no arrival.

    Returns:
        A table with the columns

        - optimizer, rate: what was trained
        - trials, arrived, censored, lost: numbers of trials: all; those that reached the target;
            those that might have later; the others
        - c, k: the least-squares line, in the unit of t and in that per unit of n
        - c_low, c_high, k_low, k_high: ends of 95 % intervals
        - r2, spread: R^2, and the standard deviation about the line
        - robust_c, ...: the same line by Huber's method
        - tobit_c, ..., tobit_spread: the same with the censored trials
        - quadratic, power: AICc of these shapes, less that of the line
        - shape: `line`, unless another shape's AICc is lower by more than `ENOUGH`; None if too
            few sizes arrived

    Raises:
        StudyError: fewer than three widths.
    """
    table = points(runs, n, t)
    if table["width"].nunique() < FEWEST_SIZES:
        raise StudyError(
            f"{table['width'].nunique()} width(s): a line against size needs at least "
            f"{FEWEST_SIZES}"
        )
    rows: list[dict[str, Any]] = []
    for (optimizer, rate), mine in table.groupby(
        ["optimizer", "rate"], observed=True, dropna=False
    ):
        here, censored = mine[mine["arrived"]], mine[mine["censored"]]
        row = {
            "optimizer": optimizer,
            "rate": rate,
            "trials": len(mine),
            "arrived": len(here),
            "censored": len(censored),
        }
        row["lost"] = len(mine) - len(here) - len(censored)
        row |= NO_FIT
        if here["n"].nunique() >= FEWEST_SIZES:  # near widths may round to one network
            both = pd.concat([here, censored])
            row |= _fits(
                *(here[name].to_numpy(float) for name in ("n", "t", "width")),
                *(both[name].to_numpy() for name in ("n", "t", "censored")),
            )
        rows.append(row)
    result = pd.DataFrame(rows)
    result["optimizer"] = pd.Categorical(result["optimizer"], runs["optimizer"].cat.categories)
    return result


def _fits(
    n: Floats, t: Floats, width: Floats, all_n: Floats, all_t: Floats, censored: NDArray[np.bool_]
) -> dict[str, Any]:
    line = least_squares(n, t, width)
    huber = robust(n, t)
    left = t - line.c - line.k * n
    total = float(((t - t.mean()) ** 2).sum())
    free = max(1, len(t) - 2)
    likeliest, scatter = tobit(all_n, all_t, censored)
    by_shape = shapes(n, t)
    return {
        **asdict(line),
        "r2": 1 - float((left**2).sum()) / total if total else math.nan,
        "spread": math.sqrt(float((left**2).sum()) / free),
        **{f"robust_{name}": value for name, value in asdict(huber).items()},
        **{f"tobit_{name}": value for name, value in asdict(likeliest).items()},
        "tobit_spread": scatter,
        "quadratic": by_shape["quadratic"] - by_shape["line"],
        "power": by_shape["power"] - by_shape["line"],
        "shape": shape_of(by_shape),
    }


def sentence(row: Any) -> str:
    """A row of `lines` in words: which shape holds, and by how much."""
    if not isinstance(row.shape, str):
        return (
            f"{row.optimizer} at {row.rate:g}: {row.arrived} of {row.trials} trials arrived, "
            "too few sizes for a line"
        )
    others = {"quadratic": row.quadratic, "power": row.power}
    if row.shape == "line":
        rival = min(others, key=lambda name: others[name])
        how = (
            f"a line is enough (AICc {abs(others[rival]):.1f} "
            f"{'below' if others[rival] > 0 else 'above'} a {rival}'s)"
        )
    else:
        how = f"a {row.shape} holds, not a line (AICc {-others[row.shape]:.1f} below it)"
    return (
        f"{row.optimizer} at {row.rate:g}: {how}; R^2 {row.r2:.2f}, {row.arrived} of "
        f"{row.trials} trials arrived"
    )
