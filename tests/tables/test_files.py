"""Tables as CSV files."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from study import tables
from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.store import Store
from support.made import made_runs, stored

SPEC = StudySpec(optimizers=("adam",), rates=(0.01, 0.1), seeds=2, cap=20.0)
THREE = SPEC.with_(widths=(1.0, 2.0, 3.0))


def test_numbers_have_six_digits_unless_told_otherwise(tmp_path: Path) -> None:
    """And no index."""
    table = pd.DataFrame({"a": [1234567.0, 1 / 3], "b": ["x", "y"]}, index=[7, 8])
    path = tables.write_csv(tmp_path / "t.csv", table)
    assert path == tmp_path / "t.csv"
    assert path.read_text() == "a,b\n1.23457e+06,x\n0.333333,y\n"
    assert tables.write_csv(path, table, 3).read_text() == "a,b\n1.23e+06,x\n0.333,y\n"


def test_files_are_written_into_the_study_or_where_told(tmp_path: Path) -> None:
    """Folders are made, and files are written anew."""
    folder = stored(tmp_path / "study", SPEC, lambda trial: 4.0)
    for out, place in ((None, folder / "tables"), (tmp_path / "a" / "b", tmp_path / "a" / "b")):
        for _ in range(2):
            paths = tables.write(folder, out)
            assert paths == [place / f"{name}.csv" for name in tables.TABLES]
            assert all(path.is_file() for path in paths)


def test_three_widths_have_fits_of_what_is_known(tmp_path: Path) -> None:
    """Two have none; of an imported study seconds alone are known; `by` is a size."""
    two = stored(tmp_path / "two", SPEC.with_(widths=(1.0, 2.0)), lambda trial: 4.0)
    assert len(tables.write(two)) == len(tables.TABLES)
    three = stored(tmp_path / "three", THREE, lambda trial: 4.0 + 3 * trial.width)
    names = [path.stem for path in tables.write(three)]
    assert names == [*tables.TABLES, "sizes", "sizes-steps", "sizes-step-time"]
    for by, slope in (("width", 3.0), ("weights", None)):
        tables.write(three, by=by)
        k = pd.read_csv(three / "tables" / "sizes.csv")["k"].tolist()
        if slope:
            assert k == pytest.approx([slope] * 2)
        else:
            assert max(k) < 0.01
    steps = pd.read_csv(three / "tables" / "sizes-steps.csv")["c"].tolist()
    assert all(math.isfinite(value) for value in steps)
    store = Store(tmp_path / "imported")
    with store.writing():
        store.write_spec(THREE, "x")
        for run in made_runs(THREE, lambda trial: 4.0 + trial.width):
            store.append(replace(run, steps=None, step_seconds=None, seconds_source="measured"))
    names = [path.stem for path in tables.write(store.folder)]
    assert names == [*tables.TABLES, "sizes"]


def test_what_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    """An unknown measure of size, and a folder whose link leads elsewhere; nothing is written."""
    folder = stored(tmp_path / "study", SPEC, lambda trial: 4.0)
    with pytest.raises(StudyError, match="unknown size 'seconds'"):
        tables.write(folder, by="seconds")
    assert not (folder / "tables").exists()
    (folder / "tables").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StudyError, match="is a link that leads out of"):
        tables.write(folder)
    assert not (tmp_path / "elsewhere").exists()
