"""The executor of this process alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from study.engines.learner import Engine
from study.execution.executors.base import Job, Watch
from study.machine import device
from study.spec.trial import Trial
from study.storage.rounds import Rounds
from study.tables import best_rates
from study.training import curves, timing
from study.training.group import Context, Emit, train
from study.training.loop import Progress
from study.training.stopwatch import Stopwatch


class Here:
    """This process, all cores to itself.

    Args:
        engine: makes the engine when it is first needed.
        stopwatch: counts where the time goes.
    """

    def __init__(self, engine: Callable[[], Engine], stopwatch: Stopwatch) -> None:
        self.engine, self.stopwatch = engine, stopwatch

    def measure(self, trials: Sequence[Trial], watch: Callable[[int, int], None]) -> list[Rounds]:
        """`calibration.step_times`."""
        return timing.step_times(trials, self.engine(), self.stopwatch.clock, watch)

    def probe(self, trial: Trial, sizes: Sequence[int]) -> dict[int, Rounds]:
        """`calibration.probe`, with the device to itself."""
        with device.alone():
            return timing.probe(trial, sizes, self.engine(), self.stopwatch.clock)

    def train(
        self, groups: Sequence[Job], context: Context, emit: Emit, watch: Watch
    ) -> dict[str, float]:
        """Train the groups one after another; `emit` each run as it comes and `watch` each group's
        checks. The seconds are on the stopwatch; none are elsewhere.
        """
        context = replace(context, device=device.current())
        for i, (trials, step_seconds) in enumerate(groups):
            train(
                trials,
                step_seconds,
                self.engine(),
                context,
                emit,
                self.stopwatch,
                partial(watch, i),
            )
        return {}

    def curves(
        self, wanted: best_rates.Wanted, watch: Callable[[Progress], None]
    ) -> list[dict[str, Any]]:
        """Train the validation curves and return their rows."""
        seeds = (
            curves.train(
                trials, wanted.step_seconds, wanted.span, self.engine(), self.stopwatch, watch
            )
            for trials in wanted.groups
        )
        return [row for rows in seeds for row in rows]
