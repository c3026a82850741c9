"""The table of runs: its columns, which rows may share it, and budgets."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pandas as pd
import pytest

from study import tables
from study.errors import StudyError
from study.spec.trial import OPTIMIZERS, Trial
from study.storage.records import Run
from support.known import made_up
from support.records import RUN
from support.tables.by_hand import same


def varied() -> list[Run]:
    """Runs that differ in every field that a table has, in no order."""
    trials = [
        replace(run.trial, width=1.0 + i % 3, max_steps=None if i % 2 else 100 * i, batch=100 + i)
        for i, run in enumerate(made_up())
    ]
    runs = [
        replace(
            RUN, trial=trial, weights=1000 + i, multiply_adds=2000 + i, steps=None if i == 3 else i,
            seconds=i / 7, step_seconds=None if i == 4 else 0.01 * i, accuracy=0.9 + i / 1000,
            best_accuracy=0.95 + i / 1000, error="failed" if i == 5 else None, lanes=i, jobs=i % 4,
            machine=f"machine {i}", fingerprint=f"print {i}", device=f"gpu {i}",
            versions={"tensorflow": f"2.{i}", "jax": f"0.{i}"}, started_at=f"2026-01-{i + 1:02}",
            engine="jax" if i % 2 else "tensorflow", precision="tf32" if i % 3 else "float32",
            processor=None if i == 6 else "6.1", quiet=[True, False, None][i % 3], form=f"f{i}",
            reference=f"ref {i}" if i % 2 else None,
            reference_machine=f"other {i}" if i % 2 else None,
            reference_software=f"soft {i}" if i % 2 else None,
            startup=i / 2 if i % 3 else None, first_step=i if i % 3 else None,
        )
        for i, trial in enumerate(trials)
    ]  # fmt: skip
    return runs[::-1]


def by_fields(run: Run) -> dict[str, Any]:
    """A row, field by field."""
    row: dict[str, Any] = {f.name: getattr(run.trial, f.name) for f in fields(Trial)}
    row["cap_seconds"] = row.pop("cap")
    del row["size"]
    row |= {
        f.name: getattr(run, f.name) for f in fields(Run) if f.name not in ("trial", "versions")
    }
    version = run.versions[run.engine]
    software = f"{run.engine} {version} {run.precision}"
    return row | {
        "id": run.trial.id,
        "outcome": run.outcome.value,
        "software": software,
        "clock": run.reference or run.fingerprint,
        "clock_machine": run.reference_machine or run.machine,
        "clock_software": run.reference_software or software,
        "pool": f"{run.engine} {run.precision}",
        "seconds_low": math.nan,
        "seconds_high": math.nan,
        "unstable": False,
    }


def test_every_column_of_the_runs_is_a_field() -> None:
    """Sorted by width, optimizer, rate and seed."""
    runs = sorted(
        varied(),
        key=lambda run: (
            run.trial.width,
            OPTIMIZERS.index(run.trial.optimizer),
            run.trial.learning_rate,
            run.trial.seed,
        ),
    )
    table = tables.frame(varied())
    same(table, [by_fields(run) for run in runs])
    assert list(table["optimizer"].cat.categories) == ["sgd", "adam", "rmsprop"]
    assert table.index.tolist() == list(range(len(runs)))
    assert set(tables.frame([]).columns) == set(table.columns) - {"startup", "first_step"}
    unknown = tables.frame([replace(run, steps=None, step_seconds=None) for run in made_up()])
    assert unknown[["steps", "step_seconds"]].dtypes.tolist() == [float, float]


OTHERS: dict[str, Callable[[Run], Run]] = {
    "network": lambda run: replace(run, trial=replace(run.trial, network="tutorial")),
    "target": lambda run: replace(run, trial=replace(run.trial, target=0.9)),
    "cap_seconds": lambda run: replace(run, trial=replace(run.trial, cap=3.0)),
    "max_steps": lambda run: replace(run, trial=replace(run.trial, max_steps=30)),
    "mode": lambda run: replace(run, trial=replace(run.trial, mode="alone")),
    "prune": lambda run: replace(run, trial=replace(run.trial, prune="hopeless")),
    "clock": lambda run: replace(run, fingerprint="another", machine="guest"),
    "pool": lambda run: replace(run, engine="jax"),
}
SAID = {
    "clock": (
        r"the runs differ in clock \(test-machine \(0123abcd\), guest \(another\)\): tables, "
        "figures, claims and report take one machine's with --machine NAME"
    ),
    "pool": (
        r"the runs differ in pool \(tensorflow float32, jax float32\): verify --across shows "
        "whether both take the same steps"
    ),
    "target": r"the runs differ in target \(0.97, 0.9\): select one .* runs\[runs.target == ...\]",
}


@pytest.mark.parametrize("column", OTHERS)
def test_rows_of_two_protocols_clocks_or_engines_share_no_table(column: str) -> None:
    """Whatever the table; the sentence names the column and what would be right."""
    runs = made_up()
    mixed = tables.frame([*runs[:-1], OTHERS[column](runs[-1])])
    for make in (*tables.TABLES.values(), tables.comparable):
        with pytest.raises(StudyError, match=SAID.get(column, f"the runs differ in {column}")):
            make(mixed)
    assert column in tables.SAME


def test_check_every_may_differ() -> None:
    """It changes how a trial is measured, not what."""
    runs = made_up()
    other = replace(runs[0], trial=replace(runs[0].trial, check_every=10))
    assert len(tables.comparable(tables.frame([other, *runs[1:]]))) == len(runs)


def test_comparable_runs_have_no_category_of_others() -> None:
    """As where one optimizer was selected."""
    runs = tables.frame(made_up())
    mine = tables.comparable(runs[runs["optimizer"] == "adam"])
    assert list(mine["optimizer"].cat.categories) == ["adam"]


def test_no_runs_are_said_to_be_none_with_their_folder() -> None:
    """The sentence begins with the folder, if it is known."""
    nothing = tables.frame([])
    said = "no trial has ended yet, so there is nothing to tabulate"
    for folder, start in (("", ""), ("somewhere", "somewhere: ")):
        for refuse in (tables.some, tables.comparable):
            with pytest.raises(StudyError) as caught:
                refuse(nothing, folder)
            assert str(caught.value) == start + said
    runs = tables.frame(made_up())
    assert tables.some(runs) is runs


BUDGETS = [
    ({"cap_seconds": 10.0, "max_steps": None}, 10.0),
    ({"cap_seconds": None, "max_steps": 199}, 150 * 0.01),
    ({"cap_seconds": None, "max_steps": 200}, 200 * 0.01),
    ({"cap_seconds": 1.4, "max_steps": 199}, 1.4),
    ({"cap_seconds": 1.6, "max_steps": 199}, 1.5),
    ({"cap_seconds": None, "max_steps": None}, 7.0),
    ({"cap_seconds": 10.0, "max_steps": None, "budget": 33.0}, 33.0),
    ({"cap_seconds": 10.0, "max_steps": None, "budget": math.inf}, 7.0),
]


@pytest.mark.parametrize(("changes", "seconds"), BUDGETS)
def test_a_budget_is_the_cap_or_the_last_check(changes: dict[str, Any], seconds: float) -> None:
    """Whichever comes first; what the run took if neither is known. Checks are 50 steps apart."""
    runs = tables.frame(made_up()).assign(seconds=7.0, check_every=50, **changes)
    assert tables.budget(runs).tolist() == pytest.approx([seconds] * len(runs))


def test_curves_belong_to_the_machines_of_the_runs() -> None:
    """Or to none that is known."""
    stored = pd.DataFrame({"fingerprint": ["a", "b", "", "a"], "step": [1, 2, 3, 4]})
    runs = tables.frame([replace(run, fingerprint="a") for run in made_up()])
    assert tables.curves_of(stored, runs)["step"].tolist() == [1, 3, 4]
    assert tables.curves_of(stored, tables.frame([]))["step"].tolist() == [3]


def test_what_is_read_once_cannot_be_changed() -> None:
    """Every record of the package is frozen."""
    found = []
    for module in pkgutil.walk_packages(tables.__path__, "study.tables."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if dataclasses.is_dataclass(kind) and kind.__module__.startswith("study.tables"):
                found.append(kind.__name__)
                assert kind.__dataclass_params__.frozen, kind  # type: ignore[attr-defined]
    assert len(set(found)) > 8
