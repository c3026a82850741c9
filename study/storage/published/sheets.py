"""Files of the published project (2018) as tables of cells; what holds no known table is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from study.errors import StudyError

SUCCESS = "Time taken with success"


GRID_SHEET = ("Learning rate", "Time taken", "Optimizer", SUCCESS)


RESULT_SHEET = ("acc", "lr", "opt", "scale", "time")


VALIDATION_SHEET = ("Time", "Validation", "Optimizer")


TABLES = (GRID_SHEET, RESULT_SHEET, VALIDATION_SHEET)


KINDS = (".csv", ".xlsx", ".xlsm")
"""Ends of the names of files that may hold a table."""


FIRST_ROWS = 20
"""The names of the columns stand within these."""


SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Table:
    """A table with the columns of one of `TABLES`.

    Args:
        place: the file, and the sheet of a spreadsheet.
        columns: the names of its columns.
        cells: the cells below them, without blank rows; the index counts the rows of the sheet.
    """

    place: str
    columns: tuple[str, ...]
    cells: pd.DataFrame


@dataclass(frozen=True)
class Other:
    """A file, a sheet or a folder that holds no known table, and why."""

    place: str
    why: str

    def __str__(self) -> str:
        return f"{self.place} ({self.why})"


def tables_in(files: Iterable[str | Path]) -> Iterator[Table | Other]:
    """The tables in files, and what holds none.

    Args:
        files: CSV files and spreadsheets. A folder stands for those in it.

    Raises:
        StudyError: a file that is missing or cannot be read.
    """
    for path in map(Path, files):
        if not path.is_dir():
            yield from _tables_of(path)
            continue
        inside = sorted(
            one for one in path.iterdir() if one.is_file() and one.suffix.lower() in KINDS
        )
        for one in inside:
            yield from _tables_of(one)
        if not inside:
            yield Other(str(path), "no .csv or .xlsx file in it")


def _tables_of(path: Path) -> Iterator[Table | Other]:
    """The tables in a file, sheet by sheet."""
    if path.suffix.lower() not in KINDS and path.exists():
        yield Other(str(path), "neither a .csv nor an .xlsx file")
        return
    for sheet, cells in _cells(path).items():
        place = f"{path}, sheet {sheet!r}" if sheet else str(path)
        yield _table(place, cells) or Other(place, "no table of results")


def _cells(path: Path) -> dict[str, pd.DataFrame]:
    """The cells of a file by sheet, as they are; a CSV is one sheet without a name."""
    try:
        if path.suffix.lower() == ".csv":
            _refuse_other_separators(path)
            options: dict[str, Any] = {"header": None, "skip_blank_lines": False}
            return {"": pd.read_csv(path, dtype=object, encoding="utf-8-sig", **options)}
        sheets = pd.read_excel(path, sheet_name=None, header=None, dtype=object)
        return {str(name): cells for name, cells in sheets.items()}
    except FileNotFoundError:
        raise StudyError(
            f"no file {path}: give the published project's CSV or .xlsx files"
        ) from None
    except StudyError:
        raise
    except Exception as error:  # whatever a reader of foreign files may raise
        raise StudyError(
            f"{path} cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        ) from None


def _refuse_other_separators(path: Path) -> None:
    """Raise `StudyError` if the names of the columns stand between other signs than commas."""
    with path.open(encoding="utf-8-sig", errors="replace", newline=None) as file:
        for line in islice(file, FIRST_ROWS):
            for sign, words in SEPARATORS.items():
                names = {name.strip().strip("\"'").lower() for name in line.split(sign)}
                if any({name.lower() for name in wanted} <= names for wanted in TABLES):
                    raise StudyError(
                        f"{path} separates its columns by {words}: save it with commas between "
                        "them, and a point in its numbers"
                    )


def _table(place: str, cells: pd.DataFrame) -> Table | None:
    """The table below the column names, which stand within the first twenty rows."""
    cells = cells.map(lambda value: None if blank(value) else value).astype(object)
    for i in range(min(FIRST_ROWS, len(cells))):
        names = {str(name).strip().lower(): j for j, name in reversed([*enumerate(cells.iloc[i])])}
        for wanted in TABLES:
            if {name.lower() for name in wanted} <= set(names):
                below = cells.iloc[i + 1 :, [names[name.lower()] for name in wanted]]
                return Table(place, wanted, below.set_axis(list(wanted), axis=1).dropna(how="all"))
    return None


def blank(value: Any) -> bool:
    """Whether a cell holds nothing."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())
