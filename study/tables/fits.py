"""Time against model size: time = c + k n at each rate, with intervals, with the censored trials,
and beside other shapes of curve.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special, stats

from study.errors import StudyError
from study.storage.records import Outcome
from study.tables import intervals
from study.tables.intervals import FEWEST_SIZES, Floats
from study.validation import choice

SIZES = ("weights", "multiply_adds", "width")
"""What n may be."""


MEASURES = ("seconds", "steps", "step_seconds")
"""What may grow with it; seconds are the product of the other two."""


CENSORED = (Outcome.CAPPED, Outcome.PRUNED)
"""Outcomes after which the trial might have arrived later; a diverged or stuck trial never would
have.
"""


ENOUGH = 4.0
"""A line is enough where no other shape's AICc is lower by more: below it the line has considerable
support (Burnham and Anderson 2002).
"""


@dataclass(frozen=True)
class Line:
    """t = c + k n, with the ends of 95 % intervals; in seconds or steps, and per unit of n."""

    c: float
    k: float
    c_low: float
    c_high: float
    k_low: float
    k_high: float


NO_LINE = Line(*[math.nan] * 6)


METHODS = ("", "robust_", "tobit_")
"""How the columns of a line by least squares, by Huber's method and with censored times begin."""


NO_FIT: dict[str, Any] = {
    **{f"{method}{name}": value for method in METHODS for name, value in asdict(NO_LINE).items()},
    **dict.fromkeys(("r2", "spread", "tobit_spread", "quadratic", "power"), math.nan),
    "shape": None,
}
"""The columns of `lines` where too few sizes arrived."""


def least_squares(n: Floats, t: Floats, sizes: NDArray[Any] | None = None) -> Line:
    """The least-squares line; intervals by resampling the sizes and, within each, the seeds.

    Args:
        n: (points,), the sizes.
        t: (points,), the times.
        sizes: (points,), which points are of the same model; `n` where None.
    """
    if len(set(n)) < 2:
        return NO_LINE
    fit = stats.linregress(n, t)
    counts = _resampled(n if sizes is None else sizes)
    total = counts.sum(axis=1)
    mean_n, mean_t = counts @ n / total, counts @ t / total
    spread = counts @ n**2 / total - mean_n**2
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = (counts @ (n * t) / total - mean_n * mean_t) / spread
    fine = spread > 1e-9 * np.var(n)
    slopes, constants = slopes[fine], (mean_t - slopes * mean_n)[fine]
    (c_low, c_high), (k_low, k_high) = intervals.between(constants), intervals.between(slopes)
    return Line(float(fit.intercept), float(fit.slope), *map(float, (c_low, c_high, k_low, k_high)))


def _resampled(sizes: NDArray[Any]) -> Floats:
    """How often each point is drawn, (resamples, points), when sizes are drawn with replacement and
    then points of each.
    """
    random = np.random.default_rng(len(sizes))
    _, place = np.unique(sizes, return_inverse=True)
    groups = int(place.max()) + 1
    chosen = random.multinomial(groups, np.full(groups, 1 / groups), size=intervals.RESAMPLES)
    counts = np.zeros((intervals.RESAMPLES, len(sizes)))
    for group in range(groups):
        mine = np.flatnonzero(place == group)
        counts[:, mine] = random.multinomial(
            chosen[:, group] * len(mine), np.full(len(mine), 1 / len(mine))
        )
    return counts


def robust(n: Floats, t: Floats) -> Line:
    """Huber's M-estimate of the line, which an outlier bends less; intervals by its asymptotic
    errors (Huber 1981, by statsmodels).
    """
    from statsmodels.robust.norms import HuberT  # a second to import
    from statsmodels.robust.robust_linear_model import RLM

    scale_n, scale_t = float(np.max(np.abs(n))), float(np.max(np.abs(t))) or 1.0
    if len(set(n)) < 2:
        return NO_LINE
    residuals = t - np.polyval(np.polyfit(n, t, 1), n)
    if (
        np.max(np.abs(residuals)) < 1e-9 * scale_t
    ):  # without scatter there is no scale to weigh outliers by
        return least_squares(n, t)
    fit = RLM(t / scale_t, np.column_stack([np.ones_like(n), n / scale_n]), M=HuberT()).fit()
    (c, k), ends = np.asarray(fit.params), np.asarray(fit.conf_int(1 - intervals.CONFIDENCE))
    per = scale_t / scale_n
    return Line(
        c * scale_t,
        k * per,
        *(float(x) for x in ends[0] * scale_t),
        *(float(x) for x in ends[1] * per),
    )


