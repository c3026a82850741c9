"""Studies made up for a test: what each trial took is a function of the trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from study import tables
from study.spec.networks import size_of
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.records import Outcome, Run
from study.storage.store import Store
from support.records import RUN

STEP_SECONDS = 0.01

Truth = Callable[[Trial], float | str]
"""Seconds to the target, or the word of an outcome that is not an arrival."""


def made_runs(spec: StudySpec, truth: Truth) -> list[Run]:
    """The runs of that truth; a trial that takes longer than the cap is capped at it."""
    runs = []
    for trial in spec.trials():
        value = truth(trial)
        cap = trial.cap or 1e9
        outcome = (
            Outcome(value)
            if isinstance(value, str)
            else Outcome.REACHED
            if value <= cap
            else Outcome.CAPPED
        )
        seconds = (
            min(value, cap)
            if isinstance(value, float | int)
            else cap
            if value in ("capped", "pruned")
            else 0.5
        )
        net = size_of(trial)
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


def stored(
    folder: Path,
    spec: StudySpec,
    truth: Truth,
    versions: Mapping[str, str] | None = None,
    **changes: Any,
) -> Path:
    """A study's folder with those runs, each with these changes."""
    store = Store(folder)
    with store.writing():
        store.write(
            store.spec_path, {"schema": 1, "dataset_md5": "made up", "spec": spec.to_json()}
        )
        store.write(folder / "machine.json", {"versions": versions or {"tensorflow": "2"}})
        for run in made_runs(spec, truth):
            store.append(replace(run, **changes), None)
    return folder


def made(spec: StudySpec, truth: Truth) -> pd.DataFrame:
    """The same as a table."""
    return tables.frame(made_runs(spec, truth))
