"""The finder: its rules on curves whose answer is known, silence on noise, and its sweep on
parabolas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from study import figures
from study.errors import StudyError
from study.search.finder import Sweep, SweepRecorder, feed, ramp, stop_of, sweep
from study.search.rules import BETA, LAST, RULES, noise, smooth
from support.parabola import Interrupted, Parabola

Floats = NDArray[np.float64]


def labels(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


LOW, HIGH, STEPS = 1e-6, 10.0, 200


def curve(
    losses: Floats,
    accuracy: Floats | None = None,
    stopped: str = "end",
    smoothed: Floats | None = None,
) -> Sweep:
    """A hand-made sweep; its smoothed loss is the loss itself where none is given."""
    rates = ramp(LOW, HIGH, STEPS)[: len(losses)]
    right = np.empty(0) if accuracy is None else accuracy
    return Sweep(
        rates, losses, losses if smoothed is None else smoothed, right, "log", stopped, STEPS
    )


def basin(least: float, steepest: float) -> Floats:
    """A loss over the ramp: a logistic fall by log rate, steepest at `steepest`, and from `least`
    on a rise of its own.
    """
    x = np.log10(ramp(LOW, HIGH, STEPS))
    fall = 2.3 - 2 / (1 + np.exp(-4 * (x - math.log10(steepest))))
    beyond = np.maximum(0, x - math.log10(least))
    return np.asarray(fall + 3 * beyond**2 + 0.05 * np.maximum(0, beyond))


@given(st.floats(3e-3, 1e-1), st.floats(1, 30))
def test_smooth_curves_give_their_least_and_their_steepest_point(
    steepest: float, apart: float
) -> None:
    """Within a step of the ramp."""
    least = min(10 * steepest * apart, 3.0)
    found = curve(basin(least, steepest))
    step = (HIGH / LOW) ** (1 / STEPS)
    assert found.suggest("tenth") == pytest.approx(least / 10, rel=step - 1 + 1e-9)
    assert found.suggest("steepest") == pytest.approx(steepest, rel=step - 1 + 1e-9)


def test_no_tenth_where_no_turn_was_seen() -> None:
    """A loss that falls to the end, or almost; a diverged sweep has turned."""
    falling = 2.3 - np.linspace(0, 1, STEPS) ** 2
    assert curve(falling).suggest("tenth") is None
    assert "still falling" in curve(falling).why("tenth")
    assert curve(falling, stopped="diverged").suggest("tenth") == pytest.approx(
        ramp(LOW, HIGH, STEPS)[-1] / 10
    )
    turned = np.concatenate([falling[:-LAST], falling[-LAST - 1] * np.linspace(1.1, 2, LAST)])
    assert curve(turned).suggest("tenth") is not None


def fastai_valley(rates: Floats, losses: Floats) -> float:
    """fastai's loops, as its formula has them."""
    longest = [1] * len(losses)
    start = end = 0
    for i in range(1, len(losses)):
        for j in range(i):
            if losses[i] < losses[j] and longest[i] < longest[j] + 1:
                longest[i] = longest[j] + 1
            if longest[end] < longest[i]:
                end = i
                start = end - longest[end]
    third = (end - start) / 3
    return float(rates[max(0, start + int(third) + int(third / 2))])


def fastai_slide(rates: Floats, losses: Floats) -> float | None:
    """The same of `slide`; None where its loop never turns."""
    slopes, right, left, found = np.gradient(losses), -1, -16, None
    while left >= -len(losses) and abs(slopes[right] - slopes[left]) > 0.005:
        found, right, left = float(rates[left]), right - 1, left - 1
    return found


