"""The case study of cycles from errors that are known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.errors import StudyError
from study.spec.trial import Trial
from study.storage.jsonl import append_line
from study.storage.step_times import StepTime
from study.tables import case_study
from study.tables.case_study import (
    ARMS,
    CONTROL,
    CONTROL_ON,
    EPOCHS,
    FIRST,
    HIGH,
    LOW,
    PEAK,
    PUBLISHED,
    SCRATCH,
)
from support.tables.by_hand import Row, same

WINDOWS = [f"three cycles, {name}" for name in ("triangular", "welch", "hann")]


def made(errors: Mapping[str, Sequence[float]], seeds: int = 0) -> pd.DataFrame:
    """Rows of a case study whose final errors these are, a value a seed; an error of a twentieth
    where none is given. At the epoch before the last all is worse.
    """
    count = seeds or len(next(iter(errors.values())))
    return pd.DataFrame(
        [
            {
                "arm": arm.name,
                "seed": seed,
                "epoch": epoch,
                "steps": epoch * 55_000 // arm.batch,
                "seconds": 1.0 + seed,
                "test_error": value + (epoch < EPOCHS) / 2,
            }
            for arm in ARMS
            for seed, value in enumerate(errors.get(arm.name, [0.05] * count))
            for epoch in (EPOCHS - 1, EPOCHS)
        ]
    )


def test_the_arms_are_those_of_the_article() -> None:
    """Batch 200 at 0.001; batch 2,000 with a triangle from 0.001 to 0.006 over 2 x 2,000 steps, and
    controls; three cycles of 90 steps by three windows. Two carry on from the first.
    """
    assert (LOW, HIGH, EPOCHS) == (0.001, 0.006, 10)
    found = {arm.name: (arm.batch, arm.rate, arm.carries_on) for arm in ARMS}
    assert next(iter(found)) == FIRST
    assert found == {
        FIRST: (200, 0.001, False),
        SCRATCH: (2000, 0.006, False),
        CONTROL: (2000, 0.001, False),
        PEAK: (2000, 0.006, False),
        **dict.fromkeys(WINDOWS, (2000, 0.006, False)),
        PUBLISHED: (2000, 0.006, True),
        CONTROL_ON: (2000, 0.001, True),
    }
    schedules = {arm.name: arm.schedule for arm in ARMS}
    whole = f"triangular:half=2000,base={1 / 6!r},window=triangular"
    assert schedules.pop(SCRATCH) == schedules.pop(PUBLISHED) == whole
    for name in ("triangular", "welch", "hann"):
        short = f"triangular:half=45,base={1 / 6!r},window={name}"
        assert schedules.pop(f"three cycles, {name}") == short
    assert set(schedules.values()) == {"constant"}


def test_an_arm_is_a_trial_of_adam_on_a_perceptron() -> None:
    """At the arm's batch and rate."""
    trial: Trial = case_study.trial_of(ARMS[1], 3, "mnist")
    assert (trial.optimizer, trial.network, trial.dataset) == ("adam", "mlp", "mnist")
    assert (trial.batch, trial.learning_rate, trial.seed) == (2000, 0.006, 3)


def test_every_column_of_the_summary_is_computed_another_way() -> None:
    """Percent of error at the last epoch, with Student's interval by scipy; one arm lacks seeds."""
    random = np.random.default_rng(0)
    errors = {arm.name: random.uniform(0.01, 0.03, 4) for arm in ARMS}
    errors[CONTROL] = errors[CONTROL][:1]
    rows = made({name: values.tolist() for name, values in errors.items()})
    rows = rows.assign(seconds_low=rows["seconds"] * 0.9, seconds_high=rows["seconds"] * 1.1)
    wanted: list[Row] = []
    for arm in ARMS:
        values = 100 * errors[arm.name]
        few = len(values) < 2
        low, high = (
            (math.nan, math.nan)
            if few
            else stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        )
        seconds = 1.0 if few else 2.5
        wanted.append(
            {"arm": arm.name, "batch": arm.batch, "seeds": len(values), "error": values.mean(),
             "low": low, "high": high, "steps": 550_000 // arm.batch, "seconds": seconds,
             "seconds_low": 0.9 * seconds, "seconds_high": 1.1 * seconds}
        )  # fmt: skip
    same(case_study.summary(rows), wanted)
    without = case_study.summary(rows.drop(columns=["seconds_low", "seconds_high"]))
    same(without, [{k: v for k, v in row.items() if "seconds_" not in k} for row in wanted])


