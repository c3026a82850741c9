"""The range test on the accuracy (Smith 2017, section 3.3): where it rises, and where it falls."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from study.search.curve import CERTAIN, Floats, Pick, moved, noise, start_points

if TYPE_CHECKING:
    from study.search.finder import Sweep


def rise(sweep: Sweep) -> Pick:
    """The lower bound of the range test (Smith 2017, section 3.3): accuracy rises from there."""
    seen = _climb(sweep)
    if isinstance(seen, Pick):
        return seen
    rates, means, start, error, peak = seen
    low = np.flatnonzero(means[:peak] <= start + CERTAIN * error)
    place = int(low[-1]) + 1 if len(low) else 0
    return Pick(
        float(rates[place]),
        f"from there on the {sweep.metric} is above the {start:.1%} of the start",
    )


def fall(sweep: Sweep) -> Pick:
    """The upper bound of the range test (Smith 2017, section 3.3): accuracy is highest there."""
    seen = _climb(sweep)
    if isinstance(seen, Pick):
        return seen
    rates, means, _, error, peak = seen
    if sweep.stopped == "end" and means[peak] - means[peak:].min() <= CERTAIN * error:
        return Pick(
            None,
            f"the {sweep.metric} had not fallen at the end of the sweep: raise the rate it ends at",
        )
    return Pick(
        float(rates[peak]), f"the {sweep.metric} rose no further than the {means[peak]:.1%} there"
    )


def _climb(sweep: Sweep) -> Pick | tuple[Floats, Floats, float, float, int]:
    """How the accuracy rose.

    Returns:
        Rates; the mean of the accuracy around each; the start level; the standard error of a mean's
        difference from it; and the index of the highest mean. Or, where it did not rise, a pick
        that says so.
    """
    if len(sweep.accuracy) < len(sweep.rates):
        return Pick(
            None,
            "no accuracy was measured: compile a Keras model with a metric whose name ends in "
            "accuracy, let a module's loss return one, or give that of a curve",
        )
    first = start_points(len(sweep.rates))
    half = first // 2
    width = 2 * half + 1
    means = np.convolve(sweep.accuracy, np.full(width, 1 / width), mode="valid")
    rates, start = sweep.rates[half : half + len(means)], float(sweep.accuracy[:first].mean())
    peak = int(np.argmax(means))
    deviation = noise(np.diff(sweep.accuracy))
    if not means[peak] - start > 1e-6 or not moved(
        float(means[peak]) - start, deviation, first, width
    ):
        return Pick(
            None,
            f"the {sweep.metric} never rose by more than its noise explains (from {start:.1%} to "
            f"{means[peak]:.1%} at most)",
        )
    return rates, means, start, deviation * math.sqrt(1 / first + 1 / width), peak
