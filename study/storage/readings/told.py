"""All that is known of a trial, and how it ended by a metric and a target, which may come later."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from study.errors import StudyError
from study.spec.goals import has_target, is_share, sign
from study.spec.study import StudySpec
from study.storage.checks import Checks
from study.storage.jsonl import Count, Number, Seconds
from study.storage.records import Outcome, Run


@dataclass(frozen=True)
class Told:
    """All that is known of one trial, whatever it was to reach; of an import a row of `told.jsonl`.

    Args:
        id: the identity of the trial as it was stored.
        source: the file, and the trial's name in it.
        outcome: how it ended there, whatever the target: capped at its own end, diverged, failed or
            pruned.
        steps: the step of each check; empty where they are not told.
        seconds: seconds at each check; empty where they are not told.
        metrics: values by the metric's name, one a check; None where a check does not tell it.
    """

    id: str
    source: str
    outcome: Outcome = Outcome.CAPPED
    steps: tuple[Count, ...] = ()
    seconds: tuple[Seconds, ...] = ()
    metrics: Mapping[str, tuple[Number | None, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The row."""
        return {**asdict(self), "outcome": self.outcome.value}


def check_metric(metric: str, rows: Iterable[Told]) -> None:
    """Raise `StudyError` if no trial tells the metric; the sentence names those that are told."""
    there = dict.fromkeys(name for row in rows for name in row.metrics)
    if metric not in there:
        listed = ", ".join(there) or "none"
        raise StudyError(f"no trial tells the metric {metric}: they tell {listed}")


def read(run: Run, told: Told, spec: StudySpec) -> tuple[Run, Checks | None]:
    """How a trial ended by the metric, target and goal of a spec, and what its checks saw of them.

    It arrived at its first check that meets the target. Without that it is censored at its own
    end, or ended as its source says.

    Args:
        run: the trial as it was stored, by whatever aim.
        told: all that is known of it.
        spec: the study, with the aim that counts.

    Returns:
        The run, and its checks up to its end; None where its source tells none with steps.
    """
    side, metric = sign(spec.goal), spec.metric
    values = told.metrics.get(metric, ())
    seen = [place for place, value in enumerate(values) if value is not None]
    known = {place: float(values[place] or 0.0) for place in seen}
    arrival = None
    if has_target(spec.target):
        met = (place for place in seen if side * known[place] >= side * spec.target)
        arrival = next(met, None)
    if arrival is not None:
        seen = [place for place in seen if place <= arrival]
    last = arrival if arrival is not None else -1
    shown = [known[place] for place in seen]
    trial = replace(run.trial, metric=metric, target=spec.target, goal=spec.goal or "at-least")
    found = replace(
        run,
        trial=trial,
        outcome=told.outcome if arrival is None else Outcome.REACHED,
        steps=told.steps[last] if told.steps else None,
        seconds=told.seconds[last] if told.seconds else None,
        seconds_source="measured" if told.seconds else "unknown",
        accuracy=shown[-1] if shown else None,
        best_accuracy=side * max(side * value for value in shown) if shown else None,
        error="its source says that it failed" if told.outcome is Outcome.FAILED else None,
    )
    if not told.steps or not seen:
        return found, None
    return found, Checks(
        found.id,
        1,
        tuple(_short(metric, value) for value in shown),
        _losses(told, seen),
        tuple(told.steps[place] for place in seen),
        tuple(round(told.seconds[place], 3) for place in seen) if told.seconds else (),
    )


def final(told: Told, metric: str) -> float:
    """The metric at a trial's last check that tells it, NaN where none does or it diverged."""
    values = [value for value in told.metrics.get(metric, ()) if value is not None]
    return values[-1] if values and told.outcome is not Outcome.DIVERGED else math.nan


def _losses(told: Told, seen: list[int]) -> tuple[float, ...]:
    """The loss at these checks; none where it is not told at all of them."""
    name = next((name for name in told.metrics if "loss" in name.lower()), None)
    values = told.metrics[name] if name else ()
    found = [values[place] for place in seen] if name else []
    return (
        tuple(float(f"{value:.5g}") for value in found if value is not None)
        if all(value is not None for value in found)
        else ()
    )


def _short(metric: str, value: float) -> float:
    return round(value, 6) if is_share(metric) else float(f"{value:.6g}")
