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
from study.spec.goals import goal_of, has_target
from study.spec.own import is_foreign
from study.spec.study import StudySpec
from study.storage.across import Across, checks_of, pooled_engines
from study.storage.checks import Checks, Curve, floor_of
from study.storage.jsonl import Row
from study.storage.published.protocol import Protocol, protocol_in
from study.storage.readings.aim import Aim
from study.storage.readings.stored import reread, told_in
from study.storage.readings.told import final
from study.storage.records import Outcome, Run, Spent
from study.storage.store import Store
from study.tables.best_rates.fresh import CONFIRM
from study.tables.best_rates.table import best
from study.tables.clocks import budgets, counted_by, spans
from study.tables.foreign import foreign_columns
from study.tables.rows import budget, curves_of, frame, some
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
        aim: metric, target and goal to read its trials by; its own where they are None.
    """

    folder: str | Path
    machine: str | None = None
    aim: Aim = Aim()  # noqa: RUF009

    @cached_property
    def store(self) -> Store:
        """The folder on the disk."""
        return Store(Path(self.folder))

    @cached_property
    def spec(self) -> StudySpec:
        """What the study was asked for. A folder without a study raises `StudyError`."""
        return self.aim.of(self.store.spec())

    @cached_property
    def all_records(self) -> list[Run]:
        """The runs of every machine. A line that cannot be read raises `StudyError`."""
        _ = self.spec  # refuses a folder without a study
        return [run for run, _ in self._aimed] if self.aimed else self.trained

    @cached_property
    def trained(self) -> list[Run]:
        """The runs as they are stored."""
        return self.store.runs()

    @cached_property
    def aimed(self) -> bool:
        """Whether the trials are read by another metric, target or goal than they trained for."""
        return self.spec != self.store.spec()

    def place(self, kind: str) -> Path:
        """The folder of its `tables` or `figures`; those by another aim have their own."""
        folder, spec = Path(self.folder) / kind, self.spec
        target = f"-{spec.target:g}" if has_target(spec.target) else ""
        goal = f"-{spec.goal}" if spec.goal != goal_of(spec.metric) else ""
        name = spec.metric.replace("/", "-")  # which leads into no other folder
        return folder / f"{name}{target}{goal}" if self.aimed else folder

    @cached_property
    def ids(self) -> dict[str, str]:
        """The identity of each run by the aim, by the one that it is stored with."""
        pairs = zip(self.trained, self.all_records, strict=True)
        return {old.id: run.id for old, run in pairs}

    @cached_property
    def cut(self) -> set[str]:
        """The trials that came to their own target before they came to the aim, by their ids."""
        pairs = zip(self.trained, self.all_records, strict=True)
        was, now = Outcome.REACHED, Outcome.CAPPED
        return {run.id for old, run in pairs if (old.outcome, run.outcome) == (was, now)}

    @cached_property
    def _aimed(self) -> list[tuple[Run, Checks | None]]:
        """The runs by the aim, and their checks."""
        return self._read(self.store)

    def _read(self, store: Store) -> list[tuple[Run, Checks | None]]:
        """The runs of a folder by the aim, and their checks."""
        return reread(store.folder, store.runs(), store.checks(), self.spec)

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
        if spec.source is not None:
            table = table.assign(model=spec.source, data=spec.data)
        if is_foreign(spec.network):
            return foreign_columns(table, self.checks, self.finals, self.published or Protocol())
        if spec.command:
            looks = {id_: row.look for id_, row in self.checks.items() if row.steps}
            table["look_seconds"] = table["id"].map(looks) * table["step_seconds"].astype(float)
        between = spans(self.records, Path(self.folder)).loc[table["id"]]
        table[["seconds_low", "seconds_high"]] = between.to_numpy()
        floor = floor_of(spec.metric, spec.target, spec.goal)
        died = {self.ids.get(row.id) for row in self.curve_rows if row.collapsed(floor)}
        table["unstable"] = table["id"].isin(died) & (table["outcome"] == Outcome.REACHED)
        if self.reclocked:
            known = zip(self.records, budgets(self.all_records, self.records), strict=True)
            table["budget"] = table["id"].map({run.id: seconds for run, seconds in known})
        if self.cut:
            table["cut"] = table["id"].isin(self.cut)
            table["budget"] = budget(table).mask(table["cut"], table["seconds"])
        alike = {
            f"{engine} {of}" for (engine, of), same in pooled_engines(self.across).items() if same
        }
        first = self.all_records[0]
        if set(table["pool"]) <= {base := f"{first.engine} {first.precision}", *alike}:
            table["pool"] = base
        if self.published is not None and self.published.look_seconds is not None:
            table["look_seconds"] = self.published.look_seconds
        return table

    @cached_property
    def reclocked(self) -> bool:
        """Whether the seconds of some runs are by another clock than they are stored by."""
        before = {run.id: run.clock for run in self.all_records}
        return any(before[run.id] != run.clock for run in self.records)

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
    def best(self) -> pd.DataFrame:
        """The best rate of each optimizer at each width; see `best`."""
        return best(self.some_runs)

    @cached_property
    def fresh(self) -> list[Run] | str:
        """The runs on fresh seeds of any clock; a sentence if they cannot be read."""
        place = Path(self.folder) / CONFIRM
        try:
            if not place.is_dir():
                return []
            store = Store(place)
            return [run for run, _ in self._read(store)] if self.aimed else store.runs()
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
        return long(parts, CURVE_COLUMNS)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The validation curves of the machines that `runs` are of, by their clock."""
        found = curves_of(self.all_curves, self.runs)
        if self.reclocked:
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
        if self.aimed:
            return {checks.id: checks for _, checks in self._aimed if checks is not None}
        return self.store.checks()

    @cached_property
    def finals(self) -> Mapping[str, float]:
        """The metric at the end of each trial of an import, whatever the target, by its id."""
        told = told_in(Path(self.folder))
        pairs = zip(self.trained, self.all_records, strict=True)
        return {run.id: final(told[there.id], self.spec.metric) for there, run in pairs}

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


def stored(folder: Source, machine: str | None = None, aim: Aim | None = None) -> StoredStudy:
    """A study in memory, from its folder; one that is in memory already is not read again.

    Args:
        folder: the study's folder, or a `StoredStudy`.
        machine: name or fingerprint of the machine whose step times count. None keeps that of a
            study in memory, and means the reference for a folder.
        aim: metric, target and goal to read its trials by; None keeps those of a study in memory,
            and means its own for a folder.

    Returns:
        The study.
    """
    if not isinstance(folder, StoredStudy):
        return StoredStudy(home(folder), machine, aim or Aim())
    machine, aim = machine or folder.machine, aim or folder.aim
    same = (machine, aim) == (folder.machine, folder.aim)
    return folder if same else replace(folder, machine=machine, aim=aim)


def long(parts: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    """The parts below each other, with these columns."""
    if not parts:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(parts, ignore_index=True)[list(columns)]
