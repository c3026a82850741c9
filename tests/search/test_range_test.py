"""The range test on the accuracy, held against its words mean by mean."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from study.search.curve import Pick
from study.search.finder import Sweep, ramp
from study.search.range_test import fall, rise


def swept(accuracy: Any, stopped: str = "end", points: int | None = None) -> Sweep:
    """A sweep with these accuracies."""
    accuracy = np.asarray(accuracy, float)
    rates = ramp(1e-6, 10.0, points or len(accuracy))
    return Sweep(rates, rates, rates, accuracy, "log", stopped, len(rates), metric="hits")


def expected(found: Sweep) -> tuple[float | None, float | None]:
    """The rates of rise and fall: of the means around each point, those that are beyond the start,
    or below the peak, by more than five standard errors.
    """
    right, count = found.accuracy, len(found.accuracy)
    first = max(5, count // 10)
    half = first // 2
    jumps = np.diff(right)
    noise = max(np.std(jumps), 1.4826 * stats.median_abs_deviation(jumps)) / math.sqrt(2)
    error = 5 * noise * math.sqrt(1 / first + 1 / (2 * half + 1))
    start = right[:first].mean()
    means = {at: right[at - half : at + half + 1].mean() for at in range(half, count - half)}
    peak = max(means, key=lambda at: (means[at], -at))
    if means[peak] - start <= max(1e-6, error):
        return None, None
    at = peak
    while at > half and means[at - 1] > start + error:
        at -= 1
    fell = means[peak] - min(means[later] for later in means if later >= peak) > error
    turned = fell or found.stopped != "end"
    return found.rates[at], found.rates[peak] if turned else None


@pytest.mark.parametrize("count", [25, 60, 75, 200])
def test_rise_and_fall_are_what_they_say(count: int) -> None:
    """On hills, ramps and levels under every size of noise."""
    answers = []
    for seed in range(60):
        random = np.random.default_rng([seed, count])
        places = np.sort(random.uniform(0, count, 2))
        heights = [0.1, 0.1, random.uniform(0.1, 0.9), random.uniform(0.1, 0.9)]
        level = np.interp(np.arange(count), [0, *places, count], heights)
        noisy = level + random.uniform(0, 0.1) * random.normal(size=count)
        found = swept(noisy, "end" if seed % 3 else "threshold")
        told = rise(found).rate, fall(found).rate
        assert told == expected(found), seed
        answers.append(tuple(one is not None for one in told))
    assert {(False, False), (True, False), (True, True)} == set(answers)


@pytest.mark.parametrize(("count", "place"), [(20, None), (22, 3), (60, 3)])
def test_a_rise_counts_from_a_millionth_on(count: int, place: int | None) -> None:
    """Without noise: a line of exact steps, whose highest mean is so much above its start."""
    found = swept(np.arange(count) * 2.0**-24)
    assert rise(found).rate == (None if place is None else found.rates[place])


def test_the_picks_say_what_they_saw() -> None:
    """By the name of the metric."""
    right = np.repeat([0.125, 0.75, 0.25], 100)
    hill, ramp_ = swept(right), swept(right[:200])
    assert rise(hill).reason == "from there on the hits is above the 12.5% of the start"
    assert fall(hill).reason == "the hits rose no further than the 75.0% there"
    assert fall(ramp_) == Pick(
        None, "the hits had not fallen at the end of the sweep: raise the rate it ends at"
    )
    level = swept(np.full(100, 0.5))
    assert (
        rise(level)
        == fall(level)
        == Pick(
            None,
            "the hits never rose by more than its noise explains (from 50.0% to 50.0% at most)",
        )
    )


@pytest.mark.parametrize(("missing", "fine"), [(0, True), (1, False), (100, False)])
def test_an_accuracy_for_every_rate_is_needed(missing: int, fine: bool) -> None:
    """Or the model has no such metric."""
    found = swept(np.repeat([0.125, 0.75], 50)[: 100 - missing], points=100)
    words = (
        "no accuracy was measured: compile a Keras model with a metric whose name ends in "
        "accuracy, let a module's loss return one, or give that of a curve"
    )
    for rule in (rise, fall):
        assert (rule(found).reason == words) != fine
