"""The rules at their borders, and against the words of their docstrings, point by point."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from study.search.curve import BETA, smooth
from study.search.finder import Sweep, ramp

Floats = NDArray[np.float64]


def swept(losses: Any, smoothed: Any = None, stopped: str = "end", steps: int = 200) -> Sweep:
    """A sweep of so many steps; its smoothed loss is the loss itself where none is given."""
    losses = np.asarray(losses, float)
    rates = ramp(1e-6, 10.0, steps)[: len(losses)]
    smoothed = losses if smoothed is None else np.asarray(smoothed, float)
    return Sweep(rates, losses, smoothed, np.empty(0), "log", stopped, steps)


def weight(count: int) -> float:
    """Points whose plain mean is as noisy as the smoothed loss after `count` of them."""
    weights = BETA ** np.arange(count)
    return float(weights.sum() ** 2 / (weights**2).sum())


def deviation(losses: Floats) -> float:
    """The noise of one of these losses."""
    jumps = np.diff(losses)
    middle = 1.4826 * stats.median_abs_deviation(jumps)
    return float(max(np.std(jumps), middle) / math.sqrt(2))


@pytest.mark.parametrize("level", [3.0, -3.0])
@pytest.mark.parametrize(("share", "fell"), [(0.9, False), (1.1, True)])
def test_a_fall_below_a_millionth_is_none(level: float, share: float, fell: bool) -> None:
    """Of the loss of the start, without any noise."""
    smoothed = np.full(200, level)
    smoothed[100] -= 3e-6 * share
    found = swept(np.full(200, level), smoothed)
    assert found.why().startswith("the loss never fell") != fell
    assert (found.suggest() == found.rates[100] / 10) == fell


@pytest.mark.parametrize("least", [8, 19, 30, 120])
@pytest.mark.parametrize(("share", "fell"), [(0.99, False), (1.01, True)])
def test_a_fall_counts_beyond_five_standard_errors(least: int, share: float, fell: bool) -> None:
    """Of the start and the smoothed loss; the noise is that until the least, in 20 points at least,
    and what comes behind blows up.
    """
    losses = 5 + 0.3 * np.random.default_rng(7).normal(size=200)
    losses[max(least + 1, 20) :] += 50 * np.arange(200 - max(least + 1, 20))
    noise = deviation(losses[: max(least + 1, 20)])
    start = losses[:20].mean()
    smoothed = np.full(200, start)
    smoothed[least] -= share * 5 * noise * math.sqrt(1 / 20 + 1 / weight(least + 1))
    found = swept(losses, smoothed, "threshold")
    assert (found.suggest() is not None) == fell


@pytest.mark.parametrize(
    ("behind", "stopped", "rate"),
    [(1, "end", False), (5, "end", False), (6, "end", True), (1, "threshold", True)],
)
def test_a_least_among_the_last_five_has_not_turned(behind: int, stopped: str, rate: bool) -> None:
    """Unless the sweep ended for a rise."""
    least = 200 - behind
    losses = np.abs(np.arange(200.0) - least)
    found = swept(losses, stopped=stopped)
    assert (found.suggest() == found.rates[least] / 10) == rate
    assert found.why() == (
        f"a tenth of {found.rates[least]:.3g}, where the smoothed loss was least (0)"
        if rate
        else "the smoothed loss was still falling at the end of the sweep: raise the rate it ends "
        "at"
    )


@pytest.mark.parametrize(("steps", "more"), [(199, True), (200, False)])
def test_the_average_may_lag_in_fewer_than_two_hundred_steps(steps: int, more: bool) -> None:
    """Four times the fifty by which it lags."""
    found = swept(np.arange(float(steps), 0, -1), steps=steps)
    assert found.why().endswith(
        ", or take more steps: it lags by 50 of them" if more else "raise the rate it ends at"
    )


def until_least(found: Sweep) -> float:
    """The noise of the points up to the least loss."""
    return deviation(found.losses[: max(int(np.argmin(found.smoothed)) + 1, 20)])


def falls(found: Sweep, noise: float, begin: int, end: int) -> bool:
    """Whether the mean of the points after one, up to another, is below the average until there by
    more than five standard errors.
    """
    if end <= begin:
        return False
    drop = found.smoothed[begin] - np.mean(found.losses[begin + 1 : end + 1])
    return bool(drop > 5 * noise * math.sqrt(1 / weight(begin + 1) + 1 / (end - begin)))


def drawn(seed: int, length: int = 200) -> Sweep:
    """A fall and a rise through noise; it ends early in every other draw."""
    random = np.random.default_rng(seed)
    place = np.linspace(0, 1, length)
    fall = np.clip((place - random.uniform(0.05, 0.5)) / random.uniform(0.05, 0.4), 0, 1)
    level = 1.2 - random.uniform(0.2, 0.9) * fall + 30 * np.maximum(0, place - 0.8) ** 2
    losses = level + random.uniform(0, 0.2) * random.normal(size=length)
    losses = losses[: length - 25 * (seed % 2)]
    return swept(losses, smooth(losses), "threshold", length)


def test_the_steepest_is_searched_where_the_loss_falls() -> None:
    """From the first tenth to the least loss, half a start on either side."""
    answers = 0
    for seed in range(60):
        found = drawn(seed)
        if found.suggest() is None:
            continue
        least, half = int(np.argmin(found.smoothed)), len(found.losses) // 10 // 2
        noise = until_least(found)
        places = [
            place
            for place in range(20, least + 1)
            if falls(found, noise, max(place - half, 0), min(place + half, least))
        ]
        slopes = np.gradient(found.smoothed, np.log(found.rates))
        best = min(places, key=lambda place: slopes[place], default=None)
        assert found.suggest("steepest") == (None if best is None else found.rates[best]), seed
        if best is not None:
            answers += 1
            fall = -math.log(10) * slopes[best]
            assert f"fell fastest there, by {fall:.3g} a decade" in found.why("steepest")
        elif least > 20:
            assert "noise explains each slope" in found.why("steepest")
    assert 10 < answers < 60


@pytest.mark.parametrize(("least", "rate"), [(19, False), (20, False), (21, True)])
def test_no_slope_can_be_told_within_the_first_tenth(least: int, rate: bool) -> None:
    """The least loss must lie behind it."""
    losses = np.abs(np.arange(200.0) - least)
    found = swept(losses)
    assert (found.suggest("steepest") is not None) == rate
    words = "the loss was least within the first 20 points, before any slope could be told"
    assert (found.why("steepest") == words) != rate


def valley(losses: Floats) -> tuple[int, int]:
    """First and last place of fastai's longest fall, its length taken for a distance."""
    longest, end = [1] * len(losses), 0
    for i in range(1, len(losses)):
        longest[i] = 1 + max((longest[j] for j in range(i) if losses[i] < losses[j]), default=0)
        end = i if longest[i] > longest[end] else end
    return end - longest[end], end


