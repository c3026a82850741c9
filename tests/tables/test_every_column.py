"""Every column of every table is computed another way, on three studies: one made up, one like
those that are imported, and one that is half finished.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study import tables
from study.spec.study import StudySpec
from study.spec.trial import Trial
from support import by_hand, published
from support.made import made, stored

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


def imported() -> pd.DataFrame:
    """Like the published study as it is imported: nothing is known of steps and their times."""
    spec = published.GRID.with_(rates=published.GRID.rates[::6], mode="alone")
    return made(spec, published.in_band).assign(steps=np.nan, step_seconds=np.nan, quiet=None)


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


STUDIES = {
    one.__name__: one for one in (made_up, imported, half_finished, by_steps, nothing_arrived)
}


@pytest.mark.parametrize("name", tables.TABLES)
@pytest.mark.parametrize("study", STUDIES)
def test_every_column_is_what_plain_python_makes_of_the_trials(study: str, name: str) -> None:
    """And none is without this test."""
    runs = STUDIES[study]()
    rows, table = by_hand.TABLES[name](by_hand.records(runs)), tables.TABLES[name](runs)
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
    for name, make in by_hand.TABLES.items():
        by_hand.same(pd.read_csv(paths[name]), make(by_hand.records(runs)), rel=6e-6, abs_=1e-4)
    for name, measure in tables.SIZE_TABLES.items():
        rows = by_hand.records(tables.sizes(runs, t=measure))
        by_hand.same(pd.read_csv(paths[name]), rows, rel=6e-6)
