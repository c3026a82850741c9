"""A study whose every number is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from study import tables
from study.spec.study import StudySpec
from study.storage.jsonl import append_line
from study.storage.records import Outcome, Run
from study.storage.store import Store
from support.records import FINISH, RUN

RATES = (0.001, 0.01, 0.1, 1.0)
SPEC = StudySpec(
    name="made-up", optimizers=("sgd", "adam", "rmsprop"), rates=RATES, cap=10.0, seeds=3
)

# Seconds by optimizer, rate and seed; a word is the outcome of a trial that did not arrive.
TRUTH: dict[str, list[Sequence[float | str]]] = {
    "sgd": [("capped",) * 3, (8.0, 6.0, 7.0), (2.0, "stuck", 4.0), ("diverged", "diverged", 1.0)],
    "adam": [(3.0, 3.0, 3.0), (5.0, "capped", "capped"), ("stuck",) * 3, ("stuck",) * 3],
    "rmsprop": [("failed", "capped", "stuck"), ("capped",) * 3, ("diverged",) * 3, ("stuck",) * 3],
}


def made_up(spec: StudySpec = SPEC, unit: float = 1.0) -> list[Run]:
    """The runs of that truth; a second is 100 steps."""
    runs = []
    for trial in spec.trials():
        value = TRUTH[trial.optimizer][RATES.index(trial.learning_rate)][trial.seed]
        seconds = (value if isinstance(value, float) else 10.0) * unit
        outcome = Outcome.REACHED if isinstance(value, float) else Outcome(str(value))
        runs.append(
            replace(
                RUN,
                trial=trial,
                outcome=outcome,
                seconds=seconds,
                steps=round(100 * seconds / unit),
                step_seconds=unit / 100,
            )
        )
    return runs


FRAME = tables.frame(made_up())


def stored(folder: Path, curves: bool = True) -> Path:
    """A study's folder with those runs and curves."""
    store = Store(folder)
    with store.writing():
        store.write(store.spec_path, {"schema": 1, "dataset_md5": "x", "spec": SPEC.to_json()})
        for run in made_up():
            store.append(run, FINISH)
        for optimizer, rate in (("sgd", 0.1), ("adam", 0.001)) if curves else ():
            row = {
                "id": optimizer,
                "optimizer": optimizer,
                "learning_rate": rate,
                "width": 1.0,
                "seed": 0,
                "span": 5.0,
                "check_every": 50,
            }
            append_line(
                store.curves_path,
                {
                    **row,
                    "step_seconds": 0.01,
                    "accuracy": [0.5, 0.9, 0.96, 0.975],
                    "loss": [2, 1, 0.5, 0.1],
                },
            )
    return folder


def sparse() -> list[Run]:
    """The same trials, of which one alone arrived: no rate did so in the median of its seeds."""
    return [
        replace(run, outcome=Outcome.REACHED if i == 1 else Outcome.CAPPED)
        for i, run in enumerate(made_up())
    ]
