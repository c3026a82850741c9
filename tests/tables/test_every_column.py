"""Every column of every table is computed another way, on studies that are made up, half finished,
and imported.
"""

from __future__ import annotations

import math
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study import tables
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.tables import compare
from support.made import made, stored
from support.tables import best_by_hand, by_hand, imports

SPEC = StudySpec(
    optimizers=("sgd", "adam", "rmsprop"),
    rates=(0.001, 0.01, 0.1, 0.7),
    widths=(1.0, 2.0, 3.0),
    seeds=4,
    cap=20.0,
)


SALT = 3
"""A made-up truth of which no end of an interval hangs on which resamples are drawn."""


def takes(trial: Trial) -> float | str:
    """Most arrive in the middle of the grid; some do at exactly the cap; of RMSProp a few fail."""
    random = np.random.default_rng([int(trial.id[:8], 16), SALT])
    ends = ["capped", "stuck", "diverged"]
    if trial.optimizer == "rmsprop" and random.random() < 0.1:
        return "failed"
    if trial.optimizer == "adam" and trial.learning_rate == 0.7:
        return 20.0
    if random.random() < {0.001: 0.5, 0.01: 0.1, 0.1: 0.2, 0.7: 0.9}[trial.learning_rate]:
        return str(random.choice(ends))
    return float(np.round(random.uniform(2, 20), 2))


