"""A sweep that gives no rate names its cause, and another cause gets another advice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from study.search.causes import not_fallen, too_short
from study.search.curve import smooth
from study.search.finder import Sweep, SweepRecorder, feed, ramp, sweep
from support.parabola import Parabola


def made(losses: Any, low: float = 1e-6, high: float = 10.0, stopped: str = "end") -> Sweep:
    """A sweep whose losses are given."""
    losses = np.asarray(losses, float)
    rates = ramp(low, high, max(len(losses), 200))[: len(losses)]
    return Sweep(rates, losses, smooth(losses), np.empty(0), "log", stopped, 200)


def rough(level: Any, seed: int = 0) -> Any:
    return level * (1 + 0.05 * np.random.default_rng(seed).normal(size=len(level)))


FLAT, RISE = np.full(120, 2.0), np.linspace(0, 6, 60)

CURVES: dict[str, tuple[Sweep, str]] = {
    "starts too high": (made(rough(2 + RISE), 0.3, 100), "lower the rate it starts at"),
    "starts a little too high": (
        made(rough(np.concatenate([FLAT[:40], 2 + RISE])), 0.3, 10),
        "lower the rate it starts at",
    ),
    "ends too low": (made(rough(np.full(200, 2.0)), 1e-9, 1e-6), "raise the rate it ends at"),
    "trained": (
        made(rough(np.concatenate([FLAT, 2 + RISE])), stopped="threshold"),
        "the model is trained already",
    ),
    "huge targets": (made(rough(np.full(200, 1e16))), "scale the targets"),
    "huge targets blow up": (made([1e16, 1e18, 1e23], stopped="diverged"), "scale the targets"),
    "not finite at first": (made([], stopped="diverged"), "no rate is to blame"),
    "not finite all at once": (made(rough(FLAT), stopped="diverged"), "the data may hold"),
    "not finite all at once, early": (
        made(rough(FLAT[:9]), stopped="diverged"),
        "the data may hold",
    ),
    "blows up early": (
        made(2.0 ** np.arange(15), stopped="diverged"),
        "lower the rate it starts at",
    ),
    "too short": (
        Sweep(ramp(1, 2, 9), np.ones(9), np.ones(9), np.empty(0), "log", "end", 9),
        "a sweep of 9 steps is too short",
    ),
}


@pytest.mark.parametrize("name", CURVES)
def test_each_cause_has_its_own_advice(name: str) -> None:
    """And none of the others'."""
    found, words = CURVES[name]
    assert found.suggest() is None
    others = {text for _, text in CURVES.values()} - {words}
    assert words in found.why()
    assert not [text for text in others if text in found.why() and text not in words]


def test_a_loss_that_falls_to_the_end_of_a_short_sweep_may_only_lag() -> None:
    """More steps are worth a try there, and useless in a long one."""
    for count, more in ((60, True), (200, False)):
        found = made(2 - np.linspace(0, 1, count))
        found = Sweep(**{**vars(found), "steps": count})
        assert "raise the rate it ends at" in found.why()
        assert ("take more steps" in found.why()) == more


def test_a_sweep_of_parabolas_that_starts_too_high_says_so() -> None:
    """From beyond 2 / curvature on every step is a step up."""
    (found,) = sweep(Parabola([1.0]), 3.0, 1e4, 200)
    assert "lower the rate it starts at" in found.why()


