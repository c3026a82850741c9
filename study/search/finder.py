"""The learning-rate finder: one short training under a rising rate, and the rules that read a rate
off its curve, or say why they cannot.

A sweep is charged nothing to the weights: the learner goes back to where it was, bit for bit. The
rules never guess: a curve that is too short, or that never fell by more than its noise explains,
gives no rate and the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from study.engines.learner import Learner, advance_finite
from study.errors import StudyError
from study.search.rules import BETA, MIN_POINTS, RULES, SCALES, Floats, Pick, smooth
from study.validation import choice, integer, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MAX_STEPS = 10**6


@dataclass(frozen=True, eq=False)
class Sweep:
    """A finished sweep, a value a batch, and what the rules of `RULES` read off it.

    Args:
        rates: the learning rate each batch was trained at.
        losses: the batch's own loss, as the weights stood before its step.
        smoothed: `smooth(losses)`.
        accuracy: the share of the batch that was classified right; empty where the model tells
            none.
        scale: `log` or `linear`, how the rates rise.
        stopped: `end` (all steps done), `threshold` (the smoothed loss was a multiple of its least)
            or `diverged` (a loss that is not finite, and is left out here).
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
        choice("rule", rule, tuple(RULES))
        if self.steps < MIN_POINTS:
            return Pick(
                None,
                f"a sweep of {self.steps} steps says nothing: take at least {MIN_POINTS}, better a "
                "few hundred",
            )
        if len(self.rates) < MIN_POINTS:
            return Pick(
                None,
                f"the sweep ended after {len(self.rates)} points, and {MIN_POINTS} are needed: "
                "lower the rate it starts at",
            )
        return RULES[rule](self)

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


class SweepRecorder:
    """A sweep in the making: is fed batch after batch, and knows when to stop.

    Args:
        rates: the ramp, a rate a step.
        scale: how it rises, for the record.
        stop: multiple of the least smoothed loss at which a smoothed loss ends the sweep, or None;
            no multiple of a least loss below zero means anything, so there it waits.
    """

    def __init__(self, rates: Floats, scale: str, stop: float | None) -> None:
        self.rates, self.scale, self.stop = rates, scale, stop
        self.losses: list[float] = []
        self.accuracy: list[float] = []
        self.stopped: str | None = None
        self._average, self._least = 0.0, math.inf

    def add(self, loss: float, accuracy: float | None = None) -> bool:
        """Take in the next batch's loss, and its accuracy if there is one; return whether the sweep
        goes on.
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

    def sweep(self) -> Sweep:
        """The sweep as far as it came."""
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
        )


def ramp(low: float, high: float, steps: int, scale: str = "log") -> Floats:
    """The rates of steps i = 0..steps-1: low (high / low)^(i / steps), or low + (high - low) i /
    steps; `high` itself is never reached.

    Raises:
        StudyError: not 0 < low < high, an unknown scale, or a number of steps below 1.
    """
    choice("scale", scale, SCALES)
    low, high = number("low", low, 0, 1e12), number("high", high, 0, 1e12)
    if not low < high:
        raise StudyError(f"low {low:g} must be below high {high:g}")
    steps = integer("steps", steps, 1, MAX_STEPS)
    done = np.arange(steps) / steps
    return np.asarray(low * (high / low) ** done if scale == "log" else low + (high - low) * done)


def stop_of(stop: object) -> float | None:
    """The multiple at which a sweep stops: above 1, or None or `none` for no such stop.

    Raises:
        StudyError: something else.
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
    """Train every lane under the same rising rate; return a sweep a lane, the learner being where
    it was.

    The range test of Smith 2017 (arXiv:1506.01186, section 3.3), on a logarithmic scale unless told
    otherwise.

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
    recorders = [SweepRecorder(rates, scale, stop) for _ in range(learner.lanes)]
    before = learner.snapshot()
    try:
        learner.prepare()
        for losses, correct, _ in advance_finite(
            learner, np.broadcast_to(rates[:, None], (len(rates), learner.lanes))
        ):
            for lane, recorder in enumerate(recorders):
                feed(recorder, losses[:, lane], correct[:, lane])
            if all(recorder.stopped for recorder in recorders):
                break
    finally:
        learner.restore(before)
    return [recorder.sweep() for recorder in recorders]


def feed(recorder: SweepRecorder, losses: Iterable[Any], accuracy: Iterable[Any]) -> None:
    """Give a recorder batches until it stops."""
    for loss, right in zip(losses, accuracy, strict=True):
        if not recorder.add(float(loss), float(right)):
            return
