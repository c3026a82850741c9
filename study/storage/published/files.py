"""The published project's result files (2018), row by row.

Its files are CSV files and spreadsheets. A sheet of the grid has the columns of `GRID_SHEET`, and
its times without success are censored. A CSV or a sheet of single results has those of
`RESULT_SHEET`, and an accuracy below the target is no success.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from study.errors import StudyError
from study.spec.trial import OPTIMIZERS

SUCCESS = "Time taken with success"


GRID_SHEET = ("Learning rate", "Time taken", "Optimizer", SUCCESS)


RESULT_SHEET = ("acc", "lr", "opt", "scale", "time")


TABLES = (GRID_SHEET, RESULT_SHEET)


FIRST_ROWS = 20
"""The names of the columns stand within these."""


SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


A_TIME = (1e-6, 1e7, "a number of seconds")


A_RATE = (1e-37, 1e12, "a learning rate")


NUMBERS = {
    "Learning rate": ("rate", *A_RATE),
    "lr": ("rate", *A_RATE),
    "Time taken": ("seconds", *A_TIME),
    "time": ("seconds", *A_TIME),
    SUCCESS: ("success_seconds", *A_TIME),
    "scale": ("width", 1e-6, 100, "a model's scale, above 0 and at most 100"),
    "acc": ("accuracy", 0, 1, "an accuracy in 0 to 1, such as 0.97"),
}
"""What a column of numbers holds: a field of `Result`, its bounds, and what it is called."""


NAMES = {"gd": "sgd", "gradientdescent": "sgd", **{name: name for name in OPTIMIZERS}}
"""The published names of the optimizers, in lower case."""


SCHEDULES = ("fixed", "exp_decay", "cosine_restart", "triangle")
"""The last word of an optimizer's cell, where there is one. All but `fixed` changed the rate."""


@dataclass(frozen=True)
class Result:
    """A row of a published file.

    A sheet of the grid gives `success_seconds`, None without success. One of single results gives
    `width` and `accuracy`.
    """

    optimizer: str
    rate: float
    seconds: float
    width: float = 1.0
    accuracy: float | None = None
    success_seconds: float | None = None

    def reached(self, target: float) -> bool:
        """Whether the trial met the target."""
        if self.accuracy is None:
            return self.success_seconds is not None
        return self.accuracy >= target


def read_results(path: Path) -> Iterator[list[Result]]:
    """The results at fixed rates, sheet by sheet; a sheet without a table of results is skipped."""
    sheets = _cells(path)
    found = False
    for sheet, cells in sheets.items():
        place = f"{path}, sheet {sheet!r}" if sheet else str(path)
        table = _table(cells)
        if table is not None:
            found = True
            rows = table.to_dict("index").items()
            results = [_result(f"{place}, row {int(str(i)) + 1}", row) for i, row in rows]
            yield [result for result in results if result is not None]
    if not found:
        wanted = f"{', '.join(GRID_SHEET)}; or {', '.join(RESULT_SHEET)}"
        listed = f" (sheets: {', '.join(sheets)})" if any(sheets) else ""
        raise StudyError(f"{path}{listed} has no table of results: expected the columns {wanted}")


def _cells(path: Path) -> dict[str, pd.DataFrame]:
    """The cells of a file by sheet, as they are; a CSV is one sheet without a name."""
    kind = path.suffix.lower()
    if kind not in (".csv", ".xlsx", ".xlsm"):
        raise StudyError(f"{path} is neither a .csv nor an .xlsx file")
    try:
        if kind == ".csv":
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


def _table(cells: pd.DataFrame) -> pd.DataFrame | None:
    """The table below the column names, which stand within the first twenty rows; no blank rows."""
    cells = cells.map(lambda value: None if _blank(value) else value).astype(object)
    for i in range(min(FIRST_ROWS, len(cells))):
        names = {str(name).strip().lower(): j for j, name in reversed([*enumerate(cells.iloc[i])])}
        for wanted in TABLES:
            if {name.lower() for name in wanted} <= set(names):
                table = cells.iloc[i + 1 :, [names[name.lower()] for name in wanted]]
                return table.set_axis(list(wanted), axis=1).dropna(how="all")
    return None


def _blank(value: Any) -> bool:
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def _result(place: str, row: Mapping[Any, Any]) -> Result | None:
    """The result in a row; None if its rate changed in training."""
    values: dict[str, Any] = {}
    fixed = True
    for column, cell in row.items():
        if column in NUMBERS:
            values[NUMBERS[column][0]] = _number(f"{place}, column {column!r}", column, cell)
            continue
        words = re.sub(r"\(.*\)$", "", str(cell).strip()).split()
        if words and words[-1] in SCHEDULES:
            fixed = words.pop() == "fixed"
        name = NAMES.get(re.sub(r"[^a-z]|optimizer$", "", "".join(words).lower()))
        if name is None:
            raise StudyError(
                f"{place}, column {column!r}: unknown optimizer {cell!r}, expected one of "
                "GD, Momentum, Adam, Adagrad, Adadelta, RMSProp"
            )
        values["optimizer"] = name
    values["rate"] = float(f"{values['rate']:.6g}")
    return Result(**values) if fixed else None


def _number(place: str, column: str, cell: Any) -> float | None:
    """The number in a cell; None without success."""
    _, low, high, what = NUMBERS[column]
    if _blank(cell):
        if column == SUCCESS:
            return None
        raise StudyError(f"{place} is empty, expected {what}")
    try:
        value = float(cell)
    except (TypeError, ValueError):
        value = math.nan
    if not low <= value <= high:
        raise StudyError(f"{place}: {cell!r} is not {what}")
    return value
