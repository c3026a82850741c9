"""Halving on parabolas, which diverge where rate c > 2."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.errors import StudyError
from study.search.halving import TRIES, halve, judge
from support.parabola import Interrupted, Parabola


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=5), st.floats(0.1, 1e3))
def test_the_first_half_that_is_small_enough(curvatures: list[float], start: float) -> None:
    """start / 2^k with the least k >= 0 for which the rate times c is at most 2, each lane its own;
    the learner is where it was.
    """
    learner = Parabola(curvatures)
    for c, found in zip(curvatures, halve(learner, start, 20), strict=True):
        k = max(0, math.ceil(math.log2(start * c / 2)))
        if abs(start * c / 2**k / 2 - 1) < 1e-6 or abs(start * c / 2**k - 1) < 1e-6:
            continue  # at the border rounding decides
        assert found.rate == start / 2**k
        assert len(found.tries) == k + 1
        assert [one.diverged for one in found.tries] == [True] * k + [False]
        assert [one.rate for one in found.tries] == [start / 2**i for i in range(k + 1)]
        assert found.steps == 20 * (k + 1)
        assert found.tries[0].first == pytest.approx(c / 2)
    assert learner.w.tolist() == [1.0] * len(curvatures)


def test_no_rate_where_all_diverge() -> None:
    """After so many tries it gives up."""
    (found,) = halve(Parabola([1e20]), 10.0, 20)
    assert found.rate is None
    assert len(found.tries) == TRIES
    assert found.steps == 20 * TRIES


def test_what_diverged_means() -> None:
    """A loss that is not finite, wherever it stands; a last fifth above the first loss."""
    losses = np.tile(np.linspace(1, 0.5, 10)[:, None], (1, 4))
    losses[3, 1] = np.nan
    losses[-1, 2] = 3.0  # the mean of the last two is then 1.78
    losses[-3, 3] = 1e9  # before the last fifth
    first, last, worse = judge(losses)
    assert worse.tolist() == [False, True, True, False]
    assert first.tolist() == [1.0] * 4
    assert last[0] == pytest.approx(np.linspace(1, 0.5, 10)[-2:].mean())


@pytest.mark.parametrize(
    ("options", "words"), [({"start": math.nan}, "start nan"), ({"steps": 0}, "steps 0")]
)
def test_bad_values_are_refused(options: dict[str, float], words: str) -> None:
    """In one sentence."""
    with pytest.raises(StudyError, match=words):
        halve(Parabola([1.0]), **options)  # type: ignore[arg-type]


def test_an_interruption_leaves_the_learner_as_it_was() -> None:
    """And goes on."""
    learner = Interrupted([50.0], at=3)
    with pytest.raises(KeyboardInterrupt):
        halve(learner)
    assert learner.w.tolist() == [1.0]


@pytest.mark.parametrize(
    ("losses", "diverged"),
    [
        ([1.0], False),
        ([1.0, 1.0], False),
        ([1.0, math.nextafter(1.0, 2)], True),
        ([1.0, 9.0, 9.0, 1.0], False),  # a fifth of four is one
        ([1.0, *[9.0] * 8, 1.0], True),  # of ten, two
        ([1.0, *[9.0] * 7, 1.0, 1.0], False),
        ([0.0, math.inf, 0.0], True),
        ([-1.0, -2.0], False),
        ([math.nan, 0.0], True),
    ],
)
def test_the_last_fifth_may_be_as_high_as_the_first_loss(
    losses: list[float], diverged: bool
) -> None:
    """It is rounded down, and one loss at least."""
    assert judge(np.array(losses)[:, None])[2].tolist() == [diverged]


def test_lanes_that_have_found_their_rate_stay_at_it() -> None:
    """The learner goes on until the last has; it is prepared once, and put back."""
    learner = Parabola([0.1, 0.8, 1e-9])
    told = halve(learner, 10.0, 7)
    assert [one.rate for one in told] == [10.0, 2.5, 10.0]
    assert [len(one.tries) for one in told] == [1, 3, 1]
    assert [one.steps for one in told] == [7, 21, 7]
    assert learner.calls == ["prepare", *["advance"] * 3]
    assert learner.w.tolist() == [1.0] * 3
    w = (1 - 10 * 0.8) ** np.arange(7)
    first = told[1].tries[0]
    assert (first.rate, first.diverged) == (10.0, True)
    assert (first.first, first.last) == pytest.approx((0.4, 0.4 * w[-1] ** 2))


def test_ten_is_halved_a_hundred_steps_at_a_time_unless_it_is_said() -> None:
    """At most forty times; the bounds themselves are allowed."""
    (one,) = halve(Parabola([1.0]))
    assert (one.tries[0].rate, one.steps, one.rate) == (10.0, 400, 1.25)
    (other,) = halve(Parabola([1e-13]), 1e12, 1)
    assert (other.rate, other.steps, TRIES) == (1e12, 1, 40)
    for start, steps in ((math.nextafter(1e12, math.inf), 1), (0.0, 1), (1.0, 10**6 + 1)):
        with pytest.raises(StudyError):
            halve(Parabola([1.0]), start, steps)


class Free(Parabola):
    """Takes no time, however many its steps are."""

    def advance(self, rates: Any, momenta: Any = None) -> Any:
        assert len(rates) == 10**6
        return np.ones((2, 1)), np.zeros((2, 1))


def test_a_million_steps_are_the_most() -> None:
    """Of one try."""
    (one,) = halve(Free([1.0]), 1.0, 10**6)
    assert one.steps == 10**6
    with pytest.raises(FrozenInstanceError):
        one.steps = 0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        one.tries[0].rate = 0  # type: ignore[misc]
