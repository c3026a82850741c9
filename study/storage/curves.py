"""Validation curves as they are stored."""

from __future__ import annotations

import math
from dataclasses import dataclass

from study.errors import StudyError
from study.spec.goals import high_share
from study.storage.jsonl import Count, Number, Seconds
from study.storage.records import Outcome, same_number

COLLAPSE = 0.2
"""A curve of accuracies collapsed if it diverged, or ends this far below the target."""


def floor_of(metric: str, target: float, goal: str | None) -> float:
    """The value below which the end of a validation curve tells that its training collapsed.

    Only an accuracy that is to be high has one. Of another metric nobody knows what is far off, so
    that its curves collapse by diverging alone.
    """
    return target - COLLAPSE if high_share(metric, goal) else -math.inf


@dataclass(frozen=True)
class Curve:
    """A row of `curves.jsonl`: a validation curve of an optimizer at its best rate.

    What only a foreign source leaves open is None: its steps, its step time and its rate.

    Args:
        id: the trial's identity.
        check_every: steps between two checks.
        accuracy: validation accuracy at checks 1, 2, ...; of a model of the user's own the metric
            that `goals.of_curves` names.
        loss: the loss at the same checks; empty if `seconds` are told.
        optimizer, learning_rate, width, seed: what was trained.
        step_seconds: seconds of one step.
        span: seconds of training that the curve covers.
        outcome: how the training ended; empty in older rows.
        fingerprint: the machine that the step time is of; empty if it is not known.
        seconds: seconds of training at each check, of a curve that does not tell its steps.
    """

    id: str
    check_every: Count | None
    accuracy: tuple[Number, ...]
    loss: tuple[Number, ...]
    optimizer: str
    learning_rate: Number | None
    width: Number
    seed: Count
    step_seconds: Number | None
    span: Number
    outcome: str = ""
    fingerprint: str = ""
    seconds: tuple[Seconds, ...] | None = None

    def __post_init__(self) -> None:
        if self.seconds is None:
            if self.check_every is None or self.step_seconds is None:
                raise StudyError("the curve tells neither its seconds nor its steps and step time")
            same_number("loss", self.accuracy, self.loss)
        else:
            same_number("seconds", self.accuracy, self.seconds)

    def collapsed(self, floor: float) -> bool:
        """Whether the training did not last to the curve's end; see `floor_of`."""
        ends_low = bool(self.accuracy) and self.accuracy[-1] < floor
        return ends_low or self.outcome == Outcome.DIVERGED