def test_final_errors_are_a_row_a_seed_and_a_column_an_arm() -> None:
    """In percent; missing where a seed lacks an arm."""
    table = case_study.final(made({FIRST: [0.02], PEAK: [0.03, 0.04]}, seeds=2))
    assert list(table.columns) == [arm.name for arm in ARMS]
    assert table[PEAK].tolist() == pytest.approx([3, 4])
    assert table[FIRST].iloc[0] == pytest.approx(2)
    assert math.isnan(table[FIRST].iloc[1])


def test_a_gain_is_paired_over_the_seeds() -> None:
    """Seeds differ widely, and the difference hardly: the interval is of the difference, by
    Student's t. A seed that lacks one of both counts for nothing.
    """
    table = made({CONTROL: [0.02, 0.05, 0.09], SCRATCH: [0.018, 0.049, 0.087, 0.5]}, seeds=4)
    found = case_study.gain(table, SCRATCH, CONTROL)
    differences = np.array([0.2, 0.1, 0.3])
    assert found.count == 3
    assert found.mean == pytest.approx(differences.mean())
    half = (
        4.302652729911275 * differences.std(ddof=1) / math.sqrt(3)
    )  # t of two degrees of freedom, from a table
    assert [found.low, found.high] == pytest.approx([0.2 - half, 0.2 + half])
    one = case_study.gain(table[table["seed"] == 0], SCRATCH, CONTROL)
    assert [one.mean, one.low, one.high] == [pytest.approx(0.2), -math.inf, math.inf]


def test_windows_are_compared_pair_by_pair() -> None:
    """Triangular with Welch, triangular with Hann, Welch with Hann: the error of the second less
    that of the first.
    """
    table = made(dict(zip(WINDOWS, ([0.02, 0.02], [0.03, 0.03], [0.06, 0.06]), strict=True)))
    assert [pair.mean for pair in case_study.windows(table)] == pytest.approx([1, 4, 3])


def test_the_conclusion_tells_each_gain() -> None:
    """The published gain, the cycle's part of it, its gain from scratch, its peak's, and the
    windows'; no minus stands before a zero.
    """
    table = made(
        {
            FIRST: [0.02, 0.021],
            PUBLISHED: [0.016, 0.0172],
            CONTROL_ON: [0.0165, 0.0176],
            SCRATCH: [0.05001, 0.05001],
            PEAK: [0.046, 0.048],
            "three cycles, hann": [0.0467, 0.0467],
        }
    )
    assert case_study.conclusion(table) == (
        "The second run of the article lowers the error by 0.39 points (0.26 to 0.52); against "
        "ten more epochs at batch 2,000 without a cycle, 0.05 points (-0.02 to 0.11) of that are "
        "the cycle's; from scratch it gains 0.00 points (0.00 to 0.00) over its constant twin, "
        "and its peak rate held constant 0.30 points (-0.97 to 1.57) (2 seeds). "
        "The largest difference between two windows is 0.33 points."
    )


def timed(batch: int, lanes: int, seconds: float) -> Row:
    """A step time as the folder holds it."""
    return asdict(
        StepTime(
            network="mlp", width=1.0, scale_dense=True, optimizer="adam", hyper="tf1",
            batch=batch, lanes=lanes, seconds=seconds, low=0.9 * seconds, high=1.2 * seconds,
            rounds=9, steps=50, fingerprint="f", software="s", measured_at="2026-01-01",
        )
    )  # fmt: skip


def test_rows_are_read_with_seconds_by_the_step_time_of_their_batch(folder: Path) -> None:
    """Alone, not in an array; its quartiles too."""
    folder.mkdir()
    with pytest.raises(StudyError, match=r"holds no case study of cycles \(no cycles.jsonl"):
        case_study.read(folder)
    rows = [
        {"arm": arm, "seed": seed, "epoch": 1, "steps": steps, "test_error": 0.5}
        for seed in (0, 1)
        for arm, steps in ((FIRST, 275), (PEAK, 27))
    ]
    for seed in (0, 1):
        mine = [row for row in rows if row["seed"] == seed]
        append_line(folder / case_study.FILE, {"seed": seed, "rows": mine})
    assert [found.seed for found in case_study.read_seeds(folder)] == [0, 1]
    times = [timed(200, 1, 0.01), timed(2000, 1, 0.05), timed(200, 6, 7.0), timed(2000, 6, 7.0)]
    (folder / "calibration.json").write_text(json.dumps(times))
    step = {FIRST: 0.01, PEAK: 0.05}
    wanted = []
    for row in rows:
        seconds = int(str(row["steps"])) * step[str(row["arm"])]
        ends = {"seconds_low": 0.9 * seconds, "seconds_high": 1.2 * seconds}
        wanted.append({**row, "seconds": seconds, **ends})
    same(case_study.read(folder), wanted)
