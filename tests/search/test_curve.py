"""What a curve tells: its noise, how many points are its start, and when it has moved."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields, is_dataclass

import numpy as np
import pytest
from scipy import stats

from study.search import budgeted, curve, finder, halving, population, staircase
from study.search.curve import (
    BETA,
    CERTAIN,
    MIN_POINTS,
    Pick,
    averaged,
    moved,
    noise,
    slope_noise,
    smooth,
    start_points,
)


@pytest.mark.parametrize(("count", "points"), [(0, 5), (59, 5), (60, 6), (69, 6), (200, 20)])
def test_the_start_is_a_tenth_and_at_least_five_points(count: int, points: int) -> None:
    """Rounded down."""
    assert start_points(count) == points


@pytest.mark.parametrize("counts", [(1,), (4,), (5, 20), (1, 1, 1)])
def test_two_means_differ_by_more_than_five_standard_errors(counts: tuple[int, ...]) -> None:
    """Exactly five are not enough."""
    border = 5 * 0.25 * math.sqrt(sum(1 / count for count in counts))
    assert not moved(border, 0.25, *counts)
    assert moved(math.nextafter(border, 9), 0.25, *counts)
    assert not moved(0.0, 0.0, *counts)
    assert moved(1e-300, 0.0, *counts)


def test_noise_is_the_larger_of_two_measures() -> None:
    """The standard deviation, and what SciPy's median deviation makes of a normal one; each of
    the differences holds the noise of two points.
    """
    calm, wild = np.array([0.0, 0, 0, 0, 8]), np.array([-1.0, 1, -1, 1, 1, -1, 3])
    for jumps in (calm, wild, wild + 7, np.array([3.0])):
        deviation = 1.4826 * stats.median_abs_deviation(jumps)
        assert noise(jumps) == pytest.approx(max(np.std(jumps), deviation) / math.sqrt(2))
    assert np.std(calm) > 1.4826 * stats.median_abs_deviation(calm)
    assert np.std(wild) < 1.4826 * stats.median_abs_deviation(wild)
    assert noise(np.array([])) == 0.0


def test_the_average_forgets_by_fiftieths() -> None:
    """The newest loss counts for 1 / 50, and by half as much 34 steps later."""
    step = smooth(np.concatenate([np.zeros(2000), np.ones(35)]))
    assert step[2000] == pytest.approx(1 / 50)
    assert step[2034] == pytest.approx(0.5, abs=0.01)
    assert smooth(np.array([])).shape == (0,)
    assert smooth(np.array([3.0])).tolist() == pytest.approx([3.0])
    assert averaged(np.array([1.0, 2.0])) == pytest.approx([1.0, (1 + BETA) ** 2 / (1 + BETA**2)])


@pytest.mark.parametrize("count", [3, 4, 30])
def test_the_noise_of_a_slope_is_that_of_its_weights(count: int) -> None:
    """The slope is linear in the losses, so its deviation follows from the weight of each."""
    weights = np.array([np.gradient(smooth(row)) for row in np.eye(count)])
    exact = 0.3 * np.sqrt((weights**2).sum(axis=0))
    assert slope_noise(count, 0.3).shape == (count,)
    assert slope_noise(count, 0.3)[[0, -1]] == pytest.approx(exact[[0, -1]])
    assert slope_noise(count, 0.3) == pytest.approx(exact, rel=0.01)


def test_results_are_never_changed() -> None:
    """Nor is anything else that a search gives."""
    assert (CERTAIN, MIN_POINTS) == (5.0, 20)
    kinds = {
        kind
        for module in (budgeted, curve, finder, halving, population, staircase)
        for kind in vars(module).values()
        if isinstance(kind, type) and is_dataclass(kind)
    }
    assert {Pick, finder.Sweep, population.Settings, staircase.Stage} < kinds
    for kind in kinds:
        with pytest.raises(FrozenInstanceError):
            setattr(object.__new__(kind), fields(kind)[0].name, None)
