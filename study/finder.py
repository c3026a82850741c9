"""The learning-rate finder: one short training under a rising rate, and the rules that read a rate off its curve, or say why they cannot.

A sweep is charged nothing to the weights: the learner goes back to where it was, bit for bit. The rules never guess: a curve that is too
short, or that never fell by more than its noise explains, gives no rate and the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from study.errors import StudyError
from study.learner import Learner, advance_finite
from study.statistics import Floats
from study.values import choice, integer, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALES = ("log", "linear")

BETA = 0.98
"""Of the smoothing: a loss counts for 1 / 50 at first, and for half as much 34 steps later, so that the average lags by some 50 steps."""

FEWEST = 20
"""Points below which a curve says nothing."""

LAST = 5
"""A least loss among so many last points has not been seen to turn."""

CERTAIN = 5.0
"""Standard errors by which a curve must have moved."""

MOST_STEPS = 10**6


@dataclass(frozen=True)
class Pick:
    """What a rule makes of a curve: a learning rate or None, and the reason in words."""

    rate: float | None
    reason: str


@dataclass(frozen=True, eq=False)
class Sweep:
    """A finished sweep, a value a batch, and what the rules of `RULES` read off it.

    Args:
        rates: the learning rate each batch was trained at.
        losses: the batch's own loss, as the weights stood before its step.
        smoothed: `smooth(losses)`.
        accuracy: the share of the batch that was classified right; empty where the model tells none.
        scale: `log` or `linear`, how the rates rise.
        stopped: `end` (all steps done), `threshold` (the smoothed loss was a multiple of its least) or `diverged` (a loss that is not
            finite, and is left out here).
        steps: steps that were asked for.
    """

    rates: Floats
    losses: Floats
    smoothed: Floats
    accuracy: Floats
    scale: str
    stopped: str
    steps: int

    def pick(self, rule: str) -> Pick:
        """What the rule makes of this curve; an unknown rule raises `StudyError`."""
        choice("rule", rule, RULES)
        if self.steps < FEWEST:
            return Pick(None, f"a sweep of {self.steps} steps says nothing: take at least {FEWEST}, better a few hundred")
        if len(self.rates) < FEWEST:
            return Pick(None, f"the sweep ended after {len(self.rates)} points, and {FEWEST} are needed: lower the rate it starts at")
        return READERS[rule](self)

    def suggest(self, rule: str = "tenth") -> float | None:
        """The rate by the rule, or None; see `why`."""
        return self.pick(rule).rate

    def why(self, rule: str = "tenth") -> str:
        """Why the rule gives this rate, or none."""
        return self.pick(rule).reason

    def plot(self) -> Figure:
        """The curve with every rule's rate; see `study.figures.sweep`."""
        from study import figures

        return figures.sweep(self)


class Course:
    """A sweep in the making: is fed batch after batch, and knows when to stop.

    Args:
        rates: the ramp, a rate a step.
        scale: how it rises, for the record.
        stop: multiple of the least smoothed loss at which a smoothed loss ends the sweep, or None; no multiple of a least loss below zero
            means anything, so there it waits.
    """

    def __init__(self, rates: Floats, scale: str, stop: float | None) -> None:
        self.rates, self.scale, self.stop = rates, scale, stop
        self.losses: list[float] = []
        self.accuracy: list[float] = []
        self.stopped: str | None = None
        self._average, self._least = 0.0, math.inf

    def add(self, loss: float, accuracy: float | None = None) -> bool:
        """Take in the next batch's loss, and its accuracy if there is one; return whether the sweep goes on."""
        if self.stopped:
            return False
        if not math.isfinite(loss):
            self.stopped = "diverged"
            return False
        self.losses.append(loss)
        if accuracy is not None:
            self.accuracy.append(accuracy)
        self._average = BETA * self._average + (1 - BETA) * loss
        smoothed = self._average / (1 - BETA ** len(self.losses))
        self._least = min(self._least, smoothed)
        if self.stop is not None and 0 < self.stop * self._least < smoothed:
            self.stopped = "threshold"
        elif len(self.losses) == len(self.rates):
            self.stopped = "end"
        return self.stopped is None

    def sweep(self) -> Sweep:
        """The sweep as far as it came."""
        losses = np.array(self.losses)
        rates = self.rates[: len(losses)]
        return Sweep(rates, losses, smooth(losses), np.array(self.accuracy), self.scale, self.stopped or "end", len(self.rates))


