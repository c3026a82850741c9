"""The rules that read a rate off a finder's curve."""

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
"""Of the smoothing: a loss counts for 1 / 50 at first, and for half as much 34 steps later, so that
the average lags by some 50 steps.
"""


MIN_POINTS = 20
"""Points below which a curve says nothing."""


LAST = 5
"""A least loss among so many last points has not been seen to turn."""


CERTAIN = 5.0
"""Standard errors by which a curve must have moved."""


@dataclass(frozen=True)
class Pick:
    """What a rule makes of a curve: a learning rate or None, and the reason in words."""

    rate: float | None
    reason: str


def smooth(losses: Floats) -> Floats:
    """Debiased exponential average: v <- 0.98 v + 0.02 loss; v / (1 - 0.98^n) (Kingma and Ba 2015,
    section 3).
    """
    average, smoothed = 0.0, np.empty(len(losses))
    for i, loss in enumerate(losses):
        average = BETA * average + (1 - BETA) * loss
        smoothed[i] = average / (1 - BETA ** (i + 1))
    return smoothed


def noise(jumps: Floats) -> float:
    """The standard deviation of a curve's noise from the steps d between its points, in which a
    trend hardly shows: sd(d) / sqrt(2), or 1.4826 median |d - median d| / sqrt(2) where that is
    more (Rousseeuw and Croux 1993).
    """
    if not len(jumps):
        return 0.0
    return max(
        float(jumps.std()), 1.4826 * float(np.median(np.abs(jumps - np.median(jumps))))
    ) / math.sqrt(2)


def start_points(count: int) -> int:
    """Points whose mean is the level that a curve of so many starts from."""
    return max(5, count // 10)


def moved(distance: float, deviation: float, *counts: float) -> bool:
    """Whether two means of so many points each differ by more than `CERTAIN` standard errors, and
    more than rounding.
    """
    return distance > CERTAIN * deviation * math.sqrt(sum(1 / count for count in counts))


def _fell(sweep: Sweep) -> Pick | None:
    """Why no rate may be read off the loss, or None if it fell by more than its noise explains."""
    least = int(np.argmin(sweep.smoothed))
    first = start_points(len(sweep.losses))
    start = float(sweep.losses[:first].mean())
    # What comes after the least is the blow-up, whose jumps are no noise.
    deviation = noise(np.diff(sweep.losses[: max(least + 1, MIN_POINTS)]))
    weights = BETA ** np.arange(least + 1)
    averaged = (
        weights.sum() ** 2 / (weights**2).sum()
    )  # as many equally weighted points have the smoothed loss's variance
    drop = start - float(sweep.smoothed[least])
    if drop > 1e-6 * abs(start) and moved(drop, deviation, first, averaged):
        return None
    return Pick(
        None,
        f"the loss never fell by more than its noise explains (from {start:.4g} to "
        f"{start - drop:.4g} at its least): take more steps",
    )


def _tenth(sweep: Sweep) -> Pick:
    """A tenth of the rate of least smoothed loss (fastai's `minimum`; Géron, Hands-On Machine
    Learning).
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
    """Where the smoothed loss falls fastest by log rate, d loss / d log rate, between the sweep's
    first tenth and the least loss.
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
    """About half-way along the longest strictly falling subsequence of the smoothed loss (fastai's
    `valley`, its approximation that the subsequence is contiguous included).
    """
    rates, losses = _middle(sweep)
    if len(losses) < MIN_POINTS:
        return _too_few(sweep, len(losses))
    longest = np.ones(len(losses), int)  # length of the longest falling subsequence that ends here
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


def _slide(sweep: Sweep, apart: int = 15, threshold: float = 0.005) -> Pick:
    """From the end of the curve backwards, the last rate at which the slopes a step, `apart` points
    apart, differ by more than `threshold` (fastai's `slide`); none past the least loss, and none
    where they differ all the way back, as where losses are large.
    """
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
    """Rates and smoothed losses without the first tenth of the steps asked for and the last five
    points, as fastai's rules take them.
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
    """The lower bound of the range test: from where on the accuracy is above its start level (Smith
    2017, section 3.3, by eye there).
    """
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
    """The upper bound of the range test: where the accuracy, having risen, is highest before it
    turns ragged or falls (Smith 2017).
    """
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
    """Rates, means of the accuracy around each, the level they start from, the standard error of
    their difference from it, and the place of the highest; or why there is no such thing.
    """
    if len(sweep.accuracy) < len(sweep.rates):
        return Pick(
            None, "the model tells no metric whose name ends in accuracy: compile it with one"
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
    """The rule where the loss has fallen, else why it says nothing."""
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
