"""Every column of the fits against model size, by statsmodels, scipy and plain resampling."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, special, stats
from statsmodels.tools.numdiff import approx_hess

from study import tables
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.tables.fits import MEASURES, SIZES
from study.tables.fits.table import points
from study.tables.intervals import Floats
from support.made import made
from support.tables.by_hand import Row, same

WIDTHS = tuple(1 + k / 2 for k in range(12))
SPEC = StudySpec(
    optimizers=("sgd", "adam"), rates=(0.001, 0.01, 0.1), widths=WIDTHS, seeds=3, cap=12.0
)


def takes(trial: Trial) -> float | str:
    """A line with noise, which the cap cuts at the least rate; a parabola in the width at the
    middle one; at the largest one two widths alone arrive.
    """
    random = np.random.default_rng([int(trial.id[:8], 16)])
    width, noise = trial.width, float(random.normal(0, 0.6))
    if trial.learning_rate == 0.1:
        return float(2 + width) if width < 2 else str(random.choice(["stuck", "capped", "pruned"]))
    if random.random() < 0.05:
        return "diverged"
    return (
        3.0 + 1.6 * width + noise
        if trial.learning_rate == 0.001
        else 2.0 + width**2 / 6 + noise / 9
    )


@cache
def runs() -> pd.DataFrame:
    """The step time grows with the width, and is not the same for both optimizers."""
    found = made(SPEC, takes)
    step = 0.001 * (1 + found["width"] ** 1.1 / 5) * (1 + 0.1 * (found["optimizer"] == "adam"))
    found["step_seconds"] = step * (1 + 0.01 * np.cos(40 * found["width"] + found["seed"]))
    return found.assign(steps=(found["seconds"] * 100).round())


def intervals_by_choice(n: Floats, t: Floats, width: Floats) -> tuple[Floats, Floats]:
    """Constants and slopes of lines through widths drawn with replacement, and trials of each."""
    random, found = np.random.default_rng(5), []
    groups = [np.flatnonzero(width == one) for one in np.unique(width)]
    for _ in range(1000):
        drawn = [
            random.choice(groups[place], len(groups[place]))
            for place in random.integers(len(groups), size=len(groups))
        ]
        at = np.concatenate(drawn)
        if np.ptp(n[at]):
            found.append(np.polyfit(n[at] / n.mean(), t[at], 1) / [n.mean(), 1])
    slopes, constants = np.array(found).T
    return constants, slopes


def likeliest(n: Floats, t: Floats, censored: Any) -> tuple[Floats, Floats, float]:
    """The censored regression, searched over (c, k, log s): the line, its errors and s."""
    size, time = float(n.mean()), float(t.mean())
    x, y = n / size, t / time

    def loss(p: Floats) -> float:
        left, s = (y - p[0] - p[1] * x), math.exp(p[2])
        known, late = -((left / s) ** 2) / 2 - p[2], special.log_ndtr(-left / s)
        return -float(np.where(censored, late, known).sum())

    start = np.array([*np.polyfit(x[~censored], y[~censored], 1)[::-1], math.log(0.1)])
    options: Any = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000, "maxfev": 4000}
    found = optimize.minimize(loss, start, method="Nelder-Mead", options=options).x
    errors = np.sqrt(np.diag(np.linalg.inv(approx_hess(found, loss))))[:2]
    scale = np.array([time, time / size])
    return found[:2] * scale, errors * scale, math.exp(found[2]) * time


def aicc(t: Floats, fitted: Floats, parameters: int) -> float:
    """By the log likelihood of normal scatter, up to what all shapes share."""
    m, s = len(t), math.sqrt(float(((t - fitted) ** 2).mean()))
    like = float(stats.norm.logpdf(t - fitted, scale=s).sum())
    return -2 * like + 2 * parameters * m / (m - parameters - 1)


def misses(p: Floats, x: Floats, y: Floats, unit: float) -> Floats:
    """What a power law lacks."""
    return np.asarray(p[0] * unit * x ** p[1] - y)


@cache
def fits(t: str, n: str) -> list[tuple[Row, pd.DataFrame]]:
    """The table's rows, each with its trials."""
    table, each = tables.sizes(runs(), n, t), points(runs(), n, t)
    found = []
    for row in table.to_dict("records"):
        mine = each[each["optimizer"] == row["optimizer"]]
        mine = mine if t == "step_seconds" else mine[mine["rate"] == row["rate"]]
        found.append(({str(name): value for name, value in row.items()}, mine))
    return found