def ramp(low: float, high: float, steps: int, scale: str = "log") -> Floats:
    """The rates of steps i = 0..steps-1: low (high / low)^(i / steps), or low + (high - low) i / steps; `high` itself is never reached.

    Raises:
        StudyError: not 0 < low < high, an unknown scale, or a number of steps below 1.
    """
    choice("scale", scale, SCALES)
    low, high = number("low", low, 0, 1e12), number("high", high, 0, 1e12)
    if not low < high:
        raise StudyError(f"low {low:g} must be below high {high:g}")
    steps = integer("steps", steps, 1, MOST_STEPS)
    done = np.arange(steps) / steps
    return np.asarray(low * (high / low) ** done if scale == "log" else low + (high - low) * done)


def stop_of(stop: object) -> float | None:
    """The multiple at which a sweep stops: above 1, or None or `none` for no such stop.

    Raises:
        StudyError: something else.
    """
    return None if stop is None or stop == "none" else number("stop", stop, 1, 1e12)


def smooth(losses: Floats) -> Floats:
    """Debiased exponential average: v <- 0.98 v + 0.02 loss; v / (1 - 0.98^n) (Kingma and Ba 2015, section 3)."""
    average, smoothed = 0.0, np.empty(len(losses))
    for i, loss in enumerate(losses):
        average = BETA * average + (1 - BETA) * loss
        smoothed[i] = average / (1 - BETA ** (i + 1))
    return smoothed


def sweep(
    learner: Learner, low: float = 1e-6, high: float = 10.0, steps: int = 200, scale: str = "log", stop: float | None = 4.0
) -> list[Sweep]:
    """Train every lane under the same rising rate; return a sweep a lane, the learner being where it was.

    The range test of Smith 2017 (arXiv:1506.01186, section 3.3), on a logarithmic scale unless told otherwise.

    Args:
        learner: its lanes may have ended each in its own way; none disturbs another.
        low: rate of the first step.
        high: rate that the ramp ends short of.
        steps: steps of the ramp.
        scale: `log` or `linear`.
        stop: multiple of the least smoothed loss at which a lane ends, or None.

    Raises:
        StudyError: a value out of its range.
    """
    rates, stop = ramp(low, high, steps, scale), stop_of(stop)
    courses = [Course(rates, scale, stop) for _ in range(learner.lanes)]
    before = learner.snapshot()
    try:
        learner.prepare()
        for losses, correct, _ in advance_finite(learner, np.broadcast_to(rates[:, None], (len(rates), learner.lanes))):
            for lane, course in enumerate(courses):
                feed(course, losses[:, lane], correct[:, lane])
            if all(course.stopped for course in courses):
                break
    finally:
        learner.restore(before)
    return [course.sweep() for course in courses]


def feed(course: Course, losses: Iterable[Any], accuracy: Iterable[Any]) -> None:
    """Give a course batches until it stops."""
    for loss, right in zip(losses, accuracy, strict=True):
        if not course.add(float(loss), float(right)):
            return


def noise(jumps: Floats) -> float:
    """The standard deviation of a curve's noise from the steps d between its points, in which a trend hardly shows: sd(d) / sqrt(2), or
    1.4826 median |d - median d| / sqrt(2) where that is more (Rousseeuw and Croux 1993)."""
    if not len(jumps):
        return 0.0
    return max(float(jumps.std()), 1.4826 * float(np.median(np.abs(jumps - np.median(jumps))))) / math.sqrt(2)


