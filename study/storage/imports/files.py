"""Files of rows, read as they stand: CSV, JSON lines, JSON, Parquet."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.errors import StudyError, first_line
from study.storage.imports.sheets import Cells, Sheet

if TYPE_CHECKING:
    import pandas as pd

KINDS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
"""Ends of the names of files that may hold results."""


DEEPOBS = "optimizer_hyperparams"
"""What a file of DeepOBS has, and no other."""


LISTS = {"losses": "loss", "accuracies": "accuracy"}
"""How DeepOBS ends the name of a metric, and what it is called elsewhere."""


def read_file(path: Path, settings: Mapping[str, Any]) -> Sheet:
    """The rows of a file.

    Args:
        path: the file.
        settings: what is known of all its rows already, such as by its name.

    Raises:
        StudyError: it cannot be read, or holds no rows.
    """
    kind = path.suffix.lower()
    try:
        if kind in (".csv", ".tsv"):
            sheet = Sheet(str(path), list(_csv(path)))
        elif kind in (".jsonl", ".ndjson"):
            sheet = Sheet(str(path), list(_lines(_text(path))))
        elif kind == ".json":
            sheet = of_json(str(path), json.loads(_text(path)))
        elif kind == ".parquet":
            sheet = of_frame(str(path), _parquet(path))
        else:
            raise StudyError(f"{path} is none of {', '.join(KINDS)}")
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        if isinstance(error, StudyError) and str(path) in str(error):
            raise
        why = getattr(error, "strerror", None) or first_line(error)
        raise StudyError(f"{path} cannot be read: {why}") from None
    if not sheet.rows:
        raise StudyError(f"{path} holds no rows")
    return Sheet(
        sheet.place, sheet.rows, settings, sheet.one or "rate" in settings, unit=sheet.unit
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig")


def _lines(text: str) -> Iterator[Cells]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield flat(json.loads(line))
            except StudyError as error:
                raise StudyError(f"line {number}: {error}") from None
            except ValueError:
                raise StudyError(f"line {number} is no JSON") from None


def _csv(path: Path) -> Iterator[Cells]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        separator = max(",;\t", key=first.count)
        for row in csv.DictReader(file, delimiter=separator, skipinitialspace=True):
            if any(isinstance(value, list) for value in row.values()):
                raise StudyError(f"{path}: a row has more cells than the {len(row) - 1} columns")
            yield {name.strip(): value for name, value in row.items()}


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except ImportError:
        raise StudyError(f"{path}: Parquet is read by pyarrow: pip install pyarrow") from None


def of_frame(place: str, table: pd.DataFrame) -> Sheet:
    """The rows of a DataFrame; NaN is a cell in which nothing stands."""
    plain = table.astype(object).where(table.notna(), None)
    rows = [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
    return Sheet(place, rows)


def flat(row: Any) -> Cells:
    """A JSON object without objects in it: names are joined by a stroke; lists stay.

    Raises:
        StudyError: another value.
    """
    if not isinstance(row, Mapping):
        raise StudyError(f"expected a JSON object, not {str(row)[:40]!r}")
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{name}/{inner}": cell for inner, cell in flat(value).items()}
        else:
            found[str(name)] = value
    return found


def of_json(place: str, value: Any) -> Sheet:
    """The rows of a JSON file: a list of objects, or one trial as Keras's History or DeepOBS's.

    Raises:
        StudyError: another value.
    """
    if isinstance(value, list):
        return Sheet(place, [flat(row) for row in value])
    cells = flat(value)
    lists = {name: cell for name, cell in cells.items() if isinstance(cell, list) and cell}
    alone = {name: cell for name, cell in cells.items() if not isinstance(cell, list)}
    if not lists:
        return Sheet(place, [alone])
    ran = DEEPOBS in value
    lengths = Counter(map(len, lists.values()))
    length = (
        int(value["num_epochs"]) + 1
        if ran and "num_epochs" in value
        else max(lengths, key=lambda one: (lengths[one], one))
    )
    told = {_metric(name): cell for name, cell in lists.items() if len(cell) == length}
    if "epoch" in told:
        steps: list[Any] = told.pop("epoch")
        steps = [step + 1 for step in steps] if steps and steps[0] == 0 else steps
    else:  # DeepOBS looks once before the first epoch
        steps = list(range(length)) if ran else list(range(1, length + 1))
    rows = [
        # A first column that counts epochs from 0 would be taken for Keras's own log.
        {**alone, **{name: cell[number] for name, cell in told.items()}, "epoch": step}
        for number, step in enumerate(steps)
    ]
    return Sheet(place, rows, one=True, unit="epoch")


def _metric(name: str) -> str:
    """The name of a list, without the object it stands in, as one metric is called."""
    name = name.rpartition("/")[2]
    head, stroke, last = name.rpartition("_")
    return f"{head}{stroke}{LISTS.get(last, last)}"