@cache
def made_up() -> pd.DataFrame:
    """Four seeds of three widths."""
    runs = made(SPEC, takes)
    looked: list[Any] = [True, False, None, True] * (len(runs) // 4)
    steps = runs["step_seconds"] * runs["seed"].map({0: 1.0, 1: 1.2, 2: 0.7, 3: 1.1})
    return runs.assign(step_seconds=steps, quiet=looked)


def imported_grid() -> pd.DataFrame:
    """The published study as it is imported: nothing is known of steps and their times."""
    return tables.load(imports.grid())


def imported_sizes() -> pd.DataFrame:
    """Its sizes: some measured twice, some assumed."""
    return tables.load(imports.sizes())


def imported_without_absent() -> pd.DataFrame:
    """Its sizes, those left out that have no row."""
    return tables.load(imports.sizes("unknown"))


def half_finished() -> pd.DataFrame:
    """Of the made-up study a half: cells of no, of one, and of more seeds."""
    return made_up().sample(frac=0.5, random_state=1).sort_index().reset_index(drop=True)


def by_steps() -> pd.DataFrame:
    """A budget in steps, of which the last check takes less than all; one seed."""
    spec = SPEC.with_(seeds=1, widths=(1.0,), cap=None, max_steps=1990)
    return made(spec, takes)


def nothing_arrived() -> pd.DataFrame:
    """Two rates at which every trial was capped."""
    return made(SPEC.with_(rates=(0.1, 1.0)), lambda trial: "capped")


IMPORTS = (imported_grid, imported_sizes, imported_without_absent)
STUDIES = {
    one.__name__: one for one in (made_up, *IMPORTS, half_finished, by_steps, nothing_arrived)
}


@pytest.mark.parametrize("name", tables.TABLES)
@pytest.mark.parametrize("study", STUDIES)
def test_every_column_is_what_plain_python_makes_of_the_trials(study: str, name: str) -> None:
    """And none is without this test."""
    runs = STUDIES[study]()
    rows, table = best_by_hand.TABLES[name](by_hand.records(runs)), tables.TABLES[name](runs)
    if not rows:
        assert table.empty
    else:
        by_hand.same(table, rows, abs_=1e-4 if name == "best" else 1e-12)


def test_what_is_written_is_what_the_tables_say(folder: Path) -> None:
    """Every file of `tables.TABLES`, and with three widths those of `SIZE_TABLES`; six digits."""
    stored(folder, SPEC, takes)
    paths = {path.stem: path for path in tables.write(folder)}
    assert list(paths) == [*tables.TABLES, *tables.SIZE_TABLES]
    runs = tables.load(folder)
    for name, make in best_by_hand.TABLES.items():
        by_hand.same(pd.read_csv(paths[name]), make(by_hand.records(runs)), rel=6e-6, abs_=1e-4)
    for name, measure in tables.SIZE_TABLES.items():
        rows = by_hand.records(tables.sizes(runs, t=measure))
        by_hand.same(pd.read_csv(paths[name]), rows, rel=6e-6)


def three() -> list[compare.Side]:
    """Studies of 3 optimizers, 4 rates and 3 seeds, of which two overlap the first in part."""

    def one(trial: Trial, salt: int) -> float | str:
        random = np.random.default_rng([int(trial.id[:8], 16), salt])
        return "capped" if random.random() < 0.3 else float(random.uniform(2, 9))

    rates = ((0.001, 0.01, 0.1, 1.0), (0.01, 0.1, 1.0, 3.0), (0.001, 0.1, 7.0))
    specs = [SPEC.with_(rates=each, widths=(1.0,), seeds=3) for each in rates]
    frames = [made(spec, partial(one, salt=number)) for number, spec in enumerate(specs)]
    steps = [frame["steps"] * (1 + number) for number, frame in enumerate(frames)]
    return [
        compare.Side(name, spec, frame.assign(steps=step))
        for name, spec, frame, step in zip("abc", specs, frames, steps, strict=True)
    ]


def test_every_column_of_a_comparison_is_computed_another_way() -> None:
    """Best rates, ratios cell by cell, and their summary by numpy, of three studies."""
    sides = three()
    table: Any = compare.best(sides)
    for side in sides:
        for row in best_by_hand.best(by_hand.records(side.runs)):
            mine = table.loc[(row["width"], row["optimizer"]), side.name].to_dict()
            assert list(mine) == ["best_rate", "seconds", "steps", "arrived", "rates"]
            assert mine == pytest.approx({name: row[name] for name in mine}, nan_ok=True)
    keys = ("width", "optimizer", "rate")
    cells = [
        {
            tuple(cell[key] for key in keys): cell
            for cell in by_hand.cells(by_hand.records(side.runs))
        }
        for side in sides
    ]
    rows = []
    for side, there in zip(sides[1:], cells[1:], strict=True):
        for key in (key for key in cells[0] if key in there):
            one, other = cells[0][key], there[key]
            both = one["seconds"] < math.inf and other["seconds"] < math.inf
            arrived = (one["seconds"] < math.inf, other["seconds"] < math.inf)
            seconds = other["seconds"] / one["seconds"] if both else math.nan
            steps = other["steps"] / one["steps"] if both else math.nan
            kinds = {(True, True): "both", (True, False): "first", (False, True): "second"}
            rows.append(
                {"study": side.name, **dict(zip(keys, key, strict=True)), "seconds": seconds,
                 "steps": steps, "step_seconds": seconds / steps if both else math.nan,
                 "arrived": kinds.get(arrived, "neither")}
            )  # fmt: skip
    ratios = compare.ratios(sides)
    assert ratios.index.tolist() == list(range(len(rows)))
    by_hand.same(ratios, rows)
    assert {row["arrived"] for row in rows} == {"both", "first", "second", "neither"}
    summary = []
    for name in "bc":
        mine = [row for row in rows if row["study"] == name]
        both_ = [row for row in mine if row["arrived"] == "both"]
        low, middle, high = np.percentile(np.log([row["seconds"] for row in both_]), [25, 50, 75])
        counts = {
            kind: sum(row["arrived"] == kind for row in mine)
            for kind in ("both", "first", "second", "neither")
        }
        medians = {
            of: float(np.median([row[of] for row in both_])) for of in ("step_seconds", "steps")
        }
        summary.append(
            {"study": name, "cells": len(mine), **counts, "ratio": np.exp(middle),
             "low": np.exp(low), "high": np.exp(high),
             "spread": math.sqrt(np.exp(high) / np.exp(low)), **medians}
        )  # fmt: skip
    by_hand.same(compare.summary(ratios, ["b", "c"]), summary)
    (none,) = compare.summary(ratios[ratios["arrived"] == "first"], ["b"]).to_dict("records")
    assert (none["cells"], none["both"]) == (none["first"], 0)
    assert np.isnan([none[name] for name in ("ratio", "low", "high", "spread", "steps")]).all()
