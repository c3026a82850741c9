"""The tables of a study as CSV files."""

from __future__ import annotations

from pathlib import Path

from study.storage.store import refuse_links
from study.tables import intervals
from study.tables.best_rates import best
from study.tables.cells import cells, valley
from study.tables.load import load
from study.tables.summaries import envelope, profile, sizes

TABLES = {"valley": valley, "cells": cells, "best": best, "envelope": envelope, "profile": profile}
"""Every table that is written, by the name of its file; beside them the fits of sizes, where there
are sizes to compare.
"""


SIZE_TABLES = {"sizes": "seconds", "sizes-steps": "steps", "sizes-step-time": "step_seconds"}
"""The fits that are written, by the name of the file, and what they fit."""


def write(
    folder: str | Path,
    out: str | Path | None = None,
    by: str = "weights",
    machine: str | None = None,
) -> list[Path]:
    """Rebuild `tables/*.csv` from the stored runs of a study; return the paths.

    Args:
        folder: the study's folder.
        out: where to; `folder`/tables where None.
        by: what a model's size is measured by, see `sizes`.
        machine: whose runs, see `load`.

    Raises:
        StudyError: no runs, runs that must not share a table, or an unknown measure of size.
    """
    runs = load(folder, machine)
    refuse_links(Path(folder))
    out = Path(out) if out is not None else Path(folder) / "tables"
    made = {name: make(runs) for name, make in TABLES.items()}
    if runs["width"].nunique() >= intervals.FEWEST_SIZES:
        made |= {
            name: sizes(runs, by, measure)
            for name, measure in SIZE_TABLES.items()
            if runs[measure].notna().any()
        }
    out.mkdir(parents=True, exist_ok=True)
    for name, table in made.items():
        table.to_csv(out / f"{name}.csv", index=False, float_format="%.6g")
    return [out / f"{name}.csv" for name in made]