def test_the_valley_is_told_where_the_loss_falls_along_it() -> None:
    """Without its first tenth and its last five points; else noise may explain it."""
    answers = 0
    for seed in range(0, 150, 2):
        found = drawn(seed, 120)
        if found.suggest() is None:
            continue
        start, end = valley(found.smoothed[12:-5])
        third = (end - start) / 3
        place = max(0, start + int(third) + int(third / 2))
        told = falls(found, until_least(found), 12 + max(start, 0), 12 + end)
        answers += told
        assert found.suggest("valley") == (found.rates[12 + place] if told else None), seed
        words = f"half-way down the longest fall of the smoothed loss ({end - start} points)"
        assert (found.why("valley") == words) == told
    assert 20 < answers < 75


@pytest.mark.parametrize(("left", "enough"), [(19, False), (20, True)])
def test_twenty_points_must_be_left_without_the_ends(left: int, enough: bool) -> None:
    """Of 20 at the beginning, and 5 at the end."""
    losses = np.concatenate([np.arange(10.0 + left, 0, -1), np.full(15, 40.0)])
    found = swept(losses, stopped="threshold")
    for rule in ("valley", "slide"):
        words = f"without its ends the curve has {left} of 200 points, and 20 are needed: start"
        assert found.why(rule).startswith(words) != enough


