"""The loop on parabolas, where every step is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.engines.learner import LANE_SIZES, array_size
from study.spec.budget import last_check
from study.storage.checks import Finish
from study.storage.records import Outcome
from study.training.loop import CHECKS_AT_CHANCE, Progress, train_lanes
from study.training.stopwatch import Stopwatch
from support.parabola import DEAD_ABOVE, Parabola


def finishes(
    rates: list[float], curvatures: list[float] | None = None, **options: Any
) -> list[Finish]:
    """The finishes of the loop on parabolas, in the order of the rates."""
    curvatures = curvatures or [1.0] * len(rates)
    learner = Parabola([*curvatures, *[1.0] * (array_size(len(rates)) - len(rates))])
    options = {"target": 0.97, "check_every": 50, "max_steps": 1000} | options
    return sorted(train_lanes(learner, rates, **options), key=lambda finish: finish.lane)


def window_steps(rate: float, c: float, target: float, every: int) -> int:
    """Steps at the first check whose window accuracy, the mean of 1 - |1 - rate c|^t over it, meets
    the target: closed form.
    """
    q = abs(1 - rate * c)
    for check in range(1, 10_000):
        missing = (
            q ** ((check - 1) * every) * ((1 - q**every) / (1 - q) if q < 1 else every) / every
        )
        if 1 - missing >= target:
            return check * every
    raise AssertionError("never")


@given(
    st.lists(st.floats(0.01, 1.9), min_size=1, max_size=12),
    st.sampled_from([0.5, 0.9, 0.97, 0.999]),
    st.sampled_from([10, 50]),
)
def test_every_lane_arrives_at_the_step_of_the_closed_form(
    rates: list[float], target: float, every: int
) -> None:
    """Whatever else is in the array."""
    for finish, rate in zip(
        finishes(rates, target=target, check_every=every, max_steps=10**6), rates, strict=True
    ):
        expected = window_steps(rate, 1.0, target, every)
        assert finish.outcome is Outcome.REACHED
        # a rounding to six digits may credit the check before where the window is at the target to
        # the seventh digit
        assert finish.steps in (expected, expected - every)
        assert finish.accuracies[-1] >= target > max(finish.accuracies[:-1], default=0)
        assert len(finish.accuracies) == len(finish.losses) == finish.steps // every


def test_a_lane_in_an_array_ends_as_it_does_alone() -> None:
    """Mixed fates in one array, padding and compaction included."""
    rates = [0.001, 0.02, 0.05, 0.3, 1.0, 1.99, 2.1, 50.0, 1e9]
    curvatures = [1.0, 0.5, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    together = finishes(rates, curvatures)
    for lane, (rate, c) in enumerate(zip(rates, curvatures, strict=True)):
        (alone,) = finishes([rate], [c])
        assert (alone.outcome, alone.steps, alone.accuracies) == (
            together[lane].outcome,
            together[lane].steps,
            together[lane].accuracies,
        )


def test_divergence_names_the_first_step_that_is_not_finite() -> None:
    """c w^2 / 2 overflows at a step that brute force finds."""
    rate, w, step = 3.5, 1.0, 0
    with np.errstate(over="ignore"):
        while np.isfinite(np.float64(w) ** 2 / 2):
            w, step = w * (1 - rate), step + 1
    (finish,) = finishes([rate])
    assert (finish.outcome, finish.steps) == (Outcome.DIVERGED, step + 1)


def test_divergence_counts_before_the_target() -> None:
    """A lane whose loss is not finite is not credited, even if its accuracy is at the target."""

    class Lying(Parabola):
        def advance(self, rates: Any, momenta: Any = None) -> Any:
            losses, correct = super().advance(rates)
            losses[-1] = math.inf
            return losses, np.ones_like(correct)

    (finish,) = train_lanes(Lying([1.0]), [0.5], target=0.9, check_every=50, max_steps=500)
    assert (finish.outcome, finish.steps) == (Outcome.DIVERGED, 50)


@pytest.mark.parametrize(
    ("cap", "max_steps", "step_seconds", "expected"),
    [
        (1.0, None, 0.001, 1000),
        (1.049, None, 0.001, 1000),
        (1.05, None, 0.001, 1050),
        (0.3, None, 0.001, 300),
        (0.04, None, 0.001, 0),
        (None, 120, 0.001, 100),
        (1.0, 120, 0.001, 100),
        (0.07, 120, 0.001, 50),
        (1.0, None, None, math.inf),
    ],
)
def test_last_check(
    cap: float | None, max_steps: int | None, step_seconds: float | None, expected: float
) -> None:
    """The last check lies within the budget, and the next would not."""
    assert last_check(50, cap, max_steps, step_seconds) == expected


def test_each_lane_has_its_own_cap_in_steps() -> None:
    """A cap in seconds is a cap in steps by the lane's own step time; seconds are steps x step
    time.
    """
    ends = finishes([1e-6, 1e-6, 1e-6], max_steps=None, cap=1.0, step_seconds=[0.001, 0.01, 0.1])
    assert [finish.steps for finish in ends] == [1000, 100, 0]
    assert [finish.outcome for finish in ends] == [Outcome.CAPPED] * 3
    assert [finish.seconds for finish in ends] == pytest.approx([1.0, 1.0, 0.0])


def test_the_target_at_the_last_check_is_credited() -> None:
    """Within the budget is within it, at the very end too."""
    steps = window_steps(0.05, 1.0, 0.97, 50)
    assert finishes([0.05], max_steps=steps)[0].outcome is Outcome.REACHED
    assert finishes([0.05], max_steps=steps - 1)[0].outcome is Outcome.CAPPED


class Clock:
    """A clock that only training moves: each reading adds a tick, so an interval around `advance`
    takes exactly one.
    """

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def test_alone_seconds_are_read_off_the_clock_and_the_cap_comes_before_the_target() -> None:
    """With no step time, seconds are the intervals around `advance`; time beyond the cap is not
    credited.
    """
    steps = window_steps(0.05, 1.0, 0.97, 50)
    checks = steps // 50
    (finish,) = finishes([0.05], max_steps=None, cap=100.0, stopwatch=Stopwatch(Clock(1.0)))
    assert (finish.outcome, finish.steps, finish.seconds) == (Outcome.REACHED, steps, checks)
    (late,) = finishes([0.05], max_steps=None, cap=checks - 0.5, stopwatch=Stopwatch(Clock(1.0)))
    assert (late.outcome, late.steps, late.seconds) == (Outcome.CAPPED, steps, checks)
    assert late.accuracies[-1] >= 0.97


def test_cumulative_lags_the_window_and_validation_reads_the_validation_set() -> None:
    """The four metrics, each against its definition; the windows are kept beside the others."""
    rate = 0.01
    ends = {
        metric: finishes([rate], metric=metric, max_steps=10**5)[0]
        for metric in ("window", "cumulative", "single", "validation")
    }
    q = 1 - rate
    done = {metric: np.arange(1, len(end.accuracies) + 1) * 50 for metric, end in ends.items()}
    assert ends["cumulative"].accuracies == pytest.approx(
        1 - (1 - q ** done["cumulative"]) / (1 - q) / done["cumulative"], abs=1e-6
    )
    looks = np.arange(1, len(done["single"]) + 1)
    assert ends["single"].accuracies == pytest.approx(
        np.cumsum(1 - q ** (done["single"] - 1)) / looks, abs=1e-6
    )
    windows = ends["window"].accuracies
    assert ends["window"].windows == ()
    for metric in ("cumulative", "single", "validation"):
        shared = min(len(windows), len(ends[metric].windows))
        assert ends[metric].windows[:shared] == pytest.approx(windows[:shared], abs=1e-4)
        assert len(ends[metric].windows) == len(ends[metric].accuracies)
    assert ends["validation"].accuracies == pytest.approx(1 - q ** done["validation"], abs=1e-6)
    assert ends["validation"].steps < ends["window"].steps < ends["cumulative"].steps


def test_a_stuck_lane_ends_at_the_first_examination_and_a_slow_one_goes_on() -> None:
    """Only what the learner proves ends a lane; a low accuracy alone does not."""
    dead, slow = finishes([10 * DEAD_ABOVE, 1e-7], max_steps=2000)
    assert (dead.outcome, dead.steps) == (Outcome.STUCK, CHECKS_AT_CHANCE * 50)
    assert (slow.outcome, slow.steps) == (Outcome.CAPPED, 2000)


@pytest.mark.parametrize("target", [0.1, 0.4])
def test_no_lane_is_called_stuck_where_chance_could_reach_the_target(target: float) -> None:
    """The proof bounds the accuracy by the commonest class, which is above such a target."""
    assert finishes([10 * DEAD_ABOVE], target=target, max_steps=2000)[0].outcome is Outcome.CAPPED


def test_carrying_on_never_changes_a_stuck_lane() -> None:
    """The same lane with stopping made impossible is capped with the same accuracies."""

    class Patient(Parabola):
        def stuck(self, lanes: Any) -> Any:
            return np.zeros(len(lanes), bool)

    (finish,) = train_lanes(
        Patient([1.0]), [10 * DEAD_ABOVE], target=0.97, check_every=50, max_steps=5000
    )
    assert finish.outcome is Outcome.CAPPED
    assert set(finish.accuracies) == {0.0}


def test_finished_lanes_leave_the_array() -> None:
    """The array shrinks through the fixed sizes, and never trains more lanes than the next size
    above those alive.
    """
    seen: list[Progress] = []
    rates = list(np.geomspace(0.02, 1.5, 40))
    finishes(rates, max_steps=10**5, watch=seen.append)
    assert {progress.array for progress in seen} <= set(LANE_SIZES)
    alive_before = [40, *[len(progress.alive) for progress in seen[:-1]]]
    assert [progress.array for progress in seen] == [array_size(alive) for alive in alive_before]
    assert seen[-1].array < seen[0].array


def test_compilation_and_evaluation_are_off_the_clock() -> None:
    """Parts are named, and the seconds of a lane alone are those of training."""
    stopwatch = Stopwatch(Clock(1.0))
    (finish,) = finishes([0.05], metric="validation", max_steps=None, cap=1e6, stopwatch=stopwatch)
    parts = stopwatch.parts()
    assert {"compile", "train", "evaluate"} <= set(parts)
    assert finish.seconds == finish.steps / 50


@given(st.integers(1, 96))
def test_array_sizes(lanes: int) -> None:
    """The smallest size that holds the lanes."""
    size = array_size(lanes)
    assert size in LANE_SIZES
    assert size >= lanes
    assert all(other < lanes for other in LANE_SIZES if other < size)