@given(st.integers(0, 10**6), st.integers(60, STEPS), st.floats(0, 0.05))
def test_valley_and_slide_are_fastais(seed: int, length: int, wobble: float) -> None:
    """On the curve without its first tenth and its last five points."""
    rough = basin(1.0, 0.01)[:length] + wobble * np.random.default_rng(seed).normal(size=length)
    found = curve(rough, stopped="threshold", smoothed=smooth(rough))
    inside = slice(STEPS // 10, -5)
    if found.suggest("valley") is not None:
        assert found.suggest("valley") == fastai_valley(found.rates[inside], found.smoothed[inside])
        assert found.suggest("slide") == fastai_slide(found.rates[inside], found.smoothed[inside])


def test_the_range_test_finds_where_accuracy_rises_and_falls() -> None:
    """From the start's level at step 60 up to the peak at step 120, exactly and under a batch's
    noise.
    """
    right = np.interp(np.arange(STEPS), [0, 60, 120, 199], [0.1, 0.1, 0.9, 0.2])
    for accuracy in (right, np.random.default_rng(1).binomial(100, right) / 100):
        found = curve(basin(1.0, 0.01), accuracy)
        places = [
            int(np.searchsorted(found.rates, found.suggest(rule) or 0)) for rule in ("rise", "fall")
        ]
        assert places[0] == pytest.approx(60, abs=16)
        assert places[1] == pytest.approx(120, abs=12)
    rising = np.interp(np.arange(STEPS), [0, 60, 199], [0.1, 0.1, 0.9])
    assert "had not fallen" in curve(basin(1.0, 0.01), rising).why("fall")
    assert curve(basin(1.0, 0.01), rising, stopped="diverged").suggest("fall") is not None
    assert "whose name ends in accuracy" in curve(basin(1.0, 0.01)).why("rise")


KINDS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, n: 2.3 + 0.1 * rng.normal(size=n),
    "skewed": lambda rng, n: rng.exponential(size=n),
    "counted": lambda rng, n: rng.binomial(32, 0.9, size=n) / 32,
    "flat": lambda rng, n: np.full(n, 2.3),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [40, 200])
def test_noise_alone_never_gives_a_rate(kind: str, length: int) -> None:
    """No rule, for 200 seeds."""
    for seed in range(200):
        rng = np.random.default_rng([seed, length])
        recorder = SweepRecorder(ramp(LOW, HIGH, length), "log", 4.0)
        feed(recorder, KINDS[kind](rng, length), rng.binomial(100, 0.1, size=length) / 100)
        found = recorder.sweep()
        assert {rule: found.suggest(rule) for rule in RULES} == dict.fromkeys(RULES), seed


@given(st.integers(0, 10**6))
def test_a_fall_through_noise_gives_a_rate(seed: int) -> None:
    """The silence is not deafness: half of the drop a batch is no obstacle."""
    rough = basin(1.0, 0.01) + 0.3 * np.random.default_rng(seed).normal(size=STEPS)
    found = curve(rough, smoothed=smooth(rough))
    assert all(found.suggest(rule) is not None for rule in ("tenth", "steepest", "valley"))


def test_too_short_a_curve_gives_no_rate() -> None:
    """Each rule says so."""
    for rule in RULES:
        assert "19 points" in curve(basin(1.0, 0.01)[:19]).why(rule)
    for rule in ("valley", "slide"):
        steep = np.linspace(2, 1, 40)
        assert "without its ends" in curve(steep, stopped="diverged").why(rule)
    assert "before any slope" in curve(
        np.concatenate([np.linspace(2, 1, 15), np.linspace(1.1, 9, 185)])
    ).why("steepest")


def test_an_unknown_rule_is_refused_and_the_known_listed() -> None:
    """One sentence."""
    with pytest.raises(
        StudyError,
        match="unknown rule 'minimum': one of tenth, steepest, valley, slide, rise, fall",
    ):
        curve(basin(1.0, 0.01)).suggest("minimum")


def test_smoothing_is_the_debiased_average() -> None:
    """Against its closed form as a weighted mean."""
    losses = np.random.default_rng(3).normal(size=50)
    for n in (1, 2, 50):
        weights = BETA ** np.arange(n)[::-1]
        assert smooth(losses)[n - 1] == pytest.approx((weights * losses[:n]).sum() / weights.sum())


def test_noise_is_told_from_trend() -> None:
    """The standard deviation, whatever line lies beneath."""
    rng = np.random.default_rng(5)
    assert noise(np.diff(rng.normal(0, 0.2, 4000) + np.linspace(0, 50, 4000))) == pytest.approx(
        0.2, rel=0.05
    )
    assert noise(np.diff(np.linspace(0, 1, 100))) == pytest.approx(0, abs=1e-12)


