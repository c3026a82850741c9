"""What claims are judged on: studies, contests and case studies of cycles."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import pandas as pd

from study import tables
from study.claims.verdict import CLAIMS, Verdict
from study.errors import StudyError
from study.spec.own import is_own
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS
from study.storage.readings.aim import Aim
from study.storage.store import Store
from study.tables import case_study, contests
from study.tables.rows import in_order


@dataclass(frozen=True, eq=False)
class Evidence:
    """A study as the claims see it.

    Args:
        spec: what it was asked for.
        runs: its runs.
        curves: its validation curves.
        confirmed: the runs of its selected rates on fresh seeds, see `study confirm`.
        said: sentences on what its trials are read by.
    """

    spec: StudySpec
    runs: pd.DataFrame
    curves: pd.DataFrame
    confirmed: pd.DataFrame = field(default_factory=pd.DataFrame)
    said: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Rows:
    """The results of another experiment.

    Args:
        kind: `contest` or `cycles`.
        table: the table of the contest, or the rows of the case study of cycles.
        runs: the trials of a contest, at the rates that were picked.
    """

    kind: str
    table: pd.DataFrame
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def meant(self) -> tuple[str, ...]:
        """The optimizers that the claims are about, of a contest; see `meant_by`."""
        own = len(self.runs) and is_own(self.runs["network"].iloc[0])
        return tuple(in_order(self.table["optimizer"])) if own else OPTIMIZERS


Known = Sequence[Evidence | Rows]
"""All that the claims are judged on."""


def meant_by(spec: StudySpec) -> tuple[str, ...]:
    """The optimizers that claims are about: the published six, or all of a model of one's own."""
    return tuple(spec.optimizers) if is_own(spec.network) else OPTIMIZERS


def meant_in(known: Known) -> tuple[str, ...]:
    """The same of the largest study; the published six if there is none."""
    studies = studies_in(known)
    return meant_by(largest(studies).spec) if studies else OPTIMIZERS


def such_as(known: Known, command: str, options: str) -> str:
    """What would be evidence, as a sentence's end: a command, or options for one's own model."""
    own = any(is_own(study.spec.network) for study in studies_in(known))
    return f": such as {options if own else f'`{command}`'}"


def studies_in(known: Known) -> list[Evidence]:
    """The studies."""
    return [one for one in known if isinstance(one, Evidence)]


def pooled(study: Evidence, studies: Known) -> pd.DataFrame:
    """The runs of a study, and those that others hold of the same cells under the same protocol.

    Args:
        study: whose cells count.
        studies: all that is known.

    Returns:
        Runs, each trial once; one that the study holds counts before the same trial elsewhere.
    """
    cells = set(product(study.spec.optimizers, study.spec.rates, study.spec.widths))
    parts = [study.runs]
    for other in studies:
        runs = other.runs
        if other is study or runs.empty or study.runs.empty:
            continue
        names = ["optimizer", "learning_rate", "width"]
        keys = runs[names].astype({"optimizer": str}).itertuples(index=False, name=None)
        inside = runs[[key in cells for key in keys]]
        with suppress(StudyError):  # of another protocol, machine or engine
            tables.comparable(_joined([study.runs, inside]))
            parts.append(inside)
    return _joined(parts) if len(parts) > 1 else study.runs


