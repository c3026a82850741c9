"""Validation curves: each optimizer trained once more at its best rate, looked at on the validation set at every check."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from study import tables
from study.calibration import Engine
from study.race import Progress, race
from study.record import Outcome, Run
from study.stopwatch import Stopwatch
from study.store import Store

MARGIN = 1.25
"""All curves run for so many times the slowest optimizer's best time, so that what follows the target is seen too."""


def train(
    store: Store,
    runs: list[Run],
    engine: Callable[[], Engine],
    stopwatch: Stopwatch,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> None:
    """Train the curves as lanes of one array (first width, first seed) and store them, unless they are stored as they would be.

    In an array a lane repeats its trial step by step; every curve spans the same seconds.
    """
    arrived = [run for run in runs if run.outcome is Outcome.REACHED and run.seconds > 0]
    if not arrived:
        return
    best = tables.best(tables.frame(runs)).dropna(subset="best_rate")
    best = best[best["width"] == best["width"].iloc[0]]
    chosen = [
        next(r for r in arrived if (r.trial.optimizer, r.trial.learning_rate, r.trial.width) == key)
        for key in zip(best["optimizer"], best["best_rate"], best["width"], strict=True)
    ]
    seed = min(run.trial.seed for run in runs)
    trials = [replace(run.trial, seed=seed) for run in chosen]
    span = MARGIN * float(best["seconds"].max())
    if trials[0].cap is not None:
        span = min(span, trials[0].cap)
    stored = {row["id"]: row["span"] for row in store.curves()}
    if set(stored) == {trial.id for trial in trials} and all(math.isclose(value, span) for value in stored.values()):
        return
    step_seconds = [run.seconds / run.steps for run in chosen]
    with stopwatch.part("build"):
        learner = engine().learner(trials)
    curves: dict[int, dict[str, Any]] = {}
    for finish in race(
        learner,
        [trial.learning_rate for trial in trials],
        target=math.inf,
        metric="validation",
        check_every=trials[0].check_every,
        cap=span,
        step_seconds=step_seconds,
        stopwatch=stopwatch,
        watch=watch,
    ):
        trial = trials[finish.lane]
        curves[finish.lane] = {
            "id": trial.id,
            "optimizer": trial.optimizer,
            "learning_rate": trial.learning_rate,
            "width": trial.width,
            "seed": seed,
            "span": span,
            "check_every": trial.check_every,
            "step_seconds": step_seconds[finish.lane],
            "outcome": str(finish.outcome),
            "accuracy": [round(value, 5) for value in finish.accuracies],
            "loss": [float(f"{value:.5g}") for value in finish.losses],
        }
    store.write_curves([curves[lane] for lane in sorted(curves)])
