"""What the checks of a trial saw, and validation curves, as they are stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from study.errors import StudyError
from study.spec.goals import high_share
from study.storage.jsonl import Count, Number, Seconds
from study.storage.records import Outcome


@dataclass(frozen=True)
class Watched:
    """What is known of a program beside its checks.

    Args:
        steps: the step of each check.
        seconds: seconds since the first report, at each check.
        startup: seconds to the first report, or to the end where there was none.
        first_step: the step of the first report.
        best: the best value of the metric, also where not all checks are kept.
        error: the text of the error that ended it.
    """

    steps: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()
    startup: float = 0.0
    first_step: int | None = None
    best: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Finish:
    """The end of one lane.

    Args:
        lane: the lane's place among the rates that were given to `train_lanes`.
        outcome: how the trial ended.
        steps: training steps.
        seconds: training time.
        accuracies: the metric at each check.
        losses: the loss at each check; empty where a program does not tell it.
        watched: what else is known of a program; None of any other trial.
        windows: the window accuracy at each check, where the metric is another accuracy.
    """

    lane: int
    outcome: Outcome
    steps: int
    seconds: float
    accuracies: tuple[float, ...]
    losses: tuple[float, ...]
    watched: Watched | None = None
    windows: tuple[float, ...] = ()


@dataclass(frozen=True)
class Checks:
    """A row of `checks.jsonl`: what every check of a trial saw.

    Args:
        id: the trial's identity.
        check_every: steps between two checks.
        accuracy: the metric at checks 1, 2, ...
        loss: the loss at the same checks; empty where a program does not tell it.
        steps: the step of each check; empty where they are every `check_every` steps.
        seconds: seconds of training at each check, where the clock was read there; else empty.
        window: the window accuracy at the same checks, where the metric is another accuracy.
    """

    id: str
    check_every: Count
    accuracy: tuple[Number, ...]
    loss: tuple[Number, ...]
    steps: tuple[Count, ...] = ()
    seconds: tuple[Seconds, ...] = ()
    window: tuple[Number, ...] = ()

    def __post_init__(self) -> None:
        if not (self.check_every or self.steps):
            raise StudyError("the field 'check_every' is 0, expected steps between two checks")
        if self.loss or not self.steps:
            same_number("loss", self.accuracy, self.loss)
        if self.steps:
            same_number("steps", self.accuracy, self.steps)
        if self.seconds:
            same_number("seconds", self.accuracy, self.seconds)
        if self.window:
            same_number("window", self.accuracy, self.window)

    @property
    def look(self) -> float:
        """Steps between two checks, the median where they differ; NaN of a single one."""
        if not self.steps:
            return float(self.check_every)
        gaps = [after - before for before, after in pairwise(self.steps)]
        return float(median(gaps)) if gaps else math.nan

    def to_json(self) -> dict[str, Any]:
        """The row, without the fields that most trials leave empty."""
        row = asdict(self)
        rare = ("steps", "seconds", "window")
        return {name: row[name] for name in row if row[name] or name not in rare}


def same_number(what: str, accuracy: Sequence[float], others: Sequence[float]) -> None:
    """Raise `StudyError` unless each check has one value of both."""
    if len(accuracy) != len(others):
        raise StudyError(
            f"there are {len(accuracy)} values of accuracy and {len(others)} of {what}, "
            "expected one of each a check"
        )


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
