"""What claims are judged on: grids, studies of sizes, contests, cycles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from study import tables
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED, Verdict
from study.spec.study import StudySpec
from study.storage.store import Store
from study.tables import case_study, contests


@dataclass(frozen=True)
class Evidence:
    """A study as the claims see it: what was asked for, its runs and its validation curves."""

    spec: StudySpec
    runs: pd.DataFrame
    curves: pd.DataFrame


@dataclass(frozen=True)
class Rows:
    """What a folder holds beside a study: the table of a `contest`, or the rows of the case study
    of `cycles`.
    """

    kind: str
    table: pd.DataFrame


Known = Sequence[Evidence | Rows]
"""All that the claims are held against."""


def studies_in(known: Known) -> list[Evidence]:
    """The studies."""
    return [one for one in known if isinstance(one, Evidence)]


def rows_of(known: Known, kind: str) -> pd.DataFrame | None:
    """The rows of this kind, those with most seeds if there are several; None if there are none."""
    found = [one.table for one in known if isinstance(one, Rows) and one.kind == kind]
    return max(found, key=lambda table: (table["seed"].nunique(), len(table))) if found else None


def evidence(folder: tables.Source, machine: str | None = None) -> Evidence | Rows:
    """What a folder holds that claims can be judged on.

    Args:
        folder: of a study, a contest or a case study of cycles; or a `StoredStudy`.
        machine: whose runs of a study to take, see `tables.load`.

    Returns:
        A study's evidence, or the rows of a contest or a case study.

    Raises:
        StudyError: the folder holds nothing of the kind, or rows that must not share a table.
    """
    if not isinstance(folder, tables.StoredStudy):
        rows = rows_in(folder)
        if rows is not None:
            return rows
    study = tables.stored(folder, machine)
    return evidence_of(study.spec, study.runs, study.curves)


def rows_in(folder: str | Path) -> Rows | None:
    """The rows that a contest or the case study of cycles left in a folder.

    None if there are none, and for the folder of a study.
    """
    if Store(Path(folder)).spec_path.exists():
        return None
    for kind, name, read in (
        ("contest", contests.TABLE, contests.read),
        ("cycles", case_study.FILE, case_study.read),
    ):
        if (Path(folder) / name).exists():
            return Rows(kind, read(folder))
    return None


def evidence_of(spec: StudySpec, runs: pd.DataFrame, curves: pd.DataFrame) -> Evidence:
    """A study's evidence. Runs outside its present grid and curves of other machines are left out.

    Args:
        spec: what the study was asked for.
        runs: its runs.
        curves: its validation curves.

    Returns:
        The evidence.

    Raises:
        StudyError: the runs must not share a table.
    """
    if len(runs):
        runs = runs[runs["id"].isin([trial.id for trial in spec.trials()])]
    if len(runs):
        runs = tables.comparable(runs)
    return Evidence(spec, runs, tables.curves_of(curves, runs))


def verdicts(studies: Known) -> list[Verdict]:
    """Every claim's verdict on these studies together: a claim about rates takes the largest grid,
    one about sizes the most widths.
    """
    return [CLAIMS[id_].judge(studies) for id_ in CLAIMS]


def held(
    id: str,
    statistic: float,
    low: float,
    high: float,
    threshold: float,
    reason: str,
    above: bool = True,
) -> Verdict:
    """The verdict where the claim is that the statistic lies above (or below) the threshold."""
    over, under = low > threshold, high < threshold
    verdict = (
        (HOLDS if above else FAILS) if over else (FAILS if above else HOLDS) if under else UNDECIDED
    )
    return Verdict(id, verdict, float(statistic), float(low), float(high), threshold, reason)


def unsaid(id: str, threshold: float, reason: str) -> Verdict:
    """The verdict where there is nothing to judge by."""
    return Verdict(id, UNDECIDED, math.nan, math.nan, math.nan, threshold, reason)
