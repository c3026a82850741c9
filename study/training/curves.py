"""Validation curves: trials are trained again, and evaluated at every check."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from study.engines.learner import Engine
from study.spec.goals import held_out_metric, sign
from study.spec.schedules.parse import parse
from study.spec.trial import Trial
from study.storage.checks import Finish
from study.training.loop import Progress, train_lanes
from study.training.stopwatch import Stopwatch


def train(
    trials: Sequence[Trial],
    step_seconds: Sequence[float],
    span: float,
    engine: Engine,
    stopwatch: Stopwatch,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> list[dict[str, Any]]:
    """Train the curves of one seed.

    Args:
        trials: they differ in optimizer and learning rate alone.
        step_seconds: seconds of one step of each trial alone.
        span: seconds that every curve covers.
        engine: makes the learner.
        stopwatch: counts the time by name.
        watch: called after every check.

    Returns:
        The curves as they are stored, a row a trial, in the order of the trials.
    """
    with stopwatch.part("build"):
        learner = engine.learner(trials)
    ends = train_lanes(
        learner,
        [trial.learning_rate for trial in trials],
        target=sign(trials[0].goal) * math.inf,
        metric=held_out_metric(trials[0].metric),
        goal=trials[0].goal,
        check_every=trials[0].check_every,
        cap=span,
        schedule=parse(trials[0].schedule),
        step_seconds=step_seconds,
        stopwatch=stopwatch,
        watch=watch,
    )
    return [
        _curve(end, trials[end.lane], span, step_seconds[end.lane])
        for end in sorted(ends, key=lambda end: end.lane)
    ]


def _curve(finish: Finish, trial: Trial, span: float, step_seconds: float) -> dict[str, Any]:
    """A curve as it is stored."""
    return {
        **trial.label,
        "span": span,
        "check_every": trial.check_every,
        "step_seconds": step_seconds,
        "outcome": str(finish.outcome),
        "accuracy": [round(value, 5) for value in finish.accuracies],
        "loss": [float(f"{value:.5g}") for value in finish.losses],
    }
