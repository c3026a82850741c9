"""How far apart looks were, from times of arrival whose spacing is known."""

from __future__ import annotations

import numpy as np
import pytest

from study.storage.published.looks import FEWEST, Looks, spacing


@pytest.mark.parametrize("seconds", [0.2, 5.0, 60.0])
def test_a_spacing_is_found_again(seconds: float) -> None:
    """Of arrivals at looks 1, 2, 2, 3, 5, 6, 9 of four optimizers, whose steps differ by 2 %."""
    random = np.random.default_rng(1)
    arrivals = [
        [seconds * slower * look + 0.02 * seconds * random.random() for look in (1, 2, 2, 3, 5, 6)]
        for slower in (0.98, 1.0, 1.01, 1.02)
    ]
    found = spacing(arrivals)
    assert found is not None
    assert found.seconds == pytest.approx(seconds, rel=0.03)
    assert (found.gaps, found.of) == (12, 20)
    assert found.low <= found.seconds <= found.high < 2 * found.low <= 2 * found.above


def test_the_median_and_what_lies_beside_it_are_told() -> None:
    """Neighbours in their own order, equal times once, a gap between optimizers is none."""
    times = [1.0, 0.0, 2.0, 3.1, 4.1, 5.1, 6.0, 7.0, 8.0, 8.0, 30.0, 30.25]
    found = spacing([times, [500.0]])
    assert found is not None
    rounded = [round(value, 6) for value in (found.seconds, found.low, found.high)]
    assert rounded == [1.0, 0.9, 1.1]
    assert (found.gaps, found.of, found.below, found.above) == (8, 10, 0.25, 22.0)
    assert str(Looks(4.884, 4.551, 5.549, 14, 45, 2.68, 9.76)) == (
        "of 45 gaps between an optimizer's neighbouring arrivals 14 take 4.55 to 5.55 s, the next "
        "shorter one 2.68 s, the next longer one 9.76 s; the median of the 14 is 4.88 s"
    )


@pytest.mark.parametrize(
    "gaps",
    [
        [],
        [1.0] * (FEWEST - 1),
        [1.0] * 9 + [0.7],
        [1.0] * 9 + [1.4],
        [1.3**k for k in range(20)],
    ],
)
def test_where_gaps_fall_into_no_groups_nothing_is_said(gaps: list[float]) -> None:
    """Too few of one length, others near them, or all lengths alike."""
    times = np.cumsum([1.0, *gaps])
    assert spacing([[float(time) for time in times]]) is None
