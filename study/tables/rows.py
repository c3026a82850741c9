"""Tidy tables of runs, one row a trial, and which rows may share a table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path

import pandas as pd

from study.errors import StudyError
from study.spec.trial import OPTIMIZERS, TRIAL_FIELDS
from study.storage.published.protocol import is_import
from study.storage.records import OF_PROGRAMS, PROTOCOL, RUN_FIELDS, Run

CELL = ["width", "optimizer", "rate"]
"""What defines a cell. The trials of a cell differ only in the seed."""


SIZES = ("weights", "multiply_adds", "width")
"""Measures of a model's size."""


SAME = (
    *({"cap": "cap_seconds"}.get(name, name) for name in PROTOCOL if name != "check_every"),
    "pool",
    "clock",
)
"""Columns in which rows must agree to share a table.

Seconds by two clocks, and those of two modes, are not the same measurement. Nor are the steps of
two engines or precisions, unless they were shown to be alike (`pool`).
"""


COLUMNS = {
    "id": "trial.id",
    **{name: f"trial.{name}" for name in TRIAL_FIELDS if name not in ("cap", "size")},
    "cap_seconds": "trial.cap",
    **{name: name for name in RUN_FIELDS if name != "versions"},
    "outcome": "outcome.value",
    **{name: name for name in ("software", "clock", "clock_machine", "clock_software")},
}
"""What each column of a table of runs holds: an attribute of a run."""


def frame(runs: Iterable[Run], optimizers: Iterable[str] = ()) -> pd.DataFrame:
    """Runs as a table, one row a run, sorted by width, optimizer, rate and seed.

    Args:
        runs: the runs.
        optimizers: those of their study, in its order, whether or not they have runs.

    Returns:
        A table with the fields of `Trial` and `Run` as columns, but `cap_seconds` for `cap` and
        `software` (engine, version, precision) for `versions`. `optimizer` is categorical, in the
        order of `in_order`. `clock`, `clock_machine` and `clock_software` are
        fingerprint, name and software of the machine by whose step times the seconds are. `pool` is
        the engine with its precision. `unstable` is whether the same trial, trained again in
        another array, did not end as it did. `seconds_low` and `seconds_high` are the seconds by
        the lowest and the highest reading of the step time, see `clocks.spans`. All three are known
        to `StoredStudy.runs`. `startup` and `first_step`
        are there where a run is a program's.
    """
    runs = list(runs)
    rows = list(map(attrgetter(*COLUMNS.values()), runs))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["pool"] = [f"{run.engine} {run.precision}" for run in runs]
    table["seconds_low"] = table["seconds_high"] = math.nan
    table["unstable"] = False
    untold = [name for name in OF_PROGRAMS if table[name].isna().all()]
    table = table.drop(columns=untold)
    for name in ("seconds", "steps", "step_seconds"):  # not known of every source
        table[name] = pd.to_numeric(table[name])
    names = in_order([*optimizers, *table["optimizer"]])
    table["optimizer"] = pd.Categorical(table["optimizer"], names)
    return table.sort_values(["width", "optimizer", "learning_rate", "seed"], ignore_index=True)


def in_order(names: Iterable[str]) -> list[str]:
    """Each optimizer once: those of the built-in networks in their order, then others as they come.

    >>> in_order(["lion", "adam", "sgd", "lion"])
    ['sgd', 'adam', 'lion']
    """
    there = dict.fromkeys(names)
    known = [name for name in OPTIMIZERS if name in there]
    return [*known, *(name for name in there if name not in known)]


def curves_of(stored: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The curves whose machine is one of these runs', or is not known.

    Args:
        stored: validation curves, as `curves` gives them.
        runs: a study's runs.

    Returns:
        The rows of `stored` that belong to the runs.
    """
    return stored[stored["fingerprint"].isin([*(runs["fingerprint"] if len(runs) else []), ""])]


def imported(runs: pd.DataFrame) -> bool:
    """Whether these runs are published measurements, which were imported."""
    return bool(len(runs)) and all(map(is_import, runs["fingerprint"].unique()))


def look_seconds(runs: pd.DataFrame) -> pd.Series:
    """Seconds between two looks at the accuracy of each run.

    A time is known to one look: what lies within it of another is a tie.

    Args:
        runs: the runs, as `tables.load` gives them.

    Returns:
        check_every x step_seconds; of an import the estimate that is stored with it; of a program
        the median between its own reports; NaN where neither is known. One value a run.
    """
    known = runs["check_every"].astype(float) * runs["step_seconds"].astype(float)
    stored = runs["look_seconds"] if "look_seconds" in runs else float("nan")
    return pd.Series(stored, index=runs.index, dtype=float).fillna(known).rename("look_seconds")


def some(runs: pd.DataFrame, folder: str | Path = "") -> pd.DataFrame:
    """The runs; raises `StudyError` if there are none yet."""
    if runs.empty:
        where = f"{folder}: " if str(folder) else ""
        raise StudyError(f"{where}no trial has ended yet, so there is nothing to tabulate")
    return runs


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
    some(runs, folder)
    for column in SAME:
        values = runs[column].unique().tolist()
        if len(values) > 1:
            listed = ", ".join(str(value) for value in values)
            how = f"select one before tabulating, such as runs[runs.{column} == ...]"
            if column == "clock":
                names = dict(zip(runs["clock"], runs["clock_machine"], strict=True))
                listed = ", ".join(f"{names[value]} ({value})" for value in values)
                how = "tables, figures, claims and report take one machine's with --machine NAME"
            if column == "pool":
                how = "verify --across shows whether both take the same steps"
            raise StudyError(f"the runs differ in {column} ({listed}): {how}")
    return runs.assign(optimizer=runs["optimizer"].cat.remove_unused_categories())


def budget(runs: pd.DataFrame) -> pd.Series:
    """Seconds after which each run would have been given up.

    The cap, or the time of the last check within `max_steps`, whichever comes first. If neither is
    known, the seconds that the run took. Of a run that ended before its step took a time, the
    median of its optimizer and width counts. By another machine's clock, it is the time that the
    same steps take there (the column `budget`).

    Args:
        runs: the runs.

    Returns:
        Seconds, one value a run.
    """
    if "budget" in runs:
        known: pd.Series = runs["budget"].replace(float("inf"), float("nan"))
        return known.fillna(runs["seconds"])
    last = runs["max_steps"].astype(float) // runs["check_every"] * runs["check_every"]
    step = runs["step_seconds"].astype(float)
    alike = step.groupby([runs["width"], runs["optimizer"].astype(str)]).transform("median")
    by_steps = last * step.fillna(alike)
    return (
        pd.concat([runs["cap_seconds"].astype(float), by_steps], axis=1)
        .min(axis=1)
        .fillna(runs["seconds"])
    )
