"""Where the loop decides: exactly at the target, at the cap, at chance, at an examination."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from study.spec.schedules.parse import parse
from study.storage.checks import Finish
from study.storage.records import Outcome
from study.training.loop import Goal, Progress, proved_stuck, train_lanes
from study.training.stopwatch import Stopwatch
from support.training.told import Told

FLAT = [0.8]
"""Far above chance, and hopeless from the tenth check on."""

CHANCE = [0.1]


def raced(learner: Told, **options: Any) -> list[Finish]:
    """The ends in the order of the lanes, by the learner's own clock."""
    options = {"target": 0.97, "max_steps": 1000} | options
    rates = [0.1] * learner.lanes
    ends = list(train_lanes(learner, rates, stopwatch=Stopwatch(learner.clock), **options))
    assert sorted(end.lane for end in ends) == list(range(len(rates)))
    return sorted(ends, key=lambda end: end.lane)


def end_of(accuracies: Sequence[float], **options: Any) -> tuple[str, int]:
    """Outcome and steps of one lane."""
    learner = Told([accuracies], seconds=options.pop("seconds", (1.0,)))
    (end,) = raced(learner, **options)
    return end.outcome.value, end.steps


@pytest.mark.parametrize("metric", ["window", "validation"])
@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ([0.97], ("reached", 50)),
        ([0.9699996], ("reached", 50)),
        ([0.969996, 0.0], ("capped", 100)),
        ([0.96, 0.97], ("reached", 100)),
        ([0.98, 0.0], ("reached", 50)),
        ([0.0, 0.0, 0.98], ("capped", 100)),
    ],
)
def test_an_accuracy_is_at_the_target_to_six_digits(
    metric: str, accuracies: list[float], expected: tuple[str, int]
) -> None:
    """At any check of the budget, its last one included."""
    assert end_of(accuracies, metric=metric, max_steps=100) == expected


@pytest.mark.parametrize(
    ("seconds", "options", "expected"),
    [
        ((1.0, 1.0), {"cap": 2.0}, ("reached", 100, 2.0)),
        ((1.0, 1.25), {"cap": 2.0}, ("capped", 100, 2.25)),
        ((9.0,), {"max_steps": 100}, ("reached", 100, 18.0)),
        ((9.0,), {"cap": 0.5, "step_seconds": [0.005]}, ("reached", 100, 0.5)),
        ((9.0,), {"cap": 0.4999, "step_seconds": [0.005]}, ("capped", 50, 0.25)),
    ],
)
def test_time_up_to_the_cap_is_credited(
    seconds: tuple[float, ...], options: dict[str, Any], expected: tuple[str, int, float]
) -> None:
    """By the clock alone where it is read, and by the step time alone where there is one."""
    options = {"max_steps": None} | options
    (end,) = raced(Told([[0.5, 0.97]], seconds=seconds), **options)
    assert (end.outcome, end.steps, end.seconds) == (Outcome(expected[0]), *expected[1:])


def test_a_lane_goes_on_while_the_clock_is_exactly_at_the_cap() -> None:
    """It is not beyond it yet."""
    assert end_of([0.5], seconds=(1.0,), cap=2.0, max_steps=None) == ("capped", 150)


@pytest.mark.parametrize(("every", "most", "steps"), [(1, 1, 1), (50, 49, 0), (50, 50, 50)])
def test_the_smallest_budgets(every: int, most: int, steps: int) -> None:
    """One check of one step; and none, for which nothing is trained."""
    learner = Told([[0.5]])
    (end,) = raced(learner, check_every=every, max_steps=most)
    checks = steps // every
    assert (end.outcome, end.steps, end.seconds) == (Outcome.CAPPED, steps, checks)
    assert end.accuracies == (0.5,) * checks
    assert learner.steps == steps
    assert learner.calls == ["keep", "prepare", "advance"] * checks


