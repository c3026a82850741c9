"""Tables of results from elsewhere: random rates, and times in epochs where no seconds are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import study
from study import tables
from study.errors import StudyError
from support.imports import OPTIMIZERS, rows
from support.made import made
from support.tables import best_by_hand, by_hand


def random_rates(seconds: float | None, seeds: int = 3) -> pd.DataFrame:
    """Rows of trials whose rates are random, so that no two optimizers share one."""
    random = np.random.default_rng(3)
    table = pd.DataFrame(rows(seeds=seeds, seconds=seconds))
    names = {
        (name, rate): float(rate * random.uniform(0.5, 2))
        for name in OPTIMIZERS
        for rate in sorted(set(table["lr"]))
    }
    keys = zip(table["opt"], table["lr"], strict=True)
    noise = random.uniform(0.9, 1, len(table))
    return table.assign(lr=[names[key] for key in keys], val_acc=table["val_acc"] * noise)


def imported(table: pd.DataFrame, folder: Path, **aim: Any) -> pd.DataFrame:
    """The runs of an import."""
    return study.from_frame(table, folder, **{"metric": "val_acc", "target": 0.7, **aim})


@pytest.mark.parametrize("seconds", [2.0, None])
@pytest.mark.parametrize("name", tables.TABLES)
def test_every_column_of_random_rates(tmp_path: Path, name: str, seconds: float | None) -> None:
    """What plain Python makes of the trials; without seconds the same of their epochs."""
    runs = imported(random_rates(seconds), tmp_path / "out")
    known = runs if seconds else runs.assign(seconds=runs["steps"])
    wanted = best_by_hand.TABLES[name](by_hand.records(known))
    table = tables.TABLES[name](runs)
    if seconds is None:
        columns = {str(column) for column in table} - {"step_seconds"}
        assert not [column for column in columns if "seconds" in column]
        wanted = [
            {
                (name if name == "step_seconds" else name.replace("seconds", "steps")): value
                for name, value in row.items()
                if name != "seconds"
            }
            for row in wanted
        ]
    by_hand.same(table, wanted, abs_=1e-4 if name == "best" else 1e-12)


def test_the_final_metric_is_that_of_the_last_row(tmp_path: Path) -> None:
    """Whatever the target; by pandas, of the rows themselves."""
    table = random_rates(None)
    runs = imported(table, tmp_path / "out")
    told = table.dropna(subset="loss")
    last = told.groupby(["opt", "lr", "seed"])["val_acc"].last().groupby(level=[0, 1])
    found = tables.final(runs)
    for row in found.itertuples():
        key = (str(row.optimizer), row.rate)
        values = last.get_group(key) if key in last.groups else pd.Series(dtype=float)
        assert row.trials == 3
        assert row.told == len(values)
        for name, value in (("final", values.median()), ("final_low", values.min())):
            assert getattr(row, name) == pytest.approx(value, nan_ok=True)
        assert row.final_high == pytest.approx(values.max(), nan_ok=True)
    best: Any = tables.best_final(runs).set_index("optimizer")
    for name in OPTIMIZERS:
        medians = last.median()[name]
        assert best.loc[name, "best_rate"] == medians.idxmax()
        assert best.loc[name, "final"] == pytest.approx(medians.max())
        assert best.loc[name, "told"] == len(medians)
        assert bool(best.loc[name, "at_edge"]) is False
    less = tables.best_final(imported(table, tmp_path / "b", metric="loss", target=0.1))
    wanted = told.groupby(["opt", "lr", "seed"])["loss"].last().groupby(level=[0, 1]).median()
    for row in less.itertuples():
        assert row.best_rate == wanted[str(row.optimizer)].idxmin()


def test_a_study_has_no_end_but_its_target() -> None:
    """So that where training ends at last is of imports alone."""
    spec = study.StudySpec(optimizers=("sgd",), rates=(0.1, 1.0), cap=9.0)
    runs = made(spec, lambda trial: 2.0)
    with pytest.raises(StudyError, match="an import alone"):
        tables.final(runs)
    assert tables.timed(runs) is runs


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    """In the warnings of every table."""
    said = " ".join(tables.warnings(tables.stored(_stored(tmp_path / "a", None))))
    assert "these are results from elsewhere" in said
    assert "seconds are not told: times are counted in epochs" in said
    assert "each is censored at its own end" in said
    said = " ".join(tables.warnings(tables.stored(_stored(tmp_path / "b", 2.0))))
    assert "the machine is not told: the seconds compare these trials, and with no others" in said
    none = tables.stored(_stored(tmp_path / "c", 2.0, target=None))
    assert "no target is named" in " ".join(tables.warnings(none))


def _stored(folder: Path, seconds: float | None, **aim: Any) -> Path:
    imported(random_rates(seconds), folder, **aim)
    return folder


def test_a_comparison_knows_no_seconds_of_them(tmp_path: Path) -> None:
    """Steps alone, as nobody knows the machines."""
    folders = [_stored(tmp_path / name, seconds) for name, seconds in (("a", 2.0), ("b", None))]
    sides, _ = tables_compare(folders)
    ratios = study.compare.ratios(sides)
    assert ratios["seconds"].isna().all()
    both = ratios[ratios["arrived"] == "both"]
    assert len(both)
    assert (both["steps"] == 1).all()
    summary = study.compare.summary(ratios, [sides[1].name])
    assert summary["steps"].tolist() == [1.0]
    assert study.compare.best(sides)[sides[1].name, "steps"].notna().any()


def tables_compare(folders: list[Path]) -> Any:
    """The sides of a comparison."""
    return study.compare.sides(folders, anyway=True)