@pytest.mark.parametrize(("t", "n"), list(zip(MEASURES, SIZES, strict=True)))
def test_every_column_of_the_fits_is_computed_another_way(t: str, n: str) -> None:
    """R^2 is 1 - residual / total; two rates have too few sizes."""
    for row, mine in fits(t, n):
        here = mine[mine["arrived"]]
        x, y = here["n"].to_numpy(float), here["t"].to_numpy(float)
        counted = {
            "optimizer": row["optimizer"],
            "rate": row["rate"],
            "trials": len(mine),
            "arrived": len(here),
            "censored": int(mine["censored"].sum()),
            "lost": int((~mine["arrived"] & ~mine["censored"]).sum()),
        }
        if here["width"].nunique() < 3:
            nothing = {name: math.nan for name in row if name not in counted}
            same(pd.DataFrame([row]), [counted | nothing])
            continue
        plain, huber = sm.OLS(y, sm.add_constant(x)).fit(), sm.RLM(y, sm.add_constant(x)).fit()
        total = ((y - y.mean()) ** 2).sum()
        assert row["r2"] == pytest.approx(1 - (plain.resid**2).sum() / total)
        wanted = counted | {"r2": plain.rsquared, "spread": math.sqrt(plain.mse_resid)}
        ends = dict(
            zip(("c", "k"), intervals_by_choice(x, y, here["width"].to_numpy()), strict=True)
        )
        both = pd.concat([here, mine[mine["censored"]]])
        line, errors, s = likeliest(*(both[name].to_numpy() for name in ("n", "t", "censored")))
        for i, name in enumerate(("c", "k")):
            low, high = np.quantile(ends[name], [0.025, 0.975])
            room = 0.2 * (high - low)
            assert row[f"{name}_low"] == pytest.approx(low, abs=room)
            assert row[f"{name}_high"] == pytest.approx(high, abs=room)
            wanted |= {name: plain.params[i], f"robust_{name}": huber.params[i]}
            wanted |= {f"{name}_{end}": row[f"{name}_{end}"] for end in ("low", "high")}
            low, high = huber.conf_int()[i]
            wanted |= {f"robust_{name}_low": low, f"robust_{name}_high": high}
            wide = 1.959964 * errors[i]
            wanted |= {f"tobit_{name}": line[i], f"tobit_{name}_low": line[i] - wide}
            wanted |= {f"tobit_{name}_high": line[i] + wide}
        shapes = {"line": aicc(y, plain.fittedvalues, 3)}
        shapes["quadratic"] = aicc(y, np.polyval(np.polyfit(x / x.mean(), y, 2), x / x.mean()), 4)
        logs = sm.OLS(np.log(y), sm.add_constant(np.log(x))).fit().params
        power = optimize.least_squares(misses, [1.0, logs[1]], args=(x, y, math.exp(logs[0])))
        shapes["power"] = aicc(y, power.fun + y, 3)
        least = min(shapes, key=lambda shape: shapes[shape])
        wanted |= {name: shapes[name] - shapes["line"] for name in ("quadratic", "power")}
        wanted |= {
            "shape": least if shapes["line"] - shapes[least] > 4 else "line",
            "tobit_spread": s,
        }
        same(pd.DataFrame([row]), [wanted], rel=2e-3, abs_=2e-3 if t != "step_seconds" else 1e-7)


def test_the_made_up_study_has_lines_and_others() -> None:
    """So that each case of the columns occurs."""
    found = [row for row, _ in fits("seconds", "weights")]
    assert set(tables.SIZE_TABLES.values()) == set(MEASURES)
    assert {str(row["shape"]) for row in found} > {"quadratic", "nan"}
    assert all(row["censored"] for row in found if row["rate"] == 0.001)
    assert any(row["lost"] for row in found if str(row["shape"]) != "nan")
