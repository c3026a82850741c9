"""A slope that noise explains is none: what the rules by slope read off noisy sweeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from study.search.curve import BETA, averaged, slope_noise, smooth
from study.search.finder import Sweep, ramp

pytestmark = pytest.mark.slow

Floats = NDArray[np.float64]


def swept(losses: Floats, stopped: str = "end") -> Sweep:
    rates = ramp(1e-6, 10.0, len(losses))
    return Sweep(rates, losses, smooth(losses), np.empty(0), "log", stopped, len(losses))


def cliff(length: int, begin: float, drop: float) -> Floats:
    """Level at 1.1 until a part of the sweep, then a fall within a decade, then a rise."""
    place = np.linspace(0, 1, length)
    fall = np.clip((place - begin) / 0.15, 0, 1)
    return np.asarray(1.1 - drop * fall + 40 * np.maximum(0, place - begin - 0.25) ** 2)


@pytest.mark.parametrize("kind", ["normal", "skewed", "heavy"])
@pytest.mark.parametrize("length", [60, 200, 500])
def test_no_rule_answers_from_before_the_fall(kind: str, length: int) -> None:
    """In 200 noisy sweeps whose loss is level below 1e-3."""
    draws = {
        "normal": lambda rng: rng.normal(size=length),
        "skewed": lambda rng: rng.exponential(size=length) - 1,
        "heavy": lambda rng: rng.standard_t(4, size=length) / np.sqrt(2),
    }
    given = 0
    for seed in range(200):
        noise = draws[kind](np.random.default_rng([seed, length]))
        found = swept(cliff(length, 0.45, 0.4) + 0.12 * noise)
        for rule in ("steepest", "valley"):
            rate = found.suggest(rule)
            given += rate is not None
            assert rate is None or rate > 2e-4, (seed, rule)
    assert given > 0 or length == 60


@given(st.integers(0, 10**6))
@settings(max_examples=50)
def test_slide_is_silent_where_noise_moves_the_slope(seed: int) -> None:
    """In short sweeps each batch moves the average by a few hundredths of its noise."""
    rough = 0.5 * np.random.default_rng(seed).normal(size=60)
    assert swept(3 * cliff(60, 0.4, 0.8) + rough).suggest("slide") is None


@given(st.integers(20, 400), st.floats(0.3, 0.6), st.floats(0.3, 0.9))
def test_without_noise_the_steepest_is_the_steepest(length: int, begin: float, drop: float) -> None:
    """The guard changes nothing."""
    found = swept(cliff(length, begin, drop))
    rate = found.suggest("steepest")
    if found.suggest("valley") is not None and rate is not None:
        first, least = length // 10, int(np.argmin(found.smoothed))
        slopes = np.gradient(found.smoothed, np.log(found.rates))[first : least + 1]
        assert rate == found.rates[first + int(np.argmin(slopes))]


@pytest.mark.parametrize("count", [1, 2, 20, 500])
def test_the_noise_of_the_smoothed_loss_is_that_of_a_weighted_mean(count: int) -> None:
    """By its weights."""
    weights = BETA ** np.arange(count)
    assert averaged(count) == pytest.approx(weights.sum() ** 2 / (weights**2).sum())


def test_the_noise_of_the_slope_is_that_of_many_draws() -> None:
    """Within a few per cent at every point, for 4,000 draws."""
    draws = np.random.default_rng(0).normal(0, 0.3, (4000, 80))
    slopes = np.array([np.gradient(smooth(draw)) for draw in draws])
    assert slope_noise(80, 0.3) == pytest.approx(slopes.std(axis=0), rel=0.06)
