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
from study.tables.best_rates.best import _intervals
from support.made import made
from support.paths import ROOT
from support.tables.minima import SCATTERS, VALLEYS, coverage

EXACT = Scatter(1.0, math.inf)


def test_the_scatter_is_pooled_over_the_cells() -> None:
    """Two cells of three seeds each, and one trial that did not arrive."""
    times = {0.01: [1.0, 2.0, 4.0], 0.1: [3.0, 3.0, 3.0], 1.0: [5.0, math.inf, 8.0]}
    spec = StudySpec(optimizers=("sgd",) * 1, rates=tuple(times), seeds=3, widths=(1.0, 2.0, 3.0))
    runs = made(spec, lambda trial: times[trial.learning_rate][trial.seed])
    found = scatter(runs)
    logs = [[math.log(t) for t in row if t < math.inf] for row in times.values()] * 3
    square = sum(float(np.var(row)) * len(row) for row in logs)
    assert found.freedom == 3 * (2 + 2 + 1)
    assert found.sd == pytest.approx(math.sqrt(square / 15))
    assert scatter(runs[runs["seed"] == 0]) == ONE_DRAW


def test_the_scatter_of_one_draw_is_that_of_the_stored_cells() -> None:
    """Every repeated cell counts once."""
    runs = pd.concat(
        [
            tables.load(ROOT / "results" / "amd-epyc-2-cores" / name)
            for name in ("seeds", "seeds-adaptive")
        ]
    ).drop_duplicates("id")
    found = scatter(runs)
    assert (round(found.sd, 2), found.freedom) == (ONE_DRAW.sd, ONE_DRAW.freedom)
    assert round(found.factor, 1) == round(ONE_DRAW.factor, 1) == 1.7


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


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("shape", VALLEYS)
def test_the_intervals_of_a_best_cover(shape: str, seeds: int) -> None:
    """At 95 % where all cells scatter alike; at 88 % where the scatter grows tenfold."""
    for spread, least in (("equal", 0.95), ("growing", 0.88)):
        found = coverage(_intervals, VALLEYS[shape], SCATTERS[spread], seeds, 300)
        assert min(found.best, found.seconds, found.decades) >= least, (shape, spread, found)
