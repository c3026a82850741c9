"""Reads what a program reports: JSON lines, CSV with a header, or a pattern of the user's."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from study.spec.program import STEP

STEPS = ("step", "global_step", "iteration", "iter", "epoch")
"""What a program may call its steps; the first of these that a report has counts."""


LONGEST = 1 << 16
"""Bytes of a line; what is longer is no report."""


NAME = re.compile(r"[A-Za-z_][\w ./()%-]*")
"""A column of a CSV file."""


class BadReport(Exception):
    """A report that cannot be right: the trial fails with this sentence."""


@dataclass(frozen=True)
class Report:
    """What a program tells at a step.

    Args:
        step: as the program counts.
        values: its metrics by name.
        unit: what the program calls its steps.
    """

    step: int
    values: Mapping[str, float]
    unit: str = STEP


class Lines:
    """Cuts a stream into lines, which end with a newline or a carriage return.

    Of a line that is too long the first `LONGEST` bytes are kept, and it is told as no line.
    """

    def __init__(self) -> None:
        self.rest, self.left_out = b"", 0

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Each line that ends in the data, and whether it is whole."""
        *lines, rest = data.replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            whole, size = self.rest + line, len(self.rest) + len(line) + self.left_out
            self.rest, self.left_out = b"", 0
            yield whole[:LONGEST], size <= LONGEST
        self.left_out += max(0, len(self.rest) + len(rest) - LONGEST)
        self.rest = (self.rest + rest)[:LONGEST]


class Reader:
    """Finds the reports of one stream or file.

    Args:
        pattern: a regular expression with a group `step`; empty for JSON lines and CSV.
    """

    def __init__(self, pattern: str = "") -> None:
        self.pattern = re.compile(pattern) if pattern else None
        self.header: list[str] = []
        self.shift = 0
        self.rows = 0

    def read(self, line: bytes) -> Report | None:
        """The report in a line; None if there is none.

        Raises:
            BadReport: a step that is no whole number, or a value that is none.
        """
        text = line.decode(errors="replace").strip()
        if self.pattern is not None:
            found = self.pattern.search(text)
            return _report(found.groupdict(), STEP) if found else None
        if text.startswith("{"):
            return _of_json(text)
        return self._of_csv(text) if "," in text else None

    def _of_csv(self, text: str) -> Report | None:
        # A quick look first: a program may print much that is no table.
        if not self.header and not any(name in text for name in STEPS):
            return None
        fields = [field.strip() for field in next(csv.reader([text]))]
        if all(map(NAME.fullmatch, fields)) and set(fields) & set(STEPS):
            self.header, self.rows = fields, 0
            return None
        if len(fields) != len(self.header):
            return None
        row = {name: value for name, value in zip(self.header, fields, strict=True) if value}
        unit = next((name for name in STEPS if name in row), "")
        if not unit or _number(row[unit]) is None:
            return None
        report = _report(row, unit, strict=False)
        # Keras's CSVLogger writes epoch 0 when one epoch is over.
        if self.rows == 0:
            self.shift = int(unit == "epoch" and self.header[0] == unit and report.step == 0)
        self.rows += 1
        return Report(report.step + self.shift, report.values, unit)


def _of_json(text: str) -> Report | None:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return None
    unit = next((name for name in STEPS if name in row), "")
    return _report(row, unit, strict=False) if unit else None


def _report(row: Mapping[str, Any], unit: str, strict: bool = True) -> Report:
    """The report of some values by name.

    Args:
        row: the values; None where there is none.
        unit: the name of the step.
        strict: whether a value that is no number is a mistake, as of a pattern; else it is left
            out, as of a table with words.
    """
    step = _number(row[unit])
    if step is None or step < 0 or step != int(min(step, 2.0**62)):
        raise BadReport(f"{unit} {row[unit]!r} must be a whole number from 0 on")
    values = {}
    for name, value in row.items():
        if name == unit or value is None:
            continue
        found = _number(value)
        if found is None and strict:
            raise BadReport(f"{name} {value!r} is no number")
        if found is not None:
            values[name] = found
    return Report(int(step), values, unit)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
