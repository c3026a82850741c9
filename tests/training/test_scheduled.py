"""Training at rates that change."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from study.engines.rules import RULES, mixed
from study.machine.here import this_site
from study.spec.schedules.parse import parse
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS
from study.storage.records import Outcome, Run
from study.training.group import Context, train
from study.training.loop import train_lanes
from study.training.stopwatch import Stopwatch
from support.parabola import DEAD_ABOVE, Parabola, ParabolaEngine
from support.schedules import factors

# Studies


@pytest.mark.parametrize(
    "text",
    [
        "cosine:steps=120,alpha=0.1",
        "triangular2:half=20",
        "exponential:rate=0.5,steps=60,warmup=25",
    ],
)
def test_a_race_follows_the_schedule(text: str) -> None:
    """On parabolas every check's loss is c w^2 / 2, with w the product of (1 - rate_t c)."""
    lanes, curvatures = [0.05, 0.3], [1.0, 0.5]
    ends = train_lanes(
        Parabola(curvatures),
        lanes,
        target=math.inf,
        check_every=10,
        max_steps=200,
        schedule=parse(text),
    )
    for finish in ends:
        rate, c = lanes[finish.lane], curvatures[finish.lane]
        w = np.concatenate([[1.0], np.cumprod(1 - c * rate * factors(text, 199))])
        assert finish.losses == pytest.approx((c * w**2 / 2).reshape(20, 10).mean(axis=1))
        assert finish.accuracies == pytest.approx((1 - w).reshape(20, 10).mean(axis=1), abs=1e-6)


def test_lanes_that_leave_do_not_shift_the_schedule() -> None:
    """An array that shrinks goes on at the steps where it is."""
    text = "triangular:half=40"
    together = {finish.lane: finish for finish in _ends([0.3, 0.05, 0.02], text)}
    for lane, rate in enumerate([0.3, 0.05, 0.02]):
        (alone,) = _ends([rate], text)
        assert (alone.steps, alone.accuracies) == (together[lane].steps, together[lane].accuracies)
    assert len({finish.steps for finish in together.values()}) == 3


def _ends(lanes: list[float], text: str) -> list[Any]:
    return list(
        train_lanes(
            Parabola([1.0] * max(len(lanes), 4 if len(lanes) > 2 else 1)),
            lanes,
            target=0.97,
            max_steps=5000,
            schedule=parse(text),
        )
    )


@pytest.mark.parametrize(
    ("text", "outcome"),
    [("cosine:steps=100,alpha=0.5", Outcome.STUCK), ("triangular:half=100", Outcome.CAPPED)],
)
def test_a_lane_is_not_called_stuck_where_the_rate_rises_again(text: str, outcome: Outcome) -> None:
    """The proof is of a rate that does not."""
    (finish,) = train_lanes(
        Parabola([1.0]), [10 * DEAD_ABOVE], target=0.97, max_steps=1000, schedule=parse(text)
    )
    assert finish.outcome is outcome


@pytest.mark.parametrize("hyper", list(RULES))
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_moves_nothing_at_a_rate_moves_nothing_at_smaller_ones(name: str, hyper: str) -> None:
    """The step of the proof of being stuck that decays rest on: every rule at a gradient of zero,
    in single precision.
    """
    update, random = mixed([RULES[hyper][name]]), np.random.default_rng(0)
    w, a, b, zero = (
        np.float32(x)
        for x in (random.normal(size=200), *random.uniform(0.1, 1, (2, 200)), np.zeros(200))
    )
    moved, t, rate = np.ones(200, bool), 10, np.float32(0.1)
    while moved.any():
        before = w
        w, a, b = update(np, None, w, a, b, zero, rate, np.float32(t))
        moved, t = w != before, t + 1
    for _ in range(300):
        rate *= np.float32(random.uniform(0.5, 1))
        before = w
        w, a, b = update(np, None, w, a, b, zero, rate, np.float32(t))
        assert np.array_equal(w, before)
        t += 1


def test_a_group_trains_on_its_schedule() -> None:
    """The trial's schedule reaches the race: a warm-up makes the same rate arrive later."""
    arrived = {}
    for text in ("constant", "constant:warmup=400"):
        spec = StudySpec(
            optimizers=("sgd",), rates=(0.05,), cap=None, max_steps=2000, schedule=text
        )
        runs: list[Run] = []

        def emit(run: Run, finish: object, runs: list[Run] = runs) -> None:
            runs.append(run)

        train(
            spec.trials(), [0.01], ParabolaEngine(), Context("s", this_site(), 1), emit, Stopwatch()
        )
        assert runs[0].trial.schedule == text
        arrived[text] = runs[0].steps or 0
    assert (
        arrived["constant:warmup=400"] - arrived["constant"] == 200
    )  # half the rate on average: half of it is lost