def beyond(study: Evidence, studies: Known, optimizer: str, width: float) -> pd.DataFrame:
    """The runs of other studies under the same protocol at rates outside a study's range.

    Args:
        study: whose rates end.
        studies: all that is known.
        optimizer: whose runs.
        width: of which width.

    Returns:
        Their rates and outcomes, sorted by the rate.
    """
    low, high = min(study.spec.rates), max(study.spec.rates)
    found = []
    for other in studies_in(studies):
        runs = other.runs
        if other is study or runs.empty or study.runs.empty:
            continue
        mine = runs[(runs["optimizer"] == optimizer) & (runs["width"] == width)]
        outside = mine[(mine["learning_rate"] < low) | (mine["learning_rate"] > high)]
        with suppress(StudyError):  # of another protocol, machine or engine
            tables.comparable(_joined([study.runs, outside]))
            found.append(outside[["learning_rate", "outcome"]])
    if not found:
        return pd.DataFrame(columns=["learning_rate", "outcome"])
    return pd.concat(found, ignore_index=True).sort_values("learning_rate")


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Several tables of runs as one, each trial once."""
    table = pd.concat(parts, ignore_index=True).drop_duplicates("id", ignore_index=True)
    names = in_order(table["optimizer"].astype(str))
    return table.assign(optimizer=pd.Categorical(table["optimizer"], names))


def largest(studies: Sequence[Evidence]) -> Evidence:
    """The study of the most optimizers; among those of the most rates, then of the most seeds.

    What is missing decides only between studies of one name.
    """
    return max(
        studies,
        key=lambda study: (
            len(study.spec.optimizers),
            len(study.spec.rates),
            study.spec.seeds,
            study.spec.name,
            len(study.runs),
        ),
    )


def rows_of(known: Known, kind: str) -> Rows | None:
    """The results of an experiment.

    Args:
        known: what the claims are judged on.
        kind: `contest` or `cycles`.

    Returns:
        Those of the most seeds; None if there are none of this kind.
    """
    found = [one for one in known if isinstance(one, Rows) and one.kind == kind]
    return max(found, key=lambda one: (one.table["seed"].nunique(), len(one.table)), default=None)


def evidence(
    folder: tables.Source, machine: str | None = None, aim: Aim | None = None
) -> Evidence | Rows:
    """What a folder holds that claims can be judged on.

    Args:
        folder: of a study, a contest or a case study of cycles; or a `StoredStudy`.
        machine: whose runs of a study to take, see `tables.load`.
        aim: metric, target and goal to read a study by, see `tables.stored`.

    Returns:
        A study's evidence, or the rows of a contest or a case study.

    Raises:
        StudyError: the folder holds nothing of the kind, or rows that must not share a table.
    """
    if not isinstance(folder, tables.StoredStudy):
        rows = rows_in(folder)
        if rows is not None:
            return rows
    study = tables.stored(folder, machine, aim)
    found = evidence_of(study.spec, study.runs, study.curves)
    return replace(found, confirmed=study.confirmed, said=tuple(tables.of_the_aim(study)))


def rows_in(folder: str | Path) -> Rows | None:
    """The rows that a contest or the case study of cycles left in a folder.

    None if there are none, and for the folder of a study.
    """
    if Store(Path(folder)).spec_path.exists():
        return None
    for kind, name, read in (
        ("contest", contests.TABLE, contests.read),
        ("cycles", case_study.FILE, case_study.read),
    ):
        if (Path(folder) / name).exists():
            runs = Store(Path(folder)).runs() if kind == "contest" else []
            return Rows(kind, read(folder), tables.frame(runs) if runs else pd.DataFrame())
    return None


def evidence_of(spec: StudySpec, runs: pd.DataFrame, curves: pd.DataFrame) -> Evidence:
    """A study's evidence. Runs outside its present grid and curves of other machines are left out.

    Args:
        spec: what the study was asked for.
        runs: its runs.
        curves: its validation curves.

    Returns:
        The evidence.

    Raises:
        StudyError: the runs must not share a table.
    """
    if len(runs):
        runs = runs[runs["id"].isin([trial.id for trial in spec.trials()])]
    if len(runs):
        runs = tables.comparable(runs)
    return Evidence(spec, runs, tables.curves_of(curves, runs))


def verdicts(studies: Known) -> list[Verdict]:
    """Judge every claim on these studies together.

    A claim about rates takes the largest grid, one about sizes the study of the most widths.
    """
    return [CLAIMS[id_].judge(judged(studies)) for id_ in CLAIMS]


def judged(studies: Known) -> Known:
    """Those that claims are judged on: models of the user's own only where there are no others."""
    own = {id(study) for study in studies_in(studies) if is_own(study.spec.network)}
    if len(own) == len(studies_in(studies)):
        return studies
    return [one for one in studies if id(one) not in own]
