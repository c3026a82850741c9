"""A curve that was measured elsewhere gives what a sweep with the same numbers gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import study
from study.errors import StudyError
from study.search.curve import MIN_POINTS, Pick, smooth
from study.search.finder import Sweep, SweepRecorder, feed, ramp, sweep
from study.search.measured import curve
from study.search.rules import RULES
from support.parabola import Parabola

RATES = ramp(1e-6, 10.0, 200)


def basin(noise: float = 0.0) -> Any:
    """A loss that falls over the ramp and rises from 0.1 on, and an accuracy that does the
    opposite.
    """
    x = np.log10(RATES)
    clean = 2.3 - 2 / (1 + np.exp(-4 * (x + 2))) + 3 * np.maximum(0, x + 1) ** 2
    losses = clean + noise * np.random.default_rng(0).normal(size=200)
    return losses, np.clip(1 - clean / 3, 0, 1)


def recorded(losses: Any, accuracy: Any, steps: int = 200, stop: float | None = 4.0) -> Sweep:
    """The sweep that had these batches."""
    recorder = SweepRecorder(ramp(1e-6, 10.0, steps), "log", stop)
    feed(recorder, losses, accuracy)
    return recorder.sweep()


def cases() -> dict[str, Sweep]:
    """Sweeps of every end, with noise and without."""
    losses, right = basin(0.05)
    wild = np.where(np.arange(200) < 150, losses, np.nan)
    return {
        "end": recorded(basin()[0], right, stop=None),
        "noise": recorded(losses, right, stop=None),
        "threshold": recorded(losses * np.where(RATES > 0.3, 1e3, 1), right),
        "diverged": recorded(wild, right),
        "all noise": recorded(np.random.default_rng(1).normal(5, 1, 200), right),
        "short": recorded(wild[140:], right[140:]),
        "parabola": sweep(Parabola([10.0]))[0],
    }


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", cases())
def test_a_sweeps_own_numbers_give_its_own_pick(name: str, rule: str) -> None:
    """Bit for bit, by every rule, whatever ended it."""
    found = cases()[name]
    stop = None if found.stopped == "end" else 4.0
    picked = study.suggest(
        found.rates, found.losses, rule, found.accuracy, steps=found.steps, stop=stop
    )
    assert picked == found.pick(rule)
    again = curve(found.rates, found.losses, found.accuracy, steps=found.steps, stop=stop)
    assert (again.stopped, again.steps) == (found.stopped, found.steps)
    assert again.smoothed.tolist() == found.smoothed.tolist()


def test_the_ends_are_all_there() -> None:
    """Of the sweeps above."""
    assert {one.stopped for one in cases().values()} == {"end", "threshold", "diverged"}


def test_a_curve_made_by_hand() -> None:
    """It is smoothed first, and its least point is then known."""
    losses = np.concatenate([np.linspace(3, 1, 150), np.linspace(1, 9, 50)])
    least = RATES[int(np.argmin(smooth(losses)))]
    picked = study.suggest(RATES, losses)
    assert picked.rate == least / 10
    assert picked.reason.startswith(f"a tenth of {least:.3g}, where the smoothed loss was least")
    assert study.suggest(list(RATES), tuple(losses.tolist())) == picked
    assert study.suggest(RATES, losses, "rise").rate is None
    right = np.repeat([0.1, 0.9], 100)
    rise = study.suggest(RATES, losses, "rise", right).rate
    assert rise is not None
    assert RATES[80] < rise <= RATES[100]


def test_it_ends_where_a_sweep_would() -> None:
    """At a multiple of the least smoothed loss, and before the first that is not finite."""
    losses = np.concatenate([np.linspace(3, 1, 150), np.geomspace(1, 1e6, 50)])
    assert curve(RATES, losses).stopped == "threshold"
    assert len(curve(RATES, losses).rates) < 200
    assert len(curve(RATES, losses, stop=None).rates) == 200
    for tail in (math.nan, math.inf, -math.inf):
        found = curve(RATES, np.where(np.arange(200) < 160, losses, tail), stop=None)
        assert (found.stopped, len(found.rates), found.steps) == ("diverged", 160, 200)
    nothing = study.suggest(RATES, np.full(200, math.nan))
    assert nothing.rate is None
    assert "not finite before any step" in nothing.reason
    late = np.where(np.arange(200) < 15, 1.0, math.nan)
    assert "ended after 15 points, and 20 are needed" in study.suggest(RATES, late).reason


FEW = np.linspace(1e-3, 1, 30)
HOLE = np.where(np.arange(30) == 4, np.nan, 1.0)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((FEW, np.ones(29)), {}, "there are 30 rates and 29 values of losses: give as many"),
        ((FEW, np.ones(30), "rise", np.ones(3)), {}, "30 rates and 3 values of accuracy"),
        ((FEW[::-1], np.ones(30)), {}, "rate 2 is 0.965552 and follows 1: rates must rise"),
        (([1e-3, 1e-3, *FEW[2:]], np.ones(30)), {}, "rate 2 is 0.001 and follows 0.001"),
        (([0, *FEW[1:]], np.ones(30)), {}, "a rate is not a finite number above 0"),
        (([*FEW[:-1], np.inf], np.ones(30)), {}, "a rate is not a finite number above 0"),
        ((np.where(HOLE > 0, FEW, np.nan), np.ones(30)), {}, "a rate is not a finite number"),
        ((FEW, HOLE), {}, "loss 5 is nan and finite ones follow: leave out that step"),
        ((FEW, np.ones(30), "rise", HOLE), {}, "accuracy 5 is nan: give one of each batch"),
        ((FEW[:5], np.ones(5)), {}, "a curve of 5 points is too short: measure at least 20"),
        (([], []), {}, "a curve of 0 points is too short"),
        ((FEW, np.ones(30), "tenths"), {}, "unknown rule 'tenths' .did you mean tenth"),
        ((FEW, np.ones((30, 1))), {}, r"losses of shape \(30, 1\) must be one row of numbers"),
        ((3.0, np.ones(30)), {}, r"rates of shape \(\) must be one row"),
        ((FEW, ["high"] * 30), {}, "losses must be numbers, one a step"),
        (([[1], [1, 2]], np.ones(2)), {}, "rates must be numbers, one a step"),
        ((FEW, np.ones(30)), {"steps": 29}, "steps 29 must be a whole number from 30"),
        ((FEW, np.ones(30)), {"stop": 0.5}, "stop 0.5"),
    ],
)
def test_what_is_no_curve_is_refused(
    arguments: tuple[Any, ...], options: dict[str, Any], words: str
) -> None:
    """In one sentence that names the value and its place."""
    with pytest.raises(StudyError, match=words):
        study.suggest(*arguments, **options)


def test_the_bounds_themselves_are_allowed() -> None:
    """As few points as a rule needs; fewer where more steps were planned."""
    rates = np.geomspace(1e-3, 1, MIN_POINTS)
    assert isinstance(study.suggest(rates, np.ones(MIN_POINTS)), Pick)
    few = study.suggest(rates[1:], np.ones(MIN_POINTS - 1), steps=MIN_POINTS)
    assert few.rate is None
    tail = np.where(np.arange(30) < 25, 1.0, np.nan)
    assert isinstance(study.suggest(FEW, tail, "rise", tail), Pick)
