"""The published project's own result files (2018, one Tesla K80) as studies of this project: its
CSV and its spreadsheets.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mode
from typing import Any

import pandas as pd

from study.errors import StudyError
from study.machine.facts import Machine
from study.spec.networks import network_of
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS, Trial
from study.storage.records import SCHEMA, Outcome, Run
from study.storage.store import Store

MACHINE_NAME = "published K80"


MACHINE = Machine(
    cpu="not published", cores=0, memory_gb=0, gpus=("Tesla K80",), system="not published"
)


GRID_SHEET = ("Learning rate", "Time taken", "Optimizer", "Time taken with success")
"""Columns of a sheet of the grid; a time without success is censored."""


RESULT_SHEET = ("acc", "lr", "opt", "scale", "time")
"""Columns, beside x, y and label, of a CSV or sheet of single results; an accuracy below the target
is no success.
"""


NAMES = {"gd": "sgd", "gradientdescent": "sgd", **{name: name for name in OPTIMIZERS}}


SCHEDULES = ("fixed", "exp_decay", "cosine_restart", "triangle")


TARGETS = {"grid": 0.97, "sizes": 0.96}


CAPS = {"grid": 120.0, "sizes": 240.0}
"""What the published code stopped at, by what was varied."""


EARLY = 0.9
"""Share of the cap before which a trial did not run out of time."""


@dataclass(frozen=True)
class Result:
    """A row of a published file; `accuracy` or `success` is known, as the kind of sheet has it."""

    optimizer: str
    rate: float
    width: float
    seconds: float
    accuracy: float | None
    success: bool | None


def import_published(
    files: Sequence[str | Path], out: str | Path, target: float | None = None
) -> dict[Path, tuple[StudySpec, int]]:
    """Write the files' results as a study into `out`, or as two, `out`/grid and `out`/sizes, if
    they hold both.

    Sheets of one scale are of the grid (target 97 %, cap 120 s), sheets of several of the sizes (96
    %, 240 s). Rows that agree in all they say are one; other repeats become seeds, of which the
    grid has as many as most cells. Results of a rate that changed in training are left out.

    Args:
        files: CSV files and spreadsheets.
        out: the new study's folder.
        target: accuracy that counts as success where a file tells the accuracy.

    Returns:
        By folder, what was written there, and how many trials.

    Raises:
        StudyError: a file that cannot be read, with its sheet, row and column; no results in it; or
            a folder that holds a study.
    """
    kinds: dict[str, list[Result]] = {}
    for path in map(Path, files):
        for sheet in _sheets(path):
            results = [result for result in sheet if result is not None]
            kind = "sizes" if len({result.width for result in results}) > 1 else "grid"
            kinds.setdefault(kind, []).extend(results)
    kinds = {kind: list(dict.fromkeys(results)) for kind, results in kinds.items() if results}
    if not kinds:
        raise StudyError(
            "no result at a fixed rate in "
            f"{', '.join(str(file) for file in files) or 'no file'}: nothing to import"
        )
    places = {kind: Path(out) if len(kinds) == 1 else Path(out) / kind for kind in kinds}
    for folder in places.values():
        if Store(folder).spec_path.exists() or Store(folder).runs():
            raise StudyError(f"{folder} holds a study already: give another --out")
    written = {}
    for kind, results in kinds.items():
        folder = places[kind]
        spec, runs = _study(kind, results, TARGETS[kind] if target is None else target)
        _write(folder, spec, runs)
        written[folder] = (spec, len(runs))
    return written


def _study(kind: str, results: Sequence[Result], target: float) -> tuple[StudySpec, list[Run]]:
    """The study that holds these results, and its runs."""
    repeats: dict[tuple[str, float, float], list[Result]] = {}
    for result in results:
        repeats.setdefault((result.optimizer, result.rate, result.width), []).append(result)
    spec = StudySpec(
        name=f"published-{kind}",
        optimizers=tuple(name for name in OPTIMIZERS if any(key[0] == name for key in repeats)),
        rates=tuple(sorted({key[1] for key in repeats})),
        widths=tuple(sorted({key[2] for key in repeats})),
        seeds=mode(map(len, repeats.values())),
        network="tutorial",
        target=target,
        metric="cumulative",
        cap=max(CAPS[kind], math.ceil(max(result.seconds for result in results))),
        mode="alone",
    )
    cells = {(trial.optimizer, trial.learning_rate, trial.width): trial for trial in spec.trials()}
    runs = [
        _run(spec, replace(cells[key], seed=seed), result)
        for key, same in repeats.items()
        for seed, result in enumerate(same)
    ]
    return spec, runs


def _run(spec: StudySpec, trial: Trial, result: Result) -> Run:
    """The run of a result: measured, its steps not told."""
    success = (
        result.success
        if result.success is not None
        else result.accuracy is not None and result.accuracy >= spec.target
    )
    # A row that tells an accuracy below the target long before the cap was given up by another rule
    # than the cap's.
    early = (
        result.success is None
        and result.seconds < EARLY * CAPS[spec.name.removeprefix("published-")]
    )
    net = network_of(trial)
    return Run(
        trial=trial,
        study=spec.name,
        weights=net.weights,
        multiply_adds=net.multiply_adds,
        outcome=Outcome.REACHED if success else Outcome.PRUNED if early else Outcome.CAPPED,
        steps=None,
        seconds=result.seconds,
        seconds_source="measured",
        step_seconds=None,
        accuracy=result.accuracy,
        best_accuracy=result.accuracy,
        error=None,
        lanes=1,
        jobs=1,
        machine=MACHINE_NAME,
        fingerprint=MACHINE.fingerprint,
        versions={"tensorflow": "1"},
        started_at="2018",
        processor="not published",
    )


def _write(folder: Path, spec: StudySpec, runs: Iterable[Run]) -> None:
    """Put the study on the disk."""
    store = Store(folder)
    with store.writing():
        for run in runs:
            store.append(run)
        store.write(folder / "machine.json", {**MACHINE.to_json(), "name": MACHINE_NAME})
        digest = hashlib.md5(store.runs_path.read_bytes(), usedforsecurity=False).hexdigest()
        store.write(
            store.spec_path,
            {
                "schema": SCHEMA,
                "dataset_md5": f"not published; runs {digest}",
                "spec": spec.to_json(),
            },
        )


def _sheets(path: Path) -> Iterator[list[Result | None]]:
    """The results of each sheet of a file that holds any; None for a result at a rate that changed
    in training.
    """
    tables = _tables(path)
    found = False
    for sheet, table in tables.items():
        place = f"{path}, sheet {sheet!r}" if sheet else str(path)
        header = _header(table)
        if header is None:
            continue
        found = True
        row, columns = header
        yield [
            _result(f"{place}, row {i + 1}", columns, [table.iloc[i, j] for j in columns.values()])
            for i in range(row + 1, len(table))
            if not all(_blank(table.iloc[i, j]) for j in columns.values())
        ]
    if not found:
        wanted = f"{', '.join(GRID_SHEET)}; or {', '.join(RESULT_SHEET)}"
        sheets = f" (sheets: {', '.join(tables)})" if any(tables) else ""
        raise StudyError(f"{path}{sheets} has no table of results: expected the columns {wanted}")


def _tables(path: Path) -> dict[str, pd.DataFrame]:
    """The cells of a file by sheet, as they are; a CSV is one sheet without a name."""
    try:
        if path.suffix.lower() in (".xlsx", ".xlsm"):
            return {
                str(name): table
                for name, table in pd.read_excel(
                    path, sheet_name=None, header=None, dtype=object
                ).items()
            }
        if path.suffix.lower() == ".csv":
            return {"": pd.read_csv(path, header=None, dtype=object, skip_blank_lines=False)}
    except FileNotFoundError:
        raise StudyError(
            f"no file {path}: give the published project's CSV or .xlsx files"
        ) from None
    except Exception as error:  # whatever a reader of foreign files may raise
        raise StudyError(
            f"{path} cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        ) from None
    raise StudyError(f"{path} is neither a .csv nor an .xlsx file")


def _header(table: pd.DataFrame) -> tuple[int, dict[str, int]] | None:
    """The row of the column names, within the first twenty, and the place of each."""
    for i in range(min(20, len(table))):
        names = {
            str(value).strip().lower(): j for j, value in reversed(list(enumerate(table.iloc[i])))
        }
        for wanted in (GRID_SHEET, RESULT_SHEET):
            if {name.lower() for name in wanted} <= set(names):
                return i, {name: names[name.lower()] for name in wanted}
    return None


def _result(place: str, columns: Mapping[str, int], values: Sequence[Any]) -> Result | None:
    """The result in a row."""
    row = dict(zip(columns, values, strict=True))

    def number(column: str, low: float, high: float, what: str) -> float:
        try:
            value = float(row[column])
        except (TypeError, ValueError):
            value = math.nan
        if _blank(row[column]):
            raise StudyError(f"{place}, column {column!r} is empty, expected {what}")
        if not low <= value <= high:
            raise StudyError(f"{place}, column {column!r}: {row[column]!r} is not {what}")
        return value

    grid = "Optimizer" in row
    column = "Optimizer" if grid else "opt"
    words = re.fullmatch(r"([A-Za-z ]+?)(?: (\w+))?(?:\(.*\))?", str(row[column]).strip())
    schedule = words[2] if words and words[2] in SCHEDULES else "fixed"
    stem = (
        str(row[column]).strip()
        if words is None
        else words[1]
        if words[2] in (*SCHEDULES, None)
        else f"{words[1]}{words[2]}"
    )
    name = NAMES.get(re.sub(r"[^a-z]|optimizer$", "", stem.lower()))
    if name is None:
        known = "GD, Momentum, Adam, Adagrad, Adadelta, RMSProp"
        raise StudyError(
            f"{place}, column {column!r}: unknown optimizer {row[column]!r}, expected one of "
            f"{known}"
        )
    rate = float(f"{number('Learning rate' if grid else 'lr', 1e-37, 1e12, 'a learning rate'):.6g}")
    seconds = number("Time taken" if grid else "time", 1e-6, 1e7, "a number of seconds")
    if grid:
        success = not _blank(row["Time taken with success"])
        if success:
            seconds = number("Time taken with success", 1e-6, 1e7, "a number of seconds")
        result = Result(name, rate, 1.0, seconds, None, success)
    else:
        width = number("scale", 1e-6, 100, "a model's scale, above 0 and at most 100")
        result = Result(
            name,
            rate,
            width,
            seconds,
            number("acc", 0, 1, "an accuracy in 0 to 1, such as 0.97"),
            None,
        )
    return result if schedule == "fixed" else None


def _blank(value: Any) -> bool:
    return value is None or value != value or (isinstance(value, str) and not value.strip())
