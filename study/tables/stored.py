"""A stored study in memory: each of its files is read once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.across import Across, checks_of, pooled_engines
from study.storage.checks import Checks, Curve, floor_of
from study.storage.jsonl import Row
from study.storage.published.protocol import Protocol, protocol_in
from study.storage.records import Outcome, Run, Spent
from study.storage.store import Store
from study.tables.best_rates.fresh import CONFIRM
from study.tables.clocks import budgets, counted_by
from study.tables.rows import curves_of, frame, some
from study.validation import home


@dataclass(frozen=True)
class StoredStudy:
    """A study's folder in memory. A file is read when it is first needed, and never again.

    Every function that takes a study's folder takes this in its place; what is written into the
    folder later is not seen.

    Args:
        folder: the study's folder.
        machine: name or fingerprint of the machine whose step times count; the study's reference's
            if None.
    """

    folder: str | Path
    machine: str | None = None

    @cached_property
    def store(self) -> Store:
        """The folder on the disk."""
        return Store(Path(self.folder))

    @cached_property
    def spec(self) -> StudySpec:
        """What the study was asked for. A folder without a study raises `StudyError`."""
        return self.store.spec()

    @cached_property
    def all_records(self) -> list[Run]:
        """The runs of every machine. A line that cannot be read raises `StudyError`."""
        _ = self.spec  # refuses a folder without a study
        return self.store.runs()

    @cached_property
    def records(self) -> list[Run]:
        """The runs by the clock of `machine`, see `counted_by`; `StudyError` if it has none."""
        reference = self.store.reference(self.all_records)
        capped = self.spec.cap is not None
        folder = Path(self.folder)
        return counted_by(self.all_records, self.machine, folder, reference, capped)

    @cached_property
    def across(self) -> list[Across]:
        """The checks of one kind of machine against another, the oldest first."""
        return checks_of(Path(self.folder))

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Those runs as a table, one row a trial; see `frame`."""
        table = frame(self.records, self.spec.optimizers)
        if table.empty:
            return table
        spec = self.spec
        if spec.model or spec.command:
            table = table.assign(model=spec.model or spec.command, data=spec.data)
        if spec.command:
            looks = {id_: row.look for id_, row in self.checks.items() if row.steps}
            table["look_seconds"] = table["id"].map(looks) * table["step_seconds"].astype(float)
        floor = floor_of(spec.metric, spec.target, spec.goal)
        died = {row.id for row in self.curve_rows if row.collapsed(floor)}
        table["unstable"] = table["id"].isin(died) & (table["outcome"] == Outcome.REACHED)
        before = {run.id: run.clock for run in self.all_records}
        if any(before[run.id] != run.clock for run in self.records):
            ids = (run.id for run in self.records)
            found = budgets(self.all_records, self.records)
            table["budget"] = table["id"].map(dict(zip(ids, found, strict=True)))
        alike = {
            f"{engine} {of}" for (engine, of), same in pooled_engines(self.across).items() if same
        }
        first = self.all_records[0]
        if set(table["pool"]) <= {base := f"{first.engine} {first.precision}", *alike}:
            table["pool"] = base
        if self.published is not None and self.published.look_seconds is not None:
            table["look_seconds"] = self.published.look_seconds
        return table

    @property
    def some_runs(self) -> pd.DataFrame:
        """Those runs. `StudyError` if there are none yet, or none in an import of curves alone."""
        if self.runs.empty and self.published is not None:
            raise StudyError(
                f"{self.folder}: the import holds validation curves and no trials, so there is "
                "nothing to tabulate: figures draws the curves"
            )
        return some(self.runs, self.folder)

    @cached_property
    def fresh(self) -> list[Run] | str:
        """The runs on fresh seeds of any clock; a sentence if they cannot be read."""
        place = Path(self.folder) / CONFIRM
        try:
            return Store(place).runs() if place.is_dir() else []
        except StudyError as error:
            return str(error)

    @cached_property
    def confirmed(self) -> pd.DataFrame:
        """The runs of the selected rates on fresh seeds, by the clock of `runs`; see `frame`."""
        fresh = frame([] if isinstance(self.fresh, str) else self.fresh)
        clocks = set(self.runs["clock"])
        return fresh[fresh["clock"].isin(clocks)].reset_index(drop=True)

    @cached_property
    def curve_rows(self) -> list[Curve]:
        """The validation curves as they are stored."""
        return self.store.curves()

    @cached_property
    def all_curves(self) -> pd.DataFrame:
        """The validation curves of every machine; see `curves`."""
        parts = []
        for row in self.curve_rows:
            part = pd.DataFrame({"accuracy": row.accuracy})
            told = row.seconds is not None
            part["step"] = math.nan if told else (part.index + 1) * (row.check_every or 0)
            part["seconds"] = row.seconds if told else part["step"] * (row.step_seconds or 0.0)
            rate = math.nan if row.learning_rate is None else row.learning_rate
            same = ("optimizer", "width", "seed", "outcome", "fingerprint")
            same_values = {name: getattr(row, name) for name in same}
            parts.append(part.assign(learning_rate=rate, **same_values))
        return _long(parts, CURVE_COLUMNS)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The validation curves of the machines that `runs` are of, by their clock."""
        found = curves_of(self.all_curves, self.runs)
        if "budget" in self.runs:
            kinds = self.runs.groupby(["optimizer", "width"], observed=True)["step_seconds"].first()
            times = [
                kinds.get((str(o), w), float("nan"))
                for o, w in zip(found["optimizer"], found["width"], strict=True)
            ]
            told = found["seconds"].where(found["step"].isna())
            found = found.assign(seconds=told.fillna(found["step"] * times))
        return found

    @cached_property
    def checks(self) -> Mapping[str, Checks]:
        """What every check of every trial saw, by the trial's id."""
        return self.store.checks()

    @cached_property
    def spent(self) -> list[Spent]:
        """Where the time of each process went."""
        return self.store.spent()

    @cached_property
    def facts(self) -> Row:
        """What machine.json states: the machine of the last run, and versions."""
        return self.store.machine()

    @cached_property
    def published(self) -> Protocol | None:
        """What is known of the protocol of an imported study; None of any other."""
        return protocol_in(self.facts)

    @property
    def elsewhere(self) -> int:
        """How many stored trials were trained under another clock."""
        return len(self.all_records) - len(self.records)


