"""What a source tells of a trial, and how it ended by a metric and a target, which may come later.

A row of `told.jsonl` is all that is known of one imported trial, whatever it was to reach. `read`
makes its run and its checks of it, for any aim.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.spec.goals import has_target, is_share, no_target, sign
from study.spec.study import StudySpec
from study.storage.checks import Checks
from study.storage.jsonl import Count, Number, Seconds, convert, read_rows
from study.storage.records import Outcome, Run

FILE = "told.jsonl"


@dataclass(frozen=True)
class Told:
    """A row of `told.jsonl`: all that a source tells of one trial.

    Args:
        id: the identity of the trial as it was imported.
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

        Raises:
            StudyError: a value that no spec may have.
        """
        changes: dict[str, Any] = {}
        if self.metric is not None:
            changes["metric"] = self.metric
        if self.goal is not None:
            changes["goal"] = self.goal
        goal = spec.with_(**changes).goal
        if self.target is not None:
            changes["target"] = self.target
        elif (self.metric or spec.metric, goal) != (spec.metric, spec.goal):
            changes["target"] = no_target(goal)
        return spec.with_(**changes)


def told_in(folder: Path) -> dict[str, Told]:
    """What the sources told of each trial, by the identity that it was imported with.

    Raises:
        StudyError: the folder is none of an import, or a line cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        raise StudyError(
            f"{folder} holds no import (no {FILE} in it), and the trials of a study end at its own "
            "target: another --target, --metric or --goal is of imports alone"
        )
    return {row.id: row for row in read_rows(path, lambda row: convert(row, Told))}


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


def reread(folder: Path, runs: Iterable[Run], spec: StudySpec) -> list[tuple[Run, Checks | None]]:
    """The runs of an import by the aim of a spec, see `read`; and what their checks saw.

    Args:
        folder: of the import.
        runs: as they are stored there.
        spec: the study, with the aim that counts.

    Raises:
        StudyError: the folder is none of an import, or no trial tells the metric.
    """
    told = told_in(folder)
    check_metric(spec.metric, told.values())
    return [read(run, told[run.id], spec) for run in runs]


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