def start_points(count: int) -> int:
    """Points whose mean is the level that a curve of so many starts from."""
    return max(5, count // 10)


def moved(distance: float, deviation: float, *counts: float) -> bool:
    """Whether two means of so many points each differ by more than `CERTAIN` standard errors, and more than rounding."""
    return distance > CERTAIN * deviation * math.sqrt(sum(1 / count for count in counts))


def _fell(sweep: Sweep) -> Pick | None:
    """Why no rate may be read off the loss, or None if it fell by more than its noise explains."""
    least = int(np.argmin(sweep.smoothed))
    first = start_points(len(sweep.losses))
    start = float(sweep.losses[:first].mean())
    # What comes after the least is the blow-up, whose jumps are no noise.
    deviation = noise(np.diff(sweep.losses[: max(least + 1, FEWEST)]))
    weights = BETA ** np.arange(least + 1)
    averaged = weights.sum() ** 2 / (weights**2).sum()  # as many equally weighted points have the smoothed loss's variance
    drop = start - float(sweep.smoothed[least])
    if drop > 1e-6 * abs(start) and moved(drop, deviation, first, averaged):
        return None
    return Pick(
        None, f"the loss never fell by more than its noise explains (from {start:.4g} to {start - drop:.4g} at its least): take more steps"
    )


def _tenth(sweep: Sweep) -> Pick:
    """A tenth of the rate of least smoothed loss (fastai's `minimum`; Géron, Hands-On Machine Learning)."""
    least = int(np.argmin(sweep.smoothed))
    if sweep.stopped == "end" and least >= len(sweep.rates) - LAST:
        return Pick(None, "the loss was still falling at the end of the sweep: raise the rate it ends at")
    rate = float(sweep.rates[least])
    return Pick(rate / 10, f"a tenth of {rate:.3g}, where the smoothed loss was least ({sweep.smoothed[least]:.4g})")


def _steepest(sweep: Sweep) -> Pick:
    """Where the smoothed loss falls fastest by log rate, d loss / d log rate, between the sweep's first tenth and the least loss."""
    first, least = sweep.steps // 10, int(np.argmin(sweep.smoothed))
    if least <= first:
        return Pick(None, f"the loss was least within the first {first} points, before any slope could be told")
    slopes = np.gradient(sweep.smoothed, np.log(sweep.rates))[first : least + 1]
    place = first + int(np.argmin(slopes))
    return Pick(float(sweep.rates[place]), f"the smoothed loss fell fastest there, by {-np.log(10) * slopes.min():.3g} a decade of rate")


def _valley(sweep: Sweep) -> Pick:
    """About half-way along the longest strictly falling subsequence of the smoothed loss (fastai's `valley`, its approximation that the
    subsequence is contiguous included)."""
    rates, losses = _middle(sweep)
    if len(losses) < FEWEST:
        return _too_few(sweep, len(losses))
    longest = np.ones(len(losses), int)  # length of the longest falling subsequence that ends here
    for i in range(1, len(losses)):
        longest[i] = 1 + max(longest[:i][losses[:i] > losses[i]], default=0)
    end = int(np.argmax(longest))
    start = end - int(longest[end])
    third = (end - start) / 3
    place = max(0, start + int(third) + int(third / 2))
    return Pick(float(rates[place]), f"half-way down the longest fall of the smoothed loss ({longest[end]} points)")


def _slide(sweep: Sweep, apart: int = 15, threshold: float = 0.005) -> Pick:
    """From the end of the curve backwards, the last rate at which the slopes a step, `apart` points apart, differ by more than
    `threshold` (fastai's `slide`); none past the least loss, and none where they differ all the way back, as where losses are large."""
    rates, losses = _middle(sweep)
    if len(losses) < FEWEST:
        return _too_few(sweep, len(losses))
    slopes = np.gradient(losses)
    differ = np.abs(slopes[apart:] - slopes[:-apart])[::-1] > threshold
    if not differ[0]:
        return Pick(None, f"the curve's slope hardly changes at its end (by less than {threshold:g} a step over {apart} steps)")
    if differ.all():
        return Pick(None, f"the slope differs by more than {threshold:g} a step all the way back: the rule is meant for losses near one")
    rate = float(rates[len(differ) - int(np.argmin(differ))])
    least = float(sweep.rates[np.argmin(sweep.smoothed)])
    if rate >= least:
        return Pick(None, f"the slope settles at {rate:.3g} only, past the rate of least loss ({least:.3g})")
    return Pick(rate, "where the slope, followed back from the curve's end, settles")


def _middle(sweep: Sweep) -> tuple[Floats, Floats]:
    """Rates and smoothed losses without the first tenth of the steps asked for and the last five points, as fastai's rules take them."""
    inside = slice(sweep.steps // 10, -LAST)
    return sweep.rates[inside], sweep.smoothed[inside]


def _too_few(sweep: Sweep, left: int) -> Pick:
    return Pick(None, f"without its ends the curve has {left} of {sweep.steps} points, and {FEWEST} are needed: start at a lower rate")


def _rise(sweep: Sweep) -> Pick:
    """The lower bound of the range test: from where on the accuracy is above its start level (Smith 2017, section 3.3, by eye there)."""
    seen = _climb(sweep)
    if isinstance(seen, Pick):
        return seen
    rates, means, start, error, peak = seen
    low = np.flatnonzero(means[:peak] <= start + CERTAIN * error)
    place = int(low[-1]) + 1 if len(low) else 0
    return Pick(float(rates[place]), f"from there on the accuracy is above the {start:.1%} of the start")


def _fall(sweep: Sweep) -> Pick:
    """The upper bound of the range test: where the accuracy, having risen, is highest before it turns ragged or falls (Smith 2017)."""
    seen = _climb(sweep)
    if isinstance(seen, Pick):
        return seen
    rates, means, _, error, peak = seen
    if sweep.stopped == "end" and means[peak] - means[peak:].min() <= CERTAIN * error:
        return Pick(None, "the accuracy had not fallen at the end of the sweep: raise the rate it ends at")
    return Pick(float(rates[peak]), f"the accuracy rose no further than the {means[peak]:.1%} there")


def _climb(sweep: Sweep) -> Pick | tuple[Floats, Floats, float, float, int]:
    """Rates, means of the accuracy around each, the level they start from, the standard error of their difference from it, and the place
    of the highest; or why there is no such thing."""
    if len(sweep.accuracy) < len(sweep.rates):
        return Pick(None, "the model tells no metric whose name ends in accuracy: compile it with one")
    first = start_points(len(sweep.rates))
    half = first // 2
    width = 2 * half + 1
    means = np.convolve(sweep.accuracy, np.full(width, 1 / width), mode="valid")
    rates, start = sweep.rates[half : half + len(means)], float(sweep.accuracy[:first].mean())
    peak = int(np.argmax(means))
    deviation = noise(np.diff(sweep.accuracy))
    if not means[peak] - start > 1e-6 or not moved(float(means[peak]) - start, deviation, first, width):
        return Pick(None, f"the accuracy never rose by more than its noise explains (from {start:.1%} to {means[peak]:.1%} at most)")
    return rates, means, start, deviation * math.sqrt(1 / first + 1 / width), peak


def _by_loss(rule: Callable[[Sweep], Pick]) -> Callable[[Sweep], Pick]:
    """The rule where the loss has fallen, else why it says nothing."""
    return lambda sweep: _fell(sweep) or rule(sweep)


READERS: dict[str, Callable[[Sweep], Pick]] = {
    **{name: _by_loss(rule) for name, rule in dict(tenth=_tenth, steepest=_steepest, valley=_valley, slide=_slide).items()},
    "rise": _rise,
    "fall": _fall,
}
"""The rules by name."""

RULES = tuple(READERS)