Source: TypeAlias = StoredStudy | str | Path
"""A study: its folder, or what was read of it."""


CURVE_COLUMNS = (
    *("optimizer", "learning_rate", "width", "seed", "outcome"),
    *("step", "seconds", "accuracy", "fingerprint"),
)


CHECK_COLUMNS = ("id", "step", "accuracy", "loss")


def stored(folder: Source, machine: str | None = None) -> StoredStudy:
    """A study in memory, from its folder; one that is in memory already is not read again.

    Args:
        folder: the study's folder, or a `StoredStudy`.
        machine: name or fingerprint of the machine whose step times count. None keeps that of a
            study in memory, and means the reference for a folder.

    Returns:
        The study.
    """
    if not isinstance(folder, StoredStudy):
        return StoredStudy(home(folder), machine)
    return folder if machine in (None, folder.machine) else replace(folder, machine=machine)


def load(folder: Source, machine: str | None = None) -> pd.DataFrame:
    """The stored runs of a study, one row a trial; see `frame`.

    Args:
        folder: the study's folder, or a `StoredStudy`.
        machine: name or fingerprint of the machine whose step times count; the reference if None.

    Returns:
        The table of `frame`.

    Raises:
        StudyError: the folder holds no study, a line cannot be read, or there is neither a run nor
            a step time of that machine; the sentence says which.
    """
    return stored(folder, machine).runs


def checks(folder: Source) -> pd.DataFrame:
    """Metric and loss at every check of every stored trial, one row a check.

    Columns:
        id: the trial's identity.
        step: the training step of the check.
        accuracy: the study's metric; an accuracy is in [0, 1].
        loss: the loss; NaN where it is not told.
        seconds: seconds of training at each check of programs; absent of other trials.
    """
    parts = []
    for id_, row in stored(folder).checks.items():
        part = pd.DataFrame({"id": id_, "accuracy": row.accuracy})
        part["loss"] = row.loss or math.nan
        part["step"] = row.steps or (part.index + 1) * row.check_every
        if row.seconds:
            part["seconds"] = row.seconds
        parts.append(part)
    told = any("seconds" in part for part in parts)
    return _long(parts, (*CHECK_COLUMNS, "seconds") if told else CHECK_COLUMNS)


def curves(folder: Source) -> pd.DataFrame:
    """Validation accuracy over training of each optimizer at its best rate, one row a check.

    Columns:
        optimizer, learning_rate, width, seed: what was trained; the rate is NaN if it is not known.
        outcome: how the training ended; empty in older studies.
        step: the training step of the check; NaN if it is not known.
        seconds: seconds of training, step x step time alone or as the source told them.
        accuracy: validation accuracy, in [0, 1]; of a model of the user's own its metric on the
            validation data, see `goals.of_curves`.
        fingerprint: the machine that the step time is of; empty if it is not known.
    """
    return stored(folder).all_curves


def elsewhere(folder: Source, runs: pd.DataFrame) -> int:
    """The number of trials that are stored in a study and not among these runs.

    Args:
        folder: the study's folder, or a `StoredStudy`.
        runs: the runs of one machine, as `load` gives them.

    Returns:
        The number of trials, all of other machines.
    """
    return len({run.id for run in stored(folder).all_records} - set(runs["id"]))


def _long(parts: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    """The parts below each other, with these columns."""
    if not parts:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(parts, ignore_index=True)[list(columns)]
