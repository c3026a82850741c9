"""Tidy tables of runs, one row a trial, and which rows may share a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from study.errors import StudyError
from study.spec.trial import OPTIMIZERS
from study.storage.records import PROTOCOL, Run

CELL = ["width", "optimizer", "rate"]
"""What a cell is: its trials differ in the seed alone."""


SAME = (
    *({"cap": "cap_seconds"}.get(name, name) for name in PROTOCOL if name != "check_every"),
    "engine",
    "precision",
    "fingerprint",
)
"""Columns in which rows must agree to stand in one table: seconds of two machines or modes are not
one measurement.
"""


def frame(runs: Iterable[Run]) -> pd.DataFrame:
    """One row a run, the fields of `runs.jsonl` as columns (`versions` as `software`), optimizers
    in their usual order.
    """
    rows = [run.to_json() for run in runs]
    table = pd.DataFrame(rows, columns=list(rows[0]) if rows else None)
    if table.empty:
        return table
    table["software"] = [run.software for run in runs]
    table = table.drop(columns=["versions", "schema"])
    for name in ("steps", "step_seconds"):  # not known of every source
        table[name] = pd.to_numeric(table[name])
    table["optimizer"] = pd.Categorical(
        table["optimizer"], [name for name in OPTIMIZERS if name in set(table["optimizer"])]
    )
    return table.sort_values(["width", "optimizer", "learning_rate", "seed"], ignore_index=True)


def of_machine(runs: Sequence[Run], machine: str | None, folder: str | Path) -> list[Run]:
    """Those of a folder's runs that the machine of this name or fingerprint trained; all of them
    where it is None.

    Raises:
        StudyError: there are none of that machine; the sentence names those that there are.
    """
    found = [run for run in runs if machine in (None, run.machine, run.fingerprint)]
    if machine is not None and not found:
        there = ", ".join(sorted({f"{run.machine} ({run.fingerprint})" for run in runs}))
        raise StudyError(
            f"{folder} holds no trial of the machine {machine!r}: {there or 'none has ended'}"
        )
    return found


def curves_of(stored: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Those of the stored curves that a machine of these runs trained, or that do not tell their
    machine.
    """
    return stored[stored["fingerprint"].isin([*(runs["fingerprint"] if len(runs) else []), ""])]


def comparable(runs: pd.DataFrame, folder: str | Path = "") -> pd.DataFrame:
    """The same runs, once it is sure that they may share a table, with those optimizers as
    categories that are there.

    Raises:
        StudyError: there are none, or they differ in machine, mode or protocol; the sentence names
            the column and its values.
    """
    if runs.empty:
        where = f"{folder}: " if str(folder) else ""
        raise StudyError(f"{where}no trial has ended yet, so there is nothing to tabulate")
    for column in SAME:
        values = runs[column].drop_duplicates().tolist()
        if len(values) > 1:
            listed = ", ".join(str(value) for value in values)
            how = f"select one before tabulating, such as runs[runs.{column} == ...]"
            if column == "fingerprint":
                how = "tables, figures, claims and report take one machine's with --machine NAME"
            raise StudyError(f"the runs differ in {column} ({listed}): {how}")
    return runs.assign(optimizer=runs["optimizer"].cat.remove_unused_categories())


def budget(runs: pd.DataFrame) -> pd.Series:
    """Seconds after which each run would have been given up: its cap or its last check within
    max_steps x step time, whichever comes first; what it took where neither is known.
    """
    last = runs["max_steps"].astype(float) // runs["check_every"] * runs["check_every"]
    by_steps = last * runs["step_seconds"].astype(float)
    return (
        pd.concat([runs["cap_seconds"].astype(float), by_steps], axis=1)
        .min(axis=1)
        .fillna(runs["seconds"])
    )
