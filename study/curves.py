"""Validation curves: each optimizer trained once more at its best rate, looked at on the validation set at every check."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from study import tables
from study.calibration import Engine
from study.race import Finish, Progress, race
from study.record import Outcome, Run
from study.schedules import parse
from study.spec import Trial
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
    """Train the curves (of the first width, all seeds), a seed's as lanes of one array, and store them, unless they are stored already.

    In an array a lane repeats its trial step by step; every curve spans the same seconds.
    """
    arrived = [run for run in runs if run.outcome is Outcome.REACHED and run.step_seconds]
    if not arrived:
        return
    best = tables.best(tables.frame(runs)).dropna(subset="best_rate")
    best = best[best["width"] == best["width"].iloc[0]]
    chosen = [
        next(r for r in arrived if (r.trial.optimizer, r.trial.learning_rate, r.trial.width) == key)
        for key in zip(best["optimizer"], best["best_rate"], best["width"], strict=True)
    ]
    span = MARGIN * float(best["seconds"].max())
    cap = chosen[0].trial.cap
    span = span if cap is None else min(span, cap)
    seeds = sorted({run.trial.seed for run in runs})
    groups = [[replace(run.trial, seed=seed) for run in chosen] for seed in seeds]
    stored = {row["id"]: row["span"] for row in store.curves()}
    wanted = {trial.id for trials in groups for trial in trials}
    if set(stored) == wanted and all(math.isclose(value, span) for value in stored.values()):
        return
    step_seconds = [run.step_seconds or 0.0 for run in chosen]
    curves: list[dict[str, Any]] = []
    for trials in groups:
        with stopwatch.part("build"):
            learner = engine().learner(trials)
        ends = race(
            learner,
            [trial.learning_rate for trial in trials],
            target=math.inf,
            metric="validation",
            check_every=trials[0].check_every,
            cap=span,
            schedule=parse(trials[0].schedule),
            step_seconds=step_seconds,
            stopwatch=stopwatch,
            watch=watch,
        )
        for finish in sorted(ends, key=lambda finish: finish.lane):
            curves.append({**_curve(finish, trials[finish.lane], span, step_seconds[finish.lane]), "fingerprint": runs[0].fingerprint})
    store.write_curves(curves)


def _curve(finish: Finish, trial: Trial, span: float, step_seconds: float) -> dict[str, Any]:
    """A curve as it is stored."""
    return {
        "id": trial.id,
        "optimizer": trial.optimizer,
        "learning_rate": trial.learning_rate,
        "width": trial.width,
        "seed": trial.seed,
        "span": span,
        "check_every": trial.check_every,
        "step_seconds": step_seconds,
        "outcome": str(finish.outcome),
        "accuracy": [round(value, 5) for value in finish.accuracies],
        "loss": [float(f"{value:.5g}") for value in finish.losses],
    }
