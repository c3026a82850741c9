"""Studies side by side: what differs, whose best rates, and how much of a ratio of seconds is step
time and how much steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.records import PROTOCOL
from study.storage.store import Store
from study.tables.best_rates import best as best_table
from study.tables.cells import cells as cells_table
from study.tables.load import comparable, load
from study.words import counted

ONE_MEASUREMENT = tuple(
    name for name in PROTOCOL if name not in ("cap", "max_steps", "check_every", "mode", "prune")
)
"""Fields of the protocol in which studies must agree for their seconds to be of the same thing; the
others change how, or how long.
"""


@dataclass(frozen=True)
class Side:
    """A study to compare: its name in tables and figures, what was asked for, its runs."""

    name: str
    spec: StudySpec
    runs: pd.DataFrame


def sides(folders: Sequence[str | Path], anyway: bool = False) -> tuple[list[Side], list[str]]:
    """The studies in these folders, named after what tells them apart, and sentences that say what
    differs.

    Args:
        folders: at least two studies' folders.
        anyway: compare what differs in more than machine, budget and mode, too.

    Raises:
        StudyError: fewer than two folders, no study or no runs in one, or protocols that measure
            different things.
    """
    if len(folders) < 2:
        raise StudyError(f"{counted(len(folders), 'folder')} to compare: name at least two")
    paths = [Path(folder) for folder in folders]
    twice = next(
        (
            path
            for i, path in enumerate(paths)
            if path.resolve() in [other.resolve() for other in paths[:i]]
        ),
        None,
    )
    if twice is not None:
        raise StudyError(f"{twice} is named twice: a study is not compared with itself")
    specs = [Store(path).spec() for path in paths]
    frames = [comparable(load(path), path) for path in paths]
    machines = [str(frame["machine"].iloc[0]) for frame in frames]
    names = machines
    for told in (
        [f"{machine}/{path.name}" for machine, path in zip(machines, paths, strict=True)],
        [str(path) for path in paths],
    ):
        names = names if len(set(names)) == len(names) else told
    said: list[str] = []
    if len(set(machines)) > 1:
        said.append(f"machine: {', '.join(dict.fromkeys(machines))}")
    for what in ("engine", "precision"):
        found = [str(frame[what].iloc[0]) for frame in frames]
        if len(set(found)) > 1:
            said.append(f"{what}: {', '.join(found)}")
    engines = {str(frame["engine"].iloc[0]) for frame in frames}
    for package in (
        "python",
        *(engines if len(engines) == 1 else ()),
        "keras",
        "jaxlib",
        "numpy",
        "driver",
        "study",
    ):
        found = [_versions(path).get(package, "not told") for path in paths]
        if len(engines) > 1 and package in ("keras", "jaxlib"):
            continue  # as different as the engines
        if len(set(found)) > 1:
            said.append(f"version of {package}: {', '.join(found)}")
    fields = list(
        dict.fromkeys(field for spec in specs[1:] for field in specs[0].differences(spec))
    )
    digests = {digest for path in paths if len(digest := Store(path).digest() or "") == 32}
    if "dataset" in fields and len(digests) == 1:
        fields.remove("dataset")  # the same images at another place
    elif "dataset" not in fields and len(digests) > 1:
        fields.append("dataset")
    said += [
        f"{field}: {', '.join(str(getattr(spec, field)) for spec in specs)}" for field in fields
    ]
    apart = [field for field in fields if field in ONE_MEASUREMENT]
    if apart and not anyway:
        first = apart[0]
        values = " and ".join(str(getattr(spec, first)) for spec in specs)
        listed = f"{', '.join(apart)} ({first}: {values})"
        raise StudyError(
            f"the studies differ in {listed}, so their seconds are of different things; "
            "--anyway compares them"
        )
    return [Side(*parts) for parts in zip(names, specs, frames, strict=True)], said


def best(studies: Sequence[Side]) -> pd.DataFrame:
    """One row a (width, optimizer), best rate, seconds and steps of each study beside each other:
    columns (study, value).
    """
    parts = {
        side.name: best_table(side.runs)
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
    """One row a cell and study but the first: its median seconds over the first's, as steps x step
    time.

    Columns: study, width, optimizer, rate, seconds (the ratio), steps, step_seconds (the two
    factors; NaN where steps are not known), arrived (`both`, `first`, `second` or `neither`).
    """
    keys = ["width", "optimizer", "rate"]
    cells = [cells_table(side.runs).astype({"optimizer": object}) for side in studies]
    parts = []
    for side, other in zip(studies[1:], cells[1:], strict=True):
        both = cells[0].merge(other, on=keys, suffixes=("_first", "_second"))
        here, there = both["seconds_second"] < math.inf, both["seconds_first"] < math.inf
        arrived = np.select([here & there, there, here], ["both", "first", "second"], "neither")
        part = both[keys].assign(study=side.name, arrived=arrived)
        with np.errstate(invalid="ignore"):
            part["seconds"] = (both["seconds_second"] / both["seconds_first"]).where(here & there)
            part["steps"] = (both["steps_second"] / both["steps_first"]).where(here & there)
        part["step_seconds"] = part["seconds"] / part["steps"]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)[
        ["study", *keys, "seconds", "steps", "step_seconds", "arrived"]
    ]


def summary(cells: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """One row a study of these names: cells in common, those that arrived in both, in one alone;
    the median ratio of seconds with its quartiles, and its factors.

    The factors are the medians of the ratio of step times and of steps; `spread` is the factor
    within which half of the ratios lie about the median, exp(half the quartile range of the
    logarithm).
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


def _versions(folder: Path) -> dict[str, str]:
    """The versions that a study's machine.json tells."""
    found = Store(folder).machine().get("versions", {})
    return found if isinstance(found, dict) else {}
