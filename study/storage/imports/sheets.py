"""Rows of a source as they stand there, before anything is made of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from study.storage.records import Outcome

Cells = Mapping[str, Any]
"""A row by its columns: numbers, texts, None where nothing stands."""


BLANK = ("", "none", "null", "na", "n/a", "-", "<na>")
"""What stands in a text where nothing is told, in small letters."""


ENDS = {
    **dict.fromkeys(("failed", "fail", "failure", "error", "crashed"), Outcome.FAILED),
    **dict.fromkeys(("pruned", "trialstate.pruned"), Outcome.PRUNED),
    **dict.fromkeys(("diverged", "nan"), Outcome.DIVERGED),
    "trialstate.fail": Outcome.FAILED,
}
"""How a trial ended, by the word that a source has for it in small letters."""


CLOCK = re.compile(r"(?:(\d+) days?,? )?(?:(\d+):)?(\d{1,2}):([0-5]?\d(?:\.\d*)?)")
"""A time that was taken, as a clock tells it: days, hours, minutes and seconds."""


UNIT = re.compile(r"(\d+(?:\.\d*)?)\s*(?:s|sec|seconds)", re.IGNORECASE)
"""Seconds with their unit."""


@dataclass(frozen=True)
class Sheet:
    """Rows of one source.

    Args:
        place: what the source is called: a file, or a store and a trial in it.
        rows: its rows.
        settings: what is known of all rows beside their cells, by the names of `columns.USUAL`.
        one: whether the rows are of one trial; else columns tell trials apart.
        unit: what a step is called, where no column says so.
        goals: metrics, and whether each is to be at-least or at-most a target; empty where the
            source does not say.
    """

    place: str
    rows: Sequence[Cells]
    settings: Mapping[str, Any] = field(default_factory=dict)
    one: bool = False
    unit: str = ""
    goals: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """The columns of all rows, in their order."""
        return list(dict.fromkeys(str(name) for row in self.rows for name in row))


def blank(value: Any) -> bool:
    """Whether nothing is told."""
    return value is None or (isinstance(value, str) and value.strip().lower() in BLANK)


def number_in(value: Any) -> float | None:
    """The number in a cell, which may be no finite one; None where there is none.

    >>> number_in("0.5"), number_in("93 %"), number_in("none")
    (0.5, 0.93, None)
    """
    if blank(value) or isinstance(value, bool):
        return None
    try:
        if isinstance(value, str) and value.rstrip().endswith("%"):
            return float(value.rstrip()[:-1]) / 100
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def moment_in(value: Any) -> float | None:
    """Seconds in a cell: a number, a time that was taken, or a date with a time, which counts from
    an origin.

    >>> moment_in("12.5 s"), moment_in("1:02:03.5"), moment_in("02:03"), moment_in("1 day, 0:00:01")
    (12.5, 3723.5, 123.0, 86401.0)
    """
    found = number_in(value)
    if found is not None or blank(value):
        return found
    if isinstance(value, timedelta):
        return value.total_seconds()
    text = str(value).strip()
    if told := UNIT.fullmatch(text):
        return float(told[1])
    if told := CLOCK.fullmatch(text):
        days, hours, minutes, seconds = (float(part or 0) for part in told.groups())
        return 86_400 * days + 3600 * hours + 60 * minutes + seconds
    try:
        when = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return when.timestamp()


def text_in(value: Any) -> str | None:
    """The text in a cell, whole numbers without a point; None where there is none."""
    if blank(value):
        return None
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value).strip()
