"""Giving up early: what is clearly lost, nothing that still may arrive."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.spec.pruning import hopeless
from study.storage.records import Outcome
from study.training.loop import train_lanes
from support.parabola import Parabola


def power_law(checks: int, slope: float, error: float = 0.5) -> list[float]:
    """Accuracies whose error falls as error n^-slope."""
    return [1 - error * n**-slope for n in range(1, checks + 1)]


@given(st.floats(0.2, 1.5), st.integers(50, 900), st.floats(0.6, 0.99))
def test_an_error_that_falls_as_a_power_of_the_steps_is_never_given_up_wrongly(
    slope: float, now: int, target: float
) -> None:
    """The extrapolation is exact for a power law, then doubled: who would arrive is kept."""
    last = 1000
    arrives = power_law(last, slope)[-1] >= target
    if arrives:
        assert not hopeless(power_law(now, slope), last, target)


def test_a_flat_curve_below_the_target_is_hopeless() -> None:
    """Once a tenth of the budget is spent; noise that could carry it there keeps it."""
    flat = [0.8] * 200
    assert hopeless(flat, 1000, 0.97)
    assert not hopeless(flat, 3000, 0.97)
    assert not hopeless(flat[:9], 20, 0.97)
    assert not hopeless(flat, math.inf, 0.97)
    noisy = list(np.tile([0.9, 0.96], 100))
    assert not hopeless(noisy, 1000, 0.97)


def test_a_curve_still_at_chance_is_given_its_take_off() -> None:
    """Learning may begin late; eight times the steps must then still be left."""
    chance = [0.1] * 200
    assert not hopeless(chance, 1601, 0.97)
    assert hopeless(chance, 1599, 0.97)


@pytest.mark.parametrize("prune", [True, False])
def test_a_race_prunes_by_name_alone(prune: bool) -> None:
    """A slow parabola is given up before its budget, a fast one arrives as ever."""
    slow, fast = (
        train_lanes(Parabola([1.0, 1.0]), [1e-7, 0.01], target=0.97, max_steps=10_000, prune=prune),
        None,
    )
    ends = {finish.lane: finish for finish in slow}
    fast = ends[1]
    assert fast.outcome is Outcome.REACHED
    assert ends[0].outcome is (Outcome.PRUNED if prune else Outcome.CAPPED)
    assert ends[0].steps == (1300 if prune else 10_000)


def test_a_budget_by_the_clock_alone_is_judged_at_the_present_speed() -> None:
    """In mode alone the last step is not known beforehand."""
    (finish,) = train_lanes(Parabola([1.0], delay=0.001), [1e-7], target=0.97, cap=0.5, prune=True)
    assert finish.outcome is Outcome.PRUNED
    assert finish.seconds < 0.5
