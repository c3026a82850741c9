"""The learning-rate finder: a short training under a rising rate, whose curve gives a rate.

A sweep leaves the model unchanged: weights and batches are restored exactly. The rules never guess.
A curve that is too short, or whose fall its noise explains, gives no rate but the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from study.engines.learner import Learner, advance_finite
from study.errors import StudyError
from study.search.causes import too_short
from study.search.curve import BETA, Floats, Pick, smooth
from study.search.rules import RULES, SCALES
from study.spec.goals import is_share
from study.validation import choice, integer, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MAX_STEPS = 10**6
"""Largest number of steps of a sweep."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """A finished sweep, with a value for each batch.

    Args:
        rates: the learning rate of the batch's step, (T,).
        losses: the loss of the batch before its step, (T,).
        smoothed: `smooth(losses)`.
        accuracy: the fraction of the batch that was classified right, (T,); empty where the model
            has no such metric.
        scale: `log` or `linear`, how the rates rise.
        stopped: `end` (all steps were taken), `threshold` (the smoothed loss was a multiple of its
            smallest value) or `diverged` (a loss was not finite; it is left out).
        steps: steps that were planned.
        cause: why no rule may answer, where the model or its data tell; else None.
        metric: the name of what `accuracy` holds.
        rate_of: whose rate it is, in words, where a model has several optimizers; else empty.
    """

    rates: Floats
    losses: Floats
    smoothed: Floats
    accuracy: Floats
    scale: str
    stopped: str
    steps: int
    cause: str | None = None
    metric: str = "accuracy"
    rate_of: str = ""

    def pick(self, rule: str) -> Pick:
        """What a rule reads off this curve.

        Args:
            rule: a name out of `RULES`.

        Raises:
            StudyError: another name.
        """
        choice("rule", rule, tuple(RULES))
        why = self.cause or too_short(self)
        if why is not None:
            return Pick(None, why)
        pick = RULES[rule](self)
        if pick.rate is None or not self.rate_of:
            return pick
        return replace(pick, reason=f"{pick.reason}; it is the rate of {self.rate_of}")

    def suggest(self, rule: str = "tenth") -> float | None:
        """The rate by a rule, or None; see `why`."""
        return self.pick(rule).rate

    def why(self, rule: str = "tenth") -> str:
        """Why a rule gives its rate, or gives none."""
        return self.pick(rule).reason

    def plot(self) -> Figure:
        """Draw the curve with the rate of every rule; see `study.figures.sweep`."""
        from study import figures

        return figures.sweep(self)


class SweepRecorder:
    """Records a sweep batch by batch, and knows when it ends.

    Args:
        rates: the ramp, a rate a step.
        scale: how it rises, for the record.
        stop: the sweep ends when the smoothed loss is this many times its smallest value, or never
            where None. Ignored while the smallest loss is negative.
    """

    def __init__(self, rates: Floats, scale: str, stop: float | None) -> None:
        self.rates, self.scale, self.stop = rates, scale, stop
        self.losses: list[float] = []
        self.accuracy: list[float] = []
        self.stopped: str | None = None
        self.cause: str | None = None
        self.metric, self.rate_of = "accuracy", ""
        self._average, self._least = 0.0, math.inf

    def add(self, loss: float, accuracy: float | None = None) -> bool:
        """Record the next batch.

        Args:
            loss: of the batch.
            accuracy: of the batch, if there is one.

        Returns:
            Whether the sweep goes on.
        """
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

    def blame(self, cause: str) -> None:
        """End the sweep for a cause outside its rates; the first to be blamed stays."""
        self.cause, self.stopped = self.cause or cause, "diverged"

    def sweep(self) -> Sweep:
        """The sweep until now."""
        losses = np.array(self.losses)
        rates = self.rates[: len(losses)]
        return Sweep(
            rates,
            losses,
            smooth(losses),
            np.array(self.accuracy),
            self.scale,
            self.stopped or "end",
            len(self.rates),
            self.cause,
            self.metric,
            self.rate_of,
        )


def ramp(low: float, high: float, steps: int, scale: str = "log") -> Floats:
    """The rates of a sweep; `high` itself is never reached.

    Step i of N has the rate low (high / low)^(i / N), or low + (high - low) i / N.

    Args:
        low: rate of the first step.
        high: rate that would come after the last step.
        steps: N.
        scale: `log` or `linear`.

    Raises:
        StudyError: not 0 < low < high, an unknown scale, or a number of steps below 1.

    >>> ramp(1.0, 16.0, 4).tolist()
    [1.0, 2.0, 4.0, 8.0]
    """
    choice("scale", scale, SCALES)
    low, high = number("low", low, 0, 1e12), number("high", high, 0, 1e12)
    if not low < high:
        raise StudyError(f"low {low:g} must be below high {high:g}")
    steps = integer("steps", steps, 1, MAX_STEPS)
    done = np.arange(steps) / steps
    return np.asarray(low * (high / low) ** done if scale == "log" else low + (high - low) * done)


def stop_of(stop: object) -> float | None:
    """The multiple of the smallest smoothed loss at which a sweep stops.

    Args:
        stop: a number above 1; None or `none` for no such stop.

    Raises:
        StudyError: anything else.
    """
    return None if stop is None or stop == "none" else number("stop", stop, 1, 1e12)


def sweep(
    learner: Learner,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 200,
    scale: str = "log",
    stop: float | None = 4.0,
) -> list[Sweep]:
    """Train every lane under the same rising rate, and restore the learner.

    This is the range test of Smith 2017 (arXiv:1506.01186, section 3.3).

    Args:
        learner: its lanes end independently.
        low: rate of the first step.
        high: rate that would come after the last step.
        steps: steps of the ramp.
        scale: `log` or `linear`.
        stop: a lane ends when its smoothed loss is this many times its smallest value, or never
            where None.

    Returns:
        A sweep for each lane.

    Raises:
        StudyError: a value is out of its range.
    """
    rates, stop = ramp(low, high, steps, scale), stop_of(stop)
    recorders = [SweepRecorder(rates, scale, stop) for _ in range(learner.lanes)]
    before = learner.snapshot()
    try:
        learner.prepare()
        for losses, correct, _ in advance_finite(
            learner, np.broadcast_to(rates[:, None], (len(rates), learner.lanes))
        ):
            for lane, recorder in enumerate(recorders):
                told = correct[:, lane] if is_share(learner.metric) else None
                feed(recorder, losses[:, lane], told)
            if all(recorder.stopped for recorder in recorders):
                break
    finally:
        learner.restore(before)
    return [recorder.sweep() for recorder in recorders]


def feed(recorder: SweepRecorder, losses: Iterable[Any], accuracy: Iterable[Any] | None) -> None:
    """Record batches until the sweep ends.

    Args:
        recorder: takes them.
        losses: of each batch.
        accuracy: of each batch, in [0, 1]; None where the model tells none.
    """
    told = (
        ((loss, None) for loss in losses)
        if accuracy is None
        else zip(losses, accuracy, strict=True)
    )
    for loss, right in told:
        if not recorder.add(float(loss), None if right is None else float(right)):
            return
