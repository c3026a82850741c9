"""Every column of the fits against model size, by statsmodels and scipy."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.tools.numdiff import approx_fprime, approx_hess

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


def jackknifed(fit: Any, n: Floats, t: Floats, width: Floats) -> dict[str, float]:
    """Ends of c and k by the variance of the pseudo-values of leaving out each width."""
    whole, groups = fit(n, t), np.unique(width)
    g = len(groups)
    pseudo = [g * whole - (g - 1) * fit(n[width != one], t[width != one]) for one in groups]
    around = np.mean((np.array(pseudo) - whole) ** 2, axis=0) / (g - 1)
    wide = stats.t(g - 2).ppf(0.975) * np.sqrt(around)
    return ends(whole - wide, whole + wide)


def ends(low: Floats, high: Floats) -> dict[str, float]:
    return {
        f"{name}_{end}": float(values[i])
        for i, name in enumerate("ck")
        for end, values in (("low", low), ("high", high))
    }


def least(n: Floats, t: Floats) -> Floats:
    return np.asarray(sm.OLS(t, sm.add_constant(n)).fit().params)


def huber(n: Floats, t: Floats) -> Floats:
    return np.asarray(sm.RLM(t, sm.add_constant(n)).fit().params)


def likeliest(n: Floats, t: Floats, width: Floats, censored: Any) -> dict[str, float]:
    """The columns of the censored regression, searched over (c, k, 1 / s) by its values alone."""
    size, time = float(n.mean()), float(t.mean())
    x, y = n / size, t / time
    by_kind = []
    for grows in (False, True):

        def each(p: Floats, grows: bool = grows) -> Floats:
            f = p[0] + p[1] * x
            s = f / p[2] if grows else 1 / p[2] + 0 * f
            if s.min() <= 0:
                return np.full(len(f), -1e9)
            normal = stats.norm(f, s)
            return np.where(censored, normal.logsf(y), normal.logpdf(y))

        def loss(p: Floats, each: Any = each) -> float:
            return -float(each(p).sum())

        options: Any = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000, "maxfev": 4000}
        start = np.array([*least(x[~censored], y[~censored]), 10.0])
        best = optimize.minimize(loss, start, method="Nelder-Mead", options=options).x
        arrived = int((~censored).sum())
        whole = approx_hess(best, loss)
        variance = np.diag(np.linalg.inv(whole))[:2] * arrived / (arrived - 3)
        scores, moved = approx_fprime(best, each, centered=True), []
        for one in np.unique(width):
            without = approx_hess(best, lambda p, one=one: -each(p)[width != one].sum())
            moved.append(np.linalg.solve(without, scores[width == one].sum(axis=0))[:2])
        g = len(moved)
        jackknife = (g - 1) / g * np.sum(np.array(moved) ** 2, axis=0)
        error = np.sqrt(np.maximum(variance, jackknife) if g < len(n) else variance)
        scatter = np.mean(best[0] + best[1] * x) / best[2] if grows else 1 / best[2]
        by_kind.append((best[:2], error, -loss(best) - grows, scatter))
    odds = [math.exp(kind[2] - by_kind[0][2]) for kind in by_kind]
    weights = np.array(odds) / sum(odds)
    free = len(np.unique(width[~censored])) - 3

    def end(i: int, tail: float) -> float:
        def beyond(place: float) -> float:
            cdfs = [stats.t(free, loc=at[i], scale=e[i]).cdf(place) for at, e, *_ in by_kind]
            return float(weights @ cdfs) - tail

        return float(optimize.bisect(beyond, -50, 50, xtol=1e-12))

    scale = np.array([time, time / size])
    c, k = scale * sum(w * kind[0] for w, kind in zip(weights, by_kind, strict=True))
    low, high = (scale * [end(0, tail), end(1, tail)] for tail in (0.025, 0.975))
    spread = time * sum(w * kind[3] for w, kind in zip(weights, by_kind, strict=True))
    found = {"c": c, "k": k, **ends(low, high), "spread": spread, "grows": weights[1]}
    return {f"tobit_{name}": float(value) for name, value in found.items()}


def aicc(t: Floats, fitted: Floats, parameters: int, grows: bool) -> float:
    """By the log likelihood of normal scatter, up to what all shapes share."""
    by = fitted if grows else np.ones_like(t)
    if by.min() <= 0:
        return math.inf
    m, s = len(t), math.sqrt(float((((t - fitted) / by) ** 2).mean()))
    like = float(np.sum(stats.norm.logpdf(t - fitted, scale=s * by)))
    return -2 * like + 2 * parameters * m / (m - parameters - 1)


def by_weights(columns: list[Floats], t: Floats, grows: bool) -> Floats:
    """Predictions of least squares, weighted by their own squares until these stand still."""
    x = np.column_stack(columns)
    found: Any = sm.OLS(t, x).fit().fittedvalues
    for _ in range(60 * grows):
        found = sm.WLS(t, x, weights=1 / np.maximum(found, 1e-3 * np.median(t)) ** 2).fit()
        found = found.fittedvalues
    return np.asarray(found)


def power_of(x: Floats, t: Floats, grows: bool) -> Floats:
    """The same of a power law."""
    logs = sm.OLS(np.log(t), sm.add_constant(np.log(x))).fit().params
    by, unit = np.ones_like(t), math.exp(logs[0])

    def misses(p: Floats, by: Floats) -> Floats:
        return np.asarray((p[0] * unit * x ** p[1] - t) / by)

    for _ in range(1 + 20 * grows):
        found = optimize.least_squares(misses, [1.0, logs[1]], args=(by,)).x
        by = found[0] * unit * x ** found[1]
    return np.asarray(by)


def shapes_of(n: Floats, t: Floats, width: Floats) -> dict[str, Any]:
    """The columns of the shapes."""
    x, one = n / n.mean(), np.ones_like(n)
    sizes = np.unique(x)
    jumps, found = {}, dict.fromkeys(("line", "quadratic", "power", "jump"), math.inf)
    for grows in (False, True):
        fits: dict[str, tuple[Floats, int]] = {
            "line": (by_weights([one, x], t, grows), 3),
            "quadratic": (by_weights([one, x, x**2], t, grows), 4),
            "power": (power_of(x, t, grows), 3),
        }
        for name, (values, count) in fits.items():
            found[name] = min(found[name], aicc(t, values, count, grows))
        for below, above in pairwise(sizes[2:-2]):
            values = by_weights([one, x, 1.0 * (x >= above)], t, grows)
            jumps[aicc(t, values, 5, grows)] = (below, above, values)
    found["jump"] = min(jumps)
    below, above, values = jumps[found["jump"]]
    line = np.polyfit(x[x <= below], values[x <= below], 1)
    over = np.polyval(np.polyfit(x[x >= above], values[x >= above], 1), (below + above) / 2)
    best = min(found, key=lambda name: found[name])
    return {
        **{name: found[name] - found["line"] for name in ("quadratic", "power", "jump")},
        "jump_below": width[x == below][0],
        "jump_above": width[x == above][0],
        "jump_share": over / np.polyval(line, (below + above) / 2) - 1,
        "shape": best if found["line"] - found[best] > 7 else "line",
    }


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
        plain = sm.OLS(y, sm.add_constant(x)).fit()
        total = ((y - y.mean()) ** 2).sum()
        assert row["r2"] == pytest.approx(1 - (plain.resid**2).sum() / total)
        wanted = counted | {"r2": plain.rsquared, "spread": math.sqrt(plain.mse_resid)}
        for prefix, fit in (("", least), ("robust_", huber)):
            line = dict(zip("ck", fit(x, y), strict=True))
            interval = jackknifed(fit, x, y, here["width"].to_numpy())
            if counted["censored"]:
                interval = dict.fromkeys(interval, math.nan)
            wanted |= {f"{prefix}{name}": value for name, value in (line | interval).items()}
        both = pd.concat([here, mine[mine["censored"]]])
        wanted |= likeliest(*(both[name].to_numpy() for name in ("n", "t", "width", "censored")))
        wanted |= shapes_of(x, y, here["width"].to_numpy())
        same(pd.DataFrame([row]), [wanted], rel=5e-3, abs_=5e-3 if t != "step_seconds" else 1e-7)


def test_the_made_up_study_has_lines_and_others() -> None:
    """So that each case of the columns occurs."""
    found = [row for row, _ in fits("seconds", "weights")]
    assert set(tables.SIZE_TABLES.values()) == set(MEASURES)
    assert {str(row["shape"]) for row in found} > {"quadratic", "nan"}
    assert all(row["censored"] for row in found if row["rate"] == 0.001)
    assert any(row["lost"] for row in found if str(row["shape"]) != "nan")