def tobit(n: Floats, t: Floats, censored: NDArray[np.bool_]) -> tuple[Line, float]:
    """The likeliest line where some times are known only to be above `t`, with normal scatter; and
    the scatter's standard deviation.

    log L = sum over arrivals of log phi((t - c - k n) / s) / s + sum over the censored of log
    Phi(-(t - c - k n) / s), in Olsen's parameters (c / s, k / s, 1 / s), in which it is concave;
    intervals by the information matrix (Tobin 1958, Olsen 1978).
    """
    if len(set(n[~censored])) < 2:
        return NO_LINE, math.nan
    middle, scale_n, scale_t = (
        float(n.mean()),
        float(n.std()) or 1.0,
        float(np.max(np.abs(t))) or 1.0,
    )
    y = t / scale_t
    x = np.column_stack(
        [np.ones_like(n), (n - middle) / scale_n, -y]
    )  # residual / s = -x @ parameters

    def parts(parameters: Floats) -> tuple[Floats, Floats]:
        residual = -x @ parameters
        hazard = np.exp(
            -(residual**2) / 2 - math.log(math.sqrt(2 * math.pi)) - special.log_ndtr(-residual)
        )
        return residual, hazard

    def loss(parameters: Floats) -> float:
        residual = -x @ parameters
        if parameters[2] <= 0:
            return math.inf
        known = math.log(parameters[2]) - residual[~censored] ** 2 / 2
        return -float(known.sum() + special.log_ndtr(-residual[censored]).sum())

    def gradient(parameters: Floats) -> Floats:
        residual, hazard = parts(parameters)
        slope = np.where(censored, hazard, residual) @ x
        slope[2] += (~censored).sum() / parameters[2]
        return np.asarray(-slope)

    def information(parameters: Floats) -> Floats:
        residual, hazard = parts(parameters)
        weight = np.where(censored, hazard * (hazard - residual), 1.0)
        matrix = (x * weight[:, None]).T @ x
        matrix[2, 2] += (~censored).sum() / parameters[2] ** 2
        return np.asarray(matrix)

    plain = np.polyfit(x[~censored, 1], y[~censored], 1)
    scatter = float(np.std(y[~censored] - np.polyval(plain, x[~censored, 1])))
    if scatter < 1e-9:  # an exact line has no likelihood
        return least_squares(n[~censored], t[~censored]), 0.0
    start = 1 / max(scatter, 1e-4)
    first = [plain[1] * start, plain[0] * start, start]
    limits: Any = {"gtol": 1e-6, "maxiter": 60}
    found = optimize.minimize(
        loss, first, jac=gradient, hess=information, method="trust-exact", options=limits
    )
    constant, slope, inverse = found.x
    covariance = np.linalg.inv(information(found.x))
    # From (c / s, k / s, 1 / s) of scaled sizes and times back to (c, k): the derivatives carry the
    # covariance over.
    to_scaled = np.array([[1, 0, -constant / inverse], [0, 1, -slope / inverse]]) / inverse
    back = np.array([[1, -middle / scale_n], [0, 1 / scale_n]]) * scale_t
    c, k = back @ (np.array([constant, slope]) / inverse)
    errors = np.sqrt(np.diag(back @ to_scaled @ covariance @ to_scaled.T @ back.T))
    wide = float(stats.norm.ppf(0.5 + intervals.CONFIDENCE / 2)) * errors
    line = Line(
        float(c),
        float(k),
        float(c - wide[0]),
        float(c + wide[0]),
        float(k - wide[1]),
        float(k + wide[1]),
    )
    return line, float(scale_t / inverse)


def shapes(n: Floats, t: Floats) -> dict[str, float]:
    """AICc of t = c + k n (`line`), c + k n + q n^2 (`quadratic`) and a n^b (`power`), each with
    normal scatter; less is better.

    AICc = m log(RSS / m) + 2 p + 2 p (p + 1) / (m - p - 1), m points, p parameters with the
    scatter's (Hurvich and Tsai 1989).
    """
    x, y = n / np.median(n), t / np.median(t)

    def aicc(predicted: NDArray[np.floating[Any]], parameters: int) -> float:
        m = len(y)
        if m - parameters - 1 <= 0:
            return math.inf
        rss = max(float(((y - predicted) ** 2).sum()), 1e-12 * m)
        return (
            m * math.log(rss / m)
            + 2 * parameters
            + 2 * parameters * (parameters + 1) / (m - parameters - 1)
        )

    found = {
        "line": aicc(np.polyval(np.polyfit(x, y, 1), x), 3),
        "quadratic": math.inf,
        "power": math.inf,
    }
    if len(set(x)) > 3:
        found["quadratic"] = aicc(np.polyval(np.polyfit(x, y, 2), x), 4)
    with warnings.catch_warnings(), suppress(RuntimeError):  # no power law comes near
        warnings.simplefilter(
            "ignore", optimize.OptimizeWarning
        )  # of its parameters' errors, which are not used
        (a, b), _ = optimize.curve_fit(lambda x, a, b: a * x**b, x, y, p0=(1.0, 1.0), maxfev=2000)
        found["power"] = aicc(a * x**b, 3)
    return found


def points(runs: pd.DataFrame, n: str = "weights", t: str = "seconds") -> pd.DataFrame:
    """One row a trial: optimizer, rate, width, seed, n, t, arrived, censored; of step times one a
    network, and no rate.

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
    """One row a (optimizer, rate), of step times one an optimizer: the line against size, three
    ways, and beside other shapes.

    Columns: trials; arrived, censored and the lost that never could arrive; c and k with `_low` and
    `_high` by least squares, r2, spread (standard deviation of what is left over); the same c and k
    as `robust_` and `tobit_`; tobit_spread; quadratic and power, by how much their AICc is above
    the line's; shape, the one that holds: the line unless another is lower by more than `ENOUGH`.

    Args:
        runs: of several widths.
        n: what a size is measured by, one of `SIZES`.
        t: what grows with it, one of `MEASURES`; step times need no arrival.

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
        "shape": _shape(by_shape),
    }


def _shape(aicc: Mapping[str, float]) -> str | None:
    """The line, unless another shape's AICc is lower by more than `ENOUGH`; None with too few
    points to compare them.
    """
    if not math.isfinite(aicc["line"]) or not math.isfinite(aicc["quadratic"]):
        return None
    least = min(aicc, key=lambda name: aicc[name])
    return least if aicc["line"] - aicc[least] > ENOUGH else "line"


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
