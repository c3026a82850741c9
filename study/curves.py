"""Validation curves: each optimizer trained once more at its best rate, looked at on the validation set at every check."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from study import tables
from study.calibration import Engine
from study.race import Progress, race
from study.record import Outcome, Run
from study.stopwatch import Stopwatch
from study.store import Store, append_line

MARGIN = 1.25
"""All curves run for so many times the slowest optimizer's best time, so that what follows the target is seen too."""


def train(
    store: Store,
    runs: list[Run],
    engine: Callable[[], Engine],
    stopwatch: Stopwatch,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> None:
    """Train the curves that are not stored yet, as lanes of one array (first width, first seed), and store them.

    In an array a lane repeats its trial step by step; every curve spans the same seconds.
    """
    arrived = [run for run in runs if run.outcome is Outcome.REACHED and run.seconds > 0]
    if not arrived:
        return
    best = tables.best(tables.frame(runs)).dropna(subset="best_rate")
    best = best[best["width"] == best["width"].iloc[0]]
    chosen = []
    for optimizer, rate, width in zip(best["optimizer"], best["best_rate"], best["width"], strict=True):
        same = [r for r in arrived if (r.trial.optimizer, r.trial.learning_rate, r.trial.width) == (optimizer, rate, width)]
        chosen.append(min(same, key=lambda run: run.trial.seed))
    seed = chosen[0].trial.seed
    span = MARGIN * float(best["seconds"].max())
    if chosen[0].trial.cap is not None:
        span = min(span, chosen[0].trial.cap)
    stored = {row["id"]: row["span"] for row in store.curves()}
    if all(math.isclose(stored.get(run.id, -1), span) for run in chosen):
        return
    step_seconds = [run.seconds / run.steps for run in chosen]
    trials = [replace(run.trial, seed=seed) for run in chosen]
    with stopwatch.part("build"):
        learner = engine().learner(trials)
    every = trials[0].check_every
    for finish in race(
        learner,
        [trial.learning_rate for trial in trials],
        target=math.inf,
        metric="validation",
        check_every=every,
        cap=span,
        step_seconds=step_seconds,
        stopwatch=stopwatch,
        watch=watch,
    ):
        run = chosen[finish.lane]
        append_line(
            store.curves_path,
            {
                "id": run.id,
                "optimizer": run.trial.optimizer,
                "learning_rate": run.trial.learning_rate,
                "width": run.trial.width,
                "seed": seed,
                "span": span,
                "check_every": every,
                "step_seconds": step_seconds[finish.lane],
                "outcome": str(finish.outcome),
                "accuracy": [round(value, 5) for value in finish.accuracies],
                "loss": [float(f"{value:.5g}") for value in finish.losses],
            },
        )
