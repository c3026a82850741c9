"""Halving on parabolas, which diverge where rate c > 2."""

from __future__ import annotations

import math

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