def test_noise_with_a_flat_mean_is_told_from_a_rise() -> None:
    """In 100 draws of each kind of noise no rise is seen."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        for losses in (2 + 0.5 * rng.normal(size=150), rng.exponential(size=150)):
            recorder = SweepRecorder(ramp(1e-6, 10, 150), "log", 1e9)
            feed(recorder, losses, np.zeros(150))
            assert "nor did it rise" in recorder.sweep().why(), seed


def cut(losses: Any, stopped: str = "end", steps: int = 200, first: float = 1e-6) -> Sweep:
    """A sweep of so many steps that ended after these losses."""
    losses = np.asarray(losses, float)
    rates = ramp(first, 10.0, steps)[: len(losses)]
    return Sweep(rates, losses, smooth(losses), np.empty(0), "log", stopped, steps)


@pytest.mark.parametrize(
    ("count", "steps", "words"),
    [
        (0, 200, "the loss was not finite before any step was taken, so no rate is to blame: "),
        (1, 200, "the sweep ended after 1 points, and 20 are needed: lower the rate it starts at"),
        (19, 200, "the sweep ended after 19 points, and 20 are needed: lower the rate it starts"),
        (19, 20, "the sweep ended after 19 points, and 20 are needed: lower the rate it starts"),
        (19, 19, "a sweep of 19 steps is too short: take at least 20, better a few hundred"),
        (20, 20, None),
        (20, 200, None),
    ],
)
def test_twenty_points_are_enough(count: int, steps: int, words: str | None) -> None:
    """One fewer is too short, whether it was asked for or came so."""
    found = too_short(cut(np.ones(count), "threshold", steps))
    assert (found is None) == (words is None)
    assert words is None or (found or "").startswith(words)


@pytest.mark.parametrize("level", [1e6, -1e6])
@pytest.mark.parametrize(("share", "huge"), [(1.0, True), (0.999, False)])
def test_losses_from_a_million_on_are_a_matter_of_scale(
    level: float, share: float, huge: bool
) -> None:
    """Of either sign, in a short sweep and in a long one."""
    words = f"the loss starts at {share * level:.3g}, which steps of a usual size can hardly lower"
    short = cut(np.full(5, share * level), "diverged")
    assert (words in (too_short(short) or "")) == huge
    long = not_fallen(cut(np.full(100, share * level), "threshold"), share * level)
    assert (words.replace("the loss", "it") in long) == huge
    last = np.array([1, *[1e9] * 4]) * share * level
    assert (words in (too_short(cut(last, "diverged")) or "")) == huge


@pytest.mark.parametrize(("count", "first"), [(1, 1), (2, 1), (9, 4), (10, 5), (100, 10)])
@pytest.mark.parametrize(("last", "sudden"), [(2.0, True), (2.0001, False)])
def test_a_loss_is_suddenly_not_finite_if_none_was_twice_those_of_the_start(
    count: int, first: int, last: float, sudden: bool
) -> None:
    """The start is at most a half of all points; only a sweep that diverged ends so."""
    losses = np.full(count, 0.5)
    losses[first - 1] = 1.0
    if count > first:
        losses[first] = 5.0
        losses[-1] = last
    else:
        sudden = True
    for stopped in ("diverged", "threshold"):
        found = cut(losses, stopped)
        said = too_short(found) or not_fallen(found, 0.5)
        assert ("not finite all at once" in said) == (sudden and stopped == "diverged")
        rate = f"at a rate of {found.rates[-1]:.3g} the loss was not finite"
        assert (rate in said) == (sudden and stopped == "diverged")


@pytest.mark.parametrize("steps", [200, 400])
@pytest.mark.parametrize("first", [1e-6, 1e-3, 1.0])
def test_a_rise_soon_after_the_start_is_told_from_a_late_one(steps: int, first: float) -> None:
    """A level loss that rises at a step does so in the first mean of 15 points that holds enough
    of the later ones. Soon is before 20 points, a tenth of the steps, or 100 times the first rate.
    """
    for at in range(15, 75):
        losses = np.where(np.arange(150) < at, 2.0, 3.0)
        error = np.std(np.diff(losses[:37])) / math.sqrt(2) * math.sqrt(2 / 15)
        rise = at - 15 + math.floor(15 * 5 * error) + 1
        found = cut(losses, "threshold", steps, first)
        said = not_fallen(found, 2.0)
        soon = rise < max(20, steps // 10) or found.rates[rise] < 100 * found.rates[0]
        assert f"and it rose at {found.rates[rise]:.3g}" in said
        assert (f"close to the first rate of {first:.3g}: lower" in said) == soon
        assert ("the model is trained already" in said) != soon
        assert said.startswith(
            "the loss never fell by more than its noise explains (from 2 to 2 at its least)"
        )


@pytest.mark.parametrize(("sign", "share"), [(1, 0.9), (1, 1.1), (-1, 0.9), (-1, 1.1)])
def test_a_rise_below_a_millionth_is_none(sign: int, share: float) -> None:
    """Of the loss of the start, whatever its sign."""
    losses = np.where(np.arange(150) < 75, 2.0 * sign, 2.0 * sign + 2e-6 * share)
    said = not_fallen(cut(losses), 2.0 * sign)
    assert ("nor did it rise" in said) == (share < 1)
    assert ("raise the rate it ends at (" in said) == (share < 1)


def test_a_rise_that_does_not_last_is_none() -> None:
    """The last means decide; a rise counts from where it stays."""
    hill = np.full(200, 2.0)
    hill[100:140] = 3.0
    assert "nor did it rise" in not_fallen(cut(hill), 2.0)
    hill[170:] = 3.0
    found = cut(hill)
    assert f"and it rose at {found.rates[170 - 20 + 1]:.3g}:" in not_fallen(found, 2.0)


def test_noise_is_that_of_the_first_quarter() -> None:
    """A rise through it counts if it is beyond five standard errors, and later noise has no say."""
    wave = 0.2 * (-1.0) ** np.arange(400)
    deviation = float(np.std(np.diff(wave[:100]))) / math.sqrt(2)
    error = deviation * math.sqrt(2 / 40)
    for share in (0.98, 1.02):
        losses = 2 + wave + np.where(np.arange(400) < 200, 0.0, 5 * error * share)
        losses[100:] -= wave[100:]
        said = not_fallen(cut(losses, "threshold", 400), 2.0)
        assert ("nor did it rise" in said) == (share < 1)
