"""The rules that read a rate off the curve of a finder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from study.search.causes import not_fallen
from study.search.curve import BETA as BETA
from study.search.curve import (
    CERTAIN,
    MIN_POINTS,
    Floats,
    averaged,
    moved,
    slope_noise,
    start_points,
)
from study.search.curve import Pick as Pick
from study.search.curve import noise as noise
from study.search.curve import smooth as smooth
from study.search.range_test import fall, rise

if TYPE_CHECKING:
    from study.search.finder import Sweep


Places = NDArray[np.int_]

SCALES = ("log", "linear")


LAG = round(1 / (1 - BETA))
"""Points by which the smoothed loss comes late."""


LAST = 5
"""Last points of a curve; if its least loss is among them, no rise has been seen after it."""


def _fell(sweep: Sweep) -> Pick | None:
    """None if the loss fell by more than its noise explains, else why no rate can be read."""
    least = int(np.argmin(sweep.smoothed))
    first = start_points(len(sweep.losses))
    start, low = float(sweep.losses[:first].mean()), float(sweep.smoothed[least])
    if start - low > 1e-6 * abs(start) and moved(
        start - low, _deviation(sweep), first, float(averaged(least + 1))
    ):
        return None
    return Pick(None, not_fallen(sweep, low))


def _deviation(sweep: Sweep) -> float:
    """The noise of a batch's loss until the least: beyond it blows up, and jumps are no noise."""
    least = int(np.argmin(sweep.smoothed))
    return noise(np.diff(sweep.losses[: max(least + 1, MIN_POINTS)]))


def _falls(sweep: Sweep, begin: Places, end: Places) -> NDArray[np.bool_]:
    """Whether the points after `begin`, up to `end`, lie below the average until there.

    They do if noise does not explain it.
    """
    points = np.maximum(end - begin, 1)
    total = np.cumsum(sweep.losses)
    drop = sweep.smoothed[begin] - (total[end] - total[begin]) / points
    error = _deviation(sweep) * np.sqrt(1 / averaged(begin + 1) + 1 / points)
    return np.asarray((end > begin) & (drop > CERTAIN * error))


def _tenth(sweep: Sweep) -> Pick:
    """A tenth of the rate of least smoothed loss.

    It is fastai's `minimum`, and in Géron, Hands-On Machine Learning.
    """
    least = int(np.argmin(sweep.smoothed))
    if sweep.stopped == "end" and least >= len(sweep.rates) - LAST:
        more = "" if sweep.steps >= 4 * LAG else f", or take more steps: it lags by {LAG} of them"
        return Pick(
            None,
            "the smoothed loss was still falling at the end of the sweep: raise the rate it ends "
            f"at{more}",
        )
    rate = float(sweep.rates[least])
    return Pick(
        rate / 10,
        f"a tenth of {rate:.3g}, where the smoothed loss was least ({sweep.smoothed[least]:.4g})",
    )


def _steepest(sweep: Sweep) -> Pick:
    """Where the smoothed loss falls fastest by log rate: the minimum of d loss / d log rate.

    It is searched between the first tenth of the sweep and the least loss, among the points around
    which the loss falls by more than its noise explains.
    """
    first, least = sweep.steps // 10, int(np.argmin(sweep.smoothed))
    if least <= first:
        return Pick(
            None,
            f"the loss was least within the first {first} points, before any slope could be told",
        )
    half = start_points(len(sweep.rates)) // 2
    places = np.arange(first, least + 1)
    falls = _falls(sweep, np.maximum(places - half, 0), np.minimum(places + half, least))
    if not falls.any():
        return Pick(None, "noise explains each slope of the loss by itself: take more steps")
    slopes = np.gradient(sweep.smoothed, np.log(sweep.rates))
    place = min(places[falls], key=slopes.__getitem__)
    return Pick(
        float(sweep.rates[place]),
        f"the smoothed loss fell fastest there, by {-np.log(10) * slopes[place]:.3g} a decade of "
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
    if not _falls(sweep, *(np.array(sweep.steps // 10 + place) for place in (max(start, 0), end))):
        return Pick(None, "noise explains the longest fall of the loss: take more steps")
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
    place = len(differ) - int(np.argmin(differ))
    wobble = slope_noise(len(sweep.losses), _deviation(sweep))[sweep.steps // 10 + place]
    if wobble > threshold / np.sqrt(2):
        return Pick(
            None,
            f"noise alone changes the slope by {np.sqrt(2) * wobble:.2g} a step: take more steps, "
            "or larger batches",
        )
    rate = float(rates[place])
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


def _by_loss(rule: Callable[[Sweep], Pick]) -> Callable[[Sweep], Pick]:
    """The rule, for sweeps in which the loss has fallen; of others it says why there is no rate."""
    return lambda sweep: _fell(sweep) or rule(sweep)


RULES: dict[str, Callable[[Sweep], Pick]] = {
    "tenth": _by_loss(_tenth),
    "steepest": _by_loss(_steepest),
    "valley": _by_loss(_valley),
    "slide": _by_loss(_slide),
    "rise": rise,
    "fall": fall,
}
"""The rules by name: what each makes of a sweep."""
