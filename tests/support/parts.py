"""Folders of one small study, to be joined."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.machine.facts import Machine
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.jsonl import append_line, whole_lines
from study.storage.records import Outcome
from study.storage.store import Store
from support.parabola import MACHINE, calibrated
from support.records import FINISH, after

SPEC = StudySpec(
    name="parts", optimizers=("sgd", "adam"), rates=(0.1, 0.2, 0.3), cap=5.0, max_steps=500
)
TRIALS = SPEC.trials()


def part(
    folder: Path,
    trials: Sequence[Trial] = TRIALS,
    spec: StudySpec = SPEC,
    digest: str = "d",
    machine: Machine = MACHINE,
    **changes: Any,
) -> Store:
    """A folder with runs of these trials, with checks, step times, a curve and a line of time."""
    store = Store(folder)
    with store.writing():
        store.write_spec(spec, digest)
        store.write(store.machine_path, machine.to_json())
        for place, trial in enumerate(trials):
            store.append(after(100 + place, trial=trial, **changes), FINISH)
        calibrated(Calibration([folder / "calibration.json"], machine, "test"), trials[:1])
        for trial in trials[:1]:
            store.write_curves([curve(trial, machine.fingerprint)])
        append_line(store.spent_path, {"at": folder.name, "seconds": {"train": 0.1 + len(trials)}})
    return store


def curve(trial: Trial, fingerprint: str) -> dict[str, Any]:
    """A row of curves.jsonl."""
    return {
        "id": trial.id,
        "check_every": 50,
        "accuracy": [0.5, 0.75],
        "loss": [1.0, 0.5],
        "optimizer": trial.optimizer,
        "learning_rate": trial.learning_rate,
        "width": trial.width,
        "seed": trial.seed,
        "step_seconds": 0.002,
        "span": 0.2,
        "fingerprint": fingerprint,
    }


def files(folder: Path) -> dict[str, bytes]:
    """All that a folder holds, but for its lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def ids(store: Store) -> list[str]:
    """The ids in runs.jsonl, line by line."""
    return [json.loads(line)["id"] for line in whole_lines(store.runs_path)]


def failed(trials: Sequence[Trial], folder: Path) -> Store:
    """A folder in which these trials failed."""
    return part(folder, trials, outcome=Outcome.FAILED, error="no memory")
