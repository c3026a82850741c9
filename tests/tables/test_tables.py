"""Tables from made-up runs whose every number is known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study import tables
from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.checks import Checks
from study.storage.records import Outcome, Spent
from support.known import FRAME, SPEC, made_up, stored
from support.records import RUN
from support.tables import by_hand


def test_best_is_the_rate_of_least_median_seconds_with_a_censored_time_as_infinite() -> None:
    """Hand-made: two of three seeds decide; a single lucky arrival does not."""
    best: Any = tables.best(FRAME).set_index("optimizer")
    assert best.loc[
        "sgd",
        [
            "rates",
            "arrived",
            "lowest",
            "highest",
            "best_rate",
            "seconds",
            "steps",
            "at_edge",
            "seeds",
        ],
    ].tolist() == [
        4,
        2,
        0.01,
        0.1,
        0.1,
        4.0,
        400,
        False,
        3,
    ]
    assert best.loc[
        "adam", ["arrived", "lowest", "highest", "best_rate", "seconds", "at_edge"]
    ].tolist() == [
        1,
        0.001,
        0.001,
        0.001,
        3.0,
        True,
    ]
    assert best.loc["rmsprop", "arrived"] == 0
    assert math.isnan(best.loc["rmsprop", "best_rate"])


def test_cells_count_arrivals_and_never_hide_seeds() -> None:
    """An even count of infinities makes the median infinite."""
    cells: Any = tables.cells(FRAME).set_index(["optimizer", "rate"])
    assert cells.loc[("sgd", 0.1), ["seeds", "arrived", "seconds"]].tolist() == [3, 2, 4.0]
    assert cells.loc[("sgd", 1.0), ["seeds", "arrived", "seconds"]].tolist() == [3, 1, math.inf]
    assert cells.loc[("adam", 0.01), "seconds"] == math.inf
    assert len(cells) == 12


def test_valley_has_every_trial() -> None:
    """No trial is dropped, whatever its end."""
    valley = tables.valley(FRAME)
    assert list(valley.columns[:6]) == ["optimizer", "rate", "outcome", "seconds", "steps", "seed"]
    assert len(valley) == len(SPEC)
    assert (
        valley["outcome"].value_counts().to_dict()
        == pd.Series([run.outcome.value for run in made_up()]).value_counts().to_dict()
    )


def test_envelope_is_the_fastest_and_the_slowest_with_the_cap_for_who_did_not_arrive() -> None:
    """Hand-made, rate by rate."""
    table = tables.envelope(FRAME).set_index("rate")
    assert table["fastest_seconds"].tolist() == [3.0, 7.0, 4.0, 10.0]
    assert table["slowest_seconds"].tolist() == [10.0] * 4
    assert table["fastest_optimizer"].tolist()[:3] == ["adam", "sgd", "sgd"]
    assert pd.isna(table["fastest_optimizer"].iloc[3])
    assert table["arrived"].tolist() == [1, 1, 1, 0]
    assert table["optimizers"].tolist() == [3] * 4


def test_order_and_units_of_the_runs_do_not_matter() -> None:
    """Shuffled rows give the same tables; other seconds the same rates."""
    runs = made_up()
    np.random.default_rng(0).shuffle(runs)
    for name, make in tables.TABLES.items():
        pd.testing.assert_frame_equal(make(tables.frame(runs)), make(FRAME), obj=name)
    slow = tables.best(
        tables.frame([replace(run, seconds=(run.seconds or 0) * 60) for run in made_up()])
    )
    assert slow["best_rate"].equals(tables.best(FRAME)["best_rate"])


def test_no_runs_is_a_sentence() -> None:
    """Not an exception from the depths."""
    for make in tables.TABLES.values():
        with pytest.raises(StudyError, match="no trial has ended"):
            make(tables.frame([]))


def test_costs_one_by_one_are_arrivals_and_whole_budgets() -> None:
    """Hand-made: 11 arrivals at their seconds, the others at the cap of 10; those that broke did at
    half of it.
    """
    broken = FRAME["outcome"].isin([Outcome.DIVERGED, Outcome.STUCK])
    runs = FRAME.assign(seconds=FRAME["seconds"].where(~broken, 5.0))
    arrived = runs.loc[runs["outcome"] == Outcome.REACHED, "seconds"]
    costs = tables.costs(runs, [Spent({"train": 20.0, "other": 3.0}), Spent({"workers": 2.0})])
    assert set(costs) == {
        *("one_by_one_seconds", "one_by_one_stopping_seconds", "spent_seconds", "cost_ratio")
    }
    assert costs["one_by_one_seconds"] == arrived.sum() + 10 * (len(runs) - len(arrived))
    assert costs["one_by_one_stopping_seconds"] == costs["one_by_one_seconds"] - 5 * broken.sum()
    assert costs["spent_seconds"] == 25
    assert costs["cost_ratio"] == costs["one_by_one_seconds"] / 25
    assert tables.costs(runs, [])["cost_ratio"] is None


def test_hindsight_tells_what_pruning_would_have_saved() -> None:
    """Hand-made: a flat curve is given up after a tenth of its budget, 1,000 steps; a late riser
    that arrived is lost; the rest is kept.
    """
    trials = StudySpec(
        optimizers=("sgd", "adam"), rates=(0.1, 0.2), cap=100.0, target=0.97
    ).trials()
    ends = [
        (Outcome.CAPPED, [0.8] * 200),
        (Outcome.REACHED, [*[0.8] * 100, 0.97]),
        (Outcome.REACHED, [0.9, 0.97]),
        (Outcome.STUCK, [0.1]),
    ]
    runs = [
        replace(
            RUN,
            trial=trial,
            outcome=end,
            steps=50 * len(seen),
            seconds=0.5 * len(seen),
            step_seconds=0.01,
        )
        for trial, (end, seen) in zip(trials, ends, strict=True)
    ]
    checks = {
        run.id: Checks(run.id, 50, tuple(seen), tuple(seen))
        for run, (_, seen) in zip(runs, ends, strict=True)
    }
    table = tables.hindsight(tables.frame(runs), checks).set_index("optimizer")
    assert table.loc["sgd"].to_dict() == {
        "trials": 2,
        "steps": 10_000 + 5_050,
        "pruned": 2,
        "saved": 9_000 + 4_050,
        "lost": 1,
    }
    assert table.loc["adam"].to_dict() == {
        "trials": 1,
        "steps": 100,
        "pruned": 0,
        "saved": 0,
        "lost": 0,
    }


@pytest.mark.parametrize(
    ("checks", "step", "cap", "given_up"),
    [
        (100, 0.02, 100.0, 10),
        (11, 0.02, 100.0, 10),
        (10, 0.02, 100.0, None),
        (100, 0.02, 101.0, 11),
        (100, 0.017, 85.85, 11),
    ],
)
def test_hindsight_gives_a_flat_curve_up_after_a_tenth(
    checks: int, step: float, cap: float, given_up: int | None
) -> None:
    """Of the checks within the budget: 100 or 101, although 85.85 / 0.017 / 50 falls short of it as
    floats. A trial that ends at its tenth check is not given up there.
    """
    trial = StudySpec(optimizers=("adam",), rates=(0.1,), cap=cap, target=0.97).trials()[0]
    run = replace(RUN, trial=trial, outcome=Outcome.CAPPED, steps=50 * checks, step_seconds=step)
    seen = (0.8,) * checks
    table = tables.frame([run])
    (row,) = tables.hindsight(table, {run.id: Checks(run.id, 50, seen, seen)}).to_dict("records")
    saved = 50 * (checks - given_up) if given_up else 0
    assert [row[name] for name in ("trials", "steps")] == [1, 50 * checks]
    assert [row[name] for name in ("pruned", "saved", "lost")] == [given_up is not None, saved, 0]
    assert tables.hindsight(table, {}).empty, "no check is known"


def test_predicted_seconds_are_steps_times_the_step_time_there() -> None:
    """Every column: what was trained as it is stored, and seconds by width and optimizer."""
    there = {(1.0, name): 0.001 * (i + 1) for i, name in enumerate(SPEC.optimizers)}
    rows = [
        {name: row[name] for name in ("id", "optimizer", "width", "seed", "outcome", "seconds")}
        | {
            "rate": row["learning_rate"],
            "steps": row["steps"],
            "seconds_here": row["steps"] * there[1.0, row["optimizer"]],
        }
        for row in by_hand.records(FRAME)
    ]
    by_hand.same(tables.predicted(FRAME.iloc[::-1].iloc[::-1], there), rows)
    with pytest.raises(StudyError, match="does not tell the steps"):
        tables.predicted(FRAME.assign(steps=[math.nan, *FRAME["steps"].iloc[1:]]), there)


def test_tables_are_written_and_read_back(folder: Path) -> None:
    """CSV files that pandas reads to the same numbers, rebuilt from the stored rows alone."""
    paths = tables.write(stored(folder))
    assert [path.name for path in paths] == [
        "valley.csv",
        "cells.csv",
        "best.csv",
        "envelope.csv",
        "profile.csv",
        "targets.csv",
    ]
    best = pd.read_csv(folder / "tables" / "best.csv")
    assert best["seconds"].tolist()[:2] == [4.0, 3.0]
    assert len(tables.checks(folder)) == 3 * len(SPEC)
    curves = tables.curves(folder)
    assert curves["seconds"].tolist()[:2] == [0.5, 1.0]
