"""Studies made up for a test: what each trial took is a function of the trial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
from test_store import RUN

from study import tables
from study.network import network_of
from study.record import Outcome, Run
from study.spec import StudySpec, Trial

STEP_SECONDS = 0.01

Truth = Callable[[Trial], float | str]
"""Seconds to the target, or the word of an outcome that is not an arrival."""


def made_runs(spec: StudySpec, truth: Truth) -> list[Run]:
    """The runs of that truth; a trial that takes longer than the cap is capped at it."""
    runs = []
    for trial in spec.trials():
        value = truth(trial)
        cap = trial.cap or 1e9
        outcome = Outcome(value) if isinstance(value, str) else Outcome.REACHED if value <= cap else Outcome.CAPPED
        seconds = min(value, cap) if isinstance(value, float | int) else cap if value in ("capped", "pruned") else 0.5
        net = network_of(trial)
        runs.append(
            replace(
                RUN,
                trial=trial,
                outcome=outcome,
                seconds=seconds,
                steps=round(seconds / STEP_SECONDS),
                step_seconds=STEP_SECONDS,
                weights=net.weights,
                multiply_adds=net.multiply_adds,
            )
        )
    return runs


def made(spec: StudySpec, truth: Truth) -> pd.DataFrame:
    """The same as a table."""
    return tables.frame(made_runs(spec, truth))
