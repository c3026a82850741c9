"""Studies side by side: what differs, best rates, and ratios of seconds as steps x step time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.spec.own import is_foreign
from study.spec.study import StudySpec
from study.storage.published.protocol import Protocol
from study.storage.records import PROTOCOL
from study.tables.best_rates import best as best_table
from study.tables.caveats import of_an_import
from study.tables.cells import cells as cells_table
from study.tables.rows import comparable
from study.tables.stored import Source, StoredStudy, stored
from study.words import counted

ONE_MEASUREMENT = tuple(
    name for name in PROTOCOL if name not in ("cap", "max_steps", "check_every", "mode", "prune")
)
"""Fields of the protocol in which studies must agree for their seconds to measure the same thing.

The other fields change how a trial is measured, or for how long.
"""


@dataclass(frozen=True)
class Side:
    """A study to compare.

    Args:
        name: its name in tables and figures.
        spec: what it was asked for.
        runs: its runs.
        published: what is known of the protocol of an imported study; None of any other.
        source: the study itself.
    """

    name: str
    spec: StudySpec
    runs: pd.DataFrame
    published: Protocol | None = None
    source: StoredStudy | None = None

    @property
    def nameless(self) -> bool:
        """Whether nobody knows on which machine it was measured."""
        return is_foreign(self.spec.network)


def sides(folders: Sequence[Source], anyway: bool = False) -> tuple[list[Side], list[str]]:
    """Read the studies to compare.

    Args:
        folders: at least two studies: their folders, or `StoredStudy`s.
        anyway: compare studies that differ in more than machine, budget and mode, too.

    Returns:
        The studies, each named after what tells it from the others, and sentences on what differs.

    Raises:
        StudyError: fewer than two folders, a folder without a study or without runs, or protocols
            that measure different things.
    """
    if len(folders) < 2:
        raise StudyError(f"{counted(len(folders), 'folder')} to compare: name at least two")
    studies = [stored(folder) for folder in folders]
    known: set[Path] = set()
    for study in studies:
        place = Path(study.folder).resolve()
        if place in known:
            raise StudyError(f"{study.folder} is named twice: a study is not compared with itself")
        known.add(place)
    specs = [study.spec for study in studies]
    frames = [comparable(study.some_runs, study.folder) for study in studies]
    fields = _differing_fields(studies)
    apart = [field for field in fields if field in ONE_MEASUREMENT]
    if apart and not anyway:
        values = " and ".join(_value(study, apart[0]) for study in studies)
        raise StudyError(
            f"the studies differ in {', '.join(apart)} ({apart[0]}: {values}), so their seconds "
            "are of different things; --anyway compares them"
        )
    names = _names(studies, [str(frame["clock_machine"].iloc[0]) for frame in frames])
    differences = _software_differences(studies, frames)
    for field in fields:
        differences.append(f"{field}: {', '.join(_value(study, field) for study in studies)}")
    known_of = [study.published for study in studies]
    parts = zip(names, specs, frames, known_of, studies, strict=True)
    return [Side(*part) for part in parts], differences


def notes(studies: Sequence[Side]) -> list[str]:
    """How the imported ones of the studies were measured, and which are one draw a cell.

    Args:
        studies: the studies, as `sides` gives them.
    """
    told = [
        f"{side.name}: {next(of_an_import(side.runs, protocol=side.published))}"
        for side in studies
        if side.published is not None
    ]
    single = [side.name for side in studies if side.runs["seed"].nunique() == 1]
    if single:
        told.append(f"one draw a cell, so that a best rate may be luck: {', '.join(single)}")
    return told


def _value(study: StoredStudy, field: str) -> str:
    """The value of a field of the spec; an import does not tell how often it looked."""
    if field == "check_every" and study.published is not None:
        return "not known"
    value = str(getattr(study.spec, field))
    code = {"network": study.spec.model, "dataset": study.spec.data}.get(field)
    return value if code is None else f"{code} ({value})"


def _names(studies: Sequence[StoredStudy], machines: Sequence[str]) -> list[str]:
    """The shortest names that differ: the machines, machine and folder, or the paths."""
    paths = [Path(study.folder) for study in studies]
    with_folder = [f"{machine}/{path.name}" for machine, path in zip(machines, paths, strict=True)]
    for names in (list(machines), with_folder):
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _software_differences(
    studies: Sequence[StoredStudy], frames: Sequence[pd.DataFrame]
) -> list[str]:
    """Sentences on machines, engines and versions that differ."""
    found = {
        what: [str(frame[what].iloc[0]) for frame in frames]
        for what in ("machine", "engine", "precision")
    }
    engines = set(found["engine"])
    packages = ["python", "keras", "jaxlib", "numpy", "driver", "study"]
    if len(engines) > 1:  # what belongs to one engine is as different as the engines
        packages = [name for name in packages if name not in ("keras", "jaxlib")]
    else:
        packages.insert(1, *engines)
    for package in packages:
        found[f"version of {package}"] = [
            _versions(study).get(package, "not known") for study in studies
        ]
    return [
        f"{what}: {', '.join(dict.fromkeys(values) if what == 'machine' else values)}"
        for what, values in found.items()
        if len(set(values)) > 1
    ]


def _versions(study: StoredStudy) -> dict[str, str]:
    """The versions that a study's machine.json states."""
    found = study.facts.get("versions", {})
    return found if isinstance(found, dict) else {}


