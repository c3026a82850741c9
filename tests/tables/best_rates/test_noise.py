"""The scatter from seed to seed, and intervals of the least of many noisy medians."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study import tables
from study.spec.study import StudySpec
from study.tables.best_rates import ONE_DRAW, Scatter, scatter
from study.tables.best_rates import noise as margins
from study.tables.best_rates.table import _intervals
from support.made import made
from support.paths import ROOT
from support.tables.minima import SCATTERS, VALLEYS, coverage

EXACT = Scatter(1.0, math.inf)


def test_the_scatter_is_pooled_over_the_pairs_of_each_cell() -> None:
    """Of cells that are near the best; a trial that did not arrive has no pair."""
    times = {0.01: [1.0, 2.0, 4.0], 0.1: [3.0, 3.0, 3.0], 1.0: [5.0, math.inf, 8.0],
             10.0: [9.0, 90.0, 900.0]}  # fmt: skip
    spec = StudySpec(optimizers=("sgd",), rates=tuple(times), seeds=3, widths=(1.0, 2.0, 3.0))
    runs = made(spec, lambda trial: times[trial.learning_rate][trial.seed])
    found = scatter(runs)
    apart = [math.log(2), math.log(2), math.log(4), 0.0, 0.0, 0.0, math.log(1.6)]
    assert found.freedom == 3 * (2 + 2 + 1)
    square = sum(value**2 for value in apart) / 7 / 2
    assert found.sd == pytest.approx(math.sqrt(square))  # all within 3 x median / 0.6745
    assert scatter(runs[runs["seed"] == 0]) == ONE_DRAW


def test_the_scatter_is_the_standard_deviation_of_a_normal_sample() -> None:
    """Of few and of many seeds; one in ten that is late changes it little."""
    random = np.random.default_rng(3)
    for seeds in (2, 3, 10):
        logs = random.normal(0, 0.3, (20_000 // seeds, seeds))
        assert margins.pooled(logs).sd == pytest.approx(0.3, rel=0.03)
    late = logs.copy()
    late[::10, 0] += 5
    assert margins.pooled(late).sd == pytest.approx(0.3, rel=0.2)


def test_the_scatter_of_one_draw_is_that_of_the_stored_cells() -> None:
    """Every repeated trial counts once."""
    folder = ROOT / "results" / "amd-epyc-2-cores"
    parts = [tables.load(folder / name) for name in ("seeds", "seeds-adaptive")]
    parts.append(tables.stored(folder / "article").confirmed)
    found = scatter(pd.concat(parts).drop_duplicates("id"))
    assert (round(found.sd, 2), round(found.freedom)) == (ONE_DRAW.sd, ONE_DRAW.freedom)


@pytest.mark.parametrize(("miss", "cells"), [(0.05, 1), (0.05, 7), (0.003, 20)])
def test_the_margins_have_the_chance_that_they_state(miss: float, cells: int) -> None:
    """By simulation of the worst case: all cells tied."""
    random = np.random.default_rng(cells)
    one, many = random.normal(size=200_000), random.normal(size=(200_000, cells))
    low, high = margins.least_margins(EXACT, 1, cells, miss)
    near = 4 * math.sqrt(miss / 2 / len(one))
    assert (one > -math.log(low)).mean() == pytest.approx(miss / 2, abs=near)
    assert (-many.min(axis=1) > math.log(high)).mean() == pytest.approx(miss / 2, abs=near)
    above = one - many.min(axis=1)
    best = math.log(margins.best_margin(EXACT, 1, cells, miss))
    assert (above > best).mean() == pytest.approx(miss, abs=1.5 * near)
    if cells > 1:
        apart = math.log(margins.pair_margin(EXACT, 1, cells, miss))
        assert (np.ptp(many, axis=1) > apart).mean() == pytest.approx(miss, abs=1.5 * near)


def test_an_estimated_scatter_takes_students_quantile() -> None:
    """And the median of several seeds has the scatter of a large sample's, or of one seed."""
    estimated = Scatter(0.2, 4)
    low, _ = margins.least_margins(estimated, 1, 1)
    assert math.log(low) == pytest.approx(-0.2 * stats.t.ppf(0.975, 4))
    assert [estimated.of_median(n) / 0.2 for n in (1, 2)] == pytest.approx([1, 0.886227])
    assert estimated.of_median(8) == pytest.approx(0.2 * 1.2533141 / math.sqrt(8))


@pytest.mark.parametrize("freedom", [10, 87, 1e5, math.inf])
@pytest.mark.parametrize(("miss", "cells"), [(0.2, 2), (0.05, 7), (0.003, 48), (0.01, 288)])
def test_the_studentized_range_is_that_of_scipy(miss: float, cells: int, freedom: float) -> None:
    """Of few and of many cells, by a scatter that few or many repeats tell."""
    apart = math.log(margins.pair_margin(Scatter(1.0, freedom), 1, cells, miss))
    assert apart == pytest.approx(stats.studentized_range.isf(miss, cells, freedom), rel=1e-4)


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("shape", VALLEYS)
def test_the_intervals_of_a_best_cover(shape: str, seeds: int) -> None:
    """At 95 % where all cells scatter alike; at 85 % where the scatter grows tenfold."""
    for spread, least in (("equal", 0.95), ("growing", 0.85)):
        found = coverage(_intervals, VALLEYS[shape], SCATTERS[spread], seeds, 300)
        assert min(found.best, found.seconds, found.decades) >= least, (shape, spread, found)
