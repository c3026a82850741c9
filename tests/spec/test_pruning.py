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


@pytest.mark.parametrize(
    ("now", "last", "judged"),
    [(9, 11, False), (10, 11, True), (10, 100, True), (10, 101, False), (200, math.inf, False)],
)
def test_a_trial_is_judged_from_ten_checks_and_a_tenth_of_its_budget_on(
    now: int, last: float, judged: bool
) -> None:
    """A flat curve below the target is hopeless then, and never where nothing bounds it."""
    assert hopeless([0.8] * now, last, 0.97) == judged


@pytest.mark.parametrize(
    ("best", "last", "given_up"),
    [
        (0.399, 79, True),
        (0.399, 80, False),
        (0.399, 100, False),
        (0.4, 79, True),
        (0.4, 100, True),
    ],
)
def test_a_curve_below_half_the_target_is_given_its_take_off(
    best: float, last: int, given_up: bool
) -> None:
    """Learning may begin late; eight times the ten steps must then still be left. From exactly half
    the target on a flat curve is judged as any other.
    """
    assert hopeless([best] * 10, last, 0.8) == given_up


@pytest.mark.parametrize(("now", "width"), [(10, 3), (34, 3), (36, 4), (100, 10), (996, 100)])
def test_the_recent_checks_are_a_tenth_and_at_least_three(now: int, width: int) -> None:
    """One of 0.6 in them is a take-off that is noisy enough to arrive; before them it is nothing,
    and chance has too few checks left.
    """
    chance = [0.1] * now
    for back, given_up in ((width, False), (width + 1, True)):
        seen = [*chance[:-back], 0.6, *chance[: back - 1]]
        assert hopeless(seen, now + 1, 0.7) == given_up


@pytest.mark.parametrize(
    ("now", "first", "end"), [(10, 2, 5), (11, 2, 5), (36, 14, 18), (100, 40, 50)]
)
def test_the_slope_is_that_of_the_last_doubling(now: int, first: int, end: int) -> None:
    """From as many checks before half of them: a curve is given up as flat, unless those were
    lower.
    """
    for low in range(now - now // 10 - 3):
        seen = [0.6] * now
        seen[low] = 0.0
        assert hopeless(seen, 10 * now, 0.74) == (not first <= low < end)


@pytest.mark.parametrize(("best", "given_up"), [(0.625, True), (0.626, False)])
def test_a_curve_that_has_been_close_is_kept(best: float, given_up: bool) -> None:
    """Once: an error below one and a half times the target's."""
    assert hopeless([best, *[0.5] * 19], 21, 0.75) == given_up


@pytest.mark.parametrize(
    ("before", "recent", "times", "expected"),
    [
        (0.5, 0.6, 2, 0.744),
        (0.5, 0.6, 4, 0.83616),
        (0.2, 0.6, 2, 0.9),
        (0.0, 0.5, 2, 0.875),
        (0.55, 0.55, 4, 0.55),
    ],
)
def test_twice_the_slope_of_the_last_doubling_is_expected_of_the_rest(
    before: float, recent: float, times: int, expected: float
) -> None:
    """Each further doubling of the steps lowers the error twice as far: after k of them it is
    e (e / e')^2k, with e' before the last doubling and e now. A trial that gets no further than the
    target arrives.
    """
    seen = [before] * 10 + [recent] * 10
    assert expected == pytest.approx(
        1 - (1 - recent) * ((1 - recent) / (1 - before)) ** (2 * math.log2(times))
    )
    close = 1 - (1 - recent) / 1.5
    assert hopeless(seen, 20 * times, max(close, expected) + 1e-9)
    if expected > close:
        assert not hopeless(seen, 20 * times, expected - 1e-9)
    if expected == 0.875:
        assert not hopeless(seen, 20 * times, expected)


def test_a_curve_that_falls_is_taken_for_a_flat_one() -> None:
    """Its noise alone may carry it: 0.6 + 0.0816 sqrt(2 ln 980) is 0.9030."""
    seen = [0.7] * 17 + [0.5, 0.6, 0.7]
    end = 0.6 + float(np.std([0.5, 0.6, 0.7])) * math.sqrt(2 * math.log(180))
    assert not hopeless(seen, 200, end - 1e-9)
    assert hopeless(seen, 200, end + 1e-9)


@pytest.mark.parametrize(
    ("noise", "last"), [(0.3, 41), (0.3, 42), (0.22, 43), (0.12, 80), (0.1, 400)]
)
def test_noise_is_the_luck_of_the_best_of_the_checks_to_come(noise: float, last: int) -> None:
    """sqrt(2 ln m) standard deviations for m checks, and at least for two."""
    end = 0.6 + noise * math.sqrt(2 * math.log(max(2, last - 40)))
    seen = [0.6 - noise, 0.6 + noise] * 20
    assert hopeless(seen, last, end + 1e-9)
    assert not hopeless(seen, last, end - 1e-9)


def test_an_error_that_rounds_to_nothing_is_one() -> None:
    """Stored accuracies have four digits, so a trial that misses a target of 1 may show 1."""
    assert hopeless([1.0] * 20, 40, 1.0)


@pytest.mark.parametrize("prune", ["hopeless", "none"])
def test_a_race_prunes_by_name_alone(prune: str) -> None:
    """A slow parabola is given up before its budget, a fast one arrives as ever."""
    slow_and_fast = train_lanes(
        Parabola([1.0, 1.0]), [1e-7, 0.01], target=0.97, max_steps=10_000, prune=prune
    )
    ends = {finish.lane: finish for finish in slow_and_fast}
    assert ends[1].outcome is Outcome.REACHED
    assert ends[0].outcome is (Outcome.PRUNED if prune == "hopeless" else Outcome.CAPPED)
    assert ends[0].steps == (1300 if prune == "hopeless" else 10_000)
