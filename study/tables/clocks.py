"""Whose step times the seconds of a table are of, and what follows from seconds alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from study.errors import StudyError
from study.spec.budget import last_check
from study.spec.own import model_in_words
from study.storage.records import Run
from study.storage.reference import Clock, Reference
from study.storage.step_times import key_of, read

if TYPE_CHECKING:
    from study.tables.compare import Side


def counted_by(
    runs: Sequence[Run], machine: str | None, folder: Path, reference: Reference | None, cap: bool
) -> list[Run]:
    """The runs that share one clock, their seconds by the step times of one machine.

    Steps are the same on every machine. Seconds that were read off the clock are never converted.

    Args:
        runs: all runs of a folder.
        machine: name or fingerprint of the machine whose step times count; the study's reference
            if None.
        folder: the folder, which holds the step times.
        reference: the study's.
        cap: whether the protocol has a cap in seconds. Then runs under several clocks had
            different caps in steps, and are not brought together.

    Returns:
        The runs.

    Raises:
        StudyError: no run and no step time is of that machine; the sentence names those there are.
    """
    if machine is None:
        if reference is None or cap or len({run.clock for run in runs}) < 2:
            return list(runs)
        return _converted(runs, _clock(reference, folder, runs))
    mine = [run for run in runs if machine in (run.clock, run.clock_machine)]
    if mine:
        return mine
    # Step times of older versions do not name their machine, but its rows do.
    names = {run.fingerprint: run.machine for run in runs}
    found = [
        Reference(name, time.fingerprint, time.software)
        for path in _files(folder)
        for time in read(path)
        if machine in (name := time.machine or names.get(time.fingerprint, ""), time.fingerprint)
    ]
    if not found:
        raise _unknown(runs, machine, folder)
    base = reference.fingerprint if reference else None
    pooled = [run for run in runs if base in (None, run.clock)]
    return _converted(pooled, _clock(found[-1], folder, runs))


def _clock(reference: Reference, folder: Path, runs: Iterable[Run]) -> Clock:
    return Clock.read(reference, _files(folder), runs)


def _files(folder: Path) -> list[Path]:
    """The files that may hold a study's step times, its own first."""
    return [folder / "calibration.json", folder.parent / "calibration.json"]


def _converted(runs: Iterable[Run], clock: Clock) -> list[Run]:
    """The runs with seconds by this clock; those read off a clock stay as they are.

    Raises:
        StudyError: the clock lacks a step time.
    """
    whose = clock.reference
    found = []
    for run in runs:
        if run.seconds_source != "reconstructed" or run.clock == whose.fingerprint:
            found.append(run)
            continue
        seconds = clock.seconds(run.trial)
        if seconds is None or run.steps is None:
            trial = run.trial
            raise StudyError(
                f"the step time of {trial.optimizer} on the {model_in_words(trial.network)} at "
                f"width {trial.width:g} is not known of {whose.machine}: run calibrate there with "
                "this --out"
            )
        found.append(
            replace(
                run,
                step_seconds=seconds,
                seconds=run.steps * seconds,
                reference=whose.fingerprint,
                reference_machine=whose.machine,
                reference_software=whose.software,
            )
        )
    return found


def budgets(stored: Sequence[Run], shown: Sequence[Run]) -> list[float]:
    """Seconds after which each run was given up, by the clock that is shown.

    Args:
        stored: the runs as they are stored.
        shown: the same runs, or some of them, by another clock.

    Returns:
        The cap in steps of the stored run x the step time that is shown; the cap itself where both
        are the same, infinity where nothing bounds it.
    """
    before = {run.id: run for run in stored}
    found = []
    for run in shown:
        trial, old = run.trial, before[run.id]
        steps = last_check(trial.check_every, trial.cap, trial.max_steps, old.step_seconds)
        found.append(steps * (run.step_seconds or 0.0))
    return found


