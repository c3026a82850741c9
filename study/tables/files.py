"""The tables of a study as CSV files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from study.storage.jsonl import replace
from study.storage.links import refuse_links
from study.tables import intervals
from study.tables.best_rates import best
from study.tables.best_rates.targets import targets
from study.tables.cells import cells, envelope, profile, sizes, valley
from study.tables.foreign import best_final, final, timeless
from study.tables.rows import SIZES
from study.tables.stored import Source, stored
from study.validation import choice

TABLES = {"valley": valley, "cells": cells, "best": best, "envelope": envelope, "profile": profile}
"""Every table that is written, by the name of its file. A study of sizes has those of `SIZE_TABLES`
beside them.
"""


SIZE_TABLES = {"sizes": "seconds", "sizes-steps": "steps", "sizes-step-time": "step_seconds"}
"""The fits against model size that are written, by the name of the file, and what they fit."""


IMPORT_TABLES = {"final": final, "best-final": best_final}
"""The tables that an import has beside the others, by the name of the file."""


def write(
    folder: Source,
    out: str | Path | None = None,
    by: str = "weights",
    machine: str | None = None,
) -> list[Path]:
    """Write the tables of a study as CSV files.

    Args:
        folder: the study's folder, or a `StoredStudy`.
        out: the folder to write into; `StoredStudy.place` if None.
        by: what a model's size is measured by, see `sizes`.
        machine: whose runs, see `load`.

    Returns:
        The paths of the files.

    Raises:
        StudyError: no runs, runs that must not share a table, or an unknown measure of size.
    """
    choice("size", by, SIZES)
    study = stored(folder, machine)
    runs = study.some_runs
    refuse_links(Path(study.folder))
    out = Path(out) if out is not None else study.place("tables")
    kinds = ({} if timeless(runs) else TABLES) | (IMPORT_TABLES if "final" in runs else {})
    made = {name: study.best if make is best else make(runs) for name, make in kinds.items()}
    if runs["width"].nunique() >= intervals.FEWEST_SIZES:
        made |= {
            name: sizes(runs, by, measure)
            for name, measure in SIZE_TABLES.items()
            if runs[measure].notna().any()
        }
    if not timeless(runs) and len(rising := targets(study)):
        made["targets"] = rising
    out.mkdir(parents=True, exist_ok=True)
    return [write_csv(out / f"{name}.csv", table) for name, table in made.items()]


def write_csv(path: Path, table: pd.DataFrame, digits: int = 6) -> Path:
    """Write a table as a whole or not at all, and return the path.

    Args:
        path: the file.
        table: the table; its index is left out.
        digits: significant digits of a number.
    """
    replace(path, table.to_csv(index=False, float_format=f"%.{digits}g").encode())
    return path
