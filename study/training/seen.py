"""What a program has reported so far, and what that means for its trial: no process, no file."""

from __future__ import annotations

import math
from typing import Any

from study.engines.command.reports import BadReport, Report
from study.errors import StudyError
from study.spec.budget import last_step
from study.spec.goals import is_share, sign
from study.spec.pruning import hopeless, plateau
from study.spec.trial import Trial
from study.storage.checks import Finish, Watched
from study.storage.records import Outcome

MOST_CHECKS = 4000
"""Checks of a trial that are kept; of more, every second one."""


RESOLUTION = 1e-3
"""Seconds to which the time of a report is known; less is told of no arrival."""


class Seen:
    """The reports of one trial.

    Args:
        trial: what they are of.
        percent: whether accuracies are told in percent.

    Attributes:
        step: the last step that counts.
        elapsed: seconds from the first report to it.
        names: the metrics that were told.
    """

    def __init__(self, trial: Trial, percent: bool = False) -> None:
        self.trial, self.percent = trial, percent
        self.sign = sign(trial.goal)
        self.first: Report | None = None
        self.begun = 0.0
        self.step, self.elapsed = 0, 0.0
        self.names: dict[str, None] = {}
        self.checks: list[tuple[int, float, float, float | None]] = []
        self.loss: float | None = None
        self.best: float | None = None

    def enter(self, report: Report, now: float) -> Outcome | None:
        """Take down a report.

        Time and steps beyond the budget come first: a value that they did not leave room for is not
        credited.

        Args:
            report: what the program tells.
            now: when it was read, in seconds.

        Returns:
            How the trial ends; None while it goes on.

        Raises:
            BadReport: it goes backwards, changes its unit, or tells a value that cannot be.
            StudyError: an accuracy above 1, where a share is expected.
        """
        trial = self.trial
        if self.first is None:
            self.first, self.begun = report, now
        elif report.unit != self.first.unit:
            raise BadReport(
                f"the units of its reports are mixed: {self.first.unit} first, then {report.unit}"
            )
        if report.step < self.step:
            raise BadReport(f"its reports go backwards: step {report.step} after step {self.step}")
        if trial.max_steps is not None and report.step > trial.max_steps:
            self.step, self.elapsed = trial.max_steps, now - self.begun
            return Outcome.CAPPED
        self.step, self.elapsed = report.step, now - self.begun
        self.names |= dict.fromkeys(report.values)
        losses = {name: value for name, value in report.values.items() if "loss" in name.lower()}
        watched = (*losses.values(), report.values.get(trial.metric, 0.0))
        if not all(map(math.isfinite, watched)):
            return Outcome.DIVERGED
        self.loss = next(iter(losses.values()), self.loss)
        if self.beyond(now):
            return Outcome.CAPPED
        if trial.metric not in report.values:  # it may follow, at the same step
            return None
        value = self._value(report.values[trial.metric])
        self._keep(value)
        if self.sign * value >= self.sign * trial.target:
            return Outcome.REACHED
        if self.step == trial.max_steps:
            return Outcome.CAPPED
        return Outcome.PRUNED if self._pruned() else None

    def beyond(self, now: float) -> bool:
        """Whether the cap is over."""
        cap = self.trial.cap
        return self.first is not None and cap is not None and now - self.begun > cap

    def finish(self, outcome: Outcome, startup: float, error: str | None = None) -> Finish:
        """The end of the trial.

        Args:
            outcome: how it ended.
            startup: seconds to the first report, or to the end where there was none.
            error: what ended it, if it failed.
        """
        empty: tuple[tuple[Any, ...], ...] = ((), (), (), ())
        steps, seconds, values, losses = zip(*self.checks, strict=True) if self.checks else empty
        first = None if self.first is None else self.first.step
        arrived = outcome is Outcome.REACHED
        return Finish(
            0,
            outcome,
            self.step,
            max(self.elapsed, RESOLUTION) if arrived else self.elapsed,
            values,
            () if None in losses else losses,
            Watched(steps, seconds, startup, first, self.best, error),
        )

    def _value(self, value: float) -> float:
        """A value of the metric as it is stored; accuracies are shares."""
        metric = self.trial.metric
        if not is_share(metric):
            return float(f"{value:.6g}")
        share = value / 100 if self.percent else value
        if share < 0 or (self.percent and share > 1):
            raise BadReport(f"{metric} {value:g} is no accuracy")
        if share > 1:
            raise StudyError(
                f"the program reports {metric} {value:g}, and the target {self.trial.target:g} is "
                "a share: give --percent where it tells percents, with the target as a share"
            )
        return round(share, 6)

    def _keep(self, value: float) -> None:
        if self.best is None or self.sign * value > self.sign * self.best:
            self.best = value
        self.checks.append((self.step, self.elapsed, value, self.loss))
        if len(self.checks) > MOST_CHECKS:
            self.checks = self.checks[::-2][::-1]

    def _pruned(self) -> bool:
        """Whether the trial is to be given up, as it asks for."""
        trial, seen = self.trial, [check[2] for check in self.checks]
        if trial.prune == "plateau":
            return plateau([self.sign * value for value in seen])
        if trial.prune == "hopeless" and self.step:
            limit = math.inf if trial.max_steps is None else trial.max_steps
            last = last_step(limit, self.step, self.elapsed, trial.cap)
            return hopeless(seen, len(seen) * last / self.step, trial.target)
        return False
