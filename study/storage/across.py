"""Checks of one kind of machine against another: the same trials, trained on both.

Float sums differ between kinds of machine, so a training near an edge can end otherwise. A check
trains stored trials once more on this machine, and compares their outcomes and steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from study.storage.jsonl import Count, Number, append_line, convert, read_rows

MOST_ODD = 1 / 6
"""Largest share of trials that may end otherwise where two kinds agree."""


FACTOR = 1.25
"""The interval of the ratio of steps must lie within this factor where two kinds agree."""


@dataclass(frozen=True)
class Across:
    """What a check found.

    Args:
        at: date and time, ISO 8601.
        machine, fingerprint, software: who trained again.
        engine, precision: with what.
        trials: how many trials were trained again.
        same_outcomes: how many of them ended alike.
        both: how many reached the target on both.
        ratio: geometric mean over those of steps here / steps stored; None if there are none.
        low, high: its 95 % interval; None below three trials.
    """

    at: str
    machine: str
    fingerprint: str
    software: str
    engine: str
    precision: str
    trials: Count
    same_outcomes: Count
    both: Count
    ratio: Number | None
    low: Number | None
    high: Number | None

    @property
    def agrees(self) -> bool:
        """Whether both kinds take the same steps, as far as the check can tell."""
        if self.low is None or self.high is None:
            return False
        odd = self.trials - self.same_outcomes
        within = 1 / FACTOR < self.low <= 1 <= self.high < FACTOR
        return within and odd <= MOST_ODD * self.trials

    def __str__(self) -> str:
        told = f"{self.same_outcomes} of {self.trials} trials ended alike"
        if self.ratio is not None:
            told += f", and took {self.ratio:.2f} times the steps"
        if self.low is not None:
            told += f" ({self.low:.2f} to {self.high:.2f}, n = {self.both})"
        return told

    def to_json(self) -> dict[str, Any]:
        """The check as a row of across.jsonl."""
        return asdict(self)


def checks_of(folder: Path) -> list[Across]:
    """The checks that a study's folder holds, the oldest first."""
    return list(read_rows(folder / "across.jsonl", partial(convert, kind=Across)))


def add_check(folder: Path, check: Across) -> None:
    """Store a check; the caller holds the study's lock."""
    append_line(folder / "across.jsonl", check.to_json())


def last_of(checks: Sequence[Across], kind: tuple[str, str]) -> Across | None:
    """The last check on machines of a kind, a fingerprint and a software."""
    return next((one for one in reversed(checks) if (one.fingerprint, one.software) == kind), None)


def pooled_engines(checks: list[Across]) -> Mapping[tuple[str, str], bool]:
    """Whether each engine and precision was shown to take the stored trials' steps."""
    return {(one.engine, one.precision): one.agrees for one in checks}
