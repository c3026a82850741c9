"""Tidy tables of runs, one row a trial, and which rows may share a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from study.errors import StudyError
from study.spec.trial import OPTIMIZERS
from study.storage.records import PROTOCOL, Run

CELL = ["width", "optimizer", "rate"]
"""What defines a cell. The trials of a cell differ only in the seed."""


SAME = (
    *({"cap": "cap_seconds"}.get(name, name) for name in PROTOCOL if name != "check_every"),
    "engine",
    "precision",
    "fingerprint",
)
"""Columns in which rows must agree to share a table.

Seconds of two machines or modes are not the same measurement.
"""


def frame(runs: Iterable[Run]) -> pd.DataFrame:
    """Runs as a table, one row a run, sorted by width, optimizer, rate and seed.

    Args:
        runs: the runs.

    Returns:
        A table with the fields of `Trial` and `Run` as columns, but `cap_seconds` for `cap` and
        `software` (engine, version, precision) for `versions`. `optimizer` is categorical, in the
        order of `OPTIMIZERS`.
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
    """The runs that one machine trained.

    Args:
        runs: all runs of a folder.
        machine: the machine's name or fingerprint; None takes all runs.
        folder: the folder, for the error's sentence.

    Returns:
        The runs of that machine.

    Raises:
        StudyError: that machine trained none; the sentence names the machines that did.
    """
    found = [run for run in runs if machine in (None, run.machine, run.fingerprint)]
    if machine is not None and not found:
        there = ", ".join(sorted({f"{run.machine} ({run.fingerprint})" for run in runs}))
        raise StudyError(
            f"{folder} holds no trial of the machine {machine!r}: {there or 'none has ended'}"
        )
    return found


def curves_of(stored: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The curves whose machine is one of these runs', or is not known.

    Args:
        stored: validation curves, as `curves` gives them.
        runs: a study's runs.

    Returns:
        The rows of `stored` that belong to the runs.
    """
    return stored[stored["fingerprint"].isin([*(runs["fingerprint"] if len(runs) else []), ""])]


def comparable(runs: pd.DataFrame, folder: str | Path = "") -> pd.DataFrame:
    """Check that the runs can be compared, and remove the unused optimizer categories.

    Args:
        runs: the runs, as `load` gives them.
        folder: their folder, for the error's sentence.

    Returns:
        The runs.

    Raises:
        StudyError: there are no runs, or they differ in machine, mode or protocol; the sentence
            names the column and its values.
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
    """Seconds after which each run would have been given up.

    The cap, or the time of the last check within `max_steps`, whichever comes first. If neither is
    known, the seconds that the run took.

    Args:
        runs: the runs.

    Returns:
        Seconds, one value a run.
    """
    last = runs["max_steps"].astype(float) // runs["check_every"] * runs["check_every"]
    by_steps = last * runs["step_seconds"].astype(float)
    return (
        pd.concat([runs["cap_seconds"].astype(float), by_steps], axis=1)
        .min(axis=1)
        .fillna(runs["seconds"])
    )
