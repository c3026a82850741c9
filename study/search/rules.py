"""The rules that read a rate off the curve of a finder."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from study.search.finder import Sweep


Floats = NDArray[np.float64]

SCALES = ("log", "linear")


BETA = 0.98
"""Coefficient of the smoothing. The newest loss counts for 1 / 50, and for half as much 34 steps
later; the average lags by about 50 steps.
"""


MIN_POINTS = 20
"""Smallest number of points from which a rate is read."""


LAST = 5
"""Last points of a curve; if its least loss is among them, no rise has been seen after it."""


CERTAIN = 5.0
"""Standard errors by which a curve must have moved to count as moved."""


@dataclass(frozen=True)
class Pick:
    """What a rule reads off a curve: a learning rate or None, and the reason in words."""

    rate: float | None
    reason: str


def smooth(losses: Floats) -> Floats:
    """Debiased exponential average: v <- 0.98 v + 0.02 loss; the value is v / (1 - 0.98^n).

    Kingma and Ba 2015, section 3.

    >>> smooth(np.array([2.0, 2.0])).round(6).tolist()
    [2.0, 2.0]
    """
    average, smoothed = 0.0, np.empty(len(losses))
    for i, loss in enumerate(losses):
        average = BETA * average + (1 - BETA) * loss
        smoothed[i] = average / (1 - BETA ** (i + 1))
    return smoothed


def noise(jumps: Floats) -> float:
    """The standard deviation of the noise of a curve.

    It is the larger of sd(d) / sqrt(2) and 1.4826 median |d - median d| / sqrt(2) (Rousseeuw and
    Croux 1993). A trend hardly shows in the differences d.

    Args:
        jumps: the differences d between neighbouring points.
    """
    if not len(jumps):
        return 0.0
    return max(
        float(jumps.std()), 1.4826 * float(np.median(np.abs(jumps - np.median(jumps))))
    ) / math.sqrt(2)


def start_points(count: int) -> int:
    """Number of first points whose mean is the start level of a curve of `count` points."""
    return max(5, count // 10)


def moved(distance: float, deviation: float, *counts: float) -> bool:
    """Whether two means differ by more than `CERTAIN` standard errors.

    Args:
        distance: how far the second is beyond the first.
        deviation: the standard deviation of one point.
        counts: the number of points of each mean.
    """
    return distance > CERTAIN * deviation * math.sqrt(sum(1 / count for count in counts))


def _fell(sweep: Sweep) -> Pick | None:
    """None if the loss fell by more than its noise explains, else why no rate can be read."""
    least = int(np.argmin(sweep.smoothed))
    first = start_points(len(sweep.losses))
    start = float(sweep.losses[:first].mean())
    # After the least loss it blows up, and its jumps there are no noise.
    deviation = noise(np.diff(sweep.losses[: max(least + 1, MIN_POINTS)]))
    weights = BETA ** np.arange(least + 1)
    # The smoothed loss has the variance of the mean of this many points.
    averaged = weights.sum() ** 2 / (weights**2).sum()
    drop = start - float(sweep.smoothed[least])
    if drop > 1e-6 * abs(start) and moved(drop, deviation, first, averaged):
        return None
    return Pick(
        None,
        f"the loss never fell by more than its noise explains (from {start:.4g} to "
        f"{start - drop:.4g} at its least): take more steps",
    )


def _tenth(sweep: Sweep) -> Pick:
    """A tenth of the rate of least smoothed loss.

    It is fastai's `minimum`, and in Géron, Hands-On Machine Learning.
    """
    least = int(np.argmin(sweep.smoothed))
    if sweep.stopped == "end" and least >= len(sweep.rates) - LAST:
        return Pick(
            None, "the loss was still falling at the end of the sweep: raise the rate it ends at"
        )
    rate = float(sweep.rates[least])
    return Pick(
        rate / 10,
        f"a tenth of {rate:.3g}, where the smoothed loss was least ({sweep.smoothed[least]:.4g})",
    )


def _steepest(sweep: Sweep) -> Pick:
    """Where the smoothed loss falls fastest by log rate: the minimum of d loss / d log rate.

    It is searched between the first tenth of the sweep and the least loss.
    """
    first, least = sweep.steps // 10, int(np.argmin(sweep.smoothed))
    if least <= first:
        return Pick(
            None,
            f"the loss was least within the first {first} points, before any slope could be told",
        )
    slopes = np.gradient(sweep.smoothed, np.log(sweep.rates))[first : least + 1]
    place = first + int(np.argmin(slopes))
    return Pick(
        float(sweep.rates[place]),
        f"the smoothed loss fell fastest there, by {-np.log(10) * slopes.min():.3g} a decade of "
        "rate",
    )


def _valley(sweep: Sweep) -> Pick:
    """About half-way along the longest strictly falling subsequence of the smoothed loss.

    It is fastai's `valley`, which takes the subsequence for contiguous; so does this.
    """
    rates, losses = _middle(sweep)
    if len(losses) < MIN_POINTS:
        return _too_few(sweep, len(losses))
    # longest[i] is the length of the longest falling subsequence that ends at i.
    longest = np.ones(len(losses), int)
    for i in range(1, len(losses)):
        longest[i] = 1 + max(longest[:i][losses[:i] > losses[i]], default=0)
    end = int(np.argmax(longest))
    start = end - int(longest[end])
    third = (end - start) / 3
    place = max(0, start + int(third) + int(third / 2))
    return Pick(
        float(rates[place]),
        f"half-way down the longest fall of the smoothed loss ({longest[end]} points)",
    )


def _slide(sweep: Sweep) -> Pick:
    """Where the slope of the curve, followed back from its end, no longer changes.

    It is fastai's `slide`. The slopes of two points 15 steps apart are compared, until they differ
    by at most 0.005 a step. There is no such rate where large losses make them differ throughout,
    and none beyond the least loss.
    """
    apart, threshold = 15, 0.005
    rates, losses = _middle(sweep)
    if len(losses) < MIN_POINTS:
        return _too_few(sweep, len(losses))
    slopes = np.gradient(losses)
    differ = np.abs(slopes[apart:] - slopes[:-apart])[::-1] > threshold
    if not differ[0]:
        return Pick(
            None,
            f"the curve's slope hardly changes at its end (by less than {threshold:g} a step "
            f"over {apart} steps)",
        )
    if differ.all():
        return Pick(
            None,
            f"the slope differs by more than {threshold:g} a step all the way back: the rule is "
            "meant for losses near one",
        )
    rate = float(rates[len(differ) - int(np.argmin(differ))])
    least = float(sweep.rates[np.argmin(sweep.smoothed)])
    if rate >= least:
        return Pick(
            None, f"the slope settles at {rate:.3g} only, past the rate of least loss ({least:.3g})"
        )
    return Pick(rate, "where the slope, followed back from the curve's end, settles")


def _middle(sweep: Sweep) -> tuple[Floats, Floats]:
    """Rates and smoothed losses as fastai's rules use them.

    The first tenth of the planned steps and the last five points are left out.
    """
    inside = slice(sweep.steps // 10, -LAST)
    return sweep.rates[inside], sweep.smoothed[inside]


def _too_few(sweep: Sweep, left: int) -> Pick:
    return Pick(
        None,
        f"without its ends the curve has {left} of {sweep.steps} points, and {MIN_POINTS} are "
        "needed: start at a lower rate",
    )


def _rise(sweep: Sweep) -> Pick:
    """The lower bound of the range test (Smith 2017, section 3.3): accuracy rises from there."""
    seen = _climb(sweep)
    if isinstance(seen, Pick):
        return seen
    rates, means, start, error, peak = seen
    low = np.flatnonzero(means[:peak] <= start + CERTAIN * error)
    place = int(low[-1]) + 1 if len(low) else 0
    return Pick(
        float(rates[place]), f"from there on the accuracy is above the {start:.1%} of the start"
    )


def _fall(sweep: Sweep) -> Pick:
    """The upper bound of the range test (Smith 2017, section 3.3): accuracy is highest there."""
    seen = _climb(sweep)
    if isinstance(seen, Pick):
        return seen
    rates, means, _, error, peak = seen
    if sweep.stopped == "end" and means[peak] - means[peak:].min() <= CERTAIN * error:
        return Pick(
            None, "the accuracy had not fallen at the end of the sweep: raise the rate it ends at"
        )
    return Pick(
        float(rates[peak]), f"the accuracy rose no further than the {means[peak]:.1%} there"
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
            None, "the model has no metric whose name ends in accuracy: compile it with one"
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
            f"the accuracy never rose by more than its noise explains (from {start:.1%} to "
            f"{means[peak]:.1%} at most)",
        )
    return rates, means, start, deviation * math.sqrt(1 / first + 1 / width), peak


def _by_loss(rule: Callable[[Sweep], Pick]) -> Callable[[Sweep], Pick]:
    """The rule, for sweeps in which the loss has fallen; of others it says why there is no rate."""
    return lambda sweep: _fell(sweep) or rule(sweep)


RULES: dict[str, Callable[[Sweep], Pick]] = {
    "tenth": _by_loss(_tenth),
    "steepest": _by_loss(_steepest),
    "valley": _by_loss(_valley),
    "slide": _by_loss(_slide),
    "rise": _rise,
    "fall": _fall,
}
"""The rules by name: what each makes of a sweep."""