def test_checks_are_fifty_steps_apart_and_nothing_is_pruned_unless_told() -> None:
    """What is not named."""
    (end,) = raced(Told([FLAT]))
    assert (end.outcome, end.steps, len(end.accuracies)) == (Outcome.CAPPED, 1000, 20)
    with pytest.raises(TypeError, match="positional"):
        train_lanes(Told([FLAT]), [0.1], 0.97)  # type: ignore[call-arg]


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("first", [1, 2, 50, 51, 75, 100])
def test_a_lane_diverges_at_its_first_loss_that_is_not_finite(first: int, bad: float) -> None:
    """And its seconds end there: by the clock, the share of the steps; the check has no value."""

    class Bad(Told):
        def advance(self, rates: Any, momenta: Any = None) -> Any:
            begun = self.steps
            losses, correct = super().advance(rates)
            losses[np.arange(begun + 1, self.steps + 1) >= first] = bad
            return losses, correct

    for step_seconds, seconds in ((None, first * 0.02), ([0.004], first * 0.004)):
        (end,) = raced(Bad([[1.0]]), target=math.inf, step_seconds=step_seconds)
        assert (end.outcome, end.steps) == (Outcome.DIVERGED, first)
        assert end.seconds == pytest.approx(seconds)
        assert len(end.accuracies) == len(end.losses) == (first - 1) // 50


@pytest.mark.parametrize(
    ("accuracies", "options", "expected"),
    [
        (FLAT, {"max_steps": 500}, ("capped", 500)),
        (FLAT, {"max_steps": 550}, ("pruned", 500)),
        (FLAT, {"max_steps": 5000}, ("pruned", 500)),
        (FLAT, {"max_steps": 5050}, ("pruned", 550)),
        (FLAT, {"max_steps": 550, "prune": False}, ("capped", 550)),
        (CHANCE, {"max_steps": 1000}, ("pruned", 500)),
        (CHANCE, {"max_steps": 1000, "prune": False}, ("stuck", 500)),
        ([0.8, 0.98], {"max_steps": 550}, ("reached", 100)),
        # By the clock alone: 8 seconds at half a second a check are 16 checks, 100 are 200.
        (FLAT, {"max_steps": None, "cap": 8.0, "seconds": (0.5,)}, ("pruned", 500)),
        (FLAT, {"max_steps": None, "cap": 100.0, "seconds": (0.5,)}, ("pruned", 1000)),
        (FLAT, {"max_steps": None, "cap": 55.0, "seconds": (0.5,)}, ("pruned", 550)),
    ],
)
def test_ends_come_in_their_order(
    accuracies: list[float], options: dict[str, Any], expected: tuple[str, int]
) -> None:
    """Reached, capped, pruned, stuck. A hopeless lane is pruned from the tenth check on, once a
    tenth of its budget is spent.
    """
    assert end_of(accuracies, **{"prune": "hopeless"} | options) == expected


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ([0.199999], ("stuck", 500)),
        ([*[0.1] * 9, 0.199999, 0.9], ("stuck", 500)),
        ([0.2, *[0.1] * 9], ("stuck", 1000)),
        ([*[0.1] * 9, 0.2, 0.1], ("stuck", 1000)),
        ([0.2, *[0.1] * 9, 0.2, 0.1], ("stuck", 2000)),
        ([0.2, *[0.1] * 18, 0.2, 0.1], ("stuck", 2000)),
        ([0.2], ("capped", 4000)),
    ],
)
def test_a_lane_is_examined_after_ten_checks_below_a_fifth(
    accuracies: list[float], expected: tuple[str, int]
) -> None:
    """At check 10, 20, 40, ...: an accuracy of exactly 0.2 is no chance."""
    assert end_of(accuracies, max_steps=4000) == expected


def test_examinations_are_twice_as_far_each_time() -> None:
    """Of a lane that nothing is proved of."""

    class Unsure(Told):
        def stuck(self, lanes: Any) -> Any:
            return ~super().stuck(lanes)

    learner = Unsure([CHANCE])
    assert raced(learner, max_steps=4999)[0].outcome is Outcome.CAPPED
    assert learner.asked == [(steps, [0]) for steps in (500, 1000, 2000, 4000)]


@pytest.mark.parametrize(
    ("target", "examined"),
    [(0.499999, False), (0.5, True), (1.0, True), (1.000001, False), (math.inf, False)],
)
def test_a_proof_is_looked_for_where_the_target_is_from_a_half_to_one(
    target: float, examined: bool
) -> None:
    """Below that chance may reach it, and above it a curve is wanted whole."""
    learner = Told([CHANCE])
    (end,) = raced(learner, target=target)
    assert bool(learner.asked) == examined
    assert (end.outcome is Outcome.STUCK) == examined


