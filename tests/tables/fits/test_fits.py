"""Fits: what went in comes out, with noise and with censoring."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from study.errors import StudyError
from study.spec.networks import network
from study.tables.fits import ENOUGH, least_squares, lines, points, robust, sentence, shapes, tobit
from support.sizes import RUNS

N = np.repeat(np.linspace(3e3, 3e5, 36), 1)
C, K = 5.0, 2e-4


def noisy(seed: int, spread: float = 3.0, n: Any = N) -> Any:
    return C + K * n + np.random.default_rng(seed).normal(0, spread, len(n))


def test_an_exact_line_comes_back_exactly() -> None:
    """By each method, with intervals of no width."""
    t = C + K * N
    for line in (
        least_squares(N, t),
        robust(N, t),
        tobit(N, t + 1e-3 * np.tile([1, -1], 18), np.zeros(36, bool))[0],
    ):
        assert line.c == pytest.approx(C, abs=0.01)
        assert line.k == pytest.approx(K, rel=1e-3)
        assert line.c_low <= line.c <= line.c_high
        assert line.k_low <= line.k <= line.k_high


def test_seeds_of_one_size_are_no_new_sizes() -> None:
    """Scatter between sizes that all seeds share widens the interval as if there were one seed."""
    sizes = np.repeat(np.linspace(3e3, 3e5, 12), 5)
    shared = np.repeat(np.random.default_rng(3).normal(0, 5, 12), 5)
    t = C + K * sizes + shared
    together, apart = least_squares(sizes, t, sizes), least_squares(sizes, t, np.arange(60))
    assert together.k_high - together.k_low > 1.5 * (apart.k_high - apart.k_low)
    none = np.zeros(60, bool)
    together, apart = tobit(sizes, t, none)[0], tobit(sizes, t, none, np.arange(60))[0]
    assert together.k_high - together.k_low > 1.5 * (apart.k_high - apart.k_low)


def test_a_robust_line_bends_less() -> None:
    """One wild trial moves the least-squares slope, and hardly Huber's."""
    t = noisy(1, spread=1.0)
    wild = t.copy()
    wild[-1] += 500
    moved = abs(least_squares(N, wild).k - least_squares(N, t).k)
    assert abs(robust(N, wild).k - robust(N, t).k) < moved / 5


def test_censored_times_are_used() -> None:
    """A plain fit of the arrivals alone is too flat; the censored regression is not, and without
    censoring it is the plain one.
    """
    n = np.repeat(N, 5)
    t = noisy(2, spread=8.0, n=n)
    censored = t > 45
    plain = least_squares(n[~censored], t[~censored])
    line, spread, grows = tobit(n, np.minimum(t, 45), censored)
    assert grows < 0.01
    assert plain.k_high < K
    assert line.k == pytest.approx(K, rel=0.1)
    assert line.k_low < K < line.k_high
    assert spread == pytest.approx(8, rel=0.2)
    same, *_ = tobit(n, t, np.zeros(len(n), bool))
    assert same.k == pytest.approx(least_squares(n, t).k, rel=1e-4)
    assert math.isnan(tobit(n, t, np.ones(len(n), bool))[0].k)


@pytest.mark.parametrize(
    ("name", "curve"),
    [
        ("line", lambda x: 2 + 3 * x),
        ("quadratic", lambda x: 2 + 3 * x**2),
        ("power", lambda x: 3 * x**0.5),
        ("jump", lambda x: 2 + x + 3 * (x > 6)),
    ],
)
def test_the_shape_that_made_the_data_is_found(name: str, curve: Any) -> None:
    """Its AICc is the least; the line, which others contain, is at most `ENOUGH` above."""
    x = np.linspace(1, 10, 40)
    found = shapes(x, curve(x) + np.random.default_rng(0).normal(0, 0.05, 40))
    assert found[name] <= min(found.values()) + (ENOUGH if name == "line" else 0)


def test_lines_of_a_study() -> None:
    """A row a rate: counts, the three fits, the shape; in weights, multiply-adds or widths."""
    table = by_rate()
    assert list(table["trials"]) == [36, 36]
    assert list(table["censored"]) == [int((RUNS["outcome"] == "capped").sum()), 0]
    assert table.loc[0.001, "censored"] > 3
    assert table.loc[0.01, "k"] == pytest.approx(2e-5, rel=0.05)
    assert table.loc[0.01, "c"] == pytest.approx(1, abs=0.1)
    assert table.loc[0.001, "tobit_k"] == pytest.approx(8e-5, rel=0.05)
    assert table.loc[0.01, "spread"] == pytest.approx(0.05, rel=0.4)
    assert set(table["shape"]) == {"line"}
    per_width = (network_weights(9.5) - network_weights(1)) / 8.5
    assert by_rate(n="width").loc[0.01, "k"] == pytest.approx(2e-5 * per_width, rel=0.1)
    assert by_rate(n="multiply_adds").loc[0.01, "shape"] != "line"
    assert "a line is enough" in sentence(next(lines(RUNS).itertuples()))


def by_rate(**how: str) -> Any:
    return lines(RUNS, **how).set_index("rate")


def network_weights(width: float) -> int:
    return network("compact", width).weights


def test_steps_and_step_time_apart() -> None:
    """Their own columns are fitted; step times need no arrival."""
    assert lines(RUNS, t="steps")["arrived"].sum() == (RUNS["outcome"] == "reached").sum()
    (row,) = lines(RUNS, t="step_seconds").to_dict("records")  # a step takes the same at every rate
    assert (row["trials"], row["arrived"], row["k"]) == (18, 18, pytest.approx(0, abs=1e-12))
    assert points(RUNS, t="step_seconds")["censored"].sum() == 0


def test_too_little_is_said() -> None:
    """Two widths, an unknown size, and a rate at which nothing arrived."""
    with pytest.raises(StudyError, match="2 width"):
        lines(RUNS[RUNS["width"] < 2])
    with pytest.raises(StudyError, match="unknown size 'wieghts'"):
        points(RUNS, n="wieghts")
    none = RUNS.assign(outcome=RUNS["outcome"].where(RUNS["learning_rate"] == 0.01, "capped"))
    row = next(lines(none).itertuples())
    assert math.isnan(float(str(row.k)))
    assert "too few sizes" in sentence(row)
