"""The runs of a folder, read by another metric and target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from study.errors import StudyError
from study.spec.goals import has_target
from study.spec.own import is_foreign
from study.spec.study import StudySpec
from study.storage.checks import Checks
from study.storage.jsonl import convert, read_rows
from study.storage.readings.told import Told, check_metric, read
from study.storage.readings.trained import metrics_of, retold
from study.storage.records import Run

FILE = "told.jsonl"
"""What the sources of an import told of each trial."""


def told_in(folder: Path) -> dict[str, Told]:
    """What the sources told of each trial, by the identity that it was imported with.

    Raises:
        StudyError: the folder is none of an import, or a line cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        raise StudyError(f"{folder} lacks {FILE}: import its results again")
    return {row.id: row for row in read_rows(path, lambda row: convert(row, Told))}


def reread(
    folder: Path, runs: Sequence[Run], checks: Mapping[str, Checks], spec: StudySpec
) -> list[tuple[Run, Checks | None]]:
    """The runs of a folder by the aim of a spec, and what their checks saw.

    Args:
        folder: of a study or of an import.
        runs: as they are stored there.
        checks: of a study, by the trial's id.
        spec: the study, with the aim that counts.

    Raises:
        StudyError: no trial tells the metric, or a study is read without a target.
    """
    if is_foreign(spec.network):
        told = told_in(folder)
        check_metric(spec.metric, told.values())
        return [read(run, told[run.id], spec) for run in runs]
    if not has_target(spec.target):
        raise StudyError(f"give the target of {spec.metric}, too: trials are read by it")
    there = dict.fromkeys(
        name for run in runs if run.id in checks for name in metrics_of(run, checks[run.id])
    )
    if runs and not there:
        raise StudyError(
            f"{folder} holds no checks: its trials cannot be read by another metric or target"
        )
    if runs and spec.metric not in there:
        raise StudyError(f"no trial tells the metric {spec.metric}: they tell {', '.join(there)}")
    return [retold(run, checks.get(run.id), spec) for run in runs]
