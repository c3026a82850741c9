"""Lines at their edges: few sizes, no scatter, other units, ties."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from study.tables.fits import ENOUGH, least_squares, robust, sentence, shape_of, shapes, tobit
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
    """With one all is unknown; two without scatter have their line, and an end is a line too."""
    one = fit(np.array([3.0, 3.0]), np.array([1.0, 2.0]))
    assert np.isnan(list(vars(one).values())).all()
    two = fit(np.array([1.0, 1.0, 3.0, 3.0]), np.array([5.0, 5.0, 9.0, 9.0]))
    assert (two.c, two.k) == pytest.approx((3.0, 2.0))
    assert [two.k_low, two.k_high, two.c_low, two.c_high] == pytest.approx([2, 2, 3, 3])
    flat = fit(X, np.zeros(12))
    assert list(vars(flat).values()) == [0] * 6


def test_censored_times_need_two_sizes_that_arrived() -> None:
    """Otherwise the line is not known, nor its scatter."""
    line, scatter = tobit(X, Y, X > 1)
    assert np.isnan([*vars(line).values(), scatter]).all()
    line, scatter = tobit(X, Y, X > 2)
    assert np.isfinite([*vars(line).values(), scatter]).all()


def test_an_exact_line_has_no_scatter_and_no_room() -> None:
    """The likelihood has no maximum there; least squares says what there is."""
    line, scatter = tobit(X, 2 + 3 * X, X > 6)
    assert scatter == 0
    assert line == least_squares(X[X < 6], (2 + 3 * X)[X < 6])


def test_without_censoring_the_likeliest_line_has_the_errors_of_least_squares() -> None:
    """Its scatter divides by the number of points, not by the degrees of freedom."""
    plain = sm.OLS(Y, sm.add_constant(X)).fit()
    line, scatter = tobit(X, Y, NONE)
    share = math.sqrt(10 / 12)
    assert scatter == pytest.approx(math.sqrt(plain.mse_resid) * share, rel=1e-4)
    assert (line.c, line.k) == pytest.approx(plain.params, rel=1e-4)
    wide = 1.959964 * plain.bse * share
    assert (line.c_high - line.c, line.k_high - line.k) == pytest.approx(wide, rel=1e-3)
    assert (line.c - line.c_low, line.k - line.k_low) == pytest.approx(wide, rel=1e-3)


def test_seeds_of_a_size_are_drawn_with_it() -> None:
    """Two sizes, each of one time, have one line whatever is drawn; draws of a single size have
    none and count for nothing.
    """
    n, t = np.array([3000.1] * 3 + [300_000.7] * 3), np.array([1.0] * 3 + [4.0] * 3)
    line = least_squares(n, t)
    k = 3 / (300_000.7 - 3000.1)
    assert [line.k, line.k_low, line.k_high] == pytest.approx([k] * 3)
    near = least_squares(n, t, np.array(["a", "a", "b", "b", "c", "c"]))
    assert [near.k_low, near.k_high] == pytest.approx([k] * 2)


def test_drawn_sizes_and_seeds_have_the_variance_of_the_bootstrap() -> None:
    """The mean of 30 sizes of one point has the standard error s / sqrt(30), by its formula; with
    four points each that share a size's scatter it is the same.
    """
    means = np.random.default_rng(4).normal(0, 1, 30)
    n = np.tile([0.0, 1.0], 15)
    line = least_squares(n, means, np.arange(30))
    even, odd = means[::2], means[1::2]
    error = math.sqrt(even.var() / 15 + odd.var() / 15)
    assert (line.k_high - line.k_low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.12)
    more = least_squares(np.repeat(n, 4), np.repeat(means, 4), np.repeat(np.arange(30), 4))
    assert more.k_high - more.k_low == pytest.approx(line.k_high - line.k_low, rel=0.12)


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
        by_hand = 6 * math.log(rss / 6) + 2 * p + 2 * p * (p + 1) / (6 - p - 1)
        assert six[name] == pytest.approx(by_hand)
    three_sizes = shapes(np.repeat(x[:3], 3), np.repeat(t[:3], 3) * np.tile([0.9, 1, 1.1], 3))
    assert math.isinf(three_sizes["quadratic"])
    exact = shapes(x, 2 * x)
    assert exact["line"] == pytest.approx(6 * math.log(1e-12) + 6 + 24 / 2)


@pytest.mark.parametrize(
    ("aicc", "shape"),
    [
        ({"line": 10.0, "quadratic": 10 - ENOUGH, "power": 20.0}, "line"),
        ({"line": 10.0, "quadratic": 9.99 - ENOUGH, "power": 20.0}, "quadratic"),
        ({"line": 10.0, "quadratic": 5.0, "power": 4.0}, "power"),
        ({"line": 10.0, "quadratic": 5.0, "power": math.inf}, "quadratic"),
        ({"line": 10.0, "quadratic": math.inf, "power": 0.0}, None),
        ({"line": math.inf, "quadratic": 3.0, "power": 0.0}, None),
    ],
)
def test_a_line_is_enough_until_another_is_better_by_four(
    aicc: dict[str, float], shape: str | None
) -> None:
    """Exactly four is not more."""
    assert ENOUGH == 4
    assert shape_of(aicc) == shape


SENTENCES = [
    ({"quadratic": 3.04, "power": 8.0}, "line",
     "a line is enough (AICc 3.0 below a quadratic's); R^2 0.98, 5 of 6 trials arrived"),
    ({"quadratic": 9.0, "power": -2.5}, "line",
     "a line is enough (AICc 2.5 above a power's); R^2 0.98, 5 of 6 trials arrived"),
    ({"quadratic": 9.0, "power": 0.0}, "line",
     "a line is enough (AICc 0.0 above a power's); R^2 0.98, 5 of 6 trials arrived"),
    ({"quadratic": -7.0, "power": -12.25}, "power",
     "a power holds, not a line (AICc 12.2 below it); R^2 0.98, 5 of 6 trials arrived"),
    ({"quadratic": math.nan, "power": math.nan}, None,
     "5 of 6 trials arrived, too few sizes for a line"),
]  # fmt: skip


@pytest.mark.parametrize(("others", "shape", "said"), SENTENCES)
def test_a_fit_is_said_in_words(others: dict[str, float], shape: str | None, said: str) -> None:
    """Which shape holds, and by how much."""
    row = SimpleNamespace(
        optimizer="adam", rate=0.001, shape=shape, r2=0.984, arrived=5, trials=6, **others
    )
    assert sentence(row) == f"adam at 0.001: {said}"


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
