"""What trials are to reach, asked of them after they were trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from study.spec.goals import no_target
from study.spec.study import StudySpec
from study.spec.trial import METRICS


@dataclass(frozen=True)
class Aim:
    """What trials are asked for afterwards; None keeps what the study has.

    Args:
        metric: the metric.
        target: its value to reach.
        goal: `at-least` or `at-most`.
    """

    metric: str | None = None
    target: float | None = None
    goal: str | None = None

    def __bool__(self) -> bool:
        return self != Aim()

    def of(self, spec: StudySpec) -> StudySpec:
        """A study's spec with this aim. The target of another metric, or goal, is none of this one.

        The accuracies of a built-in network share their target.

        Raises:
            StudyError: a value that no spec may have.
        """
        changes: dict[str, Any] = {}
        if self.metric is not None:
            changes["metric"] = self.metric
        if self.goal is not None:
            changes["goal"] = self.goal
        goal = spec.with_(**changes).goal
        same = {spec.metric, self.metric or spec.metric} <= {*METRICS}
        if self.target is not None:
            changes["target"] = self.target
        elif not same and (self.metric or spec.metric, goal) != (spec.metric, spec.goal):
            changes["target"] = no_target(goal)
        return spec.with_(**changes)
