"""The fits of a study as a table and as sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.storage.records import Outcome
from study.tables.fits.censored import tobit
from study.tables.fits.line import NO_LINE, Line, least_squares, robust
from study.tables.fits.shape import fitted, shape_of
from study.tables.intervals import FEWEST_SIZES
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
    **dict.fromkeys(("r2", "spread", "tobit_spread", "tobit_grows"), math.nan),
    **dict.fromkeys(("quadratic", "power", "jump"), math.nan),
    **dict.fromkeys(("jump_below", "jump_above", "jump_share"), math.nan),
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
        StudyError: `n` or `t` is not one of `SIZES` or `MEASURES`, or n is not known.
    """
    choice("size", n, SIZES)
    choice("measure", t, MEASURES)
    if n == "multiply_adds" and (runs[n] <= 1).any():
        raise StudyError(
            "the multiply-adds of this model are not known: take its size by weights or width"
        )
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
        - c, k: the least-squares line of the arrivals, in the unit of t and in that per unit of n
        - c_low, c_high, k_low, k_high: ends of 95 % intervals; NaN if trials are censored, because
            the arrivals alone are too fast
        - r2, spread: R^2, and the standard deviation about the line
        - robust_c, ...: the same line by Huber's method
        - tobit_c, ...: the likeliest line, with the censored trials and with scatter that may grow;
            its intervals are the ones to use
        - tobit_spread, tobit_grows: its mean scatter, in the unit of t; the weight of scatter that
            is proportional to the predicted time, 0 to 1
        - quadratic, power, jump: AICc of these shapes of the arrivals, less that of the line
        - jump_below, jump_above: the widths between which a line jumps, if it does
        - jump_share: the jump, as a share of the time that the line below predicts there
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
        arrived, censored = (mine[name].to_numpy(bool) for name in ("arrived", "censored"))
        row = {
            "optimizer": optimizer,
            "rate": rate,
            "trials": len(mine),
            "arrived": int(arrived.sum()),
            "censored": int(censored.sum()),
            "lost": int((~arrived & ~censored).sum()),
            **NO_FIT,
        }
        points_of = [mine[name].to_numpy(float) for name in ("n", "t", "width")]
        if len(set(points_of[0][arrived])) >= FEWEST_SIZES:  # near widths may round to one network
            both = np.r_[np.flatnonzero(arrived), np.flatnonzero(censored)]
            row |= _fits(
                *(tuple(values[arrived].tolist()) for values in points_of),
                *(tuple(values[both].tolist()) for values in (*points_of, censored)),
            )
        rows.append(row)
    result = pd.DataFrame(rows)
    result["optimizer"] = pd.Categorical(result["optimizer"], runs["optimizer"].cat.categories)
    return result


@lru_cache(maxsize=4096)  # tables, sentences and figures want the same fits
def _fits(*columns: tuple[float, ...]) -> Mapping[str, Any]:
    """The fits of a cell: n, t and width of its arrivals, and of those with the censored trials."""
    n, t, width, all_n, all_t, all_width = map(np.array, columns[:-1])
    censored = np.array(columns[-1], bool)
    line, huber = (fit(n, t, width) for fit in (least_squares, robust))
    if censored.any():
        line, huber = (Line(one.c, one.k, *[math.nan] * 4) for one in (line, huber))
    left = t - line.c - line.k * n
    total = float(((t - t.mean()) ** 2).sum())
    free = max(1, len(t) - 2)
    likeliest, scatter, grows = tobit(all_n, all_t, censored, all_width)
    found = fitted(n, t)
    aicc = {name: fit.aicc for name, fit in found.items()}
    jump = dict.fromkeys(("jump_below", "jump_above", "jump_share"), math.nan)
    if found["jump"].parameters:
        (c, k, j), place = found["jump"].parameters, found["jump"].place
        jump = {
            "jump_below": float(width[n < place].max()),
            "jump_above": float(width[n > place].min()),
            "jump_share": j / (c + k * place),
        }
    return {
        **asdict(line),
        "r2": 1 - float((left**2).sum()) / total if total else math.nan,
        "spread": math.sqrt(float((left**2).sum()) / free),
        **{f"robust_{name}": value for name, value in asdict(huber).items()},
        **{f"tobit_{name}": value for name, value in asdict(likeliest).items()},
        "tobit_spread": scatter,
        "tobit_grows": grows,
        **{name: aicc[name] - aicc["line"] for name in ("quadratic", "power", "jump")},
        **jump,
        "shape": shape_of(aicc),
    }
