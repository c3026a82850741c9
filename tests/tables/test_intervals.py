"""Statistics over seeds: closed forms, and coverage."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from study import tables
from study.spec.study import StudySpec
from study.tables import intervals
from support.made import made
from support.tables import minima

inf, nan = math.inf, math.nan


def test_too_few_seeds_have_no_interval() -> None:
    """Two say nothing; three give their least and largest."""
    low, high = intervals.median_intervals(np.array([[1.0, 2.0]]))
    assert np.isnan([low, high]).all()
    low, high = intervals.median_intervals(np.array([[1.0, 2.0, inf], [5.0, 5.0, 5.0]]))
    assert low.tolist() == [1.0, 5.0]
    assert high.tolist() == [inf, 5.0]


def test_intervals_of_a_median_cover() -> None:
    """Of 400 samples of 15, about 95 % of the intervals hold the true median."""
    values = np.random.default_rng(1).lognormal(0, 1, (400, 15))
    low, high = intervals.median_intervals(values)
    assert 0.94 < ((low <= 1) & (high >= 1)).mean() < 0.99


@pytest.mark.parametrize(
    ("seeds", "rate"), [(3, 0.75), (4, 0.875), (5, 0.94), (6, 0.969), (9, 0.961), (10, 0.979)]
)
def test_an_interval_of_a_median_covers_as_is_said(seeds: int, rate: float) -> None:
    """By the binomial distribution; three seeds and five are what the warnings say."""
    values = np.random.default_rng(2).normal(0, 1, (4000, seeds))
    low, high = intervals.median_intervals(values)
    assert ((low <= 0) & (high >= 0)).mean() == pytest.approx(rate, abs=0.02)


@given(st.lists(st.floats(1, 100), min_size=3, max_size=9), st.floats(0.1, 10))
def test_an_interval_holds_the_median_and_scales(values: list[float], factor: float) -> None:
    """Units change nothing."""
    sample = np.array([values])
    low, high = intervals.median_intervals(sample)
    assert low[0] <= np.median(values) <= high[0]
    scaled = intervals.median_intervals(sample * factor)
    assert np.concatenate(scaled) == pytest.approx(np.concatenate([low, high]) * factor)


def test_the_valley_is_measured_in_decades() -> None:
    """Each rate stands for half-way to its neighbours; twice the best counts."""
    rates = np.array([0.01, 0.1, 1.0, 10.0])
    assert intervals.spans(rates).tolist() == [1, 1, 1, 1]
    assert float(intervals.valley_decades(rates, np.array([inf, 2.0, 1.0, 2.1]))) == 2
    assert float(intervals.valley_decades(rates, np.full(4, inf))) == 0
    assert intervals.spans(np.array([0.1])).tolist() == [0]


@pytest.mark.parametrize(("successes", "total"), [(5, 10), (0, 7), (7, 7), (1, 48), (33, 48)])
def test_a_share_has_wilsons_interval(successes: int, total: int) -> None:
    """As statsmodels has it, and the exact one, too; of nothing nothing is known."""
    exact = proportion_confint(successes, total, method="beta")
    assert intervals.share_interval(successes, total, exact=True) == pytest.approx(exact)
    wilson = proportion_confint(successes, total, method="wilson")
    assert intervals.share_interval(successes, total) == pytest.approx(wilson)
    assert intervals.share_interval(0, 0) == (0, 1)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_a_mean_has_students_interval(count: int) -> None:
    """As scipy has it; fewer than two values have no bound."""
    values = np.random.default_rng(0).normal(3, 1, count)
    found = intervals.mean(values)
    wanted = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    assert (found.mean, found.low, found.high) == pytest.approx((values.mean(), *wanted))
    assert found.count == count
    one, none = intervals.mean(values[:1]), intervals.mean(values[:0])
    assert (one.mean, one.low, one.high, one.count) == (values[0], -inf, inf, 1)
    assert math.isnan(none.mean)
    assert (none.low, none.high, none.count) == (-inf, inf, 0)


@pytest.mark.parametrize(("seeds", "count"), [(3, 1000), (4, 1000), (5, 400)])
def test_draws_are_with_replacement_and_even(seeds: int, count: int) -> None:
    """Each seed as often as any other, and a thousand resamples unless told otherwise; the same
    each time.
    """
    chosen = minima.draws(seeds, count)
    assert chosen.shape == (count, seeds)
    assert minima.draws(seeds).shape == (1000, seeds)
    assert (chosen == minima.draws(seeds, count)).all()
    assert stats.chisquare(np.bincount(chosen.ravel(), minlength=seeds)).pvalue > 0.01
    distinct = np.mean([len(set(row)) for row in chosen.tolist()])
    expected = seeds * (1 - (1 - 1 / seeds) ** seeds)
    assert distinct == pytest.approx(expected, abs=0.1)


def test_a_percentile_interval_ends_in_values() -> None:
    """Of 1,000 values 25 lie beyond either end; over the last axis; infinite where more are."""
    values = np.arange(1.0, 1001.0)
    np.random.default_rng(0).shuffle(values)
    low, high = minima.percentile_interval(np.stack([values, 10 * values]))
    assert (low.tolist(), high.tolist()) == ([26, 260], [975, 9750])
    for infinite, end in ((25, 975), (26, inf)):
        late = np.where(values > 1000 - infinite, inf, values)
        assert minima.percentile_interval(late) == (26, end)


def test_medians_over_resampled_seeds_are_numpys() -> None:
    """Along the last axis, for any shape; an even number of infinities makes one infinite."""
    values = np.array([[1.0, 5.0, inf, 2.0], [3.0, inf, inf, 4.0]])
    chosen = np.array([[0, 1, 2, 3], [0, 0, 1, 1], [2, 2, 0, 0]])
    assert minima.medians(values, chosen).tolist() == [[3.5, 3, inf], [inf, inf, inf]]


def test_edges_are_half_way_to_the_neighbours() -> None:
    """And as far beyond the outermost; a single rate has no width."""
    assert intervals.edges(np.array([1.0, 10.0, 1000.0])) == pytest.approx([-0.5, 0.5, 2, 4])
    assert intervals.spans(np.array([1.0, 10.0, 1000.0])) == pytest.approx([1, 1.5, 2])
    assert intervals.edges(np.array([0.1])).tolist() == [-1, -1]


def test_twice_the_least_time_is_in_the_valley() -> None:
    """Exactly twice counts; of several columns each has its own least."""
    rates = np.array([0.01, 0.1, 1.0])
    seconds = np.array([[2.0, 1.0], [1.0, inf], [2.01, 2.0]])
    assert intervals.valley_decades(rates, seconds).tolist() == [2, 2]


SPEC = StudySpec(optimizers=("sgd", "adam"), rates=(0.01, 0.1, 1.0), seeds=5, cap=50.0)
TIMES: dict[float, list[float]] = {
    0.01: [20, 22, 24, 26, 28],
    0.1: [4, 5, 6, 30, inf],
    1.0: [inf] * 5,
}


def test_cells_tell_the_spread_and_the_expected_time() -> None:
    """Expected running time: all seconds spent over arrivals; quartiles of the seeds; infinite
    where none arrived.
    """
    runs = made(SPEC, lambda trial: float(TIMES[trial.learning_rate][trial.seed]))
    cells = tables.cells(runs)
    sgd: Any = cells[cells["optimizer"] == "sgd"].set_index("rate")
    assert sgd["arrived"].tolist() == [5, 4, 0]
    assert sgd["seconds"].tolist() == [24, 6, inf]
    assert sgd["expected_seconds"].tolist() == [24, (4 + 5 + 6 + 30 + 50) / 4, inf]
    assert sgd[["seconds_q25", "seconds_q75"]].to_numpy().tolist() == [
        [22, 26],
        [5, 30],
        [inf, inf],
    ]
    assert sgd[["seconds_low", "seconds_high"]].to_numpy()[0].tolist() == [20, 28]
    assert sgd.loc[0.1, "seconds_high"] == inf


def test_a_best_rate_has_an_interval() -> None:
    """A clear best has an interval of one rate; two that are near have one of both."""
    clear = tables.best(
        made(
            SPEC,
            lambda trial: {0.01: 20.0, 0.1: 5.0, 1.0: inf}[trial.learning_rate] + 0.1 * trial.seed,
        )
    )
    assert clear[["best_low", "best_high"]].to_numpy().tolist() == [[0.1, 0.1]] * 2
    assert clear[["decades", "decades_low", "decades_high"]].to_numpy().tolist() == [[1, 1, 1]] * 2
    unclear = tables.best(
        made(
            SPEC,
            lambda trial: (
                {0.01: 5.0, 0.1: 4.5, 1.0: inf}[trial.learning_rate] * (1 + 0.1 * trial.seed)
            ),
        )
    )
    assert unclear["best_low"].iloc[0] < unclear["best_high"].iloc[0]
    missing = made(SPEC, lambda trial: 5.0).iloc[1:]
    assert math.isnan(tables.best(missing)["best_low"].iloc[0])


def test_what_is_too_few_is_said() -> None:
    """One seed, missing seeds, an edge, failures; nothing of a study that has it all."""
    whole = made(SPEC, lambda trial: {0.01: 20.0, 0.1: 5.0, 1.0: inf}[trial.learning_rate])
    assert tables.warnings(whole, SPEC) == []
    assert "3 of 30 trials are missing" in tables.warnings(whole.iloc[3:], SPEC)[0]
    assert "three cases of four" in tables.warnings(whole[whole["seed"] < 3])[0]
    assert "1 seed a cell" in tables.warnings(whole[whole["seed"] == 0])[0]
    assert "1 of 6 cells have fewer seeds" in tables.warnings(whole.iloc[1:])[0]
    edge = made(SPEC, lambda trial: trial.learning_rate * 10 + 1)
    assert "best rate of sgd, adam is at the grid's edge" in tables.warnings(edge)[0]
    failed = made(
        SPEC.with_(seeds=3),
        lambda trial: (
            "failed" if trial.seed == 1 else {0.01: 20.0, 0.1: 5.0, 1.0: inf}[trial.learning_rate]
        ),
    )
    assert "failed with an error" in " ".join(tables.warnings(failed))
