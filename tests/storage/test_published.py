"""Importing the published files: made-up ones with their columns."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from study import figures, tables
from study.errors import StudyError
from study.storage.published.importing import import_published
from study.storage.published.protocol import MACHINE_NAME
from study.storage.store import Store

GRID = pd.DataFrame(
    {
        "Learning rate": [
            0.000999999,
            0.00146779926762207,
            0.1,
            0.1,
            0.1,
            0.2154434690031884,
            0.01,
        ],
        "Time taken": [20.0, 8.3, 120.4, 60.0, 7.8, 7.0, 15.0],
        "Optimizer": [
            "Adam",
            "Adam fixed",
            "Adam",
            "GD",
            "Adagrad",
            "GradientDescent",
            "Adam exp_decay",
        ],
        "Time taken with success": [20.0, 8.3, None, 60.0, 7.8, 7.0, 15.0],
    }
)
SIZES = pd.DataFrame(
    [
        (
            scale,
            5 + 2 * scale,
            f"Adam({rate})",
            0.96 if scale < 3 else 0.3,
            rate,
            "Adam",
            scale,
            5 + 2 * scale,
        )
        for scale in (1.0, 1.5, 2.0, 3.0)
        for rate in (0.0010000000000000002, 0.00146)
    ],
    columns=["x", "y", "label", "acc", "lr", "opt", "scale", "time"],
)


def workbook(path: Path, **sheets: pd.DataFrame) -> Path:
    with pd.ExcelWriter(path) as writer:
        pd.DataFrame({"Row Labels": ["Adam", "Grand Total"], "Average of Time": [1, 2]}).to_excel(
            writer, sheet_name="pivot", index=False
        )
        for name, table in sheets.items():
            table.to_excel(writer, sheet_name=name, index=False)
    return path


def test_a_spreadsheet_of_the_grid_becomes_a_study(tmp_path: Path) -> None:
    """Times without success are censored, pivots are skipped, and rates that changed in training
    are left out.
    """
    out = tmp_path / "published"
    done = import_published([workbook(tmp_path / "grid.xlsx", data=GRID)], out)
    (made,) = done.studies.values()
    spec = made.spec
    assert list(map(str, done.others)) == [
        f"{tmp_path / 'grid.xlsx'}, sheet 'pivot' (no table of results)"
    ]
    assert (len(made.runs), spec.network, spec.metric, spec.mode, spec.target, spec.cap) == (
        6,
        "tutorial",
        "cumulative",
        "alone",
        0.97,
        120.0,
    )
    runs = tables.load(out)
    assert set(runs["machine"]) == {MACHINE_NAME}
    assert set(runs["seconds_source"]) == {"measured"}
    best: Any = tables.best(runs).set_index("optimizer")
    assert best.loc["adam", ["arrived", "best_rate", "seconds"]].tolist() == [2, 0.0014678, 8.3]
    assert best.loc["sgd", "seconds"] == 7.0
    assert math.isnan(best.loc["sgd", "steps"])
    capped = runs[runs["outcome"] == "capped"]
    assert capped[["optimizer", "learning_rate", "seconds"]].to_numpy().tolist() == [
        ["adam", 0.1, 120.4]
    ]
    assert Store(out).spec() == spec
    tables.write(out)
    assert [path.stem for path in figures.write(out)] == ["valley", "envelope", "profile"]


def test_a_csv_of_sizes_becomes_a_study(tmp_path: Path) -> None:
    """Accuracies below the target are no arrivals; the target can be said."""
    path = tmp_path / "sizes.csv"
    SIZES.to_csv(path, index=False)
    (made,) = import_published([path], tmp_path / "out").studies.values()
    spec = made.spec
    assert (len(made.runs), spec.widths, spec.rates, spec.target, spec.cap) == (
        8,
        (1.0, 1.5, 2.0, 3.0),
        (0.001, 0.00146),
        0.96,
        240.0,
    )
    runs = tables.load(tmp_path / "out")
    assert runs["outcome"].value_counts().to_dict() == {
        "reached": 6,
        "pruned": 2,
    }  # 0.3 after 11 of 240 seconds: no time ran out
    assert tables.sizes(runs)["k"].notna().all()
    names = [path.stem for path in figures.write(tmp_path / "out")]
    assert "sizes" in names
    assert "size-parts" not in names  # there are no steps to draw
    import_published([path], tmp_path / "low", target=0.2)
    assert (tables.load(tmp_path / "low")["outcome"] == "reached").all()


def test_both_kinds_become_two_studies_and_repeats_seeds(tmp_path: Path) -> None:
    """A file given twice adds nothing; a second time for the same cell is a second seed, which the
    others need not have.
    """
    again = SIZES.iloc[:1].assign(time=9.0)
    book = workbook(tmp_path / "all.xlsx", grid=GRID, sizes=pd.concat([SIZES, again]))
    made = import_published([book, book], tmp_path / "out").studies
    assert {path.name: len(one.runs) for path, one in made.items()} == {"grid": 6, "sizes": 9}
    assert made[tmp_path / "out" / "sizes"].spec.seeds == 1
    assert tables.load(tmp_path / "out" / "sizes")["seed"].max() == 1
    with pytest.raises(StudyError, match="holds a study already"):
        import_published([book], tmp_path / "out")


@pytest.mark.parametrize(
    ("column", "row", "value", "says"),
    [
        ("Time taken", 2, "soon", "row 4, column 'Time taken': 'soon' is not a number of seconds"),
        ("Learning rate", 0, -1, "row 2, column 'Learning rate': -1 is not a learning rate"),
        ("Optimizer", 1, "Lion", "row 3, column 'Optimizer': unknown optimizer 'Lion'"),
        (
            "Time taken with success",
            0,
            "yes",
            "row 2, column 'Time taken with success': 'yes' is not a number of seconds",
        ),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, column: str, row: int, value: Any, says: str) -> None:
    """Sheet, row and column, as the spreadsheet counts them."""
    table = GRID.astype(object)
    table.loc[row, column] = value
    with pytest.raises(StudyError, match=re.escape(f"sheet 'data', {says}")):
        import_published([workbook(tmp_path / "bad.xlsx", data=table)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bad_file_is_a_sentence(tmp_path: Path) -> None:
    """Missing, another format, a pivot alone, not a spreadsheet at all, a CSV with a bad cell."""
    pivot, text, broken, empty = (
        tmp_path / name for name in ("pivot.xlsx", "notes.txt", "broken.xlsx", "empty.csv")
    )
    workbook(pivot)
    text.write_text("x")
    broken.write_text("x")
    empty.write_text("")
    for path, says in (
        (tmp_path / "none.csv", "no file"),
        (text, "neither a .csv nor an .xlsx"),
        (pivot, "no table of results"),
        (broken, "cannot be read"),
        (empty, "cannot be read"),
    ):
        with pytest.raises(StudyError, match=says):
            import_published([path], tmp_path / "out")
    bad = tmp_path / "bad.csv"
    SIZES.assign(acc=2.0).to_csv(bad, index=False)
    with pytest.raises(StudyError, match=r"bad.csv, row 2, column 'acc': '2.0' is not an accuracy"):
        import_published([bad], tmp_path / "out")
    with pytest.raises(StudyError, match="nothing to import"):
        import_published([], tmp_path / "out")


@pytest.mark.parametrize(("sign", "words"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("table", [GRID, SIZES])
def test_another_separator_is_named(
    tmp_path: Path, sign: str, words: str, quoted: bool, table: pd.DataFrame
) -> None:
    """As a spreadsheet of another language saves, its numbers with commas."""
    path = tmp_path / "results.csv"
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    table.to_csv(path, index=False, sep=sign, decimal=",", quoting=quoting)  # type: ignore[call-overload]
    with pytest.raises(StudyError, match=f"separates its columns by {words}"):
        import_published([path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_mark_in_front_of_a_csv_is_read(tmp_path: Path) -> None:
    """As a spreadsheet program saves it."""
    path = tmp_path / "results.csv"
    SIZES.to_csv(path, index=False, encoding="utf-8-sig")
    import_published([path], tmp_path / "out")
    assert len(tables.load(tmp_path / "out")) == len(SIZES)
