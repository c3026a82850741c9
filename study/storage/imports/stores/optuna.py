"""Trials of Optuna, of all studies in a file of SQLite or in a journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from study.errors import StudyError, first_line
from study.storage.imports.sheets import Sheet

OVER = ("COMPLETE", "PRUNED", "FAIL")
"""States of trials that have ended."""


GOALS = {"MAXIMIZE": "at-least", "MINIMIZE": "at-most"}


def trials_in(path: Path, sqlite: bool) -> list[Sheet]:
    """The rows of each trial that has ended: its reports, or its value.

    Args:
        path: the file, which is left as it is.
        sqlite: whether it is a database; else a journal.

    Raises:
        StudyError: Optuna is not installed, or cannot read it.
    """
    try:
        import optuna
    except ImportError:
        raise StudyError(
            f"{path}: Optuna's stores are read by optuna: pip install optuna"
        ) from None
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage: Any
        if sqlite:
            place = f"sqlite:///file:{path.resolve()}?mode=ro&uri=true"
            storage = optuna.storages.RDBStorage(place, skip_table_creation=True)
        else:
            from optuna.storages.journal import JournalFileBackend

            storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
        studies = optuna.get_all_study_names(storage)
        return [
            sheet
            for name in studies
            for sheet in _of_study(path, optuna.load_study(study_name=name, storage=storage))
        ]
    except Exception as error:  # of whatever lies under the storage
        raise StudyError(f"{path} cannot be read by optuna: {first_line(error)}") from None
    finally:
        optuna.logging.set_verbosity(level)


def _of_study(path: Path, study: Any) -> Iterator[Sheet]:
    """The trials of one study."""
    count = len(study.directions)
    names = study.metric_names or (
        ["value"] if count == 1 else [f"value_{place}" for place in range(count)]
    )
    goals = {
        name: GOALS.get(direction.name, "")
        for name, direction in zip(names, study.directions, strict=True)
    }
    for trial in study.get_trials(deepcopy=False):
        if trial.state.name not in OVER:
            continue
        same = {**trial.user_attrs, **trial.params, "trial": f"{study.study_name} {trial.number}"}
        same |= {"state": trial.state.name}
        reports = [
            {**same, "step": step, names[0]: value}
            for step, value in sorted(trial.intermediate_values.items())
        ]
        values = dict(zip(names, trial.values or (), strict=False))
        spent = {"seconds": trial.duration.total_seconds()} if trial.duration else {}
        rows = reports if reports and count == 1 else [{**same, **spent, **values}]
        yield Sheet(f"{path}, {study.study_name}", rows, one=True, goals=goals)
