"""The stores of tools: what a folder or a file of them holds, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from study.storage.imports.sheets import Sheet


def store_in(folder: Path, files: Sequence[str]) -> list[Sheet] | None:
    """What the store in a folder holds; None if there is none.

    Args:
        folder: the folder.
        files: the names of its files.

    Raises:
        StudyError: it cannot be read, or its library is not installed.
    """
    if "result.json" in files and "params.json" in files:
        from study.storage.imports.stores import ray

        return ray.trial_in(folder)
    if "metrics.csv" in files and "hparams.yaml" in files:
        from study.storage.imports.stores import lightning

        return lightning.trial_in(folder)
    if any(name.startswith("events.out.tfevents") for name in files):
        from study.storage.imports.stores import tensorboard

        return tensorboard.trial_in(folder)
    if folder.name == "mlruns" or (folder / "0" / "meta.yaml").exists():
        from study.storage.imports.stores import mlflow

        return mlflow.runs_in(folder)
    return None


def store_at(path: Path) -> list[Sheet] | None:
    """What the store in a file holds; None if it is none."""
    with path.open("rb") as file:
        begin = file.read(200)
    if begin.startswith(b"SQLite format 3") or b'"op_code"' in begin:
        from study.storage.imports.stores import optuna

        return optuna.trials_in(path, sqlite=begin.startswith(b"SQLite"))
    return None
