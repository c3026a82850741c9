"""What the rows of one trial tell: its steps, its seconds, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from study.errors import StudyError
from study.storage.imports.columns import plain
from study.storage.imports.sheets import ENDS, Cells, Sheet, moment_in, number_in, text_in
from study.storage.records import Outcome

STAMPS = 1e8
"""Seconds beyond which a first time is a date, and not a time of training: three years."""


RESOLUTION = 1e-3
"""The least time of a check, in seconds."""


UNITS = {"global_step": "step", "iter": "iteration", "training_iteration": "iteration"}
"""What a step is called, where its column is called otherwise."""


def unit_of(sheet: Sheet, step: str | None) -> str:
    if step is None:
        return ""
    name = sheet.unit or plain(step).removeprefix("_").removesuffix("s")
    return UNITS.get(name, name)


def last_of(rows: Sequence[Cells], column: str | None) -> Any:
    return rows[-1].get(column) if column else None


def outcome_of(state: str | None) -> Outcome:
    return ENDS.get((state or "").lower(), Outcome.CAPPED)


def step_in(value: Any, source: str) -> int:
    found = number_in(value)
    if found is None or not 0 <= found < 2.0**62 or found != int(found):
        raise StudyError(f"{source}: step {value!r} must be a whole number from 0 on")
    return int(found)


def merged(rows: Sequence[Cells], step: str, source: str) -> list[Cells]:
    """Rows of one step as one; a row without a step tells nothing of training."""
    found: list[dict[str, Any]] = []
    for row in rows:
        now = number_in(row.get(step))
        if now is None:
            continue
        last = number_in(found[-1][step]) if found else None
        if last is not None and now < last:
            raise StudyError(f"{source}: its steps go backwards, {now:g} after {last:g}")
        told = {name: value for name, value in row.items() if text_in(value) is not None}
        if now == last:
            found[-1] |= told
        else:
            found.append(told)
    return list(found) or list(rows[:1])


def diverged(values: Mapping[str, Sequence[float | None]]) -> int | None:
    """The first check at which a loss is no finite number."""
    places = [
        place
        for name, found in values.items()
        if "loss" in name.lower()
        for place, value in enumerate(found)
        if value is not None and not math.isfinite(value)
    ]
    return min(places, default=None)


def seconds_of(
    rows: Sequence[Cells], column: str | None, source: str
) -> tuple[tuple[float, ...], bool]:
    """Seconds of training at each check, none unless each tells them; and whether they were dates.

    Dates count from the first check, as nothing tells when the training began.
    """
    told = [moment_in(row.get(column)) for row in rows] if column else []
    found = [value for value in told if value is not None and math.isfinite(value)]
    if not found or len(found) < len(rows):
        return (), False
    if any(after < before for before, after in pairwise(found)):
        raise StudyError(
            f"{source}: its seconds go backwards (column {column}): name the column of the seconds "
            "since the start, or leave it out with --columns seconds=none"
        )
    stamps = found[0] > STAMPS
    if stamps:
        found = [value - found[0] for value in found]
    if found[0] < 0:
        raise StudyError(f"{source}: seconds {found[0]:g} must be 0 or more (column {column})")
    if stamps and len(found) == 1:  # a date alone is no duration
        return (), False
    return tuple(max(value, RESOLUTION) for value in found), stamps