def _differing_fields(studies: Sequence[StoredStudy]) -> list[str]:
    """The fields of the spec in which the studies differ; for the data set its digest decides."""
    first, *others = (study.spec for study in studies)
    fields = list(dict.fromkeys(field for spec in others for field in first.differences(spec)))
    if "check_every" not in fields and len({study.published is None for study in studies}) > 1:
        fields.append("check_every")
    digests = {digest for study in studies if len(digest := study.store.digest() or "") == 32}
    if "dataset" in fields and len(digests) == 1:
        fields.remove("dataset")  # the same images at another place
    elif "dataset" not in fields and len(digests) > 1:
        fields.append("dataset")
    return fields


def best(studies: Sequence[Side]) -> pd.DataFrame:
    """The best rates of the studies beside each other.

    Args:
        studies: the studies, as `sides` gives them.

    Returns:
        One row a width and optimizer. Columns are pairs of the study's name and best_rate,
        seconds, steps, arrived or rates, see `tables.best`.
    """
    parts = {
        side.name: _timed(best_table(side.runs))
        .astype({"optimizer": object})
        .set_index(["width", "optimizer"])
        for side in studies
    }
    return pd.concat(
        {
            name: part[["best_rate", "seconds", "steps", "arrived", "rates"]]
            for name, part in parts.items()
        },
        axis=1,
    )


def ratios(studies: Sequence[Side]) -> pd.DataFrame:
    """Median seconds of each study over those of the first, cell by cell.

    Args:
        studies: the studies, as `sides` gives them; the first is the reference.

    Returns:
        One row a cell and study but the first, with the columns

        - study, width, optimizer, rate: the cell
        - seconds: the ratio; NaN unless both arrived
        - steps, step_seconds: its two factors; NaN if steps are not known
        - arrived: `both`, `first`, `second` or `neither`
    """
    keys = ["width", "optimizer", "rate"]
    cells = [_timed(cells_table(side.runs)).astype({"optimizer": object}) for side in studies]
    parts = []
    for side, other in zip(studies[1:], cells[1:], strict=True):
        both = cells[0].merge(other, on=keys, suffixes=("_first", "_second"))
        here, there = both["seconds_second"] < math.inf, both["seconds_first"] < math.inf
        arrived = np.select([here & there, there, here], ["both", "first", "second"], "neither")
        part = both[keys].assign(study=side.name, arrived=arrived)
        if studies[0].nameless or side.nameless:  # nobody knows how fast those machines were
            both["seconds_second"] = math.nan
        with np.errstate(invalid="ignore"):
            part["seconds"] = (both["seconds_second"] / both["seconds_first"]).where(here & there)
            part["steps"] = (both["steps_second"] / both["steps_first"]).where(here & there)
        part["step_seconds"] = part["seconds"] / part["steps"]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)[
        ["study", *keys, "seconds", "steps", "step_seconds", "arrived"]
    ]


def _timed(table: pd.DataFrame) -> pd.DataFrame:
    """A table of cells or of best rates; where seconds are not known, its steps tell arrivals."""
    return table if "seconds" in table else table.assign(seconds=table["steps"])


def summary(cells: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The ratios of `ratios` in one row a study.

    Args:
        cells: the table of `ratios`.
        names: the studies' names, without the first.

    Returns:
        One row a study, with the columns

        - study
        - cells: cells in common; both, first, second, neither: in which study they arrived
        - ratio, low, high: median and quartiles of the ratio of seconds
        - spread: half of the ratios lie within this factor of the median
        - step_seconds, steps: medians of the two factors of the ratio
    """
    rows = []
    for name in names:
        mine = cells[cells["study"] == name]
        both = mine[mine["arrived"] == "both"]
        low, middle, high = (
            np.quantile(np.log(both["seconds"]), [0.25, 0.5, 0.75]) if len(both) else [math.nan] * 3
        )
        counts = mine["arrived"].value_counts()
        rows.append(
            {
                "study": name,
                "cells": len(mine),
                **{key: int(counts.get(key, 0)) for key in ("both", "first", "second", "neither")},
                "ratio": math.exp(middle),
                "low": math.exp(low),
                "high": math.exp(high),
                "spread": math.exp((high - low) / 2),
                "step_seconds": both["step_seconds"].median(),
                "steps": both["steps"].median(),
            }
        )
    return pd.DataFrame(rows)