def test_the_ramp_multiplies_by_the_same_factor_or_adds_the_same_step() -> None:
    """exp(log(high / low) / steps) after each batch; the end is not reached."""
    rates = ramp(1e-4, 1.0, 50)
    assert rates[0] == 1e-4
    assert rates[1:] / rates[:-1] == pytest.approx(np.exp(np.log(1e4) / 50))
    assert np.diff(ramp(0.1, 1.1, 50, "linear")) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((math.nan, 1.0, 10), "low nan"),
        ((0.0, 1.0, 10), "low 0"),
        ((1e-3, math.inf, 10), "high inf"),
        ((1.0, 1e-3, 10), "low 1 must be below high 0.001"),
        ((1e-3, 1.0, 0), "steps 0"),
        ((1e-3, 1.0, 1.5), "steps 1.5"),
        ((1e-3, 1.0, 10, "cubic"), "unknown scale 'cubic'"),
    ],
)
def test_bad_ramps_are_refused(values: tuple[Any, ...], words: str) -> None:
    """In one sentence."""
    with pytest.raises(StudyError, match=words):
        ramp(*values)


def test_bad_stops_are_refused() -> None:
    """A multiple is above one."""
    assert stop_of("none") is None
    with pytest.raises(StudyError, match="stop 1"):
        stop_of(1)


def test_a_sweep_of_parabolas_is_the_product_of_its_factors() -> None:
    """loss_i = c w_i^2 / 2 with w_i = prod (1 - rate_j c), lane by lane; the learner is where it
    was.
    """
    learner = Parabola([0.5, 20.0, 1e4])
    found = sweep(learner, 1e-3, 100.0, 120)
    rates = ramp(1e-3, 100.0, 120)
    for lane, c in enumerate([0.5, 20.0, 1e4]):
        w = np.concatenate([[1.0], np.cumprod(1 - rates[: len(found[lane].losses) - 1] * c)])
        assert found[lane].losses == pytest.approx(c * w**2 / 2)
        assert found[lane].stopped == "threshold"
        # The smoothed loss has passed four times its least with this step and not before.
        multiple = found[lane].smoothed / np.minimum.accumulate(found[lane].smoothed)
        assert (multiple[:-1] <= 4).all()
        assert multiple[-1] > 4
    assert learner.w.tolist() == [1.0] * 3
    assert learner.calls.count("advance") == 3


def test_a_loss_that_is_not_finite_ends_a_lane_and_is_dropped() -> None:
    """Without a threshold the parabola overflows."""
    (found,) = sweep(Parabola([1.0]), 1e-3, 1e6, 300, stop=None)
    assert found.stopped == "diverged"
    assert np.isfinite(found.losses).all()
    assert len(found.losses) < 300
    assert sweep(Parabola([1e-9]), 1e-3, 1.0, 70)[0].stopped == "end"


def test_an_interrupted_sweep_leaves_the_learner_as_it_was() -> None:
    """The interruption goes on."""
    learner = Interrupted([0.5], at=2)
    with pytest.raises(KeyboardInterrupt):
        sweep(learner)
    assert learner.w.tolist() == [1.0]


def test_the_figure_marks_and_names_every_rate() -> None:
    """A line at each rate found, a word on each that was not; accuracy where it is known."""
    right = np.interp(np.arange(STEPS), [0, 60, 120, 199], [0.1, 0.1, 0.9, 0.2])
    found = curve(basin(1.0, 0.01), right)
    above, below = found.plot().axes
    for axes, rules in ((above, list(RULES)[:4]), (below, list(RULES)[4:])):
        for rule in rules:
            rate = found.suggest(rule)
            assert f"{rule}: {'none' if rate is None else f'{rate:.3g}'}" in labels(axes)
    (axes,) = figures.sweep(curve(basin(1.0, 0.01)), "a parabola").axes
    assert axes.get_xscale() == "log"
    assert "rise" not in " ".join(labels(axes))
    with pytest.raises(StudyError, match="no point to draw"):
        curve(np.empty(0)).plot()