def test_only_lanes_at_chance_that_go_on_are_examined() -> None:
    """Not one that arrives at that check, and none of them above chance; places shift as lanes
    leave.
    """
    told = [[0.98], [0.1], [*[0.1] * 9, 0.98], [0.3], [0.1]]
    learner = Told(told)
    ends = raced(learner)
    assert learner.asked == [(500, [1, 4])]
    assert [(str(end.outcome), end.steps) for end in ends] == [
        ("reached", 50),
        ("stuck", 500),
        ("reached", 500),
        ("capped", 1000),
        ("stuck", 500),
    ]
    learner = Told([[0.3], [0.5]])
    raced(learner)
    assert learner.asked == []


def test_a_learner_answers_for_each_lane_that_it_is_asked_for() -> None:
    """An answer that is missing is no proof."""
    assert proved_stuck(Told([CHANCE] * 3), [0, 2]) == [0, 2]
    with pytest.raises(ValueError, match="zip"):
        proved_stuck(Told([CHANCE] * 3, proves=lambda asked: asked - 1), [0, 2])


@pytest.mark.parametrize("watch", ["loss", "accuracy"])
def test_a_plateau_follows_the_last_check_of_each_lane(watch: str) -> None:
    """A lane that gains keeps its rate, one that does not has it halved at each check."""
    gaining = [4.0, 3.0, 2.0, 1.0] if watch == "loss" else [0.1, 0.2, 0.3, 0.4]
    flat = [gaining[0]]
    other = [[1.0]] * 2 if watch == "accuracy" else [[0.5]] * 2
    told = (other, [gaining, flat]) if watch == "loss" else ([gaining, flat], other)
    learner = Told(*told)
    schedule = parse(f"plateau:by=0.5,patience=0,watch={watch}")
    raced(learner, schedule=schedule, max_steps=200)
    assert learner.rates == [[0.1, 0.1], [0.1, 0.1], [0.1, 0.05], [0.1, 0.025]]


def test_a_schedule_goes_on_from_check_to_check_with_its_momentum() -> None:
    """Down from 0.95 to 0.85 while the rate rises; without a cycle the learner keeps its own."""
    learner = Told([[0.5], [0.6]])
    schedule = parse("one-cycle:steps=100,div=10,pct_start=0.4,momentum=0.95/0.85")
    raced(learner, schedule=schedule, check_every=20, max_steps=60)
    assert learner.rates == [[pytest.approx(rate)] * 2 for rate in (0.01, 0.055, 0.1)]
    found = np.concatenate(learner.momenta)
    assert found.shape == (60, 2)
    assert found[:41] == pytest.approx(np.linspace([0.95] * 2, [0.85] * 2, 41))
    learner = Told([[0.5]])
    raced(learner, max_steps=100)
    assert learner.momenta == [None, None]


def test_what_is_watched_and_called_at_each_check() -> None:
    """An array is made ready when its lanes have changed, and looked at where the metric is of the
    validation set.
    """
    told = [[0.5], [0.5, 0.97], [0.5]]
    for metric, looks in (("window", []), ("cumulative", []), ("validation", ["evaluate"])):
        learner = Told([*told, [0.0]], seconds=(1.0, 2.0, 4.0))
        seen: list[Progress] = []
        options: dict[str, Any] = {"target": 0.735 if metric == "cumulative" else 0.97}
        stopwatch = Stopwatch(learner.clock)
        rates = [0.1, 0.2, 0.3]
        ends = list(
            train_lanes(
                learner,
                rates,
                metric=metric,
                max_steps=150,
                watch=seen.append,
                stopwatch=stopwatch,
                **options,
            )
        )
        assert [(end.lane, end.steps) for end in ends] == [(1, 100), (0, 150), (2, 150)]
        assert [end.seconds for end in ends] == [3.0, 7.0, 7.0]
        assert seen == [
            Progress(50, (0, 1, 2), 4, 1.0),
            Progress(100, (0, 2), 4, 2.0),
            Progress(150, (), 2, 4.0),
        ]
        changed = ["keep", "prepare", "advance", *looks]
        assert learner.calls == [*changed, "advance", *looks, *changed]
        assert learner.rates == [[0.1, 0.2, 0.3, 0.1]] * 2 + [[0.1, 0.3]]
        assert stopwatch.parts()["train"] == 7.0


def test_what_is_told_of_a_group_stays_as_it_was() -> None:
    """Whoever has it."""
    for told in (Progress(50, (0,), 1, 1.0), Goal(0.97, "window", 50, None)):
        with pytest.raises(FrozenInstanceError):
            told.step = told.target = 1  # type: ignore[union-attr,misc]