def spans(runs: Iterable[Run], folder: Path) -> pd.DataFrame:
    """Seconds of each run by the lowest and by the highest reading of its step time.

    A step time has rounds before the study, and more while it trains, since machines drift. With
    the quartiles q1 and q3 of the rounds of each reading, the seconds are between steps x the least
    q1 and steps x the greatest q3. Readings of a busy machine do not count.

    Args:
        runs: the runs of a folder.
        folder: the folder, which holds the readings.

    Returns:
        The columns `seconds_low` and `seconds_high`, one row a run, by its id; NaN where seconds
        were read off the clock or no reading is kept.
    """
    ends: dict[tuple[object, ...], tuple[float, float]] = {}
    for path in _files(folder):
        for time in read(path):
            if time.lanes == 1 and time.quiet is not False:
                kind = (*time.key, time.fingerprint, time.software)
                low, high = ends.get(kind, (math.inf, 0.0))
                ends[kind] = (min(low, time.low), max(high, time.high))
    rows = {}
    for run in runs:
        kind = (*key_of(run.trial), run.clock, run.clock_software)
        known = run.seconds_source == "reconstructed" and run.seconds is not None and kind in ends
        step = run.step_seconds or math.nan
        low, high = ends[kind] if known else (math.nan, math.nan)
        steps = math.nan if run.steps is None else run.steps
        rows[run.id] = (steps * min(low, step), steps * max(high, step))
    names = ["seconds_low", "seconds_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=names, dtype=float)


def _unknown(runs: Sequence[Run], machine: str, folder: Path) -> StudyError:
    there = ", ".join(sorted({f"{run.clock_machine} ({run.clock})" for run in runs}))
    return StudyError(
        f"{folder} holds no trial of the machine {machine!r}: {there or 'none has ended'}; nor "
        "does it hold step times of it, which calibrate measures there"
    )


FEWEST = 3
"""Cells of an optimizer from which on its step time is told."""


def implied(studies: Sequence[Side]) -> pd.DataFrame:
    """The step times of a study that tells seconds but no steps, by the steps of each other study.

    In a cell that arrived in both, the step time is T = s / n: s seconds of the first study, n
    steps of the other. If seconds are steps times step time, T is the same in every cell.

    Args:
        studies: the studies, as `study.tables.compare.sides` gives them.

    Returns:
        One row an optimizer and study that tells steps; empty where the first tells its own. The
        columns are

        - study, optimizer: whose steps
        - cells: cells that arrived in both
        - step_seconds: median of T over them; NaN for fewer than `FEWEST` cells
        - low, high: its quartiles
        - ratio: seconds by the step time of the other optimizers, over what was told; the median
    """
    from study.tables.cells import cells as cells_table  # which rests on what is told here

    columns = ["study", "optimizer", "cells", "step_seconds", "low", "high", "ratio"]
    keys = ["width", "optimizer", "rate"]
    told, *others = [cells_table(side.runs).astype({"optimizer": object}) for side in studies]
    rows: list[list[object]] = []
    if (told["steps"] < math.inf).any():
        return pd.DataFrame(rows, columns=columns)
    for side, found in zip(studies[1:], others, strict=True):
        both = told.merge(found[[*keys, "steps"]], on=keys, suffixes=("", "_other"))
        both = both[(both["seconds"] < math.inf) & (both["steps_other"] < math.inf)]
        step = (both["seconds"] / both["steps_other"]).dropna()
        by = step.groupby(both["optimizer"])
        medians = by.median()[by.size() >= FEWEST]
        for optimizer, mine in by:
            rest = medians.drop(optimizer, errors="ignore").median()
            enough = len(mine) >= FEWEST
            quantiles = mine.quantile([0.5, 0.25, 0.75]) if enough else [math.nan] * 3
            ratio = rest / mine.median() if enough else math.nan
            rows.append([side.name, optimizer, len(mine), *quantiles, ratio])
    return pd.DataFrame(rows, columns=columns)