def settled(losses: Floats) -> int:
    """The last place, followed back from the end, whose slope differs from that 15 steps later by
    more than five thousandths; without the first tenth and the last five points.
    """
    slopes, at = np.gradient(losses[20:-5]), len(losses) - 20 - 5 - 16
    while abs(slopes[at + 15] - slopes[at]) > 0.005:
        at -= 1
    return 20 + at + 1


@pytest.mark.parametrize(("share", "settles"), [(0.99, False), (1.05, True)])
def test_slopes_differ_by_more_than_five_thousandths(share: float, settles: bool) -> None:
    """The slope changes by so much of it in every fifteen steps of the later part."""
    steps = np.arange(200.0)
    curvature = share * 0.005 / 15
    losses = 9 - 0.01 * steps + np.where(steps > 150, curvature * (steps - 150) ** 2 / 2, 0)
    found = swept(losses, stopped="threshold")
    if settles:
        assert found.suggest("slide") == found.rates[settled(losses)]
        assert found.why("slide") == "where the slope, followed back from the curve's end, settles"
    else:
        assert found.why("slide") == (
            "the curve's slope hardly changes at its end (by less than 0.005 a step over 15 steps)"
        )


def test_slopes_that_differ_all_the_way_settle_nowhere() -> None:
    """As those of losses far from one."""
    found = swept((np.arange(200.0) - 150) ** 2)
    assert "differs by more than 0.005 a step all the way back" in found.why("slide")


@pytest.mark.parametrize(("later", "told"), [(-1, False), (0, False), (1, True)])
def test_the_slope_must_settle_before_the_least_loss(later: int, told: bool) -> None:
    """At it is too late. The loss is level before it rises, but for a hair."""
    steps = np.arange(200.0)
    losses = np.where(steps < 20, 2.0, 1.0) + 0.03 * np.maximum(0, steps - 185)
    place = settled(losses)
    losses[place + later] -= 1e-9
    found = swept(losses, stopped="threshold")
    assert (found.suggest("slide") == found.rates[place]) == told
    assert told or found.why("slide") == (
        f"the slope settles at {found.rates[place]:.3g} only, past the rate of least loss "
        f"({found.rates[place + later]:.3g})"
    )


def test_noise_must_not_move_the_slope_by_as_much() -> None:
    """Its change over fifteen steps has the noise of two slopes."""
    steps = np.arange(200.0)
    base = 9 - 0.01 * steps + 0.02 * np.maximum(0, steps - 187)
    place = settled(base)
    weights = np.array([np.gradient(smooth(row))[place] for row in np.eye(200)])
    wave = 0.1 * (-1.0) ** steps
    one = deviation((base + wave)[:188]) * math.sqrt(2 * (weights**2).sum())
    for share, told in ((0.98, True), (1.02, False)):
        found = swept(base + wave * share * 0.005 / one, base, "threshold")
        assert (found.suggest("slide") == found.rates[place]) == told
        words = "noise alone changes the slope by 0.0051 a step: take more steps, or larger batches"
        assert (found.why("slide") == words) != told


@pytest.mark.parametrize(("wave", "told"), [(0.0, True), (0.04, True), (0.1, False), (0.5, False)])
def test_a_valley_of_two_points_at_the_very_beginning(wave: float, told: bool) -> None:
    """It is judged by its one point behind the first."""
    losses = np.where(np.arange(200) < 21, wave * (-1.0) ** np.arange(200), -1.0)
    smoothed = np.where(np.arange(200) < 21, 0.0, -1.0)
    found = swept(losses, smoothed, "threshold")
    assert falls(found, until_least(found), 20, 21) is told
    assert (found.suggest("valley") == found.rates[20]) == told


def test_a_curve_that_falls_before_its_middle_alone_has_no_valley() -> None:
    """Its middle rises, and a rise of one point is no fall, however little noise there is."""
    smoothed = np.concatenate([np.full(5, 9.0), [1.0], np.linspace(2, 3, 194)])
    found = swept(np.full(200, 9.0), smoothed, "threshold")
    assert found.suggest() == found.rates[5] / 10
    assert found.why("valley") == "noise explains the longest fall of the loss: take more steps"
