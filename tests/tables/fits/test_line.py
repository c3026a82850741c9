"""Lines at their edges: few sizes, no scatter, other units, ties."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from study.tables.fits import ENOUGH, curves, least_squares, lines, robust, shape_of, shapes, tobit
from study.tables.fits.table import points
from support.sizes import RUNS

X = np.repeat([1.0, 2.0, 4.0, 7.0], 3)
Y = 2 + 3 * X + np.random.default_rng(0).normal(0, 0.5, 12)
NONE = np.zeros(12, bool)


@pytest.mark.parametrize("fit", [least_squares, robust, lambda n, t: tobit(n, t, n < 0)[0]])
def test_units_of_sizes_and_times_change_no_line(fit: Any) -> None:
    """c is in the unit of t, k in that per unit of n, and so are their ends."""
    line = fit(X, Y)
    for of_n, of_t in ((1e-6, 1.0), (1e6, 1.0), (1.0, 1e-6), (1.0, 1e6)):
        other = fit(X * of_n, Y * of_t)
        for name in ("c", "c_low", "c_high"):
            assert getattr(other, name) == pytest.approx(getattr(line, name) * of_t, rel=1e-3)
        for name in ("k", "k_low", "k_high"):
            wanted = getattr(line, name) * of_t / of_n
            assert getattr(other, name) == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("fit", [least_squares, robust, lambda n, t: tobit(n, t, n < 0)[0]])
def test_a_line_needs_two_sizes(fit: Any) -> None:
    """With one all is unknown; two have a line, but nothing to judge it by."""
    one = fit(np.array([3.0, 3.0]), np.array([1.0, 2.0]))
    assert np.isnan(list(vars(one).values())).all()
    two = fit(np.array([1.0, 1.0, 3.0, 3.0]), np.array([5.0, 5.0, 9.0, 9.0]))
    assert (two.c, two.k) == pytest.approx((3.0, 2.0))
    assert np.isnan([two.k_low, two.k_high, two.c_low, two.c_high]).all()
    flat = fit(X, np.zeros(12))
    assert list(vars(flat).values()) == [0] * 6


def test_censored_times_need_two_sizes_that_arrived() -> None:
    """Otherwise the line is not known, nor its scatter."""
    line, *others = tobit(X, Y, X > 1)
    assert np.isnan([*vars(line).values(), *others]).all()
    line, *others = tobit(X, Y, X > 2)
    assert np.isfinite([*vars(line).values(), *others]).all()


def test_an_exact_line_has_no_scatter_and_no_room() -> None:
    """The likelihood has no maximum there; least squares says what there is."""
    line, scatter, grows = tobit(X, 2 + 3 * X, X > 6)
    assert (scatter, math.isnan(grows)) == (0, True)
    assert line == least_squares(X[X < 6], (2 + 3 * X)[X < 6])


def test_the_line_of_most_points_is_the_robust_one() -> None:
    """Steps of many sizes are equal; the least of scales is then zero, which is no warning."""
    n = np.arange(1.0, 21.0)
    t = np.full(20, 125.0)
    t[[2, 9, 17]] = 150.0, 175.0, 100.0
    line = robust(n, t)
    assert line.c == pytest.approx(125, abs=1e-3)
    assert line.k == pytest.approx(0, abs=1e-4)


def test_without_censoring_the_likeliest_line_has_the_errors_of_least_squares() -> None:
    """Its scatter divides by the number of points; its errors do by that less three, with as many
    degrees of freedom. Scatter of hundreds of sizes, constant as it is, leaves no doubt of it.
    """
    n = np.linspace(1.0, 9.0, 200)
    t = 2 + 3 * n + np.random.default_rng(0).normal(0, 0.5, 200)
    plain = sm.OLS(t, sm.add_constant(n)).fit()
    line, scatter, grows = tobit(n, t, np.zeros(200, bool))
    assert grows < 1e-6
    assert scatter == pytest.approx(math.sqrt(plain.mse_resid * 198 / 200), rel=1e-4)
    assert (line.c, line.k) == pytest.approx(plain.params, rel=1e-4)
    wide = stats.t.ppf(0.975, 197) * plain.bse * math.sqrt(198 / 197)
    assert (line.c_high - line.c, line.k_high - line.k) == pytest.approx(wide, rel=1e-3)
    assert (line.c - line.c_low, line.k - line.k_low) == pytest.approx(wide, rel=1e-3)


def test_scatter_in_proportion_is_seen() -> None:
    """The line is then the weighted one, with its errors, and its scatter the mean one."""
    n = np.linspace(1.0, 9.0, 400)
    f = 2 + 3 * n
    t = f * (1 + np.random.default_rng(0).normal(0, 0.05, 400))
    plain = sm.WLS(t, sm.add_constant(n), weights=1 / f**2).fit()
    line, scatter, grows = tobit(n, t, np.zeros(400, bool))
    assert grows > 1 - 1e-6
    assert scatter == pytest.approx(0.05 * f.mean(), rel=0.05)
    assert (line.c, line.k) == pytest.approx(plain.params, rel=0.01)
    half = [(line.c_high - line.c_low) / 2, (line.k_high - line.k_low) / 2]
    assert half == pytest.approx(1.966 * plain.bse, rel=0.02)


def test_a_line_that_falls_below_zero_has_constant_scatter() -> None:
    """Nothing can scatter in proportion to a time that is not positive."""
    n = np.linspace(1.0, 9.0, 12)
    t = 4 - n + np.random.default_rng(0).normal(0, 0.01, 12)
    line, _, grows = tobit(n, t, np.zeros(12, bool))
    assert grows < 1e-6
    assert (line.c, line.k) == pytest.approx(least_squares_of(n, t), rel=1e-4)


def least_squares_of(n: Any, t: Any) -> tuple[float, float]:
    fit = stats.linregress(n, t)
    return float(fit.intercept), float(fit.slope)


def test_one_size_is_left_out_at_a_time() -> None:
    """Of one point each, the variance is that of statsmodels's HC3, but for (g - 1) / g and the
    mean; equal points of a size count as one.
    """
    n, t = X[::3], Y[::3]
    line, again = least_squares(n, t), least_squares(np.repeat(n, 5), np.repeat(t, 5))
    assert vars(again) == pytest.approx(vars(line))
    n, t = np.arange(20.0), np.arange(20.0) + np.random.default_rng(4).normal(0, 1, 20)
    line, fit = least_squares(n, t), sm.OLS(t, sm.add_constant(n)).fit(cov_type="HC3")
    assert (line.c, line.k) == pytest.approx(fit.params)
    wide = stats.t.ppf(0.975, 18) * fit.bse * math.sqrt(19 / 20)
    assert [line.c_high - line.c, line.k_high - line.k] == pytest.approx(wide)


def test_a_point_more_makes_aicc_finite() -> None:
    """With m points and p parameters m - p - 1 must be positive: five points for a line, and six
    for a quadratic, which wants four sizes; all by the formula.
    """
    x, t = np.array([1.0, 2.0, 3.0, 5.0, 8.0, 9.0]), np.array([3.0, 4.1, 5.3, 6.2, 9.9, 11.5])
    four, five, six = (shapes(x[:m], t[:m]) for m in (4, 5, 6))
    assert all(math.isinf(value) for value in four.values())
    assert math.isfinite(five["line"])
    assert math.isfinite(five["power"])
    assert math.isinf(five["quadratic"])
    y = t / np.median(t)
    for name, degree in (("line", 1), ("quadratic", 2)):
        p = degree + 2
        rss = float(((y - np.polyval(np.polyfit(x, y, degree), x)) ** 2).sum())
        f = np.polyval(np.polyfit(x, y, degree), x)
        for _ in range(30):
            f = np.polyval(np.polyfit(x, y, degree, w=1 / f), x)
        grows = 6 * math.log(np.mean((y / f - 1) ** 2)) + 2 * np.log(f).sum()
        by_hand = min(6 * math.log(rss / 6), grows) + 2 * p + 2 * p * (p + 1) / (6 - p - 1)
        assert six[name] == pytest.approx(by_hand, abs=1e-3)
    three_sizes = shapes(np.repeat(x[:3], 3), np.repeat(t[:3], 3) * np.tile([0.9, 1, 1.1], 3))
    assert math.isinf(three_sizes["quadratic"])
    exact = shapes(x, 2 * x)
    assert exact["line"] == pytest.approx(
        6 * math.log(1e-12) + min(0, 2 * np.log(x / np.median(x)).sum()) + 6 + 24 / 2
    )


@pytest.mark.parametrize(
    ("aicc", "shape"),
    [
        ({"line": 10.0, "quadratic": 10 - ENOUGH, "power": 20.0}, "line"),
        ({"line": 10.0, "quadratic": 9.99 - ENOUGH, "power": 20.0}, "quadratic"),
        ({"line": 10.0, "quadratic": 2.0, "power": 1.0}, "power"),
        ({"line": 10.0, "quadratic": 2.0, "power": math.inf}, "quadratic"),
        ({"line": 10.0, "quadratic": math.inf, "power": 0.0}, None),
        ({"line": math.inf, "quadratic": 3.0, "power": 0.0}, None),
    ],
)
def test_a_line_is_enough_until_another_is_better_by_seven(
    aicc: dict[str, float], shape: str | None
) -> None:
    """Exactly seven is not more."""
    assert ENOUGH == 7
    assert shape_of(aicc) == shape


def test_points_of_step_times_are_one_a_network() -> None:
    """Equal ones count once, unknown ones not; they have no rate and are never censored."""
    runs = RUNS.assign(step_seconds=RUNS["width"] / 100)
    runs.loc[runs["width"] == 1.5, "step_seconds"] = math.nan
    table = points(runs, "width", "step_seconds")
    assert table["n"].tolist() == [w for w in sorted(set(runs["width"])) if w != 1.5]
    assert table["t"].tolist() == pytest.approx((table["n"] / 100).tolist())
    assert table["arrived"].all()
    assert not table["censored"].any()
    assert table["rate"].isna().all()


def test_the_shape_that_holds_is_a_curve_to_draw() -> None:
    """The likeliest line where a line holds; two pieces, of one slope, where it jumps; nothing
    where too few arrived.
    """
    row: Any = next(lines(RUNS).itertuples())
    table = curves(RUNS)
    mine = table[table["rate"] == 0.001]
    assert set(mine["shape"]) == {"line"}
    assert mine["t"].to_numpy() == pytest.approx(row.tobit_c + row.tobit_k * mine["n"])
    assert [mine["n"].min(), mine["n"].max()] == [RUNS["weights"].min(), RUNS["weights"].max()]
    high = RUNS.assign(seconds=RUNS["seconds"] * (1 + (RUNS["width"] > 6)), outcome="reached")
    for _, pieces in curves(high).groupby("rate"):
        assert set(pieces["shape"]) == {"jump"}
        below, above = (piece for _, piece in pieces.groupby("piece"))
        assert below["n"].max() == pytest.approx(above["n"].min())
        steep = [np.polyfit(piece["n"][1:], piece["t"][1:], 1)[0] for piece in (below, above)]
        assert steep[0] == pytest.approx(steep[1])
        assert above["t"].min() > 1.3 * below["t"].max()
    bent = RUNS.assign(seconds=2 + RUNS["width"] ** 2, outcome="reached")
    mine = curves(bent, "width")
    assert set(mine["shape"]) == {"quadratic"}
    assert mine["t"].to_numpy() == pytest.approx(2 + mine["n"] ** 2)
    steps = RUNS.assign(step_seconds=0.01 * RUNS["width"] ** 0.5)
    assert curves(steps, "width", "step_seconds")["t"].to_numpy() == pytest.approx(
        0.01 * np.linspace(1, 9.5, 51) ** 0.5
    )
    none = curves(RUNS.assign(outcome="capped"))
    assert (len(none), list(none)) == (0, list(mine))


def test_points_are_in_one_order() -> None:
    """By optimizer, rate, size and seed, whatever that of the rows; every outcome has its place."""
    ends = ["reached", "capped", "pruned", "diverged", "stuck", "failed"]
    runs = RUNS.assign(outcome=[ends[i % 6] for i in range(len(RUNS))])
    table = points(runs.sample(frac=1, random_state=0), "weights", "seconds")
    keys = table[["rate", "n", "seed"]].to_numpy().tolist()
    assert keys == sorted(keys)
    again = table.join(runs["outcome"])
    assert set(again.loc[again["arrived"], "outcome"]) == {"reached"}
    assert set(again.loc[again["censored"], "outcome"]) == {"capped", "pruned"}
    unknown = points(runs.assign(steps=math.nan), t="steps")
    assert not unknown["arrived"].any()
