"""The published project's results (2018), row by row.

A sheet of the grid has the columns of `GRID_SHEET`, and its times without success are censored. One
of single results has those of `RESULT_SHEET`, and an accuracy below the target is no success. One
of `VALIDATION_SHEET` holds curves, of validation and of training accuracy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.spec.trial import OPTIMIZERS
from study.storage.published.sheets import (
    SUCCESS,
    TABLES,
    VALIDATION_SHEET,
    Other,
    Table,
    blank,
    tables_in,
)

A_TIME = (1e-6, 1e7, "a number of seconds")


A_RATE = (1e-37, 1e12, "a learning rate")


A_SHARE = (0, 1, "an accuracy in 0 to 1, such as 0.97")


NUMBERS = {
    "Learning rate": ("rate", *A_RATE),
    "lr": ("rate", *A_RATE),
    "Time taken": ("seconds", *A_TIME),
    "Time": ("seconds", 0, *A_TIME[1:]),
    "time": ("seconds", *A_TIME),
    SUCCESS: ("success_seconds", *A_TIME),
    "scale": ("width", 1e-6, 100, "a model's scale, above 0 and at most 100"),
    "acc": ("accuracy", *A_SHARE),
    "Validation": ("accuracy", *A_SHARE),
}
"""What a column of numbers holds: a field of `Result` or `Point`, its bounds, and its name."""


NAMES = {"gd": "sgd", "gradientdescent": "sgd", **{name: name for name in OPTIMIZERS}}
"""The published names of the optimizers, in lower case."""


SCHEDULES = ("fixed", "exp_decay", "cosine_restart", "triangle")
"""The last word of an optimizer's cell, where there is one. All but `fixed` changed the rate."""


TRAINING = "-train"
"""The end of a curve's name, if it is one of training accuracy."""


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


@dataclass(frozen=True)
class Point:
    """A point of a curve: seconds of training, and accuracy in validation or in training."""

    optimizer: str
    seconds: float
    accuracy: float
    training: bool = False


@dataclass(frozen=True)
class Found:
    """What files hold.

    Args:
        results: the results at fixed rates, table by table.
        points: the points of all curves.
        others: files and sheets without a known table.
    """

    results: tuple[tuple[Result, ...], ...]
    points: tuple[Point, ...]
    others: tuple[Other, ...]


def read(files: Iterable[str | Path]) -> Found:
    """What the files hold.

    Args:
        files: CSV files and spreadsheets. A folder stands for those in it.

    Returns:
        Their results and curves; what holds neither is named.

    Raises:
        StudyError: a file that cannot be read, with its sheet, row and column; or no known table in
            any of them.
    """
    found = list(tables_in(files))
    tables = [one for one in found if isinstance(one, Table)]
    others = tuple(one for one in found if isinstance(one, Other))
    if not tables:
        wanted = "; or ".join(", ".join(names) for names in TABLES)
        listed = ", ".join(map(str, others)) or "no file"
        raise StudyError(f"nothing to import in {listed}: expected the columns {wanted}")
    results: list[tuple[Result, ...]] = []
    points: list[Point] = []
    for table in tables:
        if table.columns == VALIDATION_SHEET:
            points.extend(Point(**values) for values in _rows(table))
        else:
            results.append(tuple(Result(**values) for values in _rows(table)))
    return Found(tuple(results), tuple(points), others)


def _rows(table: Table) -> Iterator[dict[str, Any]]:
    """The values in each row; rows whose rate changed in training are left out."""
    for i, row in table.cells.to_dict("index").items():
        values = _row(f"{table.place}, row {int(str(i)) + 1}", row)
        if values is not None:
            yield values


def _row(place: str, row: Mapping[Any, Any]) -> dict[str, Any] | None:
    """The values in a row; None if its rate changed in training."""
    values: dict[str, Any] = {}
    fixed = True
    for column, cell in row.items():
        if column in NUMBERS:
            values[NUMBERS[column][0]] = _number(f"{place}, column {column!r}", column, cell)
            continue
        text = str(cell).strip()
        if "Validation" in row and text.lower().endswith(TRAINING):
            values["training"] = True
            text = text[: -len(TRAINING)]
        words = re.sub(r"\(.*\)$", "", text).split()
        if words and words[-1] in SCHEDULES:
            fixed = words.pop() == "fixed"
        name = NAMES.get(re.sub(r"[^a-z]|optimizer$", "", "".join(words).lower()))
        if name is None:
            raise StudyError(
                f"{place}, column {column!r}: unknown optimizer {cell!r}, expected one of "
                "GD, Momentum, Adam, Adagrad, Adadelta, RMSProp"
            )
        values["optimizer"] = name
    if "rate" in values:
        values["rate"] = float(f"{values['rate']:.6g}")
    return values if fixed else None


def _number(place: str, column: str, cell: Any) -> float | None:
    """The number in a cell; None without success."""
    _, low, high, what = NUMBERS[column]
    if blank(cell):
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
